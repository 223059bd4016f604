//! What the owners of a topic have to sign together: proposals, and how they come together.
//!
//! Who the owners are, and where it takes several of them also what they give and take, goes from node to
//! node of those who take part, with the signatures that it has so far. Each node keeps it, adds what it hears,
//! and passes on what is new. Whoever has the last signature publishes it; that several do is of no harm, since
//! acts and what is signed jointly stand by their signatures.
//!
//! A node keeps only what the present owners may decide and one of them has signed. Each of them has so many
//! places, whatever the others do, so that neither strangers nor one owner can fill the room of the others. What
//! is not signed in time is dropped; what may have been lost, or came to somebody who could not follow it
//! yet, is told again.

use crate::io::LinkId;
use crate::limits::{
    MAX_CUT_NAMED, MAX_PROPOSALS, MAX_PROPOSALS_HEARD, MAX_SIGNED_PROPOSALS, PROPOSAL_MS,
    PROPOSALS_AGAIN, PROPOSALS_AGAIN_MAX, PROPOSALS_HEARD_IN,
};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::pairing;
use crate::proof::Link;
use crate::rows::NODE;
use crate::timer::Timer;
use identity::{EnvelopeId, GrantId, Id, ProposalId, PublicKey};
use lace::Lace;
use machine::{Staged, Time};
use rights::Member;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use wire::limits::MAX_INNER_SIGNATURES;
use wire::{Act, Frame, Item, Proposal, Role, TopicFrame};

/// First byte of the key of a row with a proposal: `o` ‖ local ‖ proposal.
const PROPOSED: u8 = b'o';

/// Facts that are looked through for a revocation that has been published, the newest.
const ENDS: usize = 1_024;

/// What links have brought, and when is told again what waits.
#[derive(Debug, Default)]
pub(crate) struct Proposals {
    heard: BTreeMap<LinkId, Heard>,
    /// How long after the last time.
    again: Duration,
}

/// Proposals with something new that a link has brought since a moment.
#[derive(Debug)]
struct Heard {
    since: Time,
    count: u32,
}

impl Proposals {
    /// A link is gone.
    pub(crate) fn gone(&mut self, link: LinkId) {
        self.heard.remove(&link);
    }

    fn may_hear(&mut self, link: LinkId, now: Time) -> bool {
        let new = || Heard {
            since: now,
            count: 0,
        };
        let heard = self.heard.entry(link).or_insert_with(new);
        if now.since(heard.since) >= PROPOSALS_HEARD_IN {
            *heard = new();
        }
        heard.count = heard.count.saturating_add(1);
        heard.count <= MAX_PROPOSALS_HEARD
    }
}

fn proposed_key(local: u32, id: &ProposalId) -> Vec<u8> {
    let local = local.to_be_bytes();
    [&[PROPOSED], local.as_slice(), id.as_bytes()].concat()
}

/// The proposals of a topic.
pub(crate) fn proposed(store: &mut Staged<'_>, local: u32) -> Vec<Proposal> {
    let prefix = [&[PROPOSED], local.to_be_bytes().as_slice()].concat();
    let rows = store.prefix(NODE, &prefix, MAX_PROPOSALS);
    let read = rows.iter().map(|(_, row)| Proposal::decode(row));
    read.filter_map(Result::ok).collect()
}

/// Whether an act could still follow the present state, and nobody is said to be new who is not.
fn follows(member: &Member, act: &Act) -> bool {
    let Some(now) = member.now() else {
        return false;
    };
    let new: BTreeSet<PublicKey> = act.form.beyond(&now.form).collect();
    now.id == act.previous
        && member.next_number() == act.number
        && act.signers(Role::New).is_subset(&new)
}

/// Whether a topic's owners could give and take these together, and have not all of it yet: out of the topic's
/// own grant, and what stands below it.
fn is_theirs(lace: &Lace, store: &mut Staged<'_>, items: &[Item]) -> bool {
    let root = GrantId::from_bytes(*lace.id().as_bytes());
    let effect = lace.held_effect(store);
    let sound = items.iter().all(|item| match item {
        Item::Grant(grant) => {
            grant.parent == root && grant.form.is_some() && grant.welcomes.is_none()
        }
        Item::Revocation(it) => it.grant != root && effect.grants.contains_key(&it.grant),
        _ => false,
    });
    let cut: BTreeSet<EnvelopeId> = items.iter().flat_map(cut_of).copied().collect();
    sound && cut.len() <= MAX_CUT_NAMED && !unsaid(lace, store, items).is_empty()
}

/// Those that no envelope here carries.
fn unsaid(lace: &Lace, store: &mut Staged<'_>, items: &[Item]) -> Vec<Item> {
    let ends: BTreeSet<GrantId> = lace
        .ends(store, ENDS)
        .iter()
        .map(|fact| fact.item)
        .collect();
    let is_said = |item: &Item, store: &mut Staged<'_>| match item {
        Item::Grant(_) => !lace
            .facts(store, |facts| facts.issued(&item.id()))
            .is_empty(),
        _ => ends.contains(&item.id()),
    };
    let items = items.iter().filter(|item| !is_said(item, store));
    items.cloned().collect()
}

fn cut_of(item: &Item) -> &[EnvelopeId] {
    match item {
        Item::Act(act) => &act.cut,
        Item::Revocation(revocation) => &revocation.cut,
        _ => &[],
    }
}

/// Whether all have signed who must.
fn is_complete(member: &Member, proposal: &Proposal) -> bool {
    let Some(now) = member.now() else {
        return false;
    };
    match proposal.as_act() {
        Some(act) => act.is_signed_from(&now.form),
        None => now.form.is_signed_by(&proposal.signers(Role::Signer)),
    }
}

/// What is signed jointly, with no more signatures than it takes: each of them is checked by everybody who is shown it.
fn with_enough(member: &Member, proposal: Proposal) -> Proposal {
    let form = member.now().map(|now| &now.form);
    let Some(form) = form.filter(|_| proposal.as_act().is_none()) else {
        return proposal;
    };
    let mut enough = BTreeSet::new();
    for signer in proposal.signers(Role::Signer) {
        if !form.is_signed_by(&enough) {
            enough.insert(signer);
        }
    }
    proposal.signed_by_those(|device| enough.contains(device))
}

impl Inner {
    /// The composition that owns a topic, as it stands.
    pub(crate) fn owning(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Option<(Id, Member)> {
        let id = self.host.keys.topic(local)?.genesis.root.member();
        let member = look(&mut self.topics, turn.cx, local, |lace, store| {
            pairing::member(lace, store, id)
        });
        Some((id, member.flatten()?))
    }

    /// The owners, if something is for them to decide and waits for it.
    fn deciding(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        proposal: &Proposal,
    ) -> Option<Member> {
        let (id, member) = self.owning(turn, local)?;
        let open = self.is_open(turn, local, (id, &member), proposal);
        open.then_some(member)
    }

    /// Whether something is for the owners to decide as they stand, waits for it, and nobody else has signed to
    /// decide.
    fn is_open(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        (id, member): (Id, &Member),
        proposal: &Proposal,
    ) -> bool {
        let Some(now) = member.now() else {
            return false;
        };
        let signers = proposal.signers(Role::Signer);
        if !signers.iter().all(|signer| now.form.has(signer)) {
            return false;
        }
        if let Some(act) = proposal.as_act() {
            return act.composition == id && follows(member, act);
        }
        let items = proposal.items();
        if !self.are_lawful(local, items) {
            return false;
        }
        let signatures = items.len().saturating_mul(now.form.threshold().into());
        proposal.under() == Some(now.id)
            && now.form.threshold() > 1
            && signatures <= MAX_INNER_SIGNATURES
            && look(&mut self.topics, turn.cx, local, |lace, store| {
                is_theirs(lace, store, items)
            })
            .unwrap_or(false)
    }

    /// Whether the rules of a topic let anybody say these at all.
    pub(crate) fn are_lawful(&self, local: u32, items: &[Item]) -> bool {
        let keys = self.host.keys.topic(local);
        keys.is_some_and(|keys| {
            let mut items = items.iter();
            items.all(|item| self.rules.speaks_of(&keys.genesis, item))
        })
    }

    /// A peer tells a proposal with the signatures that it has heard of.
    pub(crate) fn on_proposal(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        local: u32,
        mut proposal: Proposal,
    ) {
        let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) else {
            return;
        };
        if let Some(known) = self.known_proposal(turn, local, &proposal.id()) {
            proposal = proposal.signed_by_those(|device| !known.is_signed_by(device));
        }
        let says = [Role::Signer, Role::New];
        if says.iter().all(|role| proposal.signers(*role).is_empty())
            || !self.proposals.may_hear(link, turn.cx.now)
        {
            return;
        }
        let member = self.deciding(turn, local, &proposal);
        if let Some(member) = member.filter(|_| proposal.verify(topic).is_ok()) {
            self.take_proposal(turn, local, (proposal, &member), Some(link));
        }
    }

    fn known_proposal(
        &self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        id: &ProposalId,
    ) -> Option<Proposal> {
        let row = turn.cx.store.get(NODE, &proposed_key(local, id))?;
        Proposal::decode(&row).ok()
    }

    /// Takes what this device has signed. Gives it as it is known now, and whether this node has published it;
    /// nothing where it is not the owners' to decide, or has no place.
    pub(crate) fn take_own(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        proposal: Proposal,
    ) -> Option<(Proposal, bool)> {
        let member = self.deciding(turn, local, &proposal)?;
        self.take_proposal(turn, local, (proposal, &member), None)
    }

    /// Adds a proposal that is for these owners to decide, or what is new of its signatures, which have been
    /// verified.
    fn take_proposal(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        (mut proposal, member): (Proposal, &Member),
        from: Option<LinkId>,
    ) -> Option<(Proposal, bool)> {
        let id = proposal.id();
        let time = self.router.time(turn.cx);
        proposal.since = proposal.since.min(time);
        if self.is_too_old(turn, &proposal) {
            return None;
        }
        let known = self.known_proposal(turn, local, &id);
        let mut others = proposed(&mut turn.cx.store, local);
        others.retain(|other| other.id() != id);
        let new = proposal.signers(Role::New);
        let signs = |device: &PublicKey| {
            let signed = others.iter().map(|other| other.signers(Role::Signer));
            signed.filter(|signers| signers.contains(device)).count()
        };
        let fresh = proposal
            .signed_by_those(|device| new.contains(device) || signs(device) < MAX_SIGNED_PROPOSALS);
        let merged = match &known {
            Some(known) => {
                let mut merged = known.clone();
                merged.add(&fresh);
                merged
            }
            None => fresh,
        };
        let complete = is_complete(member, &merged);
        let merged = if complete {
            with_enough(member, merged)
        } else {
            merged
        };
        if merged.signers(Role::Signer).is_empty()
            || !merged.fits()
            || (known.is_none() && others.len() >= MAX_PROPOSALS)
        {
            return None;
        }
        if known.is_some_and(|known| known == merged) {
            return Some((merged, false));
        }
        let key = proposed_key(local, &id);
        turn.cx.store.put(NODE, key, merged.encode());
        if complete && self.publish_proposal(turn, local, &merged, member) {
            return Some((merged, true));
        }
        self.pass_proposal(turn, local, &merged, from);
        self.proposals.again = PROPOSALS_AGAIN;
        let again = turn.cx.now.after(PROPOSALS_AGAIN);
        self.timers.set_earlier(Timer::Proposals, again);
        Some((merged, false))
    }

    /// Whether it has waited for longer than anything does. No clock that nobody has confirmed decides that.
    fn is_too_old(&self, turn: &Turn<'_, '_>, proposal: &Proposal) -> bool {
        let over = proposal.since.saturating_add(PROPOSAL_MS);
        self.router.clock_confirmed() && over <= turn.cx.wall.as_millis()
    }

    /// Tells a proposal to all who take part in the topic. Who only reads it hears of what is decided.
    fn pass_proposal(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        proposal: &Proposal,
        but: Option<LinkId>,
    ) {
        let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) else {
            return;
        };
        let links = self.links.iter();
        let takes_part = |it: &Link| it.proven.contains(&local) && !it.readers.contains_key(&local);
        let links = links.filter(|(link, it)| takes_part(it) && Some(**link) != but);
        let links: Vec<LinkId> = links.map(|(link, _)| *link).collect();
        for link in links {
            let frame = TopicFrame::Proposal(proposal.clone());
            turn.send(link, &Frame::Topic { topic, frame });
        }
    }

    /// A peer has proved a topic: it is told what waits for signatures there.
    pub(crate) fn tell_proposals(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, local: u32) {
        let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) else {
            return;
        };
        for proposal in proposed(&mut turn.cx.store, local) {
            let frame = TopicFrame::Proposal(proposal);
            turn.send(link, &Frame::Topic { topic, frame });
        }
    }

    /// After a restart: what waits is told again.
    pub(crate) fn open_proposals(&mut self, turn: &mut Turn<'_, '_>) {
        if !turn.cx.store.prefix(NODE, &[PROPOSED], 1).is_empty() {
            self.proposals.again = PROPOSALS_AGAIN;
            let again = turn.cx.now.after(PROPOSALS_AGAIN);
            self.timers.set_earlier(Timer::Proposals, again);
        }
    }

    /// What waits is told once more, ever more seldom, by the nodes of those who decide or are concerned: it came to
    /// somebody, perhaps, who could not follow it yet. What has waited for too long is dropped.
    pub(crate) fn proposals_due(&mut self, turn: &mut Turn<'_, '_>) {
        let locals: Vec<u32> = self.host.keys.topics().map(|(local, _)| local).collect();
        let mut any = false;
        for local in locals {
            self.drop_proposals(turn, local);
            let all = proposed(&mut turn.cx.store, local);
            let owning = (!all.is_empty()).then(|| self.owning(turn, local));
            let Some((_, member)) = owning.flatten() else {
                continue;
            };
            any = true;
            for proposal in all {
                if !self.concerns_own(local, &member, &proposal) {
                    continue;
                }
                let complete = is_complete(&member, &proposal);
                if !(complete && self.publish_proposal(turn, local, &proposal, &member)) {
                    self.pass_proposal(turn, local, &proposal, None);
                }
            }
        }
        if any {
            let again = self.proposals.again.max(PROPOSALS_AGAIN);
            self.proposals.again = again.saturating_mul(2).min(PROPOSALS_AGAIN_MAX);
            let at = turn.cx.now.after(self.proposals.again);
            self.timers.set_earlier(Timer::Proposals, at);
        }
    }

    /// Whether this device decides on it, or becomes an owner by it.
    fn concerns_own(&self, local: u32, member: &Member, proposal: &Proposal) -> bool {
        let keys = self.host.keys.topic(local);
        let own = keys.and_then(|keys| Some(keys.device.as_ref()?.public()));
        own.is_some_and(|own| {
            member.now().is_some_and(|now| now.form.has(&own))
                || proposal.as_act().is_some_and(|act| act.form.has(&own))
        })
    }

    /// All signatures are here: publishes it, where this device is one of those concerned.
    fn publish_proposal(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        proposal: &Proposal,
        member: &Member,
    ) -> bool {
        if !self.concerns_own(local, member, proposal) {
            return false;
        }
        let items = match proposal.as_act() {
            Some(_) => Some(proposal.items().to_vec()),
            None => look(&mut self.topics, turn.cx, local, |lace, store| {
                unsaid(lace, store, proposal.items())
            }),
        };
        let items = items.unwrap_or_default();
        // All in one envelope: they stand or fall together.
        let cut: BTreeSet<EnvelopeId> = items.iter().flat_map(cut_of).copied().collect();
        if let Err(why) = self.say_items(turn, local, items.clone(), &cut) {
            let text = format!("what is signed by all cannot be published: {}", why.message);
            let hint =
                "whoever loses something by it may have written on meanwhile; propose it anew";
            self.problems.note("proposal", text, hint);
            return false;
        }
        let key = proposed_key(local, &proposal.id());
        turn.cx.store.delete(NODE, key);
        for item in &items {
            if let Item::Grant(grant) = item {
                self.align_epoch(turn, local, &grant.rights);
            }
        }
        let ends = |item: &Item| matches!(item, Item::Revocation(_)) || !cut_of(item).is_empty();
        if items.iter().any(ends) {
            self.renew_epoch(turn, local);
        }
        true
    }

    /// What stands has changed, or time has passed: drops what the owners cannot decide any more.
    pub(crate) fn drop_proposals(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let all = proposed(&mut turn.cx.store, local);
        if all.is_empty() {
            return;
        }
        let owning = self.owning(turn, local);
        for proposal in all {
            let of = owning.as_ref().map(|(id, member)| (*id, member));
            let open = of.is_some_and(|of| self.is_open(turn, local, of, &proposal));
            if !open || self.is_too_old(turn, &proposal) {
                let key = proposed_key(local, &proposal.id());
                turn.cx.store.delete(NODE, key);
            }
        }
    }

    /// Signs a proposal as this device, as one that decides or as one that is new. Nothing if it is neither,
    /// has signed, or there is nothing to decide.
    pub(crate) fn signed_by_own(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        mut proposal: Proposal,
    ) -> Option<Proposal> {
        let member = self.deciding(turn, local, &proposal)?;
        let keys = self.host.keys.topic(local)?;
        let (topic, device) = (keys.id, keys.device.as_ref()?);
        let key = device.public();
        let role = if member.now()?.form.has(&key) {
            Role::Signer
        } else if proposal.as_act()?.form.has(&key) {
            Role::New
        } else {
            return None;
        };
        if proposal.is_signed_by(&key) {
            return None;
        }
        proposal.sign(topic, device, role);
        Some(proposal)
    }
}
