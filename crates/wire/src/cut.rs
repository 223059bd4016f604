//! Cuts: how far each author's chain goes.

use identity::{EnvelopeId, PublicKey};

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
