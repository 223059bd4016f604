//! Epochs that are begun and judged: who gets what, and which lies are noticed.

use std::collections::BTreeMap;

use identity::seal::hpke::HpkeSecret;
use identity::{EpochId, SealingKey, SecretKey};
use rights::limits::{MAX_ENTITLED, MAX_ENTITLED_CORES};
use rights::{
    Access, Announced, BeginRefused, BoxFault, Call, Drawn, Entitled, Epoch, EpochFault,
    EpochSource, Expected, Founded, KeyRing, Learnt, NewEpoch, Opened, Portion, Round, SealingKeys,
    Subject, begin, can_be_sealed_to, is_clean, key_hint, seal_box, seal_older,
};
use wire::limits::{MAX_BOXES, MAX_BOXES_BODY, MAX_CORE_BOXES};
use wire::{Boxes, EpochReason, Item, SealedTo, decode_items, encode_items};

use crate::support::{
    DAY, NOW, author, core_ring, founded, header, link, member_ring, opened, public_ring, rng,
    sealed, texts,
};

const ALL: Portion = Portion::Reads {
    from: 0,
    until: None,
};

fn secret(n: u16) -> HpkeSecret {
    let [high, low] = n.to_be_bytes();
    let mut bytes = [3; 32];
    bytes[..2].copy_from_slice(&[high, low]);
    HpkeSecret::from_bytes(bytes)
}

fn own(n: u16) -> SealingKeys {
    SealingKeys::new(secret(n))
}

fn entitled(n: u16, portion: Portion) -> Entitled {
    Entitled {
        to: secret(n).public(),
        portion,
    }
}

fn keys(devices: &[Entitled]) -> Vec<SealingKey> {
    devices.iter().map(|device| device.to).collect()
}

/// Begins an epoch after the genesis' a week after the topic.
fn begun(of: &Founded, devices: &[Entitled], cores: &[SealingKey]) -> NewEpoch {
    let follows = of.ring.ends();
    let call = Call {
        topic: of.topic,
        created: week(),
        boundary: None,
        devices,
        cores,
        follows: &follows,
        reason: EpochReason::REVOKED,
    };
    Drawn.begin(&call, &mut rng(9)).unwrap()
}

fn week() -> u64 {
    NOW.as_millis() + 7 * DAY
}

/// What a ring holds after it has heard of an epoch, with all its boxes.
fn heard(ring: &KeyRing, new: &NewEpoch) -> (KeyRing, Announced) {
    let mut ring = ring.clone();
    let mut announced = Announced::new(new.item.clone()).unwrap();
    for boxes in &new.boxes {
        announced.take(boxes).unwrap();
    }
    ring.add(announced.epoch().clone(), 7, &new.item.follows);
    (ring, announced)
}

fn learns(ring: &KeyRing, new: &NewEpoch, device: u16, portion: Portion) -> Learnt {
    let (ring, announced) = heard(ring, new);
    Drawn.learn(&ring, &announced, &own(device), portion)
}

fn fault(learnt: Learnt) -> BoxFault {
    match learnt {
        Learnt::False(found) => found.fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn everybody_gets_what_it_may_and_judges_the_announcement_alike() {
    let of = founded(1);
    let part = Portion::Reads {
        from: week() + 2 * DAY,
        until: Some(week() + 5 * DAY),
    };
    let devices = [
        entitled(1, ALL),
        entitled(2, part),
        entitled(3, Portion::Writes),
    ];
    let cores = [secret(8).public(), secret(9).public()];
    let new = begun(&of, &devices, &cores);
    assert_eq!(new.item.boxes, 5);
    let expected = Expected::of(&keys(&devices));
    let knows = |id: &EpochId| *id == of.genesis.epoch.id();
    assert_eq!(expected.judge(&new.item, week(), knows), Ok(()));
    let empty = Announced::new(new.item.clone()).unwrap();
    assert!(!empty.is_usable());
    for boxes in &new.boxes {
        assert_eq!(expected.judge_boxes(&empty, boxes), Ok(()));
    }
    let rings = [of.ring.clone(), member_ring(&of), public_ring(&of)];
    for ((device, portion), opens) in [
        ((1, ALL), [true; 6]),
        ((2, part), [false, false, true, true, true, false]),
        ((3, Portion::Writes), [false; 6]),
    ] {
        for ring in &rings {
            let (mut ring, announced) = heard(ring, &new);
            assert!(announced.is_usable());
            let learnt = Drawn.learn(&ring, &announced, &own(device), portion);
            let Learnt::Access {
                access,
                key,
                evidence: None,
            } = learnt
            else {
                panic!("{learnt:?}");
            };
            assert_eq!(key, secret(device).public());
            ring.unlock(announced.epoch().id(), access).unwrap();
            for (day, opens) in (0u64..).zip(opens) {
                let mut header = header(of.topic, author(9), 2, 1);
                header.created = week() + day * DAY + 1;
                let subject = Subject::of(&header).unwrap();
                let body = sealed(&ring, &subject, &texts(1), 5);
                assert_eq!(body[1..17], announced.epoch().prefix());
                let read = opened(&ring, &subject, &body) != Opened::NoKey;
                assert_eq!(read, opens, "device {device}, day {day}");
            }
        }
    }
    // A stranger, and a core node, which serves and opens nothing.
    assert!(matches!(learns(&of.ring, &new, 4, ALL), Learnt::Nothing));
    let (mut ring, announced) = heard(&core_ring(&of), &new);
    let access = announced.learn_as_core(of.topic, &own(8)).unwrap();
    assert!(announced.learn_as_core(of.topic, &own(1)).is_none());
    ring.unlock(announced.epoch().id(), access).unwrap();
    let held = ring.newest_clean().unwrap();
    assert!(held.meeting().is_none() && !held.opens(0));
    let core = *held.core().unwrap().as_bytes();
    assert_eq!(core, *new.secret.meeting().core().as_bytes());
}

#[test]
fn boxes_fit_their_envelopes_and_nobody_is_lost_between_them() {
    let of = founded(1);
    let part = Portion::Reads {
        from: week() + DAY,
        until: None,
    };
    for (count, portion, cores) in [(601, ALL, 65), (130, part, 0), (1, ALL, 0), (0, ALL, 3)] {
        let devices: Vec<_> = (0..count).map(|n| entitled(n, portion)).collect();
        let cores: Vec<_> = (700..700 + cores).map(|n| secret(n).public()).collect();
        let new = begun(&of, &devices, &cores);
        let mut hints = Vec::new();
        for boxes in &new.boxes {
            let body = encode_items(&[Item::Boxes(boxes.clone())]);
            assert!(body.len() <= MAX_BOXES_BODY, "{}", body.len());
            assert_eq!(decode_items(&body).unwrap(), [Item::Boxes(boxes.clone())]);
            assert!(boxes.devices.len() <= MAX_BOXES && boxes.cores.len() <= MAX_CORE_BOXES);
            hints.extend(boxes.devices.iter().map(|sealed| sealed.hint));
        }
        let mut all: Vec<_> = devices.iter().map(|device| key_hint(&device.to)).collect();
        all.sort_unstable();
        assert_eq!(hints, all);
        let (_, announced) = heard(&of.ring, &new);
        assert!(announced.is_usable());
        assert_eq!(
            Expected::of(&keys(&devices)).judge(&new.item, week(), |_| true),
            Ok(())
        );
        let item = Item::Epoch(new.item.clone());
        assert_eq!(
            decode_items(&encode_items(core::slice::from_ref(&item))).unwrap(),
            [item]
        );
    }
    let devices = vec![entitled(1, ALL); MAX_ENTITLED + 1];
    let follows = of.ring.ends();
    let mut call = Call {
        topic: of.topic,
        created: week(),
        boundary: None,
        devices: &devices,
        cores: &[],
        follows: &follows,
        reason: EpochReason::OTHER,
    };
    let refused = |call: &Call<'_>| begin(call, &mut rng(9)).unwrap_err();
    assert_eq!(refused(&call), BeginRefused::TooMany(MAX_ENTITLED + 1));
    let cores = vec![secret(1).public(); MAX_ENTITLED_CORES + 1];
    (call.devices, call.cores) = (&[], &cores);
    let many = BeginRefused::TooManyCores(MAX_ENTITLED_CORES + 1);
    assert_eq!(refused(&call), many);
    (call.cores, call.follows) = (&[], &[]);
    assert_eq!(refused(&call), BeginRefused::Follows(0));
}

#[test]
fn a_device_that_is_left_out_or_added_shows_to_everybody() {
    let of = founded(1);
    let devices: Vec<_> = (1..6).map(|n| entitled(n, ALL)).collect();
    let expected = Expected::of(&keys(&devices));
    for out in 0..devices.len() {
        let mut fewer = devices.clone();
        fewer.remove(out);
        // The core nodes' boxes do not make up for it.
        let new = begun(&of, &fewer, &[secret(8).public()]);
        let judged = expected.judge(&new.item, week(), |_| true);
        assert_eq!(judged, Err(EpochFault::Hints));
        // Another in its place; one more.
        fewer.push(entitled(9, ALL));
        let new = begun(&of, &fewer, &[]);
        let judged = expected.judge(&new.item, week(), |_| true);
        assert_eq!(judged, Err(EpochFault::Hints));
        assert!(
            expected
                .judge_boxes(&Announced::new(new.item).unwrap(), &new.boxes[0])
                .is_err()
        );
        fewer.push(devices[out]);
        let new = begun(&of, &fewer, &[]);
        let judged = expected.judge(&new.item, week(), |_| true);
        assert_eq!(judged, Err(EpochFault::Hints));
    }
    // The hash names everybody, and there are not as many boxes, or too many.
    let mut new = begun(&of, &devices, &[]);
    new.item.boxes = 4;
    let judged = expected.judge(&new.item, week(), |_| true);
    assert_eq!(judged, Err(EpochFault::Count));
    new.item.boxes = 5 + MAX_ENTITLED_CORES as u16 + 1;
    let judged = expected.judge(&new.item, week(), |_| true);
    assert_eq!(judged, Err(EpochFault::Count));
}

#[test]
fn boxes_that_leave_somebody_out_are_never_usable() {
    let of = founded(1);
    let devices: Vec<_> = (1..4).map(|n| entitled(n, ALL)).collect();
    let expected = Expected::of(&keys(&devices));
    let new = begun(&of, &devices, &[secret(8).public()]);
    let id = new.item.id();
    let whole = &new.boxes[0];
    // The item names all three; one gets no box, another two.
    let other = seal_box(
        (of.topic, id),
        &devices[0].to,
        &Access::Reader(new.secret.clone()),
        &mut rng(77),
    )
    .unwrap();
    let mut twice = whole.clone();
    let at = twice
        .devices
        .iter()
        .position(|s| s.hint == key_hint(&devices[2].to));
    twice.devices.remove(at.unwrap());
    twice.devices.push(other.clone());
    twice.devices.sort();
    let mut announced = Announced::new(new.item.clone()).unwrap();
    assert_eq!(
        expected.judge_boxes(&announced, &twice),
        Err(EpochFault::Hints)
    );
    announced.take(&twice).unwrap();
    assert!(!announced.is_usable());
    // More than announced, of another epoch; nothing of them is taken.
    let mut announced = Announced::new(new.item.clone()).unwrap();
    let mut more = whole.clone();
    more.devices.push(other);
    more.devices.sort();
    assert_eq!(announced.take(&more), Err(EpochFault::Boxes));
    let foreign = Boxes {
        epoch: of.genesis.epoch.id(),
        ..whole.clone()
    };
    assert_eq!(announced.take(&foreign), Err(EpochFault::Boxes));
    assert_eq!(
        expected.judge_boxes(&announced, &foreign),
        Err(EpochFault::Boxes)
    );
    // Devices' boxes in the place of the core node's, and the reverse.
    let mut cores = whole.clone();
    cores.cores.extend(cores.devices.pop());
    cores.cores.sort();
    assert_eq!(
        expected.judge_boxes(&announced, &cores),
        Err(EpochFault::Boxes)
    );
    announced.take(whole).unwrap();
    announced.take(whole).unwrap();
    assert!(announced.is_usable(), "the same ones again are no others");
}

/// All devices have theirs, and a core node not yet.
#[test]
fn an_epoch_waits_for_the_boxes_of_core_nodes_too() {
    let of = founded(1);
    let devices: Vec<_> = (1..4).map(|n| entitled(n, ALL)).collect();
    let new = begun(&of, &devices, &[secret(8).public()]);
    let whole = &new.boxes[0];
    let mut announced = Announced::new(new.item.clone()).unwrap();
    let without = Boxes {
        cores: Vec::new(),
        ..whole.clone()
    };
    announced.take(&without).unwrap();
    assert!(!announced.is_usable());
    announced.take(whole).unwrap();
    assert!(announced.is_usable());
    // What a core node is given it takes if it is a core node's.
    let given = announced.learn_as_core(of.topic, &own(8));
    assert!(matches!(given, Some(Access::Core(_))));
    let id = (of.topic, new.item.id());
    let access = Access::Reader(new.secret.clone());
    let more = seal_box(id, &secret(8).public(), &access, &mut rng(78)).unwrap();
    let mut announced = Announced::new(new.item.clone()).unwrap();
    let false_one = Boxes {
        cores: vec![more],
        ..whole.clone()
    };
    announced.take(&false_one).unwrap();
    assert!(announced.learn_as_core(of.topic, &own(8)).is_none());
}

#[test]
fn two_devices_with_one_hint_both_get_their_box() {
    // Keys with equal hints take 2³² tries; the same key, announced by two devices, does as well.
    let of = founded(1);
    let devices = [
        entitled(1, ALL),
        entitled(1, Portion::Writes),
        entitled(2, ALL),
    ];
    let expected = Expected::of(&keys(&devices));
    let new = begun(&of, &devices, &[]);
    assert_eq!(new.item.boxes, 3);
    assert_eq!(expected.judge(&new.item, week(), |_| true), Ok(()));
    // One box for both is one too few.
    let fewer = begun(&of, &devices[1..], &[]);
    let judged = expected.judge(&fewer.item, week(), |_| true);
    assert_eq!(judged, Err(EpochFault::Hints));
    // A box with the hint of another, made so, does not hide the right one from it.
    let mut new = begun(&of, &devices[1..], &[]);
    let hint = key_hint(&secret(2).public());
    let collides = &mut new.boxes[0].devices;
    for sealed in collides.iter_mut() {
        sealed.hint = hint;
    }
    collides.sort();
    let first_is_other = |sealed: &SealedTo| {
        rights::open_box((of.topic, new.item.id()), &secret(2), sealed).is_err()
    };
    let others = collides
        .iter()
        .filter(|sealed| first_is_other(sealed))
        .count();
    assert_eq!(others, 1);
    assert!(matches!(
        learns(&of.ring, &new, 2, ALL),
        Learnt::Access { .. }
    ));
}

#[test]
fn swapped_and_false_boxes_are_evidence_and_never_used() {
    let of = founded(1);
    let devices: Vec<_> = (1..4).map(|n| entitled(n, ALL)).collect();
    let new = begun(&of, &devices, &[]);
    let id = new.item.id();
    let with = |device: u16, change: &dyn Fn(&mut SealedTo)| {
        let mut new = new.clone();
        let hint = key_hint(&secret(device).public());
        let mut boxes = new.boxes[0].devices.iter_mut();
        change(boxes.find(|sealed| sealed.hint == hint).unwrap());
        new.boxes[0].devices.sort();
        new
    };
    let sealed = |access: &Access| {
        seal_box((of.topic, id), &secret(1).public(), access, &mut rng(66)).unwrap()
    };
    // Another's contents under the own hint.
    let hint = key_hint(&secret(2).public());
    let theirs = new.boxes[0]
        .devices
        .iter()
        .find(|sealed| sealed.hint == hint);
    let theirs = theirs.unwrap().clone();
    let swapped = with(1, &|sealed| {
        (sealed.enc, sealed.sealed) = (theirs.enc, theirs.sealed.clone());
    });
    assert_eq!(fault(learns(&of.ring, &swapped, 1, ALL)), BoxFault::Closed);
    // While boxes are missing, the right one may still come.
    let mut announced = Announced::new(swapped.item.clone()).unwrap();
    let mut half = swapped.boxes[0].clone();
    half.devices
        .retain(|sealed| sealed.hint == key_hint(&secret(1).public()));
    announced.take(&half).unwrap();
    let (ring, _) = heard(&of.ring, &swapped);
    let learnt = announced.learn(&ring, &own(1), ALL);
    assert!(matches!(learnt, Learnt::Nothing), "{learnt:?}");
    // A secret that is not the epoch's; slices of it; a false M.
    let other = Access::Reader(rights::EpochSecret::from_bytes([66; 32]));
    let member = Access::Member(other.meeting().unwrap());
    for (access, portion) in [
        (other.clone(), ALL),
        (other.part(3..9).unwrap(), ALL),
        (member, Portion::Writes),
    ] {
        let new = with(1, &|found| *found = sealed(&access));
        let learnt = learns(&of.ring, &new, 1, portion);
        let Learnt::False(found) = learnt else {
            panic!("{learnt:?}");
        };
        assert_eq!((found.epoch, found.fault), (id, BoxFault::Mismatch));
        assert_eq!(found.sealed.unwrap().hint, key_hint(&secret(1).public()));
        // The others are not concerned.
        assert!(matches!(
            learns(&of.ring, &new, 2, ALL),
            Learnt::Access { evidence: None, .. }
        ));
    }
    // Less than it may read is taken, with evidence: the rest is asked for.
    let whole = Access::Reader(new.secret.clone());
    let less = [
        Access::Member(new.secret.meeting()),
        whole.part(0..31).unwrap(),
        whole.part(1..32).unwrap(),
        Access::Core(new.secret.meeting().core()),
    ];
    for access in less {
        let new = with(1, &|found| *found = sealed(&access));
        let learnt = learns(&of.ring, &new, 1, ALL);
        let Learnt::Access { evidence, .. } = learnt else {
            panic!("{learnt:?}");
        };
        assert_eq!(evidence.unwrap().fault, BoxFault::Short);
    }
}

#[test]
fn false_older_secrets_are_evidence_and_the_epoch_is_read_all_the_same() {
    let of = founded(1);
    let devices = [entitled(1, ALL), entitled(2, Portion::Writes)];
    let mut new = begun(&of, &devices, &[]);
    let lie = rights::EpochSecret::from_bytes([66; 32]).meeting();
    let older = new.item.follows[0].epoch;
    let sealed = seal_older(&new.secret.meeting(), older, &lie);
    new.item.follows[0].meeting = sealed.try_into().unwrap();
    let id = new.item.id();
    let access = [
        Access::Reader(new.secret.clone()),
        Access::Member(new.secret.meeting()),
    ];
    let again = devices
        .iter()
        .zip(&access)
        .map(|(device, access)| seal_box((of.topic, id), &device.to, access, &mut rng(5)).unwrap());
    let mut sealed: Vec<_> = again.collect();
    sealed.sort();
    new.boxes[0] = Boxes {
        epoch: id,
        devices: sealed,
        cores: Vec::new(),
    };
    let learnt = learns(&of.ring, &new, 1, ALL);
    let Learnt::Access { evidence, .. } = learnt else {
        panic!("{learnt:?}");
    };
    assert_eq!(evidence.unwrap().fault, BoxFault::Older);
    // Who cannot prove M by E does not take it.
    let learnt = learns(&of.ring, &new, 2, Portion::Writes);
    assert_eq!(fault(learnt), BoxFault::Mismatch);
}

#[test]
fn an_epoch_of_a_wrong_form_is_judged_alike_by_all() {
    let of = founded(1);
    let devices = [entitled(1, ALL)];
    let new = begun(&of, &devices, &[]);
    let expected = Expected::of(&keys(&devices));
    let genesis = of.genesis.epoch.id();
    let judge = |change: &dyn Fn(&mut wire::NextEpoch), created: u64| {
        let mut item = new.item.clone();
        change(&mut item);
        expected.judge(&item, created, |id| *id == genesis)
    };
    assert_eq!(judge(&|_| {}, week()), Ok(()));
    let form = Err(EpochFault::Form);
    assert_eq!(judge(&|item| item.epoch.slice = 1, week()), form);
    assert_eq!(judge(&|item| item.epoch.slice *= 2, week()), form);
    assert_eq!(judge(&|item| item.epoch.keys.clear(), week()), form);
    let one_without_end = |item: &mut wire::NextEpoch| {
        item.epoch.slice = 0;
        item.epoch.keys.truncate(1);
    };
    assert_eq!(judge(&one_without_end, week()), form);
    // A start after the announcement, by a clock that is ahead, would open what is older.
    let start = Err(EpochFault::Start);
    assert_eq!(judge(&|item| item.epoch.start += 1, week()), start);
    assert_eq!(judge(&|_| {}, week() + DAY - 1), Ok(()));
    assert_eq!(judge(&|_| {}, week() + DAY), start);
    assert_eq!(judge(&|item| item.epoch.start = u64::MAX, week()), start);
    assert_eq!(judge(&|item| item.epoch.start = 0, week()), start);
    let keys = Err(EpochFault::Keys);
    assert_eq!(
        judge(&|item| item.epoch.keys[3] = item.epoch.keys[4], week()),
        keys
    );
    let small = |item: &mut wire::NextEpoch| item.epoch.keys[3] = SealingKey::from_bytes([0; 32]);
    assert_eq!(judge(&small, week()), keys);
    let unknown = |item: &mut wire::NextEpoch| item.follows[0].epoch = EpochId::from_bytes([1; 32]);
    assert_eq!(judge(&unknown, week()), Err(EpochFault::Follows));
}

#[test]
fn a_key_that_nothing_can_be_sealed_to_keeps_the_epoch_from_nobody() {
    let of = founded(1);
    let mut small = Vec::new();
    for hex in crate::body::SMALL_ORDER {
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        let low: [u8; 32] = bytes.try_into().unwrap();
        let mut high = low;
        high[31] |= 0x80;
        small.extend([low, high].map(SealingKey::from_bytes));
    }
    let access = of.ring.newest_clean().unwrap().access().unwrap();
    for key in &small {
        assert!(!can_be_sealed_to(key));
        let refused = seal_box((of.topic, of.genesis.epoch.id()), key, access, &mut rng(5));
        assert!(refused.is_err(), "the list is of those that hpke refuses");
    }
    let mut devices = vec![entitled(1, ALL), entitled(2, ALL)];
    let good = Expected::of(&keys(&devices));
    devices.extend(small.iter().map(|to| Entitled {
        to: *to,
        portion: ALL,
    }));
    let new = begun(&of, &devices, &small);
    assert_eq!(new.item.boxes, 2);
    assert_eq!(good, Expected::of(&keys(&devices)));
    assert_eq!(good.judge(&new.item, week(), |_| true), Ok(()));
    assert!(heard(&of.ring, &new).1.is_usable());
}

#[test]
fn an_epoch_begins_within_a_slice_of_its_announcement_with_a_boundary_where_it_is_asked_for() {
    let of = founded(1);
    let follows = of.ring.ends();
    for (created, boundary) in [
        (week(), None),
        (week(), Some(week())),
        (week() + 5, Some(week())),
        (week() + 5, Some(week() + 3 * DAY)),
        (week() + 5, Some(week() - 3 * DAY + 6)),
        (5, Some(DAY - 1)),
        (u64::MAX, Some(0)),
    ] {
        let call = Call {
            topic: of.topic,
            created,
            boundary,
            devices: &[],
            cores: &[],
            follows: &follows,
            reason: EpochReason::OTHER,
        };
        let new = begin(&call, &mut rng(9)).unwrap();
        let start = new.item.epoch.start;
        assert!(start <= created && created - start < DAY);
        let on_time = boundary.is_none_or(|boundary| boundary % DAY == start % DAY);
        assert!(on_time || created < DAY, "{created} {boundary:?}");
    }
    // So who may read from Friday on opens Friday and nothing of Thursday.
    let friday = week() + 2 * DAY + 7;
    let call = Call {
        topic: of.topic,
        created: week() + 11,
        boundary: Some(friday),
        devices: &[],
        cores: &[],
        follows: &follows,
        reason: EpochReason::OTHER,
    };
    let new = begin(&call, &mut rng(9)).unwrap();
    let epoch = Epoch::from_next(&new.item).unwrap();
    let slices = epoch.slices_within(friday, None);
    assert!(slices.contains(&epoch.slice_of(friday)));
    assert!(!slices.contains(&epoch.slice_of(friday - 1)));
}

#[test]
fn an_epoch_is_clean_as_long_as_nobody_lost_what_it_had() {
    let device = |n: u8| SecretKey::from_seed([n; 32]).public();
    let reads = |from, until| Portion::Reads { from, until };
    let then = |portion| BTreeMap::from([(device(1), ALL), (device(2), portion)]);
    let until = reads(5, Some(9));
    for (had, has, clean) in [
        (ALL, Some(ALL), true),
        (ALL, None, false),
        (ALL, Some(Portion::Writes), false),
        (ALL, Some(reads(1, None)), false),
        (ALL, Some(reads(0, Some(9))), false),
        (until, Some(until), true),
        (until, Some(ALL), true),
        (until, Some(reads(5, Some(8))), false),
        (Portion::Writes, Some(Portion::Writes), true),
        (Portion::Writes, Some(ALL), true),
        (Portion::Writes, None, false),
    ] {
        let now: BTreeMap<_, _> = has.map(|has| (device(2), has)).into_iter().collect();
        let mut now = now;
        now.insert(device(1), ALL);
        now.insert(device(3), ALL);
        assert_eq!(is_clean(&then(had), &now), clean, "{had:?} {has:?}");
    }
    assert!(is_clean(&BTreeMap::new(), &BTreeMap::new()));
}

#[test]
fn two_sides_that_each_removed_somebody_meet_in_one_epoch() {
    let of = founded(1);
    let genesis = of.ring.newest_clean().unwrap().epoch().id();
    // One side removed 3, the other one 2.
    let one = begun(&of, &[entitled(1, ALL), entitled(2, ALL)], &[]);
    let follows = of.ring.ends();
    let call = Call {
        topic: of.topic,
        created: week(),
        boundary: None,
        devices: &[entitled(1, ALL), entitled(3, ALL)],
        cores: &[],
        follows: &follows,
        reason: EpochReason::REVOKED,
    };
    let two = begin(&call, &mut rng(10)).unwrap();
    let mut ring = of.ring.clone();
    for new in [&one, &two] {
        let (_, announced) = heard(&ring, new);
        ring.add(announced.epoch().clone(), 7, &new.item.follows);
        let learnt = announced.learn(&ring, &own(1), ALL);
        let Learnt::Access { access, .. } = learnt else {
            panic!("{learnt:?}");
        };
        ring.unlock(new.item.id(), access).unwrap();
    }
    for id in [genesis, one.item.id(), two.item.id()] {
        ring.mark(id, false);
    }
    assert_eq!(
        ring.due(week()),
        Some(EpochReason::REVOKED),
        "none is clean"
    );
    let ends = ring.ends();
    let mut ids: Vec<_> = ends.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    let mut both = [one.item.id(), two.item.id()];
    both.sort_unstable();
    assert_eq!(ids, both, "the genesis' is followed already");
    // Had nobody been removed, both were clean, and still of one part of the topic each.
    let mut whole = ring.clone();
    for id in both {
        whole.mark(id, true);
    }
    assert!(whole.parted() && !ring.parted() && !of.ring.parted());
    whole.mark(both[0], false);
    assert!(!whole.parted(), "one that is not clean is nobody's");
    let call = Call {
        devices: &[entitled(1, ALL)],
        follows: &ends,
        reason: EpochReason::MERGED,
        ..call
    };
    let merged = begin(&call, &mut rng(11)).unwrap();
    assert_eq!(merged.item.follows.len(), 2);
    whole.mark(both[0], true);
    let next = Announced::new(merged.item.clone()).unwrap();
    whole.add(next.epoch().clone(), 8, &merged.item.follows);
    assert!(!whole.parted(), "it follows both");
    whole.mark(genesis, true);
    assert!(!whole.parted(), "all follow the first");
    let (after, announced) = heard(&ring, &merged);
    assert_eq!(after.newest_clean().unwrap().epoch().id(), merged.item.id());
    let learnt = announced.learn(&after, &own(1), ALL);
    assert!(
        matches!(learnt, Learnt::Access { evidence: None, .. }),
        "{learnt:?}"
    );
    for removed in [2, 3] {
        assert!(matches!(
            announced.learn(&after, &own(removed), ALL),
            Learnt::Nothing
        ));
    }
}

#[test]
fn an_epoch_is_due_when_its_slices_are_nearly_used_up() {
    let of = founded(1);
    assert_eq!(of.ring.due(u64::MAX), None, "one slice without end");
    let new = begun(&of, &[entitled(1, ALL)], &[]);
    let (ring, _) = heard(&of.ring, &new);
    assert_eq!(ring.due(0), None, "a clock that is behind");
    assert_eq!(ring.due(week() + 28 * DAY - 1), None);
    assert_eq!(ring.due(week() + 28 * DAY), Some(EpochReason::USED_UP));
    // Whoever holds nothing of it follows what it does hold.
    assert_eq!(
        ring.ends().first().map(|(id, _)| *id),
        Some(of.genesis.epoch.id())
    );
}

#[test]
fn who_has_only_an_old_meeting_secret_is_not_recognised() {
    let of = founded(1);
    let new = begun(&of, &[entitled(1, ALL)], &[]);
    let (mut ring, announced) = heard(&of.ring, &new);
    let learnt = announced.learn(&ring, &own(1), ALL);
    let Learnt::Access { access, .. } = learnt else {
        panic!("{learnt:?}");
    };
    ring.unlock(new.item.id(), access).unwrap();
    let newest = |ring: &KeyRing| [(of.topic, ring.newest_clean().unwrap().meeting().unwrap())];
    let (one, two) = link(1);
    let (mine, my_tags) = Round::begin(0, &one, &newest(&ring), 0, &mut rng(5)).unwrap();
    let (theirs, their_tags) = Round::begin(0, &two, &newest(&of.ring), 0, &mut rng(6)).unwrap();
    assert!(mine.matches(&their_tags).unwrap().is_empty());
    assert!(theirs.matches(&my_tags).unwrap().is_empty());
    // Nor does it open what a member seals, or what an answer with keys of the old epoch gives it.
    let mut header = header(of.topic, author(9), 2, 1);
    header.created = week() + 1;
    let subject = Subject::of(&header).unwrap();
    let body = sealed(&ring, &subject, &texts(1), 5);
    assert_eq!(opened(&of.ring, &subject, &body), Opened::NoKey);
    let (heard_of, _) = heard(&of.ring, &new);
    assert_eq!(opened(&heard_of, &subject, &body), Opened::NoKey);
}

#[test]
fn who_was_cut_off_is_recognised_by_the_epoch_before_for_as_long_as_it_is_listed() {
    let of = founded(1);
    let new = begun(&of, &[entitled(1, ALL)], &[]);
    let meeting = new.secret.meeting();
    let older = of.ring.newest_clean().unwrap().meeting().unwrap();
    let both = [(of.topic, meeting.clone()), (of.topic, older.clone())];
    let (one, two) = link(1);
    let (mine, my_tags) = Round::begin(0, &one, &both, 0, &mut rng(5)).unwrap();
    let old = [(of.topic, older)];
    let (theirs, their_tags) = Round::begin(0, &two, &old, 0, &mut rng(6)).unwrap();
    // Each shows under the secret that the other knows.
    let (to_them, to_me) = (
        mine.matches(&their_tags).unwrap(),
        theirs.matches(&my_tags).unwrap(),
    );
    assert_eq!((to_them.len(), to_me.len()), (1, 1));
    assert_eq!(to_me[0].tag, theirs.own_tag(of.topic).unwrap());
    assert_eq!(theirs.topics_of(&to_them[0].tag), [of.topic]);
    assert_eq!(mine.topics_of(&to_me[0].tag), [of.topic]);
    assert_ne!(mine.own_tag(of.topic).unwrap(), to_them[0].tag);
    // Also where it was shown first.
    assert_eq!(mine.answer(of.topic, &to_me[0].tag), Some(to_them[0].tag));
    assert_eq!(mine.answer(of.topic, &[7; 16]), None);
    let (other, _) = Round::begin(0, &two, &[(of.topic, meeting)], 0, &mut rng(7)).unwrap();
    let newest = other.own_tag(of.topic).unwrap();
    assert_eq!(mine.answer(of.topic, &newest), mine.own_tag(of.topic));
    // A tag of one's own, thrown back, stands for nothing.
    for tag in &my_tags {
        assert!(mine.topics_of(tag).is_empty() && mine.answer(of.topic, tag).is_none());
    }
}
