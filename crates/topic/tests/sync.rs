//! Two and more replicas become alike, cheaply, and are silent afterwards.

use crate::net::Net;
use core::time::Duration;
use topic::Role;

#[test]
fn two_members_exchange_a_message_each() {
    let mut net = Net::joined(1, 2);
    net.link(0, 1);
    net.settle();
    net.say(0, "hello");
    net.settle();
    net.say(1, "hello yourself");
    net.settle();
    for node in 0..2 {
        assert_eq!(net.texts(node), ["hello", "hello yourself"]);
        assert!(net.nodes[node].problems.is_empty());
    }
    assert!(net.agree());
}

#[test]
fn what_was_written_apart_comes_together() {
    let mut net = Net::joined(2, 3);
    for round in 0..20 {
        for node in 0..3 {
            net.say(node, &format!("{node} {round}"));
        }
    }
    net.link(0, 1);
    net.link(1, 2);
    net.settle();
    assert!(net.agree());
    for node in 0..3 {
        let mut texts = net.texts(node);
        assert_eq!(texts.len(), 60);
        for author in 0..3 {
            let own: Vec<&String> = texts
                .iter()
                .filter(|text| text.starts_with(&format!("{author} ")))
                .collect();
            assert!(own.windows(2).all(|pair| {
                let number = |text: &str| text[2..].parse::<u32>().unwrap();
                number(pair[0]) < number(pair[1])
            }));
        }
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), 60, "nothing is shown twice");
    }
}

#[test]
fn after_an_exchange_there_is_silence() {
    let mut net = Net::joined(3, 3);
    net.link(0, 1);
    net.link(1, 2);
    net.say(0, "one");
    net.settle();
    // Whoever wrote nothing that they acknowledge gets receipts later.
    net.pass(topic::limits::PASS_LATER_MAX);
    let before = net.sent();
    net.pass(Duration::from_secs(3600));
    assert_eq!(net.sent(), before, "an hour without news");
    // A new link between equals costs a hello a side.
    net.link(0, 2);
    net.pass(Duration::from_secs(3600));
    assert_eq!(net.sent(), before + 2);
}

#[test]
fn a_push_costs_one_frame_a_peer_and_is_not_echoed() {
    let mut net = Net::joined(4, 2);
    net.link(0, 1);
    net.settle();
    let before = (net.nodes[0].sent, net.nodes[1].sent);
    net.say(0, "one");
    net.run();
    assert_eq!(net.nodes[0].sent, before.0 + 1);
    assert_eq!(
        net.nodes[1].sent, before.1,
        "nothing but the receipt goes back, and later"
    );
    net.settle();
    assert_eq!(net.nodes[1].sent, before.1 + 1);
}

#[test]
fn a_newcomer_gets_a_long_past_within_its_links_credit() {
    let mut net = Net::joined(5, 2);
    for number in 0..1500 {
        net.say(0, &format!("{number}"));
    }
    net.link(0, 1);
    net.settle();
    let texts = net.texts(1);
    assert_eq!(texts.len(), 1500);
    assert!(
        texts
            .iter()
            .enumerate()
            .all(|(place, text)| *text == place.to_string())
    );
    assert!(net.agree());
}

#[test]
fn it_passes_through_a_core_node_that_reads_nothing() {
    let mut net = Net::joined(6, 2);
    let core = net.add(Role::Custodian);
    let link = net.link(0, core);
    for number in 0..100 {
        net.say(0, &format!("{number}"));
    }
    net.settle();
    net.cut(link);
    // The sender is gone when the other comes.
    net.link(1, core);
    net.settle();
    assert_eq!(net.texts(1).len(), 100);
    let Node { last_line, .. } = summary(&mut net, core);
    assert_eq!(last_line, 0, "a custodian has no lines");
}

struct Node {
    last_line: u64,
}

fn summary(net: &mut Net, node: usize) -> Node {
    let summary = net
        .with(node, |topics, env| {
            topics.summary(env.cx, crate::net::TOPIC)
        })
        .unwrap();
    Node {
        last_line: summary.last_line,
    }
}

#[test]
fn a_chain_is_fetched_from_one_peer_only() {
    let mut net = Net::joined(7, 4);
    for number in 0..300 {
        net.say(0, &format!("{number}"));
    }
    net.link(0, 1);
    net.link(0, 2);
    net.settle();
    net.cut(*net.links().first().unwrap());
    let before = net.nodes[1].sent_bytes + net.nodes[2].sent_bytes;
    let size = net.nodes[0].sent_bytes / 2;
    net.link(3, 1);
    net.link(3, 2);
    net.settle();
    assert_eq!(net.texts(3).len(), 300);
    let cost = net.nodes[1].sent_bytes + net.nodes[2].sent_bytes - before;
    assert!(
        cost < size * 3 / 2,
        "{cost} bytes for a past of about {size}"
    );
}

#[test]
fn one_that_does_not_answer_is_passed_over() {
    let mut net = Net::joined(8, 3);
    for number in 0..10 {
        net.say(0, &format!("{number}"));
    }
    let link = net.link(0, 1);
    net.settle();
    net.cut(link);
    // A peer that shows its cut and then says nothing more.
    let peer = net.peer_of(0);
    let dumb = net.puppet(2, peer);
    let hash = net.cut_hash(1);
    let entries = {
        let crate::net::Node { world, topics, .. } = &mut net.nodes[1];
        world.turn(|cx| {
            topics
                .lace(cx, crate::net::TOPIC)
                .unwrap()
                .cut()
                .collect::<Vec<_>>()
        })
    };
    net.frame(
        2,
        dumb,
        wire::TopicFrame::Hello {
            cut: hash,
            evidence: [0; 32],
            receipts: [0; 32],
            invites: [0; 32],
        },
    );
    net.frame(
        2,
        dumb,
        wire::TopicFrame::Cut {
            entries,
            first: true,
            last: true,
        },
    );
    let asked = net
        .heard(dumb, 2)
        .into_iter()
        .any(|frame| matches!(frame, wire::TopicFrame::Want { .. }));
    assert!(asked);
    net.link(2, 1);
    net.pass(Duration::from_secs(25));
    assert!(net.texts(2).is_empty(), "one at a time");
    net.pass(Duration::from_secs(10));
    assert_eq!(net.texts(2).len(), 10);
}
