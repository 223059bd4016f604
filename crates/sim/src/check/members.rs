//! No honest person ever loses a right; only a whole machine that was set back without anybody
//! noticing, or a liar, closes an author key of its own.

use super::carriage::{home, person};
use super::ended::parent;
use super::holdings::look;
use super::readers::reads;
use super::replicas::{Overview, Replica};
use super::standing::{ever_given, of_device, rights_at, shaken};
use super::unwelcomed::could_go_on;
use super::{Broken, Everybody, Facts, Scene};
use crate::plan::{Act, NodeNo, Plan, Right, TopicNo};
use identity::{EnvelopeId, GrantId, PublicKey};
use lace::{Effect, Why, rows};
use machine::Batch;
use rights::limits::EPOCHS_PER_DAY;
use std::collections::{BTreeMap, BTreeSet};
use wire::Item;
use wire::limits::{DAY_MS, MAX_GRANT_DEPTH};

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

/// Whether what a node wrote may be void for what happened to its machine, or to the first device of its
/// person, which gave it its place.
pub(crate) fn is_shaky(plan: &Plan, facts: &Facts, no: NodeNo) -> bool {
    is_tainted(plan, facts, no) || is_tainted(plan, facts, person(plan, no))
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
    let public = everybody.plan.topics[topic as usize].public;
    let lost: Vec<&str> = group
        .iter()
        .map(|at| (at, home(everybody.plan, overview.node(*at).no)))
        .filter(|(_, no)| !nodes.contains(no) && !reads(everybody.plan, *no, topic))
        // Another device of somebody who may write in a public topic begins with its first message.
        .filter(|(_, no)| !public || person(everybody.plan, *no) == *no)
        .map(|(at, _)| at)
        .map(|at| overview.name(*at))
        .collect();
    broken.extend(loses(overview, topic, replica));
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

/// Whether somebody lacks what came with its invite, though the founder has taken nothing from it.
fn loses(overview: &Overview<'_>, topic: TopicNo, replica: &Replica) -> Option<Broken> {
    let everybody = overview.everybody;
    let (facts, name) = (everybody.facts, overview.topic_name(topic));
    let shaken = shaken(overview.everybody.plan, overview.everybody.facts, topic);
    let rights = rights_at(overview, topic, replica);
    let lacks = |(no, rights): &(&NodeNo, &BTreeSet<Right>)| {
        let lost = [Right::Publish, Right::Read].into_iter();
        let mut lost = lost.filter(|right| !rights.contains(right));
        let is_first = person(everybody.plan, **no) == **no;
        // Another device has what the grants give that its person holds, and nothing of an invite's.
        let given = |right: &Right| ever_given(overview, replica, **no).contains(right);
        lost.any(|right| is_first || (!shaken.contains(no) && given(&right)))
    };
    let mut lacking = rights.iter().filter(lacks).map(|(no, _)| *no);
    let no = lacking.find(|no| {
        // The keys of who lies may be closed, and what it came by with them.
        !is_shaky(everybody.plan, facts, *no)
            && !facts.is_revoked(everybody.plan, topic, *no)
            && !came_late(overview, (topic, replica), *no)
    })?;
    let (whose, who) = (
        &everybody.plan.nodes[no as usize].name,
        overview.name(replica.at),
    );
    let what = format!("by what {who} has of {name} {whose} has lost a right, and nobody took it");
    Some(note(everybody, replica.at, what))
}

/// Whether somebody came by an invite that had been taken back from another one, where the founder did
/// not know of it: it was given no grant of its own.
fn came_late(overview: &Overview<'_>, (topic, replica): (TopicNo, &Replica), no: NodeNo) -> bool {
    let everybody = overview.everybody;
    if everybody.plan.topics[topic as usize].personal {
        return false;
    }
    let devices = &everybody.facts.devices;
    let found = look(
        overview.node(replica.at).disk,
        replica.local,
        |lace, store| {
            let held = lace.held_set(store);
            let firsts: Vec<EnvelopeId> = lace
                .authors()
                .filter(|author| devices.author(author.key()) == Some(no))
                .flat_map(|author| lace.at(store, author.key(), 1, 1))
                .collect();
            lace.facts(store, |facts| {
                let ends = held.iter().filter_map(|no| facts.fact(no));
                let mut ends = ends.filter(|fact| matches!(fact.what, Item::Revocation(_)));
                ends.any(|end| {
                    let past = facts.set(end.view);
                    let known = |first: &EnvelopeId| {
                        let facts = facts.carried(first);
                        facts.iter().any(|fact| past.has(fact.no))
                    };
                    !firsts.iter().any(known)
                })
            })
        },
    );
    found.unwrap_or(false)
}

/// Whether all by which a member may write was taken back by somebody who had forked by then, it or what it was given
/// out of. By all that is held that is void; in the past of what the member writes, where no fork is known, it is not.
fn lost_on_a_branch(overview: &Overview<'_>, topic: TopicNo, at: usize) -> bool {
    let Some(replica) = overview.replica(topic, at) else {
        return false;
    };
    let devices = &overview.everybody.facts.devices;
    let node = overview.node(at);
    let found = look(node.disk, replica.local, |lace, store| {
        let Some(device) = devices.key(lace.genesis(), node.no) else {
            return false;
        };
        let mut effect = Effect::clone(&lace.held_effect(store));
        let taken = lace.facts(store, |facts| {
            let forked = effect.void.iter().filter(|(_, why)| **why == Why::Fork);
            let ends = forked.filter_map(|(no, _)| match &facts.fact(*no)?.what {
                Item::Revocation(it) => Some(it.grant),
                Item::Close(it) => Some(it.grant),
                _ => None,
            });
            let ends: BTreeSet<GrantId> = ends.collect();
            let above = |grant: &GrantId| parent(&facts.issued(grant).first()?.what);
            let under = |grant: &&GrantId| {
                let line = std::iter::successors(Some(**grant), above);
                line.take(1 + MAX_GRANT_DEPTH).any(|at| ends.contains(&at))
            };
            effect
                .grants
                .keys()
                .filter(under)
                .copied()
                .collect::<BTreeSet<GrantId>>()
        });
        effect.grants.retain(|grant, _| !taken.contains(grant));
        effect
            .devices
            .retain(|_, seat| !taken.contains(&seat.grant));
        !taken.is_empty() && !of_device(lace, store, &effect, &device).contains(&Right::Publish)
    });
    found.unwrap_or(false)
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
        let rights = overview.lost(topic);
        if rights.lacks(node, Right::Publish) {
            return None;
        }
        // Nor is whoever was set back, and whom the founder took something from, told a new invite.
        let set_back = overview.node(at).watch.holdings.was_set_back;
        if set_back && facts.is_revoked(everybody.plan, topic, node) {
            return None;
        }
        let has_lost = overview.node(at).watch.holdings.was_set_back && !overview.is_same(topic);
        if !is_there || !has_come || has_lost || facts.sent_at(no).is_some() {
            return None;
        }
        if facts.is_without_keys(no) && are_used_up(overview, topic) {
            return None;
        }
        if facts.is_unwelcomed(no) && !could_go_on(overview, topic, at) {
            return None;
        }
        if lost_on_a_branch(overview, topic, at) {
            return None;
        }
        let name = overview.topic_name(topic);
        let what = format!("what it wrote to {name} at the end, in step {no}, was not stored");
        Some(note(everybody, at, what))
    });
    wrong.collect()
}

/// Whether nobody may begin new keys today: everybody who could has begun as many as a device may.
fn are_used_up(overview: &Overview<'_>, topic: TopicNo) -> bool {
    let devices = &overview.everybody.facts.devices;
    let since = overview.everybody.wall.as_millis().saturating_sub(DAY_MS);
    let lost = overview.lost(topic);
    let may = |no: &NodeNo| !lost.lacks(*no, Right::Publish) && !lost.lacks(*no, Right::Read);
    let members = overview.members(topic);
    let mut able: BTreeSet<NodeNo> = members.iter().map(|at| overview.node(*at).no).collect();
    able.retain(may);
    for at in &members {
        let Some(replica) = overview.replica(topic, *at) else {
            continue;
        };
        let begun = look(overview.node(*at).disk, replica.local, |lace, store| {
            let held = lace.held_set(store);
            let mut begun: BTreeMap<NodeNo, usize> = BTreeMap::new();
            lace.facts(store, |facts| {
                for fact in held.iter().filter_map(|no| facts.fact(no)) {
                    let by = facts.key(fact.author).and_then(|key| devices.author(&key));
                    if let (Item::Epoch(_), Some(by)) = (&fact.what, by)
                        && fact.created >= since
                    {
                        *begun.entry(by).or_default() += 1;
                    }
                }
            });
            begun
        });
        able.retain(|no| {
            let begun = begun.iter().filter_map(|begun| begun.get(no));
            begun.sum::<usize>() < EPOCHS_PER_DAY
        });
    }
    able.is_empty()
}

fn note(everybody: &Everybody<'_>, at: usize, what: String) -> Broken {
    Broken {
        promise: PROMISE,
        at_us: everybody.now.as_micros(),
        node: Some(everybody.nodes[at].no),
        what,
    }
}
