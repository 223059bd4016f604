//! Where a message stands, on whose word, and what would help.

use crate::command::{Code, Failure, MessageId, Reply, State, Why};
use crate::look::ids_with_prefix;
use crate::node::{Inner, Turn};
use identity::EnvelopeId;
use topic::{By, StateKind};

/// Fewest hexadecimal digits that stand for an envelope.
const MIN_PREFIX: usize = 6;

impl Inner {
    /// The message that a person means: a whole id or a unique prefix of the envelope's, with the
    /// place after a slash; and the topic it is in, nothing for unicast.
    pub(super) fn find_message(
        &mut self,
        turn: &mut Turn<'_, '_>,
        text: &str,
    ) -> Result<(MessageId, Option<u32>), Failure> {
        let (digits, index) = match text.trim().split_once('/') {
            Some((digits, index)) => (digits, index.parse().ok()),
            None => (text.trim(), Some(0)),
        };
        let usage = || {
            Failure::new(
                Code::Usage,
                format!("{text:?} is no message id"),
                "`way send` prints the id of what it sent",
            )
        };
        let index = index.ok_or_else(usage)?;
        let digits = digits.to_ascii_lowercase();
        let hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !hex || digits.len() < MIN_PREFIX || digits.len() > 64 {
            return Err(usage());
        }
        let mut found: Vec<(EnvelopeId, Option<u32>)> = Vec::new();
        let locals: Vec<u32> = self.host.keys.topics().map(|(local, _)| local).collect();
        for local in locals {
            let ids = ids_with_prefix(turn.cx, local, &digits, 2);
            found.extend(ids.into_iter().map(|id| (id, Some(local))));
        }
        let mails = self.router.mails_with_prefix(turn.cx, &digits, 2);
        found.extend(mails.into_iter().map(|id| (id, None)));
        match found.as_slice() {
            [(envelope, topic)] => Ok((
                MessageId {
                    envelope: *envelope,
                    index,
                },
                *topic,
            )),
            [] => {
                let message = format!("no message here has the id {text}");
                Err(Failure::new(Code::NotFound, message, ""))
            }
            _ => Err(Failure {
                candidates: found.iter().map(|(id, _)| id.to_string()).collect(),
                ..Failure::new(Code::Ambiguous, "that fits several", "say more of the id")
            }),
        }
    }

    pub(super) fn why(
        &mut self,
        turn: &mut Turn<'_, '_>,
        id: Option<&str>,
    ) -> Result<Reply, Failure> {
        if let Some(failure) = self.why_waiting(turn, id) {
            return Err(failure);
        }
        if id.is_some_and(|id| self.sought().any(|topic| topic == id.trim())) {
            let text = "the topic is looked for, and nobody who could be asked so far has it";
            let hint = "all who are linked are asked again every two minutes, for an hour after `way join`";
            return Err(Failure::new(Code::NotYet, text, hint));
        }
        let text = match id {
            Some(text) => text.to_owned(),
            None => self
                .last_sent(turn)
                .map(|id| id.to_string())
                .ok_or_else(|| {
                    Failure::new(
                        Code::NotFound,
                        "this home has sent nothing yet",
                        "give a message id",
                    )
                })?,
        };
        match self.find_message(turn, &text)? {
            (id, Some(local)) => self.why_topic(turn, id, local),
            (id, None) => self.why_mail(turn, id),
        }
    }

    /// Of a topic in which this device waits for a welcome, or if nothing is named of the first such:
    /// for whom.
    fn why_waiting(&mut self, turn: &mut Turn<'_, '_>, id: Option<&str>) -> Option<Failure> {
        let locals: Vec<u32> = match id {
            Some(text) => vec![self.find_topic(text).ok()?],
            None => self.host.keys.topics().map(|(local, _)| local).collect(),
        };
        let mut locals = locals.into_iter();
        let (local, whom) = locals.find_map(|local| Some((local, self.waits_for(turn, local)?)))?;
        let keys = self.host.keys.topic(local)?;
        let text = format!("{:?} waits for {whom}", keys.row.name);
        let device = keys.device.as_ref()?.public();
        let hint = format!(
            "it goes on by itself as soon as one of them is online and hears of the claim, unless the link was \
             used up or over before: then it takes one of them to say `way grant`, with this device's key {device}"
        );
        Some(Failure::new(Code::NotYet, text, hint))
    }

    fn why_topic(
        &mut self,
        turn: &mut Turn<'_, '_>,
        id: MessageId,
        local: u32,
    ) -> Result<Reply, Failure> {
        let to = self
            .host
            .keys
            .topic(local)
            .map(|keys| keys.id.to_string())
            .unwrap_or_default();
        let states = self
            .with_topics(turn, |topics, env| topics.states(env, local, &id.envelope))
            .map_err(|why| Failure::new(Code::NotFound, why.to_string(), ""))?
            .ok_or_else(|| Failure::new(Code::NotFound, "no such message here", ""))?;
        let devices: Vec<_> = states
            .states
            .iter()
            .filter_map(|state| match &state.by {
                By::Device(device, _) => Some(*device),
                By::Home | By::Node(_) => None,
            })
            .chain(states.waits_for.iter().map(|(device, _)| *device))
            .collect();
        let names = self.device_names(turn, local, &devices);
        let labels = self.node_labels(turn);
        let mut rows: Vec<State> = states
            .states
            .iter()
            .map(|state| {
                let (by, by_name) = match &state.by {
                    By::Home => (self.id.to_string(), self.router.name().to_owned()),
                    By::Device(device, _) => (
                        device.to_string(),
                        names.get(device).cloned().unwrap_or_default(),
                    ),
                    By::Node(node) => (node.to_string(), labels.show(node)),
                };
                State {
                    state: word(state.kind).to_owned(),
                    by,
                    by_name,
                    at: state.at,
                    operator: state.operator,
                    until: state.until,
                    reason: state.reason.clone(),
                }
            })
            .collect();
        rows.extend(self.disputed(turn, local));
        let waits_for: Vec<String> = states
            .waits_for
            .iter()
            .map(|(device, _)| {
                let name = names.get(device).cloned().unwrap_or_default();
                format!("{name} to come online")
            })
            .collect();
        let held = u32::try_from(states.held).unwrap_or(u32::MAX);
        let hint = self.hint(turn, local, waits_for.is_empty(), held);
        Ok(Reply::Why(Box::new(Why {
            id,
            to,
            states: rows,
            delivered: u32::try_from(states.delivered).unwrap_or(u32::MAX),
            members: u32::try_from(states.members).unwrap_or(u32::MAX),
            held,
            waits_for,
            hint,
        })))
    }

    /// The core nodes of this node that do not hold what they say.
    fn disputed(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Vec<State> {
        let topic = self.host.keys.topic(local).map(|keys| keys.id);
        let serving = topic.map(|topic| self.mine.serving(turn.cx, &topic));
        let serving = serving.unwrap_or_default();
        let labels = self.node_labels(turn);
        let cores = self.mine.list(turn.cx).into_iter();
        let cores = cores.filter(|core| serving.contains(&core.core));
        let disputed = cores.filter_map(|core| {
            let (at, why) = core.broken?;
            Some(State {
                state: "disputed".to_owned(),
                by: core.core.to_string(),
                by_name: labels.show(&core.core),
                at,
                operator: None,
                until: None,
                reason: Some(why),
            })
        });
        disputed.collect()
    }

    fn hint(&mut self, turn: &mut Turn<'_, '_>, local: u32, all: bool, held: u32) -> String {
        if all {
            return String::new();
        }
        let links = self
            .topics
            .summary(turn.cx, local)
            .map_or(0, |summary| summary.links);
        if held > 0 {
            "a core node keeps it for them; nothing needs to be done".to_owned()
        } else if links == 0 {
            "this node has no link to anybody of the topic: go online, or use a core node \
             (`way core use`)"
                .to_owned()
        } else {
            "keep this node up until they are, or use a core node (`way core use`)".to_owned()
        }
    }

    fn why_mail(&mut self, turn: &mut Turn<'_, '_>, id: MessageId) -> Result<Reply, Failure> {
        let mail = self
            .router
            .state_of(turn.cx, &id.envelope)
            .ok_or_else(|| Failure::new(Code::NotFound, "no such message here", ""))?;
        let labels = self.node_labels(turn);
        let state = |state: &str, by: String, by_name: String, at: u64| State {
            state: state.to_owned(),
            by,
            by_name,
            at,
            operator: None,
            until: None,
            reason: None,
        };
        let own = self.id.to_string();
        let mut states = vec![state(
            "stored",
            own,
            self.router.name().to_owned(),
            mail.stored_ms,
        )];
        for by in &mail.held {
            let (node, name) = (by.node.to_string(), labels.show(&by.node));
            states.push(State {
                operator: by.operator,
                until: Some(by.until_ms),
                ..state("held", node, name, by.at_ms)
            });
        }
        if let Some(at) = mail.delivered_ms {
            states.push(state(
                "delivered",
                mail.to.to_string(),
                labels.show(&mail.to),
                at,
            ));
        }
        if let Some((node, code, text, at)) = &mail.refusal {
            let refused = state("refused", node.to_string(), labels.show(node), *at);
            states.push(State {
                reason: Some(format!("{code}: {text}")),
                ..refused
            });
        }
        if let Some(at) = mail.expired_ms {
            states.push(state("expired", self.id.to_string(), String::new(), at));
        }
        Ok(Reply::Why(Box::new(Why {
            id,
            to: mail.to.to_string(),
            states,
            delivered: u32::from(mail.delivered_ms.is_some()),
            members: 1,
            held: u32::try_from(mail.custodians(turn.cx.wall.as_millis())).unwrap_or(u32::MAX),
            waits_for: mail.waits_for.into_iter().collect(),
            hint: mail.hint,
        })))
    }
}

const fn word(kind: StateKind) -> &'static str {
    match kind {
        StateKind::Stored => "stored",
        StateKind::Held => "held",
        StateKind::Delivered => "delivered",
        StateKind::Read => "read",
        StateKind::Refused => "refused",
        StateKind::Expired => "expired",
        StateKind::Withdrawn => "withdrawn",
    }
}
