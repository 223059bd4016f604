//! Who takes part in a topic: each member with its devices, what it was given, until when, and what has
//! been taken back.

use super::came::{Comers, Kept};
use super::topics::devices;
use crate::command::{
    End, Ending, Failure, GrantKind, Member, MemberDevice, MemberGrant, MemberRight, Reply, Right,
    Used,
};
use crate::guests::written;
use crate::look::look;
use crate::node::{Inner, Turn};
use identity::limits::SHARES;
use identity::{EnvelopeId, Form, GrantId, Id, PublicKey};
use lace::{Author, Effect, Fact, Lace};
use machine::Staged;
use rights::Law;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wire::{Budget, Interval, Item, Rights};

/// Revocations and closes that are looked at for who has ended what, the newest. Of older ones it is
/// not said.
pub(super) const ENDS: usize = 1_024;

/// Ends that are told of one grant, the first.
const TOLD_ENDS: usize = 8;

/// Grants on the way up from one of which an end is looked for.
const ABOVE: usize = wire::limits::MAX_GRANT_DEPTH;

impl Inner {
    pub(super) fn members(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: &str,
    ) -> Result<Reply, Failure> {
        let local = self.find_topic(topic)?;
        let keys = self.host.keys.topic(local);
        let own = keys.and_then(|keys| Some(keys.device.as_ref()?.public()));
        let now = turn.cx.wall.as_millis();
        let kept = self.kept_claims(turn, local);
        let people = look(&mut self.topics, turn.cx, local, |lace, store| {
            People::of(lace, store, (now, &kept))
        });
        let people = people.unwrap_or_default();
        let all: BTreeSet<PublicKey> = people
            .0
            .iter()
            .flat_map(|person| person.devices.iter().map(|device| device.key))
            .chain(people.0.iter().flat_map(Person::named))
            .collect();
        let all: Vec<PublicKey> = all.into_iter().collect();
        let names = self.device_names(turn, local, &all);
        let named = |key: &PublicKey| names.get(key).cloned().unwrap_or_default();
        let mut members = Vec::new();
        for person in people.0 {
            let mut devices = Vec::new();
            for of in &person.devices {
                devices.push(MemberDevice {
                    device: of.key.to_string(),
                    name: named(&of.key),
                    own: Some(of.key) == own,
                    seated: of.share.is_some(),
                    share: of.share.unwrap_or(0),
                    left: self.has_left(turn.cx, local, &of.key),
                    envelopes: of.envelopes,
                });
            }
            let grants = person.grants.into_iter().map(|given| given.shown(&named));
            members.push(Member {
                id: person.id.to_string(),
                devices,
                grants: grants.collect(),
            });
        }
        Ok(Reply::Members(members))
    }
}

/// The members of a topic, as its graph tells of them.
#[derive(Default)]
struct People(Vec<Person>);

struct Person {
    id: Id,
    devices: Vec<Device>,
    grants: Vec<Given>,
}

struct Device {
    key: PublicKey,
    /// Of 256; nothing for one that has no seat.
    share: Option<u16>,
    envelopes: u64,
}

struct Given {
    grant: MemberGrant,
    budget: Budget,
    /// The claim that it welcomes, and the envelope that carries it.
    welcomes: Option<([u8; 32], EnvelopeId)>,
    /// Who gave it, and who ended it.
    by: Option<PublicKey>,
    ended: Vec<(PublicKey, End)>,
}

impl Person {
    const fn new(id: Id) -> Self {
        Self {
            id,
            devices: Vec::new(),
            grants: Vec::new(),
        }
    }

    /// Devices that are to be called by their names beside its own.
    fn named(&self) -> impl Iterator<Item = PublicKey> + '_ {
        let given = self.grants.iter();
        given.flat_map(|given| {
            given
                .by
                .into_iter()
                .chain(given.ended.iter().map(|by| by.0))
        })
    }
}

impl Given {
    fn shown(self, named: &impl Fn(&PublicKey) -> String) -> MemberGrant {
        let ended = self.ended.into_iter().map(|(by, end)| End {
            by: by.to_string(),
            by_name: named(&by),
            ..end
        });
        MemberGrant {
            by: self.by.map(|by| by.to_string()),
            by_name: self.by.as_ref().map_or_else(String::new, named),
            ended: ended.collect(),
            ..self.grant
        }
    }
}

impl People {
    /// Who they are. `now`: milliseconds since 1970, for what of their rates they have used.
    fn of(lace: &Lace, store: &mut Staged<'_>, (now, kept): (u64, &Kept)) -> Self {
        let effect = lace.held_effect(store);
        let comers = Comers::of(lace, store, (&effect, kept));
        let wrote = devices(lace);
        let mut people: BTreeMap<Id, (Person, BTreeSet<GrantId>)> = BTreeMap::new();
        let person = |id: Id| (Person::new(id), BTreeSet::new());
        for ((holder, key), seat) in &effect.devices {
            let (who, grants) = people.entry(*holder).or_insert_with(|| person(*holder));
            grants.insert(seat.grant);
            who.devices.push(Device {
                key: *key,
                share: Some(seat.share),
                envelopes: wrote.get(key).copied().unwrap_or(0),
            });
        }
        for (grant, standing) in &effect.grants {
            if let Some((_, grants)) = standing.holder.and_then(|of| people.get_mut(&of)) {
                grants.insert(*grant);
            }
        }
        // Whoever has written and stands no more.
        let seated: BTreeSet<PublicKey> = effect.devices.keys().map(|(_, key)| *key).collect();
        let fallen = lace
            .authors()
            .filter(|author| !seated.contains(author.device()));
        let fallen: BTreeSet<(PublicKey, GrantId)> = fallen
            .map(|author| (*author.device(), *author.grant()))
            .collect();
        for (key, grant) in fallen {
            let id = holder(lace, store, &grant).unwrap_or_else(|| Form::one(key).member());
            let (who, grants) = people.entry(id).or_insert_with(|| person(id));
            grants.insert(grant);
            if who.devices.iter().all(|device| device.key != key) {
                who.devices.push(Device {
                    key,
                    share: None,
                    envelopes: wrote.get(&key).copied().unwrap_or(0),
                });
            }
        }
        let mut under: BTreeMap<(PublicKey, GrantId), Vec<&Author>> = BTreeMap::new();
        for author in lace.authors() {
            let of = (*author.device(), *author.grant());
            under.entry(of).or_default().push(author);
        }
        let ends = lace.ends(store, ENDS);
        let whole = people.into_values().map(|(mut who, grants)| {
            for grant in grants {
                let mut given = given(lace, store, (&effect, &ends), &grant);
                let mut chains: Vec<(&Author, u16)> = Vec::new();
                for device in &who.devices {
                    let Some(authors) = under.get(&(device.key, grant)) else {
                        continue;
                    };
                    given.grant.writes = true;
                    // Who has lost its seat spends nothing any more.
                    if let Some(share) = device.share {
                        chains.extend(authors.iter().map(|author| (*author, share)));
                    }
                }
                let mut devices = who.devices.iter();
                given.grant.came = match given.welcomes {
                    Some((claim, envelope)) => comers.by_welcome((&who.id, &claim), envelope),
                    None => devices.find_map(|device| comers.by_invite(&grant, &device.key)),
                };
                given.grant.used = Some(used(&chains, &given.budget, now))
                    .filter(|used| given.grant.stands && *used != Used::default());
                who.grants.push(given);
            }
            who.grants
                .sort_by_key(|given| (given.grant.depth, given.grant.id.clone()));
            who
        });
        let mut whole: Vec<Person> = whole.collect();
        // From the owners of the topic down; who has nothing any more comes last.
        whole.sort_by_key(|who| {
            let stands = who.grants.iter().filter(|given| given.grant.stands);
            let depth = stands.map(|given| given.grant.depth).min();
            (depth.is_none(), depth, who.id)
        });
        Self(whole)
    }
}

/// Who holds a grant that is here and is none of the topic's own; nothing for an invite.
fn holder(lace: &Lace, store: &mut Staged<'_>, grant: &GrantId) -> Option<Id> {
    if grant.as_bytes() == lace.genesis().topic_id().as_bytes() {
        return Some(lace.genesis().root.member());
    }
    let issued = lace.facts(store, |facts| facts.issued(grant));
    match issued.first().map(|fact| &fact.what) {
        Some(Item::Grant(grant)) => Some(grant.holder),
        _ => None,
    }
}

fn given(
    lace: &Lace,
    store: &mut Staged<'_>,
    (effect, ends): (&Effect, &[Arc<Fact>]),
    grant: &GrantId,
) -> Given {
    let standing = effect.grants.get(grant);
    let over = standing.map(|standing| standing.over).unwrap_or_default();
    let issued = lace.facts(store, |facts| facts.issued(grant));
    let fact = issued
        .into_iter()
        .min_by_key(|fact| (fact.created, fact.carrier));
    let item = fact.as_ref().map(|fact| &fact.what);
    let (kind, rights, named, parent) = terms(item);
    // Nothing bounds whoever owns the topic.
    let budget = match kind {
        GrantKind::Own => named,
        GrantKind::Grant | GrantKind::Invite => lace.genesis().policy.budget_of(named),
    };
    let welcomes = fact.as_ref().and_then(|fact| match &fact.what {
        Item::Grant(it) => Some((it.welcomes?, fact.carrier)),
        _ => None,
    });
    let stands = standing.is_some();
    let right = |right, interval: Option<Interval>, over: bool| {
        interval.map(|interval| MemberRight {
            right,
            from: interval.from,
            until: interval.until,
            over: over || !stands,
        })
    };
    let all = [
        right(Right::Publish, rights.publish, over.publish),
        right(Right::Read, rights.read, over.read),
        right(Right::Admit, rights.admit, over.admit),
    ];
    let any_over = !stands || over.publish || over.read || over.admit;
    let ended = if any_over {
        ended(lace, store, (effect, ends), grant)
    } else {
        Vec::new()
    };
    let by = fact.as_ref().and_then(|fact| device_of(lace, store, fact));
    let since = standing.map(|standing| standing.since);
    Given {
        grant: MemberGrant {
            id: grant.to_string(),
            kind,
            parent: parent.map(|parent| parent.to_string()),
            depth: standing.map_or(0, |standing| standing.depth),
            since: since
                .or(fact.as_ref().map(|fact| fact.created))
                .unwrap_or(0),
            stands,
            writes: false,
            rights: all.into_iter().flatten().collect(),
            messages: budget.messages,
            bytes: budget.bytes,
            total_envelopes: budget.total_envelopes,
            total_bytes: budget.total_bytes,
            used: None,
            came: None,
            by: None,
            by_name: String::new(),
            ended: Vec::new(),
        },
        budget,
        welcomes,
        by,
        ended,
    }
}

/// What these chains, each with its device's share, have used of a budget at this time.
fn used(chains: &[(&Author, u16)], budget: &Budget, now: u64) -> Used {
    let mut rates = rights::Used {
        messages: budget.messages.map(|_| 0),
        bytes: budget.bytes.map(|_| 0),
    };
    let (mut envelopes, mut bytes) = (0_u64, 0_u64);
    for (author, share) in chains {
        rates = rates.and(Law::used(author, (budget, *share), now));
        let (number, length) = written(author);
        envelopes = envelopes.saturating_add(number);
        bytes = bytes.saturating_add(length);
    }
    Used {
        messages: rates.messages,
        bytes: rates.bytes,
        total_envelopes: budget.total_envelopes.map(|_| envelopes),
        total_bytes: budget.total_bytes.map(|_| bytes),
    }
}

/// What an item gives; what the topic's own grant does, if there is none.
fn terms(item: Option<&Item>) -> (GrantKind, Rights, Budget, Option<GrantId>) {
    match item {
        Some(Item::Grant(it)) => (GrantKind::Grant, it.rights, it.budget, Some(it.parent)),
        Some(Item::Invite(it)) => {
            let gift = it.gift();
            let terms = gift.map(|gift| (gift.terms.rights, gift.terms.budget));
            let (rights, budget) = terms.unwrap_or_default();
            (
                GrantKind::Invite,
                rights,
                budget,
                gift.map(|gift| gift.parent),
            )
        }
        _ => {
            let always = Some(Interval::ALWAYS);
            let rights = Rights {
                publish: always,
                read: always,
                admit: always,
            };
            (GrantKind::Own, rights, Budget::default(), None)
        }
    }
}

/// The device in whose name an item was written.
fn device_of(lace: &Lace, store: &mut Staged<'_>, fact: &Fact) -> Option<PublicKey> {
    let key = lace.facts(store, |facts| facts.key(fact.author))?;
    Some(*lace.author(&key)?.device())
}

/// What ended a grant, or rights of it: what stands of those that are here, the first first. What took back
/// a grant above it counts where it says that it does, or where it left nothing of this one.
pub(super) fn ended(
    lace: &Lace,
    store: &mut Staged<'_>,
    (effect, ends): (&Effect, &[Arc<Fact>]),
    grant: &GrantId,
) -> Vec<(PublicKey, End)> {
    let mut above = BTreeSet::from([*grant]);
    let mut gives = Rights::default();
    let mut next = Some(*grant);
    for _ in 0..ABOVE {
        let Some(at) = next else { break };
        let issued = lace.facts(store, |facts| facts.issued(&at));
        let (_, rights, _, parent) = terms(issued.first().map(|fact| &fact.what));
        if at == *grant {
            gives = rights;
        }
        next = parent;
        above.extend(next);
    }
    let mut found = Vec::new();
    for fact in ends {
        let (of, how, reaches, only) = match &fact.what {
            Item::Revocation(it) => (it.grant, Ending::Revoked, it.cascade, it.only.clone()),
            Item::Close(it) => (it.grant, Ending::Closed, false, BTreeSet::new()),
            _ => continue,
        };
        if !above.contains(&of) || effect.void.contains_key(&fact.no) {
            continue;
        }
        let taken = gives.iter().map(|(right, _)| right);
        let taken = taken.filter(|right| only.is_empty() || only.contains(right));
        let taken: BTreeSet<wire::Right> = taken.collect();
        if !taken.is_empty() {
            found.push((fact, how, of, of == *grant || reaches, taken));
        }
    }
    found.sort_by_key(|(fact, ..)| (fact.created, fact.no));
    let over: BTreeSet<wire::Right> = found
        .iter()
        .filter(|(.., counts, _)| *counts)
        .flat_map(|(.., taken)| taken.iter().copied())
        .collect();
    // It stands no more, and nothing of what counts for it tells why: it was given outside a cut.
    let fell = !effect.grants.contains_key(grant) && over.len() < gives.iter().count();
    found.retain(|(.., counts, _)| *counts || fell);
    found.truncate(TOLD_ENDS);
    let told = found.into_iter().filter_map(|(fact, how, of, _, taken)| {
        let end = End {
            how,
            by: String::new(),
            by_name: String::new(),
            at: fact.created,
            above: of != *grant,
            rights: taken.into_iter().map(named_right).collect(),
        };
        Some((device_of(lace, store, fact)?, end))
    });
    told.collect()
}

/// A right as applications call it.
pub(super) const fn named_right(right: wire::Right) -> Right {
    match right {
        wire::Right::Publish => Right::Publish,
        wire::Right::Read => Right::Read,
        wire::Right::Admit => Right::Admit,
    }
}

// A share is shown of so many.
const _: () = assert!(SHARES == 256);

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
