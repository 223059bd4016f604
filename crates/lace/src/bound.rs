//! How far each author stands: what an effect says of it, and its fork, as one bound.
//!
//! A bound makes each envelope of an author *firm*, *loose* or *void*. What is firm is effective and
//! holds up what it names; what is loose is effective if it is content that something firm has in
//! its past; what is void is not effective, whoever names it.

use crate::effect::{Bounds, Cut, Effect, Limit};
use crate::fact::{AuthorNo, FactNo};
use crate::lace::{Lace, Node};
use crate::rows::{self, Bytes};
use identity::EnvelopeId;
use identity::seal::kdf;
use machine::Staged;
use machine::planted::{Bug, is};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::Class;

/// What a bound makes of an envelope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    Firm,
    Loose(Option<FactNo>),
    Void(Option<FactNo>),
}

/// The name of a bound: equal for equal bounds alone. All zeros for none.
pub(crate) type Hash = [u8; 16];

/// A bound whose ids have been looked up: of each cut, what is this author's.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) hash: Hash,
    fork: Option<u64>,
    /// Everything with a lower number is firm, and lies on one chain.
    pub(crate) lowest: u64,
    limits: Vec<ChainLimit>,
}

#[derive(Clone, Debug)]
struct ChainLimit {
    /// The envelope number 1 that is meant, or all.
    first: Option<Node>,
    content: Found,
    control: Found,
}

#[derive(Clone, Debug)]
struct Found {
    hard: Vec<Reach>,
    soft: Vec<Reach>,
    forgiven: bool,
    branches: Vec<Node>,
}

#[derive(Clone, Debug)]
struct Reach {
    ends: Vec<Node>,
    by: Option<FactNo>,
}

/// Envelopes that cuts name, looked up once for all authors.
pub(crate) type Ends = BTreeMap<EnvelopeId, Option<Node>>;

impl Found {
    fn reaches(&self) -> impl Iterator<Item = &Reach> {
        self.hard.iter().chain(&self.soft)
    }
}

impl Reach {
    fn covers(&self, lace: &Lace, store: &mut Staged<'_>, node: &Node) -> bool {
        covers(lace, store, &self.ends, node)
    }

    fn highest(&self) -> u64 {
        self.ends.iter().map(|end| end.number).max().unwrap_or(0)
    }
}

fn covers(lace: &Lace, store: &mut Staged<'_>, ends: &[Node], node: &Node) -> bool {
    if is(Bug::RevokedByNumber) {
        return ends.iter().any(|end| node.number <= end.number);
    }
    ends.iter().any(|end| lace.is_on_chain(store, node, end))
}

impl Target {
    /// What becomes of an envelope of the author.
    pub(crate) fn status(
        &self,
        lace: &Lace,
        store: &mut Staged<'_>,
        node: &Node,
        class: Class,
    ) -> Status {
        let forked = self.fork.is_some_and(|fork| node.number >= fork);
        let meant = |limit: &&ChainLimit, store: &mut Staged<'_>| {
            let first = limit.first.as_ref();
            first.is_none_or(|first| lace.is_on_chain(store, first, node))
        };
        let limit = self.limits.iter().find(|limit| meant(limit, store));
        let Some(limit) = limit else {
            return if forked {
                Status::Loose(None)
            } else {
                Status::Firm
            };
        };
        let found = match class {
            Class::Content | Class::Live => &limit.content,
            Class::Control => &limit.control,
        };
        let outside = |reach: &&Reach, store: &mut Staged<'_>| !reach.covers(lace, store, node);
        if let Some(reach) = found.hard.iter().find(|reach| outside(reach, store))
            && !is(Bug::RevocationIgnored)
        {
            return Status::Void(reach.by);
        }
        if let Some(reach) = found.soft.iter().find(|reach| outside(reach, store)) {
            return Status::Loose(reach.by);
        }
        if forked && !found.forgiven && !covers(lace, store, &found.branches, node) {
            return Status::Loose(None);
        }
        Status::Firm
    }

    /// Whether nothing that is not here yet can be firm with this number and class: no cut names
    /// what was not in the past of who made it.
    pub(crate) fn is_over(&self, number: u64, class: Class) -> bool {
        let forked = self.fork.is_some_and(|fork| number >= fork);
        forked
            || self.limits.iter().any(|limit| {
                let found = match class {
                    Class::Content | Class::Live => &limit.content,
                    Class::Control => &limit.control,
                };
                found.reaches().next().is_some()
            })
    }

    fn find_lowest(&mut self) {
        let fork = self.fork.unwrap_or(u64::MAX);
        let classes = self
            .limits
            .iter()
            .flat_map(|limit| [&limit.content, &limit.control]);
        let reaches = classes.flat_map(Found::reaches);
        // Below a fork there is one chain: an end beyond it leaves all of that.
        let ends = reaches.map(|reach| reach.highest().saturating_add(1));
        self.lowest = ends.fold(fork, u64::min);
    }
}

impl Lace {
    /// The bound that an effect and the evidence give an author; nothing if it has none.
    pub(crate) fn target_of(
        &self,
        store: &mut Staged<'_>,
        effect: &Effect,
        no: u32,
        ends: &mut Ends,
    ) -> Option<Target> {
        let key = self.by_no(no)?.key;
        let fork = self.seen.get(&key).map(|seen| seen.number);
        let limits = effect.limits.get(&AuthorNo(no));
        let limits = limits.map_or(&[][..], Vec::as_slice);
        let bounded = limits.iter().any(|limit| {
            let cuts = |bounds: &Bounds| !bounds.hard.is_empty() || !bounds.soft.is_empty();
            cuts(&limit.content) || cuts(&limit.control)
        });
        if fork.is_none() && !bounded {
            return None;
        }
        let mut target = Target {
            hash: hash_of(fork, limits),
            fork,
            lowest: 0,
            limits: Vec::with_capacity(limits.len()),
        };
        for limit in limits {
            let first = match &limit.first {
                Some(first) => match self.end(store, no, first, ends) {
                    Some(node) => Some(node),
                    // Nothing of that chain is here.
                    None => continue,
                },
                None => None,
            };
            target.limits.push(ChainLimit {
                first,
                content: self.found(store, no, &limit.content, ends),
                control: self.found(store, no, &limit.control, ends),
            });
        }
        target.find_lowest();
        Some(target)
    }

    fn found(&self, store: &mut Staged<'_>, no: u32, bounds: &Bounds, ends: &mut Ends) -> Found {
        let mut reach = |cuts: &[Cut]| -> Vec<Reach> {
            let reach = cuts.iter().map(|cut| Reach {
                ends: self.own_ends(store, no, &cut.ends, ends),
                by: cut.by,
            });
            reach.collect()
        };
        let (hard, soft) = (reach(&bounds.hard), reach(&bounds.soft));
        Found {
            hard,
            soft,
            forgiven: bounds.forgiven,
            branches: self.own_ends(store, no, &bounds.branches, ends),
        }
    }

    fn own_ends(
        &self,
        store: &mut Staged<'_>,
        no: u32,
        ids: &[EnvelopeId],
        ends: &mut Ends,
    ) -> Vec<Node> {
        let own = ids.iter().filter_map(|id| self.end(store, no, id, ends));
        own.collect()
    }

    fn end(
        &self,
        store: &mut Staged<'_>,
        no: u32,
        id: &EnvelopeId,
        ends: &mut Ends,
    ) -> Option<Node> {
        let node = *ends.entry(*id).or_insert_with(|| self.node(store, id));
        node.filter(|node| node.author == no)
    }

    /// What becomes of an envelope by the bounds that are known.
    pub(crate) fn status(&self, store: &mut Staged<'_>, node: &Node, class: Class) -> Status {
        match self.targets.get(&node.author) {
            Some(target) => Arc::clone(target).status(self, store, node, class),
            None => Status::Firm,
        }
    }
}

/// The hash of all that says what stands of an author, without local numbers.
fn hash_of(fork: Option<u64>, limits: &[Limit]) -> Hash {
    let mut bytes = fork.unwrap_or(0).to_be_bytes().to_vec();
    let list = |ids: &[EnvelopeId], bytes: &mut Vec<u8>| {
        bytes.extend_from_slice(&len(ids.len()));
        ids.iter()
            .for_each(|id| bytes.extend_from_slice(id.as_bytes()));
    };
    for limit in limits {
        list(limit.first.as_slice(), &mut bytes);
        for bounds in [&limit.content, &limit.control] {
            for cuts in [&bounds.hard, &bounds.soft] {
                bytes.extend_from_slice(&len(cuts.len()));
                cuts.iter().for_each(|cut| list(&cut.ends, &mut bytes));
            }
            bytes.push(u8::from(bounds.forgiven));
            list(&bounds.branches, &mut bytes);
        }
    }
    let mut hash = Hash::default();
    let full: [u8; 32] = kdf("bound", &[&bytes]);
    hash.iter_mut().zip(full).for_each(|(to, from)| *to = from);
    hash
}

fn len(len: usize) -> [u8; 8] {
    u64::try_from(len).unwrap_or(u64::MAX).to_be_bytes()
}

/// How far a bound has been brought to bear on an author's envelopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Applied {
    /// Which bound.
    pub(crate) hash: Hash,
    /// What is left to do.
    pub(crate) step: Step,
}

/// First what falls goes, from the end of the chains down, then what rises comes, from below.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Step {
    #[default]
    Done,
    /// Everything from this row on, or nothing yet, has been looked at; whether any of it rises.
    Down(Option<At>, bool),
    /// Everything up to this row.
    Up(Option<At>),
}

/// A row of an author's envelope: number and branch.
pub(crate) type At = (u64, [u8; 16]);

impl Applied {
    /// `hash 16 ‖ step u8 [‖ number ‖ branch 16]`; the step is 0 done, 1 down, 2 down and some of
    /// it rises, 3 up.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (step, at) = match self.step {
            Step::Done => (0, None),
            Step::Down(at, false) => (1, at),
            Step::Down(at, true) => (2, at),
            Step::Up(at) => (3, at),
        };
        let mut out = self.hash.to_vec();
        out.push(step);
        if let Some((number, branch)) = at {
            out.extend_from_slice(&number.to_be_bytes());
            out.extend_from_slice(&branch);
        }
        out
    }

    pub(crate) fn decode(row: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(row);
        let (hash, step) = (bytes.array()?, bytes.u8()?);
        let at = if bytes.0.is_empty() {
            None
        } else {
            Some((bytes.u64()?, bytes.array()?))
        };
        let step = match step {
            0 => Step::Done,
            1 => Step::Down(at, false),
            2 => Step::Down(at, true),
            3 => Step::Up(at),
            _ => return None,
        };
        Some(Self { hash, step })
    }

    pub(crate) fn key(local: u32, no: u32) -> Vec<u8> {
        rows::key(local, &[b"b", &no.to_be_bytes()])
    }
}
