//! Rate rules: how much a peer may give and get in a minute, and how much of one author is taken.
//!
//! Rules stand in order; the first that names somebody decides. There are three lists, by what they
//! are about ([`Way`]). An empty list lets everything pass; what no rule of a list that is not empty
//! names does not pass. A message passes while fewer messages and fewer bytes than the rule gives
//! have passed in the minute that began with the first of them, so the last of a minute may exceed
//! the bytes by itself. This node's own key is never limited.
//!
//! Pure: it counts, and says when to come again. What is then done is the caller's: whatever it
//! refuses it delays or declines, and never what something taken depends on.

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use machine::Time;
use wire::Code;

use crate::limits::{ACL_MINUTE, ACL_SWEEP, MAX_COUNTED, MAX_RULE_KEYS, MAX_RULES};

/// A node's id or an author's key.
pub type Key = [u8; 32];

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// What a peer gives this node, whoever wrote it.
    In,
    /// What this node gives a peer.
    Out,
    /// What one author wrote, whoever gives it.
    Author,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::In, Self::Out, Self::Author];

    /// The word for it in the configuration file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Author => "author",
        }
    }
}

/// Peers that are named by what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Clients of this core node.
    Clients,
    /// This node's own core nodes.
    Cores,
}

/// Whom a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody.
    All,
    /// All of a group. Authors are in none.
    Group(Group),
    /// These, at most [`MAX_RULE_KEYS`].
    Keys(BTreeSet<Key>),
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it is about.
    pub way: Way,
    /// Whom it names. Each of them is counted alone.
    pub who: Who,
    /// Messages a minute; nothing: as many as come; 0: none.
    pub messages: Option<u64>,
    /// Bytes a minute; nothing: as many as come; 0: none.
    pub bytes: Option<u64>,
}

impl Rule {
    fn never(&self) -> bool {
        self.messages == Some(0) || self.bytes == Some(0)
    }
}

/// Rules in their order, of bounded number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(Vec<Rule>);

/// Too many rules, or too many keys in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at most {MAX_RULES} rules, each with at most {MAX_RULE_KEYS} keys")]
pub struct TooManyRules;

impl Rules {
    /// These rules, in this order.
    ///
    /// # Errors
    /// When there are too many of them.
    pub fn new(rules: Vec<Rule>) -> Result<Self, TooManyRules> {
        let many = |rule: &Rule| matches!(&rule.who, Who::Keys(keys) if keys.len() > MAX_RULE_KEYS);
        if rules.len() > MAX_RULES || rules.iter().any(many) {
            return Err(TooManyRules);
        }
        Ok(Self(rules))
    }

    /// The rules.
    #[must_use]
    pub fn list(&self) -> &[Rule] {
        &self.0
    }

    /// What is in force, in a sentence for people; nothing when there is no rule.
    #[must_use]
    pub fn summary(&self) -> String {
        let lists = Way::ALL.iter().filter_map(|way| {
            let count = self.0.iter().filter(|rule| rule.way == *way).count();
            (count > 0).then(|| format!("{} {count}", way.word()))
        });
        let lists: Vec<String> = lists.collect();
        if lists.is_empty() {
            return String::new();
        }
        let lists = lists.join(", ");
        format!("{lists}; what no rule of these lists names is refused")
    }
}

/// How much may pass now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Messages, at least one.
    pub messages: u64,
    /// Bytes, at least one; one message may be longer.
    pub bytes: u64,
}

impl Room {
    const ALL: Self = Self {
        messages: u64::MAX,
        bytes: u64::MAX,
    };
}

/// Nothing may pass now. Rules are numbered from 1, as they stand in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// Not before this time.
    Later {
        /// The end of the minute.
        at: Time,
        /// The rule.
        rule: usize,
    },
    /// Not while these rules stand.
    Never {
        /// The rule; nothing when none names this one.
        rule: Option<usize>,
    },
}

impl No {
    /// The code for whoever is refused.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Later { .. } => Code::RATE,
            Self::Never { .. } => Code::DENIED,
        }
    }

    /// How long to wait, if waiting helps.
    #[must_use]
    pub fn wait(&self, now: Time) -> Option<Duration> {
        match self {
            Self::Later { at, .. } => Some(at.since(now)),
            Self::Never { .. } => None,
        }
    }
}

impl fmt::Display for No {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Later { rule, .. } => {
                write!(
                    f,
                    "rate rule {rule} of this node lets no more pass in this minute"
                )
            }
            Self::Never { rule: Some(rule) } => {
                write!(
                    f,
                    "rate rule {rule} of this node lets nothing pass; ask its operator"
                )
            }
            Self::Never { rule: None } => {
                f.write_str("no rate rule of this node lets this pass; ask its operator")
            }
        }
    }
}

/// What has passed in the present minute.
#[derive(Clone, Copy, Debug)]
struct Count {
    since: Time,
    messages: u64,
    bytes: u64,
}

impl Count {
    fn new(now: Time) -> Self {
        Self {
            since: now,
            messages: 0,
            bytes: 0,
        }
    }

    fn is_over(&self, now: Time) -> bool {
        now.since(self.since) >= ACL_MINUTE
    }
}

/// Rules in force, and what has passed.
#[derive(Debug, Default)]
pub struct Acl {
    me: Key,
    rules: Rules,
    groups: BTreeMap<Key, Group>,
    /// By rule and key; nothing stands for all those that found no place.
    counts: BTreeMap<(usize, Option<Key>), Count>,
    swept: Option<Time>,
}

impl Acl {
    /// No rules, for the node with this key.
    #[must_use]
    pub fn new(me: Key) -> Self {
        Self {
            me,
            ..Self::default()
        }
    }

    /// Whether there is any rule.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.0.is_empty()
    }

    /// The rules in force.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Puts these rules in force. Counting begins anew unless they are the same.
    pub fn set(&mut self, rules: Rules) {
        if self.rules != rules {
            self.rules = rules;
            self.counts.clear();
        }
    }

    /// A linked peer belongs to a group, or to none.
    pub fn belongs(&mut self, peer: Key, group: Option<Group>) {
        match group {
            Some(group) => self.groups.insert(peer, group),
            None => self.groups.remove(&peer),
        };
    }

    /// How much may pass now from, to or of this one.
    ///
    /// # Errors
    /// Nothing may.
    pub fn room(&mut self, now: Time, way: Way, key: &Key) -> Result<Room, No> {
        let Some((n, messages, bytes)) = self.decides(way, key)? else {
            return Ok(Room::ALL);
        };
        self.sweep(now);
        let count = self.counts.get(&self.place(n, key));
        let count = count.copied().filter(|count| !count.is_over(now));
        let count = count.unwrap_or_else(|| Count::new(now));
        let left = |limit: Option<u64>, used: u64| match limit {
            Some(limit) => limit.saturating_sub(used),
            None => u64::MAX,
        };
        let room = Room {
            messages: left(messages, count.messages),
            bytes: left(bytes, count.bytes),
        };
        if room.messages == 0 || room.bytes == 0 {
            let at = count.since.after(ACL_MINUTE);
            return Err(No::Later { at, rule: n + 1 });
        }
        Ok(room)
    }

    /// So much has passed.
    pub fn spend(&mut self, now: Time, way: Way, key: &Key, (messages, bytes): (u64, u64)) {
        let Ok(Some((n, ..))) = self.decides(way, key) else {
            return;
        };
        let place = self.place(n, key);
        let count = self.counts.entry(place).or_insert_with(|| Count::new(now));
        if count.is_over(now) {
            *count = Count::new(now);
        }
        count.messages = count.messages.saturating_add(messages);
        count.bytes = count.bytes.saturating_add(bytes);
    }

    /// The rule that decides, by its place, and what it gives; nothing: there is no limit.
    #[expect(clippy::type_complexity, reason = "a rule's place and its two limits")]
    fn decides(
        &self,
        way: Way,
        key: &Key,
    ) -> Result<Option<(usize, Option<u64>, Option<u64>)>, No> {
        let mut list = self.rules.0.iter().enumerate();
        let mut list = list.by_ref().filter(|(_, rule)| rule.way == way).peekable();
        if *key == self.me || list.peek().is_none() {
            return Ok(None);
        }
        match list.find(|(_, rule)| self.names(rule, key)) {
            None => Err(No::Never { rule: None }),
            Some((n, rule)) if rule.never() => Err(No::Never { rule: Some(n + 1) }),
            Some((n, rule)) => Ok(Some((n, rule.messages, rule.bytes))),
        }
    }

    fn names(&self, rule: &Rule, key: &Key) -> bool {
        match &rule.who {
            Who::All => true,
            Who::Group(group) => rule.way != Way::Author && self.groups.get(key) == Some(group),
            Who::Keys(keys) => keys.contains(key),
        }
    }

    /// Where somebody is counted: alone, or with all others for whom there is no place.
    fn place(&self, n: usize, key: &Key) -> (usize, Option<Key>) {
        let alone = (n, Some(*key));
        if self.counts.len() < MAX_COUNTED || self.counts.contains_key(&alone) {
            alone
        } else {
            (n, None)
        }
    }

    /// Forgets minutes that are over when there is no place left, at most once in [`ACL_SWEEP`].
    fn sweep(&mut self, now: Time) {
        let lately = self.swept.is_some_and(|at| now.since(at) < ACL_SWEEP);
        if self.counts.len() >= MAX_COUNTED && !lately {
            self.swept = Some(now);
            self.counts.retain(|_, count| !count.is_over(now));
        }
    }
}

#[cfg(test)]
mod tests;
