//! The store as a turn sees it: what is committed, and everything staged on top.

use crate::{MAX_KEY, MAX_RECORD, Rng, Time, WallTime};
use std::collections::BTreeMap;
use thiserror::Error;

/// A kind of record. There is one keyspace for each kind, never one for each topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table {
    id: u8,
    name: &'static str,
}

impl Table {
    /// The table with this number, unique in a node, and this name, which is what it is called on
    /// disk and in reports.
    #[must_use]
    pub const fn new(id: u8, name: &'static str) -> Self {
        Self { id, name }
    }

    /// Its number.
    #[must_use]
    pub const fn id(self) -> u8 {
        self.id
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }
}

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// The store could not be read. It ends this life of the node.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("table {table}: {reason}")]
pub struct ReadFailed {
    /// The table that was read.
    pub table: &'static str,
    /// What the store said.
    pub reason: String,
}

/// Committed data. Implemented by the stores; engines never see it.
pub trait Base {
    /// The value of a key.
    ///
    /// # Errors
    /// When the medium fails or holds something that cannot be read.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed>;

    /// At most `limit` rows with `from <= key < to`, ascending, or descending when `back`.
    ///
    /// # Errors
    /// As [`Base::get`].
    fn scan(
        &self,
        table: Table,
        range: (&[u8], &[u8]),
        limit: usize,
        back: bool,
    ) -> Result<Vec<Row>, ReadFailed>;
}

#[derive(Debug, Clone)]
struct Pending {
    value: Option<Vec<u8>>,
    turn: u64,
}

/// Writes that are staged and not yet known to be committed.
#[derive(Debug, Default)]
pub struct Overlay(BTreeMap<(u8, Vec<u8>), Pending>);

impl Overlay {
    /// Forgets the write of `key` if nothing later than `turn` wrote it.
    pub(crate) fn settle(&mut self, table: Table, key: &[u8], turn: u64) {
        let at = (table.id, key.to_vec());
        if self.0.get(&at).is_some_and(|pending| pending.turn <= turn) {
            self.0.remove(&at);
        }
    }
}

/// What one turn has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) reads: u64,
    pub(crate) staged: u64,
}

/// The store of a turn. Reads never fail towards an engine: a failure is noted, the engine sees an
/// absent row, and the kernel ends this life of the node before anything of the turn is kept.
pub struct Staged<'a> {
    base: &'a dyn Base,
    overlay: &'a mut Overlay,
    turn: u64,
    pub(crate) writes: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>,
    pub(crate) used: Used,
    pub(crate) failed: Option<ReadFailed>,
}

impl Staged<'_> {
    /// Looks at committed data as an engine does, for checkers and tools. Whatever `f` writes is
    /// dropped.
    ///
    /// # Errors
    /// When something that `f` read could not be read.
    pub fn look<R>(base: &dyn Base, f: impl FnOnce(&mut Staged<'_>) -> R) -> Result<R, ReadFailed> {
        let mut overlay = Overlay::default();
        let mut store = Staged::new(base, &mut overlay, 0);
        let result = f(&mut store);
        match store.failed {
            Some(failed) => Err(failed),
            None => Ok(result),
        }
    }
}

impl<'a> Staged<'a> {
    pub(crate) fn new(base: &'a dyn Base, overlay: &'a mut Overlay, turn: u64) -> Self {
        Self {
            base,
            overlay,
            turn,
            writes: BTreeMap::new(),
            used: Used::default(),
            failed: None,
        }
    }

    /// The value of a key.
    pub fn get(&mut self, table: Table, key: &[u8]) -> Option<Vec<u8>> {
        self.used.reads += 1;
        // Mostly nothing is staged: then the key need not be copied to be looked for.
        if !self.overlay.0.is_empty()
            && let Some(pending) = self.overlay.0.get(&(table.id, key.to_vec()))
        {
            return pending.value.clone();
        }
        match self.base.get(table, key) {
            Ok(value) => value,
            Err(failed) => {
                self.failed = Some(failed);
                None
            }
        }
    }

    /// Whether a key has a value.
    pub fn has(&mut self, table: Table, key: &[u8]) -> bool {
        self.get(table, key).is_some()
    }

    /// At most `limit` rows with `from <= key < to`, ascending.
    pub fn scan(&mut self, table: Table, from: &[u8], to: &[u8], limit: usize) -> Vec<Row> {
        self.merge(table, (from, to), limit, false)
    }

    /// At most `limit` rows with `from <= key < to`, descending.
    pub fn scan_back(&mut self, table: Table, from: &[u8], to: &[u8], limit: usize) -> Vec<Row> {
        self.merge(table, (from, to), limit, true)
    }

    /// At most `limit` rows whose keys begin with `prefix`, ascending.
    pub fn prefix(&mut self, table: Table, prefix: &[u8], limit: usize) -> Vec<Row> {
        self.scan(table, prefix, &after_prefix(prefix), limit)
    }

    /// Writes a record.
    ///
    /// # Panics
    /// When key or value exceed [`MAX_KEY`] or [`MAX_RECORD`]: an engine must have refused such
    /// input long before.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        let value = value.into();
        assert!(
            value.len() <= MAX_RECORD,
            "record of {} bytes in {}",
            value.len(),
            table.name
        );
        self.write(table, key.into(), Some(value));
    }

    /// Removes a record.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.write(table, key.into(), None);
    }

    fn write(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) {
        // The store on disk has no place for it; so no other may have one.
        assert!(!key.is_empty(), "an empty key in {}", table.name);
        assert!(
            key.len() <= MAX_KEY,
            "key of {} bytes in {}",
            key.len(),
            table.name
        );
        let bytes = key.len() + value.as_ref().map_or(0, Vec::len);
        self.used.staged = self.used.staged.saturating_add(bytes as u64);
        let pending = Pending {
            value: value.clone(),
            turn: self.turn,
        };
        self.overlay.0.insert((table.id, key.clone()), pending);
        self.writes.insert((table, key), value);
    }

    fn merge(&mut self, table: Table, range: (&[u8], &[u8]), limit: usize, back: bool) -> Vec<Row> {
        if limit == 0 || range.0 >= range.1 {
            return Vec::new();
        }
        let staged: Vec<(Vec<u8>, Option<Vec<u8>>)> = self
            .overlay
            .0
            .range((table.id, range.0.to_vec())..(table.id, range.1.to_vec()))
            .map(|((_, key), pending)| (key.clone(), pending.value.clone()))
            .collect();
        // At most this many committed rows are hidden by staged ones, so that `limit` rows remain
        // that are sorted before anything the store has not shown yet.
        let wanted = limit.saturating_add(staged.len());
        let base = match self.base.scan(table, range, wanted, back) {
            Ok(rows) => rows,
            Err(failed) => {
                self.failed = Some(failed);
                Vec::new()
            }
        };
        self.used.reads += 1 + base.len() as u64;
        if staged.is_empty() {
            return base;
        }
        let mut rows: BTreeMap<Vec<u8>, Option<Vec<u8>>> = base
            .into_iter()
            .map(|(key, value)| (key, Some(value)))
            .collect();
        rows.extend(staged);
        let live = rows
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)));
        if back {
            let mut all: Vec<Row> = live.collect();
            all.reverse();
            all.truncate(limit);
            all
        } else {
            live.take(limit).collect()
        }
    }
}

impl std::fmt::Debug for Staged<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staged")
            .field("turn", &self.turn)
            .field("used", &self.used)
            .finish()
    }
}

/// The smallest key that is greater than every key with this prefix.
fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    // No key follows a prefix of nothing but 0xff; keys are at most MAX_KEY long.
    vec![u8::MAX; MAX_KEY + 1]
}

/// What an engine may use during a turn.
#[derive(Debug)]
pub struct Cx<'a> {
    /// The node's own time.
    pub now: Time,
    /// What the host's clock says, confirmed or not.
    pub wall: WallTime,
    /// The store.
    pub store: Staged<'a>,
    /// Randomness.
    pub rng: &'a mut Rng,
}

/// Committed data in memory: the simulator's disk, and that of tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryBase(BTreeMap<(u8, Vec<u8>), Vec<u8>>);

impl MemoryBase {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Applies the writes of a batch.
    pub fn apply(&mut self, batch: &crate::Batch) {
        for (table, key, value) in &batch.writes {
            match value {
                Some(value) => self.0.insert((table.id, key.clone()), value.clone()),
                None => self.0.remove(&(table.id, key.clone())),
            };
        }
    }

    /// All rows: number of the table, key, value.
    pub fn rows(&self) -> impl Iterator<Item = (u8, &[u8], &[u8])> {
        self.0
            .iter()
            .map(|((table, key), value)| (*table, key.as_slice(), value.as_slice()))
    }

    /// Puts a row there, whatever the rules; for loading a snapshot.
    pub fn load(&mut self, table: u8, key: Vec<u8>, value: Vec<u8>) {
        self.0.insert((table, key), value);
    }
}

impl Base for MemoryBase {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        Ok(self.0.get(&(table.id, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        table: Table,
        range: (&[u8], &[u8]),
        limit: usize,
        back: bool,
    ) -> Result<Vec<Row>, ReadFailed> {
        if range.0 >= range.1 {
            return Ok(Vec::new());
        }
        let rows = self
            .0
            .range((table.id, range.0.to_vec())..(table.id, range.1.to_vec()))
            .map(|((_, key), value)| (key.clone(), value.clone()));
        Ok(if back {
            rows.rev().take(limit).collect()
        } else {
            rows.take(limit).collect()
        })
    }
}
