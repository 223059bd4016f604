//! A policy that lets anybody bound anybody in any way, for the laws of bounds, and the same written
//! down once more over sets.

use identity::{EnvelopeId, GrantId, PublicKey};
use lace::{
    Admitted, AuthorNo, Bounds, Cut, Effect, FactNo, Facts, FoundersPolicy, Limit, Past, Policy,
    Rule, Set, Why,
};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Checked, Class, Close, Genesis, Item, Revocation, Right, Verified};

/// Revocations bound whom they name instead of a grant: an author key, or an envelope number 1 for
/// its chain alone. With `cascade` they are soft, and `only` says for which class; one whose cut
/// begins with an even byte forgives forks. A close undoes what it names, if that is an item; for
/// an author key it lists branches. What is undone an odd number of times does not count.
#[derive(Debug)]
pub(crate) struct Ruler {
    /// Whether some facts are void, so that their carriers need not be kept.
    pub(crate) voids: bool,
}

pub(crate) static KEEPS_ALL: Ruler = Ruler { voids: false };
pub(crate) static VOIDS: Ruler = Ruler { voids: true };

impl Policy for Ruler {
    fn speaks_of(&self, _: &Genesis, _: &Item) -> bool {
        true
    }

    fn admit(&self, past: &Past<'_>, envelope: &Verified) -> Result<Admitted, Rule> {
        FoundersPolicy.admit(past, envelope)
    }

    fn effect(&self, facts: &dyn Facts, set: &Set, evidence: &BTreeMap<AuthorNo, u64>) -> Effect {
        let mut effect = FoundersPolicy.effect(facts, set, evidence);
        effect.void.clear();
        let held: Vec<_> = set.iter().filter_map(|no| facts.fact(no)).collect();
        let said: Vec<(FactNo, &Item)> = held.iter().map(|fact| (fact.no, &fact.what)).collect();
        let rules = Rules::of(&said);
        for fact in &held {
            effect
                .void
                .extend(self.is_void(&fact.what).then_some((fact.no, Why::Fork)));
            effect
                .pinned
                .extend(self.is_pinned(&fact.what).then_some(fact.no));
        }
        let mut authors: BTreeSet<AuthorNo> = held.iter().map(|fact| fact.author).collect();
        authors.retain(|author| facts.key(*author).is_some());
        for author in authors {
            let key = facts.key(author).expect("retained");
            let firsts = held
                .iter()
                .filter(|fact| fact.author == author && fact.number == 1);
            let firsts: BTreeSet<EnvelopeId> = firsts.map(|fact| fact.carrier).collect();
            let mut limits: Vec<Limit> = firsts
                .into_iter()
                .filter(|first| rules.says(first.as_bytes()))
                .map(|first| rules.limit(&key, Some(first)))
                .collect();
            if rules.says(key.as_bytes()) {
                limits.push(rules.limit(&key, None));
            }
            if !limits.is_empty() {
                effect.limits.insert(author, limits);
            }
        }
        effect
    }
}

impl Ruler {
    pub(crate) fn is_void(&self, item: &Item) -> bool {
        self.voids && item.id().as_bytes()[0] & 1 == 0
    }

    pub(crate) fn is_pinned(&self, item: &Item) -> bool {
        self.voids && item.id().as_bytes()[0] & 7 == 4
    }
}

/// All that is said about bounds.
pub(crate) struct Rules<'a> {
    /// Whom, as 32 bytes, and the revocation.
    bounds: Vec<([u8; 32], FactNo, &'a Revocation)>,
    branches: Vec<(GrantId, &'a Close)>,
}

impl<'a> Rules<'a> {
    pub(crate) fn of(said: &[(FactNo, &'a Item)]) -> Self {
        // One item in two carriers is said once.
        let items: BTreeMap<GrantId, (FactNo, &Item)> = said
            .iter()
            .map(|(no, item)| (item.id(), (*no, *item)))
            .collect();
        let undone = |id: &GrantId| {
            let closes = items.values().filter(|(_, item)| match item {
                Item::Close(close) => close.grant == *id,
                _ => false,
            });
            closes.count() % 2 == 1
        };
        let mut rules = Self {
            bounds: Vec::new(),
            branches: Vec::new(),
        };
        for (id, (no, item)) in &items {
            match item {
                Item::Revocation(it) if !undone(id) => {
                    rules.bounds.push((*it.grant.as_bytes(), *no, it));
                }
                Item::Close(it) => rules.branches.push((it.grant, it)),
                _ => {}
            }
        }
        rules
    }

    pub(crate) fn says(&self, of: &[u8; 32]) -> bool {
        self.bounds.iter().any(|(whom, _, _)| whom == of)
    }

    pub(crate) fn limit(&self, key: &PublicKey, first: Option<EnvelopeId>) -> Limit {
        Limit {
            first,
            content: self.bounds_of(key, first, Right::Publish),
            control: self.bounds_of(key, first, Right::Admit),
        }
    }

    fn bounds_of(&self, key: &PublicKey, first: Option<EnvelopeId>, class: Right) -> Bounds {
        let mut bounds = Bounds::default();
        for (whom, no, it) in &self.bounds {
            let meant = whom == key.as_bytes() || first.is_some_and(|id| id.as_bytes() == whom);
            if !meant || !(it.only.is_empty() || it.only.contains(&class)) {
                continue;
            }
            let cut = Cut {
                ends: it.cut.clone(),
                by: Some(*no),
            };
            bounds.forgiven |= it.cut.first().is_some_and(|id| id.as_bytes()[0] & 1 == 0);
            if it.cascade {
                bounds.soft.push(cut);
            } else {
                bounds.hard.push(cut);
            }
        }
        for (whom, it) in &self.branches {
            if whom.as_bytes() == key.as_bytes() {
                bounds.branches.extend(&it.cut);
            }
        }
        bounds
    }
}

/// What stands of these envelopes, as sets.
pub(crate) struct Judged {
    pub(crate) kept: BTreeSet<EnvelopeId>,
    pub(crate) effective: BTreeSet<EnvelopeId>,
    pub(crate) firm: BTreeSet<EnvelopeId>,
    pub(crate) void: BTreeSet<EnvelopeId>,
}

pub(crate) fn judge(
    all: &BTreeMap<EnvelopeId, Checked<Verified>>,
    forks: &BTreeMap<PublicKey, u64>,
    ruler: &Ruler,
) -> Judged {
    let items = |id: &EnvelopeId| all[id].get().items.iter().flatten();
    let said: Vec<(FactNo, &Item)> = all
        .keys()
        .flat_map(items)
        .filter(|item| lace::is_fact(item.kind()))
        .map(|item| (FactNo(0), item))
        .collect();
    let rules = Rules::of(&said);
    let (mut firm, mut loose, mut void) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (id, verified) in all {
        let header = &verified.get().envelope.header;
        let chain = chain(all, id);
        let first = *chain.last().expect("itself at least");
        let limit = rules.limit(&header.author, Some(first));
        let bounds = match header.class {
            Class::Control => limit.control,
            _ => limit.content,
        };
        // The chain of an end holds the envelope.
        let covers = |end: &EnvelopeId| all.contains_key(end) && self::chain(all, end).contains(id);
        let outside = |cuts: &[Cut]| cuts.iter().any(|cut| !cut.ends.iter().any(covers));
        // Branches count only beside a limit: that is where a policy lists them.
        let said = rules.says(header.author.as_bytes()) || rules.says(first.as_bytes());
        let excused = said && (bounds.forgiven || bounds.branches.iter().any(covers));
        let forked = forks
            .get(&header.author)
            .is_some_and(|from| header.number >= *from);
        if outside(&bounds.hard) {
            void.insert(*id);
        } else if outside(&bounds.soft) || (forked && !excused) {
            loose.insert(*id);
        } else {
            firm.insert(*id);
        }
    }
    let held = closure(all, firm.iter());
    let pins = all.keys().filter(|id| {
        let mut facts = items(id).filter(|item| lace::is_fact(item.kind()));
        facts.any(|item| !ruler.is_void(item) || ruler.is_pinned(item))
    });
    let mut kept = closure(all, pins);
    kept.extend(&held);
    let mut effective = firm.clone();
    let content = |id: &&EnvelopeId| all[*id].get().envelope.header.class == Class::Content;
    effective.extend(loose.iter().filter(|id| held.contains(id)).filter(content));
    Judged {
        kept,
        effective,
        firm,
        void,
    }
}

/// An envelope and those before it on its chain.
fn chain(all: &BTreeMap<EnvelopeId, Checked<Verified>>, id: &EnvelopeId) -> Vec<EnvelopeId> {
    let mut chain = vec![*id];
    let mut at = &all[id].get().envelope.header;
    while at.number > 1 {
        let before = EnvelopeId::from_bytes(at.previous);
        chain.push(before);
        at = &all[&before].get().envelope.header;
    }
    chain
}

fn closure<'a>(
    all: &BTreeMap<EnvelopeId, Checked<Verified>>,
    from: impl Iterator<Item = &'a EnvelopeId>,
) -> BTreeSet<EnvelopeId> {
    let mut seen = BTreeSet::new();
    let mut todo: Vec<EnvelopeId> = from.copied().collect();
    while let Some(id) = todo.pop() {
        if seen.insert(id) {
            todo.extend(crate::oracle::parents(&all[&id]));
        }
    }
    seen
}

/// A revocation of everything but a cut.
pub(crate) fn revoke(whom: &PublicKey, cut: &[&Checked<Verified>]) -> Revocation {
    let mut cut: Vec<EnvelopeId> = cut.iter().map(|it| crate::world::id_of(it)).collect();
    cut.sort_unstable();
    cut.dedup();
    Revocation {
        grant: GrantId::from_bytes(*whom.as_bytes()),
        cut,
        cascade: false,
        only: BTreeSet::new(),
        joint: None,
    }
}

/// Undoes something; with another salt, once more.
pub(crate) fn undo(item: &Item, salt: Option<EnvelopeId>) -> Item {
    Item::Close(Close {
        grant: item.id(),
        cut: salt.into_iter().collect(),
    })
}
