//! A kernel for tests: memory for a disk, a clock that is set by hand.

use crate::{
    Base, Batch, Cx, Effect, Event, Exempt, Fault, Kernel, Machine, MemoryBase, Outbox, Overlay,
    Ports, Rng, Staged, Time, WallTime,
};
use core::time::Duration;
use std::sync::Arc;

/// A store, a clock and randomness for trying one engine without a kernel: each call of
/// [`World::turn`] is one turn, committed at once.
#[derive(Debug)]
pub struct World {
    /// The engine's own time.
    pub now: Time,
    /// The host's clock.
    pub wall: WallTime,
    base: MemoryBase,
    rng: Rng,
    turns: u64,
    reads: u64,
}

impl World {
    /// A world whose randomness comes from `seed` and whose clock stands at 2026-11-20.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::over(MemoryBase::new(), seed)
    }

    /// A world over what another left behind: a restart.
    #[must_use]
    pub fn over(base: MemoryBase, seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        Self {
            now: Time::ZERO,
            wall: WallTime::from_millis(1_795_132_800_000),
            base,
            rng: Rng::from_seed(bytes),
            turns: 0,
            reads: 0,
        }
    }

    /// Runs one turn and commits what it staged.
    ///
    /// # Panics
    /// Never in practice: memory can always be read.
    pub fn turn<R>(&mut self, f: impl FnOnce(&mut Cx<'_>) -> R) -> R {
        self.turns += 1;
        let mut overlay = Overlay::default();
        let store = Staged::new(&self.base, &mut overlay, self.turns);
        let mut cx = Cx {
            now: self.now,
            wall: self.wall,
            store,
            rng: &mut self.rng,
        };
        let result = f(&mut cx);
        self.reads = self.reads.saturating_add(cx.store.used.reads);
        let writes = cx.store.writes;
        let writes = writes
            .into_iter()
            .map(|((table, key), value)| (table, key, value))
            .collect();
        self.base.apply(&Batch {
            number: self.turns,
            last_turn: self.turns,
            writes,
        });
        result
    }

    /// Lets time pass, on both clocks.
    pub fn pass(&mut self, duration: Duration) {
        self.now = self.now.after(duration);
        self.wall = self.wall.after(duration);
    }

    /// What is committed.
    #[must_use]
    pub const fn base(&self) -> &MemoryBase {
        &self.base
    }

    /// Reads of the store in all turns so far: what work costs, whatever the machine.
    #[must_use]
    pub const fn reads(&self) -> u64 {
        self.reads
    }

    /// Ends this life; what is committed remains.
    #[must_use]
    pub fn into_base(self) -> MemoryBase {
        self.base
    }
}

/// A [`Kernel`] over memory that commits when it is told to.
#[derive(Debug)]
pub struct TestKernel<M: Machine<Output = Effect<P>>, P: Ports> {
    /// The kernel itself.
    pub kernel: Kernel<M, P, MemoryBase>,
    /// The node's time.
    pub now: Time,
    wall: WallTime,
    pending: Vec<Arc<Batch>>,
}

impl<M: Machine<Output = Effect<P>>, P: Ports> TestKernel<M, P> {
    /// A machine over an empty store.
    pub fn new(machine: M, seed: u64) -> Self {
        Self::over(machine, MemoryBase::new(), seed)
    }

    /// A machine over what another life left behind.
    pub fn over(machine: M, base: MemoryBase, seed: u64) -> Self {
        let world = World::over(base, seed);
        Self {
            wall: world.wall,
            kernel: Kernel::new(machine, world.base, world.rng),
            now: Time::ZERO,
            pending: Vec::new(),
        }
    }

    /// Runs one turn; gives back what left at once.
    ///
    /// # Errors
    /// When this life has ended.
    pub fn input(&mut self, input: M::Input) -> Result<Vec<Exempt<P>>, Fault> {
        self.event(Event::Input(input))
    }

    /// Runs one turn for a deadline, whether or not one has come.
    ///
    /// # Errors
    /// When this life has ended.
    pub fn deadline(&mut self) -> Result<Vec<Exempt<P>>, Fault> {
        self.event(Event::Deadline)
    }

    fn event(&mut self, event: Event<M::Input>) -> Result<Vec<Exempt<P>>, Fault> {
        self.kernel.turn(self.now, self.wall, event)?;
        Ok(std::iter::from_fn(|| self.kernel.exempt()).collect())
    }

    /// Commits everything staged so far.
    pub fn commit(&mut self) {
        loop {
            while let Some(batch) = self.kernel.take_batch() {
                self.pending.push(batch);
            }
            if self.pending.is_empty() {
                return;
            }
            let batch = self.pending.remove(0);
            self.kernel.base_mut().apply(&batch);
            self.kernel.committed(batch.number);
        }
    }

    /// What may leave now.
    pub fn released(&mut self) -> Vec<P::Held> {
        std::iter::from_fn(|| self.kernel.release()).collect()
    }

    /// Lets time pass on both clocks.
    pub fn pass(&mut self, duration: Duration) {
        self.now = self.now.after(duration);
        self.wall = self.wall.after(duration);
    }
}

/// Reads one row of committed data.
///
/// # Panics
/// When the base cannot be read.
pub fn committed(base: &impl Base, table: crate::Table, key: &[u8]) -> Option<Vec<u8>> {
    base.get(table, key).expect("a test's base can be read")
}

/// Runs a closure against an outbox and gives back what it pushed.
pub fn collect<O>(f: impl FnOnce(&mut Outbox<O>)) -> Vec<O> {
    let mut out = Outbox::new();
    f(&mut out);
    out.drain().collect()
}
