//! Attacks on whoever writes to a disk what an index says.

use block::bundle::{
    BundleError, Fault, Index, IndexBuilder, IndexReader, NameRule, What, check_name,
};
use block::limits::{MAX_CONTENT, MAX_ENTRIES, MAX_INDEX, MAX_LEVELS, MAX_PATH};
use wire::cbor::Writer;

use crate::bundle::file;

/// An index as nobody here writes it: (depth, name, size or folder).
fn raw(entries: &[(u64, &str, Option<u64>)]) -> Vec<u8> {
    let mut w = Writer::new();
    w.map(2).key(0).uint(0_u8).key(1).array(entries.len());
    for (depth, name, size) in entries {
        match size {
            None => w.array(2).uint(*depth).text(name),
            Some(size) => w
                .array(5)
                .uint(*depth)
                .text(name)
                .uint(*size)
                .uint(1_u8)
                .bool(false),
        };
    }
    prefixed(w.into_bytes())
}

fn prefixed(index: Vec<u8>) -> Vec<u8> {
    [&(index.len() as u32).to_be_bytes()[..], &index].concat()
}

/// What decoding says, with the length that the sizes sum to.
fn decoded(entries: &[(u64, &str, Option<u64>)]) -> Result<Index, BundleError> {
    let bytes = raw(entries);
    let files = entries
        .iter()
        .filter_map(|entry| entry.2)
        .fold(0, u64::wrapping_add);
    Index::decode(&bytes, (bytes.len() as u64).wrapping_add(files))
}

fn fault(result: Result<Index, BundleError>) -> (String, Fault) {
    match result {
        Err(BundleError::Entry { path, fault }) => (path, fault),
        other => panic!("{other:?}"),
    }
}

/// Everything that a name could try: each is refused when an index is read and when one is made.
const BAD_NAMES: &[(&str, NameRule)] = &[
    ("", NameRule::Empty),
    ("\u{200d}", NameRule::Empty),
    ("\u{3164}", NameRule::Empty),
    (".", NameRule::Dots),
    ("..", NameRule::Dots),
    // HFS+ leaves U+200C out when it compares names (CVE-2014-9390).
    (".\u{200c}.", NameRule::Dots),
    ("..\u{ad}", NameRule::Dots),
    ("/", NameRule::Separator),
    ("/etc/passwd", NameRule::Separator),
    ("../x", NameRule::Separator),
    ("a/b", NameRule::Separator),
    ("..\\x", NameRule::Separator),
    ("a\\b", NameRule::Separator),
    ("C:", NameRule::Separator),
    ("C:evil.exe", NameRule::Separator),
    // A stream beside a file on NTFS; `::$INDEX_ALLOCATION` is the folder itself.
    ("a.txt:hidden", NameRule::Separator),
    ("a::$INDEX_ALLOCATION", NameRule::Separator),
    ("a\0b", NameRule::Control),
    ("a\nb", NameRule::Control),
    ("\u{1b}[2J", NameRule::Control),
    ("a\u{7f}", NameRule::Control),
    ("a\u{85}b", NameRule::Control),
    ("a\u{2028}b", NameRule::Control),
    // Shown as `annexe.pdf` with the end turned round.
    ("ann\u{202e}fdp.exe", NameRule::Control),
    ("\u{feff}a", NameRule::Control),
    ("a.", NameRule::End),
    ("...", NameRule::End),
    (".. ", NameRule::End),
    ("a ", NameRule::End),
    ("a.\u{200d}", NameRule::End),
    (" ", NameRule::End),
    ("CON", NameRule::Device),
    ("con", NameRule::Device),
    ("Con.txt", NameRule::Device),
    ("nul.tar.gz", NameRule::Device),
    ("AUX .h", NameRule::Device),
    ("PRN", NameRule::Device),
    ("com1", NameRule::Device),
    ("COM9.log", NameRule::Device),
    ("COM0", NameRule::Device),
    ("lpt¹", NameRule::Device),
    ("COM².x", NameRule::Device),
    ("CONIN$", NameRule::Device),
    ("conout$.x", NameRule::Device),
    ("C\u{200d}ON", NameRule::Device),
];

#[test]
fn names_that_climb_out_alias_or_deceive_are_refused_both_ways() {
    for (name, rule) in BAD_NAMES {
        assert_eq!(check_name(name), Err(*rule), "{name:?}");
        let wanted = Fault::Name(*rule);
        assert_eq!(fault(decoded(&[(0, name, Some(1))])).1, wanted, "{name:?}");
        assert_eq!(fault(decoded(&[(0, name, None)])).1, wanted, "{name:?}");
        assert_eq!(
            fault(decoded(&[(0, "a", None), (1, name, Some(1))])).1,
            wanted,
            "{name:?}"
        );
        let mut builder = IndexBuilder::new();
        builder.add(0, "a", What::Folder).unwrap();
        assert_eq!(
            fault(builder.add(1, name, What::Folder).map(|()| unreachable!())).1,
            wanted
        );
    }
    let long = "x".repeat(256);
    assert_eq!(check_name(&long), Err(NameRule::Long));
    assert!(matches!(
        decoded(&[(0, &long, Some(1))]),
        Err(BundleError::Malformed(_))
    ));
    assert_eq!(check_name(&"x".repeat(255)), Ok(()));
}

#[test]
fn ordinary_names_are_not_refused() {
    for name in [
        "a",
        "a.b",
        ".profile",
        "..a",
        "a..b",
        " a",
        "a b",
        "con1",
        "COM10",
        "COM",
        "COMA",
        "console",
        "lptx",
        "nullable",
        "aux-in",
        "What?.mp3",
        "a\"b",
        "a<b>|*",
        "~",
        "-rf",
        "$HOME",
        "naïve.txt",
        "漢字.txt",
        "👩\u{200d}🚀.png",
        "مِلَف",
        "Ünïcödé",
        "COM¼",
        "aCON",
    ] {
        assert_eq!(check_name(name), Ok(()), "{name:?}");
    }
}

/// Attack: two names that are one file on the disk where they are written, so that the second takes
/// the first one's place, or that of a folder with what is in it.
#[test]
fn names_that_some_system_takes_for_one_are_refused() {
    let alike: &[&[&str]] = &[
        &["README", "Readme", "readme"],
        // Composed and decomposed.
        &["Caf\u{e9}", "Cafe\u{301}", "CAFE\u{301}", "CAF\u{c9}"],
        &["stra\u{df}e", "STRASSE", "Stra\u{1e9e}e"],
        &["ΣΑΣ", "σας", "σασ"],
        &["K", "k", "\u{212a}"],
        &["\u{2126}", "Ω", "ω"],
        &["ﬁle", "file", "FILE"],
        &["ſ", "s", "S"],
        &["\u{c5}", "a\u{30a}", "\u{212b}"],
        &["\u{390}", "\u{1fd3}", "ι\u{308}\u{301}"],
        &["ᾳ", "ΑΙ"],
        &["İ", "i\u{307}"],
        &["ı", "I", "i"],
        // Invisible on ext4 with case folding, and on HFS+.
        &["git", "g\u{200c}it", "gi\u{ad}t"],
        &["가", "\u{1100}\u{1161}"],
    ];
    for group in alike {
        for one in *group {
            for other in group.iter().filter(|other| *other != one) {
                let (first, second) = if one < other {
                    (one, other)
                } else {
                    (other, one)
                };
                let entries = [(0, "x", None), (1, *first, None), (1, *second, Some(1))];
                let (path, what) = fault(decoded(&entries));
                assert_eq!(what, Fault::Alike, "{first} {second}");
                assert!(path.starts_with("x/"), "{path}");
                // In another folder they stand in nobody's way.
                let apart = [(0, "x", None), (1, *first, None), (2, *second, Some(1))];
                decoded(&apart).unwrap();
            }
        }
    }
    decoded(&[
        (0, "x", None),
        (1, "a", None),
        (1, "a b", None),
        (1, "a-b", None),
    ])
    .unwrap();
}

#[test]
fn what_is_in_a_folder_that_is_none_is_refused() {
    let no_folder = |entries: &[(u64, &str, Option<u64>)]| {
        assert_eq!(fault(decoded(entries)).1, Fault::NoFolder, "{entries:?}");
    };
    // A file that is a folder too.
    no_folder(&[(0, "x", None), (1, "a", Some(1)), (2, "b", Some(1))]);
    no_folder(&[(0, "x", Some(1)), (1, "a", Some(1))]);
    // A level left out.
    no_folder(&[(0, "x", None), (2, "a", Some(1))]);
    no_folder(&[(1, "x", None)]);
    no_folder(&[(255, "x", None)]);
    // A second one beside the first, outside the folder that is written to.
    no_folder(&[(0, "x", None), (0, "y", None)]);
    no_folder(&[(0, "x", Some(1)), (0, "y", Some(1))]);
    no_folder(&[(0, "x", None), (1, "a", None), (0, "x", None)]);
}

#[test]
fn order_is_one_and_nothing_is_there_twice() {
    let order = |entries: &[(u64, &str, Option<u64>)]| {
        assert_eq!(fault(decoded(entries)).1, Fault::Order, "{entries:?}");
    };
    order(&[(0, "x", None), (1, "b", Some(1)), (1, "a", Some(1))]);
    order(&[(0, "x", None), (1, "a", Some(1)), (1, "a", Some(1))]);
    order(&[(0, "x", None), (1, "a", None), (1, "a", None)]);
    order(&[
        (0, "x", None),
        (1, "a", None),
        (2, "q", Some(1)),
        (1, "a", Some(1)),
    ]);
    order(&[
        (0, "x", None),
        (1, "a", None),
        (2, "b", None),
        (2, "a", None),
    ]);
    // By bytes, not by anybody's alphabet.
    order(&[(0, "x", None), (1, "ä", None), (1, "z", None)]);
    decoded(&[
        (0, "x", None),
        (1, "a", None),
        (2, "z", None),
        (1, "a-", None),
    ])
    .unwrap();
}

#[test]
fn depth_and_length_of_paths_are_bounded() {
    let deep = |levels: usize| {
        let names: Vec<(u64, &str, Option<u64>)> =
            (0..levels as u64).map(|depth| (depth, "d", None)).collect();
        decoded(&names)
    };
    assert_eq!(
        deep(MAX_LEVELS).unwrap().path(MAX_LEVELS - 1).len(),
        MAX_LEVELS
    );
    assert_eq!(fault(deep(MAX_LEVELS + 1)).1, Fault::Levels);

    let name = "n".repeat(255);
    let long = |levels: usize, last: &str| {
        let mut names: Vec<(u64, &str, Option<u64>)> = (0..levels as u64)
            .map(|depth| (depth, name.as_str(), None))
            .collect();
        names.push((levels as u64, last, Some(1)));
        decoded(&names)
    };
    // 16 × 255 and 15 separators are 4,095.
    let index = long(15, &name).unwrap();
    assert_eq!(index.path(15).join("/").len(), MAX_PATH - 1);
    let (path, what) = fault(long(16, "ab"));
    assert_eq!(what, Fault::Path);
    assert!(path.chars().count() <= 201, "what is shown of it is short");
}

/// Attack: sizes that overlap, run over, or leave bytes that no file owns.
#[test]
fn sizes_sum_to_the_content() {
    let entries = [(0, "x", None), (1, "a", Some(5)), (1, "b", Some(6))];
    let bytes = raw(&entries);
    let right = bytes.len() as u64 + 11;
    assert!(Index::decode(&bytes, right).is_ok());
    for said in [0, 3, bytes.len() as u64 - 1, right - 1, right + 1, u64::MAX] {
        let refused = Index::decode(&bytes, said);
        assert!(matches!(refused, Err(BundleError::Length { .. })), "{said}");
    }
    for size in [MAX_CONTENT + 1, u64::MAX] {
        let alone = [(0, "x", Some(size))];
        let together = [(0, "x", None), (1, "a", Some(2)), (1, "b", Some(size - 1))];
        for bytes in [raw(&alone), raw(&together)] {
            for said in [100, MAX_CONTENT, u64::MAX] {
                assert_eq!(Index::decode(&bytes, said), Err(BundleError::TooLarge));
            }
        }
    }
}

#[test]
fn a_length_that_is_only_claimed_costs_nothing() {
    for claimed in [MAX_INDEX as u32 + 1, u32::MAX] {
        let mut reader = IndexReader::new(u64::MAX);
        assert_eq!(reader.missing(), 4);
        assert_eq!(reader.push(&claimed.to_be_bytes()), Err(BundleError::Index));
    }
    // Longer than the content itself.
    let mut reader = IndexReader::new(100);
    let refused = reader.push(&97_u32.to_be_bytes());
    assert_eq!(
        refused,
        Err(BundleError::Length {
            said: 100,
            found: 101
        })
    );
    // Cut off.
    let bytes = raw(&[(0, "x", Some(0))]);
    for cut in 0..bytes.len() {
        let refused = Index::decode(&bytes[..cut], bytes.len() as u64);
        assert!(matches!(refused, Err(BundleError::Malformed(_))), "{cut}");
    }
    // More entries than there are bytes for.
    let mut w = Writer::new();
    w.map(2).key(0).uint(0_u8).key(1).array(MAX_ENTRIES);
    let claimed = prefixed(w.into_bytes());
    let refused = Index::decode(&claimed, claimed.len() as u64);
    assert!(matches!(refused, Err(BundleError::Malformed(_))));
}

#[test]
fn an_index_has_one_encoding() {
    let refused = |index: Vec<u8>| {
        let bytes = prefixed(index);
        let refused = Index::decode(&bytes, bytes.len() as u64 + 1);
        assert!(
            matches!(refused, Err(BundleError::Malformed(_))),
            "{bytes:x?}"
        );
    };
    let write = |format: u8, fields: usize, fill: &dyn Fn(&mut Writer)| {
        let mut w = Writer::new();
        w.map(fields).key(0).uint(format).key(1).array(1);
        fill(&mut w);
        w.into_bytes()
    };
    let good = |w: &mut Writer| {
        w.array(5)
            .uint(0_u8)
            .text("x")
            .uint(1_u8)
            .uint(1_u8)
            .bool(true);
    };
    let bytes = prefixed(write(0, 2, &good));
    assert!(Index::decode(&bytes, bytes.len() as u64 + 1).is_ok());
    // Another format, a field that nobody knows, bytes behind.
    refused(write(1, 2, &good));
    refused(write(0, 3, &|w| {
        good(w);
        w.key(2).uint(1_u8);
    }));
    refused([write(0, 2, &good), vec![0]].concat());
    // Entries of other lengths and types; a link would be one.
    refused(write(0, 2, &|w| {
        w.array(3).uint(0_u8).text("x").text("/etc/passwd");
    }));
    refused(write(0, 2, &|w| {
        w.array(5)
            .uint(0_u8)
            .text("x")
            .uint(1_u8)
            .uint(1_u8)
            .uint(1_u8);
    }));
    refused(write(0, 2, &|w| {
        w.array(2).uint(0_u8).bytes(b"x");
    }));
    refused(write(0, 2, &|w| {
        w.array(2).uint(256_u16).text("x");
    }));
    refused(write(0, 2, &|w| {
        w.array(0);
    }));
    // Heads that are longer than they need be, and a list without an end.
    refused(b"\xa2\x00\x00\x01\x98\x01\x82\x00\x61x".to_vec());
    refused(b"\xa2\x00\x00\x01\x81\x82\x18\x00\x61x".to_vec());
    refused(b"\xa2\x00\x00\x01\x9f\x82\x00\x61x\xff".to_vec());
    refused(b"\xa2\x00\x00\x01\x81\x82\x00\x61\xff".to_vec());
    // Nothing in it.
    let nothing = prefixed(b"\xa2\x00\x00\x01\x80".to_vec());
    assert_eq!(
        Index::decode(&nothing, nothing.len() as u64),
        Err(BundleError::Nothing)
    );
}

#[test]
fn a_time_is_one_that_formats_have() {
    let mut w = Writer::new();
    w.map(2).key(0).uint(0_u8).key(1).array(1);
    w.array(5)
        .uint(0_u8)
        .text("x")
        .uint(1_u8)
        .uint(1_u64 << 48)
        .bool(true);
    let bytes = prefixed(w.into_bytes());
    let refused = Index::decode(&bytes, bytes.len() as u64 + 1);
    assert_eq!(fault(refused).1, Fault::Time);
}

#[test]
fn an_error_names_path_and_rule_and_nothing_else_on_the_screen() {
    let refused = decoded(&[
        (0, "shared", None),
        (1, "in", None),
        (2, "\u{1b}[2Jx", Some(1)),
    ]);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "shared/in/\\u{1b}[2Jx: a name must not contain control characters"
    );
}

#[test]
fn an_entry_that_is_refused_changes_nothing() {
    let mut builder = IndexBuilder::new();
    builder.add(0, "x", What::Folder).unwrap();
    builder.add(1, "a", file(3)).unwrap();
    for (depth, name) in [(1, "A"), (1, "a"), (2, "b"), (0, "y"), (1, "..")] {
        assert!(builder.add(depth, name, file(7)).is_err());
    }
    builder.add(1, "b", file(4)).unwrap();
    let index = builder.finish().unwrap();
    assert_eq!(index.files_len(), 7);
    assert_eq!(
        Index::decode(&index.encode(), index.content_len()),
        Ok(index)
    );
}
