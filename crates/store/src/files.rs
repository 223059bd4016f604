//! The engine's files against their checksums, without the engine.
//!
//! For each keyspace the engine keeps a file `current`, which names the newest version file and
//! its checksum; that lists the files of sorted rows and of values kept apart, with theirs. So
//! every byte that the engine would read is covered. (lsm-tree 3.1; little-endian.)

use crate::OpenFailed;
use crate::error::io;
use std::fs::{self, File};
use std::io::{self as stdio, BufRead, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Number of the only kind of checksum there is.
const XXH3: u8 = 0;
/// Bytes behind the table of contents of a file.
const TRAILER: u64 = 38;
/// Bytes of a table of contents; the engine's have a few hundred.
const MAX_CONTENTS: u64 = 64 * 1024;

/// How closely files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What the engine reads when it opens: the lists of files, and the table of contents at the
    /// end of each, out of which it would otherwise take lengths unseen and end the process.
    Opening,
    /// Every byte.
    Whole,
}

/// Looks at every file under `db` that the engine would read but the journals, and tells `report`
/// of those that are not as they were written. Returns how many there are.
pub(crate) fn verify(
    db: &Path,
    depth: Depth,
    report: &mut dyn FnMut(PathBuf, String),
) -> Result<u64, OpenFailed> {
    let folder = db.join("keyspaces");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == stdio::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(io("listing", &folder)(error)),
    };
    let mut keyspaces = Vec::new();
    for entry in entries {
        keyspaces.push(entry.map_err(io("listing", &folder))?.path());
    }
    keyspaces.sort();
    let mut files = 0;
    for keyspace in keyspaces {
        files += verify_keyspace(&keyspace, depth, report);
    }
    Ok(files)
}

fn verify_keyspace(keyspace: &Path, depth: Depth, report: &mut dyn FnMut(PathBuf, String)) -> u64 {
    let version = match current(keyspace) {
        Ok(version) => version,
        // One whose making was interrupted holds nothing, and the engine makes it anew.
        Err(error) if error.kind() == stdio::ErrorKind::NotFound && is_unused(keyspace) => {
            return 0;
        }
        Err(error) => {
            report(keyspace.join("current"), error.to_string());
            return 1;
        }
    };
    if let Err(error) = version.whole() {
        report(version.path, error.to_string());
        return 1;
    }
    let files = match listed(keyspace, &version.path) {
        Ok(files) => files,
        Err(error) => {
            report(version.path, error.to_string());
            return 1;
        }
    };
    for file in &files {
        let sound = match depth {
            Depth::Opening => file.contents(),
            Depth::Whole => file.whole(),
        };
        if let Err(error) = sound {
            report(file.path.clone(), error.to_string());
        }
    }
    files.len() as u64 + 1
}

fn is_unused(keyspace: &Path) -> bool {
    let holds = |name: &str| {
        fs::read_dir(keyspace.join(name)).is_ok_and(|mut entries| entries.next().is_some())
    };
    !holds("tables") && !holds("blobs")
}

struct Sealed {
    path: PathBuf,
    checksum: u128,
}

impl Sealed {
    fn whole(&self) -> stdio::Result<()> {
        let mut file = File::open(&self.path)?;
        let mut hasher = Xxh3::new();
        let mut block = vec![0; 128 * 1024];
        loop {
            let length = file.read(&mut block)?;
            if length == 0 {
                return matching(hasher.digest128(), self.checksum);
            }
            hasher.update(&block[..length]);
        }
    }

    /// The table of contents: it lies before the last 38 bytes, which are
    /// `"SFA!" ‖ 1 ‖ 0 ‖ checksum (16) ‖ place (8) ‖ length (8)`.
    fn contents(&self) -> stdio::Result<()> {
        let mut file = File::open(&self.path)?;
        let end = file
            .metadata()?
            .len()
            .checked_sub(TRAILER)
            .ok_or_else(malformed)?;
        file.seek(SeekFrom::Start(end))?;
        if take::<6>(&mut file)? != *b"SFA!\x01\x00" {
            return Err(malformed());
        }
        let checksum = u128::from_le_bytes(take(&mut file)?);
        let place = u64::from_le_bytes(take(&mut file)?);
        let length = end
            .checked_sub(place)
            .filter(|length| *length <= MAX_CONTENTS);
        file.seek(SeekFrom::Start(place))?;
        let mut contents = vec![0; length.ok_or_else(malformed)? as usize];
        file.read_exact(&mut contents)?;
        matching(xxh3_128(&contents), checksum)
    }
}

fn matching(found: u128, expected: u128) -> stdio::Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(stdio::Error::new(
        stdio::ErrorKind::InvalidData,
        "it does not match its checksum",
    ))
}

fn current(keyspace: &Path) -> stdio::Result<Sealed> {
    let bytes = fs::read(keyspace.join("current"))?;
    let mut rest = bytes.as_slice();
    let version = u64::from_le_bytes(take(&mut rest)?);
    let checksum = u128::from_le_bytes(take(&mut rest)?);
    if take::<1>(&mut rest)? != [XXH3] || !rest.is_empty() {
        return Err(malformed());
    }
    Ok(Sealed {
        path: keyspace.join(format!("v{version}")),
        checksum,
    })
}

/// The files that a version file lists.
fn listed(keyspace: &Path, version: &Path) -> stdio::Result<Vec<Sealed>> {
    let archive = sfa::Reader::new(version).map_err(|_| malformed())?;
    let section = |name: &[u8]| {
        let found = archive.toc().section(name).ok_or_else(malformed)?;
        found.buf_reader(version)
    };
    let mut files = Vec::new();
    let mut rows = section(b"tables")?;
    let [levels] = take(&mut rows)?;
    for _ in 0..levels {
        let [runs] = take(&mut rows)?;
        for _ in 0..runs {
            let tables = u32::from_le_bytes(take(&mut rows)?);
            for _ in 0..tables {
                files.push(sealed(&keyspace.join("tables"), &mut rows)?);
                // The engine's sequence number of the file.
                take::<8>(&mut rows)?;
            }
        }
    }
    let mut blobs = section(b"blob_files")?;
    let count = u32::from_le_bytes(take(&mut blobs)?);
    for _ in 0..count {
        files.push(sealed(&keyspace.join("blobs"), &mut blobs)?);
    }
    Ok(files)
}

fn sealed(folder: &Path, list: &mut impl BufRead) -> stdio::Result<Sealed> {
    let id = u64::from_le_bytes(take(list)?);
    let [kind] = take(list)?;
    let checksum = u128::from_le_bytes(take(list)?);
    if kind != XXH3 {
        return Err(malformed());
    }
    Ok(Sealed {
        path: folder.join(id.to_string()),
        checksum,
    })
}

fn take<const N: usize>(from: &mut impl Read) -> stdio::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn malformed() -> stdio::Error {
    stdio::Error::new(stdio::ErrorKind::InvalidData, "it cannot be made sense of")
}
