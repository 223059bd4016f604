//! What ends a run early, also in the middle of a window: one window may be a second of a large
//! world, or a loop without end where a node is wrong.

use super::Limits;
use crate::{interrupt, memory};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Things that happen between two looks at the clock.
const EVENTS_PER_LOOK: u64 = 64;
/// Real time between two looks at what the process uses.
const EVERY: Duration = Duration::from_millis(250);

/// What ends a run early, shared by all threads.
#[derive(Debug)]
pub(crate) struct Bound {
    limits: Limits,
    /// Whether one thread sees everything that happens, and so ends at the very step.
    alone: bool,
    begun: Instant,
    /// When it is time to look, in milliseconds since the beginning.
    next_ms: AtomicU64,
    why: OnceLock<String>,
}

impl Bound {
    pub(crate) fn new(limits: Limits, threads: usize) -> Self {
        Self {
            limits,
            alone: threads <= 1,
            begun: Instant::now(),
            next_ms: AtomicU64::new(0),
            why: OnceLock::new(),
        }
    }

    /// Whether a thread in which so much has happened stops now, in the middle of a window.
    pub(crate) fn stops(&self, events: u64) -> bool {
        if self.alone && self.is_full(events) {
            return true;
        }
        events.is_multiple_of(EVENTS_PER_LOOK) && self.is_reached()
    }

    /// Why a run in which so much has happened ends now, between two windows.
    pub(crate) fn ends(&self, events: u64) -> Option<&str> {
        if !self.is_full(events) {
            self.is_reached();
        }
        self.why()
    }

    /// Why the run ends, if that is known already.
    pub(crate) fn why(&self) -> Option<&str> {
        self.why.get().map(String::as_str)
    }

    fn is_full(&self, events: u64) -> bool {
        if self.limits.events.is_none_or(|limit| events < limit) {
            return false;
        }
        self.why.get_or_init(|| format!("stopped at step {events}"));
        true
    }

    fn is_reached(&self) -> bool {
        if self.why.get().is_some() {
            return true;
        }
        if interrupt::asked() {
            self.why.get_or_init(|| "interrupted".to_owned());
            return true;
        }
        let passed = self.begun.elapsed();
        let passed_ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        if passed_ms < self.next_ms.load(Ordering::Relaxed) && !self.is_late(passed) {
            return false;
        }
        let next = passed.saturating_add(EVERY).as_millis();
        let next = u64::try_from(next).unwrap_or(u64::MAX);
        self.next_ms.store(next, Ordering::Relaxed);
        if self.is_late(passed) {
            self.why
                .get_or_init(|| format!("it has taken {} s", passed.as_secs()));
        } else if let Some(used) = self.too_much_memory() {
            self.why
                .get_or_init(|| format!("the process uses {} MiB of memory", used >> 20));
        }
        self.why.get().is_some()
    }

    fn is_late(&self, passed: Duration) -> bool {
        self.limits.time.is_some_and(|limit| passed >= limit)
    }

    fn too_much_memory(&self) -> Option<u64> {
        let limit = self.limits.memory?;
        memory::now().filter(|used| *used >= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::{Bound, EVENTS_PER_LOOK, Limits};
    use std::time::Duration;

    #[test]
    fn one_thread_stops_at_the_very_step_and_several_after_their_window() {
        let limits = Limits {
            events: Some(7),
            ..Limits::default()
        };
        let one = Bound::new(limits, 1);
        assert!(!one.stops(6) && one.stops(7));
        assert_eq!(one.why(), Some("stopped at step 7"));
        let several = Bound::new(limits, 2);
        assert!(!several.stops(9));
        assert_eq!(several.ends(6), None);
        assert_eq!(several.ends(9), Some("stopped at step 9"));
        assert!(several.stops(EVENTS_PER_LOOK), "the others stop as well");
    }

    #[test]
    fn time_and_memory_are_looked_at_within_a_window() {
        let late = Limits {
            time: Some(Duration::ZERO),
            ..Limits::default()
        };
        let bound = Bound::new(late, 1);
        assert!(!bound.stops(1), "not after every event");
        assert!(bound.stops(EVENTS_PER_LOOK));
        assert_eq!(bound.ends(65), Some("it has taken 0 s"));
        let large = Limits {
            memory: Some(1),
            ..Limits::default()
        };
        let bound = Bound::new(large, 2);
        assert!(bound.stops(EVENTS_PER_LOOK));
        let why = bound.why().unwrap_or_default();
        assert!(why.contains("MiB of memory"), "{why}");
    }
}
