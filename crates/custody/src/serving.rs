//! Which topics are held, and for whom.

use core::fmt;

use identity::{NodeId, TopicId};
use machine::{Cx, Outbox, Time};
use std::collections::BTreeMap;

use crate::clients::{active, client, save};
use crate::limits::{
    MAX_ADDRESS, MAX_CORE_PEERS, MAX_GENESIS, MAX_GUEST_AUTHORS, MAX_SPONSORS, MAX_TICKET,
    RETRY_FULL,
};
use crate::outcome::{Code, Refusal};
use crate::promises::{is_over, sponsors};
use crate::row::{
    self, AUTHORS, CLIENT_TOPICS, CORE_PEERS, GENESES, PeerRow, PeersRow, SERVES, ServeRow,
};
use crate::state::{Custody, Output};

/// What a client asks a core node to hold. Whether the genesis is that of the topic has been checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Serving {
    /// The topic.
    pub topic: TopicId,
    /// Its genesis.
    pub genesis: Vec<u8>,
    /// The secret by which members and other core nodes find it here.
    pub core_secret: [u8; 32],
    /// Bytes of the client's quota that it may use; 0 = a quarter of the quota.
    pub share: u64,
}

// Secrets stay out of logs.
impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving")
            .field("topic", &self.topic)
            .field("share", &self.share)
            .finish_non_exhaustive()
    }
}

/// A topic that is held here.
#[derive(Clone, PartialEq, Eq)]
pub struct Served {
    /// The topic.
    pub topic: TopicId,
    /// Its genesis.
    pub genesis: Vec<u8>,
    /// Whether anything new is taken for it: some client that was not denied still takes part.
    pub taking: bool,
    /// The clients that asked for it and have not left, each with the secrets that it gave, the newest
    /// first, at most [`MAX_CORE_SECRETS`](crate::limits::MAX_CORE_SECRETS). Clients may lie: a secret
    /// is tried, never trusted.
    pub sponsors: Vec<(NodeId, Vec<[u8; 32]>)>,
}

// Secrets stay out of logs.
impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sponsors: Vec<NodeId> = self.sponsors.iter().map(|(node, _)| *node).collect();
        f.debug_struct("Served")
            .field("topic", &self.topic)
            .field("taking", &self.taking)
            .field("sponsors", &sponsors)
            .finish_non_exhaustive()
    }
}

/// A linked guest, as its link shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The host that it comes from.
    pub host: String,
    /// When it last said something.
    pub used: Time,
}

/// Another core node that holds a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorePeer {
    /// Its id.
    pub node: NodeId,
    /// Where it is.
    pub address: String,
    /// Lets this core node fetch there.
    pub ticket: Vec<u8>,
}

impl Custody {
    /// A client asks for a topic to be held, or asks again. Says whether the topic is new here.
    ///
    /// # Errors
    /// No client, denied, as many topics as agreed, the disk, or a malformed request.
    pub fn serve(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        serving: &Serving,
    ) -> Result<bool, Refusal> {
        let mut account = active(cx, &node)?;
        if serving.genesis.len() > MAX_GENESIS {
            return Err(Refusal::lasting(
                Code::Unacceptable,
                "the genesis is too long",
            ));
        }
        let key = row::pair(serving.topic.as_bytes(), node.as_bytes());
        let known: Option<ServeRow> = row::get(&mut cx.store, SERVES, &key);
        let taking = known.as_ref().is_some_and(|serve| !serve.left);
        if !taking {
            self.check_stays()?;
            self.check_disk()?;
            if account.topics_used >= account.topics {
                return Err(Refusal::lasting(
                    Code::TooMany,
                    format!(
                        "{} topics are held for this client, as agreed",
                        account.topics
                    ),
                ));
            }
        }
        let sponsors = cx
            .store
            .prefix(SERVES, serving.topic.as_bytes(), MAX_SPONSORS);
        if known.is_none() && sponsors.len() >= MAX_SPONSORS {
            return Err(Refusal::lasting(
                Code::TooMany,
                format!("the topic is held for {MAX_SPONSORS} clients already"),
            ));
        }
        if sponsors.is_empty() {
            cx.store
                .put(GENESES, *serving.topic.as_bytes(), serving.genesis.clone());
        }
        let quota = crate::clients::quota(&account);
        let share = if serving.share == 0 {
            quota.default_share()
        } else {
            serving.share
        };
        let is_new = known.is_none();
        let mut serve = known.unwrap_or_else(|| {
            account.serves = account.serves.saturating_add(1);
            ServeRow {
                life: account.serves,
                ..ServeRow::default()
            }
        });
        serve.take_secret(serving.core_secret, is_new);
        serve.share = share.min(quota.bodies());
        serve.left = false;
        row::put(&mut cx.store, SERVES, &key, &serve);
        let back = row::pair(node.as_bytes(), serving.topic.as_bytes());
        cx.store.put(CLIENT_TOPICS, back, []);
        if !taking {
            account.topics_used = account.topics_used.saturating_add(1);
            save(cx, &node, &account);
        }
        self.topics_changed(cx, &node);
        Ok(sponsors.is_empty())
    }

    /// A client leaves a topic: nothing new is taken on its account, promises are kept, and what is
    /// held stays charged to it. Says whether it had asked for it.
    pub fn unserve(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        topic: TopicId,
        out: &mut Outbox<Output>,
    ) -> bool {
        let key = row::pair(topic.as_bytes(), node.as_bytes());
        let Some(mut serve) = row::get::<ServeRow>(&mut cx.store, SERVES, &key) else {
            return false;
        };
        if serve.left {
            return false;
        }
        serve.left = true;
        row::put(&mut cx.store, SERVES, &key, &serve);
        cx.store.delete(CORE_PEERS, key);
        if let Some(mut account) = client(cx, &node) {
            account.topics_used = account.topics_used.saturating_sub(1);
            save(cx, &node, &account);
        }
        self.topics_changed(cx, &node);
        self.look_again(cx, &topic, &node, &serve);
        self.drain(cx, topic, out);
        true
    }

    /// Removes a topic once all its clients have left or were denied and the last promise has ended,
    /// by a confirmed clock. While it is held for one of them everything of it is, so an account
    /// that bears any of it goes on bearing it; one that bears nothing goes before.
    pub(crate) fn drain(&mut self, cx: &mut Cx<'_>, topic: TopicId, out: &mut Outbox<Output>) {
        if !self.confirmed {
            return;
        }
        let mut ended = sponsors(cx, &topic);
        let all = ended.len();
        let wall = cx.wall.as_millis();
        ended.retain(|(node, serve)| {
            !serve.undated && serve.held_until <= wall && is_over(cx, node, serve)
        });
        let gone = all > 0 && ended.len() == all;
        for (node, serve) in ended {
            if gone || (serve.own | serve.guests | serve.headers) == 0 {
                remove(cx, &node, &topic, &serve);
                self.look_at_usage(cx, &node, None);
            }
        }
        if gone {
            cx.store.delete(GENESES, *topic.as_bytes());
            out.push(Output::Drained { topic });
        }
    }

    /// What is held of this topic, if it is held here.
    #[must_use]
    pub fn served(&self, cx: &mut Cx<'_>, topic: &TopicId) -> Option<Served> {
        let genesis = cx.store.get(GENESES, topic.as_bytes())?;
        let mut served = Served {
            topic: *topic,
            genesis,
            taking: false,
            sponsors: Vec::new(),
        };
        for (key, value) in cx.store.prefix(SERVES, topic.as_bytes(), MAX_SPONSORS) {
            let (Some(node), Some(serve)) = (row::node_at(&key, 32), row::decode(&value)) else {
                continue;
            };
            let serve: ServeRow = serve;
            if !serve.left {
                served.sponsors.push((node, serve.secrets()));
                served.taking |= self.is_client(cx, &node);
            }
        }
        Some(served)
    }

    /// The topics held here in the order of their ids, from after `after`, at most `limit`: what a
    /// node opens at its start.
    #[must_use]
    pub fn topics(&self, cx: &mut Cx<'_>, after: Option<&TopicId>, limit: usize) -> Vec<TopicId> {
        let from = match after {
            Some(topic) => [topic.as_bytes().as_slice(), &[0]].concat(),
            None => Vec::new(),
        };
        let rows = cx.store.scan(GENESES, &from, &[0xff; 33], limit);
        rows.iter()
            .filter_map(|(key, _)| row::topic_at(key, 0))
            .collect()
    }

    /// The topics that a client asked for, those left but still promised included.
    #[must_use]
    pub fn topics_of(&self, cx: &mut Cx<'_>, node: &NodeId) -> Vec<TopicId> {
        let rows = cx.store.prefix(CLIENT_TOPICS, node.as_bytes(), usize::MAX);
        rows.iter()
            .filter_map(|(key, _)| row::topic_at(key, 32))
            .collect()
    }

    /// A client names the other core nodes that hold a topic, in place of those it named before.
    ///
    /// # Errors
    /// The topic is not held for this client, or the list is too long.
    pub fn set_core_peers(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        topic: TopicId,
        peers: &[CorePeer],
    ) -> Result<(), Refusal> {
        active(cx, &node)?;
        let key = row::pair(topic.as_bytes(), node.as_bytes());
        let serve: Option<ServeRow> = row::get(&mut cx.store, SERVES, &key);
        if serve.is_none_or(|serve| serve.left) {
            return Err(Refusal::lasting(
                Code::NotServed,
                "the topic is not held here for this client",
            ));
        }
        let fits =
            |peer: &CorePeer| peer.address.len() <= MAX_ADDRESS && peer.ticket.len() <= MAX_TICKET;
        if peers.len() > MAX_CORE_PEERS || !peers.iter().all(fits) {
            return Err(Refusal::lasting(
                Code::Unacceptable,
                format!("at most {MAX_CORE_PEERS} other core nodes are taken for a topic"),
            ));
        }
        row::put(&mut cx.store, CORE_PEERS, &key, &peers_row(peers));
        Ok(())
    }

    /// The other core nodes that clients named for a topic; of one named by several, each ticket.
    #[must_use]
    pub fn core_peers(&self, cx: &mut Cx<'_>, topic: &TopicId) -> Vec<CorePeer> {
        let rows = cx.store.prefix(CORE_PEERS, topic.as_bytes(), MAX_SPONSORS);
        rows.iter()
            .filter_map(|(_, value)| row::decode(value))
            .flat_map(peers_of)
            .collect()
    }

    /// A guest has shown that it takes part in a topic, or only `reads` a public one: its link is
    /// counted on the account of one of the topic's clients. At most half of an account's links are for
    /// those who only read, so that they keep no member out. A client's own link costs nothing, also
    /// once it was denied, while something is held for it.
    ///
    /// Where that half is full, whoever reads from a host with fewer of them takes the place of one from the
    /// host with the most, which is given back: its link is to be closed. `seen` tells where a guest comes
    /// from and when it last said something, if its link may be closed for that.
    ///
    /// # Errors
    /// No account has a link left, or nobody's client takes part any longer and nothing is held.
    pub fn guest_up(
        &mut self,
        cx: &mut Cx<'_>,
        topic: &TopicId,
        (guest, reads): (NodeId, bool),
        seen: impl Fn(&NodeId) -> Option<Seen>,
    ) -> Result<Option<NodeId>, Refusal> {
        if self.is_client(cx, &guest) || self.holds_for(cx, &guest) {
            return Ok(None);
        }
        let rows = cx.store.prefix(SERVES, topic.as_bytes(), MAX_SPONSORS);
        let sponsors: Vec<NodeId> = rows
            .iter()
            .filter_map(|(key, _)| row::node_at(key, 32))
            .collect();
        let mut accounts = self.guests.iter_mut();
        let counted = accounts.find_map(|(node, set)| Some((node, set.get_mut(&guest)?)));
        if let Some((node, known)) = counted {
            // Whoever takes part in one topic of an account and reads another takes part; what it does
            // in topics of others is nothing to this one.
            *known &= reads || !sponsors.contains(node);
            return Ok(None);
        }
        let mut free: Option<(usize, NodeId)> = None;
        for node in &sponsors {
            let Some(account) = client(cx, node) else {
                continue;
            };
            let counted = self.guests.get(node).into_iter().flatten();
            let used = counted.clone().count();
            let reading = counted.filter(|(_, reads)| **reads).count();
            // A usize holds any u32 on the platforms that this program is built for.
            let agreed = account.links as usize;
            let room = used < agreed && (!reads || reading < agreed / 2);
            if room && free.is_none_or(|(least, _)| used < least) {
                free = Some((used, *node));
            }
        }
        if let Some((_, node)) = free {
            self.guests.entry(node).or_default().insert(guest, reads);
            return Ok(None);
        }
        if sponsors.is_empty() {
            return Err(Refusal::lasting(
                Code::NotServed,
                "the topic is not held here",
            ));
        }
        let crowded = reads.then(|| self.most_of_one_host(&sponsors, &guest, seen));
        if let Some((node, least)) = crowded.flatten() {
            let places = self.guests.entry(node).or_default();
            places.remove(&least);
            places.insert(guest, reads);
            return Ok(Some(least));
        }
        Err(Refusal::for_now(
            Code::TooMany,
            "as many guests of this topic are linked as its clients agreed",
            RETRY_FULL,
        ))
    }

    /// On which of these accounts one host has the most readers, and which of those has been silent for longest;
    /// nothing where the guest's own host would then have as many.
    fn most_of_one_host(
        &self,
        accounts: &[NodeId],
        guest: &NodeId,
        seen: impl Fn(&NodeId) -> Option<Seen>,
    ) -> Option<(NodeId, NodeId)> {
        let host = seen(guest)?.host;
        let crowded = accounts.iter().filter_map(|account| {
            let reading = self.guests.get(account)?.iter();
            let reading = reading.filter(|(_, reads)| **reads);
            let mut hosts: BTreeMap<String, Vec<(Time, NodeId)>> = BTreeMap::new();
            for (node, seen) in reading.filter_map(|(node, _)| Some((*node, seen(node)?))) {
                hosts.entry(seen.host).or_default().push((seen.used, node));
            }
            let own = hosts.get(&host).map_or(0, Vec::len);
            let most = hosts.into_values().max_by_key(Vec::len)?;
            let least = most.iter().min().map(|(_, node)| *node)?;
            (most.len() > own.saturating_add(1)).then_some((most.len(), *account, least))
        });
        let (_, account, least) = crowded.max_by_key(|(most, _, _)| *most)?;
        Some((account, least))
    }

    /// A guest's link is gone.
    pub fn guest_down(&mut self, guest: &NodeId) {
        self.guests.retain(|_, set| {
            set.remove(guest);
            !set.is_empty()
        });
    }
}

/// Removes an account's part in a topic and gives back what it was charged.
fn remove(cx: &mut Cx<'_>, node: &NodeId, topic: &TopicId, serve: &ServeRow) {
    let key = row::pair(topic.as_bytes(), node.as_bytes());
    cx.store.delete(SERVES, key);
    cx.store.delete(CORE_PEERS, key);
    cx.store
        .delete(CLIENT_TOPICS, row::pair(node.as_bytes(), topic.as_bytes()));
    // A usize holds any u32 on the platforms that this program is built for.
    for (author, _) in cx.store.prefix(AUTHORS, &key, MAX_GUEST_AUTHORS as usize) {
        cx.store.delete(AUTHORS, author);
    }
    if let Some(mut account) = client(cx, node) {
        account.headers = account.headers.saturating_sub(serve.headers);
        account.own = account.own.saturating_sub(serve.own);
        account.guests = account.guests.saturating_sub(serve.guests);
        if !serve.left {
            account.topics_used = account.topics_used.saturating_sub(1);
        }
        save(cx, node, &account);
    }
}

/// The row of a list of core nodes.
pub(crate) fn peers_row(peers: &[CorePeer]) -> PeersRow {
    let peer = |peer: &CorePeer| PeerRow {
        node: *peer.node.as_bytes(),
        address: peer.address.clone(),
        ticket: peer.ticket.clone(),
    };
    PeersRow {
        peers: peers.iter().map(peer).collect(),
    }
}

/// The list in a row.
pub(crate) fn peers_of(row: PeersRow) -> Vec<CorePeer> {
    let peer = |peer: PeerRow| CorePeer {
        node: NodeId::from_bytes(peer.node),
        address: peer.address,
        ticket: peer.ticket,
    };
    row.peers.into_iter().map(peer).collect()
}
