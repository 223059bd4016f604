//! What members tell one another about core nodes, and what follows from it: which core holds what,
//! tickets between cores; and when members are told something.

use crate::epochs;
use crate::frames::here;
use crate::io::LinkId;
use crate::keychain::{CORES, PROFILE};
use crate::limits::{MAX_ADDRESSES, TELL_AFTER, TICKET_MS, TICKETS_EVERY};
use crate::look::look;
use crate::members::Members;
use crate::node::{Inner, Turn};
use crate::pairing;
use crate::rows::{LISTED, NODE, said, said_key};
use crate::timer::Timer;
use custody::{CorePeer, CoreStanding, ServedBy};
use identity::{EnvelopeId, NodeId, PublicKey, TopicId};
use machine::WallTime;
use machine::planted::{Bug, is};
use rights::CoreSecret;
use router::Why;
use std::collections::{BTreeMap, BTreeSet};
use topic::{Draft, Payload};
use wire::plain::{CoreEntry, CoreList, Profile};
use wire::{Header, Item, NodeAddress, Ticket};

/// Members of one topic whose nodes are kept as neighbours. The others are found through cores and
/// through these.
pub(crate) const MAX_KEPT_MEMBERS: usize = 64;

/// Topics whose members are told something in one turn.
const MAX_TOLD_PER_TURN: usize = 16;

/// Core nodes of one topic that are kept.
const MAX_KEPT_CORES: usize = 16;

/// Lists of core nodes that are looked at, also of devices that take part no more. What later ones say
/// counts for nothing.
const LISTS_LOOKED_AT: usize = 1024;

/// Topics for which a client may name other core nodes before it has proved them. Further ones are
/// not heard; the client names them again on its next link.
const MAX_TOLD_TOPICS: usize = 256;

/// Core nodes that a member lists (docs/spec/wire.md).
const MAX_LISTED_CORES: usize = 4;

/// Who holds what, as far as members and clients told.
#[derive(Debug, Default)]
pub(crate) struct Tidings {
    /// Tickets that clients gave to this core, by topic and the core at which they hold.
    tickets: BTreeMap<(u32, NodeId), Ticket>,
    /// The core secrets of each topic that this core holds, by the client that gave it.
    secrets: BTreeMap<u32, BTreeMap<NodeId, CoreSecret>>,
    /// Which nodes the members of each topic are on.
    pub(crate) members: Members,
    /// The version of this node's advert; 0 before it was looked at.
    pub(crate) version: u32,
}

impl Tidings {
    /// The ticket with which this core may fetch a topic at another.
    pub(crate) fn ticket(&self, local: u32, core: &NodeId) -> Option<Ticket> {
        self.tickets.get(&(local, *core)).cloned()
    }

    /// The secrets by which core nodes of a topic know one another, as clients gave them: each once.
    pub(crate) fn core_secrets(&self, local: u32) -> Vec<CoreSecret> {
        let mut secrets: Vec<CoreSecret> = Vec::new();
        for secret in self
            .secrets
            .get(&local)
            .into_iter()
            .flat_map(BTreeMap::values)
        {
            if secrets
                .iter()
                .all(|known| known.as_bytes() != secret.as_bytes())
            {
                secrets.push(secret.clone());
            }
        }
        secrets
    }

    fn forget(&mut self, local: u32) {
        self.secrets.remove(&local);
        self.tickets.retain(|(topic, _), _| *topic != local);
    }
}

/// Whether somebody may take part no more by an item.
fn takes_away(item: &Item) -> bool {
    let leaves = matches!(item, Item::Leave | Item::Close(_));
    leaves || pairing::may_unseat(core::slice::from_ref(item))
}

impl Inner {
    /// The core nodes that are said to hold a topic.
    pub(crate) fn cores_of(&self, local: u32) -> Vec<(NodeId, Vec<String>)> {
        let cores = self.host.cores.get(&local).into_iter().flatten();
        cores
            .map(|(node, addresses)| (*node, addresses.clone()))
            .collect()
    }

    /// Reads back what was told in earlier lives.
    pub(crate) fn open_tidings(&mut self, turn: &mut Turn<'_, '_>) {
        self.tidings.version = self.router.own_advert().map_or(0, |advert| advert.version);
        let topics: Vec<u32> = self.host.keys.topics().map(|(local, _)| local).collect();
        for local in topics {
            self.learn_cores_anew(turn, local);
            self.open_members(turn, local);
            self.keep_ways(turn, local);
        }
        let again = turn.cx.now.after(TICKETS_EVERY);
        self.timers.set(Timer::Tickets, again);
        self.forget_soon(turn);
        self.tell_soon(turn);
    }

    /// Reads back which topics clients asked this core to hold, and under which secrets.
    pub(crate) fn open_tokens(&mut self, turn: &mut Turn<'_, '_>) {
        let mut after = None;
        loop {
            let page = self.host.custody.topics(turn.cx, after.as_ref(), 256);
            let Some(last) = page.last().copied() else {
                return;
            };
            after = Some(last);
            for topic in page {
                let Some(local) = self.host.keys.local(&topic) else {
                    continue;
                };
                let served = self.host.custody.served(turn.cx, &topic);
                for (sponsor, secrets) in served.into_iter().flat_map(|served| served.sponsors) {
                    self.hold_secrets(sponsor, (local, topic), &secrets);
                }
                let peers = self.host.custody.core_peers(turn.cx, &topic);
                self.learn_core_peers(turn, local, peers);
            }
        }
    }

    /// The secrets of a topic that a client gave this core, the newest first.
    pub(crate) fn hold_secrets(
        &mut self,
        sponsor: NodeId,
        of: (u32, TopicId),
        secrets: &[[u8; 32]],
    ) {
        self.tokens.set(self.id, sponsor, of, secrets);
        if let Some(newest) = secrets.first() {
            let known = self.tidings.secrets.entry(of.0).or_default();
            known.insert(sponsor, CoreSecret::from_bytes(*newest));
        }
    }

    fn learn_core_peers(&mut self, turn: &mut Turn<'_, '_>, local: u32, peers: Vec<CorePeer>) {
        for peer in peers {
            let Ok(ticket) = Ticket::decode(&peer.ticket) else {
                continue;
            };
            self.tidings.tickets.insert((local, peer.node), ticket);
            self.learn_core(turn, local, peer.node, vec![peer.address]);
        }
    }

    /// A client named other core nodes that hold a topic. It is believed once it has proved, on this
    /// link, that it takes part: a client that knows no more than the genesis must not lead this core
    /// to anybody.
    pub(crate) fn on_core_peers(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        topic: TopicId,
        peers: Vec<wire::frame::CorePeer>,
    ) {
        let Some(local) = self.host.keys.local(&topic) else {
            return;
        };
        let peers: Vec<CorePeer> = peers
            .into_iter()
            .filter(|peer| peer.node != self.id)
            .filter(|peer| rights::judge_ticket(&peer.ticket, topic, self.id, turn.cx.wall).is_ok())
            .map(|peer| CorePeer {
                node: peer.node,
                address: peer.uri,
                ticket: peer.ticket.encode(),
            })
            .collect();
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        let node = state.node;
        if state.proven.contains(&local) {
            self.take_core_peers(turn, node, local, peers);
        } else if state.told_peers.len() < MAX_TOLD_TOPICS {
            state.told_peers.insert(local, peers);
        }
    }

    /// A client that takes part in a topic named other core nodes that hold it.
    pub(crate) fn take_core_peers(
        &mut self,
        turn: &mut Turn<'_, '_>,
        node: NodeId,
        local: u32,
        peers: Vec<CorePeer>,
    ) {
        let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) else {
            return;
        };
        let set = self
            .host
            .custody
            .set_core_peers(turn.cx, node, topic, &peers);
        if set.is_ok() {
            self.learn_core_peers(turn, local, peers);
        }
    }

    /// A core node is said to hold a topic: keep a link with it, and show the topic there.
    pub(crate) fn learn_core(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        node: NodeId,
        addresses: Vec<String>,
    ) {
        let over = self
            .host
            .keys
            .topic(local)
            .is_none_or(|keys| keys.row.left && !keys.row.leaving);
        let known = self.host.cores.entry(local).or_default();
        if node == self.id || over || (known.len() >= MAX_KEPT_CORES && !known.contains_key(&node))
        {
            return;
        }
        if known.get(&node) == Some(&addresses) {
            return;
        }
        let first = known.is_empty();
        known.insert(node, addresses.clone());
        self.seek_core(turn, local, node, addresses);
        if first {
            self.weigh_members(turn, local);
        }
        if let Some(link) = self.link_of(&node) {
            self.show_at_core(turn, link);
        }
    }

    /// This node's own cores hold a topic once they have said so.
    pub(crate) fn learn_own_cores(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) else {
            return;
        };
        let held = self.is_held(local);
        for core in self.mine.serving(turn.cx, &topic) {
            let known = self.host.cores.entry(local).or_default();
            known.entry(core).or_default();
        }
        if !held && self.is_held(local) {
            self.weigh_members(turn, local);
        }
    }

    pub(crate) fn is_held(&self, local: u32) -> bool {
        self.host
            .cores
            .get(&local)
            .is_some_and(|cores| !cores.is_empty())
    }

    /// A control envelope was admitted: reads what it tells.
    pub(crate) fn control(&mut self, turn: &mut Turn<'_, '_>, local: u32, id: EnvelopeId) {
        let found = look(&mut self.topics, turn.cx, local, |lace, store| {
            let held = lace.envelope(store, &id)?;
            let device = *lace.author(&held.envelope.header.author)?.device();
            let items = wire::decode_items(&here(held.body)?).ok()?;
            // What a fork has made void is nobody's word; that a key was used is true all the same, and an act
            // stands by its own signatures.
            let stands = lace.effective(store, &id);
            let counts =
                |item: &Item| stands || matches!(item, Item::Certificate(_) | Item::Act(_));
            // Of several profiles the first counts: nobody has two to show.
            let mut shown = false;
            let first = |item: &Item| {
                !matches!(item, Item::Profile(_)) || !std::mem::replace(&mut shown, true)
            };
            let turns = items.iter().any(epochs::turn_on);
            let items: Vec<Item> = items.into_iter().filter(counts).filter(first).collect();
            Some((held.envelope.header.clone(), device, items, turns))
        });
        if let Some(Some((header, device, items, turns))) = found {
            if turns {
                self.epochs_changed(turn, local);
            }
            if items.iter().any(crate::grants::turn_on) {
                self.grants_changed(turn, local);
                self.withdraw_ended(turn, local);
                self.acts_came(turn, local, &items);
                self.drop_proposals(turn, local);
                self.pairs_look_again(turn, local);
                self.guests_changed(turn, local);
            }
            self.prove_owed(turn, local, &items);
            if self.is_public(local) {
                self.seat_readers(turn, local, &items);
                self.has_come(turn, local);
            }
            if pairing::may_unseat(&items) {
                self.forget_lost(turn, local);
            }
            self.note_closes(turn, local, &items);
            self.plan_owners(turn, local);
            for item in &items {
                self.control_item(turn, local, &header, &device, item);
            }
            if items.iter().any(takes_away) {
                self.learn_cores_anew(turn, local);
                self.name_core_peers(turn, local);
            }
            self.look_at_guests(turn, local);
        }
        self.join_progress(turn, local);
    }

    /// Keys have come by which what members said of themselves may open that did not when it came.
    pub(crate) fn read_control_again(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        for id in self.with_topics(turn, |topics, env| topics.tell_again(env, local)) {
            let found = look(&mut self.topics, turn.cx, local, |lace, store| {
                let held = lace.envelope(store, &id)?;
                let device = *lace.author(&held.envelope.header.author)?.device();
                let items = wire::decode_items(&here(held.body)?).ok()?;
                Some((held.envelope.header.clone(), device, items))
            });
            let Some((header, device, items)) = found.flatten() else {
                continue;
            };
            let sealed = items
                .iter()
                .filter(|item| matches!(item, Item::Profile(_) | Item::Cores(_)));
            for item in sealed {
                self.control_item(turn, local, &header, &device, item);
            }
        }
    }

    fn control_item(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        header: &Header,
        device: &PublicKey,
        item: &Item,
    ) {
        match item {
            Item::Certificate(certificate) => {
                let own = self
                    .host
                    .keys
                    .topic(local)
                    .and_then(|keys| keys.device.as_ref());
                if own.is_some_and(|own| own.public() == *device) {
                    let above = certificate.index.saturating_add(1);
                    self.host.keys.raise_index(turn.cx, local, above);
                }
            }
            Item::Profile(sealed) => {
                let plain = self.host.keys.open_item_of(local, header, PROFILE, sealed);
                if let Some(Ok(profile)) = plain.map(|plain| Profile::decode(&plain)) {
                    self.take_profile(turn, local, device, profile);
                }
            }
            Item::Cores(sealed) => {
                let plain = self.host.keys.open_item_of(local, header, CORES, sealed);
                if let Some(plain) = plain
                    && CoreList::decode(&plain).is_ok()
                {
                    turn.cx
                        .store
                        .put(NODE, said_key(LISTED, local, device), plain);
                    self.learn_cores_anew(turn, local);
                    self.name_core_peers(turn, local);
                }
            }
            Item::Leave => {
                self.member_left(turn, local, device);
                self.guest_left(turn, local, device);
            }
            Item::Claim(claim) => self.note_guest(turn, (local, &header.author), claim),
            Item::Invite(_)
            | Item::Sealing(_)
            | Item::Title(_)
            | Item::Grant(_)
            | Item::Revocation(_)
            | Item::Close(_)
            | Item::Act(_)
            | Item::Epoch(_)
            | Item::Boxes(_)
            | Item::Countersign(_) => {}
            Item::Unshare(id) => self.unshared(turn, local, (device, id)),
        }
    }

    /// Reads back which core nodes hold a topic; those that nobody lists any more do not.
    fn learn_cores_anew(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let told = self.told_cores(turn, local);
        let known = self.host.cores.entry(local).or_default();
        let gone: Vec<NodeId> = known
            .keys()
            .filter(|node| !told.contains_key(node))
            .copied()
            .collect();
        known.retain(|node, _| told.contains_key(node));
        for (node, addresses) in told {
            if !addresses.is_empty() {
                self.learn_core(turn, local, node, addresses);
            }
        }
        self.learn_own_cores(turn, local);
        if !gone.is_empty() && !self.is_held(local) {
            self.weigh_members(turn, local);
        }
        self.release_cores(turn, gone);
    }

    /// The core nodes that hold a topic by all that is known here.
    fn told_cores(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> BTreeMap<NodeId, Vec<String>> {
        let mut told = BTreeMap::new();
        let Some(keys) = self.host.keys.topic(local) else {
            return told;
        };
        let own = self.mine.serving(turn.cx, &keys.id);
        told.extend(own.into_iter().map(|core| (core, Vec::new())));
        // Whoever was said to have a topic that was found vouches for nothing.
        let ways = keys.row.ways.iter().filter(|_| !keys.is_found());
        let ways = ways.filter_map(|way| way.parse::<NodeAddress>().ok());
        told.extend(ways.map(|way| (way.node, vec![way.authority()])));
        // A core node has it from its clients, and keeps it when it starts anew.
        let mut peers = self.host.custody.core_peers(turn.cx, &keys.id);
        peers.retain(|_| !is(Bug::ForgetTold));
        told.extend(
            peers
                .into_iter()
                .map(|peer| (peer.node, vec![peer.address])),
        );
        let listed = self.listed_cores(turn, local).into_iter();
        told.extend(listed.map(|core| (core.node, core.addresses)));
        told
    }

    /// What those who take part list as their core nodes. Of whoever takes part no more it is nobody's word.
    fn core_lists(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Vec<CoreList> {
        let mut said = said(&mut turn.cx.store, LISTED, local, LISTS_LOOKED_AT);
        look(&mut self.topics, turn.cx, local, |lace, store| {
            said.retain(|(device, _)| lace.has_member(store, device));
        });
        said.retain(|(device, _)| !self.has_left(turn.cx, local, device));
        let lists = said.into_iter().take(MAX_KEPT_CORES);
        lists
            .filter_map(|(_, plain)| CoreList::decode(&plain).ok())
            .collect()
    }

    /// The core nodes that members list.
    pub(crate) fn listed_cores(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Vec<CoreEntry> {
        let lists = self.core_lists(turn, local).into_iter();
        let listed = lists.flat_map(|list| list.cores.into_iter().take(MAX_LISTED_CORES));
        listed.collect()
    }

    /// Keeps no link with core nodes that hold no topic of ours any more.
    fn release_cores(&mut self, turn: &mut Turn<'_, '_>, nodes: impl IntoIterator<Item = NodeId>) {
        for node in nodes {
            let holds = |cores: &BTreeMap<NodeId, _>| cores.contains_key(&node);
            if !self.host.cores.values().any(holds) {
                self.release(turn, node, Why::TopicCore);
            }
        }
    }

    /// Keeps no link with those who were said to have a topic, for it is read no more.
    pub(crate) fn leave_ways(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let topic = self.host.keys.topic(local).map(|keys| keys.id);
        if let Some(topic) = topic {
            // Nor is it looked for: it would come back.
            self.seeks_no_more(turn, &topic);
        }
        for way in self.ways_of(local) {
            self.let_go(turn, way.node);
        }
    }

    /// Tells this node's cores which other cores hold a topic.
    pub(crate) fn name_core_peers(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let Some(keys) = self.host.keys.topic(local) else {
            return;
        };
        let own: BTreeSet<NodeId> = self.mine.cores(turn.cx).into_iter().collect();
        let topic = keys.id;
        // Several members may list one core node: it is told once.
        let mut listed: BTreeMap<NodeId, CorePeer> = BTreeMap::new();
        for list in self.core_lists(turn, local) {
            let cores = list.cores.into_iter();
            for core in cores.filter(|core| !own.contains(&core.node)) {
                let Some(address) = core.addresses.into_iter().next() else {
                    continue;
                };
                // The ticket is made for each of our cores when it is told.
                let (node, ticket) = (core.node, Vec::new());
                let peer = CorePeer {
                    node,
                    address,
                    ticket,
                };
                listed.entry(node).or_insert(peer);
            }
        }
        // What a core node that is being left holds and this node does not, another may fetch from it.
        for core in self.mine.list(turn.cx) {
            let serves = |(of, by): &(TopicId, ServedBy)| *of == topic && *by == ServedBy::Serving;
            let leaving = core.standing == CoreStanding::Leaving && core.topics.iter().any(serves);
            if let Some(address) = core.addresses.first().filter(|_| leaving) {
                let peer = CorePeer {
                    node: core.core,
                    address: address.clone(),
                    ticket: Vec::new(),
                };
                listed.insert(core.core, peer);
            }
        }
        let peers: Vec<CorePeer> = listed
            .into_values()
            .take(custody::limits::MAX_CORE_PEERS)
            .collect();
        self.mine.set_peers(turn.cx, topic, &peers, &mut turn.mine);
    }

    /// Tells one of this node's cores about others, with a ticket that lets it fetch there.
    pub(crate) fn tell_core_peers(
        &mut self,
        turn: &mut Turn<'_, '_>,
        core: NodeId,
        topic: TopicId,
        peers: &[CorePeer],
    ) {
        let Some(link) = self.link_of(&core) else {
            return;
        };
        let local = self.host.keys.local(&topic);
        let keys = local.and_then(|local| self.host.keys.topic(local));
        let Some(device) = keys.and_then(|keys| keys.device.as_ref()) else {
            return;
        };
        let now = turn.cx.wall;
        let until = WallTime::from_millis(now.as_millis().saturating_add(TICKET_MS));
        let peers = peers
            .iter()
            .map(|peer| wire::frame::CorePeer {
                node: peer.node,
                uri: peer.address.clone(),
                ticket: rights::issue_ticket(device, topic, core, now, until),
            })
            .collect();
        turn.send(link, &wire::Frame::CorePeers { topic, peers });
    }

    /// Members are to be told what has changed about this node, after a moment.
    pub(crate) fn tell_soon(&mut self, turn: &mut Turn<'_, '_>) {
        let at = turn.cx.now.after(TELL_AFTER);
        self.timers.set_earlier(Timer::Tell, at);
    }

    /// Tells the members of each topic what has changed: name, addresses, cores.
    pub(crate) fn tell(&mut self, turn: &mut Turn<'_, '_>) {
        let topics: Vec<u32> = self
            .host
            .keys
            .topics()
            .filter(|(_, keys)| keys.row.opened && !keys.row.left)
            .map(|(local, _)| local)
            .collect();
        let mut published = 0;
        for local in topics {
            if published >= MAX_TOLD_PER_TURN {
                // The others are told in turns of their own.
                self.timers.set_earlier(Timer::Tell, turn.cx.now);
                return;
            }
            self.learn_own_cores(turn, local);
            let told = self.told_hash(turn, local);
            let known = self.host.keys.topic(local).map(|keys| keys.row.told);
            if known == Some(told) {
                continue;
            }
            let items = self.tiding_items(turn, local);
            let draft = Draft {
                payload: Payload::Items(items),
                lifespan: None,
                answers: vec![],
                manifest: None,
            };
            published += 1;
            let done = self.with_topics(turn, |topics, env| topics.publish(env, local, draft));
            if done.is_ok() {
                self.host.keys.update(turn.cx, local, |row| row.told = told);
                self.name_core_peers(turn, local);
            }
        }
    }

    /// A hash of what is worth an envelope when it changes.
    pub(crate) fn told_hash(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> [u8; 32] {
        let (profile, cores) = self.own_tidings(turn, local);
        self.hash_of_tidings(profile.as_ref(), &cores)
    }

    /// What this device says about itself in a topic: sealed items.
    pub(crate) fn tiding_items(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Vec<Item> {
        let (profile, cores) = self.own_tidings(turn, local);
        let keys = &mut self.host.keys;
        let profile = profile
            .and_then(|profile| keys.seal_to_readers(turn.cx, local, PROFILE, &profile.encode()));
        let cores = keys.seal_to_members(turn.cx, local, CORES, &cores.encode());
        [profile.map(Item::Profile), cores.map(Item::Cores)]
            .into_iter()
            .flatten()
            .collect()
    }

    fn own_tidings(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> (Option<Profile>, CoreList) {
        let profile = self.own_profile();
        let topic = self.host.keys.topic(local).map(|keys| keys.id);
        let serving = topic
            .map(|topic| self.mine.serving(turn.cx, &topic))
            .unwrap_or_default();
        let believed = serving.iter().any(|core| !self.host.broken.contains(core));
        let cores = self
            .mine
            .list(turn.cx)
            .into_iter()
            .filter(|core| serving.contains(&core.core) && !core.addresses.is_empty())
            // Whose word counts no more is recommended to nobody, unless there is no other.
            .filter(|core| core.broken.is_none() || !believed)
            .take(MAX_LISTED_CORES)
            .map(|core| CoreEntry {
                node: core.core,
                addresses: core.addresses,
                name: String::new(),
            })
            .collect();
        (profile, CoreList { cores })
    }

    /// Where others can reach this node, as URIs, those configured first; none where nobody may know.
    pub(crate) fn own_addresses(&self) -> Vec<String> {
        if !self.router.may_tell_address() {
            return Vec::new();
        }
        let public = &self.host.keys.config.public;
        let mut known = BTreeSet::new();
        public
            .iter()
            .chain(&self.listening)
            .filter(|address| known.insert((*address).clone()))
            .take(MAX_ADDRESSES)
            .map(|address| wire::uri(&self.id, address))
            .collect()
    }

    pub(crate) fn set_listening(&mut self, turn: &mut Turn<'_, '_>, addresses: Vec<String>) {
        self.listening = addresses;
        let addresses = self
            .own_addresses()
            .into_iter()
            .zip((1..=u8::MAX).rev())
            .map(|(uri, weight)| router::Address { uri, weight })
            .collect();
        let input = router::Input::Listening { addresses };
        self.router.handle(turn.cx, input, &mut turn.router);
        self.tell_soon(turn);
    }

    /// Puts the cores of this node into its advert.
    pub(crate) fn tell_router_cores(&mut self, turn: &mut Turn<'_, '_>) {
        let cores = self
            .mine
            .list(turn.cx)
            .into_iter()
            .filter_map(|core| {
                let rank = match (core.broken.is_some(), core.standing) {
                    (false, CoreStanding::Agreed) => 0,
                    (false, CoreStanding::Leaving) => 1,
                    // Better than nobody.
                    (true, CoreStanding::Agreed | CoreStanding::Leaving) => 2,
                    (_, CoreStanding::Asking | CoreStanding::Refused) => return None,
                };
                Some((rank, core.core, core.addresses.first()?.clone()))
            })
            .collect();
        let mut cores: Vec<(u8, NodeId, String)> = cores;
        cores.sort_unstable();
        let best = cores.first().map_or(0, |(rank, ..)| *rank);
        cores.retain(|(rank, ..)| *rank < 2 || best == 2);
        let cores = cores.into_iter().take(MAX_LISTED_CORES);
        let cores = cores.map(|(_, core, address)| (core, address)).collect();
        let input = router::Input::MyCores { cores };
        self.router.handle(turn.cx, input, &mut turn.router);
    }

    /// Removes a topic and everything that is known of it.
    pub(crate) fn drop_topic(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        self.drop_members(turn, local);
        self.drop_releases(turn, local);
        let cores = self.host.cores.remove(&local).unwrap_or_default();
        self.host.keys.update(turn.cx, local, |row| row.left = true);
        self.release_cores(turn, cores.into_keys());
        self.leave_ways(turn, local);
        self.tokens.remove(local);
        self.tidings.forget(local);
        self.guests.forget(local);
        for link in self.links.values_mut() {
            link.proven.remove(&local);
            link.members.remove(&local);
            link.readers.remove(&local);
            link.at_core.remove(&local);
            link.shown.remove(&local);
        }
        self.host.keys.remove(turn.cx, local);
        // Unknown means that nothing of it is left.
        let _gone = self.topics.forget(turn.cx, local);
        for link in self.links.keys().copied().collect::<Vec<_>>() {
            let link = block::swap::LinkId(link.0);
            let unproven = block::swap::Input::Unproven { link, topic: local };
            self.swap(turn, unproven);
        }
        self.with_swap(turn, |swap, env| swap.forget(env, local));
    }

    /// Makes tickets anew long before they end.
    pub(crate) fn renew_tickets(&mut self, turn: &mut Turn<'_, '_>) {
        let topics: Vec<u32> = self.host.keys.topics().map(|(local, _)| local).collect();
        for local in topics {
            self.name_core_peers(turn, local);
        }
        let again = turn.cx.now.after(TICKETS_EVERY);
        self.timers.set(Timer::Tickets, again);
        if self.router.clock_confirmed() {
            self.host.keys.forget_old(turn.cx);
        }
        self.survey_all(turn);
    }
}
