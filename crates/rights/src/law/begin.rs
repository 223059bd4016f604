//! The first envelope of a chain: who begins it, and under what.

use std::sync::Arc;

use identity::GrantId;
use lace::limits::{FREE_INCARNATIONS, WEEK_MS};
use lace::{Admitted, Buckets, Fact, Past, Rule};
use machine::planted::{Bug, is};
use wire::{Certificate, Claim, InviteKind, Item, Verified};

use super::chain;
use super::look::Look;
use crate::limits::UNWELCOMED_INCARNATIONS;

/// Rules of an author's envelope number 1, whose first item is a certificate.
pub(super) fn first(look: &Look<'_>, envelope: &Verified) -> Result<Admitted, Rule> {
    let (past, header) = (look.past, look.header);
    let mut items = envelope.items.iter().flatten();
    let Some(Item::Certificate(certificate)) = items.next() else {
        return Err(Rule::Certificate);
    };
    let claim = match items.next() {
        Some(Item::Claim(claim)) => Some(claim),
        _ => None,
    };
    let genesis = past.facts.genesis();
    let owns = match look.taken_from(&look.root()) {
        Some(effect) => {
            let seat = (genesis.root.member(), certificate.device);
            effect.devices.contains_key(&seat)
        }
        None => genesis.root.has(&certificate.device),
    };
    let weekly = |began| (began, FREE_INCARNATIONS, true);
    let (began, free, more) = match claim {
        // Who owns the topic needs no invite.
        Some(_) if owns => return Err(Rule::Claim),
        Some(claim) => {
            if claim.device != certificate.device || claim.grant != header.grant {
                return Err(Rule::ClaimFor);
            }
            if is(Bug::OutsiderPublished) {
                return Ok(admitted(certificate, header.grant));
            }
            let (began, counted) = claimed(past, claim)?;
            if counted {
                (began, UNWELCOMED_INCARNATIONS, false)
            } else {
                weekly(began)
            }
        }
        None if look.is_root(&header.grant) => {
            if !owns {
                return Err(Rule::Holder);
            }
            weekly(genesis.epoch.start)
        }
        None => weekly(granted(past, &header.grant)?),
    };
    let weeks = header.created.saturating_sub(began) / WEEK_MS;
    let weeks = if more { weeks } else { 0 };
    if u64::from(certificate.index) > free.saturating_add(weeks) {
        return Err(Rule::Index);
    }
    Ok(admitted(certificate, header.grant))
}

fn admitted(certificate: &Certificate, grant: GrantId) -> Admitted {
    Admitted {
        device: certificate.device,
        grant,
        index: certificate.index,
        buckets: Buckets::default(),
    }
}

/// The carrier of a grant among the deps; of several the one that began first.
fn carrier(past: &Past<'_>, grant: &GrantId) -> Option<Arc<Fact>> {
    let carried = past.deps.iter().flat_map(|dep| past.facts.carried(&dep.id));
    let issued = carried.filter(|fact| fact.item == *grant);
    issued.min_by_key(|fact| (fact.created, fact.carrier))
}

/// When the grant of a claim began, and whether it counts what is written under it in all.
fn claimed(past: &Past<'_>, claim: &Claim) -> Result<(u64, bool), Rule> {
    let fact = carrier(past, &claim.grant).ok_or(Rule::NoInvite)?;
    let Item::Invite(invite) = &fact.what else {
        return Err(Rule::NoInvite);
    };
    if claim.invite != invite.key {
        return Err(Rule::ClaimKey);
    }
    // Who has to be welcomed writes under the grant that welcomes it.
    let InviteKind::WhileAway(gift) = &invite.kind else {
        return Err(Rule::Unwelcome);
    };
    // The time of the claim counts and not that of the envelope, so that a later incarnation of
    // the device may repeat it after the invite's end.
    if claim.time > invite.until {
        return Err(Rule::InviteOver);
    }
    let counted = gift.terms.budget.has_totals();
    Ok((chain::since(&fact), counted))
}

/// When a grant began. That the device belongs to its holder is seen to for every envelope.
fn granted(past: &Past<'_>, grant: &GrantId) -> Result<u64, Rule> {
    let fact = carrier(past, grant).ok_or(Rule::Chain)?;
    match &fact.what {
        Item::Grant(_) => Ok(chain::since(&fact)),
        // An invite is claimed.
        _ => Err(Rule::Claim),
    }
}
