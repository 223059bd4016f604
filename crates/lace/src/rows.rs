//! The rows of a lace. Every key begins with the topic's local number; integers are big-endian.
//!
//! ```text
//! lace          local ‖ 'g'                            layout u8 ‖ genesis bytes
//!               local ‖ 'c'                            highest place ever given u64
//!               local ‖ 'a' ‖ author u32               author, as long as it is known (author.rs)
//!               local ‖ 'h' ‖ author u32               what moves with its chain (author.rs)
//!               local ‖ 'r' ‖ author u32 ‖ branch u32  a second and further branch (branch.rs)
//!               local ‖ 's' ‖ author u32 ‖ number ‖ id a branch that stands
//!               local ‖ 'i' ‖ grant ‖ envelope id      invite (invite.rs)
//!               local ‖ 'j' ‖ grant ‖ envelope id      a grant or invite: fact u32 ‖ author u32 (issue.rs)
//!               local ‖ 'k' ‖ fact u32                 (nothing): a revocation, close or act (issue.rs)
//!               local ‖ 'e' ‖ author key               evidence pair (evidence.rs)
//!               local ‖ 'f' ‖ first fact u32           the facts of an envelope (fact.rs)
//!               local ‖ 'v' ‖ view u32                 a view (view.rs)
//!               local ‖ 'w' ‖ hash                     the joined view whose facts have this hash
//!               local ‖ 'b' ‖ author u32               how far a bound has been applied (bound.rs)
//!               local ‖ 'q' ‖ u64 ‖ envelope           (nothing): it lost what held it up; the highest generation first
//!               local ‖ 'd'                            (nothing): not all of that is done
//!               local ‖ 'x'                            being forgotten
//! lace.header   local ‖ author ‖ number ‖ branch          place u64 ‖ proof 64 ‖ header bytes
//! lace.body     local ‖ author ‖ number ‖ branch          body bytes
//! lace.id       local ‖ envelope id                    author ‖ number ‖ generation ‖ created ‖ tail (author.rs)
//! lace.order    local ‖ place u64                      author ‖ number ‖ class u8 ‖ envelope id
//! lace.control  local ‖ place                          (nothing)
//! lace.missing  local ‖ place                          body length u32
//! lace.expiry   local ‖ hour u64 ‖ author ‖ number ‖ branch   bytes of the body that are here u32
//! lace.named    local ‖ author ‖ number ‖ branch ‖ author ‖ number ‖ branch   (nothing): the second names the first
//! lace.stands   local ‖ author ‖ place                 number ‖ branch ‖ hold u8 (stand.rs)
//! ```
//!
//! In the tables of envelopes a *branch* is the first 16 bytes of an envelope's id: enough that
//! nobody can make two envelopes of one number that meet in a row. In the rows of an author it is a
//! number.
//!
//! A *place* is the number of an envelope of the kept set in the local causal order, from 1; the
//! place 0 in a header's row says that the envelope never belonged to the kept set.

use identity::EnvelopeId;
use machine::Table;

/// The rows of the topic, its authors, invites and evidence.
pub const LACE: Table = Table::new(40, "lace");
/// Headers with their proofs.
pub const HEADER: Table = Table::new(41, "lace.header");
/// Bodies.
pub const BODY: Table = Table::new(42, "lace.body");
/// Where an envelope is, by id.
pub const ID: Table = Table::new(43, "lace.id");
/// The kept set in the local causal order.
pub const ORDER: Table = Table::new(44, "lace.order");
/// The places of control envelopes.
pub const CONTROL: Table = Table::new(45, "lace.control");
/// The places of envelopes whose body has not come.
pub const MISSING: Table = Table::new(46, "lace.missing");
/// When bodies go; 0 bytes for a body that has not come.
pub const EXPIRY: Table = Table::new(47, "lace.expiry");
/// Who names whom across chains.
pub const NAMED: Table = Table::new(48, "lace.named");
/// What is kept outside of what is firm from the beginning of a chain on.
pub const STANDS: Table = Table::new(49, "lace.stands");

/// All tables of a lace.
pub const TABLES: [Table; 10] = [
    LACE, HEADER, BODY, ID, ORDER, CONTROL, MISSING, EXPIRY, NAMED, STANDS,
];

/// The layout of the rows. A store with another one is not opened.
pub(crate) const LAYOUT: u8 = 2;

/// Where the rows of an envelope are: author's local number, number on the chain, and the branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) author: u32,
    pub(crate) number: u64,
    pub(crate) branch: [u8; 16],
}

impl Spot {
    pub(crate) const LEN: usize = 28;

    pub(crate) fn new(author: u32, number: u64, id: &EnvelopeId) -> Self {
        let mut branch = [0; 16];
        for (to, from) in branch.iter_mut().zip(id.as_bytes()) {
            *to = *from;
        }
        Self {
            author,
            number,
            branch,
        }
    }

    pub(crate) fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..4].copy_from_slice(&self.author.to_be_bytes());
        out[4..12].copy_from_slice(&self.number.to_be_bytes());
        out[12..].copy_from_slice(&self.branch);
        out
    }

    pub(crate) fn read(bytes: &mut Bytes<'_>) -> Option<Self> {
        Some(Self {
            author: bytes.u32()?,
            number: bytes.u64()?,
            branch: bytes.array()?,
        })
    }
}

/// A key: the topic's local number and parts.
pub(crate) fn key(local: u32, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + parts.iter().map(|part| part.len()).sum::<usize>());
    out.extend_from_slice(&local.to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// The rows of an envelope in [`HEADER`] and [`BODY`].
pub(crate) fn at_spot(local: u32, spot: &Spot) -> Vec<u8> {
    key(local, &[&spot.encode()])
}

/// The first key of an author's rows from a number on.
pub(crate) fn from_number(local: u32, author: u32, number: u64) -> Vec<u8> {
    key(local, &[&author.to_be_bytes(), &number.to_be_bytes()])
}

/// The first key after an author's rows up to and including a number.
pub(crate) fn after_number(local: u32, author: u32, number: u64) -> Vec<u8> {
    match number.checked_add(1) {
        Some(next) => from_number(local, author, next),
        // Beyond every row of this number: longer than any branch could make it.
        None => key(local, &[&author.to_be_bytes(), &[u8::MAX; 25]]),
    }
}

/// A row keyed by a place, or by any other single number.
pub(crate) fn at_place(local: u32, place: u64) -> Vec<u8> {
    key(local, &[&place.to_be_bytes()])
}

/// Reads what this crate wrote. Every getter gives nothing when too little is left.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }
}
