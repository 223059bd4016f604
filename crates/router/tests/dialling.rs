//! Who is dialled when, and how often in vain.

use std::time::Duration;

use identity::NodeId;
use router::limits::MAX_DIALS;
use router::{Input, Why};

use crate::net::Net;

const MEMBERS: u8 = 80;

fn member(n: u8) -> NodeId {
    NodeId::from_bytes([n + 100; 32])
}

/// Host 0 with a core node that it is linked with, and many members who cannot be reached.
fn with_members(net: &mut Net) {
    net.peer(1, 0);
    let (node, address) = (net.id(1), Net::address(1));
    let core = Input::Keep {
        node,
        why: Why::Core,
        addresses: vec![address],
    };
    net.input(0, core);
    net.secs(1);
    assert!(net.linked(0, 1));
    for n in 0..MEMBERS {
        let addresses = vec![format!("10.9.9.{n}:4433")];
        let node = member(n);
        let why = Why::Shortcut;
        net.input(
            0,
            Input::Keep {
                node,
                why,
                addresses,
            },
        );
    }
}

#[test]
fn few_members_are_dialled_while_a_core_node_is_linked() {
    let mut net = Net::started(2, 1);
    with_members(&mut net);
    let before = net.dials;
    net.pass(Duration::from_secs(3_600));
    assert!(net.linked(0, 1));
    let dials = net.dials - before;
    assert!((8..=16).contains(&dials), "{dials} dials");
}

#[test]
fn members_are_dialled_a_few_times_while_the_core_nodes_are_away() {
    let mut net = Net::started(2, 2);
    with_members(&mut net);
    net.secs(60);
    let (dials, wakings) = (net.dials, net.wakings);
    net.kill(1);
    net.drop_links(0, 1);
    net.pass(Duration::from_secs(1_800));
    let (dials, wakings) = (net.dials - dials, net.wakings - wakings);
    let members = u64::from(MEMBERS);
    // Each of them, at once, after two minutes, ten, and twenty-five at the latest, and the core node.
    assert!(
        (3 * members..=5 * members + 20).contains(&dials),
        "{dials} dials"
    );
    assert!(wakings <= dials + 20, "{wakings} wakings for {dials} dials");
    // As soon as the core node is back, they are left alone.
    net.restart(1);
    net.pass(Duration::from_secs(600));
    assert!(net.linked(0, 1));
    let before = net.dials;
    net.pass(Duration::from_secs(600));
    assert!(net.dials - before <= 8, "{} dials", net.dials - before);
}

#[test]
fn whoever_finds_no_room_is_dialled_when_others_have_been() {
    let mut net = Net::started(1, 3);
    let before = net.wakings;
    let many = 3 * MAX_DIALS as u8;
    for n in 0..many {
        let node = member(n);
        let addresses = vec![format!("10.9.9.{n}:4433")];
        let why = Why::Member;
        net.input(
            0,
            Input::Keep {
                node,
                why,
                addresses,
            },
        );
    }
    // Each dial takes half a second to fail: four rounds, of which none is waited for by polling.
    net.pass(Duration::from_millis(1_999));
    assert_eq!(net.dials, u64::from(many));
    assert!(net.wakings - before <= u64::from(many) + 8);
}

#[test]
fn addresses_of_many_nodes_are_not_tried_all_at_once() {
    let mut net = Net::started(1, 4);
    for n in 0..40 {
        let addresses = (0..8).map(|at| format!("10.9.{at}.{n}:4433")).collect();
        let (node, why) = (member(n), Why::Member);
        net.input(
            0,
            Input::Keep {
                node,
                why,
                addresses,
            },
        );
    }
    net.secs(60);
    assert!(net.dials >= 8 * 40, "each of them is tried");
    assert!(net.most_failing <= MAX_DIALS, "{}", net.most_failing);
}

#[test]
fn a_core_node_does_not_wait_behind_those_who_cannot_be_reached() {
    let mut net = Net::started(2, 5);
    with_members(&mut net);
    for n in 0..150 {
        let addresses = vec![format!("10.9.8.{n}:4433")];
        let mut node = [n; 32];
        node[0] = 7;
        let (node, why) = (NodeId::from_bytes(node), Why::Mail);
        net.input(
            0,
            Input::Keep {
                node,
                why,
                addresses,
            },
        );
    }
    net.secs(60);
    assert!(net.linked(0, 1));
    net.drop_links(0, 1);
    net.secs(3);
    assert!(net.linked(0, 1));
}
