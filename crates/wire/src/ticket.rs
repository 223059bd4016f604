//! Tickets: a device lets a core node fetch a topic at another core node.

use identity::{BadSignature, Context, NodeId, PublicKey, SecretKey, Signature, TopicId};

use crate::cbor::{Malformed, Reader, Writer};
use crate::limits::MAX_TICKET;

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
        let mut ticket = Self {
            topic,
            core,
            until,
            device: device.public(),
            signature: Signature::from_bytes([0; 64]),
        };
        ticket.signature = device.sign(Context::Serve, &ticket.statement());
        ticket
    }

    /// Whether the device gave it. Whether it has ended, and whether the device may, is the
    /// caller's to decide.
    pub fn verify(&self) -> Result<(), BadSignature> {
        self.device
            .verify(Context::Serve, &self.statement(), &self.signature)
    }

    fn statement(&self) -> Vec<u8> {
        [
            &self.topic.as_bytes()[..],
            self.core.as_bytes(),
            &self.until.to_be_bytes(),
            self.device.as_bytes(),
        ]
        .concat()
    }

    /// A map of the five fields.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.into_bytes()
    }

    /// Reads a ticket.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read(&mut Reader::new(bytes, MAX_TICKET)?)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.map(5)
            .key(0)
            .bytes(self.topic.as_bytes())
            .key(1)
            .bytes(self.core.as_bytes());
        w.key(2)
            .uint(self.until)
            .key(3)
            .bytes(self.device.as_bytes());
        w.key(4).bytes(self.signature.as_bytes());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut f = r.fields("ticket")?;
        f.need(r, 0, "topic")?;
        let topic = TopicId::from_bytes(r.array("topic")?);
        f.need(r, 1, "core")?;
        let core = NodeId::from_bytes(r.array("core")?);
        f.need(r, 2, "until")?;
        let until = r.time("until")?;
        f.need(r, 3, "device")?;
        let device = PublicKey::from_bytes(r.array("device")?);
        f.need(r, 4, "signature")?;
        let signature = Signature::from_bytes(r.array("signature")?);
        f.end(r)?;
        Ok(Self {
            topic,
            core,
            until,
            device,
            signature,
        })
    }
}
