//! Compositions: what is no form, who counts, and that an id is of one form alone.

use std::collections::BTreeSet;

use identity::limits::{MAX_DEVICES, SHARES};
use identity::{Device, Form, FormError, Kind, PublicKey, Scheme};
use proptest::prelude::*;

fn key(fill: u8) -> PublicKey {
    PublicKey::from_bytes([fill; 32])
}

fn device(fill: u8, share: u16) -> Device {
    let key = key(fill);
    Device { key, share }
}

/// Legal forms at random: cuts of the whole into as many parts as there are keys.
pub(crate) fn form() -> impl Strategy<Value = Form> {
    let keys = prop::collection::btree_set(any::<[u8; 32]>(), 1..=MAX_DEVICES);
    let marks = prop::collection::btree_set(1..SHARES, MAX_DEVICES - 1);
    (keys, marks, any::<u8>()).prop_map(|(keys, marks, threshold)| {
        let marks = marks.into_iter().take(keys.len() - 1).chain([SHARES]);
        let count = keys.len() as u8;
        let mut before = 0;
        let parts = keys.into_iter().zip(marks).map(|(key, mark)| {
            let share = mark - std::mem::replace(&mut before, mark);
            let key = PublicKey::from_bytes(key);
            Device { key, share }
        });
        Form::new(parts.collect(), 1 + threshold % count).unwrap()
    })
}

#[test]
fn shares_sum_to_the_whole_and_none_is_nothing() {
    let shares = |shares: &[u16]| {
        let devices = (1..).zip(shares).map(|(fill, share)| device(fill, *share));
        Form::new(devices.collect(), 1)
    };
    assert!(shares(&[256]).is_ok());
    assert!(shares(&[1, 255]).is_ok());
    for wrong in [
        &[255][..],
        &[257],
        &[128, 129],
        &[u16::MAX],
        &[u16::MAX, 1, 256],
    ] {
        assert_eq!(shares(wrong), Err(FormError::Sum), "{wrong:?}");
    }
    // Sixteen shares that sum to 256 in 16 bits: 15 of 4,369 and one that wraps around.
    let mut wraps = vec![4_369; 15];
    wraps.push(257);
    let wrapped = wraps
        .iter()
        .fold(0_u16, |sum, share| sum.wrapping_add(*share));
    assert_eq!(wrapped, 256);
    assert_eq!(shares(&wraps), Err(FormError::Sum));
    assert_eq!(shares(&[0, 256]), Err(FormError::NoShare));
}

#[test]
fn devices_come_once_in_order_and_are_few() {
    let form = |devices: Vec<Device>| Form::new(devices, 1);
    assert_eq!(form(vec![]), Err(FormError::NoDevice));
    let twice = vec![device(1, 128), device(1, 128)];
    assert_eq!(form(twice), Err(FormError::Order));
    let reversed = vec![device(2, 128), device(1, 128)];
    assert_eq!(form(reversed), Err(FormError::Order));
    let many = (0..17).map(|fill| device(fill, 15)).collect();
    assert_eq!(form(many), Err(FormError::TooMany));
    let keys: BTreeSet<PublicKey> = (0..17).map(key).collect();
    assert_eq!(Form::equal(&keys, 1), Err(FormError::TooMany));
    assert_eq!(Form::equal(&BTreeSet::new(), 1), Err(FormError::NoDevice));
    let keys: BTreeSet<PublicKey> = (0..=255)
        .flat_map(|a: u8| (0..=255).map(move |b: u8| (a, b)))
        .chain([(0, 0)])
        .map(|(a, b)| {
            let mut bytes = [a; 32];
            bytes[0] = b;
            PublicKey::from_bytes(bytes)
        })
        .collect();
    assert_eq!(Form::equal(&keys, 1), Err(FormError::TooMany));
}

#[test]
fn a_threshold_can_be_reached_and_is_not_nothing() {
    let two = || vec![device(1, 128), device(2, 128)];
    for threshold in [0, 3, 16, 255] {
        assert_eq!(Form::new(two(), threshold), Err(FormError::Threshold));
    }
    assert!(Form::new(two(), 1).is_ok() && Form::new(two(), 2).is_ok());
}

#[test]
fn nobody_counts_twice_and_no_stranger_counts() {
    let keys: BTreeSet<PublicKey> = [1, 2, 3].map(key).into();
    let form = Form::equal(&keys, 2).unwrap();
    let shares: Vec<u16> = form.devices().iter().map(|device| device.share).collect();
    assert_eq!(shares, [86, 85, 85]);
    let by = |fills: &[u8]| form.is_signed_by(&fills.iter().map(|fill| key(*fill)).collect());
    assert!(by(&[1, 3]) && by(&[1, 2, 3]));
    assert!(!by(&[]) && !by(&[2]) && !by(&[2, 2]) && !by(&[2, 4, 5, 6]));
    let signed = BTreeSet::from([key(2), key(9)]);
    assert_eq!(form.lacks(&signed), 1);
    assert!(form.missing(&signed).eq([key(1), key(3)]));
    assert_eq!((form.share(&key(3)), form.share(&key(4))), (Some(85), None));
}

#[test]
fn a_change_adds_and_removes_who_differs() {
    let before = Form::equal(&[1, 2].map(key).into(), 1).unwrap();
    let after = Form::equal(&[2, 3].map(key).into(), 2).unwrap();
    assert!(after.beyond(&before).eq([key(3)]));
    assert!(before.beyond(&after).eq([key(1)]));
    assert_eq!(after.beyond(&after).count(), 0);
}

#[test]
fn one_device_is_a_form_of_one() {
    let form = Form::one(key(7));
    assert_eq!(Form::new(vec![device(7, SHARES)], 1), Ok(form.clone()));
    assert_eq!(Form::equal(&[key(7)].into(), 1), Ok(form.clone()));
    let id = form.member();
    assert_eq!((id.kind(), id.scheme()), (Kind::Member, Scheme::Hash));
    assert_eq!(form.first_state().as_bytes(), id.as_bytes());
    assert!(id.to_string().starts_with("member1"));
}

proptest! {
    #[test]
    fn equal_shares_are_a_form_and_differ_by_one(
        keys in prop::collection::btree_set(any::<[u8; 32]>(), 1..=MAX_DEVICES),
        threshold in 1_u8..=16,
    ) {
        let keys: BTreeSet<PublicKey> = keys.into_iter().map(PublicKey::from_bytes).collect();
        let reached = usize::from(threshold) <= keys.len();
        let made = Form::equal(&keys, threshold);
        prop_assert_eq!(made.is_ok(), reached);
        if let Ok(form) = made {
            let shares: Vec<u16> = form.devices().iter().map(|device| device.share).collect();
            prop_assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
            prop_assert_eq!(Form::new(form.devices().to_vec(), threshold), Ok(form));
        }
    }

    /// Whatever is changed, it is another composition or none.
    #[test]
    fn an_id_is_of_one_form(
        form in form(),
        at in any::<prop::sample::Index>(),
        bit in 0_usize..256,
        share in any::<u16>(),
        threshold in any::<u8>(),
    ) {
        let at = at.index(form.devices().len());
        let mut keyed = form.devices().to_vec();
        let mut bytes = keyed[at].key.to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        keyed[at].key = PublicKey::from_bytes(bytes);
        let mut shared = form.devices().to_vec();
        shared[at].share = share;
        let changed = [
            Form::new(keyed, form.threshold()),
            Form::new(shared, form.threshold()),
            Form::new(form.devices().to_vec(), threshold),
        ];
        for other in changed.into_iter().flatten() {
            prop_assert_eq!(other.member() == form.member(), other == form);
            prop_assert_eq!(other.encode() == form.encode(), other == form);
        }
    }

    /// As many as it takes, whoever they are; one fewer is too few.
    #[test]
    fn the_threshold_alone_decides(
        form in form(),
        order in any::<u64>(),
        strangers in prop::collection::vec(any::<[u8; 32]>(), 0..4),
    ) {
        let mut keys: Vec<PublicKey> = form.devices().iter().map(|device| device.key).collect();
        let turns = order as usize % keys.len();
        keys.rotate_left(turns);
        let k = usize::from(form.threshold());
        for count in 0..=keys.len() {
            let mut signers: BTreeSet<PublicKey> = keys[..count].iter().copied().collect();
            signers.extend(strangers.iter().map(|bytes| PublicKey::from_bytes(*bytes)));
            prop_assert_eq!(form.is_signed_by(&signers), count >= k);
            prop_assert_eq!(form.lacks(&signers), k.saturating_sub(count));
            prop_assert_eq!(form.missing(&signers).count(), keys.len() - count);
        }
    }
}
