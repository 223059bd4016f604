//! Who gives rights to whom in a drawn world, and takes them back: in order, at once, and in disorder.

use super::{MINUTE, Making, SECOND};
use crate::plan::{Act, Lie, LieKind, NodeNo, Place, Right, TopicNo};
use crate::scenario::draw::Draw;

/// How many worlds have it, in hundredths.
const SHARE: u32 = 45;

/// Members of one topic whom rights are given to by its founder.
const ADMINS: (u64, u64) = (1, 3);

/// Messages a minute of those whose rate is bounded.
const PER_MINUTE: (u32, u32) = (20, 400);

/// Worlds of these in which an administrator's key is stolen, in hundredths.
const STOLEN: u32 = 45;

/// The rights of an administrator; mostly all. A device goes over to nothing that gives less than it has,
/// so that others are of little use.
const OF_ADMINS: [&[Right]; 6] = [
    &Right::ALL,
    &Right::ALL,
    &Right::ALL,
    &Right::ALL,
    &Right::ALL,
    &[Right::Read, Right::Admit],
];

/// What administrators give to others.
const OF_OTHERS: [&[Right]; 4] = [
    &[Right::Publish, Right::Read],
    &Right::ALL,
    &[Right::Read],
    &[Right::Publish],
];

/// What is taken back; mostly all.
const TAKEN: [&[Right]; 6] = [
    &[],
    &[],
    &[],
    &[Right::Publish],
    &[Right::Read],
    &[Right::Admit],
];

/// A topic in which rights are given and taken.
struct Court {
    topic: TopicNo,
    founder: NodeNo,
    /// Whom the founder gives rights to.
    admins: Vec<NodeNo>,
    /// All others who join and stay.
    others: Vec<NodeNo>,
    /// When the last of these have joined, as far as the plan goes.
    from: u64,
}

impl Making {
    /// In many worlds rights are given and taken back.
    pub(super) fn rights(&mut self) {
        let mut draw = self.draw("rights");
        let mut thieves = self.draw("thieves");
        if !draw.percent(SHARE) || self.apart {
            return;
        }
        let topics = (0u32..).take(self.plan.topics.len());
        for topic in draw.some(&topics.collect::<Vec<_>>(), 2) {
            let Some(court) = self.court(topic, &mut draw) else {
                continue;
            };
            let given = self.gives(&court, &mut draw);
            if draw.percent(40) {
                self.quarrels(&court, given, &mut draw);
            }
            if draw.percent(65) {
                self.takes(&court, given, &mut draw);
            }
            if thieves.percent(STOLEN) {
                self.steals(&court, given, &mut thieves);
            }
        }
    }

    fn court(&self, topic: TopicNo, draw: &mut Draw) -> Option<Court> {
        let founder = self.plan.topics[topic as usize].founder;
        let stays = |one: &&(NodeNo, TopicNo, u64, u64)| {
            one.1 == topic && one.3 == u64::MAX && one.0 != founder
        };
        let mut members: Vec<(u64, NodeNo)> = self
            .belongs
            .iter()
            .filter(stays)
            .map(|one| (one.2, one.0))
            .collect();
        members.sort_unstable();
        // Some join later than all this, and some while it goes on.
        let here = members.len() * 3 / 4;
        let from = members.get(here)?.0;
        let early: Vec<NodeNo> = members[..=here].iter().map(|(_, no)| *no).collect();
        let count = draw.between(ADMINS.0, ADMINS.1);
        let admins = draw.some(&early, usize::try_from(count).unwrap_or(1));
        let mut others = early;
        others.retain(|no| !admins.contains(no));
        (from + MINUTE < self.plan.length_ms).then_some(Court {
            topic,
            founder,
            admins,
            others,
            from,
        })
    }

    /// The founder gives, and those give in turn; says by when.
    fn gives(&mut self, court: &Court, draw: &mut Draw) -> u64 {
        let room = self.plan.length_ms.saturating_sub(court.from) / 3;
        let at = court.from + draw.skewed(5 * SECOND, room.max(6 * SECOND));
        let mut last = at;
        for admin in &court.admins {
            let when = at + draw.below(20 * SECOND);
            let (from, rights) = (court.founder, pick(&OF_ADMINS, draw));
            last = last.max(self.gives_one(court.topic, (from, *admin), rights, when, draw));
        }
        let at = last + draw.skewed(2 * SECOND, room.max(3 * SECOND));
        for admin in &court.admins {
            for other in draw.some(&court.others, 2) {
                let when = at + draw.below(20 * SECOND);
                let rights = pick(&OF_OTHERS, draw);
                last = last.max(self.gives_one(court.topic, (*admin, other), rights, when, draw));
            }
        }
        last
    }

    fn gives_one(
        &mut self,
        topic: TopicNo,
        (node, to): (NodeNo, NodeNo),
        rights: &[Right],
        at: u64,
        draw: &mut Draw,
    ) -> u64 {
        let per_minute = if draw.percent(25) {
            draw.small(PER_MINUTE.0, PER_MINUTE.1)
        } else {
            0
        };
        let at = self.up_from(node, at);
        let grant = Act::Grant {
            node,
            topic,
            to,
            rights: rights.to_vec(),
            per_minute,
        };
        self.step(at, grant);
        at
    }

    /// Two administrators give to one another, and take it back from one another at once, mostly
    /// while neither hears the other.
    fn quarrels(&mut self, court: &Court, given: u64, draw: &mut Draw) {
        let [one, two] = draw.some(&court.admins, 2)[..] else {
            return;
        };
        let topic = court.topic;
        let at = given + draw.between(2 * SECOND, MINUTE);
        for (node, to) in [(one, two), (two, one)] {
            let rights = pick(&OF_OTHERS, draw);
            let when = at + draw.below(2 * SECOND);
            self.gives_one(topic, (node, to), rights, when, draw);
        }
        let parts = at + draw.between(5 * SECOND, 2 * MINUTE);
        let last = self.plan.length_ms - 1;
        if draw.percent(75) {
            for node in [one, two] {
                self.alone(
                    node,
                    (parts, parts + draw.between(10 * SECOND, 10 * MINUTE)),
                );
            }
        }
        for (node, whom) in [(one, two), (two, one)] {
            let when = parts + SECOND + draw.below(5 * SECOND);
            if when < last {
                self.takes_one(topic, (node, whom), &[], when, draw);
            }
        }
    }

    /// Nobody hears a node for a time.
    fn alone(&mut self, node: NodeNo, (from_ms, to_ms): (u64, u64)) {
        let sites = 0..u32::try_from(self.plan.sites.len()).unwrap_or(0);
        for site in sites {
            let (from, to, both) = (Place::Node(node), Place::Site(site), true);
            self.step(from_ms, Act::Cut { from, to, both });
            self.step(to_ms, Act::Mend { from, to });
        }
    }

    /// Rights are taken back by the founder, by those to whom it gave some, and by some who may not.
    fn takes(&mut self, court: &Court, given: u64, draw: &mut Draw) {
        let length = self.plan.length_ms;
        let mut at = given
            + draw.skewed(
                5 * SECOND,
                (length.saturating_sub(given) / 3).max(6 * SECOND),
            );
        if let Some(lost) = draw.pick(&self.set_back).filter(|_| draw.percent(40)) {
            // While a home is an older one than others know.
            at = at.max(draw.between(lost.from, lost.back + 30 * SECOND));
        }
        for _ in 0..draw.between(1, 3) {
            let everybody: Vec<NodeNo> =
                court.admins.iter().chain(&court.others).copied().collect();
            let who = if draw.percent(60) {
                Some(court.founder)
            } else {
                draw.pick(&court.admins)
            };
            let whom = if draw.percent(60) {
                draw.pick(&court.admins)
            } else {
                draw.pick(&everybody)
            };
            let (Some(node), Some(whom)) = (who, whom) else {
                continue;
            };
            if node != whom && at < length {
                let rights = pick(&TAKEN, draw);
                self.takes_one(court.topic, (node, whom), rights, at, draw);
                self.speaks_on(court.topic, whom, at, draw);
            }
            at += draw.skewed(1, 5 * MINUTE);
        }
    }

    /// The founder takes everything from an administrator whose key is stolen, mostly while nobody else
    /// can hear it; the thief goes on, and is heard.
    fn steals(&mut self, court: &Court, given: u64, draw: &mut Draw) {
        let mut admins = court.admins.clone();
        admins.retain(|node| !self.founds(*node) && !self.has_twin(*node));
        let liars = self.plan.nodes.iter().filter(|node| !node.is_honest());
        let room = liars.count() < self.people().len() / 3;
        let Some(thief) = draw.pick(&admins).filter(|_| room) else {
            return;
        };
        let left = self.plan.length_ms.saturating_sub(given);
        let at = given + draw.between(5 * SECOND, (left / 2).max(6 * SECOND));
        let at = self.up_from(court.founder, at);
        let window = draw.between(20 * SECOND, 5 * MINUTE);
        if at + window >= self.plan.length_ms {
            return;
        }
        if draw.percent(80) {
            self.alone(court.founder, (at, at + window));
        }
        self.takes_one(court.topic, (court.founder, thief), &[], at + SECOND, draw);
        for _ in 0..3 {
            self.speaks_on(court.topic, thief, at + 2 * SECOND, draw);
        }
        let lie = Lie {
            kind: LieKind::StolenKey,
            one_in: draw.small(1, 3),
            most: draw.small(10, 60),
        };
        self.plan.nodes[thief as usize].lies.push(lie);
    }

    fn takes_one(
        &mut self,
        topic: TopicNo,
        (node, whom): (NodeNo, NodeNo),
        rights: &[Right],
        at: u64,
        draw: &mut Draw,
    ) {
        let at = self.up_from(node, at);
        let revoke = Act::Revoke {
            node,
            topic,
            whom,
            rights: rights.to_vec(),
            cascade: draw.percent(40),
        };
        self.step(at, revoke);
    }

    /// Whoever is revoked writes, before it has heard of it and after.
    fn speaks_on(&mut self, topic: TopicNo, node: NodeNo, at: u64, draw: &mut Draw) {
        for _ in 0..3 {
            let send = Act::Send {
                node,
                topic,
                bytes: draw.small(8, 300),
                count: 1,
                expires_ms: 0,
                file: 0,
            };
            let at = at + draw.below(20 * SECOND);
            if self.is_up(node, at) && at < self.plan.length_ms {
                self.step(at, send);
            }
        }
    }
}

fn pick(from: &[&'static [Right]], draw: &mut Draw) -> &'static [Right] {
    draw.pick(from).unwrap_or_default()
}
