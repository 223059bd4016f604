//! What is kept in memory of what can be read or computed again.

use std::collections::BTreeMap;

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    used: u64,
}

/// Values that were used last, at most so many and so many bytes; one alone may weigh more.
#[derive(Debug)]
pub(crate) struct Lru<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    by_use: BTreeMap<u64, K>,
    clock: u64,
    weight: usize,
    most: usize,
    heaviest: usize,
}

impl<K: Ord + Clone, V: Clone> Lru<K, V> {
    pub(crate) const fn new(most: usize, heaviest: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            by_use: BTreeMap::new(),
            clock: 0,
            weight: 0,
            most,
            heaviest,
        }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.get_mut(key)?;
        // The one used last is asked for again and again: nothing to move.
        if entry.used != self.clock {
            self.clock = self.clock.saturating_add(1);
            if let Some(key) = self.by_use.remove(&entry.used) {
                self.by_use.insert(self.clock, key);
            }
            entry.used = self.clock;
        }
        Some(entry.value.clone())
    }

    pub(crate) fn put(&mut self, key: K, value: V, weight: usize) {
        self.remove(&key);
        self.clock = self.clock.saturating_add(1);
        let used = self.clock;
        self.weight = self.weight.saturating_add(weight);
        self.by_use.insert(used, key.clone());
        let entry = Entry {
            value,
            weight,
            used,
        };
        self.entries.insert(key, entry);
        while self.entries.len() > self.most
            || (self.weight > self.heaviest && self.entries.len() > 1)
        {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                return;
            };
            self.drop_entry(&oldest);
        }
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some(used) = self.drop_entry(key) {
            self.by_use.remove(&used);
        }
    }

    fn drop_entry(&mut self, key: &K) -> Option<u64> {
        let entry = self.entries.remove(key)?;
        self.weight = self.weight.saturating_sub(entry.weight);
        Some(entry.used)
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.by_use.clear();
        self.weight = 0;
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) const fn weight(&self) -> usize {
        self.weight
    }
}
