//! The page: the verdict in words, then what people ask next, in that order.

use super::charts::Charts;
use super::svg::{Size, escape};
use super::{Report, shares, tables, words};
use crate::metrics::Holdings;
use core::fmt::Write as _;

/// Broken promises that the page lists; the JSON has more.
const BROKEN: usize = 20;

/// Fewer times than this are no distribution; they are in the figures below.
const DISTRIBUTION: u64 = 10;

/// How the page looks: colours by role, once for light and once for dark.
const STYLE: &str = include_str!("page.css");

/// The whole page.
pub(crate) fn page(report: &Report) -> String {
    let name = escape(&report.summary.name);
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{name} · way-sim</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    head(report, &mut out);
    tiles(report, &mut out);
    world(report, &mut out);
    over_time(report, &mut out);
    rest(report, &mut out);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

/// The name, the verdict in words, what broke, and how to see it again.
fn head(report: &Report, out: &mut String) {
    let run = &report.run;
    let (class, title) = match (report.held(), &run.unfinished) {
        (true, None) => ("held", "Every promise held".to_owned()),
        (true, Some(_)) => (
            "early",
            "No promise broke, but the run ended early".to_owned(),
        ),
        (false, _) => match run.verdict.len() {
            1 => ("broke", "A promise broke".to_owned()),
            several => (
                "broke",
                format!("{} promises broke", words::count(several as u64)),
            ),
        },
    };
    let _ = write!(
        out,
        "<header>\n<p class=\"eyebrow\">way-sim · seed {}</p>\n<h1>{}</h1>\n\
         <div class=\"verdict {class}\">\n{}<div>\n<h2>{title}</h2>\n",
        report.summary.seed,
        escape(&report.summary.name),
        icon(class),
    );
    if let Some(why) = &run.unfinished {
        let after = words::time(run.simulated.as_micros());
        let _ = writeln!(out, "<p>It ended after {after}: {}</p>", escape(why));
    }
    if !report.held() {
        out.push_str("<ol class=\"broken\">\n");
        for broken in run.verdict.iter().take(BROKEN) {
            let _ = writeln!(
                out,
                "<li><strong>{}</strong> after {}{}<br>{}</li>",
                escape(broken.promise),
                words::time(broken.at_us),
                escape(&report.place_of(broken)),
                escape(&broken.what),
            );
        }
        out.push_str("</ol>\n");
        if run.verdict.len() > BROKEN {
            let more = words::count((run.verdict.len() - BROKEN) as u64);
            let _ = writeln!(out, "<p>And {more} more; the JSON has them.</p>");
        }
    }
    let replay = escape(&run.replay);
    let _ = write!(
        out,
        "<p class=\"replay\">See it again: <code>{replay}</code></p>\n</div>\n</div>\n</header>\n"
    );
}

/// A mark beside the verdict, so that it does not rest on colour alone.
fn icon(class: &str) -> String {
    let sign = match class {
        "held" => "M8 16.5l5.5 5.5L24 10.5",
        "broke" => "M10 10l12 12M22 10L10 22",
        _ => "M16 8v10M16 23v.5",
    };
    format!(
        "<svg class=\"icon\" viewBox=\"0 0 32 32\" width=\"44\" height=\"44\" \
         aria-hidden=\"true\"><circle cx=\"16\" cy=\"16\" r=\"16\"/><path d=\"{sign}\"/></svg>\n"
    )
}

/// The five numbers that people ask first.
fn tiles(report: &Report, out: &mut String) {
    let total = report.metrics.totals();
    let latency = report.metrics.latency();
    let real_us = u64::try_from(report.run.real.as_micros()).unwrap_or(u64::MAX);
    let speed = words::count(report.events_per_second());
    let longest = words::time(latency.permille_us(990));
    let each = |bytes: u64| words::bytes(bytes.checked_div(total.shown).unwrap_or(0));
    let tiles = [
        (
            "Delivered",
            words::percent(total.shown, total.expected),
            format!(
                "{} of {}",
                words::count(total.shown),
                words::count(total.expected)
            ),
        ),
        (
            "Half within",
            words::time(latency.permille_us(500)),
            format!("99 % within {longest}"),
        ),
        (
            "Sent",
            words::bytes(total.bytes),
            format!("{} for each delivery", each(total.bytes)),
        ),
        (
            "Simulated",
            words::time(report.run.simulated.as_micros()),
            format!("in {}, {speed} events/s", words::time(real_us)),
        ),
        (
            "Faults",
            words::count(report.metrics.faults_all()),
            format!("{} lying", words::nouns(report.summary.liars, "node")),
        ),
    ];
    out.push_str("<dl class=\"tiles\">\n");
    for (name, value, beside) in tiles {
        let _ = writeln!(
            out,
            "<div><dt>{name}</dt><dd><b>{}</b><span>{}</span></dd></div>",
            escape(&value),
            escape(&beside)
        );
    }
    out.push_str("</dl>\n");
}

/// The scenario's numbers, in a sentence and a list of planned faults.
fn world(report: &Report, out: &mut String) {
    let world = &report.summary;
    let mut text = format!(
        "{} and {} at {}",
        words::nouns(world.persons, "person"),
        words::nouns(world.cores, "core node"),
        words::nouns(world.sites, "site"),
    );
    match world.islands {
        0 => {}
        1 => text.push_str(", one of them an island"),
        several => {
            let _ = write!(text, ", {several} of them islands");
        }
    }
    let _ = write!(
        text,
        ". {} with {}, to which people send {}; {} to one node. \
         People act and faults happen for {}",
        words::nouns(world.topics, "topic"),
        words::nouns(world.members, "membership"),
        words::nouns(world.messages, "message"),
        words::nouns(world.mails, "letter"),
        words::time(world.length_ms.saturating_mul(1000)),
    );
    if world.converge_ms > 0 {
        let time = words::time(world.converge_ms.saturating_mul(1000));
        let _ = write!(text, ", then everybody has {time} to converge");
    }
    let _ = write!(
        out,
        "<section>\n<h2>The world</h2>\n<p>{}.</p>\n",
        escape(&text)
    );
    if !world.faults.is_empty() {
        out.push_str("<ul class=\"chips\" aria-label=\"Planned faults\">\n");
        for (kind, number) in &world.faults {
            let number = words::count(*number);
            let _ = writeln!(out, "<li>{} <b>{number}</b></li>", escape(kind));
        }
        out.push_str("</ul>\n");
    }
    out.push_str("</section>\n");
}

/// One plot with what it says, its colours, its two sizes and its table.
struct Figure<'a> {
    title: &'a str,
    says: String,
    /// Class and meaning.
    legend: &'a [(&'a str, &'a str)],
    table: String,
}

impl Figure<'_> {
    fn write(&self, out: &mut String, draw: impl Fn(Size, &str) -> String) {
        let label = format!("{}. {}", self.title, self.says);
        let _ = write!(
            out,
            "<figure>\n<figcaption><h3>{}</h3>\n<p>{}</p></figcaption>\n",
            escape(self.title),
            escape(&self.says)
        );
        if !self.legend.is_empty() {
            out.push_str("<ul class=\"legend\">");
            for (class, meaning) in self.legend {
                let _ = write!(
                    out,
                    "<li><i class=\"key {class}\"></i>{}</li>",
                    escape(meaning)
                );
            }
            out.push_str("</ul>\n");
        }
        let (wide, narrow) = (draw(Size::Wide, &label), draw(Size::Narrow, &label));
        let _ = write!(
            out,
            "<div class=\"wide\">{wide}</div>\n<div class=\"narrow\">{narrow}</div>\n\
             <details><summary>The figures</summary>{}</details>\n</figure>\n",
            self.table
        );
    }
}

const CLASSES: [(&str, &str); 2] = [("person", "persons"), ("core", "core nodes")];

/// The plots that share the axis of time.
fn over_time(report: &Report, out: &mut String) {
    let charts = Charts::new(report);
    let metrics = &report.metrics;
    out.push_str("<section>\n<h2>Over time</h2>\n");
    if report.run.simulated.as_micros() > report.summary.length_ms.saturating_mul(1000) {
        out.push_str("<p>Shaded: faults are over, and everybody converges.</p>\n");
    }
    let delivery = Figure {
        title: "Delivery",
        says: delivered(report),
        legend: &[
            ("shown", "shown to recipients"),
            ("expected", "written × recipients"),
        ],
        table: tables::delivery(report),
    };
    delivery.write(out, |size, label| charts.delivery(size, label));
    if metrics.faults_all() > 0 {
        let kept = metrics.faults().count() as u64;
        let mut says = words::nouns(metrics.faults_all(), "fault");
        if kept < metrics.faults_all() {
            let _ = write!(
                says,
                ", of which the first {} are listed",
                words::count(kept)
            );
        }
        let faults = Figure {
            title: "Faults",
            says: format!("{says}. A bar is as long as the trouble was planned to last."),
            legend: &[],
            table: tables::faults(report),
        };
        faults.write(out, |size, label| charts.faults(size, label));
    }
    let online = metrics.series().online_permille();
    if let Some(most) = online.iter().max().filter(|most| **most > 0) {
        let persons = words::nouns(report.summary.persons, "person");
        let most = words::count((most + 500) / 1000);
        let online = Figure {
            title: "People online",
            says: format!("At most {most} of {persons} at once."),
            legend: &[],
            table: tables::online(report, &charts),
        };
        online.write(out, |size, label| charts.online(size, label));
    }
    waiting(report, &charts, out);
    out.push_str("</section>\n");
}

/// What waited on links, and what went over them.
fn waiting(report: &Report, charts: &Charts<'_>, out: &mut String) {
    let metrics = &report.metrics;
    let total = metrics.series().total();
    let most = metrics
        .series()
        .columns()
        .iter()
        .map(|column| column.queue.map(|depth| depth.max));
    let most = most
        .fold([0, 0], |a, b| [a[0].max(b[0]), a[1].max(b[1])])
        .map(words::bytes);
    let queue = Figure {
        title: "Queues",
        says: format!(
            "What waits on all links of one node: at most {} at a person's, {} at a core node. \
             The line is the fullest node, the area the mean.",
            most[0], most[1]
        ),
        legend: &CLASSES,
        table: tables::queue(report),
    };
    let columns = metrics.series().columns();
    if columns
        .iter()
        .any(|column| column.queue.iter().any(|depth| depth.samples > 0))
    {
        queue.write(out, |size, label| charts.queue(size, label));
    }
    let traffic = Figure {
        title: "Traffic",
        says: format!(
            "Bytes that leave nodes in a second. In all {} left persons' nodes, {} core nodes.",
            words::bytes(total.bytes[0]),
            words::bytes(total.bytes[1])
        ),
        legend: &CLASSES,
        table: tables::traffic(report),
    };
    traffic.write(out, |size, label| charts.traffic(size, label));
}

/// What the plot of deliveries says.
fn delivered(report: &Report) -> String {
    let total = report.metrics.series().total();
    if total.expected == 0 {
        return "Nothing was to be delivered.".into();
    }
    format!(
        "{} were written, {} expected; {} shown, {}.",
        words::nouns(total.written, "message"),
        words::nouns(total.expected, "delivery").replace("deliverys", "deliveries"),
        words::count(total.shown),
        words::percent(total.shown, total.expected),
    )
}

/// The plots that are not over time, and all figures.
fn rest(report: &Report, out: &mut String) {
    let metrics = &report.metrics;
    out.push_str("<section>\n<h2>How long, how much, where</h2>\n");
    let latencies = [
        ("Latency of messages", metrics.latency()),
        ("Latency of mail", metrics.mail_latency()),
    ];
    for (title, histogram) in latencies {
        if histogram.count() < DISTRIBUTION {
            continue;
        }
        let says = format!(
            "From being stored at the author's to being shown: half within {}, 90 % within {}, \
             99 % within {}, the last after {}. The scale of times is logarithmic.",
            words::time(histogram.permille_us(500)),
            words::time(histogram.permille_us(900)),
            words::time(histogram.permille_us(990)),
            words::time(histogram.max_us()),
        );
        let figure = Figure {
            title,
            says,
            legend: &[],
            table: tables::latency(report),
        };
        figure.write(out, |size, label| shares::latency(histogram, size, label));
    }
    if metrics.frames().next().is_some() {
        let kinds = Figure {
            title: "Bytes by kind of frame",
            says: "By the class of the node that sent them.".into(),
            legend: &CLASSES,
            table: tables::kinds(report),
        };
        kinds.write(out, |size, label| shares::kinds(report, size, label));
    }
    holdings(report, out);
    out.push_str("</section>\n<section>\n<h2>All figures</h2>\n");
    out.push_str(&tables::figures(report));
    out.push_str("<h3>Latency</h3>\n");
    out.push_str(&tables::latency(report));
    out.push_str("<h3>Turns</h3>\n");
    out.push_str(&tables::turns(report));
    out.push_str("</section>\n");
}

fn holdings(report: &Report, out: &mut String) {
    let each = [
        ("cell h4", "as much as anybody"),
        ("cell h2", "half"),
        ("cell none", "nothing"),
        ("missing", "bodies gone or not come"),
    ];
    let (says, legend) = match report.metrics.holdings() {
        Holdings::Each(each) if each.is_empty() => return,
        Holdings::ByRole(roles) if roles.iter().all(|held| held.shares == 0) => return,
        Holdings::Each(_) => (
            "Envelopes at the end, by node and topic, beside the node that holds the most of it.",
            &each[..],
        ),
        Holdings::ByRole(_) => (
            "At the end, all topics and nodes of a class together.",
            &CLASSES[..],
        ),
    };
    let figure = Figure {
        title: "Who holds what",
        says: says.into(),
        legend,
        table: tables::holdings(report),
    };
    figure.write(out, |size, label| shares::holdings(report, size, label));
}
