//! The devices of this person: list, remove, decide between two of somebody's.

use super::names::{is_prefix, one};
use crate::command::devices::{DeviceCommand, DeviceReply, DeviceRow, DeviceTopic};
use crate::command::{Code, Failure, Reply};
use crate::limits::MAX_CUT_NAMED;
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::pairing::{self, Own, PairRow};
use crate::rows::{self, PROFILES, said_key};
use identity::limits::MAX_DEVICES;
use identity::{ActId, EnvelopeId, Form, NodeId, PublicKey};
use lace::Lace;
use machine::Staged;
use rights::Member;
use std::collections::{BTreeMap, BTreeSet};
use wire::{Act, Item, Role};

/// Acts that are looked at for those that compete, the newest.
pub(super) const ACTS: usize = 1_024;

/// Fewest digits that stand for the key of a device or for an act.
pub(super) const MIN_KEY: usize = 8;

/// Devices of a member that once had a seat and are still listed.
const MAX_LISTED: usize = 2 * MAX_DEVICES;

/// A device of the person, with what a person is not shown.
struct Device {
    row: DeviceRow,
    seats: Vec<(u32, PublicKey)>,
}

/// A device in one topic, as its graph tells.
struct Seat {
    device: PublicKey,
    share: Option<u16>,
    since: Option<u64>,
    seen: Option<u64>,
    ties: Vec<(String, String)>,
}

impl Inner {
    /// `way device …`, but for what waits.
    pub(super) fn devices(
        &mut self,
        turn: &mut Turn<'_, '_>,
        command: DeviceCommand,
    ) -> Result<Reply, Failure> {
        match command {
            DeviceCommand::Invite => self.device_invite(turn),
            DeviceCommand::List => {
                let rows = self.all_devices(turn).into_iter();
                let rows = rows.map(|device| device.row).collect();
                Ok(Reply::Device(DeviceReply::List(rows)))
            }
            DeviceCommand::Remove { device, topic } => {
                self.device_remove(turn, &device, topic.as_deref())
            }
            DeviceCommand::Branches { topic } => self.branches(turn, topic.as_deref()),
            DeviceCommand::Choose { topic, act } => self.choose(turn, &topic, &act),
            DeviceCommand::Join { .. } => {
                unreachable!("answered when what it waits for has come")
            }
        }
    }

    /// All devices of this person: this one first, then by name.
    fn all_devices(&mut self, turn: &mut Turn<'_, '_>) -> Vec<Device> {
        let mut by_node: BTreeMap<NodeId, Device> = BTreeMap::new();
        let mut others: Vec<Device> = Vec::new();
        let own = blank(self.router.name().to_owned(), Some(self.id));
        by_node.insert(self.id, own);
        for (node, row) in pairing::pairs(&mut turn.cx.store) {
            let mut device = blank(row.name.clone(), Some(node));
            let PairRow { since, seen, .. } = row;
            (device.row.since, device.row.seen) = (Some(since), Some(seen));
            by_node.insert(node, device);
        }
        let topics = self.host.keys.topics();
        let topics = topics.filter(|(_, keys)| keys.device.is_some() && keys.row.opened);
        let locals: Vec<u32> = topics.map(|(local, _)| local).collect();
        for local in locals {
            let seats = self.seats_of_person(turn, local);
            let keys: Vec<PublicKey> = seats.iter().map(|seat| seat.device).collect();
            let nodes = self.nodes_of_devices(turn, local, &keys);
            for seat in seats {
                let node = nodes.get(&seat.device).copied();
                let name = self.topics.name(turn.cx, local, &seat.device);
                let device = match node {
                    Some(node) => by_node
                        .entry(node)
                        .or_insert_with(|| blank(name.unwrap_or_default(), Some(node))),
                    None => {
                        others.push(blank(name.unwrap_or_default(), None));
                        let Some(last) = others.last_mut() else {
                            continue;
                        };
                        last
                    }
                };
                device.seats.push((local, seat.device));
                device.row.seen = device.row.seen.max(seat.seen);
                if let Some(keys) = self.host.keys.topic(local) {
                    device.row.topics.push(DeviceTopic {
                        topic: keys.id,
                        name: keys.row.name.clone(),
                        device: seat.device.to_string(),
                        seated: seat.share.is_some(),
                        share: seat.share.unwrap_or(0),
                        since: seat.since,
                        seen: seat.seen,
                        ties: seat.ties,
                    });
                }
            }
        }
        let mut all: Vec<Device> = by_node.into_values().chain(others).collect();
        for device in &mut all {
            device.row.own = device.row.node == Some(self.id);
            let linked = |node: &NodeId| self.link_of(node).is_some();
            device.row.linked = device.row.node.as_ref().is_some_and(linked);
        }
        all.sort_by_key(|device| (!device.row.own, device.row.name.clone(), device.row.node));
        all
    }

    /// On which node a device is, as it said in the topic.
    pub(crate) fn node_of_device(
        &self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        device: &PublicKey,
    ) -> Option<NodeId> {
        let keys = self.host.keys.topic(local)?;
        if keys.device.as_ref()?.public() == *device {
            return Some(self.id);
        }
        let row = turn
            .cx
            .store
            .get(rows::NODE, &said_key(PROFILES, local, device))?;
        Some(rows::decode::<rows::MemberRow>(&row)?.node())
    }

    /// The devices of this person in a topic, with those that have lost their seats.
    fn seats_of_person(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Vec<Seat> {
        let keys = self.host.keys.topic(local);
        let Some(device) = keys.and_then(|keys| Some(keys.device.as_ref()?.public())) else {
            return Vec::new();
        };
        look(&mut self.topics, turn.cx, local, |lace, store| {
            let own = Own::of(lace, store, &device);
            let own = own.or_else(|| once(lace, store, &device));
            match own {
                Some(own) => seats(lace, store, &own.member),
                None => vec![alone(lace, device)],
            }
        })
        .unwrap_or_default()
    }

    /// `way device remove`.
    fn device_remove(
        &mut self,
        turn: &mut Turn<'_, '_>,
        text: &str,
        topic: Option<&str>,
    ) -> Result<Reply, Failure> {
        let only = topic.map(|topic| self.find_topic(topic)).transpose()?;
        let all = self.all_devices(turn);
        let fits: Vec<usize> = (0..all.len())
            .filter(|at| all.get(*at).is_some_and(|device| is_called(device, text)))
            .collect();
        let shown = fits.iter().filter_map(|at| all.get(*at));
        let shown = shown.map(|device| {
            let node = device
                .row
                .node
                .map_or_else(String::new, |node| node.to_string());
            format!("{} {node}", device.row.name)
        });
        let none = format!("no device of this person is called {text:?}");
        let at = one(&fits, shown.collect(), &none, "`way device list`")?;
        let Some(device) = all.into_iter().nth(at) else {
            return Err(Failure::new(Code::NotFound, none, ""));
        };
        let (mut removed, mut failed) = (Vec::new(), Vec::new());
        for (local, key) in &device.seats {
            if only.is_some_and(|only| only != *local) {
                continue;
            }
            let name = self
                .host
                .keys
                .topic(*local)
                .map(|keys| keys.row.name.clone());
            let name = name.unwrap_or_default();
            let result = match only {
                Some(_) => self.remove_from_one(turn, *local, key),
                None => self.remove_in(turn, *local, *key),
            };
            match result {
                Ok(true) => removed.push(name),
                Ok(false) => {}
                Err(why) => failed.push((name, why)),
            }
        }
        // Also where it fails in every topic: what begins later does not come to a device that was lost.
        if only.is_none()
            && let Some(node) = device.row.node.filter(|node| *node != self.id)
        {
            self.forget_pair(turn, &node);
        }
        if removed.is_empty()
            && let Some(failure) = removed_nowhere(&device.row, &failed)
        {
            return Err(failure);
        }
        let failed: Vec<(String, String)> = failed
            .into_iter()
            .map(|(name, why)| (name, why.message))
            .collect();
        if removed.is_empty() && only.is_some() && failed.is_empty() {
            let text = "that device has no seat in this topic";
            return Err(Failure::new(Code::NotFound, text, "`way device list`"));
        }
        Ok(Reply::Device(DeviceReply::Removed {
            device: device.row.name,
            topics: removed,
            failed,
        }))
    }

    /// Takes a device its seat in one topic alone: it stays a device of the person here, and is not
    /// seated there again. The others know of the act alone, and forget it.
    fn remove_from_one(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        device: &PublicKey,
    ) -> Result<bool, Failure> {
        let own = self.own_member(turn, local);
        let now = own.as_ref().and_then(|own| own.member.now());
        if !now.is_some_and(|now| now.form.has(device)) {
            return self.remove_in(turn, local, *device);
        }
        self.bar_from(turn, local, device);
        let result = self.remove_in(turn, local, *device);
        if !matches!(result, Ok(true)) {
            self.unbar_from(turn, local, device);
        }
        result
    }

    /// Writes the act that takes a device its seat, if it has one.
    fn remove_in(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        device: PublicKey,
    ) -> Result<bool, Failure> {
        let gone = || Failure::new(Code::Refused, "this device has no seat there itself", "");
        let own = self.own_member(turn, local).ok_or_else(gone)?;
        let now = own.member.now().ok_or_else(gone)?;
        if !now.form.has(&device) {
            return Ok(false);
        }
        let keys = self.member(local)?;
        let (topic, signer) = (keys.id, keys.device.clone().ok_or_else(gone)?);
        if now.form.threshold() > 1 {
            let text = "it takes several owners to change them";
            let hint = "`way owners propose TOPIC --remove` asks the others";
            return Err(Failure::new(Code::Refused, text, hint));
        }
        let left: BTreeSet<PublicKey> = now.form.devices().iter().map(|it| it.key).collect();
        let left: BTreeSet<PublicKey> = left.into_iter().filter(|key| *key != device).collect();
        let form = Form::equal(&left, 1)
            .map_err(|_| Failure::new(Code::Refused, "it is the only device there", ""))?;
        let cut = look(&mut self.topics, turn.cx, local, |lace, _| {
            tips(lace, &device)
        })
        .unwrap_or_default();
        if cut.len() > MAX_CUT_NAMED {
            let text = format!("it has written under more than {MAX_CUT_NAMED} keys");
            return Err(Failure::new(Code::Failed, text, ""));
        }
        let mut act = Act {
            composition: own.id,
            number: own.member.next_number(),
            previous: now.id,
            form,
            cut: cut.iter().copied().collect(),
            signatures: Vec::new(),
        };
        act.sign(topic, &signer, Role::Signer);
        self.say_items(turn, local, vec![Item::Act(act)], &cut)?;
        // What is written from now on it cannot read.
        self.renew_epoch(turn, local);
        Ok(true)
    }

    /// Acts came: says so where two of them compete. That this device has lost its seat is told for as long as it
    /// is so.
    pub(crate) fn acts_came(&mut self, turn: &mut Turn<'_, '_>, local: u32, items: &[Item]) {
        let mut changed = items.iter().filter_map(|item| match item {
            Item::Act(act) => Some(act.composition),
            _ => None,
        });
        let Some(keys) = self.host.keys.topic(local).filter(|keys| !keys.row.left) else {
            return;
        };
        let name = keys.row.name.clone();
        let Some(device) = keys.device.as_ref().map(|device| device.public()) else {
            return;
        };
        let Some(composition) = changed.next() else {
            return;
        };
        let found = look(&mut self.topics, turn.cx, local, |lace, store| {
            pairing::member(lace, store, composition)
        });
        let Some(Some(member)) = found else { return };
        self.carry_anew(turn, local, &member, &device);
        for (taken, rival) in ties(&member) {
            let text = format!(
                "in the topic {name:?} two devices of one member have changed its devices at once: \
                 act {taken} counts, act {rival} does not"
            );
            let hint = format!(
                "another device of that member, or who stands above it, can decide for the other one: `way device \
                 choose {name} {rival}`"
            );
            self.problems.note("two-acts", text, &hint);
        }
    }
}

impl Inner {
    /// An act that only devices carry which have no seat any more is in nobody's past, since nobody names
    /// what they wrote last: no epoch could follow it. A device that has its seat carries it once more.
    fn carry_anew(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        member: &Member,
        device: &PublicKey,
    ) {
        let Some(now) = member.now().filter(|now| now.form.has(device)) else {
            return;
        };
        let found = look(&mut self.topics, turn.cx, local, |lace, store| {
            let by = lace.facts(store, |facts| facts.fact(now.by?))?;
            let Item::Act(act) = &by.what else {
                return None;
            };
            let ends = lace.ends(store, ACTS);
            let carriers = ends.iter().filter(|fact| match &fact.what {
                Item::Act(other) => other.id() == now.id,
                _ => false,
            });
            let effect = lace.held_effect(store);
            let seated = |key: &PublicKey| effect.devices.keys().any(|(_, seat)| seat == key);
            let mut carriers = carriers.filter_map(|fact| {
                let header = lace.header(store, &fact.carrier)?;
                Some(*lace.author(&header.header.author)?.device())
            });
            let stands = carriers.any(|device| seated(&device));
            (!stands).then(|| act.clone())
        });
        if let Some(act) = found.flatten() {
            let cut: BTreeSet<EnvelopeId> = act.cut.iter().copied().collect();
            // What is refused now is tried again with the next act.
            let _said = self.say_items(turn, local, vec![Item::Act(act)], &cut);
        }
    }
}

fn blank(name: String, node: Option<NodeId>) -> Device {
    Device {
        row: DeviceRow {
            name,
            node,
            own: false,
            linked: false,
            since: None,
            seen: None,
            topics: Vec::new(),
        },
        seats: Vec::new(),
    }
}

fn is_called(device: &Device, text: &str) -> bool {
    let key = text.to_ascii_lowercase();
    let by_node = device.row.node.is_some_and(|node| is_prefix(text, &node));
    let starts =
        |key: &str, of: &PublicKey| key.len() >= MIN_KEY && of.to_string().starts_with(key);
    let by_key = device.seats.iter().any(|(_, of)| starts(&key, of));
    device.row.name == text || by_node || by_key
}

/// The newest envelopes of all chains of a device.
fn tips(lace: &Lace, device: &PublicKey) -> BTreeSet<EnvelopeId> {
    let authors = lace.authors().filter(|author| author.device() == device);
    authors
        .filter_map(|author| Some(author.tip()?.id))
        .collect()
}

/// When a device last wrote.
fn last_wrote(lace: &Lace, device: &PublicKey) -> Option<u64> {
    let authors = lace.authors().filter(|author| author.device() == device);
    authors
        .filter_map(|author| Some(author.tip()?.created))
        .max()
}

/// A device that nobody has told to be part of a member yet.
fn alone(lace: &Lace, device: PublicKey) -> Seat {
    Seat {
        device,
        share: Some(identity::limits::SHARES),
        since: None,
        seen: last_wrote(lace, &device),
        ties: Vec::new(),
    }
}

/// The member of which a device has been part: it has lost its seat.
pub(super) fn once(lace: &Lace, store: &mut Staged<'_>, device: &PublicKey) -> Option<Own> {
    let effect = lace.held_effect(store);
    let holders = effect.grants.iter();
    let holders = holders.filter_map(|(grant, it)| Some((it.depth, *grant, it.holder?)));
    let mut holders: Vec<_> = holders.collect();
    holders.sort_unstable();
    let authors = lace.authors().filter(|author| author.device() == device);
    let under: BTreeSet<_> = authors.map(|author| *author.grant()).collect();
    let (_, grant, id) = holders
        .into_iter()
        .find(|(_, grant, _)| under.contains(grant))?;
    let member = pairing::member(lace, store, id)?;
    let was = member.states.iter().any(|state| state.form.has(device));
    was.then_some(Own { id, grant, member })
}

/// Why a device keeps its seat in every topic in which it has one; nothing where it has none. The code is what the
/// failures have in common.
fn removed_nowhere(device: &DeviceRow, failed: &[(String, Failure)]) -> Option<Failure> {
    let (_, first) = failed.first()?;
    let same = failed.iter().all(|(_, why)| why.code == first.code);
    let code = if same { first.code } else { Code::Failed };
    let why = failed
        .iter()
        .map(|(name, why)| format!("{name:?}: {}", why.message));
    let why = why.collect::<Vec<_>>().join("; ");
    let whom = match device.own {
        true => "this device".to_owned(),
        false => device.name.clone(),
    };
    let hint = match (device.own, first.hint.is_empty()) {
        (true, _) => "`way topic leave` ends its part in a topic",
        (false, false) => &first.hint,
        (false, true) => "`way device list` shows where it has a seat",
    };
    let text = format!("{whom} is not removed from {why}");
    Some(Failure::new(code, text, hint))
}

/// The devices of a member, those that have their seats first.
fn seats(lace: &Lace, store: &mut Staged<'_>, member: &Member) -> Vec<Seat> {
    let Some(now) = member.now() else {
        return Vec::new();
    };
    let mut all: Vec<PublicKey> = now.form.devices().iter().map(|it| it.key).collect();
    for state in member.states.iter().rev() {
        let gone = state.form.devices().iter().map(|it| it.key);
        for key in gone {
            if !all.contains(&key) && all.len() < MAX_LISTED {
                all.push(key);
            }
        }
    }
    let ties: Vec<(String, String)> = ties(member)
        .into_iter()
        .map(|(taken, rival)| (taken.to_string(), rival.to_string()))
        .collect();
    all.into_iter()
        .map(|device| {
            // The state from which on it has been there.
            let mut states = member.states.iter().rev();
            let first = if now.form.has(&device) {
                states
                    .find(|state| !state.form.has(&device))
                    .map(|state| state.id)
            } else {
                None
            };
            let mut after = member.states.iter();
            let seated_by = first.and_then(|before| {
                after.find(|state| state.id == before)?;
                after.next()?.by
            });
            let since = seated_by.and_then(|no| lace.facts(store, |facts| facts.fact(no)));
            Seat {
                device,
                share: now.form.share(&device),
                since: since.map(|fact| fact.created),
                seen: last_wrote(lace, &device),
                ties: ties.clone(),
            }
        })
        .collect()
}

/// Acts that were not taken, each with the one that was in its place.
fn ties(member: &Member) -> Vec<(ActId, ActId)> {
    let states = member.states.iter();
    states
        .flat_map(|state| state.rivals.iter().map(|rival| (state.id, *rival)))
        .collect()
}
