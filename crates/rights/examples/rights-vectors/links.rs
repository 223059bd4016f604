//! Examples of what members identify themselves by, of answers to claims, and of what two devices of
//! one person say.

use identity::seal::hpke::{HpkeSecret, open};
use identity::seal::{aead_open, kdf, mac};
use identity::{Context, GrantId};
use machine::Rng;
use rights::{
    Access, DeviceSecret, Founded, Identity, InviteSeed, MeetingSecret, PairSeed, PublicTopic,
    Welcomed, found_public, identified, identify, open_answer, seal_answer,
};
use serde_json::{Value, json};
use wire::plain::PublicContents;
use wire::{Frame, IdentifyStep, PairMessage, Parameters};

use super::{DAY_MS, NOW, ends, founder, hex};

/// Bytes of a record of a block: tag 16 ‖ sealed key 48.
const RECORD: usize = 64;
/// Bytes of the records of a block, and of its sealed proof.
const RECORDS: usize = 8 * RECORD;
const SEALED_PROOF: usize = 368 + 16;

fn meeting(of: &Founded) -> MeetingSecret {
    let held = of.ring.newest_clean().and_then(|held| held.meeting());
    held.expect("held")
}

/// A public topic: what follows from its id, and from its genesis.
pub(super) fn public() -> Value {
    let parameters = Parameters {
        history_days: 0,
        lifespan: 30 * DAY_MS,
    };
    let device = DeviceSecret::from_bytes([1; 32]);
    let mut rng = Rng::from_seed([12; 32]);
    let of = found_public(&device, NOW, parameters, &mut rng).expect("one slice");
    let seed: [u8; 16] = kdf("public topic", &[of.topic.as_bytes()]);
    let locator: [u8; 32] = kdf("invite locator", &[&seed]);
    assert_eq!(InviteSeed::of_public(of.topic).locator(), locator);
    let secret: [u8; 32] = kdf("public epoch", &[&of.genesis.random]);
    assert_eq!(super::epoch_secret(&of), secret);
    let contents = PublicContents {
        genesis: of.genesis.clone(),
        title: "Notices".into(),
        cores: Vec::new(),
    };
    let sealed = PublicTopic::seal(&contents, &mut Rng::from_seed([13; 32])).expect("short");
    let key: [u8; 32] = kdf("invite box", &[&seed, &sealed[..24]]);
    let plain = aead_open(&key, &locator, &sealed[24..]).expect("ours");
    assert_eq!(plain, contents.encode().expect("short"));
    json!({
        "topic": hex(of.topic.as_bytes()),
        "genesis": hex(of.genesis.encode()),
        "epoch_secret": hex(secret),
        "seed": hex(seed),
        "locator": hex(locator),
        "box": hex(sealed),
        "box_plain": hex(plain),
    })
}

/// A question and its answer: the dialler asks.
pub(super) fn identify_examples(of: &Founded) -> Value {
    let (dialler, acceptor, l) = ends();
    let meeting = meeting(of);
    let identity = Identity {
        topic: of.topic,
        secrets: vec![meeting.clone()],
        standing: founder(of),
    };
    let frame = |link, step, seed: u8| {
        let rng = &mut Rng::from_seed([seed; 32]);
        match identify(link, step, std::slice::from_ref(&identity), rng) {
            Frame::Identify { sealed, .. } => sealed,
            _ => unreachable!("it is one of those"),
        }
    };
    let question = frame(&dialler, IdentifyStep::Question, 12);
    let answer = frame(&acceptor, IdentifyStep::Answer, 13);
    let known = [(of.topic, meeting.clone())];
    let heard = identified(&acceptor, IdentifyStep::Question, &question, &known);
    assert_eq!(heard.len(), 1);
    assert_eq!(
        identified(&dialler, IdentifyStep::Answer, &answer, &known).len(),
        1
    );
    let mut found = Vec::new();
    for (sealed, step, role) in [(&question, 0u8, 0u8), (&answer, 1, 1)] {
        let (salt, blocks) = sealed.split_at(24);
        let place: [&[u8]; 4] = [of.topic.as_bytes(), salt, &[step, role], &l];
        let tag = mac(&kdf("old", &[meeting.as_bytes()]), &place);
        let all: Vec<&[u8]> = [meeting.as_bytes().as_slice()]
            .into_iter()
            .chain(place)
            .collect();
        let wrapping: [u8; 32] = kdf("identify", &all);
        let mut opened = blocks
            .chunks_exact(RECORDS + SEALED_PROOF)
            .filter_map(|block| {
                let (records, proof) = block.split_at(RECORDS);
                let mut records = records.chunks_exact(RECORD);
                let record = records.find(|record| record[..16] == tag[..16])?;
                let key = aead_open(&wrapping, b"", &record[16..]).expect("ours");
                let key: [u8; 32] = key.try_into().expect("32 bytes");
                Some((key, aead_open(&key, b"", proof).expect("ours")))
            });
        let (key, proof) = opened.next().expect("a block of the topic");
        assert!(opened.next().is_none());
        let signed = [l.as_slice(), of.topic.as_bytes(), &[role]].concat();
        let signature = of.device.sign(Context::Identify, &signed);
        assert_eq!(proof[64..128], *signature.as_bytes());
        assert!(proof[128..].iter().all(|byte| *byte == 0), "no claim");
        found.push(json!({
            "step": step,
            "role": role,
            "tag": hex(&tag[..16]),
            "key": hex(key),
            "proof": hex(proof),
            "sealed": hex(sealed),
        }));
    }
    json!({ "meeting_secret": hex(meeting.as_bytes()), "said": found })
}

/// An answer that welcomes a claimer and hands over what recognises members.
pub(super) fn welcome(of: &Founded) -> Value {
    let secret = HpkeSecret::from_bytes([0x45; 32]);
    let to = secret.public();
    let claim = [0x46; 32];
    let grant = GrantId::from_bytes([0x47; 32]);
    let epoch = of.genesis.epoch.id();
    let access = Access::Member(meeting(of));
    let handed = vec![(epoch, access.clone())];
    let welcomed = Welcomed::sign((of.topic, claim), &of.device, grant, handed);
    let rng = &mut Rng::from_seed([14; 32]);
    let sealed = seal_answer((of.topic, claim), &to, &welcomed, rng).expect("a good key");
    let back = open_answer((of.topic, claim), &secret, &sealed).expect("ours");
    assert!(
        back.verify((of.topic, claim), &of.device.public()).is_ok(),
        "signed"
    );
    let access = access.to_bytes();
    let length = u16::try_from(access.len()).expect("short");
    let listed = [
        &[1][..],
        epoch.as_bytes(),
        &length.to_be_bytes(),
        access.as_slice(),
    ]
    .concat();
    let keys: [u8; 32] = kdf("welcome keys", &[&listed]);
    let signed = [
        of.topic.as_bytes().as_slice(),
        &claim,
        grant.as_bytes(),
        &keys,
        b"keys",
    ]
    .concat();
    let signature = of.device.sign(Context::Welcome, &signed);
    let mut plain = [grant.as_bytes().as_slice(), signature.as_bytes(), &listed].concat();
    plain.resize(2_000, 0);
    let fields: [&[u8]; 2] = [of.topic.as_bytes(), &claim];
    let (enc, ct) = sealed.split_first_chunk().expect("long enough");
    let opened = open(&secret, "welcome", &fields, enc, to.as_bytes(), ct);
    assert_eq!(opened.expect("ours"), plain);
    json!({
        "sealing_secret": hex([0x45; 32]),
        "claim_hash": hex(claim),
        "grant": hex(grant.as_bytes()),
        "device_key": hex(of.device.public().as_bytes()),
        "signed": hex(signed),
        "plain": hex(plain),
        "sealed": hex(sealed),
    })
}

/// What two devices of one person say, under the link's key and under the one that they keep.
pub(super) fn devices() -> Value {
    let raw = [0x48; 16];
    let (dialler, acceptor, l) = ends();
    let link_key: [u8; 32] = kdf("device link", &[&raw]);
    let kept: [u8; 32] = kdf("device pair", &[&link_key, &l]);
    let first = PairSeed::from_bytes(raw).key();
    let lasting = first.lasting(&acceptor);
    assert_eq!((first.as_bytes(), lasting.as_bytes()), (&link_key, &kept));
    let hello = PairMessage::Hello {
        name: "phone".into(),
        addresses: vec!["192.0.2.1:4433".into()],
    }
    .encode();
    let rng = &mut Rng::from_seed([15; 32]);
    let said = [
        ("the first under the link's key", &first, link_key, 0u32),
        ("the third under the key that is kept", &lasting, kept, 2),
    ];
    let said = said.map(|(what, by, key, number)| {
        let sealed = by.seal(&dialler, number, &hello, rng);
        let fields: [&[u8]; 5] = [&key, &l, &[0], &sealed[..16], &number.to_be_bytes()];
        let message: [u8; 32] = kdf("device message", &fields);
        let opened = aead_open(&message, b"", &sealed[16..]);
        assert_eq!(opened.expect("ours"), *hello);
        json!({ "what": what, "number": number, "key": hex(message), "sealed": hex(sealed) })
    });
    json!({
        "seed": hex(raw),
        "link_key": hex(link_key),
        "kept_key": hex(kept),
        "plain": hex(&*hello),
        "said_by_dialler": said,
    })
}
