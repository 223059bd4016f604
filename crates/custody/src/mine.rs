//! The client's half: which core nodes one uses and what they have confirmed.
//!
//! Everything that a core node has not confirmed is a row, and is said again on the next link.

use std::collections::{BTreeMap, BTreeSet};

use core::time::Duration;
use identity::{NodeId, TopicId};
use machine::{Cx, Outbox, Time};

use crate::limits::{
    BOX_LEN, MAX_ADDRESS, MAX_CORE_PEERS, MAX_GENESIS, MAX_MY_BOXES, MAX_MY_CORES, MAX_MY_TOPICS,
    RETRY_FIRST, RETRY_MAX,
};
use crate::outcome::{Agreed, Code, Refusal};
use crate::row::{
    self, CoreRow, MY_BOXES, MY_CORES, MY_PEERS, MY_SERVES, MY_TOPICS, MyBoxRow, MyServeRow,
    PeersRow, WantedRow,
};
use crate::serving::{CorePeer, peers_of, peers_row};

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
        invite: Option<([u8; 16], [u8; 32])>,
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
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The topics asked of it.
    pub topics: Vec<(TopicId, ServedBy)>,
}

const ASKED: u8 = 0;
const SERVING: u8 = 1;
const REFUSED: u8 = 2;
const LEFT: u8 = 3;

const ASKING: u8 = 0;
const AGREED: u8 = 1;
const CORE_REFUSED: u8 = 2;
const LEAVING: u8 = 3;

#[derive(Clone, Copy, Debug)]
struct Retry {
    at: Option<Time>,
    wait: Duration,
}

/// The client's half of custody.
#[derive(Debug, Default)]
pub struct MyCores {
    linked: BTreeMap<NodeId, Retry>,
    /// Core nodes that were asked for every topic in this life.
    told: BTreeSet<NodeId>,
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

    /// Uses a core node from now on: with an operator's invite, or by one's id when the operator
    /// allowed it. Using it again adds the invite and the addresses.
    ///
    /// # Errors
    /// Too many core nodes, or an address that is too long.
    pub fn use_core(
        &mut self,
        cx: &mut Cx<'_>,
        core: NodeId,
        addresses: Vec<String>,
        invite: Option<([u8; 16], [u8; 32])>,
        out: &mut Outbox<MyCoresOutput>,
    ) -> Result<(), Refusal> {
        if addresses.iter().any(|address| address.len() > MAX_ADDRESS) {
            return Err(Refusal::lasting(
                Code::Unacceptable,
                "an address is too long",
            ));
        }
        let known = core_row(cx, &core);
        if known.is_none() && cx.store.prefix(MY_CORES, &[], MAX_MY_CORES).len() >= MAX_MY_CORES {
            return Err(Refusal::lasting(
                Code::TooMany,
                format!("{MAX_MY_CORES} core nodes are in use; leave one first"),
            ));
        }
        let mut row = known.unwrap_or_default();
        if !addresses.is_empty() {
            row.addresses = addresses;
        }
        if let Some((token, key)) = invite {
            row.token = Some(token);
            row.key = Some(key);
        }
        if row.standing != AGREED {
            row.standing = ASKING;
        }
        for (key, _) in cx.store.prefix(MY_TOPICS, &[], MAX_MY_TOPICS) {
            if let Some(topic) = row::part(&key, 0) {
                ask(cx, &core, &topic);
            }
        }
        out.push(MyCoresOutput::Keep {
            core,
            addresses: row.addresses.clone(),
        });
        if let Some(retry) = self.linked.get_mut(&core) {
            *retry = Retry {
                at: None,
                wait: RETRY_FIRST,
            };
            out.push(claim(core, &row));
        }
        row::put(&mut cx.store, MY_CORES, core.as_bytes(), &row);
        Ok(())
    }

    /// Begins to leave a core node. While a topic is served by it alone, it goes on serving:
    /// [`MyCores::to_hand_over`] lists what others must hold first, [`MyCores::handed_over`] says
    /// that they do. With `at_once` nothing is waited for: a core node that is not linked now is not
    /// told, and keeps to what was agreed until its operator looks.
    ///
    /// # Errors
    /// It is not in use.
    pub fn leave(
        &mut self,
        cx: &mut Cx<'_>,
        core: NodeId,
        at_once: bool,
        out: &mut Outbox<MyCoresOutput>,
    ) -> Result<(), Refusal> {
        let Some(mut row) = core_row(cx, &core) else {
            return Err(Refusal::lasting(
                Code::NotClient,
                "this core node is not in use",
            ));
        };
        row.standing = LEAVING;
        row::put(&mut cx.store, MY_CORES, core.as_bytes(), &row);
        for (topic, serve) in serves(cx, &core) {
            if at_once || serve.standing != SERVING {
                self.stop(cx, core, topic, out);
            }
            if at_once {
                cx.store
                    .delete(MY_SERVES, row::pair(core.as_bytes(), topic.as_bytes()));
            }
        }
        self.finish_leaving(cx, core, out);
        Ok(())
    }

    /// What a core node that is being left still serves: each of these topics must be verified, by
    /// cut, to be held elsewhere.
    #[must_use]
    pub fn to_hand_over(&self, cx: &mut Cx<'_>) -> Vec<(NodeId, TopicId)> {
        let mut pending = Vec::new();
        for core in self.cores_in(cx, LEAVING) {
            let serving = serves(cx, &core);
            let serving = serving
                .into_iter()
                .filter(|(_, serve)| serve.standing == SERVING);
            pending.extend(serving.map(|(topic, _)| (core, topic)));
        }
        pending
    }

    /// A topic of a core node that is being left is held elsewhere.
    pub fn handed_over(
        &mut self,
        cx: &mut Cx<'_>,
        core: NodeId,
        topic: TopicId,
        out: &mut Outbox<MyCoresOutput>,
    ) {
        if core_row(cx, &core).is_some_and(|row| row.standing == LEAVING) {
            self.stop(cx, core, topic, out);
            self.finish_leaving(cx, core, out);
        }
    }

    /// Asks every core node in use to serve a topic, now and whenever one is added.
    ///
    /// # Errors
    /// Too many topics, or a genesis that is too long.
    pub fn want(
        &mut self,
        cx: &mut Cx<'_>,
        wanted: &Wanted,
        out: &mut Outbox<MyCoresOutput>,
    ) -> Result<(), Refusal> {
        let known = cx.store.has(MY_TOPICS, wanted.topic.as_bytes());
        if wanted.genesis.len() > MAX_GENESIS {
            return Err(Refusal::lasting(
                Code::Unacceptable,
                "the genesis is too long",
            ));
        }
        if !known && cx.store.prefix(MY_TOPICS, &[], MAX_MY_TOPICS).len() >= MAX_MY_TOPICS {
            return Err(Refusal::lasting(
                Code::TooMany,
                format!("{MAX_MY_TOPICS} topics are served already"),
            ));
        }
        let row = WantedRow {
            genesis: wanted.genesis.clone(),
            secret: wanted.core_secret,
            share: wanted.share,
        };
        row::put(&mut cx.store, MY_TOPICS, wanted.topic.as_bytes(), &row);
        for core in self.cores(cx) {
            if core_row(cx, &core).is_some_and(|row| row.standing == LEAVING) {
                continue;
            }
            ask(cx, &core, wanted.topic.as_bytes());
            self.tell_topic(cx, core, wanted.topic, out);
        }
        Ok(())
    }

    /// Tells every core node that a topic need not be served any more.
    pub fn unwant(&mut self, cx: &mut Cx<'_>, topic: TopicId, out: &mut Outbox<MyCoresOutput>) {
        cx.store.delete(MY_TOPICS, *topic.as_bytes());
        cx.store.delete(MY_PEERS, *topic.as_bytes());
        for core in self.cores(cx) {
            self.stop(cx, core, topic, out);
        }
    }

    /// Says which core nodes hold a topic, with a ticket for each; replaces what was said before.
    /// Tickets end: to be called again before they do.
    pub fn set_peers(
        &mut self,
        cx: &mut Cx<'_>,
        topic: TopicId,
        peers: &[CorePeer],
        out: &mut Outbox<MyCoresOutput>,
    ) {
        let peers = peers.get(..MAX_CORE_PEERS).unwrap_or(peers);
        row::put(&mut cx.store, MY_PEERS, topic.as_bytes(), &peers_row(peers));
        for core in self.serving(cx, &topic) {
            self.tell_peers(cx, core, topic, out);
        }
    }

    /// Deposits a box with every core node in use, until its time or until it is withdrawn.
    ///
    /// # Errors
    /// Too many boxes, or not the length of a box.
    pub fn deposit_box(
        &mut self,
        cx: &mut Cx<'_>,
        loc: [u8; 32],
        sealed: &[u8],
        until_ms: u64,
        out: &mut Outbox<MyCoresOutput>,
    ) -> Result<(), Refusal> {
        if sealed.len() != BOX_LEN {
            return Err(Refusal::lasting(
                Code::Unacceptable,
                format!("a box has {BOX_LEN} bytes, not {}", sealed.len()),
            ));
        }
        let known = cx.store.has(MY_BOXES, &loc);
        if !known && cx.store.prefix(MY_BOXES, &[], MAX_MY_BOXES).len() >= MAX_MY_BOXES {
            return Err(Refusal::lasting(
                Code::TooMany,
                format!("{MAX_MY_BOXES} invites are deposited; revoke one first"),
            ));
        }
        let row = MyBoxRow {
            until_ms,
            sealed: sealed.to_vec(),
        };
        row::put(&mut cx.store, MY_BOXES, &loc, &row);
        for core in self.linked_in(cx, AGREED) {
            out.push(MyCoresOutput::PutBox {
                core,
                loc,
                sealed: sealed.to_vec(),
                until_ms,
            });
        }
        Ok(())
    }

    /// Withdraws a box. Core nodes that are not linked now keep it until its time.
    pub fn withdraw_box(
        &mut self,
        cx: &mut Cx<'_>,
        loc: [u8; 32],
        out: &mut Outbox<MyCoresOutput>,
    ) {
        cx.store.delete(MY_BOXES, loc);
        for core in self.linked_in(cx, AGREED) {
            out.push(MyCoresOutput::PutBox {
                core,
                loc,
                sealed: vec![0; BOX_LEN],
                until_ms: 0,
            });
        }
    }

    /// There is a link with this node; if it is a core node in use, the claim is made.
    pub fn up(&mut self, cx: &mut Cx<'_>, node: NodeId, out: &mut Outbox<MyCoresOutput>) {
        if let Some(row) = core_row(cx, &node) {
            self.linked.insert(
                node,
                Retry {
                    at: None,
                    wait: RETRY_FIRST,
                },
            );
            out.push(claim(node, &row));
        }
    }

    /// The link with this node is gone.
    pub fn down(&mut self, node: &NodeId) {
        self.linked.remove(node);
    }

    /// A core node agreed: it is told everything that it has not confirmed.
    pub fn agreed(
        &mut self,
        cx: &mut Cx<'_>,
        core: NodeId,
        agreed: &Agreed,
        out: &mut Outbox<MyCoresOutput>,
    ) {
        let Some(mut row) = core_row(cx, &core) else {
            return;
        };
        if row.standing != LEAVING {
            row.standing = AGREED;
        }
        row.quota = agreed.quota;
        row.used = agreed.used;
        row.topics = agreed.topics;
        row.max_topics = agreed.max_topics;
        row.max_hold_ms = agreed.max_hold_ms;
        row.heard_ms = cx.wall.as_millis();
        row.code = 0;
        row.text.clear();
        row::put(&mut cx.store, MY_CORES, core.as_bytes(), &row);
        let leaving = row.standing == LEAVING;
        // A core node that reserves nothing may have lost its home.
        let all = self.told.insert(core) || agreed.used == 0;
        for (topic, serve) in serves(cx, &core) {
            match serve.standing {
                LEFT => {
                    // Said on a link that may break at once: see `stop`.
                    cx.store
                        .delete(MY_SERVES, row::pair(core.as_bytes(), topic.as_bytes()));
                    out.push(MyCoresOutput::Unserve { core, topic });
                }
                SERVING if !all => {}
                _ if leaving => {}
                _ => self.tell_topic(cx, core, topic, out),
            }
        }
        if leaving {
            self.finish_leaving(cx, core, out);
            return;
        }
        for (key, value) in cx.store.prefix(MY_BOXES, &[], MAX_MY_BOXES) {
            let (Some(loc), Some(MyBoxRow { until_ms, sealed })) =
                (row::part(&key, 0), row::decode(&value))
            else {
                continue;
            };
            out.push(MyCoresOutput::PutBox {
                core,
                loc,
                sealed,
                until_ms,
            });
        }
    }

    /// A core node refused the claim.
    pub fn refused(&mut self, cx: &mut Cx<'_>, core: NodeId, refusal: &Refusal) {
        let Some(mut row) = core_row(cx, &core) else {
            return;
        };
        if row.standing != LEAVING {
            row.standing = CORE_REFUSED;
        }
        row.code = refusal.code.as_u8();
        row.text.clone_from(&refusal.text);
        row.heard_ms = cx.wall.as_millis();
        row::put(&mut cx.store, MY_CORES, core.as_bytes(), &row);
        if let Some(retry) = self.linked.get_mut(&core) {
            retry.at = refusal.retry.map(|wait| cx.now.after(wait.max(retry.wait)));
            retry.wait = retry.wait.saturating_mul(2).min(RETRY_MAX);
        }
    }

    /// A core node confirmed that it serves a topic.
    pub fn serving_now(
        &mut self,
        cx: &mut Cx<'_>,
        core: NodeId,
        topic: TopicId,
        out: &mut Outbox<MyCoresOutput>,
    ) {
        let key = row::pair(core.as_bytes(), topic.as_bytes());
        let Some(mut serve) = row::get::<MyServeRow>(&mut cx.store, MY_SERVES, &key) else {
            return;
        };
        if serve.standing == LEFT {
            return;
        }
        serve.standing = SERVING;
        serve.text.clear();
        row::put(&mut cx.store, MY_SERVES, &key, &serve);
        self.tell_peers(cx, core, topic, out);
    }

    /// A core node refused to serve a topic; it is asked again on the next link.
    pub fn not_serving(
        &mut self,
        cx: &mut Cx<'_>,
        core: NodeId,
        topic: TopicId,
        refusal: &Refusal,
    ) {
        let key = row::pair(core.as_bytes(), topic.as_bytes());
        let Some(mut serve) = row::get::<MyServeRow>(&mut cx.store, MY_SERVES, &key) else {
            return;
        };
        if serve.standing != LEFT {
            serve.standing = REFUSED;
            serve.text.clone_from(&refusal.text);
            row::put(&mut cx.store, MY_SERVES, &key, &serve);
        }
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
                },
                heard_ms: row.heard_ms,
                refusal,
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

    fn cores_in(&self, cx: &mut Cx<'_>, standing: u8) -> Vec<NodeId> {
        let mut cores = self.cores(cx);
        cores.retain(|core| core_row(cx, core).is_some_and(|row| row.standing == standing));
        cores
    }

    fn linked_in(&self, cx: &mut Cx<'_>, standing: u8) -> Vec<NodeId> {
        let mut cores = self.cores_in(cx, standing);
        cores.retain(|core| self.linked.contains_key(core));
        cores
    }

    fn tell_topic(
        &self,
        cx: &mut Cx<'_>,
        core: NodeId,
        topic: TopicId,
        out: &mut Outbox<MyCoresOutput>,
    ) {
        let agreed = core_row(cx, &core).is_some_and(|row| row.standing == AGREED);
        if !agreed || !self.linked.contains_key(&core) {
            return;
        }
        if let Some(row) = row::get::<WantedRow>(&mut cx.store, MY_TOPICS, topic.as_bytes()) {
            let wanted = Wanted {
                topic,
                genesis: row.genesis,
                core_secret: row.secret,
                share: row.share,
            };
            out.push(MyCoresOutput::Serve { core, wanted });
        }
    }

    fn tell_peers(
        &self,
        cx: &mut Cx<'_>,
        core: NodeId,
        topic: TopicId,
        out: &mut Outbox<MyCoresOutput>,
    ) {
        if !self.linked.contains_key(&core) {
            return;
        }
        if let Some(row) = row::get::<PeersRow>(&mut cx.store, MY_PEERS, topic.as_bytes()) {
            let mut peers = peers_of(row);
            peers.retain(|peer| peer.node != core);
            out.push(MyCoresOutput::Peers { core, topic, peers });
        }
    }

    /// Tells a core node that a topic need not be served, now or on the next link.
    fn stop(&self, cx: &mut Cx<'_>, core: NodeId, topic: TopicId, out: &mut Outbox<MyCoresOutput>) {
        let key = row::pair(core.as_bytes(), topic.as_bytes());
        if !cx.store.has(MY_SERVES, &key) {
            return;
        }
        if self.linked.contains_key(&core) {
            // Said on a link that may break at once: the core node then goes on holding on this
            // account until the quota is looked at. Nothing is lost by it.
            cx.store.delete(MY_SERVES, key);
            out.push(MyCoresOutput::Unserve { core, topic });
        } else {
            let left = MyServeRow {
                standing: LEFT,
                text: String::new(),
            };
            row::put(&mut cx.store, MY_SERVES, &key, &left);
        }
    }

    /// Drops a core node that is being left when it serves nothing any more and has been told so.
    fn finish_leaving(&self, cx: &mut Cx<'_>, core: NodeId, out: &mut Outbox<MyCoresOutput>) {
        if serves(cx, &core).is_empty() {
            cx.store.delete(MY_CORES, *core.as_bytes());
            out.push(MyCoresOutput::Release { core });
        }
    }
}

fn core_row(cx: &mut Cx<'_>, core: &NodeId) -> Option<CoreRow> {
    row::get(&mut cx.store, MY_CORES, core.as_bytes())
}

fn serves(cx: &mut Cx<'_>, core: &NodeId) -> Vec<(TopicId, MyServeRow)> {
    let rows = cx
        .store
        .prefix(MY_SERVES, core.as_bytes(), MAX_MY_TOPICS.saturating_mul(2));
    let serve =
        |(key, value): (Vec<u8>, Vec<u8>)| Some((row::topic_at(&key, 32)?, row::decode(&value)?));
    rows.into_iter().filter_map(serve).collect()
}

fn ask(cx: &mut Cx<'_>, core: &NodeId, topic: &[u8; 32]) {
    let key = row::pair(core.as_bytes(), topic);
    let known: Option<MyServeRow> = row::get(&mut cx.store, MY_SERVES, &key);
    if known.is_none_or(|serve| serve.standing == LEFT) {
        row::put(&mut cx.store, MY_SERVES, &key, &MyServeRow::default());
    }
}

fn claim(core: NodeId, row: &CoreRow) -> MyCoresOutput {
    MyCoresOutput::Claim {
        core,
        invite: row.token.zip(row.key),
    }
}
