//! What stands of a set of facts, as the lace and people ask for it.

use std::collections::BTreeMap;

use identity::limits::SHARES;
use identity::{EnvelopeId, Form, GrantId, Id, PublicKey};
use lace::{AuthorNo, Bounds, Cut, Effect, FactNo, Facts, Limit, Over, Seat, Set, Standing, Why};
use wire::Item;

use super::chain;
use super::graph::Graph;
use crate::eff;
use crate::eff::limits::MAX_GRANT_DEPTH;

/// When a grant begins and the place of the fact that gives it, the same at everybody, and its
/// number here.
type Begin = (u64, (u64, EnvelopeId), FactNo);

/// When grants begin, and the facts that give them.
type Begins = BTreeMap<GrantId, Begin>;

/// Where a claim stands among those of its device: the depth of the invite, then the generation and
/// the id of the envelope, and the id of the claim.
type Place = (u32, u64, EnvelopeId, GrantId);

/// What stands, with these forks known.
pub(super) fn effect(facts: &dyn Facts, set: &Set, evidence: &BTreeMap<AuthorNo, u64>) -> Effect {
    let graph = Graph::of(facts, set);
    let all = eff::eff(&graph, &graph.set(), &graph.evidence(evidence));
    let mut effect = Effect::default();
    let since = begins(&graph);
    let started = facts.genesis().epoch.start;
    for (grant, standing) in all.grants() {
        if !stands(&graph, standing) {
            continue;
        }
        let (by, since) = match since.get(grant) {
            Some((since, _, by)) => (Some(*by), *since),
            None => (None, started),
        };
        let standing = Standing {
            by,
            since,
            depth: standing.depth,
            holder: standing.holder,
            over: over(&graph, standing),
        };
        effect.grants.insert(*grant, standing);
    }
    seat_members(&all, &mut effect);
    seat_guests(&graph, &mut effect);
    for (fact, why) in all.void() {
        effect.void.insert(FactNo(fact.0), translated(*why));
    }
    void_others(&graph, (&all, evidence), &mut effect);
    limit((&graph, &all), &since, &mut effect);
    effect.pinned = all.pinned().iter().map(|no| FactNo(no.0)).collect();
    effect
}

/// Whether a grant was given by somebody who stood, and not all of it has ended.
fn stands(graph: &Graph<'_>, standing: &eff::Standing) -> bool {
    let ends = |no: &eff::FactNo| match eff::Facts::fact(graph, *no).map(|fact| &fact.what) {
        Some(eff::What::Revocation(it)) => it.rights.has(eff::Rights::ALL),
        _ => false,
    };
    let mut revocations = standing.above.iter().chain(&standing.own);
    standing.born && standing.closes.is_empty() && !revocations.any(ends)
}

/// The rights of a grant that have been taken back.
fn over(graph: &Graph<'_>, standing: &eff::Standing) -> Over {
    let mut over = Over::default();
    for no in standing.above.iter().chain(&standing.own) {
        if let Some(eff::What::Revocation(it)) = eff::Facts::fact(graph, *no).map(|fact| &fact.what)
        {
            over.publish |= it.rights.has(eff::Rights::PUBLISH);
            over.read |= it.rights.has(eff::Rights::READ);
            over.admit |= it.rights.has(eff::Rights::ADMIT);
        }
    }
    over
}

/// What is about no grant does not stand where its author does not, nor from a fork on.
fn void_others(
    graph: &Graph<'_>,
    (all, evidence): (&eff::Effect, &BTreeMap<AuthorNo, u64>),
    effect: &mut Effect,
) {
    let own = |fact: &eff::Fact| {
        matches!(fact.what, eff::What::Certificate(_) | eff::What::Claim(_))
            .then(|| (FactNo(fact.no.0), fact.spot()))
    };
    let about_authors = graph.iter().filter_map(own);
    let forks = graph.evidence(evidence);
    for (no, spot) in about_authors.chain(graph.others().iter().copied()) {
        let verdict = all.judge(graph, &spot, eff::Class::Other);
        if let eff::Verdict::Loose(why) | eff::Verdict::Void(why) = verdict {
            effect.void.insert(no, translated(why));
        } else if forks
            .get(&spot.author)
            .is_some_and(|from| spot.number >= *from)
            && !all.is_firm(graph, &spot, eff::Class::Other)
        {
            effect.void.insert(no, Why::Fork);
        }
    }
}

/// How far authors stand.
fn limit((graph, all): (&Graph<'_>, &eff::Effect), begins: &Begins, effect: &mut Effect) {
    for (key, starts) in graph.starts() {
        let mut limits = Vec::new();
        for (author, first) in starts {
            let grant = all.author(*author).map(|seat| seat.grant);
            let unborn = || grant.and_then(|grant| unborn_by(all, begins, grant));
            let of = |class| bounds(all.limit(graph, *author, class), unborn);
            let limit = Limit {
                first: (starts.len() > 1).then_some(*first),
                content: of(eff::Class::Content),
                control: of(eff::Class::Other),
            };
            if limit.content != Bounds::default() || limit.control != Bounds::default() {
                limits.push(limit);
            }
        }
        if !limits.is_empty() {
            effect.limits.insert(*key, limits);
        }
    }
}

fn bounds(limit: Option<eff::Limit<'_>>, unborn: impl FnOnce() -> Option<eff::FactNo>) -> Bounds {
    let cut = |cut: &eff::Cut<'_>| Cut {
        ends: cut.ends.iter().map(|id| **id).collect(),
        by: cut.by.map(|no| FactNo(no.0)),
    };
    let Some(limit) = limit.filter(|limit| !limit.unborn) else {
        let nothing = Cut {
            ends: Vec::new(),
            by: unborn().map(|no| FactNo(no.0)),
        };
        return Bounds {
            hard: vec![nothing],
            ..Bounds::default()
        };
    };
    Bounds {
        hard: limit.hard.iter().map(cut).collect(),
        soft: limit.soft.iter().map(cut).collect(),
        forgiven: limit.forgiven,
        branches: limit.branches.iter().map(|id| **id).collect(),
    }
}

/// Why nothing under a grant stands: what has taken the grant, or one above it, from its issuer.
fn unborn_by(all: &eff::Effect, begins: &Begins, mut grant: GrantId) -> Option<eff::FactNo> {
    for _ in 0..=MAX_GRANT_DEPTH {
        let (_, _, given) = begins.get(&grant)?;
        grant = match *all.void().get(&eff::FactNo(given.0))? {
            eff::Why::Revoked(by) | eff::Why::Closed(by) | eff::Why::GivenUp(by) => {
                return Some(by);
            }
            eff::Why::Unseated(by) => return by,
            eff::Why::Unborn(above) if above != grant => above,
            _ => return None,
        };
    }
    None
}

/// When each grant of a set begins, and the fact that gives it: of several that which began first.
fn begins(graph: &Graph<'_>) -> Begins {
    let mut begins = Begins::new();
    for fact in graph.told() {
        if matches!(fact.what, Item::Grant(_) | Item::Invite(_)) {
            let place = (fact.generation, fact.carrier);
            let begin = (chain::since(fact), place, fact.no);
            let known = begins.entry(fact.item).or_insert(begin);
            *known = begin.min(*known);
        }
    }
    begins
}

/// The devices of compositions that hold something.
fn seat_members(all: &eff::Effect, effect: &mut Effect) {
    let held: Vec<_> = effect
        .grants
        .iter()
        .filter_map(|(grant, standing)| {
            Some((standing.depth, *grant, standing.holder?, standing.by))
        })
        .collect();
    for (_, grant, holder, by) in held {
        let Some(now) = all.member(&holder).and_then(eff::Member::now) else {
            continue;
        };
        for device in now.form.devices() {
            let seat = Seat {
                by,
                grant,
                share: device.share,
            };
            let key = (holder, device.key);
            let known = effect.devices.get(&key);
            let depth = |seat: &Seat| effect.grants.get(&seat.grant).map(|grant| grant.depth);
            if known.is_none_or(|known| depth(&seat) < depth(known)) {
                effect.devices.insert(key, seat);
            }
        }
    }
}

/// The devices that have claimed an invite, each a member of its own. One that has claimed several
/// has the seat of the least depth, and of those the one whose claim comes first by what everybody
/// sees of it: the numbers of facts are another node's own.
fn seat_guests(graph: &Graph<'_>, effect: &mut Effect) {
    let mut seats: BTreeMap<(Id, PublicKey), (Place, Seat)> = BTreeMap::new();
    for fact in graph.told() {
        let Item::Claim(claim) = &fact.what else {
            continue;
        };
        let Some(standing) = effect.grants.get(&claim.grant) else {
            continue;
        };
        let seat = Seat {
            by: Some(fact.no),
            grant: claim.grant,
            share: SHARES,
        };
        let place = (standing.depth, fact.generation, fact.carrier, fact.item);
        let device = (Form::one(claim.device).member(), claim.device);
        let known = seats.entry(device).or_insert((place, seat));
        if place < known.0 {
            *known = (place, seat);
        }
    }
    for (device, (_, seat)) in seats {
        effect.devices.entry(device).or_insert(seat);
    }
}

fn translated(why: eff::Why) -> Why {
    let fact = |no: eff::FactNo| FactNo(no.0);
    match why {
        eff::Why::Unknown => Why::Unknown,
        eff::Why::Unborn(grant) => Why::Unborn(grant),
        eff::Why::Revoked(by) => Why::Revoked(fact(by)),
        eff::Why::Closed(by) => Why::Closed(fact(by)),
        eff::Why::GivenUp(by) => Why::GivenUp(fact(by)),
        eff::Why::Unseated(by) => Why::Unseated(by.map(fact)),
        eff::Why::Forked(_) => Why::Fork,
        eff::Why::NotAbove => Why::NotAbove,
        eff::Why::Unsigned => Why::Unsigned,
        eff::Why::Passed => Why::Passed,
    }
}
