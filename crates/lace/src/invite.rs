//! Invites that the graph holds.

use crate::rows::Bytes;
use identity::{EnvelopeId, GrantId, PublicKey, SealingKey};

/// An invite item and the envelope that carries it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Invitation {
    /// The item's id: the grant that claims name.
    pub grant: GrantId,
    /// The envelope that carries it, which a claimer's first envelope names in its deps.
    pub carrier: EnvelopeId,
    /// When the carrier claims to have been made: the beginning of the grant.
    pub began: u64,
    /// The key that signs claims.
    pub key: PublicKey,
    /// What may be sealed to whoever holds the link.
    pub sealing: SealingKey,
    /// How many devices it is meant for. More are admitted all the same; see
    /// [`Lace::claimed`](crate::Lace::claimed).
    pub uses: u32,
    /// Claims later than this do not stand; milliseconds since 1970.
    pub until: u64,
}

impl Invitation {
    /// `began ‖ key ‖ sealing ‖ uses u32 ‖ until`, keyed by grant and carrier.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(84);
        out.extend_from_slice(&self.began.to_be_bytes());
        out.extend_from_slice(self.key.as_bytes());
        out.extend_from_slice(self.sealing.as_bytes());
        out.extend_from_slice(&self.uses.to_be_bytes());
        out.extend_from_slice(&self.until.to_be_bytes());
        out
    }

    /// Reads a key (after topic and tag) and its value.
    pub(crate) fn decode(key: &[u8], value: &[u8]) -> Option<Self> {
        let mut key = Bytes(key);
        let mut bytes = Bytes(value);
        Some(Self {
            grant: GrantId::from_bytes(key.array()?),
            carrier: EnvelopeId::from_bytes(key.array()?),
            began: bytes.u64()?,
            key: PublicKey::from_bytes(bytes.array()?),
            sealing: SealingKey::from_bytes(bytes.array()?),
            uses: bytes.u32()?,
            until: bytes.u64()?,
        })
    }
}
