//! Dialling.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use identity::NodeId;
use iroh::{
    Endpoint, EndpointAddr, PublicKey, TransportAddr,
    endpoint::{
        ConnectError, ConnectWithOptsError, ConnectingError, Connection, ConnectionError,
        RecvStream, SendStream,
    },
};
use tokio::{net::lookup_host, time::timeout};

use super::{ALPN, exporter};
use crate::{
    DialError, DialToken, HostPort,
    limits::MAX_RESOLVED,
    link::{self, Desk, Met, Place},
};

/// The first of the QUIC error codes that carry a TLS alert (RFC 9001, 4.8).
const CRYPTO_ERROR: u64 = 0x100;

pub(super) struct Dialler {
    pub(super) endpoint: Endpoint,
    pub(super) own: NodeId,
    pub(super) desk: Arc<Desk>,
    pub(super) limit: Duration,
}

impl Dialler {
    /// Makes a connection, or says why there is none, within the limit.
    pub(super) async fn dial(
        &self,
        node: NodeId,
        address: &str,
        token: DialToken,
    ) -> Result<(Place, Connection, (RecvStream, SendStream), Met), DialError> {
        let address: HostPort = address
            .parse()
            .map_err(|_| DialError::BadAddress(address.to_owned()))?;
        if node == self.own {
            return Err(DialError::Oneself);
        }
        let key = PublicKey::from_bytes(node.as_bytes()).map_err(|_| DialError::BadNodeId)?;
        let place = self.desk.admit(node)?;
        let all = async {
            let targets = resolve(&address).await?;
            self.meet(node, key, targets, token).await
        };
        let met = tokio::select! {
            met = timeout(self.limit, all) => met.unwrap_or(Err(DialError::NoAnswer)),
            // A node that goes down does not wait for whoever does not answer.
            () = place.called_off() => Err(DialError::ShuttingDown),
        };
        met.map(|(connection, streams, met)| (place, connection, streams, met))
    }

    async fn meet(
        &self,
        node: NodeId,
        key: PublicKey,
        targets: Vec<SocketAddr>,
        token: DialToken,
    ) -> Result<(Connection, (RecvStream, SendStream), Met), DialError> {
        let to = EndpointAddr::from_parts(key, targets.iter().copied().map(TransportAddr::Ip));
        let connection = self
            .endpoint
            .connect(to, ALPN)
            .await
            .map_err(connect_error)?;
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
        let met = Met {
            node,
            dialled: Some(token),
            exporter,
            remote,
        };
        Ok((connection, (reader, writer), met))
    }
}

async fn resolve(address: &HostPort) -> Result<Vec<SocketAddr>, DialError> {
    if let Some(ip) = address.ip() {
        return Ok(vec![(ip, address.port()).into()]);
    }
    let unresolved = |why: String| DialError::Unresolved {
        host: address.host(),
        why,
    };
    let found: Vec<SocketAddr> = lookup_host((address.host(), address.port()))
        .await
        .map_err(|error| unresolved(error.to_string()))?
        .take(MAX_RESOLVED)
        .collect();
    if found.is_empty() {
        Err(unresolved("it has no address".to_owned()))
    } else {
        Ok(found)
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
