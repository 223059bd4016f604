//! What is in a bundle, and where.

use core::ops::Range;

use wire::cbor::Writer;

use crate::limits::BUNDLE_FORMAT;

/// Bytes before the index, which say how long it is.
pub(super) const PREFIX: usize = 4;

/// What an entry of an index is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// A folder, which may be empty.
    Folder,
    /// A file.
    File(File),
}

/// What is known of a file beside its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct File {
    /// Bytes.
    pub size: u64,
    /// When it was last changed, milliseconds since 1970; 0 for what is older.
    pub modified: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// A folder or a file of an index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry<'i> {
    /// Its own name, which has passed [`check_name`](crate::bundle::check_name).
    pub name: &'i str,
    /// How many folders it is in; 0 for the first alone.
    pub depth: usize,
    /// What it is.
    pub what: What,
    /// Where in the content its bytes are; empty for a folder.
    pub bytes: Range<u64>,
}

/// Every folder and file of a bundle, in order. All rules hold of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Index {
    rows: Vec<Row>,
    /// The names of all, one after another.
    names: String,
    /// Bytes of the index in CBOR.
    encoded: usize,
}

/// Entries are kept short: there may be many.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Row {
    /// Where its name ends; it begins where the one before ends.
    pub(super) name_end: u32,
    /// The folder that it is in; its own number for the first.
    pub(super) parent: u32,
    pub(super) depth: u8,
    pub(super) what: What,
    /// Where its bytes begin, from the first file's on.
    pub(super) offset: u64,
}

/// The entries of an index, in order.
#[derive(Clone, Debug)]
pub struct Entries<'i> {
    index: &'i Index,
    next: usize,
}

impl What {
    /// Bytes in the content.
    pub const fn size(&self) -> u64 {
        match self {
            Self::Folder => 0,
            Self::File(file) => file.size,
        }
    }
}

impl Index {
    /// Of rows that have passed all checks.
    pub(super) fn of(rows: Vec<Row>, names: String, encoded: usize) -> Self {
        Self {
            rows,
            names,
            encoded,
        }
    }

    /// Number of entries, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is always a first entry")]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The entry with a number.
    pub fn entry(&self, number: usize) -> Option<Entry<'_>> {
        let row = self.rows.get(number)?;
        let start = self.start() + row.offset;
        Some(Entry {
            name: self.name(number),
            depth: usize::from(row.depth),
            what: row.what,
            bytes: start..start + row.what.size(),
        })
    }

    /// All entries in order: each folder before what is in it.
    pub fn entries(&self) -> Entries<'_> {
        Entries {
            index: self,
            next: 0,
        }
    }

    /// The components of an entry's path, the bundle's own name first. Empty if there is no such entry.
    pub fn path(&self, number: usize) -> Vec<&str> {
        let mut path = Vec::new();
        let mut at = number;
        while let Some(row) = self.rows.get(at) {
            path.push(self.name(at));
            if row.depth == 0 {
                break;
            }
            // Less than `at`: a folder stands before what is in it.
            at = row.parent as usize;
        }
        path.reverse();
        path
    }

    /// Bytes of all files together.
    pub fn files_len(&self) -> u64 {
        self.rows
            .last()
            .map_or(0, |row| row.offset + row.what.size())
    }

    /// Where the bytes of the first file begin.
    pub fn start(&self) -> u64 {
        (PREFIX + self.encoded) as u64
    }

    /// Bytes of the whole content.
    pub fn content_len(&self) -> u64 {
        self.start() + self.files_len()
    }

    /// What the content begins with: the length of the index, and the index.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.map(2)
            .key(0)
            .uint(BUNDLE_FORMAT)
            .key(1)
            .array(self.rows.len());
        for entry in self.entries() {
            write(&mut w, &entry);
        }
        let mut bytes = w.into_bytes();
        // In place: an index may be 16 MiB.
        let prefix = (bytes.len() as u32).to_be_bytes();
        bytes.splice(..0, prefix);
        bytes
    }

    fn name(&self, number: usize) -> &str {
        let end = |row: &Row| row.name_end as usize;
        let to = self.rows.get(number).map_or(0, end);
        let from = number
            .checked_sub(1)
            .and_then(|before| self.rows.get(before));
        self.names.get(from.map_or(0, end)..to).unwrap_or_default()
    }
}

impl<'i> Iterator for Entries<'i> {
    type Item = Entry<'i>;

    fn next(&mut self) -> Option<Entry<'i>> {
        let entry = self.index.entry(self.next)?;
        self.next += 1;
        Some(entry)
    }
}

fn write(w: &mut Writer, entry: &Entry<'_>) {
    let depth = entry.depth as u64;
    match entry.what {
        What::Folder => w.array(2).uint(depth).text(entry.name),
        What::File(file) => w
            .array(5)
            .uint(depth)
            .text(entry.name)
            .uint(file.size)
            .uint(file.modified)
            .bool(file.executable),
    };
}

/// Bytes of an index of so many entries, which take `entries` bytes themselves.
pub(super) const fn index_len(count: usize, entries: usize) -> usize {
    // A map of two, its keys and the format before the head of the list.
    4 + uint_len(count as u64) + entries
}

/// Bytes of an entry, counted as [`write`] writes it.
pub(super) fn encoded_len(depth: usize, name: &str, what: What) -> usize {
    let short = 1 + uint_len(depth as u64) + uint_len(name.len() as u64) + name.len();
    match what {
        What::Folder => short,
        What::File(file) => short + uint_len(file.size) + uint_len(file.modified) + 1,
    }
}

/// Bytes of a head of CBOR with this number.
const fn uint_len(value: u64) -> usize {
    match value {
        0..24 => 1,
        24..0x100 => 2,
        0x100..0x1_0000 => 3,
        0x1_0000..0x1_0000_0000 => 5,
        _ => 9,
    }
}
