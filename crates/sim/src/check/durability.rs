//! Nothing for which a receipt exists is ever lost, also across crashes.
//!
//! Whatever a node says that it has (a receipt of its own, the answer to an application, the receipt
//! for a mail) is held against its durable disk at the moment at which it leaves, and remembered.
//! From then on every batch that would take it away is a broken promise, until its time is over by
//! the right clock. A disk that lies ends what was promised with it: see [`Durability::set_back`].
//!
//! Headers are never removed but with their topic, promised or not, and nothing is stored before its
//! past.

use super::Scene;
use super::carriage::home;
use super::facts::EnvelopeFacts;
use super::kept_rows::{EXPIRED, Mark, PAYLOADS, QUEUE, Queued, WAITING, after, namers, written};
use super::mirror::{self, MAIL_MARKS, MAILS, Mirror, Spot, header_of, is_over, narrow};
use super::peek::{
    Items, ReceiptHead, Walk, difference_of, part, receipt_of, short, u32_at, u64_at,
};
use identity::{EnvelopeId, NodeId, TopicId};
use lace::rows::{HEADER, ID, LACE};
use machine::{Base, Batch};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::{Class, Difference, MailReceipt, Receipt, ReceiptKind};

/// The name of this promise.
pub(crate) const DURABILITY: &str = "durability";
/// The name of the promise that nothing is admitted without its past.
pub(crate) const PAST: &str = "past";
/// The name of the promise that what is known of one's own messages rests on somebody's word.
pub(crate) const EVIDENCE: &str = "evidence";

/// What one node has promised.
#[derive(Debug, Default)]
pub(crate) struct Durability {
    /// The greatest counter of the receipts of a topic and kind that were looked at. It survives a
    /// set-back, because what was said before comes back from others.
    said: BTreeMap<(u64, u64), u64>,
    /// Mails of clients for which a receipt has left, and until when they are promised.
    mails: BTreeMap<EnvelopeId, u64>,
    /// Envelopes that a receipt has just said to be held, and until when, in worlds with files.
    pub(crate) promised: Vec<(Spot, u64)>,
}

/// An envelope that a batch brings.
struct Entered {
    spot: Spot,
    facts: Arc<EnvelopeFacts>,
}

impl Durability {
    /// The disk is an older one: what was promised since is lost with it, and that is not the
    /// node's fault.
    pub(crate) fn set_back(&mut self) {
        self.mails.clear();
    }

    /// Receipts about a topic leave.
    pub(crate) fn receipts(
        &mut self,
        mirror: &mut Mirror,
        scene: &mut Scene<'_>,
        (id, items): ([u8; 32], Items<'_>),
        disk: &dyn Base,
    ) {
        let id = TopicId::from_bytes(id);
        let heads = items.filter_map(receipt_of);
        let read = |statement: &[u8]| Receipt::decode(statement).ok();
        self.promises(mirror, scene, id, heads.map(|head| (head, read)), disk);
    }

    /// What has changed in receipts about a topic leaves. What has not changed was said before, with
    /// the receipt that it has changed from.
    pub(crate) fn differences(
        &mut self,
        mirror: &mut Mirror,
        scene: &mut Scene<'_>,
        (id, items): ([u8; 32], Items<'_>),
        disk: &dyn Base,
    ) {
        let id = TopicId::from_bytes(id);
        let heads = items.filter_map(difference_of);
        let read = |bytes: &[u8]| Some(Difference::decode(bytes).ok()?.news(id));
        self.promises(mirror, scene, id, heads.map(|head| (head, read)), disk);
    }

    /// Looks at each receipt of this node, with what reads it.
    fn promises<'a>(
        &mut self,
        mirror: &mut Mirror,
        scene: &mut Scene<'_>,
        id: TopicId,
        heads: impl Iterator<Item = (ReceiptHead<'a>, impl Fn(&[u8]) -> Option<Receipt>)>,
        disk: &dyn Base,
    ) {
        for (head, read) in heads {
            let key = (short(id.as_bytes()), head.kind);
            let said = self.said.get(&key).copied().unwrap_or(0);
            if head.counter <= said || !is_own(mirror, scene, &id, &head) {
                continue;
            }
            self.said.insert(key, head.counter);
            let Some(receipt) = read(head.statement) else {
                continue;
            };
            if receipt.kind == ReceiptKind::Held && scene.facts.has_files {
                self.promised.extend(newly_held(mirror, &receipt));
            }
            if let Err(what) = promise(mirror, scene, &receipt, disk) {
                receipt_broken(scene, what);
            }
        }
    }

    /// A receipt about mails leaves.
    pub(crate) fn mail_receipt(
        &mut self,
        mirror: &Mirror,
        scene: &mut Scene<'_>,
        statement: &[u8],
        disk: &dyn Base,
    ) {
        let Ok(receipt) = MailReceipt::decode(statement) else {
            return;
        };
        if scene.facts.node_no(&receipt.holder) != Some(scene.no) {
            return;
        }
        for id in &receipt.ids {
            let wrong = match receipt.kind {
                ReceiptKind::Held | ReceiptKind::Carried => {
                    self.mails.insert(*id, receipt.until);
                    mail_not_held(mirror, disk, id)
                }
                ReceiptKind::Delivered | ReceiptKind::Read => mail_not_here(mirror, scene, id),
            };
            if let Some(why) = wrong {
                let what = format!("{:?} is said of the mail {id}, but {why}", receipt.kind);
                receipt_broken(scene, what);
            }
        }
    }

    /// An application is told that messages are stored. Gives back those that are not on the disk.
    pub(crate) fn sent(
        &mut self,
        mirror: &mut Mirror,
        envelope: &EnvelopeId,
        disk: &dyn Base,
    ) -> Stored {
        for (local, topic) in &mut mirror.topics {
            let Some(spot) = mirror::find(disk, *local, envelope) else {
                continue;
            };
            let author = topic.author(spot.author);
            author.promised = author.promised.max(spot.number);
            let [a, b, c, d, ..] = *envelope.as_bytes();
            let branch = u32::from_be_bytes([a, b, c, d]);
            return if topic.lacking.contains(&(spot.author, spot.number, branch)) {
                Stored::InPart
            } else {
                Stored::Whole
            };
        }
        let queued = disk.get(QUEUE, envelope.as_bytes()).ok().flatten();
        match queued.as_deref().and_then(Queued::read) {
            None => Stored::No,
            Some(Queued { end: WAITING, .. }) => match disk.get(PAYLOADS, envelope.as_bytes()) {
                Ok(Some(_)) => Stored::Mail,
                _ => Stored::InPart,
            },
            Some(_) => Stored::Mail,
        }
    }

    /// A batch becomes durable; `disk` is as it was before.
    pub(crate) fn commits(
        &mut self,
        mirror: &mut Mirror,
        scene: &mut Scene<'_>,
        batch: &Batch,
        disk: &dyn Base,
    ) {
        let mut entered = Vec::new();
        let mut acknowledged = Vec::new();
        let mut gone = Vec::new();
        for (table, key, value) in &batch.writes {
            match (table.id(), value) {
                (40, None) => gone.extend(lace_row_gone(mirror, key)),
                (40, Some(row)) => self.lace_row(mirror, scene, (key, row)),
                (41, Some(row)) => header_came(mirror, scene, (key, row), disk),
                (41, None) => header_gone(mirror, scene, key),
                (42, None) => body_gone(mirror, scene, key, disk),
                (43, Some(row)) => entered.extend(learn(mirror, scene, (key, row), batch)),
                (65, Some(_)) => acknowledged.push(key),
                (85, None) => payload_gone(scene, key, (batch, disk)),
                (91, None) => received_gone(mirror, scene, key, batch),
                (107, None) => self.mail_gone(scene, key, (batch, disk)),
                (108, None) => {
                    if let Some(id) = part(key, 32).map(EnvelopeId::from_bytes) {
                        mirror.marks.remove(&id);
                        self.mails.remove(&id);
                    }
                }
                (_, Some(row)) => mirror.put(*table, key, row, scene.facts),
                (_, None) => {}
            }
        }
        for entered in &entered {
            look_at_past(mirror, scene, entered, (batch, disk));
        }
        for key in acknowledged {
            look_at_word(scene, key, &entered, (batch, disk));
        }
        gone.into_iter().for_each(|local| mirror.forgotten(local));
    }

    /// A row of a topic: perhaps the mark that it is being forgotten.
    fn lace_row(&self, mirror: &mut Mirror, scene: &mut Scene<'_>, (key, row): (&[u8], &[u8])) {
        mirror.put(LACE, key, row, scene.facts);
        if key.get(4) != Some(&b'x') {
            return;
        }
        let topic = u32_at(key, 0).and_then(|local| mirror.topics.get(&local));
        let Some(topic) = topic.filter(|topic| topic.held_until > 0) else {
            return;
        };
        if !is_over(scene.wall, topic.held_until) {
            let what = format!(
                "{} is forgotten, though it was promised to be held until {}",
                topic.id, topic.held_until
            );
            scene.broken(DURABILITY, what);
        }
    }

    /// A mail leaves a client's mailbox.
    fn mail_gone(&self, scene: &mut Scene<'_>, key: &[u8], of: (&Batch, &dyn Base)) {
        let (_, disk) = of;
        let row = disk.get(MAILS, key).ok().flatten();
        let id = row.as_deref().and_then(|row| {
            let mut walk = Walk(row);
            walk.list()?;
            walk.array().map(EnvelopeId::from_bytes)
        });
        let (Some(id), Some(client)) = (id, key.get(..32)) else {
            return;
        };
        let Some(until) = self.mails.get(&id) else {
            return;
        };
        let mark = [client, id.as_bytes()].concat();
        let mark = after(of, MAIL_MARKS, &mark).and_then(|row| Mark::read(&row));
        let before = disk.get(MAIL_MARKS, &[client, id.as_bytes()].concat());
        let expires = before
            .ok()
            .flatten()
            .and_then(|row| Mark::read(&row))
            .map_or(0, |m| m.expires);
        let handed_over = mark.is_some_and(|mark| mark.number.is_none());
        if !handed_over && !is_over(scene.wall, *until) && !is_over(scene.wall, expires) {
            let what = format!(
                "the mail {id} is removed, though it was promised to be held until {until}"
            );
            scene.broken(DURABILITY, what);
        }
    }
}

/// A receipt says what is not on the disk.
fn receipt_broken(scene: &mut Scene<'_>, what: String) {
    // What liars sign in a node's name comes back to it. Of two that have run under one key each
    // passes on the other's receipts as its own, also when one of them is gone.
    let (honest, home) = (scene.node().is_honest(), home(scene.plan, scene.no));
    if honest && !scene.facts.is_doubled(home) {
        scene.broken(DURABILITY, what);
    }
}

/// How much of a message is on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// All of it, in a topic.
    Whole,
    /// All of it, in the queue of mails.
    Mail,
    /// Its body is missing.
    InPart,
    /// Nothing.
    No,
}

fn is_own(mirror: &mut Mirror, scene: &Scene<'_>, id: &TopicId, head: &ReceiptHead<'_>) -> bool {
    if head.kind <= ReceiptKind::Carried as u64 {
        return scene.facts.node_no(&NodeId::from_bytes(head.holder)) == Some(scene.no);
    }
    let topic = mirror.topic(id);
    topic.is_some_and(|(_, topic)| topic.is_own(scene.facts, scene.no, &head.holder))
}

/// The envelopes that a receipt covers, and none did before.
fn newly_held(mirror: &mut Mirror, receipt: &Receipt) -> Vec<(Spot, u64)> {
    let mut held = Vec::new();
    let Some((local, topic)) = mirror.topic(&receipt.topic) else {
        return held;
    };
    for (place, entry) in (0_u16..).zip(&receipt.cut) {
        let Some(author) = topic.author_no(entry.author.as_bytes()) else {
            continue;
        };
        let last = narrow(entry.number).min(topic.author(author).top);
        let filled = topic.holes.range((author, 0)..=(author, last));
        let filled: Vec<u32> = filled.map(|(_, number)| *number).collect();
        let fresh = topic.author(author).promised.min(last) + 1..=last;
        let excepted = receipt.exceptions.iter().filter(|(at, _)| *at == place);
        let excepted: Vec<u32> = excepted.map(|(_, number)| narrow(*number)).collect();
        let numbers = fresh.chain(filled);
        let numbers = numbers.filter(|number| !excepted.contains(number));
        held.extend(numbers.map(|number| {
            let spot = Spot {
                local,
                author,
                number,
            };
            (spot, receipt.until)
        }));
    }
    held
}

/// Notes what a receipt says, or says what of it is not on the disk.
fn promise(
    mirror: &mut Mirror,
    scene: &Scene<'_>,
    receipt: &Receipt,
    disk: &dyn Base,
) -> Result<(), String> {
    let kind = receipt.kind;
    let Some((local, topic)) = mirror.topic(&receipt.topic) else {
        return Err(format!("{kind:?} is said of a topic that is not here"));
    };
    if kind == ReceiptKind::Held {
        topic.held_until = topic.held_until.max(receipt.until);
    }
    let mut wrong = Ok(());
    for (place, entry) in (0_u16..).zip(&receipt.cut) {
        let lie = |number: u32, what: &str| {
            let (author, id) = (entry.author, receipt.topic);
            Err(format!(
                "{kind:?} is said of number {number} of {author} in {id}, {what}"
            ))
        };
        let last = narrow(entry.number);
        let Some(author) = topic.author_no(entry.author.as_bytes()) else {
            wrong = lie(last, "whose author is not here");
            continue;
        };
        let state = topic.author(author);
        let promised = state.promised;
        if last > state.top {
            wrong = lie(last, "whose header is not here");
            continue;
        }
        state.promised = promised.max(last);
        let excepted = receipt.exceptions.iter().filter(|(at, _)| *at == place);
        let excepted: Vec<u32> = excepted.map(|(_, number)| narrow(*number)).collect();
        // What is covered now and was not before.
        let first = promised.min(last);
        let of = (author, first, 0)..=(author, last, u32::MAX);
        let fresh = topic.lacking.range(of).map(|(_, number, _)| *number);
        let fresh = fresh.filter(|number| *number > promised);
        let filled = topic.holes.range((author, 0)..=(author, last));
        let covered = fresh.chain(filled.map(|(_, number)| *number));
        let covered: Vec<u32> = covered
            .filter(|number| !excepted.contains(number))
            .collect();
        for number in covered {
            topic.holes.remove(&(author, number));
            let spot = Spot {
                local,
                author,
                number,
            };
            let lacks = topic.lacks(author, number);
            if lacks && mirror::is_whole(disk, spot, scene.wall) != Some(true) {
                wrong = lie(number, "whose body is not here");
            }
        }
        topic
            .holes
            .extend(excepted.into_iter().map(|number| (author, number)));
    }
    wrong
}

fn mail_not_held(mirror: &Mirror, disk: &dyn Base, id: &EnvelopeId) -> Option<&'static str> {
    let Some(client) = mirror.marks.get(id) else {
        return Some("it was never stored");
    };
    let mark = disk.get(MAIL_MARKS, &[&client[..], id.as_bytes()].concat());
    let mark = mark.ok().flatten().and_then(|row| Mark::read(&row));
    // What was handed over meanwhile need not be there any more.
    let number = mark?.number?;
    let mail = disk.get(MAILS, &[&client[..], &number.to_be_bytes()].concat());
    (!matches!(mail, Ok(Some(_)))).then_some("it is not in the mailbox")
}

fn mail_not_here(mirror: &Mirror, scene: &Scene<'_>, id: &EnvelopeId) -> Option<&'static str> {
    let mail = scene.facts.written.mail(id)?;
    if mail.live {
        return Some("nothing may be said of mail that is not kept");
    }
    (!mirror.received.contains(&mail.name)).then_some("it is not in the inbox")
}

/// Gives the topic's number when the last of its rows goes.
fn lace_row_gone(mirror: &mut Mirror, key: &[u8]) -> Option<u32> {
    let (local, tag) = (u32_at(key, 0)?, *key.get(4)?);
    if !matches!(tag, b'g' | b'x') {
        return None;
    }
    // Marked and unmarked within one batch, if the mark was never seen.
    mirror.topics.get_mut(&local)?.going = true;
    (tag == b'g').then_some(local)
}

fn header_came(
    mirror: &mut Mirror,
    scene: &mut Scene<'_>,
    (key, row): (&[u8], &[u8]),
    disk: &dyn Base,
) {
    let Some(spot) = Spot::of(key) else { return };
    let Some(topic) = mirror.topics.get_mut(&spot.local) else {
        return;
    };
    let top = topic.author(spot.author).top;
    if spot.number <= top && matches!(disk.get(HEADER, key), Ok(Some(_))) {
        // It has got another place.
        return;
    }
    if spot.number > top.saturating_add(1) {
        let id = topic.id;
        let what = format!(
            "number {} of a chain of {id} is stored after {top}",
            spot.number
        );
        scene.broken(PAST, what);
    }
    mirror.put(HEADER, key, row, scene.facts);
}

fn header_gone(mirror: &Mirror, scene: &mut Scene<'_>, key: &[u8]) {
    let Some(spot) = Spot::of(key) else { return };
    if let Some(topic) = mirror.topics.get(&spot.local).filter(|topic| !topic.going) {
        let what = format!(
            "the header of number {} of an author of {} is removed",
            spot.number, topic.id
        );
        scene.broken(DURABILITY, what);
    }
}

fn body_gone(mirror: &mut Mirror, scene: &mut Scene<'_>, key: &[u8], disk: &dyn Base) {
    let Some(spot) = Spot::of(key) else { return };
    let Some(topic) = mirror.topics.get_mut(&spot.local) else {
        return;
    };
    let at = (spot.author, spot.number);
    let promised = topic.author(spot.author).promised >= spot.number;
    if topic.going || !promised || topic.holes.contains(&at) {
        return;
    }
    let header = disk.get(HEADER, key).ok().flatten();
    let Some(header) = header.as_deref().and_then(header_of) else {
        return;
    };
    let over = header.class == Class::Content && is_over(scene.wall, header.expires);
    if !over && !mirror::is_forked(disk, spot.local, &header.author) {
        let (id, author, expires) = (topic.id, header.author, header.expires);
        let number = spot.number;
        let what = format!(
            "the body of number {number} of {author} in {id} is removed; it was acknowledged, and \
             expires at {expires}"
        );
        scene.broken(DURABILITY, what);
    }
}

/// An envelope is stored: the world learns of it if it does not know it yet.
fn learn(
    mirror: &mut Mirror,
    scene: &Scene<'_>,
    (key, row): (&[u8], &[u8]),
    batch: &Batch,
) -> Option<Entered> {
    let (local, id) = (u32_at(key, 0)?, EnvelopeId::from_bytes(part(key, 4)?));
    let spot = Spot::by_id(local, row)?;
    let topic = mirror.topics.get_mut(&local)?;
    let facts = match scene.facts.envelope(&id) {
        Some(known) => known,
        None => {
            let branch = id.as_bytes().get(..16)?;
            let header = [key.get(..4)?, row.get(..12)?, branch].concat();
            let header = header_of(written(batch, HEADER, &header)?.as_deref()?)?;
            scene.facts.learn(id, topic.number(scene.facts)?, &header)
        }
    };
    topic.have.add(facts.serial);
    Some(Entered { spot, facts })
}

/// What an envelope names must be here, or come with it.
fn look_at_past(
    mirror: &mut Mirror,
    scene: &mut Scene<'_>,
    Entered { spot, facts }: &Entered,
    of: (&Batch, &dyn Base),
) {
    for (id, serial) in facts.named.iter().zip(&facts.past) {
        let Some(topic) = mirror.topics.get_mut(&spot.local) else {
            return;
        };
        let Some(serial) = serial.filter(|serial| !topic.have.has(*serial)) else {
            continue;
        };
        let key = [&spot.local.to_be_bytes()[..], id.as_bytes()].concat();
        if after(of, ID, &key).is_some() {
            // It came before the world knew the topic.
            topic.have.add(serial);
            continue;
        }
        let what = format!(
            "an envelope of {} is stored without {id}, which it names",
            topic.id
        );
        scene.broken(PAST, what);
    }
}

/// That a device has an envelope of this home must rest on an envelope of that device that names it.
fn look_at_word(
    scene: &mut Scene<'_>,
    key: &[u8],
    entered: &[Entered],
    (batch, disk): (&Batch, &dyn Base),
) {
    let read = || {
        Some((
            u32_at(key, 0)?,
            EnvelopeId::from_bytes(part(key, 4)?),
            part(key, 36)?,
        ))
    };
    let Some((local, id, device)) = read() else {
        return;
    };
    let is_of_device = |author: u32| {
        let row = [&local.to_be_bytes()[..], b"a", &author.to_be_bytes()].concat();
        let row = after((batch, disk), LACE, &row);
        row.is_none_or(|row| part(&row, 32) == Some(device))
    };
    // Envelopes of a topic that the world does not know yet cannot be looked at.
    let mut here = entered
        .iter()
        .filter(|one| one.spot.local == local)
        .peekable();
    if here.peek().is_none() {
        return;
    }
    let named = here.any(|one| one.facts.named.contains(&id) && is_of_device(one.spot.author));
    if named || namers(disk, local, &id).into_iter().any(is_of_device) {
        return;
    }
    let what = format!("{id} counts as acknowledged, and nothing of that device names it");
    scene.broken(EVIDENCE, what);
}

fn payload_gone(scene: &mut Scene<'_>, key: &[u8], of: (&Batch, &dyn Base)) {
    let queued = after(of, QUEUE, key).and_then(|row| Queued::read(&row));
    let why = match queued {
        None => return,
        Some(Queued { end: WAITING, .. }) => "nobody has acknowledged it",
        Some(Queued {
            end: EXPIRED,
            expires,
        }) if !is_over(scene.wall, expires) => "its time is not over",
        Some(_) => return,
    };
    let id = part(key, 0).map(EnvelopeId::from_bytes);
    scene.broken(
        DURABILITY,
        format!("the mail {id:?} is dropped, though {why}"),
    );
}

fn received_gone(mirror: &mut Mirror, scene: &mut Scene<'_>, key: &[u8], batch: &Batch) {
    if let Some(Some(counts)) = written(batch, mirror::COUNTS, b"only") {
        mirror.put(mirror::COUNTS, b"only", counts, scene.facts);
    }
    let confirmed = mirror.inbox_confirmed;
    if u64_at(key, 0).is_some_and(|number| number > confirmed) {
        let what = format!("a mail is removed from the inbox; only {confirmed} are confirmed");
        scene.broken(DURABILITY, what);
    }
}
