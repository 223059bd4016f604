//! How many blocks a content has, and where each has its place.

use thiserror::Error;

use crate::limits::{LARGE_FROM, MAX_BLOCKS, MAX_LEVEL};

/// Bytes of every block of one content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum BlockSize {
    /// 1,024 bytes; an inner block holds 16 pairs.
    Small,
    /// 32,768 bytes; an inner block holds 512 pairs.
    Large,
}

/// A content takes more blocks than one may have. The fault of whoever wants to share it, who can
/// share parts of it; nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error(
    "{length} bytes are too much for one content: at most {MAX_BLOCKS} blocks of {block} bytes"
)]
pub struct TooLarge {
    /// Bytes of the content.
    pub length: u64,
    /// Bytes of a block.
    pub block: usize,
}

/// The tree over a content: how many blocks there are on each level, and which *slot* each has. The
/// leaves are slots 0, 1, … in the order of the content, then come the inner blocks of level 1, of level 2
/// and so on; the root is the last. Blocks with equal bytes have slots of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    size: BlockSize,
    /// Blocks of each level, 0 above the root. Their sum is at most [`MAX_BLOCKS`].
    counts: [u32; MAX_LEVEL as usize + 1],
    /// Level of the root.
    top: u8,
}

impl BlockSize {
    /// The block size of a content of `length` bytes (see [`LARGE_FROM`]).
    pub const fn for_length(length: u64) -> Self {
        if length < LARGE_FROM {
            Self::Small
        } else {
            Self::Large
        }
    }

    /// Bytes of a block.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Small => 1_024,
            Self::Large => 32_768,
        }
    }

    /// Pairs of reference and key in an inner block.
    pub const fn arity(self) -> u32 {
        match self {
            Self::Small => 16,
            Self::Large => 512,
        }
    }

    /// The byte that stands for it in a read capability: the exponent of two.
    pub(crate) const fn exponent(self) -> u8 {
        match self {
            Self::Small => 0x0a,
            Self::Large => 0x0f,
        }
    }
}

impl Shape {
    /// The tree over `length` bytes of content.
    pub fn of(length: u64, size: BlockSize) -> Result<Self, TooLarge> {
        // At least one byte of padding, so always one leaf more than are filled.
        let leaves = length / size.bytes() as u64 + 1;
        u32::try_from(leaves)
            .ok()
            .and_then(|leaves| Self::over(leaves, size))
            .ok_or(TooLarge {
                length,
                block: size.bytes(),
            })
    }

    /// The tree that has `count` blocks in all. There is none for some numbers, such as 2.
    pub fn of_count(count: u32, size: BlockSize) -> Option<Self> {
        // More leaves always make more blocks, so the number is found by halving.
        let (mut low, mut high) = (1, count.min(MAX_BLOCKS));
        while low <= high {
            let leaves = low + (high - low) / 2;
            let shape = Self::over(leaves, size);
            match shape.map(|shape| shape.blocks()) {
                Some(blocks) if blocks == count => return shape,
                Some(blocks) if blocks < count => low = leaves + 1,
                _ => high = leaves - 1,
            }
        }
        None
    }

    /// The tree over so many leaves, if it has at most [`MAX_BLOCKS`] blocks.
    fn over(leaves: u32, size: BlockSize) -> Option<Self> {
        if leaves == 0 || leaves > MAX_BLOCKS {
            return None;
        }
        let mut counts = [0; MAX_LEVEL as usize + 1];
        let (mut top, mut count, mut blocks) = (0, leaves, leaves);
        counts[0] = count;
        while count > 1 {
            count = count.div_ceil(size.arity());
            top += 1;
            *counts.get_mut(usize::from(top))? = count;
            // Neither overflows: each level has at most half as many blocks as the one below.
            blocks += count;
        }
        (blocks <= MAX_BLOCKS).then_some(Self { size, counts, top })
    }

    /// Bytes of each block.
    pub const fn block_size(&self) -> BlockSize {
        self.size
    }

    /// Number of leaves, at least 1.
    pub const fn leaves(&self) -> u32 {
        self.counts[0]
    }

    /// Level of the root: 0 when the only leaf is the root.
    pub const fn top(&self) -> u8 {
        self.top
    }

    /// Number of blocks on a level; leaves are level 0. 0 above the root.
    pub fn on_level(&self, level: u8) -> u32 {
        self.counts.get(usize::from(level)).copied().unwrap_or(0)
    }

    /// Number of blocks, from 1 to [`MAX_BLOCKS`].
    pub fn blocks(&self) -> u32 {
        self.counts.iter().sum()
    }

    /// Bytes of all blocks together.
    pub fn bytes(&self) -> u64 {
        u64::from(self.blocks()) * self.size.bytes() as u64
    }

    /// The slot of a block, if the tree has such a one.
    pub fn slot(&self, level: u8, index: u32) -> Option<u32> {
        let below = self.counts.get(..usize::from(level))?;
        (index < self.on_level(level)).then(|| below.iter().sum::<u32>() + index)
    }

    /// Level and index of the block in a slot, if there is such a one.
    pub fn place(&self, slot: u32) -> Option<(u8, u32)> {
        let mut index = slot;
        for level in 0..=self.top {
            let count = self.on_level(level);
            if index < count {
                return Some((level, index));
            }
            index -= count;
        }
        None
    }

    /// How many pairs of an inner block are used: that many blocks are below it. 0 if there is none such.
    pub fn children(&self, level: u8, index: u32) -> u32 {
        if level == 0 || self.slot(level, index).is_none() {
            return 0;
        }
        let below = self.on_level(level - 1) - index * self.size.arity();
        below.min(self.size.arity())
    }

    /// The leaf that holds the byte at an offset into the content, and where in it; none beyond the
    /// padding.
    pub fn leaf_at(&self, offset: u64) -> Option<(u32, usize)> {
        let bytes = self.size.bytes() as u64;
        let leaf = u32::try_from(offset / bytes).ok()?;
        (leaf < self.leaves()).then_some((leaf, (offset % bytes) as usize))
    }
}
