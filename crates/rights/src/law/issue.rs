//! What is given on: out of one's own grant alone, within it, and no more than one's share.

use identity::GrantId;
use lace::{Facts, Past, Rule};
use wire::{Budget, Interval, Item, Rights, Verified};

use super::chain::{self, Chain, Under};
use crate::budget::{CarveError, Carving, Issued, Rates};
use crate::eff::limits::MAX_GRANT_DEPTH;

/// Rules of the grants and invites in an envelope.
pub(super) fn all(past: &Past<'_>, envelope: &Verified, chain: &Chain) -> Result<(), Rule> {
    let created = envelope.envelope.header.created;
    let mut before: Option<Vec<Given>> = None;
    for item in envelope.items.iter().flatten() {
        let Some((rights, budget)) = chain::terms(item) else {
            continue;
        };
        parent(past, item, chain)?;
        within(chain, &rights, &budget)?;
        let before = before.get_or_insert_with(|| issued(past));
        carve(before, weight(item), chain, created)?;
        before.push(weight(item));
    }
    Ok(())
}

/// No more than the chain's share, and not too many. An invite that nobody can claim any more
/// counts no longer, but what was claimed of it weighs on.
fn carve(before: &[Given], more: Given, chain: &Chain, created: u64) -> Result<(), Rule> {
    let carving = Carving {
        own: chain.rates(),
        share: chain.share,
    };
    let mut more = more.issued;
    let mut counted = Vec::with_capacity(before.len());
    for given in before {
        if given.open_until.is_none_or(|until| created <= until) {
            counted.push(given.issued);
        } else if given.issued.weighs(created) {
            more.rates = more.rates.and(&given.issued.rates);
        }
    }
    carving
        .allows(counted, &more.rates, created)
        .map_err(|why| match why {
            CarveError::NoLimit => Rule::Within,
            CarveError::TooMany | CarveError::TooMuch => Rule::Carve,
        })
}

/// What an item weighs in its issuer's share.
#[derive(Clone, Copy, Debug)]
struct Given {
    issued: Issued,
    /// Until when an invite can be claimed.
    open_until: Option<u64>,
}

/// Out of the chain's own grant, and not too deep.
fn parent(past: &Past<'_>, item: &Item, chain: &Chain) -> Result<(), Rule> {
    if chain.under == Under::Invite || chain::parent(item) != Some(chain.grant) {
        return Err(Rule::Parent);
    }
    match depth(past.facts, chain) {
        Some(depth) if depth < MAX_GRANT_DEPTH => Ok(()),
        _ => Err(Rule::Parent),
    }
}

/// How far the grant of a chain is from the topic's own; nothing beyond what any may be.
fn depth(facts: &dyn Facts, chain: &Chain) -> Option<u32> {
    let root = GrantId::from_bytes(facts.genesis().topic_id().to_bytes());
    let mut at = chain.grant;
    for depth in 0..=MAX_GRANT_DEPTH {
        if at == root {
            return Some(depth);
        }
        // Each has been let in under its parent, so its parent is here.
        at = chain::parent(&facts.issued(&at).first()?.what)?;
    }
    None
}

/// No right that the chain has not got, at no time at which it has not, and nothing larger, longer
/// or farther.
fn within(chain: &Chain, rights: &Rights, budget: &Budget) -> Result<(), Rule> {
    let given = rights.iter().all(|(right, interval)| {
        let own = chain.rights.get(right);
        own.is_some_and(|own| includes(&own, &interval))
    });
    let own = &chain.budget;
    let bounded = at_most(own.largest, budget.largest)
        && at_most(own.lifespan, budget.lifespan)
        && at_most(own.hops, budget.hops);
    if given && bounded {
        Ok(())
    } else {
        Err(Rule::Within)
    }
}

fn includes(own: &Interval, given: &Interval) -> bool {
    own.from <= given.from && at_most(own.until, given.until)
}

/// Whether something is not beyond a bound, if there is one.
fn at_most<T: PartialOrd>(bound: Option<T>, given: Option<T>) -> bool {
    match (bound, given) {
        (Some(bound), Some(given)) => given <= bound,
        (Some(_), None) => false,
        (None, _) => true,
    }
}

/// What the author has issued in the past. What it wrote on another branch counts where the past
/// has it: whoever forks gains nothing.
fn issued(past: &Past<'_>) -> Vec<Given> {
    let Some(author) = past
        .previous
        .and_then(|previous| past.facts.find(&previous.id))
    else {
        return Vec::new();
    };
    let set = past.set();
    let issued = past.facts.issued_by(author.author).into_iter();
    let issued = issued.filter(|fact| set.has(fact.no));
    issued.map(|fact| weight(&fact.what)).collect()
}

/// Whoever claims an invite writes under it at its rates, so it weighs as often as it has uses.
fn weight(item: &Item) -> Given {
    let (rights, budget) = chain::terms(item).unwrap_or_default();
    let (uses, open_until) = match item {
        Item::Invite(invite) => (u64::from(invite.uses), Some(invite.until)),
        _ => (1, None),
    };
    let rates = chain::rates(&budget);
    let of = |rate: Option<u64>| rate.map(|rate| rate.saturating_mul(uses));
    let issued = Issued {
        rates: Rates {
            messages: of(rates.messages),
            bytes: of(rates.bytes),
        },
        until: chain::end(&rights),
        ended: false,
    };
    Given { issued, open_until }
}
