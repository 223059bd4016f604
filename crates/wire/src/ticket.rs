//! Tickets: a device lets a core node fetch a topic at another core node.

use identity::{BadSignature, NodeId, PublicKey, SecretKey, Signature, TopicId};

use crate::cbor::Malformed;

/// Lets `core` fetch and deposit a topic at other core nodes of it, until it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ticket {
    /// 0: the topic.
    pub topic: TopicId,
    /// 1: who may use it.
    pub core: NodeId,
    /// 2: until when, milliseconds since 1970.
    pub until: u64,
    /// 3: the device that gives it.
    pub device: PublicKey,
    /// 4: the device's, over topic ‖ core ‖ until (big-endian) ‖ device.
    pub signature: Signature,
}

impl Ticket {
    /// Gives a ticket.
    pub fn sign(topic: TopicId, core: NodeId, until: u64, device: &SecretKey) -> Self {
        let _ = (topic, core, until, device);
        todo!()
    }

    /// Whether the device gave it. Whether it has ended, and whether the device may, is the
    /// caller's to decide.
    pub fn verify(&self) -> Result<(), BadSignature> {
        todo!()
    }

    /// A map of the five fields.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// Reads a ticket.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let _ = bytes;
        todo!()
    }
}
