//! The header of an envelope.

use std::collections::BTreeMap;

use identity::{EnvelopeId, GrantId, Id, PublicKey, TopicId};

use crate::cbor::Malformed;

/// What an envelope is for, which decides how it is judged and how long it is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Class {
    /// Messages of applications; the body expires.
    Content = 0,
    /// Items that rights and membership rest on; to topics only; never expires.
    Control = 1,
    /// State of the moment; header and body go together within a day.
    Live = 2,
}

/// Blocks that belong to an envelope, so that who cannot read it can count and hold them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// Reference of the root block.
    pub root: [u8; 32],
    /// Number of blocks.
    pub count: u32,
    /// Bytes of all blocks together.
    pub bytes: u64,
}

/// Header fields that this format does not know: key (32 to 63, or 65 up) and the CBOR of the value
/// as it came. Preserved, hashed, forwarded.
pub type Extensions = BTreeMap<u64, Vec<u8>>;

/// The header of an envelope. Field numbers are the keys of the CBOR map (docs/spec/wire.md,
/// "Envelope").
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// 1: where it goes.
    pub destination: Id,
    /// 2: who writes and signs it.
    pub author: PublicKey,
    /// 3: the author's running number in a topic, from 1 without gaps; for unicast 40 random bits
    /// and a 24-bit counter.
    pub number: u64,
    /// 4: id of the author's previous envelope; the topic's id at number 1; zero for unicast.
    pub previous: [u8; 32],
    /// 5: one more than the highest generation among `previous` and `deps`; 1 when there are none.
    pub generation: u64,
    /// 6: when the author claims to have made it, milliseconds since 1970.
    pub created: u64,
    /// 7: when content may be deleted, milliseconds since 1970; 0 for control, which never expires.
    pub expires: u64,
    /// 8: bytes of the body. Filled in by [`sign_envelope`](crate::sign_envelope).
    pub body_len: u32,
    /// 9: BLAKE3 of the body. Filled in by [`sign_envelope`](crate::sign_envelope).
    pub body_hash: [u8; 32],
    /// 10: messages in the body, from 1; for control the items.
    pub count: u16,
    /// 11: what it is for.
    pub class: Class,
    /// 12: the grant it is written under; the topic's id for the founder, zero for unicast.
    pub grant: GrantId,
    /// 13: most hops; advisory.
    pub hops: u8,
    /// 14: what it depends on, sorted, without duplicates, at most 16.
    pub deps: Vec<EnvelopeId>,
    /// 15: blocks that belong to it.
    pub manifest: Option<Manifest>,
    /// 64: the author's clock was not confirmed by anybody.
    pub clock_unconfirmed: bool,
    /// Everything else.
    pub extensions: Extensions,
}

impl Header {
    /// The topic it goes to, if its destination is one.
    pub fn topic(&self) -> Option<TopicId> {
        TopicId::from_id(&self.destination)
    }

    /// Keys of critical extensions. This format knows none, so an envelope that has one is held and
    /// forwarded and shown as `needs version`.
    pub fn critical(&self) -> impl Iterator<Item = u64> + '_ {
        self.extensions.range(32..64).map(|(key, _)| *key)
    }

    /// The header bytes.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// The header without fields 8 and 9: what sealing binds a body to.
    pub fn encode_without_body(&self) -> Vec<u8> {
        todo!()
    }

    /// The id that an envelope with these header bytes has.
    pub fn id_of(header_bytes: &[u8]) -> EnvelopeId {
        let _ = header_bytes;
        todo!()
    }
}

/// Decodes header bytes and checks every rule that concerns a header alone.
pub fn decode_header(bytes: &[u8]) -> Result<Header, Malformed> {
    let _ = bytes;
    todo!()
}
