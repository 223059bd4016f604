//! Core nodes of one operator count as one custodian, on what their signed receipts say.

use crate::net::{Net, TOPIC};
use core::time::Duration;
use identity::{NodeId, OperatorTag};
use topic::{By, Input, Published, Role, StateKind, Topics};
use wire::Receipt;

/// Receipts that wait for all others have gone.
const ALL_TOLD: Duration = Duration::from_secs(7_200);

fn one() -> Option<OperatorTag> {
    Some(OperatorTag::of("one"))
}

/// A member who has sent something, and core nodes that it uses, whose receipts say this.
fn held_by(seed: u64, operators: &[Option<OperatorTag>]) -> (Net, Vec<usize>, Published) {
    let mut net = Net::joined(seed, 1);
    let mut cores = Vec::new();
    for operator in operators {
        let core = net.add(Role::Custodian);
        net.nodes[core].host.operator = *operator;
        let id = id(&net, core);
        net.nodes[0].host.cores.insert(id);
        net.link(0, core);
        cores.push(core);
    }
    let sent = net.say(0, "hello");
    net.settle();
    (net, cores, sent)
}

fn id(net: &Net, core: usize) -> NodeId {
    net.nodes[core].host.node.node_id()
}

fn held(net: &mut Net, sent: &Published) -> usize {
    net.states(0, sent).held
}

/// The core nodes whose promises are shown, and what they say of their operators.
fn shown(net: &mut Net, sent: &Published) -> Vec<(By, Option<OperatorTag>)> {
    let states = net.states(0, sent).states.into_iter();
    let held = states.filter(|state| state.kind == StateKind::Held);
    held.map(|state| (state.by, state.operator)).collect()
}

#[test]
fn core_nodes_of_one_operator_are_one_custodian() {
    let two = Some(OperatorTag::of("two"));
    let (mut net, cores, sent) = held_by(41, &[one(), one(), two]);
    assert_eq!(held(&mut net, &sent), 2);
    let shown = shown(&mut net, &sent);
    assert_eq!(shown.len(), 3, "each promise is shown: {shown:?}");
    for (core, operator) in cores.iter().zip([one(), one(), two]) {
        assert!(shown.contains(&(By::Node(id(&net, *core)), operator)));
        let node = id(&net, *core);
        let said = net.with(0, |_, env| Topics::operator_of(env.cx, TOPIC, &node));
        assert_eq!(said.unwrap().1, operator);
    }
    // It is kept, without a link.
    net.restart(0);
    assert_eq!(held(&mut net, &sent), 2);
}

#[test]
fn who_says_nothing_is_an_operator_of_its_own() {
    let (mut net, _, sent) = held_by(42, &[None, None, one()]);
    assert_eq!(held(&mut net, &sent), 3);
    net.restart(0);
    assert_eq!(held(&mut net, &sent), 3);
}

#[test]
fn a_tag_that_is_taken_from_another_counts_the_taker_alone_for_less() {
    // The same core nodes, of which the last says nothing, or takes the tag of the first.
    for (taken, count) in [(None, 3), (one(), 2)] {
        let two = Some(OperatorTag::of("two"));
        let (mut net, cores, sent) = held_by(43, &[one(), two, taken]);
        assert_eq!(held(&mut net, &sent), count);
        // The honest ones count for two whatever the third says, or if it is believed no more.
        let liar = id(&net, cores[2]);
        net.nodes[0].host.cores.remove(&liar);
        assert_eq!(held(&mut net, &sent), 2);
        // And the one whose tag it took is not needed for it to be counted once.
        net.nodes[0].host.cores.insert(liar);
        let first = id(&net, cores[0]);
        net.nodes[0].host.cores.remove(&first);
        assert_eq!(held(&mut net, &sent), 2);
    }
}

#[test]
fn no_tag_makes_a_core_node_vanish_that_has_none() {
    let (mut net, cores, _) = held_by(44, &[None, one()]);
    // As near to the other's name as a tag can be.
    let name = id(&net, cores[0]);
    let tag = OperatorTag::from_bytes(*name.as_bytes().first_chunk().unwrap());
    net.nodes[cores[1]].host.operator = Some(tag);
    let sent = net.say(0, "again");
    net.settle();
    assert_eq!(
        shown(&mut net, &sent)[1].1.or(shown(&mut net, &sent)[0].1),
        Some(tag)
    );
    assert_eq!(held(&mut net, &sent), 2);
}

#[test]
fn a_changed_tag_is_said_in_the_next_receipt_and_believed() {
    let (mut net, cores, sent) = held_by(45, &[None, None]);
    net.pass(ALL_TOLD);
    assert_eq!(held(&mut net, &sent), 2);
    // It is news to whoever wrote, so it does not wait for what goes to all others later.
    let say = |net: &mut Net, operator: Option<OperatorTag>| {
        for core in &cores {
            net.nodes[*core].host.operator = operator;
            // Nothing is new in the topic: the setting is read at a start.
            net.restart(*core);
            net.input(*core, Input::Clock { confirmed: true });
            net.link(0, *core);
        }
        net.settle();
    };
    say(&mut net, one());
    assert_eq!(held(&mut net, &sent), 1);
    say(&mut net, Some(OperatorTag::of("other")));
    assert_eq!(held(&mut net, &sent), 1);
    say(&mut net, None);
    assert_eq!(held(&mut net, &sent), 2);
    // Who says the same again after a start says nothing.
    let links = net.links();
    for link in links {
        net.cut(link);
    }
    let before = net.nodes[cores[0]].sent_bytes;
    net.restart(cores[0]);
    net.link(0, cores[0]);
    net.settle();
    assert!(net.nodes[cores[0]].sent_bytes - before < 400, "a hello");
}

#[test]
fn a_changed_tag_travels_as_a_difference_and_by_others() {
    let (mut net, cores, sent) = held_by(46, &[None, None]);
    // A reader between them: what the second core node says comes by way of the first.
    let links = net.links();
    for link in links {
        net.cut(link);
    }
    net.link(0, cores[0]);
    net.link(cores[0], cores[1]);
    net.settle();
    net.pass(ALL_TOLD);
    assert_eq!(held(&mut net, &sent), 2);
    for core in &cores {
        net.nodes[*core].host.operator = one();
    }
    let next = net.say(0, "more");
    net.settle();
    net.pass(ALL_TOLD);
    assert_eq!((held(&mut net, &sent), held(&mut net, &next)), (1, 1));
    // A tag alone is news, though nothing else is new.
    let peer = net.links().into_iter().nth(1).unwrap();
    net.cut(peer);
    net.nodes[cores[1]].host.operator = None;
    net.restart(cores[1]);
    net.link(cores[0], cores[1]);
    net.pass(Duration::from_secs(30));
    assert_eq!(held(&mut net, &sent), 2);
    net.nodes[cores[1]].host.operator = one();
    net.say(0, "more still");
    net.settle();
    // What is kept is what was signed, tag and all.
    let holder = id(&net, cores[1]).public_key();
    let rows = net.with(0, |_, env| {
        let topic = TOPIC.to_be_bytes();
        env.cx.store.prefix(topic::rows::SLOT, &topic, 100)
    });
    let row = rows
        .iter()
        .find(|(key, _)| key.ends_with(&[&holder.to_bytes()[..], &[0]].concat()));
    let raw = wire::RawStatement::decode(&row.unwrap().1[8..]).unwrap();
    assert_eq!(Receipt::decode(&raw.bytes).unwrap().operator, one());
    assert!(wire::check_receipt(raw).is_ok());
}
