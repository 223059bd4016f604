//! Who has welcomed whom: what the graph says of it, in grants that name claims.
//!
//! A grant that welcomes counts if whoever gave it could stand in for the invite: if it gives as much
//! as the invite does, or comes from the very device that gave the invite. Any other one may come
//! from somebody who may admit to less, and who would like a claimer to wait for ever: its answer is kept
//! where there is room, and the claim still waits.

use crate::state::Topic;
use identity::{Form, GrantId, Id, PublicKey};
use lace::{Effect, Lace};
use machine::{Cx, Staged};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::{Claim, Invite, InviteKind, Item, Terms, TopicPolicy};

/// An attended invite that is here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attended {
    pub(crate) invite: Invite,
    /// The device that gave it.
    pub(crate) inviter: PublicKey,
}

/// A grant that names a claim.
#[derive(Clone, Copy, Debug)]
struct Naming {
    holder: Id,
    terms: Terms,
    giver: PublicKey,
    depth: u32,
}

/// The grants that name claims and whose givers stood when they gave them. One that was ended later
/// is among them: whoever has been removed is not welcome again by itself.
#[derive(Debug)]
pub(crate) struct Welcomes {
    /// What stands, by which they were found.
    of: Arc<Effect>,
    policy: TopicPolicy,
    by_claim: BTreeMap<[u8; 32], Vec<Naming>>,
}

/// How somebody has welcomed a claimer. What comes first is kept rather than what comes later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// By the device that gave the invite.
    Inviter,
    /// With as much as the invite gives.
    Whole,
    /// With less.
    Part,
}

/// Where an answer stands among those to a claim: the lesser is kept. The same at everybody who has
/// the same graph.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    depth: u32,
    pub(crate) giver: PublicKey,
}

impl Place {
    /// Whether the claimer needs no other welcome.
    pub(crate) fn counts(&self) -> bool {
        self.kind < Kind::Part
    }
}

impl Welcomes {
    fn find(lace: &Lace, store: &mut Staged<'_>, of: Arc<Effect>) -> Self {
        let policy = lace.genesis().policy;
        let mut by_claim: BTreeMap<[u8; 32], Vec<Naming>> = BTreeMap::new();
        for fact in lace.welcoming(store) {
            let Item::Grant(grant) = &fact.what else {
                continue;
            };
            let Some(claim) = grant.welcomes.filter(|_| !of.void.contains_key(&fact.no)) else {
                continue;
            };
            let author = lace.facts(store, |facts| facts.key(fact.author));
            let Some(author) = author.and_then(|key| lace.author(&key)) else {
                continue;
            };
            let depth = of.grants.get(&fact.item).map_or(u32::MAX, |it| it.depth);
            by_claim.entry(claim).or_default().push(Naming {
                holder: grant.holder,
                terms: Terms {
                    rights: grant.rights,
                    budget: policy.budget_of(grant.budget),
                },
                giver: *author.device(),
                depth,
            });
        }
        Self {
            of,
            policy,
            by_claim,
        }
    }

    /// Who has welcomed whoever made a claim of an invite, in the order in which answers are kept.
    fn places(&self, hash: &[u8; 32], claim: &Claim, of: &Attended) -> Vec<Place> {
        let holder = Form::one(claim.device).member();
        let gift = of.invite.gift().map(|gift| Terms {
            budget: self.policy.budget_of(gift.terms.budget),
            ..gift.terms
        });
        let named = self.by_claim.get(hash).into_iter().flatten();
        let named = named.filter(|naming| naming.holder == holder);
        let mut places: Vec<Place> = named
            .map(|naming| {
                let whole = gift.is_some_and(|gift| naming.terms.give_as_much(&gift));
                let kind = match whole {
                    _ if naming.giver == of.inviter => Kind::Inviter,
                    true => Kind::Whole,
                    false => Kind::Part,
                };
                let (depth, giver) = (naming.depth, naming.giver);
                Place { kind, depth, giver }
            })
            .collect();
        places.sort_unstable();
        places
    }
}

impl Topic {
    /// The attended invite that a claim is of, if it is here.
    pub(crate) fn attended(&self, cx: &mut Cx<'_>, grant: &GrantId) -> Option<Attended> {
        let issued = self.lace.facts(&mut cx.store, |facts| facts.issued(grant));
        let fact = issued.first()?;
        let invite = match &fact.what {
            Item::Invite(invite) if matches!(invite.kind, InviteKind::Attended(_)) => *invite,
            _ => return None,
        };
        let author = self
            .lace
            .facts(&mut cx.store, |facts| facts.key(fact.author))?;
        let inviter = *self.lace.author(&author)?.device();
        Some(Attended { invite, inviter })
    }

    /// Who has welcomed whoever made a claim, by what is here.
    pub(crate) fn welcomed_by(
        &mut self,
        cx: &mut Cx<'_>,
        (hash, claim): (&[u8; 32], &Claim),
    ) -> Vec<Place> {
        let Some(of) = self.attended(cx, &claim.grant) else {
            return Vec::new();
        };
        self.welcomes(cx).places(hash, claim, &of)
    }

    /// What the graph says of it, found anew when anything stands otherwise than before.
    fn welcomes(&mut self, cx: &mut Cx<'_>) -> Arc<Welcomes> {
        let effect = self.lace.held_effect(&mut cx.store);
        let known = self.claims.welcomes.as_ref();
        if let Some(known) = known.filter(|known| Arc::ptr_eq(&known.of, &effect)) {
            return Arc::clone(known);
        }
        let found = Arc::new(Welcomes::find(&self.lace, &mut cx.store, effect));
        self.claims.welcomes = Some(Arc::clone(&found));
        found
    }
}
