//! Who belongs to the topic.

use crate::world::{DAY, Pair, START, control, follow, rng};
use identity::{GrantId, SecretKey};
use lace::proves;
use wire::{Checked, Claim, Item, Raw, Verified};

fn check(raws: Vec<Raw>) -> Vec<Checked<Verified>> {
    raws.into_iter()
        .map(|raw| wire::check(raw).expect("holds"))
        .collect()
}

#[test]
fn members_are_known_by_device_and_grant() {
    let pair = Pair::new(70);
    let replica = pair.replica(1);
    let lace = &replica.lace;
    let (founder, guest) = (pair.topic.founder.public(), pair.guest_device.public());
    let stranger = SecretKey::generate(&mut rng(700)).public();
    let (own, invited) = (pair.topic.founder_grant(), pair.topic.grant);
    assert!(lace.is_member(&founder, &own, None));
    assert!(lace.is_member(&guest, &invited, None));
    assert!(!lace.is_member(&guest, &own, None));
    assert!(!lace.is_member(&founder, &invited, None));
    assert!(!lace.is_member(&stranger, &invited, None));
    let claim = pair.topic.claim(stranger, START);
    assert!(lace.is_member(&stranger, &invited, Some(&claim)));
    assert!(!lace.is_member(&guest, &own, Some(&claim)));
    let other = SecretKey::generate(&mut rng(701)).public();
    assert!(
        !lace.is_member(&other, &invited, Some(&claim)),
        "somebody else's claim"
    );
    let late = pair.topic.claim(stranger, pair.topic.invite.until + 1);
    assert!(!lace.is_member(&stranger, &invited, Some(&late)));
    let forged = Claim {
        device: other,
        ..claim
    };
    assert!(!lace.is_member(&other, &invited, Some(&forged)));
}

#[test]
fn a_grant_is_proved_by_three_envelopes() {
    let pair = Pair::new(71);
    let mut replica = pair.replica(1);
    let (guest, grant) = (pair.guest_device.public(), pair.topic.grant);
    let genesis = &pair.topic.genesis;
    let proof = replica.run(|lace, store| lace.proof(store, &grant, Some(&guest)));
    assert_eq!(proof.len(), 3);
    assert!(proof.iter().map(Raw::encoded_len).sum::<usize>() < 8192);
    let proof = check(proof);
    assert!(proves(genesis, (&guest, &grant), None, &proof));
    // One that has not written yet shows its claim beside the invite.
    let newcomer = SecretKey::generate(&mut rng(710)).public();
    let short = replica.run(|lace, store| lace.proof(store, &grant, Some(&newcomer)));
    let short = check(short);
    assert_eq!(short.len(), 2);
    let claim = pair.topic.claim(newcomer, START);
    assert!(proves(genesis, (&newcomer, &grant), Some(&claim), &short));
    assert!(!proves(genesis, (&newcomer, &grant), None, &proof));
    assert!(!proves(genesis, (&guest, &grant), Some(&claim), &short));
    for left_out in 0..3 {
        let mut part = proof.clone();
        part.remove(left_out);
        assert!(!proves(genesis, (&guest, &grant), None, &part));
    }
    // Another topic's founder proves nothing here.
    let other = Pair::new(72);
    assert!(!proves(
        &other.topic.genesis,
        (&guest, &grant),
        None,
        &proof
    ));
    let unknown = GrantId::from_bytes([1; 32]);
    assert!(
        replica
            .run(|lace, store| lace.proof(store, &unknown, None))
            .is_empty()
    );
    assert!(proves(
        genesis,
        (&pair.topic.founder.public(), &pair.topic.founder_grant()),
        None,
        &[]
    ));
}

#[test]
fn a_guest_cannot_prove_an_invite_of_its_own_making() {
    let pair = Pair::new(73);
    let thief = SecretKey::generate(&mut rng(730));
    let mut invite = pair.topic.invite;
    invite.key = thief.public();
    invite.until = START + 9000 * DAY;
    let item = Item::Invite(invite);
    let header = follow(pair.topic.header(pair.topic.grant), Some(&pair.joined), &[]);
    let made = control(header, std::slice::from_ref(&item), &pair.guest);
    let mut topic = pair.topic.clone();
    topic.invite_key = thief.clone();
    topic.grant = item.id();
    let claim = topic.claim(thief.public(), START);
    let proof = [
        pair.first.clone(),
        pair.invited.clone(),
        pair.joined.clone(),
        made,
    ];
    let who = (&thief.public(), &item.id());
    assert!(!proves(&pair.topic.genesis, who, Some(&claim), &proof));
}
