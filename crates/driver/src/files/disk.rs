//! Folders that are open, and what is reached from them.

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

/// What holds of every file that is opened here: no symbolic link is followed, no device or pipe keeps this
/// thread waiting or becomes its terminal, and no process that is begun meanwhile inherits it.
const SAFE: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// A path as the folder that it is in, open, and its last part.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) parent: OwnedFd,
    pub(super) name: OsString,
    /// For people.
    pub(super) path: PathBuf,
}

impl Place {
    /// Links on the way to the folder are followed: whoever named the path has them in mind. Nothing when the path
    /// has no last part.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        let path = match path.file_name() {
            Some(_) => path.to_owned(),
            None => path.canonicalize()?,
        };
        let Some(name) = path.file_name() else {
            return Ok(None);
        };
        let name = name.to_owned();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = rustix::fs::open(around(&path), flags, Mode::empty())?;
        Ok(Some(Self { parent, name, path }))
    }

    /// Whether it is in this folder or below, as the links are now: a guard against a mistake.
    pub(super) fn is_in(&self, folder: &Path) -> io::Result<bool> {
        let around = around(&self.path).canonicalize()?;
        Ok(around.starts_with(folder.canonicalize()?))
    }
}

/// The folder that a path with a name is in.
fn around(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Opens a folder in a folder.
pub(super) fn open_folder(
    parent: impl AsFd,
    name: impl rustix::path::Arg,
) -> Result<OwnedFd, Errno> {
    let flags = SAFE | OFlags::RDONLY | OFlags::DIRECTORY;
    rustix::fs::openat(parent, name, flags, Mode::empty())
}

/// Opens a file in a folder for reading.
pub(super) fn open_file(parent: impl AsFd, name: impl rustix::path::Arg) -> Result<File, Errno> {
    let flags = SAFE | OFlags::RDONLY;
    rustix::fs::openat(parent, name, flags, Mode::empty()).map(File::from)
}

/// Makes a file in a folder, where there must be nothing of that name.
pub(super) fn create_file(parent: impl AsFd, name: impl rustix::path::Arg) -> Result<File, Errno> {
    let flags = SAFE | OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    rustix::fs::openat(parent, name, flags, OWN).map(File::from)
}

/// Rights of files that are made: nobody else's.
pub(super) const OWN: Mode = Mode::RUSR.union(Mode::WUSR);

/// What a file looked like. Whoever writes to it, or puts another in its place, changes that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mark([u8; 16]);

impl Mark {
    /// Hashed, because there may be as many as a bundle has files.
    pub(super) fn of(stat: &Stat) -> Self {
        let mut hasher = blake3::Hasher::new();
        for number in [
            i128::from(stat.st_dev),
            i128::from(stat.st_ino),
            i128::from(stat.st_size),
            i128::from(stat.st_mtime),
            i128::from(stat.st_mtime_nsec),
            i128::from(stat.st_ctime),
            i128::from(stat.st_ctime_nsec),
        ] {
            hasher.update(&number.to_le_bytes());
        }
        let mut mark = [0; 16];
        mark.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(mark)
    }
}

/// What somebody calls it who has to do something about it.
pub(super) fn kind(stat: &Stat) -> &'static str {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => "a file",
        FileType::Directory => "a folder",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "something unknown",
    }
}

pub(super) fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// The path below `root` of what these names lead to.
pub(super) fn below<'n>(root: &Path, names: impl IntoIterator<Item = &'n OsStr>) -> PathBuf {
    let mut path = root.to_owned();
    path.extend(names);
    path
}
