//! From a name to addresses.

use std::net::SocketAddr;

use tokio::net::lookup_host;

use crate::{DialError, HostPort, limits::MAX_RESOLVED};

/// The socket addresses of a host, at most [`MAX_RESOLVED`]. The caller bounds the time.
pub(crate) async fn resolve(address: &HostPort) -> Result<Vec<SocketAddr>, DialError> {
    if let Some(ip) = address.ip() {
        return Ok(vec![(ip, address.port()).into()]);
    }
    let unresolved = |why: String| DialError::Unresolved {
        host: address.host(),
        why,
    };
    if address.is_onion() {
        // Whoever runs the look-up would learn whom we look for, and has no answer.
        return Err(unresolved(
            "an onion service is reached through Tor's proxy alone".to_owned(),
        ));
    }
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
