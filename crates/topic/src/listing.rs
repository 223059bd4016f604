//! Finding out which receipts the other side of a link lacks.
//!
//! A receipt is long and an entry in a list of receipts is short. So where the hashes of a hello
//! differ, each side lists what it has, and gives what the other's list lacks or has an older one of.

use crate::event::LinkId;
use crate::limits::HELLO_AGAIN;
use crate::receipts::SlotKey;
use crate::state::{Shared, Topic};
use crate::topics::Env;
use machine::Time;
use std::collections::BTreeSet;
use wire::{Slot, TopicFrame};

/// How far the lists of receipts have got, with one peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    /// Pages are to be sent, those after this slot next; `Some(None)` begins at the first.
    sending: Option<Option<SlotKey>>,
    /// A list of the peer is coming; its pages so far end with this slot.
    coming: Option<Option<SlotKey>>,
    /// Not before this time is another list of the peer read.
    again: Option<Time>,
}

impl Listing {
    /// A list is due, from the beginning.
    pub(crate) const fn begin(&mut self) {
        self.sending = Some(None);
    }

    /// Nothing is to be sent.
    pub(crate) const fn is_idle(&self) -> bool {
        self.sending.is_none()
    }

    /// Takes the beginning or the continuation of a peer's list: after which slot it goes on, if it
    /// is to be read. A list that comes too soon after another is not, nor one without a beginning.
    fn goes_on(&mut self, now: Time, first: bool) -> Option<Option<SlotKey>> {
        if !first {
            return self.coming.take();
        }
        if self.again.is_some_and(|at| at > now) {
            self.coming = None;
            return None;
        }
        // What the peer sends no sooner may come a little sooner than it was sent.
        self.again = Some(now.after(HELLO_AGAIN / 2));
        Some(None)
    }
}

impl Topic {
    /// Sends the pages of this side's list that are due; says whether more are and cannot be sent
    /// now.
    pub(crate) fn send_slots(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) -> bool {
        loop {
            let Some(peer) = self.peers.get_mut(&link) else {
                return false;
            };
            let Some(after) = peer.listing.sending else {
                return false;
            };
            if !shared.has_room(link) {
                return true;
            }
            let (slots, more) = self.slots.page(after.as_ref());
            peer.listing.sending = more.then(|| slots.last().map(|slot| (slot.holder, slot.kind)));
            let frame = TopicFrame::Slots {
                slots,
                first: after.is_none(),
                last: !more,
            };
            shared.frames_left = shared.frames_left.saturating_sub(1);
            self.say(shared, env, link, frame);
        }
    }

    /// A page of a peer's list: it gets what it lacks of those that the page speaks of.
    pub(crate) fn on_slots(
        &mut self,
        now: Time,
        link: LinkId,
        theirs: &[Slot],
        (first, last): (bool, bool),
    ) {
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        let Some(after) = peer.listing.goes_on(now, first) else {
            return;
        };
        let end = theirs.last().map(|slot| (slot.holder, slot.kind));
        // A page without an end that is not the last would never end.
        if !last && end > after {
            peer.listing.coming = Some(end);
        }
        let mut has = BTreeSet::new();
        let mut listed = BTreeSet::new();
        for slot in theirs {
            let key = (slot.holder, slot.kind);
            let Some((no, mine)) = self.slots.place(&key) else {
                continue;
            };
            listed.insert(no);
            peer.has.says(no, slot.counter);
            if mine <= slot.counter {
                peer.receipts.has(&key);
                has.insert(key);
            }
        }
        let within = |key: &&SlotKey| {
            after.is_none_or(|after| **key > after) && (last || Some(**key) <= end)
        };
        for (key, no) in self.slots.numbered().filter(|(key, _)| within(key)) {
            if !listed.contains(&no) {
                peer.has.says(no, 0);
            }
            if !has.contains(key) {
                peer.receipts.at_once(*key);
            }
        }
    }
}
