//! ERIS 1.0: content as encrypted blocks of one size, named by their hashes.
//!
//! Content is padded (0x80, then zeros) to whole blocks, the *leaves*. Each leaf is encrypted under
//! a key of its own: its BLAKE2b-256, keyed with the convergence secret. The *reference* of a block is
//! the BLAKE2b-256 of its ciphertext. Pairs of reference and key, 64 bytes each, fill *inner blocks*, which
//! are encrypted in the same way under their unkeyed hash, level upon level until one block is left.
//! Whoever has its reference and key, the *read capability*, reads everything.
//!
//! Equal contents under equal secrets give equal blocks. Whoever has the secret can confirm a guess of
//! a content; so it is one that only the members of a topic have (docs/spec/files.md).

mod capability;
mod decode;
mod encode;
pub(crate) mod hash;
mod shape;

pub use capability::{CapabilityError, ReadCapability};
pub use decode::{DecodeError, Decoder, Fed, Leaf, Need};
pub use encode::{EncodeError, EncodedBlock, Encoder};
pub use hash::Reference;
pub use shape::{BlockSize, Shape, TooLarge};
