//! Epochs under the law of topics, in signed worlds of several replicas.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that cannot go on fails"
)]

mod clean;
mod judged;
#[path = "../law/town.rs"]
#[expect(dead_code, reason = "other tests play other parts of it")]
mod town;
