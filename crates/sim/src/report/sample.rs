//! A run that never was, for the tests of the report.

use super::{Report, Run, fault_of};
use crate::check::Broken;
use crate::metrics::{Held, Metrics, TurnKind};
use crate::plan::{Act, Lie, LieKind, NodePlan, Path, Place, Plan, Role, Site, Step, TopicPlan};
use core::time::Duration;
use machine::Time;

fn node(name: &str, role: Role, site: u32) -> NodePlan {
    NodePlan {
        name: name.into(),
        role,
        site,
        uses: Vec::new(),
        starts_ms: 0,
        commit_us: 500,
        skew_ms: 0,
        drift_ppm: 0,
        trust_clock: false,
        disk: 0,
        quota: 0,
        reads_after_ms: 0,
        lies: Vec::new(),
        twin_of: None,
        device_of: None,
    }
}

fn steps() -> Vec<Step> {
    let (cut_from, cut_to) = (Place::Site(0), Place::Site(1));
    let acts = [
        (0, Act::Join { node: 1, topic: 0 }),
        (
            60_000,
            Act::Send {
                node: 0,
                topic: 0,
                bytes: 200,
                count: 1_200,
                expires_ms: 0,
                file: 0,
            },
        ),
        (
            900_000,
            Act::Crash {
                node: 2,
                effects: 7,
            },
        ),
        (1_500_000, Act::Back { node: 2 }),
        (
            2_000_000,
            Act::Cut {
                from: cut_from,
                to: cut_to,
                both: true,
            },
        ),
        (
            2_400_000,
            Act::Mail {
                node: 0,
                to: 3,
                bytes: 10,
                best_effort: false,
            },
        ),
        (
            3_600_000,
            Act::Mend {
                from: cut_to,
                to: cut_from,
            },
        ),
        (
            4_000_000,
            Act::Clock {
                node: 3,
                skew_ms: -90_000,
            },
        ),
        (5_000_000, Act::FailCommit { node: 1 }),
        (
            5_200_000,
            Act::Restore {
                node: 1,
                noticed: true,
            },
        ),
    ];
    acts.into_iter()
        .map(|(at_ms, act)| Step { at_ms, act })
        .collect()
}

/// Eight nodes at two sites, two topics, a few faults. Names that a page must not take for markup.
pub(crate) fn plan() -> Plan {
    let names = [
        "anna",
        "berta",
        "<i>carl</i>",
        "dora",
        "emil & co",
        "friedrich",
    ];
    let mut nodes: Vec<NodePlan> = (0_u32..)
        .zip(names)
        .map(|(at, name)| node(name, Role::Person, at % 2))
        .collect();
    nodes[3].lies = vec![Lie {
        kind: LieKind::Fork,
        one_in: 5,
        most: 9,
    }];
    nodes.push(node("harbour", Role::Core, 0));
    nodes.push(node("\"island\"", Role::Core, 1));
    let site = |name: &str, uplink| Site {
        name: name.into(),
        inside: Path::default(),
        uplink,
        open: false,
        apart: false,
    };
    let topic = |name: &str| TopicPlan {
        name: name.into(),
        founder: 0,
        members: (1..8).collect(),
        personal: false,
        public: false,
        readers: Vec::new(),
    };
    Plan {
        name: "the islands <with one> who travels".into(),
        seed: 4_711,
        length_ms: 7_200_000,
        converge_ms: 1_200_000,
        sites: vec![site("mainland", Some(Path::default())), site("isle", None)],
        nodes,
        topics: vec![topic("campfire"), topic("log & book")],
        steps: steps(),
    }
}

/// Numbers that look like a run of [`plan`].
pub(crate) fn metrics(plan: &Plan) -> Metrics {
    let mut metrics = Metrics::new(plan);
    let at = |ms: u64| Time::from_micros(ms * 1000);
    for i in 0..1_200_u64 {
        let written = 60_000 + i * 5_700;
        metrics.wrote(at(written));
        metrics.expected(at(written), 7);
        for reader in 0..7 {
            let cut = reader > 3 && (2_000_000..3_600_000).contains(&written);
            let spread = (i * 7 + reader).wrapping_mul(0x9e37_79b9) % 1_000;
            let usual = 40 + spread * spread * spread / 400_000;
            let late = if cut {
                3_600_000 - written + spread * 90
            } else {
                usual
            };
            if i % 191 != 7 || reader > 1 {
                metrics.shown(at(written + late), Duration::from_millis(late));
            }
        }
    }
    for i in 0..8_400_u64 {
        let now = at(i * 1_000);
        let role = if i % 3 == 0 { Role::Core } else { Role::Person };
        let busy = if (3_600..3_900).contains(&i) { 12 } else { 1 };
        metrics.event(now);
        metrics.turn(role, TurnKind::ALL[(i % 7) as usize]);
        metrics.frame(
            now,
            role,
            [35, 37, 38, 32, 2, 3, 33, 0, 34, 6, 7, 22, 23, 17, 4, 40][(i % 16) as usize],
            busy * (40 + 16_000 / (1 + i % 16)),
        );
        let waiting = if (2_000..3_650).contains(&i) {
            (i - 2_000) * 90
        } else {
            i % 700
        };
        metrics.queue(
            now,
            role,
            waiting / if i % 3 == 0 { 1 } else { 4 } * (i % 5),
        );
        metrics.commit(now, 900);
        metrics.dial(now, i % 4 != 0);
    }
    for (i, change) in [(0, 4), (1_300, 2), (2_600, -3), (4_000, 1), (5_400, 2)] {
        metrics.up(at(i * 1_000), change);
    }
    for step in &plan.steps {
        if let Some((node, text)) = fault_of(plan, &step.act) {
            metrics.fault(at(step.at_ms), node, text);
        }
    }
    metrics.mail_sent(at(2_400_000));
    metrics.mail_arrived(at(3_700_000), Duration::from_secs(1_300));
    hold(&mut metrics);
    metrics
}

fn hold(metrics: &mut Metrics) {
    for node in 0..8_u32 {
        for topic in 0..2_u32 {
            let envelopes = 1_200 / (1 + u64::from(topic)) - u64::from(node % 3) * 130;
            let bodies = envelopes - u64::from(node % 4) * 90;
            let held = Held {
                envelopes,
                bodies,
                bytes: envelopes * 700,
                ..Held::default()
            };
            if (node, topic) != (4, 1) {
                metrics.holding(node, Some(topic), held);
            }
        }
    }
}

/// A report, of a run in which so many promises broke.
pub(crate) fn report(broken: usize) -> Report {
    let plan = plan();
    let metrics = metrics(&plan);
    let broke = |at: usize| Broken {
        promise: "acknowledged-is-kept",
        at_us: 3_912_000_000 + at as u64,
        node: Some(2),
        what: "a receipt says held <forever>, the disk has no body of 3f9a…".into(),
    };
    let run = Run {
        verdict: (0..broken).map(broke).collect(),
        unfinished: None,
        simulated: at_end(&plan),
        real: Duration::from_millis(2_340),
        events: 1_234_567,
        peak_bytes: 148 << 20,
        trace: "9f1c07b2a4d85e63".into(),
        replay: "way-sim replay 4711".into(),
    };
    Report::new(&plan, run, metrics)
}

fn at_end(plan: &Plan) -> Time {
    Time::from_micros((plan.length_ms + plan.converge_ms) * 1000)
}
