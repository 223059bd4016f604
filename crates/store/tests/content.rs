//! Contents: pieces, each where it was written, and nothing that nobody wrote.

use machine::{ContentDone, ContentEffect, ContentName, MAX_LISTED};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use store::{Content, MAX_CONTENT, MAX_PIECE};

fn write(name: ContentName, at: u64, bytes: &[u8]) -> ContentEffect {
    let bytes = bytes.to_vec();
    ContentEffect::Write { name, at, bytes }
}

fn read(content: &Content, name: ContentName, at: u64, len: u32) -> Option<Vec<u8>> {
    let [done] = &*content.perform(vec![ContentEffect::Read { name, at, len }]) else {
        panic!("one completion")
    };
    match done {
        ContentDone::Read(of, from, piece) if (*of, *from) == (name, at) => piece.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn contents_are_written_read_listed_and_removed() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let content = Content::open(dir.path()).expect("it opens");
    let mut names: Vec<ContentName> = (0..300_u32)
        .map(|n| ContentName(*blake3::hash(&n.to_be_bytes()).as_bytes()))
        .collect();
    let effects = names.iter().map(|name| write(*name, 5, &name.0));
    let done = content.perform(effects.collect());
    let written = names.iter().map(|name| ContentDone::Written(*name, 5));
    assert_eq!(done, written.collect::<Vec<_>>());
    names.sort_unstable();
    let mut walked = Vec::new();
    loop {
        let step = content.list(walked.last().copied(), 37).expect("listed");
        if step.is_empty() {
            break;
        }
        walked.extend(step);
    }
    assert_eq!(walked, names);
    assert_eq!(read(&content, names[7], 5, 32), Some(names[7].0.to_vec()));
    let gone = content.perform(vec![ContentEffect::Delete(names[7])]);
    assert_eq!(gone, [ContentDone::Deleted(names[7])]);
    assert_eq!(read(&content, names[7], 5, 32), None);
    let again = content.perform(vec![ContentEffect::Delete(names[7])]);
    assert_eq!(again, [ContentDone::Deleted(names[7])], "twice is no harm");
    // Another home, or the same one after a restart, has what was written.
    let content = Content::open(dir.path()).expect("it opens");
    assert_eq!(content.list(None, 1000).expect("listed").len(), 299);
}

#[test]
fn pieces_come_in_any_order_and_take_no_room_between_them() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let content = Content::open(dir.path()).expect("it opens");
    let name = ContentName([0xab; 32]);
    let far = 16 << 30;
    let done = content.perform(vec![
        write(name, far, b"last"),
        write(name, 2, b"cd"),
        ContentEffect::Read {
            name,
            at: 2,
            len: 2,
        },
        write(name, 0, b"ab"),
        write(name, 2, b"CD"),
    ]);
    let read_at_once = ContentDone::Read(name, 2, Some(b"cd".to_vec()));
    assert_eq!(done[2], read_at_once, "each finds what was done before it");
    assert_eq!(read(&content, name, 0, 4), Some(b"abCD".to_vec()));
    assert_eq!(read(&content, name, 0, 6), Some(b"abCD\0\0".to_vec()));
    assert_eq!(read(&content, name, far, 4), Some(b"last".to_vec()));
    assert_eq!(read(&content, name, far, 5), None, "it ends before");
    assert_eq!(read(&content, name, far + 4, 1), None);
    let file = dir.path().join("content/ab").join("ab".repeat(32));
    let file = fs::metadata(file).expect("there");
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    assert_eq!(file.len(), far + 4);
    assert!(file.blocks() * 512 < 1 << 20, "holes take no room");
}

#[test]
fn what_is_removed_and_written_again_begins_empty() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let content = Content::open(dir.path()).expect("it opens");
    let name = ContentName([7; 32]);
    let done = content.perform(vec![
        write(name, 0, b"before"),
        ContentEffect::Delete(name),
        write(name, 3, b"after"),
    ]);
    assert_eq!(done[1], ContentDone::Deleted(name));
    assert_eq!(read(&content, name, 0, 8), Some(b"\0\0\0after".to_vec()));
}

#[test]
fn too_much_too_far_and_what_cannot_be_written_fail_alone() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let content = Content::open(dir.path()).expect("it opens");
    let (good, bad) = (ContentName([1; 32]), ContentName([2; 32]));
    // Where its folder should be lies a file.
    fs::write(dir.path().join("content/02"), b"in the way").expect("writable");
    let done = content.perform(vec![
        write(good, 0, &vec![1; MAX_PIECE + 1]),
        write(good, MAX_CONTENT - 1, b"ab"),
        write(good, u64::MAX, b"ab"),
        write(bad, 0, b"ab"),
        write(good, 9, b"ab"),
        ContentEffect::Read {
            name: good,
            at: u64::MAX,
            len: 1,
        },
        ContentEffect::Read {
            name: good,
            at: 0,
            len: u32::MAX,
        },
    ]);
    let failed = |done: &ContentDone| matches!(done, ContentDone::Failed(..));
    let failures: Vec<bool> = done.iter().map(failed).collect();
    assert_eq!(failures, [true, true, true, true, false, true, true]);
    assert_eq!(done[4], ContentDone::Written(good, 9));
    let refused = content.perform(vec![write(ContentName([3; 32]), u64::MAX, b"ab")]);
    assert!(failed(&refused[0]));
    fs::remove_file(dir.path().join("content/02")).expect("removable");
    assert_eq!(
        content.list(None, 10).expect("listed"),
        [good],
        "nothing is made for what is refused"
    );
    assert_eq!(read(&content, good, 9, 2), Some(b"ab".to_vec()));
}

fn listed(content: &Content, after: Option<ContentName>) -> Vec<ContentName> {
    match &mut *content.perform(vec![ContentEffect::List { after }]) {
        [ContentDone::Listed(names)] => std::mem::take(names),
        other => panic!("{other:?}"),
    }
}

/// What an engine does at its start, to find what no record names.
#[test]
fn all_contents_are_listed_in_bounded_answers() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let content = Content::open(dir.path()).expect("it opens");
    assert_eq!(listed(&content, None), []);
    let mut names: Vec<ContentName> = (0..2 * MAX_LISTED + 7)
        .map(|n| ContentName(*blake3::hash(&n.to_be_bytes()).as_bytes()))
        .collect();
    for name in &names {
        // Not by effects: each would be synced.
        let digits: String = name.0.iter().map(|byte| format!("{byte:02x}")).collect();
        let folder = content.folder().join(&digits[..2]);
        fs::create_dir_all(&folder).expect("writable");
        fs::write(folder.join(digits), b"").expect("writable");
    }
    names.sort_unstable();
    let mut walked = Vec::new();
    for answer in [MAX_LISTED, MAX_LISTED, 7, 0] {
        let step = listed(&content, walked.last().copied());
        assert_eq!(step.len(), answer);
        walked.extend(step);
    }
    assert_eq!(walked, names);
    assert_eq!(listed(&content, Some(ContentName([0xff; 32]))), []);
    // Files that are no contents are left alone.
    fs::write(dir.path().join("content/00/other"), b"").expect("writable");
    assert_eq!(listed(&content, None), names[..MAX_LISTED]);
    // Where a folder should be lies a file.
    fs::remove_dir_all(dir.path().join("content/80")).expect("removable");
    fs::write(dir.path().join("content/80"), b"in the way").expect("writable");
    let after = Some(ContentName([0x7f; 32]));
    let done = content.perform(vec![ContentEffect::List { after }]);
    assert!(matches!(&*done, [ContentDone::Unlisted(_)]), "{done:?}");
}

#[test]
fn a_content_that_is_being_made_is_here_once_it_is_finished_and_not_otherwise() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let content = Content::open(dir.path()).expect("it opens");
    let name = ContentName([7; 32]);
    assert!(content.reader(name).expect("it is not here").is_none());
    let begun = content.writer(name).expect("begun");
    begun.write_at(5, b"piece").expect("written");
    drop(begun);
    assert_eq!(content.list(None, 10).expect("listed"), []);

    let made = content.writer(name).expect("begun anew");
    made.write_at(4, b"ef").expect("written");
    made.write_at(0, b"abcd").expect("written");
    assert!(made.write_at(0, &vec![0; MAX_PIECE + 1]).is_err());
    assert!(made.write_at(MAX_CONTENT, b"a").is_err());
    made.finish().expect("kept");
    assert!(content.writer(name).is_err(), "there is one already");
    assert_eq!(read(&content, name, 0, 6), Some(b"abcdef".to_vec()));

    let reader = content.reader(name).expect("opened").expect("here");
    let mut piece = [0; 3];
    assert!(reader.read_at(2, &mut piece).expect("read"));
    assert_eq!(&piece, b"cde");
    assert!(
        !reader.read_at(4, &mut piece).expect("read"),
        "it ends before"
    );
    assert!(reader.read_at(u64::MAX, &mut piece).is_err());
    content.delete(name).expect("removed");
    assert!(reader.read_at(0, &mut piece).expect("still open"));
}
