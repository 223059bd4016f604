//! The keys of devices in worlds that nobody writes down.

use identity::PublicKey;

/// Scrambled, so that the order of keys is not that of their making.
pub(crate) fn device_key(device: usize) -> PublicKey {
    let mut bytes = [0; 32];
    bytes[0] = (device as u8).wrapping_mul(157);
    bytes[31] = device as u8;
    PublicKey::from_bytes(bytes)
}
