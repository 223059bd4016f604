//! What it takes to read a content.

use identity::Secret;
use thiserror::Error;

use data_encoding::BASE32_NOPAD;

use crate::eris::{BlockSize, Reference};
use crate::limits::MAX_LEVEL;

/// What the text form begins with.
const URN: &str = "urn:eris:";

/// Reads a content: the reference and the key of the root block. A secret like a key; its `Debug`
/// does not show the key, and it has no `Display`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadCapability {
    /// Bytes of every block.
    pub block_size: BlockSize,
    /// Level of the root; 0 when the only leaf is the root.
    pub level: u8,
    /// Names the root.
    pub reference: Reference,
    /// Opens the root.
    pub key: Secret,
}

/// The bytes or the text are no read capability. The fault of whoever wrote them; nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CapabilityError {
    /// Not 66 bytes, or not `urn:eris:` with 106 characters of base32 in upper case.
    #[error("not a read capability: its length or a character is wrong")]
    Garbled,
    /// Blocks of another size than 1 KiB and 32 KiB.
    #[error("not a read capability: there are no blocks of 2^{0} bytes")]
    BlockSize(u8),
    /// A tree that is higher than any that may be.
    #[error("not a read capability: its root is on level {0}, at most {MAX_LEVEL} are allowed")]
    Level(u8),
}

impl ReadCapability {
    /// Bytes of the binary form.
    pub const LEN: usize = 66;

    /// ```text
    ///  0           1       2           34     66
    /// +-----------+-------+-----------+------+
    /// | 0a or 0f  | level | reference | key  |
    /// +-----------+-------+-----------+------+
    /// ```
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0] = self.block_size.exponent();
        bytes[1] = self.level;
        bytes[2..34].copy_from_slice(self.reference.as_bytes());
        bytes[34..].copy_from_slice(self.key.as_bytes());
        bytes
    }

    /// Reads what [`ReadCapability::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CapabilityError> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().map_err(|_| CapabilityError::Garbled)?;
        let block_size = [BlockSize::Small, BlockSize::Large]
            .into_iter()
            .find(|size| size.exponent() == bytes[0])
            .ok_or(CapabilityError::BlockSize(bytes[0]))?;
        if bytes[1] > MAX_LEVEL {
            return Err(CapabilityError::Level(bytes[1]));
        }
        let part = |from: usize| {
            let mut part = [0; 32];
            part.copy_from_slice(&bytes[from..from + 32]);
            part
        };
        Ok(Self {
            block_size,
            level: bytes[1],
            reference: Reference::from_bytes(part(2)),
            key: Secret::from_bytes(part(34)),
        })
    }

    /// The text form: `urn:eris:` and the bytes in base32 (RFC 4648) without padding. Whoever sees it
    /// can read the content.
    pub fn to_urn(&self) -> String {
        format!("{URN}{}", BASE32_NOPAD.encode(&self.to_bytes()))
    }

    /// Reads what [`ReadCapability::to_urn`] wrote, and no other spelling of it.
    pub fn from_urn(text: &str) -> Result<Self, CapabilityError> {
        let digits = text.strip_prefix(URN).ok_or(CapabilityError::Garbled)?;
        let mut bytes = [0; Self::LEN];
        if BASE32_NOPAD.decode_len(digits.len()) != Ok(bytes.len()) {
            return Err(CapabilityError::Garbled);
        }
        BASE32_NOPAD
            .decode_mut(digits.as_bytes(), &mut bytes)
            .map_err(|_| CapabilityError::Garbled)?;
        Self::from_bytes(&bytes)
    }
}
