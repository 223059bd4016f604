//! Core nodes, and their clients.

use identity::{NodeId, OperatorTag, TopicId};

/// A client of this core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Who.
    pub id: NodeId,
    /// Its quota in bytes.
    pub quota: u64,
    /// Bytes held for it and its guests.
    pub used: u64,
    /// Topics held for it.
    pub topics: u32,
    /// Whether it is still served.
    pub allowed: bool,
    /// Wall time (ms) of the agreement.
    pub since: u64,
}

/// A core that this node uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// Who.
    pub id: NodeId,
    /// Where.
    pub address: String,
    /// `agreed`, `asking`, `refused`, `leaving`.
    pub state: String,
    /// Agreed quota in bytes.
    pub quota: u64,
    /// Bytes used, as the core last said.
    pub used: u64,
    /// Whether a link is up.
    pub linked: bool,
    /// How many topics it serves for this node.
    pub topics: u32,
    /// Bytes of headers that it holds, as it last said.
    pub headers: u64,
    /// Bytes of headers that it holds at most, a part of the quota; 0 before it has said so.
    pub header_quota: u64,
    /// What topics use of their shares, as it last said: the largest, and those nearly full.
    pub shares: Vec<CoreShare>,
    /// When it last said what is used (ms).
    pub said: Option<u64>,
    /// Why it refuses, in its words.
    pub reason: Option<String>,
    /// Since when it refuses (ms).
    pub refused_since: Option<u64>,
    /// Of an agreement that was ended: when the last of its promises is over at the latest (ms).
    pub held_until: Option<u64>,
    /// What to do about a refusal.
    pub hint: Option<String>,
    /// When it ends, as it says (ms).
    pub retires: Option<u64>,
    /// That it did not give what it says it holds: when (ms), and what happened.
    pub broken: Option<(u64, String)>,
    /// Since when there is no link with it (ms).
    pub gone: Option<u64>,
    /// Whose it is, as far as its newest receipt says so.
    pub operator: Option<OperatorTag>,
}

/// What a topic uses at a core, as the core last said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoreShare {
    /// Which.
    pub topic: TopicId,
    /// Its local name.
    pub name: String,
    /// Bytes of the quota that it may use.
    pub share: u64,
    /// Bytes that this node uses of it.
    pub own: u64,
    /// Bytes that others use of it, half of the share at most.
    pub guests: u64,
}
