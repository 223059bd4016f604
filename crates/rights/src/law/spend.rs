//! What a chain spends: messages and bytes of claimed time, content and control apart; and under an
//! invite that says so, envelopes and bytes in all, both together.
//!
//! What is kept of a bucket is what has been spent of it and has not filled again, so that a chain
//! without limits, or one that was silent for ten minutes, has nothing to keep.

use lace::{Author, Buckets, Previous, Rule};
use wire::{Budget, Class, Verified};

use super::Law;
use super::chain::{self, Chain};
use crate::budget::{Bucket, Cost, Rates};
use crate::eff::limits::MINUTE_MS;

/// Bytes of an envelope's signature.
const PROOF: usize = 64;

/// The buckets of a chain after an envelope.
pub(super) fn after(
    previous: Option<&Previous>,
    envelope: &Verified,
    chain: &Chain,
) -> Result<Buckets, Rule> {
    let header = &envelope.envelope.header;
    let so_far = previous.map_or_else(Buckets::default, |previous| previous.admitted.buckets);
    let elapsed = previous.map_or(0, |previous| {
        header.created.saturating_sub(previous.created)
    });
    let is_content = header.class == Class::Content;
    let length = envelope.envelope.header_bytes.len().saturating_add(PROOF);
    let length = u64::try_from(length).unwrap_or(u64::MAX);
    let cost = Cost {
        messages: if is_content {
            u64::from(header.count)
        } else {
            1
        },
        bytes: length.saturating_add(u64::from(header.body_len)),
    };
    let content = chain.rates().part(chain.share);
    Ok(Buckets {
        total: in_all(so_far.total, &cost, (header.number, chain))?,
        content: one(
            so_far.content,
            elapsed,
            &content,
            is_content.then_some(&cost),
        )?,
        control: one(
            so_far.control,
            elapsed,
            &Rates::CONTROL,
            (!is_content).then_some(&cost),
        )?,
    })
}

/// Bytes in all after an envelope of this number, where anything in all is limited.
fn in_all(so_far: u64, cost: &Cost, (number, chain): (u64, &Chain)) -> Result<u64, Rule> {
    let budget = &chain.budget;
    if !budget.has_totals() {
        return Ok(0);
    }
    let total = so_far.saturating_add(cost.bytes);
    let many = budget.total_envelopes.is_some_and(|most| number > most);
    if many || budget.total_bytes.is_some_and(|most| total > most) {
        return Err(Rule::Total);
    }
    Ok(total)
}

/// One bucket after some time, and maybe an envelope.
fn one(
    spent: lace::Bucket,
    elapsed: u64,
    rates: &Rates,
    cost: Option<&Cost>,
) -> Result<lace::Bucket, Rule> {
    let left = Bucket::with_spent((spent.messages, spent.bytes), rates);
    let left = match cost {
        Some(cost) => left.after(elapsed, rates, cost).map_err(|_| Rule::Rate)?,
        None => left.filled(elapsed, rates),
    };
    let (messages, bytes) = left.spent(rates);
    Ok(lace::Bucket { messages, bytes })
}

/// What of its rates a chain has used, as far as its bucket has not filled again. Of ten minutes' worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Used {
    /// Messages, the last one whole; nothing where they have no limit.
    pub messages: Option<u64>,
    /// Bytes of header, proof and body; nothing where they have no limit.
    pub bytes: Option<u64>,
}

impl Used {
    /// Both together, where both have a limit; else the one that has.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let sum = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.saturating_add(b)),
            (one, none) => one.or(none),
        };
        Self {
            messages: sum(self.messages, other.messages),
            bytes: sum(self.bytes, other.bytes),
        }
    }
}

impl Law {
    /// What the bucket for content of an author's chain lacks, for an envelope that would claim to be written
    /// at this time (milliseconds since 1970): by the same rule as it is admitted. Of the budget its device
    /// has a share, of 256.
    #[must_use]
    pub fn used(author: &Author, (budget, share): (&Budget, u16), now: u64) -> Used {
        let rates = chain::rates(budget).part(share);
        let elapsed = author
            .tip()
            .map_or(0, |tip| now.saturating_sub(tip.created));
        // What costs nothing fits at any time.
        let spent = one(author.buckets().content, elapsed, &rates, None).unwrap_or_default();
        let whole = |rate: Option<u64>, units: u64| rate.map(|_| units.div_ceil(MINUTE_MS));
        Used {
            messages: whole(rates.messages, spent.messages),
            bytes: whole(rates.bytes, spent.bytes),
        }
    }
}
