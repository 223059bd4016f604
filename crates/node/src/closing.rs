//! Closes: where the chains under a grant end whose time is over.
//!
//! Whoever stands above a grant may say so, a day after its end, by a clock that is confirmed. Nodes do it by
//! themselves: each draws a moment within an hour, so that one speaks and the others have heard of it by then. The cut leaves
//! everything that is here; what was written in time and has not come yet another close may leave.

use crate::grants::parent;
use crate::limits::{CLOSE_WITHIN_MS, MAX_CUT_NAMED};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::timer::Timer;
use identity::{EnvelopeId, GrantId, Id};
use lace::{Effect, Lace};
use machine::{Staged, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wire::limits::{DAY_MS, MAX_GRANT_DEPTH};
use wire::{Close, Item, Rights};

/// When which grants are to be closed, if nobody else does before.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    due: BTreeMap<(u32, GrantId), Time>,
}

impl Closing {
    fn next(&self) -> Option<Time> {
        self.due.values().min().copied()
    }
}

impl Inner {
    /// Items have come: notes when this node closes what they give, where it may.
    pub(crate) fn note_closes(&mut self, turn: &mut Turn<'_, '_>, local: u32, items: &[Item]) {
        let given = items.iter().filter(|item| rights_of(item).is_some());
        let given: BTreeSet<GrantId> = given.map(Item::id).collect();
        if !given.is_empty() {
            self.note_ends(turn, local, Some(&given));
        }
    }

    fn note_ends(&mut self, turn: &mut Turn<'_, '_>, local: u32, only: Option<&BTreeSet<GrantId>>) {
        let ends = self.ends_below(turn, local, only);
        let due = &mut self.closing.due;
        let wall = turn.cx.wall.as_millis();
        for (grant, end) in ends {
            if due.contains_key(&(local, grant)) {
                continue;
            }
            let drawn = turn.cx.rng.below(CLOSE_WITHIN_MS);
            let wait = end.saturating_add(DAY_MS).saturating_sub(wall);
            let wait = Duration::from_millis(wait.saturating_add(drawn));
            due.insert((local, grant), turn.cx.now.after(wait));
        }
        if let Some(at) = self.closing.next() {
            self.timers.set_earlier(Timer::Closes, at);
        }
    }

    /// The clock is confirmed: notes when this node closes what it may close, in all topics.
    pub(crate) fn note_all_closes(&mut self, turn: &mut Turn<'_, '_>) {
        let topics = self.host.keys.topics();
        let topics = topics.filter(|(_, keys)| keys.device.is_some() && keys.row.opened);
        let locals: Vec<u32> = topics.map(|(local, _)| local).collect();
        for local in locals {
            self.note_ends(turn, local, None);
        }
    }

    /// A moment has come: closes what is due, one grant in a turn.
    pub(crate) fn close_what_is_over(&mut self, turn: &mut Turn<'_, '_>) {
        if !self.router.clock_confirmed() {
            // It is looked at again when it is.
            return;
        }
        let now = turn.cx.now;
        let due = self.closing.due.iter().find(|(_, at)| **at <= now);
        if let Some((local, grant)) = due.map(|(of, _)| *of) {
            self.closing.due.remove(&(local, grant));
            let only = BTreeSet::from([grant]);
            let end = self.ends_below(turn, local, Some(&only));
            let end = end.get(&grant).copied();
            let over = |end: u64| end.saturating_add(DAY_MS) <= turn.cx.wall.as_millis();
            match end {
                Some(end) if over(end) => self.close(turn, local, grant),
                // The clock was set meanwhile.
                Some(_) => self.note_ends(turn, local, Some(&only)),
                None => {}
            }
        }
        if let Some(at) = self.closing.next() {
            self.timers.set_earlier(Timer::Closes, at);
        }
    }

    fn close(&mut self, turn: &mut Turn<'_, '_>, local: u32, grant: GrantId) {
        let cut = look(&mut self.topics, turn.cx, local, |lace, _| {
            let authors = lace.authors().filter(|author| *author.grant() == grant);
            let tips = authors.filter_map(|author| Some(author.tip()?.id));
            tips.collect::<BTreeSet<EnvelopeId>>()
        })
        .unwrap_or_default();
        if cut.len() > MAX_CUT_NAMED {
            // Its time is over all the same; whoever ends it for good revokes it.
            return;
        }
        let item = Item::Close(Close {
            grant,
            cut: cut.iter().copied().collect(),
        });
        if self.say_items(turn, local, vec![item], &cut).is_ok() {
            self.renew_epoch(turn, local);
        }
    }

    /// The grants and invites of a topic, or those of these, that have an end, stand, and may be closed by
    /// this device.
    fn ends_below(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        only: Option<&BTreeSet<GrantId>>,
    ) -> BTreeMap<GrantId, u64> {
        let keys = self.host.keys.topic(local);
        let Some(keys) = keys.filter(|keys| keys.row.opened && !keys.row.left) else {
            return BTreeMap::new();
        };
        let own = GrantId::from_bytes(keys.row.grant);
        let Some(device) = keys.device.as_ref().map(|device| device.public()) else {
            return BTreeMap::new();
        };
        look(&mut self.topics, turn.cx, local, |lace, store| {
            let effect = lace.held_effect(store);
            let Some(standing) = effect.grants.get(&own) else {
                return BTreeMap::new();
            };
            let seated = |holder: &Id| effect.devices.contains_key(&(*holder, device));
            let (Some(holder), depth) = (standing.holder.filter(seated), standing.depth) else {
                return BTreeMap::new();
            };
            let below = effect.grants.iter().filter(|(grant, it)| {
                it.depth > depth && only.is_none_or(|only| only.contains(grant))
            });
            let below: Vec<GrantId> = below.map(|(grant, _)| *grant).collect();
            let ends = below.into_iter().filter_map(|grant| {
                let end = end_of(lace, store, &grant)?;
                is_above(lace, store, &effect, (holder, grant)).then_some((grant, end))
            });
            ends.collect()
        })
        .unwrap_or_default()
    }
}

/// When the last right of a grant or an invite ends; nothing where one does not.
fn end_of(lace: &Lace, store: &mut Staged<'_>, grant: &GrantId) -> Option<u64> {
    let issued = lace.facts(store, |facts| facts.issued(grant));
    let rights = rights_of(&issued.first()?.what)?;
    let mut last = None;
    for (_, interval) in rights.iter() {
        last = last.max(Some(interval.until?));
    }
    last
}

/// Whether a member holds one of the grants above this one.
fn is_above(
    lace: &Lace,
    store: &mut Staged<'_>,
    effect: &Effect,
    (holder, grant): (Id, GrantId),
) -> bool {
    let mut at = grant;
    for _ in 0..=MAX_GRANT_DEPTH {
        let Some(parent) = parent(lace, store, &at) else {
            return false;
        };
        let held = effect.grants.get(&parent);
        if held.is_some_and(|it| it.holder == Some(holder)) {
            return true;
        }
        at = parent;
    }
    false
}

/// What an item gives.
fn rights_of(item: &Item) -> Option<Rights> {
    match item {
        Item::Grant(item) => Some(item.rights),
        Item::Invite(item) => Some(item.gift()?.terms.rights),
        _ => None,
    }
}
