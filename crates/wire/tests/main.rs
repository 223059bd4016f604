//! Tests of the public face of `wire`: every decoder under attack, every rule, the vectors.

#[path = "../examples/vectors/identity_vectors.rs"]
mod identity_vectors;
#[path = "../examples/vectors/rights_samples.rs"]
mod rights_samples;
#[path = "../examples/vectors/samples.rs"]
mod samples;
#[path = "../examples/vectors/wire_vectors.rs"]
mod wire_vectors;

mod cbor;
mod checks;
mod decoders;
mod differences;
mod documents;
mod header;
mod links;
mod mutations;
mod pairs;
mod proposals;
mod rights;
mod rights_strategies;
mod roundtrips;
mod strategies;
mod vectors;
