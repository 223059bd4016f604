//! Epochs and boxes as admission judges them, in signed worlds; and what a node knows of them.

use std::collections::BTreeMap;

use identity::seal::hpke::HpkeSecret;
use identity::{GrantId, SealingKey};
use lace::{Admission, Admitted, AuthorNo, Effect, Facts, Past, Policy, Rule, Set};
use machine::Rng;
use rights::{
    Call, Entitled, EpochFault, Law, MeetingSecret, NewEpoch, Portion, Survey, begin, judge_epochs,
};
use wire::{
    Claim, EpochReason, Genesis, Interval, Item, Revocation, Right, Rights, Terms, Verified,
};

use crate::town::{DAY, MINUTE, Pen, READER, Replica, START, Sealed, Town, id};

/// The law, and what is judged of epochs beside it; revocations as they are.
#[derive(Debug)]
struct WithEpochs;

impl Policy for WithEpochs {
    fn speaks_of(&self, genesis: &Genesis, item: &Item) -> bool {
        let more = matches!(item, Item::Epoch(_) | Item::Boxes(_) | Item::Revocation(_));
        more || Law.speaks_of(genesis, item)
    }

    fn admit(&self, past: &Past<'_>, envelope: &Verified) -> Result<Admitted, Rule> {
        let revokes = |item: &Item| matches!(item, Item::Revocation(_));
        if !envelope.items.iter().flatten().any(revokes) {
            judge_epochs(past, self, envelope).map_err(as_rule)?;
        }
        Law.admit(past, envelope)
    }

    fn effect(&self, facts: &dyn Facts, set: &Set, evidence: &BTreeMap<AuthorNo, u64>) -> Effect {
        Law.effect(facts, set, evidence)
    }
}

/// Which fault it was, told by a rule of another kind.
fn as_rule(fault: EpochFault) -> Rule {
    match fault {
        EpochFault::Right => Rule::Right,
        EpochFault::Often => Rule::Rate,
        EpochFault::Hints => Rule::Holder,
        EpochFault::Count => Rule::Carve,
        EpochFault::Boxes => Rule::Size,
        EpochFault::Follows => Rule::Chain,
        EpochFault::Start => Rule::Time,
        _ => Rule::Unknown,
    }
}

const WHOLE: Portion = Portion::Reads {
    from: 0,
    until: None,
};

/// What guests of a town announce with their claims.
const GUESTS: [u8; 32] = [3; 32];

pub(crate) fn key(n: u8) -> SealingKey {
    HpkeSecret::from_bytes([n; 32]).public()
}

pub(crate) fn to(key: SealingKey) -> Entitled {
    Entitled {
        to: key,
        portion: WHOLE,
    }
}

/// A town whose owner has told the sealing key 1.
pub(crate) struct Hall {
    pub(crate) town: Town,
    pub(crate) owner: Pen,
}

impl Hall {
    pub(crate) fn new(seed: u64) -> Self {
        let mut town = Town::new(seed);
        let mut owner = town.owners();
        owner.issue(&town, &[Item::Sealing(key(1))], &[], START);
        Self { town, owner }
    }

    /// A guest under an invite of its own, which tells the sealing key `n`.
    pub(crate) fn guest(&mut self, n: u8, terms: Terms) -> (Pen, GrantId) {
        let invite = self.town.invite(self.town.root(), terms);
        let at = self
            .owner
            .issue(&self.town, std::slice::from_ref(&invite.1), &[], START);
        let mut guest = self.town.guest(&invite, &at);
        let last = guest.chain.last().cloned().unwrap();
        guest.issue(&self.town, &[Item::Sealing(key(n))], &[&last], START);
        (guest, invite.1.id())
    }

    /// The owner removes somebody, having heard all of these.
    pub(crate) fn revoke(&mut self, grant: GrantId, only: &[Right], heard: &[&Pen]) {
        let deps: Vec<&Sealed> = heard.iter().filter_map(|pen| pen.chain.last()).collect();
        let mut cut: Vec<_> = deps.iter().map(|dep| id(dep)).collect();
        cut.sort_unstable();
        let revocation = Revocation {
            grant,
            cut,
            cascade: false,
            only: only.iter().copied().collect(),
            joint: None,
        };
        let item = Item::Revocation(revocation);
        self.owner.issue(&self.town, &[item], &deps, START + 1);
    }

    /// An epoch for these.
    pub(crate) fn epoch(&self, devices: &[Entitled], at: u64) -> NewEpoch {
        let call = Call {
            topic: self.town.id,
            created: at,
            boundary: None,
            devices,
            cores: &[],
            follows: &[(
                self.town.genesis.epoch.id(),
                MeetingSecret::from_bytes([8; 32]),
            )],
            reason: EpochReason::OTHER,
        };
        begin(&call, &mut Rng::from_seed([at.to_be_bytes()[7]; 32])).unwrap()
    }
}

/// The epoch item on a chain that has heard all of these.
fn announce(town: &Town, pen: &Pen, new: &NewEpoch, heard: &[&Pen], at: u64) -> Sealed {
    let deps: Vec<&Sealed> = heard.iter().filter_map(|pen| pen.chain.last()).collect();
    pen.control(town, &[Item::Epoch(new.item.clone())], &deps, at)
}

pub(crate) fn replica(town: &Town, pens: &[&Pen]) -> Replica {
    let mut replica = Replica::new(town);
    replica.lace = replica.lace.ruled_by(&WithEpochs);
    // Each after what it names.
    let mut rest: Vec<&Sealed> = pens.iter().flat_map(|pen| &pen.chain).collect();
    rest.sort_by_key(|envelope| envelope.get().envelope.header.generation);
    for envelope in rest {
        replica.takes(envelope);
    }
    replica
}

pub(crate) fn survey(replica: &mut Replica) -> Survey {
    replica.run(|lace, store| {
        let effect = lace.held_effect(store);
        let held = lace.held_set(store);
        lace.facts(store, |facts| {
            Survey::of(facts, &held, &effect, &WithEpochs)
        })
    })
}

#[test]
fn an_epoch_is_for_exactly_those_who_are_entitled_in_its_past() {
    let mut hall = Hall::new(1);
    let (ada, _) = hall.guest(2, Terms::GUEST);
    let (bob, bobs) = hall.guest(3, Terms::GUEST);
    let (town, owner) = (&hall.town, &hall.owner);
    let all = [to(key(1)), to(key(2)), to(key(3))];
    let heard = [&ada, &bob];
    let at = START + 1;
    let mut here = replica(town, &[owner, &ada, &bob]);
    let right = announce(town, owner, &hall.epoch(&all, at), &heard, at);
    for (devices, rule) in [
        (vec![all[0], all[1]], Rule::Holder),
        (vec![all[0], all[1], all[2], to(key(9))], Rule::Holder),
        (vec![all[0], all[1], to(key(9))], Rule::Holder),
        (vec![all[0], all[1], all[1]], Rule::Holder),
        // The key that the claim told, which a later one has replaced.
        (
            vec![all[0], all[1], to(SealingKey::from_bytes(GUESTS))],
            Rule::Holder,
        ),
    ] {
        here.refuses(
            &announce(town, owner, &hall.epoch(&devices, at), &heard, at),
            rule,
        );
    }
    // Whoever has not heard of a guest leaves it out, and is right at everybody.
    let blind = announce(town, owner, &hall.epoch(&all[..2], at), &[&ada], at);
    here.refuses(&blind, Rule::Holder);
    // Bob's invite is in the past though nobody has claimed it there.
    let invite = match &town_invites(owner)[1] {
        Item::Invite(invite) => invite.sealing,
        _ => panic!(),
    };
    let with_invite = [all[0], all[1], to(invite)];
    let blind = announce(town, owner, &hall.epoch(&with_invite, at), &[&ada], at);
    here.takes(&blind);
    let mut there = replica(town, &[owner, &ada, &bob]);
    there.takes(&right);
    // A removed member is left out, and nobody may leave it in.
    hall.revoke(bobs, &[], &[&ada, &bob]);
    let (town, owner) = (&hall.town, &hall.owner);
    let mut here = replica(town, &[owner, &ada, &bob]);
    let still = announce(town, owner, &hall.epoch(&all, at), &heard, at);
    here.refuses(&still, Rule::Holder);
    here.takes(&announce(
        town,
        owner,
        &hall.epoch(&all[..2], at),
        &heard,
        at,
    ));
}

/// The invites of a chain.
fn town_invites(pen: &Pen) -> Vec<Item> {
    let items = pen.chain.iter().flat_map(|envelope| &envelope.get().items);
    let items = items.flatten().cloned();
    items
        .filter(|item| matches!(item, Item::Invite(_)))
        .collect()
}

#[test]
fn whoever_may_not_read_all_of_it_begins_none() {
    let mut hall = Hall::new(2);
    let until = |until| {
        Some(Interval {
            from: 0,
            until: Some(until),
        })
    };
    let may = |publish, read| Terms {
        rights: Rights {
            publish,
            read,
            admit: None,
        },
        ..Terms::GUEST
    };
    let always = Some(Interval::ALWAYS);
    let later = Some(Interval {
        from: START + 10 * DAY,
        until: None,
    });
    let at = START + 5;
    for (n, (terms, fits)) in (10..).zip([
        (may(always, always), true),
        (READER, false),
        (may(always, None), false),
        (may(always, until(START + 20 * DAY)), false),
        (may(always, later), false),
        (may(later, always), false),
        (may(until(START + 20 * DAY), always), true),
    ]) {
        let mut hall = Hall::new(u64::from(n));
        let (pen, _) = hall.guest(n, terms);
        let mut replica = replica(&hall.town, &[&hall.owner, &pen]);
        let devices = [to(key(1)), to(key(n))];
        let item = announce(
            &hall.town,
            &pen,
            &hall.epoch(&devices, at),
            &[&hall.owner],
            at,
        );
        match fits {
            true => replica.takes(&item),
            false => replica.refuses(&item, Rule::Right),
        }
    }
    // Nobody begins one in the envelope that begins its chain.
    let (pen, grant) = hall.guest(7, Terms::GUEST);
    let new = hall.epoch(&[to(key(1)), to(key(7))], at);
    let mut other = hall.town.pen(&pen.device, grant);
    let claim = pen.chain[0].get().items.clone().unwrap()[1].clone();
    let items = [claim, Item::Epoch(new.item)];
    let deps = [&hall.owner.chain[2], pen.chain.last().unwrap()];
    let first = other.begin(&hall.town, 1, &items, &deps, at);
    replica(&hall.town, &[&hall.owner, &pen]).refuses(&first, Rule::Right);
    // Nor one whose right to read was taken back.
    hall.revoke(grant, &[Right::Read], &[&pen]);
    let new = hall.epoch(&[to(key(1)), to(key(7))], at);
    let item = announce(&hall.town, &pen, &new, &[&hall.owner], at);
    replica(&hall.town, &[&hall.owner, &pen]).refuses(&item, Rule::Right);
}

#[test]
fn a_device_begins_four_epochs_a_day_whatever_it_writes_under() {
    let mut hall = Hall::new(3);
    let (mut ada, grant) = hall.guest(2, Terms::GUEST);
    let devices = [to(key(1)), to(key(2))];
    for n in 0..4 {
        let new = hall.epoch(&devices, START + n);
        let items = [Item::Epoch(new.item)];
        ada.issue(&hall.town, &items, &[&hall.owner.chain[2]], START + n);
    }
    let mut here = replica(&hall.town, &[&hall.owner, &ada]);
    let try_at = |pen: &Pen, at| {
        let new = hall.epoch(&devices, at);
        pen.control(&hall.town, &[Item::Epoch(new.item)], &[], at)
    };
    here.refuses(&try_at(&ada, START + 5), Rule::Rate);
    here.refuses(&try_at(&ada, START + DAY - 1), Rule::Rate);
    here.takes(&try_at(&ada, START + DAY));
    // A fresh author key of the same device does not begin anew.
    let mut here = replica(&hall.town, &[&hall.owner, &ada]);
    let mut town = Town::new(33);
    let mut again = town.pen(&ada.device, grant);
    let claim = ada.chain[0].get().items.clone().unwrap()[1].clone();
    let deps = [&hall.owner.chain[2], ada.chain.last().unwrap()];
    again.begin(&hall.town, 1, &[claim], &deps, START + 6);
    here.takes(&again.chain[0]);
    here.refuses(&try_at(&again, START + 7), Rule::Rate);
    // Others are not concerned; nobody begins two at once.
    let mut here = replica(&hall.town, &[&hall.owner, &ada]);
    let news = [9, 10].map(|n| Item::Epoch(hall.epoch(&devices, START + n).item));
    let deps = [ada.chain.last().unwrap()];
    let two = hall.owner.control(&hall.town, &news, &deps, START + 10);
    here.refuses(&two, Rule::Rate);
    let one = hall
        .owner
        .control(&hall.town, &news[1..], &deps, START + 10);
    here.takes(&one);
}

#[test]
fn boxes_count_on_the_announcers_chain_after_the_item_and_each_once() {
    let mut hall = Hall::new(4);
    let (ada, _) = hall.guest(2, Terms::GUEST);
    let devices = [to(key(1)), to(key(2))];
    let at = START + 5;
    let new = hall.epoch(&devices, at);
    let boxes = Item::Boxes(new.boxes[0].clone());
    let early = hall.owner.control(
        &hall.town,
        std::slice::from_ref(&boxes),
        &[&ada.chain[1]],
        at,
    );
    let mut here = replica(&hall.town, &[&hall.owner, &ada]);
    here.refuses(&early, Rule::Size);
    let item = Item::Epoch(new.item.clone());
    hall.owner.issue(&hall.town, &[item], &[&ada.chain[1]], at);
    let mut here = replica(&hall.town, &[&ada, &hall.owner]);
    assert!(!survey(&mut here).epochs[0].announced.is_usable());
    // Somebody else's are nobody's.
    let theirs = ada.control(
        &hall.town,
        std::slice::from_ref(&boxes),
        &[hall.owner.chain.last().unwrap()],
        at,
    );
    here.refuses(&theirs, Rule::Size);
    // For somebody who is not entitled.
    let other = hall.epoch(&[to(key(1)), to(key(9))], at);
    let mut false_ones = other.boxes[0].clone();
    false_ones.epoch = new.item.id();
    let lie = hall
        .owner
        .control(&hall.town, &[Item::Boxes(false_ones)], &[], at);
    here.refuses(&lie, Rule::Holder);
    let right = hall.owner.issue(&hall.town, &[boxes], &[], at);
    here.takes(&right);
    let heard = survey(&mut here);
    assert!(heard.epochs[0].announced.is_usable() && heard.epochs[0].clean);
    // More than were announced.
    let again = hall.epoch(&devices, at + 1).boxes[0].clone();
    let more = wire::Boxes {
        epoch: new.item.id(),
        ..again
    };
    here.refuses(
        &hall
            .owner
            .control(&hall.town, &[Item::Boxes(more)], &[], at),
        Rule::Size,
    );
}

/// An announcer that forks puts its boxes on the branch without the announcement, of which it has
/// heard through somebody else.
#[test]
fn boxes_on_another_branch_than_their_epoch_are_none() {
    let mut hall = Hall::new(12);
    let (ada, _) = hall.guest(2, Terms::GUEST);
    let at = START + 5;
    let new = hall.epoch(&[to(key(1)), to(key(2))], at);
    let mut twin = hall.owner.clone();
    twin.issue(&hall.town, &[Item::Leave], &[&ada.chain[1]], at);
    let item = Item::Epoch(new.item.clone());
    let announced = hall.owner.issue(&hall.town, &[item], &[&ada.chain[1]], at);
    let profile = Item::Profile(vec![1; 60]);
    let heard = ada.control(&hall.town, &[profile], &[&announced], at);
    let mut here = replica(&hall.town, &[&ada, &hall.owner]);
    here.takes(&heard);
    here.verdict(twin.chain.last().unwrap());
    let boxes = [Item::Boxes(new.boxes[0].clone())];
    here.refuses(&twin.control(&hall.town, &boxes, &[&heard], at), Rule::Size);
    let right = hall.owner.control(&hall.town, &boxes, &[&heard], at);
    assert_ne!(here.verdict(&right), Admission::Refused(Rule::Size));
}

#[test]
fn an_invite_gets_a_box_as_long_as_somebody_can_claim_it() {
    let mut hall = Hall::new(5);
    let (key_of_invite, invite) = hall.town.invite(hall.town.root(), Terms::GUEST);
    let Item::Invite(open) = &invite else {
        panic!()
    };
    let (sealing, until) = (open.sealing, open.until);
    let at = hall
        .owner
        .issue(&hall.town, std::slice::from_ref(&invite), &[], START);
    let mut here = replica(&hall.town, &[&hall.owner]);
    let item = |hall: &Hall, devices: &[Entitled], at| {
        announce(&hall.town, &hall.owner, &hall.epoch(devices, at), &[], at)
    };
    let both = [to(key(1)), to(sealing)];
    here.refuses(&item(&hall, &both[..1], START + 1), Rule::Holder);
    here.refuses(&item(&hall, &both, until + 1), Rule::Holder);
    here.takes(&item(&hall, &both, until));
    let mut here = replica(&hall.town, &[&hall.owner]);
    here.takes(&item(&hall, &both[..1], until + 1));
    // As many have claimed it as may: their own keys take its place.
    let guest = hall.town.guest(&(key_of_invite, invite), &at);
    let claimed = [to(key(1)), to(SealingKey::from_bytes(GUESTS))];
    let mut here = replica(&hall.town, &[&hall.owner, &guest]);
    let after = |devices: &[Entitled]| {
        let new = hall.epoch(devices, START + 2);
        announce(&hall.town, &hall.owner, &new, &[&guest], START + 2)
    };
    here.refuses(&after(&both), Rule::Holder);
    here.takes(&after(&claimed));
}

#[test]
fn a_repeated_claim_does_not_bring_an_old_sealing_key_back() {
    let mut hall = Hall::new(6);
    let (ada, grant) = hall.guest(2, Terms::GUEST);
    let claim = ada.chain[0].get().items.clone().unwrap()[1].clone();
    let mut again = hall.town.pen(&ada.device, grant);
    let deps = [&hall.owner.chain[2], ada.chain.last().unwrap()];
    again.begin(&hall.town, 1, &[claim], &deps, START + 6);
    let now = survey(&mut replica(&hall.town, &[&hall.owner, &ada, &again])).now;
    assert_eq!(now.sealing(&ada.device.public()), Some(key(2)));
    // A new claim, of a device that has lost what it had, does.
    let (secret, invite) = hall.town.invite(hall.town.root(), Terms::GUEST);
    let at = hall
        .owner
        .issue(&hall.town, std::slice::from_ref(&invite), &[], START);
    let mut anew = hall.town.pen(&ada.device, invite.id());
    let device = ada.device.public();
    let claim = Claim::sign(hall.town.id, &secret, invite.id(), device, key(5), START);
    let deps = [&at, again.chain.last().unwrap()];
    anew.begin(&hall.town, 2, &[Item::Claim(claim)], &deps, START + 7);
    let pens = [&hall.owner, &ada, &again, &anew];
    let now = survey(&mut replica(&hall.town, &pens)).now;
    assert_eq!(now.sealing(&device), Some(key(5)));
}

#[test]
fn an_epoch_is_clean_until_somebody_who_may_have_it_is_removed() {
    let mut hall = Hall::new(7);
    let (ada, _) = hall.guest(2, Terms::GUEST);
    let devices = [to(key(1)), to(key(2))];
    let new = hall.epoch(&devices, START);
    let item = Item::Epoch(new.item.clone());
    let deps = [ada.chain.last().unwrap()];
    hall.owner.issue(&hall.town, &[item], &deps, START);
    for boxes in &new.boxes {
        hall.owner
            .issue(&hall.town, &[Item::Boxes(boxes.clone())], &[], START);
    }
    let clean = |hall: &Hall, pens: &[&Pen]| {
        let all = [&[&hall.owner], pens].concat();
        let mut here = replica(&hall.town, &all);
        let fresh = survey(&mut here);
        let mut here = here.reopen();
        here.lace = here.lace.ruled_by(&WithEpochs);
        let again = survey(&mut here);
        assert_eq!(fresh.epochs.len(), again.epochs.len());
        let found = (fresh.epochs[0].clean, fresh.genesis_clean);
        assert_eq!(found, (again.epochs[0].clean, again.genesis_clean));
        found
    };
    assert_eq!(clean(&hall, &[&ada]), (true, true));
    // Whoever joins later may have been given it: it is not clean without them.
    let (bob, bobs) = hall.guest(3, Terms::GUEST);
    let (eve, eves) = hall.guest(4, Terms::GUEST);
    assert_eq!(clean(&hall, &[&ada, &bob, &eve]), (true, true));
    let before = hall.owner.clone();
    hall.revoke(bobs, &[], &[&bob, &eve]);
    assert_eq!(clean(&hall, &[&ada, &bob, &eve]), (false, false));
    hall.owner = before;
    hall.revoke(eves, &[Right::Read], &[&bob, &eve]);
    assert_eq!(clean(&hall, &[&ada, &bob, &eve]), (false, false));
}

#[test]
fn who_repeats_an_announcement_moves_nothing() {
    let mut hall = Hall::new(8);
    let (mut ada, _) = hall.guest(2, Terms::GUEST);
    let devices = [to(key(1)), to(key(2))];
    let new = hall.epoch(&devices, START + 5);
    let item = Item::Epoch(new.item.clone());
    let deps = [ada.chain.last().unwrap().clone()];
    let deps: Vec<&Sealed> = deps.iter().collect();
    hall.owner
        .issue(&hall.town, std::slice::from_ref(&item), &deps, START + 5);
    // The same item on another chain, with boxes of that one's own making.
    let last = hall.owner.chain.last().unwrap().clone();
    ada.issue(&hall.town, &[item], &[&last], START + MINUTE);
    let lies = hall.epoch(&devices, START + 6).boxes[0].clone();
    let lies = wire::Boxes {
        epoch: new.item.id(),
        ..lies
    };
    ada.issue(&hall.town, &[Item::Boxes(lies)], &[], START + MINUTE);
    let mut here = replica(&hall.town, &[&hall.owner, &ada]);
    let found = survey(&mut here);
    assert_eq!(found.epochs.len(), 1);
    let heard = &found.epochs[0];
    assert_eq!(heard.generation, last.get().envelope.header.generation);
    assert!(
        heard.announced.boxes().0.is_empty(),
        "none of the announcer's"
    );
    let boxes = Item::Boxes(new.boxes[0].clone());
    let right = hall.owner.issue(&hall.town, &[boxes], &[], START + 6);
    assert!(matches!(here.verdict(&right), Admission::Admitted { .. }));
    assert!(survey(&mut here).epochs[0].announced.is_usable());
}

/// A device that has claimed two invites has what both give, whichever was heard of first.
#[test]
fn two_claims_of_a_device_are_judged_the_same_everywhere() {
    let mut hall = Hall::new(71);
    let all = Terms::GUEST;
    let write = Terms {
        rights: Rights {
            read: None,
            ..all.rights
        },
        ..all
    };
    let one = hall.town.invite(hall.town.root(), all);
    let two = hall.town.invite(hall.town.root(), write);
    let at = hall
        .owner
        .issue(&hall.town, &[one.1.clone(), two.1.clone()], &[], START);
    let first = hall.town.guest(&one, &at);
    let mut second = hall.town.pen(&first.device, two.1.id());
    let claim = second.claim(&hall.town, &two.0, START);
    second.begin(&hall.town, 1, &[claim], &[&at], START);
    let mut verdicts = Vec::new();
    for order in [[&first, &second], [&second, &first]] {
        let mut here = replica(&hall.town, &[&hall.owner]);
        for pen in order {
            here.takes(&pen.chain[0]);
        }
        let portion = survey(&mut here).now.portion(&first.device.public());
        // An epoch by that device, which has both in its past.
        let new = hall.epoch(&[to(key(1)), to(SealingKey::from_bytes(GUESTS))], START + 1);
        let said = announce(
            &hall.town,
            &first,
            &new,
            &[&first, &second, &hall.owner],
            START + 1,
        );
        verdicts.push((portion, here.verdict(&said)));
    }
    assert_eq!(
        std::mem::discriminant(&verdicts[0].1),
        std::mem::discriminant(&verdicts[1].1)
    );
    assert_eq!(verdicts[0].0, verdicts[1].0);
    assert_eq!(verdicts[0].0, Some(WHOLE));
    assert!(matches!(verdicts[0].1, Admission::Admitted { .. }));
}
