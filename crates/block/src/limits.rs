//! Every bound of files. Sizes are bytes unless said otherwise.

/// Blocks of one content, inner blocks included. A content that takes more is refused before it
/// is read, with [`TooLarge`](crate::eris::TooLarge); in blocks of 32 KiB this is 32 GiB.
pub const MAX_BLOCKS: u32 = 1 << 20;

/// The longest content: leaves of 32 KiB, as many as leave room for the inner blocks among
/// [`MAX_BLOCKS`], less the byte of padding that there always is. Longer ones are refused.
pub const MAX_CONTENT: u64 = 1_046_527 * 32_768 - 1;

/// Contents shorter than this are cut into blocks of 1 KiB, all others into blocks of 32 KiB, as
/// ERIS 1.0 recommends. So a tree of small blocks has at most 16 leaves and one inner block.
pub const LARGE_FROM: u64 = 16 * 1_024;

/// Levels above the leaves: what [`MAX_BLOCKS`] blocks of 1 KiB need. A read capability that names
/// a higher one is refused.
pub const MAX_LEVEL: u8 = 5;

/// Leaves that an encoder hashes at once, and so the blocks that it keeps at most beside one inner block of
/// each level. As many as BLAKE2b takes side by side in AVX2 registers.
pub const ENCODED_AT_ONCE: usize = 4;

/// References in one page of a manifest; the last page may have fewer. So a page is 32 KiB, and
/// [`MAX_BLOCKS`] blocks make 1,024 pages, whose list is 32 KiB too.
pub const PAGE_REFERENCES: u32 = 1_024;

/// The format number of bundles. Another one is refused.
pub const BUNDLE_FORMAT: u64 = 0;

/// Files and folders of a bundle. A folder with more is refused before it is read; it can be shared
/// in parts.
pub const MAX_ENTRIES: usize = 1 << 18;

/// The index of a bundle in CBOR: 64 bytes for each of [`MAX_ENTRIES`]. A folder with longer names is
/// refused before it is read. The largest takes 47 MiB of memory while it is decoded, so that a node of
/// 96 MiB has room for it.
pub const MAX_INDEX: usize = 16 << 20;

/// A name of a file or folder, in bytes of UTF-8: what Linux allows. Longer ones are refused.
pub const MAX_NAME: usize = 255;

/// A path with the bundle's own name and a separator between two names: what Linux allows. Longer ones
/// are refused.
pub const MAX_PATH: usize = 4_096;

/// Names in a path. Deeper folders are refused: whoever walks a tree keeps something for each level.
pub const MAX_LEVELS: usize = 64;
