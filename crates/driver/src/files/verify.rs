//! Which parts of a content are what its manifest says, without a key.

use crate::files::{Course, VerifyFailed, Watch};
use block::manifest::{CheckedManifest, Page, PageList};
use machine::ContentName;
use std::fmt;
use store::{Content, ContentReader};
use wire::{Manifest, SlotRange};

/// A part of a content that can be fetched by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// The page list.
    List,
    /// A page.
    Page(u32),
    /// The block in a slot.
    Block(u32),
}

impl From<Part> for wire::Part {
    fn from(part: Part) -> Self {
        match part {
            Part::List => Self::List,
            Part::Page(page) => Self::Page(page),
            Part::Block(first) => Self::Blocks(SlotRange { first, count: 1 }),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List => f.write_str("the page list"),
            Self::Page(page) => write!(f, "page {page}"),
            Self::Block(slot) => write!(f, "block {slot}"),
        }
    }
}

/// Reads all of a content and names the parts that are not what they should be, in the order of slots: at
/// most one for each block, page and list. Of blocks whose page is damaged nothing can be said, nor of any page
/// without the list; so these are named alone, and the blocks can be judged when they have been fetched. A part
/// that was never written is damaged too: which were, records say.
///
/// # Errors
/// When the content cannot be read.
pub fn verify(
    content: &Content,
    name: ContentName,
    manifest: &Manifest,
    watch: &mut Watch<'_>,
) -> Result<Vec<Part>, VerifyFailed> {
    // A content that cannot be is not here.
    let manifest = &CheckedManifest::of(manifest).map_err(|_| VerifyFailed::Missing)?;
    let mut course = Course::new(watch);
    course.progress.all = manifest.shape().bytes();
    let reader = content.reader(name)?.ok_or(VerifyFailed::Missing)?;
    let Some(list) = page_list(&reader, manifest)? else {
        return Ok(vec![Part::List]);
    };
    let mut damaged = Vec::new();
    let mut block = vec![0; manifest.shape().block_size().bytes()];
    for number in 0..manifest.pages() {
        let Some(page) = page(&reader, &list, number)? else {
            damaged.push(Part::Page(number));
            continue;
        };
        for slot in page.slots() {
            let whole = reader.read_at(manifest.block_at(slot), &mut block)?;
            if !whole || page.verify_block(slot, &block).is_err() {
                damaged.push(Part::Block(slot));
            }
            if !course.go_on(block.len()) {
                return Err(VerifyFailed::Stopped);
            }
        }
    }
    Ok(damaged)
}

/// The page list, if it is the one that the manifest names.
pub(super) fn page_list(
    reader: &ContentReader,
    manifest: &CheckedManifest,
) -> Result<Option<PageList>, store::OpenFailed> {
    let mut bytes = vec![0; manifest.list_len()];
    let whole = reader.read_at(manifest.list_at(), &mut bytes)?;
    let list = PageList::decode(manifest, &bytes).ok();
    Ok(list.filter(|_| whole))
}

/// A page, if it is the one that the list names.
pub(super) fn page(
    reader: &ContentReader,
    list: &PageList,
    number: u32,
) -> Result<Option<Page>, store::OpenFailed> {
    let manifest = list.manifest();
    let mut bytes = vec![0; manifest.page_len(number)];
    let whole = reader.read_at(manifest.page_at(number), &mut bytes)?;
    let page = Page::decode(list, number, &bytes).ok();
    Ok(page.filter(|_| whole))
}
