//! Attended invites: who has the link claims, and waits for the welcome of anybody who may admit.

use crate::restored::{info, pair};
use crate::story::{found, join, send, texts, use_core};
use crate::world::{Commits, World};
use node::command::{AskedRight, Code, Command, Failure, Reply, Right};
use std::time::Duration;

const TEA: &str = "tea";

/// What an invite is to give.
#[derive(Clone, Default)]
pub(crate) struct Asked {
    pub(crate) rights: Vec<AskedRight>,
    pub(crate) messages: Option<u32>,
    pub(crate) uses: u32,
    pub(crate) until: Option<u64>,
}

pub(crate) fn right(right: Right, from: u64) -> AskedRight {
    AskedRight {
        right,
        from,
        until: None,
    }
}

pub(crate) fn attended(world: &mut World, node: usize, asked: Asked) -> String {
    let command = Command::Invite {
        topic: TEA.to_owned(),
        rights: asked.rights,
        messages: asked.messages,
        uses: asked.uses.max(1),
        until: asked.until,
        while_away: false,
    };
    match world.ask(node, command) {
        Reply::Invited { link, attended, .. } => {
            assert!(attended);
            link
        }
        other => panic!("{other:?}"),
    }
}

/// Tries to join within some seconds; gives why it could not.
pub(crate) fn tries(world: &mut World, node: usize, link: &str, seconds: u64) -> Option<Failure> {
    let command = Command::Join {
        link: link.to_owned(),
        name: None,
        timeout_ms: seconds * 1000,
    };
    match world.ask_for(node, command, Duration::from_secs(seconds + 1)) {
        Some(Reply::Topic { .. }) => None,
        Some(Reply::Failed(failure)) => Some(failure),
        other => panic!("{other:?}"),
    }
}

fn members(world: &mut World, node: usize) -> usize {
    let topic = TEA.to_owned();
    match world.ask(node, Command::Members { topic }) {
        Reply::Members(members) => members.len(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_inviter_welcomes_who_claims() {
    let mut world = World::new(120);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, TEA);
    send(&mut world, alice, TEA, "one");
    let link = attended(&mut world, alice, Asked::default());
    join(&mut world, bob, &link);
    send(&mut world, bob, TEA, "two");
    world.pass(Duration::from_secs(5));
    assert_eq!(texts(&mut world, alice, TEA), ["one", "two"]);
    assert_eq!(texts(&mut world, bob, TEA), ["one", "two"]);
    assert_eq!(members(&mut world, bob), 2);
    let shown = info(&mut world, bob).members.into_iter();
    let mut names: Vec<String> = shown.map(|member| member.name).collect();
    names.sort();
    assert_eq!(
        names,
        ["Alice", "Bob"],
        "also what was said before the keys came"
    );
    // It lasts, on both sides.
    for node in [alice, bob] {
        world.down(node);
        world.up(node);
    }
    send(&mut world, bob, TEA, "three");
    world.pass(Duration::from_secs(60));
    assert_eq!(texts(&mut world, alice, TEA), ["one", "two", "three"]);
}

/// The inviter is away: the claim waits at the core node, and says for whom. It is welcomed when
/// the inviter comes back, while the claimer is away in its turn.
#[test]
fn a_claim_waits_at_the_core_node() {
    let mut world = World::new(121);
    let core = world.add("core", true);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    use_core(&mut world, alice, core);
    found(&mut world, alice, TEA);
    send(&mut world, alice, TEA, "one");
    world.pass(Duration::from_secs(2));
    let link = attended(&mut world, alice, Asked::default());
    world.pass(Duration::from_secs(2));
    world.down(alice);
    let failure = tries(&mut world, bob, &link, 20).expect("nobody is there");
    assert_eq!(failure.code, Code::NotYet);
    assert!(
        failure.message.starts_with("waits for a welcome by Alice"),
        "{failure:?}"
    );
    assert_eq!(info(&mut world, bob).row.role, "joining");
    for id in [None, Some(TEA.to_owned())] {
        let Reply::Failed(why) = world.ask(bob, Command::Why { id }) else {
            panic!("nothing waits");
        };
        assert!(
            why.message.contains("waits for a welcome by Alice"),
            "{why:?}"
        );
    }
    world.down(bob);
    world.up(alice);
    world.pass(Duration::from_secs(30));
    assert_eq!(
        members(&mut world, alice),
        2,
        "welcomed, and has not written yet"
    );
    world.down(alice);
    world.up(bob);
    world.pass(Duration::from_secs(60));
    assert_eq!(info(&mut world, bob).row.role, "member");
    assert_eq!(texts(&mut world, bob, TEA), ["one"]);
    send(&mut world, bob, TEA, "two");
    world.pass(Duration::from_secs(5));
    world.up(alice);
    world.pass(Duration::from_secs(30));
    assert_eq!(texts(&mut world, alice, TEA), ["one", "two"]);
}

/// A core node closes the link of whoever only claims after a minute. The claimer comes again and again, and has its
/// welcome from there, whenever it is made.
#[test]
fn a_claimer_who_is_shown_out_comes_again_and_is_let_in() {
    let mut world = World::new(127);
    let core = world.add("core", true);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    world.cut_off(alice, bob);
    use_core(&mut world, alice, core);
    found(&mut world, alice, TEA);
    send(&mut world, alice, TEA, "one");
    world.pass(Duration::from_secs(2));
    let link = attended(&mut world, alice, Asked::default());
    world.pass(Duration::from_secs(2));
    world.down(alice);
    tries(&mut world, bob, &link, 20).expect("nobody is there");
    let first = world.link(bob, core).expect("it puts its claim there");
    world.pass(Duration::from_secs(3_600));
    assert_ne!(world.link(bob, core), Some(first), "it is shown out");
    assert_eq!(info(&mut world, bob).row.role, "joining");
    world.up(alice);
    world.pass(Duration::from_secs(360));
    assert_eq!(info(&mut world, bob).row.role, "member");
    assert_eq!(texts(&mut world, bob, TEA), ["one"]);
}

/// Neither the inviter, who founded the topic, nor a core node: another member who may admit.
#[test]
fn whoever_may_admit_welcomes_in_the_inviters_stead() {
    let (mut world, alice, bob) = pair(122);
    let rights = [Right::Publish, Right::Read, Right::Admit];
    let grant = Command::Grant {
        topic: TEA.to_owned(),
        member: "Bob".to_owned(),
        rights: rights.into_iter().map(|of| right(of, 0)).collect(),
        messages: None,
        bytes: None,
        at: None,
    };
    let reply = world.ask(alice, grant);
    assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
    world.pass(Duration::from_secs(5));
    let link = attended(&mut world, alice, Asked::default());
    world.pass(Duration::from_secs(5));
    world.down(alice);
    let carol = world.add("Carol", false);
    join(&mut world, carol, &link);
    send(&mut world, carol, TEA, "three");
    world.pass(Duration::from_secs(5));
    assert_eq!(texts(&mut world, bob, TEA), ["one", "two", "three"]);
    // What came before its keys is shown when it opens.
    let mut seen = texts(&mut world, carol, TEA);
    seen.sort();
    assert_eq!(seen, ["one", "three", "two"]);
}

/// Whoever is about to welcome somebody stops: it does so when it is back.
#[test]
fn a_stop_between_a_claim_and_its_welcome_costs_time_alone() {
    let mut world = World::new(127);
    let core = world.add("core", true);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    use_core(&mut world, alice, core);
    found(&mut world, alice, TEA);
    world.pass(Duration::from_secs(2));
    let link = attended(&mut world, alice, Asked::default());
    world.pass(Duration::from_secs(2));
    // The claim comes to her disk, and nothing that she says comes out.
    world.nodes[alice].commits = Commits::Held;
    let failure = tries(&mut world, bob, &link, 5).expect("nobody has answered");
    assert_eq!(failure.code, Code::NotYet);
    world.commit(alice, 1);
    world.down(alice);
    world.nodes[alice].commits = Commits::Now;
    world.pass(Duration::from_secs(60));
    world.up(alice);
    world.pass(Duration::from_secs(200));
    assert_eq!(info(&mut world, bob).row.role, "member");
    assert_eq!(members(&mut world, alice), 2);
}

/// Who has the link and is not welcomed has nothing of the topic.
#[test]
fn no_more_are_welcomed_than_the_invite_has_uses() {
    let mut world = World::new(123);
    let alice = world.add("Alice", false);
    found(&mut world, alice, TEA);
    send(&mut world, alice, TEA, "one");
    let link = attended(&mut world, alice, Asked::default());
    let (bob, mallory) = (world.add("Bob", false), world.add("Mallory", false));
    join(&mut world, bob, &link);
    let failure = tries(&mut world, mallory, &link, 50).expect("used up");
    assert_eq!(failure.code, Code::NotYet);
    assert!(texts(&mut world, mallory, TEA).is_empty());
    assert_eq!(members(&mut world, alice), 2);
    // With a person's word she comes in.
    let waiting = info(&mut world, alice).waiting;
    assert_eq!(waiting.len(), 1, "{waiting:?}");
    let grant = Command::Grant {
        topic: TEA.to_owned(),
        member: waiting[0].device.clone(),
        rights: vec![right(Right::Publish, 0), right(Right::Read, 0)],
        messages: None,
        bytes: None,
        at: None,
    };
    let reply = world.ask(alice, grant);
    assert!(matches!(reply, Reply::Granted { .. }), "{reply:?}");
    world.pass(Duration::from_secs(60));
    assert_eq!(texts(&mut world, mallory, TEA), ["one"]);
    let invite = &info(&mut world, alice).invites[0];
    assert_eq!((invite.uses, invite.used), (1, 2), "shown, not undone");
}

fn told(world: &mut World, node: usize, link: &str) -> Reply {
    let look = Command::JoinLook {
        link: link.to_owned(),
        timeout_ms: 20_000,
    };
    world.ask(node, look)
}

/// Before it joins, somebody is told what it gets: who invites, to what, what it may, and that it
/// waits.
#[test]
fn an_invite_says_what_it_gives() {
    let mut world = World::new(124);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, TEA);
    let from = world.wall().as_millis() + 3_600_000;
    let rights = vec![right(Right::Publish, 0), right(Right::Read, from)];
    let asked = Asked {
        rights: rights.clone(),
        messages: Some(10),
        ..Asked::default()
    };
    let link = attended(&mut world, alice, asked);
    let Reply::Invitation {
        inviter_name,
        rights: shown,
        messages,
        attended,
        ..
    } = told(&mut world, bob, &link)
    else {
        panic!("no invitation");
    };
    assert_eq!((inviter_name.as_str(), shown), ("Alice", rights));
    assert_eq!((messages, attended), (Some(10), true));
}

/// Who may read from a time on reads nothing that was written before, and all that is written from
/// then on; what it writes itself before then everybody else reads.
#[test]
fn who_reads_from_a_time_on_reads_nothing_older() {
    let mut world = World::new(125);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, TEA);
    send(&mut world, alice, TEA, "long ago");
    let from = world.wall().as_millis() + 30_000;
    let asked = Asked {
        rights: vec![right(Right::Publish, 0), right(Right::Read, from)],
        ..Asked::default()
    };
    let link = attended(&mut world, alice, asked);
    join(&mut world, bob, &link);
    send(&mut world, alice, TEA, "just before");
    send(&mut world, bob, TEA, "may I come in");
    world.pass(Duration::from_secs(10));
    assert_eq!(
        texts(&mut world, alice, TEA),
        ["long ago", "just before", "may I come in"]
    );
    assert_eq!(texts(&mut world, bob, TEA), ["may I come in"]);
    world.pass(Duration::from_secs(30));
    send(&mut world, alice, TEA, "now you may");
    world.pass(Duration::from_secs(90));
    let seen = texts(&mut world, bob, TEA);
    assert!(seen.contains(&"now you may".to_owned()), "{seen:?}");
    let older = ["long ago", "just before"];
    assert!(
        !seen.iter().any(|text| older.contains(&text.as_str())),
        "{seen:?}"
    );
    // Not by anything that is on its disk, nor after everybody has handed it what it may have.
    world.pass(Duration::from_secs(4_000));
    let seen = texts(&mut world, bob, TEA);
    assert!(
        !seen.iter().any(|text| older.contains(&text.as_str())),
        "{seen:?}"
    );
}

/// Who may only write is recognised and written with, and opens nothing of anybody else.
#[test]
fn who_only_writes_opens_nothing_of_others() {
    let mut world = World::new(126);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, TEA);
    send(&mut world, alice, TEA, "secret");
    let asked = Asked {
        rights: vec![right(Right::Publish, 0)],
        ..Asked::default()
    };
    let link = attended(&mut world, alice, asked);
    join(&mut world, bob, &link);
    send(&mut world, bob, TEA, "a report");
    world.pass(Duration::from_secs(100));
    assert_eq!(texts(&mut world, alice, TEA), ["secret", "a report"]);
    // Its own it reads, also after a restart; of others' lines it knows that there are some.
    assert_eq!(texts(&mut world, bob, TEA), ["a report"]);
    world.down(bob);
    world.up(bob);
    send(&mut world, bob, TEA, "another");
    world.pass(Duration::from_secs(60));
    assert_eq!(texts(&mut world, bob, TEA), ["a report", "another"]);
    // Nor does anything on its disk open the first: no secret of an epoch is there, and no seed.
    assert_eq!(
        texts(&mut world, alice, TEA),
        ["secret", "a report", "another"]
    );
}
