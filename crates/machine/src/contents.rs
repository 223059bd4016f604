//! Contents in memory: for simulated worlds and for tests.

use crate::{ContentDone, ContentEffect, ContentName, MAX_LISTED};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// Longest content that is kept in memory. What would be longer is not written.
pub const MAX_IN_MEMORY: usize = 1 << 30;

/// The contents of one node. A clone shares what neither side writes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryContents {
    contents: BTreeMap<ContentName, Arc<Vec<u8>>>,
    bytes: u64,
}

impl MemoryContents {
    /// Does what is asked, at once and durably: it fails only where a content would be too long.
    pub fn perform(&mut self, effect: ContentEffect) -> ContentDone {
        match effect {
            ContentEffect::Write { name, at, bytes } => match self.write(name, at, &bytes) {
                Some(()) => ContentDone::Written(name, at),
                None => ContentDone::Failed(name, at, "too long to be kept in memory".to_owned()),
            },
            ContentEffect::Read { name, at, len } => {
                let piece = self.get(&name).and_then(|content| {
                    let (from, to) = place(at, len as usize)?;
                    content.get(from..to)
                });
                ContentDone::Read(name, at, piece.map(<[u8]>::to_vec))
            }
            ContentEffect::Delete(name) => {
                self.remove(&name);
                ContentDone::Deleted(name)
            }
            ContentEffect::List { after } => {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let names = self.contents.range((from, Bound::Unbounded));
                ContentDone::Listed(names.map(|(name, _)| *name).take(MAX_LISTED).collect())
            }
        }
    }

    fn write(&mut self, name: ContentName, at: u64, bytes: &[u8]) -> Option<()> {
        let (from, to) = place(at, bytes.len())?;
        let content = Arc::make_mut(self.contents.entry(name).or_default());
        if content.len() < to {
            self.bytes += (to - content.len()) as u64;
            content.resize(to, 0);
        }
        content[from..to].copy_from_slice(bytes);
        Some(())
    }

    /// All of a content.
    #[must_use]
    pub fn get(&self, name: &ContentName) -> Option<&[u8]> {
        self.contents.get(name).map(|content| content.as_slice())
    }

    /// Puts a content here, in the place of one that is here by that name.
    pub fn insert(&mut self, name: ContentName, content: Vec<u8>) {
        self.remove(&name);
        self.bytes += content.len() as u64;
        self.contents.insert(name, Arc::new(content));
    }

    /// Removes a content; says whether it was here.
    pub fn remove(&mut self, name: &ContentName) -> bool {
        let removed = self.contents.remove(name);
        self.bytes -= removed.as_ref().map_or(0, |content| content.len() as u64);
        removed.is_some()
    }

    /// What is here, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&ContentName, &[u8])> {
        let contents = self.contents.iter();
        contents.map(|(name, content)| (name, content.as_slice()))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.contents.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.contents.is_empty()
    }

    /// The bytes of all of them.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Where a piece lies; nothing where a content would be too long.
fn place(at: u64, len: usize) -> Option<(usize, usize)> {
    let from = usize::try_from(at).ok()?;
    let to = from.checked_add(len)?;
    (to <= MAX_IN_MEMORY).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::{MAX_IN_MEMORY, MemoryContents};
    use crate::{ContentDone, ContentEffect, ContentName};

    const NAME: ContentName = ContentName([1; 32]);

    #[test]
    fn pieces_are_read_as_they_were_written() {
        let mut contents = MemoryContents::default();
        let write = |at, bytes: &[u8]| ContentEffect::Write {
            name: NAME,
            at,
            bytes: bytes.to_vec(),
        };
        assert_eq!(
            contents.perform(write(4, b"tea")),
            ContentDone::Written(NAME, 4)
        );
        let before = contents.clone();
        contents.perform(write(0, b"more"));
        assert_eq!(contents.get(&NAME), Some(&b"moretea"[..]));
        assert_eq!(before.get(&NAME), Some(&b"\0\0\0\0tea"[..]), "as it was");
        let read = |at, len| ContentEffect::Read {
            name: NAME,
            at,
            len,
        };
        let piece = contents.perform(read(3, 2));
        assert_eq!(piece, ContentDone::Read(NAME, 3, Some(b"et".to_vec())));
        for beyond in [read(6, 2), read(u64::MAX, 1)] {
            let ContentDone::Read(_, _, None) = contents.perform(beyond.clone()) else {
                panic!("{beyond:?}");
            };
        }
        let long = contents.perform(write(MAX_IN_MEMORY as u64, b"x"));
        assert!(matches!(long, ContentDone::Failed(..)), "{long:?}");
        assert_eq!((contents.len(), contents.bytes()), (1, 7));
        let all = contents.perform(ContentEffect::List { after: None });
        assert_eq!(all, ContentDone::Listed(vec![NAME]));
        let rest = contents.perform(ContentEffect::List { after: Some(NAME) });
        assert_eq!(rest, ContentDone::Listed(Vec::new()));
        contents.perform(ContentEffect::Delete(NAME));
        assert!(contents.is_empty() && contents.bytes() == 0);
    }
}
