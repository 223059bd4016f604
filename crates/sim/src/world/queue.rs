//! The one queue of things that are going to happen.

use crate::plan::NodeNo;
use machine::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// When something happens, and in which order among what happens at the same time: by the node that
/// it happens to, then by who caused it, then in the order in which that one caused it. None of this
/// depends on threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) at: Time,
    pub(crate) node: NodeNo,
    pub(crate) cause: NodeNo,
    pub(crate) number: u64,
}

/// The number of the world itself where it is the cause.
pub(crate) const WORLD: NodeNo = NodeNo::MAX;

/// Something with its time; compared by its time alone.
#[derive(Debug)]
struct Entry<E>(Key, E);

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

/// What is going to happen, the next first.
#[derive(Debug)]
pub(crate) struct Queue<E>(BinaryHeap<Reverse<Entry<E>>>);

impl<E> Queue<E> {
    pub(crate) const fn new() -> Self {
        Self(BinaryHeap::new())
    }

    pub(crate) fn push(&mut self, key: Key, event: E) {
        self.0.push(Reverse(Entry(key, event)));
    }

    /// When the next thing happens.
    pub(crate) fn next(&self) -> Option<Time> {
        self.0.peek().map(|Reverse(entry)| entry.0.at)
    }

    /// Takes the next thing, if it happens before `end`.
    pub(crate) fn pop_before(&mut self, end: Time) -> Option<(Key, E)> {
        if self.next()? >= end {
            return None;
        }
        self.0.pop().map(|Reverse(entry)| (entry.0, entry.1))
    }
}
