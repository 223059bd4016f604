//! What a lace knows of an author.

use crate::fact::ViewNo;
use crate::policy::{Bucket, Buckets};
use crate::rows::Bytes;
use identity::{EnvelopeId, GrantId, PublicKey};
use std::collections::BTreeSet;

/// The newest envelope of an author's chain, below the number that it is closed from, if it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tip {
    /// Its number.
    pub number: u64,
    /// Its id.
    pub id: EnvelopeId,
    /// Its generation.
    pub generation: u64,
    /// When it claims to have been made, milliseconds since 1970.
    pub created: u64,
}

/// What else is known of the envelope at the tip, so that what follows it reads no row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tail {
    pub(crate) branch: u32,
    pub(crate) view: ViewNo,
    pub(crate) buckets: Buckets,
}

impl Tail {
    pub(crate) const MAX_LEN: usize = 48;

    /// The end of a row: `branch u32 ‖ view u32 [‖ messages ‖ bytes` of content `‖ messages ‖
    /// bytes` of control `[‖ bytes` in all`]]`, the buckets if anything is in them.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let numbers = [self.branch, self.view.0].map(u32::to_be_bytes);
        out.extend_from_slice(numbers.as_flattened());
        if self.buckets == Buckets::default() {
            return;
        }
        for bucket in [self.buckets.content, self.buckets.control] {
            out.extend_from_slice(&bucket.messages.to_be_bytes());
            out.extend_from_slice(&bucket.bytes.to_be_bytes());
        }
        if self.buckets.total > 0 {
            out.extend_from_slice(&self.buckets.total.to_be_bytes());
        }
    }

    pub(crate) fn read(bytes: &mut Bytes<'_>) -> Option<Self> {
        let (branch, view) = (bytes.u32()?, ViewNo(bytes.u32()?));
        if bytes.0.is_empty() {
            return Some(Self {
                branch,
                view,
                buckets: Buckets::default(),
            });
        }
        let mut bucket = || {
            Some(Bucket {
                messages: bytes.u64()?,
                bytes: bytes.u64()?,
            })
        };
        let (content, control) = (bucket()?, bucket()?);
        let total = if bytes.0.is_empty() { 0 } else { bytes.u64()? };
        let buckets = Buckets {
            content,
            control,
            total,
        };
        Some(Self {
            branch,
            view,
            buckets,
        })
    }
}

/// How much is stored, kept or void.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Envelopes.
    pub envelopes: u64,
    /// Bytes of headers and proofs.
    pub header_bytes: u64,
    /// Bodies that are here.
    pub bodies: u64,
    /// Bytes of bodies that are here.
    pub body_bytes: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.envelopes = self.envelopes.saturating_add(other.envelopes);
        self.header_bytes = self.header_bytes.saturating_add(other.header_bytes);
        self.bodies = self.bodies.saturating_add(other.bodies);
        self.body_bytes = self.body_bytes.saturating_add(other.body_bytes);
    }

    pub(crate) fn subtract(&mut self, other: &Self) {
        self.envelopes = self.envelopes.saturating_sub(other.envelopes);
        self.header_bytes = self.header_bytes.saturating_sub(other.header_bytes);
        self.bodies = self.bodies.saturating_sub(other.bodies);
        self.body_bytes = self.body_bytes.saturating_sub(other.body_bytes);
    }
}

/// What an author's envelope number 1 says. A forked author may have several: one for each branch
/// that begins with number 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Root {
    pub(crate) device: PublicKey,
    pub(crate) grant: GrantId,
    pub(crate) index: u32,
}

impl Root {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let index = self.index.to_be_bytes();
        [&self.device.as_bytes()[..], self.grant.as_bytes(), &index].concat()
    }

    pub(crate) fn read(bytes: &mut Bytes<'_>) -> Option<Self> {
        Some(Self {
            device: PublicKey::from_bytes(bytes.array()?),
            grant: GrantId::from_bytes(bytes.array()?),
            index: bytes.u32()?,
        })
    }
}

/// An author of whom at least one envelope is admitted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Author {
    pub(crate) no: u32,
    pub(crate) key: PublicKey,
    pub(crate) root: Root,
    /// How many branches have been numbered.
    pub(crate) branches: u32,
    pub(crate) tip: Option<Tip>,
    /// Of the envelope at the tip, if there is one.
    pub(crate) tail: Tail,
    /// The highest number stored on any branch.
    pub(crate) top: u64,
    /// The number of the last envelope of branch 0 that is here.
    pub(crate) main_end: u64,
    /// Whether the tip is named by another envelope of the kept set.
    pub(crate) covered: bool,
    pub(crate) closed: Option<u64>,
    /// The ends of the branches that stand: from the closed number on, in the kept set, and not the
    /// previous of another such.
    pub(crate) ends: BTreeSet<(u64, EnvelopeId)>,
    pub(crate) counts: Counts,
}

impl Author {
    pub(crate) fn new(no: u32, key: PublicKey, root: Root) -> Self {
        Self {
            no,
            key,
            root,
            branches: 0,
            tip: None,
            tail: Tail::default(),
            top: 0,
            main_end: 0,
            covered: false,
            closed: None,
            ends: BTreeSet::new(),
            counts: Counts::default(),
        }
    }

    /// The author's key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The device that certified it.
    #[must_use]
    pub const fn device(&self) -> &PublicKey {
        &self.root.device
    }

    /// The grant that it writes under: the topic's id for the founder's device, else an invite's.
    #[must_use]
    pub const fn grant(&self) -> &GrantId {
        &self.root.grant
    }

    /// Which incarnation of the device it is.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.root.index
    }

    /// Bytes that its chain has spent in all up to its tip, where its policy counts them; else 0.
    #[must_use]
    pub const fn spent_in_all(&self) -> u64 {
        self.tail.buckets.total
    }

    /// What its chain has spent up to its tip, as its policy counts it.
    #[must_use]
    pub const fn buckets(&self) -> &Buckets {
        &self.tail.buckets
    }

    /// The newest envelope of its chain; below the number that it is closed from, if it is, and
    /// nothing when that is 1.
    #[must_use]
    pub const fn tip(&self) -> Option<&Tip> {
        self.tip.as_ref()
    }

    /// From which number on the author is closed, because two of its envelopes have that number, or
    /// something has been cut off from there on. What stands of that is decided one by one.
    #[must_use]
    pub const fn closed(&self) -> Option<u64> {
        self.closed
    }

    /// What is stored of this author.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether an envelope with this number lies where each is decided by itself.
    pub(crate) fn is_closed_at(&self, number: u64) -> bool {
        self.closed.is_some_and(|from| number >= from)
    }

    pub(crate) fn encode_static(&self) -> Vec<u8> {
        [&self.key.as_bytes()[..], &self.root.encode()].concat()
    }

    /// ```text
    /// branches u32 ‖ top ‖ end of branch 0 ‖ covered u8 ‖ closed u64 (0: no) ‖ envelopes ‖ header bytes ‖ bodies ‖ body bytes
    ///   [‖ tip number ‖ id 32 ‖ generation ‖ created ‖ tail]
    /// ```
    pub(crate) fn encode_moving(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(125);
        out.extend_from_slice(&self.branches.to_be_bytes());
        let ends = [self.top, self.main_end].map(u64::to_be_bytes);
        out.extend_from_slice(ends.as_flattened());
        out.push(u8::from(self.covered));
        let counts = [
            self.closed.unwrap_or(0),
            self.counts.envelopes,
            self.counts.header_bytes,
            self.counts.bodies,
            self.counts.body_bytes,
        ];
        out.extend_from_slice(counts.map(u64::to_be_bytes).as_flattened());
        if let Some(tip) = &self.tip {
            out.extend_from_slice(&tip.number.to_be_bytes());
            out.extend_from_slice(tip.id.as_bytes());
            let when = [tip.generation, tip.created].map(u64::to_be_bytes);
            out.extend_from_slice(when.as_flattened());
            self.tail.write(&mut out);
        }
        out
    }

    pub(crate) fn decode(no: u32, fixed: &[u8], moving: &[u8]) -> Option<Self> {
        let mut fixed = Bytes(fixed);
        let key = PublicKey::from_bytes(fixed.array()?);
        let mut author = Self::new(no, key, Root::read(&mut fixed)?);
        let mut bytes = Bytes(moving);
        author.branches = bytes.u32()?;
        author.top = bytes.u64()?;
        author.main_end = bytes.u64()?;
        author.covered = bytes.u8()? != 0;
        author.closed = Some(bytes.u64()?).filter(|from| *from > 0);
        author.counts = Counts {
            envelopes: bytes.u64()?,
            header_bytes: bytes.u64()?,
            bodies: bytes.u64()?,
            body_bytes: bytes.u64()?,
        };
        if !bytes.0.is_empty() {
            author.tip = Some(Tip {
                number: bytes.u64()?,
                id: EnvelopeId::from_bytes(bytes.array()?),
                generation: bytes.u64()?,
                created: bytes.u64()?,
            });
            author.tail = Tail::read(&mut bytes)?;
        }
        Some(author)
    }
}
