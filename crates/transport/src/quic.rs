//! Links over QUIC (RFC 9000) with TLS 1.3 and raw public keys (RFC 7250), by way of iroh.
//!
//! The endpoint's key is the node key, so a link's node id is what TLS has proved. No relay, no
//! address lookup, no port mapping and no metrics: the only packets sent go to addresses that were
//! dialled, to peers that dialled us, and to the addresses that such peers name for themselves.
//! Early data (0-RTT) is never accepted or sent, since it can be replayed.

mod accept;
mod bind;
mod dial;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use identity::NodeId;
use iroh::{
    Endpoint,
    endpoint::{Connection, ConnectionError, RecvStream, SendStream, VarInt},
};
use tokio::{sync::Semaphore, time::timeout};

pub use bind::{Config, Listen, OpenError};

use crate::{
    Command, DialError, DownReason, EXPORTER_LABEL, Event, Events, Transport,
    limits::{FAREWELL_TIMEOUT, MAX_DIALS, SHUTDOWN_TIMEOUT},
    link::{self, Desk},
};

/// The port that a node listens on if it is free.
pub const DEFAULT_PORT: u16 = 4433;

/// The protocol's name in the TLS handshake (ALPN). It changes with what is not compatible.
const ALPN: &[u8] = b"waystation/0";

/// The `quic` transport. Lives until [`Transport::shut`] or until it is dropped.
#[derive(Debug)]
pub struct Quic {
    endpoint: Endpoint,
    node: NodeId,
    desk: Arc<Desk>,
    dials: Arc<Semaphore>,
    handshake_timeout: Duration,
    runtime: tokio::runtime::Handle,
}

/// Opens the transport: binds its sockets and begins to take links.
///
/// Must be called within a tokio runtime, on which its tasks then run.
///
/// # Errors
/// See [`OpenError`].
pub async fn open(config: Config) -> Result<(Quic, Events), OpenError> {
    let endpoint = bind::endpoint(&config).await?;
    let node = NodeId::from_bytes(*endpoint.id().as_bytes());
    let (sender, events) = Events::channel();
    let desk = Desk::new(sender, config.max_links);
    tokio::spawn(accept::all(
        endpoint.clone(),
        Arc::clone(&desk),
        config.handshake_timeout,
    ));
    let quic = Quic {
        endpoint,
        node,
        desk,
        dials: Arc::new(Semaphore::new(MAX_DIALS)),
        handshake_timeout: config.handshake_timeout,
        runtime: tokio::runtime::Handle::current(),
    };
    Ok((quic, events))
}

impl Transport for Quic {
    fn node(&self) -> NodeId {
        self.node
    }

    fn command(&self, command: Command) {
        let Command::Dial {
            token,
            node,
            address,
        } = command
        else {
            return self.desk.command(command);
        };
        // Without a teller the event queue is closed: there is nobody left to be answered.
        let Some(teller) = self.desk.teller() else {
            return;
        };
        let turn = Arc::clone(&self.dials).try_acquire_owned();
        let dialler = dial::Dialler {
            endpoint: self.endpoint.clone(),
            own: self.node,
            desk: Arc::clone(&self.desk),
            limit: self.handshake_timeout,
        };
        self.runtime.spawn(async move {
            let met = match turn {
                Err(_) => Err(DialError::Busy),
                Ok(_turn) => dialler.dial(node, &address, token).await,
            };
            match met {
                Ok((place, connection, streams, met)) => {
                    link::run(place, teller, connection, streams, met).await;
                }
                Err(reason) => teller.tell(Event::DialFailed { token, reason }).await,
            }
        });
    }

    fn listening(&self) -> Vec<String> {
        self.endpoint
            .bound_sockets()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    fn shut(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            let all = async {
                self.desk.shut();
                self.desk.empty().await;
                // What is left to wait for are handshakes with nodes that do not answer.
                let _ = timeout(FAREWELL_TIMEOUT, self.endpoint.close()).await;
            };
            if timeout(SHUTDOWN_TIMEOUT, all).await.is_err() {
                tracing::debug!(
                    "the transport was not closed in time; its peers will notice later"
                );
            }
        })
    }
}

impl link::Wire for Connection {
    type Reader = RecvStream;
    type Writer = SendStream;

    async fn closed(&self) -> DownReason {
        down_reason(Self::closed(self).await)
    }

    async fn delivered(writer: &mut SendStream) {
        // Whatever the answer: there is nothing left to wait for.
        let _ = writer.stopped().await;
    }

    fn close(&self, code: u32, text: &str) {
        Self::close(self, VarInt::from_u32(code), link::cut(text).as_bytes());
    }
}

/// The exporter value of a connection whose handshake is complete.
fn exporter(connection: &Connection) -> Result<[u8; 32], String> {
    let mut value = [0; 32];
    connection
        .export_keying_material(&mut value, EXPORTER_LABEL, b"")
        .map_err(|error| format!("no exporter: {error:?}"))?;
    Ok(value)
}

fn down_reason(error: ConnectionError) -> DownReason {
    match error {
        ConnectionError::ApplicationClosed(close) => DownReason::ClosedByPeer {
            // A code beyond 32 bits is not ours; what it means we do not know anyway.
            code: u32::try_from(close.error_code.into_inner()).unwrap_or(u32::MAX),
            text: link::cut(&String::from_utf8_lossy(&close.reason)).to_owned(),
        },
        ConnectionError::TimedOut => DownReason::Silent,
        other => DownReason::Lost(other.to_string()),
    }
}
