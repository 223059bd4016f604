//! What takes something away, or changes who may: revocations, closes, acts, countersignatures, and
//! what several devices sign together.

use std::collections::BTreeSet;

use identity::{ActId, GrantId, Id, PublicKey};
use lace::Rule;
use machine::planted::{Bug, is};
use wire::limits::DAY_MS;
use wire::{Act, Close, Grant, Item, Joint, Revocation, Right, Verified};

use super::chain::{self, Chain};
use super::issue;
use super::look::{Look, Whole};
use crate::eff::limits::MAX_GRANT_DEPTH;

/// Rules of the items of an envelope that take, and of its joint grants.
pub(super) fn all(look: &Look<'_>, envelope: &Verified, chain: &Chain) -> Result<(), Rule> {
    for item in envelope.items.iter().flatten() {
        match item {
            Item::Revocation(it) => revocation(look, it, chain)?,
            Item::Close(it) => close(look, it, chain)?,
            Item::Act(it) => act(look, it)?,
            Item::Countersign(it) if !look.whole().graph.has_act(it) => return Err(Rule::Act),
            // What it chooses among, it names.
            Item::Certificate(it) => look.has_named(&it.branches)?,
            Item::Grant(grant) => {
                if let Some(joint) = &grant.joint {
                    granted(look, grant, joint)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// By whoever stands above the grant, where it likes; or by whoever holds it, with a cut that
/// leaves all that it knows.
fn revocation(look: &Look<'_>, it: &Revocation, chain: &Chain) -> Result<(), Rule> {
    look.given(&it.grant).ok_or(Rule::Above)?;
    let by = match &it.joint {
        Some(joint) => signed(look, joint)?,
        None => chain.holder.ok_or(Rule::Above)?,
    };
    let own = look.holder(&it.grant) == Some(by);
    let itself = own && it.joint.is_none() && chain.grant == it.grant;
    let reaches = it.joint.is_some() || itself || is_higher(look, chain, &it.grant);
    if !reaches || !(own || look.is_above(by, &it.grant)) {
        return Err(Rule::Above);
    }
    look.has_named(&it.cut)?;
    if own && !is(Bug::SelfRevokedAtZero) {
        look.leaves_all(&it.cut, |seat| seat.grant == it.grant)?;
    }
    Ok(())
}

/// By whoever stands above, a day after the grant's end, with a cut that leaves all that it knows:
/// whatever was let in of a grant claims a time before its end.
fn close(look: &Look<'_>, it: &Close, chain: &Chain) -> Result<(), Rule> {
    let fact = look.given(&it.grant).ok_or(Rule::Above)?;
    let by = chain.holder.ok_or(Rule::Above)?;
    if !is_higher(look, chain, &it.grant) || !look.is_above(by, &it.grant) {
        return Err(Rule::Above);
    }
    let rights = chain::terms(&fact.what).map(|(rights, _)| rights);
    let over = rights.and_then(|rights| chain::end(&rights));
    let over = over.and_then(|over| over.checked_add(DAY_MS));
    if over.is_none_or(|over| look.header.created < over) {
        return Err(Rule::Early);
    }
    look.has_named(&it.cut)?;
    look.leaves_all(&it.cut, |seat| seat.grant == it.grant)
}

/// Whether the chain is written under a grant of a lesser depth.
fn is_higher(look: &Look<'_>, chain: &Chain, grant: &GrantId) -> bool {
    let depths = look.depth(&chain.grant).zip(look.depth(grant));
    depths.is_some_and(|(own, depth)| own < depth)
}

/// It follows a state of the past, is signed by those who must, and its cut leaves all that its
/// carrier knows. Who carries it does not matter. One that the past has already is not judged again:
/// it stands by its own signatures.
fn act(look: &Look<'_>, it: &Act) -> Result<(), Rule> {
    let graph = &look.whole().graph;
    if graph.has_act(&it.id()) {
        return Ok(());
    }
    let before = graph.state(&it.previous).ok_or(Rule::Act)?;
    let follows = before.composition == it.composition
        && before.number.checked_add(1) == Some(it.number)
        && it.is_signed_from(&before.form);
    if !follows {
        return Err(Rule::Act);
    }
    look.has_named(&it.cut)?;
    let gone: BTreeSet<PublicKey> = before.form.beyond(&it.form).collect();
    let holds = |grant: &GrantId| look.holder(grant) == Some(it.composition);
    look.leaves_all(&it.cut, |seat| {
        gone.contains(&seat.device) && holds(&seat.grant)
    })?;
    let mut new = it.form.beyond(&before.form);
    if new.any(|device| is_seated_beside(look, it.composition, &device)) {
        return Err(Rule::Seated);
    }
    Ok(())
}

/// Whether a device has a seat in another composition. Who was let in by an invite may still be
/// seated where it belongs.
fn is_seated_beside(look: &Look<'_>, composition: Id, device: &PublicKey) -> bool {
    let effect = look.past.effect();
    let mut seats = effect.devices.iter();
    seats.any(|((holder, key), seat)| {
        let guest = look.holder(&seat.grant).is_none();
        key == device && *holder != composition && !guest
    })
}

/// For which composition something is signed: in its newest state, by as many devices as it takes.
fn signed(look: &Look<'_>, joint: &Joint) -> Result<Id, Rule> {
    let Whole { graph, effect } = look.whole();
    let state = graph.state(&joint.under).ok_or(Rule::Joint)?;
    let member = effect.member(&state.composition).ok_or(Rule::Joint)?;
    let now = member.now().ok_or(Rule::Joint)?;
    let is_newest = |id: ActId| id == joint.under;
    if is_newest(now.id) && now.form.is_signed_by(&joint.signers()) {
        Ok(state.composition)
    } else {
        Err(Rule::Joint)
    }
}

/// A grant that a composition signs, out of one that it holds; no share of a device bounds it.
fn granted(look: &Look<'_>, grant: &Grant, joint: &Joint) -> Result<(), Rule> {
    let by = signed(look, joint)?;
    // What is not in the past may be here or not.
    let is_known = look.is_root(&grant.parent) || look.given(&grant.parent).is_some();
    let depth = look.depth(&grant.parent).filter(|_| is_known);
    let is_deep = depth.is_none_or(|depth| depth >= MAX_GRANT_DEPTH);
    if is_deep || look.holder(&grant.parent) != Some(by) {
        return Err(Rule::Parent);
    }
    let parent = Chain::under(look, &grant.parent)?;
    parent.may(Right::Admit, look.header.created)?;
    let budget = look.budget_of(grant.budget);
    issue::within(&parent, &grant.rights, &budget)?;
    issue::at_most_rates(&parent, &budget)
}
