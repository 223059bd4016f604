//! The node's own rows: which topics there are under which local numbers and names, and secrets.

use crate::limits::{MAX_GUESTS, MAX_INVITES, MAX_SHUNNED};
use identity::{GrantId, NodeId, PublicKey};
use machine::{Cx, Staged, Table};
use minicbor::{CborLen, Decode, Encode};
use std::collections::BTreeSet;

/// Small rows of the node; see the keys below.
pub const NODE: Table = Table::new(1, "node");
/// Secret rows, sealed under a key derived from the key file. Author keys stand under `a`.
pub const VAULT: Table = Table::new(2, "node.vault");

/// Adverts as members of topics told them: node ‖ local ‖ device → the advert, signed by that node.
pub const TOLD: Table = Table::new(3, "node.told");

/// Key of the number that the next topic gets.
pub(crate) const NEXT_LOCAL: &[u8] = b"next local";
/// Key of the time at which this core node ends.
pub(crate) const RETIRES: &[u8] = b"retires";
/// Key of the last message that this home sent.
pub(crate) const LAST_SENT: &[u8] = b"last sent";

/// First byte of the key of a vault row with what is held of one epoch of a topic, and of the row
/// of [`NODE`] with what is known of it: `e` ‖ local ‖ epoch id.
pub(crate) const EPOCH: u8 = b'e';
/// First byte of the key of a vault row with a device's sealing keys in a topic.
pub(crate) const SEALING: u8 = b's';
/// First byte of the keys of rows about an own epoch whose boxes are not all published: `b` ‖
/// local, the author that announced it; `b` ‖ local ‖ number u16, boxes that are to come.
pub(crate) const ANNOUNCING: u8 = b'b';
/// First byte of the keys of rows about bodies that are here and could not be opened: `k` ‖ local ‖
/// first half of the epoch's id ‖ slice ‖ envelope.
pub(crate) const LOCKED: u8 = b'k';
/// First byte of the keys of vault rows with sender keys of this device, of what it wrote and may
/// not read:
/// `w` ‖ local ‖ first half of the epoch's id ‖ slice ‖ encapsulated key.
pub(crate) const OWN: u8 = b'w';
/// First byte of the keys of rows that say where the box of an invite of this device lies: `i` ‖
/// local ‖ the invite's id → its locator.
const INVITED: u8 = b'i';
/// First byte of the keys of rows about guests: `y` ‖ local ‖ author key → when its claim was first seen,
/// u64 ‖ the claim, as an encoded item.
const GUEST: u8 = b'y';
/// First byte of the keys of rows that say on whose account the blocks of an envelope were charged: `q` ‖ local ‖
/// author ‖ number u64 → depositor ‖ sponsor.
pub(crate) const BORNE: u8 = b'q';
/// First byte of the keys of rows about what is to be given at a time that has not come yet.
pub(crate) const RELEASES: u8 = b'r';
/// First byte of the key of a vault row with an author's secret key: left out of backups.
pub const AUTHOR: u8 = b'a';

/// A topic of this home.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub(crate) struct TopicRow {
    /// Its id.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) id: [u8; 32],
    /// Its local name; empty on a core.
    #[n(1)]
    pub(crate) name: String,
    /// Whether this node holds it for others, without keys.
    #[n(2)]
    pub(crate) custodian: bool,
    /// Bytes of the grant under which this device writes.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(crate) grant: [u8; 32],
    /// The claim of a device that joined, as an encoded item.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub(crate) claim: Vec<u8>,
    /// The index of the device's next incarnation.
    #[n(5)]
    pub(crate) next_index: u32,
    /// Whether the current author's first envelope is published.
    #[n(6)]
    pub(crate) opened: bool,
    /// The envelope that carries the invite by which this device joined; zeros for the founder.
    #[cbor(n(7), with = "minicbor::bytes")]
    pub(crate) invite_at: [u8; 32],
    /// Name, addresses and cores as the others were last told, hashed.
    #[cbor(n(8), with = "minicbor::bytes")]
    pub(crate) told: [u8; 32],
    /// Whether this device has left.
    #[n(9)]
    pub(crate) left: bool,
    /// Nodes of the invite by which this device joined: `node1…@host:port`.
    #[n(10)]
    pub(crate) ways: Vec<String>,
    /// Whether others still have to hear what this device wrote before it left.
    #[cbor(n(12), default)]
    pub(crate) leaving: bool,
    /// The device that invited this one, as the box said; zeros for the founder.
    #[cbor(n(13), default, with = "minicbor::bytes")]
    pub(crate) inviter: [u8; 32],
    /// The locator of the invite by which this device joins, while it waits for a welcome; zeros
    /// otherwise.
    #[cbor(n(14), default, with = "minicbor::bytes")]
    pub(crate) waits: [u8; 32],
    /// What the device that invited this one called itself; empty for the founder.
    #[cbor(n(15), default)]
    pub(crate) inviter_name: String,
    /// Ids of grants under which the rules refuse what this device writes, one behind the other.
    #[cbor(n(16), default, with = "minicbor::bytes")]
    pub(crate) shunned: Vec<u8>,
    /// The genesis.
    #[cbor(n(11), with = "minicbor::bytes")]
    pub(crate) genesis: Vec<u8>,
}

impl TopicRow {
    /// The grants under which the rules refuse what this device writes.
    pub(crate) fn shunned(&self) -> BTreeSet<GrantId> {
        let (ids, _) = self.shunned.as_chunks();
        ids.iter().copied().map(GrantId::from_bytes).collect()
    }

    /// Notes the present grant as one of them; of too many the first goes.
    pub(crate) fn shun(&mut self) {
        if !self.shunned().contains(&GrantId::from_bytes(self.grant)) {
            let beyond = self
                .shunned
                .len()
                .saturating_sub(MAX_SHUNNED.saturating_sub(1).saturating_mul(32));
            self.shunned.drain(..beyond);
            self.shunned.extend(self.grant);
        }
    }

    /// Writes the row.
    pub(crate) fn write(&self, store: &mut Staged<'_>, local: u32) {
        store.put(NODE, topic_key(local), encode(self));
    }

    /// All rows.
    pub(crate) fn all(store: &mut Staged<'_>) -> Vec<(u32, Self)> {
        let mut rows = Vec::new();
        let mut from = topic_key(0);
        loop {
            let page = store.scan(NODE, &from, &topic_key_end(), 256);
            let Some((last, _)) = page.last() else {
                return rows;
            };
            from = [last.as_slice(), &[0]].concat();
            rows.extend(page.iter().filter_map(|(key, value)| {
                let local = u32::from_be_bytes(key.get(1..5)?.try_into().ok()?);
                Some((local, decode(value)?))
            }));
        }
    }
}

/// Takes a number for a new topic. Numbers are not used again.
pub(crate) fn take_local(cx: &mut Cx<'_>) -> u32 {
    let next = cx
        .store
        .get(NODE, NEXT_LOCAL)
        .and_then(|bytes| bytes.try_into().ok());
    let local = next.map_or(1, u32::from_be_bytes);
    cx.store
        .put(NODE, NEXT_LOCAL, local.saturating_add(1).to_be_bytes());
    local
}

/// Key of a topic's row.
pub(crate) fn topic_key(local: u32) -> Vec<u8> {
    [b"t".as_slice(), &local.to_be_bytes()].concat()
}

fn topic_key_end() -> Vec<u8> {
    b"u".to_vec()
}

/// Key of a vault row of a topic.
pub(crate) fn vault_key(kind: u8, local: u32) -> Vec<u8> {
    [&[kind], local.to_be_bytes().as_slice()].concat()
}

/// Key of a row of one epoch of a topic.
pub(crate) fn epoch_key(local: u32, epoch: &identity::EpochId) -> Vec<u8> {
    [&vault_key(EPOCH, local), epoch.as_bytes().as_slice()].concat()
}

/// Key of the row about an invite of this device.
pub(crate) fn invite_key(local: u32, grant: &GrantId) -> Vec<u8> {
    [&vault_key(INVITED, local), grant.as_bytes().as_slice()].concat()
}

/// The invites of this device in a topic, with the locators of their boxes.
pub(crate) fn invites(store: &mut Staged<'_>, local: u32) -> Vec<(GrantId, [u8; 32])> {
    let rows = store.prefix(NODE, &vault_key(INVITED, local), MAX_INVITES);
    let rows = rows.into_iter().filter_map(|(key, loc)| {
        let grant: [u8; 32] = key.get(5..)?.try_into().ok()?;
        Some((GrantId::from_bytes(grant), loc.try_into().ok()?))
    });
    rows.collect()
}

/// Key of the row about a guest.
pub(crate) fn guest_key(local: u32, author: &PublicKey) -> Vec<u8> {
    [&vault_key(GUEST, local), author.as_bytes().as_slice()].concat()
}

/// The guests of a topic that were noted, by author key.
pub(crate) fn guests(store: &mut Staged<'_>, local: u32) -> Vec<(PublicKey, Vec<u8>)> {
    said(store, GUEST, local, MAX_GUESTS)
}

/// What is known of an epoch of a topic. Nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub(crate) struct EpochRow {
    /// The item that announced it; empty for that of the genesis.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) item: Vec<u8>,
    /// The generation of the envelope that announced it.
    #[n(1)]
    pub(crate) generation: u64,
    /// Whether it may be written under.
    #[n(2)]
    pub(crate) clean: bool,
    /// When a newer one was first noted, milliseconds since 1970.
    #[n(3)]
    pub(crate) followed: Option<u64>,
    /// The first slice that was not given up.
    #[n(4)]
    pub(crate) kept_from: u8,
}

/// The bytes of a row.
pub(crate) fn encode<T: Encode<()> + CborLen<()>>(row: &T) -> Vec<u8> {
    // Writing to memory fails only when an encoder is asked for what CBOR cannot say.
    minicbor::to_vec(row).unwrap_or_default()
}

/// The row of these bytes, as far as this version can read it.
pub(crate) fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Option<T> {
    minicbor::decode(bytes).ok()
}

impl TopicRow {
    /// The row of a topic that is held for others.
    pub(crate) fn custodian(id: identity::TopicId, genesis: Vec<u8>) -> Self {
        Self {
            id: *id.as_bytes(),
            name: String::new(),
            custodian: true,
            grant: [0; 32],
            claim: Vec::new(),
            next_index: 0,
            opened: false,
            invite_at: [0; 32],
            told: [0; 32],
            left: false,
            leaving: false,
            ways: Vec::new(),
            inviter: [0; 32],
            waits: [0; 32],
            inviter_name: String::new(),
            shunned: Vec::new(),
            genesis,
        }
    }
}

/// First byte of the key of a row with the core nodes that a member listed: `c` ‖ local ‖ device.
pub(crate) const LISTED: u8 = b'c';
/// First byte of the key of a [`MemberRow`]: `p` ‖ local ‖ device.
pub(crate) const PROFILES: u8 = b'p';
/// First byte of the key of a row that says that a topic was dropped, and that what its members
/// said is still being removed: `g` ‖ local.
pub(crate) const GONE: u8 = b'g';

/// What a member said about itself. Its node's advert is with the router, and in [`TOLD`] for when
/// the router has had no room for it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub(crate) struct MemberRow {
    /// Its name.
    #[n(0)]
    pub(crate) name: String,
    /// The node that it is on.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) node: [u8; 32],
}

impl MemberRow {
    /// Its node.
    pub(crate) const fn node(&self) -> NodeId {
        NodeId::from_bytes(self.node)
    }
}

/// Key of the advert that a member told of its node.
pub(crate) fn told_key(node: &NodeId, local: u32, device: &PublicKey) -> Vec<u8> {
    let topic = local.to_be_bytes();
    [node.as_bytes(), topic.as_slice(), device.as_bytes()].concat()
}

/// Key of a topic that was dropped.
pub(crate) fn gone_key(local: u32) -> Vec<u8> {
    [&[GONE], local.to_be_bytes().as_slice()].concat()
}

/// The number of the first topic that was dropped and of which something is left.
pub(crate) fn first_gone(store: &mut Staged<'_>) -> Option<u32> {
    let (key, _) = store.prefix(NODE, &[GONE], 1).into_iter().next()?;
    Some(u32::from_be_bytes(key.get(1..5)?.try_into().ok()?))
}

/// Key of what a member said.
pub(crate) fn said_key(kind: u8, local: u32, device: &PublicKey) -> Vec<u8> {
    [&[kind], local.to_be_bytes().as_slice(), device.as_bytes()].concat()
}

/// Everything of this kind that members of a topic said, by device.
pub(crate) fn said(
    store: &mut Staged<'_>,
    kind: u8,
    local: u32,
    limit: usize,
) -> Vec<(PublicKey, Vec<u8>)> {
    let prefix = [&[kind], local.to_be_bytes().as_slice()].concat();
    store
        .prefix(NODE, &prefix, limit)
        .into_iter()
        .filter_map(|(key, value)| {
            let device: [u8; 32] = key.get(5..)?.try_into().ok()?;
            Some((PublicKey::from_bytes(device), value))
        })
        .collect()
}

/// What members of a topic said about themselves, by device.
pub(crate) fn members(
    store: &mut Staged<'_>,
    local: u32,
    limit: usize,
) -> Vec<(PublicKey, MemberRow)> {
    said(store, PROFILES, local, limit)
        .into_iter()
        .filter_map(|(device, row)| Some((device, decode(&row)?)))
        .collect()
}
