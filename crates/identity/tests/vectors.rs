//! `vectors/identity.json`, made by `cargo run -p wire --example vectors`, read by this code.

use identity::seal::hpke::{HpkeSecret, derive_key_pair, export_receiver, open};
use identity::seal::{aead_open, kdf, mac};
use identity::{Context, Device, Form, Id, PublicKey, SecretKey, Signature};
use serde_json::Value;

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/identity.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    data_encoding::HEXLOWER
        .decode(text(value, name).as_bytes())
        .unwrap()
}

fn fixed<const N: usize>(value: &Value, name: &str) -> [u8; N] {
    bytes(value, name).try_into().unwrap()
}

fn each<'v>(all: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    let list = all[name].as_array().unwrap();
    assert!(!list.is_empty());
    list.iter()
}

#[test]
fn ids() {
    let all = vectors();
    for vector in each(&all, "ids") {
        let id = Id::from_wire(&fixed(vector, "wire")).unwrap();
        assert_eq!(id.to_string(), text(vector, "text"));
        assert_eq!(text(vector, "text").parse(), Ok(id));
    }
    for vector in each(&all, "bad_ids") {
        assert!(text(vector, "text").parse::<Id>().is_err(), "{vector}");
    }
}

#[test]
fn signatures() {
    let all = vectors();
    for vector in each(&all, "signatures") {
        let context = Context::ALL
            .into_iter()
            .find(|c| c.name() == text(vector, "context"))
            .unwrap();
        let public = PublicKey::from_bytes(fixed(vector, "public"));
        let signed = Signature::from_bytes(fixed(vector, "signature"));
        let message = bytes(vector, "bytes");
        let valid = vector["valid"].as_bool().unwrap();
        assert_eq!(
            public.verify(context, &message, &signed).is_ok(),
            valid,
            "{vector}"
        );
        if valid {
            let secret = SecretKey::from_seed(fixed(vector, "seed"));
            assert_eq!(secret.public(), public);
            assert_eq!(secret.sign(context, &message), signed);
        }
    }
}

#[test]
fn forms() {
    let all = vectors();
    for vector in each(&all, "forms") {
        let devices = each(vector, "devices").map(|device| Device {
            key: text_key(&device[0]),
            share: device[1].as_u64().unwrap().try_into().unwrap(),
        });
        let threshold = vector["threshold"].as_u64().unwrap().try_into().unwrap();
        let form = Form::new(devices.collect(), threshold).unwrap();
        assert_eq!(form.encode(), bytes(vector, "bytes"));
        assert_eq!(form.member().to_string(), text(vector, "member"));
    }
}

fn text_key(value: &Value) -> PublicKey {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn derivations() {
    let all = vectors();
    for vector in each(&all, "kdf") {
        let out: [u8; 32] = kdf(text(vector, "context"), &[&bytes(vector, "input")]);
        assert_eq!(out, fixed(vector, "output"));
    }
    for vector in each(&all, "mac") {
        let out = mac(&fixed(vector, "key"), &[&bytes(vector, "input")]);
        assert_eq!(out, fixed(vector, "output"));
    }
    for vector in each(&all, "aead") {
        let opened = aead_open(
            &fixed(vector, "key"),
            &bytes(vector, "ad"),
            &bytes(vector, "sealed"),
        );
        assert_eq!(opened.unwrap(), bytes(vector, "plain"));
    }
}

#[test]
fn hpke() {
    let all = vectors();
    for vector in each(&all, "hpke") {
        let (secret, public) = derive_key_pair(&fixed(vector, "seed"));
        assert_eq!(*secret.to_bytes(), fixed(vector, "secret"));
        assert_eq!(public.to_bytes(), fixed(vector, "public"));
        let fields = bytes(vector, "fields");
        let opened = open(
            &HpkeSecret::from_bytes(fixed(vector, "secret")),
            text(vector, "name"),
            &[&fields],
            &fixed(vector, "enc"),
            &bytes(vector, "aad"),
            &bytes(vector, "sealed"),
        );
        assert_eq!(opened.unwrap(), bytes(vector, "plain"));
        let exported: [u8; 32] = export_receiver(
            &secret,
            text(vector, "name"),
            &[&fields],
            text(vector, "label"),
            &fixed(vector, "export_enc"),
        )
        .unwrap();
        assert_eq!(exported, fixed(vector, "exported"));
    }
}
