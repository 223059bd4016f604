//! `way share`, `way files`, `way get`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::Wait;
use crate::size::{NotASize, Size};
use crate::when::{Patience, When};

/// `way share`.
#[derive(Debug, Args)]
pub struct Share {
    /// A topic
    pub topic: String,
    /// A file or a folder
    pub path: PathBuf,
    /// Until when it is kept: a time, or how long from now [default: as long as messages]
    #[arg(long, value_name = "T")]
    pub expires: Option<When>,
    /// Do not return before it is there
    #[arg(long, value_name = "STATE")]
    pub wait: Option<Wait>,
    /// With --wait: how many custodians or members it takes; core nodes of one operator are one
    /// custodian [default: 1 custodian; all members]
    #[arg(long, value_name = "N", requires = "wait")]
    pub of: Option<u32>,
    /// With --wait: how long; then exit code 4, and the file is safe
    #[arg(long, value_name = "T", default_value = "60s")]
    pub timeout: Patience,
}

/// `way files`.
#[derive(Debug, Args)]
pub struct Files {
    /// A topic
    pub topic: String,
    /// Remove what is here of a file; it can be fetched again from others
    #[arg(long, value_name = "FILE")]
    pub drop: Option<String>,
    /// How much the files of this topic may take on this disk, or none: what would take more is not fetched
    #[arg(long, value_name = "SIZE", conflicts_with = "drop")]
    pub limit: Option<Limit>,
}

/// `way unshare`.
#[derive(Debug, Args)]
pub struct Unshare {
    /// A topic
    pub topic: String,
    /// A file of it that this device has shared: its number, its name, or its id
    pub file: String,
}

/// What the files of a topic may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Whatever the disk has.
    None,
    /// So much.
    To(Size),
}

impl FromStr for Limit {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        match text {
            "none" => Ok(Self::None),
            text => text.parse().map(Self::To),
        }
    }
}

/// `way get`.
#[derive(Debug, Args)]
pub struct Get {
    /// A topic
    pub topic: String,
    /// A file of it: its number, its name, or its id
    pub file: String,
    /// Where to: a new path, or a folder [default: this folder, under the file's own name]
    #[arg(long, value_name = "PATH")]
    pub to: Option<PathBuf>,
    /// How long to wait; then exit code 4, and fetching goes on
    #[arg(long, value_name = "T", default_value = "1h")]
    pub timeout: Patience,
}
