//! What is inside what is sealed: bodies, sealed items, an invite's box.

use identity::{Context, EnvelopeId, EpochId, NodeId, PublicKey, SecretKey, Signature};

use crate::cbor::{Malformed, Reader, Writer, validate_prefix};
use crate::checked::Refused;
use crate::genesis::Genesis;
use crate::invite::{Invite, InviteKind};
use crate::limits::{
    BOX_ACCESS, BOX_PLAIN_LEN, FORMAT, MAX_ADDRESSES, MAX_CORES, MAX_GENESIS, MAX_MESSAGES,
    MAX_NAME, MAX_PLAIN, MAX_SEALED_ITEM,
};
use crate::signed::{RawStatement, SignedAdvert};

/// A message of an application inside a body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// What it is: [`Message::TEXT`]; applications' kinds are kept as they are.
    pub kind: u8,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Message {
    /// Text in UTF-8.
    pub const TEXT: u8 = 0;
    /// A file or folder: a [`SharedFile`](crate::SharedFile). It is alone in its body, and the header of its
    /// envelope has the manifest of its blocks.
    pub const FILE: u8 = 1;

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            kind: Self::TEXT,
            bytes: text.into().into_bytes(),
        }
    }
}

/// The plaintext of a content body: `[[kind, bytes], …]`, padded with zeros to a Padmé length
/// (at most 12 % more) so that its size says little.
pub fn encode_messages(messages: &[Message]) -> Vec<u8> {
    let mut w = Writer::new();
    w.array(messages.len());
    for message in messages {
        w.array(2).uint(message.kind).bytes(&message.bytes);
    }
    let mut plain = w.into_bytes();
    plain.resize(padded_len(plain.len()), 0);
    plain
}

/// Reads the plaintext of a content body. The padding must be exactly what [`encode_messages`]
/// adds.
pub fn decode_messages(plain: &[u8]) -> Result<Vec<Message>, Malformed> {
    if plain.len() > MAX_PLAIN {
        return Err(Malformed {
            at: MAX_PLAIN,
            what: "it is longer than the limit",
        });
    }
    let end = validate_prefix(plain)?;
    let wrong = Malformed {
        at: end,
        what: "padding",
    };
    let (content, padding) = plain.split_at_checked(end).ok_or(wrong)?;
    if plain.len() != padded_len(end) || padding.iter().any(|byte| *byte != 0) {
        return Err(wrong);
    }
    let mut r = Reader::validated(content);
    let wrong = r.wrong("messages");
    let len = r.list(usize::from(MAX_MESSAGES), "messages")?;
    if len == 0 {
        return Err(wrong);
    }
    (0..len)
        .map(|_| {
            r.tuple(2, "message")?;
            let kind = r.u8("kind of message")?;
            Ok(Message {
                kind,
                bytes: r.bytes(MAX_PLAIN, "message")?.to_vec(),
            })
        })
        .collect()
}

/// The Padmé length for `len` bytes (Nikitin and others, "Reducing Metadata Leakage from Encrypted
/// Files and Communication with PURBs", 2019, §4), but never above [`MAX_PLAIN`] for what fits into
/// it.
pub fn padded_len(len: usize) -> usize {
    let Some(exponent) = len.checked_ilog2().filter(|exponent| *exponent > 0) else {
        return len;
    };
    let kept = exponent.ilog2() + 1;
    let mask = (1_usize << exponent.saturating_sub(kept)) - 1;
    let padded = len.saturating_add(mask) & !mask;
    if len <= MAX_PLAIN {
        padded.min(MAX_PLAIN)
    } else {
        padded
    }
}

/// Bytes that one more message of this length adds to a plaintext, padding apart.
pub const fn message_len(bytes: usize) -> usize {
    bytes + 10
}

/// What a member says about itself to readers: its name, and the advert of the node that it is on.
/// Whoever reads it can seal mail to that node and knows where it and its core nodes are, though the
/// two never met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    /// The name to show; never taken as identity. It stands here and not in the advert, which core
    /// nodes see too.
    pub name: String,
    /// The node's advert as that node signed it. Decoding does not check the signature: see
    /// [`check_advert`](crate::check_advert).
    pub advert: SignedAdvert,
}

/// A core node that holds the topic for a member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoreEntry {
    /// Which.
    pub node: NodeId,
    /// Where it can be reached (URIs), at most 8.
    pub addresses: Vec<String>,
    /// Its name.
    pub name: String,
}

/// The core nodes of a member, at most 4.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CoreList {
    /// Them.
    pub cores: Vec<CoreEntry>,
}

/// The name of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Title {
    /// It.
    pub name: String,
}

/// What whoever has a public topic tells of it to whoever knows its id. Nobody signs it: the id proves
/// the genesis, and the rest are hints.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicContents {
    /// The topic's.
    pub genesis: Genesis,
    /// The topic's name; may be empty.
    pub title: String,
    /// Where the topic may be found, at most 4.
    pub cores: Vec<CoreEntry>,
}

/// What an invite's box holds, of the while-away kind.
#[derive(Clone, PartialEq, Eq)]
pub struct BoxContents {
    /// The topic.
    pub genesis: Genesis,
    /// The invite.
    pub invite: Invite,
    /// The envelope that carries the invite: the claimer's first envelope depends on it.
    pub invite_at: EnvelopeId,
    /// The topic's name.
    pub title: String,
    /// The inviter's name.
    pub inviter: String,
    /// Where the topic can be found: the inviter itself and its core nodes, at most 4.
    pub cores: Vec<CoreEntry>,
    /// An epoch and how much of its secret the invite opens, as a box holds it: all of it, or what
    /// it takes to take part. Where the claimer needs no welcome; nothing in every other box.
    pub handed: Option<(EpochId, [u8; BOX_ACCESS])>,
    /// The inviter's device.
    pub device: PublicKey,
    /// The device's, over everything before.
    pub signature: Signature,
}

impl Profile {
    /// The node that it is on, as it says: whether that node signed the advert is checked elsewhere.
    pub const fn node(&self) -> NodeId {
        self.advert.value.node
    }

    /// The plaintext.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.map(2).key(0).text(&self.name).key(1);
        self.advert.to_raw().write(&mut w);
        w.into_bytes()
    }

    /// Reads the plaintext; the advert's signature is not checked.
    pub fn decode(plain: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(plain, MAX_SEALED_ITEM)?;
        let r = &mut reader;
        let mut f = r.fields("profile")?;
        f.need(r, 0, "name")?;
        let name = r.shown(MAX_NAME, "name")?;
        f.need(r, 1, "advert")?;
        let advert = SignedAdvert::from_stored(RawStatement::read(r)?)?;
        f.end(r)?;
        Ok(Self { name, advert })
    }
}

impl CoreEntry {
    fn write(&self, w: &mut Writer) {
        w.map(2 + Writer::present(&self.addresses))
            .key(0)
            .bytes(self.node.as_bytes());
        w.list(1, &self.addresses, |w, uri| {
            w.text(uri);
        });
        w.key(2).text(&self.name);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut f = r.fields("core")?;
        f.need(r, 0, "node")?;
        let node = NodeId::from_bytes(r.array("node")?);
        let addresses = f.list(r, 1, MAX_ADDRESSES, "addresses", |r| r.uri("address"))?;
        f.need(r, 2, "name")?;
        let name = r.shown(MAX_NAME, "name")?;
        f.end(r)?;
        Ok(Self {
            node,
            addresses,
            name,
        })
    }
}

impl CoreList {
    /// The plaintext.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.map(Writer::present(&self.cores))
            .list(0, &self.cores, |w, core| core.write(w));
        w.into_bytes()
    }

    /// Reads the plaintext.
    pub fn decode(plain: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(plain, MAX_SEALED_ITEM)?;
        let r = &mut reader;
        let mut f = r.fields("cores")?;
        let cores = f.list(r, 0, MAX_CORES, "cores", CoreEntry::read)?;
        f.end(r)?;
        Ok(Self { cores })
    }
}

impl Title {
    /// The plaintext.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.map(1).key(0).text(&self.name);
        w.into_bytes()
    }

    /// Reads the plaintext.
    pub fn decode(plain: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(plain, MAX_SEALED_ITEM)?;
        let r = &mut reader;
        let mut f = r.fields("title")?;
        f.need(r, 0, "name")?;
        let name = r.shown(MAX_NAME, "name")?;
        f.end(r)?;
        Ok(Self { name })
    }
}

impl PublicContents {
    /// The plaintext, padded with zeros to [`BOX_PLAIN_LEN`]; refused if it does not fit (leave
    /// addresses out) or a name or address is not legal.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut w = Writer::new();
        w.map(3 + Writer::present(&self.cores)).key(0).uint(FORMAT);
        w.key(1).bytes(&self.genesis.encode());
        w.key(2).text(&self.title);
        w.list(3, &self.cores, |w, core| core.write(w));
        let plain = w.into_bytes();
        Self::read(&plain)?;
        padded_to_box(plain)
    }

    /// Reads the plaintext. Whose genesis it holds is for the reader to see.
    pub fn decode(plain: &[u8]) -> Result<Self, Malformed> {
        Self::read(boxed(plain)?)
    }

    fn read(content: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(content, BOX_PLAIN_LEN)?;
        let r = &mut reader;
        let mut f = r.fields("public topic")?;
        f.need(r, 0, "format")?;
        r.format()?;
        f.need(r, 1, "genesis")?;
        let genesis = Genesis::decode(r.bytes(MAX_GENESIS, "genesis")?)?;
        f.need(r, 2, "title")?;
        let title = r.shown(MAX_NAME, "title")?;
        let cores = f.list(r, 3, MAX_CORES, "cores", CoreEntry::read)?;
        f.end(r)?;
        Ok(Self {
            genesis,
            title,
            cores,
        })
    }
}

/// Fills what a box holds up to [`BOX_PLAIN_LEN`].
fn padded_to_box(mut plain: Vec<u8>) -> Result<Vec<u8>, Malformed> {
    if plain.len() > BOX_PLAIN_LEN {
        return Err(Malformed {
            at: BOX_PLAIN_LEN,
            what: "it does not fit into the box",
        });
    }
    plain.resize(BOX_PLAIN_LEN, 0);
    Ok(plain)
}

/// What a box holds, without what fills it up.
fn boxed(plain: &[u8]) -> Result<&[u8], Malformed> {
    if plain.len() != BOX_PLAIN_LEN {
        return Err(Malformed {
            at: 0,
            what: "length of the box",
        });
    }
    let end = validate_prefix(plain)?;
    let wrong = Malformed {
        at: end,
        what: "padding",
    };
    let (content, padding) = plain.split_at_checked(end).ok_or(wrong)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(wrong);
    }
    Ok(content)
}

impl core::fmt::Debug for BoxContents {
    /// Without the epoch's secret.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("BoxContents")
            .field("invite", &self.invite)
            .field("title", &self.title)
            .field("inviter", &self.inviter)
            .finish_non_exhaustive()
    }
}

impl BoxContents {
    /// Fills in device and signature.
    pub fn sign(&mut self, device: &SecretKey) {
        self.device = device.public();
        self.signature = device.sign(Context::InviteBox, &self.write(false));
    }

    /// The plaintext, padded with zeros to [`BOX_PLAIN_LEN`]; refused if it does not fit (leave
    /// addresses out) or a name or address is not legal.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let plain = self.write(true);
        let padded = padded_to_box(plain.clone())?;
        Self::read(&plain)?;
        Ok(padded)
    }

    /// Reads the plaintext and verifies the device's signature. Whether the device may invite is
    /// seen in the topic.
    pub fn decode(plain: &[u8]) -> Result<Self, Refused> {
        let content = boxed(plain)?;
        let contents = Self::read(content)?;
        let signed = contents.write(false);
        contents
            .device
            .verify(Context::InviteBox, &signed, &contents.signature)?;
        Ok(contents)
    }

    fn write(&self, signature: bool) -> Vec<u8> {
        let mut w = Writer::new();
        let optional = Writer::present(&self.cores) + usize::from(signature);
        w.map(7 + optional + if self.handed.is_some() { 2 } else { 0 });
        w.key(0)
            .uint(FORMAT)
            .key(1)
            .bytes(&self.genesis.encode())
            .key(2);
        self.invite.write(&mut w);
        w.key(3)
            .bytes(self.invite_at.as_bytes())
            .key(4)
            .text(&self.title);
        w.key(5)
            .text(&self.inviter)
            .list(6, &self.cores, |w, core| core.write(w));
        if let Some((epoch, access)) = &self.handed {
            w.key(7).bytes(epoch.as_bytes()).key(8).bytes(access);
        }
        w.key(9).bytes(self.device.as_bytes());
        if signature {
            w.key(10).bytes(self.signature.as_bytes());
        }
        w.into_bytes()
    }

    fn read(content: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(content, BOX_PLAIN_LEN)?;
        let r = &mut reader;
        let mut f = r.fields("box")?;
        f.need(r, 0, "format")?;
        r.format()?;
        f.need(r, 1, "genesis")?;
        let genesis = Genesis::decode(r.bytes(MAX_GENESIS, "genesis")?)?;
        f.need(r, 2, "invite")?;
        let mut of_invite = r.fields("invite")?;
        let invite = Invite::read(r, &mut of_invite)?;
        of_invite.end(r)?;
        f.need(r, 3, "envelope of the invite")?;
        let invite_at = EnvelopeId::from_bytes(r.array("envelope of the invite")?);
        f.need(r, 4, "title")?;
        let title = r.shown(MAX_NAME, "title")?;
        f.need(r, 5, "inviter")?;
        let inviter = r.shown(MAX_NAME, "inviter")?;
        let cores = f.list(r, 6, MAX_CORES, "cores", CoreEntry::read)?;
        // Who is to be welcomed first finds no secret of the topic.
        let handed = if matches!(invite.kind, InviteKind::WhileAway(_)) {
            f.need(r, 7, "epoch")?;
            let epoch = EpochId::from_bytes(r.array("epoch")?);
            f.need(r, 8, "access")?;
            Some((epoch, r.array("access")?))
        } else {
            None
        };
        f.need(r, 9, "device")?;
        let device = PublicKey::from_bytes(r.array("device")?);
        f.need(r, 10, "signature")?;
        let signature = Signature::from_bytes(r.array("signature")?);
        f.end(r)?;
        Ok(Self {
            genesis,
            invite,
            invite_at,
            title,
            inviter,
            cores,
            handed,
            device,
            signature,
        })
    }
}
