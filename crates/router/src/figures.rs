//! How much is in memory: for those who watch that nothing grows without end.

use crate::router::Router;

/// Counts of what the router keeps in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Links, open or not yet.
    pub links: usize,
    /// Of those, the ones in use.
    pub open: usize,
    /// Nodes that are dialled or kept; see [`crate::limits::MAX_TARGETS`].
    pub targets: usize,
    /// Addresses that are being dialled now; see [`crate::limits::MAX_DIALS`].
    pub dials: usize,
    /// Nodes for which mails wait; see [`crate::limits::MAX_DESTINATIONS`].
    pub destinations: usize,
    /// Mails that wait; see [`crate::limits::MAX_QUEUED`].
    pub queued: u64,
    /// Ways on which mails are sent: a destination and a link.
    pub lanes: usize,
    /// Links on which receipts for mails are still to be signed.
    pub receipts: usize,
    /// Best-effort mails that wait for a link; see [`crate::limits::MAX_BEST_EFFORT`].
    pub best_effort: usize,
}

impl Router {
    /// How much is in memory.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures {
            links: self.links.len(),
            open: self.open.len(),
            targets: self.targets.iter().count(),
            dials: self.targets.dials(),
            destinations: self.mail.destinations.len(),
            queued: self.mail.waiting(),
            lanes: self.mail.lanes.len(),
            receipts: self.mail.receipts.len(),
            best_effort: self.mail.best_effort.len(),
        }
    }
}
