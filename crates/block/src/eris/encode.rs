//! From content to blocks.

use identity::Secret;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::eris::hash::{cipher, hash, hash_blocks};
use crate::eris::{BlockSize, ReadCapability, Reference, Shape, TooLarge};
use crate::limits::ENCODED_AT_ONCE;

/// A finished block. Its bytes are valid until the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EncodedBlock<'b> {
    /// Its place in the tree ([`Shape`]).
    pub slot: u32,
    /// The hash of its bytes.
    pub reference: Reference,
    /// The ciphertext, one block long.
    pub bytes: &'b [u8],
}

/// The content is not as long as was said: it has changed since it was measured. The encoder is spent,
/// and the blocks so far are of no use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum EncodeError {
    /// More content than was said.
    #[error("the content is longer than it was")]
    Longer,
    /// Less content than was said; so many bytes are missing.
    #[error("the content is {0} bytes shorter than it was")]
    Shorter(u64),
    /// It has failed before. The caller's fault.
    #[error("this encoding has failed before")]
    Spent,
}

/// Makes blocks of a content whose length is known beforehand. It keeps a few leaves and one inner block of
/// each level, whatever the length: 224 KiB at most.
///
/// Leaves are handed out in their order, and each inner block as soon as it is full.
#[derive(Debug)]
pub struct Encoder {
    shape: Shape,
    secret: Secret,
    /// Bytes of the content that are still to come.
    missing: u64,
    /// Leaves that are not handed out yet, in clear.
    leaves: Clear,
    next_leaf: u32,
    /// The inner block that is being filled on each level, from level 1.
    levels: Vec<Inner>,
    root: Option<(Reference, Key)>,
    spent: bool,
}

type Key = Zeroizing<[u8; 32]>;

/// Plaintext: wiped when dropped, and not printed.
#[derive(Default)]
struct Clear(Zeroizing<Vec<u8>>);

impl core::fmt::Debug for Clear {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

#[derive(Default, Debug)]
struct Inner {
    pairs: Clear,
    /// Its index on its level.
    index: u32,
}

impl Encoder {
    /// For a content of exactly `length` bytes. `secret` is the convergence secret: whoever knows it
    /// can tell whether a content it has is this one.
    pub fn new(secret: Secret, length: u64, size: BlockSize) -> Result<Self, TooLarge> {
        let shape = Shape::of(length, size)?;
        // Of full length from the start: growing would leave copies of the plaintext behind.
        let full = |blocks: usize| Clear(Zeroizing::new(Vec::with_capacity(blocks * size.bytes())));
        let inner = |_| Inner {
            pairs: full(1),
            index: 0,
        };
        Ok(Self {
            shape,
            secret,
            missing: length,
            leaves: full(ENCODED_AT_ONCE),
            next_leaf: 0,
            levels: (0..shape.top()).map(inner).collect(),
            root: None,
            spent: false,
        })
    }

    /// The tree that it makes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Takes the next piece of the content, of any length, and gives each block that it finishes to
    /// `take`, whose error ends the encoding.
    pub fn push<E: From<EncodeError>>(
        &mut self,
        mut piece: &[u8],
        take: &mut impl FnMut(EncodedBlock<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.begin()?;
        self.missing = self
            .missing
            .checked_sub(piece.len() as u64)
            .ok_or(EncodeError::Longer)?;
        let full = ENCODED_AT_ONCE * self.shape.block_size().bytes();
        while !piece.is_empty() {
            let room = full - self.leaves.0.len();
            let (now, later) = piece.split_at(room.min(piece.len()));
            self.leaves.0.extend_from_slice(now);
            piece = later;
            if self.leaves.0.len() == full {
                self.flush(take)?;
            }
        }
        self.spent = false;
        Ok(())
    }

    /// The whole content has been pushed: pads it, gives out the blocks that are left, the root last.
    pub fn finish<E: From<EncodeError>>(
        mut self,
        take: &mut impl FnMut(EncodedBlock<'_>) -> Result<(), E>,
    ) -> Result<ReadCapability, E> {
        self.begin()?;
        if self.missing > 0 {
            return Err(EncodeError::Shorter(self.missing).into());
        }
        // There is room: what is full has been flushed.
        self.leaves.0.push(0x80);
        let padded = self
            .leaves
            .0
            .len()
            .next_multiple_of(self.shape.block_size().bytes());
        self.leaves.0.resize(padded, 0);
        self.flush(take)?;
        let (reference, key) = self
            .root
            .as_ref()
            .expect("the last leaf fills the last inner block of every level, up to the root");
        Ok(ReadCapability {
            block_size: self.shape.block_size(),
            level: self.shape.top(),
            reference: *reference,
            key: Secret::from_bytes(**key),
        })
    }

    /// Spent until whatever begins here has come to its end.
    fn begin(&mut self) -> Result<(), EncodeError> {
        if self.spent {
            return Err(EncodeError::Spent);
        }
        self.spent = true;
        Ok(())
    }

    /// Encrypts the leaves that are kept, which are whole blocks.
    fn flush<E>(
        &mut self,
        take: &mut impl FnMut(EncodedBlock<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let size = self.shape.block_size().bytes();
        let mut leaves = std::mem::take(&mut self.leaves);
        let keys = Zeroizing::new(hash_blocks(Some(&self.secret), leaves.0.chunks(size)));
        for (leaf, key) in leaves.0.chunks_mut(size).zip(keys.iter()) {
            cipher(key, 0, leaf);
        }
        let references = hash_blocks(None, leaves.0.chunks(size));
        for ((bytes, key), reference) in leaves.0.chunks(size).zip(keys.iter()).zip(references) {
            let reference = Reference::from_bytes(reference);
            // Leaves are the first slots.
            take(EncodedBlock {
                slot: self.next_leaf,
                reference,
                bytes,
            })?;
            self.next_leaf += 1;
            self.climb(reference, Key::new(*key), take)?;
        }
        leaves.0.clear();
        self.leaves = leaves;
        Ok(())
    }

    /// Notes the pair of a finished leaf, and finishes each inner block that is full by it.
    fn climb<E>(
        &mut self,
        mut reference: Reference,
        mut key: Key,
        take: &mut impl FnMut(EncodedBlock<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let size = self.shape.block_size().bytes();
        for (level, inner) in (1..).zip(&mut self.levels) {
            inner.pairs.0.extend_from_slice(reference.as_bytes());
            inner.pairs.0.extend_from_slice(key.as_slice());
            let pairs = self.shape.children(level, inner.index) as usize;
            if inner.pairs.0.len() < pairs * PAIR {
                return Ok(());
            }
            inner.pairs.0.resize(size, 0);
            key = Key::new(hash(&inner.pairs.0));
            cipher(&key, level, &mut inner.pairs.0);
            reference = Reference::of(&inner.pairs.0);
            take(EncodedBlock {
                slot: self
                    .shape
                    .slot(level, inner.index)
                    .expect("an inner block that is filled is one of the tree"),
                reference,
                bytes: &inner.pairs.0,
            })?;
            inner.pairs.0.clear();
            inner.index += 1;
        }
        self.root = Some((reference, key));
        Ok(())
    }
}

/// Bytes of a pair: reference and key.
pub(super) const PAIR: usize = 64;
