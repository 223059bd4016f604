//! Envelopes: from outside ([`Raw`]) through a check to [`Checked`] values.

use std::sync::Arc;

use identity::{Context, EnvelopeId, SecretKey, Signature, seal};

use crate::cbor::{Malformed, Reader, Writer};
use crate::checked::{Checked, Refused};
use crate::header::{Class, Header, decode_header};
use crate::item::{Item, decode_items};
use crate::limits::{MAX_BODY, MAX_HEADER, MAX_RAW};

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
        let mut w = Writer::new();
        self.write(&mut w);
        w.into_bytes()
    }

    /// Reads what [`Raw::encode`] wrote. The header stays undecoded.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read(&mut Reader::new(bytes, MAX_RAW)?)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(3)
            .bytes(&self.header_bytes)
            .bytes(self.proof.as_bytes());
        w.bytes_or_null(self.body.as_deref());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.tuple(3, "envelope")?;
        Ok(Self {
            header_bytes: r.bytes(MAX_HEADER, "header")?.to_vec(),
            proof: Signature::from_bytes(r.array("proof")?),
            body: r.bytes_or_null(MAX_BODY, "body")?.map(<[u8]>::to_vec),
        })
    }
}

impl RawHeader {
    /// `[header bytes, proof]`.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.into_bytes()
    }

    /// Reads what [`RawHeader::encode`] wrote. The header stays undecoded.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read(&mut Reader::new(bytes, MAX_RAW)?)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(2)
            .bytes(&self.header_bytes)
            .bytes(self.proof.as_bytes());
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.tuple(2, "header and proof")?;
        Ok(Self {
            header_bytes: r.bytes(MAX_HEADER, "header")?.to_vec(),
            proof: Signature::from_bytes(r.array("proof")?),
        })
    }
}

impl Envelope {
    /// Decodes an envelope whose signature was checked before it was stored.
    pub fn from_stored(header_bytes: Vec<u8>, proof: Signature) -> Result<Self, Malformed> {
        let header = decode_header(&header_bytes)?;
        let id = Header::id_of(&header_bytes);
        Ok(Self {
            header,
            header_bytes: header_bytes.into(),
            id,
            proof,
        })
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

impl Checked<Verified> {
    /// The same without the body of its content: for whoever takes the header alone. The items of a
    /// control envelope stay, and so does the body that they are in.
    pub fn without_body(self) -> Self {
        let mut verified = self.into_inner();
        if verified.items.is_none() {
            verified.body = None;
        }
        Self::new(verified)
    }
}

/// Verifies an envelope from outside: encoding, rules of the header, hash and length of the body
/// if it came, strict signature, items of a control body and the signatures inside them. Pure; a
/// driver runs it on worker threads.
pub fn check(raw: Raw) -> Result<Checked<Verified>, Refused> {
    let envelope = Envelope::from_stored(raw.header_bytes, raw.proof)?;
    if let Some(body) = &raw.body {
        body_matches(&envelope, body)?;
    }
    signed_by_author(&envelope)?;
    let items = items_of(&envelope, raw.body.as_deref())?;
    Ok(Checked::new(Verified {
        envelope,
        body: raw.body,
        items,
    }))
}

/// Verifies header and signature alone, of any class.
pub fn check_header(raw: RawHeader) -> Result<Checked<Envelope>, Refused> {
    let envelope = Envelope::from_stored(raw.header_bytes, raw.proof)?;
    signed_by_author(&envelope)?;
    Ok(Checked::new(envelope))
}

/// Verifies a content or live body that came apart from its envelope.
pub fn check_body(envelope: &Envelope, body: Vec<u8>) -> Result<Checked<CheckedBody>, Refused> {
    body_matches(envelope, &body)?;
    Ok(Checked::new(CheckedBody {
        id: envelope.id,
        body,
    }))
}

/// Verifies both signatures and that the headers contradict one another: one destination, author
/// and number, two ids, in a topic and not of class live.
pub fn check_evidence(a: RawHeader, b: RawHeader) -> Result<Checked<Evidence>, Refused> {
    let a = check_header(a)?.into_inner();
    let b = check_header(b)?.into_inner();
    let place = |e: &Envelope| (e.header.destination, e.header.author, e.header.number);
    // Equal numbers prove nothing outside topics, nor for live envelopes, whose chains may begin
    // anywhere.
    let chained = |e: &Envelope| e.header.topic().is_some() && e.header.class != Class::Live;
    if place(&a) != place(&b) || a.id == b.id || !chained(&a) || !chained(&b) {
        return Err(Refused::NoContradiction);
    }
    let (first, second) = if a.id < b.id { (a, b) } else { (b, a) };
    Ok(Checked::new(Evidence { first, second }))
}

/// Signs an envelope of one's own. Fills in author, body length and body hash, sorts the deps;
/// everything else is the caller's and is held to the same rules as what comes from outside.
pub fn sign_envelope(
    mut header: Header,
    body: Vec<u8>,
    author: &SecretKey,
) -> Result<Checked<Verified>, Refused> {
    header.author = author.public();
    // A longer body is refused by the decoding below.
    header.body_len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    header.body_hash = seal::hash(&[&body]);
    header.deps.sort_unstable();
    header.deps.dedup();
    let header_bytes = header.encode();
    let proof = author.sign(Context::Envelope, Header::id_of(&header_bytes).as_bytes());
    let envelope = Envelope::from_stored(header_bytes, proof)?;
    let items = items_of(&envelope, Some(&body))?;
    Ok(Checked::new(Verified {
        envelope,
        body: Some(body),
        items,
    }))
}

fn body_matches(envelope: &Envelope, body: &[u8]) -> Result<(), Refused> {
    if body.len() as u64 != u64::from(envelope.header.body_len) {
        return Err(Refused::BodyLength);
    }
    if seal::hash(&[body]) != envelope.header.body_hash {
        return Err(Refused::BodyHash);
    }
    Ok(())
}

fn signed_by_author(envelope: &Envelope) -> Result<(), Refused> {
    let author = envelope.header.author;
    Ok(author.verify(Context::Envelope, envelope.id.as_bytes(), &envelope.proof)?)
}

/// The items of a control body, with their inner signatures verified; `None` for other classes.
fn items_of(envelope: &Envelope, body: Option<&[u8]>) -> Result<Option<Vec<Item>>, Refused> {
    let header = &envelope.header;
    if header.class != Class::Control {
        return Ok(None);
    }
    // Control goes to topics only, which decoding the header has made sure of.
    let Some(topic) = header.topic() else {
        return Err(Malformed {
            at: 0,
            what: "control outside a topic",
        }
        .into());
    };
    let items = decode_items(body.ok_or(Refused::NoBody)?)?;
    if items.len() != usize::from(header.count) {
        return Err(Refused::Count);
    }
    for item in &items {
        match item {
            Item::Certificate(certificate) => {
                if certificate.author != header.author {
                    return Err(Refused::OtherAuthor);
                }
                certificate.verify(topic)
            }
            Item::Claim(claim) => claim.verify(topic),
            Item::Act(act) => act.verify(topic),
            Item::Grant(_) | Item::Revocation(_) => item
                .joint()
                .map_or(Ok(()), |joint| joint.verify(topic, &item.id())),
            Item::Invite(_)
            | Item::Leave
            | Item::Sealing(_)
            | Item::Profile(_)
            | Item::Cores(_)
            | Item::Title(_)
            | Item::Close(_)
            | Item::Epoch(_)
            | Item::Boxes(_)
            | Item::Countersign(_)
            | Item::Unshare(_) => Ok(()),
        }
        .map_err(|_| Refused::InnerSignature)?;
    }
    Ok(Some(items))
}
