//! The rules by which the founder's device alone invites, and nobody loses anything but by forking.

use crate::effect::{Effect, Over, Seat, Standing, Why};
use crate::fact::{AuthorNo, Facts};
use crate::known;
use crate::limits::{FREE_INCARNATIONS, WEEK_MS};
use crate::policy::{Admitted, Buckets, Past, Policy};
use crate::rule::Rule;
use crate::set::Set;
use identity::limits::SHARES;
use identity::{GrantId, Id, Kind, PublicKey, Scheme};
use machine::planted::{Bug, is};
use std::collections::BTreeMap;
use wire::{Certificate, Claim, Genesis, Item, Verified};

/// The founder's device writes under the topic's own grant, invites and gives titles; everybody
/// else claims an invite and writes under that.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FoundersPolicy;

impl Policy for FoundersPolicy {
    fn speaks_of(&self, genesis: &Genesis, item: &Item) -> bool {
        known::is(genesis, item)
    }

    fn admit(&self, past: &Past<'_>, envelope: &Verified) -> Result<Admitted, Rule> {
        let header = &envelope.envelope.header;
        let admitted = match past.previous {
            Some(previous) => previous.admitted,
            None => first(past, envelope)?,
        };
        if admitted.grant != header.grant {
            return Err(Rule::Grant);
        }
        let is_founders = admitted.device == founder(past.facts.genesis());
        for item in envelope.items.iter().flatten() {
            if matches!(item, Item::Invite(_) | Item::Title(_)) && !is_founders {
                return Err(Rule::FounderOnly);
            }
        }
        Ok(admitted)
    }

    /// Invites and whoever has claimed one. Facts at or beyond a fork are void, but whoever they
    /// have let in stays: membership follows the past alone.
    fn effect(&self, facts: &dyn Facts, set: &Set, evidence: &BTreeMap<AuthorNo, u64>) -> Effect {
        let genesis = facts.genesis();
        let own = GrantId::from_bytes(*genesis.topic_id().as_bytes());
        let mut effect = Effect::default();
        let root = Standing {
            by: None,
            since: genesis.epoch.start,
            depth: 0,
            holder: Some(genesis.root.member()),
            over: Over::default(),
        };
        effect.grants.insert(own, root);
        let seat = Seat {
            by: None,
            grant: own,
            share: SHARES,
        };
        let device = founder(genesis);
        effect.devices.insert((engine(&device), device), seat);
        for fact in set.iter().filter_map(|no| facts.fact(no)) {
            let fork = evidence.get(&fact.author);
            if fork.is_some_and(|from| fact.number >= *from) {
                effect.void.insert(fact.no, Why::Fork);
            }
            match &fact.what {
                Item::Invite(_) => {
                    let standing = Standing {
                        by: Some(fact.no),
                        since: fact.created,
                        depth: 1,
                        holder: None,
                        over: Over::default(),
                    };
                    let known = effect.grants.entry(fact.item).or_insert(standing);
                    known.since = known.since.min(standing.since);
                }
                Item::Claim(claim) => {
                    let seat = Seat {
                        by: Some(fact.no),
                        grant: claim.grant,
                        share: SHARES,
                    };
                    let device = (engine(&claim.device), claim.device);
                    effect.devices.entry(device).or_insert(seat);
                }
                _ => {}
            }
        }
        effect
    }
}

/// The device that founded a topic.
pub(crate) fn founder(genesis: &Genesis) -> PublicKey {
    genesis.founder()
}

/// A device as a holder.
fn engine(device: &PublicKey) -> Id {
    Id::new(Kind::Engine, Scheme::Key, device.to_bytes())
}

/// Rules of an author's envelope number 1, whose first item is a certificate.
fn first(past: &Past<'_>, envelope: &Verified) -> Result<Admitted, Rule> {
    let header = &envelope.envelope.header;
    let genesis = past.facts.genesis();
    let mut items = envelope.items.iter().flatten();
    let Some(Item::Certificate(certificate)) = items.next() else {
        return Err(Rule::Certificate);
    };
    let claim = match items.next() {
        Some(Item::Claim(claim)) => Some(claim),
        _ => None,
    };
    let is_founders = certificate.device == founder(genesis);
    let (grant, began) = match (is_founders, claim) {
        (true, None) => {
            let grant = GrantId::from_bytes(*genesis.topic_id().as_bytes());
            (grant, genesis.epoch.start)
        }
        (true, Some(_)) | (false, None) => return Err(Rule::Claim),
        (false, Some(claim)) => {
            if claim.device != certificate.device || claim.grant != header.grant {
                return Err(Rule::ClaimFor);
            }
            if is(Bug::OutsiderPublished) {
                return Ok(admitted(certificate, claim.grant));
            }
            (claim.grant, claimed(past, claim)?)
        }
    };
    let weeks = header.created.saturating_sub(began) / WEEK_MS;
    if u64::from(certificate.index) > FREE_INCARNATIONS.saturating_add(weeks) {
        return Err(Rule::Index);
    }
    Ok(admitted(certificate, grant))
}

fn admitted(certificate: &Certificate, grant: GrantId) -> Admitted {
    Admitted {
        device: certificate.device,
        grant,
        index: certificate.index,
        buckets: Buckets::default(),
    }
}

/// When the grant of a claim began.
fn claimed(past: &Past<'_>, claim: &Claim) -> Result<u64, Rule> {
    let carried = past.deps.iter().flat_map(|dep| past.facts.carried(&dep.id));
    let invites = carried.filter(|fact| fact.item == claim.grant);
    // One item in two envelopes: the one that began first.
    let fact = invites
        .min_by_key(|fact| (fact.created, fact.carrier))
        .ok_or(Rule::NoInvite)?;
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
    Ok(fact.created)
}
