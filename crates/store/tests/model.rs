//! The stores against a map in memory, under random batches and reopens.

use crate::{BODIES, HEADERS, TABLES, batch, open};
use machine::{Base, Rng, Table};
use std::collections::BTreeMap;
use store::{Faulty, Head, MemoryStore, Plan, Store};

type Model = BTreeMap<(u8, Vec<u8>), Vec<u8>>;
type Write = (Table, Vec<u8>, Option<Vec<u8>>);

fn random_writes(rng: &mut Rng) -> Vec<Write> {
    let count = 1 + rng.below(40);
    (0..count)
        .map(|_| {
            let table = if rng.below(2) == 0 { HEADERS } else { BODIES };
            let mut key = vec![0; 1 + rng.below(3) as usize];
            key.iter_mut().for_each(|byte| *byte = rng.below(6) as u8);
            let value = (rng.below(4) > 0).then(|| {
                let mut value = vec![0; rng.below(3000) as usize];
                rng.fill(&mut value);
                value
            });
            (table, key, value)
        })
        .collect()
}

fn apply(model: &mut Model, writes: &[Write]) {
    for (table, key, value) in writes {
        let at = (table.id(), key.clone());
        match value {
            Some(value) => model.insert(at, value.clone()),
            None => model.remove(&at),
        };
    }
}

fn compare(model: &Model, store: &impl Store, rng: &mut Rng) {
    for table in TABLES {
        let all = store
            .scan(table, (&[], &[255]), usize::MAX, false)
            .expect("readable");
        let rows = model.iter().filter(|((id, _), _)| *id == table.id());
        let expected: Vec<_> = rows
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect();
        assert_eq!(all, expected);
        let (from, to) = (vec![rng.below(6) as u8], vec![rng.below(6) as u8, 3]);
        let limit = rng.below(20) as usize;
        let back = store
            .scan(table, (&from, &to), limit, true)
            .expect("readable");
        let within = expected.iter().filter(|(key, _)| *key >= from && *key < to);
        let wanted: Vec<_> = within.rev().take(limit).cloned().collect();
        assert_eq!(back, wanted, "{from:?}..{to:?} back, {limit}");
        for (key, value) in expected.iter().take(5) {
            assert_eq!(
                store.get(table, key).expect("readable").as_ref(),
                Some(value)
            );
        }
    }
}

#[test]
fn a_store_is_a_map_that_survives_reopening() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let home = dir.path().join("home");
    let mut rng = Rng::from_seed([7; 32]);
    let mut model = Model::new();
    let (mut store, _) = open(&home);
    let mut memory = MemoryStore::new(&TABLES);
    for step in 0..400 {
        let groups = 1 + rng.below(3);
        let batches: Vec<_> = (0..groups)
            .map(|_| {
                let writes = random_writes(&mut rng);
                apply(&mut model, &writes);
                batch(writes)
            })
            .collect();
        let head = store.commit(&batches).expect("it commits");
        assert_eq!(
            memory.commit(&batches).expect("it commits"),
            head,
            "equal history, equal head"
        );
        if step % 20 == 0 {
            compare(&model, &store, &mut rng);
            compare(&model, &memory, &mut rng);
        }
        if rng.below(25) == 0 {
            let clean = rng.below(2) == 0;
            if clean {
                store.close().expect("it closes");
                memory.close().expect("it closes");
            }
            drop(store);
            let (again, opened) = open(&home);
            assert_eq!((opened.head, opened.clean, opened.gap), (head, clean, None));
            let (forgetful, opened) = memory.reopen();
            assert_eq!((opened.head, opened.clean), (head, clean));
            (store, memory) = (again, forgetful);
            compare(&model, &store, &mut rng);
        }
    }
}

#[test]
fn a_closed_store_takes_no_commit() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (store, opened) = open(&dir.path().join("home"));
    assert!(opened.created && opened.clean);
    assert_eq!(store.close().expect("it closes"), Head::START);
    let writes = vec![(HEADERS, vec![1], None)];
    assert!(store.commit(&[batch(writes)]).is_err());
}

#[test]
fn a_faulty_store_fails_as_planned_and_stays_ended() {
    let one = || [batch(vec![(HEADERS, vec![1], Some(vec![1]))])];
    for (plan, lands) in [
        (Plan::Fail(2), false),
        (Plan::Full(2), false),
        (Plan::Land(2), true),
    ] {
        let store = Faulty::new(MemoryStore::new(&TABLES), plan);
        let first = store.commit(&one()).expect("the first is sound");
        assert!(store.commit(&one()).is_err(), "{plan:?}");
        assert!(store.commit(&one()).is_err(), "it stays ended");
        let (again, opened) = store.inner().reopen();
        assert_eq!(opened.head.number, if lands { 2 } else { 1 });
        assert_eq!(lands, opened.head != first);
        again.commit(&one()).expect("the next life commits");
    }
    let store = Faulty::new(MemoryStore::new(&TABLES), Plan::Unreadable(2));
    assert!(store.get(HEADERS, &[1]).is_ok());
    assert!(store.get(HEADERS, &[1]).is_err());
}

#[test]
fn unknown_tables_are_refused_and_change_nothing() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (store, _) = open(&dir.path().join("home"));
    let other = Table::new(9, "other");
    assert!(store.get(other, b"k").is_err());
    let writes = vec![
        (HEADERS, vec![1], Some(vec![1])),
        (other, vec![1], Some(vec![1])),
    ];
    assert!(store.commit(&[batch(writes)]).is_err());
    assert_eq!(store.get(HEADERS, &[1]).expect("readable"), None);
    assert_eq!(store.head(), Head::START);
}

#[test]
fn readers_see_only_whole_commits_while_another_thread_commits() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (store, _) = open(&dir.path().join("home"));
    let committer = store.clone();
    let thread = std::thread::spawn(move || {
        for number in 1..=300_u64 {
            let value = number.to_be_bytes().to_vec();
            let rows = (0..20).map(|key| (HEADERS, vec![key], Some(value.clone())));
            committer
                .commit(&[batch(rows.collect())])
                .expect("it commits");
        }
    });
    let mut last = Vec::new();
    while !thread.is_finished() {
        let rows = store
            .scan(HEADERS, (&[], &[255]), 100, false)
            .expect("readable");
        let values: Vec<_> = rows.into_iter().map(|(_, value)| value).collect();
        assert!(
            values.windows(2).all(|pair| pair[0] == pair[1]),
            "a commit half seen"
        );
        let seen = values.first().cloned().unwrap_or_default();
        assert!(seen >= last, "a commit unseen");
        last = seen;
    }
    thread.join().expect("the committer ends well");
    assert_eq!(store.head().number, 300);
}

#[test]
fn the_disk_gets_back_what_removed_rows_took() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (store, _) = open(&dir.path().join("home"));
    let value = |number: u64| {
        let mut value = vec![0; 4000];
        Rng::from_seed([number as u8; 32]).fill(&mut value);
        value
    };
    for group in 0..50_u64 {
        let numbers = group * 100..(group + 1) * 100;
        let rows = numbers.map(|n| (BODIES, n.to_be_bytes().to_vec(), Some(value(n))));
        store.commit(&[batch(rows.collect())]).expect("it commits");
    }
    let removed = (0..4500_u64).map(|n| (BODIES, n.to_be_bytes().to_vec(), None));
    store
        .commit(&[batch(removed.collect())])
        .expect("it commits");
    // The newest commit is always kept whole.
    crate::commit(&store, 5000);
    let before = disk(dir.path());
    store.reclaim().expect("it reclaims");
    let after = disk(dir.path());
    assert!(
        after + (10 << 20) < before,
        "{before} before, {after} after"
    );
    let left = store
        .scan(BODIES, (&[], &[255]), usize::MAX, false)
        .expect("readable");
    assert_eq!(left.len(), 501);
    let sound = |(key, found): &(Vec<u8>, Vec<u8>)| {
        *found
            == value(u64::from_be_bytes(
                key.as_slice().try_into().expect("eight bytes"),
            ))
    };
    assert!(left[..500].iter().all(sound));
}

/// Bytes in the engine's files of rows.
fn disk(dir: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(dir)
        .expect("readable")
        .map(|entry| entry.expect("readable"));
    entries
        .map(|entry| match entry.file_type().expect("known") {
            kind if kind.is_dir() => disk(&entry.path()),
            _ if entry.path().extension().is_some_and(|end| end == "jnl") => 0,
            _ => entry.metadata().map_or(0, |meta| meta.len()),
        })
        .sum()
}
