//! Everything that can change a node, and everything that it puts out.

use crate::command::{Command, Reply, RequestId};
use identity::{EnvelopeId, NodeId, Secret, TopicId};
use machine::{ContentDone, ContentName, Ports};
use topic::{Done, Job};
use wire::{Checked, Manifest, Part, Raw, Refused, SharedFile, Verified};

/// The node's number of a link, given by the transport; unique in a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// Everything that can change a node besides time.
#[derive(Debug)]
pub enum Input {
    /// A link came up: both ends have proved their node keys, the handshake is complete.
    LinkUp {
        /// Its number.
        link: LinkId,
        /// Who is at the other end.
        node: NodeId,
        /// The token of the dial that made it; none where the peer dialled.
        dialled: Option<u64>,
        /// Equal at both ends, known to nobody else.
        exporter: [u8; 32],
        /// Where the peer is, as text for people.
        remote: String,
    },
    /// A frame came.
    Frame {
        /// The link.
        link: LinkId,
        /// At most [`wire::limits::MAX_FRAME`] bytes.
        bytes: Vec<u8>,
        /// What it cost of the credit granted to the link; given back by [`Advisory::Grant`].
        cost: u64,
    },
    /// A link can take so many bytes more.
    Writable {
        /// The link.
        link: LinkId,
        /// Bytes more.
        bytes: u64,
    },
    /// A link is gone.
    LinkDown {
        /// The link.
        link: LinkId,
        /// Why, in words.
        reason: String,
    },
    /// A dial came to nothing.
    DialFailed {
        /// From [`Advisory::Dial`].
        token: u64,
        /// Why, in words.
        reason: String,
    },
    /// The result of an [`Advisory::Check`].
    Checked(CheckDone),
    /// An application asks for something.
    Command {
        /// Comes back with the answer.
        request: RequestId,
        /// What.
        command: Command,
    },
    /// Where the transports listen: `host:port`, to be put into this node's advert.
    Listening {
        /// The addresses, the best first.
        addresses: Vec<String>,
    },
    /// How the store is.
    Store {
        /// Bytes of records.
        bytes: u64,
        /// Bytes free on the medium, above the floor.
        free: u64,
        /// Whether new custody is refused because the disk is full.
        full: bool,
    },
    /// A piece of content has been dealt with.
    Content(ContentDone),
    /// So many frames with blocks ([`Verbatim::is_bulk`]) have left for the transport.
    BlocksSent {
        /// The link.
        link: LinkId,
        /// How many.
        frames: usize,
    },
    /// What became of an [`Advisory::File`].
    Filed {
        /// From there.
        job: u64,
        /// What became of it.
        done: FileDone,
    },
    /// The program is about to end: say goodbye on every link.
    Closing,
    /// The rate rules of the configuration file, at the start of a life and when they have changed.
    Rules {
        /// The rules; nothing leaves those in force that are.
        rules: Option<router::Rules>,
        /// What is wrong with the file, with its line, for people.
        wrong: Option<String>,
    },
}

/// Work on files outside the home, which takes as long as they are large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileJob {
    /// Make a content of a file or folder.
    Share {
        /// Where it is: absolute.
        path: String,
        /// What the keys of its blocks are derived with.
        secret: Secret,
        /// The content to make. Nothing is left of it where this fails.
        content: ContentName,
    },
    /// Write the file or folder that a content holds.
    Unpack {
        /// The content; all of it is here.
        content: ContentName,
        /// Its manifest.
        manifest: Manifest,
        /// Reads it.
        capability: [u8; 66],
        /// Bytes of what is read.
        length: u64,
        /// Where to, by an absolute path at which nothing is.
        to: String,
    },
    /// Read all of a content, and find what is not as its manifest says.
    Verify {
        /// The content.
        content: ContentName,
        /// Its manifest.
        manifest: Manifest,
    },
}

/// What became of a [`FileJob`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileDone {
    /// The content is on stable storage.
    Shared {
        /// Its manifest.
        manifest: Manifest,
        /// What is to be said of it.
        file: SharedFile,
    },
    /// The file or folder is on stable storage.
    Unpacked,
    /// A part of the content that was to be unpacked is not as its manifest says. Nothing is left of what was
    /// begun.
    Damaged,
    /// All of it was read: these parts are not as its manifest says, in order, at most
    /// [`MAX_DAMAGED`](crate::limits::MAX_DAMAGED).
    Verified {
        /// Them.
        damaged: Vec<Part>,
    },
    /// It is not there, or more of it is damaged.
    Gone,
    /// Neither; nothing is left of what was begun.
    Failed {
        /// Why, in a sentence.
        text: String,
        /// What to do about it; may be empty.
        hint: String,
    },
}

/// Something to check, wherever and whenever there is time: hashes, encodings, strict signatures.
#[derive(Debug)]
pub enum Check {
    /// What a peer sent about a topic.
    Topic {
        /// The link that brought it.
        link: LinkId,
        /// The topic, by the node's own number.
        topic: u32,
        /// What to check.
        job: Job,
    },
    /// A unicast envelope.
    Mail {
        /// The link that brought it.
        link: LinkId,
        /// Its id.
        id: EnvelopeId,
        /// The envelope.
        raw: Raw,
    },
}

/// The result of a [`Check`]; only [`Check::run`] makes one.
#[derive(Debug)]
pub struct CheckDone {
    pub(crate) kind: DoneKind,
    /// What was checked, if the run is recorded.
    pub(crate) check: Option<Vec<u8>>,
}

#[derive(Debug)]
pub(crate) enum DoneKind {
    Topic {
        link: LinkId,
        topic: u32,
        done: Done,
    },
    Mail {
        link: LinkId,
        id: EnvelopeId,
        result: Box<Result<Checked<Verified>, Refused>>,
    },
}

impl Check {
    /// Checks: a pure function, to be run on any thread, or inline.
    #[must_use]
    pub fn run(self) -> CheckDone {
        let kind = match self {
            Self::Topic { link, topic, job } => DoneKind::Topic {
                link,
                topic,
                done: job.run(),
            },
            Self::Mail { link, id, raw } => DoneKind::Mail {
                link,
                id,
                result: Box::new(wire::check(raw)),
            },
        };
        CheckDone { kind, check: None }
    }

    /// As [`Check::run`], for a node whose run is recorded: the result remembers what was checked,
    /// because that, not the result, is written down (see [`crate::record`]).
    #[must_use]
    pub fn run_recorded(self) -> CheckDone {
        let check = Some(crate::record::encode_check(&self));
        CheckDone {
            check,
            ..self.run()
        }
    }
}

/// The outputs of a node.
#[derive(Debug)]
pub struct Out;

impl Ports for Out {
    type Held = Held;
    type Verbatim = Verbatim;
    type Advisory = Advisory;
}

/// What leaves only when everything that it may rest on is durable.
#[derive(Debug)]
pub enum Held {
    /// A frame for a link.
    Frame {
        /// The link.
        link: LinkId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// The answer to a command.
    Reply {
        /// The request.
        request: RequestId,
        /// The answer.
        reply: Reply,
    },
    /// A topic has new lines, up to this number.
    Changed {
        /// The topic.
        topic: TopicId,
        /// The newest line.
        last: u64,
    },
    /// The inbox has new messages, up to this number.
    Mail {
        /// The newest message.
        last: u64,
    },
    /// Remove a content that no durable record names any longer
    /// ([`ContentEffect::Delete`](machine::ContentEffect::Delete)).
    Delete(ContentName),
}

/// What proves itself: other authors' verified envelopes, forwarded as they came, and blocks.
#[derive(Debug)]
pub struct Verbatim {
    pub(crate) link: LinkId,
    pub(crate) bytes: Vec<u8>,
    pub(crate) bulk: bool,
}

impl Verbatim {
    /// The link.
    #[must_use]
    pub const fn link(&self) -> LinkId {
        self.link
    }

    /// Whether it is blocks: these leave when nothing else waits for the link, and are counted by
    /// [`Input::BlocksSent`].
    #[must_use]
    pub const fn is_bulk(&self) -> bool {
        self.bulk
    }

    /// The frame.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// What asserts nothing about this node's store.
#[derive(Debug)]
pub enum Advisory {
    /// Make a link.
    Dial {
        /// Comes back with the link or the failure.
        token: u64,
        /// Who must answer.
        node: NodeId,
        /// `host:port` or `tls://host:port`.
        address: String,
    },
    /// Send what is queued, then close.
    Close {
        /// The link.
        link: LinkId,
        /// A code for the peer's program.
        code: u32,
        /// Words for the peer's operator.
        text: String,
    },
    /// Greeting or keep-alive: versions, clocks and echoes of what the peer itself sent.
    Courtesy {
        /// The link.
        link: LinkId,
        /// The frame.
        bytes: Vec<u8>,
    },
    /// So much more may be read from a link.
    Grant {
        /// The link.
        link: LinkId,
        /// Bytes more.
        bytes: u64,
    },
    /// Run this pure function on any thread and bring the result back.
    Check(Check),
    /// Do this with files, beside everything else, and bring back what became of it.
    File {
        /// Comes back with it; unique in a life.
        job: u64,
        /// What.
        what: FileJob,
    },
    /// A line for the operator's log. Names no topic and no address.
    Log {
        /// A stable word.
        event: &'static str,
        /// Words.
        text: String,
    },
}
