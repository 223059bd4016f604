//! Answers to claims.

use identity::seal::hpke::{HpkeSecret, open, seal};
use identity::{EpochId, GrantId, SealingKey, SecretKey};
use rights::{Access, EpochSecret, Welcomed, no_box, open_answer, seal_answer};
use wire::limits::BOX_LEN;

use crate::support::{flips, founded, rng};

const CLAIM: [u8; 32] = [7; 32];

fn keys(count: u8) -> Vec<(EpochId, Access)> {
    let each = (0..count).map(|n| {
        let access = Access::Reader(EpochSecret::from_bytes([n; 32]));
        (EpochId::from_bytes([n; 32]), access)
    });
    each.collect()
}

struct Made {
    of: (identity::TopicId, [u8; 32]),
    giver: SecretKey,
    joiner: HpkeSecret,
    sealed: Vec<u8>,
}

fn made(handed: Vec<(EpochId, Access)>) -> Made {
    let of = (founded(1).topic, CLAIM);
    let giver = SecretKey::from_seed([8; 32]);
    let joiner = HpkeSecret::generate(&mut rng(4));
    let grant = GrantId::from_bytes([3; 32]);
    let welcomed = Welcomed::sign(of, &giver, grant, handed);
    let sealed = seal_answer(of, &joiner.public(), &welcomed, &mut rng(5)).unwrap();
    Made {
        of,
        giver,
        joiner,
        sealed,
    }
}

#[test]
fn the_claimer_alone_finds_the_grant_and_the_keys() {
    let made = made(keys(3));
    assert_eq!(made.sealed.len(), BOX_LEN);
    let found = open_answer(made.of, &made.joiner, &made.sealed).unwrap();
    assert_eq!(found.grant, GrantId::from_bytes([3; 32]));
    assert_eq!(found.keys.len(), 3);
    found.verify(made.of, &made.giver.public()).unwrap();
    let stranger = HpkeSecret::generate(&mut rng(6));
    open_answer(made.of, &stranger, &made.sealed).unwrap_err();
    // A miss looks the same.
    let miss = no_box(&mut rng(9));
    assert_eq!(miss.len(), made.sealed.len());
    open_answer(made.of, &made.joiner, &miss).unwrap_err();
}

#[test]
fn an_answer_is_for_one_claim_in_one_topic() {
    let made = made(keys(1));
    let (topic, claim) = made.of;
    for other in [(topic, [8; 32]), (founded(2).topic, claim)] {
        open_answer(other, &made.joiner, &made.sealed).unwrap_err();
        let found = open_answer(made.of, &made.joiner, &made.sealed).unwrap();
        found.verify(other, &made.giver.public()).unwrap_err();
    }
    for (at, flipped) in flips(&made.sealed).step_by(41) {
        let opened = open_answer(made.of, &made.joiner, &flipped);
        assert!(opened.is_err(), "byte {at}");
    }
    for len in [0, 31, 32, 48, BOX_LEN - 1] {
        open_answer(made.of, &made.joiner, &made.sealed[..len]).unwrap_err();
    }
    let longer = [made.sealed.as_slice(), &[0]].concat();
    open_answer(made.of, &made.joiner, &longer).unwrap_err();
}

/// Who keeps a claim knows what is sealed to, and could hand over keys of its own: it cannot sign
/// them.
#[test]
fn keys_are_those_that_the_giver_of_the_grant_has_signed() {
    let made = made(keys(2));
    let keeper = SecretKey::from_seed([9; 32]);
    let grant = GrantId::from_bytes([3; 32]);
    let forged = Welcomed::sign(made.of, &keeper, grant, keys(1));
    let sealed = seal_answer(made.of, &made.joiner.public(), &forged, &mut rng(5)).unwrap();
    let found = open_answer(made.of, &made.joiner, &sealed).unwrap();
    found.verify(made.of, &made.giver.public()).unwrap_err();
    // Nor put others under its signature, nor name another grant.
    let mut found = open_answer(made.of, &made.joiner, &made.sealed).unwrap();
    found.keys.pop();
    found.verify(made.of, &made.giver.public()).unwrap_err();
    let mut found = open_answer(made.of, &made.joiner, &made.sealed).unwrap();
    found.keys = keys(3).split_off(1);
    found.verify(made.of, &made.giver.public()).unwrap_err();
    let mut found = open_answer(made.of, &made.joiner, &made.sealed).unwrap();
    found.grant = GrantId::from_bytes([4; 32]);
    found.verify(made.of, &made.giver.public()).unwrap_err();
}

/// Behind what is handed over there are zeros alone.
#[test]
fn nothing_is_hidden_in_an_answer() {
    let made = made(keys(1));
    let to = made.joiner.public();
    let fields: [&[u8]; 2] = [made.of.0.as_bytes(), &made.of.1];
    let (enc, ct) = made.sealed.split_first_chunk().unwrap();
    let plain = open(&made.joiner, "welcome", &fields, enc, to.as_bytes(), ct).unwrap();
    let sealed = |plain: &[u8]| {
        let aad = to.as_bytes();
        let (enc, ct) = seal(&to, "welcome", &fields, aad, plain, &mut rng(6)).unwrap();
        open_answer(made.of, &made.joiner, &[enc.as_slice(), &ct].concat()).is_ok()
    };
    assert!(sealed(&plain));
    let mut hidden = plain.clone();
    *hidden.last_mut().unwrap() = 1;
    assert!(!sealed(&hidden));
}

#[test]
fn as_many_keys_as_fit_are_handed_over() {
    for count in [0, 1, 28, 29, 200, 255] {
        let made = made(keys(count));
        assert_eq!(made.sealed.len(), BOX_LEN);
        let found = open_answer(made.of, &made.joiner, &made.sealed).unwrap();
        found.verify(made.of, &made.giver.public()).unwrap();
        assert_eq!(found.keys.len(), usize::from(count.min(28)), "{count}");
    }
}

#[test]
fn nothing_is_sealed_to_a_key_of_small_order() {
    let of = (founded(1).topic, CLAIM);
    let giver = SecretKey::from_seed([8; 32]);
    let welcomed = Welcomed::sign(of, &giver, GrantId::from_bytes([3; 32]), keys(1));
    for key in [[0; 32], {
        let mut one = [0; 32];
        one[0] = 1;
        one
    }] {
        let sealed = seal_answer(of, &SealingKey::from_bytes(key), &welcomed, &mut rng(5));
        assert!(sealed.is_err());
    }
}
