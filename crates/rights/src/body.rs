//! Sealed bodies: what an author writes and readers of its epoch open.
//!
//! ```text
//! 0x01 ‖ epoch id[0..16] ‖ slice u8 ‖ enc 32 ‖ salt 24 ‖ commit 16 ‖ aead
//!
//! sender key        = HPKE Export("sender key", 32) to the slice's key, name "sender",
//!                     fields topic id ‖ epoch id ‖ slice ‖ author key
//! k 32 ‖ commit 16  = kdf("body", sender key ‖ salt ‖ BLAKE3(header without fields 8 and 9))
//! aead              = aead(k, "", messages, padded)
//! ```
//!
//! Whoever knows the announced keys can seal, reading or not. No nonce rests on stored state: a
//! sender key lives in memory only, and every body has a key of its own. The commitment lets a body
//! open under one key alone, and the verdict `malformed` is the same for every reader.

use std::collections::BTreeMap;

use identity::seal::hpke::{export_receiver, export_sender};
use identity::seal::{aead_open, aead_seal, hash, kdf, same};
use identity::{EpochId, PublicKey, TopicId};
use machine::Rng;
use wire::limits::{MAX_BODY, MAX_MESSAGES, MAX_PLAIN, SEALED_BODY_OVERHEAD};
use wire::plain::{Message, decode_messages, encode_messages};
use zeroize::Zeroizing;

use crate::cache::OpenCache;
use crate::epoch::Epoch;
use crate::keyring::KeyRing;
use crate::limits::MAX_SENDER_KEYS;
use crate::secret::secret;

secret! {
    /// What one author and the readers of one slice share until the author starts anew.
    pub(crate) SenderKey
}

/// First byte of a sealed body and of an item sealed to readers.
pub(crate) const TO_READERS: u8 = 1;

const EPOCH_AT: usize = 1;
const SLICE_AT: usize = 17;
const ENC_AT: usize = 18;
const SALT_AT: usize = 50;
const COMMIT_AT: usize = 74;
const SEALED_AT: usize = 90;

/// What a body belongs to: the fields of its header that sealing binds.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The topic that the envelope is addressed to.
    pub topic: TopicId,
    /// Its author.
    pub author: PublicKey,
    /// When it claims to be created, in ms since 1970; decides the slice.
    pub created: u64,
    /// How many messages it says that it carries.
    pub count: u16,
    /// BLAKE3 of the header bytes without fields 8 and 9.
    pub header: [u8; 32],
}

impl Subject {
    /// The subject of a header, if it is addressed to a topic. Fields 8 and 9 may hold anything.
    #[must_use]
    pub fn of(header: &wire::Header) -> Option<Self> {
        Some(Self {
            topic: header.topic()?,
            author: header.author,
            created: header.created,
            count: header.count,
            header: hash(&[&header.encode_without_body()]),
        })
    }
}

/// Why a body could not be sealed. Our caller's mistake or the announcer's; nothing was sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealRefused {
    /// No messages, or more than [`MAX_MESSAGES`]; send several envelopes.
    #[error("{0} messages in one body, 1 to {MAX_MESSAGES} fit")]
    Messages(usize),
    /// More bytes of messages than [`MAX_PLAIN`]; send several envelopes.
    #[error("{0} bytes of messages in one body, at most {MAX_PLAIN} fit")]
    TooLong(usize),
    /// The header announces another number of messages.
    #[error("{given} messages under a header that says {announced}")]
    Count {
        /// How many were given.
        given: usize,
        /// How many the header says.
        announced: u16,
    },
    /// A sealed item's plaintext is longer than [`MAX_ITEM_PLAIN`](crate::limits::MAX_ITEM_PLAIN).
    #[error("an item of {0} bytes is too long to be sealed")]
    ItemTooLong(usize),
    /// Nothing can be sealed to the key: whoever announced it, of a slice or of a node, deceives.
    #[error("a key was announced that nothing can be sealed to")]
    BadKey,
    /// The members' key of the epoch is not held here.
    #[error("the epoch's secret is not held here")]
    NoKey,
}

/// What a sealed body turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Opened {
    /// Exactly the messages that the header counts.
    Messages(Vec<Message>),
    /// Not a body that its author could have sealed properly: a gap with that reason. The same
    /// verdict at every reader, for ever; it may be stored.
    Malformed,
    /// The epoch, or the right to read it, is not held here. Says nothing about the body.
    NoKey,
}

/// The place that a sender key belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Scope {
    pub(crate) topic: TopicId,
    pub(crate) author: PublicKey,
    pub(crate) epoch: EpochId,
    pub(crate) slice: u8,
}

impl Scope {
    /// Agrees on a fresh sender key with the readers of the slice.
    fn encapsulate(
        &self,
        epoch: &Epoch,
        rng: &mut Rng,
    ) -> Result<([u8; 32], SenderKey), SealRefused> {
        let to = epoch.slice_key(self.slice).ok_or(SealRefused::BadKey)?;
        let (enc, key) = export_sender(to, "sender", &self.fields(), "sender key", rng)
            .map_err(|_| SealRefused::BadKey)?;
        Ok((enc, SenderKey::from_bytes(key)))
    }

    fn decapsulate(&self, ring: &KeyRing, enc: &[u8; 32]) -> Decapsulated {
        let held = ring
            .by_id(self.epoch)
            .and_then(|held| held.access()?.slice_key(self.slice));
        let Some(slice_key) = held else {
            return Decapsulated::NoKey;
        };
        match export_receiver(&slice_key, "sender", &self.fields(), "sender key", enc) {
            Ok(key) => Decapsulated::Key(SenderKey::from_bytes(key)),
            Err(_) => Decapsulated::Bad,
        }
    }

    fn fields(&self) -> [&[u8]; 4] {
        [
            self.topic.as_bytes(),
            self.epoch.as_bytes(),
            core::slice::from_ref(&self.slice),
            self.author.as_bytes(),
        ]
    }
}

enum Decapsulated {
    Key(SenderKey),
    /// The encapsulation is a point of small order.
    Bad,
    NoKey,
}

/// The sender keys of the authors on this node: in memory only, fresh after every start.
#[derive(Default, Debug)]
pub struct SenderKeys(BTreeMap<Scope, ([u8; 32], SenderKey)>);

impl SenderKeys {
    /// No keys yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// How many sender keys are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sender key under which bodies of this author are sealed now, with its encapsulation: what opens
    /// them again where the author may not read. Secret: it goes into a sealed row only.
    #[must_use]
    pub fn own(&self, epoch: &Epoch, subject: &Subject) -> Option<([u8; 32], [u8; 32])> {
        let place = Place {
            subject,
            purpose: Purpose::Body,
        };
        let (enc, key) = self.0.get(&place.scope(epoch))?;
        Some((*enc, *key.as_bytes()))
    }

    pub(crate) fn get(
        &mut self,
        scope: Scope,
        epoch: &Epoch,
        rng: &mut Rng,
    ) -> Result<&([u8; 32], SenderKey), SealRefused> {
        if !self.0.contains_key(&scope) {
            let fresh = scope.encapsulate(epoch, rng)?;
            // An author's older epochs and slices are over.
            self.0
                .retain(|old, _| (old.topic, old.author) != (scope.topic, scope.author));
            if self.0.len() >= MAX_SENDER_KEYS {
                self.0.pop_first();
            }
            self.0.insert(scope, fresh);
        }
        self.0.get(&scope).ok_or(SealRefused::BadKey)
    }
}

/// Seals messages under an epoch's announced keys. `subject` is of the header that the body will
/// have; its fields 8 and 9 are filled in from the result.
pub fn seal(
    senders: &mut SenderKeys,
    epoch: &Epoch,
    subject: &Subject,
    messages: &[Message],
    rng: &mut Rng,
) -> Result<Vec<u8>, SealRefused> {
    if messages.is_empty() || messages.len() > usize::from(MAX_MESSAGES) {
        return Err(SealRefused::Messages(messages.len()));
    }
    let plain = Zeroizing::new(encode_messages(messages));
    if plain.len() > MAX_PLAIN {
        return Err(SealRefused::TooLong(plain.len()));
    }
    if messages.len() != usize::from(subject.count) {
        return Err(SealRefused::Count {
            given: messages.len(),
            announced: subject.count,
        });
    }
    let place = Place {
        subject,
        purpose: Purpose::Body,
    };
    seal_to_readers(senders, epoch, &place, &plain, rng)
}

/// Opens a body. The bytes are of a checked envelope, so that the author meant them.
#[must_use]
pub fn open(cache: &mut OpenCache, ring: &KeyRing, subject: &Subject, body: &[u8]) -> Opened {
    if body.len() > MAX_BODY {
        return Opened::Malformed;
    }
    match open_to_readers(
        cache,
        ring,
        &Place {
            subject,
            purpose: Purpose::Body,
        },
        body,
    ) {
        Unsealed::Plain(plain) => match decode_messages(&plain) {
            Ok(messages) if messages.len() == usize::from(subject.count) => {
                Opened::Messages(messages)
            }
            Ok(_) | Err(_) => Opened::Malformed,
        },
        Unsealed::Malformed => Opened::Malformed,
        Unsealed::NoKey => Opened::NoKey,
    }
}

/// What of an envelope is sealed: separates the keys of bodies from those of items.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Body,
    /// An item of a control body, by its kind.
    Item(u8),
}

/// Where something sealed stands: a key for one place opens nothing anywhere else.
pub(crate) struct Place<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) purpose: Purpose,
}

impl Place<'_> {
    fn scope(&self, epoch: &Epoch) -> Scope {
        Scope {
            topic: self.subject.topic,
            author: self.subject.author,
            epoch: epoch.id(),
            slice: epoch.slice_of(self.subject.created),
        }
    }

    /// (k 32 ‖ commit 16)
    fn key(&self, sender: &SenderKey, salt: &[u8; 24]) -> Zeroizing<[u8; 48]> {
        Zeroizing::new(match self.purpose {
            Purpose::Body => kdf("body", &[sender.as_bytes(), salt, &self.subject.header]),
            Purpose::Item(kind) => kdf("reader item", &[sender.as_bytes(), salt, &[kind]]),
        })
    }
}

pub(crate) enum Unsealed {
    Plain(Zeroizing<Vec<u8>>),
    Malformed,
    NoKey,
}

pub(crate) fn seal_to_readers(
    senders: &mut SenderKeys,
    epoch: &Epoch,
    place: &Place<'_>,
    plain: &[u8],
    rng: &mut Rng,
) -> Result<Vec<u8>, SealRefused> {
    let scope = place.scope(epoch);
    let fresh = Zeroizing::new(rng.array::<32>());
    let (enc, sender) = senders.get(scope, epoch, rng)?;
    // The salt depends on the plaintext too: if a generator's state is ever restored (a machine
    // set back while it runs), two different plaintexts still get different keys.
    let salt: [u8; 24] = kdf("salt", &[&*fresh, sender.as_bytes(), plain]);
    let key = place.key(sender, &salt);
    let (k, commit) = split_key(&key);
    let mut body = Vec::with_capacity(plain.len() + SEALED_BODY_OVERHEAD);
    body.push(TO_READERS);
    body.extend_from_slice(&epoch.prefix());
    body.push(scope.slice);
    body.extend_from_slice(enc);
    body.extend_from_slice(&salt);
    body.extend_from_slice(commit);
    body.extend_from_slice(&aead_seal(k, b"", plain));
    debug_assert_eq!(body.len(), plain.len() + SEALED_BODY_OVERHEAD);
    Ok(body)
}

pub(crate) fn open_to_readers(
    cache: &mut OpenCache,
    ring: &KeyRing,
    place: &Place<'_>,
    body: &[u8],
) -> Unsealed {
    let Some(parts) = Parts::split(body) else {
        return Unsealed::Malformed;
    };
    let Some(held) = ring.by_prefix(parts.epoch) else {
        return Unsealed::NoKey;
    };
    let scope = place.scope(held.epoch());
    // The slice follows from the header, so that nobody seals into a slice that is over.
    if scope.slice != parts.slice || scope.topic != ring.topic() {
        return Unsealed::Malformed;
    }
    let known = cache.get(&scope, parts.enc).cloned();
    let fresh = known.is_none();
    let sender = match known.map_or_else(|| scope.decapsulate(ring, parts.enc), Decapsulated::Key) {
        Decapsulated::Key(sender) => sender,
        Decapsulated::Bad => return Unsealed::Malformed,
        Decapsulated::NoKey => return Unsealed::NoKey,
    };
    let key = place.key(&sender, parts.salt);
    let (k, commit) = split_key(&key);
    if !same(commit, parts.commit) {
        return Unsealed::Malformed;
    }
    // Only now is the encapsulation known to be one that its author made: a false one is never
    // remembered and crowds out nothing.
    if fresh {
        cache.insert(scope, *parts.enc, sender);
    }
    match aead_open(k, b"", parts.sealed) {
        Ok(plain) => Unsealed::Plain(Zeroizing::new(plain)),
        Err(_) => Unsealed::Malformed,
    }
}

/// The fields of a sealed body.
struct Parts<'a> {
    epoch: &'a [u8; 16],
    slice: u8,
    enc: &'a [u8; 32],
    salt: &'a [u8; 24],
    commit: &'a [u8; 16],
    sealed: &'a [u8],
}

impl<'a> Parts<'a> {
    fn split(body: &'a [u8]) -> Option<Self> {
        if *body.first()? != TO_READERS {
            return None;
        }
        Some(Self {
            epoch: body.get(EPOCH_AT..SLICE_AT)?.try_into().ok()?,
            slice: *body.get(SLICE_AT)?,
            enc: body.get(ENC_AT..SALT_AT)?.try_into().ok()?,
            salt: body.get(SALT_AT..COMMIT_AT)?.try_into().ok()?,
            commit: body.get(COMMIT_AT..SEALED_AT)?.try_into().ok()?,
            sealed: body.get(SEALED_AT..)?,
        })
    }
}

/// (k, commit) of 48 derived bytes.
fn split_key(key: &[u8; 48]) -> (&[u8; 32], &[u8; 16]) {
    let (k, commit) = key.split_at(32);
    // The lengths are those of the array.
    (
        k.try_into().expect("32 of 48 bytes"),
        commit.try_into().expect("16 of 48 bytes"),
    )
}
