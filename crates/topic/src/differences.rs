//! Receipts as differences: what a slot's receipt has changed since when, which receipt each peer
//! has, and what becomes of differences that come.
//!
//! A difference is never believed: the receipt is rebuilt from the one that is here, and the
//! holder's signature over its bytes decides. What cannot be rebuilt, or does not hold, is asked
//! for as it was signed. That is nobody's misbehaviour: a holder that signs two receipts with one
//! counter makes honest differences fail. So a failed check counts, and after
//! [`crate::limits::MAX_WRONG_DIFFERENCES`] of one link nothing more of it is rebuilt. Whoever is
//! asked once for a receipt gives that slot in full from then on, as long as the link lasts.

use crate::check::{Job, Work};
use crate::event::{LinkId, Rule};
use crate::limits::{MAX_GONE_AUTHORS, MAX_RECEIPT_ASKS};
use crate::receipts::SlotKey;
use crate::state::{Shared, Topic};
use crate::topics::Env;
use identity::{OperatorTag, PublicKey};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use wire::{Difference, RawStatement, Receipt, SignedReceipt, Slot, TopicFrame};

/// What a receipt says about one author, short enough to be kept for every slot: the beginning of
/// the key and a sum of all that is said. Two that look alike by chance, or by intent, cost time:
/// whoever is not told now is told later, and a difference that leaves something out does not
/// hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Brief {
    author: u32,
    says: u32,
    /// The counter of the receipt that said it first.
    since: u64,
}

/// What the receipt of a slot says, and since when.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    counter: u64,
    operator: Option<OperatorTag>,
    /// Differences from receipts before this counter are not known.
    floor: u64,
    /// Sorted.
    briefs: Box<[Brief]>,
    /// Authors who are not named any more, and since which counter; in the order of these.
    gone: Vec<(u64, PublicKey)>,
}

/// Adds a number to a sum that tells lists of numbers apart.
fn mix(sum: u32, number: u64) -> u32 {
    let add =
        |sum: u32, byte: &u8| (sum.rotate_left(5) ^ u32::from(*byte)).wrapping_mul(0x9e37_79b9);
    number.to_be_bytes().iter().fold(sum, add)
}

fn short(bytes: &[u8; 32]) -> u32 {
    bytes
        .first_chunk()
        .map_or(0, |head| u32::from_be_bytes(*head))
}

/// What a receipt says about each author, in the order of its cut.
fn briefs(receipt: &Receipt) -> Vec<(PublicKey, Brief)> {
    let mut all: Vec<(PublicKey, Brief)> = Vec::with_capacity(receipt.cut.len());
    let mut exceptions = receipt.exceptions.iter().peekable();
    for (place, entry) in (0_u16..).zip(&receipt.cut) {
        let new = Brief {
            author: short(entry.author.as_bytes()),
            says: 0,
            since: receipt.counter,
        };
        if all.last().is_none_or(|(author, _)| *author != entry.author) {
            all.push((entry.author, new));
        }
        let Some((_, brief)) = all.last_mut() else {
            continue;
        };
        brief.says = mix(
            mix(brief.says, entry.number),
            u64::from(short(entry.id.as_bytes())),
        );
        while let Some((_, number)) = exceptions.next_if(|(at, _)| *at <= place) {
            brief.says = mix(brief.says, *number);
        }
    }
    all
}

impl Said {
    /// What a receipt says of which no earlier one is known.
    pub(crate) fn first(receipt: &Receipt) -> Self {
        Self::new(receipt, receipt.counter, &briefs(receipt), Vec::new())
    }

    fn new(
        receipt: &Receipt,
        floor: u64,
        briefs: &[(PublicKey, Brief)],
        gone: Vec<(u64, PublicKey)>,
    ) -> Self {
        let mut briefs: Box<[Brief]> = briefs.iter().map(|(_, brief)| *brief).collect();
        briefs.sort_unstable();
        Self {
            counter: receipt.counter,
            operator: receipt.operator,
            floor,
            briefs,
            gone,
        }
    }

    /// Since when a thing is said that is said now.
    fn since(&self, brief: &Brief) -> Option<u64> {
        let key = |other: &Brief| (other.author, other.says).cmp(&(brief.author, brief.says));
        let at = self.briefs.binary_search_by(key).ok()?;
        self.briefs.get(at).map(|brief| brief.since)
    }

    /// What the next receipt of the slot says, and the authors about whom that is news. `before`
    /// gives the authors of this one; it is asked only if some are not named any more.
    pub(crate) fn next(
        &self,
        receipt: &Receipt,
        before: impl FnOnce() -> Vec<PublicKey>,
    ) -> (Self, BTreeSet<PublicKey>) {
        let mut briefs = briefs(receipt);
        let mut news = BTreeSet::new();
        for (author, brief) in &mut briefs {
            match self.since(brief) {
                Some(since) => brief.since = since,
                None => {
                    news.insert(*author);
                }
            }
        }
        if self.operator != receipt.operator {
            // For how many it counts is news to each author that it names.
            news.extend(briefs.iter().map(|(author, _)| *author));
        }
        let named = |author: &PublicKey| {
            let found = briefs.binary_search_by(|(other, _)| other.cmp(author));
            found.is_ok()
        };
        let here = |brief: &Brief| {
            let found = briefs.binary_search_by(|(_, other)| other.author.cmp(&brief.author));
            found.is_ok()
        };
        let mut gone = self.gone.clone();
        if !self.briefs.iter().all(here) {
            let before: BTreeSet<PublicKey> = before().into_iter().collect();
            gone.extend(before.into_iter().map(|author| (receipt.counter, author)));
        }
        gone.retain(|(_, author)| !named(author));
        let mut floor = self.floor;
        if let Some(over) = gone.len().checked_sub(MAX_GONE_AUTHORS).filter(|n| *n > 0) {
            let forgotten = gone.drain(..over).map(|(since, _)| since);
            floor = forgotten.fold(floor, u64::max);
        }
        (Self::new(receipt, floor, &briefs, gone), news)
    }

    /// The receipt of the slot as a difference from an earlier one, if all is known that has
    /// changed.
    pub(crate) fn difference(&self, raw: &RawStatement, base: u64) -> Option<Difference> {
        if base < self.floor || base >= self.counter {
            return None;
        }
        let receipt = Receipt::decode(&raw.bytes).ok()?;
        let gone = self.gone.iter().filter(|(since, _)| *since > base);
        let mut gone: Vec<PublicKey> = gone.map(|(_, author)| *author).collect();
        gone.sort_unstable();
        gone.dedup();
        let all = briefs(&receipt);
        let chosen = |author: &PublicKey| {
            let at = all.binary_search_by(|(other, _)| other.cmp(author));
            let brief = at.ok().and_then(|at| all.get(at));
            let since = brief.and_then(|(_, brief)| self.since(brief));
            since.is_none_or(|since| since > base)
        };
        let signature = raw.signature;
        Some(Difference::of(&receipt, signature, base, gone, chosen))
    }
}

/// Which receipts a peer has, by the numbers of their slots: the counters that it is known to have
/// had. It may have a later one from somebody else.
#[derive(Debug, Default)]
pub(crate) struct Has(Vec<u64>);

/// Instead of a counter: the slot is given in full, whatever the peer has.
const IN_FULL: u64 = u64::MAX;

impl Has {
    /// Changes the counter of a slot; gives what it was.
    fn change(&mut self, no: u16, to: impl FnOnce(u64) -> u64) -> u64 {
        let at = usize::from(no);
        if self.0.len() <= at {
            self.0.resize(at.saturating_add(1), 0);
        }
        let has = self.0.get_mut(at);
        has.map_or(0, |has| {
            let was = *has;
            *has = to(was);
            was
        })
    }

    /// From which receipt a difference may be given.
    pub(crate) fn base(&self, no: u16) -> Option<u64> {
        let has = self.0.get(usize::from(no)).copied();
        has.filter(|has| !matches!(*has, 0 | IN_FULL))
    }

    /// It has this one, and may have a later one.
    pub(crate) fn learn(&mut self, no: u16, counter: u64) {
        self.change(no, |has| has.max(counter));
    }

    /// It says itself which one it has; 0 is none.
    pub(crate) fn says(&mut self, no: u16, counter: u64) {
        self.change(no, |has| if has == IN_FULL { has } else { counter });
    }

    /// The number of the slot is given to another.
    pub(crate) fn forget(&mut self, no: u16) {
        if let Some(has) = self.0.get_mut(usize::from(no)) {
            *has = 0;
        }
    }

    /// From now on the slot is given in full; says whether it was not so far.
    fn in_full(&mut self, no: u16) -> bool {
        self.change(no, |_| IN_FULL) != IN_FULL
    }
}

/// Differences of a peer, and what becomes of them.
#[derive(Debug, Default)]
pub(crate) struct Coming {
    /// Receipts of the peer that are being checked: jobs.
    checking: u32,
    /// Differences that came meanwhile, which may be differences from these; and their bytes.
    held: VecDeque<(Vec<Difference>, usize)>,
    /// Up to which counter a slot's receipts were asked for.
    asked: BTreeMap<SlotKey, u64>,
    /// Of these, what is still to be asked.
    pub(crate) asks: BTreeSet<SlotKey>,
}

impl Coming {
    /// Bytes of differences that wait.
    pub(crate) fn held_bytes(&self) -> usize {
        let bytes = self.held.iter().map(|(_, bytes)| *bytes);
        bytes.fold(0, usize::saturating_add)
    }
}

/// What is to be done about a difference.
enum Fate {
    /// A receipt as new as that is here, or there would be no room for it.
    Known,
    /// It is rebuilt.
    Check(RawStatement),
    /// It is of no use: the receipt itself is asked for.
    Ask,
}

impl Topic {
    /// Receipts of a peer go out for checking.
    pub(crate) fn check_receipts(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        job: Job,
    ) {
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.coming.checking = peer.coming.checking.saturating_add(1);
        }
        self.send_job(shared, env, link, job);
    }

    /// Receipts of a peer were checked: what has waited for them goes on.
    pub(crate) fn receipts_checked(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) {
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.coming.checking = peer.coming.checking.saturating_sub(1);
        }
        while let Some(peer) = self.peers.get_mut(&link)
            && peer.coming.checking == 0
            && let Some((differences, bytes)) = peer.coming.held.pop_front()
        {
            shared.checked(link, bytes);
            self.take_differences(shared, env, link, &differences);
        }
    }

    pub(crate) fn on_differences(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        differences: Vec<Difference>,
    ) {
        if differences.len() > wire::limits::MAX_DIFFERENCES {
            self.misbehaved(env, link, Rule::TooMuch);
            return;
        }
        let Some(peer) = self.peers.get(&link) else {
            return;
        };
        if peer.coming.checking == 0 {
            self.take_differences(shared, env, link, &differences);
            return;
        }
        let bytes = differences.iter().map(size).fold(0, usize::saturating_add);
        if self.may_check(shared, env.cx.now, (link, bytes)) {
            shared.checks(link, bytes);
            if let Some(peer) = self.peers.get_mut(&link) {
                peer.coming.held.push_back((differences, bytes));
            }
        }
    }

    fn take_differences(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        differences: &[Difference],
    ) {
        let mut work = Vec::new();
        let mut bytes = 0_usize;
        for difference in differences {
            match self.fate(shared, env, link, difference) {
                Fate::Known => {}
                Fate::Check(raw) => {
                    bytes = bytes.saturating_add(raw.bytes.len());
                    let slot = Slot {
                        holder: difference.holder,
                        kind: difference.kind,
                        counter: difference.counter,
                    };
                    work.push((slot, raw));
                }
                Fate::Ask => {
                    let slot = (difference.holder, difference.kind);
                    self.ask_receipt(env, link, (slot, difference.counter));
                }
            }
        }
        if !work.is_empty() && self.may_check(shared, env.cx.now, (link, bytes)) {
            let job = Job::new(Work::Rebuilt(work), bytes, false);
            self.check_receipts(shared, env, link, job);
        }
    }

    fn fate(
        &mut self,
        shared: &Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        difference: &Difference,
    ) -> Fate {
        let slot = (difference.holder, difference.kind);
        let Some((no, counter)) = self.slots.place(&slot) else {
            return Fate::Ask;
        };
        if counter >= difference.counter {
            if let Some(peer) = self.peers.get_mut(&link) {
                // Whoever says so to get less has less.
                peer.has.says(no, difference.counter);
                if counter == difference.counter {
                    peer.receipts.has(&slot);
                }
            }
            return Fate::Known;
        }
        if !shared.takes_differences(link) {
            return Fate::Ask;
        }
        let held = self.slot(env.cx, &slot);
        let rebuilt = held.and_then(|held| difference.rebuild(&held.value));
        rebuilt.map_or(Fate::Ask, Fate::Check)
    }

    /// A rebuilt receipt was checked.
    pub(crate) fn take_rebuilt(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        rebuilt: Result<SignedReceipt, Slot>,
    ) {
        match rebuilt {
            Ok(receipt) => self.take_receipt(shared, env, Some(link), receipt),
            Err(slot) => {
                shared.note_wrong_difference(link);
                self.ask_receipt(env, link, ((slot.holder, slot.kind), slot.counter));
            }
        }
    }

    /// A receipt is to be asked for, unless it is here, was asked for, or would not be kept.
    fn ask_receipt(&mut self, env: &Env<'_, '_>, link: LinkId, (slot, counter): (SlotKey, u64)) {
        let here = self.slots.place(&slot);
        if here.is_some_and(|(_, here)| here >= counter)
            || !self.has_room_for(env, Some(link), &slot)
        {
            return;
        }
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        let coming = &mut peer.coming;
        let asked = coming.asked.get(&slot).copied();
        let room = asked.is_some() || coming.asked.len() < MAX_RECEIPT_ASKS;
        if room && asked.is_none_or(|asked| asked < counter) {
            coming.asked.insert(slot, counter);
            coming.asks.insert(slot);
        }
    }

    /// Asks for the receipts that differences could not give; says whether more are to be asked for
    /// than can be now.
    pub(crate) fn send_receipt_asks(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) -> bool {
        loop {
            let Some(peer) = self.peers.get_mut(&link) else {
                return false;
            };
            if peer.coming.asks.is_empty() {
                return false;
            }
            if !shared.has_room(link) {
                return true;
            }
            let mut slots = Vec::new();
            while slots.len() < wire::limits::MAX_RECEIPT_ASK
                && let Some(slot) = peer.coming.asks.pop_first()
            {
                let counter = peer.coming.asked.get(&slot).copied().unwrap_or(0);
                let here = self.slots.place(&slot);
                // It may have come over another link meanwhile.
                if here.is_none_or(|(_, here)| here < counter) {
                    let (holder, kind) = slot;
                    slots.push(Slot {
                        holder,
                        kind,
                        counter,
                    });
                }
            }
            if !slots.is_empty() {
                shared.frames_left = shared.frames_left.saturating_sub(1);
                self.say(shared, env, link, TopicFrame::ReceiptAsk { slots });
            }
        }
    }

    /// A peer could not use differences: it gets these slots in full, once for its asking, and from
    /// now on.
    pub(crate) fn on_receipt_ask(&mut self, link: LinkId, slots: &[Slot]) {
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        for slot in slots.iter().take(wire::limits::MAX_RECEIPT_ASK) {
            let slot = (slot.holder, slot.kind);
            if let Some((no, _)) = self.slots.place(&slot)
                && peer.has.in_full(no)
            {
                peer.receipts.at_once(slot);
            }
        }
    }
}

/// What a difference takes in memory, about.
fn size(difference: &Difference) -> usize {
    let lists = [
        difference.cut.len().saturating_mul(80),
        difference.exceptions.len().saturating_mul(16),
        difference.gone.len().saturating_mul(32),
    ];
    lists.into_iter().fold(200, usize::saturating_add)
}
