//! A small world of envelopes, as plain sets: at most 128 of them, a set is one number.

use std::collections::{BTreeMap, BTreeSet};

use identity::{ActId, EnvelopeId, Form, GrantId, Id, PublicKey};
use rights::eff::{
    Act, AuthorNo, Certificate, Claim, Class, Close, Fact, FactNo, Facts, Grant, Invite, Joint,
    Revocation, Rights, Root, Spot, What,
};

pub(crate) use super::model_keys::device_key;

/// A set of envelopes by their numbers in the world.
pub(crate) type Set = u128;

/// A set of devices.
pub(crate) type Devices = u64;

pub(crate) const fn one(env: usize) -> Set {
    1 << env
}

pub(crate) fn each(set: Set) -> impl Iterator<Item = usize> {
    (0..128).filter(move |env| set & one(*env) != 0)
}

pub(crate) fn keys(devices: Devices) -> BTreeSet<PublicKey> {
    let chosen = (0..64).filter(|device| devices & (1 << device) != 0);
    chosen.map(device_key).collect()
}

/// A composition's devices and how many it takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Shape {
    pub(crate) devices: Devices,
    pub(crate) threshold: u32,
}

impl Shape {
    pub(crate) const fn signed(self, by: Devices) -> bool {
        (self.devices & by).count_ones() >= self.threshold
    }

    pub(crate) fn form(self) -> Form {
        Form::equal(&keys(self.devices), self.threshold as u8).unwrap()
    }
}

/// Who signed for a composition: in which state (0: the first), with which devices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed {
    pub(crate) by: usize,
    pub(crate) under: Option<usize>,
    pub(crate) devices: Devices,
}

#[derive(Clone, Debug)]
pub(crate) enum Item {
    Grant(usize),
    Revocation {
        grant: usize,
        cut: Vec<usize>,
        cascade: bool,
        rights: Rights,
        joint: Option<Signed>,
    },
    Close {
        grant: usize,
        cut: Vec<usize>,
    },
    Act {
        act: usize,
        signers: Devices,
    },
    Certificate {
        index: u32,
        branches: Vec<usize>,
    },
    Claim,
    Countersign(usize),
}

/// A grant, or an invite if nobody holds it.
#[derive(Clone, Debug)]
pub(crate) struct GrantRow {
    pub(crate) parent: usize,
    pub(crate) holder: Option<usize>,
    pub(crate) joint: Option<Signed>,
    pub(crate) until: u64,
    pub(crate) depth: u32,
    pub(crate) id: GrantId,
}

#[derive(Clone, Debug)]
pub(crate) struct ActRow {
    pub(crate) member: usize,
    pub(crate) number: u64,
    pub(crate) previous: Option<usize>,
    pub(crate) shape: Shape,
    pub(crate) cut: Vec<usize>,
    pub(crate) id: ActId,
}

#[derive(Clone, Debug)]
pub(crate) struct MemberRow {
    pub(crate) first: Shape,
    pub(crate) form: Form,
    pub(crate) id: Id,
}

#[derive(Clone, Debug)]
pub(crate) struct Env {
    pub(crate) key: usize,
    /// The first envelope of its chain.
    pub(crate) root: usize,
    pub(crate) number: u64,
    pub(crate) previous: Option<usize>,
    pub(crate) generation: u64,
    pub(crate) created: u64,
    /// Its previous envelope and its deps.
    pub(crate) named: Set,
    /// Without itself.
    pub(crate) past: Set,
    /// Itself and all before it on its chain.
    pub(crate) chain: Set,
    pub(crate) grant: usize,
    pub(crate) device: usize,
    /// Of content there are none.
    pub(crate) items: Vec<Item>,
    pub(crate) id: EnvelopeId,
}

/// What a new envelope is made of.
pub(crate) struct Draft {
    pub(crate) key: usize,
    pub(crate) previous: Option<usize>,
    pub(crate) deps: Set,
    pub(crate) created: u64,
    pub(crate) grant: usize,
    pub(crate) device: usize,
    pub(crate) items: Vec<Item>,
}

/// Writes down what happens in a world, and gives everything its true id.
pub(crate) trait Scribe {
    fn root(&mut self, owners: &Form) -> GrantId;
    fn grant(&mut self, world: &World, row: &GrantRow) -> GrantId;
    fn act(&mut self, world: &World, row: &ActRow) -> ActId;
    fn env(&mut self, world: &World, env: &Env) -> EnvelopeId;
}

pub(crate) struct World {
    pub(crate) salt: u64,
    scribe: Option<Box<dyn Scribe>>,
    lawful: bool,
    by_id: BTreeMap<EnvelopeId, usize>,
    pub(crate) envs: Vec<Env>,
    pub(crate) facts: Vec<Fact>,
    /// The envelope and the place in it of every fact.
    pub(crate) at: Vec<(usize, usize)>,
    pub(crate) grants: Vec<GrantRow>,
    pub(crate) acts: Vec<ActRow>,
    pub(crate) members: Vec<MemberRow>,
    root: Root,
}

fn scrambled(salt: u64, kind: u64, number: usize) -> [u8; 32] {
    let mut mixed = salt ^ (kind << 56) ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^= mixed >> 29;
    mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^= mixed >> 32;
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&mixed.to_be_bytes());
    bytes[23] = kind as u8;
    bytes[24..].copy_from_slice(&(number as u64).to_be_bytes());
    bytes
}

impl World {
    /// Grant 0 is the root, member 0 holds it.
    pub(crate) fn new(salt: u64, owners: Shape) -> Self {
        Self::written(salt, owners, None)
    }

    /// Whether admission follows the rules of the law in all that matters here, as it must where
    /// everything is written down; else those that are about what stands.
    pub(crate) const fn is_lawful(&self) -> bool {
        self.lawful
    }

    pub(crate) const fn make_lawful(&mut self) {
        self.lawful = true;
    }

    pub(crate) fn written(salt: u64, owners: Shape, mut scribe: Option<Box<dyn Scribe>>) -> Self {
        let form = owners.form();
        let id = form.member();
        let grant = match &mut scribe {
            Some(scribe) => scribe.root(&form),
            None => GrantId::from_bytes(scrambled(salt, 1, 0)),
        };
        let row = GrantRow {
            parent: 0,
            holder: Some(0),
            joint: None,
            until: u64::MAX,
            depth: 0,
            id: grant,
        };
        Self {
            salt,
            lawful: scribe.is_some(),
            scribe,
            by_id: BTreeMap::new(),
            envs: Vec::new(),
            facts: Vec::new(),
            at: Vec::new(),
            grants: vec![row],
            acts: Vec::new(),
            members: vec![MemberRow {
                first: owners,
                form: form.clone(),
                id,
            }],
            root: Root { grant, form },
        }
    }

    pub(crate) fn new_member(&mut self, first: Shape) -> usize {
        let form = first.form();
        let id = form.member();
        if let Some(known) = self.members.iter().position(|member| member.id == id) {
            return known;
        }
        self.members.push(MemberRow { first, form, id });
        self.members.len() - 1
    }

    pub(crate) fn new_grant(
        &mut self,
        parent: usize,
        holder: Option<usize>,
        until: u64,
        joint: Option<Signed>,
    ) -> usize {
        let number = self.grants.len();
        let mut row = GrantRow {
            parent,
            holder,
            joint,
            until,
            depth: self.grants[parent].depth + 1,
            id: GrantId::from_bytes(scrambled(self.salt, 1, number)),
        };
        if self.lawful {
            row.until = until.min(self.grants[parent].until);
        }
        if let Some(mut scribe) = self.scribe.take() {
            row.id = scribe.grant(self, &row);
            self.scribe = Some(scribe);
        }
        self.grants.push(row);
        number
    }

    /// The newest grant, of which nobody knows yet, ends then.
    pub(crate) fn end_last_grant(&mut self, until: u64) {
        let Some(mut row) = self.grants.pop() else {
            return;
        };
        row.until = until;
        if self.lawful {
            row.until = until.min(self.grants[row.parent].until);
        }
        if let Some(mut scribe) = self.scribe.take() {
            row.id = scribe.grant(self, &row);
            self.scribe = Some(scribe);
        }
        self.grants.push(row);
    }

    pub(crate) fn new_act(&mut self, mut row: ActRow) -> usize {
        row.id = ActId::from_bytes(scrambled(self.salt, 2, self.acts.len()));
        if let Some(mut scribe) = self.scribe.take() {
            row.id = scribe.act(self, &row);
            self.scribe = Some(scribe);
            if let Some(known) = self.acts.iter().position(|act| act.id == row.id) {
                return known;
            }
        }
        self.acts.push(row);
        self.acts.len() - 1
    }

    pub(crate) fn new_env(&mut self, draft: Draft) -> usize {
        let number = self.envs.len();
        let named = draft.deps | draft.previous.map_or(0, one);
        let mut past = named;
        let mut generation = 0;
        for dep in each(named) {
            past |= self.envs[dep].past;
            generation = generation.max(self.envs[dep].generation);
        }
        let before = draft.previous.map(|env| self.envs[env].clone());
        let mut env = Env {
            named,
            key: draft.key,
            root: before.as_ref().map_or(number, |env| env.root),
            number: before.as_ref().map_or(1, |env| env.number + 1),
            previous: draft.previous,
            generation: generation + 1,
            created: draft.created,
            past,
            chain: one(number) | before.as_ref().map_or(0, |env| env.chain),
            grant: draft.grant,
            device: draft.device,
            items: draft.items,
            id: EnvelopeId::from_bytes(scrambled(self.salt, 3, number)),
        };
        if let Some(mut scribe) = self.scribe.take() {
            env.id = scribe.env(self, &env);
            self.by_id.insert(env.id, number);
            self.scribe = Some(scribe);
        }
        let id = env.id;
        for (index, item) in env.items.iter().enumerate() {
            let no = FactNo(self.facts.len() as u32);
            let what = self.what(item, &env);
            let item = match item {
                Item::Grant(grant) => self.grants[*grant].id,
                _ => GrantId::from_bytes(scrambled(self.salt, 4, self.facts.len())),
            };
            self.facts.push(Fact {
                no,
                item,
                carrier: id,
                index: index as u16,
                author: AuthorNo(env.root as u32),
                number: env.number,
                generation: env.generation,
                created: env.created,
                what,
            });
            self.at.push((number, index));
        }
        self.envs.push(env);
        number
    }

    fn ids(&self, envs: &[usize]) -> Vec<EnvelopeId> {
        envs.iter().map(|env| self.envs[*env].id).collect()
    }

    pub(crate) fn state_id(&self, member: usize, act: Option<usize>) -> ActId {
        act.map_or_else(
            || self.members[member].form.first_state(),
            |act| self.acts[act].id,
        )
    }

    fn joint(&self, signed: &Option<Signed>) -> Option<Joint> {
        signed.map(|signed| Joint {
            by: self.members[signed.by].id,
            under: self.state_id(signed.by, signed.under),
            signers: keys(signed.devices),
        })
    }

    fn what(&self, item: &Item, env: &Env) -> What {
        match item {
            Item::Grant(grant) => {
                let row = &self.grants[*grant];
                let parent = self.grants[row.parent].id;
                match row.holder {
                    Some(holder) => What::Grant(Grant {
                        parent,
                        holder: self.members[holder].id,
                        form: Some(self.members[holder].form.clone()),
                        joint: self.joint(&row.joint),
                    }),
                    None => What::Invite(Invite { parent }),
                }
            }
            Item::Revocation {
                grant,
                cut,
                cascade,
                rights,
                joint,
            } => What::Revocation(Revocation {
                grant: self.grants[*grant].id,
                cut: self.ids(cut),
                cascade: *cascade,
                rights: *rights,
                joint: self.joint(joint),
            }),
            Item::Close { grant, cut } => What::Close(Close {
                grant: self.grants[*grant].id,
                cut: self.ids(cut),
            }),
            Item::Act { act, signers } => {
                let row = &self.acts[*act];
                What::Act(Act {
                    id: row.id,
                    composition: self.members[row.member].id,
                    number: row.number,
                    previous: self.state_id(row.member, row.previous),
                    form: row.shape.form(),
                    cut: self.ids(&row.cut),
                    signers: keys(*signers),
                })
            }
            Item::Certificate { index, branches } => What::Certificate(Certificate {
                device: device_key(env.device),
                grant: self.grants[env.grant].id,
                index: *index,
                branches: self.ids(branches),
            }),
            Item::Claim => What::Claim(Claim {
                invite: self.grants[env.grant].id,
                member: self.members[0].id,
            }),
            Item::Countersign(act) => What::Countersign(self.acts[*act].id),
        }
    }

    /// The envelope of this id.
    pub(crate) fn env_of(&self, id: &EnvelopeId) -> usize {
        if let Some(number) = self.by_id.get(id) {
            return *number;
        }
        let mut number = [0; 8];
        number.copy_from_slice(&id.as_bytes()[24..]);
        u64::from_be_bytes(number) as usize
    }

    /// Whether an envelope has another in its past, as far as a cut in it must leave that: by the
    /// rules of the law, control, and what it names itself.
    pub(crate) fn sees(&self, env: usize, before: usize) -> bool {
        let (it, other) = (&self.envs[env], &self.envs[before]);
        let must = !self.lawful || !other.items.is_empty() || it.named & one(before) != 0;
        it.past & one(before) != 0 && must
    }

    /// The facts carried by a set.
    pub(crate) fn facts_of(&self, set: Set) -> Vec<FactNo> {
        let inside = |no: &usize| set & one(self.at[*no].0) != 0;
        let chosen = (0..self.at.len()).filter(inside);
        chosen.map(|no| FactNo(no as u32)).collect()
    }

    pub(crate) fn spot(&self, env: usize) -> Spot {
        let it = &self.envs[env];
        Spot {
            author: AuthorNo(it.root as u32),
            number: it.number,
            envelope: it.id,
        }
    }

    /// Strictly above: whether a grant hangs below another.
    pub(crate) fn is_below(&self, grant: usize, above: usize) -> bool {
        let mut at = grant;
        while at != 0 {
            at = self.grants[at].parent;
            if at == above {
                return true;
            }
        }
        false
    }

    pub(crate) fn shape(&self, member: usize, act: Option<usize>) -> Shape {
        act.map_or(self.members[member].first, |act| self.acts[act].shape)
    }
}

impl Item {
    pub(crate) const fn class(&self) -> Class {
        match self {
            Self::Act { .. } | Self::Certificate { .. } | Self::Claim => Class::Other,
            _ => Class::Rights,
        }
    }
}

impl Facts for World {
    fn root(&self) -> &Root {
        &self.root
    }

    fn fact(&self, no: FactNo) -> Option<&Fact> {
        self.facts.get(no.0 as usize)
    }

    fn on_chain(&self, of: &Spot, end: &EnvelopeId) -> bool {
        let (of, end) = (self.env_of(&of.envelope), self.env_of(end));
        self.envs[end].chain & one(of) != 0
    }

    fn in_past(&self, fact: FactNo, of: &EnvelopeId) -> bool {
        let of = self.env_of(of);
        (self.envs[of].past | one(of)) & one(self.at[fact.0 as usize].0) != 0
    }
}
