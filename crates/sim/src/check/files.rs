//! Files: what is fetched is what was shared, a core node that says that it holds one has all of it and keeps it,
//! everybody who has read of a file and can reach somebody who has it gets it, and nothing stays that no record
//! names.

use super::carriage::home;
use super::mirror::{CLOCK_SLACK_MS, Spot, header_of, is_forked, is_over};
use super::replicas::Overview;
use super::{Broken, Everybody, Glance, Scene, messages};
use crate::disk::Disk;
use crate::plan::{Act, NodeNo, TopicNo};
use block::memory::damaged;
use machine::{Base, ContentName, Table};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Class, Header};

/// The name of the promise.
pub(crate) const PROMISE: &str = "files";

/// One row a content: `local u32 ‖ root 32 ‖ blocks u32 ‖ bytes u64`, and in the row version, flags and name.
const CONTENT: Table = Table::new(120, "block.content");
/// Contents by name.
const NAME: Table = Table::new(125, "block.name");
/// The flag of a content that is whole.
const WHOLE: u8 = 4;
/// Contents that a report names.
const NAMED: usize = 5;

/// What is known of one node's files.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// The files that were fetched, by the steps that shared them.
    fetched: BTreeSet<u32>,
    /// Contents that the node has said that it holds, and until when (ms).
    held: BTreeMap<ContentName, u64>,
}

impl Files {
    /// Every byte of a file was right.
    pub(crate) fn fetched(&mut self, step: u32) {
        self.fetched.insert(step);
    }

    /// Whether somebody has fetched a file.
    pub(crate) fn has(&self, step: u32) -> bool {
        self.fetched.contains(&step)
    }

    /// The disk is an older one.
    pub(crate) fn set_back(&mut self) {
        self.held.clear();
        // What it had got may be gone with its rows.
        self.fetched.clear();
    }

    /// The node says until when it holds these envelopes: if there are files among them, all of them is there.
    pub(crate) fn promised(&mut self, scene: &mut Scene<'_>, spots: &[(Spot, u64)], disk: &Disk) {
        // What liars throw away they lack for good, and of two that run under one key each passes on what
        // the other has said.
        if !scene.node().is_honest() || scene.facts.is_doubled(home(scene.plan, scene.no)) {
            return;
        }
        for (spot, until) in spots {
            for header in headers(disk, *spot) {
                let over = header.class == Class::Content && is_over(scene.wall, header.expires);
                if over || is_forked(disk, spot.local, &header.author) {
                    continue;
                }
                let until = match header.expires {
                    0 => *until,
                    expires => expires.min(*until),
                };
                if let Err(what) = self.holds(spot.local, &header, until, disk) {
                    let (number, author) = (header.number, header.author);
                    let what = format!("number {number} of {author} is said to be held, {what}");
                    scene.broken(super::durability::DURABILITY, what);
                }
            }
        }
    }

    fn holds(
        &mut self,
        local: u32,
        header: &Header,
        until: u64,
        disk: &Disk,
    ) -> Result<(), &'static str> {
        let Some(manifest) = &header.manifest else {
            return Ok(());
        };
        let key = [
            &local.to_be_bytes()[..],
            &manifest.root,
            &manifest.count.to_be_bytes(),
            &manifest.bytes.to_be_bytes(),
        ];
        let row = disk.get(CONTENT, &key.concat()).ok().flatten();
        let Some([_, flags, name @ ..]) = row.as_deref() else {
            return Err("whose blocks are not here");
        };
        let name = <[u8; 32]>::try_from(name).map(ContentName);
        let name = name.ok().filter(|_| flags & WHOLE != 0);
        let name = name.ok_or("whose blocks are not all here")?;
        let stored = disk.contents().get(&name).ok_or("whose content is gone")?;
        if damaged(stored, manifest).is_none_or(|parts| !parts.is_empty()) {
            return Err("whose content is not as its manifest says");
        }
        let held = self.held.entry(name).or_default();
        *held = until.max(*held);
        Ok(())
    }

    /// A content is removed.
    pub(crate) fn gone(&mut self, scene: &mut Scene<'_>, name: &ContentName) {
        let Some(until) = self.held.remove(name) else {
            return;
        };
        if scene.wall.as_millis().saturating_add(CLOCK_SLACK_MS) < until {
            let what = format!("the blocks of a file are removed; they were held until {until}");
            scene.broken(super::durability::DURABILITY, what);
        }
    }
}

/// The headers with this number.
fn headers(disk: &Disk, spot: Spot) -> Vec<Header> {
    let (from, to) = spot.range();
    let rows = disk.scan(lace::rows::HEADER, (&from, &to), usize::MAX, false);
    let rows = rows.unwrap_or_default();
    rows.iter().filter_map(|(_, row)| header_of(row)).collect()
}

/// Whether everybody has fetched what somebody in their midst has.
pub(crate) fn check(overview: &Overview<'_>, topic: TopicNo) -> Vec<Broken> {
    let everybody = overview.everybody;
    let plan = everybody.plan;
    // What has no room at a core node need not come by it.
    let tight = |node: &Glance<'_>| node.plan.quota > 0 || node.plan.disk > 0;
    if !plan.has_files() || everybody.nodes.iter().any(tight) {
        return Vec::new();
    }
    let mut broken = Vec::new();
    for (mut group, sends) in messages::expected(overview, topic) {
        // Another device shows what its person's first one fetches.
        group.retain(|at| overview.node(*at).plan.device_of.is_none());
        let has = |at: usize, step: u32, from: NodeNo| {
            let node = overview.node(at);
            node.no == from || node.watch.files.has(step)
        };
        let mut missing: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for (step, from, _) in sends {
            let act = plan.steps.get(step as usize).map(|step| &step.act);
            if !matches!(act, Some(Act::Send { file: 1.., .. })) {
                continue;
            }
            let sound = |at: &&usize| !overview.node(**at).watch.holdings.was_set_back;
            let there = group.iter().filter(sound).any(|at| has(*at, step, from));
            for at in group.iter().filter(|at| there && !has(**at, step, from)) {
                missing.entry(*at).or_default().push(step);
            }
        }
        for (at, steps) in missing.into_iter().take(NAMED) {
            let name = overview.topic_name(topic);
            let some: Vec<u32> = steps.iter().take(NAMED).copied().collect();
            let what = format!(
                "{} files of {name} were never fetched, of steps {some:?}",
                steps.len()
            );
            broken.push(note(everybody, overview.node(at).no, what));
        }
    }
    broken
}

/// Contents that no record names, where nothing has happened for long.
pub(crate) fn strays(everybody: &Everybody<'_>) -> Vec<Broken> {
    let strays = |node: &&Glance<'_>| {
        let named = |name: &ContentName| matches!(node.disk.get(NAME, &name.0), Ok(Some(_)));
        node.disk.contents().iter().any(|(name, _)| !named(name))
    };
    let what = "contents lie on the disk that no record names";
    let nodes = everybody.nodes.iter().filter(strays);
    nodes
        .map(|node| note(everybody, node.no, what.to_owned()))
        .collect()
}

fn note(everybody: &Everybody<'_>, node: NodeNo, what: String) -> Broken {
    Broken {
        promise: PROMISE,
        at_us: everybody.now.as_micros(),
        node: Some(node),
        what,
    }
}

#[cfg(test)]
mod tests;
