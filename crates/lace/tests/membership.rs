//! Who belongs to the topic.

use crate::world::{Pair, START, rng};
use identity::{GrantId, PublicKey, SecretKey};
use wire::Claim;

#[test]
fn members_are_known_by_device_and_grant() {
    let pair = Pair::new(70);
    let mut replica = pair.replica(1);
    let mut is_member = |device: &PublicKey, grant: &GrantId, claim: Option<&Claim>| {
        replica.run(|lace, store| lace.is_member(store, device, grant, claim))
    };
    let (founder, guest) = (pair.topic.founder.public(), pair.guest_device.public());
    let stranger = SecretKey::generate(&mut rng(700)).public();
    let (own, invited) = (pair.topic.founder_grant(), pair.topic.grant);
    assert!(is_member(&founder, &own, None));
    assert!(is_member(&guest, &invited, None));
    assert!(!is_member(&guest, &own, None));
    assert!(!is_member(&founder, &invited, None));
    assert!(!is_member(&stranger, &invited, None));
    let claim = pair.topic.claim(stranger, START);
    assert!(is_member(&stranger, &invited, Some(&claim)));
    assert!(!is_member(&guest, &own, Some(&claim)));
    let other = SecretKey::generate(&mut rng(701)).public();
    assert!(
        !is_member(&other, &invited, Some(&claim)),
        "somebody else's claim"
    );
    let late = pair.topic.claim(stranger, pair.topic.invite.until + 1);
    assert!(!is_member(&stranger, &invited, Some(&late)));
    let forged = Claim {
        device: other,
        ..claim
    };
    assert!(!is_member(&other, &invited, Some(&forged)));
    let unknown = GrantId::from_bytes([1; 32]);
    assert!(!is_member(&founder, &unknown, None));
    let mut has = |device: &PublicKey| replica.run(|lace, store| lace.has_member(store, device));
    assert!(has(&founder) && has(&guest) && !has(&stranger));
}
