//! How an account is divided. All divisions are integers and round down.
//!
//! ```text
//!   quota ─┬─ headers: a quarter, kept for good
//!          └─ bodies: the rest ─┬─ guests: all but a quarter of the quota
//!                               └─ the client's own deposits, and its mailbox (an eighth of the
//!                                  quota at most): the quarter that guests cannot reach, and
//!                                  whatever guests leave
//!
//!   share of a topic ── guests: a half ── one author among them: an eighth
//! ```

use crate::limits::{DEFAULT_LINKS, DEFAULT_QUOTA, DEFAULT_TOPICS};

/// What a core node agreed to hold for one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Bytes in all.
    pub bytes: u64,
    /// Topics.
    pub topics: u32,
    /// Guests linked at once.
    pub links: u32,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            bytes: DEFAULT_QUOTA,
            topics: DEFAULT_TOPICS,
            links: DEFAULT_LINKS,
        }
    }
}

impl Quota {
    /// Bytes for headers and for whatever else never expires.
    #[must_use]
    pub const fn headers(&self) -> u64 {
        self.bytes / 4
    }

    /// Bytes for everything that expires.
    #[must_use]
    pub const fn bodies(&self) -> u64 {
        self.bytes - self.headers()
    }

    /// Of [`Quota::bodies`], what guests of all topics together may use.
    #[must_use]
    pub const fn guests(&self) -> u64 {
        self.bodies() - self.bytes / 4
    }

    /// Of [`Quota::bodies`], what the mailbox may use: half of the quarter that guests cannot reach,
    /// so that neither can crowd out what the client itself deposits.
    #[must_use]
    pub const fn mailbox(&self) -> u64 {
        self.bytes / 8
    }

    /// Of [`Quota::mailbox`], what mails of one source may use.
    #[must_use]
    pub const fn mail_source(&self) -> u64 {
        self.mailbox() / 4
    }

    /// The share of a topic when the client names none.
    #[must_use]
    pub const fn default_share(&self) -> u64 {
        self.bytes / 4
    }
}

/// The division of one topic's share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share(pub(crate) u64);

impl Share {
    pub(crate) const fn guests(self) -> u64 {
        self.0 / 2
    }

    pub(crate) const fn author(self) -> u64 {
        self.0 / 8
    }

    /// Headers of the topic, beside its bodies.
    pub(crate) const fn headers(self) -> u64 {
        self.0 / 4
    }

    pub(crate) const fn guest_headers(self) -> u64 {
        self.headers() / 2
    }

    pub(crate) const fn author_headers(self) -> u64 {
        self.headers() / 8
    }
}
