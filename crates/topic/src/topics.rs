//! All topics of a node.

use crate::draft::Unknown;
use crate::event::{Input, LinkId, Output, Peer};
use crate::host::{Host, Local};
use crate::limits::{BODY_PATIENCE, IDLE_PATIENCE, MAX_FRAMES_PER_TURN, RESERVE};
use crate::peer::PeerState;
use crate::rows::{self, Phase, Role, TopicRow};
use crate::state::{Shared, Timer, Topic};
use identity::TopicId;
use lace::{FoundersPolicy, Lace};
use machine::{Cx, Outbox, Time};
use std::collections::BTreeMap;
use wire::{Genesis, TopicFrame};

/// What a turn gives to topics.
pub struct Env<'a, 'c> {
    /// Time, store, randomness.
    pub cx: &'a mut Cx<'c>,
    /// Keys and quotas.
    pub host: &'a mut dyn Host,
    /// Takes what comes out.
    pub out: &'a mut Outbox<Output>,
}

/// A topic that is here, in memory or not.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: TopicId,
    pub(crate) role: Role,
    pub(crate) phase: Phase,
    /// Nothing expires before this time (milliseconds since 1970), as far as is known.
    pub(crate) keeps_until: u64,
    pub(crate) topic: Option<Box<Topic>>,
}

/// All topics of a node.
#[derive(Debug)]
pub struct Topics {
    pub(crate) entries: BTreeMap<Local, Entry>,
    pub(crate) by_id: BTreeMap<TopicId, Local>,
    pub(crate) shared: Shared,
    /// Where looking for what has expired goes on.
    pub(crate) sweep_from: Option<Local>,
    /// The rules of all topics.
    law: &'static dyn lace::Policy,
}

impl Topics {
    /// Reads which topics there are; opens none.
    pub fn open(cx: &mut Cx<'_>) -> Self {
        let mut topics = Self {
            entries: BTreeMap::new(),
            by_id: BTreeMap::new(),
            shared: Shared::default(),
            sweep_from: None,
            law: &FoundersPolicy,
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

    /// Puts all topics under these rules; without this they are under
    /// [`FoundersPolicy`](lace::FoundersPolicy). A store must always have the same.
    #[must_use]
    pub fn ruled_by(mut self, law: &'static dyn lace::Policy) -> Self {
        self.law = law;
        self
    }

    /// Begins a topic, its own or one it was invited to or serves. Nothing happens when it is here.
    pub fn create(&mut self, cx: &mut Cx<'_>, local: Local, genesis: &Genesis, role: Role) {
        if self.entries.contains_key(&local) {
            return;
        }
        let lace = Lace::create(&mut cx.store, local, genesis).ruled_by(self.law);
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
    pub(crate) fn get_for_sweep(
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

    pub(crate) fn get(
        &mut self,
        cx: &mut Cx<'_>,
        local: Local,
    ) -> Result<(&mut Topic, &mut Shared), Unknown> {
        let entry = self.entries.get_mut(&local).ok_or(Unknown)?;
        if entry.phase == Phase::Forgetting {
            return Err(Unknown);
        }
        if entry.topic.is_none() {
            let row = cx.store.get(rows::TOPIC, &rows::key(local));
            let row = row.and_then(|row| TopicRow::decode(&row)).ok_or(Unknown)?;
            let topic = Topic::load(cx, local, row, self.law).ok_or(Unknown)?;
            // What was due when the last life ended is due again.
            self.shared.work(local, cx.now);
            self.shared
                .timers
                .set_earlier(Timer::Receipt(local), cx.now);
            entry.topic = Some(Box::new(topic));
        }
        let topic = entry.topic.as_mut().ok_or(Unknown)?;
        if topic.peers.is_empty() {
            let at = cx.now.after(IDLE_PATIENCE);
            self.shared.timers.set(Timer::Idle(local), at);
        }
        Ok((topic, &mut self.shared))
    }

    /// Takes one input.
    pub fn handle(&mut self, env: &mut Env<'_, '_>, input: Input) {
        self.shared.frames_left = MAX_FRAMES_PER_TURN;
        match input {
            Input::Proven { link, topic, peer } => self.on_proven(env, link, topic, peer),
            Input::LinkGone { link } => self.on_link_gone(env, link),
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
        topic.drop_peer(shared, link);
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
                topic.drop_peer(shared, link);
                if topic.peers.is_empty() {
                    shared.soon(Timer::Idle(local), env.cx.now, IDLE_PATIENCE);
                }
                topic.work(shared, env);
            }
        }
    }

    fn on_writable(&mut self, env: &mut Env<'_, '_>, link: LinkId, bytes: u64) {
        let state = self.shared.links.entry(link).or_default();
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let window = *state.window.get_or_insert(bytes);
        state.credit = state.credit.saturating_add(bytes).min(window);
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

    /// When [`Topics::on_deadline`] is wanted next. A time that has passed asks for another turn at
    /// once.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.shared.timers.next()
    }

    /// What [`Topics::deadline`] is for, in a word of this crate: for those who measure.
    #[must_use]
    pub fn awaits(&self) -> Option<(Time, String)> {
        let (at, timer) = self.shared.timers.first()?;
        Some((at, format!("{timer:?}")))
    }
}
