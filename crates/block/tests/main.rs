//! Tests of the public face of `block`: the oracle's vectors, what holds of every content, attacks.

mod attacks_eris;
mod content;
mod eris;
mod manifest;
mod vectors;
