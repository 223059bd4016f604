//! Two devices of one person know one another by a secret, first by that of a link, later by one that
//! both keep.
//!
//! ```text
//! key of a link   K = kdf("device link", seed)
//! key that stays  P = kdf("device pair", K ‖ L)              of the link over which it was used
//! message           = salt 16 ‖ aead(kdf("device message", K or P ‖ L ‖ role u8 ‖ salt ‖ number u32), "", plain)
//! ```
//!
//! The number counts what this end has sent under this key on this link, from 0. So a message proves its
//! key on one link alone, in one direction and at one place: repeated, passed on to another link, turned
//! round or reordered it does not open. The salt is fresh, so that no key serves twice.

use identity::seal::{aead_open, aead_seal, kdf};
use machine::Rng;
use wire::limits::MAX_PAIR;
use zeroize::Zeroizing;

use crate::link::{LinkSecret, Role};
use crate::secret::secret;

const SALT: usize = 16;

secret! {
    /// What two devices share: of a link's seed, or what they keep.
    pub PairKey
}

/// The seed of a device link.
#[derive(Clone)]
pub struct PairSeed(Zeroizing<[u8; 16]>);

impl core::fmt::Debug for PairSeed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PairSeed(..)")
    }
}

impl PairSeed {
    /// A fresh seed.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        Self(Zeroizing::new(rng.array()))
    }

    /// The seed of a link.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the link.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Under which its holder speaks first.
    #[must_use]
    pub fn key(&self) -> PairKey {
        PairKey::from_bytes(kdf("device link", &[&*self.0]))
    }
}

impl PairKey {
    /// What both keep after a link's key was used over this link.
    #[must_use]
    pub fn lasting(&self, link: &LinkSecret) -> Self {
        Self::from_bytes(kdf("device pair", &[self.as_bytes(), link.bytes()]))
    }

    /// Seals what this end says as its `number`th.
    #[must_use]
    pub fn seal(&self, link: &LinkSecret, number: u32, plain: &[u8], rng: &mut Rng) -> Vec<u8> {
        let salt: [u8; SALT] = rng.array();
        let key = self.message_key(link, link.role(), &salt, number);
        [&salt[..], &aead_seal(&key, &[], plain)].concat()
    }

    /// Opens what the other end said as its `number`th; nothing if it is not that.
    #[must_use]
    pub fn open(
        &self,
        link: &LinkSecret,
        number: u32,
        sealed: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        if sealed.len() > MAX_PAIR {
            return None;
        }
        let (salt, sealed) = sealed.split_first_chunk::<SALT>()?;
        let key = self.message_key(link, link.role().other(), salt, number);
        aead_open(&key, &[], sealed).ok().map(Zeroizing::new)
    }

    fn message_key(
        &self,
        link: &LinkSecret,
        role: Role,
        salt: &[u8; SALT],
        number: u32,
    ) -> Zeroizing<[u8; 32]> {
        let number = number.to_be_bytes();
        let fields = [
            self.as_bytes().as_slice(),
            link.bytes(),
            &[role.byte()],
            salt,
            &number,
        ];
        Zeroizing::new(kdf("device message", &fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::NodeId;

    fn ends(exporter: u8) -> (LinkSecret, LinkSecret) {
        let [a, b] = [NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32])];
        let end = |role| LinkSecret::new(&[exporter; 32], a, b, role);
        (end(Role::Dialler), end(Role::Acceptor))
    }

    #[test]
    fn a_message_opens_at_one_place_alone() {
        let mut rng = Rng::from_seed([3; 32]);
        let seed = PairSeed::generate(&mut rng);
        let key = seed.key();
        let (here, there) = ends(9);
        let sealed = key.seal(&here, 4, b"hello", &mut rng);
        let opens = |key: &PairKey, link: &LinkSecret, number: u32, sealed: &[u8]| {
            key.open(link, number, sealed).map(|plain| plain.to_vec())
        };
        assert_eq!(opens(&key, &there, 4, &sealed), Some(b"hello".to_vec()));
        // Repeated or out of its order, turned round, and on another link.
        assert_eq!(opens(&key, &there, 5, &sealed), None);
        assert_eq!(opens(&key, &here, 4, &sealed), None);
        assert_eq!(opens(&key, &ends(10).1, 4, &sealed), None);
        // Under another key: that which both keep after it, or of another seed.
        assert_eq!(opens(&key.lasting(&there), &there, 4, &sealed), None);
        let other = PairSeed::generate(&mut rng).key();
        assert_eq!(opens(&other, &there, 4, &sealed), None);
        // Each is sealed differently, and every changed bit is noticed.
        assert_ne!(sealed, key.seal(&here, 4, b"hello", &mut rng));
        for bit in 0..sealed.len() * 8 {
            let mut wrong = sealed.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opens(&key, &there, 4, &wrong), None, "bit {bit}");
        }
        for len in 0..sealed.len() {
            assert_eq!(opens(&key, &there, 4, &sealed[..len]), None, "{len} bytes");
        }
        assert_eq!(opens(&key, &there, 4, &vec![0; MAX_PAIR + 1]), None);
    }

    #[test]
    fn both_ends_keep_the_same_and_of_each_link_another() {
        let seed = PairSeed::from_bytes([7; 16]);
        let (here, there) = ends(9);
        let kept = |link: &LinkSecret| *seed.key().lasting(link).as_bytes();
        assert_eq!(kept(&here), kept(&there));
        assert_ne!(kept(&here), kept(&ends(8).0));
    }
}
