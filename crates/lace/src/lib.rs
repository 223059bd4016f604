//! The signed graph of one topic: chains of authors, the dependencies between them, admission,
//! forks, cuts and serving. The rules stand in docs/spec/topic.md, "The graph".
//!
//! - [`Lace::judge`] is the cheap look at a header before any signature is checked;
//!   [`Lace::admit`] takes what has been checked and decides, as a pure function of the envelope
//!   and its causal past, whether it belongs to the graph. What lacks its past is parked.
//! - [`Lace::cut`], [`Lace::compare`], [`Lace::serve`] bring two replicas together;
//!   [`Lace::add_evidence`] closes authors that contradict themselves.
//! - [`Lace::next_header`] says where an author's next envelope belongs.
//! - [`Lace::by_place`], [`Lace::order`] give the envelopes in the local causal order.
//! - What control says about rights is numbered: [`Fact`]s. Each envelope has a *view*, the set of
//!   the facts in its past. What they mean a [`Policy`] decides; the lace has no opinion.
//!
//! Three sets matter, each inside the one before:
//!
//! ```text
//!   admitted   its past is here and it keeps the rules: stored, may be named by others
//!   kept       everything effective, and its past: compared, served, has a place in the order
//!   effective  what stands: applications see it
//! ```
//!
//! They differ only where an author has forked. Envelopes are rows of the store; in memory there
//! are the authors, the invites, and a bounded number of parked envelopes, facts and sets of them.
//!
//! What it does not do: it knows no peers, opens no body, checks no signature (its inputs are
//! [`wire::Checked`]), has no clock, and decides no quota.

#![deny(clippy::float_arithmetic)]

mod admit;
mod author;
mod body;
mod bound;
mod branch;
mod cut;
mod effect;
mod enter;
mod evidence;
mod fact;
mod forget;
mod founders;
mod invite;
mod issue;
mod known;
mod lace;
pub mod limits;
mod lru;
mod member;
mod park;
mod place;
mod policy;
mod read;
mod rebound;
pub mod rows;
mod rule;
mod serve;
mod set;
mod stand;
mod sweep;
mod view;
mod write;

pub use admit::{Admission, Missing, Verdict};
pub use author::{Author, Counts, Tip};
pub use body::{AddedBody, Freed, MissingBody};
pub use cut::{Comparison, Coverage};
pub use effect::{Bounds, Cut, Effect, EpochStanding, Limit, Over, Seat, Standing, Why};
pub use evidence::Seen;
pub use fact::{AuthorNo, Fact, FactNo, Facts, Named, ViewNo, is_fact};
pub use founders::FoundersPolicy;
pub use invite::Invitation;
pub use lace::Lace;
pub use park::ParkedEnvelope;
pub use place::Place;
pub use policy::{Admitted, Bucket, Buckets, Past, Policy, Previous};
pub use read::{Body, Held};
pub use rule::Rule;
pub use serve::{Budget, Cursor, Served};
pub use set::Set;
pub use stand::Changed;
pub use view::ViewLoad;
pub use wire::{CutEntry, Evidence, Range};
pub use write::{NotWritable, Plan};
