//! Sets of slots.

use wire::SlotRange;

/// Which of so many slots, as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: u32,
    count: u32,
}

impl Bits {
    pub(crate) fn new(len: u32) -> Self {
        Self {
            words: vec![0; len.div_ceil(64) as usize],
            len,
            count: 0,
        }
    }

    /// Whether a slot is in it; none beyond its length is.
    pub(crate) fn has(&self, slot: u32) -> bool {
        let word = self.words.get((slot / 64) as usize);
        word.is_some_and(|word| word >> (slot % 64) & 1 == 1)
    }

    /// Puts a slot in; says whether that is news.
    pub(crate) fn set(&mut self, slot: u32) -> bool {
        let news = slot < self.len && !self.has(slot);
        if news && let Some(word) = self.words.get_mut((slot / 64) as usize) {
            *word |= 1 << (slot % 64);
            self.count += 1;
        }
        news
    }

    pub(crate) fn clear(&mut self, slot: u32) {
        if self.has(slot)
            && let Some(word) = self.words.get_mut((slot / 64) as usize)
        {
            *word &= !(1 << (slot % 64));
            self.count -= 1;
        }
    }

    pub(crate) const fn count(&self) -> u32 {
        self.count
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.count == self.len
    }

    /// At most `most` ranges, from the lowest slot on.
    pub(crate) fn ranges(&self, most: usize) -> Vec<SlotRange> {
        let mut ranges: Vec<SlotRange> = Vec::new();
        for slot in (0..self.len).filter(|slot| self.has(*slot)) {
            let full = ranges.len() == most;
            match ranges.last_mut() {
                Some(last) if last.end() == slot => last.count += 1,
                _ if full => break,
                _ => ranges.push(SlotRange {
                    first: slot,
                    count: 1,
                }),
            }
        }
        ranges
    }

    /// The bits of slots from `first` on, a multiple of 8, eight to a byte from the lowest bit.
    pub(crate) fn bytes(&self, first: u32, count: u32) -> Vec<u8> {
        let byte = |at: u32| (0..8).fold(0, |byte, bit| byte | u8::from(self.has(at + bit)) << bit);
        let ends = first.saturating_add(count).min(self.len);
        (first..ends).step_by(8).map(byte).collect()
    }

    /// Puts in what [`Bits::bytes`] gave.
    pub(crate) fn load(&mut self, first: u32, bytes: &[u8]) {
        for (at, byte) in (first..).step_by(8).zip(bytes) {
            for bit in (0..8).filter(|bit| byte >> bit & 1 == 1) {
                self.set(at.saturating_add(bit));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;
    use wire::SlotRange;

    #[test]
    fn bits_are_a_set_and_come_back_from_bytes() {
        let mut bits = Bits::new(1_030);
        let chosen = [0, 1, 2, 63, 64, 65, 200, 1_023, 1_024, 1_029];
        assert!(chosen.iter().all(|slot| bits.set(*slot)));
        assert!(!bits.set(64) && !bits.set(1_030) && !bits.has(1_030) && !bits.has(u32::MAX));
        assert_eq!(bits.count(), 10);
        let ranges = [(0, 3), (63, 3), (200, 1), (1_023, 2), (1_029, 1)];
        let ranges = ranges.map(|(first, count)| SlotRange { first, count });
        assert_eq!(bits.ranges(9), ranges);
        assert_eq!(bits.ranges(2), ranges[..2]);
        let mut again = Bits::new(1_030);
        again.load(0, &bits.bytes(0, 1_024));
        again.load(1_024, &bits.bytes(1_024, 1_024));
        assert_eq!(again, bits);
        again.load(1_024, &[0xff; 200]);
        assert_eq!(again.count(), 14, "what lies beyond the end is no slot");
        chosen.iter().for_each(|slot| bits.clear(*slot));
        assert!(bits == Bits::new(1_030) && !bits.is_full() && Bits::new(0).is_full());
    }
}
