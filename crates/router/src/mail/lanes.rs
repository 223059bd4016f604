//! Mails on their way: to a recipient over its link, or to its core nodes while it is away.
//!
//! A lane goes through the mails that wait for one node in their order, a few at a time, and begins
//! again when receipts do not come. It is only memory: a new link or a new life begins anew, and the
//! recipient delivers once whatever comes twice.

use std::collections::{BTreeMap, BTreeSet};

use core::time::Duration;
use identity::{EnvelopeId, NodeId};
use machine::{Cx, Outbox, Time};
use wire::{Frame, Raw};

use super::queue::queue_row;
use crate::acl::Way;
use crate::event::Output;
use crate::limits::{LANE_BYTES, LANE_MAILS, LANE_PATIENCE, LANE_PATIENCE_LONGEST};
use crate::router::{Router, Timer};
use crate::row::{self, QUEUE_ORDER, QueueRow};

/// A node for which mails wait.
#[derive(Debug, Default)]
pub(crate) struct Destination {
    pub(crate) waiting: u64,
    /// Of those, what nobody holds.
    pub(crate) unheld: u64,
    /// Its core nodes, as its advert says; nothing before it was looked at.
    pub(crate) cores: Option<Vec<(NodeId, String)>>,
    /// Who has promised to hold some of them, as far as heard in this life; at most [`MAX_HELD`].
    pub(crate) holders: BTreeSet<NodeId>,
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
    /// The peer takes nothing before this time.
    not_before: Option<Time>,
}

impl Lane {
    fn new() -> Self {
        Self {
            next: 0,
            waiting: BTreeMap::new(),
            patience: LANE_PATIENCE,
            retry: None,
            left_over: false,
            not_before: None,
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

    pub(super) fn start_lane(&mut self, now: Time, to: NodeId, target: NodeId) {
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

    pub(crate) fn wake_all_lanes(&mut self, now: Time) {
        for (to, target) in self.mail.lanes.keys() {
            self.timers.set_earlier(Timer::Lane(*to, *target), now);
        }
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
        if to != target
            && let Some(later) = self.known_there(cx.now, &target)
        {
            return self.timers.set(Timer::Lane(to, target), later);
        }
        let Some(lane) = self.mail.lanes.get_mut(&(to, target)) else {
            return;
        };
        match lane.not_before {
            Some(at) if at > cx.now => return self.timers.set(Timer::Lane(to, target), at),
            Some(_) => {
                // From the first again; what is still on its way is not sent twice.
                lane.not_before = None;
                lane.next = 0;
            }
            None => {}
        }
        if lane.retry.is_some_and(|at| at <= cx.now) {
            lane.begin_again();
        }
        let mut allowed = None;
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
                    let known = lane.waiting.contains_key(&envelope);
                    let len = raw.encoded_len();
                    if !known && let Err(no) = self.acl.room(cx.now, Way::Out, target.as_bytes()) {
                        allowed = no.wait(cx.now);
                        break;
                    }
                    lane.next = sequence.saturating_add(1);
                    if known {
                        continue;
                    }
                    let what = (1, len as u64);
                    self.acl.spend(cx.now, Way::Out, target.as_bytes(), what);
                    bytes = bytes.saturating_sub(len);
                    lane.waiting.insert(envelope, len);
                    self.send_to(&target, Frame::Mail(raw), out);
                }
            }
        }
        self.arm_lane(cx, to, target);
        if let Some(wait) = allowed {
            let at = cx.now.after(wait);
            self.timers.set_earlier(Timer::Lane(to, target), at);
        }
    }

    /// Sets the time at which the lane begins again, if it has anything to wait for.
    fn arm_lane(&mut self, cx: &mut Cx<'_>, to: NodeId, target: NodeId) {
        let Some(lane) = self.mail.lanes.get_mut(&(to, target)) else {
            return;
        };
        if lane.waiting.is_empty() && !lane.left_over {
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
        if !direct && !held_there && self.is_held_enough(cx, &queued) {
            return Step::Skip;
        }
        let lane = (NodeId::from_bytes(queued.to), *target);
        let alone = self
            .mail
            .lanes
            .get(&lane)
            .is_none_or(|lane| lane.waiting.is_empty());
        let Some((envelope, mut raw, fresh)) = self.sealed(cx, id, queued) else {
            return Step::Stop;
        };
        if !direct && held_there && !fresh {
            // Only asks what became of it.
            raw.body = None;
        }
        if raw.encoded_len() > room && !alone {
            Step::Stop
        } else {
            Step::Send(envelope, raw)
        }
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

    /// A mail is to be sealed anew: this envelope of it is awaited nowhere any more, and each lane that
    /// has passed the mail goes back to it.
    pub(super) fn rewind_lanes(&mut self, cx: &Cx<'_>, mail: &QueueRow, envelope: &EnvelopeId) {
        let lanes = self.mail.lanes.iter_mut();
        for ((to, target), lane) in lanes.filter(|((to, _), _)| *to.as_bytes() == mail.to) {
            lane.waiting.remove(envelope);
            lane.next = lane.next.min(mail.sequence);
            if lane.waiting.is_empty() {
                lane.retry = None;
            }
            self.timers.set_earlier(Timer::Lane(*to, *target), cx.now);
        }
    }

    /// A mail was refused at the end of a lane; `again`: it is to be sent anew, in
    /// another form; `later`: it may be taken later; `pause`: nothing is taken for so long.
    pub(super) fn refused_on_lane(
        &mut self,
        cx: &mut Cx<'_>,
        (to, target): (&NodeId, &NodeId),
        envelope: &EnvelopeId,
        (again, later): (bool, bool),
        pause: Option<Duration>,
    ) {
        let Some(lane) = self.mail.lanes.get_mut(&(*to, *target)) else {
            return;
        };
        lane.waiting.remove(envelope);
        // What a core node refused for good is not offered it again on this link.
        lane.left_over |= later || to == target;
        if again {
            lane.next = 0;
        }
        if let Some(pause) = pause {
            lane.not_before = Some(cx.now.after(pause));
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
