//! Invite boxes: sealed bytes under a locator, kept by every member and custodian of a topic so
//! that somebody can join while the inviter is away.

use crate::check::{Job, Work};
use crate::event::{LinkId, Rule};
use crate::host::Local;
use crate::limits::{MAX_BOX, MAX_BOX_AHEAD_MS, MAX_BOXES};
use crate::rows::{self, Bytes};
use crate::state::{Shared, Topic};
use crate::topics::Env;
use identity::seal::kdf;
use machine::Cx;
use wire::{Checked, TopicBox, TopicFrame};

/// The row of a box. Only boxes whose signature holds are written.
pub(crate) fn decode(row: &[u8]) -> Option<(Local, TopicBox)> {
    let mut bytes = Bytes(row);
    let topic = bytes.u32()?;
    Some((topic, TopicBox::decode(bytes.rest()).ok()?))
}

fn encode(topic: Local, held: &TopicBox) -> Vec<u8> {
    let mut row = topic.to_be_bytes().to_vec();
    row.extend_from_slice(&held.encode());
    row
}

fn rank(held: &TopicBox) -> (u64, [u8; 32]) {
    (held.until, held.hash())
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
                self.boxes.insert(loc, rank(&held));
            }
        }
    }

    /// Two replicas with equal hashes have the same boxes.
    pub(crate) fn boxes_hash(&self) -> [u8; 32] {
        let mut bytes = Vec::with_capacity(self.boxes.len().saturating_mul(72));
        for (loc, (until, hash)) in &self.boxes {
            bytes.extend_from_slice(loc);
            bytes.extend_from_slice(&until.to_be_bytes());
            bytes.extend_from_slice(hash);
        }
        kdf("boxes", &[&bytes])
    }

    /// Whether a box with this end is not kept now.
    fn is_out_of_time(shared: &Shared, env: &Env<'_, '_>, until: u64) -> bool {
        let now = env.cx.wall.as_millis();
        shared.clock_confirmed && (until <= now || until - now > MAX_BOX_AHEAD_MS)
    }

    /// Takes a box that the founder has signed. Of two with one locator stands the one that ends
    /// later, then that with the greater hash, so that all replicas agree; of too many goes the one
    /// that ends first.
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
            self.remove_box(env.cx, &loc);
            return;
        }
        let rank = rank(&held);
        let known = self.boxes.get(&loc).is_some_and(|known| *known >= rank);
        if known || Self::is_out_of_time(shared, env, held.until) {
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
        self.boxes.insert(loc, rank);
        while self.boxes.len() > MAX_BOXES {
            let first = self.boxes.iter().min_by_key(|(loc, rank)| (**rank, **loc));
            let Some(first) = first.map(|(loc, _)| *loc) else {
                break;
            };
            self.remove_box(env.cx, &first);
        }
        for (link, peer) in &mut self.peers {
            if Some(*link) != giver {
                peer.boxes.insert(loc);
            }
        }
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
            .filter(|(_, (until, _))| Self::is_over(shared, cx, *until))
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
        if known.is_some_and(|known| *known >= rank(&held))
            || Self::is_out_of_time(shared, env, held.until)
        {
            return;
        }
        let bytes = held.sealed.len();
        if self.may_check(shared, env.cx.now, (link, bytes)) {
            let founder = self.lace.genesis().founder();
            let work = Work::Box(self.id, founder, held);
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
