//! The endpoint and its sockets.

use std::{net::SocketAddr, time::Duration};

use iroh::{
    Endpoint, RelayMode, SecretKey,
    endpoint::{
        BindError, BindOpts, IdleTimeout, NetReportConfig, PortmapperConfig, QuicTransportConfig,
        VarInt, presets,
    },
};

use super::ALPN;
use crate::{
    Config, OpenError,
    limits::{MAX_STREAMS, RECEIVE_WINDOW, SEND_WINDOW},
};

/// The longest silence of one network path that iroh allows.
const PATH_IDLE_MAX: Duration = Duration::from_secs(15);

/// The longest interval of keep-alive packets that iroh allows.
const KEEP_ALIVE_MAX: Duration = Duration::from_secs(5);

pub(super) async fn endpoint(config: &Config) -> Result<Endpoint, OpenError> {
    let mut last = OpenError::NoAddress;
    for addresses in config.listen.attempts() {
        match bind(config, &addresses).await {
            Ok(endpoint) => return Ok(endpoint),
            Err(error) => last = OpenError::bind(&addresses, &error),
        }
    }
    Err(last)
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
