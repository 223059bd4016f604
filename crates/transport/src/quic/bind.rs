//! The endpoint and its sockets.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use iroh::{
    Endpoint, RelayMode, SecretKey,
    endpoint::{
        BindError, BindOpts, IdleTimeout, NetReportConfig, PortmapperConfig, QuicTransportConfig,
        VarInt, presets,
    },
};

use super::{ALPN, DEFAULT_PORT};
use crate::limits::{
    HANDSHAKE_TIMEOUT, IDLE_TIMEOUT, MAX_LINKS, MAX_STREAMS, RECEIVE_WINDOW, SEND_WINDOW,
};

/// How often a free port is looked for before giving up.
const PORT_TRIES: u32 = 8;

/// The longest silence of one network path that iroh allows.
const PATH_IDLE_MAX: Duration = Duration::from_secs(15);

/// The longest interval of keep-alive packets that iroh allows.
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(5);

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// All addresses of this machine, IPv4 and IPv6 where there is any, on
    /// [`DEFAULT_PORT`](super::DEFAULT_PORT) if it is free, else on any port.
    Default,
    /// Exactly these addresses; port 0 is any port. At least one.
    At(Vec<SocketAddr>),
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
}

pub(super) async fn endpoint(config: &Config) -> Result<Endpoint, OpenError> {
    match &config.listen {
        Listen::At(addresses) if addresses.is_empty() => Err(OpenError::NoAddress),
        Listen::At(addresses) => bind(config, addresses)
            .await
            .map_err(|error| refused(addresses, &error)),
        Listen::Default => anywhere(config).await,
    }
}

/// Both families on one port. IPv6 may be absent.
async fn anywhere(config: &Config) -> Result<Endpoint, OpenError> {
    let mut port = DEFAULT_PORT;
    let mut tries = 0;
    loop {
        let addresses = [
            (Ipv4Addr::UNSPECIFIED, port).into(),
            (Ipv6Addr::UNSPECIFIED, port).into(),
        ];
        // Where the machine has both, both must be free, else the next port is tried.
        let wanted = if has_ipv6() {
            &addresses[..]
        } else {
            &addresses[..1]
        };
        match bind(config, wanted).await {
            Ok(endpoint) => return Ok(endpoint),
            Err(error) if tries == PORT_TRIES => return Err(refused(wanted, &error)),
            Err(_) => {
                tries += 1;
                port = free_port().unwrap_or(0);
            }
        }
    }
}

fn has_ipv6() -> bool {
    UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// A port that was free a moment ago.
fn free_port() -> Option<u16> {
    let probe = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    Some(probe.local_addr().ok()?.port())
}

fn refused(addresses: &[SocketAddr], error: &BindError) -> OpenError {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    OpenError::Bind {
        addresses: addresses.join(", "),
        why: with_causes(error),
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

async fn bind(config: &Config, addresses: &[SocketAddr]) -> Result<Endpoint, BindError> {
    let mut builder = Endpoint::builder(presets::Minimal)
        .secret_key(SecretKey::from_bytes(&config.seed))
        .alpns(vec![ALPN.to_vec()])
        .transport_config(transport_config(config))
        .relay_mode(RelayMode::Disabled)
        .clear_address_lookup()
        .portmapper_config(PortmapperConfig::Disabled)
        .net_report_config(NetReportConfig::minimal())
        // Sessions are not resumed: 0-RTT is not used, and a full handshake proves both keys anew.
        .max_tls_tickets(0)
        .clear_ip_transports();
    // The first address of each family also serves whatever none of the others is nearer to; iroh
    // wants it last.
    for (at, address) in addresses.iter().enumerate().rev() {
        let is_first = addresses
            .iter()
            .position(|other| other.is_ipv6() == address.is_ipv6())
            == Some(at);
        let prefix = match (is_first, address) {
            (true, _) => 0,
            (false, SocketAddr::V4(_)) => 32,
            (false, SocketAddr::V6(_)) => 128,
        };
        let options = BindOpts::default().set_prefix_len(prefix);
        builder = builder
            .bind_addr_with_opts(*address, options)
            .unwrap_or_else(|error| {
                // Only a second default route or a prefix over the family's length is refused.
                unreachable!("a listen address was refused: {error}")
            });
    }
    builder.bind().await
}

fn transport_config(config: &Config) -> QuicTransportConfig {
    let idle = IdleTimeout::try_from(config.idle_timeout)
        // Only a timeout of 2^62 ms and more does not fit.
        .unwrap_or_else(|_| VarInt::MAX.into());
    let keep_alive = (config.idle_timeout / 3).min(KEEP_ALIVE_MAX);
    QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(VarInt::from_u32(MAX_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(keep_alive)
        .default_path_keep_alive_interval(keep_alive)
        .default_path_max_idle_timeout(config.idle_timeout.min(PATH_IDLE_MAX))
        .build()
}
