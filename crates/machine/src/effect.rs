//! What a machine puts out, by what it asserts.

use core::fmt::Debug;
use std::collections::VecDeque;

/// The outputs of a whole node, one type for each class.
///
/// The class is a property of the type, not of the call: an acknowledgement is a variant of `Held`
/// and can therefore not be sent early.
pub trait Ports: Debug {
    /// Whatever says something that rests on this node's store: frames, receipts, replies.
    type Held: Debug;
    /// Another author's verified envelope, forwarded as it came. It asserts nothing about this
    /// node.
    type Verbatim: Debug;
    /// Keep-alives, dialling, closing, asking for a check: nothing that anybody could take for a
    /// promise.
    type Advisory: Debug;
}

/// One output of a turn.
#[derive(Debug)]
pub enum Effect<P: Ports> {
    /// Leaves when the writes of all turns up to its own are durable.
    Held(P::Held),
    /// Leaves at once.
    Verbatim(P::Verbatim),
    /// Leaves at once.
    Advisory(P::Advisory),
    /// Leaves at once; its completion comes back as an input. A record that says that a piece of content
    /// is here is staged only after the completion that says that the piece is durable.
    Content(ContentEffect),
}

/// Names a content. What a name stands for is for whoever uses it to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentName(pub [u8; 32]);

/// Content is what is too large for records: bytes under a name, written and read in pieces, at any
/// offset. Effects on one content are carried out in the order in which they were put out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentEffect {
    /// Write a piece, durably. A content that is not here begins empty.
    Write {
        /// Of which content.
        name: ContentName,
        /// Bytes of it before the piece.
        at: u64,
        /// The piece.
        bytes: Vec<u8>,
    },
    /// Give back a piece.
    Read {
        /// Of which content.
        name: ContentName,
        /// Bytes of it before the piece.
        at: u64,
        /// Bytes of the piece.
        len: u32,
    },
    /// Remove a content that no durable record names any longer. It leaves at once, so a removal is staged in a
    /// turn before.
    Delete(ContentName),
    /// Name the contents that are here: at a start, so that those that no record names can be removed.
    List {
        /// Names after this one; from the first without it.
        after: Option<ContentName>,
    },
}

/// The completion of a [`ContentEffect`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentDone {
    /// The piece at this offset is durable.
    Written(ContentName, u64),
    /// The piece at this offset; nothing when the content is not here or ends before the piece does.
    /// Between pieces that were written lie zeros: which were, only records know.
    Read(ContentName, u64, Option<Vec<u8>>),
    /// At most [`MAX_LISTED`](crate::MAX_LISTED) names of contents that are here, ascending; none when there
    /// are no more. What is written or removed while it is listed may be among them or not.
    Listed(Vec<ContentName>),
    /// The content of this name is gone; after a loss of power it may be here again.
    Deleted(ContentName),
    /// A piece could not be written or read, or the content (offset 0) not be removed, for a reason in
    /// words; disk full, mostly. What was written there before may be damaged.
    Failed(ContentName, u64, String),
    /// Contents could not be listed, for a reason in words. What is here is not known.
    Unlisted(String),
}

/// Outputs in the order in which they were made.
#[derive(Debug)]
pub struct Outbox<O>(VecDeque<O>);

impl<O> Outbox<O> {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Adds an output at the end.
    pub fn push(&mut self, output: O) {
        self.0.push_back(output);
    }

    /// Takes the oldest output.
    pub fn pop(&mut self) -> Option<O> {
        self.0.pop_front()
    }

    /// Takes all outputs, oldest first.
    pub fn drain(&mut self) -> impl Iterator<Item = O> + '_ {
        self.0.drain(..)
    }

    /// Whether everything has been taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many outputs wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<O> Default for Outbox<O> {
    fn default() -> Self {
        Self::new()
    }
}

/// A budget of bytes that one side grants and the other spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credit(u64);

impl Credit {
    /// A budget of this many bytes.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Bytes that may still be spent.
    #[must_use]
    pub const fn left(self) -> u64 {
        self.0
    }

    /// Grants more.
    pub fn grant(&mut self, bytes: u64) {
        self.0 = self.0.saturating_add(bytes);
    }

    /// Spends `bytes` if the budget covers them; says whether it did.
    #[must_use]
    pub fn spend(&mut self, bytes: u64) -> bool {
        match self.0.checked_sub(bytes) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}
