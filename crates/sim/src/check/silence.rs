//! Sync falls silent when there is nothing left to say.
//!
//! When everybody has everything, the world listens for a quarter of an hour. Keep-alives are not
//! counted, nor what is said to or by whoever still asks to be let in somewhere, or was removed and
//! goes on asking. Each node is judged
//! for itself: a sum over all would hide the one that chatters.

use super::excuse::{self, Late};
use super::{Broken, Everybody, Glance};
use crate::metrics::{frame_kind, frame_name};
use crate::plan::NodeNo;
use identity::{EnvelopeId, PublicKey, TopicId};
use machine::Time;
use std::collections::BTreeSet;
use std::sync::Arc;
use wire::{Frame, TopicFrame};

/// The name of the promise.
pub(crate) const PROMISE: &str = "silence";

/// More kinds of frames than there are.
const KINDS: usize = 64;
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
/// Frames that it may say, for each of its links, about chains that it has refused for want of room,
/// or that whom it says it to has, and about chains that rest on those: what was refused is asked for,
/// offered and refused again when the time has come, which is once an hour, for each chain. What it
/// says about other chains is counted.
const OFFERED_AGAIN: u64 = 16;
/// Frames that it may say on each link because somebody looks whether a core node has what it says it
/// holds: one question for a body and one for blocks in the time that is listened to, with the answers, of which
/// that about blocks has three parts.
const LOOKED_AFTER: u64 = 4;
/// The kinds of these frames.
const LOOKS: [&str; 4] = [
    "topic-body-want",
    "topic-bodies",
    "topic-block-want",
    "topic-blocks",
];
/// Links that a node may make anew meanwhile, beside as many as it has. More is churn.
const LINKS_ANEW: u64 = 16;
/// Frames about chains that are remembered of one node. Those beyond are excused by nothing.
const REMEMBERED: usize = 1_024;
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
    /// Frames about chains of topics.
    about: Vec<About>,
}

/// What a frame is about.
#[derive(Debug)]
struct About {
    to: NodeNo,
    topic: TopicId,
    chains: BTreeSet<PublicKey>,
    /// Envelopes of which the frame tells the ids alone.
    bodies: Vec<EnvelopeId>,
}

impl About {
    /// Nothing where a frame is not about certain chains of a topic. An answer without envelopes is
    /// about none of them.
    fn read(to: NodeNo, frame: &[u8]) -> Option<Self> {
        let Frame::Topic { topic, frame } = Frame::decode(frame).ok()? else {
            return None;
        };
        let mut bodies = Vec::new();
        let chains = match frame {
            TopicFrame::Cut { entries, .. } if !entries.is_empty() => {
                entries.iter().map(|entry| entry.author).collect()
            }
            TopicFrame::Want { ranges, .. } => ranges.iter().map(|range| range.author).collect(),
            TopicFrame::Envelopes { envelopes, .. } => {
                let author =
                    |raw: &wire::Raw| Some(wire::decode_header(&raw.header_bytes).ok()?.author);
                envelopes.iter().map(author).collect::<Option<_>>()?
            }
            TopicFrame::Refused { author, .. } => BTreeSet::from([author]),
            TopicFrame::BodyWant { ids } => {
                bodies = ids;
                BTreeSet::new()
            }
            TopicFrame::Bodies { bodies: all } => {
                bodies = all.into_iter().map(|(id, _)| id).collect();
                BTreeSet::new()
            }
            _ => return None,
        };
        Some(Self {
            to,
            topic,
            chains,
            bodies,
        })
    }
}

impl Silence {
    /// The world listens from now on.
    pub(crate) fn expect(&mut self, asking: &Arc<BTreeSet<NodeNo>>) {
        self.heard = Some(Box::new(Heard {
            frames: [0; KINDS],
            asking: Arc::clone(asking),
            about: Vec::new(),
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
            if heard.about.len() < REMEMBERED {
                heard.about.extend(About::read(to, frame));
            }
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

    /// How many frames of kinds with these names.
    fn of_kinds(&self, names: &[&str]) -> u64 {
        let frames = self.heard.iter().flat_map(|heard| heard.frames);
        let of = frames
            .zip(0..)
            .filter(|(_, kind)| names.contains(&frame_name(*kind)));
        of.map(|(count, _)| u64::from(count)).sum()
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

/// How much a node may have said, and how much it has said about what was refused.
fn allowed(everybody: &Everybody<'_>, late: &Late, node: &Glance<'_>) -> u64 {
    let (links, said) = (node.linked.len() as u64, &node.watch.silence);
    let topics = node.watch.holdings.iter().count() as u64;
    let anew = said.of_kind(HELLO).min(links + LINKS_ANEW);
    let excused = excused(everybody, late, node).min(OFFERED_AGAIN * links);
    let looks = said.of_kinds(&LOOKS).min(LOOKED_AFTER * links);
    RENEWED * topics * links + MADE_ANEW * anew + excused + looks
}

/// How many frames of a node are about nothing but what was refused since faults have stopped, by it
/// or by whom it said them to, and what rests on that.
fn excused(everybody: &Everybody<'_>, late: &Late, node: &Glance<'_>) -> u64 {
    let heard = node.watch.silence.heard.iter();
    let about = heard.flat_map(|heard| &heard.about);
    let excused = about.filter(|about| {
        let sides = [node.no, about.to];
        let late = sides.map(|no| late.get(&(no, about.topic)));
        let is = |author: &PublicKey| late.iter().flatten().any(|late| late.contains(author));
        let of = |id: &EnvelopeId| everybody.facts.envelope(id).map(|envelope| envelope.author);
        late.iter().any(Option::is_some)
            && about.chains.iter().all(is)
            && about
                .bodies
                .iter()
                .all(|id| of(id).as_ref().is_some_and(is))
    });
    excused.count() as u64
}

/// Which nodes were not silent while the world listened.
pub(crate) fn check(everybody: &Everybody<'_>) -> Vec<Broken> {
    let removed = super::removed(everybody);
    let late = excuse::late(everybody);
    let mut loud: Vec<(u64, &Glance<'_>)> = everybody
        .nodes
        .iter()
        .filter(|node| !node.asks && !removed.contains(&node.no))
        .map(|node| (node.watch.silence.total(), node))
        .filter(|(said, node)| *said > allowed(everybody, &late, node))
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
