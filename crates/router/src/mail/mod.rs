//! Unicast: a queue of what was sent, an inbox of what came.
//!
//! A mail is named by its source, destination and number, which stay the same when it must be
//! sealed anew because the recipient's key has turned; the id of the envelope does not.

mod body;
mod custody;
mod held;
mod inbox;
mod lanes;
mod live;
mod queue;
mod receive;
mod sealing;
mod state;
mod ways;

use std::collections::{BTreeMap, BTreeSet};

use identity::{EnvelopeId, NodeId, seal};
use machine::planted::{Bug, is};
use machine::{Cx, Time};
use wire::Header;

use crate::event::LinkId;
use crate::limits::MAX_NUMBERINGS;
use crate::row::{COUNTS, number_at};

pub use custody::MailRefusal;
pub use inbox::InboxMail;
pub use queue::{Class, MailError, Send};
pub use state::{MailHeld, MailState};

pub(crate) use lanes::{Destination, Lane};
pub(crate) use live::{BestEffort, Echoes};

/// The name of the HPKE context of unicast.
pub(crate) const SEAL_NAME: &str = "unicast";
/// The engine that answers with what it was sent.
pub(crate) const ECHO: &str = "echo";

/// The memory of unicast. What it knows is in the store; this is what is on its way.
#[derive(Debug, Default)]
pub(crate) struct Mail {
    /// Nodes for which mails wait.
    pub(crate) destinations: BTreeMap<NodeId, Destination>,
    /// Mails on their way: for the first, over the link with the second.
    pub(crate) lanes: BTreeMap<(NodeId, NodeId), Lane>,
    /// What was delivered and not yet acknowledged, by the link that it came on.
    pub(crate) receipts: BTreeMap<LinkId, BTreeSet<EnvelopeId>>,
    /// Best-effort mails that wait for a link.
    pub(crate) best_effort: Vec<BestEffort>,
    pub(crate) echoes: Echoes,
    numberings: BTreeMap<NodeId, Numbering>,
}

/// 40 random bits, and the next counter.
#[derive(Clone, Copy, Debug)]
struct Numbering {
    start: u64,
    counter: u32,
}

/// Counters are below this.
const COUNTERS: u32 = 1 << 24;

impl Mail {
    /// The number of the next mail for a node: 40 bits drawn at every start and for every
    /// destination, and a counter. Nothing is stored, so nothing can be set back.
    pub(crate) fn number(&mut self, cx: &mut Cx<'_>, to: NodeId) -> u64 {
        if is(Bug::NumberReused) {
            let stored = cx.store.get(COUNTS, to.as_bytes());
            let number = stored.and_then(|row| number_at(&row, 0)).unwrap_or(0);
            let next = number.saturating_add(1).to_be_bytes();
            cx.store.put(COUNTS, to.to_bytes(), next);
            return number;
        }
        if self.numberings.len() >= MAX_NUMBERINGS && !self.numberings.contains_key(&to) {
            self.numberings.clear();
        }
        let known = self
            .numberings
            .get(&to)
            .filter(|numbering| numbering.counter < COUNTERS);
        let Numbering { start, counter } = match known {
            Some(known) => *known,
            None => Numbering {
                start: cx.rng.next_u64() >> 24,
                counter: 0,
            },
        };
        self.numberings.insert(
            to,
            Numbering {
                start,
                counter: counter.saturating_add(1),
            },
        );
        (start << 24) | u64::from(counter)
    }

    pub(crate) fn check_invariants(&self) {
        for (to, _) in self.lanes.keys() {
            assert!(self.destinations.contains_key(to), "a lane without mail");
        }
    }
}

/// A number taken apart: numbering and counter.
pub(crate) const fn parts(number: u64) -> (u64, u32) {
    // The counter is the lower 24 bits.
    (number >> 24, (number & (COUNTERS as u64 - 1)) as u32)
}

/// The name of a mail.
pub(crate) fn name(source: &NodeId, to: &NodeId, number: u64) -> EnvelopeId {
    let number = number.to_be_bytes();
    EnvelopeId::from_bytes(seal::kdf(
        "mail",
        &[source.as_bytes(), to.as_bytes(), &number],
    ))
}

/// What a body is bound to beside its key: who to whom, and the header without length and hash of
/// the body.
pub(crate) fn associated(header: &Header) -> Vec<u8> {
    header.encode_without_body()
}

/// The earlier of two times, either of which may be none.
pub(crate) fn earlier(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}
