//! What people and attackers do in a schedule.

use rights::eff::Rights;

use super::model_naive::{Known, Naive};
use super::model_play::{Actor, DAY, FULL, Play, Said};
use super::model_world::{ActRow, Draft, Item, Set, Shape, Signed, World, each, one};

impl Play {
    // ---- people ----

    /// The last envelopes in a set of the chains that `of` chooses by their first envelope.
    pub(crate) fn tips(&self, set: Set, of: impl Fn(&World, usize) -> bool) -> Vec<usize> {
        let mine: Vec<usize> = each(set)
            .filter(|env| of(&self.world, self.world.envs[*env].root))
            .collect();
        let inner = mine.iter().filter_map(|env| self.world.envs[*env].previous);
        let inner = inner.fold(0, |set, env| set | one(env));
        mine.into_iter()
            .filter(|env| inner & one(*env) == 0)
            .collect()
    }

    pub(crate) fn is_bad(&self, device: usize) -> bool {
        self.bad & (1 << device) != 0
    }

    /// One thing happens.
    pub(crate) fn step(&mut self) {
        self.clock += 1;
        if self.chance(35) {
            let (a, b) = (self.below(5), self.below(5));
            if a != b {
                self.sync(a, b);
            }
            return;
        }
        if self.world.envs.len() >= FULL {
            return;
        }
        // Who was only just let in is as likely to speak as the founders.
        let early = if self.chance(35) { 9 } else { usize::MAX };
        let actor = self.below(self.actors.len().min(early));
        if self.is_bad(self.actors[actor].device) {
            self.attack(actor);
        } else {
            self.write(actor);
        }
    }

    /// What an honest device puts before its own item: its certificate.
    pub(crate) fn start(&self, actor: usize, branches: Vec<usize>) -> Vec<Item> {
        let it = &self.actors[actor];
        let mut items = Vec::new();
        if it.tip.is_none() {
            items.push(Item::Certificate {
                index: it.index,
                branches,
            });
            if self.world.grants[it.grant].holder.is_none() {
                items.push(Item::Claim);
            }
        }
        items
    }

    pub(crate) fn write(&mut self, actor: usize) {
        let node = self.actors[actor].node;
        let (set, effective) = (self.replicas[node].set, self.replicas[node].shown.effective);
        let grant = self.actors[actor].grant;
        if grant != 0 && !self.holds(set, grant) {
            return;
        }
        let inner = each(effective).fold(0, |inner, env| inner | self.world.envs[env].past);
        let mut heads: Vec<usize> = each(effective & !inner).collect();
        self.rng.shuffle(&mut heads);
        let mut deps = heads.iter().take(3).fold(0, |deps, env| deps | one(*env));
        let mut branches = Vec::new();
        if self.actors[actor].tip.is_some() && self.chance(6) {
            // A new incarnation, which goes on with what it finds of the old one.
            let key = self.actors[actor].key;
            branches = self.tips(set, |world, root| world.envs[root].key == key);
            deps |= branches.iter().fold(0, |deps, env| deps | one(*env));
            self.actors[actor].tip = None;
            self.actors[actor].index += 1;
            self.actors[actor].key = self.keys;
            self.keys += 1;
        }
        if self.actors[actor].tip.is_none() {
            deps |= self.carrier(set, grant);
        }
        let mut previous = self.actors[actor].tip;
        let set_back = previous.and_then(|tip| self.world.envs[tip].previous);
        if set_back.is_some() && self.chance(4) {
            previous = set_back;
        }
        let past = each(deps | previous.map_or(0, one))
            .fold(0, |past, env| past | one(env) | self.world.envs[env].past);
        let mut items = self.start(actor, branches);
        self.draw_item(actor, past, &mut items);
        let created = self.clock;
        let said = Said {
            created,
            items,
            node,
        };
        self.publish(actor, (previous, deps), said);
    }

    pub(crate) fn carrier(&self, set: Set, grant: usize) -> Set {
        let carries = |env: &usize| {
            let mut items = self.world.envs[*env].items.iter();
            items.any(|item| matches!(item, Item::Grant(it) if *it == grant))
        };
        each(set).find(carries).map_or(0, one)
    }

    pub(crate) fn publish(
        &mut self,
        actor: usize,
        (previous, deps): (Option<usize>, Set),
        said: Said,
    ) {
        let it = self.actors[actor].clone();
        let Said {
            created,
            items,
            node,
        } = said;
        let deps = if self.world.is_lawful() {
            self.name_cuts(&it, (previous, deps), &items)
        } else {
            deps
        };
        let draft = Draft {
            key: it.key,
            previous,
            deps,
            created,
            grant: it.grant,
            device: it.device,
            items,
        };
        let env = self.world.new_env(draft);
        // Who writes checks itself first.
        if self.is_admissible(env) {
            self.actors[actor].tip = Some(env);
            self.offer(node, env);
            self.settle(node);
        }
    }

    /// What is cut is named too, mostly by those who mean harm, always by others. It is in the past
    /// already.
    fn name_cuts(
        &mut self,
        it: &Actor,
        (previous, deps): (Option<usize>, Set),
        items: &[Item],
    ) -> Set {
        let mut named = deps;
        for item in items {
            let cut: &[usize] = match item {
                Item::Revocation { cut, .. } | Item::Close { cut, .. } => cut,
                Item::Act { act, .. } => &self.world.acts[*act].cut,
                Item::Certificate { branches, .. } => branches,
                _ => &[],
            };
            named |= cut.iter().fold(0, |set, env| set | one(*env));
        }
        named &= !previous.map_or(0, one);
        let past = each(deps | previous.map_or(0, one))
            .fold(0, |past, env| past | one(env) | self.world.envs[env].past);
        let forgets = self.is_bad(it.device) && self.chance(20);
        // An act may be carried by somebody whose past does not have what it cuts.
        let fits = named.count_ones() <= 16 && named & !past == 0;
        if forgets || !fits { deps } else { named }
    }

    /// Grants in a past that hang below a member's.
    pub(crate) fn under(&self, past: Set, member: usize) -> Vec<usize> {
        let all = 1..self.world.grants.len();
        all.filter(|grant| self.is_above(member, *grant) && self.holds(past, *grant))
            .collect()
    }

    pub(crate) fn draw_item(&mut self, actor: usize, past: Set, items: &mut Vec<Item>) {
        let it = self.actors[actor].clone();
        let Some(member) = self.world.grants[it.grant].holder else {
            return;
        };
        let under = self.under(past, member);
        let draw = self.rng.below(100);
        let item = match draw {
            0..14 if self.world.grants.len() < 18 => Some(self.new_grant_item(it.grant, None)),
            14..26 => self.draw_revocation(&under, past, None),
            26..29 if it.grant != 0 => self.revocation(it.grant, past, None),
            29..39 => self.draw_close(&under, past),
            39..51 => self.draw_act(member, it.device, past),
            51..57 => self.draw_countersign(past),
            57..60 => self.draw_known_act(),
            60..68 => self.draw_joint(&it, member, &under, past),
            _ => None,
        };
        items.extend(item);
    }

    pub(crate) fn draw_revocation(
        &mut self,
        under: &[usize],
        past: Set,
        joint: Option<Signed>,
    ) -> Option<Item> {
        // More often the hostile one than anybody else.
        let grant = if under.contains(&self.hostile) && self.chance(40) {
            self.hostile
        } else {
            self.pick(under)?
        };
        self.revocation(grant, past, joint)
    }

    pub(crate) fn revocation(
        &mut self,
        grant: usize,
        past: Set,
        joint: Option<Signed>,
    ) -> Option<Item> {
        let cascade = self.chance(30);
        let cut = self.tips(past, |world, root| {
            let at = world.envs[root].grant;
            at == grant || (cascade && world.is_below(at, grant))
        });
        let rights = match self.rng.below(6) {
            0 => Rights::ADMIT,
            1 => Rights::PUBLISH,
            _ => Rights::ALL,
        };
        Some(Item::Revocation {
            grant,
            cut,
            cascade,
            rights,
            joint,
        })
    }

    pub(crate) fn draw_close(&mut self, under: &[usize], past: Set) -> Option<Item> {
        let over =
            |grant: &&usize| self.world.grants[**grant].until.saturating_add(DAY) <= self.clock;
        let over: Vec<usize> = under.iter().filter(over).copied().collect();
        let grant = self.pick(&over)?;
        let cut = self.tips(past, |world, root| world.envs[root].grant == grant);
        Some(Item::Close { grant, cut })
    }

    /// The newest act in a past, as far as its structure goes, and its shape.
    pub(crate) fn newest(&self, member: usize, past: Set) -> Option<usize> {
        let naive_known = Known::new();
        let naive = Naive::new(&self.world, past, &naive_known, self.slip);
        naive
            .states(member)
            .and_then(|states| states.acts.last().copied())
    }

    pub(crate) fn draw_act(&mut self, member: usize, device: usize, past: Set) -> Option<Item> {
        let previous = self.newest(member, past);
        let before = self.world.shape(member, previous);
        let bad = self.is_bad(device);
        // Honest devices of one person are on one desk; so are an attacker's.
        let willing = if bad { self.bad } else { !self.bad };
        let mut signers = before.devices & willing;
        let mut devices = before.devices;
        let others: Vec<usize> = each((before.devices & !(1 << device)).into()).collect();
        if self.chance(60) && !others.is_empty() && before.devices.count_ones() > 1 {
            // Who leaves may say so itself, and carry the act that cuts it off.
            let gone = if self.chance(15) {
                device
            } else {
                self.pick(&others)?
            };
            devices &= !(1 << gone);
        } else if self.devices < 60 {
            devices |= 1 << self.devices;
            signers |= 1 << self.devices;
            if bad {
                self.bad |= 1 << self.devices;
            }
            let grants: Vec<usize> = (0..self.world.grants.len())
                .filter(|grant| self.world.grants[*grant].holder == Some(member))
                .collect();
            let grant = self.pick(&grants)?;
            self.cast(self.devices, grant);
            self.devices += 1;
        }
        let threshold = before.threshold.min(devices.count_ones());
        let gone = before.devices & !devices;
        let cut = self.tips(past, |world, root| {
            let at = &world.envs[root];
            gone & (1 << at.device) != 0 && world.grants[at.grant].holder == Some(member)
        });
        let row = ActRow {
            member,
            number: previous.map_or(1, |act| self.world.acts[act].number + 1),
            previous,
            shape: Shape { devices, threshold },
            cut,
            id: identity::ActId::from_bytes([0; 32]),
        };
        let act = self.world.new_act(row);
        Some(Item::Act { act, signers })
    }

    pub(crate) fn draw_countersign(&mut self, past: Set) -> Option<Item> {
        let acts: Vec<usize> = (0..self.world.acts.len())
            .filter(|act| self.has_act(past, *act))
            .collect();
        self.pick(&acts).map(Item::Countersign)
    }

    /// Carries an act that is there already, or that came by another way.
    pub(crate) fn draw_known_act(&mut self) -> Option<Item> {
        let envs = self.world.envs.iter().flat_map(|env| &env.items);
        let acts = envs.filter_map(|item| match item {
            Item::Act { act, signers } => Some((*act, *signers)),
            _ => None,
        });
        let acts: Vec<_> = acts.collect();
        let (act, signers) = self.pick(&acts)?;
        Some(Item::Act { act, signers })
    }

    pub(crate) fn draw_joint(
        &mut self,
        it: &Actor,
        member: usize,
        under: &[usize],
        past: Set,
    ) -> Option<Item> {
        let newest = self.newest(member, past);
        let willing = if self.is_bad(it.device) {
            self.bad
        } else {
            !self.bad
        };
        let signed = Signed {
            by: member,
            under: newest,
            devices: self.world.shape(member, newest).devices & willing,
        };
        if self.chance(50) && self.world.grants.len() < 18 {
            let mut parent = it.grant;
            if self.world.is_lawful() && self.chance(40) {
                // Whatever the composition has, known or not.
                let grants = self.world.grants.iter().enumerate();
                let held = grants.filter(|(_, row)| row.holder == Some(member));
                let held: Vec<usize> = held.map(|(grant, _)| grant).collect();
                parent = self.pick(&held).unwrap_or(parent);
            }
            Some(self.new_grant_item(parent, Some(signed)))
        } else if self.chance(20) && it.grant != 0 {
            self.revocation(it.grant, past, Some(signed))
        } else {
            self.draw_revocation(under, past, Some(signed))
        }
    }

    // ---- attackers ----

    /// Builds on anything, claims any time and says anything, to a replica of its choice.
    pub(crate) fn attack(&mut self, actor: usize) {
        let it = self.actors[actor].clone();
        let all = self.world.envs.len();
        let key = it.key;
        let mine: Vec<usize> = (0..all)
            .filter(|env| self.world.envs[*env].key == key)
            .collect();
        let previous = if self.chance(80) {
            self.pick(&mine)
        } else {
            None
        };
        if previous.is_none() && !mine.is_empty() && self.chance(50) {
            // A new incarnation instead of a fork of the first envelope.
            self.actors[actor].key = self.keys;
            self.actors[actor].index += 1;
            self.keys += 1;
        }
        let mut deps = self.carrier(Set::MAX >> (128 - all), it.grant);
        for _ in 0..self.below(3) {
            let reach = if self.chance(50) { all } else { all.min(12) };
            let env = all - 1 - self.below(reach);
            if self.is_admissible(env) {
                deps |= one(env);
            }
        }
        let past = each(deps | previous.map_or(0, one))
            .fold(0, |past, env| past | one(env) | self.world.envs[env].past);
        let mut items = Vec::new();
        if previous.is_none() {
            self.actors[actor].tip = None;
            let branches: Vec<usize> = mine
                .iter()
                .copied()
                .filter(|env| past & one(*env) != 0)
                .collect();
            items = self.start(actor, branches.into_iter().take(2).collect());
        }
        let least = previous.map_or(0, |env| self.world.envs[env].created);
        let back = if self.chance(50) {
            self.rng.below(60)
        } else {
            0
        };
        let created = least.max(self.clock.saturating_sub(back));
        let parents = self.world.grants.len();
        self.draw_attack(actor, past, &mut items);
        // Whom a hostile one admits is hostile, if it was nobody before.
        if self.world.grants.len() > parents && self.chance(70) {
            let grant = &self.world.grants[parents];
            if let Some(member) = grant.holder
                && member + 1 == self.world.members.len()
            {
                self.bad |= self.world.members[member].first.devices;
            }
        }
        for item in &mut items {
            self.twist(item, past);
        }
        let node = self.below(5);
        let said = Said {
            created,
            items,
            node,
        };
        self.publish(actor, (previous, deps), said);
        for node in 0..5 {
            self.settle(node);
        }
    }

    /// What anybody may say, an end that comes too early, or one of somebody out of its reach.
    pub(crate) fn draw_attack(&mut self, actor: usize, past: Set, items: &mut Vec<Item>) {
        let it = self.actors[actor].clone();
        match self.rng.below(100) {
            0..50 => self.draw_item(actor, past, items),
            50..60 => {
                let holder = self.world.grants[it.grant].holder;
                let under = holder.map_or(vec![], |holder| self.under(past, holder));
                items.extend(self.draw_close(&under, past));
            }
            60..66 => {
                // Whoever it has no power over.
                let all: Vec<usize> = (1..self.world.grants.len())
                    .filter(|grant| self.holds(past, *grant))
                    .collect();
                items.extend(self.draw_revocation(&all, past, None));
            }
            _ => {}
        }
    }

    /// Cuts as low as the rules let it.
    pub(crate) fn twist(&mut self, item: &mut Item, past: Set) {
        let keep = self.below(4);
        match item {
            Item::Revocation { cut, .. } | Item::Close { cut, .. } if keep < 2 => {
                cut.truncate(keep);
                if let Some(end) = cut.first_mut()
                    && let Some(before) = self.world.envs[*end].previous
                    && past & one(before) != 0
                {
                    *end = before;
                }
            }
            _ => {}
        }
    }
}
