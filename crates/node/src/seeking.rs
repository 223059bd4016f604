//! With which core nodes of a topic this node keeps a link.
//!
//! Core nodes that hold a topic exchange it. Whoever uses one of them has the topic from there, and
//! links with all the others would bring everything again. Those are sought when none of one's own
//! core nodes gives the topic; and a few members of each topic keep one of them all the same, lest
//! core nodes that cannot reach one another split the topic.

use crate::limits::{BRIDGES, CORE_PATIENCE, CORE_SETTLED};
use crate::node::{Inner, Turn};
use crate::timer::Timer;
use identity::NodeId;
use router::Why;
use std::collections::BTreeSet;

/// Whether a core node of a topic is to be linked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seek {
    Now,
    /// If no core node of one's own gives the topic by then.
    Later,
    No,
}

impl Inner {
    /// A core node is said to hold a topic.
    pub(crate) fn seek_core(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        node: NodeId,
        addresses: Vec<String>,
    ) {
        match self.seeks(turn, local, node) {
            Seek::Now => self.keep(turn, node, Why::TopicCore, addresses),
            Seek::Later => self.review_cores_soon(turn, CORE_PATIENCE),
            Seek::No => {}
        }
    }

    fn seeks(&mut self, turn: &mut Turn<'_, '_>, local: u32, node: NodeId) -> Seek {
        let topic = self.host.keys.topic(local);
        let Some(topic) = topic.filter(|keys| !keys.row.custodian).map(|keys| keys.id) else {
            return Seek::Now;
        };
        let own = self.mine.serving(turn.cx, &topic);
        if own.is_empty() || own.contains(&node) {
            return Seek::Now;
        }
        let gives = |core: &NodeId| {
            self.link_and_state(core)
                .is_some_and(|(_, link)| link.proven.contains(&local))
        };
        if !own.iter().any(gives) {
            return Seek::Later;
        }
        if self.bridge(local, &own) == Some(node) {
            Seek::Now
        } else {
            Seek::No
        }
    }

    /// The core node, not one of its own, with which this node keeps a link for the sake of all.
    /// Chance decides, the same at every start.
    fn bridge(&self, local: u32, own: &[NodeId]) -> Option<NodeId> {
        let topic = self.host.keys.topic(local)?.id;
        let lot = |of: &[u8; 32]| {
            let hash = blake3::hash(&[*self.id.as_bytes(), *topic.as_bytes(), *of].concat());
            let (head, _) = hash.as_bytes().split_at(8);
            head.iter()
                .fold(0_u64, |lot, byte| (lot << 8) | u64::from(*byte))
        };
        let count = u64::try_from(self.tidings.members.nodes(local).count()).unwrap_or(u64::MAX);
        if count > BRIDGES && lot(&[0; 32]) % count >= BRIDGES {
            return None;
        }
        let others = self.host.cores.get(&local).into_iter().flatten();
        others
            .map(|(node, _)| *node)
            // An invite's link also names the member who made it.
            .filter(|node| {
                !own.contains(node) && !self.tidings.members.nodes(local).any(|at| at == *node)
            })
            .min_by_key(|node| lot(node.as_bytes()))
    }

    /// A core node of one's own has come or gone.
    pub(crate) fn review_cores_soon(&mut self, turn: &Turn<'_, '_>, after: core::time::Duration) {
        let at = turn.cx.now.after(after);
        self.timers.set_earlier(Timer::Cores, at);
    }

    /// Keeps links with the core nodes that are needed, and with no others.
    pub(crate) fn review_cores(&mut self, turn: &mut Turn<'_, '_>) {
        let topics: Vec<u32> = self.host.cores.keys().copied().collect();
        let mut wanted = BTreeSet::new();
        for local in &topics {
            for (node, addresses) in self.cores_of(*local) {
                if self.seeks(turn, *local, node) == Seek::No {
                    continue;
                }
                wanted.insert(node);
                if !addresses.is_empty() {
                    self.keep(turn, node, Why::TopicCore, addresses);
                }
            }
        }
        let known: BTreeSet<NodeId> = self
            .host
            .cores
            .values()
            .flat_map(|cores| cores.keys().copied())
            .collect();
        for node in known.difference(&wanted) {
            self.release(turn, *node, Why::TopicCore);
        }
    }

    /// A topic was proved by a core node: if it is one of one's own, others may not be needed.
    pub(crate) fn core_gives(&mut self, turn: &mut Turn<'_, '_>, node: NodeId) {
        if self.mine.uses(turn.cx, &node) {
            self.review_cores_soon(turn, CORE_SETTLED);
        }
    }

    /// A link is gone: if it was with a core node of one's own, others may be needed.
    pub(crate) fn core_gone(&mut self, turn: &mut Turn<'_, '_>, node: NodeId) {
        if self.mine.uses(turn.cx, &node) {
            self.review_cores_soon(turn, CORE_PATIENCE);
        }
    }
}
