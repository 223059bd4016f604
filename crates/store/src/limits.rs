//! The bounds of the store, and what happens when one is reached.

/// The format of a home that this program writes, and the newest that it opens. A newer home is
/// refused before a byte of it is touched.
pub const FORMAT: u32 = 0;

/// Commits whose number and hash are kept, so that a marker can be compared with them. A marker
/// that lies further back cannot be compared and counts as stale.
pub const HISTORY: u64 = 4096;

/// The marker is due again after this many commits, whatever the time: well within [`HISTORY`], so
/// that a plain crash never leaves a marker that is too old to be compared.
pub const MARKER_COMMITS: u64 = HISTORY / 4;

/// The marker is due again after this many milliseconds (a guess: one small file a second).
pub const MARKER_MILLIS: u64 = 1_000;

/// Bytes of one memtable; it goes to disk when it is full. Small, because there is one a table.
pub const MEMTABLE: u64 = 2 * 1024 * 1024;

/// Bytes of all memtables together; above it the fullest goes to disk at once.
pub const MEMTABLES: u64 = 8 * 1024 * 1024;

/// Bytes of the cache of blocks read from disk.
pub const CACHE: u64 = 6 * 1024 * 1024;

/// Target bytes of one file of sorted rows. It bounds what a compaction needs in addition: about
/// twelve such files.
pub const TABLE_FILE: u64 = 2 * 1024 * 1024;

/// Values from this many bytes on are kept apart from their keys, so that merging sorted files
/// does not copy them again and again.
pub const APART: u32 = 512;

/// Bytes of the journals together, above which the oldest is emptied. The smallest that the engine
/// allows; it bounds what a start after a crash reads.
pub const JOURNALS: u64 = 64 * 1024 * 1024;

/// File descriptors kept open.
pub const OPEN_FILES: usize = 128;

/// Bytes set aside for the day on which the disk is full.
pub const RESERVE: u64 = 16 * 1024 * 1024;

/// Free bytes below which a home counts as full: nothing new is taken into custody.
pub const FLOOR: u64 = 64 * 1024 * 1024;

/// Free bytes, with the reserve given up, below which a home opens without merging files: the
/// journal alone grows, by what expiry and deletion write. Merging needs about this much to work.
pub const RESCUE: u64 = 48 * 1024 * 1024;

/// Free bytes, with the reserve given up, below which a home does not open at all.
pub const LEAST: u64 = 1024 * 1024;

/// Sealed memtables of one table that may wait for the disk; a commit waits until there are fewer.
pub const WAITING_MEMTABLES: usize = 3;

/// Sorted files of one table that may wait to be merged; a commit waits until there are fewer.
pub const WAITING_FILES: usize = 20;

/// Bytes of removed values in one table for which it is worth while to write files anew.
pub const RECLAIM_FROM: u64 = 4 * 1024 * 1024;

/// Removed rows of one table from which on its files are written anew, if they are also one in
/// [`RECLAIM_PART`].
pub const RECLAIM_ROWS: u64 = 256;

/// See [`RECLAIM_ROWS`].
pub const RECLAIM_PART: u64 = 16;

/// Passes over one table in which the disk is given back what removed rows took; what is left then
/// waits for the next time.
pub const RECLAIM_PASSES: usize = 3;

/// Bytes of a content. A piece that lies beyond is refused.
pub const MAX_CONTENT: u64 = 64 * 1024 * 1024 * 1024;

/// Bytes of one piece of a content that is written or read. A larger one is refused.
pub const MAX_PIECE: usize = 8 * 1024 * 1024;

/// Bytes that an import gathers before it commits.
pub const IMPORT_STEP: usize = 4 * 1024 * 1024;

/// Tables of one home.
pub const MAX_TABLES: usize = 256;
