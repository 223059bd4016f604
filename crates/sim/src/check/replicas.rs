//! Where a topic lies when all nodes are looked at, who must have it, and who can reach whom.

use super::carriage::{home, may_carry};
use super::holdings::{Holdings, look, rows_of};
use super::readers::have_places;
use super::standing::{Lost, lost};
use super::{Everybody, Glance};
use crate::plan::{Act, NodeNo, Role, TopicNo};
use identity::PublicKey;
use lace::rows;
use std::collections::{BTreeMap, BTreeSet};

/// Rows of a node's own, in which addresses of others are looked for: peers and adverts of the
/// router, topics and what members told, core nodes.
const ADDRESS_TABLES: [(u8, &str); 5] = [
    (1, "node"),
    (106, "custody_core_peers"),
    (111, "custody_my_cores"),
    (80, "router_peers"),
    (83, "router_adverts"),
];
/// How many of them, the first, say which core nodes hold a topic. Whoever knows a core node from an
/// advert alone brings mail there, and does not know that a topic is to be had.
const CORE_TABLES: usize = 3;

/// A topic on one node's disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replica {
    /// The node's place in [`Everybody::nodes`].
    pub(crate) at: usize,
    /// The topic's number there.
    pub(crate) local: u32,
    /// What is placed there, summed and counted.
    pub(crate) placed: (u128, u32),
}

/// A replica's two hashes: of its cut and of its evidence. Equal ones mean equal kept sets.
pub(crate) type Hashes = ([u8; 32], [u8; 32]);

/// Everything that is needed again and again when all nodes are looked at.
pub(crate) struct Overview<'a> {
    pub(crate) everybody: &'a Everybody<'a>,
    pub(crate) places: BTreeMap<NodeNo, usize>,
    topics: Vec<Vec<Replica>>,
    /// Steps in which something is sent to each topic.
    sends: Vec<Vec<u32>>,
    /// Whom the plan lets join each topic before faults stop.
    joins: Vec<Vec<NodeNo>>,
    /// What the members of each topic have lost.
    lost: Vec<Lost>,
    /// The core nodes that each node of the plan uses in the end.
    uses: Vec<Vec<NodeNo>>,
}

impl<'a> Overview<'a> {
    pub(crate) fn new(everybody: &'a Everybody<'a>) -> Self {
        let mut topics = vec![Vec::new(); everybody.plan.topics.len()];
        let nodes = everybody.nodes.iter().enumerate();
        for (at, node) in nodes.filter(|(_, node)| !node.watch.holdings.is_stale()) {
            for held in node.watch.holdings.iter() {
                let no = held.no.or_else(|| everybody.facts.topic_no(&held.id));
                if let Some(replicas) = no.and_then(|no| topics.get_mut(no as usize)) {
                    replicas.push(Replica {
                        at,
                        local: held.local,
                        placed: (held.sum, held.placed),
                    });
                }
            }
        }
        let mut sends = vec![Vec::new(); everybody.plan.topics.len()];
        let mut joins = vec![Vec::new(); everybody.plan.topics.len()];
        for (no, step) in (0..).zip(&everybody.plan.steps) {
            match step.act {
                Act::Send { topic, .. } => sends[topic as usize].push(no),
                Act::Join { node, topic } if step.at_ms <= everybody.plan.length_ms => {
                    joins[topic as usize].push(node);
                }
                _ => {}
            }
        }
        let nodes = everybody.nodes.iter().enumerate();
        let count = topics.len();
        let mut overview = Self {
            sends,
            joins,
            lost: vec![Lost::default(); count],
            uses: everybody.plan.uses_at_last(),
            everybody,
            places: nodes.map(|(at, node)| (node.no, at)).collect(),
            topics,
        };
        let lost = overview.topics().map(|no| lost(&overview, no));
        overview.lost = lost.collect();
        overview
    }

    /// The core nodes that somebody uses in the end.
    pub(crate) fn uses(&self, no: NodeNo) -> &[NodeNo] {
        &self.uses[no as usize]
    }

    /// All topics of the plan.
    pub(crate) fn topics(&self) -> impl Iterator<Item = TopicNo> + use<> {
        (0..self.topics.len()).filter_map(|no| TopicNo::try_from(no).ok())
    }

    /// Where a topic lies.
    pub(crate) fn replicas(&self, topic: TopicNo) -> &[Replica] {
        &self.topics[topic as usize]
    }

    /// Steps in which something is sent to a topic.
    pub(crate) fn sends(&self, topic: TopicNo) -> &[u32] {
        &self.sends[topic as usize]
    }

    /// Whom the plan lets join a topic before faults stop.
    pub(crate) fn joins(&self, topic: TopicNo) -> &[NodeNo] {
        &self.joins[topic as usize]
    }

    pub(crate) fn replica(&self, topic: TopicNo, at: usize) -> Option<&Replica> {
        // They are in the order of the nodes, and a node has a topic once.
        let replicas = self.replicas(topic);
        let place = replicas.binary_search_by_key(&at, |replica| replica.at);
        place.ok().map(|place| &replicas[place])
    }

    pub(crate) fn node(&self, at: usize) -> &Glance<'a> {
        &self.everybody.nodes[at]
    }

    pub(crate) fn name(&self, at: usize) -> &str {
        &self.node(at).plan.name
    }

    pub(crate) fn topic_name(&self, topic: TopicNo) -> &str {
        &self.everybody.plan.topics[topic as usize].name
    }

    /// What the members of a topic have lost, as far as anybody has heard of it.
    pub(crate) fn lost(&self, topic: TopicNo) -> &Lost {
        &self.lost[topic as usize]
    }

    /// Whoever has to have all of a topic: its members, and of a public one all who read it, as whoever has
    /// lost its rights there goes on to.
    pub(crate) fn holders(&self, topic: TopicNo) -> Vec<usize> {
        let plan = self.everybody.plan;
        if !plan.topics[topic as usize].public {
            return self.members(topic);
        }
        let all: BTreeSet<NodeNo> = self.everybody.facts.topic(topic, |facts| {
            let readers = facts.readers.iter().filter(|_| have_places(plan, topic));
            let all = facts.members.keys().chain(readers);
            all.filter(|no| !facts.left.contains(no)).copied().collect()
        });
        self.there(all).collect()
    }

    /// Honest members that are up, have not left, and still take part.
    pub(crate) fn members(&self, topic: TopicNo) -> Vec<usize> {
        let (facts, lost) = (self.everybody.facts, self.lost(topic));
        let members: Vec<NodeNo> = facts.topic(topic, |topic| {
            let stays = |no: &&NodeNo| !topic.left.contains(no) && !lost.is_out(**no);
            topic.members.keys().filter(stays).copied().collect()
        });
        self.there(members).collect()
    }

    /// Of these the honest people that are up.
    fn there(&self, these: impl IntoIterator<Item = NodeNo>) -> impl Iterator<Item = usize> {
        let places = these.into_iter();
        let places = places.filter_map(|no| self.places.get(&no).copied());
        places.filter(|at| {
            let node = self.node(*at);
            // A device that was set back may have forgotten whose it is, and nobody gives it that again.
            let is_known = node.plan.device_of.is_none() || !node.watch.holdings.was_set_back;
            node.up && node.plan.is_honest() && node.plan.role == Role::Person && is_known
        })
    }

    /// The hashes of a replica; nothing while it has work to do that changes them.
    pub(crate) fn hashes(&self, replica: &Replica) -> Option<Hashes> {
        look(self.node(replica.at).disk, replica.local, |lace, _| {
            let settled = !lace.has_work();
            settled.then(|| (lace.cut_hash(), lace.evidence_hash()))
        })?
    }

    /// Whether all who have to have a topic hold the same, by what was counted.
    pub(crate) fn is_same(&self, topic: TopicNo) -> bool {
        let holders = self.holders(topic);
        let mut placed = holders
            .iter()
            .map(|at| self.replica(topic, *at).map(|replica| replica.placed));
        match placed.next() {
            Some(first) => first.is_some() && placed.all(|other| other == first),
            None => true,
        }
    }

    /// As [`Overview::groups`]; in one, without asking who can reach whom, where all hold the same.
    pub(crate) fn groups_or_all(&self, topic: TopicNo) -> Vec<Vec<usize>> {
        if self.is_same(topic) {
            vec![self.holders(topic)]
        } else {
            self.groups(topic)
        }
    }

    /// Those who have to have a topic, parted into those who can reach one another, directly or through
    /// others who carry the topic and have refused nothing of it since faults have stopped.
    pub(crate) fn groups(&self, topic: TopicNo) -> Vec<Vec<usize>> {
        let refuses = |at: &usize| self.refused_by(topic, *at).next().is_some();
        let connectors = self.connectors(topic).into_iter();
        self.parted(topic, connectors.filter(|at| !refuses(at)))
    }

    /// As [`Overview::groups`], through whoever carries the topic; with all that these have refused
    /// of it since faults have stopped: of whom, and from which number on.
    pub(crate) fn wide_groups(
        &self,
        topic: TopicNo,
    ) -> (Vec<Vec<usize>>, BTreeMap<PublicKey, u64>) {
        let connectors = self.connectors(topic);
        let mut refused = BTreeMap::new();
        for at in &connectors {
            for (author, from) in self.refused_by(topic, *at) {
                let lowest = refused.entry(*author).or_insert(from);
                *lowest = from.min(*lowest);
            }
        }
        (self.parted(topic, connectors.into_iter()), refused)
    }

    fn parted(&self, topic: TopicNo, through: impl Iterator<Item = usize>) -> Vec<Vec<usize>> {
        let members: BTreeSet<usize> = self.members(topic).into_iter().collect();
        let holders: BTreeSet<usize> = self.holders(topic).into_iter().collect();
        let mut by: BTreeSet<usize> = holders.clone();
        by.extend(through);
        let mut open = by.clone();
        let mut groups = Vec::new();
        let neighbours = self.neighbours(&by, &members);
        while let Some(first) = open.pop_first() {
            let (mut todo, mut group) = (vec![first], Vec::new());
            while let Some(at) = todo.pop() {
                group.push(at);
                for next in neighbours.get(&at).into_iter().flatten() {
                    if open.remove(next) {
                        todo.push(*next);
                    }
                }
            }
            group.retain(|at| holders.contains(at));
            group.sort_unstable();
            if !group.is_empty() {
                groups.push(group);
            }
        }
        groups
    }

    /// Who passes a topic on beside its members.
    fn connectors(&self, topic: TopicNo) -> Vec<usize> {
        let (plan, facts) = (self.everybody.plan, self.everybody.facts);
        let lost = self.lost(topic);
        let carries = |replica: &&Replica| {
            let node = self.node(replica.at);
            let own = home(plan, node.no);
            let left = facts.topic(topic, |t| t.left.contains(&own)) || lost.is_out(own);
            let serves =
                lost.is_empty() || node.plan.role == Role::Person || self.serves(topic, node.no);
            node.up
                && node.plan.is_honest()
                && !left
                && serves
                && may_carry(plan, facts, node.no, topic)
        };
        let carriers = self.replicas(topic).iter().filter(carries);
        carriers.map(|replica| replica.at).collect()
    }

    /// Whether a core node is used by somebody who still takes part in a topic, or reads it.
    fn serves(&self, topic: TopicNo, core: NodeNo) -> bool {
        let lost = self.lost(topic);
        let facts = self.everybody.facts;
        let clients: Vec<NodeNo> = facts.topic(topic, |t| {
            let all = t.members.keys().chain(&t.readers);
            all.copied().collect()
        });
        clients
            .into_iter()
            .any(|no| !lost.is_out(no) && self.uses(no).contains(&core))
    }

    /// What a node has refused of a topic since faults have stopped: of whom, and from which number
    /// on.
    pub(crate) fn refused_by(
        &self,
        topic: TopicNo,
        at: usize,
    ) -> impl Iterator<Item = (&PublicKey, u64)> {
        let over = self.everybody.plan.length_ms.saturating_mul(1_000);
        let held = self.node(at).watch.holdings.topic(topic);
        held.into_iter()
            .flat_map(move |held| held.refused_after(over))
    }

    /// Who of these has a link with whom, or can dial whom at an address that it knows; core nodes
    /// only who knows that they hold topics.
    fn neighbours(
        &self,
        among: &BTreeSet<usize>,
        members: &BTreeSet<usize>,
    ) -> BTreeMap<usize, BTreeSet<usize>> {
        let addresses: BTreeMap<&str, usize> = among
            .iter()
            .map(|at| (&*self.node(*at).address, *at))
            .collect();
        let mut neighbours: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for at in among {
            let node = self.node(*at);
            let linked = node.linked.iter().filter_map(|no| self.places.get(no));
            let mut near: BTreeSet<usize> = linked.copied().filter(|n| among.contains(n)).collect();
            let known = known_addresses(node, &addresses, &ADDRESS_TABLES);
            let cores = known_addresses(node, &addresses, &ADDRESS_TABLES[..CORE_TABLES]);
            let known = known.intersection(members).chain(&cores).copied();
            for known in known {
                if known != *at && (self.everybody.reaches)(node.no, self.node(known).no) {
                    near.insert(known);
                }
            }
            for other in near {
                neighbours.entry(*at).or_default().insert(other);
                neighbours.entry(other).or_default().insert(*at);
            }
        }
        neighbours
    }
}

/// Which of these addresses a node has among its rows.
fn known_addresses(
    node: &Glance<'_>,
    addresses: &BTreeMap<&str, usize>,
    tables: &[(u8, &'static str)],
) -> BTreeSet<usize> {
    let mut known = BTreeSet::new();
    for (id, name) in tables {
        let table = machine::Table::new(*id, name);
        let mut from = vec![0];
        while let Ok(page) =
            machine::Base::scan(node.disk, table, (&from, &[u8::MAX; 64]), 256, false)
        {
            let Some((last, _)) = page.last() else { break };
            from.clone_from(last);
            from.push(0);
            for (_, row) in &page {
                let texts = row.split(|byte| !matches!(byte, b'0'..=b'9' | b'.' | b':'));
                let texts = texts.filter_map(|text| str::from_utf8(text).ok());
                known.extend(texts.filter_map(|text| addresses.get(text)).copied());
            }
        }
    }
    known
}

/// Envelopes whose bodies have not come, and envelopes that wait before lines are made of them: how
/// many there are of each, on one disk.
pub(crate) fn waiting(node: &Glance<'_>, local: u32) -> (usize, usize) {
    let missing = rows_of(node.disk, rows::MISSING, local).len();
    let waits = rows_of(node.disk, topic::rows::WAITS, local).len();
    (missing, waits)
}

/// What a disk holds, counted from the disk itself: must be what was counted from the batches, but
/// for a disk that has been set back and is counted when the next life begins.
pub(crate) fn recount(node: &Glance<'_>) -> bool {
    if node.watch.holdings.is_stale() {
        return true;
    }
    let counted = Holdings::count(node.disk);
    let sums = |holdings: &Holdings| -> Vec<(u32, u128, u32)> {
        let all = holdings.iter();
        all.map(|held| (held.local, held.sum, held.placed))
            .collect()
    };
    sums(&counted) == sums(&node.watch.holdings)
}
