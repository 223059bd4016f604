//! A topic again, from nothing: all envelopes that lie on a disk are given to a fresh graph under the
//! law, in another order than the node heard them in, and then all evidence.
//!
//! Whether an envelope is admissible is a function of it and its past, and what stands one of all
//! that is held and the forks that are known: so the fresh graph takes each of them, and says the
//! same of all as the node.

use super::holdings::look;
use crate::disk::{Disk, Pool};
use identity::{EnvelopeId, GrantId, Id, PublicKey, Signature};
use lace::{Admission, Bounds, Effect, Lace, Over};
use machine::{Base, Staged};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wire::{Checked, Evidence, Genesis, Raw, RawHeader, Verified};

/// The number of the topic in the fresh graph.
const LOCAL: u32 = 1;

/// What lies on a disk of a topic: envelopes in causal order, and evidence.
pub(super) struct Material {
    pub(super) genesis: Genesis,
    pub(super) envelopes: Vec<Raw>,
    pub(super) evidence: Vec<Checked<Evidence>>,
}

/// What the fresh graph says.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    /// What it does not take, with the rule.
    pub(super) refused: Vec<(EnvelopeId, String)>,
    pub(super) kept: BTreeSet<EnvelopeId>,
    pub(super) effective: BTreeSet<EnvelopeId>,
    /// From which number on authors have forked.
    pub(super) forks: BTreeMap<PublicKey, u64>,
    /// From which number on what stands of authors is decided one by one.
    pub(super) closed: BTreeMap<PublicKey, u64>,
    /// How far authors stand.
    pub(super) limits: BTreeMap<PublicKey, Vec<Limited>>,
    /// Envelopes that carry what stands, or what is kept for other reasons.
    pub(super) pinned: BTreeSet<EnvelopeId>,
    pub(super) standing: Standing,
}

/// How far the chains of an author stand that begin with an envelope; all of them without one.
#[derive(Clone, Debug)]
pub(super) struct Limited {
    pub(super) first: Option<EnvelopeId>,
    pub(super) content: Bounds,
    pub(super) control: Bounds,
}

/// A grant that stands: its depth, its holder, and what of it has been taken back.
pub(super) type Held = (u32, Option<Id>, Over);

/// The grants that stand and the devices that may act, without anybody's own numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) grants: BTreeMap<GrantId, Held>,
    pub(super) devices: BTreeMap<(Id, PublicKey), GrantId>,
}

impl Standing {
    pub(super) fn of(effect: &Effect) -> Self {
        let grants = effect.grants.iter();
        let grants = grants.map(|(id, it)| (*id, (it.depth, it.holder, it.over)));
        let devices = effect.devices.iter();
        Self {
            grants: grants.collect(),
            devices: devices.map(|(device, it)| (*device, it.grant)).collect(),
        }
    }

    /// What two have not alike, in words.
    pub(super) fn differs(&self, other: &Self) -> Option<String> {
        let ids = self.grants.keys().chain(other.grants.keys());
        let mut ids = ids.filter(|id| self.grants.get(id) != other.grants.get(id));
        if let Some(id) = ids.next() {
            let (own, other) = (self.grants.get(id), other.grants.get(id));
            return Some(format!(
                "of the grant {id:?} {own:?}, and should say {other:?}"
            ));
        }
        let keys = self.devices.keys().chain(other.devices.keys());
        let mut keys = keys.filter(|key| self.devices.get(key) != other.devices.get(key));
        let (member, device) = keys.next()?;
        Some(format!(
            "another thing of the device {device:?} of {member}"
        ))
    }
}

/// The evidence that a graph on a disk has.
pub(super) fn evidence(disk: &dyn Base, local: u32) -> Vec<Checked<Evidence>> {
    let all = look(disk, local, |lace, store| {
        lace.evidence_page(store, None, usize::MAX >> 1)
    });
    let header = |envelope: &wire::Envelope| RawHeader {
        header_bytes: envelope.header_bytes.to_vec(),
        proof: envelope.proof,
    };
    let all = all.into_iter().flatten();
    all.filter_map(|pair| wire::check_evidence(header(&pair.first), header(&pair.second)).ok())
        .collect()
}

/// An envelope as it lies on a disk.
pub(super) fn raw(proof: [u8; 64], header_bytes: &[u8], body: Option<Vec<u8>>) -> Raw {
    Raw {
        header_bytes: header_bytes.to_vec(),
        proof: Signature::from_bytes(proof),
        body,
    }
}

/// Plays a topic again, without any planted defect: those who look on have none.
pub(super) fn replay(material: Material) -> Replayed {
    soundly(|| {
        let empty = Disk::new(&Arc::new(Pool::new()));
        let replayed = Staged::look(&empty, |store| again(store, material));
        replayed.unwrap_or_default()
    })
}

/// Says something as whoever looks on does, who has no planted defect.
#[cfg(feature = "planted")]
pub(super) fn soundly<R>(f: impl FnOnce() -> R) -> R {
    let planted = machine::planted::planted();
    machine::planted::plant(None);
    let result = f();
    machine::planted::plant(planted);
    result
}

/// Says something as whoever looks on does, who has no planted defect.
#[cfg(not(feature = "planted"))]
pub(super) fn soundly<R>(f: impl FnOnce() -> R) -> R {
    f()
}

fn again(store: &mut Staged<'_>, material: Material) -> Replayed {
    let mut replayed = Replayed::default();
    let mut lace = Lace::create(store, LOCAL, &material.genesis).ruled_by(&rights::Law);
    let mut ids = Vec::with_capacity(material.envelopes.len());
    for raw in material.envelopes {
        let id = wire::Header::id_of(&raw.header_bytes);
        ids.push(id);
        let checked = match wire::check(raw) {
            Ok(checked) => checked,
            Err(why) => {
                replayed.refused.push((id, why.to_string()));
                continue;
            }
        };
        let mut outcome = take(&mut lace, store, &id, checked.clone());
        if outcome == Some(Admission::NoRoom) {
            // It lies beyond a fork that has not been dealt with to its end.
            while lace.has_work() {
                lace.work(store);
            }
            outcome = take(&mut lace, store, &id, checked);
        }
        let taken = matches!(outcome, Some(Admission::Admitted { .. } | Admission::Void));
        if !taken && !lace.contains(store, &id) {
            replayed.refused.push((id, format!("{outcome:?}")));
        }
    }
    for evidence in &material.evidence {
        lace.add_evidence(store, evidence);
    }
    while lace.has_work() {
        lace.work(store);
    }
    replayed.look_at(&lace, store, &ids);
    replayed
}

/// What becomes of one envelope.
fn take(
    lace: &mut Lace,
    store: &mut Staged<'_>,
    id: &EnvelopeId,
    checked: Checked<Verified>,
) -> Option<Admission> {
    let outcome = lace.admit(store, checked);
    let mut own = outcome.into_iter().filter(|(other, _)| other == id);
    own.next().map(|(_, admission)| admission)
}

impl Replayed {
    fn look_at(&mut self, lace: &Lace, store: &mut Staged<'_>, ids: &[EnvelopeId]) {
        for id in ids {
            if lace.kept(store, id) {
                self.kept.insert(*id);
            }
            if lace.effective(store, id) {
                self.effective.insert(*id);
            }
        }
        let forks = lace.forks();
        self.forks = forks.map(|(author, seen)| (*author, seen.number)).collect();
        self.closed = closed(lace);
        let effect = lace.held_effect(store);
        self.standing = Standing::of(&effect);
        let held = lace.held_set(store);
        lace.facts(store, |facts| {
            for (author, limits) in &effect.limits {
                let limits = limits.iter().map(|limit| Limited {
                    first: limit.first,
                    content: limit.content.clone(),
                    control: limit.control.clone(),
                });
                if let Some(key) = facts.key(*author) {
                    self.limits.insert(key, limits.collect());
                }
            }
            for no in held.iter() {
                let keeps = !effect.void.contains_key(&no) || effect.pinned.contains(&no);
                if let Some(fact) = facts.fact(no).filter(|_| keeps) {
                    self.pinned.insert(fact.carrier);
                }
            }
        });
    }
}

/// From which number on what stands of authors is decided one by one.
pub(super) fn closed(lace: &Lace) -> BTreeMap<PublicKey, u64> {
    let closed = lace.authors();
    closed
        .filter_map(|author| Some((*author.key(), author.closed()?)))
        .collect()
}
