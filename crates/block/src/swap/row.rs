//! The rows of contents. A *content key* is `local u32 ‖ root 32 ‖ blocks u32 ‖ bytes u64`; integers are
//! big-endian.
//!
//! ```text
//! block.content  content key                     version 1 ‖ flags ‖ name of the content
//! block.page     content key ‖ page u32          which slots of the page are here, as bits from the lowest
//! block.use      content key ‖ envelope id       expires u64 (0 never)
//! block.end      expires u64 ‖ content key ‖ envelope id       (nothing)
//! block.wanted   content key                     (nothing): wanted and not whole
//! block.name     name of the content             content key
//! block.taken    local u32                       bytes of what is whole or wanted, u64
//! block.limit    local u32                       how many there may be, u64
//! ```
//!
//! Of a content that is whole there are no rows of pages.

use identity::EnvelopeId;
use machine::{ContentName, Table};
use wire::Manifest;

use super::{Key, Local};

/// One row a content.
pub(super) const CONTENT: Table = Table::new(120, "block.content");
/// Pages that are here, and blocks of them.
pub(super) const PAGE: Table = Table::new(121, "block.page");
/// Envelopes that name a manifest.
pub(super) const USE: Table = Table::new(122, "block.use");
/// The same by the time at which they expire.
pub(super) const END: Table = Table::new(123, "block.end");
/// What is to be fetched.
pub(super) const WANTED: Table = Table::new(124, "block.wanted");
/// Contents by name.
pub(super) const NAME: Table = Table::new(125, "block.name");
/// What the contents of a topic take.
pub(super) const TAKEN: Table = Table::new(126, "block.taken");
/// What they may take.
pub(super) const LIMIT: Table = Table::new(127, "block.limit");

/// All tables of contents.
pub const TABLES: [Table; 8] = [CONTENT, PAGE, USE, END, WANTED, NAME, TAKEN, LIMIT];

const VERSION: u8 = 1;
const KEY: usize = 48;

/// The row of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentRow {
    pub(crate) name: ContentName,
    /// It is to be fetched.
    pub(crate) wanted: bool,
    /// The page list is here.
    pub(crate) listed: bool,
    /// Everything is here.
    pub(crate) whole: bool,
}

impl ContentRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let flags = u8::from(self.wanted) | u8::from(self.listed) << 1 | u8::from(self.whole) << 2;
        let mut row = vec![VERSION, flags];
        row.extend_from_slice(&self.name.0);
        row
    }

    pub(crate) fn decode(row: &[u8]) -> Option<Self> {
        let [VERSION, flags @ 0..=7, name @ ..] = row else {
            return None;
        };
        Some(Self {
            name: ContentName(name.try_into().ok()?),
            wanted: flags & 1 != 0,
            listed: flags & 2 != 0,
            whole: flags & 4 != 0,
        })
    }
}

impl Key {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut key = self.local.to_be_bytes().to_vec();
        key.extend_from_slice(&self.manifest.root);
        key.extend_from_slice(&self.manifest.count.to_be_bytes());
        key.extend_from_slice(&self.manifest.bytes.to_be_bytes());
        key
    }

    /// The content key at the front of these bytes, and what follows it.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (key, rest) = bytes.split_at_checked(KEY)?;
        let (local, key) = key.split_first_chunk()?;
        let (root, key) = key.split_first_chunk()?;
        let (count, key) = key.split_first_chunk()?;
        let manifest = Manifest {
            root: *root,
            count: u32::from_be_bytes(*count),
            bytes: u64::from_be_bytes(key.try_into().ok()?),
        };
        let local = Local::from_be_bytes(*local);
        Some((Self { local, manifest }, rest))
    }

    pub(crate) fn page(&self, page: u32) -> Vec<u8> {
        [self.bytes().as_slice(), &page.to_be_bytes()].concat()
    }

    pub(crate) fn used_by(&self, id: &EnvelopeId) -> Vec<u8> {
        [self.bytes().as_slice(), id.as_bytes()].concat()
    }

    pub(crate) fn ends(&self, expires: u64, id: &EnvelopeId) -> Vec<u8> {
        [&expires.to_be_bytes(), self.used_by(id).as_slice()].concat()
    }
}

/// The envelope at the end of a key.
pub(crate) fn id_of(rest: &[u8]) -> Option<EnvelopeId> {
    Some(EnvelopeId::from_bytes(rest.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{ContentRow, Key, id_of};
    use identity::EnvelopeId;
    use machine::ContentName;
    use wire::Manifest;

    #[test]
    fn rows_and_keys_come_back_as_they_were_and_nothing_else_does() {
        for flags in 0..8 {
            let row = ContentRow {
                name: ContentName([7; 32]),
                wanted: flags & 1 != 0,
                listed: flags & 2 != 0,
                whole: flags & 4 != 0,
            };
            let bytes = row.encode();
            assert_eq!(ContentRow::decode(&bytes), Some(row));
            assert_eq!(ContentRow::decode(&bytes[..33]), None);
            assert_eq!(ContentRow::decode(&[&bytes[..], &[0]].concat()), None);
        }
        assert_eq!(
            ContentRow::decode(&[1; 34]).map(|row| row.wanted),
            Some(true)
        );
        assert_eq!(ContentRow::decode(&[2; 34]), None);
        let manifest = Manifest {
            root: [3; 32],
            count: 4,
            bytes: 5,
        };
        let key = Key { local: 6, manifest };
        let id = EnvelopeId::from_bytes([9; 32]);
        let bytes = key.used_by(&id);
        let (read, rest) = Key::read(&bytes).expect("a key");
        assert_eq!((read, id_of(rest)), (key, Some(id)));
        assert_eq!(Key::read(&bytes[..47]), None);
    }
}
