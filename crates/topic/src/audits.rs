//! Whether custodians hold what they say: what one says is compared with what another says, and each is asked
//! for something drawn at random that it says it holds.

use crate::event::{LinkId, Output};
use crate::host::Local;
use crate::limits::{
    AUDIT_DRAWS, AUDIT_HEARD, AUDIT_MARGIN_MS, AUDIT_PATIENCE, AUDIT_WAITS, MAX_RECEIPT_AUTHORS,
};
use crate::peer::Audit;
use crate::state::{Shared, Timer, Topic};
use crate::topics::{Env, Topics};
use identity::{EnvelopeId, NodeId, PublicKey, seal};
use lace::{Body, Coverage};
use std::collections::BTreeSet;
use wire::{Class, CutEntry, Envelope, Receipt, ReceiptKind, TopicFrame};

/// What became of a question for something that a custodian says it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It gave it.
    Kept,
    /// It said that it has not got it.
    Lacks,
    /// It gave something else.
    Other,
    /// It said nothing, on a link that stayed.
    Silence,
}

/// Whether a time is far enough ahead that no clock which two nodes may have is beyond it.
fn lasts(env: &Env<'_, '_>, time: u64) -> bool {
    time == 0 || time > env.cx.wall.as_millis().saturating_add(AUDIT_MARGIN_MS)
}

impl Topics {
    /// How many envelopes of a topic, not expired by now, one custodian says that it holds and another does
    /// not, as far as their newest receipts tell. Nothing where they do not tell: one of them has said nothing, the other
    /// promises nothing for longer than a while, or there are more authors than a receipt names.
    pub fn held_short(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        (one, other): (&NodeId, &NodeId),
    ) -> Option<u64> {
        let (topic, shared) = self.get(env.cx, topic).ok()?;
        let (one, other) = (
            topic.held_receipt(env, one)?,
            topic.held_receipt(env, other)?,
        );
        let named: BTreeSet<&PublicKey> = one.cut.iter().map(|entry| &entry.author).collect();
        let full = named.len() >= MAX_RECEIPT_AUTHORS && topic.lace.authors().count() > named.len();
        if full || !shared.clock_confirmed || !lasts(env, other.until) {
            return None;
        }
        let mut short = 0_u64;
        for (index, entry) in (0_u16..).zip(&one.cut) {
            short =
                short.saturating_add(topic.short_of((shared, env), (&one, index, entry), &other));
        }
        Some(short)
    }

    /// Asks a custodian for one body that it says it holds and that is here, drawn at random.
    /// [`Output::Audited`] says what came of it. Says of which envelope, if there is one.
    pub fn audit(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        (link, node): (LinkId, &NodeId),
    ) -> Option<EnvelopeId> {
        let (topic, shared) = self.get(env.cx, topic).ok()?;
        let asked = topic.peers.get(&link)?.audit.is_some();
        let ready = !asked && shared.clock_confirmed;
        let receipt = topic.held_receipt(env, node).filter(|_| ready)?;
        let id = topic.draw(env, &receipt)?;
        let at = env.cx.now.after(AUDIT_PATIENCE);
        let node = *node;
        let waits = AUDIT_WAITS;
        let audit = Audit {
            id,
            node,
            at,
            waits,
        };
        topic.peers.get_mut(&link)?.audit = Some(audit);
        shared.timers.set(Timer::Audit(topic.local, link), at);
        let frame = TopicFrame::BodyWant { ids: vec![id] };
        topic.say(shared, env, link, frame);
        Some(id)
    }

    /// Whether a custodian says that it holds an envelope of this device's, for a while yet and with its blocks,
    /// which are still wanted.
    pub fn must_hold(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        (node, id): (&NodeId, &EnvelopeId),
    ) -> bool {
        let Ok((topic, shared)) = self.get(env.cx, topic) else {
            return false;
        };
        if !shared.clock_confirmed || topic.is_unshared(env, id) {
            return false;
        }
        let own = env.host.device(topic.local);
        let receipt = topic.held_receipt(env, node);
        let envelope = topic.lace.header(&mut env.cx.store, id);
        let (Some(own), Some(receipt), Some(envelope)) = (own, receipt, envelope) else {
            return false;
        };
        topic.device_of(&envelope) == Some(own) && topic.should_hold(env, &receipt, &envelope)
    }

    /// Whether silence on a link says something: a peer serves this node in the topic still, and has of late.
    pub fn is_heard(&mut self, env: &mut Env<'_, '_>, topic: Local, link: LinkId) -> bool {
        let topic = self.get(env.cx, topic).ok().map(|(topic, _)| &*topic);
        topic.is_some_and(|topic| topic.is_heard(env, link))
    }
}

impl Topic {
    /// What a custodian says it holds.
    fn held_receipt(&self, env: &mut Env<'_, '_>, node: &NodeId) -> Option<Receipt> {
        let holder = PublicKey::from_bytes(*node.as_bytes());
        let receipt = self.slot(env.cx, &(holder, ReceiptKind::Held))?;
        Some(receipt.value)
    }

    /// How much of one chain a receipt covers and another does not.
    fn short_of(
        &self,
        (shared, env): (&Shared, &mut Env<'_, '_>),
        (one, index, entry): (&Receipt, u16, &CutEntry),
        other: &Receipt,
    ) -> u64 {
        let mut short = entry.number;
        for (at, had) in (0_u16..).zip(&other.cut) {
            if had.author != entry.author {
                continue;
            }
            // The same branch, or one that is here as a whole and has that in it.
            let same = had.number == entry.number && had.id == entry.id;
            if !same && !self.lace.covers_envelope(&mut env.cx.store, had, &entry.id) {
                continue;
            }
            let mut lacks = 0;
            let excepted = other.exceptions.iter().filter(|(of, _)| *of == at);
            for (_, number) in excepted.filter(|(_, number)| *number <= entry.number) {
                let neither = one.exceptions.binary_search(&(index, *number)).is_ok();
                if !self.is_no_loss((shared, env), (&entry.author, *number), neither) {
                    lacks += 1;
                }
            }
            short = short.min(lacks);
        }
        short
    }

    /// Whether nothing is lost with an envelope that the one who is to take over has not got. If the other
    /// has not got it either, it may still have a part of its blocks.
    fn is_no_loss(
        &self,
        (shared, env): (&Shared, &mut Env<'_, '_>),
        (author, number): (&PublicKey, u64),
        neither: bool,
    ) -> bool {
        let ids = self.lace.at(&mut env.cx.store, author, number, 1);
        let header = ids
            .first()
            .and_then(|id| self.lace.header(&mut env.cx.store, id));
        let Some(header) = header.map(|envelope| envelope.header) else {
            return neither;
        };
        Self::is_over(shared, env.cx, header.expires) || (neither && header.manifest.is_none())
    }

    /// An envelope of this device that a receipt covers for a while yet, of which the body is here.
    fn draw(&self, env: &mut Env<'_, '_>, receipt: &Receipt) -> Option<EnvelopeId> {
        let own = env.host.device(self.local)?;
        let mut chains = Vec::new();
        for entry in &receipt.cut {
            let author = self.lace.author(&entry.author);
            let is_own = author.is_some_and(|author| *author.device() == own);
            if is_own && self.lace.covers(&mut env.cx.store, entry) == Coverage::Covers {
                chains.push(*entry);
            }
        }
        let all = chains
            .iter()
            .map(|entry| entry.number)
            .fold(0, u64::saturating_add);
        for _ in 0..AUDIT_DRAWS.min(usize::try_from(all).unwrap_or(usize::MAX)) {
            let mut drawn = env.cx.rng.below(all);
            let entry = chains.iter().find(|entry| {
                let here = drawn < entry.number;
                drawn = if here { drawn } else { drawn - entry.number };
                here
            })?;
            for id in self.lace.at(
                &mut env.cx.store,
                &entry.author,
                drawn + 1,
                wire::limits::MAX_CUT_IDS,
            ) {
                let held = self.lace.envelope(&mut env.cx.store, &id);
                let Some(held) = held.filter(|held| matches!(held.body, Body::Here(_))) else {
                    continue;
                };
                if self.should_hold(env, receipt, &held.envelope) {
                    return Some(id);
                }
            }
        }
        None
    }

    /// Whether a custodian must have an envelope by what its receipt says, by its clock and by this one's.
    fn should_hold(&self, env: &mut Env<'_, '_>, receipt: &Receipt, envelope: &Envelope) -> bool {
        let header = &envelope.header;
        let mut entries = (0_u16..).zip(&receipt.cut);
        let covered = entries.any(|(at, entry)| {
            let excepted = receipt
                .exceptions
                .binary_search(&(at, header.number))
                .is_ok();
            entry.author == header.author
                && !excepted
                && self
                    .lace
                    .covers_envelope(&mut env.cx.store, entry, &envelope.id)
        });
        let by_its_clock = receipt.time.saturating_add(AUDIT_MARGIN_MS) < header.expires;
        covered
            && header.class == Class::Content
            && lasts(env, header.expires)
            && by_its_clock
            && lasts(env, receipt.until)
    }

    /// A body has come, or is said to be gone, that may have been asked for only to see whether it is held.
    pub(crate) fn is_audited(
        &mut self,
        env: &mut Env<'_, '_>,
        link: LinkId,
        (id, body): (&EnvelopeId, Option<&[u8]>),
    ) {
        let asked = self.peers.get_mut(&link);
        let asked = asked.and_then(|peer| peer.audit.take_if(|audit| audit.id == *id));
        let Some(Audit { node, .. }) = asked else {
            return;
        };
        let Some(envelope) = self.lace.header(&mut env.cx.store, id) else {
            return;
        };
        let found = match body {
            Some(body) if seal::hash(&[body]) == envelope.header.body_hash => Found::Kept,
            Some(_) => Found::Other,
            None => {
                let says = self.held_receipt(env, &node);
                match says.is_some_and(|says| self.should_hold(env, &says, &envelope)) {
                    true => Found::Lacks,
                    // It has said so itself meanwhile: once is no lie.
                    false => Found::Silence,
                }
            }
        };
        self.audited(env, link, id, found);
    }

    pub(crate) fn audit_over(&mut self, env: &mut Env<'_, '_>, link: LinkId) {
        let now = env.cx.now;
        let asked = self.peers.get_mut(&link);
        let asked = asked.and_then(|peer| peer.audit.take_if(|audit| audit.at <= now));
        if let Some(audit) = asked
            && self.is_heard(env, link)
        {
            self.audited(env, link, &audit.id, Found::Silence);
        }
    }

    /// Whether a peer has said something in the topic of late: whom it serves no longer it says nothing.
    fn is_heard(&self, env: &Env<'_, '_>, link: LinkId) -> bool {
        let heard = self.peers.get(&link).and_then(|peer| peer.heard);
        heard.is_some_and(|at| at.after(AUDIT_HEARD) > env.cx.now)
    }

    /// It may not give anything now: it has more time, but not without end.
    pub(crate) fn audit_waits(&mut self, shared: &mut Shared, env: &Env<'_, '_>, link: LinkId) {
        let local = self.local;
        if let Some(peer) = self.peers.get_mut(&link)
            && let Some(audit) = peer.audit.as_mut().filter(|audit| audit.waits > 0)
        {
            audit.waits -= 1;
            audit.at = env.cx.now.after(AUDIT_PATIENCE);
            shared.timers.set(Timer::Audit(local, link), audit.at);
        }
    }

    fn audited(&self, env: &mut Env<'_, '_>, link: LinkId, id: &EnvelopeId, found: Found) {
        env.out.push(Output::Audited {
            link,
            topic: self.local,
            id: *id,
            found,
        });
    }
}
