//! Whether a public address leads to this node: a stranger with a key of its own tries it.

use std::time::Duration;

use identity::NodeId;
use transport::quic;
use transport::{Command, Config, DialToken, Event, Listen, Transport as _};

/// How long the stranger waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether this node answers at the address. `None` when that could not be tried.
///
/// It is tried from this machine, so a router between it and the world is asked to lead back; one
/// that does not is reported as unreachable.
pub(super) async fn answers(node: NodeId, address: &str) -> Option<bool> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).ok()?;
    let any = Listen::At(vec![(std::net::Ipv4Addr::UNSPECIFIED, 0).into()]);
    let (stranger, mut events) = quic::open(Config::new(seed, any)).await.ok()?;
    let address = address.to_owned();
    stranger.command(Command::Dial {
        token: DialToken(0),
        node,
        address,
    });
    let met = async {
        loop {
            match events.next().await {
                Some(Event::Up { .. }) => return true,
                Some(Event::DialFailed { .. }) | None => return false,
                Some(_) => {}
            }
        }
    };
    let answered = tokio::time::timeout(PATIENCE, met).await.unwrap_or(false);
    tokio::spawn(async move { stranger.shut().await });
    Some(answered)
}
