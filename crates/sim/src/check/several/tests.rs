//! Mallory is another device of Ada's.

use super::check;
use crate::check::fixture::{ADA, BEN, CLEO, CORE, MALLORY, Town};
use crate::check::replicas::Overview;
use crate::check::{Broken, carriage, members};
use crate::plan::{Act, NodeNo, Step};

fn town(first: NodeNo, holders: &[NodeNo]) -> Town {
    let mut town = Town::new();
    town.plan.nodes[MALLORY as usize].device_of = Some(first);
    town.settle(holders);
    town
}

fn found(town: &Town) -> Vec<Broken> {
    let (broken, found) = town.everybody(|everybody| check(&Overview::new(everybody), 0));
    broken.into_iter().chain(found).collect()
}

const ALL: [NodeNo; 4] = [ADA, BEN, CLEO, CORE];

#[test]
fn a_device_that_was_given_nothing_is_found() {
    let mut town = town(ADA, &ALL);
    assert_eq!(found(&town), [], "it is none yet");
    town.facts.pairs(MALLORY);
    assert_eq!(found(&town), [], "nor has it become one");
    town.facts.paired(MALLORY);
    let broken = found(&town);
    assert_eq!(broken.len(), 1, "{broken:?}");
    assert_eq!(broken[0].node, Some(MALLORY));
    assert!(broken[0].what.contains("device of Ada, can reach it"));
    town.reaches = false;
    assert_eq!(found(&town), [], "neither reaches the other");
    town.links = vec![(MALLORY, ADA)];
    assert_eq!(found(&town).len(), 1, "they are linked");
    let (node, device) = (ADA, MALLORY);
    let act = Act::Unpair { node, device };
    town.plan.steps.push(Step { at_ms: 500, act });
    town.facts.change_topic(0, |topic| topic.rights.insert(0));
    assert_eq!(found(&town), [], "Ada has removed it");
}

#[test]
fn a_device_has_what_its_person_may_give() {
    let holders = [ADA, BEN, CLEO, CORE, MALLORY];
    let given = town(ADA, &holders);
    given.facts.pairs(MALLORY);
    given.facts.paired(MALLORY);
    assert_eq!(found(&given), []);
    // Ben came by an invite alone, and reads nothing that is public.
    let of_ben = town(BEN, &ALL);
    of_ben.facts.pairs(MALLORY);
    of_ben.facts.paired(MALLORY);
    assert_eq!(found(&of_ben), []);
    let mut reads = town(BEN, &ALL);
    reads.plan.topics[0].public = true;
    reads.plan.topics[0].members = vec![CLEO];
    reads.plan.topics[0].readers = vec![BEN];
    reads.facts.pairs(MALLORY);
    reads.facts.paired(MALLORY);
    let broken = found(&reads);
    assert!(
        broken.iter().any(|it| it.node == Some(MALLORY)),
        "{broken:?}"
    );
}

/// Mallory takes part by the seat that Ada gives it.
fn seated(town: &mut Town) -> wire::Act {
    town.facts.pairs(MALLORY);
    town.facts.paired(MALLORY);
    let (act, carrier) = town.act(None, &[ADA, MALLORY], &[]);
    let first = town.first_of_device(MALLORY, &carrier);
    for said in [&carrier, &first] {
        town.give_all(said);
    }
    act
}

#[test]
fn a_device_that_lost_its_seat_though_nobody_removed_it_is_found() {
    let mut town = town(ADA, &[ADA, BEN, CLEO, CORE, MALLORY]);
    let seated = seated(&mut town);
    let loses = |town: &Town| {
        let (broken, found) =
            town.everybody(|everybody| members::check(&Overview::new(everybody), 0));
        broken.into_iter().chain(found).collect::<Vec<Broken>>()
    };
    assert_eq!(loses(&town), []);
    let (_, end) = town.act(Some(&seated), &[ADA], &[]);
    town.give_all(&end);
    let broken = loses(&town);
    assert!(
        broken
            .iter()
            .all(|it| it.what.contains("Mallory has lost a right")),
        "{broken:?}"
    );
    assert!(!broken.is_empty());
}

#[test]
fn a_topic_on_what_is_no_device_yet_is_found() {
    let town = town(ADA, &[ADA, BEN, CLEO, CORE, MALLORY]);
    let broken = found(&town);
    let promises: Vec<&str> = broken.iter().map(|it| it.promise).collect();
    assert_eq!(promises, [carriage::PROMISE]);
    assert_eq!(broken[0].node, Some(MALLORY));
}
