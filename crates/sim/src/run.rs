//! One run, from a plan to what came of it.

use crate::check::Broken;
use crate::memory;
use crate::metrics::Metrics;
use crate::plan::Plan;
use crate::world::{Limits, Outcome, Trace, World};
use std::io::Write;
use std::time::Instant;

/// How a plan is run.
#[derive(Default)]
pub struct Options<'a> {
    /// Threads that may be used; 0 and 1 both mean one. The outcome does not depend on it.
    pub threads: usize,
    /// Where lines for people go, if anywhere.
    pub trace: Option<Box<dyn Write + Send>>,
    /// What ends the run early.
    pub limits: Limits,
    /// Is told now and then how far the run has got.
    pub progress: Option<&'a mut dyn FnMut(&Progress)>,
    /// A known defect that all nodes have.
    #[cfg(feature = "planted")]
    pub planted: Option<machine::planted::Bug>,
}

/// How far a run has got.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Simulated time that has passed, in microseconds.
    pub passed_us: u64,
    /// Things that have happened.
    pub events: u64,
}

/// Events between two looks at the limits.
const EVENTS_PER_LOOK: u64 = 4_096;

/// Runs a plan to its end, or until a promise breaks or a limit is reached.
#[must_use]
pub fn run(plan: &Plan, options: Options<'_>) -> Outcome {
    let Options {
        threads,
        trace,
        limits,
        mut progress,
        #[cfg(feature = "planted")]
        planted,
    } = options;
    #[cfg(feature = "planted")]
    machine::planted::plant(planted);
    let begun = Instant::now();
    let trace = trace.map(|out| Trace {
        step: 0,
        until: limits.events,
        out,
    });
    let reached = std::cell::Cell::new((0, 0));
    let mut next = EVENTS_PER_LOOK;
    let mut look = |world: &World| {
        let events = world.events();
        reached.set((world.now.as_micros(), events));
        if limits.events.is_some_and(|limit| events >= limit) {
            return Some(format!("{events} things have happened"));
        }
        if events < next {
            return None;
        }
        next = events + EVENTS_PER_LOOK;
        if let Some(progress) = &mut progress {
            let passed_us = world.now.as_micros();
            progress(&Progress { passed_us, events });
        }
        if limits.time.is_some_and(|limit| begun.elapsed() >= limit) {
            return Some(format!("it has taken {} s", begun.elapsed().as_secs()));
        }
        let used = limits.memory.and_then(|limit| {
            let used = memory::now()?;
            (used >= limit).then_some(used)
        });
        used.map(|used| format!("the process uses {} MiB of memory", used >> 20))
    };
    let run = || World::new(plan.clone(), threads, trace).run(&mut look);
    crate::panics::catch(run).unwrap_or_else(|said| {
        let (passed_us, events) = reached.get();
        Outcome {
            broken: vec![Broken {
                promise: "no-panic",
                at_us: passed_us,
                node: None,
                what: said,
            }],
            unfinished: None,
            passed_us,
            events,
            turns: 0,
            hash: [0; 16],
            metrics: Metrics::new(plan),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Options, run};
    use crate::plan::{Act, NodePlan, Path, Plan, Role, Site, Step, TopicPlan};

    fn node(name: &str, role: Role) -> NodePlan {
        NodePlan {
            name: name.to_owned(),
            role,
            site: 0,
            uses: if role == Role::Person {
                vec![0]
            } else {
                vec![]
            },
            starts_ms: 0,
            commit_us: 2_000,
            skew_ms: 0,
            drift_ppm: 0,
            trust_clock: true,
            disk: 0,
            quota: 0,
            reads_after_ms: 10,
            lies: Vec::new(),
            twin_of: None,
        }
    }

    fn plan() -> Plan {
        let mut steps = vec![Step {
            at_ms: 2_000,
            act: Act::Join { node: 2, topic: 0 },
        }];
        for at in 0..20 {
            steps.push(Step {
                at_ms: 30_000 + at * 1_000,
                act: Act::Send {
                    node: 1 + (at as u32 % 2),
                    topic: 0,
                    bytes: 100,
                    count: 1,
                    expires_ms: 0,
                },
            });
        }
        Plan {
            name: "two".to_owned(),
            seed: 1,
            length_ms: 60_000,
            converge_ms: 60_000,
            sites: vec![Site {
                name: "net".to_owned(),
                inside: Path::default(),
                uplink: None,
                open: true,
                apart: false,
            }],
            nodes: vec![
                node("core", Role::Core),
                node("Ada", Role::Person),
                node("Ben", Role::Person),
            ],
            topics: vec![TopicPlan {
                name: "tea".to_owned(),
                founder: 1,
                members: vec![2],
            }],
            steps,
        }
    }

    #[test]
    fn two_people_and_a_core_talk() {
        let trace: Option<Box<dyn std::io::Write + Send>> =
            std::env::var_os("TRACE").map(|_| Box::new(std::io::stderr()) as _);
        let options = Options {
            trace,
            ..Options::default()
        };
        let outcome = run(&plan(), options);
        assert_eq!(outcome.broken, []);
        assert_eq!(outcome.unfinished, None);
        assert!(outcome.events > 500, "{}", outcome.events);
        let again = run(&plan(), Options::default());
        assert_eq!(outcome.hash, again.hash);
        eprintln!("{} events {} turns", outcome.events, outcome.turns);
    }
}
