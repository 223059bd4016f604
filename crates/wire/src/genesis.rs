//! The genesis of a topic: what its id is the hash of.

use identity::{EpochId, Form, PublicKey, SealingKey, TopicId, seal};

use crate::cbor::{Fields, Malformed, Reader, Writer};
use crate::joint::read_form;
use crate::limits::{
    FORMAT, MAX_GENESIS, MAX_HISTORY_DAYS, MAX_LIFESPAN_MS, MAX_SLICES, MAX_TIME_MS,
};
use crate::terms::Budget;

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

/// What holds in a topic from the beginning and never changes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TopicPolicy {
    /// 0: whoever has the genesis may read.
    pub public: bool,
    /// 1: what bounds grants and invites that name no bound of that kind. The topic's own grant has none.
    pub budget: Budget,
}

/// The genesis. It is no envelope: it travels in invites and at the head of sync.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Genesis {
    /// 1: fresh random bytes, so that no two topics have one id.
    pub random: [u8; 32],
    /// 2: the first form of the composition that may do everything here. When a topic is founded it
    /// is one device, for the keys of all others depend on the topic's id.
    pub root: Form,
    /// 3: what holds from the beginning.
    pub policy: TopicPolicy,
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
        w.map(4);
        self.write_fields(w);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut f = r.fields("epoch")?;
        let epoch = Self::read_fields(r, &mut f)?;
        f.end(r)?;
        Ok(epoch)
    }

    /// Fields 0 to 3 of a map that has been opened.
    pub(crate) fn write_fields(&self, w: &mut Writer) {
        w.key(0)
            .uint(self.suite)
            .key(1)
            .uint(self.start)
            .key(2)
            .uint(self.slice);
        w.list(3, &self.keys, |w, key| {
            w.bytes(key.as_bytes());
        });
    }

    pub(crate) fn read_fields(r: &mut Reader<'_>, f: &mut Fields) -> Result<Self, Malformed> {
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
        w.key(2).encoded(&self.root.encode()).key(3);
        self.policy.write(&mut w);
        w.key(4);
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
        f.need(r, 2, "root")?;
        let root = read_form(r)?;
        f.need(r, 3, "policy")?;
        let policy = TopicPolicy::read(r)?;
        f.need(r, 4, "epoch")?;
        let epoch = EpochItem::read(r)?;
        f.need(r, 5, "parameters")?;
        let parameters = Parameters::read(r)?;
        f.end(r)?;
        Ok(Self {
            random,
            root,
            policy,
            epoch,
            parameters,
        })
    }

    /// The device that founded the topic: the one of its first form; of several the first.
    pub fn founder(&self) -> PublicKey {
        let first = self.root.devices().first();
        // A form has a device.
        first.map_or(PublicKey::from_bytes([0; 32]), |device| device.key)
    }

    /// kdf("topic", genesis bytes).
    pub fn topic_id(&self) -> TopicId {
        TopicId::from_bytes(seal::kdf("topic", &[&self.encode()]))
    }
}

impl TopicPolicy {
    /// What bounds a grant or an invite that names these: of each kind what it names, or else what the topic
    /// does. What may be written in all is the grant's alone to say.
    #[must_use]
    pub fn budget_of(&self, named: Budget) -> Budget {
        let of = &self.budget;
        Budget {
            messages: named.messages.or(of.messages),
            bytes: named.bytes.or(of.bytes),
            largest: named.largest.or(of.largest),
            lifespan: named.lifespan.or(of.lifespan),
            hops: named.hops.or(of.hops),
            ..named
        }
    }

    fn write(&self, w: &mut Writer) {
        w.map(usize::from(self.public) + usize::from(!self.budget.is_none()));
        if self.public {
            w.key(0).bool(true);
        }
        self.budget.write_field(w, 1);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut f = r.fields("policy")?;
        let public = f.maybe(r, 0)?;
        let wrong = r.wrong("public");
        // False is said by leaving it out.
        if public && !r.bool("public")? {
            return Err(wrong);
        }
        let budget = Budget::read_field(r, &mut f, 1)?;
        f.end(r)?;
        Ok(Self { public, budget })
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
