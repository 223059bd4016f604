//! Turn, commit, release.

use crate::planted::{Bug, is};
use crate::staged::Used;
use crate::{
    Base, ContentEffect, Cx, Effect, MAX_BATCH, MAX_BATCHES_IN_FLIGHT, MAX_OUTPUTS_PER_TURN,
    MAX_READS_PER_TURN, MAX_STAGED_PER_TURN, Outbox, Overlay, Ports, ReadFailed, Rng, Staged,
    Table, Time, WallTime,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use thiserror::Error;

/// An engine, or a node made of engines.
pub trait Machine {
    /// Everything that can change it.
    type Input;
    /// What it puts out. That of a whole node is [`Effect`].
    type Output;

    /// Takes one input. A bad peer becomes an output, never an error or a panic.
    fn handle(&mut self, cx: &mut Cx<'_>, input: Self::Input, out: &mut Outbox<Self::Output>);

    /// Does what is due at `cx.now`.
    fn on_deadline(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Self::Output>);

    /// When [`Machine::on_deadline`] is wanted next. A time that has passed asks for another turn
    /// at once: this is how long work is cut into bounded turns.
    fn deadline(&self) -> Option<Time>;
}

/// What begins a turn.
#[derive(Debug)]
pub enum Event<I> {
    /// The first turn of a life; the machine loads what it needs in [`Machine::on_deadline`].
    Input(I),
    /// A deadline has come.
    Deadline,
}

/// The writes of one or several turns, to be made durable together or not at all.
#[derive(Debug, PartialEq, Eq)]
pub struct Batch {
    /// Counts up from 1 in each life.
    pub number: u64,
    /// The last turn whose writes it holds.
    pub last_turn: u64,
    /// The writes in the order of table and key, at most one a key; no value means removal.
    pub writes: Vec<(Table, Vec<u8>, Option<Vec<u8>>)>,
}

/// An output that leaves at once.
#[derive(Debug)]
pub enum Exempt<P: Ports> {
    /// See [`Effect::Verbatim`].
    Verbatim(P::Verbatim),
    /// See [`Effect::Advisory`].
    Advisory(P::Advisory),
    /// See [`Effect::Content`].
    Content(ContentEffect),
}

/// Why a life of a node ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The store could not be read.
    #[error("the store could not be read: {0}")]
    Read(#[from] ReadFailed),
    /// A commit failed; what it held was never asserted to anybody.
    #[error("the store could not be written: {0}")]
    Commit(String),
}

/// What a turn used, for the simulator's checks and for logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TurnUse {
    /// Rows read.
    pub reads: u64,
    /// Bytes staged.
    pub staged: u64,
    /// Outputs made.
    pub outputs: usize,
}

/// One machine, its store, and the release rule. It does no I/O: the driver and the simulator take
/// batches from it, report their completion, and carry out what it releases.
#[derive(Debug)]
pub struct Kernel<M, P: Ports, B> {
    machine: M,
    base: B,
    overlay: Overlay,
    rng: Rng,
    now: Time,
    turn: u64,
    last_dirty: u64,
    durable: u64,
    group: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>,
    group_bytes: u64,
    group_turn: u64,
    batches: u64,
    in_flight: VecDeque<Arc<Batch>>,
    held: VecDeque<(u64, P::Held)>,
    exempt: VecDeque<Exempt<P>>,
    fault: Option<Fault>,
    last_use: TurnUse,
    #[cfg(feature = "planted")]
    hold_nothing: bool,
}

impl<M, P, B> Kernel<M, P, B>
where
    M: Machine<Output = Effect<P>>,
    P: Ports,
    B: Base,
{
    /// A machine at the start of a life, over what is committed. `rng` comes from fresh entropy.
    pub fn new(machine: M, base: B, rng: Rng) -> Self {
        Self {
            machine,
            base,
            overlay: Overlay::default(),
            rng,
            now: Time::ZERO,
            turn: 0,
            last_dirty: 0,
            durable: 0,
            group: BTreeMap::new(),
            group_bytes: 0,
            group_turn: 0,
            batches: 0,
            in_flight: VecDeque::new(),
            held: VecDeque::new(),
            exempt: VecDeque::new(),
            fault: None,
            last_use: TurnUse::default(),
            #[cfg(feature = "planted")]
            hold_nothing: false,
        }
    }

    /// Switches the release rule off, to show that the tests which guard it fail without it.
    #[cfg(feature = "planted")]
    pub fn plant_early_release(&mut self) {
        self.hold_nothing = true;
    }

    /// Runs one turn.
    ///
    /// # Errors
    /// [`Fault`] when the store could not be read or an earlier commit failed: this life is over
    /// and nothing of the turn is kept.
    ///
    /// # Panics
    /// When the exempt outputs of the turn before were not taken: a bug of the driver.
    pub fn turn(&mut self, now: Time, wall: WallTime, event: Event<M::Input>) -> Result<(), Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        assert!(
            self.exempt.is_empty(),
            "exempt outputs of the last turn were not taken"
        );
        // A host's monotonic clock may still step back across a suspend; machines never see it.
        self.now = self.now.max(now);
        self.turn += 1;
        let mut out = Outbox::new();
        let store = Staged::new(&self.base, &mut self.overlay, self.turn);
        let mut cx = Cx {
            now: self.now,
            wall,
            store,
            rng: &mut self.rng,
        };
        match event {
            Event::Input(input) => self.machine.handle(&mut cx, input, &mut out),
            Event::Deadline => self.machine.on_deadline(&mut cx, &mut out),
        }
        let Staged {
            writes,
            used,
            failed,
            ..
        } = cx.store;
        if let Some(failed) = failed {
            self.fault = Some(Fault::Read(failed.clone()));
            return Err(Fault::Read(failed));
        }
        self.note_use(used, out.len());
        self.stage(writes, used.staged);
        for effect in out.drain() {
            self.sort(effect);
        }
        Ok(())
    }

    fn note_use(&mut self, used: Used, outputs: usize) {
        self.last_use = TurnUse {
            reads: used.reads,
            staged: used.staged,
            outputs,
        };
        debug_assert!(
            used.reads <= MAX_READS_PER_TURN,
            "{} reads in one turn",
            used.reads
        );
        debug_assert!(
            used.staged <= MAX_STAGED_PER_TURN,
            "{} bytes in one turn",
            used.staged
        );
        debug_assert!(
            outputs <= MAX_OUTPUTS_PER_TURN,
            "{outputs} outputs in one turn"
        );
    }

    fn stage(&mut self, writes: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>>, bytes: u64) {
        if writes.is_empty() {
            return;
        }
        self.last_dirty = self.turn;
        self.group_turn = self.turn;
        self.group_bytes = self.group_bytes.saturating_add(bytes);
        self.group.extend(writes);
    }

    fn sort(&mut self, effect: Effect<P>) {
        match effect {
            Effect::Held(held) => {
                let at_once = is(Bug::DuplicateEarly) && self.last_dirty < self.turn;
                let needs = if at_once { 0 } else { self.last_dirty };
                self.held.push_back((needs, held));
            }
            Effect::Verbatim(verbatim) => self.exempt.push_back(Exempt::Verbatim(verbatim)),
            Effect::Advisory(advisory) => self.exempt.push_back(Exempt::Advisory(advisory)),
            Effect::Content(content) => self.exempt.push_back(Exempt::Content(content)),
        }
    }

    /// The next batch to make durable, if there is one and the pipeline has room. Batches must be
    /// committed in the order in which they are given out.
    pub fn take_batch(&mut self) -> Option<Arc<Batch>> {
        let room = self.in_flight.len() < MAX_BATCHES_IN_FLIGHT;
        if self.group.is_empty() || !room || self.fault.is_some() {
            return None;
        }
        self.batches += 1;
        let writes = std::mem::take(&mut self.group)
            .into_iter()
            .map(|((table, key), value)| (table, key, value))
            .collect();
        self.group_bytes = 0;
        let batch = Arc::new(Batch {
            number: self.batches,
            last_turn: self.group_turn,
            writes,
        });
        self.in_flight.push_back(Arc::clone(&batch));
        Some(batch)
    }

    /// Whether the driver should commit before it runs more turns.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.group_bytes >= MAX_BATCH
    }

    /// Whether everything staged so far is durable.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.group.is_empty() && self.in_flight.is_empty()
    }

    /// The oldest batch in flight, whose number this must be, is durable and visible to reads.
    ///
    /// # Panics
    /// When batches complete out of order: a bug of the driver.
    pub fn committed(&mut self, number: u64) {
        let batch = self
            .in_flight
            .pop_front()
            .expect("a batch was given out before it completes");
        assert_eq!(batch.number, number, "batches complete in order");
        for (table, key, _) in &batch.writes {
            self.overlay.settle(*table, key, batch.last_turn);
        }
        self.durable = batch.last_turn;
    }

    /// A commit failed: this life is over, and nothing that waits will ever be released.
    pub fn failed(&mut self, reason: String) {
        self.fault = Some(Fault::Commit(reason));
        self.held.clear();
        self.exempt.clear();
    }

    /// The next output whose reasons are durable.
    pub fn release(&mut self) -> Option<P::Held> {
        let ready = |(needs, _): &(u64, P::Held)| *needs <= self.durable;
        let place = match is(Bug::DuplicateEarly) {
            true => self.held.iter().position(ready)?,
            false => 0,
        };
        let waits = !ready(self.held.get(place)?) && !is(Bug::EarlyRelease);
        #[cfg(feature = "planted")]
        let waits = waits && !self.hold_nothing;
        if self.fault.is_some() || waits {
            return None;
        }
        self.held.remove(place).map(|(_, held)| held)
    }

    /// The next output that needs no reasons.
    pub fn exempt(&mut self) -> Option<Exempt<P>> {
        self.exempt.pop_front()
    }

    /// When the machine wants a turn of its own.
    pub fn deadline(&self) -> Option<Time> {
        self.machine.deadline()
    }

    /// What the last turn used.
    pub const fn last_use(&self) -> TurnUse {
        self.last_use
    }

    /// How many turns this life has had.
    pub const fn turns(&self) -> u64 {
        self.turn
    }

    /// The machine, for checkers.
    pub const fn machine(&self) -> &M {
        &self.machine
    }

    /// The committed data, for checkers.
    pub const fn base(&self) -> &B {
        &self.base
    }

    /// The committed data, for a simulated disk that applies a batch itself.
    pub const fn base_mut(&mut self) -> &mut B {
        &mut self.base
    }

    /// Ends this life and hands the committed data over to the next.
    pub fn into_base(self) -> B {
        self.base
    }
}
