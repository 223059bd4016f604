//! Where an author's next envelope belongs.

use crate::author::{Author, Tip};
use crate::fact::ViewNo;
use crate::lace::{Lace, Stored};
use crate::limits::{HIDDEN_DEPS, MAX_DEPS, MAX_HEADS_LOOKED_AT, MAX_HIDDEN_ENDS};
use crate::rows::{self, Spot};
use crate::set::Set;
use identity::{EnvelopeId, GrantId, PublicKey};
use machine::Staged;
use std::collections::BTreeSet;
use thiserror::Error;
use wire::{Class, Header, Manifest};

/// What the writer wants of an envelope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Content or control.
    pub class: Class,
    /// The writer's clock, milliseconds since 1970. The envelope claims a later time if the
    /// author's previous one does.
    pub now: u64,
    /// Whether the clock is confirmed. If not, the envelope claims the latest time in what it
    /// names and not the clock's, unless there is none.
    pub clock_confirmed: bool,
    /// How long content is kept, in milliseconds; not used for control.
    pub lifespan: u64,
    /// Messages in the body; for control the items.
    pub count: u16,
    /// Most hops.
    pub hops: u8,
    /// Blocks that belong to it; content alone has any.
    pub manifest: Option<Manifest>,
    /// What it answers or overwrites, or cuts at: named before the heads are. What is not admitted
    /// is left out. So is what a closed author has written, but for control: whoever takes something
    /// from a closed author names the branches that it leaves.
    pub answers: Vec<EnvelopeId>,
}

/// Why an author cannot write. Nothing has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NotWritable {
    /// The author has forked: it must never be named or extended again. Another incarnation of the
    /// device goes on.
    #[error("the author key has signed two envelopes with one number and is closed")]
    Closed,
    /// What the author writes of this class is cut off, or it is being found out what is.
    #[error("what this author key writes from now on is cut off")]
    Limited,
    /// An author's first envelope must name the grant or invite under which it is written, and no
    /// envelope with it is here.
    #[error("the grant or invite under which to write is not here")]
    NoInvite,
    /// The chain is as long as numbers go.
    #[error("the chain has no more numbers")]
    Full,
}

impl Lace {
    /// The header of an author's next envelope, complete but for body length and hash. For the
    /// first one `grant` says what it writes under: the topic's id for its owners' devices, the id of
    /// a grant or an invite for everybody else; later it is the chain's.
    ///
    /// # Errors
    /// [`NotWritable`].
    pub fn next_header(
        &self,
        store: &mut Staged<'_>,
        author: &PublicKey,
        grant: &GrantId,
        plan: &Plan,
    ) -> Result<Header, NotWritable> {
        if self.seen.contains_key(author) {
            return Err(NotWritable::Closed);
        }
        let known = self.author(author);
        let tip = match known {
            Some(known) if known.closed.is_some() => Some(self.limited_tip(store, known, plan)?),
            known => known.and_then(|author| author.tip),
        };
        let grant = known.map_or(*grant, |author| *author.grant());
        let mut deps = Deps::new(tip.map(|tip| tip.id));
        if tip.is_none() && grant.as_bytes() != self.id.as_bytes() {
            let carrier = self.carrier_of(store, &grant);
            deps.push(carrier.ok_or(NotWritable::NoInvite)?);
        }
        for id in &plan.answers {
            let node = self.node(store, id);
            let cuts = plan.class == Class::Control;
            if node.is_some_and(|node| cuts || self.is_open(node.author)) {
                deps.push(*id);
            }
        }
        self.name_heads(store, &mut deps);
        self.fill_in(store, (author, grant, tip), deps, plan)
    }

    /// What an author goes on from of whom something has been cut off: the end of its chain, which
    /// must never be contradicted, whether that stands or not.
    fn limited_tip(
        &self,
        store: &mut Staged<'_>,
        author: &Author,
        plan: &Plan,
    ) -> Result<Tip, NotWritable> {
        let next = author.top.saturating_add(1);
        let target = self.targets.get(&author.no);
        let over = target.is_none_or(|target| target.is_over(next, plan.class));
        if over || self.moving.contains(&author.no) {
            return Err(NotWritable::Limited);
        }
        let low = rows::from_number(self.local, author.no, author.top);
        let high = rows::after_number(self.local, author.no, author.top);
        let row = store.scan(rows::HEADER, &low, &high, 1).into_iter().next();
        let stored = row.and_then(|(_, row)| Stored::decode(&row));
        let envelope = stored.ok_or(NotWritable::Limited)?.envelope;
        Ok(Tip {
            number: envelope.header.number,
            id: envelope.id,
            generation: envelope.header.generation,
            created: envelope.header.created,
        })
    }

    fn fill_in(
        &self,
        store: &mut Staged<'_>,
        (author, grant, tip): (&PublicKey, GrantId, Option<Tip>),
        deps: Deps,
        plan: &Plan,
    ) -> Result<Header, NotWritable> {
        let mut generation = tip.map_or(0, |tip| tip.generation);
        let mut newest = tip.map_or(0, |tip| tip.created);
        for id in &deps.ids {
            if let Some(node) = self.node(store, id) {
                generation = generation.max(node.generation);
                newest = newest.max(node.created);
            }
        }
        let created = if plan.clock_confirmed || newest == 0 {
            plan.now.max(tip.map_or(0, |tip| tip.created))
        } else {
            newest
        };
        let number = tip.map_or(Some(1), |tip| tip.number.checked_add(1));
        let expires = match plan.class {
            Class::Control => 0,
            Class::Content | Class::Live => created.saturating_add(plan.lifespan),
        };
        Ok(Header {
            destination: self.id.to_id(),
            author: *author,
            number: number.ok_or(NotWritable::Full)?,
            previous: tip.map_or(*self.id.as_bytes(), |tip| *tip.id.as_bytes()),
            generation: generation.checked_add(1).ok_or(NotWritable::Full)?,
            created,
            expires,
            body_len: 0,
            body_hash: [0; 32],
            count: plan.count,
            class: plan.class,
            grant,
            hops: plan.hops,
            deps: deps.ids.into_iter().collect(),
            manifest: plan.manifest,
            clock_unconfirmed: !plan.clock_confirmed,
            extensions: wire::Extensions::new(),
        })
    }

    /// The newest heads whose bodies are here, one's own aside.
    fn name_heads(&self, store: &mut Staged<'_>, deps: &mut Deps) {
        let mut heads: Vec<(Tip, &Author)> = self
            .authors
            .iter()
            .filter(|author| author.closed.is_none() && !author.covered)
            .filter_map(|author| Some((author.tip?, author)))
            .collect();
        heads.sort_by_key(|(tip, _)| (core::cmp::Reverse(tip.generation), tip.id));
        let (mut named, mut hidden) = (Vec::new(), BTreeSet::new());
        for (tip, author) in heads.into_iter().take(MAX_HEADS_LOOKED_AT) {
            let spot = Spot::new(author.no, tip.number, &tip.id);
            if self.has_body(store, &spot) {
                named.push(tip.id);
            } else if Some(tip.id) != deps.previous {
                hidden.insert(author.tail.view);
            }
        }
        let kept = if hidden.is_empty() { 0 } else { HIDDEN_DEPS };
        let mut named = named.into_iter();
        while deps.ids.len() < MAX_DEPS.saturating_sub(kept)
            && let Some(id) = named.next()
        {
            deps.push(id);
        }
        self.name_hidden(store, &hidden, deps);
        for id in named {
            deps.push(id);
        }
    }

    /// A head whose body is gone, or has not come, is not named. What only it has in its past would be
    /// unknown to the envelope, for good if the body has expired: what was taken back would stand there.
    /// So the carriers of what takes something away there, and stands, are named, the newest first, each with
    /// those of its past.
    fn name_hidden(&self, store: &mut Staged<'_>, hidden: &BTreeSet<ViewNo>, deps: &mut Deps) {
        if hidden.is_empty() || deps.ids.len() >= MAX_DEPS {
            return;
        }
        let (mut unknown, mut known) = (Set::default(), Set::default());
        for view in hidden {
            unknown.add_all(&self.set_of(store, *view));
        }
        for id in deps.ids.iter().chain(&deps.previous) {
            if let Some(node) = self.node(store, id) {
                known.add_all(&self.set_of(store, node.view));
            }
        }
        if known.includes(&unknown) {
            return;
        }
        let effect = self.held_effect(store);
        let ends = self.issues.newest_ends_of(&unknown);
        for no in ends.take(MAX_HIDDEN_ENDS) {
            if known.has(no) || effect.void.contains_key(&no) {
                continue;
            }
            let carrier = self.fact(store, no).map(|fact| fact.carrier);
            let node = carrier.and_then(|id| Some((id, self.node(store, &id)?)));
            let Some((carrier, node)) = node else {
                continue;
            };
            let spot = Spot::new(node.author, node.number, &carrier);
            if self.is_kept(store, &spot) && self.has_body(store, &spot) {
                deps.push(carrier);
                known.add_all(&self.set_of(store, node.view));
            }
            if deps.ids.len() >= MAX_DEPS {
                return;
            }
        }
    }

    fn is_open(&self, no: u32) -> bool {
        self.by_no(no).is_some_and(|author| author.closed.is_none())
    }
}

struct Deps {
    ids: BTreeSet<EnvelopeId>,
    previous: Option<EnvelopeId>,
}

impl Deps {
    const fn new(previous: Option<EnvelopeId>) -> Self {
        Self {
            ids: BTreeSet::new(),
            previous,
        }
    }

    fn push(&mut self, id: EnvelopeId) {
        if self.ids.len() < MAX_DEPS && Some(id) != self.previous {
            self.ids.insert(id);
        }
    }
}
