//! Files: shared, listed, fetched.

use super::MessageId;
use identity::TopicId;

/// What is asked about files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilesCommand {
    /// `way share TOPIC PATH`. Answered as a message that was sent, when it is durable here with all its
    /// blocks.
    Share {
        /// Where.
        topic: String,
        /// The file or folder: an absolute path.
        path: String,
        /// Until when it is kept (ms); nothing stands for the topic's own lifespan.
        expires: Option<u64>,
    },
    /// `way files TOPIC`.
    List {
        /// Where.
        topic: String,
    },
    /// `way get TOPIC FILE`: fetched, and written where nothing is yet.
    Get {
        /// Where.
        topic: String,
        /// Which: its number, its id or a unique beginning of it, or its name; of several with that name
        /// the newest.
        file: String,
        /// Where to: an absolute path.
        to: String,
        /// How long to wait; afterwards fetching goes on, and asking again waits again.
        timeout_ms: u64,
    },
    /// `way files TOPIC --drop FILE`: what is here of it goes; it can be fetched again from others.
    Drop {
        /// Where.
        topic: String,
        /// Which, as for [`FilesCommand::Get`].
        file: String,
    },
    /// `way unshare TOPIC FILE`: says to everybody that its blocks may go. Answered when it is durable.
    Unshare {
        /// Where.
        topic: String,
        /// Which, as for [`FilesCommand::Get`]; one that this device has shared.
        file: String,
    },
    /// `way files TOPIC --limit`: what the files of a topic may take here. What is here stays.
    Limit {
        /// Where.
        topic: String,
        /// Bytes; nothing stands for no limit.
        bytes: Option<u64>,
    },
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilesReply {
    /// To [`FilesCommand::List`]: oldest first, at most [`crate::limits::MAX_FILES_LISTED`], the newest.
    Files {
        /// The topic.
        topic: TopicId,
        /// Them.
        files: Vec<File>,
    },
    /// To [`FilesCommand::Get`].
    Got {
        /// The topic.
        topic: TopicId,
        /// What was written.
        file: File,
        /// Where it is.
        to: String,
    },
}

/// A file or folder that somebody has shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The number of its line in this home.
    pub n: u64,
    /// The message.
    pub id: MessageId,
    /// What it is called.
    pub name: String,
    /// Bytes of all files in it.
    pub size: u64,
    /// Files and folders of it, itself counted.
    pub entries: u32,
    /// Whether it is a folder.
    pub folder: bool,
    /// The name of whoever shared it, made distinct.
    pub from: String,
    /// When, as its author says (ms).
    pub at: u64,
    /// Blocks that are here.
    pub have: u32,
    /// Blocks in all.
    pub parts: u32,
    /// Bytes of a block.
    pub block: u32,
    /// It is being fetched.
    pub wanted: bool,
    /// Links from which something of it can be had now.
    pub sources: u32,
}
