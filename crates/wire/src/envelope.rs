//! Envelopes: from outside ([`Raw`]) through a check to [`Checked`] values.

use std::sync::Arc;

use identity::{EnvelopeId, SecretKey, Signature};

use crate::cbor::Malformed;
use crate::checked::{Checked, Refused};
use crate::header::Header;
use crate::item::Item;

/// An envelope from outside: nothing is known about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Raw {
    /// The header as it came.
    pub header_bytes: Vec<u8>,
    /// The author's signature.
    pub proof: Signature,
    /// The body, if it came along.
    pub body: Option<Vec<u8>>,
}

/// A header and its proof from outside, where no body is meant to travel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawHeader {
    /// The header as it came.
    pub header_bytes: Vec<u8>,
    /// The author's signature.
    pub proof: Signature,
}

/// A decoded envelope; the body travels beside it. Not evidence of a check: see [`Checked`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// The decoded header.
    pub header: Header,
    /// The header verbatim: what is forwarded, kept and hashed.
    pub header_bytes: Arc<[u8]>,
    /// Hash of the header bytes.
    pub id: EnvelopeId,
    /// The author's signature over the id.
    pub proof: Signature,
}

/// What [`check`] gives: an envelope whose signature is valid, its body if it came (hash verified),
/// and the items if it is control (their certificates and claims verified).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// The envelope.
    pub envelope: Envelope,
    /// Its body.
    pub body: Option<Vec<u8>>,
    /// The items of a control body; `None` for other classes.
    pub items: Option<Vec<Item>>,
}

/// A body that came apart from its envelope, with the hash and length that the header gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckedBody {
    /// Whose body.
    pub id: EnvelopeId,
    /// The body.
    pub body: Vec<u8>,
}

/// Two validly signed headers of one author with one number: proof of a fork that needs no graph.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// The one with the smaller id.
    pub first: Envelope,
    /// The one with the greater id.
    pub second: Envelope,
}

impl Raw {
    /// Without the body.
    pub fn to_header(&self) -> RawHeader {
        RawHeader {
            header_bytes: self.header_bytes.clone(),
            proof: self.proof,
        }
    }

    /// Bytes that this takes in a frame, at most.
    pub fn encoded_len(&self) -> usize {
        self.header_bytes.len() + 64 + self.body.as_ref().map_or(0, Vec::len) + 16
    }

    /// `[header bytes, proof, body or null]`.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// Reads what [`Raw::encode`] wrote. The header stays undecoded.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let _ = bytes;
        todo!()
    }
}

impl RawHeader {
    /// `[header bytes, proof]`.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// Reads what [`RawHeader::encode`] wrote. The header stays undecoded.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let _ = bytes;
        todo!()
    }
}

impl Envelope {
    /// Decodes an envelope whose signature was checked before it was stored.
    pub fn from_stored(header_bytes: Vec<u8>, proof: Signature) -> Result<Self, Malformed> {
        let _ = (header_bytes, proof);
        todo!()
    }

    /// For a link or the store, with the body or without.
    pub fn to_raw(&self, body: Option<Vec<u8>>) -> Raw {
        Raw {
            header_bytes: self.header_bytes.to_vec(),
            proof: self.proof,
            body,
        }
    }

    /// For evidence.
    pub fn to_raw_header(&self) -> RawHeader {
        RawHeader {
            header_bytes: self.header_bytes.to_vec(),
            proof: self.proof,
        }
    }
}

/// Verifies an envelope from outside: encoding, rules of the header, hash and length of the body
/// if it came, strict signature, items of a control body and the signatures inside them. Pure; a
/// driver runs it on worker threads.
pub fn check(raw: Raw) -> Result<Checked<Verified>, Refused> {
    let _ = raw;
    todo!()
}

/// Verifies header and signature alone, of any class.
pub fn check_header(raw: RawHeader) -> Result<Checked<Envelope>, Refused> {
    let _ = raw;
    todo!()
}

/// Verifies a content or live body that came apart from its envelope.
pub fn check_body(envelope: &Envelope, body: Vec<u8>) -> Result<Checked<CheckedBody>, Refused> {
    let _ = (envelope, body);
    todo!()
}

/// Verifies both signatures and that the headers contradict one another: one destination, author
/// and number, two ids, in a topic and not of class live.
pub fn check_evidence(a: RawHeader, b: RawHeader) -> Result<Checked<Evidence>, Refused> {
    let _ = (a, b);
    todo!()
}

/// Signs an envelope of one's own. Fills in author, body length and body hash, sorts the deps;
/// everything else is the caller's and is held to the same rules as what comes from outside.
pub fn sign_envelope(
    header: Header,
    body: Vec<u8>,
    author: &SecretKey,
) -> Result<Checked<Verified>, Refused> {
    let _ = (header, body, author);
    todo!()
}
