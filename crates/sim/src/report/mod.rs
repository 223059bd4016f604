//! What a run has shown: a page that people read at a glance, and the same for programs.
//!
//! The page needs nothing but itself: no script, no font, no picture from elsewhere. The keys of
//! the JSON are listed in `docs/report.md`; they stay as they are within one number of the format.

mod charts;
mod html;
mod json;
mod plot;
mod shares;
mod svg;
mod tables;
mod text;
mod words;

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

use core::time::Duration;
use std::collections::BTreeMap;

use crate::check::Broken;
use crate::metrics::{Fault, Holdings, Metrics};
use crate::plan::{Act, NodeNo, Place, Plan, Role, TopicNo};
use machine::Time;
use serde::Serialize;
pub use words::{act_words, fault_of, is_trouble};

/// Stretches of trouble that are drawn; those beyond are left out.
const SPANS: usize = 500;

/// How a run went, beside what was counted.
#[derive(Clone, Debug)]
pub struct Run {
    /// The promises that broke, in the order in which that was seen.
    pub verdict: Vec<Broken>,
    /// Why the run ended before its time, if it did.
    pub unfinished: Option<String>,
    /// How far it came.
    pub simulated: Time,
    /// How long that took.
    pub real: Duration,
    /// Items of the event queue that were processed.
    pub events: u64,
    /// The most memory that the process had, in bytes; 0 where that is not known.
    pub peak_bytes: u64,
    /// The hash of all that happened, in hex.
    pub trace: String,
    /// The command that replays it.
    pub replay: String,
}

/// The numbers of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// What it is called.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// How long people act and faults happen, in milliseconds.
    pub length_ms: u64,
    /// How long they then have to converge, in milliseconds.
    pub converge_ms: u64,
    /// All nodes.
    pub nodes: u64,
    /// Nodes with a person before them.
    pub persons: u64,
    /// Core nodes.
    pub cores: u64,
    /// Nodes that lie.
    pub liars: u64,
    /// Places with a network of their own.
    pub sites: u64,
    /// Those without a way to the rest of the world.
    pub islands: u64,
    /// All topics.
    pub topics: u64,
    /// Their founders and those invited, added up over all topics.
    pub members: u64,
    /// Messages that people are to send to topics.
    pub messages: u64,
    /// Letters that people are to send to one node.
    pub mails: u64,
    /// How often each kind of fault is planned.
    pub faults: BTreeMap<&'static str, u64>,
}

impl Summary {
    /// Counts what is in a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let nodes = &plan.nodes;
        let persons = nodes
            .iter()
            .filter(|node| node.role == Role::Person)
            .count();
        let mut faults = BTreeMap::new();
        let (mut messages, mut mails) = (0_u64, 0_u64);
        for step in &plan.steps {
            match &step.act {
                Act::Send { count, .. } => messages += u64::from(*count),
                Act::Mail { .. } => mails += 1,
                act if is_trouble(act) => *faults.entry(act_words(plan, act).0).or_insert(0) += 1,
                _ => {}
            }
        }
        Self {
            name: plan.name.clone(),
            seed: plan.seed,
            length_ms: plan.length_ms,
            converge_ms: plan.converge_ms,
            nodes: nodes.len() as u64,
            persons: persons as u64,
            cores: (nodes.len() - persons) as u64,
            liars: nodes.iter().filter(|node| !node.is_honest()).count() as u64,
            sites: plan.sites.len() as u64,
            islands: plan
                .sites
                .iter()
                .filter(|site| site.uplink.is_none())
                .count() as u64,
            topics: plan.topics.len() as u64,
            members: plan
                .topics
                .iter()
                .map(|topic| 1 + topic.members.len() as u64)
                .sum(),
            messages,
            mails,
            faults,
        }
    }
}

/// A stretch of time in which something was wrong, as planned.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Span {
    kind: &'static str,
    from_us: u64,
    to_us: u64,
    what: String,
}

/// All that a run has shown.
#[derive(Clone, Debug)]
pub struct Report {
    /// The numbers of the plan.
    pub summary: Summary,
    /// How it went.
    pub run: Run,
    /// What was counted.
    pub metrics: Metrics,
    /// The names of the nodes that the report names.
    nodes: BTreeMap<NodeNo, String>,
    /// The names of the topics, where holdings are listed.
    topics: Vec<String>,
    spans: Vec<Span>,
}

impl Report {
    /// Puts a report together. The metrics are those of all threads, merged.
    #[must_use]
    pub fn new(plan: &Plan, run: Run, metrics: Metrics) -> Self {
        let mut named: Vec<NodeNo> = run
            .verdict
            .iter()
            .filter_map(|broken| broken.node)
            .collect();
        named.extend(metrics.faults().filter_map(|fault| fault.node));
        let mut topics = Vec::new();
        if let Holdings::Each(_) = metrics.holdings() {
            named.extend((0_u32..).take(plan.nodes.len()));
            topics = plan.topics.iter().map(|topic| topic.name.clone()).collect();
        }
        let name = |node: NodeNo| (node, words::node_name(plan, node));
        Self {
            summary: Summary::of(plan),
            nodes: named.into_iter().map(name).collect(),
            topics,
            spans: spans(plan),
            run,
            metrics,
        }
    }

    /// Whether every promise held, as far as the run came.
    #[must_use]
    pub const fn held(&self) -> bool {
        self.run.verdict.is_empty()
    }

    /// The verdict in one line, with the seed.
    #[must_use]
    pub fn verdict_line(&self) -> String {
        let seed = self.summary.seed;
        let Some(first) = self.run.verdict.first() else {
            return match &self.run.unfinished {
                Some(why) => format!("seed {seed}: no promise broke before it ended early: {why}"),
                None => format!("seed {seed}: every promise held"),
            };
        };
        let more = match self.run.verdict.len() {
            1 => String::new(),
            several => format!(" (and {} more)", several - 1),
        };
        let place = self.place_of(first);
        let when = words::time(first.at_us);
        let (promise, what) = (first.promise, &first.what);
        format!("seed {seed}: the promise {promise} broke after {when}{place}: {what}{more}")
    }

    /// ` at NAME`, or nothing.
    fn place_of(&self, broken: &Broken) -> String {
        let name = |node| format!(" at {}", self.node_name(node));
        broken.node.map(name).unwrap_or_default()
    }

    fn node_name(&self, node: NodeNo) -> String {
        let name = self.nodes.get(&node);
        name.cloned().unwrap_or_else(|| format!("node {node}"))
    }

    fn topic_name(&self, topic: Option<TopicNo>) -> String {
        let Some(topic) = topic else {
            return "mail".into();
        };
        let name = self.topics.get(topic as usize);
        name.cloned().unwrap_or_else(|| format!("topic {topic}"))
    }

    /// The text of a fault, with the name of its node if that is not in it.
    fn fault_words(&self, fault: &Fault) -> String {
        let name = fault.node.map(|node| self.node_name(node));
        match name {
            Some(name) if !fault.text.contains(&name) => format!("{} ({name})", fault.text),
            _ => fault.text.to_string(),
        }
    }

    /// Events in a second of real time.
    #[must_use]
    pub fn events_per_second(&self) -> u64 {
        let us = self.run.real.as_micros().max(1);
        u64::try_from(u128::from(self.run.events) * 1_000_000 / us).unwrap_or(u64::MAX)
    }

    /// The figures that people ask first, in lines for a terminal, without an end of the last.
    #[must_use]
    pub fn text(&self) -> String {
        text::lines(self)
    }

    /// A page of its own, in HTML.
    #[must_use]
    pub fn html(&self) -> String {
        html::page(self)
    }

    /// The same for programs. The keys are those of `docs/report.md`.
    #[must_use]
    pub fn json(&self) -> String {
        json::text(self)
    }
}

/// What ends the trouble that an act begins.
fn ends(begin: &Act, later: &Act) -> bool {
    let same =
        |a: &Place, b: &Place, c: &Place, d: &Place| (a == c && b == d) || (a == d && b == c);
    match (begin, later) {
        (Act::Cut { from, to, .. }, Act::Mend { from: a, to: b }) => same(from, to, a, b),
        (Act::Crash { node, .. } | Act::TearTail { node, .. }, Act::Back { node: other })
        | (Act::Clock { node, .. }, Act::Clock { node: other, .. })
        | (Act::Disk { node, .. }, Act::Disk { node: other, .. }) => node == other,
        (Act::Weather { site, .. }, Act::Weather { site: other, .. }) => site == other,
        _ => false,
    }
}

/// The stretches of trouble in a plan. What nothing ends lasts as long as faults do.
fn spans(plan: &Plan) -> Vec<Span> {
    let mut spans = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let lasts = matches!(
            step.act,
            Act::Cut { .. }
                | Act::Crash { .. }
                | Act::TearTail { .. }
                | Act::Weather { .. }
                | Act::Clock { .. }
                | Act::Disk { .. }
        );
        if !lasts || !is_trouble(&step.act) {
            continue;
        }
        if spans.len() == SPANS {
            break;
        }
        let mut later = plan.steps[at + 1..].iter();
        let end = later.find(|later| ends(&step.act, &later.act));
        let to_ms = end.map_or(plan.length_ms, |end| end.at_ms);
        let (kind, what) = act_words(plan, &step.act);
        spans.push(Span {
            kind,
            from_us: step.at_ms.saturating_mul(1000),
            to_us: to_ms.max(step.at_ms).saturating_mul(1000),
            what,
        });
    }
    spans
}
