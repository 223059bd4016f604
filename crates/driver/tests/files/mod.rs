//! Files and folders that become contents and files and folders again.

mod attacks_share;
mod attacks_unpack;
mod full;
mod round;

use block::bundle::{File, What};
use block::eris::{BlockSize, EncodeError, EncodedBlock, Encoder};
use block::manifest::References;
use driver::files::{
    Opening, Progress, ShareFailed, Shared, UnpackFailed, Unpacked, Watch, share, unpack,
};
use identity::Secret;
use machine::ContentName;
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::Content;

/// A home with contents, and room for files beside it.
pub(crate) struct World {
    pub(crate) content: Content,
    dir: tempfile::TempDir,
}

/// Goes on to the end.
pub(crate) fn on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Names the only content of most tests.
pub(crate) const NAME: ContentName = ContentName([7; 32]);

pub(crate) fn secret(byte: u8) -> Secret {
    Secret::from_bytes([byte; 32])
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let content = Content::open(&dir.path().join("home")).expect("it opens");
        fs::create_dir(dir.path().join("files")).expect("writable");
        Self { content, dir }
    }

    /// Where a test puts its files.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("files").join(name)
    }

    /// Makes a file with all folders above it.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below a folder")).expect("writable");
        fs::write(&path, bytes).expect("writable");
        path
    }

    pub(crate) fn share(&self, name: &str) -> Result<Shared, ShareFailed> {
        self.share_watched(name, &mut on)
    }

    pub(crate) fn share_watched(
        &self,
        name: &str,
        watch: &mut Watch<'_>,
    ) -> Result<Shared, ShareFailed> {
        let shared = share(&self.content, NAME, &self.path(name), secret(1), watch);
        if shared.is_err() {
            assert_eq!(
                self.contents(),
                [],
                "nothing is left of a share that failed"
            );
        }
        shared
    }

    pub(crate) fn unpack(&self, opening: &Opening, to: &str) -> Result<Unpacked, UnpackFailed> {
        self.unpack_watched(opening, to, &mut on)
    }

    pub(crate) fn unpack_watched(
        &self,
        opening: &Opening,
        to: &str,
        watch: &mut Watch<'_>,
    ) -> Result<Unpacked, UnpackFailed> {
        let done = unpack(&self.content, NAME, opening, &self.path(to), watch);
        assert_eq!(
            drafts(&self.path("")),
            [] as [PathBuf; 0],
            "no draft is left"
        );
        done
    }

    pub(crate) fn contents(&self) -> Vec<ContentName> {
        self.content.list(None, 10).expect("listed")
    }

    /// The file of the content.
    pub(crate) fn content_file(&self) -> fs::File {
        let path = self.content.folder().join("07").join("07".repeat(32));
        let file = fs::File::options().read(true).write(true).open(path);
        file.expect("the content is here")
    }

    /// Makes a content of these bytes, index and all, as an author would that keeps to no rule.
    pub(crate) fn forge(&self, bytes: &[u8]) -> Opening {
        let length = bytes.len() as u64;
        let size = BlockSize::for_length(length);
        let mut encoder = Encoder::new(secret(1), length, size).expect("short");
        let mut references = References::new(encoder.shape()).expect("its size");
        let mut blocks = BTreeMap::new();
        let mut take = |made: EncodedBlock<'_>| -> Result<(), EncodeError> {
            references.set(made.slot, made.reference).expect("a slot");
            blocks.insert(made.slot, made.bytes.to_vec());
            Ok(())
        };
        encoder.push(bytes, &mut take).expect("as long as was said");
        let capability = encoder.finish(&mut take).expect("as long as was said");
        let listing = references.finish().expect("all have come");
        let manifest = *listing.list.manifest();
        let writer = self.content.writer(NAME).expect("begun");
        for (slot, block) in blocks {
            writer
                .write_at(manifest.block_at(slot), &block)
                .expect("written");
        }
        let page = listing.pages[0].encode();
        writer
            .write_at(manifest.page_at(0), &page)
            .expect("written");
        let list = listing.list.encode();
        writer.write_at(manifest.list_at(), &list).expect("written");
        writer.finish().expect("kept");
        Opening {
            manifest,
            capability,
            length,
        }
    }
}

/// What lies in a folder under the name of a draft.
pub(crate) fn drafts(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let draft = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(".way-")
    };
    paths.filter(draft).collect()
}

/// All that is below a path: for each folder nothing, for each file its bytes and what a bundle says of it.
pub(crate) fn tree(path: &Path) -> BTreeMap<PathBuf, Option<(Vec<u8>, What)>> {
    let mut found = BTreeMap::new();
    let mut left = vec![PathBuf::new()];
    while let Some(below) = left.pop() {
        let at = if below.as_os_str().is_empty() {
            path.to_owned()
        } else {
            path.join(&below)
        };
        let meta = fs::symlink_metadata(&at).expect("there");
        assert!(!meta.is_symlink(), "{at:?} is a link");
        if meta.is_dir() {
            for entry in fs::read_dir(&at).expect("readable") {
                left.push(below.join(entry.expect("readable").file_name()));
            }
            found.insert(below, None);
            continue;
        }
        let modified = meta.modified().expect("known");
        let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let what = What::File(File {
            size: meta.len(),
            modified: u64::try_from(modified.as_millis()).expect("small"),
            executable: meta.permissions().mode() & 0o100 != 0,
        });
        found.insert(below, Some((fs::read(&at).expect("readable"), what)));
    }
    found
}

pub(crate) fn set_time(path: &Path, time: SystemTime) {
    let file = fs::File::options().write(true).open(path).expect("there");
    file.set_modified(time).expect("it is ours");
}

pub(crate) fn millis(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

/// Bytes that do not repeat within a block.
pub(crate) fn bytes(seed: u8, len: usize) -> Vec<u8> {
    let mut all = vec![0; len];
    machine::Rng::from_seed([seed; 32]).fill(&mut all);
    all
}
