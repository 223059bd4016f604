//! The rows of this crate: one table for each kind, values in CBOR arrays.

use crate::limits::MAX_CORE_SECRETS;
use identity::{NodeId, TopicId};
use machine::{Staged, Table};
use minicbor::{Decode, Encode};

/// token → [`InviteRow`].
pub(crate) const INVITES: Table = Table::new(96, "custody_invites");
/// client → [`ClientRow`].
pub(crate) const CLIENTS: Table = Table::new(97, "custody_clients");
/// topic ‖ client → [`ServeRow`].
pub(crate) const SERVES: Table = Table::new(98, "custody_serves");
/// client ‖ topic → nothing: the other direction of [`SERVES`].
pub(crate) const CLIENT_TOPICS: Table = Table::new(99, "custody_client_topics");
/// topic → genesis bytes.
pub(crate) const GENESES: Table = Table::new(100, "custody_geneses");
/// topic ‖ client ‖ author → [`AuthorRow`].
pub(crate) const AUTHORS: Table = Table::new(101, "custody_authors");
/// step ‖ topic ‖ client ‖ author or zeros (the client's own) → [`PromiseRow`]. Step 0 are accounts
/// whose promises wait for a confirmed clock.
pub(crate) const PROMISES: Table = Table::new(102, "custody_promises");
/// client ‖ number of a mail → [`ReceiptRow`].
pub(crate) const MAIL_RECEIPTS: Table = Table::new(103, "custody_mail_receipts");
/// loc → [`BoxRow`].
pub(crate) const BOXES: Table = Table::new(104, "custody_boxes");
/// client ‖ loc → nothing.
pub(crate) const CLIENT_BOXES: Table = Table::new(105, "custody_client_boxes");
/// topic ‖ client → [`PeersRow`].
pub(crate) const CORE_PEERS: Table = Table::new(106, "custody_core_peers");
/// client ‖ number → [`MailRow`].
pub(crate) const MAILS: Table = Table::new(107, "custody_mails");
/// client ‖ envelope id → [`MailMark`]: held or done.
pub(crate) const MAIL_MARKS: Table = Table::new(108, "custody_mail_marks");
/// client ‖ source → bytes and count held for that source.
pub(crate) const MAIL_SOURCES: Table = Table::new(109, "custody_mail_sources");
/// until, or 0 while it waits for a confirmed clock ‖ client ‖ envelope id → nothing.
pub(crate) const MAIL_ENDS: Table = Table::new(110, "custody_mail_ends");
/// until, or 0 while it waits for a confirmed clock ‖ loc → nothing.
pub(crate) const BOX_ENDS: Table = Table::new(116, "custody_box_ends");
/// core → [`CoreRow`].
pub(crate) const MY_CORES: Table = Table::new(111, "custody_my_cores");
/// topic → [`WantedRow`].
pub(crate) const MY_TOPICS: Table = Table::new(112, "custody_my_topics");
/// core ‖ topic → [`MyServeRow`].
pub(crate) const MY_SERVES: Table = Table::new(113, "custody_my_serves");
/// loc → [`MyBoxRow`].
pub(crate) const MY_BOXES: Table = Table::new(114, "custody_my_boxes");
/// topic → [`PeersRow`].
pub(crate) const MY_PEERS: Table = Table::new(115, "custody_my_peers");

/// core → [`UsageRow`].
pub(crate) const MY_USAGE: Table = Table::new(117, "custody_my_usage");

/// All tables of custody.
pub const TABLES: [Table; 22] = [
    INVITES,
    CLIENTS,
    SERVES,
    CLIENT_TOPICS,
    GENESES,
    AUTHORS,
    PROMISES,
    MAIL_RECEIPTS,
    BOXES,
    CLIENT_BOXES,
    CORE_PEERS,
    MAILS,
    MAIL_MARKS,
    MAIL_SOURCES,
    MAIL_ENDS,
    BOX_ENDS,
    MY_CORES,
    MY_TOPICS,
    MY_SERVES,
    MY_BOXES,
    MY_PEERS,
    MY_USAGE,
];

/// An open invite of the operator.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct InviteRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) key: [u8; 32],
    #[n(1)]
    pub(crate) bytes: u64,
    #[n(2)]
    pub(crate) topics: u32,
    #[n(3)]
    pub(crate) links: u32,
    #[n(4)]
    pub(crate) uses_left: u32,
    #[n(5)]
    pub(crate) uses: u32,
    /// Milliseconds since 1970; 0 = until revoked.
    #[n(6)]
    pub(crate) until_ms: u64,
}

/// An account.
#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(array)]
pub(crate) struct ClientRow {
    #[n(0)]
    pub(crate) bytes: u64,
    #[n(1)]
    pub(crate) topics: u32,
    #[n(2)]
    pub(crate) links: u32,
    #[n(3)]
    pub(crate) since_ms: u64,
    #[n(4)]
    pub(crate) denied: bool,
    /// The token of the invite it came with, or nothing when it was allowed by its id.
    #[cbor(n(5), with = "minicbor::bytes")]
    pub(crate) token: Option<[u8; 16]>,
    /// Reserved bodies of its own deposits, boxes included.
    #[n(6)]
    pub(crate) own: u64,
    /// Reserved bodies of guests.
    #[n(7)]
    pub(crate) guests: u64,
    /// Reserved mail.
    #[n(8)]
    pub(crate) mail: u64,
    /// Headers and whatever else never expires.
    #[n(9)]
    pub(crate) headers: u64,
    /// Topics served, those left but still promised not counted.
    #[n(10)]
    pub(crate) topics_used: u32,
    #[n(11)]
    pub(crate) mails: u64,
    #[n(12)]
    pub(crate) next_mail: u64,
    #[n(13)]
    pub(crate) boxes: u32,
    /// How often a topic became held for it: names each time, see [`ServeRow::life`].
    #[n(14)]
    pub(crate) serves: u64,
}

/// One topic held on one client's account.
#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(array)]
pub(crate) struct ServeRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) secret: [u8; 32],
    #[n(1)]
    pub(crate) share: u64,
    #[n(2)]
    pub(crate) left: bool,
    #[n(3)]
    pub(crate) own: u64,
    #[n(4)]
    pub(crate) guests: u64,
    #[n(5)]
    pub(crate) headers: u64,
    #[n(6)]
    pub(crate) guest_headers: u64,
    /// Guest authors that are counted.
    #[n(7)]
    pub(crate) authors: u32,
    /// The latest time that anybody was promised, in milliseconds since 1970, rounded up to a step.
    #[n(8)]
    pub(crate) held_until: u64,
    /// Whether anything was promised on a clock that nobody had confirmed.
    #[n(9)]
    pub(crate) undated: bool,
    /// Tells this row from an earlier one of the same client and topic, whose reservations are void.
    #[n(10)]
    pub(crate) life: u64,
    /// The secrets before that one, 32 bytes each, the newest first.
    #[cbor(n(11), default, with = "minicbor::bytes")]
    pub(crate) older: Vec<u8>,
}

impl ServeRow {
    /// Takes another secret; the one before it stays known for a while.
    pub(crate) fn take_secret(&mut self, secret: [u8; 32], is_new: bool) {
        if !is_new && secret != self.secret {
            let before = self.older.as_chunks::<32>().0.iter();
            let before = before.filter(|one| **one != secret && **one != self.secret);
            let kept = core::iter::once(&self.secret).chain(before);
            self.older = kept.take(MAX_CORE_SECRETS - 1).flatten().copied().collect();
        }
        self.secret = secret;
    }

    /// The secret and those before it, the newest first.
    pub(crate) fn secrets(&self) -> Vec<[u8; 32]> {
        let older = self.older.as_chunks::<32>().0;
        core::iter::once(&self.secret)
            .chain(older)
            .copied()
            .collect()
    }
}

/// What one guest author uses of a share.
#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(array)]
pub(crate) struct AuthorRow {
    #[n(0)]
    pub(crate) bodies: u64,
    #[n(1)]
    pub(crate) headers: u64,
}

/// Bytes whose reservation ends with one step of time.
#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(array)]
pub(crate) struct PromiseRow {
    #[n(0)]
    pub(crate) bodies: u64,
    /// The [`ServeRow::life`] that they belong to.
    #[n(1)]
    pub(crate) life: u64,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct BoxRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) client: [u8; 32],
    #[n(1)]
    pub(crate) until_ms: u64,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) sealed: Vec<u8>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct PeerRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) node: [u8; 32],
    #[n(1)]
    pub(crate) address: String,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) ticket: Vec<u8>,
}

#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(array)]
pub(crate) struct PeersRow {
    #[n(0)]
    pub(crate) peers: Vec<PeerRow>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct MailRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) id: [u8; 32],
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) source: [u8; 32],
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) bytes: Vec<u8>,
}

#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(array)]
pub(crate) struct MailMark {
    #[n(0)]
    pub(crate) until_ms: u64,
    /// The number in the mailbox while it is held; nothing once it was handed over.
    #[n(1)]
    pub(crate) number: Option<u64>,
    /// Under which number the client's signed receipt is kept, once it was handed over; nothing when
    /// it was too long to be kept.
    #[n(2)]
    pub(crate) receipt: Option<u64>,
    /// When the envelope itself expires; 0 = never.
    #[n(3)]
    pub(crate) expires_ms: u64,
}

/// A client's receipt, kept once for all mails that it names.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct ReceiptRow {
    /// How many marks point here.
    #[n(0)]
    pub(crate) marks: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) bytes: Vec<u8>,
}

#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(array)]
pub(crate) struct SourceRow {
    #[n(0)]
    pub(crate) bytes: u64,
}

#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(array)]
pub(crate) struct CoreRow {
    #[n(0)]
    pub(crate) addresses: Vec<String>,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) token: Option<[u8; 16]>,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) key: Option<[u8; 32]>,
    /// 0 asking, 1 agreed, 2 refused, 3 leaving.
    #[n(3)]
    pub(crate) standing: u8,
    #[n(4)]
    pub(crate) quota: u64,
    #[n(5)]
    pub(crate) used: u64,
    #[n(6)]
    pub(crate) topics: u32,
    #[n(7)]
    pub(crate) max_topics: u32,
    #[n(8)]
    pub(crate) max_hold_ms: u64,
    #[n(9)]
    pub(crate) heard_ms: u64,
    #[n(10)]
    pub(crate) code: u8,
    #[n(11)]
    pub(crate) text: String,
    /// Since when it refuses for this reason, in milliseconds since 1970.
    #[n(12)]
    pub(crate) refused_ms: Option<u64>,
    /// When it ends, in milliseconds since 1970.
    #[n(13)]
    pub(crate) retires_ms: Option<u64>,
    /// That it did not give what it says it holds: when that was seen, and in words.
    #[n(14)]
    pub(crate) broken: Option<(u64, String)>,
    /// Its client wants to leave it, whether or not it ends.
    #[n(15)]
    pub(crate) unwanted: Option<bool>,
    /// When the link with it went, in milliseconds since 1970.
    #[n(16)]
    pub(crate) gone_ms: Option<u64>,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct WantedRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) genesis: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) secret: [u8; 32],
    #[n(2)]
    pub(crate) share: u64,
}

#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(array)]
pub(crate) struct MyServeRow {
    /// 0 asked, 1 serving, 2 refused, 3 to be left.
    #[n(0)]
    pub(crate) standing: u8,
    #[n(1)]
    pub(crate) text: String,
}

/// What a core node last said that is used there.
#[derive(Clone, Debug, Default, Encode, Decode)]
#[cbor(array)]
pub(crate) struct UsageRow {
    #[n(0)]
    pub(crate) quota: u64,
    #[n(1)]
    pub(crate) used: u64,
    #[n(2)]
    pub(crate) headers: u64,
    #[n(3)]
    pub(crate) header_quota: u64,
    #[n(4)]
    pub(crate) topics: Vec<ShareRow>,
    /// When it said so, in milliseconds since 1970 by this node's clock.
    #[n(5)]
    pub(crate) heard_ms: u64,
}

/// What one topic uses of its share.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct ShareRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) topic: [u8; 32],
    #[n(1)]
    pub(crate) share: u64,
    #[n(2)]
    pub(crate) own: u64,
    #[n(3)]
    pub(crate) guests: u64,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct MyBoxRow {
    #[n(0)]
    pub(crate) until_ms: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) sealed: Vec<u8>,
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

/// Two names beside one another.
pub(crate) fn pair(first: &[u8; 32], second: &[u8; 32]) -> [u8; 64] {
    let mut key = [0; 64];
    key[..32].copy_from_slice(first);
    key[32..].copy_from_slice(second);
    key
}

/// The 32 bytes at `at` in a key of one of the tables above.
pub(crate) fn part(key: &[u8], at: usize) -> Option<[u8; 32]> {
    key.get(at..at.checked_add(32)?)?.try_into().ok()
}

/// The node named at `at`.
pub(crate) fn node_at(key: &[u8], at: usize) -> Option<NodeId> {
    part(key, at).map(NodeId::from_bytes)
}

/// The topic named at `at`.
pub(crate) fn topic_at(key: &[u8], at: usize) -> Option<TopicId> {
    part(key, at).map(TopicId::from_bytes)
}

/// The number in the eight bytes at `at`.
pub(crate) fn number_at(key: &[u8], at: usize) -> Option<u64> {
    let bytes = key.get(at..at.checked_add(8)?)?.try_into().ok()?;
    Some(u64::from_be_bytes(bytes))
}
