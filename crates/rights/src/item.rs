//! Sealed items: parts of a control body that only members or only readers may see.
//!
//! ```text
//! to members: 0x02 ‖ epoch id[0..16] ‖ salt 24 ‖ aead(kdf("item", K ‖ salt), ad, plain)
//!             ad = topic id ‖ author key ‖ item kind u8
//! to readers: as a body (0x01 …), with
//!             k 32 ‖ commit 16 = kdf("reader item", sender key ‖ salt ‖ item kind u8)
//! plain     = u16 length ‖ bytes ‖ zeros up to a Padmé length of at least 64
//! ```
//!
//! Both are bound to topic, author and kind of item, so nobody can pass off another's, and an item
//! can be sealed before the header of its envelope is known.

use identity::seal::{aead_open, aead_seal, kdf};
use identity::{PublicKey, TopicId};
use machine::Rng;
use wire::plain::padded_len;
use zeroize::Zeroizing;

use crate::body::{
    Place, Purpose, SealRefused, SenderKeys, Subject, Unsealed, open_to_readers, seal_to_readers,
};
use crate::cache::OpenCache;
use crate::epoch::MembersKey;
use crate::keyring::{HeldEpoch, KeyRing};
use crate::limits::{MAX_ITEM_PADDED, MAX_ITEM_PLAIN, MIN_ITEM_PADDED};

/// First byte of an item sealed to members.
const TO_MEMBERS: u8 = 2;

/// What a sealed item belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ItemSubject {
    /// The topic.
    pub topic: TopicId,
    /// The author of the envelope that carries it.
    pub author: PublicKey,
    /// When that envelope claims to be created, in ms since 1970; decides the slice.
    pub created: u64,
    /// The number of the item's kind.
    pub kind: u8,
}

impl ItemSubject {
    /// Items are bound to no header, so its place stays empty.
    const fn subject(&self) -> Subject {
        Subject {
            topic: self.topic,
            author: self.author,
            created: self.created,
            count: 0,
            header: [0; 32],
        }
    }
}

/// What a sealed item turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OpenedItem {
    /// Its plaintext.
    Plain(Vec<u8>),
    /// Not an item that its author could have sealed properly; the same at everybody who may open
    /// it, for ever.
    Malformed,
    /// The key is not held here. Says nothing about the item.
    NoKey,
}

/// Seals an item to everybody who may read the topic.
pub fn seal_item_to_readers(
    senders: &mut SenderKeys,
    held: &HeldEpoch,
    of: &ItemSubject,
    plain: &[u8],
    rng: &mut Rng,
) -> Result<Vec<u8>, SealRefused> {
    let subject = of.subject();
    let place = Place {
        subject: &subject,
        purpose: Purpose::Item(of.kind),
    };
    seal_to_readers(senders, held.epoch(), &place, &pad(plain)?, rng)
}

/// Opens an item sealed to readers.
#[must_use]
pub fn open_item_to_readers(
    cache: &mut OpenCache,
    ring: &KeyRing,
    of: &ItemSubject,
    sealed: &[u8],
) -> OpenedItem {
    let subject = of.subject();
    let place = Place {
        subject: &subject,
        purpose: Purpose::Item(of.kind),
    };
    match open_to_readers(cache, ring, &place, sealed) {
        Unsealed::Plain(padded) => unpad(&padded),
        Unsealed::Malformed => OpenedItem::Malformed,
        Unsealed::NoKey => OpenedItem::NoKey,
    }
}

/// Seals an item to every member of the topic, reading or not.
pub fn seal_item_to_members(
    held: &HeldEpoch,
    of: &ItemSubject,
    plain: &[u8],
    rng: &mut Rng,
) -> Result<Vec<u8>, SealRefused> {
    let key = held.meeting().ok_or(SealRefused::NoKey)?.members_key();
    let plain = pad(plain)?;
    let fresh = Zeroizing::new(rng.array::<32>());
    // Depends on the plaintext too, for the reason given at the salt of bodies.
    let salt: [u8; 24] = kdf("salt", &[&*fresh, key.as_bytes(), &plain]);
    let mut sealed = vec![TO_MEMBERS];
    sealed.extend_from_slice(&held.epoch().prefix());
    sealed.extend_from_slice(&salt);
    sealed.extend_from_slice(&aead_seal(&item_key(&key, &salt), &associated(of), &plain));
    Ok(sealed)
}

/// Opens an item sealed to members.
#[must_use]
pub fn open_item_to_members(ring: &KeyRing, of: &ItemSubject, sealed: &[u8]) -> OpenedItem {
    let Some((prefix, salt, sealed)) = split(sealed) else {
        return OpenedItem::Malformed;
    };
    if of.topic != ring.topic() {
        return OpenedItem::Malformed;
    }
    let Some(meeting) = ring.by_prefix(prefix).and_then(HeldEpoch::meeting) else {
        return OpenedItem::NoKey;
    };
    let key = item_key(&meeting.members_key(), salt);
    match aead_open(&key, &associated(of), sealed).map(Zeroizing::new) {
        Ok(padded) => unpad(&padded),
        Err(_) => OpenedItem::Malformed,
    }
}

fn split(sealed: &[u8]) -> Option<(&[u8; 16], &[u8; 24], &[u8])> {
    let (kind, rest) = sealed.split_first()?;
    let (prefix, rest) = rest.split_first_chunk()?;
    let (salt, rest) = rest.split_first_chunk()?;
    (*kind == TO_MEMBERS).then_some((prefix, salt, rest))
}

fn item_key(key: &MembersKey, salt: &[u8; 24]) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(kdf("item", &[key.as_bytes(), salt]))
}

fn associated(of: &ItemSubject) -> [u8; 65] {
    let mut ad = [0; 65];
    let (topic, rest) = ad.split_at_mut(32);
    let (author, kind) = rest.split_at_mut(32);
    topic.copy_from_slice(of.topic.as_bytes());
    author.copy_from_slice(of.author.as_bytes());
    kind.copy_from_slice(&[of.kind]);
    ad
}

fn pad(plain: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealRefused> {
    let len = match u16::try_from(plain.len()) {
        Ok(len) if plain.len() <= MAX_ITEM_PLAIN => len,
        _ => return Err(SealRefused::ItemTooLong(plain.len())),
    };
    let full = padded_len(plain.len() + 2).clamp(MIN_ITEM_PADDED, MAX_ITEM_PADDED);
    let mut padded = Zeroizing::new(Vec::with_capacity(full));
    padded.extend_from_slice(&len.to_be_bytes());
    padded.extend_from_slice(plain);
    padded.resize(full, 0);
    Ok(padded)
}

fn unpad(padded: &[u8]) -> OpenedItem {
    let plain = || {
        let (len, rest) = padded.split_first_chunk()?;
        let (plain, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        (plain.len() <= MAX_ITEM_PLAIN && rest.iter().all(|byte| *byte == 0))
            .then(|| plain.to_vec())
    };
    plain().map_or(OpenedItem::Malformed, OpenedItem::Plain)
}
