//! Flows, laws and attacks.

mod at_core;
mod body;
mod flows;
mod invite;
mod item;
mod keys;
mod link;
mod support;
mod unicast;
mod vault;
mod vectors;
