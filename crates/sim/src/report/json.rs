//! The report for programs. Its keys are listed in `docs/report.md`.

use super::{Report, Summary};
use crate::check::Broken;
use crate::metrics::{
    Depth, Held, Histogram, Holdings, ROLES, Totals, TurnKind, frame_name, role_name,
};
use serde::Serialize;

/// The number of this format; a change that is more than a further key makes it another.
const FORMAT: u32 = 1;
/// Broken promises that are listed; those beyond are counted.
const BROKEN: usize = 1_000;

#[derive(Serialize)]
struct All<'a> {
    format: u32,
    name: &'a str,
    seed: u64,
    held: bool,
    broken_all: usize,
    broken: &'a [Broken],
    unfinished: Option<&'a str>,
    replay: &'a str,
    world: &'a Summary,
    run: RunFigures<'a>,
    totals: Totals,
    latency: Latency,
    mail_latency: Latency,
    frames: Vec<FrameRow>,
    turns: Vec<TurnRow>,
    column_us: u64,
    columns: Vec<ColumnRow>,
    faults_all: u64,
    faults: Vec<FaultRow<'a>>,
    holdings_by: &'static str,
    holdings: Vec<HoldingRow>,
}

#[derive(Serialize)]
struct RunFigures<'a> {
    simulated_us: u64,
    real_us: u64,
    events: u64,
    events_per_second: u64,
    peak_bytes: Option<u64>,
    trace: &'a str,
}

#[derive(Serialize)]
struct Latency {
    count: u64,
    min_us: u64,
    mean_us: u64,
    p50_us: u64,
    p90_us: u64,
    p99_us: u64,
    p999_us: u64,
    max_us: u64,
    /// From, to, how many.
    steps: Vec<(u64, u64, u64)>,
}

#[derive(Serialize)]
struct FrameRow {
    kind: u8,
    name: &'static str,
    role: &'static str,
    frames: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct TurnRow {
    began_with: &'static str,
    role: &'static str,
    turns: u64,
}

#[derive(Serialize)]
struct ColumnRow {
    at_us: u64,
    events: u64,
    written: u64,
    expected: u64,
    shown: u64,
    refused: u64,
    mail_sent: u64,
    mail_arrived: u64,
    online_permille: u64,
    person_bytes: u64,
    core_bytes: u64,
    person_queue_max: u64,
    person_queue_mean: u64,
    core_queue_max: u64,
    core_queue_mean: u64,
    commits: u64,
    commit_bytes: u64,
    dials_ok: u64,
    dials_failed: u64,
    faults: u64,
}

#[derive(Serialize)]
struct FaultRow<'a> {
    at_us: u64,
    node: Option<String>,
    text: &'a str,
}

#[derive(Serialize)]
struct HoldingRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    /// Nothing for mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    shares: u64,
    envelopes: u64,
    bodies: u64,
    bytes: u64,
    largest: u64,
}

/// The whole report as JSON.
pub(crate) fn text(report: &Report) -> String {
    let (run, metrics) = (&report.run, &report.metrics);
    let broken_all = run.verdict.len();
    let fault = |fault| {
        let fault: &crate::metrics::Fault = fault;
        FaultRow {
            at_us: fault.at_us,
            node: fault.node.map(|node| report.node_name(node)),
            text: &fault.text,
        }
    };
    let (holdings_by, holdings) = holdings(report);
    let all = All {
        format: FORMAT,
        name: &report.summary.name,
        seed: report.summary.seed,
        held: report.held(),
        broken_all,
        broken: &run.verdict[..broken_all.min(BROKEN)],
        unfinished: run.unfinished.as_deref(),
        replay: &run.replay,
        world: &report.summary,
        run: RunFigures {
            simulated_us: run.simulated.as_micros(),
            real_us: u64::try_from(run.real.as_micros()).unwrap_or(u64::MAX),
            events: run.events,
            events_per_second: report.events_per_second(),
            peak_bytes: (run.peak_bytes > 0).then_some(run.peak_bytes),
            trace: &run.trace,
        },
        totals: metrics.totals(),
        latency: latency(metrics.latency()),
        mail_latency: latency(metrics.mail_latency()),
        frames: frames(report),
        turns: turns(report),
        column_us: metrics.series().width_us(),
        columns: columns(report),
        faults_all: metrics.faults_all(),
        faults: metrics.faults().map(fault).collect(),
        holdings_by,
        holdings,
    };
    serde_json::to_string_pretty(&all).expect("it holds nothing but text and numbers")
}

fn latency(histogram: &Histogram) -> Latency {
    Latency {
        count: histogram.count(),
        min_us: histogram.min_us(),
        mean_us: histogram.mean_us(),
        p50_us: histogram.permille_us(500),
        p90_us: histogram.permille_us(900),
        p99_us: histogram.permille_us(990),
        p999_us: histogram.permille_us(999),
        max_us: histogram.max_us(),
        steps: histogram.steps().collect(),
    }
}

fn frames(report: &Report) -> Vec<FrameRow> {
    let mut rows = Vec::new();
    for (kind, both) in report.metrics.frames() {
        for (role, frames) in ROLES.into_iter().zip(both) {
            if frames.frames > 0 {
                rows.push(FrameRow {
                    kind,
                    name: frame_name(kind),
                    role: role_name(role),
                    frames: frames.frames,
                    bytes: frames.bytes,
                });
            }
        }
    }
    rows
}

fn turns(report: &Report) -> Vec<TurnRow> {
    let mut rows = Vec::new();
    for kind in TurnKind::ALL {
        for (role, turns) in ROLES.into_iter().zip(report.metrics.turns(kind)) {
            let (began_with, role) = (kind.name(), role_name(role));
            rows.push(TurnRow {
                began_with,
                role,
                turns,
            });
        }
    }
    rows
}

fn columns(report: &Report) -> Vec<ColumnRow> {
    let series = report.metrics.series();
    let online = series.online_permille();
    let mut rows = Vec::with_capacity(online.len());
    for (at, (column, online_permille)) in series.columns().iter().zip(online).enumerate() {
        let [person, core]: &[Depth; 2] = &column.queue;
        rows.push(ColumnRow {
            at_us: series.width_us().saturating_mul(at as u64),
            events: column.events,
            written: column.written,
            expected: column.expected,
            shown: column.shown,
            refused: column.refused,
            mail_sent: column.mail_sent,
            mail_arrived: column.mail_arrived,
            online_permille,
            person_bytes: column.bytes[0],
            core_bytes: column.bytes[1],
            person_queue_max: person.max,
            person_queue_mean: person.mean(),
            core_queue_max: core.max,
            core_queue_mean: core.mean(),
            commits: column.commits,
            commit_bytes: column.commit_bytes,
            dials_ok: column.dials_ok,
            dials_failed: column.dials_failed,
            faults: column.faults,
        });
    }
    rows
}

fn holdings(report: &Report) -> (&'static str, Vec<HoldingRow>) {
    let row = |held: &Held| HoldingRow {
        node: None,
        topic: None,
        role: None,
        shares: held.shares,
        envelopes: held.envelopes,
        bodies: held.bodies,
        bytes: held.bytes,
        largest: held.largest,
    };
    match report.metrics.holdings() {
        Holdings::Each(each) => {
            let mut rows = Vec::new();
            for ((node, topic), held) in each {
                rows.push(HoldingRow {
                    node: Some(report.node_name(*node)),
                    topic: topic.map(|topic| report.topic_name(Some(topic))),
                    ..row(held)
                });
            }
            ("node", rows)
        }
        Holdings::ByRole(roles) => {
            let named = ROLES.into_iter().zip(roles).map(|(role, held)| HoldingRow {
                role: Some(role_name(role)),
                ..row(held)
            });
            ("role", named.collect())
        }
    }
}
