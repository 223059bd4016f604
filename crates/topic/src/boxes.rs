//! Invite boxes: sealed bytes under a locator, kept by every member and custodian of a topic so
//! that somebody can join while the inviter is away.

use crate::draft::InviteBox;
use crate::event::{LinkId, Rule};
use crate::limits::{MAX_BOX, MAX_BOXES};
use crate::rows::{self, Bytes};
use crate::state::{Shared, Topic};
use crate::topics::Env;
use identity::seal::kdf;
use machine::Cx;
use wire::TopicFrame;

/// The row of a box.
pub(crate) fn decode(row: &[u8]) -> Option<InviteBox> {
    let mut bytes = Bytes(row);
    let (topic, until) = (bytes.u32()?, bytes.u64()?);
    Some(InviteBox {
        topic,
        until,
        sealed: bytes.rest().to_vec(),
    })
}

fn encode(invite: &InviteBox) -> Vec<u8> {
    let mut row = invite.topic.to_be_bytes().to_vec();
    row.extend_from_slice(&invite.until.to_be_bytes());
    row.extend_from_slice(&invite.sealed);
    row
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
            if let Some(invite) = cx.store.get(rows::BOX, &loc).and_then(|row| decode(&row)) {
                self.boxes
                    .insert(loc, (invite.until, kdf("box", &[&invite.sealed])));
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

    /// Takes a box. Of two with one locator stands the one that ends later, then that with the
    /// greater hash, so that all replicas agree; of too many goes the one that ends first.
    pub(crate) fn take_box(
        &mut self,
        shared: &Shared,
        env: &mut Env<'_, '_>,
        giver: Option<LinkId>,
        (loc, invite): ([u8; 32], InviteBox),
    ) {
        let own = giver.is_none();
        let over = invite.until <= env.cx.wall.as_millis() && (own || shared.clock_confirmed);
        if over {
            if own {
                self.remove_box(env.cx, &loc);
            }
            return;
        }
        let rank = (invite.until, kdf("box", &[&invite.sealed]));
        if self
            .boxes
            .get(&loc)
            .is_some_and(|known| *known >= rank && !own)
        {
            return;
        }
        // A locator belongs to one topic: nobody replaces another topic's box.
        let other = env
            .cx
            .store
            .get(rows::BOX, &loc)
            .and_then(|row| decode(&row));
        if other.is_some_and(|other| other.topic != self.local) {
            return;
        }
        env.cx.store.put(rows::BOX, loc, encode(&invite));
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

    pub(crate) fn on_box(
        &mut self,
        shared: &Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        (loc, sealed, until): ([u8; 32], Vec<u8>, u64),
    ) {
        if sealed.len() > MAX_BOX {
            self.misbehaved(env, link, Rule::TooMuch);
            return;
        }
        let invite = InviteBox {
            topic: self.local,
            sealed,
            until,
        };
        self.take_box(shared, env, Some(link), (loc, invite));
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
            if let Some(invite) = env
                .cx
                .store
                .get(rows::BOX, &loc)
                .and_then(|row| decode(&row))
            {
                let (sealed, until) = (invite.sealed, invite.until);
                shared.frames_left = shared.frames_left.saturating_sub(1);
                self.say(shared, env, link, TopicFrame::Box { loc, sealed, until });
            }
        }
    }
}
