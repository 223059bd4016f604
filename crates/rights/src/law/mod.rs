//! The law of a topic: who may write what, from grants.
//!
//! [`Law`] is the [`Policy`](lace::Policy) under which nodes put their topics. What it admits is a
//! function of an envelope and its past; the rules are listed in docs/spec/topic.md, what stands in
//! docs/spec/rights.md.
//!
//! As long as nothing in a past takes anything away, all that was admitted stands: each grant had a
//! standing parent when it was let in. So admission looks at the grant of the chain and at what the
//! chain has issued, and asks [`eff`](crate::eff) only where a revocation, a close or an act of the past
//! may concern these.

mod begin;
mod chain;
mod graph;
mod issue;
mod look;
mod member;
mod spend;
mod stand;
mod take;

use std::collections::BTreeMap;

use lace::{Admitted, AuthorNo, Effect, Facts, Past, Policy, Rule, Set};
use thiserror::Error;
use wire::{Class, Genesis, Grant, Invite, InviteKind, Item, Revocation, Right, Verified};

use chain::Chain;
use look::Look;

pub use member::{Member, MemberState};
pub use spend::Used;

use crate::announce_law::judge_epochs;

/// The rules of grants. It has no state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Law;

/// Why a topic cannot be taken part in, or held: its genesis says something that no rule of this
/// version enforces. Nothing has changed; a later version may know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Unenforced {
    /// Grants that name no totals have some: of a grant, which other author keys of the device may be written
    /// under as well, that would be no limit.
    #[error(
        "the topic bounds what everybody writes in all, and no rule of this version counts that"
    )]
    Totals,
}

impl Unenforced {
    /// What of a genesis no rule enforces.
    ///
    /// # Errors
    /// The first such thing.
    pub fn look(genesis: &Genesis) -> Result<(), Self> {
        if genesis.policy.budget.has_totals() {
            return Err(Self::Totals);
        }
        Ok(())
    }
}

impl Policy for Law {
    fn speaks_of(&self, genesis: &Genesis, item: &Item) -> bool {
        let sealed = genesis.policy.public && is_about_reading(item);
        Unenforced::look(genesis).is_ok() && is_judged(item) && !sealed
    }

    fn admit(&self, past: &Past<'_>, envelope: &Verified) -> Result<Admitted, Rule> {
        Unenforced::look(past.facts.genesis()).map_err(|_| Rule::Unknown)?;
        let header = &envelope.envelope.header;
        let look = Look::of(past, header);
        let mut admitted = match past.previous {
            Some(previous) => previous.admitted,
            None => begin::first(&look, envelope)?,
        };
        if admitted.grant != header.grant {
            return Err(Rule::Grant);
        }
        let chain = Chain::of(&look, &admitted)?;
        match header.class {
            Class::Content => chain.may_publish(header)?,
            _ => chain.may_say(envelope)?,
        }
        issue::all(&look, envelope, &chain)?;
        take::all(&look, envelope, &chain)?;
        judge_epochs(past, self, envelope).map_err(|_| epochs_rule(envelope))?;
        admitted.buckets = spend::after(past.previous, envelope, &chain)?;
        Ok(admitted)
    }

    fn effect(&self, facts: &dyn Facts, set: &Set, evidence: &BTreeMap<AuthorNo, u64>) -> Effect {
        stand::effect(facts, set, evidence)
    }
}

/// Whether an item is about who may read: in a public topic that is everybody, so it has no further
/// epoch, and nobody gives the right or takes it back.
fn is_about_reading(item: &Item) -> bool {
    match item {
        Item::Epoch(_) | Item::Boxes(_) => true,
        Item::Revocation(Revocation { only, .. }) => only.contains(&Right::Read),
        _ => chain::terms(item).is_some_and(|(rights, _)| rights.read.is_some()),
    }
}

/// Whether the rules speak of an item.
fn is_judged(item: &Item) -> bool {
    match item {
        Item::Invite(Invite { kind, .. }) => match kind {
            // What is counted in all is one chain, until a welcome: of a grant, which another author key
            // of the device may be written under as well, that would be no limit.
            InviteKind::WhileAway(_) => true,
            InviteKind::Attended(gift) => !gift.terms.budget.has_totals(),
            InviteKind::Device => false,
        },
        Item::Grant(Grant { holder, budget, .. }) => {
            // An engine's key is no composition yet.
            holder.kind() == identity::Kind::Member && !budget.has_totals()
        }
        Item::Certificate(_)
        | Item::Claim(_)
        | Item::Leave
        | Item::Sealing(_)
        | Item::Profile(_)
        | Item::Cores(_)
        | Item::Title(_)
        | Item::Revocation(_)
        | Item::Close(_)
        | Item::Act(_)
        | Item::Countersign(_)
        | Item::Unshare(_)
        | Item::Epoch(_)
        | Item::Boxes(_) => true,
    }
}

/// Boxes stand alone in their envelope, so that it is clear what is at fault.
fn epochs_rule(envelope: &Verified) -> Rule {
    match envelope.items.iter().flatten().next() {
        Some(Item::Boxes(_)) => Rule::Boxes,
        _ => Rule::Epoch,
    }
}
