use super::{Run, sample};
use crate::metrics::{Held, Metrics};
use crate::plan::{Plan, Role};
use core::time::Duration;
use machine::Time;
use serde_json::Value;

/// Follows the tags of a page: each is closed in order, every attribute is quoted, nothing that has
/// a meaning stands alone. Says what is wrong and where.
fn well_formed(text: &str) -> Result<usize, String> {
    const ALONE: [&str; 3] = ["meta", "br", "!doctype"];
    let (mut open, mut tags, mut rest) = (Vec::new(), 0, text);
    while let Some(start) = rest.find('<') {
        let between = &rest[..start];
        if open.last() != Some(&"style") {
            plain(between)?;
        }
        let inside = &rest[start + 1..];
        let end = inside.find('>').ok_or("a tag without an end")?;
        let tag = &inside[..end];
        rest = &inside[end + 1..];
        tags += 1;
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes something else"));
            }
            continue;
        }
        let (body, closed) = tag
            .strip_suffix('/')
            .map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = body.split_once(' ').unwrap_or((body, ""));
        if !ALONE.contains(&name) {
            quoted(attributes).map_err(|why| format!("<{tag}>: {why}"))?;
            if !closed {
                open.push(name);
            }
        }
    }
    plain(rest)?;
    if open.is_empty() {
        Ok(tags)
    } else {
        Err(format!("{open:?} stay open"))
    }
}

fn plain(text: &str) -> Result<(), String> {
    let entities = ["amp;", "lt;", "gt;", "quot;", "#39;"];
    let alone = text
        .split('&')
        .skip(1)
        .find(|rest| !entities.iter().any(|e| rest.starts_with(e)));
    match (alone, text.contains('>')) {
        (None, false) => Ok(()),
        _ => Err(format!("{text:?} is not escaped")),
    }
}

fn quoted(attributes: &str) -> Result<(), String> {
    let mut rest = attributes.trim();
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").ok_or(rest)?;
        let word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let (value, after) = value.split_once('"').ok_or(value)?;
        plain(value)?;
        let number = value
            .split(' ')
            .any(|part| ["NaN", "inf", "-inf"].contains(&part));
        if !word || name.is_empty() || (number && name != "aria-label") {
            return Err(format!("{name}={value}"));
        }
        rest = after.trim_start();
    }
    Ok(())
}

#[test]
fn the_check_of_tags_bites() {
    for bad in [
        "<a><b></a></b>",
        "<a",
        "<a x=1></a>",
        "<a>&</a>",
        "<a><b/>",
        "<p x=\"&\"/>",
    ] {
        assert!(well_formed(bad).is_err(), "{bad}");
    }
    assert_eq!(well_formed("<a x=\"1\">&amp;<b/></a>"), Ok(3));
}

/// Nothing happened, in a plan without anything.
fn empty() -> super::Report {
    let plan = Plan {
        name: String::new(),
        seed: u64::MAX,
        length_ms: 0,
        converge_ms: 0,
        sites: Vec::new(),
        nodes: Vec::new(),
        topics: Vec::new(),
        steps: Vec::new(),
    };
    let run = Run {
        verdict: Vec::new(),
        unfinished: Some("out of memory: <1 GiB>".into()),
        simulated: Time::ZERO,
        real: Duration::ZERO,
        events: 0,
        peak_bytes: 0,
        trace: String::new(),
        replay: String::new(),
    };
    let metrics = Metrics::new(&plan);
    super::Report::new(&plan, run, metrics)
}

/// As many nodes and topics as a matrix has, or too many for one.
fn crowded(nodes: usize, held: u64) -> super::Report {
    let mut plan = sample::plan();
    let (person, topic) = (plan.nodes[0].clone(), plan.topics[0].clone());
    plan.nodes.resize(nodes, person);
    plan.topics.resize(40, topic);
    let mut metrics = sample::metrics(&plan);
    for node in 0..nodes as u32 {
        for topic in 0..40 {
            let envelopes = held * u64::from(node * topic % 9);
            metrics.holding(
                node,
                Some(topic),
                Held {
                    envelopes,
                    ..Held::default()
                },
            );
        }
    }
    let run = sample::report(0).run;
    super::Report::new(&plan, run, metrics)
}

#[test]
fn pages_are_well_formed_and_need_nothing_from_elsewhere() {
    let reports = [
        sample::report(0),
        sample::report(45),
        empty(),
        crowded(40, 77),
        crowded(41, 1),
    ];
    for report in reports {
        let page = report.html();
        let tags = well_formed(&page).unwrap_or_else(|why| panic!("{why}"));
        assert!(tags > 100);
        for word in [
            "http", "//", "<script", "<link", "<img", "@import", "url(", "NaN",
        ] {
            assert!(
                !page.contains(word),
                "{word} in the page of {}",
                report.summary.name
            );
        }
        assert!(page.len() < 1 << 20, "{} bytes", page.len());
    }
}

#[test]
fn names_are_shown_and_not_obeyed() {
    let page = sample::report(1).html();
    for name in ["<i>", "<with", "<forever>", "emil & co", "\"island\""] {
        assert!(!page.contains(name), "{name}");
    }
    for name in [
        "&lt;i&gt;carl",
        "&lt;with one&gt;",
        "emil &amp; co",
        "&quot;island&quot;",
    ] {
        assert!(page.contains(name), "{name}");
    }
}

#[test]
fn the_verdict_is_in_words() {
    let held = sample::report(0);
    assert!(held.html().contains("Every promise held"));
    assert_eq!(held.verdict_line(), "seed 4711: every promise held");
    let broke = sample::report(3);
    let page = broke.html();
    assert!(page.contains("3 promises broke") && page.contains("way-sim replay 4711"));
    let line = broke.verdict_line();
    let start =
        "seed 4711: the promise acknowledged-is-kept broke after 1 h 5 min at <i>carl</i>: ";
    assert!(
        line.starts_with(start) && line.ends_with(" (and 2 more)"),
        "{line}"
    );
    let early = empty();
    assert!(
        early
            .html()
            .contains("No promise broke, but the run ended early")
    );
    assert!(
        early
            .verdict_line()
            .ends_with("ended early: out of memory: <1 GiB>")
    );
}

#[test]
fn the_lines_for_a_terminal_say_the_same() {
    let text = sample::report(0).text();
    let head = "the islands <with one> who travels, seed 4711: 6 persons, 2 core nodes, 2 topics";
    assert_eq!(text.lines().next(), Some(head));
    assert!(
        text.contains("\n  delivered  8,386 of 8,400 (99.8 %)\n"),
        "{text}"
    );
    assert!(text.ends_with("  verdict    every promise held"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    assert!(!text.contains("never joined"), "{text}");
    let mut absent = sample::report(0);
    absent.metrics.never_joined(1, 20);
    let text = absent.text();
    assert!(
        text.contains("\n             1 of 20 never joined\n"),
        "{text}"
    );
    assert!(sample::report(2).text().ends_with("2 promises broke"));
    assert!(empty().text().contains("delivered  0 of 0 (–)"));
}

#[test]
fn both_classes_of_nodes_and_all_faults_are_in_the_page() {
    let page = sample::report(0).html();
    assert!(page.contains("all at mainland ↮ all at isle") && page.contains("33 min 20 s to 1 h"));
    assert!(page.contains("topic-envelopes") && page.contains("campfire"));
    assert_eq!(sample::plan().nodes[6].role, Role::Core);
}

/// The keys of a value and of what is in it, as the document writes them.
fn keys(value: &Value, path: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                into.push(path.clone());
                // Its keys are kinds of faults, which the page lists by name.
                if path != "world.faults" {
                    keys(value, &path, into);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| keys(value, path, into)),
        _ => {}
    }
}

#[test]
fn the_json_has_the_documented_keys_and_no_others() {
    let page = include_str!("../../../../docs/report.md");
    let mut documented: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(key, _)| key.to_owned())
        .collect();
    documented.sort();
    let mut found = Vec::new();
    for report in [sample::report(2), crowded(41, 1)] {
        let value: Value = serde_json::from_str(&report.json()).unwrap();
        keys(&value, "", &mut found);
    }
    found.sort();
    found.dedup();
    assert_eq!(found, documented);
}

#[test]
fn the_json_says_what_was_counted() {
    let value: Value = serde_json::from_str(&sample::report(0).json()).unwrap();
    assert_eq!(value["held"], true);
    assert_eq!(value["totals"]["written"], 1_200);
    assert_eq!(value["totals"]["expected"], 8_400);
    assert_eq!(value["totals"]["shown"], value["latency"]["count"]);
    let columns = value["columns"].as_array().unwrap();
    assert!((100..=240).contains(&columns.len()));
    let shown: u64 = columns
        .iter()
        .map(|column| column["shown"].as_u64().unwrap())
        .sum();
    assert_eq!(value["totals"]["shown"], shown);
    assert_eq!(value["holdings_by"], "node");
    assert_eq!(
        value["faults_all"],
        value["faults"].as_array().unwrap().len()
    );
    let empty: Value = serde_json::from_str(&empty().json()).unwrap();
    assert_eq!(empty["run"]["peak_bytes"], Value::Null);
    assert_eq!(empty["seed"], u64::MAX);
}

#[test]
fn the_same_run_gives_the_same_page() {
    assert_eq!(sample::report(1).html(), sample::report(1).html());
    assert_eq!(sample::report(1).json(), sample::report(1).json());
}
