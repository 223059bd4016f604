//! The mark outside the home: set-back copies and clones are noticed, crashes are not taken for
//! them.

use crate::{commit, copy, open};
use std::fs;
use std::path::Path;
use store::{Doubt, HISTORY, Marker, Staleness, Store};

/// Opens, judges, commits up to `number`, marks, ends; gives back the judgement.
fn life(home: &Path, state: &Path, number: u64, mark: bool) -> Staleness {
    let (store, opened) = open(home);
    let mut marker = Marker::open(state, &opened.home).expect("a state folder");
    let judged = marker.judge(&opened, &store).expect("readable");
    for next in opened.head.number + 1..=number {
        commit(&store, next);
    }
    if mark {
        marker.write(store.head()).expect("writable");
    }
    store.close().expect("it closes");
    judged
}

#[test]
fn a_set_back_copy_is_noticed() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let [home, backup, state] = ["home", "backup", "state"].map(|name| dir.path().join(name));
    assert_eq!(life(&home, &state, 10, true), Staleness::Fresh);
    copy(&home, &backup);
    assert_eq!(life(&home, &state, 20, true), Staleness::Plain);
    fs::remove_dir_all(&home).expect("there");
    fs::rename(&backup, &home).expect("moved");
    let judged = life(&home, &state, 12, true);
    let Staleness::Stale(Doubt::SetBack {
        marker,
        home: found,
    }) = judged
    else {
        panic!("{judged:?}")
    };
    assert_eq!((marker.number, found.number), (20, 10));
    assert_eq!(
        life(&home, &state, 15, true),
        Staleness::Plain,
        "once dealt with, it is over"
    );
}

#[test]
fn a_clone_is_noticed_on_its_own_machine_and_on_another() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let [home, clone, state, elsewhere] =
        ["home", "clone", "state", "elsewhere"].map(|name| dir.path().join(name));
    life(&home, &state, 10, true);
    copy(&home, &clone);
    let judged = life(&clone, &elsewhere, 14, true);
    assert_eq!(judged, Staleness::Stale(Doubt::Missing));
    // Two lives that went different ways under one marker: the second writes other rows.
    let (store, opened) = open(&home);
    let mut marker = Marker::open(&state, &opened.home).expect("a state folder");
    (100..=110).for_each(|number| commit(&store, number));
    marker.write(store.head()).expect("writable");
    drop(store);
    let (store, _) = open(&clone);
    (200..=220).for_each(|number| commit(&store, number));
    drop(store);
    let judged = life(&clone, &state, 0, false);
    assert!(
        matches!(judged, Staleness::Stale(Doubt::Diverged { .. })),
        "{judged:?}"
    );
}

#[test]
fn a_crash_is_not_stale() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let [home, state] = ["home", "state"].map(|name| dir.path().join(name));
    life(&home, &state, 3, true);
    life(&home, &state, 40, false);
    assert_eq!(
        life(&home, &state, 41, true),
        Staleness::Plain,
        "the store may be ahead"
    );
}

#[test]
fn an_unreadable_marker_counts_as_stale() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let [home, state] = ["home", "state"].map(|name| dir.path().join(name));
    life(&home, &state, 3, true);
    let file = fs::read_dir(state.join("homes"))
        .expect("there")
        .next()
        .expect("one");
    fs::write(file.expect("readable").path(), "3\nabc\n").expect("writable");
    assert_eq!(
        life(&home, &state, 3, true),
        Staleness::Stale(Doubt::Unreadable)
    );
}

#[test]
fn the_marker_is_written_now_and_then() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (store, opened) = open(&dir.path().join("home"));
    let mut marker = Marker::open(&dir.path().join("state"), &opened.home).expect("writable");
    assert!(marker.note(store.head()).expect("writable"));
    let far = store::Head {
        number: HISTORY,
        ..store.head()
    };
    assert!(
        marker.note(far).expect("writable"),
        "many commits later it is due at once"
    );
}
