//! Signed statements in general: bytes, a signature over them, and the value they decode to.

use std::sync::Arc;

use identity::Signature;

use crate::advert::NodeAdvert;
use crate::cbor::{Malformed, Reader, Writer};
use crate::limits::MAX_STATEMENT;

/// A signed statement from outside: nothing is known about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawStatement {
    /// The statement as it came.
    pub bytes: Vec<u8>,
    /// The signature.
    pub signature: Signature,
}

/// A decoded statement with its bytes verbatim. Not evidence of a check: see
/// [`Checked`](crate::Checked).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed<T> {
    /// What it says.
    pub value: T,
    /// The statement verbatim.
    pub bytes: Arc<[u8]>,
    /// The signature over the bytes.
    pub signature: Signature,
}

/// A signed [`NodeAdvert`].
pub type SignedAdvert = Signed<NodeAdvert>;

impl RawStatement {
    /// `[statement bytes, signature]`.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.into_bytes()
    }

    /// Reads what [`RawStatement::encode`] wrote. The statement stays undecoded.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read(&mut Reader::new(bytes, MAX_STATEMENT + 80)?)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(2)
            .bytes(&self.bytes)
            .bytes(self.signature.as_bytes());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.tuple(2, "statement")?;
        Ok(Self {
            bytes: r.bytes(MAX_STATEMENT, "statement")?.to_vec(),
            signature: Signature::from_bytes(r.array("signature")?),
        })
    }
}

impl<T> Signed<T> {
    /// For a link or the store.
    pub fn to_raw(&self) -> RawStatement {
        RawStatement {
            bytes: self.bytes.to_vec(),
            signature: self.signature,
        }
    }
}
