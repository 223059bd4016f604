//! `way-sim replay` and `way-sim shrink`.

use super::files::{self, MAX_PLAN, Seems};
use super::one::{finish, timed, try_page, what_it_was};
use super::{End, Failed, Lines, args, say};
use crate::plan::Plan;
use crate::{Kept, Limits, Options, run as run_plan};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

/// What there is to play again.
enum What {
    Plan(Box<Plan>),
    Record,
}

/// Plays a run again.
pub(super) fn run(args: &args::Replay) -> Result<End, Failed> {
    args.bounds.set()?;
    let plan = match what(&args.what)? {
        What::Record => return record(Path::new(&args.what)),
        What::Plan(plan) => *plan,
    };
    if let Some(page) = &args.report {
        try_page(page)?;
    }
    let again = format!("way-sim replay {}", args.what);
    let (outcome, was) = if args.quiet && args.until.is_none() {
        timed(&plan, &args.bounds, again, None)?
    } else {
        let limits = Limits {
            events: args.until,
            ..args.bounds.limits()
        };
        let options = Options {
            limits,
            trace: (!args.quiet).then(|| Lines::boxed(std::io::stdout())),
            #[cfg(feature = "planted")]
            planted: args.bounds.bug()?,
            ..Options::default()
        };
        crate::interrupt::listen();
        let begun = Instant::now();
        let outcome = run_plan(&plan, options);
        let was = what_it_was(&outcome, begun.elapsed(), again);
        (outcome, was)
    };
    finish(&plan, outcome, was, args.report.as_deref(), false)
}

/// A seed, a kept plan, or a record.
fn what(what: &str) -> Result<What, Failed> {
    if !what.is_empty() && what.bytes().all(|byte| byte.is_ascii_digit()) {
        let seed = what
            .parse()
            .map_err(|_| format!("there is no seed {what}: seeds are from 0 to {}", u64::MAX))?;
        return Ok(What::Plan(Box::new(crate::swarm::plan(seed))));
    }
    let instead = || format!("to run a scenario: way-sim run {what}");
    let seems = files::read(Path::new(what), MAX_PLAN).map_err(|error| {
        let hint = if files::is_ready(what) {
            instead()
        } else {
            "expected: a seed such as 7, a plan that was kept, or a record".to_owned()
        };
        format!("{what} is no seed, and cannot be read as a file: {error}; {hint}")
    })?;
    match seems {
        Seems::Record => Ok(What::Record),
        Seems::Plan(text) => {
            let kept = Kept::read(&text)
                .map_err(|why| format!("{what} is no plan that was kept: {why}"))?;
            Ok(What::Plan(Box::new(kept.plan)))
        }
        Seems::Scenario(_) => Err(format!("{what} is a scenario; {}", instead())),
        Seems::Text(_) | Seems::Bytes => Err(format!(
            "{what} is neither a plan that was kept nor a record of `way up --record`"
        )),
        Seems::Long => Err(format!(
            "{what} has more than {MAX_PLAN} bytes, more than a plan that was kept may have"
        )),
    }
}

/// Plays the record of a real node again and compares every output.
fn record(file: &Path) -> Result<End, Failed> {
    match driver::record::replay_node(file, &mut String::new()) {
        Ok(played) => {
            let (lives, turns, outputs) = (played.lives, played.turns, played.outputs);
            let was = format!("{lives} lives, {turns} turns, {outputs} outputs");
            if played.ends_early {
                say(format_args!(
                    "{was}: as recorded, but the record ends early: it was cut off, by a crash or \
                     afterwards, and what followed is not known"
                ));
                return Ok(End::Broke);
            }
            say(format_args!("{was}: all as recorded"));
            Ok(End::Held)
        }
        Err(driver::record::ReplayFailed::Read(why)) => Err(format!(
            "{} cannot be read as a record: {why}",
            file.display()
        )),
        Err(why) => {
            say(why);
            say(format_args!(
                "broken: same-inputs-same-outputs (way-sim replay {})",
                file.display()
            ));
            Ok(End::Broke)
        }
    }
}

/// Makes a failing world as small as it can be.
pub(super) fn shrink(args: &args::Shrink) -> Result<End, Failed> {
    args.bounds.set()?;
    let What::Plan(plan) = what(&args.what)? else {
        return Err("a record cannot be made smaller".to_owned());
    };
    let how = args.bounds.how(false)?;
    crate::interrupt::listen();
    let mut each = |tried, plan: &Plan| {
        let _closed = writeln!(
            std::io::stderr(),
            "{tried:>5} tried: {} nodes, {} steps",
            plan.nodes.len(),
            plan.steps.len()
        );
    };
    let Some(shrunk) = crate::shrink(&plan, how, args.most, &mut each) else {
        say(format_args!("every promise holds in {}", args.what));
        return Ok(End::Held);
    };
    let broken = &shrunk.outcome.broken[0];
    let kept = Kept {
        story: if args.story.is_empty() {
            broken.what.clone()
        } else {
            args.story.clone()
        },
        promise: broken.promise.to_owned(),
        plan: shrunk.plan.clone(),
    };
    let text = kept.write()?;
    match &args.out {
        None => say(text.trim_end()),
        Some(out) => std::fs::write(out, text)
            .map_err(|error| format!("cannot write {}: {error}", out.display()))?,
    }
    let again = args
        .out
        .as_ref()
        .map_or_else(|| args.what.clone(), |out| out.display().to_string());
    say(format_args!(
        "broken: {} (way-sim replay {again})",
        broken.promise
    ));
    Ok(End::Broke)
}
