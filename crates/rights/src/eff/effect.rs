//! What stands.

use std::collections::{BTreeMap, BTreeSet};

use identity::{ActId, EnvelopeId, Form, GrantId, Id, PublicKey};

use super::facts::{AuthorNo, Class, FactNo, Facts, Spot, What};

/// What stands of a set of facts. Equal sets, graphs and evidence give equal effects everywhere.
///
/// Epochs will have their place here: which of them stand, and which of those are clean.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Effect {
    pub(super) grants: BTreeMap<GrantId, Standing>,
    pub(super) members: BTreeMap<Id, Member>,
    pub(super) authors: BTreeMap<AuthorNo, Seat>,
    /// Certificates that choose among branches, by device.
    pub(super) choices: BTreeMap<PublicKey, Vec<Choice>>,
    /// Authors whose devices have no seat, and the acts that took them.
    pub(super) removed: BTreeMap<AuthorNo, Option<FactNo>>,
    pub(super) evidence: BTreeMap<AuthorNo, u64>,
    pub(super) void: BTreeMap<FactNo, Why>,
    pub(super) pinned: BTreeSet<FactNo>,
}

/// A grant or an invite, and what ends it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// How far it is from the root, which has 0.
    pub depth: u32,
    /// Who holds it; `None` for an invite.
    pub holder: Option<Id>,
    /// Whether its issuer stood and it lies inside all that bounds its issuer.
    pub born: bool,
    /// Revocations from above that stand, also such of grants above that cascade to it. What lies
    /// outside one of their cuts is void.
    pub above: Vec<FactNo>,
    /// Revocations by its own holder that stand. What lies outside one of their cuts is loose.
    pub own: Vec<FactNo>,
    /// Closes that stand. Where no revocation from above ends the same, what lies outside all of
    /// their cuts is void.
    pub closes: Vec<FactNo>,
}

/// A composition, from its first form to the newest act of it that stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its place: the first grant of it that stands.
    pub place: GrantId,
    /// The depth of its place.
    pub depth: u32,
    /// The compositions above it, which may countersign.
    pub above: BTreeSet<Id>,
    /// Its states by number, never empty.
    pub states: Vec<State>,
}

/// What a composition is between two acts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// The act that brought it about, or the first state's name.
    pub id: ActId,
    /// A fact that carries that act.
    pub by: Option<FactNo>,
    /// The form.
    pub form: Form,
}

/// An author, as its first envelope has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat {
    /// The grant that all its envelopes name.
    pub grant: GrantId,
    /// The device that certified it.
    pub device: PublicKey,
    /// Which incarnation of the device.
    pub index: u32,
}

/// What becomes of an envelope or an item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It stands.
    Stands,
    /// Content: stands if a standing envelope that is not loose has it in its past. Anything else:
    /// void.
    Loose(Why),
    /// It is void, whoever names it.
    Void(Why),
}

/// Why something is void or loose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Why {
    /// The author's certificate is not in the set, or its grant is no grant of the set.
    Unknown,
    /// This grant does not stand, since it or a grant above it was issued outside what its issuer
    /// was left.
    Unborn(GrantId),
    /// Outside the cut of this revocation from above.
    Revoked(FactNo),
    /// Outside the cuts of all closes, of which this is one.
    Closed(FactNo),
    /// Outside the cut of this revocation by the holder itself.
    GivenUp(FactNo),
    /// The device has no seat, and this act, if any, left it none.
    Unseated(Option<FactNo>),
    /// From the number on at which the author forked.
    Forked(u64),
    /// Whoever says so stands neither above the grant nor holds it.
    NotAbove,
    /// Not signed by as many seated devices as it takes.
    Unsigned,
    /// Another act follows the same state, or the composition holds nothing that stands.
    Passed,
}

/// A certificate that chooses among branches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Choice {
    pub(super) by: FactNo,
    /// Which incarnation of the device chooses.
    pub(super) index: u32,
    /// The depth of the grant that it is written under.
    pub(super) depth: u32,
}

/// What bounds one author.
pub(super) struct Bounds<'a> {
    pub(super) standing: &'a Standing,
    pub(super) grant: GrantId,
    pub(super) device: PublicKey,
    pub(super) index: u32,
    /// Whether its device has no seat, and the act that took it.
    pub(super) removed: Option<Option<FactNo>>,
    pub(super) choices: &'a BTreeMap<PublicKey, Vec<Choice>>,
    pub(super) evidence: &'a BTreeMap<AuthorNo, u64>,
}

/// How much of what bounds an author is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Revocations from above and the seat.
    Above,
    /// All but forks.
    All,
}

/// What is left of an author.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cut<'a> {
    /// The fact that says so: of several closes the first.
    pub by: Option<FactNo>,
    /// The last that are left, and those before them on their chains.
    pub ends: Vec<&'a EnvelopeId>,
}

/// The bounds of an author in one class.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Limit<'a> {
    /// Nothing of the author stands at all.
    pub unborn: bool,
    /// What lies outside one of them is void.
    pub hard: Vec<Cut<'a>>,
    /// What lies outside one of them is loose.
    pub soft: Vec<Cut<'a>>,
    /// A revocation from above has taken the place of the rule of forks.
    pub forgiven: bool,
    /// Branches that stand beyond the fork.
    pub branches: Vec<&'a EnvelopeId>,
}

impl Member {
    /// Its newest state.
    pub fn now(&self) -> Option<&State> {
        self.states.last()
    }

    /// Whether it may take part with this device.
    pub fn seats(&self, device: &PublicKey) -> bool {
        self.now().is_some_and(|state| state.form.has(device))
    }
}

impl Effect {
    /// A grant or an invite of the set; the root too.
    pub fn grant(&self, grant: &GrantId) -> Option<&Standing> {
        self.grants.get(grant)
    }

    /// All grants and invites of the set.
    pub const fn grants(&self) -> &BTreeMap<GrantId, Standing> {
        &self.grants
    }

    /// A composition with a grant that stands.
    pub fn member(&self, member: &Id) -> Option<&Member> {
        self.members.get(member)
    }

    /// An author whose certificate is in the set.
    pub fn author(&self, author: AuthorNo) -> Option<&Seat> {
        self.authors.get(&author)
    }

    /// The facts that are void, and why.
    pub const fn void(&self) -> &BTreeMap<FactNo, Why> {
        &self.void
    }

    /// Facts that count although their carriers may not stand: those carriers are kept.
    pub const fn pinned(&self) -> &BTreeSet<FactNo> {
        &self.pinned
    }

    /// Whether a device may write what is of this class under a grant: nothing has ended it, and
    /// the device has a seat. Under an invite that somebody claimed is asked elsewhere.
    pub fn may(
        &self,
        facts: &dyn Facts,
        grant: &GrantId,
        device: &PublicKey,
        class: Class,
    ) -> bool {
        let Some(standing) = self.grants.get(grant) else {
            return false;
        };
        let ends =
            |no: &FactNo| revocation(facts, *no).is_some_and(|it| class.ends_with(it.rights));
        let ended = standing.above.iter().chain(&standing.own).any(ends);
        let seated = match standing.holder {
            Some(holder) => self.member(&holder).is_some_and(|it| it.seats(device)),
            None => true,
        };
        standing.born && !ended && standing.closes.is_empty() && seated
    }

    /// Whether the right to read has been taken from a grant.
    pub fn read_is_over(&self, facts: &dyn Facts, grant: &GrantId) -> bool {
        self.grants.get(grant).is_none_or(|standing| {
            let ends = |no: &FactNo| {
                revocation(facts, *no).is_some_and(|it| it.rights.has(super::Rights::READ))
            };
            let ended = standing.above.iter().chain(&standing.own).any(ends);
            !standing.born || ended || !standing.closes.is_empty()
        })
    }

    /// What becomes of an envelope, asked in the class of it or of one of its items. Items that
    /// have a verdict of their own, such as an act, have it in [`Effect::void`].
    pub fn judge(&self, facts: &dyn Facts, spot: &Spot, class: Class) -> Verdict {
        let unknown = Verdict::Void(Why::Unknown);
        self.bounds(spot.author)
            .map_or(unknown, |bounds| bounds.judge(facts, spot, class))
    }

    /// Whether an envelope stands and is not loose in any way: what it names, it holds up.
    pub fn is_firm(&self, facts: &dyn Facts, spot: &Spot, class: Class) -> bool {
        self.bounds(spot.author).is_some_and(|bounds| {
            bounds.judge(facts, spot, class) == Verdict::Stands
                && bounds.forked(facts, spot, class).is_none()
        })
    }

    fn bounds(&self, author: AuthorNo) -> Option<Bounds<'_>> {
        let seat = self.authors.get(&author)?;
        Some(Bounds {
            standing: self.grants.get(&seat.grant)?,
            grant: seat.grant,
            device: seat.device,
            index: seat.index,
            removed: self.removed.get(&author).copied(),
            choices: &self.choices,
            evidence: &self.evidence,
        })
    }

    /// All that bounds an author, for whoever keeps the graph.
    pub fn limit<'a>(
        &'a self,
        facts: &'a dyn Facts,
        author: AuthorNo,
        class: Class,
    ) -> Option<Limit<'a>> {
        let bounds = self.bounds(author)?;
        let standing = bounds.standing;
        let cuts = |list: &'a [FactNo]| -> Vec<Cut<'a>> {
            let ended = list.iter().filter_map(|no| {
                let ends = ended_by(facts, *no, class)?.iter().collect();
                let by = Some(*no);
                Some(Cut { by, ends })
            });
            ended.collect()
        };
        let mut limit = Limit {
            unborn: !standing.born,
            hard: cuts(&standing.above),
            soft: cuts(&standing.own),
            forgiven: false,
            branches: bounds.branches(facts).collect(),
        };
        limit.forgiven = !limit.hard.is_empty();
        if limit.hard.is_empty() && !standing.closes.is_empty() {
            let closes = cuts(&standing.closes);
            limit.hard.push(Cut {
                by: closes.first().and_then(|close| close.by),
                ends: closes.into_iter().flat_map(|close| close.ends).collect(),
            });
        }
        if let Some(by) = bounds.removed {
            let ends = by.map_or(&[][..], |no| cut(facts, no)).iter().collect();
            limit.soft.push(Cut { by, ends });
        }
        Some(limit)
    }
}

impl<'a> Bounds<'a> {
    /// What becomes of an envelope of the author.
    pub(super) fn judge(&self, facts: &dyn Facts, spot: &Spot, class: Class) -> Verdict {
        let bound = self.bound(facts, spot, class, Reach::All);
        match bound {
            Verdict::Stands if class == Class::Content => match self.forked(facts, spot, class) {
                Some(number) => Verdict::Loose(Why::Forked(number)),
                None => bound,
            },
            Verdict::Loose(why) if class != Class::Content => Verdict::Void(why),
            _ => bound,
        }
    }

    /// The same without forks. Loose is for the caller to judge.
    pub(super) fn bound(
        &self,
        facts: &dyn Facts,
        spot: &Spot,
        class: Class,
        reach: Reach,
    ) -> Verdict {
        let standing = self.standing;
        if !standing.born {
            return Verdict::Void(Why::Unborn(self.grant));
        }
        let ends = |no: &FactNo| ended_by(facts, *no, class).is_some();
        let outside =
            |no: &FactNo| ended_by(facts, *no, class).is_some_and(|cut| !covers(facts, cut, spot));
        if let Some(no) = standing.above.iter().find(|no| outside(no)) {
            return Verdict::Void(Why::Revoked(*no));
        }
        if reach == Reach::All {
            let overridden = standing.above.iter().any(ends);
            let mut closes = standing.closes.iter();
            if !overridden
                && let Some(first) = closes.clone().next()
                && closes.all(outside)
            {
                return Verdict::Void(Why::Closed(*first));
            }
            if let Some(no) = standing.own.iter().find(|no| outside(no)) {
                return Verdict::Loose(Why::GivenUp(*no));
            }
        }
        match self.removed {
            Some(by) if !by.is_some_and(|no| covers(facts, cut(facts, no), spot)) => {
                Verdict::Loose(Why::Unseated(by))
            }
            _ => Verdict::Stands,
        }
    }

    /// The number at which the author forked, if the rule of forks takes this from it.
    pub(super) fn forked(&self, facts: &dyn Facts, spot: &Spot, class: Class) -> Option<u64> {
        let number = *self.evidence.get(&spot.author)?;
        let mut above = self.standing.above.iter();
        let forgiven = above.any(|no| ended_by(facts, *no, class).is_some());
        let chosen = || covers(facts, self.branches(facts), spot);
        (spot.number >= number && !forgiven && !chosen()).then_some(number)
    }

    /// The branches that later certificates of the same device choose.
    fn branches<'f>(&self, facts: &'f dyn Facts) -> impl Iterator<Item = &'f EnvelopeId> {
        let choices = self.choices.get(&self.device).into_iter().flatten();
        let (index, depth) = (self.index, self.standing.depth);
        let later = choices.filter(move |it| it.index > index && it.depth <= depth);
        later.flat_map(|it| match facts.fact(it.by).map(|it| &it.what) {
            Some(What::Certificate(it)) => it.branches.as_slice(),
            _ => &[],
        })
    }
}

/// Whether one of these ids is the envelope or a later one on its chain.
fn covers<'a>(
    facts: &dyn Facts,
    cut: impl IntoIterator<Item = &'a EnvelopeId>,
    spot: &Spot,
) -> bool {
    cut.into_iter().any(|end| facts.on_chain(spot, end))
}

fn revocation(facts: &dyn Facts, no: FactNo) -> Option<&super::Revocation> {
    match &facts.fact(no)?.what {
        What::Revocation(it) => Some(it),
        _ => None,
    }
}

/// The cut of a revocation, close or act.
pub(super) fn cut(facts: &dyn Facts, no: FactNo) -> &[EnvelopeId] {
    match facts.fact(no).map(|fact| &fact.what) {
        Some(What::Revocation(it)) => &it.cut,
        Some(What::Close(it)) => &it.cut,
        Some(What::Act(it)) => &it.cut,
        _ => &[],
    }
}

/// The cut of a revocation or close, if it ends what is of this class.
pub(super) fn ended_by(facts: &dyn Facts, no: FactNo, class: Class) -> Option<&[EnvelopeId]> {
    match &facts.fact(no)?.what {
        What::Revocation(it) => class.ends_with(it.rights).then_some(&it.cut),
        What::Close(it) => Some(&it.cut),
        _ => None,
    }
}
