//! Contents to encode, and the blocks that come of them.

use block::eris::{BlockSize, Decoder, EncodeError, EncodedBlock, Encoder, Fed, ReadCapability};
use block::eris::{DecodeError, Reference};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use identity::Secret;

/// The first bytes of a content of the vectors: zeros, or a stream of ChaCha20.
pub(crate) fn content(number: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    if number > 0 {
        ChaCha20::new(&[number; 32].into(), &[0; 12].into()).apply_keystream(&mut bytes);
    }
    bytes
}

/// An encoded content: every block in its slot.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    pub(crate) capability: ReadCapability,
    pub(crate) length: u64,
    pub(crate) blocks: Vec<Vec<u8>>,
}

/// What a sink of a test may say.
#[derive(Debug)]
pub(crate) enum Stop {
    Encoding(EncodeError),
    Asked,
}

impl From<EncodeError> for Stop {
    fn from(error: EncodeError) -> Self {
        Self::Encoding(error)
    }
}

/// Encodes in pieces that end where `cuts` says; checks what is said of each block.
pub(crate) fn encode_in(
    content: &[u8],
    size: BlockSize,
    secret: [u8; 32],
    cuts: &[usize],
) -> Encoded {
    let mut encoder = Encoder::new(Secret::from_bytes(secret), content.len() as u64, size).unwrap();
    let shape = *encoder.shape();
    let mut blocks = vec![Vec::new(); shape.blocks() as usize];
    let mut take = |block: EncodedBlock<'_>| -> Result<(), Stop> {
        assert_eq!(block.bytes.len(), size.bytes());
        assert_eq!(Reference::of(block.bytes), block.reference);
        let slot = &mut blocks[block.slot as usize];
        assert!(slot.is_empty(), "slot {} came twice", block.slot);
        *slot = block.bytes.to_vec();
        Ok(())
    };
    let mut from = 0;
    for to in cuts.iter().copied().chain([content.len()]) {
        encoder.push(&content[from..to], &mut take).unwrap();
        from = to;
    }
    let capability = encoder.finish(&mut take).unwrap();
    assert!(blocks.iter().all(|block| !block.is_empty()));
    Encoded {
        capability,
        length: content.len() as u64,
        blocks,
    }
}

pub(crate) fn encode(content: &[u8], size: BlockSize, secret: [u8; 32]) -> Encoded {
    encode_in(content, size, secret, &[])
}

/// Reads all of it, from the blocks in their slots.
pub(crate) fn decode(encoded: &Encoded) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = Decoder::new(encoded.capability.clone(), encoded.length)?;
    let mut content = Vec::new();
    while let Some(need) = decoder.need() {
        let block = encoded.blocks[need.slot as usize].clone();
        if let Fed::Leaf(leaf) = decoder.feed(need.slot, block)? {
            assert_eq!(leaf.offset, content.len() as u64);
            content.extend_from_slice(&leaf.bytes);
        }
    }
    Ok(content)
}
