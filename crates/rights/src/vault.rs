//! The vault: secret rows of the node's store, sealed under the device secret.
//!
//! ```text
//! row = 0x01 ‖ salt 24 ‖ aead(kdf("vault row", vault key ‖ salt), name of the row, plain)
//! vault key = kdf("vault", device secret)
//! ```
//!
//! The device secret stands in the key file, not in the store: a copied store without its key file
//! reveals nothing but how long the rows are. A row moved to another name does not open. An *older*
//! row put back at the same name does: that a store is set back is noticed elsewhere.

use identity::seal::{aead_open, aead_seal, kdf};
use machine::Rng;
use zeroize::Zeroizing;

use crate::secret::secret;

secret! {
    /// The key of all secret rows of one home.
    pub Vault
}

/// A row that does not open: another home's key, another row's bytes, or a damaged store. Nothing
/// was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a secret row that does not open with this home's key")]
pub struct VaultClosed;

const FORMAT: u8 = 1;

impl Vault {
    /// How many bytes sealing adds to a row.
    pub const OVERHEAD: usize = 1 + 24 + 16;

    /// Seals a row. `name` is the whole name of the row: table and key.
    #[must_use]
    pub fn seal(&self, name: &[u8], plain: &[u8], rng: &mut Rng) -> Vec<u8> {
        let fresh = Zeroizing::new(rng.array::<32>());
        // Depends on the plaintext too, for the reason given at the salt of bodies.
        let salt: [u8; 24] = kdf("salt", &[&*fresh, self.as_bytes(), plain]);
        let sealed = aead_seal(&self.row_key(&salt), name, plain);
        [&[FORMAT], salt.as_slice(), &sealed].concat()
    }

    /// Opens the row of this name.
    pub fn open(&self, name: &[u8], row: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultClosed> {
        let (format, rest) = row.split_first().ok_or(VaultClosed)?;
        let (salt, sealed) = rest.split_first_chunk().ok_or(VaultClosed)?;
        if *format != FORMAT {
            return Err(VaultClosed);
        }
        let plain = aead_open(&self.row_key(salt), name, sealed).map_err(|_| VaultClosed)?;
        Ok(Zeroizing::new(plain))
    }

    fn row_key(&self, salt: &[u8; 24]) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(kdf("vault row", &[self.as_bytes(), salt]))
    }
}
