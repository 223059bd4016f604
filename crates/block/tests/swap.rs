//! Contents travel between peers of a topic, whatever happens to links, disks and nodes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use block::eris::{BlockSize, Encoder, Reference};
use block::manifest::{CheckedManifest, References};
use block::swap::{Env, Input, LinkId, NotAContent, Output, Swap};
use identity::{EnvelopeId, Secret};
use machine::test::World;
use machine::{ContentDone, ContentEffect, ContentName, MemoryBase, Outbox, Rng};
use wire::{Manifest, Part, SlotRange, TopicFrame};

const TOPIC: u32 = 7;
const SECRET: [u8; 32] = [5; 32];

/// A content with all that is stored of it, as it is laid out.
#[derive(Clone)]
struct Whole {
    manifest: Manifest,
    stored: Vec<u8>,
}

fn content(seed: u64, length: usize) -> Whole {
    let mut bytes = vec![0; length];
    rng(seed).fill(&mut bytes);
    let size = BlockSize::for_length(length as u64);
    let mut encoder =
        Encoder::new(Secret::from_bytes(SECRET), length as u64, size).expect("not too large");
    let shape = *encoder.shape();
    let mut references = References::new(&shape).expect("a content");
    let mut stored = vec![0; shape.bytes() as usize];
    let mut put = |block: block::eris::EncodedBlock<'_>| {
        let at = block.slot as usize * size.bytes();
        stored[at..at + size.bytes()].copy_from_slice(block.bytes);
        references
            .set(block.slot, block.reference)
            .expect("each slot once");
        Ok::<(), block::eris::EncodeError>(())
    };
    encoder.push(&bytes, &mut put).expect("as long as said");
    encoder.finish(&mut put).expect("all of it");
    let listing = references.finish().expect("all slots");
    let manifest = *listing.list.manifest();
    for (number, page) in (0..).zip(&listing.pages) {
        stored.resize(manifest.page_at(number) as usize, 0);
        stored.extend(page.encode());
    }
    stored.resize(manifest.list_at() as usize, 0);
    stored.extend(listing.list.encode());
    assert_eq!(manifest.content_len(), stored.len() as u64);
    Whole {
        manifest: manifest.to_manifest(),
        stored,
    }
}

fn rng(seed: u64) -> Rng {
    let mut bytes = [3; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    Rng::from_seed(bytes)
}

fn id(byte: u8) -> EnvelopeId {
    EnvelopeId::from_bytes([byte; 32])
}

/// What a peer does instead of what it should.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Honest,
    /// Gives other bytes than were asked for.
    Lies,
    /// Gives nothing, and says nothing.
    Withholds,
}

struct Peer {
    world: World,
    swap: Swap,
    disk: BTreeMap<ContentName, Vec<u8>>,
    work: VecDeque<ContentEffect>,
    full: bool,
    /// No piece can be read, for now.
    unreadable: bool,
    manner: Manner,
    whole: usize,
    blamed: BTreeSet<usize>,
}

/// A frame on its way: of which topic, and whether it has blocks.
type Sent = (u32, TopicFrame, bool);

/// Peers that all take part in one topic, and what is on its way between them.
struct Room {
    peers: Vec<Peer>,
    /// From, to; in order each.
    frames: BTreeMap<(usize, usize), VecDeque<Sent>>,
    cut: BTreeSet<(usize, usize)>,
    rng: Rng,
    moved: u64,
}

const fn link(peer: usize) -> LinkId {
    LinkId(peer as u64)
}

impl Room {
    fn new(seed: u64, peers: usize) -> Self {
        let mut room = Self {
            peers: Vec::new(),
            frames: BTreeMap::new(),
            cut: BTreeSet::new(),
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
                disk: BTreeMap::new(),
                work: VecDeque::new(),
                full: false,
                unreadable: false,
                manner: Manner::Honest,
                whole: 0,
                blamed: BTreeSet::new(),
            });
        }
        for a in 0..peers {
            for b in 0..a {
                room.join(a, b);
            }
        }
        room
    }

    fn join(&mut self, a: usize, b: usize) {
        self.cut.remove(&(a.min(b), a.max(b)));
        for (at, to) in [(a, b), (b, a)] {
            let proven = Input::Proven {
                link: link(to),
                topic: TOPIC,
            };
            self.give(at, proven);
        }
    }

    fn part(&mut self, a: usize, b: usize) {
        self.cut.insert((a.min(b), a.max(b)));
        for (at, to) in [(a, b), (b, a)] {
            self.frames.remove(&(at, to));
            self.give(at, Input::LinkGone { link: link(to) });
        }
    }

    fn with<R>(&mut self, at: usize, f: impl FnOnce(&mut Swap, &mut Env<'_, '_>) -> R) -> R {
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

    fn give(&mut self, at: usize, input: Input) {
        self.with(at, |swap, env| swap.handle(env, input));
    }

    fn carry(&mut self, at: usize, output: Output) {
        match output {
            Output::Send { link, topic, frame } => self.send(at, link, (topic, frame, false)),
            Output::Blocks { link, topic, frame } => self.send(at, link, (topic, frame, true)),
            Output::Content(effect) => self.peers[at].work.push_back(effect),
            Output::Delete(name) => self.peers[at].work.push_back(ContentEffect::Delete(name)),
            Output::Whole { .. } => self.peers[at].whole += 1,
            Output::Misbehaved { link } => {
                self.peers[at].blamed.insert(link.0 as usize);
            }
            Output::Failed { .. } | Output::Lost { .. } => {}
        }
    }

    fn send(&mut self, at: usize, to: LinkId, (topic, mut frame, blocks): (u32, TopicFrame, bool)) {
        let to = to.0 as usize;
        if self.cut.contains(&(at.min(to), at.max(to))) {
            return;
        }
        if let TopicFrame::Blocks { bytes, .. } = &mut frame {
            match self.peers[at].manner {
                Manner::Honest => self.moved += bytes.len() as u64,
                Manner::Lies => bytes.iter_mut().for_each(|byte| *byte ^= 1),
                Manner::Withholds => return,
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
    fn step(&mut self) -> bool {
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
    fn work(&mut self, at: usize) {
        while let Some(effect) = self.peers[at].work.pop_front() {
            let done = self.peers[at].perform(effect);
            self.give(at, Input::Content(done));
        }
    }

    fn run(&mut self) {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 1_000_000, "it does not come to rest");
        }
    }

    /// Time passes, for all.
    fn pass(&mut self, time: Duration) {
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
    fn kill(&mut self, at: usize) {
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

    fn name_it(&mut self, at: usize, whole: &Whole) {
        let manifest = whole.manifest;
        self.with(at, |swap, env| {
            swap.used(env, TOPIC, &manifest, (id(1), 0))
                .expect("a content");
        });
    }

    /// This node has all of it.
    fn has(&mut self, at: usize, whole: &Whole) {
        self.name_it(at, whole);
        let name = ContentName(whole.manifest.root);
        self.peers[at].disk.insert(name, whole.stored.clone());
        let manifest = whole.manifest;
        self.with(at, |swap, env| swap.adopt(env, TOPIC, &manifest, name))
            .expect("named before");
    }

    fn wants(&mut self, at: usize, whole: &Whole) {
        self.name_it(at, whole);
        let manifest = whole.manifest;
        self.with(at, |swap, env| swap.want(env, TOPIC, &manifest))
            .expect("named before");
    }

    fn is_whole(&mut self, at: usize, whole: &Whole) -> bool {
        let manifest = whole.manifest;
        let known = self.with(at, |swap, env| swap.known(env.cx, TOPIC, &manifest));
        let known = known.expect("named before");
        assert_eq!(known.whole, known.have == manifest.count);
        if known.whole {
            let disk = &self.peers[at].disk[&known.name];
            assert!(*disk == whole.stored, "every byte is right");
        }
        known.whole
    }
}

impl Peer {
    fn perform(&mut self, effect: ContentEffect) -> ContentDone {
        match effect {
            ContentEffect::Write { name, at, .. } if self.full => {
                ContentDone::Failed(name, at, "the disk is full".to_owned())
            }
            ContentEffect::Write { name, at, bytes } => {
                let file = self.disk.entry(name).or_default();
                let end = at as usize + bytes.len();
                if file.len() < end {
                    file.resize(end, 0);
                }
                file[at as usize..end].copy_from_slice(&bytes);
                ContentDone::Written(name, at)
            }
            ContentEffect::Read { name, at, .. } if self.unreadable => {
                ContentDone::Failed(name, at, "too many open files".to_owned())
            }
            ContentEffect::Read { name, at, len } => {
                let piece = self.disk.get(&name).and_then(|file| {
                    let end = at as usize + len as usize;
                    file.get(at as usize..end).map(<[u8]>::to_vec)
                });
                ContentDone::Read(name, at, piece)
            }
            ContentEffect::Delete(name) => {
                self.disk.remove(&name);
                ContentDone::Deleted(name)
            }
            ContentEffect::List { .. } => unreachable!("nobody lists here"),
        }
    }
}

const MIB: usize = 1 << 20;

#[test]
fn contents_of_all_sizes_come_whole_and_hardly_a_byte_twice() {
    for (seed, length) in [1, 1_023, 1_024, 16_383, 16_384, 5 * MIB, 70 * MIB]
        .into_iter()
        .enumerate()
    {
        let whole = content(seed as u64, length);
        let mut room = Room::new(seed as u64, 2);
        room.has(0, &whole);
        room.wants(1, &whole);
        room.run();
        assert!(room.is_whole(1, &whole), "{length} bytes");
        assert_eq!(room.peers[1].whole, 1);
        assert!(room.moved <= whole.stored.len() as u64);
    }
}

#[test]
fn what_is_killed_goes_on_from_the_blocks_it_has() {
    let whole = content(9, 9 * MIB);
    for seed in 0..20 {
        let mut room = Room::new(seed, 3);
        room.has(0, &whole);
        room.wants(1, &whole);
        room.wants(2, &whole);
        let mut kills = 0;
        while kills < 12 {
            for _ in 0..room.rng.below(60) {
                room.step();
            }
            let at = room.rng.below(3) as usize;
            room.kill(at);
            kills += 1;
        }
        room.run();
        room.pass(Duration::from_secs(61));
        assert!(
            room.is_whole(1, &whole) && room.is_whole(2, &whole),
            "seed {seed}"
        );
    }
}

#[test]
fn who_has_a_part_gives_it_and_a_source_that_is_lost_is_not_missed() {
    let whole = content(2, 20 * MIB);
    let mut room = Room::new(2, 3);
    room.has(0, &whole);
    // The second has it from the first; the third knows only the second.
    room.part(0, 2);
    room.wants(1, &whole);
    room.wants(2, &whole);
    for _ in 0..250 {
        room.step();
    }
    assert!(!room.is_whole(1, &whole));
    room.pass(Duration::from_secs(1));
    assert!(room.is_whole(1, &whole));
    room.part(0, 1);
    room.pass(Duration::from_secs(1));
    assert!(room.is_whole(2, &whole), "through who had it only in part");
}

#[test]
fn two_who_have_a_half_each_are_both_asked() {
    let whole = content(3, 40 * MIB);
    let mut room = Room::new(3, 3);
    room.part(1, 2);
    room.part(0, 2);
    room.has(0, &whole);
    room.wants(1, &whole);
    while room
        .with(1, |swap, env| swap.known(env.cx, TOPIC, &whole.manifest))
        .expect("named")
        .have
        < 600
    {
        room.step();
    }
    room.part(0, 1);
    room.run();
    room.wants(2, &whole);
    let before = room.moved;
    room.join(1, 2);
    room.join(0, 2);
    room.run();
    assert!(room.is_whole(2, &whole));
    assert!(
        room.moved - before <= whole.stored.len() as u64,
        "nothing came twice"
    );
}

#[test]
fn who_lies_is_found_and_who_withholds_is_left_alone() {
    let both = [content(4, 3 * MIB), content(14, 2 * MIB)];
    for manner in [Manner::Lies, Manner::Withholds] {
        let mut room = Room::new(4, 3);
        room.part(1, 2);
        for whole in &both {
            room.has(0, whole);
            room.has(1, whole);
        }
        room.peers[0].manner = manner;
        room.wants(2, &both[0]);
        room.run();
        assert!(
            room.peers[2].blamed.is_empty(),
            "a disk may be at fault, once"
        );
        room.wants(2, &both[1]);
        room.run();
        for whole in &both {
            assert!(
                !room.is_whole(2, whole),
                "of nobody honest anything has come"
            );
        }
        room.join(1, 2);
        room.run();
        room.pass(Duration::from_secs(31));
        room.pass(Duration::from_secs(31));
        for whole in &both {
            assert!(room.is_whole(2, whole));
        }
        let lied = manner == Manner::Lies;
        assert_eq!(room.peers[2].blamed.contains(&0), lied);
        assert!(!room.peers[2].blamed.contains(&1));
    }
}

#[test]
fn pages_with_which_nobody_can_help_give_way_to_others() {
    // Nine pages, of blocks that nobody has: what lists them is enough here.
    let length = 9_000 * 32_768;
    let size = BlockSize::for_length(length);
    let encoder = Encoder::new(Secret::from_bytes(SECRET), length, size).expect("not too large");
    let shape = *encoder.shape();
    let mut references = References::new(&shape).expect("a content");
    for slot in 0..shape.blocks() {
        let reference = Reference::of(&slot.to_be_bytes());
        references.set(slot, reference).expect("each slot once");
    }
    let listing = references.finish().expect("all slots");
    let manifest = listing.list.manifest().to_manifest();
    let mut room = Room::new(15, 2);
    room.part(0, 1);
    let whole = Whole {
        manifest,
        stored: Vec::new(),
    };
    room.wants(1, &whole);
    let run = |first, count| SlotRange { first, count };
    // The first has, as it says, a block of each of the first five pages; the second what is in the others.
    let some = (0..5).map(|page| run(page * 1_024, 1)).collect();
    let rest = vec![run(5 * 1_024, manifest.count - 5 * 1_024)];
    for (far, slots) in [(6, some), (7, rest)] {
        let (link, topic) = (LinkId(far), TOPIC);
        room.give(1, Input::Proven { link, topic });
        let frame = TopicFrame::BlocksHere { manifest, slots };
        room.give(1, Input::Frame { link, topic, frame });
        let way = (1, far as usize);
        let mut asked = BTreeSet::new();
        while let Some((_, frame, _)) = room.frames.get_mut(&way).and_then(VecDeque::pop_front) {
            let TopicFrame::BlockWant { parts, .. } = frame else {
                continue;
            };
            for part in parts {
                asked.insert(part);
                let bytes = match part {
                    Part::List => listing.list.encode(),
                    Part::Page(page) => listing.pages[page as usize].encode(),
                    Part::Blocks(_) if far == 6 => Vec::new(),
                    Part::Blocks(_) => continue,
                };
                let frame = TopicFrame::Blocks {
                    manifest,
                    part,
                    bytes,
                };
                room.give(1, Input::Frame { link, topic, frame });
                room.work(1);
            }
        }
        let pages = asked.iter().filter(|part| matches!(part, Part::Page(_)));
        let blocks = asked.iter().filter(|part| matches!(part, Part::Blocks(_)));
        assert!(pages.count() > 0 && blocks.count() > 0, "{far}: {asked:?}");
    }
}

#[test]
fn a_read_that_fails_once_loses_nothing_and_what_is_lost_is_fetched_again() {
    let whole = content(16, 100_000);
    let mut room = Room::new(16, 3);
    room.has(0, &whole);
    room.wants(1, &whole);
    room.run();
    room.part(0, 1);
    room.part(0, 2);
    room.peers[1].unreadable = true;
    room.wants(2, &whole);
    room.run();
    assert!(
        !room.is_whole(2, &whole) && room.is_whole(1, &whole),
        "nothing is gone"
    );
    room.peers[1].unreadable = false;
    for _ in 0..8 {
        room.pass(Duration::from_secs(11));
    }
    assert!(room.is_whole(2, &whole), "it was asked again");
    // What is gone from a disk is noticed when it is asked for, and fetched again.
    room.peers[1].disk.clear();
    let mut other = Room::new(17, 1);
    other.has(0, &whole);
    room.with(2, |swap, env| swap.drop(env, TOPIC, &whole.manifest));
    room.run();
    room.wants(2, &whole);
    room.run();
    let known = room.with(1, |swap, env| swap.known(env.cx, TOPIC, &whole.manifest));
    assert_eq!(
        known.map(|known| (known.have, known.wanted)),
        Some((0, true))
    );
    room.join(0, 1);
    for _ in 0..8 {
        room.pass(Duration::from_secs(11));
    }
    assert!(room.is_whole(1, &whole) && room.is_whole(2, &whole));
}

#[test]
fn an_author_whose_disk_loses_a_file_has_it_back_from_who_fetched_it() {
    let whole = content(21, 100_000);
    let mut room = Room::new(21, 2);
    room.has(0, &whole);
    room.wants(1, &whole);
    room.run();
    room.peers[0].disk.clear();
    room.with(1, |swap, env| swap.drop(env, TOPIC, &whole.manifest));
    room.run();
    let name = ContentName(whole.manifest.root);
    room.peers[1].disk.insert(name, whole.stored.clone());
    room.wants(1, &whole);
    room.run();
    room.with(1, |swap, env| swap.adopt(env, TOPIC, &whole.manifest, name))
        .expect("named before");
    for _ in 0..8 {
        room.pass(Duration::from_secs(11));
    }
    assert!(room.is_whole(0, &whole) && room.is_whole(1, &whole));
}

#[test]
fn a_fetch_that_is_begun_again_and_again_counts_what_is_under_way_right() {
    let whole = content(18, 8 * MIB);
    let mut room = Room::new(18, 3);
    room.has(0, &whole);
    room.has(1, &whole);
    for _ in 0..300 {
        room.wants(2, &whole);
        for _ in 0..room.rng.below(40) {
            room.step();
        }
        room.with(2, |swap, env| swap.drop(env, TOPIC, &whole.manifest));
    }
    room.wants(2, &whole);
    room.run();
    assert!(room.is_whole(2, &whole));
}

#[test]
fn a_link_that_proves_a_topic_no_longer_may_be_asked_in_others() {
    let whole = content(19, 8 * MIB);
    let mut room = Room::new(19, 2);
    room.has(0, &whole);
    room.wants(1, &whole);
    for _ in 0..6 {
        room.step();
    }
    for (at, to) in [(1, 0), (0, 1)] {
        room.give(
            at,
            Input::Unproven {
                link: link(to),
                topic: TOPIC,
            },
        );
    }
    room.run();
    assert!(!room.is_whole(1, &whole));
    room.join(0, 1);
    room.run();
    assert!(room.is_whole(1, &whole));
}

#[test]
fn nothing_is_asked_for_while_the_disk_is_full() {
    let whole = content(20, MIB);
    let mut room = Room::new(20, 2);
    room.has(0, &whole);
    room.give(1, Input::Room { full: true });
    room.wants(1, &whole);
    room.run();
    assert_eq!(room.moved, 0);
    room.give(1, Input::Room { full: false });
    room.run();
    assert!(room.is_whole(1, &whole));
}

#[test]
fn nothing_is_said_of_a_topic_to_who_has_not_proved_it() {
    let whole = content(5, 3_000);
    let mut room = Room::new(5, 2);
    room.has(0, &whole);
    room.run();
    let manifest = whole.manifest;
    let asks = [
        TopicFrame::BlocksAsk { manifest },
        TopicFrame::BlockWant {
            manifest,
            parts: vec![Part::List, Part::Blocks(SlotRange { first: 0, count: 1 })],
        },
    ];
    for frame in asks {
        // In another topic, that it has proved; and in this one, by a link that has not.
        room.give(
            0,
            Input::Proven {
                link: link(1),
                topic: 8,
            },
        );
        let ask = |topic, from| Input::Frame {
            link: link(from),
            topic,
            frame: frame.clone(),
        };
        room.give(0, ask(8, 1));
        room.give(0, ask(TOPIC, 5));
        let said: Vec<TopicFrame> = room
            .frames
            .values()
            .flatten()
            .map(|(_, frame, _)| frame.clone())
            .collect();
        let empty = |frame: &TopicFrame| matches!(frame, TopicFrame::Blocks { bytes, .. } if bytes.is_empty());
        assert!(said.iter().all(empty), "{said:?}");
        assert!(room.peers[0].work.is_empty());
        room.frames.clear();
    }
}

#[test]
fn what_a_manifest_cannot_have_is_neither_kept_nor_given() {
    let whole = content(6, 3_000);
    let mut room = Room::new(6, 2);
    let petabytes = Manifest {
        root: [1; 32],
        count: u32::MAX,
        bytes: 1 << 48,
    };
    let refused = room.with(0, |swap, env| swap.used(env, TOPIC, &petabytes, (id(1), 0)));
    assert!(matches!(refused, Err(NotAContent::Manifest(_))));
    room.has(0, &whole);
    room.run();
    let (manifest, blocks) = (whole.manifest, whole.manifest.count);
    let parts = vec![
        Part::Page(1),
        Part::Page(1_023),
        Part::Blocks(SlotRange {
            first: blocks - 1,
            count: 2,
        }),
        Part::Blocks(SlotRange {
            first: 1_048_575,
            count: 1,
        }),
    ];
    let frame = TopicFrame::BlockWant { manifest, parts };
    room.give(
        0,
        Input::Frame {
            link: link(1),
            topic: TOPIC,
            frame,
        },
    );
    assert!(room.peers[0].work.is_empty());
    // Another count under the same root is another content, which nobody has.
    let other = Manifest {
        count: 2_000,
        bytes: 2_000 * 32_768,
        ..manifest
    };
    room.with(0, |swap, env| swap.used(env, TOPIC, &other, (id(2), 0)))
        .expect("there may be such");
    let frame = TopicFrame::BlockWant {
        manifest: other,
        parts: vec![Part::List],
    };
    room.give(
        0,
        Input::Frame {
            link: link(1),
            topic: TOPIC,
            frame,
        },
    );
    assert!(room.peers[0].work.is_empty());
}

#[test]
fn a_content_stays_as_long_as_an_envelope_names_it_by_a_clock_that_is_confirmed() {
    let whole = content(7, 50_000);
    let mut room = Room::new(7, 1);
    room.has(0, &whole);
    let manifest = whole.manifest;
    let wall = room.peers[0].world.wall.as_millis();
    room.with(0, |swap, env| {
        swap.unuse(env, TOPIC, &manifest, &id(9));
        swap.used(env, TOPIC, &manifest, (id(2), wall + 5_000))
            .expect("a content");
        swap.used(env, TOPIC, &manifest, (id(3), wall + 500_000))
            .expect("a content");
        swap.unuse(env, TOPIC, &manifest, &id(1));
    });
    let known = |room: &mut Room| room.with(0, |swap, env| swap.known(env.cx, TOPIC, &manifest));
    room.pass(Duration::from_secs(100));
    assert_eq!(
        room.with(0, |swap, env| swap.uses(env.cx, (TOPIC, &manifest), None))
            .len(),
        2,
        "nobody knows the time"
    );
    room.give(0, Input::Clock { confirmed: true });
    room.pass(Duration::from_secs(61));
    assert_eq!(
        room.with(0, |swap, env| swap.uses(env.cx, (TOPIC, &manifest), None)),
        [id(3)]
    );
    assert!(known(&mut room).is_some_and(|known| known.whole));
    room.pass(Duration::from_secs(600));
    assert_eq!(known(&mut room), None);
    assert!(room.peers[0].disk.is_empty());
    assert_eq!(
        room.peers[0].world.base().rows().count(),
        0,
        "no row is left"
    );
}

#[test]
fn a_full_disk_ends_nothing() {
    let whole = content(8, 5 * MIB);
    let mut room = Room::new(8, 2);
    room.has(0, &whole);
    room.wants(1, &whole);
    for _ in 0..40 {
        room.step();
    }
    room.peers[1].full = true;
    room.run();
    assert!(!room.is_whole(1, &whole));
    room.pass(Duration::from_secs(31));
    assert!(!room.is_whole(1, &whole));
    room.peers[1].full = false;
    room.pass(Duration::from_secs(31));
    assert!(room.is_whole(1, &whole));
    assert!(
        room.peers[1].blamed.is_empty(),
        "whose disk is full blames nobody"
    );
}

#[test]
fn a_forgotten_topic_leaves_nothing() {
    let mut room = Room::new(10, 2);
    let some: Vec<Whole> = (0..40)
        .map(|seed| content(seed, 2_000 + seed as usize))
        .collect();
    for whole in &some {
        room.has(0, whole);
        room.wants(1, whole);
    }
    room.peers[0].disk.clear();
    room.run();
    for at in 0..2 {
        room.with(at, |swap, env| swap.forget(env, TOPIC));
        for _ in 0..20 {
            room.pass(Duration::from_millis(1));
        }
        assert_eq!(room.peers[at].world.base().rows().count(), 0);
    }
}

#[test]
fn more_is_wanted_than_can_be_fetched_at_once() {
    let mut room = Room::new(11, 2);
    let some: Vec<Whole> = (0..200)
        .map(|seed| content(seed, 3_000 + seed as usize))
        .collect();
    // Of most nothing is to be had.
    for whole in &some {
        room.wants(1, whole);
    }
    for whole in &some[190..] {
        let manifest = whole.manifest;
        let name = ContentName(manifest.root);
        room.name_it(0, whole);
        room.peers[0].disk.insert(name, whole.stored.clone());
        room.with(0, |swap, env| swap.adopt(env, TOPIC, &manifest, name))
            .expect("named before");
    }
    for _ in 0..20 {
        room.pass(Duration::from_secs(10));
    }
    let got = some.iter().filter(|whole| room.is_whole(1, whole)).count();
    assert_eq!(got, 10);
}

#[test]
fn the_same_file_again_takes_no_more_room() {
    let whole = content(12, 9_000);
    let mut room = Room::new(12, 1);
    room.has(0, &whole);
    let again = ContentName([200; 32]);
    room.peers[0].disk.insert(again, whole.stored.clone());
    let manifest = whole.manifest;
    room.with(0, |swap, env| swap.adopt(env, TOPIC, &manifest, again))
        .expect("named before");
    room.run();
    assert_eq!(room.peers[0].disk.len(), 1);
    assert!(room.is_whole(0, &whole));
    let named = room.with(0, |_, env| Swap::is_named(env.cx, again));
    assert!(!named);
    let checked = CheckedManifest::of(&manifest).expect("a content");
    assert_eq!(checked.pages(), 1);
}
