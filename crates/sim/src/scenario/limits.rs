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

/// Most packets that a path loses, of a million. A frame gets through after some tries all the same,
/// so that more would say what is not so; a way that lets nothing through is a cut.
pub const MAX_LOSS_PPM: u32 = 900_000;

/// Fastest path that has a rate at all, in kilobits a second; a faster one is one without a rate.
pub const MAX_KBIT: u64 = 1_000_000_000;

/// Longest time in which a disk makes a commit durable, in microseconds: a minute.
pub const MAX_COMMIT_US: u64 = 60_000_000;

/// Smallest disk or quota that a scenario gives, in bytes. A plan has 0 for one without end.
pub const MIN_DISK: u64 = 1 << 10;

/// Largest disk or quota, in bytes: a pebibyte, more than one without end ever uses.
pub const MAX_DISK: u64 = 1 << 50;

/// How far a clock is from the right time at most, in milliseconds: twenty years, so that no clock
/// shows a time before 1970.
pub const MAX_SKEW_MS: i64 = 20 * 366 * 24 * 3_600_000;

/// How much a clock goes fast or slow at most, in millionths.
pub const MAX_DRIFT_PPM: i32 = 100_000;

/// Lies of one node: more than there are kinds, since each may have its own frequency.
pub const MAX_LIES: usize = 64;

/// How often a lie makes a node write something of its own. What was written is asked of nodes for as
/// long as the topic lives, so that more would only be more of the same.
pub const MAX_WRITTEN: u32 = 250;

/// Tables of one kind, such as `[[messages]]`: each is drawn for each whom it concerns.
pub const MAX_TABLES: usize = 1_000;

/// Values of one list, such as the times of a crash.
pub const MAX_VALUES: usize = 1_000;

/// Names of one list; a group counts as one.
pub const MAX_NAMES: usize = 10_000;

/// Bytes of a name.
pub const MAX_NAME: usize = 200;

/// Something that is done or happens so often a day at most, to one person or node.
pub const MAX_PER_DAY: u64 = 100_000;

/// Parts of the day in which somebody is online, at most.
pub const MAX_WINDOWS: usize = 24;

/// Shortest timetable that is repeated, in milliseconds: a minute.
pub const MIN_REPEAT_MS: u64 = 60_000;

/// Journeys of all who travel: each is taken out of the days of who travels, one by one.
pub const MAX_JOURNEYS: usize = 20_000;

/// Effects after which a node stops dead, at most.
pub const MAX_EFFECTS: u64 = 1_000_000;

/// Commits that a disk loses, at most. A simulated disk keeps no more than the last few.
pub const MAX_BATCHES: u64 = 1_000;

/// The least time between two raids of one outsider, in milliseconds.
pub const MIN_RAID_MS: u64 = 100;

/// Links of one raid at once: more than any node keeps of strangers.
pub const MAX_RAID_LINKS: u32 = 1_000;

/// Frames on each link of a raid.
pub const MAX_RAID_FRAMES: u32 = 1_000;

/// Longest message, in bytes: what fits into an envelope of a topic and of mail.
pub const MAX_BYTES: u64 = 60_000;
/// Bytes of a file that somebody shares; a larger one is refused. All of it is in memory at everybody who has it.
pub const MAX_FILE: u64 = 64 << 20;

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
