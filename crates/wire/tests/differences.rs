//! Receipts as differences: what is rebuilt is what was signed, and nothing else is made to look
//! so.

use std::collections::BTreeMap;

use identity::{EnvelopeId, OperatorTag, PublicKey, SecretKey, Signature, TopicId};
use proptest::collection::vec;
use proptest::prelude::*;
use wire::{CutEntry, Difference, Receipt, ReceiptKind, check_receipt, limits, sign_receipt};

use crate::samples;

/// What is said of one author: branches, and for each number, id and how many are excepted.
type Word = Vec<(u64, u8, u64)>;

fn words() -> impl Strategy<Value = Vec<(u8, Word)>> {
    let word = vec((1..40_u64, any::<u8>(), 0..4_u64), 0..3);
    vec((0..12_u8, word), 0..6)
}

fn author(no: u8) -> PublicKey {
    PublicKey::from_bytes([no.wrapping_mul(37); 32])
}

/// The receipt that says these words, with this counter.
fn receipt(of: &BTreeMap<PublicKey, Word>, counter: u64) -> Receipt {
    let mut cut = Vec::new();
    for (author, word) in of {
        for (number, id, lacks) in word {
            let id = EnvelopeId::from_bytes([*id; 32]);
            let (author, number) = (*author, *number);
            cut.push((CutEntry { author, number, id }, *lacks));
        }
    }
    cut.sort_unstable();
    cut.dedup_by_key(|(entry, _)| *entry);
    let mut exceptions = Vec::new();
    for (place, (entry, lacks)) in (0_u16..).zip(&cut) {
        let first = entry.number.saturating_sub(*lacks).saturating_add(1);
        exceptions.extend((first..=entry.number).map(|number| (place, number)));
    }
    Receipt {
        topic: TopicId::from_bytes([1; 32]),
        holder: key().public(),
        counter,
        kind: ReceiptKind::Held,
        cut: cut.into_iter().map(|(entry, _)| entry).collect(),
        exceptions,
        until: 7_000 + counter,
        time: 5_000,
        // It comes, changes and goes, as an operator may write and take back.
        operator: match counter / 10 % 3 {
            0 => None,
            n => Some(OperatorTag::from_bytes([n as u8; 16])),
        },
    }
}

fn key() -> SecretKey {
    SecretKey::from_seed([3; 32])
}

/// What a receipt says of one author, wherever it stands.
fn word(receipt: &Receipt, author: &PublicKey) -> Vec<(CutEntry, Vec<u64>)> {
    let entries = (0_u16..).zip(&receipt.cut);
    let own = entries.filter(|(_, entry)| entry.author == *author);
    own.map(|(place, entry)| {
        let lacks = receipt.exceptions.iter().filter(|(at, _)| *at == place);
        (*entry, lacks.map(|(_, number)| *number).collect())
    })
    .collect()
}

fn difference(from: &Receipt, to: &Receipt, signature: Signature) -> Difference {
    let named = |author: &PublicKey| !word(to, author).is_empty();
    let mut gone: Vec<PublicKey> = from.cut.iter().map(|entry| entry.author).collect();
    gone.dedup();
    gone.retain(|author| !named(author));
    let changed = |author: &PublicKey| word(from, author) != word(to, author);
    Difference::of(to, signature, from.counter, gone, changed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_rebuilt_is_what_was_signed(steps in vec(words(), 1..8)) {
        let mut of = BTreeMap::new();
        let mut all: Vec<Receipt> = vec![receipt(&of, 1)];
        for step in steps {
            of.extend(step.into_iter().map(|(no, word)| (author(no), word)));
            let next = receipt(&of, all.len() as u64 * 10 + 1);
            let signed = sign_receipt(next.clone(), &key()).unwrap().into_inner();
            for from in &all {
                let difference = difference(from, &next, signed.signature);
                let again = Difference::decode(&difference.encode());
                prop_assert_eq!(again, Ok(difference.clone()));
                let rebuilt = difference.rebuild(from).unwrap();
                prop_assert_eq!(&rebuilt.bytes[..], &signed.bytes[..]);
                prop_assert!(check_receipt(rebuilt).is_ok());
            }
            all.push(next);
        }
    }

    #[test]
    fn on_any_other_receipt_it_is_refused(held in words(), from in words(), to in words()) {
        let of = |words: Vec<(u8, Word)>| words.into_iter().map(|(no, word)| (author(no), word)).collect();
        let (held, from, to) = (receipt(&of(held), 5), receipt(&of(from), 5), receipt(&of(to), 9));
        let signed = sign_receipt(to.clone(), &key()).unwrap().into_inner();
        let difference = difference(&from, &to, signed.signature);
        let rebuilt = difference.rebuild(&held).unwrap();
        let is_it = rebuilt.bytes[..] == signed.bytes[..];
        prop_assert_eq!(check_receipt(rebuilt).is_ok(), is_it);
    }
}

#[test]
fn it_fits_receipts_of_its_slot_between_its_base_and_itself() {
    let of = BTreeMap::from([(author(1), vec![(3, 1, 0)])]);
    let (from, to) = (receipt(&of, 5), receipt(&of, 9));
    let signature = Signature::from_bytes([0; 64]);
    let difference = difference(&from, &to, signature);
    for (counter, fits) in [
        (0, false),
        (4, false),
        (5, true),
        (8, true),
        (9, false),
        (10, false),
    ] {
        let held = Receipt {
            counter,
            ..from.clone()
        };
        assert_eq!(difference.rebuild(&held).is_some(), fits, "{counter}");
    }
    let holder = author(1);
    let kind = ReceiptKind::Read;
    assert!(
        difference
            .rebuild(&Receipt {
                holder,
                ..from.clone()
            })
            .is_none()
    );
    assert!(difference.rebuild(&Receipt { kind, ..from }).is_none());
}

#[test]
fn what_would_exceed_a_limit_is_not_rebuilt() {
    let many = |from: u16, count: u16, lacks: u64| -> Receipt {
        let entry = |no: u16| {
            let mut key = [0; 32];
            key[..2].copy_from_slice(&no.to_be_bytes());
            let id = EnvelopeId::from_bytes([1; 32]);
            let author = PublicKey::from_bytes(key);
            CutEntry {
                author,
                number: 5,
                id,
            }
        };
        let cut: Vec<CutEntry> = (from..from + count).map(entry).collect();
        let lacking = (0..count).flat_map(|place| (1..=lacks).map(move |number| (place, number)));
        Receipt {
            cut,
            exceptions: lacking.collect(),
            ..receipt(&BTreeMap::new(), 5)
        }
    };
    let signature = Signature::from_bytes([0; 64]);
    let of = |receipt: Receipt| {
        let later = Receipt {
            counter: 9,
            ..receipt
        };
        Difference::of(&later, signature, 5, Vec::new(), |_| true)
    };
    let full = limits::MAX_RECEIPT_CUT as u16;
    assert!(
        of(many(full, 1, 0))
            .rebuild(&many(0, full - 1, 0))
            .is_some()
    );
    assert!(of(many(full, 1, 0)).rebuild(&many(0, full, 0)).is_none());
    assert!(of(many(100, 1, 1)).rebuild(&many(0, 64, 4)).is_none());
    let full = of(many(0, full, 1));
    assert!(full.encode().len() < limits::MAX_DIFFERENCE);
    assert_eq!(Difference::decode(&full.encode()), Ok(full));
}

#[test]
fn a_difference_that_contradicts_itself_is_malformed() {
    let good = samples::difference(ReceiptKind::Held);
    assert_eq!(Difference::decode(&good.encode()), Ok(good.clone()));
    let named = good.cut[0].author;
    let other = PublicKey::from_bytes([2; 32]);
    let last = good.cut.len() as u16;
    let bad = [
        Difference {
            base: good.counter,
            ..good.clone()
        },
        Difference {
            gone: vec![named],
            ..good.clone()
        },
        Difference {
            gone: vec![other, good.gone[0]],
            ..good.clone()
        },
        Difference {
            gone: vec![other, other],
            ..good.clone()
        },
        Difference {
            exceptions: vec![(last, 1)],
            ..good.clone()
        },
        Difference {
            exceptions: vec![(0, good.cut[0].number + 1)],
            ..good.clone()
        },
        Difference {
            exceptions: vec![(0, 0)],
            ..good.clone()
        },
    ];
    for difference in bad {
        assert!(
            Difference::decode(&difference.encode()).is_err(),
            "{difference:?}"
        );
    }
    // A base above the counter cannot be said: it would be that far below nothing.
    let back = Difference {
        counter: 3,
        base: 0,
        ..good
    };
    let mut bytes = back.encode();
    let at = bytes
        .windows(4)
        .position(|four| four == [2, 3, 3, 3])
        .unwrap();
    bytes[at + 3] = 4;
    assert!(Difference::decode(&bytes).is_err());
}
