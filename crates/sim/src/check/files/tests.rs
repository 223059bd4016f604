use super::super::facts::tests::{header, plan};
use super::super::mirror::Spot;
use super::super::{Facts, Scene};
use super::{CONTENT, Files, NAME};
use crate::disk::{Disk, Pool};
use block::memory::Whole;
use identity::Secret;
use machine::{Batch, ContentName, Table, Time, WallTime};
use std::sync::Arc;
use wire::Header;

const UNTIL: u64 = 1_000_000_000;
const SPOT: Spot = Spot {
    local: 7,
    author: 3,
    number: 2,
};
const BYTES: ContentName = ContentName([4; 32]);

fn disk(rows: &[(Table, Vec<u8>, Vec<u8>)]) -> Disk {
    let mut disk = Disk::new(&Arc::new(Pool::new()));
    let rows = rows.iter().cloned();
    disk.apply(&Batch {
        number: 1,
        last_turn: 1,
        writes: rows
            .map(|(table, key, row)| (table, key, Some(row)))
            .collect(),
    });
    disk
}

/// A disk with an envelope that names a file, and what is said of its content.
fn town(flags: u8) -> (Disk, Whole) {
    let whole = Whole::encode(&[9; 40_000], Secret::from_bytes([5; 32])).expect("a content");
    let manifest = whole.manifest;
    let header = Header {
        manifest: Some(manifest),
        created: UNTIL,
        expires: UNTIL * 2,
        ..header([3; 32], 2)
    };
    let (local, author) = (SPOT.local.to_be_bytes(), SPOT.author.to_be_bytes());
    let at = [&local[..], &author, &2_u64.to_be_bytes(), &[8; 16]].concat();
    let row = [&[0; 72][..], &header.encode()].concat();
    let (count, bytes) = (manifest.count.to_be_bytes(), manifest.bytes.to_be_bytes());
    let key = [&local[..], &manifest.root, &count, &bytes].concat();
    let content = [&[1, flags][..], &BYTES.0].concat();
    let name = (NAME, BYTES.0.to_vec(), key.clone());
    let mut disk = disk(&[(lace::rows::HEADER, at, row), (CONTENT, key, content), name]);
    disk.contents_mut().insert(BYTES, whole.stored.clone());
    (disk, whole)
}

/// What is said to be wrong when this is done at a time.
fn wrong(at_ms: u64, what: impl FnOnce(&mut Scene<'_>)) -> Vec<String> {
    let (plan, facts) = (plan(&[]), Facts::new(2, 0));
    let mut broken = Vec::new();
    what(&mut Scene {
        now: Time::ZERO,
        wall: WallTime::from_millis(at_ms),
        no: 3,
        plan: &plan,
        facts: &facts,
        broken: &mut broken,
    });
    broken.into_iter().map(|broken| broken.what).collect()
}

fn promise(disk: &Disk) -> Vec<String> {
    wrong(1, |scene| {
        Files::default().promised(scene, &[(SPOT, UNTIL)], disk);
    })
}

#[test]
fn who_says_that_it_holds_a_file_has_all_of_it() {
    let (disk, whole) = town(5);
    assert_eq!(promise(&disk), Vec::<String>::new());
    let (not_whole, _) = town(3);
    let (mut gone, mut damaged) = (disk.clone(), disk);
    gone.contents_mut().remove(&BYTES);
    let mut stored = whole.stored;
    stored[20_000] ^= 1;
    damaged.contents_mut().insert(BYTES, stored);
    for (disk, what) in [
        (&not_whole, "not all here"),
        (&gone, "gone"),
        (&damaged, "not as its manifest says"),
    ] {
        let told = promise(disk);
        assert!(told.len() == 1 && told[0].contains(what), "{told:?}");
    }
}

#[test]
fn what_is_held_stays_until_its_time_is_over() {
    let (disk, _) = town(5);
    let mut files = Files::default();
    let first = wrong(1, |scene| files.promised(scene, &[(SPOT, UNTIL)], &disk));
    assert_eq!(first, Vec::<String>::new());
    let early = wrong(UNTIL / 2, |scene| files.gone(scene, &BYTES));
    assert_eq!(early.len(), 1, "{early:?}");
    files = Files::default();
    wrong(1, |scene| files.promised(scene, &[(SPOT, UNTIL)], &disk));
    let late = wrong(UNTIL, |scene| files.gone(scene, &BYTES));
    assert_eq!(late, Vec::<String>::new());
    // What was never said to be held may go.
    let other = wrong(1, |scene| files.gone(scene, &ContentName([5; 32])));
    assert_eq!(other, Vec::<String>::new());
}
