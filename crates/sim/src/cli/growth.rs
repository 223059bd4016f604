//! `way-sim growth`: how things grow with the number of nodes, seen and not said.

use super::one::{plan, scenario, timed};
use super::{End, Failed, args, say};
use crate::memory;

/// Runs one scenario with more and more nodes.
pub(super) fn run(args: &args::Growth) -> Result<End, Failed> {
    args.bounds.set()?;
    let scenario = scenario(&args.file)?;
    say(
        "   nodes      events  a node and day    bytes sent  delivered  of expected  memory MiB       s  events/s",
    );
    let mut end = End::Held;
    for nodes in &args.nodes {
        let plan = plan(&scenario, &args.file, args.seed, Some(*nodes))?;
        let again = format!(
            "way-sim run {} --seed {} --nodes {nodes}",
            args.file, args.seed
        );
        let (outcome, run) = timed(&plan, &args.bounds, again, None)?;
        let figures = outcome.metrics.totals();
        let days = (outcome.passed_us / 1_000).max(1);
        let each = u128::from(outcome.events) * 86_400_000
            / (u128::from(days) * plan.nodes.len().max(1) as u128);
        let seconds = run.real.as_secs_f32();
        say(format_args!(
            "{:>8}  {:>10}  {:>14}  {:>12}  {:>9}  {:>11}  {:>10}  {:>6.1}  {:>8.0}",
            plan.nodes.len(),
            outcome.events,
            each,
            figures.bytes,
            figures.shown,
            figures.expected,
            memory::now().unwrap_or(0) >> 20,
            seconds,
            outcome.events as f32 / seconds.max(0.001),
        ));
        if let Some(why) = &outcome.unfinished {
            say(format_args!("          {}", super::one::stopped(why)));
        }
        if super::one::verdict(&outcome, &run.replay, false) == End::Broke {
            end = End::Broke;
        }
        if crate::interrupt::asked() {
            break;
        }
    }
    Ok(end)
}
