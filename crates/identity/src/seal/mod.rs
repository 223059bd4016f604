//! The constructions that everything secret is built of (docs/spec/wire.md, "Sealing").
//!
//! kdf and mac are BLAKE3; aead is ChaCha20-Poly1305 with a zero nonce under keys that are used
//! once; [`hpke`] is RFC 9180 base mode, suite (0x0020, 0x0001, 0x0003). Integers are big-endian.

pub mod hpke;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use thiserror::Error;

/// What every context of derivation and every HPKE info begins with.
pub const PREFIX: &str = "waystation v1 ";

/// Bytes that [`aead_seal`] adds.
pub const AEAD_OVERHEAD: usize = 16;

/// It could not be opened: another key, other associated data, or changed bytes (which of them
/// cannot be told). Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("it cannot be opened with this key")]
pub struct NotOpened;

/// Derives `N` bytes from the fields: BLAKE3 derive_key in the context `"waystation v1 " + context`
/// over their concatenation.
///
/// The fields must have fixed lengths (at most the last may vary), else two lists of fields could
/// give the same bytes. `context` must be a constant of this program.
pub fn kdf<const N: usize>(context: &str, fields: &[&[u8]]) -> [u8; N] {
    let mut hasher = blake3::Hasher::new_derive_key(&format!("{PREFIX}{context}"));
    for field in fields {
        hasher.update(field);
    }
    let mut out = [0; N];
    hasher.finalize_xof().fill(&mut out);
    out
}

/// Keyed BLAKE3 over the concatenation of the fields, which must have fixed lengths.
/// Compare results with [`same`], not with `==`.
pub fn mac(key: &[u8; 32], fields: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    for field in fields {
        hasher.update(field);
    }
    *hasher.finalize().as_bytes()
}

/// Plain BLAKE3 over the concatenation of the fields.
pub fn hash(fields: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for field in fields {
        hasher.update(field);
    }
    *hasher.finalize().as_bytes()
}

/// Whether two secrets are equal, in time that depends on their lengths alone.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (x, y)| differs | (x ^ y)) == 0
}

/// Seals with a key that is used for this one plaintext and never again (the nonce is zero).
/// The result is [`AEAD_OVERHEAD`] bytes longer.
pub fn aead_seal(key: &[u8; 32], ad: &[u8], plain: &[u8]) -> Vec<u8> {
    let cipher = ChaCha20Poly1305::new(&(*key).into());
    cipher
        .encrypt(
            &[0; 12].into(),
            Payload {
                msg: plain,
                aad: ad,
            },
        )
        // Only lengths near 256 GiB are refused, and nothing sealed here exceeds a frame.
        .expect("the plaintext is far below the cipher's limit")
}

/// Opens what [`aead_seal`] made with the same key and associated data.
pub fn aead_open(key: &[u8; 32], ad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, NotOpened> {
    let cipher = ChaCha20Poly1305::new(&(*key).into());
    cipher
        .decrypt(
            &[0; 12].into(),
            Payload {
                msg: sealed,
                aad: ad,
            },
        )
        .map_err(|_| NotOpened)
}
