//! The answer to a claim, as members and core nodes keep it for the claimer.

use identity::{BadSignature, Context, PublicKey, SecretKey, Signature, TopicId, seal};

use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::checked::{Checked, Refused};
use crate::item::Claim;
use crate::limits::BOX_LEN;

/// Bytes sealed to the key that a claim names, signed by the device that welcomes it. Whether that
/// device may let anybody in is for whoever keeps the answer to find out in the topic; what is
/// sealed only the claimer can read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// 0: the claim: [`Claim::hash`].
    pub claim: [u8; 32],
    /// 1: the sealed bytes, always [`BOX_LEN`] of them.
    pub sealed: Vec<u8>,
    /// 2: of the welcoming device.
    pub signature: Signature,
    /// 3: the welcoming device.
    pub device: PublicKey,
}

impl Answer {
    /// Signs an answer with the device that welcomes.
    pub fn sign(topic: TopicId, device: &SecretKey, claim: [u8; 32], sealed: Vec<u8>) -> Self {
        let mut made = Self {
            claim,
            sealed,
            signature: Signature::from_bytes([0; 64]),
            device: device.public(),
        };
        made.signature = device.sign(Context::Welcome, &made.statement(topic));
        made
    }

    /// Whether the device that it names signed it for this topic.
    pub fn verify(&self, topic: TopicId) -> Result<(), BadSignature> {
        let statement = self.statement(topic);
        self.device
            .verify(Context::Welcome, &statement, &self.signature)
    }

    /// kdf("answer", the sealed bytes).
    pub fn hash(&self) -> [u8; 32] {
        seal::kdf("answer", &[&self.sealed])
    }

    fn statement(&self, topic: TopicId) -> Vec<u8> {
        [
            &topic.as_bytes()[..],
            &self.claim,
            &self.hash(),
            self.device.as_bytes(),
        ]
        .concat()
    }

    /// The answer as a link carries it.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.into_bytes()
    }

    /// Reads what [`Answer::encode`] wrote. The signature is not verified.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes, bytes.len())?;
        let mut f = r.fields("answer")?;
        let read = Self::read(&mut r, &mut f)?;
        f.end(&mut r)?;
        Ok(read)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.map(4)
            .key(0)
            .bytes(&self.claim)
            .key(1)
            .bytes(&self.sealed);
        w.key(2)
            .bytes(self.signature.as_bytes())
            .key(3)
            .bytes(self.device.as_bytes());
    }

    pub(crate) fn read(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
        f.need(r, 0, "claim")?;
        let claim = r.array("claim")?;
        f.need(r, 1, "sealed answer")?;
        let sealed = r.array::<BOX_LEN>("sealed answer")?.to_vec();
        f.need(r, 2, "signature")?;
        let signature = Signature::from_bytes(r.array("signature")?);
        f.need(r, 3, "device")?;
        let device = PublicKey::from_bytes(r.array("device")?);
        Ok(Self {
            claim,
            sealed,
            signature,
            device,
        })
    }
}

/// Checks that the device which an answer names signed it. Pure.
pub fn check_answer(topic: TopicId, raw: Answer) -> Result<Checked<Answer>, Refused> {
    raw.verify(topic)?;
    Ok(Checked::new(raw))
}

/// Checks that the key of the invite which a claim names signed it. Pure.
pub fn check_claim(topic: TopicId, raw: Claim) -> Result<Checked<Claim>, Refused> {
    raw.verify(topic)?;
    Ok(Checked::new(raw))
}
