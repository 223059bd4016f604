//! A person who uses several core nodes: changes them, loses them, and is lied to by one.

use crate::files::{bytes, get, is_held, share};
use crate::story::{found, invite, join, send, texts, use_core, wait};
use crate::world::World;
use node::command::{Code, Command, Core, Reply, WaitFor, Why};
use node::limits::{AUDIT_EVERY, MAX_SILENCES};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use wire::{Frame, Part, TopicFrame};

const MINUTE: Duration = Duration::from_secs(60);

/// Two core nodes, and Alice, a client of the first, with Bob in a topic.
fn garden(seed: u8) -> (World, [usize; 4]) {
    let mut world = World::new(seed);
    let (one, two) = (world.add("one", true), world.add("two", true));
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    use_core(&mut world, alice, one);
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(10));
    (world, [one, two, alice, bob])
}

fn cores(world: &mut World, node: usize) -> Vec<Core> {
    match world.ask(node, Command::CoreList) {
        Reply::Cores(cores) => cores,
        other => panic!("{other:?}"),
    }
}

fn leave(world: &mut World, node: usize, core: usize, now: bool) -> Reply {
    let core = world.id(core).to_string();
    world.ask(node, Command::CoreLeave { core, now })
}

fn why(world: &mut World, node: usize, id: &str) -> Why {
    let id = Some(id.to_owned());
    match world.ask(node, Command::Why { id }) {
        Reply::Why(why) => *why,
        other => panic!("{other:?}"),
    }
}

fn has_failed(reply: &Reply, code: Code) {
    match reply {
        Reply::Failed(failure) => assert_eq!(failure.code, code, "{failure:?}"),
        other => panic!("{other:?}"),
    }
}

/// Frames of topics from one node to another that this is true of do not arrive, as long as it says so.
fn stops(
    world: &mut World,
    (from, to): (usize, usize),
    what: impl Fn(&TopicFrame) -> bool + 'static,
) -> Rc<Cell<bool>> {
    let shut = Rc::new(Cell::new(true));
    let asked = Rc::clone(&shut);
    world.tamper = Some(Box::new(move |a, b, bytes| {
        let frame = Frame::decode(&bytes);
        let is = matches!(&frame, Ok(Frame::Topic { frame, .. }) if what(frame));
        match (a, b) == (from, to) && is && asked.get() {
            true => Vec::new(),
            false => vec![bytes],
        }
    }));
    shut
}

#[test]
fn a_core_node_is_left_when_another_holds_all_that_it_does() {
    let (mut world, [one, two, alice, bob]) = garden(51);
    let ids: Vec<String> = (0..20)
        .map(|n| send(&mut world, alice, "tea", &format!("before {n}")))
        .collect();
    let file = share(&mut world, alice, bytes(1 << 20), None);
    is_held(&mut world, alice, &file);
    world.down(bob);
    // There is nobody to whom it could go.
    has_failed(&leave(&mut world, alice, one, false), Code::Refused);
    // What is not there yet keeps the first one in use, whatever else is.
    let shut = stops(&mut world, (alice, two), |frame| {
        matches!(frame, TopicFrame::Blocks { .. })
    });
    let also = stops_both(&mut world, &shut, one, two);
    use_core(&mut world, alice, two);
    assert_eq!(leave(&mut world, alice, one, false), Reply::Done);
    world.pass(MINUTE * 5);
    let list = cores(&mut world, alice);
    let first = list.iter().find(|core| core.id == world.id(one));
    let state = first.map(|core| (core.state.as_str(), core.topics));
    assert_eq!(state, Some(("leaving", 1)), "{list:?}");
    // It goes on serving meanwhile.
    let during = send(&mut world, alice, "tea", "during");
    is_held(&mut world, alice, &during);
    also.set(false);
    world.pass(MINUTE * 5);
    let list = cores(&mut world, alice);
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(list[0].id, world.id(two));
    // The first one and Alice are gone for good: nothing is lost.
    world.down(one);
    world.down(alice);
    world.up(bob);
    use_core(&mut world, bob, two);
    world.pass(MINUTE);
    let read = texts(&mut world, bob, "tea");
    assert_eq!(read.len(), ids.len() + 1, "{read:?}");
    let got = get(&mut world, bob, &file, MINUTE);
    assert!(matches!(got, Reply::Files(_)), "{got:?}");
}

/// Keeps blocks from one core node as well.
fn stops_both(world: &mut World, shut: &Rc<Cell<bool>>, one: usize, two: usize) -> Rc<Cell<bool>> {
    let mut first = world.tamper.take().expect("set before");
    let asked = Rc::clone(shut);
    world.tamper = Some(Box::new(move |a, b, bytes| {
        let blocks = matches!(
            Frame::decode(&bytes),
            Ok(Frame::Topic {
                frame: TopicFrame::Blocks { .. },
                ..
            })
        );
        match (a, b) == (one, two) && blocks && asked.get() {
            true => Vec::new(),
            false => first(a, b, bytes),
        }
    }));
    Rc::clone(shut)
}

#[test]
fn what_a_client_has_not_got_itself_goes_from_one_core_node_to_the_other() {
    let (mut world, [one, two, alice, bob]) = garden(52);
    // Bob's file is at the core node, and Alice has never fetched it.
    let file = share(&mut world, bob, bytes(1 << 20), None);
    world.pass(MINUTE);
    assert_eq!(world.nodes[one].outside.contents.len(), 1);
    world.down(bob);
    use_core(&mut world, alice, two);
    assert_eq!(leave(&mut world, alice, one, false), Reply::Done);
    world.pass(MINUTE * 10);
    assert_eq!(cores(&mut world, alice).len(), 1);
    assert_eq!(world.nodes[two].outside.contents.len(), 1);
    world.down(one);
    let got = get(&mut world, alice, &file, MINUTE);
    assert!(matches!(got, Reply::Files(_)), "{got:?}");
}

#[test]
fn a_core_node_that_ends_is_left_by_itself_and_keeps_what_it_promised() {
    let (mut world, [one, two, alice, bob]) = garden(53);
    let id = send(&mut world, alice, "tea", "promised");
    is_held(&mut world, alice, &id);
    let promised = why(&mut world, alice, &id);
    let promised = promised.states.iter().find(|state| state.state == "held");
    let promised = promised.and_then(|state| state.until).expect("until when");
    let by = world.wall().as_millis() + 86_400_000;
    let past = Command::CoreRetire { by: Some(1) };
    has_failed(&world.ask(one, past), Code::Usage);
    let other = Command::CoreRetire { by: Some(by) };
    has_failed(&world.ask(alice, other), Code::Refused);
    match world.ask(one, Command::CoreRetire { by: Some(by) }) {
        Reply::CoreRetires { promised_until, .. } => assert!(promised_until >= Some(promised)),
        other => panic!("{other:?}"),
    }
    world.pass(MINUTE);
    // Nothing takes its place yet: it goes on, and its client is told.
    let list = cores(&mut world, alice);
    assert_eq!(
        (list[0].state.as_str(), list[0].retires),
        ("leaving", Some(by))
    );
    let later = send(&mut world, alice, "tea", "later");
    is_held(&mut world, alice, &later);
    // No new client and no new topic.
    let Reply::CoreInvited { link, .. } = world.ask(
        one,
        Command::CoreInvite {
            quota: 1 << 20,
            uses: 1,
        },
    ) else {
        panic!("an invite")
    };
    has_failed(&world.ask(bob, Command::CoreUse { link }), Code::Refused);
    found(&mut world, alice, "coffee");
    world.pass(MINUTE);
    assert_eq!(cores(&mut world, alice)[0].topics, 1);
    // What it promised before it promises still, after a restart too.
    world.down(one);
    world.up(one);
    world.pass(MINUTE);
    let still = why(&mut world, alice, &id);
    let still = still.states.iter().find(|state| state.state == "held");
    assert!(
        still.and_then(|state| state.until) >= Some(promised),
        "{still:?}"
    );
    use_core(&mut world, alice, two);
    world.pass(MINUTE * 5);
    let list = cores(&mut world, alice);
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!((list[0].id, list[0].topics), (world.id(two), 2));
    // It ends; whoever asks is told so, and what was promised is there.
    world.pass(Duration::from_secs(2 * 86_400));
    world.down(alice);
    world.down(two);
    world.down(bob);
    world.up(bob);
    world.pass(MINUTE);
    assert_eq!(texts(&mut world, bob, "tea"), ["promised", "later"]);
}

#[test]
fn an_operator_who_thinks_again_keeps_its_clients() {
    let (mut world, [one, _, alice, _]) = garden(54);
    let by = world.wall().as_millis() + 86_400_000;
    world.ask(one, Command::CoreRetire { by: Some(by) });
    world.pass(MINUTE);
    assert_eq!(cores(&mut world, alice)[0].state, "leaving");
    found(&mut world, alice, "coffee");
    world.pass(MINUTE);
    assert_eq!(cores(&mut world, alice)[0].topics, 1);
    world.ask(one, Command::CoreRetire { by: None });
    world.pass(MINUTE);
    let list = cores(&mut world, alice);
    assert_eq!((list[0].state.as_str(), list[0].retires), ("agreed", None));
    assert_eq!(cores(&mut world, alice)[0].topics, 2);
}

#[test]
fn a_core_node_that_ends_keeps_the_mailbox_until_there_is_another() {
    let (mut world, [one, two, ..]) = garden(62);
    let carol = world.add("Carol", false);
    use_core(&mut world, carol, one);
    let by = world.wall().as_millis() + 86_400_000;
    world.ask(one, Command::CoreRetire { by: Some(by) });
    world.pass(MINUTE);
    let list = cores(&mut world, carol);
    assert_eq!(list.len(), 1, "she has no topic there, and is found by it");
    assert_eq!((list[0].id, list[0].linked), (world.id(one), true));
    use_core(&mut world, carol, two);
    // It is let go when the link is made anew and it says again that it ends.
    world.down(one);
    world.up(one);
    world.pass(MINUTE * 5);
    let list = cores(&mut world, carol);
    assert_eq!(list.len(), 1, "{list:?}");
    assert_eq!(list[0].id, world.id(two));
}

#[test]
fn a_core_node_that_serves_a_topic_again_takes_at_once_what_it_refused() {
    let (mut world, [one, two, alice, bob]) = garden(66);
    let carol = world.add("Carol", false);
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, carol, &link);
    world.pass(MINUTE);
    use_core(&mut world, alice, two);
    assert_eq!(leave(&mut world, alice, one, false), Reply::Done);
    world.pass(MINUTE * 5);
    assert_eq!(cores(&mut world, alice).len(), 1);
    // Nobody has it hold the topic any more, and it says so to whoever writes, and is offered it by others too.
    for n in 0..3 {
        send(&mut world, bob, "tea", &format!("refused {n}"));
        send(&mut world, carol, "tea", &format!("refused too {n}"));
        world.pass(MINUTE);
    }
    use_core(&mut world, alice, one);
    assert_eq!(leave(&mut world, alice, two, false), Reply::Done);
    world.pass(MINUTE * 5);
    assert_eq!(cores(&mut world, alice).len(), 1);
    world.down(two);
    // It has got what it refused by now, from one of them. What comes next it is given all the same, by those who
    // write it themselves.
    for (a, b) in [(alice, bob), (alice, carol), (bob, carol)] {
        world.cut_off(a, b);
    }
    for (from, text) in [(bob, "Bob's"), (carol, "Carol's")] {
        let id = send(&mut world, from, "tea", text);
        world.pass(Duration::from_secs(20));
        let held = why(&mut world, from, &id).held;
        assert_eq!(held, 1, "{text}");
    }
}

/// What is asked of a core node to see whether it holds it, answered in this way.
fn answers(world: &mut World, core: usize, answer: impl Fn() -> Option<Option<Vec<u8>>> + 'static) {
    world.tamper = Some(Box::new(move |from, _, bytes| {
        let Ok(Frame::Topic {
            topic,
            frame: TopicFrame::Bodies { bodies },
        }) = Frame::decode(&bytes)
        else {
            return vec![bytes];
        };
        if from != core || bodies.is_empty() {
            return vec![bytes];
        }
        let Some(answer) = answer() else {
            return Vec::new();
        };
        let bodies = bodies.into_iter().map(|(id, _)| (id, answer.clone()));
        let frame = TopicFrame::Bodies {
            bodies: bodies.collect(),
        };
        vec![Frame::Topic { topic, frame }.encode()]
    }));
}

/// Time passes, in which somebody writes now and then.
fn talks(world: &mut World, node: usize, time: Duration) {
    for n in 0..time.as_secs() / 300 {
        send(world, node, "tea", &format!("meanwhile {n}"));
        world.pass(Duration::from_secs(300));
    }
}

#[test]
fn a_core_node_that_serves_somebody_no_longer_is_no_liar_to_them() {
    let (mut world, [one, _, alice, bob]) = garden(67);
    use_core(&mut world, bob, one);
    let id = send(&mut world, bob, "tea", "kept");
    is_held(&mut world, bob, &id);
    let revoke = Command::Revoke {
        topic: "tea".to_owned(),
        member: "Bob".to_owned(),
        only: Vec::new(),
        cut: None,
        cascade: false,
    };
    let revoked = world.ask(alice, revoke);
    assert!(matches!(revoked, Reply::Revoked { .. }), "{revoked:?}");
    talks(&mut world, alice, AUDIT_EVERY * 2 * (MAX_SILENCES + 4));
    assert!(cores(&mut world, bob)[0].broken.is_none());
}

#[test]
fn a_core_node_that_has_not_what_it_says_is_found_and_not_counted() {
    for (seed, answer) in [
        (55, Some(None)),
        (56, Some(Some(b"something else".to_vec()))),
        (57, None),
    ] {
        let (mut world, [one, two, alice, bob]) = garden(seed);
        let id = send(&mut world, alice, "tea", "kept?");
        is_held(&mut world, alice, &id);
        // Asked again and again, an honest one stays believed.
        world.pass(AUDIT_EVERY * 8);
        assert!(cores(&mut world, alice)[0].broken.is_none());
        assert_eq!(why(&mut world, alice, &id).held, 1);
        let silent = answer.is_none();
        answers(&mut world, one, move || answer.clone());
        talks(&mut world, bob, AUDIT_EVERY * 2 * (MAX_SILENCES + 1));
        let list = cores(&mut world, alice);
        let (_, what) = list[0].broken.clone().expect("it is found");
        assert_eq!(what.contains("did not answer"), silent, "{what}");
        let told = why(&mut world, alice, &id);
        assert_eq!(told.held, 0, "{told:?}");
        assert!(told.states.iter().any(|state| state.state == "disputed"));
        // Another one takes its place, and holds it.
        use_core(&mut world, alice, two);
        let reached = wait(&mut world, alice, &id, WaitFor::Held, None);
        assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
        assert_eq!(why(&mut world, alice, &id).held, 1);
        // It is remembered over a restart, until somebody uses it anew.
        world.down(alice);
        world.up(alice);
        world.pass(MINUTE);
        assert_eq!(why(&mut world, alice, &id).held, 1);
        world.tamper = None;
        use_core(&mut world, alice, one);
        world.pass(MINUTE);
        assert_eq!(why(&mut world, alice, &id).held, 2);
    }
}

#[test]
fn a_core_node_that_has_not_the_blocks_of_a_file_is_found() {
    for (seed, answer) in [
        (63, Some(Vec::new())),
        (64, Some(vec![7; 32_768])),
        (65, None),
    ] {
        let (mut world, [one, _, alice, bob]) = garden(seed);
        send(&mut world, alice, "tea", "kept");
        let file = share(&mut world, alice, bytes(1 << 20), None);
        is_held(&mut world, alice, &file);
        world.pass(AUDIT_EVERY * 8);
        assert!(cores(&mut world, alice)[0].broken.is_none());
        let silent = answer.is_none();
        // Messages it gives, and what lists the blocks.
        world.tamper = Some(Box::new(move |from, _, raw| {
            let Ok(Frame::Topic { topic, mut frame }) = Frame::decode(&raw) else {
                return vec![raw];
            };
            match (&mut frame, &answer) {
                (TopicFrame::Blocks { part, bytes, .. }, Some(answer))
                    if from == one && matches!(part, Part::Blocks(_)) =>
                {
                    bytes.clone_from(answer);
                }
                (TopicFrame::Blocks { .. }, None) if from == one => return Vec::new(),
                _ => return vec![raw],
            }
            vec![Frame::Topic { topic, frame }.encode()]
        }));
        talks(&mut world, bob, AUDIT_EVERY * 2 * (MAX_SILENCES + 1));
        let list = cores(&mut world, alice);
        let (_, what) = list[0].broken.clone().expect("it is found");
        assert!(what.contains("a part of the file"), "{what}");
        assert_eq!(what.contains("did not answer"), silent, "{what}");
        assert_eq!(why(&mut world, alice, &file).held, 0);
    }
}

#[test]
fn a_core_node_that_says_that_it_has_lost_something_is_no_liar() {
    let (mut world, [_, _, alice, _]) = garden(58);
    let at = world.wall().as_millis() + 3_600_000;
    let short = Command::Send {
        to: "tea".to_owned(),
        messages: vec![b"soon over".to_vec()],
        expires: Some(at),
        best_effort: false,
    };
    let Reply::Sent { ids, .. } = world.ask(alice, short) else {
        panic!("sent")
    };
    is_held(&mut world, alice, &ids[0].to_string());
    // Bodies expire while they are asked for, and nobody is blamed.
    world.pass(AUDIT_EVERY * 20);
    assert!(cores(&mut world, alice)[0].broken.is_none());
}

#[test]
fn a_core_node_that_dies_costs_nothing_that_another_holds() {
    let (mut world, [one, two, alice, bob]) = garden(59);
    use_core(&mut world, alice, two);
    world.pass(MINUTE);
    world.down(bob);
    let id = send(&mut world, alice, "tea", "twice");
    let reached = wait(&mut world, alice, &id, WaitFor::Held, Some(2));
    assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
    world.down(one);
    world.pass(MINUTE * 90);
    let list = cores(&mut world, alice);
    let gone = list.iter().find(|core| core.id == world.id(one));
    assert!(gone.is_some_and(|core| core.gone.is_some()), "{list:?}");
    let Reply::Status(status) = world.ask(alice, Command::Status) else {
        panic!("status")
    };
    let told = status.problems.iter().any(|it| it.code == "core-gone");
    assert!(told, "{:?}", status.problems);
    world.down(alice);
    world.up(bob);
    world.pass(MINUTE);
    assert_eq!(texts(&mut world, bob, "tea"), ["twice"]);
}

#[test]
fn a_core_node_is_kept_while_the_other_cannot_be_reached_whatever_it_once_said() {
    let (mut world, [one, two, alice, bob]) = garden(61);
    use_core(&mut world, alice, two);
    let id = send(&mut world, alice, "tea", "twice");
    let reached = wait(&mut world, alice, &id, WaitFor::Held, Some(2));
    assert!(matches!(reached, Reply::Reached { .. }), "{reached:?}");
    // The second one dies, with all that it said it holds.
    world.down(two);
    world.pass(MINUTE);
    has_failed(&leave(&mut world, alice, one, false), Code::Refused);
    let by = world.wall().as_millis() + 86_400_000;
    world.ask(one, Command::CoreRetire { by: Some(by) });
    world.pass(MINUTE * 30);
    let list = cores(&mut world, alice);
    let first = list.iter().find(|core| core.id == world.id(one));
    assert!(first.is_some_and(|core| core.topics == 1), "{list:?}");
    world.down(alice);
    world.down(bob);
    world.up(bob);
    world.pass(MINUTE);
    assert_eq!(texts(&mut world, bob, "tea"), ["twice"]);
}

#[test]
fn core_nodes_are_changed_again_and_again_and_nothing_is_lost() {
    let (mut world, [one, two, alice, bob]) = garden(60);
    world.down(bob);
    let mut sent = Vec::new();
    let (mut from, mut to) = (one, two);
    for n in 0..30 {
        use_core(&mut world, alice, to);
        let text = format!("change {n}");
        send(&mut world, alice, "tea", &text);
        sent.push(text);
        assert_eq!(leave(&mut world, alice, from, false), Reply::Done);
        world.pass(MINUTE);
        let list = cores(&mut world, alice);
        assert_eq!(list.len(), 1, "change {n}: {list:?}");
        (from, to) = (to, from);
    }
    world.down(alice);
    world.down(to);
    world.up(bob);
    world.pass(MINUTE * 2);
    let read = texts(&mut world, bob, "tea");
    assert_eq!(read, sent);
}
