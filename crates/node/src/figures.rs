//! How much is in memory: for those who watch that nothing grows without end.

use crate::node::Node;

/// Counts of what a node keeps in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// The router's.
    pub router: router::Figures,
    /// The topics'.
    pub topics: topic::Figures,
    /// Links on which something was proved or is to be.
    pub links: usize,
    /// Links of which bytes were read and not granted again.
    pub owed_links: usize,
    /// Those bytes.
    pub owed_bytes: u64,
    /// Commands that wait for something; see [`crate::limits::MAX_WAITS`].
    pub commands: usize,
    /// Sends that wait for their envelopes.
    pub publishing: usize,
    /// Invites that are being taken up; see [`crate::limits::MAX_JOINS`].
    pub joining: usize,
    /// Most shows on one link that wait for a grant; see [`crate::limits::MAX_PENDING_SHOWS`].
    pub shows: usize,
}

impl Node {
    /// What the work in topics is about that is not done. Nothing before the first turn.
    #[must_use]
    pub fn undone(&self) -> topic::Undone {
        let inner = self.inner();
        inner.map_or_else(topic::Undone::default, |inner| inner.topics.undone())
    }

    /// How much is in memory. Nothing before the first turn.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let Some(inner) = self.inner() else {
            return Figures::default();
        };
        let shows = inner.links.values().map(|link| link.pending.len());
        Figures {
            router: inner.router.figures(),
            topics: inner.topics.figures(),
            links: inner.links.len(),
            owed_links: inner.owed.values().filter(|bytes| **bytes > 0).count(),
            owed_bytes: inner
                .owed
                .values()
                .fold(0, |sum, bytes| sum.saturating_add(*bytes)),
            commands: inner.waiting.len(),
            publishing: inner.pending.len(),
            joining: inner.joining.len(),
            shows: shows.max().unwrap_or(0),
        }
    }
}
