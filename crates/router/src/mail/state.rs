//! Where a mail of ours stands, on whose evidence.

use std::collections::BTreeSet;

use identity::{Custodian, EnvelopeId, NodeId, OperatorTag};
use machine::Cx;
use wire::{Code, SignedMailReceipt};

use super::queue::{DELIVERED, EXPIRED, FAILED, WAITING, queue_row};
use crate::reach::{NotDialled, Reach};
use crate::router::Router;
use crate::row::{self, QUEUE_ALL, QUEUE_ENVELOPES, QueueRow};

/// The promise of a core node to hold a mail of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailHeld {
    /// Whose.
    pub node: NodeId,
    /// Until when, in milliseconds since 1970.
    pub until_ms: u64,
    /// Since when.
    pub at_ms: u64,
    /// Whose core node it is, as far as it says so.
    pub operator: Option<OperatorTag>,
}

/// What is known of a mail of ours, for `way why`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailState {
    /// Its name.
    pub id: EnvelopeId,
    /// To whom.
    pub to: NodeId,
    /// To which engine.
    pub engine: String,
    /// When it was stored here, in milliseconds since 1970 by this node's clock.
    pub stored_ms: u64,
    /// When it expires, by the same clock.
    pub expires_ms: u64,
    /// The envelope it travels in; nothing while the recipient's sealing key is not known.
    pub envelope: Option<EnvelopeId>,
    /// Core nodes that promised to hold it.
    pub held: Vec<MailHeld>,
    /// When the recipient's receipt came.
    pub delivered_ms: Option<u64>,
    /// The recipient's receipt.
    pub receipt: Option<SignedMailReceipt>,
    /// When it expired undelivered.
    pub expired_ms: Option<u64>,
    /// When it was given up, for the reason in `refusal`.
    pub failed_ms: Option<u64>,
    /// The last refusal: by whom, why, in whose words, when.
    pub refusal: Option<(NodeId, Code, String, u64)>,
    /// What it waits for, in words; nothing when it waits for nothing.
    pub waits_for: Option<String>,
    /// What would help, in words; may be empty.
    pub hint: String,
}

impl MailState {
    /// By how many custodians it is held at a time, in milliseconds since 1970; core nodes of one operator are
    /// one.
    #[must_use]
    pub fn custodians(&self, at_ms: u64) -> usize {
        let held = self.held.iter().filter(|held| held.until_ms > at_ms);
        let custodians = held.map(|held| Custodian::of(held.node, held.operator));
        custodians.collect::<BTreeSet<Custodian>>().len()
    }
}

impl Router {
    /// What is known of a mail of ours, by its name or by the id of its envelope.
    #[must_use]
    pub fn state_of(&self, cx: &mut Cx<'_>, id: &EnvelopeId) -> Option<MailState> {
        let id = match cx.store.get(QUEUE_ENVELOPES, id.as_bytes()) {
            Some(name) => EnvelopeId::from_bytes(row::part(&name, 0)?),
            None => *id,
        };
        let queued = queue_row(cx, &id)?;
        let to = NodeId::from_bytes(queued.to);
        let ended = |end: u8| (queued.end == end).then_some(queued.end_ms);
        let (waits_for, hint) = if queued.end == WAITING {
            let (waits_for, hint) = self.waits_for(&to, &queued);
            (Some(waits_for), hint)
        } else {
            (None, String::new())
        };
        let receipt = wire::RawStatement::decode(&queued.receipt).ok();
        Some(MailState {
            id,
            to,
            engine: queued.engine.clone(),
            stored_ms: queued.queued_ms,
            expires_ms: queued.queued_ms.saturating_add(queued.lifespan_ms),
            envelope: queued.envelope.map(EnvelopeId::from_bytes),
            held: queued
                .held
                .iter()
                .map(|held| MailHeld {
                    node: NodeId::from_bytes(held.core),
                    until_ms: held.until_ms,
                    at_ms: held.at_ms,
                    operator: held.operator.map(OperatorTag::from_bytes),
                })
                .collect(),
            delivered_ms: ended(DELIVERED),
            receipt: receipt.and_then(|raw| SignedMailReceipt::from_stored(raw).ok()),
            expired_ms: ended(EXPIRED),
            failed_ms: ended(FAILED),
            refusal: queued.refusal.as_ref().map(|refusal| {
                let by = NodeId::from_bytes(refusal.by);
                (by, Code(refusal.code), refusal.text.clone(), refusal.at_ms)
            }),
            waits_for,
            hint,
        })
    }

    /// The mail that was sent last, whatever became of it.
    #[must_use]
    pub fn last_sent(&self, cx: &mut Cx<'_>) -> Option<EnvelopeId> {
        let rows = cx.store.scan_back(QUEUE_ALL, &[], &[0xff; 9], 1);
        rows.first()
            .and_then(|(_, name)| row::part(name, 0))
            .map(EnvelopeId::from_bytes)
    }

    /// How many mails wait for their recipients.
    #[must_use]
    pub fn queued(&self) -> u64 {
        self.mail.waiting()
    }

    fn waits_for(&self, to: &NodeId, queued: &QueueRow) -> (String, String) {
        if self.open.contains_key(to) {
            let waits = if queued.envelope.is_none() {
                "the recipient's advert, which names the key to seal to"
            } else {
                "the recipient's receipt"
            };
            return (waits.to_owned(), String::new());
        }
        let target = self.targets.get(to);
        let waits = if queued.held.is_empty() {
            "a link with the recipient, or with one of its core nodes"
        } else {
            "the recipient, who must fetch it from its core node"
        };
        let hint = match target {
            _ if self.reach() == Reach::Core && queued.held.is_empty() => format!(
                "{}: mail goes to whom a core node serves that this node uses, too",
                NotDialled::OwnReach
            ),
            Some(target) if !target.last_error.is_empty() => {
                format!("the last attempt to reach it failed: {}", target.last_error)
            }
            Some(_) => String::new(),
            None => "add its address with `way peer add`".to_owned(),
        };
        (waits.to_owned(), hint)
    }
}
