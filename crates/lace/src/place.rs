//! Where an envelope is in a lace.

use identity::{EnvelopeId, PublicKey};
use wire::Class;

/// An envelope of the kept set and its place in the local causal order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Its place, from 1. Every envelope has a greater one than those of its past. Places differ
    /// from replica to replica. An envelope that was void and stands again gets a new one.
    pub n: u64,
    /// Its id.
    pub id: EnvelopeId,
    /// Its author.
    pub author: PublicKey,
    /// Its number on the author's chain.
    pub number: u64,
    /// Its class.
    pub class: Class,
}
