//! Where an envelope for one node goes, and which links there are.
//!
//! - Links: hello and version, the budget of strangers, one link between two nodes, keep-alive,
//!   neighbours and dialling, NodeAdverts, whether the clock is confirmed.
//! - Who may have a link with whom, and who may learn where this node is ([`Reach`]).
//! - Rate rules: who may give this node how much in a minute, and get of it ([`acl`]).
//! - Unicast ("mail"): a queue that survives restarts, sealing, delivery once, the inbox, echo.
//!
//! ```text
//!   dialler                        acceptor
//!     | hello {versions, clock, …}    |     both at once, before anything else
//!     |<----------------------------->|
//!     | advert-ask, advert            |     when the hello named a newer version, known peers only
//!     |<----------------------------->|
//!     | frames of the other engines   |     Output::Pass
//!     |<----------------------------->|
//!     | mail                          |     sealed to the recipient
//!     |------------------------------>|     window and inbox rows, then
//!     | mail-receipt                  |     the signed receipt
//!     |<------------------------------|
//! ```
//!
//! What it does not do: it knows no topic, no grant and no quota. Whether a peer is a client or has
//! shown a topic it is told ([`Input::Standing`]); what a core node holds for clients it hands on
//! ([`Output::Mailbox`]). It relays nothing for anybody else. The rules are in docs/spec/router.md.

#![deny(clippy::float_arithmetic)]

pub mod acl;
mod adverts;
mod clock;
mod config;
mod dialling;
mod event;
mod figures;
mod hello;
pub mod limits;
mod links;
mod mail;
mod meeting;
mod names;
mod peers;
mod reach;
mod router;
mod row;
mod silence;
mod strangers;
mod targets;
mod told;
mod window;

pub use acl::{Acl, Rule, Rules};
pub use config::{Address, Config};
pub use event::{EchoResult, Input, LinkId, Output, Problem, Standing, Why};
pub use figures::Figures;
pub use mail::{Class, InboxMail, MailError, MailHeld, MailRefusal, MailState, Send};
pub use names::{Labels, LookAlikes, label};
pub use peers::{PeerError, PeerState};
pub use reach::{NotDialled, Reach};
pub use router::Router;
pub use row::TABLES;
