//! What an application may ask of a node, and what it is answered.
//!
//! These are plain values: the program's control socket, the tests and the simulator use the same
//! ones. Text forms (ids, times, sizes) are the surface's affair; names are resolved by the node,
//! because it knows them.

#![expect(
    missing_docs,
    reason = "the fields of variants are described with their variant"
)]

use identity::{EnvelopeId, NodeId, OperatorTag, TopicId};
use rights::CoreInviteSeed;
use router::Reach;

mod cores;
pub mod devices;
pub mod files;
pub mod owners;
pub mod public;

pub use cores::{Client, Core, CoreShare};

/// Names one request; comes back in its [`Reply`]. Chosen by the surface, unique while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// A topic as a person names it: a local name, a unique prefix of an id, or an id.
pub type TopicRef = String;

/// Where to send: a topic as in [`TopicRef`]; a node by id, unique prefix or name; or an engine of
/// a node, `engine@node`.
pub type Target = String;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `way status`.
    Status,
    /// `way id`.
    Identity,
    /// `way name NAME`: the name that others see; at most 64 bytes.
    SetName { name: String },
    /// `way peer add ADDR`: text form `node1…@host:port`, `quic://node1…@host:port` or
    /// `tls://node1…@host:port`.
    PeerAdd { address: String },
    /// `way peer remove PEER`: by id, unique prefix or name.
    PeerRemove { peer: String },
    /// `way peers`.
    Peers,
    /// `way core invite`.
    CoreInvite { quota: u64, uses: u32 },
    /// `way core allow NODE-ID`.
    CoreAllow { node: String, quota: u64 },
    /// `way core deny NODE-ID`.
    CoreDeny { node: String },
    /// `way core clients`.
    CoreClients,
    /// `way core use LINK-OR-ADDR`.
    CoreUse { link: String },
    /// `way core leave CORE`.
    CoreLeave {
        /// Which.
        core: String,
        /// At once, whether or not another holds what it does.
        now: bool,
    },
    /// `way core retire`: from now on this core node takes no new client and no new topic, promises nothing beyond
    /// a time, and tells its clients.
    CoreRetire {
        /// When it ends (ms); nothing: it does not.
        by: Option<u64>,
    },
    /// `way core list`.
    CoreList,
    /// `way core allow --psk-file`: whoever shows this pre-shared key becomes a client, `uses`
    /// times. Said again it sets quota and uses anew.
    CoreAllowPsk {
        psk: CoreInviteSeed,
        quota: u64,
        uses: u32,
    },
    /// `way core deny --psk-file`: nobody becomes a client by this key any more; clients stay.
    CoreDenyPsk { psk: CoreInviteSeed },
    /// `way core use ADDR --psk-file`.
    CoreUsePsk {
        address: String,
        psk: CoreInviteSeed,
    },
    /// `way topic create NAME`.
    TopicCreate {
        name: String,
        /// Messages a minute of everybody who is let in with no other rate, from 1; none is without limit.
        messages: Option<u32>,
    },
    /// `way topic list`.
    Topics,
    /// `way topic info TOPIC`.
    TopicInfo { topic: TopicRef },
    /// `way members`: who takes part, by what grants.
    Members { topic: TopicRef },
    /// `way grant TOPIC MEMBER`: gives these rights, and no more than so much a minute.
    Grant {
        topic: TopicRef,
        member: String,
        rights: Vec<AskedRight>,
        messages: Option<u32>,
        bytes: Option<u32>,
        /// `--at T`: at this time (ms), and not before.
        at: Option<u64>,
    },
    /// `way revoke TOPIC MEMBER`: takes back these rights, or all. What the member wrote stands, or
    /// what it wrote up to a message does; with `cascade` what it gave to others ends too.
    Revoke {
        topic: TopicRef,
        member: String,
        only: Vec<Right>,
        cut: Option<String>,
        cascade: bool,
    },
    /// `way device …`.
    Device(devices::DeviceCommand),
    /// `way owners …`, and `way topic create --owners`.
    Owners(owners::OwnersCommand),
    /// `way topic create --public`, and `way topic link`.
    Public(public::PublicCommand),
    /// `way share`, `way files`, `way get`.
    Files(files::FilesCommand),
    /// `way topic leave TOPIC`: says so to the others and takes part no longer; what is here stays.
    TopicLeave { topic: TopicRef },
    /// `way topic forget TOPIC`: removes everything of a topic that was left, from this home.
    TopicForget { topic: TopicRef },
    /// `way invite TOPIC`: gives these rights (none: to write and to read, as far as this device
    /// may itself) and no more messages a minute than this. Claimers wait for a welcome, unless
    /// `while_away`.
    Invite {
        topic: TopicRef,
        rights: Vec<AskedRight>,
        messages: Option<u32>,
        uses: u32,
        until: Option<u64>,
        while_away: bool,
    },
    /// First half of `way join`: fetch the invite and say who invites to what. Waits until a node
    /// named in the link answered or `timeout_ms` ran out.
    JoinLook { link: String, timeout_ms: u64 },
    /// Second half of `way join`: take part, under this local name.
    Join {
        link: String,
        name: Option<String>,
        timeout_ms: u64,
    },
    /// `way send TO`: one or many messages, each at most [`crate::MAX_MESSAGE`] bytes. Answered
    /// when they are durable here.
    Send {
        to: Target,
        messages: Vec<Vec<u8>>,
        expires: Option<u64>,
        best_effort: bool,
    },
    /// Waits until the message has reached this state, or the time is over.
    Wait {
        id: String,
        state: WaitFor,
        of: Option<u32>,
        timeout_ms: u64,
    },
    /// `way read TOPIC`: lines after `after` (a line number), at most `limit`.
    Read {
        topic: TopicRef,
        from: ReadFrom,
        limit: u32,
    },
    /// Moves the durable cursor of `way read --new` to this line.
    Confirm { topic: TopicRef, n: u64 },
    /// `way inbox`: unicast messages received, after the number `after`.
    Inbox { after: u64, limit: u32 },
    /// `way ping NODE`: a round trip to the built-in echo engine.
    PingNode { node: String, timeout_ms: u64 },
    /// `way why [ID]`; without an id the last that this home sent.
    Why { id: Option<String> },
}

impl Command {
    /// Whether a node that was asked twice has done no more than one that was asked once: then it may be
    /// asked again when a life of it ends before its answer. What waits waits as long again.
    #[must_use]
    pub const fn only_asks(&self) -> bool {
        use devices::DeviceCommand;
        use files::FilesCommand;
        use owners::OwnersCommand;
        matches!(
            self,
            Self::Status
                | Self::Identity
                | Self::Peers
                | Self::CoreClients
                | Self::CoreList
                | Self::Topics
                | Self::TopicInfo { .. }
                | Self::Members { .. }
                | Self::JoinLook { .. }
                | Self::Wait { .. }
                | Self::Read { .. }
                | Self::Inbox { .. }
                | Self::PingNode { .. }
                | Self::Why { .. }
                | Self::Device(DeviceCommand::List)
                | Self::Owners(OwnersCommand::List { .. })
                | Self::Files(FilesCommand::List { .. })
        )
    }
}

/// Where reading begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// The last `limit` lines.
    Last,
    /// After this line number.
    After(u64),
    /// After the line of this message.
    AfterMessage(String),
    /// From the first line that arrived at this time (ms since the epoch) or later.
    Time(u64),
    /// After the durable cursor.
    Cursor,
}

/// A promise to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WaitFor {
    /// Durable here. Every answer to [`Command::Send`] implies it.
    Stored,
    /// Held by `of` custodians (default 1).
    Held,
    /// Delivered to `of` members (default all of them), or to the one node.
    Delivered,
}

/// Why a command was not carried out. The text says what failed and why, the hint what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub code: Code,
    /// A sentence without a full stop.
    pub message: String,
    /// What to do next; may be empty.
    pub hint: String,
    /// Candidates of an ambiguous name, one a line in text form.
    pub candidates: Vec<String>,
}

/// What the message of a failure says that means: a guest has written all that it may until it is welcomed.
pub const UNWELCOMED: &str = "by a link of the kind while away a device writes";

/// Kinds of failure; the program's exit codes follow from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// It failed for the reason given.
    Failed,
    /// The request was malformed (a bad link, address or id).
    Usage,
    /// A wait ran out; the message is safe.
    NotYet,
    /// Somebody refused: a core, a peer, a rule.
    Refused,
    /// No such topic, node, message or core.
    NotFound,
    /// The name fits several.
    Ambiguous,
    /// The disk is full.
    Full,
}

/// The answer to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done; there is nothing to tell.
    Done,
    /// Not done.
    Failed(Failure),
    /// To [`Command::Status`].
    Status(Status),
    /// To [`Command::Identity`].
    Identity {
        id: NodeId,
        name: String,
        reach: Reach,
        addresses: Vec<String>,
    },
    /// To [`Command::Peers`].
    Peers(Vec<Peer>),
    /// To [`Command::PeerAdd`].
    PeerAdded { id: NodeId },
    /// To [`Command::CoreInvite`].
    CoreInvited { link: String, quota: u64, uses: u32 },
    /// To [`Command::CoreDeny`]: what happens to what is held for the client.
    CoreDenied {
        id: NodeId,
        held_bytes: u64,
        held_until: Option<u64>,
    },
    /// To [`Command::CoreRetire`].
    CoreRetires {
        /// When it ends (ms).
        by: Option<u64>,
        /// When the last promise that it has given ends at the latest (ms).
        promised_until: Option<u64>,
    },
    /// To [`Command::CoreClients`].
    CoreClients(Vec<Client>),
    /// To [`Command::CoreUse`]: the agreement, once the core has answered.
    CoreUsed { id: NodeId, quota: u64 },
    /// To [`Command::CoreList`].
    Cores(Vec<Core>),
    /// To [`Command::TopicCreate`] and [`Command::Join`].
    Topic { id: TopicId, name: String },
    /// To [`Command::Topics`].
    Topics(Vec<TopicRow>),
    /// To [`Command::TopicInfo`].
    TopicInfo(Box<TopicInfo>),
    /// To [`Command::Members`]: from the owners of the topic down; last those who stand no more.
    Members(Vec<Member>),
    /// To [`Command::Grant`]: the member, what it calls itself, and why it will not go over to what it was
    /// given, where that would let it do more and what it writes under does not end.
    Granted {
        grant: String,
        member: String,
        name: String,
        unused: Option<String>,
    },
    /// To [`Command::Grant`] for later: what waits now, until this time (ms).
    Scheduled { member: String, at: u64 },
    /// To [`Command::Revoke`]: what was taken back, and how many others who had claimed the same
    /// invite were given grants of their own.
    Revoked {
        grants: Vec<String>,
        member: String,
        others: u32,
    },
    /// To [`Command::Device`].
    Device(devices::DeviceReply),
    /// To [`Command::Owners`].
    Owners(owners::OwnersReply),
    /// To [`Command::Public`].
    Public(public::PublicReply),
    /// To [`Command::Files`].
    Files(files::FilesReply),
    /// To [`Command::Invite`].
    Invited {
        link: String,
        topic: TopicId,
        uses: u32,
        expires: u64,
        rights: Vec<AskedRight>,
        messages: Option<u32>,
        bytes: Option<u32>,
        attended: bool,
    },
    /// To [`Command::JoinLook`].
    Invitation {
        topic: TopicId,
        topic_name: String,
        inviter_name: String,
        inviter: String,
        expires: u64,
        rights: Vec<AskedRight>,
        messages: Option<u32>,
        bytes: Option<u32>,
        attended: bool,
    },
    /// To [`Command::Send`]: the id of each message, in order; and which cores take nothing new of
    /// the topic, or soon will not.
    Sent {
        ids: Vec<MessageId>,
        warnings: Vec<Problem>,
    },
    /// To [`Command::Wait`].
    Reached { state: WaitFor, count: u32, of: u32 },
    /// To [`Command::Read`] (lines), with the greatest number that was looked at, so that a reader
    /// goes on after it; `more` when there is more already.
    Lines {
        topic: TopicId,
        lines: Vec<Line>,
        last: u64,
        more: bool,
    },
    /// To [`Command::Inbox`].
    Inbox {
        mails: Vec<Mail>,
        last: u64,
        more: bool,
    },
    /// To [`Command::PingNode`]: microseconds.
    Pong { round_trip_us: u64, path: String },
    /// To [`Command::Why`].
    Why(Box<Why>),
}

/// The name of a message: an envelope and the place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MessageId {
    /// The envelope.
    pub envelope: EnvelopeId,
    /// Which of its messages, from 0.
    pub index: u16,
}

impl core::fmt::Display for MessageId {
    /// The envelope in hexadecimal; `/` and the index follow unless the index is 0. Commands that
    /// take a message id read the same form, and a unique prefix of the envelope.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.index == 0 {
            write!(f, "{}", self.envelope)
        } else {
            write!(f, "{}/{}", self.envelope, self.index)
        }
    }
}

/// One screen about a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The node.
    pub id: NodeId,
    /// Its name.
    pub name: String,
    /// Whether it serves as a core.
    pub core: bool,
    /// By whom it is within reach.
    pub reach: Reach,
    /// Links that are up.
    pub links: u32,
    /// Topics it takes part in or holds.
    pub topics: u32,
    /// Own messages that nobody else is known to have yet.
    pub queued: u64,
    /// Bytes of records.
    pub store_bytes: u64,
    /// Bytes that the store may use; 0 when only the disk limits it.
    pub store_limit: u64,
    /// The rate rules in force, in a sentence; empty when there is none.
    pub rules: String,
    /// The cores that it uses.
    pub cores: Vec<Core>,
    /// What is not as it should be.
    pub problems: Vec<Problem>,
}

/// Something a person should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A stable word for programs.
    pub code: String,
    /// What is wrong.
    pub text: String,
    /// What to do about it.
    pub hint: String,
}

/// A peer: configured, linked or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who.
    pub id: NodeId,
    /// What it calls itself, made distinct.
    pub name: String,
    /// Whether a link is up.
    pub linked: bool,
    /// By which transport.
    pub transport: String,
    /// At which address.
    pub address: String,
    /// Round trip in microseconds, when measured.
    pub round_trip_us: Option<u64>,
    /// Up, or last seen, since this wall time (ms).
    pub since: Option<u64>,
    /// Why it is kept: `added`, `core`, `client`, `member`, `incoming`.
    pub why: String,
    /// The core node by whose rendezvous the link came about.
    pub by: Option<NodeId>,
}

/// A topic in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRow {
    /// Its id.
    pub id: TopicId,
    /// Its local name.
    pub name: String,
    /// `member`, `joining`, `reader`, `left`, `ended` (this device takes part no more, by what others have
    /// taken back), `held` (on a core).
    pub role: String,
    /// Devices that take part.
    pub members: u32,
    /// Lines not yet read through the durable cursor.
    pub unread: u64,
    /// Lines in all.
    pub lines: u64,
}

/// A topic in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// As in a list.
    pub row: TopicRow,
    /// Who takes part.
    pub members: Vec<MemberRow>,
    /// Cores that hold it, as members told: id in text, address, name.
    pub cores: Vec<(NodeId, String)>,
    /// Envelopes admitted.
    pub envelopes: u64,
    /// Bytes held of it, without files.
    pub bytes: u64,
    /// Bytes that its files take here, those that are being fetched as if they were whole; and how many that
    /// may be, if somebody has said so.
    pub files: (u64, Option<u64>),
    /// Invites: grant in text, uses allowed, uses seen, until.
    pub invites: Vec<InviteRow>,
    /// Authors whose chains forked, in text.
    pub forked: Vec<String>,
    /// Peers with whom it is in sync now.
    pub peers: u32,
    /// Who has claimed an invite and was not welcomed yet, as far as this device may admit.
    pub waiting: Vec<Claimant>,
    /// For whom this device waits, where it has not been let in yet.
    pub waits_for: Option<String>,
    /// What this device is to give at a time that has not come yet.
    pub releases: Vec<Release>,
    /// Whether whoever knows the topic may read it.
    pub public: bool,
    /// This device's key in the topic, by which it is given rights; nothing where the topic is held for
    /// others.
    pub device: Option<String>,
}

/// A gift that waits for its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The member's id in text.
    pub member: String,
    /// When it is given (ms).
    pub at: u64,
    /// What is given.
    pub rights: Vec<AskedRight>,
}

/// A device that has claimed an invite and waits for a welcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The device key in text.
    pub device: String,
    /// The invite's id in text.
    pub invite: String,
    /// The claim's hash, in text.
    pub claim: String,
    /// When it says that it claimed (ms).
    pub at: u64,
    /// Whether it takes a person's word: the invite has no use left for it, was over when it was first seen here, as
    /// far as a confirmed clock says, or has been taken back in part, or this device gives to no more by itself.
    pub beyond: bool,
}

/// A device in a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// The device key in text.
    pub device: String,
    /// The name it gives itself, made distinct.
    pub name: String,
    /// Whether it is this device.
    pub own: bool,
    /// Whether it has left.
    pub left: bool,
    /// Envelopes of all its incarnations.
    pub envelopes: u64,
}

/// A member of a topic: one composition of devices, or a device that has claimed an invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id in text.
    pub id: String,
    /// Its devices, with those that have lost their seats and have written.
    pub devices: Vec<MemberDevice>,
    /// What it was given.
    pub grants: Vec<MemberGrant>,
}

/// A device of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDevice {
    /// The device key in text.
    pub device: String,
    /// The name it gives itself, made distinct.
    pub name: String,
    /// Whether it is this device.
    pub own: bool,
    /// Whether it may act for the member.
    pub seated: bool,
    /// How much of the member's rates it may spend, of 256.
    pub share: u16,
    /// Whether it has said that it leaves.
    pub left: bool,
    /// Envelopes of all its incarnations.
    pub envelopes: u64,
}

/// How somebody came by its rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// The topic's own grant.
    Own,
    /// Given to the member.
    Grant,
    /// Claimed with an invite.
    Invite,
}

/// A grant of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberGrant {
    /// Its id in text.
    pub id: String,
    /// What it is.
    pub kind: GrantKind,
    /// Out of which it was given, in text.
    pub parent: Option<String>,
    /// How far it is from the topic's own; 0 too where it does not stand.
    pub depth: u32,
    /// When it began (ms).
    pub since: u64,
    /// Whether it stands.
    pub stands: bool,
    /// Whether a device of the member writes under it.
    pub writes: bool,
    /// What it gives.
    pub rights: Vec<MemberRight>,
    /// Messages a minute, if they are limited.
    pub messages: Option<u32>,
    /// Bytes a minute, if they are limited.
    pub bytes: Option<u32>,
    /// Envelopes that each author key may write under it in all, if they are limited.
    pub total_envelopes: Option<u64>,
    /// Bytes in all, likewise.
    pub total_bytes: Option<u64>,
    /// What the member has used of these bounds; nothing where there is none, or the grant does not stand.
    pub used: Option<Used>,
    /// How the member came by an invite, where that is how it got this.
    pub came: Option<Came>,
    /// The device that gave it, in text.
    pub by: Option<String>,
    /// Its name.
    pub by_name: String,
    /// What ended it, or rights of it, as far as that is here, the first first.
    pub ended: Vec<End>,
}

/// How somebody came by an invite, and on what evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    /// The invite's id in text; nothing where the claim is not kept here any more.
    pub invite: Option<String>,
    /// The claim's hash, in text.
    pub claim: String,
    /// The envelope with the grant that welcomes the claim; with the claim, where nobody has welcomed it.
    pub envelope: String,
    /// Which of those who came by the invite it is, from 1, as far as is known here.
    pub place: Option<u32>,
    /// For how many devices the invite is.
    pub uses: Option<u32>,
}

impl Came {
    /// Whether it came beyond the uses of the invite.
    #[must_use]
    pub fn is_beyond(&self) -> bool {
        let known = self.place.zip(self.uses);
        known.is_some_and(|(place, uses)| place > uses)
    }
}

/// What a member has used of a grant's bounds, by what is here: of all author keys together with which its
/// devices have written under the grant. Each is nothing where there is no such bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Of ten minutes' worth of messages, those that time has not given back.
    pub messages: Option<u64>,
    /// Of ten minutes' worth of bytes (header, proof and body), those that time has not given back.
    pub bytes: Option<u64>,
    /// Envelopes in all.
    pub total_envelopes: Option<u64>,
    /// Bytes in all.
    pub total_bytes: Option<u64>,
}

/// Something that somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Write messages.
    Publish,
    /// Be given the keys of what is written meanwhile.
    Read,
    /// Let others in.
    Admit,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Publish, Self::Read, Self::Admit];
}

/// A right that is to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskedRight {
    /// Which.
    pub right: Right,
    /// Its first millisecond; 0 for no beginning.
    pub from: u64,
    /// Its end (ms).
    pub until: Option<u64>,
}

/// A right of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberRight {
    /// Which.
    pub right: Right,
    /// Its first millisecond; 0 where it has no beginning.
    pub from: u64,
    /// Its end (ms).
    pub until: Option<u64>,
    /// Whether it has been taken back.
    pub over: bool,
}

/// How a grant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Taken back.
    Revoked,
    /// Closed after its time.
    Closed,
}

/// What ended a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// How.
    pub how: Ending,
    /// The device that did, in text.
    pub by: String,
    /// Its name.
    pub by_name: String,
    /// When, as it says (ms).
    pub at: u64,
    /// Whether it is a grant above this one that was ended.
    pub above: bool,
    /// The rights of this grant that it took.
    pub rights: Vec<Right>,
}

/// An invite of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteRow {
    /// Its id in text.
    pub grant: String,
    /// Uses allowed.
    pub uses: u32,
    /// Devices that used it.
    pub used: u32,
    /// Its end (ms).
    pub until: u64,
}

/// What a line of a topic is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineKind {
    /// A message.
    Text,
    /// A file or folder that was shared; the text is its name.
    File {
        /// What it is called.
        name: String,
        /// Bytes of all files in it.
        size: u64,
        /// Blocks that are here.
        have: u32,
        /// Blocks in all.
        parts: u32,
        /// Whoever shared it has said that it may go.
        unshared: bool,
    },
    /// Somebody takes part now.
    Join,
    /// Somebody left.
    Leave,
    /// The place of what is not here; the text says why.
    Gap,
    /// What stood in this line stands no more; or, with the number of another line, the notice that
    /// what begins there does not. The text says by whom.
    Withdrawn { of: Option<u64> },
    /// The notice that what begins in another line stands again.
    Restored { of: u64 },
}

/// One line of `way read`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in this home: counts up, never reused.
    pub n: u64,
    /// The message.
    pub id: MessageId,
    /// The author's device key in text.
    pub from: String,
    /// The name it gives itself, made distinct.
    pub from_name: String,
    /// When its author says it was written (ms).
    pub at: u64,
    /// The number of the envelope on its author's chain.
    pub seq: u64,
    /// What it is.
    pub kind: LineKind,
    /// The text, or the reason of a gap; bytes that are no UTF-8 are shown replaced.
    pub text: String,
}

/// A unicast message received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Its number in this home.
    pub n: u64,
    /// The message.
    pub id: MessageId,
    /// Who sent it.
    pub from: NodeId,
    /// What the sender calls itself, made distinct.
    pub from_name: String,
    /// When it says it was written (ms).
    pub at: u64,
    /// The text.
    pub text: String,
}

/// Where a message stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// The message.
    pub id: MessageId,
    /// Topic or node it went to, in text.
    pub to: String,
    /// Evidence, in the order of the states.
    pub states: Vec<State>,
    /// Delivered to how many.
    pub delivered: u32,
    /// Of how many.
    pub members: u32,
    /// Held by how many custodians; core nodes of one operator are one.
    pub held: u32,
    /// Whom it waits for, in words.
    pub waits_for: Vec<String>,
    /// What would help.
    pub hint: String,
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// `stored` `carried` `held` `delivered` `read` `refused` `expired` `withdrawn`.
    pub state: String,
    /// Who vouches, in text.
    pub by: String,
    /// Their name, made distinct; may be empty.
    pub by_name: String,
    /// When they said so (ms).
    pub at: u64,
    /// Of `held`, whose core node it is, as far as it says so: those with the same tag are one
    /// custodian.
    pub operator: Option<OperatorTag>,
    /// Until when they promise (ms).
    pub until: Option<u64>,
    /// Why, for what is refused, expired or withdrawn.
    pub reason: Option<String>,
}
