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
    let mut found: Vec<SocketAddr> = Vec::new();
    for listening in listening
        .iter()
        .filter_map(|text| text.parse::<SocketAddr>().ok())
    {
        if listening.ip().is_unspecified() {
            let same = own.iter().filter(|ip| ip.is_ipv4() == listening.is_ipv4());
            found.extend(same.map(|ip| SocketAddr::new(*ip, listening.port())));
        } else {
            found.push(listening);
        }
    }
    found.retain(|address| !is_link_local(address.ip()));
    if found.iter().any(|address| !address.ip().is_loopback()) {
        found.retain(|address| !address.ip().is_loopback());
    }
    found.dedup();
    found.truncate(MAX);
    found.iter().map(ToString::to_string).collect()
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
        assert_eq!(expand(&["127.0.0.1:9".to_owned()], &own), ["127.0.0.1:9"]);
    }
}
