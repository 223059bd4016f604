//! A topic, its founder and a joiner, headers and links to try things on.

use identity::{GrantId, NodeId, PublicKey, SecretKey, TopicId};
use machine::{Rng, WallTime};
use rights::{
    Access, DeviceSecret, Founded, KeyRing, LinkSecret, OpenCache, Opened, Role, SenderKeys,
    Standing, Subject, found, open, seal,
};
use wire::plain::Message;
use wire::{Class, Genesis, Header, Parameters};

pub(crate) const NOW: WallTime = WallTime::from_millis(1_780_000_000_000);
pub(crate) const DAY: u64 = 86_400_000;

pub(crate) fn rng(seed: u8) -> Rng {
    Rng::from_seed([seed; 32])
}

pub(crate) fn parameters() -> Parameters {
    Parameters {
        history_days: 90,
        lifespan: 30 * DAY,
    }
}

pub(crate) fn founded(seed: u8) -> Founded {
    let device = DeviceSecret::from_bytes([seed; 32]);
    found(&device, NOW, parameters(), &mut rng(seed)).unwrap()
}

/// A ring of the topic of which only the announcement is held.
pub(crate) fn public_ring(of: &Founded) -> KeyRing {
    KeyRing::new(of.topic, &of.genesis).unwrap()
}

/// The same topic's ring with a smaller access than the founder's.
pub(crate) fn ring_with(of: &Founded, access: impl Fn(&Access) -> Access) -> KeyRing {
    let held = of.ring.newest_clean().unwrap();
    let mut ring = public_ring(of);
    ring.unlock(held.epoch().id(), access(held.access().unwrap()))
        .unwrap();
    ring
}

pub(crate) fn member_ring(of: &Founded) -> KeyRing {
    ring_with(of, |access| Access::Member(access.meeting().unwrap()))
}

pub(crate) fn core_ring(of: &Founded) -> KeyRing {
    ring_with(of, |access| Access::Core(access.core()))
}

/// A topic whose epoch has three slices of a day, and the epoch's secret.
pub(crate) fn sliced(seed: u8) -> (Genesis, KeyRing) {
    let mut of = founded(seed);
    let held = of.ring.newest_clean().unwrap();
    let secret = held.access().unwrap().epoch_secret().unwrap().clone();
    of.genesis.epoch.slice = DAY;
    of.genesis.epoch.keys = secret.slice_public(3);
    let mut ring = KeyRing::new(of.genesis.topic_id(), &of.genesis).unwrap();
    ring.unlock(of.genesis.epoch.id(), Access::Reader(secret))
        .unwrap();
    (of.genesis, ring)
}

pub(crate) fn header(topic: TopicId, author: PublicKey, number: u64, count: u16) -> Header {
    Header {
        destination: topic.to_id(),
        author,
        number,
        previous: *topic.as_bytes(),
        generation: number,
        created: NOW.as_millis() + number,
        expires: NOW.as_millis() + 30 * DAY,
        body_len: 0,
        body_hash: [0; 32],
        count,
        class: Class::Content,
        grant: GrantId::from_bytes(*topic.as_bytes()),
        hops: 8,
        deps: Vec::new(),
        manifest: None,
        clock_unconfirmed: false,
        extensions: Default::default(),
    }
}

pub(crate) fn author(seed: u8) -> PublicKey {
    SecretKey::from_seed([seed; 32]).public()
}

pub(crate) fn subject(of: &Founded, author_seed: u8, number: u64, count: u16) -> Subject {
    Subject::of(&header(of.topic, author(author_seed), number, count)).unwrap()
}

pub(crate) fn texts(count: usize) -> Vec<Message> {
    (0..count)
        .map(|n| Message::text(format!("message {n}")))
        .collect()
}

/// Seals as the topic's founder would, with fresh sender keys.
pub(crate) fn sealed(ring: &KeyRing, subject: &Subject, messages: &[Message], seed: u8) -> Vec<u8> {
    let epoch = ring.newest_clean().unwrap().epoch();
    seal(
        &mut SenderKeys::new(),
        epoch,
        subject,
        messages,
        &mut rng(seed),
    )
    .unwrap()
}

/// Opens with nothing remembered.
pub(crate) fn opened(ring: &KeyRing, subject: &Subject, body: &[u8]) -> Opened {
    open(&mut OpenCache::new(), ring, subject, body)
}

pub(crate) fn node(seed: u8) -> NodeId {
    SecretKey::from_seed([seed; 32]).node_id()
}

/// Both ends of a link between nodes 1 and 2.
pub(crate) fn link(exporter: u8) -> (LinkSecret, LinkSecret) {
    link_between(exporter, node(1), node(2))
}

pub(crate) fn link_between(exporter: u8, one: NodeId, two: NodeId) -> (LinkSecret, LinkSecret) {
    let end = |role| LinkSecret::new(&[exporter; 32], one, two, role);
    (end(Role::Dialler), end(Role::Acceptor))
}

/// How the founder stands in its topic.
pub(crate) fn founder(of: &Founded) -> Standing {
    Standing {
        device: of.device.clone(),
        grant: GrantId::from_bytes(*of.topic.as_bytes()),
        claim: None,
    }
}

/// Every way to flip one bit of one byte, for each byte; the bit varies from byte to byte.
pub(crate) fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..bytes.len()).map(|at| {
        let mut flipped = bytes.to_vec();
        flipped[at] ^= 1 << (at % 8);
        (at, flipped)
    })
}
