//! What a plan may be: everything that is named exists, and every number is one that a world can be
//! made of. Plans come from outside, as files; what is refused here would panic, or never end.

use super::{
    Act, NodeNo, NodePlan, Path, Place, Plan, Right, Role, SiteNo, Step, TopicNo, TopicPlan,
};
use crate::scenario::limits::{
    MAX_BATCH, MAX_BYTES, MAX_COMMIT_US, MAX_CORES_USED, MAX_DISK, MAX_DRIFT_PPM, MAX_FILE,
    MAX_KBIT, MAX_LATENCY_US, MAX_LENGTH_MS, MAX_LIES, MAX_LOSS_PPM, MAX_MEMBERS, MAX_NAME,
    MAX_NODES, MAX_RAID_FRAMES, MAX_RAID_LINKS, MAX_SITES, MAX_SKEW_MS, MAX_STEPS, MAX_TOPICS,
    MAX_WRITTEN,
};
use std::collections::BTreeSet;
use std::fmt::Display;

/// What is wrong, in words.
type Wrong = String;

/// A number within its bounds.
fn within<N: PartialOrd + Display>(
    what: impl Display,
    number: N,
    (least, most): (N, N),
) -> Result<(), Wrong> {
    if least <= number && number <= most {
        return Ok(());
    }
    Err(format!(
        "{what} is {number}; expected: from {least} to {most}"
    ))
}

/// Names that can be printed, each there once.
fn names<'a>(what: &str, all: impl Iterator<Item = &'a str>) -> Result<(), Wrong> {
    let mut seen = BTreeSet::new();
    for name in all {
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(format!(
                "a {what} is called {name:?}; expected: from 1 to {MAX_NAME} bytes in one line"
            ));
        }
        if !seen.insert(name) {
            return Err(format!("two {what}s are called `{name}`"));
        }
    }
    Ok(())
}

/// Whether all of them are different.
fn different(who: impl Iterator<Item = NodeNo>) -> bool {
    let mut seen = BTreeSet::new();
    who.into_iter().all(|no| seen.insert(no))
}

impl Path {
    fn check(&self, of: &str) -> Result<(), Wrong> {
        let what = |what: &str| format!("{what} of {of}");
        let (latency, share) = ((0, MAX_LATENCY_US), (0, 1_000_000));
        within(what("the latency"), self.latency_us, latency)?;
        within(what("the jitter"), self.jitter_us, latency)?;
        within(what("the loss"), self.loss_ppm, (0, MAX_LOSS_PPM))?;
        within(what("the duplicates"), self.duplicate_ppm, share)?;
        within(what("the reordering"), self.reorder_ppm, share)?;
        within(what("the rate"), self.kbit, (0, MAX_KBIT))
    }
}

impl Plan {
    /// Whether everything that is named exists, and every number is possible.
    ///
    /// # Errors
    /// What is not, in words.
    pub fn check(&self) -> Result<(), String> {
        within("the length", self.length_ms, (1, MAX_LENGTH_MS))?;
        let converge = "the time to converge";
        within(converge, self.converge_ms, (0, MAX_LENGTH_MS))?;
        let counts = [
            ("the number of sites", self.sites.len(), 1, MAX_SITES),
            ("the number of nodes", self.nodes.len(), 1, MAX_NODES),
            ("the number of topics", self.topics.len(), 0, MAX_TOPICS),
            ("the number of steps", self.steps.len(), 0, MAX_STEPS),
        ];
        for (what, count, least, most) in counts {
            within(what, count, (least, most))?;
        }
        names("site", self.sites.iter().map(|site| site.name.as_str()))?;
        names("node", self.nodes.iter().map(|node| node.name.as_str()))?;
        names("topic", self.topics.iter().map(|topic| topic.name.as_str()))?;
        for site in &self.sites {
            site.inside.check(&site.name)?;
            if let Some(uplink) = &site.uplink {
                uplink.check(&format!("the uplink of {}", site.name))?;
            }
        }
        for (no, node) in (0..).zip(&self.nodes) {
            self.check_node(no, node)?;
        }
        for topic in &self.topics {
            self.check_topic(topic)?;
        }
        self.steps.iter().try_for_each(|step| self.check_step(step))
    }

    fn node(&self, no: NodeNo, what: impl Display) -> Result<&NodePlan, Wrong> {
        let count = self.nodes.len();
        let node = self.nodes.get(no as usize);
        node.ok_or_else(|| format!("{what} names node {no}, and there are {count}"))
    }

    fn site(&self, no: SiteNo, what: impl Display) -> Result<(), Wrong> {
        let count = self.sites.len();
        let site = self.sites.get(no as usize).map(|_| ());
        site.ok_or_else(|| format!("{what} names site {no}, and there are {count}"))
    }

    fn topic(&self, no: TopicNo, what: impl Display) -> Result<(), Wrong> {
        let count = self.topics.len();
        let topic = self.topics.get(no as usize).map(|_| ());
        topic.ok_or_else(|| format!("{what} names topic {no}, and there are {count}"))
    }

    fn check_node(&self, no: NodeNo, own: &NodePlan) -> Result<(), Wrong> {
        let name = &own.name;
        let what = |what: &str| format!("{what} of {name}");
        self.site(own.site, name)?;
        for core in &own.uses {
            if self.node(*core, name)?.role != Role::Core || *core == no {
                return Err(format!("{name} uses node {core}, which is no core node"));
            }
        }
        let uses = own.uses.len();
        within(what("the number of core nodes"), uses, (0, MAX_CORES_USED))?;
        if !different(own.uses.iter().copied()) {
            return Err(format!("{name} uses the same core node twice"));
        }
        let time = (0, MAX_LENGTH_MS);
        within(what("the start"), own.starts_ms, time)?;
        within(what("the time to read"), own.reads_after_ms, time)?;
        within(what("a commit"), own.commit_us, (0, MAX_COMMIT_US))?;
        within(what("the disk"), own.disk, (0, MAX_DISK))?;
        within(what("the quota"), own.quota, (0, MAX_DISK))?;
        let skew = (-MAX_SKEW_MS, MAX_SKEW_MS);
        within(what("the skew"), own.skew_ms, skew)?;
        let drift = (-MAX_DRIFT_PPM, MAX_DRIFT_PPM);
        within(what("the drift"), own.drift_ppm, drift)?;
        within(what("the number of lies"), own.lies.len(), (0, MAX_LIES))?;
        for lie in &own.lies {
            within(what("`one_in` of a lie"), lie.one_in, (1, u32::MAX))?;
            within(what("`most` of a lie"), lie.most, (1, MAX_WRITTEN))?;
        }
        if let Some(of) = own.device_of {
            let person = self.node(of, name)?;
            let is_person = |node: &NodePlan| node.role == Role::Person && node.twin_of.is_none();
            if of == no || person.device_of.is_some() || !is_person(person) || !is_person(own) {
                return Err(format!(
                    "{name} is a device of {of}, which is no person's first"
                ));
            }
        }
        if let Some(of) = own.twin_of {
            let original = self.node(of, name)?;
            if of == no || original.twin_of.is_some() {
                return Err(format!("{name} is a copy of itself or of a copy"));
            }
            if original.role != own.role {
                return Err(format!("{name} is a copy of another role"));
            }
        }
        Ok(())
    }

    fn check_topic(&self, own: &TopicPlan) -> Result<(), Wrong> {
        let name = &own.name;
        let members = format!("the number of members of {name}");
        within(members, own.members.len(), (0, MAX_MEMBERS))?;
        let readers = format!("the number of readers of {name}");
        within(readers, own.readers.len(), (0, MAX_MEMBERS))?;
        if !own.public && !own.readers.is_empty() {
            return Err(format!("{name} has readers, and is not public"));
        }
        let all = || {
            let others = own.members.iter().chain(&own.readers);
            others.chain([&own.founder]).copied()
        };
        for no in all() {
            let node = self.node(no, name)?;
            if node.role == Role::Core || node.twin_of.is_some() || node.device_of.is_some() {
                let who = &node.name;
                return Err(format!("{name} has the member {who}, who is no person"));
            }
        }
        if !different(all()) {
            return Err(format!("{name} has the same person twice"));
        }
        Ok(())
    }

    /// Rights are given and taken between two people, each right once.
    fn check_rights(
        &self,
        what: &str,
        (no, other): (NodeNo, NodeNo),
        (rights, gives): (&[Right], bool),
    ) -> Result<(), Wrong> {
        let with = self.node(other, what)?;
        if no == other {
            return Err(format!("{what} is about whoever does it"));
        }
        if with.role == Role::Core || with.twin_of.is_some() || with.device_of.is_some() {
            let who = &with.name;
            return Err(format!("{what} is about {who}, who is no person"));
        }
        let once: BTreeSet<&Right> = rights.iter().collect();
        if once.len() != rights.len() {
            return Err(format!("{what} names a right twice"));
        }
        if gives && rights.is_empty() {
            return Err(format!("{what} gives no right"));
        }
        Ok(())
    }

    fn check_step(&self, step: &Step) -> Result<(), Wrong> {
        let what = &format!("the step at {} ms", step.at_ms);
        if step.at_ms > self.length_ms {
            let length = self.length_ms;
            return Err(format!("{what} never happens: the length is {length} ms"));
        }
        let node = |no: &NodeNo| self.node(*no, what).map(|_| ());
        let place = |at: &Place| match at {
            Place::Node(no) => node(no),
            Place::Site(no) => self.site(*no, what),
        };
        match &step.act {
            Act::Join { node: no, topic } | Act::Leave { node: no, topic } => {
                node(no)?;
                self.topic(*topic, what)
            }
            Act::Grant {
                node: no,
                topic,
                to: other,
                rights,
                ..
            }
            | Act::Revoke {
                node: no,
                topic,
                whom: other,
                rights,
                ..
            } => {
                node(no)?;
                self.topic(*topic, what)?;
                let gives = matches!(step.act, Act::Grant { .. });
                self.check_rights(what, (*no, *other), (rights, gives))
            }
            Act::Send {
                node: no,
                topic,
                bytes,
                count,
                expires_ms,
                file,
            } => {
                node(no)?;
                self.topic(*topic, what)?;
                let number = |of: &str| format!("{of} of {what}");
                within(number("the size"), u64::from(*bytes), (0, MAX_BYTES))?;
                within(number("the count"), u64::from(*count), (1, MAX_BATCH))?;
                within(number("the file"), u64::from(*file), (0, MAX_FILE))?;
                if *file > 0 && *count > 1 {
                    return Err(format!("{what} shares several files at once"));
                }
                within(number("`expires_ms`"), *expires_ms, (0, MAX_LENGTH_MS))
            }
            Act::Mail {
                node: no,
                to,
                bytes,
                ..
            } => {
                node(no)?;
                node(to)?;
                let size = format!("the size of {what}");
                within(size, u64::from(*bytes), (0, MAX_BYTES))
            }
            Act::Clone { node: no, twin, .. } => {
                node(no)?;
                let copy = self.node(*twin, what)?;
                if copy.twin_of != Some(*no) {
                    let name = &copy.name;
                    return Err(format!(
                        "{what} starts {name}, which is no copy of node {no}"
                    ));
                }
                Ok(())
            }
            Act::Pair { node: no, device } | Act::Unpair { node: no, device } => {
                node(no)?;
                if self.node(*device, what)?.device_of != Some(*no) {
                    return Err(format!(
                        "{what} is about {device}, which is no device of {no}"
                    ));
                }
                Ok(())
            }
            Act::UseCore { node: no, core } | Act::LeaveCore { node: no, core } => {
                node(no)?;
                if self.node(*core, what)?.role != Role::Core || core == no {
                    return Err(format!("{what} is about {core}, which is no core node"));
                }
                Ok(())
            }
            Act::Tear { a, b } => node(a).and_then(|()| node(b)),
            Act::Raid {
                node: no,
                on,
                links,
                frames,
            } => {
                node(no)?;
                node(on)?;
                let number = |of: &str| format!("{of} of {what}");
                within(number("the links"), *links, (1, MAX_RAID_LINKS))?;
                within(number("the frames"), *frames, (0, MAX_RAID_FRAMES))
            }
            Act::Cut { from, to, .. } | Act::Mend { from, to } => {
                place(from).and_then(|()| place(to))
            }
            Act::Move { node: no, site } => {
                node(no)?;
                self.site(*site, what)
            }
            Act::Weather {
                site,
                inside,
                uplink,
            } => {
                self.site(*site, what)?;
                inside.check(what)?;
                uplink.map_or(Ok(()), |uplink| uplink.check(what))
            }
            Act::Clock { node: no, skew_ms } => {
                node(no)?;
                let skew = format!("the skew of {what}");
                within(skew, *skew_ms, (-MAX_SKEW_MS, MAX_SKEW_MS))
            }
            Act::Disk { node: no, bytes } => {
                node(no)?;
                within(format!("the size of {what}"), *bytes, (0, MAX_DISK))
            }
            Act::Away { node: no }
            | Act::Back { node: no }
            | Act::Crash { node: no, .. }
            | Act::FailCommit { node: no }
            | Act::TearTail { node: no, .. }
            | Act::Backup { node: no }
            | Act::Restore { node: no, .. } => node(no),
        }
    }
}
