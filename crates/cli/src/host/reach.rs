//! Whether a public address leads to this node: a stranger with a key of its own tries it.

use std::time::Duration;

use identity::NodeId;
use transport::internet;
use transport::{Command, Config, DialToken, Event, Listen, Transport as _};

/// How long the stranger waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether this node answers at the address. `None` when that could not be tried.
///
/// It is tried from this machine, so a router between it and the world is asked to lead back; one
/// that does not is reported as unreachable.
pub(super) async fn answers(node: NodeId, own: &crate::config::Config) -> Option<bool> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).ok()?;
    let any = Listen::At(vec![(std::net::Ipv4Addr::UNSPECIFIED, 0).into()]);
    let config = Config {
        proxy: own.proxy.parse().ok(),
        ..Config::new(seed, any)
    };
    let opened = internet::open(config, own.transport.into()).await;
    let (stranger, mut events) = opened.ok()?;
    let address = own.public.clone();
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
