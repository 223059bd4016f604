//! `way-sim swarm`: many worlds, each drawn from its seed.

use super::one::hex;
use super::{End, Failed, args, say, tell};
use crate::progress::Progress;
use crate::search::{Found, search};
use std::ops::ControlFlow;

/// Runs the worlds of many seeds.
pub(super) fn run(args: &args::Swarm) -> Result<End, Failed> {
    args.bounds.set()?;
    let last = args
        .from
        .checked_add(args.seeds)
        .ok_or("there are no such seeds")?;
    crate::interrupt::listen();
    let mut line = Progress::seeds(args.seeds);
    let (mut done, mut events, mut broke, mut odd) = (0, 0, Vec::new(), Vec::new());
    let mut unfinished = 0_u64;
    let each = &mut |found: Found| {
        done += 1;
        events += found.outcome.events;
        if args.json {
            say(json(&found));
        }
        unfinished += u64::from(found.outcome.unfinished.is_some());
        if found.differs {
            odd.push(found.seed);
        }
        let broken = !found.outcome.broken.is_empty();
        if broken {
            broke.push(found);
        }
        line.update(done, events);
        let enough = (broken || !odd.is_empty()) && !args.keep_going;
        if enough || crate::interrupt::asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let how = args.bounds.how(args.twice)?;
    search(args.from..last, how, each);
    let took = line.elapsed();
    line.clear();
    broke.sort_by_key(|found| found.seed);
    if !args.json {
        let rate = events * 1_000 / u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        say(format_args!(
            "{done} worlds, {events} events in {:.1} s ({rate} a second)",
            took.as_secs_f32()
        ));
        if unfinished > 0 {
            say(format_args!(
                "{unfinished} did not come to their end within the limits"
            ));
        }
        for found in &broke {
            for broken in found.outcome.broken.iter().take(1) {
                say(format_args!(
                    "seed {}: {}: {}",
                    found.seed, broken.promise, broken.what
                ));
            }
        }
    }
    if let Some(seed) = odd.first() {
        tell(
            args.json,
            format_args!(
                "broken: same-seed-same-run (way-sim swarm --from {seed} --seeds 1 --twice)"
            ),
        );
        return Ok(End::Broke);
    }
    match broke.first() {
        None => Ok(End::Held),
        Some(found) => {
            let promise = found.outcome.broken[0].promise;
            tell(
                args.json,
                format_args!("broken: {promise} (way-sim replay {})", found.seed),
            );
            Ok(End::Broke)
        }
    }
}

fn json(found: &Found) -> String {
    let outcome = &found.outcome;
    serde_json::json!({
        "seed": found.seed,
        "nodes": found.nodes,
        "messages": found.messages,
        "faults": found.faults,
        "events": outcome.events,
        "simulated_ms": outcome.passed_us / 1_000,
        "hash": hex(&outcome.hash),
        "same": !found.differs,
        "unfinished": outcome.unfinished,
        "broken": outcome.broken,
    })
    .to_string()
}
