//! Authenticated links between nodes, and frames over them.
//!
//! A transport makes links with other nodes, proves who is at each end, and carries frames of at
//! most 256 KiB over each link, in order, with credit in both directions: it reads no more from a
//! link than the layer above has granted, and takes no more from the layer above than the link can
//! bear. [`quic`] and [`tls`] are the real ones, and [`internet`] is both in one; [`memory`] joins
//! nodes of one process, for tests. All pass [`suite`].
//!
//! The interface is as narrow as that: [`Transport::command`] takes a [`Command`] and never
//! blocks; [`Events::next`] gives an [`Event`]. Any protocol stack that offers an ordered byte
//! stream, mutual authentication by Ed25519 key and an exporter can be put behind it.
//!
//! What it does not do: it decides nothing about whom to link with, does not dial again, chooses
//! nothing between two links with one node, does not read the frames, and asks no server of any
//! third party for anything.

mod address;
mod config;
mod dial;
mod door;
mod event;
pub mod internet;
pub mod limits;
mod link;
mod lookup;
pub mod memory;
pub mod quic;
pub mod suite;
pub mod tls;

use std::{future::Future, pin::Pin};

use identity::NodeId;
use tokio::sync::mpsc;

pub use address::{Address, BadAddress, HostPort};
pub use config::{Config, DEFAULT_PORT, Listen, OpenError};
pub use event::{Command, DialError, DialToken, DownReason, Event, LinkId, frame_cost};

/// The label under which both ends of a link derive the value in [`Event::Up`].
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-waystation-link-v1";

/// A way to reach other nodes.
///
/// Handles are shared freely between threads; the events go to the one [`Events`] that was made
/// beside it.
pub trait Transport: Send + Sync + 'static {
    /// The node whose key this transport proves.
    fn node(&self) -> NodeId;

    /// Takes a command. Never blocks and never fails: what goes wrong becomes an [`Event`].
    fn command(&self, command: Command);

    /// The addresses it listens on, as `host:port`, with real port numbers.
    fn listening(&self) -> Vec<String>;

    /// Closes every link and then the transport, within
    /// [`SHUTDOWN_TIMEOUT`](limits::SHUTDOWN_TIMEOUT). Frames queued before are delivered if the
    /// peers take them within [`CLOSE_LINGER`](limits::CLOSE_LINGER). Afterwards [`Events::next`]
    /// gives the last events and then `None`.
    fn shut(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The events of one transport, in order.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::Receiver<Event>,
}

impl Events {
    pub(crate) fn channel() -> (mpsc::Sender<Event>, Self) {
        let (sender, queue) = mpsc::channel(limits::EVENT_QUEUE);
        (sender, Self { queue })
    }

    /// The next event; `None` when the transport is closed and everything has been taken. May be
    /// dropped while it waits, without losing an event.
    pub async fn next(&mut self) -> Option<Event> {
        self.queue.recv().await
    }

    /// As [`Events::next`], for a thread of its own. Panics if called from asynchronous code.
    pub fn next_blocking(&mut self) -> Option<Event> {
        self.queue.blocking_recv()
    }
}
