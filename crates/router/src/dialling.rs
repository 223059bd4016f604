//! Dialling whoever is to be kept: addresses one after another, what fails again later.

use identity::NodeId;
use machine::{Cx, Outbox};

use crate::event::Output;
use crate::limits::{BACKOFF_FIRST, DIAL_PATIENCE, DIAL_STAGGER};
use crate::meeting::is_told;
use crate::router::{Router, Timer};
use crate::targets::{Cores, Phase};

impl Router {
    /// The next step of dialling a node.
    pub(crate) fn dial(&mut self, cx: &mut Cx<'_>, node: NodeId, out: &mut Outbox<Output>) {
        let cores = self.cores();
        if let Some(at) = self.targets.put_off(&node, cx.now, cores) {
            // That this network holds no such member says nothing about others.
            self.want_meeting(cx, &node, out);
            return self.timers.set(Timer::Dial(node), at);
        }
        if self.targets.queue(&node, cores) {
            return;
        }
        let at = self.dialled_at(cx, &node);
        let room = self.targets.has_room_for_address();
        let Some(target) = self.targets.get_mut(&node) else {
            return;
        };
        match &mut target.phase {
            Phase::Linked => {}
            Phase::Waiting(_) | Phase::Queued => {
                let rest = match at {
                    Ok(at) => at,
                    Err(why) => {
                        target.phase = Phase::Waiting(None);
                        // If it is told again, the node is dialled again.
                        target.last_error = why.to_string();
                        self.want_advert(cx, node, out);
                        self.give_up_best_effort(&node, cx.now);
                        self.sync_mail_targets(cx, out);
                        return;
                    }
                };
                let tokens = std::collections::BTreeMap::new();
                target.phase = Phase::Dialling {
                    since: cx.now,
                    tokens,
                    rest,
                };
                self.dial_next(cx, node, out);
            }
            Phase::Dialling {
                since,
                rest,
                tokens,
            } => {
                if !rest.is_empty() && !room {
                    let at = cx.now.after(BACKOFF_FIRST);
                    self.timers.set(Timer::Dial(node), at);
                } else if !rest.is_empty() {
                    self.dial_next(cx, node, out);
                } else if cx.now.since(*since) >= DIAL_PATIENCE {
                    for token in core::mem::take(tokens).into_keys() {
                        self.targets.done(token);
                    }
                    self.dial_gave_up(cx, node, "no answer in time".to_owned(), out);
                }
            }
        }
    }

    pub(crate) fn dial_next(&mut self, cx: &mut Cx<'_>, node: NodeId, out: &mut Outbox<Output>) {
        let token = self.targets.token(node);
        let Some(target) = self.targets.get_mut(&node) else {
            return;
        };
        let Phase::Dialling {
            since,
            tokens,
            rest,
        } = &mut target.phase
        else {
            return;
        };
        let Some(address) = rest.pop_front() else {
            return;
        };
        tokens.insert(token, address.clone());
        let next = if rest.is_empty() {
            since.after(DIAL_PATIENCE)
        } else {
            cx.now.after(DIAL_STAGGER)
        };
        out.push(Output::Dial {
            token,
            node,
            address,
        });
        self.timers.set(Timer::Dial(node), next);
    }

    pub(crate) fn dial_failed(
        &mut self,
        cx: &mut Cx<'_>,
        token: u64,
        reason: String,
        out: &mut Outbox<Output>,
    ) {
        let Some(node) = self.targets.done(token) else {
            return;
        };
        let Some(target) = self.targets.get_mut(&node) else {
            return;
        };
        let Phase::Dialling { tokens, rest, .. } = &mut target.phase else {
            return;
        };
        tokens.remove(&token);
        if !rest.is_empty() {
            self.dial_next(cx, node, out);
        } else if tokens.is_empty() {
            self.dial_gave_up(cx, node, reason, out);
        }
    }

    fn dial_gave_up(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        reason: String,
        out: &mut Outbox<Output>,
    ) {
        let alone = self.targets.get_mut(&node).and_then(|target| {
            let next = target.meeting.came_to_nothing()?;
            target.phase = Phase::Waiting(next);
            Some(next)
        });
        if let Some(next) = alone {
            // That a rendezvous came to nothing says nothing about where else the node is.
            if let Some(next) = next {
                self.timers.set(Timer::Dial(node), next);
            }
            return self.sync_mail_targets(cx, out);
        }
        let pace = self.pace(&node);
        self.targets.note_dial(&node, false);
        if let Some(target) = self.targets.get_mut(&node) {
            let at = target.failed((cx.now, cx.rng), reason, pace);
            self.timers.set(Timer::Dial(node), at);
        }
        self.want_meeting(cx, &node, out);
        self.sync_mail_targets(cx, out);
    }

    /// How this node stands with the core nodes that are its own or hold one of its topics.
    pub(crate) fn cores(&self) -> Cores {
        if self.open.keys().any(|node| self.targets.is_core(node)) {
            Cores::Linked
        } else if self.targets.has_core() {
            Cores::Away
        } else {
            Cores::None
        }
    }

    /// The last core node is gone, or this node is elsewhere: members are looked for directly.
    pub(crate) fn urge_shortcuts(&mut self) {
        for node in self.targets.urge_shortcuts() {
            self.timers.clear(Timer::Dial(node));
        }
    }

    /// Dials those that wait for others to be done, as far as there is room.
    pub(crate) fn dial_queued(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) {
        while self.targets.has_queued()
            && let Some(node) = self.targets.next_queued(self.cores())
        {
            self.dial(cx, node, out);
        }
    }

    /// A dial has become a link.
    pub(crate) fn dial_answered(
        &mut self,
        cx: &mut Cx<'_>,
        node: NodeId,
        token: u64,
        address: &str,
        out: &mut Outbox<Output>,
    ) {
        self.targets.done(token);
        let Some(target) = self.targets.get_mut(&node) else {
            return;
        };
        if let Phase::Dialling { tokens, rest, .. } = &mut target.phase {
            // Other addresses need no longer be tried; this one is tried first next time, unless it was
            // good for this time alone.
            let at = tokens.remove(&token).unwrap_or_else(|| address.to_owned());
            if !is_told(&at) {
                target.last_good = Some(at);
            }
            target.meeting.linked();
            rest.clear();
            target.phase = Phase::Linked;
            self.timers.clear(Timer::Dial(node));
            self.targets.note_dial(&node, true);
        }
        self.sync_mail_targets(cx, out);
    }
}
