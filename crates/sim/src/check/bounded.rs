//! What stands of envelopes whose authors are bounded, in its smallest form: sets, and nothing else.
//!
//! How far authors stand is for the law to say. What follows from it for each envelope is computed
//! here from its definition:
//!
//! ```text
//!   void       outside one of the hard cuts of its author
//!   loose      else outside one of the soft cuts, or from the fork on and on no branch that was chosen
//!   firm       all else
//!   effective  what is firm; and content that is loose and in the past of something firm
//!   kept       what is effective or pinned, and its past
//! ```

use super::model::{Act, Graph, Set};
use std::collections::BTreeMap;

/// How far the chains of one author stand that begin with one envelope; all of them without one.
#[derive(Clone, Debug, Default)]
pub(super) struct Limit {
    pub(super) first: Option<usize>,
    pub(super) content: Bound,
    pub(super) control: Bound,
}

/// What bounds one class: for each cut the ends that it leaves.
#[derive(Clone, Debug, Default)]
pub(super) struct Bound {
    pub(super) hard: Vec<Set>,
    pub(super) soft: Vec<Set>,
    pub(super) forgiven: bool,
    pub(super) branches: Set,
}

/// What is known of all authors.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) limits: BTreeMap<u32, Vec<Limit>>,
    pub(super) forks: BTreeMap<u32, u64>,
    /// What is kept for what it carries.
    pub(super) pinned: Set,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Firm,
    Loose,
    Void,
}

/// What is effective, and what is kept.
pub(super) fn judge(graph: &Graph, known: &Known) -> (Set, Set) {
    let judging = Judging {
        graph,
        known,
        chains: chains(graph, known),
    };
    let (mut firm, mut loose) = (Set::new(), Set::new());
    for place in 0..graph.nodes.len() {
        match judging.status(place) {
            Status::Firm => drop(firm.insert(place)),
            Status::Loose => drop(loose.insert(place)),
            Status::Void => {}
        }
    }
    let held = graph.past(firm.iter().copied());
    let said = |place: &&usize| graph.nodes[**place].act == Act::Content;
    let named = loose.intersection(&held).filter(said).copied();
    let effective: Set = firm.iter().copied().chain(named).collect();
    let mut kept = effective.clone();
    kept.extend(&known.pinned);
    kept.extend(graph.past(kept.iter().copied()));
    (effective, kept)
}

/// What is left by each end that a cut names: it and all before it on its chain.
fn chains(graph: &Graph, known: &Known) -> BTreeMap<usize, Set> {
    let limits = known.limits.values().flatten();
    let bounds = limits.flat_map(|limit| [&limit.content, &limit.control]);
    let ends = bounds.flat_map(|bound| {
        let cuts = bound
            .hard
            .iter()
            .chain(&bound.soft)
            .chain([&bound.branches]);
        cuts.flatten().copied()
    });
    ends.map(|end| (end, graph.chain(end))).collect()
}

struct Judging<'a> {
    graph: &'a Graph,
    known: &'a Known,
    chains: BTreeMap<usize, Set>,
}

impl Judging<'_> {
    fn status(&self, place: usize) -> Status {
        let node = &self.graph.nodes[place];
        let fork = self.known.forks.get(&node.author);
        let forked = fork.is_some_and(|fork| node.number >= *fork);
        let limits = self.known.limits.get(&node.author);
        let meant = |limit: &&Limit| {
            let first = limit.first;
            first.is_none_or(|first| self.graph.chain(place).contains(&first))
        };
        let Some(limit) = limits.and_then(|limits| limits.iter().find(meant)) else {
            return if forked { Status::Loose } else { Status::Firm };
        };
        let bound = match node.act {
            Act::Content => &limit.content,
            _ => &limit.control,
        };
        let leaves = |ends: &Set| {
            let mut chains = ends.iter().filter_map(|end| self.chains.get(end));
            chains.any(|chain| chain.contains(&place))
        };
        if !bound.hard.iter().all(leaves) {
            Status::Void
        } else if !bound.soft.iter().all(leaves)
            || forked && !bound.forgiven && !leaves(&bound.branches)
        {
            Status::Loose
        } else {
            Status::Firm
        }
    }
}
