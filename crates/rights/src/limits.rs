//! Every bound of this crate, and what happens when it is reached. Sizes on the wire are those of
//! `wire::limits`.

use wire::limits::{DAY_MS, MAX_SEALED_ITEM, SEALED_BODY_OVERHEAD};

/// Longest plaintext of a sealed item, in bytes: what fits an item with its overhead, its two bytes
/// of length and its padding. Longer ones are refused at sealing.
pub const MAX_ITEM_PLAIN: usize = MAX_ITEM_PADDED - 2;

/// A padded plaintext of an item is never longer than this, so that the item fits its limit.
pub const MAX_ITEM_PADDED: usize = MAX_SEALED_ITEM - SEALED_BODY_OVERHEAD;

/// The plaintext of a sealed item is padded to at least this many bytes, so that short names do
/// not show their length.
pub const MIN_ITEM_PADDED: usize = 64;

/// Sender keys that a writer remembers, over all topics. Beyond it one is forgotten, which costs
/// an encapsulation (about 0.15 ms) at its author's next body.
pub const MAX_SENDER_KEYS: usize = 1024;

/// Authors whose sender keys a reader remembers, over all topics. Beyond it the author read
/// least recently is forgotten, which costs one decapsulation (about 0.1 ms) at its next body.
pub const MAX_CACHED_AUTHORS: usize = 1024;

/// Sender keys remembered for one author in one topic. Beyond it that author's least recently
/// used one is forgotten: an author can crowd out its own keys, never another's.
pub const MAX_CACHED_PER_AUTHOR: usize = 4;

/// Epochs in one ring. Adding one more forgets the oldest by (generation, id). A guess for the
/// epochs that rights will bring; today there is one.
pub const MAX_EPOCHS: usize = 64;

/// Meeting secrets of a topic that are tried, newest first; older ones are not answered to.
pub const MAX_MEETING_SECRETS: usize = 8;

/// Fewest tags in one list: shorter lists are filled with random tags up to it.
pub const MIN_TAGS: usize = 16;

/// Most topics that one link may be asked to share; beyond it the call is refused.
pub const MAX_SHARED_TOPICS: usize = 65_536;

/// Longest time that a ticket may run, in milliseconds: 30 days. Issuing shortens to it; a ticket
/// that runs longer than this and a day of clock difference is refused.
pub const MAX_TICKET_MS: u64 = 30 * DAY_MS;
