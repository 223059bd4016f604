//! Views: the facts in the past of an envelope, its own included, one number for each set.
//!
//! A view is made by an envelope that carries facts (*made*: the view of its past and its facts),
//! or by one that names several of which none includes the others (*joined*: their union). All
//! other envelopes carry a view that is there. A joined set that is there is found by its hash, so
//! no set has two numbers.
//!
//! A row says what a view adds to others. When more than [`MAX_VIEW_STEPS`] rows would have to be
//! read for a set, its row has all of it. A view goes when no envelope carries it and no view is
//! built on it: `holders` counts the views built on it and the envelopes that carry it, but of
//! these only those that name none that carries it too. So nothing is counted for most envelopes.

use crate::effect::Effect;
use crate::fact::{Fact, FactNo, ViewNo};
use crate::lace::Lace;
use crate::limits::{
    MAX_EFFECT_BYTES, MAX_EFFECTS, MAX_FACT_BYTES, MAX_FACTS_KEPT, MAX_JOINS, MAX_SET_BYTES,
    MAX_SET_ROW, MAX_SETS, MAX_VIEW_STEPS,
};
use crate::lru::Lru;
use crate::rows::{self, Bytes};
use crate::set::Set;
use core::cmp::Reverse;
use machine::Staged;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is in memory of facts and views; all of it can be had again from the rows.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) facts: Lru<u32, Arc<Fact>>,
    sets: Lru<u32, Arc<Set>>,
    /// Views that are named together, and the view of all of them.
    joins: Lru<Vec<ViewNo>, ViewNo>,
    pub(crate) effects: Lru<u32, Arc<Effect>>,
    /// The effect of all that is held.
    pub(crate) held: Option<Arc<Effect>>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            facts: Lru::new(MAX_FACTS_KEPT, MAX_FACT_BYTES),
            sets: Lru::new(MAX_SETS, MAX_SET_BYTES),
            joins: Lru::new(MAX_JOINS, usize::MAX),
            effects: Lru::new(MAX_EFFECTS, MAX_EFFECT_BYTES),
            held: None,
        }
    }
}

impl Memory {
    pub(crate) fn keep_fact(&mut self, fact: &Arc<Fact>) {
        let weight = fact.what.encode().len().saturating_add(256);
        self.facts.put(fact.no.0, Arc::clone(fact), weight);
    }

    fn keep_set(&mut self, view: ViewNo, set: &Arc<Set>) {
        self.sets.put(view.0, Arc::clone(set), set.weight());
    }

    pub(crate) fn keep_effect(&mut self, view: ViewNo, effect: &Arc<Effect>) {
        let weight = effect.weight();
        self.effects.put(view.0, Arc::clone(effect), weight);
    }

    fn forget_view(&mut self, view: u32) {
        self.sets.remove(&view);
        self.effects.remove(&view);
        self.joins.clear();
    }
}

/// How much of facts and views is in memory; each has a limit of the same name in
/// [`limits`](crate::limits).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ViewLoad {
    /// Facts.
    pub facts: usize,
    /// Bytes of facts.
    pub fact_bytes: usize,
    /// Sets.
    pub sets: usize,
    /// Bytes of sets.
    pub set_bytes: usize,
    /// Remembered joins.
    pub joins: usize,
    /// Effects.
    pub effects: usize,
    /// Bytes of effects.
    pub effect_bytes: usize,
}

/// The view of what an envelope names.
#[derive(Debug)]
pub(crate) enum PastView {
    /// It is here.
    Here(ViewNo),
    /// It has to be made, if the envelope is admitted.
    New {
        parts: Vec<ViewNo>,
        set: Arc<Set>,
        hash: [u8; 32],
        effect: OnceCell<Arc<Effect>>,
    },
}

/// The row of a view: `holders u32 ‖ steps u32 ‖ first u32 ‖ count u16 ‖ joined u8 ‖ full u8 ‖
/// parts u8 ‖ part u32 … [‖ hash 32] [‖ set]`, the hash of a joined one, the set when it is full.
#[derive(Clone, Debug)]
pub(crate) struct ViewRow {
    holders: u32,
    /// Rows to be read for the set, at most.
    steps: u32,
    /// The facts that it adds to its parts.
    pub(crate) first: u32,
    pub(crate) count: u16,
    parts: Vec<ViewNo>,
    hash: Option<[u8; 32]>,
    full: Option<Set>,
}

impl ViewRow {
    fn encode(&self) -> Vec<u8> {
        let full = self.full.as_ref().map_or(0, Set::encoded_len);
        let mut out = Vec::with_capacity(full.saturating_add(128));
        out.extend_from_slice(&self.holders.to_be_bytes());
        out.extend_from_slice(&self.steps.to_be_bytes());
        out.extend_from_slice(&self.first.to_be_bytes());
        out.extend_from_slice(&self.count.to_be_bytes());
        out.push(u8::from(self.hash.is_some()));
        out.push(u8::from(self.full.is_some()));
        // At most 17: previous and deps.
        out.push(u8::try_from(self.parts.len()).unwrap_or(u8::MAX));
        for part in &self.parts {
            out.extend_from_slice(&part.0.to_be_bytes());
        }
        out.extend_from_slice(self.hash.as_ref().map_or(&[], |hash| &hash[..]));
        if let Some(full) = &self.full {
            out.extend_from_slice(&full.encode());
        }
        out
    }

    fn decode(row: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(row);
        let (holders, steps, first) = (bytes.u32()?, bytes.u32()?, bytes.u32()?);
        let count = u16::from_be_bytes(bytes.array()?);
        let (joined, full) = (bytes.u8()? != 0, bytes.u8()? != 0);
        let mut parts = Vec::new();
        for _ in 0..bytes.u8()? {
            parts.push(ViewNo(bytes.u32()?));
        }
        let hash = if joined { Some(bytes.array()?) } else { None };
        let full = if full {
            Some(Set::read(&mut bytes)?)
        } else {
            None
        };
        Some(Self {
            holders,
            steps,
            first,
            count,
            parts,
            hash,
            full,
        })
    }
}

impl Lace {
    /// How much of facts and views is in memory.
    #[must_use]
    pub fn view_load(&self) -> ViewLoad {
        let memory = self.memory.borrow();
        ViewLoad {
            facts: memory.facts.len(),
            fact_bytes: memory.facts.weight(),
            sets: memory.sets.len(),
            set_bytes: memory.sets.weight(),
            joins: memory.joins.len(),
            effects: memory.effects.len(),
            effect_bytes: memory.effects.weight(),
        }
    }

    pub(crate) fn view_row(&self, store: &mut Staged<'_>, view: ViewNo) -> Option<ViewRow> {
        if view == ViewNo(0) {
            return None;
        }
        ViewRow::decode(&store.get(rows::LACE, &view_key(self.local, view))?)
    }

    /// The facts of a view.
    pub(crate) fn set_of(&self, store: &mut Staged<'_>, view: ViewNo) -> Arc<Set> {
        if let Some(set) = self.memory.borrow_mut().sets.get(&view.0) {
            return set;
        }
        let mut set = Set::default();
        let (mut todo, mut seen) = (vec![view], BTreeSet::from([view]));
        while let Some(at) = todo.pop() {
            let known = self.memory.borrow_mut().sets.get(&at.0);
            if let Some(known) = known {
                set.add_all(&known);
                continue;
            }
            let Some(row) = self.view_row(store, at) else {
                continue;
            };
            if let Some(full) = &row.full {
                set.add_all(full);
                continue;
            }
            set.add_run(FactNo(row.first), row.count);
            todo.extend(row.parts.iter().filter(|part| seen.insert(**part)));
        }
        let set = Arc::new(set);
        self.memory.borrow_mut().keep_set(view, &set);
        set
    }

    /// The union of views. Reads no row when it is one of them and they are in memory.
    pub(crate) fn join(
        &self,
        store: &mut Staged<'_>,
        mut named: impl Iterator<Item = ViewNo>,
    ) -> PastView {
        let first = named.next().unwrap_or_default();
        // Nearly always all are the same.
        let mut views: Vec<ViewNo> = named.filter(|view| *view != first).collect();
        if views.is_empty() {
            return PastView::Here(first);
        }
        views.push(first);
        views.sort_unstable();
        views.dedup();
        if let Some(view) = self.memory.borrow_mut().joins.get(&views) {
            return PastView::Here(view);
        }
        let mut sets: Vec<(ViewNo, Arc<Set>)> = Vec::with_capacity(views.len());
        for view in &views {
            sets.push((*view, self.set_of(store, *view)));
        }
        sets.sort_by_key(|(view, set)| (Reverse(set.len()), *view));
        let mut parts: Vec<(ViewNo, Arc<Set>)> = Vec::new();
        for (view, set) in sets {
            if !parts.iter().any(|(_, other)| other.includes(&set)) {
                parts.push((view, set));
            }
        }
        if let [(view, _)] = parts.as_slice() {
            self.memory.borrow_mut().joins.put(views, *view, 0);
            return PastView::Here(*view);
        }
        let mut union = Set::default();
        for (_, set) in &parts {
            union.add_all(set);
        }
        let hash = union.hash();
        let found = store.get(rows::LACE, &hash_key(self.local, &hash));
        if let Some(view) = found.and_then(|row| Bytes(&row).u32()) {
            self.memory.borrow_mut().joins.put(views, ViewNo(view), 0);
            return PastView::Here(ViewNo(view));
        }
        PastView::New {
            parts: parts.into_iter().map(|(view, _)| view).collect(),
            set: Arc::new(union),
            hash,
            effect: OnceCell::new(),
        }
    }

    /// The view of the past of an envelope that is stored now.
    pub(crate) fn keep_past(&mut self, store: &mut Staged<'_>, past: PastView) -> ViewNo {
        match past {
            PastView::Here(view) => view,
            PastView::New {
                parts,
                set,
                hash,
                effect,
            } => {
                let row = ViewRow {
                    holders: 0,
                    steps: 0,
                    first: 0,
                    count: 0,
                    parts,
                    hash: Some(hash),
                    full: None,
                };
                let view = self.put_view(store, row, &set);
                let key = hash_key(self.local, &hash);
                store.put(rows::LACE, key, view.0.to_be_bytes());
                if let Some(effect) = effect.into_inner() {
                    self.memory.borrow_mut().keep_effect(view, &effect);
                }
                view
            }
        }
    }

    /// The view of an envelope with facts of its own.
    pub(crate) fn make_view(
        &mut self,
        store: &mut Staged<'_>,
        past: ViewNo,
        first: FactNo,
        count: u16,
    ) -> ViewNo {
        let mut set = self.set_of(store, past).as_ref().clone();
        set.add_run(first, count);
        let row = ViewRow {
            holders: 0,
            steps: 0,
            first: first.0,
            count,
            parts: Some(past).filter(|past| past.0 > 0).into_iter().collect(),
            hash: None,
            full: None,
        };
        self.put_view(store, row, &Arc::new(set))
    }

    /// Gives a view its number and writes its row.
    fn put_view(&mut self, store: &mut Staged<'_>, mut row: ViewRow, set: &Arc<Set>) -> ViewNo {
        let view = ViewNo(self.next_view);
        self.next_view = self.next_view.saturating_add(1);
        row.steps = 1;
        for part in &row.parts {
            let steps = self.view_row(store, *part).map_or(0, |part| part.steps);
            row.steps = row.steps.saturating_add(steps);
        }
        if row.steps > MAX_VIEW_STEPS && set.encoded_len() <= MAX_SET_ROW {
            row.steps = 1;
            row.full = Some(set.as_ref().clone());
            if row.hash.is_some() {
                // What it was joined from is of no use any more. A made one still says what the
                // past of its facts is.
                row.parts.clear();
            }
        }
        for part in row.parts.clone() {
            self.hold_view(store, part);
        }
        store.put(rows::LACE, view_key(self.local, view), row.encode());
        self.memory.borrow_mut().keep_set(view, set);
        view
    }

    /// One more holds a view.
    pub(crate) fn hold_view(&self, store: &mut Staged<'_>, view: ViewNo) {
        if let Some(mut row) = self.view_row(store, view) {
            row.holders = row.holders.saturating_add(1);
            store.put(rows::LACE, view_key(self.local, view), row.encode());
        }
    }

    /// One less holds a view; it goes with its last holder, and then what it was built on maybe.
    pub(crate) fn release_view(&self, store: &mut Staged<'_>, view: ViewNo) {
        let mut todo = vec![view];
        while let Some(view) = todo.pop() {
            let Some(mut row) = self.view_row(store, view) else {
                continue;
            };
            row.holders = row.holders.saturating_sub(1);
            let key = view_key(self.local, view);
            if row.holders > 0 {
                store.put(rows::LACE, key, row.encode());
                continue;
            }
            store.delete(rows::LACE, key);
            if let Some(hash) = &row.hash {
                store.delete(rows::LACE, hash_key(self.local, hash));
            }
            self.memory.borrow_mut().forget_view(view.0);
            todo.extend(row.parts);
        }
    }

    /// The numbers that facts and views have got so far.
    pub(crate) fn load_views(&mut self, store: &mut Staged<'_>) -> Option<()> {
        let mut newest = |tag: &[u8]| {
            let from = rows::key(self.local, &[tag]);
            let to = rows::key(self.local, &[tag, &[u8::MAX; 5]]);
            store
                .scan_back(rows::LACE, &from, &to, 1)
                .into_iter()
                .next()
        };
        let (fact, view) = (newest(b"f"), newest(b"v"));
        if let Some((key, _)) = view {
            self.next_view = Bytes(key.get(5..)?).u32()?.checked_add(1)?;
        }
        if let Some((key, row)) = fact {
            let count = u16::from_be_bytes(row.last_chunk().copied()?);
            let first = Bytes(key.get(5..)?).u32()?;
            self.next_fact = first.checked_add(u32::from(count))?;
        }
        Some(())
    }
}

fn view_key(local: u32, view: ViewNo) -> Vec<u8> {
    rows::key(local, &[b"v", &view.0.to_be_bytes()])
}

fn hash_key(local: u32, hash: &[u8; 32]) -> Vec<u8> {
    rows::key(local, &[b"w", hash])
}
