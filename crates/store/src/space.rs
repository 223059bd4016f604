//! Room on the disk, and the reserve for the day on which there is none.

use crate::error::io;
use crate::{LEAST, OpenFailed, RESCUE};
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How much room a home has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Enough.
    Plenty,
    /// Less than the floor: read, hand over, expire and delete; take nothing new into custody.
    Full,
    /// As [`Room::Full`], and files are not merged: the records themselves shrink only after the
    /// home has been opened with more room.
    Rescue,
}

/// The room on the disk of a home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes free to this process, without the reserve.
    pub free: u64,
    /// Bytes of the disk that records and journals occupy; a file's holes do not count.
    pub used: u64,
    /// What follows from it.
    pub room: Room,
    /// Whether the reserve is set aside; if not, it has been given up or could not be made.
    pub reserved: bool,
    /// The home was opened without merging and there is room again: open it anew.
    pub reopen: bool,
}

/// Bytes that this process may still write on the disk of `path`.
///
/// # Errors
/// When the system does not say.
pub fn free_space(path: &Path) -> Result<u64, OpenFailed> {
    let stat = statvfs(path).map_err(|errno| io("asking for room at", path)(errno.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Bytes of the disk that the files below a folder occupy. Files that come and go meanwhile may be
/// counted or not.
pub(crate) fn occupied(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => occupied(&entry.path()),
            // A block is 512 bytes here, whatever the file system's own are (stat(2)).
            Ok(meta) => meta.blocks().saturating_mul(512),
            Err(_) => 0,
        })
        .sum()
}

/// Bytes free at `place`, unless they are too few to open the home.
fn enough(home: &Path, place: &Path) -> Result<u64, OpenFailed> {
    match free_space(place)? {
        free if free < LEAST => Err(OpenFailed::NoRoom {
            home: home.to_owned(),
            free,
            needed: LEAST,
        }),
        free => Ok(free),
    }
}

/// Whether there is room to make a home where there is none.
pub(crate) fn enough_for_new(home: &Path) -> Result<(), OpenFailed> {
    match home.ancestors().skip(1).find(|folder| folder.is_dir()) {
        Some(place) if !home.is_dir() => enough(home, place).map(drop),
        // A relative path of one part lies in the folder of the process.
        _ => Ok(()),
    }
}

/// The reserve: a file of real blocks that is removed when the disk is full.
#[derive(Clone, Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    bytes: u64,
    floor: u64,
}

impl Reserve {
    pub(crate) fn new(dir: &Path, bytes: u64, floor: u64) -> Self {
        Self {
            path: dir.join("reserve"),
            bytes,
            floor,
        }
    }

    pub(crate) fn held(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|meta| self.bytes > 0 && meta.len() >= self.bytes)
    }

    /// Gives the reserve up when the disk is full, sets it aside when there is room for it, and
    /// says how much room there is for opening.
    pub(crate) fn settle(&self) -> Result<Room, OpenFailed> {
        let dir = self.path.parent().unwrap_or(&self.path);
        let free = free_space(dir)?;
        if free >= self.floor {
            if !self.held() && free >= self.floor.saturating_add(self.bytes) {
                // A disk that fills up meanwhile is no reason not to open.
                let _ = self.make();
            }
            return Ok(Room::Plenty);
        }
        let rescue = RESCUE.min(self.floor);
        if free >= rescue {
            return Ok(Room::Full);
        }
        self.release()?;
        Ok(if enough(dir, dir)? < rescue {
            Room::Rescue
        } else {
            Room::Full
        })
    }

    /// What the room is now, for a home that was opened as `opened`.
    pub(crate) fn judge(&self, opened: Room, free: u64) -> Room {
        if opened == Room::Rescue {
            Room::Rescue
        } else if free < self.floor {
            Room::Full
        } else {
            Room::Plenty
        }
    }

    /// Whether a home without a reserve has room for one again.
    pub(crate) fn affordable(&self, free: u64) -> bool {
        free >= self.floor.saturating_add(self.bytes)
    }

    pub(crate) fn release(&self) -> Result<(), OpenFailed> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io("giving up", &self.path)(error)),
        }
    }

    pub(crate) fn make(&self) -> Result<(), OpenFailed> {
        if self.bytes == 0 {
            return Ok(());
        }
        let made = self.fill();
        if made.is_err() {
            // Half a reserve is worth less than the room it takes.
            let _ = fs::remove_file(&self.path);
        }
        made.map_err(io("setting aside", &self.path))
    }

    fn fill(&self) -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&self.path)?;
        // File systems that cannot set blocks aside get real bytes instead.
        if fallocate(&file, FallocateFlags::empty(), 0, self.bytes).is_err() {
            let block = vec![0x57; 64 * 1024];
            let mut left = self.bytes;
            while left > 0 {
                let step = left.min(block.len() as u64);
                file.write_all(&block[..usize::try_from(step).unwrap_or(block.len())])?;
                left -= step;
            }
        }
        file.sync_all()
    }
}
