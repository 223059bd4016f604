//! One process a home, formats, and what an interrupted creation leaves.

use crate::{TABLES, commit, open, options};
use machine::Table;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use store::{FjallStore, OpenFailed};

#[test]
fn a_second_open_is_refused_and_names_the_process() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let home = dir.path().join("home");
    let (store, _) = open(&home);
    commit(&store, 1);
    let refused = FjallStore::open(&home, &TABLES, &options()).expect_err("it is in use");
    let pid = std::process::id();
    assert!(matches!(refused, OpenFailed::Locked { pid: Some(found), .. } if found == pid));
    assert!(
        refused.to_string().contains(&format!("process {pid}")),
        "{refused}"
    );
    commit(&store, 2);
    drop(store);
    assert_eq!(open(&home).1.head.number, 2);
}

#[test]
fn a_newer_home_is_refused_before_it_is_touched() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let home = dir.path().join("home");
    drop(open(&home));
    let text = fs::read_to_string(home.join("home")).expect("readable");
    fs::write(home.join("home"), text.replace("format 0", "format 7")).expect("writable");
    let before = fs::metadata(home.join("db/0.jnl")).expect("there").len();
    let refused = FjallStore::open(&home, &TABLES, &options()).expect_err("it is newer");
    assert!(
        matches!(
            refused,
            OpenFailed::Newer {
                found: 7,
                known: 0,
                ..
            }
        ),
        "{refused}"
    );
    assert!(refused.to_string().contains("newer program"), "{refused}");
    assert_eq!(
        fs::metadata(home.join("db/0.jnl")).expect("there").len(),
        before
    );
}

#[test]
fn a_home_that_cannot_be_read_is_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let home = dir.path().join("home");
    drop(open(&home));
    for text in ["", "something else", "waystation home\nformat x\nid 00\n"] {
        fs::write(home.join("home"), text).expect("writable");
        let refused = FjallStore::open(&home, &TABLES, &options()).expect_err("it is garbage");
        assert!(matches!(refused, OpenFailed::Damaged { .. }), "{refused}");
    }
    fs::remove_file(home.join("home")).expect("there");
    let refused = FjallStore::open(&home, &TABLES, &options()).expect_err("its id is gone");
    assert!(matches!(refused, OpenFailed::Damaged { .. }), "{refused}");
}

#[test]
fn an_interrupted_creation_is_begun_anew() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let home = dir.path().join("home");
    drop(open(&home));
    fs::remove_dir_all(home.join("db/keyspaces")).expect("there");
    fs::remove_file(home.join("db/version")).expect("there");
    let (store, opened) = open(&home);
    assert_eq!(opened.head.number, 0);
    commit(&store, 1);
}

#[test]
fn nobody_else_can_read_a_home() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let home = dir.path().join("home");
    drop(open(&home));
    let mode = |name: &str| {
        fs::metadata(home.join(name))
            .expect("there")
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        (mode(""), mode("home"), mode("lock")),
        (0o700, 0o600, 0o600)
    );
}

#[test]
fn an_unwritable_place_is_named() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("file");
    fs::write(&file, "x").expect("writable");
    let refused = FjallStore::open(&file.join("home"), &TABLES, &options()).expect_err("no folder");
    assert!(refused.to_string().contains("file/home"), "{refused}");
}

#[test]
fn two_tables_of_one_number_are_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let tables = [Table::new(1, "a"), Table::new(1, "b")];
    let refused = FjallStore::open(&dir.path().join("home"), &tables, &options());
    assert!(matches!(
        refused.expect_err("ambiguous"),
        OpenFailed::Tables(_)
    ));
}
