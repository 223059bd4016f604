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
mod cuts;
mod ends;
mod epochs;
mod model_keys;
#[path = "../model_naive.rs"]
mod model_naive;
#[path = "../model_people.rs"]
mod model_people;
#[expect(dead_code, reason = "what other tests of the model ask")]
#[path = "../model_play.rs"]
mod model_play;
#[path = "../model_world.rs"]
mod model_world;
mod public;
mod rates;
mod rules;
mod scribe;
mod shown;
mod standing;
mod town;
mod trees;
mod worlds;
