//! Which rights stand: one pure function of a set of control items and of the forks known.
//!
//! [`eff`] goes down the tree of grants from the root. At every depth it asks, in this order:
//! which grants were issued by somebody who stood; which revocations from above end them; what
//! state their holders are in; which later certificates choose among branches; which revocations
//! come from the holders themselves; which closes there are. Each step needs only steps before it,
//! so that nothing can undo what it stands on. The rules and what each is for stand in
//! docs/spec/rights.md.
//!
//! Admission calls it with the facts in an envelope's past and without evidence: what is admissible
//! is blind to forks and the same everywhere (docs/decisions/0017-fork-blind.md). What people are
//! shown comes from all that is held and the evidence held.

mod composition;
mod effect;
mod facts;
mod held;
mod index;
pub mod limits;

use std::collections::{BTreeMap, BTreeSet};

use identity::{Form, PublicKey};

pub use effect::{Cut, Effect, Limit, Member, Seat, Standing, State, Verdict, Why};
pub use facts::{
    Act, AuthorNo, Certificate, Claim, Class, Close, Fact, FactNo, Facts, Grant, Invite, Joint,
    Revocation, Rights, Root, Spot, What,
};

use effect::{Bounds, Choice, Reach};
use held::{At, Held};
use index::{GrantNo, Index, MemberNo};

/// What stands of the facts in `set`, which holds with every fact those in its past. `evidence` has
/// for every author whose fork is known the lowest number that it used twice.
///
/// Deterministic; the order of `set` and the numbers of facts and authors change nothing but the
/// numbers in the result. Costs O(F log F) for F facts, each of which is asked for once, and for
/// every fact one look at each id of the cuts that end its author's grant: about 0.4 ms for a
/// thousand facts and 6 ms for ten thousand (`examples/eff-speed.rs`). Never fails: what cannot be
/// is void.
pub fn eff(facts: &dyn Facts, set: &[FactNo], evidence: &BTreeMap<AuthorNo, u64>) -> Effect {
    let held = Held::of(facts, set);
    let mut work = Work::new(&held, evidence);
    work.seat(&[work.index.root], 0);
    work.choose(0);
    for (level, depth) in core::mem::take(&mut work.index.levels).iter().zip(1..) {
        work.bear(level);
        work.end_from_above(level, depth);
        work.seat(level, depth);
        work.choose(depth);
        work.end_by_holder(level, depth);
        work.close(level, depth);
    }
    work.settle()
}

struct Work<'a> {
    held: &'a Held<'a>,
    index: Index,
    evidence: &'a BTreeMap<AuthorNo, u64>,
    /// By grant.
    standing: Vec<Standing>,
    /// The first form of each member, if the set tells it.
    forms: Vec<Option<&'a Form>>,
    /// Each member that has a place.
    members: Vec<Option<Member>>,
    /// The last act that took a device's seat.
    lost: BTreeMap<(MemberNo, PublicKey), Option<FactNo>>,
    /// By author: whether its device has no seat, and the act that took it.
    removed: Vec<Option<Option<FactNo>>>,
    choices: BTreeMap<PublicKey, Vec<Choice>>,
    /// By fact: whether it counts. Of a grant: stands; of an end: ends at least one grant.
    counted: Vec<bool>,
    pinned: BTreeSet<FactNo>,
}

impl<'a> Work<'a> {
    fn new(held: &'a Held<'a>, evidence: &'a BTreeMap<AuthorNo, u64>) -> Self {
        let index = Index::of(held);
        let standing = index.edges.iter().map(|edge| Standing {
            depth: edge.depth,
            holder: edge.holder.map(|holder| index.members[holder]),
            born: false,
            above: Vec::new(),
            own: Vec::new(),
            closes: Vec::new(),
        });
        let mut standing: Vec<Standing> = standing.collect();
        standing[index.root].born = true;
        Self {
            held,
            evidence,
            standing,
            forms: index::forms(held, &index),
            members: vec![None; index.members.len()],
            lost: BTreeMap::new(),
            removed: vec![None; index.starts.len()],
            choices: BTreeMap::new(),
            counted: vec![false; held.list.len()],
            pinned: BTreeSet::new(),
            index,
        }
    }

    fn no(&self, at: At) -> FactNo {
        self.held.list[at].no
    }

    /// The bounds of a fact's author; nothing if its grant is not known.
    fn bounds(&self, at: At) -> Option<Bounds<'_>> {
        let author = self.index.by[at]?;
        let start = &self.index.starts[author];
        Some(Bounds {
            standing: &self.standing[start.edge?],
            grant: start.grant,
            device: start.device,
            index: start.index,
            removed: self.removed[author],
            choices: &self.choices,
            evidence: self.evidence,
        })
    }

    fn bound(&self, at: At, class: Class, reach: Reach) -> Verdict {
        let spot = self.held.list[at].spot();
        let unknown = Verdict::Void(Why::Unknown);
        self.bounds(at)
            .map_or(unknown, |it| it.bound(self.held, &spot, class, reach))
    }

    fn forked(&self, at: At) -> Option<u64> {
        let fact = self.held.list[at];
        self.bounds(at)?
            .forked(self.held, &fact.spot(), fact.class())
    }

    /// Whether a fact lies inside all that bounds its carrier's author, whatever its forks.
    fn is_inside(&self, at: At) -> bool {
        self.bound(at, self.held.list[at].class(), Reach::All) == Verdict::Stands
    }

    /// Whether what takes something away counts: inside, and not from a fork of its author on.
    fn is_firm(&self, at: At) -> bool {
        self.is_inside(at) && self.forked(at).is_none()
    }

    /// Which grants of this depth stand: their issuers' grants do, and they lie inside what their
    /// issuers were left.
    fn bear(&mut self, level: &[GrantNo]) {
        for grant in level {
            let parent = self.index.edges[*grant].parent;
            let Some(parent) = parent.filter(|parent| self.standing[*parent].born) else {
                continue;
            };
            for at in self.index.carried(*grant) {
                if self.issues(*at, parent) {
                    self.counted[*at] = true;
                    self.standing[*grant].born = true;
                }
            }
        }
    }

    /// Whether this carrier issues the grant or invite it carries.
    fn issues(&self, at: At, parent: GrantNo) -> bool {
        match self.held.list[at].joint() {
            Some(joint) => {
                self.standing[parent].holder == Some(joint.by)
                    && self.stands_jointly(at, joint)
                    && self.is_covered(at, parent)
            }
            None => self.index.grant_of(at) == Some(parent) && self.is_inside(at),
        }
    }

    /// Whether every end of a grant left what was signed jointly under it: an envelope that it
    /// names holds the item. Whose envelope that is does not matter, since anybody may carry the
    /// item.
    fn is_covered(&self, at: At, grant: GrantNo) -> bool {
        let (standing, fact) = (&self.standing[grant], self.held.list[at]);
        let ends = |no: &&FactNo| effect::ended_by(self.held, **no, fact.class()).is_some();
        let holds = |no: &FactNo| {
            let mut cut = effect::cut(self.held, *no).iter();
            cut.any(|end| self.held.in_past(fact.no, end))
        };
        let firm = standing.above.iter().chain(&standing.own);
        let mut closes = standing.closes.iter();
        let closed =
            !standing.above.iter().any(|no| ends(&no)) && closes.len() > 0 && !closes.any(holds);
        !closed && firm.filter(ends).all(holds)
    }

    /// Revocations by those above, and those above that cascade.
    fn end_from_above(&mut self, level: &[GrantNo], depth: u32) {
        for grant in level {
            let edge = &self.index.edges[*grant];
            let mut above = Vec::new();
            let mut own = Vec::new();
            if let Some(parent) = edge.parent {
                let parent = &self.standing[parent];
                for no in parent.above.iter().chain(&parent.own) {
                    match self.held.at(*no).and_then(|at| self.revoker(at)) {
                        Some((by, true)) if edge.holder == Some(by) => own.push(*no),
                        Some((_, true)) => above.push(*no),
                        _ => {}
                    }
                }
            }
            for at in self.index.revocations.get(*grant) {
                if self.revokes_from_above(*at, *grant, depth) {
                    above.push(self.no(*at));
                    self.counted[*at] = true;
                }
            }
            let standing = &mut self.standing[*grant];
            standing.above = above;
            standing.own = own;
        }
    }

    /// On whose behalf a revocation was signed, and whether it cascades.
    fn revoker(&self, at: At) -> Option<(MemberNo, bool)> {
        let What::Revocation(it) = &self.held.list[at].what else {
            return None;
        };
        let by = match &it.joint {
            Some(joint) => self.index.member(&joint.by),
            None => self.index.member_of(at),
        };
        Some((by?, it.cascade))
    }

    fn revokes_from_above(&self, at: At, grant: GrantNo, depth: u32) -> bool {
        let Some((by, _)) = self.revoker(at) else {
            return false;
        };
        if self.index.edges[grant].holder == Some(by) || !self.index.is_above(by, grant) {
            return false;
        }
        match self.held.list[at].joint() {
            Some(joint) => self.stands_jointly(at, joint),
            None => self.is_higher(at, depth) && self.is_firm(at),
        }
    }

    /// Whether a fact's author writes under a grant of a lesser depth: its bounds are known.
    fn is_higher(&self, at: At, depth: u32) -> bool {
        self.index.depth(at).is_some_and(|it| it < depth)
    }

    /// Certificates under grants of this depth that choose among branches. They count whatever
    /// their holders or the end of a grant's time cut off, since those may depend on what they
    /// choose.
    fn choose(&mut self, depth: u32) {
        let Ok(group) = usize::try_from(depth) else {
            return;
        };
        for at in self.index.choices.get(group) {
            let fact = self.held.list[*at];
            if let What::Certificate(it) = &fact.what
                && self.bound(*at, Class::Other, Reach::Above) == Verdict::Stands
            {
                let choice = Choice {
                    by: fact.no,
                    index: it.index,
                    depth,
                };
                self.choices.entry(it.device).or_default().push(choice);
                self.pinned.insert(fact.no);
            }
        }
    }

    /// Revocations by the holders themselves. None of them cuts off another: what all leave stands.
    fn end_by_holder(&mut self, level: &[GrantNo], depth: u32) {
        for grant in level {
            let revocations = self.index.revocations.get(*grant).iter();
            let own = revocations.filter(|at| self.revokes_own(**at, *grant, depth));
            let own: Vec<At> = own.copied().collect();
            // What cascades from above to a grant that its own holder holds is already there. The
            // new ones are looked at before any of them counts.
            for at in own {
                let no = self.no(at);
                self.counted[at] = true;
                self.pinned.insert(no);
                self.standing[*grant].own.push(no);
            }
        }
    }

    fn revokes_own(&self, at: At, grant: GrantNo, depth: u32) -> bool {
        let Some(holder) = self.index.edges[grant].holder else {
            return false;
        };
        if self.revoker(at).map(|(by, _)| by) != Some(holder) {
            return false;
        }
        let fact = self.held.list[at];
        if let Some(joint) = fact.joint() {
            return self.stands_jointly(at, joint);
        }
        if self.is_higher(at, depth) {
            return self.is_firm(at);
        }
        self.index.grant_of(at) == Some(grant)
            && self.bound(at, fact.class(), Reach::Above) == Verdict::Stands
            && self.forked(at).is_none()
    }

    fn close(&mut self, level: &[GrantNo], depth: u32) {
        for grant in level {
            let closes = self.index.closes.get(*grant).iter().filter(|at| {
                let by = self.index.member_of(**at);
                by.is_some_and(|by| self.index.is_above(by, *grant))
                    && self.is_higher(**at, depth)
                    && self.is_firm(**at)
            });
            for at in closes.copied().collect::<Vec<At>>() {
                self.counted[at] = true;
                let no = self.no(at);
                self.standing[*grant].closes.push(no);
            }
        }
    }

    /// The verdict on every fact, and what is kept whoever carries it.
    fn settle(mut self) -> Effect {
        // Under these nothing stands; their holders may have got their places elsewhere since.
        for grant in 0..self.standing.len() {
            if !self.standing[grant].born {
                self.unseat(grant);
            }
        }
        let mut acts = BTreeSet::new();
        for member in self.members.iter().flatten() {
            acts.extend(member.states.iter().map(|state| state.id));
        }
        let mut void = Vec::new();
        for (at, fact) in self.held.list.iter().enumerate() {
            let why = match &fact.what {
                What::Grant(_) | What::Invite(_) | What::Revocation(_) | What::Close(_)
                    if self.counted[at] =>
                {
                    None
                }
                What::Grant(_) | What::Invite(_) => Some(self.outside(at, Why::Unsigned)),
                What::Revocation(_) | What::Close(_) => Some(self.outside(at, Why::NotAbove)),
                What::Act(act) => (!acts.contains(&act.id)).then_some(Why::Passed),
                What::Certificate(_) | What::Claim(_) | What::Countersign(_) => self.fallen(at),
            };
            let is_act = matches!(fact.what, What::Act(_));
            if is_act || (why.is_none() && fact.joint().is_some()) {
                self.pinned.insert(fact.no);
            }
            if let Some(why) = why {
                void.push((fact.no, why));
            }
        }
        self.finish(void)
    }

    /// Why a fact does not stand as any other of its envelope, if it does not.
    fn fallen(&self, at: At) -> Option<Why> {
        let fact = self.held.list[at];
        let Some(bounds) = self.bounds(at) else {
            return Some(Why::Unknown);
        };
        match bounds.judge(self.held, &fact.spot(), fact.class()) {
            Verdict::Stands => None,
            Verdict::Loose(why) | Verdict::Void(why) => Some(why),
        }
    }

    /// Why an item that does not count does not: what cuts its carrier off, or else the reason
    /// given.
    fn outside(&self, at: At, other: Why) -> Why {
        if self.held.list[at].joint().is_some() {
            return Why::Unsigned;
        }
        let forked = || self.forked(at).map(Why::Forked);
        self.fallen(at).or_else(forked).unwrap_or(other)
    }

    /// All of it under its own ids. Everything is in order here already.
    fn finish(self, void: Vec<(FactNo, Why)>) -> Effect {
        let edges = self.index.edges.iter().zip(self.standing);
        let grants = edges.filter(|(edge, _)| edge.is_planted());
        let members = self.index.members.iter().zip(self.members);
        let starts = self.index.starts.iter();
        let removed = starts.clone().zip(self.removed);
        Effect {
            grants: grants.map(|(edge, it)| (edge.id, it)).collect(),
            members: members.filter_map(|(id, it)| Some((*id, it?))).collect(),
            authors: starts
                .map(|start| {
                    let seat = Seat {
                        grant: start.grant,
                        device: start.device,
                        index: start.index,
                    };
                    (start.author, seat)
                })
                .collect(),
            removed: removed
                .filter_map(|(start, by)| Some((start.author, by?)))
                .collect(),
            choices: self.choices,
            evidence: self.evidence.clone(),
            void: void.into_iter().collect(),
            pinned: self.pinned,
        }
    }
}
