//! Lines: what an application reads.

use crate::rows::GapReason;
use identity::{EnvelopeId, PublicKey};
use wire::plain::Message;

/// One line of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number; counts up from 1 without gaps and never changes.
    pub n: u64,
    /// The envelope that it comes from.
    pub envelope: EnvelopeId,
    /// Which of the envelope's messages it is, from 0. Together with the envelope's id this is the
    /// message's name.
    pub index: u16,
    /// Who wrote it.
    pub author: PublicKey,
    /// The device whose author key that is.
    pub device: PublicKey,
    /// The name that the device gave itself. Not an identity.
    pub name: Option<String>,
    /// The envelope's number on its author's chain.
    pub number: u64,
    /// When its author claims to have written it, milliseconds since 1970.
    pub at: u64,
    /// What it is.
    pub kind: LineKind,
}

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A message.
    Message(Message),
    /// The device has joined.
    Join,
    /// The device has left.
    Leave,
    /// It was shown, and is void by now; or the line that says so, which comes when that happens, so
    /// that whoever has read further learns it.
    Withdrawn {
        /// The first line of what was shown; nothing in the place of that itself.
        of: Option<u64>,
        /// The device of whoever made it void; nothing when its author contradicted itself.
        by: Option<PublicKey>,
    },
    /// What was withdrawn stands again, in its old place.
    Restored {
        /// The first line of it.
        of: u64,
    },
    /// The place of messages that cannot be shown.
    Gap {
        /// Why.
        reason: GapReason,
        /// How many messages.
        messages: u16,
    },
}

/// Where to begin reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// At this line.
    Line(u64),
    /// After the last confirmed line.
    Unconfirmed,
    /// After the last line of this envelope.
    After(EnvelopeId),
    /// At the first line whose author claims to have written it at this time (milliseconds since
    /// 1970) or later. Lines before it in order may claim later times only if clocks disagree.
    Time(u64),
}

/// Lines in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The lines; fewer than asked for when [`crate::limits::MAX_READ_BYTES`] was reached.
    pub lines: Vec<Line>,
    /// Where to go on: the number after the last line looked at.
    pub next: u64,
    /// Whether there are more.
    pub more: bool,
}
