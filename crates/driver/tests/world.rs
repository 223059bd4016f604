//! A machine that does what it is told, a disk behind a gate, and a host that reports.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant},
};

use driver::{
    Ending, Handle, Host, Node, Opened, Options,
    record::{Digest, Recordable},
    start,
};
use machine::{
    Base, Batch, ContentEffect, ContentName, Cx, Effect, Machine, MemoryBase, Outbox, Ports,
    ReadFailed, Row, Table, Time,
};

/// No test waits longer for what must happen.
pub(crate) const GUARD: Duration = Duration::from_secs(20);

/// How long a test looks on to see that nothing happens.
pub(crate) const QUIET: Duration = Duration::from_millis(100);

pub(crate) const ROWS: Table = Table::new(1, "rows");

/// The numbers of all [`Do::Panic`] that machines of this process have got to.
static PANICS: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

/// Waits until a machine is about to panic with this number, which no other test uses.
pub(crate) fn panicking(n: u64) {
    let begin = Instant::now();
    while !PANICS.lock().expect("whole").contains(&n) {
        assert!(begin.elapsed() < GUARD, "no machine panics");
        std::thread::yield_now();
    }
}

/// What the machine is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Do {
    /// Stage a row and say so.
    Write(u64),
    /// Say something without staging.
    Say(u64),
    /// Put out one output of each class, after staging a row.
    All(u64),
    /// Ask for a check that takes its time and gives back `Say`.
    Check(u64),
    /// Ask for a check that panics.
    BadCheck,
    /// Say how many rows there are, and a random number.
    Count,
    /// Panic after staging a row.
    Panic(u64),
    /// Want so many turns for deadlines of now.
    Work(u64),
    /// Want a turn after so many milliseconds.
    Wake(u64),
}

/// What the machine says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Began(u64),
    Wrote(u64),
    Heard(u64),
    Counted(usize, u64),
    Worked,
    Woke,
    Verbatim(u64),
    Advisory(u64),
    Content(u64),
    Ended(Ending),
}

#[derive(Debug)]
pub(crate) struct Wires;

#[derive(Debug)]
pub(crate) struct Verbatim(u64);

#[derive(Debug)]
pub(crate) enum Advisory {
    Note(u64),
    Check(u64),
    BadCheck,
}

impl Ports for Wires {
    type Held = Said;
    type Verbatim = Verbatim;
    type Advisory = Advisory;
}

/// See [`Do`].
#[derive(Debug, Default)]
pub(crate) struct Obedient {
    pub(crate) work: u64,
    pub(crate) wake: Option<Time>,
    /// Something that no record knows of.
    pub(crate) whim: u64,
}

impl Machine for Obedient {
    type Input = Do;
    type Output = Effect<Wires>;

    fn handle(&mut self, cx: &mut Cx<'_>, input: Do, out: &mut Outbox<Effect<Wires>>) {
        match input {
            Do::Write(n) => {
                cx.store.put(ROWS, n.to_be_bytes(), []);
                out.push(Effect::Held(Said::Wrote(n)));
            }
            Do::Say(n) => out.push(Effect::Held(Said::Heard(n + self.whim))),
            Do::All(n) => {
                cx.store.put(ROWS, n.to_be_bytes(), []);
                out.push(Effect::Held(Said::Wrote(n)));
                out.push(Effect::Verbatim(Verbatim(n)));
                out.push(Effect::Advisory(Advisory::Note(n)));
                let name = ContentName([u8::try_from(n).expect("small"); 32]);
                let (at, len) = (0, 1);
                out.push(Effect::Content(ContentEffect::Read { name, at, len }));
            }
            Do::Check(n) => out.push(Effect::Advisory(Advisory::Check(n))),
            Do::BadCheck => out.push(Effect::Advisory(Advisory::BadCheck)),
            Do::Count => {
                let rows = cx.store.prefix(ROWS, &[], 1000).len();
                out.push(Effect::Held(Said::Counted(rows, cx.rng.next_u64())));
            }
            Do::Panic(n) => {
                cx.store.put(ROWS, n.to_be_bytes(), []);
                PANICS.lock().expect("whole").insert(n);
                panic!("told to");
            }
            Do::Work(turns) => self.work = turns,
            Do::Wake(millis) => self.wake = Some(cx.now.after(Duration::from_millis(millis))),
        }
    }

    fn on_deadline(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Effect<Wires>>) {
        if self.work > 0 {
            self.work -= 1;
            if self.work == 0 {
                out.push(Effect::Held(Said::Worked));
            }
        }
        if self.wake.is_some_and(|wake| wake <= cx.now) {
            self.wake = None;
            out.push(Effect::Held(Said::Woke));
        }
    }

    fn deadline(&self) -> Option<Time> {
        if self.work > 0 {
            Some(Time::ZERO)
        } else {
            self.wake
        }
    }
}

/// Reports what leaves the node, and carries out checks.
pub(crate) struct Ear {
    said: Sender<Said>,
    handle: Handle<Do>,
}

impl Ear {
    fn tell(&self, said: Said) {
        // A test that has seen enough listens no more.
        let _ = self.said.send(said);
    }
}

impl Host<Wires> for Ear {
    fn held(&mut self, said: Said) {
        self.tell(said);
    }

    fn verbatim(&mut self, Verbatim(n): Verbatim) {
        self.tell(Said::Verbatim(n));
    }

    fn advisory(&mut self, advisory: Advisory) {
        match advisory {
            Advisory::Note(n) => self.tell(Said::Advisory(n)),
            Advisory::BadCheck => self.handle.check(|| panic!("a bad check")),
            Advisory::Check(n) => self.handle.check(move || {
                // Later ones are quicker, so that the order has to be made.
                let rounds = 2_000 / (1 + n % 7);
                let work = (0..rounds).fold(n, |sum, round| std::hint::black_box(sum ^ round));
                std::hint::black_box(work);
                Do::Say(n)
            }),
        }
    }

    fn content(&mut self, effect: ContentEffect) {
        let ContentEffect::Read { name, .. } = effect else {
            panic!("only reads are asked for")
        };
        self.tell(Said::Content(u64::from(name.0[0])));
    }

    fn began(&mut self, life: u64) {
        self.tell(Said::Began(life));
    }

    fn ended(&mut self, ending: &Ending, _: Option<Duration>) {
        self.tell(Said::Ended(ending.clone()));
    }
}

/// Does nothing with what leaves the node.
pub(crate) struct Silent;

impl Host<Wires> for Silent {
    fn held(&mut self, _: Said) {}
    fn verbatim(&mut self, _: Verbatim) {}
    fn advisory(&mut self, _: Advisory) {}
    fn content(&mut self, _: ContentEffect) {}
}

/// A disk in memory whose commits wait for leave.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<MemoryBase>>);

impl Disk {
    pub(crate) fn rows(&self) -> Vec<u64> {
        let base = self.0.lock().expect("whole");
        base.rows()
            .map(|(_, key, _)| u64::from_be_bytes(key.try_into().expect("a number")))
            .collect()
    }
}

impl Base for Disk {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        self.0.lock().expect("whole").get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        range: (&[u8], &[u8]),
        limit: usize,
        back: bool,
    ) -> Result<Vec<Row>, ReadFailed> {
        self.0
            .lock()
            .expect("whole")
            .scan(table, range, limit, back)
    }
}

/// Whether a group of batches may land.
pub(crate) enum Leave {
    Land,
    Fail,
}

/// The other side of the gate before a disk.
pub(crate) struct Gate {
    /// A commit has come to the gate, with the numbers of its batches.
    pub(crate) knocks: Receiver<Vec<u64>>,
    leave: Sender<Leave>,
}

impl Gate {
    /// Waits for a commit to come, and lets it through.
    pub(crate) fn open(&self) -> Vec<u64> {
        self.answer(Leave::Land)
    }

    pub(crate) fn fail(&self) -> Vec<u64> {
        self.answer(Leave::Fail)
    }

    fn answer(&self, leave: Leave) -> Vec<u64> {
        let batches = self.knocks.recv_timeout(GUARD).expect("a commit comes");
        self.leave.send(leave).expect("it waits");
        batches
    }

    /// Lets the commit through that has knocked.
    pub(crate) fn land(&self) {
        self.leave.send(Leave::Land).expect("it waits");
    }

    /// Fails the commit that has knocked.
    pub(crate) fn refuse(&self) {
        self.leave.send(Leave::Fail).expect("it waits");
    }
}

/// The disk's side of a [`Gate`].
type GateEnd = (Sender<Vec<u64>>, Receiver<Leave>);

type Committing = Box<dyn FnMut(&[Arc<Batch>]) -> Result<(), String> + Send>;

fn gated(disk: &Disk, gate: &Arc<Mutex<Option<GateEnd>>>) -> Committing {
    let (disk, gate) = (disk.clone(), Arc::clone(gate));
    Box::new(move |batches| {
        let leave = match &*gate.lock().expect("whole") {
            None => Leave::Land,
            Some((knock, leave)) => {
                let numbers = batches.iter().map(|batch| batch.number).collect();
                // With the test's end of the gate gone, everything fails.
                knock
                    .send(numbers)
                    .ok()
                    .and_then(|()| leave.recv().ok())
                    .unwrap_or(Leave::Fail)
            }
        };
        match leave {
            Leave::Fail => Err("the test said so".to_owned()),
            Leave::Land => {
                for batch in batches {
                    disk.0.lock().expect("whole").apply(batch);
                }
                Ok(())
            }
        }
    })
}

/// A node under test.
pub(crate) struct World {
    pub(crate) node: Node<Do>,
    pub(crate) handle: Handle<Do>,
    pub(crate) said: Receiver<Said>,
    pub(crate) disk: Disk,
}

impl World {
    /// A node whose commits land at once.
    pub(crate) fn new(options: Options<Do, Wires>) -> Self {
        Self::with(options, None)
    }

    /// A node whose commits wait at a gate.
    pub(crate) fn gated(options: Options<Do, Wires>) -> (Self, Gate) {
        let (knock, knocks) = channel();
        let (leave, leaves) = channel();
        (
            Self::with(options, Some((knock, leaves))),
            Gate { knocks, leave },
        )
    }

    fn with(options: Options<Do, Wires>, gate: Option<GateEnd>) -> Self {
        let disk = Disk::default();
        let gate = Arc::new(Mutex::new(gate));
        let (sender, said) = channel();
        let base = disk.clone();
        let open = move |_| {
            Ok(Opened::new(
                Obedient::default(),
                base.clone(),
                gated(&base, &gate),
            ))
        };
        let node = start(options, open, move |handle| Ear {
            said: sender,
            handle,
        });
        let node = node.expect("threads can be had");
        let world = Self {
            handle: node.handle(),
            node,
            said,
            disk,
        };
        assert_eq!(world.next(), Said::Began(1));
        world
    }

    pub(crate) fn tell(&self, input: Do) {
        self.handle.send_blocking(input, 8).expect("it runs");
    }

    pub(crate) fn next(&self) -> Said {
        self.said.recv_timeout(GUARD).expect("something is said")
    }

    pub(crate) fn quiet(&self) {
        if let Ok(said) = self.said.recv_timeout(QUIET) {
            panic!("nothing should have left, but: {said:?}");
        }
    }
}

impl Recordable for Do {
    fn encode(&self, bytes: &mut Vec<u8>) {
        let (kind, n) = match *self {
            Self::Write(n) => (0, n),
            Self::Say(n) => (1, n),
            Self::All(n) => (2, n),
            Self::Check(n) => (3, n),
            Self::BadCheck => (4, 0),
            Self::Count => (5, 0),
            Self::Panic(n) => (6, n),
            Self::Work(n) => (7, n),
            Self::Wake(n) => (8, n),
        };
        bytes.push(kind);
        bytes.extend_from_slice(&n.to_be_bytes());
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, n) = bytes.split_first()?;
        let n = u64::from_be_bytes(n.try_into().ok()?);
        Some(match kind {
            0 => Self::Write(n),
            1 => Self::Say(n),
            2 => Self::All(n),
            3 => Self::Check(n),
            4 => Self::BadCheck,
            5 => Self::Count,
            6 => Self::Panic(n),
            7 => Self::Work(n),
            8 => Self::Wake(n),
            _ => return None,
        })
    }
}

macro_rules! debug_digest {
    ($($output:ty)*) => { $(
        impl Digest for $output {
            fn digest(&self, into: &mut dyn FnMut(&[u8])) {
                driver::record::digest_debug(self, into);
            }
        }
    )* };
}

debug_digest!(Said Verbatim Advisory);
