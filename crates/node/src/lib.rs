//! One node: the engines of Waystation as one machine, and the one place where they meet.
//!
//! [`Node`] is a [`machine::Machine`]. The real program and the simulator run the same one. It owns
//! the router, the topics, the core's and the client's half of custody, and the keys; it translates
//! what one puts out into what another takes in (`wiring.rs`, `frames.rs`), and answers commands
//! (`commands/`).
//!
//! - [`Input`] is everything that can change it: links, frames, results of checks, commands.
//! - [`Held`], [`Verbatim`], [`Advisory`] are everything that it puts out, by what it asserts.
//! - [`Check`] is a pure function that the world runs on another thread, or inline.
//! - [`command`] is what applications ask and are answered.
//!
//! What it does not do: it has no clock, socket, file or thread, and takes no decision of a protocol:
//! those are the engines'.

#![deny(clippy::float_arithmetic)]

mod auditing;
mod closing;
pub mod command;
mod commands;
mod config;
mod epochs;
mod figures;
mod files;
mod frames;
mod grants;
mod guests;
mod host;
mod identifying;
mod io;
mod joining;
mod keychain;
mod leaving;
pub mod limits;
mod look;
mod members;
mod node;
mod pairing;
mod problems;
mod proof;
mod proposals;
mod reading;
mod recognise;
pub mod record;
mod releases;
mod rendezvous;
pub mod rows;
mod rules;
mod scrub;
mod seeking;
mod tidings;
mod timer;
mod waiting;
mod welcomed;
mod welcoming;
mod wiring;

pub use config::Config;
pub use figures::Figures;
pub use io::{Advisory, Check, CheckDone, FileDone, FileJob, Held, Input, LinkId, Out, Verbatim};
pub use limits::MAX_MESSAGE;
pub use node::Node;
pub use router::{Reach, acl};

/// All tables of a node's store.
#[must_use]
pub fn tables() -> Vec<machine::Table> {
    let mut tables = vec![rows::NODE, rows::VAULT, rows::TOLD];
    tables.extend(lace::rows::TABLES);
    tables.extend(topic::rows::TABLES);
    tables.extend(router::TABLES);
    tables.extend(custody::TABLES);
    tables.extend(block::swap::TABLES);
    tables
}
