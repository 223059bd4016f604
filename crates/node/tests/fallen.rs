//! Devices that take part no more, on links that stand.

use crate::giving::{TEA, revoke, three};
use crate::paired::{pair, removed};
use crate::restored::info;
use crate::story::{found, invite, join, send, texts, use_core, wait};
use crate::world::World;
use node::command::{Command, Reply, Right, WaitFor};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use wire::{Frame, TopicFrame};

/// Who said what of a topic to whom.
pub(crate) type Said = Rc<RefCell<Vec<(usize, usize, TopicFrame)>>>;

/// Notes all frames of topics from now on.
pub(crate) fn listen(world: &mut World) -> Said {
    let said = Said::default();
    let tap = Rc::clone(&said);
    world.tamper = Some(Box::new(move |from, to, bytes| {
        if let Ok(Frame::Topic { frame, .. }) = Frame::decode(&bytes) {
            tap.borrow_mut().push((from, to, frame));
        }
        vec![bytes]
    }));
    said
}

fn envelopes(frame: &TopicFrame) -> Vec<wire::Header> {
    let TopicFrame::Envelopes { envelopes, .. } = frame else {
        return Vec::new();
    };
    let read = |raw: &wire::Raw| wire::decode_header(&raw.header_bytes).expect("honest");
    envelopes.iter().map(read).collect()
}

fn is_content(header: &wire::Header) -> bool {
    header.class == wire::Class::Content
}

#[test]
fn whoever_is_revoked_is_told_that_and_nothing_after_it_on_the_same_link() {
    let (mut world, [alice, bob, cleo]) = three(51);
    let link = world.link(alice, bob).expect("they are linked");
    world.link(cleo, bob).expect("they are linked");
    let said = listen(&mut world);
    let reply = revoke(&mut world, alice, "Bob", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    // At once, before anything has come apart or another epoch has begun.
    send(&mut world, alice, TEA, "not for Bob");
    send(&mut world, cleo, TEA, "nor this");
    world.pass(Duration::from_secs(2));
    assert_eq!(world.link(alice, bob), Some(link), "the link stands");
    let frames = said.take();
    let to_bob = |frame: &&(usize, usize, TopicFrame)| frame.1 == bob;
    let told: Vec<wire::Header> = frames
        .iter()
        .filter(to_bob)
        .flat_map(|(.., frame)| envelopes(frame))
        .collect();
    assert!(!told.is_empty(), "he hears what took it from him");
    assert!(!told.iter().any(is_content), "{told:?}");
    // Nobody says anything about the topic to him from now on, whatever happens there.
    let said = listen(&mut world);
    for (node, text) in [(alice, "one"), (cleo, "two")] {
        let id = send(&mut world, node, TEA, text);
        let reached = wait(&mut world, node, &id, WaitFor::Delivered, Some(1));
        assert!(
            matches!(reached, Reply::Reached { of: 1, .. }),
            "{reached:?}"
        );
    }
    world.pass(Duration::from_secs(600));
    let frames = said.take();
    let told: Vec<_> = frames.iter().filter(to_bob).collect();
    assert!(told.is_empty(), "{told:?}");
    assert!(!texts(&mut world, bob, TEA).contains(&"one".to_owned()));
}

/// Bob's program does as if he had not heard: what he writes goes to Alice on the link that stands.
#[test]
fn what_a_revoked_member_gives_is_not_kept() {
    let (mut world, [alice, bob, cleo]) = three(52);
    let deaf = Rc::new(Cell::new(true));
    let on = Rc::clone(&deaf);
    let gave = Rc::new(Cell::new(0));
    let count = Rc::clone(&gave);
    let heard = Rc::new(Cell::new(0));
    let told = Rc::clone(&heard);
    world.tamper = Some(Box::new(move |from, to, bytes| {
        let topic = matches!(Frame::decode(&bytes), Ok(Frame::Topic { .. }));
        if topic && from == bob {
            count.set(count.get() + 1);
        }
        if topic && to == bob {
            told.set(told.get() + 1);
            if on.get() {
                return vec![];
            }
        }
        vec![bytes]
    }));
    let reply = revoke(&mut world, alice, "Bob", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(2));
    gave.set(0);
    heard.set(0);
    for node in [alice, cleo] {
        world.checks.insert(node, 0);
    }
    let before = world.disk(alice).clone();
    let command = Command::Send {
        to: TEA.to_owned(),
        messages: vec![b"after".to_vec()],
        expires: None,
        best_effort: false,
    };
    assert!(matches!(world.ask(bob, command), Reply::Sent { .. }));
    world.pass(Duration::from_secs(2));
    assert!(gave.get() > 0, "he says it");
    assert_eq!(world.checks.get(&alice), Some(&0), "nobody looks at it");
    crate::liars::assert_same_disk(&world, alice, &before, "what a revoked member gave");
    world.pass(Duration::from_secs(300));
    for node in [alice, cleo] {
        assert!(!texts(&mut world, node, TEA).contains(&"after".to_owned()));
    }
    assert_eq!(heard.get(), 0, "nobody answers");
    deaf.set(false);
    // He lists and shows himself anew, on the same link and on others: by the same grant.
    for node in [alice, cleo] {
        if let Some(link) = world.link(bob, node) {
            world.tear(link);
        }
    }
    world.pass(Duration::from_secs(300));
    for node in [alice, cleo] {
        assert!(!texts(&mut world, node, TEA).contains(&"after".to_owned()));
    }
    assert_eq!(heard.get(), 0, "nobody answers him");
}

#[test]
fn core_nodes_serve_on_and_serve_nobody_who_was_revoked() {
    let mut world = World::new(53);
    let core = world.add("core", true);
    let people = ["Alice", "Bob", "Cleo"].map(|name| world.add(name, false));
    let [alice, bob, cleo] = people;
    use_core(&mut world, alice, core);
    found(&mut world, alice, TEA);
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, TEA, 2);
    join(&mut world, bob, &link);
    join(&mut world, cleo, &link);
    world.pass(Duration::from_secs(30));
    for (a, b) in [(alice, bob), (alice, cleo), (bob, cleo)] {
        world.cut_off(a, b);
    }
    let reply = revoke(&mut world, alice, "Bob", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(5));
    world.link(core, bob).expect("the link stands");
    let said = listen(&mut world);
    let id = send(&mut world, alice, TEA, "through the core");
    let reached = wait(&mut world, alice, &id, WaitFor::Delivered, Some(1));
    assert!(
        matches!(reached, Reply::Reached { of: 1, .. }),
        "{reached:?}"
    );
    world.pass(Duration::from_secs(60));
    assert!(texts(&mut world, cleo, TEA).contains(&"through the core".to_owned()));
    let frames = said.take();
    let told: Vec<_> = frames.iter().filter(|frame| frame.1 == bob).collect();
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn who_may_not_read_any_more_takes_part_on_the_same_link() {
    let (mut world, [alice, bob, cleo]) = three(54);
    let link = world.link(alice, bob).expect("they are linked");
    let reply = revoke(&mut world, alice, "Bob", &[Right::Read], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(10));
    let said = listen(&mut world);
    send(&mut world, bob, TEA, "I write on");
    world.pass(Duration::from_secs(10));
    assert_eq!(world.link(alice, bob), Some(link), "the link stands");
    let frames = said.take();
    let taken = frames.iter().any(|(from, to, frame)| {
        (*from, *to) == (bob, alice) && envelopes(frame).iter().any(is_content)
    });
    assert!(taken, "he gives it on it");
    for node in [alice, cleo] {
        assert!(texts(&mut world, node, TEA).contains(&"I write on".to_owned()));
    }
}

/// Bob's core node counts no more once he has no part, nor Cleo's once she has left.
#[test]
fn the_core_nodes_of_whoever_takes_part_no_more_are_none_of_the_topic() {
    let (mut world, [alice, bob, cleo]) = three(56);
    let cores = ["core one", "core two"].map(|name| world.add(name, true));
    use_core(&mut world, bob, cores[0]);
    use_core(&mut world, cleo, cores[1]);
    world.pass(Duration::from_secs(60));
    let [of_bob, of_cleo] = cores.map(|core| world.id(core));
    let has = |world: &mut World, node, core| {
        let known = info(world, node).cores;
        known.iter().any(|(of, _)| *of == core)
    };
    assert!(has(&mut world, alice, of_bob) && has(&mut world, alice, of_cleo));
    assert!(has(&mut world, cleo, of_bob));
    let reply = revoke(&mut world, alice, "Bob", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(60));
    for node in [alice, cleo] {
        assert!(!has(&mut world, node, of_bob) && has(&mut world, node, of_cleo));
        world.down(node);
        world.up(node);
        assert!(!has(&mut world, node, of_bob));
    }
    world.pass(Duration::from_secs(60));
    let topic = TEA.to_owned();
    world.ask(cleo, Command::TopicLeave { topic });
    world.pass(Duration::from_secs(60));
    assert!(!has(&mut world, alice, of_cleo));
}

/// The rule by which a message does not stand any more, and by whose word, as `why` says it.
fn rule(world: &mut World, node: usize, id: &str) -> (String, String) {
    let id = Some(id.to_owned());
    let Reply::Why(why) = world.ask(node, Command::Why { id }) else {
        panic!("not known");
    };
    let mut states = why.states.into_iter();
    let withdrawn = states.find(|state| state.state == "withdrawn");
    let withdrawn = withdrawn.expect("withdrawn");
    (withdrawn.reason.expect("with a reason"), withdrawn.by_name)
}

#[test]
fn why_says_by_which_rule_something_was_withdrawn() {
    let (mut world, [alice, bob, cleo]) = three(59);
    let first = send(&mut world, bob, TEA, "stands");
    let second = send(&mut world, bob, TEA, "does not");
    world.pass(Duration::from_secs(5));
    let reply = revoke(&mut world, alice, "Bob", &[], Some(first.clone()));
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    for node in [alice, bob, cleo] {
        let (reason, by) = rule(&mut world, node, &second);
        assert!(reason.starts_with("revocation: "), "{reason}");
        assert_eq!(by, "Alice");
        let Reply::Why(why) = world.ask(
            node,
            Command::Why {
                id: Some(first.clone()),
            },
        ) else {
            panic!("not known");
        };
        assert!(why.states.iter().all(|state| state.state != "withdrawn"));
    }
}

#[test]
fn why_says_that_an_act_has_withdrawn_what_a_lost_device_wrote() {
    let (mut world, [phone, bob, cleo]) = three(60);
    let laptop = world.add("Laptop", false);
    assert_eq!(pair(&mut world, phone, laptop), 1);
    world.pass(Duration::from_secs(30));
    // The phone has not heard it when it removes the laptop.
    world.delay = Duration::from_secs(2);
    let id = send(&mut world, laptop, TEA, "from a thief");
    removed(&mut world, phone, "Laptop");
    world.delay = Duration::ZERO;
    world.pass(Duration::from_secs(60));
    for node in [bob, cleo] {
        let (reason, by) = rule(&mut world, node, &id);
        assert!(reason.starts_with("act: "), "{reason}");
        assert_eq!(by, "Alice", "the phone's name");
    }
}

/// Dora is let in, and knows of that by the link's box alone at first: so she shows herself to Cleo and can prove
/// nothing yet. When what she was given has come, Cleo hears the proof if he takes part, and nothing if he was removed.
#[test]
fn a_proof_that_is_owed_is_not_given_to_whoever_was_removed_meanwhile() {
    for is_removed in [false, true] {
        let (mut world, [alice, bob, cleo]) = three(61);
        for other in [alice, bob] {
            world.cut_off(cleo, other);
        }
        if is_removed {
            let reply = revoke(&mut world, alice, "Cleo", &[], None);
            assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
            world.pass(Duration::from_secs(30));
        }
        let link = invite(&mut world, alice, TEA, 1);
        world.pass(Duration::from_secs(10));
        let dora = world.add("Dora", false);
        world.cut_off(dora, bob);
        let holds = Rc::new(Cell::new(true));
        let (held, asked, proved) = (Rc::clone(&holds), Rc::default(), Rc::default());
        let asks: Rc<Cell<u32>> = Rc::clone(&asked);
        let proofs: Rc<Cell<u32>> = Rc::clone(&proved);
        world.tamper = Some(Box::new(move |from, to, bytes| {
            let frame = Frame::decode(&bytes).expect("honest");
            if matches!(frame, Frame::Topic { .. }) && (from, to) == (alice, dora) && held.get() {
                return Vec::new();
            }
            if matches!(frame, Frame::GrantAsk { .. }) && (from, to) == (cleo, dora) {
                asks.set(asks.get() + 1);
            }
            if matches!(frame, Frame::GrantProof { .. }) && (from, to) == (dora, cleo) {
                proofs.set(proofs.get() + 1);
            }
            vec![bytes]
        }));
        let command = Command::Join {
            link,
            name: None,
            timeout_ms: 5_000,
        };
        let reply = world.ask_for(dora, command, Duration::from_secs(6));
        assert!(matches!(reply, Some(Reply::Failed(_))), "{reply:?}");
        world.connect(dora, None, cleo);
        world.pass(Duration::from_secs(60));
        assert_eq!((asked.get(), proved.get()), (1, 0), "{is_removed}");
        holds.set(false);
        if let Some(link) = world.link(alice, dora) {
            world.tear(link);
        }
        world.connect(dora, None, alice);
        world.pass(Duration::from_secs(60));
        send(&mut world, dora, TEA, "here");
        world.pass(Duration::from_secs(10));
        assert!(texts(&mut world, alice, TEA).contains(&"here".to_owned()));
        assert_eq!(proved.get(), u32::from(!is_removed), "{is_removed}");
        let heard = texts(&mut world, cleo, TEA).contains(&"here".to_owned());
        assert_eq!(heard, !is_removed);
    }
}
