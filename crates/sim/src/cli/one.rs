//! `way-sim run` and `way-sim list`.

use super::files::{self, Seems};
use super::{Bounds, End, Failed, Lines, args, say, tell};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::{Report, Run};
use crate::scenario::limits::MAX_TEXT;
use crate::scenario::{self, Scenario};
use crate::{Options, Outcome, check, interrupt, memory, run as run_plan};
use machine::Time;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Runs one scenario.
pub(super) fn run(args: &args::Run) -> Result<End, Failed> {
    args.bounds.set()?;
    let scenario = scenario(&args.file)?;
    let plan = plan(&scenario, &args.file, args.seed, args.nodes)?;
    let nodes = args
        .nodes
        .map_or_else(String::new, |nodes| format!(" --nodes {nodes}"));
    let again = format!("way-sim run {} --seed {}{nodes}", args.file, args.seed);
    if let Some(page) = &args.report {
        try_page(page)?;
    }
    let trace: Option<Box<dyn Write + Send>> = match &args.trace {
        None => None,
        Some(path) => Some(Lines::boxed(create(path)?)),
    };
    let (outcome, run) = timed(&plan, &args.bounds, again.clone(), trace)?;
    let differs = if args.twice {
        same_again(&plan, &args.bounds, &outcome)?
    } else {
        None
    };
    let end = finish(&plan, outcome, run, args.report.as_deref(), args.json)?;
    let Some(differs) = differs else {
        return Ok(end);
    };
    tell(args.json, differs);
    tell(
        args.json,
        format_args!("broken: same-seed-same-run ({again} --twice)"),
    );
    Ok(End::Broke)
}

fn create(path: &Path) -> Result<File, Failed> {
    File::create(path).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Says that a page cannot be written before the run, which may be long, and not after it. A page
/// that is there stays until the new one is written.
pub(super) fn try_page(page: &Path) -> Result<(), Failed> {
    let open = OpenOptions::new().append(true).create(true).open(page);
    open.map(|_| ())
        .map_err(|error| format!("cannot write {}: {error}", page.display()))
}

/// Runs a plan with a progress line, and notes what the run was.
pub(super) fn timed(
    plan: &Plan,
    bounds: &Bounds,
    again: String,
    trace: Option<Box<dyn Write + Send>>,
) -> Result<(Outcome, Run), Failed> {
    interrupt::listen();
    let end_us = plan
        .length_ms
        .saturating_add(plan.converge_ms)
        .saturating_mul(1_000);
    let mut line = Progress::world(&plan.name, end_us);
    let mut told = |at: &crate::Progress| line.update(at.passed_us, at.events);
    let begun = Instant::now();
    let options = Options {
        threads: bounds.threads_for(plan),
        trace,
        limits: bounds.limits(),
        progress: Some(&mut told),
        #[cfg(feature = "planted")]
        planted: bounds.bug()?,
    };
    let outcome = run_plan(plan, options);
    let real = begun.elapsed();
    line.clear();
    let run = what_it_was(&outcome, real, again);
    Ok((outcome, run))
}

pub(super) fn what_it_was(outcome: &Outcome, real: Duration, replay: String) -> Run {
    Run {
        verdict: outcome.broken.clone(),
        unfinished: outcome.unfinished.clone(),
        simulated: Time::from_micros(outcome.passed_us),
        real,
        events: outcome.events,
        peak_bytes: memory::peak().unwrap_or(0),
        trace: hex(&outcome.hash),
        replay,
    }
}

/// Says what came of a run, and writes its report.
pub(super) fn finish(
    plan: &Plan,
    outcome: Outcome,
    run: Run,
    page: Option<&Path>,
    json: bool,
) -> Result<End, Failed> {
    let report = Report::new(plan, run, outcome.metrics.clone());
    if let Some(page) = page {
        std::fs::write(page, report.html())
            .map_err(|error| format!("cannot write {}: {error}", page.display()))?;
    }
    if json {
        say(report.json());
    } else {
        say(report.text());
    }
    if let Some(why) = &outcome.unfinished {
        tell(json, stopped(why));
    }
    Ok(verdict(&outcome, &report.run.replay, json))
}

/// A line on why a run ended before its end.
pub(super) fn stopped(why: &str) -> String {
    match why.strip_prefix("stopped") {
        Some(_) => why.to_owned(),
        None => format!("stopped before the end: {why}"),
    }
}

/// The last line: which promise broke, and how to see it again.
pub(super) fn verdict(outcome: &Outcome, again: &str, json: bool) -> End {
    let Some(broken) = outcome.broken.first() else {
        return End::Held;
    };
    tell(json, &broken.what);
    tell(json, format_args!("broken: {} ({again})", broken.promise));
    End::Broke
}

/// Runs a plan a second time; says what is wrong when something else came of it.
fn same_again(plan: &Plan, bounds: &Bounds, first: &Outcome) -> Result<Option<String>, Failed> {
    let options = Options {
        threads: bounds.threads_for(plan),
        limits: bounds.limits(),
        #[cfg(feature = "planted")]
        planted: bounds.bug()?,
        ..Options::default()
    };
    let second = run_plan(plan, options);
    let whole = first.unfinished.is_none() && second.unfinished.is_none();
    let (one, two) = (hex(&first.hash), hex(&second.hash));
    let what = || format!("{}: the same seed gave {one} and then {two}", plan.name);
    Ok((whole && one != two).then(what))
}

/// A scenario by its file, or by the name of a ready-made one.
pub(super) fn scenario(file: &str) -> Result<Scenario, Failed> {
    if let Some((name, _, text)) = scenario::ready().iter().find(|(name, ..)| *name == file) {
        return read(text, name);
    }
    let seems = files::read(Path::new(file), MAX_TEXT).map_err(|error| {
        let ready: Vec<&str> = scenario::ready().iter().map(|(name, ..)| *name).collect();
        format!(
            "cannot read {file}: {error}; ready-made scenarios are {}",
            ready.join(", ")
        )
    })?;
    let text = match seems {
        Seems::Scenario(text) | Seems::Text(text) => text,
        Seems::Plan(_) | Seems::Record => {
            let what = "no scenario but a plan that was kept, or a record";
            return Err(format!("{file} is {what}: way-sim replay {file}"));
        }
        Seems::Bytes => {
            let what = "no scenario: it is no text";
            return Err(format!("{file} is {what}; a scenario is TOML in UTF-8"));
        }
        Seems::Long => {
            let most = "more than a scenario may have";
            return Err(format!("{file} has more than {MAX_TEXT} bytes, {most}"));
        }
    };
    let name = Path::new(file)
        .file_stem()
        .map_or_else(|| file.into(), |stem| stem.to_string_lossy());
    read(&text, &name)
}

fn read(text: &str, name: &str) -> Result<Scenario, Failed> {
    Scenario::read(text, name).map_err(|mistakes| {
        let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        format!("{name} cannot be run:\n  {}", lines.join("\n  "))
    })
}

pub(super) fn plan(
    scenario: &Scenario,
    file: &str,
    seed: u64,
    nodes: Option<u32>,
) -> Result<Plan, Failed> {
    let plan = match nodes {
        Some(nodes) => scenario.plan_scaled(seed, nodes),
        None => scenario.plan(seed),
    };
    plan.map_err(|mistake| format!("{file} cannot be run: {mistake}"))
}

/// Lists the ready-made scenarios and the promises.
pub(super) fn list() -> Result<End, Failed> {
    say("Scenarios (way-sim run NAME):");
    for (name, about, _) in scenario::ready() {
        say(format_args!("  {name:<14}{about}"));
    }
    say("\nPromises that are watched in every run:");
    for (name, about) in check::PROMISES {
        say(format_args!("  {name:<14}{about}"));
    }
    Ok(End::Held)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
