//! Drawing from a seed: one stream for each purpose, so that what is drawn for one thing does not
//! depend on what else there is.

use machine::Rng;

/// One stream of random numbers.
#[derive(Debug)]
pub(crate) struct Draw(Rng);

impl Draw {
    /// The stream of this seed and purpose.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("waystation sim plan v1");
        hasher.update(&seed.to_le_bytes());
        hasher.update(purpose.as_bytes());
        Self(Rng::from_seed(*hasher.finalize().as_bytes()))
    }

    /// A number below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// A number from `low` to `high`, both included; `low` if `high` is smaller.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.below(high.saturating_sub(low).saturating_add(1))
    }

    /// As [`Self::between`], for small numbers.
    pub(crate) fn small(&mut self, low: u32, high: u32) -> u32 {
        u32::try_from(self.between(low.into(), high.into())).unwrap_or(high)
    }

    /// From `low` to `high`, small ones more often.
    pub(crate) fn skewed(&mut self, low: u64, high: u64) -> u64 {
        let top = self.between(low, high);
        self.between(low, top)
    }

    /// True `ppm` times in a million.
    pub(crate) fn chance(&mut self, ppm: u32) -> bool {
        self.0.below(1_000_000) < u64::from(ppm)
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, percent: u32) -> bool {
        self.chance(percent * 10_000)
    }

    /// A whole number whose mean is `numerator / denominator`: its floor, or one more.
    pub(crate) fn about(&mut self, numerator: u128, denominator: u128) -> u64 {
        let denominator = denominator.max(1);
        let rest = u64::try_from(numerator % denominator).unwrap_or(u64::MAX);
        let bound = u64::try_from(denominator).unwrap_or(u64::MAX);
        let more = u64::from(self.0.below(bound) < rest);
        u64::try_from(numerator / denominator).unwrap_or(u64::MAX - 1) + more
    }

    /// One of these; none if there are none.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let at = usize::try_from(self.below(from.len() as u64)).ok()?;
        from.get(at).copied()
    }

    /// So many of these, all different, in a random order.
    pub(crate) fn some<T: Copy>(&mut self, from: &[T], count: usize) -> Vec<T> {
        let mut all = from.to_vec();
        self.0.shuffle(&mut all);
        all.truncate(count);
        all
    }

    /// Puts them into a random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }
}
