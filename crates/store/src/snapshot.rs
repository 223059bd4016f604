//! A store as one stream of bytes: for backups, and at the head of recordings.
//!
//! ```text
//! snapshot = "waystation snapshot\n" ‖ format (4) ‖ tables (2) ‖ table* ‖ row* ‖ end
//! table    = number (1) ‖ name length (1) ‖ name
//! row      = 1 ‖ table (1) ‖ key length (2) ‖ key ‖ value length (4) ‖ value
//! end      = 0 ‖ rows (8) ‖ BLAKE3-derive-key("waystation store snapshot v1", all before) (32)
//! ```
//!
//! All numbers are big-endian. Content is not part of it.

use crate::home::sync_folder;
use crate::{FORMAT, FjallStore, IMPORT_STEP, Options, SnapshotFailed, Store};
use machine::{Batch, MAX_KEY, MAX_RECORD, Table};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

const MAGIC: &[u8; 20] = b"waystation snapshot\n";
const CONTEXT: &str = "waystation store snapshot v1";
const ROW: u8 = 1;
const END: u8 = 0;

/// What a snapshot came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Rows written or read.
    pub rows: u64,
    /// The hash at the end of the snapshot.
    pub hash: [u8; 32],
}

/// Writes all rows that `keep` keeps, as they are at one moment; commits may go on meanwhile.
///
/// # Errors
/// When the store cannot be read or the stream cannot be written.
pub fn export(
    store: &FjallStore,
    out: &mut impl Write,
    mut keep: impl FnMut(Table, &[u8]) -> bool,
) -> Result<Summary, SnapshotFailed> {
    let mut out = Hashing::new(out);
    let tables = store.tables();
    out.write_all(MAGIC)?;
    out.write_all(&FORMAT.to_be_bytes())?;
    out.write_all(&(tables.len() as u16).to_be_bytes())?;
    for table in &tables {
        let name = table.name().as_bytes();
        let length = u8::try_from(name.len())
            .map_err(|_| SnapshotFailed::Format(format!("the name {}", table.name())))?;
        out.write_all(&[table.id(), length])?;
        out.write_all(name)?;
    }
    let snapshot = store.snapshot();
    let mut rows = 0;
    for table in tables {
        store.each_row(
            &snapshot,
            table,
            |key, value| -> Result<(), SnapshotFailed> {
                if !keep(table, key) {
                    return Ok(());
                }
                rows += 1;
                // Keys and values are within MAX_KEY and MAX_RECORD, or they would not be here.
                out.write_all(&[ROW, table.id()])?;
                out.write_all(&(key.len() as u16).to_be_bytes())?;
                out.write_all(key)?;
                out.write_all(&(value.len() as u32).to_be_bytes())?;
                out.write_all(value)?;
                Ok(())
            },
        )?;
    }
    out.write_all(&[END])?;
    out.write_all(&u64::to_be_bytes(rows))?;
    let hash = *out.hasher.finalize().as_bytes();
    out.inner.write_all(&hash)?;
    out.inner.flush()?;
    Ok(Summary { rows, hash })
}

/// Reads a snapshot and gives its rows to `each`, in the order of table and key. Until it returns,
/// nothing that it gave is known to be what was written: whoever keeps rows must be able to drop
/// them again.
///
/// # Errors
/// When the stream is no snapshot, altered or cut short; and what `each` says.
pub fn read_snapshot(
    input: &mut impl Read,
    mut each: impl FnMut(u8, Vec<u8>, Vec<u8>) -> Result<(), SnapshotFailed>,
) -> Result<Summary, SnapshotFailed> {
    let mut input = HashingReader {
        inner: input,
        hasher: blake3::Hasher::new_derive_key(CONTEXT),
    };
    let tables = input.header()?;
    let mut rows = 0_u64;
    let mut before: Option<(u8, Vec<u8>)> = None;
    loop {
        match input.take::<1>()? {
            [ROW] => {}
            [END] => break,
            _ => return Err(SnapshotFailed::Damaged("neither a row nor the end")),
        }
        let [table] = input.take()?;
        if !tables.contains_key(&table) {
            return Err(SnapshotFailed::Damaged("a row of an unknown table"));
        }
        let length = usize::from(u16::from_be_bytes(input.take()?));
        let key = input.bytes(length, MAX_KEY)?;
        let length = u32::from_be_bytes(input.take()?) as usize;
        let value = input.bytes(length, MAX_RECORD)?;
        let at = (table, key);
        if before.as_ref().is_some_and(|before| *before >= at) {
            return Err(SnapshotFailed::Damaged("rows out of order"));
        }
        each(table, at.1.clone(), value)?;
        before = Some(at);
        rows += 1;
    }
    if u64::from_be_bytes(input.take()?) != rows {
        return Err(SnapshotFailed::Damaged("rows are missing"));
    }
    let expected = *input.hasher.finalize().as_bytes();
    if input.take::<32>()? != expected {
        return Err(SnapshotFailed::Damaged("its hash does not match"));
    }
    Ok(Summary {
        rows,
        hash: expected,
    })
}

/// Makes a home at `dir`, where there must be none, out of a snapshot. The new home has an id of
/// its own and no marker, so that it counts as stale. What fails leaves nothing behind.
///
/// # Errors
/// [`SnapshotFailed`].
pub fn import(
    dir: &Path,
    tables: &[Table],
    options: &Options,
    input: &mut impl Read,
) -> Result<Summary, SnapshotFailed> {
    if dir.exists() {
        return Err(SnapshotFailed::Exists(dir.to_owned()));
    }
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(".importing");
    let draft = dir.with_file_name(name);
    let failed = |what| crate::error::io(what, &draft);
    if draft.exists() {
        std::fs::remove_dir_all(&draft).map_err(failed("clearing"))?;
    }
    let made = fill(&draft, tables, options, input);
    match made {
        Ok(summary) => {
            std::fs::rename(&draft, dir).map_err(failed("naming"))?;
            if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                sync_folder(parent)?;
            }
            Ok(summary)
        }
        Err(error) => {
            // The first error is the one to report.
            let _ = std::fs::remove_dir_all(&draft);
            Err(error)
        }
    }
}

fn fill(
    draft: &Path,
    tables: &[Table],
    options: &Options,
    input: &mut impl Read,
) -> Result<Summary, SnapshotFailed> {
    let (store, _) = FjallStore::open(draft, tables, options)?;
    let known: BTreeMap<u8, Table> = tables.iter().map(|table| (table.id(), *table)).collect();
    let mut writes = Vec::new();
    let mut bytes = 0;
    let mut number = 0;
    let mut commit = |writes: &mut Vec<_>| {
        number += 1;
        let batch = Batch {
            number,
            last_turn: number,
            writes: std::mem::take(writes),
        };
        store.commit(&[Arc::new(batch)])
    };
    let summary = read_snapshot(input, |table, key, value| {
        let Some(table) = known.get(&table) else {
            return Err(SnapshotFailed::Format(format!(
                "it has a table {table}, unknown here"
            )));
        };
        bytes += key.len() + value.len();
        writes.push((*table, key, Some(value)));
        if bytes >= IMPORT_STEP {
            bytes = 0;
            commit(&mut writes)?;
        }
        Ok(())
    })?;
    commit(&mut writes)?;
    store.close()?;
    Ok(summary)
}

struct Hashing<'a, W> {
    inner: &'a mut W,
    hasher: blake3::Hasher,
}

impl<'a, W: Write> Hashing<'a, W> {
    fn new(inner: &'a mut W) -> Self {
        Self {
            inner,
            hasher: blake3::Hasher::new_derive_key(CONTEXT),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.inner.write_all(bytes)
    }
}

struct HashingReader<'a, R> {
    inner: &'a mut R,
    hasher: blake3::Hasher,
}

impl<R: Read> HashingReader<'_, R> {
    fn header(&mut self) -> Result<BTreeMap<u8, String>, SnapshotFailed> {
        let format = |text: &str| SnapshotFailed::Format(text.to_owned());
        if self.take::<20>()? != *MAGIC {
            return Err(format("it does not begin as one"));
        }
        let found = u32::from_be_bytes(self.take()?);
        if found > FORMAT {
            return Err(SnapshotFailed::Format(format!(
                "format {found}, known up to {FORMAT}"
            )));
        }
        let count = u16::from_be_bytes(self.take()?);
        let mut tables = BTreeMap::new();
        for _ in 0..count {
            let [number, length] = self.take()?;
            let name = self.bytes(usize::from(length), usize::from(u8::MAX))?;
            let name = String::from_utf8(name).map_err(|_| format("a table without a name"))?;
            if tables.insert(number, name).is_some() {
                return Err(format("two tables of one number"));
            }
        }
        Ok(tables)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], SnapshotFailed> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Allocates nothing for a length that no snapshot of ours would have.
    fn bytes(&mut self, length: usize, most: usize) -> Result<Vec<u8>, SnapshotFailed> {
        if length > most {
            return Err(SnapshotFailed::Damaged("a length beyond the limit"));
        }
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), SnapshotFailed> {
        self.inner
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => SnapshotFailed::Damaged("it ends too early"),
                _ => SnapshotFailed::Io(error),
            })?;
        self.hasher.update(bytes);
        Ok(())
    }
}
