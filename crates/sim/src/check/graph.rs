//! A topic as it lies on a disk, held against the rules.
//!
//! Each envelope against those of admission: what is a matter of its chain and of what it names is
//! looked at here, all else by [giving it](super::replay) to a fresh graph under the law. All of them
//! together against the models: what follows from [how far authors stand](super::bounded), and, in a
//! topic in which nothing was given or taken back but invites, from [forks](super::model) alone.
//!
//! The rows are read here on their own, not through `lace`. A signature that somebody has checked
//! once is not checked again.

use super::bounded::{self, Bound, Known, Limit};
use super::holdings::{genesis, look, rows_of};
use super::model::{Act, Graph, Node, Outcome, Set, Wording};
use super::replay::{self, Limited, Material, Replayed, Standing, evidence, replay};
use super::replicas::{Overview, Replica};
use super::{Broken, Everybody};
use crate::plan::TopicNo;
use identity::{EnvelopeId, GrantId, PublicKey, TopicId};
use lace::{Bounds, Cut, Lace, rows};
use machine::{Base, Staged};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use wire::{Checked, Class, Evidence, Genesis, Header, Item, Raw};

/// The name of the promise.
pub(crate) const PROMISE: &str = "model";

/// In worlds of at most so many nodes every replica is looked at; in greater ones, one of each set
/// of members that hold the same.
const FEW: usize = 64;
/// Envelopes that a report names.
const NAMED: usize = 5;
/// The kinds of items that give and take nothing but invites: what the smallest model speaks of.
const PLAIN: [u8; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 12, 13];
/// Bytes before the proof in a header's row: the place.
const BEFORE_PROOF: usize = 8;
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
    raw: Raw,
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
    let mut told = Told::default();
    for replica in overview.replicas(topic) {
        let is_new = few || members.contains(&replica.at);
        if is_new && (few || seen.insert(replica.placed)) {
            broken.extend(check_one(overview, topic, replica, &mut told));
        }
    }
    broken
}

/// What was said of topics that were played again, by what was held of them.
#[derive(Default)]
pub(crate) struct Told(BTreeMap<Vec<EnvelopeId>, Vec<Retold>>);

/// With which evidence, and what was said then.
type Retold = (Vec<Checked<Evidence>>, Rc<Judged>);

/// What a topic comes to.
struct Judged {
    replayed: Replayed,
    effective: Set,
    kept: Set,
    /// What is wrong, wherever this is held.
    wrong: Vec<String>,
}

fn check_one(
    overview: &Overview<'_>,
    topic: TopicNo,
    replica: &Replica,
    told: &mut Told,
) -> Vec<Broken> {
    let disk = overview.node(replica.at).disk;
    let wrong = wrong(disk, replica.local, told);
    let name = overview.topic_name(topic);
    let broken = wrong.into_iter().take(NAMED);
    broken
        .map(|what| note(overview.everybody, replica.at, format!("in {name}: {what}")))
        .collect()
}

/// What is wrong with a topic on a disk.
pub(crate) fn wrong(disk: &dyn Base, local: u32, told: &mut Told) -> Vec<String> {
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
    if !wrong.is_empty() {
        return wrong;
    }
    let judged = on_disk.judged(evidence(disk, local), told);
    wrong.extend(judged.wrong.iter().cloned());
    if wrong.is_empty() {
        let compared = look(disk, local, |lace, store| {
            on_disk.compare((lace, store), &judged)
        });
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
            let (mut items, mut body) = (Vec::new(), None);
            if header.class == Class::Control {
                let at = [&local.to_be_bytes()[..], &key].concat();
                let said = disk.get(rows::BODY, &at).ok()??;
                items = wire::decode_items(&said).ok()?;
                body = Some(said);
            }
            let proof = row.get(BEFORE_PROOF..BEFORE_HEADER)?.first_chunk()?;
            all.push(Stored {
                id: Header::id_of(bytes),
                place: u64::from_be_bytes(*row.first_chunk()?),
                header,
                items,
                raw: replay::raw(*proof, bytes, body),
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
        match self.before(header) {
            Some(before) => Self::follows(header, &self.all[before].header),
            None => {
                let begins = header.number == 1 && header.previous == *self.topic.as_bytes();
                (!begins).then(|| "it begins a chain, and is not number 1".to_owned())
            }
        }
    }

    fn follows(header: &Header, before: &Header) -> Option<String> {
        let right = before.author == header.author
            && before.number + 1 == header.number
            && before.created <= header.created
            && before.grant == header.grant;
        (!right).then(|| "it does not follow the envelope before it".to_owned())
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

    /// What all that lies here comes to; played again where that was not done before.
    fn judged(&self, evidence: Vec<Checked<Evidence>>, told: &mut Told) -> Rc<Judged> {
        let ids: Vec<EnvelopeId> = self.all.iter().map(|stored| stored.id).collect();
        let known = told.0.entry(ids).or_default();
        if let Some((_, judged)) = known.iter().find(|(with, _)| *with == evidence) {
            return Rc::clone(judged);
        }
        let replayed = replay(Material {
            genesis: self.genesis.clone(),
            envelopes: self.all.iter().map(|stored| stored.raw.clone()).collect(),
            evidence: evidence.clone(),
        });
        let judged = Rc::new(self.held_against(replayed));
        known.push((evidence, Rc::clone(&judged)));
        judged
    }

    /// Holds what a fresh graph says against the models.
    fn held_against(&self, replayed: Replayed) -> Judged {
        let refused = replayed.refused.iter().take(NAMED);
        let mut wrong: Vec<String> = refused
            .map(|(id, why)| format!("{id} was admitted, and the law says {why}"))
            .collect();
        let graph = self.graph();
        let known = self.known(&replayed);
        let (effective, kept) = bounded::judge(&graph, &known);
        if wrong.is_empty() {
            wrong.extend(self.differs(&replayed, (&kept, &effective)));
        }
        let mut items = self.all.iter().flat_map(|stored| &stored.items);
        if wrong.is_empty() && items.all(|item| PLAIN.contains(&item.kind())) {
            let Outcome {
                effective: stands,
                kept: stays,
                ..
            } = self.by_forks(&graph, &replayed);
            if (&stands, &stays) != (&effective, &kept) {
                wrong.push("what stands is not what follows from its forks".to_owned());
            }
        }
        Judged {
            replayed,
            effective,
            kept,
            wrong,
        }
    }

    /// Where a fresh graph differs from what follows from how far authors stand.
    fn differs(&self, replayed: &Replayed, (kept, effective): (&Set, &Set)) -> Option<String> {
        let mut all = self.all.iter().enumerate();
        all.find_map(|(place, stored)| {
            let own = (
                replayed.kept.contains(&stored.id),
                replayed.effective.contains(&stored.id),
            );
            let model = (kept.contains(&place), effective.contains(&place));
            let (id, own) = (stored.id, (own != model).then(|| say(own))?);
            Some(format!(
                "in a fresh graph {id} is {own}, and should be {}",
                say(model)
            ))
        })
    }

    /// What the smallest model says of this set.
    fn by_forks(&self, graph: &Graph, replayed: &Replayed) -> Outcome {
        let forks = replayed.forks.iter();
        let evidence = forks
            .filter_map(|(author, number)| Some((*self.authors.get(author)?, *number)))
            .collect();
        let set: Set = (0..self.all.len()).collect();
        graph.judge(&set, &evidence, Wording::TODAY)
    }

    /// How far authors stand, by places.
    fn known(&self, replayed: &Replayed) -> Known {
        let limits = replayed.limits.iter().filter_map(|(author, limits)| {
            let limits = limits.iter().filter_map(|limit| self.limit(author, limit));
            Some((*self.authors.get(author)?, limits.collect()))
        });
        let forks = replayed.forks.iter();
        let forks = forks.filter_map(|(author, from)| Some((*self.authors.get(author)?, *from)));
        let pinned = replayed.pinned.iter();
        Known {
            limits: limits.collect(),
            forks: forks.collect(),
            pinned: pinned
                .filter_map(|id| self.places.get(id))
                .copied()
                .collect(),
        }
    }

    /// Nothing for chains of which nothing is here.
    fn limit(&self, author: &PublicKey, limit: &Limited) -> Option<Limit> {
        let first = match &limit.first {
            Some(first) => Some(*self.places.get(first)?),
            None => None,
        };
        let ends = |ids: &[EnvelopeId]| -> Set {
            let places = ids.iter().filter_map(|id| self.places.get(id)).copied();
            let own = |place: &usize| self.all[*place].header.author == *author;
            places.filter(own).collect()
        };
        let cuts = |cuts: &[Cut]| cuts.iter().map(|cut| ends(&cut.ends)).collect();
        let bound = |bounds: &Bounds| Bound {
            hard: cuts(&bounds.hard),
            soft: cuts(&bounds.soft),
            forgiven: bounds.forgiven,
            branches: ends(&bounds.branches),
        };
        Some(Limit {
            first,
            content: bound(&limit.content),
            control: bound(&limit.control),
        })
    }

    /// Where a lace differs from what all that it holds comes to.
    fn compare(&self, (lace, store): (&Lace, &mut Staged<'_>), judged: &Judged) -> Vec<String> {
        if lace.has_work() {
            return Vec::new();
        }
        let mut wrong: Vec<String> = self.misplaced(&judged.kept).into_iter().collect();
        let closed = replay::closed(lace);
        if closed != judged.replayed.closed {
            let should = &judged.replayed.closed;
            wrong.push(format!("{closed:?} are closed, and should be {should:?}"));
        }
        let standing = Standing::of(&lace.held_effect(store));
        let differs = standing.differs(&judged.replayed.standing);
        wrong.extend(differs.map(|what| format!("its rows say {what}")));
        for (place, stored) in self.all.iter().enumerate() {
            let own = (
                lace.kept(store, &stored.id),
                lace.effective(store, &stored.id),
            );
            let model = (
                judged.kept.contains(&place),
                judged.effective.contains(&place),
            );
            if own != model {
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

/// What an envelope is, kept and effective, in words.
const fn say((kept, effective): (bool, bool)) -> &'static str {
    match (kept, effective) {
        (true, true) => "effective",
        (true, false) => "kept, but void",
        (false, _) => "void",
    }
}
