//! Who is meant, who signed, and what is sealed: the vocabulary of names and keys.
//!
//! - [`Id`] and the newtypes ([`NodeId`], [`TopicId`], [`EnvelopeId`], …): closed 32-byte names with
//!   one text form each (docs/spec/wire.md, "Ids").
//! - [`Form`]: a composition of devices that act as one, how many of them it takes, and its id.
//! - [`OperatorTag`]: what core nodes of one operator have in common; [`Custodian`]: who counts as
//!   one by it.
//! - [`SecretKey`], [`PublicKey`], [`Signature`], [`Context`]: Ed25519 under one strict rule, every
//!   signature bound to what it is about.
//! - [`seal`]: the few constructions that everything secret is built of (key derivation, keyed
//!   hash, one-time encryption, HPKE).
//!
//! What it does not do: it keeps no key on disk, knows no format but ids and keys, decides no
//! right, and draws randomness only from the generator that it is handed.

#![deny(clippy::float_arithmetic)]

mod composition;
mod id;
pub mod limits;
mod names;
mod operator;
#[cfg(feature = "remember")]
mod remember;
pub mod seal;
mod secret;
mod sign;
mod text;

pub use composition::{Device, Form, FormError};
pub use id::{Id, IdBytesError, Kind, Scheme};
pub use names::{
    ActId, EngineId, EnvelopeId, EpochId, GrantId, NodeId, ProposalId, PublicKey, SealingKey,
    TopicId,
};
pub use operator::{Custodian, OperatorTag};
#[cfg(feature = "remember")]
pub use remember::{MAX_REMEMBERED, checked, remember, remembered};
pub use secret::Secret;
pub use sign::{BadSignature, Context, SecretKey, Signature};
pub use text::TextError;
