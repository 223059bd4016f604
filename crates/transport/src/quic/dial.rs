//! Dialling.

use std::net::SocketAddr;

use identity::NodeId;
use iroh::{
    Endpoint, EndpointAddr, PublicKey, TransportAddr,
    endpoint::{ConnectError, ConnectWithOptsError, ConnectingError, ConnectionError},
};

use super::{ALPN, exporter};
use crate::{
    DialError, DialToken, HostPort,
    dial::Made,
    link::{self, Met},
    lookup::resolve,
};

/// The first of the QUIC error codes that carry a TLS alert (RFC 9001, 4.8).
const CRYPTO_ERROR: u64 = 0x100;

#[derive(Clone, Debug)]
pub(crate) struct Dialler(pub(super) Endpoint);

/// A connection over which both ends have proved their keys, and over which nothing was said yet.
pub(crate) struct Connection {
    connection: iroh::endpoint::Connection,
    node: NodeId,
    targets: Vec<SocketAddr>,
}

impl Dialler {
    /// As far as the keys. The caller bounds the time.
    pub(crate) async fn connect(
        &self,
        node: NodeId,
        at: &HostPort,
    ) -> Result<Connection, DialError> {
        let key = PublicKey::from_bytes(node.as_bytes()).map_err(|_| DialError::BadNodeId)?;
        let targets = resolve(at).await?;
        let to = EndpointAddr::from_parts(key, targets.iter().copied().map(TransportAddr::Ip));
        let connection = self.0.connect(to, ALPN).await.map_err(connect_error)?;
        Ok(Connection {
            connection,
            node,
            targets,
        })
    }
}

impl Connection {
    /// From there to the link. The caller bounds the time.
    pub(crate) async fn greet(
        self,
        token: DialToken,
    ) -> Result<Made<iroh::endpoint::Connection>, DialError> {
        let Self {
            connection,
            node,
            targets,
        } = self;
        let (mut writer, mut reader) = connection.open_bi().await.map_err(connection_error)?;
        if let Err(why) = link::greet(&mut reader, &mut writer).await {
            // What the peer said with its close tells more than the end of the stream.
            return Err(match connection.close_reason() {
                Some(reason) => connection_error(reason),
                None => DialError::Refused(why),
            });
        }
        let remote = connection
            .paths()
            .iter()
            .find(|path| path.is_selected())
            .and_then(|path| match path.remote_addr() {
                TransportAddr::Ip(address) => Some(address.to_string()),
                _ => None,
            })
            .or_else(|| targets.first().map(ToString::to_string))
            .unwrap_or_default();
        let exporter = exporter(&connection).map_err(DialError::Failed)?;
        Ok(Made {
            wire: connection,
            streams: (reader, writer),
            met: Met {
                node,
                dialled: Some(token),
                exporter,
                remote,
            },
        })
    }
}

fn connect_error(error: ConnectError) -> DialError {
    match error {
        ConnectError::Connect {
            source: ConnectWithOptsError::SelfConnect { .. },
            ..
        } => DialError::Oneself,
        ConnectError::Connect {
            source: ConnectWithOptsError::EndpointClosed { .. },
            ..
        } => DialError::ShuttingDown,
        ConnectError::Connecting {
            source: ConnectingError::ConnectionError { source, .. },
            ..
        }
        | ConnectError::Connection { source, .. } => connection_error(source),
        ConnectError::Connecting {
            source: ConnectingError::HandshakeFailure { .. },
            ..
        } => DialError::WrongNode,
        other => DialError::Failed(other.to_string()),
    }
}

fn connection_error(error: ConnectionError) -> DialError {
    match error {
        ConnectionError::TimedOut => DialError::NoAnswer,
        ConnectionError::ApplicationClosed(close) => {
            let text = String::from_utf8_lossy(&close.reason);
            DialError::Refused(link::cut(&text).to_owned())
        }
        ConnectionError::ConnectionClosed(close) => DialError::Refused(close.to_string()),
        // Our own side raised an alert: it could not verify the peer's key against the one dialled.
        ConnectionError::TransportError(error)
            if (CRYPTO_ERROR..CRYPTO_ERROR + 0x100).contains(&u64::from(error.code)) =>
        {
            DialError::WrongNode
        }
        ConnectionError::LocallyClosed => DialError::ShuttingDown,
        other => DialError::Failed(other.to_string()),
    }
}
