//! What must be true of every world, watched after every step: one file for each promise.
//!
//! Each node has a `Watch`: the parts of the checkers that look at one node alone, fed by the world
//! with everything that the node does. What a checker must know beyond that node (who has joined,
//! what was written, which envelope follows which) is in the `Facts` of the world. When faults have
//! stopped and everybody has had the stated time, the checkers in `converged` look at all nodes at
//! once.

pub(crate) mod agreement;
pub(crate) mod apart;
mod bounded;
pub(crate) mod bounds;
pub(crate) mod carriage;
pub(crate) mod converged;
pub(crate) mod delivery;
pub(crate) mod devices;
pub(crate) mod durability;
mod ended;
pub(crate) mod excuse;
pub(crate) mod facts;
pub(crate) mod files;
pub(crate) mod graph;
pub(crate) mod guests;
pub(crate) mod holdings;
pub(crate) mod home;
pub(crate) mod joining;
pub(crate) mod kept_rows;
pub(crate) mod liveness;
pub(crate) mod members;
pub(crate) mod messages;
pub(crate) mod mirror;
pub(crate) mod model;
pub(crate) mod peek;
pub(crate) mod readers;
pub(crate) mod release;
mod replay;
pub(crate) mod replicas;
pub(crate) mod rights;
mod secrets;
mod several;
pub(crate) mod silence;
pub(crate) mod standing;
mod unwelcomed;
pub(crate) mod written;

pub(crate) use facts::{Facts, Message};

use crate::disk::Disk;
use crate::plan::{NodeNo, NodePlan, Plan};
use crate::world::Links;
use machine::{Batch, ContentName, Time, TurnUse, WallTime};
use node::Figures;
use node::command::Reply;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The promises that are watched, by the names of their checkers, with what each says.
pub const PROMISES: &[(&str, &str)] = &[
    (
        durability::DURABILITY,
        "what a receipt or reply says is here is durable, and stays until its time is over",
    ),
    (
        release::RELEASE,
        "nothing that a node says of itself leaves before what it rests on is durable",
    ),
    (durability::PAST, "nothing is admitted without its past"),
    (
        release::PARKED,
        "what waits for its past is not passed on, named or acknowledged",
    ),
    (
        durability::EVIDENCE,
        "what a node knows of its own messages rests on somebody's signed word",
    ),
    (release::NUMBERS, "no two mails have one name"),
    (
        delivery::DELIVERY,
        "nothing is shown twice, or before what it depends on, or though nobody wrote it",
    ),
    (
        bounds::BOUNDS,
        "turns, queues and memory stay within their named limits",
    ),
    (
        bounds::LEAKS,
        "a node without work has nothing in its queues, and answers what it is asked",
    ),
    ("no-panic", "nothing makes a node panic"),
    (
        agreement::PROMISE,
        "replicas agree on what is admissible, and those that hold the same on what is effective",
    ),
    (
        model::PROMISE,
        "what lies on a disk is what a fresh graph admits, and stands as the smallest model says",
    ),
    (
        carriage::PROMISE,
        "only subscribers and the core nodes that they use carry a topic",
    ),
    (
        rights::PROMISE,
        "nobody without the right publishes or reads; nobody else can read what people write",
    ),
    (
        members::PROMISE,
        "no honest person loses a right; only who was set back unnoticed, or lies, closes a key",
    ),
    (
        ended::PROMISE,
        "what is written after a right was taken stands nowhere, and takes nothing from others",
    ),
    (
        guests::PROMISE,
        "guests never take from a client of a core node what is its own",
    ),
    (
        liveness::PROMISE,
        "when faults have stopped, everybody who can reach one another has and is shown the same",
    ),
    (
        files::PROMISE,
        "what is fetched is what was shared, and whoever can reach somebody who has it gets it",
    ),
    (
        joining::PROMISE,
        "whoever was invited, or looks for what is public, and can reach who lets them in is there",
    ),
    (
        silence::PROMISE,
        "sync falls silent when there is nothing left to say, at each node for itself",
    ),
];

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Broken {
    /// The promise: the name of its checker, a stable word.
    pub promise: &'static str,
    /// When, in microseconds of simulated time.
    pub at_us: u64,
    /// At which node, if at one.
    pub node: Option<NodeNo>,
    /// What was seen, in words.
    pub what: String,
}

/// What a checker may look at beside its own state.
pub(crate) struct Scene<'a> {
    pub(crate) now: Time,
    /// The right time, whatever the node's clock says.
    pub(crate) wall: WallTime,
    pub(crate) no: NodeNo,
    pub(crate) plan: &'a Plan,
    pub(crate) facts: &'a Facts,
    pub(crate) broken: &'a mut Vec<Broken>,
}

impl Scene<'_> {
    pub(crate) fn node(&self) -> &NodePlan {
        &self.plan.nodes[self.no as usize]
    }

    /// Notes that a promise was broken at this node.
    pub(crate) fn broken(&mut self, promise: &'static str, what: String) {
        self.broken.push(Broken {
            promise,
            at_us: self.now.as_micros(),
            node: Some(self.no),
            what,
        });
    }
}

/// How a life of a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It said goodbye.
    Stopped,
    /// It stopped dead, or a commit failed; what was durable is there.
    Crashed,
    /// Its disk lost what it had said was durable, or was replaced by an older copy.
    SetBack {
        /// Whether the marker outside the home tells.
        noticed: bool,
    },
}

/// Letters of a report that name the work that is left.
const LONGEST_WORK: usize = 600;

/// Everything that is watched at one node.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) holdings: holdings::Holdings,
    pub(crate) home: home::Home,
    pub(crate) files: files::Files,
    carriage: carriage::Carriage,
    silence: silence::Silence,
}

impl Watch {
    /// A life begins over this disk.
    pub(crate) fn started(&mut self, scene: &mut Scene<'_>, disk: &Disk) {
        if let Some(home) = scene.node().twin_of {
            scene.facts.double(home);
        }
        self.home.started(scene, disk);
        carriage::started(scene, &mut self.holdings, disk);
    }

    /// A turn has ended. `waiting` counts the outputs and batches that wait for the disk.
    pub(crate) fn turned(&mut self, scene: &mut Scene<'_>, used: TurnUse, waiting: usize) {
        self.home.turned(scene, used, waiting);
    }

    /// What the node has in memory, as it is now: to be asked from time to time.
    pub(crate) fn figures(&self, scene: &mut Scene<'_>, figures: &Figures) {
        self.home.figures(scene, figures);
    }

    /// What the node has in memory when all is silent and everybody has everything, and what its work
    /// is about. `asks` says whether its person still asks to be let in somewhere, `near` what its
    /// neighbours have refused.
    pub(crate) fn at_rest(
        &self,
        scene: &mut Scene<'_>,
        (figures, undone): (&Figures, &topic::Undone),
        asks: bool,
        (disk, near): (&Disk, &excuse::Said),
    ) {
        let over = scene.plan.length_ms.saturating_mul(1_000);
        let excused = excuse::of(undone, (scene.facts, &self.holdings), (disk, near), over);
        let rest = bounds::Rest { asks, excused };
        let before = scene.broken.len();
        self.home.at_rest(scene, figures, rest);
        for broken in scene.broken.iter_mut().skip(before) {
            let work = format!("; it names {undone:?}");
            broken.what.extend(work.chars().take(LONGEST_WORK));
        }
    }

    /// A batch becomes durable: the disk is as it was before.
    pub(crate) fn commits(&mut self, scene: &mut Scene<'_>, batch: &Batch, disk: &Disk) {
        self.holdings.commits(batch, disk);
        carriage::Carriage::commits(scene, &mut self.holdings);
        rights::commits(scene, &mut self.holdings, batch, disk);
        members::commits(scene, batch);
        guests::commits(scene, batch, disk);
        self.home.commits(scene, batch, disk);
    }

    /// A frame leaves this node for another.
    pub(crate) fn leaves(&mut self, scene: &mut Scene<'_>, to: NodeNo, frame: &[u8], disk: &Disk) {
        self.home.leaves(scene, frame, disk);
        let promised = self.home.take_promised();
        self.files.promised(scene, &promised, disk);
        self.silence.leaves(scene.now, to, frame);
        self.carriage.leaves(scene, &mut self.holdings, (to, frame));
        rights::leaves(scene, frame);
        readers::leaves(scene, &mut self.holdings, frame);
    }

    /// An application gets the answer to what it asked.
    pub(crate) fn answered(&mut self, scene: &mut Scene<'_>, reply: &Reply, disk: &Disk) {
        rights::answered(scene, reply);
        joining::answered(scene, reply);
        self.home.answered(scene, reply, disk);
    }

    /// Messages that the last answer showed for the first time.
    pub(crate) fn newly_shown(&mut self) -> Vec<Message> {
        self.home.delivery.newly_shown()
    }

    /// A file of this step was fetched, and every byte was right.
    pub(crate) fn fetched(&mut self, step: u32) {
        self.files.fetched(step);
    }

    /// A content is removed from the disk.
    pub(crate) fn content_gone(&mut self, scene: &mut Scene<'_>, name: &ContentName) {
        self.files.gone(scene, name);
    }

    /// From now on nothing but keep-alives may be said, but to and by those who still ask.
    pub(crate) fn expect_silence(&mut self, asking: &Arc<BTreeSet<NodeNo>>) {
        self.silence.expect(asking);
    }

    /// A life has ended; the disk is what the next will find.
    pub(crate) fn ended(&mut self, _scene: &mut Scene<'_>, how: Ended, _disk: &Disk) {
        self.home.ended(how);
        if let Ended::SetBack { .. } = how {
            self.holdings.set_back();
            self.files.set_back();
        }
    }
}

/// One node, when all are looked at.
pub(crate) struct Glance<'a> {
    pub(crate) no: NodeNo,
    pub(crate) plan: &'a NodePlan,
    pub(crate) disk: &'a Disk,
    pub(crate) watch: &'a Watch,
    pub(crate) up: bool,
    /// With whom it has a link now.
    pub(crate) linked: Vec<NodeNo>,
    /// Where it listens now, `host:port`.
    pub(crate) address: String,
    /// What its next deadline is for, in words, where it is known.
    pub(crate) waits: Option<String>,
    /// Whether its person still asks to be let in somewhere.
    pub(crate) asks: bool,
}

/// All nodes, when all faults have stopped and the stated time is over.
pub(crate) struct Everybody<'a> {
    pub(crate) now: Time,
    pub(crate) wall: WallTime,
    pub(crate) plan: &'a Plan,
    pub(crate) facts: &'a Facts,
    pub(crate) nodes: Vec<Glance<'a>>,
    /// The newest invites, as people have told them to one another.
    pub(crate) invites: &'a Links,
    /// Whether the first could reach the second now if it dialled its present address.
    pub(crate) reaches: Box<dyn Fn(NodeNo, NodeNo) -> bool + 'a>,
}

/// What is wrong when everybody has had the time to converge.
pub(crate) fn converged(everybody: &Everybody<'_>) -> Vec<Broken> {
    converged::check(everybody)
}

/// What is wrong while nothing is over yet: for checkpoints of small worlds.
pub(crate) fn meanwhile(everybody: &Everybody<'_>) -> Vec<Broken> {
    converged::meanwhile(everybody)
}

/// What is wrong when nothing has happened for long, though perhaps few are there: for small worlds.
pub(crate) fn settled(everybody: &Everybody<'_>, known: &mut apart::Acquainted) -> Vec<Broken> {
    // Who is whose core node is looked at in the end where that changes.
    if everybody.plan.has_changes() {
        return Vec::new();
    }
    apart::check(everybody, known)
}

/// What is wrong when everybody has had half the time: for small worlds, before what is said then
/// heals it.
pub(crate) fn half_way(everybody: &Everybody<'_>) -> Vec<Broken> {
    converged::half_way(everybody)
}

/// Who takes part no longer in some topic, because the right to was taken back: nobody tells them, and
/// they go on asking. In a public one they read on.
pub(crate) fn removed(everybody: &Everybody<'_>) -> BTreeSet<NodeNo> {
    let overview = replicas::Overview::new(everybody);
    let topics = overview.topics();
    topics
        .filter(|topic| !everybody.plan.topics[*topic as usize].public)
        .flat_map(|topic| overview.lost(topic).out())
        .collect()
}

/// What is wrong when nobody has had anything to say for long.
pub(crate) fn at_rest(everybody: &Everybody<'_>) -> Vec<Broken> {
    let mut broken = silence::check(everybody);
    broken.extend(files::strays(everybody));
    broken
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
