//! Who gave what waits for its past: on that account it is held when the past comes.

use crate::event::LinkId;
use identity::EnvelopeId;
use lace::Lace;
use std::collections::{BTreeMap, BTreeSet};

/// Givers of parked envelopes; never more than the lace has parked.
#[derive(Debug, Default)]
pub(crate) struct Parked(BTreeMap<EnvelopeId, (LinkId, usize)>);

impl Parked {
    /// Remembers the link that gave an envelope, and its bytes.
    pub(crate) fn put(&mut self, id: EnvelopeId, given: (LinkId, usize)) {
        self.0.entry(id).or_insert(given);
    }

    /// The giver of an envelope that is parked no more, if its link is still there.
    pub(crate) fn take(&mut self, id: &EnvelopeId) -> Option<LinkId> {
        self.0.remove(id).map(|(link, _)| link)
    }

    /// Bytes that a link has given and that still wait.
    pub(crate) fn bytes_of(&self, link: LinkId) -> usize {
        let of = self.0.values().filter(|(giver, _)| *giver == link);
        of.map(|(_, bytes)| *bytes).fold(0, usize::saturating_add)
    }

    /// What links have given that still waits: who, and how many bytes.
    pub(crate) fn loads(&self) -> impl Iterator<Item = (LinkId, usize)> + '_ {
        self.0.values().copied()
    }

    /// What a link has given and still waits.
    pub(crate) fn given_by(&self, link: LinkId) -> Vec<EnvelopeId> {
        let of = self.0.iter().filter(|(_, (giver, _))| *giver == link);
        of.map(|(id, _)| *id).collect()
    }

    /// A link is gone: what it gave is held on the account of whoever gives the past.
    pub(crate) fn forget_link(&mut self, link: LinkId) {
        self.0.retain(|_, (giver, _)| *giver != link);
    }

    /// Forgets what the lace has dropped.
    pub(crate) fn keep_only(&mut self, lace: &Lace) {
        if self.0.len() <= lace.parked_load().0 {
            return;
        }
        let parked: BTreeSet<EnvelopeId> = lace.parked().map(|one| one.envelope.id).collect();
        self.0.retain(|id, _| parked.contains(id));
    }
}
