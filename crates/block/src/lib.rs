//! Files as encrypted blocks.
//!
//! The normative text is docs/spec/files.md.
//!
//! - [`eris`]: content becomes blocks of one size that say nothing of it, and content again, from any
//!   offset.
//! - [`manifest`]: how somebody who cannot read a content counts, verifies and serves its blocks.
//! - [`bundle`]: a file, or a folder with all that is in it, as one content.
//! - [`memory`]: contents that are wholly in memory, for simulated worlds and for tests.
//! - [`swap`]: which blocks are here, which are wanted, and how they travel between peers.
//! - [`limits`]: every bound, with what happens when it is reached.
//!
//! What it does not do: it reads no file and no folder, opens no connection, and decides nothing about
//! who may.

#![deny(clippy::float_arithmetic)]

pub mod bundle;
pub mod eris;
pub mod limits;
pub mod manifest;
pub mod memory;
pub mod swap;
