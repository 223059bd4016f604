//! Public topics: found by their id, read without a grant, told of to whoever knows the id.
//!
//! Whoever looks for a topic asks the nodes that its link names, and all others that it is linked with;
//! whoever has the topic answers, member, core node or reader. The genesis is proved by the id. All else
//! that is told is where to go on asking: nobody is known, or becomes a core node of ours, by that. So the
//! search goes on until something of the topic has come that somebody has signed.

use crate::command::{Code, Failure, Reply, RequestId};
use crate::io::LinkId;
use crate::keychain::TopicKeys;
use crate::limits::{ASKED_AROUND, LOOKED_FOR, MAX_ANSWERS, MAX_SOUGHT};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::rows::TopicRow;
use crate::timer::Timer;
use crate::waiting::What;
use identity::{GrantId, NodeId, PublicKey, TopicId};
use lace::Lace;
use machine::{Staged, Time};
use rights::{InviteSeed, KeyRing, PublicTopic, Shown};
use router::Why;
use std::collections::{BTreeMap, BTreeSet};
use topic::{Peer, Role};
use wire::limits::{MAX_CORES, MAX_LINK_ADDRESSES};
use wire::plain::{CoreEntry, PublicContents};
use wire::{Frame, Genesis, Item, NodeAddress, PairMessage, PairOffer, PairPass, TopicLink};

/// Addresses of one node that are told.
const TOLD_ADDRESSES: usize = 2;

/// Public topics that are being looked for.
#[derive(Debug, Default)]
pub(crate) struct Seeking(BTreeMap<TopicId, Sought>);

#[derive(Debug)]
pub(crate) struct Sought {
    loc: [u8; 32],
    at: Vec<NodeAddress>,
    name: Option<String>,
    until: Time,
    waiting: Vec<RequestId>,
    /// Who has answered since all were asked.
    answered: BTreeSet<NodeId>,
}

/// The public topic that a text means, if it is the link of one or an id.
///
/// # Errors
/// It begins as such a link, and is none.
pub(crate) fn public_link(text: &str) -> Result<Option<TopicLink>, Failure> {
    let text = text.trim();
    if let Ok(topic) = text.parse() {
        let at = Vec::new();
        return Ok(Some(TopicLink { topic, at }));
    }
    match text.parse::<TopicLink>() {
        Ok(link) => Ok(Some(link)),
        Err(wire::LinkError::Prefix) => Ok(None),
        Err(why) => {
            let hint =
                "ask whoever gave you the link for it again; the topic's id alone will do too";
            Err(Failure::new(Code::Usage, why.to_string(), hint))
        }
    }
}

/// What is said to whoever wants to write without being allowed to.
pub(crate) fn reads_only(keys: &TopicKeys) -> Failure {
    let key = keys.device.as_ref().map(|device| device.public());
    let hint = key.map(|key| {
        format!(
            "somebody who may admit gives the right: way grant {} {key} --publish",
            keys.id
        )
    });
    let text = "this device reads the topic, as anybody may, and has no right to write to it";
    Failure::new(Code::Refused, text, hint.unwrap_or_default())
}

/// What is said to whoever gives, or takes back, the right to read.
pub(crate) fn all_read() -> Failure {
    let text = "everybody who knows a public topic may read it: nobody is given that right, and nobody \
                loses it";
    Failure::new(Code::Usage, text, "say --publish or --admit")
}

/// The grant by which a device has a seat.
fn seat_of(lace: &Lace, store: &mut Staged<'_>, device: &PublicKey) -> Option<GrantId> {
    let effect = lace.held_effect(store);
    let mut seats = effect.devices.iter();
    let seat = seats.find(|((_, seated), _)| seated == device);
    seat.map(|(_, seat)| seat.grant)
}

impl Inner {
    /// `way join` of a public topic: it is read from the moment on in which somebody has told its
    /// genesis.
    pub(crate) fn seek(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        (link, name): (TopicLink, Option<String>),
        timeout_ms: u64,
    ) {
        let topic = link.topic;
        if let Some(local) = self.host.keys.local(&topic) {
            let reply = self.is_here(local);
            self.reply(turn, request, reply.unwrap_or_else(Reply::Failed));
            if self.is_empty(turn, local) {
                // That so many are looked for already is no answer to this.
                drop(self.look_for(turn, link, name));
            }
            return;
        }
        if let Err(failure) = self.look_for(turn, link, name) {
            return self.reply(turn, request, Reply::Failed(failure));
        }
        if let Some(of) = self.seeking.0.get_mut(&topic) {
            of.waiting.push(request);
        }
        self.wait(turn, request, What::Sought(topic), timeout_ms);
    }

    fn look_for(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: TopicLink,
        name: Option<String>,
    ) -> Result<(), Failure> {
        let topic = link.topic;
        let sought = &mut self.seeking.0;
        if !sought.contains_key(&topic) && sought.len() >= MAX_SOUGHT {
            let text = "too many topics are being looked for";
            return Err(Failure::new(Code::Failed, text, ""));
        }
        let of = sought.entry(topic).or_insert_with(|| Sought {
            loc: InviteSeed::of_public(topic).locator(),
            at: Vec::new(),
            name: None,
            until: Time::ZERO,
            waiting: Vec::new(),
            answered: BTreeSet::new(),
        });
        of.until = turn.cx.now.after(LOOKED_FOR);
        of.name = name.or(of.name.take());
        let loc = of.loc;
        for address in &link.at {
            of.at.retain(|known| known.node != address.node);
            of.at.push(address.clone());
        }
        let beyond = of.at.len().saturating_sub(MAX_CORES);
        let dropped: Vec<NodeAddress> = of.at.drain(..beyond).collect();
        for address in dropped {
            self.let_go(turn, address.node);
        }
        for address in link.at {
            self.keep(turn, address.node, Why::Way, vec![address.authority()]);
        }
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            turn.send(link, &Frame::InviteGet { loc });
        }
        let again = turn.cx.now.after(ASKED_AROUND);
        self.timers.set_earlier(Timer::Seek, again);
        Ok(())
    }

    /// After a restart: what was begun to be read, and nothing of which has come, is looked for on.
    pub(crate) fn open_sought(&mut self, turn: &mut Turn<'_, '_>) {
        let found = self.host.keys.topics().filter(|(_, keys)| keys.is_found());
        let found: Vec<(u32, TopicId)> = found.map(|(local, keys)| (local, keys.id)).collect();
        for (local, topic) in found {
            if self.is_empty(turn, local) {
                let mut at = self.ways_of(local);
                // What its link said stands first. What else was said has not helped.
                at.truncate(MAX_LINK_ADDRESSES);
                // Of more than are looked for at once the rest is asked for anew by who wants it.
                drop(self.look_for(turn, TopicLink { topic, at }, None));
            }
        }
    }

    /// Whether a topic was found of which nothing has come yet.
    fn is_empty(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> bool {
        let found = self.host.keys.topic(local).is_some_and(TopicKeys::is_found);
        let known = self.topics.summary(turn.cx, local);
        found && known.is_ok_and(|known| known.envelopes == 0)
    }

    /// Something of a topic has come that somebody has signed: it is looked for no more.
    pub(crate) fn has_come(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let topic = self.host.keys.topic(local).map(|keys| keys.id);
        let sought = topic.and_then(|topic| self.seeks_no_more(turn, &topic));
        if let Some(sought) = sought {
            self.tell_found(turn, Some(local), sought.waiting);
        }
    }

    fn tell_found(&mut self, turn: &mut Turn<'_, '_>, local: Option<u32>, waiting: Vec<RequestId>) {
        for request in waiting {
            self.waiting.done(request);
            let reply = match local {
                Some(local) => self.is_here(local).unwrap_or_else(Reply::Failed),
                None => Reply::Failed(Failure::new(Code::Failed, "the topic cannot be used", "")),
            };
            self.reply(turn, request, reply);
        }
    }

    /// What is answered about a topic that is here.
    fn is_here(&self, local: u32) -> Result<Reply, Failure> {
        let keys = self.member(local)?;
        if keys.row.left {
            let hint = "`way topic forget` what is left of it, then join again";
            return Err(Failure::new(
                Code::Refused,
                "this device has left the topic",
                hint,
            ));
        }
        Ok(Reply::Topic {
            id: keys.id,
            name: keys.row.name.clone(),
        })
    }

    /// A link is open: whoever is at its other end may have what is looked for.
    pub(crate) fn ask_sought(&self, turn: &mut Turn<'_, '_>, link: LinkId) {
        for sought in self.seeking.0.values() {
            turn.send(link, &Frame::InviteGet { loc: sought.loc });
        }
    }

    /// Asks around again for what was not found, and gives up what was looked for long enough.
    pub(crate) fn seek_again(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        let over = self.seeking.0.iter().filter(|(_, of)| of.until <= now);
        let over: Vec<TopicId> = over.map(|(topic, _)| *topic).collect();
        for topic in over {
            self.seeks_no_more(turn, &topic);
        }
        if self.seeking.0.is_empty() {
            return;
        }
        for sought in self.seeking.0.values_mut() {
            sought.answered.clear();
        }
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.ask_sought(turn, link);
        }
        self.timers
            .set_earlier(Timer::Seek, now.after(ASKED_AROUND));
    }

    pub(crate) fn seeks_no_more(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: &TopicId,
    ) -> Option<Sought> {
        let sought = self.seeking.0.remove(topic)?;
        for address in &sought.at {
            self.let_go(turn, address.node);
        }
        Some(sought)
    }

    /// Keeps no link with a node for the sake of a public topic, where it is named for none.
    pub(crate) fn let_go(&mut self, turn: &mut Turn<'_, '_>, node: NodeId) {
        let mut named = self.seeking.0.values().flat_map(|of| &of.at);
        if !named.any(|way| way.node == node) && self.read_by_way_of(&node).is_empty() {
            self.release(turn, node, Why::Way);
        }
    }

    /// The public topics that are looked for, in text.
    pub(crate) fn sought(&self) -> impl Iterator<Item = String> + '_ {
        self.seeking.0.keys().map(ToString::to_string)
    }

    /// Whoever waited for a topic waits no longer; it is looked for all the same.
    pub(crate) fn sought_over(&mut self, topic: &TopicId, request: RequestId) {
        if let Some(sought) = self.seeking.0.get_mut(topic) {
            sought.waiting.retain(|waiting| *waiting != request);
        }
    }

    /// Somebody answers for a locator at which no invite is looked for.
    pub(crate) fn on_public_box(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        loc: &[u8; 32],
        sealed: &[u8],
    ) {
        let Some(node) = self.links.get(&link).map(|state| state.node) else {
            return;
        };
        let mut sought = self.seeking.0.iter_mut();
        let Some((topic, sought)) = sought.find(|(_, of)| of.loc == *loc) else {
            return;
        };
        let topic = *topic;
        // A miss looks like a box that does not open.
        let Ok(found) = PublicTopic::open(topic, sealed) else {
            return;
        };
        let heard = sought.answered.len() < MAX_ANSWERS && sought.answered.insert(node);
        let waiting = std::mem::take(&mut sought.waiting);
        let (mut ways, name) = (sought.at.clone(), sought.name.clone());
        for way in found.hints.iter().filter_map(way_to) {
            if ways.iter().all(|known| known.node != way.node) {
                ways.push(way);
            }
        }
        ways.truncate(MAX_CORES);
        let local = match self.host.keys.local(&topic) {
            // Somebody has answered before, or it has come by an invite or from another device meanwhile.
            Some(local) => {
                if heard {
                    self.go_by(turn, local, &ways);
                }
                Some(local)
            }
            None => {
                let title = Some(found.title).filter(|title| !title.is_empty());
                let name = name.or(title);
                self.begin_reading(turn, (found.genesis, found.ring), name.as_deref(), &ways)
            }
        };
        self.tell_found(turn, local, waiting);
        match local.filter(|local| self.is_empty(turn, *local)) {
            // It need not have said where it is; and so far as it has the topic, nobody's false answer counts.
            Some(local) => {
                let state = self.links.get(&link);
                if state.is_some_and(|state| !state.at_core.contains_key(&local)) {
                    self.show_one_at_core(turn, link, local);
                }
            }
            None => drop(self.seeks_no_more(turn, &topic)),
        }
    }

    /// Others are said to have a topic that is read: they are asked in place of those who were said to.
    fn go_by(&mut self, turn: &mut Turn<'_, '_>, local: u32, ways: &[NodeAddress]) {
        if !self.is_empty(turn, local) {
            return;
        }
        let before = self.ways_of(local);
        self.host.keys.update(turn.cx, local, |row| {
            row.ways = ways.iter().map(ToString::to_string).collect();
        });
        self.keep_ways(turn, local);
        for way in before {
            self.let_go(turn, way.node);
        }
    }

    /// Begins to read a topic.
    pub(crate) fn begin_reading(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (genesis, ring): (Genesis, KeyRing),
        name: Option<&str>,
        ways: &[NodeAddress],
    ) -> Option<u32> {
        let topic = genesis.topic_id();
        let id = topic.to_string();
        let name = name.unwrap_or_else(|| id.get(..14).unwrap_or_default());
        let row = TopicRow {
            name: self.free_name(name),
            custodian: false,
            ways: ways.iter().map(ToString::to_string).collect(),
            ..TopicRow::custodian(topic, genesis.encode())
        };
        let local = self.host.keys.add(turn.cx, row, ring)?;
        self.topics.create(turn.cx, local, &genesis, Role::Member);
        self.want_served(turn, local);
        self.keep_ways(turn, local);
        self.begin_rounds_soon(turn);
        Some(local)
    }

    /// The person reads a public topic, without a seat in it: so does this device.
    pub(crate) fn read_offered(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        (topic, offer): (TopicId, PairOffer),
    ) {
        let ring = KeyRing::new(topic, &offer.genesis).ok();
        let ring = ring.filter(|_| offer.genesis.policy.public);
        let ways: Vec<NodeAddress> = offer.cores.cores.iter().filter_map(way_to).collect();
        let name = Some(offer.name.as_str());
        let taken = ring.and_then(|ring| {
            let genesis = offer.genesis.clone();
            self.begin_reading(turn, (genesis, ring), name, &ways)
        });
        let why = taken.map_or(PairPass::No, |_| PairPass::Has);
        self.say_to_pair(turn, link, &PairMessage::Pass { topic, why });
    }

    /// Keeps links with those who were said to have a topic that is read, and shows it there. They are
    /// strangers until they show it, too.
    pub(crate) fn keep_ways(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let keys = self.host.keys.topic(local);
        if !keys.is_some_and(TopicKeys::is_found) {
            return;
        }
        for way in self.ways_of(local) {
            self.keep(turn, way.node, Why::Way, vec![way.authority()]);
            if let Some(link) = self.link_of(&way.node) {
                self.show_at_core(turn, link);
            }
        }
    }

    /// The topics that are read, and of which this node was said to be a way to.
    pub(crate) fn read_by_way_of(&self, node: &NodeId) -> BTreeSet<u32> {
        let found = self.host.keys.topics().filter(|(_, keys)| keys.is_found());
        let node = node.to_string();
        let way = |ways: &[String]| ways.iter().any(|way| way.contains(&node));
        let by = found.filter(|(_, keys)| way(&keys.row.ways));
        by.map(|(local, _)| local).collect()
    }

    /// The box of the public topic with this locator, if it is here: made anew for everybody who asks.
    pub(crate) fn public_box(
        &mut self,
        turn: &mut Turn<'_, '_>,
        loc: &[u8; 32],
    ) -> Option<Vec<u8>> {
        let local = self.host.keys.public(loc)?;
        let keys = self.host.keys.topic(local).filter(|keys| !keys.row.left)?;
        let (genesis, custodian) = (keys.genesis.clone(), keys.row.custodian);
        // What this home calls it is nobody's business.
        let title = self.topics.summary(turn.cx, local).ok()?.title;
        let mut cores = if custodian {
            vec![CoreEntry {
                node: self.id,
                addresses: self.own_addresses(),
                name: String::new(),
            }]
        } else {
            self.listed_cores(turn, local)
        };
        cores.truncate(MAX_CORES);
        for core in &mut cores {
            core.addresses.truncate(TOLD_ADDRESSES);
        }
        let mut contents = PublicContents {
            genesis,
            title: title.unwrap_or_default(),
            cores,
        };
        loop {
            match PublicTopic::seal(&contents, turn.cx.rng) {
                Ok(sealed) => return Some(sealed),
                // Too long for a box: with fewer core nodes it fits.
                Err(_) => drop(contents.cores.pop()?),
            }
        }
    }

    /// A public topic is proved by whoever knows it; what was shown beside says only as what.
    pub(crate) fn judge_reader(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        (local, anew): (u32, bool),
        shown: &Shown,
    ) {
        let Some(node) = self.links.get(&link).map(|state| state.node) else {
            return;
        };
        let (device, claim) = (shown.device, shown.claim.as_ref());
        let grant = look(&mut self.topics, turn.cx, local, |lace, store| {
            let claimed = lace.is_member(store, &device, &shown.grant, claim);
            let claimed = claimed.then_some(shown.grant);
            seat_of(lace, store, &device).or(claimed)
        });
        let peer = match grant {
            Some(Some(grant)) => Peer::Member { device, grant },
            Some(None) => Peer::Reader { device, node },
            None => return,
        };
        self.begin_anew(link, local, anew);
        self.prove(turn, link, local, peer);
    }

    /// Whether a topic is public.
    pub(crate) fn is_public(&self, local: u32) -> bool {
        let keys = self.host.keys.topic(local);
        keys.is_some_and(TopicKeys::is_public)
    }

    /// Who only read so far may have been let in: from now on they are members.
    pub(crate) fn seat_readers(&mut self, turn: &mut Turn<'_, '_>, local: u32, items: &[Item]) {
        let seats = |item: &Item| {
            matches!(
                item,
                Item::Grant(_) | Item::Act(_) | Item::Countersign(_) | Item::Certificate(_)
            )
        };
        let readers = self.links.iter();
        let readers = readers.filter_map(|(link, it)| Some((*link, *it.readers.get(&local)?)));
        let readers: Vec<(LinkId, PublicKey)> = readers.collect();
        if readers.is_empty() || !items.iter().any(seats) {
            return;
        }
        let seated = look(&mut self.topics, turn.cx, local, |lace, store| {
            let effect = lace.held_effect(store);
            let seats = effect.devices.iter();
            let seats = seats.map(|((_, device), seat)| (*device, seat.grant));
            seats.collect::<BTreeMap<_, _>>()
        });
        let seated = seated.unwrap_or_default();
        for (link, device) in readers {
            if let Some(grant) = seated.get(&device).copied() {
                if let Some(state) = self.links.get_mut(&link) {
                    state.proven.remove(&local);
                }
                self.prove(turn, link, local, Peer::Member { device, grant });
            }
        }
    }
}

/// Where a node is said to be.
fn way_to(core: &CoreEntry) -> Option<NodeAddress> {
    let parsed = core.addresses.iter();
    let mut parsed = parsed.filter_map(|text| NodeAddress::of(&core.node, text).ok());
    parsed.find(|way| way.node == core.node)
}
