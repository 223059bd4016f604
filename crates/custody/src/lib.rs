//! Holding for others: what a core node agreed to, what it promised, and what that costs whom.
//!
//! - [`Custody`] is the core node's half: operator's invites, clients and their quotas, the topics
//!   held for them, promises (reservations that nothing but time ends), invite boxes, mailboxes for
//!   unicast.
//! - [`MyCores`] is the client's half: the core nodes one uses, the topics they serve, the boxes
//!   deposited there; it repeats what a core node has not confirmed.
//!
//! ```text
//!   client                         core node
//!     | core-claim {token, mac}       |   Custody::claim
//!     |------------------------------>|
//!     | core-agreed {quota, used, …}  |
//!     |<------------------------------|
//!     | core-serve {topic, …}         |   Custody::serve
//!     |------------------------------>|
//!     | core-serving {topic}          |
//!     |<------------------------------|
//!     | envelopes                     |   Custody::accept: a promise, or a refusal with a reason
//!     |------------------------------>|
//! ```
//!
//! What it does not do: it stores no envelope of a topic (`lace` does) and signs no receipt; it knows
//! no links and no frames (`node` translates); it cannot open anything that it counts. The rules are
//! in docs/spec/custody.md.

#![deny(clippy::float_arithmetic)]

mod boxes;
mod clients;
pub mod limits;
mod mailbox;
mod mine;
mod outcome;
mod promises;
mod quota;
mod row;
mod serving;
mod settings;
mod state;
mod usage;

pub use boxes::BoxAnswer;
pub use clients::{ClientUsage, InviteState, InviteTerms, StillHeld};
pub use mailbox::{HeldMail, Mail, MailAnswer};
pub use mine::{CoreStanding, CoreState, MyCores, MyCoresOutput, ServedBy, Short, Wanted, Warning};
pub use outcome::{Agreed, Code, Refusal};
pub use promises::{Deposit, Promise};
pub use quota::Quota;
pub use row::TABLES;
pub use serving::{CorePeer, Seen, Served, Serving};
pub use settings::Settings;
pub use state::{Custody, Output};
pub use usage::{Nearly, TopicShare, Usage};
