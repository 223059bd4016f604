//! Items of control bodies: a closed list of kinds.

use identity::{BadSignature, GrantId, PublicKey, SealingKey, SecretKey, Signature, TopicId};

use crate::cbor::Malformed;

/// A device certifies an author key of its own, in that author's envelope number 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// The device, which signs this.
    pub device: PublicKey,
    /// The author key, which writes the envelope.
    pub author: PublicKey,
    /// Which incarnation of the device in this topic, from 0.
    pub index: u32,
    /// Over topic id ‖ author ‖ index (big-endian).
    pub signature: Signature,
}

/// The key of an invite certifies a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The invite's key, which signs this.
    pub invite: PublicKey,
    /// The id of the invite item.
    pub grant: GrantId,
    /// The device that is let in.
    pub device: PublicKey,
    /// What may be sealed to it.
    pub sealing: SealingKey,
    /// When, milliseconds since 1970, as the device claims.
    pub time: u64,
    /// Over topic id ‖ invite ‖ grant ‖ device ‖ sealing ‖ time (big-endian).
    pub signature: Signature,
}

/// What an invite gives before anybody has welcomed its claimer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum InviteKind {
    /// The box holds the keys; the claimer reads and writes at once.
    WhileAway = 1,
}

/// Lets in devices that prove a key derived from the link's seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invite {
    /// Ed25519 key that signs claims.
    pub key: PublicKey,
    /// What may be sealed to whoever holds the link.
    pub sealing: SealingKey,
    /// How many devices it is meant for, from 1.
    pub uses: u32,
    /// Claims later than this do not stand; milliseconds since 1970.
    pub until: u64,
    /// What it gives.
    pub kind: InviteKind,
}

/// An item of a control body. Kinds that this format does not know are inadmissible.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// Kind 0: first item of every author's envelope number 1.
    Certificate(Certificate),
    /// Kind 1: second item of the first envelope of everybody but the founder.
    Claim(Claim),
    /// Kind 2.
    Invite(Invite),
    /// Kind 3: the device leaves the topic.
    Leave,
    /// Kind 4: what may be sealed to this device from now on.
    Sealing(SealingKey),
    /// Kind 5: [`plain::Profile`](crate::plain::Profile), sealed to readers.
    Profile(Vec<u8>),
    /// Kind 6: [`plain::CoreList`](crate::plain::CoreList), sealed to members.
    Cores(Vec<u8>),
    /// Kind 7: [`plain::Title`](crate::plain::Title), sealed to readers.
    Title(Vec<u8>),
}

impl Certificate {
    /// Certifies an author key.
    pub fn sign(topic: TopicId, device: &SecretKey, author: PublicKey, index: u32) -> Self {
        let _ = (topic, device, author, index);
        todo!()
    }

    /// Whether the device signed it for this topic.
    pub fn verify(&self, topic: TopicId) -> Result<(), BadSignature> {
        let _ = topic;
        todo!()
    }
}

impl Claim {
    /// Claims an invite for a device.
    pub fn sign(
        topic: TopicId,
        invite: &SecretKey,
        grant: GrantId,
        device: PublicKey,
        sealing: SealingKey,
        time: u64,
    ) -> Self {
        let _ = (topic, invite, grant, device, sealing, time);
        todo!()
    }

    /// Whether the invite's key signed it for this topic.
    pub fn verify(&self, topic: TopicId) -> Result<(), BadSignature> {
        let _ = topic;
        todo!()
    }

    /// The bytes of the item.
    pub fn encode(&self) -> Vec<u8> {
        Item::Claim(*self).encode()
    }
}

impl Item {
    /// `[kind, fields]`.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// Reads one item.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let _ = bytes;
        todo!()
    }

    /// The item's id: kdf("grant", item bytes). For an invite this is the grant that claims name.
    pub fn id(&self) -> GrantId {
        todo!()
    }
}

/// The body of a control envelope: an array of items. Not in clear text where the item says sealed.
pub fn encode_items(items: &[Item]) -> Vec<u8> {
    let _ = items;
    todo!()
}

/// Reads a control body.
pub fn decode_items(bytes: &[u8]) -> Result<Vec<Item>, Malformed> {
    let _ = bytes;
    todo!()
}
