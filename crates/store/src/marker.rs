//! The mark of the last commit that lies outside the home.

use crate::home::{head_text, make_folder, parse_head, replace};
use crate::{Gap, HISTORY, Head, HomeId, MARKER_COMMITS, MARKER_MILLIS, OpenFailed, Opened, Store};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Whether a home is the latest of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Staleness {
    /// It was made just now.
    Fresh,
    /// It goes on where it ended, cleanly or not.
    Plain,
    /// It may have been set back or copied: nothing may be written under its old author keys.
    Stale(Doubt),
}

/// Why a home may not be the latest of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// There is no marker: it was moved to another machine, restored, or cloned.
    Missing,
    /// There is a marker that cannot be read.
    Unreadable,
    /// The marker is ahead: an older copy was put back.
    SetBack {
        /// What the marker says.
        marker: Head,
        /// What the home holds.
        home: Head,
    },
    /// At the marker's number the home holds another commit: two copies went separate ways.
    Diverged {
        /// What the marker says.
        marker: Head,
    },
    /// The marker is too old to be compared.
    TooOld {
        /// What the marker says.
        marker: Head,
        /// What the home holds.
        home: Head,
    },
    /// Commits are missing.
    Gap(Gap),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("it has no marker on this machine"),
            Self::Unreadable => f.write_str("its marker cannot be read"),
            Self::SetBack { marker, home } => {
                write!(
                    f,
                    "it is at {home} and was at {marker} before: an older copy"
                )
            }
            Self::Diverged { marker } => {
                write!(f, "it is another life of the home that was at {marker}")
            }
            Self::TooOld { marker, home } => {
                write!(
                    f,
                    "its marker at {marker} is too far behind {home} to be compared"
                )
            }
            Self::Gap(gap) => gap.fmt(f),
        }
    }
}

/// The marker of one home: a small file in the state folder, named by the home's id, with the
/// number and hash of the last commit. It is written after commits, so it is never ahead of the
/// home that it belongs to.
#[derive(Debug)]
pub struct Marker {
    path: PathBuf,
    last: Option<(Head, Instant)>,
}

impl Marker {
    /// The marker of this home in this state folder, which is made when there is none.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(state: &Path, home: &HomeId) -> Result<Self, OpenFailed> {
        let folder = state.join("homes");
        make_folder(&folder)?;
        Ok(Self {
            path: folder.join(home.to_string()),
            last: None,
        })
    }

    /// Compares the marker with a home that was just opened. It writes nothing: first the node
    /// notes durably what it makes of the doubt, then [`Marker::write`] ends it. A fresh home should
    /// be marked before its first commit.
    ///
    /// # Errors
    /// When the home's history cannot be read.
    pub fn judge(
        &self,
        opened: &Opened,
        store: &impl Store,
    ) -> Result<Staleness, machine::ReadFailed> {
        if let Some(gap) = &opened.gap {
            return Ok(Staleness::Stale(Doubt::Gap(gap.clone())));
        }
        if opened.created {
            return Ok(Staleness::Fresh);
        }
        let marker = match std::fs::read_to_string(&self.path) {
            Ok(text) => parse_head(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // Nothing was ever committed, so nothing can have been set back.
                let fresh = opened.head == Head::START;
                return Ok(if fresh {
                    Staleness::Fresh
                } else {
                    Staleness::Stale(Doubt::Missing)
                });
            }
            Err(_) => None,
        };
        let Some(marker) = marker else {
            return Ok(Staleness::Stale(Doubt::Unreadable));
        };
        let home = opened.head;
        if marker.number > home.number {
            return Ok(Staleness::Stale(Doubt::SetBack { marker, home }));
        }
        if marker == Head::START {
            return Ok(if home.number < HISTORY {
                Staleness::Plain
            } else {
                Staleness::Stale(Doubt::TooOld { marker, home })
            });
        }
        Ok(match store.hash_of(marker.number)? {
            Some(hash) if hash == marker.hash => Staleness::Plain,
            Some(_) => Staleness::Stale(Doubt::Diverged { marker }),
            None => Staleness::Stale(Doubt::TooOld { marker, home }),
        })
    }

    /// Notes a commit that is durable, unless that was done a moment ago. Says whether it wrote.
    ///
    /// # Errors
    /// When the file cannot be written. The home then seems to have run on without its marker,
    /// which is harmless up to [`crate::HISTORY`] commits.
    pub fn note(&mut self, head: Head) -> Result<bool, OpenFailed> {
        if let Some((last, at)) = &self.last {
            let near = head.number.saturating_sub(last.number) < MARKER_COMMITS;
            if near && at.elapsed() < Duration::from_millis(MARKER_MILLIS) {
                return Ok(false);
            }
        }
        self.write(head)?;
        Ok(true)
    }

    /// Notes a commit that is durable, at once: at close, and when a doubt has been dealt with.
    ///
    /// # Errors
    /// As [`Marker::note`].
    pub fn write(&mut self, head: Head) -> Result<(), OpenFailed> {
        if self.last.as_ref().is_some_and(|(last, _)| *last == head) {
            return Ok(());
        }
        replace(&self.path, head_text(&head).as_bytes())?;
        self.last = Some((head, Instant::now()));
        Ok(())
    }
}
