//! Every second way to make a signature pass that Ed25519 is known for, tried and refused.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use identity::{BadSignature, Context, PublicKey, SecretKey, Signature};
use machine::Rng;
use proptest::prelude::*;
use sha2::{Digest as _, Sha512};

const CONTEXT: Context = Context::Envelope;
const BYTES: &[u8] = b"what was signed";

/// 2²⁵² + 27742317777372353535851937790883648493, little-endian.
const GROUP_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn key() -> SecretKey {
    SecretKey::from_seed([7; 32])
}

fn framed(context: Context, bytes: &[u8]) -> Vec<u8> {
    [context.name().as_bytes(), &[0], bytes].concat()
}

/// k = SHA-512(R ‖ A ‖ M) mod the group order.
fn challenge(r: &[u8; 32], a: &[u8; 32], bytes: &[u8]) -> Scalar {
    let hash = Sha512::new()
        .chain_update(r)
        .chain_update(a)
        .chain_update(framed(CONTEXT, bytes));
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

fn signature(r: [u8; 32], s: [u8; 32]) -> Signature {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(&r);
    bytes[32..].copy_from_slice(&s);
    Signature::from_bytes(bytes)
}

/// The encodings of points of small order: the canonical ones, the same with y + p where that is
/// below 2²⁵⁵, and those of x = 0 with the sign set.
fn small_order_encodings() -> Vec<[u8; 32]> {
    let mut all: Vec<[u8; 32]> = EIGHT_TORSION
        .iter()
        .map(|point| point.compress().to_bytes())
        .collect();
    for first in [0xed, 0xee] {
        for last in [0x7f, 0xff] {
            let mut encoded = [0xff; 32];
            encoded[0] = first;
            encoded[31] = last;
            all.push(encoded);
        }
    }
    let mut one = [0; 32];
    one[0] = 1;
    one[31] = 0x80;
    all.push(one);
    let mut minus_one = [0xff; 32];
    minus_one[0] = 0xec;
    all.push(minus_one);
    all
}

#[test]
fn keys_are_those_of_rfc_8032() {
    // RFC 8032 §7.1, test 1.
    let hex = |text: &str| -> [u8; 32] {
        data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .unwrap()
            .try_into()
            .unwrap()
    };
    let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    assert_eq!(SecretKey::from_seed(seed).public().as_bytes(), &public);
}

#[test]
fn a_signature_is_good_for_its_key_context_and_bytes_alone() {
    let signed = key().sign(CONTEXT, BYTES);
    assert_eq!(key().public().verify(CONTEXT, BYTES, &signed), Ok(()));
    for context in Context::ALL
        .into_iter()
        .filter(|context| *context != CONTEXT)
    {
        assert_eq!(
            key().public().verify(context, BYTES, &signed),
            Err(BadSignature)
        );
    }
    assert_eq!(
        key().public().verify(CONTEXT, b"other", &signed),
        Err(BadSignature)
    );
    let other = SecretKey::from_seed([8; 32]).public();
    assert_eq!(other.verify(CONTEXT, BYTES, &signed), Err(BadSignature));
}

#[test]
fn no_context_can_pose_as_another() {
    for a in Context::ALL {
        assert!(a.name().starts_with("waystation/"));
        assert!(!a.name().contains('\0'));
        for b in Context::ALL {
            assert!(a == b || a.name() != b.name());
        }
    }
}

#[test]
fn a_context_cannot_be_moved_into_the_bytes() {
    // "waystation/envelope/v1" 00 "waystation/receipt/v1" 00 x is not a receipt over x.
    let inner = framed(Context::Receipt, BYTES);
    let signed = key().sign(Context::Envelope, &inner);
    assert_eq!(
        key().public().verify(Context::Receipt, BYTES, &signed),
        Err(BadSignature)
    );
}

#[test]
fn s_plus_the_group_order_is_refused() {
    // The same residue: libraries that reduce S accept a second signature for one message.
    let signed = key().sign(CONTEXT, BYTES).to_bytes();
    let mut forged = signed;
    let mut carry = 0;
    for (byte, order) in forged[32..].iter_mut().zip(GROUP_ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    let forged = Signature::from_bytes(forged);
    assert_eq!(
        key().public().verify(CONTEXT, BYTES, &forged),
        Err(BadSignature)
    );
}

#[test]
fn keys_of_small_order_sign_nothing() {
    // With A of small order and R = S = nothing, the equation holds for many messages, so the
    // "signature" of one would fit all.
    let identity = EdwardsPoint::default().compress().to_bytes();
    for a in small_order_encodings() {
        for r in small_order_encodings().into_iter().chain([identity]) {
            for bytes in [&b""[..], b"1", b"2", b"3", b"4", b"5", b"6", b"7"] {
                let forged = signature(r, [0; 32]);
                let key = PublicKey::from_bytes(a);
                assert_eq!(key.verify(CONTEXT, bytes, &forged), Err(BadSignature));
            }
        }
    }
}

#[test]
fn r_of_small_order_is_refused() {
    // Its owner can make it on purpose (r = 0, S = k·a): valid by the equation, refused by the rule.
    let a = Scalar::from_bytes_mod_order([9; 32]);
    let public = EdwardsPoint::mul_base(&a).compress().to_bytes();
    let r = EdwardsPoint::default().compress().to_bytes();
    let s = challenge(&r, &public, BYTES) * a;
    let made = signature(r, s.to_bytes());
    assert_eq!(
        PublicKey::from_bytes(public).verify(CONTEXT, BYTES, &made),
        Err(BadSignature)
    );
}

#[test]
fn the_cofactor_is_not_multiplied() {
    // A key with a part of order 8. Where k is no multiple of 8 the equation holds only after
    // multiplying by 8; a batch check would accept it, this one may not, whatever the message.
    let a = Scalar::from_bytes_mod_order([5; 32]);
    let mixed = EdwardsPoint::mul_base(&a) + EIGHT_TORSION[1];
    let public = mixed.compress().to_bytes();
    let r_scalar = Scalar::from_bytes_mod_order([6; 32]);
    let r = EdwardsPoint::mul_base(&r_scalar).compress().to_bytes();
    let mut refused = 0;
    for number in 0_u8..32 {
        let k = challenge(&r, &public, &[number]);
        let made = signature(r, (r_scalar + k * a).to_bytes());
        let verdict = PublicKey::from_bytes(public).verify(CONTEXT, &[number], &made);
        assert_eq!(
            verdict.is_ok(),
            k.to_bytes()[0].is_multiple_of(8),
            "message {number}"
        );
        refused += u32::from(verdict.is_err());
    }
    assert!(refused > 0);
}

#[test]
fn a_key_has_one_encoding() {
    // y + p fits into 255 bits for y below 19. Where such a y is on the curve and not of small
    // order, the owner of the point could be known under two names.
    let mut tried = 0;
    for y in 0_u8..19 {
        for sign in [0, 0x80] {
            let mut canonical = [0; 32];
            canonical[0] = y;
            canonical[31] = sign;
            let mut second = [0xff; 32];
            second[0] = 0xed + y;
            second[31] = 0x7f | sign;
            let on_curve = curve25519_dalek::edwards::CompressedEdwardsY(second).decompress();
            let Some(point) = on_curve else { continue };
            assert!(point.is_small_order() || point.compress().to_bytes() == canonical);
            // No secret is known for these points, so no signature can be made that only the check
            // of the encoding would refuse; a unit test beside that check sees to it alone.
            let made = signature(EdwardsPoint::default().compress().to_bytes(), [0; 32]);
            let verdict = PublicKey::from_bytes(second).verify(CONTEXT, BYTES, &made);
            assert_eq!(verdict, Err(BadSignature));
            tried += 1;
        }
    }
    assert!(tried > 4);
}

#[test]
fn bytes_that_are_no_point_verify_nothing() {
    let signed = key().sign(CONTEXT, BYTES);
    let mut refused = 0;
    for first in 0..=255 {
        let mut bytes = [3; 32];
        bytes[0] = first;
        refused += u32::from(
            PublicKey::from_bytes(bytes)
                .verify(CONTEXT, BYTES, &signed)
                .is_err(),
        );
    }
    assert_eq!(refused, 256);
}

#[test]
fn signing_repeats_and_keys_do_not() {
    assert_eq!(key().sign(CONTEXT, BYTES), key().sign(CONTEXT, BYTES));
    let mut rng = Rng::from_seed([1; 32]);
    let (a, b) = (SecretKey::generate(&mut rng), SecretKey::generate(&mut rng));
    assert_ne!(a.public(), b.public());
    assert_eq!(SecretKey::from_seed(*a.to_seed()).public(), a.public());
}

#[test]
fn secrets_are_not_printed() {
    let seed = *key().to_seed();
    let shown = format!("{:?} {:?}", key(), identity::Secret::from_bytes(seed));
    assert!(!shown.contains("07070707"), "{shown}");
    let hpke = identity::seal::hpke::HpkeSecret::from_bytes([0x41; 32]);
    assert!(!format!("{hpke:?}").contains("41414141"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_changed_bit_is_noticed(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        bit in 0_usize..512,
    ) {
        let good = key().sign(CONTEXT, &bytes);
        prop_assert!(key().public().verify(CONTEXT, &bytes, &good).is_ok());
        let mut changed = good.to_bytes();
        changed[bit / 8] ^= 1 << (bit % 8);
        let changed = Signature::from_bytes(changed);
        prop_assert!(key().public().verify(CONTEXT, &bytes, &changed).is_err());
    }

    #[test]
    fn random_bytes_never_pass_and_never_panic(
        key in any::<[u8; 32]>(),
        signed in prop::collection::vec(any::<u8>(), 64),
        bytes in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let signed = Signature::from_bytes(signed.try_into().unwrap());
        prop_assert!(PublicKey::from_bytes(key).verify(CONTEXT, &bytes, &signed).is_err());
    }
}
