//! Frames: what a link carries, `[type, fields]` each.

mod code;
pub(crate) mod read;
mod topic;
mod topic_codec;
mod write;

pub use code::Code;
pub use topic::{TopicFrame, meeting_hash};

use identity::{EnvelopeId, GrantId, NodeId, PublicKey, Secret, Signature, TopicId};

use crate::envelope::Raw;
use crate::item::Claim;
use crate::signed::RawStatement;
use crate::ticket::Ticket;

/// A core node that holds a topic for somebody else, told to one's own core node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CorePeer {
    /// Which.
    pub node: NodeId,
    /// Where it can be reached.
    pub uri: String,
    /// Lets one's own core node fetch there.
    pub ticket: Ticket,
}

/// What a client uses at its core node of one topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TopicUsage {
    /// Which.
    pub topic: TopicId,
    /// Bytes of the client's quota that the topic may use.
    pub share: u64,
    /// Bytes that the client itself uses of it.
    pub own: u64,
    /// Bytes that others use of it, on the client's quota.
    pub guests: u64,
}

/// What a refusal is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Subject {
    /// The link as a whole.
    Link,
    /// A topic.
    Topic(TopicId),
    /// An invite's box, by locator.
    Box([u8; 32]),
    /// A unicast envelope, by id.
    Mail(EnvelopeId),
}

/// One frame of a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// 0: the first frame of each side.
    Hello {
        /// Lowest version spoken.
        min: u16,
        /// Highest version spoken.
        max: u16,
        /// The sender's clock, milliseconds since 1970.
        wall: u64,
        /// Version of the sender's newest advert.
        advert: u32,
        /// Name and version of the program.
        software: String,
    },
    /// 1: the sender closes the link.
    Bye {
        /// Why.
        code: Code,
        /// Why, for people.
        text: String,
    },
    /// 2: asks for a pong.
    Ping {
        /// Repeated in the pong.
        nonce: u64,
    },
    /// 3: answers a ping.
    Pong {
        /// The ping's.
        nonce: u64,
    },
    /// 4: a signed [`NodeAdvert`](crate::NodeAdvert), the sender's unless it was asked otherwise.
    Advert(RawStatement),
    /// 5: asks for the other's advert.
    AdvertAsk,
    /// 6: proves common topics to who knows them, shows random bytes to who does not.
    Tags {
        /// Which round.
        round: u32,
        /// Sorted, 16 to 512, a power of two many.
        tags: Vec<[u8; 16]>,
    },
    /// 7: a device shows itself in a topic whose tag matched.
    Show {
        /// Which.
        tag: [u8; 16],
        /// The device.
        device: PublicKey,
        /// Its grant.
        grant: GrantId,
        /// The claim of a device that has not written yet.
        claim: Option<Claim>,
        /// Over the link and the topic, by the device.
        signature: Signature,
    },
    /// 8: asks for the envelopes that prove a shown grant.
    GrantAsk {
        /// Which.
        grant: GrantId,
    },
    /// 9: answers it.
    GrantProof {
        /// Which.
        grant: GrantId,
        /// In causal order.
        envelopes: Vec<Raw>,
    },
    /// 10: shows a topic to a core node that serves it.
    AtCore {
        /// Names the topic to who has its core secret.
        token: [u8; 16],
        /// Proves the core secret on this link.
        tag: [u8; 16],
        /// Device, grant or ticket, and signature, sealed under the core secret.
        sealed: Vec<u8>,
    },
    /// 11: asks for an invite's box.
    InviteGet {
        /// Its locator.
        loc: [u8; 32],
    },
    /// 12: answers it, with random bytes when there is none.
    InviteBox {
        /// Its locator.
        loc: [u8; 32],
        /// Always 2 KiB.
        sealed: Vec<u8>,
    },
    /// 13: a client deposits an invite's box.
    BoxPut {
        /// Its locator.
        loc: [u8; 32],
        /// Always 2 KiB.
        sealed: Vec<u8>,
        /// Until when, milliseconds since 1970; a time that has passed removes it.
        until: u64,
    },
    /// 14: takes up an operator's invite.
    CoreClaim {
        /// Names the invite.
        token: [u8; 16],
        /// Proves its key on this link.
        mac: [u8; 32],
    },
    /// 15: the sender is a client from now on, or still.
    CoreAgreed {
        /// Bytes it may use.
        quota: u64,
        /// Bytes it uses.
        used: u64,
        /// Topics it may have served.
        topics: u32,
        /// Longest hold in milliseconds.
        max_hold: u64,
        /// When the core node ends, milliseconds since 1970; 0 is not said.
        retires: u64,
    },
    /// 16: it is not.
    CoreRefused {
        /// Why.
        code: Code,
        /// Why, for people.
        text: String,
        /// When to ask again, milliseconds since 1970; 0 is never.
        retry: u64,
    },
    /// 17: a client asks its core node to serve a topic.
    CoreServe {
        /// Which.
        topic: TopicId,
        /// Its genesis.
        genesis: Vec<u8>,
        /// Its core secret.
        secret: Secret,
        /// Bytes of the client's quota that the topic may use.
        share: u64,
    },
    /// 18: it does.
    CoreServing {
        /// Which.
        topic: TopicId,
    },
    /// 19: it need not any more.
    CoreUnserve {
        /// Which.
        topic: TopicId,
    },
    /// 20: where else the topic is held, replacing what was told before.
    CorePeers {
        /// Which.
        topic: TopicId,
        /// At most 16.
        peers: Vec<CorePeer>,
    },
    /// 21: about a topic that has been shown.
    Topic {
        /// Which.
        topic: TopicId,
        /// What.
        frame: TopicFrame,
    },
    /// 22: a unicast envelope.
    Mail(Raw),
    /// 23: a signed [`MailReceipt`](crate::MailReceipt).
    MailReceipt(RawStatement),
    /// 24: the sender will not do what was asked.
    Refused {
        /// About what.
        subject: Subject,
        /// Why.
        code: Code,
        /// Why, for people.
        text: String,
        /// When to ask again, milliseconds since 1970; 0 is never.
        retry: u64,
    },
    /// 25: who takes part in a topic shows it to who may know an older secret of it alone, or answers;
    /// to everybody else it is random bytes.
    Identify {
        /// Which of the two.
        step: IdentifyStep,
        /// Always [`IDENTIFY_LEN`](crate::limits::IDENTIFY_LEN) bytes.
        sealed: Vec<u8>,
    },
    /// 26: claims an attended invite at a node that keeps its box.
    ClaimPut {
        /// The box's locator.
        loc: [u8; 32],
        /// The claim.
        claim: Claim,
    },
    /// 27: the answer to a claim, or random bytes when there is none.
    ClaimAnswer {
        /// The box's locator.
        loc: [u8; 32],
        /// The claim: [`Claim::hash`].
        claim: [u8; 32],
        /// Always 2 KiB.
        sealed: Vec<u8>,
    },
    /// 28: asks for the answer to a claim.
    ClaimAsk {
        /// The box's locator.
        loc: [u8; 32],
        /// The claim: [`Claim::hash`].
        claim: [u8; 32],
    },
    /// 29: how much a client uses of what its core node agreed to.
    CoreUsage {
        /// Bytes it may use.
        quota: u64,
        /// Bytes it uses.
        used: u64,
        /// Headers held for it, in bytes.
        headers: u64,
        /// Bytes of headers it may have held.
        header_quota: u64,
        /// Its topics, at most 16, strictly ascending.
        topics: Vec<TopicUsage>,
    },
    /// 30: between two devices of one person.
    Pair {
        /// Under which key it is sealed.
        step: PairStep,
        /// A [`PairMessage`](crate::PairMessage), at most [`MAX_PAIR`](crate::limits::MAX_PAIR) bytes.
        sealed: Vec<u8>,
    },
}

/// Under which key a message between two devices is sealed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PairStep {
    /// The first of who has a link: under the key of its seed.
    Seed = 0,
    /// The first of who knows the other device: under the key that both keep.
    Known = 1,
    /// A later one, under that key.
    On = 2,
}

/// Which half of identifying a frame is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum IdentifyStep {
    /// Asks a peer that is expected to take part.
    Question = 0,
    /// Answers a question: every one, whatever was in it.
    Answer = 1,
}

impl IdentifyStep {
    /// The byte that stands for it, on the wire and in what is sealed.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self as u8
    }
}

impl Frame {
    /// What is answered to whoever has proved nothing yet, whatever the reason: the same bytes for
    /// all, so that they say nothing about what is here.
    pub const fn refused_stranger() -> Self {
        Self::Refused {
            subject: Subject::Link,
            code: Code::STRANGER,
            text: String::new(),
            retry: 0,
        }
    }

    /// The number of its type.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Hello { .. } => 0,
            Self::Bye { .. } => 1,
            Self::Ping { .. } => 2,
            Self::Pong { .. } => 3,
            Self::Advert(_) => 4,
            Self::AdvertAsk => 5,
            Self::Tags { .. } => 6,
            Self::Show { .. } => 7,
            Self::GrantAsk { .. } => 8,
            Self::GrantProof { .. } => 9,
            Self::AtCore { .. } => 10,
            Self::InviteGet { .. } => 11,
            Self::InviteBox { .. } => 12,
            Self::BoxPut { .. } => 13,
            Self::CoreClaim { .. } => 14,
            Self::CoreAgreed { .. } => 15,
            Self::CoreRefused { .. } => 16,
            Self::CoreServe { .. } => 17,
            Self::CoreServing { .. } => 18,
            Self::CoreUnserve { .. } => 19,
            Self::CorePeers { .. } => 20,
            Self::Topic { .. } => 21,
            Self::Mail(_) => 22,
            Self::MailReceipt(_) => 23,
            Self::Refused { .. } => 24,
            Self::Identify { .. } => 25,
            Self::ClaimPut { .. } => 26,
            Self::ClaimAnswer { .. } => 27,
            Self::ClaimAsk { .. } => 28,
            Self::CoreUsage { .. } => 29,
            Self::Pair { .. } => 30,
        }
    }
}
