//! Which topics lie on a node's disk, with a running hash of what each of them holds.
//!
//! Kept up to date from the batches alone, so that looking at ten thousand nodes costs a comparison
//! of a few numbers each; the disk is read again only after it was set back.

use crate::plan::TopicNo;
use identity::{EnvelopeId, PublicKey, TopicId};
use lace::{Lace, rows};
use machine::{Base, Batch, Staged, Table};
use std::collections::BTreeMap;
use wire::Genesis;

use super::Facts;

/// Rows read at once.
const PAGE: usize = 1024;

/// A topic on one disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holding {
    /// The node's number of it.
    pub(crate) local: u32,
    pub(crate) id: TopicId,
    /// The world's number of it, once somebody has looked for it and the world knew it.
    pub(crate) no: Option<TopicNo>,
    /// Sum of the beginnings of the ids that have a place in the local order: all that is kept,
    /// and beyond a fork what was.
    pub(crate) sum: u128,
    /// How many they are.
    pub(crate) placed: u32,
    /// Whether somebody has looked if it may lie here.
    pub(crate) judged: bool,
    /// Of whom this node has not taken something of it.
    pub(crate) refused: BTreeMap<PublicKey, Refused>,
}

/// What a node has not taken of an author: an envelope and all that follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// The lowest number that it has refused.
    pub(crate) from: u64,
    /// When it said so last, in microseconds.
    pub(crate) at_us: u64,
}

impl Holding {
    const fn new(local: u32, id: TopicId) -> Self {
        Self {
            local,
            id,
            no: None,
            sum: 0,
            placed: 0,
            judged: false,
            refused: BTreeMap::new(),
        }
    }

    fn add(&mut self, id: &EnvelopeId) {
        self.sum = self.sum.wrapping_add(beginning(id));
        self.placed = self.placed.wrapping_add(1);
    }

    fn remove(&mut self, id: &EnvelopeId) {
        self.sum = self.sum.wrapping_sub(beginning(id));
        self.placed = self.placed.wrapping_sub(1);
    }

    /// This node has said that it does not take an envelope.
    pub(crate) fn refuses(&mut self, author: PublicKey, number: u64, at_us: u64) {
        let known = self.refused.entry(author);
        let refused = known.or_insert(Refused {
            from: number,
            at_us,
        });
        refused.from = refused.from.min(number);
        refused.at_us = at_us;
    }

    /// What it has refused, or refused again, after a time.
    pub(crate) fn refused_after(&self, us: u64) -> impl Iterator<Item = (&PublicKey, u64)> {
        let refused = self.refused.iter();
        let late = refused.filter(move |(_, refused)| refused.at_us > us);
        late.map(|(author, refused)| (author, refused.from))
    }

    /// The world's number of it, looked up once.
    pub(crate) fn number(&mut self, facts: &Facts) -> Option<TopicNo> {
        if self.no.is_none() {
            self.no = facts.topic_no(&self.id);
        }
        self.no
    }
}

/// The topics on one disk, in the order of their local numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holdings {
    all: Vec<Holding>,
    /// Of how many nobody has looked yet if they may lie here.
    pub(crate) unjudged: u32,
    /// Whether the disk is another than the one that was counted.
    stale: bool,
    /// Whether that was ever so: what was there may be lost.
    pub(crate) was_set_back: bool,
}

impl Holdings {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Holding> {
        self.all.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Holding> {
        self.all.iter_mut()
    }

    pub(crate) fn local(&mut self, local: u32) -> Option<&mut Holding> {
        let at = self.all.binary_search_by_key(&local, |held| held.local);
        at.ok().map(|at| &mut self.all[at])
    }

    pub(crate) fn topic(&self, no: TopicNo) -> Option<&Holding> {
        self.all.iter().find(|held| held.no == Some(no))
    }

    pub(crate) fn id(&mut self, id: &TopicId) -> Option<&mut Holding> {
        self.all.iter_mut().find(|held| held.id == *id)
    }

    /// The disk was replaced, or has lost what it had.
    pub(crate) const fn set_back(&mut self) {
        self.stale = true;
        self.was_set_back = true;
    }

    /// Whether the disk is another than the one that was counted, until the next life begins.
    pub(crate) const fn is_stale(&self) -> bool {
        self.stale
    }

    /// A life begins: what was counted is counted anew if the disk is another.
    pub(crate) fn started(&mut self, disk: &dyn Base) {
        if !self.stale && !self.all.is_empty() {
            return;
        }
        *self = Self {
            was_set_back: self.was_set_back,
            ..Self::count(disk)
        };
    }

    /// Counts a whole disk.
    pub(crate) fn count(disk: &dyn Base) -> Self {
        let counted = Staged::look(disk, |store| {
            let mut holdings = Self::default();
            let mut from = 0_u32.to_be_bytes().to_vec();
            while let Some((key, _)) = store.scan(rows::LACE, &from, &[u8::MAX; 5], 1).pop() {
                let Some(local) = number(&key) else { break };
                if let Some(row) = store.get(rows::LACE, &[&key[..4], b"g"].concat())
                    && let Some(id) = topic_of(&row)
                {
                    holdings.insert(local, id);
                    holdings.count_places(store, local);
                }
                let Some(next) = local.checked_add(1) else {
                    break;
                };
                from = next.to_be_bytes().to_vec();
            }
            holdings
        });
        counted.unwrap_or_default()
    }

    fn count_places(&mut self, store: &mut Staged<'_>, local: u32) {
        let mut from = local.to_be_bytes().to_vec();
        let to = [&local.to_be_bytes()[..], &[u8::MAX; 9]].concat();
        loop {
            let page = store.scan(rows::ORDER, &from, &to, PAGE);
            if let Some(held) = self.local(local) {
                page.iter()
                    .filter_map(|(_, row)| placed(row))
                    .for_each(|id| held.add(&id));
            }
            match page.into_iter().next_back() {
                Some((last, _)) => from = last,
                None => return,
            }
            from.push(0);
        }
    }

    fn insert(&mut self, local: u32, id: TopicId) {
        if let Err(at) = self.all.binary_search_by_key(&local, |held| held.local) {
            self.all.insert(at, Holding::new(local, id));
            self.unjudged += 1;
        }
    }

    /// A batch is about to become durable.
    pub(crate) fn commits(&mut self, batch: &Batch, disk: &dyn Base) {
        for (table, key, value) in &batch.writes {
            // The rows of a topic's beginning come before those of its order: the batch is sorted.
            if *table == rows::LACE && key.len() == 5 && key[4] == b'g' {
                let Some(local) = number(key) else { continue };
                match value.as_deref().and_then(topic_of) {
                    Some(id) => self.insert(local, id),
                    None => self.all.retain(|held| held.local != local),
                }
            } else if *table == rows::ORDER {
                self.place(key, value.as_deref(), disk);
            }
        }
    }

    fn place(&mut self, key: &[u8], value: Option<&[u8]>, disk: &dyn Base) {
        let Some(held) = number(key).and_then(|local| self.local(local)) else {
            return;
        };
        match value {
            Some(row) => {
                if let Some(id) = placed(row) {
                    held.add(&id);
                }
            }
            None => {
                let before = disk.get(rows::ORDER, key).ok().flatten();
                if let Some(id) = before.as_deref().and_then(placed) {
                    held.remove(&id);
                }
            }
        }
    }
}

/// Looks into a topic on a disk, as the node would. Nothing when it cannot be opened.
pub(crate) fn look<R>(
    disk: &dyn Base,
    local: u32,
    f: impl FnOnce(&mut Lace, &mut Staged<'_>) -> R,
) -> Option<R> {
    let found = Staged::look(disk, |store| {
        let mut lace = Lace::open(store, local)?.ruled_by(&rights::Law);
        Some(f(&mut lace, store))
    });
    found.ok().flatten()
}

/// The topic's genesis on a disk.
pub(crate) fn genesis(disk: &dyn Base, batch: Option<&Batch>, local: u32) -> Option<Genesis> {
    let key = [&local.to_be_bytes()[..], b"g"].concat();
    let staged = batch.into_iter().flat_map(|batch| &batch.writes);
    let row = staged
        .filter(|(table, at, _)| *table == rows::LACE && *at == key)
        .find_map(|(_, _, value)| value.clone());
    let row = match row {
        Some(row) => row,
        None => disk.get(rows::LACE, &key).ok().flatten()?,
    };
    Genesis::decode(row.get(1..)?).ok()
}

/// Every row of a topic in one table: keys without the topic's number, and values.
pub(crate) fn rows_of(disk: &dyn Base, table: Table, local: u32) -> Vec<machine::Row> {
    let mut from = local.to_be_bytes().to_vec();
    let to = match local.checked_add(1) {
        Some(next) => next.to_be_bytes().to_vec(),
        None => vec![u8::MAX; 5],
    };
    let mut all = Vec::new();
    while let Ok(page) = disk.scan(table, (&from, &to), PAGE, false) {
        let Some((last, _)) = page.last() else { break };
        from.clone_from(last);
        from.push(0);
        all.extend(page.into_iter().map(|(key, row)| (key[4..].to_vec(), row)));
    }
    all
}

/// The topic's local number at the beginning of a key.
pub(crate) fn number(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*key.first_chunk::<4>()?))
}

/// The topic whose first row this is: a layout number and a genesis.
fn topic_of(row: &[u8]) -> Option<TopicId> {
    Some(Genesis::decode(row.get(1..)?).ok()?.topic_id())
}

/// The id in a row of the order: author, number, class, id.
fn placed(row: &[u8]) -> Option<EnvelopeId> {
    Some(EnvelopeId::from_bytes(*row.get(13..)?.first_chunk()?))
}

/// Ids are hashes: any part of one is as good as random.
pub(crate) fn beginning(id: &EnvelopeId) -> u128 {
    id.as_bytes()
        .first_chunk()
        .map_or(0, |bytes| u128::from_be_bytes(*bytes))
}
