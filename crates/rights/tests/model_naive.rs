//! The rules once more, as questions about plain sets, asked when they are needed. Nothing is
//! shared with the program but the words. With a [`Slip`] one rule is another, to see that it is
//! missed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use rights::eff::{Class, Rights};

use super::model_world::{Devices, Item, Set, Shape, Signed, World, each, one};

/// Another wording of one rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Slip {
    /// A cut says numbers and no ids: every branch up to the number lies inside.
    CutByNumber,
    /// Closes may cut below the end of the grant's time.
    LowClose,
    /// What all closes leave stands, and not what any of them leaves.
    CloseIntersects,
    /// An act counts only while its carrier stands.
    ActByCarrier,
    /// What a forker granted from its fork on does not stand.
    BornByFork,
    /// Who holds a grant may cut it anywhere, and what is outside is void.
    OwnCutAtZero,
    /// The holder's own cut reaches what lies in its carrier's past, and what is outside is void.
    OwnCutHard,
    /// What a removed device wrote outside the cut is void, named or not.
    RemovalHard,
    /// What names something void is void.
    VoidAlongDeps,
    /// Anybody may revoke anything.
    RevokedByAnybody,
    /// What was signed jointly stands by signatures that were once enough.
    JointForEver,
    /// The holder's own revocation takes the place of a close.
    OwnOverridesClose,
}

pub(crate) type Known = BTreeMap<usize, u64>;

pub(crate) struct Naive<'a> {
    pub(crate) world: &'a World,
    pub(crate) set: Set,
    pub(crate) evidence: &'a Known,
    pub(crate) slip: Option<Slip>,
    /// Facts that are left out.
    pub(crate) without: BTreeSet<usize>,
    /// (fact, grant) of what counts already, by fact.
    counted: RefCell<BTreeMap<usize, bool>>,
    born: RefCell<BTreeMap<usize, bool>>,
    narrow: RefCell<BTreeMap<(usize, Class), Set>>,
    full: RefCell<BTreeMap<(usize, Class), Set>>,
    states: RefCell<BTreeMap<usize, Option<States>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct States {
    pub(crate) depth: u32,
    pub(crate) above: BTreeSet<usize>,
    /// Acts that stand, in order; the first state is not among them.
    pub(crate) acts: Vec<usize>,
}

pub(crate) const CLASSES: [Class; 3] = [Class::Content, Class::Rights, Class::Other];

impl<'a> Naive<'a> {
    pub(crate) fn new(world: &'a World, set: Set, evidence: &'a Known, slip: Option<Slip>) -> Self {
        Self {
            world,
            set,
            evidence,
            slip,
            without: BTreeSet::new(),
            counted: RefCell::default(),
            born: RefCell::default(),
            narrow: RefCell::default(),
            full: RefCell::default(),
            states: RefCell::default(),
        }
    }

    fn slips(&self, slip: Slip) -> bool {
        self.slip == Some(slip)
    }

    /// The facts of the set: number, envelope, item.
    fn items(&self) -> impl Iterator<Item = (usize, usize, &'a Item)> + '_ {
        let world = self.world;
        world
            .at
            .iter()
            .enumerate()
            .filter_map(move |(no, (env, index))| {
                let there = self.set & one(*env) != 0 && !self.without.contains(&no);
                there.then(|| (no, *env, &world.envs[*env].items[*index]))
            })
    }

    fn depth_of(&self, env: usize) -> u32 {
        self.world.grants[self.world.envs[env].grant].depth
    }

    fn member_of(&self, env: usize) -> Option<usize> {
        self.world.grants[self.world.envs[env].grant].holder
    }

    /// Who holds what is above a grant.
    fn above(&self, grant: usize) -> BTreeSet<usize> {
        let mut above = BTreeSet::new();
        let mut at = grant;
        while at != 0 {
            at = self.world.grants[at].parent;
            above.extend(self.world.grants[at].holder);
        }
        above
    }

    pub(crate) fn mask(&self, cut: &[usize]) -> Set {
        let mut mask = 0;
        for end in cut {
            mask |= self.world.envs[*end].chain;
            if self.slips(Slip::CutByNumber) {
                let end = &self.world.envs[*end];
                for (no, env) in self.world.envs.iter().enumerate() {
                    if env.key == end.key && env.number <= end.number {
                        mask |= one(no);
                    }
                }
            }
        }
        mask
    }

    /// Every envelope of the set of this chain.
    fn written(&self, root: usize) -> Set {
        let envs = self.world.envs.iter().enumerate();
        let mine = envs.filter(|(_, env)| env.root == root);
        mine.fold(0, |set, (no, _)| set | one(no)) & self.set
    }

    // ---- revocations ----

    fn by(&self, env: usize, joint: &Option<Signed>) -> Option<usize> {
        joint.map(|joint| joint.by).or_else(|| self.member_of(env))
    }

    /// The revocations that end a grant: fact, cut, rights. From above, or by its holder.
    pub(crate) fn ends(&self, grant: usize, from_above: bool) -> Vec<(usize, &'a [usize], Rights)> {
        let holder = self.world.grants[grant].holder;
        let mut found = Vec::new();
        for (no, env, item) in self.items() {
            let Item::Revocation {
                grant: target,
                cut,
                cascade,
                rights,
                joint,
            } = item
            else {
                continue;
            };
            let Some(by) = self.by(env, joint) else {
                continue;
            };
            let own = holder == Some(by);
            let reaches = *target == grant || (*cascade && self.world.is_below(grant, *target));
            if reaches && own != from_above && self.counts(no) {
                found.push((no, cut.as_slice(), *rights));
            }
        }
        found
    }

    /// Whether a revocation or close counts.
    pub(crate) fn counts(&self, no: usize) -> bool {
        if let Some(known) = self.counted.borrow().get(&no) {
            return *known;
        }
        let counts = self.does_count(no);
        self.counted.borrow_mut().insert(no, counts);
        counts
    }

    fn does_count(&self, no: usize) -> bool {
        let (env, index) = self.world.at[no];
        let (target, joint, is_close) = match &self.world.envs[env].items[index] {
            Item::Revocation { grant, joint, .. } => (*grant, joint, false),
            Item::Close { grant, .. } => (*grant, &None, true),
            _ => return false,
        };
        let Some(by) = self.by(env, joint) else {
            return false;
        };
        let row = &self.world.grants[target];
        let own = row.holder == Some(by) && !is_close;
        if target == 0 || !(own || self.above(target).contains(&by)) {
            return self.slips(Slip::RevokedByAnybody) && self.depth_of(env) < row.depth;
        }
        if let Some(signed) = joint {
            return self.stands_jointly(no, signed);
        }
        if self.depth_of(env) < row.depth {
            return self.full(self.world.envs[env].root, Class::Rights) & one(env) != 0
                && !self.is_forked(env, Class::Rights);
        }
        own && self.world.envs[env].grant == target
            && self.narrow(self.world.envs[env].root, Class::Rights) & one(env) != 0
            && !self.is_forked(env, Class::Rights)
    }

    // ---- grants ----

    /// Whether a grant stands.
    pub(crate) fn is_born(&self, grant: usize) -> bool {
        if grant == 0 {
            return true;
        }
        if let Some(known) = self.born.borrow().get(&grant) {
            return *known;
        }
        let parent = self.world.grants[grant].parent;
        let born = self.world.grants[parent].holder.is_some()
            && self.is_born(parent)
            && self.items().any(|(no, _, item)| {
                matches!(item, Item::Grant(it) if *it == grant) && self.is_issued(no, grant)
            });
        self.born.borrow_mut().insert(grant, born);
        born
    }

    pub(crate) fn is_issued(&self, no: usize, grant: usize) -> bool {
        let row = &self.world.grants[grant];
        let parent = row.parent;
        let env = self.world.at[no].0;
        if self.world.grants[parent].holder.is_none() || !self.is_born(parent) {
            return false;
        }
        if let Some(signed) = &row.joint {
            return self.world.grants[parent].holder == Some(signed.by)
                && self.stands_jointly(no, signed)
                && self.is_left(env, parent);
        }
        let root = self.world.envs[env].root;
        self.world.envs[env].grant == parent
            && self.full(root, Class::Rights) & one(env) != 0
            && !(self.slips(Slip::BornByFork) && self.is_forked(env, Class::Rights))
    }

    /// Whether all that ends a grant left what lies at an envelope, whoever wrote it.
    fn is_left(&self, env: usize, grant: usize) -> bool {
        let holds = |cut: &[usize]| {
            cut.iter()
                .any(|end| (self.world.envs[*end].past | one(*end)) & one(env) != 0)
        };
        let over = |rights: Rights| rights.has(Rights::ADMIT);
        let above = self.ends(grant, true);
        let own = self.ends(grant, false);
        let all = above.iter().chain(&own).filter(|it| over(it.2));
        let closes = self.closes(grant);
        let closed = !above.iter().any(|it| over(it.2))
            && !closes.is_empty()
            && !closes.iter().any(|cut| holds(cut));
        !closed && all.into_iter().all(|(_, cut, _)| holds(cut))
    }

    pub(crate) fn closes(&self, grant: usize) -> Vec<&'a [usize]> {
        let closes = self.items().filter_map(|(no, _, item)| match item {
            Item::Close { grant: it, cut } if *it == grant => Some((no, cut.as_slice())),
            _ => None,
        });
        closes
            .filter(|(no, _)| self.counts(*no))
            .map(|(_, cut)| cut)
            .collect()
    }

    // ---- what is left to an author ----

    /// What revocations from above and its seat leave to an author.
    pub(crate) fn narrow(&self, root: usize, class: Class) -> Set {
        if let Some(known) = self.narrow.borrow().get(&(root, class)) {
            return *known;
        }
        let mut left = self.hard(root, class);
        left &= self.seat(root);
        self.narrow.borrow_mut().insert((root, class), left);
        left
    }

    /// What revocations from above leave to an author.
    fn hard(&self, root: usize, class: Class) -> Set {
        let grant = self.world.envs[root].grant;
        if !self.is_born(grant) {
            return 0;
        }
        let mut left = self.written(root);
        for (_, cut, rights) in self.ends(grant, true) {
            if class.ends_with(rights) {
                left &= self.mask(cut);
            }
        }
        left
    }

    fn own(&self, root: usize, class: Class) -> Set {
        let mut left = Set::MAX;
        for (_, cut, rights) in self.ends(self.world.envs[root].grant, false) {
            if class.ends_with(rights) {
                left &= self.mask(cut);
            }
        }
        left
    }

    fn closed(&self, root: usize, class: Class) -> Set {
        let grant = self.world.envs[root].grant;
        let closes = self.closes(grant);
        let mut above = self.ends(grant, true);
        if self.slips(Slip::OwnOverridesClose) {
            above.extend(self.ends(grant, false));
        }
        if closes.is_empty() || above.iter().any(|it| class.ends_with(it.2)) {
            return Set::MAX;
        }
        let masks = closes.iter().map(|cut| self.mask(cut));
        if self.slips(Slip::CloseIntersects) {
            return masks.fold(Set::MAX, |all, mask| all & mask);
        }
        masks.fold(0, |all, mask| all | mask)
    }

    /// What nothing but a fork takes from an author.
    pub(crate) fn full(&self, root: usize, class: Class) -> Set {
        if let Some(known) = self.full.borrow().get(&(root, class)) {
            return *known;
        }
        let left = self.narrow(root, class) & self.closed(root, class) & self.own(root, class);
        self.full.borrow_mut().insert((root, class), left);
        left
    }

    fn seat(&self, root: usize) -> Set {
        let env = &self.world.envs[root];
        let Some(member) = self.world.grants[env.grant].holder else {
            return Set::MAX;
        };
        let Some(states) = self.states(member) else {
            return 0;
        };
        let has =
            |state: Option<usize>| self.world.shape(member, state).devices & (1 << env.device) != 0;
        let mut left = 0;
        let mut before = None;
        for act in &states.acts {
            if has(before) && !has(Some(*act)) {
                left = self.mask(&self.world.acts[*act].cut);
            }
            before = Some(*act);
        }
        if has(before) { Set::MAX } else { left }
    }

    // ---- compositions ----

    pub(crate) fn states(&self, member: usize) -> Option<States> {
        if let Some(known) = self.states.borrow().get(&member) {
            return known.clone();
        }
        let mut grants: Vec<(u32, u64, _, usize, usize)> = Vec::new();
        for (_, env, item) in self.items() {
            if let Item::Grant(grant) = item
                && self.world.grants[*grant].holder == Some(member)
            {
                let it = &self.world.envs[env];
                let depth = self.world.grants[*grant].depth;
                grants.push((depth, it.generation, it.id, 0, *grant));
            }
        }
        grants.sort();
        let born = |grant: &usize| self.is_born(*grant);
        let depth = if member == 0 {
            Some(0)
        } else {
            let first = grants.iter().find(|it| born(&it.4));
            first.map(|it| it.0)
        };
        let states = depth.map(|depth| {
            let level = grants
                .iter()
                .filter(|it| it.0 == depth && depth > 0 && born(&it.4));
            let mut above = BTreeSet::new();
            for it in level {
                above.extend(self.above(it.4));
            }
            let mut states = States {
                depth,
                above,
                acts: Vec::new(),
            };
            while let Some(next) = self.next_act(member, &states) {
                states.acts.push(next);
            }
            states
        });
        self.states.borrow_mut().insert(member, states.clone());
        states
    }

    /// Everybody who signed an act, in any of its carriers.
    fn signers(&self, act: usize) -> Option<Devices> {
        let carriers = self.items().filter_map(|(_, env, item)| match item {
            Item::Act { act: it, signers } if *it == act => Some((env, *signers)),
            _ => None,
        });
        let carriers: Vec<_> = carriers.collect();
        if self.slips(Slip::ActByCarrier) {
            // As somebody would have it who asks for the carrier's own standing first.
            let stands = |env: usize| {
                let row = &self.world.acts[act];
                let it = &self.world.envs[env];
                let removed = row.shape.devices & (1 << it.device) == 0
                    && self.member_of(env) == Some(row.member);
                !removed || self.mask(&row.cut) & one(env) != 0
            };
            let left = carriers.iter().filter(|it| stands(it.0));
            return left.map(|it| it.1).reduce(|a, b| a | b);
        }
        carriers.into_iter().map(|it| it.1).reduce(|a, b| a | b)
    }

    fn next_act(&self, member: usize, states: &States) -> Option<usize> {
        let now = states.acts.last().copied();
        let shape = self.world.shape(member, now);
        let mut best = None;
        for (act, row) in self.world.acts.iter().enumerate() {
            if row.member != member
                || row.previous != now
                || row.number != states.acts.len() as u64 + 1
            {
                continue;
            }
            let Some(signers) = self.signers(act) else {
                continue;
            };
            let new = row.shape.devices & !shape.devices;
            if !shape.signed(signers) || signers & new != new {
                continue;
            }
            let counted = signers & shape.devices;
            let senior = (0..64)
                .filter(|device| counted & (1 << device) != 0)
                .map(|device| {
                    let since = self.since(member, states, device);
                    (since, super::model_world::device_key(device))
                })
                .min();
            let weight = (
                self.countersigned(act, states),
                64 - counted.count_ones(),
                senior,
                row.id,
            );
            if best.as_ref().is_none_or(|(least, _)| weight < *least) {
                best = Some((weight, act));
            }
        }
        best.map(|(_, act)| act)
    }

    /// Since which state a device has had its seat.
    fn since(&self, member: usize, states: &States, device: usize) -> usize {
        let mut since = 0;
        let shapes = states.acts.iter().map(|act| self.world.acts[*act].shape);
        let all: Vec<Shape> = core::iter::once(self.world.members[member].first)
            .chain(shapes)
            .collect();
        for (number, shape) in all.iter().enumerate() {
            if shape.devices & (1 << device) == 0 {
                since = number + 1;
            }
        }
        since
    }

    fn countersigned(&self, act: usize, states: &States) -> u32 {
        let mut least = u32::MAX;
        for (_, env, item) in self.items() {
            if !matches!(item, Item::Countersign(it) if *it == act) {
                continue;
            }
            let depth = self.depth_of(env);
            if depth < states.depth
                && self
                    .member_of(env)
                    .is_some_and(|by| states.above.contains(&by))
                && self.full(self.world.envs[env].root, Class::Rights) & one(env) != 0
            {
                least = least.min(depth);
            }
        }
        least
    }

    fn stands_jointly(&self, no: usize, signed: &Signed) -> bool {
        let Some(states) = self.states(signed.by) else {
            return false;
        };
        let mut all = vec![None];
        all.extend(states.acts.iter().copied().map(Some));
        let enough =
            |state: &Option<usize>| self.world.shape(signed.by, *state).signed(signed.devices);
        if all.last().is_some_and(enough) {
            return true;
        }
        let Some(from) = all.iter().position(|state| *state == signed.under) else {
            return false;
        };
        if !enough(&all[from]) {
            return false;
        }
        if self.slips(Slip::JointForEver) {
            return true;
        }
        let end = all[from..]
            .iter()
            .find(|state| !enough(state))
            .copied()
            .flatten();
        let shape = self.world.shape(signed.by, end);
        let tells = |item: &Item| matches!(item, Item::Act { act, .. } if Some(*act) == end);
        let told = self.items().filter(|it| tells(it.2));
        let told = told.fold(0, |told, (_, env, _)| told | one(env));
        self.items().any(|(_, env, item)| {
            // Who says again what was known before is no witness.
            let carries = tells(item) && self.world.envs[env].past & told == 0;
            let it = &self.world.envs[env];
            let holds = (it.past | one(env)) & one(self.world.at[no].0) != 0;
            let of = self.member_of(env);
            let seated = shape.devices & (1 << it.device) != 0;
            let own = of == Some(signed.by) && seated && self.depth_of(env) <= states.depth;
            let above = of.is_some_and(|of| states.above.contains(&of))
                && self.depth_of(env) < states.depth;
            carries && holds && (own || above) && self.narrow(it.root, Class::Other) & one(env) != 0
        })
    }

    // ---- forks ----

    /// What later certificates of the same device choose.
    fn branches(&self, env: usize) -> Set {
        let it = &self.world.envs[env];
        let index = |root: usize| {
            self.world.envs[root]
                .items
                .iter()
                .find_map(|item| match item {
                    Item::Certificate { index, .. } => Some(*index),
                    _ => None,
                })
        };
        let mut chosen = 0;
        for (_, at, item) in self.items() {
            let Item::Certificate {
                index: later,
                branches,
            } = item
            else {
                continue;
            };
            let by = &self.world.envs[at];
            if by.device == it.device
                && Some(*later) > index(it.root)
                && self.depth_of(at) <= self.depth_of(env)
                && !branches.is_empty()
                && self.narrow(at, Class::Other) & one(at) != 0
            {
                chosen |= branches
                    .iter()
                    .fold(0, |set, end| set | self.world.envs[*end].chain);
            }
        }
        chosen
    }

    pub(crate) fn is_forked(&self, env: usize, class: Class) -> bool {
        let it = &self.world.envs[env];
        let Some(number) = self.evidence.get(&it.key) else {
            return false;
        };
        let ends = self.ends(it.grant, true);
        it.number >= *number
            && (!ends.iter().any(|end| class.ends_with(end.2)) || self.slips(Slip::CutByNumber))
            && self.branches(env) & one(env) == 0
    }

    // ---- the whole ----

    /// Whether a device may write what is of this class under a grant.
    pub(crate) fn may(&self, grant: usize, device: usize, class: Class) -> bool {
        let above = self.ends(grant, true);
        let own = self.ends(grant, false);
        let ended = above.iter().chain(&own).any(|end| class.ends_with(end.2));
        let seated = self.world.grants[grant].holder.is_none_or(|member| {
            self.states(member).is_some_and(|states| {
                let shape = self.world.shape(member, states.acts.last().copied());
                shape.devices & (1 << device) != 0
            })
        });
        self.is_born(grant) && !ended && self.closes(grant).is_empty() && seated
    }

    /// Content that stands, is loose or is void.
    pub(crate) fn content(&self, env: usize) -> Standing {
        let root = self.world.envs[env].root;
        let it = one(env);
        let class = Class::Content;
        let own = self.own(root, class) & it != 0;
        let hard_own = self.slips(Slip::OwnCutAtZero) || self.slips(Slip::OwnCutHard);
        let removed = self.seat(root) & it == 0 && self.slips(Slip::RemovalHard);
        let ended = self.hard(root, class) & self.closed(root, class) & it == 0;
        if ended || removed || (hard_own && !own) {
            Standing::Void
        } else if own && self.seat(root) & it != 0 && !self.is_forked(env, class) {
            Standing::Stands
        } else {
            Standing::Loose
        }
    }

    /// Whether a fact stands.
    pub(crate) fn stands(&self, no: usize) -> bool {
        let (env, index) = self.world.at[no];
        let it = &self.world.envs[env];
        match &it.items[index] {
            Item::Grant(grant) => self.is_issued(no, *grant),
            Item::Revocation { .. } | Item::Close { .. } => self.counts(no),
            Item::Act { act, .. } => {
                let member = self.world.acts[*act].member;
                self.states(member)
                    .is_some_and(|states| states.acts.contains(act))
            }
            item => self.full(it.root, item.class()) & one(env) != 0,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Standing {
    Void,
    Loose,
    Stands,
}

/// What stands of a set, envelope by envelope.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Shown {
    /// What bounds nothing: it holds up what it names.
    pub(crate) firm: Set,
    pub(crate) effective: Set,
    pub(crate) kept: Set,
    /// Facts that stand.
    pub(crate) facts: BTreeSet<usize>,
}

/// The same for the model and for the program: `stands` of a fact, `content` and `other` of an
/// envelope (`other`: in the class that goes on longest, forks included), `pinned` of a fact.
pub(crate) struct Judges<'a> {
    pub(crate) stands: &'a dyn Fn(usize) -> bool,
    pub(crate) content: &'a dyn Fn(usize) -> Standing,
    pub(crate) other: &'a dyn Fn(usize) -> bool,
    pub(crate) pinned: &'a dyn Fn(usize) -> bool,
}

pub(crate) fn shown(world: &World, set: Set, judges: &Judges<'_>, along_deps: bool) -> Shown {
    let mut shown = Shown::default();
    let mut loose = 0;
    let mut void = 0;
    for env in each(set) {
        if world.envs[env].items.is_empty() {
            match (judges.content)(env) {
                Standing::Stands => shown.firm |= one(env),
                Standing::Loose => loose |= one(env),
                Standing::Void => void |= one(env),
            }
        }
    }
    let mut pinned = 0;
    for (no, (env, _)) in world.at.iter().enumerate() {
        if set & one(*env) == 0 {
            continue;
        }
        if (judges.stands)(no) {
            shown.facts.insert(no);
            shown.effective |= one(*env);
            if (judges.other)(*env) {
                shown.firm |= one(*env);
            }
        }
        if (judges.pinned)(no) {
            pinned |= one(*env);
        }
    }
    if along_deps {
        for env in each(shown.firm) {
            if world.envs[env].past & void != 0 && world.envs[env].items.is_empty() {
                shown.firm &= !one(env);
            }
        }
    }
    let named = each(shown.firm).fold(0, |set, env| set | world.envs[env].past);
    shown.effective |= shown.firm | (loose & named);
    shown.kept = shown.effective | pinned;
    for env in each(shown.kept) {
        shown.kept |= world.envs[env].past;
    }
    shown
}

impl Naive<'_> {
    /// Whether the carrier of a fact is kept for that alone.
    pub(crate) fn is_pinned(&self, no: usize) -> bool {
        let (env, index) = self.world.at[no];
        match &self.world.envs[env].items[index] {
            Item::Act { .. } => !self.slips(Slip::ActByCarrier),
            Item::Revocation { grant, joint, .. } => {
                let own = self.by(env, joint) == self.world.grants[*grant].holder;
                (own || joint.is_some()) && self.counts(no)
            }
            Item::Grant(grant) => {
                self.world.grants[*grant].joint.is_some() && self.is_issued(no, *grant)
            }
            Item::Certificate { branches, .. } => {
                !branches.is_empty() && self.narrow(env, Class::Other) & one(env) != 0
            }
            _ => false,
        }
    }

    pub(crate) fn shown(&self) -> Shown {
        let judges = Judges {
            stands: &|no| !self.without.contains(&no) && self.stands(no),
            content: &|env| self.content(env),
            other: &|env| {
                let root = self.world.envs[env].root;
                self.full(root, Class::Other) & one(env) != 0 && !self.is_forked(env, Class::Other)
            },
            pinned: &|no| self.is_pinned(no),
        };
        shown(
            self.world,
            self.set,
            &judges,
            self.slips(Slip::VoidAlongDeps),
        )
    }
}
