//! What the owners of a topic have to sign together, as people see it and make it.

use super::names::one;
use super::owners::keys_of;
use crate::command::owners::{Proposal, ProposedEnd, ProposedGrant};
use crate::command::{Code, Failure, MemberRight, Right as Named};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::proposals::proposed;
use crate::reading::all_read;
use identity::{ActId, Form, GrantId, ProposalId, PublicKey};
use std::collections::{BTreeMap, BTreeSet};
use wire::limits::{MAX_INNER_SIGNATURES, MAX_PROPOSED};
use wire::{Act, Item, Right, Role};

/// Fewest digits that stand for a proposal.
const MIN_ID: usize = 6;

/// Digits of a device's key that are shown beside its name.
const MIN_KEY: usize = 8;

impl Inner {
    /// What waits in a topic: what has been signed, and what the founder is to sign first.
    fn waiting_in(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Vec<wire::Proposal> {
        let mut all = proposed(&mut turn.cx.store, local);
        let planned = self.planned(turn, local);
        let is_new = |planned: &wire::Proposal| all.iter().all(|one| one.id() != planned.id());
        all.extend(planned.filter(is_new));
        all
    }

    /// The topics in which this device takes part.
    pub(super) fn taking_part(&self) -> Vec<u32> {
        let topics = self.host.keys.topics();
        let topics = topics.filter(|(_, keys)| keys.device.is_some());
        topics.map(|(local, _)| local).collect()
    }

    pub(super) fn pending(&mut self, turn: &mut Turn<'_, '_>) -> Vec<Proposal> {
        let mut all = Vec::new();
        for local in self.taking_part() {
            for proposal in self.waiting_in(turn, local) {
                all.extend(self.shown(turn, local, &proposal, false));
            }
        }
        all
    }

    /// A proposal as it is shown.
    fn shown(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        proposal: &wire::Proposal,
        done: bool,
    ) -> Option<Proposal> {
        let (_, member) = self.owning(turn, local)?;
        let under = proposal.under()?;
        let form = &member.states.iter().find(|state| state.id == under)?.form;
        let (mut says, mut gives, mut takes) = (Vec::new(), Vec::new(), Vec::new());
        let mut agree = Vec::new();
        for item in proposal.items() {
            match item {
                Item::Act(act) => {
                    agree = act.form.beyond(form).collect();
                    says.extend(self.told_act(turn, local, (form, act)));
                }
                Item::Grant(grant) => {
                    let given = self.told_grant(turn, local, grant);
                    let rights = given.rights.iter().map(|right| word(right.right));
                    let rights: Vec<_> = rights.collect();
                    says.push(format!("gives {} {}", given.name, rights.join(", ")));
                    gives.push(given);
                }
                Item::Revocation(revocation) => {
                    let end = self.told_end(turn, local, revocation);
                    let what = match end.only.as_slice() {
                        [] => "what it was given".to_owned(),
                        only => only
                            .iter()
                            .copied()
                            .map(word)
                            .collect::<Vec<_>>()
                            .join(", "),
                    };
                    says.push(match end.name.as_str() {
                        "" => format!("takes back the invite {}", end.grant),
                        name => format!("takes back from {name} {what}"),
                    });
                    takes.push(end);
                }
                _ => {}
            }
        }
        says.dedup();
        let signers = proposal.signers(Role::Signer);
        let agreed = proposal.signers(Role::New);
        let signed: Vec<PublicKey> = signers.union(&agreed).copied().collect();
        let lacks = form.lacks(&signers);
        let mut waits: Vec<PublicKey> = agree;
        waits.retain(|key| !agreed.contains(key));
        let lacks = lacks.saturating_add(waits.len());
        if form.lacks(&signers) > 0 {
            waits.extend(form.missing(&signers));
        }
        let (signed, waits_for) = (
            self.called(turn, local, signed),
            self.called(turn, local, waits),
        );
        let keys = self.host.keys.topic(local)?;
        Some(Proposal {
            id: proposal.id().to_string(),
            topic: keys.id,
            name: keys.row.name.clone(),
            text: says.join("; "),
            gives,
            takes,
            since: proposal.since,
            signed,
            waits_for: if done { Vec::new() } else { waits_for },
            lacks: u32::try_from(lacks).unwrap_or(u32::MAX),
            done,
        })
    }

    fn told_act(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        (form, act): (&Form, &Act),
    ) -> Vec<String> {
        let mut says = Vec::new();
        let new: Vec<PublicKey> = act.form.beyond(form).collect();
        let gone: Vec<PublicKey> = form.beyond(&act.form).collect();
        if !new.is_empty() {
            says.push(format!("adds {}", self.told_apart(turn, local, new)));
        }
        if !gone.is_empty() {
            says.push(format!("removes {}", self.told_apart(turn, local, gone)));
        }
        let (takes, of) = (act.form.threshold(), act.form.devices().len());
        says.push(format!("then {takes} of {of} decide"));
        says
    }

    fn told_grant(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        grant: &wire::Grant,
    ) -> ProposedGrant {
        let devices = grant.form.iter().flat_map(keys_of).collect();
        let right = |right, interval: Option<wire::Interval>| {
            interval.map(|interval| MemberRight {
                right,
                from: interval.from,
                until: interval.until,
                over: false,
            })
        };
        let rights = [
            right(Named::Publish, grant.rights.publish),
            right(Named::Read, grant.rights.read),
            right(Named::Admit, grant.rights.admit),
        ];
        let topic = self.host.keys.topic(local);
        let budget = topic.map_or(grant.budget, |keys| {
            keys.genesis.policy.budget_of(grant.budget)
        });
        ProposedGrant {
            member: grant.holder.to_string(),
            name: self.told_apart(turn, local, devices),
            rights: rights.into_iter().flatten().collect(),
            messages: budget.messages,
            bytes: budget.bytes,
        }
    }

    fn told_end(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        revocation: &wire::Revocation,
    ) -> ProposedEnd {
        let devices = look(&mut self.topics, turn.cx, local, |lace, store| {
            let issued = lace.facts(store, |facts| facts.issued(&revocation.grant));
            let given = issued.first().and_then(|fact| match &fact.what {
                Item::Grant(grant) => Some((grant.holder, grant.form.clone())),
                _ => None,
            });
            let (holder, form) = given.unzip();
            let effect = lace.held_effect(store);
            let seats = effect.devices.keys();
            let seats = seats.filter(|(of, _)| Some(*of) == holder);
            let seats = seats.map(|(_, key)| *key);
            let authors = lace.authors();
            let under = authors.filter(|author| *author.grant() == revocation.grant);
            let under = under.map(|author| *author.device());
            let first = form.flatten().iter().flat_map(keys_of).collect::<Vec<_>>();
            let all: BTreeSet<PublicKey> = seats.chain(under).chain(first).collect();
            all.into_iter().collect::<Vec<_>>()
        })
        .unwrap_or_default();
        let only = revocation.only.iter().map(|right| match right {
            Right::Publish => Named::Publish,
            Right::Read => Named::Read,
            Right::Admit => Named::Admit,
        });
        ProposedEnd {
            grant: revocation.grant.to_string(),
            name: self.told_apart(turn, local, devices),
            only: only.collect(),
            cascade: revocation.cascade,
        }
    }

    pub(super) fn sign_pending(
        &mut self,
        turn: &mut Turn<'_, '_>,
        text: &str,
    ) -> Result<Proposal, Failure> {
        let text = text.to_ascii_lowercase();
        let mut fits: BTreeMap<ProposalId, (u32, wire::Proposal)> = BTreeMap::new();
        for local in self.taking_part() {
            for proposal in self.waiting_in(turn, local) {
                let id = proposal.id();
                if text.len() >= MIN_ID && id.to_string().starts_with(&text) {
                    fits.insert(id, (local, proposal));
                }
            }
        }
        let ids: Vec<ProposalId> = fits.keys().copied().collect();
        let shown = ids.iter().map(ToString::to_string).collect();
        let none = format!("nothing waits for signatures that begins with {text:?}");
        let id = one(&ids, shown, &none, "`way owners pending`")?;
        let Some((local, proposal)) = fits.remove(&id) else {
            return Err(Failure::new(Code::NotFound, none, ""));
        };
        let signed = self.signed_by_own(turn, local, proposal).ok_or_else(|| {
            let text = "this device has signed it, or is none of those who may";
            Failure::new(
                Code::Refused,
                text,
                "`way owners pending` says who is waited for",
            )
        })?;
        self.hand_in(turn, local, signed)
    }

    /// Takes what this device has signed, passes it on, and says how it stands.
    pub(super) fn hand_in(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        signed: wire::Proposal,
    ) -> Result<Proposal, Failure> {
        let own = self.member(local)?.device.as_ref().map(|key| key.public());
        let full = || {
            let text = "this device has signed as much as may wait for others in this topic";
            Failure::new(Code::Failed, text, "`way owners pending` lists it")
        };
        let (taken, done) = self.take_own(turn, local, signed).ok_or_else(full)?;
        if !done && !own.is_some_and(|own| taken.is_signed_by(&own)) {
            return Err(full());
        }
        self.shown(turn, local, &taken, done).ok_or_else(full)
    }

    /// The topic's own grant, and the state in which its owners give and take together: where it takes several of
    /// them, and this device is one.
    pub(super) fn deciding_together(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
    ) -> Option<(GrantId, ActId)> {
        let keys = self.host.keys.topic(local)?;
        let (root, own) = (*keys.id.as_bytes(), keys.device.as_ref()?.public());
        let (_, member) = self.owning(turn, local)?;
        let now = member.now()?;
        let together = now.form.threshold() > 1 && now.form.has(&own);
        together.then_some((GrantId::from_bytes(root), now.id))
    }

    /// Signs grants and revocations as one of the owners, and hands them to the others.
    pub(super) fn propose_items(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        (under, items): (ActId, Vec<Item>),
    ) -> Result<Proposal, Failure> {
        if !self.are_lawful(local, &items) {
            if self.is_public(local) {
                return Err(all_read());
            }
            let text = "the rules of this topic let nobody give or take that";
            return Err(Failure::new(Code::Refused, text, ""));
        }
        let count = items.len();
        let since = self.router.time(turn.cx);
        let takes = self.owning(turn, local);
        let takes = takes.and_then(|(_, member)| Some(member.now()?.form.threshold()));
        let signatures = count.saturating_mul(takes.unwrap_or(1).into());
        let proposal = wire::Proposal::jointly(since, under, items);
        let Some(proposal) = proposal.filter(|_| signatures <= MAX_INNER_SIGNATURES) else {
            let text = format!(
                "it takes {count} grants and revocations at once, and owners sign at most {MAX_PROPOSED} together, \
                 with at most {MAX_INNER_SIGNATURES} signatures"
            );
            return Err(Failure::new(
                Code::Failed,
                text,
                "take invites back one by one first",
            ));
        };
        let signed = self.signed_by_own(turn, local, proposal).ok_or_else(|| {
            let text = "that stands already, or is not for the owners to decide";
            Failure::new(Code::Refused, text, "`way members` shows who holds what")
        })?;
        self.hand_in(turn, local, signed)
    }

    /// Names with so much of the keys that nobody can call itself as another.
    pub(super) fn told_apart(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        keys: Vec<PublicKey>,
    ) -> String {
        let called = self.called(turn, local, keys).into_iter();
        let called = called.map(|one| {
            let key: String = one.device.chars().take(MIN_KEY).collect();
            format!("{} ({key}…)", one.name)
        });
        called.collect::<Vec<_>>().join(", ")
    }
}

const fn word(right: Named) -> &'static str {
    match right {
        Named::Publish => "publish",
        Named::Read => "read",
        Named::Admit => "admit",
    }
}
