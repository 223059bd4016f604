//! From blocks to content, from any leaf on.

use core::fmt;

use identity::Secret;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::eris::encode::PAIR;
use crate::eris::hash::{cipher, hash};
use crate::eris::{ReadCapability, Reference, Shape, TooLarge};

/// The block that is needed next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Need {
    /// Its place in the tree ([`Shape`]).
    pub slot: u32,
    /// What its bytes must hash to.
    pub reference: Reference,
}

/// The content of one leaf.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Where in the content it begins.
    pub offset: u64,
    /// The content, without padding; empty where the last leaf is nothing but padding.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for Leaf {
    /// Not the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Leaf({} bytes at {})", self.bytes.len(), self.offset)
    }
}

/// What a block was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fed {
    /// An inner block on the way to the leaf. Another block is needed.
    Inner,
    /// The leaf. The next one is needed from now on.
    Leaf(Leaf),
}

/// A block or a capability does not fit. What was fed is not used, and the same block is still needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DecodeError {
    /// A content as long as was said may not be. The fault of whoever said it.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The capability's tree is not the one of this length. The fault of whoever said either.
    #[error(
        "the read capability has its root on level {found}, a content so long on level {wanted}"
    )]
    Level {
        /// Level that the length asks for.
        wanted: u8,
        /// Level in the capability.
        found: u8,
    },
    /// There is no such leaf. The caller's fault.
    #[error("there is no leaf {0}")]
    NoLeaf(u32),
    /// Another block than the one that is needed. The caller's fault.
    #[error("this is not the block that is needed")]
    NotNeeded,
    /// The block's bytes are not those that its reference names. The fault of whoever gave the block,
    /// or of the disk.
    #[error("the block in slot {0} does not match its reference")]
    NotTheBlock(u32),
    /// The block is what its author made, and that is no ERIS: its key is not its hash, pairs are
    /// missing or too many, or the padding is wrong. Nobody can read this content.
    #[error("the block in slot {slot} is malformed ({what})")]
    Malformed {
        /// Where it stands.
        slot: u32,
        /// What is wrong.
        what: &'static str,
    },
}

/// Reads a content of known length, leaf by leaf, from its beginning or from any other leaf. It keeps
/// the inner blocks between the root and one leaf, 96 KiB at most, and trusts neither the capability nor
/// the length nor a block: each is verified before it is used.
#[derive(Debug)]
pub struct Decoder {
    shape: Shape,
    length: u64,
    capability: ReadCapability,
    /// The inner block that is known on each level, from level 1.
    levels: Vec<Option<Inner>>,
    /// The leaf that is read next; the number of leaves at the end.
    leaf: u32,
}

/// An inner block in clear, verified.
struct Inner {
    index: u32,
    pairs: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Inner {
    /// Not the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inner({})", self.index)
    }
}

/// What opens a block: it is named and encrypted by this, and has this place.
struct Lock {
    level: u8,
    index: u32,
    slot: u32,
    reference: Reference,
    key: Secret,
}

impl Decoder {
    /// Reads a content of `length` bytes from its first leaf on.
    pub fn new(capability: ReadCapability, length: u64) -> Result<Self, DecodeError> {
        let shape = Shape::of(length, capability.block_size)?;
        if capability.level != shape.top() {
            return Err(DecodeError::Level {
                wanted: shape.top(),
                found: capability.level,
            });
        }
        Ok(Self {
            shape,
            length,
            capability,
            levels: (0..shape.top()).map(|_| None).collect(),
            leaf: 0,
        })
    }

    /// The tree that is read.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Goes on with this leaf ([`Shape::leaf_at`]). Inner blocks that are known and lead there stay known.
    pub fn seek(&mut self, leaf: u32) -> Result<(), DecodeError> {
        if leaf >= self.shape.leaves() {
            return Err(DecodeError::NoLeaf(leaf));
        }
        self.leaf = leaf;
        Ok(())
    }

    /// The block that is needed next; none after the last leaf.
    pub fn need(&self) -> Option<Need> {
        self.lock().map(|lock| Need {
            slot: lock.slot,
            reference: lock.reference,
        })
    }

    /// Takes the block in the slot that [`Decoder::need`] names.
    pub fn feed(&mut self, slot: u32, mut block: Vec<u8>) -> Result<Fed, DecodeError> {
        let lock = self
            .lock()
            .filter(|lock| lock.slot == slot)
            .ok_or(DecodeError::NotNeeded)?;
        if block.len() != self.shape.block_size().bytes() || Reference::of(&block) != lock.reference
        {
            return Err(DecodeError::NotTheBlock(slot));
        }
        cipher(lock.key.as_bytes(), lock.level, &mut block);
        let malformed = |what| DecodeError::Malformed { slot, what };
        if lock.level == 0 {
            let content = self.judge_leaf(lock.index, &block).map_err(malformed)?;
            block.truncate(content);
            self.leaf += 1;
            return Ok(Fed::Leaf(Leaf {
                offset: u64::from(lock.index) * self.shape.block_size().bytes() as u64,
                bytes: block,
            }));
        }
        let pairs = Zeroizing::new(block);
        if hash(&pairs) != *lock.key.as_bytes() {
            return Err(malformed("its key is not its hash"));
        }
        self.judge_inner(lock.level, lock.index, &pairs)
            .map_err(malformed)?;
        let place = self.levels.get_mut(usize::from(lock.level) - 1);
        *place.expect("a level of the tree") = Some(Inner {
            index: lock.index,
            pairs,
        });
        Ok(Fed::Inner)
    }

    /// What opens the first block on the way from the root to the leaf that is not known.
    fn lock(&self) -> Option<Lock> {
        self.shape.slot(0, self.leaf)?;
        let mut reference = self.capability.reference;
        let mut key = self.capability.key.clone();
        for level in (0..=self.shape.top()).rev() {
            let index = self.ancestor(level);
            let known = usize::from(level)
                .checked_sub(1)
                .and_then(|at| self.levels.get(at)?.as_ref())
                .filter(|inner| inner.index == index);
            let Some(inner) = known else {
                return Some(Lock {
                    level,
                    index,
                    slot: self.shape.slot(level, index)?,
                    reference,
                    key,
                });
            };
            let child = (self.ancestor(level - 1) % self.shape.block_size().arity()) as usize;
            let pair = inner.pairs.chunks_exact(PAIR).nth(child)?;
            let (first, second) = pair.split_at(PAIR / 2);
            reference = Reference::from_bytes(first.try_into().ok()?);
            key = Secret::from_bytes(second.try_into().ok()?);
        }
        None
    }

    /// The index on a level of the block above the leaf that is read next.
    fn ancestor(&self, level: u8) -> u32 {
        let arity = self.shape.block_size().arity();
        (0..level).fold(self.leaf, |index, _| index / arity)
    }

    /// The pairs that are used name something, the others are zeros.
    fn judge_inner(&self, level: u8, index: u32, pairs: &[u8]) -> Result<(), &'static str> {
        let used = self.shape.children(level, index) as usize * PAIR;
        let (used, unused) = pairs.split_at(used.min(pairs.len()));
        if used
            .chunks_exact(PAIR)
            .any(|pair| pair[..PAIR / 2] == [0; PAIR / 2])
        {
            return Err("a pair is missing");
        }
        if unused.iter().any(|byte| *byte != 0) {
            return Err("a pair too many");
        }
        Ok(())
    }

    /// How many bytes of a leaf are content. The last one has 0x80 and zeros after it.
    fn judge_leaf(&self, index: u32, block: &[u8]) -> Result<usize, &'static str> {
        let start = u64::from(index) * block.len() as u64;
        let content = (self.length.saturating_sub(start)).min(block.len() as u64) as usize;
        match block[content..].split_first() {
            None => Ok(content),
            Some((0x80, zeros)) if zeros.iter().all(|byte| *byte == 0) => Ok(content),
            Some(_) => Err("the padding is wrong"),
        }
    }
}
