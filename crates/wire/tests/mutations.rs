//! What attackers send: changed, cut off, random and lying bytes, to every decoder.

use proptest::prelude::*;

use crate::decoders::{Entry, all};

/// Either refused, or a legal value whose one encoding this is.
fn refused_or_canonical((name, again, _): &Entry, bytes: &[u8]) {
    if let Some(encoded) = again(bytes) {
        assert_eq!(encoded, bytes, "{name} accepted a second encoding");
    }
}

/// One change to `bytes`, drawn by the numbers.
fn mutate(bytes: &mut Vec<u8>, what: u8, at: usize, value: u8, other: usize) {
    if bytes.is_empty() {
        bytes.push(value);
        return;
    }
    let at = at % bytes.len();
    match what % 8 {
        0 => bytes[at] ^= 1 << (value % 8),
        1 => bytes[at] = value,
        2 => {
            bytes.remove(at);
        }
        3 => bytes.insert(at, value),
        4 => bytes.truncate(at),
        5 => bytes.push(value),
        // A piece comes twice.
        6 => {
            let end = (at + other % 48).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        // A piece is overwritten by another.
        _ => {
            let len = (other % 40).min(bytes.len() - at);
            let from = other % (bytes.len() - len + 1);
            bytes.copy_within(from..from + len, at);
        }
    }
}

#[test]
fn every_prefix_is_refused_or_canonical() {
    for entry in all() {
        for bytes in &entry.2 {
            for len in 0..bytes.len() {
                refused_or_canonical(&entry, &bytes[..len]);
            }
        }
    }
}

#[test]
fn every_flipped_bit_is_refused_or_canonical() {
    for entry in all() {
        for bytes in &entry.2 {
            // Long encodings are mostly sealed bytes; their heads are at the beginning.
            for bit in 0..bytes.len().min(700) * 8 {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                refused_or_canonical(&entry, &changed);
            }
        }
    }
}

#[test]
fn lengths_that_are_only_claimed_are_refused() {
    // At every place a head that promises up to 2⁶⁴ − 1 bytes, elements or pairs: a decoder that
    // reserved room for them would abort this test.
    for entry in all() {
        for bytes in &entry.2 {
            for at in 0..bytes.len().min(400) {
                for major in [0x40, 0x60, 0x80, 0xa0] {
                    for claimed in [u64::MAX, 1 << 62, 1 << 40, 1 << 32] {
                        let mut lying = bytes[..at].to_vec();
                        lying.push(major | 27);
                        lying.extend_from_slice(&claimed.to_be_bytes());
                        lying.extend_from_slice(&bytes[at..bytes.len().min(at + 64)]);
                        refused_or_canonical(&entry, &lying);
                    }
                }
            }
        }
    }
}

#[test]
fn deep_nesting_is_refused_without_recursion() {
    for entry in all() {
        for head in [&[0x81][..], &[0xa1, 0x00], &[0x82, 0x00]] {
            let deep = head.repeat(200_000);
            assert_eq!((entry.1)(&deep), None, "{}", entry.0);
        }
    }
}

#[test]
fn what_is_longer_than_a_frame_is_refused_before_it_is_scanned() {
    let mut long = vec![0x9a, 0, 0x10, 0, 0];
    long.resize(5 + (1 << 20), 0);
    for entry in all() {
        assert_eq!((entry.1)(&long), None, "{}", entry.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn changed_samples_are_refused_or_canonical(
        decoder in any::<prop::sample::Index>(),
        sample in any::<prop::sample::Index>(),
        changes in prop::collection::vec(any::<(u8, usize, u8, usize)>(), 1..4),
    ) {
        let all = cached();
        let entry = &all[decoder.index(all.len())];
        let mut bytes = entry.2[sample.index(entry.2.len())].clone();
        for (what, at, value, other) in changes {
            mutate(&mut bytes, what, at, value, other);
        }
        refused_or_canonical(entry, &bytes);
    }

    #[test]
    fn random_bytes_are_answered_by_every_decoder(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        for entry in cached() {
            refused_or_canonical(entry, &bytes);
        }
    }

    #[test]
    fn random_cbor_is_answered_by_every_decoder(bytes in crate::cbor::any_value()) {
        for entry in cached() {
            refused_or_canonical(entry, &bytes);
        }
    }
}

/// The table, made once: making it signs dozens of values.
fn cached() -> &'static [Entry] {
    static ALL: std::sync::OnceLock<Vec<Entry>> = std::sync::OnceLock::new();
    ALL.get_or_init(all)
}
