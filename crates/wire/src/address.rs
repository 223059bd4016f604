//! Addresses of nodes as text.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use identity::NodeId;
use thiserror::Error;

use crate::limits::{MAX_HOST, MAX_URI};

/// By what a node is dialled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum UriScheme {
    /// QUIC over UDP, and TLS over TCP at the same port where UDP does not get through.
    Quic,
    /// TLS over TCP alone.
    Tls,
}

impl UriScheme {
    const ALL: [Self; 2] = [Self::Quic, Self::Tls];

    /// The word before `://`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tls => "tls",
        }
    }
}

/// Where a node listens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Host {
    /// An IP address.
    Ip(IpAddr),
    /// A DNS name, lower case.
    Name(String),
}

/// A node and where it listens: `node1…@host:port`, as a URI `quic://node1…@host:port`; or
/// `tls://node1…@host:port`, which has no shorter form.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NodeAddress {
    /// By what it is dialled.
    pub scheme: UriScheme,
    /// Who must answer there.
    pub node: NodeId,
    /// Where.
    pub host: Host,
    /// The port, from 1.
    pub port: u16,
}

/// The text is no address. Whoever typed or sent it is at fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum AddressError {
    /// No `@` between node and host, or the node's id is garbled.
    #[error("an address is node1…@host:port, and the part before @ is no node id")]
    Node,
    /// The host is neither an IP address (IPv6 in brackets) nor a DNS name.
    #[error("the host is neither an IP address (IPv6 in brackets) nor a DNS name")]
    Host,
    /// No port from 1 to 65535.
    #[error("the port is missing or not a number from 1 to 65535")]
    Port,
    /// A URI with a scheme other than quic and tls.
    #[error("the address has a scheme that this version does not know")]
    Scheme,
}

impl NodeAddress {
    /// What a node listens on: a whole address of this node, or what
    /// [`NodeAddress::authority`] gives.
    ///
    /// # Errors
    /// When the text is neither. A whole address may name another node: whoever asks looks.
    pub fn of(node: &NodeId, text: &str) -> Result<Self, AddressError> {
        text.parse().or_else(|_| uri(node, text).parse())
    }

    /// The URI form.
    pub fn uri(&self) -> String {
        uri(&self.node, &self.authority())
    }

    /// What a transport dials: `host:port`, or `tls://host:port`.
    pub fn authority(&self) -> String {
        let before = match self.scheme {
            UriScheme::Quic => String::new(),
            UriScheme::Tls => format!("{}://", UriScheme::Tls.name()),
        };
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => format!("{before}[{ip}]:{}", self.port),
            Host::Ip(IpAddr::V4(ip)) => format!("{before}{ip}:{}", self.port),
            Host::Name(name) => format!("{before}{name}:{}", self.port),
        }
    }
}

/// The URI of a node that listens at `host:port` or `tls://host:port`.
pub fn uri(node: &NodeId, authority: &str) -> String {
    let (scheme, at) = authority
        .split_once("://")
        .unwrap_or((UriScheme::Quic.name(), authority));
    format!("{scheme}://{node}@{at}")
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            UriScheme::Quic => write!(f, "{}@{}", self.node, self.authority()),
            UriScheme::Tls => f.write_str(&self.uri()),
        }
    }
}

impl FromStr for NodeAddress {
    type Err = AddressError;

    /// Reads any of the forms.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > MAX_URI {
            return Err(AddressError::Host);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((name, rest)) => {
                let mut known = UriScheme::ALL.into_iter();
                let scheme = known.find(|scheme| name.eq_ignore_ascii_case(scheme.name()));
                (scheme.ok_or(AddressError::Scheme)?, rest)
            }
            None => (UriScheme::Quic, text),
        };
        let (node, authority) = rest.split_once('@').ok_or(AddressError::Node)?;
        let node = node.parse().map_err(|_| AddressError::Node)?;
        let (host, port) = authority.rsplit_once(':').ok_or(AddressError::Port)?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = if digits { port.parse().unwrap_or(0) } else { 0 };
        if port == 0 {
            return Err(AddressError::Port);
        }
        Ok(Self {
            scheme,
            node,
            host: host.parse()?,
            port,
        })
    }
}

impl FromStr for Host {
    type Err = AddressError;

    /// Reads an IPv4 address, an IPv6 address in brackets, or a DNS name (which becomes lower
    /// case).
    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(inner) = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            let ip: Ipv6Addr = inner.parse().map_err(|_| AddressError::Host)?;
            return Ok(Self::Ip(IpAddr::V6(ip).to_canonical()));
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Ok(Self::Ip(IpAddr::V4(ip)));
        }
        if is_dns_name(text) {
            Ok(Self::Name(text.to_ascii_lowercase()))
        } else {
            Err(AddressError::Host)
        }
    }
}

/// RFC 1123 §2.1; a name whose last label is a number would be taken for an IP address by some
/// programs.
fn is_dns_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= MAX_HOST
        && text.split('.').all(label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}
