//! Compositions that change, and what they sign together: each rule as the attack that it stops.

use std::collections::BTreeSet;

use identity::{ActId, Device, EnvelopeId, Form, GrantId, Id, PublicKey, SecretKey};
use lace::Rule;
use wire::{Act, Budget, Grant, Item, Joint, Revocation, Role, Terms};

use crate::town::{
    ALL, DAY, Pen, READER, Replica, START, Sealed, Town, by_past, grant, grant_to, id, limited,
    revoke,
};

/// An act that follows a state.
struct Change<'a> {
    composition: Id,
    number: u64,
    previous: ActId,
    form: Form,
    cut: Vec<&'a Sealed>,
}

impl Change<'_> {
    fn signed(self, town: &Town, old: &[&SecretKey], new: &[&SecretKey]) -> Act {
        let cut: BTreeSet<EnvelopeId> = self.cut.iter().map(|it| id(it)).collect();
        let mut act = Act {
            composition: self.composition,
            number: self.number,
            previous: self.previous,
            form: self.form,
            cut: cut.into_iter().collect(),
            signatures: Vec::new(),
        };
        for (keys, role) in [(old, Role::Signer), (new, Role::New)] {
            for key in keys {
                act.sign(town.id, key, role);
            }
        }
        act
    }
}

/// The first act of a composition.
fn first<'a>(before: &Form, form: Form, cut: &[&'a Sealed]) -> Change<'a> {
    Change {
        composition: before.member(),
        number: 1,
        previous: before.first_state(),
        form,
        cut: cut.to_vec(),
    }
}

fn form(keys: &[&SecretKey], threshold: u8) -> Form {
    let keys: BTreeSet<PublicKey> = keys.iter().map(|key| key.public()).collect();
    Form::equal(&keys, threshold).unwrap()
}

fn by<'a>(town: &Town, all: impl IntoIterator<Item = &'a Sealed>) -> Replica {
    let mut replica = Replica::new(town);
    for envelope in all {
        replica.verdict(envelope);
    }
    replica
}

/// Ann, with a phone and a laptop, let in by the owner; both have begun.
struct Ann {
    town: Town,
    owner: Pen,
    phone: Pen,
    laptop: Pen,
    form: Form,
}

fn ann(seed: u64) -> Ann {
    let mut town = Town::new(seed);
    let mut owner = town.owners();
    let (phone, laptop) = (town.key(), town.key());
    let form = form(&[&phone, &laptop], 1);
    let given = grant_to(town.root(), form.clone(), ALL);
    let at = owner.issue(&town, std::slice::from_ref(&given), &[], START);
    let mut phone = town.pen(&phone, given.id());
    phone.begin(&town, 0, &[], &[&at], START + 1);
    let mut laptop = town.pen(&laptop, given.id());
    laptop.begin(&town, 0, &[], &[&at], START + 2);
    Ann {
        town,
        owner,
        phone,
        laptop,
        form,
    }
}

/// The founder takes others in, and goes for ever: the topic goes on.
#[test]
fn owners_join_by_acts_and_go_on_without_the_founder() {
    let mut town = Town::new(500);
    let mut owner = town.owners();
    let (bea, cleo) = (town.key(), town.key());
    let founder = town.owner.clone();
    let before = Form::one(founder.public());
    let both = form(&[&founder, &bea, &cleo], 2);
    let act = first(&before, both.clone(), &[]);
    let act = act.signed(&town, &[&founder], &[&bea, &cleo]);
    let at = owner.issue(&town, &[Item::Act(act.clone())], &[], START + 1);
    let root = town.root();
    let mut pens = [town.pen(&bea, root), town.pen(&cleo, root)];
    let mut replica = Replica::with(&town, &[&owner]);
    // Without the act in the past there is no seat.
    let early = pens[0].first(&town, 0, &[], &[&owner.chain[0]], START + 2);
    replica.refuses(&early, Rule::Holder);
    for pen in &mut pens {
        replica.takes(&pen.begin(&town, 0, &[], &[&at], START + 2));
    }
    let [mut bea_pen, cleo_pen] = pens;
    // The founder goes: two of three say so.
    let left = form(&[&bea, &cleo], 1);
    let tip = owner.chain.last().unwrap().clone();
    let change = || Change {
        composition: before.member(),
        number: 2,
        previous: act.id(),
        form: left.clone(),
        cut: vec![&tip],
    };
    let alone = change().signed(&town, &[&bea], &[]);
    let written = bea_pen.control(&town, &[Item::Act(alone)], &[&tip], START + 3);
    replica.refuses(&written, Rule::Act);
    let agreed = change().signed(&town, &[&bea, &cleo], &[]);
    let gone = bea_pen.issue(&town, &[Item::Act(agreed)], &[&tip], START + 3);
    replica.takes(&gone);
    let title = [Item::Title(vec![1; 60])];
    replica.takes(&bea_pen.control(&town, &title, &[], START + 4));
    let late = owner.control(&town, &title, &[&gone], START + 4);
    replica.refuses(&late, Rule::Holder);
    let invite = town.invite(root, Terms::GUEST).1;
    let replica = &mut replica.reopen();
    replica.takes(&cleo_pen.control(&town, &[invite], &[&gone], START + 5));
}

#[test]
fn an_act_follows_what_is_known_and_is_signed_by_those_who_must() {
    let Ann {
        mut town,
        owner,
        phone,
        laptop,
        form: before,
    } = ann(501);
    let (new, stranger) = (town.key(), town.key());
    let three = form(&[&phone.device, &laptop.device, &new], 1);
    let replica = || Replica::with(&town, &[&owner, &phone, &laptop]);
    let write = |act: Act| phone.control(&town, &[Item::Act(act)], &[], START + 5);
    let fresh = || first(&before, three.clone(), &[]);
    let mut unknown = fresh();
    unknown.number = 2;
    unknown.previous = ActId::from_bytes([9; 32]);
    let (ann, new_key) = (&phone.device, &new);
    let refused = [
        // Nobody asked the new device; nobody of Ann's has signed; a stranger has.
        fresh().signed(&town, &[ann], &[]),
        fresh().signed(&town, &[], &[new_key]),
        fresh().signed(&town, &[&stranger], &[new_key]),
        // A new one signs for the old.
        fresh().signed(&town, &[new_key], &[]),
        unknown.signed(&town, &[ann], &[new_key]),
    ];
    for act in refused {
        replica().refuses(&write(act), Rule::Act);
    }
    let good = fresh().signed(&town, &[ann], &[new_key]);
    replica().takes(&write(good.clone()));
    // Anybody may carry it.
    let carried = owner.control(
        &town,
        &[Item::Act(good.clone())],
        &[&phone.chain[0]],
        START + 5,
    );
    replica().takes(&carried);
    // What is not known is not countersigned.
    let for_it = [Item::Countersign(good.id())];
    let written = owner.control(&town, &for_it, &[], START + 5);
    replica().refuses(&written, Rule::Act);
    let mut replica = replica();
    replica.takes(&carried);
    // The next one has the next number.
    let mut skips = fresh();
    (skips.number, skips.previous) = (3, good.id());
    let act = skips.signed(&town, &[ann, new_key], &[]);
    let written = phone.control(&town, &[Item::Act(act)], &[&carried], START + 6);
    replica.refuses(&written, Rule::Act);
    // Nor does one composition go on with the act of another.
    let mut other = fresh();
    other.composition = Form::one(town.owner.public()).member();
    (other.number, other.previous) = (2, good.id());
    let act = other.signed(&town, &[ann, new_key], &[]);
    let written = phone.control(&town, &[Item::Act(act)], &[&carried], START + 6);
    replica.refuses(&written, Rule::Act);
    let written = owner.control(&town, &for_it, &[&carried], START + 6);
    assert!(matches!(
        replica.verdict(&written),
        lace::Admission::Void | lace::Admission::Admitted { .. }
    ));
}

/// Two devices remove one another: who is countersigned from above stays.
#[test]
fn of_two_that_remove_one_another_the_one_countersigned_from_above_stays() {
    let Ann {
        town,
        mut owner,
        mut phone,
        mut laptop,
        form: before,
    } = ann(502);
    let said = laptop.say(&town, &[], START + 3);
    let (one, two) = (phone.chain[0].clone(), said.clone());
    let keeps_phone = first(&before, form(&[&phone.device], 1), &[&two]);
    let keeps_phone = keeps_phone.signed(&town, &[&phone.device], &[]);
    let keeps_laptop = first(&before, form(&[&laptop.device], 1), &[&one]);
    let keeps_laptop = keeps_laptop.signed(&town, &[&laptop.device], &[]);
    let phones = phone.issue(&town, &[Item::Act(keeps_phone.clone())], &[&two], START + 4);
    let laptops = laptop.issue(
        &town,
        &[Item::Act(keeps_laptop.clone())],
        &[&one],
        START + 4,
    );
    let phones_said = phone.say(&town, &[], START + 5);
    let laptops_said = laptop.say(&town, &[], START + 5);
    let mut alone = by(&town, &by_past(&[&owner, &phone, &laptop]));
    let first_stays = alone.stands(&phones_said);
    assert_ne!(first_stays, alone.stands(&laptops_said), "one of them");
    for (act, deps) in [(&keeps_phone, &phones), (&keeps_laptop, &laptops)] {
        let mut owner = owner.clone();
        owner.issue(&town, &[Item::Countersign(act.id())], &[deps], START + 6);
        let mut all = by_past(&[&owner, &phone, &laptop]);
        for _ in 0..2 {
            let mut replica = by(&town, &all);
            let phone_stays = act.id() == keeps_phone.id();
            assert_eq!(replica.stands(&phones_said), phone_stays);
            assert_eq!(replica.stands(&laptops_said), !phone_stays);
            assert!(replica.keeps(&phones) && replica.keeps(&laptops));
            all.reverse();
        }
    }
    // A thief's countersignature from the same level is none.
    let item = [Item::Countersign(keeps_laptop.id())];
    let own = phone.control(&town, &item, &[&laptops], START + 6);
    assert!(matches!(
        alone.verdict(&own),
        lace::Admission::Refused(Rule::Holder)
    ));
    owner.chain.clear();
}

/// The act cuts off the envelope that carries it, and stands all the same.
#[test]
fn an_act_in_the_hands_of_whom_it_removes_stands() {
    let Ann {
        town,
        mut owner,
        mut phone,
        laptop,
        form: before,
    } = ann(503);
    let tip = phone.chain[0].clone();
    let gone = first(&before, form(&[&laptop.device], 1), &[&tip]);
    let gone = gone.signed(&town, &[&laptop.device], &[]);
    // Under another key of the same device.
    let mut town = town;
    let mut other = town.pen(&phone.device.clone(), phone.grant);
    let begun = [Item::Act(gone)];
    let carried = other.begin(&town, 1, &begun, &[&tip, &owner.chain[1]], START + 4);
    let named = phone.say(&town, &[], START + 5);
    let unnamed = phone.say(&town, &[], START + 6);
    let key = [Item::Sealing(identity::SealingKey::from_bytes([4; 32]))];
    let control = other.control(&town, &key, &[], START + 6);
    owner.say(&town, &[&named], START + 7);
    let all = by_past(&[&owner, &phone, &laptop, &other]);
    let mut back = all.clone();
    back.reverse();
    for order in [all, back] {
        let mut replica = by(&town, &order);
        assert!(replica.keeps(&carried));
        assert!(
            !replica.stands(&carried),
            "its carrier lies outside of its cut"
        );
        // What others have built upon stands; the rest does not.
        assert!(replica.stands(&named) && !replica.stands(&unnamed));
        assert_eq!(replica.fallen_by(&unnamed), Some(id(&carried)));
        replica.refuses(&control, Rule::Holder);
        let effect = replica.run(|lace, store| lace.held_effect(store));
        let seat = |pen: &Pen| (before.member(), pen.device.public());
        assert!(effect.devices.contains_key(&seat(&laptop)));
        assert!(!effect.devices.contains_key(&seat(&phone)));
    }
}

/// The cut of an act leaves what its carrier knows of those whom it removes.
#[test]
fn a_thief_of_one_device_removes_the_others_behind_all_that_it_knows() {
    let Ann {
        town,
        owner,
        mut phone,
        laptop,
        form: before,
    } = ann(504);
    let early = phone.chain[0].clone();
    let said = phone.say(&town, &[], START + 3);
    let remove = |cut: &[&Sealed]| {
        let act = first(&before, form(&[&laptop.device], 1), cut);
        Item::Act(act.signed(&town, &[&laptop.device], &[]))
    };
    let replica = || Replica::with(&town, &[&owner, &phone, &laptop]);
    let write =
        |cut: &[&Sealed], deps: &[&Sealed]| laptop.control(&town, &[remove(cut)], deps, START + 4);
    replica().refuses(&write(&[], &[&said]), Rule::Reach);
    replica().refuses(&write(&[&early], &[&said, &early]), Rule::Reach);
    replica().refuses(&write(&[&said], &[&early]), Rule::Cut);
    replica().takes(&write(&[&said], &[&said]));
}

#[test]
fn nobody_seats_a_device_that_belongs_elsewhere() {
    let Ann {
        mut town,
        mut owner,
        phone,
        laptop,
        form: before,
    } = ann(505);
    let (bea, guest) = (town.key(), town.key());
    let to_bea = grant(town.root(), &bea.public(), ALL);
    let invite = town.invite(town.root(), Terms::GUEST);
    let items = [to_bea, invite.1.clone()];
    let at = owner.issue(&town, &items, &[], START + 3);
    let mut pen = town.pen(&guest, invite.1.id());
    let claim = pen.claim(&town, &invite.0, START);
    pen.begin(&town, 0, &[claim], &[&at], START + 4);
    let mut replica = Replica::with(&town, &[&owner, &phone, &laptop, &pen]);
    let seat = |new: &SecretKey| {
        let all = form(&[&phone.device, &laptop.device, new], 1);
        let act = first(&before, all, &[]).signed(&town, &[&phone.device], &[new]);
        phone.control(&town, &[Item::Act(act)], &[&pen.chain[0]], START + 5)
    };
    replica.refuses(&seat(&bea), Rule::Seated);
    // Who was let in by an invite may turn out to be Ann's.
    replica.takes(&seat(&guest));
}

/// Two of three give and take together, whoever carries it.
struct Board {
    town: Town,
    owner: Pen,
    keys: [SecretKey; 3],
    form: Form,
    grant: GrantId,
    pens: [Pen; 3],
    reader: Pen,
}

fn board(seed: u64) -> Board {
    let mut town = Town::new(seed);
    let mut owner = town.owners();
    let keys = [town.key(), town.key(), town.key()];
    let form = form(&[&keys[0], &keys[1], &keys[2]], 2);
    let terms = Terms {
        budget: limited(100, 100_000),
        ..ALL
    };
    let given = grant_to(town.root(), form.clone(), terms);
    let invite = town.invite(town.root(), READER);
    let items = [given.clone(), invite.1.clone()];
    let at = owner.issue(&town, &items, &[], START);
    let pens = keys.clone().map(|key| {
        let mut pen = town.pen(&key, given.id());
        pen.begin(&town, 0, &[], &[&at], START + 1);
        pen
    });
    let reader = town.guest(&invite, &at);
    Board {
        town,
        owner,
        keys,
        form,
        grant: given.id(),
        pens,
        reader,
    }
}

impl Board {
    fn replica(&self) -> Replica {
        let [a, b, c] = &self.pens;
        Replica::with(&self.town, &[&self.owner, a, b, c, &self.reader])
    }

    fn gives(&self, to: &PublicKey, terms: Terms, under: ActId, by: &[&SecretKey]) -> Item {
        let form = Form::one(*to);
        let mut item = Item::Grant(Grant {
            parent: self.grant,
            holder: form.member(),
            rights: terms.rights,
            budget: terms.budget,
            welcomes: None,
            form: Some(form),
            joint: Some(Joint::new(under)),
        });
        for key in by {
            item.sign_jointly(self.town.id, key);
        }
        item
    }
}

fn some(messages: u32) -> Terms {
    Terms {
        budget: limited(messages, 1000),
        ..Terms::GUEST
    }
}

#[test]
fn several_give_together_what_none_could_alone_whoever_carries_it() {
    let mut board = board(506);
    let dora = board.town.key();
    let under = board.form.first_state();
    let [a, b, c] = &board.keys;
    let give = |terms, under, by: &[&SecretKey]| board.gives(&dora.public(), terms, under, by);
    let carry = |item: Item| board.reader.control(&board.town, &[item], &[], START + 5);
    let stranger = SecretKey::from_seed([9; 32]);
    for by in [vec![a], vec![a, &stranger], vec![&stranger]] {
        let item = give(some(90), under, &by);
        board.replica().refuses(&carry(item), Rule::Joint);
    }
    let old = ActId::from_bytes([9; 32]);
    board
        .replica()
        .refuses(&carry(give(some(90), old, &[a, b])), Rule::Joint);
    // The parent alone bounds it: more than any of their shares, and not more than the whole.
    let whole = give(some(100), under, &[b, c]);
    board.replica().takes(&carry(whole));
    let over = Terms {
        budget: Budget::default(),
        ..Terms::GUEST
    };
    board
        .replica()
        .refuses(&carry(give(over, under, &[b, c])), Rule::Within);
    let more = Terms {
        budget: limited(101, 1000),
        ..Terms::GUEST
    };
    board
        .replica()
        .refuses(&carry(give(more, under, &[b, c])), Rule::Within);
    // And it can be written under.
    let given = give(some(90), under, &[a, c]);
    let at = carry(given.clone());
    let mut replica = board.replica();
    replica.takes(&at);
    let mut pen = board.town.pen(&dora, given.id());
    replica.takes(&pen.begin(&board.town, 0, &[], &[&at], START + 6));
    replica.takes(&pen.say(&board.town, &[], START + 7));
    // None of their own shares has become smaller by it.
    let own = grant(board.grant, &dora.public(), some(33));
    replica.takes(&board.pens[0].control(&board.town, &[own], &[&at], START + 8));
}

/// A grant that the composition has elsewhere, of which the carrier's past tells nothing, is none: not
/// everybody knows it.
#[test]
fn several_give_nothing_out_of_what_is_not_in_the_past() {
    let mut board = board(510);
    let dora = board.town.key();
    let under = board.form.first_state();
    let [a, b, _] = board.keys.clone();
    let again = grant_to(board.town.root(), board.form.clone(), ALL);
    let town = &board.town;
    let at = board
        .owner
        .issue(town, std::slice::from_ref(&again), &[], START + 3);
    board.grant = again.id();
    let item = board.gives(&dora.public(), some(10), under, &[&a, &b]);
    let carry = |deps: &[&Sealed]| {
        let item = std::slice::from_ref(&item);
        board.reader.control(&board.town, item, deps, START + 5)
    };
    board.replica().refuses(&carry(&[]), Rule::Parent);
    board.replica().takes(&carry(&[&at]));
}

/// What they hold themselves, within its bounds, and in the state that they are in.
#[test]
fn several_give_out_of_their_own_in_their_newest_state() {
    let mut board = board(511);
    let (dora, new) = (board.town.key(), board.town.key());
    let under = board.form.first_state();
    let [a, b, c] = board.keys.clone();
    let doras = grant(board.town.root(), &dora.public(), ALL);
    let mut bounded = ALL;
    bounded.rights.publish = Some(wire::Interval {
        from: START,
        until: Some(START + DAY),
    });
    let bounded = grant_to(board.town.root(), board.form.clone(), bounded);
    let town = &board.town;
    let items = [doras.clone(), bounded.clone()];
    let at = board.owner.issue(town, &items, &[], START + 3);
    let own = board.grant;
    for (parent, rule) in [(doras.id(), Rule::Parent), (bounded.id(), Rule::Within)] {
        board.grant = parent;
        let item = board.gives(&dora.public(), some(10), under, &[&a, &b]);
        let written = board
            .reader
            .control(&board.town, &[item], &[&at], START + 5);
        board.replica().refuses(&written, rule);
    }
    // A fourth joins them. Two are enough as before, and sign for the state that they have left.
    board.grant = own;
    let four = form(&[&a, &b, &c, &new], 2);
    let act = first(&board.form, four, &[]).signed(&board.town, &[&a, &b], &[&new]);
    let (joined, now) = (Item::Act(act.clone()), act.id());
    let at = board.owner.issue(
        &board.town,
        &[joined],
        &[&board.pens[0].chain[0]],
        START + 6,
    );
    let carry = |under| {
        let item = board.gives(&dora.public(), some(10), under, &[&a, &b]);
        board
            .reader
            .control(&board.town, &[item], &[&at], START + 7)
    };
    board.replica().refuses(&carry(under), Rule::Joint);
    board.replica().takes(&carry(now));
}

#[test]
fn several_end_together_what_hangs_below_them_and_nothing_else() {
    let mut board = board(507);
    let dora = board.town.key();
    let own = grant(board.grant, &dora.public(), some(10));
    let at = board.pens[0].issue(&board.town, std::slice::from_ref(&own), &[], START + 5);
    let mut pen = board.town.pen(&dora, own.id());
    let first = pen.begin(&board.town, 0, &[], &[&at], START + 6);
    let said = pen.say(&board.town, &[], START + 7);
    let under = board.form.first_state();
    let [a, b, _] = &board.keys;
    let end = |grant, cut: &[&Sealed], by: &[&SecretKey]| {
        let Item::Revocation(it) = revoke(grant, cut) else {
            panic!("a revocation");
        };
        let mut item = Item::Revocation(Revocation {
            joint: Some(Joint::new(under)),
            ..it
        });
        for key in by {
            item.sign_jointly(board.town.id, key);
        }
        item
    };
    let carry =
        |item: Item, deps: &[&Sealed]| board.reader.control(&board.town, &[item], deps, START + 9);
    let replica = || {
        let mut replica = board.replica();
        replica.takes(&first);
        replica.takes(&said);
        replica
    };
    replica().refuses(
        &carry(end(own.id(), &[&first], &[a]), &[&first]),
        Rule::Joint,
    );
    replica().refuses(&carry(end(own.id(), &[&first], &[a, b]), &[&at]), Rule::Cut);
    let readers = carry(end(board.reader.grant, &[], &[a, b]), &[]);
    replica().refuses(&readers, Rule::Above);
    // Its own, but behind what the carrier knows of it.
    let all = carry(end(board.grant, &[], &[a, b]), &[&board.pens[1].chain[0]]);
    replica().refuses(&all, Rule::Reach);
    let mut replica = replica();
    replica.takes(&carry(end(own.id(), &[&first], &[a, b]), &[&first]));
    assert!(!replica.stands(&said) && replica.stands(&first));
}

/// Keys that were removed sign on, back-dated.
#[test]
fn what_removed_keys_sign_after_their_removal_does_not_stand() {
    let mut board = board(508);
    let dora = board.town.key();
    let [a, b, c] = board.keys.clone();
    let under = board.form.first_state();
    let terms = some(20);
    let before = board.gives(&dora.public(), terms, under, &[&a, &b]);
    let known = board.pens[2].issue(&board.town, std::slice::from_ref(&before), &[], START + 4);
    let tips = [
        board.pens[0].chain[0].clone(),
        board.pens[1].chain[0].clone(),
    ];
    let act = first(&board.form, form(&[&c], 1), &[&tips[0], &tips[1]]);
    let act = act.signed(&board.town, &[&b, &c], &[]);
    let item = [Item::Act(act)];
    let gone = board.pens[2].issue(&board.town, &item, &[&tips[0], &tips[1]], START + 5);
    let other = board.town.key();
    let after = board.gives(&other.public(), terms, under, &[&a, &b]);
    // Back-dated, by somebody who says that it has not heard of the act; and openly.
    let late = board
        .reader
        .control(&board.town, std::slice::from_ref(&after), &[], START + 3);
    let open = board.reader.control(
        &board.town,
        std::slice::from_ref(&after),
        &[&gone],
        START + 6,
    );
    let mut replica = board.replica();
    replica.refuses(&open, Rule::Joint);
    replica.takes(&late);
    replica.settle();
    let effect = replica.run(|lace, store| lace.held_effect(store));
    assert!(effect.grants.contains_key(&before.id()));
    assert!(!effect.grants.contains_key(&after.id()));
    assert!(replica.keeps(&known));
}

/// Shares change with an act, and with them what a device may spend.
#[test]
fn shares_are_those_of_the_newest_form() {
    let Ann {
        town,
        owner,
        mut phone,
        laptop,
        form: before,
    } = ann(509);
    let mut devices = [
        Device {
            key: phone.device.public(),
            share: 255,
        },
        Device {
            key: laptop.device.public(),
            share: 1,
        },
    ];
    devices.sort_by_key(|device| device.key);
    let uneven = Form::new(devices.to_vec(), 1).unwrap();
    let act = first(&before, uneven, &[]).signed(&town, &[&phone.device], &[]);
    let at = phone.issue(&town, &[Item::Act(act)], &[], START + 5);
    let mut replica = Replica::with(&town, &[&owner, &phone, &laptop]);
    let effect = replica.run(|lace, store| lace.held_effect(store));
    let share = |pen: &Pen| effect.devices[&(before.member(), pen.device.public())].share;
    assert_eq!((share(&phone), share(&laptop)), (255, 1));
    replica.takes(&laptop.content(&town, (1, 20), &[&at], START + 6));
}
