//! The epochs of one topic and what this node holds of each.
//!
//! Today a topic has the epoch of its genesis and no other. The questions that later epochs will
//! ask are asked here already: which epoch to write under, which epoch a body names, which meeting
//! secrets to try.

use identity::{EpochId, TopicId};
use zeroize::Zeroizing;

use crate::epoch::{Access, AccessRefused, CoreSecret, Epoch, EpochRefused, MeetingSecret};
use crate::limits::{MAX_EPOCHS, MAX_MEETING_SECRETS};

/// One epoch and what this node holds of its secret.
#[derive(Clone, Debug)]
pub struct HeldEpoch {
    epoch: Epoch,
    /// Place in the order of epochs: greater wins.
    generation: u64,
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
        ring.add(Epoch::from_item(&genesis.epoch)?, 0);
        Ok(ring)
    }

    /// The topic.
    #[must_use]
    pub const fn topic(&self) -> TopicId {
        self.topic
    }

    /// Takes a later epoch, announced at this generation. Beyond [`MAX_EPOCHS`] the oldest goes.
    pub fn add(&mut self, epoch: Epoch, generation: u64) {
        if self.position(epoch.id()).is_some() {
            return;
        }
        self.epochs.push(HeldEpoch {
            epoch,
            generation,
            access: None,
        });
        self.epochs
            .sort_by_key(|held| (held.generation, held.epoch.id()));
        if self.epochs.len() > MAX_EPOCHS {
            self.epochs.remove(0);
        }
    }

    /// Takes a secret for an epoch after comparing it with the announced keys. A smaller access
    /// never replaces a greater one.
    pub fn unlock(&mut self, epoch: EpochId, access: Access) -> Result<(), AccessRefused> {
        let held = self
            .position(epoch)
            .and_then(|at| self.epochs.get_mut(at))
            .ok_or(AccessRefused::NoSuchEpoch)?;
        held.epoch.check(&access)?;
        if held
            .access
            .as_ref()
            .is_none_or(|old| old.rank() < access.rank())
        {
            held.access = Some(access);
        }
        Ok(())
    }

    /// The epoch to write under: the greatest by (generation, id) that is sealed to nobody who has
    /// lost the right. Without revocations every epoch is clean.
    #[must_use]
    pub fn newest_clean(&self) -> Option<&HeldEpoch> {
        self.epochs.last()
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

    /// The newest meeting secrets held, newest first, at most [`MAX_MEETING_SECRETS`].
    pub fn meeting_secrets(&self) -> impl Iterator<Item = MeetingSecret> {
        self.epochs
            .iter()
            .rev()
            .filter_map(HeldEpoch::meeting)
            .take(MAX_MEETING_SECRETS)
    }

    /// The newest core secrets held, newest first, at most [`MAX_MEETING_SECRETS`].
    pub fn core_secrets(&self) -> impl Iterator<Item = CoreSecret> {
        self.epochs
            .iter()
            .rev()
            .filter_map(HeldEpoch::core)
            .take(MAX_MEETING_SECRETS)
    }

    /// Whether bodies of the newest epoch can be opened here.
    #[must_use]
    pub fn reads(&self) -> bool {
        self.newest_clean()
            .and_then(HeldEpoch::access)
            .is_some_and(|a| a.epoch_secret().is_some())
    }

    /// What the node keeps of this ring in its vault: each epoch's id and access, oldest first.
    /// Secret: it goes into a sealed row only.
    pub fn secrets(&self) -> impl Iterator<Item = (EpochId, Zeroizing<Vec<u8>>)> {
        self.epochs
            .iter()
            .filter_map(|held| Some((held.epoch.id(), held.access.as_ref()?.to_bytes())))
    }

    fn position(&self, id: EpochId) -> Option<usize> {
        self.epochs.iter().position(|held| held.epoch.id() == id)
    }
}
