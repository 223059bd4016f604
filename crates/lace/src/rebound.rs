//! Bringing bounds to bear: when facts or forks become known, or facts fall, what stands of authors
//! changes, down and up again, in bounded steps.
//!
//! What has to be done is remembered in rows, so that a restart goes on with it: which bound has been
//! applied to an author and how far, and which envelopes have lost something that held them up.
//! What is half done is as good as any other state: what is kept holds the past of all of it.

use crate::author::Tip;
use crate::bound::{Applied, At, Ends, Hash, Status, Step, Target};
use crate::fact::Carrier;
use crate::lace::{Lace, Stored};
use crate::limits::CLOSE_CHUNK;
use crate::rows::{self, Bytes, Spot};
use crate::stand::{Changed, Hold, Report, Standing};
use identity::PublicKey;
use machine::Staged;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Envelopes that lost something, taken from the rows at once.
const QUEUE_PAGE: usize = 64;

impl Lace {
    /// Whether something is left to do that was too long for one call, or new facts and forks have
    /// not been looked at: see [`Lace::work`].
    #[must_use]
    pub const fn has_work(&self) -> bool {
        self.unsettled
    }

    /// Asks the policy what stands of all that is held, if facts or evidence have changed, and does
    /// a bounded part of what follows from that: at most [`CLOSE_CHUNK`] envelopes are looked at.
    /// What rises into the kept set is reported as admitted, in causal order. Call it once after a
    /// batch, and again as long as [`Lace::has_work`]. Every admission does a part too.
    pub fn work(&mut self, store: &mut Staged<'_>) -> Report {
        self.work_within(store, CLOSE_CHUNK)
    }

    /// As [`Lace::work`], looking at no more than so many envelopes; but all that a single one
    /// holds up rises with it.
    pub fn work_within(&mut self, store: &mut Staged<'_>, limit: u64) -> Report {
        let mut report = Report::new();
        if self.unsettled && (self.stale || self.applied.is_none()) {
            self.refresh(store);
        }
        self.go_on(store, limit, &mut report);
        report
    }

    /// What has become effective or void since this was last asked, apart from what was reported
    /// as admitted and has not been here before. One envelope may be in it several times.
    pub fn take_changes(&mut self) -> Vec<Changed> {
        std::mem::take(&mut self.changes)
    }

    /// Something is left to do.
    pub(crate) fn unsettle(&mut self, store: &mut Staged<'_>) {
        if !self.unsettled {
            self.unsettled = true;
            store.put(rows::LACE, rows::key(self.local, &[b"d"]), []);
        }
    }

    /// Facts or evidence have changed.
    pub(crate) fn is_stale(&mut self, store: &mut Staged<'_>) {
        self.memory.borrow_mut().held = None;
        self.stale = true;
        self.unsettle(store);
    }

    /// Bounds are known from here on, if they have not been since the lace was opened.
    pub(crate) fn know_bounds(&mut self, store: &mut Staged<'_>) {
        if self.applied.is_none() {
            self.refresh(store);
        }
    }

    fn refresh(&mut self, store: &mut Staged<'_>) {
        let effect = self.held_effect(store);
        self.judged = self.next_fact;
        self.stale = false;
        let forked = self.seen.keys().filter_map(|key| self.by_key.get(key));
        let limited = effect.limits.keys().map(|no| no.0);
        let bounded: BTreeSet<u32> = forked.copied().chain(limited).collect();
        let mut ends = Ends::new();
        self.targets.clear();
        for no in bounded {
            if let Some(target) = self.target_of(store, &effect, no, &mut ends) {
                self.targets.insert(no, Arc::new(target));
            }
        }
        self.applied = Some(effect);
        let known = self.bounds.keys().chain(self.targets.keys());
        let known: BTreeSet<u32> = known.copied().collect();
        for no in known {
            self.aim(store, no);
        }
        self.look_at_pins(store);
    }

    /// The evidence about an author has changed.
    pub(crate) fn retarget(&mut self, store: &mut Staged<'_>, no: u32) {
        let Some(effect) = self.applied.clone() else {
            return;
        };
        match self.target_of(store, &effect, no, &mut Ends::new()) {
            Some(target) => drop(self.targets.insert(no, Arc::new(target))),
            None => drop(self.targets.remove(&no)),
        }
        self.aim(store, no);
    }

    /// Begins to apply an author's bound, if it is another one.
    fn aim(&mut self, store: &mut Staged<'_>, no: u32) {
        let target = self.targets.get(&no);
        let hash = target.map_or(Hash::default(), |target| target.hash);
        let lowest = target.map_or(u64::MAX, |target| target.lowest);
        let known = self.bounds.get(&no).copied().unwrap_or_default();
        if known.hash == hash {
            if known.step != Step::Done {
                self.moving.insert(no);
                self.unsettle(store);
            }
            return;
        }
        let step = Step::Down(None, false);
        self.put_applied(store, no, Applied { hash, step });
        let author = self.by_no(no).map(|author| (author.key, author.closed));
        if let Some((key, closed)) = author
            && closed.is_none_or(|closed| lowest < closed)
        {
            self.park.drop_from(&key, lowest);
        }
    }

    fn put_applied(&mut self, store: &mut Staged<'_>, no: u32, applied: Applied) {
        let key = Applied::key(self.local, no);
        if applied == Applied::default() {
            self.bounds.remove(&no);
            store.delete(rows::LACE, key);
        } else {
            self.bounds.insert(no, applied);
            store.put(rows::LACE, key, applied.encode());
        }
        if applied.step == Step::Done {
            self.moving.remove(&no);
        } else {
            self.moving.insert(no);
            self.unsettle(store);
        }
    }

    /// Carriers that have to be kept and are not, or need not be any more.
    fn look_at_pins(&mut self, store: &mut Staged<'_>) {
        self.pins.clear();
        for (key, row) in crate::lace::all_rows(store, self.local, b"f") {
            let first = key.get(5..).and_then(|key| Bytes(key).u32());
            let (Some(first), Some(carrier)) = (first, Carrier::decode(&row)) else {
                continue;
            };
            if !self.is_closed_at(carrier.author, carrier.number) {
                continue;
            }
            let spot = Spot::new(carrier.author, carrier.number, &carrier.id);
            let row = store.get(rows::HEADER, &rows::at_spot(self.local, &spot));
            let Some(place) = row.and_then(|row| Bytes(&row).u64()) else {
                continue;
            };
            let hold = self.standing(store, &spot, place).hold;
            match (hold, self.has_pins(first, carrier.count)) {
                (Hold::Not, true) => self.pins.push_back(spot),
                (Hold::Pinned, false) => self.queue(store, &spot),
                _ => {}
            }
        }
        if !self.pins.is_empty() {
            self.unsettle(store);
        }
    }

    /// Does at most so much of what is left.
    pub(crate) fn go_on(&mut self, store: &mut Staged<'_>, limit: u64, report: &mut Report) {
        if !self.unsettled {
            return;
        }
        let mut left = limit;
        while left > 0 {
            let queued = if self.queued {
                self.clear_queue(store, left)
            } else {
                0
            };
            let done = if queued > 0 {
                queued
            } else if let Some(no) = self.moving.first().copied() {
                self.step(store, no, left, report)
            } else if let Some(spot) = self.pins.pop_front() {
                self.pin(store, &spot, report)
            } else {
                break;
            };
            left = left.saturating_sub(done.max(1));
        }
        let idle = !self.queued && self.moving.is_empty() && self.pins.is_empty();
        if idle && !self.stale {
            self.unsettled = false;
            store.delete(rows::LACE, rows::key(self.local, &[b"d"]));
        }
    }

    fn pin(&mut self, store: &mut Staged<'_>, spot: &Spot, report: &mut Report) -> u64 {
        let before = report.len();
        if self.is_closed_at(spot.author, spot.number)
            && let Some(stored) = self.stored(store, spot)
            && !self.standing(store, spot, stored.place).is_kept()
            && self.is_pinned(store, &stored)
        {
            let named = self.named_by(store, spot, &stored.envelope);
            self.mark(store, named, Hold::Pinned, report);
            self.add_end(store, spot.author, (spot.number, stored.envelope.id));
            let void = matches!(self.status_of(store, &stored), Status::Void(_));
            let now = Standing {
                hold: Hold::Pinned,
                void,
            };
            self.raise(store, spot, stored, now, report);
        }
        count(report.len().saturating_sub(before)).saturating_add(1)
    }

    /// An envelope has lost something that held it up, or that followed it.
    pub(crate) fn queue(&mut self, store: &mut Staged<'_>, spot: &Spot) {
        if !self.is_closed_at(spot.author, spot.number) {
            return;
        }
        if let Some(stored) = self.stored(store, spot)
            && self.standing(store, spot, stored.place).is_kept()
        {
            // What names comes before what it names, so that each is looked at once.
            let order = u64::MAX - stored.envelope.header.generation;
            let key = [&b"q"[..], &order.to_be_bytes(), &spot.encode()];
            store.put(rows::LACE, rows::key(self.local, &key), []);
            self.queued = true;
            self.unsettle(store);
        }
    }

    /// Looks at what has been queued; gives how many were.
    pub(crate) fn clear_queue(&mut self, store: &mut Staged<'_>, limit: u64) -> u64 {
        let most = usize::try_from(limit).unwrap_or(QUEUE_PAGE).min(QUEUE_PAGE);
        let page = store.prefix(rows::LACE, &rows::key(self.local, &[b"q"]), most);
        self.queued = !page.is_empty();
        let done = count(page.len());
        for (key, _) in page {
            let spot = key.get(13..).and_then(|key| Spot::read(&mut Bytes(key)));
            store.delete(rows::LACE, key);
            if let Some(spot) = spot {
                self.look_again(store, &spot);
            }
        }
        done
    }

    fn look_again(&mut self, store: &mut Staged<'_>, spot: &Spot) {
        if !self.is_closed_at(spot.author, spot.number) {
            return;
        }
        let Some(stored) = self.stored(store, spot) else {
            return;
        };
        let was = self.standing(store, spot, stored.place);
        if !was.is_kept() {
            return;
        }
        match self.status_of(store, &stored) {
            // What is to rise is not let fall before.
            Status::Firm => self.settle_end(store, spot, &stored.envelope),
            status => self.decide(store, (spot, &stored), was, status),
        }
    }

    /// Goes on applying an author's bound; gives how many envelopes were looked at.
    pub(crate) fn step(
        &mut self,
        store: &mut Staged<'_>,
        no: u32,
        limit: u64,
        report: &mut Report,
    ) -> u64 {
        let Some(applied) = self.bounds.get(&no).copied() else {
            self.moving.remove(&no);
            return 0;
        };
        let (step, done) = match applied.step {
            Step::Done => (Step::Done, 0),
            Step::Down(at, rises) => self.step_down(store, no, (at, rises), limit),
            Step::Up(at) => self.step_up(store, no, at, (limit, report)),
        };
        let applied = Applied {
            hash: applied.hash,
            step,
        };
        self.put_applied(store, no, applied);
        self.write_author(store, no);
        done
    }

    fn lowest(&self, no: u32) -> Option<u64> {
        self.targets
            .get(&no)
            .map(|target: &Arc<Target>| target.lowest)
    }

    fn step_down(
        &mut self,
        store: &mut Staged<'_>,
        no: u32,
        (at, mut rises): (Option<At>, bool),
        limit: u64,
    ) -> (Step, u64) {
        let closed = |lace: &Self| lace.by_no(no).and_then(|author| author.closed);
        let lowest = self.lowest(no).unwrap_or(u64::MAX);
        let from = lowest.min(closed(self).unwrap_or(u64::MAX));
        let low = rows::from_number(self.local, no, from);
        let high = self.row_key(no, at, rows::after_number(self.local, no, u64::MAX));
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let page = store.scan_back(rows::HEADER, &low, &high, most.saturating_add(1));
        let more = page.len() > most;
        let (mut last, mut done) = (at, 0);
        for (key, row) in page.iter().take(most) {
            done += 1;
            let spot = key.get(4..).and_then(|key| Spot::read(&mut Bytes(key)));
            if let (Some(spot), Some(stored)) = (spot, Stored::decode(row)) {
                last = Some((spot.number, spot.branch));
                rises |= self.look_down(store, &spot, &stored);
            }
        }
        if !more && closed(self).is_none_or(|closed| lowest < closed) && lowest < u64::MAX {
            self.close_at(no, lowest);
        }
        self.drop_tip(store, no);
        let step = if more {
            Step::Down(last, rises)
        } else if rises || closed(self).is_some_and(|closed| closed < lowest) {
            Step::Up(None)
        } else {
            Step::Done
        };
        (step, done)
    }

    fn row_key(&self, no: u32, at: Option<At>, or: Vec<u8>) -> Vec<u8> {
        at.map_or(or, |(number, branch)| {
            let spot = Spot {
                author: no,
                number,
                branch,
            };
            rows::at_spot(self.local, &spot)
        })
    }

    fn close_at(&mut self, no: u32, number: u64) {
        if let Some(author) = self.by_no_mut(no) {
            author.closed = Some(number);
        }
        self.cut_hash.set(None);
    }

    /// Lets an envelope fall, if it is to; says whether it is to rise.
    fn look_down(&mut self, store: &mut Staged<'_>, spot: &Spot, stored: &Stored) -> bool {
        let status = self.status_of(store, stored);
        if !self.is_closed_at(spot.author, spot.number) {
            self.close_at(spot.author, spot.number);
            if status == Status::Firm {
                self.put_standing(store, (spot, stored), Standing::FIRM, Standing::FIRM);
                self.settle_end(store, spot, &stored.envelope);
            } else {
                self.decide(store, (spot, stored), Standing::FIRM, status);
            }
            return false;
        }
        let was = self.standing(store, spot, stored.place);
        match (was.hold, status) {
            (Hold::Firm, Status::Firm) => {}
            (Hold::Firm, status) => self.decide(store, (spot, stored), was, status),
            (_, Status::Firm) => return true,
            (Hold::Not, _) => {}
            // It may have lost what held it up while it was to rise.
            (_, status) => self.decide(store, (spot, stored), was, status),
        }
        false
    }

    /// The tip has fallen, or what lies below it.
    fn drop_tip(&mut self, store: &mut Staged<'_>, no: u32) {
        let Some(author) = self.by_no(no) else {
            return;
        };
        let Some(closed) = author.closed else {
            return;
        };
        let Some(tip) = author.tip.filter(|tip| tip.number >= closed) else {
            return;
        };
        self.tips.remove(&tip.id);
        let below = self.base_tip(store, no, closed);
        let tail = below.and_then(|below| Some(self.node(store, &below.id)?.tail()));
        self.tips.extend(below.map(|below| (below.id, no)));
        if let Some(author) = self.by_no_mut(no) {
            author.tip = below;
            author.tail = tail.unwrap_or_default();
            author.covered = true;
        }
    }

    /// The envelope just below a number.
    fn base_tip(&self, store: &mut Staged<'_>, no: u32, from: u64) -> Option<Tip> {
        let number = from.checked_sub(1).filter(|number| *number > 0)?;
        let low = rows::from_number(self.local, no, number);
        let high = rows::after_number(self.local, no, number);
        let (_, row) = store
            .scan(rows::HEADER, &low, &high, 1)
            .into_iter()
            .next()?;
        Some(tip_of(&Stored::decode(&row)?))
    }

    fn step_up(
        &mut self,
        store: &mut Staged<'_>,
        no: u32,
        at: Option<At>,
        (limit, report): (u64, &mut Report),
    ) -> (Step, u64) {
        let closed = self.by_no(no).and_then(|author| author.closed);
        let Some(closed) = closed else {
            return (Step::Done, 0);
        };
        let mut low = self.row_key(no, at, rows::from_number(self.local, no, closed));
        if at.is_some() {
            low.push(0);
        }
        let high = rows::after_number(self.local, no, u64::MAX);
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let page = store.scan(rows::HEADER, &low, &high, most.saturating_add(1));
        let (mut last, mut done, mut seen) = (at, 0, 0);
        for (key, _) in &page {
            if done >= limit {
                break;
            }
            (done, seen) = (done + 1, seen + 1);
            let spot = key.get(4..).and_then(|key| Spot::read(&mut Bytes(key)));
            if let Some(spot) = spot {
                last = Some((spot.number, spot.branch));
                // It may have got another place since the page was read.
                if let Some(stored) = self.stored(store, &spot) {
                    done = done.saturating_add(self.look_up(store, &spot, stored, report));
                }
            }
        }
        if seen < page.len() {
            return (Step::Up(last), done);
        }
        let lowest = self.lowest(no);
        if let Some(author) = self.by_no_mut(no) {
            author.closed = lowest;
        }
        self.cut_hash.set(None);
        self.cover_tip(store, no);
        (Step::Done, done)
    }

    /// Lets an envelope rise, if it is to; gives how many others have.
    fn look_up(
        &mut self,
        store: &mut Staged<'_>,
        spot: &Spot,
        stored: Stored,
        report: &mut Report,
    ) -> u64 {
        if self.status_of(store, &stored) != Status::Firm {
            return 0;
        }
        let before = report.len();
        let tip = tip_of(&stored);
        let place = self.make_firm(store, spot, stored, report);
        let lowest = self.lowest(spot.author).unwrap_or(u64::MAX);
        let closed = self.by_no(spot.author).and_then(|author| author.closed);
        if closed == Some(spot.number) && spot.number < lowest {
            // All up to it is firm, and no row has to say so.
            store.delete(rows::STANDS, self.stands_key(spot.author, place));
            self.remove_end(store, spot.author, (spot.number, tip.id));
            let tail = self.node(store, &tip.id).map(|node| node.tail());
            let next = spot.number.saturating_add(1);
            self.close_at(spot.author, next);
            if let Some(author) = self.by_no_mut(spot.author) {
                let fallen = author.tip.replace(tip);
                author.tail = tail.unwrap_or_default();
                author.covered = true;
                if let Some(fallen) = fallen {
                    self.tips.remove(&fallen.id);
                }
            }
            self.tips.insert(tip.id, spot.author);
        }
        let own = usize::from(report.last().is_some_and(|(id, _)| *id == tip.id));
        count(report.len().saturating_sub(before).saturating_sub(own))
    }

    /// An envelope is firm from now on, and holds up what it names; gives its place.
    fn make_firm(
        &mut self,
        store: &mut Staged<'_>,
        spot: &Spot,
        stored: Stored,
        report: &mut Report,
    ) -> u64 {
        let was = self.standing(store, spot, stored.place);
        if was.hold == Hold::Firm {
            return stored.place;
        }
        let named = self.named_by(store, spot, &stored.envelope);
        self.mark(store, named, Hold::Held, report);
        if was.is_kept() {
            self.put_standing(store, (spot, &stored), was, Standing::FIRM);
            return stored.place;
        }
        self.add_end(store, spot.author, (spot.number, stored.envelope.id));
        self.raise(store, spot, stored, Standing::FIRM, report)
    }

    /// Whether an open author's tip is named by somebody has to be found out again.
    fn cover_tip(&mut self, store: &mut Staged<'_>, no: u32) {
        let Some(author) = self.by_no(no).filter(|author| author.closed.is_none()) else {
            return;
        };
        let Some(tip) = author.tip else {
            return;
        };
        let spot = Spot::new(no, tip.number, &tip.id);
        let covered = self.named_across(store, &spot) > Hold::Not;
        if let Some(author) = self.by_no_mut(no) {
            author.covered = covered;
        }
    }

    /// Whether what an author says with this number must wait until its bound has been applied.
    pub(crate) fn is_moving_at(&self, author: &PublicKey, number: u64) -> bool {
        let Some(no) = self
            .by_key
            .get(author)
            .filter(|no| self.moving.contains(no))
        else {
            return false;
        };
        let closed = self.by_no(*no).and_then(|author| author.closed);
        let lowest = self.lowest(*no).unwrap_or(u64::MAX);
        let rises = closed.is_some_and(|closed| number >= closed && closed < lowest);
        rises || (number >= lowest && closed.is_none_or(|closed| number < closed))
    }

    /// What is left to do since the lace was open before.
    pub(crate) fn load_bounds(&mut self, store: &mut Staged<'_>) -> Option<()> {
        for (key, row) in crate::lace::all_rows(store, self.local, b"b") {
            let no = Bytes(key.get(5..)?).u32()?;
            self.bounds.insert(no, Applied::decode(&row)?);
        }
        self.unsettled = store.has(rows::LACE, &rows::key(self.local, &[b"d"]));
        (self.stale, self.queued) = (self.unsettled, self.unsettled);
        Some(())
    }
}

fn tip_of(stored: &Stored) -> Tip {
    let header = &stored.envelope.header;
    Tip {
        number: header.number,
        id: stored.envelope.id,
        generation: header.generation,
        created: header.created,
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
