//! Who is entitled to the secrets of a topic's epochs, from its facts.
//!
//! Everything here is a function of a set of facts and of what stands of them, so whoever holds the
//! past of an announcement finds the same people in it, and the same keys to seal to.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use identity::{EnvelopeId, GrantId, Id, PublicKey, SealingKey};
use lace::{AuthorNo, Effect, Fact, Facts, Set, Standing};
use wire::{Interval, InviteKind, Item, Rights};

use crate::announce::{Entitled, Portion};

/// A device, or whoever holds the link of an invite.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Recipient {
    portion: Portion,
    /// What is sealed to. Nobody can hand anything over to a device that has told no key.
    to: Option<SealingKey>,
    /// When the last right to write or to read ends, ms since 1970.
    ends: Option<u64>,
    /// Of an invite: when its time is over, and whether as many have claimed it as may.
    invite: Option<(u64, bool)>,
}

impl Recipient {
    /// Whether a right to write or to read ends after this time, ms since 1970.
    fn lasts(&self, at: u64) -> bool {
        self.ends.is_none_or(|ends| ends > at)
    }
}

/// Everybody who may read or write, as a set of facts says: devices under their own keys, invites
/// that can be used while their inviter is away under theirs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recipients(BTreeMap<PublicKey, Recipient>);

impl Recipients {
    /// Of what stands of a set of facts. Looks at each of them a few times.
    #[must_use]
    pub fn of(facts: &dyn Facts, set: &Set, effect: &Effect) -> Self {
        let all: Vec<Arc<Fact>> = set.iter().filter_map(|no| facts.fact(no)).collect();
        let sealing = sealing_keys(facts, &all, effect);
        let mut held: BTreeMap<Id, Vec<Rights>> = BTreeMap::new();
        for (grant, standing) in &effect.grants {
            if let Some(holder) = standing.holder {
                let rights = left(facts, grant, standing);
                held.entry(holder).or_default().push(rights);
            }
        }
        let mut found = Self::default();
        for ((holder, device), seat) in &effect.devices {
            let seated = effect.grants.get(&seat.grant);
            let own = seated.map(|standing| left(facts, &seat.grant, standing));
            let others = held.get(holder).into_iter().flatten().copied();
            for rights in own.into_iter().chain(others) {
                let to = sealing.get(device).copied();
                found.take(*device, &rights, to, None);
            }
        }
        let mut claimed: BTreeMap<GrantId, BTreeSet<PublicKey>> = BTreeMap::new();
        for fact in &all {
            if let Item::Claim(claim) = &fact.what {
                claimed.entry(claim.grant).or_default().insert(claim.device);
            }
        }
        // A device has one seat, and what all its claims give.
        for (grant, devices) in &claimed {
            let Some(standing) = effect.grants.get(grant) else {
                continue;
            };
            let rights = left(facts, grant, standing);
            for device in devices {
                found.take(*device, &rights, sealing.get(device).copied(), None);
            }
        }
        for (grant, standing) in &effect.grants {
            let Some(Item::Invite(invite)) = issued(facts, grant).map(|fact| fact.what.clone())
            else {
                continue;
            };
            if !matches!(invite.kind, InviteKind::WhileAway(_)) {
                continue;
            }
            let used = claimed.get(grant).map_or(0, BTreeSet::len);
            let full = u32::try_from(used).unwrap_or(u32::MAX) >= invite.uses;
            let rights = left(facts, grant, standing);
            let of = Some((invite.until, full));
            found.take(invite.key, &rights, Some(invite.sealing), of);
        }
        found
    }

    /// One more grant of somebody. Of several intervals the one counts that opens most to its end.
    fn take(
        &mut self,
        who: PublicKey,
        rights: &Rights,
        to: Option<SealingKey>,
        invite: Option<(u64, bool)>,
    ) {
        let Some(portion) = portion(rights) else {
            return;
        };
        let ends = ends(rights);
        let new = Recipient {
            portion,
            to,
            ends,
            invite,
        };
        let known = self.0.entry(who).or_insert_with(|| new.clone());
        if rank(&portion) > rank(&known.portion) {
            known.portion = portion;
        }
        known.ends = latest(known.ends, ends);
    }

    /// What a device may do with the content of the topic, or whoever claims an invite.
    #[must_use]
    pub fn portion(&self, who: &PublicKey) -> Option<Portion> {
        self.0.get(who).map(|found| found.portion)
    }

    /// Everybody with what they may do: what [`is_clean`](crate::is_clean) compares.
    #[must_use]
    pub fn portions(&self) -> BTreeMap<PublicKey, Portion> {
        let all = self.0.iter();
        all.map(|(who, found)| (*who, found.portion)).collect()
    }

    /// Those to whom an epoch is sealed that is announced then (ms since 1970): whoever has told a key
    /// and has a right that is not over, and invites that somebody can still claim.
    #[must_use]
    pub fn entitled(&self, created: u64) -> Vec<Entitled> {
        let open = |found: &&Recipient| {
            let claimable = |(until, full): (u64, bool)| created <= until && !full;
            found.lasts(created) && found.invite.is_none_or(claimable)
        };
        let open = self.0.values().filter(open);
        open.filter_map(|found| {
            Some(Entitled {
                to: found.to?,
                portion: found.portion,
            })
        })
        .collect()
    }

    /// Whether a right of a device to write or to read ends after this time, ms since 1970.
    #[must_use]
    pub fn lasts(&self, who: &PublicKey, at: u64) -> bool {
        self.0.get(who).is_some_and(|found| found.lasts(at))
    }

    /// The newest sealing key that a device has told.
    #[must_use]
    pub fn sealing(&self, device: &PublicKey) -> Option<SealingKey> {
        self.0.get(device)?.to
    }
}

/// A grant or an invite, wherever it is carried: all carriers have the same.
pub(crate) fn issued(facts: &dyn Facts, grant: &GrantId) -> Option<Arc<Fact>> {
    facts.issued(grant).into_iter().next()
}

/// What a grant or an invite gives.
pub(crate) const fn rights_of(item: &Item) -> Option<Rights> {
    match item {
        Item::Grant(grant) => Some(grant.rights),
        Item::Invite(invite) => match &invite.kind {
            InviteKind::WhileAway(gift) | InviteKind::Attended(gift) => Some(gift.terms.rights),
            InviteKind::Device => None,
        },
        _ => None,
    }
}

/// Whoever owns the topic may do everything, always.
pub(crate) const OWNERS: Rights = Rights {
    publish: Some(Interval::ALWAYS),
    read: Some(Interval::ALWAYS),
    admit: Some(Interval::ALWAYS),
};

/// What a grant that stands still gives.
pub(crate) fn left(facts: &dyn Facts, grant: &GrantId, standing: &Standing) -> Rights {
    let root = facts.genesis().topic_id();
    let given = if root.as_bytes() == grant.as_bytes() {
        OWNERS
    } else {
        let fact = issued(facts, grant);
        fact.and_then(|fact| rights_of(&fact.what))
            .unwrap_or_default()
    };
    let over = standing.over;
    Rights {
        publish: given.publish.filter(|_| !over.publish),
        read: given.read.filter(|_| !over.read),
        admit: given.admit.filter(|_| !over.admit),
    }
}

/// What rights allow to do with the content.
pub(crate) fn portion(rights: &Rights) -> Option<Portion> {
    let reads = rights.read.map(|read| Portion::Reads {
        from: read.from,
        until: read.until,
    });
    reads.or_else(|| rights.publish.map(|_| Portion::Writes))
}

/// Greater is more: reading longer, then from earlier on.
fn rank(portion: &Portion) -> Option<(u64, Reverse<u64>)> {
    match portion {
        Portion::Reads { from, until } => Some((until.unwrap_or(u64::MAX), Reverse(*from))),
        Portion::Writes => None,
    }
}

fn ends(rights: &Rights) -> Option<u64> {
    let both = [rights.publish, rights.read];
    let mut both = both.into_iter().flatten().map(|right| right.until);
    both.try_fold(0, |last: u64, until| Some(last.max(until?)))
}

fn latest(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    Some(one?.max(other?))
}

/// The place of a key among those that a device has told: greater is newer.
type Told = (u64, EnvelopeId, GrantId);

/// The newest key of each device that something can be sealed to. A claim is as old as the envelope
/// that carried it first, since later authors of the device repeat it.
fn sealing_keys(
    facts: &dyn Facts,
    all: &[Arc<Fact>],
    effect: &Effect,
) -> BTreeMap<PublicKey, SealingKey> {
    let chains = Chains::of(all);
    let mut claims: BTreeMap<GrantId, (Told, PublicKey, SealingKey)> = BTreeMap::new();
    let mut newest: BTreeMap<PublicKey, (Told, SealingKey)> = BTreeMap::new();
    let stands = all
        .iter()
        .filter(|fact| !effect.void.contains_key(&fact.no));
    for fact in stands {
        let told = (fact.generation, fact.carrier, fact.item);
        match &fact.what {
            Item::Claim(claim) => {
                let first = (told, claim.device, claim.sealing);
                let known = claims.entry(fact.item).or_insert(first);
                known.0 = known.0.min(told);
            }
            Item::Sealing(key) => {
                if let Some(device) = chains.device(facts, fact) {
                    keep_newest(&mut newest, device, (told, *key));
                }
            }
            _ => {}
        }
    }
    for (told, device, key) in claims.into_values() {
        keep_newest(&mut newest, device, (told, key));
    }
    let each = newest.into_iter();
    each.map(|(device, (_, key))| (device, key)).collect()
}

fn keep_newest(
    newest: &mut BTreeMap<PublicKey, (Told, SealingKey)>,
    device: PublicKey,
    new: (Told, SealingKey),
) {
    let known = newest.entry(device).or_insert(new);
    if new.0 > known.0 {
        *known = new;
    }
}

/// Which device certified which chain.
pub(crate) struct Chains(BTreeMap<AuthorNo, Vec<(EnvelopeId, PublicKey)>>);

impl Chains {
    pub(crate) fn of(all: &[Arc<Fact>]) -> Self {
        let mut chains: BTreeMap<AuthorNo, Vec<_>> = BTreeMap::new();
        for fact in all {
            if let Item::Certificate(certificate) = &fact.what {
                let first = (fact.carrier, certificate.device);
                chains.entry(fact.author).or_default().push(first);
            }
        }
        Self(chains)
    }

    /// The device whose chain carries a fact. A key whose first envelope was forked begins several.
    pub(crate) fn device(&self, facts: &dyn Facts, fact: &Fact) -> Option<PublicKey> {
        let starts = self.0.get(&fact.author)?;
        let found = match starts.as_slice() {
            [only] => Some(only),
            _ => {
                let mut starts = starts.iter();
                starts.find(|(first, _)| facts.on_chain(first, &fact.carrier))
            }
        };
        found.map(|(_, device)| *device)
    }
}
