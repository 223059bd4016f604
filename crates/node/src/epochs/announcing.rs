//! Announcing epochs: when this device begins one, and what it does about those that others begin.
//!
//! Whatever rights depend on has changed: the topic is surveyed anew, in a turn of its own. What is
//! known of its epochs goes into the keychain; boxes for this device are opened. Then, if there is
//! no epoch to write under that nobody lost, or two parts of the topic have each begun one, and
//! this device may, it begins the next: after a moment drawn at random, if none stands by then, so
//! that not everybody does; before it writes, at once.
//!
//! The item and each of the boxes are envelopes of their own. The secret, the item, and rows with
//! the boxes that are still to come are one commit; each box goes with the deletion of its row. So
//! whoever stops in between goes on where it stopped. Boxes count on the chain that announced the
//! epoch: under another author key it is given up, and another one begun.

use crate::epochs::handing::Handing;
use crate::keychain::Keychain;
use crate::limits::{
    BEGIN_WITHIN_MS, BOXES_AT_ONCE, BOXES_TRIED, EPOCHS_FOR_REMOVALS, NAMED_BEFORE, SURVEY_AFTER,
    UNCLEAN, UNFINISHED, UNNAMED_AT_ONCE,
};
use crate::look::look;
use crate::node::{Inner, Turn};
use crate::rows::NODE;
use crate::timer::Timer;
use core::cmp::Reverse;
use core::time::Duration;
use identity::{EnvelopeId, EpochId, PublicKey};
use lace::{AuthorNo, Plan, Set};
use machine::Time;
use rights::limits::EPOCHS_PER_DAY;
use rights::{FalseBox, HeldEpoch, Portion, Recipients, Survey, is_clean};
use std::collections::{BTreeMap, BTreeSet};
use topic::{Draft, Payload, PublishError};
use wire::limits::{DAY_MS, MAX_HOPS};
use wire::{Class, EpochReason, Item, NextEpoch, Rights};

/// What a node has in mind about its topics' epochs. All of it is found again after a restart.
#[derive(Debug, Default)]
pub(crate) struct Announcing {
    /// Topics in which something has changed.
    stale: BTreeSet<u32>,
    /// When to survey a topic though nothing changes.
    again: BTreeMap<u32, Time>,
    /// When this device begins an epoch, if none stands by then.
    due: BTreeMap<u32, Time>,
    /// An epoch that somebody else has announced without all its boxes yet, and since when.
    unfinished: BTreeMap<u32, (EpochId, Time)>,
    pub(super) handing: Handing,
    /// Topics in which this device has replaced a sealing key that the others do not know, in this
    /// life.
    replaced: BTreeSet<u32>,
    /// How often the next box of an own announcement was refused.
    refused: BTreeMap<u32, u32>,
}

impl Announcing {
    /// The next time at which there is something to do.
    fn next(&self) -> Option<Time> {
        self.due.values().chain(self.again.values()).min().copied()
    }
}

/// What is being announced.
struct Planned {
    created: u64,
    past: Set,
    entitled: Recipients,
}

impl Inner {
    /// All topics are surveyed: after a restart, and daily.
    pub(crate) fn survey_all(&mut self, turn: &mut Turn<'_, '_>) {
        let topics: Vec<u32> = self.host.keys.topics().map(|(local, _)| local).collect();
        for local in topics {
            self.epochs_changed(turn, local);
        }
    }

    /// Something has changed that epochs depend on: an envelope with control has come, or is not
    /// effective any more.
    pub(crate) fn epochs_changed(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        if self.knows_epochs(local) {
            self.announcing.stale.insert(local);
            // Changes come in groups. Who is about to write does not wait.
            let at = turn.cx.now.after(SURVEY_AFTER);
            self.timers.set_earlier(Timer::Epochs, at);
        }
    }

    /// Whether this device takes part in a topic whose rules speak of epochs.
    fn knows_epochs(&self, local: u32) -> bool {
        let keys = self.host.keys.topic(local);
        let keys = keys.filter(|keys| keys.device.is_some() && !keys.row.left);
        keys.is_some_and(|keys| {
            let item = NextEpoch {
                epoch: keys.genesis.epoch.clone(),
                follows: Vec::new(),
                boxes: 0,
                hints: [0; 32],
                reason: EpochReason::OTHER,
            };
            self.rules.speaks_of(&keys.genesis, &Item::Epoch(item))
        })
    }

    /// Does what is due about epochs.
    pub(crate) fn look_at_epochs(&mut self, turn: &mut Turn<'_, '_>) {
        let now = turn.cx.now;
        let again: Vec<u32> = due_by(&mut self.announcing.again, now);
        self.announcing.stale.extend(again);
        for local in core::mem::take(&mut self.announcing.stale) {
            self.survey_epochs(turn, local);
        }
        let begun: Vec<u32> = self.host.keys.announcing(turn.cx);
        for local in &begun {
            self.announce_next(turn, *local);
        }
        for local in due_by(&mut self.announcing.due, now) {
            if !begun.contains(&local) {
                self.begin_if_none_stands(turn, local);
            }
        }
        if let Some(at) = self.announcing.next() {
            self.timers.set_earlier(Timer::Epochs, at);
        }
    }

    /// Finds out what is known of a topic's epochs, and takes it in.
    pub(crate) fn survey_epochs(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> Option<Survey> {
        self.announcing.stale.remove(&local);
        if !self.knows_epochs(local) {
            return None;
        }
        let rules = self.rules;
        let survey = look(&mut self.topics, turn.cx, local, |lace, store| {
            let effect = lace.held_effect(store);
            let held = lace.held_set(store);
            lace.facts(store, |facts| Survey::of(facts, &held, &effect, rules))
        })?;
        let newest = |keys: &Keychain| {
            let held = keys.topic(local)?.ring.newest_clean()?;
            Some((held.epoch().id(), held.meeting().is_some()))
        };
        let before = newest(&self.host.keys);
        let evidence = self.host.keys.take_survey(turn.cx, local, &survey);
        for found in evidence {
            self.note_false_box(turn, local, &found);
        }
        let after = newest(&self.host.keys);
        if after != before {
            self.epoch_turned(turn, local);
        }
        if self.show_unlocked(turn, local) {
            self.epochs_changed(turn, local);
        }
        if let Some(at) = self.ask_keys(turn, local, &survey) {
            self.announcing.again.insert(local, at);
        }
        self.tell_sealing_key(turn, local, &survey);
        self.note_due(turn, local);
        Some(survey)
    }

    /// Another epoch is written under from now on: core nodes are told its secret, and links are
    /// told by which tags this node recognises the topic now.
    fn epoch_turned(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        self.want_served(turn, local);
        self.begin_rounds_soon(turn);
    }

    fn note_false_box(&mut self, turn: &mut Turn<'_, '_>, local: u32, found: &FalseBox) {
        let name = self
            .host
            .keys
            .topic(local)
            .map(|keys| keys.row.name.clone());
        let name = name.unwrap_or_default();
        turn.advise(crate::io::Advisory::Log {
            event: "false-epoch",
            text: format!("{}: {}", found.epoch, found.fault),
        });
        let text = format!("somebody has begun a key epoch of the topic {name:?} with a false box");
        let hint = "what is written under it comes as soon as another member hands the key over";
        self.problems.note("false-epoch", text, hint);
    }

    /// Others seal to the key that they know of this device: a new one is told when the old one is
    /// used up, or when what they know is not what this home holds.
    fn tell_sealing_key(&mut self, turn: &mut Turn<'_, '_>, local: u32, survey: &Survey) {
        let Some(keys) = self.host.keys.topic(local).filter(|keys| keys.row.opened) else {
            return;
        };
        let Some(device) = keys.device.as_ref().map(|device| device.public()) else {
            return;
        };
        if survey.now.portion(&device).is_none() {
            return;
        }
        let told = survey.now.sealing(&device);
        let known = self
            .host
            .keys
            .topic(local)
            .and_then(|keys| keys.sealing.as_ref());
        let other = known.is_some_and(|own| told.is_some_and(|told| told != own.public()));
        if other && self.announcing.replaced.insert(local) {
            // This home was set back, or another one of the device is in the place of this: whoever
            // has a copy of it has the key that it holds.
            self.host.keys.replace_sealing(turn.cx, local);
        } else {
            self.host.keys.turn_sealing(turn.cx, local);
        }
        let keys = self
            .host
            .keys
            .topic(local)
            .and_then(|keys| keys.sealing.as_ref());
        let Some(sealing) = keys else { return };
        if told != Some(sealing.public()) {
            let item = Item::Sealing(sealing.public());
            // What is refused now is tried again with the next survey.
            let _told = self.publish_items(turn, local, vec![item]);
        } else if let Some(due) = sealing.turn_due() {
            let wait = due.saturating_sub(turn.cx.wall.as_millis());
            let at = turn.cx.now.after(Duration::from_millis(wait));
            let again = self.announcing.again.entry(local).or_insert(at);
            *again = at.min(*again);
        }
    }

    /// Notes when this device is to begin an epoch, if it has to.
    fn note_due(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let Some(keys) = self.host.keys.topic(local) else {
            return;
        };
        if keys.ring.newest_clean().is_some() && !keys.ring.parted() {
            self.announcing.due.remove(&local);
        } else if !self.announcing.due.contains_key(&local) {
            self.draw(turn, local);
        }
        if let Some(at) = self.announcing.next() {
            self.timers.set_earlier(Timer::Epochs, at);
        }
    }

    fn draw(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let wait = turn.cx.rng.below(BEGIN_WITHIN_MS);
        let at = turn.cx.now.after(Duration::from_millis(wait));
        self.announcing.due.insert(local, at);
    }

    /// The moment is over: begins an epoch unless one stands, or is about to.
    fn begin_if_none_stands(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let Some(survey) = self.survey_epochs(turn, local) else {
            return;
        };
        let Some(reason) = self.why_begin(turn, local) else {
            return;
        };
        self.announcing.due.remove(&local);
        if self.waits_for_boxes(turn, local, &survey) {
            self.draw(turn, local);
            return;
        }
        self.begin_epoch(turn, local, &survey, (reason, None));
    }

    fn why_begin(&self, turn: &Turn<'_, '_>, local: u32) -> Option<EpochReason> {
        let ring = &self.host.keys.topic(local)?.ring;
        let due = ring.due(turn.cx.wall.as_millis());
        due.or_else(|| ring.parted().then_some(EpochReason::MERGED))
    }

    /// Whether an epoch of somebody else's only lacks boxes, and not for long yet.
    fn waits_for_boxes(&mut self, turn: &mut Turn<'_, '_>, local: u32, survey: &Survey) -> bool {
        let coming = |heard: &&rights::Heard| heard.clean && !heard.announced.is_usable();
        let Some(heard) = survey.epochs.iter().rev().find(coming) else {
            self.announcing.unfinished.remove(&local);
            return false;
        };
        let (id, now) = (heard.announced.epoch().id(), turn.cx.now);
        let since = self.announcing.unfinished.entry(local).or_insert((id, now));
        if since.0 != id {
            *since = (id, now);
        }
        now.since(since.1) < UNFINISHED
    }

    /// This device has just removed somebody: whoever hears of it is to hear of an epoch with it.
    /// To be called in the turn in which the removal was published.
    pub(crate) fn renew_epoch(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        self.announcing.stale.insert(local);
        self.ready_to_write(turn, local);
        self.epochs_changed(turn, local);
    }

    /// Something is to be written to a topic: if that takes an epoch which has not begun, and this
    /// device may, it begins it at once.
    pub(crate) fn ready_to_write(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        if !self.knows_epochs(local) {
            return;
        }
        let stale = self.announcing.stale.contains(&local);
        let due = |inner: &Self, turn: &Turn<'_, '_>| {
            let ring = &inner.host.keys.topic(local)?.ring;
            ring.due(turn.cx.wall.as_millis())
        };
        if !stale && due(self, turn).is_none() {
            return;
        }
        let Some(survey) = self.survey_epochs(turn, local) else {
            return;
        };
        if let Some(reason) = due(self, turn) {
            if self.host.keys.next_boxes(turn.cx, local).is_none() {
                self.begin_epoch(turn, local, &survey, (reason, None));
            }
            for _ in 0..BOXES_AT_ONCE {
                self.announce_next(turn, local);
            }
            self.survey_epochs(turn, local);
        }
    }

    /// Somebody may read from some time on, or until then: if no slice begins there, an epoch is
    /// begun in which one does, so that its keys open what is written from then on and nothing
    /// older. Of both times the first counts, or the second where the first is none.
    pub(crate) fn align_epoch(&mut self, turn: &mut Turn<'_, '_>, local: u32, rights: &Rights) {
        let boundary = self.boundary_of(local, rights);
        if boundary.is_some() && self.has_spare_epoch(turn, local) {
            self.begin_at_once(turn, local, boundary);
        }
    }

    /// Whether this device can begin an epoch for such a right, if it takes one: the last ones of a day
    /// are for removals.
    pub(crate) fn can_align(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        rights: &Rights,
    ) -> bool {
        self.boundary_of(local, rights).is_none() || self.has_spare_epoch(turn, local)
    }

    /// Where a right to read begins, or ends, and no slice of the newest epoch does.
    fn boundary_of(&self, local: u32, rights: &Rights) -> Option<u64> {
        let read = rights.read?;
        let boundary = Some(read.from).filter(|from| *from > 0).or(read.until)?;
        let begins = |held: &HeldEpoch| {
            let (start, slice) = (held.epoch().start(), held.epoch().slice_ms());
            match boundary.checked_sub(start) {
                // All of it comes later.
                None | Some(0) => true,
                Some(since) => slice > 0 && since % slice == 0,
            }
        };
        let newest = self.host.keys.topic(local)?.ring.newest_clean();
        (!newest.is_some_and(begins)).then_some(boundary)
    }

    /// Somebody may come by an invite while no member is there. Its box brings keys of the topic's
    /// first epoch, and epochs that begin later are sealed to the invite too: if another one is written
    /// under by now, the next is begun, so that what is written from now on can be read by it.
    pub(crate) fn seal_to_invite(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let Some(keys) = self.host.keys.topic(local) else {
            return;
        };
        let first = keys.genesis.epoch.id();
        // Where there is none, the next is due anyhow.
        let newest = keys.ring.newest_clean().map(|held| held.epoch().id());
        if newest.is_some_and(|newest| newest != first) && self.has_spare_epoch(turn, local) {
            self.begin_at_once(turn, local, None);
        }
    }

    /// Whether this device may begin an epoch today that is none of those kept for removals.
    fn has_spare_epoch(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> bool {
        self.begun_today(turn, local) < EPOCHS_PER_DAY - EPOCHS_FOR_REMOVALS
    }

    /// How many epochs this device has begun within a day.
    fn begun_today(&mut self, turn: &mut Turn<'_, '_>, local: u32) -> usize {
        let keys = self.host.keys.topic(local);
        let Some(device) = keys.and_then(|keys| Some(keys.device.as_ref()?.public())) else {
            return 0;
        };
        let since = turn.cx.wall.as_millis().saturating_sub(DAY_MS);
        let begun = look(&mut self.topics, turn.cx, local, |lace, store| {
            let held = lace.held_set(store);
            let authors = lace.facts(store, |facts| {
                let all = held.iter().filter_map(|no| facts.fact(no));
                let begun =
                    all.filter(|fact| matches!(fact.what, Item::Epoch(_)) && fact.created > since);
                begun
                    .filter_map(|fact| facts.key(fact.author))
                    .collect::<Vec<_>>()
            });
            let own = |key: &PublicKey| {
                let author = lace.author(key);
                author.is_some_and(|author| *author.device() == device)
            };
            authors.iter().filter(|key| own(key)).count()
        });
        begun.unwrap_or(0)
    }

    /// Begins an epoch now, unless one of this device's own is still being announced.
    fn begin_at_once(&mut self, turn: &mut Turn<'_, '_>, local: u32, boundary: Option<u64>) {
        if !self.knows_epochs(local) {
            return;
        }
        let Some(survey) = self.survey_epochs(turn, local) else {
            return;
        };
        if self.host.keys.next_boxes(turn.cx, local).is_none() {
            self.begin_epoch(turn, local, &survey, (EpochReason::OTHER, boundary));
        }
        for _ in 0..BOXES_AT_ONCE {
            self.announce_next(turn, local);
        }
        self.survey_epochs(turn, local);
    }

    /// Begins an epoch, if this device may: the item is published, the boxes follow.
    fn begin_epoch(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        survey: &Survey,
        (reason, boundary): (EpochReason, Option<u64>),
    ) {
        let own = self.host.keys.topic(local);
        let own = own.filter(|keys| keys.row.opened && keys.certificate().is_some());
        let device = own.and_then(|keys| keys.device.as_ref().map(|device| device.public()));
        let reads = device.and_then(|device| survey.now.portion(&device));
        let now = turn.cx.wall.as_millis();
        // Others would refuse it.
        if !matches!(reads, Some(Portion::Reads { from, until: None }) if from <= now) {
            return;
        }
        let Some((planned, names)) = self.plan_clean(turn, local, survey) else {
            return;
        };
        let devices = planned.entitled.entitled(planned.created);
        let wanted = crate::epochs::Wanted {
            created: planned.created,
            boundary,
            devices: &devices,
            cores: &[],
            reason,
        };
        match self.host.keys.begin_epoch(turn.cx, local, &wanted) {
            None => {}
            Some(Err(why)) => {
                let text = format!("no new key epoch can be begun: {why}");
                self.problems.note("epoch", text, "");
            }
            Some(Ok((item, boxes))) => {
                let items = vec![Item::Epoch(item.clone())];
                if self.publish_naming(turn, local, items, names).is_ok() {
                    self.host.keys.note_boxes(turn.cx, local, &boxes);
                    self.epochs_changed(turn, local);
                } else {
                    // The rate may allow it later.
                    self.host.keys.forget_begun(turn.cx, local, item.id());
                    self.look_again(turn, local);
                }
            }
        }
    }

    /// What is announced by an envelope that names these beside the heads, so that the epoch is clean.
    fn plan_clean(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        survey: &Survey,
    ) -> Option<(Planned, Vec<EnvelopeId>)> {
        let clean =
            |planned: &Planned| is_clean(&planned.entitled.portions(), &survey.now.portions());
        let planned = self.plan_epoch(turn, local, &[])?;
        if clean(&planned) {
            return Some((planned, Vec::new()));
        }
        // What somebody said before it forked stands, and what somebody goes on to say whose content
        // is cut off, and nobody names it by itself.
        let mut past = planned.past;
        for _ in 0..NAMED_BEFORE {
            let names = self.left_unnamed(turn, local, &past);
            let planned = self.plan_epoch(turn, local, &names)?;
            if clean(&planned) {
                return Some((planned, names));
            }
            // More ends matter than an envelope names: one that changes nothing names these, and is
            // in the past of the next.
            if names.len() < UNNAMED_AT_ONCE || !self.tell_again(turn, local, names) {
                break;
            }
            past = planned.past;
        }
        self.look_again(turn, local);
        None
    }

    /// No epoch could be begun, and nothing says when one can.
    fn look_again(&mut self, turn: &Turn<'_, '_>, local: u32) {
        let at = turn.cx.now.after(UNCLEAN);
        let again = self.announcing.again.entry(local).or_insert(at);
        *again = at.min(*again);
    }

    /// Tells this device's sealing key once more, in an envelope that names these; says whether it does. A guest
    /// leaves the second half of what it may write to the person: others begin the epoch, or it does when it
    /// is welcome.
    fn tell_again(&mut self, turn: &mut Turn<'_, '_>, local: u32, names: Vec<EnvelopeId>) -> bool {
        if self.is_scarce(turn, local) {
            return false;
        }
        let keys = self.host.keys.topic(local);
        let Some(sealing) = keys.and_then(|keys| keys.sealing.as_ref()) else {
            return false;
        };
        let items = vec![Item::Sealing(sealing.public())];
        self.publish_naming(turn, local, items, names).is_ok()
    }

    /// Who is entitled in the past of the next envelope of this device, as admission sees it: forks
    /// that are known here are not known there.
    fn plan_epoch(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        names: &[EnvelopeId],
    ) -> Option<Planned> {
        let author = topic::Keys::author(&self.host, local)?;
        let rules = self.rules;
        let plan = Plan {
            class: Class::Control,
            now: turn.cx.wall.as_millis(),
            clock_confirmed: self.router.clock_confirmed(),
            lifespan: 0,
            count: 1,
            hops: MAX_HOPS,
            answers: names.to_vec(),
            manifest: None,
        };
        look(&mut self.topics, turn.cx, local, |lace, store| {
            let grant = *lace.author(&author)?.grant();
            let header = lace.next_header(store, &author, &grant, &plan).ok()?;
            let previous = EnvelopeId::from_bytes(header.previous);
            let mut past = BTreeSet::new();
            for id in header.deps.iter().chain([&previous]) {
                let view = lace.view_of(store, id);
                past.extend(view.iter().flat_map(|view| view.iter()));
            }
            let past = Set::new(past);
            let entitled = lace.facts(store, |facts| {
                let effect = rules.effect(facts, &past, &BTreeMap::new());
                Recipients::of(facts, &past, &effect)
            });
            Some(Planned {
                created: header.created,
                past,
                entitled,
            })
        })
        .flatten()
    }

    /// Publishes the next boxes of an own announcement, if there are any.
    fn announce_next(&mut self, turn: &mut Turn<'_, '_>, local: u32) {
        let Some((key, author, boxes)) = self.host.keys.next_boxes(turn.cx, local) else {
            return;
        };
        let refused = self.announcing.refused.get(&local).copied().unwrap_or(0);
        if topic::Keys::author(&self.host, local) != Some(author) || refused >= BOXES_TRIED {
            // Nobody would count them; another epoch is due.
            self.announcing.refused.remove(&local);
            self.host.keys.forget_boxes(turn.cx, local);
            return self.epochs_changed(turn, local);
        }
        match self.publish_items(turn, local, vec![Item::Boxes(boxes)]) {
            Ok(()) => {
                self.announcing.refused.remove(&local);
                turn.cx.store.delete(NODE, key);
                self.epochs_changed(turn, local);
            }
            Err(_) => {
                // The rate may allow it later.
                self.announcing
                    .refused
                    .insert(local, refused.saturating_add(1));
                let at = turn.cx.now.after(UNFINISHED);
                self.announcing.again.insert(local, at);
            }
        }
    }

    /// Where what stands, and is not in this past, was said: the last of each author, as many as one
    /// envelope may name beside the heads. Whoever has taken something from somebody comes first.
    fn left_unnamed(&mut self, turn: &mut Turn<'_, '_>, local: u32, past: &Set) -> Vec<EnvelopeId> {
        let ends = look(&mut self.topics, turn.cx, local, |lace, store| {
            let (held, effect) = (lace.held_set(store), lace.held_effect(store));
            let mut ends: BTreeMap<AuthorNo, End> = BTreeMap::new();
            lace.facts(store, |facts| {
                let left = held.iter().filter(|no| !past.has(*no));
                let stands = left.filter(|no| !effect.void.contains_key(no));
                for fact in stands.filter_map(|no| facts.fact(no)) {
                    let last = (fact.generation, fact.carrier);
                    let takes = false;
                    let end = ends.entry(fact.author).or_insert(End { takes, last });
                    end.takes |= takes_away(&fact.what);
                    end.last = end.last.max(last);
                }
            });
            let mut ends: Vec<End> = ends.into_values().collect();
            ends.sort_unstable_by_key(|end| Reverse((end.takes, end.last)));
            ends
        });
        let ends = ends.into_iter().flatten().map(|end| end.last.1);
        ends.take(UNNAMED_AT_ONCE).collect()
    }

    fn publish_items(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        items: Vec<Item>,
    ) -> Result<(), PublishError> {
        self.publish_naming(turn, local, items, Vec::new())
    }

    fn publish_naming(
        &mut self,
        turn: &mut Turn<'_, '_>,
        local: u32,
        items: Vec<Item>,
        answers: Vec<EnvelopeId>,
    ) -> Result<(), PublishError> {
        let draft = Draft {
            payload: Payload::Items(items),
            lifespan: None,
            answers,
            manifest: None,
        };
        self.with_topics(turn, |topics, env| topics.publish(env, local, draft))?;
        self.note_queued(turn, local);
        Ok(())
    }
}

/// The last that an author has said of rights.
#[derive(Clone, Copy, Debug)]
struct End {
    /// Whether something is taken from somebody there or before.
    takes: bool,
    /// The generation of the envelope, and its id.
    last: (u64, EnvelopeId),
}

/// Whether an item may end somebody's right.
const fn takes_away(item: &Item) -> bool {
    matches!(
        item,
        Item::Revocation(_) | Item::Close(_) | Item::Leave | Item::Act(_) | Item::Countersign(_)
    )
}

/// Takes out what is due.
fn due_by(times: &mut BTreeMap<u32, Time>, now: Time) -> Vec<u32> {
    let due: Vec<u32> = times
        .iter()
        .filter(|(_, at)| **at <= now)
        .map(|(local, _)| *local)
        .collect();
    times.retain(|_, at| *at > now);
    due
}
