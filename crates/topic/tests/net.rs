//! A world of engines: stores in memory, links that can be cut, a clock that is set by hand.

use core::time::Duration;
use identity::{
    EnvelopeId, Form, GrantId, NodeId, OperatorTag, PublicKey, SealingKey, SecretKey, TopicId,
};
use machine::test::World;
use machine::{Cx, Outbox, Rng};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use topic::{
    Draft, Env, Input, Job, Keys, Line, LineKind, LinkId, Local, Offer, OpenError, Output, Page,
    Payload, Peer, Policy, PublishError, Published, ReadFrom, Refusal, RefusedPart, Role, Rule,
    SealError, States, Stored, Topics,
};
use wire::plain::Message;
use wire::{
    Certificate, Checked, Claim, Code, Envelope, EpochItem, Frame, Genesis, Gift, Header, Invite,
    InviteKind, Item, Parameters, Receipt, SignedReceipt, Terms, TopicFrame, TopicPolicy, Verified,
};

pub(crate) const TOPIC: Local = 7;
pub(crate) const DAY: u64 = 86_400_000;

/// A host whose sealing is a mark in front of the plaintext.
pub(crate) struct TestHost {
    pub(crate) device: Option<SecretKey>,
    pub(crate) author: Option<SecretKey>,
    pub(crate) node: SecretKey,
    pub(crate) role: Role,
    pub(crate) cores: BTreeSet<NodeId>,
    /// What is refused, if anything.
    pub(crate) refuse: Option<(RefusedPart, u64)>,
    /// Authors whose bodies are counted against `refuse`; all when empty.
    pub(crate) hold: u64,
    /// What its receipts say of its operator.
    pub(crate) operator: Option<OperatorTag>,
    /// What was charged: headers with their proofs, and bodies.
    pub(crate) charged: u64,
    /// Most bytes that there is room for, and on whose account they were charged.
    pub(crate) quota: Option<u64>,
    pub(crate) accounts: BTreeMap<Option<LinkId>, u64>,
}

impl TestHost {
    fn new(rng: &mut Rng, role: Role) -> Self {
        let member = role == Role::Member;
        Self {
            device: member.then(|| SecretKey::generate(rng)),
            author: member.then(|| SecretKey::generate(rng)),
            node: SecretKey::generate(rng),
            role,
            cores: BTreeSet::new(),
            refuse: None,
            hold: 30 * DAY,
            operator: None,
            charged: 0,
            quota: None,
            accounts: BTreeMap::new(),
        }
    }
}

impl Keys for TestHost {
    fn open(
        &mut self,
        _: &mut Cx<'_>,
        _: Local,
        envelope: &Envelope,
        body: &[u8],
    ) -> Result<Vec<Message>, OpenError> {
        assert_eq!(self.role, Role::Member, "a custodian opens nothing");
        let plain = body.strip_prefix(b"sealed:").ok_or(OpenError::Malformed)?;
        let messages = wire::plain::decode_messages(plain).map_err(|_| OpenError::Malformed)?;
        if messages.len() == usize::from(envelope.header.count) {
            Ok(messages)
        } else {
            Err(OpenError::Malformed)
        }
    }

    fn seal(
        &mut self,
        _: &mut Cx<'_>,
        _: Local,
        _: &Header,
        messages: &[Message],
    ) -> Result<Vec<u8>, SealError> {
        let mut body = b"sealed:".to_vec();
        body.extend_from_slice(&wire::plain::encode_messages(messages));
        if body.len() > wire::limits::MAX_BODY {
            Err(SealError::TooLarge)
        } else {
            Ok(body)
        }
    }

    fn open_item(
        &mut self,
        _: &mut Cx<'_>,
        _: Local,
        _: &Envelope,
        item: &Item,
    ) -> Option<Vec<u8>> {
        match item {
            Item::Profile(plain) | Item::Title(plain) => Some(plain.clone()),
            _ => None,
        }
    }

    fn author(&self, _: Local) -> Option<PublicKey> {
        self.author.as_ref().map(SecretKey::public)
    }

    fn device(&self, _: Local) -> Option<PublicKey> {
        self.device.as_ref().map(SecretKey::public)
    }

    fn sign_envelope(&self, _: Local, header: Header, body: Vec<u8>) -> Option<Checked<Verified>> {
        wire::sign_envelope(header, body, self.author.as_ref()?).ok()
    }

    fn holder(&self, topic: Local) -> Option<PublicKey> {
        match self.role {
            Role::Member => self.author(topic),
            Role::Custodian => Some(self.node.public()),
        }
    }

    fn sign_receipt(&self, _: Local, receipt: Receipt) -> Option<Checked<SignedReceipt>> {
        let key = match self.role {
            Role::Member => self.author.as_ref()?,
            Role::Custodian => &self.node,
        };
        Some(wire::sign_receipt(receipt, key).expect("the engine makes legal receipts"))
    }
}

impl Policy for TestHost {
    fn room(&mut self, _: &mut Cx<'_>, _: Local, offer: Offer<'_>) -> Result<(), Refusal> {
        let more = offer.header_bytes + offer.body_bytes + offer.parked_bytes;
        if self
            .quota
            .is_some_and(|quota| self.charged + more as u64 > quota)
        {
            return Err(Refusal {
                what: RefusedPart::All,
                code: Code::QUOTA,
                text: "the quota is used up".into(),
                retry_at: 0,
            });
        }
        match self.refuse {
            Some((what, retry_at)) if offer.body_bytes > 0 => Err(Refusal {
                what,
                code: Code::QUOTA,
                text: "no room".into(),
                retry_at,
            }),
            _ => Ok(()),
        }
    }

    fn charge(&mut self, _: &mut Cx<'_>, _: Local, stored: Stored<'_>) {
        let bytes = (stored.header_bytes + stored.body_bytes) as u64;
        assert!(bytes > 0, "nothing was stored");
        self.charged += bytes;
        *self.accounts.entry(stored.link).or_default() += bytes;
    }

    fn is_core(&self, _: Local, node: &NodeId) -> bool {
        self.cores.contains(node)
    }

    fn hold_until(&mut self, cx: &mut Cx<'_>, _: Local) -> Option<u64> {
        (self.role == Role::Custodian).then(|| cx.wall.as_millis() + self.hold)
    }

    fn operator(&self) -> Option<OperatorTag> {
        self.operator
    }
}

pub(crate) struct Node {
    pub(crate) world: World,
    pub(crate) topics: Topics,
    pub(crate) host: TestHost,
    pub(crate) problems: Vec<Rule>,
    pub(crate) ahead: Vec<u64>,
    /// The lines as an application has seen them, and how often it was told of a change.
    pub(crate) seen: Vec<Line>,
    pub(crate) sent: u64,
    pub(crate) sent_bytes: u64,
}

struct Half {
    to: usize,
    /// Frames on their way, and whether they are other authors' envelopes, which may overtake.
    frames: VecDeque<(bool, TopicFrame)>,
}

pub(crate) struct Net {
    pub(crate) nodes: Vec<Node>,
    halves: BTreeMap<(LinkId, usize), Half>,
    jobs: VecDeque<(usize, LinkId, Job)>,
    pub(crate) rng: Rng,
    genesis: Option<Genesis>,
    invite: Option<(SecretKey, GrantId)>,
    next_link: u64,
    /// Whether verbatim frames and checks may overtake others.
    pub(crate) reorder: bool,
    pub(crate) credit: u64,
}

impl Net {
    pub(crate) fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        Self {
            nodes: Vec::new(),
            halves: BTreeMap::new(),
            jobs: VecDeque::new(),
            rng: Rng::from_seed(bytes),
            genesis: None,
            invite: None,
            next_link: 0,
            reorder: false,
            credit: 128 * 1024,
        }
    }

    /// A topic of this many members, the first of whom founded it, that do not know of one another
    /// yet: nobody but the founder has written.
    pub(crate) fn with_members(seed: u64, count: usize) -> Self {
        let mut net = Self::new(seed);
        for _ in 0..count {
            net.add(Role::Member);
        }
        net.items(0, vec![net.certificate(0)]);
        let key = SecretKey::generate(&mut net.rng);
        let invite = Item::Invite(Invite {
            key: key.public(),
            sealing: SealingKey::from_bytes([9; 32]),
            uses: 1000,
            until: net.wall() + 365 * DAY,
            kind: InviteKind::WhileAway(Gift {
                terms: Terms::GUEST,
                parent: GrantId::from_bytes(net.topic_id().to_bytes()),
            }),
        });
        net.invite = Some((key, invite.id()));
        net.items(0, vec![invite]);
        net
    }

    /// A topic whose members have all joined and know one another, without any link.
    pub(crate) fn joined(seed: u64, count: usize) -> Self {
        let mut net = Self::with_members(seed, count);
        for node in 1..count {
            let link = net.link(0, node);
            net.settle();
            net.join(node);
            net.settle();
            net.cut(link);
        }
        let links: Vec<LinkId> = (1..count).map(|node| net.link(0, node)).collect();
        net.settle();
        for link in links {
            net.cut(link);
        }
        net
    }

    pub(crate) fn wall(&self) -> u64 {
        self.nodes[0].world.wall.as_millis()
    }

    pub(crate) fn add(&mut self, role: Role) -> usize {
        let host = TestHost::new(&mut self.rng, role);
        let mut world = World::new(self.rng.next_u64());
        if let Some(first) = self.nodes.first() {
            world.now = first.world.now;
            world.wall = first.world.wall;
        }
        let founder = host.device.as_ref().map(SecretKey::public);
        let genesis = self.genesis.get_or_insert_with(|| Genesis {
            random: [5; 32],
            root: Form::one(founder.expect("the first node is a member")),
            policy: TopicPolicy::default(),
            epoch: EpochItem {
                suite: 1,
                start: 1_700_000_000_000,
                slice: 0,
                keys: vec![SealingKey::from_bytes([8; 32])],
            },
            parameters: Parameters {
                history_days: 90,
                lifespan: 30 * DAY,
            },
        });
        let mut topics = world.turn(Topics::open);
        world.turn(|cx| topics.create(cx, TOPIC, genesis, role));
        self.nodes.push(Node {
            world,
            topics,
            host,
            problems: Vec::new(),
            ahead: Vec::new(),
            seen: Vec::new(),
            sent: 0,
            sent_bytes: 0,
        });
        let node = self.nodes.len() - 1;
        self.input(node, Input::Clock { confirmed: true });
        node
    }

    pub(crate) fn topic_id(&self) -> TopicId {
        self.genesis.as_ref().expect("there is a topic").topic_id()
    }

    pub(crate) fn certificate(&self, node: usize) -> Item {
        self.certificate_of(node, 0)
    }

    pub(crate) fn certificate_of(&self, node: usize, index: u32) -> Item {
        let host = &self.nodes[node].host;
        let device = host.device.as_ref().expect("a member");
        let author = host.author.as_ref().expect("a member").public();
        Item::Certificate(Certificate::sign(self.topic_id(), device, author, index))
    }

    pub(crate) fn claim(&self, node: usize) -> Item {
        let (key, grant) = self.invite.as_ref().expect("there is an invite");
        let device = self.nodes[node]
            .host
            .device
            .as_ref()
            .expect("a member")
            .public();
        let sealing = SealingKey::from_bytes([3; 32]);
        Item::Claim(Claim::sign(
            self.topic_id(),
            key,
            *grant,
            device,
            sealing,
            self.wall(),
        ))
    }

    pub(crate) fn join(&mut self, node: usize) {
        let items = vec![self.certificate(node), self.claim(node)];
        self.items(node, items);
    }

    pub(crate) fn items(&mut self, node: usize, items: Vec<Item>) -> Published {
        let draft = Draft {
            payload: Payload::Items(items),
            lifespan: None,
            answers: Vec::new(),
            manifest: None,
        };
        self.publish(node, draft).expect("it can be written")
    }

    pub(crate) fn say(&mut self, node: usize, text: &str) -> Published {
        self.say_for(node, text, None)
    }

    pub(crate) fn say_for(&mut self, node: usize, text: &str, lifespan: Option<u64>) -> Published {
        let payload = Payload::Messages(vec![Message::text(text)]);
        let draft = Draft {
            payload,
            lifespan,
            answers: Vec::new(),
            manifest: None,
        };
        self.publish(node, draft).expect("it can be written")
    }

    pub(crate) fn publish(&mut self, node: usize, draft: Draft) -> Result<Published, PublishError> {
        self.with(node, |topics, env| topics.publish(env, TOPIC, draft))
    }

    /// Runs one turn of a node and carries out what comes of it.
    pub(crate) fn with<R>(
        &mut self,
        node: usize,
        f: impl FnOnce(&mut Topics, &mut Env<'_, '_>) -> R,
    ) -> R {
        let Node {
            world,
            topics,
            host,
            ..
        } = &mut self.nodes[node];
        let mut out = Outbox::new();
        let result = world.turn(|cx| {
            f(
                topics,
                &mut Env {
                    cx,
                    host,
                    out: &mut out,
                },
            )
        });
        for output in out.drain() {
            self.output(node, output);
        }
        result
    }

    pub(crate) fn input(&mut self, node: usize, input: Input) {
        self.with(node, |topics, env| topics.handle(env, input));
    }

    fn output(&mut self, node: usize, output: Output) {
        match output {
            // Nobody here lets in whoever has claimed an invite.
            Output::Claims { topic } => assert_eq!(topic, TOPIC),
            Output::Blocks { .. } => panic!("nobody here shares files"),
            Output::Send { link, topic, frame } => {
                assert_eq!(topic, self.topic_id());
                self.enqueue(node, link, frame, false);
            }
            Output::Forward {
                link,
                topic,
                forward,
            } => {
                assert_eq!(topic, self.topic_id());
                let frame = forward.into_frame();
                let TopicFrame::Envelopes {
                    envelopes,
                    last: false,
                } = &frame
                else {
                    panic!("only envelopes are forwarded: {frame:?}");
                };
                let own = self.nodes[node].host.author.as_ref().map(SecretKey::public);
                for raw in envelopes {
                    let header = wire::decode_header(&raw.header_bytes).expect("it was admitted");
                    assert_ne!(
                        Some(header.author),
                        own,
                        "own envelopes wait for their commit"
                    );
                }
                let overtakes = self.reorder;
                self.enqueue(node, link, frame, overtakes);
            }
            Output::Check { link, topic, job } => {
                assert_eq!(topic, TOPIC);
                self.jobs.push_back((node, link, job));
            }
            Output::Misbehaved { rule, .. } => self.nodes[node].problems.push(rule),
            Output::OwnChainAhead { number, .. } => self.nodes[node].ahead.push(number),
            Output::Changed { topic, .. } => assert_eq!(topic, TOPIC),
            Output::Unproven { topic, .. } => assert_eq!(topic, TOPIC),
            Output::Control { .. }
            | Output::Receipts { .. }
            | Output::Audited { .. }
            | Output::Unshared { .. }
            | Output::Problem { .. } => {}
        }
    }

    fn enqueue(&mut self, node: usize, link: LinkId, frame: TopicFrame, overtakes: bool) {
        let bytes = Frame::Topic {
            topic: self.topic_id(),
            frame: frame.clone(),
        }
        .encode();
        assert!(bytes.len() <= wire::limits::MAX_FRAME);
        // What leaves can be read by whoever gets it.
        let Ok(Frame::Topic { frame, .. }) = Frame::decode(&bytes) else {
            panic!("a frame that nobody can read: {frame:?}");
        };
        let from = &mut self.nodes[node];
        from.sent += 1;
        from.sent_bytes += bytes.len() as u64;
        if let Some(half) = self.halves.get_mut(&(link, node)) {
            let end = half.frames.len() as u64;
            let last = half.frames.iter().rposition(|(verbatim, _)| *verbatim);
            let first = last.map_or(0, |last| last as u64 + 1);
            // It leaves at once, and others before it may still wait for their commit.
            let at = if overtakes {
                first + self.rng.below(end - first + 1)
            } else {
                end
            };
            half.frames
                .insert(usize::try_from(at).unwrap(), (overtakes, frame));
        }
    }

    pub(crate) fn peer_of(&self, node: usize) -> Peer {
        let host = &self.nodes[node].host;
        match &host.device {
            Some(device) => Peer::Member {
                device: device.public(),
                grant: GrantId::from_bytes([0; 32]),
            },
            None => Peer::Core {
                node: host.node.node_id(),
            },
        }
    }

    pub(crate) fn link(&mut self, a: usize, b: usize) -> LinkId {
        self.next_link += 1;
        let link = LinkId(self.next_link);
        for (from, to) in [(a, b), (b, a)] {
            let half = Half {
                to,
                frames: VecDeque::new(),
            };
            self.halves.insert((link, from), half);
        }
        for (node, other) in [(a, b), (b, a)] {
            let peer = self.peer_of(other);
            let bytes = self.credit;
            self.input(node, Input::Writable { link, bytes });
            self.input(
                node,
                Input::Proven {
                    link,
                    topic: TOPIC,
                    peer,
                },
            );
        }
        link
    }

    /// A link whose other end is the test itself.
    pub(crate) fn puppet(&mut self, node: usize, peer: Peer) -> LinkId {
        self.next_link += 1;
        let link = LinkId(self.next_link);
        let half = Half {
            to: usize::MAX,
            frames: VecDeque::new(),
        };
        self.halves.insert((link, node), half);
        self.input(
            node,
            Input::Writable {
                link,
                bytes: 1 << 40,
            },
        );
        self.input(
            node,
            Input::Proven {
                link,
                topic: TOPIC,
                peer,
            },
        );
        link
    }

    /// What a node has said to a puppet since it was last asked.
    pub(crate) fn heard(&mut self, link: LinkId, node: usize) -> Vec<TopicFrame> {
        let half = self.halves.get_mut(&(link, node)).expect("the link is up");
        half.frames.drain(..).map(|(_, frame)| frame).collect()
    }

    pub(crate) fn frame(&mut self, node: usize, link: LinkId, frame: TopicFrame) {
        self.input(
            node,
            Input::Frame {
                link,
                topic: TOPIC,
                frame,
            },
        );
        self.run_jobs();
    }

    pub(crate) fn cut(&mut self, link: LinkId) {
        let ends: Vec<(LinkId, usize)> = self
            .halves
            .keys()
            .filter(|(other, _)| *other == link)
            .copied()
            .collect();
        for end in ends {
            self.halves.remove(&end);
            self.input(end.1, Input::LinkGone { link });
        }
    }

    pub(crate) fn links(&self) -> BTreeSet<LinkId> {
        self.halves.keys().map(|(link, _)| *link).collect()
    }

    /// Ends a node's life and begins the next from its store. Its links go.
    pub(crate) fn restart(&mut self, node: usize) {
        let links: BTreeSet<LinkId> = self
            .halves
            .iter()
            .filter(|((_, from), half)| *from == node || half.to == node)
            .map(|((link, _), _)| *link)
            .collect();
        self.jobs.retain(|(at, _, _)| *at != node);
        let base = self.nodes[node].world.base().clone();
        self.set_back(node, base);
        for link in links {
            self.cut(link);
        }
    }

    /// Begins a life of a node from a store of the past.
    pub(crate) fn set_back(&mut self, node: usize, base: machine::MemoryBase) {
        let seed = self.rng.next_u64();
        let Node { world, topics, .. } = &mut self.nodes[node];
        let mut next = World::over(base, seed);
        // Time begins anew in each life; here it goes on, which is easier to compare.
        next.now = world.now;
        next.wall = world.wall;
        *world = next;
        *topics = world.turn(Topics::open);
        self.input(node, Input::Clock { confirmed: true });
    }

    fn run_jobs(&mut self) {
        while self.run_job() {}
    }

    fn run_job(&mut self) -> bool {
        let pick = if self.reorder {
            self.rng.below(self.jobs.len() as u64)
        } else {
            0
        };
        let Some((node, link, job)) = self.jobs.remove(usize::try_from(pick).unwrap()) else {
            return false;
        };
        let done = job.run();
        self.input(
            node,
            Input::Checked {
                link,
                topic: TOPIC,
                done,
            },
        );
        true
    }

    /// Delivers one frame, or runs one job; says whether there was one.
    pub(crate) fn step(&mut self) -> bool {
        let busy: Vec<(LinkId, usize)> = self
            .halves
            .iter()
            .filter(|(_, half)| half.to != usize::MAX && !half.frames.is_empty())
            .map(|(key, _)| *key)
            .collect();
        let choices = busy.len() as u64 + u64::from(!self.jobs.is_empty());
        if choices == 0 {
            return false;
        }
        let pick = usize::try_from(self.rng.below(choices)).unwrap();
        let Some(key) = busy.get(pick).copied() else {
            return self.run_job();
        };
        let half = self.halves.get_mut(&key).expect("it was listed");
        let first = half.frames.pop_front();
        let ((_, frame), to) = (first.expect("it was listed"), half.to);
        let cost = Frame::Topic {
            topic: self.topic_id(),
            frame: frame.clone(),
        }
        .encode()
        .len()
            + 64;
        self.input(
            key.1,
            Input::Writable {
                link: key.0,
                bytes: cost as u64,
            },
        );
        self.input(
            to,
            Input::Frame {
                link: key.0,
                topic: TOPIC,
                frame,
            },
        );
        true
    }

    /// Deadlines that have come; says whether there was one.
    pub(crate) fn fire(&mut self) -> bool {
        let mut any = false;
        for node in 0..self.nodes.len() {
            let now = self.nodes[node].world.now;
            if self.nodes[node]
                .topics
                .deadline()
                .is_some_and(|at| at <= now)
            {
                self.with(node, |topics, env| topics.on_deadline(env));
                any = true;
            }
        }
        any
    }

    /// Runs without letting time pass until nothing happens.
    pub(crate) fn run(&mut self) {
        let mut steps = 0_u64;
        loop {
            let stepped = self.step();
            if !stepped && !self.fire() {
                return;
            }
            if steps.is_multiple_of(16) {
                self.fire();
            }
            steps += 1;
            assert!(steps < 2_000_000, "it never becomes silent");
        }
    }

    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.nodes[0].world.now.after(duration);
        loop {
            self.run();
            let next = self
                .nodes
                .iter()
                .filter_map(|node| node.topics.deadline())
                .min();
            let at = next.unwrap_or(end).min(end);
            let step = at
                .since(self.nodes[0].world.now)
                .max(Duration::from_micros(1));
            let last = at >= end;
            for node in &mut self.nodes {
                node.world.pass(step);
            }
            if last {
                self.run();
                return;
            }
        }
    }

    /// Runs for three seconds: everything that is asked for at once and soon.
    pub(crate) fn settle(&mut self) {
        self.pass(Duration::from_secs(3));
    }

    pub(crate) fn read(&mut self, node: usize, from: ReadFrom, limit: usize) -> Page {
        self.with(node, |topics, env| topics.read(env, TOPIC, from, limit))
            .expect("it is here")
    }

    /// Reads what is new as an application does, and checks that lines never change.
    pub(crate) fn follow(&mut self, node: usize) {
        loop {
            let next = self.nodes[node].seen.last().map_or(1, |line| line.n + 1);
            let page = self.read(node, ReadFrom::Line(next), 100);
            for (place, line) in (next..).zip(&page.lines) {
                assert_eq!(line.n, place, "lines count up without gaps");
            }
            self.nodes[node].seen.extend(page.lines);
            if !page.more {
                return;
            }
        }
    }

    /// All texts that a node shows, in order.
    pub(crate) fn texts(&mut self, node: usize) -> Vec<String> {
        self.follow(node);
        self.nodes[node]
            .seen
            .iter()
            .filter_map(|line| match &line.kind {
                LineKind::Message(message) => {
                    Some(String::from_utf8(message.bytes.clone()).expect("it is text"))
                }
                _ => None,
            })
            .collect()
    }

    pub(crate) fn states(&mut self, node: usize, published: &Published) -> States {
        self.with(node, |topics, env| topics.states(env, TOPIC, &published.id))
            .expect("it is here")
            .expect("it is in the topic")
    }

    /// What an envelope names.
    pub(crate) fn named(&mut self, node: usize, id: &EnvelopeId) -> Vec<EnvelopeId> {
        let base = self.nodes[node].world.base().clone();
        // A world of its own, since a lace and a turn cannot be borrowed together.
        World::over(base, 0).turn(|cx| {
            let lace = lace::Lace::open(&mut cx.store, TOPIC).expect("it is here");
            let envelope = lace.header(&mut cx.store, id).expect("it is here");
            let mut named = envelope.header.deps;
            named.push(EnvelopeId::from_bytes(envelope.header.previous));
            named
        })
    }

    pub(crate) fn cut_hash(&mut self, node: usize) -> [u8; 32] {
        let Node { world, topics, .. } = &mut self.nodes[node];
        world.turn(|cx| topics.lace(cx, TOPIC).expect("it is here").cut_hash())
    }

    /// Whether all nodes hold the same envelopes.
    pub(crate) fn agree(&mut self) -> bool {
        let first = self.cut_hash(0);
        (1..self.nodes.len()).all(|node| self.cut_hash(node) == first)
    }

    /// Whether a node was charged for exactly what it holds. Holds as long as nothing has expired.
    pub(crate) fn is_charged(&mut self, node: usize) -> bool {
        let Node {
            world,
            topics,
            host,
            ..
        } = &mut self.nodes[node];
        let totals = world.turn(|cx| topics.lace(cx, TOPIC).expect("it is here").totals());
        host.charged == totals.header_bytes + totals.body_bytes
    }

    pub(crate) fn sent(&self) -> u64 {
        self.nodes.iter().map(|node| node.sent).sum()
    }
}
