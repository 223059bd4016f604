//! What a run counts, for its report: integers alone, in memory that does not grow with the run.
//!
//! Each thread counts for itself; [`Metrics::merge`] adds up at the end, and the sum does not
//! depend on how the nodes were spread over threads, nor on the order of adding. Nothing is
//! allocated when something is counted, but for the first faults.

mod histogram;
mod kinds;
pub mod limits;
mod once;
mod series;

pub use histogram::Histogram;
pub(crate) use kinds::{ROLES, role_name};
pub use kinds::{TurnKind, frame_kind, frame_name};
pub use series::{Column, Depth, Series};

use core::time::Duration;
use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::plan::{NodeNo, Plan, Role, TopicNo};
use kinds::{KINDS, frame_slot, role_slot};
use limits::{FAULTS, HOLDING_NODES, HOLDING_TOPICS};
use machine::Time;
use once::Once;
use serde::Serialize;

/// Frames of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// How many left.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What outsiders who raid have cost whom they dialled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Raids {
    /// Their links.
    pub links: u64,
    /// Frames that came over these.
    pub frames: u64,
    /// Signatures that were checked for these.
    pub checked: u64,
    /// Bytes that were staged for the disk with these.
    pub staged: u64,
}

impl Raids {
    const fn add(&mut self, other: Self) {
        self.links += other.links;
        self.frames += other.frames;
        self.checked += other.checked;
        self.staged += other.staged;
    }
}

/// Something that went wrong as planned. The order is that of time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// When, in microseconds.
    pub at_us: u64,
    /// At which node, if at one.
    pub node: Option<NodeNo>,
    /// What. The words before the first colon are its kind.
    pub text: Cow<'static, str>,
}

impl Fault {
    /// Its kind: what its text says before the first colon.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.text.split(':').next().unwrap_or(&self.text)
    }
}

/// What is held of a topic, by one node or by all nodes of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// How many pairs of node and topic this is.
    pub shares: u64,
    /// Headers.
    pub envelopes: u64,
    /// Bodies.
    pub bodies: u64,
    /// Bytes of both.
    pub bytes: u64,
    /// Bytes of the largest share.
    pub largest: u64,
}

impl Held {
    fn add(&mut self, other: &Self) {
        self.shares += other.shares;
        self.envelopes += other.envelopes;
        self.bodies += other.bodies;
        self.bytes += other.bytes;
        self.largest = self.largest.max(other.largest);
    }
}

/// Who holds what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holdings {
    /// Each node of each topic; without a topic it is mail.
    Each(BTreeMap<(NodeNo, Option<TopicNo>), Held>),
    /// The persons', then the core nodes'.
    ByRole([Held; 2]),
}

/// The sums of a whole run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Messages stored at their authors'.
    pub written: u64,
    /// Deliveries that there should be.
    pub expected: u64,
    /// Deliveries that there were.
    pub shown: u64,
    /// Messages that the author's own node declined.
    pub refused: u64,
    /// Letters stored at their authors'.
    pub mail_sent: u64,
    /// Letters that arrived.
    pub mail_arrived: u64,
    /// Frames that left nodes.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Commits that became durable.
    pub commits: u64,
    /// Their bytes.
    pub commit_bytes: u64,
    /// Dials that led to a link.
    pub dials_ok: u64,
    /// Dials that did not.
    pub dials_failed: u64,
}

/// What a run, or one thread of it, has counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    series: Series,
    latency: Histogram,
    mail_latency: Histogram,
    frames: [[Frames; KINDS]; 2],
    turns: [[u64; TurnKind::ALL.len()]; 2],
    faults: BTreeMap<Fault, u64>,
    faults_kept: usize,
    holdings: Holdings,
    roles: Vec<Role>,
    once: Once,
    joins: (u64, u64),
    raids: Raids,
}

impl Metrics {
    /// Nothing counted yet. All that are to be merged are made from the same plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let few = plan.nodes.len() <= HOLDING_NODES && plan.topics.len() <= HOLDING_TOPICS;
        Self {
            series: Series::new(plan.length_ms.saturating_add(plan.converge_ms)),
            latency: Histogram::default(),
            mail_latency: Histogram::default(),
            frames: [[Frames::default(); KINDS]; 2],
            turns: [[0; TurnKind::ALL.len()]; 2],
            faults: BTreeMap::new(),
            faults_kept: 0,
            holdings: if few {
                Holdings::Each(BTreeMap::new())
            } else {
                Holdings::ByRole([Held::default(); 2])
            },
            roles: plan.nodes.iter().map(|node| node.role).collect(),
            once: Once::new(plan),
            joins: (0, 0),
            raids: Raids::default(),
        }
    }

    /// One item of the event queue was processed.
    pub fn event(&mut self, now: Time) {
        self.series.at(now).events += 1;
    }

    /// A node of this class had a turn.
    pub fn turn(&mut self, role: Role, kind: TurnKind) {
        self.turns[role_slot(role)][kind as usize] += 1;
    }

    /// A frame of so many bytes left a node of this class. The kind is that of [`frame_kind`].
    pub fn frame(&mut self, now: Time, role: Role, kind: u8, bytes: u64) {
        let frames = &mut self.frames[role_slot(role)][frame_slot(kind)];
        frames.frames += 1;
        frames.bytes += bytes;
        self.series.at(now).bytes[role_slot(role)] += bytes;
    }

    /// Something came over a link of an outsider who raids, and cost so many checks and staged bytes.
    pub(crate) fn raided(&mut self, kind: TurnKind, checked: u64, staged: u64) {
        match kind {
            TurnKind::Link => self.raids.links += 1,
            _ => self.raids.frames += 1,
        }
        self.raids.checked += checked;
        self.raids.staged += staged;
    }

    /// What outsiders who raid have cost whom they dialled.
    #[must_use]
    pub const fn raids(&self) -> Raids {
        self.raids
    }

    /// A message is stored at its author's.
    pub fn wrote(&mut self, now: Time) {
        self.series.at(now).written += 1;
    }

    /// So many deliveries there should be, at whatever time, of what was written now.
    pub fn expected(&mut self, now: Time, deliveries: u64) {
        self.series.at(now).expected += deliveries;
    }

    /// Whether a message that is shown at a node is one more delivery: each counts once for a person,
    /// also when a home was set back, and a copy of a home has no person. The message is given by
    /// its step of the plan and its number in it.
    pub fn is_delivery(&mut self, node: NodeNo, message: (u32, u32)) -> bool {
        self.once.is_new(node, message)
    }

    /// So many of those whom the plan let join something until the end never did; and how many they
    /// are in all. Counted once, when all is merged.
    pub const fn never_joined(&mut self, never: u64, all: u64) {
        self.joins = (never, all);
    }

    /// Of those whom the plan let join something, how many never did; and how many they are.
    #[must_use]
    pub const fn joins(&self) -> (u64, u64) {
        self.joins
    }

    /// A message is shown to one recipient, so long after it was written.
    pub fn shown(&mut self, now: Time, latency: Duration) {
        self.latency.record(latency);
        self.series.at(now).shown += 1;
    }

    /// What a person wanted to write, their own node declined.
    pub fn refused(&mut self, now: Time) {
        self.series.at(now).refused += 1;
    }

    /// A letter to one node is stored at its author's.
    pub fn mail_sent(&mut self, now: Time) {
        self.series.at(now).mail_sent += 1;
    }

    /// A letter arrived, so long after it was written.
    pub fn mail_arrived(&mut self, now: Time, latency: Duration) {
        self.mail_latency.record(latency);
        self.series.at(now).mail_arrived += 1;
    }

    /// So many bytes wait on the links of a node of this class. Whoever calls it decides how often
    /// it looks.
    pub fn queue(&mut self, now: Time, role: Role, bytes: u64) {
        let depth = &mut self.series.at(now).queue[role_slot(role)];
        depth.samples += 1;
        depth.sum = depth.sum.saturating_add(bytes);
        depth.max = depth.max.max(bytes);
    }

    /// A commit of so many bytes is durable.
    pub fn commit(&mut self, now: Time, bytes: u64) {
        let column = self.series.at(now);
        column.commits += 1;
        column.commit_bytes += bytes;
    }

    /// A node dialled another, and got a link or did not.
    pub fn dial(&mut self, now: Time, ok: bool) {
        let column = self.series.at(now);
        if ok {
            column.dials_ok += 1;
        } else {
            column.dials_failed += 1;
        }
    }

    /// So many people come online; a negative number go.
    pub fn up(&mut self, now: Time, change: i32) {
        self.series.online(now, change);
    }

    /// Something goes wrong. What the text says before its first colon is the kind of the fault;
    /// see [`fault_of`](crate::report::fault_of).
    pub fn fault(&mut self, now: Time, node: Option<NodeNo>, text: impl Into<Cow<'static, str>>) {
        let text = text.into();
        let at_us = now.as_micros();
        self.series.at(now).faults += 1;
        self.keep_fault(Fault { at_us, node, text }, 1);
    }

    /// Keeps the least faults in their order, so that it does not matter who saw them first.
    fn keep_fault(&mut self, fault: Fault, times: u64) {
        *self.faults.entry(fault).or_insert(0) += times;
        self.faults_kept += times as usize;
        while self.faults_kept > FAULTS {
            let Some(mut last) = self.faults.last_entry() else {
                return;
            };
            *last.get_mut() -= 1;
            self.faults_kept -= 1;
            if *last.get() == 0 {
                last.remove();
            }
        }
    }

    /// At the end: what a node holds of a topic, or of mail if no topic is given.
    pub fn holding(&mut self, node: NodeNo, topic: Option<TopicNo>, held: Held) {
        let Some(role) = self.roles.get(node as usize) else {
            return;
        };
        let (shares, largest) = (1, held.bytes);
        let held = Held {
            shares,
            largest,
            ..held
        };
        match &mut self.holdings {
            Holdings::Each(each) => each.entry((node, topic)).or_default().add(&held),
            Holdings::ByRole(roles) => roles[role_slot(*role)].add(&held),
        }
    }

    /// Adds what another thread has counted in the same run.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.latency.merge(&other.latency);
        self.mail_latency.merge(&other.mail_latency);
        for role in 0..2 {
            for (mine, theirs) in self.frames[role].iter_mut().zip(&other.frames[role]) {
                mine.frames += theirs.frames;
                mine.bytes += theirs.bytes;
            }
            for (mine, theirs) in self.turns[role].iter_mut().zip(&other.turns[role]) {
                *mine += theirs;
            }
        }
        for (fault, times) in other.faults {
            self.keep_fault(fault, times);
        }
        match (&mut self.holdings, other.holdings) {
            (Holdings::Each(mine), Holdings::Each(theirs)) => {
                for (key, held) in theirs {
                    mine.entry(key).or_default().add(&held);
                }
            }
            (Holdings::ByRole(mine), Holdings::ByRole(theirs)) => {
                for (mine, theirs) in mine.iter_mut().zip(&theirs) {
                    mine.add(theirs);
                }
            }
            _ => debug_assert!(false, "both are made from the same plan"),
        }
        self.raids.add(other.raids);
        self.series = self.series.merge(other.series);
        self
    }

    /// The sums of everything.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let sum = self.series.total();
        Totals {
            written: sum.written,
            expected: sum.expected,
            shown: sum.shown,
            refused: sum.refused,
            mail_sent: sum.mail_sent,
            mail_arrived: sum.mail_arrived,
            frames: self
                .frames
                .iter()
                .flatten()
                .map(|frames| frames.frames)
                .sum(),
            bytes: sum.bytes[0] + sum.bytes[1],
            commits: sum.commits,
            commit_bytes: sum.commit_bytes,
            dials_ok: sum.dials_ok,
            dials_failed: sum.dials_failed,
        }
    }

    /// What happened when.
    #[must_use]
    pub const fn series(&self) -> &Series {
        &self.series
    }

    /// How long messages of topics took from being stored at the author's to being shown.
    #[must_use]
    pub const fn latency(&self) -> &Histogram {
        &self.latency
    }

    /// How long letters took.
    #[must_use]
    pub const fn mail_latency(&self) -> &Histogram {
        &self.mail_latency
    }

    /// The kinds of frames that left any node: the kind, then those of persons and of core nodes.
    pub fn frames(&self) -> impl Iterator<Item = (u8, [Frames; 2])> + '_ {
        let both = (0..KINDS).map(|kind| [self.frames[0][kind], self.frames[1][kind]]);
        let numbered = (0_u8..).zip(both);
        numbered.filter(|(_, both)| both.iter().any(|frames| frames.frames > 0))
    }

    /// Turns of persons and of core nodes that began like this.
    #[must_use]
    pub const fn turns(&self, kind: TurnKind) -> [u64; 2] {
        [self.turns[0][kind as usize], self.turns[1][kind as usize]]
    }

    /// The first faults, at most [`limits::FAULTS`], in the order of time.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> + '_ {
        let each = self.faults.iter();
        each.flat_map(|(fault, times)| std::iter::repeat_n(fault, *times as usize))
    }

    /// How many faults there were, also those that are not listed.
    #[must_use]
    pub fn faults_all(&self) -> u64 {
        self.series.total().faults
    }

    /// Who holds what at the end.
    #[must_use]
    pub const fn holdings(&self) -> &Holdings {
        &self.holdings
    }
}

#[cfg(test)]
mod tests;
