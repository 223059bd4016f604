//! People who are never there together: what one of them writes comes to another from core node to
//! core node, and by no other way.
//!
//! It happens when all else of a world is over, so that nothing else helps. First everybody is there
//! and comes to know who holds what. Then all go away but one, who writes, and goes away as well;
//! meanwhile or before that all core nodes have been stopped, and started again with nobody there. At
//! last somebody comes back who uses another core node than the writer.

use super::{HOUR, MINUTE, Making, SECOND, Topology};
use crate::plan::{Act, NodeNo, TopicNo};
use crate::scenario::draw::Draw;

/// How many worlds have such an end, in hundredths of those that can: they have core nodes which give
/// enough room and reach one another.
const SHARE: u32 = 20;

/// For how long nobody comes or goes, that others may know the same.
const REST: (u64, u64) = (2 * HOUR + MINUTE, 2 * HOUR + 10 * MINUTE);

/// The one who writes, the one who comes back, and in which topic.
#[derive(Clone, Copy, Debug)]
struct Pair {
    writer: NodeNo,
    reader: NodeNo,
    topic: TopicNo,
}

impl Making {
    /// Whether this world is to end so.
    pub(super) fn draws_apart(seed: u64, topology: Topology, tight: bool) -> bool {
        let mut draw = Draw::new(seed, "swarm apart");
        draw.percent(SHARE) && topology != Topology::Islands && !tight
    }

    /// Lets people come one after the other, at the end.
    pub(super) fn apart(&mut self) {
        let mut draw = self.draw("apart pair");
        let pairs = self.pairs();
        let Some(pair) = draw.pick(&pairs).filter(|_| self.apart) else {
            return;
        };
        let begin = self.plan.length_ms + draw.between(REST.0, REST.1);
        // Rests are long: what is drawn before stays before.
        self.plan.length_ms = u64::MAX;
        let alone = begin + 2 * MINUTE;
        let (left, started) = if draw.percent(60) {
            self.writes_before(pair, alone, &mut draw)
        } else {
            self.writes_after(pair, alone, &mut draw)
        };
        let rested = left.max(started) + draw.between(REST.0, REST.1);
        if draw.percent(50) {
            // What has not come to the reader's core node by now does not come.
            for node in self.plan.nodes[pair.writer as usize].uses.clone() {
                self.step(rested, Act::Away { node });
            }
        }
        let node = pair.reader;
        let back = rested + draw.between(SECOND, MINUTE);
        self.step(back, Act::Back { node });
        self.plan.length_ms = back + draw.between(REST.0, REST.1);
    }

    /// Members of one topic who are honest, stay, and have no core node in common.
    fn pairs(&self) -> Vec<Pair> {
        let stays = |one: &&(NodeNo, TopicNo, u64, u64)| {
            let twin = self
                .plan
                .nodes
                .iter()
                .any(|node| node.twin_of == Some(one.0));
            let node = &self.plan.nodes[one.0 as usize];
            one.3 == u64::MAX && !twin && node.is_honest() && !node.uses.is_empty()
        };
        let all: Vec<_> = self.belongs.iter().filter(stays).collect();
        let uses = |node: NodeNo| &self.plan.nodes[node as usize].uses;
        let apart =
            |one: NodeNo, two: NodeNo| !uses(one).iter().any(|core| uses(two).contains(core));
        let mut pairs = Vec::new();
        for (writer, topic, ..) in &all {
            for (reader, other, ..) in &all {
                if topic == other && apart(*writer, *reader) {
                    pairs.push(Pair {
                        writer: *writer,
                        reader: *reader,
                        topic: *topic,
                    });
                }
            }
        }
        pairs
    }

    /// The writer stays while the other core nodes are off already; all of them start again when
    /// nobody is there. Gives when the writer has left, and when the last core node has started.
    fn writes_before(&mut self, pair: Pair, alone: u64, draw: &mut Draw) -> (u64, u64) {
        self.all_go(&[pair.writer], alone, draw);
        let own = self.plan.nodes[pair.writer as usize].uses.clone();
        let (own, others): (Vec<NodeNo>, _) = self
            .cores()
            .into_iter()
            .partition(|core| own.contains(core));
        self.go_off(&others, alone + MINUTE, draw);
        self.writes(pair, alone + 2 * MINUTE, draw);
        let left = alone + draw.between(5 * MINUTE, 8 * MINUTE);
        let node = pair.writer;
        self.step(left, Act::Away { node });
        self.go_off(&own, left + MINUTE, draw);
        (left, self.cores_start(left + 2 * MINUTE, draw))
    }

    /// All core nodes start again when nobody is there; then the writer comes, and goes.
    fn writes_after(&mut self, pair: Pair, alone: u64, draw: &mut Draw) -> (u64, u64) {
        self.all_go(&[], alone, draw);
        let cores = self.cores();
        self.go_off(&cores, alone + MINUTE, draw);
        let started = self.cores_start(alone + 2 * MINUTE, draw);
        let node = pair.writer;
        let back = started + draw.between(MINUTE, 10 * MINUTE);
        self.step(back, Act::Back { node });
        self.writes(pair, back + MINUTE, draw);
        let left = back + draw.between(4 * MINUTE, 8 * MINUTE);
        self.step(left, Act::Away { node });
        (left, started)
    }

    /// Everybody goes away within a minute before that time, copies of homes too, but for these.
    fn all_go(&mut self, but: &[NodeNo], before: u64, draw: &mut Draw) {
        let cores = self.cores();
        for node in (0..).take(self.plan.nodes.len()) {
            if !but.contains(&node) && !cores.contains(&node) {
                let at = before - draw.between(SECOND, MINUTE);
                self.step(at, Act::Away { node });
            }
        }
    }

    /// These stop or stop dead within a minute.
    fn go_off(&mut self, nodes: &[NodeNo], from: u64, draw: &mut Draw) {
        for node in nodes.iter().copied() {
            let act = if draw.percent(50) {
                Act::Away { node }
            } else {
                Act::Crash { node, effects: 0 }
            };
            self.step(from + draw.below(50 * SECOND), act);
        }
    }

    /// All core nodes start within some minutes; gives when the last one does.
    fn cores_start(&mut self, from: u64, draw: &mut Draw) -> u64 {
        let mut last = from;
        for node in self.cores() {
            let at = from + draw.below(3 * MINUTE);
            self.step(at, Act::Back { node });
            last = last.max(at);
        }
        last
    }

    /// The writer writes a few messages.
    fn writes(&mut self, pair: Pair, from: u64, draw: &mut Draw) {
        for _ in 0..draw.between(1, 3) {
            let send = Act::Send {
                node: pair.writer,
                topic: pair.topic,
                bytes: draw.small(8, 300),
                count: 1,
                expires_ms: 0,
                file: 0,
            };
            self.step(from + draw.below(30 * SECOND), send);
        }
    }
}
