//! BLAKE2b-256 and ChaCha20 as ERIS uses them.

use core::fmt;

use blake2b_simd::Params;
use blake2b_simd::many::{HashManyJob, hash_many};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use data_encoding::HEXLOWER;
use identity::Secret;

use crate::limits::ENCODED_AT_ONCE;

/// What a block is named by: the BLAKE2b-256 of its ciphertext. Blocks with equal bytes have equal
/// references.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference([u8; 32]);

impl Reference {
    /// Takes the bytes as they are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The reference of these bytes.
    pub fn of(block: &[u8]) -> Self {
        Self(hash(block))
    }
}

impl fmt::Debug for Reference {
    /// The first four bytes in hexadecimal: for logs and tests, not for users.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Reference:{a:02x}{b:02x}{c:02x}{d:02x}")
    }
}

impl fmt::Display for Reference {
    /// 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&HEXLOWER.encode(&self.0))
    }
}

/// Unkeyed BLAKE2b-256.
pub(crate) fn hash(bytes: &[u8]) -> [u8; 32] {
    digest(Params::new().hash_length(32).hash(bytes))
}

/// BLAKE2b-256 of at most [`ENCODED_AT_ONCE`] blocks side by side, keyed if there is a key. The others
/// stay zero.
pub(crate) fn hash_blocks<'b>(
    key: Option<&Secret>,
    blocks: impl Iterator<Item = &'b [u8]>,
) -> [[u8; 32]; ENCODED_AT_ONCE] {
    let mut params = Params::new();
    params.hash_length(32);
    if let Some(key) = key {
        params.key(key.as_bytes());
    }
    let mut jobs: [Option<HashManyJob<'b>>; ENCODED_AT_ONCE] = Default::default();
    for (job, block) in jobs.iter_mut().zip(blocks) {
        *job = Some(HashManyJob::new(&params, block));
    }
    hash_many(jobs.iter_mut().flatten());
    jobs.map(|job| job.map_or([0; 32], |job| digest(job.to_hash())))
}

/// Encrypts or decrypts in place: ChaCha20 (RFC 8439), counter from 0, the nonce the level and eleven
/// zeros.
pub(crate) fn cipher(key: &[u8; 32], level: u8, block: &mut [u8]) {
    let mut nonce = [0; 12];
    nonce[0] = level;
    ChaCha20::new(key.into(), &nonce.into()).apply_keystream(block);
}

fn digest(hash: blake2b_simd::Hash) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hash.as_bytes());
    bytes
}
