//! The rows of topics. Every key begins with the topic's local number; integers are big-endian.
//!
//! ```text
//! topic        local                     version 1 ‖ topic id ‖ role ‖ state ‖ delivered u64 ‖ next line u64 ‖ confirmed u64
//! topic.line   local ‖ first line u64    a run of lines of one envelope (Run)
//! topic.shown  local ‖ envelope id       0 ‖ line u64 (gap) | 1 ‖ line u64 (lines)
//! topic.waits  local ‖ place u64         (nothing): no lines yet
//! topic.slot   local ‖ holder ‖ kind     counter u64 ‖ until u64 ‖ the signed receipt, as it came
//! topic.best   local ‖ author ‖ kind ‖ device or node      see evidence.rs
//! topic.ack    local ‖ envelope id ‖ device                at u64
//! topic.refused local ‖ author ‖ node or device            see evidence.rs
//! topic.box    locator                   local ‖ the signed box (wire.md), as it came
//! topic.boxes  local ‖ locator           (nothing)
//! topic.claim  kdf("claim", item)        local ‖ the claim, as an item
//! topic.claims local ‖ kdf("claim", item) first seen u64 ‖ 1 by a confirmed clock | 0
//! topic.claimed local ‖ grant id          claims that were welcomed and are not kept any more, u32
//! topic.answer kdf("claim", item) ‖ device   the answer (wire.md), as it came
//! topic.name   local ‖ device            UTF-8     (no device: the topic's title)
//! topic.device local ‖ device            0 here | 1 has left
//!              either key ‖ 0            generation u64 ‖ envelope id: by which it is known
//! topic.lacks  local ‖ envelope id       (nothing): held for others, and its blocks are not all here
//! topic.unshared local ‖ envelope id    (nothing): its device has said that its blocks may go
//! topic.void   local ‖ envelope id       who made void what was shown of it (Void)
//! ```
//!
//! A place is that of an envelope in the local causal order of the topic's lace.

use crate::host::Local;
use identity::{EnvelopeId, PublicKey, TopicId};
use machine::Table;

/// One row a topic.
pub const TOPIC: Table = Table::new(60, "topic");
/// Lines for the application, in runs.
pub const LINE: Table = Table::new(61, "topic.line");
/// Which lines an envelope has.
pub const SHOWN: Table = Table::new(62, "topic.shown");
/// The latest receipt of each holder and kind.
pub const SLOT: Table = Table::new(63, "topic.slot");
/// The best evidence about this home's own chains.
pub const BEST: Table = Table::new(64, "topic.best");
/// Devices that named an envelope of this home.
pub const ACK: Table = Table::new(65, "topic.ack");
/// Refusals of this home's envelopes.
pub const REFUSED: Table = Table::new(66, "topic.refused");
/// Invite boxes by locator.
pub const BOX: Table = Table::new(67, "topic.box");
/// Invite boxes by topic.
pub const BOXES: Table = Table::new(68, "topic.boxes");
/// Names of devices, and the topic's title.
pub const NAME: Table = Table::new(69, "topic.name");
/// Envelopes whose lines wait for a body.
pub const WAITS: Table = Table::new(70, "topic.waits");
/// Devices that have joined, and whether they have left.
pub const DEVICE: Table = Table::new(71, "topic.device");

/// Envelopes that were shown and are void.
pub const VOID: Table = Table::new(72, "topic.void");

/// Claims of attended invites.
pub const CLAIM: Table = Table::new(73, "topic.claim");
/// The same by topic.
pub const CLAIMS: Table = Table::new(74, "topic.claims");
/// Answers to claims.
pub const ANSWER: Table = Table::new(75, "topic.answer");
/// How often invites were used by claims that are not kept any more.
pub const CLAIMED: Table = Table::new(76, "topic.claimed");
/// Envelopes held for others whose blocks are not all here.
pub const LACKS: Table = Table::new(77, "topic.lacks");
/// Envelopes of which the device that wrote them has said that their blocks may go.
pub const UNSHARED: Table = Table::new(78, "topic.unshared");

/// All tables of topics.
pub const TABLES: [Table; 19] = [
    TOPIC, LINE, SHOWN, SLOT, BEST, ACK, REFUSED, BOX, BOXES, NAME, WAITS, DEVICE, VOID, CLAIM,
    CLAIMS, ANSWER, CLAIMED, LACKS, UNSHARED,
];

/// The tables whose keys begin with a topic's local number, but for the topic's own row, which goes
/// last when it is forgotten.
pub(crate) const BY_TOPIC: [Table; 15] = [
    LINE, SHOWN, WAITS, SLOT, BEST, ACK, REFUSED, BOXES, NAME, DEVICE, VOID, CLAIMS, CLAIMED,
    LACKS, UNSHARED,
];

/// What this node is in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads and writes; has lines, and acknowledges what was delivered.
    Member,
    /// Holds and serves without keys and without lines; acknowledges what it promised to hold.
    Custodian,
}

/// How far a topic has got in its life here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// In use.
    Active,
    /// This home has left: it serves what it has, takes nothing new and writes nothing.
    Left,
    /// Its rows are being removed.
    Forgetting,
}

/// The row of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicRow {
    pub(crate) id: TopicId,
    pub(crate) role: Role,
    pub(crate) phase: Phase,
    /// Envelopes up to this place have lines, are gaps, or wait.
    pub(crate) delivered: u64,
    pub(crate) next_line: u64,
    pub(crate) confirmed: u64,
}

const VERSION: u8 = 1;

impl TopicRow {
    pub(crate) const fn new(id: TopicId, role: Role) -> Self {
        Self {
            id,
            role,
            phase: Phase::Active,
            delivered: 0,
            next_line: 1,
            confirmed: 0,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = vec![VERSION];
        row.extend_from_slice(self.id.as_bytes());
        row.push(match self.role {
            Role::Member => 0,
            Role::Custodian => 1,
        });
        row.push(match self.phase {
            Phase::Active => 0,
            Phase::Left => 1,
            Phase::Forgetting => 2,
        });
        for number in [self.delivered, self.next_line, self.confirmed] {
            row.extend_from_slice(&number.to_be_bytes());
        }
        row
    }

    pub(crate) fn decode(row: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(row);
        if bytes.u8()? != VERSION {
            return None;
        }
        let decoded = Self {
            id: TopicId::from_bytes(bytes.array()?),
            role: match bytes.u8()? {
                0 => Role::Member,
                1 => Role::Custodian,
                _ => return None,
            },
            phase: match bytes.u8()? {
                0 => Phase::Active,
                1 => Phase::Left,
                2 => Phase::Forgetting,
                _ => return None,
            },
            delivered: bytes.u64()?,
            next_line: bytes.u64()?,
            confirmed: bytes.u64()?,
        };
        bytes.end()?;
        Some(decoded)
    }
}

/// Why the place of an envelope is shown without its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// Its body has not come; it is shown later if it still comes.
    Missing,
    /// Its body has expired.
    Expired,
    /// Its body is not what its header says, for every reader.
    Malformed,
    /// This home has not got the key.
    NoKey,
}

impl GapReason {
    const fn code(self) -> u8 {
        match self {
            Self::Missing => 0,
            Self::Expired => 1,
            Self::Malformed => 2,
            Self::NoKey => 3,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Missing,
            1 => Self::Expired,
            2 => Self::Malformed,
            3 => Self::NoKey,
            _ => return None,
        })
    }
}

/// What the lines of a run are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunKind {
    Messages,
    Join,
    Leave,
    Gap(GapReason),
    /// What was shown of the envelope is void by now.
    Withdrawn,
    /// It stands again.
    Restored,
}

/// Lines that follow one another and come from one envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) kind: RunKind,
    pub(crate) id: EnvelopeId,
    /// When its author claims to have written it: lines are looked up by time.
    pub(crate) at: u64,
    pub(crate) index: u16,
    pub(crate) count: u16,
}

impl Run {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, reason) = match self.kind {
            RunKind::Messages => (0, 0),
            RunKind::Join => (1, 0),
            RunKind::Leave => (2, 0),
            RunKind::Gap(reason) => (3, reason.code()),
            RunKind::Withdrawn => (4, 0),
            RunKind::Restored => (5, 0),
        };
        let mut row = vec![kind];
        row.extend_from_slice(self.id.as_bytes());
        row.extend_from_slice(&self.at.to_be_bytes());
        row.extend_from_slice(&self.index.to_be_bytes());
        row.extend_from_slice(&self.count.to_be_bytes());
        row.push(reason);
        row
    }

    pub(crate) fn decode(row: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(row);
        let kind = bytes.u8()?;
        let (id, at) = (EnvelopeId::from_bytes(bytes.array()?), bytes.u64()?);
        let (index, count) = (bytes.u16()?, bytes.u16()?);
        let reason = bytes.u8()?;
        bytes.end()?;
        let kind = match kind {
            0 => RunKind::Messages,
            1 => RunKind::Join,
            2 => RunKind::Leave,
            3 => RunKind::Gap(GapReason::from_code(reason)?),
            4 => RunKind::Withdrawn,
            5 => RunKind::Restored,
            _ => return None,
        };
        Some(Self {
            kind,
            id,
            at,
            index,
            count,
        })
    }
}

/// What an application has been shown of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// A gap, at this line.
    Gap(u64),
    /// Its lines, from this one on.
    Lines(u64),
}

impl Shown {
    pub(crate) fn encode(self) -> Vec<u8> {
        let (tag, line) = match self {
            Self::Gap(line) => (0, line),
            Self::Lines(line) => (1, line),
        };
        let mut row = vec![tag];
        row.extend_from_slice(&line.to_be_bytes());
        row
    }

    pub(crate) fn decode(row: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(row);
        Some(match bytes.u8()? {
            0 => Self::Gap(bytes.u64()?),
            1 => Self::Lines(bytes.u64()?),
            _ => return None,
        })
    }
}

/// Why what was shown of an envelope is void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Void {
    /// The device of whoever says so; nothing when the author contradicted itself.
    pub(crate) by: Option<PublicKey>,
    /// When, as they claim, in milliseconds since 1970.
    pub(crate) at: u64,
}

impl Void {
    /// `at u64 [‖ device]`.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut row = self.at.to_be_bytes().to_vec();
        row.extend_from_slice(self.by.as_ref().map_or(&[], |by| &by.as_bytes()[..]));
        row
    }

    pub(crate) fn decode(row: &[u8]) -> Option<Self> {
        let mut bytes = Bytes(row);
        let at = bytes.u64()?;
        let by = match bytes.end() {
            Some(()) => None,
            None => Some(PublicKey::from_bytes(bytes.array()?)),
        };
        bytes.end()?;
        Some(Self { by, at })
    }
}

/// The key of a topic alone.
pub(crate) const fn key(local: Local) -> [u8; 4] {
    local.to_be_bytes()
}

/// A topic's key and a number.
pub(crate) fn key_number(local: Local, number: u64) -> Vec<u8> {
    let mut key = local.to_be_bytes().to_vec();
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// A topic's key and any bytes.
pub(crate) fn key_bytes(local: Local, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = local.to_be_bytes().to_vec();
    for part in parts {
        key.extend_from_slice(part);
    }
    key
}

/// The number at the end of a key made by [`key_number`].
pub(crate) fn number_of(key: &[u8]) -> Option<u64> {
    let mut bytes = Bytes(key);
    bytes.take(4)?;
    let number = bytes.u64()?;
    Some(number)
}

/// Reads fixed fields off the front; nothing when they are not there.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(crate) const fn end(&self) -> Option<()> {
        if self.0.is_empty() { Some(()) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::{GapReason, Phase, Role, Run, RunKind, Shown, TopicRow, Void};
    use identity::{EnvelopeId, TopicId};

    #[test]
    fn rows_come_back_as_they_were() {
        let mut row = TopicRow::new(TopicId::from_bytes([3; 32]), Role::Custodian);
        row.phase = Phase::Left;
        row.delivered = 7;
        row.next_line = 9;
        assert_eq!(TopicRow::decode(&row.encode()), Some(row));
        for kind in [
            RunKind::Messages,
            RunKind::Join,
            RunKind::Gap(GapReason::NoKey),
            RunKind::Withdrawn,
            RunKind::Restored,
        ] {
            let id = EnvelopeId::from_bytes([4; 32]);
            let run = Run {
                kind,
                id,
                at: 5,
                index: 2,
                count: 1000,
            };
            assert_eq!(Run::decode(&run.encode()), Some(run));
        }
        for by in [None, Some(identity::PublicKey::from_bytes([7; 32]))] {
            let void = Void { by, at: 9 };
            assert_eq!(Void::decode(&void.encode()), Some(void));
            assert_eq!(Void::decode(&void.encode()[1..]), None);
        }
        for shown in [Shown::Gap(3), Shown::Lines(u64::MAX)] {
            assert_eq!(Shown::decode(&shown.encode()), Some(shown));
        }
    }

    #[test]
    fn damaged_rows_are_noticed() {
        let row = TopicRow::new(TopicId::from_bytes([3; 32]), Role::Member).encode();
        for cut in 0..row.len() {
            assert_eq!(TopicRow::decode(&row[..cut]), None);
        }
        let mut long = row;
        long.push(0);
        assert_eq!(TopicRow::decode(&long), None);
        assert_eq!(Run::decode(&[9; 46]), None);
        assert_eq!(Shown::decode(&[]), None);
    }
}
