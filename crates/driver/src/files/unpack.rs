//! From a content to a file or a folder.

use crate::files::disk::{self, OWN, Place};
use crate::files::draft::{self, Draft};
use crate::files::leaves::Leaves;
use crate::files::{Course, Opening, Progress, UnpackFailed, Watch};
use crate::limits::FILE_PIECE;
use block::bundle::{self, Index, What};
use machine::ContentName;
use rustix::fs::{AtFlags, Mode, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use store::{Content, FLOOR};

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unpacked {
    /// Whether it is a folder.
    pub folder: bool,
    /// Files and folders.
    pub entries: usize,
    /// Bytes of the files.
    pub bytes: u64,
}

/// Reads what is in a content, and verifies no more of it than that takes.
///
/// # Errors
/// When the content is not here, is damaged, or is none that can be read.
pub fn look(
    content: &Content,
    name: ContentName,
    opening: &Opening,
) -> Result<Index, UnpackFailed> {
    Leaves::open(content, name, opening)?.index(opening.length)
}

/// Writes the file or folder of a content, all of whose blocks are here, to `target`, where there must be
/// nothing; the folder around it must be there. What stands at the target is whole and durable: it comes there by
/// being renamed, from a name beside it that begins with `.way-` and ends in `.part`. Only a process that is
/// killed leaves something under that.
///
/// Files are readable by their owner alone. Times of files are those of the bundle, and whether the owner may
/// execute them; a disk that has no such times or rights gives its own.
///
/// # Errors
/// When a block is damaged ([`UnpackFailed::Damaged`] names it), when there is something at the target, when it does not fit.
/// Nothing is left at the target or beside it then.
pub fn unpack(
    content: &Content,
    name: ContentName,
    opening: &Opening,
    target: &Path,
    watch: &mut Watch<'_>,
) -> Result<Unpacked, UnpackFailed> {
    let mut course = Course::new(watch);
    let place = Place::of(target).map_err(|error| UnpackFailed::io("opening", target, error))?;
    let place = place.ok_or_else(|| UnpackFailed::Nameless {
        path: target.to_owned(),
    })?;
    is_free(&place)?;
    let mut leaves = Leaves::open(content, name, opening)?;
    let index = leaves.index(opening.length)?;
    has_room(content, &place, &index)?;
    course.progress = Progress {
        done: index.start(),
        all: opening.length,
    };
    let draft = Draft::new(&place)?;
    let folder = matches!(index.entry(0), Some(first) if first.what == What::Folder);
    let mut writing = Writing {
        draft: &draft,
        index: &index,
        folders: Vec::new(),
        leaves,
        course: &mut course,
    };
    writing.write_all()?;
    writing.leaves.end()?;
    if let Some(root) = writing.folders.first() {
        // All files and folders at once: one sync for each is slow where flushing a disk is.
        let synced = rustix::fs::syncfs(root);
        synced.map_err(|error| UnpackFailed::io("syncing", target, error))?;
    }
    draft.place(folder)?;
    Ok(Unpacked {
        folder,
        entries: index.len(),
        bytes: index.files_len(),
    })
}

/// Says early what renaming would say at the end.
fn is_free(place: &Place) -> Result<(), UnpackFailed> {
    match rustix::fs::statat(&place.parent, &*place.name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(()),
        Ok(_) => Err(UnpackFailed::Exists {
            path: place.path.clone(),
        }),
        Err(error) => Err(UnpackFailed::io("looking at", &place.path, error)),
    }
}

/// Whether the files fit, and on the home's own disk leave it the room that it needs.
fn has_room(content: &Content, place: &Place, index: &Index) -> Result<(), UnpackFailed> {
    let wrong = |error: Errno| UnpackFailed::io("asking for room at", &place.path, error);
    let disk = rustix::fs::fstatvfs(&place.parent).map_err(wrong)?;
    let there = rustix::fs::fstat(&place.parent).map_err(wrong)?;
    let home = rustix::fs::stat(content.folder()).map_err(wrong)?;
    let kept = if there.st_dev == home.st_dev {
        FLOOR
    } else {
        0
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let free = free.saturating_sub(kept);
    // A block at least for what a folder and the end of a file take.
    let each = |entry: bundle::Entry<'_>| {
        let blocks = entry.what.size() / disk.f_frsize.max(1) + 1;
        blocks.saturating_mul(disk.f_frsize)
    };
    let needed = index.entries().map(each).fold(0, u64::saturating_add);
    if needed > free {
        return Err(UnpackFailed::NoRoom { needed, free });
    }
    Ok(())
}

/// The draft while it is written.
struct Writing<'d, 'w> {
    draft: &'d Draft<'d>,
    index: &'d Index,
    /// The folders that the next entry is in, open, the outermost first.
    folders: Vec<OwnedFd>,
    leaves: Leaves,
    course: &'d mut Course<'w>,
}

impl Writing<'_, '_> {
    fn write_all(&mut self) -> Result<(), UnpackFailed> {
        for (number, entry) in self.index.entries().enumerate() {
            self.go_on(0)?;
            self.folders.truncate(entry.depth);
            let (parent, name) = match self.folders.last() {
                Some(folder) => (folder.as_fd(), OsStr::new(entry.name)),
                None => (self.draft.parent(), self.draft.name()),
            };
            match entry.what {
                What::Folder => {
                    let made = draft::make_folder(parent, name);
                    let folder = made.map_err(|error| self.wrong("making", number, error))?;
                    self.folders.push(folder);
                }
                What::File(file) => {
                    let made = disk::create_file(parent, name);
                    let made = made.map_err(|error| self.wrong("making", number, error))?;
                    self.write_file(made, file, number)?;
                }
            }
        }
        Ok(())
    }

    fn write_file(
        &mut self,
        mut made: File,
        file: bundle::File,
        number: usize,
    ) -> Result<(), UnpackFailed> {
        let mut left = file.size;
        while left > 0 {
            let room = usize::try_from(left).map_or(FILE_PIECE, |left| left.min(FILE_PIECE));
            let piece = self.leaves.piece(room)?;
            let len = piece.len();
            let written = made.write_all(piece);
            written.map_err(|error| self.wrong("writing", number, error))?;
            left -= len as u64;
            self.go_on(len)?;
        }
        let finished = finish(&made, file);
        finished.map_err(|error| self.wrong("writing", number, error))?;
        if self.folders.is_empty() {
            let synced = made.sync_all();
            synced.map_err(|error| self.wrong("syncing", number, error))?;
        }
        Ok(())
    }

    fn go_on(&mut self, bytes: usize) -> Result<(), UnpackFailed> {
        if self.course.go_on(bytes) {
            Ok(())
        } else {
            Err(UnpackFailed::Stopped)
        }
    }

    fn wrong(
        &self,
        what: &'static str,
        number: usize,
        error: impl Into<std::io::Error>,
    ) -> UnpackFailed {
        let names = self.index.path(number);
        let path = disk::below(self.draft.target(), names.iter().skip(1).map(OsStr::new));
        let error = error.into();
        match Errno::from_io_error(&error) {
            Some(Errno::EXIST | Errno::LOOP | Errno::NOTDIR) => UnpackFailed::Replaced { path },
            _ => UnpackFailed::io(what, &path, error),
        }
    }
}

/// Rights and times of a file that is written. What the disk cannot keep, it need not.
fn finish(made: &File, file: bundle::File) -> Result<(), Errno> {
    let own = if file.executable {
        OWN | Mode::XUSR
    } else {
        OWN
    };
    if_able(rustix::fs::fchmod(made, own))?;
    let (seconds, millis) = (file.modified / 1_000, file.modified % 1_000);
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT as _,
        },
        last_modification: Timespec {
            tv_sec: i64::try_from(seconds).unwrap_or(i64::MAX),
            tv_nsec: millis as i64 * 1_000_000,
        },
    };
    if_able(rustix::fs::futimens(made, &times))
}

fn if_able(done: Result<(), Errno>) -> Result<(), Errno> {
    match done {
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        other => other,
    }
}
