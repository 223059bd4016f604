//! What may be left undone although all is silent: work about chains that were refused, and about
//! what rests on them. Work about any other chain of the same topic is not excused.

use super::holdings::{Holdings, look};
use super::{Everybody, Facts};
use crate::plan::{NodeNo, TopicNo};
use identity::{EnvelopeId, PublicKey, TopicId};
use machine::Base;
use std::collections::{BTreeMap, BTreeSet};
use topic::Undone;

/// Envelopes that one that waits is looked at together with. What rests on more is not excused.
const MAX_STEPS: usize = 10_000;

/// How much of the work that a node names is about what it has refused, and rests on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Excused {
    /// Peers to whom nothing else is due.
    pub(crate) busy: usize,
    /// Peers that were asked for nothing else.
    pub(crate) asked: usize,
    /// Bodies that are fetched.
    pub(crate) bodies: usize,
    /// Envelopes that wait for nothing else.
    pub(crate) parked: usize,
}

/// What was refused of each topic: of whom, and from which number on.
pub(crate) type Said = BTreeMap<TopicId, BTreeMap<PublicKey, u64>>;

/// For each node what those with whom it has a link have refused since then.
pub(crate) fn near(everybody: &Everybody<'_>, since_us: u64) -> BTreeMap<NodeNo, Said> {
    let mut near: BTreeMap<NodeNo, Said> = BTreeMap::new();
    for node in &everybody.nodes {
        for held in node.watch.holdings.iter() {
            for (author, from) in held.refused_after(since_us) {
                for no in &node.linked {
                    let said = near.entry(*no).or_default().entry(held.id).or_default();
                    let lowest = said.entry(*author).or_insert(from);
                    *lowest = from.min(*lowest);
                }
            }
        }
    }
    near
}

/// The chains of a topic that a node may still ask for, and be offered, although all is silent.
pub(crate) type Late = BTreeMap<(NodeNo, TopicId), BTreeSet<PublicKey>>;

/// For each node and topic the chains that it has refused since faults have stopped, and those of
/// which it lacks nothing but what rests on these. Nothing is named where it has refused nothing.
pub(crate) fn late(everybody: &Everybody<'_>) -> Late {
    let over = everybody.plan.length_ms.saturating_mul(1_000);
    let facts = everybody.facts;
    let mut late = Late::new();
    for node in &everybody.nodes {
        for held in node.watch.holdings.iter() {
            let said = held.refused_after(over);
            let chains: BTreeMap<PublicKey, u64> = said.map(|(by, from)| (*by, from)).collect();
            let Some(topic) = facts.topic_no(&held.id).filter(|_| !chains.is_empty()) else {
                continue;
            };
            let refused = Refused {
                facts,
                disk: node.disk,
                local: held.local,
                chains,
            };
            late.insert((node.no, held.id), refused.late(topic));
        }
    }
    late
}

/// What a node has refused in one topic.
struct Refused<'a> {
    facts: &'a Facts,
    disk: &'a dyn Base,
    local: u32,
    /// Of whom, and from which number on.
    chains: BTreeMap<PublicKey, u64>,
}

/// Looks at the work that a node names: it may be about what it has refused, and what is due to its
/// neighbours about what these have. `near` is theirs; `since_us` is when faults stopped: what was
/// refused before that, and not again, is no excuse.
pub(crate) fn of(
    undone: &Undone,
    (facts, holdings): (&Facts, &Holdings),
    (disk, near): (&dyn Base, &Said),
    since_us: u64,
) -> Excused {
    let mut topics: BTreeMap<TopicId, Refused<'_>> = BTreeMap::new();
    for held in holdings.iter() {
        let said = held.refused_after(since_us);
        let mut chains: BTreeMap<PublicKey, u64> = said.map(|(by, from)| (*by, from)).collect();
        let now = undone
            .declined
            .iter()
            .filter(|(topic, _)| *topic == held.id);
        // What is declined now, and was not said to anybody, begins with what is not here.
        for (_, author) in now {
            chains.entry(*author).or_insert(0);
        }
        let local = held.local;
        let refused = Refused {
            facts,
            disk,
            local,
            chains,
        };
        topics.insert(held.id, refused);
    }
    let busy = undone.busy.iter().filter(|due| {
        let own = topics.get(&due.topic).map(|refused| &refused.chains);
        let theirs = near.get(&due.topic);
        let all = || own.into_iter().chain(theirs);
        let from = |chain: &PublicKey| all().filter_map(|of| of.get(chain)).min();
        let of = |id: &EnvelopeId| {
            let envelope = facts.envelope(id);
            envelope.is_some_and(|one| from(&one.author).is_some_and(|from| one.number >= *from))
        };
        all().any(|of| !of.is_empty())
            && due.chains.iter().all(|chain| from(chain).is_some())
            && due.bodies.iter().all(of)
    });
    let topic = |id: &TopicId| topics.get(id).filter(|refused| !refused.chains.is_empty());
    let asked = undone.asked.iter().filter(|question| {
        topic(&question.topic).is_some_and(|refused| {
            let chains = &mut question.chains.iter();
            let bodies = &mut question.bodies.iter();
            chains.all(|chain| refused.chains.contains_key(chain))
                && bodies.all(|id| refused.is(id))
        })
    });
    let bodies = undone.bodies.iter();
    let bodies = bodies.filter(|(of, id)| topic(of).is_some_and(|refused| refused.is(id)));
    let parked = undone.parked.iter();
    let parked =
        parked.filter(|one| topic(&one.topic).is_some_and(|refused| refused.explains(&one.names)));
    Excused {
        busy: busy.count(),
        asked: asked.count(),
        bodies: bodies.count(),
        parked: parked.count(),
    }
}

impl Refused<'_> {
    /// Whether an envelope belongs to what was refused.
    fn is(&self, id: &EnvelopeId) -> bool {
        self.facts.envelope(id).is_some_and(|envelope| {
            let from = self.chains.get(&envelope.author);
            from.is_some_and(|from| envelope.number >= *from)
        })
    }

    /// The chains that were refused, and those of which nothing is missing but what rests on them.
    fn late(&self, topic: TopicNo) -> BTreeSet<PublicKey> {
        let mut by: BTreeMap<PublicKey, Vec<EnvelopeId>> = BTreeMap::new();
        for (id, envelope) in self.facts.of_topic(topic) {
            by.entry(envelope.author).or_default().push(id);
        }
        let mut late: BTreeSet<PublicKey> = self.chains.keys().copied().collect();
        by.retain(|author, _| !late.contains(author));
        let resting = by.into_iter().filter(|(_, ids)| {
            let absent = self.absent(ids);
            !absent.is_empty() && self.explains(&absent)
        });
        late.extend(resting.map(|(author, _)| author));
        late
    }

    /// Whether all of these that are not here were refused, or rest on what was and on nothing else
    /// that is not here.
    fn explains(&self, names: &[EnvelopeId]) -> bool {
        let mut seen: BTreeSet<EnvelopeId> = names.iter().copied().collect();
        let mut todo = self.absent(names);
        while let Some(id) = todo.pop() {
            if self.is(&id) {
                continue;
            }
            let Some(envelope) = self.facts.envelope(&id) else {
                return false;
            };
            let past = self.absent(&envelope.named);
            if past.is_empty() || seen.len() > MAX_STEPS {
                return false;
            }
            todo.extend(past.into_iter().filter(|id| seen.insert(*id)));
        }
        true
    }

    /// Those of these that are not on the disk.
    fn absent(&self, ids: &[EnvelopeId]) -> Vec<EnvelopeId> {
        let absent = look(self.disk, self.local, |lace, store| {
            let absent = ids.iter().filter(|id| !lace.contains(store, id));
            absent.copied().collect()
        });
        absent.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
