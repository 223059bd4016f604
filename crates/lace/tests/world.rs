//! Signed worlds: a topic, its people, and replicas of its graph.

use identity::{EnvelopeId, Form, GrantId, PublicKey, SealingKey, SecretKey, TopicId};
use lace::{Admission, Budget, Lace, Plan, Range};
use machine::test::World;
use machine::{Rng, Staged};
use wire::{
    Certificate, Checked, Claim, Class, EpochItem, Genesis, Gift, Header, Invite, InviteKind, Item,
    Parameters, Raw, Terms, TopicPolicy, Verified, encode_items, sign_envelope,
};

/// 2026-11-20.
pub(crate) const START: u64 = 1_795_132_800_000;
pub(crate) const DAY: u64 = 86_400_000;

pub(crate) fn rng(seed: u64) -> Rng {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    Rng::from_seed(bytes)
}

/// A topic and the keys that its founder knows.
#[derive(Clone)]
pub(crate) struct Topic {
    pub(crate) genesis: Genesis,
    pub(crate) id: TopicId,
    pub(crate) founder: SecretKey,
    pub(crate) invite_key: SecretKey,
    pub(crate) invite: Invite,
    pub(crate) grant: GrantId,
}

impl Topic {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        let founder = SecretKey::generate(rng);
        let genesis = Genesis {
            random: rng.array(),
            root: Form::one(founder.public()),
            policy: TopicPolicy::default(),
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
        let id = genesis.topic_id();
        let invite_key = SecretKey::generate(rng);
        let invite = Invite {
            key: invite_key.public(),
            sealing: SealingKey::from_bytes(rng.array()),
            uses: 2,
            until: START + 7 * DAY,
            kind: InviteKind::WhileAway(Gift {
                terms: Terms::GUEST,
                parent: GrantId::from_bytes(id.to_bytes()),
            }),
        };
        let grant = Item::Invite(invite).id();
        Self {
            genesis,
            id,
            founder,
            invite_key,
            invite,
            grant,
        }
    }

    pub(crate) fn founder_grant(&self) -> GrantId {
        GrantId::from_bytes(*self.id.as_bytes())
    }

    /// The items of an envelope number 1.
    pub(crate) fn first_items(
        &self,
        device: &SecretKey,
        author: PublicKey,
        index: u32,
    ) -> Vec<Item> {
        let mut items = vec![Item::Certificate(Certificate::sign(
            self.id, device, author, index,
        ))];
        if device.public() != self.founder.public() {
            items.push(Item::Claim(self.claim(device.public(), START + 1)));
        }
        items
    }

    pub(crate) fn claim(&self, device: PublicKey, time: u64) -> Claim {
        let sealing = SealingKey::from_bytes([3; 32]);
        Claim::sign(self.id, &self.invite_key, self.grant, device, sealing, time)
    }

    /// A header with nothing named.
    pub(crate) fn header(&self, grant: GrantId) -> Header {
        Header {
            destination: self.id.to_id(),
            author: PublicKey::from_bytes([0; 32]),
            number: 1,
            previous: *self.id.as_bytes(),
            generation: 1,
            created: START,
            expires: 0,
            body_len: 0,
            body_hash: [0; 32],
            count: 1,
            class: Class::Control,
            grant,
            hops: 8,
            deps: Vec::new(),
            manifest: None,
            clock_unconfirmed: false,
            extensions: wire::Extensions::new(),
        }
    }
}

pub(crate) fn control(mut header: Header, items: &[Item], key: &SecretKey) -> Checked<Verified> {
    header.class = Class::Control;
    header.expires = 0;
    header.count = u16::try_from(items.len()).expect("few items");
    sign_envelope(header, encode_items(items), key).expect("a legal control envelope")
}

pub(crate) fn content(mut header: Header, body: &[u8], key: &SecretKey) -> Checked<Verified> {
    header.class = Class::Content;
    header.count = 1;
    if header.expires == 0 {
        header.expires = header.created + 30 * DAY;
    }
    sign_envelope(header, body.to_vec(), key).expect("a legal content envelope")
}

/// Puts a header after others.
pub(crate) fn follow(
    mut header: Header,
    previous: Option<&Checked<Verified>>,
    deps: &[&Checked<Verified>],
) -> Header {
    let mut highest = 0;
    if let Some(previous) = previous {
        let before = &previous.get().envelope;
        header.number = before.header.number + 1;
        header.previous = *before.id.as_bytes();
        header.created = header.created.max(before.header.created);
        highest = before.header.generation;
    }
    for dep in deps {
        let dep = &dep.get().envelope;
        if *dep.id.as_bytes() != header.previous && !header.deps.contains(&dep.id) {
            header.deps.push(dep.id);
        }
        highest = highest.max(dep.header.generation);
    }
    header.deps.sort_unstable();
    header.generation = highest + 1;
    header
}

pub(crate) fn id_of(verified: &Checked<Verified>) -> EnvelopeId {
    verified.get().envelope.id
}

pub(crate) fn without_body(verified: &Checked<Verified>) -> Checked<Verified> {
    let mut raw = verified.get().envelope.to_raw(None);
    raw.body = None;
    wire::check(raw).expect("content needs no body")
}

/// One replica: a store and the graph.
pub(crate) struct Replica {
    pub(crate) world: World,
    pub(crate) lace: Lace,
}

pub(crate) const LOCAL: u32 = 3;

impl Replica {
    pub(crate) fn new(topic: &Topic, seed: u64) -> Self {
        let mut world = World::new(seed);
        let lace = world.turn(|cx| Lace::create(&mut cx.store, LOCAL, &topic.genesis));
        Self { world, lace }
    }

    pub(crate) fn run<R>(&mut self, f: impl FnOnce(&mut Lace, &mut Staged<'_>) -> R) -> R {
        let lace = &mut self.lace;
        self.world.turn(|cx| f(lace, &mut cx.store))
    }

    /// Admits an envelope; gives all that was reported.
    pub(crate) fn take(&mut self, verified: &Checked<Verified>) -> Vec<(EnvelopeId, Admission)> {
        let verified = verified.clone();
        self.run(|lace, store| lace.admit(store, verified))
    }

    /// What became of the envelope itself.
    pub(crate) fn verdict(&mut self, verified: &Checked<Verified>) -> Admission {
        let id = id_of(verified);
        let report = self.take(verified);
        let mut own = report
            .into_iter()
            .filter(|(other, outcome)| *other == id && !matches!(outcome, Admission::Fork(_)));
        own.next().expect("every envelope is reported").1
    }

    pub(crate) fn admitted(&mut self, verified: &Checked<Verified>) -> u64 {
        match self.verdict(verified) {
            Admission::Admitted { n, .. } => n,
            other => panic!("not admitted: {other:?}"),
        }
    }

    pub(crate) fn contains(&mut self, id: &EnvelopeId) -> bool {
        self.run(|lace, store| lace.contains(store, id))
    }

    pub(crate) fn kept(&mut self, id: &EnvelopeId) -> bool {
        self.run(|lace, store| lace.kept(store, id))
    }

    pub(crate) fn effective(&mut self, id: &EnvelopeId) -> bool {
        self.run(|lace, store| lace.effective(store, id))
    }

    /// Does all that is left to do; gives in how many calls.
    pub(crate) fn settle(&mut self) -> usize {
        let mut calls = 0;
        while self.lace.has_work() {
            self.run(|lace, store| lace.work(store));
            calls += 1;
        }
        calls
    }

    pub(crate) fn hashes(&self) -> ([u8; 32], [u8; 32]) {
        (self.lace.cut_hash(), self.lace.evidence_hash())
    }

    /// A restart: what is in memory is gone.
    pub(crate) fn reopen(self) -> Self {
        let mut world = World::over(self.world.into_base(), 9);
        let lace = world
            .turn(|cx| Lace::open(&mut cx.store, LOCAL))
            .expect("the graph is there");
        Self { world, lace }
    }

    /// Serves ranges in small steps.
    pub(crate) fn serve_all(&mut self, ranges: &[Range], budget: Budget) -> Vec<Raw> {
        let mut cursor = self.lace.cursor(ranges, false);
        let mut all = Vec::new();
        loop {
            let served = self.run(|lace, store| lace.serve(store, &mut cursor, budget));
            assert!(served.envelopes.len() <= budget.envelopes);
            all.extend(served.envelopes);
            if served.done {
                return all;
            }
        }
    }
}

pub(crate) const SMALL: Budget = Budget {
    envelopes: 5,
    bytes: 4096,
};

/// One exchange in one direction: `to` learns what `from` has. Gives how many envelopes were sent.
pub(crate) fn pull(to: &mut Replica, from: &mut Replica, page: usize) -> usize {
    to.settle();
    from.settle();
    if to.hashes() == from.hashes() {
        return 0;
    }
    let evidence = from.run(|lace, store| lace.evidence_page(store, None, 1000));
    for evidence in evidence {
        let (a, b) = (
            evidence.first.to_raw_header(),
            evidence.second.to_raw_header(),
        );
        let checked = wire::check_evidence(a, b).expect("evidence holds");
        to.run(|lace, store| lace.add_evidence(store, &checked));
    }
    let mut after = None;
    let mut wants = to.lace.parked_wants();
    loop {
        let (entries, more) = from.lace.cut_page(after.as_ref(), page);
        let found = to.run(|lace, store| lace.compare(store, &entries, after.as_ref(), !more));
        wants.extend(found.wants);
        if !more {
            break;
        }
        after = entries.last().map(|entry| entry.author);
    }
    let mut sent = 0;
    for chunk in wants.chunks(wire::limits::MAX_RANGES) {
        for raw in from.serve_all(chunk, SMALL) {
            sent += 1;
            to.take(&wire::check(raw).expect("what is served holds"));
        }
    }
    to.settle();
    sent
}

/// Exchanges until both are the same; panics if that takes too long.
pub(crate) fn sync(a: &mut Replica, b: &mut Replica, page: usize) {
    for _ in 0..40 {
        if a.hashes() == b.hashes() {
            return;
        }
        pull(a, b, page);
        pull(b, a, page);
    }
    panic!("no end of syncing");
}

/// A founder and one guest, each with their first envelopes.
pub(crate) struct Pair {
    pub(crate) topic: Topic,
    pub(crate) author: SecretKey,
    pub(crate) guest_device: SecretKey,
    pub(crate) guest: SecretKey,
    /// The founder's number 1, and number 2 with the invite.
    pub(crate) first: Checked<Verified>,
    pub(crate) invited: Checked<Verified>,
    /// The guest's number 1.
    pub(crate) joined: Checked<Verified>,
}

impl Pair {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = rng(seed);
        let topic = Topic::new(&mut rng);
        let author = SecretKey::generate(&mut rng);
        let items = topic.first_items(&topic.founder, author.public(), 0);
        let first = control(topic.header(topic.founder_grant()), &items, &author);
        let header = follow(topic.header(topic.founder_grant()), Some(&first), &[]);
        let invited = control(header, &[Item::Invite(topic.invite)], &author);
        let guest_device = SecretKey::generate(&mut rng);
        let guest = SecretKey::generate(&mut rng);
        let joined = join(&topic, &guest_device, &guest, 0, &[&invited]);
        Self {
            topic,
            author,
            guest_device,
            guest,
            first,
            invited,
            joined,
        }
    }

    pub(crate) fn replica(&self, seed: u64) -> Replica {
        let mut replica = Replica::new(&self.topic, seed);
        for verified in [&self.first, &self.invited, &self.joined] {
            replica.admitted(verified);
        }
        replica
    }

    /// Content by the guest.
    pub(crate) fn says(
        &self,
        previous: &Checked<Verified>,
        deps: &[&Checked<Verified>],
        text: &str,
    ) -> Checked<Verified> {
        let header = follow(self.topic.header(self.topic.grant), Some(previous), deps);
        content(header, text.as_bytes(), &self.guest)
    }

    /// Content by the founder.
    pub(crate) fn founder_says(
        &self,
        previous: &Checked<Verified>,
        deps: &[&Checked<Verified>],
        text: &str,
    ) -> Checked<Verified> {
        let header = follow(
            self.topic.header(self.topic.founder_grant()),
            Some(previous),
            deps,
        );
        content(header, text.as_bytes(), &self.author)
    }
}

pub(crate) fn join(
    topic: &Topic,
    device: &SecretKey,
    author: &SecretKey,
    index: u32,
    deps: &[&Checked<Verified>],
) -> Checked<Verified> {
    let items = topic.first_items(device, author.public(), index);
    control(
        follow(topic.header(topic.grant), None, deps),
        &items,
        author,
    )
}

pub(crate) fn plan(class: Class, now: u64) -> Plan {
    Plan {
        class,
        now,
        clock_confirmed: true,
        lifespan: 30 * DAY,
        count: 1,
        hops: 8,
        answers: Vec::new(),
        manifest: None,
    }
}
