//! A device's keys: derived per topic from one secret that is in the backup, and the author keys
//! that it certifies, which are fresh and never backed up.
//!
//! ```text
//! device key = Ed25519(kdf("device",  device secret ‖ topic id))            who joins
//!              Ed25519(kdf("founder", device secret ‖ random of the genesis))  who founds: the
//!              genesis names the key, so the key cannot follow from the genesis' hash
//! ```
//!
//! Different keys in each topic, so that nobody who serves several links them by key.

use identity::seal::kdf;
use identity::{PublicKey, SecretKey, TopicId};
use machine::Rng;
use zeroize::Zeroizing;

use crate::secret::secret;
use crate::vault::Vault;

secret! {
    /// The secret of a device, from which its keys in all topics follow. Kept in the key file.
    pub DeviceSecret
}

impl DeviceSecret {
    /// A new device.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        Self::from_bytes(rng.array())
    }

    /// The device key in a topic that this device joins.
    #[must_use]
    pub fn joiner_key(&self, topic: TopicId) -> SecretKey {
        self.derive("device", topic.as_bytes())
    }

    /// The device key in a topic that this device founds with this random in the genesis.
    #[must_use]
    pub fn founder_key(&self, random: &[u8; 32]) -> SecretKey {
        self.derive("founder", random)
    }

    /// The device key in a topic of this genesis, whether founded here or joined.
    #[must_use]
    pub fn key_in(&self, topic: TopicId, genesis: &wire::Genesis) -> SecretKey {
        let founder = self.founder_key(&genesis.random);
        if founder.public() == genesis.founder() {
            founder
        } else {
            self.joiner_key(topic)
        }
    }

    /// The vault of this device's home.
    #[must_use]
    pub fn vault(&self) -> Vault {
        Vault::from_bytes(kdf("vault", &[self.as_bytes()]))
    }

    fn derive(&self, context: &str, field: &[u8; 32]) -> SecretKey {
        let seed = Zeroizing::new(kdf::<32>(context, &[self.as_bytes(), field]));
        SecretKey::from_seed(*seed)
    }
}

/// One incarnation of a device in a topic: the key that signs its envelopes, and the certificate
/// that opens its chain.
#[derive(Clone, Debug)]
pub struct Incarnation {
    /// The author key: fresh, never exported, never in a backup.
    pub author: SecretKey,
    /// What the first item of envelope 1 says.
    pub certificate: wire::Certificate,
}

impl Incarnation {
    /// Begins an incarnation with a fresh author key. `index` counts the device's incarnations in
    /// the topic from 0; a device does not use an index twice.
    #[must_use]
    pub fn begin(device: &SecretKey, topic: TopicId, index: u32, rng: &mut Rng) -> Self {
        let author = SecretKey::generate(rng);
        let certificate = certify(device, topic, author.public(), index);
        Self {
            author,
            certificate,
        }
    }
}

/// The device's certificate for an author key.
#[must_use]
pub fn certify(
    device: &SecretKey,
    topic: TopicId,
    author: PublicKey,
    index: u32,
) -> wire::Certificate {
    wire::Certificate::sign(topic, device, author, index)
}
