//! What core nodes say that this node uses of what they agreed to.
//!
//! It is their word. It is kept for people to read and decides nothing, and it is about topics
//! alone that they were asked to serve.

use identity::{NodeId, TopicId};
use machine::{Cx, Time};

use crate::limits::{MAX_REPORTS, MAX_USAGE_TOPICS, USAGE_EVERY};
use crate::outcome::Code;
use crate::row::{self, MY_SERVES, MY_USAGE, MyServeRow, ShareRow, UsageRow};
use crate::usage::{Nearly, TopicShare, Usage};

use super::{AGREED, CORE_REFUSED, LEFT, MyCores, core_row, serves};

/// Since when reports are counted, and how many there were.
pub(super) type Reports = (Time, u32);

/// A core node that will soon take nothing more, or takes nothing any more, of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Which.
    pub core: NodeId,
    /// Why.
    pub why: Short,
}

/// Why a core node takes nothing, or soon will not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Short {
    /// Seven eighths of something are used, this percentage in fact, as it says.
    Nearly(Nearly, u64),
    /// It refuses to be a core node of this node, in these words.
    Ended(Code, String),
    /// It does not serve the topic, in these words.
    NotServed(TopicId, String),
}

impl MyCores {
    /// A core node says what this node uses there. What comes from others, is about topics that it
    /// was not asked to serve, or comes too often is not heard.
    pub fn usage_told(&mut self, cx: &mut Cx<'_>, core: NodeId, usage: &Usage) {
        if !self.linked.contains_key(&core) || core_row(cx, &core).is_none() {
            return;
        }
        let (since, count) = self.reports.entry(core).or_insert((cx.now, 0));
        if cx.now.since(*since) >= USAGE_EVERY {
            (*since, *count) = (cx.now, 0);
        }
        if *count >= MAX_REPORTS {
            return;
        }
        *count = count.saturating_add(1);
        let mut topics = usage.topics.clone();
        topics.truncate(MAX_USAGE_TOPICS);
        topics.retain(|of| {
            let key = row::pair(core.as_bytes(), of.topic.as_bytes());
            let serve: Option<MyServeRow> = row::get(&mut cx.store, MY_SERVES, &key);
            serve.is_some_and(|serve| serve.standing != LEFT)
        });
        let usage = Usage {
            topics,
            ..usage.clone()
        };
        self.keep_usage(cx, &core, &usage);
    }

    /// What a core node last said that this node uses there, and when it did.
    #[must_use]
    pub fn usage(&self, cx: &mut Cx<'_>, core: &NodeId) -> Option<(Usage, u64)> {
        let row: UsageRow = row::get(&mut cx.store, MY_USAGE, core.as_bytes())?;
        let share = |of: ShareRow| TopicShare {
            topic: TopicId::from_bytes(of.topic),
            share: of.share,
            own: of.own,
            guests: of.guests,
        };
        let usage = Usage {
            quota: row.quota,
            used: row.used,
            headers: row.headers,
            header_quota: row.header_quota,
            topics: row.topics.into_iter().map(share).collect(),
        };
        Some((usage, row.heard_ms))
    }

    /// A core node agreed to a quota and said how much of it is used: what it said before about
    /// parts stays, unless nothing is used any more.
    pub(super) fn usage_agreed(&self, cx: &mut Cx<'_>, core: &NodeId, quota: u64, used: u64) {
        let Some((known, _)) = self.usage(cx, core) else {
            return;
        };
        if used == 0 {
            cx.store.delete(MY_USAGE, *core.as_bytes());
        } else {
            let usage = Usage {
                quota,
                used,
                ..known
            };
            self.keep_usage(cx, core, &usage);
        }
    }

    fn keep_usage(&self, cx: &mut Cx<'_>, core: &NodeId, usage: &Usage) {
        if self
            .usage(cx, core)
            .is_some_and(|(known, _)| known == *usage)
        {
            return;
        }
        let share = |of: &TopicShare| ShareRow {
            topic: *of.topic.as_bytes(),
            share: of.share,
            own: of.own,
            guests: of.guests,
        };
        let row = UsageRow {
            quota: usage.quota,
            used: usage.used,
            headers: usage.headers,
            header_quota: usage.header_quota,
            topics: usage.topics.iter().map(share).collect(),
            heard_ms: cx.wall.as_millis(),
        };
        row::put(&mut cx.store, MY_USAGE, core.as_bytes(), &row);
    }

    /// The core nodes that take nothing new of a topic, or soon will not, with the reason: to be told
    /// whoever publishes in it. Of all topics where none is named.
    #[must_use]
    pub fn warnings(&self, cx: &mut Cx<'_>, topic: Option<&TopicId>) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for core in self.cores(cx) {
            let Some(row) = core_row(cx, &core) else {
                continue;
            };
            let mut warn = |why| warnings.push(Warning { core, why });
            if row.standing == CORE_REFUSED {
                warn(Short::Ended(Code::from_u8(row.code), row.text));
                continue;
            }
            if row.standing != AGREED {
                continue;
            }
            let asked = match topic {
                None => serves(cx, &core),
                Some(topic) => {
                    let key = row::pair(core.as_bytes(), topic.as_bytes());
                    let serve: Option<MyServeRow> = row::get(&mut cx.store, MY_SERVES, &key);
                    serve.map(|serve| (*topic, serve)).into_iter().collect()
                }
            };
            for (of, serve) in asked {
                if serve.standing == super::REFUSED {
                    warn(Short::NotServed(of, serve.text));
                }
            }
            let usage = self.usage(cx, &core);
            let Some((usage, _)) = &usage else {
                continue;
            };
            for nearly in usage.nearly() {
                let about = match nearly {
                    Nearly::Bodies | Nearly::Headers => None,
                    Nearly::Topic(of) | Nearly::Guests(of) => Some(of),
                };
                if topic.is_none() || about.is_none() || topic == about.as_ref() {
                    warn(Short::Nearly(nearly, usage.percent(nearly)));
                }
            }
        }
        warnings
    }
}
