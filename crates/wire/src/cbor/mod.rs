//! Deterministic CBOR (RFC 8949 §4.2.1): a strict validator, a reader of validated bytes, a writer.

use thiserror::Error;

/// The bytes are not a legal value. The fault of whoever made them; nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("malformed at byte {at}: {what}")]
pub struct Malformed {
    /// Offset into the bytes that were decoded.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}
