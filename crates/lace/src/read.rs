//! Reading what is admitted.

use crate::bound::Status;
use crate::fact::Fact;
use crate::lace::Lace;
use crate::place::Place;
use crate::rows::{self, Bytes, Spot};
use identity::{EnvelopeId, PublicKey};
use machine::Staged;
use std::sync::Arc;
use wire::{Class, Envelope};

/// A body, or why there is none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// Here it is.
    Here(Vec<u8>),
    /// It has not come yet.
    Missing,
    /// It has expired here or was dropped.
    Gone,
}

/// An admitted envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// Its place in the local order; 0 if it never belonged to the kept set.
    pub n: u64,
    /// The envelope.
    pub envelope: Envelope,
    /// Its body.
    pub body: Body,
    /// Whether it is effective: what is not is void here and now, and may stand again.
    pub effective: bool,
}

impl Lace {
    /// Whether an envelope is admitted.
    pub fn contains(&self, store: &mut Staged<'_>, id: &EnvelopeId) -> bool {
        self.node(store, id).is_some()
    }

    /// An admitted envelope with its body.
    pub fn envelope(&self, store: &mut Staged<'_>, id: &EnvelopeId) -> Option<Held> {
        let node = self.node(store, id)?;
        let spot = Spot::new(node.author, node.number, id);
        let stored = self.stored(store, &spot)?;
        let header = &stored.envelope.header;
        let body = match store.get(rows::BODY, &rows::at_spot(self.local, &spot)) {
            Some(body) => Body::Here(body),
            None if header.body_len == 0 => Body::Here(Vec::new()),
            None if self.has_no_body(store, &spot, header) => Body::Missing,
            None => Body::Gone,
        };
        let effective = self
            .standing(store, &spot, stored.place)
            .is_effective(header.class);
        Some(Held {
            n: stored.place,
            envelope: stored.envelope,
            body,
            effective,
        })
    }

    /// An admitted envelope without its body.
    pub fn header(&self, store: &mut Staged<'_>, id: &EnvelopeId) -> Option<Envelope> {
        let node = self.node(store, id)?;
        let spot = Spot::new(node.author, node.number, id);
        Some(self.stored(store, &spot)?.envelope)
    }

    /// Whether an envelope is effective. It is unless its author has forked at or below its number,
    /// or it lies outside of what cuts leave of its author. Then it is void, but for content within
    /// all hard cuts that something firm has in its past.
    pub fn effective(&self, store: &mut Staged<'_>, id: &EnvelopeId) -> bool {
        let Some(node) = self.node(store, id) else {
            return false;
        };
        let spot = Spot::new(node.author, node.number, id);
        if !self.is_closed_at(node.author, node.number) {
            return true;
        }
        let stored = self.stored(store, &spot);
        stored.is_some_and(|stored| {
            let class = stored.envelope.header.class;
            self.standing(store, &spot, stored.place)
                .is_effective(class)
        })
    }

    /// The fact because of which an admitted envelope is not effective; nothing if it is, or if a
    /// fork alone is the reason.
    pub fn fallen_by(&self, store: &mut Staged<'_>, id: &EnvelopeId) -> Option<Arc<Fact>> {
        let node = self.node(store, id)?;
        if self.effective(store, id) {
            return None;
        }
        let class = self.header(store, id)?.header.class;
        let (Status::Loose(by) | Status::Void(by)) = self.status(store, &node, class) else {
            return None;
        };
        self.fact(store, by?)
    }

    /// Whether an envelope belongs to the kept set: it is effective, or in the past of what is.
    pub fn kept(&self, store: &mut Staged<'_>, id: &EnvelopeId) -> bool {
        let node = self.node(store, id);
        node.is_some_and(|node| self.is_kept(store, &Spot::new(node.author, node.number, id)))
    }

    /// The envelopes of the kept set with this number: one, or several beyond a fork, in the order
    /// of their ids; at most `limit`.
    pub fn at(
        &self,
        store: &mut Staged<'_>,
        author: &PublicKey,
        number: u64,
        limit: usize,
    ) -> Vec<EnvelopeId> {
        let Some(author) = self.author(author) else {
            return Vec::new();
        };
        let from = rows::from_number(self.local, author.no, number);
        let to = rows::after_number(self.local, author.no, number);
        let mut ids = Vec::new();
        for (_, row) in store.scan(rows::HEADER, &from, &to, limit) {
            if let Some(stored) = crate::lace::Stored::decode(&row)
                && self.is_kept(store, &self.spot_of(author.no, &stored.envelope))
            {
                ids.push(stored.envelope.id);
            }
        }
        ids
    }

    /// The envelope at a place of the local order. Places are given from 1 without gaps, but those
    /// of envelopes that were void and stand again are given up.
    pub fn by_place(&self, store: &mut Staged<'_>, n: u64) -> Option<Place> {
        self.placed(store, n).map(|(place, _)| place)
    }

    /// The highest place ever given.
    #[must_use]
    pub const fn last_place(&self) -> u64 {
        self.last
    }

    /// At most `limit` envelopes with places greater than `after`, in the local order, which is a
    /// causal order. What became void keeps its place: ask [`Lace::effective`].
    pub fn order(&self, store: &mut Staged<'_>, after: u64, limit: usize) -> Vec<Place> {
        let from = rows::at_place(self.local, after.saturating_add(1));
        let to = rows::key(self.local, &[&[u8::MAX; 9]]);
        let rows = store.scan(rows::ORDER, &from, &to, limit);
        rows.iter()
            .filter_map(|(key, row)| {
                let n = Bytes(key.get(4..)?).u64()?;
                self.read_place(n, row).map(|(place, _)| place)
            })
            .collect()
    }

    /// At most `limit` control envelopes with places greater than `after`, in the local order.
    pub fn control(&self, store: &mut Staged<'_>, after: u64, limit: usize) -> Vec<Place> {
        let from = rows::at_place(self.local, after.saturating_add(1));
        let to = rows::key(self.local, &[&[u8::MAX; 9]]);
        let rows = store.scan(rows::CONTROL, &from, &to, limit);
        rows.iter()
            .filter_map(|(key, _)| {
                let n = Bytes(key.get(4..)?).u64()?;
                self.placed(store, n).map(|(place, _)| place)
            })
            .collect()
    }

    /// At most `limit` control envelopes that have a place, the newest first. What became void keeps
    /// its place.
    pub fn newest_control(&self, store: &mut Staged<'_>, limit: usize) -> Vec<Place> {
        let from = rows::at_place(self.local, 0);
        let to = rows::key(self.local, &[&[u8::MAX; 9]]);
        let rows = store.scan_back(rows::CONTROL, &from, &to, limit);
        rows.iter()
            .filter_map(|(key, _)| {
                let n = Bytes(key.get(4..)?).u64()?;
                self.placed(store, n).map(|(place, _)| place)
            })
            .collect()
    }

    /// The heads: envelopes of unclosed authors that no other envelope of the kept set names.
    pub fn heads(&self) -> impl Iterator<Item = EnvelopeId> + '_ {
        self.authors
            .iter()
            .filter(|author| author.closed.is_none() && !author.covered)
            .filter_map(|author| Some(author.tip?.id))
    }

    pub(crate) fn placed(&self, store: &mut Staged<'_>, n: u64) -> Option<(Place, u32)> {
        let row = store.get(rows::ORDER, &rows::at_place(self.local, n))?;
        self.read_place(n, &row)
    }

    fn read_place(&self, n: u64, row: &[u8]) -> Option<(Place, u32)> {
        let mut bytes = Bytes(row);
        let no = bytes.u32()?;
        let number = bytes.u64()?;
        let class = match bytes.u8()? {
            0 => Class::Content,
            1 => Class::Control,
            _ => return None,
        };
        let id = EnvelopeId::from_bytes(bytes.array()?);
        let author = self.by_no(no)?.key;
        Some((
            Place {
                n,
                id,
                author,
                number,
                class,
            },
            no,
        ))
    }
}
