//! What a sender can say about its messages, and on whose word.

use crate::net::{DAY, Net, TOPIC};
use core::time::Duration;
use identity::SecretKey;
use topic::{By, RefusedPart, Role, Rule, StateKind};
use wire::{CutEntry, Receipt, ReceiptKind, TopicFrame};

fn kinds(states: &topic::States) -> Vec<StateKind> {
    states.states.iter().map(|state| state.kind).collect()
}

#[test]
fn stored_then_delivered_to_each() {
    let mut net = Net::joined(1, 3);
    let sent = net.say(0, "hello");
    let states = net.states(0, &sent);
    assert_eq!(kinds(&states), [StateKind::Stored]);
    assert_eq!(
        (states.delivered, states.members, states.waits_for.len()),
        (0, 2, 2)
    );
    net.link(0, 1);
    net.settle();
    let states = net.states(0, &sent);
    assert_eq!(kinds(&states), [StateKind::Stored, StateKind::Delivered]);
    let waits = net.nodes[2].host.device.as_ref().unwrap().public();
    assert_eq!(states.waits_for, [(waits, None)]);
    // Its receipt comes by way of the other.
    net.link(1, 2);
    net.settle();
    let states = net.states(0, &sent);
    assert_eq!(
        (states.delivered, states.members, states.waits_for.len()),
        (2, 2, 0)
    );
}

#[test]
fn held_by_a_core_node_until_a_time_then_delivered_through_it() {
    let mut net = Net::joined(2, 2);
    let core = net.add(Role::Custodian);
    let node = net.nodes[core].host.node.node_id();
    net.nodes[0].host.cores.insert(node);
    let link = net.link(0, core);
    let sent = net.say(0, "hello");
    net.settle();
    let states = net.states(0, &sent);
    assert_eq!(kinds(&states), [StateKind::Stored, StateKind::Held]);
    assert_eq!((states.held, &states.states[1].by), (1, &By::Node(node)));
    assert!(states.states[1].until.unwrap() > net.wall() + 29 * DAY);
    net.cut(link);
    let link = net.link(1, core);
    net.settle();
    net.cut(link);
    assert_eq!(net.states(0, &sent).delivered, 0, "nobody has told it");
    net.link(0, core);
    net.settle();
    let states = net.states(0, &sent);
    assert_eq!(
        (states.held, states.delivered, states.waits_for.len()),
        (1, 1, 0)
    );
}

#[test]
fn who_is_no_core_node_of_the_topic_holds_nothing() {
    let mut net = Net::joined(3, 2);
    let core = net.add(Role::Custodian);
    net.link(0, core);
    let sent = net.say(0, "hello");
    net.settle();
    assert_eq!(net.states(0, &sent).held, 0);
}

#[test]
fn a_promise_is_renewed_on_a_silent_topic() {
    let mut net = Net::joined(4, 1);
    let core = net.add(Role::Custodian);
    let node = net.nodes[core].host.node.node_id();
    net.nodes[0].host.cores.insert(node);
    net.link(0, core);
    let payload = topic::Payload::Messages(vec![wire::plain::Message::text("a year")]);
    let draft = topic::Draft {
        payload,
        lifespan: Some(360 * DAY),
        answers: Vec::new(),
        manifest: None,
    };
    let sent = net.publish(0, draft).unwrap();
    net.settle();
    let first = net.states(0, &sent).states[1].until.unwrap();
    let before = net.sent();
    net.pass(Duration::from_millis(20 * DAY));
    let second = net.states(0, &sent).states[1].until.unwrap();
    assert!(second > first);
    assert_eq!(net.sent(), before + 1, "one receipt in twenty days");
}

#[test]
fn who_names_an_envelope_has_it() {
    let mut net = Net::joined(5, 2);
    let link = net.link(0, 1);
    net.settle();
    let sent = net.say(0, "question");
    net.run();
    net.say(1, "answer");
    net.run();
    // No time has passed: no receipt was made.
    net.cut(link);
    let states = net.states(0, &sent);
    assert_eq!((states.delivered, states.waits_for.len()), (1, 0));
    assert_eq!(net.texts(0), ["question", "answer"]);
}

#[test]
fn a_missing_body_is_not_delivered() {
    let mut net = Net::joined(6, 2);
    let core = net.add(Role::Custodian);
    let link = net.link(0, core);
    net.settle();
    net.nodes[core].host.refuse = Some((RefusedPart::Body, net.wall() + DAY));
    let lost = net.say(0, "lost");
    net.settle();
    net.nodes[core].host.refuse = None;
    let kept = net.say(0, "kept");
    net.settle();
    let node = net.nodes[core].host.node.node_id();
    net.nodes[0].host.cores.insert(node);
    let states = net.states(0, &lost);
    assert_eq!(kinds(&states), [StateKind::Stored, StateKind::Refused]);
    assert_eq!(states.states[1].reason.as_deref(), Some("quota: no room"));
    assert_eq!(net.states(0, &kept).held, 1);
    net.cut(link);
    net.link(1, core);
    net.settle();
    let link = net.link(0, core);
    net.settle();
    assert_eq!(net.states(0, &lost).delivered, 0);
    assert_eq!(net.states(0, &kept).delivered, 1);
    net.cut(link);
    net.link(0, 1);
    net.settle();
    assert_eq!(net.states(0, &lost).delivered, 1);
}

#[test]
fn a_chain_is_acknowledged_only_as_far_as_its_exceptions_fit() {
    let mut net = Net::joined(11, 1);
    let core = net.add(Role::Custodian);
    let node = net.nodes[core].host.node.node_id();
    net.nodes[0].host.cores.insert(node);
    net.link(0, core);
    net.settle();
    let first = net.say(0, "before");
    net.settle();
    net.nodes[core].host.refuse = Some((RefusedPart::Body, net.wall() + 600_000));
    let lost: Vec<_> = (0..300)
        .map(|number| net.say(0, &format!("{number}")))
        .collect();
    net.settle();
    net.nodes[core].host.refuse = None;
    let after = net.say(0, "after");
    net.settle();
    let held = |net: &mut Net, sent| net.states(0, sent).held;
    assert_eq!((held(&mut net, &first), held(&mut net, &lost[299])), (1, 0));
    assert_eq!(
        held(&mut net, &after),
        0,
        "it lies beyond what the receipt can except"
    );
    net.pass(Duration::from_secs(660));
    for sent in [&first, &lost[0], &lost[299], &after] {
        assert_eq!(held(&mut net, sent), 1);
    }
}

#[test]
fn a_restored_homes_next_incarnation_takes_the_slot_over() {
    let mut net = Net::joined(7, 2);
    let link = net.link(0, 1);
    net.settle();
    let backup = net.nodes[1].world.base().clone();
    let first = net.say(0, "first");
    net.settle();
    assert_eq!(net.states(0, &first).delivered, 1);
    net.cut(link);
    net.set_back(1, backup);
    net.nodes[1].host.author = Some(SecretKey::generate(&mut net.rng));
    let items = vec![net.certificate_of(1, 1), net.claim(1)];
    net.items(1, items);
    let second = net.say(0, "second");
    net.link(0, 1);
    net.settle();
    for sent in [first, second] {
        let states = net.states(0, &sent);
        assert_eq!((states.delivered, states.members), (1, 1));
    }
    assert!(net.nodes[1].ahead.is_empty());
    assert_eq!(net.texts(1), ["first", "second"]);
}

#[test]
fn a_home_that_was_set_back_is_told_by_its_peers() {
    let mut net = Net::joined(8, 2);
    let link = net.link(0, 1);
    net.settle();
    let backup = net.nodes[1].world.base().clone();
    net.say(1, "after the backup");
    net.settle();
    net.cut(link);
    net.set_back(1, backup);
    net.link(0, 1);
    net.settle();
    assert_eq!(net.nodes[1].ahead, [2]);
    // The key that was overtaken writes nothing more; the next one does.
    let payload = topic::Payload::Messages(vec![wire::plain::Message::text("no")]);
    let draft = topic::Draft {
        payload,
        lifespan: None,
        answers: Vec::new(),
        manifest: None,
    };
    assert_eq!(net.publish(1, draft), Err(topic::PublishError::Stale));
    net.nodes[1].host.author = Some(SecretKey::generate(&mut net.rng));
    let items = vec![net.certificate_of(1, 1), net.claim(1)];
    net.items(1, items);
    net.say(1, "again");
    net.settle();
    assert_eq!(net.texts(0), ["after the backup", "again"]);
    assert_eq!(net.texts(1), ["after the backup", "again"]);
}

/// Receipts that wait for company, or for all others, have gone.
const ALL_TOLD: Duration = Duration::from_secs(7_200);

#[test]
fn only_receipts_that_the_other_lacks_are_sent() {
    let mut net = Net::joined(12, 9);
    let core = net.add(Role::Custodian);
    let all: Vec<_> = (0..9).map(|node| net.link(node, core)).collect();
    for node in 0..9 {
        net.say(node, "here");
    }
    net.settle();
    net.pass(ALL_TOLD);
    for (node, link) in all.iter().enumerate() {
        if node != 1 {
            net.cut(*link);
        }
    }
    // One receipt changes: the core node's own.
    net.say(1, "while all others are away");
    net.settle();
    let before = net.nodes[core].sent_bytes;
    let link = net.link(0, core);
    net.settle();
    let few = net.nodes[core].sent_bytes - before;
    assert_eq!(net.texts(0).len(), 10);
    net.pass(ALL_TOLD);
    net.cut(link);
    let before = net.sent();
    net.link(0, core);
    net.run();
    assert_eq!(net.sent() - before, 2, "two hellos where nothing is new");
    // A receipt of nine authors is longer than 700 bytes, and ten of them are kept.
    assert!(few < 4_000, "{few} bytes to who lacks one of ten");
}

#[test]
fn a_list_without_end_or_beginning_costs_one_answer() {
    let mut net = Net::joined(13, 2);
    net.link(0, 1);
    net.say(1, "hello");
    net.settle();
    let peer = net.peer_of(1);
    let puppet = net.puppet(0, peer);
    net.run();
    let page = |first, last| TopicFrame::Slots {
        slots: Vec::new(),
        first,
        last,
    };
    let asked = net.sent();
    net.frame(0, puppet, page(false, true));
    assert_eq!(net.sent(), asked, "a page that belongs to no list");
    net.frame(0, puppet, page(true, true));
    let answered = net.sent();
    assert!(answered > asked, "who has nothing lacks all");
    for _ in 0..100 {
        net.frame(0, puppet, page(true, false));
        net.frame(0, puppet, page(false, true));
    }
    assert_eq!(net.sent(), answered);
    assert!(net.nodes[0].problems.is_empty());
}

fn receipt(net: &Net, key: &SecretKey, counter: u64, kind: ReceiptKind) -> wire::RawStatement {
    let receipt = Receipt {
        topic: net.topic_id(),
        holder: key.public(),
        counter,
        kind,
        cut: vec![CutEntry {
            author: key.public(),
            number: 1,
            id: identity::EnvelopeId::from_bytes([7; 32]),
        }],
        exceptions: Vec::new(),
        until: if kind == ReceiptKind::Held {
            net.wall() + DAY
        } else {
            0
        },
        time: net.wall(),
        operator: None,
    };
    wire::sign_receipt(receipt, key)
        .unwrap()
        .into_inner()
        .to_raw()
}

#[test]
fn receipts_of_strangers_take_no_room() {
    let mut net = Net::joined(9, 2);
    let peer = net.peer_of(1);
    let puppet = net.puppet(0, peer);
    for _ in 0..40 {
        let receipts = (0..8)
            .map(|_| {
                let key = SecretKey::generate(&mut net.rng);
                receipt(&net, &key, 1, ReceiptKind::Held)
            })
            .collect();
        net.frame(0, puppet, TopicFrame::Receipts { receipts });
    }
    let rows = net.with(0, |_, env| {
        env.cx
            .store
            .prefix(topic::rows::SLOT, &TOPIC.to_be_bytes(), 10_000)
            .len()
    });
    assert!(rows <= topic::limits::MAX_STRANGE_SLOTS + 2, "{rows} slots");
}

#[test]
fn forged_receipts_are_misbehaviour_and_old_ones_are_not() {
    let mut net = Net::joined(10, 2);
    let peer = net.peer_of(1);
    let puppet = net.puppet(0, peer);
    let key = SecretKey::generate(&mut net.rng);
    let new = receipt(&net, &key, 9, ReceiptKind::Delivered);
    let old = receipt(&net, &key, 3, ReceiptKind::Delivered);
    for receipts in [vec![new.clone()], vec![new.clone()], vec![old]] {
        net.frame(0, puppet, TopicFrame::Receipts { receipts });
    }
    assert!(net.nodes[0].problems.is_empty());
    let mut forged = new;
    let last = forged.bytes.len() - 1;
    forged.bytes[last] ^= 1;
    net.frame(
        0,
        puppet,
        TopicFrame::Receipts {
            receipts: vec![forged],
        },
    );
    assert_eq!(net.nodes[0].problems, [Rule::BadReceipt]);
}
