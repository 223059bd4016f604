//! Small worlds for the tests of the checkers: signed envelopes on disks, without nodes.

use super::{Broken, Everybody, Facts, Glance, Scene, Watch};
use crate::disk::{Disk, Pool};
use crate::plan::{self, NodeNo, NodePlan, Path, Plan, START_MS, Site, TopicPlan};
use crate::world::Links;
use identity::{EnvelopeId, Form, GrantId, SealingKey, SecretKey, TopicId};
use lace::Lace;
use machine::test::World;
use machine::{Batch, Rng, Staged, Table, Time, WallTime};
use node::command::Reply;
use rights::DeviceSecret;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wire::{
    Act, Certificate, Checked, Claim, Class, EpochItem, Genesis, Gift, Header, Invite, InviteKind,
    Item, Parameters, Revocation, Role, Terms, TopicPolicy, Verified, encode_items, sign_envelope,
};

/// The number of the topic on every disk.
pub(crate) const LOCAL: u32 = 1;

const DAY: u64 = 86_400_000;

/// What a batch writes.
type Writes = Vec<(Table, Vec<u8>, Option<Vec<u8>>)>;

/// A topic of some people, one core node that the first of them uses, and one outsider.
pub(crate) struct Town {
    pub(crate) plan: Plan,
    pub(crate) facts: Facts,
    pub(crate) topic: TopicId,
    pub(crate) genesis: Genesis,
    pub(crate) secrets: Vec<DeviceSecret>,
    pub(crate) links: Vec<(NodeNo, NodeNo)>,
    pub(crate) reaches: bool,
    /// What applications were answered.
    pub(crate) replies: Vec<(NodeNo, Reply)>,
    /// What left whom for whom.
    pub(crate) frames: Vec<(NodeNo, NodeNo, Vec<u8>)>,
    /// Whose person still asks to be let in somewhere.
    pub(crate) asking: BTreeSet<NodeNo>,
    /// Who is not up.
    pub(crate) away: BTreeSet<NodeNo>,
    /// The newest invites, as people have told them.
    pub(crate) invites: Links,
    invite_key: SecretKey,
    invite: Invite,
    authors: Vec<SecretKey>,
    tips: Vec<Option<Checked<Verified>>>,
    carrier: Option<Checked<Verified>>,
    replicas: Vec<Option<(World, Lace)>>,
    /// Rows that were put there, or taken away, beside what the graph wrote.
    pub(crate) tampered: Vec<Writes>,
}

/// One node as the plan has it.
fn node(name: &str, role: plan::Role, uses: Vec<NodeNo>) -> NodePlan {
    NodePlan {
        name: name.to_owned(),
        role,
        site: 0,
        uses,
        starts_ms: 0,
        commit_us: 0,
        skew_ms: 0,
        drift_ppm: 0,
        trust_clock: true,
        disk: 0,
        quota: 0,
        reads_after_ms: 0,
        lies: Vec::new(),
        twin_of: None,
        device_of: None,
    }
}

pub(crate) const ADA: NodeNo = 0;
pub(crate) const BEN: NodeNo = 1;
pub(crate) const CLEO: NodeNo = 2;
pub(crate) const CORE: NodeNo = 3;
pub(crate) const MALLORY: NodeNo = 4;

fn plan() -> Plan {
    let mut nodes = vec![node("Ada", plan::Role::Person, vec![CORE])];
    nodes.extend(["Ben", "Cleo"].map(|name| node(name, plan::Role::Person, Vec::new())));
    nodes.push(node("core", plan::Role::Core, Vec::new()));
    nodes.push(node("Mallory", plan::Role::Person, Vec::new()));
    Plan {
        name: "a small town".to_owned(),
        seed: 1,
        length_ms: 1_000,
        converge_ms: 1_000,
        sites: vec![Site {
            name: "here".to_owned(),
            inside: Path::default(),
            uplink: None,
            open: false,
            apart: false,
        }],
        nodes,
        topics: vec![TopicPlan {
            name: "tea".to_owned(),
            founder: ADA,
            members: vec![BEN, CLEO],
            personal: false,
            public: false,
            readers: Vec::new(),
        }],
        steps: Vec::new(),
    }
}

impl Town {
    pub(crate) fn new() -> Self {
        let (plan, mut rng) = (plan(), Rng::from_seed([4; 32]));
        let secrets: Vec<DeviceSecret> = plan
            .nodes
            .iter()
            .map(|_| DeviceSecret::generate(&mut rng))
            .collect();
        let random = rng.array();
        let genesis = Genesis {
            random,
            root: Form::one(secrets[0].founder_key(&random).public()),
            policy: TopicPolicy::default(),
            epoch: EpochItem {
                suite: 1,
                start: START_MS,
                slice: 0,
                keys: vec![SealingKey::from_bytes(rng.array())],
            },
            parameters: Parameters {
                history_days: 90,
                lifespan: 30 * DAY,
            },
        };
        let topic = genesis.topic_id();
        let invite_key = SecretKey::generate(&mut rng);
        let facts = Facts::new(1, 4);
        for (no, secret) in (0..).zip(&secrets) {
            facts.devices.add(no, secret.clone());
        }
        facts.change_topic(0, |facts| {
            facts.id = Some(topic);
            facts.invited.extend([ADA, BEN, CLEO]);
            facts.members.extend([ADA, BEN, CLEO].map(|no| (no, 0)));
        });
        let people = plan.nodes.len();
        Self {
            facts,
            topic,
            links: Vec::new(),
            reaches: true,
            replies: Vec::new(),
            frames: Vec::new(),
            asking: BTreeSet::new(),
            away: BTreeSet::new(),
            invites: Links::default(),
            invite: Invite {
                key: invite_key.public(),
                sealing: SealingKey::from_bytes(rng.array()),
                uses: 2,
                until: START_MS + 7 * DAY,
                kind: InviteKind::WhileAway(Gift {
                    terms: Terms::GUEST,
                    parent: GrantId::from_bytes(topic.to_bytes()),
                }),
            },
            invite_key,
            genesis,
            authors: plan
                .nodes
                .iter()
                .map(|_| SecretKey::generate(&mut rng))
                .collect(),
            secrets,
            tips: vec![None; people],
            carrier: None,
            replicas: std::iter::repeat_with(|| None).take(people).collect(),
            tampered: vec![Vec::new(); people],
            plan,
        }
    }

    /// A town in which everybody has joined, has a replica and said something.
    pub(crate) fn settled() -> Self {
        let mut town = Self::new();
        town.settle(&[ADA, BEN, CLEO, CORE]);
        town
    }

    /// These begin a replica each, and everybody joins and says something.
    pub(crate) fn settle(&mut self, holders: &[NodeNo]) {
        let town = self;
        for no in holders {
            town.hold(*no);
        }
        for no in [ADA, BEN, CLEO] {
            let first = town.first(no);
            town.give_all(&first);
        }
        for no in [ADA, BEN, CLEO] {
            let said = town.say(no, &[]);
            town.give_all(&said);
        }
    }

    /// A node begins a replica.
    pub(crate) fn hold(&mut self, no: NodeNo) {
        let mut world = World::new(u64::from(no));
        let lace = world.turn(|cx| Lace::create(&mut cx.store, LOCAL, &self.genesis));
        let lace = lace.ruled_by(&rights::Law);
        self.replicas[no as usize] = Some((world, lace));
    }

    pub(crate) fn author_key(&self, no: NodeNo) -> &SecretKey {
        &self.authors[no as usize]
    }

    pub(crate) fn author(&self, no: NodeNo) -> identity::PublicKey {
        self.authors[no as usize].public()
    }

    /// The first envelope of a node's author.
    pub(crate) fn first(&mut self, no: NodeNo) -> Checked<Verified> {
        let device = self.secrets[no as usize].key_in(self.topic, &self.genesis);
        let author = self.author(no);
        let certificate = Certificate::sign(self.topic, &device, author, 0);
        let mut items = vec![Item::Certificate(certificate)];
        let mut header = self.header(no);
        header.class = Class::Control;
        header.expires = 0;
        let grant = Item::Invite(self.invite).id();
        if no == ADA {
            items.push(Item::Invite(self.invite));
            header.grant = GrantId::from_bytes(*self.topic.as_bytes());
        } else {
            let sealing = SealingKey::from_bytes([3; 32]);
            let (key, device) = (&self.invite_key, device.public());
            let claim = Claim::sign(self.topic, key, grant, device, sealing, START_MS + 1);
            items.push(Item::Claim(claim));
            header.grant = grant;
            let carrier = self.carrier.as_ref().expect("the founder was first");
            header.deps = vec![carrier.get().envelope.id];
            header.generation = 2;
        }
        header.count = 2;
        let key = &self.authors[no as usize];
        let first = sign_envelope(header, encode_items(&items), key).expect("it is legal");
        self.tips[no as usize] = Some(first.clone());
        if no == ADA {
            self.carrier = Some(first.clone());
        }
        first
    }

    /// The founder gives its composition these devices, in an act that all of them sign; of others this
    /// remains.
    pub(crate) fn act(
        &mut self,
        after: Option<&Act>,
        devices: &[NodeNo],
        named: &[&Checked<Verified>],
    ) -> (Act, Checked<Verified>) {
        let root = self.genesis.root.clone();
        let (first, before) = (root.first_state(), after.map_or(&root, |act| &act.form));
        let key = |no: &NodeNo| self.secrets[*no as usize].key_in(self.topic, &self.genesis);
        let keys: BTreeSet<_> = devices.iter().map(|no| key(no).public()).collect();
        let cut: BTreeSet<EnvelopeId> = named.iter().map(|envelope| id_of(envelope)).collect();
        let mut act = Act {
            composition: root.member(),
            number: after.map_or(1, |act| act.number + 1),
            previous: after.map_or(first, Act::id),
            form: Form::equal(&keys, 1).expect("few"),
            cut: cut.into_iter().collect(),
            signatures: Vec::new(),
        };
        act.sign(self.topic, &key(&ADA), Role::Signer);
        for no in devices {
            if !before.has(&key(no).public()) {
                act.sign(self.topic, &key(no), Role::New);
            }
        }
        let carrier = self.decree(ADA, &[Item::Act(act.clone())], named);
        (act, carrier)
    }

    /// The first envelope of another device of the founder's, that names the act which seats it.
    pub(crate) fn first_of_device(
        &mut self,
        no: NodeNo,
        act: &Checked<Verified>,
    ) -> Checked<Verified> {
        let device = self.secrets[no as usize].key_in(self.topic, &self.genesis);
        let certificate = Certificate::sign(self.topic, &device, self.author(no), 0);
        let header = Header {
            class: Class::Control,
            expires: 0,
            grant: GrantId::from_bytes(*self.topic.as_bytes()),
            deps: vec![id_of(act)],
            generation: act.get().envelope.header.generation + 1,
            ..self.header(no)
        };
        let items = encode_items(&[Item::Certificate(certificate)]);
        let first = sign_envelope(header, items, &self.authors[no as usize]).expect("it is legal");
        self.tips[no as usize] = Some(first.clone());
        first
    }

    fn header(&self, no: NodeNo) -> Header {
        Header {
            destination: self.topic.to_id(),
            author: self.author(no),
            number: 1,
            previous: *self.topic.as_bytes(),
            generation: 1,
            created: START_MS + 10,
            expires: START_MS + 30 * DAY,
            body_len: 0,
            body_hash: [0; 32],
            count: 1,
            class: Class::Content,
            grant: GrantId::from_bytes([0; 32]),
            hops: 8,
            deps: Vec::new(),
            manifest: None,
            clock_unconfirmed: false,
            extensions: wire::Extensions::new(),
        }
    }

    /// The next envelope of a node's author.
    pub(crate) fn say(&mut self, no: NodeNo, deps: &[&Checked<Verified>]) -> Checked<Verified> {
        let said = self.say_after(no, None, deps, "said");
        self.tips[no as usize] = Some(said.clone());
        said
    }

    /// An envelope after another of the same author, or after its newest.
    pub(crate) fn say_after(
        &self,
        no: NodeNo,
        before: Option<&Checked<Verified>>,
        deps: &[&Checked<Verified>],
        text: &str,
    ) -> Checked<Verified> {
        let tip = self.tips[no as usize].as_ref();
        let before = &before.or(tip).expect("it has begun").get().envelope;
        let mut header = self.header(no);
        header.grant = before.header.grant;
        header.number = before.header.number + 1;
        header.previous = *before.id.as_bytes();
        let named = deps.iter().map(|dep| &dep.get().envelope);
        header.deps = named.clone().map(|dep| dep.id).collect();
        header.deps.sort_unstable();
        let highest = named.map(|dep| dep.header.generation).max().unwrap_or(0);
        header.generation = highest.max(before.header.generation) + 1;
        let key = &self.authors[no as usize];
        sign_envelope(header, text.as_bytes().to_vec(), key).expect("it is legal")
    }

    /// The next envelope of a node's author, with these items.
    pub(crate) fn decree(
        &mut self,
        no: NodeNo,
        items: &[Item],
        deps: &[&Checked<Verified>],
    ) -> Checked<Verified> {
        let mut header = self
            .say_after(no, None, deps, "said")
            .get()
            .envelope
            .header
            .clone();
        header.class = Class::Control;
        header.expires = 0;
        header.count = u16::try_from(items.len()).expect("few");
        let key = &self.authors[no as usize];
        let said = sign_envelope(header, encode_items(items), key).expect("it is legal");
        self.tips[no as usize] = Some(said.clone());
        said
    }

    /// Ada takes back what came with the invite: of everybody these remain.
    pub(crate) fn revoke(
        &mut self,
        only: &[wire::Right],
        left: &[&Checked<Verified>],
    ) -> Checked<Verified> {
        let cut: BTreeSet<EnvelopeId> = left.iter().map(|envelope| id_of(envelope)).collect();
        let revocation = Revocation {
            grant: Item::Invite(self.invite).id(),
            cut: cut.into_iter().collect(),
            cascade: false,
            only: only.iter().copied().collect(),
            joint: None,
        };
        self.decree(ADA, &[Item::Revocation(revocation)], left)
    }

    pub(crate) fn give(&mut self, no: NodeNo, envelope: &Checked<Verified>) {
        let envelope = envelope.clone();
        self.run(no, |lace, store| lace.admit(store, envelope));
    }

    /// Gives only the header.
    pub(crate) fn give_header(&mut self, no: NodeNo, envelope: &Checked<Verified>) {
        let raw = envelope.get().envelope.to_raw(None);
        let checked = wire::check(raw).expect("content needs no body");
        self.run(no, |lace, store| lace.admit(store, checked));
    }

    pub(crate) fn give_all(&mut self, envelope: &Checked<Verified>) {
        for no in 0..self.replicas.len() {
            if self.replicas[no].is_some() {
                self.give(NodeNo::try_from(no).expect("few"), envelope);
            }
        }
    }

    pub(crate) fn run<R>(
        &mut self,
        no: NodeNo,
        f: impl FnOnce(&mut Lace, &mut Staged<'_>) -> R,
    ) -> R {
        let (world, lace) = self.replicas[no as usize]
            .as_mut()
            .expect("it has a replica");
        world.turn(|cx| {
            let result = f(lace, &mut cx.store);
            while lace.has_work() {
                lace.work(&mut cx.store);
            }
            result
        })
    }

    /// The rows on a node's disk, as one batch.
    pub(crate) fn batch(&self, no: NodeNo) -> Batch {
        let all = lace::rows::TABLES.into_iter().chain(topic::rows::TABLES);
        let tables: Vec<Table> = all.collect();
        let replica = self.replicas[no as usize].as_ref();
        let rows = replica
            .into_iter()
            .flat_map(|(world, _)| world.base().rows());
        let mut writes: BTreeMap<(Table, Vec<u8>), Option<Vec<u8>>> = rows
            .filter_map(|(id, key, value)| {
                let table = tables.iter().find(|table| table.id() == id)?;
                Some(((*table, key.to_vec()), Some(value.to_vec())))
            })
            .collect();
        for (table, key, value) in &self.tampered[no as usize] {
            writes.insert((*table, key.clone()), value.clone());
        }
        let writes = writes
            .into_iter()
            .map(|((table, key), value)| (table, key, value));
        Batch {
            number: 1,
            last_turn: 1,
            writes: writes.collect(),
        }
    }

    pub(crate) fn tamper(&mut self, no: NodeNo, table: Table, key: &[u8], row: Option<Vec<u8>>) {
        let key = [&LOCAL.to_be_bytes()[..], key].concat();
        self.tampered[no as usize].push((table, key, row));
    }

    /// Lets something happen at a node; gives what was broken.
    pub(crate) fn at(&self, no: NodeNo, f: impl FnOnce(&mut Scene<'_>)) -> Vec<Broken> {
        let mut broken = Vec::new();
        f(&mut Scene {
            now: Time::from_micros(5),
            wall: WallTime::from_millis(START_MS),
            no,
            plan: &self.plan,
            facts: &self.facts,
            broken: &mut broken,
        });
        broken
    }

    /// Writes all disks, as nodes would; gives what was broken meanwhile, and what `look` gives.
    pub(crate) fn everybody<R>(&self, look: impl FnOnce(&Everybody<'_>) -> R) -> (Vec<Broken>, R) {
        let (mut disks, mut watches, mut broken) = (Vec::new(), Vec::new(), Vec::new());
        let (pool, asking) = (Arc::new(Pool::new()), Arc::new(self.asking.clone()));
        for no in (0..).take(self.plan.nodes.len()) {
            let (mut disk, mut watch) = (Disk::new(&pool), Watch::default());
            let batch = self.batch(no);
            broken.extend(self.at(no, |scene| {
                watch.started(scene, &disk);
                watch.commits(scene, &batch, &disk);
            }));
            disk.apply(&batch);
            let own = self.replies.iter().filter(|(at, _)| *at == no);
            broken.extend(self.at(no, |scene| {
                own.for_each(|(_, reply)| watch.answered(scene, reply, &disk));
            }));
            watch.expect_silence(&asking);
            let own = self.frames.iter().filter(|(from, ..)| *from == no);
            broken.extend(self.at(no, |scene| {
                own.for_each(|(_, to, frame)| watch.leaves(scene, *to, frame, &disk));
            }));
            disks.push(disk);
            watches.push(watch);
        }
        let glance = |no: NodeNo| Glance {
            no,
            plan: &self.plan.nodes[no as usize],
            disk: &disks[no as usize],
            watch: &watches[no as usize],
            up: !self.away.contains(&no),
            linked: self
                .links
                .iter()
                .filter_map(|(from, to)| (*from == no).then_some(*to))
                .collect(),
            address: format!("10.0.0.{}:4433", no + 1),
            waits: None,
            asks: self.asking.contains(&no),
        };
        let everybody = Everybody {
            now: Time::from_micros(9),
            wall: WallTime::from_millis(START_MS + 20),
            plan: &self.plan,
            facts: &self.facts,
            nodes: (0..).take(disks.len()).map(glance).collect(),
            invites: &self.invites,
            reaches: Box::new(|_, _| self.reaches),
        };
        let found = look(&everybody);
        (broken, found)
    }
}

/// The id of an envelope.
pub(crate) fn id_of(envelope: &Checked<Verified>) -> EnvelopeId {
    envelope.get().envelope.id
}
