//! Epochs: a secret, the keys derived from it, and who holds how much of it.
//!
//! ```text
//!   E ──► slice seeds s_i ──► (sk_i, pk_i)     E: reader. Opens every slice, and all below.
//!   │                                          s_i: opens one slice. Sealed with M to who reads a part.
//!   └───► M ──► K                              M: member. Recognises, opens the cores' list.
//!         └───► C                              C: core. Proves that it serves the topic.
//! ```
//!
//! The public part is announced: today in the genesis, one epoch with one slice without end; later
//! in control items. Whoever gets a secret derives what the announcement lists and compares, so a
//! false secret is noticed at once and two readers never see two plaintexts.

use core::ops::Range;

use identity::seal::hpke::{HpkeSecret, derive_key_pair};
use identity::seal::kdf;
use identity::{EpochId, SealingKey};
use machine::Rng;
use wire::limits::MAX_SLICES;

use crate::access::{Access, AccessRefused};
use crate::secret::secret;

secret! {
    /// E: the secret of an epoch. Its holder reads everything of the epoch.
    pub EpochSecret
}

secret! {
    /// s_i: the seed of one slice's keys. Its holder reads what was sealed in this slice.
    pub SliceSeed
}

secret! {
    /// M: the meeting secret. Every member holds it; with it peers recognise a common topic.
    pub MeetingSecret
}

secret! {
    /// C: the core secret. With it a core node is found and proved; it opens nothing.
    pub CoreSecret
}

secret! {
    /// K: the members' key, for items sealed to members.
    pub MembersKey
}

impl EpochSecret {
    /// A fresh secret. The one who announces an epoch draws it alone.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        Self::from_bytes(rng.array())
    }

    /// The secret of a public topic's one epoch: no secret to whoever has the genesis with these random
    /// bytes.
    #[must_use]
    pub fn of_public(random: &[u8; 32]) -> Self {
        Self::from_bytes(kdf("public epoch", &[random]))
    }

    /// The meeting secret of the epoch.
    #[must_use]
    pub fn meeting(&self) -> MeetingSecret {
        MeetingSecret::from_bytes(kdf("meet", &[self.as_bytes()]))
    }

    /// The seed of a slice's keys: all that somebody needs who reads this slice and no other.
    #[must_use]
    pub fn slice_seed(&self, slice: u8) -> SliceSeed {
        SliceSeed::from_bytes(kdf("slice", &[self.as_bytes(), &[slice]]))
    }

    /// The private key of a slice.
    #[must_use]
    pub fn slice_key(&self, slice: u8) -> HpkeSecret {
        self.slice_seed(slice).key()
    }

    /// The public keys of the first `slices` slices: what an announcement lists.
    #[must_use]
    pub fn slice_public(&self, slices: u8) -> Vec<SealingKey> {
        (0..slices)
            .map(|slice| self.slice_key(slice).public())
            .collect()
    }
}

impl SliceSeed {
    /// The private key of the slice: DeriveKeyPair of RFC 9180 §7.1.3.
    #[must_use]
    pub fn key(&self) -> HpkeSecret {
        derive_key_pair(self.as_bytes()).0
    }
}

impl MeetingSecret {
    /// The secret that the core nodes of the topic share.
    #[must_use]
    pub fn core(&self) -> CoreSecret {
        CoreSecret::from_bytes(kdf("core", &[self.as_bytes()]))
    }

    /// X: what the keys of blocks are derived with, beside their bytes (docs/spec/files.md, 1). Equal
    /// content makes equal blocks where it is shared under one epoch, and nowhere else.
    #[must_use]
    pub fn convergence(&self) -> identity::Secret {
        identity::Secret::from_bytes(kdf("convergence", &[self.as_bytes()]))
    }

    /// The key of items sealed to members.
    #[must_use]
    pub fn members_key(&self) -> MembersKey {
        MembersKey::from_bytes(kdf("members", &[self.as_bytes()]))
    }
}

/// The public part of an epoch, as announced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Epoch {
    id: EpochId,
    start: u64,
    slice_ms: u64,
    keys: Vec<SealingKey>,
}

/// Why an announced epoch cannot be used. Whoever announced it erred; nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EpochRefused {
    /// A suite that this version does not know.
    #[error("suite {0} is unknown here")]
    Suite(u8),
    /// No slice, more than [`MAX_SLICES`], or several slices without a length.
    #[error("an epoch with {0} slices of {1} ms")]
    Slices(usize, u64),
    /// The genesis says that the topic is public, and its epoch is not the one that follows from it.
    #[error("a public topic whose keys do not follow from its genesis")]
    NotPublic,
}

/// The suite of RFC 9180 that this version speaks: X25519, HKDF-SHA256, ChaCha20-Poly1305.
pub const SUITE: u8 = 1;

impl Epoch {
    /// The epoch that an item announces.
    pub fn from_item(item: &wire::EpochItem) -> Result<Self, EpochRefused> {
        if item.suite != SUITE {
            return Err(EpochRefused::Suite(item.suite));
        }
        let count = item.keys.len();
        if count == 0 || count > MAX_SLICES || (item.slice == 0 && count != 1) {
            return Err(EpochRefused::Slices(count, item.slice));
        }
        Ok(Self {
            id: item.id(),
            start: item.start,
            slice_ms: item.slice,
            keys: item.keys.clone(),
        })
    }

    /// The item that announces an epoch of this secret with one slice without end, from `start` (ms
    /// since 1970) on.
    #[must_use]
    pub fn announce(secret: &EpochSecret, start: u64) -> wire::EpochItem {
        wire::EpochItem {
            suite: SUITE,
            start,
            slice: 0,
            keys: secret.slice_public(1),
        }
    }

    /// The first epoch of a topic. That of a public one has to be what follows from the genesis, so
    /// that all who have that read the same.
    pub fn of_genesis(genesis: &wire::Genesis) -> Result<Self, EpochRefused> {
        let item = &genesis.epoch;
        let epoch = Self::from_item(item)?;
        let follows = || {
            let secret = EpochSecret::of_public(&genesis.random);
            *item == Self::announce(&secret, item.start)
        };
        if genesis.policy.public && !follows() {
            return Err(EpochRefused::NotPublic);
        }
        Ok(epoch)
    }

    /// The epoch that an item announces which follows others.
    pub fn from_next(item: &wire::NextEpoch) -> Result<Self, EpochRefused> {
        Ok(Self {
            id: item.id(),
            ..Self::from_item(&item.epoch)?
        })
    }

    /// When it begins, ms since 1970.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The length of a slice in ms; 0 is one slice without end.
    #[must_use]
    pub const fn slice_ms(&self) -> u64 {
        self.slice_ms
    }

    /// How many slices there are, from 1 to [`MAX_SLICES`].
    #[must_use]
    pub fn slices(&self) -> u8 {
        u8::try_from(self.keys.len()).unwrap_or(u8::MAX)
    }

    /// The slices that somebody may read whose right is from `from` on, and before `until` where it
    /// ends (ms since 1970): those whose time lies wholly within. A right that begins or ends
    /// within a slice opens nothing of that slice; so whoever grants one begins an epoch that has a
    /// boundary there. The last slice takes all that comes after it and so has no end: it lies within
    /// a right without end alone. The first one also takes what claims to be older than the epoch,
    /// though it was sealed when there was the epoch.
    #[must_use]
    pub fn slices_within(&self, from: u64, until: Option<u64>) -> Range<u8> {
        let count = self.slices();
        let last = count.saturating_sub(1);
        let slices = |n: u64| u8::try_from(n).unwrap_or(u8::MAX);
        let since = from.saturating_sub(self.start);
        let first = match self.slice_ms {
            0 if since > 0 => count,
            0 => 0,
            slice => slices(since.div_ceil(slice)).min(count),
        };
        let end = until.map_or(count, |until| {
            let lasts = until.saturating_sub(self.start);
            slices(lasts.checked_div(self.slice_ms).unwrap_or(0)).min(last)
        });
        first..end.max(first)
    }

    /// The epoch's id: kdf("epoch", bytes of the item).
    #[must_use]
    pub const fn id(&self) -> EpochId {
        self.id
    }

    /// The first half of the id, which names the epoch in sealed bodies.
    #[must_use]
    pub fn prefix(&self) -> [u8; 16] {
        crate::secret::first(self.id.as_bytes())
    }

    /// The slice of an envelope that claims to be created then (ms since 1970). Times before the
    /// epoch fall into the first slice, times after it into the last.
    #[must_use]
    pub fn slice_of(&self, created: u64) -> u8 {
        // There are 1 to 32 keys, so the last index fits.
        let last = u8::try_from(self.keys.len().saturating_sub(1)).unwrap_or(u8::MAX);
        let since = created.saturating_sub(self.start);
        // A slice length of zero is one slice without end.
        let slice = since.checked_div(self.slice_ms).unwrap_or(0);
        u8::try_from(slice).unwrap_or(u8::MAX).min(last)
    }

    /// The public key of a slice, if there is such a slice.
    #[must_use]
    pub fn slice_key(&self, slice: u8) -> Option<&SealingKey> {
        self.keys.get(usize::from(slice))
    }

    /// The slices whose time ends after `time` (ms since 1970). The last one takes all that comes
    /// later, so it has no end.
    pub(crate) fn slices_ending_after(&self, time: u64) -> Range<u8> {
        let last = self.slices().saturating_sub(1);
        let over = time.saturating_sub(self.start).checked_div(self.slice_ms);
        let first = u8::try_from(over.unwrap_or(0)).unwrap_or(u8::MAX).min(last);
        first..self.slices()
    }

    /// Whether the time of the last slice, as far as it has one, ended by `time` (ms since 1970).
    pub(crate) fn last_over(&self, time: u64) -> bool {
        let lasts = self.slice_ms.saturating_mul(u64::from(self.slices()));
        self.start.saturating_add(lasts) <= time
    }

    /// Whether an access can be judged and fits: what it opens is compared with the announced keys. M
    /// and C leave no public trace, so that they fit shows only when they are used.
    pub fn check(&self, access: &Access) -> Result<(), AccessRefused> {
        // At most MAX_SLICES keys, 39 µs each.
        let fits = |slice: u8| {
            let opened = access.slice_key(slice).map(|key| key.public());
            opened.is_none_or(|public| self.slice_key(slice) == Some(&public))
        };
        let beyond = access
            .last_slice()
            .is_some_and(|last| last >= self.slices());
        if !beyond && (0..self.slices()).all(fits) {
            Ok(())
        } else {
            Err(AccessRefused::Mismatch)
        }
    }
}
