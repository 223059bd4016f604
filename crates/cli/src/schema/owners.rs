//! The owners of a topic.

use serde::{Deserialize, Serialize};

use super::Version;

objects! {
    /// `way topic create --owners`.
    OwnedTopic { v: Version, id: String, name: String, links: Vec<String>, expires: String, }
    /// `way owners list`.
    Owners {
        v: Version,
        topic: String,
        name: String,
        threshold: u8,
        devices: Vec<Owner>,
        missing: Vec<String>,
    }
    /// A device of an owner, inside [`Owners`] and [`Proposal`].
    Owner { device: String, name: String, own: bool, }
    /// `way owners sign` and `way owners propose`, and a line of `way owners pending`.
    Proposal {
        v: Version,
        id: String,
        topic: String,
        name: String,
        text: String,
        signed: Vec<Owner>,
        waits_for: Vec<Owner>,
        lacks: u32,
        done: bool,
    }
}
