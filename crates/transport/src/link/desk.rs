//! The desk: every link of one transport, what is queued on each, and what each may still read.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use identity::NodeId;
use machine::Credit;
use tokio::{
    sync::{Notify, mpsc},
    time::timeout,
};

use super::code;
use crate::{
    Command, DialError, DownReason, Event, LinkId, frame_cost,
    limits::{INITIAL_CREDIT, MAX_FRAME, MAX_LINKS_PER_NODE, SHUTDOWN_TIMEOUT, WRITE_BATCH},
};

/// Where events go. Whoever has one keeps the event queue open.
#[derive(Clone, Debug)]
pub(crate) struct Teller(mpsc::Sender<Event>);

impl Teller {
    pub(crate) async fn tell(&self, event: Event) {
        // Nobody listens any more: the program is ending, and with it the links.
        let _ = self.0.send(event).await;
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Desk {
    state: Mutex<State>,
    emptied: Notify,
    max_links: usize,
}

#[derive(Debug)]
struct State {
    /// `None` once the transport is being closed: no further link or dial can begin.
    events: Option<mpsc::Sender<Event>>,
    next: u64,
    links: BTreeMap<LinkId, Arc<Slot>>,
}

/// What is known of one link that is up.
#[derive(Debug)]
pub(crate) struct Slot {
    id: LinkId,
    node: NodeId,
    outgoing: Mutex<Outgoing>,
    wake_writer: Notify,
    wake_ending: Notify,
    incoming: Mutex<i64>,
    wake_reader: Notify,
}

#[derive(Debug)]
struct Outgoing {
    frames: VecDeque<Vec<u8>>,
    credit: Credit,
    ending: Option<Ending>,
}

/// How we end a link ourselves.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    /// After what is queued.
    Gently {
        reason: DownReason,
        code: u32,
        text: String,
    },
    /// At once.
    Fault { reason: DownReason, code: u32 },
}

/// What the writer has to do next.
#[derive(Debug)]
pub(crate) enum Work {
    /// These bytes, one after the other, hold whole frames; the credit comes back once they are written.
    Write { bytes: Vec<Vec<u8>>, cost: u64 },
    /// Nothing is queued and the link is to end.
    End(Ending),
}

/// Why there is no place for a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("too many links")]
    TooMany,
    #[error("this node is shutting down")]
    ShuttingDown,
}

impl Refusal {
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::TooMany => code::TOO_MANY,
            Self::ShuttingDown => code::SHUTTING_DOWN,
        }
    }
}

impl From<Refusal> for DialError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooMany => Self::Busy,
            Refusal::ShuttingDown => Self::ShuttingDown,
        }
    }
}

/// A link's place at the desk; dropping it gives the place up.
#[derive(Debug)]
pub(crate) struct Place {
    desk: Arc<Desk>,
    slot: Arc<Slot>,
}

impl Desk {
    pub(crate) fn new(events: mpsc::Sender<Event>, max_links: usize) -> Arc<Self> {
        let state = State {
            events: Some(events),
            next: 1,
            links: BTreeMap::new(),
        };
        Arc::new(Self {
            state: Mutex::new(state),
            emptied: Notify::new(),
            max_links,
        })
    }

    /// `None` when the transport is being closed.
    pub(crate) fn teller(&self) -> Option<Teller> {
        lock(&self.state).events.clone().map(Teller)
    }

    /// Links at a time.
    pub(crate) const fn max_links(&self) -> usize {
        self.max_links
    }

    /// Whether there is no room for a further link.
    pub(crate) fn is_full(&self) -> bool {
        let state = lock(&self.state);
        state.events.is_none() || state.links.len() >= self.max_links
    }

    /// A place for one more link with a node, or why there is none. Taken before anything is said
    /// on the link, so that the peer learns of a refusal.
    pub(crate) fn admit(self: &Arc<Self>, node: NodeId) -> Result<Place, Refusal> {
        let mut state = lock(&self.state);
        if state.events.is_none() {
            return Err(Refusal::ShuttingDown);
        }
        let with_node = state
            .links
            .values()
            .filter(|slot| slot.node == node)
            .count();
        if state.links.len() >= self.max_links || with_node >= MAX_LINKS_PER_NODE {
            return Err(Refusal::TooMany);
        }
        let id = LinkId::from_u64(state.next);
        // 2^64 links do not happen.
        state.next += 1;
        let credit = Credit::new(INITIAL_CREDIT);
        let outgoing = Outgoing {
            frames: VecDeque::new(),
            credit,
            ending: None,
        };
        let slot = Arc::new(Slot {
            id,
            node,
            outgoing: Mutex::new(outgoing),
            wake_writer: Notify::new(),
            wake_ending: Notify::new(),
            incoming: Mutex::new(signed(INITIAL_CREDIT)),
            wake_reader: Notify::new(),
        });
        state.links.insert(id, Arc::clone(&slot));
        Ok(Place {
            desk: Arc::clone(self),
            slot,
        })
    }

    /// Carries out every command but `Dial`. A link that is not up is ignored: its `Down` is on
    /// the way.
    pub(crate) fn command(&self, command: Command) {
        match command {
            Command::Dial { .. } => {}
            Command::Send { link, bytes } => self.with(link, |slot| slot.send(bytes)),
            Command::Close { link, code, text } => self.with(link, |slot| {
                let reason = DownReason::Closed { code };
                slot.end(Ending::Gently { reason, code, text });
            }),
            Command::Grant { link, cost } => self.with(link, |slot| slot.grant(cost)),
        }
    }

    fn with(&self, link: LinkId, act: impl FnOnce(&Slot)) {
        let slot = lock(&self.state).links.get(&link).cloned();
        if let Some(slot) = slot {
            act(&slot);
        }
    }

    /// Lets no further link begin, and ends all there are.
    pub(crate) fn shut(&self) {
        let links: Vec<_> = {
            let mut state = lock(&self.state);
            state.events = None;
            state.links.values().cloned().collect()
        };
        for slot in links {
            let reason = DownReason::ShuttingDown;
            let text = reason.to_string();
            slot.end(Ending::Gently {
                reason,
                code: code::SHUTTING_DOWN,
                text,
            });
        }
    }

    /// Ends all links and then what is left below them, within [`SHUTDOWN_TIMEOUT`].
    pub(crate) async fn close(&self, rest: impl Future<Output = ()>) {
        let all = async {
            self.shut();
            self.empty().await;
            rest.await;
        };
        if timeout(SHUTDOWN_TIMEOUT, all).await.is_err() {
            tracing::debug!("the transport was not closed in time; its peers will notice later");
        }
    }

    /// Ends all links with a node as if the network had gone.
    pub(crate) fn silence(&self, node: NodeId) {
        let links: Vec<_> = {
            let state = lock(&self.state);
            state
                .links
                .values()
                .filter(|slot| slot.node == node)
                .cloned()
                .collect()
        };
        for slot in links {
            slot.end(Ending::Fault {
                reason: DownReason::Silent,
                code: code::INTERNAL,
            });
        }
    }

    /// Waits until no link is left.
    pub(crate) async fn empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if lock(&self.state).links.is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

impl Slot {
    fn send(&self, bytes: Vec<u8>) {
        let fault = {
            let mut outgoing = lock(&self.outgoing);
            if outgoing.ending.is_some() {
                return;
            }
            if bytes.is_empty() || bytes.len() > MAX_FRAME {
                Some("a frame has from 1 to 262,144 bytes")
            } else if !outgoing.credit.spend(frame_cost(bytes.len())) {
                Some("more was sent than the link's credit covers")
            } else {
                outgoing.frames.push_back(bytes);
                None
            }
        };
        match fault {
            None => self.wake_writer.notify_one(),
            Some(rule) => {
                let reason = DownReason::Misused(rule);
                self.end(Ending::Fault {
                    reason,
                    code: code::INTERNAL,
                });
            }
        }
    }

    /// The first ending counts.
    fn end(&self, ending: Ending) {
        lock(&self.outgoing).ending.get_or_insert(ending);
        self.wake_writer.notify_one();
        self.wake_ending.notify_one();
    }

    fn grant(&self, cost: u64) {
        {
            let mut incoming = lock(&self.incoming);
            *incoming = incoming.saturating_add(signed(cost));
        }
        self.wake_reader.notify_one();
    }
}

impl Place {
    pub(crate) fn link(&self) -> LinkId {
        self.slot.id
    }

    /// Waits for something to write, or for the order to end.
    pub(super) async fn work(&self) -> Work {
        loop {
            if let Some(work) = self.try_work() {
                return work;
            }
            self.slot.wake_writer.notified().await;
        }
    }

    fn try_work(&self) -> Option<Work> {
        let mut outgoing = lock(&self.slot.outgoing);
        if let Some(ending @ Ending::Fault { .. }) = &outgoing.ending {
            return Some(Work::End(ending.clone()));
        }
        if outgoing.frames.is_empty() {
            return outgoing.ending.clone().map(Work::End);
        }
        let mut bytes = Vec::new();
        let mut short = Vec::new();
        let (mut cost, mut written) = (0_u64, 0_usize);
        while let Some(frame) = outgoing
            .frames
            .pop_front_if(|frame| written == 0 || written + frame.len() <= WRITE_BATCH)
        {
            written = written.saturating_add(frame.len());
            cost = cost.saturating_add(frame_cost(frame.len()));
            let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
            short.extend_from_slice(&length.to_be_bytes());
            if frame.len() < WRITE_BATCH {
                short.extend_from_slice(&frame);
            } else {
                // What is long is not copied.
                bytes.extend([std::mem::take(&mut short), frame]);
            }
        }
        bytes.extend(Some(short).filter(|short| !short.is_empty()));
        if outgoing.frames.is_empty() {
            // An idle link keeps no memory for a queue that was once long.
            outgoing.frames = VecDeque::new();
        }
        Some(Work::Write { bytes, cost })
    }

    /// Waits for the order to end.
    pub(super) async fn ending(&self) -> Ending {
        loop {
            if let Some(ending) = lock(&self.slot.outgoing).ending.clone() {
                return ending;
            }
            self.slot.wake_ending.notified().await;
        }
    }

    /// Waits until there is no more use for the link that is being made.
    pub(crate) async fn called_off(&self) {
        self.ending().await;
    }

    /// Credit for frames that have been written.
    pub(super) fn written(&self, cost: u64) {
        lock(&self.slot.outgoing).credit.grant(cost);
    }

    /// Whether another frame may be read.
    pub(super) fn may_read(&self) -> bool {
        *lock(&self.slot.incoming) > 0
    }

    /// A frame of this length is handed over.
    pub(super) fn spend(&self, bytes: usize) {
        let mut incoming = lock(&self.slot.incoming);
        *incoming = incoming.saturating_sub(signed(frame_cost(bytes)));
    }

    /// Waits until another frame may be read.
    pub(super) async fn granted(&self) {
        while !self.may_read() {
            self.slot.wake_reader.notified().await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock(&self.desk.state);
        state.links.remove(&self.slot.id);
        if state.links.is_empty() {
            self.desk.emptied.notify_waiters();
        }
    }
}

fn signed(cost: u64) -> i64 {
    i64::try_from(cost).unwrap_or(i64::MAX)
}

/// No code panics while it holds one of these locks, and if it did, the data would still be whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
