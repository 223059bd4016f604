//! Acts that compete: devices have changed a member's devices at once, as when each of two has removed the other.
//!
//! Which of them counts the law of the topic says: the one that somebody above has countersigned, then the one that
//! more of the member's devices have signed, then that of the most senior. So another device of the member decides
//! with its signature, and where a tie could be the thief's, whoever gave the member its rights.

use super::devices::{ACTS, MIN_KEY};
use super::names::one;
use super::owners::keys_of;
use crate::command::devices::{Branch, Choice, DeviceReply};
use crate::command::{Code, Failure, Reply};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::pairing;
use identity::{ActId, EnvelopeId, Form, Id, PublicKey};
use rights::Member;
use std::collections::{BTreeMap, BTreeSet};
use wire::{Act, Item, Role};

/// An act that follows a state beside others.
struct Rival {
    act: Act,
    carrier: EnvelopeId,
    /// The form that it changes.
    before: Form,
    own: bool,
    counts: bool,
    may: Choice,
}

impl Inner {
    /// `way device branches`.
    pub(super) fn branches(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: Option<&str>,
    ) -> Result<Reply, Failure> {
        let locals = match topic {
            Some(topic) => vec![self.find_topic(topic)?],
            None => self.taking_part(),
        };
        let mut all = Vec::new();
        for local in locals {
            for rival in self.rivals(turn, local) {
                all.extend(self.branch(turn, local, &rival));
            }
        }
        Ok(Reply::Device(DeviceReply::Branches(all)))
    }

    fn branch(&mut self, turn: &mut Turn<'_, '_>, local: u32, rival: &Rival) -> Option<Branch> {
        let mut called = |keys: BTreeSet<PublicKey>| {
            let called = self.called(turn, local, keys.into_iter().collect());
            called.into_iter().map(|one| one.name).collect()
        };
        let (before, act) = (&rival.before, &rival.act);
        let (adds, removes) = (
            called(act.form.beyond(before).collect()),
            called(before.beyond(&act.form).collect()),
        );
        let signed = called(act.signers(Role::Signer));
        let keys = self.host.keys.topic(local)?;
        Some(Branch {
            topic: keys.id,
            name: keys.row.name.clone(),
            member: act.composition.to_string(),
            own: rival.own,
            act: act.id().to_string(),
            counts: rival.counts,
            adds,
            removes,
            signed,
            may: rival.may,
        })
    }

    /// The acts of a topic that compete, those of one state beside one another, that which counts first.
    fn rivals(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Vec<Rival> {
        let mine = self.own_member(turn, local);
        let keys = self.host.keys.topic(local);
        let Some(own) = keys.and_then(|keys| Some(keys.device.as_ref()?.public())) else {
            return Vec::new();
        };
        look(&mut self.topics, turn.cx, local, |lace, store| {
            let mut acts: BTreeMap<ActId, (Act, EnvelopeId)> = BTreeMap::new();
            for fact in lace.ends(store, ACTS) {
                let Item::Act(act) = &fact.what else {
                    continue;
                };
                let known = acts.entry(act.id());
                let (known, _) = known.or_insert_with(|| (act.clone(), fact.carrier));
                // The signatures of all carriers count together.
                for signature in &act.signatures {
                    let has = known
                        .signatures
                        .iter()
                        .any(|it| it.device == signature.device);
                    if !has {
                        known.signatures.push(*signature);
                    }
                }
                known.signatures.sort_unstable_by_key(|it| it.device);
            }
            let mut follow: BTreeMap<(Id, ActId), Vec<ActId>> = BTreeMap::new();
            for (id, (act, _)) in &acts {
                follow
                    .entry((act.composition, act.previous))
                    .or_default()
                    .push(*id);
            }
            let mut rivals = Vec::new();
            for ((composition, state), ids) in follow {
                if ids.len() < 2 {
                    continue;
                }
                let Some(member) = pairing::member(lace, store, composition) else {
                    continue;
                };
                let mut states = member.states.iter();
                let Some(before) = states.find(|it| it.id == state).map(|it| it.form.clone())
                else {
                    continue;
                };
                let taken = states.next().map(|it| it.id);
                let above = mine
                    .as_ref()
                    .is_some_and(|mine| is_above(&mine.id, &mine.member, &member));
                let mut of_state: Vec<Rival> = ids
                    .into_iter()
                    .filter_map(|id| Some((id, acts.remove(&id)?)))
                    .map(|(id, (act, carrier))| Rival {
                        may: may(&act, &before, &own, above),
                        before: before.clone(),
                        own: mine.as_ref().is_some_and(|mine| mine.id == composition),
                        counts: taken == Some(id),
                        act,
                        carrier,
                    })
                    .collect();
                of_state.sort_by_key(|rival| !rival.counts);
                rivals.extend(of_state);
            }
            rivals
        })
        .unwrap_or_default()
    }

    /// `way device choose`.
    pub(super) fn choose(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: &str,
        text: &str,
    ) -> Result<Reply, Failure> {
        let local = self.find_topic(topic)?;
        let keys = self.member(local)?;
        let (topic, device) = (keys.id, keys.device.clone());
        let text = text.to_ascii_lowercase();
        let mut rivals = self.rivals(turn, local);
        let fits =
            |rival: &Rival| text.len() >= MIN_KEY && rival.act.id().to_string().starts_with(&text);
        rivals.retain(fits);
        let ids: Vec<ActId> = rivals.iter().map(|rival| rival.act.id()).collect();
        let shown = ids.iter().map(ToString::to_string).collect();
        let none = format!("no act of this topic that competes with another begins with {text:?}");
        let id = one(&ids, shown, &none, "`way device branches`")?;
        let refused = || {
            Failure::new(
                Code::Refused,
                "only another device of that member which keeps its seat, or who stands above it, decides that",
                "`way device branches` says what this device can do",
            )
        };
        let rival = rivals.pop().ok_or_else(refused)?;
        let mut act = rival.act;
        let item = match rival.may {
            Choice::Nothing => return Err(refused()),
            Choice::Countersign => Item::Countersign(id),
            Choice::Sign => {
                act.sign(topic, &device.ok_or_else(refused)?, Role::Signer);
                Item::Act(act)
            }
        };
        // Whoever carries it has perhaps no seat, and is not named otherwise.
        self.say_items(turn, local, vec![item], &BTreeSet::from([rival.carrier]))?;
        let again = self.rivals(turn, local);
        let counts = again.iter().any(|it| it.counts && it.act.id() == id);
        Ok(Reply::Device(DeviceReply::Chosen {
            act: id.to_string(),
            countersigned: rival.may == Choice::Countersign,
            counts,
        }))
    }
}

fn is_above(id: &Id, own: &Member, of: &Member) -> bool {
    of.above.contains(id) && own.depth < of.depth
}

/// What a device can do for an act: it decides from above; or it was of those who decide, stays, and has not signed.
fn may(act: &Act, before: &Form, own: &PublicKey, above: bool) -> Choice {
    if above {
        return Choice::Countersign;
    }
    let decides = before.has(own) && keys_of(&act.form).contains(own);
    if decides && !act.signers(Role::Signer).contains(own) {
        Choice::Sign
    } else {
        Choice::Nothing
    }
}
