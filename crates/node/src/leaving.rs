//! Core nodes that are being left: each holds what it holds until another is known, by its receipts, to hold as
//! much.

use crate::limits::{HAND_OVER_AGAIN, MAX_HANDED_OVER_PER_TURN, SETTLED};
use crate::node::{Inner, Turn};
use crate::timer::Timer;
use custody::{CoreStanding, MyCores};
use identity::{NodeId, TopicId};

impl Inner {
    /// Which of this node's core nodes are not believed, and which are being left, from what is kept. Says whether
    /// they are others than before.
    pub(crate) fn look_at_cores(&mut self, turn: &mut Turn<'_, '_>) -> bool {
        let cores = self.mine.cores(turn.cx).into_iter();
        let broken = cores
            .filter(|core| MyCores::is_broken(turn.cx, core))
            .collect();
        let leaving = self.mine.leaving(turn.cx).into_iter().collect();
        let changed = self.host.broken != broken || self.leaving != leaving;
        (self.host.broken, self.leaving) = (broken, leaving);
        self.hand_over_soon(turn);
        self.audit_later(turn);
        changed
    }

    /// A core node is being left, or is not any more, or is not believed.
    pub(crate) fn leaving_changed(&mut self, turn: &mut Turn<'_, '_>) {
        let changed = self.look_at_cores(turn);
        self.tell_router_cores(turn);
        if !changed {
            return;
        }
        let topics: Vec<u32> = self.host.keys.topics().map(|(local, _)| local).collect();
        for local in topics {
            self.name_core_peers(turn, local);
        }
        self.tell_soon(turn);
    }

    /// Core nodes that could take over what another one holds.
    fn heirs(&self, turn: &mut Turn<'_, '_>) -> Vec<NodeId> {
        let cores = self.mine.list(turn.cx).into_iter();
        let cores = cores.filter(|core| {
            core.standing == CoreStanding::Agreed && core.broken.is_none() && core.linked
        });
        cores.map(|core| core.core).collect()
    }

    /// Whether the link with a core node has been up for so long that its newest receipts are here.
    fn is_settled(&self, turn: &Turn<'_, '_>, core: &NodeId) -> bool {
        let up = self.auditing.up.get(core);
        up.is_some_and(|up| up.after(SETTLED) <= turn.cx.now)
    }

    /// The link with a node has come up, or gone.
    pub(crate) fn core_link(&mut self, turn: &mut Turn<'_, '_>, node: &NodeId, up: bool) {
        if up && self.mine.uses(turn.cx, node) {
            self.auditing.up.entry(*node).or_insert(turn.cx.now);
        } else if !up {
            self.auditing.up.remove(node);
        }
    }

    /// Whether another core node could take over what this one holds.
    pub(crate) fn has_other_core(&self, turn: &mut Turn<'_, '_>, core: &NodeId) -> bool {
        self.heirs(turn).iter().any(|heir| heir != core)
    }

    /// Receipts have come: perhaps something can be released.
    pub(crate) fn look_at_left(&mut self, turn: &Turn<'_, '_>) {
        if !self.leaving.is_empty() {
            let at = turn.cx.now.after(HAND_OVER_AGAIN);
            self.timers.set_earlier(Timer::HandOver, at);
        }
    }

    fn hand_over_soon(&mut self, turn: &mut Turn<'_, '_>) {
        if !self.mine.to_hand_over(turn.cx).is_empty() {
            let at = turn.cx.now.after(HAND_OVER_AGAIN);
            self.timers.set_earlier(Timer::HandOver, at);
        }
    }

    /// What another core node holds as well, a core node that is being left need not hold for this node.
    pub(crate) fn release_left(&mut self, turn: &mut Turn<'_, '_>) {
        if self.leaving.is_empty() {
            return;
        }
        let heirs = self.heirs(turn);
        let mut pending = self.mine.to_hand_over(turn.cx);
        let count = pending.len();
        let first = turn.cx.rng.below(count.max(1) as u64) as usize;
        // Of many some are looked at in each turn, others in the next.
        pending.rotate_left(first.min(count));
        for (core, topic) in pending.into_iter().take(MAX_HANDED_OVER_PER_TURN) {
            if self.is_held_elsewhere(turn, (&core, &topic), &heirs) {
                self.mine.handed_over(turn.cx, core, topic, &mut turn.mine);
                self.tell_soon(turn);
            }
        }
        self.hand_over_soon(turn);
    }

    fn is_held_elsewhere(
        &mut self,
        turn: &mut Turn<'_, '_>,
        (core, topic): (&NodeId, &TopicId),
        heirs: &[NodeId],
    ) -> bool {
        let Some(local) = self.host.keys.local(topic) else {
            // It is not in this home any more, or its keys are not.
            return !self.mine.wants(turn.cx, topic);
        };
        if !self.is_settled(turn, core) {
            return false;
        }
        let serving = self.mine.serving(turn.cx, topic);
        let heirs = heirs.iter().filter(|heir| serving.contains(heir));
        let heirs = heirs.filter(|heir| *heir != core && self.is_settled(turn, heir));
        let heirs: Vec<NodeId> = heirs.copied().collect();
        heirs.iter().any(|heir| {
            let short = self.with_topics(turn, |topics, env| {
                topics.held_short(env, local, (core, heir))
            });
            short == Some(0)
        })
    }
}
