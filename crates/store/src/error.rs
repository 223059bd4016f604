//! What can go wrong with a home, by operation.

use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why a home could not be opened. Nothing in it was changed unless a variant says so.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenFailed {
    /// Another process has it open. Normal when a node is running already.
    #[error("the home {} is in use by process {}", .home.display(),
        .pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string()))]
    Locked {
        /// The home.
        home: PathBuf,
        /// The process that holds it, if it could be read.
        pid: Option<u32>,
    },
    /// It was written by a newer program.
    #[error(
        "the home {} has format {found}, this program reads up to {known}: use a newer program",
        .home.display()
    )]
    Newer {
        /// The home.
        home: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that this program reads.
        known: u32,
    },
    /// A file of it cannot be made sense of.
    #[error("the home is damaged: {what}")]
    Damaged {
        /// Which file, and how.
        what: String,
    },
    /// The disk is so full that not even the reserve is enough.
    #[error("no room: {free} bytes free at {}, {needed} needed to open", .home.display())]
    NoRoom {
        /// The home.
        home: PathBuf,
        /// Free bytes with the reserve given up.
        free: u64,
        /// Bytes needed.
        needed: u64,
    },
    /// A file could not be read or written.
    #[error("{what} {}: {source}", .path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The storage engine refused, for another reason.
    #[error("the storage engine could not open the home: {0}")]
    Engine(String),
    /// The caller named the same table twice, or too many.
    #[error("bad list of tables: {0}")]
    Tables(String),
}

/// Adds the operation and the path to an I/O error.
pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenFailed {
    let path = path.to_owned();
    move |source| OpenFailed::Io { what, path, source }
}

/// Why a commit failed. None of its writes may be asserted to anybody; whether they are on disk is
/// known only after the home has been opened again. The handle takes no further commit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommitFailed {
    /// The disk is full. Opening again works on the reserve.
    #[error("the disk is full: {0}")]
    Full(String),
    /// The medium or the engine failed.
    #[error("the commit failed: {0}")]
    Failed(String),
    /// An earlier commit of this handle failed, for this reason.
    #[error("an earlier commit failed: {0}")]
    Ended(String),
    /// The handle was closed.
    #[error("the store is closed")]
    Closed,
    /// A write names a table that the home was not opened with: a bug of the caller.
    #[error("table {0} is not open")]
    UnknownTable(&'static str),
}

/// Why a snapshot could not be written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SnapshotFailed {
    /// The stream failed.
    #[error("the snapshot could not be read or written: {0}")]
    Io(#[from] io::Error),
    /// It is no snapshot, or of a newer format.
    #[error("not a snapshot that this program reads: {0}")]
    Format(String),
    /// Its bytes are not those that were written: cut short or altered.
    #[error("the snapshot is damaged: {0}")]
    Damaged(&'static str),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] machine::ReadFailed),
    /// The home to import into could not be made.
    #[error(transparent)]
    Open(#[from] OpenFailed),
    /// The home to import into could not be written.
    #[error(transparent)]
    Commit(#[from] CommitFailed),
    /// There is something at the place to import into.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
}
