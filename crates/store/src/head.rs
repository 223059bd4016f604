//! The running number and hash of the commits.

use machine::{Batch, Table};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The number and hash of a commit: what the store has come to.
///
/// The hash covers the hash before it and every write of the commit, so two stores with equal
/// heads have had the same history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    /// Counts the commits of a home from 1; 0 before the first.
    pub number: u64,
    /// The hash of the commit, chained to the one before it.
    pub hash: [u8; 32],
}

impl Head {
    /// Before the first commit.
    pub const START: Self = Self {
        number: 0,
        hash: [0; 32],
    };

    /// The head after a commit of these writes.
    pub(crate) fn after(&self, writes: &Writes<'_>) -> Self {
        let mut chain = Chain::new(self);
        for ((table, key), value) in writes {
            chain.add(table.id(), key, *value);
        }
        chain.finish()
    }
}

/// The writes of a commit in the order of table and key; no value means removal.
pub(crate) type Writes<'a> = BTreeMap<(Table, &'a [u8]), Option<&'a [u8]>>;

/// What several batches come to when they are committed as one: the last write of a key counts.
pub(crate) fn merge(batches: &[Arc<Batch>]) -> Writes<'_> {
    let writes = batches.iter().flat_map(|batch| &batch.writes);
    writes
        .map(|(table, key, value)| ((*table, key.as_slice()), value.as_deref()))
        .collect()
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.hash;
        write!(f, "commit {} ({a:02x}{b:02x}{c:02x}{d:02x}…)", self.number)
    }
}

/// The hash of one commit while its writes are added.
///
/// ```text
/// hash = BLAKE3-derive-key("waystation store commit v1",
///          previous hash (32) ‖ number (8, big-endian) ‖ write*)
/// write = table (1) ‖ key length (4) ‖ key ‖ 1 ‖ value length (4) ‖ value
///       | table (1) ‖ key length (4) ‖ key ‖ 0
/// ```
pub(crate) struct Chain {
    number: u64,
    hasher: blake3::Hasher,
}

impl Chain {
    pub(crate) fn new(previous: &Head) -> Self {
        let number = previous.number.saturating_add(1);
        let mut hasher = blake3::Hasher::new_derive_key("waystation store commit v1");
        hasher.update(&previous.hash);
        hasher.update(&number.to_be_bytes());
        Self { number, hasher }
    }

    pub(crate) fn add(&mut self, table: u8, key: &[u8], value: Option<&[u8]>) {
        self.hasher.update(&[table]);
        self.hasher.update(&length(key));
        self.hasher.update(key);
        match value {
            Some(value) => {
                self.hasher.update(&[1]);
                self.hasher.update(&length(value));
                self.hasher.update(value);
            }
            None => {
                self.hasher.update(&[0]);
            }
        }
    }

    pub(crate) fn finish(self) -> Head {
        Head {
            number: self.number,
            hash: *self.hasher.finalize().as_bytes(),
        }
    }
}

/// Keys and values are far below 4 GiB (`MAX_KEY`, `MAX_RECORD`).
fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Write<'a> = (u8, &'a [u8], Option<&'a [u8]>);

    fn batch(writes: &[Write<'_>]) -> Arc<Batch> {
        let writes = writes
            .iter()
            .map(|(table, key, value)| {
                (
                    Table::new(*table, "t"),
                    key.to_vec(),
                    value.map(<[u8]>::to_vec),
                )
            })
            .collect();
        Arc::new(Batch {
            number: 1,
            last_turn: 1,
            writes,
        })
    }

    #[test]
    fn the_hash_separates_keys_values_tables_and_removals() {
        let commits: [&[Write<'_>]; 6] = [
            &[(1, b"ab", Some(b"c"))],
            &[(1, b"a", Some(b"bc"))],
            &[(2, b"ab", Some(b"c"))],
            &[(1, b"ab", None)],
            &[(1, b"ab", Some(b""))],
            &[(1, b"ab", None), (1, b"c", None)],
        ];
        let mut seen: Vec<[u8; 32]> = commits
            .iter()
            .map(|writes| Head::START.after(&merge(&[batch(writes)])).hash)
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), commits.len());
    }

    #[test]
    fn one_commit_of_two_batches_is_the_commit_of_their_writes() {
        let one = batch(&[(1, b"a", Some(b"1"))]);
        let two = batch(&[(1, b"b", None)]);
        let both = batch(&[(1, b"a", Some(b"1")), (1, b"b", None)]);
        let (apart, joined) = ([one, two], [both]);
        assert_eq!(
            Head::START.after(&merge(&apart)),
            Head::START.after(&merge(&joined))
        );
    }

    #[test]
    fn of_two_writes_of_one_key_the_later_counts() {
        let batches = [batch(&[(1, b"a", Some(b"1"))]), batch(&[(1, b"a", None)])];
        let merged = merge(&batches);
        assert_eq!(merged.values().copied().collect::<Vec<_>>(), [None]);
    }
}
