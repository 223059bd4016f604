//! Dialling.

use std::{io, net::SocketAddr, sync::Arc};

use identity::NodeId;
use tokio::{net::TcpStream, task::JoinSet, time::sleep};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    Ways,
    channel::{self, Channel},
    keys::{name_of, proven},
    socks,
};
use crate::{
    DialError, DialToken, DownReason, HostPort,
    address::TLS,
    dial::Made,
    limits::NEXT_ADDRESS,
    link::{self, Met, Wire as _},
    lookup::resolve,
};

#[derive(Clone, Debug)]
pub(crate) struct Dialler(pub(super) Ways);

/// A connection over which both ends have proved their keys, and over which nothing was said yet.
pub(crate) struct Connection {
    ways: Ways,
    stream: TlsStream<TcpStream>,
    node: NodeId,
    exporter: [u8; 32],
    remote: String,
}

impl Dialler {
    /// As far as the keys. The caller bounds the time.
    pub(crate) async fn connect(
        &self,
        node: NodeId,
        at: &HostPort,
    ) -> Result<Connection, DialError> {
        let (stream, remote) = match &self.0.proxy {
            Some(proxy) => (socks::connect(proxy, at).await?, at.to_string()),
            None => reach(at).await?,
        };
        stream.set_nodelay(true).map_err(|error| lost(&error))?;
        let name = name_of(&node).map_err(DialError::Failed)?;
        let connector = TlsConnector::from(Arc::clone(&self.0.keys.client));
        let stream = connector
            .connect(name, stream)
            .await
            .map_err(|error| refused(&error))?;
        let (shown, exporter) = proven(stream.get_ref().1).map_err(DialError::Refused)?;
        if shown != node {
            return Err(DialError::WrongNode);
        }
        Ok(Connection {
            ways: self.0.clone(),
            stream,
            node,
            exporter,
            remote,
        })
    }
}

impl Connection {
    /// From there to the link. The caller bounds the time.
    pub(crate) async fn greet(self, token: DialToken) -> Result<Made<Channel>, DialError> {
        let (wire, (mut reader, mut writer)) =
            channel::open(self.stream, self.ways.idle_timeout, &self.ways.channels);
        if let Err(why) = link::greet(&mut reader, &mut writer).await {
            // What the peer said with its close tells more than the end of the stream; where the
            // stream has not ended, it has said something else.
            return Err(tokio::select! {
                biased;
                reason = wire.closed() => match reason {
                    DownReason::ClosedByPeer { text, .. } => DialError::Refused(text),
                    DownReason::Silent => DialError::NoAnswer,
                    other => DialError::Refused(other.to_string()),
                },
                () = std::future::ready(()) => DialError::Refused(why),
            });
        }
        Ok(Made {
            wire,
            streams: (reader, writer),
            met: Met {
                node: self.node,
                dialled: Some(token),
                exporter: self.exporter,
                remote: format!("{TLS}{}", self.remote),
            },
        })
    }
}

/// A connection with a host, and where it leads. Of several addresses each has a head start over
/// the next.
pub(super) async fn reach(at: &HostPort) -> Result<(TcpStream, String), DialError> {
    let mut tries = JoinSet::new();
    for (number, address) in (0..).zip(resolve(at).await?) {
        tries.spawn(async move {
            sleep(NEXT_ADDRESS * number).await;
            TcpStream::connect(address)
                .await
                .map(|stream| (stream, address))
        });
    }
    let mut failure = DialError::NoAnswer;
    while let Some(tried) = tries.join_next().await {
        match tried {
            Ok(Ok((stream, address))) => return Ok((stream, SocketAddr::to_string(&address))),
            Ok(Err(error)) => failure = lost(&error),
            Err(_) => {}
        }
    }
    Err(failure)
}

/// Why there is no connection.
pub(super) fn lost(error: &io::Error) -> DialError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::TimedOut
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable => DialError::NoAnswer,
        _ => DialError::Failed(error.to_string()),
    }
}

/// Why a handshake came to nothing. Somebody was there.
fn refused(error: &io::Error) -> DialError {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(rustls::Error::InvalidCertificate(_)) => DialError::WrongNode,
        Some(cause) => DialError::Refused(cause.to_string()),
        None => DialError::Refused(error.to_string()),
    }
}
