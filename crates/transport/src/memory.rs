//! Nodes of one process, joined in memory: for tests of what stands above.
//!
//! It keeps the same rules of framing and credit as [`quic`](crate::quic), by the same code, but
//! proves nothing: whoever opens it says who it is.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use identity::NodeId;
use tokio::{
    io::{DuplexStream, ReadHalf, WriteHalf, duplex, split},
    sync::watch,
    time::timeout,
};

use crate::{
    Command, DialError, DialToken, DownReason, Event, Events, HostPort, Transport,
    limits::{MAX_LINKS, SHUTDOWN_TIMEOUT},
    link::{self, Desk, Met, Place, Refusal, Teller},
};

/// Bytes on the way in one direction.
const CABLE: usize = 64 * 1024;

/// A network in memory. Clones are the same network.
#[derive(Clone, Debug, Default)]
pub struct Net {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    nodes: BTreeMap<String, Arc<Inner>>,
    cables: Vec<Weak<Cable>>,
    opened: u16,
    links: u64,
}

/// The transport of one node on a [`Net`].
#[derive(Debug)]
pub struct Memory {
    inner: Arc<Inner>,
    net: Net,
    runtime: tokio::runtime::Handle,
}

#[derive(Debug)]
struct Inner {
    node: NodeId,
    address: String,
    desk: Arc<Desk>,
}

impl Net {
    /// An empty network.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Joins a node to the network, under the next address `memory:1`, `memory:2`, …
    ///
    /// # Panics
    /// When not called within a tokio runtime.
    #[must_use]
    pub fn open(&self, node: NodeId) -> (Memory, Events) {
        let (sender, events) = Events::channel();
        let mut state = self.lock();
        state.opened = state.opened.saturating_add(1);
        let address = format!("memory:{}", state.opened);
        let inner = Arc::new(Inner {
            node,
            address: address.clone(),
            desk: Desk::new(sender, MAX_LINKS),
        });
        state.nodes.insert(address, Arc::clone(&inner));
        let runtime = tokio::runtime::Handle::current();
        (
            Memory {
                inner,
                net: self.clone(),
                runtime,
            },
            events,
        )
    }

    /// Ends all links between two nodes as if the network between them had gone silent.
    pub fn silence(&self, a: NodeId, b: NodeId) {
        let state = self.lock();
        for cable in state.cables.iter().filter_map(Weak::upgrade) {
            if cable.ends == [a, b] || cable.ends == [b, a] {
                cable.cut();
            }
        }
        for inner in state.nodes.values() {
            if inner.node == a {
                inner.desk.silence(b);
            } else if inner.node == b {
                inner.desk.silence(a);
            }
        }
    }

    /// A cable between two nodes, if the one that is dialled is there.
    fn connect(
        &self,
        from: &Inner,
        node: NodeId,
        address: &str,
    ) -> Result<(Wire, Wire, Arc<Inner>, [u8; 32]), DialError> {
        address
            .parse::<HostPort>()
            .map_err(|_| DialError::BadAddress(address.to_owned()))?;
        if node == from.node {
            return Err(DialError::Oneself);
        }
        let mut state = self.lock();
        let to = state
            .nodes
            .get(address)
            .cloned()
            .ok_or(DialError::NoAnswer)?;
        if to.node != node {
            return Err(DialError::WrongNode);
        }
        let cable = Arc::new(Cable {
            ends: [from.node, to.node],
            closed: watch::Sender::new(None),
        });
        state.cables.retain(|cable| cable.strong_count() > 0);
        state.cables.push(Arc::downgrade(&cable));
        state.links += 1;
        let mut exporter = [0; 32];
        exporter[..8].copy_from_slice(&state.links.to_be_bytes());
        let here = Wire {
            cable: Arc::clone(&cable),
            end: 0,
        };
        Ok((here, Wire { cable, end: 1 }, to, exporter))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Memory {
    fn node(&self) -> NodeId {
        self.inner.node
    }

    fn command(&self, command: Command) {
        let Command::Dial {
            token,
            node,
            address,
        } = command
        else {
            return self.inner.desk.command(command);
        };
        let Some(teller) = self.inner.desk.teller() else {
            return;
        };
        let joined = self.net.connect(&self.inner, node, &address);
        let joined = joined.and_then(|(here, there, to, exporter)| {
            let their_teller = to.desk.teller().ok_or(DialError::NoAnswer)?;
            let place = self.inner.desk.admit(node)?;
            let refused = |refusal: Refusal| DialError::Refused(refusal.to_string());
            let their_place = to.desk.admit(self.inner.node).map_err(refused)?;
            let (near, far) = duplex(CABLE);
            let met = |node, dialled, remote| Met {
                node,
                dialled,
                exporter,
                remote,
            };
            let theirs = met(self.inner.node, None, self.inner.address.clone());
            let side = Side {
                place: their_place,
                teller: their_teller,
                wire: there,
            };
            self.runtime.spawn(side.run(far, theirs));
            let side = Side {
                place,
                teller: teller.clone(),
                wire: here,
            };
            self.runtime
                .spawn(side.run(near, met(to.node, Some(token), address)));
            Ok(())
        });
        if let Err(reason) = joined {
            self.runtime.spawn(fail(teller, token, reason));
        }
    }

    fn listening(&self) -> Vec<String> {
        vec![self.inner.address.clone()]
    }

    fn shut(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            self.net.lock().nodes.remove(&self.inner.address);
            self.inner.desk.shut();
            let _ = timeout(SHUTDOWN_TIMEOUT, self.inner.desk.empty()).await;
        })
    }
}

async fn fail(teller: Teller, token: DialToken, reason: DialError) {
    teller.tell(Event::DialFailed { token, reason }).await;
}

/// What one end of a new link needs.
struct Side {
    place: Place,
    teller: Teller,
    wire: Wire,
}

impl Side {
    async fn run(self, stream: DuplexStream, met: Met) {
        let (mut reader, mut writer) = split(stream);
        match link::greet(&mut reader, &mut writer).await {
            Ok(()) => {
                link::run(self.place, self.teller, self.wire, (reader, writer), met).await;
            }
            Err(why) => {
                if let Some(token) = met.dialled {
                    fail(self.teller, token, DialError::Refused(why)).await;
                }
            }
        }
    }
}

/// What both ends of a link share beside the stream.
#[derive(Debug)]
struct Cable {
    ends: [NodeId; 2],
    closed: watch::Sender<Option<Closed>>,
}

#[derive(Clone, Debug)]
enum Closed {
    By { end: usize, code: u32, text: String },
    Cut,
}

impl Cable {
    fn cut(&self) {
        self.close(Closed::Cut);
    }

    /// The first word counts.
    fn close(&self, how: Closed) {
        self.closed.send_if_modified(|closed| {
            let first = closed.is_none();
            if first {
                *closed = Some(how);
            }
            first
        });
    }
}

/// One end of a cable.
#[derive(Debug)]
struct Wire {
    cable: Arc<Cable>,
    end: usize,
}

impl link::Wire for Wire {
    type Reader = ReadHalf<DuplexStream>;
    type Writer = WriteHalf<DuplexStream>;

    async fn closed(&self) -> DownReason {
        let mut closed = self.cable.closed.subscribe();
        // The sender lives in the cable, which we hold.
        let closed = closed
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|how| how.clone());
        match closed {
            Some(Closed::By { end, code, text }) if end != self.end => {
                DownReason::ClosedByPeer { code, text }
            }
            Some(Closed::Cut) => DownReason::Silent,
            Some(Closed::By { .. }) | None => DownReason::Lost("closed here".to_owned()),
        }
    }

    async fn delivered(_: &mut Self::Writer) {
        // What was written lies in the peer's half already.
    }

    fn close(&self, code: u32, text: &str) {
        self.cable.close(Closed::By {
            end: self.end,
            code,
            text: text.to_owned(),
        });
    }
}
