//! A full disk: the commit fails with a typed error, nothing is lost, and the home opens on its
//! reserve.

use crate::{BODIES, HEADERS, TABLES, batch, body, header};
use machine::{Base, ContentDone, ContentEffect, ContentName};
use std::path::Path;
use std::process::Command;
use store::{CommitFailed, Content, FjallStore, OpenFailed, Options, Room, Store, free_space};

const MIB: u64 = 1024 * 1024;

/// A small file system in memory, unmounted when it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Nothing, with a message, where this user may not mount.
    fn of(mib: u64) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(dir.path())
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(dir)),
            _ => {
                println!("skipped: mounting a small file system needs root");
                None
            }
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, so that a failed test does not keep it busy.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn fill_up(dir: &Path, leave: u64) {
    let free = free_space(dir).expect("known");
    let filler = std::fs::File::create(dir.join("filler")).expect("writable");
    let bytes = free.saturating_sub(leave);
    rustix::fs::fallocate(&filler, rustix::fs::FallocateFlags::empty(), 0, bytes).expect("room");
}

#[test]
fn a_home_on_a_full_disk_opens_on_its_reserve() {
    let Some(disk) = SmallDisk::of(96) else {
        return;
    };
    let home = disk.0.path().join("home");
    let options = Options {
        reserve: 16 * MIB,
        floor: 24 * MIB,
        ..Options::default()
    };
    let (store, opened) = FjallStore::open(&home, &TABLES, &options).expect("it opens");
    assert_eq!(opened.room, Room::Plenty);
    assert!(store.space().reserved);

    // Somebody else fills the disk.
    fill_up(disk.0.path(), 3 * MIB);
    assert_eq!(store.space().room, Room::Full, "below the floor");
    let mut number = 0;
    let failed = loop {
        let key = (number + 1_u64).to_be_bytes().to_vec();
        let writes = vec![
            (HEADERS, key.clone(), Some(header(number + 1))),
            (BODIES, key, Some(body(number + 1).repeat(8))),
        ];
        match store.commit(&[batch(writes)]) {
            Ok(_) => number += 1,
            Err(failed) => break failed,
        }
        assert!(number < 100_000, "the disk is never full");
    };
    assert!(matches!(failed, CommitFailed::Full(_)), "{failed:?}");
    let ended = store.commit(&[batch(vec![(HEADERS, vec![0], Some(vec![0]))])]);
    assert!(
        matches!(ended, Err(CommitFailed::Ended(_))),
        "the handle takes no more"
    );
    let content = Content::open(&home);
    let piece = |n: u64| ContentEffect::Write {
        name: ContentName([1; 32]),
        at: n << 23,
        bytes: vec![1; 1 << 23],
    };
    let done = content.map(|content| content.perform(vec![piece(0), piece(1)]));
    let full = |done: &ContentDone| matches!(done, ContentDone::Failed(..));
    assert!(done.is_err() || done.is_ok_and(|done| done.iter().any(full)));
    drop(store);

    // The next life opens on the reserve, in the state that refuses new custody.
    let (store, opened) = FjallStore::open(&home, &TABLES, &options).expect("it opens");
    assert_eq!(opened.room, Room::Rescue);
    assert!(!store.space().reserved);
    assert_eq!(opened.gap, None);
    assert!(opened.head.number >= number);
    for n in 1..=number {
        let found = store.get(HEADERS, &n.to_be_bytes()).expect("readable");
        assert_eq!(found, Some(header(n)), "{n} of {number} was acknowledged");
    }
    // Expiry and deletion go on.
    for n in 1..=number {
        let writes = vec![(BODIES, n.to_be_bytes().to_vec(), None)];
        store
            .commit(&[batch(writes)])
            .expect("deleting works on the reserve");
    }
    assert_eq!(
        store
            .scan(BODIES, (&[], &[255]), 10, false)
            .expect("readable"),
        []
    );
    assert!(!store.space().reopen);

    // There is room again.
    std::fs::remove_file(disk.0.path().join("filler")).expect("there");
    assert!(
        store.space().reopen,
        "it says that it wants to be opened anew"
    );
    store.close().expect("it closes");
    drop(store);
    let (store, opened) = FjallStore::open(&home, &TABLES, &options).expect("it opens");
    assert_eq!((opened.room, opened.clean), (Room::Plenty, true));
    assert!(store.space().reserved);
    println!("{number} commits before the disk was full, none lost");
}

#[test]
fn without_any_room_the_error_says_so() {
    let Some(disk) = SmallDisk::of(4) else { return };
    fill_up(disk.0.path(), 0);
    let home = disk.0.path().join("home");
    let failed = FjallStore::open(&home, &TABLES, &Options::default());
    match failed {
        Err(OpenFailed::NoRoom { .. }) => {}
        other => panic!("{other:?}"),
    }
}
