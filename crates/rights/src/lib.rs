//! Secrecy and proofs of a topic: who can read, who is recognised, who is let in.
//!
//! The constructions stand in docs/spec/secrecy.md, complete enough for a second implementation;
//! `vectors/rights.json` holds examples. A topic begins with the epoch of its genesis, which has one
//! slice without end; others may follow.
//!
//! - [`found`]: founds a topic. [`DeviceSecret`], [`Incarnation`]: a device's keys in it.
//! - [`KeyRing`]: a topic's epochs and what is held of their secrets ([`Access`]).
//! - [`seal_box`], [`seal_keys`], [`seal_older`]: secrets of epochs, handed over. [`SealingKeys`]: what
//!   they are sealed to. [`Call`], [`Announced`]: epochs are begun and judged, by an [`EpochSource`].
//! - [`seal`], [`open`]: bodies; [`seal_item_to_readers`], [`seal_item_to_members`]: sealed items.
//!   [`seal_unicast`], [`open_unicast`]: bodies from node to node.
//! - [`Round`], [`Show`]: two members recognise one another on a [`LinkSecret`]. [`AtCore`]: a
//!   device, or a core node with a ticket, proves itself to a core node.
//! - [`InviteSeed`], [`Invitation`]: invites to a topic. [`CoreInviteSeed`]: to a core node.
//! - [`PublicTopic`]: what is told of a public topic to whoever knows its id.
//! - [`PairSeed`], [`PairKey`]: two devices of one person.
//! - [`eff`]: which grants, ends and compositions stand. [`budget`]: what may be spent.
//!   [`Law`]: who may write what in a topic.
//! - [`Vault`]: the secret rows of a node's store.
//!
//! What it does not do: it keeps nothing but the keys it is asked to remember for a while
//! ([`SenderKeys`], [`OpenCache`]), knows no graph (whether a device's grant stands is looked up by
//! the caller), sends nothing, and has no clock. There is no forward secrecy within a slice.

#![deny(clippy::float_arithmetic)]

mod access;
mod announce;
mod announce_clean;
mod announce_law;
mod announce_recipients;
mod announced;
mod at_core;
mod body;
mod boxes;
pub mod budget;
mod cache;
pub mod chain;
mod core_invite;
mod device;
pub mod eff;
mod epoch;
mod found;
mod identify;
mod invite;
mod item;
mod keyring;
mod law;
pub mod limits;
mod link;
mod pairing;
mod public;
mod sealing;
mod secret;
mod show;
mod source;
mod tags;
mod unicast;
mod vault;
mod welcome;

pub use access::{Access, AccessRefused};
pub use announce::{BeginRefused, Call, Entitled, NewEpoch, Portion, begin, can_be_sealed_to};
pub use announce_law::{Heard, Survey, judge_epochs};
pub use announce_recipients::Recipients;
pub use announced::{Announced, BoxFault, EpochFault, Expected, FalseBox, Learnt, is_clean};
pub use at_core::{AtCore, ShownAtCore, core_token, issue_ticket, judge_ticket};
pub use body::{Opened, SealRefused, SenderKeys, Subject, open, seal};
pub use boxes::{hints_hash, open_box, open_keys, open_older, seal_box, seal_keys, seal_older};
pub use cache::OpenCache;
pub use core_invite::{CoreInviteKey, CoreInviteSeed};
pub use device::{DeviceSecret, Incarnation, certify};
pub use epoch::{
    CoreSecret, Epoch, EpochRefused, EpochSecret, MeetingSecret, MembersKey, SUITE, SliceSeed,
};
pub use found::{Founded, found, found_public, found_with};
pub use identify::{IDENTIFY_TOPICS, Identified, Identity, identified, identify};
pub use invite::{BoxRefused, Invitation, InviteSeed, grant_of, handed_to_guest, no_box};
pub use item::{
    ItemSubject, OpenedItem, open_item_to_members, open_item_to_readers, seal_item_to_members,
    seal_item_to_readers,
};
pub use keyring::{HeldEpoch, KeyRing};
pub use law::{Law, Member, MemberState, Unenforced, Used};
pub use link::{LinkSecret, Role};
pub use pairing::{PairKey, PairSeed};
pub use public::PublicTopic;
pub use sealing::SealingKeys;
pub use show::{Show, ShowRefused, Shown, Standing};
pub use source::{Drawn, EpochSource};
pub use tags::{BadTags, Match, Round, Tag, TooManyTopics};
pub use unicast::{key_hint, open_unicast, seal_unicast};
pub use vault::{Vault, VaultClosed};
pub use welcome::{Welcomed, open_answer, seal_answer};
