//! The rules of docs/spec/topic.md, "Forks", written down as plainly as possible.

use identity::{EnvelopeId, PublicKey};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Checked, Class, Verified};

pub(crate) struct Oracle {
    pub(crate) kept: BTreeSet<EnvelopeId>,
    pub(crate) effective: BTreeSet<EnvelopeId>,
}

pub(crate) fn parents(verified: &Checked<Verified>) -> Vec<EnvelopeId> {
    let header = &verified.get().envelope.header;
    let mut parents = header.deps.clone();
    if header.number > 1 {
        parents.push(EnvelopeId::from_bytes(header.previous));
    }
    parents
}

/// What stands of the admitted envelopes, when these authors are closed from these numbers on.
pub(crate) fn judge(
    admitted: &BTreeMap<EnvelopeId, Checked<Verified>>,
    closed: &BTreeMap<PublicKey, u64>,
) -> Oracle {
    let past = |from: &mut dyn Iterator<Item = EnvelopeId>| {
        let mut seen: BTreeSet<EnvelopeId> = BTreeSet::new();
        let mut todo: Vec<EnvelopeId> = from.collect();
        while let Some(id) = todo.pop() {
            if seen.insert(id) {
                todo.extend(parents(&admitted[&id]));
            }
        }
        seen
    };
    let header = |id: &EnvelopeId| &admitted[id].get().envelope.header;
    let below = |id: &&EnvelopeId| {
        closed
            .get(&header(id).author)
            .is_none_or(|from| header(id).number < *from)
    };
    let base: BTreeSet<EnvelopeId> = admitted.keys().filter(below).copied().collect();
    let kept = past(&mut base.iter().copied());
    let mut effective = base;
    effective.extend(kept.iter().filter(|id| header(id).class == Class::Content));
    Oracle { kept, effective }
}
