//! Bodies that are here and could not be opened when they came: an announcement's box, or the keys of
//! another reader, may open them later.

use crate::keychain::Keychain;
use crate::limits::OPENED_PER_TURN;
use crate::node::{Inner, Turn};
use crate::rows::{LOCKED, NODE, vault_key};
use identity::EnvelopeId;
use machine::Cx;
use wire::Envelope;

/// First byte of a sealed body, its epoch, and its slice.
const SEALED_HEAD: usize = 18;

impl Keychain {
    /// A body does not open for want of a key. What was given up is not waited for.
    pub(crate) fn note_locked(
        &self,
        cx: &mut Cx<'_>,
        local: u32,
        envelope: &Envelope,
        body: &[u8],
    ) {
        let Some(([1, rest @ ..], _)) = body.split_first_chunk::<SEALED_HEAD>() else {
            return;
        };
        let Some((prefix, [slice])) = rest.split_first_chunk::<16>() else {
            return;
        };
        let ring = self.topics.get(&local).map(|keys| &keys.ring);
        let held = ring.and_then(|ring| ring.by_prefix(prefix));
        if held.is_none_or(|held| *slice >= held.kept_from()) {
            let key = [
                vault_key(LOCKED, local).as_slice(),
                rest,
                envelope.id.as_bytes(),
            ]
            .concat();
            cx.store.put(NODE, key, []);
        }
    }

    /// Some of the envelopes that can be opened by now: each is given once.
    fn unlocked(&self, cx: &mut Cx<'_>, local: u32) -> Vec<EnvelopeId> {
        let Some(keys) = self.topics.get(&local) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for held in keys.ring.epochs() {
            for slice in (0..held.epoch().slices()).filter(|slice| held.opens(*slice)) {
                let start = vault_key(LOCKED, local);
                let start = [start.as_slice(), &held.epoch().prefix(), &[slice]].concat();
                let room = OPENED_PER_TURN.saturating_sub(found.len());
                for (key, _) in cx.store.prefix(NODE, &start, room) {
                    let id = key.get(start.len()..).and_then(|id| id.try_into().ok());
                    found.extend(id.map(EnvelopeId::from_bytes));
                    cx.store.delete(NODE, key);
                }
            }
        }
        found
    }
}

impl Inner {
    /// Shows what can be opened since a key has come. Says whether there may be more.
    pub(super) fn show_unlocked(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> bool {
        let found = self.host.keys.unlocked(turn.cx, local);
        for id in &found {
            // Whoever has forgotten the topic waits for nothing of it.
            let _known = self.with_topics(turn, |topics, env| topics.opens_now(env, local, id));
        }
        found.len() >= OPENED_PER_TURN
    }
}
