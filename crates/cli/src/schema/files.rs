//! Files that are shared.

use serde::{Deserialize, Serialize};

use super::Version;

objects! {
    /// A line of `way files`, and what `way get` has written, with `to`.
    File {
        v: Version,
        topic: String,
        n: u64,
        id: String,
        name: String,
        size: u64,
        entries: u32,
        folder: bool,
        from: String,
        at: String,
        have: u32,
        parts: u32,
        part_bytes: u32,
        wanted: bool,
        sources: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    }
    /// A file or folder, inside a line of `way read`.
    LineFile { name: String, size: u64, have: u32, parts: u32, unshared: bool, }
}
