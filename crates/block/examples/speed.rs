//! How fast one core encodes and decodes: `cargo run --release -p block --example speed [MiB]`. Each
//! figure is the best of five runs: others may use the machine too.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::float_arithmetic,
    reason = "it measures, and is no part of the crate"
)]

use std::time::{Duration, Instant};

use block::eris::{BlockSize, Decoder, EncodeError, EncodedBlock, Encoder, Fed, Reference, Shape};
use identity::Secret;

/// Content is pushed in pieces of this length, as whoever reads a file would.
const PIECE: usize = 1 << 20;

fn main() {
    let mib = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let pieces: usize = mib.unwrap_or(64);
    for size in [BlockSize::Large, BlockSize::Small] {
        measure(size, pieces);
    }
}

fn measure(size: BlockSize, pieces: usize) {
    let piece: Vec<u8> = (0..PIECE).map(|at| (at / 7) as u8).collect();
    let length = (pieces * PIECE) as u64;
    let encode = |take: &mut dyn FnMut(EncodedBlock<'_>)| {
        let secret = Secret::from_bytes([7; 32]);
        let mut encoder = Encoder::new(secret, length, size).expect("not too large");
        let mut take = |block: EncodedBlock<'_>| -> Result<(), EncodeError> {
            take(block);
            Ok(())
        };
        for _ in 0..pieces {
            encoder
                .push(&piece, &mut take)
                .expect("as long as was said");
        }
        encoder.finish(&mut take).expect("as long as was said")
    };
    let encoding = best(|| {
        encode(&mut |block| {
            std::hint::black_box(block);
        });
    });

    let shape = Shape::of(length, size).expect("not too large");
    let mut blocks = vec![Vec::new(); shape.blocks() as usize];
    let capability = encode(&mut |block| blocks[block.slot as usize] = block.bytes.to_vec());
    let verifying = best(|| {
        for block in &blocks {
            std::hint::black_box(Reference::of(block));
        }
    });
    // With a copy of each block, in place of reading it from a disk.
    let decoding = best(|| {
        let capability = capability.clone();
        let mut decoder = Decoder::new(capability, length).expect("the length that was encoded");
        let mut read = 0;
        while let Some(need) = decoder.need() {
            let block = blocks[need.slot as usize].clone();
            if let Fed::Leaf(leaf) = decoder.feed(need.slot, block).expect("a good block") {
                read += leaf.bytes.len() as u64;
            }
        }
        assert_eq!(read, length);
    });
    let rate = |time: Duration| length as f64 / 1e6 / time.as_secs_f64();
    println!(
        "{:>5} byte blocks: encode {:.0} MB/s, verify {:.0} MB/s, decode {:.0} MB/s",
        size.bytes(),
        rate(encoding),
        rate(verifying),
        rate(decoding)
    );
}

/// The shortest time of five runs.
fn best(mut run: impl FnMut()) -> Duration {
    let times = (0..5).map(|_| {
        let begun = Instant::now();
        run();
        begun.elapsed()
    });
    times.min().unwrap_or_default()
}
