//! Many worlds, each from its seed, on all processors.

use crate::plan::{Act, Plan};
use crate::run::{Options, run};
use crate::swarm;
use crate::world::{Limits, Outcome};
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Found {
    /// The seed.
    pub seed: u64,
    /// Nodes of its world.
    pub nodes: usize,
    /// Messages that people were to write.
    pub messages: u64,
    /// Things that were to go wrong.
    pub faults: usize,
    /// What came of it.
    pub outcome: Outcome,
    /// A second run was not the same.
    pub differs: bool,
}

/// How worlds are run.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Worlds at a time.
    pub threads: usize,
    /// Each is run twice, and compared.
    pub twice: bool,
    /// What ends each run early.
    pub limits: Limits,
    /// A known defect that all nodes have.
    #[cfg(feature = "planted")]
    pub planted: Option<machine::planted::Bug>,
}

/// Runs the worlds of these seeds; `each` is told of every one and says whether to go on. Seeds that
/// were begun when it says no are told of as well.
pub fn search(seeds: Range<u64>, how: How, each: &mut dyn FnMut(Found) -> ControlFlow<()>) {
    let next = AtomicU64::new(seeds.start);
    let over = AtomicBool::new(false);
    let (send, found) = channel();
    std::thread::scope(|scope| {
        for _ in 0..how.threads.max(1) {
            let send = send.clone();
            let (next, over, end) = (&next, &over, seeds.end);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || send.send(try_seed(seed, how)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        for found in found {
            if each(found).is_break() {
                over.store(true, Ordering::Relaxed);
            }
        }
    });
}

fn try_seed(seed: u64, how: How) -> Found {
    let plan = swarm::plan(seed);
    let once = || {
        let options = Options {
            limits: how.limits,
            #[cfg(feature = "planted")]
            planted: how.planted,
            ..Options::default()
        };
        run(&plan, options)
    };
    let outcome = once();
    // What a limit of time ends, ends somewhere else the next time.
    let whole = outcome.unfinished.is_none();
    let differs = how.twice && whole && {
        let again = once();
        again.unfinished.is_none() && again.hash != outcome.hash
    };
    Found {
        seed,
        nodes: plan.nodes.len(),
        messages: messages(&plan),
        faults: faults(&plan),
        outcome,
        differs,
    }
}

/// Messages and mails that people are to write.
#[must_use]
pub fn messages(plan: &Plan) -> u64 {
    let of = |act: &Act| match act {
        Act::Send { count, .. } => u64::from(*count),
        Act::Mail { .. } => 1,
        _ => 0,
    };
    plan.steps.iter().map(|step| of(&step.act)).sum()
}

/// Things that are to go wrong.
#[must_use]
pub fn faults(plan: &Plan) -> usize {
    plan.steps.iter().filter(|step| step.act.is_fault()).count()
}
