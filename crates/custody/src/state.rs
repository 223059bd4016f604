//! The core node's half: its memory, its deadlines, and who does what.

use core::time::Duration;
use std::collections::BTreeMap;

use identity::{NodeId, TopicId};
use machine::{Cx, Outbox, Time};

use crate::boxes::Askers;
use crate::limits::{RETRY_FULL, SWEEP_EVERY};
use crate::mailbox::{HandOver, HeldMail};
use crate::outcome::{Code, Refusal};
use crate::row::{CLIENTS, INVITES};
use crate::settings::Settings;
use crate::usage::{Reports, Usage};

/// What a core node's half asks of the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these mails to the client, in this order; its receipts come back by
    /// [`Custody::mail_done`].
    HandOver {
        /// Whose mailbox it is.
        client: NodeId,
        /// The oldest that are held.
        mails: Vec<HeldMail>,
    },
    /// Tell the client what it uses of what was agreed.
    Usage {
        /// Whom.
        client: NodeId,
        /// What it uses.
        usage: Usage,
    },
    /// Promises have ended, so that there is room again for what was refused for want of it.
    Room,
    /// Nobody's client takes part in the topic any longer and every promise has ended: what is
    /// stored of it may go, in this same turn.
    Drained {
        /// The topic.
        topic: TopicId,
    },
}

/// The core node's half of custody. What it knows is in the store; in memory are only the links and
/// who asked how often.
#[derive(Debug)]
pub struct Custody {
    pub(crate) settings: Settings,
    pub(crate) confirmed: bool,
    /// When this core node ends, in milliseconds since 1970.
    retires: Option<u64>,
    pub(crate) free: Option<u64>,
    pub(crate) askers: Askers,
    /// Guests that are linked, by the client on whose account, and whether each only reads.
    pub(crate) guests: BTreeMap<NodeId, BTreeMap<NodeId, bool>>,
    pub(crate) hand_overs: BTreeMap<NodeId, HandOver>,
    pub(crate) reports: Reports,
    /// When what is over is looked for; never where nobody is served and nobody invited.
    sweep: Option<Time>,
}

impl Custody {
    /// The core node's half over whatever the store holds.
    #[must_use]
    pub fn open(settings: Settings) -> Self {
        Self {
            settings,
            confirmed: false,
            retires: None,
            free: None,
            askers: Askers::default(),
            guests: BTreeMap::new(),
            hand_overs: BTreeMap::new(),
            reports: Reports::default(),
            sweep: Some(Time::ZERO),
        }
    }

    /// The operator's settings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the clock may be acted on. Before it may, no promise ends and no invite is over.
    pub fn set_clock(&mut self, now: Time, confirmed: bool) {
        if confirmed && !self.confirmed {
            self.sweep = Some(now);
        }
        self.confirmed = confirmed;
    }

    /// Says when this core node ends (milliseconds since 1970), or that it does not. From now on it takes no new
    /// client and no new topic, and promises nothing beyond that time; what it promised before it keeps. From
    /// that time on it takes nothing.
    pub const fn set_retires(&mut self, at: Option<u64>) {
        self.retires = at;
    }

    /// When this core node ends, in milliseconds since 1970.
    #[must_use]
    pub const fn retires(&self) -> Option<u64> {
        self.retires
    }

    /// Refuses new clients and topics where this core node ends some day.
    pub(crate) fn check_stays(&self) -> Result<(), Refusal> {
        match self.retires {
            None => Ok(()),
            Some(_) => Err(Refusal::lasting(
                Code::Retiring,
                "this core node ends soon; it takes no new clients and topics",
            )),
        }
    }

    /// Refuses everything new where this core node has ended.
    pub(crate) fn check_goes_on(&self, cx: &Cx<'_>) -> Result<(), Refusal> {
        match self.retires {
            Some(at) if self.is_over(cx, at) => Err(Refusal::lasting(
                Code::Retiring,
                "this core node has ended; it takes nothing new",
            )),
            _ => Ok(()),
        }
    }

    /// How many bytes are free on the disk of the home. Below the floor new custody is refused.
    pub const fn set_disk(&mut self, free: u64) {
        self.free = Some(free);
    }

    /// When [`Custody::on_deadline`] is wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let hand_over = self
            .hand_overs
            .values()
            .filter_map(HandOver::deadline)
            .min();
        [hand_over, self.sweep, self.reports.deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// From now on somebody may be served here.
    pub(crate) fn sweep_soon(&mut self, cx: &Cx<'_>) {
        self.sweep.get_or_insert(cx.now.after(SWEEP_EVERY));
    }

    fn serves_nobody(cx: &mut Cx<'_>) -> bool {
        let mut none = |table| cx.store.prefix(table, &[], 1).is_empty();
        none(CLIENTS) && none(INVITES)
    }

    /// Ends what is over, in bounded steps, and hands over what waits.
    pub fn on_deadline(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) {
        if self.sweep.is_some_and(|at| at <= cx.now) {
            let more = self.confirmed
                && (self.end_promises(cx, out) | self.end_mails(cx) | self.end_boxes(cx));
            self.askers.forget(cx.now);
            self.sweep = if more {
                Some(cx.now)
            } else if Self::serves_nobody(cx) {
                None
            } else {
                Some(cx.now.after(SWEEP_EVERY))
            };
        }
        self.pump(cx, out);
        self.report(cx, out);
    }

    /// Refuses new custody while the disk is nearly full.
    pub(crate) fn check_disk(&self) -> Result<(), Refusal> {
        match self.free {
            Some(free) if free < self.settings.free_floor => Err(Refusal::for_now(
                Code::DiskFull,
                "the disk of this core node is nearly full; it takes nothing new",
                RETRY_FULL,
            )),
            _ => Ok(()),
        }
    }

    /// Whether a time of the wall clock has passed, as far as this node may say so.
    pub(crate) fn is_over(&self, cx: &Cx<'_>, until_ms: u64) -> bool {
        self.confirmed && until_ms != 0 && until_ms <= cx.wall.as_millis()
    }
}

/// Milliseconds of a duration.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
