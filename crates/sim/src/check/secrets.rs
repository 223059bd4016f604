//! Whoever may not read is not handed what is read with.
//!
//! When somebody is removed, or loses the right to read, a new epoch begins. The world knows every
//! device's secret, so it can open the rows in which a node keeps the secrets of epochs. Whoever had no
//! right to read in the past of an epoch's announcement, and has none now, has nothing there that opens
//! any of it, whatever it was that it heard, asked for or had before. And what is written by somebody who
//! knows of it is sealed under no epoch that it can open.

use super::agreement::placed_ids;
use super::holdings::look;
use super::replicas::{Overview, Replica};
use super::rights::PROMISE;
use super::standing::of_device;
use super::{Broken, Everybody};
use crate::plan::{NodeNo, Right, Role, TopicNo};
use identity::{EpochId, PublicKey};
use lace::{Body, FactNo, Held, Lace, Policy};
use machine::{Base, Staged};
use node::rows::VAULT;
use rights::Access;
use std::collections::{BTreeMap, BTreeSet};
use wire::{Class, Item};

/// The kind of a row of the vault with what is held of an epoch.
const EPOCH: u8 = b'e';

/// Looks at a topic. What opens a public one is no secret.
pub(crate) fn check(overview: &Overview<'_>, topic: TopicNo) -> Vec<Broken> {
    if overview.everybody.plan.topics[topic as usize].public {
        return Vec::new();
    }
    let lost = overview.lost(topic);
    let none: Vec<NodeNo> = lost.without(Right::Read);
    if none.is_empty() {
        return Vec::new();
    }
    let everybody = overview.everybody;
    let mut broken = Vec::new();
    // What each replica knows of epochs: whoever was without the right in the past of one of them.
    let mut shut: BTreeMap<EpochId, BTreeSet<NodeNo>> = BTreeMap::new();
    for replica in overview.replicas(topic) {
        for (epoch, who) in announced(overview, replica, &none) {
            shut.entry(epoch).or_default().extend(who);
        }
    }
    for no in none {
        let Some(at) = overview.places.get(&no) else {
            continue;
        };
        let Some(replica) = overview.replica(topic, *at) else {
            continue;
        };
        let opened = |(epoch, who): &(&EpochId, &BTreeSet<NodeNo>)| {
            who.contains(&no) && opens(everybody, no, replica, epoch)
        };
        broken.extend(sealed_to(overview, topic, (no, replica)));
        if let Some((epoch, _)) = shut.iter().find(opened) {
            let (who, name) = (overview.name(*at), overview.topic_name(topic));
            let what = format!(
                "{who} may not read in {name}, and has the secret of {epoch:?}, which began since"
            );
            broken.push(Broken {
                promise: PROMISE,
                at_us: everybody.now.as_micros(),
                node: Some(no),
                what,
            });
        }
    }
    broken
}

/// Something that was written when it was known that somebody may not read, under an epoch that this one
/// can open.
fn sealed_to(
    overview: &Overview<'_>,
    topic: TopicNo,
    (no, own): (NodeNo, &Replica),
) -> Option<Broken> {
    let everybody = overview.everybody;
    let held = held(everybody, no, own);
    let mut seen = BTreeSet::new();
    for replica in overview.replicas(topic) {
        let node = overview.node(replica.at);
        if node.plan.role == Role::Core || !seen.insert(replica.placed) {
            continue;
        }
        let found = look(node.disk, replica.local, |lace, store| {
            let device = everybody.facts.devices.key(lace.genesis(), no)?;
            let opens = |body: &[u8]| {
                let prefix = body.strip_prefix(&[1]).and_then(|rest| rest.get(..17));
                let access = prefix.and_then(|prefix| Some((held.get(&prefix[..16])?, prefix[16])));
                access.is_some_and(|(access, slice)| access.opens(slice))
            };
            let mut told = BTreeMap::new();
            let ids = placed_ids(lace, store);
            ids.into_iter().find(|id| {
                // Where nothing was taken away in the past nobody had lost anything.
                let past = lace.view_of(store, id);
                let Some(past) = past.filter(|past| lace.facts(store, |facts| facts.takes(past)))
                else {
                    return false;
                };
                let Some(envelope) = lace.envelope(store, id).filter(is_content) else {
                    return false;
                };
                let Body::Here(body) = &envelope.body else {
                    return false;
                };
                let known: Vec<FactNo> = past.iter().collect();
                opens(body)
                    && !*told
                        .entry(known)
                        .or_insert_with(|| may_read(lace, store, id, &device))
            })
        });
        if let Some(id) = found.flatten() {
            let who = &everybody.plan.nodes[no as usize].name;
            let name = overview.topic_name(topic);
            return Some(Broken {
                promise: PROMISE,
                at_us: everybody.now.as_micros(),
                node: Some(node.no),
                what: format!("{who}, who may not read in {name}, can open {id}, written since"),
            });
        }
    }
    None
}

fn is_content(envelope: &Held) -> bool {
    envelope.envelope.header.class == Class::Content
}

/// What a node holds of epochs, by the beginnings of their ids.
fn held(everybody: &Everybody<'_>, no: NodeNo, replica: &Replica) -> BTreeMap<Vec<u8>, Access> {
    let mut held = BTreeMap::new();
    let start = [&[EPOCH], replica.local.to_be_bytes().as_slice()].concat();
    let end = [start.as_slice(), &[u8::MAX; 33]].concat();
    let node = everybody.nodes.iter().find(|node| node.no == no);
    let rows = node.and_then(|node| node.disk.scan(VAULT, (&start, &end), 4_096, false).ok());
    for (key, _) in rows.into_iter().flatten() {
        let Some(epoch) = key.get(5..).and_then(|id| id.first_chunk()) else {
            continue;
        };
        let epoch = EpochId::from_bytes(*epoch);
        if let Some(access) = access(everybody, no, replica, &epoch) {
            held.insert(epoch.as_bytes()[..16].to_vec(), access);
        }
    }
    held
}

/// The epochs that a replica knows of, and who of these had no right to read in the past of each.
fn announced(
    overview: &Overview<'_>,
    replica: &Replica,
    among: &[NodeNo],
) -> Vec<(EpochId, BTreeSet<NodeNo>)> {
    let facts = overview.everybody.facts;
    let disk = overview.node(replica.at).disk;
    let found = look(disk, replica.local, |lace, store| {
        let held = lace.held_set(store);
        let epochs = lace.facts(store, |facts| {
            let facts = held.iter().filter_map(|no| facts.fact(no));
            let of = facts.filter_map(|fact| match &fact.what {
                Item::Epoch(item) => Some((fact.carrier, item.clone())),
                _ => None,
            });
            of.collect::<Vec<_>>()
        });
        let devices: Vec<(NodeNo, PublicKey)> = among
            .iter()
            .filter_map(|no| Some((*no, facts.devices.key(lace.genesis(), *no)?)))
            .collect();
        let mut announced = Vec::new();
        for (carrier, item) in epochs {
            let Ok(epoch) = rights::Epoch::from_next(&item) else {
                continue;
            };
            let mut who = BTreeSet::new();
            for (no, device) in &devices {
                if !may_read(lace, store, &carrier, device) {
                    who.insert(*no);
                }
            }
            announced.push((epoch.id(), who));
        }
        announced
    });
    found.unwrap_or_default()
}

/// Whether a device may read by the past of an envelope, or may come to by what it has claimed.
fn may_read(
    lace: &Lace,
    store: &mut Staged<'_>,
    carrier: &identity::EnvelopeId,
    device: &PublicKey,
) -> bool {
    let Some(past) = lace.view_of(store, carrier) else {
        return true;
    };
    let effect = lace.facts(store, |facts| {
        rights::Law.effect(facts, &past, &BTreeMap::new())
    });
    // Who was let in, or given something, beside that past or after it may have read meanwhile.
    let held = lace.held_set(store);
    let (known, given) = lace.facts(store, |facts| {
        let all = held.iter().filter_map(|no| facts.fact(no));
        let (mut known, mut given) = (false, false);
        for fact in all {
            known |= past.has(fact.no) && begins(&fact.what, device);
            given |= !past.has(fact.no) && gives(&fact.what, device);
        }
        (known, given)
    });
    !known || given || of_device(lace, store, &effect, device).contains(&Right::Read)
}

/// Whether an item says that a device takes part.
fn begins(item: &Item, device: &PublicKey) -> bool {
    matches!(item, Item::Certificate(it) if it.device == *device)
}

/// Whether an item gives something to a device.
fn gives(item: &Item, device: &PublicKey) -> bool {
    match item {
        Item::Claim(claim) => claim.device == *device,
        Item::Act(act) => act.form.has(device),
        Item::Grant(grant) => grant.form.as_ref().is_some_and(|form| form.has(device)),
        _ => false,
    }
}

/// Whether a node holds what opens any of an epoch.
fn opens(everybody: &Everybody<'_>, no: NodeNo, replica: &Replica, epoch: &EpochId) -> bool {
    let access = access(everybody, no, replica, epoch);
    matches!(access, Some(Access::Reader(_) | Access::Slices(..)))
}

/// What a node holds of an epoch.
fn access(
    everybody: &Everybody<'_>,
    no: NodeNo,
    replica: &Replica,
    epoch: &EpochId,
) -> Option<Access> {
    let key = [
        &[EPOCH],
        replica.local.to_be_bytes().as_slice(),
        epoch.as_bytes(),
    ]
    .concat();
    let disk = everybody.nodes.iter().find(|node| node.no == no);
    let row = disk.and_then(|node| node.disk.get(VAULT, &key).ok().flatten());
    let vault = everybody.facts.devices.vault(no)?;
    let name = [b"vault ".as_slice(), &key].concat();
    let plain = vault.open(&name, &row?).ok()?;
    Access::from_bytes(&plain).ok()
}
