//! Sync falls silent when there is nothing left to say.
//!
//! When everybody has everything, the world listens for a quarter of an hour. Keep-alives are not
//! counted, nor what is said to or by whoever still asks to be let in somewhere. Each node is judged
//! for itself: a sum over all would hide the one that chatters.

use super::{Broken, Everybody, Glance};
use crate::metrics::{frame_kind, frame_name};
use crate::plan::NodeNo;
use machine::Time;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The name of the promise.
pub(crate) const PROMISE: &str = "silence";

/// More kinds of frames than there are.
const KINDS: usize = 48;
/// Opens a link.
const HELLO: usize = 0;
/// Asks for a pong, and the pong.
const KEEP_ALIVE: [u8; 2] = [2, 3];
/// Frames that a node may say on each of its links about each of its topics: a receipt that is
/// renewed.
const RENEWED: u64 = 1;
/// Frames that it may say for each link that is made anew meanwhile. Those that nobody needs, and
/// so end again, take three: hello, tags, bye. Others an advert and a hello for each topic.
const MADE_ANEW: u64 = 8;
/// Frames that it may say on each of its links when it has refused something for want of room, or
/// has a link with one that did: what was refused is asked for, offered and refused again when the
/// time has come, which is once an hour, for each chain.
const OFFERED_AGAIN: u64 = 16;
/// Links that a node may make anew meanwhile, beside as many as it has. More is churn.
const LINKS_ANEW: u64 = 16;
/// How many nodes and kinds a report names.
const NAMED: usize = 8;

/// What one node says.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    /// When it last said more than a keep-alive.
    last: Option<Time>,
    /// What it has said since the world began to listen.
    heard: Option<Box<Heard>>,
}

#[derive(Debug)]
struct Heard {
    frames: [u32; KINDS],
    /// What is said to these is not counted.
    asking: Arc<BTreeSet<NodeNo>>,
}

impl Silence {
    /// The world listens from now on.
    pub(crate) fn expect(&mut self, asking: &Arc<BTreeSet<NodeNo>>) {
        self.heard = Some(Box::new(Heard {
            frames: [0; KINDS],
            asking: Arc::clone(asking),
        }));
    }

    /// A frame leaves for another node.
    pub(crate) fn leaves(&mut self, now: Time, to: NodeNo, frame: &[u8]) {
        let kind = frame_kind(frame);
        if KEEP_ALIVE.contains(&kind) {
            return;
        }
        self.last = Some(now);
        if let Some(heard) = &mut self.heard
            && !heard.asking.contains(&to)
        {
            let at = usize::from(kind).min(KINDS - 1);
            heard.frames[at] = heard.frames[at].saturating_add(1);
        }
    }

    /// When it last said more than a keep-alive.
    pub(crate) const fn last(&self) -> Option<Time> {
        self.last
    }

    /// How much it has said since the world began to listen.
    pub(crate) fn total(&self) -> u64 {
        let frames = self.heard.iter().flat_map(|heard| heard.frames);
        frames.map(u64::from).sum()
    }

    /// How many frames of one kind.
    fn of_kind(&self, kind: usize) -> u64 {
        let heard = self.heard.as_ref();
        heard.map_or(0, |heard| u64::from(heard.frames[kind]))
    }

    /// What it has said, the most frequent first.
    fn kinds(&self) -> String {
        let frames = self.heard.iter().flat_map(|heard| heard.frames);
        let mut kinds: Vec<(u32, u8)> = frames.zip(0..).filter(|kind| kind.0 > 0).collect();
        kinds.sort_unstable_by(|a, b| b.cmp(a));
        let name = |(count, kind): &(u32, u8)| format!("{count} {}", frame_name(*kind));
        let kinds: Vec<String> = kinds.iter().take(NAMED).map(name).collect();
        kinds.join(", ")
    }
}

/// How much a node may have said.
fn allowed(node: &Glance<'_>, refusing: &BTreeSet<NodeNo>) -> u64 {
    let (links, said) = (node.linked.len() as u64, &node.watch.silence);
    let topics = node.watch.holdings.iter().count() as u64;
    let anew = said.of_kind(HELLO).min(links + LINKS_ANEW);
    let allowed = RENEWED * topics * links + MADE_ANEW * anew;
    let mut near = node.linked.iter().chain([&node.no]);
    if near.any(|no| refusing.contains(no)) {
        allowed + OFFERED_AGAIN * links
    } else {
        allowed
    }
}

/// Who has refused something since faults have stopped.
fn refusing(everybody: &Everybody<'_>) -> BTreeSet<NodeNo> {
    let over = everybody.plan.length_ms.saturating_mul(1_000);
    let refuses = |node: &&Glance<'_>| node.watch.holdings.has_refused_after(over);
    let nodes = everybody.nodes.iter().filter(refuses);
    nodes.map(|node| node.no).collect()
}

/// Which nodes were not silent while the world listened.
pub(crate) fn check(everybody: &Everybody<'_>) -> Vec<Broken> {
    let refusing = refusing(everybody);
    let mut loud: Vec<(u64, &Glance<'_>)> = everybody
        .nodes
        .iter()
        .filter(|node| !node.asks)
        .map(|node| (node.watch.silence.total(), node))
        .filter(|(said, node)| *said > allowed(node, &refusing))
        .collect();
    loud.sort_unstable_by_key(|(said, node)| (std::cmp::Reverse(*said), node.no));
    let note = |(said, node): &(u64, &Glance<'_>)| Broken {
        promise: PROMISE,
        at_us: everybody.now.as_micros(),
        node: Some(node.no),
        what: format!(
            "{} says {said} frames, when nothing is left to say, on {} links: {}",
            node.plan.name,
            node.linked.len(),
            node.watch.silence.kinds()
        ),
    };
    loud.iter().take(NAMED).map(note).collect()
}
