//! What a message says of a file or folder that is shared.

use crate::cbor::{Malformed, Reader, Writer};
use crate::limits::MAX_FILE_NAME;

/// Bytes of a read capability (docs/spec/files.md, 1).
const CAPABILITY: usize = 66;
/// Bytes of such a message at most.
const MAX_LEN: usize = 512;

/// A file or folder that is shared: how its blocks are read, and what it is called. What lies in a folder
/// stands in the content itself. A message of the kind [`Message::FILE`](crate::plain::Message::FILE).
#[derive(Clone, PartialEq, Eq)]
pub struct SharedFile {
    /// 0: reads the blocks. Whoever has it can read the content.
    pub capability: [u8; CAPABILITY],
    /// 1: bytes of the content, from 1.
    pub length: u64,
    /// 2: its name, as its author had it; no path. It is checked anew before it is used for anything but
    /// to be shown.
    pub name: String,
    /// 3: bytes of all files in it together.
    pub size: u64,
    /// 4: files and folders of it, itself counted.
    pub entries: u32,
    /// 5: whether it is a folder.
    pub folder: bool,
}

impl core::fmt::Debug for SharedFile {
    /// Without the capability.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SharedFile")
            .field("name", &self.name)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl SharedFile {
    /// The content of the message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.map(6).key(0).bytes(&self.capability);
        w.key(1).uint(self.length).key(2).text(&self.name);
        w.key(3).uint(self.size).key(4).uint(self.entries);
        w.key(5).bool(self.folder);
        w.into_bytes()
    }

    /// Reads the content of a message.
    ///
    /// # Errors
    /// [`Malformed`], with the place.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, MAX_LEN)?;
        let r = &mut reader;
        let mut f = r.fields("file")?;
        f.need(r, 0, "capability")?;
        let capability = r.array("capability")?;
        f.need(r, 1, "length")?;
        let length = r.within(1, u64::MAX, "length")?;
        f.need(r, 2, "name")?;
        let name = r.shown(MAX_FILE_NAME, "name")?;
        f.need(r, 3, "size")?;
        let size = r.at_most(length, "size")?;
        f.need(r, 4, "entries")?;
        let entries = r.u32("entries")?;
        f.need(r, 5, "folder")?;
        let folder = r.bool("folder")?;
        f.end(r)?;
        Ok(Self {
            capability,
            length,
            name,
            size,
            entries,
            folder,
        })
    }
}
