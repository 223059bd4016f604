//! Revocations and closes, each rule as the attack that it stops.

use std::collections::BTreeSet;

use identity::{EnvelopeId, GrantId};
use lace::{Admission, Rule};
use wire::{Close, Interval, Item, Revocation, Right, Terms};

use crate::town::{
    ALL, DAY, MINUTE, Pen, Replica, START, Sealed, Town, by_past, grant, id, limited, revoke,
    revoke_with,
};

const GUEST: Terms = Terms::GUEST;

/// The owner, Bea who may do everything under it, and Cleo whom Bea has let in.
struct Cast {
    town: Town,
    owner: Pen,
    bea: Pen,
    cleo: Pen,
}

fn cast(seed: u64) -> Cast {
    let mut town = Town::new(seed);
    let mut owner = town.owners();
    let (bea, cleo) = (town.key(), town.key());
    let to_bea = grant(town.root(), &bea.public(), ALL);
    let at = owner.issue(&town, std::slice::from_ref(&to_bea), &[], START);
    let mut bea = town.pen(&bea, to_bea.id());
    bea.begin(&town, 0, &[], &[&at], START + 1);
    let to_cleo = grant(to_bea.id(), &cleo.public(), ALL);
    let at = bea.issue(&town, std::slice::from_ref(&to_cleo), &[], START + 2);
    let mut cleo = town.pen(&cleo, to_cleo.id());
    cleo.begin(&town, 0, &[], &[&at], START + 3);
    Cast {
        town,
        owner,
        bea,
        cleo,
    }
}

fn close(grant: GrantId, cut: &[&Sealed]) -> Item {
    let cut: BTreeSet<EnvelopeId> = cut.iter().map(|it| id(it)).collect();
    Item::Close(Close {
        grant,
        cut: cut.into_iter().collect(),
    })
}

/// Whatever time it claims, wherever it hangs, whoever names it.
#[test]
fn what_is_minted_under_a_revoked_key_stands_nowhere() {
    let Cast {
        town,
        mut owner,
        mut bea,
        mut cleo,
    } = cast(400);
    let kept = bea.say(&town, &[], START + 4);
    let mut twin = bea.clone();
    let mut town = town;
    let mut anew = town.pen(&bea.device, bea.grant);
    let item = revoke(bea.grant, &[&kept]);
    let revoked = owner.issue(&town, &[item], &[&kept], START + 10);
    // On the chain, back-dated onto an old number, under a new key: none knows of the end.
    let late = bea.say(&town, &[], START + 4);
    let back_dated = twin.content(&town, (1, 9), &[], START + 4);
    twin.chain.push(back_dated.clone());
    anew.begin(&town, 1, &[], &[&owner.chain[1]], START + 1);
    let fresh = anew.say(&town, &[], START + 4);
    let answer = cleo.say(&town, &[&late, &fresh], START + 11);
    for order in [false, true] {
        let mut replica = Replica::new(&town);
        let mut all = by_past(&[&owner, &bea, &anew, &cleo]);
        all.push(back_dated.clone());
        if order {
            all.reverse();
        }
        for envelope in &all {
            replica.verdict(envelope);
        }
        if order {
            replica = replica.reopen();
        }
        assert!(replica.stands(&kept) && replica.stands(&revoked));
        assert!(!replica.stands(&late) && !replica.stands(&fresh));
        assert!(!replica.stands(&back_dated));
        // Void spreads along grants, not along deps.
        assert!(replica.stands(&answer) && replica.keeps(&late));
        // Whoever has heard of it is not let on.
        let next = bea.content(&town, (1, 20), &[&revoked], START + 12);
        replica.refuses(&next, Rule::Ended);
        let again = town.pen(&bea.device, bea.grant);
        let first = again.first(&town, 2, &[], &[&owner.chain[1], &revoked], START + 12);
        replica.refuses(&first, Rule::Ended);
    }
}

/// A revoked administrator goes on admitting: all of it falls, and what was admitted in time stays.
#[test]
fn what_a_revoked_administrator_issues_outside_the_cut_falls_with_all_below() {
    let Cast {
        mut town,
        mut owner,
        mut bea,
        mut cleo,
    } = cast(401);
    let cut = bea.chain.last().unwrap().clone();
    let dora = town.key();
    let to_dora = grant(bea.grant, &dora.public(), GUEST);
    let at = bea.issue(&town, std::slice::from_ref(&to_dora), &[], START + 5);
    let mut dora = town.pen(&dora, to_dora.id());
    dora.begin(&town, 0, &[], &[&at], START + 6);
    let said = dora.say(&town, &[], START + 7);
    let cleos = cleo.say(&town, &[&said], START + 8);
    let mut replica = Replica::with(&town, &[&owner, &bea, &cleo, &dora]);
    assert!(replica.stands(&said));
    let item = revoke(bea.grant, &[&cut]);
    let end = owner.issue(&town, &[item], &[&cut], START + 9);
    replica.takes(&end);
    assert!(!replica.stands(&said));
    assert!(replica.stands(&cleos));
    // Who asks hears which item it was, also of those below.
    for fallen in [&at, &said, &dora.chain[0]] {
        assert_eq!(replica.fallen_by(fallen), Some(id(&end)));
    }
    assert_eq!(replica.fallen_by(&cleos), None);
    let effect = replica.run(|lace, store| lace.held_effect(store));
    assert!(!effect.grants.contains_key(&to_dora.id()));
    assert!(!effect.grants.contains_key(&bea.grant));
    assert!(effect.grants.contains_key(&cleo.grant));
    let next = dora.content(&town, (1, 20), &[owner.chain.last().unwrap()], START + 10);
    replica.refuses(&next, Rule::Ended);
}

#[test]
fn only_a_cascade_ends_what_hangs_below() {
    for cascade in [false, true] {
        let Cast {
            town,
            mut owner,
            bea,
            mut cleo,
        } = cast(402);
        let said = cleo.say(&town, &[], START + 5);
        let late = cleo.say(&town, &[], START + 6);
        let ends = [bea.chain.last().unwrap(), &said];
        let item = revoke_with(bea.grant, &ends, |it| it.cascade = cascade);
        let end = owner.issue(&town, &[item], &ends, START + 7);
        let mut replica = Replica::with(&town, &[&owner, &bea, &cleo]);
        assert!(replica.stands(&said));
        assert_eq!(replica.stands(&late), !cascade);
        let next = cleo.content(&town, (1, 20), &[&end], START + 8);
        match cascade {
            true => replica.refuses(&next, Rule::Ended),
            false => replica.takes(&next),
        }
    }
}

/// Each right by itself; the others go on.
#[test]
fn rights_end_apart() {
    for only in [Right::Publish, Right::Admit, Right::Read] {
        let Cast {
            mut town,
            mut owner,
            mut bea,
            cleo,
        } = cast(403);
        let at = bea.chain.last().unwrap().clone();
        let said = bea.say(&town, &[], START + 5);
        let dora = town.key();
        let given = grant(bea.grant, &dora.public(), GUEST);
        let gave = bea.issue(&town, std::slice::from_ref(&given), &[], START + 6);
        let item = revoke_with(bea.grant, &[&at], |it| it.only = [only].into());
        let end = owner.issue(&town, &[item], &[&at], START + 7);
        let mut replica = Replica::with(&town, &[&owner, &bea, &cleo]);
        assert_eq!(replica.stands(&said), only != Right::Publish);
        let effect = replica.run(|lace, store| lace.held_effect(store));
        let stands = effect.grants.contains_key(&given.id());
        assert_eq!(stands, only != Right::Admit);
        let over = effect.grants[&bea.grant].over;
        assert_eq!(over.publish, only == Right::Publish);
        assert_eq!(over.admit, only == Right::Admit);
        assert_eq!(over.read, only == Right::Read);
        assert!(replica.keeps(&gave));
        let next = bea.content(&town, (1, 20), &[&end], START + 8);
        match only {
            Right::Publish => replica.refuses(&next, Rule::Ended),
            _ => replica.takes(&next),
        }
        let mut replica = Replica::with(&town, &[&owner, &bea, &cleo]);
        let next = bea.control(&town, &[given], &[&end], START + 8);
        match only {
            Right::Admit => replica.refuses(&next, Rule::Ended),
            _ => replica.takes(&next),
        }
        let next = bea.control(&town, &[Item::Profile(vec![1; 60])], &[&end], START + 8);
        let mut replica = Replica::with(&town, &[&owner, &bea, &cleo]);
        replica.takes(&next);
    }
}

#[test]
fn nobody_ends_what_is_not_below_it() {
    let Cast {
        mut town,
        mut owner,
        mut bea,
        mut cleo,
    } = cast(404);
    let dora = town.key();
    let to_dora = grant(town.root(), &dora.public(), ALL);
    let invite = town.invite(town.root(), ALL);
    let items = [to_dora.clone(), invite.1.clone()];
    let at = owner.issue(&town, &items, &[], START + 5);
    let mut dora = town.pen(&dora, to_dora.id());
    dora.begin(&town, 0, &[], &[&at], START + 6);
    let guest = town.guest(&invite, &at);
    let other = town.guest(&invite, &at);
    let mut replica = Replica::with(&town, &[&owner, &bea, &cleo, &dora, &guest, &other]);
    let end = at.clone();
    let ends = |replica: &mut Replica, pen: &Pen, grant, deps: &[&Sealed]| {
        let item = revoke(grant, &[]);
        replica.refuses(&pen.control(&town, &[item], deps, START + 9), Rule::Above);
        let item = close(grant, &[]);
        let written = pen.control(&town, &[item], deps, START + 9);
        replica.refuses(&written, Rule::Above);
    };
    // A sibling; somebody below; the root, by its owner; what nobody has.
    ends(&mut replica, &dora, bea.grant, &[&end]);
    ends(&mut replica, &bea, dora.grant, &[&end]);
    ends(&mut replica, &cleo, bea.grant, &[&end]);
    ends(&mut replica, &owner, owner.grant, &[&end]);
    ends(&mut replica, &owner, GrantId::from_bytes([9; 32]), &[&end]);
    // What is below somebody else, by somebody who stands higher than that.
    let cleos = cleo.chain.last().unwrap().clone();
    ends(&mut replica, &dora, cleo.grant, &[&cleos]);
    // What is not in the past.
    ends(&mut replica, &owner, cleo.grant, &[]);
    // Who was let in by one invite holds it together with others: nobody ends it for them.
    ends(&mut replica, &guest, invite.1.id(), &[&end]);
    // A reader ends nothing at all.
    bea.chain.clear();
    cleo.chain.clear();
}

/// A composition with grants of two depths ends what is above the deeper one with an author of the
/// other alone.
#[test]
fn two_grants_do_not_end_one_another() {
    let Cast {
        mut town,
        owner,
        mut bea,
        cleo,
    } = cast(405);
    // Bea holds one more, below Cleo, and writes under that too.
    let mut cleo = cleo;
    let again = grant(cleo.grant, &bea.device.public(), ALL);
    let at = cleo.issue(&town, std::slice::from_ref(&again), &[], START + 5);
    let mut below = town.pen(&bea.device.clone(), again.id());
    below.begin(&town, 0, &[], &[&at], START + 6);
    let mut replica = Replica::with(&town, &[&owner, &bea, &cleo, &below]);
    for target in [cleo.grant, bea.grant] {
        let written = below.control(&town, &[revoke(target, &[])], &[], START + 7);
        replica.refuses(&written, Rule::Above);
        let written = below.control(&town, &[close(target, &[])], &[], START + 7);
        replica.refuses(&written, Rule::Above);
    }
    let written = bea.control(&town, &[revoke(cleo.grant, &[])], &[&at], START + 7);
    replica.takes(&written);
    bea.chain.push(written);
}

/// What a cut names is named by its carrier, or by one of the sixteen before that.
#[test]
fn a_cut_names_nothing_that_its_author_does_not_name() {
    let Cast {
        town,
        mut owner,
        mut bea,
        mut cleo,
    } = cast(406);
    let said = bea.say(&town, &[], START + 5);
    let next = bea.say(&town, &[], START + 6);
    let cleos = cleo.say(&town, &[&next], START + 7);
    let item = revoke(bea.grant, &[&said]);
    let written = |owner: &Pen, deps: &[&Sealed], created| {
        owner.control(&town, std::slice::from_ref(&item), deps, created)
    };
    let all = |owner: &Pen| Replica::with(&town, &[owner, &bea, &cleo]);
    // Nowhere in the past; there, but not named; named.
    all(&owner).refuses(&written(&owner, &[], START + 8), Rule::Cut);
    all(&owner).refuses(&written(&owner, &[&next, &cleos], START + 8), Rule::Cut);
    all(&owner).takes(&written(&owner, &[&said], START + 8));
    owner.say(&town, &[&said], START + 8);
    for _ in 0..15 {
        owner.say(&town, &[], START + 9);
    }
    all(&owner).takes(&written(&owner, &[], START + 9));
    owner.say(&town, &[], START + 9);
    all(&owner).refuses(&written(&owner, &[], START + 9), Rule::Cut);
}

/// A thief who ends its owner's grant leaves all that it has in its past; and whatever it has left
/// out, by looking away, stands where others have built upon it.
#[test]
fn a_holder_ends_its_own_grant_behind_all_that_it_knows() {
    let Cast {
        mut town,
        mut owner,
        mut bea,
        cleo,
    } = cast(407);
    let before = bea.chain.last().unwrap().clone();
    let said = bea.say(&town, &[], START + 5);
    let answer = owner.say(&town, &[&said], START + 6);
    let unheard = bea.say(&town, &[], START + 6);
    // Under another key of the device.
    let mut thief = town.pen(&bea.device.clone(), bea.grant);
    let first = thief.begin(&town, 1, &[], &[&owner.chain[1]], START + 1);
    let replica = || Replica::with(&town, &[&owner, &bea, &cleo, &thief]);
    let write = |cut: &[&Sealed], deps: &[&Sealed]| {
        thief.control(&town, &[revoke(bea.grant, cut)], deps, START + 7)
    };
    // Nothing of the owner; not the thief itself; too little of what is named.
    replica().refuses(&write(&[&first], &[&before]), Rule::Reach);
    replica().refuses(&write(&[&before], &[&before]), Rule::Reach);
    replica().refuses(&write(&[&first, &before], &[&said, &before]), Rule::Reach);
    replica().takes(&write(&[&first, &said], &[&said]));
    // It looks away.
    let away = write(&[&first], &[]);
    let mut replica = replica();
    replica.takes(&away);
    assert!(replica.stands(&said) && replica.stands(&answer));
    assert!(!replica.stands(&unheard));
    assert_eq!(replica.fallen_by(&unheard), Some(id(&away)));
    // Control outside of the cut is void, and whom it let in is let in anew.
    assert!(!replica.stands(&before) && replica.keeps(&before));
    let effect = replica.run(|lace, store| lace.held_effect(store));
    assert!(!effect.grants.contains_key(&cleo.grant));
}

/// What has ended weighs nothing in its issuer's share.
#[test]
fn what_was_taken_back_may_be_given_again() {
    let mut town = Town::new(408);
    let mut owner = town.owners();
    let (bea, cleo) = (town.key(), town.key());
    let own = Terms {
        budget: limited(100, 100_000),
        ..ALL
    };
    let to_bea = grant(town.root(), &bea.public(), own);
    let at = owner.issue(&town, std::slice::from_ref(&to_bea), &[], START);
    let mut bea = town.pen(&bea, to_bea.id());
    bea.begin(&town, 0, &[], &[&at], START);
    let give = |messages| {
        let terms = Terms {
            budget: limited(messages, 1000),
            ..GUEST
        };
        grant(to_bea.id(), &cleo.public(), terms)
    };
    bea.issue(&town, &[give(60)], &[], START + 1);
    let mut replica = Replica::with(&town, &[&owner, &bea]);
    let more = bea.control(&town, &[give(41)], &[], START + 2);
    replica.refuses(&more, Rule::Carve);
    let end = bea.issue(&town, &[revoke(give(60).id(), &[])], &[], START + 2);
    replica.takes(&end);
    // Ten minutes after it was given: so much its holder may have written at once.
    let due = START + 1 + 10 * MINUTE;
    let soon = bea.control(&town, &[give(41)], &[], due - 1);
    replica.refuses(&soon, Rule::Carve);
    replica.takes(&bea.control(&town, &[give(41)], &[], due));
}

/// Bea may write until a day has passed.
fn for_a_day(seed: u64) -> (Town, Pen, Pen) {
    let mut town = Town::new(seed);
    let mut owner = town.owners();
    let bea = town.key();
    let mut terms = GUEST;
    let day = Some(Interval {
        from: START,
        until: Some(START + DAY),
    });
    (terms.rights.publish, terms.rights.read) = (day, day);
    let to_bea = grant(town.root(), &bea.public(), terms);
    let at = owner.issue(&town, std::slice::from_ref(&to_bea), &[], START);
    let mut bea = town.pen(&bea, to_bea.id());
    bea.begin(&town, 0, &[], &[&at], START);
    (town, owner, bea)
}

#[test]
fn nothing_is_closed_before_a_day_after_its_end() {
    let (mut town, mut owner, mut bea) = for_a_day(409);
    let said = bea.say(&town, &[], START + DAY - 1);
    let other = town.key();
    let endless = grant(town.root(), &other.public(), GUEST);
    owner.issue(&town, std::slice::from_ref(&endless), &[], START + 1);
    let write = |item: Item, created| owner.control(&town, &[item], &[&said], created);
    let replica = || Replica::with(&town, &[&owner, &bea]);
    let item = || close(bea.grant, &[&said]);
    replica().refuses(&write(item(), START + 2 * DAY - 1), Rule::Early);
    replica().takes(&write(item(), START + 2 * DAY));
    let endless = close(endless.id(), &[]);
    replica().refuses(&write(endless, START + 300 * DAY), Rule::Early);
}

#[test]
fn a_close_leaves_what_was_written_in_time() {
    let (mut town, mut owner, mut bea) = for_a_day(410);
    let first = bea.chain[0].clone();
    let said = bea.say(&town, &[], START + MINUTE);
    let write = |cut: &[&Sealed], deps: &[&Sealed]| {
        owner.control(&town, &[close(bea.grant, cut)], deps, START + 2 * DAY)
    };
    let replica = || Replica::with(&town, &[&owner, &bea]);
    replica().refuses(&write(&[], &[&said]), Rule::Reach);
    replica().refuses(&write(&[&first], &[&said, &first]), Rule::Reach);
    replica().refuses(&write(&[], &[&first]), Rule::Reach);
    // What it cuts it names itself, though somebody whom it names does.
    let invite = town.invite(town.root(), GUEST);
    let at = owner.issue(&town, std::slice::from_ref(&invite.1), &[], START + 1);
    let mut guest = town.guest(&invite, &at);
    let heard = guest.say(&town, &[&said], START + MINUTE);
    let unnamed = owner.control(
        &town,
        &[close(bea.grant, &[&said])],
        &[&heard],
        START + 2 * DAY,
    );
    Replica::with(&town, &[&owner, &bea, &guest]).refuses(&unnamed, Rule::Cut);
    let write = |cut: &[&Sealed], deps: &[&Sealed]| {
        owner.control(&town, &[close(bea.grant, cut)], deps, START + 2 * DAY)
    };
    let closed = write(&[&said], &[&said]);
    // Back-dated, after the end.
    let late = bea.say(&town, &[], START + MINUTE);
    let mut replica = Replica::with(&town, &[&owner, &bea]);
    assert!(replica.stands(&late));
    replica.takes(&closed);
    assert!(replica.stands(&said) && !replica.stands(&late));
    assert_eq!(replica.fallen_by(&late), Some(id(&closed)));
    owner.chain.push(closed.clone());
    let next = bea.content(&town, (1, 20), &[&closed], START + DAY - 1);
    replica.refuses(&next, Rule::Ended);
    // Another one that knows more gives it back: what any of them leaves stands.
    let higher = owner.control(
        &town,
        &[close(bea.grant, &[&late])],
        &[&late],
        START + 2 * DAY,
    );
    replica.takes(&higher);
    assert!(replica.stands(&late));
    let mut other = replica.reopen();
    assert!(other.stands(&late));
}

/// A close takes back what another leaves neither by coming later nor by leaving less.
#[test]
fn a_low_close_takes_nothing_that_another_leaves() {
    let (town, mut owner, mut bea) = for_a_day(411);
    let first = bea.chain[0].clone();
    let said = bea.say(&town, &[], START + MINUTE);
    let high = owner.issue(
        &town,
        &[close(bea.grant, &[&said])],
        &[&said],
        START + 2 * DAY,
    );
    // By an author that has heard of nothing but the first.
    let mut town = town;
    let device = town.owner.clone();
    let root = town.root();
    let mut other = town.pen(&device, root);
    other.begin(&town, 1, &[], &[&owner.chain[1]], START);
    let low = other.issue(
        &town,
        &[close(bea.grant, &[&first])],
        &[&first],
        START + 3 * DAY,
    );
    for reversed in [false, true] {
        let mut replica = Replica::new(&town);
        let mut all = by_past(&[&owner, &bea, &other]);
        if reversed {
            all.reverse();
        }
        for envelope in &all {
            replica.verdict(envelope);
        }
        assert!(replica.stands(&high) && replica.stands(&low));
        assert!(replica.stands(&said));
    }
}

/// Whoever is revoked and comes with a revocation of the revoker has no say.
#[test]
fn an_end_in_a_fork_falls_and_what_it_took_comes_back() {
    let Cast {
        town,
        owner,
        mut bea,
        mut cleo,
    } = cast(412);
    let cut = cleo.chain[0].clone();
    let said = cleo.say(&town, &[], START + 5);
    let mut twin = bea.clone();
    let end = bea.issue(&town, &[revoke(cleo.grant, &[&cut])], &[&cut], START + 6);
    let mut replica = Replica::with(&town, &[&owner, &bea, &cleo]);
    assert!(!replica.stands(&said));
    let other = twin.say(&town, &[], START + 6);
    assert!(matches!(
        replica.verdict(&other),
        Admission::Void | Admission::Admitted { .. }
    ));
    assert!(replica.stands(&said) && !replica.stands(&end));
    // A revocation from above says which branch, and the fork is forgiven.
    let mut owner = owner;
    let item = revoke(bea.grant, &[&end]);
    replica.takes(&owner.issue(&town, &[item], &[&end], START + 9));
    assert!(replica.stands(&end) && !replica.stands(&said));
    assert!(!replica.stands(&other));
}

#[test]
fn an_item_of_somebody_who_may_not_admit_ends_nothing() {
    let mut town = Town::new(413);
    let mut owner = town.owners();
    let bea = town.key();
    let given = grant(town.root(), &bea.public(), GUEST);
    let at = owner.issue(&town, std::slice::from_ref(&given), &[], START);
    let mut bea = town.pen(&bea, given.id());
    bea.begin(&town, 0, &[], &[&at], START);
    let mut replica = Replica::with(&town, &[&owner, &bea]);
    let own: Revocation = match revoke(given.id(), &[&bea.chain[0]]) {
        Item::Revocation(it) => it,
        _ => panic!("a revocation"),
    };
    for item in [Item::Revocation(own), close(given.id(), &[&bea.chain[0]])] {
        let written = bea.control(&town, &[item], &[], START + 1);
        replica.refuses(&written, Rule::Right);
    }
}

/// After a fork the device goes on under another key, and says which branch was its own. It says so
/// of nothing that it does not name.
#[test]
fn a_certificate_chooses_among_branches_that_it_names() {
    let Cast {
        mut town,
        owner,
        mut bea,
        cleo,
    } = cast(414);
    let cut = cleo.chain[0].clone();
    let mut twin = bea.clone();
    let end = bea.issue(&town, &[revoke(cleo.grant, &[&cut])], &[&cut], START + 6);
    let other = twin.say(&town, &[], START + 6);
    let mut cleo = cleo;
    let said = cleo.say(&town, &[], START + 5);
    let mut replica = Replica::with(&town, &[&owner, &bea, &cleo]);
    replica.verdict(&other);
    assert!(!replica.stands(&end) && replica.stands(&said));
    let mut next = |index, deps: &[&Sealed], branch: &Sealed| {
        let pen = town.pen(&bea.device, bea.grant);
        pen.choosing(&town, index, &[branch], deps, START + 7)
    };
    let at = &owner.chain[1];
    let unnamed = next(1, &[at], &end);
    replica.refuses(&unnamed, Rule::Cut);
    // An earlier incarnation chooses nothing for a later one.
    let same = next(0, &[at, &end], &end);
    replica.takes(&same);
    assert!(!replica.stands(&end));
    let later = next(1, &[at, &end], &end);
    replica.takes(&later);
    assert!(replica.stands(&end) && !replica.stands(&said) && !replica.stands(&other));
    // Another certificate that names the other branch too takes nothing back.
    let both = next(2, &[at, &other], &other);
    replica.takes(&both);
    assert!(replica.stands(&end) && replica.stands(&other));
}
