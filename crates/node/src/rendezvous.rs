//! A rendezvous: two members of a topic, each behind an address translator, and a core node that both
//! are linked with. Who may learn where somebody is, is decided here; whether anybody is dialled,
//! the router does (docs/spec/router.md).
//!
//! ```text
//!   A                     core node                    B
//!     | meet B                |                          |  A has not found B at its addresses
//!     |---------------------->| met A, where A is seen   |
//!     |                       |------------------------->|  A is a member: B agrees
//!     |                       |                   meet A |
//!     | met B, where B is seen|<-------------------------|  and dials A
//!     |<----------------------|                          |
//!     |  A dials B            |                          |
//! ```
//!
//! The core node keeps nothing: each `meet` tells the other where its sender is, and nobody else.

use crate::io::LinkId;
use crate::limits::{MAX_MEETINGS, MEETING_ANSWER, MEETS_ASKED, MEETS_TIME, MEETS_TOLD};
use crate::node::{Inner, Turn};
use core::net::SocketAddr;
use identity::NodeId;
use machine::Time;
use router::acl::{No, Way};
use std::collections::BTreeMap;
use wire::frame::meeting_hash;
use wire::{Frame, TopicFrame};

/// What this node has asked core nodes for, and what peers have asked of it.
#[derive(Debug, Default)]
pub(crate) struct Rendezvous {
    /// With whom a rendezvous was asked for or agreed to, and when.
    wanted: BTreeMap<NodeId, Time>,
    /// Linked peers who have asked for one, or whom one was told of, and how often lately.
    asked: BTreeMap<NodeId, Count>,
    told: BTreeMap<NodeId, Count>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    since: Time,
    times: u32,
}

impl Rendezvous {
    /// A peer is no longer linked.
    pub(crate) fn gone(&mut self, node: &NodeId) {
        self.asked.remove(node);
        self.told.remove(node);
    }

    /// Whether what a peer asks for is looked at, by how much it has asked for lately.
    fn may_ask(&mut self, now: Time, from: NodeId) -> bool {
        spend(&mut self.asked, now, from, MEETS_ASKED)
    }

    /// Whether a peer is told that somebody asks for it, by how much it was told lately.
    fn may_tell(&mut self, now: Time, to: NodeId) -> bool {
        spend(&mut self.told, now, to, MEETS_TOLD)
    }

    /// Notes that a rendezvous with a node is wanted; says whether it was not just now already, and
    /// there is room.
    fn want(&mut self, now: Time, node: NodeId) -> bool {
        self.wanted.retain(|_, at| now.since(*at) < MEETING_ANSWER);
        let fresh = !self.wanted.contains_key(&node) && self.wanted.len() < MAX_MEETINGS;
        if fresh {
            self.wanted.insert(node, now);
        }
        fresh
    }

    fn is_wanted(&self, now: Time, node: &NodeId) -> bool {
        let at = self.wanted.get(node);
        at.is_some_and(|at| now.since(*at) < MEETING_ANSWER)
    }
}

fn spend(counts: &mut BTreeMap<NodeId, Count>, now: Time, node: NodeId, most: u32) -> bool {
    let fresh = Count {
        since: now,
        times: 0,
    };
    let count = counts.entry(node).or_insert(fresh);
    if now.since(count.since) >= MEETS_TIME {
        *count = fresh;
    }
    let room = count.times < most;
    count.times = count.times.saturating_add(u32::from(room));
    room
}

impl Inner {
    /// Whether this node would have a link with a node that is not found where it says that it is, and
    /// let core nodes tell it from where their links with this one come. The one place to say no.
    fn would_meet(&mut self, turn: &mut Turn<'_, '_>, node: &NodeId) -> bool {
        let within = self.router.may_tell_address() && self.router.may_dial(turn.cx, node).is_ok();
        if !within {
            return false;
        }
        [Way::In, Way::Out].into_iter().all(|way| {
            let room = self.router.acl().room(turn.cx.now, way, node.as_bytes());
            !matches!(room, Err(No::Never { .. }))
        })
    }

    /// The router has not found a node: a core node is asked that holds a topic which this node and
    /// that one take part in.
    pub(crate) fn ask_to_meet(&mut self, turn: &mut Turn<'_, '_>, node: NodeId) {
        if !self.would_meet(turn, &node) {
            return;
        }
        let topics = self.host.keys.topics().map(|(local, _)| local);
        let shared = topics.filter(|local| self.tidings.members.nodes(*local).any(|on| on == node));
        let mut ways = Vec::new();
        for local in shared {
            let at = |link: &LinkId| self.is_met_through(*link, local, &node);
            let links = self.links.keys().copied().filter(at);
            ways.extend(links.map(|link| (link, local)));
        }
        // One of them, and another perhaps the next time.
        let chosen = turn.cx.rng.below(ways.len() as u64);
        let chosen = usize::try_from(chosen).ok().and_then(|at| ways.get(at));
        if let Some((link, local)) = chosen.copied()
            && self.rendezvous.want(turn.cx.now, node)
        {
            self.say_meet(turn, link, (local, node));
        }
    }

    /// Whether a link leads to a core node that holds a topic, has proved it, and may be told by what
    /// it sees of this node who is a member of it.
    fn is_met_through(&self, link: LinkId, local: u32, node: &NodeId) -> bool {
        let cores = self.host.cores.get(&local);
        let through = |core: &NodeId| {
            core != node
                && cores.is_some_and(|cores| cores.contains_key(core))
                && self.router.seen_at(core).is_some()
        };
        self.links
            .get(&link)
            .is_some_and(|state| state.proven.contains(&local) && through(&state.node))
    }

    fn send_topic(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, local: u32, frame: TopicFrame) {
        if let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) {
            turn.send(link, &Frame::Topic { topic, frame });
        }
    }

    fn say_meet(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, (local, node): (u32, NodeId)) {
        if let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) {
            let with = meeting_hash(topic, node);
            self.send_topic(turn, link, local, TopicFrame::Meet { with });
        }
    }

    /// At a core node: somebody who has proved a topic wants to meet somebody else. Who has proved the
    /// same topic is told, and whoever asks hears nothing of whether that is so.
    pub(crate) fn on_meet(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        local: u32,
        with: &[u8; 32],
    ) {
        let Some(from) = self.links.get(&link).map(|state| state.node) else {
            return;
        };
        if !self.rendezvous.may_ask(turn.cx.now, from) {
            return;
        }
        let takes_part = |link: &LinkId| {
            let state = self.links.get(link);
            state.is_some_and(|state| {
                state.proven.contains(&local) && state.members.contains_key(&local)
            })
        };
        let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) else {
            return;
        };
        let mut others = self.links.iter().filter(|(link, _)| takes_part(link));
        let other = others.find(|(_, state)| meeting_hash(topic, state.node) == *with);
        let other = other.map(|(link, state)| (*link, state.node));
        let Some((to, with)) = other.filter(|(_, with)| takes_part(&link) && from != *with) else {
            return;
        };
        let seen = (self.router.seen_at(&from), self.router.seen_at(&with));
        let (Some(address), Some(other)) = seen else {
            return;
        };
        let served = self.host.custody.served(turn.cx, &topic);
        let held = served.is_some_and(|served| !served.sponsors.is_empty());
        if held
            && address.is_ipv4() == other.is_ipv4()
            && self.rendezvous.may_tell(turn.cx.now, with)
        {
            let met = TopicFrame::Met {
                node: from,
                address,
            };
            self.send_topic(turn, to, local, met);
        }
    }

    /// A core node tells where somebody is who wants to meet this node, or agrees to.
    pub(crate) fn on_met(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        local: u32,
        (node, address): (NodeId, SocketAddr),
    ) {
        let Some(by) = self.links.get(&link).map(|state| state.node) else {
            return;
        };
        let member = self.tidings.members.nodes(local).any(|on| on == node);
        if !member || !self.is_met_through(link, local, &node) || !self.would_meet(turn, &node) {
            return;
        }
        let asked = self.rendezvous.is_wanted(turn.cx.now, &node);
        if !asked && !self.rendezvous.want(turn.cx.now, node) {
            return;
        }
        let dialled = self
            .router
            .meet(turn.cx, node, (by, address), &mut turn.router);
        if dialled && !asked {
            self.say_meet(turn, link, (local, node));
        }
    }
}
