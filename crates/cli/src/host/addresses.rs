//! Where others on the same networks can reach this node: what it listens on, with the addresses of
//! this machine in place of "everywhere".

use std::net::{IpAddr, SocketAddr};

/// Addresses at most; a machine with more networks tells the first ones.
const MAX: usize = 8;

/// The addresses to tell others, the most useful first. Loopback ones only when there are no others:
/// then at least nodes of the same machine find each other.
pub(super) fn of(listening: &[String]) -> Vec<String> {
    let own: Vec<IpAddr> = if_addrs::get_if_addrs()
        .map(|interfaces| {
            interfaces
                .into_iter()
                .map(|interface| interface.ip())
                .collect()
        })
        .unwrap_or_default();
    expand(listening, &own)
}

fn expand(listening: &[String], own: &[IpAddr]) -> Vec<String> {
    let mut found: Vec<(&str, SocketAddr)> = Vec::new();
    for (over, listening) in listening.iter().filter_map(|text| socket(text)) {
        if listening.ip().is_unspecified() {
            let same = own.iter().filter(|ip| ip.is_ipv4() == listening.is_ipv4());
            found.extend(same.map(|ip| (over, SocketAddr::new(*ip, listening.port()))));
        } else {
            found.push((over, listening));
        }
    }
    found.retain(|(_, address)| !is_link_local(address.ip()));
    if found.iter().any(|(_, address)| !address.ip().is_loopback()) {
        found.retain(|(_, address)| !address.ip().is_loopback());
    }
    found.dedup();
    found.truncate(MAX);
    let texts = found
        .iter()
        .map(|(over, address)| format!("{over}{address}"));
    texts.collect()
}

/// What a transport listens on, as it says itself: what stands before the socket, and the socket.
fn socket(listening: &str) -> Option<(&str, SocketAddr)> {
    let at = listening.find("://").map_or(0, |found| found + 3);
    let (over, socket) = listening.split_at(at);
    Some((over, socket.parse().ok()?))
}

/// The sockets on which it listens.
pub(crate) fn sockets(listening: &[String]) -> Vec<SocketAddr> {
    let sockets = listening.iter().filter_map(|text| socket(text));
    sockets.map(|(_, socket)| socket).collect()
}

/// Valid on one link only, and useless without its name.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::expand;

    #[test]
    fn everywhere_becomes_the_addresses_of_this_machine() {
        let own: Vec<_> = [
            "127.0.0.1",
            "192.168.1.7",
            "169.254.1.1",
            "::1",
            "fe80::1",
            "fd00::7",
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
        let listening = ["0.0.0.0:4433".to_owned(), "[::]:4434".to_owned()];
        assert_eq!(
            expand(&listening, &own),
            ["192.168.1.7:4433", "[fd00::7]:4434"]
        );
        assert_eq!(expand(&listening, &own[..1]), ["127.0.0.1:4433"]);
        let listening = ["tls://0.0.0.0:4433".to_owned()];
        assert_eq!(expand(&listening, &own), ["tls://192.168.1.7:4433"]);
        assert_eq!(
            super::sockets(&listening),
            ["0.0.0.0:4433".parse().unwrap()]
        );
        assert_eq!(expand(&["127.0.0.1:9".to_owned()], &own), ["127.0.0.1:9"]);
    }
}
