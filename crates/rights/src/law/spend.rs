//! What a chain spends: messages and bytes of claimed time, content and control apart.
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
