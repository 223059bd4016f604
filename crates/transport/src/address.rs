//! `host:port` as people write it.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// What stands before an address that is dialled over TCP alone.
pub(crate) const TLS: &str = "tls://";

/// What stands before an address that is dialled over UDP alone. Nodes do not tell one another such
/// addresses.
const UDP: &str = "udp://";

/// Over what an address is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Over {
    /// QUIC over UDP alone.
    Quic,
    /// TLS over TCP alone.
    Tls,
    /// Whichever gets through.
    #[default]
    Both,
}

/// Where to dial, and by what: `host:port`, `tls://host:port` for [`tls`](crate::tls) alone, or
/// `udp://host:port` for [`quic`](crate::quic) alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// By what.
    pub over: Over,
    /// Where.
    pub at: HostPort,
}

impl Address {
    pub(crate) fn tls(at: SocketAddr) -> Self {
        Self {
            over: Over::Tls,
            at: HostPort {
                host: Host::Ip(at.ip()),
                port: at.port(),
            },
        }
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let (over, at) = if let Some(rest) = text.strip_prefix(TLS) {
            (Over::Tls, rest)
        } else if let Some(rest) = text.strip_prefix(UDP) {
            (Over::Quic, rest)
        } else {
            (Over::Both, text)
        };
        let at = at.parse()?;
        Ok(Self { over, at })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = match self.over {
            Over::Quic => UDP,
            Over::Tls => TLS,
            Over::Both => "",
        };
        write!(f, "{before}{}", self.at)
    }
}

/// A host and a port to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    host: Host,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Ip(IpAddr),
    Name(String),
}

/// The text is no `host:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected host:port, where host is an IPv4 address, [an IPv6 address], or a name")]
pub struct BadAddress;

/// Longest DNS name in its text form (RFC 1035, 2.3.4).
const MAX_NAME: usize = 253;

impl HostPort {
    /// The address, where no name must be looked up.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self.host {
            Host::Ip(ip) => Some(ip),
            Host::Name(_) => None,
        }
    }

    /// Whether it is the name of an onion service, which only Tor can look up (RFC 7686).
    #[must_use]
    pub fn is_onion(&self) -> bool {
        match &self.host {
            Host::Ip(_) => false,
            Host::Name(name) => name
                .trim_end_matches('.')
                .rsplit('.')
                .next()
                .is_some_and(|last| last.eq_ignore_ascii_case("onion")),
        }
    }

    /// The host as text, without brackets.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.host {
            Host::Ip(ip) => ip.to_string(),
            Host::Name(name) => name.clone(),
        }
    }

    /// The port, never 0.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for HostPort {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(BadAddress)?;
        let port = port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or(BadAddress)?;
        let host = if let Some(inner) = host.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or(BadAddress)?;
            Host::Ip(IpAddr::V6(inner.parse().map_err(|_| BadAddress)?))
        } else if let Ok(ip) = host.parse() {
            Host::Ip(IpAddr::V4(ip))
        } else if is_name(host) {
            Host::Name(host.to_owned())
        } else {
            return Err(BadAddress);
        };
        Ok(Self { host, port })
    }
}

/// Letters, digits, hyphens, underscores and dots; at least one letter, so that a mistyped address
/// is not looked up as a name.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (1..=MAX_NAME).contains(&text.len())
        && text.bytes().all(plain)
        && text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Host::Ip(ip) => write!(f, "{ip}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_read_and_written_back() {
        for text in [
            "203.0.113.5:4433",
            "[2001:db8::1]:1",
            "core.example.org:65535",
            "localhost:80",
        ] {
            let address: HostPort = text.parse().expect("a good address");
            assert_eq!(address.to_string(), text);
            for (before, over) in [("", Over::Both), (TLS, Over::Tls), (UDP, Over::Quic)] {
                let text = format!("{before}{text}");
                let address: Address = text.parse().expect("a good address");
                assert_eq!((address.to_string(), address.over), (text, over));
            }
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            ":",
            ":1",
            "a:",
            "a:0",
            "a:65536",
            "a:b",
            "a",
            "2001:db8::1:80",
            "[::1:80",
            "1.2.3:80",
            "a b:1",
            "[a]:1",
            "ä:1",
            "300.1.1.1:80",
            "tls://a:1",
        ] {
            assert_eq!(text.parse::<HostPort>(), Err(BadAddress), "{text:?}");
        }
        for text in [
            "tls://",
            "tls://a",
            "tls:a:1",
            "quic://a:1",
            "tls://tls://a:1",
            "udp://tls://a:1",
        ] {
            assert_eq!(text.parse::<Address>(), Err(BadAddress), "{text:?}");
        }
        let long = format!("{}:1", "a".repeat(MAX_NAME + 1));
        assert_eq!(long.parse::<HostPort>(), Err(BadAddress));
    }
}
