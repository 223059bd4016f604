//! Work about chains that were refused, about what rests on them, and about others.

use super::{Excused, Said, late, near, of};
use crate::check::fixture::{ADA, BEN, CLEO, CORE, Town, id_of};
use crate::plan::NodeNo;
use identity::EnvelopeId;
use topic::{Question, Undone, Unplaced};
use wire::{Checked, Code, Frame, TopicFrame, Verified};

/// A town whose core node has refused what Ben writes from his third envelope on.
struct Refusing {
    town: Town,
    /// Ben's third envelope, and one of Cleo's that names it.
    ben: EnvelopeId,
    upon: EnvelopeId,
    /// An envelope of Cleo's that the core node has not got either, and one of Ada's that names it.
    cleo: EnvelopeId,
    beside: EnvelopeId,
    /// That of Cleo's, to be given.
    given: Checked<Verified>,
}

fn refusing() -> Refusing {
    let mut town = Town::settled();
    town.plan.length_ms = 0;
    let ben = town.say(BEN, &[]);
    let cleo = town.say(CLEO, &[]);
    let upon = town.say(CLEO, &[&ben]);
    let beside = town.say(ADA, &[&cleo]);
    for said in [&ben, &cleo, &upon, &beside] {
        for no in [ADA, BEN, CLEO] {
            town.give(no, said);
        }
    }
    let refused = TopicFrame::Refused {
        author: town.author(BEN),
        number: 3,
        code: Code::QUOTA,
        text: String::new(),
        retry: 1,
    };
    let frame = Frame::Topic {
        topic: town.topic,
        frame: refused,
    };
    town.frames.push((CORE, BEN, frame.encode()));
    let given = cleo.clone();
    let [ben, cleo, upon, beside] = [ben, cleo, upon, beside].map(|said| id_of(&said));
    Refusing {
        town,
        ben,
        upon,
        cleo,
        beside,
        given,
    }
}

/// What is excused of the work of the core node.
fn excused(town: &Town, undone: &Undone) -> Excused {
    let look = |everybody: &crate::check::Everybody<'_>| {
        let node = &everybody.nodes[CORE as usize];
        of(
            undone,
            (&town.facts, &node.watch.holdings),
            (node.disk, &Said::new()),
            0,
        )
    };
    town.everybody(look).1
}

fn question(town: &Town, chains: &[NodeNo], bodies: &[EnvelopeId]) -> Undone {
    Undone {
        asked: vec![Question {
            topic: town.topic,
            chains: chains.iter().map(|no| town.author(*no)).collect(),
            bodies: bodies.to_vec(),
        }],
        bodies: bodies.iter().map(|id| (town.topic, *id)).collect(),
        ..Undone::default()
    }
}

#[test]
fn questions_about_other_chains_are_not_excused() {
    let refusing = refusing();
    let town = &refusing.town;
    let count = |chains: &[NodeNo], bodies: &[EnvelopeId]| {
        let excused = excused(town, &question(town, chains, bodies));
        (excused.asked, excused.bodies)
    };
    assert_eq!(count(&[BEN], &[]), (1, 0));
    assert_eq!(count(&[BEN], &[refusing.ben]), (1, 1));
    assert_eq!(count(&[CLEO], &[]), (0, 0));
    assert_eq!(count(&[BEN, CLEO], &[]), (0, 0));
    assert_eq!(count(&[BEN], &[refusing.ben, refusing.cleo]), (0, 1));
}

#[test]
fn what_waits_for_another_chain_is_not_excused() {
    let Refusing {
        town,
        ben,
        upon,
        cleo,
        beside,
        ..
    } = refusing();
    let count = |names: &[EnvelopeId]| {
        let parked = Unplaced {
            topic: town.topic,
            id: EnvelopeId::from_bytes([7; 32]),
            names: names.to_vec(),
        };
        let undone = Undone {
            parked: vec![parked],
            ..Undone::default()
        };
        excused(&town, &undone).parked
    };
    assert_eq!(count(&[ben]), 1);
    assert_eq!(count(&[cleo]), 0, "nobody has refused it");
    assert_eq!(count(&[ben, cleo]), 0);
    assert_eq!(
        count(&[upon]),
        0,
        "it follows what is not here and was not refused"
    );
    assert_eq!(count(&[beside]), 0);
    assert_eq!(
        count(&[EnvelopeId::from_bytes([8; 32])]),
        0,
        "nobody has it"
    );
}

#[test]
fn what_rests_on_a_refused_chain_alone_is_excused() {
    let Refusing {
        mut town,
        upon,
        given,
        ..
    } = refusing();
    // The core node gets Cleo's first one after all.
    town.give(CORE, &given);
    let undone = Undone {
        parked: vec![Unplaced {
            topic: town.topic,
            id: EnvelopeId::from_bytes([7; 32]),
            names: vec![upon],
        }],
        ..Undone::default()
    };
    assert_eq!(excused(&town, &undone).parked, 1);
}

#[test]
fn chains_that_rest_on_what_was_refused_may_be_spoken_of() {
    let Refusing {
        mut town, given, ..
    } = refusing();
    let named = |town: &Town| {
        let mut all = town.everybody(late).1;
        let core = all.remove(&(CORE, town.topic)).unwrap_or_default();
        assert!(all.is_empty(), "nobody else has refused anything: {all:?}");
        let is = |no: &NodeNo| core.contains(&town.author(*no));
        [ADA, BEN, CLEO].into_iter().filter(is).collect::<Vec<_>>()
    };
    assert_eq!(named(&town), [BEN], "one of Cleo's could be here");
    // With that, hers lack only what names Ben's. Ada's could be here now.
    town.give(CORE, &given);
    assert_eq!(named(&town), [BEN, CLEO]);
    town.plan.length_ms = 1_000_000;
    let none: [NodeNo; 0] = [];
    assert_eq!(named(&town), none, "it was refused while there were faults");
}

#[test]
fn what_is_declined_in_memory_counts_as_refused() {
    let town = Town::settled();
    let mut undone = question(&town, &[CLEO], &[]);
    assert_eq!(excused(&town, &undone).asked, 0);
    undone.declined = vec![(town.topic, town.author(CLEO))];
    assert_eq!(excused(&town, &undone).asked, 1);
    undone.declined = vec![(town.topic, town.author(BEN))];
    assert_eq!(excused(&town, &undone).asked, 0);
}

#[test]
fn what_is_due_to_who_refuses_it_is_excused() {
    let Refusing {
        mut town,
        cleo,
        ben,
        ..
    } = refusing();
    town.links = vec![(CORE, BEN), (BEN, CORE)];
    let due = |chains: &[NodeNo], bodies: &[EnvelopeId]| {
        let undone = Undone {
            busy: question(&town, chains, bodies).asked,
            ..Undone::default()
        };
        let look = |everybody: &crate::check::Everybody<'_>| {
            let near = near(everybody, 0).remove(&BEN).unwrap_or_default();
            let node = &everybody.nodes[BEN as usize];
            of(
                &undone,
                (&town.facts, &node.watch.holdings),
                (node.disk, &near),
                0,
            )
        };
        town.everybody(look).1.busy
    };
    assert_eq!(due(&[BEN], &[]), 1);
    assert_eq!(due(&[BEN], &[ben]), 1);
    assert_eq!(due(&[CLEO], &[]), 0);
    assert_eq!(due(&[BEN, CLEO], &[]), 0);
    assert_eq!(due(&[BEN], &[cleo]), 0);
}
