//! Padding of plaintexts to Padmé lengths, so that a sealed length tells little.
//!
//! Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with
//! PURBs", PoPETs 2019, section 4) rounds a length up so that it has at most as many significant
//! bits as the bits of its exponent: at most 12 % more, and O(log log n) bits of leak.

/// The Padmé length of `len` bytes: at least `len`, at most 12 % more.
#[must_use]
pub(crate) fn padme(len: usize) -> usize {
    if len < 2 {
        return len;
    }
    // Both logarithms are of numbers above zero.
    let exponent = len.ilog2();
    let kept = exponent.checked_ilog2().map_or(0, |bits| bits + 1);
    let mask = (1usize << (exponent - kept)) - 1;
    len.saturating_add(mask) & !mask
}

/// Whether `rest` is padding: zero bytes only, any number of them.
pub(crate) fn is_padding(rest: &[u8]) -> bool {
    rest.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::padme;

    #[test]
    fn lengths_grow_by_an_eighth_at_most() {
        for len in 0..=70_000usize {
            let padded = padme(len);
            assert!(padded >= len);
            assert!(padded - len <= len / 8, "{len} became {padded}");
            assert_eq!(padme(padded), padded, "padding twice changes nothing");
        }
    }

    #[test]
    fn lengths_of_the_paper() {
        assert_eq!(padme(9), 10);
        assert_eq!(padme(10), 10);
        assert_eq!(padme(100), 104);
        assert_eq!(padme(1000), 1024);
        assert_eq!(padme(65_000), 65_536);
    }
}
