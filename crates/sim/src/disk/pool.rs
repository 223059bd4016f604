//! Long values that many disks of a world hold alike, kept once.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xxhash_rust::xxh3::xxh3_128;

/// Parts of the pool that are locked apart, so that the threads of a world seldom wait.
const SHARDS: usize = 64;

/// A part with fewer values than this is not swept.
const SMALLEST_SWEEP: usize = 64;

/// Bytes that a value in the pool costs beyond its own: counters, length, its place in the map and
/// the allocator's share. An estimate.
const COST_OF_VALUE: u64 = 112;

/// The long values of all disks of a world. One disk more that holds a value costs eight bytes.
///
/// What no disk holds any more is let go of by a sweep; a part of the pool sweeps itself when it
/// has doubled, so that the pool is never larger than about twice what is needed.
pub struct Pool {
    shards: [Mutex<Shard>; SHARDS],
}

/// Bytes in the pool. A thin pointer: a fat one would cost each holder eight bytes more.
#[derive(Clone)]
pub(super) struct Shared(Arc<Held>);

struct Held {
    bytes: Box<[u8]>,
}

#[derive(Default)]
struct Shard {
    held: HashMap<u128, Shared, BuildHasherDefault<Low>>,
    sweep_at: usize,
}

/// Keys are hashes already.
#[derive(Default)]
struct Low(u64);

impl Hasher for Low {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, hash: u128) {
        self.0 = hash as u64;
    }
}

impl Shared {
    fn new(bytes: &[u8]) -> Self {
        Self(Arc::new(Held {
            bytes: bytes.into(),
        }))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }
}

impl Shard {
    fn sweep(&mut self) {
        // One holder is this map. Nobody else gets at the value but through the lock of this part.
        self.held.retain(|_, value| Arc::strong_count(&value.0) > 1);
        self.sweep_at = (2 * self.held.len()).max(SMALLEST_SWEEP);
        self.held.shrink_to(self.sweep_at);
    }
}

impl Pool {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let shard = || {
            Mutex::new(Shard {
                held: HashMap::default(),
                sweep_at: SMALLEST_SWEEP,
            })
        };
        Self {
            shards: std::array::from_fn(|_| shard()),
        }
    }

    /// The value, shared with whoever holds the same bytes.
    pub(super) fn share(&self, bytes: &[u8]) -> Shared {
        let hash = xxh3_128(bytes);
        let mut shard = lock(&self.shards[(hash >> 64) as usize % SHARDS]);
        match shard.held.get(&hash) {
            Some(value) if value.bytes() == bytes => return value.clone(),
            // Other bytes of the same hash: these are kept for this disk alone.
            Some(_) => return Shared::new(bytes),
            None => {}
        }
        if shard.held.len() >= shard.sweep_at {
            shard.sweep();
        }
        let value = Shared::new(bytes);
        shard.held.insert(hash, value.clone());
        value
    }

    /// Lets go of what no disk holds any more.
    pub fn sweep(&self) {
        for shard in &self.shards {
            lock(shard).sweep();
        }
    }

    /// How many different values it holds.
    #[must_use]
    pub fn values(&self) -> usize {
        self.shards.iter().map(|part| lock(part).held.len()).sum()
    }

    /// Bytes of memory that it costs, about.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let of_part = |part: &Mutex<Shard>| -> u64 {
            let part = lock(part);
            let values = part.held.values();
            values
                .map(|value| value.bytes().len() as u64 + COST_OF_VALUE)
                .sum()
        };
        self.shards.iter().map(of_part).sum()
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pool({} values)", self.values())
    }
}

/// A node that panicked while it held the lock left a whole map behind: nothing in here panics
/// between two changes that belong together.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
