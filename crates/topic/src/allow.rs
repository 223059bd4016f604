//! Peers of which nothing is taken for now, and those to which nothing may be given for now.

use crate::event::LinkId;
use crate::host::Allowance;
use crate::limits::PATIENCE_EVERY;
use crate::state::{Shared, Timer, Topic};
use crate::topics::Env;
use identity::PublicKey;
use wire::TopicFrame;

impl Topic {
    /// Takes nothing of a peer until then (milliseconds since 1970).
    pub(crate) fn decline_peer(&mut self, link: LinkId, until: u64) {
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.declined = peer.declined.max(until);
        }
    }

    /// Whether nothing is taken of a peer now.
    pub(crate) fn is_declined(&self, link: LinkId, wall: u64) -> bool {
        let peer = self.peers.get(&link);
        peer.is_some_and(|peer| peer.declined > wall)
    }

    /// Whether this home's own device writes, or wrote, under this key.
    pub(crate) fn is_own_author(&self, env: &Env<'_, '_>, author: &PublicKey) -> bool {
        let device = self.lace.author(author).map(|author| *author.device());
        env.host.author(self.local) == Some(*author)
            || (device.is_some() && device == env.host.device(self.local))
    }

    /// How much may be given to a peer now; if nothing, it is looked at again at the time that the
    /// node names.
    pub(crate) fn may_give(
        &self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
    ) -> Option<Allowance> {
        match env.host.may_give(env.cx, link) {
            Ok(allowed) => Some(allowed),
            Err(until) => {
                self.retry_at(shared, env, until);
                None
            }
        }
    }

    /// What was asked for may not be given yet. An answer without content says that it goes on, so
    /// that the peer does not take this node for one that does not answer.
    pub(crate) fn ask_for_patience(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        frame: TopicFrame,
    ) {
        let now = env.cx.now;
        let Some(peer) = self.peers.get_mut(&link) else {
            return;
        };
        shared.soon(Timer::Retry(self.local), now, PATIENCE_EVERY);
        let lately = |at| now.since(at) < PATIENCE_EVERY;
        if !peer.patience.is_some_and(lately) {
            peer.patience = Some(now);
            self.say(shared, env, link, frame);
        }
    }
}
