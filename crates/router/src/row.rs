//! The rows of this crate: one table for each kind, values in CBOR arrays.

use core::fmt;

use identity::OperatorTag;
use machine::{Staged, Table};
use minicbor::{Decode, Encode};

/// node → [`PeerRow`].
pub(crate) const PEERS: Table = Table::new(80, "router_peers");
/// nothing → [`OwnRow`].
pub(crate) const OWN_ADVERT: Table = Table::new(81, "router_own_advert");
/// key id → [`SealingRow`].
pub(crate) const SEALING: Table = Table::new(82, "router_sealing");
/// node → [`AdvertRow`].
pub(crate) const ADVERTS: Table = Table::new(83, "router_adverts");
/// name → [`QueueRow`].
pub(crate) const QUEUE: Table = Table::new(84, "router_queue");
/// name → payload.
pub(crate) const QUEUE_PAYLOADS: Table = Table::new(85, "router_queue_payloads");
/// name → envelope.
pub(crate) const QUEUE_SEALED: Table = Table::new(86, "router_queue_sealed");
/// destination ‖ sequence → name ‖ whether somebody holds it.
pub(crate) const QUEUE_ORDER: Table = Table::new(87, "router_queue_order");
/// sequence → name.
pub(crate) const QUEUE_ALL: Table = Table::new(88, "router_queue_all");
/// envelope id → name: of every envelope of a mail that waits, and of the last one of a mail that has
/// ended.
pub(crate) const QUEUE_ENVELOPES: Table = Table::new(89, "router_queue_envelopes");
/// expiry ‖ name → nothing.
pub(crate) const QUEUE_ENDS: Table = Table::new(90, "router_queue_ends");
/// number → [`InboxRow`].
pub(crate) const INBOX: Table = Table::new(91, "router_inbox");
/// source ‖ numbering → [`WindowRow`].
pub(crate) const WINDOWS: Table = Table::new(92, "router_windows");
/// until ‖ source ‖ numbering → nothing.
pub(crate) const WINDOW_ENDS: Table = Table::new(93, "router_window_ends");
/// nothing → [`CountsRow`].
pub(crate) const COUNTS: Table = Table::new(94, "router_counts");

/// node → nothing: its advert was told, is told no more, and goes when it is needed no more.
pub(crate) const UNTOLD: Table = Table::new(95, "router_untold");

/// The key of the one row of a table that has only one.
pub(crate) const ONLY: &[u8] = b"only";

/// All tables of the router.
pub const TABLES: [Table; 16] = [
    PEERS,
    OWN_ADVERT,
    SEALING,
    ADVERTS,
    QUEUE,
    QUEUE_PAYLOADS,
    QUEUE_SEALED,
    QUEUE_ORDER,
    QUEUE_ALL,
    QUEUE_ENVELOPES,
    QUEUE_ENDS,
    INBOX,
    WINDOWS,
    WINDOW_ENDS,
    COUNTS,
    UNTOLD,
];

#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(array)]
pub(crate) struct PeerRow {
    #[n(0)]
    pub(crate) addresses: Vec<String>,
    #[n(1)]
    pub(crate) added_ms: u64,
}

#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(array)]
pub(crate) struct OwnRow {
    #[n(0)]
    pub(crate) version: u32,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) advert: Vec<u8>,
}

#[derive(Clone, Encode, Decode)]
#[cbor(array)]
pub(crate) struct SealingRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) secret: [u8; 32],
    #[n(1)]
    pub(crate) created_ms: u64,
    /// 0 = still the one in the advert.
    #[n(2)]
    pub(crate) replaced_ms: u64,
}

impl fmt::Debug for SealingRow {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealingRow")
            .field("created_ms", &self.created_ms)
            .field("replaced_ms", &self.replaced_ms)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct AdvertRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) advert: Vec<u8>,
    #[n(1)]
    pub(crate) stored_ms: u64,
    /// Whether it came by another way than a link with its node, and no other did.
    #[cbor(n(2), default)]
    pub(crate) told: bool,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct HeldRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) core: [u8; 32],
    #[n(1)]
    pub(crate) until_ms: u64,
    #[n(2)]
    pub(crate) at_ms: u64,
    /// The tag of its operator, as its receipt says.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(crate) operator: Option<[u8; OperatorTag::LEN]>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct RefusalRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) by: [u8; 32],
    #[n(1)]
    pub(crate) code: u16,
    #[n(2)]
    pub(crate) text: String,
    #[n(3)]
    pub(crate) at_ms: u64,
}

/// A mail of ours, until well after its end.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct QueueRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) to: [u8; 32],
    #[n(1)]
    pub(crate) number: u64,
    #[n(2)]
    pub(crate) sequence: u64,
    #[n(3)]
    pub(crate) engine: String,
    #[n(4)]
    pub(crate) queued_ms: u64,
    #[n(5)]
    pub(crate) lifespan_ms: u64,
    #[n(6)]
    pub(crate) seals: u32,
    #[cbor(n(7), with = "minicbor::bytes")]
    pub(crate) envelope: Option<[u8; 32]>,
    #[n(8)]
    pub(crate) held: Vec<HeldRow>,
    /// 0 waiting, 1 delivered, 2 expired, 3 failed.
    #[n(9)]
    pub(crate) end: u8,
    #[n(10)]
    pub(crate) end_ms: u64,
    /// The recipient's signed receipt, once delivered.
    #[cbor(n(11), with = "minicbor::bytes")]
    pub(crate) receipt: Vec<u8>,
    #[n(12)]
    pub(crate) refusal: Option<RefusalRow>,
    /// The ids of earlier envelopes of it, 32 bytes each; fewer than `MAX_SEALS`, none after its end.
    #[cbor(n(13), with = "minicbor::bytes", default)]
    pub(crate) earlier: Vec<u8>,
}

/// Without a `Debug`: the payload is nobody's but the owner's.
#[derive(Clone, Encode, Decode)]
#[cbor(array)]
pub(crate) struct InboxRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) name: [u8; 32],
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) source: [u8; 32],
    #[n(2)]
    pub(crate) engine: String,
    #[n(3)]
    pub(crate) created_ms: u64,
    #[n(4)]
    pub(crate) arrived_ms: u64,
    #[n(5)]
    pub(crate) clock_unconfirmed: bool,
    #[cbor(n(6), with = "minicbor::bytes")]
    pub(crate) payload: Vec<u8>,
}

#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(array)]
pub(crate) struct WindowRow {
    #[n(0)]
    pub(crate) until_ms: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) window: Vec<u8>,
}

#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(array)]
pub(crate) struct CountsRow {
    /// Of the next mail sent.
    #[n(0)]
    pub(crate) next_sequence: u64,
    /// Of the newest mail in the inbox; 0 = none yet.
    #[n(1)]
    pub(crate) inbox_last: u64,
    /// Up to which the application has confirmed.
    #[n(2)]
    pub(crate) inbox_confirmed: u64,
    #[n(3)]
    pub(crate) inbox_count: u64,
    #[n(4)]
    pub(crate) inbox_bytes: u64,
    /// What expired up to here may have been forgotten and is refused for ever.
    #[n(5)]
    pub(crate) forgotten_ms: u64,
}

/// Reads a row. What does not decode was written by another version and reads as absent.
pub(crate) fn get<T: for<'b> Decode<'b, ()>>(
    store: &mut Staged<'_>,
    table: Table,
    key: &[u8],
) -> Option<T> {
    decode(&store.get(table, key)?)
}

/// Decodes the value of a row.
pub(crate) fn decode<T: for<'b> Decode<'b, ()>>(value: &[u8]) -> Option<T> {
    minicbor::decode(value).ok()
}

/// Writes a row.
pub(crate) fn put<T: Encode<()>>(store: &mut Staged<'_>, table: Table, key: &[u8], row: &T) {
    // Writing into a Vec cannot fail, and no row type has an encoder that does.
    let value = minicbor::to_vec(row).expect("rows encode into memory");
    store.put(table, key, value);
}

/// The counters of the mail.
pub(crate) fn counts(store: &mut Staged<'_>) -> CountsRow {
    get(store, COUNTS, ONLY).unwrap_or_default()
}

/// The 32 bytes at `at` in a key or value of one of the tables above.
pub(crate) fn part(bytes: &[u8], at: usize) -> Option<[u8; 32]> {
    bytes.get(at..at.checked_add(32)?)?.try_into().ok()
}

/// The number in the eight bytes at `at`.
pub(crate) fn number_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
    Some(u64::from_be_bytes(bytes))
}

/// Milliseconds of a duration.
pub(crate) fn millis(duration: core::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_printed() {
        let row = SealingRow {
            secret: [0xab; 32],
            created_ms: 1,
            replaced_ms: 0,
        };
        let text = format!("{row:?}");
        assert!(
            text.contains("created_ms") && !text.contains("171"),
            "{text}"
        );
    }
}
