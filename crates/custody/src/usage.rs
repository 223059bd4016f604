//! What a client uses of what was agreed, told to it before a limit bites.
//!
//! A linked client is told when a tenth of anything has changed, at most once in [`USAGE_EVERY`], and
//! at once when seven eighths of anything are passed. Where nothing changes nothing is told.

use std::collections::BTreeMap;

use identity::{NodeId, TopicId};
use machine::{Cx, Outbox, Time, Timers};

use crate::clients::{client, quota, reserved};
use crate::limits::{MAX_USAGE_LOOKED_AT, MAX_USAGE_TOPICS, REPORTS_PER_TURN, USAGE_EVERY};
use crate::quota::Share;
use crate::row::{self, CLIENT_TOPICS, ClientRow, SERVES, ServeRow};
use crate::state::{Custody, Output};

/// What a client uses, as its core node says it. The client shows it and decides nothing by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes that may be held for it.
    pub quota: u64,
    /// Bytes that are reserved for it, headers and guests included.
    pub used: u64,
    /// Bytes of headers among them.
    pub headers: u64,
    /// Bytes of headers that may be held, a part of the quota.
    pub header_quota: u64,
    /// Its topics, ascending, at most [`MAX_USAGE_TOPICS`]: those that are nearly full, then the largest.
    pub topics: Vec<TopicShare>,
}

/// What a topic uses of its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicShare {
    /// Which.
    pub topic: TopicId,
    /// Bytes that it may use.
    pub share: u64,
    /// Bytes of what the client itself deposited.
    pub own: u64,
    /// Bytes of what others deposited; they may use half of the share.
    pub guests: u64,
}

/// Something of which seven eighths are used: what is new will soon be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nearly {
    /// What the quota leaves for messages.
    Bodies,
    /// What it keeps for headers, which never expire.
    Headers,
    /// The share of a topic.
    Topic(TopicId),
    /// What others may use of it.
    Guests(TopicId),
}

impl Usage {
    /// Bytes used of all but headers, and bytes that may be.
    #[must_use]
    pub const fn bodies(&self) -> (u64, u64) {
        let used = self.used.saturating_sub(self.headers);
        (used, self.quota.saturating_sub(self.header_quota))
    }

    /// Everything of which at least seven eighths are used.
    #[must_use]
    pub fn nearly(&self) -> Vec<Nearly> {
        let mut nearly = Vec::new();
        let (bodies, of) = self.bodies();
        if is_nearly(bodies, of) {
            nearly.push(Nearly::Bodies);
        }
        if is_nearly(self.headers, self.header_quota) {
            nearly.push(Nearly::Headers);
        }
        for topic in &self.topics {
            if is_nearly(topic.used(), topic.share) {
                nearly.push(Nearly::Topic(topic.topic));
            } else if is_nearly(topic.guests, Share(topic.share).guests()) {
                nearly.push(Nearly::Guests(topic.topic));
            }
        }
        nearly
    }

    /// How much of something is used, in percent of what may be.
    #[must_use]
    pub fn percent(&self, of: Nearly) -> u64 {
        let (used, of) = match of {
            Nearly::Bodies => self.bodies(),
            Nearly::Headers => (self.headers, self.header_quota),
            Nearly::Topic(topic) => self.of(&topic).map_or((0, 0), |of| (of.used(), of.share)),
            Nearly::Guests(topic) => {
                let guests = |of: &TopicShare| (of.guests, Share(of.share).guests());
                self.of(&topic).map_or((0, 0), guests)
            }
        };
        // The whole of a limit is used where it is none.
        let percent = u128::from(used) * 100 / u128::from(of.max(1));
        u64::try_from(percent).unwrap_or(u64::MAX)
    }

    fn of(&self, topic: &TopicId) -> Option<&TopicShare> {
        self.topics.iter().find(|known| known.topic == *topic)
    }
}

impl TopicShare {
    /// Bytes of both.
    #[must_use]
    pub const fn used(&self) -> u64 {
        self.own.saturating_add(self.guests)
    }

    const fn is_nearly(&self) -> (bool, bool) {
        let guests = is_nearly(self.guests, Share(self.share).guests());
        (is_nearly(self.used(), self.share), guests)
    }
}

/// Whether seven eighths are used.
const fn is_nearly(used: u64, of: u64) -> bool {
    of > 0 && used >= of - of / 8
}

/// Whether a tenth of `of` has come or gone.
const fn a_tenth(told: u64, now: u64, of: u64) -> bool {
    let changed = told.abs_diff(now);
    changed > 0 && changed >= of / 10
}

/// Whether a client is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    No,
    /// As soon as it may be told again.
    Soon,
    Now,
}

impl Urgency {
    /// Of a part of which so much is used now, and so much when it was last told.
    const fn of(told: u64, now: u64, of: u64) -> Self {
        match (is_nearly(told, of), is_nearly(now, of)) {
            (false, true) => Self::Now,
            (true, false) => Self::Soon,
            _ if a_tenth(told, now, of) => Self::Soon,
            _ => Self::No,
        }
    }

    fn of_account(told: &Usage, account: &ClientRow) -> Self {
        let now = account_usage(account);
        if (told.quota, told.header_quota) != (now.quota, now.header_quota) {
            return Self::Soon;
        }
        let bodies = Self::of(told.bodies().0, now.bodies().0, now.bodies().1);
        bodies.max(Self::of(told.headers, now.headers, now.header_quota))
    }

    fn of_topic(told: &Usage, now: &TopicShare) -> Self {
        let Some(known) = told.of(&now.topic) else {
            return Self::of_untold(told, now);
        };
        if known.share != now.share {
            return Self::Soon;
        }
        let guests = Self::of(known.guests, now.guests, Share(now.share).guests());
        let own = if a_tenth(known.own, now.own, now.share) {
            Self::Soon
        } else {
            Self::No
        };
        Self::of(known.used(), now.used(), now.share)
            .max(guests)
            .max(own)
    }

    /// A topic that was not named is named when it ranks before one that was.
    fn of_untold(told: &Usage, now: &TopicShare) -> Self {
        if told.topics.len() < MAX_USAGE_TOPICS {
            return Self::Soon;
        }
        let last = told.topics.iter().min_by_key(|topic| rank(topic));
        match last {
            Some(last) if rank(now) > rank(last) => {
                let first_of_its_kind = is_any(now.is_nearly()) && !is_any(last.is_nearly());
                let more = a_tenth(last.used(), now.used(), now.share);
                match (first_of_its_kind, more) {
                    (true, _) => Self::Now,
                    (false, true) => Self::Soon,
                    (false, false) => Self::No,
                }
            }
            _ => Self::No,
        }
    }
}

const fn is_any(nearly: (bool, bool)) -> bool {
    nearly.0 || nearly.1
}

/// The order in which topics are named.
fn rank(topic: &TopicShare) -> (bool, u64, TopicId) {
    (is_any(topic.is_nearly()), topic.used(), topic.topic)
}

fn account_usage(account: &ClientRow) -> Usage {
    let quota = quota(account);
    Usage {
        quota: quota.bytes,
        used: reserved(account),
        headers: account.headers,
        header_quota: quota.headers(),
        topics: Vec::new(),
    }
}

fn topic_share(topic: TopicId, serve: &ServeRow) -> TopicShare {
    TopicShare {
        topic,
        share: serve.share,
        own: serve.own,
        guests: serve.guests,
    }
}

/// What linked clients were told, and who is to be told anew.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    told: BTreeMap<NodeId, Told>,
    due: Timers<NodeId>,
}

#[derive(Debug)]
struct Told {
    usage: Usage,
    /// Not again before this time unless a limit comes near.
    again: Time,
}

impl Reports {
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.due.next()
    }

    fn note(&mut self, now: Time, node: &NodeId, urgency: Urgency) {
        let Some(told) = self.told.get(node) else {
            return;
        };
        let at = match urgency {
            Urgency::No => return,
            Urgency::Soon => told.again.max(now),
            Urgency::Now => now,
        };
        self.due.set_earlier(*node, at);
    }

    /// What an account uses has changed, and of which topic.
    pub(crate) fn changed(
        &mut self,
        now: Time,
        node: &NodeId,
        account: &ClientRow,
        of: Option<(TopicId, &ServeRow)>,
    ) {
        let Some(told) = self.told.get(node) else {
            return;
        };
        let mut urgency = Urgency::of_account(&told.usage, account);
        if let Some((topic, serve)) = of.filter(|(_, serve)| !serve.left) {
            urgency = urgency.max(Urgency::of_topic(&told.usage, &topic_share(topic, serve)));
        }
        self.note(now, node, urgency);
    }
}

impl Custody {
    /// A client is linked: from now on it is told what it uses, beginning now if there is anything.
    pub(crate) fn report_from_now(&mut self, cx: &mut Cx<'_>, node: NodeId) {
        if self.reports.told.contains_key(&node) {
            return;
        }
        let told = Told {
            usage: Usage::default(),
            again: cx.now,
        };
        self.reports.told.insert(node, told);
        self.reports.note(cx.now, &node, Urgency::Now);
    }

    pub(crate) fn report_no_more(&mut self, node: &NodeId) {
        self.reports.told.remove(node);
        self.reports.due.clear(*node);
    }

    /// What an account uses may have changed, and its topics.
    pub(crate) fn look_at_usage(&mut self, cx: &mut Cx<'_>, node: &NodeId, of: Option<&TopicId>) {
        if !self.reports.told.contains_key(node) {
            return;
        }
        let Some(account) = client(cx, node) else {
            return;
        };
        let serve: Option<ServeRow> = of.and_then(|topic| {
            let key = row::pair(topic.as_bytes(), node.as_bytes());
            row::get(&mut cx.store, SERVES, &key)
        });
        let of = of.copied().zip(serve.as_ref());
        self.reports.changed(cx.now, node, &account, of);
    }

    /// A client has a topic more, or one less, or another share.
    pub(crate) fn topics_changed(&mut self, cx: &Cx<'_>, node: &NodeId) {
        self.reports.note(cx.now, node, Urgency::Soon);
    }

    /// Tells those who are to be told, in bounded steps.
    pub(crate) fn report(&mut self, cx: &mut Cx<'_>, out: &mut Outbox<Output>) {
        for _ in 0..REPORTS_PER_TURN {
            let Some(node) = self.reports.due.expired(cx.now) else {
                return;
            };
            let usage = usage_of(cx, &node);
            let (Some(usage), Some(told)) = (usage, self.reports.told.get_mut(&node)) else {
                continue;
            };
            // Of an account that bears nothing its client knows all that there is to know.
            let nothing = usage.used == 0 && usage.topics.is_empty();
            if usage == told.usage || (nothing && told.usage == Usage::default()) {
                continue;
            }
            told.usage.clone_from(&usage);
            told.again = cx.now.after(USAGE_EVERY);
            out.push(Output::Usage {
                client: node,
                usage,
            });
        }
    }
}

/// What a client uses, read from the rows.
fn usage_of(cx: &mut Cx<'_>, node: &NodeId) -> Option<Usage> {
    let account = client(cx, node)?;
    let mut topics = Vec::new();
    for (key, _) in cx
        .store
        .prefix(CLIENT_TOPICS, node.as_bytes(), MAX_USAGE_LOOKED_AT)
    {
        let Some(topic) = row::topic_at(&key, 32) else {
            continue;
        };
        let key = row::pair(topic.as_bytes(), node.as_bytes());
        let serve: Option<ServeRow> = row::get(&mut cx.store, SERVES, &key);
        if let Some(serve) = serve.filter(|serve| !serve.left) {
            topics.push(topic_share(topic, &serve));
        }
    }
    topics.sort_unstable_by_key(|topic| core::cmp::Reverse(rank(topic)));
    topics.truncate(MAX_USAGE_TOPICS);
    topics.sort_unstable_by_key(|topic| topic.topic);
    Some(Usage {
        topics,
        ..account_usage(&account)
    })
}
