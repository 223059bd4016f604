//! Epochs: a secret, the keys derived from it, and who holds how much of it.
//!
//! ```text
//!   E ──► slice seeds s_i ──► (sk_i, pk_i)     E: reader. Opens every slice, and all below.
//!   └───► M ──► K                              M: member. Recognises, opens the cores' list.
//!         └───► C                              C: core. Proves that it serves the topic.
//! ```
//!
//! The public part is announced: today in the genesis, one epoch with one slice without end; later
//! in control items. Whoever gets a secret derives what the announcement lists and compares, so a
//! false secret is noticed at once and two readers never see two plaintexts.

use identity::seal::hpke::{HpkeSecret, derive_key_pair};
use identity::seal::kdf;
use identity::{EpochId, SealingKey};
use machine::Rng;
use wire::limits::MAX_SLICES;
use zeroize::Zeroizing;

use crate::secret::secret;

secret! {
    /// E: the secret of an epoch. Its holder reads everything of the epoch.
    pub EpochSecret
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

    /// The meeting secret of the epoch.
    #[must_use]
    pub fn meeting(&self) -> MeetingSecret {
        MeetingSecret::from_bytes(kdf("meet", &[self.as_bytes()]))
    }

    /// The private key of a slice.
    #[must_use]
    pub fn slice_key(&self, slice: u8) -> HpkeSecret {
        let seed = Zeroizing::new(kdf::<32>("slice", &[self.as_bytes(), &[slice]]));
        derive_key_pair(&seed).0
    }

    /// The public keys of the first `slices` slices: what an announcement lists.
    #[must_use]
    pub fn slice_public(&self, slices: u8) -> Vec<SealingKey> {
        (0..slices)
            .map(|slice| self.slice_key(slice).public())
            .collect()
    }
}

impl MeetingSecret {
    /// The secret that the core nodes of the topic share.
    #[must_use]
    pub fn core(&self) -> CoreSecret {
        CoreSecret::from_bytes(kdf("core", &[self.as_bytes()]))
    }

    /// The key of items sealed to members.
    #[must_use]
    pub fn members_key(&self) -> MembersKey {
        MembersKey::from_bytes(kdf("members", &[self.as_bytes()]))
    }
}

/// How much of an epoch's secret somebody gets or holds: the payload of an invite, of a box, of a
/// row in the node's vault.
///
/// ```text
/// 1 ‖ E      reads all        3 ‖ M      member, writes only        4 ‖ C      serving core
/// ```
///
/// 2 is reserved for readers of an interval.
#[derive(Clone, Debug)]
pub enum Access {
    /// Reads everything of the epoch.
    Reader(EpochSecret),
    /// Recognises the topic and writes, without reading.
    Member(MeetingSecret),
    /// Serves the topic, without recognising members or opening anything.
    Core(CoreSecret),
}

/// Why an access could not be taken. The sender's fault; nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessRefused {
    /// Not 33 bytes, or of a kind that this version does not know.
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
    /// Length of the encoding.
    pub const BYTES: usize = 33;

    /// The encoding, for a box or a sealed row.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let (kind, secret) = match self {
            Self::Reader(secret) => (1, secret.as_bytes()),
            Self::Member(secret) => (3, secret.as_bytes()),
            Self::Core(secret) => (4, secret.as_bytes()),
        };
        let mut bytes = Zeroizing::new(Vec::with_capacity(Self::BYTES));
        bytes.push(kind);
        bytes.extend_from_slice(secret);
        bytes
    }

    /// Reads the encoding; refuses everything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, AccessRefused> {
        let (kind, secret) = bytes.split_first().ok_or(AccessRefused::Malformed)?;
        let secret: Zeroizing<[u8; 32]> =
            Zeroizing::new(secret.try_into().map_err(|_| AccessRefused::Malformed)?);
        match kind {
            1 => Ok(Self::Reader(EpochSecret::from_bytes(*secret))),
            3 => Ok(Self::Member(MeetingSecret::from_bytes(*secret))),
            4 => Ok(Self::Core(CoreSecret::from_bytes(*secret))),
            _ => Err(AccessRefused::Malformed),
        }
    }

    /// E, if this access includes it.
    #[must_use]
    pub fn epoch_secret(&self) -> Option<&EpochSecret> {
        match self {
            Self::Reader(secret) => Some(secret),
            Self::Member(_) | Self::Core(_) => None,
        }
    }

    /// M, if this access includes it.
    #[must_use]
    pub fn meeting(&self) -> Option<MeetingSecret> {
        match self {
            Self::Reader(secret) => Some(secret.meeting()),
            Self::Member(secret) => Some(secret.clone()),
            Self::Core(_) => None,
        }
    }

    /// C: every access includes it.
    #[must_use]
    pub fn core(&self) -> CoreSecret {
        match self {
            Self::Reader(secret) => secret.meeting().core(),
            Self::Member(secret) => secret.core(),
            Self::Core(secret) => secret.clone(),
        }
    }

    /// How much it is: a greater access includes a smaller one.
    pub(crate) const fn rank(&self) -> u8 {
        match self {
            Self::Core(_) => 1,
            Self::Member(_) => 2,
            Self::Reader(_) => 3,
        }
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

    /// Whether an access can be judged and fits: E is compared with every announced key. M and C
    /// leave no public trace, so that they fit shows only when they are used.
    pub fn check(&self, access: &Access) -> Result<(), AccessRefused> {
        let Some(secret) = access.epoch_secret() else {
            return Ok(());
        };
        // At most MAX_SLICES keys, 39 µs each.
        let fits = self
            .keys
            .iter()
            .zip(0u8..)
            .all(|(key, i)| secret.slice_key(i).public() == *key);
        if fits {
            Ok(())
        } else {
            Err(AccessRefused::Mismatch)
        }
    }
}
