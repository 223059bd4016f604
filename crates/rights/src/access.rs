//! How much of an epoch somebody holds.

use std::collections::{BTreeMap, BTreeSet};

use core::ops::Range;
use identity::seal::hpke::HpkeSecret;
use wire::limits::MAX_SLICES;
use zeroize::Zeroizing;

use crate::epoch::{CoreSecret, EpochSecret, MeetingSecret, SliceSeed};

/// How much of an epoch's secret somebody gets or holds: the payload of an invite, of a box, of an
/// answer with keys, of a row in the node's vault.
///
/// ```text
/// 1 ‖ E                              reads all
/// 2 ‖ M ‖ n u8 ‖ n × (i u8 ‖ s_i)    member, reads the slices named, ascending, 1 to 32
/// 3 ‖ M                              member, writes only
/// 4 ‖ C                              serving core
/// ```
#[derive(Clone, Debug)]
pub enum Access {
    /// Reads everything of the epoch.
    Reader(EpochSecret),
    /// Recognises the topic and writes, and reads some slices.
    Slices(MeetingSecret, BTreeMap<u8, SliceSeed>),
    /// Recognises the topic and writes, without reading.
    Member(MeetingSecret),
    /// Serves the topic, without recognising members or opening anything.
    Core(CoreSecret),
}

/// Why an access could not be taken. The sender's fault; nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessRefused {
    /// Not of the form of any kind that this version knows.
    #[error("a payload that is no access to an epoch")]
    Malformed,
    /// The keys derived from the secret are not those that the epoch announced: whoever handed
    /// it over deceives, or errs.
    #[error("a secret that does not fit the keys that the epoch announced")]
    Mismatch,
    /// The ring has no such epoch.
    #[error("a secret for an epoch that the topic does not have")]
    NoSuchEpoch,
}

impl Access {
    /// Length of the encoding, but for an access to some slices.
    pub const BYTES: usize = 33;

    /// Longest encoding: of an access to as many slices as an epoch has.
    pub const MAX_BYTES: usize = Self::BYTES + 1 + MAX_SLICES * 33;

    /// The encoding, for a box or a sealed row.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let (kind, secret) = match self {
            Self::Reader(secret) => (1, secret.as_bytes()),
            Self::Slices(meeting, _) => (2, meeting.as_bytes()),
            Self::Member(secret) => (3, secret.as_bytes()),
            Self::Core(secret) => (4, secret.as_bytes()),
        };
        // No longer than this, so that no copy is left behind where it grew.
        let mut bytes = Zeroizing::new(Vec::with_capacity(Self::MAX_BYTES));
        bytes.push(kind);
        bytes.extend_from_slice(secret);
        if let Self::Slices(_, seeds) = self {
            // One key a slice, and slices are numbers of 8 bits.
            bytes.push(u8::try_from(seeds.len()).unwrap_or(u8::MAX));
            for (slice, seed) in seeds {
                bytes.push(*slice);
                bytes.extend_from_slice(seed.as_bytes());
            }
        }
        bytes
    }

    /// Reads the encoding; refuses everything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AccessRefused> {
        let (kind, rest) = bytes.split_first().ok_or(AccessRefused::Malformed)?;
        let (secret, rest) = rest
            .split_first_chunk::<32>()
            .ok_or(AccessRefused::Malformed)?;
        if *kind == 2 {
            let seeds = read_seeds(rest).ok_or(AccessRefused::Malformed)?;
            return Ok(Self::Slices(MeetingSecret::from_bytes(*secret), seeds));
        }
        match kind {
            1 if rest.is_empty() => Ok(Self::Reader(EpochSecret::from_bytes(*secret))),
            3 if rest.is_empty() => Ok(Self::Member(MeetingSecret::from_bytes(*secret))),
            4 if rest.is_empty() => Ok(Self::Core(CoreSecret::from_bytes(*secret))),
            _ => Err(AccessRefused::Malformed),
        }
    }

    /// E, if this access includes it.
    #[must_use]
    pub const fn epoch_secret(&self) -> Option<&EpochSecret> {
        match self {
            Self::Reader(secret) => Some(secret),
            Self::Slices(..) | Self::Member(_) | Self::Core(_) => None,
        }
    }

    /// The private key of a slice, if this access opens it.
    #[must_use]
    pub fn slice_key(&self, slice: u8) -> Option<HpkeSecret> {
        match self {
            Self::Reader(secret) => Some(secret.slice_key(slice)),
            Self::Slices(_, seeds) => Some(seeds.get(&slice)?.key()),
            Self::Member(_) | Self::Core(_) => None,
        }
    }

    /// Whether this access opens a slice.
    #[must_use]
    pub fn opens(&self, slice: u8) -> bool {
        match self {
            Self::Reader(_) => true,
            Self::Slices(_, seeds) => seeds.contains_key(&slice),
            Self::Member(_) | Self::Core(_) => false,
        }
    }

    /// The last slice that is named one by one.
    pub(crate) fn last_slice(&self) -> Option<u8> {
        match self {
            Self::Slices(_, seeds) => seeds.last_key_value().map(|(slice, _)| *slice),
            _ => None,
        }
    }

    /// M, if this access includes it.
    #[must_use]
    pub fn meeting(&self) -> Option<MeetingSecret> {
        match self {
            Self::Reader(secret) => Some(secret.meeting()),
            Self::Slices(secret, _) | Self::Member(secret) => Some(secret.clone()),
            Self::Core(_) => None,
        }
    }

    /// C: every access includes it.
    #[must_use]
    pub fn core(&self) -> CoreSecret {
        match self {
            Self::Reader(secret) => secret.meeting().core(),
            Self::Slices(secret, _) | Self::Member(secret) => secret.core(),
            Self::Core(secret) => secret.clone(),
        }
    }

    /// As much of this access as opens these slices and no other: what is handed to whom may read a
    /// part. Without any of them it is a member's. Nothing where this is a core node's.
    #[must_use]
    pub fn part(&self, slices: Range<u8>) -> Option<Self> {
        self.only(&slices.take(MAX_SLICES).collect())
    }

    /// The same for slices that need not follow one another.
    pub(crate) fn only(&self, slices: &BTreeSet<u8>) -> Option<Self> {
        let meeting = self.meeting()?;
        let seeds: BTreeMap<u8, SliceSeed> = match self {
            Self::Reader(secret) => slices
                .iter()
                .map(|slice| (*slice, secret.slice_seed(*slice)))
                .collect(),
            Self::Slices(_, seeds) => seeds
                .iter()
                .filter(|(slice, _)| slices.contains(slice))
                .map(|(slice, seed)| (*slice, seed.clone()))
                .collect(),
            Self::Member(_) | Self::Core(_) => BTreeMap::new(),
        };
        Some(if seeds.is_empty() {
            Self::Member(meeting)
        } else {
            Self::Slices(meeting, seeds)
        })
    }

    /// This access and another one of the same epoch together; both were checked.
    pub(crate) fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Slices(meeting, mut seeds), Self::Slices(_, more)) => {
                seeds.extend(more);
                Self::Slices(meeting, seeds)
            }
            (old, new) if old.rank() < new.rank() => new,
            (old, _) => old,
        }
    }

    /// How much it is: a greater access includes a smaller one.
    const fn rank(&self) -> u8 {
        match self {
            Self::Core(_) => 1,
            Self::Member(_) => 2,
            Self::Slices(..) => 3,
            Self::Reader(_) => 4,
        }
    }
}

/// A count, and as many slices with their seeds, ascending; nothing else.
fn read_seeds(bytes: &[u8]) -> Option<BTreeMap<u8, SliceSeed>> {
    let (count, mut rest) = bytes.split_first()?;
    if *count == 0 || usize::from(*count) > MAX_SLICES {
        return None;
    }
    let mut seeds = BTreeMap::new();
    for _ in 0..*count {
        let ([slice], after) = rest.split_first_chunk::<1>()?;
        let (seed, after) = after.split_first_chunk::<32>()?;
        rest = after;
        let ascends = seeds.last_key_value().is_none_or(|(last, _)| last < slice);
        if !ascends || usize::from(*slice) >= MAX_SLICES {
            return None;
        }
        seeds.insert(*slice, SliceSeed::from_bytes(*seed));
    }
    rest.is_empty().then_some(seeds)
}
