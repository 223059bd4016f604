//! Tests of the public face of `block`: the oracle's vectors, what holds of every content, attacks.

mod attacks_bundle;
mod attacks_eris;
mod bundle;
mod content;
mod documents;
mod eris;
mod manifest;
mod room;
mod swap;
mod vectors;
