//! Under which of its grants a device writes.
//!
//! Whoever joined by an invite may be given a grant later, and what it was given may be taken back, or
//! be over. A chain is written under one grant from its beginning, so going on under another needs
//! another author key.
//!
//! A grant is somebody else's doing: nobody is moved to one that holds less. So a device goes over
//! only to what gives, at this moment, every right that it has and more, with a budget that is no
//! tighter; to what gives as much and does not count what is written in all, where its own does, out of the
//! same, so that it ends with nobody else; to what lets it write messages, when what it writes under does
//! not any more, also because what that allows in all is used up; or to anything, when that gives nothing any
//! more.

use crate::keychain::TopicKeys;
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::pairing::has_lost_seat;
use crate::recognise::has_ended;
use crate::rows::TopicRow;
use identity::{GrantId, Id, PublicKey};
use lace::{Effect, Lace};
use machine::Staged;
use std::collections::BTreeSet;
use wire::limits::MAX_GRANT_DEPTH;
use wire::{Budget, Interval, InviteKind, Item, Right, Rights, Terms};

/// What a grant gives at a moment.
#[derive(Debug, Default)]
struct Now {
    rights: BTreeSet<Right>,
    budget: Budget,
}

impl Inner {
    /// What grants stand may have changed, or what time it is: this device goes on under another
    /// where that is better. Says whether it has.
    pub(crate) fn grants_changed(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> bool {
        let spent = self.is_spent(turn, local);
        self.go_over(turn, local, spent)
    }

    /// The same. `spent`: what this device writes under lets it write no more.
    pub(crate) fn go_over(&mut self, turn: &mut Turn<'_, '_>, local: u32, spent: bool) -> bool {
        let keys = self.host.keys.topic(local).filter(|keys| !keys.row.left);
        let Some((keys, device)) = keys.and_then(|keys| Some((keys, keys.device.as_ref()?))) else {
            return false;
        };
        let claimed = keys.joined_by().map(|claim| claim.grant);
        let (device, present) = (device.public(), GrantId::from_bytes(keys.row.grant));
        let shunned = keys.row.shunned();
        let spent = spent || shunned.contains(&present);
        let now = turn.cx.wall.as_millis();
        let better = look(&mut self.topics, turn.cx, local, |lace, store| {
            let under = (present, claimed, spent);
            better(lace, store, (&device, now), under, &shunned)
        });
        let Some(grant) = better.flatten() else {
            self.lose_grant(turn, local);
            return false;
        };
        let reads = self
            .host
            .keys
            .topic(local)
            .is_some_and(TopicKeys::is_reader);
        self.host.keys.update(turn.cx, local, |row| {
            row.grant = *grant.as_bytes();
        });
        self.host.keys.give_up_author(turn.cx, local);
        // Where it cannot begin now, it does with the next that is written. So does whoever only read so
        // far: being given the right says nothing yet.
        if !reads {
            drop(self.begin_writing(turn, local));
        }
        true
    }

    /// The rules refuse what this device writes under its grant, though that stands by all that is held: it goes
    /// on under another, and not under this one again. Says whether it has.
    pub(crate) fn shun_grant(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> bool {
        self.host.keys.update(turn.cx, local, TopicRow::shun);
        self.go_over(turn, local, true)
    }

    /// Who has lost its part in a public topic reads on, as anybody may.
    fn lose_grant(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let keys = self.host.keys.topic(local);
        let keys = keys.filter(|keys| keys.is_public() && !keys.is_reader() && !keys.waits());
        let Some((keys, device)) = keys.and_then(|keys| Some((keys, keys.device.as_ref()?))) else {
            return;
        };
        let (device, grant) = (device.public(), GrantId::from_bytes(keys.row.grant));
        let lost = look(&mut self.topics, turn.cx, local, |lace, store| {
            let over =
                has_ended(lace, store, &grant) || has_lost_seat(lace, store, &grant, &device);
            over && !lace.has_member(store, &device)
        });
        if lost == Some(true) {
            self.host.keys.give_up_author(turn.cx, local);
            self.host.keys.update(turn.cx, local, |row| {
                row.grant = [0; 32];
                row.claim.clear();
                row.invite_at = [0; 32];
            });
            self.keep_ways(turn, local);
        }
    }
}

/// Whether an item may change under which grants devices write.
pub(crate) const fn turn_on(item: &Item) -> bool {
    matches!(
        item,
        Item::Grant(_) | Item::Revocation(_) | Item::Close(_) | Item::Act(_)
    )
}

/// The grant under which a device had better write, if it is not the present one: of several one by which
/// it may write messages, of these that with most rights, and of these the one nearest to the topic's own.
fn better(
    lace: &Lace,
    store: &mut Staged<'_>,
    (device, now): (&PublicKey, u64),
    (present, claimed, spent): (GrantId, Option<GrantId>, bool),
    shunned: &BTreeSet<GrantId>,
) -> Option<GrantId> {
    // Who founded the topic has no better one, unless it is no owner any more.
    if lace.genesis().root.has(device) && present != GrantId::from_bytes([0; 32]) {
        return None;
    }
    let effect = lace.held_effect(store);
    let held = held_by(lace, store, &effect, (device, claimed));
    // Each change of grants takes an author key, of which there are few. Whoever had a grant to give that was
    // shunned may have many: for as long as it need not, this device goes over to nothing from there.
    let doubted = shunned
        .iter()
        .filter_map(|grant| parent(lace, store, grant));
    let doubted: BTreeSet<GrantId> = doubted
        .filter(|parent| parent.as_bytes() != lace.id().as_bytes())
        .collect();
    // A fresh author key under the present one would have what counts in all anew.
    let other = |grant: &GrantId| *grant != present && !shunned.contains(grant);
    let held = held.into_iter().filter(other);
    let has = gives(lace, store, (&effect, now), &present);
    let out_of = parent(lace, store, &present);
    let better = held.filter_map(|grant| {
        let other = gives(lace, store, (&effect, now), &grant);
        let writes = other.rights.contains(&Right::Publish);
        let silent = spent || !has.rights.contains(&Right::Publish);
        let counts = has.budget.has_totals() && !other.budget.has_totals();
        let same = out_of.is_some() && parent(lace, store, &grant) == out_of;
        let freed = counts && same && other.rights.is_superset(&has.rights);
        let more = other.gives_more_than(&has) || freed;
        let more = more && !is_below(lace, store, grant, &doubted);
        let more = more || (writes && silent);
        let fits = silent || has.budget.is_within(&other.budget);
        let depth = u32::MAX - effect.grants.get(&grant)?.depth;
        (more && fits).then_some((writes, other.rights.len(), depth, grant))
    });
    better.max().map(|(_, _, _, grant)| grant)
}

/// The grants that stand under which a device may write, or might if they gave more: those of its
/// compositions, and the invite that it has claimed.
fn held_by(
    lace: &Lace,
    store: &mut Staged<'_>,
    effect: &Effect,
    (device, claimed): (&PublicKey, Option<GrantId>),
) -> Vec<GrantId> {
    let seats = effect.devices.keys();
    let seats = seats.filter(|(_, seated)| seated == device);
    let holders: BTreeSet<Id> = seats.map(|(holder, _)| *holder).collect();
    // Nobody writes under an invite that takes a welcome.
    let claimed = claimed.filter(|grant| {
        let issued = lace.facts(store, |facts| facts.issued(grant));
        let mut issued = issued.iter();
        issued.any(|fact| match &fact.what {
            Item::Invite(invite) => matches!(invite.kind, InviteKind::WhileAway(_)),
            _ => false,
        })
    });
    let held = effect.grants.iter().filter(|(grant, it)| {
        it.holder.is_some_and(|of| holders.contains(&of)) || Some(**grant) == claimed
    });
    held.map(|(grant, _)| *grant).collect()
}

/// What the grant under which a device writes gave it and does not give any more, and nothing else that
/// it holds gives now.
pub(crate) fn lacks(
    lace: &Lace,
    store: &mut Staged<'_>,
    (device, now): (&PublicKey, u64),
    (present, claimed): (GrantId, Option<GrantId>),
) -> BTreeSet<Right> {
    let Some(gave) = terms_of(lace, store, &present) else {
        return BTreeSet::new();
    };
    let effect = lace.held_effect(store);
    let begun = gave.rights.iter().filter(|(_, time)| time.from <= now);
    let mut lacks: BTreeSet<Right> = begun.map(|(right, _)| right).collect();
    for grant in held_by(lace, store, &effect, (device, claimed)) {
        let has = gives(lace, store, (&effect, now), &grant);
        lacks.retain(|right| !has.rights.contains(right));
    }
    lacks
}

/// Why a device that writes under a grant that gives `has` does not go over to one that gives `other`,
/// though that would let it do more: in words, nothing where it does or has no reason to.
fn why_unused(has: &Now, other: &Now) -> Option<String> {
    let more = other.rights.difference(&has.rights).next().is_some();
    let silent = !has.rights.contains(&Right::Publish);
    if !more || silent && other.rights.contains(&Right::Publish) {
        return None;
    }
    if !other.rights.is_superset(&has.rights) {
        let missing = has
            .rights
            .difference(&other.rights)
            .map(|right| match right {
                Right::Publish => "to write",
                Right::Read => "to read",
                Right::Admit => "to admit",
            });
        let missing: Vec<&str> = missing.collect();
        return Some(format!(
            "it does not give the right {}",
            missing.join(" and ")
        ));
    }
    if silent || has.budget.is_within(&other.budget) {
        return None;
    }
    let rates = [
        (has.budget.messages, other.budget.messages, "messages"),
        (has.budget.bytes, other.budget.bytes, "bytes"),
    ];
    let tighter = rates.into_iter().filter_map(|(has, other, what)| {
        let other = other.filter(|other| has.is_none_or(|has| has > *other))?;
        let has = has.map_or("no limit".to_owned(), |has| format!("{has}"));
        Some(format!(
            "it allows {other} {what} a minute, and that under which it writes {has}"
        ))
    });
    let tighter: Vec<String> = tighter.collect();
    Some(if tighter.is_empty() {
        "its other bounds are tighter than those under which it writes".to_owned()
    } else {
        tighter.join("; ")
    })
}

/// Why a member would not go over to a gift though that would let it do more, if so: by what its devices
/// that have written write under.
pub(crate) fn unused_gift(
    lace: &Lace,
    store: &mut Staged<'_>,
    (devices, now): (&BTreeSet<PublicKey>, u64),
    gift: &Terms,
) -> Option<String> {
    let effect = lace.held_effect(store);
    let begins = gift.rights.iter().map(|(_, time)| time.from);
    let now = begins.chain([now]).max().unwrap_or(now);
    let other = Now::of(&bounded(lace, *gift), now);
    let mut newest: Vec<(u32, PublicKey, GrantId)> = Vec::new();
    for author in lace.authors().filter(|it| devices.contains(it.device())) {
        let known = newest.iter_mut().find(|(_, of, _)| of == author.device());
        let here = (author.index(), *author.device(), *author.grant());
        match known {
            Some(known) => *known = here.max(*known),
            None => newest.push(here),
        }
    }
    let mut under = newest.into_iter().map(|(_, _, grant)| grant);
    under.find_map(|grant| why_unused(&gives(lace, store, (&effect, now), &grant), &other))
}

/// Why a device does not use a grant that it holds and by which it might let others in, if there is one.
pub(crate) fn unused_admit(
    lace: &Lace,
    store: &mut Staged<'_>,
    (device, now): (&PublicKey, u64),
    (present, claimed): (GrantId, Option<GrantId>),
) -> Option<String> {
    let effect = lace.held_effect(store);
    let has = gives(lace, store, (&effect, now), &present);
    let held = held_by(lace, store, &effect, (device, claimed));
    held.into_iter().find_map(|grant| {
        let other = gives(lace, store, (&effect, now), &grant);
        let admits = other.rights.contains(&Right::Admit);
        admits.then(|| why_unused(&has, &other)).flatten()
    })
}

impl Now {
    fn of(terms: &Terms, now: u64) -> Self {
        let rights = terms.rights.iter().filter(|(_, time)| time.holds(now));
        Self {
            rights: rights.map(|(right, _)| right).collect(),
            budget: terms.budget,
        }
    }

    fn gives_more_than(&self, other: &Self) -> bool {
        self.rights.is_superset(&other.rights) && self.rights != other.rights
    }
}

/// What a grant or an invite is given out of.
pub(crate) fn parent(lace: &Lace, store: &mut Staged<'_>, grant: &GrantId) -> Option<GrantId> {
    let issued = lace.facts(store, |facts| facts.issued(grant));
    match &issued.first()?.what {
        Item::Grant(grant) => Some(grant.parent),
        Item::Invite(invite) => Some(invite.gift()?.parent),
        _ => None,
    }
}

/// Whether a grant is given out of one of these, or out of what is.
pub(crate) fn is_below(
    lace: &Lace,
    store: &mut Staged<'_>,
    grant: GrantId,
    of: &BTreeSet<GrantId>,
) -> bool {
    let mut at = grant;
    for _ in 0..=MAX_GRANT_DEPTH {
        match parent(lace, store, &at) {
            Some(above) if of.contains(&above) => return true,
            Some(above) => at = above,
            None => return false,
        }
    }
    false
}

/// What a grant gives now.
fn gives(
    lace: &Lace,
    store: &mut Staged<'_>,
    (effect, now): (&Effect, u64),
    grant: &GrantId,
) -> Now {
    let left = left_of(lace, store, effect, grant);
    left.map_or_else(Now::default, |terms| Now::of(&terms, now))
}

/// What the topic's own grant gives.
const EVERYTHING: Terms = Terms {
    rights: Rights {
        publish: Some(Interval::ALWAYS),
        read: Some(Interval::ALWAYS),
        admit: Some(Interval::ALWAYS),
    },
    budget: Budget {
        messages: None,
        bytes: None,
        largest: None,
        lifespan: None,
        hops: None,
        total_envelopes: None,
        total_bytes: None,
    },
};

/// What a grant or an invite that is here gives, with what bounds it.
fn terms_of(lace: &Lace, store: &mut Staged<'_>, grant: &GrantId) -> Option<Terms> {
    if grant.as_bytes() == lace.id().as_bytes() {
        return Some(EVERYTHING);
    }
    let issued = lace.facts(store, |facts| facts.issued(grant));
    let named = match &issued.first()?.what {
        Item::Grant(item) => Terms {
            rights: item.rights,
            budget: item.budget,
        },
        Item::Invite(item) => item.gift()?.terms,
        _ => return None,
    };
    Some(bounded(lace, named))
}

/// What somebody is given who is given this: where it names no bound, the topic's.
pub(crate) fn bounded(lace: &Lace, named: Terms) -> Terms {
    let budget = lace.genesis().policy.budget_of(named.budget);
    Terms { budget, ..named }
}

/// What is left of a grant or an invite; nothing if no right is.
pub(crate) fn left_of(
    lace: &Lace,
    store: &mut Staged<'_>,
    effect: &Effect,
    grant: &GrantId,
) -> Option<Terms> {
    let over = effect.grants.get(grant)?.over;
    let mut terms = terms_of(lace, store, grant)?;
    let rights = &mut terms.rights;
    rights.publish = rights.publish.filter(|_| !over.publish);
    rights.read = rights.read.filter(|_| !over.read);
    rights.admit = rights.admit.filter(|_| !over.admit);
    (terms.rights != Rights::default()).then_some(terms)
}

/// Whether somebody holds what an invite gives: every right for as long, and a budget that is no tighter.
pub(crate) fn gives_as_much(own: Option<&Terms>, gift: Option<&Terms>) -> bool {
    own.zip(gift)
        .is_some_and(|(own, gift)| own.give_as_much(gift))
}
