//! Writing down everything that happens to a node, and playing it back.
//!
//! A record holds, for each life, the seed of its randomness, the rows of its store at the start,
//! and then every turn with its times and input, every batch as it was given to the disk and as it
//! came back, and a running hash of everything put out. That is all that a machine can depend on;
//! so a replay that differs has found something else that it depends on.
//!
//! A record contains the store, and so every secret in it. It is as private as the home itself.
//!
//! The file: the line `waystation record 1`, then entries. An entry is a length (4 bytes, least
//! significant first), a kind (1 byte), a sum (4 bytes), and that many bytes. The last entry may be
//! cut off by a crash; what is whole before it counts.

mod entry;
mod node;
mod replay;
mod write;

use std::fmt::Debug;

pub use node::{about, replay_node};
pub use replay::{ReplayFailed, Replayed, replay};
pub use write::Recorder;

/// An input that can be written down. Decoding what was encoded gives an input that a machine
/// cannot tell from the first.
pub trait Recordable: Sized {
    /// Appends the input.
    fn encode(&self, bytes: &mut Vec<u8>);

    /// Reads it back; `None` when these bytes are none.
    fn decode(bytes: &[u8]) -> Option<Self>;
}

/// An output of which the record keeps a hash.
pub trait Digest {
    /// Feeds in every byte that tells this output from another.
    fn digest(&self, into: &mut dyn FnMut(&[u8]));
}

/// A [`Digest`] for outputs whose debug text tells everything.
pub fn digest_debug(output: &impl Debug, into: &mut dyn FnMut(&[u8])) {
    into(format!("{output:?}").as_bytes());
}
