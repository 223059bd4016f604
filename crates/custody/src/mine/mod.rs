//! The client's half: which core nodes one uses and what they have confirmed.
//!
//! Everything that a core node has not confirmed is a row, and is said again on the next link.

mod answers;
mod usage;
mod wishes;

pub use usage::{Short, Warning};

use std::collections::{BTreeMap, BTreeSet};

use core::fmt;
use core::time::Duration;
use identity::{NodeId, Secret, TopicId};
use machine::{Cx, Outbox, Time};

use crate::limits::{MAX_MY_CORES, MAX_MY_TOPICS};
use crate::outcome::{Agreed, Code};
use crate::row::{self, CoreRow, MY_CORES, MY_SERVES, MyServeRow};
use crate::serving::CorePeer;
use crate::usage::Usage;

/// What the client's half asks of the node. All of it is said again until it is confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MyCoresOutput {
    /// Keep a link with this core node.
    Keep {
        /// Which.
        core: NodeId,
        /// Where it is; empty: where its advert says.
        addresses: Vec<String>,
    },
    /// Keep it no longer.
    Release {
        /// Which.
        core: NodeId,
    },
    /// Claim to be a client there, on the present link.
    Claim {
        /// Where.
        core: NodeId,
        /// The invite's token and key; nothing when the operator allowed this node by its id.
        invite: Option<([u8; 16], Secret)>,
    },
    /// Ask it to serve a topic.
    Serve {
        /// Where.
        core: NodeId,
        /// What.
        wanted: Wanted,
    },
    /// Tell it that the topic need not be served any more.
    Unserve {
        /// Where.
        core: NodeId,
        /// Which.
        topic: TopicId,
    },
    /// Tell it which other core nodes hold the topic.
    Peers {
        /// Where.
        core: NodeId,
        /// Which topic.
        topic: TopicId,
        /// The other core nodes; this one is not among them.
        peers: Vec<CorePeer>,
    },
    /// Deposit a box there; `until_ms` 0 removes it.
    PutBox {
        /// Where.
        core: NodeId,
        /// Its name.
        loc: [u8; 32],
        /// Its bytes.
        sealed: Vec<u8>,
        /// Until when, in milliseconds since 1970.
        until_ms: u64,
    },
}

/// A topic to be served by one's core nodes.
#[derive(Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub topic: TopicId,
    /// Its genesis.
    pub genesis: Vec<u8>,
    /// The secret derived for core nodes.
    pub core_secret: [u8; 32],
    /// Bytes of the quota; 0 = what the core node gives.
    pub share: u64,
}

// Secrets stay out of logs.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted")
            .field("topic", &self.topic)
            .field("share", &self.share)
            .finish_non_exhaustive()
    }
}

/// How things stand with one core node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreStanding {
    /// It has not answered the claim yet.
    Asking,
    /// One is its client.
    Agreed,
    /// It refused.
    Refused,
    /// To be left once other core nodes hold everything.
    Leaving,
}

impl CoreStanding {
    const fn from_u8(number: u8) -> Self {
        match number {
            1 => Self::Agreed,
            2 => Self::Refused,
            3 => Self::Leaving,
            _ => Self::Asking,
        }
    }
}

/// How far a core node serves a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServedBy {
    /// Asked, not confirmed.
    Asked,
    /// Confirmed.
    Serving,
    /// Refused, with its words.
    Refused(String),
}

/// A core node that this node uses, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreState {
    /// Which.
    pub core: NodeId,
    /// Where it was said to be.
    pub addresses: Vec<String>,
    /// How things stand.
    pub standing: CoreStanding,
    /// Whether there is a link now.
    pub linked: bool,
    /// What it last said; zeros before its first answer.
    pub agreed: Agreed,
    /// When it last answered, in milliseconds since 1970 by this node's clock; 0 = never.
    pub heard_ms: u64,
    /// Its refusal, if it refused.
    pub refusal: Option<(Code, String)>,
    /// Since when it refuses for this reason, in milliseconds since 1970 by this node's clock.
    pub refused_ms: Option<u64>,
    /// That it did not give what it says it holds: when that was seen, in milliseconds since 1970 by this
    /// node's clock, and in words.
    pub broken: Option<(u64, String)>,
    /// Since when there is no link with it, in milliseconds since 1970 by this node's clock.
    pub gone_ms: Option<u64>,
    /// What it last said that is used, and when, in milliseconds since 1970 by this node's clock.
    pub usage: Option<(Usage, u64)>,
    /// The topics asked of it.
    pub topics: Vec<(TopicId, ServedBy)>,
}

pub(super) const ASKED: u8 = 0;
pub(super) const SERVING: u8 = 1;
pub(super) const REFUSED: u8 = 2;
pub(super) const LEFT: u8 = 3;

pub(super) const ASKING: u8 = 0;
pub(super) const AGREED: u8 = 1;
pub(super) const CORE_REFUSED: u8 = 2;
pub(super) const LEAVING: u8 = 3;

#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    pub(super) at: Option<Time>,
    pub(super) wait: Duration,
}

/// The client's half of custody.
#[derive(Debug, Default)]
pub struct MyCores {
    pub(super) linked: BTreeMap<NodeId, Retry>,
    /// How often linked core nodes have said what is used.
    reports: BTreeMap<NodeId, usage::Reports>,
    /// Core nodes that were asked for every topic in this life.
    pub(super) told: BTreeSet<NodeId>,
    /// Whether the clock may be acted on.
    pub(super) confirmed: bool,
}

impl MyCores {
    /// The client's half over what the store holds: asks for a link with every core node in use.
    #[must_use]
    pub fn open(cx: &mut Cx<'_>, out: &mut Outbox<MyCoresOutput>) -> Self {
        for (key, value) in cx.store.prefix(MY_CORES, &[], MAX_MY_CORES) {
            if let (Some(core), Some(row)) = (row::node_at(&key, 0), row::decode::<CoreRow>(&value))
            {
                out.push(MyCoresOutput::Keep {
                    core,
                    addresses: row.addresses,
                });
            }
        }
        Self::default()
    }

    /// Whether the clock may be acted on. Before it may, no box is over.
    pub const fn set_clock(&mut self, confirmed: bool) {
        self.confirmed = confirmed;
    }

    /// The core nodes in use, with what they said.
    #[must_use]
    pub fn list(&self, cx: &mut Cx<'_>) -> Vec<CoreState> {
        let rows = cx.store.prefix(MY_CORES, &[], MAX_MY_CORES);
        let mut cores = Vec::with_capacity(rows.len());
        for (key, value) in rows {
            let (Some(core), Some(row)) = (row::node_at(&key, 0), row::decode::<CoreRow>(&value))
            else {
                continue;
            };
            let topics = serves(cx, &core).into_iter().filter_map(|(topic, serve)| {
                let by = match serve.standing {
                    ASKED => ServedBy::Asked,
                    SERVING => ServedBy::Serving,
                    REFUSED => ServedBy::Refused(serve.text),
                    _ => return None,
                };
                Some((topic, by))
            });
            let refusal = (!row.text.is_empty()).then(|| (Code::from_u8(row.code), row.text));
            cores.push(CoreState {
                core,
                addresses: row.addresses,
                standing: CoreStanding::from_u8(row.standing),
                linked: self.linked.contains_key(&core),
                agreed: Agreed {
                    quota: row.quota,
                    used: row.used,
                    topics: row.topics,
                    max_topics: row.max_topics,
                    max_hold_ms: row.max_hold_ms,
                    retires_ms: row.retires_ms,
                },
                broken: row.broken,
                gone_ms: row.gone_ms,
                heard_ms: row.heard_ms,
                refusal,
                refused_ms: row.refused_ms,
                usage: self.usage(cx, &core),
                topics: topics.collect(),
            });
        }
        cores
    }

    /// Whether this node is a core node in use.
    #[must_use]
    pub fn uses(&self, cx: &mut Cx<'_>, node: &NodeId) -> bool {
        cx.store.has(MY_CORES, node.as_bytes())
    }

    /// The core nodes in use, those being left included.
    #[must_use]
    pub fn cores(&self, cx: &mut Cx<'_>) -> Vec<NodeId> {
        let rows = cx.store.prefix(MY_CORES, &[], MAX_MY_CORES);
        rows.iter()
            .filter_map(|(key, _)| row::node_at(key, 0))
            .collect()
    }

    /// The core nodes that are being left.
    #[must_use]
    pub fn leaving(&self, cx: &mut Cx<'_>) -> Vec<NodeId> {
        self.cores_in(cx, LEAVING)
    }

    /// A life begins, in which no core node has been reached yet.
    pub fn start(&mut self, cx: &mut Cx<'_>) {
        for core in self.cores(cx) {
            let row = core_row(cx, &core).filter(|row| row.gone_ms.is_none() && row.heard_ms > 0);
            if let Some(mut row) = row {
                row.gone_ms = Some(cx.wall.as_millis());
                row::put(&mut cx.store, MY_CORES, core.as_bytes(), &row);
            }
        }
    }

    /// The core nodes that confirmed that they serve a topic.
    #[must_use]
    pub fn serving(&self, cx: &mut Cx<'_>, topic: &TopicId) -> Vec<NodeId> {
        let mut cores = self.cores(cx);
        cores.retain(|core| {
            let key = row::pair(core.as_bytes(), topic.as_bytes());
            let serve: Option<MyServeRow> = row::get(&mut cx.store, MY_SERVES, &key);
            serve.is_some_and(|serve| serve.standing == SERVING)
        });
        cores
    }

    /// When [`MyCores::on_deadline`] is wanted.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.linked.values().filter_map(|retry| retry.at).min()
    }

    /// Claims again where a refusal gave a time.
    pub fn on_deadline(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<MyCoresOutput>) {
        for (core, retry) in &mut self.linked {
            if retry.at.is_some_and(|at| at <= cx.now) {
                retry.at = None;
                if let Some(row) = core_row(cx, core) {
                    out.push(claim(*core, &row));
                }
            }
        }
    }

    pub(super) fn cores_in(&self, cx: &mut Cx<'_>, standing: u8) -> Vec<NodeId> {
        let mut cores = self.cores(cx);
        cores.retain(|core| core_row(cx, core).is_some_and(|row| row.standing == standing));
        cores
    }

    pub(super) fn linked_in(&self, cx: &mut Cx<'_>, standing: u8) -> Vec<NodeId> {
        let mut cores = self.cores_in(cx, standing);
        cores.retain(|core| self.linked.contains_key(core));
        cores
    }
}

pub(super) fn core_row(cx: &mut Cx<'_>, core: &NodeId) -> Option<CoreRow> {
    row::get(&mut cx.store, MY_CORES, core.as_bytes())
}

pub(super) fn serves(cx: &mut Cx<'_>, core: &NodeId) -> Vec<(TopicId, MyServeRow)> {
    let rows = cx
        .store
        .prefix(MY_SERVES, core.as_bytes(), MAX_MY_TOPICS.saturating_mul(2));
    let serve =
        |(key, value): (Vec<u8>, Vec<u8>)| Some((row::topic_at(&key, 32)?, row::decode(&value)?));
    rows.into_iter().filter_map(serve).collect()
}

pub(super) fn ask(cx: &mut Cx<'_>, core: &NodeId, topic: &[u8; 32]) {
    let key = row::pair(core.as_bytes(), topic);
    let known: Option<MyServeRow> = row::get(&mut cx.store, MY_SERVES, &key);
    if known.is_none_or(|serve| serve.standing == LEFT) {
        row::put(&mut cx.store, MY_SERVES, &key, &MyServeRow::default());
    }
}

pub(super) fn claim(core: NodeId, row: &CoreRow) -> MyCoresOutput {
    MyCoresOutput::Claim {
        core,
        invite: row.token.zip(row.key.map(Secret::from_bytes)),
    }
}
