//! What somebody who cannot read a content knows of its blocks: how many there are, how long they
//! are, and what the bytes in every slot must hash to.
//!
//! The references of all blocks in the order of their slots are cut into *pages* of 1,024. The *page
//! list* has the hash of each page, and the manifest in an envelope's header names the page list by
//! its hash, beside the number of blocks and their bytes. So any block can be asked of anybody and verified
//! alone with one page at hand, and neither a page nor a block says anything about the content or
//! the tree, beyond its length in blocks.
//!
//! Whoever reads the content walks the tree of [`eris`](crate::eris) all the same. A manifest whose
//! references are not those of the tree is its author's fault: blocks that match it then fail in the
//! [`Decoder`], at whoever reads, and nowhere else.

use core::ops::Range;

use identity::seal::kdf;
use thiserror::Error;
use wire::{Manifest, SlotRange};

use crate::eris::hash::hash_blocks;
use crate::eris::{BlockSize, Decoder, ReadCapability, Reference, Shape};
use crate::limits::{ENCODED_AT_ONCE, LARGE_FROM, PAGE_REFERENCES};

/// What the root of a manifest is derived in, with the prefix that all contexts have.
const MANIFEST_CONTEXT: &str = "manifest";
/// What hashes of pages are derived in.
const PAGE_CONTEXT: &str = "manifest page";
/// Bytes of a reference, and of the hash of a page.
const HASH: usize = 32;

/// A manifest is none that this format can have, or what is said to belong to it does not. Nothing
/// has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ManifestError {
    /// The blocks are not of 1,024 or of 32,768 bytes each. The fault of the envelope's author.
    #[error("{count} blocks cannot have {bytes} bytes together")]
    Bytes {
        /// Number of blocks.
        count: u32,
        /// Bytes of all together.
        bytes: u64,
    },
    /// No content has so many blocks: there is no such tree, or it is too large, or blocks of that size
    /// are for shorter contents. The fault of the envelope's author.
    #[error("no content has {count} blocks of {block} bytes")]
    Count {
        /// Number of blocks.
        count: u32,
        /// Bytes of a block.
        block: usize,
    },
    /// The read capability or the length is not of a content with this manifest. The fault of the
    /// envelope's author: nobody can read it.
    #[error("the content is not the one that its manifest counts")]
    AnotherContent,
    /// These bytes are not the page list that the manifest names. The fault of whoever gave them.
    #[error("the page list does not match its manifest")]
    NotTheList,
    /// These bytes are not that page. The fault of whoever gave them.
    #[error("page {0} does not match its page list")]
    NotThePage(u32),
    /// These bytes are not the block in that slot. The fault of whoever gave them.
    #[error("the block in slot {0} does not match its reference")]
    NotTheBlock(u32),
    /// There is no such page, or the slot is in another one. The caller's fault.
    #[error("there is no page or slot {0} here")]
    NoSuch(u32),
    /// A slot has two different references, or one too few has come. The caller's fault.
    #[error("the references of this content are not complete, or contradict one another")]
    References,
}

/// A manifest whose numbers can be those of a content. All sizes that follow from it are exact and
/// bounded by [`MAX_BLOCKS`](crate::limits::MAX_BLOCKS).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckedManifest {
    root: [u8; 32],
    shape: Shape,
}

impl CheckedManifest {
    /// Checks a manifest from a header. The block size is `bytes / count`, and 1 KiB only for what
    /// is shorter than [`LARGE_FROM`].
    pub fn of(manifest: &Manifest) -> Result<Self, ManifestError> {
        let Manifest { root, count, bytes } = *manifest;
        let size = [BlockSize::Small, BlockSize::Large]
            .into_iter()
            .find(|size| u64::from(count) * size.bytes() as u64 == bytes && count > 0)
            .ok_or(ManifestError::Bytes { count, bytes })?;
        let shape = Shape::of_count(count, size)
            .filter(may_be)
            .ok_or(ManifestError::Count {
                count,
                block: size.bytes(),
            })?;
        Ok(Self { root, shape })
    }

    /// As it stands in a header.
    pub fn to_manifest(&self) -> Manifest {
        Manifest {
            root: self.root,
            count: self.shape.blocks(),
            bytes: self.shape.bytes(),
        }
    }

    /// The tree of the blocks; its leaves are the first slots.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Number of pages, from 1 to 1,024.
    pub fn pages(&self) -> u32 {
        self.shape.blocks().div_ceil(PAGE_REFERENCES)
    }

    /// A reader of the content, if what the author says of it under seal agrees with the manifest: a
    /// capability and a length of this very tree, in blocks of the size that such a length has.
    pub fn decoder(
        &self,
        capability: ReadCapability,
        length: u64,
    ) -> Result<Decoder, ManifestError> {
        let agrees = self.shape.block_size() == BlockSize::for_length(length)
            && Shape::of(length, self.shape.block_size()) == Ok(self.shape);
        if !agrees || capability.block_size != self.shape.block_size() {
            return Err(ManifestError::AnotherContent);
        }
        Decoder::new(capability, length).map_err(|_| ManifestError::AnotherContent)
    }

    /// The page that has the reference of a slot.
    pub fn page_of(&self, slot: u32) -> Option<u32> {
        (slot < self.shape.blocks()).then_some(slot / PAGE_REFERENCES)
    }

    /// The slots whose references a page has; none if there is no such page.
    pub fn slots(&self, page: u32) -> Range<u32> {
        let blocks = self.shape.blocks();
        let first = page.saturating_mul(PAGE_REFERENCES).min(blocks);
        first..first.saturating_add(PAGE_REFERENCES).min(blocks)
    }

    /// Bytes of the page list, at most 32 KiB.
    pub fn list_len(&self) -> usize {
        self.pages() as usize * HASH
    }

    /// Bytes of a page, at most 32 KiB; 0 if there is no such page.
    pub fn page_len(&self, page: u32) -> usize {
        self.slots(page).len() * HASH
    }
}

/// Where each part of a content lies for whoever keeps it on a disk: the blocks in the order of their
/// slots, behind them the pages, behind them the page list. All of it follows from the number of blocks and their
/// size; nothing in it overlaps, and only the last page leaves a gap behind it when it is short.
impl CheckedManifest {
    /// Where the block in a slot begins.
    pub fn block_at(&self, slot: u32) -> u64 {
        u64::from(slot) * self.shape.block_size().bytes() as u64
    }

    /// Where a page begins.
    pub fn page_at(&self, page: u32) -> u64 {
        self.shape.bytes() + u64::from(page) * (PAGE_REFERENCES as usize * HASH) as u64
    }

    /// Where the page list begins.
    pub fn list_at(&self) -> u64 {
        self.page_at(self.pages())
    }

    /// Bytes of all of it.
    pub fn content_len(&self) -> u64 {
        self.list_at() + self.list_len() as u64
    }
}

/// Whether a content with blocks of this size may have so many.
fn may_be(shape: &Shape) -> bool {
    match shape.block_size() {
        BlockSize::Small => u64::from(shape.leaves() - 1) * 1_024 < LARGE_FROM,
        BlockSize::Large => true,
    }
}

/// The hashes of all pages, verified against a manifest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PageList {
    manifest: CheckedManifest,
    hashes: Vec<[u8; HASH]>,
}

impl PageList {
    /// Reads a page list from outside, which must be exactly as long as the manifest says.
    pub fn decode(manifest: &CheckedManifest, bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() != manifest.list_len() || root(&manifest.shape, bytes) != manifest.root {
            return Err(ManifestError::NotTheList);
        }
        Ok(Self {
            manifest: *manifest,
            hashes: bytes.as_chunks().0.to_vec(),
        })
    }

    /// The hashes one after another.
    pub fn encode(&self) -> Vec<u8> {
        self.hashes.concat()
    }

    /// The manifest that it belongs to.
    pub fn manifest(&self) -> &CheckedManifest {
        &self.manifest
    }
}

/// The references of at most 1,024 slots, verified against a page list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    size: BlockSize,
    slots: Range<u32>,
    references: Vec<Reference>,
}

impl Page {
    /// Reads a page from outside, which must be exactly as long as its manifest says.
    pub fn decode(list: &PageList, number: u32, bytes: &[u8]) -> Result<Self, ManifestError> {
        let manifest = &list.manifest;
        let hash = list
            .hashes
            .get(number as usize)
            .ok_or(ManifestError::NoSuch(number))?;
        if bytes.len() != manifest.page_len(number) || page_hash(bytes) != *hash {
            return Err(ManifestError::NotThePage(number));
        }
        Ok(Self {
            size: manifest.shape.block_size(),
            slots: manifest.slots(number),
            references: references(bytes).collect(),
        })
    }

    /// The references one after another.
    pub fn encode(&self) -> Vec<u8> {
        let bytes = self.references.iter();
        bytes.flat_map(|reference| *reference.as_bytes()).collect()
    }

    /// The slots whose references it has.
    pub fn slots(&self) -> Range<u32> {
        self.slots.clone()
    }

    /// What the block in a slot must hash to, if the slot is one of this page.
    pub fn reference(&self, slot: u32) -> Option<Reference> {
        let at = slot.checked_sub(self.slots.start)?;
        self.references.get(at as usize).copied()
    }

    /// Whether these bytes are the blocks in some slots, one after the other and no more.
    pub fn verify_run(&self, slots: SlotRange, blocks: &[u8]) -> Result<(), ManifestError> {
        let (size, mut slot) = (self.size.bytes(), slots.first);
        if Some(blocks.len()) != size.checked_mul(slots.count as usize) {
            return Err(ManifestError::NotTheBlock(slot));
        }
        for some in blocks.chunks(size * ENCODED_AT_ONCE) {
            let hashes = hash_blocks(None, some.chunks(size));
            for (hash, _) in hashes.iter().zip(some.chunks(size)) {
                let reference = self.reference(slot).ok_or(ManifestError::NoSuch(slot))?;
                if reference.as_bytes() != hash {
                    return Err(ManifestError::NotTheBlock(slot));
                }
                slot = slot.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Whether these bytes are the block in a slot: as long as a block, and with its hash.
    pub fn verify_block(&self, slot: u32, block: &[u8]) -> Result<(), ManifestError> {
        let reference = self.reference(slot).ok_or(ManifestError::NoSuch(slot))?;
        if block.len() != self.size.bytes() || Reference::of(block) != reference {
            return Err(ManifestError::NotTheBlock(slot));
        }
        Ok(())
    }
}

/// Collects the references of a content while it is encoded, 33 bytes for each block, and makes its
/// manifest of them.
#[derive(Clone, Debug)]
pub struct References {
    shape: Shape,
    /// With zeros where nothing has come yet.
    pages: Vec<Page>,
    /// By slot: whether it has come.
    known: Vec<bool>,
}

/// A manifest with all that belongs to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    /// The hashes of the pages, and the manifest itself.
    pub list: PageList,
    /// The pages in their order.
    pub pages: Vec<Page>,
}

impl References {
    /// For the tree that an encoder makes; refused where no manifest can be of that tree, because the
    /// block size is not that of its length.
    pub fn new(shape: &Shape) -> Result<Self, ManifestError> {
        if !may_be(shape) {
            return Err(ManifestError::Count {
                count: shape.blocks(),
                block: shape.block_size().bytes(),
            });
        }
        let blocks = shape.blocks();
        let page = |first: u32| {
            let end = blocks.min(first + PAGE_REFERENCES);
            Page {
                size: shape.block_size(),
                slots: first..end,
                references: vec![Reference::from_bytes([0; HASH]); (end - first) as usize],
            }
        };
        Ok(Self {
            shape: *shape,
            pages: (0..blocks)
                .step_by(PAGE_REFERENCES as usize)
                .map(page)
                .collect(),
            known: vec![false; blocks as usize],
        })
    }

    /// Notes the reference of a slot.
    pub fn set(&mut self, slot: u32, reference: Reference) -> Result<(), ManifestError> {
        let none = ManifestError::NoSuch(slot);
        let known = self.known.get_mut(slot as usize).ok_or(none)?;
        let page = self.pages.get_mut((slot / PAGE_REFERENCES) as usize);
        let place = page.and_then(|page| {
            let at = slot - page.slots.start;
            page.references.get_mut(at as usize)
        });
        let place = place.ok_or(none)?;
        if *known && *place != reference {
            return Err(ManifestError::References);
        }
        *known = true;
        *place = reference;
        Ok(())
    }

    /// The manifest, once every slot has its reference.
    pub fn finish(self) -> Result<Listing, ManifestError> {
        if self.known.contains(&false) {
            return Err(ManifestError::References);
        }
        let hash = |page: &Page| page_hash(&page.encode());
        let hashes: Vec<[u8; HASH]> = self.pages.iter().map(hash).collect();
        let manifest = CheckedManifest {
            root: root(&self.shape, &hashes.concat()),
            shape: self.shape,
        };
        Ok(Listing {
            list: PageList { manifest, hashes },
            pages: self.pages,
        })
    }
}

fn references(bytes: &[u8]) -> impl Iterator<Item = Reference> + '_ {
    let (chunks, _) = bytes.as_chunks();
    chunks.iter().map(|chunk| Reference::from_bytes(*chunk))
}

fn page_hash(page: &[u8]) -> [u8; HASH] {
    kdf(PAGE_CONTEXT, &[page])
}

fn root(shape: &Shape, list: &[u8]) -> [u8; HASH] {
    let count = shape.blocks().to_be_bytes();
    kdf(
        MANIFEST_CONTEXT,
        &[&count, &shape.bytes().to_be_bytes(), list],
    )
}
