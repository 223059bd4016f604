//! What a core node promised, seen from whole nodes.

use crate::story::{found, invite, join, send, texts, use_core, wait};
use crate::world::World;
use node::command::{Command, Reply, WaitFor};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wire::Frame;

/// A core node, with Alice and Bob in a topic that it holds for Alice and Bob.
fn garden(seed: u8) -> (World, [usize; 3]) {
    let mut world = World::new(seed);
    let core = world.add("core", true);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    use_core(&mut world, bob, core);
    use_core(&mut world, alice, core);
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(10));
    (world, [core, alice, bob])
}

fn mail(world: &mut World, from: usize, to: usize, text: &str) {
    let command = Command::Send {
        to: world.id(to).to_string(),
        messages: vec![text.as_bytes().to_vec()],
        expires: None,
        best_effort: false,
    };
    let reply = world.ask(from, command);
    assert!(matches!(reply, Reply::Sent { .. }), "{reply:?}");
}

/// Counts the frames that `from` sends to `to` and that `which` picks.
fn count(
    world: &mut World,
    (from, to): (usize, usize),
    which: impl Fn(&Frame) -> bool + 'static,
) -> Rc<RefCell<u32>> {
    let seen: Rc<RefCell<u32>> = Rc::default();
    let note = Rc::clone(&seen);
    world.tamper = Some(Box::new(move |a, b, bytes| {
        if (a, b) == (from, to) && Frame::decode(&bytes).is_ok_and(|frame| which(&frame)) {
            *note.borrow_mut() += 1;
        }
        vec![bytes]
    }));
    seen
}

#[test]
fn a_denied_client_still_fetches_what_was_promised() {
    let (mut world, [core, alice, bob]) = garden(92);
    world.down(bob);
    send(&mut world, alice, "tea", "one");
    mail(&mut world, alice, bob, "a mail");
    world.pass(Duration::from_secs(60));
    world.down(alice);
    let node = world.id(bob).to_string();
    match world.ask(core, Command::CoreDeny { node }) {
        Reply::CoreDenied { held_bytes, .. } => assert!(held_bytes > 0, "its mail is counted"),
        other => panic!("{other:?}"),
    }
    let mails = count(&mut world, (core, bob), |frame| {
        matches!(frame, Frame::Mail(_))
    });
    world.up(bob);
    world.pass(Duration::from_secs(120));
    assert_eq!(texts(&mut world, bob, "tea"), ["one"]);
    assert_eq!(*mails.borrow(), 1);
}

#[test]
fn mail_is_handed_over_once_a_link() {
    let (mut world, [core, alice, bob]) = garden(98);
    world.down(bob);
    for n in 0..10 {
        mail(&mut world, alice, bob, &format!("mail {n}"));
    }
    world.pass(Duration::from_secs(200));
    world.down(alice);
    let mails = count(&mut world, (core, bob), |frame| {
        matches!(frame, Frame::Mail(_))
    });
    world.delay = Duration::from_millis(20);
    world.up(bob);
    world.pass(Duration::from_secs(20));
    assert_eq!(*mails.borrow(), 10);
}

#[test]
fn leaving_is_repeated_until_the_core_node_has_heard_it() {
    let (mut world, [core, alice, bob]) = garden(94);
    world.cut_off(bob, core);
    let tea = || "tea".to_owned();
    world.ask(bob, Command::TopicLeave { topic: tea() });
    // The first time it is said the answer is lost with the link.
    let heard = Rc::new(RefCell::new(0));
    let note = Rc::clone(&heard);
    world.tamper = Some(Box::new(move |from, to, bytes| {
        let unserve = matches!(Frame::decode(&bytes), Ok(Frame::CoreUnserve { .. }));
        if unserve && (from, to) == (bob, core) {
            *note.borrow_mut() += 1;
            if *note.borrow() == 1 {
                return Vec::new();
            }
        }
        vec![bytes]
    }));
    world.cut.clear();
    world.pass(Duration::from_secs(900));
    assert_eq!(*heard.borrow(), 1);
    for _ in 0..2 {
        world.down(bob);
        world.up(bob);
        world.pass(Duration::from_secs(60));
    }
    assert_eq!(*heard.borrow(), 2, "again, and confirmed");
    let id = send(&mut world, alice, "tea", "held for Alice still");
    let reply = wait(&mut world, alice, &id, WaitFor::Held, None);
    assert!(matches!(reply, Reply::Reached { .. }), "{reply:?}");
}

#[test]
fn an_operator_that_takes_part_itself_does_not_promise_to_hold() {
    let mut world = World::new(91);
    let core = world.add("core", true);
    let bob = world.add("Bob", false);
    found(&mut world, core, "tea");
    send(&mut world, core, "tea", "the operator's own words");
    let link = invite(&mut world, core, "tea", 1);
    use_core(&mut world, bob, core);
    let serving = count(&mut world, (core, bob), |frame| {
        matches!(frame, Frame::CoreServing { .. })
    });
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(5));
    assert_eq!(*serving.borrow(), 0);
    world.ask(
        bob,
        Command::TopicLeave {
            topic: "tea".to_owned(),
        },
    );
    world.pass(Duration::from_secs(5));
    let own = texts(&mut world, core, "tea");
    assert_eq!(own, ["the operator's own words"]);
}

#[test]
fn the_sixty_fifth_invite_can_be_made_when_the_others_are_over() {
    let mut world = World::new(99);
    let core = world.add("core", true);
    let alice = world.add("Alice", false);
    use_core(&mut world, alice, core);
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(2));
    let invite = |world: &mut World, until| {
        let topic = "tea".to_owned();
        let uses = 1;
        world.ask(
            alice,
            Command::Invite {
                rights: Vec::new(),
                messages: None,
                while_away: true,
                topic,
                uses,
                until,
            },
        )
    };
    for n in 0..64 {
        let until = Some(world.wall().as_millis() + 60_000);
        let reply = invite(&mut world, until);
        assert!(matches!(reply, Reply::Invited { .. }), "{n}: {reply:?}");
        world.pass(Duration::from_secs(120));
    }
    world.pass(Duration::from_secs(4 * 3600));
    let reply = invite(&mut world, None);
    assert!(matches!(reply, Reply::Invited { .. }), "{reply:?}");
}
