//! The command line of Waystation.
//!
//! One binary, `way`, is both halves: `way up` hosts a node in its home, every other command
//! is a thin client that talks to that node over the Unix socket `way.sock` in the home, one JSON
//! object a line. What the commands print with `--json` is the same vocabulary
//! ([`schema`], written down in docs/spec/cli.md), so a program may also use the socket directly.
//!
//! What it does not do: it decides nothing about envelopes, topics, links or custody. Those rules
//! live in the protocol crates; this crate translates words into commands and replies into lines.

pub mod acl;
pub mod args;
pub mod backend;
pub mod client;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod failure;
pub mod home;
pub mod host;
pub mod human;
pub mod keys;
pub mod logs;
pub mod output;
pub mod passphrase;
pub mod plain;
pub mod psk;
pub mod qr;
pub mod rate;
pub mod request;
pub mod run;
pub mod schema;
pub mod server;
pub mod size;
pub mod socket;
pub mod translate;
pub mod when;
