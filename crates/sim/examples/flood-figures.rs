//! What adversaries cost: a ready-made scenario with them, and the same without.
//!
//! `cargo run --release -p sim --example flood-figures [flood|leaked]`

use sim::metrics::{Held, Holdings, Metrics, Raids};
use sim::plan::{Act, Plan, Role};
use sim::scenario::{Scenario, ready};
use sim::{Options, Outcome, run};

type Failed = Box<dyn std::error::Error>;

/// Of a hundred messages as many are shown in the same time, whatever adversaries do.
const KEEPS: f64 = 90.0;

fn main() -> Result<(), Failed> {
    let name = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "flood".to_owned());
    let found = ready().iter().find(|(known, ..)| *known == name);
    let (_, about, text) = found.ok_or("there is no such scenario")?;
    let plan = Scenario::read(text, &name)
        .map_err(|wrong| format!("{wrong:?}"))?
        .plan(1)
        .map_err(|wrong| format!("{wrong:?}"))?;
    println!("{name}: {about}");
    identity::remember(true);
    let (quiet, with) = (held(&calm(&plan))?, held(&plan)?);
    let (before, after) = (quiet.metrics.totals(), with.metrics.totals());
    println!("{:28} {:>12} {:>12}", "", "without", "with");
    row("messages shown", before.shown, after.shown);
    row("of those expected", before.expected, after.expected);
    let late = |metrics: &Metrics, of| metrics.latency().permille_us(of) / 1_000;
    for (what, of) in [("shown after, median, ms", 500), ("of 99 in 100, ms", 990)] {
        row(what, late(&quiet.metrics, of), late(&with.metrics, of));
    }
    row("bytes said", before.bytes, after.bytes);
    for role in [Role::Person, Role::Core] {
        let most = |outcome| most(&plan, outcome, role);
        let (quiet, with) = (most(&quiet), most(&with));
        row(&format!("most held by a {role:?}"), quiet.bytes, with.bytes);
        row("  envelopes", quiet.envelopes, with.envelopes);
    }
    let share = after.shown as f64 * 100.0 / before.shown.max(1) as f64;
    println!("honest traffic keeps {share:.1} % of its rate");
    raids(with.metrics.raids());
    if share < KEEPS {
        return Err(format!("it should keep {KEEPS} %").into());
    }
    Ok(())
}

fn row(what: &str, without: impl std::fmt::Display, with: impl std::fmt::Display) {
    println!("{what:28} {without:>12} {with:>12}");
}

fn raids(raids: Raids) {
    if raids.links > 0 {
        let each = raids.checked as f64 / raids.links as f64;
        println!(
            "{} links of outsiders, {} frames: {each:.3} signature checks a link, {} bytes stored",
            raids.links, raids.frames, raids.staged
        );
    }
}

/// The same with nobody who means ill.
fn calm(plan: &Plan) -> Plan {
    let mut calm = plan.clone();
    calm.steps
        .retain(|step| !matches!(step.act, Act::Raid { .. }));
    for node in &mut calm.nodes {
        node.lies.clear();
    }
    calm
}

/// Runs a plan of which every promise has to hold.
fn held(plan: &Plan) -> Result<Outcome, Failed> {
    let outcome = run(plan, Options::default());
    match outcome.broken.first() {
        Some(broken) => Err(format!("{}: {}", broken.promise, broken.what).into()),
        None => Ok(outcome),
    }
}

/// The largest share of a topic that one node of a class holds.
fn most(plan: &Plan, outcome: &Outcome, role: Role) -> Held {
    let Holdings::Each(each) = outcome.metrics.holdings() else {
        return Held::default();
    };
    let of = each
        .iter()
        .filter(|((node, topic), _)| topic.is_some() && plan.nodes[*node as usize].role == role);
    let largest = of.map(|(_, held)| *held).max_by_key(|held| held.bytes);
    largest.unwrap_or_default()
}
