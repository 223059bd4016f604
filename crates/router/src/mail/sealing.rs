//! Mails become envelopes, sealed to the key of the recipient's advert, and anew when that has turned
//! so often that the recipient may have thrown the key away.

use identity::seal::hpke;
use identity::{EnvelopeId, GrantId, NodeId};
use machine::{Cx, Outbox};
use wire::{Header, NodeAdvert, Raw, sign_envelope};

use super::body::{Body, Kind};
use super::queue::{WAITING, queue_row};
use super::{SEAL_NAME, associated};
use crate::adverts::key_id;
use crate::event::Output;
use crate::limits::{MAX_SEALS, RESEALED_AT_ONCE};
use crate::router::Router;
use crate::row::{
    self, QUEUE, QUEUE_ENVELOPES, QUEUE_ORDER, QUEUE_PAYLOADS, QUEUE_SEALED, QueueRow,
};

impl Router {
    /// The envelope of a mail, and whether it was made just now. Sealed now if it was not yet, or to
    /// a key that the recipient's advert does not name any more. Nothing while no key is known.
    pub(super) fn sealed(
        &mut self,
        cx: &mut Cx<'_>,
        id: &EnvelopeId,
        mut queued: QueueRow,
    ) -> Option<(EnvelopeId, Raw, bool)> {
        let to = NodeId::from_bytes(queued.to);
        let known = cx.store.get(QUEUE_SEALED, id.as_bytes());
        if let (Some(raw), Some(envelope)) = (known, queued.envelope) {
            let raw = Raw::decode(&raw).ok()?;
            let advert = self.advert(cx, &to);
            let opens = advert.is_none_or(|advert| opens(&advert, &raw));
            if opens || !may_seal_again(&queued) {
                return Some((EnvelopeId::from_bytes(envelope), raw, false));
            }
            self.drop_envelope(cx, id, &mut queued);
        }
        let payload = cx.store.get(QUEUE_PAYLOADS, id.as_bytes())?;
        let end_ms = queued.queued_ms.saturating_add(queued.lifespan_ms);
        let left_ms = end_ms.saturating_sub(cx.wall.as_millis());
        let plan = Plan {
            to,
            number: queued.number,
            // At least a minute: if it is over, the queue ends it, not a clock that was wrong then.
            lifespan_ms: left_ms.min(queued.lifespan_ms).max(60_000),
            class: wire::Class::Content,
        };
        let engine = queued.engine.clone();
        let body = Body {
            engine,
            kind: Kind::Message,
            payload,
        };
        let (envelope, raw) = self.seal(cx, &plan, &body)?;
        queued.envelope = Some(envelope.to_bytes());
        queued.seals = queued.seals.saturating_add(1);
        row::put(&mut cx.store, QUEUE, id.as_bytes(), &queued);
        cx.store.put(QUEUE_SEALED, *id.as_bytes(), raw.encode());
        cx.store
            .put(QUEUE_ENVELOPES, envelope.to_bytes(), *id.as_bytes());
        Some((envelope, raw, true))
    }

    /// The envelope of a mail is of no use any more: it is to be sealed anew, over every link that
    /// there is for it. Whoever holds the old one holds nothing that counts: its recipient may not be
    /// able to open it. If it could, its receipt counts as any other, for the number stays: both are
    /// delivered as one. So the old id names the mail until its end.
    pub(super) fn drop_envelope(
        &mut self,
        cx: &mut Cx<'_>,
        id: &EnvelopeId,
        queued: &mut QueueRow,
    ) {
        cx.store.delete(QUEUE_SEALED, *id.as_bytes());
        if let Some(envelope) = queued.envelope.take() {
            queued.earlier.extend_from_slice(&envelope);
            let envelope = EnvelopeId::from_bytes(envelope);
            self.rewind_lanes(cx, queued, &envelope);
        }
        self.held_by_nobody(cx, id, queued);
        row::put(&mut cx.store, QUEUE, id.as_bytes(), queued);
    }

    /// A recipient has a new sealing key: what was sealed to one that its advert does not name any
    /// more is sealed anew, the oldest first; what is beyond the limit when it is sent next. A mail
    /// that was sealed as often as may be stays as it is: a replaced key opens for a while.
    pub(super) fn drop_stale_envelopes(
        &mut self,
        cx: &mut Cx<'_>,
        to: &NodeId,
        advert: &NodeAdvert,
        out: &mut Outbox<Output>,
    ) {
        for (_, value) in cx
            .store
            .prefix(QUEUE_ORDER, to.as_bytes(), RESEALED_AT_ONCE)
        {
            let Some(id) = row::part(&value, 0).map(EnvelopeId::from_bytes) else {
                continue;
            };
            let sealed = cx.store.get(QUEUE_SEALED, id.as_bytes());
            let Some(Ok(raw)) = sealed.map(|raw| Raw::decode(&raw)) else {
                continue;
            };
            if opens(advert, &raw) {
                continue;
            }
            let stale = |queued: &QueueRow| queued.end == WAITING && may_seal_again(queued);
            if let Some(mut queued) = queue_row(cx, &id).filter(stale) {
                self.drop_envelope(cx, &id, &mut queued);
                out.push(Output::MailState { id });
            }
        }
    }

    /// Seals and signs an envelope for a node whose advert is known.
    pub(super) fn seal(
        &self,
        cx: &mut Cx<'_>,
        plan: &Plan,
        body: &Body,
    ) -> Option<(EnvelopeId, Raw)> {
        let advert = self.advert(cx, &plan.to)?;
        let created = self.clock.guess(cx).min(wire::limits::MAX_TIME_MS / 2);
        let header = Header {
            destination: plan.to.to_id(),
            author: self.config.secret.public(),
            number: plan.number,
            previous: [0; 32],
            generation: 1,
            created,
            expires: created.saturating_add(plan.lifespan_ms),
            body_len: 0,
            body_hash: [0; 32],
            count: 1,
            class: plan.class,
            grant: GrantId::from_bytes([0; 32]),
            hops: 0,
            deps: Vec::new(),
            manifest: None,
            clock_unconfirmed: !self.clock_confirmed(),
            extensions: wire::Extensions::new(),
        };
        let fields = [self.me.as_bytes().as_slice(), plan.to.as_bytes()];
        let aad = associated(&header);
        let plain = body.encode();
        let (enc, ct) =
            hpke::seal(&advert.sealing, SEAL_NAME, &fields, &aad, &plain, cx.rng).ok()?;
        let id = key_id(&advert.sealing);
        let body = [id.as_slice(), &enc, &ct].concat();
        let verified = sign_envelope(header, body, &self.config.secret)
            .ok()?
            .into_inner();
        Some((
            verified.envelope.id,
            verified.envelope.to_raw(verified.body),
        ))
    }
}

/// What the header of a mail says.
pub(super) struct Plan {
    pub(super) to: NodeId,
    pub(super) number: u64,
    pub(super) lifespan_ms: u64,
    pub(super) class: wire::Class,
}

/// Whether a mail may be sealed once more.
pub(super) const fn may_seal_again(queued: &QueueRow) -> bool {
    queued.seals < MAX_SEALS
}

/// Whether an envelope is sealed to a key that an advert names.
fn opens(advert: &NodeAdvert, raw: &Raw) -> bool {
    let body = raw.body.as_deref().unwrap_or_default();
    let named = [Some(&advert.sealing), advert.sealing_before.as_ref()];
    named
        .into_iter()
        .flatten()
        .any(|key| body.starts_with(&key_id(key)))
}
