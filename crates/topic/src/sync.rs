//! Bringing two replicas together: hello, cut, want.

use crate::cost::cost;
use crate::event::{LinkId, Output, Rule};
use crate::limits::{CUT_INTERVAL, HELLO_AGAIN};
use crate::passing::Due;
use crate::peer::Wanted;
use crate::state::{Shared, Timer, Topic};
use crate::topics::Env;
use identity::PublicKey;
use lace::{Coverage, CutEntry};
use machine::Time;
use std::collections::BTreeMap;
use wire::TopicFrame;

/// The four hashes of a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hashes {
    pub(crate) cut: [u8; 32],
    pub(crate) evidence: [u8; 32],
    pub(crate) receipts: [u8; 32],
    pub(crate) invites: [u8; 32],
}

impl Topic {
    pub(crate) fn hashes(&self) -> Hashes {
        Hashes {
            cut: self.lace.cut_hash(),
            evidence: self.lace.evidence_hash(),
            receipts: self.slots.hash(),
            invites: self.boxes_hash(),
        }
    }

    pub(crate) fn say(
        &self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        frame: TopicFrame,
    ) {
        shared.spend(link, cost(self.id, &frame));
        env.out.push(Output::Send {
            link,
            topic: self.id,
            frame,
        });
    }

    pub(crate) fn send_hello(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>, link: LinkId) {
        let Hashes {
            cut,
            evidence,
            receipts,
            invites,
        } = self.hashes();
        let frame = TopicFrame::Hello {
            cut,
            evidence,
            receipts,
            invites,
        };
        self.say(shared, env, link, frame);
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.hello_due = false;
        }
    }

    /// There is room again: whoever was told that something is not taken is greeted anew, and offers it.
    pub(crate) fn welcome_anew(&mut self) {
        for peer in self.peers.values_mut() {
            if std::mem::take(&mut peer.turned_away) {
                peer.hello_due = true;
            }
        }
    }

    pub(crate) fn on_hello(&mut self, now: Time, link: LinkId, theirs: Hashes) {
        let mine = self.hashes();
        let evidence: Vec<PublicKey> = self.lace.forks().map(|(author, _)| *author).collect();
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        let again = std::mem::replace(&mut peer.greeted, true);
        // Whoever has room again greets anew: what it did not take it may take now.
        let over = peer.refuses.iter().filter(|(_, refuses)| !refuses.by_rule);
        for author in over.map(|(author, _)| *author).collect::<Vec<_>>() {
            peer.refuses.remove(&author);
            peer.announce.insert(author);
        }
        if theirs.cut == mine.cut {
            peer.knows_all(&self.lace);
            // Whoever says hello again may have begun anew, and has not got this side's hello then.
            if again && !peer.hello_due {
                peer.cut.sent = false;
                peer.cut.begin();
            }
        } else {
            peer.cut.sent = false;
            peer.cut.begin();
        }
        if peer.beside_again.is_some_and(|at| at > now) {
            return;
        }
        peer.beside_again = Some(now.after(HELLO_AGAIN));
        if theirs.evidence != mine.evidence {
            peer.evidence.extend(evidence);
        }
        if theirs.invites != mine.invites {
            peer.boxes.extend(self.boxes.keys());
            peer.claims_due = self.claims.all();
        }
        if theirs.receipts == mine.receipts {
            peer.receipts = Due::default();
            for (no, counter) in self.slots.all() {
                peer.has.says(no, counter);
            }
        } else {
            peer.listing.begin();
        }
    }

    pub(crate) fn on_cut(
        &mut self,
        env: &mut Env<'_, '_>,
        link: LinkId,
        entries: &[CutEntry],
        (first, last): (bool, bool),
    ) {
        let ascending = entries.is_sorted_by(|a, b| a < b);
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        if !ascending || entries.iter().any(|entry| entry.number == 0) {
            self.misbehaved(env, link, Rule::BadCut);
            return;
        }
        // A page that begins no cut and belongs to none tells what has changed.
        let change = !first && peer.cut.coming.is_none();
        if first {
            peer.cut.coming = Some(None);
            if !peer.cut.sent {
                peer.cut.begin();
            }
        }
        let mut by_author: BTreeMap<PublicKey, Vec<CutEntry>> = BTreeMap::new();
        for entry in entries {
            by_author.entry(entry.author).or_default().push(*entry);
        }
        for (author, entries) in by_author {
            self.compare_author(env, link, &author, &entries);
        }
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        if last {
            peer.cut.coming = None;
            peer.set_compared();
        } else if !change {
            peer.cut.coming = Some(entries.last().map(|entry| entry.author));
        }
    }

    /// What one author's entries in a peer's cut mean.
    pub(crate) fn compare_author(
        &mut self,
        env: &mut Env<'_, '_>,
        link: LinkId,
        author: &PublicKey,
        entries: &[CutEntry],
    ) {
        let store = &mut env.cx.store;
        let found = self.lace.compare(store, entries, None, false);
        let tip = self.tip(author);
        let closed = self.is_closed(author);
        let mut open = closed && !found.wants.is_empty();
        let mut reached = 0;
        for entry in entries {
            let coverage = self.lace.covers(store, entry);
            open |= coverage != Coverage::Covers;
            if coverage != Coverage::OtherBranch {
                reached = reached.max(entry.number);
            }
        }
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        if reached > 0 && !closed {
            peer.learn(&self.lace, author, reached);
        }
        if reached >= tip {
            peer.held_back.remove(author);
        }
        if open && peer.remembers(&self.lace, author) {
            peer.claims.insert(*author, entries.to_vec());
        } else {
            peer.claims.remove(author);
        }
        for range in found.wants.iter().filter(|range| range.author == *author) {
            let hunt = closed || range.to <= tip;
            peer.want(
                *author,
                Wanted {
                    from: range.from,
                    to: range.to,
                    hunt,
                },
            );
        }
    }

    /// Number of the newest envelope of a chain that is here.
    pub(crate) fn tip(&self, author: &PublicKey) -> u64 {
        let tip = self.lace.author(author).and_then(|author| author.tip());
        tip.map_or(0, |tip| tip.number)
    }

    pub(crate) fn is_closed(&self, author: &PublicKey) -> bool {
        self.lace
            .author(author)
            .is_some_and(|author| author.closed().is_some())
    }

    /// Sends pages of the cut that are due; says whether more are and cannot be sent now.
    pub(crate) fn send_cut(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) -> bool {
        loop {
            let Some(peer) = self.peers.get_mut(&link) else {
                return false;
            };
            let Some(after) = peer.cut.sending else {
                return false;
            };
            if after.is_none()
                && let Some(at) = peer.cut.not_before.filter(|at| *at > env.cx.now)
            {
                shared
                    .timers
                    .set_earlier(Timer::Again(self.local, link), at);
                return false;
            }
            if !shared.has_room(link) {
                return true;
            }
            let limit = wire::limits::MAX_CUT_PAGE;
            let (entries, more) = self.lace.cut_page(after.as_ref(), limit);
            peer.cut.sending = more.then(|| entries.last().map(|entry| entry.author));
            if after.is_none() {
                peer.cut.sent = true;
                peer.cut.not_before = Some(env.cx.now.after(CUT_INTERVAL));
                peer.announce.clear();
                peer.held_back.clear();
            }
            let frame = TopicFrame::Cut {
                entries,
                first: after.is_none(),
                last: !more,
            };
            shared.frames_left = shared.frames_left.saturating_sub(1);
            self.say(shared, env, link, frame);
        }
    }

    /// Tells a peer entries of the cut that have changed and could not be pushed.
    pub(crate) fn send_changes(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) -> bool {
        let Some(peer) = self.peers.get_mut(&link) else {
            return false;
        };
        if peer.announce.is_empty() || !peer.is_compared() || peer.cut.sending.is_some() {
            return false;
        }
        if !shared.has_room(link) {
            return true;
        }
        let mut authors = Vec::new();
        // A forked author may have several entries.
        while authors.len() < wire::limits::MAX_CUT_PAGE / lace::limits::MAX_CUT_IDS
            && let Some(author) = peer.announce.pop_first()
        {
            authors.push(author);
        }
        let more = !peer.announce.is_empty();
        let entries: Vec<CutEntry> = authors
            .iter()
            .flat_map(|author| self.entries_of(author))
            .collect();
        if entries.is_empty() {
            return more;
        }
        shared.frames_left = shared.frames_left.saturating_sub(1);
        let frame = TopicFrame::Cut {
            entries,
            first: false,
            last: false,
        };
        self.say(shared, env, link, frame);
        more
    }

    pub(crate) fn entries_of(&self, author: &PublicKey) -> Vec<CutEntry> {
        if self.is_closed(author) {
            return self
                .lace
                .cut()
                .filter(|entry| entry.author == *author)
                .collect();
        }
        let tip = self.lace.author(author).and_then(|author| author.tip());
        let entry = |tip: &lace::Tip| CutEntry {
            author: *author,
            number: tip.number,
            id: tip.id,
        };
        tip.map(entry).into_iter().collect()
    }

    /// Forgets a peer.
    pub(crate) fn drop_peer(&mut self, shared: &mut Shared, link: LinkId) {
        let Some(peer) = self.peers.remove(&link) else {
            return;
        };
        if let Some(asked) = &peer.asked {
            self.release_asked(link, asked);
        }
        self.bodies_given_up(&peer.bodies);
        shared.checked(link, peer.coming.held_bytes());
        self.parked_by.remove(&link);
        if peer.is_reader() {
            self.unpark_of(link);
        }
        self.parked.forget_link(link);
        self.waiting.look_again();
        for timer in [
            Timer::Answer(self.local, link),
            Timer::Again(self.local, link),
            Timer::Audit(self.local, link),
        ] {
            shared.timers.clear(timer);
        }
        self.ways.retain(|_, way| *way != link);
        if self.peers.is_empty() {
            shared.timers.clear(Timer::Soon(self.local));
            shared.timers.clear(Timer::Later(self.local));
            shared.timers.clear(Timer::Back(self.local));
            self.waiting.pause();
        }
    }
}

impl crate::peer::CutState {
    /// A cut is due, unless one is on its way.
    pub(crate) fn begin(&mut self) {
        if self.sending.is_none() {
            self.sending = Some(None);
        }
    }
}
