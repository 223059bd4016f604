//! What stands beyond the numbers below which everything does, and the places of the local order.
//!
//! An author's envelopes below its *closed* number are all firm and on one chain. From there on each
//! envelope that is kept has a row that says why: it is firm itself, something firm has it in its
//! past, or it is pinned or in the past of what is. So a topic without forks and limits pays nothing
//! but the index of who names whom.

use crate::admit::Admission;
use crate::bound::Status;
use crate::fact::FactNo;
use crate::lace::{Lace, Stored};
use crate::limits::SERVE_CHUNK;
use crate::rows::{self, Bytes, Spot};
use identity::EnvelopeId;
use machine::Staged;
use std::collections::BTreeMap;
use wire::{Class, Envelope};

/// What keeps an envelope, the weakest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Hold {
    /// Nothing.
    Not,
    /// It carries what is pinned, or is in the past of what does.
    Pinned,
    /// It is in the past of what is firm.
    Held,
    /// It is firm.
    Firm,
}

/// How an envelope stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    pub(crate) hold: Hold,
    /// Whether it is void whatever holds it.
    pub(crate) void: bool,
}

impl Standing {
    pub(crate) const FIRM: Self = Self {
        hold: Hold::Firm,
        void: false,
    };
    pub(crate) const NOT: Self = Self {
        hold: Hold::Not,
        void: false,
    };

    const VOID: u8 = 16;

    pub(crate) fn is_kept(self) -> bool {
        self.hold > Hold::Not
    }

    pub(crate) fn is_effective(self, class: Class) -> bool {
        match self.hold {
            Hold::Firm => true,
            Hold::Held => class == Class::Content && !self.void,
            Hold::Pinned | Hold::Not => false,
        }
    }

    fn encode(self) -> u8 {
        let hold = match self.hold {
            Hold::Not => 0,
            Hold::Pinned => 1,
            Hold::Held => 2,
            Hold::Firm => 3,
        };
        hold | if self.void { Self::VOID } else { 0 }
    }

    fn decode(byte: u8) -> Option<Self> {
        let hold = match byte & !Self::VOID {
            0 => Hold::Not,
            1 => Hold::Pinned,
            2 => Hold::Held,
            3 => Hold::Firm,
            _ => return None,
        };
        Some(Self {
            hold,
            void: byte & Self::VOID != 0,
        })
    }
}

/// An envelope whose standing has changed, other than by being admitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Changed {
    /// Its id.
    pub id: EnvelopeId,
    /// Whether it is effective now.
    pub effective: bool,
}

/// What has become kept: reported as admitted.
pub(crate) type Report = Vec<(EnvelopeId, Admission)>;

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

    /// How an envelope stands; `place` is that of its row.
    pub(crate) fn standing(&self, store: &mut Staged<'_>, spot: &Spot, place: u64) -> Standing {
        if !self.is_closed_at(spot.author, spot.number) {
            return Standing::FIRM;
        }
        if place == 0 {
            return Standing::NOT;
        }
        let row = store.get(rows::STANDS, &self.stands_key(spot.author, place));
        let byte = row.and_then(|row| row.last().copied());
        byte.and_then(Standing::decode).unwrap_or(Standing::NOT)
    }

    fn hold(&self, store: &mut Staged<'_>, spot: &Spot) -> Hold {
        if !self.is_closed_at(spot.author, spot.number) {
            return Hold::Firm;
        }
        let row = store.get(rows::HEADER, &rows::at_spot(self.local, spot));
        let place = row.and_then(|row| Bytes(&row).u64());
        place.map_or(Hold::Not, |place| self.standing(store, spot, place).hold)
    }

    /// Writes how an envelope with a place stands, and remembers whether that is news.
    pub(crate) fn put_standing(
        &mut self,
        store: &mut Staged<'_>,
        (spot, stored): (&Spot, &Stored),
        was: Standing,
        now: Standing,
    ) {
        let key = self.stands_key(spot.author, stored.place);
        if now.is_kept() {
            let number = spot.number.to_be_bytes();
            let row = [&number[..], &spot.branch, &[now.encode()]].concat();
            store.put(rows::STANDS, key, row);
        } else {
            store.delete(rows::STANDS, key);
        }
        if was.is_kept() != now.is_kept() {
            self.cut_hash.set(None);
        }
        let class = stored.envelope.header.class;
        if was.is_effective(class) != now.is_effective(class) {
            self.changes.push(Changed {
                id: stored.envelope.id,
                effective: now.is_effective(class),
            });
        }
    }

    /// Something holds these up: whatever of them and of their past is not kept as well is from now
    /// on. Of each it is said whether it is the previous one of what names it.
    pub(crate) fn mark(
        &mut self,
        store: &mut Staged<'_>,
        named: Vec<(Spot, bool)>,
        hold: Hold,
        report: &mut Report,
    ) {
        let mut todo = named;
        let mut found: BTreeMap<Spot, (Stored, Standing)> = BTreeMap::new();
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
            let was = self.standing(store, &spot, stored.place);
            if found.contains_key(&spot) || was.hold >= hold {
                continue;
            }
            if !inner && !was.is_kept() {
                self.add_end(store, spot.author, end);
            }
            todo.extend(self.named_by(store, &spot, &stored.envelope));
            found.insert(spot, (stored, was));
        }
        let mut found: Vec<(Spot, (Stored, Standing))> = found.into_iter().collect();
        found.sort_by_key(|(_, (stored, _))| {
            (stored.envelope.header.generation, stored.envelope.id)
        });
        for (spot, (stored, was)) in found {
            let void = matches!(self.status_of(store, &stored), Status::Void(_));
            let now = Standing { hold, void };
            if was.is_kept() {
                self.put_standing(store, (&spot, &stored), was, now);
            } else {
                self.raise(store, &spot, stored, now, report);
            }
        }
    }

    /// What becomes of a stored envelope by the bounds that are known.
    pub(crate) fn status_of(&self, store: &mut Staged<'_>, stored: &Stored) -> Status {
        match self.node(store, &stored.envelope.id) {
            Some(node) => self.status(store, &node, stored.envelope.header.class),
            None => Status::Firm,
        }
    }

    /// What was not kept is kept now.
    pub(crate) fn raise(
        &mut self,
        store: &mut Staged<'_>,
        spot: &Spot,
        mut stored: Stored,
        now: Standing,
        report: &mut Report,
    ) -> u64 {
        // What was void may have been passed over by a reader: it comes again, after what has a
        // place already.
        if stored.place > 0 {
            self.take_place(store, stored.place);
        }
        let body_missing = self.has_no_body(store, spot, &stored.envelope.header);
        let n = self.give_place(store, spot, &stored.envelope, body_missing);
        stored.place = n;
        self.put_standing(store, (spot, &stored), Standing::NOT, now);
        let body = !body_missing;
        report.push((stored.envelope.id, Admission::Admitted { n, body }));
        n
    }

    /// What an envelope names: its previous one, marked as such, and its deps.
    pub(crate) fn named_by(
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

    pub(crate) fn add_end(&mut self, store: &mut Staged<'_>, no: u32, end: (u64, EnvelopeId)) {
        if let Some(author) = self.by_no_mut(no)
            && author.ends.insert(end)
        {
            self.cut_hash.set(None);
            store.put(rows::LACE, self.end_key(no, end), []);
        }
    }

    pub(crate) fn remove_end(&mut self, store: &mut Staged<'_>, no: u32, end: (u64, EnvelopeId)) {
        if let Some(author) = self.by_no_mut(no)
            && author.ends.remove(&end)
        {
            self.cut_hash.set(None);
            store.delete(rows::LACE, self.end_key(no, end));
        }
    }

    fn set_end(&mut self, store: &mut Staged<'_>, spot: &Spot, envelope: &Envelope, is_end: bool) {
        let end = (spot.number, envelope.id);
        if is_end {
            self.add_end(store, spot.author, end);
        } else {
            self.remove_end(store, spot.author, end);
        }
    }

    /// Something firm of an author is told by a row from now on, or what follows it may have gone.
    pub(crate) fn settle_end(&mut self, store: &mut Staged<'_>, spot: &Spot, envelope: &Envelope) {
        let mut followed = false;
        for next in self.successors(store, spot, envelope) {
            followed |= self.hold(store, &next) > Hold::Not;
        }
        self.set_end(store, spot, envelope, !followed);
    }

    /// Decides afresh how something that is kept, but not firm any more, stands; what it held up
    /// is looked at later.
    pub(crate) fn decide(
        &mut self,
        store: &mut Staged<'_>,
        (spot, stored): (&Spot, &Stored),
        was: Standing,
        status: Status,
    ) {
        let (mut hold, followed) = self.support(store, spot, stored);
        if hold == Hold::Not && self.is_pinned(store, stored) {
            hold = Hold::Pinned;
        }
        let void = matches!(status, Status::Void(_));
        let now = Standing { hold, void };
        self.put_standing(store, (spot, stored), was, now);
        self.set_end(store, spot, &stored.envelope, now.is_kept() && !followed);
        if hold < was.hold && hold < Hold::Held {
            for (named, _) in self.named_by(store, spot, &stored.envelope) {
                self.queue(store, &named);
            }
        }
    }

    /// What holds an envelope up that is not firm itself, and whether something that is kept
    /// follows it on its own chain.
    fn support(&self, store: &mut Staged<'_>, spot: &Spot, stored: &Stored) -> (Hold, bool) {
        let (mut best, mut followed) = (Hold::Not, false);
        for next in self.successors(store, spot, &stored.envelope) {
            let hold = self.hold(store, &next).min(Hold::Held);
            followed |= hold > Hold::Not;
            best = best.max(hold);
        }
        if best < Hold::Held {
            best = best.max(self.named_across(store, spot));
        }
        (best, followed)
    }

    /// What those that name an envelope across chains make of it.
    pub(crate) fn named_across(&self, store: &mut Staged<'_>, spot: &Spot) -> Hold {
        let mut best = Hold::Not;
        let mut low = rows::key(self.local, &[&spot.encode()]);
        let high = rows::key(self.local, &[&spot.encode(), &[u8::MAX; 29]]);
        loop {
            let page = store.scan(rows::NAMED, &low, &high, SERVE_CHUNK);
            for namer in page.iter().filter_map(|(key, _)| read_namer(key)) {
                best = best.max(self.hold(store, &namer).min(Hold::Held));
                if best == Hold::Held {
                    return best;
                }
            }
            match page.into_iter().last() {
                Some((last, _)) => low = last,
                None => return best,
            }
            low.push(0);
        }
    }

    /// Whether an envelope carries a fact that has to be kept, as far as facts have been judged.
    pub(crate) fn is_pinned(&self, store: &mut Staged<'_>, stored: &Stored) -> bool {
        if stored.envelope.header.class != Class::Control {
            return false;
        }
        let id = stored.envelope.id;
        let node = self.node(store, &id);
        let Some(row) = node.and_then(|node| self.view_row(store, node.view)) else {
            return false;
        };
        // The view may be that of another envelope, which this one carries on.
        let own = |fact: FactNo, store: &mut Staged<'_>| {
            let fact = self.fact(store, fact);
            fact.is_some_and(|fact| fact.carrier == id)
        };
        self.has_pins(row.first, row.count) && own(FactNo(row.first), store)
    }

    /// Whether one of these facts keeps its carrier.
    pub(crate) fn has_pins(&self, first: u32, count: u16) -> bool {
        let Some(effect) = &self.applied else {
            return false;
        };
        (0..u32::from(count)).any(|at| {
            let no = FactNo(first.saturating_add(at));
            let judged = no.0 < self.judged;
            judged && (!effect.void.contains_key(&no) || effect.pinned.contains(&no))
        })
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

/// Who names, in a row of [`rows::NAMED`].
fn read_namer(key: &[u8]) -> Option<Spot> {
    let mut bytes = Bytes(key.get(4..)?);
    Spot::read(&mut bytes)?;
    Spot::read(&mut bytes)
}
