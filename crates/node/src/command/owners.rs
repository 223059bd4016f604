//! The owners of a topic, and what several devices decide together.

use super::{MemberRight, Right};
use identity::TopicId;

/// What is asked about owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnersCommand {
    /// `way topic create NAME --owners KofN`: founds a topic that is to have so many owners, of whom so many
    /// decide together about the owners.
    Create {
        /// The topic's name.
        name: String,
        /// How many it takes.
        threshold: u8,
        /// How many there are to be, this one included.
        count: u8,
        /// Whether anybody may read it.
        public: bool,
        /// Most messages a minute of whoever is let in with no other rate.
        messages: Option<u32>,
    },
    /// `way owners list TOPIC`.
    List {
        /// Which.
        topic: String,
    },
    /// `way owners pending`: what waits for signatures, in all topics.
    Pending,
    /// `way owners sign ID`.
    Sign {
        /// The proposal: hexadecimal digits, a unique prefix is enough.
        id: String,
    },
    /// `way owners propose TOPIC`: other devices, or another number of them that it takes.
    Propose {
        /// Where.
        topic: String,
        /// Members who are to become owners: by name, key or a unique prefix of one.
        add: Vec<String>,
        /// Owners who are to be none any more.
        remove: Vec<String>,
        /// How many it takes afterwards; as many as before if nothing is said.
        threshold: Option<u8>,
    },
}

/// What is answered about owners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnersReply {
    /// To [`OwnersCommand::Create`].
    Created {
        /// The topic.
        topic: TopicId,
        /// Its local name.
        name: String,
        /// A link for each of the other owners.
        links: Vec<String>,
        /// Until when they can be used (ms).
        until: u64,
    },
    /// To [`OwnersCommand::List`].
    List(Owners),
    /// To [`OwnersCommand::Pending`].
    Pending(Vec<Proposal>),
    /// To [`OwnersCommand::Sign`] and [`OwnersCommand::Propose`]; and to a grant or a revocation that
    /// several owners have to sign.
    Signed(Proposal),
}

/// The owners of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owners {
    /// The topic.
    pub topic: TopicId,
    /// Its local name.
    pub name: String,
    /// How many it takes to change them.
    pub threshold: u8,
    /// Their devices.
    pub devices: Vec<Owner>,
    /// What is still missing of what was planned when the topic was founded, in sentences.
    pub missing: Vec<String>,
}

/// The device of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The device key in text.
    pub device: String,
    /// Its name; may be empty.
    pub name: String,
    /// Whether it is this device.
    pub own: bool,
}

/// Something that waits for signatures, or has just got its last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Which: hexadecimal digits.
    pub id: String,
    /// Where.
    pub topic: TopicId,
    /// The topic's local name.
    pub name: String,
    /// What it does, in words.
    pub text: String,
    /// What it gives.
    pub gives: Vec<ProposedGrant>,
    /// What it takes back.
    pub takes: Vec<ProposedEnd>,
    /// Since when it waits (ms), as was told.
    pub since: u64,
    /// Who has signed.
    pub signed: Vec<Owner>,
    /// Who may still sign.
    pub waits_for: Vec<Owner>,
    /// How many signatures are missing.
    pub lacks: u32,
    /// Whether it is published.
    pub done: bool,
}

/// Rights that owners give together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedGrant {
    /// To which member, in text.
    pub member: String,
    /// Its name; may be empty.
    pub name: String,
    /// What.
    pub rights: Vec<MemberRight>,
    /// Messages a minute, if they are limited.
    pub messages: Option<u32>,
    /// Bytes a minute, if they are limited.
    pub bytes: Option<u32>,
}

/// A grant or an invite that owners take back together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedEnd {
    /// Which, in text.
    pub grant: String,
    /// Whose it is; nobody's where it is an invite.
    pub name: String,
    /// These rights alone; all where none is named.
    pub only: Vec<Right>,
    /// Whether what was given out of it ends as well.
    pub cascade: bool,
}
