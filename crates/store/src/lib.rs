//! The stores of a node: durable records, content, and what guards them.
//!
//! A home is one folder. It holds the records of all protocols in one table a kind, committed in
//! groups, each durable before it is reported; contents, in files of pieces; a
//! reserve of disk space for the day on which the disk is full; and a lock, so that one process
//! has it open.
//!
//! Every commit carries a running number and a hash that is chained to the one before it. So
//! three things are noticed and named when a home is opened: commits that were durable and have
//! vanished ([`Gap`]), an older copy that was put back, and a copy that lives a second life
//! elsewhere ([`Marker`], which lies outside the home).
//!
//! [`FjallStore`] is the embedded store, [`MemoryStore`] the same in memory, [`Faulty`] one that
//! fails when a test says so. The formats are those of `docs/spec/store.md`.
//!
//! What it does not do: it knows no protocol and no meaning of a row, makes no backup by itself,
//! shares no home between processes, and does not encrypt (a node's secrets are sealed by whoever
//! stores them).

mod check;
mod content;
mod engine;
mod error;
mod faulty;
mod files;
mod fjall;
mod gap;
mod handle;
mod head;
mod home;
mod journal;
mod limits;
mod marker;
mod memory;
mod snapshot;
mod space;
mod tuning;

pub use check::{Finding, Report, check};
pub use content::{Content, ContentReader, ContentWriter};
pub use error::{CommitFailed, OpenFailed, SnapshotFailed};
pub use faulty::{Faulty, Plan};
pub use fjall::FjallStore;
pub use gap::Gap;
pub use handle::{Opened, Store};
pub use head::Head;
pub use home::HomeId;
pub use limits::*;
pub use marker::{Doubt, Marker, Staleness};
pub use memory::MemoryStore;
pub use snapshot::{Summary, export, import, read_snapshot};
pub use space::{Room, Space, free_space};
pub use tuning::Options;
