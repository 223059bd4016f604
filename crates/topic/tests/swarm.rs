//! Everything drawn from a seed: links that come and go, restarts between any two turns, frames
//! that overtake; first it must be safe, then it must come to rest alike.

use crate::net::{Net, TOPIC};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use topic::{LineKind, RefusedPart, Role};

fn disturb(net: &mut Net, members: usize) {
    let count = net.nodes.len() as u64;
    let node = |net: &mut Net| usize::try_from(net.rng.below(count)).unwrap();
    match net.rng.below(10) {
        0..=3 => {
            let who = usize::try_from(net.rng.below(members as u64)).unwrap();
            let text = format!("{who}:{}", net.rng.next_u64());
            net.say(who, &text);
        }
        4 | 5 => {
            let (a, b) = (node(net), node(net));
            if a != b && net.links().len() < 8 {
                net.link(a, b);
            }
        }
        6 => {
            let links: Vec<_> = net.links().into_iter().collect();
            if !links.is_empty() {
                let pick = usize::try_from(net.rng.below(links.len() as u64)).unwrap();
                net.cut(links[pick]);
            }
        }
        7 => {
            let who = node(net);
            net.restart(who);
        }
        8 => {
            let millis = net.rng.below(2_000);
            net.pass(Duration::from_millis(millis));
        }
        _ => {
            net.fire();
        }
    }
    for _ in 0..net.rng.below(30) {
        net.step();
    }
}

/// Every line comes after those of what its envelope names.
fn check_order(net: &mut Net, node: usize) {
    net.follow(node);
    let mut first = BTreeMap::new();
    for line in &net.nodes[node].seen {
        first.entry(line.envelope).or_insert(line.n);
    }
    for (envelope, n) in first.clone() {
        for named in net.named(node, &envelope) {
            if let Some(before) = first.get(&named) {
                assert!(
                    *before < n,
                    "line {n} comes before line {before}, which it depends on"
                );
            }
        }
    }
}

fn run(seed: u64) {
    let members = 3 + usize::try_from(seed % 2).unwrap();
    let mut net = Net::joined(seed, members);
    net.add(Role::Custodian);
    net.reorder = true;
    for _ in 0..150 {
        disturb(&mut net, members);
    }
    for node in 0..members {
        check_order(&mut net, node);
    }
    // From here on everybody can reach everybody.
    for link in net.links() {
        net.cut(link);
    }
    for node in 1..net.nodes.len() {
        net.link(node - 1, node);
    }
    net.pass(Duration::from_secs(20));
    assert!(net.agree(), "seed {seed}: not alike");
    let mut all: Vec<BTreeSet<String>> = Vec::new();
    for node in 0..members {
        check_order(&mut net, node);
        let texts = net.texts(node);
        let set: BTreeSet<String> = texts.iter().cloned().collect();
        assert_eq!(
            set.len(),
            texts.len(),
            "seed {seed}: something is shown twice"
        );
        let gaps = net.nodes[node].seen.iter();
        let gaps = gaps
            .filter(|line| matches!(line.kind, LineKind::Gap { .. }))
            .count();
        assert_eq!(gaps, 0, "seed {seed}: a gap where nothing was lost");
        all.push(set);
    }
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "seed {seed}");
    for node in 0..net.nodes.len() {
        assert!(net.is_charged(node), "seed {seed}: node {node}");
    }
    for node in &net.nodes {
        assert!(node.problems.is_empty(), "seed {seed}: {:?}", node.problems);
        assert!(node.ahead.is_empty(), "seed {seed}: no home is old");
    }
    net.pass(topic::limits::PASS_LATER_MAX);
    let before = net.sent();
    net.pass(Duration::from_secs(600));
    assert_eq!(net.sent(), before, "seed {seed}: not silent");
}

#[test]
fn replicas_come_to_rest_alike() {
    for seed in 0..40 {
        run(seed);
    }
}

/// A core node that is short of room now and then, and the only way between the members.
fn run_short_of_room(seed: u64) {
    let mut net = Net::joined(1000 + seed, 3);
    let core = net.add(Role::Custodian);
    net.reorder = true;
    for _ in 0..100 {
        match net.rng.below(6) {
            0 => {
                let what = if net.rng.below(2) == 0 {
                    RefusedPart::Body
                } else {
                    RefusedPart::All
                };
                let until = net.wall() + net.rng.below(20_000);
                net.nodes[core].host.refuse = Some((what, until));
            }
            1 => net.nodes[core].host.refuse = None,
            2 => {
                let who = usize::try_from(net.rng.below(3)).unwrap();
                net.link(who, core);
            }
            _ => disturb(&mut net, 3),
        }
    }
    net.nodes[core].host.refuse = None;
    for link in net.links() {
        net.cut(link);
    }
    for who in 0..3 {
        net.link(who, core);
    }
    net.pass(Duration::from_secs(90));
    assert!(net.agree(), "seed {seed}: not alike");
    let mut all: Vec<BTreeSet<String>> = Vec::new();
    for node in 0..3 {
        let texts = net.texts(node);
        let set: BTreeSet<String> = texts.iter().cloned().collect();
        assert_eq!(
            set.len(),
            texts.len(),
            "seed {seed}: something is shown twice"
        );
        let waiting = net
            .with(node, |topics, env| topics.summary(env.cx, TOPIC))
            .unwrap()
            .waiting;
        assert_eq!(waiting, 0, "seed {seed}: something waits for ever");
        all.push(set);
    }
    assert!(
        all.windows(2).all(|pair| pair[0] == pair[1]),
        "seed {seed}: a body was lost"
    );
    for node in 0..net.nodes.len() {
        assert!(net.is_charged(node), "seed {seed}: node {node}");
    }
    for node in &net.nodes {
        assert!(node.problems.is_empty(), "seed {seed}: {:?}", node.problems);
    }
    net.pass(topic::limits::PASS_LATER_MAX);
    let before = net.sent();
    net.pass(Duration::from_secs(600));
    assert_eq!(net.sent(), before, "seed {seed}: not silent");
}

#[test]
fn a_shortage_passes_without_a_trace() {
    for seed in 0..60 {
        run_short_of_room(seed);
    }
}
