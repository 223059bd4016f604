//! A file, or a folder with all that is in it, as one content.
//!
//! ```text
//!  0              4                    4 + n
//! +--------------+--------------------+-----------------------------------------------+
//! | n, u32       | index, CBOR        | bytes of the first file, of the second, …     |
//! +--------------+--------------------+-----------------------------------------------+
//! ```
//!
//! The index names every folder and file in the order in which a walk meets them: what is in a
//! folder follows it, sorted by the bytes of the names. The bytes of the files follow in the same
//! order without gaps, so where a file begins follows from the sizes before it; nothing can overlap.
//! Any number of small files is one content, any file is read out of the middle, and equal folders make
//! equal contents.
//!
//! What comes from outside may be written to a disk as it is: see [`NameRule`] for what no name may be.
//! Both the walk that makes an index and the decoder go through the same checks. Links, devices,
//! owners, and rights other than to execute cannot be said.

mod build;
mod error;
mod index;
mod name;
mod read;

pub use build::IndexBuilder;
pub use error::{BundleError, Fault};
pub use index::{Entries, Entry, File, Index, What};
pub use name::{NameRule, check_name};
pub use read::IndexReader;
