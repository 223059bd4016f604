//! Sets of facts.

use crate::fact::FactNo;
use crate::rows::Bytes;
use identity::seal::kdf;

/// Facts in one block of a set.
const BLOCK: u32 = u64::BITS;

/// A set of facts: blocks of 64 numbers, those without a member left out, so that it is as small as
/// what is in it, however high the numbers have become.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Set {
    /// Number of the block and its members, ascending; none is empty.
    blocks: Vec<(u32, u64)>,
}

impl Set {
    /// Bytes of a block in a row.
    pub(crate) const BLOCK_LEN: usize = 12;

    /// A set of these facts.
    #[must_use]
    pub fn new(facts: impl IntoIterator<Item = FactNo>) -> Self {
        let mut set = Self::default();
        for fact in facts {
            set.add(fact);
        }
        set
    }

    /// Whether a fact is in it.
    #[must_use]
    pub fn has(&self, fact: FactNo) -> bool {
        let block = fact.0 / BLOCK;
        let found = self.blocks.binary_search_by_key(&block, |(no, _)| *no);
        let members = found.ok().and_then(|at| self.blocks.get(at));
        members.is_some_and(|(_, members)| members & bit(fact) != 0)
    }

    /// The facts, ascending: each after those of its past.
    pub fn iter(&self) -> impl Iterator<Item = FactNo> + '_ {
        self.blocks.iter().flat_map(|(no, members)| {
            let first = no.saturating_mul(BLOCK);
            let members = *members;
            (0..BLOCK)
                .filter(move |at| members & (1 << at) != 0)
                .map(move |at| FactNo(first.saturating_add(at)))
        })
    }

    /// How many facts are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        let counts = self.blocks.iter().map(|(_, members)| members.count_ones());
        counts.fold(0, |sum, count| {
            sum.saturating_add(usize::try_from(count).unwrap_or(0))
        })
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Whether everything in another set is in this one.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        let mut own = self.blocks.iter().peekable();
        other.blocks.iter().all(|(no, members)| {
            while own.peek().is_some_and(|(at, _)| at < no) {
                own.next();
            }
            own.peek()
                .is_some_and(|(at, here)| at == no && members & !here == 0)
        })
    }

    /// Adds one fact.
    pub(crate) fn add(&mut self, fact: FactNo) {
        let block = fact.0 / BLOCK;
        match self.blocks.binary_search_by_key(&block, |(no, _)| *no) {
            Ok(at) => {
                if let Some((_, members)) = self.blocks.get_mut(at) {
                    *members |= bit(fact);
                }
            }
            Err(at) => self.blocks.insert(at, (block, bit(fact))),
        }
    }

    /// Adds `count` facts that follow one another.
    pub(crate) fn add_run(&mut self, first: FactNo, count: u16) {
        for at in 0..u32::from(count) {
            self.add(FactNo(first.0.saturating_add(at)));
        }
    }

    /// Adds everything in another set.
    pub(crate) fn add_all(&mut self, other: &Self) {
        let mut all = Vec::with_capacity(self.blocks.len().max(other.blocks.len()));
        let mut theirs = other.blocks.iter().copied().peekable();
        for (no, members) in self.blocks.drain(..) {
            while let Some(block) = theirs.next_if(|(at, _)| *at < no) {
                all.push(block);
            }
            let more = theirs.next_if(|(at, _)| *at == no);
            all.push((no, members | more.map_or(0, |(_, more)| more)));
        }
        all.extend(theirs);
        self.blocks = all;
    }

    /// Bytes in memory, roughly.
    pub(crate) fn weight(&self) -> usize {
        self.blocks.len().saturating_mul(16).saturating_add(64)
    }

    /// Bytes in a row.
    pub(crate) fn encoded_len(&self) -> usize {
        self.blocks.len().saturating_mul(Self::BLOCK_LEN)
    }

    /// `number u32 ‖ members u64` of each block.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_len());
        for (no, members) in &self.blocks {
            out.extend_from_slice(&no.to_be_bytes());
            out.extend_from_slice(&members.to_be_bytes());
        }
        out
    }

    pub(crate) fn read(bytes: &mut Bytes<'_>) -> Option<Self> {
        let mut blocks = Vec::with_capacity(bytes.0.len() / Self::BLOCK_LEN);
        while !bytes.0.is_empty() {
            blocks.push((bytes.u32()?, bytes.u64()?));
        }
        Some(Self { blocks })
    }

    /// Equal for equal sets alone, at this replica.
    pub(crate) fn hash(&self) -> [u8; 32] {
        kdf("view", &[&self.encode()])
    }
}

const fn bit(fact: FactNo) -> u64 {
    1 << (fact.0 % BLOCK)
}
