//! The bytes of a content on a disk, each verified before it is used.

use crate::files::verify::{page, page_list};
use crate::files::{Opening, Part, UnpackFailed};
use block::bundle::{Index, IndexReader};
use block::eris::{DecodeError, Decoder, Fed};
use block::manifest::CheckedManifest;
use machine::ContentName;
use store::{Content, ContentReader};

/// Reads a content from its beginning, keeping one leaf and the inner blocks above it.
#[derive(Debug)]
pub(super) struct Leaves {
    reader: ContentReader,
    manifest: CheckedManifest,
    decoder: Decoder,
    /// What has been read of the content and is not used yet: the end of a leaf.
    leaf: Vec<u8>,
    used: usize,
}

impl Leaves {
    pub(super) fn open(
        content: &Content,
        name: ContentName,
        opening: &Opening,
    ) -> Result<Self, UnpackFailed> {
        let reader = content.reader(name)?.ok_or(UnpackFailed::Missing)?;
        let manifest = opening.manifest;
        let decoder = manifest.decoder(opening.capability.clone(), opening.length)?;
        Ok(Self {
            reader,
            manifest,
            decoder,
            leaf: Vec::new(),
            used: 0,
        })
    }

    /// The index that the content begins with.
    pub(super) fn index(&mut self, length: u64) -> Result<Index, UnpackFailed> {
        let mut index = IndexReader::new(length);
        while index.missing() > 0 {
            let room = index.missing();
            let piece = self.piece(room)?;
            index.push(piece)?;
        }
        Ok(index.finish()?)
    }

    /// What follows in the content: something, at most `most` bytes, and used up by that.
    pub(super) fn piece(&mut self, most: usize) -> Result<&[u8], UnpackFailed> {
        while self.used == self.leaf.len() {
            if !self.next()? {
                let end = "its index says more than there is".to_owned();
                return Err(UnpackFailed::Author(end));
            }
        }
        let begin = self.used;
        self.used = self.leaf.len().min(begin.saturating_add(most));
        Ok(&self.leaf[begin..self.used])
    }

    /// Reads what is left, which is padding: so that all of it has been verified.
    pub(super) fn end(&mut self) -> Result<(), UnpackFailed> {
        while self.next()? {}
        Ok(())
    }

    /// Reads the next leaf; false after the last.
    fn next(&mut self) -> Result<bool, UnpackFailed> {
        while let Some(need) = self.decoder.need() {
            let mut block = vec![0; self.manifest.shape().block_size().bytes()];
            let at = self.manifest.block_at(need.slot);
            if !self.reader.read_at(at, &mut block)? {
                return Err(UnpackFailed::Damaged(Part::Block(need.slot)));
            }
            match self.decoder.feed(need.slot, block) {
                Ok(Fed::Inner) => {}
                Ok(Fed::Leaf(leaf)) => {
                    (self.leaf, self.used) = (leaf.bytes, 0);
                    return Ok(true);
                }
                Err(DecodeError::NotTheBlock(slot)) => return Err(self.judge(slot)?),
                Err(other) => return Err(other.into()),
            }
        }
        Ok(false)
    }

    /// Whose fault it is that the block in a slot is not the one that the tree names.
    fn judge(&self, slot: u32) -> Result<UnpackFailed, UnpackFailed> {
        let number = self.manifest.page_of(slot).unwrap_or_default();
        let page = match page_list(&self.reader, &self.manifest)? {
            Some(list) => page(&self.reader, &list, number)?,
            None => None,
        };
        let mut block = vec![0; self.manifest.shape().block_size().bytes()];
        let at = self.manifest.block_at(slot);
        let listed = self.reader.read_at(at, &mut block)?
            && page.is_some_and(|page| page.verify_block(slot, &block).is_ok());
        Ok(if listed {
            UnpackFailed::Author(format!(
                "the manifest lists another block in slot {slot} than the tree"
            ))
        } else {
            UnpackFailed::Damaged(Part::Block(slot))
        })
    }
}
