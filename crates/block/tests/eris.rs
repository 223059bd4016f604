//! What holds of every content.

use block::eris::{
    BlockSize, CapabilityError, Decoder, EncodeError, Encoder, Fed, ReadCapability, Shape,
};
use block::limits::{LARGE_FROM, MAX_BLOCKS, MAX_CONTENT, MAX_LEVEL};
use identity::Secret;
use proptest::prelude::*;

use crate::content::{Stop, content, decode, encode, encode_in};

const SIZES: [BlockSize; 2] = [BlockSize::Small, BlockSize::Large];

/// A block size, and a length within a few blocks or a few inner blocks of it.
fn any_length() -> impl Strategy<Value = (BlockSize, usize)> {
    prop_oneof![
        (Just(BlockSize::Small), 0_usize..6_000),
        (Just(BlockSize::Small), 250_000_usize..280_000),
        (Just(BlockSize::Large), 0_usize..200_000),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_pieces_make_the_same_blocks_and_they_read_the_same(
        (size, length) in any_length(),
        secret in any::<[u8; 32]>(),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let content = content(1, length);
        let mut cuts: Vec<usize> = cuts.drain(..).map(|cut| cut.index(length + 1)).collect();
        cuts.sort_unstable();
        let encoded = encode_in(&content, size, secret, &cuts);
        prop_assert_eq!(&encoded.blocks, &encode(&content, size, secret).blocks);
        prop_assert_eq!(decode(&encoded).unwrap(), content);
    }

    #[test]
    fn any_leaf_is_read_without_the_others(
        (size, length) in any_length(),
        offsets in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
    ) {
        let content = content(2, length);
        let encoded = encode(&content, size, [9; 32]);
        let mut decoder = Decoder::new(encoded.capability.clone(), length as u64).unwrap();
        for offset in offsets {
            let offset = offset.index(length + 1) as u64;
            let (leaf, within) = decoder.shape().leaf_at(offset).unwrap();
            decoder.seek(leaf).unwrap();
            let mut steps = 0;
            loop {
                steps += 1;
                prop_assert!(steps <= 1 + u32::from(decoder.shape().top()));
                let need = decoder.need().unwrap();
                let block = encoded.blocks[need.slot as usize].clone();
                if let Fed::Leaf(leaf) = decoder.feed(need.slot, block).unwrap() {
                    prop_assert_eq!(
                        leaf.bytes.get(within),
                        content.get(offset as usize)
                    );
                    break;
                }
            }
        }
    }
}

#[test]
fn equal_leaves_are_equal_blocks_in_slots_of_their_own() {
    let encoded = encode(&content(0, 40 * 1_024), BlockSize::Small, [0; 32]);
    assert_eq!(encoded.blocks.len(), 41 + 3 + 1);
    assert_eq!(encoded.blocks[0], encoded.blocks[39]);
    assert_ne!(encoded.blocks[0], encoded.blocks[40], "padding");
    assert_eq!(decode(&encoded).unwrap(), content(0, 40 * 1_024));
}

#[test]
fn another_secret_makes_other_blocks() {
    let content = content(1, 5_000);
    let one = encode(&content, BlockSize::Small, [1; 32]);
    let other = encode(&content, BlockSize::Small, [2; 32]);
    for block in &one.blocks {
        assert!(!other.blocks.contains(block));
    }
}

#[test]
fn a_content_that_changes_while_it_is_read_is_noticed() {
    let secret = || Secret::from_bytes([0; 32]);
    let mut take = |_: block::eris::EncodedBlock<'_>| -> Result<(), Stop> { Ok(()) };
    let mut encoder = Encoder::new(secret(), 10, BlockSize::Small).unwrap();
    encoder.push(&[0; 6], &mut take).unwrap();
    let longer = encoder.push(&[0; 5], &mut take);
    assert!(matches!(longer, Err(Stop::Encoding(EncodeError::Longer))));
    let spent = encoder.push(&[0; 1], &mut take);
    assert!(matches!(spent, Err(Stop::Encoding(EncodeError::Spent))));
    let spent = encoder.finish(&mut take);
    assert!(matches!(spent, Err(Stop::Encoding(EncodeError::Spent))));

    let mut encoder = Encoder::new(secret(), 10, BlockSize::Small).unwrap();
    encoder.push(&[0; 6], &mut take).unwrap();
    let shorter = encoder.finish(&mut take);
    assert!(matches!(
        shorter,
        Err(Stop::Encoding(EncodeError::Shorter(4)))
    ));
}

#[test]
fn who_takes_the_blocks_may_stop() {
    let mut encoder = Encoder::new(Secret::from_bytes([0; 32]), 100_000, BlockSize::Small).unwrap();
    let mut taken = 0;
    let mut take = |_: block::eris::EncodedBlock<'_>| -> Result<(), Stop> {
        taken += 1;
        if taken == 20 {
            Err(Stop::Asked)
        } else {
            Ok(())
        }
    };
    let stopped = encoder.push(&[0; 100_000], &mut take);
    assert!(matches!(stopped, Err(Stop::Asked)));
    let spent = encoder.push(&[], &mut take);
    assert!(matches!(spent, Err(Stop::Encoding(EncodeError::Spent))));
    assert_eq!(taken, 20);
}

#[test]
fn slots_are_the_leaves_then_each_level_up_to_the_root() {
    for size in SIZES {
        let arity = u64::from(size.arity());
        for leaves in [
            1,
            2,
            3,
            arity - 1,
            arity,
            arity + 1,
            arity * arity,
            arity * arity + 1,
        ] {
            let length = (leaves - 1) * size.bytes() as u64;
            let shape = Shape::of(length, size).unwrap();
            assert_eq!(u64::from(shape.leaves()), leaves);
            assert_eq!(shape.on_level(shape.top()), 1);
            assert_eq!(shape.on_level(shape.top() + 1), 0);
            let mut slot = 0;
            for level in 0..=shape.top() {
                for index in [0, shape.on_level(level) - 1] {
                    let slot = slot + index;
                    assert_eq!(shape.slot(level, index), Some(slot));
                    assert_eq!(shape.place(slot), Some((level, index)));
                }
                let below = if level == 0 {
                    0
                } else {
                    shape.on_level(level - 1)
                };
                let children: u32 = (0..shape.on_level(level))
                    .map(|index| shape.children(level, index))
                    .sum();
                assert_eq!(children, below);
                assert_eq!(shape.slot(level, shape.on_level(level)), None);
                slot += shape.on_level(level);
            }
            assert_eq!(shape.blocks(), slot);
            assert_eq!(shape.place(slot), None);
            assert_eq!(shape.bytes(), u64::from(slot) * size.bytes() as u64);
            assert_eq!(Shape::of_count(slot, size), Some(shape));
        }
        assert_eq!(Shape::of(0, size).unwrap().slot(MAX_LEVEL + 1, 0), None);
        assert_eq!(Shape::of(0, size).unwrap().slot(u8::MAX, 0), None);
    }
}

#[test]
fn a_number_of_blocks_is_that_of_one_tree_or_of_none() {
    for size in SIZES {
        let mut next = 1;
        for leaves in 1_u64..3_000 {
            let shape = Shape::of((leaves - 1) * size.bytes() as u64, size).unwrap();
            for none in next..shape.blocks() {
                assert_eq!(Shape::of_count(none, size), None, "{none}");
            }
            assert_eq!(Shape::of_count(shape.blocks(), size), Some(shape));
            next = shape.blocks() + 1;
        }
        for none in [0, 2, MAX_BLOCKS + 1, u32::MAX] {
            assert_eq!(Shape::of_count(none, size), None, "{none}");
        }
    }
}

#[test]
fn the_largest_content_and_one_byte_more() {
    let largest = Shape::of(MAX_CONTENT, BlockSize::Large).unwrap();
    assert_eq!(largest.blocks(), MAX_BLOCKS);
    assert_eq!(largest.bytes(), 32 << 30);
    for length in [MAX_CONTENT + 1, u64::MAX / 2, u64::MAX] {
        for size in SIZES {
            let refused = Shape::of(length, size).unwrap_err();
            assert!(
                refused.to_string().contains("at most 1048576 blocks"),
                "{refused}"
            );
        }
    }
    // What its levels are for.
    let small = (0..MAX_BLOCKS)
        .rev()
        .find_map(|leaves| Shape::of(u64::from(leaves) * 1_024, BlockSize::Small).ok());
    assert_eq!(small.unwrap().top(), MAX_LEVEL);
}

#[test]
fn the_block_size_follows_from_the_length() {
    assert_eq!(BlockSize::for_length(LARGE_FROM - 1), BlockSize::Small);
    assert_eq!(BlockSize::for_length(LARGE_FROM), BlockSize::Large);
    let most = Shape::of(LARGE_FROM - 1, BlockSize::Small).unwrap();
    assert_eq!((most.leaves(), most.blocks()), (16, 17));
    assert_eq!(most.leaf_at(16_383), Some((15, 1_023)));
    for beyond in [16_384, u64::MAX] {
        assert_eq!(most.leaf_at(beyond), None);
    }
}

#[test]
fn a_capability_has_one_text_and_one_form_in_bytes() {
    let capability = encode(b"Hello world!", BlockSize::Small, [0; 32]).capability;
    let bytes = capability.to_bytes();
    assert_eq!(ReadCapability::from_bytes(&bytes), Ok(capability.clone()));
    let shown = format!("{capability:?}");
    assert!(shown.contains("Secret(…)"), "{shown}");

    let urn = capability.to_urn();
    let digits = urn.strip_prefix("urn:eris:").unwrap();
    for bad in [
        String::new(),
        digits.to_owned(),
        urn.to_lowercase(),
        format!("URN:eris:{digits}"),
        format!("{urn}A"),
        format!("{urn}A======"),
        format!("{urn}="),
        format!(" {urn}"),
        urn[..urn.len() - 1].to_owned(),
        // Bits that belong to no byte.
        format!("{}N", &urn[..urn.len() - 1]),
        format!("{}é", &urn[..urn.len() - 2]),
        "urn:eris:".to_owned() + &"A".repeat(1_000_000),
    ] {
        assert_eq!(
            ReadCapability::from_urn(&bad),
            Err(CapabilityError::Garbled)
        );
    }
    for length in [0, 65, 67] {
        let mut other = bytes.to_vec();
        other.resize(length, 0);
        assert_eq!(
            ReadCapability::from_bytes(&other),
            Err(CapabilityError::Garbled)
        );
    }
    let mut other = bytes;
    other[0] = 0x0b;
    assert_eq!(
        ReadCapability::from_bytes(&other),
        Err(CapabilityError::BlockSize(0x0b))
    );
    other[0] = 0x0a;
    other[1] = MAX_LEVEL + 1;
    assert_eq!(
        ReadCapability::from_bytes(&other),
        Err(CapabilityError::Level(MAX_LEVEL + 1))
    );
}
