//! Which numbers of one numbering have been delivered: intervals of a 24-bit counter.

use crate::limits::MAX_INTERVALS;

/// Delivered counters as closed intervals, ascending, none touching the next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window(Vec<(u32, u32)>);

/// What adding a counter did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is new.
    New,
    /// It was there.
    Known,
    /// It would open one gap too many; nothing has changed.
    Full,
}

impl Window {
    /// Whether the counter was delivered.
    pub(crate) fn has(&self, counter: u32) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= counter);
        after
            .checked_sub(1)
            .and_then(|at| self.0.get(at))
            .is_some_and(|(_, to)| counter <= *to)
    }

    /// Marks the counter as delivered.
    pub(crate) fn add(&mut self, counter: u32) -> Added {
        if self.has(counter) {
            return Added::Known;
        }
        let after = self.0.partition_point(|(from, _)| *from <= counter);
        let next = self.0.get(after).copied();
        let next = next.filter(|(from, _)| counter.checked_add(1) == Some(*from));
        let before = after.checked_sub(1).filter(|at| {
            let interval = self.0.get(*at);
            interval.is_some_and(|(_, to)| to.checked_add(1) == Some(counter))
        });
        match (before, next) {
            (Some(before), next) => {
                if let Some((_, to)) = self.0.get_mut(before) {
                    *to = next.map_or(counter, |(_, to)| to);
                }
                if next.is_some() {
                    self.0.remove(after);
                }
            }
            (None, Some((_, to))) => {
                if let Some(interval) = self.0.get_mut(after) {
                    *interval = (counter, to);
                }
            }
            (None, None) if self.0.len() >= MAX_INTERVALS => return Added::Full,
            (None, None) => self.0.insert(after, (counter, counter)),
        }
        Added::New
    }

    /// Six bytes an interval.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * 6);
        for (from, to) in &self.0 {
            // The upper byte of a 24-bit counter is zero.
            bytes.extend_from_slice(&from.to_be_bytes()[1..]);
            bytes.extend_from_slice(&to.to_be_bytes()[1..]);
        }
        bytes
    }

    /// Reads what [`Window::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let number = |b: &[u8]| b.iter().fold(0_u32, |n, byte| (n << 8) | u32::from(*byte));
        let intervals = bytes.chunks_exact(6);
        Self(
            intervals
                .map(|six| (number(&six[..3]), number(&six[3..])))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_is_a_set(counters in proptest::collection::vec(0_u32..64, 0..200)) {
            let (mut window, mut set) = (Window::default(), BTreeSet::new());
            for counter in counters {
                let added = window.add(counter);
                let expected = if set.insert(counter) { Added::New } else { Added::Known };
                prop_assert_eq!(added, expected);
                window = Window::from_bytes(&window.to_bytes());
            }
            for counter in 0..64 {
                prop_assert_eq!(window.has(counter), set.contains(&counter));
            }
            for pair in window.0.windows(2) {
                prop_assert!(pair[0].1 + 1 < pair[1].0, "intervals touch");
            }
        }
    }

    #[test]
    fn gaps_are_bounded_and_the_ends_of_the_range_work() {
        let mut window = Window::default();
        let max = (1 << 24) - 1;
        assert_eq!(window.add(max), Added::New);
        assert_eq!(window.add(0), Added::New);
        for n in 1..MAX_INTERVALS as u32 - 1 {
            assert_eq!(window.add(n * 2), Added::New);
        }
        assert_eq!(window.add(1_000_000), Added::Full);
        assert_eq!(
            window.add(1),
            Added::New,
            "closing a gap is always possible"
        );
        assert!(window.has(max) && !window.has(max - 1));
        assert_eq!(Window::from_bytes(&window.to_bytes()), window);
    }
}
