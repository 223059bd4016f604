//! The only place where this program reads a clock or draws entropy for a node.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use machine::{Rng, Time, WallTime};

/// The clock of one life.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that stands at [`Time::ZERO`] now.
    pub(crate) fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Microseconds since the life began.
    pub(crate) fn now(&self) -> Time {
        // 2^64 microseconds are 584,000 years.
        Time::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// When a time of this life comes on the host's own clock.
    pub(crate) fn instant(&self, time: Time) -> Option<Instant> {
        self.start.checked_add(time.since(Time::ZERO))
    }

    /// What the host's clock says; before 1970 it says 1970.
    pub(crate) fn wall() -> WallTime {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        WallTime::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Randomness for one life: 32 fresh bytes from the system.
pub(crate) fn entropy() -> Result<[u8; 32], String> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| format!("the system gave no entropy: {error}"))?;
    Ok(seed)
}

/// The machine's generator.
pub(crate) fn rng(seed: [u8; 32]) -> Rng {
    Rng::from_seed(seed)
}
