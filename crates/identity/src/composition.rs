//! Compositions: several devices that act as one, and how many of them it takes.
//!
//! A person with a phone and a laptop, or three owners of a topic of whom two decide. Its id is the
//! hash of its first form and stays when the form changes; what changes it is an act (the item of
//! `wire`). A form here is always legal: [`Form::new`] and its like are the only ways to one.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::id::{Id, Kind, Scheme};
use crate::limits::{MAX_DEVICES, SHARES};
use crate::names::{ActId, PublicKey};
use crate::seal;

/// A device of a composition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Device {
    /// Its key.
    pub key: PublicKey,
    /// How much of the composition's budget it may spend, in parts of [`SHARES`], from 1.
    pub share: u16,
}

/// Who acts as one, and how many of them it takes: 1 to [`MAX_DEVICES`] devices, strictly ascending
/// by key, whose shares sum to [`SHARES`], and a threshold from 1 to their number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Form {
    devices: Vec<Device>,
    threshold: u8,
}

/// Why parts are no form. The fault of whoever chose them; nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum FormError {
    /// There is no device.
    #[error("a composition needs a device")]
    NoDevice,
    /// There are more than [`MAX_DEVICES`].
    #[error("a composition has at most {MAX_DEVICES} devices")]
    TooMany,
    /// A device comes twice, or they are not in ascending order.
    #[error("the devices of a composition are not in strictly ascending order")]
    Order,
    /// A share is zero.
    #[error("a device of a composition has no share")]
    NoShare,
    /// The shares do not sum to [`SHARES`].
    #[error("the shares of a composition do not sum to {SHARES}")]
    Sum,
    /// The threshold is zero or above the number of devices.
    #[error("a composition can never be signed for by as many devices as it asks for, or by none")]
    Threshold,
}

impl Form {
    /// A form of exactly these parts. Devices must come strictly ascending by key.
    pub fn new(devices: Vec<Device>, threshold: u8) -> Result<Self, FormError> {
        if devices.is_empty() {
            return Err(FormError::NoDevice);
        }
        if devices.len() > MAX_DEVICES {
            return Err(FormError::TooMany);
        }
        let ascending = |pair: &[Device]| matches!(pair, [a, b] if a.key < b.key);
        if !devices.windows(2).all(ascending) {
            return Err(FormError::Order);
        }
        if devices.iter().any(|device| device.share == 0) {
            return Err(FormError::NoShare);
        }
        // Sixteen numbers below 2¹⁶ do not overflow 32 bits.
        let sum: u32 = devices.iter().map(|device| u32::from(device.share)).sum();
        if sum != u32::from(SHARES) {
            return Err(FormError::Sum);
        }
        if threshold == 0 || usize::from(threshold) > devices.len() {
            return Err(FormError::Threshold);
        }
        Ok(Self { devices, threshold })
    }

    /// One device that decides alone and spends all.
    pub fn one(key: PublicKey) -> Self {
        let share = SHARES;
        Self {
            devices: vec![Device { key, share }],
            threshold: 1,
        }
    }

    /// Devices with equal shares; what does not divide goes to the first ones.
    pub fn equal(keys: &BTreeSet<PublicKey>, threshold: u8) -> Result<Self, FormError> {
        // Refused below when there are none or too many.
        let count = u16::try_from(keys.len()).unwrap_or(u16::MAX).max(1);
        let (each, more) = (SHARES / count, SHARES % count);
        let devices = (0_u16..).zip(keys).map(|(place, key)| Device {
            key: *key,
            share: each + u16::from(place < more),
        });
        // One more than may be is enough to be refused.
        Self::new(devices.take(MAX_DEVICES + 1).collect(), threshold)
    }

    /// The devices, ascending by key.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// How many devices must sign for the composition, from 1 to their number.
    pub const fn threshold(&self) -> u8 {
        self.threshold
    }

    /// Whether this key is one of its devices.
    pub fn has(&self, key: &PublicKey) -> bool {
        self.share(key).is_some()
    }

    /// The share of a device, in parts of [`SHARES`].
    pub fn share(&self, key: &PublicKey) -> Option<u16> {
        let at = self.devices.binary_search_by_key(key, |device| device.key);
        Some(self.devices.get(at.ok()?)?.share)
    }

    /// Whether as many different devices as it takes are among the signers. Who is no device does
    /// not count, and nobody counts twice.
    pub fn is_signed_by(&self, signers: &BTreeSet<PublicKey>) -> bool {
        self.lacks(signers) == 0
    }

    /// How many more devices must sign.
    pub fn lacks(&self, signers: &BTreeSet<PublicKey>) -> usize {
        let have = self.devices.len() - self.missing(signers).count();
        usize::from(self.threshold).saturating_sub(have)
    }

    /// The devices that are not among the signers, ascending.
    pub fn missing<'a>(
        &'a self,
        signers: &'a BTreeSet<PublicKey>,
    ) -> impl Iterator<Item = PublicKey> + 'a {
        let keys = self.devices.iter().map(|device| device.key);
        keys.filter(|key| !signers.contains(key))
    }

    /// The devices of this form that are not in another: those that an act from `other` to this one
    /// adds, and, with the two exchanged, those that it removes. Ascending.
    pub fn beyond<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = PublicKey> + 'a {
        let keys = self.devices.iter().map(|device| device.key);
        keys.filter(|key| !other.has(key))
    }

    /// The id of the composition whose first form this is: kind member, scheme hash, and
    /// kdf("member", encoding).
    pub fn member(&self) -> Id {
        let hash = seal::kdf("member", &[&self.encode()]);
        Id::new(Kind::Member, Scheme::Hash, hash)
    }

    /// The state that a composition is in while this first form of it stands.
    pub fn first_state(&self) -> ActId {
        ActId::from_bytes(*self.member().as_bytes())
    }

    /// The one encoding: the CBOR map {0: [[key, share], …], 1: threshold}, deterministic as all in
    /// docs/spec/wire.md. It is written here, since it is what the id hashes; `wire` reads it.
    pub fn encode(&self) -> Vec<u8> {
        // Counts are at most 16, so that their heads are one byte.
        let mut out = vec![0xa2, 0x00, 0x80 | self.devices.len() as u8];
        for device in &self.devices {
            out.extend_from_slice(&[0x82, 0x58, 0x20]);
            out.extend_from_slice(device.key.as_bytes());
            match device.share.to_be_bytes() {
                [0, low @ 0..24] => out.push(low),
                [0, low] => out.extend_from_slice(&[0x18, low]),
                [high, low] => out.extend_from_slice(&[0x19, high, low]),
            }
        }
        out.extend_from_slice(&[0x01, self.threshold]);
        out
    }
}
