//! The folder of a home: its lock, its identity and format, its note of a clean end.
//!
//! ```text
//! <home>/lock       locked while open; holds the number of the process
//! <home>/home       "waystation home", format, id: three lines of text
//! <home>/clean      number and hash of the last commit; only there while closed cleanly
//! <home>/reserve    bytes set aside for a full disk
//! <home>/db/        the records
//! <home>/content/   the content
//! <home>/damaged/   parts of journals that could not be read, kept for rescue
//! ```

use crate::error::io;
use crate::{FORMAT, Head, OpenFailed};
use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

const HEADLINE: &str = "waystation home";

/// Names a home: 16 random bytes, drawn when it is made, that never leave this machine but with a
/// copy of the home.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HomeId([u8; 16]);

impl HomeId {
    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    fn draw() -> Result<Self, OpenFailed> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)
            .map_err(|error| OpenFailed::Engine(format!("no randomness: {error}")))?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for HomeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for HomeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HomeId({})", hex(&self.0[..4]))
    }
}

/// A home that is locked by this process.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) dir: PathBuf,
    pub(crate) id: HomeId,
    pub(crate) created: bool,
    _lock: Lock,
}

/// The lock of a home. It ends with this value, and with the process however that ends.
#[derive(Debug)]
struct Lock(File);

impl Lock {
    fn take(dir: &Path) -> Result<Self, OpenFailed> {
        let path = dir.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io("opening", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Only for the message: a lock whose owner cannot be read is a lock all the same.
                let _ = file.read_to_string(&mut text);
                return Err(OpenFailed::Locked {
                    home: dir.to_owned(),
                    pid: text.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(io("locking", &path)(error)),
        }
        // On a full disk the number may not fit; the lock counts, not its text.
        let _ = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
        Ok(Self(file))
    }
}

impl Drop for Lock {
    /// Closing the file would not do: a process that another thread is starting has a copy of the
    /// handle until it becomes its own program, and the lock is held for as long.
    fn drop(&mut self) {
        // Where this fails, the lock ends with the last copy of the handle.
        let _ = self.0.unlock();
    }
}

impl Home {
    /// Locks the home, making it when there is none.
    pub(crate) fn open(dir: &Path) -> Result<Self, OpenFailed> {
        make_folder(dir)?;
        let lock = Lock::take(dir)?;
        let (id, created) = match read_identity(dir)? {
            Some(id) => (id, false),
            None => (write_identity(dir)?, true),
        };
        Ok(Self {
            dir: dir.to_owned(),
            id,
            created,
            _lock: lock,
        })
    }

    /// Locks a home that must be there, and changes nothing else.
    pub(crate) fn existing(dir: &Path) -> Result<Self, OpenFailed> {
        let missing = || io("opening", dir)(std::io::ErrorKind::NotFound.into());
        if !dir.join("home").is_file() {
            return Err(missing());
        }
        let lock = Lock::take(dir)?;
        let id = read_identity(dir)?.ok_or_else(missing)?;
        Ok(Self {
            dir: dir.to_owned(),
            id,
            created: false,
            _lock: lock,
        })
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.dir.join("db")
    }

    /// The head noted at a clean end, if there was one; the note is removed, so that a crash from
    /// here on is seen as one.
    pub(crate) fn take_clean(&self) -> Result<Option<Head>, OpenFailed> {
        let path = self.dir.join("clean");
        let head = self.clean();
        match fs::remove_file(&path) {
            Ok(()) => sync_folder(&self.dir)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(io("removing", &path)(error)),
        }
        Ok(head)
    }

    /// The head noted at a clean end. A note that cannot be read is none.
    pub(crate) fn clean(&self) -> Option<Head> {
        parse_head(&fs::read_to_string(self.dir.join("clean")).ok()?)
    }

    pub(crate) fn note_clean(&self, head: &Head) -> Result<(), OpenFailed> {
        replace(&self.dir.join("clean"), head_text(head).as_bytes())
    }
}

pub(crate) fn head_text(head: &Head) -> String {
    format!("{}\n{}\n", head.number, hex(&head.hash))
}

pub(crate) fn parse_head(text: &str) -> Option<Head> {
    let mut lines = text.lines();
    let number = lines.next()?.parse().ok()?;
    let hash = unhex::<32>(lines.next()?)?;
    lines.next().is_none().then_some(Head { number, hash })
}

fn read_identity(dir: &Path) -> Result<Option<HomeId>, OpenFailed> {
    let path = dir.join("home");
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Records without an identity would be taken for a fresh home, and overwritten.
            if dir.join("db").exists() {
                let what = format!("{} is missing, but there are records", path.display());
                return Err(OpenFailed::Damaged { what });
            }
            return Ok(None);
        }
        Err(error) => return Err(io("reading", &path)(error)),
    };
    let damaged = || OpenFailed::Damaged {
        what: format!("{} cannot be read", path.display()),
    };
    let mut lines = text.lines();
    if lines.next() != Some(HEADLINE) {
        return Err(damaged());
    }
    let found: u32 = lines
        .next()
        .and_then(|line| line.strip_prefix("format "))
        .and_then(|number| number.parse().ok())
        .ok_or_else(damaged)?;
    if found > FORMAT {
        return Err(OpenFailed::Newer {
            home: dir.to_owned(),
            found,
            known: FORMAT,
        });
    }
    let id = lines
        .next()
        .and_then(|line| line.strip_prefix("id "))
        .and_then(unhex::<16>);
    id.map(|bytes| Some(HomeId(bytes))).ok_or_else(damaged)
}

fn write_identity(dir: &Path) -> Result<HomeId, OpenFailed> {
    let id = HomeId::draw()?;
    let text = format!("{HEADLINE}\nformat {FORMAT}\nid {id}\n");
    replace(&dir.join("home"), text.as_bytes())?;
    Ok(id)
}

/// Makes a folder that nobody else can read, durably.
pub(crate) fn make_folder(dir: &Path) -> Result<(), OpenFailed> {
    if dir.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(io("making", dir))?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => Ok(()),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(dir: &Path) -> Result<(), OpenFailed> {
    File::open(dir)
        .and_then(|folder| folder.sync_all())
        .map_err(io("syncing", dir))
}

/// Puts `bytes` at `path`, whole or not at all, durably.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), OpenFailed> {
    let draft = path.with_extension("new");
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(io("writing", &draft))?;
    fs::rename(&draft, path).map_err(io("replacing", path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exactly `N` bytes in lower-case hexadecimal digits.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = (*byte << 4) | value;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_ends_though_a_copy_of_its_handle_is_left() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let home = Home::open(dir.path()).expect("it opens");
        // What a process has that was begun while the home was open.
        let copy = home._lock.0.try_clone().expect("a copy of the handle");
        assert!(matches!(
            Home::open(dir.path()),
            Err(OpenFailed::Locked { .. })
        ));
        drop(home);
        Home::open(dir.path()).expect("it is free again");
        drop(copy);
    }
}
