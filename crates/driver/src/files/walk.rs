//! What is to be shared, before a byte of it is read.

use crate::files::disk::{self, Mark, Place};
use crate::files::{Course, ShareFailed};
use block::bundle::{BundleError, File, Index, IndexBuilder, What};
use block::limits::{MAX_ENTRIES, MAX_INDEX};
use rustix::fs::{AtFlags, Dir, FileType, Stat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What was found.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) index: Index,
    /// What each file looked like, in the order of the index.
    pub(super) marks: Vec<Mark>,
}

/// Looks at all that is below a path, and at nothing that a symbolic link leads to. `home` is the folder whose
/// keys must not be shared.
pub(super) fn walk(
    root: &Place,
    home: &Stat,
    course: &mut Course<'_>,
) -> Result<Walked, ShareFailed> {
    let mut walk = Walk {
        root,
        home,
        levels: Vec::new(),
        builder: IndexBuilder::new(),
        marks: Vec::new(),
        names: 0,
        named: 0,
    };
    walk.visit(&root.name)?;
    while let Some(level) = walk.levels.last_mut() {
        if !course.go_on(0) {
            return Err(ShareFailed::Stopped);
        }
        match level.names.next() {
            Some(name) => walk.visit(OsStr::from_bytes(&name))?,
            None => drop(walk.levels.pop()),
        }
    }
    Ok(Walked {
        index: walk.builder.finish()?,
        marks: walk.marks,
    })
}

struct Walk<'r> {
    root: &'r Place,
    home: &'r Stat,
    /// The folders that the next entry is in, the outermost first.
    levels: Vec<Level>,
    builder: IndexBuilder,
    marks: Vec<Mark>,
    /// Names that were read, and bytes of them: what is kept of a folder that is not visited yet is bounded as the
    /// index is.
    names: usize,
    named: usize,
}

struct Level {
    folder: OwnedFd,
    name: Box<OsStr>,
    names: Names,
}

/// The names in a folder that are still to be visited, ascending. In one piece: of small ones the allocator
/// would keep what they took for as long as the process lives.
struct Names {
    bytes: Vec<u8>,
    /// Where each is, the last first.
    left: Vec<Range<usize>>,
}

impl Names {
    fn sorted(bytes: Vec<u8>, mut left: Vec<Range<usize>>) -> Self {
        left.sort_unstable_by(|one, other| bytes[other.clone()].cmp(&bytes[one.clone()]));
        Self { bytes, left }
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        let place = self.left.pop()?;
        Some(self.bytes[place].to_vec())
    }
}

impl Walk<'_> {
    fn visit(&mut self, name: &OsStr) -> Result<(), ShareFailed> {
        let depth = self.levels.len();
        let text = name.to_str().ok_or_else(|| ShareFailed::NotText {
            path: self.path(name),
        })?;
        let parent = match self.levels.last() {
            Some(level) => level.folder.as_fd(),
            None => self.root.parent.as_fd(),
        };
        let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| self.wrong("looking at", name, error))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                self.builder.add(depth, text, What::File(file(&stat)))?;
                self.marks.push(Mark::of(&stat));
                Ok(())
            }
            FileType::Directory => {
                self.builder.add(depth, text, What::Folder)?;
                let folder = disk::open_folder(parent, name)
                    .map_err(|error| self.wrong("opening", name, error))?;
                let found = rustix::fs::fstat(&folder)
                    .map_err(|error| self.wrong("looking at", name, error))?;
                if (found.st_dev, found.st_ino) == (self.home.st_dev, self.home.st_ino) {
                    let path = self.path(name);
                    return Err(ShareFailed::Home { path });
                }
                let names = self.list(&folder, name)?;
                let name = name.into();
                let level = Level {
                    folder,
                    name,
                    names,
                };
                self.levels.push(level);
                Ok(())
            }
            FileType::Symlink
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Err(ShareFailed::Neither {
                path: self.path(name),
                what: disk::kind(&stat),
            }),
        }
    }

    /// All names in a folder.
    fn list(&mut self, folder: &OwnedFd, name: &OsStr) -> Result<Names, ShareFailed> {
        let (mut bytes, mut places) = (Vec::new(), Vec::new());
        let wrong = |walk: &Self, error| walk.wrong("listing", name, error);
        for entry in Dir::read_from(folder).map_err(|error| wrong(self, error))? {
            let entry = entry.map_err(|error| wrong(self, error))?;
            let found = entry.file_name().to_bytes();
            if found == b"." || found == b".." {
                continue;
            }
            self.names += 1;
            self.named += found.len();
            if self.names >= MAX_ENTRIES {
                return Err(BundleError::Entries.into());
            }
            if self.named > MAX_INDEX {
                return Err(BundleError::Index.into());
            }
            let start = bytes.len();
            bytes.extend_from_slice(found);
            places.push(start..bytes.len());
        }
        Ok(Names::sorted(bytes, places))
    }

    fn path(&self, name: &OsStr) -> PathBuf {
        // The outermost is the root itself.
        let names = self.levels.iter().skip(1).map(|level| &*level.name);
        let last = (!self.levels.is_empty()).then_some(name);
        disk::below(&self.root.path, names.chain(last))
    }

    fn wrong(&self, what: &'static str, name: &OsStr, error: Errno) -> ShareFailed {
        let path = self.path(name);
        // What its folder listed, and nobody but a second one can have taken away or replaced.
        let moved = matches!(error, Errno::NOENT | Errno::LOOP | Errno::NOTDIR);
        if moved && !self.levels.is_empty() {
            return ShareFailed::Changed { path };
        }
        ShareFailed::io(what, &path, error)
    }
}

fn file(stat: &Stat) -> File {
    let millis = i128::from(stat.st_mtime) * 1_000 + i128::from(stat.st_mtime_nsec) / 1_000_000;
    File {
        size: u64::try_from(stat.st_size).unwrap_or(0),
        // Files older than 1970 have no other form.
        modified: u64::try_from(millis.max(0)).unwrap_or(u64::MAX),
        executable: stat.st_mode & 0o100 != 0,
    }
}
