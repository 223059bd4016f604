//! Bodies: rows of their own, that may come late and go early.

use crate::author::Counts;
use crate::lace::Lace;
use crate::limits::EXPIRY_STEP_MS;
use crate::rows::{self, Bytes, Spot};
use identity::{EnvelopeId, PublicKey};
use machine::Staged;
use machine::planted::{Bug, is};
use wire::{Checked, CheckedBody, Header};

/// What became of a body that came apart from its envelope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddedBody {
    /// It is stored; the place of its envelope.
    Added {
        /// The place.
        n: u64,
    },
    /// It was here, has expired, or was dropped.
    NotWanted,
    /// Its envelope is not here, or is void.
    NoEnvelope,
}

/// An envelope of the kept set whose body has not come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MissingBody {
    /// Its place in the local order.
    pub n: u64,
    /// Its id.
    pub id: EnvelopeId,
    /// Its author.
    pub author: PublicKey,
    /// Its number.
    pub number: u64,
    /// Bytes of the body.
    pub bytes: u32,
}

/// A body that has been removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Freed {
    /// Whose.
    pub author: PublicKey,
    /// The envelope's number.
    pub number: u64,
    /// Bytes that are free again; 0 when the body had never come.
    pub bytes: u64,
}

impl Lace {
    /// Stores a body that is missing.
    pub fn add_body(&mut self, store: &mut Staged<'_>, body: Checked<CheckedBody>) -> AddedBody {
        let CheckedBody { id, body } = body.into_inner();
        let Some(node) = self.node(store, &id) else {
            return AddedBody::NoEnvelope;
        };
        let spot = Spot::new(node.author, node.number, &id);
        let Some(stored) = self.stored(store, &spot) else {
            return AddedBody::NoEnvelope;
        };
        if !self.is_kept(store, &spot) {
            return AddedBody::NoEnvelope;
        }
        if self.put_missing_body(store, &spot, &body) {
            AddedBody::Added { n: stored.place }
        } else {
            AddedBody::NotWanted
        }
    }

    /// At most `limit` envelopes of the kept set whose bodies have not come, with places greater
    /// than `after`, and the place to go on from, or nothing at the end. Bodies that have expired
    /// or were dropped are not missing.
    pub fn missing_bodies(
        &self,
        store: &mut Staged<'_>,
        after: u64,
        limit: usize,
    ) -> (Vec<MissingBody>, Option<u64>) {
        let from = rows::at_place(self.local, after.saturating_add(1));
        let to = rows::key(self.local, &[&[u8::MAX; 9]]);
        let page = store.scan(rows::MISSING, &from, &to, limit);
        let full = page.len() == limit;
        let mut missing = Vec::with_capacity(page.len());
        let mut reached = after;
        for (key, row) in page {
            let Some(n) = key.get(4..).and_then(|key| Bytes(key).u64()) else {
                continue;
            };
            reached = n;
            if let Some((place, no)) = self.placed(store, n)
                && self.is_kept(store, &Spot::new(no, place.number, &place.id))
            {
                missing.push(MissingBody {
                    n,
                    id: place.id,
                    author: place.author,
                    number: place.number,
                    bytes: Bytes(&row).u32().unwrap_or(0),
                });
            }
        }
        (missing, (full && limit > 0).then_some(reached))
    }

    /// Removes bodies that have expired at `now`, in milliseconds since 1970 by a clock that is
    /// confirmed; at most `limit` of them. Headers stay, and so does control.
    pub fn expire(&mut self, store: &mut Staged<'_>, now: u64, limit: usize) -> Vec<Freed> {
        let hour = (now / EXPIRY_STEP_MS).saturating_add(1);
        let from = rows::key(self.local, &[]);
        let to = rows::at_place(self.local, hour);
        let mut freed = Vec::new();
        for (key, row) in store.scan(rows::EXPIRY, &from, &to, limit) {
            let spot = key.get(12..).and_then(|key| Spot::read(&mut Bytes(key)));
            if let Some(spot) = spot {
                let bytes = Bytes(&row).u32().unwrap_or(0);
                freed.extend(self.remove_body(store, &spot, bytes));
                if is(Bug::ExpiryDeletesHeader) {
                    store.delete(rows::HEADER, rows::at_spot(self.local, &spot));
                }
            }
            store.delete(rows::EXPIRY, key);
        }
        freed
    }

    /// When the next body expires, in milliseconds since 1970.
    pub fn next_expiry(&self, store: &mut Staged<'_>) -> Option<u64> {
        let (key, _) = store
            .prefix(rows::EXPIRY, &rows::key(self.local, &[]), 1)
            .into_iter()
            .next()?;
        Some(Bytes(key.get(4..)?).u64()?.saturating_mul(EXPIRY_STEP_MS))
    }

    /// Removes the body of a content envelope before its time, for want of room. It is not missing
    /// afterwards, it is gone.
    pub fn drop_body(&mut self, store: &mut Staged<'_>, id: &EnvelopeId) -> Option<Freed> {
        let node = self.node(store, id)?;
        let spot = Spot::new(node.author, node.number, id);
        let header = self.stored(store, &spot)?.envelope.header;
        let expiry = self.expiry_key(&spot, &header)?;
        let bytes = Bytes(&store.get(rows::EXPIRY, &expiry)?).u32()?;
        store.delete(rows::EXPIRY, expiry);
        self.remove_body(store, &spot, bytes)
    }

    fn remove_body(&mut self, store: &mut Staged<'_>, spot: &Spot, bytes: u32) -> Option<Freed> {
        if bytes > 0 {
            store.delete(rows::BODY, rows::at_spot(self.local, spot));
            let less = Counts {
                bodies: 1,
                body_bytes: u64::from(bytes),
                ..Counts::default()
            };
            self.totals.subtract(&less);
            if let Some(author) = self.by_no_mut(spot.author) {
                author.counts.subtract(&less);
            }
            self.write_author(store, spot.author);
        } else if let Some(stored) = self.stored(store, spot)
            && stored.place > 0
        {
            store.delete(rows::MISSING, rows::at_place(self.local, stored.place));
        }
        Some(Freed {
            author: self.by_no(spot.author)?.key,
            number: spot.number,
            bytes: u64::from(bytes),
        })
    }

    /// The row that says when a body goes; nothing for control, which stays.
    pub(crate) fn expiry_key(&self, spot: &Spot, header: &Header) -> Option<Vec<u8>> {
        if header.expires == 0 {
            return None;
        }
        let hour = header.expires.div_ceil(EXPIRY_STEP_MS).to_be_bytes();
        Some(rows::key(self.local, &[&hour, &spot.encode()]))
    }

    /// The rows of the body of a new envelope.
    pub(crate) fn put_body_rows(
        &self,
        store: &mut Staged<'_>,
        spot: &Spot,
        header: &Header,
        body: Option<&[u8]>,
    ) {
        if let Some(body) = body {
            store.put(rows::BODY, rows::at_spot(self.local, spot), body);
        }
        if let Some(key) = self.expiry_key(spot, header) {
            let bytes = body
                .and_then(|body| u32::try_from(body.len()).ok())
                .unwrap_or(0);
            store.put(rows::EXPIRY, key, bytes.to_be_bytes());
        }
    }

    /// Stores the body of an admitted envelope if it has not come yet and is still wanted.
    pub(crate) fn put_missing_body(
        &mut self,
        store: &mut Staged<'_>,
        spot: &Spot,
        body: &[u8],
    ) -> bool {
        let Some(stored) = self.stored(store, spot) else {
            return false;
        };
        let header = &stored.envelope.header;
        if !self.has_no_body(store, spot, header) {
            return false;
        }
        self.put_body_rows(store, spot, header, Some(body));
        if stored.place > 0 {
            store.delete(rows::MISSING, rows::at_place(self.local, stored.place));
        }
        let more = Counts {
            bodies: 1,
            body_bytes: u64::try_from(body.len()).unwrap_or(u64::MAX),
            ..Counts::default()
        };
        self.totals.add(&more);
        if let Some(author) = self.by_no_mut(spot.author) {
            author.counts.add(&more);
        }
        self.write_author(store, spot.author);
        true
    }

    /// Whether the body has not come and is still wanted.
    pub(crate) fn has_no_body(&self, store: &mut Staged<'_>, spot: &Spot, header: &Header) -> bool {
        let Some(key) = self
            .expiry_key(spot, header)
            .filter(|_| header.body_len > 0)
        else {
            return false;
        };
        let row = store.get(rows::EXPIRY, &key);
        row.is_some_and(|row| Bytes(&row).u32() == Some(0))
    }

    /// Whether the body is here, without reading it.
    pub(crate) fn has_body(&self, store: &mut Staged<'_>, spot: &Spot) -> bool {
        let Some(stored) = self.stored(store, spot) else {
            return false;
        };
        match self.expiry_key(spot, &stored.envelope.header) {
            Some(key) => {
                let row = store.get(rows::EXPIRY, &key);
                row.is_some_and(|row| Bytes(&row).u32().is_some_and(|bytes| bytes > 0))
            }
            None => true,
        }
    }

    pub(crate) fn is_body_missing(&self, store: &mut Staged<'_>, spot: &Spot) -> bool {
        self.stored(store, spot)
            .is_some_and(|stored| self.has_no_body(store, spot, &stored.envelope.header))
    }
}
