//! Every bound of this crate and what happens when it is reached.

use std::time::Duration;

/// Bytes of inputs that may wait for the node, each counted with [`INPUT_OVERHEAD`]. Whoever has
/// more waits; so a link is not read any further and a command is not taken.
pub const INBOX_BYTES: u32 = 16 * 1024 * 1024;

/// What one waiting input counts beside the bytes that its sender names: at most 16,384 inputs
/// wait, however small.
pub const INPUT_OVERHEAD: u32 = 1024;

/// Checks that wait or run on worker threads. A further one is carried out by the node's own
/// thread, which so slows down to what the machine can do.
pub const MAX_CHECKS: usize = 1024;

/// Most worker threads for checks.
pub const MAX_WORKERS: usize = 8;

/// Lives that may end by a fault within [`RESTART_WINDOW`]. With one more, the node is given up
/// and the reason reported.
pub const MAX_RESTARTS: usize = 5;

/// See [`MAX_RESTARTS`].
pub const RESTART_WINDOW: Duration = Duration::from_secs(600);

/// Wait before the second life; doubled for each further one within the window.
pub const BACK_OFF: Duration = Duration::from_millis(100);

/// Longest wait between two lives.
pub const MAX_BACK_OFF: Duration = Duration::from_secs(10);

/// How long a node that stops goes on working off what waits for it. The rest is dropped; nobody
/// has been told that it was done.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a node that stops waits for its last commits, after draining.
pub const SETTLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Rows read at once while the store is copied into a record.
pub const ROWS_PER_SCAN: usize = 256;

/// Longest entry of a record that a replay reads. A longer one means that the file is no record.
pub const MAX_ENTRY: usize = 64 * 1024 * 1024;

/// Effects on contents that are carried out together, and of whose writes none is said to be durable before
/// all are. Each may have a file of its own open. Further ones wait.
pub const MAX_CONTENT_AT_ONCE: usize = 128;

/// Bytes of pieces from which on no further effect is carried out together with those before it. With one
/// more piece, what is in memory for contents while the disk is busy, beside what waits.
pub const MAX_CONTENT_BYTES_AT_ONCE: usize = 8 * 1024 * 1024;

/// How long a piece that is to be written waits for others, to be synced with them: a sync costs as much for one
/// piece as for many. What that delays is that the piece is said to be here, and not that more is asked for.
pub const CONTENT_GATHERING: Duration = Duration::from_millis(8);

/// Bytes of a file that are read or written at once while it is shared or unpacked; between two pieces whoever
/// watches may stop it. A few times what is encoded at once (a guess).
pub const FILE_PIECE: usize = 256 * 1024;
