//! Addresses of nodes as text.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use identity::NodeId;
use thiserror::Error;

/// Where a node listens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Host {
    /// An IP address.
    Ip(IpAddr),
    /// A DNS name, lower case.
    Name(String),
}

/// A node and where it listens: `node1…@host:port`, as a URI `quic://node1…@host:port`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NodeAddress {
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
    /// A URI with a scheme other than quic.
    #[error("the address has a scheme that this version does not know")]
    Scheme,
}

impl NodeAddress {
    /// The URI form.
    pub fn uri(&self) -> String {
        format!("quic://{self}")
    }

    /// `host:port`.
    pub fn authority(&self) -> String {
        match &self.host {
            Host::Ip(IpAddr::V6(ip)) => format!("[{ip}]:{}", self.port),
            Host::Ip(IpAddr::V4(ip)) => format!("{ip}:{}", self.port),
            Host::Name(name) => format!("{name}:{}", self.port),
        }
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.node, self.authority())
    }
}

impl FromStr for NodeAddress {
    type Err = AddressError;

    /// Reads either form.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let _ = text;
        todo!()
    }
}
