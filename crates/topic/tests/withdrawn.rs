//! What was shown and falls is told by a line of its own, and so is its return.

use crate::net::Net;
use topic::{By, Line, LineKind, ReadFrom, StateKind};

/// Member 3 goes on from one store in two places: to the left, which members 0 and 1 are shown, and
/// to the right, which member 2 is shown. Gives the line of the left at 1.
fn forked(net: &mut Net) -> u64 {
    let backup = net.nodes[3].world.base().clone();
    net.say(3, "to the left");
    for other in [0, 1] {
        let link = net.link(3, other);
        net.settle();
        net.cut(link);
    }
    net.set_back(3, backup);
    net.say(3, "to the right");
    let link = net.link(3, 2);
    net.settle();
    net.cut(link);
    for node in 0..3 {
        net.follow(node);
    }
    let seen = &net.nodes[1].seen;
    let left = seen.last().expect("it was shown");
    assert!(matches!(left.kind, LineKind::Message(_)));
    left.n
}

fn meet(net: &mut Net, a: usize, b: usize) {
    let link = net.link(a, b);
    net.settle();
    net.cut(link);
}

/// The lines from a number on.
fn from(net: &mut Net, node: usize, n: u64) -> Vec<Line> {
    net.read(node, ReadFrom::Line(n), 100).lines
}

#[test]
fn what_was_shown_and_falls_is_told_once() {
    let mut net = Net::joined(31, 4);
    let left = forked(&mut net);
    meet(&mut net, 1, 2);
    let gone = LineKind::Withdrawn { of: None, by: None };
    let told = LineKind::Withdrawn {
        of: Some(left),
        by: None,
    };
    for restart in [false, true] {
        if restart {
            net.restart(1);
            net.settle();
        }
        let lines = from(&mut net, 1, left);
        assert_eq!(lines[0].kind, gone, "it keeps its number");
        let notices: Vec<&Line> = lines.iter().filter(|line| line.kind == told).collect();
        assert_eq!(notices.len(), 1, "{lines:?}");
        let [line, notice] = [&lines[0], notices[0]];
        assert_eq!((notice.device, notice.author), (line.device, line.author));
        assert!(notice.n > left);
        let texts = net.texts(1);
        assert!(
            !texts.contains(&"to the right".to_owned()),
            "nobody names it"
        );
    }
}

#[test]
fn what_stands_again_is_told_and_shown_in_its_place() {
    let mut net = Net::joined(32, 4);
    let left = forked(&mut net);
    let shown = from(&mut net, 1, left).swap_remove(0);
    meet(&mut net, 1, 2);
    // Member 0 has not heard of the right, and goes on from the left.
    net.say(0, "I have seen the left");
    meet(&mut net, 0, 1);
    let lines = from(&mut net, 1, left);
    assert_eq!(lines[0], shown, "the old line says what it said");
    let kinds: Vec<&LineKind> = lines.iter().map(|line| &line.kind).collect();
    let fell = LineKind::Withdrawn {
        of: Some(left),
        by: None,
    };
    let rose = LineKind::Restored { of: left };
    let place = |kind: &LineKind| kinds.iter().position(|other| *other == kind);
    assert!(
        place(&rose).is_some() && place(&fell) < place(&rose),
        "{lines:?}"
    );
    let texts = net.texts(1);
    let again = texts.iter().filter(|text| *text == "to the left").count();
    assert_eq!(again, 1, "it is not shown anew");
    // Who never showed it has nothing to take back.
    meet(&mut net, 1, 2);
    let told = |line: &&Line| matches!(line.kind, LineKind::Restored { .. });
    assert_eq!(from(&mut net, 2, 1).iter().filter(told).count(), 0);
    assert!(net.texts(2).contains(&"to the left".to_owned()));
    let hashes: Vec<[u8; 32]> = (0..3).map(|node| net.cut_hash(node)).collect();
    assert_eq!(hashes[1], hashes[2]);
}

#[test]
fn its_sender_sees_that_it_was_withdrawn() {
    let mut net = Net::joined(33, 4);
    let backup = net.nodes[3].world.base().clone();
    let said = net.say(3, "to the left");
    meet(&mut net, 3, 1);
    net.set_back(3, backup);
    net.say(3, "to the right");
    meet(&mut net, 3, 2);
    meet(&mut net, 1, 2);
    let states = net.states(1, &said);
    let withdrawn = |state: &&topic::State| state.kind == StateKind::Withdrawn;
    let found: Vec<_> = states.states.iter().filter(withdrawn).collect();
    assert_eq!(found.len(), 1, "{states:?}");
    assert_eq!(found[0].by, By::Home, "the evidence is here");
}
