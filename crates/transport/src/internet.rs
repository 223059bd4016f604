//! Nodes on the internet: [`quic`] over UDP and [`tls`] over TCP as one transport.
//!
//! Both share the desk, so that links are numbered and limited together. A node is dialled over UDP
//! first; when that has brought nothing after [`HEAD_START`] it is dialled over TCP as well, at the
//! same port, and whichever proves the keys first becomes the link, the one over UDP if both do.
//! Nothing is said on the other, so that the peer never sees two links.

use std::{future::Future, net::SocketAddr, pin::Pin, pin::pin, sync::Arc};

use identity::NodeId;
use tokio::{net::TcpListener, time::timeout};

pub use crate::address::Over;

use crate::{
    Address, Command, Config, DialError, DialToken, Events, HostPort, Listen, OpenError, Transport,
    dial::{Dials, Made, Run},
    door::Door,
    limits::HEAD_START,
    link::{Desk, Place, Teller},
    quic::{self, Quic},
    tls::{self, Channel, Tls},
};

/// The transport. Lives until [`Transport::shut`] or until it is dropped.
#[derive(Debug)]
pub struct Internet {
    quic: Option<Quic>,
    tls: Option<Tls>,
    desk: Arc<Desk>,
    dials: Dials,
}

/// Opens the transport: binds its sockets and begins to take links.
///
/// Must be called within a tokio runtime, on which its tasks then run.
///
/// # Errors
/// See [`OpenError`].
pub async fn open(config: Config, over: Over) -> Result<(Internet, Events), OpenError> {
    let (sender, events) = Events::channel();
    let desk = Desk::new(sender, config.max_links);
    let door = Arc::new(Door::default());
    let (quic, tls) = match over {
        Over::Quic => (
            Some(Quic::new(&config, Arc::clone(&desk), door).await?),
            None,
        ),
        Over::Tls => {
            let listeners = tls::bound(&config.listen)?;
            let tls = Tls::new(&config, listeners, Arc::clone(&desk), &door)?;
            (None, Some(tls))
        }
        Over::Both => {
            let (quic, listeners) = both(&config, &desk, &door).await?;
            let tls = Tls::new(&config, listeners, Arc::clone(&desk), &door)?;
            (Some(quic), Some(tls))
        }
    };
    let node = identity::SecretKey::from_seed(config.seed).node_id();
    let internet = Internet {
        quic,
        tls,
        dials: Dials::new(node, &desk, config.handshake_timeout),
        desk,
    };
    Ok((internet, events))
}

/// Both on the same ports.
async fn both(
    config: &Config,
    desk: &Arc<Desk>,
    door: &Arc<Door>,
) -> Result<(Quic, Vec<TcpListener>), OpenError> {
    let mut last = OpenError::NoAddress;
    for addresses in config.listen.attempts() {
        let listeners = match tls::listeners(&addresses) {
            Ok(listeners) => listeners,
            Err(error) => {
                last = error;
                continue;
            }
        };
        let bound: Vec<SocketAddr> = listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect();
        let config = Config {
            listen: Listen::At(bound),
            ..config.clone()
        };
        match Quic::new(&config, Arc::clone(desk), Arc::clone(door)).await {
            Ok(quic) => return Ok((quic, listeners)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Transport for Internet {
    fn node(&self) -> NodeId {
        self.dials.own()
    }

    fn command(&self, command: Command) {
        let quic = self.quic.as_ref().map(Quic::dialler);
        let tls = self.tls.as_ref().map(Tls::dialler);
        self.dials
            .command(command, |node, address, token| async move {
                let Address { over, at } = address;
                // An onion service has no UDP.
                let quic = quic.filter(|_| over != Over::Tls && !at.is_onion());
                match (quic, tls.filter(|_| over != Over::Quic)) {
                    (Some(quic), Some(tls)) => race(&quic, &tls, node, &at, token).await,
                    (Some(quic), None) => by_quic(quic.connect(node, &at).await?, token).await,
                    (None, Some(tls)) => by_tls(tls.connect(node, &at).await?, token).await,
                    (None, None) => Err(DialError::Failed(
                        "what leads there is switched off here".to_owned(),
                    )),
                }
            });
    }

    fn listening(&self) -> Vec<String> {
        let quic = self.quic.as_ref().map(Quic::bound).unwrap_or_default();
        let tls = self.tls.as_ref().map(Tls::bound).unwrap_or_default();
        let alone = tls.iter().filter(|at| !quic.contains(at));
        let alone = alone.map(|at| Address::tls(*at).to_string());
        quic.iter().map(ToString::to_string).chain(alone).collect()
    }

    fn shut(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        if let Some(tls) = &self.tls {
            tls.close_door();
        }
        let rest = async {
            tokio::join!(
                async {
                    if let Some(quic) = &self.quic {
                        quic.close().await;
                    }
                },
                async {
                    if let Some(tls) = &self.tls {
                        tls.close().await;
                    }
                }
            );
        };
        Box::pin(self.desk.close(rest))
    }
}

/// A link over either.
enum Either {
    Quic(Made<iroh::endpoint::Connection>),
    Tls(Made<Channel>),
}

impl Run for Either {
    async fn run(self, place: Place, teller: Teller) {
        match self {
            Self::Quic(made) => made.run(place, teller).await,
            Self::Tls(made) => made.run(place, teller).await,
        }
    }
}

async fn by_quic(connection: quic::Dialled, token: DialToken) -> Result<Either, DialError> {
    connection.greet(token).await.map(Either::Quic)
}

async fn by_tls(connection: tls::Dialled, token: DialToken) -> Result<Either, DialError> {
    connection.greet(token).await.map(Either::Tls)
}

/// Dials over UDP, and a moment later over TCP as well.
async fn race(
    quic: &quic::Dialler,
    tls: &tls::Dialler,
    node: NodeId,
    at: &HostPort,
    token: DialToken,
) -> Result<Either, DialError> {
    let mut udp = pin!(quic.connect(node, at));
    let mut failed = match timeout(HEAD_START, &mut udp).await {
        Ok(Ok(connection)) => return by_quic(connection, token).await,
        Ok(Err(reason)) if !may_be_the_network(&reason) => return Err(reason),
        Ok(Err(reason)) => Some(reason),
        Err(_) => None,
    };
    let mut tcp = pin!(tls.connect(node, at));
    let mut tcp_failed = None;
    loop {
        tokio::select! {
            // If both are there, the one over UDP is kept.
            biased;
            met = &mut udp, if failed.is_none() => match met {
                Ok(connection) => return by_quic(connection, token).await,
                Err(reason) => failed = Some(reason),
            },
            met = &mut tcp, if tcp_failed.is_none() => match met {
                Ok(connection) => return by_tls(connection, token).await,
                Err(reason) => tcp_failed = Some(reason),
            },
        }
        match (&failed, &tcp_failed) {
            // Who was found is told before who was not.
            (Some(DialError::NoAnswer), Some(reason)) | (Some(reason), Some(_)) => {
                return Err(reason.clone());
            }
            _ => {}
        }
    }
}

/// Whether it may be that UDP does not get through, and TCP does; or that a name is unknown here, and
/// not to the proxy.
fn may_be_the_network(reason: &DialError) -> bool {
    matches!(
        reason,
        DialError::NoAnswer | DialError::Unresolved { .. } | DialError::Failed(_)
    )
}
