//! Who supplies the secrets of epochs.

use machine::Rng;

use crate::announce::{BeginRefused, Call, NewEpoch, Portion, begin};
use crate::announced::{Announced, Learnt};
use crate::keyring::KeyRing;
use crate::sealing::SealingKeys;

/// Supplies the secrets of epochs. Today the announcer draws one and seals it to everybody
/// ([`Drawn`]); a group key agreement takes this place. What an epoch is, which one is written under
/// and what is kept of it does not depend on it.
pub trait EpochSource {
    /// Begins an epoch: its announcement, its secret, and what hands it over.
    ///
    /// # Errors
    /// [`BeginRefused`] when it cannot be begun; nothing was changed.
    fn begin(&mut self, call: &Call<'_>, rng: &mut Rng) -> Result<NewEpoch, BeginRefused>;

    /// What this device has of an epoch that somebody announced and that the ring knows, where it may
    /// do this much with it.
    fn learn(
        &self,
        ring: &KeyRing,
        announced: &Announced,
        own: &SealingKeys,
        portion: Portion,
    ) -> Learnt;
}

/// The announcer draws the secret alone: a broken generator there exposes that epoch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Drawn;

impl EpochSource for Drawn {
    fn begin(&mut self, call: &Call<'_>, rng: &mut Rng) -> Result<NewEpoch, BeginRefused> {
        begin(call, rng)
    }

    fn learn(
        &self,
        ring: &KeyRing,
        announced: &Announced,
        own: &SealingKeys,
        portion: Portion,
    ) -> Learnt {
        announced.learn(ring, own, portion)
    }
}
