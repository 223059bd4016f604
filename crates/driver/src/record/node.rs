//! The program's own node can be recorded, and played back.

use std::path::Path;

use node::{Advisory, Config, Held, Input, Node, Verbatim, record};

use super::{Digest, Recordable, ReplayFailed, Replayed, replay};

/// What a record says about one life of a node: whether the home might have been a copy.
#[must_use]
pub const fn about(stale: bool) -> [u8; 1] {
    [stale as u8]
}

/// Runs the record of a node again and compares every output. `software` becomes the name and
/// version of the program that wrote it, as soon as that is known.
///
/// # Errors
/// The file is no record of this program, is damaged, or the node does something else than it did.
pub fn replay_node(file: &Path, software: &mut String) -> Result<Replayed, ReplayFailed> {
    replay(file, |header, life, _| {
        let config = record::decode_config(header).map_err(|why| why.to_string())?;
        software.clone_from(&config.software);
        let stale = match life {
            [0] => false,
            [1] => true,
            _ => return Err("the record says nothing about this life".to_owned()),
        };
        Ok(Node::new(Config { stale, ..config }))
    })
}

impl Recordable for Input {
    fn encode(&self, bytes: &mut Vec<u8>) {
        record::encode(self, bytes);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        record::decode(bytes).ok()
    }
}

impl Digest for Held {
    fn digest(&self, into: &mut dyn FnMut(&[u8])) {
        record::digest_held(self, into);
    }
}

impl Digest for Verbatim {
    fn digest(&self, into: &mut dyn FnMut(&[u8])) {
        record::digest_verbatim(self, into);
    }
}

impl Digest for Advisory {
    fn digest(&self, into: &mut dyn FnMut(&[u8])) {
        record::digest_advisory(self, into);
    }
}
