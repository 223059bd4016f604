//! Pushing, repairing and syncing topics among their subscribers; receipts; delivery to
//! applications. The protocol is described in docs/spec/sync.md.
//!
//! [`Topics`] holds all topics of a node. The node gives it inputs ([`Input`]) and commands (its
//! methods), together with an [`Env`]: the turn's context, the [`Host`] that answers for keys and
//! quotas, and an outbox that takes [`Output`]s.
//!
//! ```text
//!  link proven ─► hello ─► cut ─► want ─► envelopes ─► Check ─► admitted by the lace
//!                                                                  ├─► pushed to peers that have all before it
//!                                                                  ├─► lines ─► application
//!                                                                  └─► receipts
//! ```
//!
//! - A topic without peers and without work costs a row in the store and an entry in a map; its
//!   lace is opened when it is used and dropped again afterwards.
//! - Nothing waits in queues here. What is due to a peer is computed from cursors and from what the
//!   peer is known to have, when the link has room.
//! - All rows: `rows.rs`. All limits: `limits.rs`.
//!
//! What it does not do: it decides no admission (the lace does), knows no secret, proves no link,
//! promises no quota, and makes no connection.

#![deny(clippy::float_arithmetic)]

mod allow;
mod answers;
mod audits;
mod blocks;
mod bodies;
mod boxes;
mod check;
mod claims;
mod commands;
mod cost;
mod delivery;
mod differences;
mod draft;
mod event;
mod evidence;
mod fallen;
mod figures;
mod host;
mod intake;
mod intervals;
pub mod limits;
mod lines;
mod listing;
mod parked;
mod passing;
mod peer;
mod publish;
mod push;
mod read;
mod readers;
mod receipts;
pub mod rows;
mod state;
mod states;
mod sync;
mod told;
mod topics;
mod turn;
mod upkeep;
mod want;
mod welcomes;
mod withdrawn;

pub use audits::Found;
pub use check::{Done, Job};
pub use draft::{
    Draft, InviteBox, OpenClaim, Payload, PublishError, Published, PutAnswerError, PutBoxError,
    ReadError, Summary, Unknown,
};
pub use event::{Forward, Input, LinkId, Output, Peer, Rule};
pub use figures::{Figures, MAX_NAMED, Question, Undone, Unplaced};
pub use host::{
    Allowance, Host, Keys, Local, NEVER, Offer, OpenError, Policy, Refusal, RefusedPart, SealError,
    Stored,
};
pub use intervals::Intervals;
pub use lines::{Line, LineKind, Page, ReadFrom};
pub use rows::{GapReason, Phase, Role};
pub use states::{By, State, StateKind, States};
pub use topics::{Env, Topics};
