//! What the people of a drawn world do.

use super::{HOUR, MINUTE, Making, SECOND, Topology};
use crate::plan::{Act, NodeNo, TopicNo};
use crate::scenario::draw::Draw;

/// Messages of a world, all together.
const MESSAGES: (u64, u64) = (190, 400);

/// The sizes of messages in bytes, with their share in hundredths.
const SIZES: [(u32, (u64, u64)); 4] = [
    (62, (8, 300)),
    (30, (300, 5_000)),
    (7, (5_000, 25_000)),
    (1, (25_000, 60_000)),
];

/// As [`SIZES`], where the quota is to be filled.
const LARGE_SIZES: [(u32, (u64, u64)); 3] = [
    (50, (8, 500)),
    (25, (2_000, 20_000)),
    (25, (20_000, 60_000)),
];

fn size(sizes: &[(u32, (u64, u64))], draw: &mut Draw) -> u32 {
    let mut at = draw.small(0, 99);
    for (share, (low, high)) in sizes {
        if at < *share {
            return u32::try_from(draw.between(*low, *high)).unwrap_or(u32::MAX);
        }
        at -= share;
    }
    1
}

impl Making {
    /// In most worlds some people come and go.
    pub(super) fn days(&mut self) {
        let mut draw = self.draw("days");
        if draw.percent(30) {
            return;
        }
        let share = draw.small(20, 90);
        let length = self.plan.length_ms;
        for node in self.people() {
            let travels = self.topology == Topology::Islands && node == self.people()[0];
            if travels || !draw.percent(share) {
                continue;
            }
            // Founders stay until their topics are under way.
            let mut at = draw.between(length / 6, length / 2);
            for _ in 0..draw.between(1, 3) {
                let away = draw.skewed(2 * SECOND, length / 4);
                if at + away >= length {
                    break;
                }
                self.absence(node, at, at + away);
                at += away + draw.between(5 * SECOND, length / 4);
            }
        }
    }

    /// The first time from then on at which a node is up, or soon after it.
    pub(super) fn up_from(&self, node: NodeNo, at: u64) -> u64 {
        let mut at = at.max(self.plan.nodes[node as usize].starts_ms + SECOND);
        let mut down = self.down[node as usize].clone();
        down.sort_unstable();
        for (from, to) in down {
            if from <= at && at < to {
                at = to + SECOND;
            }
        }
        at
    }

    pub(super) fn joins(&mut self) {
        let mut draw = self.draw("joins");
        let latest = (self.plan.length_ms / 6).min(30 * MINUTE);
        let quick = draw.percent(50);
        for (index, topic) in self.plan.topics.clone().iter().enumerate() {
            let number = u32::try_from(index).unwrap_or(0);
            for member in &topic.members {
                let most = if quick { 10 * SECOND } else { latest };
                let mut at = draw.between(2 * SECOND, most.max(3 * SECOND));
                if draw.percent(8) {
                    at = draw.between(latest, self.plan.length_ms / 2);
                }
                let at = self.up_from(*member, at);
                let node = *member;
                self.step(
                    at,
                    Act::Join {
                        node,
                        topic: number,
                    },
                );
                self.belongs.push((node, number, at + 2 * SECOND, u64::MAX));
            }
        }
    }

    /// Readers find what they read, and some of them leave. Now and then one tries to write.
    pub(super) fn reading(&mut self) {
        let mut draw = self.draw("reading");
        let length = self.plan.length_ms;
        for (topic, plan) in (0_u32..).zip(self.plan.topics.clone()) {
            for node in plan.readers {
                let latest = draw.skewed(3 * SECOND, length / 2);
                let at = self.up_from(node, draw.between(2 * SECOND, latest.max(3 * SECOND)));
                self.step(at, Act::Join { node, topic });
                if draw.percent(30) {
                    let at = self.up_from(node, draw.between(at.min(length - 1), length));
                    let act = Act::Send {
                        node,
                        topic,
                        bytes: size(&SIZES, &mut draw),
                        count: 1,
                        expires_ms: 0,
                        file: 0,
                    };
                    self.step(at, act);
                }
                if draw.percent(10) {
                    let at = self.up_from(node, draw.between(at.min(length - 1), length));
                    self.step(at, Act::Leave { node, topic });
                }
            }
        }
    }

    /// In some worlds somebody leaves for good.
    pub(super) fn leaves(&mut self) {
        let mut draw = self.draw("leaves");
        if !draw.percent(25) {
            return;
        }
        for _ in 0..draw.between(1, 2) {
            let may = |one: &(NodeNo, TopicNo, u64, u64)| {
                let topic = &self.plan.topics[one.1 as usize];
                topic.founder != one.0 && topic.members.len() > 2 && one.3 == u64::MAX
            };
            let all: Vec<usize> = (0..self.belongs.len())
                .filter(|at| may(&self.belongs[*at]))
                .collect();
            let Some(at) = draw.pick(&all) else {
                return;
            };
            let (node, topic, from, _) = self.belongs[at];
            let length = self.plan.length_ms;
            let when = draw.between(from.max(length / 3), (length * 9 / 10).max(from));
            let when = self.up_from(node, when);
            if when < length {
                self.belongs[at].3 = when;
                self.step(when, Act::Leave { node, topic });
            }
        }
    }

    /// Who can write where at that time.
    pub(super) fn writers(&self, at: u64) -> Vec<(NodeNo, TopicNo)> {
        let belongs = self.belongs.iter();
        let now = belongs.filter(|one| one.2 <= at && at < one.3 && self.is_up(one.0, at));
        now.map(|one| (one.0, one.1)).collect()
    }

    pub(super) fn messages(&mut self) {
        let mut draw = self.draw("messages");
        let wanted = draw.between(MESSAGES.0, MESSAGES.1);
        let expiring = if draw.percent(45) {
            draw.small(10, 60)
        } else {
            0
        };
        let (bursts, batches) = (draw.small(0, 25), draw.small(0, 15));
        // In some worlds one person writes most.
        let busy = if draw.percent(25) {
            draw.pick(&self.people())
        } else {
            None
        };
        let length = self.plan.length_ms;
        let mut written: u64 = 0;
        let mut tries: u64 = 0;
        while written < wanted && tries < 20 * MESSAGES.1 {
            tries += 1;
            let mut at = draw.between(3 * SECOND, length - 1);
            let mut writers = self.writers(at);
            if busy.is_some() && draw.percent(60) {
                writers.retain(|one| Some(one.0) == busy);
            }
            let Some((node, topic)) = draw.pick(&writers) else {
                continue;
            };
            let burst = if draw.percent(bursts) {
                draw.between(3, 8)
            } else {
                1
            };
            let many = draw.percent(batches);
            for _ in 0..burst {
                let count = if many { draw.small(2, 25) } else { 1 };
                let mut bytes = size(if self.tight { &LARGE_SIZES } else { &SIZES }, &mut draw);
                if many {
                    bytes = bytes.min(2_000);
                }
                let expires_ms = self.expires(expiring, &mut draw);
                self.step(
                    at,
                    Act::Send {
                        node,
                        topic,
                        bytes,
                        count,
                        expires_ms,
                        file: 0,
                    },
                );
                written += u64::from(count);
                at += draw.between(1, 2 * SECOND);
            }
        }
    }

    /// After how long a message expires: while the world lasts, or after it.
    pub(super) fn expires(&self, share: u32, draw: &mut Draw) -> u64 {
        if !draw.percent(share) {
            return 0;
        }
        let length = self.plan.length_ms;
        match draw.below(3) {
            0 => draw.between(5 * SECOND, MINUTE),
            1 => draw.between(MINUTE, length / 2 + MINUTE),
            _ => draw.between(length, length + 48 * HOUR),
        }
    }

    /// Mail between people who share a topic.
    pub(super) fn mails(&mut self) {
        let mut draw = self.draw("mails");
        if draw.percent(30) {
            return;
        }
        let best_effort = draw.small(0, 40);
        for _ in 0..draw.between(3, 30) {
            let at = draw.between(5 * SECOND, self.plan.length_ms - 1);
            let writers = self.writers(at);
            let Some((node, topic)) = draw.pick(&writers) else {
                continue;
            };
            let plan = &self.plan.topics[topic as usize];
            let mut others = plan.members.clone();
            others.push(plan.founder);
            others.retain(|other| *other != node);
            let Some(to) = draw.pick(&others) else {
                continue;
            };
            let act = Act::Mail {
                node,
                to,
                bytes: size(&SIZES, &mut draw),
                best_effort: draw.percent(best_effort),
            };
            self.step(at, act);
        }
    }

    /// In some worlds people write to those who are not there, and go away themselves before those
    /// come back.
    pub(super) fn late_mails(&mut self) {
        let mut draw = self.draw("late mails");
        if !draw.percent(40) {
            return;
        }
        for _ in 0..draw.between(1, 3) {
            let absent = self.people().into_iter();
            let absent = absent.filter(|node| !self.down[*node as usize].is_empty());
            let Some(to) = draw.pick(&absent.collect::<Vec<_>>()) else {
                return;
            };
            let Some((from, back)) = draw.pick(&self.down[to as usize]) else {
                return;
            };
            if back - from < 10 * SECOND {
                continue;
            }
            let at = from + SECOND;
            let mut writers = self.writers(at);
            writers.retain(|(node, topic)| {
                let plan = &self.plan.topics[*topic as usize];
                *node != to && (plan.founder == to || plan.members.contains(&to))
            });
            let Some((node, _)) = draw.pick(&writers) else {
                continue;
            };
            let mail = Act::Mail {
                node,
                to,
                bytes: size(&SIZES, &mut draw),
                best_effort: false,
            };
            self.step(at, mail);
            let asleep = from + draw.between(3 * SECOND, 6 * SECOND);
            self.absence(node, asleep, asleep + draw.between(SECOND, 3 * SECOND));
        }
    }
}
