//! Compositions: their states, and what they sign together.

use core::cmp::Reverse;
use std::collections::BTreeSet;

use identity::{ActId, GrantId, Id, PublicKey};

use super::effect::{Member, Reach, State, Verdict};
use super::facts::{Fact, Joint, What};
use super::{Class, Work};

/// How strong the claim of an act is; the least is taken. Who countersigned it counts first, by its
/// depth; then the number of signers, the seat of the most senior one, and the id.
type Weight = (u32, Reverse<usize>, (usize, PublicKey), ActId);

impl<'a> Work<'a> {
    /// Gives every composition its place at the first grant of it that stands, and finds its state.
    pub(super) fn seat(&mut self, level: &[GrantId], depth: u32) {
        for grant in level {
            let edge = self.index.edge(grant);
            let born = self.effect.grants.get(grant).is_some_and(|it| it.born);
            let Some(holder) = edge.and_then(|edge| edge.holder).filter(|_| born) else {
                continue;
            };
            let known = self.effect.members.get_mut(&holder);
            if let (Some(member), Some(edge)) = (known, self.index.edge(grant)) {
                // Several grants of its least depth: those above any of them may countersign.
                if member.depth == depth {
                    member.above.extend(&edge.above);
                }
                continue;
            }
            if let (Some(form), Some(edge)) = (self.index.forms.get(&holder), edge) {
                let first = State {
                    id: form.first_state(),
                    by: None,
                    form: (*form).clone(),
                };
                let member = Member {
                    place: *grant,
                    depth,
                    above: edge.above.clone(),
                    states: vec![first],
                };
                self.effect.members.insert(holder, member);
            }
        }
        let members = self.effect.members.iter();
        let placed = members.filter(|(_, member)| member.depth == depth);
        let placed: Vec<Id> = placed.map(|(id, _)| *id).collect();
        for member in placed {
            self.go_through(member);
        }
    }

    /// From state to state by the best act that follows.
    fn go_through(&mut self, id: Id) {
        while let Some(member) = self.effect.members.get(&id) {
            let Some(next) = self.following(id, member) else {
                break;
            };
            if let Some(member) = self.effect.members.get_mut(&id) {
                member.states.push(next);
            }
        }
    }

    fn following(&self, id: Id, member: &Member) -> Option<State> {
        let now = member.now()?;
        // The first form has the place 0, so that the number of the next act is the length.
        let number = u64::try_from(member.states.len()).ok()?;
        let candidates = self.index.next.get(&(id, now.id))?.iter();
        let acts = candidates.filter_map(|act| {
            let carriers = self.index.acts.get(act)?;
            let first = carriers
                .iter()
                .min_by_key(|fact| (fact.carrier, fact.index))?;
            let What::Act(act) = &first.what else {
                return None;
            };
            // The id does not cover the signatures: every carrier may bring some.
            let mut signers = BTreeSet::new();
            for carrier in carriers {
                if let What::Act(act) = &carrier.what {
                    signers.extend(act.signers.iter().copied());
                }
            }
            let new_signed = act.form.beyond(&now.form).all(|key| signers.contains(&key));
            let legal = act.number == number && new_signed && now.form.is_signed_by(&signers);
            legal.then_some((*first, act, signers))
        });
        let best = acts.min_by_key(|(_, act, signers)| self.weight(member, now, act.id, signers));
        best.map(|(fact, act, _)| State {
            id: act.id,
            by: Some(fact.no),
            form: act.form.clone(),
        })
    }

    fn weight(
        &self,
        member: &Member,
        now: &State,
        act: ActId,
        signers: &BTreeSet<PublicKey>,
    ) -> Weight {
        let signers = signers.iter().filter(|key| now.form.has(key));
        // Seats of equal age come in the order of the form.
        let senior = signers.clone().map(|key| (member.since(key), *key)).min();
        let nobody = (usize::MAX, PublicKey::from_bytes([0xff; 32]));
        (
            self.countersigned(member, act),
            Reverse(signers.count()),
            senior.unwrap_or(nobody),
            act,
        )
    }

    /// The least depth of an author above the composition that is for this act. A fork takes
    /// nothing from it: a countersignature takes nothing from anybody, it decides between two that
    /// may.
    fn countersigned(&self, member: &Member, act: ActId) -> u32 {
        let facts = self.index.countersigns.get(&act).into_iter().flatten();
        let depths = facts.filter_map(|fact| {
            let by = self.index.member(fact.author)?;
            let depth = self.index.depth(fact.author)?;
            let above = depth < member.depth && member.above.contains(&by);
            (above && self.is_inside(fact)).then_some(depth)
        });
        depths.min().unwrap_or(u32::MAX)
    }

    /// Whether an item that a composition signed stands by these signatures: they are enough in its
    /// newest state; or they were enough in the state that it names, and whoever brought about the
    /// first state in which they are not had the item in its past.
    pub(super) fn stands_jointly(&self, fact: &Fact, joint: &Joint) -> bool {
        let Some(member) = self.effect.members.get(&joint.by) else {
            return false;
        };
        let signed = |state: &State| state.form.is_signed_by(&joint.signers);
        if member.now().is_some_and(signed) {
            return true;
        }
        let mut later = member.states.iter();
        match later.find(|state| state.id == joint.under) {
            Some(state) if signed(state) => {}
            _ => return false,
        }
        let Some(end) = later.find(|state| !signed(state)) else {
            return false;
        };
        let carriers = self.index.acts.get(&end.id).into_iter().flatten();
        carriers
            .filter(|carrier| self.is_witness(carrier, joint.by, member, end))
            .any(|carrier| self.facts.in_past(fact.no, &carrier.carrier))
    }

    /// Whether the carrier of an act is believed on what came before the act: its author stands
    /// above the composition, or for a device of it that the act left its seat, and the act is new
    /// to it. Else the very keys that an act removes could carry it once more, behind what they
    /// back-dated, or wait until somebody else does.
    fn is_witness(&self, carrier: &Fact, by: Id, member: &Member, state: &State) -> bool {
        let (Some(seat), Some(of), Some(depth)) = (
            self.effect.authors.get(&carrier.author),
            self.index.member(carrier.author),
            self.index.depth(carrier.author),
        ) else {
            return false;
        };
        let own = of == by && state.form.has(&seat.device) && depth <= member.depth;
        let above = member.above.contains(&of) && depth < member.depth;
        let spot = carrier.spot();
        let bound = self
            .effect
            .bound(self.facts, &spot, Class::Other, Reach::Above);
        let mut others = self.index.acts.get(&state.id).into_iter().flatten();
        let is_new = !others.any(|other| {
            other.carrier != carrier.carrier && self.facts.in_past(other.no, &carrier.carrier)
        });
        (own || above) && is_new && bound == Verdict::Stands
    }
}
