//! Who may still do what in a topic: what was taken from whom, by the evidence that lies in the world.
//!
//! What the plan wanted says little: a node declines what it may not do, and much is not heard of for
//! long. So it is asked of every replica what stands there. What one of them knows to be over may be
//! over for all who hear of it: from then on nothing is promised about it.

use super::Facts;
use super::holdings::look;
use super::replicas::{Overview, Replica};
use crate::plan::{Act, NodeNo, Plan, Right, TopicNo};
use identity::{GrantId, Id, PublicKey};
use lace::{Effect, Lace};
use machine::Staged;
use std::collections::{BTreeMap, BTreeSet};
use wire::{Item, Rights};

/// What members of a topic lack, of those that were let in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lost(BTreeMap<NodeNo, BTreeSet<Right>>);

impl Lost {
    /// Whether somebody takes part no longer.
    pub(crate) fn is_out(&self, no: NodeNo) -> bool {
        self.lacks(no, Right::Publish) && self.lacks(no, Right::Read)
    }

    /// All who take part no longer.
    pub(crate) fn out(&self) -> Vec<NodeNo> {
        let all = self.0.keys().copied();
        all.filter(|no| self.is_out(*no)).collect()
    }

    /// All who have lost a right.
    pub(crate) fn without(&self, right: Right) -> Vec<NodeNo> {
        let all = self.0.keys().copied();
        all.filter(|no| self.lacks(*no, right)).collect()
    }

    pub(crate) fn lacks(&self, no: NodeNo, right: Right) -> bool {
        self.0.get(&no).is_some_and(|lost| lost.contains(&right))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the members of a topic have lost by any replica of it.
pub(crate) fn lost(overview: &Overview<'_>, topic: TopicNo) -> Lost {
    let mut lost = Lost::default();
    // Where nothing was given or taken back nobody can have lost anything, which `members` looks at.
    if overview
        .everybody
        .facts
        .topic(topic, |topic| topic.rights.is_empty())
    {
        return lost;
    }
    for replica in overview.replicas(topic) {
        if !overview.node(replica.at).plan.is_honest() {
            continue;
        }
        for (no, rights) in rights_at(overview, topic, replica) {
            for right in [Right::Publish, Right::Read] {
                if !rights.contains(&right) {
                    lost.0.entry(no).or_default().insert(right);
                }
            }
        }
    }
    for device in removed(overview, topic) {
        let all = [Right::Publish, Right::Read];
        lost.0.entry(device).or_default().extend(all);
    }
    lost
}

/// Devices that their person has removed, or wants to: they may not have written yet.
fn removed(overview: &Overview<'_>, topic: TopicNo) -> Vec<NodeNo> {
    let everybody = overview.everybody;
    let device = |step: &u32| match everybody.plan.steps.get(*step as usize)?.act {
        Act::Unpair { device, .. } => Some(device),
        _ => None,
    };
    let facts = everybody.facts;
    facts.topic(topic, |topic| {
        topic.rights.iter().filter_map(device).collect()
    })
}

/// What those may do whose authors are at a replica. In a public topic whoever may write takes part as one
/// who may read does elsewhere.
pub(crate) fn rights_at(
    overview: &Overview<'_>,
    topic: TopicNo,
    replica: &Replica,
) -> BTreeMap<NodeNo, BTreeSet<Right>> {
    let devices = &overview.everybody.facts.devices;
    let disk = overview.node(replica.at).disk;
    let public = overview.everybody.plan.topics[topic as usize].public;
    let found = look(disk, replica.local, |lace, store| {
        let effect = lace.held_effect(store);
        let mut rights: BTreeMap<NodeNo, BTreeSet<Right>> = BTreeMap::new();
        let known: BTreeMap<PublicKey, NodeNo> = lace
            .authors()
            .filter_map(|author| Some((*author.device(), devices.author(author.key())?)))
            .collect();
        for (device, no) in known {
            let may = of_device(lace, store, &effect, &device);
            let rights = rights.entry(no).or_default();
            rights.extend(may);
            if public && rights.contains(&Right::Publish) {
                rights.insert(Right::Read);
            }
        }
        rights
    });
    found.unwrap_or_default()
}

/// What a device may do, under any grant that stands.
pub(crate) fn of_device(
    lace: &Lace,
    store: &mut Staged<'_>,
    effect: &Effect,
    device: &PublicKey,
) -> BTreeSet<Right> {
    if lace.genesis().root.has(device) {
        return Right::ALL.into();
    }
    let seats = effect.devices.iter().filter(|((_, of), _)| of == device);
    let seats: BTreeMap<Id, GrantId> = seats.map(|((by, _), seat)| (*by, seat.grant)).collect();
    // Another device of whoever founded the topic.
    let root = GrantId::from_bytes(lace.genesis().topic_id().to_bytes());
    if seats.values().any(|grant| *grant == root) {
        return Right::ALL.into();
    }
    // Whoever holds a grant has its seat by that, and still what an invite gives that it has claimed.
    let written = lace.authors().filter(|author| author.device() == device);
    let written: BTreeSet<GrantId> = written.map(|author| *author.grant()).collect();
    let held = effect.grants.iter();
    let held = held.filter(|(grant, it)| {
        it.holder.is_some_and(|of| seats.contains_key(&of))
            || seats.values().any(|seat| seat == *grant)
            || (it.holder.is_none() && written.contains(*grant))
    });
    let mut rights = BTreeSet::new();
    for (grant, it) in held {
        let Some(given) = given(lace, store, grant) else {
            continue;
        };
        let over = |right: &Right| match right {
            Right::Publish => it.over.publish,
            Right::Read => it.over.read,
            Right::Admit => it.over.admit,
        };
        rights.extend(named(&given).into_iter().filter(|right| !over(right)));
    }
    rights
}

/// What was ever given to the compositions that have had a device: what another device of somebody may do, as
/// long as nobody takes anything back.
pub(crate) fn ever_given(
    overview: &Overview<'_>,
    replica: &Replica,
    no: NodeNo,
) -> BTreeSet<Right> {
    let disk = overview.node(replica.at).disk;
    let found = look(disk, replica.local, |lace, store| {
        let genesis = lace.genesis();
        let Some(device) = overview.everybody.facts.devices.key(genesis, no) else {
            return BTreeSet::new();
        };
        let held = lace.held_set(store);
        let facts: Vec<Item> = lace.facts(store, |look| {
            let facts = held.iter().filter_map(|no| look.fact(no));
            facts.map(|fact| fact.what.clone()).collect()
        });
        let of = facts.iter().filter_map(|item| match item {
            Item::Act(act) if act.form.has(&device) => Some(act.composition),
            _ => None,
        });
        let of: BTreeSet<Id> = of.collect();
        if of.contains(&genesis.root.member()) {
            return Right::ALL.into();
        }
        let given = facts.iter().filter_map(|item| match item {
            Item::Grant(grant) if of.contains(&grant.holder) => Some(grant.rights),
            _ => None,
        });
        given.flat_map(|rights| named(&rights)).collect()
    });
    found.unwrap_or_default()
}

/// The rights that something gives.
fn named(rights: &Rights) -> BTreeSet<Right> {
    let parts = [
        (Right::Publish, rights.publish.is_some()),
        (Right::Read, rights.read.is_some()),
        (Right::Admit, rights.admit.is_some()),
    ];
    let parts = parts.into_iter().filter(|(_, given)| *given);
    parts.map(|(right, _)| right).collect()
}

/// What a grant or an invite says that it gives.
fn given(lace: &Lace, store: &mut Staged<'_>, grant: &GrantId) -> Option<Rights> {
    let issued = lace.facts(store, |facts| facts.issued(grant));
    match &issued.first()?.what {
        Item::Grant(item) => Some(item.rights),
        Item::Invite(item) => item.gift().map(|gift| gift.terms.rights),
        _ => None,
    }
}

/// Who may have lost something of what it wrote: whoever something was taken from, and whoever was
/// given something by one of these, as far as the world has asked for it.
pub(crate) fn shaken(plan: &Plan, facts: &Facts, topic: TopicNo) -> BTreeSet<NodeNo> {
    let steps: Vec<u32> = facts.topic(topic, |topic| topic.rights.iter().copied().collect());
    let acts = steps.iter().filter_map(|step| {
        let step = plan.steps.get(*step as usize)?;
        Some(&step.act)
    });
    let planned = &plan.topics[topic as usize];
    let (mut shaken, mut given) = (BTreeSet::new(), Vec::new());
    for act in acts {
        match act {
            Act::Revoke { node, whom, .. } => {
                shaken.insert(*whom);
                // An invite ends for all who have come by it: what the others write goes on under
                // grants of their own, what was not known by then is lost.
                if *node == planned.founder && !planned.personal {
                    shaken.extend(&planned.members);
                }
            }
            Act::Unpair { device, .. } => drop(shaken.insert(*device)),
            Act::Grant { node, to, .. } => given.push((*node, *to)),
            _ => {}
        }
    }
    loop {
        let more = given.iter().filter(|(by, _)| shaken.contains(by));
        let mut more: BTreeSet<NodeNo> = more.map(|(_, to)| *to).collect();
        // What is taken from a person is taken from all its devices.
        let nodes = (0..).zip(&plan.nodes);
        let devices =
            nodes.filter(|(_, node)| node.device_of.is_some_and(|of| shaken.contains(&of)));
        more.extend(devices.map(|(no, _)| no));
        if more.is_subset(&shaken) {
            return shaken;
        }
        shaken.extend(more);
    }
}
