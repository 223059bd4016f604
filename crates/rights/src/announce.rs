//! Beginning an epoch: its secret, the item that announces it, and the boxes that hand it over.
//!
//! Who is entitled in the past of the announcement is for the caller to say ([`Entitled`]). How others
//! judge it: [`Announced`](crate::Announced), [`Expected`](crate::Expected).

use std::collections::{BTreeMap, BTreeSet};

use identity::{EpochId, SealingKey, TopicId};
use machine::Rng;
use wire::limits::{MAX_BOXES, MAX_BOXES_BODY, MAX_CORE_BOXES, MAX_FOLLOWED_EPOCHS, MAX_SLICES};
use wire::{Boxes, EpochItem, EpochReason, Followed, NextEpoch, SealedTo};

use crate::access::Access;
use crate::boxes::{hints_hash, seal_box, seal_older};
use crate::epoch::{Epoch, EpochSecret, MeetingSecret, SUITE};
use crate::limits::{MAX_ENTITLED, MAX_ENTITLED_CORES, SLICE_MS};

/// What somebody may do with the content of an epoch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Portion {
    /// Reads what is written from a time on and, if the right ends, before another (ms since 1970);
    /// and writes.
    Reads {
        /// From when on.
        from: u64,
        /// Before when; nothing for a right without end.
        until: Option<u64>,
    },
    /// Writes and recognises, without reading.
    Writes,
}

/// A device, or the holder of an open invite, to which an epoch is sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entitled {
    /// Its newest sealing key.
    pub to: SealingKey,
    /// What it may do.
    pub portion: Portion,
}

/// What is to be announced.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// In which topic.
    pub topic: TopicId,
    /// When the announcing envelope claims to be made, ms since 1970.
    pub created: u64,
    /// A time at which a slice is to begin, ms since 1970: somebody's right begins or ends there.
    pub boundary: Option<u64>,
    /// All devices and open invites that are entitled in the past of the announcement.
    pub devices: &'a [Entitled],
    /// The sealing keys of the core nodes that serve the topic.
    pub cores: &'a [SealingKey],
    /// The epochs that it follows, with their meeting secrets ([`KeyRing::ends`](crate::KeyRing::ends)).
    pub follows: &'a [(EpochId, MeetingSecret)],
    /// Why.
    pub reason: EpochReason,
}

/// An epoch that was begun here and is to be announced: the item and each of the boxes in an envelope
/// of its own, in this order, by one author.
#[derive(Clone, Debug)]
pub struct NewEpoch {
    /// The announcement.
    pub item: NextEpoch,
    /// Its secret.
    pub secret: EpochSecret,
    /// The boxes, within the limits of an envelope.
    pub boxes: Vec<Boxes>,
}

/// Why an epoch could not be begun. Nothing was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BeginRefused {
    /// More devices than one announcer can seal to.
    #[error("{0} devices are entitled, an epoch is sealed to {MAX_ENTITLED} at most")]
    TooMany(usize),
    /// More core nodes than one announcer can seal to.
    #[error("{0} core nodes, an epoch is sealed to {MAX_ENTITLED_CORES} at most")]
    TooManyCores(usize),
    /// No epoch of which the meeting secret is held, or more than an item lists.
    #[error("an epoch follows 1 to {MAX_FOLLOWED_EPOCHS} others, not {0}")]
    Follows(usize),
}

/// Whether anything can be sealed to a key. Everybody leaves devices with other keys out in the same
/// way, so that no such device keeps an epoch from all the rest.
#[must_use]
pub fn can_be_sealed_to(key: &SealingKey) -> bool {
    let mut bytes = key.to_bytes();
    // The top bit of a u-coordinate is ignored (RFC 7748 §5).
    bytes[31] &= 0x7f;
    !SMALL_ORDER.contains(&bytes)
}

/// The u-coordinates of small order below 2²⁵⁵: 0, 1, two of order 8, −1, and 0 and 1 not reduced.
const SMALL_ORDER: [[u8; 32]; 7] = [
    [0; 32],
    small(0x01, 0x00, 0x00),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
    small(0xec, 0xff, 0x7f),
    small(0xed, 0xff, 0x7f),
    small(0xee, 0xff, 0x7f),
];

const fn small(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// Begins an epoch of 32 days: draws its secret, and seals to each who is entitled what it may open.
///
/// # Errors
/// [`BeginRefused`] when there are too many, or nothing to follow.
pub fn begin(call: &Call<'_>, rng: &mut Rng) -> Result<NewEpoch, BeginRefused> {
    if call.devices.len() > MAX_ENTITLED {
        return Err(BeginRefused::TooMany(call.devices.len()));
    }
    if call.cores.len() > MAX_ENTITLED_CORES {
        return Err(BeginRefused::TooManyCores(call.cores.len()));
    }
    if call.follows.is_empty() || call.follows.len() > MAX_FOLLOWED_EPOCHS {
        return Err(BeginRefused::Follows(call.follows.len()));
    }
    let secret = EpochSecret::generate(rng);
    let devices: Vec<&Entitled> = call
        .devices
        .iter()
        .filter(|device| can_be_sealed_to(&device.to))
        .collect();
    let cores: Vec<&SealingKey> = call
        .cores
        .iter()
        .filter(|key| can_be_sealed_to(key))
        .collect();
    let slices = u8::try_from(MAX_SLICES).unwrap_or(u8::MAX);
    let item = NextEpoch {
        epoch: EpochItem {
            suite: SUITE,
            start: starts(call.created, call.boundary),
            slice: SLICE_MS,
            keys: secret.slice_public(slices),
        },
        follows: followed(&secret.meeting(), call.follows),
        // At most MAX_ENTITLED and MAX_ENTITLED_CORES.
        boxes: u16::try_from(devices.len().saturating_add(cores.len())).unwrap_or(u16::MAX),
        hints: hints_hash(devices.iter().map(|device| &device.to)),
        reason: call.reason,
    };
    let of = (call.topic, item.id());
    let whole = Access::Reader(secret.clone());
    // Made three lines above, of a form that this version knows.
    let epoch = Epoch::from_next(&item).expect("an epoch of our own");
    let mut sealed = BTreeSet::new();
    for device in devices {
        let access = share(&epoch, &whole, device.portion);
        sealed.extend(seal_box(of, &device.to, &access, rng));
    }
    let core = Access::Core(secret.meeting().core());
    let served = cores.into_iter();
    let served = served.filter_map(|key| seal_box(of, key, &core, rng).ok());
    let served: BTreeSet<SealedTo> = served.collect();
    Ok(NewEpoch {
        boxes: split(of.1, sealed, served),
        item,
        secret,
    })
}

/// The greatest time up to `created` at which an epoch may begin that has a slice beginning at
/// `boundary`: less than a slice before.
fn starts(created: u64, boundary: Option<u64>) -> u64 {
    let Some(boundary) = boundary else {
        return created;
    };
    let (at, on) = (created % SLICE_MS, boundary % SLICE_MS);
    let since = (SLICE_MS + at - on) % SLICE_MS;
    created.checked_sub(since).unwrap_or(created)
}

/// What somebody gets of an epoch.
fn share(epoch: &Epoch, whole: &Access, portion: Portion) -> Access {
    let slices = match portion {
        Portion::Reads { from, until } => epoch.slices_within(from, until),
        Portion::Writes => 0..0,
    };
    if slices == (0..epoch.slices()) {
        return whole.clone();
    }
    // Only a core node's has no part.
    whole.part(slices).unwrap_or_else(|| whole.clone())
}

fn followed(newer: &MeetingSecret, older: &[(EpochId, MeetingSecret)]) -> Vec<Followed> {
    let sealed = |(epoch, meeting): &(EpochId, MeetingSecret)| {
        let sealed = seal_older(newer, *epoch, meeting).try_into().ok();
        Some((*epoch, sealed?))
    };
    let sealed: BTreeMap<EpochId, [u8; 48]> = older.iter().filter_map(sealed).collect();
    let each = sealed.into_iter();
    each.map(|(epoch, meeting)| Followed { epoch, meeting })
        .collect()
}

/// Bytes of one box on the wire beside what is sealed, at most: `[hint, enc, sealed]`.
const AROUND_BOX: usize = 48;
/// Bytes of a body with boxes beside them, at most.
const AROUND_BOXES: usize = 128;

/// Boxes in as few envelopes as they fit, each list ascending.
fn split(epoch: EpochId, devices: BTreeSet<SealedTo>, cores: BTreeSet<SealedTo>) -> Vec<Boxes> {
    let none = || Boxes {
        epoch,
        devices: Vec::new(),
        cores: Vec::new(),
    };
    let mut all = Vec::new();
    let (mut boxes, mut bytes) = (none(), AROUND_BOXES);
    let devices = devices.into_iter().map(|sealed| (sealed, false));
    for (sealed, core) in devices.chain(cores.into_iter().map(|sealed| (sealed, true))) {
        let more = AROUND_BOX + sealed.sealed.len();
        let full = if core {
            boxes.cores.len() == MAX_CORE_BOXES
        } else {
            boxes.devices.len() == MAX_BOXES
        };
        if full || bytes + more > MAX_BOXES_BODY {
            all.push(core::mem::replace(&mut boxes, none()));
            bytes = AROUND_BOXES;
        }
        bytes += more;
        if core {
            boxes.cores.push(sealed);
        } else {
            boxes.devices.push(sealed);
        }
    }
    if !boxes.devices.is_empty() || !boxes.cores.is_empty() {
        all.push(boxes);
    }
    all
}
