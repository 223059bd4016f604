//! What a core node answers.

use core::fmt;

use core::time::Duration;

/// Why custody was refused. Unknown numbers read as [`Code::Refused`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Code {
    /// For a reason that only the text tells.
    Refused = 0,
    /// The asker is no client, or the invite is unknown, used up, over or not its own.
    NotClient = 1,
    /// The client was denied by the operator.
    Denied = 2,
    /// The account of the client is used up, or the share of the topic.
    Quota = 3,
    /// What guests may use of the topic's share is used up.
    GuestShare = 4,
    /// What one author may use of the topic's share is used up.
    AuthorShare = 5,
    /// The share kept for headers is used up.
    HeaderShare = 6,
    /// The core node's disk is nearly full.
    DiskFull = 7,
    /// More topics, boxes, links or mails than were agreed.
    TooMany = 8,
    /// The topic is not held here for anybody who still takes part.
    NotServed = 9,
    /// Larger than anything this core node takes, or malformed.
    Unacceptable = 10,
    /// Asked too often.
    TooOften = 11,
    /// It has expired.
    Expired = 12,
    /// The core node ends, and takes nothing more of this kind.
    Retiring = 13,
}

impl Code {
    /// The code of this number.
    #[must_use]
    pub const fn from_u8(number: u8) -> Self {
        match number {
            1 => Self::NotClient,
            2 => Self::Denied,
            3 => Self::Quota,
            4 => Self::GuestShare,
            5 => Self::AuthorShare,
            6 => Self::HeaderShare,
            7 => Self::DiskFull,
            8 => Self::TooMany,
            9 => Self::NotServed,
            10 => Self::Unacceptable,
            11 => Self::TooOften,
            12 => Self::Expired,
            13 => Self::Retiring,
            _ => Self::Refused,
        }
    }

    /// Its number here.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// Its number in a frame (the reasons of docs/spec/wire.md). Several codes share one there; the
    /// text tells them apart.
    #[must_use]
    pub const fn in_frame(self) -> u16 {
        match self {
            Self::Refused | Self::Unacceptable | Self::Retiring => 15,
            Self::NotClient => 9,
            Self::Denied => 8,
            Self::Quota | Self::GuestShare | Self::AuthorShare | Self::HeaderShare => 6,
            Self::DiskFull => 7,
            Self::TooMany => 20,
            Self::NotServed => 10,
            Self::TooOften => 5,
            Self::Expired => 13,
        }
    }

    /// What a number in a frame means here.
    #[must_use]
    pub const fn of_frame(number: u16) -> Self {
        match number {
            5 => Self::TooOften,
            6 => Self::Quota,
            7 => Self::DiskFull,
            8 => Self::Denied,
            9 => Self::NotClient,
            10 => Self::NotServed,
            13 => Self::Expired,
            20 => Self::TooMany,
            _ => Self::Refused,
        }
    }
}

/// A refusal: what was asked for was not done and nothing was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For people: what and why.
    pub text: String,
    /// Not to be asked again before this much time has passed; `None`: asking again is no use until
    /// somebody changes something.
    pub retry: Option<Duration>,
}

impl Refusal {
    /// A refusal that stands until somebody changes something.
    pub(crate) fn lasting(code: Code, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            retry: None,
        }
    }

    /// What a client hears when the operator ends the agreement, and whenever it claims afterwards.
    #[must_use]
    pub fn ended() -> Self {
        Self::lasting(
            Code::Denied,
            "the operator ended the agreement: nothing new is taken, what was promised is kept",
        )
    }

    /// A refusal that time may lift.
    pub(crate) fn for_now(code: Code, text: impl Into<String>, retry: Duration) -> Self {
        Self {
            code,
            text: text.into(),
            retry: Some(retry),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}

/// What a client and a core node agreed, as the core node's answer to a claim states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// Bytes that may be held for the client.
    pub quota: u64,
    /// Bytes that are reserved for it now.
    pub used: u64,
    /// Topics held for it now.
    pub topics: u32,
    /// Topics that may be held for it.
    pub max_topics: u32,
    /// Longest promise, in milliseconds.
    pub max_hold_ms: u64,
    /// When the core node ends, in milliseconds since 1970, if its operator has said so.
    pub retires_ms: Option<u64>,
}
