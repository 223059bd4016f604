//! An invite's box as the members of a topic keep it for whoever joins while the inviter is away.

use identity::{BadSignature, Context, GrantId, PublicKey, SecretKey, Signature, TopicId, seal};

use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::checked::{Checked, Refused};
use crate::frame::read::read_box;

/// Sealed bytes under a locator, signed by the device that invites. Whether that device may let
/// anybody in is for whoever keeps the box to find out in the topic. Without the signature any
/// member could take an invite away from all others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicBox {
    /// 0: where joiners ask for it.
    pub loc: [u8; 32],
    /// 1: the sealed bytes, always [`BOX_LEN`](crate::limits::BOX_LEN) of them.
    pub sealed: Vec<u8>,
    /// 2: until when it stands, milliseconds since 1970.
    pub until: u64,
    /// 3: of the inviting device.
    pub signature: Signature,
    /// 4: the inviting device.
    pub device: PublicKey,
    /// 5: the invite that is in it: with that its box goes.
    pub grant: GrantId,
}

impl TopicBox {
    /// Signs a box of a topic with the device that invites.
    pub fn sign(
        topic: TopicId,
        device: &SecretKey,
        loc: [u8; 32],
        sealed: Vec<u8>,
        until: u64,
        grant: GrantId,
    ) -> Self {
        let mut made = Self {
            loc,
            sealed,
            until,
            signature: Signature::from_bytes([0; 64]),
            device: device.public(),
            grant,
        };
        made.signature = device.sign(Context::TopicBox, &made.statement(topic));
        made
    }

    /// Whether the device that it names signed it for this topic.
    pub fn verify(&self, topic: TopicId) -> Result<(), BadSignature> {
        let statement = self.statement(topic);
        self.device
            .verify(Context::TopicBox, &statement, &self.signature)
    }

    /// Of two boxes with one locator and one end that with the greater hash stands.
    pub fn hash(&self) -> [u8; 32] {
        seal::kdf("box", &[&self.sealed])
    }

    fn statement(&self, topic: TopicId) -> Vec<u8> {
        [
            &topic.as_bytes()[..],
            &self.loc,
            &self.until.to_be_bytes(),
            &self.hash(),
            self.device.as_bytes(),
            self.grant.as_bytes(),
        ]
        .concat()
    }

    /// The box as a link carries it.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.into_bytes()
    }

    /// Reads what [`TopicBox::encode`] wrote. The signature is not verified.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes, bytes.len())?;
        let mut f = r.fields("box")?;
        let read = Self::read(&mut r, &mut f)?;
        f.end(&mut r)?;
        Ok(read)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.map(6).key(0).bytes(&self.loc).key(1).bytes(&self.sealed);
        w.key(2)
            .uint(self.until)
            .key(3)
            .bytes(self.signature.as_bytes());
        w.key(4)
            .bytes(self.device.as_bytes())
            .key(5)
            .bytes(self.grant.as_bytes());
    }

    pub(crate) fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "locator")?;
        let loc = r.array("locator")?;
        let sealed = read_box(r, f)?;
        f.need(r, 2, "until")?;
        let until = r.time("until")?;
        f.need(r, 3, "signature")?;
        let signature = Signature::from_bytes(r.array("signature")?);
        f.need(r, 4, "device")?;
        let device = PublicKey::from_bytes(r.array("device")?);
        f.need(r, 5, "invite")?;
        let grant = GrantId::from_bytes(r.array("invite")?);
        Ok(Self {
            loc,
            sealed,
            until,
            signature,
            device,
            grant,
        })
    }
}

/// Checks that the device which a box names signed it. Pure.
pub fn check_box(topic: TopicId, raw: TopicBox) -> Result<Checked<TopicBox>, Refused> {
    raw.verify(topic)?;
    Ok(Checked::new(raw))
}
