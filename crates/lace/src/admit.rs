//! Admission: does an envelope belong to the graph? A pure function of the envelope and its causal
//! past, so that every replica answers alike, in whatever order things come.

use crate::fact::{Look, Named, ViewNo};
use crate::lace::{Lace, Node};
use crate::limits::{CLOSE_CHUNK, MAX_AHEAD};
use crate::park::{self, ParkedEnvelope};
use crate::policy::{Admitted, Past, Previous};
use crate::rows::Spot;
use crate::rule::Rule;
use crate::view::PastView;
use identity::{EnvelopeId, PublicKey};
use machine::Staged;
use machine::planted::{Bug, is};
use std::collections::VecDeque;
use wire::{Checked, Class, Envelope, Evidence, Header, Item, Verified};

/// What became of an envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It belongs to the kept set.
    Admitted {
        /// Its place in the local causal order.
        n: u64,
        /// Whether its body is here.
        body: bool,
    },
    /// It is admitted but outside the kept set, since its author is closed from its number on and
    /// nothing that stands names it. It is neither served nor compared; should something name it
    /// later, it is reported as admitted then.
    Void,
    /// It was here already.
    Duplicate {
        /// Whether its body was wanted and came with it.
        body_was_missing: bool,
    },
    /// It waits for its past.
    Parked {
        /// What it waits for.
        missing: Missing,
    },
    /// It would have to wait, and there is no room to wait in, or it lies beyond a fork that is
    /// still being dealt with ([`Lace::work`]). It must be offered again, after its past.
    NoRoom,
    /// It breaks a rule. Those that were parked for want of it are dropped.
    Refused(Rule),
    /// It contradicts another envelope of its author, which closes the author. What became of the
    /// envelope itself is reported apart.
    Fork(Box<Evidence>),
}

/// What a parked envelope waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// The author whose chain lacks the number before, if it does.
    pub chain: Option<(PublicKey, u64)>,
    /// Ids of all envelopes that it names and that are not here.
    pub ids: Vec<EnvelopeId>,
}

/// What a first look at a header says, before anything costly is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Worth a check.
    New,
    /// Worth a check if it was asked for: the author is closed from its number on, so it is void
    /// unless something that stands names it.
    Closed,
    /// Its body is wanted, its header is here.
    BodyWanted,
    /// It is here, or parked.
    Known,
    /// It would have to be parked and there is no room.
    NoRoom,
    /// It breaks a rule.
    Refused(Rule),
}

/// What an envelope names, as far as it is here.
pub(crate) struct Parents {
    pub(crate) previous: Option<Node>,
    pub(crate) deps: Vec<(EnvelopeId, Node)>,
    missing: Vec<EnvelopeId>,
}

impl Parents {
    /// Their views.
    pub(crate) fn views(&self) -> impl Iterator<Item = ViewNo> + '_ {
        let named = self.deps.iter().map(|(_, node)| node);
        named.chain(&self.previous).map(|node| node.view)
    }
}

impl Lace {
    /// Looks at a decoded header whose signature has not been checked: cheap, changes nothing.
    pub fn judge(&self, store: &mut Staged<'_>, id: &EnvelopeId, header: &Header) -> Verdict {
        if let Err(rule) = self.shape(header) {
            return Verdict::Refused(rule);
        }
        if self.park.contains(id) {
            return Verdict::Known;
        }
        if let Some(node) = self.node(store, id) {
            return if self.is_body_missing(store, &Spot::new(node.author, node.number, id)) {
                Verdict::BodyWanted
            } else {
                Verdict::Known
            };
        }
        let author = self.author(&header.author);
        let top = author.map_or(0, |author| author.top);
        if header.number > top.saturating_add(1) {
            let size = usize::try_from(header.body_len).unwrap_or(usize::MAX);
            let known = author.is_some();
            if header.number - top > MAX_AHEAD
                || !self
                    .park
                    .has_room(&header.author, known, header.number, size)
            {
                return Verdict::NoRoom;
            }
        }
        if self.is_over(header) {
            return Verdict::Closed;
        }
        Verdict::New
    }

    /// Takes an envelope that has been checked, and with it whatever was parked for want of it.
    /// Reports on all of them, in causal order. Envelopes that stand again, because one of these
    /// names them, are reported as admitted too.
    pub fn admit(
        &mut self,
        store: &mut Staged<'_>,
        verified: Checked<Verified>,
    ) -> Vec<(EnvelopeId, Admission)> {
        self.admit_noting(store, verified, &mut Vec::new())
    }

    /// As [`Lace::admit`]. Adds to `entered` each envelope that was stored now for the first time,
    /// admitted or void: never one that stands again.
    pub fn admit_noting(
        &mut self,
        store: &mut Staged<'_>,
        verified: Checked<Verified>,
        entered: &mut Vec<EnvelopeId>,
    ) -> Vec<(EnvelopeId, Admission)> {
        let mut report = Vec::new();
        self.know_bounds(store);
        self.go_on(store, CLOSE_CHUNK, &mut report);
        let mut queue = VecDeque::from([verified.into_inner()]);
        while let Some(verified) = queue.pop_front() {
            let id = verified.envelope.id;
            let outcome = self.admit_one(store, verified, &mut report);
            match outcome {
                Admission::Admitted { .. } | Admission::Void => {
                    entered.push(id);
                    queue.extend(self.park.release(&id));
                }
                Admission::Refused(_) => self.park.drop_dependents(&id),
                Admission::Duplicate { .. }
                | Admission::Parked { .. }
                | Admission::NoRoom
                | Admission::Fork(_) => {}
            }
            report.push((id, outcome));
        }
        if self.queued {
            self.clear_queue(store, CLOSE_CHUNK);
        }
        report
    }

    /// Whether whatever is new with this number and class is not firm.
    fn is_over(&self, header: &Header) -> bool {
        let Some(author) = self.author(&header.author) else {
            let seen = self.seen.get(&header.author);
            return seen.is_some_and(|seen| header.number >= seen.number);
        };
        match self.targets.get(&author.no) {
            Some(target) => target.is_over(header.number, header.class),
            None => self.applied.is_none() && author.is_closed_at(header.number),
        }
    }

    /// Envelopes that wait for their past.
    pub fn parked(&self) -> impl Iterator<Item = ParkedEnvelope<'_>> {
        self.park.iter()
    }

    /// Gives up an envelope that is parked: it has to be offered again.
    pub fn unpark(&mut self, id: &EnvelopeId) {
        self.park.take(id);
    }

    /// How many envelopes are parked, and the bytes that they are counted with.
    #[must_use]
    pub fn parked_load(&self) -> (usize, usize) {
        (self.park.len(), self.park.bytes())
    }

    /// Parked envelopes beyond a fork of their author. What lies before them may have been given up
    /// by everybody, so that they would wait for ever.
    #[must_use]
    pub fn parked_beyond_forks(&self) -> Vec<EnvelopeId> {
        let beyond = |parked: &ParkedEnvelope<'_>| {
            let header = &parked.envelope.header;
            let seen = self.seen.get(&header.author);
            seen.is_some_and(|seen| header.number > seen.number)
        };
        let parked = self.park.iter().filter(beyond);
        parked.map(|parked| parked.envelope.id).collect()
    }

    /// Drops one parked envelope. If it is still wanted it has to be offered again.
    pub fn drop_parked_one(&mut self, id: &EnvelopeId) {
        drop(self.park.take(id));
    }

    /// Drops all that is parked. What is still wanted has to be offered again.
    pub fn drop_parked(&mut self) {
        self.park = park::Parking::default();
    }

    fn admit_one(
        &mut self,
        store: &mut Staged<'_>,
        verified: Verified,
        report: &mut Vec<(EnvelopeId, Admission)>,
    ) -> Admission {
        let envelope = &verified.envelope;
        let header = &envelope.header;
        if let Some(node) = self.node(store, &envelope.id) {
            let spot = Spot::new(node.author, node.number, &envelope.id);
            let body_was_missing = match verified.body {
                Some(body) => self.put_missing_body(store, &spot, &body),
                None => false,
            };
            return Admission::Duplicate { body_was_missing };
        }
        if self.park.contains(&envelope.id) {
            return Admission::Duplicate {
                body_was_missing: false,
            };
        }
        let known = |()| {
            let mut items = verified.items.iter().flatten();
            let known = items.all(|item| self.policy.speaks_of(&self.genesis, item));
            known.then_some(()).ok_or(Rule::Unknown)
        };
        let shape = self.shape(header).and_then(|()| first_items(&verified));
        if let Err(rule) = shape.and_then(known) {
            return Admission::Refused(rule);
        }
        let parents = self.parents(store, header);
        if parents.missing.is_empty() {
            let view = self.join(store, parents.views());
            match self.rules(store, &verified, &parents, &view) {
                Ok(admitted) => {
                    self.report_fork(store, envelope, report);
                    if self.is_moving_at(&header.author, header.number) || !self.has_numbers() {
                        return Admission::NoRoom;
                    }
                    self.enter(store, verified, (&parents, view), &admitted, report)
                }
                Err(rule) => Admission::Refused(rule),
            }
        } else {
            // Evidence needs no past: it is taken from what can only be parked.
            self.report_fork(store, envelope, report);
            self.park(verified, parents.missing)
        }
    }

    fn report_fork(
        &mut self,
        store: &mut Staged<'_>,
        envelope: &Envelope,
        report: &mut Vec<(EnvelopeId, Admission)>,
    ) {
        if let Some(evidence) = self.observe(store, envelope) {
            report.push((envelope.id, Admission::Fork(Box::new(evidence))));
        }
    }

    fn park(&mut self, verified: Verified, missing: Vec<EnvelopeId>) -> Admission {
        let header = &verified.envelope.header;
        let author = header.author;
        let before = EnvelopeId::from_bytes(header.previous);
        let lacks_previous = header.number > 1 && missing.contains(&before);
        let chain = lacks_previous.then(|| (author, header.number - 1));
        let known = self.by_key.contains_key(&author);
        if self.park.put(verified, &missing, known) {
            Admission::Parked {
                missing: Missing {
                    chain,
                    ids: missing,
                },
            }
        } else {
            Admission::NoRoom
        }
    }

    /// Rules that the header alone decides, beyond those of its decoding.
    fn shape(&self, header: &Header) -> Result<(), Rule> {
        if header.topic() != Some(self.id) {
            return Err(Rule::Destination);
        }
        if header.class == Class::Live {
            return Err(Rule::Class);
        }
        if header.number == 1 && header.class != Class::Control {
            return Err(Rule::FirstClass);
        }
        if header
            .deps
            .iter()
            .any(|dep| *dep.as_bytes() == header.previous)
        {
            return Err(Rule::Deps);
        }
        Ok(())
    }

    fn parents(&self, store: &mut Staged<'_>, header: &Header) -> Parents {
        let mut parents = Parents {
            previous: None,
            deps: Vec::new(),
            missing: Vec::new(),
        };
        if header.number > 1 {
            let previous = EnvelopeId::from_bytes(header.previous);
            parents.previous = self.node(store, &previous);
            if parents.previous.is_none() {
                parents.missing.push(previous);
            }
        }
        for dep in &header.deps {
            match self.node(store, dep) {
                Some(node) => parents.deps.push((*dep, node)),
                None if is(Bug::ForgetDependency) && header.deps.last() == Some(dep) => {}
                None => parents.missing.push(*dep),
            }
        }
        parents
    }

    /// Rules that need the past, all of which is here.
    fn rules(
        &self,
        store: &mut Staged<'_>,
        verified: &Verified,
        parents: &Parents,
        view: &PastView,
    ) -> Result<Admitted, Rule> {
        let header = &verified.envelope.header;
        let previous = match &parents.previous {
            Some(node) => Some(self.previous(store, header, node)?),
            None => None,
        };
        let named = parents
            .deps
            .iter()
            .map(|(_, node)| node)
            .chain(&parents.previous);
        let highest = named.map(|node| node.generation).max().unwrap_or(0);
        let forgotten = is(Bug::ForgetDependency) && header.generation > highest;
        if highest.checked_add(1) != Some(header.generation) && !forgotten {
            return Err(Rule::Generation);
        }
        let deps: Vec<Named> = parents
            .deps
            .iter()
            .map(|(id, node)| Named::of(*id, node))
            .collect();
        let past = Past {
            facts: &Look::new(self, store),
            previous: previous.as_ref(),
            deps: &deps,
            lace: self,
            view,
        };
        self.policy.admit(&past, verified)
    }

    /// Rules about the previous envelope.
    fn previous(
        &self,
        store: &mut Staged<'_>,
        header: &Header,
        node: &Node,
    ) -> Result<Previous, Rule> {
        let same = self.by_key.get(&header.author) == Some(&node.author);
        if !same || node.number.checked_add(1) != Some(header.number) {
            return Err(Rule::Previous);
        }
        if header.created < node.created {
            return Err(Rule::Created);
        }
        let root = self.root(store, node.author, node.branch);
        let root = root.ok_or(Rule::Previous)?;
        Ok(Previous {
            id: EnvelopeId::from_bytes(header.previous),
            number: node.number,
            created: node.created,
            admitted: Admitted {
                device: root.device,
                grant: root.grant,
                index: root.index,
                buckets: node.buckets,
            },
        })
    }

    /// Whether there are numbers left for what an envelope may need.
    const fn has_numbers(&self) -> bool {
        // The view of its past, its own, and a fact for each item.
        self.next_view.checked_add(2).is_some() && self.next_fact.checked_add(1 << 16).is_some()
    }
}

/// Rules about where certificates and claims stand.
fn first_items(verified: &Verified) -> Result<(), Rule> {
    let first = verified.envelope.header.number == 1;
    for (place, item) in verified.items.iter().flatten().enumerate() {
        match item {
            Item::Certificate(_) if !first || place != 0 => return Err(Rule::Certificate),
            Item::Claim(_) if !first || place != 1 => return Err(Rule::Claim),
            _ => {}
        }
    }
    Ok(())
}
