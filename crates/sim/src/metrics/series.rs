//! What happened when: at most 240 columns of time that double their width when a run outlasts
//! them.

use machine::Time;

use super::limits::COLUMNS;

/// Widths that a reader can name, in milliseconds; one of them is the width at the beginning.
const WIDTHS_MS: [u64; 24] = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000,
    120_000, 300_000, 600_000, 1_200_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000,
];

/// How much waited, as far as it was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// How often it was looked at.
    pub samples: u64,
    /// The sum of what was seen, in bytes.
    pub sum: u64,
    /// The most that was seen, in bytes.
    pub max: u64,
}

impl Depth {
    /// The mean, in bytes.
    #[must_use]
    pub const fn mean(&self) -> u64 {
        match self.sum.checked_div(self.samples) {
            Some(mean) => mean,
            None => 0,
        }
    }

    fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }
}

/// What happened in one stretch of time. Pairs are persons, then core nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Items of the event queue that were processed.
    pub events: u64,
    /// Messages stored at their authors'.
    pub written: u64,
    /// Deliveries that there should be of what was written here, now or later.
    pub expected: u64,
    /// Messages shown to a recipient.
    pub shown: u64,
    /// Messages that the author's own node declined.
    pub refused: u64,
    /// Letters sent to one node.
    pub mail_sent: u64,
    /// Letters that arrived.
    pub mail_arrived: u64,
    /// Bytes of frames that left.
    pub bytes: [u64; 2],
    /// What waited on the links of a node.
    pub queue: [Depth; 2],
    /// Commits that became durable.
    pub commits: u64,
    /// Bytes of them.
    pub commit_bytes: u64,
    /// Dials that led to a link.
    pub dials_ok: u64,
    /// Dials that did not.
    pub dials_failed: u64,
    /// Faults, also those that are not listed.
    pub faults: u64,
    /// How many more are online at the end than at the beginning.
    pub online_change: i64,
    /// Time for which these were online within the column, in microseconds.
    pub online_us: i64,
}

impl Column {
    /// Adds what happened in the same stretch elsewhere.
    fn add(&mut self, other: &Self) {
        self.events += other.events;
        self.written += other.written;
        self.expected += other.expected;
        self.shown += other.shown;
        self.refused += other.refused;
        self.mail_sent += other.mail_sent;
        self.mail_arrived += other.mail_arrived;
        for slot in 0..2 {
            self.bytes[slot] += other.bytes[slot];
            self.queue[slot].add(&other.queue[slot]);
        }
        self.commits += other.commits;
        self.commit_bytes += other.commit_bytes;
        self.dials_ok += other.dials_ok;
        self.dials_failed += other.dials_failed;
        self.faults += other.faults;
        self.online_change += other.online_change;
        self.online_us += other.online_us;
    }

    /// Adds what happened in the next stretch, which is `width_us` long.
    fn append(&mut self, next: &Self, width_us: u64) {
        let width = i64::try_from(width_us).unwrap_or(i64::MAX);
        let stay = self.online_change.saturating_mul(width);
        self.online_us = self.online_us.saturating_add(stay);
        self.add(next);
    }
}

/// The columns of a run, each as wide as the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    width_us: u64,
    columns: Vec<Column>,
    /// How many columns anything was written to, counted from the first.
    used: usize,
}

impl Series {
    /// For a run of this length, in milliseconds, if it keeps to it.
    pub(crate) fn new(length_ms: u64) -> Self {
        let wanted = length_ms.div_ceil(COLUMNS as u64);
        let width = WIDTHS_MS.iter().find(|width| **width >= wanted);
        let width_ms = width.copied().unwrap_or(wanted);
        Self {
            width_us: width_ms.saturating_mul(1000),
            columns: vec![Column::default(); COLUMNS],
            used: 0,
        }
    }

    /// The column of a time.
    pub(crate) fn at(&mut self, now: Time) -> &mut Column {
        let mut at = now.as_micros() / self.width_us;
        while at >= COLUMNS as u64 {
            self.double();
            at = now.as_micros() / self.width_us;
        }
        self.used = self.used.max(at as usize + 1);
        &mut self.columns[at as usize]
    }

    /// Counts people who come online, or go with a negative number.
    pub(crate) fn online(&mut self, now: Time, change: i32) {
        let column = self.at(now);
        column.online_change += i64::from(change);
        let left = self.width_us - now.as_micros() % self.width_us;
        let area = i64::from(change).saturating_mul(i64::try_from(left).unwrap_or(i64::MAX));
        let column = self.at(now);
        column.online_us = column.online_us.saturating_add(area);
    }

    fn double(&mut self) {
        for at in 0..COLUMNS {
            let mut column = self.columns.get(2 * at).copied().unwrap_or_default();
            if let Some(next) = self.columns.get(2 * at + 1) {
                column.append(next, self.width_us);
            }
            self.columns[at] = column;
        }
        self.used = self.used.div_ceil(2);
        self.width_us = self.width_us.saturating_mul(2);
    }

    /// Adds what happened elsewhere in the same run.
    pub(crate) fn merge(mut self, mut other: Self) -> Self {
        while self.width_us < other.width_us {
            self.double();
        }
        while other.width_us < self.width_us {
            other.double();
        }
        for (mine, theirs) in self.columns.iter_mut().zip(&other.columns) {
            mine.add(theirs);
        }
        self.used = self.used.max(other.used);
        self
    }

    /// The width of a column, in microseconds.
    #[must_use]
    pub const fn width_us(&self) -> u64 {
        self.width_us
    }

    /// The columns from the beginning up to the last to which anything was written.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns[..self.used]
    }

    /// How many people were online in each column on average, in thousandths of a person.
    #[must_use]
    pub fn online_permille(&self) -> Vec<u64> {
        let width = i128::from(self.width_us);
        let mut before = 0_i128;
        let mut means = Vec::with_capacity(self.used);
        for column in self.columns() {
            let mean = before * 1000 + i128::from(column.online_us) * 1000 / width;
            means.push(u64::try_from(mean).unwrap_or(0));
            before += i128::from(column.online_change);
        }
        means
    }

    /// The sum of all columns.
    #[must_use]
    pub fn total(&self) -> Column {
        let mut total = Column::default();
        for column in self.columns() {
            total.add(column);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, Series};
    use machine::Time;

    #[test]
    fn a_longer_run_doubles_the_width_and_loses_nothing() {
        let mut series = Series::new(240);
        assert_eq!(series.width_us(), 1_000);
        for ms in 0..2_000 {
            series.at(Time::from_micros(ms * 1_000)).events += 1;
        }
        assert_eq!(series.width_us(), 16_000);
        assert_eq!(series.columns().len(), 125);
        assert!(series.columns().iter().all(|column| column.events == 16));
        assert_eq!(series.total().events, 2_000);
    }

    #[test]
    fn the_end_of_time_has_a_column() {
        let mut series = Series::new(0);
        series.at(Time::ZERO).events += 1;
        series.at(Time::from_micros(u64::MAX)).events += 1;
        assert!(series.columns().len() <= COLUMNS);
        assert_eq!(series.total().events, 2);
    }

    #[test]
    fn the_width_at_the_beginning_holds_the_planned_length() {
        for length in [
            1,
            240,
            241,
            10_000,
            3_600_000,
            86_400_000,
            90_000_000,
            u64::MAX / 2_000,
        ] {
            let series = Series::new(length);
            let held = u128::from(series.width_us()) * COLUMNS as u128;
            assert!(held >= u128::from(length) * 1000, "{length}");
        }
    }

    #[test]
    fn people_online_are_averaged_over_each_column_also_after_doubling() {
        let mut series = Series::new(240);
        series.online(Time::from_micros(500), 2);
        series.online(Time::from_micros(3_000), -1);
        series.at(Time::from_micros(3_999)).events += 1;
        assert_eq!(series.online_permille(), [1_000, 2_000, 2_000, 1_000]);
        series.at(Time::from_micros(240_000)).events += 1;
        assert_eq!(series.online_permille()[..3], [1_500, 1_500, 1_000]);
    }

    #[test]
    fn merging_brings_both_to_the_greater_width() {
        let (mut a, mut b) = (Series::new(240), Series::new(240));
        a.at(Time::from_micros(7_000)).shown += 1;
        a.online(Time::from_micros(1_500), 1);
        b.at(Time::from_micros(900_000)).shown += 2;
        b.online(Time::from_micros(2_000), 1);
        let one = a.clone().merge(b.clone());
        assert_eq!(one, b.merge(a));
        assert_eq!(one.width_us(), 4_000);
        assert_eq!(one.total().shown, 3);
        assert_eq!(one.online_permille()[..2], [1_125, 2_000]);
    }
}
