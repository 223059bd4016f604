//! The rules of the graph in their smallest form: sets, and nothing else.
//!
//! What stands of a set of envelopes is computed here from its definition, without rows, indexes or
//! anything incremental, and what `lace` says is held against it. The kinds of envelopes are those of
//! rules of one author above another: content, grants, revocations. It is asked of topics in which
//! there are invites, which are grants, and other control alone; [elsewhere](super::bounded) the law
//! says how far authors stand.
//!
//! ```text
//!   fork      the lowest number of an author at which two envelopes, or evidence, are known
//!   born      an author that is a root, or whose grant is here
//!   allowed   all of a born author's envelopes, within the cuts of the revocations that stand
//!   standing  control: allowed, and below the fork unless a cut says what is left
//!             content: the same, or named by the past of what is kept
//!   pinned    what lets somebody in, allowed, also beyond the fork: a grant takes nothing
//!   kept      what stands or is pinned, and its past
//! ```

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use super::graph::{PROMISE, check};

/// What an envelope does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Says something.
    Content,
    /// Control that gives and takes nothing.
    Control,
    /// Lets authors in.
    Grant(Vec<u32>),
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "it is asked of topics without revocations")
    )]
    /// Ends an author's right: of its envelopes these and their ancestors on the chain remain.
    Revoke {
        author: u32,
        /// The greatest number that remains, for the rule that went by numbers.
        number: u64,
        tips: Vec<usize>,
    },
}

/// An envelope, named by its place in the graph; all that it names has lesser places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) author: u32,
    pub(crate) number: u64,
    pub(crate) previous: Option<usize>,
    pub(crate) deps: Vec<usize>,
    pub(crate) act: Act,
}

/// All envelopes there are, and the authors that need no grant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) roots: BTreeSet<u32>,
}

/// A set of places.
pub(crate) type Set = BTreeSet<usize>;

/// Which wording of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wording {
    /// What lies beyond a fork is held up by all that is kept, not by unforked authors alone.
    pub(crate) all_name: bool,
    /// Whoever was let in stays in when the grant turns out to lie beyond its giver's fork, and
    /// what lets somebody in is kept there.
    pub(crate) stays_born: bool,
    /// A cut goes by numbers alone, and the fork counts as well. Wrong; shows that tests bite.
    pub(crate) cut_by_number: bool,
}

impl Wording {
    /// What the nodes do.
    pub(crate) const TODAY: Self = Self {
        all_name: true,
        stays_born: true,
        cut_by_number: false,
    };
}

/// What a set comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) effective: Set,
    pub(crate) kept: Set,
    /// Forked authors, and from which number on.
    pub(crate) forks: BTreeMap<u32, u64>,
    /// Authors who may go on writing: born, and not revoked.
    pub(crate) live: BTreeSet<u32>,
}

impl Graph {
    /// What an envelope names.
    pub(crate) fn named(&self, place: usize) -> impl Iterator<Item = usize> + '_ {
        let node = &self.nodes[place];
        node.previous.iter().chain(&node.deps).copied()
    }

    /// The past of some envelopes, without themselves unless another's past has them.
    pub(crate) fn past(&self, of: impl IntoIterator<Item = usize>) -> Set {
        let mut past = Set::new();
        let mut todo: Vec<usize> = of.into_iter().flat_map(|place| self.named(place)).collect();
        while let Some(place) = todo.pop() {
            if past.insert(place) {
                todo.extend(self.named(place));
            }
        }
        past
    }

    /// An envelope and all before it on its chain.
    pub(crate) fn chain(&self, tip: usize) -> Set {
        let mut chain = Set::new();
        let mut at = Some(tip);
        while let Some(place) = at {
            chain.insert(place);
            at = self.nodes[place].previous;
        }
        chain
    }

    /// The forks that a set and evidence show.
    pub(crate) fn forks(&self, set: &Set, evidence: &BTreeMap<u32, u64>) -> BTreeMap<u32, u64> {
        let mut seen: BTreeMap<(u32, u64), usize> = BTreeMap::new();
        let mut forks = evidence.clone();
        for place in set {
            let node = &self.nodes[*place];
            let first = *seen.entry((node.author, node.number)).or_insert(*place);
            if first != *place {
                let fork = forks.entry(node.author).or_insert(node.number);
                *fork = (*fork).min(node.number);
            }
        }
        forks
    }

    /// What a set comes to, given evidence that came without envelopes.
    pub(crate) fn judge(
        &self,
        set: &Set,
        evidence: &BTreeMap<u32, u64>,
        wording: Wording,
    ) -> Outcome {
        Judging::new(self, set, evidence, wording).run()
    }

    /// Whether an envelope may be admitted: its author was alive in its past.
    #[cfg(test)]
    pub(crate) fn is_admissible(&self, place: usize, wording: Wording) -> bool {
        let author = self.nodes[place].author;
        if self.roots.contains(&author) {
            return true;
        }
        let past = self.past([place]);
        let outcome = self.judge(&past, &BTreeMap::new(), wording);
        outcome.live.contains(&author)
    }
}

/// A set being judged, its authors from the roots outwards: who is let in by nobody who is not yet
/// judged, and revoked by nobody either.
struct Judging<'a> {
    graph: &'a Graph,
    wording: Wording,
    /// Who let an author in, and by which envelope.
    granted: BTreeMap<u32, (u32, usize)>,
    by: BTreeMap<u32, Set>,
    revocations: BTreeMap<u32, Vec<usize>>,
    forks: BTreeMap<u32, u64>,
    /// Control that stands.
    control: Set,
    allowed: BTreeMap<u32, Set>,
    /// Authors whose rights have ended by a cut.
    cut: BTreeSet<u32>,
    born: BTreeSet<u32>,
}

impl<'a> Judging<'a> {
    fn new(graph: &'a Graph, set: &Set, evidence: &BTreeMap<u32, u64>, wording: Wording) -> Self {
        let mut judging = Self {
            graph,
            wording,
            granted: BTreeMap::new(),
            by: BTreeMap::new(),
            revocations: BTreeMap::new(),
            forks: graph.forks(set, evidence),
            control: Set::new(),
            allowed: BTreeMap::new(),
            cut: BTreeSet::new(),
            born: BTreeSet::new(),
        };
        for place in set {
            let node = &graph.nodes[*place];
            judging.by.entry(node.author).or_default().insert(*place);
            match &node.act {
                Act::Grant(authors) => {
                    for author in authors {
                        let by = (node.author, *place);
                        judging.granted.entry(*author).or_insert(by);
                    }
                }
                Act::Revoke { author, .. } => {
                    judging.revocations.entry(*author).or_default().push(*place);
                }
                Act::Content | Act::Control => {}
            }
        }
        judging
    }

    /// Who let an author in, who let that one in, and so on.
    fn above(&self, author: u32) -> Vec<u32> {
        let mut above = Vec::new();
        let mut at = author;
        while let Some((by, _)) = self.granted.get(&at) {
            // A grant names an author that writes after it: there is no circle. A broken graph may
            // have one all the same.
            if above.contains(by) {
                break;
            }
            above.push(*by);
            at = *by;
        }
        above
    }

    fn run(mut self) -> Outcome {
        let mut authors: BTreeSet<u32> = self.by.keys().copied().collect();
        authors.extend(self.granted.keys());
        authors.extend(&self.graph.roots);
        let mut ordered: Vec<(usize, u32)> = authors
            .into_iter()
            .map(|author| (self.above(author).len(), author))
            .collect();
        ordered.sort_unstable();
        for (_, author) in &ordered {
            self.judge_author(*author);
        }
        let named = self.names();
        let mut effective = self.control.clone();
        for author in self.allowed.keys() {
            for place in &self.allowed[author] {
                let content = self.graph.nodes[*place].act == Act::Content;
                if content && (!self.is_beyond(*author, *place) || named.contains(place)) {
                    effective.insert(*place);
                }
            }
        }
        let mut kept = effective.clone();
        if self.wording.stays_born {
            let grants = |place: &&usize| matches!(self.graph.nodes[**place].act, Act::Grant(_));
            kept.extend(self.allowed.values().flatten().filter(grants));
        }
        kept.extend(self.graph.past(kept.iter().copied()));
        let live = self.born.difference(&self.cut).copied().collect();
        Outcome {
            effective,
            kept,
            forks: self.forks,
            live,
        }
    }

    fn judge_author(&mut self, author: u32) {
        let stands = |place: usize| self.wording.stays_born || self.control.contains(&place);
        let born = self.graph.roots.contains(&author)
            || self.granted.get(&author).is_some_and(|by| stands(by.1));
        let mine = self.by.get(&author).cloned().unwrap_or_default();
        let cut = self.cut_of(author, &mine);
        let allowed: Set = match (&cut, born) {
            (_, false) => Set::new(),
            (None, true) => mine,
            (Some(cut), true) => mine.intersection(cut).copied().collect(),
        };
        if born {
            self.born.insert(author);
        }
        if cut.is_some() {
            self.cut.insert(author);
        }
        for place in &allowed {
            let control = self.graph.nodes[*place].act != Act::Content;
            if control && !self.is_beyond(author, *place) {
                self.control.insert(*place);
            }
        }
        self.allowed.insert(author, allowed);
    }

    /// What the revocations that stand leave of an author.
    fn cut_of(&self, author: u32, mine: &Set) -> Option<Set> {
        let above = self.above(author);
        let mut left: Option<Set> = None;
        for place in self.revocations.get(&author).into_iter().flatten() {
            let node = &self.graph.nodes[*place];
            let Act::Revoke { number, tips, .. } = &node.act else {
                continue;
            };
            if !above.contains(&node.author) || !self.control.contains(place) {
                continue;
            }
            let cut: Set = if self.wording.cut_by_number {
                let below = |place: &&usize| self.graph.nodes[**place].number <= *number;
                mine.iter().filter(below).copied().collect()
            } else {
                tips.iter().flat_map(|tip| self.graph.chain(*tip)).collect()
            };
            left = Some(match left {
                Some(left) => left.intersection(&cut).copied().collect(),
                None => cut,
            });
        }
        left
    }

    /// Whether an envelope lies at or beyond its author's fork, and no cut says what is left.
    fn is_beyond(&self, author: u32, place: usize) -> bool {
        let number = self.graph.nodes[place].number;
        let fork = self.forks.get(&author);
        fork.is_some_and(|fork| number >= *fork)
            && (!self.cut.contains(&author) || self.wording.cut_by_number)
    }

    /// All that is named by what holds up what lies beyond forks.
    fn names(&self) -> Set {
        let mut holds = Set::new();
        for (author, allowed) in &self.allowed {
            if self.wording.all_name {
                let below = |place: &&usize| !self.is_beyond(*author, **place);
                holds.extend(allowed.iter().filter(below));
            } else if !self.forks.contains_key(author) {
                holds.extend(allowed);
            }
        }
        self.graph.past(holds)
    }
}

#[cfg(test)]
mod tests;
