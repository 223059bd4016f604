//! The only source of randomness of a machine.

use core::convert::Infallible;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng, TryCryptoRng, TryRng};

/// A cryptographically strong generator with a seed that the world feeds in at every start.
///
/// Its state is never stored, so a copied or set-back home repeats nothing. The same seed gives the
/// same bytes for ever: simulations depend on it.
#[derive(Clone)]
pub struct Rng(ChaCha20Rng);

impl Rng {
    /// The generator of this seed. In the real program the seed is fresh entropy of the host.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// A child generator whose output is independent of what this one gives later.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        let seed = self.array();
        Self::from_seed(seed)
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// `N` random bytes.
    #[must_use]
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A random number of 64 bits.
    #[must_use]
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, each equally likely; zero when `bound` is zero.
    #[must_use]
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        // The largest multiple of `bound` that fits; what lies above would favour small numbers.
        let limit = u64::MAX - u64::MAX % bound;
        loop {
            let drawn = self.next_u64();
            if drawn < limit {
                return drawn % bound;
            }
        }
    }

    /// Puts `items` into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let pick = usize::try_from(self.below(last as u64 + 1)).unwrap_or(0);
            items.swap(last, pick);
        }
    }
}

impl core::fmt::Debug for Rng {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Rng(..)")
    }
}

impl TryRng for Rng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.0.next_u32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill_bytes(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Rng {}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let mut one = Rng::from_seed([7; 32]);
        let mut two = Rng::from_seed([7; 32]);
        assert_eq!(one.array::<40>(), two.array::<40>());
        assert_ne!(one.fork().next_u64(), one.next_u64());
    }

    #[test]
    fn below_stays_below_and_reaches_every_number() {
        let mut rng = Rng::from_seed([1; 32]);
        let mut seen = [false; 5];
        for _ in 0..200 {
            seen[usize::try_from(rng.below(5)).unwrap()] = true;
        }
        assert_eq!(seen, [true; 5]);
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
    }
}
