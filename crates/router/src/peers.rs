//! Neighbours: peers added by hand, and whoever the node wants kept.

use core::time::Duration;
use identity::NodeId;
use machine::{Cx, Outbox};

use crate::event::{Output, Why};
use crate::limits::{MAX_ADDRESS, MAX_PEERS, MAX_TARGET_ADDRESSES};
use crate::links::Phase as LinkPhase;
use crate::names::Labels;
use crate::reach::Reach;
use crate::router::{Router, Timer};
use crate::row::{self, PEERS, PeerRow};
use crate::targets::Phase;

/// Why a peer was not added. The caller's mistake; nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// That is this node.
    #[error("this is this node's own id")]
    Oneself,
    /// As many as allowed.
    #[error("{MAX_PEERS} peers were added, which is the limit; remove one first")]
    TooMany,
    /// An address is too long, or there are too many.
    #[error("an address is too long, or there are more than {MAX_TARGET_ADDRESSES}")]
    Address,
    /// This node dials its core nodes alone.
    #[error("{}", crate::NotDialled::OwnReach)]
    Reach,
}

/// A peer, linked or dialled, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerState {
    /// Who.
    pub node: NodeId,
    /// Its name as it should be shown.
    pub name: String,
    /// The strongest reason for which it is kept, if it is.
    pub why: Option<Why>,
    /// Whether it was added by hand.
    pub added: bool,
    /// Whether a link with it is open.
    pub linked: bool,
    /// Whether it is no stranger; true for whatever is kept but for [`Why::Way`] alone.
    pub known: bool,
    /// Where it is linked, or the first address to be tried.
    pub address: String,
    /// Whether we dialled the link.
    pub dialled: bool,
    /// The core node that has brought the link about.
    pub by: Option<NodeId>,
    /// The round trip last measured.
    pub round_trip: Option<Duration>,
    /// Since when there is a link, in milliseconds since 1970 by this node's clock.
    pub since_ms: Option<u64>,
    /// The version spoken and the program at the other end.
    pub software: Option<(u16, String)>,
    /// In how long it is dialled next.
    pub next_dial: Option<Duration>,
    /// Why there is no link, or why the last one ended; empty if nothing failed yet.
    pub last_error: String,
}

impl Router {
    pub(crate) fn load_peers(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) {
        for (key, value) in cx.store.prefix(PEERS, &[], MAX_PEERS) {
            let (Some(node), Some(row)) = (row::part(&key, 0), row::decode::<PeerRow>(&value))
            else {
                continue;
            };
            self.keep(cx, NodeId::from_bytes(node), Why::Peer, row.addresses, out);
        }
    }

    /// Adds a peer by hand, or further addresses of one: it is dialled and kept from now on, and is
    /// no stranger.
    ///
    /// # Errors
    /// [`PeerError`].
    pub fn peer_add(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        addresses: &[String],
        out: &mut Outbox<Output>,
    ) -> Result<(), PeerError> {
        if node == self.me {
            return Err(PeerError::Oneself);
        }
        if self.config.reach == Reach::Core {
            return Err(PeerError::Reach);
        }
        let known: Option<PeerRow> = row::get(&mut cx.store, PEERS, node.as_bytes());
        if known.is_none() && cx.store.prefix(PEERS, &[], MAX_PEERS).len() >= MAX_PEERS {
            return Err(PeerError::TooMany);
        }
        let mut peer = known.unwrap_or_else(|| PeerRow {
            added_ms: cx.wall.as_millis(),
            ..PeerRow::default()
        });
        for address in addresses {
            if address.len() > MAX_ADDRESS {
                return Err(PeerError::Address);
            }
            // The newest first: it is what the owner has just seen to be right.
            peer.addresses.retain(|known| known != address);
            peer.addresses.insert(0, address.clone());
        }
        peer.addresses.truncate(MAX_TARGET_ADDRESSES);
        row::put(&mut cx.store, PEERS, node.as_bytes(), &peer);
        self.keep(cx, node, Why::Peer, peer.addresses, out);
        Ok(())
    }

    /// Keeps a peer no longer; a link that is open may stay as long as it is used. Says whether it
    /// had been added.
    pub fn peer_remove(&mut self, cx: &mut Cx<'_>, node: &NodeId) -> bool {
        let known = cx.store.has(PEERS, node.as_bytes());
        cx.store.delete(PEERS, *node.as_bytes());
        self.targets.release(node, Why::Peer);
        known
    }

    /// Everybody who is linked or dialled.
    #[must_use]
    pub fn peers(&self, cx: &mut Cx<'_>) -> Vec<PeerState> {
        let mut nodes: Vec<NodeId> = self.targets.iter().map(|(node, _)| *node).collect();
        nodes.extend(self.open.keys());
        nodes.sort_unstable();
        nodes.dedup();
        let labels = self.labels(cx, &nodes);
        nodes
            .into_iter()
            .map(|node| self.peer(cx, node, labels.show(&node)))
            .collect()
    }

    /// The names of these nodes, as far as their adverts are stored, so that no two look alike. The
    /// own name is among those compared.
    #[must_use]
    pub fn labels(&self, cx: &mut Cx<'_>, nodes: &[NodeId]) -> Labels {
        let mut names = vec![(self.me, self.config.name.clone())];
        for node in nodes {
            if let Some(advert) = self.advert(cx, node) {
                names.push((*node, advert.name));
            }
        }
        Labels::new(names)
    }

    fn peer(&self, cx: &mut Cx<'_>, node: NodeId, name: String) -> PeerState {
        let link = self.open.get(&node).and_then(|link| self.links.get(link));
        let target = self.targets.get(&node);
        let at = self.dialled_at(cx, &node);
        let first = at.ok().and_then(|mut at| at.pop_front());
        let next_dial = match target.map(|target| &target.phase) {
            Some(Phase::Waiting(Some(at))) => Some(at.since(cx.now)),
            _ => None,
        };
        PeerState {
            node,
            name,
            why: target.and_then(crate::targets::Target::why),
            added: self.targets.is(&node, Why::Peer),
            linked: link.is_some(),
            known: self.targets.trusts(&node) || link.is_some_and(crate::links::Link::is_known),
            address: link
                .map(|link| link.address.clone())
                .or(first)
                .unwrap_or_default(),
            dialled: link.is_some_and(|link| link.dialled),
            by: link.and_then(|link| link.by),
            round_trip: link.and_then(|link| link.round_trip),
            since_ms: link.map(|link| link.up_wall_ms),
            software: link
                .and_then(|link| link.greeted.as_ref())
                .map(|greeted| (greeted.version, greeted.software.clone())),
            next_dial,
            last_error: target
                .map(|target| target.last_error.clone())
                .unwrap_or_default(),
        }
    }

    /// Keeps a node for a reason and sees to it that it is dialled. It is no stranger from then on, but for
    /// [`Why::Way`].
    pub(crate) fn keep(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        why: Why,
        addresses: Vec<String>,
        out: &mut Outbox<Output>,
    ) {
        if node == self.me {
            return;
        }
        let dial = self.targets.keep(node, why, addresses);
        let linked = self
            .links
            .values()
            .any(|l| l.node == node && l.phase != LinkPhase::Closing);
        if linked {
            self.target_linked(&node);
            if why > Why::Way {
                self.become_known(cx, &node, out);
            }
        } else if dial {
            let first = self.targets.get(&node).map(|t| t.first_dial(cx.now));
            self.timers.set(Timer::Dial(node), first.unwrap_or(cx.now));
        }
    }

    /// A linked stranger is one that we keep from now on.
    fn become_known(&mut self, cx: &mut Cx<'_>, node: &NodeId, out: &mut Outbox<Output>) {
        let mut fresh = Vec::new();
        for (id, link) in &mut self.links {
            if link.node == *node && !link.is_known() {
                link.trust = crate::links::Trust::Known;
                self.timers.clear(Timer::Stranger(*id));
                fresh.push(*id);
            }
        }
        for id in fresh {
            self.is_known_and_greeted(cx, id, out);
        }
    }

    pub(crate) fn target_linked(&mut self, node: &NodeId) {
        if let Some(target) = self.targets.get_mut(node) {
            target.phase = Phase::Linked;
            target.attempts = 0;
            target.last_error.clear();
            target.meeting.linked();
        }
        self.timers.clear(Timer::Dial(*node));
    }

    /// Where a node can be reached, as its advert says, the best first; empty if none is stored.
    #[must_use]
    pub fn addresses(&self, cx: &mut Cx<'_>, node: &NodeId) -> Vec<String> {
        let mut addresses = self
            .advert(cx, node)
            .map(|a| a.addresses)
            .unwrap_or_default();
        addresses.sort_by_key(|address| core::cmp::Reverse(address.weight));
        addresses.into_iter().map(|address| address.uri).collect()
    }
}
