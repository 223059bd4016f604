//! Mailboxes: unicast envelopes held for clients that are away.

use std::collections::BTreeSet;

use core::time::Duration;
use identity::{EnvelopeId, NodeId};
use machine::{Cx, Outbox, Time};

use crate::clients::{active, bodies, client, quota, save};
use crate::limits::{
    HAND_OVER_BYTES, HAND_OVER_MAILS, HAND_OVER_PATIENCE, MAIL_HOLD, MAIL_OVERHEAD, MAX_MAILS,
    RELEASES_PER_TURN, RETRY_FULL, RETRY_MAX,
};
use crate::outcome::{Code, Refusal};
use crate::row::{
    self, MAIL_ENDS, MAIL_MARKS, MAIL_RECEIPTS, MAIL_SOURCES, MAILS, MailMark, MailRow, ReceiptRow,
    SourceRow,
};
use crate::state::{Custody, Output, millis};

/// A unicast envelope for a client. Its signature has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// For whom.
    pub client: NodeId,
    /// Its id.
    pub id: EnvelopeId,
    /// Who wrote it.
    pub source: NodeId,
    /// When it expires, in milliseconds since 1970.
    pub expires_ms: u64,
    /// The whole envelope as the caller encodes it: at most 64 KiB of body and its header. Empty when
    /// it came without its body, which only asks what became of it.
    pub bytes: Vec<u8>,
}

/// What happened to a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailAnswer {
    /// It is held, since now or before; promised until this time (milliseconds since 1970 by this
    /// node's clock), or longer if nobody has confirmed the clock.
    Held {
        /// The end of the promise.
        until_ms: u64,
    },
    /// It was handed over before; the client's own receipt, as given to [`Custody::mail_done`].
    Done {
        /// The receipt; empty when it was too long to be kept.
        receipt: Vec<u8>,
    },
}

/// A mail to be sent to its client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldMail {
    /// Its id.
    pub id: EnvelopeId,
    /// As given to [`Custody::mail`].
    pub bytes: Vec<u8>,
}

/// How far the hand-over to one linked client has come.
#[derive(Debug)]
pub(crate) struct HandOver {
    /// The number in the mailbox from which to go on.
    next: u64,
    waiting: BTreeSet<EnvelopeId>,
    patience: Duration,
    at: Option<Time>,
}

impl HandOver {
    pub(crate) const fn deadline(&self) -> Option<Time> {
        self.at
    }
}

impl Custody {
    /// Takes a mail for a client, once however often it comes.
    ///
    /// # Errors
    /// No client here, denied, its mailbox or the source's part of it full, expired, or the disk
    /// nearly full.
    pub fn mail(&mut self, cx: &mut Cx<'_>, mail: &Mail) -> Result<MailAnswer, Refusal> {
        if let Some(known) = self.known_mail(cx, &mail.client, &mail.id) {
            return Ok(known);
        }
        let key = row::pair(mail.client.as_bytes(), mail.id.as_bytes());
        let mut account = active(cx, &mail.client)?;
        if mail.bytes.is_empty() {
            return Err(Refusal::lasting(Code::NotServed, "it is not held here"));
        }
        self.check_disk()?;
        if self.is_over(cx, mail.expires_ms) {
            return Err(Refusal::lasting(Code::Expired, "the envelope has expired"));
        }
        let cost = cost(mail.bytes.len());
        let quota = quota(&account);
        let source_key = row::pair(mail.client.as_bytes(), mail.source.as_bytes());
        let mut source: SourceRow =
            row::get(&mut cx.store, MAIL_SOURCES, &source_key).unwrap_or_default();
        let full = |text: &str| Err(Refusal::for_now(Code::Quota, text, RETRY_FULL));
        if account.mails >= MAX_MAILS || account.mail.saturating_add(cost) > quota.mailbox() {
            return full("the mailbox is full");
        }
        if source.bytes.saturating_add(cost) > quota.mail_source() {
            return full("the part of the mailbox that one sender may use is full");
        }
        if bodies(&account).saturating_add(cost) > quota.bodies() {
            return full("the client's quota is used up");
        }
        let until_ms = sooner(mail.expires_ms, self.mail_hold(cx));
        let number = account.next_mail;
        account.next_mail = number.saturating_add(1);
        account.mails = account.mails.saturating_add(1);
        account.mail = account.mail.saturating_add(cost);
        source.bytes = source.bytes.saturating_add(cost);
        save(cx, &mail.client, &account);
        self.reports.changed(cx.now, &mail.client, &account, None);
        row::put(&mut cx.store, MAIL_SOURCES, &source_key, &source);
        let held = MailRow {
            id: *mail.id.as_bytes(),
            source: *mail.source.as_bytes(),
            bytes: mail.bytes.clone(),
        };
        row::put(&mut cx.store, MAILS, &mail_key(&mail.client, number), &held);
        let mark = MailMark {
            until_ms,
            number: Some(number),
            receipt: None,
            expires_ms: mail.expires_ms,
        };
        row::put(&mut cx.store, MAIL_MARKS, &key, &mark);
        // On a clock that nobody confirmed no end is fixed: see `date_mail`.
        let end = if self.confirmed { until_ms } else { 0 };
        cx.store.put(MAIL_ENDS, end_key(end, &key), []);
        self.wake(cx.now, &mail.client);
        Ok(MailAnswer::Held { until_ms })
    }

    /// What became of a mail that came before: all that is needed to answer an envelope without its
    /// body.
    #[must_use]
    pub fn known_mail(
        &self,
        cx: &mut Cx<'_>,
        node: &NodeId,
        id: &EnvelopeId,
    ) -> Option<MailAnswer> {
        let key = row::pair(node.as_bytes(), id.as_bytes());
        let mark: MailMark = row::get(&mut cx.store, MAIL_MARKS, &key)?;
        Some(match mark.number {
            Some(_) => MailAnswer::Held {
                until_ms: mark.until_ms,
            },
            None => {
                let kept = mark.receipt.map(|number| mail_key(node, number));
                let kept: Option<ReceiptRow> =
                    kept.and_then(|key| row::get(&mut cx.store, MAIL_RECEIPTS, &key));
                let receipt = kept.map_or_else(Vec::new, |kept| kept.bytes);
                MailAnswer::Done { receipt }
            }
        })
    }

    /// A client is linked: what is held for it is handed over, denied or not. While a hand-over runs
    /// this changes nothing; a new link begins with [`Custody::client_down`] for the one before.
    pub fn client_up(&mut self, cx: &mut Cx<'_>, node: NodeId, out: &mut Outbox<Output>) {
        if client(cx, &node).is_none() {
            return;
        }
        if self.is_client(cx, &node) || self.holds_for(cx, &node) {
            self.report_from_now(cx, node);
        }
        if self.hand_overs.contains_key(&node) {
            return;
        }
        let hand_over = HandOver {
            next: 0,
            waiting: BTreeSet::new(),
            patience: HAND_OVER_PATIENCE,
            at: Some(cx.now),
        };
        self.hand_overs.insert(node, hand_over);
        self.pump(cx, out);
    }

    /// A client's link is gone.
    pub fn client_down(&mut self, node: &NodeId) {
        self.hand_overs.remove(node);
        self.report_no_more(node);
    }

    /// A client has acknowledged mails with this receipt, whose signature has been checked. Gives
    /// back those that were held for it, with their sources, who wait for the receipt. The receipt
    /// is kept once, until the last of these promises would have ended, and given to whoever sends
    /// one of the mails again; it is charged as they were, and not kept if it is longer than they.
    pub fn mail_done(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        ids: &[EnvelopeId],
        receipt: &[u8],
    ) -> Vec<(EnvelopeId, NodeId)> {
        let mut done = Vec::new();
        let mut marks = Vec::new();
        let mut freed = 0_u64;
        for id in ids {
            let key = row::pair(node.as_bytes(), id.as_bytes());
            let Some(mut mark) = row::get::<MailMark>(&mut cx.store, MAIL_MARKS, &key) else {
                continue;
            };
            let Some(number) = mark.number.take() else {
                continue;
            };
            let held = take_mail(cx, &node, number);
            if let Some(held) = held {
                // A usize is at most 64 bits wide on every platform Rust supports.
                freed = freed.saturating_add(held.bytes.len() as u64);
                done.push((*id, NodeId::from_bytes(held.source)));
            }
            marks.push((key, mark, number));
        }
        let len = receipt.len() as u64;
        let kept = marks.first().map(|(_, _, number)| *number);
        let kept = kept.filter(|_| len <= freed);
        if let Some(number) = kept {
            let row = ReceiptRow {
                marks: marks.len() as u64,
                bytes: receipt.to_vec(),
            };
            row::put(&mut cx.store, MAIL_RECEIPTS, &mail_key(&node, number), &row);
            if let Some(mut account) = client(cx, &node) {
                account.mail = account.mail.saturating_add(len);
                save(cx, &node, &account);
            }
        }
        for (key, mut mark, _) in marks {
            mark.receipt = kept;
            row::put(&mut cx.store, MAIL_MARKS, &key, &mark);
        }
        self.look_at_usage(cx, &node, None);
        if let Some(hand_over) = self.hand_overs.get_mut(&node) {
            for id in ids {
                hand_over.waiting.remove(id);
            }
            if !done.is_empty() {
                hand_over.patience = HAND_OVER_PATIENCE;
            }
            if hand_over.waiting.is_empty() {
                hand_over.at = Some(cx.now);
            }
        }
        done
    }

    /// Removes mails and marks that are over; says whether more wait.
    pub(crate) fn end_mails(&mut self, cx: &mut Cx<'_>) -> bool {
        let to = cx.wall.as_millis().saturating_add(1).to_be_bytes();
        let due = cx.store.scan(MAIL_ENDS, &[], &to, RELEASES_PER_TURN);
        for (key, _) in &due {
            cx.store.delete(MAIL_ENDS, key.clone());
            let (Some(node), Some(mark_key)) = (row::node_at(key, 8), key.get(8..)) else {
                continue;
            };
            let mark: Option<MailMark> = row::get(&mut cx.store, MAIL_MARKS, mark_key);
            if let (Some(0), Some(mark)) = (row::number_at(key, 0), &mark) {
                self.date_mail(cx, mark_key, mark.clone());
                continue;
            }
            cx.store.delete(MAIL_MARKS, mark_key);
            let mark = mark.unwrap_or_default();
            if let Some(number) = mark.number {
                take_mail(cx, &node, number);
            }
            if let Some(number) = mark.receipt {
                drop_receipt(cx, &node, number);
            }
            if let Some(mut account) = client(cx, &node) {
                account.mail = account.mail.saturating_sub(MAIL_OVERHEAD);
                save(cx, &node, &account);
            }
            self.look_at_usage(cx, &node, None);
        }
        due.len() == RELEASES_PER_TURN
    }

    /// What was taken on an unconfirmed clock gets the whole hold from now on, or what was said then,
    /// if that is later.
    fn date_mail(&self, cx: &mut Cx<'_>, key: &[u8], mut mark: MailMark) {
        let hold = self.mail_hold(cx).max(mark.until_ms);
        mark.until_ms = sooner(mark.expires_ms, hold);
        cx.store.put(MAIL_ENDS, end_key(mark.until_ms, key), []);
        row::put(&mut cx.store, MAIL_MARKS, key, &mark);
    }

    fn mail_hold(&self, cx: &Cx<'_>) -> u64 {
        let hold = millis(MAIL_HOLD).min(self.settings.hold_ms());
        cx.wall.as_millis().saturating_add(hold)
    }

    /// Hands over the next mails to every linked client whose time has come.
    pub(crate) fn pump(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) {
        for (node, hand_over) in &mut self.hand_overs {
            if hand_over.at.is_none_or(|at| at > cx.now) {
                continue;
            }
            if !hand_over.waiting.is_empty() {
                // No receipt came: the client cannot take them now, or they were lost. Again, but
                // ever more rarely.
                hand_over.waiting.clear();
                hand_over.next = 0;
                hand_over.patience = hand_over.patience.saturating_mul(2).min(RETRY_MAX);
            }
            let mails = next_mails(cx, node, hand_over);
            if mails.is_empty() {
                hand_over.at = None;
                continue;
            }
            hand_over.waiting = mails.iter().map(|mail| mail.id).collect();
            hand_over.at = Some(cx.now.after(hand_over.patience));
            out.push(Output::HandOver {
                client: *node,
                mails,
            });
        }
    }

    fn wake(&mut self, now: Time, node: &NodeId) {
        if let Some(hand_over) = self.hand_overs.get_mut(node)
            && hand_over.waiting.is_empty()
        {
            hand_over.at = Some(now);
        }
    }
}

fn next_mails(cx: &mut Cx<'_>, node: &NodeId, hand_over: &mut HandOver) -> Vec<HeldMail> {
    let from = mail_key(node, hand_over.next);
    let to = mail_key(node, u64::MAX);
    let mut mails = Vec::new();
    let mut bytes = 0_usize;
    for (key, value) in cx.store.scan(MAILS, &from, &to, HAND_OVER_MAILS) {
        let (Some(number), Some(held)) = (row::number_at(&key, 32), row::decode(&value)) else {
            continue;
        };
        let held: MailRow = held;
        bytes = bytes.saturating_add(held.bytes.len());
        if bytes > HAND_OVER_BYTES && !mails.is_empty() {
            break;
        }
        hand_over.next = number.saturating_add(1);
        mails.push(HeldMail {
            id: EnvelopeId::from_bytes(held.id),
            bytes: held.bytes,
        });
    }
    mails
}

/// Removes a mail from its mailbox; its mark goes on costing [`MAIL_OVERHEAD`].
fn take_mail(cx: &mut Cx<'_>, node: &NodeId, number: u64) -> Option<MailRow> {
    let key = mail_key(node, number);
    let held: MailRow = row::get(&mut cx.store, MAILS, &key)?;
    cx.store.delete(MAILS, key);
    let cost = cost(held.bytes.len());
    if let Some(mut account) = client(cx, node) {
        account.mails = account.mails.saturating_sub(1);
        account.mail = account
            .mail
            .saturating_sub(cost.saturating_sub(MAIL_OVERHEAD));
        save(cx, node, &account);
    }
    let source_key = row::pair(node.as_bytes(), &held.source);
    if let Some(mut source) = row::get::<SourceRow>(&mut cx.store, MAIL_SOURCES, &source_key) {
        source.bytes = source.bytes.saturating_sub(cost);
        if source.bytes == 0 {
            cx.store.delete(MAIL_SOURCES, source_key);
        } else {
            row::put(&mut cx.store, MAIL_SOURCES, &source_key, &source);
        }
    }
    Some(held)
}

/// One mark fewer points to a receipt; the last one takes it along.
fn drop_receipt(cx: &mut Cx<'_>, node: &NodeId, number: u64) {
    let key = mail_key(node, number);
    let Some(mut kept) = row::get::<ReceiptRow>(&mut cx.store, MAIL_RECEIPTS, &key) else {
        return;
    };
    kept.marks = kept.marks.saturating_sub(1);
    if kept.marks > 0 {
        return row::put(&mut cx.store, MAIL_RECEIPTS, &key, &kept);
    }
    cx.store.delete(MAIL_RECEIPTS, key);
    if let Some(mut account) = client(cx, node) {
        account.mail = account.mail.saturating_sub(kept.bytes.len() as u64);
        save(cx, node, &account);
    }
}

/// The end of a hold, or the expiry if that is sooner; an expiry of 0 is never.
const fn sooner(expires_ms: u64, hold: u64) -> u64 {
    if expires_ms == 0 || expires_ms > hold {
        hold
    } else {
        expires_ms
    }
}

fn end_key(until_ms: u64, mark: &[u8]) -> Vec<u8> {
    [until_ms.to_be_bytes().as_slice(), mark].concat()
}

fn cost(bytes: usize) -> u64 {
    // usize is at most 64 bits wide on every platform Rust supports.
    (bytes as u64).saturating_add(MAIL_OVERHEAD)
}

fn mail_key(node: &NodeId, number: u64) -> Vec<u8> {
    [node.as_bytes().as_slice(), &number.to_be_bytes()].concat()
}
