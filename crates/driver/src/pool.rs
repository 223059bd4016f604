//! Worker threads for checks: pure functions that would hold up the node's own thread.

use std::{
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use crate::{
    fault::panic_text,
    inbox::{Inbox, Turn},
    limits::{MAX_CHECKS, MAX_WORKERS},
};

type Job<I> = Box<dyn FnOnce() -> I + Send>;

pub(crate) struct Pool<I> {
    queue: Mutex<Queue<I>>,
    wake: Condvar,
    inbox: Arc<Inbox<I>>,
}

struct Queue<I> {
    jobs: VecDeque<(Turn, Job<I>)>,
    open: bool,
}

impl<I: Send + 'static> Pool<I> {
    /// Starts the workers: `workers` of them, or as many as the machine has cores.
    pub(crate) fn start(
        inbox: Arc<Inbox<I>>,
        workers: Option<usize>,
    ) -> std::io::Result<Arc<Self>> {
        let queue = Queue {
            jobs: VecDeque::new(),
            open: true,
        };
        let pool = Arc::new(Self {
            queue: Mutex::new(queue),
            wake: Condvar::new(),
            inbox,
        });
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        for number in 0..workers.unwrap_or_else(cores).clamp(1, MAX_WORKERS) {
            let worker = Arc::clone(&pool);
            let name = format!("check {number}");
            if let Err(error) = thread::Builder::new()
                .name(name)
                .spawn(move || worker.work())
            {
                pool.close();
                return Err(error);
            }
        }
        Ok(pool)
    }

    pub(crate) fn submit(&self, turn: Turn, waiting: usize, job: Job<I>) {
        if waiting > MAX_CHECKS {
            return self.carry_out(turn, job);
        }
        self.lock().jobs.push_back((turn, job));
        self.wake.notify_one();
    }

    fn work(&self) {
        loop {
            let mut queue = self.lock();
            let (turn, job) = loop {
                if let Some(next) = queue.jobs.pop_front() {
                    break next;
                }
                if !queue.open {
                    return;
                }
                queue = self
                    .wake
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
            };
            drop(queue);
            self.carry_out(turn, job);
        }
    }

    fn carry_out(&self, turn: Turn, job: Job<I>) {
        let result = catch_unwind(AssertUnwindSafe(job));
        let result = result.map_err(|panic| format!("in a check: {}", panic_text(&*panic)));
        self.inbox.answer(turn, result);
    }

    fn lock(&self) -> MutexGuard<'_, Queue<I>> {
        // No job runs while this lock is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops what waits and lets the workers end.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.open = false;
        queue.jobs.clear();
        drop(queue);
        self.wake.notify_all();
    }

    /// Drops what waits: its life has ended.
    pub(crate) fn clear(&self) {
        self.lock().jobs.clear();
    }
}

impl<I> fmt::Debug for Pool<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}
