//! Cuts: how far each author's chain goes.

use identity::{EnvelopeId, PublicKey};

use crate::cbor::{Malformed, Reader, Writer};
use crate::limits::{MAX_BRANCHES, MAX_NUMBER};

/// The last envelope of one author's chain; it covers that envelope and its ancestors on the chain.
/// A forked author has several entries, one for each branch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CutEntry {
    /// Whose chain.
    pub author: PublicKey,
    /// Number of its last envelope, from 1.
    pub number: u64,
    /// Id of that envelope.
    pub id: EnvelopeId,
}

/// Envelopes of one author by number, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Range {
    /// Whose chain.
    pub author: PublicKey,
    /// First number, from 1.
    pub from: u64,
    /// Last number, not below `from`.
    pub to: u64,
}

impl CutEntry {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(3)
            .bytes(self.author.as_bytes())
            .uint(self.number)
            .bytes(self.id.as_bytes());
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.tuple(3, "cut entry")?;
        Ok(Self {
            author: PublicKey::from_bytes(r.array("author")?),
            number: r.within(1, MAX_NUMBER, "number")?,
            id: EnvelopeId::from_bytes(r.array("id")?),
        })
    }
}

/// Reads the entries of a cut one after the other: strictly ascending, at most [`MAX_BRANCHES`] of
/// one author.
#[derive(Default)]
pub(crate) struct CutReader {
    last: Option<CutEntry>,
    branches: usize,
}

impl CutReader {
    pub(crate) fn entry(&mut self, r: &mut Reader<'_>) -> Result<CutEntry, Malformed> {
        let wrong = r.wrong("too many branches of one author");
        let author = self.last.map(|last| last.author);
        let entry = r.ascending(&mut self.last, "the cut is not ascending", CutEntry::read)?;
        self.branches = if author == Some(entry.author) {
            self.branches + 1
        } else {
            1
        };
        if self.branches > MAX_BRANCHES {
            Err(wrong)
        } else {
            Ok(entry)
        }
    }
}

impl Range {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(3)
            .bytes(self.author.as_bytes())
            .uint(self.from)
            .uint(self.to);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.tuple(3, "range")?;
        let author = PublicKey::from_bytes(r.array("author")?);
        let from = r.within(1, MAX_NUMBER, "from")?;
        Ok(Self {
            author,
            from,
            to: r.within(from, MAX_NUMBER, "to")?,
        })
    }
}
