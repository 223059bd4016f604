//! Who issued what: grants and invites by their ids, and by whoever wrote them. And what takes
//! something away.

use crate::fact::{AuthorNo, Fact, FactNo};
use crate::lace::Lace;
use crate::rows::{self, Bytes};
use crate::set::Set;
use identity::{EnvelopeId, GrantId};
use machine::Staged;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wire::Item;

/// Grants and invites that are here. One item in two envelopes is listed twice.
#[derive(Debug, Default)]
pub(crate) struct Issues {
    by_item: BTreeMap<(GrantId, EnvelopeId), (FactNo, AuthorNo)>,
    by_author: BTreeSet<(AuthorNo, FactNo)>,
    /// Revocations, closes and acts.
    ends: BTreeSet<FactNo>,
}

/// Whether an item gives somebody something that chains are written under.
pub(crate) const fn is_issue(item: &Item) -> bool {
    matches!(item, Item::Grant(_) | Item::Invite(_))
}

/// Whether an item takes something away from somebody.
const fn is_end(item: &Item) -> bool {
    matches!(item, Item::Revocation(_) | Item::Close(_) | Item::Act(_))
}

impl Issues {
    /// Whether a set has something that takes away.
    pub(crate) fn takes(&self, set: &Set) -> bool {
        self.ends_of(set).next().is_some()
    }

    /// What of a set takes away.
    pub(crate) fn ends_of<'a>(&'a self, set: &'a Set) -> impl Iterator<Item = FactNo> + 'a {
        self.ends.iter().copied().filter(|no| set.has(*no))
    }

    /// The same, what came last first.
    pub(crate) fn newest_ends_of<'a>(&'a self, set: &'a Set) -> impl Iterator<Item = FactNo> + 'a {
        self.ends.iter().rev().copied().filter(|no| set.has(*no))
    }

    fn put(&mut self, key: (GrantId, EnvelopeId), no: FactNo, author: AuthorNo) {
        self.by_item.insert(key, (no, author));
        self.by_author.insert((author, no));
    }

    fn facts_of(&self, grant: &GrantId) -> impl Iterator<Item = FactNo> + '_ {
        let from = (*grant, EnvelopeId::from_bytes([0; 32]));
        let to = (*grant, EnvelopeId::from_bytes([u8::MAX; 32]));
        self.by_item.range(from..=to).map(|(_, (no, _))| *no)
    }

    fn facts_by(&self, author: AuthorNo) -> impl Iterator<Item = FactNo> + '_ {
        let (from, to) = ((author, FactNo(0)), (author, FactNo(u32::MAX)));
        self.by_author.range(from..=to).map(|(_, no)| *no)
    }
}

impl Lace {
    /// Notes a fact, if it gives something or takes something away.
    pub(crate) fn note_issue(&mut self, store: &mut Staged<'_>, fact: &Fact) {
        if is_end(&fact.what) {
            self.issues.ends.insert(fact.no);
            store.put(rows::LACE, self.end_fact_key(fact.no), []);
        }
        if !is_issue(&fact.what) {
            return;
        }
        let row = [fact.no.0, fact.author.0].map(u32::to_be_bytes);
        let key = self.issue_key(&fact.item, &fact.carrier);
        store.put(rows::LACE, key, row.as_flattened());
        let key = (fact.item, fact.carrier);
        self.issues.put(key, fact.no, fact.author);
    }

    /// What is not here takes nothing away.
    pub(crate) fn drop_end(&mut self, store: &mut Staged<'_>, no: FactNo) {
        if self.issues.ends.remove(&no) {
            store.delete(rows::LACE, self.end_fact_key(no));
        }
    }

    /// What is not here cannot be written under: it is noted again with its envelope.
    pub(crate) fn drop_issue(
        &mut self,
        store: &mut Staged<'_>,
        grant: &GrantId,
        carrier: &EnvelopeId,
    ) {
        if let Some((no, author)) = self.issues.by_item.remove(&(*grant, *carrier)) {
            self.issues.by_author.remove(&(author, no));
            store.delete(rows::LACE, self.issue_key(grant, carrier));
        }
    }

    pub(crate) fn load_issues(&mut self, store: &mut Staged<'_>) -> Option<()> {
        for (key, value) in crate::lace::all_rows(store, self.local, b"j") {
            let mut key = Bytes(key.get(5..)?);
            let grant = GrantId::from_bytes(key.array()?);
            let carrier = EnvelopeId::from_bytes(key.array()?);
            let mut bytes = Bytes(&value);
            let (no, author) = (FactNo(bytes.u32()?), AuthorNo(bytes.u32()?));
            self.issues.put((grant, carrier), no, author);
        }
        for (key, _) in crate::lace::all_rows(store, self.local, b"k") {
            let no = Bytes(key.get(5..)?).u32()?;
            self.issues.ends.insert(FactNo(no));
        }
        Some(())
    }

    /// The facts with this grant or invite, one for each envelope that carries it.
    pub(crate) fn issued(&self, store: &mut Staged<'_>, grant: &GrantId) -> Vec<Arc<Fact>> {
        let facts: Vec<FactNo> = self.issues.facts_of(grant).collect();
        let facts = facts.into_iter().filter_map(|no| self.fact(store, no));
        facts.collect()
    }

    /// The grants and invites in envelopes of an author, on all its branches.
    pub(crate) fn issued_by(&self, store: &mut Staged<'_>, author: AuthorNo) -> Vec<Arc<Fact>> {
        let facts: Vec<FactNo> = self.issues.facts_by(author).collect();
        let facts = facts.into_iter().filter_map(|no| self.fact(store, no));
        facts.collect()
    }

    /// The facts with grants that welcome whoever has claimed an invite, whether they stand or not.
    pub fn welcoming(&self, store: &mut Staged<'_>) -> Vec<Arc<Fact>> {
        let facts: Vec<FactNo> = self.issues.by_item.values().map(|(no, _)| *no).collect();
        let facts = facts.into_iter().filter_map(|no| self.fact(store, no));
        let welcomes = |fact: &Arc<Fact>| match &fact.what {
            Item::Grant(grant) => grant.welcomes.is_some(),
            _ => false,
        };
        facts.filter(welcomes).collect()
    }

    /// The first envelope with a grant or an invite: what an author's first envelope under it
    /// names.
    pub(crate) fn carrier_of(&self, store: &mut Staged<'_>, grant: &GrantId) -> Option<EnvelopeId> {
        let facts = self.issued(store, grant).into_iter();
        let first = facts.min_by_key(|fact| (fact.created, fact.carrier))?;
        Some(first.carrier)
    }

    fn end_fact_key(&self, no: FactNo) -> Vec<u8> {
        rows::key(self.local, &[b"k", &no.0.to_be_bytes()])
    }

    fn issue_key(&self, grant: &GrantId, carrier: &EnvelopeId) -> Vec<u8> {
        rows::key(
            self.local,
            &[&b"j"[..], grant.as_bytes(), carrier.as_bytes()],
        )
    }
}
