//! Who is believed: clients, members, and devices that have left.

use crate::story::{found, invite, join, send, texts, use_core};
use crate::world::{Heard, World};
use identity::{Secret, Signature, TopicId};
use node::LinkId;
use node::command::{Code, Command, Reply};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wire::{Frame, Ticket, TopicFrame};

/// A topic's id and the bytes of its genesis.
type Genesis = (TopicId, Vec<u8>);

/// Leaves while nobody can hear it.
#[test]
fn who_leaves_offline_has_left_for_the_others_too() {
    let mut world = World::new(94);
    let core = world.add("core", true);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    use_core(&mut world, alice, core);
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(5));
    world.cut_off(bob, core);
    world.cut_off(bob, alice);
    send(&mut world, bob, "tea", "last words");
    world.ask(
        bob,
        Command::TopicLeave {
            topic: "tea".to_owned(),
        },
    );
    world.pass(Duration::from_secs(5));
    world.cut.clear();
    world.pass(Duration::from_secs(900));
    assert!(
        world.link(bob, core).is_some() || world.link(bob, alice).is_some(),
        "they are linked again"
    );
    assert_eq!(texts(&mut world, alice, "tea"), ["last words"]);
    match world.ask(
        alice,
        Command::TopicInfo {
            topic: "tea".to_owned(),
        },
    ) {
        Reply::TopicInfo(info) => assert_eq!(info.members.iter().filter(|m| !m.left).count(), 1),
        other => panic!("{other:?}"),
    }
}

/// A client that is no member names a node of its own as another core of the topic.
#[test]
fn a_core_shows_a_topic_to_nobody_whom_no_member_vouched_for() {
    let mut world = World::new(97);
    let seen: Rc<RefCell<Option<Genesis>>> = Rc::default();
    let note = Rc::clone(&seen);
    world.tamper = Some(Box::new(move |_, _, bytes| {
        if let Ok(Frame::CoreServe { topic, genesis, .. }) = Frame::decode(&bytes) {
            *note.borrow_mut() = Some((topic, genesis));
        }
        vec![bytes]
    }));
    let core = world.add("core", true);
    let alice = world.add("Alice", false);
    use_core(&mut world, alice, core);
    found(&mut world, alice, "tea");
    send(&mut world, alice, "tea", "secret");
    world.pass(Duration::from_secs(3));
    // What whoever once served the topic knows: its id and its genesis.
    let (topic, genesis) = seen.borrow().clone().expect("asked");
    let client = world.add_liar("client");
    let spy = world.add_liar("spy");
    let node = world.id(client).to_string();
    assert!(matches!(
        world.ask(
            core,
            Command::CoreAllow {
                node,
                quota: 1 << 24
            }
        ),
        Reply::Done
    ));
    let wall = world.wall().as_millis();
    let hello = || {
        Frame::Hello {
            min: 0,
            max: 0,
            wall,
            advert: 0,
            software: "x".into(),
        }
        .encode()
    };
    let link = world.connect(client, Some(0), core);
    world.settle();
    world.inject(link, hello());
    let serve = Frame::CoreServe {
        topic,
        genesis,
        secret: Secret::from_bytes([9; 32]),
        share: 0,
    };
    world.inject(link, serve.encode());
    let ticket = Ticket {
        topic,
        core: world.id(core),
        until: wall + 1000,
        device: identity::PublicKey::from_bytes([1; 32]),
        signature: Signature::from_bytes([0; 64]),
    };
    let peers = vec![wire::frame::CorePeer {
        node: world.id(spy),
        uri: format!("10.0.0.{spy}:4433"),
        ticket,
    }];
    world.inject(link, Frame::CorePeers { topic, peers }.encode());
    world.settle();
    world.pass(Duration::from_secs(2));
    let up: Vec<LinkId> = world.nodes[spy]
        .heard
        .as_ref()
        .unwrap()
        .iter()
        .filter(|(_, heard)| matches!(heard, Heard::Other))
        .map(|(link, _)| *link)
        .collect();
    for link in up {
        world.inject(link, hello());
        world.settle();
        let frame = TopicFrame::Hello {
            cut: [1; 32],
            evidence: [0; 32],
            receipts: [0; 32],
            invites: [0; 32],
        };
        world.inject(link, Frame::Topic { topic, frame }.encode());
        world.settle();
        let frame = TopicFrame::Cut {
            entries: vec![],
            first: true,
            last: true,
        };
        world.inject(link, Frame::Topic { topic, frame }.encode());
    }
    world.pass(Duration::from_secs(3));
    let got: Vec<String> = world.nodes[spy]
        .heard
        .as_ref()
        .unwrap()
        .iter()
        .filter_map(|(_, heard)| match heard {
            Heard::Frame(bytes) => Frame::decode(bytes).ok(),
            _ => None,
        })
        .filter(|frame| matches!(frame, Frame::Topic { .. }))
        .map(|frame| {
            let mut t = format!("{frame:?}");
            t.truncate(160);
            t
        })
        .collect();
    assert!(got.is_empty(), "the spy was shown: {got:#?}");
}

/// A home that has left a topic is told how to come back.
#[test]
fn what_was_left_is_forgotten_before_it_is_joined_again() {
    let mut world = World::new(95);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, "tea");
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(3));
    world.ask(
        bob,
        Command::TopicLeave {
            topic: "tea".to_owned(),
        },
    );
    world.pass(Duration::from_secs(3));
    let again = Command::Join {
        link: link.clone(),
        name: None,
        timeout_ms: 10_000,
    };
    match world.ask(bob, again) {
        Reply::Failed(failure) => {
            assert_eq!(failure.code, Code::Refused);
            assert!(failure.hint.contains("forget"), "{failure:?}");
        }
        other => panic!("{other:?}"),
    }
    world.ask(
        bob,
        Command::TopicForget {
            topic: "tea".to_owned(),
        },
    );
    world.pass(Duration::from_secs(3));
    join(&mut world, bob, &link);
    send(&mut world, alice, "tea", "welcome back");
    world.pass(Duration::from_secs(5));
    assert_eq!(texts(&mut world, bob, "tea"), ["welcome back"]);
}

/// Thirty-two nodes that nobody knows ask for a box each.
#[test]
fn strangers_do_not_keep_clients_out() {
    let mut world = World::new(93);
    let core = world.add("core", true);
    let alice = world.add("Alice", false);
    use_core(&mut world, alice, core);
    world.down(alice);
    world.pass(Duration::from_secs(5));
    let mut links = Vec::new();
    for n in 0..32 {
        let liar = world.add_liar(&format!("stranger {n}"));
        let link = world.connect(liar, Some(0), core);
        let hello = Frame::Hello {
            min: 0,
            max: 0,
            wall: world.wall().as_millis(),
            advert: 0,
            software: "x".into(),
        };
        world.inject(link, hello.encode());
        world.inject(link, Frame::InviteGet { loc: [n as u8; 32] }.encode());
        links.push(link);
    }
    world.settle();
    for n in 0..6 {
        for link in &links {
            world.inject(*link, Frame::Ping { nonce: n }.encode());
        }
        world.pass(Duration::from_secs(5));
    }
    world.up(alice);
    for n in 0..12 {
        for link in &links {
            world.inject(*link, Frame::Ping { nonce: n }.encode());
        }
        world.pass(Duration::from_secs(5));
    }
    assert!(
        world.link(alice, core).is_some(),
        "a client is kept out by strangers"
    );
}

/// A member's newest list of cores replaces what it listed before, also in whom others keep a link with.
#[test]
fn a_core_node_that_a_member_left_is_not_kept() {
    let mut world = World::new(98);
    let (one, two) = (world.add("one", true), world.add("two", true));
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    found(&mut world, alice, "tea");
    // The link names Alice alone, so that Bob hears of cores by her lists only.
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    let cores = |world: &mut World| match world.ask(
        bob,
        Command::TopicInfo {
            topic: "tea".into(),
        },
    ) {
        Reply::TopicInfo(info) => info
            .cores
            .into_iter()
            .map(|core| core.0)
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    use_core(&mut world, alice, one);
    world.pass(Duration::from_secs(30));
    let first = world.id(one);
    assert!(cores(&mut world).contains(&first), "Alice told of it");
    let core = first.to_string();
    assert!(matches!(
        world.ask(alice, Command::CoreLeave { core, now: true }),
        Reply::Done
    ));
    use_core(&mut world, alice, two);
    world.pass(Duration::from_secs(30));
    let now = cores(&mut world);
    assert!(now.contains(&world.id(two)), "Alice told of the new one");
    assert!(!now.contains(&first), "the old one counts no more");
}
