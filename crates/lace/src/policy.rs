//! Who decides about rights: a policy, from facts. The lace keeps facts and has no opinion.

use crate::effect::Effect;
use crate::fact::{AuthorNo, Facts, Look, Named};
use crate::lace::Lace;
use crate::rule::Rule;
use crate::set::Set;
use crate::view::PastView;
use core::fmt::Debug;
use identity::{EnvelopeId, GrantId, PublicKey};
use machine::Staged;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::{Genesis, Item, Verified};

/// Decides what the facts of a topic mean. It has no state, so that what it says depends on what
/// it is given alone, at every replica alike.
pub trait Policy: Sync + Debug {
    /// Whether the rules speak of what an item says. What they do not speak of is inadmissible,
    /// whatever the past: let in unjudged, it would count one day.
    fn speaks_of(&self, genesis: &Genesis, item: &Item) -> bool;

    /// Whether an envelope is admissible: a pure function of the envelope and its past. That its
    /// past is here, and that it follows its chain in number, time and generation, has been seen
    /// to; a certificate is the first and a claim the second item of an envelope number 1.
    ///
    /// # Errors
    /// The rule that it breaks.
    fn admit(&self, past: &Past<'_>, envelope: &Verified) -> Result<Admitted, Rule>;

    /// What stands of a set of facts that holds the past of each of them. `evidence` says from
    /// which number on authors have forked: nobody for the view of a past, and all that is known
    /// for what is held.
    fn effect(&self, facts: &dyn Facts, set: &Set, evidence: &BTreeMap<AuthorNo, u64>) -> Effect;
}

/// What is left of a rate: a token bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bucket {
    /// Messages, in units that the policy chooses.
    pub messages: u64,
    /// Bytes, likewise.
    pub bytes: u64,
}

/// The buckets of a chain after one of its envelopes. They are stored with the envelope; the lace
/// does not look at them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Buckets {
    /// For content.
    pub content: Bucket,
    /// For control.
    pub control: Bucket,
    /// Bytes in all, where a policy counts them.
    pub total: u64,
}

/// What a policy says of an admissible envelope.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Admitted {
    /// The device that certified the chain.
    pub device: PublicKey,
    /// The grant that it is written under.
    pub grant: GrantId,
    /// Which incarnation of the device it is.
    pub index: u32,
    /// What is left of the chain's rates.
    pub buckets: Buckets,
}

/// The previous envelope of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Previous {
    /// Its id.
    pub id: EnvelopeId,
    /// Its number.
    pub number: u64,
    /// When it claims to have been made, milliseconds since 1970.
    pub created: u64,
    /// What was said of it.
    pub admitted: Admitted,
}

/// The past of an envelope. What is costly is looked up when it is asked for.
#[derive(Clone, Copy)]
pub struct Past<'a> {
    /// All that is admitted.
    pub facts: &'a dyn Facts,
    /// The previous envelope; nothing for number 1.
    pub previous: Option<&'a Previous>,
    /// The deps.
    pub deps: &'a [Named],
    pub(crate) lace: &'a Lace,
    pub(crate) view: &'a PastView,
}

impl Debug for Past<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Past")
            .field("previous", &self.previous)
            .field("deps", &self.deps)
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}

impl Past<'_> {
    /// The facts of the past, without the envelope's own.
    #[must_use]
    pub fn set(&self) -> Arc<Set> {
        match self.view {
            PastView::Here(view) => self.facts.set(*view),
            PastView::New { set, .. } => Arc::clone(set),
        }
    }

    /// What stands of them, if it has been worked out already.
    #[must_use]
    pub fn known_effect(&self) -> Option<Arc<Effect>> {
        match self.view {
            PastView::Here(view) => self.lace.memory.borrow_mut().effects.get(&view.0),
            PastView::New { effect, .. } => effect.get().map(Arc::clone),
        }
    }

    /// What stands of them, whatever forks are known.
    #[must_use]
    pub fn effect(&self) -> Arc<Effect> {
        let judge = || {
            let effect = self
                .lace
                .policy
                .effect(self.facts, &self.set(), &BTreeMap::new());
            Arc::new(effect)
        };
        match self.view {
            PastView::Here(view) => {
                let known = self.lace.memory.borrow_mut().effects.get(&view.0);
                known.unwrap_or_else(|| {
                    let effect = judge();
                    self.lace.memory.borrow_mut().keep_effect(*view, &effect);
                    effect
                })
            }
            PastView::New { effect, .. } => Arc::clone(effect.get_or_init(judge)),
        }
    }
}

impl Lace {
    /// Puts the topic under a policy; without this it is under
    /// [`FoundersPolicy`](crate::FoundersPolicy). A topic must always have the same.
    #[must_use]
    pub fn ruled_by(mut self, policy: &'static dyn Policy) -> Self {
        self.policy = policy;
        self.memory = std::cell::RefCell::default();
        self.applied = None;
        self
    }

    /// The forks that are known, by author: the lowest number of which there are two.
    #[must_use]
    pub fn held_evidence(&self) -> BTreeMap<AuthorNo, u64> {
        let forked = self.seen.iter().filter_map(|(author, seen)| {
            let no = self.by_key.get(author)?;
            Some((AuthorNo(*no), seen.number))
        });
        forked.collect()
    }

    /// What stands of all facts that are here, with all forks that are known. Computed anew after
    /// a new fact or fork.
    pub fn held_effect(&self, store: &mut Staged<'_>) -> Arc<Effect> {
        let known = self.memory.borrow().held.clone();
        if let Some(effect) = known {
            return effect;
        }
        let set = self.held_set(store);
        let evidence = self.held_evidence();
        let look = Look::new(self, store);
        let effect = Arc::new(self.policy.effect(&look, &set, &evidence));
        self.memory.borrow_mut().held = Some(Arc::clone(&effect));
        effect
    }

    /// The facts of the past of an admitted envelope, its own included; nothing if it is not here.
    pub fn view_of(&self, store: &mut Staged<'_>, id: &EnvelopeId) -> Option<Arc<Set>> {
        let view = self.node(store, id)?.view;
        Some(self.set_of(store, view))
    }

    /// The facts of this lace, to look things up.
    pub fn facts<R>(&self, store: &mut Staged<'_>, f: impl FnOnce(&dyn Facts) -> R) -> R {
        f(&Look::new(self, store))
    }
}
