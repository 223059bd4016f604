//! The first envelope of a chain: who begins it, and under what.

use std::sync::Arc;

use identity::GrantId;
use lace::limits::{FREE_INCARNATIONS, WEEK_MS};
use lace::{Admitted, Buckets, Fact, Past, Rule};
use machine::planted::{Bug, is};
use wire::{Certificate, Claim, Item, Verified};

use super::chain;

/// Rules of an author's envelope number 1, whose first item is a certificate.
pub(super) fn first(past: &Past<'_>, envelope: &Verified) -> Result<Admitted, Rule> {
    let header = &envelope.envelope.header;
    let mut items = envelope.items.iter().flatten();
    let Some(Item::Certificate(certificate)) = items.next() else {
        return Err(Rule::Certificate);
    };
    let claim = match items.next() {
        Some(Item::Claim(claim)) => Some(claim),
        _ => None,
    };
    let genesis = past.facts.genesis();
    let owns = genesis.root.has(&certificate.device);
    let began = match claim {
        // Who owns the topic needs no invite.
        Some(_) if owns => return Err(Rule::Claim),
        Some(claim) => {
            if claim.device != certificate.device || claim.grant != header.grant {
                return Err(Rule::ClaimFor);
            }
            if is(Bug::OutsiderPublished) {
                return Ok(admitted(certificate, header.grant));
            }
            claimed(past, claim)?
        }
        None if chain::is_root(header, &header.grant) => {
            if !owns {
                return Err(Rule::Holder);
            }
            genesis.epoch.start
        }
        None => granted(past, &header.grant, certificate)?,
    };
    let weeks = header.created.saturating_sub(began) / WEEK_MS;
    if u64::from(certificate.index) > FREE_INCARNATIONS.saturating_add(weeks) {
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

/// When the grant of a claim began.
fn claimed(past: &Past<'_>, claim: &Claim) -> Result<u64, Rule> {
    let fact = carrier(past, &claim.grant).ok_or(Rule::NoInvite)?;
    let Item::Invite(invite) = &fact.what else {
        return Err(Rule::NoInvite);
    };
    if claim.invite != invite.key {
        return Err(Rule::ClaimKey);
    }
    // The time of the claim counts and not that of the envelope, so that a later incarnation of
    // the device may repeat it after the invite's end.
    if claim.time > invite.until {
        return Err(Rule::InviteOver);
    }
    Ok(chain::since(&fact))
}

/// When a grant began that the device holds.
fn granted(past: &Past<'_>, grant: &GrantId, certificate: &Certificate) -> Result<u64, Rule> {
    let fact = carrier(past, grant).ok_or(Rule::Chain)?;
    match &fact.what {
        Item::Grant(item) => {
            let share = chain::share(past, item, &certificate.device);
            share.map(|_| chain::since(&fact)).ok_or(Rule::Holder)
        }
        // An invite is claimed.
        _ => Err(Rule::Claim),
    }
}
