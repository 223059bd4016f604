//! Best-effort mail, and the echo engine that is built on it.

use std::collections::BTreeMap;

use core::time::Duration;
use identity::{EnvelopeId, NodeId};
use machine::{Cx, Outbox, Time};
use wire::Frame;

use super::body::{Body, Kind};
use super::queue::Send;
use super::sealing::Plan;
use super::{ECHO, name};
use crate::acl::Way;
use crate::event::{EchoResult, Output};
use crate::limits::{BEST_EFFORT_TIME, ECHO_WINDOW, MAX_BEST_EFFORT, MAX_ECHOES};
use crate::router::{Router, Timer};

/// Lifespan that best-effort mail claims: clocks may differ by so much.
const LIVE_LIFESPAN_MS: u64 = 3_600_000;

/// A best-effort mail that waits for a link.
#[derive(Debug)]
pub(crate) struct BestEffort {
    pub(crate) to: NodeId,
    number: u64,
    body: Body,
    until: Time,
}

#[derive(Debug)]
struct Asked {
    token: u64,
    to: NodeId,
    sent: Option<Time>,
    until: Time,
}

/// Echoes that were asked for, and answers that were given.
#[derive(Debug, Default)]
pub(crate) struct Echoes {
    next_token: u64,
    asked: BTreeMap<[u8; 8], Asked>,
    answered: BTreeMap<NodeId, (Time, u32)>,
}

impl Echoes {
    pub(crate) fn forget(&mut self, now: Time) {
        self.answered
            .retain(|_, (since, _)| now.since(*since) < ECHO_WINDOW);
    }

    /// Nodes whose answers are awaited.
    pub(crate) fn asked_of(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.asked.values().map(|asked| asked.to)
    }

    fn may_answer(&mut self, now: Time, peer: NodeId) -> bool {
        let (since, count) = self.answered.entry(peer).or_insert((now, 0));
        if now.since(*since) >= ECHO_WINDOW {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= MAX_ECHOES
    }
}

impl Router {
    /// Asks the echo engine of a node for an answer over a sealed envelope, dialling the node if
    /// need be. [`Output::Echo`] with the token that is given back tells the result within
    /// [`BEST_EFFORT_TIME`].
    pub fn echo(&mut self, cx: &mut Cx<'_>, to: NodeId, out: &mut Outbox<Output>) -> u64 {
        self.mail.echoes.next_token = self.mail.echoes.next_token.saturating_add(1);
        let token = self.mail.echoes.next_token;
        if to == self.me {
            out.push(Output::Echo {
                token,
                result: EchoResult::RoundTrip(Duration::ZERO),
            });
            return token;
        }
        let nonce: [u8; 8] = cx.rng.array();
        let until = cx.now.after(BEST_EFFORT_TIME);
        self.mail.echoes.asked.insert(
            nonce,
            Asked {
                token,
                to,
                sent: None,
                until,
            },
        );
        let body = Body {
            engine: ECHO.to_owned(),
            kind: Kind::EchoAsk,
            payload: nonce.to_vec(),
        };
        self.queue_best_effort(cx, to, body, out);
        token
    }

    pub(super) fn send_best_effort(
        &mut self,
        cx: &mut Cx<'_>,
        send: Send,
        out: &mut Outbox<Output>,
    ) -> EnvelopeId {
        let body = Body {
            engine: send.engine,
            kind: Kind::Message,
            payload: send.payload,
        };
        let number = self.queue_best_effort(cx, send.to, body, out);
        name(&self.me, &send.to, number)
    }

    fn queue_best_effort(
        &mut self,
        cx: &mut Cx<'_>,
        to: NodeId,
        body: Body,
        out: &mut Outbox<Output>,
    ) -> u64 {
        let number = self.mail.number(cx, to);
        if self.mail.best_effort.len() >= MAX_BEST_EFFORT {
            self.mail.best_effort.remove(0);
        }
        self.want_advert(cx, to, out);
        let until = cx.now.after(BEST_EFFORT_TIME);
        self.mail.best_effort.push(BestEffort {
            to,
            number,
            body,
            until,
        });
        // A link that is open takes it in the next turn, which is due at once.
        self.timers.set_earlier(Timer::BestEffort, cx.now);
        self.sync_mail_targets(cx, out);
        number
    }

    /// A link or an advert has come for which best-effort mail may wait.
    pub(crate) fn flush_best_effort(&mut self, node: NodeId, now: Time) {
        if self
            .mail
            .best_effort
            .iter()
            .any(|waiting| waiting.to == node)
        {
            self.timers.set_earlier(Timer::BestEffort, now);
        }
    }

    /// A node cannot be dialled: what waits for a link with it need not wait longer.
    pub(crate) fn give_up_best_effort(&mut self, node: &NodeId, now: Time) {
        self.mail.best_effort.retain(|waiting| waiting.to != *node);
        for asked in self.mail.echoes.asked.values_mut() {
            if asked.to == *node && asked.sent.is_none() {
                asked.until = now;
                self.timers.set_earlier(Timer::BestEffort, now);
            }
        }
    }

    /// Sends what can be sent and drops what has waited too long.
    pub(crate) fn end_best_effort(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) {
        let mut keep = Vec::new();
        let mut allowed: Option<Time> = None;
        for waiting in core::mem::take(&mut self.mail.best_effort) {
            let linked = self.open.contains_key(&waiting.to);
            let to = *waiting.to.as_bytes();
            match self.acl.room(cx.now, Way::Out, &to) {
                Ok(_) if linked && self.send_live(cx, &waiting, out) => continue,
                Ok(_) => {}
                Err(no) => {
                    let at = no.wait(cx.now).map(|wait| cx.now.after(wait));
                    allowed = super::earlier(allowed, at.filter(|_| linked));
                }
            }
            if waiting.until > cx.now {
                keep.push(waiting);
            }
        }
        self.mail.best_effort = keep;
        let over = self
            .mail
            .echoes
            .asked
            .iter()
            .filter(|(_, asked)| asked.until <= cx.now);
        let over: Vec<[u8; 8]> = over.map(|(nonce, _)| *nonce).collect();
        for nonce in over {
            let Some(asked) = self.mail.echoes.asked.remove(&nonce) else {
                continue;
            };
            let why = self.why_no_echo(&asked);
            out.push(Output::Echo {
                token: asked.token,
                result: EchoResult::Failed(why),
            });
        }
        let waiting = self.mail.best_effort.iter().map(|waiting| waiting.until);
        let asked = self.mail.echoes.asked.values().map(|asked| asked.until);
        if let Some(at) = super::earlier(waiting.min(), asked.min()) {
            let at = super::earlier(Some(at), allowed).unwrap_or(at);
            self.timers.set(Timer::BestEffort, at);
        }
        self.sync_mail_targets(cx, out);
    }

    fn why_no_echo(&self, asked: &Asked) -> String {
        if asked.sent.is_some() {
            return format!("no answer within {} s", BEST_EFFORT_TIME.as_secs());
        }
        if self.open.contains_key(&asked.to) {
            return "the node has shown no advert, so nothing can be sealed to it".to_owned();
        }
        match self.targets.get(&asked.to) {
            Some(target) if !target.last_error.is_empty() => target.last_error.clone(),
            _ => "no link with this node".to_owned(),
        }
    }

    fn send_live(
        &mut self,
        cx: &mut Cx<'_>,
        waiting: &BestEffort,
        out: &mut Outbox<Output>,
    ) -> bool {
        let plan = Plan {
            to: waiting.to,
            number: waiting.number,
            lifespan_ms: LIVE_LIFESPAN_MS,
            class: wire::Class::Live,
        };
        let Some((_, raw)) = self.seal(cx, &plan, &waiting.body) else {
            return false;
        };
        if waiting.body.kind == Kind::EchoAsk {
            let nonce: Option<[u8; 8]> = waiting.body.payload.as_slice().try_into().ok();
            let asked = nonce.and_then(|nonce| self.mail.echoes.asked.get_mut(&nonce));
            if let Some(asked) = asked {
                asked.sent = Some(cx.now);
            }
        }
        let (to, what) = (*waiting.to.as_bytes(), (1, raw.encoded_len() as u64));
        self.acl.spend(cx.now, Way::Out, &to, what);
        self.send_to(&waiting.to, Frame::Mail(raw), out)
    }

    /// The echo engine: answers what it is asked, and takes the answers.
    pub(super) fn echo_came(
        &mut self,
        cx: &mut Cx<'_>,
        from: NodeId,
        body: Body,
        out: &mut Outbox<Output>,
    ) {
        let Ok(nonce) = <[u8; 8]>::try_from(body.payload.as_slice()) else {
            return;
        };
        match body.kind {
            Kind::EchoAsk => {
                if self.mail.echoes.may_answer(cx.now, from) {
                    let answer = Body {
                        kind: Kind::EchoAnswer,
                        ..body
                    };
                    self.queue_best_effort(cx, from, answer, out);
                }
            }
            Kind::EchoAnswer => {
                let asked = self
                    .mail
                    .echoes
                    .asked
                    .get(&nonce)
                    .filter(|asked| asked.to == from);
                let Some((token, sent)) = asked.and_then(|asked| Some((asked.token, asked.sent?)))
                else {
                    return;
                };
                self.mail.echoes.asked.remove(&nonce);
                let result = EchoResult::RoundTrip(cx.now.since(sent));
                out.push(Output::Echo { token, result });
            }
            Kind::Message => {}
        }
    }
}
