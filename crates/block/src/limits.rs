//! Every bound of files. Sizes are bytes unless said otherwise.

/// Blocks of one content, nodes of the tree included. A content that takes more is refused before it
/// is read, with [`TooLarge`](crate::eris::TooLarge); in blocks of 32 KiB this is 32 GiB.
pub const MAX_BLOCKS: u32 = 1 << 20;

/// The longest content: leaves of 32 KiB, as many as leave room for their nodes among
/// [`MAX_BLOCKS`], less the byte of padding that there always is. Longer ones are refused.
pub const MAX_CONTENT: u64 = 1_046_527 * 32_768 - 1;

/// Contents shorter than this are cut into blocks of 1 KiB, all others into blocks of 32 KiB, as
/// ERIS 1.0 recommends. So a tree of small blocks has at most 16 leaves and one node.
pub const LARGE_FROM: u64 = 16 * 1_024;

/// Levels above the leaves: what [`MAX_BLOCKS`] blocks of 1 KiB need. A read capability that names
/// a higher one is refused.
pub const MAX_LEVEL: u8 = 5;

/// Leaves that an encoder hashes at once, and so the blocks that it keeps at most beside one node of
/// each level. As many as BLAKE2b takes side by side in AVX2 registers.
pub const ENCODED_AT_ONCE: usize = 4;

/// References in one page of a manifest; the last page may have fewer. So a page is 32 KiB, and
/// [`MAX_BLOCKS`] blocks make 1,024 pages, whose list is 32 KiB too.
pub const PAGE_REFERENCES: u32 = 1_024;
