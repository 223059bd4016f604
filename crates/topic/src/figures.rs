//! How much is in memory: for those who watch that nothing grows without end.

use crate::peer::PeerState;
use crate::rows::Phase;
use crate::state::Topic;
use crate::topics::Topics;
use identity::{EnvelopeId, PublicKey, TopicId};

/// Chains, questions and envelopes that [`Topics::undone`] names, of each kind. The others are in the
/// figures alone.
pub const MAX_NAMED: usize = 256;

/// Counts of what topics keep in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Topics that are loaded.
    pub loaded: usize,
    /// Links that some topic was proven on.
    pub links: usize,
    /// Most bytes that one link has out for checking; see [`crate::limits::MAX_CHECKING`].
    pub checking: usize,
    /// Peers, counted once for each topic.
    pub peers: usize,
    /// Of those, to whom something is due or of whom something is to be asked, but for chains that
    /// the one or the other does not take until a time, and in a topic that was left.
    pub busy: usize,
    /// Chains that are not taken until a time, for want of room or for good, counted for each topic.
    pub declined: usize,
    /// Peers that were asked for envelopes or bodies and have not answered, counted as above.
    pub asked: usize,
    /// Bodies that are being fetched.
    pub bodies: usize,
    /// Most envelopes of one topic that wait for their past; see [`lace::limits::MAX_PARKED`].
    pub parked: usize,
    /// Envelopes that wait for their past in all topics.
    pub parked_in_all: usize,
    /// Most bytes of these in one topic; see [`lace::limits::MAX_PARKED_BYTES`].
    pub parked_bytes: usize,
    /// Most envelopes of one topic whose lines wait; see [`crate::limits::MAX_WAITING`].
    pub waiting: usize,
}

/// Work that is not done, by what it is about: for those who look why it is not. At most
/// [`MAX_NAMED`] of each kind are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Chains that are not taken until a time: see [`Figures::declined`].
    pub declined: Vec<(TopicId, PublicKey)>,
    /// What is due to each peer of which all work is about chains or bodies: see [`Figures::busy`].
    /// Other peers are not named.
    pub busy: Vec<Question>,
    /// What each peer was asked for: see [`Figures::asked`].
    pub asked: Vec<Question>,
    /// Bodies that are being fetched: see [`Figures::bodies`].
    pub bodies: Vec<(TopicId, EnvelopeId)>,
    /// Envelopes that wait for their past: see [`Figures::parked_in_all`].
    pub parked: Vec<Unplaced>,
}

/// What a peer was asked for and has not given, or what is due to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// In which topic.
    pub topic: TopicId,
    /// Envelopes of these chains.
    pub chains: Vec<PublicKey>,
    /// Bodies of these envelopes.
    pub bodies: Vec<EnvelopeId>,
}

/// An envelope that waits for its past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unplaced {
    /// In which topic.
    pub topic: TopicId,
    /// Itself.
    pub id: EnvelopeId,
    /// What it names: the envelope before it in its chain, if there is one, and its deps.
    pub names: Vec<EnvelopeId>,
}

impl Topics {
    /// How much is in memory.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let links = &self.shared.links;
        let mut figures = Figures {
            links: links.len(),
            checking: links.values().map(|link| link.checking).max().unwrap_or(0),
            ..Figures::default()
        };
        for topic in self
            .entries
            .values()
            .filter_map(|entry| entry.topic.as_ref())
        {
            let (parked, bytes) = topic.lace.parked_load();
            figures.loaded += 1;
            figures.peers += topic.peers.len();
            figures.bodies += topic.asked_bodies.len();
            figures.declined += topic.declined.len();
            figures.parked = figures.parked.max(parked);
            figures.parked_in_all += parked;
            figures.parked_bytes = figures.parked_bytes.max(bytes);
            figures.waiting = figures.waiting.max(topic.waiting.len());
            for peer in topic.peers.values() {
                figures.busy += usize::from(topic.is_busy(peer));
                figures.asked += usize::from(peer.asked.is_some() || !peer.bodies.is_empty());
            }
        }
        figures
    }

    /// What the work that is not done is about. It costs more than [`Topics::figures`].
    #[must_use]
    pub fn undone(&self) -> Undone {
        let mut undone = Undone::default();
        let topics = self.entries.values();
        for topic in topics.filter_map(|entry| entry.topic.as_deref()) {
            topic.note_undone(&mut undone);
        }
        undone.declined.truncate(MAX_NAMED);
        undone.busy.truncate(MAX_NAMED);
        undone.asked.truncate(MAX_NAMED);
        undone.bodies.truncate(MAX_NAMED);
        undone.parked.truncate(MAX_NAMED);
        undone
    }
}

impl Topic {
    /// Whether something is due to a peer or to be asked of it, now.
    fn is_busy(&self, peer: &PeerState) -> bool {
        // Who has left asks for nothing more.
        let asks_nothing = self.row.phase != Phase::Active;
        let later = |author: &PublicKey| self.declined.contains_key(author);
        let wants = peer.asked.is_none() && !peer.muted && !peer.wants.keys().all(later);
        !peer.is_idle_but_for_wants(0) || (wants && !asks_nothing)
    }

    /// What is due to a peer, if all of it is about chains or bodies.
    fn due_of(&self, peer: &PeerState) -> Option<Question> {
        let beside = peer.hello_due
            || peer.cut.sending.is_some()
            || !peer.receipts.now.is_empty()
            || !peer.coming.asks.is_empty()
            || !peer.listing.is_idle()
            || !peer.evidence.is_empty()
            || !peer.boxes.is_empty()
            || !peer.claims_due.is_empty();
        if beside {
            return None;
        }
        let sent = |author: &&PublicKey| {
            let mut cursors = peer.answering.iter().chain(&peer.pushing);
            cursors.any(|cursor| {
                let mut others = cursor.clone();
                self.lace.leave_out(&mut others, author);
                others != *cursor
            })
        };
        let chains = self.lace.authors().map(lace::Author::key).filter(sent);
        let later = |author: &&PublicKey| self.declined.contains_key(*author);
        let wants = peer.wants.keys().filter(|author| !later(author));
        let chains = chains
            .chain(wants)
            .chain(peer.due.keys())
            .chain(&peer.announce);
        Some(Question {
            topic: self.id,
            chains: chains.copied().collect(),
            bodies: peer.owed.iter().copied().collect(),
        })
    }

    fn note_undone(&self, undone: &mut Undone) {
        let topic = self.id;
        let declined = self.declined.keys().map(|author| (topic, *author));
        undone.declined.extend(declined.take(MAX_NAMED));
        let busy = self.peers.values().filter(|peer| self.is_busy(peer));
        let busy = busy.filter_map(|peer| self.due_of(peer));
        undone.busy.extend(busy.take(MAX_NAMED));
        let owes = |peer: &&PeerState| peer.asked.is_some() || !peer.bodies.is_empty();
        let asked = self.peers.values().filter(owes).map(|peer| {
            let chains = peer.asked.iter().flat_map(|asked| asked.ranges.keys());
            Question {
                topic,
                chains: chains.copied().collect(),
                bodies: peer.bodies.iter().copied().collect(),
            }
        });
        undone.asked.extend(asked.take(MAX_NAMED));
        let bodies = self.asked_bodies.iter().map(|id| (topic, *id));
        undone.bodies.extend(bodies.take(MAX_NAMED));
        let parked = self.lace.parked().map(|parked| {
            let header = &parked.envelope.header;
            let before = (header.number > 1).then(|| EnvelopeId::from_bytes(header.previous));
            Unplaced {
                topic,
                id: parked.envelope.id,
                names: before
                    .into_iter()
                    .chain(header.deps.iter().copied())
                    .collect(),
            }
        });
        undone.parked.extend(parked.take(MAX_NAMED));
    }
}
