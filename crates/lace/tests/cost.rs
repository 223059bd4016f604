//! What an admission costs: rows that are read, and time.

use crate::world::{Pair, Replica, content, control, follow, without_body};
use lace::Admission;
use machine::{Base, MemoryBase, ReadFailed, Staged, Table};
use std::cell::Cell;
use wire::{Checked, Item, Verified};

/// Counts the rows that are read of a store.
pub(crate) struct Counting<'a> {
    base: &'a MemoryBase,
    reads: Cell<usize>,
}

impl<'a> Counting<'a> {
    pub(crate) const fn new(base: &'a MemoryBase) -> Self {
        Self {
            base,
            reads: Cell::new(0),
        }
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.get()
    }
}

impl Base for Counting<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        self.reads.set(self.reads.get() + 1);
        self.base.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        range: (&[u8], &[u8]),
        limit: usize,
        back: bool,
    ) -> Result<Vec<machine::Row>, ReadFailed> {
        let rows = self.base.scan(table, range, limit, back)?;
        self.reads.set(self.reads.get() + rows.len().max(1));
        Ok(rows)
    }
}

pub(crate) fn counted<R>(base: &Counting<'_>, f: impl FnOnce(&mut Staged<'_>) -> R) -> R {
    Staged::look(base, f).expect("memory can be read")
}

/// How many rows the admission of this envelope reads. What it writes is dropped, so the replica
/// is of no use afterwards.
fn reads(mut replica: Replica, verified: &Checked<Verified>) -> usize {
    let counting = Counting::new(replica.world.base());
    let lace = &mut replica.lace;
    let report = counted(&counting, |store| lace.admit(store, verified.clone()));
    assert!(
        matches!(report.as_slice(), [(_, Admission::Admitted { .. })]),
        "{report:?}"
    );
    counting.reads()
}

#[test]
fn content_costs_no_read_for_its_view() {
    let pair = Pair::new(300);
    let sealing = [Item::Sealing(pair.topic.invite.sealing)];
    let grant = pair.topic.founder_grant();
    let header = follow(pair.topic.header(grant), Some(&pair.invited), &[]);
    let fact = control(header, &sealing, &pair.author);
    let one = pair.says(&pair.joined, &[], "1");
    let answer = pair.founder_says(&fact, &[&one], "answer");
    let two = pair.says(&one, &[&answer], "2");
    let replica = || {
        let mut replica = pair.replica(1);
        for verified in [&fact, &one, &answer, &two] {
            replica.admitted(verified);
        }
        replica
    };
    // Whether the envelope is here already: that is read for each.
    assert_eq!(reads(replica(), &pair.says(&two, &[], "3")), 1);
    assert_eq!(
        reads(replica(), &without_body(&pair.says(&two, &[], "3"))),
        1
    );
    // The tips of others are in memory.
    assert_eq!(reads(replica(), &pair.says(&two, &[&answer], "3")), 1);
    let next = pair.founder_says(&answer, &[&two], "next");
    assert_eq!(
        reads(replica(), &next),
        1,
        "another view, which includes its own"
    );
    // Where an older one is has to be read, and nothing for its view.
    assert_eq!(reads(replica(), &pair.says(&two, &[&pair.invited], "3")), 2);
    assert_eq!(
        reads(replica(), &pair.says(&two, &[&fact, &pair.first], "3")),
        3
    );
}

fn chain(len: usize) -> (Pair, Vec<Checked<Verified>>) {
    let pair = Pair::new(301);
    let mut all: Vec<Checked<Verified>> = Vec::new();
    let (mut a, mut b) = (pair.invited.clone(), pair.joined.clone());
    for _ in 0..len / 2 {
        let header = follow(
            pair.topic.header(pair.topic.founder_grant()),
            Some(&a),
            &[&b],
        );
        a = content(header, &[7; 200], &pair.author);
        let header = follow(pair.topic.header(pair.topic.grant), Some(&b), &[&a]);
        b = content(header, &[7; 200], &pair.guest);
        all.extend([a.clone(), b.clone()]);
    }
    (pair, all)
}

/// Prints what the admission of content costs, two authors who answer one another.
#[test]
#[ignore = "prints figures for people; run with --ignored --nocapture"]
#[expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it measures"
)]
fn throughput() {
    let (pair, all) = chain(4_000);
    let mut best = u128::MAX;
    for round in 0..40 {
        let mut replica = pair.replica(round);
        let copies: Vec<Checked<Verified>> = all.clone();
        let before = std::time::Instant::now();
        for verified in copies {
            let report = replica.run(|lace, store| lace.admit(store, verified));
            assert_eq!(report.len(), 1);
        }
        best = best.min(before.elapsed().as_nanos() / all.len() as u128);
    }
    println!("admission of content: {best} ns each");
}
