//! How the engine is set: small, because a node shares its machine with everything else.

use crate::{
    APART, CACHE, FLOOR, JOURNALS, MEMTABLE, MEMTABLES, OPEN_FILES, RESERVE, Room, TABLE_FILE,
};
use fjall::compaction::Leveled;
use fjall::config::{BlockSizePolicy, CompressionPolicy, PinningPolicy, RestartIntervalPolicy};
use fjall::{Database, KeyspaceCreateOptions, KvSeparationOptions};
use std::path::Path;
use std::sync::Arc;

/// How an embedded store is sized.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of the cache of blocks.
    pub cache: u64,
    /// Bytes of one memtable.
    pub memtable: u64,
    /// Bytes of all memtables together.
    pub memtables: u64,
    /// Bytes set aside for a full disk; 0 for none.
    pub reserve: u64,
    /// Free bytes below which the home counts as full.
    pub floor: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cache: CACHE,
            memtable: MEMTABLE,
            memtables: MEMTABLES,
            reserve: RESERVE,
            floor: FLOOR,
        }
    }
}

/// One worker empties memtables, the other merges files.
const WORKERS: usize = 2;

pub(crate) fn open(db: &Path, options: &Options, room: Room) -> fjall::Result<Database> {
    // Without workers nothing is written but the journal, which is what the reserve is for.
    let workers = if room == Room::Rescue { 0 } else { WORKERS };
    Database::builder(db)
        .cache_size(options.cache)
        .max_journaling_size(JOURNALS)
        .max_cached_files(Some(OPEN_FILES))
        .manual_journal_persist(true)
        .worker_threads_unchecked(workers)
        .open()
}

/// The settings of a table. The engine keeps those with which it was made.
pub(crate) fn keyspace(options: &Options) -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(options.memtable)
        .manual_journal_persist(true)
        .data_block_size_policy(BlockSizePolicy::all(4 * 1024))
        .data_block_restart_interval_policy(RestartIntervalPolicy::all(16))
        .data_block_compression_policy(CompressionPolicy::disabled())
        .index_block_pinning_policy(PinningPolicy::all(false))
        .filter_block_pinning_policy(PinningPolicy::all(false))
        .compaction_strategy(Arc::new(
            Leveled::default().with_table_target_size(TABLE_FILE),
        ))
        .with_kv_separation(Some(
            KvSeparationOptions::default()
                .separation_threshold(APART)
                .file_target_size(16 * 1024 * 1024),
        ))
}
