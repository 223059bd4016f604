//! The epochs of one topic and what this node holds of each: which one to write under, which one a
//! body names, which meeting secrets to try, and what is given up when its time is over.

use std::collections::{BTreeMap, BTreeSet};

use identity::seal::same;
use identity::{EpochId, TopicId};
use machine::planted::{Bug, is};
use wire::limits::MAX_FOLLOWED_EPOCHS;
use wire::{EpochReason, Followed};
use zeroize::Zeroizing;

use crate::access::{Access, AccessRefused};
use crate::announce::Portion;
use crate::boxes::open_older;
use crate::epoch::{CoreSecret, Epoch, EpochRefused, EpochSecret, MeetingSecret};
use crate::limits::{MAX_EPOCHS, MAX_MEETING_SECRETS, SPARE_SLICES};

/// One epoch and what this node holds of its secret.
#[derive(Clone, Debug)]
pub struct HeldEpoch {
    epoch: Epoch,
    /// Place in the order of epochs: greater wins.
    generation: u64,
    /// The epochs that it follows, with their meeting secrets, sealed under its own.
    follows: Vec<Followed>,
    clean: bool,
    /// When this node first heard of an epoch that follows this one, by its own clock, ms since 1970.
    followed: Option<u64>,
    /// The first slice that was not given up.
    kept_from: u8,
    access: Option<Access>,
}

impl HeldEpoch {
    /// The public part.
    #[must_use]
    pub const fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// What is held of the secret, if anything.
    #[must_use]
    pub const fn access(&self) -> Option<&Access> {
        self.access.as_ref()
    }

    /// The meeting secret, if held.
    #[must_use]
    pub fn meeting(&self) -> Option<MeetingSecret> {
        self.access()?.meeting()
    }

    /// The core secret, if anything is held.
    #[must_use]
    pub fn core(&self) -> Option<CoreSecret> {
        Some(self.access()?.core())
    }

    /// Whether bodies of a slice can be opened here.
    #[must_use]
    pub fn opens(&self, slice: u8) -> bool {
        self.access.as_ref().is_some_and(|a| a.opens(slice))
    }

    /// The generation of the envelope that announced it; 0 for the genesis.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether it may be written under.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.clean
    }

    /// When this node first heard of an epoch that follows this one, ms since 1970.
    #[must_use]
    pub const fn followed(&self) -> Option<u64> {
        self.followed
    }

    /// The first slice that was not given up for good.
    #[must_use]
    pub const fn kept_from(&self) -> u8 {
        self.kept_from
    }

    /// The first slice that is to be kept when all that is older than `before` is given up.
    fn kept_at(&self, before: u64) -> u8 {
        let kept = self.epoch.slices_ending_after(before).start;
        let last = self.epoch.slices().saturating_sub(1);
        let over = self.followed.is_some_and(|at| at <= before) && self.epoch.last_over(before);
        // The last slice takes all that comes later, so it ends where another epoch has followed.
        if over && kept == last {
            self.epoch.slices()
        } else {
            kept
        }
    }

    /// As much of an access as was not given up here.
    fn kept(&self, access: Access) -> Option<Access> {
        if (0..self.kept_from).any(|slice| access.opens(slice)) {
            access.part(self.kept_from..self.epoch.slices())
        } else {
            Some(access)
        }
    }
}

/// All epochs of one topic, oldest first.
#[derive(Clone, Debug)]
pub struct KeyRing {
    topic: TopicId,
    epochs: Vec<HeldEpoch>,
}

impl KeyRing {
    /// The ring of a topic with the epoch of its genesis, of which nothing is held yet.
    pub fn new(topic: TopicId, genesis: &wire::Genesis) -> Result<Self, EpochRefused> {
        let mut ring = Self {
            topic,
            epochs: Vec::new(),
        };
        ring.add(Epoch::of_genesis(genesis)?, 0, &[]);
        Ok(ring)
    }

    /// Takes what everybody may have of a public topic: its one epoch, whole. Of any other topic
    /// nothing.
    pub fn unlock_public(&mut self, genesis: &wire::Genesis) {
        if genesis.policy.public {
            let secret = EpochSecret::of_public(&genesis.random);
            // The ring was made of a genesis whose keys follow from this secret.
            let _opens = self.unlock(genesis.epoch.id(), Access::Reader(secret));
        }
    }

    /// The topic.
    #[must_use]
    pub const fn topic(&self) -> TopicId {
        self.topic
    }

    /// Takes a later epoch, announced at this generation, with those that it follows. It may be
    /// written under until [`Self::mark`] says otherwise.
    ///
    /// Beyond [`MAX_EPOCHS`] the oldest goes of which nothing is held, so that nobody can announce
    /// away what this node reads; only where something is held of each, the oldest of all.
    pub fn add(&mut self, epoch: Epoch, generation: u64, follows: &[Followed]) {
        if self.position(epoch.id()).is_some() {
            return;
        }
        self.epochs.push(HeldEpoch {
            epoch,
            generation,
            follows: follows.to_vec(),
            clean: true,
            followed: None,
            kept_from: 0,
            access: None,
        });
        self.epochs
            .sort_by_key(|held| (held.generation, held.epoch.id()));
        if self.epochs.len() > MAX_EPOCHS {
            let unread = self.epochs.iter().position(|held| held.access.is_none());
            self.epochs.remove(unread.unwrap_or(0));
        }
    }

    /// Says whether an epoch may be written under: it stands, all its boxes have come, and none of
    /// them is for somebody who has lost the right. One that may not is still read.
    pub fn mark(&mut self, epoch: EpochId, clean: bool) {
        if let Some(held) = self.held_mut(epoch) {
            held.clean = clean;
        }
    }

    /// Notes that an epoch that follows this one was first heard of at `now`, by this node's own clock
    /// (ms since 1970): what an announcement claims about time could end an epoch before its time.
    /// Only the first time counts. Says whether anything changed.
    pub fn note_followed(&mut self, epoch: EpochId, now: u64) -> bool {
        let Some(held) = self.held_mut(epoch) else {
            return false;
        };
        let first = held.followed.is_none();
        held.followed.get_or_insert(now);
        first
    }

    /// Notes, at `now` by a clock that may be relied on (ms since 1970), that whoever has heard of the
    /// newest clean epoch writes under none before it any more. Says of which it was not noted yet.
    pub fn note_ended(&mut self, now: u64) -> Vec<EpochId> {
        let newest = self.newest_clean().map(|held| held.epoch.id());
        let before = self.epochs.iter().map(|held| held.epoch.id());
        let before: Vec<EpochId> = before.take_while(|id| Some(*id) != newest).collect();
        if newest.is_none() {
            return Vec::new();
        }
        let noted = before.into_iter();
        noted.filter(|id| self.note_followed(*id, now)).collect()
    }

    /// Takes a secret for an epoch after comparing it with the announced keys, and what recognises
    /// members with the older secrets that the announcement carries. What was held is kept: a smaller
    /// access never replaces a greater one, and slices add up. What was given up does not come back.
    ///
    /// # Errors
    /// [`AccessRefused::Mismatch`]: whoever announced the epoch, or handed this over, deceives.
    pub fn unlock(&mut self, epoch: EpochId, access: Access) -> Result<(), AccessRefused> {
        self.judge(epoch, &access)?;
        self.restore(epoch, access);
        Ok(())
    }

    /// Whether [`Self::unlock`] would take an access. Changes nothing.
    ///
    /// # Errors
    /// As there.
    pub fn judge(&self, epoch: EpochId, access: &Access) -> Result<(), AccessRefused> {
        let held = self.by_id(epoch).ok_or(AccessRefused::NoSuchEpoch)?;
        held.epoch.check(access)?;
        // E proves itself. Any other M shows only here that it is the right one.
        if access.epoch_secret().is_none() && !self.leads_back(epoch, access) {
            return Err(AccessRefused::Mismatch);
        }
        Ok(())
    }

    /// Takes back what this node kept of an epoch in its own vault, where it came by
    /// [`Self::unlock`].
    pub fn restore(&mut self, epoch: EpochId, access: Access) {
        let Some(held) = self.held_mut(epoch) else {
            return;
        };
        let Some(access) = held.kept(access) else {
            return;
        };
        held.access = Some(match held.access.take() {
            Some(old) => old.with(access),
            None => access,
        });
    }

    /// Gives up the slices of an epoch before this one, for good: as the vault says of an earlier life.
    pub fn give_up(&mut self, epoch: EpochId, kept_from: u8) {
        let Some(held) = self.held_mut(epoch) else {
            return;
        };
        held.kept_from = held.kept_from.max(kept_from.min(held.epoch.slices()));
        held.access = held.access.take().and_then(|access| held.kept(access));
    }

    /// Whether an epoch's announcement carries, under the meeting secret of this access, those of the
    /// epochs that it follows: each opens, and is the one that is held here if one is. Its announcer
    /// signed what does not fit. An access without a meeting secret says nothing.
    #[must_use]
    pub fn leads_back(&self, epoch: EpochId, access: &Access) -> bool {
        let (Some(held), Some(meeting)) = (self.by_id(epoch), access.meeting()) else {
            return true;
        };
        held.follows.iter().all(|followed| {
            let Ok(older) = open_older(&meeting, followed.epoch, &followed.meeting) else {
                return false;
            };
            let known = self.by_id(followed.epoch).and_then(HeldEpoch::meeting);
            known.is_none_or(|known| same(known.as_bytes(), older.as_bytes()))
        })
    }

    /// The epochs that no other one follows yet and of which the meeting secret is held, the newest
    /// first, at most [`MAX_FOLLOWED_EPOCHS`]: what the next epoch follows. Where the secret of none of
    /// them is held, the newest of which it is.
    #[must_use]
    pub fn ends(&self) -> Vec<(EpochId, MeetingSecret)> {
        let followed: BTreeSet<EpochId> = self
            .epochs
            .iter()
            .flat_map(|held| held.follows.iter().map(|followed| followed.epoch))
            .collect();
        let held = self.epochs.iter().rev();
        let known = held.filter_map(|held| Some((held.epoch.id(), held.meeting()?)));
        let (ends, others): (Vec<_>, Vec<_>) = known.partition(|(id, _)| !followed.contains(id));
        if ends.is_empty() {
            others.into_iter().take(1).collect()
        } else {
            ends.into_iter().take(MAX_FOLLOWED_EPOCHS).collect()
        }
    }

    /// Why whoever may begin an epoch does so before it writes what claims to be made then (ms since
    /// 1970), if it does: there is no clean one, or the slices of the newest clean one are nearly used
    /// up. One slice without end never is.
    #[must_use]
    pub fn due(&self, created: u64) -> Option<EpochReason> {
        let Some(held) = self.newest_clean() else {
            return Some(EpochReason::REVOKED);
        };
        let spare = held.epoch.slices().saturating_sub(SPARE_SLICES);
        let used_up = held.epoch.slice_ms() > 0 && held.epoch.slice_of(created) >= spare;
        used_up.then_some(EpochReason::USED_UP)
    }

    /// Whether there are clean epochs of which none comes after the other: two parts of the topic have
    /// each begun one, and whoever joined in one part has nothing of the other's. One that follows both
    /// is for everybody.
    #[must_use]
    pub fn parted(&self) -> bool {
        // Epochs that a clean one follows, over others that may not be clean.
        let mut before = BTreeSet::new();
        let mut ends = 0_usize;
        for held in self.epochs.iter().rev() {
            let id = held.epoch.id();
            if held.clean && !before.contains(&id) {
                ends = ends.saturating_add(1);
            }
            if held.clean || before.contains(&id) {
                // What an epoch follows has a lower generation, so it comes later here.
                before.extend(held.follows.iter().map(|followed| followed.epoch));
            }
        }
        // The first epoch comes before all others, whatever they say.
        let first = self.epochs.first();
        let others = first.is_some_and(|first| first.clean && !before.contains(&first.epoch.id()));
        ends.saturating_sub(usize::from(others && ends > 1)) > 1
    }

    /// The meeting secret by which members recognise one another: that of the newest clean epoch, or
    /// where it is not held, of the newest of which it is.
    #[must_use]
    pub fn recognises(&self) -> Option<MeetingSecret> {
        let newest = self.newest_clean().and_then(HeldEpoch::meeting);
        newest.or_else(|| self.epochs.iter().rev().find_map(HeldEpoch::meeting))
    }

    /// The newest epoch of which anything is held, whether it may be written under or not.
    #[must_use]
    pub fn newest_held(&self) -> Option<&HeldEpoch> {
        self.epochs.iter().rev().find(|held| held.access.is_some())
    }

    /// The epoch to write under: the greatest by (generation, id) that is sealed to nobody who has
    /// lost the right. Without one, somebody has to begin one before anybody writes.
    #[must_use]
    pub fn newest_clean(&self) -> Option<&HeldEpoch> {
        let clean = |held: &&HeldEpoch| held.clean || is(Bug::UncleanEpoch);
        self.epochs.iter().rev().find(clean)
    }

    /// All epochs, oldest first.
    pub fn epochs(&self) -> impl Iterator<Item = &HeldEpoch> {
        self.epochs.iter()
    }

    /// The epoch that a sealed body names by the first half of its id.
    #[must_use]
    pub fn by_prefix(&self, prefix: &[u8; 16]) -> Option<&HeldEpoch> {
        self.epochs
            .iter()
            .rev()
            .find(|held| held.epoch.prefix() == *prefix)
    }

    /// The epoch of this id.
    #[must_use]
    pub fn by_id(&self, id: EpochId) -> Option<&HeldEpoch> {
        self.position(id).and_then(|at| self.epochs.get(at))
    }

    /// The newest meeting secrets, newest first, at most [`MAX_MEETING_SECRETS`]: those held, and those
    /// that the announcements of newer epochs carry. The latter are the announcers' word alone: they
    /// recognise somebody or nobody, and nothing is judged by them.
    pub fn meeting_secrets(&self) -> impl Iterator<Item = MeetingSecret> {
        let mut told = BTreeMap::new();
        let mut secrets = Vec::new();
        for held in self.epochs.iter().rev() {
            let Some(meeting) = held.meeting().or_else(|| told.remove(&held.epoch.id())) else {
                continue;
            };
            for followed in &held.follows {
                if let Ok(older) = open_older(&meeting, followed.epoch, &followed.meeting) {
                    told.entry(followed.epoch).or_insert(older);
                }
            }
            secrets.push(meeting);
            if secrets.len() == MAX_MEETING_SECRETS {
                break;
            }
        }
        secrets.into_iter()
    }

    /// The newest core secrets held, newest first, at most [`MAX_MEETING_SECRETS`].
    pub fn core_secrets(&self) -> impl Iterator<Item = CoreSecret> {
        self.epochs
            .iter()
            .rev()
            .filter_map(HeldEpoch::core)
            .take(MAX_MEETING_SECRETS)
    }

    /// Whether some bodies of the newest epoch can be opened here.
    #[must_use]
    pub fn reads(&self) -> bool {
        self.newest_clean()
            .is_some_and(|held| (0..held.epoch.slices()).any(|slice| held.opens(slice)))
    }

    /// Gives up, for good, what opens content older than `before` (ms since 1970): the keys of slices
    /// that ended by then. An access to all of an epoch becomes one to the slices that are left, and
    /// nothing that is handed over later opens more. Says which epochs changed: their rows in the
    /// vault are to be written anew, in the same commit.
    ///
    /// The last slice of an epoch ends when another epoch has followed it for that long here.
    pub fn forget_before(&mut self, before: u64) -> Vec<EpochId> {
        let mut changed = Vec::new();
        for held in &self.epochs {
            if held.kept_at(before) > held.kept_from {
                changed.push((held.epoch.id(), held.kept_at(before)));
            }
        }
        for (epoch, kept_from) in &changed {
            self.give_up(*epoch, *kept_from);
        }
        changed.into_iter().map(|(epoch, _)| epoch).collect()
    }

    /// What is not held of an epoch by somebody who may do this much, apart from what was given up: the
    /// slices as bits from the lowest, none where M alone is missing.
    #[must_use]
    pub fn lacking(&self, epoch: EpochId, portion: Portion) -> Option<u32> {
        let held = self.by_id(epoch)?;
        let owed = owed(&held.epoch, portion);
        let missing = owed.filter(|slice| *slice >= held.kept_from && !held.opens(*slice));
        let bits = missing.map(bit).fold(0, |bits, bit| bits | bit);
        (bits != 0 || held.meeting().is_none()).then_some(bits)
    }

    /// What is handed over to somebody who asks for these slices of these epochs and may do this much: of
    /// each what it may have, was asked for, and is held here. All of an epoch without an end that cuts
    /// it short is its whole secret.
    #[must_use]
    pub fn hand_over(&self, asked: &[(EpochId, u32)], portion: Portion) -> Vec<(EpochId, Access)> {
        let part = |(epoch, bits): &(EpochId, u32)| {
            let held = self.by_id(*epoch)?;
            let access = held.access.as_ref()?;
            let all = held.epoch.slices();
            let allowed = owed(&held.epoch, portion).filter(|slice| bits & bit(*slice) != 0);
            let allowed: BTreeSet<u8> = allowed.collect();
            if allowed.len() == usize::from(all) && access.epoch_secret().is_some() {
                return Some((*epoch, access.clone()));
            }
            Some((*epoch, access.only(&allowed)?))
        };
        asked.iter().filter_map(part).collect()
    }

    /// What the node keeps of this ring in its vault: each epoch's id and access, oldest first.
    /// Secret: it goes into a sealed row only.
    pub fn secrets(&self) -> impl Iterator<Item = (EpochId, Zeroizing<Vec<u8>>)> {
        self.epochs
            .iter()
            .filter_map(|held| Some((held.epoch.id(), held.access.as_ref()?.to_bytes())))
    }

    fn held_mut(&mut self, id: EpochId) -> Option<&mut HeldEpoch> {
        self.epochs.iter_mut().find(|held| held.epoch.id() == id)
    }

    fn position(&self, id: EpochId) -> Option<usize> {
        self.epochs.iter().position(|held| held.epoch.id() == id)
    }
}

/// The slices that somebody may read.
fn owed(epoch: &Epoch, portion: Portion) -> core::ops::Range<u8> {
    match portion {
        Portion::Reads { from, until } => epoch.slices_within(from, until),
        Portion::Writes => 0..0,
    }
}

fn bit(slice: u8) -> u32 {
    1_u32.checked_shl(u32::from(slice)).unwrap_or(0)
}
