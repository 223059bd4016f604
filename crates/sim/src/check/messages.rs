//! Everything that was stored at its writer's comes to everybody who can reach it: the messages of a
//! topic are shown to every member, and mail to whom it was written.
//!
//! What only a home held that was set back may be lost with it. It is asked for only when somebody
//! else has seen it.

use super::carriage::home;
use super::members::is_shaky;
use super::replicas::Overview;
use super::standing::shaken;
use super::{Broken, Everybody, Message};
use crate::plan::{Act, NodeNo, Plan, Right, Role, TopicNo};
use router::limits::MAX_AHEAD;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The name of the promise.
pub(crate) const PROMISE: &str = "liveness";

/// Messages that a report names.
const NAMED: usize = 5;
/// Whoever may be a day ahead need not be shown what is over within a day.
const AHEAD_MS: u64 = 24 * 3600 * 1000;

/// Steps of a plan in which something was sent to a topic that outlasts the plan, by the date that its
/// writer's clock gave it: the number of the step, by whom, how many messages.
pub(crate) type Sends = Vec<(u32, NodeNo, u32)>;

fn sends(overview: &Overview<'_>, topic: TopicNo) -> Sends {
    let plan = overview.everybody.plan;
    let ends = overview.everybody.wall.as_millis().saturating_add(AHEAD_MS);
    let steps = overview.sends(topic).iter();
    let sends = steps.filter_map(|no| match plan.steps.get(*no as usize)?.act {
        Act::Send {
            node,
            count,
            expires_ms: 0,
            ..
        } => {
            let lasts = overview.everybody.facts.lasts(*no)? > ends;
            lasts.then_some((*no, node, count))
        }
        _ => None,
    });
    sends.collect()
}

/// The members and readers of a topic who can reach one another, each group with what all of them must be
/// shown.
pub(crate) fn expected(overview: &Overview<'_>, topic: TopicNo) -> Vec<(Vec<usize>, Sends)> {
    let everybody = overview.everybody;
    let mut sends = sends(overview, topic);
    let shaken = shaken(everybody.plan, everybody.facts, topic);
    // What a forked author wrote may have been withdrawn, and so may what was written under rights that
    // have been taken back.
    sends.retain(|(_, from, _)| {
        !is_shaky(everybody.plan, everybody.facts, *from) && !shaken.contains(from)
    });
    if sends.is_empty() {
        return Vec::new();
    }
    let (lost, public) = (
        overview.lost(topic),
        everybody.plan.topics[topic as usize].public,
    );
    let mut groups = overview.groups_or_all(topic);
    for group in &mut groups {
        group.retain(|at| public || !lost.lacks(overview.node(*at).no, Right::Read));
    }
    let with = |group| (group, sends.clone());
    groups.into_iter().map(with).collect()
}

/// Whether all members and readers who can reach one another have been shown the same messages.
pub(crate) fn check(overview: &Overview<'_>, topic: TopicNo) -> Vec<Broken> {
    let everybody = overview.everybody;
    let mut broken = Vec::new();
    for (group, sends) in expected(overview, topic) {
        let mut missing: Vec<(usize, Message, NodeNo)> = Vec::new();
        for (step, from, count) in &sends {
            for index in 0..*count {
                let message = Message { step: *step, index };
                let lack = lack(overview, (topic, &group), (message, *from));
                missing.extend(lack.into_iter().map(|at| (at, message, *from)));
            }
        }
        let who: BTreeSet<usize> = missing.iter().map(|(at, ..)| *at).collect();
        for at in who.into_iter().take(NAMED) {
            let own: Vec<_> = missing.iter().filter(|(who, ..)| *who == at).collect();
            let name = overview.topic_name(topic);
            let mut what = format!("{} messages of {name} were never shown:", own.len());
            for (_, message, from) in own.into_iter().take(NAMED) {
                let (step, index) = (message.step, message.index);
                let from = &everybody.plan.nodes[*from as usize].name;
                let _infallible = write!(what, " m{step}.{index} of {from}");
            }
            broken.push(note(everybody, at, what));
        }
    }
    broken
}

/// Which members of a group have not been shown a message that they should have been.
fn lack(
    overview: &Overview<'_>,
    (topic, group): (TopicNo, &[usize]),
    (message, from): (Message, NodeNo),
) -> Vec<usize> {
    let everybody = overview.everybody;
    let number = everybody.facts.written.number(everybody.plan, message);
    let Some((_, number)) = number else {
        return Vec::new();
    };
    let shown = |at: &&usize| {
        let watch = overview.node(**at).watch;
        watch.home.delivery.has(topic, number)
    };
    let lack: Vec<usize> = group.iter().filter(|at| !shown(at)).copied().collect();
    let is_there = lack.len() < group.len();
    let safe = overview
        .places
        .get(&from)
        .is_some_and(|at| group.contains(at) && !overview.node(*at).watch.holdings.was_set_back);
    if is_there || safe { lack } else { Vec::new() }
}

/// Whether mail has come to whom it was written, where its writer can reach that node and the two
/// share a topic, so that they know one another.
pub(crate) fn mails(overview: &Overview<'_>) -> Vec<Broken> {
    let everybody = overview.everybody;
    let mut broken = Vec::new();
    for (no, step) in (0_u32..).zip(&everybody.plan.steps) {
        let Act::Mail {
            node,
            to,
            best_effort: false,
            ..
        } = step.act
        else {
            continue;
        };
        if everybody.facts.sent_at(no).is_none() {
            continue;
        }
        let places = (overview.places.get(&node), overview.places.get(&to));
        let (Some(from), Some(at)) = places else {
            continue;
        };
        let is_there = overview.node(*at).watch.home.delivery.has_mail(no);
        let dated = [node, to]
            .iter()
            .all(|no| is_dated(everybody.plan, *no, step.at_ms));
        if is_there || !dated || !can_mail(overview, *from, *at) {
            continue;
        }
        let from = overview.name(*from);
        let what = format!("mail of {from}, from step {no}, has not come");
        broken.push(note(everybody, *at, what));
        if broken.len() >= NAMED {
            break;
        }
    }
    broken
}

/// Whether what a node dates from a time on is right by a day: it relies on its own clock, or may
/// date by those of its peers. What is dated further ahead waits at its reader until it is due, and
/// what is dated long ago has expired there.
fn is_dated(plan: &Plan, no: NodeNo, from_ms: u64) -> bool {
    let peers = (0..).zip(&plan.nodes).map(|(no, _)| no);
    let asks = !plan.nodes[no as usize].trust_clock;
    is_near(plan, no, from_ms) && (!asks || peers.into_iter().all(|no| is_near(plan, no, 0)))
}

/// Whether a node's clock is right by a day from a time on.
fn is_near(plan: &Plan, no: NodeNo, from_ms: u64) -> bool {
    let own = &plan.nodes[no as usize];
    let set = plan.steps.iter().filter_map(|step| match step.act {
        Act::Clock { node, skew_ms } if node == no => Some((step.at_ms, skew_ms)),
        _ => None,
    });
    let mut before = own.skew_ms;
    let mut skews = Vec::new();
    for (at_ms, skew_ms) in set {
        if at_ms < from_ms {
            before = skew_ms;
        } else {
            skews.push(skew_ms);
        }
    }
    skews.push(before);
    let passed = plan.length_ms.saturating_add(plan.converge_ms);
    let drift = u128::from(passed) * u128::from(own.drift_ppm.unsigned_abs()) / 1_000_000;
    let near = |skew: &i64| u128::from(skew.unsigned_abs()) + drift <= MAX_AHEAD.as_millis();
    skews.iter().all(near)
}

/// Whether mail of one node must come to another. Both know the other's key, addresses and core nodes
/// from the profiles in a topic of which they hold the same. Not promised is that it comes
/// - to one of two homes with one key: the other may have got it;
/// - where its writer can neither dial the other nor, if that has moved, know where it is, nor bring
///   it to a core node of the other's: see [`by_core`].
fn can_mail(overview: &Overview<'_>, from: usize, to: usize) -> bool {
    let (plan, facts) = (overview.everybody.plan, overview.everybody.facts);
    let (one, two) = (overview.node(from), overview.node(to));
    let sound = |at: usize| {
        let node = overview.node(at);
        let alone = home(plan, node.no) == node.no
            && plan
                .nodes
                .iter()
                .all(|other| other.twin_of != Some(node.no));
        alone && node.up && node.plan.is_honest() && !node.watch.holdings.was_set_back
    };
    if !sound(from) || !sound(to) {
        return false;
    }
    let shares = |topic: TopicNo| {
        let lost = overview.lost(topic);
        facts.topic(topic, |topic| {
            let here = |no: &NodeNo| topic.members.contains_key(no) && !topic.left.contains(no);
            let stays = |no: &NodeNo| here(no) && !lost.is_out(*no);
            stays(&one.no) && stays(&two.no)
        })
    };
    let topics = (0..plan.topics.len()).filter_map(|no| TopicNo::try_from(no).ok());
    let alike = |topic: TopicNo| {
        let placed = |at| overview.replica(topic, at).map(|replica| replica.placed);
        placed(from).is_some() && placed(from) == placed(to)
    };
    let shared: Vec<TopicNo> = topics
        .filter(|topic| shares(*topic) && alike(*topic))
        .collect();
    if shared.is_empty() {
        return false;
    }
    let cores = plan.nodes.iter().any(|node| node.role == Role::Core);
    let moves = |act: &Act| matches!(act, Act::Move { node, .. } if *node == two.no);
    let has_moved = plan.steps.iter().any(|step| moves(&step.act));
    // Whom a core node stands for is dialled rarely by those who wait for no mail of theirs, and
    // tells nobody its new addresses.
    (!(cores && has_moved) && (overview.everybody.reaches)(one.no, two.no))
        || (!cores && (overview.everybody.reaches)(two.no, one.no))
        || one.linked.contains(&two.no)
        || overview
            .uses(two.no)
            .iter()
            .any(|core| by_core(overview, (from, to), *core, &shared))
}

/// Whether mail must come by this core node of its reader's. It takes none of strangers, so its writer
/// must be its client too or take part in a topic that it holds; and one that may be full, or was set
/// back and has forgotten whose it is, promises nothing.
fn by_core(
    overview: &Overview<'_>,
    (from, to): (usize, usize),
    core: NodeNo,
    shared: &[TopicNo],
) -> bool {
    let Some(at) = overview.places.get(&core).copied() else {
        return false;
    };
    let (one, two, node) = (overview.node(from), overview.node(to), overview.node(at));
    let sound = node.up && node.plan.is_honest() && !node.watch.holdings.was_set_back;
    let has_room = node.plan.quota == 0 && node.plan.disk == 0;
    let known = overview.uses(one.no).contains(&core)
        || shared
            .iter()
            .any(|topic| overview.replica(*topic, at).is_some());
    let reached = one.linked.contains(&core) || (overview.everybody.reaches)(one.no, core);
    sound && has_room && known && reached && two.linked.contains(&core)
}

fn note(everybody: &Everybody<'_>, at: usize, what: String) -> Broken {
    Broken {
        promise: PROMISE,
        at_us: everybody.now.as_micros(),
        node: Some(everybody.nodes[at].no),
        what,
    }
}
