//! Flows, laws and attacks.

mod announce;
mod at_core;
mod body;
mod boxes;
mod chain;
mod delegation;
mod flows;
mod identify;
mod invite;
mod item;
mod keys;
mod link;
mod model;
mod model_keys;
mod model_naive;
mod model_numbers;
mod model_people;
mod model_play;
mod model_vectors;
mod model_world;
mod sealing;
mod slices;
mod support;
mod unicast;
mod vault;
mod vectors;
