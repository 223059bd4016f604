//! Contents: files of pieces, written in place.

use crate::error::io;
use crate::home::{hex, make_folder, sync_folder, unhex};
use crate::{MAX_CONTENT, MAX_PIECE, OpenFailed, RESCUE, free_space};
use machine::{ContentDone, ContentEffect, ContentName, MAX_LISTED};
use rustix::buffer::spare_capacity;
use rustix::fs::{Advice, fadvise};
use rustix::io::{pread, retry_on_intr};
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::fs::{self, File, OpenOptions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The contents of a home, in `content/<first byte>/<name>`, a file each. A file has holes where no piece
/// has been written. Only records say which pieces are here: what a file has beside them, the writes that
/// a fault interrupted have left.
#[derive(Clone, Debug)]
pub struct Content {
    dir: PathBuf,
    named: Arc<Mutex<BTreeSet<ContentName>>>,
}

/// What lies further behind in a content that is fetched is not kept in the system's cache once it is on the disk: a
/// long file takes the room of nothing that the machine works with. Whoever reads it soon reads from the disk.
const CACHED: u64 = 32 << 20;

/// Contents of which is remembered that their names are on the disk. Of others the folder is synced with each
/// write: beyond this many all are forgotten.
const MAX_NAMED: usize = 1_024;

impl Content {
    /// The contents of the home at `home`.
    ///
    /// # Errors
    /// When their folder cannot be made.
    pub fn open(home: &Path) -> Result<Self, OpenFailed> {
        let content = Self::existing(home);
        make_folder(&content.dir)?;
        Ok(content)
    }

    /// The contents of a home that is only to be looked at.
    pub(crate) fn existing(home: &Path) -> Self {
        Self {
            dir: home.join("content"),
            named: Arc::default(),
        }
    }

    /// Carries effects out, one after the other, and says what came of each. When it returns, all that is
    /// said to be written survives the loss of power: each file is synced once, however many pieces of it
    /// were written.
    #[must_use]
    pub fn perform(&self, effects: Vec<ContentEffect>) -> Vec<ContentDone> {
        let mut written = BTreeMap::new();
        let mut done: Vec<ContentDone> = effects
            .into_iter()
            .map(|effect| self.carry_out(effect, &mut written))
            .collect();
        let unsafe_files = written.into_iter().filter_map(|(name, file)| {
            let synced = file.sync_data().and_then(|()| self.sync_name(name));
            // A hint, and no harm where it is not taken.
            let _ = fadvise(&file, CACHED, None, Advice::DontNeed);
            Some((name, synced.err()?.to_string()))
        });
        let unsafe_files: BTreeMap<ContentName, String> = unsafe_files.collect();
        for done in &mut done {
            if let ContentDone::Written(name, at) = *done
                && let Some(why) = unsafe_files.get(&name)
            {
                *done = ContentDone::Failed(name, at, why.clone());
            }
        }
        done
    }

    fn carry_out(
        &self,
        effect: ContentEffect,
        written: &mut BTreeMap<ContentName, File>,
    ) -> ContentDone {
        match effect {
            ContentEffect::Write { name, at, bytes } => {
                let path = self.path(name);
                let fits = within(at, bytes.len())
                    .and_then(|()| self.has_room(bytes.len()))
                    .map_err(io("writing", &path));
                let file = fits.and_then(|()| {
                    Ok(match written.entry(name) {
                        btree_map::Entry::Occupied(file) => file.into_mut(),
                        btree_map::Entry::Vacant(room) => room.insert(self.create(name)?),
                    })
                });
                let put = file.and_then(|file| {
                    let put = file.write_all_at(&bytes, at);
                    put.map_err(io("writing", &path))
                });
                match put {
                    Ok(()) => ContentDone::Written(name, at),
                    Err(error) => ContentDone::Failed(name, at, error.to_string()),
                }
            }
            ContentEffect::Read { name, at, len } => match self.read(name, at, len) {
                Ok(piece) => ContentDone::Read(name, at, piece),
                Err(error) => ContentDone::Failed(name, at, error.to_string()),
            },
            ContentEffect::Delete(name) => match self.delete(name) {
                Ok(()) => {
                    // What was written to it before is gone with it; what comes after begins a new one.
                    written.remove(&name);
                    ContentDone::Deleted(name)
                }
                Err(error) => ContentDone::Failed(name, 0, error.to_string()),
            },
            ContentEffect::List { after } => match self.list(after, MAX_LISTED) {
                Ok(names) => ContentDone::Listed(names),
                Err(error) => ContentDone::Unlisted(error.to_string()),
            },
        }
    }

    /// What is fetched comes faster than anybody looks at the disk: it must not take what records need.
    fn has_room(&self, len: usize) -> std::io::Result<()> {
        let free = free_space(&self.dir).map_err(Error::other)?;
        if free < RESCUE.saturating_add(len as u64) {
            return Err(ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// The file may be new, and its name not on the disk yet: also if an earlier process made it.
    fn sync_name(&self, name: ContentName) -> std::io::Result<()> {
        if self.named().contains(&name) {
            return Ok(());
        }
        sync_folder(&self.folder_of(name)).map_err(Error::other)?;
        let mut named = self.named();
        if named.len() >= MAX_NAMED {
            named.clear();
        }
        named.insert(name);
        Ok(())
    }

    fn named(&self) -> MutexGuard<'_, BTreeSet<ContentName>> {
        // Nothing panics while this lock is held.
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create(&self, name: ContentName) -> Result<File, OpenFailed> {
        make_folder(&self.folder_of(name))?;
        let path = self.path(name);
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io("opening", &path))
    }

    /// Begins a content that is made by one thread, in place of effects on it. It is here for good only
    /// after [`ContentWriter::finish`], and is listed before that.
    ///
    /// # Errors
    /// When there is one of that name already, which stays as it is, or it cannot be made.
    pub fn writer(&self, name: ContentName) -> Result<ContentWriter, OpenFailed> {
        make_folder(&self.folder_of(name))?;
        let path = self.path(name);
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        let file = made.map_err(io("making", &path))?;
        Ok(ContentWriter {
            file,
            path,
            kept: false,
        })
    }

    /// Opens a content that is read in many pieces by one thread; nothing when it is not here.
    ///
    /// # Errors
    /// When it is here and cannot be opened.
    pub fn reader(&self, name: ContentName) -> Result<Option<ContentReader>, OpenFailed> {
        let path = self.path(name);
        match File::open(&path) {
            Ok(file) => {
                // A hint: it is read from its beginning to its end.
                let _ = fadvise(&file, 0, None, Advice::Sequential);
                Ok(Some(ContentReader { file, path }))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io("opening", &path)(error)),
        }
    }

    /// The folder of all contents: for asking how much room its disk has.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.dir
    }

    /// A piece of `len` bytes from the offset `at`; nothing when the content is not here or ends before
    /// the piece does.
    ///
    /// # Errors
    /// When it is more than [`MAX_PIECE`], or the file is there and cannot be read.
    pub fn read(
        &self,
        name: ContentName,
        at: u64,
        len: u32,
    ) -> Result<Option<Vec<u8>>, OpenFailed> {
        let path = self.path(name);
        let wrong = io("reading", &path);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let piece = within(at, len).and_then(|()| {
            let file = File::open(&path)?;
            let mut piece = Vec::with_capacity(len);
            while piece.len() < len {
                let from = at.saturating_add(piece.len() as u64);
                let read = || pread(&file, spare_capacity(&mut piece), from);
                if retry_on_intr(read)? == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            }
            piece.truncate(len);
            Ok(piece)
        });
        match piece {
            Ok(piece) => Ok(Some(piece)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(wrong(error)),
        }
    }

    /// Removes a content; it is no error when it is not here.
    ///
    /// # Errors
    /// When the file is there and cannot be removed.
    pub fn delete(&self, name: ContentName) -> Result<(), OpenFailed> {
        self.named().remove(&name);
        let path = self.path(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io("removing", &path)(error)),
        }
    }

    /// At most `limit` names in ascending order, after `after`; a way through all content in
    /// bounded steps.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn list(
        &self,
        after: Option<ContentName>,
        limit: usize,
    ) -> Result<Vec<ContentName>, OpenFailed> {
        let mut found = Vec::new();
        let first = after.map_or(0, |name| name.0[0]);
        for byte in first..=u8::MAX {
            let mut names = self.names_in(byte)?;
            names.retain(|name| Some(*name) > after);
            names.sort_unstable();
            found.extend(names.into_iter().take(limit - found.len()));
            if found.len() == limit {
                break;
            }
        }
        Ok(found)
    }

    fn names_in(&self, byte: u8) -> Result<Vec<ContentName>, OpenFailed> {
        let folder = self.dir.join(hex(&[byte]));
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io("listing", &folder)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io("listing", &folder))?;
            let name = entry.file_name().to_str().and_then(unhex::<32>);
            names.extend(name.filter(|name| name[0] == byte).map(ContentName));
        }
        Ok(names)
    }

    fn folder_of(&self, name: ContentName) -> PathBuf {
        self.dir.join(hex(&name.0[..1]))
    }

    pub(crate) fn path(&self, name: ContentName) -> PathBuf {
        self.folder_of(name).join(hex(&name.0))
    }
}

/// A content that is being made. Dropped before it is finished, it is removed.
#[derive(Debug)]
pub struct ContentWriter {
    file: File,
    path: PathBuf,
    kept: bool,
}

impl ContentWriter {
    /// Writes a piece. Nothing of it is durable yet.
    ///
    /// # Errors
    /// When it is more than [`MAX_PIECE`] or beyond [`MAX_CONTENT`], or cannot be written: disk full, mostly.
    pub fn write_at(&self, at: u64, bytes: &[u8]) -> Result<(), OpenFailed> {
        within(at, bytes.len())
            .and_then(|()| self.file.write_all_at(bytes, at))
            .map_err(io("writing", &self.path))
    }

    /// Keeps the content: all that was written survives the loss of power, and so does its name.
    ///
    /// # Errors
    /// When it cannot be made durable. It is removed.
    pub fn finish(mut self) -> Result<(), OpenFailed> {
        self.file.sync_all().map_err(io("syncing", &self.path))?;
        self.path.parent().map_or(Ok(()), sync_folder)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for ContentWriter {
    fn drop(&mut self) {
        if !self.kept {
            // What is left where this fails, no record names.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A content that is open for reading.
#[derive(Debug)]
pub struct ContentReader {
    file: File,
    path: PathBuf,
}

impl ContentReader {
    /// Fills `piece` with what is written from the offset `at`; false when the content ends before the piece
    /// does, and what is in `piece` then is of no use.
    ///
    /// # Errors
    /// When it is more than [`MAX_PIECE`] or beyond [`MAX_CONTENT`], or cannot be read.
    pub fn read_at(&self, at: u64, piece: &mut [u8]) -> Result<bool, OpenFailed> {
        let read = within(at, piece.len()).and_then(|()| self.file.read_exact_at(piece, at));
        match read {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(io("reading", &self.path)(error)),
        }
    }
}

/// Whether a piece may be written or read there.
fn within(at: u64, len: usize) -> std::io::Result<()> {
    let end = u64::try_from(len).ok().and_then(|len| at.checked_add(len));
    if len <= MAX_PIECE && end.is_some_and(|end| end <= MAX_CONTENT) {
        Ok(())
    } else {
        Err(ErrorKind::FileTooLarge.into())
    }
}
