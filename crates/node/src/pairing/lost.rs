//! Devices of the person that have lost a seat.
//!
//! A device that is removed is somebody else's from then on: it was stolen, or given away. Each of the
//! others knows it by the act alone, and has to find out which of its pairs that is: by the key that was
//! seated over the link with it, or by what the device told of its node in the topic. Then it is
//! forgotten. In the topic it is not seated again, under whatever key.

use super::{HANDED, Own, PairRow, pair, pairs};
use crate::node::{Inner, Turn};
use crate::rows::{NODE, decode, encode};
use identity::{NodeId, PublicKey, TopicId};
use machine::Staged;
use minicbor::{CborLen, Decode, Encode};
use rights::Member;
use std::collections::{BTreeMap, BTreeSet};
use wire::Item;

/// First byte of the key of a row that says that the loss of a seat has had its consequences:
/// `x` ‖ topic ‖ device key. Whoever pairs once more after it is not forgotten by the same act.
const DEALT: u8 = b'x';

/// What is known of another device of the person in one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub(crate) struct HandedRow {
    /// The key that has a seat there for it, as it proved when it was seated, or else as it told first;
    /// empty where neither is known.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) device: Vec<u8>,
    /// Whether it has the topic, so that it is not offered.
    #[n(1)]
    pub(crate) has: bool,
    /// Whether it was removed from this topic, so that it is never offered again.
    #[n(2)]
    pub(crate) never: bool,
    /// Whether it has proved the key: by signing for its seat, or on a link with it. What devices tell of their
    /// nodes is their word alone, and one may name another's node.
    #[n(3)]
    #[cbor(default)]
    pub(crate) proved: bool,
}

/// What is known of another device of the person in a topic.
pub(crate) fn handed(store: &mut Staged<'_>, node: &NodeId, topic: &TopicId) -> HandedRow {
    let row = store.get(NODE, &handed_key(node, topic));
    // Nothing is offered on account of a row that cannot be read.
    let unread = HandedRow {
        never: true,
        ..HandedRow::default()
    };
    row.map_or_else(HandedRow::default, |row| decode(&row).unwrap_or(unread))
}

/// Changes what is known of another device of the person in a topic.
pub(crate) fn note_handed(
    store: &mut Staged<'_>,
    node: &NodeId,
    topic: &TopicId,
    change: impl FnOnce(&mut HandedRow),
) {
    let mut row = handed(store, node, topic);
    change(&mut row);
    store.put(NODE, handed_key(node, topic), encode(&row));
}

fn handed_key(node: &NodeId, topic: &TopicId) -> Vec<u8> {
    [&[HANDED], node.as_bytes().as_slice(), topic.as_bytes()].concat()
}

fn dealt_key(topic: &TopicId, device: &PublicKey) -> Vec<u8> {
    [&[DEALT], topic.as_bytes().as_slice(), device.as_bytes()].concat()
}

/// Whether one of these items may take somebody a seat.
pub(crate) fn may_unseat(items: &[Item]) -> bool {
    let unseats = |item: &Item| {
        matches!(
            item,
            Item::Act(_) | Item::Countersign(_) | Item::Revocation(_)
        )
    };
    items.iter().any(unseats)
}

/// The devices that have been part of a member, and those of them that are.
fn seats(member: &Member) -> (BTreeSet<PublicKey>, BTreeSet<PublicKey>) {
    let keys = |form: &identity::Form| {
        let devices = form.devices().iter();
        devices.map(|it| it.key).collect::<BTreeSet<_>>()
    };
    let ever = member.states.iter().flat_map(|state| keys(&state.form));
    let now = member
        .now()
        .map_or_else(BTreeSet::new, |now| keys(&now.form));
    (ever.collect(), now)
}

impl Inner {
    /// The devices of the own member that have lost their seats in a topic, and those that have one.
    fn own_seats(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
    ) -> Option<(BTreeSet<PublicKey>, BTreeSet<PublicKey>)> {
        let own: Own = self.own_member(turn, local)?;
        let (ever, now) = seats(&own.member);
        Some((ever.difference(&now).copied().collect(), now))
    }

    /// Which of the other devices of the person has, or had, this key in a topic.
    fn pair_of(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (local, topic): (u32, TopicId),
        device: &PublicKey,
        others: &[(NodeId, PairRow)],
    ) -> Option<NodeId> {
        let known = others.iter().map(|(node, _)| *node).filter_map(|node| {
            let known = handed(&mut turn.cx.store, &node, &topic);
            let same = known.device == device.as_bytes().as_slice();
            same.then_some((known.proved, node))
        });
        let known: Vec<(bool, NodeId)> = known.collect();
        if let Some((_, node)) = known.iter().max_by_key(|(proved, _)| *proved) {
            return Some(*node);
        }
        let told = self.node_of_device(turn, local, device)?;
        // Whoever tells of a node that is known under another key there tells what is not so.
        let known = handed(&mut turn.cx.store, &told, &topic);
        let is_pair = others.iter().any(|(node, _)| *node == told);
        (is_pair && known.device.is_empty()).then_some(told)
    }

    /// Forgets the other devices of the person that have lost a seat in a topic. Each loss counts once.
    pub(crate) fn forget_lost(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let others = pairs(&mut turn.cx.store);
        if others.is_empty() {
            return;
        }
        let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) else {
            return;
        };
        let Some((lost, _)) = self.own_seats(turn, local) else {
            return;
        };
        for device in lost {
            if self.is_dealt(turn, &topic, &device) {
                continue;
            }
            if let Some(node) = self.pair_of(turn, (local, topic), &device, &others) {
                self.deal_with(turn, &topic, &device);
                self.forget_pair(turn, &node);
            }
        }
    }

    fn is_dealt(&self, turn: &mut Turn<'_, '_>, topic: &TopicId, device: &PublicKey) -> bool {
        turn.cx.store.has(NODE, &dealt_key(topic, device))
    }

    fn deal_with(&self, turn: &mut Turn<'_, '_>, topic: &TopicId, device: &PublicKey) {
        turn.cx.store.put(NODE, dealt_key(topic, device), []);
    }

    /// A device is to be removed from one topic alone: it stays the person's, and is not seated there again.
    pub(crate) fn bar_from(&mut self, turn: &mut Turn<'_, '_>, local: u32, device: &PublicKey) {
        let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) else {
            return;
        };
        let others = pairs(&mut turn.cx.store);
        if let Some(node) = self.pair_of(turn, (local, topic), device, &others) {
            note_handed(&mut turn.cx.store, &node, &topic, |row| {
                row.device = device.as_bytes().to_vec();
                row.never = true;
            });
        }
        self.deal_with(turn, &topic, device);
    }

    /// It was not removed after all.
    pub(crate) fn unbar_from(&mut self, turn: &mut Turn<'_, '_>, local: u32, device: &PublicKey) {
        let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) else {
            return;
        };
        let others = pairs(&mut turn.cx.store);
        if let Some(node) = self.pair_of(turn, (local, topic), device, &others) {
            note_handed(&mut turn.cx.store, &node, &topic, |row| row.never = false);
        }
        turn.cx.store.delete(NODE, dealt_key(&topic, device));
    }

    /// Whether another device of the person is not to be seated in a topic under this key: it has lost
    /// its seat there, or says another key than the one for which it has had one.
    pub(crate) fn is_barred(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (local, topic): (u32, TopicId),
        node: &NodeId,
        device: &PublicKey,
    ) -> bool {
        let known = handed(&mut turn.cx.store, node, &topic);
        let Some((lost, now)) = self.own_seats(turn, local) else {
            return true;
        };
        if known.never || lost.contains(device) {
            return true;
        }
        let mut had = lost.iter().chain(&now);
        let other = known.proved
            && known.device != device.as_bytes().as_slice()
            && had.any(|key| known.device == key.as_bytes().as_slice());
        let told = |key: &PublicKey| self.node_of_device(turn, local, key) == Some(*node);
        other || (known.device.is_empty() && lost.iter().any(told))
    }

    /// The node at the other end of a link has proved with which key it takes part in a topic: remembered where it is
    /// another device of the person, whatever was told of it before.
    pub(crate) fn pair_proved(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        device: &PublicKey,
        node: &NodeId,
    ) {
        if pair(&mut turn.cx.store, node).is_none() {
            return;
        }
        let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) else {
            return;
        };
        let known = handed(&mut turn.cx.store, node, &topic).proved;
        let Some((lost, now)) = self.own_seats(turn, local).filter(|_| !known) else {
            return;
        };
        if now.contains(device) || lost.contains(device) {
            note_handed(&mut turn.cx.store, node, &topic, |row| {
                row.device = device.as_bytes().to_vec();
                row.proved = true;
            });
        }
    }

    /// On which node each of these devices of the person is, as it proved. Where none has proved it, a device's own word
    /// counts, unless another says the same or the node has proved another key.
    pub(crate) fn nodes_of_devices(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        devices: &[PublicKey],
    ) -> BTreeMap<PublicKey, NodeId> {
        let mut nodes = BTreeMap::new();
        let Some(keys) = self.host.keys.topic(local) else {
            return nodes;
        };
        let (topic, own) = (keys.id, keys.device.as_ref().map(|key| key.public()));
        nodes.extend(own.map(|own| (own, self.id)));
        for (node, _) in pairs(&mut turn.cx.store) {
            let known = handed(&mut turn.cx.store, &node, &topic);
            let key = <[u8; 32]>::try_from(known.device.as_slice());
            nodes.extend(
                key.ok()
                    .filter(|_| known.proved)
                    .map(|key| (PublicKey::from_bytes(key), node)),
            );
        }
        let proved: BTreeSet<NodeId> = nodes.values().copied().collect();
        let mut told: BTreeMap<NodeId, Vec<PublicKey>> = BTreeMap::new();
        for device in devices.iter().filter(|key| !nodes.contains_key(*key)) {
            if let Some(node) = self.node_of_device(turn, local, device) {
                told.entry(node).or_default().push(*device);
            }
        }
        for (node, devices) in told {
            if let ([device], false) = (devices.as_slice(), proved.contains(&node)) {
                nodes.insert(*device, node);
            }
        }
        nodes
    }

    /// A device told in a topic on which node it is: remembered where it is another one of the person, and
    /// nothing else is known of it there.
    pub(crate) fn pair_told(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        device: &PublicKey,
        node: &NodeId,
    ) {
        if pair(&mut turn.cx.store, node).is_none() {
            return;
        }
        let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) else {
            return;
        };
        let Some((lost, now)) = self.own_seats(turn, local) else {
            return;
        };
        let known = handed(&mut turn.cx.store, node, &topic);
        if now.contains(device) && known.device.is_empty() {
            note_handed(&mut turn.cx.store, node, &topic, |row| {
                row.device = device.as_bytes().to_vec();
            });
        }
        if lost.contains(device) {
            self.forget_lost(turn, local);
        }
    }

    /// Another device of the person has a topic: which key it has there is remembered, as far as it is told.
    pub(crate) fn note_has(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (local, topic): (u32, TopicId),
        node: &NodeId,
    ) {
        note_handed(&mut turn.cx.store, node, &topic, |row| row.has = true);
        let Some((_, now)) = self.own_seats(turn, local) else {
            return;
        };
        let told = now
            .into_iter()
            .find(|key| self.node_of_device(turn, local, key) == Some(*node));
        if let Some(device) = told {
            self.pair_told(turn, local, &device, node);
        }
    }
}
