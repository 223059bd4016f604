//! Writes `vectors/block.json` anew: `cargo run -p block --example block-vectors`. What another
//! implementation of ERIS made stays as it is; manifests and bundles are computed.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it writes a file, and is no part of the crate"
)]

use block::bundle::{File, Index, IndexBuilder, What};
use block::eris::{BlockSize, EncodeError, EncodedBlock, Encoder};
use block::manifest::{Listing, References};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use data_encoding::HEXLOWER;
use identity::Secret;
use serde_json::{Value, json};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors/block.json");

const ABOUT: &str = "Files (docs/spec/files.md). `eris`: what the encoder of another implementation (the \
package `eris` 1.0.0 of PyPI) made of the first `size` bytes of a content; `blocks` is how many it stored, \
equal ones counted each time. Content 0 is zeros; content n is the ChaCha20 keystream (RFC 8439, counter \
from 0, nonce zero) under a key of 32 bytes n. `manifests`: of such contents, in blocks of the size that \
their length has; `references` is left out where there are many. `no_manifests`: numbers that are refused. \
`bundles`: an index whose entries are [depth, name] or [depth, name, size, modified, executable], what the \
content begins with, and how long it is. `no_bundles`: the same, refused, and why.";

fn main() {
    let text = std::fs::read_to_string(PATH).expect("the vectors are there");
    let old: Value = serde_json::from_str(&text).expect("the vectors are JSON");
    let eris = old["eris"].as_array().expect("a list").clone();
    let parts = [
        ("eris", eris),
        ("manifests", manifests()),
        ("no_manifests", no_manifests()),
        ("bundles", bundles()),
        ("no_bundles", no_bundles()),
    ];
    let mut out = format!("{{\n  \"about\": {}", json!(ABOUT));
    for (name, list) in parts {
        let lines: Vec<String> = list.iter().map(|value| format!("    {value}")).collect();
        out.push_str(&format!(",\n  \"{name}\": [\n{}\n  ]", lines.join(",\n")));
    }
    out.push_str("\n}\n");
    std::fs::write(PATH, out).expect("the vectors can be written");
}

fn manifests() -> Vec<Value> {
    let of = |content: u8, size: usize| {
        let (urn, listing) = encode(content, size);
        let manifest = listing.list.manifest().to_manifest();
        let mut vector = json!({
            "content": content,
            "size": size,
            "secret": HEXLOWER.encode(&[content; 32]),
            "urn": urn,
            "pages": HEXLOWER.encode(&listing.list.encode()),
            "root": HEXLOWER.encode(&manifest.root),
            "blocks": manifest.count,
            "bytes": manifest.bytes,
        });
        if manifest.count < 100 {
            vector["references"] = json!(HEXLOWER.encode(&listing.pages[0].encode()));
        }
        vector
    };
    vec![
        of(1, 0),
        of(1, 1_023),
        of(2, 1_024),
        of(2, 16_383),
        of(1, 16_384),
        of(1, 100_000),
        of(0, 100_000),
        of(1, 1_022 * 32_768),
    ]
}

fn encode(content: u8, size: usize) -> (String, Listing) {
    let mut bytes = vec![0; size];
    if content > 0 {
        ChaCha20::new(&[content; 32].into(), &[0; 12].into()).apply_keystream(&mut bytes);
    }
    let block_size = BlockSize::for_length(size as u64);
    let secret = Secret::from_bytes([content; 32]);
    let mut encoder = Encoder::new(secret, size as u64, block_size).expect("small");
    let mut references = References::new(encoder.shape()).expect("of that size");
    let mut take = |block: EncodedBlock<'_>| -> Result<(), EncodeError> {
        references
            .set(block.slot, block.reference)
            .expect("each slot comes once");
        Ok(())
    };
    encoder
        .push(&bytes, &mut take)
        .expect("as long as was said");
    let capability = encoder.finish(&mut take).expect("as long as was said");
    (capability.to_urn(), references.finish().expect("all came"))
}

fn no_manifests() -> Vec<Value> {
    [
        (0_u64, 0_u64),
        (2, 65_536),
        (2, 2_048),
        (1, 16_384),
        (3, 98_303),
        (20, 20_480),
        (514, 514 * 32_768),
        (1_048_577, 1_048_577 * 32_768),
        (4_294_967_295, 4_294_967_295 * 32_768),
    ]
    .map(|(blocks, bytes)| json!({ "blocks": blocks, "bytes": bytes }))
    .to_vec()
}

type Row<'n> = (usize, &'n str, Option<(u64, u64, bool)>);

fn bundles() -> Vec<Value> {
    let folder: &[Row<'_>] = &[
        (0, "camp", None),
        (1, "a", None),
        (2, "first.txt", Some((5, 1_700_000_000_123, false))),
        (2, "run", Some((300, 0, true))),
        (1, "a-b.txt", Some((0, 1, false))),
        (1, "empty", None),
        (1, "z.bin", Some((100_000, 281_474_976_710_655, false))),
        (1, "漢字", None),
        (2, "naïve", Some((70_000, 1_700_000_000_000, false))),
    ];
    let file: &[Row<'_>] = &[(0, "map.png", Some((123_456, 1_700_000_000_123, false)))];
    [folder, file].map(bundle).to_vec()
}

fn bundle(rows: &[Row<'_>]) -> Value {
    let mut builder = IndexBuilder::new();
    for (depth, name, of_file) in rows {
        let what = of_file.map_or(What::Folder, |(size, modified, executable)| {
            What::File(File {
                size,
                modified,
                executable,
            })
        });
        builder.add(*depth, name, what).expect("a good entry");
    }
    let index = builder.finish().expect("a good index");
    let entries: Vec<Value> = rows
        .iter()
        .map(|(depth, name, of_file)| match of_file {
            None => json!([depth, name]),
            Some((size, modified, executable)) => json!([depth, name, size, modified, executable]),
        })
        .collect();
    json!({
        "entries": entries,
        "begins": HEXLOWER.encode(&index.encode()),
        "length": index.content_len(),
    })
}

fn no_bundles() -> Vec<Value> {
    let cases: &[(&str, &[u8], u64)] = &[
        ("a name that climbs out", b"\x82\x00\x62..", 0),
        ("a separator in a name", b"\x82\x00\x63a/b", 0),
        ("a device on Windows", b"\x82\x00\x67nul.txt", 0),
        ("a dot at the end", b"\x82\x00\x62a.", 0),
        (
            "a second one in no folder",
            b"\x82\x00\x61a\x82\x00\x61b",
            0,
        ),
        ("in a file", b"\x85\x00\x61a\x01\x00\xf4\x82\x01\x61b", 1),
        (
            "not in order",
            b"\x82\x00\x61a\x82\x01\x61c\x82\x01\x61b",
            0,
        ),
        ("twice", b"\x82\x00\x61a\x82\x01\x61b\x82\x01\x61b", 0),
        (
            "alike but for case",
            b"\x82\x00\x61a\x82\x01\x61B\x82\x01\x61b",
            0,
        ),
        (
            "one byte more than the files have",
            b"\x85\x00\x61a\x01\x00\xf4",
            2,
        ),
        (
            "a file that is too large",
            b"\x85\x00\x61a\x1b\xff\xff\xff\xff\xff\xff\xff\xff\x00\xf4",
            1,
        ),
    ];
    let of = |(why, entries, files): &(&str, &[u8], u64)| {
        // Heads of entries are the only bytes of 0x82 and 0x85 here.
        let count = entries
            .iter()
            .filter(|byte| matches!(**byte, 0x82 | 0x85))
            .count();
        let index = [b"\xa2\x00\x00\x01", &[0x80 | count as u8][..], entries].concat();
        let begins = [&(index.len() as u32).to_be_bytes()[..], &index].concat();
        let length = begins.len() as u64 + files;
        assert!(Index::decode(&begins, length).is_err(), "{why}");
        json!({ "why": why, "begins": HEXLOWER.encode(&begins), "length": length })
    };
    cases.iter().map(of).collect()
}
