//! The bounds of the contract, and what happens when one is reached.

/// Longest key of a record, in bytes. A longer one is a bug of an engine: the turn panics.
pub const MAX_KEY: usize = 256;

/// Longest value of a record, in bytes: a sealed body of 64 KiB and what surrounds it.
/// A longer one is a bug of an engine: the turn panics.
pub const MAX_RECORD: usize = 80 * 1024;

/// Reads that one turn may make. Work that needs more keeps a cursor and asks for a deadline of
/// now. Asserted by [`crate::Kernel`] in debug builds and by the simulator.
pub const MAX_READS_PER_TURN: u64 = 65_536;

/// Bytes that one turn may stage. Asserted as [`MAX_READS_PER_TURN`] is.
pub const MAX_STAGED_PER_TURN: u64 = 8 * 1024 * 1024;

/// Outputs that one turn may make. Asserted as [`MAX_READS_PER_TURN`] is.
pub const MAX_OUTPUTS_PER_TURN: usize = 65_536;

/// Bytes of turns that may share one commit; what is staged beyond goes into the next.
pub const MAX_BATCH: u64 = 16 * 1024 * 1024;

/// Commits that may be in flight at once. Turns go on meanwhile; their writes join the next group.
pub const MAX_BATCHES_IN_FLIGHT: usize = 2;

/// Names of contents in one answer. There may be more: whoever lists goes on after the last.
pub const MAX_LISTED: usize = 1_024;
