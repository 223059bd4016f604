//! What is known about where this home's own envelopes are: the best of all receipts, kept apart
//! from the receipts themselves.

use crate::intervals::Intervals;
use crate::rows::Bytes;
use identity::OperatorTag;
use wire::ReceiptKind;

/// How many points in time are remembered for one holder. Beyond, neighbouring ones are joined to
/// the later one: what a receipt showed is then dated later than it was, never earlier.
const MAX_MARKS: usize = 64;

/// How many ranges that were lacking and came later are remembered with their time. Ranges beyond
/// go on counting as lacking: evidence is lost, none is made up.
const MAX_LATE: usize = 64;

/// How many ranges of a chain are remembered as lacking. Beyond, those with the least between them
/// are joined, and what lies between counts as lacking too: evidence is lost, none is made up.
const MAX_EXCEPTIONS: usize = 512;

/// Set in a row's number of marks, which is far below it, where the tag of an operator follows.
/// Rows of before there were tags are read as they are.
const WITH_OPERATOR: u16 = 1 << 15;
const _: () = assert!(MAX_MARKS < WITH_OPERATOR as usize);

/// What one holder has shown about one chain of this home.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Best {
    /// Up to which number.
    pub(crate) number: u64,
    /// Until when it promises to hold, or 0.
    pub(crate) until: u64,
    /// Whose core node it is, by its newest promise.
    pub(crate) operator: Option<OperatorTag>,
    /// Numbers up to there whose bodies it lacks.
    pub(crate) exceptions: Intervals,
    /// (number, time): at that time it had all up to that number, less the exceptions. Ascending in
    /// both.
    marks: Vec<(u64, u64)>,
    /// (from, to, time): lacking until that time.
    late: Vec<(u64, u64, u64)>,
}

/// What a receipt says about one chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) kind: ReceiptKind,
    pub(crate) number: u64,
    pub(crate) until: u64,
    pub(crate) operator: Option<OperatorTag>,
    pub(crate) at: u64,
    pub(crate) exceptions: Intervals,
}

impl Best {
    /// Takes a newer receipt of the same holder in. A promise is what its newest word says; what
    /// was delivered or read stays so. Says whether anything changed.
    pub(crate) fn take(&mut self, word: &Word) -> bool {
        let before = self.clone();
        if matches!(word.kind, ReceiptKind::Held | ReceiptKind::Carried) {
            self.marks.retain(|(number, _)| *number < word.number);
            self.number = word.number;
            self.until = word.until;
            self.operator = word.operator;
            self.exceptions = word.exceptions.clone();
        } else {
            // What lay beyond the old number is as the new receipt says; what did not lacks a body
            // only if both say so.
            let mut may_lack = self.exceptions.clone();
            may_lack.insert(self.number.saturating_add(1), u64::MAX);
            if word.number < self.number {
                return false;
            }
            let came = self.exceptions.without(&word.exceptions);
            self.exceptions = word.exceptions.both(&may_lack);
            for (from, to) in came.ranges() {
                if self.late.len() < MAX_LATE {
                    self.late.push((from, to, word.at));
                } else {
                    self.exceptions.insert(from, to);
                }
            }
            self.number = word.number;
        }
        let last = self.marks.last().copied().unwrap_or((0, 0));
        if last.0 < word.number {
            self.marks.push((word.number, word.at.max(last.1)));
        }
        self.thin();
        self.exceptions.join_to(MAX_EXCEPTIONS);
        *self != before
    }

    /// When the holder is known to have had this number, if it is; `expires` is the envelope's. A
    /// receipt says nothing about what had expired when it was made.
    pub(crate) fn covers(&self, number: u64, expires: u64) -> Option<u64> {
        if number > self.number || self.exceptions.contains(number) {
            return None;
        }
        let late = self
            .late
            .iter()
            .rev()
            .find(|(from, to, _)| (*from..=*to).contains(&number));
        let at = match late {
            Some((_, _, at)) => *at,
            None => self.marks.iter().find(|(mark, _)| *mark >= number)?.1,
        };
        (expires == 0 || expires > at).then_some(at)
    }

    fn thin(&mut self) {
        if self.marks.len() <= MAX_MARKS {
            return;
        }
        // The older half loses every other mark; what a lost one covered, its successor covers.
        let half = self.marks.len() / 2;
        let mut place = 0;
        self.marks.retain(|_| {
            place += 1;
            place > half || place % 2 == 0
        });
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        // Whatever a holder said: the row stays far below what a record takes.
        assert!(self.exceptions.len() <= MAX_EXCEPTIONS);
        let mut row = Vec::new();
        row.extend_from_slice(&self.number.to_be_bytes());
        row.extend_from_slice(&self.until.to_be_bytes());
        let count = u16::try_from(self.marks.len()).unwrap_or(WITH_OPERATOR - 1);
        match &self.operator {
            Some(operator) => {
                row.extend_from_slice(&(count | WITH_OPERATOR).to_be_bytes());
                row.extend_from_slice(operator.as_bytes());
            }
            None => row.extend_from_slice(&count.to_be_bytes()),
        }
        for (number, at) in &self.marks {
            row.extend_from_slice(&number.to_be_bytes());
            row.extend_from_slice(&at.to_be_bytes());
        }
        let count = u16::try_from(self.late.len()).unwrap_or(u16::MAX);
        row.extend_from_slice(&count.to_be_bytes());
        for (from, to, at) in &self.late {
            row.extend_from_slice(&from.to_be_bytes());
            row.extend_from_slice(&to.to_be_bytes());
            row.extend_from_slice(&at.to_be_bytes());
        }
        for (from, to) in self.exceptions.ranges() {
            row.extend_from_slice(&from.to_be_bytes());
            row.extend_from_slice(&to.to_be_bytes());
        }
        row
    }

    pub(crate) fn decode(row: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(row);
        let (number, until) = (bytes.u64()?, bytes.u64()?);
        let count = bytes.u16()?;
        let operator = match count & WITH_OPERATOR {
            0 => None,
            _ => Some(OperatorTag::from_bytes(bytes.array()?)),
        };
        let mut marks = Vec::new();
        for _ in 0..count & !WITH_OPERATOR {
            marks.push((bytes.u64()?, bytes.u64()?));
        }
        let mut late = Vec::new();
        for _ in 0..bytes.u16()? {
            late.push((bytes.u64()?, bytes.u64()?, bytes.u64()?));
        }
        let mut exceptions = Intervals::new();
        while bytes.end().is_none() {
            exceptions.insert(bytes.u64()?, bytes.u64()?);
        }
        exceptions.join_to(MAX_EXCEPTIONS);
        Some(Self {
            number,
            until,
            operator,
            exceptions,
            marks,
            late,
        })
    }
}

/// A refusal of an envelope of this home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedRow {
    /// From this number on.
    pub(crate) number: u64,
    pub(crate) code: u16,
    pub(crate) retry: u64,
    pub(crate) at: u64,
    pub(crate) author: [u8; 32],
    /// Whether the refuser is a node (else a device).
    pub(crate) node: bool,
    pub(crate) text: String,
}

impl RefusedRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = vec![u8::from(self.node)];
        row.extend_from_slice(&self.number.to_be_bytes());
        row.extend_from_slice(&self.code.to_be_bytes());
        row.extend_from_slice(&self.retry.to_be_bytes());
        row.extend_from_slice(&self.at.to_be_bytes());
        row.extend_from_slice(&self.author);
        row.extend_from_slice(self.text.as_bytes());
        row
    }

    pub(crate) fn decode(row: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(row);
        Some(Self {
            node: bytes.u8()? != 0,
            number: bytes.u64()?,
            code: bytes.u16()?,
            retry: bytes.u64()?,
            at: bytes.u64()?,
            author: bytes.array()?,
            text: String::from_utf8_lossy(bytes.rest()).into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Best, MAX_EXCEPTIONS, MAX_MARKS, RefusedRow, Word};
    use identity::OperatorTag;
    use wire::ReceiptKind;

    fn word(kind: ReceiptKind, number: u64, at: u64, lacks: &[(u64, u64)]) -> Word {
        Word {
            kind,
            number,
            until: 0,
            operator: None,
            at,
            exceptions: lacks.iter().copied().collect(),
        }
    }

    #[test]
    fn what_was_delivered_stays_delivered() {
        let mut best = Best::default();
        assert!(best.take(&word(ReceiptKind::Delivered, 5, 100, &[(2, 3)])));
        assert_eq!(best.covers(1, 1_000), Some(100));
        assert_eq!(best.covers(2, 1_000), None);
        // A restored home says less, and lacks other bodies: nothing is taken back.
        assert!(!best.take(&word(ReceiptKind::Delivered, 4, 200, &[(1, 1)])));
        assert_eq!(best.covers(5, 1_000), Some(100));
        assert!(best.take(&word(ReceiptKind::Delivered, 9, 300, &[(1, 2), (8, 8)])));
        assert_eq!(best.covers(1, 1_000), Some(100));
        assert_eq!(best.covers(3, 1_000), Some(300));
        assert_eq!((best.covers(2, 1_000), best.covers(8, 1_000)), (None, None));
        assert_eq!(best.covers(7, 1_000), Some(300));
        assert_eq!(Best::decode(&best.encode()), Some(best));
    }

    #[test]
    fn a_promise_is_its_newest_word() {
        let mut best = Best::default();
        best.take(&word(ReceiptKind::Held, 9, 100, &[]));
        best.take(&word(ReceiptKind::Held, 5, 200, &[(1, 2)]));
        assert_eq!(best.covers(9, 1_000), None);
        assert_eq!(best.covers(1, 1_000), None);
        assert_eq!(best.covers(5, 1_000), Some(200));
    }

    #[test]
    fn whose_core_node_it_is_is_its_newest_word_and_kept() {
        let (one, two) = (OperatorTag::of("one"), OperatorTag::of("two"));
        let mut best = Best::default();
        for operator in [None, Some(one), Some(two), None] {
            let held = Word {
                operator,
                ..word(ReceiptKind::Held, 5, 100, &[(2, 3)])
            };
            best.take(&held);
            assert_eq!(best.operator, operator);
            assert_eq!(Best::decode(&best.encode()).as_ref(), Some(&best));
            assert!(!best.take(&held), "it says nothing new");
        }
        // A row is as long as it was before where nothing is said.
        assert_eq!(best.encode().len(), 8 + 8 + 2 + 16 + 2 + 16);
    }

    #[test]
    fn a_receipt_is_silent_about_what_had_expired() {
        let mut best = Best::default();
        best.take(&word(ReceiptKind::Delivered, 5, 100, &[]));
        assert_eq!(best.covers(3, 100), None);
        assert_eq!(best.covers(3, 101), Some(100));
        assert_eq!(best.covers(3, 0), Some(100));
    }

    #[test]
    fn what_expired_while_it_was_lacking_was_never_delivered() {
        let mut best = Best::default();
        best.take(&word(ReceiptKind::Delivered, 5, 100, &[(3, 3)]));
        // Number 3 expires at 150: later receipts do not speak of it any more.
        best.take(&word(ReceiptKind::Delivered, 5, 200, &[]));
        assert_eq!(best.covers(3, 150), None);
        assert_eq!(best.covers(3, 201), Some(200));
    }

    #[test]
    fn marks_are_bounded_and_never_too_early() {
        let mut best = Best::default();
        for number in 1..=10_000 {
            best.take(&word(ReceiptKind::Delivered, number, number * 10, &[]));
            assert!(best.marks.len() <= MAX_MARKS);
        }
        for number in 1..=10_000 {
            assert!(best.covers(number, u64::MAX).unwrap() >= number * 10);
        }
        assert_eq!(best.covers(10_000, u64::MAX), Some(100_000));
    }

    #[test]
    fn a_lying_member_cannot_make_a_row_too_long() {
        let mut best = Best::default();
        let mut number = 0;
        let mut lacking = std::collections::BTreeSet::new();
        for n in 0..200_u64 {
            let lacks: Vec<(u64, u64)> = (0..256)
                .map(|k| number + 2 * k + 1)
                .map(|n| (n, n))
                .collect();
            lacking.extend(lacks.iter().map(|(from, _)| *from));
            number += 512;
            best.take(&word(ReceiptKind::Delivered, number, n + 1, &lacks));
            // What came with a later receipt has its time or goes on counting as lacking.
            assert!(best.encode().len() < 16 * 1024, "{} receipts", n + 1);
            assert_eq!(Best::decode(&best.encode()).as_ref(), Some(&best));
        }
        assert!(
            lacking
                .iter()
                .all(|n| best.covers(*n, 0) != Some(n / 512 + 1))
        );
        assert_eq!(best.covers(number, 0), Some(200));
    }

    #[test]
    fn a_row_of_before_the_bound_is_read_within_it() {
        let mut best = Best::default();
        best.take(&word(ReceiptKind::Delivered, 10_000, 1, &[]));
        let mut row = best.encode();
        for n in (1..=4_000_u64).map(|n| 2 * n) {
            row.extend_from_slice(&n.to_be_bytes());
            row.extend_from_slice(&n.to_be_bytes());
        }
        let read = Best::decode(&row).unwrap();
        assert_eq!(read.exceptions.len(), MAX_EXCEPTIONS);
        assert!((1..=4_000).all(|n| read.covers(2 * n, 0).is_none()));
        assert_eq!(read.covers(1, 0), Some(1));
        assert!(read.encode().len() < row.len());
    }

    #[test]
    fn refusals_come_back() {
        let row = RefusedRow {
            number: 4,
            code: 6,
            retry: 9,
            at: 1,
            author: [3; 32],
            node: true,
            text: "quota".into(),
        };
        assert_eq!(RefusedRow::decode(&row.encode()), Some(row));
    }
}
