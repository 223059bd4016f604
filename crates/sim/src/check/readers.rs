//! Readers of public topics: they find them by the link or by the id, have and are shown what is
//! published (which [`liveness`](super::liveness) and [`messages`](super::messages) look at), and are no
//! members: nobody admits an author of theirs ([`rights`](super::rights)), and they acknowledge nothing.

use super::carriage::{about, home, inner_kind, person};
use super::holdings::Holdings;
use super::peek::{Items, Outline, ReceiptHead, difference_of, outline, receipt_of};
use super::replicas::Overview;
use super::{Broken, Glance, Scene, joining, rights};
use crate::plan::{NodeNo, Plan, Role, TopicNo};
use custody::limits::DEFAULT_LINKS;
use identity::{NodeId, PublicKey};
use std::fmt::Write as _;
use wire::{ReceiptKind, TopicLink};

/// More readers than this take turns: of an account's links a core node gives them half.
const ALL_AT_ONCE: usize = (DEFAULT_LINKS / 2) as usize;
/// Readers that a report names.
const NAMED: usize = 5;
/// The inner kinds of frames with receipts, and with what has changed in them.
const RECEIPTS: [u8; 2] = [6, 13];

/// Whether a node's person reads a public topic by the plan, without being let in.
pub(crate) fn reads(plan: &Plan, no: NodeNo, topic: TopicNo) -> bool {
    let readers = &plan.topics[topic as usize].readers;
    !readers.is_empty() && readers.contains(&person(plan, no))
}

/// Whether everybody who reads a topic can be linked at once, so that all of them have it in time.
pub(crate) fn have_places(plan: &Plan, topic: TopicNo) -> bool {
    plan.topics[topic as usize].readers.len() <= ALL_AT_ONCE
}

/// A frame leaves a node: it does not acknowledge what it only reads.
pub(crate) fn leaves(scene: &mut Scene<'_>, holdings: &mut Holdings, frame: &[u8]) {
    if !inner_kind(frame).is_some_and(|kind| RECEIPTS.contains(&kind)) || !scene.node().is_honest()
    {
        return;
    }
    let held = about(frame).and_then(|(_, id)| holdings.id(&id));
    let Some(topic) = held.and_then(|held| held.number(scene.facts)) else {
        return;
    };
    if !reads(scene.plan, scene.no, topic) {
        return;
    }
    let found = match outline(frame) {
        Some(Outline::Receipts(_, items)) => own_word(scene, items, receipt_of),
        Some(Outline::Differences(_, items)) => own_word(scene, items, difference_of),
        _ => None,
    };
    if let Some(kind) = found {
        let name = &scene.plan.topics[topic as usize].name;
        let what =
            format!("it acknowledges what it only reads in {name}: a receipt of kind {kind}");
        scene.broken(rights::PROMISE, what);
    }
}

/// The kind of a receipt that a reader gives on its own word: by its node, or by nobody who writes.
/// Others' receipts are passed on.
fn own_word<'a>(
    scene: &Scene<'_>,
    items: Items<'a>,
    head: impl Fn(super::peek::Walk<'a>) -> Option<ReceiptHead<'a>>,
) -> Option<u64> {
    let own = |head: &ReceiptHead<'_>| {
        if head.kind <= ReceiptKind::Carried as u64 {
            let by = scene.facts.node_no(&NodeId::from_bytes(head.holder));
            return by == Some(home(scene.plan, scene.no));
        }
        let devices = &scene.facts.devices;
        let by = devices.author(&PublicKey::from_bytes(head.holder));
        by.is_none_or(|by| by == home(scene.plan, scene.no))
    };
    items.filter_map(head).find(own).map(|head| head.kind)
}

/// Whether everybody who looks for a topic, and has a way to somebody who has it, has it too.
pub(crate) fn check(overview: &Overview<'_>, topic: TopicNo) -> Option<Broken> {
    let everybody = overview.everybody;
    if !have_places(everybody.plan, topic) {
        return None;
    }
    let joins = overview.joins(topic).iter();
    let readers = joins.filter(|no| reads(everybody.plan, **no, topic));
    let absent = readers.filter_map(|no| {
        let at = *overview.places.get(no)?;
        is_absent(overview, topic, at).then_some(())?;
        Some((at, door(overview, topic, at)?))
    });
    let absent: Vec<(usize, usize)> = absent.collect();
    let (first, _) = absent.first()?;
    let (count, name) = (absent.len(), overview.topic_name(topic));
    let mut what = format!("{count} who look for {name} have never found it:");
    for (at, door) in absent.iter().take(NAMED) {
        let (who, by) = (overview.name(*at), overview.name(*door));
        let _infallible = write!(what, "\n  {who}, who could have it from {by}");
        if let Some(waits) = &overview.node(*at).waits {
            let _infallible = write!(what, "; its next deadline is for {waits}");
        }
    }
    Some(Broken {
        promise: joining::PROMISE,
        at_us: everybody.now.as_micros(),
        node: Some(overview.node(*first).no),
        what,
    })
}

/// Whether somebody who wants to read, and is there, has nothing of the topic.
fn is_absent(overview: &Overview<'_>, topic: TopicNo, at: usize) -> bool {
    let node = overview.node(at);
    let facts = overview.everybody.facts;
    let left = facts.topic(topic, |topic| topic.left.contains(&node.no));
    let held = overview.replica(topic, at);
    let wants = node.up && node.plan.role == Role::Person && node.plan.is_honest() && !left;
    wants && held.is_none_or(|replica| replica.placed.1 == 0)
}

/// Somebody who has the topic, and could be asked: by the link, as everybody has heard it, or over a
/// link that is there.
fn door(overview: &Overview<'_>, topic: TopicNo, at: usize) -> Option<usize> {
    let everybody = overview.everybody;
    let node = overview.node(at);
    let link: TopicLink = everybody.invites.public(topic)?.parse().ok()?;
    let named = link.at.iter().filter_map(|way| {
        let no = everybody.facts.node_no(&way.node)?;
        let there = overview.node(*overview.places.get(&no)?);
        let known = there.address == way.authority();
        (known && (everybody.reaches)(node.no, no)).then_some(no)
    });
    let mut ways = named.chain(node.linked.iter().copied());
    let has = |there: &Glance<'_>, door: usize| {
        let left = everybody
            .facts
            .topic(topic, |topic| topic.left.contains(&there.no));
        let held = overview.replica(topic, door);
        let whole = held.is_some_and(|replica| replica.placed.1 > 0);
        there.up && there.plan.is_honest() && whole && !left
    };
    ways.find_map(|no| {
        let door = *overview.places.get(&no)?;
        has(overview.node(door), door).then_some(door)
    })
}

#[cfg(test)]
mod tests;
