//! Makes a plan in which a promise breaks smaller, as long as the same promise breaks.

use crate::plan::{Act, NodeNo, Path, Place, Plan, Step, TopicNo};
use crate::run::{Options, run};
use crate::search::How;
use crate::world::{Limits, Outcome};

/// What shrinking came to.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The smaller plan.
    pub plan: Plan,
    /// How it fails.
    pub outcome: Outcome,
    /// Plans that were tried.
    pub tried: u32,
}

/// Makes a failing plan smaller: fewer steps, then fewer nodes and topics, then simpler ones. `most` is
/// how many plans may be tried; of `how`, threads and repetitions do not count. Nothing when the plan does not fail.
#[must_use]
pub fn shrink(
    plan: &Plan,
    how: How,
    most: u32,
    each: &mut dyn FnMut(u32, &Plan),
) -> Option<Shrunk> {
    let outcome = run_as(plan, how);
    let promise = outcome.broken.first()?.promise;
    let mut search = Search {
        plan: plan.clone(),
        events: outcome.events,
        outcome,
        promise,
        how,
        tried: 1,
        most,
        each,
    };
    search.drop_the_end();
    loop {
        let before = search.plan.clone();
        search.drop_steps();
        search.drop_nodes();
        search.drop_topics();
        search.simplify();
        if search.plan == before || search.is_over() {
            break;
        }
    }
    Some(Shrunk {
        plan: search.plan,
        outcome: search.outcome,
        tried: search.tried,
    })
}

fn run_as(plan: &Plan, how: How) -> Outcome {
    let options = Options {
        limits: how.limits,
        #[cfg(feature = "planted")]
        planted: how.planted,
        ..Options::default()
    };
    run(plan, options)
}

struct Search<'a> {
    plan: Plan,
    outcome: Outcome,
    promise: &'static str,
    how: How,
    /// Events of the first run: a smaller plan that takes far more is no better.
    events: u64,
    tried: u32,
    most: u32,
    each: &'a mut dyn FnMut(u32, &Plan),
}

impl Search<'_> {
    fn is_over(&self) -> bool {
        self.tried >= self.most || crate::interrupt::asked()
    }

    /// Takes a plan if it fails in the same way.
    fn keep(&mut self, plan: Plan) -> bool {
        if self.is_over() || plan == self.plan {
            return false;
        }
        self.tried += 1;
        let limits = Limits {
            events: Some(self.events.saturating_mul(2)),
            ..self.how.limits
        };
        let outcome = run_as(&plan, How { limits, ..self.how });
        let fails = outcome
            .broken
            .first()
            .is_some_and(|broken| broken.promise == self.promise);
        if fails {
            self.plan = plan;
            self.outcome = outcome;
            (self.each)(self.tried, &self.plan);
        }
        fails
    }

    /// What happens after the promise broke is of no interest.
    fn drop_the_end(&mut self) {
        let Some(broken) = self.outcome.broken.first() else {
            return;
        };
        let at_ms = broken.at_us / 1_000 + 1;
        if at_ms < self.plan.length_ms {
            let mut plan = self.plan.clone();
            plan.steps.retain(|step| step.at_ms <= at_ms);
            plan.length_ms = at_ms;
            plan.converge_ms = 0;
            self.keep(plan);
        }
    }

    /// Leaves out steps, first many at once.
    fn drop_steps(&mut self) {
        let mut size = self.plan.steps.len().div_ceil(2);
        while size > 0 && !self.is_over() {
            let mut at = 0;
            while at < self.plan.steps.len() {
                let mut plan = self.plan.clone();
                let end = (at + size).min(plan.steps.len());
                plan.steps.drain(at..end);
                if !self.keep(plan) {
                    at += size;
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }

    fn drop_nodes(&mut self) {
        let mut no = self.plan.nodes.len();
        while no > 0 {
            no -= 1;
            if let Some(plan) = NodeNo::try_from(no)
                .ok()
                .and_then(|no| without_node(&self.plan, no))
            {
                self.keep(plan);
            }
        }
    }

    fn drop_topics(&mut self) {
        let mut no = self.plan.topics.len();
        while no > 0 {
            no -= 1;
            if let Ok(no) = TopicNo::try_from(no) {
                self.keep(without_topic(&self.plan, no));
            }
        }
    }

    fn simplify(&mut self) {
        for no in 0..self.plan.nodes.len() {
            for change in [
                |plan: &mut Plan, no: usize| plan.nodes[no].lies.clear(),
                |plan: &mut Plan, no: usize| {
                    plan.nodes[no].skew_ms = 0;
                    plan.nodes[no].drift_ppm = 0;
                },
                |plan: &mut Plan, no: usize| plan.nodes[no].commit_us = 0,
                |plan: &mut Plan, no: usize| plan.nodes[no].disk = 0,
                |plan: &mut Plan, no: usize| plan.nodes[no].quota = 0,
            ] {
                let mut plan = self.plan.clone();
                change(&mut plan, no);
                self.keep(plan);
            }
        }
        for no in 0..self.plan.sites.len() {
            let mut plan = self.plan.clone();
            plan.sites[no].inside = Path::default();
            if plan.sites[no].uplink.is_some() {
                plan.sites[no].uplink = Some(Path::default());
            }
            self.keep(plan);
        }
    }
}

/// The plan without one node, if it can do without: founders stay.
fn without_node(plan: &Plan, gone: NodeNo) -> Option<Plan> {
    if plan.topics.iter().any(|topic| topic.founder == gone) {
        return None;
    }
    let new = |no: NodeNo| if no > gone { no - 1 } else { no };
    let mut plan = plan.clone();
    plan.nodes.remove(gone as usize);
    for node in &mut plan.nodes {
        node.uses.retain(|core| *core != gone);
        node.uses.iter_mut().for_each(|core| *core = new(*core));
        if [node.twin_of, node.device_of].contains(&Some(gone)) {
            return None;
        }
        node.twin_of = node.twin_of.map(new);
        node.device_of = node.device_of.map(new);
    }
    for topic in &mut plan.topics {
        for all in [&mut topic.members, &mut topic.readers] {
            all.retain(|one| *one != gone);
            all.iter_mut().for_each(|one| *one = new(*one));
        }
        topic.founder = new(topic.founder);
    }
    let steps = std::mem::take(&mut plan.steps);
    plan.steps = steps
        .into_iter()
        .filter_map(|mut step| {
            let mut touches = false;
            for_nodes(&mut step.act, &mut |no| {
                touches |= *no == gone;
                *no = new(*no);
            });
            (!touches).then_some(step)
        })
        .collect();
    Some(plan)
}

fn without_topic(plan: &Plan, gone: TopicNo) -> Plan {
    let mut plan = plan.clone();
    plan.topics.remove(gone as usize);
    plan.steps.retain_mut(|Step { act, .. }| match act {
        Act::Join { topic, .. }
        | Act::Send { topic, .. }
        | Act::Leave { topic, .. }
        | Act::Grant { topic, .. }
        | Act::Revoke { topic, .. } => {
            let stays = *topic != gone;
            *topic -= u32::from(*topic > gone);
            stays
        }
        _ => true,
    });
    plan
}

/// Shows every node that an act names.
fn for_nodes(act: &mut Act, see: &mut dyn FnMut(&mut NodeNo)) {
    let mut place = |place: &mut Place| {
        if let Place::Node(no) = place {
            see(no);
        }
    };
    match act {
        Act::Cut { from, to, .. } | Act::Mend { from, to } => {
            place(from);
            place(to);
        }
        Act::Mail { node, to, .. } | Act::Grant { node, to, .. } => {
            see(node);
            see(to);
        }
        Act::Revoke { node, whom, .. } => {
            see(node);
            see(whom);
        }
        Act::Pair { node, device } | Act::Unpair { node, device } => {
            see(node);
            see(device);
        }
        Act::UseCore { node, core } | Act::LeaveCore { node, core } => {
            see(node);
            see(core);
        }
        Act::Clone { node, twin, .. } => {
            see(node);
            see(twin);
        }
        Act::Raid { node, on, .. } => {
            see(node);
            see(on);
        }
        Act::Tear { a, b } => {
            see(a);
            see(b);
        }
        Act::Weather { .. } => {}
        Act::Join { node, .. }
        | Act::Send { node, .. }
        | Act::Leave { node, .. }
        | Act::Away { node }
        | Act::Back { node }
        | Act::Crash { node, .. }
        | Act::FailCommit { node }
        | Act::TearTail { node, .. }
        | Act::Backup { node }
        | Act::Restore { node, .. }
        | Act::Clock { node, .. }
        | Act::Disk { node, .. }
        | Act::Move { node, .. } => see(node),
    }
}
