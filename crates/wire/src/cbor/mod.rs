//! Deterministic CBOR (RFC 8949 §4.2.1): a strict validator, a reader of validated bytes, a writer.
//!
//! The subset: unsigned and negative integers, byte strings, text strings, arrays, maps whose keys
//! are unsigned integers, false, true and null. No tags, no floating point, no undefined. Heads are
//! the shortest, lengths definite, keys strictly ascending, nothing follows the value, nesting is at
//! most [`MAX_DEPTH`](crate::limits::MAX_DEPTH). So every value has exactly one encoding.

mod read;
mod validate;
mod write;

pub use read::{Fields, Reader};
pub use validate::{validate, validate_prefix};
pub use write::Writer;

use thiserror::Error;

/// The bytes are not a legal value. The fault of whoever made them; nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("malformed at byte {at} ({what})")]
pub struct Malformed {
    /// Offset into the bytes that were decoded.
    pub at: usize,
    /// What is wrong there, or the field that is wrong.
    pub what: &'static str,
}
