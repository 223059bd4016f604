//! The 32-byte newtypes. They are plain bytes: whether a public key can verify anything is decided
//! by [`PublicKey::verify`], so that decoding costs no curve arithmetic.

use core::fmt;
use core::str::FromStr;

use crate::id::{Id, Kind, Scheme};
use crate::text::{self, TextError};

macro_rules! bytes32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes the bytes as they are.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The bytes, by value.
            pub const fn to_bytes(self) -> [u8; 32] {
                self.0
            }
        }

        impl fmt::Debug for $name {
            /// The first four bytes in hexadecimal: for logs and tests, not for users.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), ":"))?;
                text::write_short(f, &self.0)
            }
        }
    };
}

/// Text is 64 hexadecimal digits.
macro_rules! hex_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                text::write_hex(f, &self.0)
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            /// Reads 64 hexadecimal digits, all lower or all upper case.
            fn from_str(text: &str) -> Result<Self, TextError> {
                text::read_hex(text).map(Self)
            }
        }
    };
}

/// Text is the bech32m form of the id with this kind and scheme.
macro_rules! id_text {
    ($name:ident, $kind:expr, $scheme:expr) => {
        impl $name {
            /// The same with its kind and scheme.
            pub const fn to_id(self) -> Id {
                Id::new($kind, $scheme, self.0)
            }

            /// The name in an id, if the id is of this kind and scheme.
            pub fn from_id(id: &Id) -> Option<Self> {
                (id.kind() == $kind && id.scheme() == $scheme).then(|| Self(*id.as_bytes()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                text::write_id(f, &self.to_id())
            }
        }

        impl FromStr for $name {
            type Err = TextError;

            /// Reads the bech32m text of an id of this kind; an id of another kind is refused.
            fn from_str(text: &str) -> Result<Self, TextError> {
                let id = text::read_id(text)?;
                Self::from_id(&id).ok_or(TextError::OtherKind {
                    wanted: $kind.name(),
                    found: id.kind().name(),
                })
            }
        }
    };
}

bytes32! {
    /// A node: the Ed25519 public key of its links. Text `node1…`.
    NodeId
}
id_text!(NodeId, Kind::Node, Scheme::Key);

bytes32! {
    /// A topic: the hash of its genesis. Text `topic1…`.
    TopicId
}
id_text!(TopicId, Kind::Topic, Scheme::Hash);

bytes32! {
    /// An engine. Text `engine1…`.
    EngineId
}
id_text!(EngineId, Kind::Engine, Scheme::Hash);

bytes32! {
    /// An envelope: the hash of its header bytes. Text is hexadecimal.
    EnvelopeId
}
hex_text!(EnvelopeId);

bytes32! {
    /// A grant: the hash of the item that gives it. Text is hexadecimal.
    GrantId
}
hex_text!(GrantId);

bytes32! {
    /// An epoch: the hash of the item that announces it. Text is hexadecimal.
    EpochId
}
hex_text!(EpochId);

bytes32! {
    /// A state of a composition: the hash of the act that made it, or the 32 bytes of the
    /// composition's own id while its first form stands. Text is hexadecimal.
    ActId
}
hex_text!(ActId);

bytes32! {
    /// What several devices are asked to sign together. Text is hexadecimal.
    ProposalId
}
hex_text!(ProposalId);

bytes32! {
    /// An Ed25519 public key in any role (author, device, invite, node). Text is hexadecimal.
    PublicKey
}
hex_text!(PublicKey);

bytes32! {
    /// An X25519 public key that something can be sealed to. Text is hexadecimal.
    SealingKey
}
hex_text!(SealingKey);

impl NodeId {
    /// The key that this node signs with.
    pub const fn public_key(self) -> PublicKey {
        PublicKey(self.0)
    }
}

impl PublicKey {
    /// The node whose key this is taken to be.
    pub const fn node_id(self) -> NodeId {
        NodeId(self.0)
    }
}
