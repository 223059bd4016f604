//! Rendezvous: when one is wished for, and what a core node that lies can make of it.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use identity::NodeId;
use router::limits::{MEETING_PAUSE, MEETINGS, MEETINGS_TIME};
use router::{Input, Why};

use crate::net::Net;

const CORE: &str = "203.0.113.1:4433";

fn keep(net: &mut Net, node: NodeId, why: Why, addresses: Vec<String>) {
    let keep = Input::Keep {
        node,
        why,
        addresses,
    };
    net.input(0, keep);
}

/// Host 0 is linked with a core node, host 1, that it sees in the world, and keeps members that are
/// not where they say.
fn behind(seed: u8, members: u8) -> (Net, Vec<NodeId>) {
    let mut net = Net::started(3, seed);
    net.seen.insert(1, CORE.to_owned());
    net.peer(1, 0);
    let core = net.id(1);
    keep(&mut net, core, Why::Core, vec![Net::address(1)]);
    net.secs(1);
    assert!(net.linked(0, 1));
    let members: Vec<NodeId> = (0..members)
        .map(|n| NodeId::from_bytes([n + 50; 32]))
        .collect();
    for (n, member) in members.iter().enumerate() {
        let nowhere = format!("10.9.9.{n}:4433");
        keep(&mut net, *member, Why::Member, vec![nowhere]);
    }
    (net, members)
}

/// The core node says that somebody is there.
fn meet(net: &mut Net, node: NodeId, at: &str) -> bool {
    let (core, at): (NodeId, SocketAddr) = (net.id(1), at.parse().unwrap());
    net.run(0, |router, cx, out| router.meet(cx, node, (core, at), out))
}

#[test]
fn one_is_wished_for_when_a_dial_has_failed_and_ever_more_rarely() {
    let (mut net, members) = behind(1, 1);
    net.secs(5);
    assert_eq!(net.wishes, [(0, members[0])], "though it was dialled often");
    net.pass(Duration::from_secs(24 * 3_600));
    assert!((4..=12).contains(&net.wishes.len()), "{}", net.wishes.len());
}

#[test]
fn those_who_are_put_off_because_others_were_not_found_may_be_met_all_the_same() {
    let (mut net, _) = behind(7, 0);
    let members: BTreeSet<NodeId> = (0..80).map(|n| NodeId::from_bytes([n + 100; 32])).collect();
    for (n, member) in members.iter().enumerate() {
        let nowhere = format!("10.9.9.{n}:4433");
        keep(&mut net, *member, Why::Shortcut, vec![nowhere]);
    }
    let before = net.dials;
    net.secs(60);
    assert!(net.dials - before <= 32, "{} dials", net.dials - before);
    let wished: BTreeSet<NodeId> = net.wishes.iter().map(|(_, with)| *with).collect();
    assert_eq!(wished, members);
    assert_eq!(net.wishes.len(), members.len(), "once each");
    net.pass(Duration::from_secs(24 * 3_600));
    assert!(
        net.wishes.len() <= 10 * members.len(),
        "{}",
        net.wishes.len()
    );
}

#[test]
fn none_is_wished_for_where_there_is_no_core_node_or_no_need() {
    // Whoever is found is not looked for by others.
    let (mut net, _) = behind(2, 0);
    let two = net.id(2);
    net.peer(2, 0);
    keep(&mut net, two, Why::Member, vec![Net::address(2)]);
    net.pass(Duration::from_secs(3_600));
    assert!(net.linked(0, 2));
    assert_eq!(net.wishes, []);
    // Nor is who was only said to have a public topic.
    let way = NodeId::from_bytes([99; 32]);
    keep(&mut net, way, Why::Way, vec!["10.9.9.99:4433".to_owned()]);
    net.pass(Duration::from_secs(3_600));
    assert_eq!(net.wishes, []);
    assert!(!meet(&mut net, way, "203.0.113.9:4433"));
    // Without a link with a core node there is nobody to ask.
    let (mut net, _) = behind(3, 0);
    net.kill(1);
    net.secs(5);
    keep(
        &mut net,
        NodeId::from_bytes([50; 32]),
        Why::Member,
        vec!["10.9.9.9:4433".to_owned()],
    );
    net.pass(Duration::from_secs(3_600));
    assert_eq!(net.wishes, []);
}

#[test]
fn what_the_core_node_tells_is_dialled_once_and_never_again() {
    let (mut net, members) = behind(4, 1);
    net.secs(40);
    let before = net.dials;
    assert!(meet(&mut net, members[0], "203.0.113.7:4433"));
    assert_eq!(net.told[0].2, "udp://203.0.113.7:4433");
    assert!(!meet(&mut net, members[0], "203.0.113.8:4433"), "at once");
    net.pass(Duration::from_secs(2 * 3_600));
    assert!(net.dials > before + 8, "it is looked for as before");
    assert_eq!(net.told.len(), 1);
}

#[test]
fn a_core_node_that_lies_gets_few_packets_out_of_it() {
    let (mut net, members) = behind(5, 200);
    net.secs(40);
    let stranger = NodeId::from_bytes([7; 32]);
    let mut tried = 0_u32;
    let start = net.now;
    while net.now < start + 4 * MEETINGS_TIME.as_millis() as u64 {
        for (n, member) in members.iter().enumerate() {
            tried += 1;
            meet(
                &mut net,
                *member,
                &format!("198.51.100.{n}:{}", 1_024 + tried % 60_000),
            );
        }
        assert!(!meet(&mut net, stranger, "198.51.100.1:4433"));
        for no in [
            "127.0.0.1:4433",
            "192.168.1.1:4433",
            "224.0.0.1:4433",
            "198.51.100.1:53",
        ] {
            assert!(!meet(&mut net, members[0], no), "{no}");
        }
        net.secs(30);
    }
    assert!(tried > 50_000);
    let most = 5 * MEETINGS;
    assert!(net.told.len() <= most, "{} of {most}", net.told.len());
    let dialled: BTreeSet<&NodeId> = net.told.iter().map(|(_, node, _)| node).collect();
    assert!(dialled.iter().all(|node| members.contains(node)));
    for member in &members {
        let own = net.told.iter().filter(|(_, node, _)| node == member);
        let times: Vec<u64> = own.map(|(at, ..)| *at).collect();
        let pause = MEETING_PAUSE.as_millis() as u64;
        assert!(times.windows(2).all(|two| two[1] - two[0] >= pause));
    }
}

#[test]
fn nobody_is_dialled_who_is_linked_or_told_of_by_who_is_not() {
    let (mut net, members) = behind(6, 1);
    let two = net.id(2);
    net.peer(2, 0);
    keep(&mut net, two, Why::Member, vec![Net::address(2)]);
    net.secs(60);
    assert!(net.linked(0, 2));
    assert!(!meet(&mut net, two, "203.0.113.7:4433"));
    // A core node over TCP, or one that is not linked, tells nothing.
    net.seen.insert(1, format!("tls://{CORE}"));
    net.drop_links(0, 1);
    net.secs(5);
    assert!(net.linked(0, 1));
    assert!(!meet(&mut net, members[0], "203.0.113.7:4433"));
    net.kill(1);
    net.secs(1);
    assert!(!meet(&mut net, members[0], "203.0.113.7:4433"));
    assert_eq!(net.told, []);
}
