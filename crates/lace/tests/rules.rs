//! Every rule broken, one at a time.

use crate::world::{DAY, Pair, START, content, control, follow, id_of, join, rng};
use identity::{Form, GrantId, Id, Kind, Scheme, SecretKey};
use lace::{Admission, Rule, Verdict};
use std::collections::BTreeSet;
use wire::{
    Act, Budget, Certificate, Checked, Class, Close, Grant, Interval, InviteKind, Item, Revocation,
    Role, Terms, Verified, sign_envelope,
};

fn refused(pair: &Pair, verified: &Checked<Verified>, rule: Rule) {
    let mut replica = pair.replica(1);
    assert_eq!(replica.verdict(verified), Admission::Refused(rule));
    assert!(!replica.contains(&id_of(verified)));
    // The same after a restart, and when it comes again.
    let mut replica = replica.reopen();
    assert_eq!(replica.verdict(verified), Admission::Refused(rule));
}

#[test]
fn another_destination_is_refused() {
    let pair = Pair::new(1);
    let mut header = follow(pair.topic.header(pair.topic.grant), Some(&pair.joined), &[]);
    header.destination = Id::new(Kind::Topic, Scheme::Hash, [9; 32]);
    refused(
        &pair,
        &content(header, b"x", &pair.guest),
        Rule::Destination,
    );
}

#[test]
fn a_live_envelope_is_refused() {
    let pair = Pair::new(2);
    let mut header = follow(pair.topic.header(pair.topic.grant), Some(&pair.joined), &[]);
    header.class = Class::Live;
    header.expires = header.created + 1000;
    let live = sign_envelope(header, vec![1], &pair.guest).expect("legal");
    refused(&pair, &live, Rule::Class);
}

#[test]
fn a_wrong_previous_is_refused() {
    let pair = Pair::new(3);
    // Another author's envelope as previous.
    let stolen = follow(pair.topic.header(pair.topic.grant), Some(&pair.first), &[]);
    refused(&pair, &content(stolen, b"x", &pair.guest), Rule::Previous);
    // A number left out.
    let mut header = follow(pair.topic.header(pair.topic.grant), Some(&pair.joined), &[]);
    header.number = 3;
    header.generation = 4;
    refused(&pair, &content(header, b"x", &pair.guest), Rule::Previous);
}

#[test]
fn naming_the_previous_twice_is_refused() {
    let pair = Pair::new(4);
    let mut header = follow(pair.topic.header(pair.topic.grant), Some(&pair.joined), &[]);
    header.deps.push(id_of(&pair.joined));
    refused(&pair, &content(header, b"x", &pair.guest), Rule::Deps);
}

#[test]
fn a_wrong_generation_is_refused() {
    let pair = Pair::new(5);
    for more in [1, 1000, u64::MAX / 2 - 100] {
        let mut header = follow(pair.topic.header(pair.topic.grant), Some(&pair.joined), &[]);
        header.generation += more;
        refused(&pair, &content(header, b"x", &pair.guest), Rule::Generation);
    }
}

#[test]
fn going_back_in_time_is_refused() {
    let pair = Pair::new(6);
    let mut replica = pair.replica(1);
    let mut header = pair.topic.header(pair.topic.grant);
    header.created = START + DAY;
    let late = content(follow(header, Some(&pair.joined), &[]), b"x", &pair.guest);
    replica.admitted(&late);
    let mut header = follow(pair.topic.header(pair.topic.grant), Some(&late), &[]);
    header.created = START + DAY - 1;
    let early = content(header, b"x", &pair.guest);
    assert_eq!(replica.verdict(&early), Admission::Refused(Rule::Created));
}

#[test]
fn another_grant_is_refused() {
    let pair = Pair::new(7);
    for grant in [pair.topic.founder_grant(), GrantId::from_bytes([5; 32])] {
        let header = follow(pair.topic.header(grant), Some(&pair.joined), &[]);
        refused(&pair, &content(header, b"x", &pair.guest), Rule::Grant);
    }
    // A founder's first envelope under an invite's grant.
    let key = SecretKey::generate(&mut rng(70));
    let items = pair.topic.first_items(&pair.topic.founder, key.public(), 1);
    let header = follow(pair.topic.header(pair.topic.grant), None, &[&pair.invited]);
    refused(&pair, &control(header, &items, &key), Rule::Grant);
}

#[test]
fn beginning_with_content_is_refused() {
    let pair = Pair::new(8);
    let key = SecretKey::generate(&mut rng(80));
    let header = follow(pair.topic.header(pair.topic.grant), None, &[&pair.invited]);
    refused(&pair, &content(header, b"x", &key), Rule::FirstClass);
}

#[test]
fn certificates_stand_first_and_nowhere_else() {
    let pair = Pair::new(9);
    let key = SecretKey::generate(&mut rng(90));
    let mut items = pair.topic.first_items(&pair.guest_device, key.public(), 1);
    items.insert(0, Item::Leave);
    items.remove(2);
    let header = follow(pair.topic.header(pair.topic.grant), None, &[&pair.invited]);
    refused(
        &pair,
        &control(header.clone(), &items, &key),
        Rule::Certificate,
    );
    refused(
        &pair,
        &control(header.clone(), &[Item::Leave], &key),
        Rule::Certificate,
    );
    let mut items = pair.topic.first_items(&pair.guest_device, key.public(), 1);
    items.push(items[0].clone());
    refused(&pair, &control(header, &items, &key), Rule::Certificate);
    let header = follow(pair.topic.header(pair.topic.grant), Some(&pair.joined), &[]);
    let items = pair
        .topic
        .first_items(&pair.guest_device, pair.guest.public(), 1);
    refused(
        &pair,
        &control(header, &items[..1], &pair.guest),
        Rule::Certificate,
    );
}

#[test]
fn too_many_incarnations_are_refused() {
    let pair = Pair::new(10);
    let mut replica = pair.replica(1);
    let mut source = rng(100);
    let mut arrive = |index, days: u64| {
        let key = SecretKey::generate(&mut source);
        let items = pair
            .topic
            .first_items(&pair.guest_device, key.public(), index);
        let mut header = follow(pair.topic.header(pair.topic.grant), None, &[&pair.invited]);
        header.created = START + days * DAY;
        replica.verdict(&control(header, &items, &key))
    };
    assert!(matches!(arrive(16, 0), Admission::Admitted { .. }));
    assert_eq!(arrive(17, 6), Admission::Refused(Rule::Index));
    assert!(matches!(arrive(17, 7), Admission::Admitted { .. }));
    assert_eq!(arrive(u32::MAX, 70), Admission::Refused(Rule::Index));
    // The founder's grant began with the topic.
    let key = SecretKey::generate(&mut rng(101));
    let items = pair
        .topic
        .first_items(&pair.topic.founder, key.public(), 17);
    let header = pair.topic.header(pair.topic.founder_grant());
    refused(&pair, &control(header, &items, &key), Rule::Index);
}

#[test]
fn claims_stand_second_and_only_with_guests() {
    let pair = Pair::new(11);
    let key = SecretKey::generate(&mut rng(110));
    let guest = pair.topic.first_items(&pair.guest_device, key.public(), 1);
    let header = follow(pair.topic.header(pair.topic.grant), None, &[&pair.invited]);
    refused(
        &pair,
        &control(header.clone(), &guest[..1], &key),
        Rule::Claim,
    );
    let apart = [guest[0].clone(), Item::Leave, guest[1].clone()];
    refused(&pair, &control(header, &apart, &key), Rule::Claim);
    // A claim by the founder's device.
    let certificate = Certificate::sign(pair.topic.id, &pair.topic.founder, key.public(), 0);
    let claim = pair.topic.claim(pair.topic.founder.public(), START);
    let items = [Item::Certificate(certificate), Item::Claim(claim)];
    let header = pair.topic.header(pair.topic.founder_grant());
    refused(&pair, &control(header, &items, &key), Rule::Claim);
    // A claim in a later envelope.
    let header = follow(pair.topic.header(pair.topic.grant), Some(&pair.joined), &[]);
    let later = control(header, &[Item::Leave, guest[1].clone()], &pair.guest);
    refused(&pair, &later, Rule::Claim);
}

#[test]
fn a_claim_for_somebody_else_is_refused() {
    let pair = Pair::new(12);
    let mut source = rng(120);
    let (device, key) = (
        SecretKey::generate(&mut source),
        SecretKey::generate(&mut source),
    );
    let mut items = pair.topic.first_items(&device, key.public(), 0);
    items[1] = Item::Claim(pair.topic.claim(pair.guest_device.public(), START));
    let header = follow(pair.topic.header(pair.topic.grant), None, &[&pair.invited]);
    refused(&pair, &control(header, &items, &key), Rule::ClaimFor);
    // The header names another grant than the claim.
    let items = pair.topic.first_items(&device, key.public(), 0);
    let header = follow(
        pair.topic.header(pair.topic.founder_grant()),
        None,
        &[&pair.invited],
    );
    refused(&pair, &control(header, &items, &key), Rule::ClaimFor);
}

#[test]
fn an_invite_that_is_not_named_is_refused() {
    let pair = Pair::new(13);
    let mut source = rng(130);
    let (device, key) = (
        SecretKey::generate(&mut source),
        SecretKey::generate(&mut source),
    );
    // The invite is here, and even in the past, but it is not named.
    for deps in [vec![], vec![&pair.first], vec![&pair.joined]] {
        refused(
            &pair,
            &join(&pair.topic, &device, &key, 0, &deps),
            Rule::NoInvite,
        );
    }
}

#[test]
fn a_claim_by_another_key_is_refused() {
    let mut pair = Pair::new(14);
    let mut source = rng(140);
    let (device, key) = (
        SecretKey::generate(&mut source),
        SecretKey::generate(&mut source),
    );
    pair.topic.invite_key = SecretKey::generate(&mut source);
    let thief = join(&pair.topic, &device, &key, 0, &[&pair.invited]);
    refused(&pair, &thief, Rule::ClaimKey);
}

#[test]
fn an_invite_that_is_over_is_refused_but_a_claim_made_in_time_may_be_repeated() {
    let pair = Pair::new(15);
    let mut source = rng(150);
    let (device, key) = (
        SecretKey::generate(&mut source),
        SecretKey::generate(&mut source),
    );
    let mut items = pair.topic.first_items(&device, key.public(), 0);
    let mut header = follow(pair.topic.header(pair.topic.grant), None, &[&pair.invited]);
    header.created = START + 300 * DAY;
    let mut replica = pair.replica(1);
    replica.admitted(&control(header.clone(), &items, &key));
    let key = SecretKey::generate(&mut source);
    items = pair.topic.first_items(&device, key.public(), 0);
    items[1] = Item::Claim(
        pair.topic
            .claim(device.public(), pair.topic.invite.until + 1),
    );
    refused(&pair, &control(header, &items, &key), Rule::InviteOver);
}

#[test]
fn only_the_founder_invites_and_names() {
    let pair = Pair::new(16);
    for item in [Item::Invite(pair.topic.invite), Item::Title(vec![1; 60])] {
        let header = follow(pair.topic.header(pair.topic.grant), Some(&pair.joined), &[]);
        refused(
            &pair,
            &control(header, std::slice::from_ref(&item), &pair.guest),
            Rule::FounderOnly,
        );
        let header = follow(
            pair.topic.header(pair.topic.founder_grant()),
            Some(&pair.invited),
            &[],
        );
        pair.replica(1)
            .admitted(&control(header, &[item], &pair.author));
    }
}

/// What nobody judges yet is let in from nobody, or it would count one day unjudged.
#[test]
fn what_the_rules_do_not_speak_of_is_not_let_in() {
    let pair = Pair::new(18);
    let (topic, cut) = (&pair.topic, vec![id_of(&pair.invited)]);
    let form = Form::one(topic.founder.public());
    let mut act = Act {
        composition: form.member(),
        number: 1,
        previous: form.first_state(),
        form: form.clone(),
        cut: cut.clone(),
        signatures: vec![],
    };
    act.sign(topic.id, &topic.founder, Role::Signer);
    let grant = Grant {
        parent: topic.founder_grant(),
        holder: form.member(),
        rights: Terms::GUEST.rights,
        budget: Budget::default(),
        welcomes: None,
        form: Some(form),
        joint: None,
    };
    let revocation = Revocation {
        grant: topic.grant,
        cut: vec![],
        cascade: true,
        only: BTreeSet::new(),
        joint: None,
    };
    let close = Close {
        grant: topic.grant,
        cut,
    };
    let mut items = vec![
        Item::Countersign(act.id()),
        Item::Act(act),
        Item::Grant(grant),
        Item::Revocation(revocation),
        Item::Close(close),
    ];
    let InviteKind::WhileAway(gift) = topic.invite.kind else {
        panic!("a plain invite")
    };
    let mut admits = gift;
    admits.terms.rights.admit = Some(Interval::ALWAYS);
    let mut limited = gift;
    limited.terms.budget.messages = Some(1);
    let mut elsewhere = gift;
    elsewhere.parent = topic.grant;
    let kinds = [admits, limited, elsewhere].map(InviteKind::WhileAway);
    let others = [InviteKind::Attended(gift), InviteKind::Device];
    items.extend(kinds.into_iter().chain(others).map(|kind| {
        let invite = topic.invite;
        Item::Invite(wire::Invite { kind, ..invite })
    }));
    for item in items {
        let header = topic.header(topic.founder_grant());
        let header = follow(header, Some(&pair.invited), &[]);
        let written = control(header, std::slice::from_ref(&item), &pair.author);
        refused(&pair, &written, Rule::Unknown);
    }
    // A certificate that chooses among branches.
    let key = SecretKey::generate(&mut rng(180));
    let branches = vec![id_of(&pair.invited)];
    let who = (key.public(), 1);
    let certificate = Certificate::sign_choosing(topic.id, &topic.founder, who, branches);
    let header = topic.header(topic.founder_grant());
    let written = control(header, &[Item::Certificate(certificate)], &key);
    refused(&pair, &written, Rule::Unknown);
}

#[test]
fn a_guest_cannot_pose_as_the_founder() {
    let pair = Pair::new(17);
    let mut source = rng(170);
    let (device, key) = (
        SecretKey::generate(&mut source),
        SecretKey::generate(&mut source),
    );
    let certificate = Certificate::sign(pair.topic.id, &device, key.public(), 0);
    let header = pair.topic.header(pair.topic.founder_grant());
    refused(
        &pair,
        &control(header, &[Item::Certificate(certificate)], &key),
        Rule::Claim,
    );
}

#[test]
fn more_claims_than_uses_are_admitted_and_counted() {
    let pair = Pair::new(18);
    let mut replica = pair.replica(1);
    let mut source = rng(180);
    for _ in 0..3 {
        let (device, key) = (
            SecretKey::generate(&mut source),
            SecretKey::generate(&mut source),
        );
        replica.admitted(&join(&pair.topic, &device, &key, 0, &[&pair.invited]));
    }
    assert_eq!(replica.lace.claimed(&pair.topic.grant), 4);
    assert_eq!(
        replica.lace.invites().next().map(|invite| invite.uses),
        Some(2)
    );
}

#[test]
fn a_first_look_is_cheap_and_right() {
    let pair = Pair::new(19);
    let mut replica = pair.replica(1);
    let look = |replica: &mut crate::world::Replica, verified: &Checked<Verified>| {
        let envelope = verified.get().envelope.clone();
        replica.run(|lace, store| lace.judge(store, &envelope.id, &envelope.header))
    };
    let one = pair.says(&pair.joined, &[], "one");
    let two = pair.says(&one, &[], "two");
    let twin = pair.says(&pair.joined, &[], "twin");
    assert_eq!(look(&mut replica, &one), Verdict::New);
    assert_eq!(look(&mut replica, &two), Verdict::New);
    replica.take(&two);
    assert_eq!(look(&mut replica, &two), Verdict::Known);
    let bare = crate::world::without_body(&one);
    replica.take(&bare);
    assert_eq!(look(&mut replica, &one), Verdict::BodyWanted);
    replica.take(&one);
    assert_eq!(look(&mut replica, &one), Verdict::Known);
    replica.take(&twin);
    let third = pair.says(&twin, &[], "third");
    assert_eq!(look(&mut replica, &third), Verdict::Closed);
    let mut far = pair
        .founder_says(&pair.invited, &[], "far")
        .get()
        .envelope
        .clone();
    far.header.number += 10_000;
    let verdict = replica.run(|lace, store| {
        lace.judge(
            store,
            &identity::EnvelopeId::from_bytes([1; 32]),
            &far.header,
        )
    });
    assert_eq!(verdict, Verdict::NoRoom);
}
