//! What members gather of their graph is what convinces strangers, and nobody else's is.

use std::collections::BTreeSet;

use identity::{Form, GrantId, PublicKey, SecretKey};
use proptest::prelude::*;
use rights::chain::{Chain, Checks, Rule, gather};
use wire::limits::{MAX_CHAIN_SIGNATURES, MAX_PROOF_ENVELOPES};
use wire::{Act, Claim, Grant, Interval, Item, Joint, Raw, Rights, Role, Terms};

use crate::town::{ALL, DAY, Pen, Replica, START, Sealed, Town, grant, grant_to, id, revoke};

fn gathered(replica: &mut Replica, grant: &GrantId, device: &PublicKey) -> Option<Vec<Raw>> {
    replica.run(|lace, store| gather(lace, store, grant, device))
}

/// What a stranger makes of it, and how many signatures it checked.
fn judged(
    town: &Town,
    (grant, device): (&GrantId, &PublicKey),
    claim: Option<&Claim>,
    chain: &[Raw],
) -> (Result<(), Rule>, usize) {
    let mut checks = Checks::new();
    let verdict = Chain::check(&town.genesis, grant, chain, &mut checks)
        .map_err(|broken| broken.rule)
        .and_then(|proved| proved.admits(device, claim, START, &mut checks));
    assert!(checks.done() <= MAX_CHAIN_SIGNATURES);
    (verdict, checks.done())
}

/// Gathers, and has it judged.
fn proved(replica: &mut Replica, town: &Town, grant: &GrantId, device: &PublicKey) -> usize {
    let chain = gathered(replica, grant, device).expect("it is here");
    let (verdict, done) = judged(town, (grant, device), None, &chain);
    assert_eq!(verdict, Ok(()));
    done
}

fn is_member(replica: &mut Replica, device: &PublicKey, grant: &GrantId) -> bool {
    replica.run(|lace, store| lace.is_member(store, device, grant, None))
}

#[test]
fn a_guest_shows_two_envelopes_and_its_claim() {
    let mut town = Town::new(900);
    let mut owner = town.owners();
    let invite = town.invite(town.root(), Terms::GUEST);
    let at = owner.issue(&town, std::slice::from_ref(&invite.1), &[], START);
    let guest = town.guest(&invite, &at);
    let mut replica = Replica::with(&town, &[&owner, &guest]);
    let newcomer = town.key();
    let pen = town.pen(&newcomer, invite.1.id());
    let Item::Claim(claim) = pen.claim(&town, &invite.0, START) else {
        unreachable!()
    };
    let grant = invite.1.id();
    let device = newcomer.public();
    let chain = gathered(&mut replica, &grant, &device).expect("it is here");
    assert_eq!(chain.len(), 2);
    let (verdict, done) = judged(&town, (&grant, &device), Some(&claim), &chain);
    assert_eq!((verdict, done), (Ok(()), 4));
    let (verdict, _) = judged(&town, (&grant, &device), None, &chain);
    assert_eq!(verdict, Err(Rule::Claim));
    // The owner shows nothing, and what is not here is not shown.
    let founder = town.owner.public();
    let own = gathered(&mut replica, &town.root(), &founder);
    assert_eq!(own.as_deref(), Some(&[][..]));
    assert_eq!(gathered(&mut replica, &town.root(), &device), None);
    let unknown = GrantId::from_bytes([1; 32]);
    assert_eq!(gathered(&mut replica, &unknown, &device), None);
}

/// A chain of grants as deep as they go, each to somebody who gives the next.
fn deep(town: &mut Town, depth: usize) -> (Vec<Pen>, SecretKey, GrantId) {
    let mut pens = vec![town.owners()];
    let (mut device, mut given) = (town.owner.clone(), town.root());
    for _ in 0..depth {
        let next = town.key();
        let item = grant(given, &next.public(), ALL);
        let pen = pens.last_mut().expect("one");
        // The grant is not in its issuer's first envelope, nor in the one after that.
        pen.say(town, &[], START);
        let at = pen.issue(town, std::slice::from_ref(&item), &[], START);
        (device, given) = (next, item.id());
        let mut pen = town.pen(&device, given);
        pen.begin(town, 0, &[], &[&at], START);
        pens.push(pen);
    }
    (pens, device, given)
}

#[test]
fn the_deepest_grant_is_shown_within_the_bounds() {
    let mut town = Town::new(901);
    let (pens, device, given) = deep(&mut town, 8);
    let all: Vec<&Pen> = pens.iter().collect();
    let mut replica = Replica::with(&town, &all);
    let chain = gathered(&mut replica, &given, &device.public()).expect("it is here");
    assert_eq!(chain.len(), MAX_PROOF_ENVELOPES);
    assert_eq!(proved(&mut replica, &town, &given, &device.public()), 24);
    for pen in &pens {
        let own = pen.device.public();
        proved(&mut replica, &town, &pen.grant, &own);
        // No device shows another's grant.
        for other in &pens {
            if other.grant != pen.grant {
                assert_eq!(gathered(&mut replica, &other.grant, &own), None);
                let chain = gathered(&mut replica, &other.grant, &other.device.public());
                let chain = chain.expect("it is here");
                let (verdict, _) = judged(&town, (&other.grant, &own), None, &chain);
                assert_eq!(verdict, Err(Rule::Holder));
            }
        }
    }
}

/// Two envelopes carry one grant. Whoever writes under it has named one of them, and that one is shown.
#[test]
fn of_two_carriers_the_named_one_is_shown() {
    let mut town = Town::new(902);
    let mut owner = town.owners();
    let (bea, cleo) = (town.key(), town.key());
    let given = grant(town.root(), &bea.public(), ALL);
    owner.issue(&town, std::slice::from_ref(&given), &[], START);
    let second = owner.issue(&town, std::slice::from_ref(&given), &[], START + 1);
    let mut bea = town.pen(&bea, given.id());
    bea.begin(&town, 0, &[], &[&second], START + 2);
    let below = grant(given.id(), &cleo.public(), Terms::GUEST);
    bea.issue(&town, std::slice::from_ref(&below), &[], START + 3);
    let mut replica = Replica::with(&town, &[&owner, &bea]);
    proved(&mut replica, &town, &below.id(), &cleo.public());
    let chain = gathered(&mut replica, &below.id(), &cleo.public()).expect("it is here");
    let shown: Vec<_> = chain
        .iter()
        .map(|raw| wire::Header::id_of(&raw.header_bytes))
        .collect();
    assert!(shown.contains(&id(&second)));
}

/// A member writes its grant's item without the form of the holder, which another envelope told.
#[test]
fn a_form_that_was_told_before_is_shown_with_the_grant() {
    let mut town = Town::new(903);
    let mut owner = town.owners();
    let bea = town.key();
    let first = grant(town.root(), &bea.public(), Terms::GUEST);
    owner.issue(&town, std::slice::from_ref(&first), &[], START);
    let Item::Grant(grant) = first else {
        unreachable!()
    };
    let more = Item::Grant(Grant {
        rights: ALL.rights,
        form: None,
        ..grant
    });
    let at = owner.issue(&town, std::slice::from_ref(&more), &[], START + 1);
    let mut pen = town.pen(&bea, more.id());
    pen.begin(&town, 0, &[], &[&at], START + 2);
    let mut replica = Replica::with(&town, &[&owner, &pen]);
    let done = proved(&mut replica, &town, &more.id(), &bea.public());
    assert_eq!(done, 4, "three envelopes and a certificate");
    let chain = gathered(&mut replica, &more.id(), &bea.public()).expect("it is here");
    let of = (&more.id(), &bea.public());
    assert_eq!(judged(&town, of, None, &chain[1..]).0, Err(Rule::Form));
}

fn form(keys: &[&SecretKey], threshold: u8) -> Form {
    let keys: BTreeSet<PublicKey> = keys.iter().map(|key| key.public()).collect();
    Form::equal(&keys, threshold).expect("a form")
}

/// The owner becomes two, by an act, and these give a grant together; then the owner's first device
/// goes. All of the three devices show what they have, and the act that made them.
#[test]
fn acts_and_what_is_signed_together_are_shown() {
    let mut town = Town::new(904);
    let mut owner = town.owners();
    let (founder, second, bea) = (town.owner.clone(), town.key(), town.key());
    let before = Form::one(founder.public());
    let both = form(&[&founder, &second], 2);
    let mut act = Act {
        composition: before.member(),
        number: 1,
        previous: before.first_state(),
        form: both,
        cut: Vec::new(),
        signatures: Vec::new(),
    };
    act.sign(town.id, &founder, Role::Signer);
    act.sign(town.id, &second, Role::New);
    let under = act.id();
    let at = owner.issue(&town, &[Item::Act(act)], &[], START + 1);
    let joint = Joint::new(under);
    let Item::Grant(alone) = grant(town.root(), &bea.public(), ALL) else {
        unreachable!()
    };
    let mut together = Item::Grant(Grant {
        joint: Some(joint),
        ..alone
    });
    together.sign_jointly(town.id, &founder);
    together.sign_jointly(town.id, &second);
    let mut pen = town.pen(&second, town.root());
    pen.begin(&town, 0, &[], &[&at], START + 2);
    let given = pen.issue(&town, std::slice::from_ref(&together), &[], START + 3);
    let mut beas = town.pen(&bea, together.id());
    beas.begin(&town, 0, &[], &[&given], START + 4);
    let mut replica = Replica::with(&town, &[&owner, &pen, &beas]);
    let root = town.root();
    proved(&mut replica, &town, &root, &second.public());
    proved(&mut replica, &town, &together.id(), &bea.public());
    proved(&mut replica, &town, &root, &founder.public());
    let chain = gathered(&mut replica, &together.id(), &bea.public()).expect("it is here");
    let of = (&together.id(), &bea.public());
    for left_out in 0..chain.len() {
        let mut less = chain.clone();
        less.remove(left_out);
        assert!(judged(&town, of, None, &less).0.is_err(), "{left_out}");
    }
}

#[test]
fn whoever_was_revoked_is_no_member_any_more() {
    let mut town = Town::new(905);
    let mut owner = town.owners();
    let bea = town.key();
    let given = grant(town.root(), &bea.public(), ALL);
    let at = owner.issue(&town, std::slice::from_ref(&given), &[], START);
    let invite = town.invite(given.id(), Terms::GUEST);
    let mut beas = town.pen(&bea, given.id());
    beas.begin(&town, 0, &[], &[&at], START);
    let let_in = beas.issue(&town, std::slice::from_ref(&invite.1), &[], START);
    let guest = town.guest(&invite, &let_in);
    let mut replica = Replica::with(&town, &[&owner, &beas, &guest]);
    let (bea, guest) = (bea.public(), guest.device.public());
    let has = |replica: &mut Replica, device: &PublicKey| {
        replica.run(|lace, store| lace.has_member(store, device))
    };
    assert!(is_member(&mut replica, &bea, &given.id()) && has(&mut replica, &bea));
    assert!(is_member(&mut replica, &guest, &invite.1.id()) && has(&mut replica, &guest));
    assert!(!is_member(&mut replica, &bea, &town.root()));
    assert!(!is_member(&mut replica, &guest, &given.id()));
    let end = owner.issue(&town, &[revoke(given.id(), &[])], &[], START + DAY);
    replica.takes(&end);
    replica.settle();
    for (device, grant) in [(bea, given.id()), (guest, invite.1.id())] {
        assert!(!is_member(&mut replica, &device, &grant));
        assert!(!has(&mut replica, &device));
    }
    assert!(has(&mut replica, &town.owner.public()));
}

/// Somebody in a random tree.
struct Person {
    pen: Pen,
    at: Option<Sealed>,
}

fn grows(town: &mut Town, tries: &[(usize, u8, u8)]) -> Vec<Person> {
    let mut people = vec![Person {
        pen: town.owners(),
        at: None,
    }];
    for (by, kind, devices) in tries {
        let by = by % people.len();
        let keys: Vec<SecretKey> = (0..=devices % 3).map(|_| town.key()).collect();
        let all: BTreeSet<PublicKey> = keys.iter().map(SecretKey::public).collect();
        let form = Form::equal(&all, 1).expect("a form");
        let interval = Some(Interval::ALWAYS);
        let terms = Terms {
            rights: Rights {
                admit: interval.filter(|_| kind % 4 != 0),
                ..ALL.rights
            },
            ..ALL
        };
        let pen = &mut people[by].pen;
        let item = grant_to(pen.grant, form, terms);
        if kind % 3 == 0 {
            pen.say(town, &[], START);
        }
        let next = pen.control(town, std::slice::from_ref(&item), &[], START);
        let mut replica = Replica::with(town, &everybody(&people));
        if !matches!(replica.verdict(&next), lace::Admission::Admitted { .. }) {
            continue;
        }
        people[by].pen.chain.push(next.clone());
        for key in &keys {
            let mut pen = town.pen(key, item.id());
            pen.begin(town, 0, &[], &[&next], START);
            people.push(Person {
                pen,
                at: Some(next.clone()),
            });
        }
    }
    people
}

fn everybody(people: &[Person]) -> Vec<&Pen> {
    people.iter().map(|person| &person.pen).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whoever takes part proves it to strangers from any replica, within the bounds; and what one shows
    /// proves nothing for anybody else.
    #[test]
    fn all_who_take_part_can_show_it(
        tries in prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..14),
        other in any::<usize>(),
    ) {
        let mut town = Town::new(906);
        let people = grows(&mut town, &tries);
        let mut replica = Replica::with(&town, &everybody(&people));
        for person in &people {
            let (device, grant) = (person.pen.device.public(), person.pen.grant);
            prop_assert!(is_member(&mut replica, &device, &grant));
            let chain = gathered(&mut replica, &grant, &device).expect("it is here");
            let (verdict, _) = judged(&town, (&grant, &device), None, &chain);
            prop_assert_eq!(verdict, Ok(()));
            let other = &people[other % people.len()].pen;
            let (verdict, _) = judged(&town, (&grant, &other.device.public()), None, &chain);
            prop_assert_eq!(verdict.is_ok(), other.grant == grant);
            if other.grant != grant && !chain.is_empty() {
                let of = (&other.grant, &other.device.public());
                let (verdict, _) = judged(&town, of, None, &chain);
                prop_assert!(verdict.is_err());
            }
            if let Some(at) = &person.at {
                let mut ids = chain.iter().map(|raw| wire::Header::id_of(&raw.header_bytes));
                prop_assert!(ids.any(|shown| shown == id(at)));
            }
        }
    }

    /// Whatever a stranger puts together of all that anybody has shown, whole or damaged, for whatever
    /// grant and device: at most as many signatures as are checked for anybody, and nobody gets in who
    /// does not take part.
    #[test]
    fn whatever_is_put_together_costs_no_more_and_lets_nobody_in(
        tries in prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..14),
        runs in prop::collection::vec(
            (any::<usize>(), any::<usize>(), 0_usize..17, any::<u16>()),
            0..6,
        ),
        (target, device) in (any::<usize>(), any::<usize>()),
    ) {
        let mut town = Town::new(907);
        let people = grows(&mut town, &tries);
        let mut replica = Replica::with(&town, &everybody(&people));
        let shown: Vec<Vec<Raw>> = people.iter().map(|person| {
            let (device, grant) = (person.pen.device.public(), person.pen.grant);
            gathered(&mut replica, &grant, &device).expect("it is here")
        }).collect();
        let mut chain = Vec::new();
        for (of, from, count, flip) in runs {
            let of = &shown[of % shown.len()];
            let from = from % (of.len() + 1);
            let mut run: Vec<Raw> = of.iter().skip(from).take(count).cloned().collect();
            // One in four is damaged.
            if let Some(raw) = run.first_mut().filter(|_| flip % 4 == 0) {
                let at = usize::from(flip / 4) % raw.header_bytes.len();
                raw.header_bytes[at] ^= 1 << (flip % 8);
            }
            chain.extend(run);
        }
        let [target, device] = [target, device].map(|at| &people[at % people.len()].pen);
        let of = (&target.grant, &device.device.public());
        let (verdict, done) = judged(&town, of, None, &chain);
        prop_assert!(done <= MAX_CHAIN_SIGNATURES);
        if verdict.is_ok() {
            prop_assert_eq!(device.grant, target.grant);
        }
    }
}
