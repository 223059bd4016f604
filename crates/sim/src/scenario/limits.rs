//! The bounds of a scenario, and what happens when one is reached: the scenario is refused, with
//! the line that went beyond.

/// Bytes of a scenario's text. Nobody writes a longer one by hand.
pub const MAX_TEXT: usize = 1 << 20;

/// Nodes of a world: what its memory is planned for, with some room.
pub const MAX_NODES: usize = 50_000;

/// Sites of a world: a site is one byte of the addresses of its nodes.
pub const MAX_SITES: usize = 250;

/// Topics of a world.
pub const MAX_TOPICS: usize = 20_000;

/// Members of one topic.
pub const MAX_MEMBERS: usize = 10_000;

/// Steps of a plan.
pub const MAX_STEPS: usize = 4_000_000;

/// Core nodes that one person uses; more gain nothing.
pub const MAX_CORES_USED: usize = 8;

/// Longest simulated time, in milliseconds: two years.
pub const MAX_LENGTH_MS: u64 = 2 * 366 * DAY_MS;

/// Longest latency of a path, in microseconds: a minute, more than to the Moon and back.
pub const MAX_LATENCY_US: u64 = 60_000_000;

/// Longest message, in bytes: what fits into an envelope of a topic and of mail.
pub const MAX_BYTES: u64 = 60_000;

/// Messages in one command of an application.
pub const MAX_BATCH: u64 = 1_024;

/// Mistakes that are told at once; what follows is often a consequence of these.
pub const MAX_MISTAKES: usize = 20;

/// A day in milliseconds.
pub const DAY_MS: u64 = 24 * 3_600_000;

/// How long a founder is online at the very beginning, whatever its day is like: it creates its
/// topics and hands their beginning to its core nodes. In milliseconds.
pub const FOUNDING_MS: u64 = 10 * 60_000;

/// How long after its join a person writes at the earliest, in milliseconds.
pub const SETTLE_MS: u64 = 10_000;

/// The time between the messages of a burst, at most, in milliseconds.
pub const BURST_GAP_MS: u64 = 3_000;
