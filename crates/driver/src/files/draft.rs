//! What is being written, beside the place where it will be.

use crate::files::UnpackFailed;
use crate::files::disk::{self, Place};
use block::limits::MAX_LEVELS;
use rustix::fs::{AtFlags, Dir, Mode, RenameFlags, Stat};
use rustix::io::Errno;
use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// A file or a folder under a name that nobody can guess, in the folder where it will be. It is removed when this
/// is dropped before it is at its place.
#[derive(Debug)]
pub(super) struct Draft<'p> {
    place: &'p Place,
    name: String,
    placed: bool,
}

impl<'p> Draft<'p> {
    /// Draws a name; nothing is made yet.
    pub(super) fn new(place: &'p Place) -> Result<Self, UnpackFailed> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| {
            let error = std::io::Error::other(error);
            UnpackFailed::io("naming a draft of", &place.path, error)
        })?;
        let name = format!(".way-{:032x}.part", u128::from_be_bytes(bytes));
        Ok(Self {
            place,
            name,
            placed: false,
        })
    }

    pub(super) fn name(&self) -> &OsStr {
        OsStr::new(&self.name)
    }

    /// The folder that it is in.
    pub(super) fn parent(&self) -> BorrowedFd<'p> {
        self.place.parent.as_fd()
    }

    /// Where it will be, for people.
    pub(super) fn target(&self) -> &'p Path {
        &self.place.path
    }

    /// Puts the draft at its place, where there must be nothing, durably.
    pub(super) fn place(mut self, folder: bool) -> Result<(), UnpackFailed> {
        let Place { parent, name, path } = self.place;
        let renamed = match rename(parent.as_fd(), self.name(), name) {
            // Not every file system can tell whether it replaces something.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                rename_otherwise(parent.as_fd(), self.name(), name, folder)
            }
            other => other,
        };
        renamed.map_err(|error| match error {
            Errno::EXIST => UnpackFailed::Exists { path: path.clone() },
            other => UnpackFailed::io("renaming to", path, other),
        })?;
        self.placed = true;
        match rustix::fs::fsync(parent) {
            // Some file systems have nothing of folders to sync.
            Ok(()) | Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(()),
            Err(error) => Err(UnpackFailed::io("syncing the folder of", path, error)),
        }
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.placed
            && let Ok(name) = CString::new(self.name.as_str())
        {
            // What cannot be removed stays under a name that says what it is.
            let _ = remove(self.place.parent.as_fd(), &name, 0);
        }
    }
}

/// Makes a folder in a folder, where there must be nothing of that name, and opens it.
pub(super) fn make_folder(parent: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    rustix::fs::mkdirat(parent, name, Mode::RWXU)?;
    let folder = disk::open_folder(parent, name)?;
    // Where anybody may rename what is there, somebody else's may have come between.
    let (around, found) = (rustix::fs::fstat(parent)?, rustix::fs::fstat(&folder)?);
    if is_foreign(&around, &found, rustix::process::geteuid().as_raw()) {
        return Err(Errno::LOOP);
    }
    Ok(folder)
}

/// Whether a folder that was found in one that others may write to is somebody else's.
fn is_foreign(around: &Stat, found: &Stat, own: u32) -> bool {
    let (others_write, sticky) = (0o022, 0o1000);
    around.st_mode & others_write != 0 && around.st_mode & sticky == 0 && found.st_uid != own
}

fn rename(parent: BorrowedFd<'_>, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
    rustix::fs::renameat_with(parent, from, parent, to, RenameFlags::NOREPLACE)
}

/// In two steps, and replacing nothing either: a second name for a file, or an empty folder that is replaced.
fn rename_otherwise(
    parent: BorrowedFd<'_>,
    from: &OsStr,
    to: &OsStr,
    folder: bool,
) -> Result<(), Errno> {
    if folder {
        rustix::fs::mkdirat(parent, to, Mode::RWXU)?;
        // What came into its place meanwhile is no empty folder, or as good as ours.
        let renamed = rustix::fs::renameat(parent, from, parent, to);
        if renamed.is_err() {
            let _ = rustix::fs::unlinkat(parent, to, AtFlags::REMOVEDIR);
        }
        return renamed;
    }
    rustix::fs::linkat(parent, from, parent, to, AtFlags::empty())?;
    // Whole at its place, whatever becomes of the other name.
    let _ = rustix::fs::unlinkat(parent, from, AtFlags::empty());
    Ok(())
}

/// Removes a file, or a folder with all that is in it, following no link.
fn remove(parent: BorrowedFd<'_>, name: &std::ffi::CStr, depth: usize) -> Result<(), Errno> {
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(other) => return Err(other),
    }
    // Deeper than any bundle: somebody else made it.
    if depth > MAX_LEVELS {
        return Err(Errno::LOOP);
    }
    let folder = disk::open_folder(parent, name)?;
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let found = entry.file_name();
        if found != c"." && found != c".." {
            remove(folder.as_fd(), found, depth + 1)?;
        }
    }
    rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// What is used where the file system cannot tell whether it replaces something.
    #[test]
    fn the_other_way_to_rename_replaces_nothing_either() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let parent = fs::File::open(dir.path()).expect("a folder");
        let rename = |from: &str, to: &str, folder| {
            rename_otherwise(parent.as_fd(), from.as_ref(), to.as_ref(), folder)
        };
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), b"new").expect("writable");
        fs::create_dir(at("folder")).expect("writable");
        fs::write(at("folder/in"), b"new").expect("writable");
        fs::write(at("taken"), b"old").expect("writable");
        fs::create_dir(at("empty")).expect("writable");
        symlink("nowhere", at("link")).expect("writable");
        for taken in ["taken", "empty", "link", "file"] {
            assert_eq!(rename("file", taken, false), Err(Errno::EXIST), "{taken}");
            assert_eq!(rename("folder", taken, true), Err(Errno::EXIST), "{taken}");
        }
        assert_eq!(fs::read(at("taken")).expect("there"), b"old");
        assert_eq!(rename("none", "free", false), Err(Errno::NOENT));
        assert_eq!(rename("none", "free", true), Err(Errno::NOENT));
        assert!(!at("free").exists());
        rename("file", "free", false).expect("nothing is there");
        rename("folder", "there", true).expect("nothing is there");
        assert!(!at("file").exists() && !at("folder").exists());
        assert_eq!(fs::read(at("free")).expect("there"), b"new");
        assert_eq!(fs::read(at("there/in")).expect("there"), b"new");
    }

    #[test]
    fn what_is_removed_with_a_draft_is_in_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let parent = fs::File::open(dir.path()).expect("a folder");
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("draft/a/b")).expect("writable");
        fs::create_dir_all(at("kept")).expect("writable");
        fs::write(at("kept/file"), b"kept").expect("writable");
        fs::write(at("draft/a/b/file"), b"new").expect("writable");
        symlink(at("kept"), at("draft/a/folder")).expect("writable");
        symlink(at("kept/file"), at("draft/a/b/link")).expect("writable");
        remove(parent.as_fd(), c"draft", 0).expect("removable");
        assert!(!at("draft").exists());
        assert_eq!(fs::read(at("kept/file")).expect("there"), b"kept");
        symlink(at("kept"), at("draft")).expect("writable");
        remove(parent.as_fd(), c"draft", 0).expect("removable");
        assert_eq!(fs::read(at("kept/file")).expect("there"), b"kept");
        remove(parent.as_fd(), c"draft", 0).expect("nothing is there");
    }

    #[test]
    fn somebody_elses_folder_is_none_to_write_in() {
        let stat = |mode: u32, owner| {
            let mut stat = rustix::fs::stat("/").expect("there");
            (stat.st_mode, stat.st_uid) = (0o040_000 | mode, owner);
            stat
        };
        let found = |around, owner| is_foreign(&stat(around, 0), &stat(0o700, owner), 1_000);
        assert!(!found(0o777, 1_000));
        assert!(found(0o777, 1_001) && found(0o775, 1_001));
        // Nobody else may rename what is in there; some disks have one owner for all that is on them.
        assert!(!found(0o1777, 1_001) && !found(0o755, 1_001));
    }
}
