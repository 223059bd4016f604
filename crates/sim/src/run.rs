//! One run, from a plan to what came of it.

use crate::metrics::Metrics;
use crate::panics;
use crate::plan::Plan;
use crate::world::{Limits, Outcome, Trace, World, panic_of};
use std::io::Write;
use std::time::{Duration, Instant};

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

/// Events between two words on how far a run is, at most.
const EVENTS_PER_LINE: u64 = 4_096;
/// Real time between two words on how far a run is, at most.
const EVERY: Duration = Duration::from_millis(250);

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
    let trace = trace.map(|out| Trace { step: 0, out });
    let mut told = (Instant::now(), 0);
    let mut look = |world: &World| {
        let events = world.events();
        if let Some(progress) = &mut progress
            && (events >= told.1 || told.0.elapsed() >= EVERY)
        {
            told = (Instant::now(), events + EVENTS_PER_LINE);
            let passed_us = world.now.as_micros();
            progress(&Progress { passed_us, events });
        }
        world.ends().map(str::to_owned)
    };
    let begun = panics::catch(|| World::new(plan.clone(), threads, trace).bounded(limits));
    let mut world = match begun {
        Ok(world) => world,
        Err(said) => return nothing(plan, said),
    };
    panics::catch(|| world.run(&mut look)).unwrap_or_else(|said| world.panicked(said))
}

/// What came of a run that ended by a panic before anything had happened.
fn nothing(plan: &Plan, said: String) -> Outcome {
    Outcome {
        broken: vec![panic_of(0, None, said)],
        unfinished: None,
        passed_us: 0,
        events: 0,
        turns: 0,
        hash: [0; 16],
        metrics: Metrics::new(plan),
    }
}

#[cfg(test)]
mod tests {
    use super::{Options, run};
    use crate::plan::{Act, NodePlan, Path, Plan, Role, Site, Step, TopicPlan};
    use crate::world::{Limits, Outcome};

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
            device_of: None,
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
                    file: 0,
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
                personal: false,
                public: false,
                readers: Vec::new(),
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

    /// Runs a plan apart, so that a run without end is a failure and not a wait.
    fn ended(plan: &Plan, threads: usize) -> Outcome {
        let (tell, told) = std::sync::mpsc::channel();
        let plan = plan.clone();
        std::thread::spawn(move || {
            let options = Options {
                threads,
                ..Options::default()
            };
            let _nobody = tell.send(run(&plan, options));
        });
        let most = std::time::Duration::from_secs(60);
        told.recv_timeout(most).expect("it ends")
    }

    #[test]
    fn a_panic_in_any_thread_is_what_came_of_the_run() {
        let mut plan = plan();
        plan.sites[0].apart = true;
        plan.sites[0].uplink = Some(Path::default());
        plan.steps.push(Step {
            at_ms: 40_500,
            act: Act::Mail {
                node: 2,
                to: 99,
                bytes: 10,
                best_effort: false,
            },
        });
        for threads in 1..=3 {
            let outcome = ended(&plan, threads);
            let [broken] = &outcome.broken[..] else {
                panic!("one promise breaks, not {:?}", outcome.broken);
            };
            assert_eq!((broken.promise, broken.node), ("no-panic", Some(2)));
            assert!(broken.what.contains("out of bounds"), "{}", broken.what);
            let at_ms = broken.at_us / 1_000;
            assert!((40_500..40_600).contains(&at_ms), "{at_ms} ms");
            assert_eq!(outcome.passed_us, broken.at_us);
            assert!(outcome.events > 10 && outcome.turns > 10);
            assert_ne!(outcome.hash, [0; 16], "of what happened before");
            assert_eq!(outcome.hash, ended(&plan, threads).hash);
        }
    }

    #[test]
    fn a_run_stops_at_the_very_step() {
        let stopped = |events| {
            let options = Options {
                limits: Limits {
                    events: Some(events),
                    ..Limits::default()
                },
                ..Options::default()
            };
            run(&plan(), options)
        };
        let whole = run(&plan(), Options::default());
        let mut before = 0;
        for step in [0, 1, 100, 301] {
            let outcome = stopped(step);
            assert_eq!(outcome.events, step);
            assert_eq!(outcome.metrics.series().total().events, step);
            let why = format!("stopped at step {step}");
            assert_eq!(outcome.unfinished, Some(why));
            assert!((before..whole.passed_us).contains(&outcome.passed_us));
            before = outcome.passed_us;
        }
    }

    #[test]
    fn a_message_counts_once_for_a_person_also_after_a_set_back() {
        let mut plan = plan();
        let mut again = |at_ms, act| plan.steps.push(Step { at_ms, act });
        again(35_000, Act::Backup { node: 2 });
        for at_ms in [45_500, 50_500] {
            let (node, noticed) = (2, true);
            again(at_ms, Act::Restore { node, noticed });
        }
        let twin = NodePlan {
            name: "Ben copy".to_owned(),
            twin_of: Some(2),
            ..plan.nodes[2].clone()
        };
        plan.nodes.push(twin);
        for at_ms in [31_500, 33_500] {
            plan.steps.push(Step {
                at_ms,
                act: Act::Mail {
                    node: 1,
                    to: 2,
                    bytes: 10,
                    best_effort: false,
                },
            });
        }
        plan.steps.push(Step {
            at_ms: 55_000,
            act: Act::Clone {
                node: 2,
                twin: 3,
                noticed: true,
            },
        });
        plan.converge_ms = 0;
        let totals = run(&plan, Options::default()).metrics.totals();
        assert_eq!((totals.written, totals.expected), (20, 20));
        assert_eq!(totals.shown, 20, "each once");
        assert_eq!((totals.mail_sent, totals.mail_arrived), (2, 2));
    }
}
