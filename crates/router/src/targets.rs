//! Which nodes are dialled, where, and when again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use core::time::Duration;
use identity::NodeId;
use machine::{Rng, Time};

use crate::event::Why;
use crate::limits::{
    BACKOFF_BRIEF, BACKOFF_FIRST, BACKOFF_LONGEST, BACKOFF_REFUSED, LINK_LASTS, MAX_ADDRESS,
    MAX_TARGET_ADDRESSES, MAX_TARGETS, SHORTCUT_FIRST, SHORTCUT_GROWTH, SHORTCUT_LONGEST,
    SHORTCUT_PATIENCE, SHORTCUT_STEP, SHORTCUTS_AT_ONCE, SHORTCUTS_IN_VAIN,
};

/// Where dialling a node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing is done before this time; nothing at all without one.
    Waiting(Option<Time>),
    /// Some addresses are being tried, the rest is to follow.
    Dialling {
        since: Time,
        tokens: BTreeMap<u64, String>,
        rest: VecDeque<String>,
    },
    /// There is a link, or one that says hello.
    Linked,
}

/// How a link that was open has ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    pub(crate) lasted: Duration,
    /// The peer closed it because it has another or refuses this node, or this node refused it.
    pub(crate) unwanted: bool,
    pub(crate) reason: String,
}

/// A node that is to be dialled and kept.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Addresses by the reason for which they were given.
    pub(crate) whys: BTreeMap<Why, Vec<String>>,
    pub(crate) attempts: u32,
    /// Links in a row that opened and ended soon, or that the peer did not want.
    pub(crate) brief: u32,
    pub(crate) phase: Phase,
    pub(crate) last_error: String,
    pub(crate) last_good: Option<String>,
}

impl Target {
    /// Addresses to try, the one that worked last first, then those that were given for the
    /// strongest reason, then those of the advert.
    pub(crate) fn addresses(&self, advert: Vec<String>) -> VecDeque<String> {
        let mut seen = BTreeSet::new();
        let given = self.whys.values().rev().flatten().cloned();
        let all = self.last_good.iter().cloned().chain(given).chain(advert);
        all.filter(|address| address.len() <= MAX_ADDRESS && seen.insert(address.clone()))
            .take(MAX_TARGET_ADDRESSES)
            .collect()
    }

    /// The strongest reason.
    pub(crate) fn why(&self) -> Option<Why> {
        self.whys.last_key_value().map(|(why, _)| *why)
    }

    /// When it is dialled for the first time, or at new addresses.
    pub(crate) fn first_dial(&self, now: Time) -> Time {
        match self.why() {
            Some(Why::Shortcut) => now.after(SHORTCUT_PATIENCE),
            _ => now,
        }
    }

    /// Whether dialling it has failed or cannot be tried.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.phase != Phase::Linked && (self.attempts > 0 || self.phase == Phase::Waiting(None))
    }

    /// A dial, or a link that never opened, has come to nothing; gives the time of the next.
    /// `rarely`: it is not urgent, as of a shortcut while a core node is linked.
    pub(crate) fn failed(
        &mut self,
        (now, rng): (Time, &mut Rng),
        reason: String,
        rarely: bool,
    ) -> Time {
        self.attempts = self.attempts.saturating_add(1);
        self.last_error = reason;
        let at = if rarely {
            shortcut_at(now, self.attempts)
        } else {
            now.after(backoff(self.attempts.max(self.brief), rng))
        };
        self.phase = Phase::Waiting(Some(at));
        at
    }

    /// A link that was open is gone; gives the time of the next dial.
    pub(crate) fn lost(&mut self, (now, rng): (Time, &mut Rng), ended: Ended) -> Time {
        self.last_error = ended.reason;
        if ended.unwanted {
            self.brief = self.brief.saturating_add(1);
        } else if ended.lasted >= LINK_LASTS {
            self.brief = 0;
        } else {
            self.brief = self
                .brief
                .max(BACKOFF_BRIEF.min(self.brief.saturating_add(1)));
        }
        let attempts = self.attempts.saturating_add(1).max(self.brief);
        let at = now.after(backoff(attempts, rng));
        self.phase = Phase::Waiting(Some(at));
        at
    }

    /// The peer refused for a reason that will not pass soon.
    pub(crate) fn refused(&mut self) {
        self.attempts = self.attempts.max(BACKOFF_REFUSED);
    }
}

/// The wait before the dial after `attempts` failures: doubles from a second to five minutes; a
/// random half of it is left out, so that the peers of a node that was away do not come at once.
pub(crate) fn backoff(attempts: u32, rng: &mut Rng) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let full = BACKOFF_FIRST
        .saturating_mul(1 << doublings)
        .min(BACKOFF_LONGEST);
    let half = full / 2;
    let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX);
    half.saturating_add(Duration::from_micros(rng.below(micros.saturating_add(1))))
}

/// When a shortcut is tried again after `attempts` failures.
fn shortcut_at(now: Time, attempts: u32) -> Time {
    let growth = SHORTCUT_GROWTH.saturating_pow(attempts.saturating_sub(1).min(8));
    let wait = SHORTCUT_FIRST.saturating_mul(growth).min(SHORTCUT_LONGEST);
    let step = u64::try_from(SHORTCUT_STEP.as_micros()).unwrap_or(u64::MAX);
    let at = now.after(wait).as_micros();
    Time::from_micros(at.div_ceil(step).saturating_mul(step))
}

/// All nodes that are to be dialled.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    map: BTreeMap<NodeId, Target>,
    tokens: BTreeMap<u64, NodeId>,
    next_token: u64,
    /// Shortcuts that have failed since one was good or the network changed.
    in_vain: u32,
}

impl Targets {
    pub(crate) fn has(&self, node: &NodeId) -> bool {
        self.map.contains_key(node)
    }

    /// Whether another node is kept only if one makes room.
    pub(crate) fn is_full(&self) -> bool {
        self.map.len() >= MAX_TARGETS
    }

    pub(crate) fn get(&self, node: &NodeId) -> Option<&Target> {
        self.map.get(node)
    }

    pub(crate) fn get_mut(&mut self, node: &NodeId) -> Option<&mut Target> {
        self.map.get_mut(node)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Target)> {
        self.map.iter()
    }

    pub(crate) fn is(&self, node: &NodeId, why: Why) -> bool {
        self.map
            .get(node)
            .is_some_and(|target| target.whys.contains_key(&why))
    }

    /// Adds a reason; says whether the node should be dialled now. When there are too many, one
    /// with the weakest reason makes room, or this one is not taken.
    pub(crate) fn keep(&mut self, node: NodeId, why: Why, addresses: Vec<String>) -> bool {
        if !self.map.contains_key(&node) && self.map.len() >= MAX_TARGETS {
            let weakest = self.map.iter().min_by_key(|(node, t)| (t.why(), **node));
            match weakest.map(|(node, target)| (*node, target.why())) {
                Some((weakest, its)) if its < Some(why) => self.remove(&weakest),
                _ => return false,
            }
        }
        let target = self.map.entry(node).or_insert_with(|| Target {
            whys: BTreeMap::new(),
            attempts: 0,
            brief: 0,
            phase: Phase::Waiting(None),
            last_error: String::new(),
            last_good: None,
        });
        let known = target.whys.insert(why, addresses.clone());
        let new_addresses = known.as_ref() != Some(&addresses) && !addresses.is_empty();
        matches!(target.phase, Phase::Waiting(_)) && (known.is_none() || new_addresses)
    }

    /// Takes a reason away; says whether none remains and the node was forgotten.
    pub(crate) fn release(&mut self, node: &NodeId, why: Why) -> bool {
        let Some(target) = self.map.get_mut(node) else {
            return false;
        };
        target.whys.remove(&why);
        if target.whys.is_empty() {
            self.remove(node);
            return true;
        }
        false
    }

    /// Whether a node is a core node of ours or of one of our topics.
    pub(crate) fn is_core(&self, node: &NodeId) -> bool {
        self.map.get(node).is_some_and(|target| {
            target.whys.contains_key(&Why::Core) || target.whys.contains_key(&Why::TopicCore)
        })
    }

    /// Shortcuts and recipients of mail that wait begin anew; gives which they are.
    pub(crate) fn urge_shortcuts(&mut self) -> Vec<NodeId> {
        self.in_vain = 0;
        let mut urged = Vec::new();
        for (node, target) in &mut self.map {
            if matches!(target.why(), Some(Why::Shortcut | Why::Mail))
                && target.attempts > 0
                && matches!(target.phase, Phase::Waiting(Some(_)))
            {
                target.attempts = 0;
                urged.push(*node);
            }
        }
        urged
    }

    /// Dials in progress.
    pub(crate) fn dials(&self) -> usize {
        self.tokens.len()
    }

    /// A token for a dial.
    pub(crate) fn token(&mut self, node: NodeId) -> u64 {
        self.next_token = self.next_token.saturating_add(1);
        self.tokens.insert(self.next_token, node);
        self.next_token
    }

    /// A dial has come to its end; gives whose it was.
    pub(crate) fn done(&mut self, token: u64) -> Option<NodeId> {
        self.tokens.remove(&token)
    }

    /// Puts a shortcut off that is due while a core node is linked, if enough others are being
    /// tried or have failed; gives the time when it is due again.
    pub(crate) fn put_off(&mut self, node: &NodeId, now: Time) -> Option<Time> {
        let hopeless = self.in_vain >= SHORTCUTS_IN_VAIN;
        let dialled = |node: &NodeId| self.map.get(node).and_then(Target::why);
        let tried = self
            .tokens
            .values()
            .filter(|node| dialled(node) == Some(Why::Shortcut));
        if !hopeless && tried.count() < SHORTCUTS_AT_ONCE {
            return None;
        }
        let target = self.map.get_mut(node)?;
        if target.why() != Some(Why::Shortcut) || !matches!(target.phase, Phase::Waiting(_)) {
            return None;
        }
        let at = if hopeless {
            target.attempts = target.attempts.saturating_add(1);
            shortcut_at(now, target.attempts)
        } else {
            now.after(SHORTCUT_PATIENCE)
        };
        target.phase = Phase::Waiting(Some(at));
        Some(at)
    }

    /// A dial of this node has come to nothing, or has become a link.
    pub(crate) fn note_dial(&mut self, node: &NodeId, good: bool) {
        if self.map.get(node).and_then(Target::why) == Some(Why::Shortcut) {
            self.in_vain = if good {
                0
            } else {
                self.in_vain.saturating_add(1)
            };
        }
    }

    fn remove(&mut self, node: &NodeId) {
        self.map.remove(node);
        self.tokens.retain(|_, dialled| dialled != node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_to_five_minutes_and_never_vanishes() {
        let mut rng = Rng::from_seed([7; 32]);
        for attempts in 1..100 {
            let wait = backoff(attempts, &mut rng);
            let full = BACKOFF_FIRST.saturating_mul(1 << (attempts - 1).min(16));
            let full = full.min(BACKOFF_LONGEST);
            assert!(wait >= full / 2 && wait <= full, "{attempts}: {wait:?}");
        }
        let waits: BTreeSet<_> = (0..20).map(|_| backoff(9, &mut rng)).collect();
        assert!(waits.len() > 10, "peers of one node must not come at once");
    }

    #[test]
    fn the_weakest_reason_makes_room() {
        let node = |n: usize| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
            NodeId::from_bytes(bytes)
        };
        let mut targets = Targets::default();
        for n in 0..MAX_TARGETS {
            assert!(targets.keep(node(n), Why::Member, Vec::new()));
        }
        assert!(
            !targets.keep(node(9_999), Why::Errand, Vec::new()),
            "no weaker one to drop"
        );
        assert!(targets.keep(node(9_998), Why::Peer, Vec::new()));
        assert_eq!(targets.iter().count(), MAX_TARGETS);
        assert!(!targets.has(&node(0)) && targets.has(&node(9_998)));
    }
}
