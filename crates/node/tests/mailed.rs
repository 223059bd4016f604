//! Mail between members of a topic who can never be linked: each is sealed with the key, and takes
//! the way, that the other's profile tells.

use crate::restored::info;
use crate::story::{found, invite, join, use_core, wait};
use crate::world::World;
use node::command::{Command, Reply, WaitFor};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use wire::Frame;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Alice and Bob, who are in a topic and cannot reach one another, and their core nodes.
struct Apart {
    world: World,
    alice: usize,
    bob: usize,
    cores: Vec<usize>,
}

/// They use one core node, or each another.
fn apart(seed: u8, cores: usize) -> Apart {
    let mut world = World::new(seed);
    let cores: Vec<usize> = (0..cores)
        .map(|n| world.add(&format!("core {n}"), true))
        .collect();
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    world.cut.push((alice, bob));
    for (client, core) in [(alice, cores.first()), (bob, cores.last())] {
        use_core(&mut world, client, *core.unwrap());
    }
    found(&mut world, alice, "tea");
    world.pass(Duration::from_secs(5));
    let link = invite(&mut world, alice, "tea", 1);
    join(&mut world, bob, &link);
    world.pass(Duration::from_secs(60));
    Apart {
        world,
        alice,
        bob,
        cores,
    }
}

pub(crate) fn mail(world: &mut World, from: usize, to: usize, text: &str) -> String {
    let command = Command::Send {
        to: world.id(to).to_string(),
        messages: vec![text.as_bytes().to_vec()],
        expires: None,
        best_effort: false,
    };
    match world.ask(from, command) {
        Reply::Sent { ids, .. } => ids[0].to_string(),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn mails(world: &mut World, node: usize) -> Vec<String> {
    match world.ask(
        node,
        Command::Inbox {
            after: 0,
            limit: 100,
        },
    ) {
        Reply::Inbox { mails, .. } => mails.into_iter().map(|mail| mail.text).collect(),
        other => panic!("{other:?}"),
    }
}

/// The advert of another node that a node has stored.
pub(crate) fn advert_of(world: &World, at: usize, of: usize) -> Option<wire::NodeAdvert> {
    let config = router::Config::new(world.nodes[at].config.node_key.clone(), "", "test");
    let of = world.id(of);
    machine::test::World::over(world.disk(at).clone(), 0).turn(|cx| {
        let router = router::Router::open(cx, config, &mut machine::Outbox::new());
        router.advert(cx, &of)
    })
}

fn is_delivered(reply: &Reply) -> bool {
    matches!(
        reply,
        Reply::Reached {
            state: WaitFor::Delivered,
            ..
        }
    )
}

#[test]
fn members_who_were_never_linked_write_to_each_other_through_their_core_node() {
    let mut apart = apart(31, 1);
    let world = &mut apart.world;
    let (alice, bob) = (apart.alice, apart.bob);
    assert!(world.link(alice, bob).is_none());
    let id = mail(world, alice, bob, "Is it the blue one?");
    let reply = wait(world, alice, &id, WaitFor::Delivered, None);
    assert!(is_delivered(&reply), "{reply:?}");
    assert_eq!(mails(world, bob), ["Is it the blue one?"]);
    let id = mail(world, bob, alice, "It is");
    let reply = wait(world, bob, &id, WaitFor::Delivered, None);
    assert!(is_delivered(&reply), "{reply:?}");
    assert_eq!(mails(world, alice), ["It is"]);
}

#[test]
fn members_with_different_core_nodes_write_to_each_other_and_hear_that_it_came() {
    let mut apart = apart(32, 2);
    let world = &mut apart.world;
    let (alice, bob) = (apart.alice, apart.bob);
    for (from, to) in [(alice, bob), (bob, alice)] {
        let long = "tea ".repeat(10_000);
        let id = mail(world, from, to, &long);
        let reply = wait(world, from, &id, WaitFor::Delivered, None);
        assert!(is_delivered(&reply), "{reply:?}");
        assert_eq!(mails(world, to), [long]);
    }
}

/// Never online at the same time, and each with another core node.
#[test]
fn the_receipt_waits_for_whoever_was_away() {
    let mut apart = apart(33, 2);
    let world = &mut apart.world;
    let (alice, bob) = (apart.alice, apart.bob);
    world.down(bob);
    let id = mail(world, alice, bob, "Tomorrow at eight");
    let reply = wait(world, alice, &id, WaitFor::Held, None);
    assert!(matches!(reply, Reply::Reached { .. }), "{reply:?}");
    world.down(alice);
    world.pass(DAY / 2);
    world.up(bob);
    world.pass(Duration::from_secs(60));
    assert_eq!(mails(world, bob), ["Tomorrow at eight"]);
    world.down(bob);
    world.pass(DAY / 2);
    world.up(alice);
    let reply = wait(world, alice, &id, WaitFor::Delivered, None);
    assert!(is_delivered(&reply), "{reply:?}");
    assert_eq!(apart.cores.len(), 2);
}

/// In a topic of many, most members have a link with their own core node alone, and know the other
/// from its members' profiles.
#[test]
fn a_core_node_that_is_nobody_s_of_ours_takes_mail_for_its_client_and_tells_what_became_of_it() {
    let mut world = World::new(34);
    let cores = [world.add("north", true), world.add("south", true)];
    let people: Vec<usize> = (0..24)
        .map(|n| world.add(&format!("p{n}"), false))
        .collect();
    for (at, one) in people.iter().enumerate() {
        for other in &people {
            world.cut.push((*one, *other));
        }
        use_core(&mut world, *one, cores[at % 2]);
    }
    found(&mut world, people[0], "tea");
    world.pass(Duration::from_secs(5));
    let link = invite(&mut world, people[0], "tea", 30);
    for one in &people[1..] {
        join(&mut world, *one, &link);
    }
    world.pass(Duration::from_secs(600));
    let knows_only = |world: &World, own: usize, other: usize| {
        let of = people.iter().enumerate().filter(|(at, _)| at % 2 == own);
        let mut of = of.map(|(_, one)| *one);
        of.find(|one| world.link(*one, cores[other]).is_none())
    };
    let alice = knows_only(&world, 0, 1).expect("somebody has no link with the other core node");
    let bob = knows_only(&world, 1, 0).expect("somebody has no link with the other core node");
    for (from, to) in [(alice, bob), (bob, alice)] {
        world.down(to);
        let long = "tea ".repeat(10_000);
        let id = mail(&mut world, from, to, &long);
        let reply = wait(&mut world, from, &id, WaitFor::Held, None);
        assert!(matches!(reply, Reply::Reached { .. }), "{reply:?}");
        world.pass(Duration::from_secs(3_600));
        world.up(to);
        let reply = wait(&mut world, from, &id, WaitFor::Delivered, None);
        assert!(is_delivered(&reply), "{reply:?}");
        assert_eq!(mails(&mut world, to), [long]);
    }
}

/// Envelopes of each member of the topic, as a node counts them.
fn written(world: &mut World, node: usize) -> u64 {
    info(world, node).envelopes
}

#[test]
fn a_sealing_key_that_has_turned_is_told_once_and_used() {
    let mut apart = apart(35, 1);
    let (alice, bob) = (apart.alice, apart.bob);
    let before = written(&mut apart.world, alice);
    let key = |apart: &Apart| {
        let advert = advert_of(&apart.world, alice, bob);
        advert.expect("Bob has told").sealing
    };
    let first = key(&apart);
    apart.world.pass(15 * DAY);
    assert_ne!(key(&apart), first);
    // Two weeks, two people.
    assert_eq!(written(&mut apart.world, alice), before + 4);
    let id = mail(&mut apart.world, alice, bob, "With the new key");
    let reply = wait(&mut apart.world, alice, &id, WaitFor::Delivered, None);
    assert!(is_delivered(&reply), "{reply:?}");
}

/// Alice was away for weeks in which Bob's key has turned so often that he has thrown away the one
/// that she knows. `topic`: whether she hears of the topic before he fetches her mail.
fn after_weeks(seed: u8, topic: bool) -> (Apart, String) {
    let mut apart = apart(seed, 1);
    let (alice, bob) = (apart.alice, apart.bob);
    let world = &mut apart.world;
    world.down(alice);
    world.pass(40 * DAY);
    world.down(bob);
    let deaf: Rc<Cell<bool>> = Rc::new(Cell::new(true));
    let is_deaf = Rc::clone(&deaf);
    world.tamper = Some(Box::new(move |_, to, bytes| {
        let topic = matches!(Frame::decode(&bytes), Ok(Frame::Topic { .. }));
        if is_deaf.get() && to == alice && topic {
            return Vec::new();
        }
        vec![bytes]
    }));
    world.up(alice);
    let id = mail(world, alice, bob, "I was away");
    let reply = wait(world, alice, &id, WaitFor::Held, None);
    assert!(matches!(reply, Reply::Reached { .. }), "{reply:?}");
    if topic {
        deaf.set(false);
        world.down(alice);
        world.up(alice);
        world.pass(Duration::from_secs(60));
    }
    world.up(bob);
    world.pass(Duration::from_secs(600));
    (apart, id)
}

#[test]
fn mail_to_a_key_that_is_gone_is_sealed_anew_when_the_topic_tells_the_next() {
    let (mut apart, id) = after_weeks(36, true);
    let (alice, bob) = (apart.alice, apart.bob);
    let reply = wait(&mut apart.world, alice, &id, WaitFor::Delivered, None);
    assert!(is_delivered(&reply), "{reply:?}");
    assert_eq!(mails(&mut apart.world, bob), ["I was away"]);
    // The first envelope, which he cannot open, is not delivered some day either.
    apart.world.pass(9 * DAY);
    assert_eq!(mails(&mut apart.world, bob), ["I was away"]);
}

#[test]
fn mail_to_a_key_that_is_gone_ends_as_expired_and_not_silently() {
    let (mut apart, id) = after_weeks(37, false);
    let (alice, bob) = (apart.alice, apart.bob);
    assert_eq!(mails(&mut apart.world, bob), Vec::<String>::new());
    apart.world.pass(8 * DAY);
    let reply = wait(&mut apart.world, alice, &id, WaitFor::Delivered, None);
    assert!(matches!(reply, Reply::Failed(_)), "{reply:?}");
}
