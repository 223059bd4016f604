//! Peers that have proved the topic by a device that takes part no more.
//!
//! They are told what took it from them, as far as that can be said now, and nothing after it.

use crate::event::{LinkId, Output, Peer};
use crate::limits::{IDLE_PATIENCE, MAX_LAST_WORDS};
use crate::state::{Shared, Timer, Topic};
use crate::topics::Env;
use identity::{EnvelopeId, PublicKey};
use lace::{Body, Effect, Lace};
use machine::{Cx, Staged};
use std::collections::BTreeSet;
use wire::{Class, Envelope, Item, TopicFrame};

impl Topic {
    /// A control envelope was admitted: it may say who takes part no more, or make known under which
    /// grant that stands no more somebody does.
    pub(crate) fn note_rights(&mut self, cx: &mut Cx<'_>, envelope: &Envelope) {
        let beside = self.peers.is_empty() && self.boxes.is_empty() && !self.has_claims();
        if envelope.header.class != Class::Control || beside {
            return;
        }
        let turns = self.lace.facts(&mut cx.store, |facts| {
            let carried = facts.carried(&envelope.id);
            carried.iter().any(|fact| turns_on(&fact.what))
        });
        self.rights_changed |= turns;
    }

    /// Parts with peers whose devices take part no more, if anything has changed about that.
    pub(crate) fn part_with_fallen(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>) {
        if !std::mem::take(&mut self.rights_changed) {
            return;
        }
        self.look_at_early_boxes(shared, env);
        self.drop_ended_boxes(env.cx);
        self.look_at_claims(shared, env);
        let effect = self.lace.held_effect(&mut env.cx.store);
        let mut fallen = Vec::new();
        for (link, peer) in &self.peers {
            if let Peer::Member { device, grant } = peer.who
                && has_fallen(&self.lace, &mut env.cx.store, &effect, (&device, &grant))
            {
                fallen.push((*link, device));
            }
        }
        for (link, device) in fallen {
            self.say_last(shared, env, link);
            self.drop_peer(shared, link);
            if let Some(state) = shared.links.get_mut(&link) {
                state.topics.remove(&self.local);
                state.blocked.remove(&self.local);
            }
            env.out.push(Output::Unproven {
                link,
                topic: self.local,
                device,
            });
        }
        if self.peers.is_empty() {
            shared.soon(Timer::Idle(self.local), env.cx.now, IDLE_PATIENCE);
        }
    }

    /// The newest that takes something away goes to a peer of which it has taken all: whoever was in
    /// step learns by it that it takes part no more.
    fn say_last(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>, link: LinkId) {
        let Some(room) = shared.room(link) else {
            return;
        };
        if env.host.may_give(env.cx, link).is_err() {
            return;
        }
        let ends = self.lace.ends(&mut env.cx.store, MAX_LAST_WORDS);
        let mut told: BTreeSet<EnvelopeId> = BTreeSet::new();
        let mut envelopes = Vec::new();
        let mut bytes = 0_usize;
        // Newest first, and what comes later has what came before in its past.
        for fact in ends {
            let held = self.lace.envelope(&mut env.cx.store, &fact.carrier);
            let Some((envelope, body)) = held.and_then(|held| match held.body {
                Body::Here(body) => Some((held.envelope, body)),
                Body::Missing | Body::Gone => None,
            }) else {
                continue;
            };
            bytes = bytes.saturating_add(envelope.header_bytes.len());
            bytes = bytes.saturating_add(body.len());
            if bytes > room {
                break;
            }
            if told.insert(fact.carrier) {
                envelopes.push(envelope.to_raw(Some(body)));
            }
        }
        if envelopes.is_empty() {
            return;
        }
        envelopes.reverse();
        env.host.gave(env.cx, link, envelopes.len(), bytes);
        let last = false;
        self.say(shared, env, link, TopicFrame::Envelopes { envelopes, last });
    }
}

/// Whether an item may change who takes part.
const fn turns_on(item: &Item) -> bool {
    matches!(
        item,
        Item::Grant(_)
            | Item::Invite(_)
            | Item::Revocation(_)
            | Item::Close(_)
            | Item::Act(_)
            | Item::Countersign(_)
    )
}

/// Whether a device that has shown this grant takes part no more. One that is not known here yet
/// has been proved by others' envelopes, and so has whoever claims an invite that stands.
fn has_fallen(
    lace: &Lace,
    store: &mut Staged<'_>,
    effect: &Effect,
    (device, grant): (&PublicKey, &identity::GrantId),
) -> bool {
    if effect.devices.keys().any(|(_, seated)| seated == device) {
        return false;
    }
    match effect.grants.get(grant) {
        Some(standing) => standing.holder.is_some(),
        None => lace.facts(store, |facts| !facts.issued(grant).is_empty()),
    }
}
