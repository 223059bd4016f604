//! Evidence of forks: one pair of headers an author, at the lowest number known.

use crate::lace::Lace;
use crate::limits::{CLOSE_CHUNK, MAX_STRANGE_EVIDENCE};
use crate::rows::{self, Bytes, Spot};
use identity::seal::kdf;
use identity::{EnvelopeId, PublicKey, Signature};
use machine::Staged;
use std::collections::BTreeMap;
use wire::{Checked, Envelope, Evidence};

/// What is known of an author's fork: the lowest number at which two envelopes are known, and the
/// two smallest ids there. Replicas that have heard the same of an author agree on it, in whatever
/// order they heard it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The number.
    pub number: u64,
    /// Two ids of envelopes with this number, ascending.
    pub ids: [EnvelopeId; 2],
}

impl Seen {
    /// Reads the beginning of a row: `number ‖ id ‖ id`.
    pub(crate) fn decode(row: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(row);
        Some(Self {
            number: bytes.u64()?,
            ids: [
                EnvelopeId::from_bytes(bytes.array()?),
                EnvelopeId::from_bytes(bytes.array()?),
            ],
        })
    }
}

/// `number ‖ id ‖ id ‖` and for both `length u32 ‖ proof ‖ header bytes`.
fn encode(evidence: &Evidence) -> Vec<u8> {
    let mut out = evidence.first.header.number.to_be_bytes().to_vec();
    let both = [&evidence.first, &evidence.second];
    for envelope in both {
        out.extend_from_slice(envelope.id.as_bytes());
    }
    for envelope in both {
        // A header is at most 2 KiB.
        let len = u32::try_from(envelope.header_bytes.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(envelope.proof.as_bytes());
        out.extend_from_slice(&envelope.header_bytes);
    }
    out
}

fn decode(row: &[u8]) -> Option<Evidence> {
    let mut bytes = Bytes(row.get(72..)?);
    let mut envelope = || {
        let len = usize::try_from(bytes.u32()?).ok()?;
        let proof = Signature::from_bytes(bytes.array()?);
        Envelope::from_stored(bytes.take(len)?.to_vec(), proof).ok()
    };
    Some(Evidence {
        first: envelope()?,
        second: envelope()?,
    })
}

impl Lace {
    /// The authors that are known to have forked.
    pub fn forks(&self) -> impl Iterator<Item = (&PublicKey, &Seen)> {
        self.seen.iter()
    }

    /// The evidence about an author.
    pub fn evidence(&self, store: &mut Staged<'_>, author: &PublicKey) -> Option<Evidence> {
        self.seen.get(author)?;
        decode(&store.get(
            rows::LACE,
            &rows::key(self.local, &[b"e", author.as_bytes()]),
        )?)
    }

    /// At most `limit` pieces of evidence about authors whose keys follow `after`.
    pub fn evidence_page(
        &self,
        store: &mut Staged<'_>,
        after: Option<&PublicKey>,
        limit: usize,
    ) -> Vec<Evidence> {
        let authors: Vec<PublicKey> = self
            .seen
            .keys()
            .filter(|author| after.is_none_or(|after| *author > after))
            .take(limit)
            .copied()
            .collect();
        authors
            .iter()
            .filter_map(|author| self.evidence(store, author))
            .collect()
    }

    /// Two replicas with equal hashes have the same evidence.
    #[must_use]
    pub fn evidence_hash(&self) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(self.seen.len().saturating_mul(104));
        for (author, seen) in &self.seen {
            bytes.extend_from_slice(author.as_bytes());
            bytes.extend_from_slice(&seen.number.to_be_bytes());
            bytes.extend_from_slice(seen.ids[0].as_bytes());
            bytes.extend_from_slice(seen.ids[1].as_bytes());
        }
        kdf("evidence", &[&bytes])
    }

    /// Takes evidence that came from a peer. Says whether it was news; if so, the author is closed
    /// from the number on, unless it was closed from there already.
    pub fn add_evidence(&mut self, store: &mut Staged<'_>, evidence: &Checked<Evidence>) -> bool {
        let header = &evidence.get().first.header;
        if header.topic() != Some(self.id) {
            return false;
        }
        self.learn(store, evidence.get()).is_some()
    }

    /// Merges evidence with what is known; the evidence as it is now, if that is news.
    pub(crate) fn learn(
        &mut self,
        store: &mut Staged<'_>,
        evidence: &Evidence,
    ) -> Option<Evidence> {
        let author = evidence.first.header.author;
        let number = evidence.first.header.number;
        let known = self.seen.get(&author).copied();
        if known.is_some_and(|seen| seen.number < number)
            || (known.is_none() && !self.has_room_for_evidence(&author))
        {
            return None;
        }
        let mut all: BTreeMap<EnvelopeId, Envelope> = BTreeMap::new();
        for envelope in [&evidence.first, &evidence.second] {
            all.insert(envelope.id, envelope.clone());
        }
        if known.is_some_and(|seen| seen.number == number)
            && let Some(old) = self.evidence(store, &author)
        {
            all.insert(old.first.id, old.first);
            all.insert(old.second.id, old.second);
        }
        for envelope in self.all_at(store, &author, number) {
            all.insert(envelope.id, envelope);
        }
        let mut smallest = all.into_values();
        let evidence = Evidence {
            first: smallest.next()?,
            second: smallest.next()?,
        };
        let seen = Seen {
            number,
            ids: [evidence.first.id, evidence.second.id],
        };
        if known == Some(seen) {
            return None;
        }
        let key = rows::key(self.local, &[b"e", author.as_bytes()]);
        store.put(rows::LACE, key, encode(&evidence));
        self.seen.insert(author, seen);
        self.is_stale(store);
        if let Some(no) = self.by_key.get(&author).copied() {
            self.know_bounds(store);
            self.retarget(store, no);
            self.step(store, no, CLOSE_CHUNK, &mut Vec::new());
        }
        Some(evidence)
    }

    fn has_room_for_evidence(&self, author: &PublicKey) -> bool {
        let strangers = self
            .seen
            .keys()
            .filter(|key| !self.by_key.contains_key(*key));
        self.by_key.contains_key(author) || strangers.count() < MAX_STRANGE_EVIDENCE
    }

    /// The envelopes that are here with this number, parked or admitted; of the admitted the two
    /// with the smallest ids.
    pub(crate) fn all_at(
        &self,
        store: &mut Staged<'_>,
        author: &PublicKey,
        number: u64,
    ) -> Vec<Envelope> {
        let mut all: Vec<Envelope> = self.park.at(author, number).cloned().collect();
        let Some(author) = self.author(author) else {
            return all;
        };
        if number <= author.top {
            let from = rows::from_number(self.local, author.no, number);
            let to = rows::after_number(self.local, author.no, number);
            for (_, row) in store.scan(rows::HEADER, &from, &to, 2) {
                all.extend(crate::lace::Stored::decode(&row).map(|stored| stored.envelope));
            }
        }
        all
    }

    /// Looks whether a verified envelope contradicts another that is here, admitted or parked.
    pub(crate) fn observe(
        &mut self,
        store: &mut Staged<'_>,
        envelope: &Envelope,
    ) -> Option<Evidence> {
        let header = &envelope.header;
        let known = self.seen.get(&header.author);
        if known.is_some_and(|seen| {
            seen.number < header.number
                || (seen.number == header.number && seen.ids[1] <= envelope.id)
        }) {
            return None;
        }
        let others = self.all_at(store, &header.author, header.number);
        let other = others.into_iter().find(|other| other.id != envelope.id)?;
        let (first, second) = if other.id < envelope.id {
            (other, envelope.clone())
        } else {
            (envelope.clone(), other)
        };
        self.learn(store, &Evidence { first, second })
    }

    /// The row of an envelope.
    pub(crate) fn spot_of(&self, author: u32, envelope: &Envelope) -> Spot {
        Spot::new(author, envelope.header.number, &envelope.id)
    }
}
