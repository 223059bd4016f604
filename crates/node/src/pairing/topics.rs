//! Topics that go from one device of a person to another.
//!
//! The giver is a device that may act alone for the member under which the person takes part. It
//! offers the topic; the other device says its key there; the giver writes the act that seats that key,
//! the other signs that it agrees, and the giver publishes it. Then the giver hands over what the person may
//! read. One topic after another, and each step again on the next link if this one breaks.

use super::lost::{handed, note_handed};
use crate::io::LinkId;
use crate::keychain::TopicKeys;
use crate::limits::{MAX_PAIRED_EPOCHS, MAX_PAIRED_TOPICS, MAX_PROPOSALS_TRIED};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::rows::{EpochRow, NODE, TopicRow, decode, epoch_key};
use identity::limits::MAX_DEVICES;
use identity::{ActId, EnvelopeId, Form, GrantId, Id, NodeId, PublicKey, TopicId};
use lace::{Effect, Lace};
use machine::{Cx, Staged};
use rights::{HeldEpoch, KeyRing, Member, Unenforced};
use std::collections::BTreeSet;
use topic::Role as Part;
use wire::limits::{MAX_CORES, MAX_PAIR_EPOCHS};
use wire::plain::{CoreEntry, CoreList};
use wire::{Act, Item, PairEpoch, PairMessage, PairOffer, PairPass, Role};

/// What is offered of a topic that the person only reads: no grant.
const READ: GrantId = GrantId::from_bytes([0; 32]);

/// A topic that is being offered.
#[derive(Debug)]
pub(crate) struct Offering {
    local: u32,
    topic: TopicId,
    /// The device that is to be seated.
    device: Option<PublicKey>,
    /// The act that would do so.
    act: Option<ActId>,
    /// Acts that were proposed: the member may change meanwhile.
    proposed: u8,
}

/// A topic that was offered, and is wanted.
#[derive(Debug)]
pub(crate) struct Taking {
    topic: TopicId,
    offer: PairOffer,
}

/// As what a person takes part in a topic.
pub(crate) struct Own {
    /// The member.
    pub(crate) id: Id,
    /// The grant that it holds.
    pub(crate) grant: GrantId,
    /// As it stands.
    pub(crate) member: Member,
}

impl Own {
    /// The member for which a device may act, in a topic. Nothing of one that was only let in by an
    /// invite: nobody has told what it consists of.
    pub(crate) fn of(lace: &Lace, store: &mut Staged<'_>, device: &PublicKey) -> Option<Self> {
        let effect = lace.held_effect(store);
        let (id, grant) = seat(&effect, device)?;
        Some(Self {
            id,
            grant,
            member: member(lace, store, id)?,
        })
    }
}

/// What stands of a composition in a topic.
pub(crate) fn member(lace: &Lace, store: &mut Staged<'_>, id: Id) -> Option<Member> {
    let set = lace.held_set(store);
    let evidence = lace.held_evidence();
    lace.facts(store, |facts| Member::of(facts, &set, &evidence, id))
}

/// The composition in which a device has a seat, by the grant of the least depth, and that grant.
fn seat(effect: &Effect, device: &PublicKey) -> Option<(Id, GrantId)> {
    let seats = effect.devices.keys().filter(|(_, key)| key == device);
    let holders: BTreeSet<Id> = seats.map(|(holder, _)| *holder).collect();
    let held = effect.grants.iter().filter_map(|(grant, it)| {
        let holder = it.holder.filter(|holder| holders.contains(holder))?;
        Some((it.depth, *grant, holder))
    });
    let (_, grant, holder) = held.min()?;
    Some((holder, grant))
}

impl Inner {
    /// Offers what is to be offered: one topic is looked at in a turn.
    pub(crate) fn offer_to_pairs(&mut self, turn: &mut Turn<'_, '_>) {
        let links: Vec<LinkId> = self.pairing.sessions.keys().copied().collect();
        for link in links {
            let idle = self.pairing.session(link);
            if idle.is_some_and(|session| session.offering.is_none()) {
                self.offer_next(turn, link);
            }
        }
    }

    fn offer_next(&mut self, turn: &mut Turn<'_, '_>, link: LinkId) {
        let Some((local, topic)) = self.next_offer(turn.cx, link) else {
            let Some(session) = self.pairing.session(link) else {
                return;
            };
            if !std::mem::replace(&mut session.all_here, true) {
                self.say_to_pair(turn, link, &PairMessage::Done);
                self.pair_settled(turn, link);
            }
            return;
        };
        let offer = self.offer(turn, local);
        let Some(session) = self.pairing.session(link) else {
            return;
        };
        match offer {
            Some(offer) => {
                session.offering = Some(Offering {
                    local,
                    topic,
                    device: None,
                    act: None,
                    proposed: 0,
                });
                self.say_to_pair(turn, link, &PairMessage::Offer(Box::new(offer)));
            }
            None => {
                session.skipped.insert(local);
                self.pairs_go_on(turn);
            }
        }
    }

    /// The next topic that the other device may lack.
    fn next_offer(&mut self, cx: &mut Cx<'_>, link: LinkId) -> Option<(u32, TopicId)> {
        let node = self.links.get(&link)?.node;
        let session = self.pairing.session(link)?;
        let topics = self.host.keys.topics();
        let mut topics = topics.filter(|(local, keys)| {
            keys.device.is_some()
                && (keys.row.opened || keys.is_reader())
                && !keys.row.left
                && !session.skipped.contains(local)
                && !session.passed.contains(&keys.id)
        });
        let mut lacks = |id: &TopicId| {
            let known = handed(&mut cx.store, &node, id);
            !known.has && !known.never
        };
        let (local, keys) = topics.find(|(_, keys)| lacks(&keys.id))?;
        Some((local, keys.id))
    }

    /// What is said of a topic, if this device can seat another one there.
    fn offer(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Option<PairOffer> {
        let reads = self.host.keys.topic(local)?.is_reader();
        let grant = if reads {
            READ
        } else {
            let own = self.own_member(turn, local)?;
            let now = own.member.now()?;
            if now.form.threshold() > 1 || now.form.devices().len() >= MAX_DEVICES {
                return None;
            }
            own.grant
        };
        let mut cores: Vec<CoreEntry> = self
            .cores_of(local)
            .into_iter()
            .map(|(node, addresses)| CoreEntry {
                node,
                addresses: addresses.into_iter().take(2).collect(),
                name: String::new(),
            })
            .collect();
        cores.retain(|core| !self.router.is_reached_by_cores_alone(turn.cx, &core.node));
        if reads {
            let ways = self.ways_of(local).into_iter().map(|way| CoreEntry {
                node: way.node,
                addresses: vec![way.uri()],
                name: String::new(),
            });
            cores.extend(ways);
        }
        cores.truncate(MAX_CORES);
        let keys = self.host.keys.topic(local)?;
        Some(PairOffer {
            genesis: keys.genesis.clone(),
            name: keys.row.name.clone(),
            grant,
            cores: CoreList { cores },
        })
    }

    /// As what this device takes part in a topic.
    pub(crate) fn own_member(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Option<Own> {
        let device = self.host.keys.topic(local)?.device.as_ref()?.public();
        look(&mut self.topics, turn.cx, local, |lace, store| {
            Own::of(lace, store, &device)
        })
        .flatten()
    }

    /// Another device of the person said something.
    pub(super) fn pair_said(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        node: NodeId,
        message: PairMessage,
    ) {
        match message {
            // Said once, at the beginning.
            PairMessage::Hello { .. } => {}
            PairMessage::Offer(offer) => self.on_offer(turn, link, *offer),
            PairMessage::Take { topic, device } => self.on_take(turn, link, topic, device),
            PairMessage::Pass { topic, why } => self.on_pass(turn, link, node, (topic, why)),
            PairMessage::Propose { topic, act } => self.on_propose(turn, link, topic, *act),
            PairMessage::Consent { topic, act } => self.on_consent(turn, link, topic, *act),
            PairMessage::Given {
                topic,
                at,
                by,
                epochs,
            } => self.on_given(turn, link, topic, (at, by, epochs)),
            PairMessage::Done => {
                if let Some(session) = self.pairing.session(link) {
                    session.all_there = true;
                }
                self.pair_settled(turn, link);
            }
        }
    }

    fn on_offer(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, offer: PairOffer) {
        let topic = offer.genesis.topic_id();
        if let Some(session) = self.pairing.session(link) {
            session.all_there = false;
        }
        let usable =
            Unenforced::look(&offer.genesis).is_ok() && KeyRing::new(topic, &offer.genesis).is_ok();
        let full = self.host.keys.topics().count() >= MAX_PAIRED_TOPICS;
        let answer = match self.host.keys.local(&topic) {
            None if usable && !self.host.keys.config.core && !full => None,
            None => Some(PairPass::No),
            Some(local) => self.has_offered(turn, local, &offer.grant),
        };
        if let (None, true) = (answer, offer.grant == READ) {
            return self.read_offered(turn, link, (topic, offer));
        }
        if let Some(why) = answer {
            return self.say_to_pair(turn, link, &PairMessage::Pass { topic, why });
        }
        let keys = &self.host.keys;
        let device = keys.config.device.key_in(topic, &offer.genesis).public();
        let Some(session) = self.pairing.session(link) else {
            return;
        };
        session.taking = Some(Taking { topic, offer });
        self.say_to_pair(turn, link, &PairMessage::Take { topic, device });
    }

    /// What to say to the offer of a topic that is here: nothing where it is wanted once more.
    fn has_offered(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        grant: &GrantId,
    ) -> Option<PairPass> {
        let keys = self.host.keys.topic(local);
        let Some(keys) = keys.filter(|keys| !keys.row.left) else {
            return Some(PairPass::No);
        };
        let Some(device) = keys.device.as_ref().map(|device| device.public()) else {
            return Some(PairPass::No);
        };
        if *grant == READ {
            return Some(PairPass::Has);
        }
        if keys.is_reader() {
            // It is to have a seat now.
            return None;
        }
        let waits = !keys.row.opened && keys.row.grant == *grant.as_bytes();
        let same = look(&mut self.topics, turn.cx, local, |lace, store| {
            lace.is_member(store, &device, grant, None)
        });
        match (same, waits) {
            // It was given before, and what came with it may have been lost.
            (_, true) => None,
            (Some(true), false) => Some(PairPass::Has),
            _ => Some(PairPass::No),
        }
    }

    fn on_take(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        topic: TopicId,
        device: PublicKey,
    ) {
        let Some(session) = self.pairing.session(link) else {
            return;
        };
        let offering = session.offering.as_mut();
        let Some(offering) = offering.filter(|it| it.topic == topic) else {
            return;
        };
        offering.device = Some(device);
        let local = offering.local;
        self.propose(turn, link, (local, topic), device);
    }

    /// Writes the act that seats a device, or says that it has its seat.
    fn propose(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        (local, topic): (u32, TopicId),
        device: PublicKey,
    ) {
        let node = self.links.get(&link).map(|state| state.node);
        if node.is_none_or(|node| self.is_barred(turn, (local, topic), &node, &device)) {
            return self.give_up(turn, link, topic);
        }
        let Some(own) = self.own_member(turn, local) else {
            return self.give_up(turn, link, topic);
        };
        let Some(now) = own.member.now() else {
            return self.give_up(turn, link, topic);
        };
        if now.form.has(&device) {
            return match self.carrier_of(turn, local, &own.member) {
                Some(at) => self.hand_over(turn, link, (local, topic), at),
                // It was there from the beginning: what it lacks it has lost.
                None => self.give_up(turn, link, topic),
            };
        }
        let beside = look(&mut self.topics, turn.cx, local, |lace, store| {
            let effect = lace.held_effect(store);
            let mut seats = effect.devices.keys();
            seats.any(|(holder, key)| *key == device && *holder != own.id)
        });
        let keys = self.host.keys.topic(local);
        let signer = keys.and_then(|keys| keys.device.clone());
        let act = signer
            .filter(|_| beside == Some(false))
            .and_then(|signer| seating(&own, device, &signer, topic));
        let Some(session) = self.pairing.session(link) else {
            return;
        };
        match (act, session.offering.as_mut()) {
            (Some(act), Some(offering)) if offering.proposed < MAX_PROPOSALS_TRIED => {
                offering.proposed = offering.proposed.saturating_add(1);
                offering.act = Some(act.id());
                let act = Box::new(act);
                self.say_to_pair(turn, link, &PairMessage::Propose { topic, act });
            }
            _ => self.give_up(turn, link, topic),
        }
    }

    /// This topic is not for that device, for now.
    fn give_up(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, topic: TopicId) {
        if let Some(session) = self.pairing.session(link) {
            session.passed.insert(topic);
            session.offering = None;
        }
        self.pairs_go_on(turn);
    }

    fn on_pass(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        node: NodeId,
        (topic, why): (TopicId, PairPass),
    ) {
        let Some(session) = self.pairing.session(link) else {
            return;
        };
        if session.offering.as_ref().is_none_or(|it| it.topic != topic) {
            return;
        }
        let local = session.offering.as_ref().map(|it| it.local);
        let keys = local.and_then(|local| self.host.keys.topic(local));
        if let Some(local) = local.filter(|_| keys.is_some_and(TopicKeys::is_reader)) {
            // There may be a seat to give one day.
            session.offering = None;
            session.skipped.insert(local);
            return self.pairs_go_on(turn);
        }
        if why == PairPass::Has
            && let Some(local) = local
        {
            self.note_has(turn, (local, topic), &node);
        }
        self.give_up(turn, link, topic);
    }

    /// The other device asks this one to agree that it is seated.
    fn on_propose(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, topic: TopicId, mut act: Act) {
        let Some(session) = self.pairing.session(link) else {
            return;
        };
        let taking = session.taking.as_ref();
        let Some(taking) = taking.filter(|taking| taking.topic == topic) else {
            return;
        };
        let keys = &self.host.keys;
        let device = keys.config.device.key_in(topic, &taking.offer.genesis);
        if !act.form.has(&device.public()) || act.verify(topic).is_err() {
            return;
        }
        act.sign(topic, &device, Role::New);
        let act = Box::new(act);
        self.say_to_pair(turn, link, &PairMessage::Consent { topic, act });
    }

    fn on_consent(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, topic: TopicId, act: Act) {
        let Some(session) = self.pairing.session(link) else {
            return;
        };
        let Some(offering) = session.offering.as_ref() else {
            return;
        };
        let asked = offering.topic == topic && offering.act == Some(act.id());
        let (local, device) = (offering.local, offering.device);
        let Some(device) = device.filter(|_| asked) else {
            return;
        };
        let own = self.own_member(turn, local);
        let follows = own.as_ref().and_then(|own| own.member.now());
        let follows =
            follows.is_some_and(|now| now.id == act.previous && act.is_signed_from(&now.form));
        if !follows || act.verify(topic).is_err() {
            // The member has changed meanwhile, or the signature is none.
            return self.propose(turn, link, (local, topic), device);
        }
        let node = self.links.get(&link).map(|state| state.node);
        let barred = node.is_none_or(|node| self.is_barred(turn, (local, topic), &node, &device));
        if barred {
            return self.give_up(turn, link, topic);
        }
        match self.publish_act(turn, local, act) {
            Some(at) => {
                if let Some(node) = node {
                    // By this it is known again when the seat is taken away.
                    note_handed(&mut turn.cx.store, &node, &topic, |row| {
                        row.device = device.as_bytes().to_vec();
                        row.proved = true;
                    });
                }
                self.hand_over(turn, link, (local, topic), at);
            }
            None => self.give_up(turn, link, topic),
        }
    }

    fn publish_act(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        act: Act,
    ) -> Option<(EnvelopeId, PublicKey)> {
        self.open_author(turn, local).ok()?;
        let device = self.host.keys.topic(local)?.device.as_ref()?.public();
        let draft = topic::Draft {
            payload: topic::Payload::Items(vec![Item::Act(act)]),
            lifespan: None,
            answers: Vec::new(),
            manifest: None,
        };
        let published = self.with_topics(turn, |topics, env| topics.publish(env, local, draft));
        let at = published.ok()?.id;
        self.note_queued(turn, local);
        Some((at, device))
    }

    /// The envelope with the newest act of a member, and the device that wrote it.
    pub(crate) fn carrier_of(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        member: &Member,
    ) -> Option<(EnvelopeId, PublicKey)> {
        let by = member.now()?.by?;
        look(&mut self.topics, turn.cx, local, |lace, store| {
            let fact = lace.facts(store, |facts| facts.fact(by))?;
            let header = lace.header(store, &fact.carrier)?;
            Some((fact.carrier, *lace.author(&header.header.author)?.device()))
        })
        .flatten()
    }

    /// Tells a device that it is seated, and what the person may read.
    fn hand_over(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        (local, topic): (u32, TopicId),
        (at, by): (EnvelopeId, PublicKey),
    ) {
        let all = self.epochs_held(turn.cx, local);
        let mut parts: Vec<Vec<PairEpoch>> =
            all.chunks(MAX_PAIR_EPOCHS).map(<[_]>::to_vec).collect();
        if parts.is_empty() {
            parts.push(Vec::new());
        }
        for epochs in parts {
            let given = PairMessage::Given {
                topic,
                at,
                by,
                epochs,
            };
            self.say_to_pair(turn, link, &given);
        }
    }

    /// What this device holds of the newest epochs, the newest first: none after the one under which it
    /// writes, by which the other is known until it can judge for itself.
    fn epochs_held(&self, cx: &mut Cx<'_>, local: u32) -> Vec<PairEpoch> {
        let Some(keys) = self.host.keys.topic(local) else {
            return Vec::new();
        };
        let mut held: Vec<(u64, PairEpoch)> = Vec::new();
        let all: Vec<&HeldEpoch> = keys.ring.epochs().collect();
        let writes = |it: &&HeldEpoch| it.is_clean() && it.access().is_some();
        let last = all.iter().rposition(writes);
        let upto = last.map_or(all.len(), |last| last.saturating_add(1));
        for epoch in all.into_iter().take(upto) {
            let Some(access) = epoch.access() else {
                continue;
            };
            let row = cx.store.get(NODE, &epoch_key(local, &epoch.epoch().id()));
            let row = row.and_then(|row| decode::<EpochRow>(&row));
            let item = row.and_then(|row| match Item::decode(&row.item) {
                Ok(Item::Epoch(item)) => Some(item),
                _ => None,
            });
            // Without what announced it the other device could not know what it is.
            if item.is_none() && epoch.epoch().id() != keys.genesis.epoch.id() {
                continue;
            }
            let generation = epoch.generation();
            let access = access.to_bytes().to_vec();
            let one = PairEpoch {
                item,
                generation,
                access,
            };
            held.push((generation, one));
        }
        held.sort_by_key(|(generation, _)| core::cmp::Reverse(*generation));
        let held = held.into_iter().map(|(_, epoch)| epoch);
        held.take(MAX_PAIRED_EPOCHS).collect()
    }

    fn on_given(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        topic: TopicId,
        (at, by, epochs): (EnvelopeId, PublicKey, Vec<PairEpoch>),
    ) {
        let Some(node) = self.links.get(&link).map(|state| state.node) else {
            return;
        };
        let Some(session) = self.pairing.session(link) else {
            return;
        };
        let taking = session.taking.as_ref();
        let Some(taking) = taking.filter(|taking| taking.topic == topic) else {
            return;
        };
        let offer = taking.offer.clone();
        let local = match self.host.keys.local(&topic) {
            Some(local) => Some(local),
            None => {
                session.given = session.given.saturating_add(1);
                self.take_topic(turn, (topic, &offer), (at, by), &epochs)
            }
        };
        let Some(local) = local else {
            let why = PairPass::No;
            return self.say_to_pair(turn, link, &PairMessage::Pass { topic, why });
        };
        self.take_epochs(turn, local, epochs);
        // By what the core nodes know now.
        self.want_served(turn, local);
        // It came from there.
        note_handed(&mut turn.cx.store, &node, &topic, |row| row.has = true);
        let why = PairPass::Has;
        self.say_to_pair(turn, link, &PairMessage::Pass { topic, why });
        self.join_progress(turn, local);
    }

    /// Begins to take part in a topic, as another device of a member.
    fn take_topic(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (topic, offer): (TopicId, &PairOffer),
        (at, by): (EnvelopeId, PublicKey),
        epochs: &[PairEpoch],
    ) -> Option<u32> {
        let mut ring = KeyRing::new(topic, &offer.genesis).ok()?;
        for epoch in epochs.iter().filter(|epoch| epoch.item.is_none()) {
            let access = rights::Access::from_bytes(&epoch.access).ok()?;
            ring.unlock(offer.genesis.epoch.id(), access).ok()?;
        }
        let row = TopicRow {
            name: self.free_name(&offer.name),
            custodian: false,
            grant: *offer.grant.as_bytes(),
            invite_at: *at.as_bytes(),
            inviter: by.to_bytes(),
            ..TopicRow::custodian(topic, offer.genesis.encode())
        };
        let local = self.host.keys.add(turn.cx, row, ring)?;
        self.topics
            .create(turn.cx, local, &offer.genesis, Part::Member);
        for core in &offer.cores.cores {
            self.learn_core(turn, local, core.node, core.addresses.clone());
        }
        self.begin_rounds_soon(turn);
        Some(local)
    }

    fn take_epochs(&mut self, turn: &mut Turn<'_, '_>, local: u32, epochs: Vec<PairEpoch>) {
        for epoch in epochs {
            let Ok(access) = rights::Access::from_bytes(&epoch.access) else {
                continue;
            };
            let keys = &mut self.host.keys;
            let id = match &epoch.item {
                Some(item) => {
                    if keys
                        .epoch_came(turn.cx, local, item, epoch.generation)
                        .is_err()
                    {
                        continue;
                    }
                    item.id()
                }
                None => match keys.topic(local) {
                    Some(keys) => keys.genesis.epoch.id(),
                    None => return,
                },
            };
            // What does not fit to what was announced is not taken.
            let _taken = keys.key_came(turn.cx, local, id, access);
        }
        self.begin_rounds_soon(turn);
    }
}

/// The act that seats one more device, signed by one that is there.
fn seating(
    own: &Own,
    device: PublicKey,
    signer: &identity::SecretKey,
    topic: TopicId,
) -> Option<Act> {
    let now = own.member.now()?;
    let keys = now.form.devices().iter().map(|it| it.key);
    let keys: BTreeSet<PublicKey> = keys.chain([device]).collect();
    let mut act = Act {
        composition: own.id,
        number: own.member.next_number(),
        previous: now.id,
        form: Form::equal(&keys, now.form.threshold()).ok()?,
        cut: Vec::new(),
        signatures: Vec::new(),
    };
    act.sign(topic, signer, Role::Signer);
    Some(act)
}

/// Whether a device has been part of the member that holds a grant, and is no more by what is known here.
pub(crate) fn has_lost_seat(
    lace: &Lace,
    store: &mut Staged<'_>,
    grant: &GrantId,
    device: &PublicKey,
) -> bool {
    let effect = lace.held_effect(store);
    let holder = effect.grants.get(grant).and_then(|it| it.holder);
    let Some(member) = holder.and_then(|holder| member(lace, store, holder)) else {
        return false;
    };
    let was = member.states.iter().any(|state| state.form.has(device));
    was && !member.now().is_some_and(|now| now.form.has(device))
}
