//! One node: the engines of Waystation, and the one place where they meet.

pub mod command;

/// Longest message that one command may send, in bytes: what fits into one sealed body.
pub const MAX_MESSAGE: usize = 60 * 1024;
