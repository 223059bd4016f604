//! What is given on: out of one's own grant alone, within it, and no more than one's share.

use lace::Rule;
use wire::{Budget, Interval, InviteKind, Item, Rights, Verified};

use super::chain::{self, Chain, Under};
use super::look::Look;
use crate::budget::{CarveError, Carving, Issued, Rates};
use crate::eff::limits::MAX_GRANT_DEPTH;

/// Rules of the grants and invites in an envelope that its author alone gives.
pub(super) fn all(look: &Look<'_>, envelope: &Verified, chain: &Chain) -> Result<(), Rule> {
    let created = envelope.envelope.header.created;
    let mut before: Option<Vec<Given>> = None;
    let own = |item: &&Item| !is_joint(item);
    for item in envelope.items.iter().flatten().filter(own) {
        let Some((rights, budget)) = look.gift(item) else {
            continue;
        };
        parent(look, item, chain)?;
        within(chain, &rights, &budget)?;
        let before = before.get_or_insert_with(|| issued(look));
        let more = weight(look, item, created);
        carve(before, more, chain, created)?;
        before.push(more);
    }
    Ok(())
}

/// Whether a composition signed it: then its parent alone bounds it.
fn is_joint(item: &Item) -> bool {
    matches!(item, Item::Grant(grant) if grant.joint.is_some())
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
fn parent(look: &Look<'_>, item: &Item, chain: &Chain) -> Result<(), Rule> {
    if chain.under == Under::Invite || chain::parent(item) != Some(chain.grant) {
        return Err(Rule::Parent);
    }
    match look.depth(&chain.grant) {
        Some(depth) if depth < MAX_GRANT_DEPTH => Ok(()),
        _ => Err(Rule::Parent),
    }
}

/// No right that the chain has not got, at no time at which it has not, and nothing larger, longer
/// or farther.
pub(super) fn within(chain: &Chain, rights: &Rights, budget: &Budget) -> Result<(), Rule> {
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

/// Rates of a grant that no device's share bounds are at most those of its parent.
pub(super) fn at_most_rates(chain: &Chain, budget: &Budget) -> Result<(), Rule> {
    let (own, given) = (chain.rates(), chain::rates(budget));
    if at_most(own.messages, given.messages) && at_most(own.bytes, given.bytes) {
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
fn issued(look: &Look<'_>) -> Vec<Given> {
    let past = look.past;
    let Some(author) = past
        .previous
        .and_then(|previous| past.facts.find(&previous.id))
    else {
        return Vec::new();
    };
    let set = past.set();
    let issued = past.facts.issued_by(author.author).into_iter();
    let issued = issued.filter(|fact| set.has(fact.no) && !is_joint(&fact.what));
    let taken = look.taken();
    let given = issued.map(|fact| {
        let mut given = weight(look, &fact.what, fact.created);
        let mut standing = taken.iter();
        given.issued.ended = standing.any(|effect| !effect.grants.contains_key(&fact.item));
        given
    });
    given.collect()
}

/// Whoever claims an invite writes under it at its rates, so it weighs as often as it has uses.
fn weight(look: &Look<'_>, item: &Item, since: u64) -> Given {
    let (rights, budget) = look.gift(item).unwrap_or_default();
    let (uses, open_until) = match item {
        Item::Invite(invite) => match invite.kind {
            InviteKind::WhileAway(_) => (u64::from(invite.uses), Some(invite.until)),
            // Nobody writes under it: the grants that welcome weigh.
            InviteKind::Attended(_) | InviteKind::Device => (0, Some(invite.until)),
        },
        _ => (1, None),
    };
    let rates = chain::rates(&budget);
    let of = |rate: Option<u64>| rate.map(|rate| rate.saturating_mul(uses));
    let issued = Issued {
        rates: Rates {
            messages: of(rates.messages),
            bytes: of(rates.bytes),
        },
        since,
        until: chain::end(&rights),
        ended: false,
    };
    Given { issued, open_until }
}
