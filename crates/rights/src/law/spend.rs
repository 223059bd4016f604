//! What a chain spends: messages and bytes of claimed time, content and control apart; and under an
//! invite that says so, envelopes and bytes in all, both together.
//!
//! What is kept of a bucket is what has been spent of it and has not filled again, so that a chain
//! without limits, or one that was silent for ten minutes, has nothing to keep.

use lace::{Buckets, Previous, Rule};
use wire::{Class, Verified};

use super::chain::Chain;
use crate::budget::{Bucket, Cost, Rates};

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
