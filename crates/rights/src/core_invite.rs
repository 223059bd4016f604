//! An operator's invite: whoever shows it on a link becomes a client of the core node.
//!
//! ```text
//! token = kdf("core invite", seed)[0..16]
//! mac   = mac(kdf("core invite key", seed), L)
//! ```
//!
//! The core node keeps token and key, never the seed: its store gives no link away. The mac holds
//! for one link alone, so a claim that was overheard or passed on is worth nothing.
//!
//! A pre-shared key is the same with a seed that both sides were given beforehand. It is 16 random
//! bytes and never a password: whoever has met a token can try seeds as fast as it hashes.

use identity::seal::{kdf, mac, same};
use machine::Rng;
use wire::Frame;
use zeroize::Zeroizing;

use crate::link::LinkSecret;
use crate::secret::{first, secret};

secret! {
    /// The key of an operator's invite: what a core node keeps under its token, in a sealed row.
    pub CoreInviteKey
}

/// The seed of an operator's link.
#[derive(Clone)]
pub struct CoreInviteSeed(Zeroizing<[u8; 16]>);

impl core::fmt::Debug for CoreInviteSeed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CoreInviteSeed(..)")
    }
}

impl PartialEq for CoreInviteSeed {
    /// In the same time wherever they differ.
    fn eq(&self, other: &Self) -> bool {
        same(&*self.0, &*other.0)
    }
}

impl Eq for CoreInviteSeed {}

impl CoreInviteSeed {
    /// A fresh seed.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        Self(Zeroizing::new(rng.array()))
    }

    /// The seed of a link, or a pre-shared key.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the link or the file of the key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Names the invite to the core node.
    #[must_use]
    pub fn token(&self) -> [u8; 16] {
        first(&kdf("core invite", &[&*self.0]))
    }

    /// What the core node keeps.
    #[must_use]
    pub fn key(&self) -> CoreInviteKey {
        CoreInviteKey::from_bytes(kdf("core invite key", &[&*self.0]))
    }

    /// The frame that takes up the invite on this link.
    #[must_use]
    pub fn claim(&self, link: &LinkSecret) -> Frame {
        Frame::CoreClaim {
            token: self.token(),
            mac: self.key().mac(link),
        }
    }
}

impl CoreInviteKey {
    /// Whether the peer at the other end holds the invite's seed.
    #[must_use]
    pub fn verify(&self, link: &LinkSecret, shown: &[u8; 32]) -> bool {
        same(&self.mac(link), shown)
    }

    /// What the holder of the invite sends on this link, for a client that keeps the key instead of
    /// the seed.
    #[must_use]
    pub fn mac(&self, link: &LinkSecret) -> [u8; 32] {
        mac(self.as_bytes(), &[link.bytes()])
    }
}
