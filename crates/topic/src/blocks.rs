//! Blocks that belong to envelopes: what a custodian says it holds, it holds with its blocks.

use crate::event::Output;
use crate::host::Local;
use crate::limits::MAX_MISSING_FOR_RECEIPT;
use crate::rows::{self, LACKS, UNSHARED};
use crate::state::Topic;
use crate::topics::{Env, Topics};
use identity::{EnvelopeId, PublicKey};
use lace::Body;
use wire::Envelope;

impl Topics {
    /// All blocks that belong to an envelope are here, or none can be: it is held with all that
    /// belongs to it, and the next receipt says so.
    pub fn has_blocks(&mut self, env: &mut Env<'_, '_>, topic: Local, id: &EnvelopeId) {
        let Ok((topic, shared)) = self.get(env.cx, topic) else {
            return;
        };
        let key = rows::key_bytes(topic.local, &[id.as_bytes()]);
        if env.cx.store.has(LACKS, &key) {
            env.cx.store.delete(LACKS, key);
            topic.issue_soon(shared, env.cx.now);
        }
    }

    /// Blocks that belonged to an envelope are here no more: the next receipt leaves it out.
    pub fn lacks_blocks(&mut self, env: &mut Env<'_, '_>, topic: Local, id: &EnvelopeId) {
        let Ok((topic, shared)) = self.get(env.cx, topic) else {
            return;
        };
        if !topic.is_member() && topic.body_is_here(env, id) {
            let key = rows::key_bytes(topic.local, &[id.as_bytes()]);
            env.cx.store.put(LACKS, key, []);
            topic.issue_soon(shared, env.cx.now);
        }
    }

    /// A device has said that the blocks of an envelope may go. The envelope, if that device wrote it, it has
    /// blocks, and this is the first time; whether its body is here.
    pub fn unshared(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        (device, id): (&PublicKey, &EnvelopeId),
    ) -> Option<(Envelope, bool)> {
        let (topic, shared) = self.get(env.cx, topic).ok()?;
        let held = topic.lace.envelope(&mut env.cx.store, id)?;
        let own = topic.device_of(&held.envelope) == Some(*device);
        if !own || held.envelope.header.manifest.is_none() || topic.is_unshared(env, id) {
            return None;
        }
        let key = rows::key_bytes(topic.local, &[id.as_bytes()]);
        env.cx.store.put(UNSHARED, key.clone(), []);
        if env.cx.store.has(LACKS, &key) {
            // It is held with all that belongs to it now.
            env.cx.store.delete(LACKS, key);
            topic.issue_soon(shared, env.cx.now);
        }
        Some((held.envelope, matches!(held.body, Body::Here(_))))
    }

    /// Whether the author of an envelope has said that its blocks may go.
    pub fn is_unshared(&mut self, env: &mut Env<'_, '_>, topic: Local, id: &EnvelopeId) -> bool {
        let topic = self.get(env.cx, topic).ok();
        topic.is_some_and(|(topic, _)| topic.is_unshared(env, id))
    }

    /// The header of an envelope of a topic whose body is here.
    pub fn whole_header(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        id: &EnvelopeId,
    ) -> Option<Envelope> {
        let (topic, _) = self.get(env.cx, topic).ok()?;
        let held = topic.lace.envelope(&mut env.cx.store, id)?;
        matches!(held.body, Body::Here(_)).then_some(held.envelope)
    }
}

impl Topic {
    /// An envelope is here with its body: whoever holds it for others fetches its blocks, if it has any.
    pub(crate) fn note_blocks(&self, env: &mut Env<'_, '_>, envelope: &Envelope) {
        if envelope.header.manifest.is_none() {
            return;
        }
        if self.is_unshared(env, &envelope.id) {
            env.out.push(Output::Unshared {
                topic: self.local,
                id: envelope.id,
            });
            return;
        }
        if !self.is_member() {
            let key = rows::key_bytes(self.local, &[envelope.id.as_bytes()]);
            env.cx.store.put(LACKS, key, []);
        }
        env.out.push(Output::Blocks {
            topic: self.local,
            id: envelope.id,
        });
    }

    pub(crate) fn is_unshared(&self, env: &mut Env<'_, '_>, id: &EnvelopeId) -> bool {
        let key = rows::key_bytes(self.local, &[id.as_bytes()]);
        env.cx.store.has(UNSHARED, &key)
    }

    /// Envelopes that are held without all of their blocks, and had not expired at this time; nothing
    /// when there are more than a receipt is made for.
    pub(crate) fn lacking_blocks(
        &self,
        env: &mut Env<'_, '_>,
        time: u64,
    ) -> Option<Vec<(PublicKey, u64)>> {
        let prefix = rows::key(self.local);
        let found = env.cx.store.prefix(LACKS, &prefix, MAX_MISSING_FOR_RECEIPT);
        let full = found.len() == MAX_MISSING_FOR_RECEIPT;
        let mut lacking = Vec::new();
        for (key, _) in found {
            let id = key.get(4..).and_then(|id| id.try_into().ok());
            let id = id.map(EnvelopeId::from_bytes);
            let envelope = id.and_then(|id| self.lace.header(&mut env.cx.store, &id));
            match envelope {
                Some(envelope) if envelope.header.expires > time => {
                    lacking.push((envelope.header.author, envelope.header.number));
                }
                // What had expired is not spoken of.
                Some(_) | None => env.cx.store.delete(LACKS, key),
            }
        }
        // With those gone that are over there may be room the next time.
        (!full).then_some(lacking)
    }

    pub(crate) fn body_is_here(&self, env: &mut Env<'_, '_>, id: &EnvelopeId) -> bool {
        let held = self.lace.envelope(&mut env.cx.store, id);
        held.is_some_and(|held| matches!(held.body, Body::Here(_)))
    }
}
