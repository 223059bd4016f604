//! Which epochs are clean, and whose announcement counts, against whoever tries to keep others from it.

use identity::GrantId;
use lace::Admission;
use rights::{Entitled, Portion};
use wire::{Interval, Item, Right, Rights, Terms};

use crate::judged::{Hall, key, replica, survey, to};
use crate::town::{DAY, Pen, START, Sealed};

/// A claim at somebody who has not heard that the invite was taken back costs no more than one epoch.
#[test]
fn a_claim_of_what_was_taken_back_leaves_later_epochs_clean() {
    let mut hall = Hall::new(70);
    let invite = hall.town.invite(hall.town.root(), Terms::GUEST);
    let at = hall
        .owner
        .issue(&hall.town, std::slice::from_ref(&invite.1), &[], START);
    // Somebody who has heard of the invite and not of its end.
    let eve = hall.town.guest(&invite, &at);
    hall.revoke(invite.1.id(), &[], &[]);
    let mut here = replica(&hall.town, &[&hall.owner]);
    assert!(!matches!(
        here.verdict(&eve.chain[0]),
        Admission::Refused(_)
    ));
    here.settle();
    for day in 1..4_u64 {
        let now = START + day * DAY;
        let new = hall.epoch(&[to(key(1))], now);
        let deps: Vec<&Sealed> = vec![];
        let item = Item::Epoch(new.item.clone());
        let said = hall.owner.issue(&hall.town, &[item], &deps, now);
        here.takes(&said);
        for boxes in &new.boxes {
            let said = hall
                .owner
                .issue(&hall.town, &[Item::Boxes(boxes.clone())], &[], now);
            here.takes(&said);
        }
        let found = survey(&mut here);
        let last = found.epochs.last().unwrap();
        assert!(last.announced.is_usable());
        assert!(last.clean, "day {day}");
    }
}

impl Hall {
    /// The owner begins an epoch for itself and those.
    fn begins(&mut self, devices: &[Entitled], heard: &[&Pen], now: u64) {
        let new = self.epoch(devices, now);
        let deps: Vec<&Sealed> = heard.iter().filter_map(|pen| pen.chain.last()).collect();
        let item = Item::Epoch(new.item.clone());
        self.owner.issue(&self.town, &[item], &deps, now);
        for boxes in &new.boxes {
            let boxes = Item::Boxes(boxes.clone());
            self.owner.issue(&self.town, &[boxes], &[], now);
        }
    }

    /// Somebody to whom `by` gives all that it has.
    fn given(&mut self, by: &mut Pen, parent: GrantId) -> (Pen, GrantId) {
        let device = self.town.key();
        let item = crate::town::grant(parent, &device.public(), crate::town::ALL);
        let at = by.issue(&self.town, std::slice::from_ref(&item), &[], START);
        let mut pen = self.town.pen(&device, item.id());
        pen.begin(&self.town, 0, &[], &[&at], START);
        (pen, item.id())
    }
}

/// Whether the newest epoch that a replica with these knows is clean.
fn is_clean_with(hall: &Hall, pens: &[&Pen]) -> bool {
    let all = [&[&hall.owner], pens].concat();
    let found = survey(&mut replica(&hall.town, &all));
    let last = found.epochs.last().unwrap();
    assert!(last.announced.is_usable());
    last.clean
}

/// Whoever was removed lets in as many as it likes, and those let in more: all against a removal that
/// the announcement knows.
#[test]
fn whom_the_removed_let_in_keeps_no_epoch_from_being_clean() {
    let mut hall = Hall::new(74);
    let mut owner = hall.owner.clone();
    let root = hall.town.root();
    let (mut bob, bobs) = hall.given(&mut owner, root);
    hall.owner = owner;
    hall.revoke(bobs, &[], &[&bob]);
    hall.begins(&[to(key(1))], &[], START + 2);
    assert!(is_clean_with(&hall, &[&bob]));
    let (mut carol, carols) = hall.given(&mut bob, bobs);
    let invite = hall.town.invite(carols, Terms::GUEST);
    let item = std::slice::from_ref(&invite.1);
    let at = carol.issue(&hall.town, item, &[], START);
    let eve = hall.town.guest(&invite, &at);
    assert!(is_clean_with(&hall, &[&bob, &carol, &eve]));
    // Of an epoch that does not know of the removal nobody can tell.
    hall.owner.chain.retain(|it| {
        let mut items = it.get().items.iter().flatten();
        items.all(|item| !matches!(item, Item::Epoch(_) | Item::Boxes(_) | Item::Revocation(_)))
    });
    hall.begins(&[to(key(1))], &[], START + 1);
    hall.revoke(bobs, &[], &[&bob]);
    assert!(!is_clean_with(&hall, &[&bob, &carol, &eve]));
}

/// What was taken back, given again by the fall of who took it, and taken back once more: whoever was
/// let in between may have got the epoch.
#[test]
fn whoever_was_let_in_while_a_removal_had_fallen_makes_an_epoch_unclean() {
    let mut hall = Hall::new(75);
    let mut owner = hall.owner.clone();
    let root = hall.town.root();
    let (mut alice, alices) = hall.given(&mut owner, root);
    hall.owner = owner;
    let (mut bob, bobs) = hall.given(&mut alice, alices);
    let invite = hall.town.invite(bobs, Terms::GUEST);
    let at = bob.issue(&hall.town, std::slice::from_ref(&invite.1), &[], START);
    let eve = hall.town.guest(&invite, &at);
    let ends = crate::town::revoke(invite.1.id(), &[]);
    let before = bob.clone();
    bob.issue(&hall.town, &[ends], &[], START + 1);
    hall.begins(&[to(key(1))], &[&bob], START + 2);
    assert!(is_clean_with(&hall, &[&alice, &bob, &eve]));
    // Alice has not heard of it, and takes from Bob the right to let in and to remove.
    let fall = crate::town::revoke_with(bobs, &[&at], |it| {
        it.only.insert(Right::Admit);
    });
    alice.issue(
        &hall.town,
        &[fall],
        &[before.chain.last().unwrap()],
        START + 3,
    );
    let pens = [&hall.owner, &alice, &bob, &eve];
    let now = survey(&mut replica(&hall.town, &pens)).now;
    assert!(now.portion(&eve.device.public()).is_some(), "let in again");
    let heard = [&alice, &eve].map(|pen| pen.chain.last().unwrap());
    let again = crate::town::revoke(invite.1.id(), &heard);
    hall.owner.issue(&hall.town, &[again], &heard, START + 4);
    let pens = [&hall.owner, &alice, &bob, &eve];
    let now = survey(&mut replica(&hall.town, &pens)).now;
    assert_eq!(now.portion(&eve.device.public()), None);
    assert!(!is_clean_with(&hall, &[&alice, &bob, &eve]));
}

/// A copy of an announcement at a lower generation, by somebody who says not to have heard of it, does
/// not make the announcer's boxes count nowhere.
#[test]
fn a_copy_from_an_older_past_moves_nothing() {
    let mut hall = Hall::new(76);
    let (mut ada, _) = hall.guest(2, Terms::GUEST);
    let known = hall.owner.clone();
    for _ in 0..3 {
        let told = [Item::Sealing(key(1))];
        hall.owner
            .issue(&hall.town, &told, &[ada.chain.last().unwrap()], START);
    }
    let new = hall.epoch(&[to(key(1)), to(key(2))], START + 5);
    let item = Item::Epoch(new.item.clone());
    let right = hall
        .owner
        .issue(&hall.town, std::slice::from_ref(&item), &[], START + 5);
    for boxes in &new.boxes {
        let boxes = Item::Boxes(boxes.clone());
        hall.owner.issue(&hall.town, &[boxes], &[], START + 5);
    }
    let copy = ada.issue(
        &hall.town,
        &[item],
        &[known.chain.last().unwrap()],
        START + 5,
    );
    let generation = |it: &Sealed| it.get().envelope.header.generation;
    assert!(generation(&copy) < generation(&right));
    let found = survey(&mut replica(&hall.town, &[&hall.owner, &ada]));
    let [heard] = found.epochs.as_slice() else {
        panic!("one epoch")
    };
    assert!(heard.announced.is_usable() && heard.clean);
    assert_eq!(heard.generation, generation(&right));
}

/// Whoever's time was over when an epoch was announced is handed nothing of it, and what was announced
/// in its time as before.
#[test]
fn an_epoch_is_for_nobody_whose_time_was_over() {
    let mut hall = Hall::new(73);
    let until = Some(Interval {
        from: 0,
        until: Some(START + DAY),
    });
    let rights = Rights {
        read: until,
        publish: until,
        admit: None,
    };
    let terms = Terms {
        rights,
        ..Terms::GUEST
    };
    let (ada, _) = hall.guest(2, terms);
    let both = [to(key(1)), to(key(2))];
    let both = both.map(|to| Entitled {
        portion: Portion::Writes,
        ..to
    });
    hall.begins(&both, &[&ada], START + DAY - 1);
    hall.begins(&both[..1], &[], START + DAY);
    let found = survey(&mut replica(&hall.town, &[&hall.owner, &ada]));
    let (ada, owner) = (ada.device.public(), hall.owner.device.public());
    let [early, late] = [0, 1].map(|at: usize| found.epochs[at].announced.epoch());
    assert!(found.is_for(&ada, early));
    assert!(!found.is_for(&ada, late));
    assert!(found.is_for(&owner, early) && found.is_for(&owner, late));
    assert!(
        !found.is_for(&hall.town.key().public(), early),
        "a stranger"
    );
}
