//! Which names there are in a scenario and whom they mean; how many of each there are when it is
//! run in another size.

use super::Mistake;
use super::form::Form;
use super::limits::{MAX_MISTAKES, MAX_NODES, MAX_SITES, MAX_TOPICS};
use super::source::{Named, meant};
use std::collections::{BTreeMap, BTreeSet};

/// How many there are of everything that can be there several times, in the order of the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) sites: Vec<usize>,
    pub(crate) cores: Vec<usize>,
    pub(crate) people: Vec<usize>,
    pub(crate) topics: Vec<usize>,
}

impl Sizes {
    /// As it is written.
    pub(crate) fn written(form: &Form) -> Self {
        Self {
            sites: form.sites.iter().map(|site| site.copies).collect(),
            cores: form.cores.iter().map(|core| core.machine.count).collect(),
            people: form
                .people
                .iter()
                .map(|group| group.machine.count)
                .collect(),
            topics: form.topics.iter().map(|topic| topic.count).collect(),
        }
    }

    /// How many nodes that makes.
    pub(crate) fn nodes(&self) -> usize {
        let all = self.cores.iter().chain(&self.people);
        all.fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The same in another size. What is there once stays there once; the largest group takes what
    /// rounding leaves.
    pub(crate) fn scaled(&self, nodes: usize) -> Result<Self, Mistake> {
        let total = self.nodes().max(1);
        let scale = |counts: &[usize]| -> Vec<usize> {
            let scale = |count: usize| (count * nodes + total / 2) / total;
            counts.iter().map(|count| scale(*count).max(1)).collect()
        };
        let mut scaled = Self {
            sites: scale(&self.sites),
            cores: scale(&self.cores),
            people: scale(&self.people),
            topics: scale(&self.topics),
        };
        for (new, old) in [
            (&mut scaled.sites, &self.sites),
            (&mut scaled.cores, &self.cores),
            (&mut scaled.people, &self.people),
            (&mut scaled.topics, &self.topics),
        ] {
            for (new, old) in new.iter_mut().zip(old) {
                if *old == 1 {
                    *new = 1;
                }
            }
        }
        let others = scaled.nodes();
        let groups = scaled.people.iter_mut().zip(&self.people);
        let groups = groups.filter(|(_, written)| **written > 1);
        let Some(largest) = groups.map(|(count, _)| count).max() else {
            return if others == nodes {
                Ok(scaled)
            } else {
                Err(Mistake {
                    line: None,
                    what: format!("everybody in this scenario is there once: no {nodes} nodes"),
                    hint: "expected: a group of people with a `count`, to be more or fewer"
                        .to_owned(),
                })
            };
        };
        if nodes + *largest <= others {
            return Err(Mistake {
                line: None,
                what: format!("{nodes} nodes are too few for this scenario"),
                hint: format!(
                    "expected: at least {}",
                    self.cores.len() + self.people.len()
                ),
            });
        }
        *largest = nodes + *largest - others;
        Ok(scaled)
    }

    /// Refuses what is larger than any world may be.
    pub(crate) fn check(&self, form: &Form) -> Result<(), Mistake> {
        let sites = self.sites.iter().sum();
        let topics = self.topics.iter().sum();
        let line = |named: Option<&Named>| named.map(|named| named.line);
        for (count, most, what, line) in [
            (
                sites,
                MAX_SITES,
                "sites",
                line(form.sites.last().map(|site| &site.name)),
            ),
            (
                self.nodes(),
                MAX_NODES,
                "nodes",
                line(form.people.last().map(|p| &p.machine.name)),
            ),
            (
                topics,
                MAX_TOPICS,
                "topics",
                line(form.topics.last().map(|topic| &topic.name)),
            ),
        ] {
            if count > most {
                return Err(Mistake {
                    line,
                    what: format!("with this there are {count} {what}"),
                    hint: format!("expected: at most {most}"),
                });
            }
        }
        Ok(())
    }
}

/// What a name has to mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Site,
    Core,
    Person,
    Node,
    Topic,
    /// A site or nodes.
    Place,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Site => "site",
            Self::Core => "core node",
            Self::Person => "person or group",
            Self::Node => "node or group",
            Self::Topic => "topic",
            Self::Place => "site, node or group",
        }
    }
}

/// All names. Core nodes have the first numbers, people follow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    sites: BTreeMap<String, Vec<u32>>,
    cores: BTreeMap<String, Vec<u32>>,
    people: BTreeMap<String, Vec<u32>>,
    topics: BTreeMap<String, Vec<u32>>,
    everybody: Vec<u32>,
}

/// What the members of a group are called: as the group, if it was written as one.
pub(crate) fn called(name: &str, written: usize, index: usize) -> String {
    if written == 1 {
        name.to_owned()
    } else {
        format!("{name}-{}", index + 1)
    }
}

struct Entry<'a> {
    name: &'a Named,
    written: usize,
    count: usize,
}

/// Puts the entries of one kind into a map, numbered from `first`; the names that were there.
fn fill(
    into: &mut BTreeMap<String, Vec<u32>>,
    entries: &[Entry<'_>],
    first: u32,
    wrong: &mut Vec<Mistake>,
) -> u32 {
    let mut next = first;
    for entry in entries {
        let mut all = Vec::new();
        for index in 0..entry.count {
            let name = called(&entry.name.name, entry.written, index);
            all.push(next);
            if entry.written > 1 {
                into.insert(name, vec![next]);
            }
            next = next.saturating_add(1);
        }
        if into.insert(entry.name.name.clone(), all).is_some() {
            wrong.push(Mistake {
                line: Some(entry.name.line),
                what: format!("the name `{}` is there twice", entry.name.name),
                hint: "choose another".to_owned(),
            });
        }
    }
    next
}

impl Names {
    /// The names of this form in this size, and those that are there twice.
    pub(crate) fn new(form: &Form, sizes: &Sizes) -> (Self, Vec<Mistake>) {
        let mut names = Self::default();
        let mut wrong = Vec::new();
        let entry = |name, written, count| Entry {
            name,
            written,
            count,
        };
        let sites = form.sites.iter().zip(&sizes.sites);
        let sites: Vec<Entry<'_>> = sites.map(|(s, n)| entry(&s.name, s.copies, *n)).collect();
        let cores = form
            .cores
            .iter()
            .map(|core| &core.machine)
            .zip(&sizes.cores);
        let cores: Vec<Entry<'_>> = cores.map(|(m, n)| entry(&m.name, m.count, *n)).collect();
        let people = form
            .people
            .iter()
            .map(|group| &group.machine)
            .zip(&sizes.people);
        let people: Vec<Entry<'_>> = people.map(|(m, n)| entry(&m.name, m.count, *n)).collect();
        let topics = form.topics.iter().zip(&sizes.topics);
        let topics: Vec<Entry<'_>> = topics.map(|(t, n)| entry(&t.name, t.count, *n)).collect();
        fill(&mut names.sites, &sites, 0, &mut wrong);
        let first = fill(&mut names.cores, &cores, 0, &mut wrong);
        let end = fill(&mut names.people, &people, first, &mut wrong);
        fill(&mut names.topics, &topics, 0, &mut wrong);
        for entry in people.iter().chain(&cores) {
            let name = &entry.name.name;
            let both = names.cores.contains_key(name) && names.people.contains_key(name);
            if both || names.sites.contains_key(name) || is_word(name) {
                wrong.push(Mistake {
                    line: Some(entry.name.line),
                    what: format!("the name `{name}` means something else already"),
                    hint: "choose another".to_owned(),
                });
            }
        }
        names.everybody = (0..end).collect();
        names.cores.insert("cores".to_owned(), (0..first).collect());
        names
            .people
            .insert("people".to_owned(), (first..end).collect());
        (names, wrong)
    }

    /// Whom a name means.
    pub(crate) fn find(&self, kind: Kind, named: &Named) -> Result<&[u32], Mistake> {
        let name = named.name.as_str();
        let found = match kind {
            Kind::Site => self.sites.get(name),
            Kind::Core => self.cores.get(name),
            Kind::Person => self.people.get(name),
            Kind::Topic => self.topics.get(name),
            Kind::Node => self.node(name),
            Kind::Place => self.sites.get(name).or_else(|| self.node(name)),
        };
        if let Some(found) = found.filter(|found| !found.is_empty()) {
            return Ok(found);
        }
        Err(Mistake {
            line: Some(named.line),
            what: format!("there is no {} `{name}`", kind.word()),
            hint: meant(name, self.known(kind).into_iter()),
        })
    }

    fn node(&self, name: &str) -> Option<&Vec<u32>> {
        if name == "everybody" {
            return Some(&self.everybody);
        }
        self.people.get(name).or_else(|| self.cores.get(name))
    }

    fn known(&self, kind: Kind) -> Vec<&str> {
        let (sites, cores, people) = (self.sites.keys(), self.cores.keys(), self.people.keys());
        let names: Vec<&String> = match kind {
            Kind::Site => sites.collect(),
            Kind::Core => cores.collect(),
            Kind::Person => people.collect(),
            Kind::Topic => self.topics.keys().collect(),
            Kind::Node => people.chain(cores).collect(),
            Kind::Place => sites.chain(people).chain(cores).collect(),
        };
        let names = names.into_iter().map(String::as_str);
        match kind {
            Kind::Node | Kind::Place => names.chain(["everybody"]).collect(),
            Kind::Site | Kind::Core | Kind::Person | Kind::Topic => names.collect(),
        }
    }

    /// Everybody whom these names mean, each once.
    pub(crate) fn all(&self, kind: Kind, named: &[Named]) -> Result<Vec<u32>, Mistake> {
        let mut all = Vec::new();
        let mut seen = BTreeSet::new();
        for named in named {
            // A group that is there ten thousand times is one.
            if seen.insert(&named.name) {
                all.extend_from_slice(self.find(kind, named)?);
            }
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// Whether a name means a site.
    pub(crate) fn is_site(&self, named: &Named) -> bool {
        self.sites.contains_key(&named.name)
    }

    /// Every reference of the form that leads nowhere.
    pub(crate) fn check(&self, form: &Form) -> Vec<Mistake> {
        let mut references = references(form);
        references.sort_by_key(|(_, named)| named.line);
        let found = references
            .into_iter()
            .map(|(kind, named)| self.find(kind, named));
        // To look for what was meant takes long where there are many names.
        found.filter_map(Result::err).take(MAX_MISTAKES).collect()
    }
}

fn is_word(name: &str) -> bool {
    ["everybody", "people", "cores"].contains(&name)
}

/// Everything that refers to something else.
fn references(form: &Form) -> Vec<(Kind, &Named)> {
    let mut all: Vec<(Kind, &Named)> = Vec::new();
    all.extend(
        form.cores
            .iter()
            .map(|core| (Kind::Site, &core.machine.site)),
    );
    for group in &form.people {
        all.push((Kind::Site, &group.machine.site));
        all.extend(group.cores.iter().map(|named| (Kind::Core, named)));
    }
    for topic in &form.topics {
        let people = topic.founder.iter().chain(&topic.members);
        let people = people.chain(&topic.readers);
        all.extend(people.map(|named| (Kind::Person, named)));
    }
    for messages in form.messages.iter().chain(&form.files) {
        all.extend(messages.who.iter().map(|named| (Kind::Person, named)));
        all.extend(messages.topics.iter().map(|named| (Kind::Topic, named)));
    }
    for mail in &form.mails {
        let people = mail.who.iter().chain(&mail.to);
        all.extend(people.map(|named| (Kind::Person, named)));
    }
    for change in &form.changes {
        all.extend(change.who.iter().map(|named| (Kind::Person, named)));
        all.extend(change.to.iter().map(|named| (Kind::Core, named)));
    }
    for device in &form.devices {
        all.extend(device.who.iter().map(|named| (Kind::Person, named)));
    }
    for leave in &form.leaves {
        all.extend(leave.who.iter().map(|named| (Kind::Person, named)));
        all.push((Kind::Topic, &leave.topic));
    }
    for giving in &form.giving {
        let people = giving.who.iter().chain(&giving.whom);
        all.extend(people.map(|named| (Kind::Person, named)));
        all.push((Kind::Topic, &giving.topic));
    }
    let trouble = &form.trouble;
    let victims = (trouble.mishaps.iter().map(|form| &form.victims))
        .chain(trouble.backups.iter().map(|form| &form.victims))
        .chain(trouble.clones.iter().map(|form| &form.victims))
        .chain(trouble.clocks.iter().map(|form| &form.victims))
        .chain(trouble.liars.iter().map(|form| &form.victims));
    all.extend(
        victims
            .flat_map(|victims| &victims.who)
            .map(|named| (Kind::Node, named)),
    );
    for cut in &trouble.cuts {
        let ends = std::iter::once(&cut.from).chain(&cut.to);
        all.extend(ends.map(|named| (Kind::Place, named)));
    }
    for tear in &trouble.tears {
        all.extend([(Kind::Node, &tear.a), (Kind::Node, &tear.b)]);
    }
    all.extend(
        trouble
            .weather
            .iter()
            .map(|weather| (Kind::Site, &weather.site)),
    );
    for raid in &trouble.raids {
        all.extend(raid.who.iter().map(|named| (Kind::Person, named)));
        all.extend(raid.on.iter().map(|named| (Kind::Node, named)));
    }
    for travel in &trouble.travels {
        all.extend(travel.who.iter().map(|named| (Kind::Node, named)));
        all.extend(travel.stops.iter().map(|(_, named)| (Kind::Site, named)));
    }
    all.retain(|(_, named)| !named.name.is_empty());
    all
}
