//! What topics ask the node for: keys, and what it wants to hold.

use crate::event::LinkId;
use identity::{EnvelopeId, GrantId, NodeId, OperatorTag, PublicKey};
use machine::Cx;
use thiserror::Error;
use wire::plain::Message;
use wire::{Checked, Code, Envelope, Header, Item, Receipt, SignedReceipt, Verified};

/// The node's own short number of a topic. Never on the wire.
pub type Local = u32;

/// Why a sealed body cannot be read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The author's fault, and the same for every reader: it is shown as one gap.
    #[error("the body is not what its header says")]
    Malformed,
    /// This node has not got the key: it is shown as a gap.
    #[error("no key opens the body here")]
    NoKey,
}

/// Why a body cannot be sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SealError {
    /// This node may not write here, or has no key to seal with.
    #[error("no key to seal with")]
    NoKey,
    /// Sealed, the messages exceed an envelope.
    #[error("the messages are too large for one envelope")]
    TooLarge,
}

/// The keys of this node's part in its topics; the node implements it with `rights`.
pub trait Keys {
    /// Opens a content body. Must give exactly `header.count` messages, else `Malformed`.
    ///
    /// # Errors
    /// See [`OpenError`].
    fn open(
        &mut self,
        cx: &mut Cx<'_>,
        topic: Local,
        envelope: &Envelope,
        body: &[u8],
    ) -> Result<Vec<Message>, OpenError>;

    /// Seals the body of an envelope with this header, in which body length and hash are not yet
    /// set.
    ///
    /// # Errors
    /// See [`SealError`].
    fn seal(
        &mut self,
        cx: &mut Cx<'_>,
        topic: Local,
        header: &Header,
        messages: &[Message],
    ) -> Result<Vec<u8>, SealError>;

    /// Opens an item sealed to readers or members, if this node has the key: title, profile. Its
    /// kind is bound into the seal.
    fn open_item(
        &mut self,
        cx: &mut Cx<'_>,
        topic: Local,
        envelope: &Envelope,
        item: &Item,
    ) -> Option<Vec<u8>>;

    /// The author key with which this node writes in the topic now.
    fn author(&self, topic: Local) -> Option<PublicKey>;

    /// The grant under which the first envelope of the present author is to be written; nothing for
    /// the one that it claims, or else the topic's own.
    fn under(&self, topic: Local) -> Option<GrantId> {
        let _ = topic;
        None
    }

    /// The device key of this node in the topic; none for a custodian.
    fn device(&self, topic: Local) -> Option<PublicKey>;

    /// Signs an envelope as the current author ([`wire::sign_envelope`]).
    fn sign_envelope(
        &self,
        topic: Local,
        header: Header,
        body: Vec<u8>,
    ) -> Option<Checked<Verified>>;

    /// The key that signs this node's receipts about the topic: its current author for a member,
    /// its node key for a custodian.
    fn holder(&self, topic: Local) -> Option<PublicKey>;

    /// Signs a receipt of [`Keys::holder`] ([`wire::sign_receipt`]).
    fn sign_receipt(&self, topic: Local, receipt: Receipt) -> Option<Checked<SignedReceipt>>;
}

/// An envelope that a peer offers.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The link that it came on: on whose account it may be held.
    pub link: LinkId,
    /// Its id.
    pub id: EnvelopeId,
    /// Its header.
    pub header: &'a Header,
    /// Bytes of header and proof.
    pub header_bytes: usize,
    /// Bytes of the body that came with it.
    pub body_bytes: usize,
    /// Bytes that came on this link before and still wait for their past: they are charged when it
    /// comes, so they need room too.
    pub parked_bytes: usize,
    /// Something that was taken waits for its past, to which this may belong.
    pub needed: bool,
    /// This home's own device wrote it, now or in an earlier incarnation.
    pub own: bool,
}

/// What has just been stored, for the first time: an envelope, or a body that its header lacked.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// The link that it came on, if that is known: on whose account it is held. Nothing for this
    /// home's own envelopes.
    pub link: Option<LinkId>,
    /// The envelope's header.
    pub header: &'a Header,
    /// Bytes of header and proof; 0 when they were here before.
    pub header_bytes: usize,
    /// Bytes of the body that was stored.
    pub body_bytes: usize,
}

/// Why this node does not take something now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Refused is the body alone, for now or for good (the header is taken, so that what depends on
    /// it can be), or all.
    pub what: RefusedPart,
    /// Why.
    pub code: Code,
    /// Why, in a sentence for people; cut to what a frame takes.
    pub text: String,
    /// When it may be offered again, in milliseconds since 1970.
    pub retry_at: u64,
}

/// How much of an envelope is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedPart {
    /// The body; the header is admitted without it.
    Body,
    /// Header and body.
    All,
    /// The body for good, since its time is over: the header is admitted without it, and nobody is
    /// asked for it again.
    Expired,
    /// Header and body, because of their author: its chain is not taken until then, unless something
    /// waits for its past before.
    Unwanted,
    /// Header and body, because of who gave them: nothing is taken of that peer until then, and it is
    /// asked for nothing. Others may give the same.
    Giver,
}

/// The time that does not come.
pub const NEVER: u64 = u64::MAX;

/// How much may be given to a peer now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Envelopes and bodies, at least one.
    pub messages: usize,
    /// Bytes, at least one; one envelope may be longer.
    pub bytes: usize,
}

impl Allowance {
    /// No limit.
    pub const ALL: Self = Self {
        messages: usize::MAX,
        bytes: usize::MAX,
    };
}

/// What the node wants to hold; implemented with `custody`.
pub trait Policy {
    /// Whether there is room for an envelope that is new here. Reserves nothing: whether the topic's
    /// rules admit it is seen afterwards.
    ///
    /// # Errors
    /// [`Refusal`], with the time after which to ask again.
    fn room(&mut self, cx: &mut Cx<'_>, topic: Local, offer: Offer<'_>) -> Result<(), Refusal>;

    /// How much of envelopes and bodies may be given to a peer now. Hellos, cuts, wants, evidence and
    /// receipts go with them.
    ///
    /// # Errors
    /// The time (milliseconds since 1970) at which to ask again; [`NEVER`]: the peer is told nothing
    /// at all until [`crate::Topics::allowed_anew`].
    fn may_give(&mut self, cx: &mut Cx<'_>, link: LinkId) -> Result<Allowance, u64> {
        let _ = (cx, link);
        Ok(Allowance::ALL)
    }

    /// So many messages and bytes were given to a peer.
    fn gave(&mut self, cx: &mut Cx<'_>, link: LinkId, messages: usize, bytes: usize) {
        let _ = (cx, link, messages, bytes);
    }

    /// Something was stored, which this same turn commits. Told exactly once for each header and
    /// once for each body, whatever becomes of its author later.
    fn charge(&mut self, cx: &mut Cx<'_>, topic: Local, stored: Stored<'_>);

    /// Bytes of blocks that are to be held with an envelope beside its body.
    fn blocks_of(&self, topic: Local, header: &Header) -> usize {
        let _ = (topic, header);
        0
    }

    /// Whether a node is known to hold the topic for somebody: receipts of others are not counted.
    fn is_core(&self, topic: Local, node: &NodeId) -> bool;

    /// Until when (milliseconds since 1970) a custodian promises to hold what it holds now, or
    /// nothing when it promises nothing.
    fn hold_until(&mut self, cx: &mut Cx<'_>, topic: Local) -> Option<u64>;

    /// Whose core node this is, as its receipts say: core nodes of one operator count as one
    /// custodian. Nothing: it is an operator of its own.
    fn operator(&self) -> Option<OperatorTag> {
        None
    }
}

/// All that topics ask the node for.
pub trait Host: Keys + Policy {}

impl<T: Keys + Policy> Host for T {}
