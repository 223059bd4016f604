//! Signs what happens in a world of the model, item by item and envelope by envelope.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use identity::{ActId, EnvelopeId, Form, GrantId, SealingKey, SecretKey, TopicId};
use rights::eff::Rights as Classes;
use wire::{
    Act, Budget, Certificate, Claim, Class, Close, EpochItem, Genesis, Gift, Grant, Header,
    Interval, Invite, InviteKind, Item, Joint, Parameters, Revocation, Right, Rights, Role, Terms,
    TopicPolicy, encode_items, sign_envelope,
};

use super::model_keys::device_secret;
use super::model_world::{
    ActRow, Env, GrantRow, Item as Said, Scribe, Set, Signed, World, each, one,
};
use crate::town::{DAY, START, Sealed};

/// Milliseconds of a tick of a world, where four are a day.
const TICK: u64 = DAY / 4;

/// All that was written.
#[derive(Default)]
pub(crate) struct Book {
    pub(crate) genesis: Option<Genesis>,
    /// By the number of the envelope in its world.
    pub(crate) pages: Vec<Sealed>,
}

pub(crate) struct Writer {
    pub(crate) book: Rc<RefCell<Book>>,
    /// Tells one world from another.
    pub(crate) salt: u64,
}

/// A key of a world that is no device's.
fn key(salt: u64, kind: u8, number: usize) -> SecretKey {
    let mut seed = [kind; 32];
    seed[..8].copy_from_slice(&salt.to_be_bytes());
    seed[8..16].copy_from_slice(&(number as u64).to_be_bytes());
    SecretKey::from_seed(seed)
}

/// Whoever has no part in anything signs where nobody did, since what is signed has a signature.
fn stranger() -> SecretKey {
    SecretKey::from_seed([0xfe; 32])
}

fn time(tick: u64) -> u64 {
    START + tick * TICK
}

fn devices(set: u64) -> impl Iterator<Item = &'static SecretKey> {
    let chosen = (0..64).filter(move |device| set & (1 << device) != 0);
    chosen.map(device_secret)
}

fn rights(until: u64) -> Rights {
    let interval = Some(Interval {
        from: 0,
        until: (until != u64::MAX).then(|| time(until)),
    });
    Rights {
        publish: interval,
        read: interval,
        admit: interval,
    }
}

fn ids(world: &World, cut: &[usize]) -> Vec<EnvelopeId> {
    let ids: BTreeSet<EnvelopeId> = cut.iter().map(|env| world.envs[*env].id).collect();
    ids.into_iter().collect()
}

impl Writer {
    fn topic(&self) -> TopicId {
        self.book.borrow().genesis.as_ref().unwrap().topic_id()
    }

    fn jointly(&self, world: &World, mut item: Item, signed: &Option<Signed>) -> Item {
        let Some(signed) = signed else {
            return item;
        };
        let under = world.state_id(signed.by, signed.under);
        match &mut item {
            Item::Grant(grant) => grant.joint = Some(Joint::new(under)),
            Item::Revocation(revocation) => revocation.joint = Some(Joint::new(under)),
            _ => panic!("nobody signs such a thing jointly"),
        }
        for device in devices(signed.devices) {
            item.sign_jointly(self.topic(), device);
        }
        if signed.devices == 0 {
            item.sign_jointly(self.topic(), &stranger());
        }
        item
    }

    /// A grant or invite. No two are alike: each has a size of its own.
    fn issued(&self, world: &World, number: usize, row: &GrantRow) -> Item {
        let budget = Budget {
            largest: Some(65_536 - u32::try_from(number).unwrap()),
            ..Budget::default()
        };
        let (parent, rights) = (world.grants[row.parent].id, rights(row.until));
        let Some(holder) = row.holder else {
            let terms = Terms { rights, budget };
            return Item::Invite(Invite {
                key: key(self.salt, 2, number).public(),
                sealing: SealingKey::from_bytes([5; 32]),
                uses: 1,
                until: START + 10_000 * DAY,
                kind: InviteKind::WhileAway(Gift { terms, parent }),
            });
        };
        let member = &world.members[holder];
        let item = Item::Grant(Grant {
            parent,
            holder: member.id,
            rights,
            budget,
            welcomes: None,
            form: Some(member.form.clone()),
            joint: None,
        });
        self.jointly(world, item, &row.joint)
    }

    fn change(&self, world: &World, row: &ActRow, signers: u64) -> Act {
        let mut act = Act {
            composition: world.members[row.member].id,
            number: row.number,
            previous: world.state_id(row.member, row.previous),
            form: row.shape.form(),
            cut: ids(world, &row.cut),
            signatures: Vec::new(),
        };
        let before = world.shape(row.member, row.previous).devices;
        for device in devices(signers & before) {
            act.sign(self.topic(), device, Role::Signer);
        }
        for device in devices(signers & !before) {
            act.sign(self.topic(), device, Role::New);
        }
        if signers == 0 {
            act.sign(self.topic(), &stranger(), Role::Signer);
        }
        act
    }

    fn item(&self, world: &World, env: &Env, said: &Said) -> Item {
        match said {
            Said::Grant(grant) => self.issued(world, *grant, &world.grants[*grant]),
            Said::Revocation {
                grant,
                cut,
                cascade,
                rights,
                joint,
            } => {
                let classes = [
                    (Classes::PUBLISH, Right::Publish),
                    (Classes::READ, Right::Read),
                    (Classes::ADMIT, Right::Admit),
                ];
                let only = classes.into_iter().filter(|(class, _)| rights.has(*class));
                let only = only.map(|(_, right)| right);
                let item = Item::Revocation(Revocation {
                    grant: world.grants[*grant].id,
                    cut: ids(world, cut),
                    cascade: *cascade,
                    only: if rights.has(Classes::ALL) {
                        BTreeSet::new()
                    } else {
                        only.collect()
                    },
                    joint: None,
                });
                self.jointly(world, item, joint)
            }
            Said::Close { grant, cut } => Item::Close(Close {
                grant: world.grants[*grant].id,
                cut: ids(world, cut),
            }),
            Said::Act { act, signers } => {
                Item::Act(self.change(world, &world.acts[*act], *signers))
            }
            Said::Certificate { index, branches } => {
                let author = (self.author(env).public(), *index);
                let device = device_secret(env.device);
                let branches = ids(world, branches);
                Item::Certificate(Certificate::sign_choosing(
                    self.topic(),
                    device,
                    author,
                    branches,
                ))
            }
            Said::Claim => {
                let invite = key(self.salt, 2, env.grant);
                let (grant, device) = (world.grants[env.grant].id, device_secret(env.device));
                let sealing = SealingKey::from_bytes([6; 32]);
                let (topic, device) = (self.topic(), device.public());
                Item::Claim(Claim::sign(topic, &invite, grant, device, sealing, START))
            }
            Said::Countersign(act) => Item::Countersign(world.acts[*act].id),
        }
    }

    fn author(&self, env: &Env) -> SecretKey {
        key(self.salt, 1, env.key)
    }

    fn header(&self, world: &World, env: &Env) -> Header {
        let topic = self.topic();
        let deps: Set = env.named & !env.previous.map_or(0, one);
        let deps: BTreeSet<EnvelopeId> = each(deps).map(|dep| world.envs[dep].id).collect();
        let content = env.items.is_empty();
        let created = time(env.created);
        let previous = env.previous.map(|env| *world.envs[env].id.as_bytes());
        Header {
            destination: topic.to_id(),
            author: self.author(env).public(),
            number: env.number,
            previous: previous.unwrap_or_else(|| *topic.as_bytes()),
            generation: env.generation,
            created,
            expires: if content { created + 30 * DAY } else { 0 },
            body_len: 0,
            body_hash: [0; 32],
            count: u16::try_from(env.items.len().max(1)).unwrap(),
            class: if content {
                Class::Content
            } else {
                Class::Control
            },
            grant: world.grants[env.grant].id,
            // So that no two are alike.
            hops: u8::try_from(world.envs.len() % 64).unwrap(),
            deps: deps.into_iter().collect(),
            manifest: None,
            clock_unconfirmed: false,
            extensions: wire::Extensions::new(),
        }
    }
}

impl Scribe for Writer {
    fn root(&mut self, owners: &Form) -> GrantId {
        let genesis = Genesis {
            random: [1; 32],
            root: owners.clone(),
            policy: TopicPolicy::default(),
            epoch: EpochItem {
                suite: 1,
                start: START,
                slice: 0,
                keys: vec![SealingKey::from_bytes([2; 32])],
            },
            parameters: Parameters {
                history_days: 90,
                lifespan: 365 * DAY,
            },
        };
        let id = genesis.topic_id();
        self.book.borrow_mut().genesis = Some(genesis);
        GrantId::from_bytes(id.to_bytes())
    }

    fn grant(&mut self, world: &World, row: &GrantRow) -> GrantId {
        self.issued(world, world.grants.len(), row).id()
    }

    fn act(&mut self, world: &World, row: &ActRow) -> ActId {
        self.change(world, row, 0).id()
    }

    fn env(&mut self, world: &World, env: &Env) -> EnvelopeId {
        let header = self.header(world, env);
        let items: Vec<Item> = env
            .items
            .iter()
            .map(|item| self.item(world, env, item))
            .collect();
        let body = if items.is_empty() {
            // No two are alike.
            (world.envs.len() as u64).to_be_bytes().to_vec()
        } else {
            encode_items(&items)
        };
        let sealed = sign_envelope(header, body, &self.author(env)).unwrap();
        let id = sealed.get().envelope.id;
        self.book.borrow_mut().pages.push(sealed);
        id
    }
}
