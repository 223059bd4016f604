//! What is to be known of one's core nodes: what is used there, what will soon be refused, what is
//! refused already, and what would help.
//!
//! The figures are a core node's word. They are shown and decide nothing.

use crate::command::{Core, CoreShare, Problem};
use crate::limits::MAX_OPERATOR_LOOKS;
use crate::node::{Inner, Turn};
use custody::{Code, CoreStanding, CoreState, Nearly, Quota, ServedBy, Short, TopicShare, Warning};
use identity::{OperatorTag, TopicId};
use topic::Topics;

/// How long a core node is not reached before that is told, in milliseconds.
const GONE_AFTER_MS: u64 = 3_600_000;

const LARGER: &str =
    "ask its operator for a larger quota, or use a second core node (`way core use`)";

impl Inner {
    /// What should be known of this node's core nodes, for a topic or for all.
    pub(super) fn core_problems(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: Option<&TopicId>,
    ) -> Vec<Problem> {
        let mut problems = self.gone_cores(turn);
        let warnings = self.mine.warnings(turn.cx, topic);
        if warnings.is_empty() {
            return problems;
        }
        let labels = self.node_labels(turn);
        let warnings = warnings.into_iter().map(|Warning { core, why }| {
            let core = labels.show(&core);
            match why {
                Short::Nearly(nearly, percent) => self.nearly_full(&core, nearly, percent),
                Short::Ended(code, text) => Problem {
                    code: "core-refused".to_owned(),
                    text: format!("the core node {core} takes nothing of this node: {text}"),
                    hint: refused_hint(code).to_owned(),
                },
                Short::NotServed(topic, text) => Problem {
                    code: "core-not-serving".to_owned(),
                    text: format!(
                        "the core node {core} does not serve the topic {}: {text}",
                        self.topic_name(&topic)
                    ),
                    hint: LARGER.to_owned(),
                },
            }
        });
        problems.extend(warnings);
        problems
    }

    /// Core nodes that serve a topic and have no room for so many bytes of it, by what they have said.
    pub(super) fn too_small(
        &mut self,
        turn: &mut Turn<'_, '_>,
        topic: &TopicId,
        bytes: u64,
    ) -> Vec<Problem> {
        let labels = self.node_labels(turn);
        let small = self.mine.list(turn.cx).into_iter().filter_map(|core| {
            let serves = |(of, by): &(TopicId, ServedBy)| of == topic && *by == ServedBy::Serving;
            core.topics.iter().find(|of| serves(of))?;
            let told = core.usage.as_ref();
            let told = told.and_then(|(usage, _)| usage.topics.iter().find(|of| of.topic == *topic));
            let quota = Quota {
                bytes: core.agreed.quota,
                ..Quota::default()
            };
            let (share, used) = told.map_or((quota.default_share(), 0), |of| {
                (of.share, of.own.saturating_add(of.guests))
            });
            // Of all topics together, and the mailbox.
            let all = core.usage.as_ref().map_or(core.agreed.used, |(all, _)| {
                all.used.saturating_sub(all.headers)
            });
            let bodies = core.usage.as_ref().map_or(quota, |(all, _)| Quota {
                bytes: all.quota,
                ..quota
            });
            let left = bodies.bodies().saturating_sub(all);
            let left = left.min(share.saturating_sub(used));
            let name = labels.show(&core.core);
            (bytes > left).then(|| Problem {
                code: "core-too-small".to_owned(),
                text: format!(
                    "the core node {name} will not hold this: it takes {bytes} bytes, and {left} are left there for the topic"
                ),
                hint: LARGER.to_owned(),
            })
        });
        small.collect()
    }

    /// Core nodes that have not been reached for a while, and those that end.
    fn gone_cores(&mut self, turn: &mut Turn<'_, '_>) -> Vec<Problem> {
        let now = turn.cx.wall.as_millis();
        let cores = self.mine.list(turn.cx);
        let troubled = cores.into_iter().filter_map(|core| {
            let gone = core.gone_ms.filter(|_| !core.linked);
            let long = gone.is_some_and(|at| now.saturating_sub(at) >= GONE_AFTER_MS);
            (long || core.agreed.retires_ms.is_some()).then_some((core, long))
        });
        let troubled: Vec<(CoreState, bool)> = troubled.collect();
        if troubled.is_empty() {
            return Vec::new();
        }
        let labels = self.node_labels(turn);
        let told = troubled.into_iter().map(|(core, long)| {
            let name = labels.show(&core.core);
            let (code, text) = match long {
                true => (
                    "core-gone",
                    format!("the core node {name} has not been reached for an hour"),
                ),
                false => (
                    "core-retires",
                    format!("the core node {name} ends soon, as its operator says"),
                ),
            };
            let hint = match self.has_other_core(turn, &core.core) {
                true => {
                    "another one that is linked holds what it does, or is being given it; nothing is to be done"
                }
                false => "use another one (`way core use`): it is given what this node has",
            };
            Problem {
                code: code.to_owned(),
                text,
                hint: hint.to_owned(),
            }
        });
        told.collect()
    }

    fn nearly_full(&self, core: &str, nearly: Nearly, percent: u64) -> Problem {
        let (text, hint) = match nearly {
            Nearly::Bodies => (
                format!(
                    "the core node {core} is nearly full: {percent} % of what it keeps for \
                     messages is used; what does not fit is refused"
                ),
                format!("messages make room when they expire; else {LARGER}"),
            ),
            Nearly::Headers => (
                format!(
                    "the core node {core} is nearly full: {percent} % of what it keeps for \
                     headers is used, and headers stay as long as their topic"
                ),
                format!("leave topics that are over (`way topic leave`), {LARGER}"),
            ),
            Nearly::Topic(topic) => (
                format!(
                    "the topic {} has used {percent} % of its share at the core node {core}; \
                     what does not fit is refused",
                    self.topic_name(&topic)
                ),
                format!("messages make room when they expire; else {LARGER}"),
            ),
            Nearly::Guests(topic) => (
                format!(
                    "others have used {percent} % of what they may use of the topic {} at the \
                     core node {core}; messages of this node are still taken",
                    self.topic_name(&topic)
                ),
                format!("messages make room when they expire; else {LARGER}"),
            ),
        };
        Problem {
            code: "core-nearly-full".to_owned(),
            text,
            hint,
        }
    }

    fn topic_name(&self, topic: &TopicId) -> String {
        let keys = self.host.keys.local(topic);
        let keys = keys.and_then(|local| self.host.keys.topic(local));
        match keys.map(|keys| keys.row.name.clone()) {
            Some(name) if !name.is_empty() => name,
            _ => topic.to_string(),
        }
    }

    /// This node's core nodes, each with what it uses there and how things stand.
    pub(super) fn own_cores(&mut self, turn: &mut Turn<'_, '_>) -> Vec<Core> {
        let cores = self.mine.list(turn.cx);
        let cores = cores.into_iter().map(|core| {
            let operator = self.operator_of(turn, &core);
            Core {
                operator,
                ..self.own_core(core)
            }
        });
        cores.collect()
    }

    /// What a core node says of its operator in the newest of its receipts that are looked at.
    fn operator_of(&self, turn: &mut Turn<'_, '_>, core: &CoreState) -> Option<OperatorTag> {
        let topics = core.topics.iter().map(|(topic, _)| topic);
        let locals = topics.filter_map(|topic| self.host.keys.local(topic));
        let said = locals
            .take(MAX_OPERATOR_LOOKS)
            .filter_map(|local| Topics::operator_of(turn.cx, local, &core.core));
        said.max_by_key(|(at, _)| *at)?.1
    }

    fn own_core(&self, core: CoreState) -> Core {
        let serving = core
            .topics
            .iter()
            .filter(|(_, served)| matches!(served, ServedBy::Serving));
        let topics = u32::try_from(serving.count()).unwrap_or(u32::MAX);
        let share = |of: TopicShare| CoreShare {
            topic: of.topic,
            name: self.topic_name(&of.topic),
            share: of.share,
            own: of.own,
            guests: of.guests,
        };
        let (usage, said) = match core.usage {
            Some((usage, said)) => (Some(usage), Some(said)),
            None => (None, None),
        };
        let refused = matches!(core.standing, CoreStanding::Refused);
        let refusal = core.refusal.filter(|_| refused);
        // What it receipted before stays, and nothing was receipted for longer than that.
        let ended = refusal
            .as_ref()
            .is_some_and(|(code, _)| *code == Code::Denied);
        let held_until = core
            .refused_ms
            .filter(|_| ended && core.agreed.max_hold_ms > 0)
            .map(|since| since.saturating_add(core.agreed.max_hold_ms));
        Core {
            id: core.core,
            address: core.addresses.into_iter().next().unwrap_or_default(),
            state: word(core.standing).to_owned(),
            quota: usage
                .as_ref()
                .map_or(core.agreed.quota, |usage| usage.quota),
            used: usage.as_ref().map_or(core.agreed.used, |usage| usage.used),
            linked: core.linked,
            topics,
            headers: usage.as_ref().map_or(0, |usage| usage.headers),
            header_quota: usage.as_ref().map_or(0, |usage| usage.header_quota),
            shares: usage
                .map(|usage| usage.topics.into_iter().map(share).collect())
                .unwrap_or_default(),
            said: said.or((core.heard_ms > 0).then_some(core.heard_ms)),
            refused_since: core.refused_ms.filter(|_| refused),
            hint: refusal
                .as_ref()
                .map(|(code, _)| refused_hint(*code).to_owned()),
            reason: refusal.map(|(_, text)| text),
            held_until,
            retires: core.agreed.retires_ms,
            broken: core.broken,
            gone: core.gone_ms.filter(|_| !core.linked),
            operator: None,
        }
    }
}

const fn word(standing: CoreStanding) -> &'static str {
    match standing {
        CoreStanding::Asking => "asking",
        CoreStanding::Agreed => "agreed",
        CoreStanding::Refused => "refused",
        CoreStanding::Leaving => "leaving",
    }
}

/// What to do about a core node that refuses to be one.
const fn refused_hint(code: Code) -> &'static str {
    match code {
        Code::Denied => {
            "what it promised it keeps; use another core node (`way core use`) and leave this one \
             (`way core leave`), or ask its operator"
        }
        Code::NotServed => "ask for the address of a core node, then `way core leave` this one",
        Code::TooMany | Code::DiskFull | Code::Quota | Code::TooOften => {
            "it is asked again by itself; use another core node meanwhile (`way core use`)"
        }
        _ => "ask its operator for an invite and `way core use` it, or `way core leave` it",
    }
}
