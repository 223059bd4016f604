//! Public topics: founded, and where they are found.

use identity::TopicId;

/// What is asked about public topics beside what is asked of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicCommand {
    /// `way topic create NAME --public`.
    Create {
        /// The topic's name.
        name: String,
        /// Messages a minute of everybody who is let in with no other rate, from 1; none is without limit.
        messages: Option<u32>,
    },
    /// `way topic link TOPIC`.
    Link {
        /// Which.
        topic: String,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicReply {
    /// To [`PublicCommand::Link`].
    Link {
        /// The topic.
        topic: TopicId,
        /// The link: `way:topic/…`.
        link: String,
        /// How many nodes it names: with none it is found where others are asked who have it.
        nodes: u32,
    },
}
