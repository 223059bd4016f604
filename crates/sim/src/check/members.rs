//! No honest person ever loses a right; only a whole machine that was set back without anybody
//! noticing, or a liar, closes an author key of its own.

use super::carriage::home;
use super::holdings::look;
use super::replicas::{Overview, Replica};
use super::{Broken, Everybody, Facts, Scene};
use crate::plan::{Act, NodeNo, Plan, TopicNo};
use identity::PublicKey;
use lace::rows;
use machine::Batch;
use std::collections::BTreeSet;

/// The name of the promise.
pub(crate) const PROMISE: &str = "members";

/// Members that a report names.
const NAMED: usize = 5;

/// Whether a node's machine was set back or copied without anybody noticing, or lies, or a copy of
/// it was or does.
pub(crate) fn is_tainted(plan: &Plan, facts: &Facts, no: NodeNo) -> bool {
    let lies = |no: NodeNo| facts.is_tainted(no) || !plan.nodes[no as usize].is_honest();
    lies(no)
        || (0..plan.nodes.len())
            .filter_map(|twin| NodeNo::try_from(twin).ok())
            .any(|twin| home(plan, twin) == no && lies(twin))
}

/// A batch becomes durable: evidence of a fork is against somebody who can have forked.
pub(crate) fn commits(scene: &mut Scene<'_>, batch: &Batch) {
    for (table, key, value) in &batch.writes {
        if *table != rows::LACE || key.get(4) != Some(&b'e') || value.is_none() {
            continue;
        }
        let Some(author) = key.get(5..).and_then(|key| key.first_chunk()) else {
            continue;
        };
        let author = PublicKey::from_bytes(*author);
        if let Some(no) = scene.facts.devices.author(&author)
            && !is_tainted(scene.plan, scene.facts, no)
        {
            let who = &scene.plan.nodes[no as usize].name;
            let what = format!(
                "an author key of {who} is closed, though its machine was never set back unnoticed"
            );
            scene.broken(PROMISE, what);
        }
    }
}

/// Whether everybody is still a member everywhere, and nobody's keys are closed but those of whom
/// it may have happened to.
pub(crate) fn check(overview: &Overview<'_>, topic: TopicNo) -> Vec<Broken> {
    let mut broken = Vec::new();
    for group in overview.groups_or_all(topic) {
        let mut seen = BTreeSet::new();
        for at in &group {
            let Some(replica) = overview.replica(topic, *at) else {
                continue;
            };
            // Of those who hold the same, one speaks for all.
            if seen.insert(overview.hashes(replica)) {
                broken.extend(check_one(overview, topic, (replica, &group)));
            }
        }
    }
    broken
}

fn check_one(
    overview: &Overview<'_>,
    topic: TopicNo,
    (replica, group): (&Replica, &[usize]),
) -> Vec<Broken> {
    let everybody = overview.everybody;
    let devices = &everybody.facts.devices;
    let found = look(overview.node(replica.at).disk, replica.local, |lace, _| {
        let authors = lace.authors();
        let nodes: BTreeSet<NodeNo> = authors.filter_map(|a| devices.author(a.key())).collect();
        let forked: Vec<PublicKey> = lace.forks().map(|(author, _)| *author).collect();
        (nodes, forked)
    });
    let Some((nodes, forked)) = found else {
        return Vec::new();
    };
    let (who, name) = (overview.name(replica.at), overview.topic_name(topic));
    let mut broken = Vec::new();
    for author in forked {
        let owner = devices.author(&author);
        if let Some(no) = owner
            && !is_tainted(everybody.plan, everybody.facts, no)
        {
            let whose = &everybody.plan.nodes[no as usize].name;
            let what =
                format!("{who} has closed an author key of {whose}, who is honest, in {name}");
            broken.push(note(everybody, replica.at, what));
        }
    }
    // An author is registered when the world knows the topic: without any, nothing can be said.
    let lost: Vec<&str> = group
        .iter()
        .filter(|at| !nodes.contains(&home(everybody.plan, overview.node(**at).no)))
        .map(|at| overview.name(*at))
        .collect();
    if !nodes.is_empty() && !lost.is_empty() {
        let (count, some) = (lost.len(), &lost[..lost.len().min(NAMED)]);
        let what = format!(
            "{count} members of {name} are none for {who}: {}",
            some.join(", ")
        );
        broken.push(note(everybody, replica.at, what));
    }
    broken
}

/// Whether everybody could write once all faults had stopped: what the plan lets people send then
/// was stored.
pub(crate) fn last_words(overview: &Overview<'_>) -> Vec<Broken> {
    let everybody = overview.everybody;
    let steps = (0..).zip(&everybody.plan.steps);
    let late = steps.filter(|(_, step)| step.at_ms >= everybody.plan.length_ms);
    let wrong = late.filter_map(|(no, step)| {
        let Act::Send { node, topic, .. } = step.act else {
            return None;
        };
        let at = *overview.places.get(&node)?;
        let is_there = overview.node(at).up && overview.node(at).plan.is_honest();
        // Who never came has nothing to write to.
        let facts = everybody.facts;
        let has_come = facts.topic(topic, |topic| topic.members.contains_key(&node));
        // Whose disk has lost its joining comes again by its invite, if that still leads anywhere.
        let has_lost = overview.node(at).watch.holdings.was_set_back && !overview.is_same(topic);
        if !is_there || !has_come || has_lost || facts.sent_at(no).is_some() {
            return None;
        }
        let name = overview.topic_name(topic);
        let what = format!("what it wrote to {name} at the end, in step {no}, was not stored");
        Some(note(everybody, at, what))
    });
    wrong.collect()
}

fn note(everybody: &Everybody<'_>, at: usize, what: String) -> Broken {
    Broken {
        promise: PROMISE,
        at_us: everybody.now.as_micros(),
        node: Some(everybody.nodes[at].no),
        what,
    }
}
