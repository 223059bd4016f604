//! Whether an epoch that was announced is clean: nobody who may have got its secret has lost since
//! what it had then.
//!
//! Got it have those who were entitled in the past of the announcement, and those who were let in
//! later by somebody whom whoever holds the epoch could take for entitled to do so. Whoever has the
//! announcement has its past too: what could never stand beside that past let nobody in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use identity::{Id, PublicKey};
use lace::{Effect, Fact, Facts, Policy, Set};
use wire::{InviteKind, Item, Rights};

use crate::announce::Portion;
use crate::announce_recipients::{Recipients, issued, portion, rights_of};
use crate::announced::is_clean;

/// The past of an announcement.
pub(crate) struct Then {
    set: Arc<Set>,
    effect: Effect,
    /// Those who were entitled in it.
    pub(crate) recipients: Recipients,
}

impl Then {
    /// These facts, and what stands of them by themselves.
    pub(crate) fn of(facts: &dyn Facts, policy: &dyn Policy, set: Arc<Set>) -> Self {
        let effect = policy.effect(facts, &set, &BTreeMap::new());
        Self {
            recipients: Recipients::of(facts, &set, &effect),
            effect,
            set,
        }
    }
}

/// All that is held, what stands of it, and who is entitled by that.
#[derive(Clone, Copy)]
pub(crate) struct Now<'a> {
    pub(crate) held: &'a Set,
    pub(crate) effect: &'a Effect,
    pub(crate) recipients: &'a Recipients,
}

/// Whether nobody who may have got the secret of an epoch has lost since what it had then.
///
/// Whom somebody let in who was removed elsewhere counts too, though it may never have got it: then
/// an epoch is begun too many, and none too few. That ends with the next announcement that knows of
/// the removal: what is let in against it does not count, or whoever was removed could keep every
/// epoch from being clean by letting in more.
pub(crate) fn keeps_clean(
    facts: &dyn Facts,
    policy: &dyn Policy,
    then: &Then,
    now: Now<'_>,
) -> bool {
    let may = now.recipients.portions();
    let before = then.recipients.portions();
    let later = now.held.iter().filter(|no| !then.set.has(*no));
    let later: Vec<Arc<Fact>> = later.filter_map(|no| facts.fact(no)).collect();
    let keeps = |counts: &dyn Fn(&Fact) -> bool| {
        let mut had = before.clone();
        for fact in later.iter().filter(|fact| counts(fact)) {
            for (who, portion) in let_in(facts, &fact.what) {
                had.entry(who).or_insert(portion);
            }
        }
        is_clean(&had, &may)
    };
    if keeps(&|_| true) {
        return true;
    }
    if !keeps(&|_| false) {
        return false;
    }
    // All that was said later but what takes away: beside the past of the announcement, no more has
    // ever stood than of this.
    let gives = later.iter().filter(|fact| !takes(&fact.what));
    let most = Set::new(then.set.iter().chain(gives.map(|fact| fact.no)));
    let most = policy.effect(facts, &most, &BTreeMap::new());
    let holders: BTreeSet<Id> = most.grants.values().filter_map(|it| it.holder).collect();
    if is_open_again(facts, then, now.effect, (&later, &most, &holders)) {
        return false;
    }
    keeps(&|fact| match &fact.what {
        Item::Claim(claim) => most.grants.contains_key(&claim.grant),
        Item::Act(act) => holders.contains(&act.composition),
        _ => most.grants.contains_key(&fact.item),
    })
}

/// Whether something that was said later may have given back what did not stand in the past of an
/// announcement, or taken what the past left: then nobody can be said never to have been let in. The
/// next announcement has it in its past.
fn is_open_again(
    facts: &dyn Facts,
    then: &Then,
    now: &Effect,
    (later, most, holders): (&[Arc<Fact>], &Effect, &BTreeSet<Id>),
) -> bool {
    // What took something away has fallen since.
    let mut ends = facts.ends(&then.set).into_iter();
    if ends.any(|end| now.void.contains_key(&end.no) && !then.effect.void.contains_key(&end.no)) {
        return true;
    }
    later.iter().any(|fact| match &fact.what {
        // Of what was closed several times, what any of them leaves stands.
        Item::Close(close) => {
            !now.void.contains_key(&fact.no) && !then.effect.grants.contains_key(&close.grant)
        }
        // Seats are given and taken.
        Item::Act(act) => !now.void.contains_key(&fact.no) && holders.contains(&act.composition),
        // Branches that stood are cut off by a choice.
        Item::Certificate(certificate) => {
            !certificate.branches.is_empty() && !most.void.contains_key(&fact.no)
        }
        _ => false,
    })
}

/// Whether an item takes something away.
const fn takes(item: &Item) -> bool {
    matches!(item, Item::Revocation(_) | Item::Close(_) | Item::Act(_))
}

/// Whom an item gives a place, with what it gives.
fn let_in(facts: &dyn Facts, item: &Item) -> Vec<(PublicKey, Portion)> {
    let given = |rights: Option<Rights>| rights.as_ref().and_then(portion);
    match item {
        Item::Grant(grant) => {
            let portion = given(Some(grant.rights));
            let form = grant.form.iter().flat_map(|form| form.devices());
            form.filter_map(|device| Some((device.key, portion?)))
                .collect()
        }
        Item::Claim(claim) => {
            let rights = issued(facts, &claim.grant).and_then(|fact| rights_of(&fact.what));
            let portion = given(rights).map(|portion| (claim.device, portion));
            portion.into_iter().collect()
        }
        Item::Invite(invite) if matches!(invite.kind, InviteKind::WhileAway(_)) => {
            let portion = given(rights_of(item)).map(|portion| (invite.key, portion));
            portion.into_iter().collect()
        }
        // What the composition may do its other grants say; that it has a place counts here.
        Item::Act(act) => {
            let devices = act.form.devices().iter();
            devices
                .map(|device| (device.key, Portion::Writes))
                .collect()
        }
        _ => Vec::new(),
    }
}
