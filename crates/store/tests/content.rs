//! Content: whole or not at all, and only under its own name.

use machine::{ContentDone, ContentEffect, ContentName};
use std::fs;
use store::{Content, MAX_CONTENT};

#[test]
fn content_is_written_read_listed_and_removed() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let content = Content::open(dir.path()).expect("it opens");
    let mut names = Vec::new();
    for number in 0..300_u32 {
        let bytes = number.to_be_bytes().repeat(100);
        let ContentDone::Written(name) = content.perform(ContentEffect::Write(bytes.clone()))
        else {
            panic!("not written")
        };
        assert_eq!(name.0, *blake3::hash(&bytes).as_bytes());
        assert_eq!(content.write(&bytes).expect("twice is no harm"), name);
        let read = content.perform(ContentEffect::Read(name));
        assert_eq!(read, ContentDone::Read(name, Some(bytes)));
        names.push(name);
    }
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
    let unnamed = content
        .unreferenced(None, 1000, |name| name != names[5])
        .expect("listed");
    assert_eq!(unnamed, [names[5]]);
    assert_eq!(
        content.perform(ContentEffect::Delete(names[5])),
        ContentDone::Deleted(names[5])
    );
    assert_eq!(content.read(names[5]).expect("readable"), None);
    content.delete(names[5]).expect("twice is no harm");
}

#[test]
fn altered_content_is_not_handed_out() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let content = Content::open(dir.path()).expect("it opens");
    let name = content.write(b"as it was").expect("written");
    let folder = format!("{:02x}", name.0[0]);
    let file = fs::read_dir(dir.path().join("content").join(folder)).expect("there");
    for entry in file {
        fs::write(entry.expect("readable").path(), b"as it is!").expect("writable");
    }
    assert_eq!(content.read(name).expect("readable"), None);
    assert_eq!(content.read(ContentName([1; 32])).expect("readable"), None);
}

#[test]
fn half_written_content_is_cleared_and_too_much_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    drop(Content::open(dir.path()).expect("it opens"));
    let draft = dir.path().join("content/drafts/half");
    fs::write(&draft, b"half").expect("writable");
    let content = Content::open(dir.path()).expect("it opens");
    assert!(!draft.exists());
    assert!(content.write(&vec![0; MAX_CONTENT + 1]).is_err());
    assert!(content.list(None, 10).expect("listed").is_empty());
}
