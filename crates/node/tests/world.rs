//! Several nodes in one process, joined by links in memory: no clock, no socket, no disk.

use identity::{NodeId, SecretKey};
use machine::{Event, Exempt, Kernel, MemoryBase, Rng, Time, WallTime};
use node::command::{Command, Reply, RequestId};
use node::{Advisory, Config, Held, Input, LinkId, Node, Out};
use rights::DeviceSecret;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// 2026-11-20 in milliseconds.
const START: u64 = 1_795_132_800_000;

/// A node that is up or down, with what it left on its disk.
pub(crate) struct Machine {
    pub(crate) config: Config,
    pub(crate) kernel: Option<Kernel<Node, Out, MemoryBase>>,
    disk: MemoryBase,
    pub(crate) replies: BTreeMap<RequestId, Reply>,
    /// The world's time at which this life began.
    born: Time,
    lives: u64,
}

/// One end of a link: whose it is, and the far end.
#[derive(Clone, Copy, Debug)]
struct End {
    node: usize,
    far: LinkId,
    far_node: usize,
}

/// All nodes, and what is on its way between them.
pub(crate) struct World {
    pub(crate) nodes: Vec<Machine>,
    pub(crate) now: Time,
    links: BTreeMap<LinkId, End>,
    queue: VecDeque<(usize, Input)>,
    next_link: u64,
    next_request: u64,
    rng: Rng,
    /// Pairs of nodes between which no link can be made.
    pub(crate) cut: Vec<(usize, usize)>,
    /// Every frame that left a node, for tests that look at what an outsider sees.
    pub(crate) frames: u64,
    pub(crate) trace: bool,
}

impl World {
    pub(crate) fn new(seed: u8) -> Self {
        Self {
            nodes: Vec::new(),
            now: Time::ZERO,
            links: BTreeMap::new(),
            queue: VecDeque::new(),
            next_link: 1,
            next_request: 1,
            rng: Rng::from_seed([seed; 32]),
            cut: Vec::new(),
            frames: 0,
            trace: std::env::var_os("WORLD_TRACE").is_some(),
        }
    }

    /// Adds a node that is up, at the address `10.0.0.N:4433`.
    pub(crate) fn add(&mut self, name: &str, core: bool) -> usize {
        let number = self.nodes.len();
        let config = Config {
            node_key: SecretKey::generate(&mut self.rng),
            device: DeviceSecret::generate(&mut self.rng),
            stale: false,
            core,
            name: name.to_owned(),
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
            replies: BTreeMap::new(),
            born: Time::ZERO,
            lives: 0,
        });
        self.up(number);
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

    /// Starts a node over what is on its disk.
    pub(crate) fn up(&mut self, node: usize) {
        let seed = self.rng.array();
        let machine = &mut self.nodes[node];
        assert!(machine.kernel.is_none(), "it is up already");
        machine.lives += 1;
        machine.born = self.now;
        let disk = std::mem::take(&mut machine.disk);
        let kernel = Kernel::new(Node::new(machine.config.clone()), disk, Rng::from_seed(seed));
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
        let ends: Vec<LinkId> =
            self.links.iter().filter(|(_, end)| end.node == node).map(|(id, _)| *id).collect();
        for link in ends {
            self.close(link, "the other end went down");
        }
        self.queue.retain(|(to, _)| *to != node);
    }

    pub(crate) fn is_up(&self, node: usize) -> bool {
        self.nodes[node].kernel.is_some()
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

    fn close(&mut self, link: LinkId, why: &str) {
        if let Some(end) = self.links.remove(&link) {
            self.queue.push_back((end.node, Input::LinkDown { link, reason: why.to_owned() }));
            if let Some(far) = self.links.remove(&end.far) {
                let down = Input::LinkDown { link: end.far, reason: why.to_owned() };
                self.queue.push_back((far.node, down));
            }
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
        self.event(node, Event::Input(input));
    }

    fn event(&mut self, node: usize, event: Event<Input>) {
        let (now, wall) = (self.own_time(node), self.wall());
        let Some(kernel) = self.nodes[node].kernel.as_mut() else { return };
        kernel.turn(now, wall, event).expect("memory can be read");
        let mut exempt = Vec::new();
        while let Some(output) = kernel.exempt() {
            exempt.push(output);
        }
        while let Some(batch) = kernel.take_batch() {
            kernel.base_mut().apply(&batch);
            kernel.committed(batch.number);
        }
        let mut held = Vec::new();
        while let Some(output) = kernel.release() {
            held.push(output);
        }
        for output in exempt {
            self.exempt(node, output);
        }
        for output in held {
            self.held(node, output);
        }
    }

    fn held(&mut self, node: usize, output: Held) {
        match output {
            Held::Frame { link, bytes } => self.frame(link, bytes),
            Held::Reply { request, reply } => {
                if self.trace {
                    eprintln!("{:?} {} replies {reply:?}", self.now, self.nodes[node].config.name);
                }
                self.nodes[node].replies.insert(request, reply);
            }
            Held::Changed { .. } | Held::Mail { .. } => {}
        }
    }

    fn frame(&mut self, link: LinkId, bytes: Vec<u8>) {
        self.frames += 1;
        let Some(end) = self.links.get(&link) else { return };
        let cost = bytes.len() as u64;
        let (far, far_node) = (end.far, end.far_node);
        let writable = Input::Writable { link, bytes: cost };
        let node = end.node;
        self.queue.push_back((far_node, Input::Frame { link: far, bytes, cost }));
        self.queue.push_back((node, writable));
    }

    fn exempt(&mut self, node: usize, output: Exempt<Out>) {
        match output {
            Exempt::Verbatim(verbatim) => {
                let link = verbatim.link();
                self.frame(link, verbatim.into_bytes());
            }
            Exempt::Advisory(Advisory::Dial { token, node: whom, address }) => {
                self.dial(node, token, whom, &address);
            }
            Exempt::Advisory(Advisory::Close { link, text, .. }) => {
                if self.trace {
                    eprintln!("{} closes: {text}", self.nodes[node].config.name);
                }
                self.close(link, &text);
            }
            Exempt::Advisory(Advisory::Courtesy { link, bytes }) => self.frame(link, bytes),
            Exempt::Advisory(Advisory::Check(check)) => {
                self.queue.push_back((node, Input::Checked(check.run())));
            }
            Exempt::Advisory(Advisory::Grant { .. } | Advisory::Log { .. }) => {}
            Exempt::Content(_) => panic!("no engine has content"),
        }
    }

    fn dial(&mut self, from: usize, token: u64, whom: NodeId, address: &str) {
        let cut = |a, b| self.cut.contains(&(a, b)) || self.cut.contains(&(b, a));
        let to = (0..self.nodes.len()).find(|to| {
            self.id(*to) == whom
                && address.contains(&format!("10.0.0.{to}:4433"))
                && self.is_up(*to)
                && !cut(from, *to)
        });
        let Some(to) = to else {
            let reason = "unreachable".to_owned();
            return self.queue.push_back((from, Input::DialFailed { token, reason }));
        };
        let (near, far) = (LinkId(self.next_link), LinkId(self.next_link + 1));
        self.next_link += 2;
        self.links.insert(near, End { node: from, far, far_node: to });
        self.links.insert(far, End { node: to, far: near, far_node: from });
        let exporter = self.rng.array();
        for (node, link, dialled, peer) in
            [(from, near, Some(token), whom), (to, far, None, self.id(from))]
        {
            let remote = "10.0.0.9:1".to_owned();
            let up = Input::LinkUp { link, node: peer, dialled, exporter, remote };
            self.queue.push_back((node, up));
        }
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
            self.close(link, "cut");
        }
    }

    /// Lets everything happen that is due until now.
    pub(crate) fn settle(&mut self) {
        for _ in 0..2_000_000 {
            if let Some((node, input)) = self.queue.pop_front() {
                self.input(node, input);
                continue;
            }
            let due = (0..self.nodes.len()).find(|node| {
                self.nodes[*node].kernel.as_ref().and_then(Kernel::deadline).is_some_and(|at| {
                    at <= self.own_time(*node)
                })
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
                .min()
                .unwrap_or(end);
            self.now = next.clamp(self.now, end);
            self.settle();
            if next >= end {
                self.now = end;
            }
        }
    }

    /// Gives a command and waits for its answer, at most so long.
    pub(crate) fn ask_for(&mut self, node: usize, command: Command, time: Duration) -> Option<Reply> {
        let request = RequestId(self.next_request);
        self.next_request += 1;
        self.input(node, Input::Command { request, command });
        let end = self.now.after(time);
        loop {
            self.settle();
            if let Some(reply) = self.nodes[node].replies.remove(&request) {
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
        self.ask_for(node, command, Duration::from_secs(60)).expect("an answer")
    }
}
