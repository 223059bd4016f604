//! Reading an index from the beginning of a content.

use wire::Malformed;
use wire::cbor::Reader;

use crate::bundle::index::PREFIX;
use crate::bundle::{BundleError, File, Index, IndexBuilder, What};
use crate::limits::{BUNDLE_FORMAT, MAX_ENTRIES, MAX_INDEX, MAX_NAME};

/// Collects the beginning of a content, in pieces of any length, until the index is complete. It keeps
/// what has come and no more, [`MAX_INDEX`] at most.
#[derive(Clone, Debug)]
pub struct IndexReader {
    /// Bytes of the content.
    length: u64,
    /// What has come of the length of the index and of the index.
    bytes: Vec<u8>,
}

impl IndexReader {
    /// Of a content of `length` bytes.
    pub const fn new(length: u64) -> Self {
        Self {
            length,
            bytes: Vec::new(),
        }
    }

    /// How many bytes are needed next: at first four, then the rest of the index. 0 when it is complete.
    pub fn missing(&self) -> usize {
        let end = match self.index_len() {
            None => PREFIX,
            Some(index) => PREFIX + index,
        };
        end - self.bytes.len()
    }

    /// Takes what follows in the content; gives how many of the bytes are of the index. What is after
    /// them are the files.
    pub fn push(&mut self, piece: &[u8]) -> Result<usize, BundleError> {
        let mut taken = 0;
        // Twice at most: the length of the index, and the index.
        while self.missing() > 0 && taken < piece.len() {
            let rest = piece.get(taken..).unwrap_or_default();
            let now = rest.get(..self.missing()).unwrap_or(rest);
            self.bytes.extend_from_slice(now);
            taken += now.len();
            self.judge_len()?;
        }
        Ok(taken)
    }

    /// The index, when nothing is missing.
    pub fn finish(self) -> Result<Index, BundleError> {
        if self.missing() > 0 {
            return Err(BundleError::Malformed(Malformed {
                at: self.bytes.len(),
                what: "it is cut off",
            }));
        }
        let index = decode(self.bytes.get(PREFIX..).unwrap_or_default())?;
        if index.content_len() == self.length {
            Ok(index)
        } else {
            Err(BundleError::Length {
                said: self.length,
                found: index.content_len(),
            })
        }
    }

    /// What the first bytes say, if they have come. Not more than [`MAX_INDEX`] once it was judged.
    fn index_len(&self) -> Option<usize> {
        let prefix: [u8; PREFIX] = self.bytes.get(..PREFIX)?.try_into().ok()?;
        Some(u32::from_be_bytes(prefix) as usize)
    }

    fn judge_len(&mut self) -> Result<(), BundleError> {
        let Some(index) = self.index_len() else {
            return Ok(());
        };
        let found = PREFIX as u64 + index as u64;
        let wrong = if index > MAX_INDEX {
            BundleError::Index
        } else if found > self.length {
            let said = self.length;
            BundleError::Length { said, found }
        } else {
            return Ok(());
        };
        // As if nothing had come, so that nothing more is collected for it.
        self.bytes.clear();
        Err(wrong)
    }
}

impl Index {
    /// Reads the index at the beginning of `content`, which may go on after it; the content has
    /// `length` bytes in all.
    pub fn decode(content: &[u8], length: u64) -> Result<Self, BundleError> {
        let mut reader = IndexReader::new(length);
        reader.push(content)?;
        reader.finish()
    }
}

fn decode(bytes: &[u8]) -> Result<Index, BundleError> {
    let mut r = Reader::new(bytes, MAX_INDEX)?;
    let mut f = r.fields("index")?;
    f.need(&mut r, 0, "format")?;
    r.within(BUNDLE_FORMAT, BUNDLE_FORMAT, "of another format")?;
    f.need(&mut r, 1, "entries")?;
    let mut builder = IndexBuilder::new();
    for _ in 0..r.list(MAX_ENTRIES, "entries")? {
        let wrong = r.wrong("entry");
        let fields = r.list(5, "entry")?;
        let depth = usize::from(r.u8("depth")?);
        let name = r.text(MAX_NAME, "name")?;
        let what = match fields {
            2 => What::Folder,
            5 => What::File(File {
                size: r.u64("size")?,
                modified: r.u64("time")?,
                executable: r.bool("executable")?,
            }),
            _ => return Err(wrong.into()),
        };
        builder.add(depth, name, what)?;
    }
    f.end(&mut r)?;
    builder.finish()
}
