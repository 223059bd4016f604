//! How long things took, in steps of about five hundredths from a microsecond to for ever.

use core::time::Duration;

/// Steps in each doubling. Values below this number have a step of their own.
const STEPS: u64 = 16;
/// Doublings of [`STEPS`] and more that a `u64` of microseconds can have, and the steps below.
const BUCKETS: usize = 61 * STEPS as usize;

/// Counts durations. A value that it gives back is at most 3.2 % beside the true one; the least and
/// the greatest are exact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    sum_us: u64,
    min_us: u64,
    max_us: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            count: 0,
            sum_us: 0,
            min_us: u64::MAX,
            max_us: 0,
        }
    }
}

/// The bucket of a number of microseconds.
fn bucket(us: u64) -> usize {
    if us < STEPS {
        return us as usize;
    }
    let doublings = u64::from(us.ilog2()) - 3;
    let step = (us >> (doublings - 1)) & (STEPS - 1);
    (doublings * STEPS + step) as usize
}

/// The least value of a bucket, and the width of that bucket.
fn bounds(bucket: usize) -> (u64, u64) {
    let bucket = bucket as u64;
    let (doublings, step) = (bucket / STEPS, bucket % STEPS);
    if doublings == 0 {
        return (step, 1);
    }
    ((STEPS + step) << (doublings - 1), 1 << (doublings - 1))
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(us)] += 1;
        self.count += 1;
        self.sum_us = self.sum_us.saturating_add(us);
        self.min_us = self.min_us.min(us);
        self.max_us = self.max_us.max(us);
    }

    /// Adds what another has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.min_us = self.min_us.min(other.min_us);
        self.max_us = self.max_us.max(other.max_us);
    }

    /// How many were counted.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The least, in microseconds; 0 if none was counted.
    #[must_use]
    pub const fn min_us(&self) -> u64 {
        if self.count == 0 { 0 } else { self.min_us }
    }

    /// The greatest, in microseconds; 0 if none was counted.
    #[must_use]
    pub const fn max_us(&self) -> u64 {
        self.max_us
    }

    /// The mean, in microseconds; 0 if none was counted.
    #[must_use]
    pub const fn mean_us(&self) -> u64 {
        match self.sum_us.checked_div(self.count) {
            Some(mean) => mean,
            None => 0,
        }
    }

    /// What so many of a thousand do not exceed, in microseconds; 0 if none was counted.
    #[must_use]
    pub fn permille_us(&self, permille: u64) -> u64 {
        let wanted = u128::from(self.count) * u128::from(permille);
        let wanted = u64::try_from(wanted.div_ceil(1000)).unwrap_or(u64::MAX);
        if wanted >= self.count {
            return self.max_us;
        }
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= wanted {
                let (least, width) = bounds(at);
                return (least + width / 2).clamp(self.min_us(), self.max_us);
            }
        }
        self.max_us
    }

    /// The steps in which anything was counted: least value, first value beyond it, how many.
    pub fn steps(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        let counted = self.buckets.iter().enumerate().filter(|(_, n)| **n > 0);
        counted.map(|(at, count)| {
            let (least, width) = bounds(at);
            (least, least.saturating_add(width), *count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, Histogram, bounds, bucket};
    use core::time::Duration;

    #[test]
    fn every_value_lies_in_its_bucket_and_buckets_follow_one_another() {
        let mut next = 0_u64;
        for at in 0..BUCKETS {
            let (least, width) = bounds(at);
            assert_eq!(least, next, "bucket {at}");
            assert_eq!(bucket(least), at);
            assert_eq!(bucket(least + (width - 1)), at);
            next = least.wrapping_add(width);
        }
        assert_eq!(next, 0, "the last one ends at the greatest number");
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn percentiles_are_within_five_hundredths() {
        let mut values: Vec<u64> = (1..=20_000_u64)
            .map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (20 + i % 40))
            .collect();
        let mut histogram = Histogram::default();
        for value in &values {
            histogram.record(Duration::from_micros(*value));
        }
        values.sort_unstable();
        for permille in [1, 10, 250, 500, 900, 990, 999] {
            let rank = (values.len() * permille as usize).div_ceil(1000);
            let (exact, got) = (values[rank - 1], histogram.permille_us(permille));
            let off = exact.abs_diff(got);
            assert!(off * 20 <= exact, "{permille}: {got} for {exact}");
        }
        assert_eq!(histogram.permille_us(1000), *values.last().unwrap());
        assert_eq!(histogram.min_us(), values[0]);
    }

    #[test]
    fn nothing_counted_is_zero() {
        let empty = Histogram::default();
        assert_eq!((empty.min_us(), empty.max_us(), empty.mean_us()), (0, 0, 0));
        assert_eq!(empty.permille_us(500), 0);
        assert_eq!(empty.steps().count(), 0);
    }

    #[test]
    fn the_greatest_duration_is_counted() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::MAX);
        histogram.record(Duration::MAX);
        assert_eq!(histogram.max_us(), u64::MAX);
        assert_eq!(histogram.permille_us(500), u64::MAX);
        assert_eq!(histogram.steps().count(), 1);
    }
}
