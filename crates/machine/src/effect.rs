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
    /// Leaves at once; its completion comes back as an input. A record that names content is
    /// staged only after the completion that says that the content is durable.
    Content(ContentEffect),
}

/// The BLAKE3 hash of a piece of content: its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentName(pub [u8; 32]);

/// Content is what is too large for a record: write-once, named by its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentEffect {
    /// Store these bytes under their hash, durably.
    Write(Vec<u8>),
    /// Give back the bytes of this name.
    Read(ContentName),
    /// Remove what no record names any longer.
    Delete(ContentName),
}

/// The completion of a [`ContentEffect`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContentDone {
    /// The content of this name is durable.
    Written(ContentName),
    /// The content of this name, or nothing when it is not here or does not match its name.
    Read(ContentName, Option<Vec<u8>>),
    /// The content of this name is gone.
    Deleted(ContentName),
    /// The effect could not be carried out, for a reason in words; disk full, mostly.
    Failed(ContentName, String),
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
