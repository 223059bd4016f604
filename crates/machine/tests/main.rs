//! The release rule, over memory whose commits are held back.

use machine::test::TestKernel;
use machine::{
    ContentEffect, ContentName, Cx, Effect, Event, Exempt, Fault, Kernel, Machine, MemoryBase,
    Outbox, Ports, ReadFailed, Rng, Row, Table, Time, WallTime,
};

const ROWS: Table = Table::new(1, "rows");

#[derive(Debug)]
struct Speech;

impl Ports for Speech {
    type Held = String;
    type Verbatim = Vec<u8>;
    type Advisory = &'static str;
}

/// Writes what it is told and says so in every class of output.
#[derive(Debug, Default)]
struct Clerk {
    due: Option<Time>,
}

#[derive(Debug, Clone)]
enum Say {
    Write(u8),
    Erase(u8),
    Ask(u8),
    Later,
}

impl Machine for Clerk {
    type Input = Say;
    type Output = Effect<Speech>;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Say, out: &mut Outbox<Self::Output>) {
        match input {
            Say::Write(key) => {
                cx.store.put(ROWS, [key], [key]);
                out.push(Effect::Held(format!("wrote {key}")));
                out.push(Effect::Verbatim(vec![key]));
                out.push(Effect::Advisory("busy"));
                let (name, at, bytes) = (ContentName([key; 32]), 0, vec![key]);
                out.push(Effect::Content(ContentEffect::Write { name, at, bytes }));
            }
            Say::Erase(key) => {
                cx.store.delete(ROWS, [key]);
                out.push(Effect::Held(format!("erased {key}")));
            }
            Say::Ask(key) => {
                let there = cx.store.has(ROWS, &[key]);
                out.push(Effect::Held(format!("{key}: {there}")));
            }
            Say::Later => self.due = Some(cx.now),
        }
    }

    fn on_deadline(&mut self, _: &mut Cx<'_>, out: &mut Outbox<Self::Output>) {
        self.due = None;
        out.push(Effect::Held("later".into()));
    }

    fn deadline(&self) -> Option<Time> {
        self.due
    }
}

#[test]
fn nothing_of_a_turn_is_held_out_before_its_commit() {
    let mut test = TestKernel::new(Clerk::default(), 1);
    let left = test.input(Say::Write(1)).unwrap();
    assert_eq!(
        left.len(),
        3,
        "verbatim, advisory and content leave at once"
    );
    assert!(
        left.iter()
            .all(|exempt| !format!("{exempt:?}").contains("wrote"))
    );
    assert!(test.released().is_empty());
    test.commit();
    assert_eq!(test.released(), ["wrote 1"]);
}

#[test]
fn a_turn_that_staged_nothing_waits_for_those_before_it() {
    let mut test = TestKernel::new(Clerk::default(), 1);
    test.input(Say::Ask(1)).unwrap();
    assert_eq!(
        test.released(),
        ["1: false"],
        "nothing is in flight: it leaves at once"
    );
    test.input(Say::Write(1)).unwrap();
    test.input(Say::Ask(1)).unwrap();
    // A duplicate's answer would otherwise acknowledge what is not yet on disk.
    assert!(test.released().is_empty());
    test.commit();
    assert_eq!(test.released(), ["wrote 1", "1: true"]);
}

#[test]
fn batches_are_pipelined_and_release_in_turn_order() {
    let mut kernel = Kernel::new(Clerk::default(), MemoryBase::new(), Rng::from_seed([0; 32]));
    let turn = |kernel: &mut Kernel<_, Speech, _>, say| {
        kernel
            .turn(Time::ZERO, WallTime::from_millis(0), Event::Input(say))
            .unwrap();
        while kernel.exempt().is_some() {}
    };
    turn(&mut kernel, Say::Write(1));
    let first = kernel.take_batch().unwrap();
    turn(&mut kernel, Say::Write(2));
    let second = kernel.take_batch().unwrap();
    turn(&mut kernel, Say::Erase(1));
    assert!(kernel.take_batch().is_none(), "two in flight are enough");
    turn(&mut kernel, Say::Ask(1));
    kernel.base_mut().apply(&first);
    kernel.committed(1);
    assert_eq!(kernel.release().as_deref(), Some("wrote 1"));
    assert_eq!(kernel.release(), None);
    kernel.base_mut().apply(&second);
    kernel.committed(2);
    assert_eq!(kernel.release().as_deref(), Some("wrote 2"));
    assert_eq!(kernel.release(), None);
    let third = kernel.take_batch().unwrap();
    kernel.base_mut().apply(&third);
    kernel.committed(3);
    assert_eq!(kernel.release().as_deref(), Some("erased 1"));
    assert_eq!(kernel.release().as_deref(), Some("1: false"));
    assert!(kernel.is_settled());
}

#[test]
fn a_failed_commit_ends_the_life_and_a_new_one_sees_only_what_was_committed() {
    let mut test = TestKernel::new(Clerk::default(), 1);
    test.input(Say::Write(1)).unwrap();
    test.commit();
    test.input(Say::Write(2)).unwrap();
    let _lost = test.kernel.take_batch().unwrap();
    test.kernel.failed("disk full".into());
    assert_eq!(test.released(), Vec::<String>::new());
    let fault = test.input(Say::Ask(1)).unwrap_err();
    assert_eq!(fault, Fault::Commit("disk full".into()));
    let mut next = TestKernel::over(Clerk::default(), test.kernel.into_base(), 2);
    next.input(Say::Ask(1)).unwrap();
    next.input(Say::Ask(2)).unwrap();
    assert_eq!(next.released(), ["1: true", "2: false"]);
}

/// A medium that cannot be read.
#[derive(Debug)]
struct Broken;

impl machine::Base for Broken {
    fn get(&self, table: Table, _: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        Err(ReadFailed {
            table: table.name(),
            reason: "bad sector".into(),
        })
    }

    fn scan(
        &self,
        table: Table,
        _: (&[u8], &[u8]),
        _: usize,
        _: bool,
    ) -> Result<Vec<Row>, ReadFailed> {
        Err(ReadFailed {
            table: table.name(),
            reason: "bad sector".into(),
        })
    }
}

#[test]
fn a_read_that_fails_ends_the_life_before_anything_is_said() {
    let mut kernel = Kernel::new(Clerk::default(), Broken, Rng::from_seed([0; 32]));
    let fault = kernel
        .turn(
            Time::ZERO,
            WallTime::from_millis(0),
            Event::Input(Say::Ask(1)),
        )
        .expect_err("the medium is broken");
    assert!(matches!(fault, Fault::Read(_)));
    assert_eq!(kernel.release(), None);
    assert!(kernel.exempt().is_none());
}

#[test]
fn time_never_goes_back_for_a_machine() {
    let mut test = TestKernel::new(Clerk::default(), 1);
    test.now = Time::from_micros(50);
    test.input(Say::Later).unwrap();
    test.now = Time::from_micros(10);
    test.input(Say::Later).unwrap();
    assert_eq!(test.kernel.deadline(), Some(Time::from_micros(50)));
    let left = test.deadline().unwrap();
    assert!(
        left.iter()
            .all(|exempt| !matches!(exempt, Exempt::Content(_)))
    );
}

#[test]
fn reads_merge_staged_and_committed_rows_in_both_directions() {
    // Model: a plain map that applies every write at once.
    let mut rng = Rng::from_seed([3; 32]);
    let mut world = machine::test::World::new(3);
    let mut model = std::collections::BTreeMap::new();
    for _ in 0..300 {
        let writes: Vec<(u8, bool)> = (0..rng.below(6))
            .map(|_| (rng.below(20) as u8, rng.below(3) > 0))
            .collect();
        let (from, to) = (rng.below(20) as u8, rng.below(22) as u8);
        let limit = rng.below(8) as usize;
        let seen = world.turn(|cx| {
            for (key, keep) in &writes {
                if *keep {
                    cx.store.put(ROWS, [*key], [*key]);
                    model.insert(*key, *key);
                } else {
                    cx.store.delete(ROWS, [*key]);
                    model.remove(key);
                }
            }
            let ahead = cx.store.scan(ROWS, &[from], &[to], limit);
            let back = cx.store.scan_back(ROWS, &[from], &[to], limit);
            (ahead, back)
        });
        let range = || {
            model
                .range(from..to.max(from))
                .map(|(k, v)| (vec![*k], vec![*v]))
        };
        assert_eq!(seen.0, range().take(limit).collect::<Vec<_>>());
        assert_eq!(seen.1, range().rev().take(limit).collect::<Vec<_>>());
    }
}
