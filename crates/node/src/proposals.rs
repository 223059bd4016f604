//! What several devices of a composition have to sign: proposals, and how they come together.
//!
//! An act that one device alone may not decide, or that seats devices which have to agree, goes from node to node of
//! those who take part, with the signatures that it has so far. Each node keeps it, adds what it hears, and
//! passes on what is new. Whoever is one of the devices concerned and holds all signatures publishes it; that
//! several do is of no harm, since an act stands by its signatures.
//!
//! What does not follow the present state of its composition is dropped. Nothing is kept that no device of that
//! state has signed, so that strangers to a composition cannot fill the rows.

use crate::io::LinkId;
use crate::limits::{MAX_PROPOSALS, MAX_PROPOSALS_HEARD};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::pairing;
use crate::rows::NODE;
use identity::{ActId, EnvelopeId, Id, PublicKey};
use machine::Staged;
use rights::Member;
use std::collections::{BTreeMap, BTreeSet};
use wire::{Act, Frame, Item, Role, TopicFrame};

/// First byte of the key of a row with an act that lacks signatures: `o` ‖ local ‖ act.
const PROPOSED: u8 = b'o';

/// How many proposals were heard on links.
#[derive(Debug, Default)]
pub(crate) struct Proposals {
    heard: BTreeMap<LinkId, u32>,
}

impl Proposals {
    /// A link is gone.
    pub(crate) fn gone(&mut self, link: LinkId) {
        self.heard.remove(&link);
    }

    fn may_hear(&mut self, link: LinkId) -> bool {
        let heard = self.heard.entry(link).or_default();
        *heard = heard.saturating_add(1);
        *heard <= MAX_PROPOSALS_HEARD
    }
}

fn proposed_key(local: u32, act: &ActId) -> Vec<u8> {
    let local = local.to_be_bytes();
    [&[PROPOSED], local.as_slice(), act.as_bytes()].concat()
}

/// The proposals of a topic.
pub(crate) fn proposed(store: &mut Staged<'_>, local: u32) -> Vec<Act> {
    let prefix = [&[PROPOSED], local.to_be_bytes().as_slice()].concat();
    let rows = store.prefix(NODE, &prefix, MAX_PROPOSALS);
    rows.iter()
        .filter_map(|(_, row)| match Item::decode(row) {
            Ok(Item::Act(act)) => Some(act),
            _ => None,
        })
        .collect()
}

/// Whether an act could still follow the present state: some device of that has signed it, and nobody whose
/// signature would spoil it.
fn follows(member: &Member, act: &Act) -> bool {
    let Some(now) = member.now() else {
        return false;
    };
    let signers = act.signers(Role::Signer);
    let new: BTreeSet<PublicKey> = act.form.beyond(&now.form).collect();
    now.id == act.previous
        && member.next_number() == act.number
        && !signers.is_empty()
        && signers.iter().all(|signer| now.form.has(signer))
        && act.signers(Role::New).is_subset(&new)
}

impl Inner {
    /// What stands of the composition of an act, if the act may follow it.
    pub(crate) fn followed_by(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        act: &Act,
    ) -> Option<Member> {
        let member = self.member_of(turn, local, act.composition)?;
        follows(&member, act).then_some(member)
    }

    /// What stands of a composition.
    pub(crate) fn member_of(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        composition: Id,
    ) -> Option<Member> {
        look(&mut self.topics, turn.cx, local, |lace, store| {
            pairing::member(lace, store, composition)
        })
        .flatten()
    }

    /// A peer tells an act with the signatures that it has heard of.
    pub(crate) fn on_proposal(
        &mut self,
        turn: &mut Turn<'_, '_>,
        link: LinkId,
        local: u32,
        act: Act,
    ) {
        let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) else {
            return;
        };
        if !self.proposals.may_hear(link) || act.verify(topic).is_err() {
            return;
        }
        self.take_proposal(turn, local, act, Some(link));
    }

    /// Adds an act, or what is new of its signatures. Gives it as it is known now, and whether this node has
    /// published it.
    pub(crate) fn take_proposal(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        act: Act,
        from: Option<LinkId>,
    ) -> Option<(Act, bool)> {
        let member = self.followed_by(turn, local, &act)?;
        let now = member.now()?;
        let key = proposed_key(local, &act.id());
        let known = turn.cx.store.get(NODE, &key);
        let known = known.and_then(|row| match Item::decode(&row) {
            Ok(Item::Act(act)) => Some(act),
            _ => None,
        });
        let mut merged = known.clone().unwrap_or_else(|| act.clone());
        for signature in &act.signatures {
            let has = |one: &&wire::ActSignature| one.device == signature.device;
            if merged.signatures.iter().find(has).is_none() {
                merged.signatures.push(*signature);
            }
        }
        merged.signatures.sort_unstable_by_key(|one| one.device);
        if known.is_some_and(|known| known == merged) {
            return Some((merged, false));
        }
        let all = proposed(&mut turn.cx.store, local);
        let is_new = all.iter().all(|one| one.id() != merged.id());
        if is_new && all.len() >= MAX_PROPOSALS {
            return None;
        }
        let item = Item::Act(merged.clone());
        turn.cx.store.put(NODE, key, item.encode());
        self.pass_proposal(turn, local, &merged, from);
        let complete = merged.is_signed_from(&now.form);
        let published = complete && self.publish_proposal(turn, local, &merged, &member);
        Some((merged, published))
    }

    /// Tells a proposal to all who have proved the topic.
    fn pass_proposal(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        act: &Act,
        but: Option<LinkId>,
    ) {
        let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) else {
            return;
        };
        let links = self.links.iter();
        let links = links.filter(|(link, it)| it.proven.contains(&local) && Some(**link) != but);
        let links: Vec<LinkId> = links.map(|(link, _)| *link).collect();
        for link in links {
            let frame = TopicFrame::Proposal(act.clone());
            turn.send(link, &Frame::Topic { topic, frame });
        }
    }

    /// A peer has proved a topic: it is told what waits for signatures there.
    pub(crate) fn tell_proposals(&mut self, turn: &mut Turn<'_, '_>, link: LinkId, local: u32) {
        let Some(topic) = self.host.keys.topic(local).map(|keys| keys.id) else {
            return;
        };
        for act in proposed(&mut turn.cx.store, local) {
            let frame = TopicFrame::Proposal(act);
            turn.send(link, &Frame::Topic { topic, frame });
        }
    }

    /// All signatures are here: publishes the act, where this device is one of those concerned.
    fn publish_proposal(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        act: &Act,
        member: &Member,
    ) -> bool {
        let keys = self.host.keys.topic(local);
        let own = keys.and_then(|keys| Some(keys.device.as_ref()?.public()));
        let concerned =
            |key: &PublicKey| act.form.has(key) || member.now().is_some_and(|it| it.form.has(key));
        if !own.as_ref().is_some_and(concerned) {
            return false;
        }
        let cut: BTreeSet<EnvelopeId> = act.cut.iter().copied().collect();
        let said = self.say_items(turn, local, vec![Item::Act(act.clone())], &cut);
        match said {
            Ok(()) => {
                turn.cx.store.delete(NODE, proposed_key(local, &act.id()));
                if !cut.is_empty() {
                    self.renew_epoch(turn, local);
                }
                true
            }
            Err(why) => {
                let text = format!(
                    "an act that is signed by all cannot be published: {}",
                    why.message
                );
                let hint =
                    "whoever is removed by it may have written on meanwhile; propose it anew";
                self.problems.note("act", text, hint);
                false
            }
        }
    }

    /// What stands has changed: drops what can follow no more.
    pub(crate) fn drop_proposals(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        for act in proposed(&mut turn.cx.store, local) {
            if self.followed_by(turn, local, &act).is_none() {
                turn.cx.store.delete(NODE, proposed_key(local, &act.id()));
            }
        }
    }

    /// Signs a proposal as this device, as one that decides or as one that is new. Nothing if it is neither,
    /// or has signed.
    pub(crate) fn signed_by_own(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        mut act: Act,
    ) -> Option<Act> {
        let member = self.followed_by(turn, local, &act)?;
        let keys = self.host.keys.topic(local)?;
        let (topic, device) = (keys.id, keys.device.as_ref()?);
        let key = device.public();
        let role = if member.now()?.form.has(&key) {
            Role::Signer
        } else if act.form.has(&key) {
            Role::New
        } else {
            return None;
        };
        if act.signers(role).contains(&key) {
            return None;
        }
        act.sign(topic, device, role);
        Some(act)
    }
}
