//! Invite links as text: base32 with a checksum, also valid in upper case (what QR codes store
//! most tightly).

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};
use core::str::FromStr;

use data_encoding::BASE32_NOPAD;
use identity::{NodeId, TopicId, seal};
use thiserror::Error;

use crate::address::{Host, NodeAddress, UriScheme};
use crate::limits::{MAX_LINK, MAX_LINK_ADDRESS, MAX_LINK_ADDRESSES, MIN_LINK, MIN_TOPIC_LINK};

const JOIN: &str = "way:join/";
const CORE: &str = "way:core/";
const DEVICE: &str = "way:device/";
const TOPIC: &str = "way:topic/";
/// The version byte, and the flags: none is known.
const VERSION: u8 = 0;
const FLAGS: u8 = 0;
/// An address: 16 bytes of IPv6 (or IPv4 mapped into it) and the port.
const KIND_IP: u8 = 1;
/// An address: the port, and a DNS name filled up with zeros to [`MIN_NAME`] bytes.
const KIND_NAME: u8 = 2;
/// So that no link is shorter than [`MIN_LINK`], and short names not betrayed by length.
const MIN_NAME: usize = 16;
const CHECKSUM_LEN: usize = 4;

/// An invite to a topic: `way:join/…`. Whoever has it can join.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinLink {
    /// What locator and keys of the invite are derived from. Secret.
    pub seed: [u8; 16],
    /// Where the invite's box can be fetched, 1 or 2.
    pub at: Vec<NodeAddress>,
}

/// An operator's invite to be a client of a core node: `way:core/…`.
#[derive(Clone, PartialEq, Eq)]
pub struct CoreLink {
    /// What token and key of the invite are derived from. Secret.
    pub seed: [u8; 16],
    /// The core node.
    pub at: NodeAddress,
}

/// What makes another computer a device of the same person: `way:device/…`. Valid once and for
/// minutes; whoever has it meanwhile is that person, in every topic.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceLink {
    /// What both devices know one another by. Secret.
    pub seed: [u8; 16],
    /// The node of the device that made it, at 1 or 2 addresses.
    pub at: Vec<NodeAddress>,
}

/// Where a public topic is found: `way:topic/…`. No secret: whoever has it, or the id alone, may read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicLink {
    /// The topic.
    pub topic: TopicId,
    /// Nodes that have it, at most 2: hints, which nobody vouches for.
    pub at: Vec<NodeAddress>,
}

/// One of them, for a command that takes all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Link {
    /// To a topic.
    Join(JoinLink),
    /// To a core node.
    Core(CoreLink),
    /// To another device of the same person.
    Device(DeviceLink),
    /// To a public topic.
    Topic(TopicLink),
}

/// The text is no link, or the link cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum LinkError {
    /// It begins with none of `way:join/`, `way:core/`, `way:device/` and `way:topic/`, or with another
    /// one.
    #[error(
        "a link begins with way:join/, way:core/, way:device/ or way:topic/, as the command needs it"
    )]
    Prefix,
    /// Too short, too long, a wrong character or mixed case.
    #[error("the link is cut off or has a wrong character")]
    Garbled,
    /// The checksum is wrong.
    #[error("the link is damaged: its checksum is wrong")]
    Checksum,
    /// Made by a later version.
    #[error("the link was made by a later version")]
    Version,
    /// An address in it is not one, or a name is too long for a link (at most 38 characters).
    #[error("an address in the link is not one, or its name is longer than 38 characters")]
    Address,
}

impl JoinLink {
    /// The text, lower case; its upper case means the same.
    pub fn to_text(&self) -> Result<String, LinkError> {
        to_text(JOIN, &self.seed, 1, &self.at)
    }
}

impl CoreLink {
    /// The text, lower case; its upper case means the same.
    pub fn to_text(&self) -> Result<String, LinkError> {
        to_text(CORE, &self.seed, 1, core::slice::from_ref(&self.at))
    }
}

impl DeviceLink {
    /// The text, lower case; its upper case means the same.
    pub fn to_text(&self) -> Result<String, LinkError> {
        let first = self.at.first().map(|address| address.node);
        if self.at.iter().any(|address| Some(address.node) != first) {
            return Err(LinkError::Address);
        }
        to_text(DEVICE, &self.seed, 1, &self.at)
    }
}

impl TopicLink {
    /// The text, lower case; its upper case means the same.
    pub fn to_text(&self) -> Result<String, LinkError> {
        to_text(TOPIC, self.topic.as_bytes(), 0, &self.at)
    }
}

impl FromStr for JoinLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        match text.parse()? {
            Link::Join(link) => Ok(link),
            Link::Core(_) | Link::Device(_) | Link::Topic(_) => Err(LinkError::Prefix),
        }
    }
}

impl FromStr for CoreLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        match text.parse()? {
            Link::Core(link) => Ok(link),
            Link::Join(_) | Link::Device(_) | Link::Topic(_) => Err(LinkError::Prefix),
        }
    }
}

impl FromStr for DeviceLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        match text.parse()? {
            Link::Device(link) => Ok(link),
            Link::Join(_) | Link::Core(_) | Link::Topic(_) => Err(LinkError::Prefix),
        }
    }
}

impl FromStr for TopicLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        match text.parse()? {
            Link::Topic(link) => Ok(link),
            Link::Join(_) | Link::Core(_) | Link::Device(_) => Err(LinkError::Prefix),
        }
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let starts = |prefix: &str| {
            text.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if starts(JOIN) {
            let (seed, at) = from_text(JOIN, text)?;
            Ok(Self::Join(JoinLink { seed, at }))
        } else if starts(CORE) {
            let (seed, at) = from_text(CORE, text)?;
            let [at] = <[NodeAddress; 1]>::try_from(at).map_err(|_| LinkError::Garbled)?;
            Ok(Self::Core(CoreLink { seed, at }))
        } else if starts(DEVICE) {
            let (seed, at) = from_text(DEVICE, text)?;
            // One device made it.
            match at.as_slice() {
                [_] => {}
                [a, b] if a.node == b.node => {}
                _ => return Err(LinkError::Garbled),
            }
            Ok(Self::Device(DeviceLink { seed, at }))
        } else if starts(TOPIC) {
            let (id, at) = from_text(TOPIC, text)?;
            let topic = TopicId::from_bytes(id);
            Ok(Self::Topic(TopicLink { topic, at }))
        } else {
            Err(LinkError::Prefix)
        }
    }
}

/// What a link says, be it a seed or an id, and at least so many addresses.
fn to_text(
    prefix: &str,
    said: &[u8],
    least: usize,
    at: &[NodeAddress],
) -> Result<String, LinkError> {
    if !(least..=MAX_LINK_ADDRESSES).contains(&at.len()) {
        return Err(LinkError::Address);
    }
    let mut bytes = vec![VERSION, FLAGS];
    bytes.extend_from_slice(said);
    for address in at {
        write_address(&mut bytes, address)?;
    }
    let checksum = checksum(prefix, &bytes);
    bytes.extend_from_slice(&checksum);
    let mut text = BASE32_NOPAD.encode(&bytes);
    text.make_ascii_lowercase();
    let text = [prefix, &text].concat();
    // Two of the longest names do not fit where the prefix, or what is said, is longer than of most.
    if text.len() > MAX_LINK {
        return Err(LinkError::Address);
    }
    Ok(text)
}

/// Seed or id, and addresses, of a text that begins with `prefix`, in either case.
fn from_text<const N: usize>(
    prefix: &str,
    text: &str,
) -> Result<([u8; N], Vec<NodeAddress>), LinkError> {
    let mixed = text.bytes().any(|byte| byte.is_ascii_lowercase())
        && text.bytes().any(|byte| byte.is_ascii_uppercase());
    let (shortest, least) = if prefix == TOPIC {
        (MIN_TOPIC_LINK, 0)
    } else {
        (MIN_LINK, 1)
    };
    if mixed || !(shortest..=MAX_LINK).contains(&text.len()) {
        return Err(LinkError::Garbled);
    }
    let digits = text
        .get(prefix.len()..)
        .ok_or(LinkError::Garbled)?
        .to_ascii_uppercase();
    let bytes = BASE32_NOPAD
        .decode(digits.as_bytes())
        .map_err(|_| LinkError::Garbled)?;
    let (content, found) = bytes
        .split_last_chunk::<CHECKSUM_LEN>()
        .ok_or(LinkError::Garbled)?;
    if *found != checksum(prefix, content) {
        return Err(LinkError::Checksum);
    }
    let mut rest = content;
    let [version, flags] = take::<2>(&mut rest)?;
    if version != VERSION || flags != FLAGS {
        return Err(LinkError::Version);
    }
    let said = take::<N>(&mut rest)?;
    let mut at = Vec::new();
    while !rest.is_empty() {
        at.push(read_address(&mut rest)?);
    }
    if !(least..=MAX_LINK_ADDRESSES).contains(&at.len()) {
        return Err(LinkError::Garbled);
    }
    Ok((said, at))
}

/// Covers the prefix too, so that an invite of one kind cannot be passed off as the other.
fn checksum(prefix: &str, content: &[u8]) -> [u8; CHECKSUM_LEN] {
    let [a, b, c, d, ..] = seal::hash(&[prefix.as_bytes(), content]);
    [a, b, c, d]
}

fn write_address(bytes: &mut Vec<u8>, address: &NodeAddress) -> Result<(), LinkError> {
    let mut place = Vec::new();
    let kind = match &address.host {
        Host::Ip(ip) => {
            let ip = match ip {
                IpAddr::V4(ip) => ip.to_ipv6_mapped(),
                IpAddr::V6(ip) => *ip,
            };
            place.extend_from_slice(&ip.octets());
            place.extend_from_slice(&address.port.to_be_bytes());
            KIND_IP
        }
        Host::Name(name) => {
            place.extend_from_slice(&address.port.to_be_bytes());
            place.extend_from_slice(name.as_bytes());
            place.resize(place.len().max(2 + MIN_NAME), 0);
            KIND_NAME
        }
    };
    let len = u8::try_from(place.len()).map_err(|_| LinkError::Address)?;
    if place.len() > MAX_LINK_ADDRESS || address.port == 0 {
        return Err(LinkError::Address);
    }
    bytes.extend_from_slice(address.node.as_bytes());
    bytes.extend_from_slice(&[kind, len]);
    bytes.extend_from_slice(&place);
    Ok(())
}

fn read_address(rest: &mut &[u8]) -> Result<NodeAddress, LinkError> {
    let node = NodeId::from_bytes(take(rest)?);
    let [kind, len] = take::<2>(rest)?;
    let (mut place, after) = rest
        .split_at_checked(usize::from(len))
        .ok_or(LinkError::Garbled)?;
    if place.len() > MAX_LINK_ADDRESS {
        return Err(LinkError::Address);
    }
    *rest = after;
    let (host, port) = match kind {
        KIND_IP => {
            let ip = Ipv6Addr::from(take::<16>(&mut place)?);
            (
                Host::Ip(IpAddr::V6(ip).to_canonical()),
                take::<2>(&mut place)?,
            )
        }
        KIND_NAME => {
            let port = take::<2>(&mut place)?;
            let host = read_name(place)?;
            place = &[];
            (host, port)
        }
        // A kind that a later version knows.
        _ => return Err(LinkError::Version),
    };
    let port = u16::from_be_bytes(port);
    if !place.is_empty() || port == 0 {
        return Err(LinkError::Address);
    }
    // A link has no room for more: whoever goes by it tries both.
    let scheme = UriScheme::Quic;
    Ok(NodeAddress {
        scheme,
        node,
        host,
        port,
    })
}

/// A name and exactly the zeros that fill it up.
fn read_name(padded: &[u8]) -> Result<Host, LinkError> {
    let len = padded
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let name = padded
        .get(..len)
        .and_then(|name| core::str::from_utf8(name).ok());
    if padded.len() != len.max(MIN_NAME) {
        return Err(LinkError::Address);
    }
    let host: Host = name
        .ok_or(LinkError::Address)?
        .parse()
        .map_err(|_| LinkError::Address)?;
    // One text for one link: no IP address as a name, no upper case.
    match &host {
        Host::Name(canonical) if Some(canonical.as_str()) == name => Ok(host),
        _ => Err(LinkError::Address),
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], LinkError> {
    let (head, after) = rest.split_first_chunk::<N>().ok_or(LinkError::Garbled)?;
    *rest = after;
    Ok(*head)
}

impl fmt::Debug for JoinLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinLink")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CoreLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoreLink")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DeviceLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceLink")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
