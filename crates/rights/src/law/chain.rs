//! What a chain is written under, and what that allows to say.

use identity::limits::SHARES;
use identity::{GrantId, Id, PublicKey};
use lace::{Admitted, Fact, Over, Rule};
use wire::{Budget, Grant, Header, Interval, InviteKind, Item, Right, Rights, Verified};

use super::look::Look;
use crate::budget::Rates;

/// Under what kind of grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Under {
    /// The topic's own.
    Root,
    /// One that was given to a composition.
    Grant,
    /// An invite that was claimed. Nothing hangs under it.
    Invite,
}

/// What a chain is written under.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    pub(super) grant: GrantId,
    pub(super) under: Under,
    /// The composition that it is written for; nobody under an invite.
    pub(super) holder: Option<Id>,
    pub(super) rights: Rights,
    /// What of the rights has been taken back.
    over: Over,
    pub(super) budget: Budget,
    /// The device's part of the budget, of 256.
    pub(super) share: u16,
}

/// What somebody who owns the topic may do: everything, always.
pub(super) const OWNERS: Rights = Rights {
    publish: Some(Interval::ALWAYS),
    read: Some(Interval::ALWAYS),
    admit: Some(Interval::ALWAYS),
};

impl Chain {
    /// What the chain of an envelope is written under, and its device's share.
    pub(super) fn of(look: &Look<'_>, admitted: &Admitted) -> Result<Self, Rule> {
        let chain = Self::under(look, &admitted.grant)?;
        let share = chain.seat(look, &admitted.device).ok_or(Rule::Holder)?;
        Ok(Self { share, ..chain })
    }

    /// What may be written under a grant of the past, by no device in particular. Whoever wrote
    /// number 1 of a chain named an envelope that carries its grant.
    pub(super) fn under(look: &Look<'_>, grant: &GrantId) -> Result<Self, Rule> {
        let over = match look.taken_from(grant) {
            Some(effect) => effect.grants.get(grant).ok_or(Rule::Ended)?.over,
            None => Over::default(),
        };
        let mut chain = Self {
            grant: *grant,
            under: Under::Root,
            holder: look.holder(grant),
            rights: OWNERS,
            over,
            budget: Budget::default(),
            share: 0,
        };
        if !look.is_root(grant) {
            let issued = look.past.facts.issued(grant);
            let fact = issued.first().ok_or(Rule::Chain)?;
            (chain.rights, chain.budget) = look.gift(&fact.what).ok_or(Rule::Chain)?;
            chain.under = match &fact.what {
                Item::Grant(_) => Under::Grant,
                _ => Under::Invite,
            };
        }
        Ok(chain)
    }

    /// The share of a device of whoever holds the grant.
    fn seat(&self, look: &Look<'_>, device: &PublicKey) -> Option<u16> {
        let Some(holder) = self.holder else {
            return Some(SHARES);
        };
        if let Some(effect) = look.taken_from(&self.grant) {
            return Some(effect.devices.get(&(holder, *device))?.share);
        }
        if self.under == Under::Root {
            return look.past.facts.genesis().root.share(device);
        }
        match &look.past.facts.issued(&self.grant).first()?.what {
            Item::Grant(item) => share(look, item, device),
            _ => None,
        }
    }

    /// Whether content may be written at the time that it claims.
    pub(super) fn may_publish(&self, header: &Header) -> Result<(), Rule> {
        self.may(Right::Publish, header.created)?;
        let budget = &self.budget;
        let lasts = header.expires.saturating_sub(header.created);
        let beyond = budget.largest.is_some_and(|most| header.body_len > most)
            || budget.lifespan.is_some_and(|most| lasts > most)
            || budget.hops.is_some_and(|most| header.hops > most);
        if beyond { Err(Rule::Size) } else { Ok(()) }
    }

    /// Whether all items of a control envelope may be written at the time that it claims.
    pub(super) fn may_say(&self, envelope: &Verified) -> Result<(), Rule> {
        let header = &envelope.envelope.header;
        for item in envelope.items.iter().flatten() {
            match item {
                // Signed by a composition, so that it does not matter who carries it.
                Item::Grant(_) | Item::Revocation(_) if item.joint().is_some() => {}
                Item::Invite(_)
                | Item::Grant(_)
                | Item::Revocation(_)
                | Item::Close(_)
                | Item::Countersign(_) => self.may(Right::Admit, header.created)?,
                Item::Title(_) if self.under != Under::Root => return Err(Rule::FounderOnly),
                _ => {}
            }
        }
        // All else goes on until the last right has ended. It may begin before the first does: so
        // devices make themselves known in time.
        match end(&self.rights) {
            Some(until) if header.created >= until => Err(Rule::Time),
            _ => Ok(()),
        }
    }

    pub(super) fn may(&self, right: Right, created: u64) -> Result<(), Rule> {
        let interval = self.rights.get(right).ok_or(Rule::Right)?;
        let over = match right {
            Right::Publish => self.over.publish,
            Right::Read => self.over.read,
            Right::Admit => self.over.admit,
        };
        if over {
            return Err(Rule::Ended);
        }
        if interval.holds(created) {
            Ok(())
        } else {
            Err(Rule::Time)
        }
    }

    /// The rates of the grant, of which the device has its share.
    pub(super) fn rates(&self) -> Rates {
        rates(&self.budget)
    }
}

/// The rates of a budget.
pub(super) fn rates(budget: &Budget) -> Rates {
    Rates {
        messages: budget.messages.map(u64::from),
        bytes: budget.bytes.map(u64::from),
    }
}

/// What a grant or an invite says that it gives; [`Look::gift`] has what the topic adds to its budget.
pub(super) const fn terms(item: &Item) -> Option<(Rights, Budget)> {
    match item {
        Item::Grant(grant) => Some((grant.rights, grant.budget)),
        Item::Invite(invite) => match &invite.kind {
            InviteKind::WhileAway(gift) | InviteKind::Attended(gift) => {
                Some((gift.terms.rights, gift.terms.budget))
            }
            InviteKind::Device => None,
        },
        _ => None,
    }
}

/// Out of which grant a grant or an invite is given.
pub(super) const fn parent(item: &Item) -> Option<GrantId> {
    match item {
        Item::Grant(grant) => Some(grant.parent),
        Item::Invite(invite) => match &invite.kind {
            InviteKind::WhileAway(gift) | InviteKind::Attended(gift) => Some(gift.parent),
            InviteKind::Device => None,
        },
        _ => None,
    }
}

/// When the last right ends; nothing if one has no end.
pub(super) fn end(rights: &Rights) -> Option<u64> {
    let mut ends = rights.iter().map(|(_, interval)| interval.until);
    ends.try_fold(0, |last: u64, until| Some(last.max(until?)))
}

/// When a grant begins: with its first right, but not before the envelope that carries it.
pub(super) fn since(fact: &Fact) -> u64 {
    let rights = terms(&fact.what).map(|(rights, _)| rights);
    let first = rights.and_then(|rights| rights.iter().map(|(_, time)| time.from).min());
    first.unwrap_or(0).max(fact.created)
}

/// The share of a device in the composition that holds a grant, where nothing has been taken away.
fn share(look: &Look<'_>, grant: &Grant, device: &PublicKey) -> Option<u16> {
    if let Some(form) = &grant.form {
        return form.share(device);
    }
    let effect = look.past.effect();
    let seat = effect.devices.get(&(grant.holder, *device))?;
    Some(seat.share)
}
