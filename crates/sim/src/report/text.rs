//! The report in a few lines, for a terminal.

use super::{Report, words};
use crate::metrics::frame_name;
use core::fmt::Write as _;

/// The lines, without an end of the last.
pub(crate) fn lines(report: &Report) -> String {
    let (world, run, metrics) = (&report.summary, &report.run, &report.metrics);
    let (total, latency) = (metrics.totals(), metrics.latency());
    let mut out = format!(
        "{}, seed {}: {}, {}, {}\n",
        one_line(&world.name),
        world.seed,
        words::nouns(world.persons, "person"),
        words::nouns(world.cores, "core node"),
        words::nouns(world.topics, "topic"),
    );
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "  {name:<10} {text}");
    };
    let (shown, expected) = (words::count(total.shown), words::count(total.expected));
    let part = words::percent(total.shown, total.expected);
    line("delivered", format!("{shown} of {expected} ({part})"));
    if total.refused > 0 {
        let refused = words::count(total.refused);
        line("", format!("{refused} refused at the author's"));
    }
    if let (never @ 1.., all) = metrics.joins() {
        let (never, all) = (words::count(never), words::count(all));
        line("", format!("{never} of {all} never joined"));
    }
    if total.mail_sent > 0 {
        let (arrived, sent) = (
            words::count(total.mail_arrived),
            words::count(total.mail_sent),
        );
        line("mail", format!("{arrived} of {sent} arrived"));
    }
    if latency.count() > 0 {
        let [half, most, nearly] = [500, 900, 990].map(|p| words::time(latency.permille_us(p)));
        let longest = words::time(latency.max_us());
        line(
            "latency",
            format!("50 % {half}, 90 % {most}, 99 % {nearly}, longest {longest}"),
        );
    }
    line("sent", sent(report));
    line("faults", words::count(metrics.faults_all()));
    let raids = metrics.raids();
    if raids.links > 0 {
        let (links, frames) = (
            words::nouns(raids.links, "link"),
            words::nouns(raids.frames, "frame"),
        );
        let (checked, stored) = (
            words::nouns(raids.checked, "signature check"),
            words::bytes(raids.staged),
        );
        line(
            "raided",
            format!("{links}, {frames}: {checked}, {stored} stored"),
        );
    }
    line("simulated", simulated(report));
    line("trace", run.trace.clone());
    let verdict = match (run.verdict.len(), &run.unfinished) {
        (0, None) => "every promise held".to_owned(),
        (0, Some(_)) => "no promise broke before it ended early".to_owned(),
        (1, _) => "a promise broke".to_owned(),
        (several, _) => format!("{several} promises broke"),
    };
    line("verdict", verdict);
    out.truncate(out.trim_end().len());
    out
}

/// How much left nodes, and as what most.
fn sent(report: &Report) -> String {
    let (metrics, total) = (&report.metrics, report.metrics.totals());
    let greatest = metrics
        .frames()
        .max_by_key(|(_, both)| both[0].bytes + both[1].bytes);
    let mut sent = format!(
        "{} in {}",
        words::bytes(total.bytes),
        words::nouns(total.frames, "frame")
    );
    if let Some((kind, both)) = greatest {
        let part = words::percent(both[0].bytes + both[1].bytes, total.bytes);
        let _ = write!(sent, ", {part} of it {}", frame_name(kind));
    }
    sent
}

/// How much was simulated, and what that took.
fn simulated(report: &Report) -> String {
    let run = &report.run;
    let real_us = u64::try_from(run.real.as_micros()).unwrap_or(u64::MAX);
    let mut simulated = format!(
        "{} in {}: {} events, {} a second",
        words::time(run.simulated.as_micros()),
        words::time(real_us),
        words::count(run.events),
        words::count(report.events_per_second()),
    );
    if run.peak_bytes > 0 {
        let _ = write!(simulated, ", {}", words::bytes(run.peak_bytes));
    }
    simulated
}

/// A name cannot move the cursor.
fn one_line(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).collect()
}
