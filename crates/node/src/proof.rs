//! Recognising common topics on a link: tags and shows between members, proofs at core nodes.
//!
//! Nothing about a topic flows before its proof. What a show names but this node has not heard of
//! yet is fetched once, in a bounded answer (`GrantAsk`, `GrantProof`).

use crate::identifying::Identifying;
use crate::limits::{MAX_GRANT_ASKS, MAX_PENDING_SHOWS, MAX_ROUNDS};
use custody::CorePeer;
use identity::{GrantId, NodeId, PublicKey, TopicId};
use machine::Time;
use rights::{LinkSecret, Role, Round};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Claim, TopicFrame};

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
    /// In which round the peer last showed itself in a topic.
    pub(crate) shown_in: BTreeMap<u32, u32>,
    /// Topics that the peer has proved.
    pub(crate) proven: BTreeSet<u32>,
    /// Topics in which the device by which it proved them takes part no more: it is no core node that
    /// holds them either.
    pub(crate) fallen: BTreeSet<u32>,
    /// As which device, where it proved them as a member.
    pub(crate) members: BTreeMap<u32, PublicKey>,
    /// As which device it showed itself, where it only reads a public topic.
    pub(crate) readers: BTreeMap<u32, PublicKey>,
    /// Topics that were shown to the peer as a core node, and when if it is of no use to show them
    /// again soon; its first frame about one proves that it holds it.
    pub(crate) at_core: BTreeMap<u32, Option<Time>>,
    /// How often topics were shown on this link that the peer has not answered about.
    pub(crate) shows: u32,
    /// When they are shown again.
    pub(crate) show_again: Time,
    /// Other core nodes that the peer named for a topic before it had proved it.
    pub(crate) told_peers: BTreeMap<u32, Vec<CorePeer>>,
    /// Who has asked for whom to be identified.
    pub(crate) identifying: Identifying,
    /// Shows whose grant is being asked for.
    pub(crate) pending: Vec<PendingShow>,
    /// Grants that were asked for on this link.
    asked: BTreeSet<GrantId>,
    /// How often any was.
    asks: usize,
    /// Those of them that were not answered yet.
    pub(crate) awaited: BTreeSet<GrantId>,
    /// How often the peer was answered about grants of this node, or is to be.
    pub(crate) answered: usize,
    /// Those of them that nothing here proves yet.
    pub(crate) owed: BTreeSet<GrantId>,
}

/// A show that is valid but for a grant that is not known here yet.
#[derive(Clone, Debug)]
pub(crate) struct PendingShow {
    pub(crate) topic: u32,
    pub(crate) device: PublicKey,
    pub(crate) grant: GrantId,
    pub(crate) claim: Option<Claim>,
    /// The topic was proven before, and is begun anew once this show is.
    pub(crate) anew: bool,
    /// The greeting of the peer, to which this one is proven already. It does not come again.
    pub(crate) hello: Option<TopicFrame>,
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
            shown_in: BTreeMap::new(),
            proven: BTreeSet::new(),
            fallen: BTreeSet::new(),
            members: BTreeMap::new(),
            readers: BTreeMap::new(),
            at_core: BTreeMap::new(),
            shows: 0,
            show_again: Time::ZERO,
            told_peers: BTreeMap::new(),
            identifying: Identifying::default(),
            pending: Vec::new(),
            asked: BTreeSet::new(),
            asks: 0,
            awaited: BTreeSet::new(),
            answered: 0,
            owed: BTreeSet::new(),
        }
    }

    /// Keeps a round; the oldest goes when there are too many.
    pub(crate) fn keep_round(&mut self, round: Round) {
        self.rounds.push(round);
        if self.rounds.len() > MAX_ROUNDS {
            self.rounds.remove(0);
        }
    }

    /// Whether a grant is to be asked for: once, and once for each time that it was shown anew.
    pub(crate) fn asks(&mut self, grant: GrantId, anew: bool) -> bool {
        let first = !self.asked.contains(&grant);
        if self.asks >= MAX_GRANT_ASKS || !(first || anew) {
            return false;
        }
        self.asks = self.asks.saturating_add(1);
        self.asked.insert(grant);
        self.awaited.insert(grant);
        true
    }

    /// A greeting came for a topic that the peer has shown and not proven yet: it is for what begins then.
    pub(crate) fn keep_hello(&mut self, local: u32, frame: &TopicFrame) {
        if matches!(frame, TopicFrame::Hello { .. }) {
            let shows = self.pending.iter_mut();
            for show in shows.filter(|show| show.topic == local) {
                show.hello = Some(frame.clone());
            }
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
pub(crate) struct Tokens(BTreeMap<[u8; 16], Vec<Token>>);

/// A topic that a token may stand for, and the secret that a client gave for it.
pub(crate) struct Token {
    pub(crate) local: u32,
    pub(crate) topic: TopicId,
    pub(crate) secret: rights::CoreSecret,
    /// Whether the same client has given a newer one since. Those who were removed know it as well.
    pub(crate) older: bool,
    /// Whose word it is. Clients may lie: each has its own secret, and none takes another's place.
    sponsor: NodeId,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

impl Tokens {
    /// A client gave these secrets for a topic, the newest first, in place of any that it gave before.
    pub(crate) fn set(
        &mut self,
        own: NodeId,
        sponsor: NodeId,
        of: (u32, TopicId),
        secrets: &[[u8; 32]],
    ) {
        let (local, topic) = of;
        self.retain(|token| token.local != local || token.sponsor != sponsor);
        for (place, secret) in secrets.iter().enumerate() {
            let secret = rights::CoreSecret::from_bytes(*secret);
            let under = self.0.entry(rights::core_token(&secret, own)).or_default();
            under.push(Token {
                local,
                topic,
                secret,
                older: place > 0,
                sponsor,
            });
        }
    }

    /// A topic is held no longer.
    pub(crate) fn remove(&mut self, local: u32) {
        self.retain(|token| token.local != local);
    }

    fn retain(&mut self, keep: impl Fn(&Token) -> bool) {
        self.0.retain(|_, under| {
            under.retain(&keep);
            !under.is_empty()
        });
    }

    /// What a token may stand for.
    pub(crate) fn of(&self, token: &[u8; 16]) -> &[Token] {
        self.0.get(token).map_or(&[], Vec::as_slice)
    }
}
