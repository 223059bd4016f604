//! Agreements with core nodes: how they are made, what a client hears of them, how they end.

use crate::liars::{assert_same_disk, heard, hello, rows};
use crate::story::{found, invite, join, send, use_core};
use crate::world::World;
use node::command::{Client, Code, Command, Core, Problem, Reply};
use rights::CoreInviteSeed;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wire::Frame;
use wire::frame::TopicUsage;

const QUOTA: u64 = 4 << 20;

fn psk(n: u8) -> CoreInviteSeed {
    CoreInviteSeed::from_bytes(core::array::from_fn(|at| {
        n.wrapping_mul(31).wrapping_add(at as u8 * 7)
    }))
}

fn allow(world: &mut World, core: usize, key: u8, uses: u32) {
    let command = Command::CoreAllowPsk {
        psk: psk(key),
        quota: QUOTA,
        uses,
    };
    assert_eq!(world.ask(core, command), Reply::Done);
}

fn use_psk(world: &mut World, client: usize, core: usize, key: u8) -> Reply {
    let address = world.address(core);
    let psk = psk(key);
    world.ask(client, Command::CoreUsePsk { address, psk })
}

fn clients(world: &mut World, core: usize) -> Vec<Client> {
    match world.ask(core, Command::CoreClients) {
        Reply::CoreClients(clients) => clients,
        other => panic!("{other:?}"),
    }
}

fn failed(reply: Reply) -> Code {
    match reply {
        Reply::Failed(failure) => failure.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn whoever_holds_a_pre_shared_key_becomes_a_client_and_others_do_not() {
    let mut world = World::new(90);
    let core = world.add("core", true);
    let people: Vec<usize> = (0..4).map(|n| world.add(&format!("{n}"), false)).collect();
    allow(&mut world, core, 1, 2);
    for person in &people[..2] {
        let used = use_psk(&mut world, *person, core, 1);
        let expected = Reply::CoreUsed {
            id: world.id(core),
            quota: QUOTA,
        };
        assert_eq!(used, expected);
    }
    let refused = use_psk(&mut world, people[2], core, 1);
    assert_eq!(failed(refused), Code::Refused, "it is used up");
    let refused = use_psk(&mut world, people[3], core, 2);
    assert_eq!(failed(refused), Code::Refused, "that is another key");
    assert_eq!(clients(&mut world, core).len(), 2);
    // The same key comes again with further uses; who has used it spends none of them.
    allow(&mut world, core, 1, 1);
    for person in [people[0], people[2]] {
        let used = use_psk(&mut world, person, core, 1);
        assert!(matches!(used, Reply::CoreUsed { .. }), "{used:?}");
    }
    assert_eq!(clients(&mut world, core).len(), 3);
}

#[test]
fn a_key_that_is_denied_makes_no_further_clients() {
    let mut world = World::new(91);
    let core = world.add("core", true);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    allow(&mut world, core, 1, 9);
    let used = use_psk(&mut world, alice, core, 1);
    assert!(matches!(used, Reply::CoreUsed { .. }), "{used:?}");
    let deny = || Command::CoreDenyPsk { psk: psk(1) };
    assert_eq!(world.ask(core, deny()), Reply::Done);
    assert_eq!(failed(world.ask(core, deny())), Code::NotFound);
    assert_eq!(failed(use_psk(&mut world, bob, core, 1)), Code::Refused);
    assert_eq!(clients(&mut world, core).len(), 1, "Alice stays");
    // What belongs to operators is for core nodes alone.
    let deny = world.ask(alice, deny());
    assert_eq!(failed(deny), Code::Refused);
}

#[test]
fn an_invite_says_its_own_key() {
    let mut world = World::new(92);
    let core = world.add("core", true);
    let alice = world.add("Alice", false);
    let (quota, uses) = (QUOTA, 1);
    let Reply::CoreInvited { link, .. } = world.ask(core, Command::CoreInvite { quota, uses })
    else {
        panic!("no invite");
    };
    let both = Command::CoreUsePsk {
        address: link,
        psk: psk(1),
    };
    assert_eq!(failed(world.ask(alice, both)), Code::Usage);
}

/// Whoever has recorded a claim, which TLS hides, says it again on a link of its own, in every order:
/// the proof holds for the link on which it was made.
#[test]
fn a_claim_replayed_on_another_link_is_refused() {
    let mut world = World::new(93);
    let core = world.add("core", true);
    let alice = world.add("Alice", false);
    let liar = world.add_liar("Mallory");
    let claims: Rc<RefCell<Vec<Vec<u8>>>> = Rc::default();
    let tap = Rc::clone(&claims);
    world.tamper = Some(Box::new(move |from, _, bytes| {
        let frame = Frame::decode(&bytes).expect("honest");
        if from == alice && matches!(frame, Frame::CoreClaim { .. }) {
            tap.borrow_mut().push(bytes.clone());
        }
        vec![bytes]
    }));
    allow(&mut world, core, 1, 100);
    assert!(matches!(
        use_psk(&mut world, alice, core, 1),
        Reply::CoreUsed { .. }
    ));
    world.pass(Duration::from_secs(5));
    let before = world.disk(core).clone();
    let claims = claims.borrow().clone();
    assert!(!claims.is_empty());
    for claim in claims {
        for greeted in [true, false] {
            let link = world.connect(liar, Some(1), core);
            if greeted {
                world.inject(link, hello(&world).encode());
            }
            for _ in 0..3 {
                world.inject(link, claim.clone());
            }
            world.pass(Duration::from_secs(20));
            let agreed = heard(&world, liar, link)
                .into_iter()
                .any(|frame| matches!(frame, Frame::CoreAgreed { .. }));
            assert!(!agreed, "nobody else's proof makes a client");
        }
    }
    assert_same_disk(&world, core, &before, "replayed claims");
    assert_eq!(clients(&mut world, core).len(), 1);
}

/// Whatever a stranger hears of a core node after it has greeted, but for what is random or the time: when,
/// and which bytes.
fn answer_to(world: &mut World, core: usize, liar: usize, claim: &Frame) -> Vec<(u64, Vec<u8>)> {
    let link = world.connect(liar, Some(1), core);
    world.inject(link, hello(world).encode());
    world.inject(link, claim.encode());
    let mut said = Vec::new();
    let mut seen = 0;
    for step in 0..3_000_u64 {
        let heard = heard(world, liar, link);
        for frame in &heard[seen..] {
            let random = matches!(
                frame,
                Frame::Hello { .. } | Frame::Ping { .. } | Frame::Tags { .. }
            );
            let bytes = frame.encode();
            said.push((step, if random { bytes[..2].to_vec() } else { bytes }));
        }
        seen = heard.len();
        world.pass(Duration::from_millis(10));
    }
    assert!(said.len() > 1, "it is refused");
    said
}

/// A wrong key, no key, a key that is used up and one that was denied: a stranger hears the same bytes at
/// the same times, also where it has the name of a key that is allowed.
#[test]
fn a_wrong_key_and_no_key_look_alike() {
    let claim = |token: [u8; 16], mac: [u8; 32]| Frame::CoreClaim { token, mac };
    let own_token = |n: u8| psk(n).token();
    let claims = [
        claim([0; 16], [0; 32]),
        claim([7; 16], [9; 32]),
        claim(own_token(1), [0; 32]),
        claim(own_token(1), *psk(1).key().as_bytes()),
        claim(own_token(2), [0; 32]),
        claim(own_token(3), [0; 32]),
    ];
    let mut answers = Vec::new();
    for claim in &claims {
        let mut world = World::new(99);
        let core = world.add("core", true);
        let alice = world.add("Alice", false);
        let liar = world.add_liar("Mallory");
        for key in 1..=3 {
            allow(&mut world, core, key, 1);
        }
        let denied = Command::CoreDenyPsk { psk: psk(2) };
        assert_eq!(world.ask(core, denied), Reply::Done);
        let used = use_psk(&mut world, alice, core, 3);
        assert!(matches!(used, Reply::CoreUsed { .. }), "{used:?}");
        world.pass(Duration::from_secs(60));
        let before = world.disk(core).clone();
        answers.push(answer_to(&mut world, core, liar, claim));
        assert_same_disk(&world, core, &before, "refused claims");
    }
    let refused = Frame::refused_stranger().encode();
    for answer in &answers {
        assert_eq!(answer, &answers[0]);
        assert!(answer.iter().any(|(_, bytes)| *bytes == refused));
    }
}

fn cores(world: &mut World, node: usize) -> Vec<Core> {
    match world.ask(node, Command::CoreList) {
        Reply::Cores(cores) => cores,
        other => panic!("{other:?}"),
    }
}

fn problems(world: &mut World, node: usize) -> Vec<Problem> {
    match world.ask(node, Command::Status) {
        Reply::Status(status) => status.problems,
        other => panic!("{other:?}"),
    }
}

/// What is warned of when this is sent.
fn warned(world: &mut World, node: usize, text: &str) -> Vec<Problem> {
    let command = Command::Send {
        to: "tea".to_owned(),
        messages: vec![text.as_bytes().to_vec()],
        expires: None,
        best_effort: false,
    };
    match world.ask(node, command) {
        Reply::Sent { warnings, .. } => warnings,
        other => panic!("{other:?}"),
    }
}

fn codes(problems: &[Problem]) -> Vec<&str> {
    problems
        .iter()
        .map(|problem| problem.code.as_str())
        .collect()
}

/// Alice with a core node of [`QUOTA`] that holds a topic for her.
fn served(seed: u8) -> (World, usize, usize) {
    let mut world = World::new(seed);
    let core = world.add("core", true);
    let alice = world.add("Alice", false);
    allow(&mut world, core, 1, 1);
    let used = use_psk(&mut world, alice, core, 1);
    assert!(matches!(used, Reply::CoreUsed { .. }), "{used:?}");
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(70));
    (world, core, alice)
}

#[test]
fn a_client_sees_what_it_uses_and_is_warned_before_it_is_refused() {
    let (mut world, core, alice) = served(94);
    let known = cores(&mut world, alice).remove(0);
    assert_eq!((known.quota, known.header_quota), (QUOTA, QUOTA / 4));
    assert_eq!(known.shares.len(), 1);
    assert_eq!(
        (known.shares[0].name.as_str(), known.shares[0].share),
        ("tea", QUOTA / 4)
    );
    assert_eq!(problems(&mut world, alice), []);
    let mut warned_at = None;
    for number in 0..40 {
        let warnings = warned(
            &mut world,
            alice,
            &format!("{number} {}", "x".repeat(50_000)),
        );
        world.pass(Duration::from_secs(2));
        if !warnings.is_empty() {
            assert_eq!(codes(&warnings), ["core-nearly-full"]);
            assert!(warnings[0].text.contains("tea"), "{warnings:?}");
            warned_at.get_or_insert(number);
        }
    }
    let held = |world: &mut World| clients(world, core)[0].used;
    let used = held(&mut world);
    assert!(used <= QUOTA / 4 + 100_000, "{used}");
    let first = warned_at.expect("it is warned");
    assert!(first < used / 50_000, "before anything is refused: {first}");
    assert_eq!(codes(&problems(&mut world, alice)), ["core-nearly-full"]);
    world.pass(Duration::from_secs(60));
    let known = cores(&mut world, alice).remove(0);
    assert!(
        known.used.abs_diff(used) < QUOTA / 10,
        "{} {used}",
        known.used
    );
    assert!(known.shares[0].own > QUOTA / 4 * 7 / 8);
    assert!(known.said.is_some());
    // It is known after a restart too, before the core node is linked.
    world.down(core);
    world.down(alice);
    world.up(alice);
    let before = cores(&mut world, alice).remove(0);
    assert_eq!((before.used, before.shares), (known.used, known.shares));
}

#[test]
fn what_guests_use_is_told_apart() {
    let (mut world, _, alice) = served(95);
    let bob = world.add("Bob", false);
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.down(alice);
    for number in 0..4 {
        send(
            &mut world,
            bob,
            "tea",
            &format!("{number} {}", "x".repeat(30_000)),
        );
        world.pass(Duration::from_secs(2));
    }
    world.pass(Duration::from_secs(70));
    world.up(alice);
    world.pass(Duration::from_secs(5));
    let known = cores(&mut world, alice).remove(0);
    assert!(known.shares[0].guests > 90_000, "{known:?}");
}

#[test]
fn an_agreement_that_is_ended_is_known_at_once_with_reason_time_and_what_to_do() {
    let (mut world, core, alice) = served(96);
    send(&mut world, alice, "tea", "kept");
    world.pass(Duration::from_secs(5));
    let node = world.id(alice).to_string();
    let denied = world.ask(core, Command::CoreDeny { node: node.clone() });
    let Reply::CoreDenied { held_bytes, .. } = denied else {
        panic!("{denied:?}");
    };
    assert!(held_bytes > 0);
    let now = world.wall().as_millis();
    world.pass(Duration::from_secs(1));
    let ended = |known: &Core| {
        assert_eq!(known.state, "refused");
        let reason = known.reason.as_deref().unwrap_or_default();
        assert!(reason.contains("ended"), "{known:?}");
        assert!(
            known
                .hint
                .as_deref()
                .unwrap_or_default()
                .contains("way core")
        );
    };
    let known = cores(&mut world, alice).remove(0);
    ended(&known);
    assert!(known.refused_since.expect("a time").abs_diff(now) < 2_000);
    let hold = custody::limits::DEFAULT_HOLD.as_millis() as u64;
    assert!(known.held_until.expect("a time").abs_diff(now + hold) < 2_000);
    assert_eq!(codes(&problems(&mut world, alice)), ["core-refused"]);
    assert_eq!(codes(&warned(&mut world, alice, "more")), ["core-refused"]);
    // On every later link too, since the same time.
    world.down(alice);
    world.pass(Duration::from_secs(3600));
    world.up(alice);
    world.pass(Duration::from_secs(60));
    let later = cores(&mut world, alice).remove(0);
    ended(&later);
    assert_eq!(later.refused_since, known.refused_since);
    // The operator lifts it: that is known at once as well.
    let allow = Command::CoreAllow {
        node,
        quota: 2 * QUOTA,
    };
    assert_eq!(world.ask(core, allow), Reply::Done);
    world.pass(Duration::from_secs(2));
    let again = cores(&mut world, alice).remove(0);
    assert_eq!((again.state.as_str(), again.quota), ("agreed", 2 * QUOTA));
    assert_eq!(
        (again.reason, again.refused_since, again.hint),
        (None, None, None)
    );
    assert_eq!(problems(&mut world, alice), []);
}

#[test]
fn whoever_was_denied_before_it_was_a_client_hears_nothing_of_it() {
    let mut world = World::new(97);
    let core = world.add("core", true);
    let liar = world.add_liar("Mallory");
    let link = world.connect(liar, Some(1), core);
    world.inject(link, hello(&world).encode());
    world.settle();
    let node = world.id(liar).to_string();
    world.ask(core, Command::CoreDeny { node });
    world.pass(Duration::from_secs(5));
    let said = heard(&world, liar, link);
    let told = said.iter().any(|frame| {
        matches!(
            frame,
            Frame::CoreRefused { .. } | Frame::CoreUsage { .. } | Frame::CoreAgreed { .. }
        )
    });
    assert!(!told, "{said:?}");
}

/// A core node says whatever it likes of what is used: it is shown, bounded, and changes nothing else.
#[test]
fn a_core_node_that_lies_about_usage_is_shown_and_nothing_more() {
    let mut world = World::new(98);
    let honest = world.add("core", true);
    let alice = world.add("Alice", false);
    let liar = world.add_liar("Mallory");
    use_core(&mut world, alice, honest);
    let topic = found(&mut world, alice, "tea").parse().expect("an id");
    let on = world.connect(liar, Some(1), alice);
    world.inject(on, hello(&world).encode());
    world.settle();
    let link = world.address(liar);
    let asked = world.ask_for(alice, Command::CoreUse { link }, Duration::ZERO);
    assert_eq!(asked, None, "it has not agreed yet");
    let link = on;
    let agreed = Frame::CoreAgreed {
        quota: 1000,
        used: 5,
        topics: 1,
        max_hold: wire::limits::MAX_TIME_MS,
        retires: 0,
    };
    world.inject(link, agreed.encode());
    world.pass(Duration::from_secs(2));
    let before = rows(world.disk(alice)).len();
    for number in 0..500_u64 {
        let foreign = |n: u8| TopicUsage {
            topic: identity::TopicId::from_bytes([n; 32]),
            share: 1,
            own: number,
            guests: u64::MAX,
        };
        let mut topics: Vec<TopicUsage> = (1..15).map(foreign).collect();
        topics.push(TopicUsage {
            topic,
            ..foreign(0)
        });
        topics.sort_unstable_by_key(|of| of.topic);
        let lie = Frame::CoreUsage {
            quota: u64::MAX,
            used: u64::MAX - number,
            headers: u64::MAX,
            header_quota: 1,
            topics,
        };
        world.inject(link, lie.encode());
    }
    world.pass(Duration::from_secs(2));
    assert!(rows(world.disk(alice)).len() <= before + 1, "one row of it");
    let id = world.id(liar);
    let list = cores(&mut world, alice);
    let shown = list.iter().find(|core| core.id == id).expect("listed");
    assert_eq!(shown.shares.len(), 1, "{shown:?}");
    assert_eq!(shown.quota, u64::MAX);
    assert!(codes(&problems(&mut world, alice)).contains(&"core-nearly-full"));
    assert!(!warned(&mut world, alice, "hello").is_empty());
    let ended = Frame::CoreRefused {
        code: wire::Code::DENIED,
        text: "so".to_owned(),
        retry: 0,
    };
    world.inject(link, ended.encode());
    world.pass(Duration::from_secs(2));
    let list = cores(&mut world, alice);
    let shown = list.iter().find(|core| core.id == id).expect("listed");
    let since = shown.refused_since.expect("a time");
    let until = since + wire::limits::MAX_TIME_MS;
    assert_eq!(shown.held_until, Some(until), "as it said");
    // The honest one is none the worse.
    let id = send(&mut world, alice, "tea", "still here");
    let held = crate::story::wait(&mut world, alice, &id, node::command::WaitFor::Held, None);
    assert!(matches!(held, Reply::Reached { count: 1, .. }), "{held:?}");
}
