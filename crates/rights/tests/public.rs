//! Public topics: what follows from the id, what from the genesis, and what is not believed.

use identity::TopicId;
use rights::{
    Access, BoxRefused, DeviceSecret, EpochRefused, EpochSecret, Founded, InviteSeed, KeyRing,
    PublicTopic, found_public,
};
use wire::plain::{CoreEntry, PublicContents};

use crate::support::{NOW, flips, founded, parameters, rng};

fn public(seed: u8) -> Founded {
    let device = DeviceSecret::from_bytes([seed; 32]);
    found_public(&device, NOW, parameters(), &mut rng(seed)).unwrap()
}

fn contents(of: &Founded) -> PublicContents {
    PublicContents {
        genesis: of.genesis.clone(),
        title: "Notices".into(),
        cores: vec![CoreEntry {
            node: identity::NodeId::from_bytes([7; 32]),
            addresses: vec!["quic://core.example.org:4433".into()],
            name: String::new(),
        }],
    }
}

fn meeting(ring: &KeyRing) -> [u8; 32] {
    *ring.newest_clean().unwrap().meeting().unwrap().as_bytes()
}

#[test]
fn the_genesis_alone_reads_and_the_id_alone_finds() {
    let of = public(1);
    assert!(of.genesis.policy.public);
    let mut ring = KeyRing::new(of.topic, &of.genesis).unwrap();
    assert!(ring.newest_clean().unwrap().access().is_none());
    ring.unlock_public(&of.genesis);
    assert_eq!(meeting(&ring), meeting(&of.ring));
    let sealed = PublicTopic::seal(&contents(&of), &mut rng(9)).unwrap();
    assert_eq!(sealed.len(), wire::limits::BOX_LEN);
    let found = PublicTopic::open(of.topic, &sealed).unwrap();
    assert_eq!((found.topic, &found.genesis), (of.topic, &of.genesis));
    assert_eq!((found.title.as_str(), found.hints.len()), ("Notices", 1));
    assert_eq!(meeting(&found.ring), meeting(&of.ring));
    // Nobody who does not know the id learns anything of it, and a box of one opens as no invite's.
    let other = TopicId::from_bytes([3; 32]);
    let refused = PublicTopic::open(other, &sealed);
    assert_eq!(refused.unwrap_err(), BoxRefused::Closed);
    let seed = InviteSeed::of_public(of.topic);
    assert_ne!(seed.locator(), InviteSeed::of_public(other).locator());
    assert_eq!(seed.open_box(&sealed).unwrap_err(), BoxRefused::Malformed);
    for (_, flipped) in flips(&sealed) {
        assert!(PublicTopic::open(of.topic, &flipped).is_err());
    }
    for cut in [0, 1, sealed.len() - 1] {
        assert!(PublicTopic::open(of.topic, &sealed[..cut]).is_err());
    }
}

/// Whoever knows the id can seal a box for it; not with another genesis.
#[test]
fn a_false_genesis_is_not_believed() {
    let (of, other) = (public(1), public(2));
    let lie = |genesis: &wire::Genesis| {
        let plain = PublicContents {
            genesis: genesis.clone(),
            ..contents(&of)
        };
        // Sealed for the other's id, and opened as if it had been for this one.
        PublicTopic::seal(&plain, &mut rng(9)).unwrap()
    };
    assert!(PublicTopic::open(of.topic, &lie(&other.genesis)).is_err());
    assert!(PublicTopic::open(other.topic, &lie(&other.genesis)).is_ok());
    // A private topic has no such box, though somebody may make one.
    let private = founded(3);
    let sealed = lie(&private.genesis);
    let refused = PublicTopic::open(private.topic, &sealed);
    assert_eq!(refused.unwrap_err(), BoxRefused::OtherTopic);
}

/// A founder who keeps the secret of a topic that it calls public could show two readers two things.
#[test]
fn a_public_topic_has_the_keys_that_follow_from_its_genesis() {
    let of = public(1);
    let mut keeps = of.genesis.clone();
    keeps.epoch = founded(4).genesis.epoch;
    let refused = KeyRing::new(keeps.topic_id(), &keeps);
    assert_eq!(refused.unwrap_err(), EpochRefused::NotPublic);
    let plain = PublicContents {
        genesis: keeps.clone(),
        ..contents(&of)
    };
    let sealed = PublicTopic::seal(&plain, &mut rng(9)).unwrap();
    let refused = PublicTopic::open(keeps.topic_id(), &sealed);
    assert_eq!(refused.unwrap_err(), BoxRefused::Keys);
    let mut sliced = of.genesis.clone();
    sliced.epoch.slice = 1;
    let refused = KeyRing::new(sliced.topic_id(), &sliced);
    assert_eq!(refused.unwrap_err(), EpochRefused::NotPublic);
    // And of a private topic nobody has the keys by its genesis.
    let private = founded(3);
    let mut ring = KeyRing::new(private.topic, &private.genesis).unwrap();
    ring.unlock_public(&private.genesis);
    assert!(ring.newest_clean().unwrap().access().is_none());
    let guessed = EpochSecret::of_public(&private.genesis.random);
    let guessed = ring.unlock(private.genesis.epoch.id(), Access::Reader(guessed));
    assert!(guessed.is_err());
}
