//! What is simulated, spelt out: every node, every link's quality, everything that people do and
//! everything that goes wrong, with its time.
//!
//! A scenario or a seed is expanded into a plan; a failing plan is made smaller and kept as a file.
//! Nothing that happens depends on anything else than the plan and its seed. What is drawn at run
//! time (jitter, losses, keys) comes from the seed and the place where it is used, so that leaving
//! one thing out changes little else.

#![expect(
    missing_docs,
    reason = "the fields of variants are described with their variant"
)]

mod check;
#[cfg(test)]
mod tests;

use crate::scenario::limits::MAX_WRITTEN;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A number of a node in [`Plan::nodes`].
pub type NodeNo = u32;
/// A number of a topic in [`Plan::topics`].
pub type TopicNo = u32;
/// A number of a site in [`Plan::sites`].
pub type SiteNo = u32;

/// Milliseconds since 1970 at which every simulated world begins: 2026-11-20.
pub const START_MS: u64 = 1_795_132_800_000;

/// One simulated world from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// What it is called.
    pub name: String,
    /// From which everything is drawn that the plan does not fix.
    #[serde(with = "large")]
    pub seed: u64,
    /// How long people act and faults happen, in milliseconds of simulated time.
    pub length_ms: u64,
    /// The stated time in which everybody who can reach one another converges once all faults have
    /// stopped, in milliseconds. 0: that phase is left out.
    pub converge_ms: u64,
    /// Places with a network of their own.
    pub sites: Vec<Site>,
    /// Who takes part.
    pub nodes: Vec<NodePlan>,
    /// What they talk in.
    pub topics: Vec<TopicPlan>,
    /// What happens, in the order of time.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// Numbers of 64 bits in TOML, whose integers have a sign: above 2^63 - 1 as a text.
mod large {
    use serde::de::{Error, Unexpected, Visitor};
    use serde::{Deserializer, Serializer};
    use std::fmt;

    pub(super) fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        match i64::try_from(*number) {
            Ok(small) => to.serialize_i64(small),
            Err(_) => to.serialize_str(&number.to_string()),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        from.deserialize_any(Number)
    }

    struct Number;

    impl Visitor<'_> for Number {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a number from 0 to 2^64 - 1")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
            Ok(number)
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
            u64::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
            text.parse()
                .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
        }
    }
}

/// A place with a network of its own: a home, a hall, an island; or the open Internet itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// What it is called.
    pub name: String,
    /// The network inside.
    pub inside: Path,
    /// The way to the rest of the world; none for an island.
    #[serde(default)]
    pub uplink: Option<Path>,
    /// Whether others may dial into it from outside: false behind NAT or a firewall.
    #[serde(default)]
    pub open: bool,
    /// Whether everybody in it is behind a router of their own: neighbours then meet outside alone,
    /// and nobody can dial anybody here.
    #[serde(default)]
    pub apart: bool,
}

/// How packets fare one way. Frames are cut into packets; what is lost is sent again after a round
/// trip and holds up what follows it on the same link, as QUIC does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Path {
    /// Time of travel, one way, in microseconds.
    pub latency_us: u64,
    /// Up to so much more, evenly drawn for each packet, in microseconds.
    pub jitter_us: u64,
    /// Packets lost, of a million.
    pub loss_ppm: u32,
    /// Packets that arrive twice, of a million: they cost bandwidth.
    pub duplicate_ppm: u32,
    /// Packets, of a million, that are late by a further latency and arrive behind their successors.
    pub reorder_ppm: u32,
    /// Kilobits a second; 0 for more than anybody uses.
    pub kbit: u64,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            latency_us: 1_000,
            jitter_us: 0,
            loss_ppm: 0,
            duplicate_ppm: 0,
            reorder_ppm: 0,
            kbit: 0,
        }
    }
}

/// What kind of node it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// An edge node with a person before it, who reads what comes.
    Person,
    /// A core node.
    Core,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodePlan {
    /// Its name, unlike all others.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// Where it is at the beginning.
    pub site: SiteNo,
    /// The core nodes that it uses, by their numbers.
    #[serde(default)]
    pub uses: Vec<NodeNo>,
    /// When it starts for the first time, in milliseconds; core nodes and founders start at 0.
    #[serde(default)]
    pub starts_ms: u64,
    /// How long its disk takes to make a commit durable, in microseconds.
    #[serde(default)]
    pub commit_us: u64,
    /// How far its clock is from the right time at the beginning, in milliseconds.
    #[serde(default)]
    pub skew_ms: i64,
    /// How much its clock goes fast, in millionths; negative for slow.
    #[serde(default)]
    pub drift_ppm: i32,
    /// Whether it relies on its clock without asking anybody. Never true where the clock is wrong.
    #[serde(default)]
    pub trust_clock: bool,
    /// Bytes of its disk; 0 without end.
    #[serde(default)]
    pub disk: u64,
    /// On a core node: bytes that each client may have held; 0 for the default.
    #[serde(default)]
    pub quota: u64,
    /// How long after something came the person reads it, in milliseconds.
    #[serde(default)]
    pub reads_after_ms: u64,
    /// How it lies, for as long as faults last. Empty for an honest node.
    #[serde(default)]
    pub lies: Vec<Lie>,
    /// It is a copy of this node, which [`Act::Clone`] brings to life.
    #[serde(default)]
    pub twin_of: Option<NodeNo>,
    /// It is another device of this person, once [`Act::Pair`] has made it one. It stands in no topic of
    /// the plan: it is given those of the person.
    #[serde(default)]
    pub device_of: Option<NodeNo>,
}

/// How a lying node treats what it sends. Each is tried on one frame in `one_in`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lie {
    /// The kind of lie.
    pub kind: LieKind,
    /// How often: one frame in so many that it fits.
    pub one_in: u32,
    /// How often it writes something of its own at most, with its keys or its invite: of the kinds that
    /// do. Whatever it wrote is kept for as long as the topic.
    #[serde(default = "most")]
    pub most: u32,
}

/// What [`Lie::most`] is where nothing is said of it.
pub(crate) const fn most() -> u32 {
    MAX_WRITTEN
}

/// What a lying node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LieKind {
    /// Changes the signature of an envelope or receipt.
    BadSignature,
    /// Signs a second envelope with a number that it has used.
    Fork,
    /// Says again what it said long ago, on any link.
    Replay,
    /// Repeats a frame a hundred times.
    Flood,
    /// Leaves bodies out, and gives no blocks.
    Withhold,
    /// Swallows the frame.
    Silent,
    /// Signs a receipt for what it does not have.
    FalseReceipt,
    /// Sends a body, header or block that does not belong to the id.
    PoisonedId,
    /// Flips a bit.
    Garble,
    /// Brings the first envelope of somebody whom nobody has let in.
    Outsider,
    /// Once the plan has somebody take its rights: goes on with its keys as if nothing had
    /// happened. From places on its chains it writes messages, gives rights to devices that it
    /// makes up, takes and closes those of others, and dates all of it back.
    StolenKey,
    /// Signs a second first envelope, and one that follows it.
    ForkFirst,
    /// Goes on with its chain by an envelope that names an id which nothing has.
    InventedDep,
    /// Claims the invite by which it came for device after device that it makes up.
    LeakedLink,
    /// Throws blocks of files away that it was given, and goes on as if it had them.
    Drop,
}

impl LieKind {
    /// Every kind, with the word under which it is written.
    pub const ALL: [(&'static str, Self); 15] = [
        ("bad-signature", Self::BadSignature),
        ("fork", Self::Fork),
        ("replay", Self::Replay),
        ("flood", Self::Flood),
        ("withhold", Self::Withhold),
        ("silent", Self::Silent),
        ("false-receipt", Self::FalseReceipt),
        ("poisoned-id", Self::PoisonedId),
        ("garble", Self::Garble),
        ("outsider", Self::Outsider),
        ("stolen-key", Self::StolenKey),
        ("fork-first", Self::ForkFirst),
        ("invented-dep", Self::InventedDep),
        ("leaked-link", Self::LeakedLink),
        ("drop", Self::Drop),
    ];
}

/// One topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicPlan {
    /// Its name, unlike all others.
    pub name: String,
    /// Who creates it, at the beginning.
    pub founder: NodeNo,
    /// Who is invited, without the founder. Each joins by a step of its own.
    pub members: Vec<NodeNo>,
    /// Whether each is given an invite of its own, and not one and the same.
    #[serde(default)]
    pub personal: bool,
    /// Whether anybody may read it. Members are those who may write.
    #[serde(default)]
    pub public: bool,
    /// Of a public topic: who reads it without being let in. Each begins by a step of its own, with
    /// [`Act::Join`].
    #[serde(default)]
    pub readers: Vec<NodeNo>,
}

impl TopicPlan {
    /// Who is shown what is written, the founder included.
    pub(crate) fn audience(&self) -> usize {
        1 + self.members.len() + self.readers.len()
    }
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When, in milliseconds since the beginning.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub act: Act,
}

/// Where a fault of the network lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// At one node.
    Node(NodeNo),
    /// At all nodes of a site.
    Site(SiteNo),
}

/// A right in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Right {
    /// To write messages.
    Publish,
    /// To be given the keys of what is written meanwhile.
    Read,
    /// To let others in, and to give and take rights.
    Admit,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Publish, Self::Read, Self::Admit];

    /// The word under which it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Read => "read",
            Self::Admit => "admit",
        }
    }
}

/// What happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "act", deny_unknown_fields)]
pub enum Act {
    /// A person joins a topic by its invite, or begins to read a public one by its link or its id.
    /// Tried again until it succeeds.
    Join { node: NodeNo, topic: TopicNo },
    /// A person sends `count` messages of `bytes` bytes each to a topic in one command; they expire
    /// after `expires_ms` unless that is 0. With `file` above 0 it is one file of so many bytes instead;
    /// files of one length are the same, and a topic has one set of blocks for them.
    Send {
        node: NodeNo,
        topic: TopicNo,
        bytes: u32,
        count: u32,
        #[serde(default)]
        expires_ms: u64,
        #[serde(default)]
        file: u32,
    },
    /// A person writes to another node.
    Mail {
        node: NodeNo,
        to: NodeNo,
        bytes: u32,
        best_effort: bool,
    },
    /// A person leaves a topic for good.
    Leave { node: NodeNo, topic: TopicNo },
    /// A person gives rights in a topic to another one who takes part, with at most so many messages
    /// a minute; 0 for as many as it likes. What the node declines is not done.
    Grant {
        node: NodeNo,
        topic: TopicNo,
        to: NodeNo,
        rights: Vec<Right>,
        #[serde(default)]
        per_minute: u32,
    },
    /// A person takes these rights back from another one; all if none is named. With `cascade` what
    /// that one gave to others ends too. What the node declines is not done.
    Revoke {
        node: NodeNo,
        topic: TopicNo,
        whom: NodeNo,
        #[serde(default)]
        rights: Vec<Right>,
        #[serde(default)]
        cascade: bool,
    },
    /// A person makes another node a device of theirs, by a link. Tried again until it is one.
    Pair { node: NodeNo, device: NodeNo },
    /// A person removes a device of theirs from all topics, if it is one. What the node declines is not done.
    Unpair { node: NodeNo, device: NodeNo },
    /// A person begins to use a core node more, which lets them in. Tried again until it is agreed.
    UseCore { node: NodeNo, core: NodeNo },
    /// A person leaves a core node for others, which take its place first. Tried again for as long as there
    /// is none.
    LeaveCore { node: NodeNo, core: NodeNo },
    /// A node says goodbye and stops.
    Away { node: NodeNo },
    /// A node that is down starts.
    Back { node: NodeNo },
    /// A node stops dead after so many further effects; what was not durable is lost.
    Crash { node: NodeNo, effects: u32 },
    /// The next commit of a node fails.
    FailCommit { node: NodeNo },
    /// A node stops dead, and its disk has lost the last `batches` commits, though it had said that
    /// they were durable.
    TearTail { node: NodeNo, batches: u32 },
    /// A copy of a home is put aside.
    Backup { node: NodeNo },
    /// A node stops dead and starts over the copy that was put aside. If it is not `noticed`, the
    /// marker outside the home was set back with it: the whole machine.
    Restore { node: NodeNo, noticed: bool },
    /// The node's twin starts over a copy of its home as it is now, and runs beside it. If it is not
    /// `noticed`, the marker was copied too.
    Clone {
        node: NodeNo,
        twin: NodeNo,
        noticed: bool,
    },
    /// The clock of a node is set: so far from the right time, in milliseconds.
    Clock { node: NodeNo, skew_ms: i64 },
    /// A disk gets this size; 0 without end.
    Disk { node: NodeNo, bytes: u64 },
    /// Packets from one place to another are lost; with `both`, also those back.
    Cut { from: Place, to: Place, both: bool },
    /// Ends every [`Act::Cut`] between two places, in both directions.
    Mend { from: Place, to: Place },
    /// A node goes to another site, with its state.
    Move { node: NodeNo, site: SiteNo },
    /// The network of a site changes.
    Weather {
        site: SiteNo,
        inside: Path,
        uplink: Option<Path>,
    },
    /// All links between two nodes end at once.
    Tear { a: NodeNo, b: NodeNo },
    /// An outsider dials a node so many times at once, and on each link says so many things that mean
    /// nothing or that it made up.
    Raid {
        node: NodeNo,
        on: NodeNo,
        links: u32,
        frames: u32,
    },
}

impl Act {
    /// Whether it is something that goes wrong, and not something that people do.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        !matches!(
            self,
            Self::Join { .. }
                | Self::Send { .. }
                | Self::Mail { .. }
                | Self::Leave { .. }
                | Self::Grant { .. }
                | Self::Revoke { .. }
                | Self::Pair { .. }
                | Self::Unpair { .. }
                | Self::UseCore { .. }
                | Self::LeaveCore { .. }
                | Self::Away { .. }
                | Self::Back { .. }
        )
    }
}

impl Plan {
    /// Whether people share files in it.
    #[must_use]
    pub fn has_files(&self) -> bool {
        let shares = |step: &Step| matches!(step.act, Act::Send { file: 1.., .. });
        self.steps.iter().any(shares)
    }

    /// Whether people change their core nodes in it.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        let changes = |step: &Step| matches!(step.act, Act::UseCore { .. } | Act::LeaveCore { .. });
        self.steps.iter().any(changes)
    }

    /// Who ever uses a core node.
    #[must_use]
    pub fn clients_of(&self, core: NodeNo) -> BTreeSet<NodeNo> {
        let nodes = (0..).zip(&self.nodes);
        let first = nodes.filter(|(_, node)| node.uses.contains(&core));
        let later = self.steps.iter().filter_map(|step| match step.act {
            Act::UseCore { node, core: no } if no == core => Some(node),
            _ => None,
        });
        first.map(|(no, _)| no).chain(later).collect()
    }

    /// The core nodes that each node uses when the plan is over.
    #[must_use]
    pub fn uses_at_last(&self) -> Vec<Vec<NodeNo>> {
        let uses = self.nodes.iter().map(|node| node.uses.clone());
        let mut uses: Vec<Vec<NodeNo>> = uses.collect();
        for step in &self.steps {
            match step.act {
                Act::UseCore { node, core } if !uses[node as usize].contains(&core) => {
                    uses[node as usize].push(core);
                }
                Act::LeaveCore { node, core } => uses[node as usize].retain(|no| *no != core),
                _ => {}
            }
        }
        uses
    }
}

impl NodePlan {
    /// Whether it always tells the truth.
    #[must_use]
    pub const fn is_honest(&self) -> bool {
        self.lies.is_empty()
    }
}
