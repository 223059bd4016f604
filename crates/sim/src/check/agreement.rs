//! Replicas agree on what is admissible and, when they hold the same set, on what is effective.
//!
//! - Two replicas with the same cut and evidence hold the same set, call the same of it effective,
//!   and have closed the same authors at the same numbers: looked at whenever the world is quiet,
//!   wherever the replicas are.
//! - At the end, what one member has admitted is admissible at every other that has all of its
//!   past. Who can reach one another and holds something else is told apart, in `liveness`.

use super::holdings::{beginning, look};
use super::replicas::{Hashes, Overview, Replica};
use super::{Broken, Everybody};
use crate::plan::TopicNo;
use identity::{EnvelopeId, PublicKey};
use lace::{Admission, Body, Lace, Verdict};
use machine::Staged;
use std::collections::BTreeMap;

/// The name of the promise.
pub(crate) const PROMISE: &str = "agreement";

/// Envelopes with one number that are looked at, where an author has forked at its first.
const MAX_FIRSTS: usize = 64;
/// Envelopes that a report names.
const NAMED: usize = 5;
/// Rows read at once.
const PAGE: usize = 1024;

/// What a replica says of what it holds: each part a sum over ids, and a count.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Opinion {
    pub(crate) kept: (u128, u32),
    pub(crate) effective: (u128, u32),
    pub(crate) closed: BTreeMap<PublicKey, u64>,
}

impl Opinion {
    /// What a lace says. Without forks it need not be read.
    fn of(lace: &Lace, store: &mut Staged<'_>, placed: (u128, u32)) -> Self {
        // Where the bounds of others lie that were cut off depends on what is void and still here.
        let forked: BTreeMap<PublicKey, u64> = lace
            .forks()
            .map(|(author, seen)| (*author, seen.number))
            .collect();
        // Nor need an author be known at all of whom nothing stands.
        let closed: BTreeMap<PublicKey, u64> = lace
            .authors()
            .filter(|author| author.closed().is_some())
            .filter(|author| !lace.at(store, author.key(), 1, MAX_FIRSTS).is_empty())
            .filter_map(|author| Some((*author.key(), *forked.get(author.key())?)))
            .collect();
        if lace.authors().all(|author| author.closed().is_none()) {
            return Self {
                kept: placed,
                effective: placed,
                closed,
            };
        }
        let mut opinion = Self {
            closed,
            ..Self::default()
        };
        for id in placed_ids(lace, store) {
            if lace.kept(store, &id) {
                add(&mut opinion.kept, &id);
            }
            if lace.effective(store, &id) {
                add(&mut opinion.effective, &id);
            }
        }
        opinion
    }
}

fn add(sum: &mut (u128, u32), id: &EnvelopeId) {
    sum.0 = sum.0.wrapping_add(beginning(id));
    sum.1 = sum.1.wrapping_add(1);
}

/// All envelopes that have a place, in the local order.
pub(crate) fn placed_ids(lace: &Lace, store: &mut Staged<'_>) -> Vec<EnvelopeId> {
    let (mut ids, mut after) = (Vec::new(), 0);
    loop {
        let page = lace.order(store, after, PAGE);
        match page.last() {
            Some(last) => after = last.n,
            None => return ids,
        }
        ids.extend(page.iter().map(|place| place.id));
    }
}

/// What is kept at a replica.
pub(crate) fn kept_ids(overview: &Overview<'_>, replica: &Replica) -> Vec<EnvelopeId> {
    let disk = overview.node(replica.at).disk;
    let ids = look(disk, replica.local, |lace, store| {
        let mut ids = placed_ids(lace, store);
        ids.retain(|id| lace.kept(store, id));
        ids
    });
    ids.unwrap_or_default()
}

/// Replicas by their hashes: those that hold the same.
pub(crate) type Same = BTreeMap<Hashes, Vec<(usize, Opinion)>>;

/// What each replica of a topic says of it, by what it holds.
pub(crate) fn opinions(overview: &Overview<'_>, topic: TopicNo) -> Same {
    let mut same = Same::new();
    for replica in overview.replicas(topic) {
        let node = overview.node(replica.at);
        let said = look(node.disk, replica.local, |lace, store| {
            // What is being closed step by step is between two opinions.
            let hashes = (lace.cut_hash(), lace.evidence_hash());
            (!lace.has_work()).then(|| (hashes, Opinion::of(lace, store, replica.placed)))
        });
        if let Some(Some((hashes, opinion))) = said {
            same.entry(hashes).or_default().push((replica.at, opinion));
        }
    }
    same
}

/// Compares all replicas, wherever they are and however far they have got.
pub(crate) fn compare(overview: &Overview<'_>, topic: TopicNo) -> Vec<Broken> {
    let mut broken = Vec::new();
    for (_, replicas) in opinions(overview, topic) {
        let Some(((first, opinion), rest)) = replicas.split_first() else {
            continue;
        };
        for (other, differs) in rest.iter().filter(|(_, other)| other != opinion) {
            let (one, two) = (overview.name(*first), overview.name(*other));
            let name = overview.topic_name(topic);
            let what = format!(
                "{one} and {two} have the same cut and evidence of {name}, but {}",
                difference(opinion, differs)
            );
            broken.push(note(overview.everybody, *other, what));
        }
    }
    broken
}

fn difference(one: &Opinion, two: &Opinion) -> String {
    if one.kept != two.kept {
        let (one, two) = (one.kept.1, two.kept.1);
        format!("keep different sets, of {one} and of {two} envelopes")
    } else if one.closed != two.closed {
        format!("have closed {:?} and {:?}", one.closed, two.closed)
    } else {
        let (one, two) = (one.effective.1, two.effective.1);
        format!("call different sets effective, of {one} and of {two} envelopes")
    }
}

fn note(everybody: &Everybody<'_>, at: usize, what: String) -> Broken {
    Broken {
        promise: PROMISE,
        at_us: everybody.now.as_micros(),
        node: Some(everybody.nodes[at].no),
        what,
    }
}

/// Whether what one replica has and the other lacks would be taken there if it came: looked for
/// where two members hold different sets at the end.
pub(crate) fn refusals(
    overview: &Overview<'_>,
    topic: TopicNo,
    (has, lacks): (&Replica, &Replica),
) -> Vec<Broken> {
    let (from, to) = (overview.node(has.at), overview.node(lacks.at));
    let theirs: Vec<EnvelopeId> = kept_ids(overview, lacks);
    let theirs: std::collections::BTreeSet<EnvelopeId> = theirs.into_iter().collect();
    let ids = kept_ids(overview, has);
    let raws = look(from.disk, has.local, |lace, store| {
        let lacking = ids.iter().filter(|id| !theirs.contains(id));
        lacking
            .filter_map(|id| {
                let held = lace.envelope(store, id)?;
                let body = match held.body {
                    Body::Here(body) => Some(body),
                    Body::Missing | Body::Gone => None,
                };
                Some((*id, held.envelope.to_raw(body)))
            })
            .collect::<Vec<_>>()
    });
    let mut broken = Vec::new();
    for (id, raw) in raws.into_iter().flatten() {
        let verdict = look(to.disk, lacks.local, |lace, store| {
            let past = wire::decode_header(&raw.header_bytes).ok()?;
            let here = past.deps.iter().all(|dep| lace.contains(store, dep));
            let before = EnvelopeId::from_bytes(past.previous);
            let follows = past.number == 1 || lace.contains(store, &before);
            (here && follows).then(|| judge(lace, store, raw.clone()))?
        });
        if let Some(Some(why)) = verdict {
            let (one, two) = (&from.plan.name, &to.plan.name);
            let name = overview.topic_name(topic);
            let what = format!(
                "{one} has admitted {id} to {name}, {two} has all of its past and refuses it: {why}"
            );
            broken.push(note(overview.everybody, lacks.at, what));
        }
        if broken.len() >= NAMED {
            break;
        }
    }
    broken
}

/// Why an envelope is refused, if it is.
fn judge(lace: &mut Lace, store: &mut Staged<'_>, raw: wire::Raw) -> Option<String> {
    let header = wire::decode_header(&raw.header_bytes).ok()?;
    let id = wire::Header::id_of(&raw.header_bytes);
    if let Verdict::Refused(rule) = lace.judge(store, &id, &header) {
        return Some(format!("{rule:?}"));
    }
    let checked = match wire::check(raw) {
        Ok(checked) => checked,
        Err(why) => return Some(why.to_string()),
    };
    let report = lace.admit(store, checked);
    let own = report.into_iter().filter(|(other, _)| *other == id);
    own.filter_map(|(_, outcome)| match outcome {
        Admission::Refused(rule) => Some(format!("{rule:?}")),
        _ => None,
    })
    .next()
}

/// Whether the batches said the same as the disk does now.
pub(crate) fn recounted(overview: &Overview<'_>, at: usize) -> Option<Broken> {
    let node = overview.node(at);
    if super::replicas::recount(node) {
        return None;
    }
    let what = "what was counted from the batches is not what lies on the disk".to_owned();
    Some(note(overview.everybody, at, what))
}
