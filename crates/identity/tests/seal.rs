//! The constructions of sealing: that they open where they should and nowhere else.

use identity::SealingKey;
use identity::seal::hpke::{
    BadKey, HpkeSecret, derive_key_pair, export_receiver, export_sender, open, seal,
};
use identity::seal::{AEAD_OVERHEAD, NotOpened, aead_open, aead_seal, hash, kdf, mac, same};
use machine::Rng;
use proptest::prelude::*;

fn hex(text: &str) -> [u8; 32] {
    data_encoding::HEXLOWER
        .decode(text.as_bytes())
        .unwrap()
        .try_into()
        .unwrap()
}

#[test]
fn key_pairs_are_those_of_rfc_9180() {
    // RFC 9180, appendix A.2.1 (DHKEM(X25519, HKDF-SHA256)): ikmR, pkRm, skRm.
    let ikm = hex("1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df");
    let (secret, public) = derive_key_pair(&ikm);
    let expected = hex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a");
    assert_eq!(public.as_bytes(), &expected);
    let expected = hex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
    assert_eq!(HpkeSecret::from_bytes(expected).public(), public);
    // The library keeps the secret with the bits fixed that X25519 ignores (RFC 7748 §5).
    let mut clamped = expected;
    clamped[0] &= 0xf8;
    clamped[31] = (clamped[31] & 0x7f) | 0x40;
    assert_eq!(*secret.to_bytes(), clamped);
}

#[test]
fn the_empty_hash_is_that_of_blake3() {
    // The first test vector of the BLAKE3 specification.
    let expected = hex("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
    assert_eq!(hash(&[]), expected);
    assert_eq!(hash(&[b"ab", b"c"]), hash(&[b"abc"]));
}

#[test]
fn derivations_are_apart() {
    let a: [u8; 32] = kdf("slice", &[b"x"]);
    assert_ne!(a, kdf("meet", &[b"x"]));
    assert_ne!(a, kdf("slice", &[b"y"]));
    assert_ne!(a, hash(&[b"x"]));
    assert_ne!(mac(&[1; 32], &[b"x"]), mac(&[2; 32], &[b"x"]));
    // A longer output begins like a shorter one.
    let long: [u8; 48] = kdf("slice", &[b"x"]);
    assert_eq!(long[..32], a);
    assert_eq!(a, blake3::derive_key("waystation v1 slice", b"x"));
}

#[test]
fn sameness_is_of_all_bytes() {
    assert!(same(b"", b""));
    assert!(same(b"abc", b"abc"));
    assert!(!same(b"abc", b"abd"));
    assert!(!same(b"abc", b"ab"));
}

#[test]
fn what_is_sealed_for_one_purpose_opens_for_no_other() {
    let mut rng = Rng::from_seed([3; 32]);
    let secret = HpkeSecret::generate(&mut rng);
    let (enc, sealed) = seal(
        &secret.public(),
        "box",
        &[b"topic", b"epoch"],
        b"aad",
        b"plain",
        &mut rng,
    )
    .unwrap();
    let opened = open(&secret, "box", &[b"topic", b"epoch"], &enc, b"aad", &sealed);
    assert_eq!(opened.unwrap(), b"plain");
    assert_eq!(
        open(
            &secret,
            "keys",
            &[b"topic", b"epoch"],
            &enc,
            b"aad",
            &sealed
        ),
        Err(NotOpened)
    );
    assert_eq!(
        open(&secret, "box", &[b"topic", b"other"], &enc, b"aad", &sealed),
        Err(NotOpened)
    );
    assert_eq!(
        open(&secret, "box", &[b"topic", b"epoch"], &enc, b"", &sealed),
        Err(NotOpened)
    );
    let other = HpkeSecret::generate(&mut rng);
    assert_eq!(
        open(&other, "box", &[b"topic", b"epoch"], &enc, b"aad", &sealed),
        Err(NotOpened)
    );
}

#[test]
fn both_sides_export_the_same_secret() {
    let mut rng = Rng::from_seed([4; 32]);
    let secret = HpkeSecret::generate(&mut rng);
    let (enc, sent): (_, [u8; 32]) =
        export_sender(&secret.public(), "sender", &[b"f"], "sender key", &mut rng).unwrap();
    let received: [u8; 32] =
        export_receiver(&secret, "sender", &[b"f"], "sender key", &enc).unwrap();
    assert_eq!(sent, received);
    let other: [u8; 32] = export_receiver(&secret, "sender", &[b"f"], "other", &enc).unwrap();
    assert_ne!(sent, other);
    let other: [u8; 32] = export_receiver(&secret, "sender", &[b"g"], "sender key", &enc).unwrap();
    assert_ne!(sent, other);
}

#[test]
fn the_same_generator_seals_the_same_bytes() {
    let secret = HpkeSecret::from_bytes([5; 32]);
    let run = || {
        let mut rng = Rng::from_seed([6; 32]);
        seal(&secret.public(), "box", &[], b"", b"plain", &mut rng).unwrap()
    };
    assert_eq!(run(), run());
}

#[test]
fn keys_of_small_order_are_refused_on_both_sides() {
    // The u-coordinates of the points of small order on Curve25519 and its twist, with the
    // encodings that are not reduced: with each the shared secret is zero, known to everybody.
    let p_minus_1 = {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xec;
        bytes[31] = 0x7f;
        bytes
    };
    let with_first = |first: u8| {
        let mut bytes = [0xff; 32];
        bytes[0] = first;
        bytes[31] = 0x7f;
        bytes
    };
    let mut bad = vec![[0; 32], p_minus_1, with_first(0xed), with_first(0xee)];
    let mut one = [0; 32];
    one[0] = 1;
    bad.push(one);
    bad.extend(
        curve25519_dalek::constants::EIGHT_TORSION
            .iter()
            .map(|point| point.to_montgomery().to_bytes()),
    );
    let mut rng = Rng::from_seed([7; 32]);
    let secret = HpkeSecret::generate(&mut rng);
    for bytes in bad {
        for high_bit in [0, 0x80] {
            let mut bytes = bytes;
            bytes[31] |= high_bit;
            let key = SealingKey::from_bytes(bytes);
            assert_eq!(seal(&key, "box", &[], b"", b"plain", &mut rng), Err(BadKey));
            let sent = export_sender::<32>(&key, "box", &[], "l", &mut rng);
            assert_eq!(sent, Err(BadKey));
            // The same as an encapsulated key: whoever sends it would know the secret.
            let received = export_receiver::<32>(&secret, "box", &[], "l", &bytes);
            assert_eq!(received, Err(NotOpened));
            assert_eq!(
                open(&secret, "box", &[], &bytes, b"", &[0; 40]),
                Err(NotOpened)
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_time_sealing_opens_and_notices_changes(
        key in any::<[u8; 32]>(),
        ad in prop::collection::vec(any::<u8>(), 0..40),
        plain in prop::collection::vec(any::<u8>(), 0..200),
        bit in any::<prop::sample::Index>(),
    ) {
        let sealed = aead_seal(&key, &ad, &plain);
        prop_assert_eq!(sealed.len(), plain.len() + AEAD_OVERHEAD);
        prop_assert_eq!(aead_open(&key, &ad, &sealed), Ok(plain));
        let mut changed = sealed.clone();
        let bit = bit.index(changed.len() * 8);
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(aead_open(&key, &ad, &changed), Err(NotOpened));
        let mut other = ad.clone();
        other.push(0);
        prop_assert_eq!(aead_open(&key, &other, &sealed), Err(NotOpened));
    }

    #[test]
    fn random_bytes_do_not_open_and_do_not_panic(
        key in any::<[u8; 32]>(),
        enc in any::<[u8; 32]>(),
        sealed in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        prop_assert_eq!(aead_open(&key, b"", &sealed), Err(NotOpened));
        let secret = HpkeSecret::from_bytes(key);
        prop_assert!(open(&secret, "box", &[], &enc, b"", &sealed).is_err());
    }
}
