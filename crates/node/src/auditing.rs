//! Core nodes are asked, from time to time, for something that they say they hold.

use crate::io::LinkId;
use crate::limits::{AUDIT_EVERY, AUDIT_MEMORY, MAX_SILENCES, SETTLED, TOPICS_TRIED};
use crate::node::{Inner, Turn};
use crate::timer::Timer;
use block::swap::Swap;
use custody::CoreStanding;
use identity::{EnvelopeId, NodeId};
use machine::Time;
use std::collections::BTreeMap;
use std::time::Duration;
use topic::{Found, Topics};
use wire::Manifest;

/// What audits remember beside the store.
#[derive(Debug, Default)]
pub(crate) struct Auditing {
    /// How often a core node has kept silent, one time after another, and about what.
    silent: BTreeMap<(NodeId, Asked), u32>,
    /// When a core node last gave something else than a block that it says it holds, or nothing: once it may be its
    /// disk, which it mends.
    failed: BTreeMap<NodeId, Time>,
    /// Since when there is a link with a core node of this node.
    pub(crate) up: BTreeMap<NodeId, Time>,
}

/// What a core node is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Body,
    Block,
}

impl Inner {
    /// As long as this node uses core nodes they are asked.
    pub(crate) fn audit_later(&mut self, turn: &mut Turn<'_, '_>) {
        if self.timers.get(Timer::Audit).is_none() && !self.mine.cores(turn.cx).is_empty() {
            // When is not to be foreseen.
            let half = AUDIT_EVERY.as_millis() / 2;
            let half = u64::try_from(half).unwrap_or(u64::MAX);
            let wait = half.saturating_add(turn.cx.rng.below(half.saturating_mul(2).max(1)));
            let at = turn.cx.now.after(Duration::from_millis(wait));
            self.timers.set(Timer::Audit, at);
        }
    }

    /// One core node is asked for a message, in one topic, and one for a block of a file.
    pub(crate) fn audit(&mut self, turn: &mut Turn<'_, '_>) {
        let mut asked = Vec::new();
        for core in self.mine.list(turn.cx) {
            let agreed = matches!(core.standing, CoreStanding::Agreed | CoreStanding::Leaving);
            let asks = agreed && core.broken.is_none() && core.refusal.is_none();
            if let Some(link) = self.link_of(&core.core).filter(|_| asks) {
                asked.push((core.core, link));
            }
        }
        turn.cx.rng.shuffle(&mut asked);
        let mut topics: Vec<u32> = self.host.keys.topics().map(|(local, _)| local).collect();
        turn.cx.rng.shuffle(&mut topics);
        for what in [Asked::Body, Asked::Block] {
            let mut cores = asked.iter();
            cores.find(|(core, link)| {
                let held = self.held_by(turn, core, &topics);
                let mut held = held.into_iter().take(TOPICS_TRIED);
                held.any(|local| self.ask_core(turn, (*core, *link), (local, what)))
            });
        }
        self.audit_later(turn);
    }

    /// Those of these topics that a core node holds for this node.
    fn held_by(&self, turn: &mut Turn<'_, '_>, core: &NodeId, topics: &[u32]) -> Vec<u32> {
        let held = topics.iter().copied().filter(|local| {
            let id = self.host.keys.topic(*local).map(|keys| keys.id);
            id.is_some_and(|id| self.mine.serving(turn.cx, &id).contains(core))
        });
        held.collect()
    }

    /// Asks a core node for something of a topic; says whether there is something to ask for.
    fn ask_core(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (core, link): (NodeId, LinkId),
        (local, what): (u32, Asked),
    ) -> bool {
        if what == Asked::Body {
            let link = topic::LinkId(link.0);
            let drawn =
                self.with_topics(turn, |topics, env| topics.audit(env, local, (link, &core)));
            return drawn.is_some();
        }
        // What it has just said of a file that was taken back, or lost, is to be here.
        let up = self.auditing.up.get(&core);
        if up.is_none_or(|up| up.after(SETTLED) > turn.cx.now) {
            return false;
        }
        let drawn = self.with_swap(turn, |_, env| Swap::drawn(env, local));
        let held = self.with_topics(turn, |topics, env| {
            let must = |(_, id): &(Manifest, EnvelopeId)| topics.must_hold(env, local, (&core, id));
            drawn.into_iter().find(must)
        });
        let Some((manifest, id)) = held else {
            return false;
        };
        let link = block::swap::LinkId(link.0);
        self.with_swap(turn, |swap, env| {
            swap.challenge(env, (link, local), (&manifest, id))
        })
    }

    /// What a core node did that was asked for blocks.
    pub(crate) fn challenged(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (link, local): (LinkId, u32),
        (id, found): (EnvelopeId, block::swap::Found),
    ) {
        let Some(core) = self.links.get(&link).map(|state| state.node) else {
            return;
        };
        let found = match found {
            block::swap::Found::Kept => Found::Kept,
            block::swap::Found::Other => Found::Other,
            block::swap::Found::Silence => Found::Silence,
            block::swap::Found::Lacks => Found::Lacks,
        };
        let says = |topics: &mut Topics, env: &mut topic::Env<'_, '_>| {
            topics.must_hold(env, local, (&core, &id))
        };
        if !self.with_topics(turn, says) {
            // It has said so itself meanwhile, or need not hold it any more.
            return;
        }
        let at = topic::LinkId(link.0);
        if found == Found::Silence
            && !self.with_topics(turn, |topics, env| topics.is_heard(env, local, at))
        {
            return;
        }
        if matches!(found, Found::Lacks | Found::Other) {
            let before = self.auditing.failed.insert(core, turn.cx.now);
            if before.is_none_or(|at| at.after(AUDIT_MEMORY) < turn.cx.now) {
                return;
            }
        }
        self.judge(turn, (core, local), (id, found), Asked::Block);
    }

    /// What a core node did that was asked for a message.
    pub(crate) fn audited(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (link, local): (LinkId, u32),
        (id, found): (EnvelopeId, Found),
    ) {
        if let Some(core) = self.links.get(&link).map(|state| state.node) {
            self.judge(turn, (core, local), (id, found), Asked::Body);
        }
    }

    fn judge(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (core, local): (NodeId, u32),
        (id, found): (EnvelopeId, Found),
        asked: Asked,
    ) {
        let key = (core, asked);
        let what = match found {
            Found::Kept => {
                self.auditing.silent.remove(&key);
                return;
            }
            Found::Silence => {
                let silent = self.auditing.silent.entry(key).or_default();
                *silent = silent.saturating_add(1);
                if *silent < MAX_SILENCES {
                    return;
                }
                "did not answer"
            }
            Found::Lacks => "said that it has not got it",
            Found::Other => "gave something else",
        };
        self.auditing.silent.remove(&key);
        let topic = self
            .host
            .keys
            .topic(local)
            .map(|keys| keys.row.name.clone());
        let topic = topic.unwrap_or_default();
        let of = match asked {
            Asked::Body => "message",
            Asked::Block => "a part of the file of message",
        };
        let why = format!("asked for {of} {id} of {topic}, which it says it holds, it {what}");
        self.core_broke(turn, &core, why);
    }

    /// A core node's word counts no more: whatever it holds is not counted, nobody is told to go there, and other
    /// core nodes hold what it should.
    pub(crate) fn core_broke(&mut self, turn: &mut Turn<'_, '_>, core: &NodeId, why: String) {
        if !self.mine.broke(turn.cx, core, why.clone()) {
            return;
        }
        let name = self.node_labels(turn).show(core);
        let text = format!("the core node {name} does not hold what it says: {why}");
        let hint = match self.has_other_core(turn, core) {
            true => {
                "others hold what it should; `way core leave` it, or `way core use` it again when its \
                     operator has mended it"
            }
            false => "no other core node holds anything: use one now (`way core use`)",
        };
        self.problems.note("core-broken", text, hint);
        self.leaving_changed(turn);
    }
}
