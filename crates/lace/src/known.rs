//! Items that the rules of this version speak of. All others are inadmissible: what nobody judges
//! must not be let in, or it would count later without ever having been judged.

use crate::rule::Rule;
use identity::{GrantId, TopicId};
use wire::{Gift, InviteKind, Item, Terms};

/// Whether every item is one that the rules judge.
pub(crate) fn all<'a>(
    topic: TopicId,
    items: impl IntoIterator<Item = &'a Item>,
) -> Result<(), Rule> {
    let known = |item: &Item| match item {
        Item::Certificate(certificate) => certificate.branches.is_empty(),
        Item::Invite(invite) => invite.kind == plain(topic),
        Item::Claim(_)
        | Item::Leave
        | Item::Sealing(_)
        | Item::Profile(_)
        | Item::Cores(_)
        | Item::Title(_) => true,
        Item::Grant(_)
        | Item::Revocation(_)
        | Item::Close(_)
        | Item::Act(_)
        | Item::Epoch(_)
        | Item::Boxes(_)
        | Item::Countersign(_) => false,
    };
    if items.into_iter().all(known) {
        Ok(())
    } else {
        Err(Rule::Unknown)
    }
}

/// What every invite gives as long as rights are not judged: to publish and to read, out of the
/// topic's own grant.
fn plain(topic: TopicId) -> InviteKind {
    InviteKind::WhileAway(Gift {
        terms: Terms::GUEST,
        parent: GrantId::from_bytes(topic.to_bytes()),
    })
}
