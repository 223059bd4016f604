//! Epochs under the law: what their own tests try fault by fault is refused here too.

use identity::SealingKey;
use identity::seal::hpke::HpkeSecret;
use lace::Rule;
use machine::Rng;
use rights::{Call, Entitled, MeetingSecret, NewEpoch, Portion, begin};
use wire::{EpochReason, Item, Terms};

use crate::town::{Replica, START, Town, grant, revoke};

fn key(n: u8) -> SealingKey {
    HpkeSecret::from_bytes([n; 32]).public()
}

fn epoch(town: &Town, to: &[SealingKey], at: u64) -> NewEpoch {
    let portion = Portion::Reads {
        from: 0,
        until: None,
    };
    let devices: Vec<Entitled> = to.iter().map(|to| Entitled { to: *to, portion }).collect();
    let meeting = MeetingSecret::from_bytes([8; 32]);
    let call = Call {
        topic: town.id,
        created: at,
        boundary: None,
        devices: &devices,
        cores: &[],
        follows: &[(town.genesis.epoch.id(), meeting)],
        reason: EpochReason::OTHER,
    };
    begin(&call, &mut Rng::from_seed([7; 32])).unwrap()
}

/// A member is revoked and the next epoch leaves it out; whoever leaves it in is refused.
#[test]
fn an_epoch_is_for_those_who_are_left() {
    let mut town = Town::new(600);
    let mut owner = town.owners();
    let bea = town.key();
    let to_bea = grant(town.root(), &bea.public(), Terms::GUEST);
    let items = [Item::Sealing(key(1)), to_bea.clone()];
    let at = owner.issue(&town, &items, &[], START);
    let mut pen = town.pen(&bea, to_bea.id());
    let own = pen.begin(&town, 0, &[Item::Sealing(key(2))], &[&at], START);
    let both = epoch(&town, &[key(1), key(2)], START + 1);
    let alone = epoch(&town, &[key(1)], START + 1);
    let say =
        |new: &NewEpoch| owner.control(&town, &[Item::Epoch(new.item.clone())], &[&own], START + 1);
    let mut replica = Replica::with(&town, &[&owner, &pen]);
    replica.refuses(&say(&alone), Rule::Epoch);
    replica.takes(&say(&both));
    owner.issue(&town, &[revoke(to_bea.id(), &[&own])], &[&own], START + 1);
    let say =
        |new: &NewEpoch| owner.control(&town, &[Item::Epoch(new.item.clone())], &[], START + 1);
    let mut replica = Replica::with(&town, &[&owner, &pen]);
    replica.refuses(&say(&both), Rule::Epoch);
    let announced = say(&alone);
    replica.takes(&announced);
    owner.chain.push(announced);
    for boxes in &alone.boxes {
        let next = owner.issue(&town, &[Item::Boxes(boxes.clone())], &[], START + 1);
        replica.takes(&next);
    }
    // Boxes of an epoch that nobody has announced.
    for boxes in &both.boxes {
        let next = owner.control(&town, &[Item::Boxes(boxes.clone())], &[], START + 1);
        replica.refuses(&next, Rule::Boxes);
    }
}
