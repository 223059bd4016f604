//! Making an index, entry by entry; the one place where the rules are checked.

use core::ops::Range;
use std::collections::BTreeSet;

use identity::seal::hash;
use wire::limits::MAX_TIME_MS;

use crate::bundle::index::{Row, encoded_len, index_len};
use crate::bundle::name::fold;
use crate::bundle::{BundleError, Fault, Index, What, check_name};
use crate::limits::{MAX_CONTENT, MAX_ENTRIES, MAX_INDEX, MAX_LEVELS, MAX_PATH};

/// Makes an index of entries in their order, checking each. Whoever walks a folder adds it, and then
/// what is in it sorted by the bytes of the names, each folder with all that is in it.
#[derive(Debug, Default)]
pub struct IndexBuilder {
    rows: Vec<Row>,
    names: String,
    /// Bytes of the entries in CBOR.
    encoded: usize,
    /// Bytes of the files.
    files: u64,
    /// The folders that the next entry may be in, the outermost first.
    open: Vec<Open>,
}

/// A folder to which entries may still be added.
#[derive(Debug)]
struct Open {
    /// Its number.
    number: u32,
    /// Bytes of its path.
    path: usize,
    /// The last name in it.
    last: Option<Range<usize>>,
    /// Hashes of the folded names in it: short, and none can be chosen to be equal.
    folded: BTreeSet<[u8; 16]>,
}

impl IndexBuilder {
    /// Without entries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entry that is in `depth` folders: in the last one added that is in one fewer. An error
    /// changes nothing.
    pub fn add(&mut self, depth: usize, name: &str, what: What) -> Result<(), BundleError> {
        if self.rows.len() >= MAX_ENTRIES {
            return Err(BundleError::Entries);
        }
        // Only the first is in no folder, and only open folders have anything in them.
        if depth > self.open.len() || (depth == 0) != self.rows.is_empty() {
            return Err(self.at_fault(depth, name, Fault::NoFolder));
        }
        check_name(name).map_err(|rule| self.at_fault(depth, name, Fault::Name(rule)))?;
        if depth >= MAX_LEVELS {
            return Err(self.at_fault(depth, name, Fault::Levels));
        }
        let parent = depth.checked_sub(1).and_then(|at| self.open.get(at));
        let path = parent.map_or(0, |parent| parent.path + 1) + name.len();
        if path > MAX_PATH {
            return Err(self.at_fault(depth, name, Fault::Path));
        }
        if matches!(what, What::File(file) if file.modified > MAX_TIME_MS) {
            return Err(self.at_fault(depth, name, Fault::Time));
        }
        let mut folded = [0; 16];
        folded.copy_from_slice(&hash(&[fold(name).as_bytes()])[..16]);
        if let Some(parent) = parent {
            let last = parent.last.clone().and_then(|last| self.names.get(last));
            if last.is_some_and(|last| last.as_bytes() >= name.as_bytes()) {
                return Err(self.at_fault(depth, name, Fault::Order));
            }
            if parent.folded.contains(&folded) {
                return Err(self.at_fault(depth, name, Fault::Alike));
            }
        }
        let files = self
            .files
            .checked_add(what.size())
            .filter(|files| *files <= MAX_CONTENT);
        let files = files.ok_or(BundleError::TooLarge)?;
        let encoded = self.encoded + encoded_len(depth, name, what);
        if index_len(self.rows.len() + 1, encoded) > MAX_INDEX {
            return Err(BundleError::Index);
        }
        self.files = files;
        self.encoded = encoded;
        self.put(depth, name, what, path, folded);
        Ok(())
    }

    /// The index of what was added, which must be something.
    pub fn finish(self) -> Result<Index, BundleError> {
        if self.rows.is_empty() {
            return Err(BundleError::Nothing);
        }
        let encoded = index_len(self.rows.len(), self.encoded);
        let index = Index::of(self.rows, self.names, encoded);
        if index.content_len() > MAX_CONTENT {
            return Err(BundleError::TooLarge);
        }
        Ok(index)
    }

    /// Adds what has passed all checks.
    fn put(&mut self, depth: usize, name: &str, what: What, path: usize, folded: [u8; 16]) {
        let number = self.rows.len() as u32;
        let name_start = self.names.len();
        self.names.push_str(name);
        self.open.truncate(depth);
        let mut parent = number;
        if let Some(open) = self.open.last_mut() {
            parent = open.number;
            open.last = Some(name_start..self.names.len());
            open.folded.insert(folded);
        }
        self.rows.push(Row {
            name_end: self.names.len() as u32,
            parent,
            depth: depth as u8,
            what,
            offset: self.files - what.size(),
        });
        if what == What::Folder {
            self.open.push(Open {
                number,
                path,
                last: None,
                folded: BTreeSet::new(),
            });
        }
    }

    fn at_fault(&self, depth: usize, name: &str, fault: Fault) -> BundleError {
        let mut path = String::new();
        for open in self.open.iter().take(depth) {
            let number = open.number as usize;
            let end = |at: usize| self.rows.get(at).map_or(0, |row| row.name_end as usize);
            let from = number.checked_sub(1).map_or(0, end);
            path.push_str(self.names.get(from..end(number)).unwrap_or_default());
            path.push('/');
        }
        path.push_str(name);
        BundleError::at(&path, fault)
    }
}
