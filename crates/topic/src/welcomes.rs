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
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wire::{Claim, Invite, InviteKind, Item, Terms, TopicPolicy};

/// An invite that is here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Invited {
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

impl Naming {
    /// How it welcomes whoever has claimed an invite that gives this.
    fn place(&self, of: &Invited, gift: Option<Terms>) -> Place {
        let whole = gift.is_some_and(|gift| self.terms.give_as_much(&gift));
        let kind = match whole {
            _ if self.giver == of.inviter => Kind::Inviter,
            true => Kind::Whole,
            false => Kind::Part,
        };
        let (depth, giver) = (self.depth, self.giver);
        Place { kind, depth, giver }
    }
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
    fn places(&self, hash: &[u8; 32], claim: &Claim, of: &Invited) -> Vec<Place> {
        let holder = Form::one(claim.device).member();
        let gift = self.gift(of);
        let named = self.by_claim.get(hash).into_iter().flatten();
        let named = named.filter(|naming| naming.holder == holder);
        let mut places: Vec<Place> = named.map(|naming| naming.place(of, gift)).collect();
        places.sort_unstable();
        places
    }

    /// Whom a welcome has served that counts for an invite, whichever claim it names: who has as much
    /// needs nothing by another one.
    fn served(&self, of: &Invited) -> BTreeSet<Id> {
        let gift = self.gift(of);
        let all = self.by_claim.values().flatten();
        let counts = all.filter(|naming| naming.place(of, gift).counts());
        counts.map(|naming| naming.holder).collect()
    }

    /// What an invite gives, with what bounds it.
    fn gift(&self, of: &Invited) -> Option<Terms> {
        of.invite.gift().map(|gift| Terms {
            budget: self.policy.budget_of(gift.terms.budget),
            ..gift.terms
        })
    }
}

impl Topic {
    /// The attended invite that a claim is of, if it is here.
    pub(crate) fn attended(&self, cx: &mut Cx<'_>, grant: &GrantId) -> Option<Invited> {
        let of = self.invited(cx, grant);
        of.filter(|of| matches!(of.invite.kind, InviteKind::Attended(_)))
    }

    /// The invite that a claim is of, if it is here.
    fn invited(&self, cx: &mut Cx<'_>, grant: &GrantId) -> Option<Invited> {
        let issued = self.lace.facts(&mut cx.store, |facts| facts.issued(grant));
        let fact = issued.first()?;
        let Item::Invite(invite) = fact.what else {
            return None;
        };
        let author = self
            .lace
            .facts(&mut cx.store, |facts| facts.key(fact.author))?;
        let inviter = *self.lace.author(&author)?.device();
        Some(Invited { invite, inviter })
    }

    /// Who has welcomed whoever made a claim, by what is here.
    pub(crate) fn welcomed_by(
        &mut self,
        cx: &mut Cx<'_>,
        (hash, claim): (&[u8; 32], &Claim),
    ) -> Vec<Place> {
        let Some(of) = self.invited(cx, &claim.grant) else {
            return Vec::new();
        };
        self.welcomes(cx).places(hash, claim, &of)
    }

    /// The devices that began under an invite and that a grant has welcomed since which counts, whether it
    /// still stands or not: the same at everybody with the same graph.
    pub(crate) fn welcomed_under(
        &mut self,
        cx: &mut Cx<'_>,
        invite: &GrantId,
    ) -> BTreeSet<PublicKey> {
        let Some(of) = self.invited(cx, invite) else {
            return BTreeSet::new();
        };
        let served = self.welcomes(cx).served(&of);
        let began = self
            .lace
            .authors()
            .filter(|author| author.grant() == invite);
        let devices = began.map(|author| *author.device());
        devices
            .filter(|device| served.contains(&Form::one(*device).member()))
            .collect()
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
