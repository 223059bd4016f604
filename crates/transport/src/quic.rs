//! Links over QUIC (RFC 9000) with TLS 1.3 and raw public keys (RFC 7250), by way of iroh.
//!
//! The endpoint's key is the node key, so a link's node id is what TLS has proved. No relay, no
//! address lookup, no port mapping and no metrics: the only packets sent go to addresses that were
//! dialled, to peers that dialled us, and to the addresses that such peers name for themselves.
//! Early data (0-RTT) is never accepted or sent, since it can be replayed.

mod accept;
mod bind;
mod dial;

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc};

use bytes::Bytes;
use identity::NodeId;
use iroh::{
    Endpoint,
    endpoint::{Connection, ConnectionError, RecvStream, SendStream, VarInt},
};
use tokio::time::timeout;

pub(crate) use dial::{Connection as Dialled, Dialler};

use crate::{
    Command, Config, DialError, DownReason, EXPORTER_LABEL, Events, OpenError, Transport,
    address::Over,
    dial::Dials,
    door::Door,
    limits::FAREWELL_TIMEOUT,
    link::{self, Desk},
};

/// The protocol's name in the TLS handshake (ALPN). It changes with what is not compatible.
const ALPN: &[u8] = b"waystation/0";

/// The `quic` transport. Lives until [`Transport::shut`] or until it is dropped.
#[derive(Debug)]
pub struct Quic {
    endpoint: Endpoint,
    desk: Arc<Desk>,
    dials: Dials,
}

/// Opens the transport: binds its sockets and begins to take links.
///
/// Must be called within a tokio runtime, on which its tasks then run.
///
/// # Errors
/// See [`OpenError`].
pub async fn open(config: Config) -> Result<(Quic, Events), OpenError> {
    let (sender, events) = Events::channel();
    let desk = Desk::new(sender, config.max_links);
    let quic = Quic::new(&config, desk, Arc::new(Door::default())).await?;
    Ok((quic, events))
}

impl Quic {
    /// With a desk and a door that others may use too.
    pub(crate) async fn new(
        config: &Config,
        desk: Arc<Desk>,
        door: Arc<Door>,
    ) -> Result<Self, OpenError> {
        let endpoint = bind::endpoint(config).await?;
        let node = NodeId::from_bytes(*endpoint.id().as_bytes());
        tokio::spawn(accept::all(
            endpoint.clone(),
            Arc::clone(&desk),
            door,
            config.handshake_timeout,
        ));
        Ok(Self {
            endpoint,
            dials: Dials::new(node, &desk, config.handshake_timeout),
            desk,
        })
    }

    pub(crate) fn dialler(&self) -> Dialler {
        Dialler(self.endpoint.clone())
    }

    pub(crate) fn bound(&self) -> Vec<SocketAddr> {
        self.endpoint.bound_sockets()
    }

    /// Closes what is left when no link is.
    pub(crate) async fn close(&self) {
        // What is left to wait for are handshakes with nodes that do not answer.
        let _ = timeout(FAREWELL_TIMEOUT, self.endpoint.close()).await;
    }
}

impl Transport for Quic {
    fn node(&self) -> NodeId {
        self.dials.own()
    }

    fn command(&self, command: Command) {
        let dialler = self.dialler();
        self.dials
            .command(command, |node, address, token| async move {
                if address.over == Over::Tls {
                    return Err(DialError::BadAddress(address.to_string()));
                }
                let connection = dialler.connect(node, &address.at).await?;
                connection.greet(token).await
            });
    }

    fn listening(&self) -> Vec<String> {
        self.bound().iter().map(ToString::to_string).collect()
    }

    fn shut(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.desk.close(self.close()))
    }
}

impl link::Wire for Connection {
    type Reader = RecvStream;
    type Writer = SendStream;

    async fn closed(&self) -> DownReason {
        down_reason(Self::closed(self).await)
    }

    /// Without a copy: QUIC keeps what is not acknowledged.
    async fn write(writer: &mut SendStream, bytes: Vec<Vec<u8>>) -> std::io::Result<()> {
        let mut bytes: Vec<Bytes> = bytes.into_iter().map(Bytes::from).collect();
        Ok(writer.write_all_chunks(&mut bytes).await?)
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
