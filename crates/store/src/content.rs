//! Pieces of content: write-once files named by their hash.

use crate::error::io;
use crate::home::{hex, make_folder, sync_folder, unhex};
use crate::{MAX_CONTENT, OpenFailed};
use machine::{ContentDone, ContentEffect, ContentName};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The content of a home, in `content/<first byte>/<name>`. A file is there whole or not at all.
#[derive(Clone, Debug)]
pub struct Content {
    dir: PathBuf,
}

impl Content {
    /// The content of the home at `home`. What an interrupted write left behind is removed.
    ///
    /// # Errors
    /// When its folder cannot be made or cleared.
    pub fn open(home: &Path) -> Result<Self, OpenFailed> {
        let content = Self {
            dir: home.join("content"),
        };
        make_folder(&content.dir)?;
        let drafts = content.drafts();
        if drafts.is_dir() {
            fs::remove_dir_all(&drafts).map_err(io("clearing", &drafts))?;
        }
        make_folder(&drafts)?;
        Ok(content)
    }

    /// The content of a home that is only to be looked at.
    pub(crate) fn existing(home: &Path) -> Self {
        Self {
            dir: home.join("content"),
        }
    }

    /// Carries an effect out, and says what came of it.
    #[must_use]
    pub fn perform(&self, effect: ContentEffect) -> ContentDone {
        match effect {
            ContentEffect::Write(bytes) => {
                let name = name_of(&bytes);
                match self.write(&bytes) {
                    Ok(name) => ContentDone::Written(name),
                    Err(error) => ContentDone::Failed(name, error.to_string()),
                }
            }
            ContentEffect::Read(name) => match self.read(name) {
                Ok(bytes) => ContentDone::Read(name, bytes),
                Err(error) => ContentDone::Failed(name, error.to_string()),
            },
            ContentEffect::Delete(name) => match self.delete(name) {
                Ok(()) => ContentDone::Deleted(name),
                Err(error) => ContentDone::Failed(name, error.to_string()),
            },
        }
    }

    /// Stores these bytes under their hash. When it returns they survive the loss of power.
    ///
    /// # Errors
    /// When they are more than [`MAX_CONTENT`], or cannot be written.
    pub fn write(&self, bytes: &[u8]) -> Result<ContentName, OpenFailed> {
        let name = name_of(bytes);
        let path = self.path(name);
        if bytes.len() > MAX_CONTENT {
            let error = std::io::Error::from(std::io::ErrorKind::FileTooLarge);
            return Err(io("writing", &path)(error));
        }
        if path.is_file() {
            return Ok(name);
        }
        let folder = self.folder(name);
        make_folder(&folder)?;
        let draft = self.drafts().join(hex(&name.0));
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
        if let Err(error) = written {
            // On a full disk half a piece must not keep the room.
            let _ = fs::remove_file(&draft);
            return Err(io("writing", &draft)(error));
        }
        fs::rename(&draft, &path).map_err(io("naming", &path))?;
        sync_folder(&folder)?;
        Ok(name)
    }

    /// The bytes of this name, or nothing when they are not here or do not match the name.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(&self, name: ContentName) -> Result<Option<Vec<u8>>, OpenFailed> {
        let path = self.path(name);
        match fs::read(&path) {
            Ok(bytes) => Ok((name_of(&bytes) == name).then_some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io("reading", &path)(error)),
        }
    }

    /// Removes the bytes of this name; it is no error when they are not here.
    ///
    /// # Errors
    /// When the file is there and cannot be removed.
    pub fn delete(&self, name: ContentName) -> Result<(), OpenFailed> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
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

    /// At most `limit` names after `after` that `named` does not know: content that no record
    /// names. Between the writing of content and the commit of the record that names it, it looks
    /// the same; who removes must know what is still being written.
    ///
    /// # Errors
    /// As [`Content::list`].
    pub fn unreferenced(
        &self,
        after: Option<ContentName>,
        limit: usize,
        mut named: impl FnMut(ContentName) -> bool,
    ) -> Result<Vec<ContentName>, OpenFailed> {
        let mut names = self.list(after, limit)?;
        names.retain(|name| !named(*name));
        Ok(names)
    }

    fn names_in(&self, byte: u8) -> Result<Vec<ContentName>, OpenFailed> {
        let folder = self.dir.join(hex(&[byte]));
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
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

    fn drafts(&self) -> PathBuf {
        self.dir.join("drafts")
    }

    fn folder(&self, name: ContentName) -> PathBuf {
        self.dir.join(hex(&name.0[..1]))
    }

    pub(crate) fn path(&self, name: ContentName) -> PathBuf {
        self.folder(name).join(hex(&name.0))
    }
}

fn name_of(bytes: &[u8]) -> ContentName {
    ContentName(*blake3::hash(bytes).as_bytes())
}
