//! The world: all machines, the network between them, and one queue of what is going to happen.
//!
//! Machines are spread over shards, one for each thread. A shard works through what happens to its
//! own machines until the end of a window; windows are never longer than the shortest way between two
//! machines, so nothing that one shard does can reach another within the same window. Whatever
//! happens to one machine happens in the order of the keys of the queue, which know nothing of
//! shards: the same seed gives the same run on one thread and on several.

mod acts;
mod app;
mod bound;
mod commits;
mod contents;
mod ends;
mod host;
mod lies;
mod net;
mod phases;
mod places;
mod queue;
mod raid;
mod shard;
mod threads;
mod trace;

pub(crate) use net::Links;
pub use phases::{Limits, Outcome};
pub(crate) use trace::Trace;

use crate::check::apart::Acquainted;
use crate::check::{Broken, Facts};
use crate::disk::Pool;
use crate::metrics::{Held, Metrics};
use crate::plan::{Act, NodeNo, Plan};
use bound::Bound;
use host::{Happening, Host, Note};
use machine::{Rng, Time};
use net::Net;
use places::Places;
use queue::{Key, WORLD};
use rights::DeviceSecret;
use shard::Shard;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use threads::Threads;

/// A simulated world.
pub(crate) struct World {
    pub(crate) plan: Arc<Plan>,
    pub(crate) facts: Arc<Facts>,
    net: Arc<Net>,
    shards: Vec<Shard>,
    places: Arc<Places>,
    threads: Option<Threads>,
    bound: Arc<Bound>,
    /// What the world itself does, in the order of time.
    agenda: BTreeMap<(Time, u64), Item>,
    numbers: u64,
    pub(crate) now: Time,
    /// The length of a window.
    window: Duration,
    pub(crate) broken: Vec<Broken>,
    pub(crate) trace: Option<Trace>,
    calm: bool,
    /// Who has come to know who holds which topic, as far as the world has looked.
    acquainted: Acquainted,
}

/// Something that the world does.
#[derive(Debug)]
enum Item {
    /// A step of the plan.
    Step(u32),
    /// People hear of a link.
    Told(Note),
}

/// How long it takes until people have told one another.
const HEARSAY: Duration = Duration::from_secs(1);
/// Nodes of which it is counted what they hold.
const MOST_COUNTED: usize = 200;
/// The longest window. A note that a machine makes within one is dealt with after it.
const LONGEST_WINDOW: Duration = HEARSAY;

impl World {
    /// The world of a plan, at its beginning. `threads` is how many may be used.
    pub(crate) fn new(plan: Plan, threads: usize, trace: Option<Trace>) -> Self {
        let plan = Self::with_last_words(plan);
        let most = if trace.is_some() {
            1
        } else {
            plan.nodes.len().max(1)
        };
        let threads = threads.clamp(1, most);
        let pool = Arc::new(Pool::new());
        let mut configs: Vec<node::Config> = Vec::new();
        for (no, node) in (0..).zip(&plan.nodes) {
            // Copies of a home have its keys.
            let as_no = node.twin_of.unwrap_or(no);
            configs.push(config(&plan, as_no, no));
        }
        let ids = configs
            .iter()
            .map(|config| config.node_key.node_id())
            .collect();
        let net = Net::new(&plan, ids);
        let mut facts = Facts::new(plan.topics.len(), plan.steps.len());
        facts.has_files = plan.has_files();
        for step in &plan.steps {
            if let Act::UseCore { node, core } = step.act {
                facts.later_clients.entry(core).or_default().insert(node);
            }
        }
        let torn = plan.steps.iter().filter_map(|step| match step.act {
            Act::TearTail { node, .. } => Some(node),
            _ => None,
        });
        let torn: BTreeSet<NodeNo> = torn.collect();
        let places = Arc::new(Places::new(&plan, threads));
        let mut shards: Vec<Shard> = (0..threads)
            .map(|number| Shard::new(number, &places, &plan))
            .collect();
        for (no, config) in (0..).zip(configs) {
            let node = &plan.nodes[no as usize];
            if node.twin_of.is_none() {
                facts.add_node(config.node_key.node_id(), no);
                facts.devices.add(no, config.device.clone());
            }
            if !node.is_honest() || node.twin_of.is_some() {
                facts.taint(no);
            }
            let disk = crate::disk::Disk::new(&pool);
            let rng = drawn(plan.seed, no, b"host");
            let host = Host::new(no, &plan, (config, disk), rng, torn.contains(&no));
            shards[places.shard(no)].add(host);
        }
        for (no, topic) in (0..).zip(&plan.topics) {
            facts.change_topic(no, |facts| {
                facts
                    .invited
                    .extend(topic.members.iter().chain([&topic.founder]));
            });
        }
        let agenda = (0_u32..)
            .zip(&plan.steps)
            .map(|(no, step)| {
                let at = net::at(step.at_ms.saturating_mul(1_000));
                ((at, u64::from(no)), Item::Step(no))
            })
            .collect();
        let shortest = Duration::from_micros(places.apart_us);
        let window = if threads == 1 {
            LONGEST_WINDOW
        } else {
            shortest.min(LONGEST_WINDOW)
        };
        let numbers = plan.steps.len() as u64;
        let mut world = Self {
            facts: Arc::new(facts),
            net: Arc::new(net),
            shards,
            places,
            threads: (threads > 1).then(|| Threads::new(threads - 1)),
            bound: Arc::new(Bound::new(Limits::default(), threads)),
            agenda,
            numbers,
            now: Time::ZERO,
            window,
            broken: Vec::new(),
            trace,
            calm: false,
            acquainted: Acquainted::default(),
            plan: Arc::new(plan),
        };
        world.begin();
        world
    }

    /// The same, which ends early where a limit is reached.
    pub(crate) fn bounded(mut self, limits: Limits) -> Self {
        self.bound = Arc::new(Bound::new(limits, self.shards.len()));
        self
    }

    /// Why it ends early, if it does.
    pub(crate) fn ends(&self) -> Option<&str> {
        self.bound.ends(self.events())
    }

    /// Everybody starts at the time that the plan names.
    fn begin(&mut self) {
        for no in 0..self.count() {
            let node = &self.plan.nodes[no as usize];
            if node.twin_of.is_some() {
                continue;
            }
            let at = net::at(node.starts_ms.saturating_mul(1_000));
            self.host_mut(no).wanted = true;
            self.happen(at, no, Happening::Start);
        }
    }

    fn count(&self) -> NodeNo {
        NodeNo::try_from(self.plan.nodes.len()).unwrap_or(NodeNo::MAX)
    }

    fn shard_of(&self, no: NodeNo) -> usize {
        self.places.shard(no)
    }

    pub(crate) fn host(&self, no: NodeNo) -> &Host {
        self.shards[self.shard_of(no)].host(no)
    }

    fn host_mut(&mut self, no: NodeNo) -> &mut Host {
        let shard = self.shard_of(no);
        self.shards[shard].host_mut(no)
    }

    /// Something happens to a node because the world wants it.
    fn happen(&mut self, at: Time, no: NodeNo, what: Happening) {
        self.numbers += 1;
        let key = Key {
            at,
            node: no,
            cause: WORLD,
            number: self.numbers,
        };
        let shard = self.shard_of(no);
        self.shards[shard].queue.push(key, what);
    }

    /// Lets a piece of time pass, at most until `end`: until the end of a window or until the world
    /// itself has something to do.
    pub(crate) fn pass(&mut self, end: Time) {
        let first = self
            .shards
            .iter()
            .filter_map(|shard| shard.queue.next())
            .min();
        let own = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let start = first
            .into_iter()
            .chain(own)
            .min()
            .unwrap_or(end)
            .max(self.now);
        if start >= end {
            self.now = end;
            return;
        }
        self.now = start;
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let item = entry.remove();
            self.carry_out(item);
        }
        let next = self
            .agenda
            .first_key_value()
            .map_or(end, |((at, _), _)| *at);
        let until = self.now.after(self.window).min(next).min(end);
        self.window_until(until);
        self.now = if self.bound.why().is_some() {
            let last = self.shards.iter().filter_map(|shard| shard.last).max();
            last.map_or(self.now, |(at, _)| at.max(self.now))
        } else {
            until
        };
    }

    fn window_until(&mut self, until: Time) {
        for shard in &mut self.shards {
            shard.prepare(until, &self.plan, &self.net, &self.facts);
        }
        match &self.threads {
            None => self.shards[0].run(&self.bound, self.trace.as_mut()),
            Some(threads) => threads.run(&mut self.shards, &self.bound),
        }
        let mut crossing = Vec::new();
        let mut notes = Vec::new();
        for shard in &mut self.shards {
            shard.rest();
            crossing.append(&mut shard.crossing);
            notes.append(&mut shard.notes);
        }
        self.gather_broken();
        for (key, what) in crossing {
            let shard = self.shard_of(key.node);
            self.shards[shard].queue.push(key, what);
        }
        notes.sort_by_key(|(key, _)| *key);
        for (key, note) in notes {
            self.numbers += 1;
            let at = key.at.after(HEARSAY).max(self.now);
            self.agenda.insert((at, self.numbers), Item::Told(note));
        }
    }

    /// Takes over what checkers have found, in an order that does not depend on threads.
    fn gather_broken(&mut self) {
        for shard in &mut self.shards {
            self.broken.append(&mut shard.broken);
        }
        self.broken
            .sort_by_key(|broken| (broken.at_us, broken.node));
    }

    /// How many things have happened.
    pub(crate) fn events(&self) -> u64 {
        self.shards.iter().map(|shard| shard.events).sum()
    }

    /// How many turns nodes have had.
    pub(crate) fn turns(&self) -> u64 {
        self.shards
            .iter()
            .flat_map(|shard| shard.hosts())
            .map(|host| host.turns)
            .sum()
    }

    /// The hash of the whole run so far.
    pub(crate) fn hash(&self) -> [u8; 16] {
        let mut all = blake3::Hasher::new();
        for no in 0..self.count() {
            let host = self.host(no);
            all.update(&host.digest.0.to_be_bytes());
            all.update(&host.turns.to_be_bytes());
        }
        let mut hash = [0; 16];
        hash.copy_from_slice(&all.finalize().as_bytes()[..16]);
        hash
    }

    /// What was counted, of all shards together.
    pub(crate) fn metrics(&self) -> Metrics {
        let mut all = self.counted();
        self.count_holdings(&mut all);
        all
    }

    /// What was counted on the way.
    fn counted(&self) -> Metrics {
        let mut all = Metrics::new(&self.plan);
        for shard in &self.shards {
            all = all.merge(shard.metrics.clone());
        }
        all
    }

    /// What came of a run that ended by a panic. What was under way is not looked at.
    pub(crate) fn panicked(&self, said: String) -> Outcome {
        let busy = self.shards.iter().filter(|shard| shard.busy);
        let who = busy.filter_map(|shard| shard.last).min();
        let at_us = who.map_or(self.now, |(at, _)| at).as_micros();
        Outcome {
            broken: vec![panic_of(at_us, who.map(|(_, no)| no), said)],
            unfinished: None,
            passed_us: at_us,
            events: self.events(),
            turns: self.turns(),
            hash: self.hash(),
            metrics: self.counted(),
        }
    }

    /// Counts who holds what; of a large world one node in so many.
    fn count_holdings(&self, metrics: &mut Metrics) {
        let each = self.plan.nodes.len().div_ceil(MOST_COUNTED).max(1);
        for no in (0..self.count()).step_by(each) {
            let host = self.host(no);
            let rows = |table, local| crate::check::holdings::rows_of(host.disk(), table, local);
            for holding in host.watch.holdings.iter() {
                let headers = rows(lace::rows::HEADER, holding.local);
                let bodies = rows(lace::rows::BODY, holding.local);
                let all = headers.iter().chain(&bodies);
                let held = Held {
                    envelopes: headers.len() as u64,
                    bodies: bodies.len() as u64,
                    bytes: all.map(|(_, value)| value.len() as u64).sum(),
                    ..Held::default()
                };
                let topic = holding.no.or_else(|| self.facts.topic_no(&holding.id));
                if topic.is_some() {
                    metrics.holding(no, topic, held);
                }
            }
        }
    }
}

/// A panic as a broken promise.
pub(crate) fn panic_of(at_us: u64, node: Option<NodeNo>, said: String) -> Broken {
    Broken {
        promise: "no-panic",
        at_us,
        node,
        what: said,
    }
}

/// A generator for one purpose of one node.
fn drawn(seed: u64, no: NodeNo, purpose: &[u8]) -> Rng {
    let mut bytes = blake3::Hasher::new_derive_key("waystation simulated world v1");
    bytes
        .update(&seed.to_be_bytes())
        .update(&no.to_be_bytes())
        .update(purpose);
    Rng::from_seed(*bytes.finalize().as_bytes())
}

fn config(plan: &Plan, keys_of: NodeNo, no: NodeNo) -> node::Config {
    let node = &plan.nodes[no as usize];
    let mut rng = drawn(plan.seed, keys_of, b"keys");
    node::Config {
        node_key: identity::SecretKey::generate(&mut rng),
        device: DeviceSecret::generate(&mut rng),
        stale: false,
        core: node.role == crate::plan::Role::Core,
        name: plan.nodes[keys_of as usize].name.clone(),
        reach: node::Reach::Any,
        public: Vec::new(),
        trust_clock: node.trust_clock,
        custody: custody::Settings {
            free_floor: if node.disk == 0 {
                custody::Settings::default().free_floor
            } else {
                node.disk / 8
            },
            ..custody::Settings::default()
        },
        store_limit: node.disk,
        software: "way-sim".to_owned(),
    }
}
