//! What waits for the node's thread.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::Semaphore;

use crate::{
    fault::Ending,
    limits::{INBOX_BYTES, INPUT_OVERHEAD},
};

/// What wakes the node.
#[derive(Debug)]
pub(crate) enum Wake<I> {
    /// A batch is durable, or it could not be made so.
    Commit(Result<u64, String>),
    /// An input, or the result of a check.
    Input(I),
    /// A check panicked, or somebody wants the life to end.
    Fault(Ending),
    /// The time that was waited for has come.
    Due,
    /// The node was asked to stop. Given once.
    Stop,
}

/// Three queues: completions first, then results of checks, then inputs. Only inputs are limited
/// here; the others answer what the node itself has asked for.
#[derive(Debug)]
pub(crate) struct Inbox<I> {
    state: Mutex<State<I>>,
    wake: Condvar,
    room: Semaphore,
}

#[derive(Debug)]
struct State<I> {
    life: u64,
    commits: VecDeque<Result<u64, String>>,
    checks: Checks<I>,
    inputs: VecDeque<(u32, I)>,
    stop: Stop,
    /// This life is to end, for this reason.
    renew: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    No,
    Asked,
    Told,
}

/// Results of checks, handed over in the order in which the checks were asked for.
#[derive(Debug)]
struct Checks<I> {
    asked: u64,
    taken: u64,
    done: BTreeMap<u64, Result<I, String>>,
}

impl<I> Checks<I> {
    const fn new() -> Self {
        Self {
            asked: 0,
            taken: 0,
            done: BTreeMap::new(),
        }
    }

    fn next(&mut self) -> Option<Result<I, String>> {
        let result = self.done.remove(&self.taken)?;
        self.taken += 1;
        Some(result)
    }
}

/// A check's place in the order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    life: u64,
    number: u64,
}

impl<I> Inbox<I> {
    pub(crate) fn new() -> Self {
        let state = State {
            life: 1,
            commits: VecDeque::new(),
            checks: Checks::new(),
            inputs: VecDeque::new(),
            stop: Stop::No,
            renew: None,
        };
        let room = Semaphore::new(INBOX_BYTES as usize);
        Self {
            state: Mutex::new(state),
            wake: Condvar::new(),
            room,
        }
    }

    /// How much room an input of so many bytes takes.
    fn size(bytes: usize) -> u32 {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        bytes.saturating_add(INPUT_OVERHEAD).min(INBOX_BYTES)
    }

    /// Waits for room, then adds an input; gives it back when the node has ended.
    pub(crate) async fn push(&self, input: I, bytes: usize) -> Result<(), I> {
        let size = Self::size(bytes);
        match self.room.acquire_many(size).await {
            Ok(room) => room.forget(),
            Err(_) => return Err(input),
        }
        self.add(size, input);
        Ok(())
    }

    /// As [`Inbox::push`], of an input that answers what the given life has asked for: another one is not
    /// told.
    pub(crate) async fn push_in(&self, life: u64, input: I, bytes: usize) {
        let size = Self::size(bytes);
        let Ok(room) = self.room.acquire_many(size).await else {
            return;
        };
        let mut state = self.lock();
        if state.life == life {
            room.forget();
            state.inputs.push_back((size, input));
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Adds an input if there is room; `None` for the reason when the node has ended.
    pub(crate) fn try_push(&self, input: I, bytes: usize) -> Result<(), (I, bool)> {
        let size = Self::size(bytes);
        match self.room.try_acquire_many(size) {
            Ok(room) => room.forget(),
            Err(_) => return Err((input, self.room.is_closed())),
        }
        self.add(size, input);
        Ok(())
    }

    fn add(&self, size: u32, input: I) {
        self.lock().inputs.push_back((size, input));
        self.wake.notify_one();
    }

    /// Keeps a place in the order of checks.
    pub(crate) fn ask(&self) -> Turn {
        let mut state = self.lock();
        let number = state.checks.asked;
        state.checks.asked += 1;
        Turn {
            life: state.life,
            number,
        }
    }

    /// How many checks have been asked for and not yet taken.
    pub(crate) fn checks(&self) -> usize {
        let state = self.lock();
        usize::try_from(state.checks.asked - state.checks.taken).unwrap_or(usize::MAX)
    }

    /// The result of a check. That of an earlier life is dropped.
    pub(crate) fn answer(&self, turn: Turn, result: Result<I, String>) {
        let mut state = self.lock();
        if state.life == turn.life {
            state.checks.done.insert(turn.number, result);
            drop(state);
            self.wake.notify_one();
        }
    }

    /// A completion of the given life.
    pub(crate) fn commit(&self, life: u64, done: Result<u64, String>) {
        let mut state = self.lock();
        if state.life == life {
            state.commits.push_back(done);
            drop(state);
            self.wake.notify_one();
        }
    }

    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        if state.stop == Stop::No {
            state.stop = Stop::Asked;
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Ends this life; the next begins as after a fault.
    pub(crate) fn renew(&self, reason: String) {
        self.lock().renew = Some(reason);
        self.wake.notify_one();
    }

    pub(crate) fn stopping(&self) -> bool {
        self.lock().stop != Stop::No
    }

    /// The number of the life that is being lived.
    pub(crate) fn life(&self) -> u64 {
        self.lock().life
    }

    /// Ends a life: everything that waits for it is dropped. What comes from now on is for the
    /// next.
    pub(crate) fn next_life(&self) {
        let mut state = self.lock();
        state.life += 1;
        state.commits.clear();
        state.renew = None;
        state.checks = Checks::new();
        let inputs = std::mem::take(&mut state.inputs);
        drop(state);
        let room: usize = inputs.iter().map(|(size, _)| *size as usize).sum();
        self.room.add_permits(room);
    }

    /// Takes no further input, from anybody.
    pub(crate) fn close(&self) {
        self.room.close();
    }

    /// Waits for the next event. With `inputs` off, only completions and the wish to stop count.
    pub(crate) fn next(&self, due: Option<Instant>, inputs: bool) -> Wake<I> {
        let mut state = self.lock();
        loop {
            if let Some(wake) = state.take(inputs) {
                drop(state);
                return self.freed(wake);
            }
            let left = match due {
                None => None,
                Some(due) => match due.checked_duration_since(Instant::now()) {
                    None => return Wake::Due,
                    left => left,
                },
            };
            state = match left {
                None => self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return Wake::Due,
                Some(left) => {
                    self.wake
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }

    /// The next event, if there is one already.
    pub(crate) fn try_next(&self, inputs: bool) -> Option<Wake<I>> {
        let wake = self.lock().take(inputs)?;
        Some(self.freed(wake))
    }

    fn freed(&self, (wake, size): (Wake<I>, u32)) -> Wake<I> {
        self.room.add_permits(size as usize);
        wake
    }

    fn lock(&self) -> MutexGuard<'_, State<I>> {
        // Nothing panics while it holds this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I> State<I> {
    fn take(&mut self, inputs: bool) -> Option<(Wake<I>, u32)> {
        if let Some(done) = self.commits.pop_front() {
            return Some((Wake::Commit(done), 0));
        }
        if self.stop == Stop::Asked {
            self.stop = Stop::Told;
            return Some((Wake::Stop, 0));
        }
        if !inputs {
            return None;
        }
        if self.stop == Stop::No
            && let Some(reason) = self.renew.take()
        {
            return Some((Wake::Fault(Ending::System(reason)), 0));
        }
        if let Some(result) = self.checks.next() {
            let wake = match result {
                Ok(input) => Wake::Input(input),
                Err(panic) => Wake::Fault(Ending::Panic(panic)),
            };
            return Some((wake, 0));
        }
        let (size, input) = self.inputs.pop_front()?;
        Some((Wake::Input(input), size))
    }
}
