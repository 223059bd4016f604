//! What somebody wrote after its rights were taken stands nowhere, and takes nothing from anybody else.
//!
//! The world knows which envelope came first: whatever it heard of after a revocation, and what that
//! does not have in its past, its author could not have left. So no cut need be read here, and of the law
//! only whether a revocation counts; the founder's always does. What was given in such an envelope was
//! never given, and all that is written under it stands nowhere either.
//!
//! On the other side stands everybody from whom nobody took anything, and who was given nothing by one
//! of these: whatever a stolen key says, nothing that such a person wrote is cut off.

use super::agreement::placed_ids;
use super::holdings::look;
use super::members::{is_shaky, is_tainted};
use super::replay::soundly;
use super::replicas::{Overview, Replica};
use super::standing::shaken;
use super::{Broken, Facts};
use crate::plan::{NodeNo, TopicNo};
use identity::{EnvelopeId, Form, GrantId, PublicKey};
use lace::{Effect, Fact, Lace};
use machine::Staged;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wire::{InviteKind, Item, Right};

/// The name of the promise.
pub(crate) const PROMISE: &str = "ended";

/// Looks at all replicas of a topic in which rights were given or taken.
pub(crate) fn check(overview: &Overview<'_>, topic: TopicNo) -> Vec<Broken> {
    let facts = overview.everybody.facts;
    if facts.topic(topic, |topic| topic.rights.is_empty()) {
        return Vec::new();
    }
    let shaken = shaken(overview, topic);
    let mut seen = BTreeSet::new();
    let mut broken = Vec::new();
    for replica in overview.replicas(topic) {
        let hashes = overview.hashes(replica);
        if !overview.node(replica.at).plan.is_honest() || !seen.insert(hashes) {
            continue;
        }
        let wrong = soundly(|| wrong(overview, (topic, replica), &shaken));
        broken.extend(wrong.map(|what| Broken {
            promise: PROMISE,
            at_us: overview.everybody.now.as_micros(),
            node: Some(overview.node(replica.at).no),
            what: format!("in {}: {what}", overview.topic_name(topic)),
        }));
    }
    broken
}

fn wrong(
    overview: &Overview<'_>,
    (topic, replica): (TopicNo, &Replica),
    shaken: &BTreeSet<NodeNo>,
) -> Option<String> {
    let disk = overview.node(replica.at).disk;
    let wrong = look(disk, replica.local, |lace, store| {
        // What is being cut off step by step stands until it is.
        if lace.has_work() {
            return None;
        }
        let told = Told::read(lace, store);
        cut_off(overview, lace, shaken).or_else(|| told.stands(overview, topic, (lace, store)))
    });
    wrong.flatten()
}

/// Something of somebody that is cut off though nobody took anything from it.
fn cut_off(overview: &Overview<'_>, lace: &Lace, shaken: &BTreeSet<NodeNo>) -> Option<String> {
    let everybody = overview.everybody;
    lace.authors().find_map(|author| {
        let no = everybody.facts.devices.author(author.key())?;
        let safe = !shaken.contains(&no) && !is_shaky(everybody.plan, everybody.facts, no);
        let from = author.closed().filter(|_| safe)?;
        let who = &everybody.plan.nodes[no as usize].name;
        Some(format!(
            "what {who} wrote from number {from} on need not stand, and nobody took its rights"
        ))
    })
}

/// What a replica has heard of rights.
struct Told {
    facts: Vec<Arc<Fact>>,
    /// Under which grant the author of each fact writes, and its device.
    by: Vec<Option<(PublicKey, GrantId, PublicKey)>>,
    effect: Arc<Effect>,
}

/// A revocation that counts.
struct End {
    carrier: EnvelopeId,
    serial: u32,
    /// All of the grant, and not the right to write messages alone.
    whole: bool,
    /// The grants that it ends.
    grants: BTreeSet<GrantId>,
}

impl Told {
    fn read(lace: &Lace, store: &mut Staged<'_>) -> Self {
        let (held, effect) = (lace.held_set(store), lace.held_effect(store));
        let (facts, keys) = lace.facts(store, |look| {
            let facts: Vec<Arc<Fact>> = held.iter().filter_map(|no| look.fact(no)).collect();
            let keys: Vec<_> = facts.iter().map(|fact| look.key(fact.author)).collect();
            (facts, keys)
        });
        let by = keys.into_iter().map(|key| {
            let author = lace.author(&key?)?;
            Some((*author.key(), *author.grant(), *author.device()))
        });
        Self {
            by: by.collect(),
            facts,
            effect,
        }
    }

    /// Something that stands and must not.
    fn stands(
        &self,
        overview: &Overview<'_>,
        topic: TopicNo,
        (lace, store): (&Lace, &mut Staged<'_>),
    ) -> Option<String> {
        let facts = overview.everybody.facts;
        let root = facts.topic(topic, |topic| topic.id)?;
        let root = GrantId::from_bytes(root.to_bytes());
        let ends = self.ends(overview, &root);
        if ends.is_empty() {
            return None;
        }
        let never = self.never_given(facts, &ends);
        let written: BTreeMap<PublicKey, GrantId> = lace
            .authors()
            .map(|author| (*author.key(), *author.grant()))
            .collect();
        for id in placed_ids(lace, store) {
            let Some(envelope) = facts.envelope(&id) else {
                continue;
            };
            let Some(grant) = written.get(&envelope.author) else {
                continue;
            };
            let late = || {
                let mut ends = ends.iter();
                let ends = ends.find(|end| {
                    let over = end.grants.contains(grant) && (end.whole || envelope.content);
                    over && end.is_before(facts, &id)
                });
                ends.map(|end| end.carrier)
            };
            let by = if never.contains(grant) {
                Some(None)
            } else {
                late().map(Some)
            };
            if let Some(by) = by
                && lace.effective(store, &id)
            {
                let number = envelope.number;
                return Some(match by {
                    Some(by) => format!("{id}, number {number}, stands, and began after {by}"),
                    None => format!("{id}, number {number}, stands under what was never given"),
                });
            }
        }
        None
    }

    /// The revocations that count and come from above.
    fn ends(&self, overview: &Overview<'_>, root: &GrantId) -> Vec<End> {
        let (plan, facts) = (overview.everybody.plan, overview.everybody.facts);
        let told = self.facts.iter().zip(&self.by);
        let ends = told.filter_map(|(fact, by)| {
            let Item::Revocation(it) = &fact.what else {
                return None;
            };
            let (author, grant, device) = (*by)?;
            let no = facts.devices.author(&author);
            let sound = no.is_some_and(|no| !is_tainted(plan, facts, no));
            let counts = (grant == *root && sound) || !self.effect.void.contains_key(&fact.no);
            let own = self
                .holders(&it.grant)
                .any(|of| of == Form::one(device).member());
            let takes = counts && it.takes(Right::Publish) && it.grant != *root;
            (takes && grant != it.grant && !own).then_some(())?;
            let mut grants = BTreeSet::from([it.grant]);
            if it.cascade {
                self.with_below(&mut grants);
            }
            Some(End {
                carrier: fact.carrier,
                serial: facts.envelope(&fact.carrier)?.serial,
                whole: it.only.is_empty(),
                grants,
            })
        });
        ends.collect()
    }

    fn holders(&self, grant: &GrantId) -> impl Iterator<Item = identity::Id> {
        let given = self.facts.iter().filter(|fact| fact.item == *grant);
        given.filter_map(|fact| match &fact.what {
            Item::Grant(grant) => Some(grant.holder),
            _ => None,
        })
    }

    /// What was given by whom it had been taken from, and nowhere else; and all below.
    fn never_given(&self, facts: &Facts, ends: &[End]) -> BTreeSet<GrantId> {
        let (mut late, mut given) = (BTreeSet::new(), BTreeSet::new());
        for (fact, by) in self.facts.iter().zip(&self.by) {
            let Some((_, grant, _)) = by.filter(|_| parent(&fact.what).is_some()) else {
                continue;
            };
            let mut ends = ends.iter().filter(|end| end.whole);
            if ends.any(|end| end.grants.contains(&grant) && end.is_before(facts, &fact.carrier)) {
                late.insert(fact.item);
            } else {
                given.insert(fact.item);
            }
        }
        let mut never: BTreeSet<GrantId> = late.difference(&given).copied().collect();
        self.with_below(&mut never);
        never
    }

    /// Adds all grants that were given out of these.
    fn with_below(&self, grants: &mut BTreeSet<GrantId>) {
        loop {
            let below = self.facts.iter().filter(|fact| {
                let parent = parent(&fact.what);
                parent.is_some_and(|parent| grants.contains(&parent))
            });
            let below: Vec<GrantId> = below.map(|fact| fact.item).collect();
            let before = grants.len();
            grants.extend(below);
            if grants.len() == before {
                return;
            }
        }
    }
}

impl End {
    /// Whether it was there before an envelope, and does not know it.
    fn is_before(&self, facts: &Facts, id: &EnvelopeId) -> bool {
        let later = |id: &EnvelopeId| facts.envelope(id).is_some_and(|it| it.serial > self.serial);
        if !later(id) {
            return false;
        }
        // One batch may tell the world of both in any order.
        let (mut seen, mut todo) = (BTreeSet::new(), vec![self.carrier]);
        while let Some(at) = todo.pop() {
            let named = facts.envelope(&at);
            for next in named.iter().flat_map(|it| &it.named) {
                if next == id {
                    return false;
                }
                if later(next) && seen.insert(*next) {
                    todo.push(*next);
                }
            }
        }
        true
    }
}

/// Out of which grant something is given.
const fn parent(item: &Item) -> Option<GrantId> {
    match item {
        Item::Grant(grant) => Some(grant.parent),
        Item::Invite(invite) => match &invite.kind {
            InviteKind::WhileAway(gift) | InviteKind::Attended(gift) => Some(gift.parent),
            InviteKind::Device => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Overview, check};
    use crate::check::fixture::{ADA, BEN, CLEO, Town, id_of};
    use crate::plan::{Act, Step};
    use wire::{Checked, Header, Verified};

    /// Ada has taken everything from Ben, and leaves what he had said by then; he goes on.
    fn quarrel() -> (Town, Checked<Verified>) {
        let mut town = Town::settled();
        let act = Act::Revoke {
            node: ADA,
            topic: 0,
            whom: BEN,
            rights: Vec::new(),
            cascade: false,
        };
        town.plan.steps.push(Step { at_ms: 0, act });
        town.facts.change_topic(0, |facts| {
            facts.rights.insert(0);
        });
        let (ben, cleo) = (town.say(BEN, &[]), town.say(CLEO, &[]));
        let late = town.say(BEN, &[]);
        let end = town.revoke(&[], &[&ben, &cleo]);
        for said in [&ben, &cleo, &late, &end] {
            town.give_all(said);
        }
        (town, end)
    }

    fn found(town: &Town) -> Vec<String> {
        let (_, broken) = town.everybody(|everybody| check(&Overview::new(everybody), 0));
        broken.into_iter().map(|broken| broken.what).collect()
    }

    #[test]
    fn what_a_revocation_knows_stands_and_all_else_has_gone() {
        let (town, _) = quarrel();
        assert_eq!(found(&town), [""; 0]);
    }

    #[test]
    fn what_stands_though_it_began_later_is_found() {
        let (town, end) = quarrel();
        // The world is told that the revocation came first, and knew of nothing.
        let header = Header {
            deps: Vec::new(),
            ..end.get().envelope.header.clone()
        };
        town.facts.learn(id_of(&end), 0, &header);
        let found = found(&town);
        assert!(
            found.iter().all(|what| what.contains("began after")),
            "{found:?}"
        );
        assert!(!found.is_empty());
    }

    #[test]
    fn what_is_cut_off_though_nobody_took_it_is_found() {
        let (mut town, _) = quarrel();
        // The invite was Cleo's too: the world is told that each has an invite of its own.
        town.plan.topics[0].personal = true;
        let found = found(&town);
        assert!(
            found.iter().all(|what| what.contains("what Cleo wrote")),
            "{found:?}"
        );
        assert!(!found.is_empty());
    }
}
