//! The figures behind the plots, as tables.

use super::charts::Charts;
use super::shares::MARKED;
use super::svg::escape;
use super::{Report, words};
use crate::metrics::{Column, Frames, Holdings, TurnKind, frame_name};
use core::fmt::Write as _;

/// Rows of a table over time; more columns of time are put together.
const TIME_ROWS: usize = 24;
/// Rows of a list; the JSON has all.
const LIST_ROWS: usize = 400;

/// A table: its caption for those who hear it, its head, its rows. Numbers stand right; with
/// `words` everything stands left.
fn table(caption: &str, words: bool, head: &[&str], rows: &[Vec<String>]) -> String {
    let class = if words { " class=\"words\"" } else { "" };
    let mut out = format!("<div class=\"scroll\" tabindex=\"0\"><table{class}><caption>");
    let _ = write!(out, "{}</caption><thead><tr>", escape(caption));
    for name in head {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(name));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows.iter().take(LIST_ROWS) {
        out.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            let _ = match at {
                0 => write!(out, "<th scope=\"row\">{cell}</th>"),
                _ => write!(out, "<td>{cell}</td>"),
            };
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>");
    if rows.len() > LIST_ROWS {
        let more = words::count((rows.len() - LIST_ROWS) as u64);
        let _ = write!(
            out,
            "<p class=\"note\">{more} more rows are in the JSON.</p>"
        );
    }
    out
}

/// One row for each stretch of time, at most [`TIME_ROWS`].
fn over_time(
    report: &Report,
    caption: &str,
    head: &[&str],
    row: impl Fn(&[Column]) -> Vec<String>,
) -> String {
    let series = report.metrics.series();
    let together = series.columns().len().div_ceil(TIME_ROWS).max(1);
    let mut rows = Vec::new();
    for (at, columns) in series.columns().chunks(together).enumerate() {
        let from = series.width_us().saturating_mul((at * together) as u64);
        let mut cells = vec![words::time(from)];
        cells.extend(row(columns));
        rows.push(cells);
    }
    table(caption, false, head, &rows)
}

fn sum(columns: &[Column], of: impl Fn(&Column) -> u64) -> String {
    words::count(columns.iter().map(of).sum())
}

pub(crate) fn delivery(report: &Report) -> String {
    let head = ["from", "written", "deliveries expected", "shown", "refused"];
    over_time(
        report,
        "Deliveries in each stretch of time",
        &head,
        |columns| {
            vec![
                sum(columns, |column| column.written),
                sum(columns, |column| column.expected),
                sum(columns, |column| column.shown),
                sum(columns, |column| column.refused),
            ]
        },
    )
}

pub(crate) fn online(report: &Report, charts: &Charts<'_>) -> String {
    let means = report.metrics.series().online_permille();
    let together = means.len().div_ceil(TIME_ROWS).max(1);
    let rows: Vec<Vec<String>> = means
        .chunks(together)
        .enumerate()
        .map(|(at, means)| {
            let mean = means.iter().sum::<u64>() / means.len().max(1) as u64;
            let text = format!("{}.{}", words::count(mean / 1000), mean % 1000 / 100);
            let (from, last) = (at * together, at * together + means.len() - 1);
            vec![charts.stretch_of(from, last), text]
        })
        .collect();
    let head = ["time", "people online on average"];
    table("People online in each stretch of time", false, &head, &rows)
}

pub(crate) fn queue(report: &Report) -> String {
    let head = [
        "from",
        "persons, most",
        "persons, mean",
        "core nodes, most",
        "core nodes, mean",
    ];
    over_time(
        report,
        "What waited on the links of a node",
        &head,
        |columns| {
            let mut cells = Vec::new();
            for role in 0..2 {
                let depths = columns.iter().map(|column| column.queue[role]);
                let most = depths.clone().map(|depth| depth.max).max();
                let sum: u64 = depths.clone().map(|depth| depth.sum).sum();
                let samples: u64 = depths.map(|depth| depth.samples).sum();
                cells.push(words::bytes(most.unwrap_or(0)));
                cells.push(words::bytes(sum.checked_div(samples).unwrap_or(0)));
            }
            cells
        },
    )
}

pub(crate) fn traffic(report: &Report) -> String {
    let head = [
        "from",
        "persons",
        "core nodes",
        "commits",
        "bytes committed",
        "dials",
        "failed",
    ];
    over_time(
        report,
        "What left nodes and what was made durable",
        &head,
        |columns| {
            let bytes = |of: fn(&Column) -> u64| words::bytes(columns.iter().map(of).sum());
            vec![
                bytes(|column| column.bytes[0]),
                bytes(|column| column.bytes[1]),
                sum(columns, |column| column.commits),
                bytes(|column| column.commit_bytes),
                sum(columns, |column| column.dials_ok + column.dials_failed),
                sum(columns, |column| column.dials_failed),
            ]
        },
    )
}

pub(crate) fn faults(report: &Report) -> String {
    let row = |fault| {
        let fault: &crate::metrics::Fault = fault;
        vec![words::time(fault.at_us), report.fault_words(fault)]
    };
    let rows: Vec<Vec<String>> = report.metrics.faults().map(row).collect();
    table("What went wrong", true, &["after", "what"], &rows)
}

pub(crate) fn latency(report: &Report) -> String {
    let metrics = &report.metrics;
    let rows: Vec<Vec<String>> = [
        ("messages", metrics.latency()),
        ("mail", metrics.mail_latency()),
    ]
    .into_iter()
    .filter(|(_, histogram)| histogram.count() > 0)
    .map(|(name, histogram)| {
        let mut cells = vec![name.to_owned(), words::count(histogram.count())];
        cells.push(words::time(histogram.min_us()));
        cells.push(words::time(histogram.mean_us()));
        let marked = MARKED
            .iter()
            .map(|(_, permille)| histogram.permille_us(*permille));
        cells.extend(marked.map(words::time));
        cells
    })
    .collect();
    let head = [
        "what", "number", "shortest", "mean", "50 %", "90 %", "99 %", "longest",
    ];
    table("How long it took", false, &head, &rows)
}

pub(crate) fn kinds(report: &Report) -> String {
    let mut rows: Vec<(u64, Vec<String>)> = report
        .metrics
        .frames()
        .map(|(kind, [persons, cores])| {
            let cells = |frames: Frames| [words::count(frames.frames), words::bytes(frames.bytes)];
            let mut row = vec![frame_name(kind).to_owned()];
            row.extend(cells(persons));
            row.extend(cells(cores));
            (persons.bytes + cores.bytes, row)
        })
        .collect();
    rows.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(_, row)| row).collect();
    let head = [
        "kind",
        "persons, frames",
        "bytes",
        "core nodes, frames",
        "bytes",
    ];
    table("Frames that left nodes", false, &head, &rows)
}

pub(crate) fn holdings(report: &Report) -> String {
    let numbers = |held: &crate::metrics::Held| {
        [
            words::count(held.envelopes),
            words::count(held.bodies),
            words::bytes(held.bytes),
        ]
    };
    match report.metrics.holdings() {
        Holdings::Each(each) => {
            let row = |((node, topic), held): (&(u32, Option<u32>), &crate::metrics::Held)| {
                let mut row = vec![report.node_name(*node), report.topic_name(*topic)];
                row.extend(numbers(held));
                row
            };
            let rows: Vec<Vec<String>> = each.iter().map(row).collect();
            let head = ["node", "topic", "envelopes", "bodies", "bytes"];
            table("Who holds what at the end", false, &head, &rows)
        }
        Holdings::ByRole(roles) => {
            let row = |(name, held): (&str, &crate::metrics::Held)| {
                let mut row = vec![name.to_owned(), words::count(held.shares)];
                row.extend(numbers(held));
                row.push(words::bytes(held.largest));
                row
            };
            let named = ["persons", "core nodes"].into_iter().zip(roles);
            let rows: Vec<Vec<String>> = named.map(row).collect();
            let head = [
                "class",
                "nodes × topics",
                "envelopes",
                "bodies",
                "bytes",
                "largest share",
            ];
            table(
                "What each class of nodes holds at the end",
                false,
                &head,
                &rows,
            )
        }
    }
}

pub(crate) fn turns(report: &Report) -> String {
    let row = |kind: &TurnKind| {
        let [persons, cores] = report.metrics.turns(*kind);
        let numbers = [persons, cores, persons + cores].map(words::count);
        let mut row = vec![kind.name().to_owned()];
        row.extend(numbers);
        row
    };
    let rows: Vec<Vec<String>> = TurnKind::ALL.iter().map(row).collect();
    let head = ["began with", "persons", "core nodes", "together"];
    table("Turns of nodes", false, &head, &rows)
}

/// Everything that is one number.
pub(crate) fn figures(report: &Report) -> String {
    let (run, total) = (&report.run, report.metrics.totals());
    let count = words::count;
    let real_us = u64::try_from(run.real.as_micros()).unwrap_or(u64::MAX);
    let memory = match run.peak_bytes {
        0 => "not known".to_owned(),
        bytes => words::bytes(bytes),
    };
    let rows = [
        ("Seed", report.summary.seed.to_string()),
        ("Simulated time", words::time(run.simulated.as_micros())),
        ("Real time", words::time(real_us)),
        ("Events", count(run.events)),
        ("Events a second", count(report.events_per_second())),
        ("Peak memory", memory),
        ("Trace", run.trace.clone()),
        ("Messages written", count(total.written)),
        ("Deliveries expected", count(total.expected)),
        ("Deliveries shown", count(total.shown)),
        ("Messages refused", count(total.refused)),
        ("Mail sent", count(total.mail_sent)),
        ("Mail arrived", count(total.mail_arrived)),
        ("Frames", count(total.frames)),
        ("Bytes of frames", words::bytes(total.bytes)),
        ("Commits", count(total.commits)),
        ("Bytes committed", words::bytes(total.commit_bytes)),
        ("Dials that led to a link", count(total.dials_ok)),
        ("Dials that did not", count(total.dials_failed)),
        ("Faults", count(report.metrics.faults_all())),
    ];
    let rows: Vec<Vec<String>> = rows
        .map(|(name, value)| vec![name.to_owned(), value])
        .into();
    table("All figures of the run", false, &["figure", "value"], &rows)
}
