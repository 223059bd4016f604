//! Signed statements in general: bytes, a signature over them, and the value they decode to.

use std::sync::Arc;

use identity::Signature;

use crate::advert::NodeAdvert;
use crate::cbor::Malformed;

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
        todo!()
    }

    /// Reads what [`RawStatement::encode`] wrote. The statement stays undecoded.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let _ = bytes;
        todo!()
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
