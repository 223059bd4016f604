//! Flows, laws and attacks.

mod at_core;
mod body;
mod invite;
mod item;
mod keys;
mod link;
mod support;
mod unicast;
mod vault;
mod vectors;
