//! Every bound of what grants may carve and spend.

/// A minute, in milliseconds: the unit of rates.
pub const MINUTE_MS: u64 = 60_000;

/// What a bucket holds at most, in milliseconds of its rate: ten minutes. Who was silent for longer
/// gains nothing more.
pub const BUCKET_MS: u64 = 10 * MINUTE_MS;

/// The greatest rate that a grant can state, a minute. Greater ones are read as this one; the wire
/// has none.
pub const MAX_RATE: u64 = u32::MAX as u64;

/// Control envelopes a minute of claimed time and chain. Beyond it an envelope is inadmissible.
pub const CONTROL_MESSAGES_PER_MIN: u64 = 60;

/// Bytes of control a minute of claimed time and chain. Beyond it an envelope is inadmissible.
pub const CONTROL_BYTES_PER_MIN: u64 = 512 * 1024;

/// Grants and invites that a chain may have issued and that are neither revoked nor over. One more
/// is inadmissible.
pub const MAX_GRANTS: usize = 64;

/// The depth of the deepest grant; the root has 0. A deeper one is inadmissible. `eff` itself goes
/// as deep as the facts do.
pub const MAX_GRANT_DEPTH: u32 = 8;
