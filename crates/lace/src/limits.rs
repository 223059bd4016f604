//! Every bound of a lace, and what happens when it is reached.

/// Parked envelopes of one author. Beyond, the one with the highest number makes room for a lower
/// one; a higher one is not kept and has to be offered again.
pub const MAX_PARKED_PER_AUTHOR: usize = 256;

/// Bytes of parked envelopes of one author. As [`MAX_PARKED_PER_AUTHOR`].
pub const MAX_PARKED_BYTES_PER_AUTHOR: usize = 1024 * 1024;

/// Parked envelopes of all authors together that the lace does not know. Beyond, no more are kept.
pub const MAX_PARKED_UNKNOWN: usize = 256;

/// Bytes of parked envelopes of authors that the lace does not know. As [`MAX_PARKED_UNKNOWN`].
pub const MAX_PARKED_BYTES_UNKNOWN: usize = 1024 * 1024;

/// Parked envelopes of a topic. Beyond, no more are kept.
pub const MAX_PARKED: usize = 1024;

/// Bytes of parked envelopes of a topic. As [`MAX_PARKED`].
pub const MAX_PARKED_BYTES: usize = 4 * 1024 * 1024;

/// How far beyond an author's newest number an envelope may lie to be worth a check. What lies
/// further ahead could not be parked anyway together with what it needs.
pub const MAX_AHEAD: u64 = 4096;

/// Ids that a forked author may have in a cut. Beyond, the highest numbers are listed, and whoever
/// misses something asks for the whole range from the fork on.
pub const MAX_CUT_IDS: usize = 8;

/// Pairs of evidence about authors of whom nothing is admitted. Beyond, such evidence is refused
/// until its author is known, so replicas that differ in it keep offering it.
pub const MAX_STRANGE_EVIDENCE: usize = 1024;

/// Ranges in one cursor. Ranges beyond are not served; they have to be asked for again.
pub const MAX_RANGES: usize = 256;

/// Ranges of one comparison. What differs beyond is found by the next comparison.
pub const MAX_COMPARED: usize = 4096;

/// Rows that one call of serving reads in one piece.
pub const SERVE_CHUNK: usize = 32;

/// Rows that one call of serving may pass over because they are not in the kept set. Reaching it
/// ends the call early with whatever was found; the cursor goes on from there.
pub const MAX_SERVE_SKIP: usize = 1024;

/// Envelopes that one names beside the previous one. More are named by later envelopes.
pub const MAX_DEPS: usize = wire::limits::MAX_DEPS;

/// Heads that are looked at for deps. Those beyond are named by later envelopes.
pub const MAX_HEADS_LOOKED_AT: usize = 64;

/// Of [`MAX_DEPS`], how many are for what takes something away and is in the past of nothing but heads without
/// their bodies, where there are such. More of it are named by later envelopes.
pub const HIDDEN_DEPS: usize = 4;

/// What of that takes something away is looked at for one envelope, the newest first. What lies beyond it is not
/// named by that envelope.
pub const MAX_HIDDEN_ENDS: usize = 256;

/// How many numbers below a difference are asked for when a fork must lie somewhere below it. The
/// window doubles with every answer that still differs.
pub const FORK_WINDOW: u64 = 64;

/// Incarnations a device may have at once; one more every week since its grant began. An envelope
/// number 1 with a higher index is refused.
pub const FREE_INCARNATIONS: u64 = 16;

/// Milliseconds of a week.
pub const WEEK_MS: u64 = 7 * 24 * 3600 * 1000;

/// Bodies are removed in steps of this many milliseconds: an hour, rounded up.
pub const EXPIRY_STEP_MS: u64 = 3600 * 1000;

/// Rows read at once while a topic is opened.
pub const OPEN_PAGE: usize = 1024;

/// Rows that may have to be read for the facts of a view. A view that would need more has all of
/// them in its own row.
pub const MAX_VIEW_STEPS: u32 = 64;

/// Bytes of facts in the row of a view. Beyond, the row says only what the view adds to others, and
/// more than [`MAX_VIEW_STEPS`] rows are read for it. Enough for more than 250,000 facts whose
/// numbers follow one another.
pub const MAX_SET_ROW: usize = 48 * 1024;

/// Sets of facts in memory. Beyond, that used longest ago is read again from the rows.
pub const MAX_SETS: usize = 256;

/// Bytes of sets in memory. As [`MAX_SETS`]; one set alone may be larger.
pub const MAX_SET_BYTES: usize = 2 * 1024 * 1024;

/// Joins of views in memory. Beyond, that used longest ago is computed again.
pub const MAX_JOINS: usize = 1024;

/// Facts in memory. Beyond, that used longest ago is read again from its envelope.
pub const MAX_FACTS_KEPT: usize = 4096;

/// Bytes of facts in memory. As [`MAX_FACTS_KEPT`].
pub const MAX_FACT_BYTES: usize = 2 * 1024 * 1024;

/// Effects of pasts in memory, beside that of all that is held. Beyond, that used longest ago is
/// computed again.
pub const MAX_EFFECTS: usize = 64;

/// Bytes of effects in memory. As [`MAX_EFFECTS`]; one effect alone may be larger.
pub const MAX_EFFECT_BYTES: usize = 8 * 1024 * 1024;

/// Bodies that one call of forgetting removes, since removing means reading. More go with the next.
pub const FORGET_BODIES: usize = 64;

/// Envelopes that one call looks at when bounds of authors have changed. A longer chain is cut off
/// in several calls, from its end down, and given back from below; until that is done the rest is
/// kept, or not yet. What a single envelope holds up rises with it at once.
pub const CLOSE_CHUNK: u64 = 1024;
