//! The contract: what a protocol engine of Waystation is, and when its outputs may leave.
//!
//! An engine is a deterministic machine without I/O. One input goes in, its outputs are drained,
//! its next deadline is asked for. Everything that changes it is an input value, so a run is a
//! list of inputs that can be recorded, replayed and shrunk, and the same code runs in the real
//! program and in a simulator.
//!
//! The [`Kernel`] holds one machine together with its store and keeps the one rule that the
//! product rests on: **nothing is asserted before what justifies it is durable.**
//!
//! ```text
//!   input ──► turn n ──┬─ staged writes ──► batch ──► commit ──► committed(batch)
//!                      ├─ held outputs ──────────────(wait)────────────► released, in order
//!                      └─ verbatim, advisory, content ─────────────────► leave at once
//! ```
//!
//! The contract, in full:
//!
//! 1. Time never goes back. One input, then everything that it causes, then the next input.
//! 2. Reads see the committed store plus all that this and earlier turns staged.
//! 3. Commits are atomic, grouped, pipelined, and in turn order.
//! 4. A held output of turn n leaves when the writes of *all* turns up to n are durable.
//! 5. [`Verbatim`](Effect::Verbatim), [`Advisory`](Effect::Advisory) and
//!    [`Content`](Effect::Content) effects leave at once. They are separate types, so that what
//!    asserts something about this store cannot be written as one of them by mistake.
//! 6. No output is the only record of an obligation: what is due is a row that completion removes,
//!    so that a restart regenerates it.
//! 7. A read or a commit that fails ends this life of the node: nothing more is released, memory
//!    is dropped, and the node is rebuilt from its store, the same path as after a crash.
//!
//! What is absent on purpose: clocks, sockets, files, threads, tasks, floating point, ambient
//! randomness, and maps whose order is random. The crate's `clippy.toml` bans them for every crate
//! below the worlds.

#![deny(clippy::float_arithmetic)]

mod contents;
mod effect;
mod kernel;
mod limits;
pub mod planted;
mod rng;
mod staged;
pub mod test;
mod time;
mod timers;

pub use contents::{MAX_IN_MEMORY, MemoryContents};
pub use effect::{ContentDone, ContentEffect, ContentName, Credit, Effect, Outbox, Ports};
pub use kernel::{Batch, Event, Exempt, Fault, Kernel, Machine, TurnUse};
pub use limits::*;
pub use rng::Rng;
pub use staged::{Base, Cx, MemoryBase, Overlay, ReadFailed, Row, Staged, Table};
pub use time::{Time, WallTime};
pub use timers::Timers;
