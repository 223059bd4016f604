//! What this node sends: from the command to the receipt.

use core::time::Duration;

use identity::{EnvelopeId, NodeId};
use machine::planted::{Bug, is};
use machine::{Cx, Outbox};
use wire::{Code, SignedMailReceipt};

use super::sealing::may_seal_again;
use super::{ECHO, Mail, MailRefusal, name};
use crate::event::Output;
use crate::limits::{
    ACL_MINUTE, MAIL_LIFESPAN, MAX_DESTINATIONS, MAX_DONE, MAX_ENGINE, MAX_HELD, MAX_MAIL_LIFESPAN,
    MAX_PAYLOAD, MAX_QUEUED, SWEEP_ROWS,
};
use crate::router::{Router, Timer};
use crate::row::{
    self, COUNTS, InboxRow, QUEUE, QUEUE_ALL, QUEUE_ENDS, QUEUE_ENVELOPES, QUEUE_ORDER,
    QUEUE_PAYLOADS, QUEUE_SEALED, QueueRow, RefusalRow, millis,
};

/// How much is done for a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Kept in the queue until it is acknowledged or expires, handed to the recipient's core nodes
    /// while it is away, delivered once.
    Reliable,
    /// Sent if there is a link within seconds, never acknowledged, never stored on its way.
    BestEffort,
}

/// A mail to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// To which node.
    pub to: NodeId,
    /// To which engine there, at most 32 bytes; `inbox` is the one that people read.
    pub engine: String,
    /// What.
    pub payload: Vec<u8>,
    /// How much is done for it.
    pub class: Class,
    /// For how long it is worth delivering; nothing = 7 days.
    pub lifespan: Option<Duration>,
}

/// Why a mail was not taken. The caller's mistake or a full queue; nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Too long.
    #[error("a mail has at most {MAX_PAYLOAD} bytes; longer things are files")]
    TooLong,
    /// No such engine name.
    #[error("the name of an engine has 1 to {MAX_ENGINE} bytes and is not \"echo\"")]
    Engine,
    /// The queue is full.
    #[error(
        "{MAX_QUEUED} mails wait for delivery, or mails for {MAX_DESTINATIONS} nodes; try later"
    )]
    Full,
}

pub(super) const WAITING: u8 = 0;
pub(super) const DELIVERED: u8 = 1;
pub(super) const EXPIRED: u8 = 2;
pub(super) const FAILED: u8 = 3;

impl Mail {
    /// What waits, counted from the store.
    pub(crate) fn load(cx: &mut Cx<'_>) -> Self {
        let mut mail = Self::default();
        if is(Bug::LostTimer) {
            return mail;
        }
        // A usize holds the number on the platforms that this program is built for.
        for (key, value) in cx.store.prefix(QUEUE_ORDER, &[], MAX_QUEUED as usize) {
            let Some(to) = row::part(&key, 0).map(NodeId::from_bytes) else {
                continue;
            };
            let destination = mail.destinations.entry(to).or_default();
            destination.waiting = destination.waiting.saturating_add(1);
            if value.last() == Some(&0) {
                destination.unheld = destination.unheld.saturating_add(1);
            }
        }
        mail
    }

    /// Mails that wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.destinations
            .values()
            .map(|destination| destination.waiting)
            .sum()
    }
}

impl Router {
    /// Sends a mail. Gives its name, which [`Router::state_of`] knows; a best-effort mail is
    /// forgotten as soon as it has left. A reliable one is durable when this turn is.
    ///
    /// # Errors
    /// [`MailError`].
    pub fn send(
        &mut self,
        cx: &mut Cx<'_>,
        send: Send,
        out: &mut Outbox<Output>,
    ) -> Result<EnvelopeId, MailError> {
        if send.payload.len() > MAX_PAYLOAD {
            return Err(MailError::TooLong);
        }
        if send.engine.is_empty() || send.engine.len() > MAX_ENGINE || send.engine == ECHO {
            return Err(MailError::Engine);
        }
        if send.to == self.me {
            return self.send_to_self(cx, send, out);
        }
        if send.class == Class::BestEffort {
            return Ok(self.send_best_effort(cx, send, out));
        }
        let new = !self.mail.destinations.contains_key(&send.to);
        if self.mail.waiting() >= MAX_QUEUED
            || (new && self.mail.destinations.len() >= MAX_DESTINATIONS)
        {
            return Err(MailError::Full);
        }
        let to = send.to;
        let id = self.store_mail(cx, &send);
        cx.store.put(QUEUE_PAYLOADS, *id.as_bytes(), send.payload);
        let destination = self.mail.destinations.entry(to).or_default();
        destination.waiting = destination.waiting.saturating_add(1);
        destination.unheld = destination.unheld.saturating_add(1);
        self.open_lanes(cx, to);
        self.wake_lanes(cx, &to);
        self.sync_mail_targets(cx, out);
        Ok(id)
    }

    /// Writes the rows of a mail that waits.
    fn store_mail(&mut self, cx: &mut Cx<'_>, send: &Send) -> EnvelopeId {
        let number = self.mail.number(cx, send.to);
        let id = name(&self.me, &send.to, number);
        let mut counts = row::counts(&mut cx.store);
        let sequence = counts.next_sequence;
        counts.next_sequence = sequence.saturating_add(1);
        row::put(&mut cx.store, COUNTS, row::ONLY, &counts);
        let lifespan = send
            .lifespan
            .unwrap_or(MAIL_LIFESPAN)
            .min(MAX_MAIL_LIFESPAN);
        let queued = QueueRow {
            to: *send.to.as_bytes(),
            number,
            sequence,
            engine: send.engine.clone(),
            queued_ms: cx.wall.as_millis(),
            lifespan_ms: millis(lifespan).max(1),
            seals: 0,
            envelope: None,
            held: Vec::new(),
            end: WAITING,
            end_ms: 0,
            receipt: Vec::new(),
            refusal: None,
            earlier: Vec::new(),
        };
        row::put(&mut cx.store, QUEUE, id.as_bytes(), &queued);
        cx.store
            .put(QUEUE_ALL, sequence.to_be_bytes(), *id.as_bytes());
        cx.store.put(QUEUE_ENDS, end_key(&queued, &id), []);
        self.sweep_soon(cx);
        let order = [id.as_bytes().as_slice(), &[0]].concat();
        cx.store.put(QUEUE_ORDER, order_key(&queued), order);
        id
    }

    /// What is for this node itself needs no seal and no link.
    fn send_to_self(
        &mut self,
        cx: &mut Cx<'_>,
        send: Send,
        out: &mut Outbox<Output>,
    ) -> Result<EnvelopeId, MailError> {
        if !self.inbox_has_room(cx, send.payload.len()) {
            return Err(MailError::Full);
        }
        let id = self.store_mail(cx, &send);
        let Some(queued) = queue_row(cx, &id) else {
            return Err(MailError::Full);
        };
        let mail = InboxRow {
            name: id.to_bytes(),
            source: self.me.to_bytes(),
            engine: send.engine,
            created_ms: queued.queued_ms,
            arrived_ms: queued.queued_ms,
            clock_unconfirmed: !self.clock_confirmed(),
            payload: send.payload,
        };
        self.put_into_inbox(cx, &mail, out);
        self.finish(cx, &id, queued, DELIVERED, out);
        Ok(id)
    }

    /// A custodian or the recipient acknowledges mails of ours, over the link with `peer`. Gives
    /// back the ids that are not ours.
    pub(super) fn acknowledged(
        &mut self,
        cx: &mut Cx<'_>,
        peer: NodeId,
        receipt: &SignedMailReceipt,
        out: &mut Outbox<Output>,
    ) -> Vec<EnvelopeId> {
        let holder = receipt.value.holder;
        let mut others = Vec::new();
        for envelope in &receipt.value.ids {
            let Some(id) = self.name_of(cx, envelope) else {
                others.push(*envelope);
                continue;
            };
            let Some(mut queued) = queue_row(cx, &id) else {
                continue;
            };
            if queued.end != WAITING {
                continue;
            }
            let to = NodeId::from_bytes(queued.to);
            match receipt.value.kind {
                wire::ReceiptKind::Delivered | wire::ReceiptKind::Read if holder == to => {
                    queued.receipt = receipt.to_raw().encode();
                    self.finish(cx, &id, queued, DELIVERED, out);
                }
                // Of an earlier envelope it means nothing: see `drop_envelope`.
                wire::ReceiptKind::Held
                    if holder == peer
                        && queued.envelope == Some(envelope.to_bytes())
                        && self.may_hold(cx, &to, &holder) =>
                {
                    self.arrived(cx, &to, &holder, envelope);
                    self.now_held(cx, &id, queued, &receipt.value, out);
                }
                _ => {}
            }
        }
        self.sync_mail_targets(cx, out);
        others
    }

    /// The end of a mail of ours: what is needed only to send it goes.
    pub(super) fn finish(
        &mut self,
        cx: &mut Cx<'_>,
        id: &EnvelopeId,
        mut queued: QueueRow,
        end: u8,
        out: &mut Outbox<Output>,
    ) {
        let to = NodeId::from_bytes(queued.to);
        let held = !queued.held.is_empty();
        for earlier in core::mem::take(&mut queued.earlier).chunks(32) {
            cx.store.delete(QUEUE_ENVELOPES, earlier);
        }
        queued.end = end;
        queued.end_ms = cx.wall.as_millis();
        if end == DELIVERED {
            queued.refusal = None;
        }
        row::put(&mut cx.store, QUEUE, id.as_bytes(), &queued);
        if !is(Bug::LeakingQueue) {
            cx.store.delete(QUEUE_PAYLOADS, *id.as_bytes());
            cx.store.delete(QUEUE_SEALED, *id.as_bytes());
        }
        cx.store.delete(QUEUE_ORDER, order_key(&queued));
        cx.store.delete(QUEUE_ENDS, end_key(&queued, id));
        out.push(Output::MailState { id: *id });
        if let Some(destination) = self.mail.destinations.get_mut(&to) {
            destination.waiting = destination.waiting.saturating_sub(1);
            if !held {
                destination.unheld = destination.unheld.saturating_sub(1);
            }
            if destination.waiting == 0 {
                self.mail.destinations.remove(&to);
                self.drop_lanes_for(&to);
            }
        }
        if let Some(envelope) = queued.envelope.map(EnvelopeId::from_bytes) {
            self.arrived_anywhere(cx, &to, &envelope);
        }
    }

    /// A peer would not take a mail of ours.
    pub(crate) fn mail_was_refused(
        &mut self,
        cx: &mut Cx<'_>,
        by: NodeId,
        refusal: MailRefusal,
        out: &mut Outbox<Output>,
    ) {
        let MailRefusal {
            id: envelope,
            code,
            text,
            retry_ms,
        } = refusal;
        let Some(id) = self.name_of(cx, &envelope) else {
            return;
        };
        let Some(mut queued) = queue_row(cx, &id) else {
            return;
        };
        // Of an earlier envelope it says nothing that is not known: see `drop_envelope`.
        if queued.envelope != Some(envelope.to_bytes()) {
            return;
        }
        let to = NodeId::from_bytes(queued.to);
        if queued.end != WAITING || (by != to && !self.mail.lanes.contains_key(&(to, by))) {
            return;
        }
        let by_recipient = by == to;
        // A core node that promised and no longer has it: it is sent there whole again.
        let forgotten = queued.held.iter().any(|held| held.core == *by.as_bytes());
        if forgotten {
            self.no_longer_held(cx, &id, &mut queued, &by);
        }
        queued.refusal = Some(RefusalRow {
            by: *by.as_bytes(),
            code: code.0,
            text,
            at_ms: cx.wall.as_millis(),
        });
        // A rate rule names the end of its minute: nothing is offered before.
        let wait = retry_ms.checked_sub(cx.wall.as_millis());
        let wait = wait.map(Duration::from_millis);
        let pause = wait.filter(|wait| code == Code::RATE && *wait <= ACL_MINUTE);
        let seal_again = code == Code::SEALING_KEY || code == Code::EXPIRED;
        let lasting = code == Code::TOO_LARGE || code == Code::INADMISSIBLE;
        if by_recipient && (lasting || (seal_again && !may_seal_again(&queued))) {
            self.finish(cx, &id, queued, FAILED, out);
        } else {
            if by_recipient && seal_again {
                // Sealed to a key that is gone, or dated by a clock that was wrong: again, with
                // what is known now.
                self.drop_envelope(cx, &id, &mut queued);
            }
            row::put(&mut cx.store, QUEUE, id.as_bytes(), &queued);
            out.push(Output::MailState { id });
            self.refused_on_lane(
                cx,
                (&to, &by),
                &envelope,
                ((by_recipient && seal_again) || forgotten, retry_ms != 0),
                pause,
            );
        }
        self.sync_mail_targets(cx, out);
    }

    /// Mails that wait to be delivered.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.mail.waiting()
    }

    /// The names of mails of ours that begin with these hexadecimal digits, at most `limit`.
    pub fn mails_with_prefix(
        &self,
        cx: &mut Cx<'_>,
        digits: &str,
        limit: usize,
    ) -> Vec<EnvelopeId> {
        let whole = digits.get(..digits.len() & !1).unwrap_or_default();
        let from: Vec<u8> = (0..whole.len())
            .step_by(2)
            .filter_map(|at| u8::from_str_radix(whole.get(at..at + 2)?, 16).ok())
            .collect();
        cx.store
            .prefix(QUEUE, &from, limit.saturating_mul(16))
            .into_iter()
            .filter_map(|(key, _)| row::part(&key, 0).map(EnvelopeId::from_bytes))
            .filter(|id| id.to_string().starts_with(digits))
            .take(limit)
            .collect()
    }

    fn name_of(&self, cx: &mut Cx<'_>, envelope: &EnvelopeId) -> Option<EnvelopeId> {
        let name = cx.store.get(QUEUE_ENVELOPES, envelope.as_bytes())?;
        row::part(&name, 0).map(EnvelopeId::from_bytes)
    }

    /// Ends mails that are over and forgets those that ended long ago; says whether more wait.
    pub(crate) fn sweep_queue(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) -> bool {
        let mut more = false;
        if self.clock_confirmed() {
            let to = cx.wall.as_millis().saturating_add(1).to_be_bytes();
            let due = cx.store.scan(QUEUE_ENDS, &[], &to, SWEEP_ROWS);
            more |= due.len() == SWEEP_ROWS;
            for (key, _) in due {
                cx.store.delete(QUEUE_ENDS, key.clone());
                let Some(id) = row::part(&key, 8).map(EnvelopeId::from_bytes) else {
                    continue;
                };
                if let Some(queued) = queue_row(cx, &id).filter(|queued| queued.end == WAITING) {
                    self.finish(cx, &id, queued, EXPIRED, out);
                }
            }
        }
        let counts = row::counts(&mut cx.store);
        // usize is at most 64 bits wide on every platform Rust supports.
        let keep = counts
            .next_sequence
            .saturating_sub(MAX_DONE as u64)
            .to_be_bytes();
        for (key, name) in cx.store.scan(QUEUE_ALL, &[], &keep, SWEEP_ROWS) {
            let Some(id) = row::part(&name, 0).map(EnvelopeId::from_bytes) else {
                continue;
            };
            let queued = queue_row(cx, &id);
            if queued.as_ref().is_some_and(|queued| queued.end == WAITING) {
                continue;
            }
            if let Some(envelope) = queued.and_then(|queued| queued.envelope) {
                cx.store.delete(QUEUE_ENVELOPES, envelope);
            }
            cx.store.delete(QUEUE, *id.as_bytes());
            cx.store.delete(QUEUE_ALL, key);
        }
        self.sync_mail_targets(cx, out);
        more
    }

    /// Removes what is over; says whether more waits.
    pub(crate) fn sweep_mail(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) -> bool {
        let queue = self.sweep_queue(cx, out);
        let windows = self.sweep_windows(cx);
        self.mail.echoes.forget(cx.now);
        if !self.mail.best_effort.is_empty() {
            self.timers.set_earlier(Timer::BestEffort, cx.now);
        }
        queue | windows
    }

    /// Whether mail waits here whose end somebody may want to hear of.
    pub(crate) fn has_ends(&self, cx: &mut Cx<'_>) -> bool {
        !cx.store.prefix(QUEUE_ENDS, &[], 1).is_empty() || !self.mail.best_effort.is_empty()
    }
}

/// A mail of ours, with no more custodians than are written now: earlier versions wrote all that
/// were named.
pub(super) fn queue_row(cx: &mut Cx<'_>, id: &EnvelopeId) -> Option<QueueRow> {
    let mut queued: QueueRow = row::get(&mut cx.store, QUEUE, id.as_bytes())?;
    queued.held.truncate(MAX_HELD);
    Some(queued)
}

pub(super) fn order_key(queued: &QueueRow) -> Vec<u8> {
    [queued.to.as_slice(), &queued.sequence.to_be_bytes()].concat()
}

fn end_key(queued: &QueueRow, id: &EnvelopeId) -> Vec<u8> {
    let end = queued.queued_ms.saturating_add(queued.lifespan_ms);
    [end.to_be_bytes().as_slice(), id.as_bytes()].concat()
}
