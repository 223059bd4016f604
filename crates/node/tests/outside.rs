//! What lies around a node beside its records: contents, and files outside its home, in memory.

use super::tested::{FileDone, FileJob};
use block::eris::{BlockSize, EncodeError, EncodedBlock, Encoder, Fed};
use block::manifest::{CheckedManifest, Page, PageList, References};
use machine::{ContentDone, ContentEffect, ContentName, MAX_LISTED};
use std::collections::BTreeMap;
use std::ops::Bound;
use wire::{Manifest, Part, SharedFile, SlotRange};

/// The contents of a node, and the files beside its home, by path.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    pub(crate) contents: BTreeMap<ContentName, Vec<u8>>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Outside {
    pub(crate) fn perform(&mut self, effect: ContentEffect) -> ContentDone {
        match effect {
            ContentEffect::Write { name, at, bytes } => {
                let content = self.contents.entry(name).or_default();
                let end = at as usize + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[at as usize..end].copy_from_slice(&bytes);
                ContentDone::Written(name, at)
            }
            ContentEffect::Read { name, at, len } => {
                let (from, to) = (at as usize, at as usize + len as usize);
                let piece = self.contents.get(&name).and_then(|all| all.get(from..to));
                ContentDone::Read(name, at, piece.map(<[u8]>::to_vec))
            }
            ContentEffect::Delete(name) => {
                self.contents.remove(&name);
                ContentDone::Deleted(name)
            }
            ContentEffect::List { after } => {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let names = self.contents.range((from, Bound::Unbounded));
                ContentDone::Listed(names.map(|(name, _)| *name).take(MAX_LISTED).collect())
            }
        }
    }

    /// A file is made into a content, or written; without the index that a real bundle has.
    pub(crate) fn work(&mut self, job: FileJob) -> FileDone {
        let failed = |text: &str| FileDone::Failed {
            text: text.to_owned(),
            hint: String::new(),
        };
        match job {
            FileJob::Share {
                path,
                secret,
                content,
            } => {
                let Some(bytes) = self.files.get(&path) else {
                    return failed("there is no such file");
                };
                let (manifest, file, stored) = encode(&path, bytes, secret);
                self.contents.insert(content, stored);
                FileDone::Shared { manifest, file }
            }
            FileJob::Unpack {
                content,
                manifest,
                capability,
                length,
                to,
            } => {
                let stored = self.contents.get(&content);
                let bytes =
                    stored.and_then(|stored| decode(stored, &manifest, &capability, length));
                match bytes {
                    Some(bytes) if !self.files.contains_key(&to) => {
                        self.files.insert(to, bytes);
                        FileDone::Unpacked
                    }
                    Some(_) => failed("there is something already"),
                    None => FileDone::Damaged,
                }
            }
            FileJob::Verify { content, manifest } => match self.contents.get(&content) {
                Some(stored) => FileDone::Verified {
                    damaged: damaged(stored, &manifest),
                },
                None => FileDone::Gone,
            },
        }
    }
}

fn encode(path: &str, bytes: &[u8], secret: identity::Secret) -> (Manifest, SharedFile, Vec<u8>) {
    let length = bytes.len() as u64;
    let size = BlockSize::for_length(length);
    let mut encoder = Encoder::new(secret, length, size).expect("not too large");
    let shape = *encoder.shape();
    let mut references = References::new(&shape).expect("a content");
    let mut stored = vec![0; shape.bytes() as usize];
    let mut put = |block: EncodedBlock<'_>| {
        let at = block.slot as usize * size.bytes();
        stored[at..at + size.bytes()].copy_from_slice(block.bytes);
        references.set(block.slot, block.reference).expect("once");
        Ok::<(), EncodeError>(())
    };
    encoder.push(bytes, &mut put).expect("as long as said");
    let capability = encoder.finish(&mut put).expect("all of it");
    let listing = references.finish().expect("all slots");
    let manifest = *listing.list.manifest();
    for (number, page) in (0..).zip(&listing.pages) {
        stored.resize(manifest.page_at(number) as usize, 0);
        stored.extend(page.encode());
    }
    stored.resize(manifest.list_at() as usize, 0);
    stored.extend(listing.list.encode());
    let file = SharedFile {
        capability: capability.to_bytes(),
        length,
        name: path.rsplit('/').next().unwrap_or_default().to_owned(),
        size: length,
        entries: 1,
        folder: false,
    };
    (manifest.to_manifest(), file, stored)
}

/// The blocks that are not what the pages say, which are not damaged here.
fn damaged(stored: &[u8], manifest: &Manifest) -> Vec<Part> {
    let manifest = CheckedManifest::of(manifest).expect("a content");
    let size = manifest.shape().block_size().bytes();
    let list = &stored[manifest.list_at() as usize..];
    let list = PageList::decode(&manifest, list).expect("the list is not damaged");
    let mut damaged = Vec::new();
    for number in 0..manifest.pages() {
        let at = manifest.page_at(number) as usize;
        let page = &stored[at..at + manifest.page_len(number)];
        let page = Page::decode(&list, number, page).expect("no page is damaged");
        for slot in page.slots() {
            let at = slot as usize * size;
            if page.verify_block(slot, &stored[at..at + size]).is_err() {
                damaged.push(Part::Blocks(SlotRange {
                    first: slot,
                    count: 1,
                }));
            }
        }
    }
    damaged
}

fn decode(stored: &[u8], manifest: &Manifest, capability: &[u8], length: u64) -> Option<Vec<u8>> {
    let manifest = CheckedManifest::of(manifest).ok()?;
    let capability = block::eris::ReadCapability::from_bytes(capability).ok()?;
    let mut decoder = manifest.decoder(capability, length).ok()?;
    let size = manifest.shape().block_size().bytes();
    let mut bytes = Vec::new();
    while let Some(need) = decoder.need() {
        let at = need.slot as usize * size;
        let block = stored.get(at..at + size)?.to_vec();
        if let Fed::Leaf(leaf) = decoder.feed(need.slot, block).ok()? {
            bytes.extend_from_slice(&leaf.bytes);
        }
    }
    Some(bytes)
}
