//! The door: handshakes in progress with whoever dials this node, counted by where they come from.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::limits::{MAX_HANDSHAKES, MAX_HANDSHAKES_PER_ADDRESS};

/// Counts the handshakes in progress.
#[derive(Debug, Default)]
pub(crate) struct Door {
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
pub(crate) struct Entry {
    door: Arc<Door>,
    origin: Origin,
}

impl Door {
    /// A place for a handshake with this address, or none.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Entry> {
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

    /// Whether it is time to ask strangers for a proof of their address.
    pub(crate) fn is_crowded(&self) -> bool {
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
