//! What is inside what is sealed: bodies, sealed items, an invite's box.

use identity::{EnvelopeId, EpochId, NodeId, PublicKey, SecretKey, Signature};

use crate::cbor::Malformed;
use crate::genesis::Genesis;
use crate::item::Invite;

/// A message of an application inside a body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// What it is: [`Message::TEXT`]; applications' kinds are kept as they are.
    pub kind: u8,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Message {
    /// Text in UTF-8.
    pub const TEXT: u8 = 0;

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            kind: Self::TEXT,
            bytes: text.into().into_bytes(),
        }
    }
}

/// The plaintext of a content body: `[[kind, bytes], …]`, padded with zeros to a Padmé length
/// (at most 12 % more) so that its size says little.
pub fn encode_messages(messages: &[Message]) -> Vec<u8> {
    let _ = messages;
    todo!()
}

/// Reads the plaintext of a content body. The padding must be exactly what [`encode_messages`]
/// adds.
pub fn decode_messages(plain: &[u8]) -> Result<Vec<Message>, Malformed> {
    let _ = plain;
    todo!()
}

/// Bytes that one more message of this length adds to a plaintext, padding apart.
pub const fn message_len(bytes: usize) -> usize {
    bytes + 10
}

/// What a member says about itself to readers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    /// The name to show; never taken as identity.
    pub name: String,
    /// The node it is on.
    pub node: NodeId,
    /// Where that node can be reached (URIs), at most 8.
    pub addresses: Vec<String>,
}

/// A core node that holds the topic for a member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoreEntry {
    /// Which.
    pub node: NodeId,
    /// Where it can be reached (URIs), at most 8.
    pub addresses: Vec<String>,
    /// Its name.
    pub name: String,
}

/// The core nodes of a member, at most 4.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CoreList {
    /// Them.
    pub cores: Vec<CoreEntry>,
}

/// The name of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Title {
    /// It.
    pub name: String,
}

/// What an invite's box holds, of the while-away kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BoxContents {
    /// The topic.
    pub genesis: Genesis,
    /// The invite.
    pub invite: Invite,
    /// The envelope that carries the invite: the claimer's first envelope depends on it.
    pub invite_at: EnvelopeId,
    /// The topic's name.
    pub title: String,
    /// The inviter's name.
    pub inviter: String,
    /// Where the topic can be found: the inviter itself and its core nodes, at most 4.
    pub cores: Vec<CoreEntry>,
    /// Which epoch `secret` belongs to.
    pub epoch: EpochId,
    /// The epoch's secret.
    pub secret: [u8; 32],
    /// The inviter's device.
    pub device: PublicKey,
    /// The device's, over everything before.
    pub signature: Signature,
}

impl Profile {
    /// The plaintext.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// Reads the plaintext.
    pub fn decode(plain: &[u8]) -> Result<Self, Malformed> {
        let _ = plain;
        todo!()
    }
}

impl CoreList {
    /// The plaintext.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// Reads the plaintext.
    pub fn decode(plain: &[u8]) -> Result<Self, Malformed> {
        let _ = plain;
        todo!()
    }
}

impl Title {
    /// The plaintext.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// Reads the plaintext.
    pub fn decode(plain: &[u8]) -> Result<Self, Malformed> {
        let _ = plain;
        todo!()
    }
}

impl BoxContents {
    /// Fills in device and signature.
    pub fn sign(&mut self, device: &SecretKey) {
        let _ = device;
        todo!()
    }

    /// The plaintext, padded with zeros to [`limits::BOX_PLAIN_LEN`](crate::limits::BOX_PLAIN_LEN);
    /// refused if it does not fit (leave addresses out).
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        todo!()
    }

    /// Reads the plaintext and verifies the device's signature. Whether the device may invite is
    /// seen in the topic.
    pub fn decode(plain: &[u8]) -> Result<Self, crate::Refused> {
        let _ = plain;
        todo!()
    }
}
