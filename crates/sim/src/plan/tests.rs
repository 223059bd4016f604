use super::*;
use crate::{Kept, scenario, swarm};

/// A small plan with something of everything, as a file.
const GOOD: &str = r#"
story = "a copy lies"
promise = "none"

[plan]
name = "small"
seed = 7
length_ms = 60_000
converge_ms = 0

[[plan.sites]]
name = "here"
inside = { latency_us = 1_000 }

[[plan.nodes]]
name = "core"
role = "core"
site = 0

[[plan.nodes]]
name = "ana"
role = "person"
site = 0
uses = [0]

[[plan.nodes]]
name = "ben"
role = "person"
site = 0
lies = [{ kind = "fork", one_in = 9 }]

[[plan.nodes]]
name = "ana copy"
role = "person"
site = 0
twin_of = 1

[[plan.topics]]
name = "tea"
founder = 1
members = [2]

[[plan.steps]]
at_ms = 1_000
act = "join"
node = 2
topic = 0

[[plan.steps]]
at_ms = 2_000
act = "send"
node = 1
topic = 0
bytes = 100
count = 1

[[plan.steps]]
at_ms = 3_000
act = "mail"
node = 1
to = 2
bytes = 10
best_effort = false

[[plan.steps]]
at_ms = 4_000
act = "clone"
node = 1
twin = 3
noticed = true

[[plan.steps]]
at_ms = 5_000
act = "cut"
from = { node = 1 }
to = { site = 0 }
both = true

[[plan.steps]]
at_ms = 6_000
act = "clock"
node = 2
skew_ms = -5

[[plan.steps]]
at_ms = 7_000
act = "weather"
site = 0
inside = { loss_ppm = 10 }

[[plan.steps]]
at_ms = 60_000
act = "back"
node = 2
"#;

/// What stands there, what is put in its place, and what has to be said of it.
const BAD: &[(&str, &str, &str)] = &[
    // Numbers that are none.
    ("seed = 7", "seed = nan", "floating point"),
    ("seed = 7", "seed = \"NaN\"", "NaN"),
    ("seed = 7", "seed = \"1e3\"", "1e3"),
    ("seed = 7", "seed = -1", "-1"),
    (
        "seed = 7",
        "seed = \"18446744073709551616\"",
        "18446744073709551616",
    ),
    ("length_ms = 60_000", "length_ms = -1", "-1"),
    ("length_ms = 60_000", "length_ms = inf", "floating point"),
    ("length_ms = 60_000", "length_ms = 1.5", "1.5"),
    ("count = 1\n", "count = 4_294_967_296\n", "4294967296"),
    // Absurd magnitudes.
    ("length_ms = 60_000", "length_ms = 0", "the length is 0"),
    (
        "length_ms = 60_000",
        "length_ms = 1_000_000_000_000_000_000",
        "the length",
    ),
    (
        "converge_ms = 0",
        "converge_ms = 9_000_000_000_000_000_000",
        "converge",
    ),
    (
        "latency_us = 1_000",
        "latency_us = 1_000_000_000_000_000_000",
        "the latency of here",
    ),
    (
        "latency_us = 1_000",
        "jitter_us = 60_000_001",
        "the jitter of here",
    ),
    (
        "latency_us = 1_000",
        "loss_ppm = 1_000_000",
        "the loss of here",
    ),
    (
        "latency_us = 1_000",
        "duplicate_ppm = 1_000_001",
        "the duplicates",
    ),
    (
        "latency_us = 1_000",
        "reorder_ppm = 4_000_000_000",
        "the reordering",
    ),
    (
        "latency_us = 1_000",
        "kbit = 9_000_000_000_000_000_000",
        "the rate",
    ),
    (
        "loss_ppm = 10",
        "loss_ppm = 999_999",
        "the loss of the step at 7000 ms",
    ),
    (
        "uses = [0]",
        "starts_ms = 1_000_000_000_000_000_000",
        "the start of ana",
    ),
    (
        "uses = [0]",
        "commit_us = 1_000_000_000_000_000_000",
        "a commit of ana",
    ),
    (
        "uses = [0]",
        "skew_ms = -9_000_000_000_000_000_000",
        "the skew of ana",
    ),
    (
        "uses = [0]",
        "drift_ppm = 2_000_000_000",
        "the drift of ana",
    ),
    (
        "uses = [0]",
        "disk = 9_000_000_000_000_000_000",
        "the disk of ana",
    ),
    (
        "uses = [0]",
        "quota = 9_000_000_000_000_000_000",
        "the quota of ana",
    ),
    (
        "uses = [0]",
        "reads_after_ms = 9_000_000_000_000",
        "the time to read",
    ),
    ("one_in = 9", "one_in = 0", "`one_in`"),
    ("one_in = 9", "one_in = 9, most = 251", "`most`"),
    (
        "bytes = 100",
        "bytes = 4_000_000_000",
        "the size of the step at 2000 ms",
    ),
    (
        "bytes = 10\n",
        "bytes = 60_001\n",
        "the size of the step at 3000 ms",
    ),
    (
        "count = 1\n",
        "count = 4_000_000_000\n",
        "the count of the step",
    ),
    ("count = 1\n", "count = 0\n", "the count of the step"),
    (
        "count = 1\n",
        "count = 1\nexpires_ms = 9_000_000_000_000_000_000\n",
        "expires_ms",
    ),
    (
        "skew_ms = -5",
        "skew_ms = 9_000_000_000_000_000_000",
        "the skew of the step",
    ),
    ("at_ms = 60_000", "at_ms = 60_001", "never happens"),
    (
        "at_ms = 60_000",
        "at_ms = 9_000_000_000_000_000_000",
        "never happens",
    ),
    // Names of nothing.
    ("site = 0\nuses", "site = 1\nuses", "ana names site 1"),
    (
        "uses = [0]",
        "uses = [4_294_967_295]",
        "names node 4294967295",
    ),
    ("uses = [0]", "uses = [2]", "no core node"),
    ("uses = [0]", "uses = [0, 0]", "twice"),
    ("founder = 1", "founder = 9", "tea names node 9"),
    ("founder = 1", "founder = 0", "no person"),
    ("founder = 1", "founder = 3", "no person"),
    ("members = [2]", "members = [2, 2]", "the same person twice"),
    ("members = [2]", "members = [1]", "the same person twice"),
    ("topic = 0\nbytes", "topic = 1\nbytes", "names topic 1"),
    ("to = 2", "to = 99", "names node 99"),
    (
        "from = { node = 1 }",
        "from = { node = 77 }",
        "names node 77",
    ),
    ("to = { site = 0 }", "to = { site = 77 }", "names site 77"),
    (
        "act = \"weather\"\nsite = 0",
        "act = \"weather\"\nsite = 7",
        "names site 7",
    ),
    // Copies of copies.
    ("twin_of = 1", "twin_of = 3", "a copy of itself"),
    ("twin_of = 1", "twin_of = 0", "another role"),
    ("twin_of = 1", "twin_of = 4", "names node 4"),
    ("uses = [0]", "twin_of = 3", "a copy of itself or of a copy"),
    ("twin = 3", "twin = 2", "no copy of node 1"),
    // Names that are there twice, or cannot be printed.
    (
        "name = \"ben\"",
        "name = \"ana\"",
        "two nodes are called `ana`",
    ),
    ("name = \"tea\"", "name = \"\"", "a topic is called \"\""),
    (
        "name = \"here\"",
        "name = \"\\u001b[2J\"",
        "a site is called",
    ),
    // What is no plan.
    ("promise = \"none\"", "promises = 3", "unknown field"),
    ("act = \"join\"", "act = \"explode\"", "explode"),
    ("role = \"core\"", "role = \"queen\"", "queen"),
    ("kind = \"fork\"", "kind = \"half-truth\"", "half-truth"),
    ("[plan]", "[plan", "TOML parse error"),
];

#[test]
fn what_cannot_be_played_is_refused_and_says_why() {
    let good = Kept::read(GOOD).expect("nothing is wrong with it");
    assert_eq!(good.plan.steps.len(), 8);
    for (there, instead, said) in BAD {
        assert_eq!(GOOD.matches(there).count(), 1, "{there}");
        let text = GOOD.replace(there, instead);
        let why = Kept::read(&text).expect_err(instead);
        assert!(why.contains(said), "{instead}: {why}");
    }
}

#[test]
fn too_much_of_anything_is_refused() {
    let good = Kept::read(GOOD).expect("nothing is wrong with it").plan;
    let lie = good.nodes[2].lies[0];
    type Change<'a> = &'a dyn Fn(&mut Plan);
    let cases: &[(&str, Change<'_>)] = &[
        ("sites", &|plan| {
            plan.sites = vec![plan.sites[0].clone(); 251]
        }),
        ("sites", &|plan| plan.sites.clear()),
        ("nodes", &|plan| {
            plan.nodes = vec![plan.nodes[0].clone(); 50_001]
        }),
        ("nodes", &|plan| plan.nodes.clear()),
        ("topics", &|plan| {
            plan.topics = vec![plan.topics[0].clone(); 20_001]
        }),
        ("members", &|plan| plan.topics[0].members = vec![2; 10_001]),
        ("readers", &|plan| plan.topics[0].readers = vec![2; 10_001]),
        ("not public", &|plan| plan.topics[0].readers = vec![2]),
        ("core nodes", &|plan| plan.nodes[1].uses = vec![0; 9]),
        ("lies", &|plan| plan.nodes[2].lies = vec![lie; 65]),
        ("bytes", &|plan| plan.nodes[2].name = "x".repeat(201)),
    ];
    for (what, change) in cases {
        let mut plan = good.clone();
        change(&mut plan);
        let why = plan.check().expect_err(what);
        assert!(why.contains(what), "{what}: {why}");
    }
}

#[test]
fn every_bit_of_a_file_may_be_wrong() {
    // A reader that panicked, or asked for memory without end, would be seen here.
    let bytes = GOOD.as_bytes();
    for at in 0..bytes.len() {
        let mut other = bytes.to_vec();
        other[at] ^= 1 << (at % 7);
        if let Ok(text) = String::from_utf8(other) {
            let _either = Kept::read(&text);
        }
        let _cut = Kept::read(&GOOD[..at]);
    }
    let deep = format!("story = {}", "[".repeat(100_000));
    let said = Kept::read(&deep).expect_err("nobody nests so deep");
    assert!(said.len() < 3_000, "{} bytes", said.len());
}

#[test]
fn what_the_simulator_draws_itself_is_within_the_bounds() {
    for seed in 0..300 {
        let plan = swarm::plan(seed);
        assert_eq!(plan.check(), Ok(()), "seed {seed}");
    }
    for (name, _, text) in scenario::ready() {
        let ready = scenario::Scenario::read(text, name).expect("it can be read");
        let plan = ready.plan_scaled(1, 300).or_else(|_| ready.plan(1));
        let plan = plan.expect("it can be planned");
        assert_eq!(plan.check(), Ok(()), "{name}");
    }
}
