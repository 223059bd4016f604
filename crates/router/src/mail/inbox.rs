//! The inbox: what came for this node, in the order in which it came.

use identity::{EnvelopeId, NodeId};
use machine::{Cx, Outbox};

use crate::event::Output;
use crate::limits::{MAX_INBOX, MAX_INBOX_BYTES, SWEEP_ROWS};
use crate::router::Router;
use crate::row::{self, COUNTS, INBOX, InboxRow};

/// A mail in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxMail {
    /// Its number here, from 1.
    pub n: u64,
    /// Its name, the same as at its source.
    pub id: EnvelopeId,
    /// Who sent it.
    pub from: NodeId,
    /// For which engine.
    pub engine: String,
    /// When it was made, in milliseconds since 1970, as its source claims.
    pub created_ms: u64,
    /// When it came, by this node's clock.
    pub arrived_ms: u64,
    /// Whether its source had a clock that nobody had confirmed.
    pub clock_unconfirmed: bool,
    /// What.
    pub payload: Vec<u8>,
}

impl Router {
    /// Mails after number `after`, oldest first, at most `limit`.
    #[must_use]
    pub fn inbox(&self, cx: &mut Cx<'_>, after: u64, limit: usize) -> Vec<InboxMail> {
        let from = after.saturating_add(1).to_be_bytes();
        let rows = cx.store.scan(INBOX, &from, &u64::MAX.to_be_bytes(), limit);
        let mail = |(key, value): (Vec<u8>, Vec<u8>)| {
            let mail: InboxRow = row::decode(&value)?;
            Some(InboxMail {
                n: row::number_at(&key, 0)?,
                id: EnvelopeId::from_bytes(mail.name),
                from: NodeId::from_bytes(mail.source),
                engine: mail.engine,
                created_ms: mail.created_ms,
                arrived_ms: mail.arrived_ms,
                clock_unconfirmed: mail.clock_unconfirmed,
                payload: mail.payload,
            })
        };
        rows.into_iter().filter_map(mail).collect()
    }

    /// The number of the newest mail; 0 before the first.
    #[must_use]
    pub fn inbox_last(&self, cx: &mut Cx<'_>) -> u64 {
        row::counts(&mut cx.store).inbox_last
    }

    /// Up to which mail the application has confirmed that it has dealt with them. What is
    /// confirmed stays readable until the room is needed.
    #[must_use]
    pub fn inbox_cursor(&self, cx: &mut Cx<'_>) -> u64 {
        row::counts(&mut cx.store).inbox_confirmed
    }

    /// Moves the cursor forward; never back, and not past the newest mail.
    pub fn inbox_confirm(&mut self, cx: &mut Cx<'_>, n: u64) {
        let mut counts = row::counts(&mut cx.store);
        counts.inbox_confirmed = counts.inbox_confirmed.max(n.min(counts.inbox_last));
        row::put(&mut cx.store, COUNTS, row::ONLY, &counts);
    }

    /// Whether so many bytes more fit, after confirmed mails have been let go if need be.
    pub(super) fn inbox_has_room(&self, cx: &mut Cx<'_>, len: usize) -> bool {
        let mut counts = row::counts(&mut cx.store);
        // usize is at most 64 bits wide on every platform Rust supports.
        let fits = |count: u64, bytes: u64| {
            count < MAX_INBOX && bytes.saturating_add(len as u64) <= MAX_INBOX_BYTES
        };
        if fits(counts.inbox_count, counts.inbox_bytes) {
            return true;
        }
        let to = counts.inbox_confirmed.saturating_add(1).to_be_bytes();
        for (key, value) in cx.store.scan(INBOX, &[], &to, SWEEP_ROWS) {
            let payload = row::decode(&value).map_or(0, |mail: InboxRow| mail.payload.len());
            counts.inbox_count = counts.inbox_count.saturating_sub(1);
            counts.inbox_bytes = counts.inbox_bytes.saturating_sub(payload as u64);
            cx.store.delete(INBOX, key);
        }
        row::put(&mut cx.store, COUNTS, row::ONLY, &counts);
        fits(counts.inbox_count, counts.inbox_bytes)
    }

    /// Stores a mail. Whether there is room has been asked.
    pub(super) fn put_into_inbox(
        &self,
        cx: &mut Cx<'_>,
        mail: &InboxRow,
        out: &mut Outbox<Output>,
    ) {
        let mut counts = row::counts(&mut cx.store);
        let n = counts.inbox_last.saturating_add(1);
        counts.inbox_last = n;
        counts.inbox_count = counts.inbox_count.saturating_add(1);
        counts.inbox_bytes = counts.inbox_bytes.saturating_add(mail.payload.len() as u64);
        row::put(&mut cx.store, COUNTS, row::ONLY, &counts);
        row::put(&mut cx.store, INBOX, &n.to_be_bytes(), mail);
        out.push(Output::Mail { n });
    }
}
