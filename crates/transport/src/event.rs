//! What goes into a transport and what comes out of it.

use std::fmt;

use identity::NodeId;

use crate::limits::FRAME_COST;

/// Names a link within one life of one transport; never used twice there. The two ends of a link
/// name it differently.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(u64);

impl LinkId {
    /// The link with this number.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// Chosen by whoever dials; comes back with the link, or with the reason why there is none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DialToken(pub u64);

/// What the layer above asks of a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make a link with this node at this address. Answered by exactly one
    /// [`Event::Up`] with this token or [`Event::DialFailed`].
    Dial {
        /// Returned in the answer.
        token: DialToken,
        /// Who must answer there; anybody else is no link.
        node: NodeId,
        /// See [`Address`](crate::Address): `host:port`, `tls://host:port` or `udp://host:port`, where
        /// host is an IPv4 address, an IPv6 address in brackets, or a name.
        address: String,
    },
    /// Queue a frame. It costs [`frame_cost`], which the link's outbound credit must cover. Sent in
    /// the order of the commands. For a link that is not up: nothing.
    Send {
        /// The link.
        link: LinkId,
        /// 1 to [`MAX_FRAME`](crate::limits::MAX_FRAME) bytes.
        bytes: Vec<u8>,
    },
    /// Deliver what is queued (within [`CLOSE_LINGER`](crate::limits::CLOSE_LINGER)), then close.
    /// Answered by [`Event::Down`].
    Close {
        /// The link.
        link: LinkId,
        /// Told to the peer.
        code: u32,
        /// Told to the peer, cut to [`MAX_CLOSE_TEXT`](crate::limits::MAX_CLOSE_TEXT) bytes.
        text: String,
    },
    /// Allow so much more to be read from the link: usually the cost of a frame that has been
    /// dealt with. A frame is read while credit is above zero, so the last one may exceed it; what
    /// it exceeds is made up for by the next grants.
    Grant {
        /// The link.
        link: LinkId,
        /// In cost units, see [`frame_cost`].
        cost: u64,
    },
}

/// What a transport reports. For each link: one `Up`, then `Frame` and `Writable` in any order,
/// then one `Down`, then nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An authenticated link: the other end has proved that it holds the key of `node`, and has
    /// accepted ours. Both directions begin with
    /// [`INITIAL_CREDIT`](crate::limits::INITIAL_CREDIT).
    Up {
        /// The new link.
        link: LinkId,
        /// Who is at the other end.
        node: NodeId,
        /// The token of our dial, or `None` where the peer dialled us.
        dialled: Option<DialToken>,
        /// Equal at both ends of this link and known to nobody else (RFC 5705 and RFC 8446 7.5,
        /// label [`EXPORTER_LABEL`](crate::EXPORTER_LABEL), no context).
        exporter: [u8; 32],
        /// Where the peer is, as text: an IP address and a port, with `tls://` before them if the
        /// link runs over TLS and TCP.
        remote: String,
    },
    /// A frame, in the order in which the peer sent it.
    Frame {
        /// The link.
        link: LinkId,
        /// 1 to [`MAX_FRAME`](crate::limits::MAX_FRAME) bytes.
        bytes: Vec<u8>,
    },
    /// Credit that came back because frames have left the queue.
    Writable {
        /// The link.
        link: LinkId,
        /// In cost units, see [`frame_cost`].
        cost: u64,
    },
    /// The link is gone.
    Down {
        /// The link.
        link: LinkId,
        /// Why.
        reason: DownReason,
    },
    /// A dial came to nothing.
    DialFailed {
        /// From the command.
        token: DialToken,
        /// Why.
        reason: DialError,
    },
}

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DownReason {
    /// Our own [`Command::Close`].
    #[error("closed here with code {code}")]
    Closed {
        /// From the command.
        code: u32,
    },
    /// The peer closed it.
    #[error("closed by the peer with code {code}: {text}")]
    ClosedByPeer {
        /// The peer's code.
        code: u32,
        /// The peer's words, unverified.
        text: String,
    },
    /// Nothing came within the idle timeout: the peer or the network is gone.
    #[error("nothing heard from the peer within the idle timeout")]
    Silent,
    /// The peer announced a frame that is longer than allowed. Its fault.
    #[error("the peer announced a frame of {length} bytes, which is over the limit")]
    Oversized {
        /// What it announced.
        length: u32,
    },
    /// The peer sent what is no frame. Its fault.
    #[error("the peer broke the framing: {0}")]
    Malformed(&'static str),
    /// The layer above broke a rule of [`Command::Send`]: a bug of this program.
    #[error("a rule of the transport was broken here: {0}")]
    Misused(&'static str),
    /// The transport as a whole is being closed.
    #[error("this node is shutting down")]
    ShuttingDown,
    /// Anything else the layers below report.
    #[error("the connection was lost: {0}")]
    Lost(String),
}

/// Why a dial came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The text is no `host:port`.
    #[error("\"{0}\" is not an address of the form host:port")]
    BadAddress(String),
    /// The node id is no valid public key.
    #[error("the node id is not a valid Ed25519 public key")]
    BadNodeId,
    /// That is our own node id.
    #[error("that is this node itself")]
    Oneself,
    /// The name has no address, or could not be looked up.
    #[error("the name \"{host}\" could not be resolved: {why}")]
    Unresolved {
        /// The name.
        host: String,
        /// In the words of the system.
        why: String,
    },
    /// Somebody answered, but with another key.
    #[error("another node answers at this address: its key is not the one that was dialled")]
    WrongNode,
    /// Nobody answered in time.
    #[error("no answer at this address")]
    NoAnswer,
    /// The peer answered and refused, or does not speak this protocol.
    #[error("refused by the peer: {0}")]
    Refused(String),
    /// As many dials or links as allowed are in progress.
    #[error("too many dials or links at once")]
    Busy,
    /// The transport is being closed.
    #[error("this node is shutting down")]
    ShuttingDown,
    /// Anything else the layers below report.
    #[error("the connection failed: {0}")]
    Failed(String),
}

/// What a frame of so many bytes costs of a link's credit, in either direction.
#[must_use]
pub const fn frame_cost(bytes: usize) -> u64 {
    // usize is at most 64 bits wide on every platform Rust supports.
    (bytes as u64).saturating_add(FRAME_COST)
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
