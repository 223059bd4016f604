//! The same store in memory.

use crate::head::merge;
use crate::{CommitFailed, HISTORY, Head, HomeId, Opened, Room, Space, Store};
use machine::{Base, Batch, MemoryBase, ReadFailed, Row, Table};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A store in memory: everything that [`crate::FjallStore`] promises but durability. Dropping the
/// last handle loses it; [`MemoryStore::reopen`] begins another life over what is committed.
#[derive(Clone, Debug)]
pub struct MemoryStore(Arc<RwLock<State>>);

#[derive(Clone, Debug)]
struct State {
    base: MemoryBase,
    tables: Vec<Table>,
    head: Head,
    hashes: BTreeMap<u64, [u8; 32]>,
    ended: Option<CommitFailed>,
}

impl MemoryStore {
    /// An empty one.
    #[must_use]
    pub fn new(tables: &[Table]) -> Self {
        Self::over(tables, MemoryBase::new())
    }

    /// One that holds these rows already.
    #[must_use]
    pub fn over(tables: &[Table], base: MemoryBase) -> Self {
        Self(Arc::new(RwLock::new(State {
            base,
            tables: tables.to_vec(),
            head: Head::START,
            hashes: BTreeMap::new(),
            ended: None,
        })))
    }

    /// Another life over what is committed, as after a crash. Old handles see nothing of it.
    #[must_use]
    pub fn reopen(&self) -> (Self, Opened) {
        let mut state = self.read().clone();
        let clean = state.ended == Some(CommitFailed::Closed);
        state.ended = None;
        let opened = Opened {
            home: HomeId::from_bytes([0; 16]),
            created: false,
            head: state.head,
            clean,
            gap: None,
            room: Room::Plenty,
        };
        (Self(Arc::new(RwLock::new(state))), opened)
    }

    /// All rows.
    #[must_use]
    pub fn base(&self) -> MemoryBase {
        self.read().base.clone()
    }

    /// A panic elsewhere leaves the state whole: every change is made in one step.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Base for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        self.read().base.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        range: (&[u8], &[u8]),
        limit: usize,
        back: bool,
    ) -> Result<Vec<Row>, ReadFailed> {
        self.read().base.scan(table, range, limit, back)
    }
}

impl Store for MemoryStore {
    fn commit(&self, batches: &[Arc<Batch>]) -> Result<Head, CommitFailed> {
        let mut state = self.write();
        if let Some(ended) = &state.ended {
            return Err(ended.clone());
        }
        let writes = merge(batches);
        if writes.is_empty() {
            return Ok(state.head);
        }
        if let Some((table, _)) = writes
            .keys()
            .find(|(table, _)| !state.tables.contains(table))
        {
            return Err(CommitFailed::UnknownTable(table.name()));
        }
        let head = state.head.after(&writes);
        for batch in batches {
            state.base.apply(batch);
        }
        state.head = head;
        state.hashes.insert(head.number, head.hash);
        while state.hashes.len() as u64 > HISTORY {
            state.hashes.pop_first();
        }
        Ok(head)
    }

    fn head(&self) -> Head {
        self.read().head
    }

    fn hash_of(&self, number: u64) -> Result<Option<[u8; 32]>, ReadFailed> {
        Ok(self.read().hashes.get(&number).copied())
    }

    fn tables(&self) -> Vec<Table> {
        self.read().tables.clone()
    }

    fn space(&self) -> Space {
        Space {
            free: u64::MAX,
            used: 0,
            room: Room::Plenty,
            reserved: true,
            reopen: false,
        }
    }

    fn close(&self) -> Result<Head, CommitFailed> {
        let mut state = self.write();
        if let Some(ended) = &state.ended {
            return Err(ended.clone());
        }
        state.ended = Some(CommitFailed::Closed);
        Ok(state.head)
    }
}
