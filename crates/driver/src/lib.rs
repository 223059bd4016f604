//! The real world around a node: its thread, clock, entropy, disk and workers.
//!
//! [`start`] gives a [`Kernel`](machine::Kernel) a thread of its own and runs one loop on it: take
//! the next input, or notice that a deadline has come; run the turn; let what needs no reasons
//! leave at once; hand the writes to the commit thread; when a commit is done, release what waited
//! for it, in order.
//!
//! ```text
//!  links, people ──► inbox ─────────┐                        ┌──► Host: verbatim, advisory, content
//!  worker threads ─► checks, in order ──► node's own thread ─┤
//!  commit thread ──► completions ───┘      (one turn a time) └──► Host: held, after the commit
//! ```
//!
//! A panic or a failed commit ends one *life* of the node, not the process: everything in memory is
//! dropped, nothing more is released, and the node is built again from its store, the same path as
//! after a crash.
//!
//! A life can be recorded, and the record replayed: the same inputs give the same outputs, hash
//! for hash ([`record`]).
//!
//! Beside the node, [`files`] turns files and folders into contents and back.
//!
//! What it does not do: it contains no decision of a protocol, knows no message, opens no sockets, and no
//! files but the record and those that [`files`] is told to read or to write.

mod clock;
mod commit;
mod content;
mod fault;
pub mod files;
mod handle;
mod inbox;
mod life;
pub mod limits;
mod node;
mod pool;
pub mod record;

pub use content::Contents;
pub use fault::{End, Ending};
pub use handle::{Full, Gone, Handle};
pub use node::{Host, Node, Opened, Options, StartFailed, start};
