//! What goes into the commands of topics, and what comes back.

use crate::host::Local;
use crate::rows::{Phase, Role};
use identity::{EnvelopeId, TopicId};
use thiserror::Error;
use wire::plain::Message;
use wire::{Item, Manifest};

/// The topic is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the topic is not in this home")]
pub struct Unknown;

/// Why nothing can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// See [`Unknown`].
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// Reading was to begin after an envelope that is not here.
    #[error("the envelope is not in this topic")]
    NoEnvelope,
}

/// What to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Messages of an application; class content.
    Messages(Vec<Message>),
    /// Items; class control.
    Items(Vec<Item>),
}

/// What to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The contents.
    pub payload: Payload,
    /// How long content is kept, in milliseconds; nothing stands for the topic's own lifespan.
    pub lifespan: Option<u64>,
    /// Envelopes that it answers or overwrites, named first in its deps where they may be.
    pub answers: Vec<EnvelopeId>,
    /// Blocks that belong to it; content alone has any.
    pub manifest: Option<Manifest>,
}

/// What was published. It is durable when the outputs of this turn are released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The envelope. Its messages are named (id, 0), (id, 1), …
    pub id: EnvelopeId,
    /// Its number on the chain.
    pub number: u64,
}

/// Why nothing was published. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PublishError {
    /// See [`Unknown`].
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// This home has left the topic, is forgetting it, or holds it without keys.
    #[error("this home does not write in the topic")]
    NotMember,
    /// There is no author key: an incarnation has to be begun first.
    #[error("this home has no author key in the topic")]
    NoAuthor,
    /// Peers have newer envelopes of this author than this home: a new incarnation has to begin.
    #[error("this home is older than what it has published; it needs a new author key")]
    Stale,
    /// No messages, or more than an envelope takes.
    #[error("{0} messages do not fit into one envelope")]
    Count(usize),
    /// The sealed messages are larger than an envelope's body.
    #[error("the messages are larger than one envelope")]
    TooLarge,
    /// There is no key to seal with.
    #[error("no key to seal with")]
    NoKey,
    /// A rule of the topic does not admit it.
    #[error("the topic's rules do not admit it: {0}")]
    Refused(lace::Rule),
    /// Somebody took back the right to write such a thing, or the device's seat, and this home knows.
    #[error("what this device writes from now on is cut off")]
    CutOff,
    /// It cannot be written here, with the reason.
    #[error("the topic's rules do not admit it: {0}")]
    Inadmissible(String),
}

/// Why an invite box is not put. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PutBoxError {
    /// See [`Unknown`].
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// No member would keep it: it is not signed, for this topic, by a device that may let people
    /// in.
    #[error("the box is not signed by a device that may let people in")]
    NotInviter,
}

/// Why an answer to a claim is not put. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PutAnswerError {
    /// See [`Unknown`].
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// Nobody would keep it: it is not signed, for this topic, by a device that has welcomed the
    /// claimer, there is no such claim, or better answers are kept.
    #[error("the answer is to no claim that is here, or is one too many")]
    NotKept,
}

/// A claim of an attended invite that is kept for those who may admit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenClaim {
    /// Its hash, by which a grant welcomes it.
    pub hash: [u8; 32],
    /// The claim.
    pub claim: wire::Claim,
    /// Whether it was first seen here after the end of its invite, by a confirmed clock.
    pub is_late: bool,
    /// Whether somebody has welcomed it with as much as the invite gives, or its inviter has.
    pub is_welcomed: bool,
    /// The devices that have welcomed it, with however little.
    pub givers: std::collections::BTreeSet<identity::PublicKey>,
}

/// An invite box that members keep for joiners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteBox {
    /// The topic it belongs to.
    pub topic: Local,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// Until when it stands, milliseconds since 1970.
    pub until: u64,
}

/// A topic at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its id.
    pub id: TopicId,
    /// What this node is in it.
    pub role: Role,
    /// In use, left, or being forgotten.
    pub phase: Phase,
    /// Number of the newest line.
    pub last_line: u64,
    /// Number of the last confirmed line.
    pub confirmed: u64,
    /// Envelopes admitted.
    pub envelopes: u64,
    /// Envelopes without lines, because a body is missing: theirs or one that they depend on.
    pub waiting: usize,
    /// Envelopes that wait for their past.
    pub parked: usize,
    /// Links on which the topic is proven.
    pub links: usize,
    /// Devices that take part.
    pub members: usize,
    /// The title that the founder gave it.
    pub title: Option<String>,
}
