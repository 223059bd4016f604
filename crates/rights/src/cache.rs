//! The sender keys that a reader has opened already, so that a body costs no curve arithmetic.

use std::collections::BTreeMap;

use identity::{PublicKey, TopicId};

use crate::body::{Scope, SenderKey, Subject};
use crate::epoch::Epoch;
use crate::limits::{MAX_CACHED_AUTHORS, MAX_CACHED_PER_AUTHOR};

type Author = (TopicId, PublicKey);

/// A bounded memory: encapsulation → sender key, apart for each topic, author, epoch and slice.
///
/// Nothing depends on what it holds but time. It takes only what a body's commitment has proved,
/// and one author can crowd out its own keys, never another's; among authors the one used least
/// recently goes.
#[derive(Default, Debug)]
pub struct OpenCache {
    authors: BTreeMap<Author, Keys>,
    /// When each author was used last, for finding the least recent one.
    used: BTreeMap<u64, Author>,
    tick: u64,
}

#[derive(Debug)]
struct Keys {
    used: u64,
    /// Most recently used first.
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    scope: Scope,
    enc: [u8; 32],
    key: SenderKey,
}

impl OpenCache {
    /// An empty memory.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            authors: BTreeMap::new(),
            used: BTreeMap::new(),
            tick: 0,
        }
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.authors.values().map(|keys| keys.entries.len()).sum()
    }

    /// Whether nothing is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.authors.is_empty()
    }

    /// Forgets a topic: when it is left, and when its keys change hands.
    pub fn forget(&mut self, topic: TopicId) {
        self.authors.retain(|author, _| author.0 != topic);
        self.used.retain(|_, author| author.0 != topic);
    }

    /// Remembers a sender key of one's own, as [`SenderKeys::own`](crate::SenderKeys::own) gave it.
    pub fn remember_own(
        &mut self,
        epoch: &Epoch,
        subject: &Subject,
        (enc, key): ([u8; 32], [u8; 32]),
    ) {
        let scope = Scope {
            topic: subject.topic,
            author: subject.author,
            epoch: epoch.id(),
            slice: epoch.slice_of(subject.created),
        };
        self.insert(scope, enc, SenderKey::from_bytes(key));
    }

    pub(crate) fn get(&mut self, scope: &Scope, enc: &[u8; 32]) -> Option<&SenderKey> {
        let author = (scope.topic, scope.author);
        let at = self
            .authors
            .get(&author)?
            .entries
            .iter()
            .position(|entry| entry.is(scope, enc))?;
        let tick = self.next_tick();
        let keys = self.authors.get_mut(&author)?;
        self.used.remove(&keys.used);
        self.used.insert(tick, author);
        keys.used = tick;
        // The entries in front move back by one: the one used now stands first.
        keys.entries.get_mut(..=at)?.rotate_right(1);
        keys.entries.first().map(|entry| &entry.key)
    }

    pub(crate) fn insert(&mut self, scope: Scope, enc: [u8; 32], key: SenderKey) {
        let author = (scope.topic, scope.author);
        let tick = self.next_tick();
        let entry = Entry { scope, enc, key };
        if let Some(keys) = self.authors.get_mut(&author) {
            keys.entries.retain(|old| !old.is(&entry.scope, &entry.enc));
            keys.entries.insert(0, entry);
            keys.entries.truncate(MAX_CACHED_PER_AUTHOR);
            self.used.remove(&keys.used);
            keys.used = tick;
        } else {
            if self.authors.len() >= MAX_CACHED_AUTHORS
                && let Some((_, oldest)) = self.used.pop_first()
            {
                self.authors.remove(&oldest);
            }
            self.authors.insert(
                author,
                Keys {
                    used: tick,
                    entries: vec![entry],
                },
            );
        }
        self.used.insert(tick, author);
        debug_assert_eq!(self.used.len(), self.authors.len());
    }

    fn next_tick(&mut self) -> u64 {
        // 2⁶⁴ uses do not come to pass in one life of a node.
        self.tick = self.tick.wrapping_add(1);
        self.tick
    }
}

impl Entry {
    fn is(&self, scope: &Scope, enc: &[u8; 32]) -> bool {
        self.scope == *scope && self.enc == *enc
    }
}

#[cfg(test)]
mod tests {
    use identity::EpochId;

    use super::*;

    fn scope(author: u64) -> Scope {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&author.to_be_bytes());
        Scope {
            topic: TopicId::from_bytes([1; 32]),
            author: PublicKey::from_bytes(bytes),
            epoch: EpochId::from_bytes([2; 32]),
            slice: 0,
        }
    }

    fn enc(n: u64) -> [u8; 32] {
        *scope(n).author.as_bytes()
    }

    #[test]
    fn an_author_crowds_out_only_its_own() {
        let mut cache = OpenCache::new();
        cache.insert(scope(1), enc(1), SenderKey::from_bytes([1; 32]));
        for n in 0..10_000 {
            cache.insert(scope(2), enc(n), SenderKey::from_bytes([2; 32]));
        }
        assert_eq!(cache.len(), 1 + MAX_CACHED_PER_AUTHOR);
        assert!(cache.get(&scope(1), &enc(1)).is_some());
        assert!(cache.get(&scope(2), &enc(9_999)).is_some());
        assert!(cache.get(&scope(2), &enc(0)).is_none());
    }

    #[test]
    fn the_author_used_least_recently_goes() {
        let mut cache = OpenCache::new();
        let most = MAX_CACHED_AUTHORS as u64;
        for n in 0..most {
            cache.insert(scope(n), enc(n), SenderKey::from_bytes([0; 32]));
        }
        assert!(cache.get(&scope(0), &enc(0)).is_some(), "used again");
        cache.insert(scope(most), enc(most), SenderKey::from_bytes([0; 32]));
        assert_eq!(cache.len(), MAX_CACHED_AUTHORS);
        assert!(cache.get(&scope(0), &enc(0)).is_some());
        assert!(cache.get(&scope(1), &enc(1)).is_none());
    }

    #[test]
    fn another_scope_is_another_key() {
        let mut cache = OpenCache::new();
        cache.insert(scope(1), enc(1), SenderKey::from_bytes([1; 32]));
        let other_topic = Scope {
            topic: TopicId::from_bytes([9; 32]),
            ..scope(1)
        };
        let other_epoch = Scope {
            epoch: EpochId::from_bytes([9; 32]),
            ..scope(1)
        };
        let other_slice = Scope {
            slice: 9,
            ..scope(1)
        };
        for other in [other_topic, other_epoch, other_slice, scope(2)] {
            assert!(cache.get(&other, &enc(1)).is_none());
        }
        cache.forget(TopicId::from_bytes([1; 32]));
        assert!(cache.is_empty());
    }
}
