//! The header of an envelope.

use std::collections::BTreeMap;

use identity::{EnvelopeId, GrantId, Id, Kind, PublicKey, Scheme, TopicId};

use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::limits::{
    FORMAT, MAX_BODY, MAX_CONTROL_BODY, MAX_DEPS, MAX_EXTENSION_KEY, MAX_EXTENSIONS,
    MAX_EXTENSIONS_LEN, MAX_HEADER, MAX_HOPS, MAX_ITEMS, MAX_LIFESPAN_MS, MAX_LIVE_LIFESPAN_MS,
    MAX_MANIFEST_BYTES, MAX_MESSAGES, MAX_NUMBER,
};

/// What envelope ids are derived in.
const ID_CONTEXT: &str = "waystation envelope id v1";
/// Keys from 16 to 31 are reserved, from 32 on they are extensions, critical up to 63.
const FIRST_EXTENSION: u64 = 32;
/// The one known field among the extensions.
const CLOCK_KEY: u64 = 64;

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
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Manifest {
    /// Hash of its numbers and of the list of its pages (docs/spec/files.md, 2).
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
        self.write(true)
    }

    /// The header without fields 8 and 9: what sealing binds a body to.
    pub fn encode_without_body(&self) -> Vec<u8> {
        self.write(false)
    }

    /// The id that an envelope with these header bytes has.
    pub fn id_of(header_bytes: &[u8]) -> EnvelopeId {
        EnvelopeId::from_bytes(blake3::derive_key(ID_CONTEXT, header_bytes))
    }

    fn write(&self, body: bool) -> Vec<u8> {
        let fields = 12
            + if body { 2 } else { 0 }
            + Writer::present(&self.deps)
            + usize::from(self.manifest.is_some())
            + usize::from(self.clock_unconfirmed)
            + self.extensions.len();
        let mut w = Writer::new();
        w.map(fields)
            .key(0)
            .uint(FORMAT)
            .key(1)
            .bytes(&self.destination.to_wire());
        w.key(2)
            .bytes(self.author.as_bytes())
            .key(3)
            .uint(self.number);
        w.key(4).bytes(&self.previous).key(5).uint(self.generation);
        w.key(6).uint(self.created).key(7).uint(self.expires);
        if body {
            w.key(8).uint(self.body_len).key(9).bytes(&self.body_hash);
        }
        w.key(10).uint(self.count).key(11).uint(self.class as u8);
        w.key(12)
            .bytes(self.grant.as_bytes())
            .key(13)
            .uint(self.hops);
        w.list(14, &self.deps, |w, id| {
            w.bytes(id.as_bytes());
        });
        if let Some(manifest) = &self.manifest {
            w.key(15);
            manifest.write(&mut w);
        }
        for (key, value) in self.extensions.range(..CLOCK_KEY) {
            w.key(*key).encoded(value);
        }
        if self.clock_unconfirmed {
            w.key(CLOCK_KEY).bool(true);
        }
        for (key, value) in self.extensions.range(CLOCK_KEY..) {
            w.key(*key).encoded(value);
        }
        w.into_bytes()
    }

    /// The rules that tie fields to one another. `at` is where to say they were broken.
    fn judge(&self, at: usize) -> Result<(), Malformed> {
        let wrong = |what| Err(Malformed { at, what });
        match (self.destination.kind(), self.destination.scheme()) {
            (Kind::Topic, Scheme::Hash) => self.judge_in_topic(at)?,
            (Kind::Node, Scheme::Key) | (Kind::Domain, Scheme::Hash) | (Kind::Engine, _) => {
                self.judge_outside(at)?;
            }
            _ => return wrong("nothing can be sent to such an id"),
        }
        let life = self.expires.checked_sub(self.created);
        match self.class {
            Class::Control if self.expires != 0 => wrong("control with an end"),
            // One item may be longer; that it is boxes is seen with the items.
            Class::Control if self.body_len as usize > MAX_CONTROL_BODY && self.count != 1 => {
                wrong("control body too long")
            }
            Class::Control if usize::from(self.count) > MAX_ITEMS => wrong("too many items"),
            Class::Control if self.manifest.is_some() => wrong("control with blocks"),
            Class::Control => Ok(()),
            Class::Content if !life.is_some_and(|life| (1..=MAX_LIFESPAN_MS).contains(&life)) => {
                wrong("lifespan")
            }
            Class::Content => Ok(()),
            Class::Live if !life.is_some_and(|life| (1..=MAX_LIVE_LIFESPAN_MS).contains(&life)) => {
                wrong("lifespan")
            }
            Class::Live if !self.deps.is_empty() => wrong("live with deps"),
            Class::Live if self.manifest.is_some() => wrong("live with blocks"),
            Class::Live => Ok(()),
        }
    }

    fn judge_in_topic(&self, at: usize) -> Result<(), Malformed> {
        let wrong = |what| Err(Malformed { at, what });
        if !(1..=MAX_NUMBER).contains(&self.number) {
            return wrong("number");
        }
        if !(1..=MAX_NUMBER).contains(&self.generation) {
            return wrong("generation");
        }
        if self.class == Class::Live {
            // Its chain may begin anywhere.
            return Ok(());
        }
        if self.number == 1 && self.previous != *self.destination.as_bytes() {
            return wrong("previous of number 1 is not the topic");
        }
        // Each envelope of a chain has a greater generation than the one before.
        if self.generation < self.number {
            return wrong("generation below number");
        }
        let alone = self.number == 1 && self.deps.is_empty();
        if alone != (self.generation == 1) {
            return wrong("generation");
        }
        Ok(())
    }

    fn judge_outside(&self, at: usize) -> Result<(), Malformed> {
        let wrong = |what| Err(Malformed { at, what });
        if self.class == Class::Control {
            return wrong("control outside a topic");
        }
        if self.previous != [0; 32] || !self.deps.is_empty() || self.generation != 1 {
            return wrong("previous, generation or deps outside a topic");
        }
        Ok(())
    }
}

/// Decodes header bytes and checks every rule that concerns a header alone.
pub fn decode_header(bytes: &[u8]) -> Result<Header, Malformed> {
    let mut r = Reader::new(bytes, MAX_HEADER)?;
    let mut f = r.fields("header")?;
    let header = read_header(&mut r, &mut f)?;
    f.end(&mut r)?;
    header.judge(bytes.len())?;
    Ok(header)
}

fn read_header(r: &mut Reader<'_>, f: &mut Fields) -> Result<Header, Malformed> {
    f.need(r, 0, "format")?;
    r.format()?;
    f.need(r, 1, "destination")?;
    let destination = r.id("destination")?;
    f.need(r, 2, "author")?;
    let author = PublicKey::from_bytes(r.array("author")?);
    f.need(r, 3, "number")?;
    let number = r.u64("number")?;
    f.need(r, 4, "previous")?;
    let previous = r.array("previous")?;
    f.need(r, 5, "generation")?;
    let generation = r.u64("generation")?;
    f.need(r, 6, "created")?;
    let created = r.time("created")?;
    f.need(r, 7, "expires")?;
    let expires = r.time("expires")?;
    f.need(r, 8, "body length")?;
    let body_len = r.within(1, MAX_BODY as u64, "body length")? as u32;
    f.need(r, 9, "body hash")?;
    let body_hash = r.array("body hash")?;
    f.need(r, 10, "message count")?;
    let count = r.within(1, u64::from(MAX_MESSAGES), "message count")? as u16;
    f.need(r, 11, "class")?;
    let class = match r.at_most(2, "class")? {
        0 => Class::Content,
        1 => Class::Control,
        _ => Class::Live,
    };
    f.need(r, 12, "grant")?;
    let grant = GrantId::from_bytes(r.array("grant")?);
    f.need(r, 13, "hops")?;
    let hops = r.at_most(u64::from(MAX_HOPS), "hops")? as u8;
    let mut last = None;
    let deps = f.list(r, 14, MAX_DEPS, "deps", |r| {
        r.ascending(&mut last, "deps", |r| {
            Ok(EnvelopeId::from_bytes(r.array("deps")?))
        })
    })?;
    let manifest = if f.maybe(r, 15)? {
        Some(Manifest::read(r)?)
    } else {
        None
    };
    let (extensions, clock_unconfirmed) = read_extensions(r, f)?;
    Ok(Header {
        destination,
        author,
        number,
        previous,
        generation,
        created,
        expires,
        body_len,
        body_hash,
        count,
        class,
        grant,
        hops,
        deps,
        manifest,
        clock_unconfirmed,
        extensions,
    })
}

impl Manifest {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(3).bytes(&self.root);
        w.uint(self.count).uint(self.bytes);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        r.tuple(3, "manifest")?;
        let root = r.array("manifest root")?;
        let count = r.within(1, u64::from(u32::MAX), "manifest count")? as u32;
        Ok(Self {
            root,
            count,
            bytes: r.within(1, MAX_MANIFEST_BYTES, "manifest bytes")?,
        })
    }
}

/// Fields from 32 on, and whether the clock was unconfirmed.
fn read_extensions(r: &mut Reader<'_>, f: &mut Fields) -> Result<(Extensions, bool), Malformed> {
    let mut extensions = Extensions::new();
    let mut clock_unconfirmed = false;
    let mut len = 0;
    while let Some(key) = f.next_to(r, MAX_EXTENSION_KEY)? {
        if key == CLOCK_KEY {
            if !r.bool("clock unconfirmed")? {
                // False is said by leaving it out.
                return Err(r.wrong("clock unconfirmed"));
            }
            clock_unconfirmed = true;
            continue;
        }
        if key < FIRST_EXTENSION {
            return Err(r.wrong("a reserved field"));
        }
        let value = r.any("extension")?;
        len += value.len();
        extensions.insert(key, value.to_vec());
        if extensions.len() > MAX_EXTENSIONS || len > MAX_EXTENSIONS_LEN {
            return Err(r.wrong("too many extensions"));
        }
    }
    Ok((extensions, clock_unconfirmed))
}
