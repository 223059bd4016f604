//! Rules of admission for epochs and their boxes, and what is known of the epochs of a topic.
//!
//! Whoever announces an epoch seals it to exactly those who are entitled in the past of the envelope
//! that carries it. What that envelope itself says is not in its past: whoever removes somebody does
//! so in an envelope before it, of the same chain and commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use identity::{EpochId, PublicKey};
use lace::{Effect, Fact, FactNo, Facts, Past, Policy, Previous, Set};
use wire::limits::DAY_MS;
use wire::{Boxes, Item, NextEpoch, Verified};

use crate::announce::Portion;
use crate::announce_clean::{Now, Then, keeps_clean};
use crate::announce_recipients::{Chains, Recipients, left};
use crate::announced::{Announced, EpochFault, Expected};
use crate::epoch::Epoch;
use crate::limits::{EPOCHS_PER_DAY, MAX_EPOCHS_HEARD, MAX_EPOCHS_JUDGED};

/// Judges the epochs and boxes in an envelope: a function of the envelope and its past, the same at
/// everybody. `policy` says what stands in the past of an announcement. An envelope with neither
/// costs one look at its items.
///
/// # Errors
/// [`EpochFault`]: what is wrong with the first such item.
pub fn judge_epochs(
    past: &Past<'_>,
    policy: &dyn Policy,
    envelope: &Verified,
) -> Result<(), EpochFault> {
    let mut begun = false;
    for item in envelope.items.iter().flatten() {
        match item {
            Item::Epoch(_) if core::mem::replace(&mut begun, true) => {
                return Err(EpochFault::Often);
            }
            Item::Epoch(next) => {
                let previous = past.previous.ok_or(EpochFault::Right)?;
                judge_item(past, previous, next, envelope.envelope.header.created)?;
            }
            Item::Boxes(boxes) => {
                let previous = past.previous.ok_or(EpochFault::Boxes)?;
                judge_boxes(past, previous, policy, boxes)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn judge_item(
    past: &Past<'_>,
    previous: &Previous,
    item: &NextEpoch,
    created: u64,
) -> Result<(), EpochFault> {
    let (set, effect) = (past.set(), past.effect());
    let recipients = Recipients::of(past.facts, &set, &effect);
    let device = previous.admitted.device;
    may_begin(
        past.facts,
        &effect,
        (&recipients, previous),
        (item, created),
    )?;
    let all: Vec<Arc<Fact>> = set.iter().filter_map(|no| past.facts.fact(no)).collect();
    let chains = Chains::of(&all);
    let mut known = BTreeSet::from([past.facts.genesis().epoch.id()]);
    let mut recent = 0_usize;
    for fact in &all {
        let Item::Epoch(earlier) = &fact.what else {
            continue;
        };
        known.insert(earlier.id());
        let lately = fact.created > created.saturating_sub(DAY_MS);
        if lately && chains.device(past.facts, fact) == Some(device) {
            recent = recent.saturating_add(1);
        }
    }
    if recent >= EPOCHS_PER_DAY {
        return Err(EpochFault::Often);
    }
    let entitled = recipients.entitled(created);
    let expected = Expected::of(entitled.iter().map(|device| &device.to));
    expected.judge(item, created, |epoch| known.contains(epoch))
}

/// Whoever begins an epoch writes at that time, and may read all of it.
fn may_begin(
    facts: &dyn Facts,
    effect: &Effect,
    (recipients, previous): (&Recipients, &Previous),
    (item, created): (&NextEpoch, u64),
) -> Result<(), EpochFault> {
    let epoch = Epoch::from_next(item).map_err(|_| EpochFault::Form)?;
    let grant = previous.admitted.grant;
    let standing = effect.grants.get(&grant).ok_or(EpochFault::Right)?;
    let writes = left(facts, &grant, standing).publish;
    let reads = recipients.portion(&previous.admitted.device);
    let whole = reads.is_some_and(|portion| reads_all(&epoch, portion));
    if whole && writes.is_some_and(|publish| publish.holds(created)) {
        Ok(())
    } else {
        Err(EpochFault::Right)
    }
}

fn reads_all(epoch: &Epoch, portion: Portion) -> bool {
    match portion {
        Portion::Reads { from, until } => epoch.slices_within(from, until) == (0..epoch.slices()),
        Portion::Writes => false,
    }
}

fn judge_boxes(
    past: &Past<'_>,
    previous: &Previous,
    policy: &dyn Policy,
    boxes: &Boxes,
) -> Result<(), EpochFault> {
    let (facts, set) = (past.facts, past.set());
    let own = facts.find(&previous.id).ok_or(EpochFault::Boxes)?;
    let on_chain =
        |fact: &Fact| fact.author == own.author && facts.on_chain(&fact.carrier, &previous.id);
    let all = set.iter().filter_map(|no| facts.fact(no));
    let chain: Vec<Arc<Fact>> = all.filter(|fact| on_chain(fact)).collect();
    let begins = chain.iter().filter_map(|fact| match &fact.what {
        Item::Epoch(item) if item.id() == boxes.epoch => Some((fact, item)),
        _ => None,
    });
    let (fact, item) = begins
        .min_by_key(|(fact, _)| fact.number)
        .ok_or(EpochFault::Boxes)?;
    let then = Then::of(facts, policy, facts.set(fact.view));
    let entitled = then.recipients.entitled(fact.created);
    let expected = Expected::of(entitled.iter().map(|device| &device.to));
    let mut so_far = Announced::new(item.clone()).map_err(|_| EpochFault::Form)?;
    for fact in &chain {
        if let Item::Boxes(earlier) = &fact.what
            && earlier.epoch == boxes.epoch
        {
            so_far.take(earlier)?;
        }
    }
    expected.judge_boxes(&so_far, boxes)
}

/// An announcement as its envelope carries it.
type Carried<'a> = (Arc<Fact>, &'a NextEpoch);

/// An epoch of which a node has heard.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Its announcement, with the boxes of the announcer that have come.
    pub announced: Announced,
    /// The generation of the envelope that announced it.
    pub generation: u64,
    /// When that envelope claims to have been made, ms since 1970.
    pub created: u64,
    /// Whether its announcement stands, and nobody to whom it was sealed has lost the right. It may
    /// be written under once all its boxes have come, too.
    pub clean: bool,
}

/// What a node knows of the epochs of a topic, and of those who are to have them.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The epochs after the first one, by (generation, id), at most [`MAX_EPOCHS_HEARD`] of them: the
    /// newest.
    pub epochs: Vec<Heard>,
    /// Whether the epoch of the genesis may be written under.
    pub genesis_clean: bool,
    /// Who may read and write now.
    pub now: Recipients,
}

impl Survey {
    /// Of all facts that are held, and of what stands of them. The newest few epochs alone are judged
    /// to be clean, since nobody writes under others.
    #[must_use]
    pub fn of(facts: &dyn Facts, held: &Set, effect: &Effect, policy: &dyn Policy) -> Self {
        let now = Recipients::of(facts, held, effect);
        let all: Vec<Arc<Fact>> = held.iter().filter_map(|no| facts.fact(no)).collect();
        let stands = |fact: &Fact| !effect.void.contains_key(&fact.no);
        let as_now = Now {
            held,
            effect,
            recipients: &now,
        };
        let mut found = announcements(facts, &all, &stands);
        // What does not stand comes last: nobody who was removed crowds out what does.
        found.sort_by_key(|(fact, item)| (stands(fact), fact.generation, item.id()));
        let older = found.len().saturating_sub(MAX_EPOCHS_HEARD);
        found.drain(..older);
        let judged = found.len().saturating_sub(MAX_EPOCHS_JUDGED);
        let mut epochs = Vec::new();
        for (at, (fact, item)) in found.into_iter().enumerate() {
            let Some(announced) = gather(facts, &all, &fact, item) else {
                continue;
            };
            let clean = at >= judged && stands(&fact) && {
                let then = Then::of(facts, policy, facts.set(fact.view));
                keeps_clean(facts, policy, &then, as_now)
            };
            epochs.push(Heard {
                announced,
                generation: fact.generation,
                created: fact.created,
                clean,
            });
        }
        epochs.sort_by_key(|heard| (heard.generation, heard.announced.epoch().id()));
        let none = Arc::new(Set::new(core::iter::empty::<FactNo>()));
        let founders = Then::of(facts, policy, none);
        Self {
            epochs,
            genesis_clean: keeps_clean(facts, policy, &founders, as_now),
            now,
        }
    }

    /// Whether anything of an epoch is for somebody by time: a right of it lasted when the epoch was
    /// announced. What it may have of it [`Recipients::portion`] says.
    #[must_use]
    pub fn is_for(&self, who: &PublicKey, epoch: &Epoch) -> bool {
        let mut heard = self.epochs.iter();
        let heard = heard.find(|heard| heard.announced.epoch().id() == epoch.id());
        // The first one begins with the topic; of others that are too old to be here it is a day off
        // at most.
        let created = heard.map_or(epoch.start(), |heard| heard.created);
        self.now.lasts(who, created)
    }
}

/// Each epoch with the fact that announced it.
///
/// Who repeats another's item announces nothing: neither who has heard of it, nor who stands no more.
/// Of those who have not heard of one another all but one repeat it too, and nobody can tell who did
/// not: that one counts whose boxes have come, and of several the first.
fn announcements<'a>(
    facts: &dyn Facts,
    all: &'a [Arc<Fact>],
    stands: &dyn Fn(&Fact) -> bool,
) -> Vec<Carried<'a>> {
    let mut carriers: BTreeMap<EpochId, Vec<Carried<'a>>> = BTreeMap::new();
    for fact in all {
        if let Item::Epoch(item) = &fact.what {
            let carried = (Arc::clone(fact), item);
            carriers.entry(item.id()).or_default().push(carried);
        }
    }
    let first = |mut each: Vec<Carried<'a>>| {
        if each.iter().any(|(fact, _)| stands(fact)) {
            each.retain(|(fact, _)| stands(fact));
        }
        each.sort_by_key(|(fact, _)| (fact.generation, fact.carrier));
        let mut told: Vec<Carried<'a>> = Vec::new();
        for (fact, item) in each {
            let past = facts.set(fact.view);
            if !told.iter().any(|(earlier, _)| past.has(earlier.no)) {
                told.push((fact, item));
            }
        }
        if told.len() < 2 {
            return told.pop();
        }
        let is_usable = |(fact, item): &Carried<'a>| {
            gather(facts, all, fact, item).is_some_and(|announced| announced.is_usable())
        };
        // Of equals the first.
        told.into_iter().min_by_key(|told| !is_usable(told))
    };
    carriers.into_values().filter_map(first).collect()
}

/// An announcement with the boxes that follow it on its chain.
fn gather(
    facts: &dyn Facts,
    all: &[Arc<Fact>],
    begins: &Fact,
    item: &NextEpoch,
) -> Option<Announced> {
    let id = item.id();
    let mut announced = Announced::new(item.clone()).ok()?;
    for fact in all.iter().filter(|fact| fact.author == begins.author) {
        if let Item::Boxes(boxes) = &fact.what
            && boxes.epoch == id
            && facts.on_chain(&begins.carrier, &fact.carrier)
        {
            // They were judged one after another; those of another branch may be too many.
            let _taken = announced.take(boxes);
        }
    }
    Some(announced)
}
