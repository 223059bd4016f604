//! `vectors/block.json`, read by this code.

use block::eris::{BlockSize, Encoder, ReadCapability};
use data_encoding::HEXLOWER;
use identity::Secret;
use serde_json::Value;

use crate::content::{Stop, content, decode, encode};

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/block.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
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
