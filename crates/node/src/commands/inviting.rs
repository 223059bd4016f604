//! Out of which grant a device lets people in, and what it gives them.

use crate::command::{Code, Failure};
use crate::look::look;
use crate::node::{Inner, Turn};
use identity::GrantId;
use lace::Lace;
use machine::Staged;
use wire::{Budget, Gift, Item, Rights, Terms};

/// Which part of a rate that it has itself a device gives with one invite: one that may write a
/// hundred messages a minute can invite a handful and still write.
const INVITE_PART: u32 = 16;

impl Inner {
    /// What an invite of this device gives: to write and to read as long as it may itself, out of the
    /// grant under which it writes.
    pub(super) fn guest_gift(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
    ) -> Result<Gift, Failure> {
        let keys = self.member(local)?;
        let parent = GrantId::from_bytes(keys.row.grant);
        let guest = Terms::GUEST;
        if keys.is_founder() {
            return Ok(Gift {
                terms: guest,
                parent,
            });
        }
        let own = look(&mut self.topics, turn.cx, local, |lace, store| {
            terms_of(lace, store, &parent)
        });
        let own = own
            .flatten()
            .filter(|own| own.rights.admit.is_some())
            .ok_or_else(|| {
                Failure::new(
                    Code::Refused,
                    "this device may not let anybody into the topic",
                    "ask somebody who may for an invite, or for a grant with --admit",
                )
            })?;
        let rights = Rights {
            publish: own.rights.publish,
            read: own.rights.read,
            admit: None,
        };
        // Of what is limited an invite takes a part, so that there is something left for others.
        let part = |rate: Option<u32>| rate.map(|rate| (rate / INVITE_PART).max(1));
        let budget = Budget {
            messages: part(own.budget.messages),
            bytes: part(own.budget.bytes),
            ..own.budget
        };
        let terms = Terms { rights, budget };
        Ok(Gift { terms, parent })
    }
}

/// What a grant gives, if it stands and its holder may still admit. An invite lets nobody give.
fn terms_of(lace: &Lace, store: &mut Staged<'_>, grant: &GrantId) -> Option<Terms> {
    let effect = lace.held_effect(store);
    let standing = effect.grants.get(grant)?;
    let issued = lace.facts(store, |facts| facts.issued(grant));
    let terms = issued.first().and_then(|fact| match &fact.what {
        Item::Grant(item) => Some(Terms {
            rights: item.rights,
            budget: item.budget,
        }),
        _ => None,
    });
    terms.filter(|_| !standing.over.admit)
}
