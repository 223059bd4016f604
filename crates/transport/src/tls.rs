//! Links over TLS 1.3 and TCP with raw public keys (RFC 7250) on both sides, for networks that let
//! no UDP through.
//!
//! The keys are the node keys, so a link's node id is what TLS has proved, at every handshake anew:
//! sessions are not resumed, and early data is neither sent nor taken. What QUIC does by itself and
//! TCP does not (limits on what is on its way, signs of life, a close with a code) is said in
//! chunks over the one stream: `channel`.

mod accept;
mod bind;
mod channel;
mod chunk;
mod dial;
mod keys;
mod socks;

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use identity::{NodeId, SecretKey};
use tokio::{net::TcpListener, task::AbortHandle, time::timeout};

pub(crate) use bind::listeners;
pub(crate) use channel::Channel;
pub(crate) use dial::{Connection as Dialled, Dialler};

use crate::{
    Address, Command, Config, DialError, Events, HostPort, Listen, OpenError, Transport,
    address::Over, dial::Dials, door::Door, limits::FAREWELL_TIMEOUT, link::Desk,
};

/// The protocol's name in the TLS handshake (ALPN). It changes with what is not compatible.
const ALPN: &[u8] = b"waystation-tls/0";

/// The `tls` transport. Lives until [`Transport::shut`] or until it is dropped.
#[derive(Debug)]
pub struct Tls {
    listening: Vec<SocketAddr>,
    listeners: Vec<AbortHandle>,
    ways: Ways,
    desk: Arc<Desk>,
    dials: Dials,
}

/// How connections are made here, by whichever side.
#[derive(Clone, Debug)]
pub(crate) struct Ways {
    keys: keys::Keys,
    proxy: Option<HostPort>,
    handshake_timeout: Duration,
    idle_timeout: Duration,
    channels: channel::Count,
}

/// Opens the transport: binds its sockets and begins to take links.
///
/// Must be called within a tokio runtime, on which its tasks then run.
///
/// # Errors
/// See [`OpenError`].
pub async fn open(config: Config) -> Result<(Tls, Events), OpenError> {
    let (sender, events) = Events::channel();
    let desk = Desk::new(sender, config.max_links);
    let door = Arc::new(Door::default());
    Ok((
        Tls::new(&config, bound(&config.listen)?, desk, &door)?,
        events,
    ))
}

/// Binds what is to be listened on.
pub(crate) fn bound(listen: &Listen) -> Result<Vec<TcpListener>, OpenError> {
    if *listen == Listen::Nowhere {
        return Ok(Vec::new());
    }
    let mut last = OpenError::NoAddress;
    for addresses in listen.attempts() {
        match listeners(&addresses) {
            Ok(listeners) => return Ok(listeners),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Tls {
    /// With a desk and a door that others may use too.
    pub(crate) fn new(
        config: &Config,
        listeners: Vec<TcpListener>,
        desk: Arc<Desk>,
        door: &Arc<Door>,
    ) -> Result<Self, OpenError> {
        let node = SecretKey::from_seed(config.seed).node_id();
        let keys = keys::Keys::new(&config.seed, node)
            .map_err(|error| OpenError::Keys(error.to_string()))?;
        let ways = Ways {
            keys,
            proxy: config.proxy.clone(),
            handshake_timeout: config.handshake_timeout,
            idle_timeout: config.idle_timeout,
            channels: channel::Count::default(),
        };
        let listening = listeners.iter().filter_map(|at| at.local_addr().ok());
        Ok(Self {
            listening: listening.collect(),
            listeners: listeners
                .into_iter()
                .map(|listener| {
                    let (desk, door) = (Arc::clone(&desk), Arc::clone(door));
                    tokio::spawn(accept::all(listener, ways.clone(), desk, door)).abort_handle()
                })
                .collect(),
            dials: Dials::new(node, &desk, config.handshake_timeout),
            ways,
            desk,
        })
    }

    pub(crate) fn dialler(&self) -> Dialler {
        Dialler(self.ways.clone())
    }

    pub(crate) fn bound(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// Takes no further link.
    pub(crate) fn close_door(&self) {
        for listener in &self.listeners {
            listener.abort();
        }
    }

    /// Closes what is left when no link is.
    pub(crate) async fn close(&self) {
        let mut channels = self.ways.channels.subscribe();
        // What is left to wait for are peers that have not yet taken their leave.
        let _ = timeout(FAREWELL_TIMEOUT, channels.wait_for(|open| *open == 0)).await;
    }
}

impl Transport for Tls {
    fn node(&self) -> NodeId {
        self.dials.own()
    }

    fn command(&self, command: Command) {
        let dialler = self.dialler();
        self.dials
            .command(command, |node, address, token| async move {
                if address.over == Over::Quic {
                    return Err(DialError::BadAddress(address.to_string()));
                }
                let connection = dialler.connect(node, &address.at).await?;
                connection.greet(token).await
            });
    }

    fn listening(&self) -> Vec<String> {
        let at = self.listening.iter().map(|at| Address::tls(*at));
        at.map(|at| at.to_string()).collect()
    }

    fn shut(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.close_door();
        Box::pin(self.desk.close(self.close()))
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.close_door();
    }
}
