//! Looking into topics without changing them.

use crate::node::{Inner, Turn};
use crate::rows::NODE;
use identity::{EnvelopeId, PublicKey};
use lace::Lace;
use machine::{Cx, Staged};
use topic::Topics;

/// First byte of the key of a row that says that a topic has own messages which nobody else is known
/// to have.
const QUEUED: u8 = b'q';

/// Looks at the graph of a topic, if the topic is here.
pub(crate) fn look<R>(
    topics: &mut Topics,
    cx: &mut Cx<'_>,
    local: u32,
    f: impl FnOnce(&Lace, &mut Staged<'_>) -> R,
) -> Option<R> {
    let lace = topics.lace(cx, local)?;
    Some(f(lace, &mut cx.store))
}

/// Envelopes of a topic whose ids begin with these hexadecimal digits, at most `limit`.
pub(crate) fn ids_with_prefix(
    cx: &mut Cx<'_>,
    local: u32,
    digits: &str,
    limit: usize,
) -> Vec<EnvelopeId> {
    let whole = digits.get(..digits.len() & !1).unwrap_or_default();
    let bytes = (0..whole.len())
        .step_by(2)
        .filter_map(|at| u8::from_str_radix(whole.get(at..at + 2)?, 16).ok());
    let prefix: Vec<u8> = local.to_be_bytes().into_iter().chain(bytes).collect();
    // An odd digit leaves sixteen candidates for each that fits, at least on average.
    cx.store
        .prefix(lace::rows::ID, &prefix, limit.saturating_mul(64))
        .into_iter()
        .filter_map(|(key, _)| key.get(4..36)?.try_into().ok().map(EnvelopeId::from_bytes))
        .filter(|id| id.to_string().starts_with(digits))
        .take(limit)
        .collect()
}

impl Inner {
    /// Whether a device has said that it leaves.
    pub(crate) fn has_left(&self, cx: &mut Cx<'_>, local: u32, device: &PublicKey) -> bool {
        let key = [local.to_be_bytes().as_slice(), device.as_bytes()].concat();
        cx.store
            .get(topic::rows::DEVICE, &key)
            .is_some_and(|row| row.first() == Some(&1))
    }

    /// Something was published: until a receipt comes, nobody else is known to have it.
    pub(crate) fn note_queued(&self, turn: &mut Turn<'_, '_>, local: u32) {
        turn.cx.store.put(NODE, queued_key(local), []);
    }

    /// Own envelopes of the present author that nobody else is known to have, in all topics.
    pub(crate) fn undelivered(&mut self, turn: &mut Turn<'_, '_>) -> u64 {
        let rows = turn.cx.store.prefix(NODE, &[QUEUED], 4096);
        let locals: Vec<u32> = rows
            .iter()
            .filter_map(|(key, _)| Some(u32::from_be_bytes(key.get(1..5)?.try_into().ok()?)))
            .collect();
        locals
            .into_iter()
            .map(|local| self.undelivered_in(turn, local))
            .sum()
    }

    /// When somebody has everything that this device wrote before it left a topic, it is shown there
    /// no more, its cores need not serve it, and no links are kept with its members.
    pub(crate) fn left_progress(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let leaving = self.host.keys.topic(local).filter(|keys| keys.row.leaving);
        let Some(id) = leaving.map(|keys| keys.id) else {
            return;
        };
        if self.undelivered_in(turn, local) == 0 {
            self.host
                .keys
                .update(turn.cx, local, |row| row.leaving = false);
            self.mine.unwant(turn.cx, id, &mut turn.mine);
            self.leave_members(turn, local);
        }
    }

    fn undelivered_in(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> u64 {
        let author = topic::Keys::author(&self.host, local);
        let tip = author.and_then(|author| {
            look(&mut self.topics, turn.cx, local, |lace, _| {
                lace.author(&author)
                    .and_then(|author| author.tip())
                    .map(|tip| tip.number)
            })
            .flatten()
        });
        let (Some(author), Some(tip)) = (author, tip) else {
            return 0;
        };
        // What somebody has is a beginning of the chain, gaps apart: the least number that nobody
        // has is found by halving.
        let (mut had, mut lacks) = (0, tip.saturating_add(1));
        while lacks - had > 1 {
            let middle = had + (lacks - had) / 2;
            let id = look(&mut self.topics, turn.cx, local, |lace, store| {
                lace.at(store, &author, middle, 1).into_iter().next()
            });
            let Some(Some(id)) = id else { break };
            let states = self.with_topics(turn, |topics, env| topics.states(env, local, &id));
            let known = matches!(states, Ok(Some(states)) if states.held + states.delivered > 0);
            if known { had = middle } else { lacks = middle }
        }
        let count = tip.saturating_add(1).saturating_sub(lacks);
        if count == 0 {
            turn.cx.store.delete(NODE, queued_key(local));
        }
        count
    }
}

fn queued_key(local: u32) -> Vec<u8> {
    [&[QUEUED], local.to_be_bytes().as_slice()].concat()
}
