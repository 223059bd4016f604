//! A node: its thread, and its lives one after the other.

use std::{
    collections::VecDeque,
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use machine::{Base, Batch, ContentEffect, Effect, Kernel, Machine, Ports};
use thiserror::Error;
use tokio::sync::watch;

use crate::{
    Handle,
    clock::{self, Clock},
    commit::{Close, Commit, Committer},
    fault::{End, Ending, panic_text},
    inbox::{Inbox, Wake},
    life::Life,
    limits::{BACK_OFF, MAX_BACK_OFF, MAX_RESTARTS, RESTART_WINDOW},
    pool::Pool,
    record::Recorder,
};

/// Carries out what a node puts out. Called on the node's own thread: it must not wait for the
/// node, and should not wait for anything else for long.
pub trait Host<P: Ports>: 'static {
    /// An output whose reasons are durable.
    fn held(&mut self, output: P::Held);

    /// Another author's envelope, forwarded as it came.
    fn verbatim(&mut self, output: P::Verbatim);

    /// An output that promises nothing.
    fn advisory(&mut self, output: P::Advisory);

    /// Work on content; its completion is to be sent as an input.
    fn content(&mut self, effect: ContentEffect);

    /// A life begins (the first is 1): the node is open and about to have its first turn. Links
    /// and requests of an earlier life mean nothing to it.
    fn began(&mut self, life: u64) {
        let _ = life;
    }

    /// A life ended by a fault. The next begins after `pause`; with `None` there is none.
    fn ended(&mut self, ending: &Ending, pause: Option<Duration>) {
        let _ = (ending, pause);
    }
}

/// What a life begins with.
pub struct Opened<M, B> {
    machine: M,
    base: B,
    about: Vec<u8>,
    commit: Commit,
    close: Close,
}

impl<M, B> Opened<M, B> {
    /// A machine over what is committed. `commit` makes batches durable, in order, all or none;
    /// when it returns they survive the loss of power, and `base` shows them. It is called on a
    /// thread of its own.
    pub fn new(
        machine: M,
        base: B,
        commit: impl FnMut(&[Arc<Batch>]) -> Result<(), String> + Send + 'static,
    ) -> Self {
        Self {
            machine,
            base,
            about: Vec::new(),
            commit: Box::new(commit),
            close: Box::new(|| Ok(())),
        }
    }

    /// What a record of the run is to say about this life: whatever went into the machine that
    /// neither the record's header nor the store holds.
    #[must_use]
    pub fn about(mut self, about: &[u8]) -> Self {
        self.about = about.to_vec();
        self
    }

    /// Does this as well when the node has stopped and everything is committed.
    #[must_use]
    pub fn closing(mut self, close: impl FnOnce() -> Result<(), String> + 'static) -> Self {
        self.close = Box::new(close);
        self
    }
}

impl<M, S: store::Store> Opened<M, S> {
    /// A machine over a store, which is closed when the node has stopped.
    pub fn over(machine: M, store: S) -> Self {
        let (disk, last) = (store.clone(), store.clone());
        Self::new(machine, store, move |batches| {
            disk.commit(batches)
                .map(drop)
                .map_err(|error| error.to_string())
        })
        .closing(move || last.close().map(drop).map_err(|error| error.to_string()))
    }
}

impl<M, B> fmt::Debug for Opened<M, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

/// How to run a node.
#[derive(Debug)]
pub struct Options<I, P: Ports> {
    /// The name of its thread.
    pub name: String,
    /// Worker threads for checks; as many as the machine has cores by default.
    pub workers: Option<usize>,
    /// Where to write down everything that happens, if anywhere.
    pub recorder: Option<Recorder<I, P>>,
    /// Lets held outputs leave at once, to show that the tests of the release rule notice.
    #[cfg(feature = "planted")]
    pub plant_early_release: bool,
}

impl<I, P: Ports> Default for Options<I, P> {
    fn default() -> Self {
        Self {
            name: "node".to_owned(),
            workers: None,
            recorder: None,
            #[cfg(feature = "planted")]
            plant_early_release: false,
        }
    }
}

/// The system gave no thread for a node.
#[derive(Debug, Error)]
#[error("the node's threads could not be started: {0}")]
pub struct StartFailed(#[from] io::Error);

/// A running node.
#[derive(Debug)]
pub struct Node<I> {
    handle: Handle<I>,
    end: watch::Receiver<Option<End>>,
    thread: JoinHandle<()>,
}

impl<I: Send + 'static> Node<I> {
    /// To send it inputs.
    pub fn handle(&self) -> Handle<I> {
        self.handle.clone()
    }

    /// Waits until it has ended and its store is closed.
    pub async fn ended(&self) -> End {
        let mut end = self.end.clone();
        match end.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or(End::Stopped),
            Err(_) => lost(),
        }
    }

    /// As [`Node::ended`], for threads.
    pub fn wait(self) -> End {
        // The thread catches its panics, and says how it ended as its last act.
        let _ = self.thread.join();
        let end = self.end.borrow().clone();
        end.unwrap_or_else(lost)
    }
}

/// Only when the thread ended without a word.
fn lost() -> End {
    End::GivenUp(Ending::Panic(
        "the node's thread ended without a reason".to_owned(),
    ))
}

/// Starts a node on a thread of its own.
///
/// `open` builds the machine from its store: at the start, and again after each fault. It is
/// called on the node's thread, so the machine needs not be `Send`. If it fails at the very start
/// the node ends at once: there is nothing that worked before and may work again.
///
/// # Errors
/// When the system gives no thread.
pub fn start<M, P, B, H>(
    options: Options<M::Input, P>,
    open: impl FnMut(u64) -> Result<Opened<M, B>, String> + Send + 'static,
    host: impl FnOnce(Handle<M::Input>) -> H + Send + 'static,
) -> Result<Node<M::Input>, StartFailed>
where
    M: Machine<Output = Effect<P>> + 'static,
    M::Input: Send + 'static,
    P: Ports + 'static,
    B: Base + 'static,
    H: Host<P>,
{
    let inbox = Arc::new(Inbox::new());
    let pool = Pool::start(Arc::clone(&inbox), options.workers)?;
    let handle = Handle { inbox, pool };
    let (sender, end) = watch::channel(None);
    let own = handle.clone();
    let spawned = thread::Builder::new()
        .name(options.name.clone())
        .spawn(move || {
            let host = host(own.clone());
            let end = Lives {
                options,
                open,
                host,
                handle: own.clone(),
                faults: VecDeque::new(),
            }
            .run();
            own.inbox.close();
            own.pool.close();
            sender.send_replace(Some(end));
        });
    match spawned {
        Ok(thread) => Ok(Node {
            handle,
            end,
            thread,
        }),
        Err(error) => {
            handle.pool.close();
            Err(error.into())
        }
    }
}

/// The lives of one node.
struct Lives<I, P: Ports, O, H> {
    options: Options<I, P>,
    open: O,
    host: H,
    handle: Handle<I>,
    /// When earlier lives ended, as far as they count.
    faults: VecDeque<Instant>,
}

impl<I: Send + 'static, P: Ports, O, H: Host<P>> Lives<I, P, O, H> {
    fn run<M, B>(mut self) -> End
    where
        M: Machine<Input = I, Output = Effect<P>>,
        B: Base,
        O: FnMut(u64) -> Result<Opened<M, B>, String>,
    {
        loop {
            let life = self.handle.inbox.life();
            let ending = match catch_unwind(AssertUnwindSafe(|| self.live(life))) {
                Ok(Ok(end)) => return end,
                Ok(Err(ending)) => ending,
                Err(panic) => Ending::Panic(panic_text(&*panic)),
            };
            self.handle.pool.clear();
            self.handle.inbox.next_life();
            if let Some(recorder) = &mut self.options.recorder {
                recorder.fault();
            }
            let hopeless = life == 1 && matches!(ending, Ending::Open(_));
            let pause = if hopeless { None } else { self.pause() };
            tracing::error!(life, %ending, "a life of the node has ended");
            let told = catch_unwind(AssertUnwindSafe(|| self.host.ended(&ending, pause)));
            let (Some(pause), Ok(())) = (pause, told) else {
                return End::GivenUp(ending);
            };
            if self.stopped_within(pause) {
                return End::Unsettled;
            }
        }
    }

    fn live<M, B>(&mut self, number: u64) -> Result<End, Ending>
    where
        M: Machine<Input = I, Output = Effect<P>>,
        B: Base,
        O: FnMut(u64) -> Result<Opened<M, B>, String>,
    {
        let Opened {
            machine,
            base,
            about,
            commit,
            close,
        } = (self.open)(number).map_err(Ending::Open)?;
        let seed = clock::entropy().map_err(Ending::System)?;
        if let Some(recorder) = &mut self.options.recorder {
            recorder.begin(seed, &about, &base);
        }
        #[allow(unused_mut, reason = "a planted defect changes it")]
        let mut kernel = Kernel::new(machine, base, clock::rng(seed));
        #[cfg(feature = "planted")]
        if self.options.plant_early_release {
            kernel.plant_early_release();
        }
        let inbox = Arc::clone(&self.handle.inbox);
        let committer = Committer::start(commit, number, Arc::clone(&inbox))
            .map_err(|error| Ending::System(format!("no thread for commits: {error}")))?;
        self.host.began(number);
        let clock = Clock::start();
        let recorder = self.options.recorder.as_mut();
        let host = &mut self.host;
        let end = Life {
            kernel,
            committer,
            clock,
            inbox,
            host,
            recorder,
        }
        .run()?;
        if end == End::Stopped
            && let Err(error) = close()
        {
            tracing::warn!(error, "the store was not closed cleanly");
        }
        if let Some(recorder) = &mut self.options.recorder {
            recorder.flush();
        }
        Ok(end)
    }

    /// How long to wait before the next life; `None` when there have been too many.
    fn pause(&mut self) -> Option<Duration> {
        let now = Instant::now();
        while self
            .faults
            .front()
            .is_some_and(|then| now.duration_since(*then) > RESTART_WINDOW)
        {
            self.faults.pop_front();
        }
        self.faults.push_back(now);
        if self.faults.len() > MAX_RESTARTS {
            return None;
        }
        let doublings = u32::try_from(self.faults.len() - 1).unwrap_or(u32::MAX);
        Some(
            BACK_OFF
                .saturating_mul(2_u32.saturating_pow(doublings))
                .min(MAX_BACK_OFF),
        )
    }

    /// Waits between two lives, or less if the node is asked to stop.
    fn stopped_within(&self, pause: Duration) -> bool {
        if self.handle.inbox.stopping() {
            return true;
        }
        let until = Instant::now() + pause;
        loop {
            match self.handle.inbox.next(Some(until), false) {
                Wake::Due => return false,
                Wake::Stop => return true,
                Wake::Commit(_) | Wake::Input(_) | Wake::Fault(_) => {}
            }
        }
    }
}
