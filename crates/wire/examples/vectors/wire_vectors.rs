//! Vectors of every format, good and refused.

use data_encoding::HEXLOWER;
use identity::OperatorTag;
use serde_json::{Value, json};
use wire::cbor::validate;
use wire::plain::encode_messages;
use wire::{Grant, Header, Item, RawStatement, Revocation, Role, decode_header, sign_envelope};

use crate::{rights_samples, samples};

/// The file's text.
pub(crate) fn make() -> String {
    let all = json!({
        "about": "docs/spec/wire.md; bytes in hexadecimal; secrets are seeds of Ed25519",
        "keys": keys(),
        "cbor_good": cbor_good(),
        "cbor_bad": cbor_bad(),
        "envelopes": envelopes(),
        "headers_bad": headers_bad(),
        "items": items(),
        "acts": acts(),
        "joint": joint(),
        "items_bad": items_bad(),
        "genesis": genesis(&samples::genesis()),
        "genesis_of_several": genesis(&rights_samples::other_genesis()),
        "operators": operators(),
        "statements": statements(),
        "ticket": hex(&samples::ticket().encode()),
        "frames": frames(),
        "plain": plain(),
        "links": links(),
    });
    format!("{all:#}\n")
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// What operators write, and the tags that stand in their core nodes' receipts.
fn operators() -> Vec<Value> {
    let vector = |text| json!({ "text": text, "tag": OperatorTag::of(text).to_string() });
    samples::OPERATORS.into_iter().map(vector).collect()
}

fn keys() -> Value {
    json!({
        "device": hex(&samples::device().to_seed()[..]),
        "author": hex(&samples::author().to_seed()[..]),
        "invite": hex(&samples::invite_key().to_seed()[..]),
        "node": hex(&samples::node().to_seed()[..]),
        "core": hex(&samples::core().to_seed()[..]),
        "node_id": samples::node().node_id().to_string(),
    })
}

fn cbor_good() -> Vec<&'static str> {
    vec![
        "00",
        "17",
        "1818",
        "18ff",
        "190100",
        "19ffff",
        "1a00010000",
        "1affffffff",
        "1b0000000100000000",
        "1bffffffffffffffff",
        "20",
        "3818",
        "3bffffffffffffffff",
        "40",
        "4100",
        "60",
        "6161",
        "62c3a9",
        "80",
        "8100",
        "820001",
        "a0",
        "a10000",
        "a200010101",
        "a217001818f4",
        "f4",
        "f5",
        "f6",
        "a101a101a0",
        "8180",
    ]
}

/// Bytes that are refused, with the place and the reason that this implementation gives.
fn cbor_bad() -> Vec<Value> {
    let deep = "81".repeat(17);
    let texts = [
        ("", "empty"),
        ("18", "cut off in a head"),
        ("1817", "not the shortest"),
        ("1900ff", "not the shortest"),
        ("1a0000ffff", "not the shortest"),
        ("1b00000000ffffffff", "not the shortest"),
        ("5801", "a length in the long form"),
        ("9817", "a length in the long form"),
        ("1c", "reserved"),
        ("1f", "indefinite integer"),
        ("5f4100ff", "indefinite bytes"),
        ("7f6161ff", "indefinite text"),
        ("9f00ff", "indefinite array"),
        ("bf0000ff", "indefinite map"),
        ("ff", "a break"),
        ("4200", "bytes that are not there"),
        ("5bffffffffffffffff", "bytes that cannot be there"),
        ("9bffffffffffffffff", "elements that cannot be there"),
        ("bbffffffffffffffff", "pairs that cannot be there"),
        ("8200", "an element that is not there"),
        ("a100", "a value that is not there"),
        ("a201000000", "keys in the wrong order"),
        ("a200000000", "a key twice"),
        ("a1410000", "a key that is bytes"),
        ("a1616100", "a key that is text"),
        ("a12000", "a negative key"),
        ("0000", "two values"),
        ("61ff", "not UTF-8"),
        ("c000", "a tag"),
        ("f7", "undefined"),
        ("f90000", "half precision"),
        ("fb0000000000000000", "double precision"),
        ("f814", "a simple value in the long form"),
        (deep.as_str(), "17 deep"),
    ];
    texts
        .into_iter()
        .map(|(bytes, why)| {
            let decoded = HEXLOWER
                .decode(bytes.as_bytes())
                .expect("the texts are hexadecimal");
            let error = validate(&decoded).expect_err(why);
            json!({ "bytes": bytes, "why": why, "at": error.at, "what": error.what })
        })
        .collect()
}

fn envelopes() -> Vec<Value> {
    samples::headers()
        .into_iter()
        .map(|(name, header, body)| {
            let signed = sign_envelope(header, body, &samples::author()).expect("legal");
            let verified = signed.get();
            json!({
                "name": name,
                "header": hex(&verified.envelope.header_bytes),
                "without_body": hex(&verified.envelope.header.encode_without_body()),
                "id": verified.envelope.id.to_string(),
                "proof": hex(verified.envelope.proof.as_bytes()),
                "body": hex(verified.body.as_deref().unwrap_or_default()),
                "critical": verified.envelope.header.critical().collect::<Vec<u64>>(),
            })
        })
        .collect()
}

/// Headers that are well-formed CBOR and break one rule each.
fn headers_bad() -> Vec<Value> {
    let good = || Header {
        body_len: 1,
        ..samples::content()
    };
    let control = || Header {
        body_len: 1,
        ..samples::control()
    };
    let unicast = || Header {
        body_len: 1,
        ..samples::unicast()
    };
    let mut unsorted = good();
    unsorted.deps.reverse();
    let mut twice = good();
    twice.deps = vec![samples::id(1), samples::id(1)];
    let cases = [
        (
            "no body",
            Header {
                body_len: 0,
                ..good()
            },
        ),
        (
            "body of 64 KiB and one byte",
            Header {
                body_len: 65_537,
                ..good()
            },
        ),
        ("no messages", Header { count: 0, ..good() }),
        (
            "1,025 messages",
            Header {
                count: 1_025,
                ..good()
            },
        ),
        ("65 hops", Header { hops: 65, ..good() }),
        (
            "number 0",
            Header {
                number: 0,
                ..good()
            },
        ),
        (
            "generation below number",
            Header {
                number: 5,
                ..good()
            },
        ),
        (
            "content without an end",
            Header {
                expires: 0,
                ..good()
            },
        ),
        (
            "an end before the beginning",
            Header {
                expires: samples::NOW,
                ..good()
            },
        ),
        (
            "more than a year",
            Header {
                expires: samples::NOW + 367 * 86_400_000,
                ..good()
            },
        ),
        ("deps out of order", unsorted),
        ("a dep twice", twice),
        (
            "17 deps",
            Header {
                deps: (0..17).map(samples::id).collect(),
                ..good()
            },
        ),
        (
            "control with an end",
            Header {
                expires: samples::NOW + 1,
                ..control()
            },
        ),
        (
            "control of more than 16 KiB",
            Header {
                body_len: 16_385,
                ..control()
            },
        ),
        (
            "65 items",
            Header {
                count: 65,
                ..control()
            },
        ),
        (
            "number 1 after another topic",
            Header {
                previous: [1; 32],
                ..control()
            },
        ),
        (
            "unicast with a previous",
            Header {
                previous: [1; 32],
                ..unicast()
            },
        ),
        (
            "unicast with deps",
            Header {
                deps: vec![samples::id(1)],
                ..unicast()
            },
        ),
        (
            "control to a node",
            Header {
                class: wire::Class::Control,
                expires: 0,
                ..unicast()
            },
        ),
    ];
    cases
        .into_iter()
        .map(|(why, header)| {
            let bytes = header.encode();
            let error = decode_header(&bytes).expect_err(why);
            json!({ "header": hex(&bytes), "why": why, "at": error.at, "what": error.what })
        })
        .collect()
}

fn items() -> Vec<Value> {
    samples::items()
        .into_iter()
        .chain(rights_samples::rights_items())
        .map(|item| {
            json!({
                "kind": item.kind(),
                "bytes": hex(&item.encode()),
                "id": item.id().to_string(),
            })
        })
        .collect()
}

fn acts() -> Vec<Value> {
    let act = rights_samples::act();
    vec![json!({
        "bytes": hex(&Item::Act(act.clone()).encode()),
        "topic": samples::topic().to_string(),
        "act": act.id().to_string(),
        "composition": act.composition.to_string(),
        "signers": act.signers(Role::Signer).iter().map(ToString::to_string).collect::<Vec<_>>(),
        "new": act.signers(Role::New).iter().map(ToString::to_string).collect::<Vec<_>>(),
    })]
}

/// Items that a composition signs. Each with one signature fewer has the same id.
fn joint() -> Vec<Value> {
    let vector = |item: Item| {
        let mut fewer = item.clone();
        match &mut fewer {
            Item::Grant(Grant { joint, .. }) | Item::Revocation(Revocation { joint, .. }) => {
                let joint = joint.as_mut().expect("they are signed jointly");
                joint.signatures.pop();
            }
            _ => {}
        }
        json!({
            "bytes": hex(&item.encode()),
            "fewer": hex(&fewer.encode()),
            "topic": samples::topic().to_string(),
            "id": item.id().to_string(),
        })
    };
    rights_samples::joint_items().map(vector).into()
}

/// Items that are well-formed CBOR and break one rule each.
fn items_bad() -> Vec<Value> {
    rights_samples::bad_items()
        .into_iter()
        .map(|(why, bytes)| {
            let error = Item::decode(&bytes).expect_err(why);
            json!({ "bytes": hex(&bytes), "why": why, "at": error.at, "what": error.what })
        })
        .collect()
}

fn genesis(genesis: &wire::Genesis) -> Value {
    json!({
        "bytes": hex(&genesis.encode()),
        "topic": genesis.topic_id().to_string(),
        "root": genesis.root.member().to_string(),
        "epoch_item": hex(&genesis.epoch.encode()),
        "epoch": genesis.epoch.id().to_string(),
    })
}

fn statements() -> Vec<Value> {
    samples::statements()
        .into_iter()
        .map(|(name, RawStatement { bytes, signature })| {
            json!({ "name": name, "bytes": hex(&bytes), "signature": hex(signature.as_bytes()) })
        })
        .collect()
}

fn frames() -> Vec<Value> {
    samples::frames()
        .into_iter()
        .map(|frame| json!({ "type": frame.kind(), "bytes": hex(&frame.encode()) }))
        .collect()
}

fn plain() -> Value {
    json!({
        "messages": hex(&encode_messages(&samples::messages())),
        "profile": hex(&samples::profile().encode()),
        "cores": hex(&samples::core_list().encode()),
        "title": hex(&samples::title().encode()),
        "file": hex(&samples::shared_file().encode()),
        "box": hex(&samples::box_contents().encode().expect("the sample fits")),
    })
}

fn links() -> Value {
    json!({
        "join": samples::join_link().to_text().expect("the sample is legal"),
        "topic": samples::topic_link().to_text().expect("the sample is legal"),
        "id_topic": hex(samples::topic_link().topic.as_bytes()),
        "address_topic": samples::address().to_string(),
        "core": samples::core_link().to_text().expect("the sample is legal"),
        "seed_join": hex(&samples::join_link().seed),
        "seed_core": hex(&samples::core_link().seed),
        "addresses_join": samples::join_link().at.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "address_core": samples::core_link().at.to_string(),
    })
}
