//! Contents that are wholly in memory: for simulated worlds and for tests. Programs that people run make
//! contents of files piece by piece.

use crate::eris::{BlockSize, EncodeError, EncodedBlock, Encoder, Fed, ReadCapability};
use crate::manifest::{CheckedManifest, Page, PageList, References};
use identity::Secret;
use wire::{Manifest, Part, SharedFile, SlotRange};

/// A content with all that is stored of it.
#[derive(Clone, Debug)]
pub struct Whole {
    /// Which blocks there are.
    pub manifest: Manifest,
    /// Opens it. A secret.
    pub capability: ReadCapability,
    /// Its blocks, its pages and its page list, as docs/spec/files.md lays them out.
    pub stored: Vec<u8>,
}

impl Whole {
    /// Makes a content of these bytes. Nothing where they can be no content, such as too many.
    #[must_use]
    pub fn encode(bytes: &[u8], secret: Secret) -> Option<Self> {
        let length = bytes.len() as u64;
        let size = BlockSize::for_length(length);
        let mut encoder = Encoder::new(secret, length, size).ok()?;
        let shape = *encoder.shape();
        let mut references = References::new(&shape).ok()?;
        let mut stored = vec![0; usize::try_from(shape.bytes()).ok()?];
        let mut slots_are_right = true;
        let mut put = |block: EncodedBlock<'_>| {
            let at = block.slot as usize * size.bytes();
            stored[at..at + size.bytes()].copy_from_slice(block.bytes);
            slots_are_right &= references.set(block.slot, block.reference).is_ok();
            Ok::<(), EncodeError>(())
        };
        encoder.push(bytes, &mut put).ok()?;
        let capability = encoder.finish(&mut put).ok()?;
        let listing = references.finish().ok().filter(|_| slots_are_right)?;
        let manifest = *listing.list.manifest();
        for (number, page) in (0..).zip(&listing.pages) {
            stored.resize(usize::try_from(manifest.page_at(number)).ok()?, 0);
            stored.extend(page.encode());
        }
        stored.resize(usize::try_from(manifest.list_at()).ok()?, 0);
        stored.extend(listing.list.encode());
        Some(Self {
            manifest: manifest.to_manifest(),
            capability,
            stored,
        })
    }

    /// What is said of it to others: one file of this name and of so many bytes, which are the content's.
    #[must_use]
    pub fn as_file(&self, name: &str, length: u64) -> SharedFile {
        SharedFile {
            capability: self.capability.to_bytes(),
            length,
            name: name.to_owned(),
            size: length,
            entries: 1,
            folder: false,
        }
    }
}

/// What is stored, as bytes again. Nothing where it is not what the manifest and the capability name.
#[must_use]
pub fn decode(
    stored: &[u8],
    manifest: &Manifest,
    capability: &[u8],
    length: u64,
) -> Option<Vec<u8>> {
    let manifest = CheckedManifest::of(manifest).ok()?;
    let capability = ReadCapability::from_bytes(capability).ok()?;
    let mut decoder = manifest.decoder(capability, length).ok()?;
    let size = manifest.shape().block_size().bytes();
    let mut bytes = Vec::new();
    while let Some(need) = decoder.need() {
        let block = piece(stored, manifest.block_at(need.slot), size)?.to_vec();
        if let Fed::Leaf(leaf) = decoder.feed(need.slot, block).ok()? {
            bytes.extend_from_slice(&leaf.bytes);
        }
    }
    Some(bytes)
}

/// The parts that are not as the manifest says, in order; of a damaged list or page nothing that it lists.
/// Nothing where the manifest can be none.
#[must_use]
pub fn damaged(stored: &[u8], manifest: &Manifest) -> Option<Vec<Part>> {
    let manifest = CheckedManifest::of(manifest).ok()?;
    let size = manifest.shape().block_size().bytes();
    let list = piece(stored, manifest.list_at(), manifest.list_len());
    let list = list.and_then(|list| PageList::decode(&manifest, list).ok());
    let Some(list) = list else {
        return Some(vec![Part::List]);
    };
    let mut damaged = Vec::new();
    for number in 0..manifest.pages() {
        let page = piece(stored, manifest.page_at(number), manifest.page_len(number));
        let page = page.and_then(|page| Page::decode(&list, number, page).ok());
        let Some(page) = page else {
            damaged.push(Part::Page(number));
            continue;
        };
        for slot in page.slots() {
            let block = piece(stored, manifest.block_at(slot), size);
            if block.is_none_or(|block| page.verify_block(slot, block).is_err()) {
                let (first, count) = (slot, 1);
                damaged.push(Part::Blocks(SlotRange { first, count }));
            }
        }
    }
    Some(damaged)
}

fn piece(stored: &[u8], at: u64, len: usize) -> Option<&[u8]> {
    let from = usize::try_from(at).ok()?;
    stored.get(from..from.checked_add(len)?)
}

#[cfg(test)]
mod tests {
    use super::{Whole, damaged, decode};
    use identity::Secret;
    use wire::{Part, SlotRange};

    #[test]
    fn what_was_made_is_read_again_and_damage_is_found() {
        for length in [1, 1_023, 1_024, 16_384, 300_000] {
            let bytes: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
            let whole = Whole::encode(&bytes, Secret::from_bytes([5; 32])).expect("a content");
            let (manifest, capability) = (whole.manifest, whole.capability.to_bytes());
            let read = |stored: &[u8]| decode(stored, &manifest, &capability, length.into());
            assert_eq!(read(&whole.stored), Some(bytes));
            assert_eq!(damaged(&whole.stored, &manifest), Some(Vec::new()));
            let mut stored = whole.stored.clone();
            stored[0] ^= 1;
            assert_eq!(read(&stored), None);
            let first = Part::Blocks(SlotRange { first: 0, count: 1 });
            assert_eq!(damaged(&stored, &manifest), Some(vec![first]));
            let mut stored = whole.stored.clone();
            *stored.last_mut().expect("something") ^= 1;
            assert_eq!(damaged(&stored, &manifest), Some(vec![Part::List]));
            assert_eq!(damaged(&[], &manifest), Some(vec![Part::List]));
        }
    }
}
