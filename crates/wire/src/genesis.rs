//! The genesis of a topic: what its id is the hash of.

use identity::{EpochId, PublicKey, SealingKey, TopicId};

use crate::cbor::Malformed;

/// The public half of an epoch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EpochItem {
    /// 0: which constructions; 1 is the only one.
    pub suite: u8,
    /// 1: when it begins, milliseconds since 1970.
    pub start: u64,
    /// 2: length of a slice in milliseconds; 0 is one slice without end.
    pub slice: u64,
    /// 3: public key of each slice, 1 to 32 (exactly 1 when `slice` is 0).
    pub keys: Vec<SealingKey>,
}

/// What all replicas of a topic must know alike.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// 0: days of history whose keys are kept, from 1; 0 is all of it.
    pub history_days: u32,
    /// 1: how long content is kept unless the author says otherwise, milliseconds.
    pub lifespan: u64,
}

/// The genesis. It is no envelope: it travels in invites and at the head of sync.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Genesis {
    /// 1: fresh random bytes, so that no two topics have one id.
    pub random: [u8; 32],
    /// 2: the device that may do everything here.
    pub founder: PublicKey,
    /// 4: the first epoch.
    pub epoch: EpochItem,
    /// 5: the parameters.
    pub parameters: Parameters,
}

impl EpochItem {
    /// The bytes that its id is the hash of.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// kdf("epoch", item bytes).
    pub fn id(&self) -> EpochId {
        todo!()
    }
}

impl Genesis {
    /// The bytes that the topic's id is the hash of.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// Reads a genesis. Whether it is the one of a topic is seen by its [`Genesis::topic_id`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let _ = bytes;
        todo!()
    }

    /// kdf("topic", genesis bytes).
    pub fn topic_id(&self) -> TopicId {
        todo!()
    }
}
