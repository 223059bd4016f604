//! Invite boxes: whoever joins finds them with every member, and nobody but who lets people in
//! makes one, and nobody replaces or displaces another's.

use crate::net::{DAY, Net, TOPIC};
use core::time::Duration;
use identity::{GrantId, SecretKey, Signature, TopicId};
use topic::{Input, LinkId, PutBoxError, Role, Rule, limits};
use wire::{TopicBox, TopicFrame};

const LOC: [u8; 32] = [7; 32];

fn founder(net: &Net) -> SecretKey {
    net.nodes[0].host.device.clone().unwrap()
}

/// An invite that nobody has heard of: whether it stands is not known.
const INVITE: GrantId = GrantId::from_bytes([7; 32]);

fn member(net: &Net) -> SecretKey {
    net.nodes[1].host.device.clone().unwrap()
}

fn made(net: &Net, key: &SecretKey, loc: [u8; 32], fill: u8, until: u64) -> TopicBox {
    let sealed = vec![fill; wire::limits::BOX_LEN];
    TopicBox::sign(net.topic_id(), key, loc, sealed, until, INVITE)
}

/// A box that names the founder as its device, whoever signed it.
fn posing(net: &Net, held: TopicBox) -> TopicBox {
    let device = founder(net).public();
    TopicBox { device, ..held }
}

fn put(net: &mut Net, node: usize, held: TopicBox) -> Result<(), PutBoxError> {
    net.with(node, |topics, env| topics.put_box(env, TOPIC, held))
}

/// The first byte and the end of the box that a node keeps.
fn kept(net: &mut Net, node: usize, loc: [u8; 32]) -> Option<(u8, u64)> {
    let found = net.with(node, |topics, env| topics.find_box(env.cx, &loc))?;
    assert_eq!(found.topic, TOPIC);
    Some((found.sealed[0], found.until))
}

fn count(net: &mut Net, node: usize) -> usize {
    let locs = (0..=255_u8).map(|n| [n; 32]);
    locs.filter(|loc| kept(net, node, *loc).is_some()).count()
}

/// Two members and a custodian that all keep one box, and a link by which member 1 lies to member 0.
fn with_box(seed: u64) -> (Net, LinkId, u64) {
    let mut net = Net::joined(seed, 2);
    let core = net.add(Role::Custodian);
    net.link(0, core);
    net.link(1, core);
    net.settle();
    let until = net.wall() + 10 * DAY;
    let held = made(&net, &founder(&net), LOC, 1, until);
    put(&mut net, 0, held).unwrap();
    net.settle();
    let peer = net.peer_of(1);
    let puppet = net.puppet(0, peer);
    (net, puppet, until)
}

#[test]
fn a_box_reaches_everybody_and_survives_a_restart() {
    let (mut net, _, until) = with_box(1);
    for node in 0..3 {
        assert_eq!(kept(&mut net, node, LOC), Some((1, until)));
        net.restart(node);
        assert_eq!(kept(&mut net, node, LOC), Some((1, until)));
    }
    let late = net.add(Role::Custodian);
    net.link(1, late);
    net.settle();
    assert_eq!(
        kept(&mut net, late, LOC),
        Some((1, until)),
        "who is not the founder passes it on"
    );
    assert!(net.nodes.iter().all(|node| node.problems.is_empty()));
}

#[test]
fn a_member_cannot_replace_or_make_a_box() {
    let (mut net, puppet, until) = with_box(2);
    let liar = member(&net);
    let good = made(&net, &founder(&net), LOC, 1, until);
    let other = TopicId::from_bytes([9; 32]);
    let sealed = vec![9; wire::limits::BOX_LEN];
    let forged = [
        posing(&net, made(&net, &liar, LOC, 9, until + 1)),
        posing(&net, made(&net, &liar, [8; 32], 9, until + 1)),
        TopicBox {
            until: until + 1,
            ..good.clone()
        },
        TopicBox {
            loc: [8; 32],
            ..good.clone()
        },
        TopicBox {
            sealed: sealed.clone(),
            until: until + 1,
            ..good
        },
        TopicBox::sign(other, &founder(&net), LOC, sealed, until + 1, INVITE),
    ];
    let lies = forged.len();
    for held in forged {
        net.frame(0, puppet, TopicFrame::Box(held));
    }
    assert_eq!(net.nodes[0].problems, vec![Rule::BadBox; lies]);
    // Under its own name nobody looks at them: it lets nobody in, as far as is known.
    for loc in [LOC, [8; 32]] {
        let held = made(&net, &liar, loc, 9, until + 1);
        net.frame(0, puppet, TopicFrame::Box(held));
    }
    assert_eq!(net.nodes[0].problems.len(), lies);
    net.settle();
    for node in 0..3 {
        assert_eq!(kept(&mut net, node, LOC), Some((1, until)));
        assert_eq!(kept(&mut net, node, [8; 32]), None);
    }
}

#[test]
fn a_member_cannot_displace_boxes_by_many_that_end_later() {
    let (mut net, puppet, until) = with_box(3);
    let liar = member(&net);
    for n in 0..200_u8 {
        let held = made(&net, &liar, [n; 32], 9, until + 300 * DAY);
        net.frame(0, puppet, TopicFrame::Box(held.clone()));
        let held = posing(&net, held);
        net.frame(0, puppet, TopicFrame::Box(held));
    }
    assert_eq!(net.nodes[0].problems.len(), 200);
    assert_eq!((count(&mut net, 0), count(&mut net, 2)), (1, 1));
}

#[test]
fn what_would_not_be_kept_is_not_checked() {
    let (mut net, puppet, until) = with_box(4);
    let liar = member(&net);
    let now = net.wall();
    for until in [
        until - 1,
        now,
        1,
        now + limits::MAX_BOX_AHEAD_MS + DAY,
        wire::limits::MAX_TIME_MS,
    ] {
        let mut held = made(&net, &liar, LOC, 9, until);
        held.signature = Signature::from_bytes([0; 64]);
        net.frame(0, puppet, TopicFrame::Box(held));
    }
    assert!(net.nodes[0].problems.is_empty());
    assert_eq!(kept(&mut net, 0, LOC), Some((1, until)));
}

#[test]
fn the_founder_replaces_by_a_later_end_alone() {
    let (mut net, puppet, until) = with_box(5);
    let key = founder(&net);
    let earlier = made(&net, &key, LOC, 2, until - 1);
    net.frame(0, puppet, TopicFrame::Box(earlier));
    assert_eq!(kept(&mut net, 0, LOC), Some((1, until)));
    let later = made(&net, &key, LOC, 3, until + 1);
    net.frame(0, puppet, TopicFrame::Box(later));
    net.settle();
    for node in 0..3 {
        assert_eq!(kept(&mut net, node, LOC), Some((3, until + 1)));
    }
    // An old one that somebody has kept does not come back.
    let old = made(&net, &key, LOC, 1, until);
    net.frame(0, puppet, TopicFrame::Box(old));
    assert_eq!(kept(&mut net, 0, LOC), Some((3, until + 1)));
    assert!(net.nodes[0].problems.is_empty());
}

#[test]
fn a_box_is_gone_when_its_time_is_over() {
    let (mut net, puppet, until) = with_box(6);
    let held = made(&net, &founder(&net), LOC, 1, until);
    net.pass(Duration::from_secs(10 * 86_400));
    net.pass(Duration::from_secs(120));
    for node in 0..3 {
        assert_eq!(kept(&mut net, node, LOC), None);
    }
    net.frame(0, puppet, TopicFrame::Box(held));
    assert_eq!(kept(&mut net, 0, LOC), None, "and does not come back");
}

#[test]
fn no_end_is_too_far_for_a_clock_that_nobody_confirms() {
    let (mut net, puppet, _) = with_box(7);
    net.input(0, Input::Clock { confirmed: false });
    let until = net.wall() + limits::MAX_BOX_AHEAD_MS + DAY;
    let held = made(&net, &founder(&net), LOC, 5, until);
    net.frame(0, puppet, TopicFrame::Box(held));
    assert_eq!(kept(&mut net, 0, LOC), Some((5, until)));
}

#[test]
fn a_member_puts_no_box_of_its_own() {
    let (mut net, _, until) = with_box(8);
    let held = made(&net, &member(&net), [8; 32], 9, until);
    assert_eq!(put(&mut net, 1, held), Err(PutBoxError::NotInviter));
    assert_eq!(kept(&mut net, 1, [8; 32]), None);
    // Whoever invited takes it back at home with an end that has passed.
    let over = made(&net, &founder(&net), LOC, 1, 1);
    assert_eq!(put(&mut net, 0, over), Ok(()));
    assert_eq!(kept(&mut net, 0, LOC), None);
}
