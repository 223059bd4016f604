//! The keys to which epochs are sealed for one device in one topic, and when they turn.
//!
//! A box that somebody recorded opens for whoever gets the private key later. So a device announces a
//! new key within a day of having opened a box, and destroys the old one after two weeks: boxes that it
//! has missed by then come as `keys` from other readers (docs/spec/secrecy.md).

use identity::SealingKey;
use identity::seal::hpke::HpkeSecret;
use machine::Rng;
use zeroize::Zeroizing;

use crate::limits::{MAX_SEALING_SECRETS, SEALING_KEPT_MS, SEALING_TURN_MS};

/// One key pair of a device, from its announcement to its destruction.
#[derive(Clone, Debug)]
struct Pair {
    secret: HpkeSecret,
    /// When something sealed to it was opened first, ms since 1970.
    used: Option<u64>,
    /// When the next one was announced, ms since 1970.
    replaced: Option<u64>,
}

/// The sealing keys of one device in one topic, the newest last. Never empty.
#[derive(Clone, Debug)]
pub struct SealingKeys {
    older: Vec<Pair>,
    newest: Pair,
}

impl SealingKeys {
    /// The first key: derived from the device key or drawn, as the caller decides.
    #[must_use]
    pub const fn new(secret: HpkeSecret) -> Self {
        Self {
            older: Vec::new(),
            newest: Pair {
                secret,
                used: None,
                replaced: None,
            },
        }
    }

    /// A key beside the first, which others may have sealed to before they knew of that: of the invite
    /// by which the device has come. It is destroyed as one that was replaced at `now` (ms since 1970).
    #[must_use]
    pub fn beside(mut self, secret: HpkeSecret, now: u64) -> Self {
        self.older.push(Pair {
            secret,
            used: None,
            // A row says 0 where there is no time.
            replaced: Some(now.max(1)),
        });
        self
    }

    /// The key that others seal to.
    #[must_use]
    pub fn public(&self) -> SealingKey {
        self.newest.secret.public()
    }

    /// The private keys that still open something, the newest first.
    pub fn secrets(&self) -> impl Iterator<Item = &HpkeSecret> {
        let older = self.older.iter().rev();
        core::iter::once(&self.newest)
            .chain(older)
            .map(|pair| &pair.secret)
    }

    /// Notes that something sealed to a key was opened, at `now` (ms since 1970). Says whether the row
    /// in the vault is to be written anew.
    pub fn opened(&mut self, key: &SealingKey, now: u64) -> bool {
        let newest = &mut self.newest;
        let first = newest.used.is_none() && newest.secret.public() == *key;
        if first {
            newest.used = Some(now.max(1));
        }
        first
    }

    /// When the newest key is to be replaced, ms since 1970: nothing before it has opened a box.
    #[must_use]
    pub fn turn_due(&self) -> Option<u64> {
        Some(self.newest.used?.saturating_add(SEALING_TURN_MS))
    }

    /// Draws the next key, to be announced; the old one opens for [`SEALING_KEPT_MS`] more. Beyond
    /// [`MAX_SEALING_SECRETS`] the oldest is destroyed at once.
    pub fn turn(&mut self, now: u64, rng: &mut Rng) -> SealingKey {
        let next = Pair {
            secret: HpkeSecret::generate(rng),
            used: None,
            replaced: None,
        };
        let mut old = core::mem::replace(&mut self.newest, next);
        // A row says 0 where there is no time.
        old.replaced = Some(now.max(1));
        self.older.push(old);
        let beyond = self.older.len().saturating_sub(MAX_SEALING_SECRETS - 1);
        self.older.drain(..beyond);
        self.public()
    }

    /// Destroys what was replaced long enough ago, at `now` (ms since 1970) by a clock that may be
    /// relied on: [`SEALING_KEPT_MS`] ago, or `history` if that is shorter, since a box holds what
    /// opens old content. Says whether anything changed, so that the row in the vault is written anew.
    ///
    /// What a wrong clock noted for the future is taken to be of now, so that no key outlives its time
    /// for it.
    pub fn forget(&mut self, now: u64, history: Option<u64>) -> bool {
        let mut changed = false;
        let newest = core::iter::once(&mut self.newest);
        for pair in self.older.iter_mut().chain(newest) {
            for time in [&mut pair.used, &mut pair.replaced] {
                if time.is_some_and(|time| time > now) {
                    *time = Some(now.max(1));
                    changed = true;
                }
            }
        }
        let before = self.older.len();
        let kept = kept_for(history);
        self.older.retain(|pair| {
            let replaced = pair.replaced.unwrap_or(now);
            replaced.saturating_add(kept) > now
        });
        changed || self.older.len() < before
    }

    /// When [`Self::forget`] has something to destroy, ms since 1970.
    #[must_use]
    pub fn forget_due(&self, history: Option<u64>) -> Option<u64> {
        let ends = self.older.iter().filter_map(|pair| pair.replaced);
        ends.min().map(|at| at.saturating_add(kept_for(history)))
    }

    /// For a sealed row of the vault: 48 bytes a key, the oldest first.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SEALING_SECRETS * PAIR_BYTES));
        for pair in self.older.iter().chain([&self.newest]) {
            bytes.extend_from_slice(&*pair.secret.to_bytes());
            bytes.extend_from_slice(&pair.used.unwrap_or(0).to_be_bytes());
            bytes.extend_from_slice(&pair.replaced.unwrap_or(0).to_be_bytes());
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; nothing for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (pairs, rest) = bytes.as_chunks::<PAIR_BYTES>();
        if !rest.is_empty() || pairs.len() > MAX_SEALING_SECRETS {
            return None;
        }
        let mut pairs: Vec<Pair> = pairs.iter().filter_map(read_pair).collect();
        let newest = pairs.pop().filter(|newest| newest.replaced.is_none())?;
        let whole = pairs.iter().all(|pair| pair.replaced.is_some());
        whole.then_some(Self {
            older: pairs,
            newest,
        })
    }
}

const PAIR_BYTES: usize = 48;

/// How long a replaced key is kept, in ms, where that much history (ms) is.
fn kept_for(history: Option<u64>) -> u64 {
    history.unwrap_or(u64::MAX).min(SEALING_KEPT_MS)
}

fn read_pair(bytes: &[u8; PAIR_BYTES]) -> Option<Pair> {
    let (secret, rest) = bytes.split_first_chunk::<32>()?;
    let (used, replaced) = rest.split_first_chunk::<8>()?;
    let time = |bytes: &[u8; 8]| Some(u64::from_be_bytes(*bytes)).filter(|time| *time > 0);
    Some(Pair {
        secret: HpkeSecret::from_bytes(*secret),
        used: time(used),
        replaced: time(replaced.first_chunk::<8>()?),
    })
}
