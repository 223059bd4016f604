//! Examples of what hands later epochs over.

use identity::seal::hpke::{HpkeSecret, open};
use identity::seal::{aead_open, kdf};
use identity::{EpochId, TopicId};
use machine::Rng;
use rights::{
    Access, Announced, Call, Entitled, Epoch, EpochSecret, Expected, Portion, SealingKeys, begin,
    hints_hash, open_box, seal_box, seal_keys, seal_older,
};
use serde_json::{Value, json};
use wire::{EpochReason, Item};

use super::hex;

const NOW_MS: u64 = super::NOW.as_millis();

/// A box, an answer with keys, the hash of hints, an older meeting secret.
pub(super) fn boxes() -> Value {
    let (topic, epoch) = (
        TopicId::from_bytes([0x71; 32]),
        EpochId::from_bytes([0x72; 32]),
    );
    let older = EpochId::from_bytes([0x73; 32]);
    let made = EpochSecret::from_bytes([0x11; 32]);
    let secret = HpkeSecret::from_bytes([0x74; 32]);
    let to = secret.public();
    let hint: [u8; 32] = kdf("hint", &[to.as_bytes()]);
    let access = Access::Reader(made.clone());
    let rng = &mut Rng::from_seed([0x75; 32]);

    let sealed = seal_box((topic, epoch), &to, &access, rng).expect("a good key");
    assert_eq!(sealed.hint, hint[..8]);
    let fields: [&[u8]; 2] = [topic.as_bytes(), epoch.as_bytes()];
    let plain = open(
        &secret,
        "box",
        &fields,
        &sealed.enc,
        to.as_bytes(),
        &sealed.sealed,
    );
    assert_eq!(plain.expect("ours"), *access.to_bytes());

    let member = Access::Member(made.meeting());
    let keys = [(epoch, access.clone()), (older, member.clone())];
    let (answer, count) = seal_keys(topic, &to, &keys, rng).expect("a good key");
    assert_eq!(count, 2);
    let plain = open(
        &secret,
        "keys",
        &[topic.as_bytes()],
        &answer.enc,
        to.as_bytes(),
        &answer.sealed,
    )
    .expect("ours");
    let mut formula = vec![2];
    for (epoch, access) in &keys {
        formula.extend_from_slice(epoch.as_bytes());
        formula.extend_from_slice(&[0, 33]);
        formula.extend_from_slice(&access.to_bytes());
    }
    assert_eq!(plain, formula);

    let other = HpkeSecret::from_bytes([0x76; 32]).public();
    let hints = hints_hash(&[to, other, other]);
    let other_hint: [u8; 32] = kdf("hint", &[other.as_bytes()]);
    let mut sorted = [&hint[..8], &other_hint[..8], &other_hint[..8]];
    sorted.sort_unstable();
    assert_eq!(hints, kdf::<32>("hints", &[&sorted.concat()]));

    let meeting = EpochSecret::from_bytes([0x77; 32]).meeting();
    let prev = seal_older(&made.meeting(), older, &meeting);
    let key: [u8; 32] = kdf("prev", &[made.meeting().as_bytes(), older.as_bytes()]);
    let opened = aead_open(&key, b"", &prev).expect("ours");
    assert_eq!(opened, *meeting.as_bytes());
    json!({
        "topic": hex(topic.as_bytes()),
        "epoch": hex(epoch.as_bytes()),
        "sealing_secret": hex(*secret.to_bytes()),
        "sealing_key": hex(to.as_bytes()),
        "hint": hex(&hint[..8]),
        "enc": hex(sealed.enc),
        "sealed": hex(sealed.sealed),
        "access": hex(&*access.to_bytes()),
        "keys_enc": hex(answer.enc),
        "keys_sealed": hex(answer.sealed),
        "keys_plain": hex(plain),
        "hints_of": [hex(to.as_bytes()), hex(other.as_bytes()), hex(other.as_bytes())],
        "hints": hex(hints),
        "older": hex(older.as_bytes()),
        "older_meeting": hex(meeting.as_bytes()),
        "newer_meeting": hex(made.meeting().as_bytes()),
        "older_sealed": hex(prev),
    })
}

/// The row with a device's sealing keys.
pub(super) fn sealing_keys() -> Value {
    let mut keys = SealingKeys::new(HpkeSecret::from_bytes([0x78; 32]));
    let first = keys.public();
    keys.opened(&first, NOW_MS);
    keys.turn(NOW_MS + super::DAY_MS, &mut Rng::from_seed([0x79; 32]));
    let secrets: Vec<_> = keys.secrets().map(HpkeSecret::to_bytes).collect();
    let formula = [
        &secrets[1][..],
        &NOW_MS.to_be_bytes(),
        &(NOW_MS + super::DAY_MS).to_be_bytes(),
        &secrets[0][..],
        &[0; 16],
    ]
    .concat();
    assert_eq!(*keys.to_bytes(), formula);
    json!({ "row": hex(formula) })
}

/// An epoch that follows another, with boxes for a reader, a reader of a part, somebody who writes only,
/// and a core node.
pub(super) fn announcement() -> Value {
    let topic = TopicId::from_bytes([0x71; 32]);
    let older = EpochId::from_bytes([0x73; 32]);
    let old = EpochSecret::from_bytes([0x77; 32]);
    let (from, until) = (NOW_MS + 2 * super::DAY_MS, NOW_MS + 5 * super::DAY_MS);
    let portions = [
        Portion::Reads {
            from: 0,
            until: None,
        },
        Portion::Reads {
            from,
            until: Some(until),
        },
        Portion::Writes,
    ];
    let secrets = [0x81, 0x82, 0x83, 0x84].map(|n| HpkeSecret::from_bytes([n; 32]));
    let devices: Vec<Entitled> = secrets
        .iter()
        .zip(portions)
        .map(|(secret, portion)| Entitled {
            to: secret.public(),
            portion,
        })
        .collect();
    let call = Call {
        topic,
        created: NOW_MS + 5_000,
        boundary: Some(NOW_MS),
        devices: &devices,
        cores: &[secrets[3].public()],
        follows: &[(older, old.meeting())],
        reason: EpochReason::REVOKED,
    };
    let new = begin(&call, &mut Rng::from_seed([0x85; 32])).expect("three devices");
    let expected = Expected::of(devices.iter().map(|device| &device.to));
    assert_eq!(
        expected.judge(&new.item, call.created, |id| *id == older),
        Ok(())
    );
    assert_eq!(new.item.epoch.start, NOW_MS);
    let mut announced = Announced::new(new.item.clone()).expect("of a known suite");
    announced.take(&new.boxes[0]).expect("all of them");
    assert!(announced.is_usable());
    let epoch = Epoch::from_next(&new.item).expect("of a known suite");
    assert_eq!(epoch.slices_within(from, Some(until)), 2..5);
    let whole = Access::Reader(new.secret.clone());
    let given = [
        whole.clone(),
        whole.part(2..5).expect("of a reader"),
        Access::Member(new.secret.meeting()),
        Access::Core(new.secret.meeting().core()),
    ];
    let all = new.boxes[0].devices.iter().chain(&new.boxes[0].cores);
    for (secret, access) in secrets.iter().zip(&given) {
        let mut opened = all.clone().filter_map(|sealed| {
            let sealed = open_box((topic, epoch.id()), secret, sealed);
            Some(sealed.ok()?.to_bytes())
        });
        assert_eq!(opened.next(), Some(access.to_bytes()));
    }
    json!({
        "topic": hex(topic.as_bytes()),
        "created": call.created,
        "follows": hex(older.as_bytes()),
        "follows_meeting": hex(old.meeting().as_bytes()),
        "item": hex(Item::Epoch(new.item.clone()).encode()),
        "id": hex(epoch.id().as_bytes()),
        "epoch_secret": hex(new.secret.as_bytes()),
        "boxes": hex(Item::Boxes(new.boxes[0].clone()).encode()),
        "sealing_secrets": secrets.iter().map(|s| hex(*s.to_bytes())).collect::<Vec<_>>(),
        "reads_from": from,
        "reads_until": until,
        "accesses": given.iter().map(|access| hex(&*access.to_bytes())).collect::<Vec<_>>(),
    })
}
