//! How to open a transport over the internet protocols.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use crate::HostPort;
use crate::limits::{HANDSHAKE_TIMEOUT, IDLE_TIMEOUT, MAX_LINKS};

/// The port that a node listens on if it is free.
pub const DEFAULT_PORT: u16 = 4433;

/// How often ports are tried before giving up, where the port is not fixed.
const PORT_TRIES: u32 = 9;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// All addresses of this machine, IPv4 and IPv6 where there is any, on
    /// [`DEFAULT_PORT`] if it is free, else on any port.
    Default,
    /// Exactly these addresses; port 0 is any port. At least one.
    At(Vec<SocketAddr>),
    /// Nowhere: it dials, and nobody can dial it. For TLS alone. QUIC has one socket for both; and while a link
    /// stands iroh tells the peer the addresses of this machine, and sends packets to whichever the peer names,
    /// neither of which it lets one switch off.
    Nowhere,
}

/// How to open the transport.
#[derive(Clone)]
pub struct Config {
    /// The seed of the node's Ed25519 key (RFC 8032, 5.1.5).
    pub seed: [u8; 32],
    /// Where to listen.
    pub listen: Listen,
    /// See [`MAX_LINKS`], its usual value.
    pub max_links: usize,
    /// See [`HANDSHAKE_TIMEOUT`], its usual value.
    pub handshake_timeout: Duration,
    /// See [`IDLE_TIMEOUT`], its usual value.
    pub idle_timeout: Duration,
    /// A SOCKS5 proxy (RFC 1928) through which every dial over TCP goes, with names as they are;
    /// usually none.
    pub proxy: Option<HostPort>,
}

impl Config {
    /// The usual values for a node with this key.
    #[must_use]
    pub const fn new(seed: [u8; 32], listen: Listen) -> Self {
        Self {
            seed,
            listen,
            max_links: MAX_LINKS,
            handshake_timeout: HANDSHAKE_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            proxy: None,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the seed.
        f.debug_struct("Config")
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// Why the transport cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No address was given.
    #[error("no address to listen on was given")]
    NoAddress,
    /// A socket could not be bound: mostly because the port is taken, or the address is not one
    /// of this machine.
    #[error("cannot listen on {addresses}: {why}")]
    Bind {
        /// Those that were asked for.
        addresses: String,
        /// In the words of the system.
        why: String,
    },
    /// TLS takes no such key. It takes every one that comes from a seed.
    #[error("TLS does not take the node key: {0}")]
    Keys(String),
}

impl OpenError {
    pub(crate) fn bind(addresses: &[SocketAddr], error: &dyn std::error::Error) -> Self {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        Self::Bind {
            addresses: addresses.join(", "),
            why: with_causes(error),
        }
    }
}

/// The text of an error and of what caused it: the system's own words stand at the end.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}

impl Listen {
    /// The addresses to bind, one list after another until all of one can be bound.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = Vec<SocketAddr>> {
        let is_open = match self {
            Self::Default => true,
            Self::At(addresses) => addresses.iter().any(|address| address.port() == 0),
            Self::Nowhere => false,
        };
        let tries = match self {
            Self::Nowhere => 0,
            Self::At(addresses) if addresses.is_empty() => 0,
            _ if is_open => PORT_TRIES,
            _ => 1,
        };
        (0..tries).map(move |attempt| match self {
            Self::At(addresses) => addresses.clone(),
            Self::Nowhere => Vec::new(),
            Self::Default if attempt == 0 => everywhere(DEFAULT_PORT),
            Self::Default => everywhere(free_port().unwrap_or(0)),
        })
    }
}

/// All addresses of this machine on one port; IPv6 may be absent.
fn everywhere(port: u16) -> Vec<SocketAddr> {
    let mut addresses = vec![(Ipv4Addr::UNSPECIFIED, port).into()];
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        addresses.push((Ipv6Addr::UNSPECIFIED, port).into());
    }
    addresses
}

/// A port that was free a moment ago.
fn free_port() -> Option<u16> {
    let probe = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    Some(probe.local_addr().ok()?.port())
}
