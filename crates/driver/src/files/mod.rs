//! Files and folders on a disk, as contents and back.
//!
//! - [`share`] reads a file or a folder and makes a content of it: encrypted blocks, each in its
//!   slot, and the pages that list them.
//! - [`unpack`] verifies the blocks of a content and writes the file or the folder.
//! - [`look`] reads what is in a content without writing anything; [`verify`] says which blocks are not
//!   those that its manifest lists, and takes no key.
//!
//! Each blocks the thread that it runs on, tells a [`Watch`] how far it has come and ends when that says
//! so. Memory does not depend on how long the files are: beside a few blocks it is the index of the bundle,
//! and while a content is made 33 bytes for each block.
//!
//! Whoever writes to the same folders meanwhile is not trusted. All files are reached from folders that
//! are open, no symbolic link is followed below the one that was named, and what changes while it is
//! read is no share. See docs/spec/files.md.

mod disk;
mod draft;
mod error;
mod leaves;
mod share;
mod unpack;
mod verify;
mod walk;

use block::eris::ReadCapability;
use block::manifest::CheckedManifest;
use std::ops::ControlFlow;
use wire::Manifest;

pub use error::{ShareFailed, UnpackFailed, VerifyFailed};
pub use share::{Shared, share};
pub use unpack::{Unpacked, look, unpack};
pub use verify::{Part, verify};

/// What it takes to read a content: what an envelope says of it, in its header and under seal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opening {
    /// Which blocks there are.
    pub manifest: CheckedManifest,
    /// Opens the root. A secret.
    pub capability: ReadCapability,
    /// Bytes of the content, index included.
    pub length: u64,
}

impl Opening {
    /// From what an envelope says; nothing where that can be no content.
    #[must_use]
    pub fn of(manifest: &Manifest, capability: &[u8], length: u64) -> Option<Self> {
        Some(Self {
            manifest: CheckedManifest::of(manifest).ok()?,
            capability: ReadCapability::from_bytes(capability).ok()?,
            length,
        })
    }
}

/// How far the work on a content has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    /// Bytes that are done.
    pub done: u64,
    /// Bytes in all; 0 until it is known.
    pub all: u64,
}

/// Is told how far the work has come, with every entry of a folder and every piece of
/// [`FILE_PIECE`](crate::limits::FILE_PIECE) at most, and ends it by `Break`: nothing of it is left then.
pub type Watch<'w> = dyn FnMut(Progress) -> ControlFlow<()> + 'w;

/// The work so far, and who watches it.
struct Course<'w> {
    watch: &'w mut Watch<'w>,
    progress: Progress,
}

impl<'w> Course<'w> {
    fn new(watch: &'w mut Watch<'w>) -> Self {
        Self {
            watch,
            progress: Progress::default(),
        }
    }

    /// So many bytes more are done. Says whether to go on.
    fn go_on(&mut self, bytes: usize) -> bool {
        self.progress.done += bytes as u64;
        (self.watch)(self.progress).is_continue()
    }
}
