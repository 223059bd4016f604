//! Why a file is not shared, or not unpacked.

use crate::files::Part;
use block::bundle::BundleError;
use block::eris::{DecodeError, EncodeError};
use block::manifest::ManifestError;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use store::OpenFailed;
use thiserror::Error;

/// Why there is no content of a file or a folder. Nothing of it is left.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ShareFailed {
    /// Whoever watches said so.
    #[error("stopped")]
    Stopped,
    /// The path has no last part, such as `/`: a bundle has a name.
    #[error("{path:?} has no name: share a file or a folder that has one")]
    Nameless {
        /// The path.
        path: PathBuf,
    },
    /// It is neither a file nor a folder. There is no form for others, and to leave it out would be to share
    /// something else than was asked for.
    #[error("{path:?} is {what}, which cannot be shared: take it out of the folder")]
    Neither {
        /// Where it is.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// It is this node's home, or in it: whoever reads it would be this node.
    #[error("{path:?} belongs to this node's home, which holds its keys: share another folder")]
    Home {
        /// Where it is.
        path: PathBuf,
    },
    /// Its name is not UTF-8.
    #[error("the name of {path:?} is not UTF-8: rename it")]
    NotText {
        /// Where it is.
        path: PathBuf,
    },
    /// There can be no bundle of it: a name that may not be, too many files, too many bytes.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Somebody wrote to it, or put something else in its place.
    #[error("{path:?} changed while it was read: share it when nobody writes to it")]
    Changed {
        /// Where it is.
        path: PathBuf,
    },
    /// The content does not fit on the home's disk.
    #[error("no room: {needed} bytes are needed and {free} are free for contents")]
    NoRoom {
        /// Bytes of the content.
        needed: u64,
        /// Bytes that may be taken.
        free: u64,
    },
    /// The home's disk became full meanwhile.
    #[error("the disk became full: {0}")]
    Full(String),
    /// A file could not be read.
    #[error("{what} {path:?}: {source}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The content could not be written.
    #[error(transparent)]
    Content(OpenFailed),
    /// The content is not as long as was counted: a fault of this program.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// Not every block came out once: a fault of this program.
    #[error(transparent)]
    References(#[from] ManifestError),
}

/// Why a content was not written to a disk. Nothing of it is left there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UnpackFailed {
    /// Whoever watches said so.
    #[error("stopped")]
    Stopped,
    /// The content is not here.
    #[error("the content is not here")]
    Missing,
    /// A part of the content is not what it should be: the disk is at fault, or whoever gave it was believed. It
    /// can be fetched anew.
    #[error("{0} of the content is damaged: it has to be fetched again")]
    Damaged(Part),
    /// Its author made something that nobody can read.
    #[error("the author's content cannot be read: {0}")]
    Author(String),
    /// The path has no last part, such as `/`.
    #[error("{path:?} has no name: say what the file or folder is to be called")]
    Nameless {
        /// The path.
        path: PathBuf,
    },
    /// There is something at the target, which is left as it is.
    #[error("{path:?} exists: choose another place or another name")]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// It does not fit on the target's disk.
    #[error("no room: {needed} bytes are needed and {free} are free")]
    NoRoom {
        /// Bytes that the files take.
        needed: u64,
        /// Bytes that may be taken.
        free: u64,
    },
    /// The target's disk became full meanwhile.
    #[error("the disk became full: {0}")]
    Full(String),
    /// Something else came into the place of what was being written.
    #[error("{path:?} was replaced while it was written: unpack where nobody else may write")]
    Replaced {
        /// Where it was.
        path: PathBuf,
    },
    /// A file could not be written. If it is the folder around the target that could not be synced, what
    /// is at the target is whole, and may be gone after a loss of power.
    #[error("{what} {path:?}: {source}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The content could not be read.
    #[error(transparent)]
    Content(OpenFailed),
}

/// Why a content was not looked through.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VerifyFailed {
    /// Whoever watches said so.
    #[error("stopped")]
    Stopped,
    /// The content is not here.
    #[error("the content is not here")]
    Missing,
    /// It could not be read.
    #[error(transparent)]
    Content(#[from] OpenFailed),
}

impl ShareFailed {
    pub(super) fn io(what: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.to_owned(), source.into());
        Self::Io { what, path, source }
    }
}

impl From<OpenFailed> for ShareFailed {
    fn from(error: OpenFailed) -> Self {
        match error {
            OpenFailed::Io { source, .. } if is_full(&source) => Self::Full(source.to_string()),
            other => Self::Content(other),
        }
    }
}

impl UnpackFailed {
    pub(super) fn io(what: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.to_owned(), source.into());
        if is_full(&source) {
            return Self::Full(source.to_string());
        }
        Self::Io { what, path, source }
    }
}

impl From<OpenFailed> for UnpackFailed {
    fn from(error: OpenFailed) -> Self {
        Self::Content(error)
    }
}

impl From<ManifestError> for UnpackFailed {
    fn from(error: ManifestError) -> Self {
        Self::Author(error.to_string())
    }
}

impl From<DecodeError> for UnpackFailed {
    fn from(error: DecodeError) -> Self {
        Self::Author(error.to_string())
    }
}

impl From<BundleError> for UnpackFailed {
    fn from(error: BundleError) -> Self {
        Self::Author(error.to_string())
    }
}

/// Whether somebody has to make room, and all else is well.
fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}
