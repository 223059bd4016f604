//! What an envelope's past has taken away, and questions about it.

use core::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use identity::{EnvelopeId, GrantId, Id};
use lace::{AuthorNo, Effect, Fact, Facts, Past, Rule};
use wire::{Budget, Header, Item, Rights};

use super::chain;
use super::graph::Graph;
use crate::eff::limits::MAX_GRANT_DEPTH;
use crate::eff::{self, Seat};

/// Envelopes of a chain before one with a cut that may name what the cut names: with 16 deps each,
/// enough for all ids that a cut can have.
const NAMERS: usize = 16;

/// The past of an envelope that is being judged.
pub(super) struct Look<'a> {
    pub(super) past: &'a Past<'a>,
    pub(super) header: &'a Header,
    /// Whether anything in the past takes something away. Else all of it stands.
    takes: bool,
    ends: OnceCell<Vec<Arc<Fact>>>,
    whole: OnceCell<Whole<'a>>,
}

/// The facts of the past and what stands of them, in full.
pub(super) struct Whole<'a> {
    pub(super) graph: Graph<'a>,
    pub(super) effect: eff::Effect,
}

impl<'a> Look<'a> {
    pub(super) fn of(past: &'a Past<'a>, header: &'a Header) -> Self {
        Self {
            past,
            header,
            takes: past.facts.takes(&past.set()),
            ends: OnceCell::new(),
            whole: OnceCell::new(),
        }
    }

    /// What stands, if not all does.
    pub(super) fn taken(&self) -> Option<Arc<Effect>> {
        self.takes.then(|| self.past.effect())
    }

    /// What stands, if something may have been taken from this grant or from one above it. Whether it
    /// has depends on nothing but what ends these grants and on acts of whoever holds them, so that
    /// most pasts need not be worked out.
    pub(super) fn taken_from(&self, grant: &GrantId) -> Option<Arc<Effect>> {
        if !self.takes {
            return None;
        }
        if let Some(known) = self.past.known_effect() {
            return Some(known);
        }
        let above = above(self.past.facts, *grant);
        let grants: BTreeSet<GrantId> = above.chain([*grant]).collect();
        let holders: BTreeSet<Id> = grants.iter().filter_map(|it| self.holder(it)).collect();
        let ends = || self.past.facts.ends(&self.past.set());
        let mut ends = self.ends.get_or_init(ends).iter();
        let touches = ends.any(|fact| match &fact.what {
            Item::Revocation(it) => grants.contains(&it.grant),
            Item::Close(it) => grants.contains(&it.grant),
            Item::Act(it) => holders.contains(&it.composition),
            _ => false,
        });
        touches.then(|| self.past.effect())
    }

    /// What stands. Few envelopes need all of it, so it is not kept.
    pub(super) fn whole(&self) -> &Whole<'a> {
        self.whole.get_or_init(|| {
            let graph = Graph::of(self.past.facts, &self.past.set());
            let effect = eff::eff(&graph, &graph.set(), &BTreeMap::new());
            Whole { graph, effect }
        })
    }

    /// The fact that gives a grant or invite, if the past has one.
    pub(super) fn given(&self, grant: &GrantId) -> Option<Arc<Fact>> {
        let set = self.past.set();
        let mut issued = self.past.facts.issued(grant).into_iter();
        issued.find(|fact| set.has(fact.no))
    }

    /// What a grant or an invite gives: the rights that it names, and what bounds them.
    pub(super) fn gift(&self, item: &Item) -> Option<(Rights, Budget)> {
        let (rights, named) = chain::terms(item)?;
        Some((rights, self.budget_of(named)))
    }

    /// What bounds a grant or an invite that names these bounds: where it names none, the topic's.
    pub(super) fn budget_of(&self, named: Budget) -> Budget {
        self.past.facts.genesis().policy.budget_of(named)
    }

    /// Who holds a grant: nobody an invite.
    pub(super) fn holder(&self, grant: &GrantId) -> Option<Id> {
        if self.is_root(grant) {
            return Some(self.past.facts.genesis().root.member());
        }
        match &self.past.facts.issued(grant).first()?.what {
            Item::Grant(item) => Some(item.holder),
            _ => None,
        }
    }

    /// Whether a composition holds one of the grants above this one.
    pub(super) fn is_above(&self, by: Id, grant: &GrantId) -> bool {
        above(self.past.facts, *grant).any(|grant| self.holder(&grant) == Some(by))
    }

    /// The topic's own grant.
    pub(super) fn root(&self) -> GrantId {
        root(self.past.facts)
    }

    /// Whether a grant is the topic's own.
    pub(super) fn is_root(&self, grant: &GrantId) -> bool {
        *grant == root(self.past.facts)
    }

    /// How far a grant is from the topic's own; nothing beyond what any may be.
    pub(super) fn depth(&self, grant: &GrantId) -> Option<u32> {
        depth(self.past.facts, grant)
    }

    /// All that the envelope itself names.
    fn names(&self) -> Vec<EnvelopeId> {
        let previous = self.past.previous.map(|previous| previous.id);
        let deps = self.past.deps.iter().map(|dep| dep.id);
        previous.into_iter().chain(deps).collect()
    }

    /// The envelopes of a cut must be named, by the envelope or one of the 16 before it on its
    /// chain. So they lie in its past, and few envelopes have to be looked at to see it.
    pub(super) fn has_named(&self, cut: &[EnvelopeId]) -> Result<(), Rule> {
        let mut missing: BTreeSet<&EnvelopeId> = cut.iter().collect();
        let mut names = self.names();
        let mut before = self
            .past
            .previous
            .map(|previous| (previous.id, previous.number));
        for _ in 0..=NAMERS {
            missing.retain(|id| !names.contains(id));
            let Some((id, number)) = before.filter(|_| !missing.is_empty()) else {
                break;
            };
            names = self.past.facts.named_by(&id);
            before = names
                .first()
                .filter(|_| number > 1)
                .map(|id| (*id, number - 1));
        }
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Rule::Cut)
        }
    }

    /// A cut must leave all facts of the past, and all that the envelope names, of the authors that
    /// it cuts. What it names itself holds up the rest of what it has in its past.
    pub(super) fn leaves_all(
        &self,
        cut: &[EnvelopeId],
        of: impl Fn(&Seat) -> bool,
    ) -> Result<(), Rule> {
        let Whole { graph, effect } = self.whole();
        let facts = self.past.facts;
        let mut ends: BTreeMap<AuthorNo, Vec<&EnvelopeId>> = BTreeMap::new();
        for end in cut {
            if let Some(named) = facts.find(end) {
                ends.entry(named.author).or_default().push(end);
            }
        }
        let leaves = |key: AuthorNo, envelope: &EnvelopeId| {
            let mut ends = ends.get(&key).into_iter().flatten();
            ends.any(|end| facts.on_chain(envelope, end))
        };
        let is_cut = |author: eff::AuthorNo| effect.author(author).is_some_and(&of);
        let own = graph.iter().map(|fact| fact.spot());
        let others = graph.others().iter().map(|(_, spot)| *spot);
        let mut last = None;
        for spot in own.chain(others).filter(|spot| is_cut(spot.author)) {
            // Facts of one envelope follow one another.
            if last.replace(spot.envelope) == Some(spot.envelope) {
                continue;
            }
            let key = facts.find(&spot.envelope).map(|named| named.author);
            if !key.is_some_and(|key| leaves(key, &spot.envelope)) {
                return Err(Rule::Reach);
            }
        }
        for id in self.names() {
            let Some(named) = facts.find(&id) else {
                continue;
            };
            if is_cut(graph.author(named.author, &id)) && !leaves(named.author, &id) {
                return Err(Rule::Reach);
            }
        }
        Ok(())
    }
}

/// The topic's own grant.
fn root(facts: &dyn Facts) -> GrantId {
    GrantId::from_bytes(facts.genesis().topic_id().to_bytes())
}

/// The grants above one, from its parent up.
fn above(facts: &dyn Facts, grant: GrantId) -> impl Iterator<Item = GrantId> + '_ {
    let up = |grant: &GrantId| chain::parent(&facts.issued(grant).first()?.what);
    // Each has been let in under its parent, so its parent is here, and none is too deep.
    let most = usize::try_from(MAX_GRANT_DEPTH).unwrap_or(usize::MAX);
    core::iter::successors(up(&grant), up).take(most)
}

fn depth(facts: &dyn Facts, grant: &GrantId) -> Option<u32> {
    let root = root(facts);
    if *grant == root {
        return Some(0);
    }
    let depths = (1..).zip(above(facts, *grant));
    let found = depths.into_iter().find(|(_, grant)| *grant == root);
    found.map(|(depth, _)| depth)
}
