//! Mails on their way: to a recipient over its link, or to its core nodes while it is away.
//!
//! A lane goes through the mails that wait for one node in their order, a few at a time, and begins
//! again when receipts do not come. It is only memory: a new link or a new life begins anew, and the
//! recipient delivers once whatever comes twice.

use std::collections::{BTreeMap, BTreeSet};

use core::time::Duration;
use identity::seal::hpke;
use identity::{EnvelopeId, GrantId, NodeId};
use machine::{Cx, Outbox, Time};
use wire::{Frame, Header, Raw, sign_envelope};

use super::body::{Body, Kind};
use super::queue::queue_row;
use super::{SEAL_NAME, associated};
use crate::adverts::key_id;
use crate::event::{Output, Why};
use crate::limits::{LANE_BYTES, LANE_MAILS, LANE_PATIENCE, LANE_PATIENCE_LONGEST, MAX_HOLDERS};
use crate::router::{Router, Timer};
use crate::row::{
    self, QUEUE, QUEUE_ENVELOPES, QUEUE_ORDER, QUEUE_PAYLOADS, QUEUE_SEALED, QueueRow,
};

/// A node for which mails wait.
#[derive(Debug, Default)]
pub(crate) struct Destination {
    pub(crate) waiting: u64,
    /// Of those, what nobody holds.
    pub(crate) unheld: u64,
    /// Its core nodes, as its advert says; nothing before it was looked at.
    pub(crate) cores: Option<Vec<(NodeId, String)>>,
}

/// Mails for one node over one link.
#[derive(Debug)]
pub(crate) struct Lane {
    /// The sequence number from which to go on.
    next: u64,
    waiting: BTreeMap<EnvelopeId, usize>,
    patience: Duration,
    /// When to begin again if receipts do not come.
    retry: Option<Time>,
    /// Whether something was refused for now.
    left_over: bool,
}

impl Lane {
    fn new() -> Self {
        Self {
            next: 0,
            waiting: BTreeMap::new(),
            patience: LANE_PATIENCE,
            retry: None,
            left_over: false,
        }
    }

    fn begin_again(&mut self) {
        self.next = 0;
        self.waiting.clear();
        self.retry = None;
        self.left_over = false;
        self.patience = self.patience.saturating_mul(2).min(LANE_PATIENCE_LONGEST);
    }

    fn room(&self) -> (usize, usize) {
        let bytes: usize = self.waiting.values().sum();
        (
            LANE_MAILS.saturating_sub(self.waiting.len()),
            LANE_BYTES.saturating_sub(bytes),
        )
    }
}

impl Router {
    /// A link with a node has opened, or the first mail for it was queued.
    pub(crate) fn open_lanes(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        if !self.open.contains_key(&node) {
            return;
        }
        if self.mail.destinations.contains_key(&node) {
            // It takes its mail itself now.
            self.mail
                .lanes
                .retain(|(to, target), _| *to != node || *target == node);
            self.start_lane(cx.now, node, node);
        }
        self.flush_best_effort(node, cx.now);
    }

    fn start_lane(&mut self, now: Time, to: NodeId, target: NodeId) {
        if let std::collections::btree_map::Entry::Vacant(lane) =
            self.mail.lanes.entry((to, target))
        {
            lane.insert(Lane::new());
            self.timers.set(Timer::Lane(to, target), now);
        }
    }

    /// The link with a node is no longer open.
    pub(crate) fn close_lanes(&mut self, node: &NodeId) {
        self.mail.lanes.retain(|(_, target), _| target != node);
    }

    pub(super) fn drop_lanes_for(&mut self, node: &NodeId) {
        self.mail.lanes.retain(|(to, _), _| to != node);
    }

    /// Something new waits for a node, or can now be sealed.
    pub(super) fn wake_lanes(&mut self, cx: &mut Cx<'_>, node: &NodeId) {
        for (to, target) in self.mail.lanes.keys().filter(|(to, _)| to == node) {
            self.timers.set_earlier(Timer::Lane(*to, *target), cx.now);
        }
    }

    /// The advert of a node has changed: its key, addresses or core nodes may be others.
    pub(crate) fn advert_changed(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        advert: &wire::NodeAdvert,
        out: &mut Outbox<Output>,
    ) {
        if let Some(destination) = self.mail.destinations.get_mut(&node) {
            destination.cores = Some(cores_of(advert));
            self.wake_lanes(cx, &node);
        }
        self.flush_best_effort(node, cx.now);
        self.sync_mail_targets(cx, out);
    }

    /// Sees to it that recipients are dialled, and while one is out of reach its core nodes too.
    pub(crate) fn sync_mail_targets(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) {
        let mut wanted: BTreeMap<NodeId, Vec<String>> = BTreeMap::new();
        let mut lanes = Vec::new();
        let destinations: Vec<NodeId> = self.mail.destinations.keys().copied().collect();
        for to in destinations {
            wanted.entry(to).or_default();
            let reachable = self.open.contains_key(&to)
                || self
                    .targets
                    .get(&to)
                    .is_none_or(|target| !target.is_unreachable());
            if reachable {
                continue;
            }
            let cores = self.cores_of_recipient(cx, &to);
            let Some(destination) = self.mail.destinations.get(&to) else {
                continue;
            };
            for (core, uri) in cores.into_iter().filter(|(core, _)| *core != self.me) {
                if self.open.contains_key(&core) {
                    lanes.push((to, core));
                }
                if destination.unheld > 0 {
                    wanted.entry(core).or_default().push(uri);
                }
            }
        }
        for to in self.mail.echoes.asked_of() {
            wanted.entry(to).or_default();
        }
        for best_effort in &self.mail.best_effort {
            wanted.entry(best_effort.to).or_default();
        }
        for (to, core) in lanes {
            self.start_lane(cx.now, to, core);
        }
        let kept = self
            .targets
            .iter()
            .filter(|(_, t)| t.whys.contains_key(&Why::Mail));
        let kept: BTreeSet<NodeId> = kept.map(|(node, _)| *node).collect();
        for node in kept.iter().filter(|node| !wanted.contains_key(node)) {
            self.targets.release(node, Why::Mail);
        }
        for (node, addresses) in wanted {
            if !kept.contains(&node) {
                self.keep(cx, node, Why::Mail, addresses, out);
            }
        }
    }

    pub(super) fn cores_of_recipient(
        &mut self,
        cx: &mut Cx<'_>,
        to: &NodeId,
    ) -> Vec<(NodeId, String)> {
        let known = self.mail.destinations.get(to).and_then(|d| d.cores.clone());
        if let Some(known) = known {
            return known;
        }
        let cores = self
            .advert(cx, to)
            .map(|advert| cores_of(&advert))
            .unwrap_or_default();
        if let Some(destination) = self.mail.destinations.get_mut(to) {
            destination.cores = Some(cores.clone());
        }
        cores
    }

    /// Sends the next mails of a lane.
    pub(crate) fn pump(
        &mut self,
        cx: &mut Cx<'_>,
        to: NodeId,
        target: NodeId,
        out: &mut Outbox<Output>,
    ) {
        if !self.open.contains_key(&target) {
            self.mail.lanes.remove(&(to, target));
        }
        let Some(lane) = self.mail.lanes.get_mut(&(to, target)) else {
            return;
        };
        if lane.retry.is_some_and(|at| at <= cx.now) {
            lane.begin_again();
        }
        let (mails, mut bytes) = lane.room();
        let from = [to.as_bytes().as_slice(), &lane.next.to_be_bytes()].concat();
        let end = [to.as_bytes().as_slice(), &u64::MAX.to_be_bytes()].concat();
        for (key, value) in cx.store.scan(QUEUE_ORDER, &from, &end, mails) {
            let (Some(sequence), Some(id)) = (row::number_at(&key, 32), row::part(&value, 0))
            else {
                continue;
            };
            let id = EnvelopeId::from_bytes(id);
            let Some(queued) = queue_row(cx, &id) else {
                continue;
            };
            let step = self.next_on_lane(cx, &id, queued, &target, bytes);
            let Some(lane) = self.mail.lanes.get_mut(&(to, target)) else {
                return;
            };
            match step {
                Step::Stop => break,
                Step::Skip => lane.next = sequence.saturating_add(1),
                Step::Send(envelope, raw) => {
                    lane.next = sequence.saturating_add(1);
                    if lane.waiting.contains_key(&envelope) {
                        continue;
                    }
                    let len = raw.encoded_len();
                    bytes = bytes.saturating_sub(len);
                    lane.waiting.insert(envelope, len);
                    self.send_to(&target, Frame::Mail(raw), out);
                }
            }
        }
        self.arm_lane(cx, to, target);
    }

    /// Sets the time at which the lane begins again, if it has anything to wait for.
    fn arm_lane(&mut self, cx: &mut Cx<'_>, to: NodeId, target: NodeId) {
        let Some(lane) = self.mail.lanes.get_mut(&(to, target)) else {
            return;
        };
        if lane.waiting.is_empty() && !(lane.left_over && to == target) {
            lane.retry = None;
            return;
        }
        let at = lane.retry.unwrap_or_else(|| cx.now.after(lane.patience));
        lane.retry = Some(at);
        self.timers.set(Timer::Lane(to, target), at);
    }

    fn next_on_lane(
        &mut self,
        cx: &mut Cx<'_>,
        id: &EnvelopeId,
        queued: QueueRow,
        target: &NodeId,
        room: usize,
    ) -> Step {
        let direct = queued.to == *target.as_bytes();
        let held_there = queued
            .held
            .iter()
            .any(|held| held.core == *target.as_bytes());
        if !direct && !held_there && queued.held.len() >= MAX_HOLDERS {
            return Step::Skip;
        }
        let lane = (NodeId::from_bytes(queued.to), *target);
        let alone = self
            .mail
            .lanes
            .get(&lane)
            .is_none_or(|lane| lane.waiting.is_empty());
        let Some((envelope, mut raw)) = self.sealed(cx, id, queued) else {
            return Step::Stop;
        };
        if !direct && held_there {
            // Only asks what became of it.
            raw.body = None;
        }
        if raw.encoded_len() > room && !alone {
            Step::Stop
        } else {
            Step::Send(envelope, raw)
        }
    }

    /// The envelope of a mail; sealed now if it was not yet. Nothing while the recipient's key is
    /// not known.
    fn sealed(
        &mut self,
        cx: &mut Cx<'_>,
        id: &EnvelopeId,
        mut queued: QueueRow,
    ) -> Option<(EnvelopeId, Raw)> {
        if let Some(raw) = cx.store.get(QUEUE_SEALED, id.as_bytes()) {
            return Some((
                EnvelopeId::from_bytes(queued.envelope?),
                Raw::decode(&raw).ok()?,
            ));
        }
        let payload = cx.store.get(QUEUE_PAYLOADS, id.as_bytes())?;
        let end_ms = queued.queued_ms.saturating_add(queued.lifespan_ms);
        let left_ms = end_ms.saturating_sub(cx.wall.as_millis());
        let plan = Plan {
            to: NodeId::from_bytes(queued.to),
            number: queued.number,
            // At least a minute: if it is over, the queue ends it, not a clock that was wrong then.
            lifespan_ms: left_ms.min(queued.lifespan_ms).max(60_000),
            class: wire::Class::Content,
        };
        let engine = queued.engine.clone();
        let body = Body {
            engine,
            kind: Kind::Message,
            payload,
        };
        let (envelope, raw) = self.seal(cx, &plan, &body)?;
        queued.envelope = Some(envelope.to_bytes());
        queued.seals = queued.seals.saturating_add(1);
        row::put(&mut cx.store, QUEUE, id.as_bytes(), &queued);
        cx.store.put(QUEUE_SEALED, *id.as_bytes(), raw.encode());
        cx.store
            .put(QUEUE_ENVELOPES, envelope.to_bytes(), *id.as_bytes());
        Some((envelope, raw))
    }

    /// Seals and signs an envelope for a node whose advert is known.
    pub(super) fn seal(
        &self,
        cx: &mut Cx<'_>,
        plan: &Plan,
        body: &Body,
    ) -> Option<(EnvelopeId, Raw)> {
        let advert = self.advert(cx, &plan.to)?;
        let created = self.clock.guess(cx).min(wire::limits::MAX_TIME_MS / 2);
        let header = Header {
            destination: plan.to.to_id(),
            author: self.config.secret.public(),
            number: plan.number,
            previous: [0; 32],
            generation: 1,
            created,
            expires: created.saturating_add(plan.lifespan_ms),
            body_len: 0,
            body_hash: [0; 32],
            count: 1,
            class: plan.class,
            grant: GrantId::from_bytes([0; 32]),
            hops: 0,
            deps: Vec::new(),
            manifest: None,
            clock_unconfirmed: !self.clock_confirmed(),
            extensions: wire::Extensions::new(),
        };
        let fields = [self.me.as_bytes().as_slice(), plan.to.as_bytes()];
        let aad = associated(&header);
        let plain = body.encode();
        let (enc, ct) =
            hpke::seal(&advert.sealing, SEAL_NAME, &fields, &aad, &plain, cx.rng).ok()?;
        let id = key_id(&advert.sealing);
        let body = [id.as_slice(), &enc, &ct].concat();
        let verified = sign_envelope(header, body, &self.config.secret)
            .ok()?
            .into_inner();
        Some((
            verified.envelope.id,
            verified.envelope.to_raw(verified.body),
        ))
    }

    /// A mail has reached the end of a lane.
    pub(super) fn arrived(
        &mut self,
        cx: &mut Cx<'_>,
        to: &NodeId,
        target: &NodeId,
        envelope: &EnvelopeId,
    ) {
        let Some(lane) = self.mail.lanes.get_mut(&(*to, *target)) else {
            return;
        };
        if lane.waiting.remove(envelope).is_none() {
            return;
        }
        lane.patience = LANE_PATIENCE;
        if lane.waiting.is_empty() {
            lane.retry = None;
        }
        if lane.waiting.len() <= LANE_MAILS / 2 {
            self.timers.set(Timer::Lane(*to, *target), cx.now);
        }
    }

    /// A mail has come to its end, whatever lanes it is on.
    pub(super) fn arrived_anywhere(&mut self, cx: &mut Cx<'_>, to: &NodeId, envelope: &EnvelopeId) {
        let lanes: Vec<NodeId> = self
            .mail
            .lanes
            .keys()
            .filter(|(for_, _)| for_ == to)
            .map(|(_, t)| *t)
            .collect();
        for target in lanes {
            self.arrived(cx, to, &target, envelope);
        }
    }

    /// A mail was refused at the end of a lane; `again`: it is to be sent anew, in another form.
    pub(super) fn refused_on_lane(
        &mut self,
        cx: &mut Cx<'_>,
        (to, target): (&NodeId, &NodeId),
        envelope: &EnvelopeId,
        again: bool,
    ) {
        let Some(lane) = self.mail.lanes.get_mut(&(*to, *target)) else {
            return;
        };
        lane.waiting.remove(envelope);
        lane.left_over = true;
        if again {
            lane.next = 0;
        }
        if lane.waiting.is_empty() {
            lane.retry = None;
        }
        self.timers.set(Timer::Lane(*to, *target), cx.now);
    }
}

/// What to do with the next mail on a lane.
enum Step {
    /// It and what follows waits.
    Stop,
    /// It needs nothing here.
    Skip,
    /// It is sent.
    Send(EnvelopeId, Raw),
}

/// What the header of a mail says.
pub(super) struct Plan {
    pub(super) to: NodeId,
    pub(super) number: u64,
    pub(super) lifespan_ms: u64,
    pub(super) class: wire::Class,
}

fn cores_of(advert: &wire::NodeAdvert) -> Vec<(NodeId, String)> {
    advert
        .cores
        .iter()
        .map(|core| (core.node, core.uri.clone()))
        .collect()
}
