//! Whether the host's clock may be acted on.
//!
//! It may when somebody trusts it, or when two known peers, each over an authenticated link, agree
//! with it within five minutes and more agree than disagree. What a peer's clock said goes on
//! counting at our own pace, so a host's clock that jumps is noticed without asking anew.

use std::collections::BTreeMap;

use identity::NodeId;
use machine::planted::{Bug, is};
use machine::{Cx, Time};

use crate::limits::{CLOCK_AGREES, CLOCK_PEERS, CLOCK_SAMPLE_AGE, MAX_CLOCK_SAMPLES};

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Time,
    wall_ms: u64,
}

/// What peers' clocks said.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    trusted: bool,
    samples: BTreeMap<NodeId, Sample>,
}

impl Clock {
    pub(crate) fn new(trusted: bool) -> Self {
        Self {
            trusted,
            samples: BTreeMap::new(),
        }
    }

    /// Notes what a known peer's clock said at `at`.
    pub(crate) fn sample(&mut self, node: NodeId, at: Time, wall_ms: u64) {
        if self.samples.len() >= MAX_CLOCK_SAMPLES && !self.samples.contains_key(&node) {
            let oldest = self
                .samples
                .iter()
                .min_by_key(|(_, s)| s.at)
                .map(|(node, _)| *node);
            if let Some(oldest) = oldest {
                self.samples.remove(&oldest);
            }
        }
        self.samples.insert(node, Sample { at, wall_ms });
    }

    /// Forgets samples that are too old.
    pub(crate) fn forget(&mut self, now: Time) {
        self.samples
            .retain(|_, sample| now.since(sample.at) < CLOCK_SAMPLE_AGE);
    }

    /// Whether the clock may be acted on now.
    pub(crate) fn confirmed(&self, cx: &Cx<'_>) -> bool {
        if self.trusted || is(Bug::ClockDeletes) {
            return true;
        }
        let all = self.offsets(cx);
        let agree = all
            .iter()
            .filter(|offset| offset.unsigned_abs() <= agrees_ms())
            .count();
        agree >= CLOCK_PEERS && agree.saturating_mul(2) > all.len()
    }

    /// By how many milliseconds peers are ahead, in the middle; nothing unless two peers say so.
    pub(crate) fn disagreement(&self, cx: &Cx<'_>) -> Option<i64> {
        let all = self.offsets(cx);
        let middle = *all.get(all.len() / 2)?;
        (all.len() >= CLOCK_PEERS && middle.unsigned_abs() > agrees_ms()).then_some(middle)
    }

    /// The best guess of the time, in milliseconds since 1970: the host's clock when it is
    /// confirmed or alone, else what the peer in the middle says.
    pub(crate) fn guess(&self, cx: &Cx<'_>) -> u64 {
        let own = cx.wall.as_millis();
        if self.confirmed(cx) {
            return own;
        }
        let all = self.offsets(cx);
        match all.get(all.len() / 2) {
            Some(offset) => own.saturating_add_signed(*offset),
            None => own,
        }
    }

    /// Peers' clocks less ours, sorted.
    fn offsets(&self, cx: &Cx<'_>) -> Vec<i64> {
        let own = cx.wall.as_millis();
        let offset = |sample: &Sample| {
            let since = u64::try_from(cx.now.since(sample.at).as_millis()).unwrap_or(u64::MAX);
            let theirs = sample.wall_ms.saturating_add(since);
            i64::try_from(i128::from(theirs) - i128::from(own)).unwrap_or(i64::MAX)
        };
        let mut all: Vec<i64> = self.samples.values().map(offset).collect();
        all.sort_unstable();
        all
    }
}

fn agrees_ms() -> u64 {
    u64::try_from(CLOCK_AGREES.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use machine::WallTime;
    use machine::test::World;

    fn node(byte: u8) -> NodeId {
        NodeId::from_bytes([byte; 32])
    }

    #[test]
    fn two_peers_confirm_and_one_does_not() {
        let mut world = World::new(1);
        let wall = world.wall.as_millis();
        let mut clock = Clock::new(false);
        clock.sample(node(1), world.now, wall + 290_000);
        assert!(!world.turn(|cx| clock.confirmed(cx)));
        clock.sample(node(1), world.now, wall);
        assert!(
            !world.turn(|cx| clock.confirmed(cx)),
            "one peer twice is one peer"
        );
        clock.sample(node(2), world.now, wall - 290_000);
        assert!(world.turn(|cx| clock.confirmed(cx)));
    }

    #[test]
    fn a_liar_beside_two_honest_peers_changes_nothing() {
        let mut world = World::new(1);
        let wall = world.wall.as_millis();
        let mut clock = Clock::new(false);
        clock.sample(node(1), world.now, wall);
        clock.sample(node(2), world.now, wall);
        clock.sample(node(3), world.now, u64::MAX);
        assert!(world.turn(|cx| clock.confirmed(cx)));
        clock.sample(node(4), world.now, 0);
        assert!(
            !world.turn(|cx| clock.confirmed(cx)),
            "as many disagree as agree"
        );
    }

    #[test]
    fn a_host_clock_that_jumps_is_no_longer_confirmed() {
        let mut world = World::new(1);
        let wall = world.wall.as_millis();
        let mut clock = Clock::new(false);
        clock.sample(node(1), world.now, wall);
        clock.sample(node(2), world.now, wall);
        world.pass(Duration::from_secs(3600));
        assert!(
            world.turn(|cx| clock.confirmed(cx)),
            "samples go on counting"
        );
        world.wall = WallTime::from_millis(0);
        assert!(!world.turn(|cx| clock.confirmed(cx)));
        assert_eq!(world.turn(|cx| clock.guess(cx)), wall + 3_600_000);
        clock.forget(world.now.after(CLOCK_SAMPLE_AGE));
        assert_eq!(
            world.turn(|cx| clock.guess(cx)),
            0,
            "old samples count no more"
        );
    }
}
