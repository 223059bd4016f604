//! Envelopes whose past has not come yet: in memory, bounded, without effect.

use crate::limits::{
    MAX_PARKED, MAX_PARKED_BYTES, MAX_PARKED_BYTES_PER_AUTHOR, MAX_PARKED_BYTES_UNKNOWN,
    MAX_PARKED_PER_AUTHOR, MAX_PARKED_UNKNOWN,
};
use identity::{EnvelopeId, PublicKey};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Envelope, Verified};

/// An envelope that waits for its past, as it may be shown: unchecked, so many missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParkedEnvelope<'a> {
    /// The envelope.
    pub envelope: &'a Envelope,
    /// How many envelopes that it names are not here.
    pub missing: usize,
}

#[derive(Debug)]
struct Waiting {
    verified: Verified,
    missing: BTreeSet<EnvelopeId>,
    bytes: usize,
    known: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Load {
    envelopes: usize,
    bytes: usize,
}

impl Load {
    fn fits(self, more: usize, envelopes: usize, bytes: usize) -> bool {
        self.envelopes < envelopes && self.bytes.saturating_add(more) <= bytes
    }

    fn add(&mut self, bytes: usize) {
        self.envelopes += 1;
        self.bytes += bytes;
    }

    fn subtract(&mut self, bytes: usize) {
        self.envelopes -= 1;
        self.bytes -= bytes;
    }
}

/// The parked envelopes of one topic.
#[derive(Debug, Default)]
pub(crate) struct Parking {
    by_id: BTreeMap<EnvelopeId, Waiting>,
    /// Who waits for an envelope that is not here.
    waiters: BTreeMap<EnvelopeId, BTreeSet<EnvelopeId>>,
    by_number: BTreeSet<(PublicKey, u64, EnvelopeId)>,
    loads: BTreeMap<PublicKey, Load>,
    unknown: Load,
    total: Load,
}

impl Parking {
    pub(crate) fn contains(&self, id: &EnvelopeId) -> bool {
        self.by_id.contains_key(id)
    }

    pub(crate) fn len(&self) -> usize {
        self.total.envelopes
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.total.bytes
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = ParkedEnvelope<'_>> {
        self.by_id.values().map(|waiting| ParkedEnvelope {
            envelope: &waiting.verified.envelope,
            missing: waiting.missing.len(),
        })
    }

    /// Parked envelopes of an author with a number.
    pub(crate) fn at(
        &self,
        author: &PublicKey,
        number: u64,
    ) -> impl Iterator<Item = &Envelope> + use<'_> {
        let low = (*author, number, EnvelopeId::from_bytes([0; 32]));
        let high = (*author, number, EnvelopeId::from_bytes([u8::MAX; 32]));
        self.by_number
            .range(low..=high)
            .filter_map(|(_, _, id)| Some(&self.by_id.get(id)?.verified.envelope))
    }

    /// The lowest and highest parked number of each author.
    pub(crate) fn spans(&self) -> BTreeMap<PublicKey, (u64, u64)> {
        let mut spans = BTreeMap::new();
        for (author, number, _) in &self.by_number {
            let span = spans.entry(*author).or_insert((*number, *number));
            span.1 = *number;
        }
        spans
    }

    /// Whether the envelope that an author's parked one with this number follows is among what is
    /// missing.
    pub(crate) fn lacks_previous(&self, author: &PublicKey, number: u64) -> bool {
        self.at(author, number).any(|envelope| {
            let previous = EnvelopeId::from_bytes(envelope.header.previous);
            self.waiters.contains_key(&previous)
        })
    }

    /// Whether one more envelope of this size and number would be kept.
    pub(crate) fn has_room(
        &self,
        author: &PublicKey,
        known: bool,
        number: u64,
        bytes: usize,
    ) -> bool {
        if !self.total.fits(bytes, MAX_PARKED, MAX_PARKED_BYTES)
            || (!known
                && !self
                    .unknown
                    .fits(bytes, MAX_PARKED_UNKNOWN, MAX_PARKED_BYTES_UNKNOWN))
        {
            return false;
        }
        let load = self.loads.get(author).copied().unwrap_or_default();
        load.fits(bytes, MAX_PARKED_PER_AUTHOR, MAX_PARKED_BYTES_PER_AUTHOR)
            || self
                .highest(author)
                .is_some_and(|(highest, _)| highest > number)
    }

    fn highest(&self, author: &PublicKey) -> Option<(u64, EnvelopeId)> {
        let low = (*author, 0, EnvelopeId::from_bytes([0; 32]));
        let high = (*author, u64::MAX, EnvelopeId::from_bytes([u8::MAX; 32]));
        let (_, number, id) = self.by_number.range(low..=high).next_back()?;
        Some((*number, *id))
    }

    /// Keeps an envelope until all of `missing` are here; says whether there was room.
    pub(crate) fn put(&mut self, verified: Verified, missing: &[EnvelopeId], known: bool) -> bool {
        let envelope = &verified.envelope;
        let (author, number, id) = (envelope.header.author, envelope.header.number, envelope.id);
        let bytes = size(&verified);
        if !self.has_room(&author, known, number, bytes) {
            return false;
        }
        loop {
            let load = self.loads.get(&author).copied().unwrap_or_default();
            if load.fits(bytes, MAX_PARKED_PER_AUTHOR, MAX_PARKED_BYTES_PER_AUTHOR) {
                break;
            }
            // The lower number is nearer to what is here.
            match self.highest(&author) {
                Some((highest, other)) if highest > number => drop(self.take(&other)),
                _ => return false,
            }
        }
        for id_missing in missing {
            self.waiters.entry(*id_missing).or_default().insert(id);
        }
        self.by_number.insert((author, number, id));
        self.loads.entry(author).or_default().add(bytes);
        self.total.add(bytes);
        if !known {
            self.unknown.add(bytes);
        }
        let missing = missing.iter().copied().collect();
        self.by_id.insert(
            id,
            Waiting {
                verified,
                missing,
                bytes,
                known,
            },
        );
        true
    }

    /// An envelope has come: those that waited for nothing else.
    pub(crate) fn release(&mut self, id: &EnvelopeId) -> Vec<Verified> {
        let mut ready = Vec::new();
        for waiter in self.waiters.remove(id).unwrap_or_default() {
            let Some(waiting) = self.by_id.get_mut(&waiter) else {
                continue;
            };
            waiting.missing.remove(id);
            if waiting.missing.is_empty() {
                ready.extend(self.take(&waiter));
            }
        }
        ready
    }

    /// An envelope can never be admitted: neither can those that wait for it.
    pub(crate) fn drop_dependents(&mut self, id: &EnvelopeId) {
        let mut lost = vec![*id];
        while let Some(id) = lost.pop() {
            for waiter in self.waiters.remove(&id).unwrap_or_default() {
                drop(self.take(&waiter));
                lost.push(waiter);
            }
        }
    }

    /// Drops what is parked of an author from a number on.
    pub(crate) fn drop_from(&mut self, author: &PublicKey, number: u64) {
        while let Some((highest, id)) = self.highest(author)
            && highest >= number
        {
            drop(self.take(&id));
        }
    }

    /// What is parked of an author counts as a known author's from now on.
    pub(crate) fn is_known(&mut self, author: &PublicKey) {
        for (owner, _, id) in &self.by_number {
            if owner == author
                && let Some(waiting) = self.by_id.get_mut(id)
                && !waiting.known
            {
                waiting.known = true;
                self.unknown.subtract(waiting.bytes);
            }
        }
    }

    pub(crate) fn take(&mut self, id: &EnvelopeId) -> Option<Verified> {
        let waiting = self.by_id.remove(id)?;
        for missing in &waiting.missing {
            if let Some(waiters) = self.waiters.get_mut(missing) {
                waiters.remove(id);
                if waiters.is_empty() {
                    self.waiters.remove(missing);
                }
            }
        }
        let header = &waiting.verified.envelope.header;
        self.by_number.remove(&(header.author, header.number, *id));
        if let Some(load) = self.loads.get_mut(&header.author) {
            load.subtract(waiting.bytes);
            if load.envelopes == 0 {
                self.loads.remove(&header.author);
            }
        }
        self.total.subtract(waiting.bytes);
        if !waiting.known {
            self.unknown.subtract(waiting.bytes);
        }
        Some(waiting.verified)
    }
}

/// Bytes that a parked envelope is counted with: what came, twice the header for its decoded form.
pub(crate) fn size(verified: &Verified) -> usize {
    let body = verified.body.as_ref().map_or(0, Vec::len);
    verified
        .envelope
        .header_bytes
        .len()
        .saturating_mul(2)
        .saturating_add(body)
        .saturating_add(64)
}
