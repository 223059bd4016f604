//! Recognising common topics on a link: tags and shows between members, proofs at core nodes.
//!
//! Nothing about a topic flows before its proof. What a show names but this node has not heard of
//! yet is fetched once, in a bounded answer (`GrantAsk`, `GrantProof`).

use crate::limits::{MAX_PENDING_SHOWS, MAX_ROUNDS};
use identity::{GrantId, NodeId, PublicKey, TopicId};
use machine::Time;
use rights::{LinkSecret, Role, Round};
use std::collections::{BTreeMap, BTreeSet};
use wire::Claim;

/// What has been proved on one open link.
pub(crate) struct Link {
    /// Who is at the other end.
    pub(crate) node: NodeId,
    /// What both ends share and nobody else knows.
    pub(crate) secret: LinkSecret,
    /// Rounds of tags, oldest first; a peer's show may refer to an earlier one.
    pub(crate) rounds: Vec<Round>,
    /// Topics for which this node has shown itself, by local number.
    pub(crate) shown: BTreeSet<u32>,
    /// Topics that the peer has proved.
    pub(crate) proven: BTreeSet<u32>,
    /// Topics that were shown to the peer as a core node; its first frame about one proves that it
    /// holds it.
    pub(crate) at_core: BTreeSet<u32>,
    /// How often topics were shown on this link that the peer has not answered about.
    pub(crate) shows: u32,
    /// When they are shown again.
    pub(crate) show_again: Time,
    /// Shows whose grant is being asked for.
    pub(crate) pending: Vec<PendingShow>,
    /// Members' shows that this core asked about, and invite boxes asked for, by the count.
    pub(crate) asked: BTreeSet<GrantId>,
}

/// A show that is valid but for a grant that is not known here yet.
#[derive(Clone, Debug)]
pub(crate) struct PendingShow {
    pub(crate) topic: u32,
    pub(crate) device: PublicKey,
    pub(crate) grant: GrantId,
    pub(crate) claim: Option<Claim>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link")
            .field("node", &self.node)
            .field("proven", &self.proven)
            .finish()
    }
}

impl Link {
    /// A link that has just opened.
    pub(crate) fn new(own: NodeId, node: NodeId, dialled: bool, exporter: &[u8; 32]) -> Self {
        let (dialler, acceptor, role) = if dialled {
            (own, node, Role::Dialler)
        } else {
            (node, own, Role::Acceptor)
        };
        Self {
            node,
            secret: LinkSecret::new(exporter, dialler, acceptor, role),
            rounds: Vec::new(),
            shown: BTreeSet::new(),
            proven: BTreeSet::new(),
            at_core: BTreeSet::new(),
            shows: 0,
            show_again: Time::ZERO,
            pending: Vec::new(),
            asked: BTreeSet::new(),
        }
    }

    /// Keeps a round; the oldest goes when there are too many.
    pub(crate) fn keep_round(&mut self, round: Round) {
        self.rounds.push(round);
        if self.rounds.len() > MAX_ROUNDS {
            self.rounds.remove(0);
        }
    }

    /// Keeps a show until its grant is known; the oldest goes when there are too many.
    pub(crate) fn keep_show(&mut self, show: PendingShow) {
        self.pending.push(show);
        if self.pending.len() > MAX_PENDING_SHOWS {
            self.pending.remove(0);
        }
    }
}

/// Which topics a token stands for at this core node, with the secret that gave it.
#[derive(Default)]
pub(crate) struct Tokens(BTreeMap<[u8; 16], Vec<(u32, TopicId, rights::CoreSecret)>>);

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

impl Tokens {
    /// A client gave this secret for a topic.
    pub(crate) fn add(&mut self, own: NodeId, local: u32, topic: TopicId, secret: [u8; 32]) {
        let secret = rights::CoreSecret::from_bytes(secret);
        let token = rights::core_token(&secret, own);
        let under = self.0.entry(token).or_default();
        let known = under
            .iter()
            .any(|(known, _, old)| *known == local && old.as_bytes() == secret.as_bytes());
        if !known {
            under.push((local, topic, secret));
        }
    }

    /// A topic is held no longer.
    pub(crate) fn remove(&mut self, local: u32) {
        self.0.retain(|_, under| {
            under.retain(|(known, _, _)| *known != local);
            !under.is_empty()
        });
    }

    /// What a token may stand for.
    pub(crate) fn of(&self, token: &[u8; 16]) -> &[(u32, TopicId, rights::CoreSecret)] {
        self.0.get(token).map_or(&[], Vec::as_slice)
    }
}
