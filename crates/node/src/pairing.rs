//! Devices of one person: how they come to know one another, and what they say on a link.
//!
//! A device makes a link, valid once and for minutes. Who shows its seed on a link of the transport, bound to that
//! link, becomes another device of the same person: both keep a key from then on by which they know one
//! another on every later link. Each offers the other the topics in which the person takes part and the
//! other does not yet; see [`topics`]. The messages are those of [`wire::PairMessage`], the keys
//! those of [`rights::PairKey`].
//!
//! Open links are in memory alone: a restart voids them.

use crate::command::devices::DeviceReply;
use crate::command::{Code, Failure, Reply, RequestId};
use crate::io::LinkId;
use crate::limits::{
    DEVICE_LINK_MS, MAX_DEVICE_JOINS, MAX_DEVICE_LINKS, MAX_PAIR_TRIES, MAX_PAIRS, PAIR_AGAIN,
};
use crate::node::{Inner, Turn};
use crate::proof::Link;
use crate::rows::{NODE, VAULT, decode, encode};
use crate::timer::Timer;
use crate::waiting::What;
use identity::{NodeId, TopicId};
use machine::{Staged, Time};
use minicbor::{CborLen, Decode, Encode};
use rights::{PairKey, PairSeed};
use router::{Standing, Why};
use std::collections::{BTreeMap, BTreeSet};
use wire::frame::{PairStep, Subject};
use wire::{DeviceLink, Frame, NodeAddress, PairMessage};

mod lost;
mod topics;

pub(crate) use lost::may_unseat;
pub(crate) use topics::{Offering, Own, Taking, has_lost_seat, member};

/// First byte of the keys of rows about another device of the person: `d` ‖ node. In the vault it is the
/// key that both keep.
const PAIR: u8 = b'd';

/// First byte of the key of a row that says what is known of another device in a topic:
/// `h` ‖ node ‖ topic.
const HANDED: u8 = b'h';

/// Another device of the person.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub(crate) struct PairRow {
    /// What it called itself.
    #[n(0)]
    pub(crate) name: String,
    /// Where it said that it can be reached.
    #[n(1)]
    pub(crate) addresses: Vec<String>,
    /// Since when it is known, milliseconds since 1970.
    #[n(2)]
    pub(crate) since: u64,
    /// When it last spoke.
    #[n(3)]
    pub(crate) seen: u64,
}

/// What is going on between this device and others of the person.
#[derive(Debug, Default)]
pub(crate) struct Pairing {
    /// Links that were made here and that nobody has used.
    open: Vec<OpenLink>,
    /// Links that are being used here, by the node that made them.
    joins: BTreeMap<NodeId, PairKey>,
    sessions: BTreeMap<LinkId, Session>,
    /// Devices that were removed while a link with them stood.
    forgotten: BTreeSet<NodeId>,
}

#[derive(Debug)]
struct OpenLink {
    key: PairKey,
    until: Time,
}

/// What has been said on one link.
#[derive(Debug, Default)]
pub(crate) struct Session {
    key: Option<PairKey>,
    sent: u32,
    got: u32,
    /// Whether this end has said hello, and the other has shown that it has the key.
    greeted: bool,
    heard: bool,
    /// Messages that did not open.
    failed: u8,
    /// Whether either end has offered all that it has.
    all_here: bool,
    all_there: bool,
    pub(crate) offering: Option<Offering>,
    pub(crate) taking: Option<Taking>,
    /// Topics that are not offered on this link: the other does not want them.
    pub(crate) passed: BTreeSet<TopicId>,
    /// Topics in which this device can seat nobody, by what is known of them so far.
    pub(crate) skipped: BTreeSet<u32>,
    /// How many topics it was given on this link.
    pub(crate) given: u32,
}

impl Pairing {
    /// Whether a link that this node made is being used here.
    pub(crate) fn is_joining(&self, node: &NodeId) -> bool {
        self.joins.contains_key(node)
    }

    pub(crate) fn session(&mut self, link: LinkId) -> Option<&mut Session> {
        self.sessions.get_mut(&link).filter(|session| session.heard)
    }

    /// A topic has changed, so that others may be seated there now.
    fn look_again(&mut self, local: u32) -> bool {
        let mut any = false;
        for session in self.sessions.values_mut() {
            session.skipped.remove(&local);
            any |= session.heard;
        }
        any
    }
}

/// Another device of the person, if it is one.
pub(crate) fn pair(store: &mut Staged<'_>, node: &NodeId) -> Option<PairRow> {
    decode(&store.get(NODE, &pair_key(node))?)
}

/// The other devices of the person.
pub(crate) fn pairs(store: &mut Staged<'_>) -> Vec<(NodeId, PairRow)> {
    let rows = store.prefix(NODE, &[PAIR], MAX_PAIRS);
    rows.into_iter()
        .filter_map(|(key, row)| {
            let node: [u8; 32] = key.get(1..)?.try_into().ok()?;
            Some((NodeId::from_bytes(node), decode(&row)?))
        })
        .collect()
}

fn pair_key(node: &NodeId) -> Vec<u8> {
    [&[PAIR], node.as_bytes().as_slice()].concat()
}

impl Inner {
    /// `way device invite`: a link that makes whoever uses it a device of this person.
    pub(crate) fn device_invite(&mut self, turn: &mut Turn<'_, '_>) -> Result<Reply, Failure> {
        if pairs(&mut turn.cx.store).len() >= MAX_PAIRS {
            let text = format!("a person has at most {MAX_PAIRS} other devices");
            let hint = "`way device remove` one that is not used any more";
            return Err(Failure::new(Code::Failed, text, hint));
        }
        self.may_pair()?;
        let own = self.own_addresses();
        let own = own.iter().filter_map(|uri| uri.parse::<NodeAddress>().ok());
        let at: Vec<NodeAddress> = own.take(wire::limits::MAX_LINK_ADDRESSES).collect();
        if at.is_empty() {
            return Err(Failure::new(
                Code::Failed,
                "this node has no address that another device could reach",
                "name one with `way up --public HOST:PORT`, or put both devices on one network",
            ));
        }
        let seed = PairSeed::generate(turn.cx.rng);
        let link = |at: &[NodeAddress]| {
            let seed = *seed.as_bytes();
            let at = at.to_vec();
            DeviceLink { seed, at }.to_text()
        };
        let text = link(&at)
            .or_else(|_| link(at.get(..1).unwrap_or_default()))
            .map_err(|why| Failure::new(Code::Failed, why.to_string(), ""))?;
        let now = turn.cx.now;
        let open = &mut self.pairing.open;
        open.retain(|link| link.until > now);
        if open.len() >= MAX_DEVICE_LINKS {
            open.remove(0);
        }
        let until = self.until(turn, DEVICE_LINK_MS);
        let key = seed.key();
        self.pairing.open.push(OpenLink { key, until });
        let until = turn.cx.wall.as_millis().saturating_add(DEVICE_LINK_MS);
        Ok(Reply::Device(DeviceReply::Invited { link: text, until }))
    }

    /// Devices come to know one another on a link between the two, from which each sees where the other is.
    fn may_pair(&self) -> Result<(), Failure> {
        if self.router.reach() == router::Reach::Any {
            return Ok(());
        }
        let text = "devices are linked with one another to become one person's, and this node is linked with its core \
                    nodes alone (reach = core)";
        let hint = "change `reach` in config.toml for as long as that takes, if each may see where the other is";
        Err(Failure::new(Code::Refused, text, hint))
    }

    /// `way device join`: makes this computer a device of whoever made the link.
    pub(crate) fn device_join(
        &mut self,
        turn: &mut Turn<'_, '_>,
        request: RequestId,
        text: &str,
        timeout_ms: u64,
    ) {
        match self.begin_device_join(turn, text) {
            Ok(node) => {
                self.wait(turn, request, What::Device(node), timeout_ms);
                if let Some(link) = self.link_of(&node) {
                    self.greet(turn, link);
                }
            }
            Err(failure) => self.reply(turn, request, Reply::Failed(failure)),
        }
    }

    fn begin_device_join(
        &mut self,
        turn: &mut Turn<'_, '_>,
        text: &str,
    ) -> Result<NodeId, Failure> {
        let link: DeviceLink = text.trim().parse().map_err(|why: wire::LinkError| {
            let hint = "make a new one on the other device: `way device invite`";
            Failure::new(Code::Usage, why.to_string(), hint)
        })?;
        let node = link.at.first().map(|address| address.node);
        let Some(node) = node.filter(|node| *node != self.id) else {
            let text = "this device made the link itself";
            return Err(Failure::new(Code::Usage, text, "use it on the other one"));
        };
        self.may_pair()?;
        if self.host.keys.config.core {
            let text = "this node serves as a core: it is nobody's device";
            return Err(Failure::new(Code::Refused, text, "use another home"));
        }
        let joins = &mut self.pairing.joins;
        let known = pairs(&mut turn.cx.store);
        let full = known.len() >= MAX_PAIRS && known.iter().all(|(known, _)| *known != node);
        if full || (joins.len() >= MAX_DEVICE_JOINS && !joins.contains_key(&node)) {
            let text = "there are as many other devices as there can be";
            return Err(Failure::new(Code::Failed, text, ""));
        }
        let key = PairSeed::from_bytes(link.seed).key();
        joins.insert(node, key);
        let at = link.at.iter().map(NodeAddress::authority).collect();
        self.keep(turn, node, Why::Errand, at);
        Ok(node)
    }

    /// Reads back which other devices there are, and keeps links with them.
    pub(crate) fn open_pairs(&mut self, turn: &mut Turn<'_, '_>) {
        for (node, row) in pairs(&mut turn.cx.store) {
            self.keep(turn, node, Why::Device, row.addresses);
        }
    }

    /// A link is open: says hello there, if there is another device of the person at its other end,
    /// or one is to become.
    pub(crate) fn greet(&mut self, turn: &mut Turn<'_, '_>, link: LinkId) {
        let Some(node) = self.links.get(&link).map(|state| state.node) else {
            return;
        };
        if let Some(seed) = self.pairing.joins.get(&node).cloned() {
            let plain = self.own_hello().encode();
            let Some(state) = self.links.get(&link) else {
                return;
            };
            let sealed = seed.seal(&state.secret, 0, &plain, turn.cx.rng);
            let key = seed.lasting(&state.secret);
            let session = Session {
                key: Some(key),
                greeted: true,
                ..Session::default()
            };
            self.pairing.sessions.insert(link, session);
            let step = PairStep::Seed;
            return turn.send(link, &Frame::Pair { step, sealed });
        }
        if let Some(key) = self.kept_key(turn, &node) {
            let session = self.pairing.sessions.entry(link).or_default();
            session.key = Some(key);
            self.say_hello(turn, link);
        }
    }

    fn say_hello(&mut self, turn: &mut Turn<'_, '_>, link: LinkId) {
        if let Some(session) = self.pairing.sessions.get_mut(&link) {
            session.greeted = true;
        }
        let hello = self.own_hello();
        self.say_to_pair(turn, link, &hello);
    }

    fn own_hello(&self) -> PairMessage {
        PairMessage::Hello {
            name: self.router.name().to_owned(),
            addresses: self.own_addresses(),
        }
    }

    /// The key by which another device is known.
    fn kept_key(&self, turn: &mut Turn<'_, '_>, node: &NodeId) -> Option<PairKey> {
        let key = self.host.keys.read_vault(turn.cx, &pair_key(node))?;
        Some(PairKey::from_bytes(key.as_slice().try_into().ok()?))
    }

    /// Says something under the key that both keep.
    pub(crate) fn say_to_pair(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        message: &PairMessage,
    ) {
        let Some(state) = self.links.get(&link) else {
            return;
        };
        let Some(session) = self.pairing.sessions.get_mut(&link) else {
            return;
        };
        let Some(key) = &session.key else { return };
        let step = match message {
            PairMessage::Hello { .. } => PairStep::Known,
            _ => PairStep::On,
        };
        let sealed = key.seal(&state.secret, session.sent, &message.encode(), turn.cx.rng);
        session.sent = session.sent.saturating_add(1);
        turn.send(link, &Frame::Pair { step, sealed });
    }

    /// A message of a device came, or what is to look like one.
    pub(crate) fn on_pair(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        step: PairStep,
        sealed: &[u8],
    ) {
        let tried = self.pairing.sessions.get(&link);
        if self.is_denied(link) || tried.is_some_and(|it| it.failed >= MAX_PAIR_TRIES) {
            return;
        }
        let heard = match step {
            PairStep::Seed => self.on_seed(turn, link, sealed),
            PairStep::Known | PairStep::On => self.on_sealed(turn, link, step, sealed),
        };
        if heard.is_none() {
            let session = self.pairing.sessions.entry(link).or_default();
            session.failed = session.failed.saturating_add(1);
            if self.is_stranger(link) {
                self.sorry(turn, link);
            } else if step == PairStep::Seed {
                let refusal = Frame::Refused {
                    subject: Subject::Link,
                    code: wire::Code::INVITE,
                    text: "no such device link is open here".to_owned(),
                    retry: 0,
                };
                turn.send(link, &refusal);
            }
        }
    }

    /// Somebody shows the seed of a link: it is used up by that.
    fn on_seed(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, sealed: &[u8]) -> Option<()> {
        let now = turn.cx.now;
        self.pairing.open.retain(|open| open.until > now);
        let state = self.links.get(&link)?;
        let (node, secret) = (state.node, state.secret.clone());
        let open = self.pairing.open.iter().enumerate();
        let (at, plain) = open
            .filter_map(|(at, open)| Some((at, open.key.open(&secret, 0, sealed)?)))
            .next()?;
        let open = self.pairing.open.remove(at);
        let Ok(PairMessage::Hello { name, addresses }) = PairMessage::decode(&plain) else {
            return None;
        };
        let key = open.key.lasting(&secret);
        let session = Session {
            key: Some(key.clone()),
            heard: true,
            ..Session::default()
        };
        self.pairing.sessions.insert(link, session);
        self.keep_pair(turn, node, &key, (name, addresses));
        self.say_hello(turn, link);
        self.pairs_go_on(turn);
        Some(())
    }

    fn on_sealed(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        step: PairStep,
        sealed: &[u8],
    ) -> Option<()> {
        let node = self.links.get(&link)?.node;
        let known = self.pairing.sessions.get(&link);
        if known.is_none_or(|session| session.key.is_none()) {
            let key = self.kept_key(turn, &node)?;
            self.pairing.sessions.entry(link).or_default().key = Some(key);
        }
        let secret = &self.links.get(&link)?.secret;
        let session = self.pairing.sessions.get_mut(&link)?;
        if session.heard == (step == PairStep::Known) {
            return None;
        }
        let plain = session.key.as_ref()?.open(secret, session.got, sealed)?;
        session.got = session.got.saturating_add(1);
        let message = PairMessage::decode(&plain).ok()?;
        if session.heard {
            self.pair_said(turn, link, node, message);
            return Some(());
        }
        let PairMessage::Hello { name, addresses } = message else {
            return None;
        };
        session.heard = true;
        let key = session.key.clone()?;
        let greeted = session.greeted;
        self.keep_pair(turn, node, &key, (name, addresses));
        self.pairing.joins.remove(&node);
        if !greeted {
            self.say_hello(turn, link);
        }
        self.pairs_go_on(turn);
        Some(())
    }

    fn keep_pair(
        &mut self,
        turn: &mut Turn<'_, '_>,
        node: NodeId,
        key: &PairKey,
        (name, addresses): (String, Vec<String>),
    ) {
        let now = turn.cx.wall.as_millis();
        let known = pair(&mut turn.cx.store, &node);
        let row = PairRow {
            name,
            addresses: addresses.clone(),
            since: known.map_or(now, |row| row.since),
            seen: now,
        };
        turn.cx.store.put(NODE, pair_key(&node), encode(&row));
        self.pairing.forgotten.remove(&node);
        let keys = &self.host.keys;
        keys.write_vault(turn.cx, &pair_key(&node), key.as_bytes());
        self.stands(turn, node, Standing::Member);
        self.errand_over(turn, node);
        self.keep(turn, node, Why::Device, addresses);
    }

    /// A device is the person's no more: it is not known again, and hears nothing more.
    pub(crate) fn forget_pair(&mut self, turn: &mut Turn<'_, '_>, node: &NodeId) {
        turn.cx.store.delete(NODE, pair_key(node));
        turn.cx.store.delete(VAULT, pair_key(node));
        let prefix = [&[HANDED], node.as_bytes().as_slice()].concat();
        loop {
            // What is deleted is not found again.
            let rows = turn.cx.store.prefix(NODE, &prefix, MAX_PAIRS);
            if rows.is_empty() {
                break;
            }
            for (key, _) in rows {
                turn.cx.store.delete(NODE, key);
            }
        }
        self.pairing.joins.remove(node);
        let links = self.links.iter().filter(|(_, state)| state.node == *node);
        let links: Vec<LinkId> = links.map(|(link, _)| *link).collect();
        for link in links {
            self.pairing.sessions.remove(&link);
        }
        self.release(turn, *node, Why::Device);
        if self.link_of(node).is_some() {
            self.pairing.forgotten.insert(*node);
        }
        self.stranger_again(turn, node);
    }

    /// A device that was removed is a stranger on its links, once nothing else is known of it: whatever it still takes
    /// part in as somebody else it shows again.
    pub(crate) fn stranger_again(&mut self, turn: &mut Turn<'_, '_>, node: &NodeId) {
        let mut links = self.links.values().filter(|state| state.node == *node);
        let takes_part = |state: &Link| {
            let mut proven = state.proven.iter();
            proven.any(|local| !state.readers.contains_key(local))
        };
        if self.pairing.forgotten.contains(node) && !links.any(takes_part) {
            self.stands(turn, *node, Standing::Stranger);
            // What is public it reads on, as anybody may.
            let mut links = self.links.values().filter(|state| state.node == *node);
            if links.any(|state| !state.readers.is_empty()) {
                self.stands(turn, *node, Standing::Reader);
            }
        }
    }

    /// A link is gone.
    pub(crate) fn pair_gone(&mut self, link: LinkId, node: &NodeId) {
        self.pairing.sessions.remove(&link);
        if self.link_of(node).is_none() {
            self.pairing.forgotten.remove(node);
        }
    }

    /// The node that made a link does not know it.
    pub(crate) fn pair_refused(&mut self, turn: &mut Turn<'_, '_>, node: NodeId, code: wire::Code) {
        if !matches!(code, wire::Code::INVITE | wire::Code::STRANGER) {
            return;
        }
        if self.pairing.joins.remove(&node).is_none() {
            return;
        }
        self.errand_over(turn, node);
        for request in self.waiting.paired(node) {
            let failure = Failure::new(
                Code::Refused,
                "the other device does not know this link: it was used, or is too old",
                "make a new one there: `way device invite`",
            );
            self.reply(turn, request, Reply::Failed(failure));
        }
    }

    /// Nobody waits for a link to be answered any more.
    pub(crate) fn device_join_over(&mut self, turn: &mut Turn<'_, '_>, node: NodeId) {
        if self.pairing.joins.remove(&node).is_some() {
            self.errand_over(turn, node);
        }
    }

    /// Something has changed in a topic: perhaps other devices can be seated there now.
    pub(crate) fn pairs_look_again(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        if self.pairing.look_again(local) {
            self.pairs_go_on(turn);
        }
    }

    /// Goes on with what is to be offered, in a turn of its own.
    pub(crate) fn pairs_go_on(&mut self, turn: &mut Turn<'_, '_>) {
        let at = turn.cx.now.after(PAIR_AGAIN);
        self.timers.set_earlier(Timer::Pairs, at);
    }

    /// All that either end has to offer was offered: who waited to join is told.
    fn pair_settled(&mut self, turn: &mut Turn<'_, '_>, link: LinkId) {
        let Some(node) = self.links.get(&link).map(|state| state.node) else {
            return;
        };
        let session = self.pairing.session(link);
        let Some(given) = session
            .filter(|session| session.all_here && session.all_there)
            .map(|session| session.given)
        else {
            return;
        };
        let name = pair(&mut turn.cx.store, &node).map_or_else(String::new, |row| row.name);
        for request in self.waiting.paired(node) {
            let reply = DeviceReply::Joined {
                node,
                name: name.clone(),
                topics: given,
            };
            self.reply(turn, request, Reply::Device(reply));
        }
    }
}
