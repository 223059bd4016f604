//! Sets of numbers as ranges that neither touch nor overlap.

use std::collections::BTreeMap;

/// A set of numbers; what is contiguous costs one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals(BTreeMap<u64, u64>);

impl Intervals {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Whether the set has no number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ranges, both ends inclusive, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().map(|(from, to)| (*from, *to))
    }

    /// How many ranges.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether `number` is in the set.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        self.0
            .range(..=number)
            .next_back()
            .is_some_and(|(_, to)| *to >= number)
    }

    /// The first number of the set that is at least `from`.
    #[must_use]
    pub fn first_from(&self, from: u64) -> Option<u64> {
        if self.contains(from) {
            return Some(from);
        }
        self.0.range(from..).next().map(|(start, _)| *start)
    }

    /// Adds the numbers from `from` to `to`; nothing when there are none.
    pub fn insert(&mut self, from: u64, to: u64) {
        if from > to {
            return;
        }
        let (mut low, mut high) = (from, to);
        // A range that begins at most one after the new end joins it, so does one that reaches at
        // least to one before the new start.
        while let Some((start, end)) = self
            .0
            .range(..=high.saturating_add(1))
            .next_back()
            .map(|(start, end)| (*start, *end))
            .filter(|(_, end)| end.saturating_add(1) >= low)
        {
            self.0.remove(&start);
            low = low.min(start);
            high = high.max(end);
        }
        self.0.insert(low, high);
    }

    /// Removes one number; says whether it was there.
    pub fn remove(&mut self, number: u64) -> bool {
        let Some((start, end)) = self.0.range(..=number).next_back().map(|(s, e)| (*s, *e)) else {
            return false;
        };
        if end < number {
            return false;
        }
        self.0.remove(&start);
        if start < number {
            self.0.insert(start, number - 1);
        }
        if number < end {
            self.0.insert(number + 1, end);
        }
        true
    }

    /// Adds numbers, the fewest that do, until at most `most` (at least one) ranges are left.
    pub fn join_to(&mut self, most: usize) {
        let excess = self.0.len().saturating_sub(most.max(1));
        if excess == 0 {
            return;
        }
        let mut gaps: Vec<(u64, u64)> = self
            .ranges()
            .zip(self.ranges().skip(1))
            .map(|((_, end), (start, _))| (start.saturating_sub(end), end))
            .collect();
        gaps.sort_unstable();
        for (width, end) in gaps.into_iter().take(excess) {
            self.insert(end, end.saturating_add(width));
        }
    }

    /// The numbers of this set that are not in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut result = Self::new();
        for (from, to) in self.ranges() {
            let mut next = Some(from);
            let cuts = other.0.range(..=to).filter(|(_, end)| **end >= from);
            for (start, end) in cuts {
                if let Some(low) = next
                    && let Some(high) = start.checked_sub(1)
                {
                    result.insert(low, high);
                }
                next = end.checked_add(1);
            }
            if let Some(low) = next {
                result.insert(low, to);
            }
        }
        result
    }

    /// The numbers that are in both sets.
    #[must_use]
    pub fn both(&self, other: &Self) -> Self {
        let mut result = Self::new();
        for (from, to) in self.ranges() {
            let before = other.0.range(..=from).next_back();
            let within = other.0.range(from..=to);
            for (start, end) in before.into_iter().chain(within) {
                result.insert(from.max(*start), to.min(*end));
            }
        }
        result
    }
}

impl FromIterator<(u64, u64)> for Intervals {
    fn from_iter<I: IntoIterator<Item = (u64, u64)>>(ranges: I) -> Self {
        let mut set = Self::new();
        for (from, to) in ranges {
            set.insert(from, to);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::Intervals;
    use machine::Rng;
    use std::collections::BTreeSet;

    #[test]
    fn behaves_as_a_plain_set_does() {
        let mut rng = Rng::from_seed([1; 32]);
        for _ in 0..50 {
            let mut set = Intervals::new();
            let mut plain = BTreeSet::new();
            for _ in 0..200 {
                let from = rng.below(64);
                if rng.below(3) == 0 {
                    assert_eq!(set.remove(from), plain.remove(&from));
                } else {
                    let to = from + rng.below(4);
                    set.insert(from, to);
                    plain.extend(from..=to);
                }
                for number in 0..70 {
                    assert_eq!(set.contains(number), plain.contains(&number));
                }
                let first = plain.range(20..).next().copied();
                assert_eq!(set.first_from(20), first);
            }
            let mut end = None;
            for (from, to) in set.ranges() {
                assert!(end.is_none_or(|end: u64| from > end + 1) && from <= to);
                end = Some(to);
            }
            let other: Intervals = [(3, 9), (20, 40)].into_iter().collect();
            let both = set.both(&other);
            for number in 0..70 {
                let expected = plain.contains(&number) && other.contains(number);
                assert_eq!(both.contains(number), expected);
                let expected = plain.contains(&number) && !other.contains(number);
                assert_eq!(set.without(&other).contains(number), expected);
            }
            for most in 0..4 {
                let mut joined = set.clone();
                joined.join_to(most);
                assert!(joined.len() <= most.max(1));
                assert!(set.without(&joined).is_empty(), "nothing is lost");
                if set.len() <= most {
                    assert_eq!(joined, set);
                }
            }
        }
    }

    #[test]
    fn the_greatest_number_does_not_overflow() {
        let mut set = Intervals::new();
        set.insert(u64::MAX - 1, u64::MAX);
        set.insert(0, 0);
        assert!(set.remove(u64::MAX));
        assert!(set.contains(u64::MAX - 1) && set.contains(0) && !set.contains(u64::MAX));
    }
}
