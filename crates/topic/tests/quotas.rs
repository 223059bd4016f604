//! What a node does not take, it says so, with a time; nobody asks before.

use crate::net::{Net, TOPIC};
use core::time::Duration;
use topic::{RefusedPart, Role, StateKind};

#[test]
fn a_refused_body_is_fetched_after_the_time() {
    let mut net = Net::joined(1, 2);
    let core = net.add(Role::Custodian);
    let node = net.nodes[core].host.node.node_id();
    net.nodes[0].host.cores.insert(node);
    net.link(0, core);
    net.settle();
    let retry = net.wall() + 600_000;
    net.nodes[core].host.refuse = Some((RefusedPart::Body, retry));
    let sent = net.say(0, "later");
    net.settle();
    let hashes = (net.cut_hash(0), net.cut_hash(core));
    assert_eq!(hashes.0, hashes.1, "the header is taken all the same");
    let states = net.states(0, &sent);
    assert_eq!(
        (states.held, states.states[1].kind),
        (0, StateKind::Refused)
    );
    net.nodes[core].host.refuse = None;
    let before = net.sent();
    net.pass(Duration::from_secs(590));
    assert_eq!(net.sent(), before, "not before the time");
    net.pass(Duration::from_secs(20));
    let states = net.states(0, &sent);
    assert_eq!(states.held, 1);
    assert!(
        states
            .states
            .iter()
            .all(|state| state.kind != StateKind::Refused)
    );
}

#[test]
fn a_refused_chain_is_fetched_after_the_time() {
    let mut net = Net::joined(2, 2);
    let core = net.add(Role::Custodian);
    net.link(0, core);
    net.link(1, core);
    net.settle();
    let retry = net.wall() + 600_000;
    net.nodes[core].host.refuse = Some((RefusedPart::All, retry));
    for number in 0..30 {
        net.say(0, &format!("{number}"));
    }
    net.settle();
    assert!(!net.agree());
    let (frames, _) = (net.sent(), net.nodes[core].host.refuse = None);
    net.pass(Duration::from_secs(590));
    assert_eq!(net.sent(), frames, "not before the time");
    net.pass(Duration::from_secs(20));
    assert!(net.agree());
    assert_eq!(net.texts(1).len(), 30);
    assert!(net.nodes.iter().all(|node| node.problems.is_empty()));
}

#[test]
fn a_refusal_outlives_the_link() {
    let mut net = Net::joined(3, 1);
    let core = net.add(Role::Custodian);
    let link = net.link(0, core);
    net.settle();
    net.nodes[core].host.refuse = Some((RefusedPart::All, net.wall() + 600_000));
    net.say(0, "no");
    net.settle();
    net.cut(link);
    net.link(0, core);
    net.settle();
    let refused = net.nodes[core].sent;
    net.pass(Duration::from_secs(300));
    assert_eq!(net.nodes[core].sent, refused);
}

#[test]
fn an_idle_topic_leaves_memory_and_comes_back() {
    let mut net = Net::joined(4, 2);
    net.say(0, "before");
    net.pass(Duration::from_secs(300));
    assert!(
        format!("{:?}", net.nodes[0].topics).len() < 1000,
        "only the entry is left"
    );
    net.say(0, "after");
    net.link(0, 1);
    net.settle();
    assert_eq!(net.texts(1), ["before", "after"]);
    net.pass(Duration::from_secs(300));
    assert_eq!(
        net.nodes[0].topics.peers(TOPIC).len(),
        1,
        "with a peer it stays"
    );
}
