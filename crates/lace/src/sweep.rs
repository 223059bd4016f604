//! Removing what is void, a bounded number of envelopes at a time.

use crate::author::Counts;
use crate::body::Freed;
use crate::fact::FactNo;
use crate::lace::{Lace, Stored};
use crate::limits::OPEN_PAGE;
use crate::rows::{self, Bytes, Spot};
use identity::EnvelopeId;
use machine::Staged;

impl Lace {
    /// Removes at most `limit` envelopes outside the kept set, header and body, those first that
    /// nothing names. Call it again until it gives nothing. What is removed is admitted afresh if
    /// something that stands names it later.
    pub fn sweep_void(&mut self, store: &mut Staged<'_>, limit: usize) -> Vec<Freed> {
        let closed: Vec<(u32, u64)> = self
            .authors
            .iter()
            // What is to rise is not kept yet.
            .filter(|author| !self.moving.contains(&author.no))
            .filter_map(|author| Some((author.no, author.closed?)))
            .collect();
        let mut freed = Vec::new();
        for (no, from) in closed {
            let low = rows::from_number(self.local, no, from);
            let mut high = rows::after_number(self.local, no, u64::MAX);
            loop {
                let page = store.scan_back(rows::HEADER, &low, &high, OPEN_PAGE);
                for (key, row) in &page {
                    if freed.len() >= limit {
                        return freed;
                    }
                    freed.extend(self.sweep_one(store, key, row));
                }
                match page.into_iter().last() {
                    Some((last, _)) => high = last,
                    None => break,
                }
            }
        }
        freed
    }

    fn sweep_one(&mut self, store: &mut Staged<'_>, key: &[u8], row: &[u8]) -> Option<Freed> {
        let spot = Spot::read(&mut Bytes(key.get(4..)?))?;
        let stored = Stored::decode(row)?;
        let standing = self.standing(store, &spot, stored.place);
        if standing.is_kept() || self.is_named(store, &spot, &stored) {
            return None;
        }
        let header = &stored.envelope.header;
        self.drop_node(store, &stored);
        let key = rows::at_spot(self.local, &spot);
        let body = store.get(rows::BODY, &key).map(|body| body.len());
        store.delete(rows::BODY, key.clone());
        store.delete(rows::HEADER, key);
        if let Some(expiry) = self.expiry_key(&spot, header) {
            store.delete(rows::EXPIRY, expiry);
        }
        store.delete(
            rows::ID,
            rows::key(self.local, &[stored.envelope.id.as_bytes()]),
        );
        for dep in &header.deps {
            if let Some(node) = self.node(store, dep) {
                let dep = Spot::new(node.author, node.number, dep);
                store.delete(
                    rows::NAMED,
                    rows::key(self.local, &[&dep.encode(), &spot.encode()]),
                );
            }
        }
        if stored.place > 0 {
            // The highest place may go with its row: it is never given again all the same.
            store.put(
                rows::LACE,
                rows::key(self.local, &[b"c"]),
                self.last.to_be_bytes(),
            );
            self.take_place(store, stored.place);
        }
        Some(self.discount(store, &spot, &stored, body))
    }

    /// What is known of an envelope's branch and facts, before it is removed.
    fn drop_node(&mut self, store: &mut Staged<'_>, stored: &Stored) {
        let header = &stored.envelope.header;
        let Some(node) = self.node(store, &stored.envelope.id) else {
            return;
        };
        self.shorten_branch(store, &node);
        let previous = EnvelopeId::from_bytes(header.previous);
        let before = (header.number > 1).then_some(&previous);
        let mut named = before.into_iter().chain(&header.deps);
        // All that it names is here: what is named is not removed.
        let is_carried = named.any(|id| {
            let named = self.node(store, id);
            named.is_some_and(|named| named.view == node.view)
        });
        if !is_carried && let Some(row) = self.view_row(store, node.view) {
            if row.count > 0 {
                self.drop_invites(store, &stored.envelope.id, (row.first, row.count));
                self.drop_facts(store, row.first, row.count);
            }
            self.release_view(store, node.view);
        }
    }

    /// Nobody can claim what is not here: it is noted again with its envelope.
    fn drop_invites(
        &mut self,
        store: &mut Staged<'_>,
        carrier: &EnvelopeId,
        (first, count): (u32, u16),
    ) {
        for at in 0..u32::from(count) {
            let fact = self.fact(store, FactNo(first.saturating_add(at)));
            let Some(grant) = fact.map(|fact| fact.item) else {
                continue;
            };
            self.drop_issue(store, &grant, carrier);
            if self.invites.remove(&(grant, *carrier)).is_some() {
                let key = [&b"i"[..], grant.as_bytes(), carrier.as_bytes()];
                store.delete(rows::LACE, rows::key(self.local, &key));
            }
        }
    }

    /// Whether another envelope that is here names this one.
    fn is_named(&self, store: &mut Staged<'_>, spot: &Spot, stored: &Stored) -> bool {
        let prefix = rows::key(self.local, &[&spot.encode()]);
        if !store.prefix(rows::NAMED, &prefix, 1).is_empty() {
            return true;
        }
        !self.successors(store, spot, &stored.envelope).is_empty()
    }

    fn discount(
        &mut self,
        store: &mut Staged<'_>,
        spot: &Spot,
        stored: &Stored,
        body: Option<usize>,
    ) -> Freed {
        let len = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        let less = Counts {
            envelopes: 1,
            header_bytes: len(stored.envelope.header_bytes.len()).saturating_add(64),
            bodies: u64::from(body.is_some()),
            body_bytes: len(body.unwrap_or(0)),
        };
        self.totals.subtract(&less);
        if let Some(author) = self.by_no_mut(spot.author) {
            author.counts.subtract(&less);
        }
        self.write_author(store, spot.author);
        Freed {
            author: stored.envelope.header.author,
            number: spot.number,
            bytes: less.body_bytes,
        }
    }
}
