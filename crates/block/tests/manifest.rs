//! Manifests, page lists and pages: what is made of a content, and attacks with each of them.

use block::eris::{BlockSize, DecodeError, Reference, Shape};
use block::limits::{LARGE_FROM, MAX_BLOCKS, MAX_CONTENT, PAGE_REFERENCES};
use block::manifest::{CheckedManifest, Listing, ManifestError, Page, PageList, References};
use proptest::prelude::*;
use wire::Manifest;

use crate::content::{Encoded, content, decode, encode};

/// A listing of blocks that need not be there: the reference of each slot is made up.
fn listing(length: u64, salt: u8) -> Listing {
    let shape = Shape::of(length, BlockSize::for_length(length)).unwrap();
    let mut references = References::new(&shape).unwrap();
    for slot in 0..shape.blocks() {
        references.set(slot, made_up(slot, salt)).unwrap();
    }
    references.finish().unwrap()
}

fn made_up(slot: u32, salt: u8) -> Reference {
    Reference::of(&[&slot.to_be_bytes()[..], &[salt]].concat())
}

/// The listing of an encoded content.
fn of_content(encoded: &Encoded) -> Listing {
    let shape = Shape::of(encoded.length, encoded.capability.block_size).unwrap();
    let mut references = References::new(&shape).unwrap();
    // In any order.
    for (slot, block) in encoded.blocks.iter().enumerate().rev() {
        references.set(slot as u32, Reference::of(block)).unwrap();
    }
    references.finish().unwrap()
}

/// Two full pages and a short one.
const THREE_PAGES: u64 = 2_500 * 32_768;

#[test]
fn a_holder_verifies_every_block_of_a_content_from_its_header() {
    for length in [0, 1_023, 1_024, 16_383, 16_384, 40_000, 40 * 32_768] {
        let content = content(1, length);
        let encoded = encode(&content, BlockSize::for_length(length as u64), [1; 32]);
        let made = of_content(&encoded);
        let manifest = made.list.manifest().to_manifest();

        let checked = CheckedManifest::of(&manifest).unwrap();
        let list = PageList::decode(&checked, &made.list.encode()).unwrap();
        assert_eq!(list, made.list);
        let page = Page::decode(&list, 0, &made.pages[0].encode()).unwrap();
        assert_eq!(page, made.pages[0]);
        for (slot, block) in encoded.blocks.iter().enumerate() {
            page.verify_block(slot as u32, block).unwrap();
        }
        // And whoever can read it does.
        let mut decoder = checked
            .decoder(encoded.capability.clone(), encoded.length)
            .unwrap();
        let root = decoder.need().unwrap();
        assert_eq!(page.reference(root.slot), Some(root.reference));
        decoder
            .feed(root.slot, encoded.blocks[root.slot as usize].clone())
            .unwrap();
    }
}

#[test]
fn pages_are_full_but_for_the_last() {
    let made = listing(THREE_PAGES, 0);
    let manifest = made.list.manifest();
    assert_eq!(manifest.shape().blocks(), 2_501 + 5 + 1);
    assert_eq!(manifest.pages(), 3);
    let lengths: Vec<usize> = (0..4).map(|page| manifest.page_len(page)).collect();
    assert_eq!(lengths, [32_768, 32_768, 459 * 32, 0]);
    for slot in [0, 1_023, 1_024, 2_047, 2_048, 2_506] {
        let page = manifest.page_of(slot).unwrap();
        assert!(manifest.slots(page).contains(&slot));
        assert_eq!(made.pages[page as usize].slots(), manifest.slots(page));
        assert_eq!(
            made.pages[page as usize].reference(slot),
            Some(made_up(slot, 0))
        );
    }
    assert_eq!(manifest.page_of(2_507), None);
    assert_eq!(made.pages[1].reference(1_023), None);
    assert_eq!(made.pages[1].reference(2_048), None);
    assert!(manifest.slots(u32::MAX).is_empty());
    assert_eq!(manifest.page_len(u32::MAX), 0);
}

#[test]
fn the_largest_manifest_has_a_list_and_pages_of_32_kib() {
    let made = listing(MAX_CONTENT, 0);
    let manifest = made.list.manifest();
    assert_eq!(manifest.shape().blocks(), MAX_BLOCKS);
    assert_eq!(manifest.pages(), MAX_BLOCKS / PAGE_REFERENCES);
    assert_eq!(manifest.list_len(), 32_768);
    assert_eq!(manifest.page_len(manifest.pages() - 1), 32_768);
    assert_eq!(
        CheckedManifest::of(&manifest.to_manifest()).as_ref(),
        Ok(manifest)
    );
}

#[test]
fn every_part_of_a_content_has_a_place_of_its_own() {
    for (length, end) in [
        (0, 1_024 + 32_768 + 32),
        (16_383, 17 * 1_024 + 32_768 + 32),
        (16_384, 32_768 + 32_768 + 32),
        (THREE_PAGES, 2_507 * 32_768 + 3 * 32_768 + 3 * 32),
        (MAX_CONTENT, (1 << 20) * 32_768 + 1_024 * 32_768 + 32_768),
    ] {
        let shape = Shape::of(length, BlockSize::for_length(length)).unwrap();
        let manifest = Manifest {
            root: [0; 32],
            count: shape.blocks(),
            bytes: shape.bytes(),
        };
        let manifest = CheckedManifest::of(&manifest).unwrap();
        let block = shape.block_size().bytes() as u64;
        let mut free = 0;
        let mut put = |at: u64, len: usize| {
            assert!(at >= free, "{length}: it begins where another part is");
            free = at + len as u64;
        };
        for slot in [0, shape.blocks() / 2, shape.blocks() - 1] {
            assert_eq!(manifest.block_at(slot), u64::from(slot) * block);
        }
        put(manifest.block_at(shape.blocks() - 1), block as usize);
        for page in 0..manifest.pages() {
            put(manifest.page_at(page), manifest.page_len(page));
        }
        put(manifest.list_at(), manifest.list_len());
        assert_eq!(manifest.content_len(), free);
        assert_eq!(free, end);
    }
}

/// Attack: numbers that would make whoever believes them set aside room, or wait for ever.
#[test]
fn a_manifest_whose_numbers_are_of_no_content_is_refused() {
    let root = [0; 32];
    let of = |count, bytes| CheckedManifest::of(&Manifest { root, count, bytes }).map(|_| ());
    let large = |count: u32| of(count, u64::from(count) * 32_768);
    let small = |count: u32| of(count, u64::from(count) * 1_024);
    assert_eq!(large(1), Ok(()));
    assert_eq!(large(3), Ok(()));
    assert_eq!(small(17), Ok(()));
    for count in [0, 2, 514, 515, MAX_BLOCKS + 1, u32::MAX] {
        assert!(large(count).is_err(), "{count}");
    }
    // Of 17 leaves and more the blocks are large.
    for count in [0, 2, 18, 19, 20, 21, 1_000_000, u32::MAX] {
        assert!(small(count).is_err(), "{count}");
    }
    for (count, bytes) in [
        (1, 0),
        (1, 1),
        (1, 1_023),
        (1, 32_767),
        (1, 32_769),
        (1, 65_536),
        (3, 32_768),
        (3, 3 * 32_768 + 1),
        (3, 3 * 16_384),
        (0, 0),
        (0, 32_768),
        (1, 1 << 48),
        (u32::MAX, 1 << 48),
        (u32::MAX, u64::MAX),
    ] {
        assert_eq!(of(count, bytes), Err(ManifestError::Bytes { count, bytes }));
    }
}

/// Attack: of the three of a manifest one is changed, and the honest list is handed out with it.
#[test]
fn the_root_covers_count_and_bytes() {
    let made = listing(THREE_PAGES, 0);
    let manifest = made.list.manifest().to_manifest();
    let bytes = made.list.encode();
    // As many pages, one block more or fewer.
    for count in [manifest.count - 1, manifest.count + 1] {
        let other = CheckedManifest::of(&Manifest {
            count,
            bytes: u64::from(count) * 32_768,
            ..manifest
        })
        .unwrap();
        assert_eq!(other.pages(), 3);
        assert_eq!(
            PageList::decode(&other, &bytes),
            Err(ManifestError::NotTheList)
        );
    }
    for bit in 0..256 {
        let mut root = manifest.root;
        root[bit / 8] ^= 1 << (bit % 8);
        let other = CheckedManifest::of(&Manifest { root, ..manifest }).unwrap();
        assert_eq!(
            PageList::decode(&other, &bytes),
            Err(ManifestError::NotTheList)
        );
    }
    // One small block and one large one have one reference alike.
    let small = listing(10, 0);
    let large = listing(LARGE_FROM, 0);
    assert_eq!(small.list.encode(), large.list.encode());
    assert_eq!(
        PageList::decode(large.list.manifest(), &small.list.encode()).map(|_| ()),
        Ok(())
    );
    assert_ne!(
        small.list.manifest().to_manifest().root,
        large.list.manifest().to_manifest().root
    );
}

#[test]
fn lists_and_pages_of_others_are_refused() {
    let made = listing(THREE_PAGES, 0);
    let other = listing(THREE_PAGES, 1);
    let manifest = made.list.manifest();
    let list = made.list.encode();
    assert_eq!(
        PageList::decode(manifest, &other.list.encode()),
        Err(ManifestError::NotTheList)
    );
    let mut swapped = list.clone();
    swapped.rotate_left(32);
    for bad in [&list[..64], &[&list[..], &[0; 32]].concat(), &[], &swapped] {
        assert_eq!(
            PageList::decode(manifest, bad),
            Err(ManifestError::NotTheList)
        );
    }

    let page = |listing: &Listing, number: usize| listing.pages[number].encode();
    let of = |number: u32, bytes: &[u8]| Page::decode(&made.list, number, bytes).map(|_| ());
    assert_eq!(of(0, &page(&made, 0)), Ok(()));
    assert_eq!(of(2, &page(&made, 2)), Ok(()));
    // Another file's, another place's, too short, too long, none at all.
    assert_eq!(of(0, &page(&other, 0)), Err(ManifestError::NotThePage(0)));
    assert_eq!(of(1, &page(&made, 0)), Err(ManifestError::NotThePage(1)));
    assert_eq!(
        of(2, &page(&made, 2)[32..]),
        Err(ManifestError::NotThePage(2))
    );
    let longer = [page(&made, 2), vec![0; 32]].concat();
    assert_eq!(of(2, &longer), Err(ManifestError::NotThePage(2)));
    let ragged = [page(&made, 2), vec![0; 1]].concat();
    assert_eq!(of(2, &ragged), Err(ManifestError::NotThePage(2)));
    assert_eq!(of(0, &[]), Err(ManifestError::NotThePage(0)));
    for none in [3, u32::MAX] {
        assert_eq!(of(none, &page(&made, 0)), Err(ManifestError::NoSuch(none)));
    }
}

#[test]
fn blocks_of_other_slots_and_lengths_are_refused() {
    let encoded = encode(&content(1, 40_000), BlockSize::Large, [1; 32]);
    let made = of_content(&encoded);
    let page = &made.pages[0];
    assert_eq!(page.verify_block(0, &encoded.blocks[0]), Ok(()));
    assert_eq!(
        page.verify_block(1, &encoded.blocks[0]),
        Err(ManifestError::NotTheBlock(1))
    );
    assert_eq!(
        page.verify_block(3, &encoded.blocks[0]),
        Err(ManifestError::NoSuch(3))
    );
    for length in [0, 1_024, 32_767, 32_769] {
        let mut block = encoded.blocks[0].clone();
        block.resize(length, 0);
        assert_eq!(
            page.verify_block(0, &block),
            Err(ManifestError::NotTheBlock(0))
        );
    }
    // Even where the author itself names bytes that are too short for a block.
    let mut references = References::new(made.list.manifest().shape()).unwrap();
    for slot in 0..3 {
        references.set(slot, Reference::of(b"short")).unwrap();
    }
    let short = references.finish().unwrap();
    assert_eq!(
        short.pages[0].verify_block(0, b"short"),
        Err(ManifestError::NotTheBlock(0))
    );
}

/// Attack by the author: blind holders are given blocks to hold that are not those of the tree.
#[test]
fn a_manifest_that_lists_other_blocks_than_the_tree_is_seen_by_whoever_reads() {
    let mut encoded = encode(&content(1, 40_000), BlockSize::Large, [1; 32]);
    encoded.blocks[1] = vec![7; 32_768];
    let made = of_content(&encoded);
    assert_eq!(made.pages[0].verify_block(1, &encoded.blocks[1]), Ok(()));
    assert_eq!(decode(&encoded), Err(DecodeError::NotTheBlock(1)));
}

#[test]
fn a_capability_and_a_length_that_are_not_the_manifests_are_refused() {
    let encoded = encode(&content(1, 40_000), BlockSize::Large, [1; 32]);
    let made = of_content(&encoded);
    let manifest = made.list.manifest();
    let with = |length| {
        manifest
            .decoder(encoded.capability.clone(), length)
            .map(|_| ())
    };
    // The length itself is seen in the padding alone.
    assert_eq!(with(40_000), Ok(()));
    assert_eq!(with(40_001), Ok(()));
    for length in [0, 100, 16_384, 32_767, 65_536, MAX_CONTENT, u64::MAX] {
        assert_eq!(with(length), Err(ManifestError::AnotherContent), "{length}");
    }
    let mut capability = encoded.capability.clone();
    capability.level = 2;
    assert!(manifest.decoder(capability, 40_000).is_err());
    let mut capability = encoded.capability.clone();
    capability.block_size = BlockSize::Small;
    assert!(manifest.decoder(capability, 40_000).is_err());
    // A short content in large blocks is no content of this format, though ERIS allows it.
    let short = encode(&content(1, 100), BlockSize::Large, [1; 32]);
    let made = of_content(&short);
    let refused = made.list.manifest().decoder(short.capability.clone(), 100);
    assert_eq!(refused.map(|_| ()), Err(ManifestError::AnotherContent));
}

#[test]
fn references_are_complete_and_do_not_contradict_one_another() {
    let shape = Shape::of(40_000, BlockSize::Large).unwrap();
    let mut references = References::new(&shape).unwrap();
    assert_eq!(
        references.set(3, made_up(3, 0)),
        Err(ManifestError::NoSuch(3))
    );
    references.set(0, made_up(0, 0)).unwrap();
    references.set(0, made_up(0, 0)).unwrap();
    assert_eq!(
        references.set(0, made_up(1, 0)),
        Err(ManifestError::References)
    );
    assert_eq!(references.clone().finish(), Err(ManifestError::References));
    references.set(1, made_up(1, 0)).unwrap();
    references.set(2, made_up(1, 0)).unwrap();
    assert!(references.finish().is_ok());

    let small = Shape::of(LARGE_FROM, BlockSize::Small).unwrap();
    assert!(matches!(
        References::new(&small),
        Err(ManifestError::Count { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_bit_flipped_in_a_list_or_a_page_is_noticed(
        length in 0_u64..100_000_000,
        page in any::<prop::sample::Index>(),
        bit in any::<prop::sample::Index>(),
    ) {
        let made = listing(length, 0);
        let mut list = made.list.encode();
        let at = bit.index(list.len() * 8);
        list[at / 8] ^= 1 << (at % 8);
        prop_assert_eq!(
            PageList::decode(made.list.manifest(), &list),
            Err(ManifestError::NotTheList)
        );
        let number = page.index(made.pages.len());
        let mut page = made.pages[number].encode();
        let at = bit.index(page.len() * 8);
        page[at / 8] ^= 1 << (at % 8);
        prop_assert_eq!(
            Page::decode(&made.list, number as u32, &page),
            Err(ManifestError::NotThePage(number as u32))
        );
    }

    #[test]
    fn any_numbers_are_judged(root in any::<[u8; 32]>(), count in any::<u32>(), bytes in any::<u64>()) {
        for bytes in [bytes, u64::from(count) * 1_024, u64::from(count) * 32_768] {
            let manifest = Manifest { root, count, bytes };
            if let Ok(checked) = CheckedManifest::of(&manifest) {
                prop_assert_eq!(checked.to_manifest(), manifest);
                prop_assert!(checked.list_len() <= 32_768);
            }
        }
    }
}
