//! The law of topics, in signed worlds of several replicas.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that cannot go on fails"
)]

mod acts;
mod ends;
mod rates;
mod rules;
mod standing;
mod town;
mod trees;
