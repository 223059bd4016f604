//! Which nodes are dialled, where, and when again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use core::time::Duration;
use identity::NodeId;
use machine::{Rng, Time};

use crate::event::Why;
use crate::limits::{
    ALONE_AT_ONCE, ALONE_FIRST, ALONE_LONGEST, BACKOFF_BRIEF, BACKOFF_FIRST, BACKOFF_LONGEST,
    BACKOFF_REFUSED, KEPT_DIALS, LINK_LASTS, MAX_ADDRESS, MAX_DIALS, MAX_TARGET_ADDRESSES,
    MAX_TARGETS, SHORTCUT_FIRST, SHORTCUT_GROWTH, SHORTCUT_LONGEST, SHORTCUT_PATIENCE,
    SHORTCUT_STEP, SHORTCUTS_AT_ONCE, SHORTCUTS_IN_VAIN,
};
use crate::meeting::Meeting;

/// How a node stands with the core nodes that are its own or hold one of its topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cores {
    /// It knows of none.
    None,
    /// None of them is linked.
    Away,
    /// One of them is linked: what members have comes through it, and shortcuts are not urgent.
    Linked,
}

/// How soon a node is dialled again that was dialled in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As soon as a failed dial is repeated.
    Soon,
    /// As a member is while the core nodes are away.
    Alone,
    /// As a member is while a core node is linked.
    Rarely,
}

/// Where dialling a node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing is done before this time; nothing at all without one.
    Waiting(Option<Time>),
    /// It is dialled when others have been.
    Queued,
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
    /// Whether core nodes arrange something.
    pub(crate) meeting: Meeting,
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
    /// `pace`: how urgent it is.
    pub(crate) fn failed(
        &mut self,
        (now, rng): (Time, &mut Rng),
        reason: String,
        pace: Pace,
    ) -> Time {
        self.attempts = self.attempts.saturating_add(1);
        self.last_error = reason;
        let at = match pace {
            Pace::Rarely => shortcut_at(now, self.attempts),
            Pace::Alone => now.after(alone(self.attempts, rng)),
            Pace::Soon => now.after(backoff(self.attempts.max(self.brief), rng)),
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
            self.meeting.anew();
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

    /// An address was told at which it may be found now, and at no other time: it is tried next, and
    /// nothing beside it where a dial would begin at another time.
    pub(crate) fn meet_at(&mut self, now: Time, address: String) {
        match &mut self.phase {
            Phase::Dialling { since, rest, .. } => {
                *since = now;
                rest.push_front(address);
            }
            Phase::Waiting(_) | Phase::Queued => {
                self.phase = Phase::Dialling {
                    since: now,
                    tokens: BTreeMap::new(),
                    rest: VecDeque::from([address]),
                };
            }
            Phase::Linked => {}
        }
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
    let full = BACKOFF_FIRST.saturating_mul(1 << doublings);
    spread(full.min(BACKOFF_LONGEST), rng)
}

/// The wait before a shortcut is tried again while the core nodes are away.
fn alone(attempts: u32, rng: &mut Rng) -> Duration {
    let growth = SHORTCUT_GROWTH.saturating_pow(attempts.saturating_sub(1).min(8));
    let full = ALONE_FIRST.saturating_mul(growth);
    spread(full.min(ALONE_LONGEST), rng)
}

/// Leaves out a random part of the second half.
fn spread(full: Duration, rng: &mut Rng) -> Duration {
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
    /// Nodes that are dialled when others have been, in this order. Some may have been meanwhile.
    queue: VecDeque<NodeId>,
    /// Shortcuts that have failed since one was good or the network changed.
    in_vain: u32,
}

impl Targets {
    pub(crate) fn has(&self, node: &NodeId) -> bool {
        self.map.contains_key(node)
    }

    /// Whether a node is no stranger because of the reasons for which it is kept.
    pub(crate) fn trusts(&self, node: &NodeId) -> bool {
        let why = self.map.get(node).and_then(Target::why);
        why.is_some_and(|why| why > Why::Way)
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
            meeting: Meeting::default(),
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

    /// Whether some core node is to be kept: one of one's own, or one that was linked in this life.
    /// Others are only said to be.
    pub(crate) fn has_core(&self) -> bool {
        let is_core = |target: &Target| {
            let own = target.whys.contains_key(&Why::Core);
            let met = target.last_good.is_some() || target.phase == Phase::Linked;
            own || (met && target.whys.contains_key(&Why::TopicCore))
        };
        self.map.values().any(is_core)
    }

    /// Shortcuts and recipients of mail that wait begin anew, in a queue; gives which they are.
    pub(crate) fn urge_shortcuts(&mut self) -> Vec<NodeId> {
        self.in_vain = 0;
        let mut urged = Vec::new();
        for (node, target) in &mut self.map {
            if matches!(target.why(), Some(Why::Shortcut | Why::Mail))
                && target.attempts > 0
                && matches!(target.phase, Phase::Waiting(Some(_)))
            {
                // Nobody takes a recipient for reachable before it is.
                target.attempts = u32::from(target.why() == Some(Why::Mail));
                target.meeting.anew();
                target.phase = Phase::Queued;
                urged.push(*node);
            }
        }
        self.queue.retain(|node| !urged.contains(node));
        self.queue.extend(&urged);
        urged
    }

    /// For which reasons a dial may begin now, beside those in progress: some places are kept for
    /// those without whom nothing goes.
    fn room(&self, cores: Cores) -> impl Fn(Option<Why>) -> bool + use<> {
        let most = match cores {
            Cores::None => MAX_DIALS,
            Cores::Away => ALONE_AT_ONCE,
            Cores::Linked => SHORTCUTS_AT_ONCE,
        };
        let why = |node: &NodeId| self.map.get(node).and_then(Target::why);
        let shortcut = |node: &&NodeId| why(node) == Some(Why::Shortcut);
        let few = self.tokens.values().filter(shortcut).count() < most;
        let begun = self.tokens.len();
        move |why| match why {
            Some(Why::Shortcut) => few && begun < MAX_DIALS - KEPT_DIALS,
            Some(Why::Way | Why::Errand | Why::Mail | Why::Member) => {
                begun < MAX_DIALS - KEPT_DIALS
            }
            _ => begun < MAX_DIALS,
        }
    }

    /// Whether another address of a node that is being dialled may be tried beside.
    pub(crate) fn has_room_for_address(&self) -> bool {
        self.tokens.len() < MAX_DIALS
    }

    /// Whether a node may be dialled at an address that was told for now.
    pub(crate) fn has_room_for_meeting(&self) -> bool {
        self.tokens.len() < MAX_DIALS - KEPT_DIALS
    }

    /// Puts a node that is to be dialled into the queue, if there is no room now; says whether it did.
    pub(crate) fn queue(&mut self, node: &NodeId, cores: Cores) -> bool {
        let why = self.map.get(node).and_then(Target::why);
        if self.room(cores)(why) {
            return false;
        }
        let waits =
            |target: &&mut Target| matches!(target.phase, Phase::Waiting(_) | Phase::Queued);
        let Some(target) = self.map.get_mut(node).filter(waits) else {
            return false;
        };
        target.phase = Phase::Queued;
        self.queue.retain(|other| other != node);
        self.queue.push_back(*node);
        true
    }

    /// Whether some wait in the queue.
    pub(crate) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Takes from the queue one for which there is room, or no hope: the first of those with the
    /// strongest reason.
    pub(crate) fn next_queued(&mut self, cores: Cores) -> Option<NodeId> {
        let map = &self.map;
        let waits = |node: &NodeId| map.get(node).is_some_and(|t| t.phase == Phase::Queued);
        self.queue.retain(waits);
        let room = self.room(cores);
        let why = |node: &NodeId| self.map.get(node).and_then(Target::why);
        let ready = |node: &NodeId| self.is_hopeless(node, cores) || room(why(node));
        let ready = self
            .queue
            .iter()
            .enumerate()
            .filter(|(_, node)| ready(node));
        let (at, _) = ready.max_by_key(|(at, node)| (why(node), core::cmp::Reverse(*at)))?;
        self.queue.remove(at)
    }

    /// Dials in progress: addresses that are being tried.
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

    /// Whether this node is a shortcut while a core node is linked, and enough others have failed.
    fn is_hopeless(&self, node: &NodeId, cores: Cores) -> bool {
        let is_shortcut = |target: &Target| target.why() == Some(Why::Shortcut);
        cores == Cores::Linked
            && self.in_vain >= SHORTCUTS_IN_VAIN
            && self.map.get(node).is_some_and(is_shortcut)
    }

    /// Puts a shortcut off that is due, if there is no hope; gives the time when it is due again.
    pub(crate) fn put_off(&mut self, node: &NodeId, now: Time, cores: Cores) -> Option<Time> {
        if !self.is_hopeless(node, cores) {
            return None;
        }
        let waits =
            |target: &&mut Target| matches!(target.phase, Phase::Waiting(_) | Phase::Queued);
        let target = self.map.get_mut(node).filter(waits)?;
        target.attempts = target.attempts.saturating_add(1);
        let at = shortcut_at(now, target.attempts);
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
