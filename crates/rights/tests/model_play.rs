//! Random schedules: five replicas, honest people, a hostile administrator and a stolen device.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use machine::Rng;
use rights::eff::{AuthorNo, Class, Effect, FactNo, Verdict, eff};

use super::model_naive::{CLASSES, Judges, Known, Naive, Shown, Slip, Standing, shown};
use super::model_world::{Devices, Draft, Item, Set, Shape, Signed, World, device_key, each, one};

/// Claimed time between two envelopes; a close waits for so long after the end.
pub(crate) const DAY: u64 = 4;

/// Beyond this many envelopes nobody writes.
pub(crate) const FULL: usize = 96;

#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) device: usize,
    pub(crate) grant: usize,
    pub(crate) node: usize,
    pub(crate) key: usize,
    pub(crate) tip: Option<usize>,
    pub(crate) index: u32,
}

#[derive(Clone, Default)]
pub(crate) struct Replica {
    pub(crate) set: Set,
    pub(crate) known: Known,
    pub(crate) shown: Shown,
}

pub(crate) struct Play {
    pub(crate) world: World,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) slip: Option<Slip>,
    /// Devices that act for an attacker.
    pub(crate) bad: Devices,
    /// The hostile administrator's grant.
    pub(crate) hostile: usize,
    pub(crate) rng: Rng,
    pub(crate) actors: Vec<Actor>,
    pub(crate) devices: usize,
    pub(crate) keys: usize,
    pub(crate) clock: u64,
    pub(crate) verdicts: BTreeMap<usize, bool>,
    pub(crate) looked: RefCell<BTreeMap<(Set, Known), Shown>>,
}

/// What an envelope says, when, and to which replica first.
pub(crate) struct Said {
    pub(crate) created: u64,
    pub(crate) items: Vec<Item>,
    pub(crate) node: usize,
}

/// What one schedule came to.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Ending {
    pub(crate) same: bool,
    pub(crate) silent: bool,
}

pub(crate) fn facts_effect(world: &World, set: Set, known: &Known) -> Effect {
    let authors = world.envs.iter().enumerate();
    let mut evidence = BTreeMap::new();
    for (no, env) in authors.filter(|(no, env)| env.root == *no) {
        if let Some(number) = known.get(&env.key) {
            evidence.insert(AuthorNo(no as u32), *number);
        }
    }
    eff(world, &world.facts_of(set), &evidence)
}

pub(crate) fn shown_by_effect(world: &World, set: Set, effect: &Effect) -> Shown {
    let standing = |env: usize, class| match effect.judge(world, &world.spot(env), class) {
        Verdict::Stands => Standing::Stands,
        Verdict::Loose(_) => Standing::Loose,
        Verdict::Void(_) => Standing::Void,
    };
    let judges = Judges {
        stands: &|no| !effect.void().contains_key(&FactNo(no as u32)),
        content: &|env| standing(env, Class::Content),
        other: &|env| effect.is_firm(world, &world.spot(env), Class::Other),
        pinned: &|no| effect.pinned().contains(&FactNo(no as u32)),
    };
    shown(world, set, &judges, false)
}

pub(crate) fn forks(world: &World, set: Set) -> Known {
    let mut seen = BTreeSet::new();
    let mut forks = Known::new();
    for env in each(set) {
        let it = &world.envs[env];
        if !seen.insert((it.key, it.number)) {
            let least = forks.entry(it.key).or_insert(it.number);
            *least = it.number.min(*least);
        }
    }
    forks
}

fn merge(into: &mut Known, from: &Known) {
    for (key, number) in from {
        let least = into.entry(*key).or_insert(*number);
        *least = (*number).min(*least);
    }
}

impl Play {
    pub(crate) fn new(seed: u64, slip: Option<Slip>) -> Self {
        Self::drawn(seed, slip, World::new)
    }

    /// Under the rules of the law.
    pub(crate) fn lawful(seed: u64) -> Self {
        Self::drawn(seed, None, |salt, owners| {
            let mut world = World::new(salt, owners);
            world.make_lawful();
            world
        })
    }

    pub(crate) fn drawn(
        seed: u64,
        slip: Option<Slip>,
        world: impl FnOnce(u64, Shape) -> World,
    ) -> Self {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let mut rng = Rng::from_seed(bytes);
        let owners = match rng.below(4) {
            0 => Shape {
                devices: 0b11,
                threshold: 1,
            },
            1 => Shape {
                devices: 0b111,
                threshold: 2,
            },
            _ => Shape {
                devices: 0b1,
                threshold: 1,
            },
        };
        let devices = owners.devices.count_ones() as usize;
        let mut play = Self {
            world: world(rng.next_u64(), owners),
            replicas: vec![Replica::default(); 5],
            slip,
            bad: 0,
            hostile: 0,
            rng,
            actors: Vec::new(),
            devices,
            keys: 0,
            clock: 100,
            verdicts: BTreeMap::new(),
            looked: RefCell::default(),
        };
        for device in 0..devices {
            play.cast(device, 0);
        }
        play.begin();
        play
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound.max(1) as u64) as usize
    }

    pub(crate) fn chance(&mut self, of_hundred: u64) -> bool {
        self.rng.below(100) < of_hundred
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        let at = self.below(from.len());
        from.get(at).copied()
    }

    pub(crate) fn cast(&mut self, device: usize, grant: usize) {
        let node = self.below(5);
        self.actors.push(Actor {
            device,
            grant,
            node,
            key: self.keys,
            tip: None,
            index: 0,
        });
        self.keys += 1;
    }

    pub(crate) fn new_shape(&mut self) -> Shape {
        let count = [1, 1, 2, 2, 3][self.below(5)].min(60 - self.devices.min(59));
        let devices = ((1_u64 << count) - 1) << self.devices;
        self.devices += count;
        let threshold = if count > 1 && self.chance(40) { 2 } else { 1 };
        Shape { devices, threshold }
    }

    /// The root admits three members. One of them is hostile, and a device of another is stolen.
    pub(crate) fn begin(&mut self) {
        let mut items = vec![Item::Certificate {
            index: 0,
            branches: vec![],
        }];
        for _ in 0..3 {
            items.push(self.new_grant_item(0, None));
        }
        let draft = Draft {
            key: self.actors[0].key,
            previous: None,
            deps: 0,
            created: self.clock,
            grant: 0,
            device: 0,
            items,
        };
        let first = self.world.new_env(draft);
        self.actors[0].tip = Some(first);
        self.hostile = 1;
        let holder = self.world.grants[1].holder.unwrap();
        self.bad = self.world.members[holder].first.devices;
        let several: Vec<usize> = (2..4)
            .filter(|grant| self.first_shape(*grant).devices.count_ones() > 1)
            .collect();
        if let Some(grant) = self.pick(&several) {
            let devices: Vec<usize> = each(self.first_shape(grant).devices.into()).collect();
            let stolen = self.pick(&devices).unwrap();
            self.bad |= 1 << stolen;
        }
        for node in 0..5 {
            self.offer(node, first);
            self.settle(node);
        }
        // The hostile one has somebody honest below it, for a while.
        let actor = self.actors.iter().position(|it| it.grant == 1).unwrap();
        let mut items = self.start(actor, vec![]);
        items.push(self.new_grant_item(1, None));
        self.world.end_last_grant(self.clock + 14);
        let (created, node) = (self.clock, self.below(5));
        let said = Said {
            created,
            items,
            node,
        };
        self.publish(actor, (None, one(first)), said);
    }

    pub(crate) fn first_shape(&self, grant: usize) -> Shape {
        self.world.members[self.world.grants[grant].holder.unwrap()].first
    }

    /// A grant to somebody new, with the people who will write under it.
    pub(crate) fn new_grant_item(&mut self, parent: usize, joint: Option<Signed>) -> Item {
        let until = if self.chance(40) {
            self.clock + 3 + self.rng.below(20)
        } else {
            u64::MAX
        };
        if joint.is_none() && parent > 0 && self.chance(15) {
            let grant = self.world.new_grant(parent, None, until, None);
            let device = self.devices;
            self.devices += 1;
            self.cast(device, grant);
            return Item::Grant(grant);
        }
        let again = self.chance(20) && self.world.members.len() > 2;
        let member = if again {
            1 + self.below(self.world.members.len() - 1)
        } else {
            let shape = self.new_shape();
            self.world.new_member(shape)
        };
        let grant = self.world.new_grant(parent, Some(member), until, joint);
        for device in each(self.world.members[member].first.devices.into()) {
            self.cast(device, grant);
        }
        Item::Grant(grant)
    }

    // ---- replicas ----

    /// What a set comes to. Asked often for the same, which does not change.
    pub(crate) fn look(&self, set: Set, known: &Known) -> Shown {
        let key = (set, known.clone());
        if let Some(shown) = self.looked.borrow().get(&key) {
            return shown.clone();
        }
        let shown = self.look_anew(set, known);
        self.looked.borrow_mut().insert(key, shown.clone());
        shown
    }

    pub(crate) fn look_anew(&self, set: Set, known: &Known) -> Shown {
        let naive = Naive::new(&self.world, set, known, self.slip);
        let expected = naive.shown();
        if self.slip.is_none() {
            let effect = facts_effect(&self.world, set, known);
            let found = shown_by_effect(&self.world, set, &effect);
            assert_eq!(found, expected, "the program and the model differ");
            for (no, env) in self.world.envs.iter().enumerate() {
                if set & one(no) == 0 {
                    continue;
                }
                for class in CLASSES {
                    let grant = &self.world.grants[env.grant].id;
                    let device = device_key(env.device);
                    assert_eq!(
                        effect.may(&self.world, grant, &device, class),
                        naive.may(env.grant, env.device, class),
                        "whether envelope {no} may be followed by {class:?}"
                    );
                }
            }
            for (member, row) in self.world.members.iter().enumerate() {
                let states = naive.states(member).map(|it| it.acts.len());
                let found = effect.member(&row.id).map(|it| it.states.len() - 1);
                assert_eq!(found, states, "the state of member {member}");
            }
        }
        expected
    }

    pub(crate) fn settle(&mut self, node: usize) {
        for _ in 0..10 {
            let set = self.replicas[node].set;
            let mut known = self.replicas[node].known.clone();
            merge(&mut known, &forks(&self.world, set));
            let shown = self.look(set, &known);
            let replica = &mut self.replicas[node];
            replica.known = known;
            replica.set = shown.kept;
            replica.shown = shown;
            if replica.set == set {
                break;
            }
        }
    }

    /// Everything that the envelope needs comes with it.
    pub(crate) fn offer(&mut self, node: usize, env: usize) -> bool {
        let mut moved = false;
        for it in each(self.world.envs[env].past | one(env)) {
            if self.replicas[node].set & one(it) == 0 && self.is_admissible(it) {
                self.replicas[node].set |= one(it);
                moved = true;
            }
        }
        moved
    }

    /// Both show what they keep; answers whether anything went from one to the other.
    pub(crate) fn sync(&mut self, a: usize, b: usize) -> bool {
        let mut known = self.replicas[a].known.clone();
        merge(&mut known, &self.replicas[b].known);
        self.replicas[a].known = known.clone();
        self.replicas[b].known = known;
        self.settle(a);
        self.settle(b);
        let mut moved = false;
        for (from, to) in [(a, b), (b, a)] {
            for env in each(self.replicas[from].set & !self.replicas[to].set) {
                moved |= self.offer(to, env);
            }
        }
        self.settle(a);
        self.settle(b);
        moved
    }

    // ---- admission ----

    pub(crate) fn is_admissible(&mut self, env: usize) -> bool {
        if let Some(known) = self.verdicts.get(&env) {
            return *known;
        }
        let past = self.world.envs[env].past;
        let known = match self.slip {
            // Forks inside the past count, as the design once had it.
            Some(Slip::BornByFork) => forks(&self.world, past),
            _ => Known::new(),
        };
        let fine = each(past).all(|before| self.is_admissible(before)) && {
            if self.slip.is_none() && self.world.envs.len().is_multiple_of(4) {
                self.look(past, &known);
            }
            let naive = Naive::new(&self.world, past, &known, self.slip);
            let admissible = self.follows_rules(env, &naive);
            if self.slip.is_none() {
                let it = &self.world.envs[env];
                let effect = facts_effect(&self.world, past, &known);
                let grant = &self.world.grants[it.grant].id;
                let device = device_key(it.device);
                for class in CLASSES {
                    assert_eq!(
                        effect.may(&self.world, grant, &device, class),
                        naive.may(it.grant, it.device, class),
                    );
                }
            }
            admissible
        };
        self.verdicts.insert(env, fine);
        fine
    }

    pub(crate) fn follows_rules(&self, env: usize, naive: &Naive<'_>) -> bool {
        let it = &self.world.envs[env];
        let known = it.grant == 0 || self.holds(it.past, it.grant);
        let before = it.previous.is_none_or(|before| {
            let before = &self.world.envs[before];
            (before.key, before.grant, before.device) == (it.key, it.grant, it.device)
                && before.created <= it.created
        });
        let begun =
            it.previous.is_some() || matches!(it.items.first(), Some(Item::Certificate { .. }));
        let class = if it.items.is_empty() {
            Class::Content
        } else {
            Class::Other
        };
        known
            && before
            && begun
            && (!self.world.is_lawful() || self.is_in_time(env))
            && naive.may(it.grant, it.device, class)
            && it
                .items
                .iter()
                .all(|item| self.item_follows_rules(env, item, naive))
    }

    pub(crate) fn holds(&self, past: Set, grant: usize) -> bool {
        each(past).any(|env| {
            let mut items = self.world.envs[env].items.iter();
            items.any(|item| matches!(item, Item::Grant(it) if *it == grant))
        })
    }

    pub(crate) fn item_follows_rules(&self, env: usize, item: &Item, naive: &Naive<'_>) -> bool {
        let it = &self.world.envs[env];
        let holder = self.world.grants[it.grant].holder;
        let may = naive.may(it.grant, it.device, item.class());
        let near = if self.world.is_lawful() {
            self.named_near(env)
        } else {
            it.past
        };
        let in_past = |cut: &[usize]| cut.iter().all(|end| near & one(*end) != 0);
        let higher = |grant: usize| {
            !self.world.is_lawful()
                || self.world.grants[it.grant].depth < self.world.grants[grant].depth
        };
        let signed = |signed: &Signed| {
            naive.states(signed.by).is_some_and(|states| {
                let newest = states.acts.last().copied();
                newest == signed.under && self.world.shape(signed.by, newest).signed(signed.devices)
            })
        };
        match item {
            Item::Grant(grant) => {
                let row = &self.world.grants[*grant];
                let parent = &self.world.grants[row.parent];
                parent.holder.is_some()
                    && row.depth <= 8
                    && match &row.joint {
                        Some(joint) => {
                            parent.holder == Some(joint.by)
                                && signed(joint)
                                && (!self.world.is_lawful() || self.knows(it.past, row.parent))
                                && naive.is_born(row.parent)
                                && self.may_issue_jointly(row.parent, it.created, naive)
                        }
                        None => row.parent == it.grant && may,
                    }
            }
            Item::Revocation {
                grant, cut, joint, ..
            } => {
                let by = joint.as_ref().map_or(holder, |joint| Some(joint.by));
                let own = by.is_some() && by == self.world.grants[*grant].holder;
                let above = by.is_some_and(|by| self.is_above(by, *grant));
                let free = above || self.slip == Some(Slip::RevokedByAnybody);
                let reaches = match self.slip {
                    Some(Slip::OwnCutAtZero) => true,
                    _ => self.reaches_all(env, cut, naive, |root| {
                        self.world.envs[root].grant == *grant
                    }),
                };
                let high = joint.is_some() || higher(*grant) || (own && it.grant == *grant);
                let legal = if own { reaches } else { free };
                *grant != 0
                    && (it.grant == *grant || self.holds(it.past, *grant))
                    && in_past(cut)
                    && joint.as_ref().map_or(may, signed)
                    && legal
                    && high
            }
            Item::Close { grant, cut } => {
                let row = &self.world.grants[*grant];
                let above = holder.is_some_and(|by| self.is_above(by, *grant));
                let mask = naive.mask(cut);
                let high = match self.world.is_lawful() {
                    true => self.reaches_all(env, cut, naive, |root| {
                        self.world.envs[root].grant == *grant
                    }),
                    false => each(it.past).all(|env| {
                        let at = &self.world.envs[env];
                        at.grant != *grant || at.created > row.until || mask & one(env) != 0
                    }),
                };
                let late = row.until.saturating_add(DAY) <= it.created;
                may && above
                    && higher(*grant)
                    && self.holds(it.past, *grant)
                    && in_past(cut)
                    && late
                    && (high || self.slip == Some(Slip::LowClose))
            }
            Item::Act { act, signers } => self.act_follows_rules(env, (*act, *signers), naive),
            Item::Certificate { branches, .. } => it.previous.is_none() && in_past(branches),
            Item::Claim => holder.is_none(),
            Item::Countersign(act) => may && self.has_act(it.past, *act),
        }
    }

    /// What only the law of signed worlds asks of an envelope: when it may be written, and how often
    /// its device may begin anew.
    fn is_in_time(&self, env: usize) -> bool {
        let it = &self.world.envs[env];
        let until = self.world.grants[it.grant].until;
        let index = match it.items.first() {
            Some(Item::Certificate { index, branches }) => {
                if branches.len() > 8 {
                    return false;
                }
                u64::from(*index)
            }
            _ => 0,
        };
        let began = each(it.named).filter(|dep| one(*dep) & self.carriers(it.grant) != 0);
        let began = began.map(|dep| self.world.envs[dep].created).min();
        let weeks = it.created.saturating_sub(began.unwrap_or(0)) / (7 * DAY);
        it.created < until && index <= 16 + weeks
    }

    /// Whether a past has a grant.
    fn knows(&self, past: Set, grant: usize) -> bool {
        grant == 0 || self.holds(past, grant)
    }

    /// The envelopes that carry a grant.
    fn carriers(&self, grant: usize) -> Set {
        let envs = self.world.envs.iter().enumerate();
        let carry = envs.filter(|(_, env)| {
            let mut items = env.items.iter();
            items.any(|item| matches!(item, Item::Grant(it) if *it == grant))
        });
        carry.fold(0, |set, (env, _)| set | one(env))
    }

    fn may_issue_jointly(&self, parent: usize, created: u64, naive: &Naive<'_>) -> bool {
        let (above, own) = (naive.ends(parent, true), naive.ends(parent, false));
        if !self.world.is_lawful() {
            return above.is_empty() && own.is_empty();
        }
        let mut ends = above.iter().chain(&own);
        !ends.any(|end| Class::Rights.ends_with(end.2))
            && naive.closes(parent).is_empty()
            && created < self.world.grants[parent].until
    }

    /// What an envelope names, and the 16 before it on its chain.
    fn named_near(&self, env: usize) -> Set {
        let mut named = self.world.envs[env].named;
        let mut at = env;
        for _ in 0..16 {
            let Some(before) = self.world.envs[at].previous else {
                break;
            };
            named |= self.world.envs[before].named;
            at = before;
        }
        named
    }

    fn act_follows_rules(
        &self,
        env: usize,
        (act, signers): (usize, Devices),
        naive: &Naive<'_>,
    ) -> bool {
        let past = self.world.envs[env].past;
        let near = if self.world.is_lawful() {
            self.named_near(env)
        } else {
            past
        };
        let row = &self.world.acts[act];
        // It stands by its own signatures: who carries it once more says nothing new.
        if self.has_act(past, act) {
            return true;
        }
        let there = match row.previous {
            Some(act) => self.has_act(past, act),
            // Its first form is told by a grant.
            None => !self.world.is_lawful() || self.is_told(past, row.member),
        };
        let before = self.world.shape(row.member, row.previous);
        let gone = before.devices & !row.shape.devices;
        let new = row.shape.devices & !before.devices;
        there
            && before.signed(signers)
            && signers & new == new
            && row.cut.iter().all(|end| near & one(*end) != 0)
            && self.reaches_all(env, &row.cut, naive, |root| {
                let at = &self.world.envs[root];
                gone & (1 << at.device) != 0
                    && self.world.grants[at.grant].holder == Some(row.member)
            })
    }

    pub(crate) fn is_above(&self, member: usize, grant: usize) -> bool {
        let mut at = grant;
        while at != 0 {
            at = self.world.grants[at].parent;
            if self.world.grants[at].holder == Some(member) {
                return true;
            }
        }
        false
    }

    fn is_told(&self, past: Set, member: usize) -> bool {
        let grants = self.world.grants.iter().enumerate();
        let mut held = grants.filter(|(_, row)| row.holder == Some(member));
        member == 0 || held.any(|(grant, _)| self.holds(past, grant))
    }

    pub(crate) fn has_act(&self, past: Set, act: usize) -> bool {
        each(past).any(|env| {
            let mut items = self.world.envs[env].items.iter();
            items.any(|item| matches!(item, Item::Act { act: it, .. } if *it == act))
        })
    }

    /// Whether a cut leaves all that the past has of these authors; where it is written down, all
    /// control of the past and all that is named.
    pub(crate) fn reaches_all(
        &self,
        env: usize,
        cut: &[usize],
        naive: &Naive<'_>,
        of: impl Fn(usize) -> bool,
    ) -> bool {
        let mask = naive.mask(cut);
        let it = &self.world.envs[env];
        let seen = |before: &usize| self.world.sees(env, *before);
        each(it.past)
            .filter(seen)
            .all(|env| !of(self.world.envs[env].root) || mask & one(env) != 0)
    }

    /// All that was admitted anywhere, and all that is known of forks.
    pub(crate) fn all(&self) -> (Set, Known) {
        let admitted = self.verdicts.iter().filter(|it| *it.1);
        let all = admitted.fold(0, |all, it| all | one(*it.0));
        let mut known = forks(&self.world, all);
        for replica in &self.replicas {
            merge(&mut known, &replica.known);
        }
        (all, known)
    }

    /// Everybody meets everybody until nothing moves.
    pub(crate) fn finish(&mut self) -> Ending {
        let mut silent = false;
        for _ in 0..12 {
            let mut moved = false;
            for a in 0..5 {
                for b in 0..a {
                    moved |= self.sync(a, b);
                }
            }
            if !moved {
                silent = true;
                break;
            }
        }
        let first = &self.replicas[0];
        let same = self
            .replicas
            .iter()
            .all(|it| (it.set, &it.known, &it.shown) == (first.set, &first.known, &first.shown));
        Ending { same, silent }
    }
}
