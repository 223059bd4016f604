//! Strangers at the door.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use identity::NodeId;
use iroh::{
    Endpoint,
    endpoint::{Connection, Incoming, IncomingAddr, RecvStream, SendStream},
};
use tokio::time::timeout;

use super::exporter;
use crate::{
    limits::{MAX_HANDSHAKES, MAX_HANDSHAKES_PER_ADDRESS},
    link::{self, Desk, Met, Place},
};

/// Takes links until the endpoint is closed.
pub(super) async fn all(endpoint: Endpoint, desk: Arc<Desk>, limit: Duration) {
    let door = Arc::new(Door::default());
    while let Some(incoming) = endpoint.accept().await {
        let IncomingAddr::Ip(address) = incoming.remote_addr() else {
            incoming.ignore();
            continue;
        };
        let Some(teller) = desk.teller().filter(|_| !desk.is_full()) else {
            incoming.refuse();
            continue;
        };
        let Some(entry) = door.enter(address.ip()) else {
            incoming.refuse();
            continue;
        };
        if door.is_crowded() && !incoming.remote_addr_validated() {
            // It cannot fail: the address has not been validated.
            let _ = incoming.retry();
            continue;
        }
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            let met = timeout(limit, meet(incoming, address.to_string(), &desk)).await;
            drop(entry);
            match met {
                Ok(Ok((place, connection, streams, met))) => {
                    link::run(place, teller, connection, streams, met).await;
                }
                Ok(Err(why)) => tracing::debug!(why, "an incoming handshake failed"),
                Err(_) => tracing::debug!("an incoming handshake took too long"),
            }
        });
    }
}

async fn meet(
    incoming: Incoming,
    remote: String,
    desk: &Arc<Desk>,
) -> Result<(Place, Connection, (RecvStream, SendStream), Met), String> {
    let accepting = incoming.accept().map_err(|error| error.to_string())?;
    let connection = accepting.await.map_err(|error| error.to_string())?;
    let node = NodeId::from_bytes(*connection.remote_id().as_bytes());
    let place = desk.admit(node).map_err(|refusal| {
        link::Wire::close(&connection, refusal.code(), &refusal.to_string());
        refusal.to_string()
    })?;
    let (mut writer, mut reader) = connection
        .accept_bi()
        .await
        .map_err(|error| error.to_string())?;
    if let Err(why) = link::greet(&mut reader, &mut writer).await {
        link::Wire::close(&connection, link::code::MALFORMED, &why);
        return Err(why);
    }
    let met = Met {
        node,
        dialled: None,
        exporter: exporter(&connection)?,
        remote,
    };
    Ok((place, connection, (reader, writer), met))
}

/// Counts the handshakes in progress.
#[derive(Debug, Default)]
struct Door {
    inside: Mutex<BTreeMap<Origin, usize>>,
}

/// One IPv4 address, or one IPv6 /64 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Origin(u64);

impl Origin {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            // No /64 of global unicast begins with 32 zero bits.
            IpAddr::V4(address) => Self(u64::from(address.to_bits())),
            IpAddr::V6(address) => Self((address.to_bits() >> 64) as u64),
        }
    }
}

/// One handshake in progress.
#[derive(Debug)]
struct Entry {
    door: Arc<Door>,
    origin: Origin,
}

impl Door {
    fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Entry> {
        let origin = Origin::of(address);
        let mut inside = lock(&self.inside);
        if inside.values().sum::<usize>() >= MAX_HANDSHAKES {
            return None;
        }
        let here = inside.entry(origin).or_default();
        if *here >= MAX_HANDSHAKES_PER_ADDRESS {
            return None;
        }
        *here += 1;
        Some(Entry {
            door: Arc::clone(self),
            origin,
        })
    }

    fn is_crowded(&self) -> bool {
        lock(&self.inside).values().sum::<usize>() > MAX_HANDSHAKES / 2
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut inside = lock(&self.door.inside);
        if let Some(here) = inside.get_mut(&self.origin) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                inside.remove(&self.origin);
            }
        }
    }
}

/// Nothing panics while it holds this lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_fill_the_door() {
        let door = Arc::new(Door::default());
        let flood: Vec<_> = (0..100)
            .filter_map(|_| door.enter([192, 0, 2, 1].into()))
            .collect();
        assert_eq!(flood.len(), MAX_HANDSHAKES_PER_ADDRESS);
        let other = door.enter([192, 0, 2, 2].into());
        assert!(other.is_some());
        drop(flood);
        assert!(door.enter([192, 0, 2, 1].into()).is_some());
    }

    #[test]
    fn one_network_of_ipv6_counts_as_one_address() {
        let door = Arc::new(Door::default());
        let flood: Vec<_> = (0..100_u16)
            .filter_map(|host| door.enter([0x2001, 0xdb8, 0, 0, 0, 0, 0, host].into()))
            .collect();
        assert_eq!(flood.len(), MAX_HANDSHAKES_PER_ADDRESS);
    }

    #[test]
    fn the_door_is_full_at_its_limit() {
        let door = Arc::new(Door::default());
        let many: Vec<_> = (0..=255)
            .filter_map(|n| door.enter([198, 51, 100, n].into()))
            .collect();
        assert_eq!(many.len(), MAX_HANDSHAKES);
        assert!(door.is_crowded());
        drop(many);
        assert!(lock(&door.inside).is_empty());
    }
}
