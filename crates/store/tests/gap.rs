//! A journal that goes bad in the middle (fjall#311): what is lost is named, the rest is there.

use crate::{BODIES, HEADERS, TABLES, body, commit, copy, open, options};
use machine::{Base, Rng};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use store::{FjallStore, Opened, Store};

const COMMITS: u64 = 30;

fn filled(dir: &Path) -> (PathBuf, PathBuf, u64) {
    let home = dir.join("home");
    let (store, _) = open(&home);
    for number in 1..=COMMITS {
        commit(&store, number);
    }
    drop(store);
    let journal = home.join("db/0.jnl");
    let bytes = fs::read(&journal).expect("readable");
    let used = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("not empty") as u64
        + 1;
    (home, journal, used)
}

fn flip(file: &Path, at: u64, with: u8) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .expect("there");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("readable");
    file.write_all_at(&[byte[0] ^ with], at).expect("writable");
}

fn reopened(home: &Path) -> (FjallStore, Opened) {
    FjallStore::open(home, &TABLES, &options()).expect("a damaged journal is no reason not to open")
}

#[test]
fn a_bad_byte_in_the_middle_of_the_journal_is_named() {
    // Every part of a record takes its turn: lengths, tags, sequence numbers, keys, values,
    // checksums.
    for round in 0..40_u64 {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (home, journal, used) = filled(dir.path());
        let mut rng = Rng::from_seed([round as u8; 32]);
        let at = used / 4 + rng.below(used / 4);
        flip(&journal, at, 1 << rng.below(8));
        let (store, opened) = reopened(&home);
        let gap = opened
            .gap
            .unwrap_or_else(|| panic!("round {round}: byte {at} went unnoticed"));
        assert_eq!(
            (gap.first, gap.last),
            (gap.held + 1, COMMITS),
            "round {round}: {gap}"
        );
        assert!(
            gap.to_string()
                .contains("journal 0.jnl cannot be read from byte"),
            "{gap}"
        );
        for number in 1..=gap.held {
            let found = store.get(BODIES, &number.to_be_bytes()).expect("readable");
            assert_eq!(
                found,
                Some(body(number)),
                "round {round}: {number} of {}",
                gap.held
            );
        }
        let lost = store
            .get(HEADERS, &gap.first.to_be_bytes())
            .expect("readable");
        assert_eq!(lost, None, "the damaged commit is not half there");
        let kept = fs::read_dir(home.join("damaged"))
            .expect("kept aside")
            .count();
        assert_eq!(kept, 1);
    }
}

#[test]
fn a_bad_place_in_each_part_of_a_record_is_named() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (home, journal, _) = filled(dir.path());
    let bytes = fs::read(&journal).expect("readable");
    // A batch begins behind the trailer of the one before it.
    let begin = 4 + bytes
        .windows(4)
        .enumerate()
        .filter(|(_, w)| *w == b"FJL\x03")
        .nth(9)
        .map(|(at, _)| at)
        .expect("ten batches") as u64;
    let keep = dir.path().join("keep");
    copy(&home, &keep);
    // Tag, count, sequence (low and high byte), item tag, type, compression, keyspace, key length,
    // value length, stored length, key, value.
    for at in [0, 1, 5, 12, 13, 14, 15, 16, 24, 26, 30, 34, 40, 60] {
        fs::remove_dir_all(&home).expect("there");
        copy(&keep, &home);
        flip(&journal, begin + at, 0x10);
        let (_, opened) = reopened(&home);
        let gap = opened
            .gap
            .unwrap_or_else(|| panic!("byte {at} of a batch went unnoticed"));
        // A sequence number that is too high is noticed by the batch after it.
        assert!(
            gap.held == 10 || ((5..=12).contains(&at) && gap.held == 11),
            "{at}: {gap}"
        );
        assert_eq!(gap.last, COMMITS, "{at}: {gap}");
    }
}

#[test]
fn a_gap_is_reported_until_it_is_settled_and_numbers_go_on_behind_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (home, journal, used) = filled(dir.path());
    flip(&journal, used / 2, 0xff);
    let (store, opened) = reopened(&home);
    let gap = opened.gap.expect("noticed");
    assert_eq!(opened.head.number, COMMITS + 1, "no number is used twice");
    commit(&store, 1000);
    drop(store);
    let (store, again) = reopened(&home);
    assert_eq!(
        again.gap.as_ref().map(|gap| (gap.first, gap.last)),
        Some((gap.first, gap.last))
    );
    assert!(!again.clean);
    store.forget_gap().expect("it commits");
    store.close().expect("it closes");
    drop(store);
    let (store, last) = reopened(&home);
    assert_eq!((last.gap, last.clean), (None, true));
    assert_eq!(store.hash_of(gap.first).expect("readable"), None);
    assert!(store.hash_of(gap.held).expect("readable").is_some());
}

#[test]
fn a_torn_tail_is_no_gap() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (home, journal, used) = filled(dir.path());
    for cut in [1, 3, 4, 5, 13, 500, 1100] {
        let file = OpenOptions::new()
            .write(true)
            .open(&journal)
            .expect("there");
        file.set_len(used - cut).expect("cut");
        drop(file);
        let (store, opened) = reopened(&home);
        assert_eq!(opened.gap, None, "cut by {cut}");
        assert_eq!(opened.head.number, COMMITS - 1, "cut by {cut}");
        assert_eq!(
            store
                .get(HEADERS, &COMMITS.to_be_bytes())
                .expect("readable"),
            None
        );
        commit(&store, COMMITS);
        drop(store);
        assert!(!home.join("damaged").exists());
        let length = fs::metadata(&journal).expect("there").len();
        assert_eq!(length, used, "the journal goes on where it was cut");
    }
}

#[test]
fn a_tail_whose_pages_came_in_another_order_is_no_gap() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (home, journal, used) = filled(dir.path());
    // The end of the last batch is there, a page in its middle is not.
    let file = OpenOptions::new()
        .write(true)
        .open(&journal)
        .expect("there");
    file.write_all_at(&[0; 300], used - 600).expect("writable");
    let (_, opened) = reopened(&home);
    assert_eq!((opened.gap, opened.head.number), (None, COMMITS - 1));
}

#[test]
fn a_clean_end_that_is_not_there_any_more_is_a_gap() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let home = dir.path().join("home");
    let (store, _) = open(&home);
    (1..=5).for_each(|number| commit(&store, number));
    store.close().expect("it closes");
    drop(store);
    let journal = home.join("db/0.jnl");
    let bytes = fs::read(&journal).expect("readable");
    let used = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("not empty") as u64;
    OpenOptions::new()
        .write(true)
        .open(&journal)
        .expect("there")
        .set_len(used - 9)
        .expect("cut");
    let (_, opened) = reopened(&home);
    let gap = opened.gap.expect("the note of the clean end says more");
    assert_eq!((gap.held, gap.first, gap.last), (4, 5, 5), "{gap}");
}

#[test]
fn rows_that_look_like_commits_of_another_home_are_not_taken_for_such() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (home, journal, used) = filled(dir.path());
    // What a member could make this node store: the same shape under a guessed id.
    let (store, _) = reopened(&home);
    let mut row = vec![0x41; 16];
    row.extend(9999_u64.to_be_bytes());
    row.extend([7; 32]);
    let writes = vec![(
        HEADERS,
        (9999_u64 % 4096).to_be_bytes()[6..].to_vec(),
        Some(row),
    )];
    store.commit(&[crate::batch(writes)]).expect("it commits");
    drop(store);
    let length = fs::metadata(&journal).expect("there").len().max(used);
    let bytes = fs::read(&journal).expect("readable");
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("not empty") as u64;
    assert!(end <= length);
    flip(&journal, end - 20, 0xff);
    let (_, opened) = reopened(&home);
    assert_eq!((opened.gap, opened.head.number), (None, COMMITS));
}

#[test]
fn tables_that_hold_parts_of_lost_commits_are_named() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let home = dir.path().join("home");
    // Bodies leave memory soon, headers stay in the journal alone.
    let small = store::Options {
        memtable: 64 * 1024,
        ..options()
    };
    let (store, _) = FjallStore::open(&home, &TABLES, &small).expect("it opens");
    (1..=400).for_each(|number| commit(&store, number));
    drop(store);
    flip(&home.join("db/0.jnl"), 40_000, 0xff);
    let (store, opened) = reopened(&home);
    let gap = opened.gap.expect("noticed");
    assert_eq!(
        (gap.last, gap.ahead.as_slice()),
        (400, ["bodies".to_owned()].as_slice()),
        "{gap}"
    );
    let key = (gap.held + 1).to_be_bytes();
    assert_eq!(store.get(HEADERS, &key).expect("readable"), None);
    assert_eq!(
        store.get(BODIES, &key).expect("readable"),
        Some(body(gap.held + 1))
    );
}
