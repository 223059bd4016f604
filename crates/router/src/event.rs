//! What goes into the router and what comes out of it.

use core::time::Duration;

use identity::{EnvelopeId, NodeId};
use wire::{Checked, Code, Frame, Malformed, Raw, Refused, SignedMailReceipt, Verified};

/// The node's number of a link, unique in a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// Why a peer is no stranger. Configured peers, neighbours and core nodes the router knows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It is known for nothing any more: a device that was removed. Its links are those of a stranger from now on.
    Stranger,
    /// It is in the middle of taking up an invite: known for [`crate::limits::CLAIM_TIME`].
    Claiming,
    /// It reads a public topic: it may be asked and answered about topics as long as it likes, and is a
    /// stranger in all else. Of too many the oldest are closed: [`crate::limits::MAX_READERS`].
    Reader,
    /// It has shown on this link that it takes part in a topic.
    Member,
    /// It is a client of this core node.
    Client,
    /// The operator denied it: its links are closed whatever else is known of it. Not to be said of a
    /// node for which something is still held: so that it can fetch that, it stays a
    /// [`Standing::Client`], of which nothing new is taken.
    Denied,
}

/// Why a node is dialled and kept, the weakest reason first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It was said to have a public topic, by somebody who need not be believed: it is dialled, and a
    /// stranger all the same, unless there is another reason.
    Way,
    /// It is a member of a topic of ours that a core node holds: a link with it would only be a
    /// shorter way, and is not worth much trouble while a core node is linked.
    Shortcut,
    /// Something is to be done there once, such as fetching an invite's box.
    Errand,
    /// Mail waits for it, or is to be handed to it.
    Mail,
    /// It is a member of a topic of ours.
    Member,
    /// It is another device of this node's person.
    Device,
    /// It holds a topic of ours for somebody else.
    TopicCore,
    /// It is a core node of ours; it may hand over mail of others.
    Core,
    /// The owner added it.
    Peer,
}

/// Everything that can change the router, beside its commands.
#[derive(Debug)]
pub enum Input {
    /// A link is up: the other end has proved its key.
    Up {
        /// The link.
        link: LinkId,
        /// Who is at the other end.
        node: NodeId,
        /// The token of our dial; nothing when the peer dialled.
        dialled: Option<u64>,
        /// Equal at both ends of this link and known to nobody else.
        exporter: [u8; 32],
        /// Where the peer is, for people.
        address: String,
    },
    /// A link is gone.
    Down {
        /// The link.
        link: LinkId,
        /// Why, for people.
        reason: String,
    },
    /// A dial came to nothing.
    DialFailed {
        /// Of [`Output::Dial`].
        token: u64,
        /// Why, for people.
        reason: String,
    },
    /// A frame came.
    Frame {
        /// The link.
        link: LinkId,
        /// What.
        frame: Frame,
        /// Its length on the link.
        len: usize,
    },
    /// Something came that is no frame.
    Garbage {
        /// The link.
        link: LinkId,
        /// Why it is none.
        why: Malformed,
    },
    /// The result of [`Output::Check`].
    Checked {
        /// The link that it came on.
        link: LinkId,
        /// The id of the envelope.
        id: EnvelopeId,
        /// The result.
        result: Result<Checked<Verified>, Refused>,
    },
    /// What the node has found out about a linked peer; lasts until its link ends.
    Standing {
        /// Who.
        node: NodeId,
        /// What.
        standing: Standing,
    },
    /// A node is to be dialled and kept, or its addresses have changed. Not for [`Why::Peer`] and
    /// [`Why::Mail`], which are the router's own.
    Keep {
        /// Which.
        node: NodeId,
        /// Why.
        why: Why,
        /// Where; empty: where its advert says.
        addresses: Vec<String>,
    },
    /// That reason no longer holds.
    Release {
        /// Which.
        node: NodeId,
        /// Why it was kept.
        why: Why,
    },
    /// Where this node can be reached has changed; a new advert follows.
    Listening {
        /// The present addresses, at most 8.
        addresses: Vec<crate::Address>,
    },
    /// The core nodes that this node is a client of, for its advert; at most 4.
    MyCores {
        /// Which and where.
        cores: Vec<(NodeId, String)>,
    },
}

/// What became of an echo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EchoResult {
    /// The answer came.
    RoundTrip(Duration),
    /// None came, for a reason in words.
    Failed(String),
}

/// Something that the owner should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Another node runs with this node's key: an advert of ours was met that we did not write.
    TwoNodesOneKey {
        /// Its version, above or beside ours.
        version: u32,
    },
    /// A node that is dialled speaks no version that is spoken here.
    Version {
        /// Which.
        node: NodeId,
        /// Why, for people.
        text: String,
    },
    /// The clock of this node and those of the peers that it knows disagree.
    Clock {
        /// By how much, in milliseconds: the median of the peers less ours.
        ahead_ms: i64,
    },
}

/// What the router asks of the node. Everything but [`Output::Advise`], [`Output::Dial`],
/// [`Output::Close`] and [`Output::Check`] rests on the store and must be released as held.
#[derive(Debug)]
pub enum Output {
    /// Send a frame.
    Send {
        /// The link.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// Send a frame that says nothing about this node's store: ping, pong, bye.
    Advise {
        /// The link.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// Close a link once what was sent has left. Answered by [`Input::Down`].
    Close {
        /// The link.
        link: LinkId,
        /// Why.
        code: Code,
        /// Why, for people.
        text: String,
    },
    /// Make a link. Answered by [`Input::Up`] with this token or [`Input::DialFailed`].
    Dial {
        /// Comes back.
        token: u64,
        /// Who must answer.
        node: NodeId,
        /// Where: as it was given, a URI or `node1…@host:port` or `host:port`.
        address: String,
    },
    /// A link is up and nothing is known about its peer: if it is a client, say so by
    /// [`Input::Standing`] in this same turn. From the next turn on it counts as a stranger, of which
    /// there may be too many.
    Met {
        /// The link.
        link: LinkId,
        /// Who.
        node: NodeId,
    },
    /// Both hellos are exchanged: the other engines may use the link. At most one link with a node
    /// is open at a time.
    Opened {
        /// The link.
        link: LinkId,
        /// Who is at the other end.
        node: NodeId,
        /// Whether we dialled.
        dialled: bool,
        /// Of [`Input::Up`].
        exporter: [u8; 32],
        /// Whether the peer is no stranger.
        known: bool,
    },
    /// The link is no longer open to the other engines. Follows each [`Output::Opened`].
    Closed {
        /// The link.
        link: LinkId,
        /// Who was at the other end.
        node: NodeId,
    },
    /// A frame for another engine, from an open link. Of a stranger too: its bytes are counted.
    Pass {
        /// The link.
        link: LinkId,
        /// Who sent it.
        node: NodeId,
        /// Whether the peer is no stranger.
        known: bool,
        /// What.
        frame: Frame,
    },
    /// A node that is to be kept was not found where it says that it is. If a core node is linked that
    /// may arrange a rendezvous, ask it; what it says goes to [`crate::Router::meet`].
    Meet {
        /// Which.
        node: NodeId,
    },
    /// Verify this envelope and answer by [`Input::Checked`].
    Check {
        /// The link that it came on.
        link: LinkId,
        /// The id of the envelope.
        id: EnvelopeId,
        /// The envelope.
        raw: Raw,
    },
    /// A known peer deposits mail of its own for another node. If that is a client, hold it and
    /// answer by [`crate::Router::mail_held`], [`crate::Router::forward_receipt`] or
    /// [`crate::Router::mail_refused`].
    Mailbox {
        /// The depositor, who is also the source.
        from: NodeId,
        /// For whom.
        to: NodeId,
        /// The envelope with its body, verified.
        mail: Checked<Verified>,
    },
    /// A client acknowledges mail that was not sent by this node: for the mailbox. What the mailbox
    /// gives back goes to [`crate::Router::forward_receipt`].
    Receipt {
        /// Who signed it and sent it.
        node: NodeId,
        /// The receipt, verified.
        receipt: Checked<SignedMailReceipt>,
    },
    /// Something new is in the inbox.
    Mail {
        /// Its number there.
        n: u64,
    },
    /// The state of a mail of ours has changed.
    MailState {
        /// Its name, as [`crate::Router::send`] gave it.
        id: EnvelopeId,
    },
    /// An echo has come to its end.
    Echo {
        /// Of [`crate::Router::echo`].
        token: u64,
        /// The result.
        result: EchoResult,
    },
    /// There is a new advert, of another node or of this one: name, addresses, core nodes or sealing
    /// key may have changed.
    Adverts {
        /// Whose.
        node: NodeId,
    },
    /// The advert of a node is needed, to write to it or to find it, and is not stored. If a topic
    /// told it, tell it again by [`crate::Router::advert_told`]; else there is nothing to do.
    AdvertWanted {
        /// Whose.
        node: NodeId,
    },
    /// Whether the clock may be acted on has changed.
    Clock {
        /// Whether it may.
        confirmed: bool,
    },
    /// Something that the owner should know; said once.
    Problem(Problem),
}
