//! From a file or a folder to a content.

use crate::files::disk::{self, Mark, Place};
use crate::files::walk::{Walked, walk};
use crate::files::{Course, Opening, ShareFailed, Watch};
use crate::limits::FILE_PIECE;
use block::bundle::{BundleError, Index, What};
use block::eris::{BlockSize, EncodedBlock, Encoder};
use block::manifest::{CheckedManifest, References};
use identity::Secret;
use machine::ContentName;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use store::{Content, FLOOR, free_space};
use wire::Manifest;

/// A file or a folder that has become a content.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shared {
    /// Opens it.
    pub opening: Opening,
    /// The name of the file or folder.
    pub root: String,
    /// Whether it is a folder.
    pub folder: bool,
    /// Files and folders.
    pub entries: usize,
    /// Bytes of the files.
    pub bytes: u64,
}

/// Makes a content of the file or folder at `path`, under a name that no content has yet. `secret` is the
/// convergence secret of the epoch that it is shared under. The content is whole and durable when this
/// returns: its blocks, its pages and its page list, as docs/spec/files.md lays them out.
///
/// What is read is what the walk found: a file that differs in size, times or identity when it is opened, or
/// when it has been read, ends the share. It says nothing about a file that is changed by way of a
/// shared mapping, whose times the system may set later.
///
/// # Errors
/// When it cannot be shared, was not to be, or does not fit; nothing is left then, and files are as they were.
pub fn share(
    content: &Content,
    name: ContentName,
    path: &Path,
    secret: Secret,
    watch: &mut Watch<'_>,
) -> Result<Shared, ShareFailed> {
    let mut course = Course::new(watch);
    let place = Place::of(path).map_err(|error| ShareFailed::io("opening", path, error))?;
    let root = place.ok_or_else(|| ShareFailed::Nameless {
        path: path.to_owned(),
    })?;
    let home = content.folder().parent().unwrap_or(content.folder());
    let wrong = |error| ShareFailed::io("looking at", home, error);
    if root.is_in(home).map_err(wrong)? {
        return Err(ShareFailed::Home { path: root.path });
    }
    let home = rustix::fs::stat(home).map_err(|error| wrong(error.into()))?;
    let walked = walk(&root, &home, &mut course)?;
    let index = &walked.index;
    let length = index.content_len();
    let encoder = Encoder::new(secret, length, BlockSize::for_length(length))
        .map_err(|_| BundleError::TooLarge)?;
    let layout = layout(&encoder)?;
    let free = free_space(content.folder())?.saturating_sub(FLOOR);
    if layout.content_len() > free {
        let needed = layout.content_len();
        return Err(ShareFailed::NoRoom { needed, free });
    }
    // Made before there are references: at worst it takes as much for a moment.
    let head = index.encode();
    let writer = content.writer(name)?;
    let mut references = References::new(encoder.shape())?;
    let mut take = |made: EncodedBlock<'_>| -> Result<(), ShareFailed> {
        references.set(made.slot, made.reference)?;
        writer.write_at(layout.block_at(made.slot), made.bytes)?;
        Ok(())
    };
    course.progress.all = length;
    let mut reading = Reading {
        root: &root,
        encoder,
        take: &mut take,
        course: &mut course,
        piece: vec![0; FILE_PIECE],
    };
    reading.push_head(head)?;
    reading.push_files(&walked)?;
    let capability = reading.encoder.finish(reading.take)?;
    let listing = references.finish()?;
    let manifest = *listing.list.manifest();
    for (number, page) in (0..).zip(&listing.pages) {
        writer.write_at(manifest.page_at(number), &page.encode())?;
    }
    writer.write_at(manifest.list_at(), &listing.list.encode())?;
    writer.finish()?;
    Ok(Shared {
        opening: Opening {
            manifest,
            capability,
            length,
        },
        root: index.path(0).concat(),
        folder: index
            .entry(0)
            .is_some_and(|entry| entry.what == What::Folder),
        entries: index.len(),
        bytes: index.files_len(),
    })
}

/// Where the blocks go. It does not depend on the root, which is known when all are made.
fn layout(encoder: &Encoder) -> Result<CheckedManifest, ShareFailed> {
    let shape = encoder.shape();
    Ok(CheckedManifest::of(&Manifest {
        root: [0; 32],
        count: shape.blocks(),
        bytes: shape.bytes(),
    })?)
}

/// The files on their way into the encoder.
struct Reading<'r, 'w, T> {
    root: &'r Place,
    encoder: Encoder,
    take: &'r mut T,
    course: &'r mut Course<'w>,
    piece: Vec<u8>,
}

impl<T: FnMut(EncodedBlock<'_>) -> Result<(), ShareFailed>> Reading<'_, '_, T> {
    fn push_head(&mut self, head: Vec<u8>) -> Result<(), ShareFailed> {
        for piece in head.chunks(FILE_PIECE) {
            self.encoder.push(piece, self.take)?;
            self.go_on(piece.len())?;
        }
        Ok(())
    }

    fn push_files(&mut self, walked: &Walked) -> Result<(), ShareFailed> {
        let mut marks = walked.marks.iter();
        // The folders that the next entry is in, open, the outermost first.
        let mut folders: Vec<OwnedFd> = Vec::new();
        for (number, entry) in walked.index.entries().enumerate() {
            self.go_on(0)?;
            folders.truncate(entry.depth);
            let parent = match folders.last() {
                Some(folder) => folder.as_fd(),
                None => self.root.parent.as_fd(),
            };
            let wrong = |error: Errno| {
                let path = self.path(&walked.index, number);
                match error {
                    Errno::NOENT | Errno::LOOP | Errno::NOTDIR => ShareFailed::Changed { path },
                    other => ShareFailed::io("opening", &path, other),
                }
            };
            match entry.what {
                What::Folder => folders.push(disk::open_folder(parent, entry.name).map_err(wrong)?),
                What::File(_) => {
                    let file = open_file(parent, entry.name, marks.next()).map_err(wrong)?;
                    let changed = || ShareFailed::Changed {
                        path: self.path(&walked.index, number),
                    };
                    let (mut file, mark) = file.ok_or_else(changed)?;
                    let path = self.path(&walked.index, number);
                    self.push_file(&mut file, entry.what.size(), mark, &path)?;
                }
            }
        }
        Ok(())
    }

    /// Exactly as many bytes as the walk counted, of a file that then is as it was.
    fn push_file(
        &mut self,
        file: &mut File,
        size: u64,
        mark: Mark,
        path: &Path,
    ) -> Result<(), ShareFailed> {
        let wrong = |error| ShareFailed::io("reading", path, error);
        let changed = || ShareFailed::Changed {
            path: path.to_owned(),
        };
        let mut left = size;
        while left > 0 {
            let room = usize::try_from(left).map_or(FILE_PIECE, |left| left.min(FILE_PIECE));
            let read = match file.read(&mut self.piece[..room]) {
                Ok(0) => return Err(changed()),
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(wrong(error)),
            };
            self.encoder.push(&self.piece[..read], self.take)?;
            left -= read as u64;
            self.go_on(read)?;
        }
        // Some files say that they are empty and are not (/proc).
        let ends = file.read(&mut self.piece[..1]).map_err(wrong)? == 0;
        let stat = rustix::fs::fstat(&*file).map_err(|error| wrong(error.into()))?;
        if ends && Mark::of(&stat) == mark {
            Ok(())
        } else {
            Err(changed())
        }
    }

    fn go_on(&mut self, bytes: usize) -> Result<(), ShareFailed> {
        if self.course.go_on(bytes) {
            Ok(())
        } else {
            Err(ShareFailed::Stopped)
        }
    }

    fn path(&self, index: &Index, number: usize) -> PathBuf {
        let names = index.path(number);
        disk::below(&self.root.path, names.iter().skip(1).map(OsStr::new))
    }
}

/// The file that the walk saw there; nothing when it is another, or changed.
fn open_file(
    parent: BorrowedFd<'_>,
    name: &str,
    mark: Option<&Mark>,
) -> Result<Option<(File, Mark)>, Errno> {
    let file = disk::open_file(parent, name)?;
    let stat = rustix::fs::fstat(&file)?;
    let found = Mark::of(&stat);
    let same = disk::is_file(&stat) && mark == Some(&found);
    Ok(same.then_some((file, found)))
}
