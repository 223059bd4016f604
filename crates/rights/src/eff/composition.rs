//! Compositions: their states, and what they sign together.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use identity::{ActId, PublicKey};

use super::Work;
use super::effect::{Member, Reach, State, Verdict};
use super::facts::{Act, Class, Facts, Joint, What};
use super::held::At;
use super::index::{ActRow, GrantNo, MemberNo};

/// How strong the claim of an act is; the least is taken. Who countersigned it counts first, by its
/// depth; then the number of signers, the seat of the most senior one, and the id.
type Weight = (u32, Reverse<usize>, (usize, PublicKey), ActId);

/// The number of the state since which each device has had its seat without a break.
type Since = BTreeMap<PublicKey, usize>;

/// An act that may follow a state, with a fact that carries it.
struct Candidate<'a> {
    fact: At,
    act: &'a Act,
    signers: BTreeSet<PublicKey>,
}

impl<'a> Work<'a> {
    /// Gives every composition its place at the first grant of it that stands, finds its state, and
    /// which authors under grants of this depth have lost their seats.
    pub(super) fn seat(&mut self, level: &[GrantNo], depth: u32) {
        let mut placed = Vec::new();
        for grant in level {
            let holder = self.index.edges[*grant].holder;
            let Some(holder) = holder.filter(|_| self.standing[*grant].born) else {
                continue;
            };
            if let Some(member) = &mut self.members[holder] {
                // Several grants of its least depth: those above any of them may countersign.
                if member.depth == depth {
                    let above = self.index.above(*grant);
                    member.above.extend(above.map(|it| self.index.members[it]));
                }
                continue;
            }
            if let Some(form) = self.forms[holder] {
                let first = State {
                    // As `Form::first_state`, which would hash the form once more.
                    id: ActId::from_bytes(*self.index.members[holder].as_bytes()),
                    by: None,
                    form: form.clone(),
                };
                let above = self.index.above(*grant);
                self.members[holder] = Some(Member {
                    place: self.index.edges[*grant].id,
                    depth,
                    above: above.map(|it| self.index.members[it]).collect(),
                    states: vec![first],
                });
                placed.push(holder);
            }
        }
        for member in placed {
            self.go_through(member);
        }
        for grant in level {
            if self.standing[*grant].born {
                self.unseat(*grant);
            }
        }
    }

    /// From state to state by the best act that follows.
    fn go_through(&mut self, no: MemberNo) {
        let Some(mut member) = self.members[no].take() else {
            return;
        };
        let keys = |state: &State| state.form.devices().to_vec();
        let mut since = Since::new();
        if let Some(first) = member.now() {
            since.extend(keys(first).iter().map(|device| (device.key, 0)));
        }
        while let Some(next) = self.following(no, &member, &since) {
            let place = member.states.len();
            let seats = keys(&next).into_iter().map(|device| {
                let kept = since.get(&device.key).copied();
                (device.key, kept.unwrap_or(place))
            });
            let seats: Since = seats.collect();
            for key in since.keys().filter(|key| !seats.contains_key(key)) {
                self.lost.insert((no, *key), next.by);
            }
            since = seats;
            member.states.push(next);
        }
        self.members[no] = Some(member);
    }

    /// Finds the authors under a grant whose devices have no seat.
    pub(super) fn unseat(&mut self, grant: GrantNo) {
        let Some(holder) = self.index.edges[grant].holder else {
            return;
        };
        for author in self.index.authors.get(grant) {
            let device = &self.index.starts[*author].device;
            let seated = self.members[holder]
                .as_ref()
                .is_some_and(|it| it.seats(device));
            let lost = || self.lost.get(&(holder, *device)).copied().flatten();
            self.removed[*author] = (!seated).then(lost);
        }
    }

    fn following(&self, no: MemberNo, member: &Member, since: &Since) -> Option<State> {
        let now = member.now()?;
        // The first form has the place 0, so that the number of the next act is the length.
        let number = u64::try_from(member.states.len()).ok()?;
        let rows = self.index.following(no, now.id);
        let candidates = rows.filter_map(|row| self.candidate(row, now, number));
        let mut candidates: Vec<Candidate<'a>> = candidates.collect();
        let best = match candidates.len() {
            0 | 1 => candidates.pop(),
            _ => {
                let weight = |it: &Candidate<'_>| self.weight(member, now, since, it);
                candidates.into_iter().min_by_key(weight)
            }
        };
        best.map(|best| State {
            id: best.act.id,
            by: Some(self.held.list[best.fact].no),
            form: best.act.form.clone(),
        })
    }

    /// An act, if it has the number and the signatures that it takes.
    fn candidate(&self, row: &ActRow, now: &State, number: u64) -> Option<Candidate<'a>> {
        let fact = *row.carriers.first()?;
        // The id does not cover the signatures: every carrier may bring some.
        let mut signers = BTreeSet::new();
        for carrier in &row.carriers {
            if let What::Act(act) = &self.held.list[*carrier].what {
                signers.extend(act.signers.iter().copied());
            }
        }
        let What::Act(act) = &self.held.list[fact].what else {
            return None;
        };
        let new_signed = act.form.beyond(&now.form).all(|key| signers.contains(&key));
        let legal = act.number == number && new_signed && now.form.is_signed_by(&signers);
        legal.then_some(Candidate { fact, act, signers })
    }

    fn weight(&self, member: &Member, now: &State, since: &Since, of: &Candidate<'_>) -> Weight {
        let signers = of.signers.iter().filter(|key| now.form.has(key));
        // Seats of equal age come in the order of the form.
        let since = |key| since.get(key).copied().unwrap_or(usize::MAX);
        let senior = signers.clone().map(|key| (since(key), *key)).min();
        let nobody = (usize::MAX, PublicKey::from_bytes([0xff; 32]));
        (
            self.countersigned(member, of.act.id),
            Reverse(signers.count()),
            senior.unwrap_or(nobody),
            of.act.id,
        )
    }

    /// The least depth of an author above the composition that is for this act. A fork takes
    /// nothing from it: a countersignature takes nothing from anybody, it decides between two that
    /// may.
    fn countersigned(&self, member: &Member, act: ActId) -> u32 {
        let depths = self.index.countersigns(act).filter_map(|at| {
            let by = self.index.member_of(at)?;
            let depth = self.index.depth(at)?;
            let above = member.above.contains(&self.index.members[by]);
            (depth < member.depth && above && self.is_inside(at)).then_some(depth)
        });
        depths.min().unwrap_or(u32::MAX)
    }

    /// Whether an item that a composition signed stands by these signatures: they are enough in its
    /// newest state; or they were enough in the state that it names, and whoever brought about the
    /// first state in which they are not had the item in its past.
    pub(super) fn stands_jointly(&self, at: At, joint: &Joint) -> bool {
        let by = self.index.member(&joint.by);
        let Some((by, member)) = by.and_then(|by| Some((by, self.members[by].as_ref()?))) else {
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
        let end = later.find(|state| !signed(state));
        let Some((end, act)) = end.and_then(|end| Some((end, self.index.act(&end.id)?))) else {
            return false;
        };
        // Nobody asks before all that they depend on is known, so that they never change.
        let witnesses = act
            .witnesses
            .get_or_init(|| self.witnesses(act, by, member, end));
        let item = self.held.list[at].no;
        let mut carriers = witnesses.iter().map(|it| &self.held.list[*it].carrier);
        carriers.any(|carrier| self.held.in_past(item, carrier))
    }

    /// Who is believed on what came before an act: carriers whose author stands above the
    /// composition, or for a device of it that the act left its seat, and to whom the act is new.
    /// Else the very keys that an act removes could carry it once more, behind what they
    /// back-dated, or wait until somebody else does.
    fn witnesses(&self, act: &ActRow, by: MemberNo, member: &Member, state: &State) -> Vec<At> {
        let first = self.first_carriers(act);
        let believed = first.into_iter().filter(|at| {
            let (Some(author), Some(of), Some(depth)) = (
                self.index.by[*at],
                self.index.member_of(*at),
                self.index.depth(*at),
            ) else {
                return false;
            };
            let seated = state.form.has(&self.index.starts[author].device);
            let own = of == by && seated && depth <= member.depth;
            let above = || depth < member.depth && member.above.contains(&self.index.members[of]);
            (own || above()) && self.bound(*at, Class::Other, Reach::Above) == Verdict::Stands
        });
        believed.collect()
    }

    /// The carriers of an act in whose past is no other one. By generation, a carrier comes after
    /// all in its past, so that it is enough to ask for those that were found.
    fn first_carriers(&self, act: &ActRow) -> Vec<At> {
        let list = &self.held.list;
        let mut carriers = act.carriers.clone();
        carriers.sort_unstable_by_key(|at| (list[*at].generation, list[*at].carrier));
        let mut first: Vec<At> = Vec::new();
        for at in carriers {
            let carrier = &list[at].carrier;
            let told = first.iter().any(|other| {
                list[*other].carrier != *carrier && self.held.in_past(list[*other].no, carrier)
            });
            if !told {
                first.push(at);
            }
        }
        first
    }
}
