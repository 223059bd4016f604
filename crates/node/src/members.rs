//! What a member says about itself in a topic: its name and the signed advert of its node, and what
//! follows from it: whom mail can be sealed for, and with whom a link is kept.
//!
//! The adverts are with the router. Here is which device is on which node, as far as links are kept
//! for it, so that nothing is read from the store while core nodes and links come and go.

use crate::node::{Inner, Turn};
use crate::rows::{self, MemberRow, NODE, PROFILES, said_key};
use crate::tidings::MAX_KEPT_MEMBERS;
use identity::{NodeId, PublicKey};
use router::Why;
use std::collections::{BTreeMap, BTreeSet};
use wire::NodeAdvert;
use wire::plain::{CoreList, Profile};

/// Members of a topic whose rows are removed when the topic is dropped, in one turn. Of more, the
/// rest stays behind: nobody reads it, since a topic's local number is never given again.
const MAX_DROPPED: usize = 16_384;

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

    fn note(&mut self, local: u32, device: PublicKey, member: Member) {
        let members = self.0.entry(local).or_default();
        if members.len() < MAX_KEPT_MEMBERS || members.contains_key(&device) {
            members.insert(device, member);
        }
    }

    fn is_full(&self, local: u32) -> bool {
        self.of(local).count() >= MAX_KEPT_MEMBERS
    }

    fn forget(&mut self, local: u32) {
        self.0.remove(&local);
    }
}

impl Inner {
    /// Reads back what the members of a topic said in earlier lives.
    pub(crate) fn open_members(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        for (device, row) in rows::members(&mut turn.cx.store, local, MAX_KEPT_MEMBERS) {
            let node = row.node();
            let has_address = !self.router.addresses(turn.cx, &node).is_empty();
            let member = Member { node, has_address };
            self.tidings.members.note(local, device, member);
            self.learn_member(turn, local, &device, member);
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
        let before: Option<MemberRow> = turn
            .cx
            .store
            .get(NODE, &key)
            .and_then(|row| rows::decode(&row));
        let row = MemberRow {
            name: profile.name,
            node: *node.as_bytes(),
        };
        turn.cx.store.put(NODE, key, rows::encode(&row));
        let has_address = !profile.advert.value.addresses.is_empty();
        let member = Member { node, has_address };
        self.tidings.members.note(local, *device, member);
        if let Some(before) = before.filter(|before| before.node() != node) {
            self.release_member(turn, before.node());
        }
        self.learn_member(turn, local, device, member);
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
        let takes_part = self
            .host
            .keys
            .topic(local)
            .is_some_and(|keys| keys.device.is_some());
        if takes_part && !self.is_own(local, device) && member.has_address {
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
    /// members told of it. Where a topic has more members than are kept in memory the node may be one
    /// of the others: what was told of it then stays until the router needs the room.
    pub(crate) fn release_member(&mut self, turn: &mut Turn<'_, '_>, node: NodeId) {
        let members = &self.tidings.members;
        let topics = || self.host.keys.topics().map(|(local, _)| local);
        if topics().any(|local| members.nodes(local).any(|at| at == node)) {
            return;
        }
        let may_be_another = topics().any(|local| members.is_full(local));
        self.release(turn, node, Why::Member);
        self.release(turn, node, Why::Shortcut);
        if !may_be_another {
            self.router.forget_told(turn.cx, &node);
        }
    }

    /// Removes what members of a topic said, for the topic is being dropped.
    pub(crate) fn drop_members(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let nodes: BTreeSet<NodeId> = self.tidings.members.nodes(local).collect();
        self.tidings.members.forget(local);
        for (device, _) in rows::members(&mut turn.cx.store, local, MAX_DROPPED) {
            let key = said_key(PROFILES, local, &device);
            turn.cx.store.delete(NODE, key);
        }
        for node in nodes {
            self.release_member(turn, node);
        }
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
        *blake3::hash(&[said, cores.encode()].concat()).as_bytes()
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
