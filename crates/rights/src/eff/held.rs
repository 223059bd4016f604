//! The facts of a set, each looked up once.

use identity::EnvelopeId;

use super::facts::{Fact, FactNo, Facts, Root, Spot};

/// A fact by its place in [`Held::list`].
pub(super) type At = usize;

/// The facts of the set.
pub(super) struct Held<'a> {
    facts: &'a dyn Facts,
    /// Ascending by number.
    pub(super) list: Vec<&'a Fact>,
}

impl<'a> Held<'a> {
    pub(super) fn of(facts: &'a dyn Facts, set: &[FactNo]) -> Self {
        let mut numbers = set.to_vec();
        if !numbers.is_sorted_by(|a, b| a < b) {
            numbers.sort_unstable();
            numbers.dedup();
        }
        let list = numbers.iter().filter_map(|no| facts.fact(*no)).collect();
        Self { facts, list }
    }

    pub(super) fn at(&self, no: FactNo) -> Option<At> {
        // Sets have few gaps: the first guess is often right.
        let first = self.list.first()?.no.0;
        let guess = usize::try_from(no.0.checked_sub(first)?).ok()?;
        if self.list.get(guess).is_some_and(|fact| fact.no == no) {
            return Some(guess);
        }
        self.list.binary_search_by_key(&no, |fact| fact.no).ok()
    }
}

impl Facts for Held<'_> {
    fn root(&self) -> &Root {
        self.facts.root()
    }

    fn fact(&self, no: FactNo) -> Option<&Fact> {
        Some(self.list[self.at(no)?])
    }

    fn on_chain(&self, of: &Spot, end: &EnvelopeId) -> bool {
        self.facts.on_chain(of, end)
    }

    fn in_past(&self, fact: FactNo, of: &EnvelopeId) -> bool {
        self.facts.in_past(fact, of)
    }
}
