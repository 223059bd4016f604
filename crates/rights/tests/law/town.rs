//! A topic under the law, its people, and replicas of its graph.

use std::collections::BTreeSet;

use identity::{EnvelopeId, Form, GrantId, PublicKey, SealingKey, SecretKey, TopicId};
use lace::{Admission, Lace, Rule};
use machine::test::World;
use machine::{Rng, Staged};
use rights::Law;
use wire::{
    Budget, Certificate, Checked, Claim, Class, EpochItem, Genesis, Gift, Grant, Header, Interval,
    Invite, InviteKind, Item, Parameters, Revocation, Rights, Terms, TopicPolicy, Verified,
    encode_items, sign_envelope,
};

/// 2026-11-20.
pub(crate) const START: u64 = 1_795_132_800_000;
pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const DAY: u64 = 86_400_000;
const LOCAL: u32 = 3;

pub(crate) type Sealed = Checked<Verified>;

/// A topic, and where its keys come from.
pub(crate) struct Town {
    pub(crate) genesis: Genesis,
    pub(crate) id: TopicId,
    pub(crate) owner: SecretKey,
    rng: Rng,
}

/// Somebody who writes: a device, an author key of it, and the chain so far.
#[derive(Clone)]
pub(crate) struct Pen {
    pub(crate) device: SecretKey,
    author: SecretKey,
    pub(crate) grant: GrantId,
    pub(crate) chain: Vec<Sealed>,
}

impl Town {
    pub(crate) fn new(seed: u64) -> Self {
        Self::founded(seed, TopicPolicy::default())
    }

    pub(crate) fn founded(seed: u64, policy: TopicPolicy) -> Self {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let mut rng = Rng::from_seed(bytes);
        let owner = SecretKey::generate(&mut rng);
        let genesis = Genesis {
            random: rng.array(),
            root: Form::one(owner.public()),
            policy,
            epoch: EpochItem {
                suite: 1,
                start: START,
                slice: 0,
                keys: vec![SealingKey::from_bytes(rng.array())],
            },
            parameters: Parameters {
                history_days: 90,
                lifespan: 30 * DAY,
            },
        };
        Self {
            id: genesis.topic_id(),
            genesis,
            owner,
            rng,
        }
    }

    pub(crate) fn key(&mut self) -> SecretKey {
        SecretKey::generate(&mut self.rng)
    }

    pub(crate) fn root(&self) -> GrantId {
        GrantId::from_bytes(*self.id.as_bytes())
    }

    /// A chain of a device that has not written under this grant yet.
    pub(crate) fn pen(&mut self, device: &SecretKey, grant: GrantId) -> Pen {
        Pen {
            device: device.clone(),
            author: self.key(),
            grant,
            chain: Vec::new(),
        }
    }

    /// The owner's chain with its number 1.
    pub(crate) fn owners(&mut self) -> Pen {
        let (owner, root) = (self.owner.clone(), self.root());
        let mut pen = self.pen(&owner, root);
        pen.begin(self, 0, &[], &[], START);
        pen
    }

    /// An invite with a key of its own.
    pub(crate) fn invite(&mut self, parent: GrantId, terms: Terms) -> (SecretKey, Item) {
        let key = self.key();
        let invite = Invite {
            key: key.public(),
            sealing: SealingKey::from_bytes(self.rng.array()),
            uses: 1,
            until: START + 365 * DAY,
            kind: InviteKind::WhileAway(Gift { terms, parent }),
        };
        (key, Item::Invite(invite))
    }

    /// A guest who claims an invite, with its number 1.
    pub(crate) fn guest(&mut self, (key, invite): &(SecretKey, Item), at: &Sealed) -> Pen {
        let device = self.key();
        let mut pen = self.pen(&device, invite.id());
        let claim = pen.claim(self, key, START);
        pen.begin(self, 0, &[claim], &[at], created(at));
        pen
    }
}

pub(crate) fn created(envelope: &Sealed) -> u64 {
    envelope.get().envelope.header.created
}

/// The envelopes of these chains, each after its past.
pub(crate) fn by_past(chains: &[&Pen]) -> Vec<Sealed> {
    let mut all: Vec<Sealed> = chains.iter().flat_map(|pen| pen.chain.clone()).collect();
    all.sort_by_key(|it| it.get().envelope.header.generation);
    all
}

pub(crate) fn id(envelope: &Sealed) -> EnvelopeId {
    envelope.get().envelope.id
}

/// A grant to the composition of one device.
pub(crate) fn grant(parent: GrantId, device: &PublicKey, terms: Terms) -> Item {
    grant_to(parent, Form::one(*device), terms)
}

pub(crate) fn grant_to(parent: GrantId, form: Form, terms: Terms) -> Item {
    Item::Grant(Grant {
        parent,
        holder: form.member(),
        rights: terms.rights,
        budget: terms.budget,
        welcomes: None,
        form: Some(form),
        joint: None,
    })
}

/// A revocation of everything outside these chains.
pub(crate) fn revoke(grant: GrantId, cut: &[&Sealed]) -> Item {
    revoke_with(grant, cut, |_| {})
}

pub(crate) fn revoke_with(
    grant: GrantId,
    cut: &[&Sealed],
    change: impl FnOnce(&mut Revocation),
) -> Item {
    let cut: BTreeSet<EnvelopeId> = cut.iter().map(|it| id(it)).collect();
    let mut revocation = Revocation {
        grant,
        cut: cut.into_iter().collect(),
        cascade: false,
        only: BTreeSet::new(),
        joint: None,
    };
    change(&mut revocation);
    Item::Revocation(revocation)
}

/// All three rights, always.
pub(crate) const ALL: Terms = Terms {
    rights: Rights {
        publish: Some(Interval::ALWAYS),
        read: Some(Interval::ALWAYS),
        admit: Some(Interval::ALWAYS),
    },
    budget: Terms::GUEST.budget,
};

/// To read alone.
pub(crate) const READER: Terms = Terms {
    rights: Rights {
        publish: None,
        read: Some(Interval::ALWAYS),
        admit: None,
    },
    budget: Terms::GUEST.budget,
};

pub(crate) fn limited(messages: u32, bytes: u32) -> Budget {
    Budget {
        messages: Some(messages),
        bytes: Some(bytes),
        ..Budget::default()
    }
}

impl Pen {
    pub(crate) fn claim(&self, town: &Town, key: &SecretKey, time: u64) -> Item {
        let sealing = SealingKey::from_bytes([3; 32]);
        let device = self.device.public();
        Item::Claim(Claim::sign(town.id, key, self.grant, device, sealing, time))
    }

    /// Number 1, not yet on the chain.
    pub(crate) fn first(
        &self,
        town: &Town,
        index: u32,
        items: &[Item],
        deps: &[&Sealed],
        created: u64,
    ) -> Sealed {
        let author = self.author.public();
        let certificate = Certificate::sign(town.id, &self.device, author, index);
        let all = [&[Item::Certificate(certificate)], items].concat();
        self.control(town, &all, deps, created)
    }

    /// Number 1, which chooses these branches of earlier authors of the device.
    pub(crate) fn choosing(
        &self,
        town: &Town,
        index: u32,
        branches: &[&Sealed],
        deps: &[&Sealed],
        created: u64,
    ) -> Sealed {
        let author = (self.author.public(), index);
        let branches = branches.iter().map(|it| id(it)).collect();
        let certificate = Certificate::sign_choosing(town.id, &self.device, author, branches);
        self.control(town, &[Item::Certificate(certificate)], deps, created)
    }

    /// Number 1.
    pub(crate) fn begin(
        &mut self,
        town: &Town,
        index: u32,
        items: &[Item],
        deps: &[&Sealed],
        created: u64,
    ) -> Sealed {
        let first = self.first(town, index, items, deps, created);
        self.chain.push(first.clone());
        first
    }

    fn header(&self, town: &Town, deps: &[&Sealed], created: u64) -> Header {
        let mut header = Header {
            destination: town.id.to_id(),
            author: self.author.public(),
            number: 1,
            previous: *town.id.as_bytes(),
            generation: 1,
            created,
            expires: 0,
            body_len: 0,
            body_hash: [0; 32],
            count: 1,
            class: Class::Control,
            grant: self.grant,
            hops: 8,
            deps: Vec::new(),
            manifest: None,
            clock_unconfirmed: false,
            extensions: wire::Extensions::new(),
        };
        let mut highest = 0;
        if let Some(last) = self.chain.last() {
            let last = &last.get().envelope;
            header.number = last.header.number + 1;
            header.previous = *last.id.as_bytes();
            highest = last.header.generation;
        }
        for dep in deps.iter().map(|dep| &dep.get().envelope) {
            if *dep.id.as_bytes() != header.previous && !header.deps.contains(&dep.id) {
                header.deps.push(dep.id);
            }
            highest = highest.max(dep.header.generation);
        }
        header.deps.sort_unstable();
        header.generation = highest + 1;
        header
    }

    /// The next envelope with these items, not yet on the chain.
    pub(crate) fn control(
        &self,
        town: &Town,
        items: &[Item],
        deps: &[&Sealed],
        created: u64,
    ) -> Sealed {
        let mut header = self.header(town, deps, created);
        header.count = u16::try_from(items.len()).unwrap();
        sign_envelope(header, encode_items(items), &self.author).unwrap()
    }

    /// The next envelope with content, not yet on the chain.
    pub(crate) fn content(
        &self,
        town: &Town,
        (count, length): (u16, usize),
        deps: &[&Sealed],
        created: u64,
    ) -> Sealed {
        self.content_with(town, vec![1; length], deps, created, |header| {
            header.count = count;
        })
    }

    pub(crate) fn content_with(
        &self,
        town: &Town,
        body: Vec<u8>,
        deps: &[&Sealed],
        created: u64,
        change: impl FnOnce(&mut Header),
    ) -> Sealed {
        let mut header = self.header(town, deps, created);
        header.class = Class::Content;
        header.expires = created + DAY;
        change(&mut header);
        sign_envelope(header, body, &self.author).unwrap()
    }

    /// The next envelope with these items.
    pub(crate) fn issue(
        &mut self,
        town: &Town,
        items: &[Item],
        deps: &[&Sealed],
        created: u64,
    ) -> Sealed {
        let next = self.control(town, items, deps, created);
        self.chain.push(next.clone());
        next
    }

    /// The next envelope with content.
    pub(crate) fn say(&mut self, town: &Town, deps: &[&Sealed], created: u64) -> Sealed {
        let next = self.content(town, (1, 20), deps, created);
        self.chain.push(next.clone());
        next
    }
}

/// A store and the graph in it.
pub(crate) struct Replica {
    world: World,
    pub(crate) lace: Lace,
}

impl Replica {
    pub(crate) fn new(town: &Town) -> Self {
        Self::of(&town.genesis)
    }

    pub(crate) fn of(genesis: &Genesis) -> Self {
        let mut world = World::new(1);
        let lace = world.turn(|cx| Lace::create(&mut cx.store, LOCAL, genesis));
        let lace = lace.ruled_by(&Law);
        Self { world, lace }
    }

    /// A replica that has taken all of these.
    pub(crate) fn with(town: &Town, chains: &[&Pen]) -> Self {
        let mut replica = Self::new(town);
        for envelope in by_past(chains) {
            replica.takes(&envelope);
        }
        replica
    }

    pub(crate) fn run<R>(&mut self, f: impl FnOnce(&mut Lace, &mut Staged<'_>) -> R) -> R {
        let lace = &mut self.lace;
        self.world.turn(|cx| f(lace, &mut cx.store))
    }

    /// What becomes of an envelope.
    pub(crate) fn verdict(&mut self, envelope: &Sealed) -> Admission {
        let own = id(envelope);
        let envelope = envelope.clone();
        let report = self.run(|lace, store| lace.admit(store, envelope));
        let mut own = report
            .into_iter()
            .filter(|(id, outcome)| *id == own && !matches!(outcome, Admission::Fork(_)));
        own.next().expect("every envelope is reported").1
    }

    pub(crate) fn takes(&mut self, envelope: &Sealed) {
        let verdict = self.verdict(envelope);
        assert!(
            matches!(verdict, Admission::Admitted { .. }),
            "not admitted: {verdict:?}"
        );
    }

    pub(crate) fn refuses(&mut self, envelope: &Sealed, rule: Rule) {
        assert_eq!(self.verdict(envelope), Admission::Refused(rule));
    }

    /// Brings bounds to bear until nothing is left to do.
    pub(crate) fn settle(&mut self) {
        while self.lace.has_work() {
            self.run(|lace, store| lace.work(store));
        }
    }

    /// Whether an envelope is effective.
    pub(crate) fn stands(&mut self, envelope: &Sealed) -> bool {
        self.settle();
        let id = id(envelope);
        self.run(|lace, store| lace.effective(store, &id))
    }

    /// The envelope that carries the item because of which another is not effective.
    pub(crate) fn fallen_by(&mut self, envelope: &Sealed) -> Option<EnvelopeId> {
        self.settle();
        let id = id(envelope);
        let fact = self.run(|lace, store| lace.fallen_by(store, &id))?;
        Some(fact.carrier)
    }

    /// Whether an envelope is kept.
    pub(crate) fn keeps(&mut self, envelope: &Sealed) -> bool {
        self.settle();
        let id = id(envelope);
        self.run(|lace, store| lace.kept(store, &id))
    }

    pub(crate) fn has(&mut self, envelope: &Sealed) -> bool {
        let id = id(envelope);
        self.run(|lace, store| lace.contains(store, &id))
    }

    /// A restart.
    pub(crate) fn reopen(self) -> Self {
        let mut world = World::over(self.world.into_base(), 9);
        let lace = world.turn(|cx| Lace::open(&mut cx.store, LOCAL)).unwrap();
        let lace = lace.ruled_by(&Law);
        Self { world, lace }
    }
}
