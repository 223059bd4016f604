//! How much is in memory: for those who watch that nothing grows without end.

use crate::rows::Phase;
use crate::topics::Topics;

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
    /// Of those, to whom something is due or of whom something is to be asked, but for those that
    /// refuse something or are refused something until a time, and in a topic that was left.
    pub busy: usize,
    /// Chains that are not taken until a time, for want of room or for good, counted for each topic.
    pub declined: usize,
    /// Peers that were asked for envelopes or bodies and have not answered, counted as above.
    pub asked: usize,
    /// Bodies that are being fetched.
    pub bodies: usize,
    /// Most envelopes of one topic that wait for their past; see [`lace::limits::MAX_PARKED`].
    pub parked: usize,
    /// Most bytes of these in one topic; see [`lace::limits::MAX_PARKED_BYTES`].
    pub parked_bytes: usize,
    /// Most envelopes of one topic whose lines wait; see [`crate::limits::MAX_WAITING`].
    pub waiting: usize,
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
            figures.parked_bytes = figures.parked_bytes.max(bytes);
            figures.waiting = figures.waiting.max(topic.waiting.len());
            for peer in topic.peers.values() {
                let wanted = peer.wants.keys();
                let later = wanted
                    .filter(|author| topic.declined.contains_key(*author))
                    .count();
                // Who has left asks for nothing more.
                let waits = later == peer.wants.len() || topic.row.phase != Phase::Active;
                let idle = peer.is_idle_but_for_wants(0) && waits;
                // What was refused is offered again when its time has come, which may be now.
                let refusing = !topic.declined.is_empty() || !peer.refuses.is_empty();
                figures.busy += usize::from(!peer.is_idle(0) && !idle && !refusing);
                figures.asked += usize::from(peer.asked.is_some() || !peer.bodies.is_empty());
            }
        }
        figures
    }
}
