//! Receipts: one slot for each holder and kind, beside the graph.

use crate::differences::Said;
use crate::event::{LinkId, Rule};
use crate::evidence::{Best, RefusedRow, Word};
use crate::host::Local;
use crate::intervals::Intervals;
use crate::limits::{
    MAX_MISSING_FOR_RECEIPT, MAX_RECEIPT_AUTHORS, MAX_RECEIPTS_PER_FRAME, MAX_SLOTS,
    MAX_STRANGE_SLOTS, RECEIPT_DELAY,
};
use crate::peer::PeerState;
use crate::rows::{self, Bytes, Phase};
use crate::state::{Shared, Timer, Topic};
use crate::topics::Env;
use core::ops::Bound;
use core::time::Duration;
use identity::seal::kdf;
use identity::{NodeId, PublicKey};
use lace::Coverage;
use machine::Cx;
use machine::planted::{Bug, is};
use std::collections::{BTreeMap, BTreeSet};
use wire::{
    CutEntry, Difference, RawStatement, Receipt, ReceiptKind, Signed, SignedReceipt, Slot,
    TopicFrame,
};

/// Whose receipt, and what it says.
pub(crate) type SlotKey = (PublicKey, ReceiptKind);

/// The receipts that are kept: counters in memory, bytes in the store.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    kept: BTreeMap<SlotKey, Kept>,
    /// Numbers that slots had which are kept no more.
    free: Vec<u16>,
}

/// What is kept of a slot.
#[derive(Debug)]
struct Kept {
    counter: u64,
    /// A small number for what is remembered of each peer.
    no: u16,
    /// What it says, in brief, if it came in this life.
    said: Option<Box<Said>>,
}

impl Slots {
    /// Two replicas with equal hashes have the same receipts.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(self.kept.len().saturating_mul(41));
        for ((holder, kind), kept) in &self.kept {
            bytes.extend_from_slice(holder.as_bytes());
            bytes.push(*kind as u8);
            bytes.extend_from_slice(&kept.counter.to_be_bytes());
        }
        kdf("receipt slots", &[&bytes])
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// The slot's number and the counter of its receipt.
    pub(crate) fn place(&self, slot: &SlotKey) -> Option<(u16, u64)> {
        self.kept.get(slot).map(|kept| (kept.no, kept.counter))
    }

    /// Numbers and counters of all.
    pub(crate) fn all(&self) -> impl Iterator<Item = (u16, u64)> {
        self.kept.values().map(|kept| (kept.no, kept.counter))
    }

    /// All slots with their numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (&SlotKey, u16)> {
        self.kept.iter().map(|(slot, kept)| (slot, kept.no))
    }

    /// Keeps a slot's receipt of this counter; gives its number.
    fn keep(&mut self, slot: SlotKey, counter: u64, said: Option<Box<Said>>) -> u16 {
        if let Some(kept) = self.kept.get_mut(&slot) {
            (kept.counter, kept.said) = (counter, said);
            return kept.no;
        }
        let new = u16::try_from(self.kept.len()).unwrap_or(u16::MAX);
        let no = self.free.pop().unwrap_or(new);
        self.kept.insert(slot, Kept { counter, no, said });
        no
    }

    /// Keeps a slot no more; gives the number that it had.
    fn remove(&mut self, slot: &SlotKey) -> Option<u16> {
        let no = self.kept.remove(slot)?.no;
        self.free.push(no);
        Some(no)
    }

    /// A page of the list of them, those after a slot; says whether there are more.
    pub(crate) fn page(&self, after: Option<&SlotKey>) -> (Vec<Slot>, bool) {
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(*after));
        let mut rest = self.kept.range((from, Bound::Unbounded));
        let page = rest.by_ref().take(wire::limits::MAX_SLOT_PAGE);
        let page = page.map(|((holder, kind), kept)| Slot {
            holder: *holder,
            kind: *kind,
            counter: kept.counter,
        });
        let page = page.collect();
        (page, rest.next().is_some())
    }

    fn keys(&self) -> impl Iterator<Item = &SlotKey> {
        self.kept.keys()
    }
}

pub(crate) const fn kind_of(code: u8) -> Option<ReceiptKind> {
    Some(match code {
        0 => ReceiptKind::Held,
        1 => ReceiptKind::Carried,
        2 => ReceiptKind::Delivered,
        3 => ReceiptKind::Read,
        _ => return None,
    })
}

pub(crate) const fn is_of_node(kind: ReceiptKind) -> bool {
    matches!(kind, ReceiptKind::Held | ReceiptKind::Carried)
}

/// Receipts that go to a peer together.
#[derive(Default)]
struct Batch {
    receipts: Vec<RawStatement>,
    differences: Vec<Difference>,
    bytes: usize,
}

/// Bytes of receipts and differences that go together, unless one is larger.
const MAX_BYTES_OF_RECEIPTS: usize = 64 * 1024;

fn slot_key(topic: Local, (holder, kind): &SlotKey) -> Vec<u8> {
    rows::key_bytes(topic, &[holder.as_bytes(), &[*kind as u8]])
}

/// The receipt in a slot of a topic, as it came; the topic need not be in memory.
fn slot_raw(cx: &mut Cx<'_>, topic: Local, slot: &SlotKey) -> Option<RawStatement> {
    let row = cx.store.get(rows::SLOT, &slot_key(topic, slot))?;
    let mut bytes = Bytes(&row);
    bytes.u64()?;
    RawStatement::decode(bytes.rest()).ok()
}

/// The receipt in a slot of a topic.
pub(crate) fn slot_of(cx: &mut Cx<'_>, topic: Local, slot: &SlotKey) -> Option<SignedReceipt> {
    Signed::<Receipt>::from_stored(slot_raw(cx, topic, slot)?).ok()
}

impl Topic {
    fn slot_key(&self, slot: &SlotKey) -> Vec<u8> {
        slot_key(self.local, slot)
    }

    pub(crate) fn load_slots(&mut self, cx: &mut Cx<'_>) {
        for (key, row) in cx
            .store
            .prefix(rows::SLOT, &rows::key(self.local), MAX_SLOTS)
        {
            let slot = key.get(4..).and_then(|key| {
                let mut key = Bytes(key);
                Some((PublicKey::from_bytes(key.array()?), kind_of(key.u8()?)?))
            });
            if let (Some(slot), Some(counter)) = (slot, Bytes(&row).u64()) {
                self.slots.keep(slot, counter, None);
            }
        }
    }

    /// The receipt in a slot, as it came.
    fn slot_raw(&self, cx: &mut Cx<'_>, slot: &SlotKey) -> Option<RawStatement> {
        slot_raw(cx, self.local, slot)
    }

    /// The receipt in a slot.
    pub(crate) fn slot(&self, cx: &mut Cx<'_>, slot: &SlotKey) -> Option<SignedReceipt> {
        slot_of(cx, self.local, slot)
    }

    /// Takes a verified receipt of a peer, or this home's own.
    pub(crate) fn take_receipt(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        giver: Option<LinkId>,
        receipt: SignedReceipt,
    ) {
        let slot = (receipt.value.holder, receipt.value.kind);
        if receipt.value.topic != self.id {
            if let Some(link) = giver {
                self.misbehaved(env, link, Rule::BadReceipt);
            }
            return;
        }
        let counter = receipt.value.counter;
        let known = self.slots.place(&slot);
        if let Some((no, known)) = known
            && let Some(peer) = giver.and_then(|link| self.peers.get_mut(&link))
        {
            peer.has.learn(no, counter);
            if known <= counter {
                peer.receipts.has(&slot);
            }
        }
        if known.is_some_and(|(_, known)| known >= counter) || !self.has_room_for(env, giver, &slot)
        {
            return;
        }
        if !is_of_node(slot.1) && !self.replace_incarnations(env, &slot) {
            return;
        }
        let (said, news) = self.said_next(env.cx, &receipt.value, known.is_some());
        let mut row = counter.to_be_bytes().to_vec();
        row.extend_from_slice(&receipt.to_raw().encode());
        env.cx.store.put(rows::SLOT, self.slot_key(&slot), row);
        let no = self.slots.keep(slot, counter, Some(Box::new(said)));
        if let Some(peer) = giver.and_then(|link| self.peers.get_mut(&link)) {
            peer.has.learn(no, counter);
        }
        self.pass((shared, env.cx.now), giver, slot, &news);
        self.learn_from(env, &receipt.value);
    }

    /// What a receipt that is new here says, and about whom it says what its slot did not say before.
    fn said_next(
        &mut self,
        cx: &mut Cx<'_>,
        receipt: &Receipt,
        known: bool,
    ) -> (Said, BTreeSet<PublicKey>) {
        let slot = (receipt.holder, receipt.kind);
        let kept = self.slots.kept.get_mut(&slot);
        let said = kept.and_then(|kept| kept.said.take());
        let before = |cx: &mut Cx<'_>| known.then(|| self.slot(cx, &slot)).flatten();
        let said = said.map(|said| *said);
        let said = said.or_else(|| Some(Said::first(&before(cx)?.value)));
        let authors = |receipt: &Receipt| receipt.cut.iter().map(|entry| entry.author).collect();
        match said {
            Some(said) => said.next(receipt, || {
                let before = before(cx);
                before.map_or_else(Vec::new, |signed| authors(&signed.value))
            }),
            None => {
                let authors: Vec<PublicKey> = authors(receipt);
                (Said::first(receipt), authors.into_iter().collect())
            }
        }
    }

    /// Whether a slot may be kept: those of members and of cores that serve the topic, and a few
    /// others whose holder may become known.
    /// Of what only readers of a public topic say less is kept.
    pub(crate) fn has_room_for(
        &self,
        env: &Env<'_, '_>,
        giver: Option<LinkId>,
        slot: &SlotKey,
    ) -> bool {
        if self.slots.kept.contains_key(slot) {
            return true;
        }
        if self.slots.len() >= MAX_SLOTS {
            return false;
        }
        let strange = |(holder, kind): &SlotKey| {
            if is_of_node(*kind) {
                !env.host.is_core(self.local, &holder.node_id())
            } else {
                self.lace.author(holder).is_none()
            }
        };
        if !strange(slot) {
            return true;
        }
        let reader = giver.and_then(|link| self.peers.get(&link));
        let most = if reader.is_some_and(PeerState::is_reader) {
            MAX_STRANGE_SLOTS / 2
        } else {
            MAX_STRANGE_SLOTS
        };
        let others = self.slots.keys().filter(|slot| strange(slot)).count();
        !self.is_hearsay(giver, slot) && others < most
    }

    /// A newer incarnation's slot replaces the older ones of the device; says whether this slot is
    /// the newest.
    fn replace_incarnations(&mut self, env: &mut Env<'_, '_>, slot: &SlotKey) -> bool {
        let Some(author) = self.lace.author(&slot.0) else {
            return true;
        };
        let (device, index) = (*author.device(), author.index());
        let mut older = Vec::new();
        for other in self.slots.keys().filter(|other| other.1 == slot.1) {
            let Some(author) = self.lace.author(&other.0).filter(|_| other.0 != slot.0) else {
                continue;
            };
            if *author.device() == device {
                if (author.index(), other.0) > (index, slot.0) {
                    return false;
                }
                older.push(*other);
            }
        }
        for other in older {
            if let Some(no) = self.slots.remove(&other) {
                for peer in self.peers.values_mut() {
                    peer.has.forget(no);
                }
            }
            env.cx.store.delete(rows::SLOT, self.slot_key(&other));
        }
        true
    }

    /// Keeps what a receipt says about the chains of this home.
    fn learn_from(&mut self, env: &mut Env<'_, '_>, receipt: &Receipt) {
        let Some(mine) = env.host.device(self.local) else {
            return;
        };
        let who = if is_of_node(receipt.kind) {
            receipt.holder.to_bytes()
        } else {
            match self.lace.author(&receipt.holder) {
                Some(author) if *author.device() != mine => author.device().to_bytes(),
                // One's own word is no evidence, and a stranger's is looked at when it is known.
                _ => return,
            }
        };
        let own = self.lace.authors().filter(|own| *own.device() == mine);
        let own: Vec<PublicKey> = own.map(|own| *own.key()).collect();
        for (place, entry) in (0_u16..).zip(&receipt.cut) {
            if !own.contains(&entry.author)
                || self.lace.covers(&mut env.cx.store, entry) != Coverage::Covers
            {
                continue;
            }
            let lacks = receipt.exceptions.iter().filter(|(at, _)| *at == place);
            let word = Word {
                kind: receipt.kind,
                number: entry.number,
                until: receipt.until,
                operator: receipt.operator,
                at: receipt.time,
                exceptions: lacks.map(|(_, number)| (*number, *number)).collect(),
            };
            let key = self.best_key(&entry.author, receipt.kind, &who);
            let row = env.cx.store.get(rows::BEST, &key);
            let mut best = row.and_then(|row| Best::decode(&row)).unwrap_or_default();
            if best.take(&word) {
                env.cx.store.put(rows::BEST, key, best.encode());
                self.new_receipts = true;
            }
        }
    }

    fn best_key(&self, author: &PublicKey, kind: ReceiptKind, who: &[u8; 32]) -> Vec<u8> {
        rows::key_bytes(self.local, &[author.as_bytes(), &[kind as u8], who])
    }

    /// Everything kept about one chain of this home: kind, device or node, evidence.
    pub(crate) fn best(
        &self,
        cx: &mut Cx<'_>,
        author: &PublicKey,
    ) -> Vec<(ReceiptKind, [u8; 32], Best)> {
        let prefix = rows::key_bytes(self.local, &[author.as_bytes()]);
        let rows = cx.store.prefix(rows::BEST, &prefix, MAX_SLOTS);
        rows.iter()
            .filter_map(|(key, row)| {
                let mut key = Bytes(key.get(36..)?);
                Some((kind_of(key.u8()?)?, key.array()?, Best::decode(row)?))
            })
            .collect()
    }

    /// Issues this home's receipt if there is anything new to say.
    pub(crate) fn issue(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>) {
        let Some(holder) = env.host.holder(self.local) else {
            return;
        };
        let member = self.is_member();
        if self.row.phase == Phase::Forgetting || (member && self.lace.author(&holder).is_none()) {
            return;
        }
        let wall = env.cx.wall.as_millis();
        let (kind, until, operator) = if member {
            (ReceiptKind::Delivered, 0, None)
        } else {
            match env.host.hold_until(env.cx, self.local) {
                Some(until) => (ReceiptKind::Held, until, env.host.operator()),
                None => return,
            }
        };
        let before = self
            .slot(env.cx, &(holder, kind))
            .map(|signed| signed.value);
        let time = self.time(shared, env.cx);
        let Some((cut, exceptions)) = self.coverage(env, member.then_some(holder), time) else {
            shared.soon(
                Timer::Receipt(self.local),
                env.cx.now,
                Duration::from_secs(10),
            );
            return;
        };
        let same = before.as_ref().is_some_and(|before| {
            before.cut == cut
                && before.exceptions == exceptions
                && before.operator == operator
                && !renews(before, until, wall)
        });
        self.renew_later(shared, env, before.as_ref().filter(|_| same), until);
        if same || cut.is_empty() {
            return;
        }
        let counter = before
            .map_or(0, |before| before.counter)
            .saturating_add(1)
            .max(wall);
        let receipt = Receipt {
            topic: self.id,
            holder,
            counter,
            kind,
            cut,
            exceptions,
            until,
            time,
            operator,
        };
        if let Some(signed) = env.host.sign_receipt(self.local, receipt) {
            self.issued = Some(env.cx.now);
            self.take_receipt(shared, env, None, signed.into_inner());
            shared.work(self.local, env.cx.now);
        }
    }

    /// A promise is renewed when half of it is over.
    fn renew_later(
        &self,
        shared: &mut Shared,
        env: &Env<'_, '_>,
        stands: Option<&Receipt>,
        until: u64,
    ) {
        let until = stands.map_or(until, |receipt| receipt.until);
        if until > 0 {
            let half = until.saturating_sub(env.cx.wall.as_millis()) / 2;
            let half = Duration::from_millis(half).max(RECEIPT_DELAY);
            shared
                .timers
                .set(Timer::Promise(self.local), env.cx.now.after(half));
        }
    }

    /// What a receipt of this time covers: a cut, and what of it is lacking. An author's entry ends before
    /// the first lacking body that does not fit any more. Nothing when too much is missing to say.
    #[expect(
        clippy::type_complexity,
        reason = "the two fields of a receipt, as wire has them"
    )]
    fn coverage(
        &self,
        env: &mut Env<'_, '_>,
        without: Option<PublicKey>,
        time: u64,
    ) -> Option<(Vec<CutEntry>, Vec<(u16, u64)>)> {
        let (missing, more) =
            self.lace
                .missing_bodies(&mut env.cx.store, 0, MAX_MISSING_FOR_RECEIPT);
        if more.is_some() {
            return None;
        }
        let mut lacks: BTreeMap<PublicKey, Intervals> = BTreeMap::new();
        for body in missing {
            let header = self.lace.header(&mut env.cx.store, &body.id);
            // A receipt is silent about what had expired when it was made.
            if header.is_some_and(|envelope| envelope.header.expires > time) {
                lacks
                    .entry(body.author)
                    .or_default()
                    .insert(body.number, body.number);
            }
        }
        if !self.is_member() {
            for (author, number) in self.lacking_blocks(env, time)? {
                lacks.entry(author).or_default().insert(number, number);
            }
        }
        let mut newest: Vec<(u64, PublicKey)> = self
            .lace
            .authors()
            .filter(|author| Some(*author.key()) != without)
            .map(|author| (author.tip().map_or(0, |tip| tip.created), *author.key()))
            .collect();
        newest.sort_unstable_by(|a, b| b.cmp(a));
        newest.truncate(MAX_RECEIPT_AUTHORS);
        let named: BTreeSet<PublicKey> = newest.into_iter().map(|(_, author)| author).collect();
        let mut cut = Vec::new();
        let mut exceptions = Vec::new();
        for entry in self
            .lace
            .cut()
            .filter(|entry| named.contains(&entry.author))
        {
            if cut.len() >= wire::limits::MAX_RECEIPT_CUT {
                break;
            }
            let lacks = lacks.get(&entry.author);
            let mut entry = entry;
            if is(Bug::ParkedAcknowledged) {
                let parked = self.lace.parked().map(|parked| parked.envelope);
                let own = parked.filter(|parked| parked.header.author == entry.author);
                if let Some(newest) = own.max_by_key(|parked| parked.header.number) {
                    (entry.number, entry.id) = (newest.header.number, newest.id);
                }
            }
            let place = u16::try_from(cut.len()).unwrap_or(u16::MAX);
            let numbers = lacks
                .into_iter()
                .flat_map(Intervals::ranges)
                .flat_map(|(a, b)| a..=b);
            for number in numbers.filter(|number| *number <= entry.number) {
                if exceptions.len() < wire::limits::MAX_RECEIPT_EXCEPTIONS {
                    exceptions.push((place, number));
                    continue;
                }
                let before = number.saturating_sub(1);
                let at = self.lace.at(&mut env.cx.store, &entry.author, before, 1);
                entry.number = if at.is_empty() { 0 } else { before };
                entry.id = at.first().copied().unwrap_or(entry.id);
                break;
            }
            if entry.number > 0 {
                cut.push(entry);
            } else {
                exceptions.retain(|(at, _)| *at != place);
            }
        }
        Some((cut, exceptions))
    }

    pub(crate) fn send_receipts(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) -> bool {
        loop {
            let Some(peer) = self.peers.get_mut(&link) else {
                return false;
            };
            if peer.receipts.now.is_empty() {
                return false;
            }
            if !shared.has_room(link) {
                return true;
            }
            let Batch {
                receipts,
                differences,
                ..
            } = self.batch(env, link);
            if !receipts.is_empty() {
                shared.frames_left = shared.frames_left.saturating_sub(1);
                self.say(shared, env, link, TopicFrame::Receipts { receipts });
            }
            if !differences.is_empty() {
                shared.frames_left = shared.frames_left.saturating_sub(1);
                let receipts = differences;
                self.say(shared, env, link, TopicFrame::Differences { receipts });
            }
        }
    }

    /// Receipts that are due to a peer, as many as go together.
    fn batch(&mut self, env: &mut Env<'_, '_>, link: LinkId) -> Batch {
        let mut batch = Batch::default();
        while batch.receipts.len() < MAX_RECEIPTS_PER_FRAME
            && batch.differences.len() < wire::limits::MAX_DIFFERENCES
            && let Some(peer) = self.peers.get_mut(&link)
            && let Some(slot) = peer.receipts.now.pop_first()
        {
            let Some(kept) = self.slots.kept.get(&slot) else {
                continue;
            };
            let (no, counter) = (kept.no, kept.counter);
            let base = peer.has.base(no);
            let said = kept.said.as_deref();
            let Some(raw) = self.slot_raw(env.cx, &slot) else {
                continue;
            };
            let whole = raw.bytes.len().saturating_add(80);
            let difference = base.and_then(|base| said?.difference(&raw, base));
            let difference = difference.map(|difference| (difference.encode().len(), difference));
            let shorter = difference.filter(|(length, _)| *length < whole);
            let length = shorter.as_ref().map_or(whole, |(length, _)| *length);
            let Some(peer) = self.peers.get_mut(&link) else {
                break;
            };
            if batch.bytes > 0 && batch.bytes.saturating_add(length) > MAX_BYTES_OF_RECEIPTS {
                peer.receipts.now.insert(slot);
                break;
            }
            batch.bytes = batch.bytes.saturating_add(length);
            peer.has.learn(no, counter);
            match shorter {
                Some((_, difference)) => batch.differences.push(difference),
                None => batch.receipts.push(raw),
            }
        }
        batch
    }

    /// Notes that a peer did not take an envelope of this home.
    pub(crate) fn note_refusal(
        &mut self,
        env: &mut Env<'_, '_>,
        author: &PublicKey,
        who: &[u8; 32],
        refused: &RefusedRow,
    ) {
        let mine = env.host.device(self.local);
        let own = self
            .lace
            .author(author)
            .is_some_and(|author| Some(*author.device()) == mine);
        if own {
            let key = rows::key_bytes(self.local, &[author.as_bytes(), who]);
            env.cx.store.put(rows::REFUSED, key, refused.encode());
            self.new_receipts = true;
        }
    }

    /// The refusals of one chain of this home that are on record.
    pub(crate) fn refusals(
        &self,
        cx: &mut Cx<'_>,
        author: &PublicKey,
    ) -> Vec<([u8; 32], RefusedRow)> {
        let prefix = rows::key_bytes(self.local, &[author.as_bytes()]);
        let rows = cx.store.prefix(rows::REFUSED, &prefix, MAX_SLOTS);
        rows.iter()
            .filter_map(|(key, row)| {
                Some((Bytes(key.get(36..)?).array()?, RefusedRow::decode(row)?))
            })
            .collect()
    }
}

/// Whether a promise that says nothing new but its time is due to be said again.
fn renews(before: &Receipt, until: u64, wall: u64) -> bool {
    let left = before.until.saturating_sub(wall);
    until > before.until && left.saturating_mul(2) <= until.saturating_sub(wall)
}

/// A node's id as it stands in a slot.
pub(crate) const fn node_of(who: [u8; 32]) -> NodeId {
    NodeId::from_bytes(who)
}
