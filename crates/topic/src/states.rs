//! Where an envelope of this home stands, on evidence.

use crate::evidence::Best;
use crate::host::Local;
use crate::limits::MAX_SLOTS;
use crate::receipts::{node_of, slot_of};
use crate::rows::{self, Bytes};
use crate::state::{Shared, Topic};
use crate::topics::{Env, Topics};
use identity::{Custodian, EnvelopeId, Form, Id, NodeId, OperatorTag, PublicKey};
use machine::Cx;
use machine::planted::{Bug, is};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Envelope, ReceiptKind};

/// How far an envelope has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StateKind {
    /// It is durable at its sender's.
    Stored,
    /// A custodian promised to hold it until a time.
    Held,
    /// It is durable at a member's device, body included.
    Delivered,
    /// A person has seen it.
    Read,
    /// A peer did not take it, for a reason and until a time.
    Refused,
    /// Its time is over before every member had it.
    Expired,
    /// It has been cut off, or its author has contradicted itself and nothing that stands names it:
    /// nobody is shown it.
    Withdrawn,
}

/// Who vouches for a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// This home.
    Home,
    /// A device of a member, and the name it gave itself.
    Device(PublicKey, Option<String>),
    /// A node.
    Node(NodeId),
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// What it says.
    pub kind: StateKind,
    /// Who says it.
    pub by: By,
    /// When, in milliseconds since 1970, as they claim.
    pub at: u64,
    /// Whose core node it is, for `held`, as far as it says so.
    pub operator: Option<OperatorTag>,
    /// Until when, for `held`; when it may be offered again, for `refused`.
    pub until: Option<u64>,
    /// Why, for `refused`.
    pub reason: Option<String>,
}

/// All that is known about one envelope of this home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct States {
    /// The envelope.
    pub id: EnvelopeId,
    /// The evidence, in the order of kinds.
    pub states: Vec<State>,
    /// Custodians whose promise stands; core nodes of one operator are one.
    pub held: usize,
    /// Members, without the sender, of whom a device has it.
    pub delivered: usize,
    /// Members without the sender.
    pub members: usize,
    /// A device of each member of whom none has it, as far as is known.
    pub waits_for: Vec<(PublicKey, Option<String>)>,
}

impl Topics {
    /// What a core node says of its operator in its newest `held` receipt about a topic, and when it
    /// made that (milliseconds since 1970, as it claims). Nothing where there is no such receipt.
    #[must_use]
    pub fn operator_of(
        cx: &mut Cx<'_>,
        topic: Local,
        node: &NodeId,
    ) -> Option<(u64, Option<OperatorTag>)> {
        let slot = (node.public_key(), ReceiptKind::Held);
        let receipt = slot_of(cx, topic, &slot)?.value;
        Some((receipt.time, receipt.operator))
    }
}

impl Topic {
    /// All that is known about one envelope of this home; nothing when it is not here. Of another
    /// home's envelope it says that it is stored here.
    pub(crate) fn states(
        &self,
        shared: &Shared,
        env: &mut Env<'_, '_>,
        id: &EnvelopeId,
    ) -> Option<States> {
        let held = self.lace.envelope(&mut env.cx.store, id)?;
        let header = &held.envelope.header;
        let writer = self.device_of(&held.envelope);
        let mut found = Found::default();
        found.add(StateKind::Stored, By::Home, header.created);
        let mut delivered = BTreeMap::new();
        for (device, at) in self.acknowledged(env.cx, id) {
            delivered.insert(device, at);
        }
        for (kind, who, best) in self.best(env.cx, &header.author) {
            let Some(at) = best.covers(header.number, header.expires) else {
                continue;
            };
            match kind {
                ReceiptKind::Delivered => {
                    let known = delivered.entry(PublicKey::from_bytes(who)).or_insert(at);
                    *known = (*known).min(at);
                }
                ReceiptKind::Read => {
                    let by = self.by_device(env.cx, PublicKey::from_bytes(who));
                    found.add(StateKind::Read, by, at);
                }
                ReceiptKind::Held if env.host.is_core(self.local, &node_of(who)) => {
                    if !Self::is_over(shared, env.cx, best.until) {
                        found.held(node_of(who), at, &best);
                    }
                }
                ReceiptKind::Held | ReceiptKind::Carried => {}
            }
        }
        let members = self.people(env.cx).into_values();
        let wrote = |devices: &Vec<PublicKey>| writer.is_some_and(|one| devices.contains(&one));
        let members: Vec<Vec<PublicKey>> = members.filter(|devices| !wrote(devices)).collect();
        let mut waits_for = Vec::new();
        let own = env.host.device(self.local);
        for devices in &members {
            // What is here this home has, and sends nobody a receipt of.
            let mut has = own.is_some_and(|own| devices.contains(&own));
            for device in devices {
                if let Some(at) = delivered.get(device) {
                    has = true;
                    let by = self.by_device(env.cx, *device);
                    found.add(StateKind::Delivered, by, *at);
                }
            }
            // A member has it as soon as one of its devices does.
            if let Some(first) = devices.first().filter(|_| !has) {
                waits_for.push((*first, self.name(env.cx, first)));
            }
        }
        let had = members.len().saturating_sub(waits_for.len());
        self.add_refusals(env, header.author, header.number, &mut found);
        if Self::is_over(shared, env.cx, header.expires) && !waits_for.is_empty() {
            found.add(StateKind::Expired, By::Home, header.expires);
        }
        if !held.effective {
            let void = self.void_of(env.cx, &held.envelope);
            let by = match void.by {
                Some(device) => self.by_device(env.cx, device),
                None => By::Home,
            };
            found.states.push(State {
                kind: StateKind::Withdrawn,
                by,
                at: void.at,
                operator: None,
                until: None,
                reason: Some(self.why_void(env.cx, id).to_owned()),
            });
        }
        found.states.sort_by_key(|state| (state.kind, state.at));
        Some(States {
            id: *id,
            states: found.states,
            held: found.custodians.len(),
            delivered: had,
            members: members.len(),
            waits_for,
        })
    }

    /// Naming an envelope of this home says that its body is held: deps are receipts.
    pub(crate) fn note_acknowledged(&self, env: &mut Env<'_, '_>, envelope: &Envelope) {
        let Some(mine) = env.host.device(self.local) else {
            return;
        };
        let Some(device) = self.device_of(envelope).filter(|device| *device != mine) else {
            return;
        };
        let mut deps = envelope.header.deps.clone();
        if is(Bug::SecondLevelAck) {
            let named = deps
                .iter()
                .filter_map(|dep| self.lace.header(&mut env.cx.store, dep));
            let second: Vec<EnvelopeId> = named.flat_map(|named| named.header.deps).collect();
            deps.extend(second);
        }
        for dep in &deps {
            let named = self.lace.header(&mut env.cx.store, dep);
            let own = named.and_then(|named| self.device_of(&named)) == Some(mine);
            if own {
                let key = rows::key_bytes(self.local, &[dep.as_bytes(), device.as_bytes()]);
                env.cx
                    .store
                    .put(rows::ACK, key, envelope.header.created.to_be_bytes());
            }
        }
    }

    /// The device that certified an envelope's author.
    pub(crate) fn device_of(&self, envelope: &Envelope) -> Option<PublicKey> {
        Some(*self.lace.author(&envelope.header.author)?.device())
    }

    fn add_refusals(
        &self,
        env: &mut Env<'_, '_>,
        author: PublicKey,
        number: u64,
        found: &mut Found,
    ) {
        for (who, refused) in self.refusals(env.cx, &author) {
            if refused.number > number {
                continue;
            }
            let by = if refused.node {
                By::Node(node_of(who))
            } else {
                self.by_device(env.cx, PublicKey::from_bytes(who))
            };
            // Whoever has it by now has changed its mind.
            if found
                .states
                .iter()
                .any(|state| state.by == by && state.kind != StateKind::Stored)
            {
                continue;
            }
            found.states.push(State {
                kind: StateKind::Refused,
                by,
                at: refused.at,
                operator: None,
                until: (refused.retry > 0).then_some(refused.retry),
                reason: Some(format!("{}: {}", wire::Code(refused.code), refused.text)),
            });
        }
    }

    /// Devices that named an envelope, and when.
    fn acknowledged(&self, cx: &mut Cx<'_>, id: &EnvelopeId) -> Vec<(PublicKey, u64)> {
        let prefix = rows::key_bytes(self.local, &[id.as_bytes()]);
        let rows = cx.store.prefix(rows::ACK, &prefix, MAX_SLOTS);
        rows.iter()
            .filter_map(|(key, row)| {
                let device = PublicKey::from_bytes(Bytes(key.get(36..)?).array()?);
                Some((device, Bytes(row).u64()?))
            })
            .collect()
    }

    /// The devices that take part now: they stand, have written, and have not left.
    pub(crate) fn members(&self, cx: &mut Cx<'_>) -> BTreeSet<PublicKey> {
        let effect = self.lace.held_effect(&mut cx.store);
        let standing: BTreeSet<PublicKey> =
            effect.devices.keys().map(|(_, device)| *device).collect();
        let devices: BTreeSet<PublicKey> = self
            .lace
            .authors()
            .map(|author| *author.device())
            .filter(|device| standing.contains(device))
            .collect();
        let left = |cx: &mut Cx<'_>, device: &PublicKey| {
            let key = rows::key_bytes(self.local, &[device.as_bytes()]);
            cx.store
                .get(rows::DEVICE, &key)
                .is_some_and(|row| row == [1])
        };
        devices
            .into_iter()
            .filter(|device| !left(cx, device))
            .collect()
    }

    /// The members that take part now, each with its devices that do. Who has come by itself is a member of
    /// its own, also where it has become one of several owners; a device with several other seats counts
    /// where its grant is nearest to the topic's own.
    pub(crate) fn people(&self, cx: &mut Cx<'_>) -> BTreeMap<Id, Vec<PublicKey>> {
        let effect = self.lace.held_effect(&mut cx.store);
        let mut seats: BTreeMap<PublicKey, (bool, u32, Id)> = BTreeMap::new();
        for ((holder, device), seat) in &effect.devices {
            let joint = *holder != Form::one(*device).member();
            let depth = effect.grants.get(&seat.grant).map(|grant| grant.depth);
            let seat = (joint, depth.unwrap_or(u32::MAX), *holder);
            let known = seats.entry(*device).or_insert(seat);
            *known = seat.min(*known);
        }
        let mut people: BTreeMap<Id, Vec<PublicKey>> = BTreeMap::new();
        for device in self.members(cx) {
            if let Some((.., holder)) = seats.get(&device) {
                people.entry(*holder).or_default().push(device);
            }
        }
        people
    }

    fn by_device(&self, cx: &mut Cx<'_>, device: PublicKey) -> By {
        By::Device(device, self.name(cx, &device))
    }
}

#[derive(Default)]
struct Found {
    states: Vec<State>,
    custodians: BTreeSet<Custodian>,
}

impl Found {
    fn add(&mut self, kind: StateKind, by: By, at: u64) {
        self.states.push(State {
            kind,
            by,
            at,
            operator: None,
            until: None,
            reason: None,
        });
    }

    fn held(&mut self, node: NodeId, at: u64, best: &Best) {
        let (kind, by) = (StateKind::Held, By::Node(node));
        self.custodians.insert(Custodian::of(node, best.operator));
        self.states.push(State {
            kind,
            by,
            at,
            operator: best.operator,
            until: Some(best.until),
            reason: None,
        });
    }
}
