//! How the rest of the program reaches a node.

use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use thiserror::Error;

use crate::{inbox::Inbox, pool::Pool};

/// Sends inputs to a node. Cheap to clone; may be used from any thread and any task.
pub struct Handle<I> {
    pub(crate) inbox: Arc<Inbox<I>>,
    pub(crate) pool: Arc<Pool<I>>,
}

/// The node has ended and takes no more inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the node has ended")]
pub struct Gone;

/// An input that could not be queued at once, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Full<I> {
    /// As much waits as may; try again later.
    #[error("the node's inbox is full")]
    Full(I),
    /// The node has ended.
    #[error("the node has ended")]
    Gone(I),
}

impl<I: Send + 'static> Handle<I> {
    /// Queues an input that keeps so many bytes of memory, once there is room. Senders get room in
    /// the order in which they asked. May be dropped while it waits: then nothing is queued.
    ///
    /// # Errors
    /// When the node has ended.
    pub async fn send(&self, input: I, bytes: usize) -> Result<(), Gone> {
        self.inbox.push(input, bytes).await.map_err(|_| Gone)
    }

    /// As [`Handle::send`], for threads. Not for the node's own thread, which would wait for
    /// itself.
    ///
    /// # Errors
    /// When the node has ended.
    pub fn send_blocking(&self, input: I, bytes: usize) -> Result<(), Gone> {
        block_on(self.send(input, bytes))
    }

    /// As [`Handle::send_blocking`], of the answer to something that the given life has asked for. Another
    /// life, and a node that has ended, are not told.
    pub(crate) fn answer_blocking(&self, life: u64, input: I, bytes: usize) {
        block_on(self.inbox.push_in(life, input, bytes));
    }

    /// Queues an input if there is room now.
    ///
    /// # Errors
    /// [`Full`], which holds the input.
    pub fn try_send(&self, input: I, bytes: usize) -> Result<(), Full<I>> {
        self.inbox.try_push(input, bytes).map_err(|(input, gone)| {
            if gone {
                Full::Gone(input)
            } else {
                Full::Full(input)
            }
        })
    }

    /// Has a pure function carried out by a worker thread. Its result comes back as an input;
    /// results come in the order in which the checks were asked for. A panic ends this life of the
    /// node. If as many checks as allowed wait already, the caller carries this one out itself.
    ///
    /// For the node's own thread: [`Host`](crate::Host) calls it when the machine asks for a check.
    pub fn check(&self, job: impl FnOnce() -> I + Send + 'static) {
        self.pool
            .submit(self.inbox.ask(), self.inbox.checks(), Box::new(job));
    }

    /// Ends this life of the node, as a fault would: the next is built from the store, which is
    /// opened anew. Counts among the faults.
    pub fn renew(&self, reason: impl Into<String>) {
        self.inbox.renew(reason.into());
    }

    /// Asks the node to stop: it works off what waits, commits, releases, and ends.
    pub fn stop(&self) {
        self.inbox.stop();
    }
}

impl<I> Clone for Handle<I> {
    fn clone(&self) -> Self {
        Self {
            inbox: Arc::clone(&self.inbox),
            pool: Arc::clone(&self.pool),
        }
    }
}

impl<I> fmt::Debug for Handle<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
