//! The commit thread of one life: makes batches durable, grouped, in order.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

use machine::{Batch, MAX_BATCHES_IN_FLIGHT};

use crate::{fault::panic_text, inbox::Inbox};

/// Makes batches durable: in order, all or none. When it returns, they survive the loss of power
/// and are visible to reads.
pub(crate) type Commit = Box<dyn FnMut(&[Arc<Batch>]) -> Result<(), String> + Send>;

/// Notes that the store was closed in order.
pub(crate) type Close = Box<dyn FnOnce() -> Result<(), String>>;

/// The thread. Ends when this is dropped, after the batches it has been given.
#[derive(Debug)]
pub(crate) struct Committer {
    batches: Option<SyncSender<Arc<Batch>>>,
    thread: Option<JoinHandle<()>>,
}

impl Committer {
    pub(crate) fn start<I: Send + 'static>(
        commit: Commit,
        life: u64,
        inbox: Arc<Inbox<I>>,
    ) -> io::Result<Self> {
        let (sender, batches) = sync_channel(MAX_BATCHES_IN_FLIGHT);
        let thread = thread::Builder::new()
            .name("commit".to_owned())
            .spawn(move || work(commit, life, &inbox, &batches))?;
        Ok(Self {
            batches: Some(sender),
            thread: Some(thread),
        })
    }

    /// Hands a batch over. Never blocks: the kernel gives out no more than the channel holds.
    pub(crate) fn take(&self, batch: Arc<Batch>) {
        if let Some(batches) = &self.batches {
            // If the thread has ended, its failure is on the way.
            let _ = batches.send(batch);
        }
    }

    /// Leaves the thread to itself: it hangs in the system, and waiting for it would too.
    pub(crate) fn abandon(mut self) {
        self.batches = None;
        self.thread = None;
    }
}

impl Drop for Committer {
    /// Waits until the thread has ended, so that the next life finds the store free.
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // It catches its own panics.
            let _ = thread.join();
        }
    }
}

fn work<I>(mut commit: Commit, life: u64, inbox: &Inbox<I>, batches: &Receiver<Arc<Batch>>) {
    while let Ok(first) = batches.recv() {
        let mut group = vec![first];
        group.extend(batches.try_iter());
        let done = catch_unwind(AssertUnwindSafe(|| commit(&group)))
            .unwrap_or_else(|panic| Err(format!("the commit panicked: {}", panic_text(&*panic))));
        if let Err(reason) = done {
            // What else waits must not be committed: it rests on what was lost.
            inbox.commit(life, Err(reason));
            return;
        }
        for batch in group {
            inbox.commit(life, Ok(batch.number));
        }
    }
}
