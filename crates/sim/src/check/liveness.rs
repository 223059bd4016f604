//! When all faults have stopped, everybody who can reach one another has the same, within the stated
//! time: the same kept set, its bodies, and lines made of them.
//!
//! Who can reach whom is taken from the world: links that are there, and nodes whose present address
//! stands among the dialler's rows and which the network would let it reach; through members, readers and
//! core nodes that carry the topic, these as far as the dialler was told that they hold topics. Where something is lacking, the report says who lacks what, from
//! whom it could have come, and what those who lack it are waiting for.

use super::agreement::{kept_ids, refusals};
use super::holdings::{look, rows_of};
use super::replicas::{Overview, Replica, waiting};
use super::{Broken, Everybody, Glance};
use crate::plan::TopicNo;
use identity::{EnvelopeId, PublicKey};
use lace::Body;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;
use wire::Envelope;

/// The name of the promise.
pub(crate) const PROMISE: &str = "liveness";

/// Nodes of a group that a report speaks of.
const NODES: usize = 4;
/// Envelopes that it names at each.
const ENVELOPES: usize = 4;
/// Others that it names for each envelope.
const OTHERS: usize = 4;
/// How long nodes have said nothing when what they hold is compared while others may still talk:
/// twice the longest time for which one leaves a peer alone that did not answer.
pub(super) const QUIET: Duration = topic::limits::ASK_AGAIN.saturating_mul(2);
/// Bytes of a report.
const LONGEST: usize = 8 * 1024;

/// Looks at one topic.
pub(crate) fn check(overview: &Overview<'_>, topic: TopicNo) -> Vec<Broken> {
    let holders = overview.holders(topic);
    let waits = |at: &usize| match overview.replica(topic, *at) {
        Some(replica) => waiting(overview.node(*at), replica.local) != (0, 0),
        None => true,
    };
    let idle = !holders.iter().any(waits);
    if holders.len() < 2 || (idle && overview.is_same(topic)) {
        return Vec::new();
    }
    let mut broken = Vec::new();
    for group in overview.groups(topic) {
        let sides = sides(overview, topic, &group);
        if sides.len() > 1 {
            broken.extend(differ(overview, topic, &sides, &BTreeMap::new()));
            broken.extend(refused(overview, topic, &sides));
        } else {
            broken.extend(bodies(overview, topic, &group));
        }
    }
    if broken.is_empty() {
        broken.extend(despite_refusals(overview, topic));
    }
    broken
}

/// Members who can reach one another only through core nodes that have refused something since
/// faults have stopped: all the rest these must have passed on.
fn despite_refusals(overview: &Overview<'_>, topic: TopicNo) -> Vec<Broken> {
    let (groups, refused) = overview.wide_groups(topic);
    if refused.is_empty() {
        return Vec::new();
    }
    let mut broken = Vec::new();
    for group in groups {
        let sides = sides(overview, topic, &group);
        if sides.len() > 1 {
            broken.extend(differ(overview, topic, &sides, &refused));
        }
    }
    broken
}

/// Members and readers that have a link with one another and are both silent, but do not hold the same: each
/// takes the other to have what it has. What is said next would heal it, so this is looked for while
/// nothing is said.
pub(crate) fn linked(overview: &Overview<'_>, topic: TopicNo) -> Vec<Broken> {
    if overview.is_same(topic) {
        return Vec::new();
    }
    let settled = |at: &usize| {
        let node = overview.node(*at);
        let last = node.watch.silence.last();
        let quiet = last.is_none_or(|last| overview.everybody.now.since(last) >= QUIET);
        let replica = overview.replica(topic, *at)?;
        quiet.then(|| (*at, overview.hashes(replica)))
    };
    let holders = overview.holders(topic);
    let silent: BTreeMap<usize, _> = holders.iter().filter_map(settled).collect();
    let mut broken = Vec::new();
    for (at, (cut, _)) in silent
        .iter()
        .filter_map(|(at, hashes)| Some((at, (*hashes)?)))
    {
        let places = overview.node(*at).linked.iter();
        let places = places.filter_map(|no| overview.places.get(no));
        for other in places.filter(|other| *other > at) {
            let Some(Some((theirs, _))) = silent.get(other) else {
                continue;
            };
            if *theirs != cut {
                let both = [*at, *other];
                let pair = sides(overview, topic, &both);
                let refused = refused_by_any(overview, topic, &both);
                broken.extend(differ(overview, topic, &pair, &refused));
            }
        }
        if broken.len() >= NODES {
            break;
        }
    }
    broken
}

/// What any of these has refused since faults have stopped.
fn refused_by_any(overview: &Overview<'_>, topic: TopicNo, these: &[usize]) -> Refusals {
    let mut refused = Refusals::new();
    for (author, from) in these.iter().flat_map(|at| overview.refused_by(topic, *at)) {
        let lowest = refused.entry(*author).or_insert(from);
        *lowest = from.min(*lowest);
    }
    refused
}

/// Members of a group by what they hold. Those without the topic come as well.
pub(super) type Sides = BTreeMap<Option<super::replicas::Hashes>, Vec<usize>>;

pub(super) fn sides(overview: &Overview<'_>, topic: TopicNo, group: &[usize]) -> Sides {
    let mut sides = Sides::new();
    for at in group {
        let replica = overview.replica(topic, *at);
        let hashes = replica.and_then(|replica| overview.hashes(replica));
        sides.entry(hashes).or_default().push(*at);
    }
    sides
}

/// What the kept set of each side would have to say to the others.
fn refused(overview: &Overview<'_>, topic: TopicNo, sides: &Sides) -> Vec<Broken> {
    let first = sides.values().filter_map(|side| side.first());
    let replicas: Vec<&Replica> = first
        .filter_map(|at| overview.replica(topic, *at))
        .take(NODES)
        .collect();
    let mut broken = Vec::new();
    for has in &replicas {
        for lacks in replicas.iter().filter(|lacks| lacks.at != has.at) {
            broken.extend(refusals(overview, topic, (has, lacks)));
        }
    }
    broken
}

/// Who holds each envelope.
type Owners = BTreeMap<EnvelopeId, Vec<usize>>;

/// What was refused on the way: of whom, and from which number on.
pub(super) type Refusals = BTreeMap<PublicKey, u64>;

/// What of these rests on something that was refused, or is that itself.
fn excused(
    overview: &Overview<'_>,
    topic: TopicNo,
    owners: &Owners,
    refused: &Refusals,
) -> BTreeSet<EnvelopeId> {
    let mut excused = BTreeSet::new();
    if refused.is_empty() {
        return excused;
    }
    let headers = owners.iter().filter_map(|(id, by)| {
        let envelope = envelope(overview, topic, id, by)?;
        Some((envelope.header.generation, *id, envelope.header))
    });
    let mut headers: Vec<_> = headers.collect();
    // What an envelope names is of a lower generation.
    headers.sort_unstable_by_key(|(generation, id, _)| (*generation, *id));
    for (_, id, header) in headers {
        let from = refused.get(&header.author);
        let past = [EnvelopeId::from_bytes(header.previous)];
        let mut past = header.deps.iter().chain(&past);
        if from.is_some_and(|from| header.number >= *from) || past.any(|id| excused.contains(id)) {
            excused.insert(id);
        }
    }
    excused
}

/// A report about members of a group that hold different sets; nothing where all that is lacking
/// rests on what was refused.
pub(super) fn differ(
    overview: &Overview<'_>,
    topic: TopicNo,
    sides: &Sides,
    refused: &Refusals,
) -> Option<Broken> {
    let mut owners = Owners::new();
    let mut holds: BTreeMap<usize, BTreeSet<EnvelopeId>> = BTreeMap::new();
    for at in sides.values().filter_map(|side| side.first()) {
        let ids = match overview.replica(topic, *at) {
            Some(replica) => kept_ids(overview, replica),
            None => Vec::new(),
        };
        holds.insert(*at, ids.into_iter().collect());
    }
    for side in sides.values() {
        let first = side.first().and_then(|at| holds.get(at));
        for id in first.into_iter().flatten() {
            owners.entry(*id).or_default().extend(side);
        }
    }
    let excused = excused(overview, topic, &owners, refused);
    owners.retain(|id, _| !excused.contains(id));
    let (members, all) = (sides.values().map(Vec::len).sum::<usize>(), owners.len());
    let name = overview.topic_name(topic);
    let mut what = format!(
        "{members} holders of {name} can reach one another and hold {} different sets of {all} \
         envelopes in all",
        sides.len()
    );
    let poorest = |(_, side): &(&_, &Vec<usize>)| side.first().map_or(0, |at| holds[at].len());
    let mut poor: Vec<_> = sides.iter().collect();
    poor.sort_by_key(poorest);
    let mut lacking_any = refused.is_empty();
    for (_, side) in poor.into_iter().take(NODES) {
        let Some(at) = side.first() else { continue };
        let lacking: Vec<(&EnvelopeId, &Vec<usize>)> = owners
            .iter()
            .filter(|(id, _)| !holds[at].contains(id))
            .collect();
        if !lacking.is_empty() {
            lacking_any = true;
            what.push_str(&lacks(overview, topic, (*at, side.len() - 1), &lacking));
        }
    }
    lacking_any.then(|| note(overview.everybody, None, what))
}

/// What one lacks, who has it, and what it is waiting for.
fn lacks(
    overview: &Overview<'_>,
    topic: TopicNo,
    (at, alike): (usize, usize),
    lacking: &[(&EnvelopeId, &Vec<usize>)],
) -> String {
    let mut text = format!("\n{}", overview.name(at));
    if alike > 0 {
        let _infallible = write!(text, " and {alike} more like it");
    }
    let _infallible = write!(text, " lack {}:", lacking.len());
    let mut lowest: Vec<_> = lacking
        .iter()
        .map(|(id, by)| (origin(overview, topic, id, by), id, by))
        .collect();
    lowest.sort();
    for (origin, id, by) in lowest.into_iter().take(ENVELOPES) {
        let from: Vec<String> = by
            .iter()
            .take(OTHERS)
            .map(|other| format!("{} ({})", overview.name(*other), way(overview, at, *other)))
            .collect();
        let _infallible = write!(text, "\n  {id} {origin}, had by {}", from.join(", "));
        if by.len() > OTHERS {
            let _infallible = write!(text, " and {} more", by.len() - OTHERS);
        }
    }
    text.push_str(&state(overview, topic, at));
    text
}

/// An envelope, as the first who holds it has it.
fn envelope(
    overview: &Overview<'_>,
    topic: TopicNo,
    id: &EnvelopeId,
    by: &[usize],
) -> Option<Envelope> {
    let replica = by.first().and_then(|at| overview.replica(topic, *at))?;
    let disk = overview.node(replica.at).disk;
    look(disk, replica.local, |lace, store| lace.header(store, id)).flatten()
}

/// Which envelope it is.
fn origin(overview: &Overview<'_>, topic: TopicNo, id: &EnvelopeId, by: &[usize]) -> Origin {
    match envelope(overview, topic, id, by) {
        Some(envelope) => {
            let owner = overview
                .everybody
                .facts
                .devices
                .author(&envelope.header.author);
            let plan = overview.everybody.plan;
            Origin {
                generation: envelope.header.generation,
                number: envelope.header.number,
                author: owner.map_or("somebody".to_owned(), |no| {
                    plan.nodes[no as usize].name.clone()
                }),
                deps: envelope.header.deps.len(),
            }
        }
        None => Origin::default(),
    }
}

/// Where an envelope belongs; in causal order.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Origin {
    generation: u64,
    author: String,
    number: u64,
    deps: usize,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (number, author) = (self.number, &self.author);
        write!(f, "number {number} of {author}, with {} deps", self.deps)
    }
}

/// How one could get something from another.
fn way(overview: &Overview<'_>, at: usize, other: usize) -> &'static str {
    let (node, peer) = (overview.node(at), overview.node(other).no);
    if node.linked.contains(&peer) {
        "linked"
    } else if !overview.node(other).up {
        "down"
    } else if (overview.everybody.reaches)(node.no, peer) {
        "could be dialled"
    } else if (overview.everybody.reaches)(peer, node.no) {
        "could dial it"
    } else {
        "only through others"
    }
}

/// What a node is doing about a topic.
fn state(overview: &Overview<'_>, topic: TopicNo, at: usize) -> String {
    let node = overview.node(at);
    let links: Vec<&str> = node
        .linked
        .iter()
        .filter_map(|no| overview.places.get(no))
        .map(|at| overview.name(*at))
        .collect();
    let mut text = match overview.replica(topic, at) {
        Some(replica) => {
            let (missing, waits) = waiting(node, replica.local);
            let mut text = format!(
                "\n  it has {} envelopes, {missing} bodies are missing, {waits} wait for lines",
                replica.placed.1
            );
            if let Some(why) = refusals_of(node, replica.local) {
                let _infallible = write!(text, "; it was refused {why} times");
            }
            text
        }
        None => "\n  it has not got the topic at all".to_owned(),
    };
    let _infallible = write!(text, "; links: {}", links.join(", "));
    if let Some(waits) = &node.waits {
        let _infallible = write!(text, "; its next deadline is for {waits}");
    }
    text
}

/// How often somebody refused what this node wrote, by its rows.
fn refusals_of(node: &Glance<'_>, local: u32) -> Option<usize> {
    let refused = rows_of(node.disk, topic::rows::REFUSED, local).len();
    (refused > 0).then_some(refused)
}

/// Members that hold the same headers: whether each has made lines of them, and has every body that
/// another has.
pub(super) fn bodies(overview: &Overview<'_>, topic: TopicNo, group: &[usize]) -> Vec<Broken> {
    let mut broken = Vec::new();
    for at in group {
        let Some(replica) = overview.replica(topic, *at) else {
            continue;
        };
        let node = overview.node(*at);
        let (missing, waits) = waiting(node, replica.local);
        if waits > 0 {
            let name = overview.topic_name(topic);
            let mut what = format!("{waits} envelopes of {name} wait for lines to be made of them");
            what.push_str(&state(overview, topic, *at));
            broken.push(note(overview.everybody, Some(*at), what));
        }
        if missing > 0 {
            broken.extend(missing_bodies(overview, topic, (replica, group)));
        }
        if broken.len() >= NODES {
            break;
        }
    }
    broken
}

fn missing_bodies(
    overview: &Overview<'_>,
    topic: TopicNo,
    (lacks, group): (&Replica, &[usize]),
) -> Option<Broken> {
    let node = overview.node(lacks.at);
    let missing = look(node.disk, lacks.local, |lace, store| {
        lace.missing_bodies(store, 0, usize::MAX >> 1).0
    })?;
    let mut text = String::new();
    let mut count = 0;
    for body in missing {
        let has = |at: &&usize| has_body(overview, topic, **at, &body.id);
        let by: Vec<usize> = group.iter().filter(has).copied().collect();
        if by.is_empty() {
            continue;
        }
        count += 1;
        if count <= ENVELOPES {
            let from: Vec<String> = by
                .iter()
                .take(OTHERS)
                .map(|other| {
                    let way = way(overview, lacks.at, *other);
                    format!("{} ({way})", overview.name(*other))
                })
                .collect();
            let origin = origin(overview, topic, &body.id, &[lacks.at]);
            let _infallible = write!(text, "\n  {} {origin}, had by {}", body.id, from.join(", "));
        }
    }
    if count == 0 {
        return None;
    }
    let name = overview.topic_name(topic);
    let mut what = format!("{count} bodies of {name} have not come, that others have:{text}");
    what.push_str(&state(overview, topic, lacks.at));
    Some(note(overview.everybody, Some(lacks.at), what))
}

fn has_body(overview: &Overview<'_>, topic: TopicNo, at: usize, id: &EnvelopeId) -> bool {
    let Some(replica) = overview.replica(topic, at) else {
        return false;
    };
    let held = look(overview.node(at).disk, replica.local, |lace, store| {
        lace.envelope(store, id)
    });
    let wall = overview.everybody.wall.as_millis();
    matches!(held, Some(Some(held))
        if matches!(held.body, Body::Here(_)) && held.envelope.header.expires > wall)
}

fn note(everybody: &Everybody<'_>, at: Option<usize>, mut what: String) -> Broken {
    let mut end = what.len().min(LONGEST);
    while !what.is_char_boundary(end) {
        end -= 1;
    }
    what.truncate(end);
    Broken {
        promise: PROMISE,
        at_us: everybody.now.as_micros(),
        node: at.map(|at| everybody.nodes[at].no),
        what,
    }
}
