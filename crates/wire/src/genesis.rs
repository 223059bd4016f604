//! The genesis of a topic: what its id is the hash of.

use identity::{EpochId, PublicKey, SealingKey, TopicId, seal};

use crate::cbor::{Malformed, Reader, Writer};
use crate::limits::{
    FORMAT, MAX_GENESIS, MAX_HISTORY_DAYS, MAX_LIFESPAN_MS, MAX_SLICES, MAX_TIME_MS,
};

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
        let mut w = Writer::new();
        self.write(&mut w);
        w.into_bytes()
    }

    /// kdf("epoch", item bytes).
    pub fn id(&self) -> EpochId {
        EpochId::from_bytes(seal::kdf("epoch", &[&self.encode()]))
    }

    fn write(&self, w: &mut Writer) {
        w.map(4)
            .key(0)
            .uint(self.suite)
            .key(1)
            .uint(self.start)
            .key(2)
            .uint(self.slice);
        w.list(3, &self.keys, |w, key| {
            w.bytes(key.as_bytes());
        });
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut f = r.fields("epoch")?;
        f.need(r, 0, "suite")?;
        let suite = r.within(1, 1, "suite")? as u8;
        f.need(r, 1, "start")?;
        let start = r.time("start")?;
        f.need(r, 2, "slice")?;
        let slice = r.at_most(MAX_TIME_MS, "slice")?;
        let wrong = r.wrong("slice keys");
        let keys = f.list(r, 3, MAX_SLICES, "slice keys", |r| {
            Ok(SealingKey::from_bytes(r.array("slice key")?))
        })?;
        f.end(r)?;
        // A slice without end is the only one.
        if keys.is_empty() || (slice == 0 && keys.len() != 1) {
            return Err(wrong);
        }
        Ok(Self {
            suite,
            start,
            slice,
            keys,
        })
    }
}

impl Genesis {
    /// The bytes that the topic's id is the hash of.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.map(6).key(0).uint(FORMAT).key(1).bytes(&self.random);
        w.key(2).bytes(self.founder.as_bytes());
        // The policy: nothing can be said in it yet.
        w.key(3).map(0).key(4);
        self.epoch.write(&mut w);
        w.key(5).map(2).key(0).uint(self.parameters.history_days);
        w.key(1).uint(self.parameters.lifespan);
        w.into_bytes()
    }

    /// Reads a genesis. Whether it is the one of a topic is seen by its [`Genesis::topic_id`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, MAX_GENESIS)?;
        let r = &mut reader;
        let mut f = r.fields("genesis")?;
        f.need(r, 0, "format")?;
        r.format()?;
        f.need(r, 1, "random bytes")?;
        let random = r.array("random bytes")?;
        f.need(r, 2, "founder")?;
        let founder = PublicKey::from_bytes(r.array("founder")?);
        f.need(r, 3, "policy")?;
        r.fields("policy")?.end(r)?;
        f.need(r, 4, "epoch")?;
        let epoch = EpochItem::read(r)?;
        f.need(r, 5, "parameters")?;
        let parameters = Parameters::read(r)?;
        f.end(r)?;
        Ok(Self {
            random,
            founder,
            epoch,
            parameters,
        })
    }

    /// kdf("topic", genesis bytes).
    pub fn topic_id(&self) -> TopicId {
        TopicId::from_bytes(seal::kdf("topic", &[&self.encode()]))
    }
}

impl Parameters {
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut f = r.fields("parameters")?;
        f.need(r, 0, "days of history")?;
        let history_days = r.at_most(MAX_HISTORY_DAYS, "days of history")? as u32;
        f.need(r, 1, "lifespan")?;
        let lifespan = r.within(1, MAX_LIFESPAN_MS, "lifespan")?;
        f.end(r)?;
        Ok(Self {
            history_days,
            lifespan,
        })
    }
}
