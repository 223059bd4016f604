//! What a node wants done with contents, carried out beside it.

use crate::Handle;
use crate::limits::{MAX_CONTENT_AT_ONCE, MAX_CONTENT_BYTES_AT_ONCE};
use machine::{ContentDone, ContentEffect};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::Content;

/// Carries out effects on contents, one after the other in the order in which it is given them, on the
/// blocking threads of a runtime, and sends the node what came of them. What waits while the disk is busy is
/// written together and synced once.
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
}

#[derive(Default)]
struct Queue {
    effects: VecDeque<ContentEffect>,
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
            }),
            runtime,
        }
    }

    /// Takes an effect. Never waits: how much may be under way is for the node to say.
    pub fn take(&self, effect: ContentEffect) {
        let mut queue = self.shared.lock();
        queue.effects.push_back(effect);
        if !std::mem::replace(&mut queue.busy, true) {
            let shared = Arc::clone(&self.shared);
            self.runtime.spawn_blocking(move || shared.work());
        }
    }
}

impl<I: Send + 'static> Shared<I> {
    fn work(&self) {
        while let Some(effects) = self.next() {
            for done in self.content.perform(effects) {
                let bytes = match &done {
                    ContentDone::Read(_, _, Some(piece)) => piece.len(),
                    _ => 0,
                };
                // A node that has ended needs no completion.
                let _ = self.handle.send_blocking((self.input)(done), bytes);
            }
        }
    }

    /// What is to be carried out together; nothing when there is no more.
    fn next(&self) -> Option<Vec<ContentEffect>> {
        let mut queue = self.lock();
        let (mut effects, mut bytes) = (Vec::new(), 0_usize);
        while effects.len() < MAX_CONTENT_AT_ONCE && bytes < MAX_CONTENT_BYTES_AT_ONCE {
            let Some(effect) = queue.effects.pop_front() else {
                break;
            };
            let more = match &effect {
                ContentEffect::Write { bytes, .. } => bytes.len(),
                ContentEffect::Read { len, .. } => usize::try_from(*len).unwrap_or(usize::MAX),
                ContentEffect::Delete(_) => 0,
            };
            bytes = bytes.saturating_add(more);
            effects.push(effect);
        }
        queue.busy = !effects.is_empty();
        queue.busy.then_some(effects)
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
