//! Core nodes that hold the same, and that do not, while their clients are away.

use super::{Acquainted, check};
use crate::check::Broken;
use crate::check::fixture::{ADA, BEN, CLEO, CORE, MALLORY, Town};
use crate::check::liveness::PROMISE;
use crate::plan::{Act, NodeNo, Role, Step};

/// Ben's core node.
const OTHER: NodeNo = MALLORY;

/// Ada and Ben, each with a core node, and Cleo: they have come to know who holds the topic.
fn two_cores() -> (Town, Acquainted) {
    let mut town = Town::new();
    town.plan.nodes[OTHER as usize].role = Role::Core;
    town.plan.nodes[BEN as usize].uses = vec![OTHER];
    town.settle(&[ADA, BEN, CLEO, CORE, OTHER]);
    let mut known = Acquainted::default();
    assert_eq!(look(&town, &mut known), []);
    (town, known)
}

fn look(town: &Town, known: &mut Acquainted) -> Vec<Broken> {
    town.everybody(|everybody| check(everybody, known)).1
}

/// Ada writes, and only these have it.
fn writes(town: &mut Town, holders: &[NodeNo]) {
    let said = town.say(ADA, &[]);
    for no in holders {
        town.give(*no, &said);
    }
}

#[test]
fn what_one_core_node_keeps_from_another_while_nobody_is_there_is_found() {
    let (mut town, mut known) = two_cores();
    writes(&mut town, &[ADA, CORE]);
    town.away = [ADA, BEN, CLEO].into();
    let broken = look(&town, &mut known);
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert_eq!(broken[0].promise, PROMISE);
    assert!(broken[0].what.contains("Mallory lack 1"), "{broken:?}");
    // And by whoever comes back to the other one, though it cannot get it there.
    town.away.remove(&BEN);
    assert_eq!(look(&town, &mut known).len(), 1);
    town.away.insert(CORE);
    assert_eq!(look(&town, &mut known), []);
    town.away.remove(&CORE);
    town.reaches = false;
    assert_eq!(look(&town, &mut known), []);
}

#[test]
fn a_body_that_one_core_node_keeps_from_another_is_found() {
    let (mut town, mut known) = two_cores();
    let said = town.say(ADA, &[]);
    town.give(CORE, &said);
    town.give_header(OTHER, &said);
    town.away = [ADA, BEN, CLEO].into();
    let broken = look(&town, &mut known);
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert!(broken[0].what.contains("1 bodies"), "{broken:?}");
}

#[test]
fn nothing_is_asked_of_core_nodes_that_may_not_know_one_another() {
    let (mut town, mut known) = two_cores();
    writes(&mut town, &[ADA, CORE]);
    town.away = [ADA, BEN, CLEO].into();
    // Nobody has looked while all were there.
    assert_eq!(look(&town, &mut Acquainted::default()), []);
    // Somebody who uses both of them brings everything along.
    let mut both = two_cores().0;
    for no in [ADA, BEN] {
        both.plan.nodes[no as usize].uses = vec![CORE, OTHER];
    }
    let mut those = Acquainted::default();
    assert_eq!(look(&both, &mut those), []);
    writes(&mut both, &[ADA, CORE]);
    both.away = [ADA, BEN, CLEO].into();
    assert_eq!(look(&both, &mut those), []);
    // More has happened than that people came and went.
    let act = Act::Move { node: BEN, site: 0 };
    town.plan.steps.push(Step { at_ms: 0, act });
    assert_eq!(look(&town, &mut known), []);
    town.plan.steps.clear();
    assert_eq!(look(&town, &mut known), [], "it is not known any more");
}

#[test]
fn who_has_left_or_joined_makes_another_circle() {
    for joins in [false, true] {
        let (mut town, mut known) = two_cores();
        writes(&mut town, &[ADA, CORE]);
        town.away = [ADA, BEN, CLEO].into();
        let other = town.facts.change_topic(0, |topic| {
            if joins {
                topic.members.remove(&CLEO).is_some()
            } else {
                topic.left.insert(CLEO)
            }
        });
        assert!(other);
        assert_eq!(look(&town, &mut known), []);
    }
}
