//! What lies around a node beside its records: contents, and files outside its home, in memory.

use super::tested::{FileDone, FileJob};
use block::memory::{Whole, damaged, decode};
use machine::MemoryContents;
use std::collections::BTreeMap;

/// The contents of a node, and the files beside its home, by path.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    pub(crate) contents: MemoryContents,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Outside {
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
                let length = bytes.len() as u64;
                let Some(whole) = Whole::encode(bytes, secret) else {
                    return failed("it is empty or too long");
                };
                let file = whole.as_file(path.rsplit('/').next().unwrap_or_default(), length);
                let manifest = whole.manifest;
                self.contents.insert(content, whole.stored);
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
                    damaged: damaged(stored, &manifest).expect("the manifest of a content"),
                },
                None => FileDone::Gone,
            },
        }
    }
}
