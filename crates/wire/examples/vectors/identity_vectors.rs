//! Vectors of ids, signatures and sealing.

use data_encoding::HEXLOWER;
use identity::seal::hpke::{derive_key_pair, export_sender, seal};
use identity::seal::{aead_seal, kdf, mac};
use identity::{Context, Device, Form, Id, Kind, PublicKey, Scheme, SecretKey, Signature};
use machine::Rng;
use serde_json::{Value, json};

/// The file's text.
pub(crate) fn make() -> String {
    let all = json!({
        "about": "docs/spec/wire.md, sections Ids, Signatures and Compositions, and docs/spec/secrecy.md; bytes in hexadecimal",
        "ids": ids(),
        "bad_ids": bad_ids(),
        "signatures": signatures(),
        "forms": forms(),
        "kdf": derivations(),
        "mac": macs(),
        "aead": sealed(),
        "hpke": hpke(),
    });
    format!("{all:#}\n")
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

fn ids() -> Vec<Value> {
    let mut made = Vec::new();
    for kind in [
        Kind::Node,
        Kind::Engine,
        Kind::Topic,
        Kind::Domain,
        Kind::Member,
    ] {
        for (scheme, fill) in [(Scheme::Key, 0x5a), (Scheme::Hash, 0xff)] {
            let id = Id::new(kind, scheme, [fill; 32]);
            made.push(json!({ "wire": hex(&id.to_wire()), "text": id.to_string() }));
        }
    }
    made
}

fn bad_ids() -> Vec<Value> {
    let good = Id::new(Kind::Topic, Scheme::Hash, [0x5a; 32]).to_string();
    let mixed = good.replacen('t', "T", 1);
    let (all_but_last, last) = good.split_at(good.len() - 1);
    let other = if last == "q" { "p" } else { "q" };
    vec![
        json!({ "why": "mixed case", "text": mixed }),
        json!({ "why": "wrong checksum", "text": format!("{all_but_last}{other}") }),
        json!({ "why": "cut off", "text": all_but_last }),
        json!({ "why": "no such kind", "text": good.replacen("topic", "tonic", 1) }),
        json!({ "why": "empty", "text": "" }),
    ]
}

fn signatures() -> Vec<Value> {
    let seed = [7; 32];
    let key = SecretKey::from_seed(seed);
    let bytes = b"what was signed";
    let vector = |context: Context, signature: Signature, valid: bool, why: &str| {
        json!({
            "seed": hex(&seed),
            "public": hex(key.public().as_bytes()),
            "context": context.name(),
            "bytes": hex(bytes),
            "signature": hex(signature.as_bytes()),
            "valid": valid,
            "why": why,
        })
    };
    let mut made: Vec<Value> = Context::ALL
        .into_iter()
        .map(|context| vector(context, key.sign(context, bytes), true, "good"))
        .collect();
    let good = key.sign(Context::Envelope, bytes);
    made.push(vector(Context::Receipt, good, false, "another context"));
    let mut changed = good.to_bytes();
    changed[63] ^= 0x20;
    made.push(vector(
        Context::Envelope,
        Signature::from_bytes(changed),
        false,
        "S out of range",
    ));
    let small = [[&[1][..], &[0; 31]].concat(), vec![0; 32]].concat();
    let small: [u8; 64] = small.try_into().expect("32 and 32 bytes");
    made.push(json!({
        "public": hex(&[&[1][..], &[0; 31]].concat()),
        "context": Context::Envelope.name(),
        "bytes": hex(bytes),
        "signature": hex(&small),
        "valid": false,
        "why": "key and R of small order: the equation holds for every message",
    }));
    made
}

fn forms() -> Vec<Value> {
    let key = |fill| PublicKey::from_bytes([fill; 32]);
    let device = |fill, share| Device {
        key: key(fill),
        share,
    };
    let sixteen = (0..16).map(key).collect();
    let forms = [
        Form::one(key(0x5a)),
        Form::new(vec![device(1, 23), device(2, 24), device(3, 209)], 2).expect("legal"),
        Form::new(vec![device(1, 1), device(2, 255)], 2).expect("legal"),
        Form::equal(&sixteen, 9).expect("legal"),
    ];
    let vector = |form: &Form| {
        let devices = form.devices().iter();
        let devices = devices.map(|device| json!([hex(device.key.as_bytes()), device.share]));
        json!({
            "devices": devices.collect::<Vec<Value>>(),
            "threshold": form.threshold(),
            "bytes": hex(&form.encode()),
            "member": form.member().to_string(),
        })
    };
    forms.iter().map(vector).collect()
}

fn derivations() -> Vec<Value> {
    [
        "slice", "meet", "core", "members", "topic", "grant", "epoch", "body", "hint", "member",
        "act", "claim", "hints",
    ]
    .into_iter()
    .map(|context| {
        let output: [u8; 32] = kdf(context, &[&[1; 32]]);
        json!({ "context": context, "input": hex(&[1; 32]), "output": hex(&output) })
    })
    .collect()
}

fn macs() -> Vec<Value> {
    let output = mac(&[2; 32], &[b"round", b"link"]);
    vec![json!({ "key": hex(&[2; 32]), "input": hex(b"roundlink"), "output": hex(&output) })]
}

fn sealed() -> Vec<Value> {
    let sealed = aead_seal(&[3; 32], b"ad", b"plain");
    vec![json!({
        "key": hex(&[3; 32]), "ad": hex(b"ad"), "plain": hex(b"plain"), "sealed": hex(&sealed),
    })]
}

fn hpke() -> Vec<Value> {
    let seed = [4; 32];
    let (secret, public) = derive_key_pair(&seed);
    let mut rng = Rng::from_seed([5; 32]);
    let fields = b"fields";
    let (enc, sealed) = seal(&public, "box", &[fields], b"aad", b"plain", &mut rng)
        .expect("a derived key is not of small order");
    let (export_enc, exported) =
        export_sender::<32>(&public, "box", &[fields], "sender key", &mut rng)
            .expect("a derived key is not of small order");
    vec![json!({
        "seed": hex(&seed),
        "secret": hex(&secret.to_bytes()[..]),
        "public": hex(public.as_bytes()),
        "name": "box",
        "fields": hex(fields),
        "aad": hex(b"aad"),
        "plain": hex(b"plain"),
        "enc": hex(&enc),
        "sealed": hex(&sealed),
        "label": "sender key",
        "export_enc": hex(&export_enc),
        "exported": hex(&exported),
    })]
}
