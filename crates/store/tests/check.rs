//! A sound home is sound; a flipped byte is found and named.

use crate::{BODIES, HEADERS, TABLES, batch, commit, open, options};
use machine::{ContentDone, ContentEffect, ContentName, Rng};
use std::fs;
use std::path::{Path, PathBuf};
use store::{Content, FjallStore, OpenFailed, Options, Store, check};

/// A home with rows in memtables, in sorted files and apart, and with content.
fn filled(home: &Path) {
    let small = Options {
        memtable: 64 * 1024,
        memtables: 128 * 1024,
        ..options()
    };
    let (store, _) = FjallStore::open(home, &TABLES, &small).expect("it opens");
    for number in 0..300_u64 {
        let key = number.to_be_bytes().to_vec();
        let mut value = vec![0; 3000];
        Rng::from_seed([number as u8; 32]).fill(&mut value);
        let short = value[..200].to_vec();
        let writes = vec![
            (HEADERS, key.clone(), Some(short)),
            (BODIES, key, Some(value)),
        ];
        store.commit(&[batch(writes)]).expect("it commits");
    }
    let content = Content::open(home).expect("it opens");
    let pieces = (0..20_u8).map(|n| ContentEffect::Write {
        name: ContentName([n; 32]),
        at: 0,
        bytes: vec![n; 5000],
    });
    let done = content.perform(pieces.collect());
    assert!(
        done.iter()
            .all(|done| matches!(done, ContentDone::Written(..)))
    );
    store.close().expect("it closes");
}

fn files(dir: &Path, of: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files(&path, of, found);
        } else if path
            .parent()
            .and_then(Path::file_name)
            .is_some_and(|name| name == of)
        {
            found.push(path);
        }
    }
}

#[test]
fn a_sound_home_is_sound_and_stays_as_it_is() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let home = dir.path().join("home");
    filled(&home);
    for _ in 0..2 {
        let report = check(&home, &TABLES).expect("it is closed");
        assert!(report.sound(), "{:?}", report.findings);
        assert!(report.clean);
        assert_eq!((report.head.number, report.content), (300, 20));
        assert_eq!(
            report.rows.values().copied().collect::<Vec<_>>(),
            [300, 300]
        );
        assert!(report.files > 0, "some rows have left memory");
        assert_eq!(
            report.commits, 299,
            "the first has no hash before it to go on from"
        );
    }
    let (store, opened) = open(&home);
    assert!(opened.clean);
    let locked = check(&home, &TABLES).expect_err("it is open");
    assert!(matches!(locked, OpenFailed::Locked { .. }));
    drop(store);
    assert!(check(&dir.path().join("nowhere"), &TABLES).is_err());
}

#[test]
fn a_flipped_byte_in_any_file_is_found_and_named() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let home = dir.path().join("home");
    filled(&home);
    let mut rng = Rng::from_seed([9; 32]);
    for kind in ["tables", "blobs", "3"] {
        let mut all = Vec::new();
        files(&home.join("db"), kind, &mut all);
        assert!(!all.is_empty(), "there are {kind}");
        for path in all.into_iter().take(6) {
            if path.starts_with(home.join("db/keyspaces/3/v0")) {
                continue;
            }
            let sound = fs::read(&path).expect("readable");
            for _ in 0..4 {
                let mut bad = sound.clone();
                let at = rng.below(bad.len() as u64) as usize;
                bad[at] ^= 1 << rng.below(8);
                fs::write(&path, &bad).expect("writable");
                let report = check(&home, &TABLES).expect("it is closed");
                assert!(
                    !report.sound(),
                    "byte {at} of {} went unnoticed",
                    path.display()
                );
                let text: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
                // A list that names another version file is known by that file.
                let known = path.parent().expect("a folder").to_string_lossy();
                assert!(
                    text.iter().any(|text| text.contains(&*known)),
                    "{at}: {text:?}"
                );
                if let Err(failed) = FjallStore::open(&home, &TABLES, &options()) {
                    let failed = failed.to_string();
                    assert!(failed.contains(&*known), "byte {at}: {failed}");
                }
            }
            fs::write(&path, &sound).expect("writable");
        }
    }
    assert!(
        check(&home, &TABLES).expect("it is closed").sound(),
        "mended"
    );
}

#[test]
fn altered_journals_are_found_and_named() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let home = dir.path().join("home");
    filled(&home);
    let journal = home.join("db/0.jnl");
    let mut bytes = fs::read(&journal).expect("readable");
    let at = bytes.len().min(400_000);
    bytes[at] ^= 4;
    fs::write(&journal, &bytes).expect("writable");
    let report = check(&home, &TABLES).expect("it is closed");
    assert!(
        report.findings[0].to_string().contains("0.jnl"),
        "{:?}",
        report.findings
    );
    let untouched = fs::read(&journal).expect("readable");
    assert!(untouched == bytes, "checking repairs nothing");
}

#[test]
fn commits_that_went_missing_are_found() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let home = dir.path().join("home");
    let (store, _) = open(&home);
    (1..=5).for_each(|number| commit(&store, number));
    store.close().expect("it closes");
    drop(store);
    fs::write(home.join("clean"), format!("7\n{}\n", "00".repeat(32))).expect("writable");
    let report = check(&home, &TABLES).expect("it is closed");
    assert!(
        report.findings[0]
            .to_string()
            .contains("commits 6 to 7 are lost")
    );
}
