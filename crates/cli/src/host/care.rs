//! A home at rest: backup, restore, check.
//!
//! A backup is one file, mode 0600:
//!
//! ```text
//! "waystation backup 0\n"  the node's id in text, "\n"
//! length u32 ‖ the key file    length u32 ‖ the configuration file    a snapshot of the store
//! ```
//!
//! The key file goes in as it is: encrypted if the home's is. Author keys are left out: what a
//! restored home writes next begins a new incarnation.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use store::{FjallStore, Options, SnapshotFailed};

use super::disk;
use crate::failure::{Code, Failure};
use crate::home::{Home, write_private};
use crate::keys::{Keys, MAX_FILE};
use crate::schema::{self, Version};

const MAGIC: &[u8; 20] = b"waystation backup 0\n";
/// A configuration file is a few kilobytes.
const MAX_CONFIG: usize = 1024 * 1024;
/// A node's id in text is 64 letters or so.
const MAX_ID: usize = 128;
/// Findings that are told; the rest is counted.
const MAX_FINDINGS: usize = 10;

/// Writes a backup of a home whose store is open.
///
/// # Errors
/// When the file exists or cannot be written, or the home cannot be read.
pub fn back_up(
    home: &Home,
    store: &FjallStore,
    id: &str,
    file: &Path,
) -> Result<schema::Backup, Failure> {
    let failed = |error: &std::io::Error| Failure::io("write", file, error);
    if file.exists() {
        return Err(failed(&std::io::ErrorKind::AlreadyExists.into()));
    }
    let read = |path: &Path| std::fs::read(path).map_err(|error| Failure::io("read", path, &error));
    let keys = zeroize::Zeroizing::new(read(&home.keys())?);
    let encrypted = std::str::from_utf8(&keys).is_ok_and(|text| Keys::is_sealed(text) == Ok(true));
    let config = read(&home.config())?;
    let folder = file
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    // Mode 0600, and under its name only when it is whole.
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    let mut out = BufWriter::new(temporary.as_file_mut());
    let head = || {
        out.write_all(MAGIC)?;
        writeln!(out, "{id}")?;
        part(&mut out, &keys)?;
        part(&mut out, &config)
    };
    let mut head = head;
    head().map_err(|error| failed(&error))?;
    store::export(store, &mut out, belongs).map_err(|error| snapshot(error, file))?;
    out.flush().map_err(|error| failed(&error))?;
    drop(out);
    let bytes = temporary
        .as_file()
        .sync_all()
        .and_then(|()| temporary.as_file().metadata());
    let bytes = bytes.map_err(|error| failed(&error))?.len();
    temporary
        .persist_noclobber(file)
        .map_err(|error| failed(&error.error))?;
    Ok(schema::Backup {
        v: Version,
        file: file.display().to_string(),
        bytes,
        encrypted,
    })
}

/// Whether a row goes into a backup: all but the author keys.
fn belongs(table: machine::Table, key: &[u8]) -> bool {
    table != node::rows::VAULT || key.first() != Some(&node::rows::AUTHOR)
}

/// Writes a backup of a home whose node is down.
///
/// # Errors
/// As [`back_up`], and when the store cannot be opened.
pub fn back_up_at_rest(home: &Home, id: &str, file: &Path) -> Result<schema::Backup, Failure> {
    let (store, _) = FjallStore::open(&home.store(), &node::tables(), &Options::default())
        .map_err(disk::failure)?;
    let done = back_up(home, &store, id, file);
    // Nothing was written; how it was closed changes nothing.
    let _ = store::Store::close(&store);
    done
}

/// Makes a home of a backup.
///
/// # Errors
/// When there is something in the home already, or the file is no whole backup.
pub fn restore(home: &Home, file: &Path) -> Result<schema::Restored, Failure> {
    if home.exists() || home.store().exists() {
        return Err(Failure::new(
            Code::Home,
            format!("there is a node in {} already", home.folder().display()),
            "choose another --home, or move this one away",
        ));
    }
    let opened = File::open(file).map_err(|error| Failure::io("read", file, &error))?;
    let mut input = BufReader::new(opened);
    let mut magic = [0; MAGIC.len()];
    let begun = input.read_exact(&mut magic);
    if begun.is_err() || magic != *MAGIC {
        return Err(damaged(file, "it does not begin as one"));
    }
    let id = line(&mut input).ok_or_else(|| damaged(file, "it names no node"))?;
    let keys = take(&mut input, MAX_FILE).ok_or_else(|| damaged(file, "its keys are cut short"))?;
    let keys = zeroize::Zeroizing::new(keys);
    let text = std::str::from_utf8(&keys).map_err(|_| damaged(file, "its keys are no text"))?;
    let encrypted = Keys::is_sealed(text).map_err(|error| damaged(file, &error.to_string()))?;
    let config =
        take(&mut input, MAX_CONFIG).ok_or_else(|| damaged(file, "its settings are cut short"))?;
    home.create_folder()?;
    let _lock = home.lock()?;
    store::import(
        &home.store(),
        &node::tables(),
        &Options::default(),
        &mut input,
    )
    .map_err(|error| snapshot(error, file))?;
    // The key file last: with it there is a node in this home.
    write_private(&home.config(), &config, true)?;
    write_private(&home.keys(), &keys, false)?;
    let folder = home.folder().display().to_string();
    Ok(schema::Restored {
        v: Version,
        id,
        home: folder,
        encrypted,
    })
}

/// Verifies the store of a home whose node is down.
///
/// # Errors
/// `damaged`, with what was found.
pub fn check(home: &Home) -> Result<schema::Check, Failure> {
    if !home.store().exists() {
        let message = format!("there is no store in {}", home.folder().display());
        return Err(Failure::new(
            Code::NotFound,
            message,
            "name another home with --home",
        ));
    }
    let _lock = home.lock()?;
    let report = store::check(&home.store(), &node::tables()).map_err(disk::failure)?;
    if report.sound() {
        return Ok(schema::Check {
            v: Version,
            ok: true,
            commits: report.commits,
            rows: report.rows.values().sum(),
            files: report.files,
            content: report.content,
        });
    }
    let mut told: Vec<String> = report
        .findings
        .iter()
        .take(MAX_FINDINGS)
        .map(ToString::to_string)
        .collect();
    if report.findings.len() > MAX_FINDINGS {
        told.push(format!("and {} more", report.findings.len() - MAX_FINDINGS));
    }
    Err(Failure::new(
        Code::Damaged,
        format!("the store is damaged: {}", told.join("\n")),
        "start the node: it goes on with what is whole and asks its peers for the rest; or restore \
         a backup into a new home",
    ))
}

fn part(out: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| std::io::ErrorKind::FileTooLarge)?;
    out.write_all(&length.to_be_bytes())?;
    out.write_all(bytes)
}

fn take(input: &mut impl Read, most: usize) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    input.read_exact(&mut length).ok()?;
    let length = usize::try_from(u32::from_be_bytes(length))
        .ok()
        .filter(|n| *n <= most)?;
    let mut bytes = vec![0; length];
    input.read_exact(&mut bytes).ok()?;
    Some(bytes)
}

fn line(input: &mut BufReader<File>) -> Option<String> {
    let mut text = Vec::new();
    for byte in input.bytes().take(MAX_ID) {
        match byte.ok()? {
            b'\n' => return String::from_utf8(text).ok(),
            byte => text.push(byte),
        }
    }
    None
}

fn damaged(file: &Path, why: &str) -> Failure {
    let message = format!("{} is no whole backup: {why}", file.display());
    Failure::new(
        Code::Failed,
        message,
        "use another backup; nothing was changed",
    )
}

fn snapshot(error: SnapshotFailed, file: &Path) -> Failure {
    match error {
        SnapshotFailed::Open(error) => disk::failure(error),
        SnapshotFailed::Io(error) => Failure::io("use", file, &error),
        SnapshotFailed::Format(_) | SnapshotFailed::Damaged(_) => damaged(file, &error.to_string()),
        other => Failure::new(Code::Failed, format!("{}: {other}", file.display()), ""),
    }
}
