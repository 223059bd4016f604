//! Bodies that come apart from their envelopes.

use crate::check::{Job, Work};
use crate::event::{LinkId, Rule};
use crate::host::{Offer, RefusedPart};
use crate::limits::{ANSWER_PATIENCE, MAX_BODIES_OWED, MAX_BODIES_PER_FRAME, MAX_GONE};
use crate::rows::Phase;
use crate::state::{Shared, Timer, Topic};
use crate::topics::Env;
use identity::EnvelopeId;
use lace::{AddedBody, Body};
use std::collections::BTreeSet;
use wire::{Checked, CheckedBody, Class, Envelope, TopicFrame};

impl Topic {
    pub(crate) fn on_body_want(&mut self, link: LinkId, ids: &[EnvelopeId]) {
        if let Some(peer) = self.peers.get_mut(&link) {
            let room = MAX_BODIES_OWED.saturating_sub(peer.owed.len());
            peer.owed.extend(ids.iter().take(room));
        }
    }

    pub(crate) fn send_bodies(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) -> bool {
        loop {
            let Some(peer) = self.peers.get_mut(&link) else {
                return false;
            };
            if peer.owed.is_empty() {
                return false;
            }
            let Some(room) = shared.room(link) else {
                return true;
            };
            let Some(allowed) = self.may_give(shared, env, link) else {
                let frame = TopicFrame::Bodies { bodies: Vec::new() };
                self.ask_for_patience(shared, env, link, frame);
                return false;
            };
            let room = room.min(allowed.bytes);
            let Some(peer) = self.peers.get_mut(&link) else {
                return false;
            };
            let mut bodies = Vec::new();
            let mut bytes = 0_usize;
            while bodies.len() < MAX_BODIES_PER_FRAME.min(allowed.messages)
                && let Some(id) = peer.owed.pop_front()
            {
                let held = self.lace.envelope(&mut env.cx.store, &id);
                let body = held.and_then(|held| match held.body {
                    Body::Here(body) if held.envelope.header.class == Class::Content => Some(body),
                    Body::Here(_) | Body::Missing | Body::Gone => None,
                });
                let size = body.as_ref().map_or(0, Vec::len).saturating_add(48);
                if !bodies.is_empty() && bytes.saturating_add(size) > room {
                    peer.owed.push_front(id);
                    break;
                }
                if body.is_none() && peer.told_gone.len() < MAX_GONE {
                    peer.told_gone.insert(id);
                }
                bytes = bytes.saturating_add(size);
                bodies.push((id, body));
            }
            shared.frames_left = shared.frames_left.saturating_sub(1);
            let given = bodies.iter().filter(|(_, body)| body.is_some()).count();
            env.host.gave(env.cx, link, given, bytes);
            self.say(shared, env, link, TopicFrame::Bodies { bodies });
        }
    }

    /// A body has come late: whoever was told that it is not here gets it.
    pub(crate) fn offer_body(&mut self, id: &EnvelopeId) {
        for peer in self.peers.values_mut() {
            if peer.told_gone.remove(id) && peer.owed.len() < MAX_BODIES_OWED {
                peer.owed.push_back(*id);
            }
        }
    }

    pub(crate) fn declines_bodies(&self, env: &Env<'_, '_>) -> bool {
        self.bodies_declined > env.cx.wall.as_millis()
    }

    /// Asks a peer for bodies that are missing and that it may have, each at most once a link.
    /// Says whether there is more to look through.
    pub(crate) fn ask_bodies(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) -> bool {
        let declines = self.declines_bodies(env) || self.is_declined(link, env.cx.wall.as_millis());
        let Some(peer) = self.peers.get(&link) else {
            return false;
        };
        if peer.body_from >= self.missing_to {
            return false;
        }
        let busy = !peer.bodies.is_empty() || peer.muted || peer.asked.is_some();
        let full = peer.gone.len() >= MAX_GONE;
        if busy || full || declines || !peer.is_compared() || self.row.phase != Phase::Active {
            return false;
        }
        let after = peer.body_from;
        let (missing, next) =
            self.lace
                .missing_bodies(&mut env.cx.store, after, MAX_BODIES_PER_FRAME);
        let ids: Vec<EnvelopeId> = missing
            .iter()
            .filter(|body| peer.has(&body.author, body.number))
            .filter(|body| !peer.gone.contains(&body.id) && !self.asked_bodies.contains(&body.id))
            .map(|body| body.id)
            .collect();
        let Some(peer) = self.peers.get_mut(&link) else {
            return false;
        };
        peer.body_from = next.unwrap_or(self.missing_to);
        if ids.is_empty() {
            return next.is_some();
        }
        peer.bodies.extend(&ids);
        self.asked_bodies.extend(&ids);
        shared.timers.set(
            Timer::Answer(self.local, link),
            env.cx.now.after(ANSWER_PATIENCE),
        );
        self.say(shared, env, link, TopicFrame::BodyWant { ids });
        false
    }

    /// These bodies may be asked of others.
    pub(crate) fn bodies_given_up(&mut self, ids: &BTreeSet<EnvelopeId>) {
        if ids.is_empty() {
            return;
        }
        for id in ids {
            self.asked_bodies.remove(id);
        }
        for peer in self.peers.values_mut() {
            peer.body_from = 0;
        }
    }

    pub(crate) fn on_bodies(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        bodies: Vec<(EnvelopeId, Option<Vec<u8>>)>,
    ) {
        if bodies.len() > MAX_BODIES_PER_FRAME {
            self.misbehaved(env, link, Rule::TooMuch);
            return;
        }
        if bodies.is_empty() {
            self.audit_waits(shared, env, link);
        }
        let mut bytes = 0_usize;
        let mut work = Vec::new();
        let mut gone = BTreeSet::new();
        for (id, body) in bodies {
            let Some(peer) = self.peers.get_mut(&link) else {
                return;
            };
            peer.bodies.remove(&id);
            self.asked_bodies.remove(&id);
            self.is_audited(env, link, (&id, body.as_deref()));
            let Some(peer) = self.peers.get_mut(&link) else {
                return;
            };
            match body {
                Some(body) => {
                    peer.gone.remove(&id);
                    let here = self.lace.contains(&mut env.cx.store, &id);
                    if !here && peer.early.len() < MAX_BODIES_PER_FRAME {
                        peer.early.insert(id);
                    }
                    if let Some(envelope) = self.lacking(env, &id) {
                        bytes = bytes.saturating_add(body.len());
                        work.push((envelope, body));
                    }
                }
                None => {
                    peer.is_gone(id);
                    self.waiting.look_again();
                    gone.insert(id);
                }
            }
        }
        self.bodies_given_up(&gone);
        self.wait_for_answer(shared, env, link);
        if work.is_empty() || self.declines_bodies(env) {
            return;
        }
        if self.may_check(shared, env.cx.now, (link, bytes)) {
            let job = Job::new(Work::Bodies(work), bytes, false);
            self.send_job(shared, env, link, job);
        } else if let Some(peer) = self.peers.get_mut(&link) {
            peer.body_from = 0;
        }
    }

    /// The envelope, if its body is missing here.
    pub(crate) fn lacking(&self, env: &mut Env<'_, '_>, id: &EnvelopeId) -> Option<Envelope> {
        let held = self.lace.envelope(&mut env.cx.store, id)?;
        (held.body == Body::Missing).then_some(held.envelope)
    }

    pub(crate) fn take_body(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        body: Checked<CheckedBody>,
    ) {
        let id = body.get().id;
        let Some(envelope) = self.lacking(env, &id) else {
            return;
        };
        let offer = Offer {
            link,
            id,
            header: &envelope.header,
            header_bytes: 0,
            body_bytes: body.get().body.len(),
            parked_bytes: self.parked.bytes_of(link),
            needed: true,
            own: self.is_own_author(env, &envelope.header.author),
        };
        if let Err(refusal) = env.host.room(env.cx, self.local, offer) {
            if refusal.what == RefusedPart::Expired {
                self.lace.drop_body(&mut env.cx.store, &id);
                return;
            }
            let retry = Self::retry_of(env, refusal.retry_at);
            if refusal.what == RefusedPart::Giver {
                self.decline_peer(link, retry);
                return self.retry_at(shared, env, retry);
            }
            self.bodies_declined = self.bodies_declined.max(retry);
            self.retry_at(shared, env, retry);
            return;
        }
        if let AddedBody::Added { .. } = self.lace.add_body(&mut env.cx.store, body) {
            self.charge(env, &id, Some(link), false);
            self.body_came(shared, env, &id);
        }
    }

    pub(crate) fn body_came(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        id: &EnvelopeId,
    ) {
        if let Some(envelope) = self.lace.header(&mut env.cx.store, id) {
            self.note_blocks(env, &envelope);
        }
        self.show_late(env, id);
        self.offer_body(id);
        self.issue_soon(shared, env.cx.now);
    }
}
