//! A composition as it stands, for those who write its acts.

use std::collections::{BTreeMap, BTreeSet};

use identity::{ActId, Form, Id};
use lace::{AuthorNo, FactNo, Facts, Set};

use super::graph::Graph;
use crate::eff;

/// A composition that holds something that stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The depth of its place: 0 for the owners of the topic.
    pub depth: u32,
    /// Who stands above it and may countersign its acts.
    pub above: BTreeSet<Id>,
    /// Its states, from the first form to the newest; never empty.
    pub states: Vec<MemberState>,
}

/// A state of a composition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MemberState {
    /// The act that brought it about, or the name of the first form.
    pub id: ActId,
    /// A fact that carries that act.
    pub by: Option<FactNo>,
    /// The form.
    pub form: Form,
    /// Acts that follow the same state and were not taken.
    pub rivals: BTreeSet<ActId>,
}

impl Member {
    /// What stands of a composition, by a set of facts and the forks that are known.
    #[must_use]
    pub fn of(
        facts: &dyn Facts,
        set: &Set,
        evidence: &BTreeMap<AuthorNo, u64>,
        id: Id,
    ) -> Option<Self> {
        let graph = Graph::of(facts, set);
        let all = eff::eff(&graph, &graph.set(), &graph.evidence(evidence));
        let member = all.member(&id)?;
        let states = member.states.iter().enumerate().map(|(at, state)| {
            let before = at.checked_sub(1).and_then(|at| member.states.get(at));
            let rivals = before.map_or_else(BTreeSet::new, |before| {
                let mut rivals = graph.following(id, before.id);
                rivals.remove(&state.id);
                rivals
            });
            MemberState {
                id: state.id,
                by: state.by.map(|no| FactNo(no.0)),
                form: state.form.clone(),
                rivals,
            }
        });
        Some(Self {
            depth: member.depth,
            above: member.above.clone(),
            states: states.collect(),
        })
    }

    /// Its newest state.
    #[must_use]
    pub fn now(&self) -> Option<&MemberState> {
        self.states.last()
    }

    /// The number of the next act.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        u64::try_from(self.states.len()).unwrap_or(u64::MAX)
    }
}
