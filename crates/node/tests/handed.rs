//! Another device of a person comes to topics that have gone on to later keys.

use crate::giving::{TEA, revoke, three};
use crate::paired::{members, pair, seated};
use crate::story::{send, texts, use_core, wait};
use crate::world::World;
use lace::{Admitted, AuthorNo, Effect, Facts, Past, Policy, Rule, Set};
use node::command::{Command, Reply, WaitFor};
use rights::Law;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;
use wire::{Genesis, Item, Verified};

/// Alice's topic, of which Cleo was removed: it goes on under keys that she has not.
fn gone_on(seed: u8) -> (World, [usize; 3]) {
    let (mut world, people) = three(seed);
    let [alice, _, _] = people;
    send(&mut world, alice, TEA, "to all");
    let reply = revoke(&mut world, alice, "Cleo", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    send(&mut world, alice, TEA, "to Bob");
    world.pass(Duration::from_secs(10));
    (world, people)
}

fn is_joining(world: &mut World, node: usize) -> bool {
    let topic = TEA.to_owned();
    match world.ask(node, Command::TopicInfo { topic }) {
        Reply::TopicInfo(info) => info.row.role == "joining",
        other => panic!("{other:?}"),
    }
}

fn delivered(world: &mut World, node: usize, text: &str) {
    let id = send(world, node, TEA, text);
    let reached = wait(world, node, &id, WaitFor::Delivered, None);
    assert!(
        matches!(reached, Reply::Reached { count: 1, .. }),
        "{text}: {reached:?}"
    );
}

fn is_one_of_two(world: &mut World, laptop: usize, others: &[usize]) {
    assert!(!is_joining(world, laptop));
    delivered(world, laptop, "from the laptop");
    world.pass(Duration::from_secs(10));
    for node in others.iter().chain(&[laptop]) {
        let texts = texts(world, *node, TEA);
        assert_eq!(texts, ["to all", "to Bob", "from the laptop"]);
        assert_eq!(seated(&members(world, *node, TEA))[..2], [2, 1]);
    }
}

#[test]
fn a_device_takes_part_in_what_has_gone_on_to_later_keys() {
    let (mut world, [phone, bob, _]) = gone_on(61);
    let laptop = world.add("Laptop", false);
    assert_eq!(pair(&mut world, phone, laptop), 1);
    world.pass(Duration::from_secs(30));
    is_one_of_two(&mut world, laptop, &[phone, bob]);
}

#[test]
fn a_device_that_was_handed_a_topic_finds_in_after_a_restart() {
    let (mut world, [phone, bob, _]) = gone_on(62);
    let laptop = world.add("Laptop", false);
    pair(&mut world, phone, laptop);
    // It has been handed the topic, and nothing of what was written there.
    world.down(laptop);
    world.pass(Duration::from_secs(5));
    world.up(laptop);
    world.pass(Duration::from_secs(60));
    is_one_of_two(&mut world, laptop, &[phone, bob]);
}

#[test]
fn a_device_that_missed_an_epoch_before_it_came_in_asks_the_persons_other_one() {
    let mut world = World::new(63);
    let people = ["Phone", "Bob", "Cleo", "Dora"].map(|name| world.add(name, false));
    let [phone, bob, cleo, dora] = people;
    crate::story::found(&mut world, phone, TEA);
    let link = crate::story::invite(&mut world, phone, TEA, 3);
    for node in [bob, cleo, dora] {
        crate::story::join(&mut world, node, &link);
    }
    world.pass(Duration::from_secs(20));
    let reply = revoke(&mut world, phone, "Cleo", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    send(&mut world, phone, TEA, "to all");
    let laptop = world.add("Laptop", false);
    pair(&mut world, phone, laptop);
    world.down(laptop);
    // What it was handed is over when it comes back.
    let reply = revoke(&mut world, phone, "Dora", &[], None);
    assert!(matches!(reply, Reply::Revoked { .. }), "{reply:?}");
    world.pass(Duration::from_secs(30));
    send(&mut world, phone, TEA, "to Bob");
    world.up(laptop);
    world.pass(Duration::from_secs(60));
    is_one_of_two(&mut world, laptop, &[phone, bob]);
}

#[test]
fn a_device_that_was_handed_a_topic_is_known_at_its_core_node_without_the_other_one() {
    let (mut world, [phone, bob, _]) = gone_on(64);
    let core = world.add("core", true);
    use_core(&mut world, phone, core);
    world.pass(Duration::from_secs(30));
    let laptop = world.add("Laptop", false);
    world.cut_off(laptop, bob);
    pair(&mut world, phone, laptop);
    world.down(laptop);
    world.pass(Duration::from_secs(20));
    world.down(phone);
    world.up(laptop);
    world.pass(Duration::from_secs(90));
    is_one_of_two(&mut world, laptop, &[bob]);
}

thread_local! {
    /// How often the first envelope of a device that was seated by another one was refused.
    static REFUSED: Cell<u32> = const { Cell::new(0) };
}

/// The law, which refuses whoever begins and neither founds nor claims anything, for now.
#[derive(Debug)]
struct Later;

impl Policy for Later {
    fn speaks_of(&self, genesis: &Genesis, item: &Item) -> bool {
        Law.speaks_of(genesis, item)
    }

    fn admit(&self, past: &Past<'_>, envelope: &Verified) -> Result<Admitted, Rule> {
        let mut items = envelope.items.iter().flatten();
        let comes = |item: &Item| matches!(item, Item::Title(_) | Item::Claim(_));
        if envelope.envelope.header.number == 1 && !items.any(comes) {
            REFUSED.set(REFUSED.get() + 1);
            return Err(Rule::Rate);
        }
        Law.admit(past, envelope)
    }

    fn effect(&self, facts: &dyn Facts, set: &Set, evidence: &BTreeMap<AuthorNo, u64>) -> Effect {
        Law.effect(facts, set, evidence)
    }
}

/// Before its first envelope is out a device knows the topic's keys by what it was handed alone, also when that
/// envelope was refused once, and the device began anew.
#[test]
fn a_device_whose_first_envelope_was_refused_finds_in_later() {
    let (mut world, [phone, bob, _]) = gone_on(65);
    world.rules = Some(&Later);
    let laptop = world.add("Laptop", false);
    pair(&mut world, phone, laptop);
    world.pass(Duration::from_secs(30));
    assert!(REFUSED.get() > 0, "it has tried");
    assert!(is_joining(&mut world, laptop));
    world.down(laptop);
    world.rules = None;
    world.up(laptop);
    world.pass(Duration::from_secs(60));
    is_one_of_two(&mut world, laptop, &[phone, bob]);
}
