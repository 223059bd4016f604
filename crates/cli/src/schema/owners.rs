//! The owners of a topic.

use serde::{Deserialize, Serialize};

use super::{GrantRight, Version};

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
    /// `way owners sign` and `way owners propose`, and a line of `way owners pending`; and of `way grant` and
    /// `way revoke` where several owners have to sign.
    Proposal {
        v: Version,
        id: String,
        topic: String,
        name: String,
        text: String,
        gives: Vec<ProposedGrant>,
        takes: Vec<ProposedEnd>,
        since: String,
        signed: Vec<Owner>,
        waits_for: Vec<Owner>,
        lacks: u32,
        done: bool,
    }
    /// What owners give together, inside [`Proposal`].
    ProposedGrant {
        member: String,
        name: String,
        rights: Vec<GrantRight>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        messages: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u32>,
    }
    /// What owners take back together, inside [`Proposal`].
    ProposedEnd { grant: String, name: String, only: Vec<String>, cascade: bool, }
}
