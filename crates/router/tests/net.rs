//! A world of routers on links in memory: time stands still but for what the test lets pass, nothing
//! is random but what comes from the seed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use identity::{EnvelopeId, NodeId, SecretKey};
use machine::test::World;
use machine::{Outbox, Rng, Time, WallTime};
use router::{
    Address, Class, Config, EchoResult, InboxMail, Input, LinkId, MailRefusal, Output, Problem,
    Router, Send, Standing, Why,
};
use wire::{Code, Frame};

/// Milliseconds that a frame takes.
const LATENCY: u64 = 20;

pub(crate) struct Host {
    pub(crate) secret: SecretKey,
    world: Option<World>,
    pub(crate) router: Option<Router>,
    born: u64,
    lives: u64,
    pub(crate) skew_ms: i64,
    pub(crate) trusted: bool,
    pub(crate) restored: bool,
    pub(crate) is_core: bool,
    pub(crate) clients: BTreeSet<NodeId>,
    pub(crate) cores: Vec<usize>,
    mailbox: BTreeMap<(NodeId, EnvelopeId), Held>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) echoes: BTreeMap<u64, EchoResult>,
    pub(crate) passed: Vec<(NodeId, Frame)>,
    pub(crate) closes: Vec<(NodeId, Code, String)>,
    pub(crate) opened: u32,
    pub(crate) dials: u32,
    pub(crate) closed: u32,
    /// Outputs of this turn and later ones are lost: the machine stops between commit and release.
    pub(crate) mute: bool,
}

impl Host {
    pub(crate) fn lose_mailbox(&mut self) {
        self.mailbox.clear();
    }
}

struct Held {
    source: NodeId,
    mail: Vec<u8>,
    receipt: Option<Vec<u8>>,
}

enum Event {
    Up {
        host: usize,
        link: u64,
        peer: usize,
        token: Option<u64>,
        exporter: [u8; 32],
    },
    Down {
        host: usize,
        link: u64,
    },
    Frame {
        host: usize,
        link: u64,
        frame: Box<Frame>,
    },
    Failed {
        host: usize,
        token: u64,
        life: u64,
    },
}

pub(crate) struct Net {
    pub(crate) hosts: Vec<Host>,
    /// (host, link) → the other end.
    links: BTreeMap<(usize, u64), (usize, u64)>,
    pub(crate) cut: BTreeSet<(usize, usize)>,
    events: BTreeMap<(u64, u64), Event>,
    pub(crate) now: u64,
    sequence: u64,
    next_link: u64,
    pub(crate) frames: u64,
    /// Dials that were begun.
    pub(crate) dials: u64,
    /// Dials in progress that will come to nothing, and the most of them at once.
    failing: usize,
    pub(crate) most_failing: usize,
    /// Deadlines that were met.
    pub(crate) wakings: u64,
    /// Every mail that was sent: from, to, what.
    pub(crate) mails: Vec<(usize, usize, wire::Raw)>,
    /// From where links of these hosts come; of others it is no IP address.
    pub(crate) seen: BTreeMap<usize, String>,
    /// Every address that was told by a core node and dialled, and when.
    pub(crate) told: Vec<(u64, NodeId, String)>,
    /// Every rendezvous that was wished for: by whom, with whom.
    pub(crate) wishes: Vec<(usize, NodeId)>,
    rng: Rng,
}

impl Net {
    pub(crate) fn new(hosts: usize, seed: u8) -> Self {
        let host = |n: usize| Host {
            secret: SecretKey::from_seed([n as u8 + 1; 32]),
            world: Some(World::new(1000 * u64::from(seed) + n as u64)),
            router: None,
            born: 0,
            lives: 0,
            skew_ms: 0,
            trusted: true,
            restored: false,
            is_core: false,
            clients: BTreeSet::new(),
            cores: Vec::new(),
            mailbox: BTreeMap::new(),
            problems: Vec::new(),
            echoes: BTreeMap::new(),
            passed: Vec::new(),
            closes: Vec::new(),
            opened: 0,
            dials: 0,
            closed: 0,
            mute: false,
        };
        Self {
            hosts: (0..hosts).map(host).collect(),
            links: BTreeMap::new(),
            cut: BTreeSet::new(),
            events: BTreeMap::new(),
            now: 0,
            sequence: 0,
            next_link: 0,
            frames: 0,
            failing: 0,
            most_failing: 0,
            dials: 0,
            wakings: 0,
            mails: Vec::new(),
            seen: BTreeMap::new(),
            told: Vec::new(),
            wishes: Vec::new(),
            rng: Rng::from_seed([seed; 32]),
        }
    }

    pub(crate) fn started(hosts: usize, seed: u8) -> Self {
        let mut net = Self::new(hosts, seed);
        (0..hosts).for_each(|n| net.start(n));
        net
    }

    pub(crate) fn id(&self, host: usize) -> NodeId {
        self.hosts[host].secret.node_id()
    }

    pub(crate) fn address(host: usize) -> String {
        format!("host{host}:4433")
    }

    /// Begins a life of a host over what its store holds.
    pub(crate) fn start(&mut self, n: usize) {
        let cores: Vec<_> = self.hosts[n]
            .cores
            .iter()
            .map(|core| (self.id(*core), Self::address(*core)))
            .collect();
        let host = &mut self.hosts[n];
        host.born = self.now;
        host.lives += 1;
        let base = host
            .world
            .take()
            .expect("every host has a world")
            .into_base();
        host.world = Some(World::over(base, self.rng.next_u64()));
        let mut config = Config::new(host.secret.clone(), &format!("host {n}"), "test 0");
        config.trusted_clock = host.trusted;
        config.restored = host.restored;
        self.set_clock(n);
        let mut out = Outbox::new();
        let host = &mut self.hosts[n];
        let world = host.world.as_mut().expect("set above");
        host.router = Some(world.turn(|cx| Router::open(cx, config, &mut out)));
        self.outputs(n, out);
        self.input(
            n,
            Input::Listening {
                addresses: vec![Address {
                    uri: Self::address(n),
                    weight: 1,
                }],
            },
        );
        for (core, address) in cores.clone() {
            self.input(
                n,
                Input::Keep {
                    node: core,
                    why: Why::Core,
                    addresses: vec![address],
                },
            );
        }
        self.input(n, Input::MyCores { cores });
    }

    /// Ends a life: everything on the way is lost, what was committed remains.
    pub(crate) fn kill(&mut self, n: usize) {
        self.hosts[n].router = None;
        self.hosts[n].mute = false;
        let ends: Vec<u64> = self
            .links
            .keys()
            .filter(|(host, _)| *host == n)
            .map(|(_, link)| *link)
            .collect();
        for link in ends {
            self.drop_link(n, link);
        }
    }

    pub(crate) fn is_up(&self, n: usize) -> bool {
        self.hosts[n].router.is_some()
    }

    pub(crate) fn restart(&mut self, n: usize) {
        self.kill(n);
        self.start(n);
    }

    /// Lets two hosts reach one another no longer.
    pub(crate) fn part(&mut self, a: usize, b: usize) {
        self.cut.insert((a.min(b), a.max(b)));
        self.drop_links(a, b);
    }

    pub(crate) fn heal(&mut self, a: usize, b: usize) {
        self.cut.remove(&(a.min(b), a.max(b)));
    }

    /// Breaks the links between two hosts; new ones can be made.
    pub(crate) fn drop_links(&mut self, a: usize, b: usize) {
        let between: Vec<u64> = self
            .links
            .iter()
            .filter(|((host, _), (peer, _))| *host == a && *peer == b)
            .map(|((_, link), _)| *link)
            .collect();
        for link in between {
            self.drop_link(a, link);
        }
    }

    fn drop_link(&mut self, n: usize, link: u64) {
        let Some((peer, other)) = self.links.remove(&(n, link)) else {
            return;
        };
        self.links.remove(&(peer, other));
        self.schedule(0, Event::Down { host: n, link });
        self.schedule(
            0,
            Event::Down {
                host: peer,
                link: other,
            },
        );
    }

    fn schedule(&mut self, after_ms: u64, event: Event) {
        self.sequence += 1;
        self.events
            .insert((self.now + after_ms, self.sequence), event);
    }

    fn set_clock(&mut self, n: usize) {
        let now = self.now;
        let host = &mut self.hosts[n];
        let world = host.world.as_mut().expect("every host has a world");
        world.now = Time::from_micros((now - host.born) * 1000);
        let wall = 1_795_132_800_000_u64 + now;
        world.wall = WallTime::from_millis(wall.saturating_add_signed(host.skew_ms));
    }

    /// Runs something on a host's router, as one turn.
    pub(crate) fn run<R>(
        &mut self,
        n: usize,
        f: impl FnOnce(&mut Router, &mut machine::Cx<'_>, &mut Outbox<Output>) -> R,
    ) -> R {
        self.set_clock(n);
        let host = &mut self.hosts[n];
        let mut out = Outbox::new();
        let router = host.router.as_mut().expect("the host is up");
        let world = host.world.as_mut().expect("every host has a world");
        let result = world.turn(|cx| f(router, cx, &mut out));
        router.check_invariants();
        self.outputs(n, out);
        result
    }

    pub(crate) fn input(&mut self, n: usize, input: Input) {
        if self.is_up(n) {
            self.run(n, |router, cx, out| router.handle(cx, input, out));
        }
    }

    fn outputs(&mut self, n: usize, mut out: Outbox<Output>) {
        if self.hosts[n].mute {
            let _ = out.drain().count();
        }
        while let Some(output) = out.pop() {
            self.output(n, output);
        }
    }

    fn output(&mut self, n: usize, output: Output) {
        match output {
            Output::Send { link, frame } | Output::Advise { link, frame } => {
                let bytes = frame.encode();
                assert!(bytes.len() <= wire::limits::MAX_FRAME);
                let frame = Frame::decode(&bytes).expect("what is sent is legal");
                self.frames += 1;
                if let Some((host, link)) = self.links.get(&(n, link.0)).copied() {
                    if let Frame::Mail(raw) = &frame {
                        self.mails.push((n, host, raw.clone()));
                    }
                    self.schedule(
                        LATENCY,
                        Event::Frame {
                            host,
                            link,
                            frame: Box::new(frame),
                        },
                    );
                }
            }
            Output::Close { link, code, text } => {
                let peer = self.links.get(&(n, link.0)).copied();
                if let Some((peer, other)) = peer {
                    let id = self.id(peer);
                    self.hosts[n].closes.push((id, code, text));
                    self.schedule(
                        LATENCY + 1,
                        Event::Down {
                            host: n,
                            link: link.0,
                        },
                    );
                    self.schedule(
                        LATENCY + 1,
                        Event::Down {
                            host: peer,
                            link: other,
                        },
                    );
                }
            }
            Output::Dial {
                token,
                node,
                address,
            } => {
                self.hosts[n].dials += 1;
                self.dialled(n, token, node, &address);
            }
            Output::Met { node, .. } => {
                if self.hosts[n].clients.contains(&node) {
                    self.input(
                        n,
                        Input::Standing {
                            node,
                            standing: Standing::Client,
                        },
                    );
                }
            }
            Output::Opened { node, .. } => {
                self.hosts[n].opened += 1;
                self.hand_over(n, node);
            }
            Output::Closed { .. } => self.hosts[n].closed += 1,
            Output::Pass { node, frame, .. } => self.hosts[n].passed.push((node, frame)),
            Output::Check { link, id, raw } => {
                let result = wire::check(raw);
                self.input(n, Input::Checked { link, id, result });
            }
            Output::Mailbox { from, to, mail } => self.mailbox(n, from, to, mail.into_inner()),
            Output::Receipt { node, receipt } => {
                let receipt = receipt.into_inner();
                let raw = receipt.to_raw().encode();
                for id in receipt.value.ids {
                    let Some(held) = self.hosts[n].mailbox.get_mut(&(node, id)) else {
                        continue;
                    };
                    held.receipt = Some(raw.clone());
                    let source = held.source;
                    self.run(n, |router, _, out| {
                        router.forward_receipt(&source, &raw, out)
                    });
                }
            }
            Output::Echo { token, result } => {
                self.hosts[n].echoes.insert(token, result);
            }
            Output::Problem(problem) => self.hosts[n].problems.push(problem),
            Output::Meet { node } => self.wishes.push((n, node)),
            Output::Mail { .. }
            | Output::MailState { .. }
            | Output::Adverts { .. }
            | Output::AdvertWanted { .. }
            | Output::Clock { .. } => {}
        }
    }

    fn dialled(&mut self, n: usize, token: u64, node: NodeId, address: &str) {
        self.dials += 1;
        if address.starts_with("udp://") {
            self.told.push((self.now, node, address.to_owned()));
        }
        let life = self.hosts[n].lives;
        let peer = (0..self.hosts.len())
            .find(|peer| Self::address(*peer) == address && self.id(*peer) == node);
        let peer = peer.filter(|p| self.is_up(*p) && !self.cut.contains(&(n.min(*p), n.max(*p))));
        match peer {
            Some(peer) => self.connect(n, peer, Some(token)),
            None => {
                self.failing += 1;
                self.most_failing = self.most_failing.max(self.failing);
                let failed = Event::Failed {
                    host: n,
                    token,
                    life,
                };
                self.schedule(500, failed);
            }
        }
    }

    /// Makes a link that `n` dialled.
    pub(crate) fn connect(&mut self, n: usize, peer: usize, token: Option<u64>) {
        let (here, there) = (self.next_link + 1, self.next_link + 2);
        self.next_link += 2;
        self.links.insert((n, here), (peer, there));
        self.links.insert((peer, there), (n, here));
        let exporter = self.rng.array();
        let token = Some(token.unwrap_or(u64::MAX));
        self.schedule(
            LATENCY,
            Event::Up {
                host: n,
                link: here,
                peer,
                token,
                exporter,
            },
        );
        self.schedule(
            LATENCY,
            Event::Up {
                host: peer,
                link: there,
                peer: n,
                token: None,
                exporter,
            },
        );
    }

    fn mailbox(&mut self, n: usize, from: NodeId, to: NodeId, mail: wire::Verified) {
        let id = mail.envelope.id;
        let until = 1_795_132_800_000_u64 + self.now + 7 * 86_400_000;
        let key = (to, id);
        let host = &mut self.hosts[n];
        if let Some(held) = host.mailbox.get(&key) {
            match held.receipt.clone() {
                Some(receipt) => {
                    self.run(n, |router, _, out| {
                        router.forward_receipt(&from, &receipt, out)
                    });
                }
                None => {
                    self.run(n, |router, cx, out| {
                        router.mail_held(cx, &from, id, until, out)
                    });
                }
            }
            return;
        }
        if !host.is_core || !host.clients.contains(&to) || mail.body.is_none() {
            let text = "this node holds nothing for that node";
            let why = MailRefusal {
                id,
                code: Code::NO_RECIPIENT,
                text: text.into(),
                retry_ms: 0,
            };
            self.run(n, |router, _, out| router.mail_refused(&from, why, out));
            return;
        }
        let bytes = mail.envelope.to_raw(mail.body).encode();
        host.mailbox.insert(
            key,
            Held {
                source: from,
                mail: bytes,
                receipt: None,
            },
        );
        self.run(n, |router, cx, out| {
            router.mail_held(cx, &from, id, until, out)
        });
        self.hand_over(n, to);
    }

    fn hand_over(&mut self, n: usize, client: NodeId) {
        let held = self.hosts[n].mailbox.iter();
        let held: Vec<Vec<u8>> = held
            .filter(|((to, _), held)| *to == client && held.receipt.is_none())
            .map(|(_, held)| held.mail.clone())
            .collect();
        for mail in held {
            self.run(n, |router, _, out| router.hand_over(&client, &mail, out));
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Up {
                host,
                link,
                peer,
                token,
                exporter,
            } => {
                if !self.links.contains_key(&(host, link)) || !self.is_up(host) {
                    return;
                }
                let node = self.id(peer);
                let seen = self.seen.get(&peer).cloned();
                let address = seen.unwrap_or_else(|| Self::address(peer));
                let link = LinkId(link);
                self.input(
                    host,
                    Input::Up {
                        link,
                        node,
                        dialled: token,
                        exporter,
                        address,
                    },
                );
            }
            Event::Down { host, link } => {
                self.links.remove(&(host, link));
                self.input(
                    host,
                    Input::Down {
                        link: LinkId(link),
                        reason: "gone".into(),
                    },
                );
            }
            Event::Frame { host, link, frame } => {
                let frame = *frame;
                if self.links.contains_key(&(host, link)) {
                    let len = frame.encode().len();
                    self.input(
                        host,
                        Input::Frame {
                            link: LinkId(link),
                            frame,
                            len,
                        },
                    );
                }
            }
            Event::Failed { host, token, life } => {
                self.failing -= 1;
                if self.hosts[host].lives == life {
                    self.input(
                        host,
                        Input::DialFailed {
                            token,
                            reason: "no answer".into(),
                        },
                    );
                }
            }
        }
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration.as_millis() as u64;
        loop {
            let event = self
                .events
                .keys()
                .next()
                .map(|(at, _)| *at)
                .unwrap_or(u64::MAX);
            let deadline = |host: &Host| {
                let at = host.router.as_ref()?.deadline()?;
                Some(host.born + at.as_micros().div_ceil(1000))
            };
            let timer = (0..self.hosts.len())
                .filter_map(|n| deadline(&self.hosts[n]).map(|at| (at.max(self.now), n)))
                .min();
            let next = event.min(timer.map_or(u64::MAX, |(at, _)| at));
            if next > end {
                break;
            }
            self.now = next;
            if event <= next {
                let (_, event) = self.events.pop_first().expect("there is one");
                self.event(event);
            } else if let Some((_, n)) = timer {
                self.wakings += 1;
                self.run(n, |router, cx, out| router.on_deadline(cx, out));
            }
        }
        self.now = end;
    }

    pub(crate) fn secs(&mut self, secs: u64) {
        self.pass(Duration::from_secs(secs));
    }

    // What the tests ask.

    pub(crate) fn peer(&mut self, n: usize, other: usize) {
        let node = self.id(other);
        let address = Self::address(other);
        self.run(n, |router, cx, out| {
            router.peer_add(cx, node, &[address], out)
        })
        .expect("added");
    }

    pub(crate) fn friends(&mut self, a: usize, b: usize) {
        self.peer(a, b);
        self.peer(b, a);
    }

    pub(crate) fn send(&mut self, n: usize, to: usize, text: &str) -> EnvelopeId {
        let to = self.id(to);
        let send = Send {
            to,
            engine: "inbox".into(),
            payload: text.as_bytes().to_vec(),
            class: Class::Reliable,
            lifespan: None,
        };
        self.run(n, |router, cx, out| router.send(cx, send, out))
            .expect("sent")
    }

    pub(crate) fn inbox(&mut self, n: usize) -> Vec<InboxMail> {
        self.run(n, |router, cx, _| router.inbox(cx, 0, 100_000))
    }

    pub(crate) fn texts(&mut self, n: usize) -> Vec<String> {
        let inbox = self.inbox(n).into_iter();
        inbox
            .map(|mail| String::from_utf8(mail.payload).expect("text"))
            .collect()
    }

    pub(crate) fn state(&mut self, n: usize, id: EnvelopeId) -> router::MailState {
        self.run(n, |router, cx, _| router.state_of(cx, &id))
            .expect("known")
    }

    pub(crate) fn linked(&self, a: usize, b: usize) -> bool {
        let open = |n: usize, m: usize| {
            self.hosts[n]
                .router
                .as_ref()
                .is_some_and(|r| r.link_of(&self.id(m)).is_some())
        };
        open(a, b) && open(b, a)
    }

    pub(crate) fn random(&mut self, below: u64) -> u64 {
        self.rng.below(below)
    }

    /// The committed data of a host, as a backup would have it.
    pub(crate) fn backup(&self, n: usize) -> machine::MemoryBase {
        self.hosts[n]
            .world
            .as_ref()
            .expect("every host has a world")
            .base()
            .clone()
    }

    pub(crate) fn restore(&mut self, n: usize, base: machine::MemoryBase) {
        self.kill(n);
        self.hosts[n].world = Some(World::over(base, 7));
        self.hosts[n].restored = true;
        self.start(n);
    }

    /// Brings a copy of a mail to a host over its link with another.
    pub(crate) fn inject(&mut self, from: usize, to: usize, mail: &wire::Raw) {
        let node = self.id(from);
        let link = self
            .run(to, |router, _, _| router.link_of(&node))
            .expect("linked");
        let frame = Frame::Mail(mail.clone());
        self.input(
            to,
            Input::Frame {
                link,
                frame,
                len: 500,
            },
        );
    }
}
