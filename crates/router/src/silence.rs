//! Whether a link lives, how long its round trip is, and whether anybody needs it.

use identity::NodeId;
use machine::{Cx, Outbox, Time};
use wire::{Code, Frame};

use crate::event::{LinkId, Output};
use crate::limits::{PARTING_TIME, PING_PATIENCE, PINGS, UNNEEDED_TIME};
use crate::router::{Router, Timer};

impl Router {
    pub(crate) fn ping(&mut self, cx: &mut Cx<'_>, id: LinkId, out: &mut Outbox<Output>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let nonce = cx.rng.next_u64();
        link.ping = Some((nonce, cx.now));
        out.push(Output::Advise {
            link: id,
            frame: Frame::Ping { nonce },
        });
        self.timers
            .set(Timer::Ping(id), cx.now.after(PING_PATIENCE));
    }

    pub(crate) fn pong(&mut self, cx: &mut Cx<'_>, id: LinkId, nonce: u64) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let Some((asked, sent)) = link.ping else {
            return;
        };
        if asked != nonce {
            return;
        }
        link.ping = None;
        link.round_trip = Some(cx.now.since(sent));
        let silence = link.patience();
        link.calm();
        let at = cx.now.after(silence).min(self.unneeded_at(id));
        self.timers.set(Timer::Ping(id), at);
    }

    /// When a link that nobody needs has been unused for too long.
    fn unneeded_at(&self, id: LinkId) -> Time {
        let link = self.links.get(&id);
        link.filter(|link| link.dialled && !self.targets.has(&link.node))
            .map_or(Time::from_micros(u64::MAX), |link| {
                link.used.after(UNNEEDED_TIME)
            })
    }

    /// A reason to keep a node is gone: its link may be unneeded from now on.
    pub(crate) fn look_at_need(&mut self, now: Time, node: &NodeId) {
        if let Some(id) = self.open.get(node).copied() {
            let at = if self.may_be_dialled_by(node) {
                self.unneeded_at(id)
            } else {
                now.after(PARTING_TIME)
            };
            if self
                .timers
                .get(Timer::Ping(id))
                .is_some_and(|armed| armed > at)
            {
                self.timers.set(Timer::Ping(id), at);
            }
        }
    }

    /// The link may have been silent for too long, or nobody may need it any more.
    pub(crate) fn look_at_silence(
        &mut self,
        cx: &mut Cx<'_>,
        id: LinkId,
        out: &mut Outbox<Output>,
    ) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let (node, dialled) = (link.node, link.dialled);
        if !self.may_be_dialled_by(&node) {
            let text = "no longer a core node of this node";
            self.close(cx, id, Code::CLOSING, text, out);
            return;
        }
        let unneeded = dialled && !self.targets.has(&node);
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if unneeded && cx.now.since(link.used) >= UNNEEDED_TIME {
            self.close(cx, id, Code::CLOSING, "the link is no longer needed", out);
            return;
        }
        let silence = cx.now.since(link.heard);
        match link.ping {
            Some((_, sent)) if link.heard <= sent => {
                link.unanswered = link.unanswered.saturating_add(1);
                if link.unanswered >= PINGS {
                    self.close(cx, id, Code::CLOSING, "no answer to pings", out);
                } else {
                    self.ping(cx, id, out);
                }
            }
            _ if silence >= link.patience() => self.ping(cx, id, out),
            _ => {
                let at = link.heard.after(link.patience()).min(self.unneeded_at(id));
                self.timers.set(Timer::Ping(id), at);
            }
        }
    }
}
