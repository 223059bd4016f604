//! Rows of the router and of custody as far as a checker reads them, and rows as they are when a batch
//! is durable.

use super::peek::{Walk, u32_at};
use identity::EnvelopeId;
use lace::rows::{ID, NAMED};
use machine::{Base, Batch, Table};

/// The router's queue: name → row.
pub(crate) const QUEUE: Table = Table::new(84, "router_queue");
/// What waits in it: name → payload.
pub(crate) const PAYLOADS: Table = Table::new(85, "router_queue_payloads");

/// The standing of a mail that nobody has acknowledged, and of one whose time is over.
pub(crate) const WAITING: u64 = 0;
pub(crate) const EXPIRED: u64 = 2;

/// What is read of a mail in the queue.
pub(crate) struct Queued {
    pub(crate) end: u64,
    pub(crate) expires: u64,
}

impl Queued {
    pub(crate) fn read(row: &[u8]) -> Option<Self> {
        let mut walk = Walk(row);
        walk.list()?;
        for _ in 0..4 {
            walk.skip()?;
        }
        let expires = walk.uint()?.saturating_add(walk.uint()?);
        for _ in 0..3 {
            walk.skip()?;
        }
        let end = walk.uint()?;
        Some(Self { end, expires })
    }
}

/// What is read of the mark of a client's mail.
pub(crate) struct Mark {
    pub(crate) number: Option<u64>,
    pub(crate) expires: u64,
}

impl Mark {
    pub(crate) fn read(row: &[u8]) -> Option<Self> {
        let mut walk = Walk(row);
        walk.list()?;
        walk.uint()?;
        let number = walk.maybe_uint()?;
        walk.maybe_uint()?;
        let expires = walk.uint()?;
        Some(Self { number, expires })
    }
}

/// A row as it is when a batch is durable.
pub(crate) fn after(
    (batch, disk): (&Batch, &dyn Base),
    table: Table,
    key: &[u8],
) -> Option<Vec<u8>> {
    match written(batch, table, key) {
        Some(value) => value.clone(),
        None => disk.get(table, key).ok()?,
    }
}

/// What a batch makes of a row.
pub(crate) fn written<'b>(
    batch: &'b Batch,
    table: Table,
    key: &[u8],
) -> Option<&'b Option<Vec<u8>>> {
    let writes = &batch.writes;
    let at = writes.binary_search_by(|(of, at, _)| (of, at.as_slice()).cmp(&(&table, key)));
    at.ok().map(|at| &writes[at].2)
}

/// The authors of what names an envelope, as far as it is on a disk.
pub(crate) fn namers(disk: &dyn Base, local: u32, id: &EnvelopeId) -> Vec<u32> {
    let Some(row) = disk
        .get(ID, &[&local.to_be_bytes()[..], id.as_bytes()].concat())
        .ok()
        .flatten()
    else {
        return Vec::new();
    };
    let (Some(spot), Some(branch)) = (row.get(..12), id.as_bytes().get(..16)) else {
        return Vec::new();
    };
    let from = [&local.to_be_bytes()[..], spot, branch].concat();
    let to = [&from[..], &[u8::MAX; 29]].concat();
    let rows = disk
        .scan(NAMED, (&from, &to), 1024, false)
        .unwrap_or_default();
    rows.iter().filter_map(|(key, _)| u32_at(key, 32)).collect()
}
