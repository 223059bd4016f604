//! Commits that were durable and are gone: how that is noticed when a home is opened.

use crate::journal::Scan;
use crate::{HISTORY, Head};
use std::collections::BTreeMap;
use std::fmt;

/// Commits that were durable and are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last commit before it.
    pub held: u64,
    /// The first commit that is gone.
    pub first: u64,
    /// The last commit that is known to be gone; there may have been more.
    pub last: u64,
    /// Where and how it was noticed, in words.
    pub place: String,
    /// Tables that already hold parts of the lost commits.
    pub ahead: Vec<String>,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "commits {} to {} are lost: {}",
            self.first, self.last, self.place
        )?;
        if !self.ahead.is_empty() {
            write!(f, "; parts of them remain in {}", self.ahead.join(", "))?;
        }
        Ok(())
    }
}

/// The newest commit is always in a journal as long as there is one with anything in it.
pub(crate) fn ahead_of_journals(scan: &Scan, head: Head) -> Option<Gap> {
    let last = scan.last?;
    (head.number > last.number).then(|| Gap {
        held: last.number,
        first: last.number + 1,
        last: head.number,
        place: "the journals end before the tables do".to_owned(),
        ahead: Vec::new(),
    })
}

pub(crate) fn behind_note(head: Head, noted: Option<Head>) -> Option<Gap> {
    let noted = noted?;
    let place = if noted.number > head.number {
        format!("it was closed at {noted} and begins at {head}")
    } else if noted.number == head.number && noted.hash != head.hash {
        format!("it was closed at {noted} and holds another {head}")
    } else {
        return None;
    };
    let held = head.number.min(noted.number.saturating_sub(1));
    Some(Gap {
        held,
        first: held + 1,
        last: noted.number,
        place,
        ahead: Vec::new(),
    })
}

pub(crate) fn hole(rows: &BTreeMap<u64, [u8; 32]>, known: u64) -> Option<Gap> {
    let (head, _) = rows.last_key_value()?;
    let mut expected = head.saturating_sub(HISTORY - 1).max(known);
    let mut numbers = rows.range(expected..).map(|(number, _)| *number);
    numbers.find_map(|number| {
        let first = expected;
        expected = number + 1;
        (first < number).then(|| Gap {
            held: first.saturating_sub(1),
            first,
            last: number - 1,
            place: format!(
                "the list of commits has nothing from {first} to {}",
                number - 1
            ),
            ahead: Vec::new(),
        })
    })
}

/// As the note of a gap is kept until it is settled.
pub(crate) fn to_text(gap: &Gap) -> String {
    let place = gap.place.replace('\n', " ");
    format!(
        "{} {} {}\n{place}\n{}",
        gap.held,
        gap.first,
        gap.last,
        gap.ahead.join(" ")
    )
}

pub(crate) fn from_text(row: &[u8]) -> Option<Gap> {
    let text = std::str::from_utf8(row).ok()?;
    let mut lines = text.lines();
    let mut numbers = lines.next()?.split(' ').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(Gap {
        held: next()?,
        first: next()?,
        last: next()?,
        place: lines.next()?.to_owned(),
        ahead: lines
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    })
}
