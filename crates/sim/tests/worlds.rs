//! The swarm, and the ready-made scenarios: every promise holds in all of them.

use sim::scenario::{self, Scenario};
use sim::search::{How, search};
use sim::{Options, run};
use std::ops::ControlFlow;
use std::time::Instant;

/// Worlds of a normal run; `SIM_SEEDS` sets another number, `SIM_FROM` the first.
const SEEDS: u64 = 300;

fn set(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_promise_holds_in_every_world() {
    let first = set("SIM_FROM").unwrap_or(0);
    let seeds = first..first + set("SIM_SEEDS").unwrap_or(SEEDS);
    let how = How {
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        ..How::default()
    };
    identity::remember(true);
    let begun = Instant::now();
    let (mut failed, mut done, mut events) = (Vec::new(), 0, 0);
    search(seeds, how, &mut |found| {
        done += 1;
        events += found.outcome.events;
        if let Some(broken) = found.outcome.broken.first() {
            failed.push(format!(
                "seed {}: {}: {}",
                found.seed, broken.promise, broken.what
            ));
        }
        ControlFlow::Continue(())
    });
    eprintln!(
        "{done} worlds, {events} events, {:.1} s",
        begun.elapsed().as_secs_f32()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn ready_made_scenarios_hold() {
    for (name, _, text) in scenario::ready() {
        let scenario = Scenario::read(text, name).expect("it is ready");
        let plan = if matches!(*name, "city" | "distribution") {
            scenario.plan_scaled(1, 60).expect("a small one")
        } else {
            scenario.plan(1).expect("it is ready")
        };
        let outcome = run(&plan, Options::default());
        assert_eq!(outcome.unfinished, None, "{name}");
        let broken = outcome.broken.first();
        assert!(broken.is_none(), "{name}: {broken:?}");
    }
}
