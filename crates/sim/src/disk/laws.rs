//! The disk is what `machine::MemoryBase` is, row for row, and its clones never change.

use super::{Disk, LARGEST_PAGE, Pool, SHARED_FROM};
use machine::{Base, Batch, MAX_KEY, MemoryBase, Table};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const TABLES: [Table; 3] = [
    Table::new(1, "one"),
    Table::new(41, "two"),
    Table::new(255, "three"),
];

type Write = (usize, Vec<u8>, Option<Vec<u8>>);

fn batch(number: u64, writes: &[Write]) -> Batch {
    let rows: BTreeMap<_, _> = writes
        .iter()
        .map(|(table, key, value)| ((TABLES[*table], key.clone()), value.clone()))
        .collect();
    Batch {
        number,
        last_turn: number,
        writes: rows
            .into_iter()
            .map(|((table, key), value)| (table, key, value))
            .collect(),
    }
}

/// Few enough different keys that they are written, removed and written again; some are the
/// beginnings of others, some as long as keys may be.
fn key() -> impl Strategy<Value = Vec<u8>> {
    let short = prop::collection::vec(prop_oneof![Just(0), Just(7), Just(255)], 1..5);
    let number = (0_u16..400).prop_map(|number| {
        let mut key = vec![0, 0, 0, 1];
        key.extend_from_slice(&number.to_be_bytes());
        key.extend_from_slice(&[9; 26]);
        key
    });
    let long = (0_usize..4, 0_u8..3).prop_map(|(less, last)| {
        let mut key = vec![5; MAX_KEY - less];
        *key.last_mut().unwrap() = last;
        key
    });
    prop_oneof![2 => short, 6 => number, 1 => long]
}

fn value() -> impl Strategy<Value = Option<Vec<u8>>> {
    let length = prop_oneof![
        4 => 0_usize..70,
        2 => SHARED_FROM - 2..SHARED_FROM + 3,
        2 => 100_usize..600,
    ];
    // Few different contents, so that they are shared; the first bytes are those of one row.
    let some = (length, 0_u8..3, any::<[u8; 8]>()).prop_map(|(length, fill, head)| {
        let mut value = vec![fill; length];
        for (to, from) in value.iter_mut().zip(head) {
            *to = from;
        }
        value
    });
    prop_oneof![3 => some.prop_map(Some), 1 => Just(None)]
}

fn batches() -> impl Strategy<Value = Vec<Vec<Write>>> {
    let write = (0_usize..3, key(), value());
    prop::collection::vec(prop::collection::vec(write, 0..120), 1..12)
}

fn same_rows(disk: &Disk, model: &MemoryBase) {
    let rows: Vec<_> = disk.rows().collect();
    let expected: Vec<_> = model
        .rows()
        .map(|(table, key, value)| (table, key.to_vec(), value.to_vec()))
        .collect();
    assert_eq!(rows, expected);
    let bytes: usize = rows
        .iter()
        .map(|(_, key, value)| key.len() + value.len())
        .sum();
    assert_eq!(disk.bytes(), bytes as u64);
    assert_eq!(disk.len(), rows.len() as u64);
    assert_eq!(disk.is_empty(), rows.is_empty());
    in_shape(disk);
}

/// Every page has rows, none is too large, and each key lies between the edges about it.
fn in_shape(disk: &Disk) {
    for (at, entry) in disk.pages.iter().enumerate() {
        assert!((1..=LARGEST_PAGE).contains(&entry.page.len()));
        let next = disk.pages.get(at + 1).map(|entry| entry.edge.bytes());
        let mut rows = entry.page.rows();
        while rows.next().is_some() {
            assert!(at == 0 || rows.key.as_slice() >= entry.edge.bytes());
            assert!(next.is_none_or(|next| rows.key.as_slice() < next));
        }
    }
}

proptest! {
    #[test]
    fn it_holds_what_was_written(
        batches in batches(),
        keys in prop::collection::vec(key(), 8),
        limit in 0_usize..40,
        snapshot_at in 0_usize..12,
    ) {
        let pool = Arc::new(Pool::new());
        let mut disk = Disk::new(&pool);
        let mut model = MemoryBase::new();
        let mut snapshot = None;
        for (number, writes) in batches.iter().enumerate() {
            let batch = batch(number as u64 + 1, writes);
            disk.apply(&batch);
            model.apply(&batch);
            if number == snapshot_at {
                snapshot = Some((disk.clone(), model.clone()));
            }
            pool.sweep();
        }
        prop_assert_eq!(disk.commits(), batches.len() as u64);
        for table in TABLES {
            for (_, key, _) in batches.iter().flatten() {
                prop_assert_eq!(disk.get(table, key), model.get(table, key));
            }
            for from in &keys {
                prop_assert_eq!(disk.get(table, from), model.get(table, from));
                for to in &keys {
                    for (limit, back) in [(limit, false), (limit, true), (usize::MAX, true)] {
                        let range = (from.as_slice(), to.as_slice());
                        prop_assert_eq!(
                            disk.scan(table, range, limit, back),
                            model.scan(table, range, limit, back)
                        );
                    }
                }
            }
        }
        same_rows(&disk, &model);
        if let Some((disk, model)) = snapshot {
            same_rows(&disk, &model);
        }
    }
}

fn put(table: usize, key: u32, value: Vec<u8>) -> Write {
    (table, key.to_be_bytes().to_vec(), Some(value))
}

#[test]
fn long_values_are_kept_once_and_let_go() {
    let pool = Arc::new(Pool::new());
    let mut disks: Vec<Disk> = (0..10).map(|_| Disk::new(&pool)).collect();
    for (place, disk) in disks.iter_mut().enumerate() {
        let writes: Vec<Write> = (0..300_u32)
            .map(|key| {
                // As in the row of a header: what is first belongs to this disk alone.
                let mut value = vec![place as u8; 8];
                value.extend_from_slice(&key.to_be_bytes());
                value.resize(300, 1);
                put(1, key, value)
            })
            .collect();
        disk.apply(&batch(1, &writes));
    }
    assert_eq!(pool.values(), 300);
    assert!(pool.memory() < 300 * 500);
    let backup = disks[3].clone();
    let gone: Vec<Write> = (0..300_u32)
        .map(|key| (1, key.to_be_bytes().to_vec(), None))
        .collect();
    for disk in &mut disks {
        disk.apply(&batch(2, &gone));
        assert!(disk.is_empty());
        assert_eq!(disk.bytes(), 0);
    }
    pool.sweep();
    assert_eq!(pool.values(), 300, "the backup still has them");
    let value = backup
        .get(TABLES[1], &7_u32.to_be_bytes())
        .unwrap()
        .unwrap();
    assert_eq!(value[..12], [3, 3, 3, 3, 3, 3, 3, 3, 0, 0, 0, 7]);
    drop(backup);
    pool.sweep();
    assert_eq!(pool.values(), 0);
}

#[test]
fn the_pool_lets_go_of_what_is_gone_by_itself() {
    let pool = Arc::new(Pool::new());
    let mut disk = Disk::new(&pool);
    for number in 0..40_000_u32 {
        let mut value = vec![0; 96];
        value.extend_from_slice(&number.to_be_bytes());
        disk.apply(&batch(u64::from(number) + 1, &[put(0, 5, value)]));
    }
    assert_eq!(disk.len(), 1);
    assert!(pool.values() <= 64 * 64, "{}", pool.values());
}

#[test]
fn what_comes_and_goes_leaves_nothing() {
    let pool = Arc::new(Pool::new());
    let mut disk = Disk::new(&pool);
    for number in 0..10_000_u32 {
        disk.apply(&batch(1, &[put(0, number, vec![1; 30])]));
        disk.apply(&batch(2, &[(0, number.to_be_bytes().to_vec(), None)]));
    }
    assert!(disk.is_empty());
    assert!(disk.pages.is_empty());
    assert!(disk.memory() < 1_000);
    assert_eq!(disk.commits(), 20_000);
}

#[test]
fn disks_move_between_threads() {
    const fn is_send<T: Send>() {}
    is_send::<Disk>();
    let pool = Arc::new(Pool::new());
    let disks: Vec<Disk> = std::thread::scope(|scope| {
        let write = |which: u32| {
            let mut disk = Disk::new(&pool);
            for number in 0..2_000_u32 {
                let value = (number / 2).to_be_bytes().repeat(40);
                disk.apply(&batch(
                    1,
                    &[put(0, number, value), put(1, number, vec![which as u8])],
                ));
            }
            disk
        };
        let threads = [1, 2].map(|which| scope.spawn(move || write(which)));
        threads.map(|thread| thread.join().unwrap()).into()
    });
    assert_eq!(pool.values(), 1_000);
    for disk in disks {
        let value = disk.get(TABLES[0], &77_u32.to_be_bytes()).unwrap().unwrap();
        assert_eq!(value, 38_u32.to_be_bytes().repeat(40));
    }
}
