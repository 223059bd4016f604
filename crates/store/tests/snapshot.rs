//! A store as a stream, and back.

use crate::{BODIES, HEADERS, TABLES, body, commit, open, options};
use machine::{Base, MemoryBase, Rng, Table};
use std::fs;
use store::{SnapshotFailed, export, import, read_snapshot};

fn exported(dir: &std::path::Path) -> Vec<u8> {
    let (store, _) = open(&dir.join("from"));
    (1..=50).for_each(|number| commit(&store, number));
    let mut bytes = Vec::new();
    let summary = export(&store, &mut bytes, |_, _| true).expect("exported");
    assert_eq!(summary.rows, 100);
    bytes
}

#[test]
fn what_is_exported_is_imported() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let bytes = exported(dir.path());
    let to = dir.path().join("to");
    let summary = import(&to, &TABLES, &options(), &mut bytes.as_slice()).expect("imported");
    assert_eq!(summary.rows, 100);
    let (store, opened) = open(&to);
    assert!(opened.clean && !opened.created);
    assert_ne!(
        opened.home,
        open(&dir.path().join("from")).1.home,
        "a home of its own"
    );
    for number in 1..=50_u64 {
        let found = store.get(BODIES, &number.to_be_bytes()).expect("readable");
        assert_eq!(found, Some(body(number)));
    }
    let mut again = Vec::new();
    export(&store, &mut again, |_, _| true).expect("exported");
    assert_eq!(again, bytes, "the same rows give the same bytes");
    let refused = import(&to, &TABLES, &options(), &mut bytes.as_slice());
    assert!(matches!(refused, Err(SnapshotFailed::Exists(_))));
}

#[test]
fn rows_and_tables_can_be_left_out() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (store, _) = open(&dir.path().join("from"));
    (1..=5).for_each(|number| commit(&store, number));
    let mut bytes = Vec::new();
    let keep = |table: Table, key: &[u8]| table == HEADERS && key.last() != Some(&3);
    assert_eq!(export(&store, &mut bytes, keep).expect("exported").rows, 4);
    let mut base = MemoryBase::new();
    read_snapshot(&mut bytes.as_slice(), |table, key, value| {
        base.load(table, key, value);
        Ok(())
    })
    .expect("read");
    assert_eq!(base.rows().count(), 4);
    assert!(
        base.rows()
            .all(|(table, key, _)| table == HEADERS.id() && key[7] != 3)
    );
}

#[test]
fn a_snapshot_that_was_altered_or_cut_short_leaves_nothing_behind() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let bytes = exported(dir.path());
    let to = dir.path().join("to");
    let mut rng = Rng::from_seed([3; 32]);
    for round in 0..30 {
        let mut bad = bytes.clone();
        let at = rng.below(bad.len() as u64) as usize;
        if round % 3 == 0 {
            bad.truncate(at);
        } else {
            bad[at] ^= 1 << rng.below(8);
        }
        assert!(
            import(&to, &TABLES, &options(), &mut bad.as_slice()).is_err(),
            "byte {at}"
        );
        assert!(!to.exists());
        assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 1);
    }
    let mut foreign = bytes.as_slice();
    let refused = import(&to, &TABLES[..1], &options(), &mut foreign).expect_err("unknown table");
    assert!(matches!(refused, SnapshotFailed::Format(_)), "{refused}");
}
