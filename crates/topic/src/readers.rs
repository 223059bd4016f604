//! Peers who only read a public topic.
//!
//! Anybody may be one, so nothing rests on what they say but what others have signed: envelopes are
//! judged by their authors' grants as from every peer, and receipts are kept of those alone whom the
//! topic knows, and of the reader's own node, lest a core node is overheard that nobody has told of yet.
//! What lets people in goes between those who take part.

use crate::event::{LinkId, Peer};
use crate::limits::{LEAST_PARKED, MAX_PARKED_OF_READER, MAX_PARKED_OF_READERS};
use crate::receipts::{SlotKey, is_of_node};
use crate::state::Topic;
use identity::EnvelopeId;
use machine::Cx;
use wire::{Header, TopicFrame};

impl Topic {
    fn is_reader(&self, link: LinkId) -> bool {
        self.peers
            .get(&link)
            .is_some_and(crate::peer::PeerState::is_reader)
    }

    /// Whether a frame is one that readers have no part in.
    pub(crate) fn is_not_for_readers(&self, link: LinkId, frame: &TopicFrame) -> bool {
        let lets_in = matches!(
            frame,
            TopicFrame::Box(_) | TopicFrame::Claim(_) | TopicFrame::Answer(_)
        );
        lets_in && self.is_reader(link)
    }

    /// Forgets what a peer was to be sent, should it be a reader, of boxes, claims and answers.
    pub(crate) fn keep_from_readers(&mut self, link: LinkId) {
        if let Some(peer) = self.peers.get_mut(&link).filter(|peer| peer.is_reader()) {
            peer.boxes.clear();
            peer.claims_due = Default::default();
        }
    }

    /// Whether a reader's envelope would wait for its past though readers have as much waiting as they
    /// may: it comes again, after its past.
    pub(crate) fn readers_wait(&self, cx: &mut Cx<'_>, link: LinkId, header: &Header) -> bool {
        if !self.is_reader(link) {
            return false;
        }
        let previous = (header.number > 1).then(|| EnvelopeId::from_bytes(header.previous));
        let mut past = header.deps.iter().copied().chain(previous);
        if past.all(|id| self.lace.contains(&mut cx.store, &id)) {
            return false;
        }
        let (mut own, mut all) = (0_usize, 0_usize);
        for (giver, bytes) in self.parked.loads() {
            let weight = bytes.max(LEAST_PARKED);
            own = own.saturating_add(if giver == link { weight } else { 0 });
            all = all.saturating_add(if self.is_reader(giver) { weight } else { 0 });
        }
        own >= MAX_PARKED_OF_READER || all >= MAX_PARKED_OF_READERS
    }

    /// A reader is gone, and what it gave that waits goes with it: others have it, if it is any good.
    pub(crate) fn unpark_of(&mut self, link: LinkId) {
        for id in self.parked.given_by(link) {
            self.lace.unpark(&id);
        }
    }

    /// Whether somebody gives the receipt of a holder that is not known here and is not itself.
    pub(crate) fn is_hearsay(&self, giver: Option<LinkId>, (holder, kind): &SlotKey) -> bool {
        let giver = giver.and_then(|link| self.peers.get(&link));
        match giver.map(|peer| peer.who) {
            Some(Peer::Reader { node, .. }) => !is_of_node(*kind) || holder.node_id() != node,
            Some(Peer::Member { .. } | Peer::Core { .. }) | None => false,
        }
    }
}
