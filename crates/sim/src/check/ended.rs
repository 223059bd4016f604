//! What somebody wrote after its rights were taken stands nowhere, and takes nothing from anybody else.
//!
//! The world knows which envelope came first: whatever it heard of after a revocation, and what that
//! does not have in its past, its author could not have left. So no cut need be read here, and of the law
//! only whether a revocation counts; the founder's always does. What was given in such an envelope was
//! never given, and all that is written under it stands nowhere either.
//!
//! It is the same with a device once its person has removed it, but for messages that somebody has answered
//! who had not heard of that.
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
use identity::{ActId, EnvelopeId, Form, GrantId, PublicKey};
use lace::{Effect, Fact, Lace};
use machine::Staged;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wire::{Act, InviteKind, Item, Right};

/// The name of the promise.
pub(crate) const PROMISE: &str = "ended";

/// Looks at all replicas of a topic in which rights were given or taken.
pub(crate) fn check(overview: &Overview<'_>, topic: TopicNo) -> Vec<Broken> {
    let facts = overview.everybody.facts;
    if facts.topic(topic, |topic| topic.rights.is_empty()) {
        return Vec::new();
    }
    let shaken = shaken(overview.everybody.plan, overview.everybody.facts, topic);
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
    /// The composition of who founded the topic.
    founder: identity::Id,
}

/// A revocation that counts, or an act that does and takes a device its seat.
struct End {
    carrier: EnvelopeId,
    serial: u32,
    of: Of,
}

/// What is at an end.
enum Of {
    Grants {
        /// All of the rights, and not the one to write messages alone.
        whole: bool,
        grants: BTreeSet<GrantId>,
    },
    Seat(PublicKey),
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
            founder: lace.genesis().root.member(),
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
        let written: BTreeMap<PublicKey, (GrantId, PublicKey)> = lace
            .authors()
            .map(|author| (*author.key(), (*author.grant(), *author.device())))
            .collect();
        let placed = placed_ids(lace, store);
        for id in &placed {
            let Some(envelope) = facts.envelope(id) else {
                continue;
            };
            let Some((grant, device)) = written.get(&envelope.author) else {
                continue;
            };
            let over = |end: &&End| {
                end.is_over(grant, device, envelope.content) && end.is_before(facts, id)
            };
            let late = ends.iter().find(over);
            if (late.is_none() && !never.contains(grant)) || !lace.effective(store, id) {
                continue;
            }
            let number = envelope.number;
            let Some(end) = late.filter(|_| !never.contains(grant)) else {
                let what = format!("{id}, number {number}, stands under what was never given");
                return Some(what);
            };
            let answers = Answers {
                overview,
                placed: &placed,
                written: &written,
            };
            let loose = envelope.content && matches!(end.of, Of::Seat(_));
            if !loose || !answers.hold_up(end, (id, device), (lace, store)) {
                let by = end.carrier;
                return Some(format!(
                    "{id}, number {number}, stands, and began after {by}"
                ));
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
                of: Of::Grants {
                    whole: it.only.is_empty(),
                    grants,
                },
            })
        });
        ends.chain(self.removals(facts)).collect()
    }

    /// The acts that count and take devices their seats. That of whoever founded the topic counts if no other
    /// one follows the same state.
    fn removals(&self, facts: &Facts) -> Vec<End> {
        let acts = self.facts.iter().filter_map(|fact| match &fact.what {
            Item::Act(act) => Some((fact, act)),
            _ => None,
        });
        let acts: Vec<(&Arc<Fact>, &Act)> = acts.collect();
        let mut ends = Vec::new();
        for (fact, act) in &acts {
            let rivals = acts.iter().filter(|(_, other)| {
                other.previous == act.previous && other.composition == act.composition
            });
            let ids: BTreeSet<ActId> = rivals.map(|(_, other)| other.id()).collect();
            let alone = ids.len() == 1 && act.composition == self.founder;
            let Some(carrier) = facts.envelope(&fact.carrier) else {
                continue;
            };
            if self.effect.void.contains_key(&fact.no) && !alone {
                continue;
            }
            // What follows the first form takes nothing from anybody here: it is of one device.
            let before = acts.iter().find(|(_, other)| other.id() == act.previous);
            let gone = before.map(|(_, before)| before.form.beyond(&act.form));
            ends.extend(gone.into_iter().flatten().map(|device| End {
                carrier: fact.carrier,
                serial: carrier.serial,
                of: Of::Seat(device),
            }));
        }
        ends
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
            let Some((_, grant, device)) = by.filter(|_| parent(&fact.what).is_some()) else {
                continue;
            };
            let mut ends = ends.iter();
            if ends.any(|end| {
                end.is_over(&grant, &device, false) && end.is_before(facts, &fact.carrier)
            }) {
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
    /// Whether it ends what a device writes under a grant.
    fn is_over(&self, grant: &GrantId, device: &PublicKey, content: bool) -> bool {
        match &self.of {
            Of::Grants { whole, grants } => grants.contains(grant) && (*whole || content),
            Of::Seat(of) => of == device,
        }
    }

    /// Whether an envelope has it in its past, or carries it.
    fn is_known(&self, facts: &Facts, of: &EnvelopeId) -> bool {
        *of == self.carrier || self.is_past(facts, of, &self.carrier)
    }

    fn is_earlier(&self, facts: &Facts, id: &EnvelopeId) -> bool {
        facts.envelope(id).is_some_and(|it| it.serial > self.serial)
    }

    /// Whether it was there before an envelope, and does not know it.
    fn is_before(&self, facts: &Facts, id: &EnvelopeId) -> bool {
        // One batch may tell the world of both in any order.
        self.is_earlier(facts, id) && !self.is_past(facts, &self.carrier, id)
    }

    /// Whether an envelope has another one in its past, that is later than this.
    fn is_past(&self, facts: &Facts, of: &EnvelopeId, id: &EnvelopeId) -> bool {
        let (mut seen, mut todo) = (BTreeSet::new(), vec![*of]);
        while let Some(at) = todo.pop() {
            let named = facts.envelope(&at);
            for next in named.iter().flat_map(|it| &it.named) {
                if next == id {
                    return true;
                }
                if self.is_earlier(facts, next) && seen.insert(*next) {
                    todo.push(*next);
                }
            }
        }
        false
    }
}

/// What others have answered to what a removed device wrote.
struct Answers<'a> {
    overview: &'a Overview<'a>,
    placed: &'a [EnvelopeId],
    written: &'a BTreeMap<PublicKey, (GrantId, PublicKey)>,
}

impl Answers<'_> {
    /// Whether something of others stands that has an envelope in its past, and one of them had not heard of
    /// the end when it named that, or may name anything.
    fn hold_up(
        &self,
        end: &End,
        (id, device): (&EnvelopeId, &PublicKey),
        (lace, store): (&Lace, &mut Staged<'_>),
    ) -> bool {
        let everybody = self.overview.everybody;
        let (plan, facts) = (everybody.plan, everybody.facts);
        let (mut stands, mut unaware) = (false, false);
        for other in self.placed {
            let author = facts.envelope(other).map(|envelope| envelope.author);
            let of = author.and_then(|author| self.written.get(&author));
            if of.is_none_or(|(_, of)| of == device) || !end.is_past(facts, other, id) {
                continue;
            }
            let no = author.and_then(|author| facts.devices.author(&author));
            let sound = no.is_some_and(|no| !is_tainted(plan, facts, no));
            unaware |= !sound || !end.is_known(facts, other);
            stands |= lace.effective(store, other);
        }
        stands && unaware
    }
}

/// Out of which grant something is given.
pub(super) const fn parent(item: &Item) -> Option<GrantId> {
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
    use crate::check::fixture::{ADA, BEN, CLEO, CORE, MALLORY, Town, id_of};
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

    /// Mallory is another device of Ada's, who removes it and leaves what it had said by then; it goes on.
    struct Parting {
        town: Town,
        end: Checked<Verified>,
        late: Checked<Verified>,
    }

    fn parting() -> Parting {
        let mut town = Town::new();
        town.plan.nodes[MALLORY as usize].device_of = Some(ADA);
        town.facts.pairs(MALLORY);
        let (node, device) = (ADA, MALLORY);
        let act = Act::Unpair { node, device };
        town.plan.steps.push(Step { at_ms: 0, act });
        town.facts.change_topic(0, |facts| facts.rights.insert(0));
        town.settle(&[ADA, BEN, CLEO, CORE]);
        let (seated, carrier) = town.act(None, &[ADA, MALLORY], &[]);
        let first = town.first_of_device(MALLORY, &carrier);
        let said = town.say(MALLORY, &[]);
        let late = town.say(MALLORY, &[]);
        let (_, end) = town.act(Some(&seated), &[ADA], &[&said]);
        for said in [&carrier, &first, &said, &late, &end] {
            town.give_all(said);
        }
        town.facts.learn(id_of(&end), 0, &end.get().envelope.header);
        Parting { town, end, late }
    }

    #[test]
    fn what_a_removed_device_goes_on_to_write_has_gone() {
        assert_eq!(found(&parting().town), [""; 0]);
    }

    #[test]
    fn what_a_removed_device_wrote_stands_for_whom_did_not_know() {
        let Parting { mut town, late, .. } = parting();
        let answer = town.say(BEN, &[&late]);
        town.give_all(&answer);
        assert_eq!(found(&town), [""; 0]);
    }

    #[test]
    fn what_stands_of_a_removed_device_for_whom_knew_is_found() {
        let Parting {
            mut town,
            end,
            late,
        } = parting();
        let answer = town.say(BEN, &[&late, &end]);
        town.give_all(&answer);
        let found = found(&town);
        assert!(
            found.iter().all(|what| what.contains("began after")),
            "{found:?}"
        );
        assert!(!found.is_empty());
    }
}
