//! What holds of every file and folder that can be shared.

use std::collections::BTreeMap;

use block::bundle::{BundleError, File, Index, IndexBuilder, IndexReader, What, check_name};
use block::eris::{BlockSize, Decoder, Fed};
use block::limits::{MAX_CONTENT, MAX_ENTRIES, MAX_INDEX, MAX_NAME};
use proptest::prelude::*;

use crate::content::{content, encode};

pub(crate) const fn file(size: u64) -> What {
    What::File(File {
        size,
        modified: 1_700_000_000_123,
        executable: false,
    })
}

/// A folder in memory, sorted as a walk sorts it.
#[derive(Clone, Debug, Default)]
struct Folder(BTreeMap<String, Node>);

#[derive(Clone, Debug)]
enum Node {
    Folder(Folder),
    File(File),
}

impl Folder {
    fn walk(&self, builder: &mut IndexBuilder, depth: usize) {
        for (name, node) in &self.0 {
            match node {
                Node::Folder(folder) => {
                    builder.add(depth, name, What::Folder).unwrap();
                    folder.walk(builder, depth + 1);
                }
                Node::File(file) => builder.add(depth, name, What::File(*file)).unwrap(),
            }
        }
    }

    fn index(&self) -> Index {
        let mut builder = IndexBuilder::new();
        builder.add(0, "shared", What::Folder).unwrap();
        self.walk(&mut builder, 1);
        builder.finish().unwrap()
    }
}

/// Folders within folders, with names that sort in surprising places.
fn any_folder() -> impl Strategy<Value = Folder> {
    let name = prop_oneof![
        "[a-d]{1,3}",
        "[a-c][-+.,_ ][a-c]",
        "[äöüß漢字é]{1,2}",
        "a[-. ]b"
    ];
    let file =
        (0_u64..5_000, 0_u64..1 << 48, any::<bool>()).prop_map(|(size, modified, executable)| {
            Node::File(File {
                size,
                modified,
                executable,
            })
        });
    let folder = file.prop_recursive(4, 40, 8, move |inner| {
        prop::collection::btree_map(name.clone(), inner, 0..8).prop_map(|nodes| {
            // Of names that some system takes for one, one is kept.
            let mut kept = BTreeMap::new();
            for (name, node) in nodes {
                let folded: String = name.to_lowercase().to_uppercase();
                kept.entry(folded).or_insert((name, node));
            }
            Node::Folder(Folder(kept.into_values().collect()))
        })
    });
    folder.prop_map(|node| match node {
        Node::Folder(folder) => folder,
        file @ Node::File(_) => Folder([("a".to_owned(), file)].into()),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_was_walked_is_read_again(folder in any_folder(), cut in any::<prop::sample::Index>()) {
        let index = folder.index();
        let bytes = index.encode();
        prop_assert_eq!(index.start(), bytes.len() as u64);
        prop_assert_eq!(&Index::decode(&bytes, index.content_len()).unwrap(), &index);
        // In pieces, with bytes of files behind.
        let mut behind = bytes.clone();
        behind.extend_from_slice(&[0xff; 100]);
        let cut = cut.index(behind.len());
        let mut reader = IndexReader::new(index.content_len());
        let mut taken = reader.push(&behind[..cut]).unwrap();
        if cut > bytes.len() {
            prop_assert_eq!(taken, bytes.len());
        } else {
            prop_assert_eq!(taken, cut);
            taken += reader.push(&behind[cut..]).unwrap();
        }
        prop_assert_eq!(taken, bytes.len());
        prop_assert_eq!(reader.missing(), 0);
        prop_assert_eq!(reader.finish().unwrap(), index);
    }

    #[test]
    fn files_lie_one_after_another(folder in any_folder()) {
        let index = folder.index();
        let mut end = index.start();
        for (number, entry) in index.entries().enumerate() {
            prop_assert_eq!(entry.bytes.start, end);
            prop_assert_eq!(entry.bytes.end - end, entry.what.size());
            end = entry.bytes.end;
            let path = index.path(number);
            prop_assert_eq!(path.len(), entry.depth + 1);
            prop_assert_eq!(path[0], "shared");
            prop_assert_eq!(*path.last().unwrap(), entry.name);
            // The folder above has been there before.
            let above = &path[..entry.depth];
            prop_assert!(
                entry.depth == 0 || (0..number).any(|before| index.path(before) == above)
            );
        }
        prop_assert_eq!(end, index.content_len());
        prop_assert_eq!(index.files_len(), end - index.start());
    }

    #[test]
    fn a_change_anywhere_in_an_index_is_noticed_or_is_another_index(
        folder in any_folder(),
        bit in any::<prop::sample::Index>(),
    ) {
        let index = folder.index();
        let mut bytes = index.encode();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        // Blocks are what protects it; here nothing may panic, and each index has one encoding.
        if let Ok(other) = Index::decode(&bytes, index.content_len()) {
            prop_assert_ne!(&other, &index);
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn rubbish_is_refused(rubbish in prop::collection::vec(any::<u8>(), 0..200), length in any::<u64>()) {
        let mut sized = (rubbish.len() as u32).to_be_bytes().to_vec();
        sized.extend_from_slice(&rubbish);
        let _ = Index::decode(&rubbish, length);
        let _ = Index::decode(&sized, sized.len() as u64);
    }

    #[test]
    fn any_name_is_judged(name in any::<String>()) {
        if check_name(&name).is_ok() {
            prop_assert!(!name.contains(['/', '\\', ':', '\0']) && name != "." && name != "..");
            prop_assert!(!name.is_empty() && name.len() <= MAX_NAME);
        }
    }
}

#[test]
fn a_single_file_is_a_bundle_of_one_entry() {
    let mut builder = IndexBuilder::new();
    builder.add(0, "report.pdf", file(1_000_000)).unwrap();
    let index = builder.finish().unwrap();
    assert_eq!(index.len(), 1);
    let entry = index.entry(0).unwrap();
    assert_eq!(
        (entry.name, entry.depth, entry.what),
        ("report.pdf", 0, file(1_000_000))
    );
    assert_eq!(entry.bytes, index.start()..index.content_len());
    // A file costs little beside its bytes.
    assert!(index.start() < 50);
    assert_eq!(index.entry(1), None);
    assert!(index.path(1).is_empty());
}

#[test]
fn empty_folders_and_files_are_kept() {
    let mut builder = IndexBuilder::new();
    builder.add(0, "shared", What::Folder).unwrap();
    builder.add(1, "empty", What::Folder).unwrap();
    builder.add(1, "nothing", file(0)).unwrap();
    builder.add(1, "nowhere", What::Folder).unwrap();
    let index = builder.finish().unwrap();
    let again = Index::decode(&index.encode(), index.content_len()).unwrap();
    let names: Vec<&str> = again.entries().map(|entry| entry.name).collect();
    assert_eq!(names, ["shared", "empty", "nothing", "nowhere"]);
    assert_eq!(again.files_len(), 0);

    let mut builder = IndexBuilder::new();
    builder.add(0, "shared", What::Folder).unwrap();
    assert_eq!(builder.finish().unwrap().content_len(), 4 + 5 + 9);
    assert_eq!(IndexBuilder::new().finish(), Err(BundleError::Nothing));
}

/// One file of many is read out of the middle, with a few blocks and not the others.
#[test]
fn a_file_is_read_out_of_the_middle() {
    let bytes: Vec<Vec<u8>> = (0..2_000).map(|n| content(1, 300 + n % 700)).collect();
    let mut builder = IndexBuilder::new();
    builder.add(0, "shared", What::Folder).unwrap();
    for (number, bytes) in bytes.iter().enumerate() {
        builder
            .add(1, &format!("{number:05}"), file(bytes.len() as u64))
            .unwrap();
    }
    let index = builder.finish().unwrap();
    let mut whole = index.encode();
    whole.extend(bytes.iter().flatten());
    assert_eq!(whole.len() as u64, index.content_len());
    let size = BlockSize::for_length(index.content_len());
    let encoded = encode(&whole, size, [1; 32]);

    let wanted = index.entry(1_500).unwrap();
    assert_eq!(wanted.name, "01499");
    let mut decoder = Decoder::new(encoded.capability.clone(), encoded.length).unwrap();
    let (leaf, within) = decoder.shape().leaf_at(wanted.bytes.start).unwrap();
    decoder.seek(leaf).unwrap();
    let mut read = Vec::new();
    let mut blocks = 0;
    while read.len() < within + wanted.what.size() as usize {
        let need = decoder.need().unwrap();
        blocks += 1;
        let block = encoded.blocks[need.slot as usize].clone();
        if let Fed::Leaf(leaf) = decoder.feed(need.slot, block).unwrap() {
            read.extend_from_slice(&leaf.bytes);
        }
    }
    let end = within + wanted.what.size() as usize;
    assert_eq!(&read[within..end], &bytes[1_499]);
    assert!(blocks <= 3 && encoded.blocks.len() > 30);
}

#[test]
fn the_largest_index_and_one_entry_more() {
    let mut builder = IndexBuilder::new();
    builder.add(0, "shared", What::Folder).unwrap();
    for number in 1..MAX_ENTRIES {
        builder.add(1, &format!("{number:08}"), file(1)).unwrap();
    }
    assert_eq!(builder.add(1, "more", file(1)), Err(BundleError::Entries));
    let index = builder.finish().unwrap();
    assert_eq!(index.len(), MAX_ENTRIES);
    let bytes = index.encode();
    assert_eq!(Index::decode(&bytes, index.content_len()).unwrap(), index);

    // Names that are longer on average than there is room for.
    let mut builder = IndexBuilder::new();
    builder.add(0, "shared", What::Folder).unwrap();
    let refused = (0..MAX_ENTRIES)
        .map(|number| builder.add(1, &format!("{number:0200}"), file(1)))
        .find(Result::is_err);
    assert_eq!(refused, Some(Err(BundleError::Index)));
    let index = builder.finish().unwrap();
    assert!(index.encode().len() - 4 <= MAX_INDEX);
    assert!(index.encode().len() + 300 > MAX_INDEX);
    assert!(Index::decode(&index.encode(), index.content_len()).is_ok());
}

#[test]
fn files_are_no_larger_together_than_a_content() {
    let mut builder = IndexBuilder::new();
    builder.add(0, "shared", What::Folder).unwrap();
    builder.add(1, "a", file(MAX_CONTENT)).unwrap();
    assert_eq!(builder.add(1, "b", file(1)), Err(BundleError::TooLarge));
    assert_eq!(
        builder.add(1, "b", file(u64::MAX)),
        Err(BundleError::TooLarge)
    );
    builder.add(1, "b", file(0)).unwrap();
    // The index has no room beside them.
    assert_eq!(builder.finish(), Err(BundleError::TooLarge));
}
