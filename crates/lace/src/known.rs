//! Items that the founder's rules speak of.

use identity::{GrantId, TopicId};
use wire::{Genesis, Gift, InviteKind, Item, Terms};

/// Whether the rules judge an item.
pub(crate) fn is(genesis: &Genesis, item: &Item) -> bool {
    match item {
        Item::Certificate(certificate) => certificate.branches.is_empty(),
        Item::Invite(invite) => invite.kind == plain(genesis.topic_id()),
        Item::Claim(_)
        | Item::Leave
        | Item::Sealing(_)
        | Item::Profile(_)
        | Item::Cores(_)
        | Item::Title(_)
        | Item::Unshare(_) => true,
        Item::Grant(_)
        | Item::Revocation(_)
        | Item::Close(_)
        | Item::Act(_)
        | Item::Epoch(_)
        | Item::Boxes(_)
        | Item::Countersign(_) => false,
    }
}

/// What every invite gives under these rules: to publish and to read, out of the topic's own grant.
fn plain(topic: TopicId) -> InviteKind {
    InviteKind::WhileAway(Gift {
        terms: Terms::GUEST,
        parent: GrantId::from_bytes(topic.to_bytes()),
    })
}
