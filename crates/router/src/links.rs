//! What is known of each link.

use core::time::Duration;

use identity::{NodeId, Secret};
use machine::Time;
use wire::Frame;

use crate::event::LinkId;
use crate::limits::{PING_GROWTH, PING_LONGEST};

/// How far a link has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The peer's hello has not come.
    Greeting,
    /// The other engines use it.
    Open,
    /// Both hellos are exchanged, but another link with this node is the one in use.
    Spare,
    /// It was closed here; whatever comes is ignored.
    Closing,
}

/// Whether the peer may use more than a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Nothing is known; so many bytes have come.
    Stranger(u64),
    /// It takes up an invite; so many bytes have come.
    Claiming(u64),
    /// It reads a public topic, as anybody may.
    Reading,
    /// It is known, and stays so while the link lasts, unless it is said to be a stranger again.
    Known,
}

/// The peer's hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greeted {
    pub(crate) at: Time,
    pub(crate) wall_ms: u64,
    pub(crate) advert: u32,
    pub(crate) version: u16,
    pub(crate) software: String,
}

/// A link.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) node: NodeId,
    pub(crate) dialled: bool,
    pub(crate) exporter: Secret,
    pub(crate) address: String,
    /// The core node that has brought it about.
    pub(crate) by: Option<NodeId>,
    pub(crate) up: Time,
    pub(crate) up_wall_ms: u64,
    pub(crate) phase: Phase,
    pub(crate) trust: Trust,
    pub(crate) greeted: Option<Greeted>,
    /// When anything last came.
    pub(crate) heard: Time,
    /// When anything but ping and pong last came.
    pub(crate) used: Time,
    /// The ping that is not answered yet.
    pub(crate) ping: Option<(u64, Time)>,
    pub(crate) unanswered: u32,
    pub(crate) interval: Duration,
    pub(crate) round_trip: Option<Duration>,
    pub(crate) opened: bool,
    /// The peer closed it because it has another or refuses this node, or this node refused it.
    pub(crate) unwanted: bool,
    /// The peer asked for our advert while it was a stranger.
    pub(crate) asked: bool,
    /// The peer has found that this node is no stranger: it speaks of a topic, or is a client.
    pub(crate) shown: bool,
    /// The operator denied the peer, which was not known: it remains a stranger.
    pub(crate) denied: bool,
    /// Refusals that wait for their moment: see [`crate::limits::SORRY_EVERY`].
    pub(crate) sorry: Vec<Frame>,
}

impl Link {
    pub(crate) fn is_known(&self) -> bool {
        self.trust == Trust::Known
    }

    /// Whether it is given time and bytes as long as it lasts.
    pub(crate) fn is_let_in(&self) -> bool {
        matches!(self.trust, Trust::Reading | Trust::Known)
    }

    /// Whether the peer has been greeted and the link is not closing.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Spare)
    }

    /// The node whose dial made this link.
    pub(crate) fn dialler(&self, me: NodeId) -> NodeId {
        if self.dialled { me } else { self.node }
    }

    /// Silence after which it is asked whether it lives. Whoever accepted the link waits half as
    /// long again, and so hears the other's ping first: one of two ends asks.
    pub(crate) fn patience(&self) -> Duration {
        if self.dialled {
            self.interval
        } else {
            self.interval.saturating_add(self.interval / 2)
        }
    }

    /// It lives: it is asked ever more rarely.
    pub(crate) fn calm(&mut self) {
        self.interval = self.interval.saturating_mul(PING_GROWTH).min(PING_LONGEST);
    }
}

/// Of two links with one node, which stays.
pub(crate) fn stays(
    me: NodeId,
    old: (LinkId, &Link),
    new: (LinkId, &Link),
    simultaneous: bool,
) -> Stays {
    let (first, second) = (old.1.dialler(me), new.1.dialler(me));
    if !simultaneous {
        // Whoever dialled the new one had no living link at its end.
        return Stays::New;
    }
    if first != second {
        // Both dialled at once: both ends keep the one that the smaller id dialled. If that is the
        // old one it may also be dead, because the peer has started again.
        return if second < first {
            Stays::New
        } else {
            Stays::Both
        };
    }
    if first == me {
        // Two of our own dials: we decide.
        return Stays::Old;
    }
    // Two dials of the peer: it decides, both are kept until it has.
    Stays::Both
}

/// The outcome of [`stays`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stays {
    Old,
    New,
    Both,
}
