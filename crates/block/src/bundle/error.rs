//! Why a folder cannot be shared, or what came is no bundle.

use thiserror::Error;
use wire::Malformed;

use crate::bundle::NameRule;
use crate::limits::{MAX_CONTENT, MAX_ENTRIES, MAX_INDEX, MAX_LEVELS, MAX_PATH};

/// Characters of a path in an error; more are left out in front.
const SHOWN: usize = 200;

/// Why there is no index. When one is made it is about the folder that is to be shared, of which
/// nothing is written yet; when one is read it is the fault of its author, and nobody can use the
/// content.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BundleError {
    /// One folder or file cannot be in a bundle.
    #[error("{path}: {fault}")]
    Entry {
        /// Its path, with what cannot be shown written as `\u{…}`, and shortened if it is long.
        path: String,
        /// What is wrong with it.
        fault: Fault,
    },
    /// There is no entry at all.
    #[error("there is neither a file nor a folder")]
    Nothing,
    /// More entries than [`MAX_ENTRIES`].
    #[error("there are more than {MAX_ENTRIES} files and folders")]
    Entries,
    /// A longer index than [`MAX_INDEX`].
    #[error("the names of all files and folders take more than {MAX_INDEX} bytes")]
    Index,
    /// More bytes than [`MAX_CONTENT`].
    #[error("the files are too large together: at most {MAX_CONTENT} bytes")]
    TooLarge,
    /// The index is not in its one encoding, or of another format.
    #[error("the index is {0}")]
    Malformed(#[from] Malformed),
    /// Index and files are not as long together as the content.
    #[error("index and files have {found} bytes, the content has {said}")]
    Length {
        /// Bytes of the content.
        said: u64,
        /// What the index says.
        found: u64,
    },
}

/// What is wrong with a folder or a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Fault {
    /// Its name is one that may not be.
    #[error(transparent)]
    Name(#[from] NameRule),
    /// What it should be in is no folder, or it is a second one in none.
    #[error("it is in no folder of the bundle")]
    NoFolder,
    /// It is in too many folders.
    #[error("it is more than {MAX_LEVELS} levels deep")]
    Levels,
    /// Its path is too long.
    #[error("its path has more than {MAX_PATH} bytes")]
    Path,
    /// It stands after one that should follow it, or there twice.
    #[error("it is there twice, or not in its place by the order of names")]
    Order,
    /// Its name differs from another in that folder in case, normal form or invisible characters alone:
    /// on some systems they would be one file.
    #[error("some systems take its name for another one's in the same folder")]
    Alike,
    /// Its time is later than any that formats here have.
    #[error("its time is beyond the year 10889")]
    Time,
}

impl BundleError {
    /// About the entry with this path, which need not be fit to be shown.
    pub(super) fn at(path: &str, fault: Fault) -> Self {
        let mut shown = String::new();
        for char in path.chars() {
            let mut buffer = [0; 4];
            if wire::is_shown_text(char.encode_utf8(&mut buffer)) {
                shown.push(char);
            } else {
                shown.extend(char.escape_unicode());
            }
        }
        let chars = shown.chars().count();
        if chars > SHOWN {
            let end: String = shown.chars().skip(chars - SHOWN).collect();
            shown = format!("…{end}");
        }
        Self::Entry { path: shown, fault }
    }
}
