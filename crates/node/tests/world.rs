//! Several nodes in one process, joined by links in memory: no clock, no socket, no disk.

use super::outside::Outside;
use super::tested::command::{Command, Reply, RequestId};
use super::tested::{Advisory, Config, Held, Input, LinkId, Node, Out, Reach};
use identity::{NodeId, SecretKey};
use machine::{Batch, ContentEffect, Event, Exempt, Kernel, MemoryBase, Rng, Time, WallTime};
use rights::DeviceSecret;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-20 in milliseconds.
const START: u64 = 1_795_132_800_000;

/// A node that is up or down, with what it left on its disk.
pub(crate) struct Machine {
    pub(crate) config: Config,
    pub(crate) kernel: Option<Kernel<Node, Out, MemoryBase>>,
    disk: MemoryBase,
    pub(crate) outside: Outside,
    pub(crate) replies: BTreeMap<RequestId, Reply>,
    /// The world's time at which this life began.
    born: Time,
    lives: u64,
    /// How far this node's clock is from the right time, in milliseconds.
    pub(crate) skew: i64,
    pub(crate) commits: Commits,
    /// Batches that are not durable yet.
    pending: VecDeque<Arc<Batch>>,
    /// Everything that left at once while commits were held back.
    pub(crate) slipped: Vec<Slipped>,
    /// What reached a node that the test plays itself; nothing for a real one.
    pub(crate) heard: Option<Vec<(LinkId, Heard)>>,
}

/// When what a turn has staged becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commits {
    /// At once.
    Now,
    /// So much later.
    After(Duration),
    /// When [`World::commit`] is called.
    Held,
}

/// What left a node whose commits are held back.
#[derive(Debug)]
pub(crate) enum Slipped {
    Held(Held),
    Verbatim(Vec<u8>),
    Courtesy(Vec<u8>),
    Other,
}

/// What reaches a node that the test plays itself.
#[derive(Debug)]
pub(crate) enum Heard {
    Frame(Vec<u8>),
    /// A link came or went.
    Other,
}

/// What is to happen.
enum Coming {
    Input(Input),
    /// The oldest pending batch of a node becomes durable.
    Commit,
}

/// Sees every frame that leaves a node (from, to, bytes) and says what arrives instead.
pub(crate) type Tamper = Box<dyn FnMut(usize, usize, Vec<u8>) -> Vec<Vec<u8>>>;
/// Sees every turn of a node before it is taken, and what its deadline is for if it has come.
pub(crate) type Tally = Box<dyn FnMut(usize, &Event<Input>, Option<String>)>;
/// Sees every frame that leaves a node, with what the node has on its disk.
pub(crate) type Watch = Box<dyn FnMut(&Machine, WallTime, &[u8])>;

/// One end of a link: whose it is, and the far end.
#[derive(Clone, Copy, Debug)]
struct End {
    node: usize,
    far: LinkId,
    far_node: usize,
    /// When the last thing on its way to this end arrives: nothing overtakes it.
    busy: Time,
}

/// All nodes, and what is on its way between them.
pub(crate) struct World {
    pub(crate) nodes: Vec<Machine>,
    pub(crate) now: Time,
    links: BTreeMap<LinkId, End>,
    queue: BTreeMap<(Time, u64), (usize, Coming)>,
    next_event: u64,
    next_link: u64,
    next_request: u64,
    rng: Rng,
    /// Every dial: who, whom, where.
    pub(crate) dials: Vec<(usize, NodeId, String)>,
    /// Pairs of nodes between which no link can be made.
    pub(crate) cut: Vec<(usize, usize)>,
    /// Every frame that left a node, for tests that look at what an outsider sees.
    pub(crate) frames: u64,
    /// Checks of signatures that each node asked for.
    pub(crate) checks: BTreeMap<usize, u64>,
    /// How long a frame is on its way.
    pub(crate) delay: Duration,
    /// From which address the links of these nodes come. All others are of one host.
    pub(crate) hosts: BTreeMap<usize, String>,
    /// Dials to the address from which a node's links come, which its router lets through only if the
    /// node has just dialled the same way: whose, by what token, to whom, and when.
    knocks: Vec<(usize, u64, usize, Time)>,
    /// All such dials: by whom and where.
    pub(crate) knocked: Vec<(usize, String)>,
    pub(crate) tamper: Option<Tamper>,
    pub(crate) watch: Option<Watch>,
    pub(crate) tally: Option<Tally>,
    /// Batches that were made durable.
    pub(crate) batches: u64,
    pub(crate) trace: bool,
    /// The rules of topics, in all nodes that start from now on, if they are not the usual ones.
    pub(crate) rules: Option<&'static dyn lace::Policy>,
    /// The release rule is switched off in all nodes that start from now on.
    #[cfg(feature = "planted")]
    pub(crate) plant: bool,
}

impl World {
    pub(crate) fn new(seed: u8) -> Self {
        Self::seeded([seed; 32])
    }

    pub(crate) fn seeded(seed: [u8; 32]) -> Self {
        Self {
            nodes: Vec::new(),
            now: Time::ZERO,
            links: BTreeMap::new(),
            queue: BTreeMap::new(),
            next_event: 0,
            next_link: 1,
            next_request: 1,
            rng: Rng::from_seed(seed),
            dials: Vec::new(),
            cut: Vec::new(),
            frames: 0,
            checks: BTreeMap::new(),
            delay: Duration::ZERO,
            hosts: BTreeMap::new(),
            knocks: Vec::new(),
            knocked: Vec::new(),
            tamper: None,
            watch: None,
            tally: None,
            batches: 0,
            trace: std::env::var_os("WORLD_TRACE").is_some(),
            rules: None,
            #[cfg(feature = "planted")]
            plant: false,
        }
    }

    /// Adds a node that is up, at the address `10.0.0.N:4433`.
    pub(crate) fn add(&mut self, name: &str, core: bool) -> usize {
        let number = self.add_down(name, core);
        self.up(number);
        number
    }

    /// Adds a node that the test plays itself, frame by frame.
    pub(crate) fn add_liar(&mut self, name: &str) -> usize {
        let number = self.add_down(name, false);
        self.nodes[number].heard = Some(Vec::new());
        number
    }

    /// Adds a node that is down.
    pub(crate) fn add_down(&mut self, name: &str, core: bool) -> usize {
        let number = self.nodes.len();
        let config = Config {
            node_key: SecretKey::generate(&mut self.rng),
            device: DeviceSecret::generate(&mut self.rng),
            stale: false,
            core,
            name: name.to_owned(),
            reach: Reach::Any,
            public: vec![format!("10.0.0.{number}:4433")],
            trust_clock: true,
            custody: custody::Settings::default(),
            store_limit: 0,
            software: "test".to_owned(),
        };
        self.nodes.push(Machine {
            config,
            kernel: None,
            disk: MemoryBase::new(),
            outside: Outside::default(),
            replies: BTreeMap::new(),
            born: Time::ZERO,
            lives: 0,
            skew: 0,
            commits: Commits::Now,
            pending: VecDeque::new(),
            slipped: Vec::new(),
            heard: None,
        });
        number
    }

    pub(crate) fn id(&self, node: usize) -> NodeId {
        self.nodes[node].config.node_key.node_id()
    }

    pub(crate) fn address(&self, node: usize) -> String {
        format!("{}@10.0.0.{node}:4433", self.id(node))
    }

    pub(crate) fn wall(&self) -> WallTime {
        WallTime::from_millis(START + self.now.as_micros() / 1000)
    }

    /// What a node's clock says.
    pub(crate) fn wall_of(&self, node: usize) -> WallTime {
        let skew = self.nodes[node].skew;
        WallTime::from_millis(self.wall().as_millis().saturating_add_signed(skew))
    }

    /// Starts a node over what is on its disk.
    pub(crate) fn up(&mut self, node: usize) {
        let seed = self.rng.array();
        let machine = &mut self.nodes[node];
        assert!(machine.kernel.is_none(), "it is up already");
        machine.lives += 1;
        machine.born = self.now;
        let disk = std::mem::take(&mut machine.disk);
        let config = machine.config.clone();
        let node_machine = match self.rules {
            Some(rules) => Node::ruled_by(config, rules),
            None => Node::new(config),
        };
        #[cfg(not(feature = "planted"))]
        let kernel = Kernel::new(node_machine, disk, Rng::from_seed(seed));
        #[cfg(feature = "planted")]
        let mut kernel = Kernel::new(node_machine, disk, Rng::from_seed(seed));
        #[cfg(feature = "planted")]
        if self.plant {
            kernel.plant_early_release();
        }
        machine.kernel = Some(kernel);
        machine.replies.clear();
        let addresses = vec![format!("10.0.0.{node}:4433")];
        self.event(node, Event::Deadline);
        self.input(node, Input::Listening { addresses });
    }

    /// Stops a node at once; what was not committed is lost.
    pub(crate) fn down(&mut self, node: usize) {
        let machine = &mut self.nodes[node];
        machine.disk = machine.kernel.take().expect("it is up").into_base();
        machine.pending.clear();
        let ends: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, end)| end.node == node)
            .map(|(id, _)| *id)
            .collect();
        for link in ends {
            self.close(link, "the other end went down");
        }
        self.queue.retain(|_, (to, _)| *to != node);
    }

    pub(crate) fn is_up(&self, node: usize) -> bool {
        self.nodes[node].kernel.is_some() || self.nodes[node].heard.is_some()
    }

    fn later(&mut self, at: Time, node: usize, coming: Coming) {
        self.next_event += 1;
        self.queue.insert((at, self.next_event), (node, coming));
    }

    fn soon(&mut self, node: usize, input: Input) {
        self.later(self.now, node, Coming::Input(input));
    }

    /// Something for one end of a link, behind whatever is on its way to it.
    fn along(&mut self, link: LinkId, input: Input) {
        let at = self.now.after(self.delay);
        let Some(end) = self.links.get_mut(&link) else {
            return;
        };
        end.busy = end.busy.max(at);
        let (node, at) = (end.node, end.busy);
        self.later(at, node, Coming::Input(input));
    }

    /// What a node has on its disk.
    pub(crate) fn disk(&self, node: usize) -> &MemoryBase {
        match &self.nodes[node].kernel {
            Some(kernel) => kernel.base(),
            None => &self.nodes[node].disk,
        }
    }

    /// Puts other contents onto the disk of a node that is down.
    pub(crate) fn set_disk(&mut self, node: usize, disk: MemoryBase) {
        assert!(!self.is_up(node));
        self.nodes[node].disk = disk;
    }

    /// Ends a link behind whatever is on its way.
    fn close(&mut self, link: LinkId, why: &str) {
        let Some(end) = self.links.get(&link).copied() else {
            return;
        };
        for link in [link, end.far] {
            self.along(
                link,
                Input::LinkDown {
                    link,
                    reason: why.to_owned(),
                },
            );
            self.links.remove(&link);
        }
    }

    /// Ends a link; what is on its way is lost.
    pub(crate) fn tear(&mut self, link: LinkId) {
        let Some(end) = self.links.get(&link).copied() else {
            return;
        };
        self.queue.retain(|_, (_, coming)| match coming {
            Coming::Input(Input::Frame { link: to, .. }) => *to != link && *to != end.far,
            _ => true,
        });
        self.close(link, "torn");
    }

    /// All links, by the end at each node.
    pub(crate) fn links(&self) -> Vec<(LinkId, usize, usize)> {
        self.links
            .iter()
            .map(|(link, end)| (*link, end.node, end.far_node))
            .collect()
    }

    /// One end of the link between two nodes: that of the first.
    pub(crate) fn link(&self, a: usize, b: usize) -> Option<LinkId> {
        let found = self
            .links
            .iter()
            .rev()
            .find(|(_, end)| (end.node, end.far_node) == (a, b));
        found.map(|(link, _)| *link)
    }

    /// Sends bytes from one end of a link, whoever is there.
    pub(crate) fn inject(&mut self, link: LinkId, bytes: Vec<u8>) {
        if let Some(end) = self.links.get(&link) {
            let (far, cost) = (
                end.far,
                topic::limits::FRAME_COST as u64 + bytes.len() as u64,
            );
            self.along(
                far,
                Input::Frame {
                    link: far,
                    bytes,
                    cost,
                },
            );
        }
    }

    /// Makes the oldest `batches` of a node durable, and lets out what waited for them.
    pub(crate) fn commit(&mut self, node: usize, batches: usize) {
        for _ in 0..batches {
            let machine = &mut self.nodes[node];
            let Some(kernel) = machine.kernel.as_mut() else {
                return;
            };
            let Some(batch) = machine.pending.pop_front() else {
                break;
            };
            kernel.base_mut().apply(&batch);
            kernel.committed(batch.number);
            self.batches(node);
        }
        self.release(node);
    }

    /// Whether something that a node has staged is not durable yet.
    pub(crate) fn is_holding(&self, node: usize) -> bool {
        !self.nodes[node].pending.is_empty()
    }

    /// Takes new batches from a node.
    fn batches(&mut self, node: usize) {
        let now = self.now;
        let machine = &mut self.nodes[node];
        let Some(kernel) = machine.kernel.as_mut() else {
            return;
        };
        let mut due = 0;
        while let Some(batch) = kernel.take_batch() {
            self.batches += 1;
            if machine.commits == Commits::Now && machine.pending.is_empty() {
                kernel.base_mut().apply(&batch);
                kernel.committed(batch.number);
            } else {
                machine.pending.push_back(batch);
                due += 1;
            }
        }
        let after = match machine.commits {
            Commits::Now => Duration::ZERO,
            Commits::After(after) => after,
            Commits::Held => return,
        };
        for _ in 0..due {
            self.later(now.after(after), node, Coming::Commit);
        }
    }

    fn release(&mut self, node: usize) {
        while let Some(output) = self.nodes[node].kernel.as_mut().and_then(Kernel::release) {
            self.held(node, output);
        }
    }

    fn own_time(&self, node: usize) -> Time {
        let since = self.now.since(self.nodes[node].born);
        Time::ZERO.after(since)
    }

    pub(crate) fn input(&mut self, node: usize, input: Input) {
        if self.trace {
            let mut text = format!("{input:?}");
            if let Input::Frame { bytes, .. } = &input {
                text = format!("{:?}", wire::Frame::decode(bytes));
            }
            text.truncate(260);
            eprintln!("{:?} -> {}: {text}", self.now, self.nodes[node].config.name);
        }
        if let Some(heard) = &mut self.nodes[node].heard {
            match input {
                Input::Frame { link, bytes, .. } => heard.push((link, Heard::Frame(bytes))),
                Input::LinkUp { link, .. } | Input::LinkDown { link, .. } => {
                    heard.push((link, Heard::Other));
                }
                _ => {}
            }
            return;
        }
        self.event(node, Event::Input(input));
    }

    fn event(&mut self, node: usize, event: Event<Input>) {
        let (now, wall) = (self.own_time(node), self.wall_of(node));
        let Some(kernel) = self.nodes[node].kernel.as_mut() else {
            return;
        };
        if let Some(tally) = &mut self.tally {
            let due = matches!(event, Event::Deadline).then(|| kernel.machine().awaits());
            tally(node, &event, due.flatten());
        }
        kernel.turn(now, wall, event).expect("memory can be read");
        let mut exempt = Vec::new();
        while let Some(output) = kernel.exempt() {
            exempt.push(output);
        }
        self.batches(node);
        for output in exempt {
            self.exempt(node, output);
        }
        self.release(node);
    }

    fn slip(&mut self, node: usize, slipped: impl FnOnce() -> Slipped) {
        let machine = &mut self.nodes[node];
        if machine.commits == Commits::Held && !machine.pending.is_empty() {
            machine.slipped.push(slipped());
        }
    }

    fn held(&mut self, node: usize, output: Held) {
        if self.nodes[node].commits == Commits::Held && !self.nodes[node].pending.is_empty() {
            let copy = match &output {
                Held::Frame { link, bytes } => Held::Frame {
                    link: *link,
                    bytes: bytes.clone(),
                },
                Held::Reply { request, reply } => Held::Reply {
                    request: *request,
                    reply: reply.clone(),
                },
                Held::Changed { topic, last } => Held::Changed {
                    topic: *topic,
                    last: *last,
                },
                Held::Mail { last } => Held::Mail { last: *last },
                Held::Delete(name) => Held::Delete(*name),
            };
            self.slip(node, || Slipped::Held(copy));
        }
        match output {
            Held::Frame { link, bytes } => self.frame(link, bytes),
            Held::Reply { request, reply } => {
                if self.trace {
                    eprintln!(
                        "{:?} {} replies {reply:?}",
                        self.now, self.nodes[node].config.name
                    );
                }
                self.nodes[node].replies.insert(request, reply);
            }
            Held::Changed { .. } | Held::Mail { .. } => {}
            Held::Delete(name) => self.content(node, ContentEffect::Delete(name)),
        }
    }

    fn frame(&mut self, link: LinkId, bytes: Vec<u8>) {
        self.frames += 1;
        let Some(end) = self.links.get(&link) else {
            return;
        };
        let (node, far, far_node) = (end.node, end.far, end.far_node);
        if let Some(mut watch) = self.watch.take() {
            watch(&self.nodes[node], self.wall_of(node), &bytes);
            self.watch = Some(watch);
        }
        let cost = topic::limits::FRAME_COST as u64 + bytes.len() as u64;
        let arriving = match &mut self.tamper {
            Some(tamper) => tamper(node, far_node, bytes),
            None => vec![bytes],
        };
        for bytes in arriving {
            let cost = topic::limits::FRAME_COST as u64 + bytes.len() as u64;
            self.along(
                far,
                Input::Frame {
                    link: far,
                    bytes,
                    cost,
                },
            );
        }
        self.along(link, Input::Writable { link, bytes: cost });
    }

    fn exempt(&mut self, node: usize, output: Exempt<Out>) {
        match output {
            Exempt::Verbatim(verbatim) => {
                let link = verbatim.link();
                let bulk = verbatim.is_bulk();
                let bytes = verbatim.into_bytes();
                self.slip(node, || Slipped::Verbatim(bytes.clone()));
                self.frame(link, bytes);
                if bulk {
                    self.soon(node, Input::BlocksSent { link, frames: 1 });
                }
            }
            Exempt::Advisory(Advisory::Dial {
                token,
                node: whom,
                address,
            }) => {
                self.dial(node, token, whom, &address);
            }
            Exempt::Advisory(Advisory::Close { link, text, .. }) => {
                if self.trace {
                    eprintln!("{} closes: {text}", self.nodes[node].config.name);
                }
                self.close(link, &text);
            }
            Exempt::Advisory(Advisory::Courtesy { link, bytes }) => {
                self.slip(node, || Slipped::Courtesy(bytes.clone()));
                self.frame(link, bytes);
            }
            Exempt::Advisory(Advisory::Check(check)) => {
                self.slip(node, || Slipped::Other);
                *self.checks.entry(node).or_default() += 1;
                self.soon(node, Input::Checked(check.run()));
            }
            Exempt::Advisory(Advisory::Grant { .. } | Advisory::Log { .. }) => {}
            Exempt::Advisory(Advisory::File { job, what }) => {
                self.slip(node, || Slipped::Other);
                let done = self.nodes[node].outside.work(what);
                self.soon(node, Input::Filed { job, done });
            }
            Exempt::Content(effect) => {
                self.slip(node, || Slipped::Other);
                self.content(node, effect);
            }
        }
    }

    fn content(&mut self, node: usize, effect: ContentEffect) {
        let done = self.nodes[node].outside.contents.perform(effect);
        self.soon(node, Input::Content(done));
    }

    /// Two who knock at one another's routers at the same time have two links; who knocks alone gives up.
    fn knock(&mut self, from: usize, token: u64, whom: NodeId, at: &str) {
        self.knocked.push((from, at.to_owned()));
        let reason = "no answer".to_owned();
        let (now, failed) = (self.now, Input::DialFailed { token, reason });
        self.later(
            now.after(Duration::from_secs(10)),
            from,
            Coming::Input(failed),
        );
        let its = self.hosts.iter().find(|(_, host)| *host == at);
        let Some(to) = its.map(|(to, _)| *to).filter(|to| self.id(*to) == whom) else {
            return;
        };
        self.knocks.push((from, token, to, now));
        let lately = |at: &Time| now.since(*at) < Duration::from_secs(10);
        let other = self
            .knocks
            .iter()
            .find(|(by, _, at, when)| (*by, *at) == (to, from) && lately(when));
        if let Some((by, its, at, _)) = other.copied() {
            self.connect(from, Some(token), to);
            self.connect(by, Some(its), at);
        }
    }

    fn dial(&mut self, from: usize, token: u64, whom: NodeId, address: &str) {
        self.dials.push((from, whom, address.to_owned()));
        if let Some(at) = address.strip_prefix("udp://") {
            return self.knock(from, token, whom, at);
        }
        let cut = |a, b| self.cut.contains(&(a, b)) || self.cut.contains(&(b, a));
        let to = (0..self.nodes.len()).find(|to| {
            self.id(*to) == whom
                && address.contains(&format!("10.0.0.{to}:4433"))
                && self.is_up(*to)
                && !cut(from, *to)
        });
        let Some(to) = to else {
            let reason = "unreachable".to_owned();
            return self.soon(from, Input::DialFailed { token, reason });
        };
        self.connect(from, Some(token), to);
    }

    /// Makes a link, dialled by the first node, by whose wish `token` says; gives that node's end.
    pub(crate) fn connect(&mut self, from: usize, token: Option<u64>, to: usize) -> LinkId {
        let whom = self.id(to);
        let (near, far) = (LinkId(self.next_link), LinkId(self.next_link + 1));
        self.next_link += 2;
        let busy = self.now;
        self.links.insert(
            near,
            End {
                node: from,
                far,
                far_node: to,
                busy,
            },
        );
        self.links.insert(
            far,
            End {
                node: to,
                far: near,
                far_node: from,
                busy,
            },
        );
        let exporter = self.rng.array();
        let token = token.or(Some(u64::MAX));
        for (link, dialled, peer, at) in [(near, token, whom, to), (far, None, self.id(from), from)]
        {
            let remote = self.hosts.get(&at).cloned();
            let remote = remote.unwrap_or_else(|| "10.0.0.9:1".to_owned());
            self.along(
                link,
                Input::LinkUp {
                    link,
                    node: peer,
                    dialled,
                    exporter,
                    remote,
                },
            );
        }
        near
    }

    /// Cuts two nodes off from one another.
    pub(crate) fn cut_off(&mut self, a: usize, b: usize) {
        self.cut.push((a, b));
        let between: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, end)| (end.node, end.far_node) == (a, b))
            .map(|(link, _)| *link)
            .collect();
        for link in between {
            self.tear(link);
        }
    }

    /// Lets everything happen that is due until now.
    pub(crate) fn settle(&mut self) {
        for _ in 0..2_000_000 {
            if self
                .queue
                .first_key_value()
                .is_some_and(|((at, _), _)| *at <= self.now)
            {
                let ((_, _), (node, coming)) = self.queue.pop_first().expect("it was just there");
                match coming {
                    Coming::Input(input) => self.input(node, input),
                    Coming::Commit => self.commit(node, 1),
                }
                continue;
            }
            let due = (0..self.nodes.len()).find(|node| {
                self.nodes[*node]
                    .kernel
                    .as_ref()
                    .and_then(Kernel::deadline)
                    .is_some_and(|at| at <= self.own_time(*node))
            });
            match due {
                Some(node) => self.event(node, Event::Deadline),
                None => return,
            }
        }
        panic!("the world does not come to rest");
    }

    /// Lets time pass in steps small enough for every deadline.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        self.settle();
        while self.now < end {
            let next = (0..self.nodes.len())
                .filter_map(|node| {
                    let kernel = self.nodes[node].kernel.as_ref()?;
                    let own = kernel.deadline()?;
                    Some(self.nodes[node].born.after(own.since(Time::ZERO)))
                })
                .chain(self.queue.keys().map(|(at, _)| *at).next())
                .min()
                .unwrap_or(end);
            self.now = next.clamp(self.now, end);
            self.settle();
            if next >= end {
                self.now = end;
            }
        }
    }

    /// Gives a command.
    pub(crate) fn begin(&mut self, node: usize, command: Command) -> RequestId {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        self.input(node, Input::Command { request, command });
        request
    }

    /// The answer to a command, if there is one by now.
    pub(crate) fn answer(&mut self, node: usize, request: RequestId) -> Option<Reply> {
        self.nodes[node].replies.remove(&request)
    }

    /// Gives a command and waits for its answer, at most so long.
    pub(crate) fn ask_for(
        &mut self,
        node: usize,
        command: Command,
        time: Duration,
    ) -> Option<Reply> {
        let request = self.begin(node, command);
        let end = self.now.after(time);
        loop {
            self.settle();
            if let Some(reply) = self.answer(node, request) {
                return Some(reply);
            }
            if self.now >= end {
                return None;
            }
            self.pass(Duration::from_millis(50));
        }
    }

    /// Gives a command that is answered within a minute.
    pub(crate) fn ask(&mut self, node: usize, command: Command) -> Reply {
        self.ask_for(node, command, Duration::from_secs(60))
            .expect("an answer")
    }
}
