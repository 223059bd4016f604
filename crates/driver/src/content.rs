//! What a node wants done with contents, carried out beside it.

use crate::Handle;
use crate::fault::panic_text;
use crate::limits::{CONTENT_GATHERING, MAX_CONTENT_AT_ONCE, MAX_CONTENT_BYTES_AT_ONCE};
use machine::{ContentDone, ContentEffect};
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use store::Content;

/// Carries out effects on contents, one after the other in the order in which it is given them, on the
/// blocking threads of a runtime, and sends the node what came of them. Pieces that come while the disk is busy, or
/// shortly after one another, are written together and synced once.
pub struct Contents<I> {
    shared: Arc<Shared<I>>,
    runtime: tokio::runtime::Handle,
}

struct Shared<I> {
    content: Content,
    handle: Handle<I>,
    /// Makes an input of a completion.
    input: fn(ContentDone) -> I,
    queue: Mutex<Queue>,
    /// Something came that is no write.
    urgent: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Each with the life that asked for it.
    effects: VecDeque<(u64, ContentEffect)>,
    /// Whether a thread is at work on them.
    busy: bool,
}

impl<I: Send + 'static> Contents<I> {
    /// Of a node that is told by `handle`, with an input that `input` makes.
    #[must_use]
    pub fn new(
        content: Content,
        handle: Handle<I>,
        runtime: tokio::runtime::Handle,
        input: fn(ContentDone) -> I,
    ) -> Self {
        let queue = Mutex::default();
        Self {
            shared: Arc::new(Shared {
                content,
                handle,
                input,
                queue,
                urgent: Condvar::new(),
            }),
            runtime,
        }
    }

    /// Takes an effect of the present life, the only one that hears what came of it. Never waits: how much may
    /// be under way is for the node to say.
    pub fn take(&self, effect: ContentEffect) {
        let life = self.shared.handle.inbox.life();
        let waits = !matches!(effect, ContentEffect::Write { .. });
        let mut queue = self.shared.lock();
        queue.effects.push_back((life, effect));
        let rests = !std::mem::replace(&mut queue.busy, true);
        drop(queue);
        if rests {
            let shared = Arc::clone(&self.shared);
            self.runtime.spawn_blocking(move || shared.work());
        } else if waits {
            self.shared.urgent.notify_one();
        }
    }
}

impl<I: Send + 'static> Shared<I> {
    fn work(&self) {
        while let Some((lives, effects)) = self.next() {
            let done = catch_unwind(AssertUnwindSafe(|| self.content.perform(effects)));
            let done = done.unwrap_or_else(|panic| {
                // The node would wait for completions for ever; its next life asks anew.
                let why = format!("in work on contents: {}", panic_text(&*panic));
                self.handle.inbox.renew(why);
                Vec::new()
            });
            for (life, done) in lives.into_iter().zip(done) {
                let bytes = match &done {
                    ContentDone::Read(_, _, Some(piece)) => piece.len(),
                    ContentDone::Listed(names) => size_of_val(names.as_slice()),
                    _ => 0,
                };
                self.handle.answer_blocking(life, (self.input)(done), bytes);
            }
        }
    }

    /// What is to be carried out together, and for which lives; nothing when there is no more.
    fn next(&self) -> Option<(Vec<u64>, Vec<ContentEffect>)> {
        let mut queue = self.lock();
        let (mut lives, mut effects, mut bytes) = (Vec::new(), Vec::new(), 0_usize);
        let until = Instant::now() + CONTENT_GATHERING;
        // Whoever waits for anything else than a write waits for no further ones.
        let mut gathers = true;
        while effects.len() < MAX_CONTENT_AT_ONCE && bytes < MAX_CONTENT_BYTES_AT_ONCE {
            let Some((life, effect)) = queue.effects.pop_front() else {
                let left = until.saturating_duration_since(Instant::now());
                if effects.is_empty() || !gathers || left.is_zero() {
                    break;
                }
                let waited = self.urgent.wait_timeout(queue, left);
                queue = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            };
            let more = match &effect {
                ContentEffect::Write { bytes, .. } => bytes.len(),
                ContentEffect::Read { len, .. } => usize::try_from(*len).unwrap_or(usize::MAX),
                ContentEffect::Delete(_) | ContentEffect::List { .. } => 0,
            };
            gathers &= matches!(effect, ContentEffect::Write { .. });
            bytes = bytes.saturating_add(more);
            lives.push(life);
            effects.push(effect);
        }
        queue.busy = !effects.is_empty();
        queue.busy.then_some((lives, effects))
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while this lock is held.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I> fmt::Debug for Contents<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").finish_non_exhaustive()
    }
}
