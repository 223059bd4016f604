//! The devices of a person: what may be asked, and what is answered.

use identity::{NodeId, TopicId};

/// What is asked about devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceCommand {
    /// `way device invite`: a link for another device.
    Invite,
    /// `way device join LINK`: this computer becomes a device of whoever made the link. Answered when all
    /// topics have been handed over, or `timeout_ms` ran out.
    Join {
        /// The link.
        link: String,
        /// How long to wait.
        timeout_ms: u64,
    },
    /// `way device list`.
    List,
    /// `way device remove DEVICE`: in one topic, or in all.
    Remove {
        /// By name, node, key in a topic, or a unique prefix of one.
        device: String,
        /// One topic; all if there is none.
        topic: Option<String>,
    },
    /// `way device branches`: acts of which one alone can count, since devices have changed a member's devices at
    /// once.
    Branches {
        /// One topic; all if there is none.
        topic: Option<String>,
    },
    /// `way device choose TOPIC ACT`: decides for one of them.
    Choose {
        /// Where.
        topic: String,
        /// The act: hexadecimal digits, a unique prefix is enough.
        act: String,
    },
}

/// What is answered about devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceReply {
    /// To [`DeviceCommand::Invite`].
    Invited {
        /// The link.
        link: String,
        /// Until when it can be used (ms).
        until: u64,
    },
    /// To [`DeviceCommand::Join`].
    Joined {
        /// The other device's node.
        node: NodeId,
        /// Its name.
        name: String,
        /// Topics that it handed over.
        topics: u32,
    },
    /// To [`DeviceCommand::List`].
    List(Vec<DeviceRow>),
    /// To [`DeviceCommand::Remove`].
    Removed {
        /// What was removed, as a person knows it.
        device: String,
        /// Names of the topics in which it was removed.
        topics: Vec<String>,
        /// Where it was not, and why.
        failed: Vec<(String, String)>,
    },
    /// To [`DeviceCommand::Branches`]: those that follow one state beside one another, that which counts first.
    Branches(Vec<Branch>),
    /// To [`DeviceCommand::Choose`].
    Chosen {
        /// The act.
        act: String,
        /// Whether this device decided from above; else it has signed as one of the member's devices.
        countersigned: bool,
        /// Whether the act counts now.
        counts: bool,
    },
}

/// One of several acts that follow one state of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Where.
    pub topic: TopicId,
    /// The topic's local name.
    pub name: String,
    /// The member, in text.
    pub member: String,
    /// Whether this device is of it.
    pub own: bool,
    /// Which act, in hexadecimal digits.
    pub act: String,
    /// Whether it counts.
    pub counts: bool,
    /// Names of the devices that it adds.
    pub adds: Vec<String>,
    /// Names of those that it removes.
    pub removes: Vec<String>,
    /// Names of those that have signed it to decide.
    pub signed: Vec<String>,
    /// What this device can do for it.
    pub may: Choice,
}

/// What a device can do for an act that competes with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Nothing: it has signed it, would lose its seat by it, or is none of those who may.
    Nothing,
    /// Sign it, as one of the member's devices.
    Sign,
    /// Decide from above.
    Countersign,
}

/// A device of the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its name.
    pub name: String,
    /// Its node, where that is known.
    pub node: Option<NodeId>,
    /// Whether it is this one.
    pub own: bool,
    /// Whether a link with it is up.
    pub linked: bool,
    /// Since when it is known (ms), as another device of the person.
    pub since: Option<u64>,
    /// When it last spoke or wrote (ms).
    pub seen: Option<u64>,
    /// Its part in topics.
    pub topics: Vec<DeviceTopic>,
}

/// A device in one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceTopic {
    /// Which.
    pub topic: TopicId,
    /// Its local name.
    pub name: String,
    /// The device key in text.
    pub device: String,
    /// Whether it may act for the person there.
    pub seated: bool,
    /// How much of the person's rates it may spend, of 256.
    pub share: u16,
    /// When it got its seat (ms), where an act says so.
    pub since: Option<u64>,
    /// When it last wrote (ms).
    pub seen: Option<u64>,
    /// Acts that follow the same state as one that counts, in hexadecimal digits, with that one: two devices
    /// have changed the person's devices at once.
    pub ties: Vec<(String, String)>,
}
