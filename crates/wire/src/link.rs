//! Invite links as text: base32 with a checksum, also valid in upper case (what QR codes store
//! most tightly).

use core::fmt;
use core::str::FromStr;

use thiserror::Error;

use crate::address::NodeAddress;

/// An invite to a topic: `way:join/…`. Whoever has it can join.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinLink {
    /// What locator and keys of the invite are derived from. Secret.
    pub seed: [u8; 16],
    /// Where the invite's box can be fetched, 1 or 2.
    pub at: Vec<NodeAddress>,
}

/// An operator's invite to be a client of a core node: `way:core/…`.
#[derive(Clone, PartialEq, Eq)]
pub struct CoreLink {
    /// What token and key of the invite are derived from. Secret.
    pub seed: [u8; 16],
    /// The core node.
    pub at: NodeAddress,
}

/// Either of them, for a command that takes both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Link {
    /// To a topic.
    Join(JoinLink),
    /// To a core node.
    Core(CoreLink),
}

/// The text is no link, or the link cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum LinkError {
    /// It begins with neither `way:join/` nor `way:core/`, or with the other one.
    #[error("a link begins with way:join/ or way:core/")]
    Prefix,
    /// Too short, too long, a wrong character or mixed case.
    #[error("the link is cut off or has a wrong character")]
    Garbled,
    /// The checksum is wrong.
    #[error("the link is damaged: its checksum is wrong")]
    Checksum,
    /// Made by a later version.
    #[error("the link was made by a later version")]
    Version,
    /// An address in it is not one, or a name is too long for a link (at most 38 characters).
    #[error("an address in the link is not one, or its name is longer than 38 characters")]
    Address,
}

impl JoinLink {
    /// The text.
    pub fn to_text(&self) -> Result<String, LinkError> {
        todo!()
    }
}

impl CoreLink {
    /// The text.
    pub fn to_text(&self) -> Result<String, LinkError> {
        todo!()
    }
}

impl FromStr for JoinLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let _ = text;
        todo!()
    }
}

impl FromStr for CoreLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let _ = text;
        todo!()
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let _ = text;
        todo!()
    }
}

impl fmt::Debug for JoinLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinLink")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CoreLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoreLink")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
