//! A public topic: publishing and admitting are given and taken as everywhere, reading is not.

use lace::Rule;
use rights::Unenforced;
use std::collections::BTreeSet;
use wire::{
    Boxes, EpochReason, Followed, Interval, Item, NextEpoch, Right, Rights, SealedTo, Terms,
    TopicPolicy,
};

use crate::town::{ALL, READER, Replica, START, Town, grant, revoke, revoke_with};

const WRITER: Terms = Terms {
    rights: Rights {
        publish: Some(Interval::ALWAYS),
        read: None,
        admit: None,
    },
    budget: Terms::GUEST.budget,
};

fn public(seed: u64) -> Town {
    let policy = TopicPolicy {
        public: true,
        ..TopicPolicy::default()
    };
    Town::founded(seed, policy)
}

#[test]
fn publishing_is_by_grant() {
    let mut town = public(21);
    assert_eq!(Unenforced::look(&town.genesis), Ok(()));
    let mut owner = town.owners();
    let (bea, cy) = (town.key(), town.key());
    let given = grant(town.root(), &bea.public(), WRITER);
    let at = owner.issue(&town, std::slice::from_ref(&given), &[], START);
    let mut pen = town.pen(&bea, given.id());
    pen.begin(&town, 0, &[], &[&at], START + 1);
    pen.say(&town, &[], START + 2);
    let mut replica = Replica::with(&town, &[&owner, &pen]);
    assert!(replica.has(pen.chain.last().unwrap()));
    // Whoever reads has no grant: it writes neither by another's nor by the topic's own.
    for under in [given.id(), town.root()] {
        let stranger = town.pen(&cy, under);
        let deps = [&at];
        replica.refuses(
            &stranger.first(&town, 0, &[], &deps, START + 3),
            Rule::Holder,
        );
    }
    // What is taken back is over, as everywhere.
    owner.issue(
        &town,
        &[revoke(given.id(), &[pen.chain.last().unwrap()])],
        &[pen.chain.last().unwrap()],
        START + 4,
    );
    replica.takes(owner.chain.last().unwrap());
    let after = pen.content(&town, (1, 20), &[owner.chain.last().unwrap()], START + 5);
    assert_ne!(replica.verdict(&after), lace::Admission::Void);
    assert!(!replica.has(&after));
}

#[test]
fn nothing_is_said_about_who_may_read() {
    let mut town = public(22);
    let owner = town.owners();
    let bea = town.key();
    let invite = |town: &mut Town, terms| {
        let root = town.root();
        town.invite(root, terms).1
    };
    let next = NextEpoch {
        epoch: town.genesis.epoch.clone(),
        follows: vec![Followed {
            epoch: town.genesis.epoch.id(),
            meeting: [4; 48],
        }],
        boxes: 0,
        hints: [0; 32],
        reason: EpochReason::OTHER,
    };
    let boxes = Boxes {
        epoch: town.genesis.epoch.id(),
        devices: vec![SealedTo {
            hint: [1; 8],
            enc: [2; 32],
            sealed: vec![3; wire::limits::MIN_BOX_SEALED],
        }],
        cores: Vec::new(),
    };
    let unread = revoke_with(town.root(), &[], |it| {
        it.only = BTreeSet::from([Right::Read])
    });
    let items = [
        grant(town.root(), &bea.public(), READER),
        grant(town.root(), &bea.public(), ALL),
        invite(&mut town, Terms::GUEST),
        Item::Epoch(next),
        Item::Boxes(boxes),
        unread,
    ];
    let mut replica = Replica::with(&town, &[&owner]);
    for item in items {
        let said = owner.control(&town, std::slice::from_ref(&item), &[], START + 1);
        replica.refuses(&said, Rule::Unknown);
    }
    let invited = invite(&mut town, WRITER);
    replica.takes(&owner.control(&town, &[invited], &[], START + 1));
}
