//! Epochs, accesses, rings and device keys.

use identity::EpochId;
use rights::limits::{MAX_EPOCHS, MAX_MEETING_SECRETS};
use rights::{
    Access, AccessRefused, DeviceSecret, Epoch, EpochRefused, EpochSecret, Incarnation, KeyRing,
    Opened,
};

use crate::support::{
    core_ring, founded, member_ring, opened, public_ring, rng, sealed, subject, texts,
};

#[test]
fn an_access_comes_back_from_its_bytes() {
    let of = founded(1);
    let access = of.ring.newest_clean().unwrap().access().unwrap().clone();
    let all = [
        access.clone(),
        Access::Member(access.meeting().unwrap()),
        Access::Core(access.core()),
    ];
    for access in all {
        let bytes = access.to_bytes();
        assert_eq!(bytes.len(), Access::BYTES);
        assert_eq!(Access::from_bytes(&bytes).unwrap().to_bytes(), bytes);
        assert!(
            !format!("{access:?}").contains(&format!("{}", bytes[1])),
            "never printed"
        );
    }
    let of_slices = |count: u8, slices: &[u8]| {
        let mut bytes = vec![2; 33];
        bytes.push(count);
        for slice in slices {
            bytes.push(*slice);
            bytes.extend([*slice; 32]);
        }
        bytes
    };
    let good = of_slices(2, &[0, 31]);
    assert_eq!(*Access::from_bytes(&good).unwrap().to_bytes(), good);
    let all: Vec<u8> = (0..32).collect();
    let most = Access::from_bytes(&of_slices(32, &all)).unwrap();
    assert_eq!(most.to_bytes().len(), Access::MAX_BYTES);
    let bad = [
        of_slices(0, &[]),
        of_slices(1, &[0, 1]),
        of_slices(2, &[0]),
        of_slices(2, &[1, 1]),
        of_slices(2, &[1, 0]),
        of_slices(1, &[32]),
        of_slices(33, &[&all[..], &[31]].concat()),
    ];
    for bytes in bad {
        assert!(Access::from_bytes(&bytes).is_err(), "{bytes:?}");
    }
    for len in 0..good.len() {
        assert!(Access::from_bytes(&good[..len]).is_err());
    }
    for bytes in [&[][..], &[1; 32], &[1; 34], &[0; 33], &[2; 33], &[5; 33]] {
        assert_eq!(
            Access::from_bytes(bytes).unwrap_err(),
            AccessRefused::Malformed
        );
    }
}

#[test]
fn less_follows_from_more_and_never_more_from_less() {
    let of = founded(1);
    let (member, core) = (member_ring(&of), core_ring(&of));
    let meeting = |ring: &KeyRing| {
        ring.newest_clean()
            .unwrap()
            .meeting()
            .map(|m| *m.as_bytes())
    };
    let core_of = |ring: &KeyRing| *ring.newest_clean().unwrap().core().unwrap().as_bytes();
    assert_eq!(meeting(&of.ring), meeting(&member));
    assert_eq!(meeting(&core), None);
    assert_eq!(core_of(&of.ring), core_of(&core));
    assert_eq!(core_of(&member), core_of(&core));
    assert!(of.ring.reads() && !member.reads() && !core.reads());
    assert_eq!(core.meeting_secrets().count(), 0);
    assert_eq!(core.core_secrets().count(), 1);
    // A smaller access does not replace a greater one; a greater one replaces it.
    let (id, smaller) = core.secrets().next().unwrap();
    let mut ring = of.ring.clone();
    ring.unlock(id, Access::from_bytes(&smaller).unwrap())
        .unwrap();
    assert!(ring.reads());
    let (id, greater) = of.ring.secrets().next().unwrap();
    let mut ring = core;
    ring.unlock(id, Access::from_bytes(&greater).unwrap())
        .unwrap();
    assert!(ring.reads());
}

#[test]
fn a_false_secret_is_noticed() {
    let of = founded(1);
    let id = of.ring.newest_clean().unwrap().epoch().id();
    let mut ring = public_ring(&of);
    let foreign = Access::Reader(EpochSecret::generate(&mut rng(7)));
    assert_eq!(
        ring.unlock(id, foreign.clone()),
        Err(AccessRefused::Mismatch)
    );
    assert!(ring.newest_clean().unwrap().access().is_none());
    let other = EpochId::from_bytes([9; 32]);
    assert_eq!(ring.unlock(other, foreign), Err(AccessRefused::NoSuchEpoch));
}

#[test]
fn an_epoch_that_cannot_be_is_refused() {
    let of = founded(1);
    let item = of.genesis.epoch;
    let key = item.keys[0];
    let mut other = item.clone();
    other.suite = 2;
    assert_eq!(
        Epoch::from_item(&other).unwrap_err(),
        EpochRefused::Suite(2)
    );
    for (slice, count) in [(0, 0), (0, 2), (1, 0), (1, 33)] {
        let mut other = item.clone();
        other.slice = slice;
        other.keys = vec![key; count];
        assert_eq!(
            Epoch::from_item(&other).unwrap_err(),
            EpochRefused::Slices(count, slice)
        );
    }
}

#[test]
fn a_ring_is_bounded_and_nobody_announces_away_what_is_read() {
    let of = founded(1);
    let mut ring = of.ring.clone();
    let first = ring.newest_clean().unwrap().epoch().id();
    let mut unread = Vec::new();
    for generation in 1..=MAX_EPOCHS as u64 {
        let item = Epoch::announce(&EpochSecret::from_bytes([3; 32]), generation);
        let epoch = Epoch::from_item(&item).unwrap();
        ring.add(epoch.clone(), generation, &[]);
        ring.add(epoch.clone(), generation, &[]);
        assert_eq!(ring.newest_clean().unwrap().epoch().id(), epoch.id());
        assert_eq!(
            ring.by_prefix(&epoch.prefix()).unwrap().epoch().id(),
            epoch.id()
        );
        unread.push(epoch.id());
    }
    assert_eq!(ring.epochs().count(), MAX_EPOCHS);
    assert!(ring.by_id(first).is_some(), "the one that is read stays");
    assert!(ring.by_id(unread[0]).is_none(), "the oldest other one went");
    assert!(ring.by_id(unread[1]).is_some());
}

#[test]
fn the_newest_meeting_secrets_come_first_and_are_few() {
    let mut ring = founded(1).ring;
    let mut rng = rng(3);
    let mut newest = Vec::new();
    for generation in 1..=20 {
        let secret = EpochSecret::generate(&mut rng);
        let epoch = Epoch::from_item(&Epoch::announce(&secret, generation)).unwrap();
        let id = epoch.id();
        newest.insert(0, *secret.meeting().as_bytes());
        ring.add(epoch, generation, &[]);
        ring.unlock(id, Access::Reader(secret)).unwrap();
    }
    newest.truncate(MAX_MEETING_SECRETS);
    let tried: Vec<[u8; 32]> = ring.meeting_secrets().map(|m| *m.as_bytes()).collect();
    assert_eq!(tried, newest);
    assert_eq!(ring.core_secrets().count(), MAX_MEETING_SECRETS);
}

#[test]
fn what_is_written_under_is_the_greatest_clean_epoch_and_all_are_read() {
    let of = founded(1);
    let mut ring = of.ring.clone();
    let genesis = ring.newest_clean().unwrap().epoch().id();
    let [one, two] = [4, 5].map(|seed| {
        let secret = EpochSecret::from_bytes([seed; 32]);
        let epoch = Epoch::from_item(&Epoch::announce(&secret, 9)).unwrap();
        let id = epoch.id();
        ring.add(epoch, 9, &[]);
        ring.unlock(id, Access::Reader(secret)).unwrap();
        id
    });
    let newest = |ring: &KeyRing| ring.newest_clean().map(|held| held.epoch().id());
    assert_eq!(newest(&ring), Some(one.max(two)), "equal generations");
    let subject = subject(&of, 9, 1, 1);
    let body = sealed(&ring, &subject, &texts(1), 5);
    ring.mark(one.max(two), false);
    assert_eq!(newest(&ring), Some(one.min(two)));
    ring.mark(one.min(two), false);
    assert_eq!(newest(&ring), Some(genesis));
    ring.mark(genesis, false);
    assert_eq!(newest(&ring), None, "somebody has to begin one");
    assert_eq!(
        opened(&ring, &subject, &body),
        Opened::Messages(texts(1)),
        "under what is no longer clean"
    );
    ring.mark(one, true);
    assert_eq!(newest(&ring), Some(one));
}

#[test]
fn a_device_has_another_key_in_each_topic_and_finds_them_again() {
    let device = DeviceSecret::from_bytes([1; 32]);
    let (mine, other) = (founded(1), founded(2));
    assert_eq!(
        device.key_in(mine.topic, &mine.genesis).public(),
        mine.device.public()
    );
    let joined = device.key_in(other.topic, &other.genesis);
    assert_eq!(joined.public(), device.joiner_key(other.topic).public());
    assert_ne!(joined.public(), mine.device.public());
    assert_ne!(device.joiner_key(mine.topic).public(), mine.device.public());
}

#[test]
fn an_incarnation_is_certified_for_one_topic_and_its_author_key_is_fresh() {
    let (of, other) = (founded(1), founded(2));
    let mut rng = rng(5);
    let one = Incarnation::begin(&of.device, of.topic, 0, &mut rng);
    let two = Incarnation::begin(&of.device, of.topic, 1, &mut rng);
    assert_ne!(one.author.public(), two.author.public());
    assert_eq!(one.certificate.author, one.author.public());
    assert_eq!(one.certificate.device, of.device.public());
    one.certificate.verify(of.topic).unwrap();
    one.certificate.verify(other.topic).unwrap_err();
    let moved = wire::Certificate {
        author: two.author.public(),
        ..one.certificate.clone()
    };
    moved.verify(of.topic).unwrap_err();
    let later = wire::Certificate {
        index: 9,
        ..one.certificate
    };
    later.verify(of.topic).unwrap_err();
}
