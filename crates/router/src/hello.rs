//! Links from their beginning to their end: hello, strangers, duplicates, silence.

use identity::NodeId;
use machine::{Cx, Outbox};
use wire::{Code, Frame};

use crate::event::{LinkId, Output, Problem};
use crate::limits::{
    DECIDE_TIME, HELLO_TIME, MAX_LINKS_PER_NODE, PING_FIRST, SIMULTANEOUS, VERSION_MAX, VERSION_MIN,
};
use crate::links::{Greeted, Link, Phase, Stays, Trust, stays};
use crate::router::{Router, Timer};
use crate::strangers::{spend, tells_strangers};
use crate::targets::{Cores, Ended};

impl Router {
    pub(crate) fn link_up(
        &mut self,
        cx: &mut Cx<'_>,
        id: LinkId,
        mut link: Link,
        out: &mut Outbox<Output>,
    ) {
        let node = link.node;
        if !link.dialled && !self.may_be_dialled_by(&node) {
            // Nothing is said on it, and nothing is remembered of it.
            out.push(Output::Close {
                link: id,
                code: Code::STRANGER,
                text: String::new(),
            });
            return;
        }
        if node == self.me {
            self.self_link(cx, id, link, out);
            return;
        }
        if self.targets.trusts(&node) {
            link.trust = Trust::Known;
        }
        let known = link.is_known();
        let same = |(_, l): &(&LinkId, &Link)| l.node == node && l.phase != Phase::Closing;
        let same: Vec<LinkId> = self.links.iter().filter(same).map(|(id, _)| *id).collect();
        if same.len() >= MAX_LINKS_PER_NODE
            && let Some(oldest) = same.first()
        {
            self.close(
                cx,
                *oldest,
                Code::DUPLICATE_LINK,
                "too many links of one node",
                out,
            );
        }
        self.links.insert(id, link);
        self.timers.set(Timer::Hello(id), cx.now.after(HELLO_TIME));
        self.say_hello(cx, id, out);
        if !known {
            self.met(cx, id, node, out);
        }
    }

    /// A link with our own id: either both ends of one link are here, or somebody else has our key.
    fn self_link(&mut self, cx: &mut Cx<'_>, id: LinkId, link: Link, out: &mut Outbox<Output>) {
        let exporter = link.exporter.clone();
        let twin = self
            .links
            .iter()
            .find(|(_, l)| l.node == self.me && l.exporter == exporter);
        let twin = twin.map(|(id, _)| *id);
        self.links.insert(id, link);
        if let Some(twin) = twin {
            self.close(cx, id, Code::CLOSING, "this is this node itself", out);
            self.close(cx, twin, Code::CLOSING, "this is this node itself", out);
            return;
        }
        self.timers.set(Timer::Hello(id), cx.now.after(HELLO_TIME));
        self.say_hello(cx, id, out);
    }

    fn say_hello(&self, cx: &Cx<'_>, id: LinkId, out: &mut Outbox<Output>) {
        let software: String = self.config.software.chars().take(32).collect();
        let hello = Frame::Hello {
            min: VERSION_MIN,
            max: VERSION_MAX,
            wall: cx.wall.as_millis().min(wire::limits::MAX_TIME_MS),
            advert: self.own.version,
            software,
        };
        out.push(Output::Send {
            link: id,
            frame: hello,
        });
    }

    /// Says goodbye and closes, without looking at anything else.
    pub(crate) fn say_bye(&self, id: LinkId, code: Code, text: &str, out: &mut Outbox<Output>) {
        let text = cut(text, wire::limits::MAX_TEXT);
        let bye = Frame::Bye {
            code,
            text: text.clone(),
        };
        out.push(Output::Advise {
            link: id,
            frame: bye,
        });
        out.push(Output::Close {
            link: id,
            code,
            text,
        });
    }

    /// Closes a link; whatever still comes on it is ignored.
    pub(crate) fn close(
        &mut self,
        cx: &mut Cx<'_>,
        id: LinkId,
        code: Code,
        text: &str,
        out: &mut Outbox<Output>,
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.phase == Phase::Closing {
            return;
        }
        let was_open = link.phase == Phase::Open;
        let node = link.node;
        let silent = node != self.me && tells_strangers(code) && !link.is_known();
        link.phase = Phase::Closing;
        link.sorry.clear();
        self.clear_timers(id);
        if silent {
            self.hurry_oldest(out);
            self.sorry_soon(cx, id);
        } else {
            self.say_bye(id, code, text, out);
        }
        if was_open {
            self.no_longer_open(cx, id, node, out);
        }
    }

    fn clear_timers(&mut self, id: LinkId) {
        self.timers.clear(Timer::Hello(id));
        self.timers.clear(Timer::Stranger(id));
        self.timers.clear(Timer::Ping(id));
        self.timers.clear(Timer::Sorry(id));
    }

    fn no_longer_open(
        &mut self,
        cx: &mut Cx<'_>,
        id: LinkId,
        node: NodeId,
        out: &mut Outbox<Output>,
    ) {
        self.open.remove(&node);
        out.push(Output::Closed { link: id, node });
        self.close_lanes(&node);
        let spare = self
            .links
            .iter()
            .find(|(_, l)| l.node == node && l.phase == Phase::Spare);
        if let Some(spare) = spare.map(|(id, _)| *id) {
            self.open_link(cx, spare, out);
        } else {
            if self.targets.is_core(&node) && self.cores() != Cores::Linked {
                self.urge_shortcuts();
            }
            self.sync_mail_targets(cx, out);
        }
    }

    pub(crate) fn link_down(
        &mut self,
        cx: &mut Cx<'_>,
        id: LinkId,
        reason: String,
        out: &mut Outbox<Output>,
    ) {
        let Some(link) = self.links.remove(&id) else {
            return;
        };
        self.clear_timers(id);
        if link.phase == Phase::Open {
            self.no_longer_open(cx, id, link.node, out);
        }
        let another = self
            .links
            .values()
            .any(|l| l.node == link.node && l.phase != Phase::Closing);
        if another {
            return;
        }
        let pace = self.pace(&link.node);
        if let Some(target) = self.targets.get_mut(&link.node) {
            let reason = if target.last_error.is_empty() || link.opened {
                reason
            } else {
                target.last_error.clone()
            };
            let at = if link.opened {
                let ended = Ended {
                    lasted: cx.now.since(link.up),
                    unwanted: link.unwanted,
                    reason,
                };
                target.lost((cx.now, cx.rng), ended)
            } else {
                target.failed((cx.now, cx.rng), reason, pace)
            };
            self.timers.set(Timer::Dial(link.node), at);
            self.sync_mail_targets(cx, out);
        }
    }

    /// Any frame.
    pub(crate) fn frame(
        &mut self,
        cx: &mut Cx<'_>,
        id: LinkId,
        frame: Frame,
        len: usize,
        out: &mut Outbox<Output>,
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        if link.phase == Phase::Closing {
            return;
        }
        link.heard = cx.now;
        link.unanswered = 0;
        if !spend(link, len) {
            let text = "more than a stranger may send";
            self.refused_by_us(cx, id, Code::STRANGER, text, out);
            return;
        }
        let (node, known, phase) = (link.node, link.is_known(), link.phase);
        match frame {
            Frame::Hello {
                min,
                max,
                wall,
                advert,
                software,
            } => {
                let greeted = Greeted {
                    at: cx.now,
                    wall_ms: wall,
                    advert,
                    version: 0,
                    software,
                };
                self.hello(cx, id, (min, max), greeted, out);
            }
            Frame::Bye { code, text } => self.bye(cx, id, code, &text, out),
            // A hello leaves after a commit and a ping at once, so a ping may overtake it.
            Frame::Ping { .. } | Frame::Pong { .. } if phase == Phase::Greeting => {}
            _ if phase == Phase::Greeting => {
                self.close(
                    cx,
                    id,
                    Code::MISBEHAVED,
                    "the first frame must be a hello",
                    out,
                );
            }
            Frame::Ping { nonce } => {
                if let Some(link) = self.links.get_mut(&id).filter(|link| !link.dialled) {
                    link.calm();
                }
                out.push(Output::Advise {
                    link: id,
                    frame: Frame::Pong { nonce },
                });
            }
            Frame::Pong { nonce } => self.pong(cx, id, nonce),
            other => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.used = cx.now;
                }
                match other {
                    Frame::Advert(raw) => self.advert_came(cx, id, raw, out),
                    Frame::AdvertAsk => self.show_advert(id, out),
                    Frame::Mail(raw) => self.mail_came(cx, id, raw, out),
                    Frame::MailReceipt(raw) => self.receipt_came(cx, id, raw, out),
                    Frame::Refused {
                        subject: wire::frame::Subject::Mail(mail),
                        code,
                        text,
                        retry,
                    } => {
                        let refusal = crate::MailRefusal {
                            id: mail,
                            code,
                            text,
                            retry_ms: retry,
                        };
                        self.mail_was_refused(cx, node, refusal, out);
                    }
                    frame => out.push(Output::Pass {
                        link: id,
                        node,
                        known,
                        frame,
                    }),
                }
            }
        }
    }

    fn hello(
        &mut self,
        cx: &mut Cx<'_>,
        id: LinkId,
        (min, max): (u16, u16),
        mut greeted: Greeted,
        out: &mut Outbox<Output>,
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let node = link.node;
        if link.greeted.is_some() {
            self.close(cx, id, Code::MISBEHAVED, "a second hello", out);
            return;
        }
        if node == self.me {
            self.met_a_double(cx, self.own.version, out);
            self.close(
                cx,
                id,
                Code::MISBEHAVED,
                "another node has this node's key",
                out,
            );
            return;
        }
        let Some(version) = negotiate((VERSION_MIN, VERSION_MAX), (min, max)) else {
            let text = format!(
                "no common version: this node speaks {VERSION_MIN} to {VERSION_MAX}, the other \
                 {min} to {max}"
            );
            if self.targets.has(&node) {
                out.push(Output::Problem(Problem::Version {
                    node,
                    text: text.clone(),
                }));
            }
            self.refused_by_us(cx, id, Code::VERSION, &text, out);
            return;
        };
        greeted.version = version;
        link.greeted = Some(greeted);
        self.timers.clear(Timer::Hello(id));
        self.settle(cx, id, out);
        if self.links.get(&id).is_some_and(Link::is_known) {
            self.is_known_and_greeted(cx, id, out);
        }
    }

    /// Decides between this link and the one in use with the same node.
    fn settle(&mut self, cx: &mut Cx<'_>, id: LinkId, out: &mut Outbox<Output>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.phase = Phase::Spare;
        let link = link.clone();
        let Some(old_id) = self.open.get(&link.node).copied() else {
            self.open_link(cx, id, out);
            return;
        };
        let Some(old) = self.links.get(&old_id) else {
            return;
        };
        let simultaneous = cx.now.since(old.up) < SIMULTANEOUS;
        match stays(self.me, (old_id, old), (id, &link), simultaneous) {
            // Closing the old one opens the spare one.
            Stays::New => self.close(cx, old_id, Code::DUPLICATE_LINK, "a newer link stays", out),
            Stays::Old => self.close(cx, id, Code::DUPLICATE_LINK, "an older link stays", out),
            Stays::Both => {
                self.ping(cx, old_id, out);
                self.timers.set(Timer::Ping(id), cx.now.after(PING_FIRST));
                self.timers
                    .set(Timer::Decide(id), cx.now.after(DECIDE_TIME));
            }
        }
    }

    /// A peer whose links both live has kept one by now. If it has not, it has started again and
    /// knows of the second alone; whether the first is dead, its silence says.
    pub(crate) fn decide(&mut self, cx: &mut Cx<'_>, id: LinkId, out: &mut Outbox<Output>) {
        let Some(link) = self
            .links
            .get(&id)
            .filter(|link| link.phase == Phase::Spare)
        else {
            return;
        };
        let Some(old_id) = self.open.get(&link.node).copied() else {
            return;
        };
        let silent = |old: &Link| old.ping.is_some_and(|(_, sent)| old.heard <= sent);
        if self.links.get(&old_id).is_some_and(silent) {
            // Closing the old one opens the spare one.
            self.close(cx, old_id, Code::DUPLICATE_LINK, "a newer link stays", out);
        } else {
            self.close(cx, id, Code::DUPLICATE_LINK, "an older link stays", out);
        }
    }

    fn open_link(&mut self, cx: &mut Cx<'_>, id: LinkId, out: &mut Outbox<Output>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.phase = Phase::Open;
        link.opened = true;
        let node = link.node;
        let opened = Output::Opened {
            link: id,
            node,
            dialled: link.dialled,
            exporter: *link.exporter.as_bytes(),
            known: link.is_known(),
        };
        self.open.insert(node, id);
        out.push(opened);
        self.target_linked(&node);
        self.ping(cx, id, out);
        self.open_lanes(cx, node);
        self.sync_mail_targets(cx, out);
    }

    /// Both hold from now on: the peer is known and has said hello.
    pub(crate) fn is_known_and_greeted(
        &mut self,
        cx: &mut Cx<'_>,
        id: LinkId,
        out: &mut Outbox<Output>,
    ) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let (node, Some(greeted)) = (link.node, link.greeted.clone()) else {
            return;
        };
        self.clock.sample(node, greeted.at, greeted.wall_ms);
        self.look_at_clock(cx, out);
        self.compare_adverts(cx, id, node, greeted.advert, out);
    }

    /// Closes a link for a reason that will not pass soon.
    pub(crate) fn refused_by_us(
        &mut self,
        cx: &mut Cx<'_>,
        id: LinkId,
        code: Code,
        text: &str,
        out: &mut Outbox<Output>,
    ) {
        if let Some(link) = self.links.get_mut(&id)
            && let Some(target) = self.targets.get_mut(&link.node)
        {
            link.unwanted = true;
            target.refused();
            text.clone_into(&mut target.last_error);
        }
        self.close(cx, id, code, text, out);
    }

    /// The peer closes.
    fn bye(
        &mut self,
        cx: &mut Cx<'_>,
        id: LinkId,
        code: Code,
        text: &str,
        out: &mut Outbox<Output>,
    ) {
        if let Some(link) = self.links.get_mut(&id)
            && let Some(target) = self.targets.get_mut(&link.node)
        {
            let refused = matches!(
                code,
                Code::VERSION | Code::STRANGER | Code::DENIED | Code::RATE
            );
            // Whoever has only this link and is told that there is another shares its key with
            // the node that has the other.
            link.unwanted = refused || code == Code::DUPLICATE_LINK;
            if refused {
                target.refused();
            }
            if code != Code::DUPLICATE_LINK {
                target.last_error = format!("the peer closed the link ({code}): {text}");
            }
        }
        self.close(cx, id, Code::CLOSING, "as you say", out);
    }
}

/// The highest version that both sides speak.
fn negotiate(ours: (u16, u16), theirs: (u16, u16)) -> Option<u16> {
    let highest = ours.1.min(theirs.1);
    (highest >= ours.0.max(theirs.0)).then_some(highest)
}

/// The longest beginning of a text that has at most so many bytes.
pub(crate) fn cut(text: &str, max: usize) -> String {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_spoken() {
        assert_eq!(negotiate((0, 0), (0, 9)), Some(0));
        assert_eq!(negotiate((2, 5), (3, 4)), Some(4));
        assert_eq!(negotiate((2, 5), (5, 9)), Some(5));
        assert_eq!(negotiate((2, 5), (6, 9)), None);
        assert_eq!(negotiate((2, 5), (0, 1)), None);
        assert_eq!(negotiate((2, 5), (9, 0)), None, "a range that is none");
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("grün", 3), "gr");
        assert_eq!(cut("grün", 4), "grü");
        assert_eq!(cut("", 4), "");
    }
}
