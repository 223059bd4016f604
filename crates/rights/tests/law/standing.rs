//! What stands of what was admitted.

use identity::{Device, Form};
use wire::{Item, Terms};

use crate::town::{ALL, Replica, START, Town, grant, grant_to};

#[test]
fn grants_seats_and_claims_stand() {
    let mut town = Town::new(300);
    let mut owner = town.owners();
    let (bea, phone, cleo) = (town.key(), town.key(), town.key());
    let mut keys = [(bea.public(), 100), (phone.public(), 156)];
    keys.sort_unstable();
    let form = Form::new(keys.map(|(key, share)| Device { key, share }).to_vec(), 1).unwrap();
    let to_bea = grant_to(town.root(), form.clone(), ALL);
    let at = owner.issue(&town, std::slice::from_ref(&to_bea), &[], START);
    let mut pen = town.pen(&bea, to_bea.id());
    pen.begin(&town, 0, &[], &[&at], START + 1);
    let to_cleo = grant(to_bea.id(), &cleo.public(), Terms::GUEST);
    let invite = town.invite(to_bea.id(), Terms::GUEST);
    let at = pen.issue(&town, &[to_cleo.clone(), invite.1.clone()], &[], START + 2);
    let guest = town.guest(&invite, &at);
    let mut replica = Replica::with(&town, &[&owner, &pen, &guest]);
    let effect = replica.run(|lace, store| lace.held_effect(store));
    let of = |item: &Item| &effect.grants[&item.id()];
    assert_eq!(effect.grants.len(), 4);
    assert_eq!(effect.grants[&town.root()].depth, 0);
    assert_eq!((of(&to_bea).depth, of(&to_bea).since), (1, START));
    assert_eq!((of(&to_cleo).depth, of(&to_cleo).since), (2, START + 2));
    assert_eq!(of(&to_bea).holder, Some(form.member()));
    assert_eq!(of(&invite.1).holder, None);
    let seat = |form: &Form, key| effect.devices[&(form.member(), key)];
    assert_eq!(seat(&form, bea.public()).share, 100);
    assert_eq!(seat(&form, phone.public()).share, 156);
    let cleos = Form::one(cleo.public());
    assert_eq!(seat(&cleos, cleo.public()).grant, to_cleo.id());
    let guests = Form::one(guest.device.public());
    let guests = seat(&guests, guest.device.public());
    assert_eq!((guests.grant, guests.share), (invite.1.id(), 256));
    let owners = Form::one(town.owner.public());
    assert_eq!(seat(&owners, town.owner.public()).grant, town.root());
    assert!(effect.void.is_empty() && effect.limits.is_empty());
    // A restart, and the past of an envelope, say the same.
    let again = replica.reopen().run(|lace, store| lace.held_effect(store));
    assert_eq!(again, effect);
}

/// A form that another grant has told need not be told again.
#[test]
fn a_holder_is_known_by_any_grant_of_the_past() {
    let mut town = Town::new(301);
    let mut owner = town.owners();
    let bea = town.key();
    let first = grant(town.root(), &bea.public(), Terms::GUEST);
    let Item::Grant(mut second) = grant(town.root(), &bea.public(), ALL) else {
        panic!("a grant");
    };
    second.form = None;
    let second = Item::Grant(second);
    let untold = owner.control(&town, std::slice::from_ref(&second), &[], START);
    let mut replica = Replica::with(&town, &[&owner]);
    replica.takes(&untold);
    let pen = town.pen(&bea, second.id());
    replica.refuses(
        &pen.first(&town, 0, &[], &[&untold], START + 1),
        lace::Rule::Holder,
    );
    let at = owner.issue(&town, &[first], &[], START);
    let next = owner.issue(&town, std::slice::from_ref(&second), &[&at], START);
    let mut replica = Replica::with(&town, &[&owner]);
    let mut pen = town.pen(&bea, second.id());
    replica.takes(&pen.begin(&town, 0, &[], &[&next], START + 1));
    replica.takes(&pen.say(&town, &[], START + 2));
}

/// Whoever forks keeps whom it has let in: membership follows the past alone.
#[test]
fn a_forker_takes_nobody_with_it() {
    let mut town = Town::new(302);
    let mut owner = town.owners();
    let bea = town.key();
    let to_bea = grant(town.root(), &bea.public(), ALL);
    let at = owner.issue(&town, std::slice::from_ref(&to_bea), &[], START);
    let mut pen = town.pen(&bea, to_bea.id());
    pen.begin(&town, 0, &[], &[&at], START + 1);
    let invite = town.invite(to_bea.id(), Terms::GUEST);
    let twin = pen.control(&town, &[Item::Leave], &[], START + 2);
    let at = pen.issue(&town, std::slice::from_ref(&invite.1), &[], START + 2);
    let mut guest = town.guest(&invite, &at);
    guest.say(&town, &[], START + 5);
    let mut replica = Replica::with(&town, &[&owner, &pen]);
    replica.verdict(&twin);
    for envelope in &guest.chain {
        replica.takes(envelope);
    }
    let effect = replica.run(|lace, store| lace.held_effect(store));
    assert!(effect.grants.contains_key(&invite.1.id()));
    let member = Form::one(guest.device.public()).member();
    assert!(
        effect
            .devices
            .contains_key(&(member, guest.device.public()))
    );
}
