//! What a member says about itself in a topic: its name and the signed advert of its node, and what
//! follows from it: whom mail can be sealed for, and with whom a link is kept.
//!
//! The adverts are with the router, and here by node as members told them: the router asks for one
//! that it has had no room for, and a node that stands in none of them is no member's. In memory is
//! which device is on which node, as far as links are kept for it, so that nothing is read from the
//! store while core nodes and links come and go.

use crate::keychain::TopicKeys;
use crate::limits::{FORGOTTEN_PER_TURN, TOLD_LOOKED_AT};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::rows::{self, LISTED, MemberRow, NODE, PROFILES, TOLD, said_key, told_key};
use crate::tidings::MAX_KEPT_MEMBERS;
use crate::timer::Timer;
use identity::{NodeId, PublicKey};
use machine::Cx;
use router::Why;
use std::collections::{BTreeMap, BTreeSet};
use wire::plain::{CoreList, Profile};
use wire::{NodeAdvert, RawStatement, SignedAdvert};

/// Where a member is.
#[derive(Clone, Copy, Debug)]
struct Member {
    node: NodeId,
    /// Whether its node says where it can be reached.
    has_address: bool,
}

/// The members of each topic, at most [`MAX_KEPT_MEMBERS`] of one.
#[derive(Debug, Default)]
pub(crate) struct Members(BTreeMap<u32, BTreeMap<PublicKey, Member>>);

impl Members {
    fn of(&self, local: u32) -> impl Iterator<Item = (&PublicKey, &Member)> {
        self.0.get(&local).into_iter().flatten()
    }

    /// The nodes that members of a topic are on.
    pub(crate) fn nodes(&self, local: u32) -> impl Iterator<Item = NodeId> + '_ {
        self.of(local).map(|(_, member)| member.node)
    }

    /// The devices of members of a topic that are on this node.
    pub(crate) fn on(&self, local: u32, node: &NodeId) -> impl Iterator<Item = &PublicKey> {
        let on_it = self
            .of(local)
            .filter(move |(_, member)| member.node == *node);
        on_it.map(|(device, _)| device)
    }

    /// Whether a member of any topic is on this node.
    fn is_kept(&self, node: &NodeId) -> bool {
        let mut members = self.0.values().flat_map(BTreeMap::values);
        members.any(|member| member.node == *node)
    }

    /// Says whether there was room.
    fn note(&mut self, local: u32, device: PublicKey, member: Member) -> bool {
        let members = self.0.entry(local).or_default();
        let room = members.len() < MAX_KEPT_MEMBERS || members.contains_key(&device);
        if room {
            members.insert(device, member);
        }
        room
    }

    fn remove(&mut self, local: u32, device: &PublicKey) {
        if let Some(members) = self.0.get_mut(&local) {
            members.remove(device);
        }
    }

    fn forget(&mut self, local: u32) -> BTreeSet<NodeId> {
        let members = self.0.remove(&local).unwrap_or_default();
        members.values().map(|member| member.node).collect()
    }
}

impl Inner {
    /// Reads back what the members of a topic said in earlier lives. No link is kept with who takes part
    /// no more.
    pub(crate) fn open_members(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let mut said = rows::members(&mut turn.cx.store, local, MAX_KEPT_MEMBERS);
        look(&mut self.topics, turn.cx, local, |lace, store| {
            said.retain(|(device, _)| lace.has_member(store, device));
        });
        for (device, row) in said {
            let node = row.node();
            let has_address = !self
                .addresses_told(turn.cx, local, &device, &node)
                .is_empty();
            self.note_member(turn, local, device, Member { node, has_address });
        }
    }

    /// A member said what it is called and which node it is on. The advert is that node's own word
    /// and not the member's: if the node has not signed it, nothing of the profile is believed.
    pub(crate) fn take_profile(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        device: &PublicKey,
        profile: Profile,
    ) {
        let node = profile.node();
        let claims_us = node == self.id && !self.is_own(local, device);
        let signed = self
            .router
            .advert_told(turn.cx, &profile.advert, &mut turn.router);
        if claims_us || !signed {
            return;
        }
        let key = said_key(PROFILES, local, device);
        let before = self.said_before(turn, local, device);
        if node != self.id {
            let told = told_key(&node, local, device);
            let advert = profile.advert.to_raw().encode();
            turn.cx.store.put(TOLD, told, advert);
        }
        let row = MemberRow {
            name: profile.name,
            node: *node.as_bytes(),
        };
        turn.cx.store.put(NODE, key, rows::encode(&row));
        let has_address = !profile.advert.value.addresses.is_empty();
        self.note_member(turn, local, *device, Member { node, has_address });
        if let Some(before) = before.filter(|before| before.node() != node) {
            let told = told_key(&before.node(), local, device);
            turn.cx.store.delete(TOLD, told);
            self.release_member(turn, before.node());
        }
        self.pair_told(turn, local, device, &node);
    }

    /// Remembers where a member is, and keeps a link with it, while this device is shown in the topic.
    fn note_member(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        device: PublicKey,
        member: Member,
    ) {
        let keys = self.host.keys.topic(local);
        let shown = keys.is_some_and(TopicKeys::is_shown);
        if shown && self.tidings.members.note(local, device, member) {
            self.learn_member(turn, local, &device, member);
        }
    }

    fn said_before(
        &self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        device: &PublicKey,
    ) -> Option<MemberRow> {
        let row = turn.cx.store.get(NODE, &said_key(PROFILES, local, device));
        rows::decode(&row?)
    }

    /// A member has left: what it said of itself is nobody's word any more.
    pub(crate) fn member_left(&mut self, turn: &mut Turn<'_, '_>, local: u32, device: &PublicKey) {
        let Some(before) = self.said_before(turn, local, device) else {
            return;
        };
        let node = before.node();
        let store = &mut turn.cx.store;
        store.delete(NODE, said_key(PROFILES, local, device));
        store.delete(TOLD, told_key(&node, local, device));
        self.tidings.members.remove(local, device);
        self.release_member(turn, node);
    }

    /// A device takes part no more: no link is kept with its node for this topic's sake. What it said
    /// of itself stays, for those who read what it wrote.
    pub(crate) fn member_fell(&mut self, turn: &mut Turn<'_, '_>, local: u32, device: &PublicKey) {
        if let Some(before) = self.said_before(turn, local, device) {
            self.tidings.members.remove(local, device);
            self.release_member(turn, before.node());
        }
    }

    /// The router needs an advert that it has had no room for: it is told the newest that members of
    /// topics have told.
    pub(crate) fn tell_router(&mut self, turn: &mut Turn<'_, '_>, node: NodeId) {
        let rows = turn.cx.store.prefix(TOLD, node.as_bytes(), TOLD_LOOKED_AT);
        let told = |(key, value): (Vec<u8>, Vec<u8>)| {
            let local = u32::from_be_bytes(key.get(32..36)?.try_into().ok()?);
            // Of a dropped topic nothing is known any more, though it may still be there.
            self.host.keys.topic(local)?;
            stored_advert(&value)
        };
        let newest = rows.into_iter().filter_map(told);
        if let Some(advert) = newest.max_by_key(|advert| advert.value.version) {
            // It was checked before it was stored.
            let _signed = self.router.advert_told(turn.cx, &advert, &mut turn.router);
        }
    }

    /// Where a member's node can be reached, as its advert says, the best first; if the router has had
    /// no room for it, as the member told.
    pub(crate) fn addresses_told(
        &self,
        cx: &mut Cx<'_>,
        local: u32,
        device: &PublicKey,
        node: &NodeId,
    ) -> Vec<String> {
        // The newest word counts, also where it names no address any more.
        if self.router.advert(cx, node).is_some() {
            return self.router.addresses(cx, node);
        }
        let told = cx.store.get(TOLD, &told_key(node, local, device));
        let told = told.and_then(|value| stored_advert(&value));
        let mut told = told.map_or(Vec::new(), |advert| advert.value.addresses);
        told.sort_by_key(|address| core::cmp::Reverse(address.weight));
        told.into_iter().map(|address| address.uri).collect()
    }

    fn is_own(&self, local: u32, device: &PublicKey) -> bool {
        let keys = self.host.keys.topic(local);
        let own = keys.and_then(|keys| keys.device.as_ref());
        own.is_some_and(|own| own.public() == *device)
    }

    fn learn_member(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        device: &PublicKey,
        member: Member,
    ) {
        if !self.is_own(local, device) && member.has_address {
            // Through a core node members find one another anyhow.
            let why = if self.is_held(local) {
                Why::Shortcut
            } else {
                Why::Member
            };
            self.keep(turn, member.node, why, Vec::new());
        }
    }

    /// A core node holds a topic now, or none does any more: links with its members matter less, or
    /// more.
    pub(crate) fn weigh_members(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let members: Vec<(PublicKey, Member)> = self
            .tidings
            .members
            .of(local)
            .map(|(device, member)| (*device, *member))
            .collect();
        for (device, member) in &members {
            self.learn_member(turn, local, device, *member);
        }
        if members.is_empty() || !self.is_held(local) {
            return;
        }
        let topics = self.host.keys.topics().map(|(local, _)| local);
        let alone: BTreeSet<NodeId> = topics
            .filter(|local| !self.is_held(*local))
            .flat_map(|local| self.tidings.members.nodes(local))
            .collect();
        for (_, member) in members {
            if !alone.contains(&member.node) {
                self.release(turn, member.node, Why::Member);
            }
        }
    }

    /// Keeps no link with a node that is no member's any more in any topic, and nothing that only
    /// members told of it.
    fn release_member(&mut self, turn: &mut Turn<'_, '_>, node: NodeId) {
        if !self.tidings.members.is_kept(&node) {
            self.release(turn, node, Why::Member);
            self.release(turn, node, Why::Shortcut);
        }
        if turn.cx.store.prefix(TOLD, node.as_bytes(), 1).is_empty() {
            self.router.forget_told(turn.cx, &node);
        }
    }

    /// This device has left a topic and has nothing more to say there: its members, who do not know
    /// it any more, are left alone. What they said stays until the topic is forgotten.
    pub(crate) fn leave_members(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        for node in self.tidings.members.forget(local) {
            self.release_member(turn, node);
        }
    }

    /// Removes what members of a topic said, for the topic is being dropped: at once, or where it is
    /// much, a part in each turn.
    pub(crate) fn drop_members(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        self.leave_members(turn, local);
        turn.cx.store.put(NODE, rows::gone_key(local), []);
        self.forget_said(turn);
    }

    /// Goes on removing what members of dropped topics said, if there is anything left.
    pub(crate) fn forget_soon(&mut self, turn: &mut Turn<'_, '_>) {
        if rows::first_gone(&mut turn.cx.store).is_some() {
            self.timers.set_earlier(Timer::Forget, turn.cx.now);
        }
    }

    /// Removes a part of what members of dropped topics said. That a topic was dropped is written down
    /// until nothing of it is left.
    pub(crate) fn forget_said(&mut self, turn: &mut Turn<'_, '_>) {
        let store = &mut turn.cx.store;
        let Some(local) = rows::first_gone(store) else {
            return;
        };
        let mut room = FORGOTTEN_PER_TURN;
        let mut nodes = BTreeSet::new();
        for (device, row) in rows::said(store, PROFILES, local, room) {
            room = room.saturating_sub(1);
            store.delete(NODE, said_key(PROFILES, local, &device));
            if let Some(row) = rows::decode::<MemberRow>(&row) {
                store.delete(TOLD, told_key(&row.node(), local, &device));
                nodes.insert(row.node());
            }
        }
        for (device, _) in rows::said(store, LISTED, local, room) {
            room = room.saturating_sub(1);
            store.delete(NODE, said_key(LISTED, local, &device));
        }
        for (key, _) in store.prefix(NODE, &rows::vault_key(rows::BORNE, local), room) {
            room = room.saturating_sub(1);
            store.delete(NODE, key);
        }
        if room > 0 {
            store.delete(NODE, rows::gone_key(local));
        }
        for node in nodes {
            self.release_member(turn, node);
        }
        self.forget_soon(turn);
    }

    /// What this device says about itself; nothing before this node has an advert.
    pub(crate) fn own_profile(&self) -> Option<Profile> {
        Some(Profile {
            name: self.router.name().to_owned(),
            advert: self.router.own_signed()?.clone(),
        })
    }

    /// A hash of what is worth an envelope when it changes: the name, the sealing key, the core nodes
    /// of this node and those of the topic, and the addresses. Where a core node holds the topic,
    /// members find one another through it, and addresses that come and go with networks are not.
    pub(crate) fn hash_of_tidings(&self, profile: Option<&Profile>, cores: &CoreList) -> [u8; 32] {
        let said = profile.map(|profile| {
            let mut advert = NodeAdvert {
                name: profile.name.clone(),
                version: 0,
                created: 0,
                sealing_before: None,
                ..profile.advert.value.clone()
            };
            if !cores.cores.is_empty() {
                let lasting = self.host.keys.config.public.len();
                advert.addresses.truncate(lasting);
            }
            advert.encode()
        });
        let said = said.unwrap_or_default();
        let mut hashed = [said, cores.encode()].concat();
        if !self.router.may_tell_address() {
            // Where a core node holds the topic, too, members are told that there is no address any more, or one again.
            hashed.push(1);
        }
        *blake3::hash(&hashed).as_bytes()
    }

    /// This node has a new advert: members are told, where it says something else than before. One
    /// that skips versions is above others that this home has forgotten, and may hide behind equal
    /// words what others have of those; then all are told.
    pub(crate) fn advert_renewed(&mut self, turn: &mut Turn<'_, '_>) {
        let version = self.router.own_advert().map_or(0, |advert| advert.version);
        let known = std::mem::replace(&mut self.tidings.version, version);
        if known != 0 && version > known.saturating_add(1) {
            let locals: Vec<u32> = self.host.keys.topics().map(|(local, _)| local).collect();
            for local in locals {
                let keys = &mut self.host.keys;
                keys.update(turn.cx, local, |row| row.told = [0; 32]);
            }
        }
        self.tell_soon(turn);
    }
}

fn stored_advert(bytes: &[u8]) -> Option<SignedAdvert> {
    SignedAdvert::from_stored(RawStatement::decode(bytes).ok()?).ok()
}
