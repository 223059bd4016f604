//! What stands of an author that has forked, and the places of the local order.
//!
//! Beyond the fork an envelope is *kept* while something that is kept names it; content that is kept
//! is effective, control there is void. Only envelopes beyond forks have a row that says so, so a
//! topic without forks pays nothing but the index of who names whom.

use crate::admit::Admission;
use crate::author::Tip;
use crate::lace::{Lace, Stored};
use crate::limits::{CLOSE_CHUNK, OPEN_PAGE, SERVE_CHUNK};
use crate::rows::{self, Bytes, Spot};
use core::cmp::Reverse;
use identity::{EnvelopeId, PublicKey};
use machine::Staged;
use std::collections::BTreeMap;
use wire::{Class, Envelope};

impl Lace {
    /// Gives an envelope the next place in the local order.
    pub(crate) fn give_place(
        &mut self,
        store: &mut Staged<'_>,
        spot: &Spot,
        envelope: &Envelope,
        body_missing: bool,
    ) -> u64 {
        self.last += 1;
        let place = rows::at_place(self.local, self.last);
        let class = envelope.header.class as u8;
        let mut row = Vec::with_capacity(45);
        row.extend_from_slice(&spot.author.to_be_bytes());
        row.extend_from_slice(&spot.number.to_be_bytes());
        row.push(class);
        row.extend_from_slice(envelope.id.as_bytes());
        store.put(rows::ORDER, place.clone(), row);
        if envelope.header.class == Class::Control {
            store.put(rows::CONTROL, place.clone(), []);
        }
        if body_missing {
            store.put(rows::MISSING, place, envelope.header.body_len.to_be_bytes());
        }
        let header = Stored::encode(self.last, envelope);
        store.put(rows::HEADER, rows::at_spot(self.local, spot), header);
        self.last
    }

    /// Takes a place away, to be given another or none.
    pub(crate) fn take_place(&self, store: &mut Staged<'_>, place: u64) {
        let key = rows::at_place(self.local, place);
        store.delete(rows::ORDER, key.clone());
        store.delete(rows::CONTROL, key.clone());
        store.delete(rows::MISSING, key);
    }

    /// Something that is kept names these: whatever of them and of their past lies beyond a fork
    /// is kept from now on.
    pub(crate) fn mark(
        &mut self,
        store: &mut Staged<'_>,
        named: Vec<Spot>,
        report: &mut Vec<(EnvelopeId, Admission)>,
    ) {
        let mut todo: Vec<(Spot, bool)> = named.into_iter().map(|spot| (spot, false)).collect();
        let mut found: BTreeMap<Spot, Stored> = BTreeMap::new();
        while let Some((spot, inner)) = todo.pop() {
            if !self.is_closed_at(spot.author, spot.number) {
                continue;
            }
            let Some(stored) = self.stored(store, &spot) else {
                continue;
            };
            let end = (spot.number, stored.envelope.id);
            if inner {
                self.remove_end(store, spot.author, end);
            }
            if found.contains_key(&spot) || self.stands(store, &spot, stored.place) {
                continue;
            }
            if !inner {
                self.add_end(store, spot.author, end);
            }
            todo.extend(self.named_by(store, &spot, &stored.envelope));
            found.insert(spot, stored);
        }
        let mut found: Vec<(Spot, Stored)> = found.into_iter().collect();
        found.sort_by_key(|(_, stored)| (stored.envelope.header.generation, stored.envelope.id));
        for (spot, stored) in found {
            self.raise(store, spot, &stored, report);
        }
    }

    fn raise(
        &mut self,
        store: &mut Staged<'_>,
        spot: Spot,
        stored: &Stored,
        report: &mut Vec<(EnvelopeId, Admission)>,
    ) {
        // What was void may have been passed over by a reader: it comes again, after what has a
        // place already.
        if stored.place > 0 {
            self.take_place(store, stored.place);
        }
        let body_missing = self.has_no_body(store, &spot, &stored.envelope.header);
        let n = self.give_place(store, &spot, &stored.envelope, body_missing);
        self.write_standing(store, &spot, n);
        self.cut_hash.set(None);
        let body = !body_missing;
        report.push((stored.envelope.id, Admission::Admitted { n, body }));
    }

    fn write_standing(&self, store: &mut Staged<'_>, spot: &Spot, place: u64) {
        let row = [&spot.number.to_be_bytes()[..], &spot.branch].concat();
        store.put(rows::STANDS, self.stands_key(spot.author, place), row);
    }

    /// What an envelope names: its previous one, marked as such, and its deps.
    fn named_by(
        &self,
        store: &mut Staged<'_>,
        spot: &Spot,
        envelope: &Envelope,
    ) -> Vec<(Spot, bool)> {
        let mut named = Vec::new();
        if let Some(before) = spot.number.checked_sub(1).filter(|before| *before > 0) {
            let previous = EnvelopeId::from_bytes(envelope.header.previous);
            named.push((Spot::new(spot.author, before, &previous), true));
        }
        for dep in &envelope.header.deps {
            if let Some(node) = self.node(store, dep) {
                named.push((Spot::new(node.author, node.number, dep), false));
            }
        }
        named
    }

    fn end_key(&self, no: u32, (number, id): (u64, EnvelopeId)) -> Vec<u8> {
        let (no, number) = (no.to_be_bytes(), number.to_be_bytes());
        rows::key(self.local, &[b"s", &no, &number, id.as_bytes()])
    }

    fn add_end(&mut self, store: &mut Staged<'_>, no: u32, end: (u64, EnvelopeId)) {
        if let Some(author) = self.by_no_mut(no)
            && author.ends.insert(end)
        {
            self.cut_hash.set(None);
            store.put(rows::LACE, self.end_key(no, end), []);
        }
    }

    fn remove_end(&mut self, store: &mut Staged<'_>, no: u32, end: (u64, EnvelopeId)) {
        if let Some(author) = self.by_no_mut(no)
            && author.ends.remove(&end)
        {
            self.cut_hash.set(None);
            store.delete(rows::LACE, self.end_key(no, end));
        }
    }

    /// Whether something is left to do that was too long for one call: see [`Lace::work`].
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.closing.is_empty()
    }

    /// Does a bounded part of what is left to do: a long chain that turned out to be forked far
    /// below its end is closed step by step from its end down, and in between it is as if the fork
    /// were known higher up. Every admission does a part too.
    pub fn work(&mut self, store: &mut Staged<'_>) {
        if let Some(no) = self.closing.first().copied() {
            self.close(store, no);
        }
    }

    /// Whether an envelope lies beyond a fork that its author is not closed from yet.
    pub(crate) fn is_closing_at(&self, author: &PublicKey, number: u64) -> bool {
        let closing = self
            .by_key
            .get(author)
            .is_some_and(|no| self.closing.contains(no));
        closing
            && self
                .seen
                .get(author)
                .is_some_and(|seen| number >= seen.number)
    }

    /// Closes an author from the number of its evidence on, or as far down towards it as one call
    /// goes: what of it and of other closed authors no longer stands leaves the kept set.
    pub(crate) fn close(&mut self, store: &mut Staged<'_>, no: u32) {
        let Some(author) = self.by_no(no) else {
            return;
        };
        let (key, tip, before) = (author.key, author.tip, author.closed);
        let Some(target) = self.seen.get(&key).map(|seen| seen.number) else {
            return;
        };
        let end = before
            .or(tip.map(|tip| tip.number.saturating_add(1)))
            .unwrap_or(target);
        let from = target.max(end.saturating_sub(CLOSE_CHUNK));
        if from > target {
            self.closing.insert(no);
        } else {
            self.closing.remove(&no);
        }
        if before.is_some_and(|closed| closed <= from) {
            return;
        }
        let fallen = tip.filter(|tip| tip.number >= from);
        if let Some(tip) = fallen {
            self.tips.remove(&tip.id);
        }
        let below = fallen.and_then(|_| self.base_tip(store, no, from));
        let tail = below.and_then(|below| Some(self.node(store, &below.id)?.tail()));
        self.tips.extend(below.map(|below| (below.id, no)));
        if let Some(author) = self.by_no_mut(no) {
            author.closed = Some(from);
            if fallen.is_some() {
                author.tip = below;
                author.tail = tail.unwrap_or_default();
                author.covered = true;
            }
        }
        self.park.drop_from(&key, target);
        self.restand(store, no, from, before);
        self.write_author(store, no);
        self.cut_hash.set(None);
    }

    /// The envelope just below a fork.
    fn base_tip(&self, store: &mut Staged<'_>, no: u32, from: u64) -> Option<Tip> {
        let number = from.checked_sub(1).filter(|number| *number > 0)?;
        let low = rows::from_number(self.local, no, number);
        let high = rows::after_number(self.local, no, number);
        let (_, row) = store
            .scan(rows::HEADER, &low, &high, 1)
            .into_iter()
            .next()?;
        let envelope = Stored::decode(&row)?.envelope;
        Some(Tip {
            number,
            id: envelope.id,
            generation: envelope.header.generation,
            created: envelope.header.created,
        })
    }

    /// An author was closed from a number on: decides afresh what of it still stands, and then what
    /// stood because of that. What names is decided before what it names, so each envelope is
    /// looked at once. The cost is that of what lies beyond the fork, not of the topic.
    fn restand(&mut self, store: &mut Staged<'_>, no: u32, from: u64, before: Option<u64>) {
        let mut todo = Todo::new();
        self.queue_fallen(store, no, (from, before), &mut todo);
        while let Some((_, (spot, fallen))) = todo.pop_first() {
            let Some(stored) = self.stored(store, &spot) else {
                continue;
            };
            let (stands, end) = self.support(store, &spot, &stored);
            let at = (spot.number, stored.envelope.id);
            if stands && end {
                self.add_end(store, spot.author, at);
            } else {
                self.remove_end(store, spot.author, at);
            }
            if stands {
                self.write_standing(store, &spot, stored.place);
            } else if fallen || self.stands(store, &spot, stored.place) {
                store.delete(rows::STANDS, self.stands_key(spot.author, stored.place));
                for (named, _) in self.named_by(store, &spot, &stored.envelope) {
                    self.queue(store, named, false, &mut todo);
                }
            }
        }
    }

    /// The envelopes of an author that were not beyond its fork and now are.
    fn queue_fallen(
        &self,
        store: &mut Staged<'_>,
        no: u32,
        (from, before): (u64, Option<u64>),
        todo: &mut Todo,
    ) {
        let mut low = rows::from_number(self.local, no, from);
        let last = before.map_or(u64::MAX, |before| before.saturating_sub(1));
        let high = rows::after_number(self.local, no, last);
        loop {
            let page = store.scan(rows::HEADER, &low, &high, OPEN_PAGE);
            for (key, _) in &page {
                let spot = key.get(4..).and_then(|key| Spot::read(&mut Bytes(key)));
                if let Some(spot) = spot {
                    self.queue(store, spot, true, todo);
                }
            }
            match page.into_iter().last() {
                Some((last, _)) => low = last,
                None => return,
            }
            low.push(0);
        }
    }

    fn queue(&self, store: &mut Staged<'_>, spot: Spot, fallen: bool, todo: &mut Todo) {
        if !self.is_closed_at(spot.author, spot.number) {
            return;
        }
        if let Some(stored) = self.stored(store, &spot)
            && stored.place > 0
        {
            let order = Reverse((stored.envelope.header.generation, spot));
            let entry = todo.entry(order).or_insert((spot, false));
            entry.1 |= fallen;
        }
    }

    /// Whether something that is kept names an envelope beyond a fork, and whether nothing that is
    /// kept follows it on its own chain.
    fn support(&self, store: &mut Staged<'_>, spot: &Spot, stored: &Stored) -> (bool, bool) {
        let mut followed = false;
        for next in self.successors(store, spot, &stored.envelope) {
            followed |= self.is_kept(store, &next);
        }
        if followed {
            return (true, false);
        }
        let mut low = rows::key(self.local, &[&spot.encode()]);
        let high = rows::key(self.local, &[&spot.encode(), &[u8::MAX; 29]]);
        loop {
            let page = store.scan(rows::NAMED, &low, &high, SERVE_CHUNK);
            let mut namers = page.iter().filter_map(|(key, _)| read_namer(key));
            if namers.any(|namer| self.is_kept(store, &namer)) {
                return (true, true);
            }
            match page.into_iter().last() {
                Some((last, _)) => low = last,
                None => return (false, true),
            }
            low.push(0);
        }
    }

    /// The envelopes that follow one on its own chain.
    pub(crate) fn successors(
        &self,
        store: &mut Staged<'_>,
        spot: &Spot,
        envelope: &Envelope,
    ) -> Vec<Spot> {
        let Some(next) = spot.number.checked_add(1) else {
            return Vec::new();
        };
        let mut low = rows::from_number(self.local, spot.author, next);
        let high = rows::after_number(self.local, spot.author, next);
        let mut successors = Vec::new();
        loop {
            let page = store.scan(rows::HEADER, &low, &high, SERVE_CHUNK);
            for next in page.iter().filter_map(|(_, row)| Stored::decode(row)) {
                if next.envelope.header.previous == *envelope.id.as_bytes() {
                    successors.push(self.spot_of(spot.author, &next.envelope));
                }
            }
            match page.into_iter().last() {
                Some((last, _)) => low = last,
                None => return successors,
            }
            low.push(0);
        }
    }
}

/// Envelopes to look at, the highest generation first, and whether each has just fallen beyond a
/// fork.
type Todo = BTreeMap<Reverse<(u64, Spot)>, (Spot, bool)>;

/// Who names, in a row of [`rows::NAMED`].
fn read_namer(key: &[u8]) -> Option<Spot> {
    let mut bytes = Bytes(key.get(4..)?);
    Spot::read(&mut bytes)?;
    Spot::read(&mut bytes)
}
