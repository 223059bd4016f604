//! Who belongs to the topic.

use crate::fact::{Fact, FactNo};
use crate::lace::Lace;
use crate::rows::{self, Bytes};
use identity::{GrantId, Id, Kind, PublicKey, Scheme};
use machine::Staged;
use std::sync::Arc;
use wire::{Claim, InviteKind, Item};

impl Lace {
    /// Whether a device may take part under a grant: the grant stands, and the device is one of
    /// whoever holds it, an author of it is here under the invite, or it shows a claim of the invite.
    /// Whoever claims an attended invite takes part once somebody has welcomed it, by that grant.
    #[must_use]
    pub fn is_member(
        &self,
        store: &mut Staged<'_>,
        device: &PublicKey,
        grant: &GrantId,
        claim: Option<&Claim>,
    ) -> bool {
        let effect = self.held_effect(store);
        let Some(standing) = effect.grants.get(grant) else {
            return false;
        };
        if let Some(holder) = standing.holder {
            // A device that was never part of a composition may be seated by itself.
            let alone = Id::new(Kind::Engine, Scheme::Key, device.to_bytes());
            let alone = effect.devices.get(&(alone, *device));
            return effect.devices.contains_key(&(holder, *device))
                || alone.is_some_and(|seat| seat.grant == *grant);
        }
        let writes = |author: &crate::Author| author.device() == device && author.grant() == grant;
        if self.authors.iter().any(writes) {
            return true;
        }
        let Some(claim) = claim else {
            return false;
        };
        let lets_in = |fact: &Arc<Fact>| match &fact.what {
            Item::Invite(invite) => matches!(invite.kind, InviteKind::WhileAway(_)),
            _ => false,
        };
        claim.device == *device
            && claim.grant == *grant
            && self.facts(store, |facts| facts.issued(grant).iter().any(lets_in))
            && self
                .invites_of(grant)
                .any(|invite| invite.key == claim.invite && claim.time <= invite.until)
            && claim.verify(self.id).is_ok()
    }

    /// Whether a device takes part under any grant that stands. One that has claimed an invite does
    /// as soon as its claim is here.
    #[must_use]
    pub fn has_member(&self, store: &mut Staged<'_>, device: &PublicKey) -> bool {
        let effect = self.held_effect(store);
        effect.devices.keys().any(|(_, seated)| seated == device)
    }

    /// Facts that take something away, which are revocations, closes and acts: the newest, at most
    /// `limit`, newest first.
    pub fn ends(&self, store: &mut Staged<'_>, limit: usize) -> Vec<Arc<Fact>> {
        let (from, to) = (
            rows::key(self.local, &[b"k"]),
            rows::key(self.local, &[b"l"]),
        );
        let rows = store.scan_back(rows::LACE, &from, &to, limit);
        let numbers = rows
            .iter()
            .filter_map(|(key, _)| Bytes(key.get(5..)?).u32());
        numbers
            .filter_map(|no| self.fact(store, FactNo(no)))
            .collect()
    }
}
