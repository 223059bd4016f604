use super::{Held, Holdings, Metrics, TurnKind, limits};
use crate::report::sample;
use core::time::Duration;
use machine::Time;

use crate::plan::{Act, Role, Step};

fn at(ms: u64) -> Time {
    Time::from_micros(ms * 1000)
}

/// Counts something of everything, different for each `salt`.
fn some(metrics: &mut Metrics, salt: u64) {
    for i in 0..1_000 {
        let n = (i * 7 + salt * 13) % 997;
        let now = at(n * (salt + 1) * 40);
        let role = if n.is_multiple_of(3) {
            Role::Core
        } else {
            Role::Person
        };
        metrics.event(now);
        metrics.turn(role, TurnKind::ALL[(n % 7) as usize]);
        metrics.frame(now, role, (n % 50) as u8, n * 10);
        metrics.wrote(now);
        metrics.expected(now, n);
        metrics.shown(now, Duration::from_micros(n * n));
        metrics.mail_arrived(now, Duration::from_millis(n));
        metrics.queue(now, role, n * 3);
        metrics.commit(now, n);
        metrics.dial(now, n.is_multiple_of(2));
        metrics.up(now, if n.is_multiple_of(2) { 1 } else { -1 });
        metrics.fault(now, Some((n % 5) as u32), format!("crash: {}", n % 4));
        let held = Held {
            envelopes: n,
            ..Held::default()
        };
        metrics.holding((n % 6) as u32, Some((n % 2) as u32), held);
    }
}

#[test]
fn merging_is_commutative_and_does_not_depend_on_the_shards() {
    let plan = sample::plan();
    let shard = |salts: &[u64]| {
        let mut metrics = Metrics::new(&plan);
        for salt in salts {
            some(&mut metrics, *salt);
        }
        metrics
    };
    let all = shard(&[1, 2, 3]);
    let (a, b, c) = (shard(&[1]), shard(&[2]), shard(&[3]));
    assert_eq!(a.clone().merge(b.clone()), b.clone().merge(a.clone()));
    assert_eq!(a.clone().merge(b.clone()).merge(c.clone()), all);
    assert_eq!(c.merge(b).merge(a), all);
    assert_eq!(all.faults().count(), limits::FAULTS);
    assert_eq!(all.faults_all(), 3_000);
    assert!(all.faults().is_sorted());
}

#[test]
fn with_many_nodes_the_holdings_of_a_class_are_added_up() {
    let mut plan = sample::plan();
    let person = plan.nodes[0].clone();
    assert_eq!(person.role, Role::Person);
    while plan.nodes.len() <= limits::HOLDING_NODES {
        plan.nodes.push(person.clone());
    }
    let mut metrics = Metrics::new(&plan);
    for (node, bytes) in [(0, 5), (40, 9), (4_000, 1)] {
        let held = Held {
            bytes,
            bodies: 1,
            ..Held::default()
        };
        metrics.holding(node, None, held);
    }
    let Holdings::ByRole([persons, cores]) = metrics.holdings() else {
        panic!("too many nodes for a list");
    };
    assert_eq!(
        (persons.bytes, persons.bodies),
        (14, 2),
        "node 4000 is not in the plan"
    );
    assert_eq!((persons.shares, persons.largest), (2, 9));
    assert_eq!(*cores, Held::default());
}

#[test]
fn a_message_is_one_delivery_for_a_person_and_none_for_a_copy() {
    let mut plan = sample::plan();
    let twin = plan.nodes.len() as u32;
    let mut copy = plan.nodes[0].clone();
    copy.twin_of = Some(0);
    plan.nodes.push(copy);
    let act = Act::Restore {
        node: 1,
        noticed: true,
    };
    plan.steps.push(Step { at_ms: 1, act });
    let mut metrics = Metrics::new(&plan);
    for (node, message, counts) in [
        (1, (5, 0), true),
        (1, (5, 0), false),
        (1, (5, 1), true),
        (0, (5, 0), true),
        (twin, (5, 0), false),
    ] {
        assert_eq!(metrics.is_delivery(node, message), counts, "{node}");
    }
}
