//! Invite boxes: sealed bytes under a locator, kept by every member and custodian of a topic so
//! that somebody can join while the inviter is away.

use crate::check::{Job, Work};
use crate::event::{LinkId, Rule};
use crate::host::Local;
use crate::limits::{MAX_BOX, MAX_BOX_AHEAD_MS, MAX_BOXES, MAX_EARLY_BOXES};
use crate::rows::{self, Bytes};
use crate::state::{Shared, Topic};
use crate::topics::Env;
use identity::seal::kdf;
use identity::{GrantId, Id, PublicKey};
use lace::Facts;
use machine::Cx;
use std::collections::BTreeMap;
use wire::{Checked, Item, TopicBox, TopicFrame};

/// The row of a box. Only boxes whose signature holds are written.
pub(crate) fn decode(row: &[u8]) -> Option<(Local, TopicBox)> {
    let mut bytes = Bytes(row);
    let topic = bytes.u32()?;
    Some((topic, TopicBox::decode(bytes.rest()).ok()?))
}

/// The box with this locator, and its topic.
pub(crate) fn held_at(cx: &mut Cx<'_>, loc: &[u8; 32]) -> Option<(Local, TopicBox)> {
    let row = cx.store.get(rows::BOX, loc)?;
    decode(&row)
}

fn encode(topic: Local, held: &TopicBox) -> Vec<u8> {
    let mut row = topic.to_be_bytes().to_vec();
    row.extend_from_slice(&held.encode());
    row
}

/// What is known in memory of a box that is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Kept {
    /// Until when it stands, milliseconds since 1970.
    pub(crate) until: u64,
    /// The hash of its contents.
    hash: [u8; 32],
    /// Whose it is.
    device: PublicKey,
    /// The invite that is in it.
    grant: GrantId,
}

impl Kept {
    fn of(held: &TopicBox) -> Self {
        Self {
            until: held.until,
            hash: held.hash(),
            device: held.device,
            grant: held.grant,
        }
    }

    /// Whether another box under the same locator does not take its place. Nobody's box is replaced
    /// by another's: a locator is no secret to those who keep boxes.
    fn stays(&self, other: &Self) -> bool {
        self.device != other.device || (self.until, self.hash) >= (other.until, other.hash)
    }
}

/// Nobody who lets people in displaces another's boxes by many of its own.
fn first_to_go(boxes: &BTreeMap<[u8; 32], Kept>) -> Option<[u8; 32]> {
    let mut of: BTreeMap<PublicKey, usize> = BTreeMap::new();
    for kept in boxes.values() {
        let count = of.entry(kept.device).or_default();
        *count = count.saturating_add(1);
    }
    let most = of.iter().max_by_key(|(_, count)| **count);
    let most = most.map(|(device, _)| *device)?;
    let theirs = boxes.iter().filter(|(_, kept)| kept.device == most);
    let first = theirs.min_by_key(|(loc, kept)| (kept.until, kept.hash, **loc));
    first.map(|(loc, _)| *loc)
}

impl Topic {
    pub(crate) fn load_boxes(&mut self, cx: &mut Cx<'_>) {
        for (key, _) in cx
            .store
            .prefix(rows::BOXES, &rows::key(self.local), MAX_BOXES)
        {
            let loc: Option<[u8; 32]> = key.get(4..).and_then(|loc| loc.try_into().ok());
            let Some(loc) = loc else {
                continue;
            };
            let row = cx.store.get(rows::BOX, &loc);
            if let Some((_, held)) = row.and_then(|row| decode(&row)) {
                self.boxes.insert(loc, Kept::of(&held));
            }
        }
    }

    /// Two replicas with equal hashes have the same boxes, claims and answers.
    pub(crate) fn boxes_hash(&self) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(self.boxes.len().saturating_mul(72));
        for (loc, kept) in &self.boxes {
            bytes.extend_from_slice(loc);
            bytes.extend_from_slice(&kept.until.to_be_bytes());
            bytes.extend_from_slice(&kept.hash);
        }
        bytes.extend_from_slice(&self.claims.digest());
        kdf("boxes", &[&bytes])
    }

    /// Whether a box with this end is not kept now.
    fn is_out_of_time(shared: &Shared, env: &Env<'_, '_>, until: u64) -> bool {
        let now = env.cx.wall.as_millis();
        shared.clock_confirmed && (until <= now || until - now > MAX_BOX_AHEAD_MS)
    }

    /// Takes a box that its device has signed. Of two of a device with one locator stands the one
    /// that ends later, then that with the greater hash, so that all replicas agree; of too many
    /// goes one of the device that has most, of these the one that ends first.
    pub(crate) fn take_box(
        &mut self,
        shared: &Shared,
        env: &mut Env<'_, '_>,
        giver: Option<LinkId>,
        held: Checked<TopicBox>,
    ) {
        let held = held.into_inner();
        let loc = held.loc;
        let own = giver.is_none();
        if own && held.until <= env.cx.wall.as_millis() {
            let own = |known: &&Kept| known.device == held.device;
            if self.boxes.get(&loc).filter(own).is_some() {
                self.remove_box(env.cx, &loc);
            }
            return;
        }
        let kept = Kept::of(&held);
        let known = self.boxes.get(&loc);
        if known.is_some_and(|known| known.stays(&kept))
            || Self::is_out_of_time(shared, env, held.until)
        {
            return;
        }
        // A locator belongs to one topic: nobody replaces another topic's box.
        let other = env
            .cx
            .store
            .get(rows::BOX, &loc)
            .and_then(|row| decode(&row));
        if other.is_some_and(|(other, _)| other != self.local) {
            return;
        }
        env.cx.store.put(rows::BOX, loc, encode(self.local, &held));
        env.cx
            .store
            .put(rows::BOXES, rows::key_bytes(self.local, &[&loc]), []);
        self.boxes.insert(loc, kept);
        while self.boxes.len() > MAX_BOXES
            && let Some(first) = first_to_go(&self.boxes)
        {
            self.remove_box(env.cx, &first);
        }
        for (link, peer) in &mut self.peers {
            if Some(*link) != giver {
                peer.boxes.insert(loc);
            }
        }
    }

    /// Whether a device may let people in, by what stands here: a grant that it holds gives that
    /// right. An invite that it has claimed gives it to nobody.
    pub(crate) fn lets_in(&self, cx: &mut Cx<'_>, device: &PublicKey) -> bool {
        let effect = self.lace.held_effect(&mut cx.store);
        let seats = effect.devices.iter();
        let seats: Vec<(Id, GrantId)> = seats
            .filter(|((_, seated), _)| seated == device)
            .map(|((holder, _), seat)| (*holder, seat.grant))
            .collect();
        let own = |grant: &GrantId, of: Option<Id>| {
            let holds = |(holder, seat): &(Id, GrantId)| of == Some(*holder) || seat == grant;
            seats.iter().any(holds)
        };
        let held = effect.grants.iter();
        let mut held = held.filter(|(grant, it)| own(grant, it.holder) && !it.over.admit);
        held.any(|(grant, _)| self.admits(cx, grant))
    }

    /// Whether a grant was given with the right to let people in.
    fn admits(&self, cx: &mut Cx<'_>, grant: &GrantId) -> bool {
        let gives = |item: &Item| match item {
            Item::Grant(item) => item.rights.admit.is_some(),
            _ => false,
        };
        let issued = |facts: &dyn Facts| facts.issued(grant).iter().any(|fact| gives(&fact.what));
        grant.as_bytes() == self.id.as_bytes() || self.lace.facts(&mut cx.store, issued)
    }

    /// Who may let people in may have changed: boxes that came too early are looked at once more.
    pub(crate) fn look_at_early_boxes(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>) {
        for (link, held) in std::mem::take(&mut self.early_boxes) {
            if self.peers.contains_key(&link) {
                self.on_box(shared, env, link, held);
            }
        }
    }

    /// Removes the boxes of invites that are known here and stand no more.
    pub(crate) fn drop_ended_boxes(&mut self, cx: &mut Cx<'_>) {
        if self.boxes.is_empty() {
            return;
        }
        let ended = self.boxes.iter();
        let ended = ended.filter(|(_, kept)| self.is_ended(cx, &kept.grant));
        let ended: Vec<[u8; 32]> = ended.map(|(loc, _)| *loc).collect();
        for loc in ended {
            self.remove_box(cx, &loc);
        }
    }

    /// Whether an invite is known here and stands no more.
    fn is_ended(&self, cx: &mut Cx<'_>, grant: &GrantId) -> bool {
        let effect = self.lace.held_effect(&mut cx.store);
        let issued = |facts: &dyn Facts| !facts.issued(grant).is_empty();
        !effect.grants.contains_key(grant) && self.lace.facts(&mut cx.store, issued)
    }

    pub(crate) fn remove_box(&mut self, cx: &mut Cx<'_>, loc: &[u8; 32]) {
        if self.boxes.remove(loc).is_some() {
            cx.store.delete(rows::BOX, *loc);
            cx.store
                .delete(rows::BOXES, rows::key_bytes(self.local, &[loc]));
        }
    }

    /// Removes the boxes whose time is over.
    pub(crate) fn sweep_boxes(&mut self, shared: &Shared, cx: &mut Cx<'_>) {
        let over: Vec<[u8; 32]> = self
            .boxes
            .iter()
            .filter(|(_, kept)| Self::is_over(shared, cx, kept.until))
            .map(|(loc, _)| *loc)
            .collect();
        for loc in over {
            self.remove_box(cx, &loc);
        }
    }

    /// A box from a peer, who need not be the one that invites. Its signature is checked only if it
    /// would be kept.
    pub(crate) fn on_box(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        held: TopicBox,
    ) {
        if held.sealed.len() > MAX_BOX {
            self.misbehaved(env, link, Rule::TooMuch);
            return;
        }
        let known = self.boxes.get(&held.loc);
        if known.is_some_and(|known| known.stays(&Kept::of(&held)))
            || Self::is_out_of_time(shared, env, held.until)
            || self.is_ended(env.cx, &held.grant)
        {
            return;
        }
        if !self.lets_in(env.cx, &held.device) {
            // What says that it does may be on its way; that it does not cannot be held against
            // whoever passes its box on.
            if self.early_boxes.len() >= MAX_EARLY_BOXES {
                self.early_boxes.pop_front();
            }
            self.early_boxes.push_back((link, held));
            return;
        }
        let bytes = held.sealed.len();
        if self.may_check(shared, env.cx.now, (link, bytes)) {
            let work = Work::Box(self.id, Box::new(held));
            self.send_job(shared, env, link, Job::new(work, bytes, false));
        }
    }

    pub(crate) fn send_boxes(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) -> bool {
        loop {
            let Some(peer) = self.peers.get_mut(&link) else {
                return false;
            };
            if peer.boxes.is_empty() {
                return false;
            }
            if !shared.has_room(link) {
                return true;
            }
            let Some(loc) = peer.boxes.pop_first() else {
                return false;
            };
            if let Some((_, held)) = env
                .cx
                .store
                .get(rows::BOX, &loc)
                .and_then(|row| decode(&row))
            {
                shared.frames_left = shared.frames_left.saturating_sub(1);
                self.say(shared, env, link, TopicFrame::Box(held));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(device: u8, until: u64) -> Kept {
        Kept {
            until,
            hash: [3; 32],
            device: PublicKey::from_bytes([device; 32]),
            grant: GrantId::from_bytes([9; 32]),
        }
    }

    #[test]
    fn nobody_replaces_anothers_box() {
        let own = kept(1, 50);
        assert!(!own.stays(&kept(1, 51)) && own.stays(&kept(1, 50)) && own.stays(&kept(1, 49)));
        for until in [1, 50, u64::MAX] {
            assert!(own.stays(&kept(2, until)), "{until}");
        }
    }

    #[test]
    fn nobody_displaces_anothers_boxes_by_many() {
        let mut boxes: BTreeMap<[u8; 32], Kept> = BTreeMap::new();
        boxes.insert([0; 32], kept(1, 5));
        boxes.insert([1; 32], kept(1, 6));
        for n in 2..=66 {
            boxes.insert([n; 32], kept(2, u64::from(n) * 100));
        }
        assert_eq!(first_to_go(&boxes), Some([2; 32]));
        assert_eq!(first_to_go(&BTreeMap::new()), None);
    }
}
