//! All topics of a node.

use crate::event::{Input, LinkId, Output, Peer};
use crate::evidence::RefusedRow;
use crate::host::{Host, Local};
use crate::limits::{
    BODY_PATIENCE, EXPIRE_INTERVAL, IDLE_PATIENCE, MAX_DEADLINES_PER_TURN, MAX_EXPIRE_PER_TURN,
    MAX_FORGET_PER_TURN, MAX_FRAMES_PER_TURN, MAX_SWEPT_PER_TURN, RESERVE,
};
use crate::lines::{Page, ReadFrom};
use crate::peer::PeerState;
use crate::rows::{self, Phase, Role, TopicRow};
use crate::state::{Shared, Timer, Topic};
use crate::states::States;
use crate::sync::Hashes;
use core::time::Duration;
use identity::{EnvelopeId, PublicKey, TopicId};
use lace::Lace;
use machine::{Cx, Outbox, Time};
use std::collections::BTreeMap;
use thiserror::Error;
use wire::plain::Message;
use wire::{Genesis, Item, TopicFrame};

/// What a turn gives to topics.
pub struct Env<'a, 'c> {
    /// Time, store, randomness.
    pub cx: &'a mut Cx<'c>,
    /// Keys and quotas.
    pub host: &'a mut dyn Host,
    /// Takes what comes out.
    pub out: &'a mut Outbox<Output>,
}

/// The topic is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the topic is not in this home")]
pub struct Unknown;

/// Why nothing can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// See [`Unknown`].
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// Reading was to begin after an envelope that is not here.
    #[error("the envelope is not in this topic")]
    NoEnvelope,
}

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Messages of an application; class content.
    Messages(Vec<Message>),
    /// Items; class control.
    Items(Vec<Item>),
}

/// What to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The contents.
    pub payload: Payload,
    /// How long content is kept, in milliseconds; nothing stands for the topic's own lifespan.
    pub lifespan: Option<u64>,
    /// Envelopes that it answers or overwrites, named first in its deps where they may be.
    pub answers: Vec<EnvelopeId>,
}

/// What was published. It is durable when the outputs of this turn are released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The envelope. Its messages are named (id, 0), (id, 1), …
    pub id: EnvelopeId,
    /// Its number on the chain.
    pub number: u64,
}

/// Why nothing was published. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PublishError {
    /// See [`Unknown`].
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// This home has left the topic, is forgetting it, or holds it without keys.
    #[error("this home does not write in the topic")]
    NotMember,
    /// There is no author key: an incarnation has to be begun first.
    #[error("this home has no author key in the topic")]
    NoAuthor,
    /// Peers have newer envelopes of this author than this home: a new incarnation has to begin.
    #[error("this home is older than what it has published; it needs a new author key")]
    Stale,
    /// No messages, or more than an envelope takes.
    #[error("{0} messages do not fit into one envelope")]
    Count(usize),
    /// The sealed messages are larger than an envelope's body.
    #[error("the messages are larger than one envelope")]
    TooLarge,
    /// There is no key to seal with.
    #[error("no key to seal with")]
    NoKey,
    /// The rules of the topic do not admit it, with the reason.
    #[error("the topic's rules do not admit it: {0}")]
    Inadmissible(String),
}

/// An invite box that members keep for joiners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteBox {
    /// The topic it belongs to.
    pub topic: Local,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// Until when it stands, milliseconds since 1970.
    pub until: u64,
}

/// A topic at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub id: TopicId,
    /// What this node is in it.
    pub role: Role,
    /// In use, left, or being forgotten.
    pub phase: Phase,
    /// Number of the newest line.
    pub last_line: u64,
    /// Number of the last confirmed line.
    pub confirmed: u64,
    /// Envelopes admitted.
    pub envelopes: u64,
    /// Envelopes without lines, because a body is missing: theirs or one that they depend on.
    pub waiting: usize,
    /// Envelopes that wait for their past.
    pub parked: usize,
    /// Links on which the topic is proven.
    pub links: usize,
    /// Devices that take part.
    pub members: usize,
    /// The title that the founder gave it.
    pub title: Option<String>,
}

/// A topic that is here, in memory or not.
#[derive(Debug)]
struct Entry {
    id: TopicId,
    role: Role,
    phase: Phase,
    /// Nothing expires before this time (milliseconds since 1970), as far as is known.
    keeps_until: u64,
    topic: Option<Box<Topic>>,
}

/// All topics of a node.
#[derive(Debug)]
pub struct Topics {
    entries: BTreeMap<Local, Entry>,
    by_id: BTreeMap<TopicId, Local>,
    shared: Shared,
    /// Where looking for what has expired goes on.
    sweep_from: Option<Local>,
}

impl Topics {
    /// Reads which topics there are; opens none.
    pub fn open(cx: &mut Cx<'_>) -> Self {
        let mut topics = Self {
            entries: BTreeMap::new(),
            by_id: BTreeMap::new(),
            shared: Shared::default(),
            sweep_from: None,
        };
        for (key, row) in cx.store.prefix(rows::TOPIC, &[], usize::MAX) {
            let local = key.as_slice().try_into().ok().map(Local::from_be_bytes);
            let (Some(local), Some(row)) = (local, TopicRow::decode(&row)) else {
                continue;
            };
            if row.phase == Phase::Forgetting {
                topics.shared.timers.set(Timer::Forget(local), cx.now);
            } else {
                topics.by_id.insert(row.id, local);
            }
            let (id, role, phase) = (row.id, row.role, row.phase);
            topics.entries.insert(
                local,
                Entry {
                    id,
                    role,
                    phase,
                    keeps_until: 0,
                    topic: None,
                },
            );
        }
        topics
    }

    /// Begins a topic, its own or one it was invited to or serves. Nothing happens when it is here.
    pub fn create(&mut self, cx: &mut Cx<'_>, local: Local, genesis: &Genesis, role: Role) {
        if self.entries.contains_key(&local) {
            return;
        }
        let lace = Lace::create(&mut cx.store, local, genesis);
        let id = lace.id();
        let row = TopicRow::new(id, role);
        let topic = Topic::with_lace(cx, local, row, lace);
        topic.save(cx);
        self.by_id.insert(id, local);
        let topic = Some(Box::new(topic));
        let entry = Entry {
            id,
            role,
            phase: Phase::Active,
            keeps_until: 0,
            topic,
        };
        self.entries.insert(local, entry);
        self.shared.soon(Timer::Idle(local), cx.now, IDLE_PATIENCE);
    }

    /// The graph of a topic, for the node's own questions.
    pub fn lace(&mut self, cx: &mut Cx<'_>, topic: Local) -> Option<&Lace> {
        self.get(cx, topic).ok().map(|(topic, _)| &topic.lace)
    }

    /// As [`Topics::get`], without keeping a topic in memory for longer.
    fn get_for_sweep(
        &mut self,
        cx: &mut Cx<'_>,
        local: Local,
    ) -> Result<(&mut Topic, &mut Shared), Unknown> {
        let idle = self.shared.timers.get(Timer::Idle(local));
        self.get(cx, local)?;
        if let Some(at) = idle {
            self.shared.timers.set(Timer::Idle(local), at);
        }
        let topic = self
            .entries
            .get_mut(&local)
            .and_then(|entry| entry.topic.as_mut());
        Ok((topic.ok_or(Unknown)?, &mut self.shared))
    }

    fn get(&mut self, cx: &mut Cx<'_>, local: Local) -> Result<(&mut Topic, &mut Shared), Unknown> {
        let entry = self.entries.get_mut(&local).ok_or(Unknown)?;
        if entry.phase == Phase::Forgetting {
            return Err(Unknown);
        }
        if entry.topic.is_none() {
            let row = cx.store.get(rows::TOPIC, &rows::key(local));
            let row = row.and_then(|row| TopicRow::decode(&row)).ok_or(Unknown)?;
            let topic = Topic::load(cx, local, row).ok_or(Unknown)?;
            // What was due when the last life ended is due again.
            self.shared.work(local, cx.now);
            self.shared
                .timers
                .set_earlier(Timer::Receipt(local), cx.now);
            entry.topic = Some(Box::new(topic));
        }
        self.shared
            .timers
            .set(Timer::Idle(local), cx.now.after(IDLE_PATIENCE));
        let topic = entry.topic.as_mut().ok_or(Unknown)?;
        Ok((topic, &mut self.shared))
    }

    /// Takes one input.
    pub fn handle(&mut self, env: &mut Env<'_, '_>, input: Input) {
        self.shared.frames_left = MAX_FRAMES_PER_TURN;
        match input {
            Input::Proven { link, topic, peer } => self.on_proven(env, link, topic, peer),
            Input::LinkGone { link } => self.on_link_gone(env, link),
            Input::Unproven { link, topic } => self.on_unproven(env, link, topic),
            Input::Writable { link, bytes } => self.on_writable(env, link, bytes),
            Input::Frame { link, topic, frame } => self.on_frame(env, link, topic, frame),
            Input::Checked { link, topic, done } => {
                if let Some(state) = self.shared.links.get_mut(&link) {
                    state.checking = state.checking.saturating_sub(done.bytes);
                }
                if let Ok((topic, shared)) = self.get(env.cx, topic) {
                    topic.on_checked(shared, env, link, done);
                    topic.work(shared, env);
                }
            }
            Input::Clock { confirmed } => {
                self.shared.clock_confirmed = confirmed;
                if confirmed {
                    self.shared.timers.set_earlier(Timer::Expire, env.cx.now);
                }
            }
        }
    }

    fn on_proven(&mut self, env: &mut Env<'_, '_>, link: LinkId, local: Local, peer: Peer) {
        let Ok((topic, shared)) = self.get(env.cx, local) else {
            return;
        };
        topic.drop_peer(shared, env, link);
        if topic.peers.is_empty() {
            topic.waiting.begin(env.cx.now.after(BODY_PATIENCE));
        }
        topic.peers.insert(link, PeerState::new(peer));
        shared.links.entry(link).or_default().topics.insert(local);
        topic.work(shared, env);
    }

    fn on_link_gone(&mut self, env: &mut Env<'_, '_>, link: LinkId) {
        let Some(state) = self.shared.links.remove(&link) else {
            return;
        };
        for local in state.topics {
            if let Ok((topic, shared)) = self.get(env.cx, local) {
                topic.drop_peer(shared, env, link);
                topic.work(shared, env);
            }
        }
    }

    fn on_unproven(&mut self, env: &mut Env<'_, '_>, link: LinkId, local: Local) {
        if let Some(state) = self.shared.links.get_mut(&link) {
            state.topics.remove(&local);
            state.blocked.remove(&local);
        }
        if let Ok((topic, shared)) = self.get(env.cx, local) {
            topic.drop_peer(shared, env, link);
            topic.work(shared, env);
        }
    }

    fn on_writable(&mut self, env: &mut Env<'_, '_>, link: LinkId, bytes: u64) {
        let state = self.shared.links.entry(link).or_default();
        state.credit = state
            .credit
            .saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
        if state.credit < RESERVE {
            return;
        }
        let mut blocked = std::mem::take(&mut state.blocked).into_iter();
        // A few at once; the others take their turns.
        for local in blocked.by_ref().take(MAX_FRAMES_PER_TURN) {
            if let Ok((topic, shared)) = self.get(env.cx, local) {
                topic.work(shared, env);
            }
        }
        for local in blocked {
            self.shared.work(local, env.cx.now);
        }
    }

    fn on_frame(&mut self, env: &mut Env<'_, '_>, link: LinkId, local: Local, frame: TopicFrame) {
        let Ok((topic, shared)) = self.get(env.cx, local) else {
            return;
        };
        if topic.peers.contains_key(&link) {
            topic.on_frame(shared, env, link, frame);
            topic.work(shared, env);
        }
    }

    /// Does what is due.
    pub fn on_deadline(&mut self, env: &mut Env<'_, '_>) {
        self.shared.frames_left = MAX_FRAMES_PER_TURN;
        let mut due = Vec::new();
        // Taken out first, so that what asks for another turn waits for it.
        while due.len() < MAX_DEADLINES_PER_TURN
            && let Some(timer) = self.shared.timers.expired(env.cx.now)
        {
            due.push(timer);
        }
        for timer in due {
            self.on_timer(env, timer);
        }
    }

    fn on_timer(&mut self, env: &mut Env<'_, '_>, timer: Timer) {
        let local = match timer {
            Timer::Expire => return self.expire(env),
            Timer::Forget(local) => return self.forget_more(env.cx, local),
            Timer::Idle(local) => return self.leave_memory(env.cx, local),
            Timer::Work(local)
            | Timer::Receipt(local)
            | Timer::Promise(local)
            | Timer::Parked(local)
            | Timer::Patience(local)
            | Timer::Answer(local, _)
            | Timer::Again(local, _)
            | Timer::Retry(local) => local,
        };
        let Ok((topic, shared)) = self.get(env.cx, local) else {
            return;
        };
        match timer {
            Timer::Receipt(_) | Timer::Promise(_) => topic.issue(shared, env),
            Timer::Parked(_) => topic.ask_for_past(shared, env),
            Timer::Patience(_) => topic.waiting.look_again(),
            Timer::Answer(_, link) => topic.on_silence(shared, env, link),
            Timer::Again(_, link) => topic.on_again(link),
            Timer::Retry(_) => topic.on_retry(shared, env),
            Timer::Work(_) | Timer::Expire | Timer::Forget(_) | Timer::Idle(_) => {}
        }
        topic.work(shared, env);
    }

    fn leave_memory(&mut self, cx: &mut Cx<'_>, local: Local) {
        let Some(entry) = self.entries.get_mut(&local) else {
            return;
        };
        let idle = entry.topic.as_ref().is_some_and(|topic| {
            topic.peers.is_empty() && topic.lace.parked().next().is_none() && !topic.stale
        });
        let timers = &self.shared.timers;
        let due = [
            Timer::Work(local),
            Timer::Receipt(local),
            Timer::Patience(local),
        ];
        if idle && due.iter().all(|timer| timers.get(*timer).is_none()) {
            if let Some(topic) = entry.topic.take() {
                entry.keeps_until = topic.keeps_until(cx);
            }
        } else if entry.topic.is_some() {
            self.shared.soon(Timer::Idle(local), cx.now, IDLE_PATIENCE);
        }
    }

    /// Removes what has expired, a bounded piece of one topic after another.
    fn expire(&mut self, env: &mut Env<'_, '_>) {
        if !self.shared.clock_confirmed {
            return;
        }
        let wall = env.cx.wall.as_millis();
        let from = self.sweep_from.take().unwrap_or(0);
        let over = self
            .entries
            .range(from..)
            .filter(|(_, entry)| entry.topic.is_some() || entry.keeps_until <= wall)
            .map(|(local, _)| *local);
        let due: Vec<Local> = over.take(MAX_SWEPT_PER_TURN.saturating_add(1)).collect();
        let mut left = MAX_EXPIRE_PER_TURN;
        for (place, local) in due.iter().enumerate() {
            if left == 0 || place == MAX_SWEPT_PER_TURN {
                self.sweep_from = Some(*local);
                break;
            }
            left = left.saturating_sub(self.expire_topic(env, *local, left));
            if left == 0 {
                // It may have more.
                self.sweep_from = Some(*local);
                break;
            }
        }
        let wait = if self.sweep_from.is_some() {
            Duration::ZERO
        } else {
            EXPIRE_INTERVAL
        };
        self.shared
            .timers
            .set(Timer::Expire, env.cx.now.after(wait));
    }

    fn expire_topic(&mut self, env: &mut Env<'_, '_>, local: Local, limit: usize) -> usize {
        let wall = env.cx.wall.as_millis();
        let keeps = self
            .entries
            .get(&local)
            .map_or(u64::MAX, |entry| entry.keeps_until);
        let Ok((topic, shared)) = self.get_for_sweep(env.cx, local) else {
            return 0;
        };
        topic.sweep_boxes(shared, env.cx);
        let freed = topic.lace.expire(&mut env.cx.store, wall, limit);
        for body in freed.iter().filter(|body| body.bytes > 0) {
            env.host.freed(env.cx, local, &body.author, body.bytes);
        }
        if !freed.is_empty() {
            topic.waiting.look_again();
            shared.work(local, env.cx.now);
        }
        let keeps_until = topic.keeps_until(env.cx);
        if let Some(entry) = self.entries.get_mut(&local) {
            entry.keeps_until = keeps_until;
            if keeps <= wall
                && entry
                    .topic
                    .as_ref()
                    .is_some_and(|topic| topic.peers.is_empty())
            {
                self.shared
                    .soon(Timer::Idle(local), env.cx.now, IDLE_PATIENCE);
            }
        }
        freed.len()
    }

    /// When [`Topics::on_deadline`] is wanted next. A time that has passed asks for another turn at
    /// once.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.shared.timers.next()
    }

    /// Writes, seals, signs, admits and pushes one envelope of this home.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn publish(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        draft: Draft,
    ) -> Result<Published, PublishError> {
        self.shared.frames_left = MAX_FRAMES_PER_TURN;
        let (topic, shared) = self.get(env.cx, topic)?;
        let published = topic.publish(shared, env, draft)?;
        topic.work(shared, env);
        Ok(published)
    }

    /// Reads lines, at most `limit` and [`crate::limits::MAX_READ`].
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        from: ReadFrom,
        limit: usize,
    ) -> Result<Page, ReadError> {
        let (topic, _) = self.get(env.cx, topic)?;
        topic.read(env, from, limit)
    }

    /// The application has dealt with all lines up to `n`. Durable when this turn's outputs are
    /// released; never goes back.
    ///
    /// # Errors
    /// [`Unknown`].
    pub fn confirm(&mut self, cx: &mut Cx<'_>, topic: Local, n: u64) -> Result<(), Unknown> {
        let (topic, _) = self.get(cx, topic)?;
        let n = n.min(topic.row.next_line.saturating_sub(1));
        if n > topic.row.confirmed {
            topic.row.confirmed = n;
            topic.save(cx);
        }
        Ok(())
    }

    /// Where an envelope stands; nothing when it is not one of this topic.
    ///
    /// # Errors
    /// [`Unknown`].
    pub fn states(
        &mut self,
        env: &mut Env<'_, '_>,
        topic: Local,
        id: &EnvelopeId,
    ) -> Result<Option<States>, Unknown> {
        let (topic, _) = self.get(env.cx, topic)?;
        Ok(topic.states(env, id))
    }

    /// A topic at a glance.
    ///
    /// # Errors
    /// [`Unknown`].
    pub fn summary(&mut self, cx: &mut Cx<'_>, topic: Local) -> Result<Summary, Unknown> {
        let (topic, _) = self.get(cx, topic)?;
        Ok(Summary {
            id: topic.id,
            role: topic.row.role,
            phase: topic.row.phase,
            last_line: topic.row.next_line.saturating_sub(1),
            confirmed: topic.row.confirmed,
            envelopes: topic.lace.totals().envelopes,
            waiting: topic.waiting.len(),
            parked: topic.lace.parked_load().0,
            links: topic.peers.len(),
            members: topic.members(cx).len(),
            title: topic.title(cx),
        })
    }

    /// The name that a device of the topic gave itself.
    pub fn name(&mut self, cx: &mut Cx<'_>, topic: Local, device: &PublicKey) -> Option<String> {
        let (topic, _) = self.get(cx, topic).ok()?;
        topic.name(cx, device)
    }

    /// The devices that take part in a topic now, with the names that they gave themselves.
    pub fn members(
        &mut self,
        cx: &mut Cx<'_>,
        topic: Local,
    ) -> Result<Vec<(PublicKey, Option<String>)>, Unknown> {
        let (topic, _) = self.get(cx, topic)?;
        let devices = topic.members(cx);
        Ok(devices
            .into_iter()
            .map(|device| (device, topic.name(cx, &device)))
            .collect())
    }

    /// Who is there in a topic: the links that have proved it, and what is known to be at the other
    /// end.
    #[must_use]
    pub fn peers(&self, topic: Local) -> Vec<(LinkId, Peer)> {
        let topic = self
            .entries
            .get(&topic)
            .and_then(|entry| entry.topic.as_ref());
        let peers = topic.into_iter().flat_map(|topic| &topic.peers);
        peers.map(|(link, peer)| (*link, peer.who)).collect()
    }

    /// Says to the others that this device leaves (if it can write), and stops taking part. What is
    /// here stays readable and is still served.
    ///
    /// # Errors
    /// See [`PublishError`].
    pub fn leave(&mut self, env: &mut Env<'_, '_>, topic: Local) -> Result<(), PublishError> {
        self.shared.frames_left = MAX_FRAMES_PER_TURN;
        let local = topic;
        let (topic, shared) = self.get(env.cx, topic)?;
        if topic.row.phase != Phase::Active {
            return Ok(());
        }
        if topic.can_write(env.host.author(local)) {
            let payload = Payload::Items(vec![Item::Leave]);
            let draft = Draft {
                payload,
                lifespan: None,
                answers: Vec::new(),
            };
            topic.publish(shared, env, draft)?;
        }
        topic.row.phase = Phase::Left;
        topic.save(env.cx);
        topic.work(shared, env);
        if let Some(entry) = self.entries.get_mut(&local) {
            entry.phase = Phase::Left;
        }
        Ok(())
    }

    /// Removes everything about a topic, a bounded piece at a time. The topic is unknown from now
    /// on; its local number must not be given out again before [`Topics::is_forgotten`].
    ///
    /// # Errors
    /// [`Unknown`].
    pub fn forget(&mut self, cx: &mut Cx<'_>, topic: Local) -> Result<(), Unknown> {
        let local = topic;
        let (topic, shared) = self.get(cx, topic)?;
        topic.row.phase = Phase::Forgetting;
        topic.save(cx);
        for link in topic.peers.keys() {
            if let Some(link) = shared.links.get_mut(link) {
                link.topics.remove(&local);
                link.blocked.remove(&local);
            }
        }
        let boxes: Vec<[u8; 32]> = topic.boxes.keys().copied().collect();
        for loc in boxes {
            topic.remove_box(cx, &loc);
        }
        shared.timers.set(Timer::Forget(local), cx.now);
        if let Some(entry) = self.entries.get_mut(&local) {
            entry.phase = Phase::Forgetting;
            entry.topic = None;
            self.by_id.remove(&entry.id);
        }
        Ok(())
    }

    fn forget_more(&mut self, cx: &mut Cx<'_>, local: Local) {
        let mut left = MAX_FORGET_PER_TURN;
        for table in rows::BY_TOPIC {
            for (key, _) in cx.store.prefix(table, &rows::key(local), left) {
                cx.store.delete(table, key);
                left = left.saturating_sub(1);
            }
            if left == 0 {
                break;
            }
        }
        if left == 0 || !Lace::forget(&mut cx.store, local, left) {
            self.shared.timers.set(Timer::Forget(local), cx.now);
            return;
        }
        cx.store.delete(rows::TOPIC, rows::key(local));
        self.entries.remove(&local);
    }

    /// Whether nothing of a topic is left.
    #[must_use]
    pub fn is_forgotten(&self, topic: Local) -> bool {
        !self.entries.contains_key(&topic)
    }

    /// Puts an invite box, to be kept by every member; a time that has passed removes it here.
    ///
    /// # Errors
    /// [`Unknown`].
    pub fn put_box(
        &mut self,
        env: &mut Env<'_, '_>,
        loc: [u8; 32],
        invite: InviteBox,
    ) -> Result<(), Unknown> {
        self.shared.frames_left = MAX_FRAMES_PER_TURN;
        let (topic, shared) = self.get(env.cx, invite.topic)?;
        topic.take_box(shared, env, None, (loc, invite));
        topic.work(shared, env);
        Ok(())
    }

    /// The invite box with this locator, in whichever topic.
    pub fn find_box(&mut self, cx: &mut Cx<'_>, loc: &[u8; 32]) -> Option<InviteBox> {
        cx.store
            .get(rows::BOX, loc)
            .and_then(|row| crate::boxes::decode(&row))
    }

    /// The topics that are here and not being forgotten.
    pub fn list(&self) -> impl Iterator<Item = (Local, TopicId, Role, Phase)> + '_ {
        let here = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.phase != Phase::Forgetting);
        here.map(|(local, entry)| (*local, entry.id, entry.role, entry.phase))
    }

    /// The local number of a topic.
    #[must_use]
    pub fn local(&self, id: &TopicId) -> Option<Local> {
        self.by_id.get(id).copied()
    }

    /// Bytes of a link that are out for checking. The node stops reading from a link while this is
    /// more than it wants to keep in memory for it.
    #[must_use]
    pub fn checking(&self, link: LinkId) -> usize {
        self.shared.links.get(&link).map_or(0, |link| link.checking)
    }
}

impl Topic {
    /// Before which time (milliseconds since 1970) nothing here expires.
    fn keeps_until(&self, cx: &mut Cx<'_>) -> u64 {
        let body = self.lace.next_expiry(&mut cx.store);
        let sealed = self.boxes.values().map(|(until, _)| *until).min();
        body.into_iter().chain(sealed).min().unwrap_or(u64::MAX)
    }

    fn on_frame(
        &mut self,
        shared: &mut Shared,
        env: &mut Env<'_, '_>,
        link: LinkId,
        frame: TopicFrame,
    ) {
        match frame {
            TopicFrame::Hello {
                cut,
                evidence,
                receipts,
                invites,
            } => {
                self.on_hello(
                    env.cx.now,
                    link,
                    Hashes {
                        cut,
                        evidence,
                        receipts,
                        invites,
                    },
                );
            }
            TopicFrame::Cut {
                entries,
                first,
                last,
            } => {
                self.on_cut(env, link, &entries, (first, last));
            }
            TopicFrame::Want {
                ranges,
                control_only,
            } => self.on_want(link, &ranges, control_only),
            TopicFrame::Envelopes { envelopes, last } => {
                self.on_envelopes(shared, env, link, (envelopes, last));
            }
            TopicFrame::BodyWant { ids } => self.on_body_want(link, &ids),
            TopicFrame::Bodies { bodies } => self.on_bodies(shared, env, link, bodies),
            TopicFrame::Receipts { receipts } => self.on_receipts(shared, env, link, receipts),
            TopicFrame::Evidence { pairs } => self.on_evidence(shared, env, link, pairs),
            TopicFrame::Box { loc, sealed, until } => {
                self.on_box(shared, env, link, (loc, sealed, until));
            }
            TopicFrame::GenesisAsk => {
                let bytes = self.lace.genesis().encode();
                self.say(shared, env, link, TopicFrame::Genesis { bytes });
            }
            // Nobody asks for what it has.
            TopicFrame::Genesis { .. } => {}
            TopicFrame::Refused {
                author,
                number,
                code,
                text,
                retry,
            } => {
                let node = self.peers.get(&link).map(|peer| peer.who);
                let refused = RefusedRow {
                    number,
                    code: code.0,
                    retry,
                    at: env.cx.wall.as_millis(),
                    author: author.to_bytes(),
                    node: matches!(node, Some(Peer::Core { .. })),
                    text,
                };
                self.on_refused(shared, env, link, refused);
            }
        }
    }

    /// Delivers, and sends what is due, as far as one turn goes.
    fn work(&mut self, shared: &mut Shared, env: &mut Env<'_, '_>) {
        let mut more = self.deliver(shared, env);
        let links: Vec<LinkId> = self.peers.keys().copied().collect();
        for link in links {
            more |= self.pump(shared, env, link);
        }
        if more {
            shared.work(self.local, env.cx.now);
        } else {
            shared.timers.clear(Timer::Work(self.local));
        }
        if std::mem::take(&mut self.new_lines) {
            let last = self.row.next_line.saturating_sub(1);
            env.out.push(Output::Changed {
                topic: self.local,
                last,
            });
        }
        if std::mem::take(&mut self.new_receipts) {
            env.out.push(Output::Receipts { topic: self.local });
        }
    }
}
