//! The owners of a topic, as objects of the surface.

use ::node::command as node;
use ::node::command::owners::{OwnersCommand, OwnersReply};

use super::Answer;
use super::members::{called, right};
use crate::request::Ask;
use crate::schema::{self, Version};
use crate::when::rfc3339;

/// What a request about owners means.
pub(super) fn asked(ask: Ask) -> node::Command {
    node::Command::Owners(match ask {
        Ask::OwnersCreate {
            name,
            threshold,
            count,
            public,
            messages,
        } => OwnersCommand::Create {
            name,
            threshold,
            count,
            public,
            messages,
        },
        Ask::OwnersList { topic } => OwnersCommand::List { topic },
        Ask::OwnersSign { id } => OwnersCommand::Sign { id },
        Ask::OwnersPropose {
            topic,
            add,
            remove,
            threshold,
        } => OwnersCommand::Propose {
            topic,
            add,
            remove,
            threshold,
        },
        _ => OwnersCommand::Pending,
    })
}

/// What is answered about owners.
pub(super) fn answer(reply: OwnersReply) -> Answer {
    let v = Version;
    match reply {
        OwnersReply::Created {
            topic,
            name,
            links,
            until,
        } => Answer::one(&schema::OwnedTopic {
            v,
            id: topic.to_string(),
            name,
            links,
            expires: rfc3339(until),
        }),
        OwnersReply::List(owners) => Answer::one(&schema::Owners {
            v,
            topic: owners.topic.to_string(),
            name: owners.name,
            threshold: owners.threshold,
            devices: owners.devices.into_iter().map(owner).collect(),
            missing: owners.missing,
        }),
        OwnersReply::Pending(all) => Answer::many(all, proposal),
        OwnersReply::Signed(one) => Answer::one(&proposal(one)),
    }
}

fn owner(owner: node::owners::Owner) -> schema::Owner {
    schema::Owner {
        device: owner.device,
        name: owner.name,
        own: owner.own,
    }
}

fn proposal(proposal: node::owners::Proposal) -> schema::Proposal {
    schema::Proposal {
        v: Version,
        id: proposal.id,
        topic: proposal.topic.to_string(),
        name: proposal.name,
        text: proposal.text,
        gives: proposal.gives.into_iter().map(gift).collect(),
        takes: proposal.takes.into_iter().map(end).collect(),
        since: rfc3339(proposal.since),
        signed: proposal.signed.into_iter().map(owner).collect(),
        waits_for: proposal.waits_for.into_iter().map(owner).collect(),
        lacks: proposal.lacks,
        done: proposal.done,
    }
}

fn gift(gift: node::owners::ProposedGrant) -> schema::ProposedGrant {
    schema::ProposedGrant {
        member: gift.member,
        name: gift.name,
        rights: gift.rights.into_iter().map(right).collect(),
        messages: gift.messages,
        bytes: gift.bytes,
    }
}

fn end(end: node::owners::ProposedEnd) -> schema::ProposedEnd {
    let only = end.only.into_iter().map(called);
    schema::ProposedEnd {
        grant: end.grant,
        name: end.name,
        only: only.map(str::to_owned).collect(),
        cascade: end.cascade,
    }
}
