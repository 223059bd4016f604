//! Boxes, keys and older meeting secrets: what opens, for whom, and what is noticed.

use identity::seal::hpke::{HpkeSecret, seal as hpke_seal};
use identity::{EpochId, SealingKey};
use machine::Rng;
use rights::limits::{MAX_KEYS, MAX_KEYS_PLAIN};
use rights::{
    Access, AccessRefused, Epoch, EpochSecret, KeyRing, MeetingSecret, hints_hash, key_hint,
    open_box, open_keys, open_older, seal_box, seal_keys, seal_older,
};
use wire::{Followed, SealedTo};

use crate::support::{flips, founded, public_ring, rng, sliced};

fn key(seed: u8) -> HpkeSecret {
    HpkeSecret::from_bytes([seed; 32])
}

#[test]
fn a_box_opens_for_whom_it_is_sealed_and_nowhere_else() {
    let (genesis, ring) = sliced(1);
    let (topic, epoch) = (genesis.topic_id(), genesis.epoch.id());
    let all = ring.newest_clean().unwrap().access().unwrap();
    let given = [
        all.clone(),
        all.part(1..3).unwrap(),
        Access::Member(all.meeting().unwrap()),
        Access::Core(all.core()),
    ];
    for access in given {
        let sealed = seal_box((topic, epoch), &key(1).public(), &access, &mut rng(5)).unwrap();
        assert_eq!(sealed.hint, key_hint(&key(1).public()));
        let open = |topic, epoch, secret: u8, sealed: &SealedTo| {
            open_box((topic, epoch), &key(secret), sealed)
        };
        let got = open(topic, epoch, 1, &sealed).unwrap();
        assert_eq!(got.to_bytes(), access.to_bytes());
        // Sealed for another; of another topic; of another epoch; the hint of another on it.
        assert!(open(topic, epoch, 2, &sealed).is_err());
        let posed = SealedTo {
            hint: key_hint(&key(2).public()),
            ..sealed.clone()
        };
        assert!(open(topic, epoch, 2, &posed).is_err());
        assert!(open(topic, epoch, 1, &posed).is_err());
        assert!(open(founded(2).topic, epoch, 1, &sealed).is_err());
        assert!(open(topic, EpochId::from_bytes([9; 32]), 1, &sealed).is_err());
        for (_, flipped) in flips(&sealed.sealed) {
            let sealed = SealedTo {
                sealed: flipped,
                ..sealed.clone()
            };
            assert!(open(topic, epoch, 1, &sealed).is_err());
        }
        for (_, flipped) in flips(&sealed.enc[..31]) {
            let mut sealed = sealed.clone();
            sealed.enc[..31].copy_from_slice(&flipped);
            assert!(open(topic, epoch, 1, &sealed).is_err());
        }
    }
}

#[test]
fn a_restored_generator_seals_to_two_keys_with_two_encapsulations() {
    let (genesis, ring) = sliced(1);
    let of = (genesis.topic_id(), genesis.epoch.id());
    let all = ring.newest_clean().unwrap().access().unwrap();
    let sealed = |to: u8, access: &Access| {
        seal_box(of, &key(to).public(), access, &mut rng(5))
            .unwrap()
            .enc
    };
    assert_eq!(sealed(1, all), sealed(1, all));
    assert_ne!(sealed(1, all), sealed(2, all));
    assert_ne!(sealed(1, all), sealed(1, &all.part(0..1).unwrap()));
}

#[test]
fn keys_open_for_whom_they_are_sealed_and_are_no_box() {
    let of = founded(1);
    let access = of.ring.newest_clean().unwrap().access().unwrap();
    let epoch = of.genesis.epoch.id();
    let other = EpochId::from_bytes([9; 32]);
    let member = Access::Member(access.meeting().unwrap());
    let keys = [(epoch, access.clone()), (other, member)];
    let (sealed, count) = seal_keys(of.topic, &key(1).public(), &keys, &mut rng(5)).unwrap();
    assert_eq!(count, 2);
    let got = open_keys(of.topic, &key(1), &sealed).unwrap();
    assert_eq!(got.len(), 2);
    for ((epoch, access), (sent, given)) in got.iter().zip(&keys) {
        assert_eq!((epoch, access.to_bytes()), (sent, given.to_bytes()));
    }
    assert!(open_keys(of.topic, &key(2), &sealed).is_err());
    assert!(open_keys(founded(2).topic, &key(1), &sealed).is_err());
    // Neither poses as the other.
    assert!(open_box((of.topic, epoch), &key(1), &sealed).is_err());
    let sealed = seal_box((of.topic, epoch), &key(1).public(), access, &mut rng(5)).unwrap();
    assert!(open_keys(of.topic, &key(1), &sealed).is_err());
    let (none, count) = seal_keys(of.topic, &key(1).public(), &[], &mut rng(5)).unwrap();
    assert_eq!(count, 0);
    assert!(open_keys(of.topic, &key(1), &none).unwrap().is_empty());
}

#[test]
fn an_answer_with_keys_is_bounded() {
    let secret = EpochSecret::from_bytes([3; 32]);
    let most = Access::Reader(secret.clone()).part(0..32).unwrap();
    assert_eq!(most.to_bytes().len(), Access::MAX_BYTES);
    let id = |n: u8| EpochId::from_bytes([n; 32]);
    let topic = founded(1).topic;
    let sealed = |access: &Access| {
        let keys: Vec<_> = (0..20).map(|n| (id(n), access.clone())).collect();
        seal_keys(topic, &key(1).public(), &keys, &mut rng(5)).unwrap()
    };
    for (access, expected) in [(most, 3), (Access::Reader(secret), MAX_KEYS)] {
        let (sealed, count) = sealed(&access);
        assert_eq!(count, expected);
        assert!(sealed.sealed.len() <= MAX_KEYS_PLAIN + 16);
        let got = open_keys(topic, &key(1), &sealed).unwrap();
        assert_eq!(got.len(), count);
        assert_eq!(got[0].0, id(0), "the first ones");
    }
}

/// What seals to somebody can seal anything: more than fits, or something behind it, is not opened.
#[test]
fn keys_of_another_form_do_not_open() {
    let topic = founded(1).topic;
    let to = key(1).public();
    let one = |n: u8| {
        let access = Access::Reader(EpochSecret::from_bytes([n; 32])).to_bytes();
        let length = u16::try_from(access.len()).unwrap().to_be_bytes();
        [&[n; 32][..], &length, &access].concat()
    };
    let opens = |plain: &[u8]| {
        let fields = [topic.as_bytes().as_slice()];
        let (enc, sealed) =
            hpke_seal(&to, "keys", &fields, to.as_bytes(), plain, &mut rng(6)).unwrap();
        let hint = key_hint(&to);
        open_keys(topic, &key(1), &SealedTo { hint, enc, sealed }).map(|keys| keys.len())
    };
    let most = u8::try_from(MAX_KEYS).unwrap();
    let list = |count: u8| [vec![count], (0..count).flat_map(one).collect()].concat();
    assert_eq!(opens(&list(most)), Ok(MAX_KEYS));
    assert!(opens(&list(most + 1)).is_err());
    assert!(opens(&[list(1), vec![0]].concat()).is_err());
    assert!(opens(&[]).is_err());
}

#[test]
fn the_hash_of_hints_changes_with_whoever_is_left_out_or_added() {
    let keys: Vec<SealingKey> = (1..6).map(|seed| key(seed).public()).collect();
    let whole = hints_hash(&keys);
    let mut turned = keys.clone();
    turned.reverse();
    assert_eq!(hints_hash(&turned), whole, "in any order");
    for out in 0..keys.len() {
        let mut fewer = keys.clone();
        let left_out = fewer.remove(out);
        assert_ne!(hints_hash(&fewer), whole);
        // One in the place of another; one twice.
        fewer.push(key(9).public());
        assert_ne!(hints_hash(&fewer), whole);
        fewer.pop();
        fewer.extend([left_out, left_out]);
        assert_ne!(hints_hash(&fewer), whole);
    }
    assert_ne!(hints_hash(&[]), whole);
}

/// A ring with a second epoch that follows the genesis', and what was announced of it.
fn followed() -> (KeyRing, Access, Epoch, Vec<Followed>) {
    let of = founded(1);
    let old = of.ring.newest_clean().unwrap();
    let secret = EpochSecret::from_bytes([8; 32]);
    let epoch = Epoch::from_item(&Epoch::announce(&secret, 9)).unwrap();
    let sealed = seal_older(&secret.meeting(), old.epoch().id(), &old.meeting().unwrap());
    let follows = vec![Followed {
        epoch: old.epoch().id(),
        meeting: sealed.try_into().unwrap(),
    }];
    (of.ring, Access::Reader(secret), epoch, follows)
}

#[test]
fn an_older_meeting_secret_opens_under_the_new_one_alone() {
    let (ring, access, _, follows) = followed();
    let old = ring.newest_clean().unwrap();
    let meeting = access.meeting().unwrap();
    let open = |secret: &MeetingSecret, id, sealed: &[u8]| {
        open_older(secret, id, sealed).map(|m| *m.as_bytes())
    };
    let id = old.epoch().id();
    let sealed = follows[0].meeting;
    assert_eq!(
        open(&meeting, id, &sealed),
        Ok(*old.meeting().unwrap().as_bytes())
    );
    assert!(open(&old.meeting().unwrap(), id, &sealed).is_err());
    assert!(open(&meeting, EpochId::from_bytes([1; 32]), &sealed).is_err());
    for (_, flipped) in flips(&sealed) {
        assert!(open(&meeting, id, &flipped).is_err());
    }
    for len in 0..sealed.len() {
        assert!(open(&meeting, id, &sealed[..len]).is_err());
    }
}

#[test]
fn a_false_meeting_secret_does_not_lead_back_to_the_older_epochs() {
    let (ring, access, epoch, follows) = followed();
    let id = epoch.id();
    let mut ring = ring;
    ring.add(epoch, 5, &follows);
    // Nothing announced follows from M, but it has to open what the new epoch says of the old one.
    let other = Access::Reader(EpochSecret::from_bytes([66; 32]));
    let false_m = Access::Member(other.meeting().unwrap());
    assert_eq!(ring.unlock(id, false_m), Err(AccessRefused::Mismatch));
    let mut part = access.part(0..1).unwrap().to_bytes().to_vec();
    part[1] ^= 1;
    let false_m = Access::from_bytes(&part).unwrap();
    assert_eq!(ring.unlock(id, false_m), Err(AccessRefused::Mismatch));
    assert!(ring.by_id(id).unwrap().access().is_none());
    ring.unlock(id, access.part(0..1).unwrap()).unwrap();
    assert!(ring.leads_back(id, &access));
}

#[test]
fn an_announcement_that_says_a_false_older_secret_is_noticed_by_readers() {
    let (ring, access, epoch, mut follows) = followed();
    let id = epoch.id();
    let lie = EpochSecret::from_bytes([66; 32]).meeting();
    let sealed = seal_older(&access.meeting().unwrap(), follows[0].epoch, &lie);
    follows[0].meeting = sealed.try_into().unwrap();
    let mut ring = ring;
    ring.add(epoch, 5, &follows);
    // E proves itself, so what was written under it is read.
    let member = Access::Member(access.meeting().unwrap());
    assert_eq!(ring.unlock(id, member), Err(AccessRefused::Mismatch));
    ring.unlock(id, access.clone()).unwrap();
    assert!(!ring.leads_back(id, &access));
}

#[test]
fn a_newcomer_recognises_members_that_have_not_heard_of_the_new_epoch() {
    let (old, access, epoch, follows) = followed();
    let id = epoch.id();
    let mut ring = public_ring(&founded(1));
    ring.add(epoch, 5, &follows);
    ring.unlock(id, Access::Member(access.meeting().unwrap()))
        .unwrap();
    let secrets: Vec<_> = ring.meeting_secrets().map(|m| *m.as_bytes()).collect();
    let older = *old.newest_clean().unwrap().meeting().unwrap().as_bytes();
    assert_eq!(secrets, [*access.meeting().unwrap().as_bytes(), older]);
    // It is heard, not held: what an announcer says is not what others are judged by.
    assert!(ring.by_id(follows[0].epoch).unwrap().access().is_none());
    assert!(!ring.by_id(follows[0].epoch).unwrap().opens(0));
}

#[test]
fn nothing_random_opens() {
    let of = founded(1);
    let mut rng = Rng::from_seed([4; 32]);
    for len in [0, 16, 17, 49, 1_090] {
        let mut sealed = vec![0; len];
        rng.fill(&mut sealed);
        let sealed = SealedTo {
            hint: key_hint(&key(1).public()),
            enc: rng.array(),
            sealed,
        };
        assert!(open_box((of.topic, of.genesis.epoch.id()), &key(1), &sealed).is_err());
        assert!(open_keys(of.topic, &key(1), &sealed).is_err());
    }
}
