//! Peers that are not known: what they may cost, and how they become known.

use identity::NodeId;
use machine::{Cx, Outbox};
use wire::Code;

use crate::event::{LinkId, Output, Standing};
use crate::limits::{CLAIM_BYTES, CLAIM_TIME, STRANGER_BYTES};
use crate::links::{Link, Phase, Trust};
use crate::router::{Router, Timer};

impl Router {
    /// Strangers with a link.
    pub(crate) fn strangers(&self) -> usize {
        let strange = |link: &&Link| link.phase != Phase::Closing && !link.is_known();
        self.links.values().filter(strange).count()
    }

    /// The node has found out something about a peer.
    pub(crate) fn standing(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        standing: Standing,
        out: &mut Outbox<Output>,
    ) {
        let links = self.links.iter().filter(|(_, link)| link.node == node);
        let links: Vec<LinkId> = links.map(|(id, _)| *id).collect();
        for id in links {
            let Some(link) = self.links.get_mut(&id) else {
                continue;
            };
            match (standing, link.trust) {
                (Standing::Denied, _) => {
                    let text = "the operator of this node denied yours";
                    self.refused_by_us(cx, id, Code::DENIED, text, out);
                }
                (Standing::Claiming, Trust::Stranger(bytes)) => {
                    link.trust = Trust::Claiming(bytes);
                    self.timers
                        .set(Timer::Stranger(id), cx.now.after(CLAIM_TIME));
                }
                (Standing::Claiming, _) | (_, Trust::Known) => {}
                (Standing::Member | Standing::Client, _) => {
                    link.trust = Trust::Known;
                    self.timers.clear(Timer::Stranger(id));
                    self.is_known_and_greeted(cx, id, out);
                }
            }
        }
    }

    pub(crate) fn stranger_late(&mut self, cx: &mut Cx<'_>, id: LinkId, out: &mut Outbox<Output>) {
        if self.links.get(&id).is_some_and(|link| !link.is_known()) {
            let text = "this node does not know you and takes no strangers";
            self.refused_by_us(cx, id, Code::STRANGER, text, out);
        }
    }
}

/// Counts the bytes of a peer that is not known; says whether it may go on.
pub(crate) fn spend(link: &mut Link, len: usize) -> bool {
    // usize is at most 64 bits wide on every platform Rust supports.
    let len = len as u64;
    let (bytes, limit) = match &mut link.trust {
        Trust::Stranger(bytes) => (bytes, STRANGER_BYTES),
        Trust::Claiming(bytes) => (bytes, CLAIM_BYTES),
        Trust::Known => return true,
    };
    *bytes = bytes.saturating_add(len);
    *bytes <= limit
}
