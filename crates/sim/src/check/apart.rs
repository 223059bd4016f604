//! What goes from core node to core node comes through while those who would heal it are away.
//!
//! When everybody is started at the end, whoever wrote brings everything along, and nobody notices
//! that core nodes have not passed it on. So small worlds are also looked at whenever nothing has
//! happened for the stated time, whoever is there. Something is asked for only where the circle of a
//! topic (its members and their core nodes) was once there as a whole, held the same and had the time
//! to tell one another who holds it, and where since then people and core nodes have come and gone,
//! and no more than that.

use super::liveness::{QUIET, bodies, differ, sides};
use super::replicas::Overview;
use super::{Broken, Everybody};
use crate::plan::{Act, NodeNo, Role, TopicNo};
use std::collections::{BTreeMap, BTreeSet};

/// Circles that were there as a whole and held the same: of which topic, who they are, and when that
/// was, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Acquainted(BTreeMap<TopicNo, (BTreeSet<usize>, u64)>);

/// Looks at all topics when nothing has happened for long.
pub(crate) fn check(everybody: &Everybody<'_>, known: &mut Acquainted) -> Vec<Broken> {
    let overview = Overview::new(everybody);
    let mut broken = Vec::new();
    for topic in overview.topics() {
        let circle = circle(&overview, topic);
        let refuses = |at: &usize| {
            let held = overview.node(*at).watch.holdings.topic(topic);
            held.is_some_and(|held| !held.refused.is_empty())
        };
        let before = known.0.remove(&topic);
        if circle.len() < 2 || circle.iter().any(refuses) {
            continue;
        }
        if let Some((those, at_us)) = before.filter(|(those, _)| *those == circle)
            && !is_disturbed(everybody, at_us)
        {
            for group in groups(&overview, &circle) {
                broken.extend(compare(&overview, topic, &group));
            }
            known.0.insert(topic, (those, at_us));
        } else if is_whole(&overview, topic, &circle) {
            known.0.insert(topic, (circle, everybody.now.as_micros()));
        }
    }
    broken
}

/// Honest members of a topic who have not left it, and the honest core nodes that they use, whether
/// or not they are there.
fn circle(overview: &Overview<'_>, topic: TopicNo) -> BTreeSet<usize> {
    let honest = |no: &NodeNo| {
        let at = *overview.places.get(no)?;
        overview.node(at).plan.is_honest().then_some(at)
    };
    let lost = overview.lost(topic);
    let members: Vec<NodeNo> = overview.everybody.facts.topic(topic, |topic| {
        let stays = |no: &&NodeNo| !topic.left.contains(no) && !lost.is_out(**no);
        topic.members.keys().filter(stays).copied().collect()
    });
    let members: BTreeSet<usize> = members.iter().filter_map(honest).collect();
    let cores = members.iter().flat_map(|at| &overview.node(*at).plan.uses);
    let cores: Vec<usize> = cores.filter_map(honest).collect();
    members.into_iter().chain(cores).collect()
}

/// Whether anything has happened since then that people and core nodes who come and go do not do.
fn is_disturbed(everybody: &Everybody<'_>, since_us: u64) -> bool {
    let (since, now) = (since_us / 1_000, everybody.now.as_micros() / 1_000);
    let steps = everybody.plan.steps.iter();
    let mut steps = steps.filter(|step| (since..=now).contains(&step.at_ms));
    let harmless = |act: &Act| {
        matches!(
            act,
            Act::Send { .. }
                | Act::Mail { .. }
                | Act::Away { .. }
                | Act::Back { .. }
                | Act::Crash { .. }
                | Act::FailCommit { .. }
                | Act::Tear { .. }
        )
    };
    steps.any(|step| !harmless(&step.act))
}

/// Whether all of these are there, have been silent for some minutes, and hold the same.
fn is_whole(overview: &Overview<'_>, topic: TopicNo, circle: &BTreeSet<usize>) -> bool {
    let all: Vec<usize> = circle.iter().copied().collect();
    let sides = sides(overview, topic, &all);
    let same = sides.len() == 1 && sides.keys().all(Option::is_some);
    same && all.iter().all(|at| is_there(overview, *at))
}

/// Whether a node is up and has nothing to say.
fn is_there(overview: &Overview<'_>, at: usize) -> bool {
    let node = overview.node(at);
    let last = node.watch.silence.last();
    let quiet = last.is_none_or(|last| overview.everybody.now.since(last) >= QUIET);
    node.up && quiet
}

/// Those of a circle who are there, parted into those who have a way to one another: from a member to
/// a core node of its own, and from core node to core node.
fn groups(overview: &Overview<'_>, circle: &BTreeSet<usize>) -> Vec<Vec<usize>> {
    let here = circle.iter().copied();
    let mut open: BTreeSet<usize> = here.filter(|at| is_there(overview, *at)).collect();
    let mut groups = Vec::new();
    while let Some(first) = open.pop_first() {
        let (mut todo, mut group) = (vec![first], BTreeSet::new());
        while let Some(at) = todo.pop() {
            group.insert(at);
            let near = |other: &usize| is_near(overview, circle, at, *other);
            let more: Vec<usize> = open.iter().copied().filter(near).collect();
            for next in more {
                open.remove(&next);
                todo.push(next);
            }
        }
        groups.push(group.into_iter().collect());
    }
    groups
}

/// Whether two nodes talk about a topic without help of others: a core node and its client, or two
/// core nodes of which one has a client who told it of the other.
fn is_near(overview: &Overview<'_>, circle: &BTreeSet<usize>, one: usize, two: usize) -> bool {
    let uses = |client: usize, core: usize| {
        let core = overview.node(core).no;
        overview.node(client).plan.uses.contains(&core)
    };
    let is_core = |at: usize| overview.node(at).plan.role == Role::Core;
    // A client that uses both brings everything itself.
    let told = |by: usize, of: usize| {
        let mut clients = circle.iter().filter(|at| uses(**at, by));
        clients.any(|at| !uses(*at, of))
    };
    let talk = uses(one, two)
        || uses(two, one)
        || (is_core(one) && is_core(two) && (told(one, two) || told(two, one)));
    let (a, b) = (overview.node(one), overview.node(two));
    let reaches = &overview.everybody.reaches;
    talk && (a.linked.contains(&b.no) || reaches(a.no, b.no) || reaches(b.no, a.no))
}

/// What those who have a way to one another do not hold alike.
fn compare(overview: &Overview<'_>, topic: TopicNo, group: &[usize]) -> Vec<Broken> {
    let sides = sides(overview, topic, group);
    if sides.len() > 1 {
        let differ = differ(overview, topic, &sides, &BTreeMap::new());
        return differ.into_iter().collect();
    }
    bodies(overview, topic, group)
}

#[cfg(test)]
mod tests;
