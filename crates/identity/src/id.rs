//! An id with its kind and scheme: what an envelope may be addressed to.

use core::fmt;
use core::str::FromStr;

use thiserror::Error;

use crate::text::{self, TextError};

/// What an id names. The number is the first byte on the wire and the name is the prefix of the
/// text form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Kind {
    /// A node; the id of its router.
    Node = 0,
    /// One actor inside a node.
    Engine = 1,
    /// A signed graph of envelopes, replicated by its subscribers.
    Topic = 2,
    /// A sovereign set of nodes.
    Domain = 3,
    /// A composition of keys: a person with several devices, the owners of a topic.
    Member = 4,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::Node,
        Self::Engine,
        Self::Topic,
        Self::Domain,
        Self::Member,
    ];

    /// The name, which is also the prefix of the text form.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Engine => "engine",
            Self::Topic => "topic",
            Self::Domain => "domain",
            Self::Member => "member",
        }
    }

    /// The kind with this number, if there is one.
    pub fn from_u8(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// How the 32 bytes of an id bind it to its owner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Scheme {
    /// They are an Ed25519 public key.
    Key = 0,
    /// They are a BLAKE3 hash of a genesis or of a composition's first form.
    Hash = 1,
}

impl Scheme {
    /// The scheme with this number, if there is one.
    pub fn from_u8(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Key),
            1 => Some(Self::Hash),
            _ => None,
        }
    }
}

/// Kind, scheme and 32 bytes: 34 bytes on the wire, bech32m in text (`topic1…`).
///
/// ```text
///  0      1        2                              34
/// +------+--------+------------------------------+
/// | kind | scheme | key or hash                  |
/// +------+--------+------------------------------+
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    kind: Kind,
    scheme: Scheme,
    bytes: [u8; 32],
}

impl Id {
    /// Bytes of an id on the wire.
    pub const LEN: usize = 34;

    /// An id of these parts. Whether the bytes are a key that can sign is seen when a signature is
    /// checked, not here.
    pub const fn new(kind: Kind, scheme: Scheme, bytes: [u8; 32]) -> Self {
        Self {
            kind,
            scheme,
            bytes,
        }
    }

    /// What it names.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// How its bytes bind it to its owner.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The key or hash without kind and scheme.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The 34 bytes of the wire.
    pub fn to_wire(self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[0] = self.kind as u8;
        out[1] = self.scheme as u8;
        out[2..].copy_from_slice(&self.bytes);
        out
    }

    /// Reads the 34 bytes of the wire; an unknown kind or scheme is refused.
    pub fn from_wire(wire: &[u8; Self::LEN]) -> Result<Self, IdBytesError> {
        let [kind, scheme, bytes @ ..] = wire;
        Ok(Self {
            kind: Kind::from_u8(*kind).ok_or(IdBytesError::Kind(*kind))?,
            scheme: Scheme::from_u8(*scheme).ok_or(IdBytesError::Scheme(*scheme))?,
            bytes: *bytes,
        })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::write_id(f, self)
    }
}

impl fmt::Debug for Id {
    /// The kind and the first four bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.kind.name())?;
        text::write_short(f, &self.bytes)
    }
}

impl FromStr for Id {
    type Err = TextError;

    /// Reads the text form, all lower or all upper case; nothing else that decodes to the same
    /// bytes is accepted.
    fn from_str(text: &str) -> Result<Self, TextError> {
        text::read_id(text)
    }
}

/// The bytes are no id. The sender's fault; nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum IdBytesError {
    /// No kind has this number.
    #[error("no kind of id has the number {0}")]
    Kind(u8),
    /// No scheme has this number.
    #[error("no scheme of ids has the number {0}")]
    Scheme(u8),
}
