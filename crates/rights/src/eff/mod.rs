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
mod index;
pub mod limits;

use std::collections::{BTreeMap, BTreeSet};

use identity::{GrantId, Id};

pub use effect::{Effect, Limit, Member, Seat, Standing, State, Verdict, Why};
pub use facts::{
    Act, AuthorNo, Certificate, Claim, Class, Close, Fact, FactNo, Facts, Grant, Invite, Joint,
    Revocation, Rights, Root, Spot, What,
};

use effect::Reach;
use index::Index;

/// What stands of the facts in `set`, which holds with every fact those in its past. `evidence` has
/// for every author whose fork is known the lowest number that it used twice.
///
/// Deterministic; the order of `set` and the numbers of facts and authors change nothing but the
/// numbers in the result. Costs O(F log F) for F facts, and for every fact one look at each id of
/// the cuts that end its author's grant. Never fails: what cannot be is void.
pub fn eff(facts: &dyn Facts, set: &[FactNo], evidence: &BTreeMap<AuthorNo, u64>) -> Effect {
    let mut work = Work::new(facts, Index::of(facts, set), evidence);
    work.seat(&[facts.root().grant], 0);
    work.choose(0);
    for (level, depth) in core::mem::take(&mut work.index.levels).iter().zip(1..) {
        work.bear(level, depth);
        work.end_from_above(level, depth);
        work.seat(level, depth);
        work.choose(depth);
        work.end_by_holder(level, depth);
        work.close(level, depth);
    }
    work.settle();
    work.effect
}

struct Work<'a> {
    facts: &'a dyn Facts,
    index: Index<'a>,
    effect: Effect,
    /// Facts of grants and invites that stand.
    issued: BTreeSet<FactNo>,
    /// Revocations and closes that stand for at least one grant.
    counted: BTreeSet<FactNo>,
}

impl<'a> Work<'a> {
    fn new(facts: &'a dyn Facts, index: Index<'a>, evidence: &BTreeMap<AuthorNo, u64>) -> Self {
        let mut effect = Effect {
            evidence: evidence.clone(),
            ..Effect::default()
        };
        for (author, start) in &index.starts {
            let seat = Seat {
                grant: start.grant,
                device: start.device,
                index: start.index,
            };
            effect.authors.insert(*author, seat);
        }
        let top = Standing {
            depth: 0,
            holder: Some(facts.root().form.member()),
            born: true,
            above: Vec::new(),
            own: Vec::new(),
            closes: Vec::new(),
        };
        effect.grants.insert(facts.root().grant, top);
        Self {
            facts,
            index,
            effect,
            issued: BTreeSet::new(),
            counted: BTreeSet::new(),
        }
    }

    /// Whether a fact lies inside all that bounds its carrier's author, whatever its forks.
    fn is_inside(&self, fact: &Fact) -> bool {
        let spot = fact.spot();
        self.effect
            .bound(self.facts, &spot, fact.class(), Reach::All)
            == Verdict::Stands
    }

    /// Whether what takes something away counts: inside, and not from a fork of its author on.
    fn is_firm(&self, fact: &Fact) -> bool {
        let fork = self.effect.forked(self.facts, &fact.spot(), fact.class());
        self.is_inside(fact) && fork.is_none()
    }

    /// Which grants of this depth stand: their issuers' grants do, and they lie inside what their
    /// issuers were left.
    fn bear(&mut self, level: &[GrantId], depth: u32) {
        for grant in level {
            let Some(edge) = self.index.edge(grant) else {
                continue;
            };
            let parent = self.effect.grants.get(&edge.parent);
            let stands = parent.is_some_and(|parent| parent.born);
            let carried = edge
                .carried
                .iter()
                .filter(|no| stands && self.facts.fact(**no).is_some_and(|fact| self.issues(fact)));
            let carried: Vec<FactNo> = carried.copied().collect();
            let standing = Standing {
                depth,
                holder: edge.holder,
                born: !carried.is_empty(),
                above: Vec::new(),
                own: Vec::new(),
                closes: Vec::new(),
            };
            self.effect.grants.insert(*grant, standing);
            self.issued.extend(carried);
        }
    }

    /// Whether this carrier issues the grant or invite it carries.
    fn issues(&self, fact: &Fact) -> bool {
        let (parent, joint) = match &fact.what {
            What::Grant(it) => (it.parent, it.joint.as_ref()),
            What::Invite(it) => (it.parent, None),
            _ => return false,
        };
        match joint {
            Some(joint) => {
                let holder = self.effect.grants.get(&parent).and_then(|it| it.holder);
                holder == Some(joint.by)
                    && self.stands_jointly(fact, joint)
                    && self.is_covered(fact, &parent)
            }
            None => {
                let author = self.index.starts.get(&fact.author);
                author.is_some_and(|author| author.grant == parent) && self.is_inside(fact)
            }
        }
    }

    /// Whether every end of a grant left what was signed jointly under it: an envelope that it
    /// names holds the item. Whose envelope that is does not matter, since anybody may carry the
    /// item.
    fn is_covered(&self, fact: &Fact, grant: &GrantId) -> bool {
        let Some(standing) = self.effect.grants.get(grant) else {
            return false;
        };
        let ends = |no: &&FactNo| effect::ended_by(self.facts, **no, fact.class()).is_some();
        let holds = |no: &FactNo| {
            let mut cut = effect::cut(self.facts, *no).iter();
            cut.any(|end| self.facts.in_past(fact.no, end))
        };
        let firm = standing.above.iter().chain(&standing.own);
        let mut closes = standing.closes.iter();
        let closed =
            !standing.above.iter().any(|no| ends(&no)) && closes.len() > 0 && !closes.any(holds);
        !closed && firm.filter(ends).all(holds)
    }

    /// Revocations by those above, and those above that cascade.
    fn end_from_above(&mut self, level: &[GrantId], depth: u32) {
        for grant in level {
            let Some(edge) = self.index.edge(grant) else {
                continue;
            };
            let mut above = Vec::new();
            let mut own = Vec::new();
            if let Some(parent) = self.effect.grants.get(&edge.parent) {
                for no in parent.above.iter().chain(&parent.own) {
                    match self.revoker(*no) {
                        Some((by, true)) if edge.holder == Some(by) => own.push(*no),
                        Some((_, true)) => above.push(*no),
                        _ => {}
                    }
                }
            }
            for fact in self.index.revocations.get(grant).into_iter().flatten() {
                if self.revokes_from_above(fact, edge, depth) {
                    above.push(fact.no);
                }
            }
            self.counted.extend(&above);
            if let Some(standing) = self.effect.grants.get_mut(grant) {
                standing.above = above;
                standing.own = own;
            }
        }
    }

    /// On whose behalf a revocation was signed, and whether it cascades.
    fn revoker(&self, no: FactNo) -> Option<(Id, bool)> {
        let fact = self.facts.fact(no)?;
        match &fact.what {
            What::Revocation(it) => {
                let by = it.joint.as_ref().map(|joint| joint.by);
                Some((by.or_else(|| self.index.member(fact.author))?, it.cascade))
            }
            _ => None,
        }
    }

    fn revokes_from_above(&self, fact: &Fact, edge: &index::Edge, depth: u32) -> bool {
        let Some((by, _)) = self.revoker(fact.no) else {
            return false;
        };
        if edge.holder == Some(by) || !edge.above.contains(&by) {
            return false;
        }
        match fact.joint() {
            Some(joint) => self.stands_jointly(fact, joint),
            None => self.is_higher(fact, depth) && self.is_firm(fact),
        }
    }

    /// Whether a fact's author writes under a grant of a lesser depth: its bounds are known.
    fn is_higher(&self, fact: &Fact, depth: u32) -> bool {
        self.index.depth(fact.author).is_some_and(|it| it < depth)
    }

    /// Certificates under grants of this depth that choose among branches. They count whatever
    /// their holders or the end of a grant's time cut off, since those may depend on what they
    /// choose.
    fn choose(&mut self, depth: u32) {
        for fact in self.index.choices.clone() {
            let What::Certificate(it) = &fact.what else {
                continue;
            };
            let spot = fact.spot();
            let bound = self
                .effect
                .bound(self.facts, &spot, Class::Other, Reach::Above);
            if self.index.depth(fact.author) == Some(depth) && bound == Verdict::Stands {
                let choices = self.effect.choices.entry(it.device).or_default();
                choices.push(fact.no);
                self.effect.pinned.insert(fact.no);
            }
        }
    }

    /// Revocations by the holders themselves. None of them cuts off another: what all leave stands.
    fn end_by_holder(&mut self, level: &[GrantId], depth: u32) {
        for grant in level {
            let revocations = self.index.revocations.get(grant).into_iter().flatten();
            let own: Vec<FactNo> = revocations
                .filter(|fact| self.revokes_own(fact, grant, depth))
                .map(|fact| fact.no)
                .collect();
            self.counted.extend(&own);
            self.effect.pinned.extend(&own);
            // What cascades from above to a grant that its own holder holds is already there. The
            // new ones are looked at before any of them counts.
            if let Some(standing) = self.effect.grants.get_mut(grant) {
                standing.own.extend(own);
            }
        }
    }

    fn revokes_own(&self, fact: &Fact, grant: &GrantId, depth: u32) -> bool {
        let Some(holder) = self.effect.grants.get(grant).and_then(|it| it.holder) else {
            return false;
        };
        if self.revoker(fact.no).map(|(by, _)| by) != Some(holder) {
            return false;
        }
        if let Some(joint) = fact.joint() {
            return self.stands_jointly(fact, joint);
        }
        if self.is_higher(fact, depth) {
            return self.is_firm(fact);
        }
        let spot = fact.spot();
        let bound = self
            .effect
            .bound(self.facts, &spot, fact.class(), Reach::Above);
        let starts = self.index.starts.get(&fact.author);
        starts.is_some_and(|start| start.grant == *grant)
            && bound == Verdict::Stands
            && self
                .effect
                .forked(self.facts, &spot, fact.class())
                .is_none()
    }

    fn close(&mut self, level: &[GrantId], depth: u32) {
        for grant in level {
            let Some(edge) = self.index.edge(grant) else {
                continue;
            };
            let closes = self.index.closes.get(grant).into_iter().flatten();
            let closes: Vec<FactNo> = closes
                .filter(|fact| {
                    let by = self.index.member(fact.author);
                    by.is_some_and(|by| edge.above.contains(&by))
                        && self.is_higher(fact, depth)
                        && self.is_firm(fact)
                })
                .map(|fact| fact.no)
                .collect();
            self.counted.extend(&closes);
            if let Some(standing) = self.effect.grants.get_mut(grant) {
                standing.closes = closes;
            }
        }
    }

    /// The verdict on every fact, and what is kept whoever carries it.
    fn settle(&mut self) {
        let mut acts = BTreeSet::new();
        for member in self.effect.members.values() {
            acts.extend(member.states.iter().map(|state| state.id));
        }
        for fact in core::mem::take(&mut self.index.set) {
            let why = match &fact.what {
                What::Grant(_) | What::Invite(_) if self.issued.contains(&fact.no) => None,
                What::Revocation(_) | What::Close(_) if self.counted.contains(&fact.no) => None,
                What::Grant(_) | What::Invite(_) => Some(self.outside(fact, Why::Unsigned)),
                What::Revocation(_) | What::Close(_) => Some(self.outside(fact, Why::NotAbove)),
                What::Act(act) => (!acts.contains(&act.id)).then_some(Why::Passed),
                What::Certificate(_) | What::Claim(_) | What::Countersign(_) => {
                    match self.effect.judge(self.facts, &fact.spot(), fact.class()) {
                        Verdict::Stands => None,
                        Verdict::Loose(why) | Verdict::Void(why) => Some(why),
                    }
                }
            };
            let is_act = matches!(fact.what, What::Act(_));
            if is_act || (why.is_none() && fact.joint().is_some()) {
                self.effect.pinned.insert(fact.no);
            }
            if let Some(why) = why {
                self.effect.void.insert(fact.no, why);
            }
        }
    }

    /// Why an item that does not count does not: what cuts its carrier off, or else the reason
    /// given.
    fn outside(&self, fact: &Fact, other: Why) -> Why {
        if fact.joint().is_some() {
            return Why::Unsigned;
        }
        match self.effect.judge(self.facts, &fact.spot(), fact.class()) {
            Verdict::Loose(why) | Verdict::Void(why) => why,
            Verdict::Stands => {
                let fork = self.effect.forked(self.facts, &fact.spot(), fact.class());
                fork.map_or(other, Why::Forked)
            }
        }
    }
}
