//! `vectors/block.json`, read by this code.

use block::bundle::{Index, What};
use block::eris::{BlockSize, Encoder, ReadCapability, Reference};
use block::manifest::{CheckedManifest, Page, PageList};
use data_encoding::HEXLOWER;
use identity::Secret;
use serde_json::{Value, json};
use wire::Manifest;

use crate::content::{Stop, content, decode, encode};

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/block.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn number(value: &Value, name: &str) -> u64 {
    value[name]
        .as_u64()
        .unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// The vector of the specification of ERIS 1.0.
#[test]
fn hello_world() {
    let encoded = encode(b"Hello world!", BlockSize::Small, [0; 32]);
    assert_eq!(
        encoded.capability.to_urn(),
        "urn:eris:BIAD77QDJMFAKZYH2DXBUZYAP3MXZ3DJZVFYQ5DFWC6T65WSFCU5S2IT4YZGJ7AC4SYQMP2DM2ANS2ZTCP3DJJIRV733CRAAHOSWIYZM3M"
    );
    assert_eq!(decode(&encoded).unwrap(), b"Hello world!");
}

#[test]
fn another_implementation_agrees() {
    let vectors = vectors();
    let all = vectors["eris"].as_array().unwrap();
    assert!(all.len() > 80);
    for vector in all {
        let size = match number(vector, "block_size") {
            1_024 => BlockSize::Small,
            32_768 => BlockSize::Large,
            other => panic!("block size {other}"),
        };
        let content = content(
            number(vector, "content") as u8,
            number(vector, "size") as usize,
        );
        let secret = HEXLOWER.decode(text(vector, "secret").as_bytes()).unwrap();
        let secret = Secret::from_bytes(secret.try_into().unwrap());
        let mut blocks = 0;
        let mut take = |_: block::eris::EncodedBlock<'_>| -> Result<(), Stop> {
            blocks += 1;
            Ok(())
        };
        let mut encoder = Encoder::new(secret, content.len() as u64, size).unwrap();
        let shape = *encoder.shape();
        encoder.push(&content, &mut take).unwrap();
        let capability = encoder.finish(&mut take).unwrap();
        assert_eq!(capability.to_urn(), text(vector, "urn"), "{vector}");
        assert_eq!(blocks, number(vector, "blocks"), "{vector}");
        assert_eq!(u64::from(shape.blocks()), blocks);
        assert_eq!(
            ReadCapability::from_urn(text(vector, "urn")),
            Ok(capability)
        );
    }
}

fn hex(value: &Value, name: &str) -> Vec<u8> {
    HEXLOWER.decode(text(value, name).as_bytes()).unwrap()
}

fn each<'v>(all: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    let list = all[name].as_array().unwrap();
    assert!(!list.is_empty());
    list.iter()
}

#[test]
fn manifests() {
    let vectors = vectors();
    for vector in each(&vectors, "manifests") {
        let length = number(vector, "size");
        let content = content(number(vector, "content") as u8, length as usize);
        let secret = hex(vector, "secret").try_into().unwrap();
        let encoded = encode(&content, BlockSize::for_length(length), secret);
        assert_eq!(encoded.capability.to_urn(), text(vector, "urn"));
        let manifest = Manifest {
            root: hex(vector, "root").try_into().unwrap(),
            count: number(vector, "blocks") as u32,
            bytes: number(vector, "bytes"),
        };
        let manifest = CheckedManifest::of(&manifest).unwrap();
        manifest.decoder(encoded.capability, length).unwrap();
        let list = PageList::decode(&manifest, &hex(vector, "pages")).unwrap();
        let references: Vec<u8> = encoded
            .blocks
            .iter()
            .flat_map(|block| *Reference::of(block).as_bytes())
            .collect();
        if vector.get("references").is_some() {
            assert_eq!(references, hex(vector, "references"));
        }
        for (number, bytes) in references.chunks(32 * 1_024).enumerate() {
            let page = Page::decode(&list, number as u32, bytes).unwrap();
            for slot in page.slots() {
                page.verify_block(slot, &encoded.blocks[slot as usize])
                    .unwrap();
            }
        }
    }
    for vector in each(&vectors, "no_manifests") {
        let manifest = Manifest {
            root: [0; 32],
            count: number(vector, "blocks") as u32,
            bytes: number(vector, "bytes"),
        };
        assert!(CheckedManifest::of(&manifest).is_err(), "{vector}");
    }
}

#[test]
fn bundles() {
    let vectors = vectors();
    for vector in each(&vectors, "bundles") {
        let begins = hex(vector, "begins");
        let index = Index::decode(&begins, number(vector, "length")).unwrap();
        assert_eq!(index.encode(), begins);
        let entries = index.entries().map(|entry| match entry.what {
            What::Folder => json!([entry.depth, entry.name]),
            What::File(file) => {
                json!([
                    entry.depth,
                    entry.name,
                    file.size,
                    file.modified,
                    file.executable
                ])
            }
        });
        assert_eq!(Value::Array(entries.collect()), vector["entries"]);
    }
    for vector in each(&vectors, "no_bundles") {
        let refused = Index::decode(&hex(vector, "begins"), number(vector, "length"));
        assert!(refused.is_err(), "{vector}");
    }
}
