//! What stands of an author that has forked, and the places of the local order.
//!
//! Beyond the fork an envelope is *kept* while the past of an envelope on an unclosed chain, or
//! below a fork, holds it (level 1 or 2), and *effective* while it is content and the past of an
//! envelope of an unclosed author holds it (level 2). Only rows beyond forks carry a level, so a
//! topic without forks pays nothing but the index of who names whom.

use crate::admit::Admission;
use crate::author::Tip;
use crate::lace::{Lace, Stored, all_rows};
use crate::limits::OPEN_PAGE;
use crate::rows::{self, Bytes, Spot};
use identity::EnvelopeId;
use machine::Staged;
use std::collections::{BTreeMap, BTreeSet};
use wire::{Class, Envelope};

/// What stands beyond a fork: level, place and id.
type Standing = BTreeMap<Spot, (u8, u64, EnvelopeId)>;

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

    /// Something of this level names these: whatever of them and of their past lies beyond a fork
    /// stands at least at this level from now on.
    pub(crate) fn mark(
        &mut self,
        store: &mut Staged<'_>,
        named: Vec<Spot>,
        level: u8,
        report: &mut Vec<(EnvelopeId, Admission)>,
    ) {
        let mut todo: Vec<(Spot, bool)> = named.into_iter().map(|spot| (spot, false)).collect();
        let mut found: BTreeMap<Spot, (u8, Stored)> = BTreeMap::new();
        while let Some((spot, inner)) = todo.pop() {
            if !self.is_closed_at(spot.author, spot.number) {
                continue;
            }
            let Some(stored) = self.stored(store, &spot) else {
                continue;
            };
            let now = self.level(store, spot.author, spot.number, stored.place);
            let end = (spot.number, stored.envelope.id);
            if inner {
                self.remove_end(store, spot.author, end);
            }
            if now >= level || found.contains_key(&spot) {
                continue;
            }
            if now == 0 && !inner {
                self.add_end(store, spot.author, end);
            }
            todo.extend(self.named_by(store, &spot, &stored.envelope));
            found.insert(spot, (now, stored));
        }
        let mut found: Vec<(Spot, (u8, Stored))> = found.into_iter().collect();
        found.sort_by_key(|(_, (_, stored))| {
            (stored.envelope.header.generation, stored.envelope.id)
        });
        for (spot, (before, stored)) in found {
            self.raise(store, spot, (before, stored), level, report);
        }
    }

    fn raise(
        &mut self,
        store: &mut Staged<'_>,
        spot: Spot,
        (before, stored): (u8, Stored),
        level: u8,
        report: &mut Vec<(EnvelopeId, Admission)>,
    ) {
        let mut place = stored.place;
        if before == 0 {
            // What was void may have been passed over by a reader: it comes again, after what has
            // a place already.
            if place > 0 {
                self.take_place(store, place);
            }
            let body_missing = self.has_no_body(store, &spot, &stored.envelope.header);
            place = self.give_place(store, &spot, &stored.envelope, body_missing);
            self.cut_hash.set(None);
            let body = !body_missing;
            report.push((stored.envelope.id, Admission::Admitted { n: place, body }));
        }
        self.write_standing(store, &spot, level, place);
    }

    fn write_standing(&self, store: &mut Staged<'_>, spot: &Spot, level: u8, place: u64) {
        let mut row = vec![level];
        row.extend_from_slice(&spot.number.to_be_bytes());
        row.extend_from_slice(&spot.branch);
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

    /// Closes an author from a number on: what of it and of other closed authors no longer stands
    /// leaves the kept set.
    pub(crate) fn close(&mut self, store: &mut Staged<'_>, no: u32, from: u64) {
        let Some(author) = self.by_no_mut(no) else {
            return;
        };
        if author.closed.is_some_and(|closed| closed <= from) {
            return;
        }
        author.closed = Some(from);
        let (key, tip) = (author.key, author.tip.filter(|tip| tip.number >= from));
        if let Some(tip) = tip {
            self.tips.remove(&tip.id);
            let below = self.base_tip(store, no, from);
            if let Some(below) = &below {
                self.tips.insert(below.id, no);
            }
            if let Some(author) = self.by_no_mut(no) {
                author.tip = below;
                author.covered = true;
            }
        }
        self.park.drop_from(&key, from);
        self.restand(store);
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

    /// Decides afresh what stands beyond all forks. It can only become less, since an author was
    /// closed. Its cost is that of what is named beyond forks, not of the topic.
    fn restand(&mut self, store: &mut Staged<'_>) {
        let closed: Vec<(u32, u64)> = self
            .authors
            .iter()
            .filter_map(|author| Some((author.no, author.closed?)))
            .collect();
        let mut todo = Vec::new();
        for (no, from) in &closed {
            self.named_from_outside(store, *no, *from, &mut todo);
        }
        let mut standing = Standing::new();
        let mut inner = BTreeSet::new();
        while let Some((spot, level)) = todo.pop() {
            let outside = !self.is_closed_at(spot.author, spot.number);
            if outside
                || standing
                    .get(&spot)
                    .is_some_and(|(before, ..)| *before >= level)
            {
                continue;
            }
            let Some(stored) = self.stored(store, &spot) else {
                continue;
            };
            for (named, previous) in self.named_by(store, &spot, &stored.envelope) {
                todo.push((named, level));
                if previous {
                    inner.insert(named);
                }
            }
            standing.insert(spot, (level, stored.place, stored.envelope.id));
        }
        for (no, _) in closed {
            self.replace_standing(store, no, &standing, &inner);
        }
    }

    /// Envelopes of a closed author that something on an unclosed chain, or below a fork, names.
    fn named_from_outside(
        &self,
        store: &mut Staged<'_>,
        no: u32,
        from: u64,
        todo: &mut Vec<(Spot, u8)>,
    ) {
        let mut low = rows::from_number(self.local, no, from);
        let high = rows::after_number(self.local, no, u64::MAX);
        loop {
            let page = store.scan(rows::NAMED, &low, &high, OPEN_PAGE);
            for (key, _) in &page {
                let mut bytes = Bytes(key.get(4..).unwrap_or(&[]));
                let (Some(named), Some(namer)) = (Spot::read(&mut bytes), Spot::read(&mut bytes))
                else {
                    continue;
                };
                let Some(author) = self.by_no(namer.author) else {
                    continue;
                };
                if !author.is_closed_at(namer.number) {
                    todo.push((named, if author.closed.is_some() { 1 } else { 2 }));
                }
            }
            match page.last() {
                Some((last, _)) if page.len() == OPEN_PAGE => {
                    low.clone_from(last);
                    low.push(0);
                }
                _ => return,
            }
        }
    }

    fn replace_standing(
        &mut self,
        store: &mut Staged<'_>,
        no: u32,
        standing: &Standing,
        inner: &BTreeSet<Spot>,
    ) {
        let prefix = rows::key(self.local, &[&no.to_be_bytes()]);
        loop {
            let page = store.prefix(rows::STANDS, &prefix, OPEN_PAGE);
            for (key, _) in &page {
                store.delete(rows::STANDS, key.clone());
            }
            if page.len() < OPEN_PAGE {
                break;
            }
        }
        for (key, _) in all_rows(store, self.local, &[&b"s"[..], &no.to_be_bytes()].concat()) {
            store.delete(rows::LACE, key);
        }
        let low = Spot {
            author: no,
            number: 0,
            branch: [0; 16],
        };
        let high = Spot {
            author: no,
            number: u64::MAX,
            branch: [u8::MAX; 16],
        };
        let mut ends = BTreeSet::new();
        for (spot, (level, place, id)) in standing.range(low..=high) {
            self.write_standing(store, spot, *level, *place);
            if !inner.contains(spot) {
                ends.insert((spot.number, *id));
                store.put(rows::LACE, self.end_key(no, (spot.number, *id)), []);
            }
        }
        if let Some(author) = self.by_no_mut(no) {
            author.ends = ends;
        }
    }
}
