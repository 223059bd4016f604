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

/// Epochs in one ring, of about a kilobyte each. Adding one more forgets the oldest of which nothing is
/// held. One epoch a month makes it 85 years; a device that may announce four a day needs most of a
/// year for it.
pub const MAX_EPOCHS: usize = 1024;

/// Meeting secrets of a topic that are tried, newest first; older ones are not answered to.
pub const MAX_MEETING_SECRETS: usize = 8;

/// Fewest tags in one list: shorter lists are filled with random tags up to it.
pub const MIN_TAGS: usize = 16;

/// Most topics that one link may be asked to share; beyond it the call is refused.
pub const MAX_SHARED_TOPICS: usize = 65_536;

/// Longest time that a ticket may run, in milliseconds: 30 days. Issuing shortens to it; a ticket
/// that runs longer than this and a day of clock difference is refused.
pub const MAX_TICKET_MS: u64 = 30 * DAY_MS;

/// Epochs in one answer with keys. What is asked beyond comes with the next answer.
pub const MAX_KEYS: usize = 8;

/// Bytes of one answer with keys before sealing. Three accesses to single slices fill it; what does not
/// fit comes with the next answer.
pub const MAX_KEYS_PLAIN: usize = 4_096 - 16;

/// How long after it has opened a box a device's topic sealing key is replaced, in milliseconds.
pub const SEALING_TURN_MS: u64 = DAY_MS;

/// How long a replaced topic sealing key still opens at most, in milliseconds. Then it is destroyed:
/// boxes that come later are of no use, and their contents are asked of other readers.
pub const SEALING_KEPT_MS: u64 = 14 * DAY_MS;

/// Topic sealing keys of one device that still open, the newest included. Beyond it the oldest is
/// destroyed before its time.
pub const MAX_SEALING_SECRETS: usize = 16;

/// Length of a slice of an epoch that follows others, in milliseconds: a day. Whoever reads a part of an
/// epoch reads whole slices; of older ones the keys are given up one by one.
pub const SLICE_MS: u64 = DAY_MS;

/// When so many slices of an epoch are left, the first to write begins the next one. The time that a
/// topic has for it before all that is written falls into the last slice.
pub const SPARE_SLICES: u8 = 4;

/// Epochs that one device begins in a day of claimed time, at most. More are inadmissible.
pub const EPOCHS_PER_DAY: usize = 4;

/// Announced epochs of a topic that a node looks at, the newest. Half of what a ring keeps, so that those
/// of which something is held are never crowded out by them.
pub const MAX_EPOCHS_HEARD: usize = MAX_EPOCHS / 2;

/// Epochs of which it is found out whether they are clean, the newest. An older one is not written under,
/// even if it were: then one is begun too many.
pub const MAX_EPOCHS_JUDGED: usize = wire::limits::MAX_FOLLOWED_EPOCHS;

/// Devices and open invites that one epoch is sealed to, at most: about 0.3 s of an announcer's time and
/// 180 KB. A topic with more keeps its last epoch until a group key agreement supplies them.
pub const MAX_ENTITLED: usize = 2_000;

/// Core nodes that one epoch is sealed to, at most. Others hear the secret from their clients.
pub const MAX_ENTITLED_CORES: usize = 256;

/// Bytes of all envelopes of a chain of grants that is shown to a stranger. A longer chain is
/// refused without a look at it.
pub const MAX_CHAIN_BYTES: usize = 32 * 1024;

/// Revocations, closes and acts that are looked at for the acts of a composition that is shown to a
/// stranger, the newest. What only older ones prove the stranger hears from others.
pub const MAX_ENDS_LOOKED_AT: usize = 1_024;

/// Branches of one author with a number 1 of their own that are looked at for whom it was certified by.
/// As before.
pub const MAX_FIRSTS_LOOKED_AT: usize = 8;

/// The highest index of an author key under an invite that counts what is written in all, until a
/// welcome: each key has the invite's totals to itself. Whoever is set back more often waits for its
/// welcome.
pub const UNWELCOMED_INCARNATIONS: u64 = 3;
