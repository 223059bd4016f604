//! What every store can do.

use crate::{CommitFailed, Gap, Head, HomeId, Room, Space};
use machine::{Base, Batch, ReadFailed, Table};
use std::sync::Arc;

/// A shareable handle on one store: readers use it on the node's thread, the committer on a thread
/// of its own.
pub trait Store: Base + Clone + Send + Sync + 'static {
    /// Makes the writes of these batches durable, in order, all or none. When it returns, they
    /// survive the loss of power.
    ///
    /// # Errors
    /// [`CommitFailed`]; from then on every commit of this handle and its clones fails.
    fn commit(&self, batches: &[Arc<Batch>]) -> Result<Head, CommitFailed>;

    /// The last commit.
    fn head(&self) -> Head;

    /// The hash of a commit, if it is among the last [`crate::HISTORY`].
    ///
    /// # Errors
    /// As [`Base::get`].
    fn hash_of(&self, number: u64) -> Result<Option<[u8; 32]>, ReadFailed>;

    /// The tables that it was opened with.
    fn tables(&self) -> Vec<Table>;

    /// The room on its disk, now.
    fn space(&self) -> Space;

    /// Takes no further commit and notes that it was closed cleanly.
    ///
    /// # Errors
    /// When that could not be noted: the next start is that after a crash.
    fn close(&self) -> Result<Head, CommitFailed>;
}

/// What was found when a home was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Names the home for its marker. A copy of the home has the same.
    pub home: HomeId,
    /// Whether it was made just now.
    pub created: bool,
    /// The last commit found.
    pub head: Head,
    /// Whether it was closed cleanly; otherwise its process was killed or the power failed, after
    /// which it is whole all the same.
    pub clean: bool,
    /// Commits that were durable and are gone. Whatever was written under this home's keys after
    /// them may be known to others and not here.
    pub gap: Option<Gap>,
    /// How much room there is.
    pub room: Room,
}
