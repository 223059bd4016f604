//! Founding a topic: its genesis, with the founder's device and the first epoch.

use identity::{Form, SecretKey, TopicId};
use machine::{Rng, WallTime};
use wire::{Genesis, Parameters, TopicPolicy};

use crate::access::Access;
use crate::device::DeviceSecret;
use crate::epoch::{Epoch, EpochRefused, EpochSecret};
use crate::keyring::KeyRing;

/// A topic that was just founded.
#[derive(Clone, Debug)]
pub struct Founded {
    /// The topic: the hash of the genesis.
    pub topic: TopicId,
    /// The genesis.
    pub genesis: Genesis,
    /// The founder's device key in the topic.
    pub device: SecretKey,
    /// The topic's keys, unlocked.
    pub ring: KeyRing,
}

/// Founds a topic: fresh random bytes, this device as the founder, one epoch with one slice
/// without end that begins now. Nothing bounds who is let in but what its grant says.
pub fn found(
    device: &DeviceSecret,
    now: WallTime,
    parameters: Parameters,
    rng: &mut Rng,
) -> Result<Founded, EpochRefused> {
    let policy = TopicPolicy::default();
    found_with(device, now, (parameters, policy), rng)
}

/// Founds a public topic: the same, but that the secret of its epoch follows from the genesis.
pub fn found_public(
    device: &DeviceSecret,
    now: WallTime,
    parameters: Parameters,
    rng: &mut Rng,
) -> Result<Founded, EpochRefused> {
    let policy = TopicPolicy {
        public: true,
        ..TopicPolicy::default()
    };
    found_with(device, now, (parameters, policy), rng)
}

/// Founds a topic in which this holds from the beginning.
pub fn found_with(
    device: &DeviceSecret,
    now: WallTime,
    (parameters, policy): (Parameters, TopicPolicy),
    rng: &mut Rng,
) -> Result<Founded, EpochRefused> {
    let random = rng.array();
    let secret = if policy.public {
        EpochSecret::of_public(&random)
    } else {
        EpochSecret::generate(rng)
    };
    let device = device.founder_key(&random);
    let epoch = Epoch::announce(&secret, now.as_millis());
    let epoch_id = epoch.id();
    let genesis = Genesis {
        random,
        root: Form::one(device.public()),
        policy,
        epoch,
        parameters,
    };
    let topic = genesis.topic_id();
    let mut ring = KeyRing::new(topic, &genesis)?;
    // The keys were derived from this secret two lines above, so they fit.
    ring.unlock(epoch_id, Access::Reader(secret))
        .expect("the secret of the announced keys");
    Ok(Founded {
        topic,
        genesis,
        device,
        ring,
    })
}
