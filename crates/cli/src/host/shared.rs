//! What the parts of a hosted node have in common: who waits for an answer, which links there are.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use node::command::{Reply, RequestId};
use tokio::sync::{oneshot, watch};
use transport::{Command, LinkId, Transport, frame_cost, limits};

/// Bytes of frames that may wait here for a link that takes no more, in cost units. A link that is
/// so far behind is closed: what it misses it gets by sync when it is back.
const MAX_WAITING: u64 = 8 * 1024 * 1024;
/// Told to a peer that is too slow.
const TOO_SLOW: u32 = 1;

/// What the node's thread, the transport's events and the commands share.
pub(super) struct Shared<T> {
    pub(super) transport: T,
    pub(super) changes: watch::Sender<u64>,
    pub(super) down: watch::Sender<bool>,
    links: Mutex<BTreeMap<LinkId, Link>>,
    waiting: Mutex<BTreeMap<u64, oneshot::Sender<Reply>>>,
    next_request: AtomicU64,
    life: AtomicU64,
    /// While the node ends: who is to be told so, once everything else has been said.
    farewells: Mutex<Option<Vec<Command>>>,
}

/// A link of this life of the node.
struct Link {
    life: u64,
    /// What the transport still takes, in cost units.
    credit: u64,
    /// What it does not take yet.
    queue: VecDeque<Vec<u8>>,
    queued: u64,
    /// Frames with blocks, which give way to everything else. How many there are is for the node to say.
    bulk: VecDeque<Vec<u8>>,
    /// How many of these have left since the node was last told.
    left: usize,
}

/// What frames with blocks leave of a link's credit, so that others need not wait for them.
const BULK_RESERVE: u64 = 32 * 1024;

impl Link {
    /// Gives the transport what it takes: blocks when nothing else waits.
    fn flow(&mut self, mut send: impl FnMut(Vec<u8>)) {
        while let Some(next) = self.queue.front().map(|bytes| frame_cost(bytes.len())) {
            if next > self.credit {
                return;
            }
            let Some(bytes) = self.queue.pop_front() else {
                return;
            };
            self.credit -= next;
            self.queued -= next;
            send(bytes);
        }
        while let Some(next) = self.bulk.front().map(|bytes| frame_cost(bytes.len())) {
            if next + BULK_RESERVE > self.credit {
                return;
            }
            let Some(bytes) = self.bulk.pop_front() else {
                return;
            };
            self.credit -= next;
            self.left += 1;
            send(bytes);
        }
    }
}

/// A poisoned lock is one whose holder panicked; the tables below stay whole between statements.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn again(link: LinkId) -> Command {
    let text = "this node starts again".to_owned();
    Command::Close {
        link,
        code: 0,
        text,
    }
}

impl<T: Transport> Shared<T> {
    pub(super) fn new(transport: T) -> Self {
        Self {
            transport,
            changes: watch::Sender::new(1),
            down: watch::Sender::new(false),
            links: Mutex::default(),
            waiting: Mutex::default(),
            next_request: AtomicU64::new(1),
            life: AtomicU64::new(1),
            farewells: Mutex::new(None),
        }
    }

    /// A request that is about to be made. Its answer, or nothing if the node's life ends first.
    pub(super) fn expect(&self) -> (RequestId, oneshot::Receiver<Reply>) {
        let (sender, receiver) = oneshot::channel();
        let number = self.next_request.fetch_add(1, Ordering::Relaxed);
        let mut waiting = locked(&self.waiting);
        waiting.retain(|_, sender| !sender.is_closed());
        waiting.insert(number, sender);
        (RequestId(number), receiver)
    }

    pub(super) fn answer(&self, request: RequestId, reply: Reply) {
        if let Some(sender) = locked(&self.waiting).remove(&request.0) {
            // Who asked may have gone.
            let _ = sender.send(reply);
        }
    }

    pub(super) fn changed(&self) {
        self.changes.send_modify(|change| *change += 1);
    }

    /// A life of the node begins. It knows no link that came up before, even between two lives.
    pub(super) fn begin(&self, life: u64) {
        self.life.store(life, Ordering::Relaxed);
        let mut links = locked(&self.links);
        for (link, state) in links.iter().filter(|(_, state)| state.life != life) {
            tracing::debug!(%link, life = state.life, "a link of an earlier life is closed");
            self.transport.command(again(*link));
        }
        links.retain(|_, state| state.life == life);
    }

    /// A life of the node has ended: nobody gets an answer, and every link is closed.
    pub(super) fn end_life(&self) {
        locked(&self.waiting).clear();
        let links = std::mem::take(&mut *locked(&self.links));
        for link in links.into_keys() {
            self.transport.command(again(link));
        }
    }

    /// A link came up in this life.
    pub(super) fn up(&self, link: LinkId) {
        let life = self.life.load(Ordering::Relaxed);
        let fresh = Link {
            life,
            credit: limits::INITIAL_CREDIT,
            queue: VecDeque::new(),
            queued: 0,
            bulk: VecDeque::new(),
            left: 0,
        };
        locked(&self.links).insert(link, fresh);
    }

    /// Whether the node knows this link.
    pub(super) fn is_known(&self, link: LinkId) -> bool {
        let life = self.life.load(Ordering::Relaxed);
        locked(&self.links)
            .get(&link)
            .is_some_and(|known| known.life == life)
    }

    /// A link is gone; whether the node knew it.
    pub(super) fn gone(&self, link: LinkId) -> bool {
        let life = self.life.load(Ordering::Relaxed);
        locked(&self.links)
            .remove(&link)
            .is_some_and(|known| known.life == life)
    }

    /// Sends a frame, or keeps it until the link takes it.
    pub(super) fn send(&self, link: LinkId, bytes: Vec<u8>) {
        let mut links = locked(&self.links);
        let Some(state) = links.get_mut(&link) else {
            return;
        };
        let cost = frame_cost(bytes.len());
        if state.queue.is_empty() && state.credit >= cost {
            state.credit -= cost;
            self.transport.command(Command::Send { link, bytes });
            return;
        }
        state.queued += cost;
        state.queue.push_back(bytes);
        if state.queued > MAX_WAITING {
            // The transport says when it is down, and so it leaves the table.
            state.queue.clear();
            state.bulk.clear();
            state.queued = 0;
            let text = "too slow for what it asks".to_owned();
            self.transport.command(Command::Close {
                link,
                code: TOO_SLOW,
                text,
            });
        }
    }

    /// A link takes more again.
    pub(super) fn writable(&self, link: LinkId, cost: u64) {
        let mut links = locked(&self.links);
        let Some(state) = links.get_mut(&link) else {
            return;
        };
        state.credit += cost;
        state.flow(|bytes| self.transport.command(Command::Send { link, bytes }));
    }

    /// Sends a frame with blocks when nothing else waits for the link.
    pub(super) fn send_bulk(&self, link: LinkId, bytes: Vec<u8>) {
        if let Some(state) = locked(&self.links).get_mut(&link) {
            state.bulk.push_back(bytes);
            state.flow(|bytes| self.transport.command(Command::Send { link, bytes }));
        }
    }

    /// How many frames with blocks have left for the transport since this was last asked. The transport
    /// reports something soon after each.
    pub(super) fn bulk_left(&self, link: LinkId) -> usize {
        let mut links = locked(&self.links);
        let state = links.get_mut(&link);
        state.map_or(0, |state| std::mem::take(&mut state.left))
    }

    /// The node is about to end: what it still says goes out before its links are closed.
    pub(super) fn begin_farewell(&self) {
        locked(&self.farewells).get_or_insert_default();
    }

    /// The node has ended, and everything that it said has left it.
    pub(super) fn farewell(&self) {
        for command in locked(&self.farewells).take().into_iter().flatten() {
            self.transport.command(command);
        }
    }

    /// Closes a link after what was sent before.
    pub(super) fn close(&self, link: LinkId, code: u32, text: String) {
        if let Some(later) = locked(&self.farewells).as_mut() {
            later.push(Command::Close { link, code, text });
            return;
        }
        if let Some(state) = locked(&self.links).get_mut(&link) {
            // What the transport does not take in time it would not deliver either.
            state.queue.clear();
            state.bulk.clear();
            state.queued = 0;
        }
        self.transport.command(Command::Close { link, code, text });
    }
}
