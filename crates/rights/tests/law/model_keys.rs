//! The keys of devices in worlds that are written down: true ones.

use std::sync::OnceLock;

use identity::{PublicKey, SecretKey};

/// Devices that a world can have.
const DEVICES: u8 = 64;

/// A device's secret key.
pub(crate) fn device_secret(device: usize) -> &'static SecretKey {
    static KEYS: OnceLock<Vec<SecretKey>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let seeds = (0..DEVICES).map(|device| [device; 32]);
        seeds.map(SecretKey::from_seed).collect()
    });
    &keys[device]
}

pub(crate) fn device_key(device: usize) -> PublicKey {
    static KEYS: OnceLock<Vec<PublicKey>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| {
        let devices = 0..usize::from(DEVICES);
        devices.map(|at| device_secret(at).public()).collect()
    });
    keys[device]
}
