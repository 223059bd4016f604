//! Naming blocks of a manifest, and what lists them: slots, pages, the page list.

use crate::cbor::{Malformed, Reader, Writer};
use crate::limits::{MAX_MANIFEST_BLOCKS, MAX_MANIFEST_PAGES, MAX_RUN};

/// Slots that follow one another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SlotRange {
    /// The first.
    pub first: u32,
    /// How many, from 1.
    pub count: u32,
}

/// A part of what belongs to a manifest (docs/spec/files.md, 2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// The hashes of all pages.
    List,
    /// The references of 1,024 slots.
    Page(u32),
    /// The blocks in these slots, one after the other, at most [`MAX_RUN`].
    Blocks(SlotRange),
}

impl SlotRange {
    /// The slot behind the last. Never overflows for a range that was read.
    #[must_use]
    pub const fn end(&self) -> u32 {
        self.first.saturating_add(self.count)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(2).uint(self.first).uint(self.count);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.tuple(2, "slots")?;
        Self::read_fields(r, MAX_MANIFEST_BLOCKS)
    }

    fn read_fields(r: &mut Reader<'_>, most: u32) -> Result<Self, Malformed> {
        let last = u64::from(MAX_MANIFEST_BLOCKS - 1);
        let first = r.at_most(last, "slot")?;
        let room = u64::from(MAX_MANIFEST_BLOCKS) - first;
        let count = r.within(1, room.min(u64::from(most)), "slots")?;
        // Both are at most MAX_MANIFEST_BLOCKS.
        Ok(Self {
            first: first as u32,
            count: count as u32,
        })
    }
}

/// Reads ranges of slots one after the other: ascending, and never touching, so that what is the same is
/// said in one way.
#[derive(Default)]
pub(crate) struct SlotsReader {
    last: Option<SlotRange>,
}

impl SlotsReader {
    pub(crate) fn range(&mut self, r: &mut Reader<'_>) -> Result<SlotRange, Malformed> {
        let wrong = r.wrong("slots are not ascending");
        let range = SlotRange::read(r)?;
        match self.last.replace(range) {
            Some(last) if range.first <= last.end() => Err(wrong),
            _ => Ok(range),
        }
    }
}

impl Part {
    pub(crate) fn write(&self, w: &mut Writer) {
        match self {
            Self::List => w.array(1).uint(0_u8),
            Self::Page(page) => w.array(2).uint(1_u8).uint(*page),
            Self::Blocks(range) => w.array(3).uint(2_u8).uint(range.first).uint(range.count),
        };
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let wrong = r.wrong("a part of a manifest");
        let len = r.list(3, "a part of a manifest")?;
        let kind = r.at_most(2, "a part of a manifest")?;
        match (kind, len) {
            (0, 1) => Ok(Self::List),
            (1, 2) => {
                let last = u64::from(MAX_MANIFEST_PAGES - 1);
                Ok(Self::Page(r.at_most(last, "page")? as u32))
            }
            (2, 3) => Ok(Self::Blocks(SlotRange::read_fields(r, MAX_RUN)?)),
            _ => Err(wrong),
        }
    }
}
