//! Tests of the stores: what is acknowledged stays, what is lost is named.

mod check;
mod content;
mod full;
mod gap;
mod home;
mod kill;
mod marker;
mod model;
mod snapshot;

use machine::{Batch, Table};
use std::path::Path;
use std::sync::Arc;
use store::{FjallStore, Opened, Options, Store};

pub(crate) const HEADERS: Table = Table::new(1, "headers");
pub(crate) const BODIES: Table = Table::new(2, "bodies");
pub(crate) const TABLES: [Table; 2] = [HEADERS, BODIES];

/// Small and without a reserve, so that tests share a disk.
pub(crate) fn options() -> Options {
    Options {
        reserve: 0,
        floor: 0,
        ..Options::default()
    }
}

pub(crate) fn open(dir: &Path) -> (FjallStore, Opened) {
    FjallStore::open(dir, &TABLES, &options()).expect("the home opens")
}

pub(crate) fn batch(writes: Vec<(Table, Vec<u8>, Option<Vec<u8>>)>) -> Arc<Batch> {
    Arc::new(Batch {
        number: 1,
        last_turn: 1,
        writes,
    })
}

/// Commits one header and one body under `number`.
pub(crate) fn commit(store: &impl Store, number: u64) {
    let key = number.to_be_bytes().to_vec();
    let writes = vec![
        (HEADERS, key.clone(), Some(header(number))),
        (BODIES, key, Some(body(number))),
    ];
    store.commit(&[batch(writes)]).expect("a commit succeeds");
}

pub(crate) fn header(number: u64) -> Vec<u8> {
    format!("header {number}").into_bytes()
}

pub(crate) fn body(number: u64) -> Vec<u8> {
    let mut rng = machine::Rng::from_seed([number as u8; 32]);
    let mut bytes = vec![0; 1024];
    rng.fill(&mut bytes);
    bytes
}

/// Copies a folder and all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("writable");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("known").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}
