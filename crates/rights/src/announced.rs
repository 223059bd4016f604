//! Judging an epoch that somebody else began.
//!
//! An announcement is an item that lists the slices' keys and says by a hash to whom the secret is
//! sealed, and boxes, which may take several envelopes. Everybody who holds its past can tell whether
//! somebody was left out or added; who has a box can tell whether what is in it is right.
//!
//! Nothing here knows the graph: who is entitled in the past of an announcement is for the caller to
//! say, and that announcer, item and boxes belong together.

use std::collections::{BTreeMap, BTreeSet};

use identity::{EpochId, PublicKey, SealingKey, TopicId};
use wire::{Boxes, NextEpoch, SealedTo};

use crate::access::{Access, AccessRefused};
use crate::announce::{Portion, can_be_sealed_to};
use crate::boxes::{hash_of_hints, open_box};
use crate::epoch::{Epoch, EpochRefused};
use crate::keyring::KeyRing;
use crate::limits::{MAX_ENTITLED_CORES, SLICE_MS};
use crate::sealing::SealingKeys;
use crate::unicast::key_hint;

/// What is wrong with an announced epoch or its boxes. Its announcer signed it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EpochFault {
    /// Unknown here, or slices of another length than a day.
    #[error("an epoch of a form that nobody begins")]
    Form,
    /// Begins after its announcement, or more than a slice before it.
    #[error("an epoch that does not begin when it is announced")]
    Start,
    /// One key for two slices, or one that nothing can be sealed to.
    #[error("keys of slices that cannot be used")]
    Keys,
    /// Follows an epoch that its announcement does not have in its past.
    #[error("an epoch that follows one that its announcer cannot know")]
    Follows,
    /// Not sealed to exactly those who are entitled.
    #[error("an epoch that is sealed to somebody who may not, or not to somebody who may")]
    Hints,
    /// Fewer boxes than devices, or too many for core nodes.
    #[error("a number of boxes that does not fit those who are entitled")]
    Count,
    /// Boxes of another epoch, or more than were announced.
    #[error("boxes that were not announced")]
    Boxes,
    /// By somebody who may not write then, or not read all of it.
    #[error("an epoch that is begun by somebody who may not read all of it")]
    Right,
    /// The device has begun too many in the day that it claims, or two at once.
    #[error("more epochs than a device begins in a day")]
    Often,
}

/// Those to whom an epoch has to be sealed, as the past of its announcement says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    /// One for each device, ascending.
    hints: Vec<[u8; 8]>,
}

impl Expected {
    /// Of these sealing keys, one for each device and open invite.
    #[must_use]
    pub fn of<'a>(devices: impl IntoIterator<Item = &'a SealingKey>) -> Self {
        let usable = devices.into_iter().filter(|key| can_be_sealed_to(key));
        let mut hints: Vec<[u8; 8]> = usable.map(key_hint).collect();
        hints.sort_unstable();
        Self { hints }
    }

    /// Judges the item: a function of the item, of when its envelope claims to be made (ms since
    /// 1970), of whether an epoch is in its past, and of who is entitled there.
    ///
    /// # Errors
    /// [`EpochFault`], the same at everybody.
    pub fn judge(
        &self,
        item: &NextEpoch,
        created: u64,
        knows: impl Fn(&EpochId) -> bool,
    ) -> Result<(), EpochFault> {
        let epoch = Epoch::from_next(item).map_err(|_| EpochFault::Form)?;
        if item.epoch.slice != SLICE_MS {
            return Err(EpochFault::Form);
        }
        // A later start would let the first slice open what is older than somebody's right; an earlier
        // one would put all that is written into the last.
        let since = created.checked_sub(epoch.start());
        if since.is_none_or(|since| since >= SLICE_MS) {
            return Err(EpochFault::Start);
        }
        let keys: BTreeSet<&SealingKey> = item.epoch.keys.iter().collect();
        if keys.len() != item.epoch.keys.len() || !keys.into_iter().all(can_be_sealed_to) {
            return Err(EpochFault::Keys);
        }
        if !item.follows.iter().all(|followed| knows(&followed.epoch)) {
            return Err(EpochFault::Follows);
        }
        if item.hints != hash_of_hints(self.hints.clone()) {
            return Err(EpochFault::Hints);
        }
        let cores = usize::from(item.boxes).checked_sub(self.hints.len());
        if cores.is_none_or(|cores| cores > MAX_ENTITLED_CORES) {
            return Err(EpochFault::Count);
        }
        Ok(())
    }

    /// Judges boxes that follow those taken so far on the announcer's chain: to nobody who is not
    /// entitled, to nobody twice, and no more than announced.
    ///
    /// # Errors
    /// [`EpochFault::Boxes`] and [`EpochFault::Hints`].
    pub fn judge_boxes(&self, so_far: &Announced, boxes: &Boxes) -> Result<(), EpochFault> {
        let mut after = so_far.clone();
        after.take(boxes)?;
        // Both ascend: each box uses up one of those who are expected.
        let mut expected = self.hints.iter();
        let fit = after
            .devices
            .iter()
            .all(|sealed| expected.any(|hint| *hint == sealed.hint));
        let cores = usize::from(after.item.boxes).checked_sub(self.hints.len());
        if !fit {
            return Err(EpochFault::Hints);
        }
        if cores.is_none_or(|cores| after.cores.len() > cores) {
            return Err(EpochFault::Boxes);
        }
        Ok(())
    }
}

/// Whether nobody to whom an epoch was sealed has lost what it had then: whether it is clean. Devices
/// with what they might do in the past of the announcement, and with what they may do now. A right
/// whose time is over is not lost by that: its slices end with it.
#[must_use]
pub fn is_clean(then: &BTreeMap<PublicKey, Portion>, now: &BTreeMap<PublicKey, Portion>) -> bool {
    then.iter()
        .all(|(device, had)| match (had, now.get(device)) {
            (_, None) | (Portion::Reads { .. }, Some(Portion::Writes)) => false,
            (Portion::Writes, Some(_)) => true,
            (
                Portion::Reads { from, until },
                Some(Portion::Reads {
                    from: since,
                    until: end,
                }),
            ) => {
                let lasts = |until: &Option<u64>| until.unwrap_or(u64::MAX);
                since <= from && lasts(end) >= lasts(until)
            }
        })
}

/// An epoch that was announced, with the boxes that have come.
#[derive(Clone, Debug)]
pub struct Announced {
    item: NextEpoch,
    epoch: Epoch,
    devices: BTreeSet<SealedTo>,
    cores: BTreeSet<SealedTo>,
}

impl Announced {
    /// Of the item that announces it.
    ///
    /// # Errors
    /// [`EpochRefused`] when this version knows no such epochs.
    pub fn new(item: NextEpoch) -> Result<Self, EpochRefused> {
        Ok(Self {
            epoch: Epoch::from_next(&item)?,
            item,
            devices: BTreeSet::new(),
            cores: BTreeSet::new(),
        })
    }

    /// The item.
    #[must_use]
    pub const fn item(&self) -> &NextEpoch {
        &self.item
    }

    /// The epoch.
    #[must_use]
    pub const fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The boxes that were taken.
    #[must_use]
    pub fn boxes(&self) -> (&BTreeSet<SealedTo>, &BTreeSet<SealedTo>) {
        (&self.devices, &self.cores)
    }

    /// Takes boxes of the announcer, from the chain of the announcement and in its order: anybody else
    /// could crowd the right ones out.
    ///
    /// # Errors
    /// [`EpochFault::Boxes`] when they are another epoch's, or more than announced; none is taken.
    pub fn take(&mut self, boxes: &Boxes) -> Result<(), EpochFault> {
        if boxes.epoch != self.epoch.id() {
            return Err(EpochFault::Boxes);
        }
        let new = |known: &BTreeSet<SealedTo>, more: &[SealedTo]| {
            more.iter().filter(|sealed| !known.contains(sealed)).count()
        };
        let more = new(&self.devices, &boxes.devices) + new(&self.cores, &boxes.cores);
        if self.devices.len() + self.cores.len() + more > usize::from(self.item.boxes) {
            return Err(EpochFault::Boxes);
        }
        self.devices.extend(boxes.devices.iter().cloned());
        self.cores.extend(boxes.cores.iter().cloned());
        Ok(())
    }

    /// Whether all boxes have come, to those that the announcement names: only then is it written under.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let hints = self.devices.iter().map(|sealed| sealed.hint).collect();
        self.devices.len() + self.cores.len() == usize::from(self.item.boxes)
            && hash_of_hints(hints) == self.item.hints
    }

    /// Looks for the own box and judges what is in it, against what is announced and against what this
    /// device is entitled to. The ring has the epoch already ([`KeyRing::add`]).
    #[must_use]
    pub fn learn(&self, ring: &KeyRing, own: &SealingKeys, portion: Portion) -> Learnt {
        let of = (ring.topic(), self.epoch.id());
        let mut closed = None;
        for secret in own.secrets() {
            let key = secret.public();
            let hint = key_hint(&key);
            // Keys with equal hints can be made, so each is tried.
            for sealed in self.devices.iter().filter(|sealed| sealed.hint == hint) {
                match open_box(of, secret, sealed) {
                    Ok(access) => return self.judge(ring, (access, key), portion, sealed),
                    Err(_) => closed = closed.or(Some(sealed)),
                }
            }
        }
        match closed {
            // Before all have come, the right one may still do.
            Some(sealed) if self.is_usable() => {
                Learnt::False(self.evidence(Some(sealed), BoxFault::Closed))
            }
            _ => Learnt::Nothing,
        }
    }

    /// The same for a core node, whose access leaves no trace.
    #[must_use]
    pub fn learn_as_core(&self, topic: TopicId, own: &SealingKeys) -> Option<Access> {
        let of = (topic, self.epoch.id());
        own.secrets().find_map(|secret| {
            let hint = key_hint(&secret.public());
            let mut own = self.cores.iter().filter(|sealed| sealed.hint == hint);
            let opened = own.find_map(|sealed| open_box(of, secret, sealed).ok());
            opened.filter(|access| matches!(access, Access::Core(_)))
        })
    }

    fn judge(
        &self,
        ring: &KeyRing,
        (access, key): (Access, SealingKey),
        portion: Portion,
        sealed: &SealedTo,
    ) -> Learnt {
        match ring.judge(self.epoch.id(), &access) {
            Ok(()) => {}
            Err(AccessRefused::NoSuchEpoch) => return Learnt::Nothing,
            Err(_) => return Learnt::False(self.evidence(Some(sealed), BoxFault::Mismatch)),
        }
        let owed = match portion {
            Portion::Reads { from, until } => self.epoch.slices_within(from, until),
            Portion::Writes => 0..0,
        };
        let short =
            access.meeting().is_none() || !owed.into_iter().all(|slice| access.opens(slice));
        let evidence = if short {
            Some(self.evidence(Some(sealed), BoxFault::Short))
        } else if !ring.leads_back(self.epoch.id(), &access) {
            Some(self.evidence(None, BoxFault::Older))
        } else {
            None
        };
        Learnt::Access {
            access,
            key,
            evidence,
        }
    }

    fn evidence(&self, sealed: Option<&SealedTo>, fault: BoxFault) -> FalseBox {
        FalseBox {
            epoch: self.epoch.id(),
            sealed: sealed.cloned(),
            fault,
        }
    }
}

/// What this device has of an announced epoch.
#[derive(Clone, Debug)]
pub enum Learnt {
    /// It fits what is announced, and is to be taken ([`KeyRing::unlock`]).
    Access {
        /// What is held now.
        access: Access,
        /// The key that opened it: it is to be replaced ([`SealingKeys::opened`]).
        key: SealingKey,
        /// What is wrong all the same.
        evidence: Option<FalseBox>,
    },
    /// No box for this device, or none yet: it may ask a reader.
    Nothing,
    /// There is one, and it is false. Nothing of it is used; the right secret comes from a reader.
    False(FalseBox),
}

/// A box that its announcer signed and that is not what it has to be. It shows to this device alone:
/// who would prove it to others would have to give away a sealing key that opens other boxes too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FalseBox {
    /// Of which epoch.
    pub epoch: EpochId,
    /// The box; nothing where the announcement itself is false.
    pub sealed: Option<SealedTo>,
    /// What is wrong.
    pub fault: BoxFault,
}

/// What is wrong with a box.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BoxFault {
    /// Does not open, or holds no access.
    #[error("the box for this device does not open")]
    Closed,
    /// What is in it does not fit the announced keys or the older secrets.
    #[error("the box holds a secret that is not the epoch's")]
    Mismatch,
    /// It opens less than this device may read.
    #[error("the box opens less than this device may read")]
    Short,
    /// The secrets of the epochs that it follows are false.
    #[error("the announcement says false secrets of older epochs")]
    Older,
}
