//! A run from its beginning to its end: people and faults, then calm, then the look at everybody.

use super::World;
use super::host::Host;
use super::net::at;
use crate::check::{Broken, Everybody, Glance, bounds, excuse};
use crate::metrics::Metrics;
use crate::plan::{Act, NodeNo, Plan, Role, Step};
use machine::Time;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What ends a run early.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Real time that it may take.
    pub time: Option<Duration>,
    /// Bytes of memory that the process may have.
    pub memory: Option<u64>,
    /// Things that may happen.
    pub events: Option<u64>,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Promises that were broken, the first first.
    pub broken: Vec<Broken>,
    /// Why it ended before its end.
    pub unfinished: Option<String>,
    /// Simulated time that has passed, in microseconds.
    pub passed_us: u64,
    /// Things that happened.
    pub events: u64,
    /// Turns of nodes.
    pub turns: u64,
    /// The hash of the whole run.
    pub hash: [u8; 16],
    /// What was counted.
    pub metrics: Metrics,
}

/// Worlds with more nodes are looked at as a whole at their end alone.
const SMALL: u32 = 30;
/// How often a small world is looked at as a whole while faults last.
const CHECKPOINTS: u64 = 4;
/// For how long nothing has happened when small worlds are looked at, whoever is there: the least
/// stated time in which worlds of the swarm converge.
const RESTED: Duration = Duration::from_secs(2 * 3_600);
/// For how long nothing but keep-alives may be said once everybody has everything.
const SILENCE: Duration = Duration::from_secs(900);
/// How often the world listens at most: again where what is full found room meanwhile.
const LISTENED: u32 = 12;
/// How long before the last words small worlds are looked at.
const BEFORE_WORDS: Duration = Duration::from_millis(1);
/// How long a command may take. What can take long (a core node, a peer) is waited for up to the
/// time that the command names, half a minute.
const ANSWERED: Duration = Duration::from_secs(600);

/// Why a world is looked at while faults last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    /// It is time: what must be true at any time.
    Point,
    /// Nothing has happened for long: what must have come through by now.
    Rest,
}

impl World {
    /// Adds to a plan that everybody writes a last word in each topic once all faults have stopped.
    pub(super) fn with_last_words(mut plan: Plan) -> Plan {
        if plan.converge_ms == 0 {
            return plan;
        }
        let at_ms = plan.length_ms + plan.converge_ms / 2;
        let leaves = plan.steps.iter().filter_map(|step| match step.act {
            Act::Leave { node, topic } => Some((node, topic)),
            _ => None,
        });
        let leaves: BTreeSet<_> = leaves.collect();
        for (no, topic) in (0..).zip(&plan.topics) {
            for member in topic.members.iter().chain([&topic.founder]) {
                let own = &plan.nodes[*member as usize];
                if own.role == Role::Person && !leaves.contains(&(*member, no)) {
                    let act = Act::Send {
                        node: *member,
                        topic: no,
                        bytes: 0,
                        count: 1,
                        expires_ms: 0,
                        file: 0,
                    };
                    plan.steps.push(Step { at_ms, act });
                }
            }
        }
        plan
    }

    /// Runs the world to its end, or until a promise breaks or a limit is reached. `look` is called
    /// after every window and says why to stop, if at all.
    pub(crate) fn run(&mut self, look: &mut dyn FnMut(&Self) -> Option<String>) -> Outcome {
        let length = at(self.plan.length_ms.saturating_mul(1_000));
        let mut unfinished = self.with_checkpoints(length, look);
        if self.plan.converge_ms > 0 && unfinished.is_none() && self.broken.is_empty() {
            self.calm();
            unfinished = self.converge(length, look);
            if unfinished.is_none() && self.broken.is_empty() {
                unfinished = self.look_at_everybody(look);
            }
        }
        let mut metrics = self.metrics();
        let (never, all) = crate::check::joining::counted(&self.everybody());
        metrics.never_joined(never, all);
        Outcome {
            unfinished,
            passed_us: self.now.as_micros(),
            events: self.events(),
            turns: self.turns(),
            hash: self.hash(),
            metrics,
            broken: std::mem::take(&mut self.broken),
        }
    }

    /// Lets the faults have their time; small worlds are looked at as a whole now and then, and when
    /// nothing has happened for long.
    fn with_checkpoints(
        &mut self,
        end: Time,
        look: &mut dyn FnMut(&Self) -> Option<String>,
    ) -> Option<String> {
        let small = self.count() <= SMALL;
        let points = if small { CHECKPOINTS } else { 1 };
        let point = |point| Time::from_micros(end.as_micros() / points * point);
        let mut looks: BTreeSet<(Time, Look)> =
            (1..points).map(|no| (point(no), Look::Point)).collect();
        looks.insert((end, Look::Point));
        if small {
            let rests = self.rests(end).into_iter();
            looks.extend(rests.map(|at| (at, Look::Rest)));
        }
        for (at, what) in looks {
            if let Some(why) = self.until(at, look) {
                return Some(why);
            }
            if what == Look::Point {
                self.unanswered();
            }
            if !small || !self.broken.is_empty() {
                continue;
            }
            let broken = match what {
                Look::Point => crate::check::meanwhile(&self.everybody()),
                Look::Rest => self.settled(),
            };
            self.broken.extend(broken);
        }
        None
    }

    fn settled(&mut self) -> Vec<Broken> {
        let mut acquainted = std::mem::take(&mut self.acquainted);
        let broken = crate::check::settled(&self.everybody(), &mut acquainted);
        self.acquainted = acquainted;
        broken
    }

    /// The ends of all times in which the plan lets nothing happen for as long as [`RESTED`]: the
    /// last moment of each.
    fn rests(&self, end: Time) -> Vec<Time> {
        let plan = &self.plan;
        let steps = plan.steps.iter().map(|step| step.at_ms);
        let starts = plan.nodes.iter().map(|node| node.starts_ms);
        let times = steps.chain(starts).map(|ms| at(ms.saturating_mul(1_000)));
        let mut times: Vec<Time> = times.filter(|time| *time < end).collect();
        times.sort_unstable();
        times.push(end);
        let rests = times.windows(2).filter_map(|pair| {
            let &[from, to] = pair else { return None };
            let last = Time::from_micros(to.as_micros().saturating_sub(1));
            (last >= from.after(RESTED)).then_some(last)
        });
        rests.collect()
    }

    /// Lets everybody have the stated time. Small worlds are looked at before the last words, which
    /// would heal what nobody notices.
    fn converge(
        &mut self,
        from: Time,
        look: &mut dyn FnMut(&Self) -> Option<String>,
    ) -> Option<String> {
        if self.count() <= SMALL {
            let words = Duration::from_millis(self.plan.converge_ms / 2);
            let before = from.after(words.saturating_sub(BEFORE_WORDS));
            if let Some(why) = self.until(before, look) {
                return Some(why);
            }
            if self.broken.is_empty() {
                let broken = crate::check::half_way(&self.everybody());
                self.broken.extend(broken);
            }
        }
        let end = from.after(Duration::from_millis(self.plan.converge_ms));
        self.until(end, look)
    }

    fn until(
        &mut self,
        end: Time,
        look: &mut dyn FnMut(&Self) -> Option<String>,
    ) -> Option<String> {
        while self.now < end && self.broken.is_empty() {
            self.pass(end);
            if let Some(why) = look(self) {
                return Some(why);
            }
        }
        None
    }

    fn look_at_everybody(
        &mut self,
        look: &mut dyn FnMut(&Self) -> Option<String>,
    ) -> Option<String> {
        let broken = crate::check::converged(&self.everybody());
        self.broken.extend(broken);
        self.unanswered();
        if !self.broken.is_empty() {
            return None;
        }
        let mut unfinished = None;
        for _ in 0..LISTENED {
            // Receipts that nobody waits for are passed on so late.
            let calm = self.now.after(topic::limits::PASS_LATER_MAX);
            if let Some(why) = self.until(calm, look) {
                return Some(why);
            }
            self.listen();
            let full = self.full();
            unfinished = self.until(self.now.after(SILENCE), look);
            if unfinished.is_some() || !self.broken.is_empty() || full == self.full() {
                break;
            }
        }
        if unfinished.is_none() && self.broken.is_empty() {
            let broken = crate::check::at_rest(&self.everybody());
            self.broken.extend(broken);
            let over = self.plan.length_ms.saturating_mul(1_000);
            let mut near = excuse::near(&self.everybody(), over);
            // Nobody answers who was removed: it has things to ask for, and keeps them.
            let removed = crate::check::removed(&self.everybody());
            for no in (0..self.count()).filter(|no| !removed.contains(no)) {
                let near = near.remove(&no).unwrap_or_default();
                self.with(no, |host, around| host.at_rest(around, &near));
            }
            self.gather_broken();
        }
        unfinished
    }

    /// From now on nothing but keep-alives may be said. Whoever still asks to be let in somewhere
    /// has something to say, and is answered.
    fn listen(&mut self) {
        let removed = crate::check::removed(&self.everybody());
        let asks = |no: &NodeNo| !self.host(*no).is_done() || removed.contains(no);
        let asking = Arc::new((0..self.count()).filter(asks).collect());
        for no in 0..self.count() {
            self.host_mut(no).watch.expect_silence(&asking);
        }
    }

    /// The shares that took not all that they were offered since faults have stopped, and what they
    /// hold. What is deleted in time makes room, and then they take more, of which there is much to
    /// say.
    fn full(&self) -> Vec<(NodeNo, u32, u32)> {
        let over = self.plan.length_ms.saturating_mul(1_000);
        let nodes = (0..self.count()).flat_map(|no| {
            let held = self.host(no).watch.holdings.iter();
            held.map(move |held| (no, held))
        });
        let full = nodes.filter(|(_, held)| held.refused_after(over).next().is_some());
        full.map(|(no, held)| (no, held.local, held.placed))
            .collect()
    }

    /// Commands that no node has answered for too long.
    fn unanswered(&mut self) {
        for no in 0..self.count() {
            self.with(no, |host, around| {
                if let Some((asked, since)) = host.oldest_request()
                    && around.now.since(since) > ANSWERED
                {
                    let waited = around.now.since(since).as_secs();
                    let what = format!("{asked} has not been answered for {waited} s");
                    Host::scene(no, around).broken(bounds::LEAKS, what);
                }
            });
        }
        self.gather_broken();
    }

    fn everybody(&self) -> Everybody<'_> {
        let nodes = (0..self.count()).filter(|no| self.plan.nodes[*no as usize].twin_of.is_none());
        let glance = |no| {
            let host = self.host(no);
            Glance {
                no,
                plan: &self.plan.nodes[no as usize],
                disk: host.disk(),
                watch: &host.watch,
                up: host.is_up(),
                linked: host.ends.linked(),
                address: self.net.address(no),
                waits: host
                    .life
                    .as_ref()
                    .and_then(|life| life.kernel.machine().awaits()),
                asks: !host.is_done(),
            }
        };
        Everybody {
            now: self.now,
            wall: super::host::right(self.now),
            plan: &self.plan,
            facts: &self.facts,
            nodes: nodes.map(glance).collect(),
            invites: &self.net.links,
            reaches: Box::new(|from, to| self.net.can_dial(from, to)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ANSWERED, World, bounds};
    use crate::check::fixture::{ADA, Town};

    #[test]
    fn a_command_that_is_not_answered_is_found() {
        let mut plan = Town::new().plan;
        plan.converge_ms = 0;
        let mut world = World::new(plan, 1, None);
        let asked = world.now;
        world.host_mut(ADA).app.asks_in_vain(asked);
        world.now = asked.after(ANSWERED);
        world.unanswered();
        assert_eq!(world.broken, []);
        world.now = world.now.after(std::time::Duration::from_secs(1));
        world.unanswered();
        let [broken] = &world.broken[..] else {
            panic!("{:?}", world.broken);
        };
        assert_eq!((broken.promise, broken.node), (bounds::LEAKS, Some(ADA)));
        assert!(broken.what.contains("Leave"), "{broken:?}");
    }
}
