//! Values that only a check can make, and why a check refuses.

use identity::BadSignature;
use thiserror::Error;

use crate::cbor::Malformed;

/// A value whose encoding, hashes and signatures have been verified. Only the `check_*` and
/// `sign_*` functions of this crate make one, so an engine that asks for a `Checked` value cannot be
/// handed anything unverified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked<T>(T);

impl<T> Checked<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value.
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// The value, by value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Why a check refused. All of these are functions of the bytes alone, so whoever sent them on an
/// authenticated link could have known. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Refused {
    /// The bytes are not a legal value.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The outer signature is not valid.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// The body is not as long as the header says.
    #[error("the body has not the length that the header gives")]
    BodyLength,
    /// The body's hash is not the one in the header.
    #[error("the body has not the hash that the header gives")]
    BodyHash,
    /// A control envelope without its body: its items are needed to judge it.
    #[error("a control envelope came without its body")]
    NoBody,
    /// The number of items is not the one in the header.
    #[error("the body has not the number of items that the header gives")]
    Count,
    /// A certificate, a claim, an act or what a composition signs inside the body is not validly
    /// signed, in any one of its signatures.
    #[error("an item in the body is not validly signed")]
    InnerSignature,
    /// A certificate names another key than the one that wrote the envelope.
    #[error("the certificate is for another author")]
    OtherAuthor,
    /// The two headers are no evidence: other destinations, authors or numbers, or the same id.
    #[error("the two headers do not contradict one another")]
    NoContradiction,
}
