//! Items of control bodies: a closed list of kinds.

use identity::{
    BadSignature, Context, GrantId, PublicKey, SealingKey, SecretKey, Signature, TopicId, seal,
};

use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::limits::{
    MAX_CONTROL_BODY, MAX_INNER_SIGNATURES, MAX_INVITE_USES, MAX_ITEMS, MAX_SEALED_ITEM,
};

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
        let mut certificate = Self {
            device: device.public(),
            author,
            index,
            signature: Signature::from_bytes([0; 64]),
        };
        certificate.signature = device.sign(Context::Certificate, &certificate.statement(topic));
        certificate
    }

    /// Whether the device signed it for this topic.
    pub fn verify(&self, topic: TopicId) -> Result<(), BadSignature> {
        self.device.verify(
            Context::Certificate,
            &self.statement(topic),
            &self.signature,
        )
    }

    fn statement(&self, topic: TopicId) -> Vec<u8> {
        [
            &topic.as_bytes()[..],
            self.author.as_bytes(),
            &self.index.to_be_bytes(),
        ]
        .concat()
    }

    fn write(&self, w: &mut Writer) {
        w.map(4)
            .key(0)
            .bytes(self.device.as_bytes())
            .key(1)
            .bytes(self.author.as_bytes());
        w.key(2)
            .uint(self.index)
            .key(3)
            .bytes(self.signature.as_bytes());
    }

    fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "device")?;
        let device = PublicKey::from_bytes(r.array("device")?);
        f.need(r, 1, "author")?;
        let author = PublicKey::from_bytes(r.array("author")?);
        f.need(r, 2, "index")?;
        let index = r.u32("index")?;
        f.need(r, 3, "signature")?;
        let signature = Signature::from_bytes(r.array("signature")?);
        Ok(Self {
            device,
            author,
            index,
            signature,
        })
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
        let mut claim = Self {
            invite: invite.public(),
            grant,
            device,
            sealing,
            time,
            signature: Signature::from_bytes([0; 64]),
        };
        claim.signature = invite.sign(Context::Claim, &claim.statement(topic));
        claim
    }

    /// Whether the invite's key signed it for this topic.
    pub fn verify(&self, topic: TopicId) -> Result<(), BadSignature> {
        self.invite
            .verify(Context::Claim, &self.statement(topic), &self.signature)
    }

    fn statement(&self, topic: TopicId) -> Vec<u8> {
        [
            &topic.as_bytes()[..],
            self.invite.as_bytes(),
            self.grant.as_bytes(),
            self.device.as_bytes(),
            self.sealing.as_bytes(),
            &self.time.to_be_bytes(),
        ]
        .concat()
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.map(6)
            .key(0)
            .bytes(self.invite.as_bytes())
            .key(1)
            .bytes(self.grant.as_bytes());
        w.key(2)
            .bytes(self.device.as_bytes())
            .key(3)
            .bytes(self.sealing.as_bytes());
        w.key(4)
            .uint(self.time)
            .key(5)
            .bytes(self.signature.as_bytes());
    }

    pub(crate) fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "invite")?;
        let invite = PublicKey::from_bytes(r.array("invite")?);
        f.need(r, 1, "grant")?;
        let grant = GrantId::from_bytes(r.array("grant")?);
        f.need(r, 2, "device")?;
        let device = PublicKey::from_bytes(r.array("device")?);
        f.need(r, 3, "sealing key")?;
        let sealing = SealingKey::from_bytes(r.array("sealing key")?);
        f.need(r, 4, "time")?;
        let time = r.time("time")?;
        f.need(r, 5, "signature")?;
        let signature = Signature::from_bytes(r.array("signature")?);
        Ok(Self {
            invite,
            grant,
            device,
            sealing,
            time,
            signature,
        })
    }

    /// The bytes of the item.
    pub fn encode(&self) -> Vec<u8> {
        Item::Claim(*self).encode()
    }
}

impl Invite {
    /// The id of the item that this is: the grant that claims name.
    pub fn grant(&self) -> GrantId {
        Item::Invite(*self).id()
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.map(5)
            .key(0)
            .bytes(self.key.as_bytes())
            .key(1)
            .bytes(self.sealing.as_bytes());
        w.key(2)
            .uint(self.uses)
            .key(3)
            .uint(self.until)
            .key(4)
            .uint(self.kind as u8);
    }

    pub(crate) fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "invite key")?;
        let key = PublicKey::from_bytes(r.array("invite key")?);
        f.need(r, 1, "sealing key")?;
        let sealing = SealingKey::from_bytes(r.array("sealing key")?);
        f.need(r, 2, "uses")?;
        let uses = r.within(1, u64::from(MAX_INVITE_USES), "uses")? as u32;
        f.need(r, 3, "until")?;
        let until = r.time("until")?;
        f.need(r, 4, "invite kind")?;
        r.within(1, 1, "invite kind")?;
        Ok(Self {
            key,
            sealing,
            uses,
            until,
            kind: InviteKind::WhileAway,
        })
    }
}

impl Item {
    /// The number of its kind. 8 to 15 are reserved for grant, revocation, close, act, epoch,
    /// boxes, share and snapshot.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Certificate(_) => 0,
            Self::Claim(_) => 1,
            Self::Invite(_) => 2,
            Self::Leave => 3,
            Self::Sealing(_) => 4,
            Self::Profile(_) => 5,
            Self::Cores(_) => 6,
            Self::Title(_) => 7,
        }
    }

    /// `[kind, fields]`.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.into_bytes()
    }

    /// Reads one item.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read(&mut Reader::new(bytes, MAX_CONTROL_BODY)?)
    }

    /// The item's id: kdf("grant", item bytes). For an invite this is the grant that claims name.
    pub fn id(&self) -> GrantId {
        GrantId::from_bytes(seal::kdf("grant", &[&self.encode()]))
    }

    fn write(&self, w: &mut Writer) {
        w.array(2).uint(self.kind());
        match self {
            Self::Certificate(certificate) => certificate.write(w),
            Self::Claim(claim) => claim.write(w),
            Self::Invite(invite) => invite.write(w),
            Self::Leave => {
                w.map(0);
            }
            Self::Sealing(key) => {
                w.map(1).key(0).bytes(key.as_bytes());
            }
            Self::Profile(sealed) | Self::Cores(sealed) | Self::Title(sealed) => {
                w.map(1).key(0).bytes(sealed);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.tuple(2, "item")?;
        let kind = r.at_most(7, "an item of unknown kind")?;
        let mut f = r.fields("fields of an item")?;
        let item = match kind {
            0 => Self::Certificate(Certificate::read(r, &mut f)?),
            1 => Self::Claim(Claim::read(r, &mut f)?),
            2 => Self::Invite(Invite::read(r, &mut f)?),
            3 => Self::Leave,
            4 => {
                f.need(r, 0, "sealing key")?;
                Self::Sealing(SealingKey::from_bytes(r.array("sealing key")?))
            }
            5 => Self::Profile(read_sealed(r, &mut f)?),
            6 => Self::Cores(read_sealed(r, &mut f)?),
            _ => Self::Title(read_sealed(r, &mut f)?),
        };
        f.end(r)?;
        Ok(item)
    }

    const fn is_signed(&self) -> bool {
        matches!(self, Self::Certificate(_) | Self::Claim(_))
    }
}

fn read_sealed(r: &mut Reader<'_>, f: &mut Fields) -> Result<Vec<u8>, Malformed> {
    f.need(r, 0, "sealed bytes")?;
    Ok(r.bytes(MAX_SEALED_ITEM, "sealed bytes")?.to_vec())
}

/// The body of a control envelope: an array of items. Not in clear text where the item says sealed.
pub fn encode_items(items: &[Item]) -> Vec<u8> {
    let mut w = Writer::new();
    w.array(items.len());
    for item in items {
        item.write(&mut w);
    }
    w.into_bytes()
}

/// Reads a control body.
pub fn decode_items(bytes: &[u8]) -> Result<Vec<Item>, Malformed> {
    let mut r = Reader::new(bytes, MAX_CONTROL_BODY)?;
    let len = r.list(MAX_ITEMS, "items")?;
    let mut items = Vec::new();
    let mut signed = 0;
    for _ in 0..len {
        let wrong = r.wrong("too many signed items");
        let item = Item::read(&mut r)?;
        signed += usize::from(item.is_signed());
        if signed > MAX_INNER_SIGNATURES {
            return Err(wrong);
        }
        items.push(item);
    }
    Ok(items)
}
