//! Fetching and serving the blocks of manifests among the peers of a topic. The protocol is
//! docs/spec/files.md, 4.
//!
//! [`Swap`] holds what a node knows of all contents: which manifests envelopes have named, which of
//! their blocks are here, which of them are wanted, and who has them. It is told of links that have
//! proved a topic ([`Input`]) and puts out what is to be sent, written and read ([`Output`]).
//!
//! ```text
//!  wanted ─► blocks ask ─► blocks here ─► block want ─► blocks ─► verified ─► written ─► row
//!                                                                                         └─► whole
//! ```
//!
//! - Everything is keyed by topic and manifest: a root that somebody names in one topic opens nothing of
//!   another.
//! - A row says that a block is here only after the write of the block is durable.
//! - What is asked for, has come and is being written counts together, and is bounded for the node as
//!   a whole: so memory does not depend on how long a content is.
//!
//! What it does not do: it opens nothing, knows no name of a file, decides nobody's right and nobody's
//! quota, and makes no connection.

mod bits;
mod challenge;
mod fetch;
mod hold;
pub mod limits;
mod row;
mod serve;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use identity::EnvelopeId;
use machine::{ContentDone, ContentEffect, ContentName, Cx, Outbox, Time, Timers};
use wire::{Manifest, Part, TopicFrame};

use challenge::Challenge;
pub use challenge::Found;
use fetch::Fetch;
pub use hold::{Known, NotAContent, Whole};
use limits::{DISK_RETRY, EXPIRE_EVERY, FORGET_PER_TURN, LOOK_AROUND, NEAR_RATE, NEAR_SPELL};
pub use row::TABLES;

/// The node's own short number of a topic. Never on the wire.
pub type Local = u32;

/// The node's number of a link, unique in a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// What happens to contents.
#[derive(Debug)]
pub enum Input {
    /// A link has proved a topic.
    Proven {
        /// The link.
        link: LinkId,
        /// The topic.
        topic: Local,
        /// Whether the peer is on a network of this node's own: what it has is not fetched from afar.
        near: bool,
    },
    /// A link has proved a topic no longer.
    Unproven {
        /// The link.
        link: LinkId,
        /// The topic.
        topic: Local,
    },
    /// A link is no more.
    LinkGone {
        /// The link.
        link: LinkId,
    },
    /// So many of the frames with blocks that were put out have left for the transport.
    Sent {
        /// The link.
        link: LinkId,
        /// How many.
        frames: usize,
    },
    /// A frame about blocks, of a link that has proved the topic. Others are none of this crate's.
    Frame {
        /// The link.
        link: LinkId,
        /// The topic.
        topic: Local,
        /// The frame.
        frame: TopicFrame,
    },
    /// What became of a write or of a read.
    Content(ContentDone),
    /// Whether the disk has no room but what is kept free.
    Room {
        /// Whether it is full.
        full: bool,
    },
    /// Whether the host's clock may be relied upon to delete.
    Clock {
        /// Whether it is confirmed.
        confirmed: bool,
    },
}

/// What is asked of the node.
#[derive(Debug)]
pub enum Output {
    /// A frame for a link: class held.
    Send {
        /// The link.
        link: LinkId,
        /// The topic.
        topic: Local,
        /// The frame.
        frame: TopicFrame,
    },
    /// A frame with blocks, which prove themselves: it leaves at once, after all that is more urgent.
    /// [`Input::Sent`] says when it has left.
    Blocks {
        /// The link.
        link: LinkId,
        /// The topic.
        topic: Local,
        /// The frame.
        frame: TopicFrame,
    },
    /// A piece of a content is to be written or read.
    Content(ContentEffect),
    /// A content is needed no more: class held, so that it is not gone before its rows are.
    Delete(ContentName),
    /// All blocks of a manifest are here, durably once this turn is.
    Whole {
        /// The topic.
        topic: Local,
        /// The manifest.
        manifest: Manifest,
    },
    /// The disk has lost what was here of a manifest.
    Lost {
        /// The topic.
        topic: Local,
        /// The manifest.
        manifest: Manifest,
    },
    /// The disk fails: what is wanted is tried again later.
    Failed {
        /// In words.
        why: String,
    },
    /// What became of [`Swap::challenge`].
    Challenged {
        /// Who was asked.
        link: LinkId,
        /// The topic.
        topic: Local,
        /// The envelope whose blocks it says it holds.
        id: Use,
        /// What it did.
        found: Found,
    },
    /// A peer gave what is not what was asked for.
    Misbehaved {
        /// The link.
        link: LinkId,
    },
}

/// A manifest in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) local: Local,
    pub(crate) manifest: Manifest,
}

/// What can be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A link owes answers.
    Patience(LinkId),
    /// A link that did not answer is asked again.
    Again(LinkId),
    /// A link was asked for something that it says it holds.
    Challenge(LinkId),
    /// Peers are to be told what is here by now.
    Tell,
    /// Peers wait for parts that one turn had no time for.
    Serve,
    /// Other contents than those that nobody has may be fetched.
    Around,
    /// What has expired is looked for.
    Expire,
    /// The contents of a topic are being removed.
    Forget(Local),
    /// A disk that failed is tried again.
    Disk,
}

/// How much a near peer gives of what is asked of it: see [`limits::NEAR_RATE`].
#[derive(Debug, Default)]
struct Spell {
    /// Nothing while nothing is asked of it.
    since: Option<Time>,
    /// What it gave since then.
    bytes: u64,
    slow: bool,
}

impl Spell {
    /// Something is asked of it, and nothing was before: what it did not give until now does not count.
    fn begin(&mut self, now: Time) {
        self.since = Some(now);
        self.bytes = 0;
    }

    /// Nothing is asked of it any more.
    fn rest(&mut self) {
        self.since = None;
    }

    /// It has given so much.
    fn counts(&mut self, now: Time, bytes: usize) {
        let since = *self.since.get_or_insert(now);
        self.bytes = self.bytes.saturating_add(bytes as u64);
        let passed = now.since(since);
        if passed >= NEAR_SPELL {
            let ms = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
            let due = NEAR_RATE.saturating_mul(ms) / 1_000;
            self.slow = self.bytes < due;
            self.begin(now);
        }
    }

    /// Whether it gives too little for others not to be asked.
    fn is_slow(&self, now: Time) -> bool {
        let late = |since: Time| now.since(since) >= NEAR_SPELL;
        self.slow || self.since.is_some_and(late)
    }
}

/// A link, as far as blocks are concerned.
#[derive(Debug, Default)]
pub(crate) struct Link {
    topics: BTreeSet<Local>,
    /// It is on a network of this node's own, and has answered so far.
    near: bool,
    /// Whether it gives enough.
    spell: Spell,
    /// What it was asked for, and has not answered.
    asks: Vec<(Key, Part)>,
    /// Bytes of that.
    asked: usize,
    /// The content of which something was last asked for.
    turn: Option<Key>,
    /// It did not answer for too long: nothing is asked of it.
    muted: bool,
    /// Contents of which it gave something else than was asked for.
    bad: u32,
    /// What it has asked for, and has not got.
    owed: VecDeque<(Key, Part)>,
    /// Frames with blocks that are being read for it, or wait to leave.
    out: usize,
    /// What it asked to be told about.
    told: BTreeSet<Key>,
    /// Of that, what has changed since.
    due: BTreeSet<Key>,
}

/// Who a piece is read for.
#[derive(Debug)]
struct Reading {
    key: Key,
    part: Part,
    /// Nobody: the fetch itself.
    link: Option<LinkId>,
}

/// All contents of a node.
#[derive(Debug, Default)]
pub struct Swap {
    fetches: BTreeMap<Key, Fetch>,
    links: BTreeMap<LinkId, Link>,
    challenges: BTreeMap<LinkId, Challenge>,
    /// By content and place, in the order in which they were asked for.
    reading: BTreeMap<(ContentName, u64), VecDeque<Reading>>,
    /// Contents by name, of those that are being written.
    writing: BTreeMap<ContentName, Key>,
    /// Bytes being read for peers.
    read_bytes: usize,
    /// Bytes that were asked for, or are being written.
    in_flight: usize,
    timers: Timers<Timer>,
    confirmed: bool,
    /// The disk has failed: nothing is asked for.
    disk_failed: bool,
    /// The disk is full, but for what is kept free: nothing is asked for.
    full: bool,
    /// Where looking for what else is wanted goes on.
    cursor: Vec<u8>,
}

/// What a turn gives.
#[derive(Debug)]
pub struct Env<'a, 'c> {
    /// Time, store, randomness.
    pub cx: &'a mut Cx<'c>,
    /// Takes what comes out.
    pub out: &'a mut Outbox<Output>,
}

impl Swap {
    /// Takes up what was wanted when the last life ended.
    pub fn open(env: &mut Env<'_, '_>) -> Self {
        let mut swap = Self::default();
        swap.fill(env);
        swap
    }

    /// Takes one input.
    pub fn handle(&mut self, env: &mut Env<'_, '_>, input: Input) {
        match input {
            Input::Proven { link, topic, near } => {
                let state = self.links.entry(link).or_default();
                if state.topics.is_empty() {
                    state.near = near;
                }
                state.topics.insert(topic);
                self.ask_about(env, link, topic);
            }
            Input::Unproven { link, topic } => self.unproven(env, link, topic),
            Input::LinkGone { link } => self.link_gone(env, link),
            Input::Sent { link, frames } => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.out = link.out.saturating_sub(frames);
                }
                self.serve(env, link);
            }
            Input::Frame { link, topic, frame } => self.on_frame(env, link, topic, frame),
            Input::Content(done) => self.on_content(env, done),
            Input::Room { full } => {
                let again = std::mem::replace(&mut self.full, full) && !full;
                if again {
                    self.pump_all(env);
                }
            }
            Input::Clock { confirmed } => {
                self.confirmed = confirmed;
                if confirmed {
                    self.timers.set_earlier(Timer::Expire, env.cx.now);
                }
            }
        }
    }

    fn on_frame(&mut self, env: &mut Env<'_, '_>, link: LinkId, topic: Local, frame: TopicFrame) {
        let proven = self.links.get(&link);
        if !proven.is_some_and(|proven| proven.topics.contains(&topic)) {
            return;
        }
        let key = |manifest| Key {
            local: topic,
            manifest,
        };
        match frame {
            TopicFrame::BlocksAsk { manifest } => self.on_ask(env, link, key(manifest)),
            TopicFrame::BlocksHere { manifest, slots } => {
                self.on_here(env, link, key(manifest), slots);
            }
            TopicFrame::BlockWant { manifest, parts } => {
                self.on_want(env, link, key(manifest), &parts);
            }
            TopicFrame::Blocks {
                manifest,
                part,
                bytes,
            } => self.on_blocks(env, link, (key(manifest), part), bytes),
            _ => {}
        }
    }

    fn on_content(&mut self, env: &mut Env<'_, '_>, done: ContentDone) {
        match done {
            ContentDone::Written(name, at) => self.written(env, name, at),
            ContentDone::Read(name, at, piece) => self.was_read(env, name, at, Ok(piece)),
            ContentDone::Failed(name, at, why) => {
                if self.being_written(name, at).is_some() {
                    self.write_failed(env, name, at, why);
                } else if self.reading.contains_key(&(name, at)) {
                    // It may be read another time.
                    self.was_read(env, name, at, Err(()));
                    env.out.push(Output::Failed { why });
                }
            }
            ContentDone::Deleted(_) | ContentDone::Listed(_) | ContentDone::Unlisted(_) => {}
        }
    }

    /// When [`Swap::on_deadline`] is wanted next.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.timers.next()
    }

    /// What [`Swap::deadline`] is for, in a word: for those who measure.
    #[must_use]
    pub fn awaits(&self) -> Option<(Time, String)> {
        let (at, timer) = self.timers.first()?;
        Some((at, format!("{timer:?}")))
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, env: &mut Env<'_, '_>) {
        let mut done = BTreeSet::new();
        while let Some(timer) = self.timers.expired(env.cx.now) {
            if !done.insert(timer) {
                // It has more to do, in a turn of its own.
                self.timers.set(timer, env.cx.now);
                break;
            }
            match timer {
                Timer::Serve => self.serve_all(env),
                Timer::Patience(link) => self.out_of_patience(env, link),
                Timer::Again(link) => self.ask_again(env, link),
                Timer::Challenge(link) => self.say_challenge(env, link),
                Timer::Tell => self.tell(env),
                Timer::Around => self.look_around(env),
                Timer::Expire => self.expire(env),
                Timer::Forget(local) => self.forget_some(env, local),
                Timer::Disk => {
                    self.disk_failed = false;
                    self.fill(env);
                    self.pump_all(env);
                }
            }
        }
    }

    /// The link's wishes and debts are void; what it was asked for may be asked of others.
    fn link_gone(&mut self, env: &mut Env<'_, '_>, link: LinkId) {
        for timer in [Timer::Patience(link), Timer::Again(link)] {
            self.timers.clear(timer);
        }
        self.no_challenge(link, None);
        let Some(gone) = self.links.remove(&link) else {
            return;
        };
        self.give_up(link, gone.asks);
        for fetch in self.fetches.values_mut() {
            fetch.no_source(link);
        }
        self.pump_all(env);
    }

    fn unproven(&mut self, env: &mut Env<'_, '_>, link: LinkId, topic: Local) {
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        state.topics.remove(&topic);
        let of_others = |key: &Key| key.local != topic;
        state.told.retain(of_others);
        state.due.retain(of_others);
        state.owed.retain(|(key, _)| of_others(key));
        let asks = std::mem::take(&mut state.asks);
        let (kept, gone) = asks.into_iter().partition(|(key, _)| of_others(key));
        state.asks = kept;
        state.asked = fetch::len_of(&state.asks);
        self.give_up(link, gone);
        self.no_challenge(link, Some(topic));
        for (key, fetch) in &mut self.fetches {
            if key.local == topic {
                fetch.no_source(link);
            }
        }
        self.pump_all(env);
    }

    fn retry_disk(&mut self, env: &mut Env<'_, '_>, why: String) {
        self.disk_failed = true;
        let again = env.cx.now.after(DISK_RETRY);
        self.timers.set_earlier(Timer::Disk, again);
        env.out.push(Output::Failed { why });
    }

    fn look_around_later(&mut self, env: &Env<'_, '_>) {
        let at = env.cx.now.after(LOOK_AROUND);
        self.timers.set_earlier(Timer::Around, at);
    }

    fn expire_later(&mut self, env: &Env<'_, '_>) {
        if self.confirmed {
            let at = env.cx.now.after(EXPIRE_EVERY);
            self.timers.set_earlier(Timer::Expire, at);
        }
    }

    /// Removes all contents of a topic, in bounded steps.
    pub fn forget(&mut self, env: &mut Env<'_, '_>, topic: Local) {
        self.timers.set(Timer::Forget(topic), env.cx.now);
    }

    fn forget_some(&mut self, env: &mut Env<'_, '_>, topic: Local) {
        let some = hold::contents_of(env.cx, topic, None, FORGET_PER_TURN);
        if some.is_empty() {
            Self::set_limit(env.cx, topic, None);
        } else {
            self.timers.set(Timer::Forget(topic), env.cx.now);
        }
        for key in some {
            let uses = self.uses(env.cx, (topic, &key.manifest), None);
            for id in &uses {
                self.end_use(env, key, id);
            }
            if uses.is_empty() {
                self.remove(env, key);
            }
        }
    }
}

/// The envelope that names a manifest: the content is kept as long as there is one.
pub type Use = EnvelopeId;
