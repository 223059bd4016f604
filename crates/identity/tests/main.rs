//! Tests of the public face of `identity`: text, signatures under attack, sealing, vectors.

mod composition;
mod seal;
mod signatures;
mod text;
mod vectors;
