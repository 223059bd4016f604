//! Deadlines that belong to a machine.

use crate::Time;
use std::collections::{BTreeMap, BTreeSet};

/// A set of deadlines, at most one a key, ordered by time and then by key.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    by_key: BTreeMap<K, Time>,
    by_time: BTreeSet<(Time, K)>,
}

impl<K: Ord + Copy> Timers<K> {
    /// No deadlines.
    #[must_use]
    pub fn new() -> Self {
        Self {
            by_key: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }

    /// Arms the deadline of `key`, in place of an earlier one.
    pub fn set(&mut self, key: K, at: Time) {
        self.clear(key);
        self.by_key.insert(key, at);
        self.by_time.insert((at, key));
    }

    /// Arms the deadline of `key` unless it is armed for an earlier time already.
    pub fn set_earlier(&mut self, key: K, at: Time) {
        if self.by_key.get(&key).is_none_or(|armed| *armed > at) {
            self.set(key, at);
        }
    }

    /// Disarms the deadline of `key`.
    pub fn clear(&mut self, key: K) {
        if let Some(at) = self.by_key.remove(&key) {
            self.by_time.remove(&(at, key));
        }
    }

    /// When the deadline of `key` is, if it is armed.
    #[must_use]
    pub fn get(&self, key: K) -> Option<Time> {
        self.by_key.get(&key).copied()
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Time> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// The earliest deadline, with its key.
    #[must_use]
    pub fn first(&self) -> Option<(Time, K)> {
        self.by_time.first().copied()
    }

    /// Takes out one deadline that has come, the earliest first.
    pub fn expired(&mut self, now: Time) -> Option<K> {
        let (at, key) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.clear(key);
        Some(key)
    }
}

impl<K: Ord + Copy> Default for Timers<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Timers;
    use crate::Time;

    #[test]
    fn deadlines_come_in_order_and_can_be_moved() {
        let mut timers = Timers::new();
        timers.set('b', Time::from_micros(2));
        timers.set('a', Time::from_micros(2));
        timers.set('c', Time::from_micros(9));
        timers.set('c', Time::from_micros(1));
        timers.set_earlier('b', Time::from_micros(5));
        let now = Time::from_micros(3);
        let order: Vec<char> = std::iter::from_fn(|| timers.expired(now)).collect();
        assert_eq!(order, ['c', 'a', 'b']);
        assert_eq!(timers.next(), None);
    }
}
