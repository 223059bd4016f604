//! A topic as it lies on a disk, held against the rules: each envelope against those of admission,
//! all of them together against the [model](super::model).
//!
//! The rows are read here on their own, not through `lace`. A signature that somebody has checked
//! once is not checked again.

use super::holdings::{genesis, look, rows_of};
use super::model::{Act, Graph, Node, Outcome, Set, Wording};
use super::replicas::{Overview, Replica};
use super::{Broken, Everybody};
use crate::plan::TopicNo;
use identity::{EnvelopeId, GrantId, PublicKey, TopicId};
use lace::limits::{FREE_INCARNATIONS, WEEK_MS};
use lace::{Lace, rows};
use machine::{Base, Staged};
use std::collections::{BTreeMap, BTreeSet};
use wire::{Class, Genesis, Header, Invite, Item};

/// The name of the promise.
pub(crate) const PROMISE: &str = "model";

/// In worlds of at most so many nodes every replica is looked at; in greater ones, one of each set
/// of members that hold the same.
const FEW: usize = 64;
/// Envelopes that a report names.
const NAMED: usize = 5;
/// The greatest kind of item that the rules judge.
const NEWEST_KIND: u8 = 7;
/// Bytes before the header in a header's row: place and proof.
const BEFORE_HEADER: usize = 72;

/// An envelope on a disk.
#[derive(Debug)]
struct Stored {
    id: EnvelopeId,
    /// Its place in the local order.
    place: u64,
    header: Header,
    items: Vec<Item>,
}

/// A topic on a disk, in causal order as far as it is right.
#[derive(Debug)]
pub(crate) struct OnDisk {
    topic: TopicId,
    genesis: Genesis,
    all: Vec<Stored>,
    places: BTreeMap<EnvelopeId, usize>,
    authors: BTreeMap<PublicKey, u32>,
}

/// Looks at the replicas of a topic.
pub(crate) fn check(overview: &Overview<'_>, topic: TopicNo) -> Vec<Broken> {
    let everybody = overview.everybody;
    let few = everybody.nodes.len() <= FEW;
    let members: BTreeSet<usize> = overview.members(topic).into_iter().collect();
    let mut seen = BTreeSet::new();
    let mut broken = Vec::new();
    for replica in overview.replicas(topic) {
        let is_new = few || members.contains(&replica.at);
        if is_new && (few || seen.insert(replica.placed)) {
            broken.extend(check_one(overview, topic, replica));
        }
    }
    broken
}

fn check_one(overview: &Overview<'_>, topic: TopicNo, replica: &Replica) -> Vec<Broken> {
    let disk = overview.node(replica.at).disk;
    let wrong = wrong(disk, replica.local);
    let name = overview.topic_name(topic);
    let broken = wrong.into_iter().take(NAMED);
    broken
        .map(|what| note(overview.everybody, replica.at, format!("in {name}: {what}")))
        .collect()
}

/// What is wrong with a topic on a disk.
pub(crate) fn wrong(disk: &dyn Base, local: u32) -> Vec<String> {
    let Some(on_disk) = OnDisk::read(disk, local) else {
        return vec!["its rows cannot be read".to_owned()];
    };
    let mut wrong: Vec<String> = Vec::new();
    for (place, stored) in on_disk.all.iter().enumerate() {
        if let Some(rule) = on_disk.breaks(place) {
            let (id, number) = (stored.id, stored.header.number);
            wrong.push(format!("{id}, number {number}, was admitted: {rule}"));
        }
    }
    if wrong.is_empty() {
        let compared = look(disk, local, |lace, store| on_disk.compare(lace, store));
        wrong.extend(compared.into_iter().flatten());
    }
    wrong
}

fn note(everybody: &Everybody<'_>, at: usize, what: String) -> Broken {
    Broken {
        promise: PROMISE,
        at_us: everybody.now.as_micros(),
        node: Some(everybody.nodes[at].no),
        what,
    }
}

impl OnDisk {
    /// Reads a topic.
    pub(crate) fn read(disk: &dyn Base, local: u32) -> Option<Self> {
        let genesis = genesis(disk, None, local)?;
        let mut all = Vec::new();
        for (key, row) in rows_of(disk, rows::HEADER, local) {
            let bytes = row.get(BEFORE_HEADER..)?;
            let header = wire::decode_header(bytes).ok()?;
            let mut items = Vec::new();
            if header.class == Class::Control {
                let at = [&local.to_be_bytes()[..], &key].concat();
                let body = disk.get(rows::BODY, &at).ok()??;
                items = wire::decode_items(&body).ok()?;
            }
            all.push(Stored {
                id: Header::id_of(bytes),
                place: u64::from_be_bytes(*row.first_chunk()?),
                header,
                items,
            });
        }
        all.sort_by_key(|stored| (stored.header.generation, stored.id));
        let places = all.iter().zip(0..).map(|(stored, at)| (stored.id, at));
        let keys: BTreeSet<PublicKey> = all.iter().map(|stored| stored.header.author).collect();
        Some(Self {
            topic: genesis.topic_id(),
            genesis,
            places: places.collect(),
            authors: keys.into_iter().zip(0..).collect(),
            all,
        })
    }

    /// The rule of admission that an envelope breaks.
    fn breaks(&self, place: usize) -> Option<String> {
        let stored = &self.all[place];
        let header = &stored.header;
        let mut highest = 0;
        for id in self.named(header) {
            let Some(at) = self.places.get(&id).filter(|at| **at < place) else {
                return Some(format!("it names {id}, which is not here"));
            };
            highest = highest.max(self.all[*at].header.generation);
        }
        if header.topic() != Some(self.topic) || header.class == Class::Live {
            return Some("it does not belong here".to_owned());
        }
        if header.generation != highest + 1 {
            return Some(
                "its generation is not one more than the highest that it names".to_owned(),
            );
        }
        if stored.items.iter().any(|item| item.kind() > NEWEST_KIND) {
            return Some("it has an item that no rule judges".to_owned());
        }
        let founder_only = |item: &Item| matches!(item, Item::Invite(_) | Item::Title(_));
        if stored.items.iter().any(founder_only)
            && self.device(place) != Some(self.genesis.founder())
        {
            return Some("it invites or gives a title, and is not the founder's".to_owned());
        }
        match self.before(header) {
            Some(before) => Self::follows(header, &self.all[before].header),
            None => self.begins(stored),
        }
    }

    fn follows(header: &Header, before: &Header) -> Option<String> {
        let right = before.author == header.author
            && before.number + 1 == header.number
            && before.created <= header.created
            && before.grant == header.grant;
        (!right).then(|| "it does not follow the envelope before it".to_owned())
    }

    /// What is wrong with the first envelope of a chain.
    fn begins(&self, stored: &Stored) -> Option<String> {
        let header = &stored.header;
        let Some(Item::Certificate(certificate)) = stored.items.first() else {
            return Some("it begins a chain without a certificate".to_owned());
        };
        if header.number != 1
            || header.previous != *self.topic.as_bytes()
            || certificate.author != header.author
            || certificate.verify(self.topic).is_err()
        {
            return Some("its certificate is not for its author".to_owned());
        }
        let claim = match stored.items.get(1) {
            Some(Item::Claim(claim)) => Some(claim),
            _ => None,
        };
        let began = if certificate.device == self.genesis.founder() {
            if claim.is_some() || header.grant.as_bytes() != self.topic.as_bytes() {
                return Some("the founder writes under somebody's invite".to_owned());
            }
            self.genesis.epoch.start
        } else {
            let Some(claim) = claim else {
                return Some("it claims no invite".to_owned());
            };
            let Some((began, invite)) = self.invite(header, &claim.grant) else {
                return Some("it names no envelope with the invite that it claims".to_owned());
            };
            let right = claim.grant == header.grant
                && claim.device == certificate.device
                && claim.invite == invite.key
                && claim.time <= invite.until
                && claim.verify(self.topic).is_ok();
            if !right {
                return Some("its claim is not one of the invite".to_owned());
            }
            began
        };
        let weeks = header.created.saturating_sub(began) / WEEK_MS;
        let over = u64::from(certificate.index) > FREE_INCARNATIONS + weeks;
        over.then(|| "its device has had too many authors".to_owned())
    }

    fn named<'a>(&self, header: &'a Header) -> impl Iterator<Item = EnvelopeId> + use<'a> {
        let before = (header.number > 1).then(|| EnvelopeId::from_bytes(header.previous));
        before.into_iter().chain(header.deps.iter().copied())
    }

    fn before(&self, header: &Header) -> Option<usize> {
        if header.number == 1 {
            return None;
        }
        self.places
            .get(&EnvelopeId::from_bytes(header.previous))
            .copied()
    }

    /// The device that certified the chain of an envelope.
    fn device(&self, place: usize) -> Option<PublicKey> {
        let mut at = place;
        while let Some(before) = self.before(&self.all[at].header) {
            // Each is before the one that names it, or the graph is broken and told so.
            if before >= at {
                return None;
            }
            at = before;
        }
        match self.all[at].items.first() {
            Some(Item::Certificate(certificate)) => Some(certificate.device),
            _ => None,
        }
    }

    /// The invite of this grant that an envelope names, of several the first, and since when it is.
    fn invite(&self, header: &Header, grant: &GrantId) -> Option<(u64, Invite)> {
        let carriers = header.deps.iter().filter_map(|dep| self.places.get(dep));
        let invites = carriers.flat_map(|at| {
            let stored = &self.all[*at];
            let items = stored.items.iter().map(move |item| (stored, item));
            items.filter_map(|(stored, item)| match item {
                Item::Invite(invite) if item.id() == *grant => {
                    Some((stored.header.created, stored.id, *invite))
                }
                _ => None,
            })
        });
        let first = invites.min_by_key(|(began, id, _)| (*began, *id))?;
        Some((first.0, first.2))
    }

    /// The same as the model has it.
    fn graph(&self) -> Graph {
        let mut graph = Graph::default();
        let mut granted: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for stored in self.all.iter().filter(|stored| stored.header.number == 1) {
            let author = self.authors[&stored.header.author];
            match stored.items.get(1) {
                Some(Item::Claim(claim)) => {
                    for dep in &stored.header.deps {
                        if let Some(at) = self.places.get(dep)
                            && self.carries(*at, &claim.grant)
                        {
                            granted.entry(*at).or_default().push(author);
                        }
                    }
                }
                _ => {
                    graph.roots.insert(author);
                }
            }
        }
        for (place, stored) in self.all.iter().enumerate() {
            let header = &stored.header;
            let deps = header.deps.iter().filter_map(|dep| self.places.get(dep));
            let lets_in = |item: &Item| matches!(item, Item::Invite(_));
            let act = match (header.class, granted.remove(&place)) {
                (Class::Content | Class::Live, _) => Act::Content,
                (Class::Control, Some(authors)) => Act::Grant(authors),
                (Class::Control, None) if stored.items.iter().any(lets_in) => {
                    Act::Grant(Vec::new())
                }
                (Class::Control, None) => Act::Control,
            };
            graph.nodes.push(Node {
                author: self.authors[&header.author],
                number: header.number,
                previous: self.before(header),
                deps: deps.copied().collect(),
                act,
            });
        }
        graph
    }

    fn carries(&self, place: usize, grant: &GrantId) -> bool {
        let mut items = self.all[place].items.iter();
        items.any(|item| matches!(item, Item::Invite(_)) && item.id() == *grant)
    }

    /// What stands in the local order before something that it names, though both are kept.
    fn misplaced(&self, kept: &Set) -> Option<String> {
        kept.iter().find_map(|place| {
            let stored = &self.all[*place];
            let late = self.named(&stored.header).find(|id| {
                let named = self.places.get(id).filter(|at| kept.contains(at));
                named.is_some_and(|at| self.all[*at].place >= stored.place)
            })?;
            let (id, own) = (stored.id, stored.place);
            Some(format!(
                "{id} has the place {own}, before {late}, which it names"
            ))
        })
    }

    /// What the model says of this set, with the evidence that a lace has.
    fn judged(&self, lace: &Lace) -> Outcome {
        let known = lace.forks();
        let evidence = known
            .filter_map(|(author, seen)| Some((*self.authors.get(author)?, seen.number)))
            .collect();
        let graph = self.graph();
        let set: Set = (0..self.all.len()).collect();
        graph.judge(&set, &evidence, Wording::TODAY)
    }

    /// Where a lace differs from the model.
    fn compare(&self, lace: &Lace, store: &mut Staged<'_>) -> Vec<String> {
        if lace.has_work() {
            return Vec::new();
        }
        let outcome = self.judged(lace);
        let mut wrong: Vec<String> = self.misplaced(&outcome.kept).into_iter().collect();
        for (key, author) in &self.authors {
            let (own, model) = (
                lace.author(key).and_then(lace::Author::closed),
                outcome.forks.get(author).copied(),
            );
            if own != model {
                wrong.push(format!(
                    "{key:?} is closed from {own:?}, and should be from {model:?}"
                ));
            }
        }
        for (place, stored) in self.all.iter().enumerate() {
            let own = (
                lace.kept(store, &stored.id),
                lace.effective(store, &stored.id),
            );
            let model = (
                outcome.kept.contains(&place),
                outcome.effective.contains(&place),
            );
            if own != model {
                let say = |(kept, effective): (bool, bool)| match (kept, effective) {
                    (true, true) => "effective",
                    (true, false) => "kept, but void",
                    (false, _) => "void",
                };
                let (id, number) = (stored.id, stored.header.number);
                wrong.push(format!(
                    "{id}, number {number}, is {}, and should be {}",
                    say(own),
                    say(model)
                ));
            }
        }
        wrong
    }
}
