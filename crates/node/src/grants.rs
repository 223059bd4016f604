//! Under which of its grants a device writes.
//!
//! Whoever joined by an invite may be given a grant later, and what it was given may be taken back.
//! A chain is written under one grant from its beginning, so going on under another needs another
//! author key.

use crate::look::look;
use crate::node::{Inner, Turn};
use identity::{GrantId, Id, PublicKey};
use lace::{Effect, Lace};
use machine::Staged;
use std::collections::BTreeSet;
use wire::{Item, Right, Rights};

impl Inner {
    /// What grants stand may have changed: this device goes on under another if that gives it more,
    /// or if what it wrote under stands no more.
    pub(crate) fn grants_changed(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let keys = self.host.keys.topic(local).filter(|keys| !keys.row.left);
        let Some((keys, device)) = keys.and_then(|keys| Some((keys, keys.device.as_ref()?))) else {
            return;
        };
        let (device, present) = (device.public(), GrantId::from_bytes(keys.row.grant));
        let better = look(&mut self.topics, turn.cx, local, |lace, store| {
            better(lace, store, &device, present)
        });
        let Some(grant) = better.flatten() else {
            return;
        };
        self.host.keys.update(turn.cx, local, |row| {
            row.grant = *grant.as_bytes();
            row.claim.clear();
            row.invite_at = [0; 32];
        });
        self.host.keys.give_up_author(turn.cx, local);
        // Where it cannot be now, it is with the next that is written.
        drop(self.open_author(turn, local));
    }
}

/// Whether an item may change under which grants devices write.
pub(crate) const fn turn_on(item: &Item) -> bool {
    matches!(
        item,
        Item::Grant(_) | Item::Revocation(_) | Item::Close(_) | Item::Act(_)
    )
}

/// The grant under which a device had better write, if it is not the present one: none gives more
/// rights, of several the one nearest to the topic's own.
fn better(
    lace: &Lace,
    store: &mut Staged<'_>,
    device: &PublicKey,
    present: GrantId,
) -> Option<GrantId> {
    let effect = lace.held_effect(store);
    let worth = |grant: &GrantId, store: &mut Staged<'_>| worth(lace, store, &effect, grant);
    let own = lace.genesis().root.has(device);
    if own || effect.devices.len() < 2 {
        return None;
    }
    let holders: BTreeSet<Id> = effect
        .devices
        .keys()
        .filter(|(_, seated)| seated == device)
        .map(|(holder, _)| *holder)
        .collect();
    let held = effect.grants.iter();
    let held = held.filter(|(_, it)| it.holder.is_some_and(|of| holders.contains(&of)));
    let best = held.map(|(grant, it)| {
        let depth = u32::MAX - it.depth;
        (worth(grant, store), depth, *grant)
    });
    let (best, _, grant) = best.max()?;
    (grant != present && best > worth(&present, store)).then_some(grant)
}

/// How many rights of a grant stand.
fn worth(lace: &Lace, store: &mut Staged<'_>, effect: &Effect, grant: &GrantId) -> usize {
    let Some(standing) = effect.grants.get(grant) else {
        return 0;
    };
    let issued = lace.facts(store, |facts| facts.issued(grant));
    let rights = issued
        .first()
        .map_or_else(Rights::default, |fact| match &fact.what {
            Item::Grant(item) => item.rights,
            Item::Invite(item) => item
                .gift()
                .map_or_else(Rights::default, |gift| gift.terms.rights),
            _ => Rights::default(),
        });
    let over = standing.over;
    let stands = |right| {
        let taken = match right {
            Right::Publish => over.publish,
            Right::Read => over.read,
            Right::Admit => over.admit,
        };
        !taken
    };
    rights.iter().filter(|(right, _)| stands(*right)).count()
}
