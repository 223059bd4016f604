//! Items of control bodies: a closed list of kinds.

use identity::{
    ActId, BadSignature, Context, EnvelopeId, GrantId, PublicKey, SealingKey, SecretKey, Signature,
    TopicId, seal,
};

use crate::act::Act;
use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::epoch::{Boxes, NextEpoch};
use crate::grant::{Close, Grant, Revocation};
use crate::invite::Invite;
use crate::joint::{DeviceSignature, Joint};
use crate::limits::{
    MAX_BOXES_BODY, MAX_BRANCHES, MAX_CONTROL_BODY, MAX_INNER_SIGNATURES, MAX_ITEMS,
    MAX_SEALED_ITEM, MAX_SIGNED_ITEMS,
};

/// A device certifies an author key of its own, in that author's envelope number 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// The device, which signs this.
    pub device: PublicKey,
    /// The author key, which writes the envelope.
    pub author: PublicKey,
    /// Which incarnation of the device in this topic, from 0.
    pub index: u32,
    /// Over topic id ‖ author ‖ index (big-endian) ‖ branches.
    pub signature: Signature,
    /// The branches of earlier authors of the device that stand beyond their forks; strictly
    /// ascending, at most [`MAX_BRANCHES`].
    pub branches: Vec<EnvelopeId>,
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
    /// Kind 8.
    Grant(Grant),
    /// Kind 9.
    Revocation(Revocation),
    /// Kind 10.
    Close(Close),
    /// Kind 11.
    Act(Act),
    /// Kind 12.
    Epoch(NextEpoch),
    /// Kind 13: alone in its envelope, which may be longer than others of its class.
    Boxes(Boxes),
    /// Kind 16: the author confirms an act of a composition that it may end.
    Countersign(ActId),
    /// Kind 17: the blocks of an envelope that the author's device wrote before may go.
    Unshare(EnvelopeId),
}

impl Certificate {
    /// Certifies an author key.
    pub fn sign(topic: TopicId, device: &SecretKey, author: PublicKey, index: u32) -> Self {
        Self::sign_choosing(topic, device, (author, index), Vec::new())
    }

    /// Certifies an author key with its index, and says which branches of the device's earlier
    /// authors stand.
    pub fn sign_choosing(
        topic: TopicId,
        device: &SecretKey,
        (author, index): (PublicKey, u32),
        mut branches: Vec<EnvelopeId>,
    ) -> Self {
        branches.sort_unstable();
        branches.dedup();
        let mut certificate = Self {
            device: device.public(),
            author,
            index,
            signature: Signature::from_bytes([0; 64]),
            branches,
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
        let mut statement = [
            &topic.as_bytes()[..],
            self.author.as_bytes(),
            &self.index.to_be_bytes(),
        ]
        .concat();
        for branch in &self.branches {
            statement.extend_from_slice(branch.as_bytes());
        }
        statement
    }

    fn write(&self, w: &mut Writer) {
        w.map(4 + Writer::present(&self.branches))
            .key(0)
            .bytes(self.device.as_bytes())
            .key(1)
            .bytes(self.author.as_bytes());
        w.key(2)
            .uint(self.index)
            .key(3)
            .bytes(self.signature.as_bytes());
        w.list(4, &self.branches, |w, id| {
            w.bytes(id.as_bytes());
        });
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
        let mut last = None;
        let branches = f.list(r, 4, MAX_BRANCHES, "branches", |r| {
            r.ascending(&mut last, "branches are not ascending", |r| {
                Ok(EnvelopeId::from_bytes(r.array("branches")?))
            })
        })?;
        Ok(Self {
            device,
            author,
            index,
            signature,
            branches,
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

    /// kdf("claim", the bytes of the item): what welcomes it names.
    pub fn hash(&self) -> [u8; 32] {
        seal::kdf("claim", &[&self.encode()])
    }
}

impl Item {
    /// The number of its kind. 14 and 15 are reserved for share and snapshot.
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
            Self::Grant(_) => 8,
            Self::Revocation(_) => 9,
            Self::Close(_) => 10,
            Self::Act(_) => 11,
            Self::Epoch(_) => 12,
            Self::Boxes(_) => 13,
            Self::Countersign(_) => 16,
            Self::Unshare(_) => 17,
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
        Self::read(&mut Reader::new(bytes, MAX_BOXES_BODY)?)
    }

    /// The item's id: kdf("grant", item bytes), where a composition signs without the signatures.
    /// For an invite this is the grant that claims name.
    pub fn id(&self) -> GrantId {
        let bytes = match self {
            Self::Grant(grant) if grant.joint.is_some() => Self::Grant(grant.unsigned()).encode(),
            Self::Revocation(revocation) if revocation.joint.is_some() => {
                Self::Revocation(revocation.unsigned()).encode()
            }
            _ => self.encode(),
        };
        GrantId::from_bytes(seal::kdf("grant", &[&bytes]))
    }

    /// The composition that signs it, where it is not the author alone.
    pub const fn joint(&self) -> Option<&Joint> {
        match self {
            Self::Grant(grant) => grant.joint.as_ref(),
            Self::Revocation(revocation) => revocation.joint.as_ref(),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub const fn joint_mut(&mut self) -> Option<&mut Joint> {
        match self {
            Self::Grant(grant) => grant.joint.as_mut(),
            Self::Revocation(revocation) => revocation.joint.as_mut(),
            _ => None,
        }
    }

    /// Adds a device's signature to those of its composition. Nothing happens to an item that no
    /// composition signs.
    pub fn sign_jointly(&mut self, topic: TopicId, device: &SecretKey) {
        let signature = DeviceSignature::sign(topic, &self.id(), device);
        if let Some(joint) = self.joint_mut() {
            joint.add(signature);
        }
    }

    /// How many signatures are inside it.
    pub(crate) const fn signatures(&self) -> usize {
        match self {
            Self::Certificate(_) | Self::Claim(_) => 1,
            Self::Act(act) => act.signatures.len(),
            _ => match self.joint() {
                Some(joint) => joint.signatures.len(),
                None => 0,
            },
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
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
            Self::Grant(grant) => grant.write(w),
            Self::Revocation(revocation) => revocation.write(w),
            Self::Close(close) => close.write(w),
            Self::Act(act) => act.write(w),
            Self::Epoch(epoch) => epoch.write(w),
            Self::Boxes(boxes) => boxes.write(w),
            Self::Countersign(act) => {
                w.map(1).key(0).bytes(act.as_bytes());
            }
            Self::Unshare(envelope) => {
                w.map(1).key(0).bytes(envelope.as_bytes());
            }
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.tuple(2, "item")?;
        let wrong = r.wrong("an item of unknown kind");
        let kind = r.at_most(17, "an item of unknown kind")?;
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
            7 => Self::Title(read_sealed(r, &mut f)?),
            8 => Self::Grant(Grant::read(r, &mut f)?),
            9 => Self::Revocation(Revocation::read(r, &mut f)?),
            10 => Self::Close(Close::read(r, &mut f)?),
            11 => Self::Act(Act::read(r, &mut f)?),
            12 => Self::Epoch(NextEpoch::read(r, &mut f)?),
            13 => Self::Boxes(Boxes::read(r, &mut f)?),
            16 => {
                f.need(r, 0, "act")?;
                Self::Countersign(ActId::from_bytes(r.array("act")?))
            }
            17 => {
                f.need(r, 0, "envelope")?;
                Self::Unshare(EnvelopeId::from_bytes(r.array("envelope")?))
            }
            _ => return Err(wrong),
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

/// Reads a control body. Boxes stand alone and may take more room than all else.
pub fn decode_items(bytes: &[u8]) -> Result<Vec<Item>, Malformed> {
    let mut r = Reader::new(bytes, MAX_BOXES_BODY)?;
    let len = r.list(MAX_ITEMS, "items")?;
    let mut items = Vec::new();
    let (mut signed, mut signatures) = (0, 0);
    for _ in 0..len {
        let at = r.at();
        let item = Item::read(&mut r)?;
        signed += usize::from(item.is_signed());
        signatures += item.signatures();
        let boxes = matches!(item, Item::Boxes(_));
        if boxes && len != 1 {
            let what = "boxes beside other items";
            return Err(Malformed { at, what });
        }
        if !boxes && bytes.len() > MAX_CONTROL_BODY {
            let what = "control body too long";
            return Err(Malformed { at, what });
        }
        if signed > MAX_SIGNED_ITEMS {
            let what = "too many signed items";
            return Err(Malformed { at, what });
        }
        if signatures > MAX_INNER_SIGNATURES {
            let what = "too many signatures inside";
            return Err(Malformed { at, what });
        }
        items.push(item);
    }
    Ok(items)
}
