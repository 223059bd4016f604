//! What the node's owner decides.

use core::fmt;

use identity::{OperatorTag, SecretKey};

use crate::Reach;
use crate::limits::MAX_STRANGERS;

/// An address of one's own, for the advert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// A URI.
    pub uri: String,
    /// Preference: greater is tried first.
    pub weight: u8,
}

/// What the node's owner decides, and the node's key.
#[derive(Clone)]
pub struct Config {
    /// The node's key.
    pub secret: SecretKey,
    /// The name others see, at most 64 bytes; longer ones are cut.
    pub name: String,
    /// Whether the name stands in the advert, which every neighbour reads, core nodes among them.
    pub public_name: bool,
    /// Name and version of the program, at most 32 bytes.
    pub software: String,
    /// Whether the host's clock is confirmed without peers: somebody sees to it.
    pub trusted_clock: bool,
    /// Strangers with a link at once.
    pub max_strangers: usize,
    /// Whether the home was restored from a backup, or its last use is unknown: then an advert of
    /// one's own that one does not remember is no sign of a second node with this key.
    pub restored: bool,
    /// By whom this node is within reach.
    pub reach: Reach,
    /// Whose core node this is, as its receipts for mail say; nothing: an operator of its own.
    pub operator: Option<OperatorTag>,
}

impl Config {
    /// The defaults for this key.
    #[must_use]
    pub fn new(secret: SecretKey, name: &str, software: &str) -> Self {
        Self {
            secret,
            name: name.to_owned(),
            public_name: true,
            software: software.to_owned(),
            trusted_clock: false,
            max_strangers: MAX_STRANGERS,
            restored: false,
            reach: Reach::Any,
            operator: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Config({:?}, {:?})", self.secret.node_id(), self.name)
    }
}
