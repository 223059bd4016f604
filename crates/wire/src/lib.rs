//! What travels and what is kept: every format of the system, in deterministic CBOR.
//!
//! The normative schema is `crates/wire/waystation.cddl`, the prose docs/spec/wire.md, the examples
//! `vectors/wire.json`. This is format number 0: it may still change.
//!
//! - [`Header`], [`Envelope`], [`Raw`]: the one unit of transport. [`check`] turns what came from
//!   outside into [`Checked`] values, which nothing else can make.
//! - [`Item`]: what a control body holds, from certificates to [`Grant`], [`Revocation`] and [`Act`]. [`Genesis`]: what a topic's id is the hash of.
//! - [`Receipt`], [`NodeAdvert`], [`MailReceipt`], [`Ticket`]: signed statements.
//! - [`Frame`], [`TopicFrame`]: what links carry.
//! - [`plain`]: what is inside what is sealed. [`JoinLink`], [`CoreLink`], [`NodeAddress`]: text.
//! - [`cbor`]: the strict reader and the writer under all of them, also for rows of the store.
//! - [`limits`]: every limit, with what happens when it is reached.
//!
//! What it does not do: it decides no right (whether an author may write is a matter of the graph),
//! keeps nothing, opens nothing that is sealed, and has no clock: times are numbers that someone
//! claims.

#![deny(clippy::float_arithmetic)]

mod act;
mod address;
mod advert;
mod blocks;
pub mod cbor;
mod checked;
mod cut;
mod difference;
mod envelope;
mod epoch;
pub mod frame;
mod genesis;
mod grant;
mod header;
mod invite;
mod item;
mod joint;
pub mod limits;
mod link;
mod pair;
pub mod plain;
mod proposal;
mod receipt;
mod shared_file;
mod signed;
mod terms;
mod text;
mod ticket;
mod topic_box;
mod welcome;

pub use act::{Act, ActSignature, Role};
pub use address::{AddressError, Host, NodeAddress, UriScheme, uri};
pub use advert::{AdvertAddress, AdvertCore, NodeAdvert, check_advert, sign_advert};
pub use blocks::{Part, SlotRange};
pub use cbor::Malformed;
pub use checked::{Checked, Refused};
pub use cut::{CutEntry, Range};
pub use difference::Difference;
pub use envelope::{
    CheckedBody, Envelope, Evidence, Raw, RawHeader, Verified, check, check_body, check_evidence,
    check_header, sign_envelope,
};
pub use epoch::{Boxes, EpochReason, Followed, NextEpoch, SealedTo};
pub use frame::{Code, Frame, IdentifyStep, TopicFrame};
pub use genesis::{EpochItem, Genesis, Parameters, TopicPolicy};
pub use grant::{Close, Grant, Revocation};
pub use header::{Class, Extensions, Header, Manifest, decode_header};
pub use invite::{Gift, Invite, InviteKind};
pub use item::{Certificate, Claim, Item, decode_items, encode_items};
pub use joint::{DeviceSignature, Joint};
pub use link::{CoreLink, DeviceLink, JoinLink, Link, LinkError, TopicLink};
pub use pair::{PairEpoch, PairMessage, PairOffer, PairPass};
pub use proposal::Proposal;
pub use receipt::{
    MailReceipt, Receipt, ReceiptKind, SignedMailReceipt, SignedReceipt, Slot, check_mail_receipt,
    check_receipt, sign_mail_receipt, sign_receipt,
};
pub use shared_file::SharedFile;
pub use signed::{RawStatement, Signed, SignedAdvert};
pub use terms::{Budget, Interval, Right, Rights, Terms};
pub use text::is_shown_text;
pub use ticket::Ticket;
pub use topic_box::{TopicBox, check_box};
pub use welcome::{Answer, check_answer, check_claim};
