//! Who came by which invite, on what evidence, and who of them beyond its uses.
//!
//! Nobody who came is sent away for that: parts of a topic that do not hear of one another let in as many each
//! as an invite is for. So it is told, and a person decides. The order is the graph's: those whom somebody has
//! welcomed come first, as they were welcomed; the others follow as their claims stand in it, which is a
//! claimer's own doing.

use crate::command::Came;
use crate::node::{Inner, Turn};
use identity::{EnvelopeId, Form, GrantId, Id, PublicKey};
use lace::{Effect, Lace};
use machine::Staged;
use std::collections::{BTreeMap, BTreeSet};
use wire::{Claim, Grant, Item};

/// Envelopes number 1 of a key that are looked at for its claim: more than one has who forked there.
const FIRST: usize = 4;

/// The claims that are kept beside the graph, by hash, and of each invite how many were welcomed whose claims
/// are not kept any more.
#[derive(Debug, Default)]
pub(super) struct Kept {
    claims: BTreeMap<[u8; 32], Claim>,
    before: BTreeMap<GrantId, u32>,
}

/// Where somebody stands among those who came by an invite.
type Place = (bool, u64, EnvelopeId);

/// Who came by the invites of a topic.
#[derive(Debug, Default)]
pub(super) struct Comers {
    /// With the composition of the claimer's device.
    by_claim: BTreeMap<[u8; 32], (Id, Came)>,
    /// The claim by which a device came first by an invite.
    first: BTreeMap<(GrantId, PublicKey), [u8; 32]>,
}

impl Inner {
    /// What is kept of claims beside a topic's graph.
    pub(super) fn kept_claims(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Kept {
        let open = self.topics.claims(turn.cx, local).into_iter();
        let claims: BTreeMap<[u8; 32], Claim> = open.map(|open| (open.hash, open.claim)).collect();
        let invites: BTreeSet<GrantId> = claims.values().map(|claim| claim.grant).collect();
        let before = invites.into_iter().map(|invite| {
            let count = self.topics.claimed_before(turn.cx, local, &invite);
            (invite, count)
        });
        let before = before.collect();
        Kept { claims, before }
    }
}

impl Comers {
    pub(super) fn of(
        lace: &Lace,
        store: &mut Staged<'_>,
        (effect, kept): (&Effect, &Kept),
    ) -> Self {
        let mut claims: BTreeMap<[u8; 32], (Claim, Option<Place>)> = BTreeMap::new();
        for (hash, claim) in &kept.claims {
            claims.insert(*hash, (*claim, None));
        }
        let invites: BTreeSet<GrantId> = lace.invites().map(|invite| invite.grant).collect();
        let invited = lace
            .authors()
            .filter(|author| invites.contains(author.grant()));
        for author in invited {
            for id in lace.at(store, author.key(), 1, FIRST) {
                for fact in lace.facts(store, |facts| facts.carried(&id)) {
                    if let Item::Claim(claim) = &fact.what {
                        let place = (true, fact.generation, fact.carrier);
                        claims.insert(claim.hash(), (*claim, Some(place)));
                    }
                }
            }
        }
        for fact in lace.welcoming(store) {
            let Item::Grant(Grant {
                welcomes: Some(hash),
                holder,
                ..
            }) = &fact.what
            else {
                continue;
            };
            let Some((claim, place)) = claims.get_mut(hash) else {
                continue;
            };
            let is_welcome = Form::one(claim.device).member() == *holder;
            if is_welcome && !effect.void.contains_key(&fact.no) {
                let welcomed = (false, fact.generation, fact.carrier);
                *place = Some(place.map_or(welcomed, |known| known.min(welcomed)));
            }
        }
        // Of several claims of one device under one invite the first tells when it came.
        let mut first: BTreeMap<(GrantId, PublicKey), (Place, [u8; 32])> = BTreeMap::new();
        for (hash, (claim, place)) in &claims {
            if let Some(place) = place {
                let of = (claim.grant, claim.device);
                let known = first.entry(of).or_insert((*place, *hash));
                *known = (*place, *hash).min(*known);
            }
        }
        let mut order: BTreeMap<GrantId, Vec<(Place, PublicKey)>> = BTreeMap::new();
        for ((invite, device), (place, _)) in &first {
            order.entry(*invite).or_default().push((*place, *device));
        }
        let mut places: BTreeMap<(GrantId, PublicKey), u32> = BTreeMap::new();
        for (invite, mut of) in order {
            of.sort_unstable();
            let mut number = kept.before.get(&invite).copied().unwrap_or(0);
            for (_, device) in of {
                number = number.saturating_add(1);
                places.insert((invite, device), number);
            }
        }
        let mut by_claim = BTreeMap::new();
        for (hash, (claim, place)) in claims {
            let Some((_, _, envelope)) = place else {
                continue;
            };
            let issued = lace.facts(store, |facts| facts.issued(&claim.grant));
            let uses = issued.first().and_then(|fact| match &fact.what {
                Item::Invite(invite) => Some(invite.uses),
                _ => None,
            });
            let came = Came {
                invite: Some(claim.grant.to_string()),
                claim: GrantId::from_bytes(hash).to_string(),
                envelope: envelope.to_string(),
                place: places.get(&(claim.grant, claim.device)).copied(),
                uses,
            };
            by_claim.insert(hash, (Form::one(claim.device).member(), came));
        }
        let first = first.into_iter().map(|(of, (_, hash))| (of, hash));
        let first = first.collect();
        Self { by_claim, first }
    }

    /// How a device came by an invite that it has claimed.
    pub(super) fn by_invite(&self, invite: &GrantId, device: &PublicKey) -> Option<Came> {
        let claim = self.first.get(&(*invite, *device))?;
        self.by_claim.get(claim).map(|(_, came)| came.clone())
    }

    /// How the holder of a grant in this envelope came, which says that it welcomes a claim. It may say so of
    /// somebody else's.
    pub(super) fn by_welcome(
        &self,
        (holder, claim): (&Id, &[u8; 32]),
        envelope: EnvelopeId,
    ) -> Option<Came> {
        match self.by_claim.get(claim) {
            Some((of, came)) => (of == holder).then(|| came.clone()),
            None => Some(Came {
                invite: None,
                claim: GrantId::from_bytes(*claim).to_string(),
                envelope: envelope.to_string(),
                place: None,
                uses: None,
            }),
        }
    }
}
