//! Tests of the public face of `identity`: text, signatures under attack, sealing, vectors.

mod composition;
#[cfg(feature = "remember")]
mod remember;
mod seal;
mod signatures;
mod text;
mod vectors;
