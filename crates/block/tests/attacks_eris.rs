//! Attacks on whoever reads a content, by holders and by the author itself.

use block::eris::{BlockSize, DecodeError, Decoder, Fed, Reference};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use identity::Secret;
use proptest::prelude::*;

use crate::content::{Encoded, content, decode, encode};

/// Encrypts as an author would that makes blocks by hand; gives reference, key and block.
fn lock(key: [u8; 32], level: u8, plain: &[u8]) -> (Reference, [u8; 32], Vec<u8>) {
    let mut nonce = [0; 12];
    nonce[0] = level;
    let mut block = plain.to_vec();
    ChaCha20::new(&key.into(), &nonce.into()).apply_keystream(&mut block);
    (Reference::of(&block), key, block)
}

fn unkeyed(plain: &[u8]) -> [u8; 32] {
    // A reference is the same hash.
    *Reference::of(plain).as_bytes()
}

/// A content of two leaves whose root the author fills as it likes.
fn with_root(change: impl FnOnce(&mut Vec<u8>)) -> Encoded {
    let mut encoded = encode(&content(1, 1_500), BlockSize::Small, [0; 32]);
    let mut root = encoded.blocks[2].clone();
    let key = *encoded.capability.key.as_bytes();
    ChaCha20::new(&key.into(), &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].into())
        .apply_keystream(&mut root);
    change(&mut root);
    let (reference, key, block) = lock(unkeyed(&root), 1, &root);
    encoded.capability.reference = reference;
    encoded.capability.key = Secret::from_bytes(key);
    encoded.blocks[2] = block;
    encoded
}

/// A content of one leaf whose plaintext the author makes as it likes.
fn with_leaf(length: u64, plain: &[u8; 1_024]) -> Encoded {
    let mut encoded = encode(&content(1, 100), BlockSize::Small, [0; 32]);
    let (reference, key, block) = lock([5; 32], 0, plain);
    encoded.capability.reference = reference;
    encoded.capability.key = Secret::from_bytes(key);
    encoded.blocks[0] = block;
    encoded.length = length;
    encoded
}

fn malformed(encoded: &Encoded) -> &'static str {
    match decode(encoded) {
        Err(DecodeError::Malformed { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_bit_flipped_in_any_block_is_noticed(
        length in 0_usize..40_000,
        block in any::<prop::sample::Index>(),
        bit in any::<prop::sample::Index>(),
    ) {
        let mut encoded = encode(&content(1, length), BlockSize::Small, [3; 32]);
        let slot = block.index(encoded.blocks.len());
        let block = &mut encoded.blocks[slot];
        let bit = bit.index(block.len() * 8);
        block[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(decode(&encoded), Err(DecodeError::NotTheBlock(slot as u32)));
    }

    /// Of the key of a root that is a leaf, only what it does to the padding can be seen: ERIS keys
    /// leaves with the convergence secret. The capability comes sealed and signed.
    #[test]
    fn a_bit_flipped_in_the_capability_is_noticed(
        length in 1_024_usize..40_000,
        bit in 0_usize..66 * 8,
    ) {
        let mut encoded = encode(&content(1, length), BlockSize::Small, [3; 32]);
        let mut bytes = encoded.capability.to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(capability) = block::eris::ReadCapability::from_bytes(&bytes) {
            encoded.capability = capability;
            prop_assert!(decode(&encoded).is_err());
        }
    }

    #[test]
    fn another_length_than_the_contents_is_noticed(length in 0_u64..40_000, other in 0_u64..40_000) {
        prop_assume!(length != other);
        let mut encoded = encode(&content(1, length as usize), BlockSize::Small, [3; 32]);
        encoded.length = other;
        // A longer tree would need slots that there are not.
        let blocks = block::eris::Shape::of(other, BlockSize::Small).unwrap().blocks();
        encoded.blocks.resize(encoded.blocks.len().max(blocks as usize), vec![0; 1_024]);
        prop_assert!(decode(&encoded).is_err());
    }

    /// Whatever is fed, an error comes of it, and the right block still helps.
    #[test]
    fn rubbish_is_refused(
        rubbish in prop::collection::vec(any::<u8>(), 0..3_000),
        slot in any::<u32>(),
    ) {
        let encoded = encode(&content(1, 3_000), BlockSize::Small, [3; 32]);
        let mut decoder = Decoder::new(encoded.capability.clone(), 3_000).unwrap();
        prop_assert!(decoder.feed(slot, rubbish.clone()).is_err());
        let need = decoder.need().unwrap();
        prop_assert_eq!(
            decoder.feed(need.slot, rubbish),
            Err(DecodeError::NotTheBlock(need.slot))
        );
        let block = encoded.blocks[need.slot as usize].clone();
        prop_assert_eq!(decoder.feed(need.slot, block), Ok(Fed::Inner));
    }
}

#[test]
fn a_block_is_taken_for_its_own_slot_alone() {
    // Three leaves and the root; leaves 0 and 1 are equal.
    let content = [vec![7; 2_048], vec![8; 10]].concat();
    let encoded = encode(&content, BlockSize::Small, [3; 32]);
    assert_eq!(encoded.blocks[0], encoded.blocks[1]);
    let fresh = || Decoder::new(encoded.capability.clone(), encoded.length).unwrap();

    let mut decoder = fresh();
    for slot in [0, 1, 2, 4, u32::MAX] {
        let block = encoded.blocks[3].clone();
        assert_eq!(decoder.feed(slot, block), Err(DecodeError::NotNeeded));
    }
    assert_eq!(
        decoder.feed(3, encoded.blocks[0].clone()),
        Err(DecodeError::NotTheBlock(3))
    );
    decoder.feed(3, encoded.blocks[3].clone()).unwrap();
    // The right bytes, said to be in the slot of their equal.
    assert_eq!(
        decoder.feed(1, encoded.blocks[0].clone()),
        Err(DecodeError::NotNeeded)
    );
    assert_eq!(
        decoder.feed(0, encoded.blocks[2].clone()),
        Err(DecodeError::NotTheBlock(0))
    );
    for length in [0, 1_023, 1_025] {
        let mut block = encoded.blocks[0].clone();
        block.resize(length, 0);
        assert_eq!(decoder.feed(0, block), Err(DecodeError::NotTheBlock(0)));
    }
    for slot in 0..3 {
        let block = encoded.blocks[slot].clone();
        assert!(matches!(decoder.feed(slot as u32, block), Ok(Fed::Leaf(_))));
    }
    assert_eq!(decoder.need(), None);
    assert_eq!(
        decoder.feed(0, encoded.blocks[0].clone()),
        Err(DecodeError::NotNeeded)
    );
    assert_eq!(decoder.seek(3), Err(DecodeError::NoLeaf(3)));
    // The end is no end: it may be read again, from the inner blocks that are known.
    decoder.seek(1).unwrap();
    assert_eq!(decoder.need().unwrap().slot, 1);
}

#[test]
fn an_inner_block_that_is_not_encrypted_under_its_hash_is_refused() {
    let mut encoded = with_root(|_| ());
    assert_eq!(
        decode(&encoded).unwrap(),
        content(1, 1_500),
        "the harness is right"
    );
    let mut root = encoded.blocks[2].clone();
    let key = *encoded.capability.key.as_bytes();
    ChaCha20::new(&key.into(), &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].into())
        .apply_keystream(&mut root);
    let (reference, key, block) = lock([9; 32], 1, &root);
    encoded.capability.reference = reference;
    encoded.capability.key = Secret::from_bytes(key);
    encoded.blocks[2] = block;
    assert_eq!(malformed(&encoded), "its key is not its hash");

    // An inner block encrypted for another level.
    let (reference, key, block) = lock(unkeyed(&root), 2, &root);
    encoded.capability.reference = reference;
    encoded.capability.key = Secret::from_bytes(key);
    encoded.blocks[2] = block;
    assert_eq!(malformed(&encoded), "its key is not its hash");
}

#[test]
fn pairs_are_as_many_as_the_length_says() {
    assert_eq!(
        malformed(&with_root(|root| root[64..128].fill(0))),
        "a pair is missing"
    );
    assert_eq!(
        malformed(&with_root(|root| root[64..96].fill(0))),
        "a pair is missing"
    );
    assert_eq!(
        malformed(&with_root(|root| root[..32].fill(0))),
        "a pair is missing"
    );
    assert_eq!(
        malformed(&with_root(|root| root[128] = 1)),
        "a pair too many"
    );
    assert_eq!(
        malformed(&with_root(|root| root[1_023] = 0x80)),
        "a pair too many"
    );
    let mut twice = with_root(|root| root.copy_within(0..64, 64));
    twice.blocks[1] = twice.blocks[0].clone();
    assert_eq!(
        malformed(&twice),
        "the padding is wrong",
        "leaf 0 stands for leaf 1"
    );
    let swapped = with_root(|root| {
        let (first, rest) = root.split_at_mut(64);
        first.swap_with_slice(&mut rest[..64]);
    });
    assert!(decode(&swapped).is_err());
}

#[test]
fn padding_is_one_byte_and_zeros_and_where_the_length_says() {
    let mut plain = [0; 1_024];
    plain[..100].fill(7);
    plain[100] = 0x80;
    assert_eq!(decode(&with_leaf(100, &plain)).unwrap(), [7; 100]);
    for length in [0, 99, 101, 1_023] {
        assert_eq!(
            malformed(&with_leaf(length, &plain)),
            "the padding is wrong"
        );
    }
    for (at, byte) in [(100, 0), (100, 0x81), (101, 0x80), (1_023, 1)] {
        let mut other = plain;
        other[at] = byte;
        assert_eq!(malformed(&with_leaf(100, &other)), "the padding is wrong");
    }
    // No padding at all: the content would need a second leaf.
    let full = with_leaf(1_024, &[7; 1_024]);
    assert_eq!(
        decode(&full),
        Err(DecodeError::Level {
            wanted: 1,
            found: 0
        })
    );
}

#[test]
fn a_capability_of_another_tree_is_refused_before_any_block() {
    let encoded = encode(&content(1, 3_000), BlockSize::Small, [0; 32]);
    for level in [0, 2, 5, 255] {
        let mut capability = encoded.capability.clone();
        capability.level = level;
        let refused = Decoder::new(capability, 3_000).unwrap_err();
        assert_eq!(
            refused,
            DecodeError::Level {
                wanted: 1,
                found: level
            }
        );
    }
    for length in [u64::MAX, 1 << 48, 32 << 30] {
        let refused = Decoder::new(encoded.capability.clone(), length).unwrap_err();
        assert!(matches!(refused, DecodeError::TooLarge(_)));
    }
}
