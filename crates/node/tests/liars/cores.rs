//! Clients, guests and guessers at a core node.

use super::{assert_same_disk, cast, heard, hello};
use crate::giving::grant;
use crate::story::{found, invite, join, send, texts, wait};
use crate::world::World;
use identity::TopicId;
use machine::Rng;
use node::command::{Command, Reply, Right, WaitFor};
use std::time::Duration;
use wire::Frame;

/// What only a client may ask of a core node, asked by a guest; and a client's lists of cores with
/// tickets that are not for it.
#[test]
fn a_core_node_obeys_its_clients_alone() {
    let (mut cast, said) = cast(70);
    let before = cast.world.disk(cast.one).clone();
    let mine: Vec<Vec<u8>> = said
        .iter()
        .filter(|(from, to, _)| (*from, *to) == (cast.alice, cast.one))
        .map(|(_, _, bytes)| bytes.clone())
        .filter(|bytes| (13..=20).contains(&Frame::decode(bytes).expect("honest").kind()))
        .collect();
    assert!(mine.len() >= 4, "claims, services, boxes, peers");
    for bytes in mine {
        cast.say_bytes(cast.carol, cast.one, bytes);
        cast.world.settle();
    }
    cast.say(
        cast.carol,
        cast.one,
        &Frame::CoreUnserve { topic: cast.topic },
    );
    let other = TopicId::from_bytes([9; 32]);
    let secret = identity::Secret::from_bytes([9; 32]);
    let serve = Frame::CoreServe {
        topic: other,
        genesis: vec![0xa0],
        secret,
        share: u64::MAX,
    };
    cast.say(cast.carol, cast.one, &serve);
    cast.world.pass(Duration::from_secs(1));
    assert_same_disk(
        &cast.world,
        cast.one,
        &before,
        "a guest that plays the client",
    );
    let Reply::CoreClients(clients) = cast.world.ask(cast.one, Command::CoreClients) else {
        panic!("no list");
    };
    assert_eq!(clients.len(), 1);

    let device = cast.world.nodes[cast.carol]
        .config
        .device
        .joiner_key(cast.topic);
    let now = cast.world.wall();
    let until = machine::WallTime::from_millis(now.as_millis() + 1_000_000_000);
    for core in [cast.one, cast.two] {
        let ticket = rights::issue_ticket(&device, cast.topic, cast.world.id(core), now, until);
        let peers = vec![wire::frame::CorePeer {
            node: cast.world.id(cast.carol),
            uri: format!("quic://{}", cast.world.address(cast.carol)),
            ticket,
        }];
        cast.say(
            cast.carol,
            cast.one,
            &Frame::CorePeers {
                topic: cast.topic,
                peers: peers.clone(),
            },
        );
        cast.world.settle();
        assert_same_disk(&cast.world, cast.one, &before, "a guest's list of cores");
        // A foreign ticket in a client's own list is left out.
        let frame = Frame::CorePeers {
            topic: other,
            peers,
        };
        cast.say(cast.alice, cast.one, &frame);
        cast.world.settle();
    }
    cast.talk_goes_on();
}

/// Questions for boxes: four a minute, the rest waits; a miss looks like a hit.
#[test]
fn whoever_guesses_at_boxes_learns_nothing() {
    let (mut cast, _) = cast(71);
    let world = &mut cast.world;
    let mut rng = Rng::from_seed([71; 32]);
    let liar = world.add_liar("Liar");
    for node in [cast.alice, cast.one] {
        let before = world.disk(node).clone();
        let link = world.connect(liar, Some(1), node);
        world.inject(link, hello(world).encode());
        for _ in 0..1_000 {
            world.inject(link, Frame::InviteGet { loc: rng.array() }.encode());
        }
        world.pass(Duration::from_secs(5));
        let boxes: Vec<Frame> = heard(world, liar, link)
            .into_iter()
            .filter(|frame| matches!(frame, Frame::InviteBox { .. }))
            .collect();
        assert!((1..=4).contains(&boxes.len()), "{} boxes", boxes.len());
        world.inject(link, vec![0; 300 * 1024]);
        world.pass(Duration::from_secs(130));
        assert_eq!(
            world.link(liar, node),
            None,
            "nobody takes up an invite for two minutes"
        );
        assert_same_disk(world, node, &before, "guesses at boxes");
    }
    cast.talk_goes_on();
}

/// A guest that fills its part of a client's quota: the client's own messages are still held.
#[test]
fn a_guest_cannot_use_up_what_its_host_needs() {
    let mut world = World::new(72);
    let core = world.add("core", true);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    let Reply::CoreInvited { link, .. } = world.ask(
        core,
        Command::CoreInvite {
            quota: 4 << 20,
            uses: 1,
        },
    ) else {
        panic!("no invite");
    };
    assert!(matches!(
        world.ask(alice, Command::CoreUse { link }),
        Reply::CoreUsed { .. }
    ));
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(2));
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(2));
    // By the link alone he could not write so much.
    grant(&mut world, alice, "Bob", &[Right::Publish, Right::Read]);
    world.pass(Duration::from_secs(30));
    world.down(alice);
    let mut last = String::new();
    for number in 0..120 {
        last = send(
            &mut world,
            bob,
            "tea",
            &format!("{number} {}", "x".repeat(50_000)),
        );
        world.pass(Duration::from_secs(1));
    }
    let command = Command::Wait {
        id: last,
        state: WaitFor::Held,
        of: None,
        timeout_ms: 5_000,
    };
    assert!(
        matches!(world.ask(bob, command), Reply::Failed(_)),
        "there is an end to it"
    );
    let Reply::CoreClients(clients) = world.ask(core, Command::CoreClients) else {
        panic!("no list");
    };
    assert!(
        clients[0].used <= 2 << 20,
        "guests use half at most: {clients:?}"
    );
    world.cut_off(alice, bob);
    world.up(alice);
    world.pass(Duration::from_secs(30));
    let id = send(&mut world, alice, "tea", "I am the client");
    let held = wait(&mut world, alice, &id, WaitFor::Held, None);
    assert_eq!(
        held,
        Reply::Reached {
            state: WaitFor::Held,
            count: 1,
            of: 1
        }
    );
    world.cut.clear();
    world.pass(Duration::from_secs(700));
    assert_eq!(
        texts(&mut world, alice, "tea").len(),
        121,
        "and nothing is lost"
    );
    assert_eq!(texts(&mut world, bob, "tea").len(), 121);
}
