//! Frames about one topic, between two nodes that have shown it to one another.

use core::net::SocketAddr;

use identity::{EnvelopeId, EpochId, NodeId, PublicKey, TopicId, seal};

use crate::blocks::{Part, SlotRange};
use crate::cut::{CutEntry, Range};
use crate::difference::Difference;
use crate::envelope::{Raw, RawHeader};
use crate::epoch::SealedTo;
use crate::frame::Code;
use crate::header::Manifest;
use crate::item::Claim;
use crate::proposal::Proposal;
use crate::receipt::Slot;
use crate::signed::RawStatement;
use crate::topic_box::TopicBox;
use crate::welcome::Answer;

/// A frame about one topic, inside [`Frame::Topic`](crate::Frame::Topic).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TopicFrame {
    /// 0: what the sender holds, as four hashes.
    Hello {
        /// Of its cut.
        cut: [u8; 32],
        /// Of its evidence of forks.
        evidence: [u8; 32],
        /// Of its receipts.
        receipts: [u8; 32],
        /// Of its open invites' boxes.
        invites: [u8; 32],
    },
    /// 1: one page of a cut.
    Cut {
        /// Strictly ascending, at most 512.
        entries: Vec<CutEntry>,
        /// The first page.
        first: bool,
        /// The last page.
        last: bool,
    },
    /// 2: asks for envelopes.
    Want {
        /// At most 256.
        ranges: Vec<Range>,
        /// Control envelopes and headers alone.
        control_only: bool,
    },
    /// 3: envelopes, each after its past.
    Envelopes {
        /// At most 64, and 192 KiB unless it is one.
        envelopes: Vec<Raw>,
        /// The last that answers a want.
        last: bool,
    },
    /// 4: asks for bodies.
    BodyWant {
        /// At most 64.
        ids: Vec<EnvelopeId>,
    },
    /// 5: answers it; `None` is gone here.
    Bodies {
        /// At most 64.
        bodies: Vec<(EnvelopeId, Option<Vec<u8>>)>,
    },
    /// 6: signed receipts.
    Receipts {
        /// At most 16.
        receipts: Vec<RawStatement>,
    },
    /// 7: evidence of forks.
    Evidence {
        /// At most 16.
        pairs: Vec<(RawHeader, RawHeader)>,
    },
    /// 8: an invite's box, among members.
    Box(TopicBox),
    /// 9: asks for the genesis.
    GenesisAsk,
    /// 10: answers it.
    Genesis {
        /// At most 4 KiB.
        bytes: Vec<u8>,
    },
    /// 11: an envelope was not taken.
    Refused {
        /// Whose.
        author: PublicKey,
        /// Which; it and what follows it.
        number: u64,
        /// Why.
        code: Code,
        /// Why, for people.
        text: String,
        /// When to offer again, milliseconds since 1970; 0 is never.
        retry: u64,
    },
    /// 12: one page of a list of the receipts that the sender has.
    Slots {
        /// Strictly ascending, at most 512.
        slots: Vec<Slot>,
        /// The first page.
        first: bool,
        /// The last page.
        last: bool,
    },
    /// 13: signed receipts, each as what has changed since one that the other side has.
    Differences {
        /// At most 64.
        receipts: Vec<Difference>,
    },
    /// 14: asks for receipts as they were signed, where a difference was of no use.
    ReceiptAsk {
        /// Strictly ascending, at most 64; the counter is that of the difference.
        slots: Vec<Slot>,
    },
    /// 15: asks a member for the keys of epochs.
    KeysAsk {
        /// Strictly ascending, at most 8; with the slices, as bits from the lowest. None of them is
        /// asked for by who only writes.
        epochs: Vec<(EpochId, u32)>,
    },
    /// 16: keys of epochs, sealed to whoever asked.
    Keys {
        /// At most 4,096 bytes are sealed, the tag with them.
        keys: SealedTo,
    },
    /// 17: a claim of an attended invite, among those who keep its box.
    Claim(Claim),
    /// 18: the answer to one.
    Answer(Answer),
    /// 20: what several devices have to sign, with the signatures that it has.
    Proposal(Proposal),
    /// 21: asks which blocks of a manifest the receiver has, now and whenever it has more.
    BlocksAsk {
        /// The manifest.
        manifest: Manifest,
    },
    /// 22: answers it. What is named is here; of what is not named nothing is said.
    BlocksHere {
        /// The manifest.
        manifest: Manifest,
        /// Ascending and not touching, at most 512.
        slots: Vec<SlotRange>,
    },
    /// 23: asks for parts of a manifest.
    BlockWant {
        /// The manifest.
        manifest: Manifest,
        /// At most 64; answered in this order, by a frame each.
        parts: Vec<Part>,
    },
    /// 24: a part of a manifest, as it was asked for.
    Blocks {
        /// The manifest.
        manifest: Manifest,
        /// Which part.
        part: Part,
        /// It; empty when it is not here.
        bytes: Vec<u8>,
    },
    /// 25: asks a core node for a rendezvous with another node, or agrees to one.
    Meet {
        /// With whom, as [`meeting_hash`]: a core node that does not know the node learns nothing of it.
        with: [u8; 32],
    },
    /// 26: a core node says where a node is that wants a rendezvous.
    Met {
        /// Who.
        node: NodeId,
        /// From where the core node's link with it comes.
        address: SocketAddr,
    },
}

/// How a node is named to a core node that arranges a rendezvous with it in a topic:
/// kdf("meet", topic id ‖ node id).
pub fn meeting_hash(topic: TopicId, node: NodeId) -> [u8; 32] {
    seal::kdf("meet", &[topic.as_bytes(), node.as_bytes()])
}
