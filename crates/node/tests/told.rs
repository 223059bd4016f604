//! Adverts that members of a topic tell: found again when they are needed, forgotten when nobody tells
//! them any more.

use crate::mailed::{advert_of, mail, mails};
use crate::story::{found, invite, join, use_core, wait};
use crate::world::World;
use identity::NodeId;
use machine::MemoryBase;
use node::command::{Command, Reply, WaitFor};
use std::time::Duration;

/// The router's table of adverts.
const ADVERTS: u8 = 83;
/// First byte of the key of what a member said, and of a topic that was dropped.
const PROFILES: u8 = b'p';
const GONE: u8 = b'g';

/// A core node, and people who cannot reach one another and are in topics `tea` through it.
fn members(seed: u8, count: usize) -> (World, usize, Vec<usize>) {
    let mut world = World::new(seed);
    let core = world.add("core", true);
    let people: Vec<usize> = (0..count)
        .map(|n| world.add(&format!("p{n}"), false))
        .collect();
    for one in &people {
        for other in &people {
            world.cut.push((*one, *other));
        }
        use_core(&mut world, *one, core);
    }
    share(&mut world, &people, "tea");
    (world, core, people)
}

/// The first founds a topic and the others join.
fn share(world: &mut World, people: &[usize], name: &str) {
    found(world, people[0], name);
    world.pass(Duration::from_secs(5));
    let uses = u32::try_from(people.len()).expect("few");
    let link = invite(world, people[0], name, uses);
    for one in &people[1..] {
        join(world, *one, &link);
    }
    world.pass(Duration::from_secs(120));
}

fn leave(world: &mut World, node: usize, topic: &str) {
    let topic = topic.to_owned();
    let reply = world.ask(node, Command::TopicLeave { topic });
    assert!(matches!(reply, Reply::Done), "{reply:?}");
}

fn forget(world: &mut World, node: usize, topic: &str) {
    let topic = topic.to_owned();
    let reply = world.ask(node, Command::TopicForget { topic });
    assert!(matches!(reply, Reply::Done), "{reply:?}");
}

/// Whose adverts a node has stored.
fn stored(disk: &MemoryBase) -> Vec<NodeId> {
    let rows = disk.rows().filter(|(table, ..)| *table == ADVERTS);
    rows.map(|(_, key, _)| NodeId::from_bytes(key.try_into().expect("a node")))
        .collect()
}

/// A disk without what `goes` says of a table and key.
fn without(disk: &MemoryBase, goes: impl Fn(u8, &[u8]) -> bool) -> MemoryBase {
    let mut kept = MemoryBase::new();
    for (table, key, value) in disk.rows().filter(|(table, key, _)| !goes(*table, key)) {
        kept.load(table, key.to_vec(), value.to_vec());
    }
    kept
}

/// A node stops, its store of adverts has given way to others, and it starts again.
fn evict(world: &mut World, nodes: &[usize]) {
    for node in nodes {
        world.down(*node);
    }
    for node in nodes {
        let disk = without(world.disk(*node), |table, _| table == ADVERTS);
        world.set_disk(*node, disk);
    }
    for node in nodes {
        world.up(*node);
    }
    world.pass(Duration::from_secs(30));
}

fn delivers(world: &mut World, from: usize, to: usize, text: &str) {
    let id = mail(world, from, to, text);
    let reply = wait(world, from, &id, WaitFor::Delivered, None);
    assert!(matches!(reply, Reply::Reached { .. }), "{reply:?}");
    assert!(mails(world, to).contains(&text.to_owned()));
}

#[test]
fn an_advert_that_gave_way_is_found_again_for_mail() {
    let (mut world, _, people) = members(131, 2);
    let (alice, bob) = (people[0], people[1]);
    evict(&mut world, &[alice]);
    delivers(&mut world, alice, bob, "Still there?");
    // Also for mail that waited when it was not to be had.
    world.down(bob);
    let id = mail(&mut world, alice, bob, "And now?");
    evict(&mut world, &[alice]);
    world.up(bob);
    let reply = wait(&mut world, alice, &id, WaitFor::Delivered, None);
    assert!(matches!(reply, Reply::Reached { .. }), "{reply:?}");
}

/// Without a core node each knows only from the other's profile where to find it.
#[test]
fn an_advert_that_gave_way_is_found_again_for_a_dial() {
    let mut world = World::new(132);
    let (alice, bob) = (world.add("Alice", false), world.add("Bob", false));
    let carol = world.add("Carol", false);
    share(&mut world, &[carol, alice, bob], "tea");
    // The invite has led both to Carol alone.
    world.down(carol);
    evict(&mut world, &[alice, bob]);
    world.pass(Duration::from_secs(600));
    assert!(world.link(alice, bob).is_some());
}

#[test]
fn what_a_topic_told_goes_with_the_topic_or_the_member_also_when_a_link_stood() {
    for dropped in [true, false] {
        let (mut world, core, people) = members(133, 2);
        let (alice, bob) = (people[0], people[1]);
        world.cut.clear();
        if world.link(alice, bob).is_none() {
            world.connect(bob, None, alice);
        }
        world.pass(Duration::from_secs(5));
        assert!(advert_of(&world, alice, bob).is_some());
        if dropped {
            leave(&mut world, alice, "tea");
            world.pass(Duration::from_secs(5));
            forget(&mut world, alice, "tea");
        } else {
            leave(&mut world, bob, "tea");
        }
        world.pass(Duration::from_secs(5));
        assert!(world.link(alice, bob).is_some());
        assert!(
            advert_of(&world, alice, bob).is_some(),
            "while it is linked"
        );
        world.down(bob);
        world.pass(Duration::from_secs(3 * 3600));
        let cores = vec![world.id(core)];
        assert_eq!(stored(world.disk(alice)), cores, "dropped: {dropped}");
    }
}

/// Whoever has left a topic has nothing to ask of its members, who do not know it any more: neither
/// now nor after a restart.
#[test]
fn who_left_leaves_the_others_alone() {
    let (mut world, _, people) = members(137, 2);
    let (alice, bob) = (people[0], people[1]);
    world.cut.clear();
    leave(&mut world, alice, "tea");
    world.pass(Duration::from_secs(600));
    world.down(alice);
    world.pass(Duration::from_secs(60));
    world.up(alice);
    for _ in 0..300 {
        world.pass(Duration::from_secs(5));
        assert!(world.link(alice, bob).is_none());
    }
}

/// What two topics tell stays until neither does.
#[test]
fn what_another_topic_tells_stays() {
    let (mut world, core, people) = members(134, 3);
    let (alice, bob, carol) = (people[0], people[1], people[2]);
    share(&mut world, &[alice, bob], "coffee");
    let count = |world: &World| stored(world.disk(alice)).len();
    assert_eq!(count(&world), 3);
    leave(&mut world, bob, "tea");
    world.pass(Duration::from_secs(3_600));
    assert!(advert_of(&world, alice, bob).is_some());
    evict(&mut world, &[alice]);
    delivers(&mut world, alice, bob, "By the other topic");
    leave(&mut world, alice, "coffee");
    world.pass(Duration::from_secs(60));
    forget(&mut world, alice, "coffee");
    world.pass(Duration::from_secs(3 * 3_600));
    assert!(advert_of(&world, alice, bob).is_none());
    delivers(&mut world, alice, carol, "And you?");
    assert!(advert_of(&world, alice, core).is_some());
}

/// More members than a node keeps links for.
#[test]
fn members_beyond_those_with_links_are_forgotten_too() {
    let (mut world, core, people) = members(135, 70);
    let alice = people[0];
    let told = |world: &World| stored(world.disk(alice)).len();
    assert_eq!(told(&world), 70, "69 members and the core node");
    for gone in &people[60..] {
        leave(&mut world, *gone, "tea");
    }
    world.pass(Duration::from_secs(3 * 3_600));
    for gone in &people[60..] {
        assert!(advert_of(&world, alice, *gone).is_none());
    }
    assert_eq!(told(&world), 60);
    evict(&mut world, &[alice]);
    delivers(&mut world, alice, people[59], "The last one");
    leave(&mut world, alice, "tea");
    world.pass(Duration::from_secs(60));
    forget(&mut world, alice, "tea");
    world.pass(Duration::from_secs(3 * 3_600));
    assert_eq!(stored(world.disk(alice)), [world.id(core)]);
}

/// Alice's disk with thousands of members that were never there, under a topic's number.
fn crowd(disk: &mut MemoryBase, bob: &NodeId, topic: Option<u32>) {
    let rows: Vec<(u8, Vec<u8>, Vec<u8>)> = disk
        .rows()
        .map(|(table, key, value)| (table, key.to_vec(), value.to_vec()))
        .collect();
    let (_, key, value) = rows
        .iter()
        .find(|(table, key, value)| {
            let has_bob = value.windows(32).any(|part| part == bob.as_bytes());
            is_profile(*table, key) && has_bob
        })
        .expect("Bob's profile");
    let (_, _, advert) = rows
        .iter()
        .find(|(table, key, _)| *table == ADVERTS && key == bob.as_bytes())
        .expect("Bob's advert");
    let at = value.windows(32).position(|part| part == bob.as_bytes());
    let at = at.expect("the node stands in it");
    for n in 0..5_000_u32 {
        let mut made_up = [66; 32];
        made_up[..4].copy_from_slice(&n.to_be_bytes());
        let (mut key, mut value) = (key.clone(), value.clone());
        if let Some(topic) = topic {
            key[1..5].copy_from_slice(&topic.to_be_bytes());
        }
        key[5..].copy_from_slice(&made_up);
        value[at..at + 32].copy_from_slice(&made_up);
        let told = [&made_up, &key[1..]].concat();
        disk.load(node::rows::NODE.id(), key, value);
        disk.load(node::rows::TOLD.id(), told, advert.clone());
        disk.load(ADVERTS, made_up.to_vec(), advert.clone());
    }
}

fn is_profile(table: u8, key: &[u8]) -> bool {
    table == node::rows::NODE.id() && key.len() == 37 && key[0] == PROFILES
}

/// Rows of what members said, of adverts that they told, and of topics that were dropped.
fn left(disk: &MemoryBase) -> usize {
    let is_left = |table: u8, key: &[u8]| {
        let gone = table == node::rows::NODE.id() && key[0] == GONE;
        is_profile(table, key) || table == node::rows::TOLD.id() || gone
    };
    disk.rows()
        .filter(|(table, key, _)| is_left(*table, key))
        .count()
}

/// The bounds of a turn are asserted by the kernel.
#[test]
fn a_topic_of_thousands_is_forgotten() {
    let (mut world, core, people) = members(136, 2);
    let alice = people[0];
    world.down(alice);
    let mut disk = world.disk(alice).clone();
    crowd(&mut disk, &world.id(people[1]), None);
    world.set_disk(alice, disk);
    world.up(alice);
    leave(&mut world, alice, "tea");
    world.pass(Duration::from_secs(60));
    forget(&mut world, alice, "tea");
    world.pass(Duration::from_secs(3 * 3_600));
    assert_eq!(left(world.disk(alice)), 0);
    assert_eq!(stored(world.disk(alice)), [world.id(core)]);
}

/// The node stopped when a topic was dropped and what its members had said was not yet removed.
#[test]
fn what_is_left_of_a_dropped_topic_goes_after_a_restart() {
    let (mut world, _, people) = members(137, 2);
    let alice = people[0];
    world.down(alice);
    let before = left(world.disk(alice));
    let adverts = stored(world.disk(alice));
    let mut disk = world.disk(alice).clone();
    crowd(&mut disk, &world.id(people[1]), Some(77));
    let gone = [&[GONE], 77_u32.to_be_bytes().as_slice()].concat();
    disk.load(node::rows::NODE.id(), gone, Vec::new());
    assert_eq!(left(&disk), before + 10_001);
    world.set_disk(alice, disk);
    world.up(alice);
    world.pass(Duration::from_secs(60));
    assert_eq!(left(world.disk(alice)), before);
    assert_eq!(stored(world.disk(alice)), adverts);
}
