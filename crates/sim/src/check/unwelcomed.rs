//! Guests that have written all that they may, and wait to be welcomed: who could have let them go on.
//!
//! Who comes by a link of the kind while away writes so much in all until somebody who may admit has heard of it. A
//! refusal for that reason alone is excused while nobody can be reached who welcomes it by itself; an
//! hour after all faults have stopped whoever founded the topic and can be reached has done so.

use super::holdings::look;
use super::replicas::Overview;
use crate::plan::{NodeNo, TopicNo};
use identity::{GrantId, PublicKey};
use lace::{Lace, Over};
use machine::{Base, Staged};
use node::limits::MAX_GUEST_GRANTS;
use node::rows::NODE;
use std::collections::BTreeSet;
use wire::Item;

/// First byte of the keys of a node's rows about guests: `y` ‖ local ‖ author key → when its
/// claim was first seen, u64 ‖ 1 if a confirmed clock says so, else 0 ‖ the claim.
const GUEST: u8 = b'y';

/// Whether somebody can reach the founder of a topic, and this could have welcomed it by itself.
pub(crate) fn could_go_on(overview: &Overview<'_>, topic: TopicNo, at: usize) -> bool {
    let no = overview.node(at).no;
    let groups = overview.groups_or_all(topic);
    let group = groups.iter().find(|group| group.contains(&at));
    let others = group.into_iter().flatten().filter(|of| **of != at);
    others
        .copied()
        .any(|of| welcomes(overview, topic, (of, no)))
}

/// Whether a node owns a topic, has seen somebody come in time, and has room and reason to welcome it.
fn welcomes(overview: &Overview<'_>, topic: TopicNo, (at, guest): (usize, NodeNo)) -> bool {
    let Some(replica) = overview.replica(topic, at) else {
        return false;
    };
    let (node, local) = (overview.node(at), replica.local);
    let devices = &overview.everybody.facts.devices;
    let found = look(node.disk, local, |lace, store| {
        let by = |no: NodeNo| {
            let authors = lace.authors();
            authors.filter(move |author| devices.author(author.key()) == Some(no))
        };
        let owns = by(node.no).any(|author| lace.genesis().root.has(author.device()));
        if !owns || given(lace, store, by(node.no).map(|author| *author.key())) >= MAX_GUEST_GRANTS
        {
            return false;
        }
        let effect = lace.held_effect(store);
        by(guest).any(|author| {
            let stands = effect.grants.get(author.grant());
            let whole = stands.is_some_and(|it| it.holder.is_none() && it.over == Over::default());
            let key = [&[GUEST], &local.to_be_bytes()[..], author.key().as_bytes()].concat();
            // Who is noted no longer has a grant of its own.
            let row = node.disk.get(NODE, &key).ok().flatten();
            whole
                && row.is_none_or(|row| !is_late(lace, store, author.grant(), &row))
                && !is_crowded(lace, store, author.grant())
        })
    });
    found == Some(true)
}

/// Whether a row says that a guest came after the end of its invite.
fn is_late(lace: &Lace, store: &mut Staged<'_>, invite: &GrantId, row: &[u8]) -> bool {
    let issued = lace.facts(store, |facts| facts.issued(invite));
    let until = issued.first().and_then(|fact| match &fact.what {
        Item::Invite(invite) => Some(invite.until),
        _ => None,
    });
    let seen = row
        .split_first_chunk()
        .map(|(at, rest)| (u64::from_be_bytes(*at), rest.first()));
    let (Some(until), Some((at, Some(1)))) = (until, seen) else {
        return false;
    };
    at > until
}

/// How many grants of these authors welcome somebody and stand.
fn given(lace: &Lace, store: &mut Staged<'_>, authors: impl Iterator<Item = PublicKey>) -> usize {
    let authors: BTreeSet<PublicKey> = authors.collect();
    let effect = lace.held_effect(store);
    let welcoming = lace.welcoming(store);
    let own = welcoming.iter().filter(|fact| {
        let key = lace.facts(store, |facts| facts.key(fact.author));
        key.is_some_and(|key| authors.contains(&key)) && matches!(fact.what, Item::Grant(_))
    });
    let own: BTreeSet<GrantId> = own.map(|fact| fact.item).collect();
    own.iter()
        .filter(|it| effect.grants.contains_key(it))
        .count()
}

/// Whether more have come by an invite than it is for: somebody has the link who should not, and who is
/// welcomed is whoever came first.
fn is_crowded(lace: &Lace, store: &mut Staged<'_>, invite: &GrantId) -> bool {
    let issued = lace.facts(store, |facts| facts.issued(invite));
    let uses = issued.first().and_then(|fact| match &fact.what {
        Item::Invite(invite) => usize::try_from(invite.uses).ok(),
        _ => None,
    });
    uses.is_some_and(|uses| lace.claimed(invite) > uses)
}
