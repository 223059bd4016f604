//! To whom receipts go, and when.
//!
//! Whoever wrote what a receipt acknowledges waits for it; all others keep it only for those who may
//! ask them one day. So what is news about an author's chain goes to that author's device, and to
//! whoever gave the author's newest envelope here, since that is the way back; these get it soon, in
//! company. Everybody else gets it later, and all that has changed until then at once.

use crate::event::{LinkId, Peer};
use crate::limits::{PASS_LATER, PASS_LATER_MAX, RECEIPT_DELAY, RECEIPT_DELAY_MAX};
use crate::receipts::SlotKey;
use crate::state::{Shared, Timer, Topic};
use core::time::Duration;
use identity::PublicKey;
use machine::Time;
use std::collections::BTreeSet;

/// Receipts that a peer lacks, by how soon it gets them.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// As soon as the link has room.
    pub(crate) now: BTreeSet<SlotKey>,
    soon: BTreeSet<SlotKey>,
    later: BTreeSet<SlotKey>,
}

impl Due {
    /// The peer has this one, or a newer one.
    pub(crate) fn has(&mut self, slot: &SlotKey) {
        for due in [&mut self.now, &mut self.soon, &mut self.later] {
            due.remove(slot);
        }
    }

    fn soon(&mut self, slot: SlotKey) {
        self.later.remove(&slot);
        if !self.now.contains(&slot) {
            self.soon.insert(slot);
        }
    }

    fn later(&mut self, slot: SlotKey) {
        if !self.now.contains(&slot) && !self.soon.contains(&slot) {
            self.later.insert(slot);
        }
    }

    pub(crate) fn at_once(&mut self, slot: SlotKey) {
        self.has(&slot);
        self.now.insert(slot);
    }
}

impl Topic {
    /// Holders of receipts in this topic, oneself included.
    fn holders(&self) -> u32 {
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX).max(1)
    }

    /// How long a receipt waits for company: a third of [`RECEIPT_DELAY`] a holder.
    fn company(&self) -> Duration {
        let wait = RECEIPT_DELAY.saturating_mul(self.holders()) / 3;
        wait.clamp(RECEIPT_DELAY, RECEIPT_DELAY_MAX)
    }

    /// There is something that this home can acknowledge: it does so soon, and less soon while the
    /// topic is busy.
    pub(crate) fn issue_soon(&self, shared: &mut Shared, now: Time) {
        let mut wait = self.company();
        let busy = |issued: Time| now.since(issued) < wait.saturating_mul(8);
        if self.issued.is_some_and(busy) {
            wait = wait.saturating_mul(4);
        }
        shared.soon(Timer::Receipt(self.local), now, wait);
    }

    /// Who gave the newest envelope of an author: the way back to it.
    pub(crate) fn note_way(&mut self, author: PublicKey, giver: Option<LinkId>) {
        match giver {
            Some(link) => self.ways.insert(author, link),
            None => self.ways.remove(&author),
        };
    }

    /// A receipt is new here: decides who gets it when. `news` are the authors about whom it says
    /// what its slot did not say before.
    pub(crate) fn pass(
        &mut self,
        (shared, now): (&mut Shared, Time),
        giver: Option<LinkId>,
        slot: SlotKey,
        news: &BTreeSet<PublicKey>,
    ) {
        let devices: BTreeSet<PublicKey> = news
            .iter()
            .filter_map(|author| self.lace.author(author))
            .map(|author| *author.device())
            .collect();
        let ways: BTreeSet<LinkId> = news
            .iter()
            .filter_map(|author| self.ways.get(author).copied())
            .collect();
        let (mut soon, mut later) = (false, false);
        for (link, peer) in &mut self.peers {
            if Some(*link) == giver {
                continue;
            }
            let wrote = match &peer.who {
                Peer::Member { device, .. } => devices.contains(device),
                Peer::Core { .. } | Peer::Reader { .. } => false,
            };
            if !wrote && !ways.contains(link) {
                peer.receipts.later(slot);
                later = true;
            } else if giver.is_none() {
                // It has waited for company already.
                peer.receipts.at_once(slot);
            } else {
                peer.receipts.soon(slot);
                soon = true;
            }
        }
        if soon {
            shared.soon(Timer::Soon(self.local), now, self.company());
        }
        if later {
            let holders = self.holders();
            let wait = PASS_LATER.saturating_mul(holders.saturating_mul(holders));
            shared.soon(Timer::Later(self.local), now, wait.min(PASS_LATER_MAX));
        }
    }

    /// What waited for company goes.
    pub(crate) fn pass_on(&mut self, timer: Timer) {
        for peer in self.peers.values_mut() {
            let due = &mut peer.receipts;
            match timer {
                Timer::Later(_) => due.now.append(&mut due.later),
                _ => due.now.append(&mut due.soon),
            }
        }
    }
}
