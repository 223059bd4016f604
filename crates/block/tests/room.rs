//! Peers of one topic that swap contents: their disks, their links, and what they do wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use block::memory::Whole;
use block::swap::{Env, Found, Input, LinkId, Output, Swap};
use identity::{EnvelopeId, Secret};
use machine::test::World;
use machine::{ContentDone, ContentEffect, ContentName, MemoryBase, MemoryContents, Outbox, Rng};
use wire::TopicFrame;

pub(crate) const TOPIC: u32 = 7;
pub(crate) const SECRET: [u8; 32] = [5; 32];

/// A content of bytes that are drawn.
pub(crate) fn content(seed: u64, length: usize) -> Whole {
    let mut bytes = vec![0; length];
    rng(seed).fill(&mut bytes);
    Whole::encode(&bytes, Secret::from_bytes(SECRET)).expect("not too large")
}

pub(crate) fn rng(seed: u64) -> Rng {
    let mut bytes = [3; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    Rng::from_seed(bytes)
}

pub(crate) fn id(byte: u8) -> EnvelopeId {
    EnvelopeId::from_bytes([byte; 32])
}

/// What a peer does instead of what it should.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Honest,
    /// Gives other bytes than were asked for.
    Lies,
    /// Gives nothing, and says nothing.
    Withholds,
    /// Gives one part each time that time passes.
    Drips,
}

pub(crate) struct Peer {
    pub(crate) world: World,
    pub(crate) swap: Swap,
    pub(crate) disk: MemoryContents,
    pub(crate) work: VecDeque<ContentEffect>,
    pub(crate) full: bool,
    /// No piece can be read, for now.
    pub(crate) unreadable: bool,
    pub(crate) manner: Manner,
    pub(crate) whole: usize,
    pub(crate) blamed: BTreeSet<usize>,
    /// Bytes of blocks that it gave.
    pub(crate) gave: u64,
    /// What became of its questions for what others say they hold.
    pub(crate) found: Vec<Found>,
}

/// A frame on its way: of which topic, and whether it has blocks.
pub(crate) type Sent = (u32, TopicFrame, bool);

/// Peers that all take part in one topic, and what is on its way between them.
pub(crate) struct Room {
    pub(crate) peers: Vec<Peer>,
    /// From, to; in order each.
    pub(crate) frames: BTreeMap<(usize, usize), VecDeque<Sent>>,
    pub(crate) cut: BTreeSet<(usize, usize)>,
    /// Peers that are near to all others.
    pub(crate) near: BTreeSet<usize>,
    /// From, to: what is given one by one.
    pub(crate) drips: VecDeque<(usize, usize, Sent)>,
    pub(crate) rng: Rng,
    pub(crate) moved: u64,
}

pub(crate) const fn link(peer: usize) -> LinkId {
    LinkId(peer as u64)
}

impl Room {
    pub(crate) fn new(seed: u64, peers: usize) -> Self {
        let mut room = Self {
            peers: Vec::new(),
            frames: BTreeMap::new(),
            cut: BTreeSet::new(),
            near: BTreeSet::new(),
            drips: VecDeque::new(),
            rng: rng(seed),
            moved: 0,
        };
        for at in 0..peers {
            let mut world = World::new(seed + at as u64);
            let mut out = Outbox::new();
            let swap = world.turn(|cx| Swap::open(&mut Env { cx, out: &mut out }));
            room.peers.push(Peer {
                world,
                swap,
                disk: MemoryContents::default(),
                work: VecDeque::new(),
                full: false,
                unreadable: false,
                manner: Manner::Honest,
                whole: 0,
                blamed: BTreeSet::new(),
                gave: 0,
                found: Vec::new(),
            });
        }
        for a in 0..peers {
            for b in 0..a {
                room.join(a, b);
            }
        }
        room
    }

    pub(crate) fn join(&mut self, a: usize, b: usize) {
        self.cut.remove(&(a.min(b), a.max(b)));
        for (at, to) in [(a, b), (b, a)] {
            let proven = Input::Proven {
                link: link(to),
                topic: TOPIC,
                near: self.near.contains(&to),
            };
            self.give(at, proven);
        }
    }

    pub(crate) fn part(&mut self, a: usize, b: usize) {
        self.cut.insert((a.min(b), a.max(b)));
        for (at, to) in [(a, b), (b, a)] {
            self.frames.remove(&(at, to));
            self.give(at, Input::LinkGone { link: link(to) });
        }
    }

    pub(crate) fn with<R>(
        &mut self,
        at: usize,
        f: impl FnOnce(&mut Swap, &mut Env<'_, '_>) -> R,
    ) -> R {
        let mut out = Outbox::new();
        let peer = &mut self.peers[at];
        let swap = &mut peer.swap;
        let result = peer
            .world
            .turn(|cx| f(swap, &mut Env { cx, out: &mut out }));
        while let Some(output) = out.pop() {
            self.carry(at, output);
        }
        result
    }

    pub(crate) fn give(&mut self, at: usize, input: Input) {
        self.with(at, |swap, env| swap.handle(env, input));
    }

    pub(crate) fn carry(&mut self, at: usize, output: Output) {
        match output {
            Output::Send { link, topic, frame } => self.send(at, link, (topic, frame, false)),
            Output::Blocks { link, topic, frame } => self.send(at, link, (topic, frame, true)),
            Output::Content(effect) => self.peers[at].work.push_back(effect),
            Output::Delete(name) => self.peers[at].work.push_back(ContentEffect::Delete(name)),
            Output::Whole { .. } => self.peers[at].whole += 1,
            Output::Misbehaved { link } => {
                self.peers[at].blamed.insert(link.0 as usize);
            }
            Output::Challenged { found, .. } => self.peers[at].found.push(found),
            Output::Failed { .. } | Output::Lost { .. } => {}
        }
    }

    pub(crate) fn send(
        &mut self,
        at: usize,
        to: LinkId,
        (topic, mut frame, blocks): (u32, TopicFrame, bool),
    ) {
        let to = to.0 as usize;
        if self.cut.contains(&(at.min(to), at.max(to))) {
            return;
        }
        if let TopicFrame::Blocks { bytes, .. } = &mut frame {
            match self.peers[at].manner {
                Manner::Honest => {
                    self.moved += bytes.len() as u64;
                    self.peers[at].gave += bytes.len() as u64;
                }
                Manner::Lies => bytes.iter_mut().for_each(|byte| *byte ^= 1),
                Manner::Withholds => {
                    // Its own node goes on as if it had given it.
                    let (link, frames) = (link(to), usize::from(blocks));
                    return self.give(at, Input::Sent { link, frames });
                }
                Manner::Drips => return self.drips.push_back((at, to, (topic, frame, blocks))),
            }
        }
        let bytes = wire::Frame::Topic {
            topic: identity::TopicId::from_bytes([1; 32]),
            frame: frame.clone(),
        };
        let again = wire::Frame::decode(&bytes.encode());
        assert_eq!(again, Ok(bytes), "what is sent can be read");
        let queue = self.frames.entry((at, to)).or_default();
        queue.push_back((topic, frame, blocks));
    }

    /// Something happens: a frame arrives, or a disk has done something. Nothing is left to happen
    /// otherwise.
    pub(crate) fn step(&mut self) -> bool {
        let ways = self.frames.iter().filter(|(_, queue)| !queue.is_empty());
        let mut choices: Vec<(usize, Option<usize>)> =
            ways.map(|((from, to), _)| (*from, Some(*to))).collect();
        let busy = (0..self.peers.len()).filter(|at| !self.peers[*at].work.is_empty());
        choices.extend(busy.map(|at| (at, None)));
        if choices.is_empty() {
            return false;
        }
        let chosen = choices[self.rng.below(choices.len() as u64) as usize];
        match chosen {
            (from, Some(to)) => {
                let queue = self.frames.get_mut(&(from, to)).expect("a way");
                let (topic, frame, blocks) = queue.pop_front().expect("a frame");
                if blocks {
                    let sent = Input::Sent {
                        link: link(to),
                        frames: 1,
                    };
                    self.give(from, sent);
                }
                let input = Input::Frame {
                    link: link(from),
                    topic,
                    frame,
                };
                self.give(to, input);
            }
            (at, None) => {
                let effect = self.peers[at].work.pop_front().expect("work");
                let done = self.peers[at].perform(effect);
                self.give(at, Input::Content(done));
            }
        }
        true
    }

    /// The disk of one does all that it was asked.
    pub(crate) fn work(&mut self, at: usize) {
        while let Some(effect) = self.peers[at].work.pop_front() {
            let done = self.peers[at].perform(effect);
            self.give(at, Input::Content(done));
        }
    }

    pub(crate) fn run(&mut self) {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 1_000_000, "it does not come to rest");
        }
    }

    /// Time passes, for all.
    pub(crate) fn pass(&mut self, time: Duration) {
        if let Some((at, to, sent)) = self.drips.pop_front() {
            self.frames.entry((at, to)).or_default().push_back(sent);
        }
        for at in 0..self.peers.len() {
            self.peers[at].world.pass(time);
            let (now, due) = (self.peers[at].world.now, self.peers[at].swap.deadline());
            if due.is_some_and(|due| due <= now) {
                self.with(at, |swap, env| swap.on_deadline(env));
            }
        }
        self.run();
    }

    /// A node is killed and comes back: what its disk had not done is done or not.
    pub(crate) fn kill(&mut self, at: usize) {
        for other in (0..self.peers.len()).filter(|other| *other != at) {
            if !self.cut.contains(&(at.min(other), at.max(other))) {
                self.frames.remove(&(at, other));
                self.frames.remove(&(other, at));
                self.give(other, Input::LinkGone { link: link(at) });
            }
        }
        while let Some(effect) = self.peers[at].work.pop_front() {
            if self.rng.below(2) == 0 {
                self.peers[at].perform(effect);
            }
        }
        let peer = &mut self.peers[at];
        let world = std::mem::replace(&mut peer.world, World::over(MemoryBase::new(), 0));
        let (now, wall) = (world.now, world.wall);
        peer.world = World::over(world.into_base(), self.rng.below(1 << 40));
        (peer.world.now, peer.world.wall) = (now, wall);
        peer.swap = Swap::default();
        let swap = self.with(at, |_, env| Swap::open(env));
        self.peers[at].swap = swap;
        for other in (0..self.peers.len()).filter(|other| *other != at) {
            if !self.cut.contains(&(at.min(other), at.max(other))) {
                self.join(at, other);
            }
        }
    }

    pub(crate) fn name_it(&mut self, at: usize, whole: &Whole) {
        let manifest = whole.manifest;
        self.with(at, |swap, env| {
            swap.used(env, TOPIC, &manifest, (id(1), 0))
                .expect("a content");
        });
    }

    /// This node has all of it.
    pub(crate) fn has(&mut self, at: usize, whole: &Whole) {
        self.name_it(at, whole);
        let name = ContentName(whole.manifest.root);
        self.peers[at].disk.insert(name, whole.stored.clone());
        let manifest = whole.manifest;
        self.with(at, |swap, env| swap.adopt(env, TOPIC, &manifest, name))
            .expect("named before");
    }

    pub(crate) fn wants(&mut self, at: usize, whole: &Whole) {
        self.name_it(at, whole);
        let manifest = whole.manifest;
        self.with(at, |swap, env| swap.want(env, TOPIC, &manifest))
            .expect("named before");
    }

    pub(crate) fn is_whole(&mut self, at: usize, whole: &Whole) -> bool {
        let manifest = whole.manifest;
        let known = self.with(at, |swap, env| swap.known(env.cx, TOPIC, &manifest));
        let known = known.expect("named before");
        assert_eq!(known.whole, known.have == manifest.count);
        if known.whole {
            let stored = self.peers[at].disk.get(&known.name);
            assert!(stored == Some(&whole.stored[..]), "every byte is right");
        }
        known.whole
    }
}

impl Peer {
    pub(crate) fn perform(&mut self, effect: ContentEffect) -> ContentDone {
        match effect {
            ContentEffect::Write { name, at, .. } if self.full => {
                ContentDone::Failed(name, at, "the disk is full".to_owned())
            }
            ContentEffect::Read { name, at, .. } if self.unreadable => {
                ContentDone::Failed(name, at, "too many open files".to_owned())
            }
            effect => self.disk.perform(effect),
        }
    }
}
