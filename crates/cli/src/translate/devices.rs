//! The devices of a person, as objects of the surface.

use ::node::command as node;
use ::node::command::devices::{
    Branch, Choice, DeviceCommand, DeviceReply, DeviceRow, DeviceTopic,
};

use super::Answer;
use crate::request::Ask;
use crate::schema::{self, Version};
use crate::when::rfc3339;

/// What a request about devices means.
pub(super) fn asked(ask: Ask) -> node::Command {
    node::Command::Device(match ask {
        Ask::DeviceInvite => DeviceCommand::Invite,
        Ask::DeviceJoin { link, timeout_ms } => DeviceCommand::Join { link, timeout_ms },
        Ask::DeviceRemove { device, topic } => DeviceCommand::Remove { device, topic },
        Ask::DeviceBranches { topic } => DeviceCommand::Branches { topic },
        Ask::DeviceChoose { topic, act } => DeviceCommand::Choose { topic, act },
        _ => DeviceCommand::List,
    })
}

/// What is answered about devices.
pub(super) fn answer(reply: DeviceReply) -> Answer {
    let v = Version;
    match reply {
        DeviceReply::Invited { link, until } => Answer::one(&schema::DeviceInvite {
            v,
            link,
            expires: rfc3339(until),
        }),
        DeviceReply::Joined { node, name, topics } => Answer::one(&schema::DeviceJoined {
            v,
            node: node.to_string(),
            name,
            topics,
        }),
        DeviceReply::List(rows) => Answer::many(rows, row),
        DeviceReply::Removed {
            device,
            topics,
            failed,
        } => {
            let failed = failed.into_iter();
            let failed = failed.map(|(topic, reason)| schema::NotRemoved { topic, reason });
            Answer::one(&schema::DeviceRemoved {
                v,
                device,
                topics,
                failed: failed.collect(),
            })
        }
        DeviceReply::Branches(branches) => Answer::many(branches, branch),
        DeviceReply::Chosen {
            act,
            countersigned,
            counts,
        } => Answer::one(&schema::Chosen {
            v,
            act,
            countersigned,
            counts,
        }),
    }
}

fn branch(branch: Branch) -> schema::Branch {
    let may = match branch.may {
        Choice::Nothing => "nothing",
        Choice::Sign => "sign",
        Choice::Countersign => "countersign",
    };
    schema::Branch {
        v: Version,
        topic: branch.topic.to_string(),
        name: branch.name,
        member: branch.member,
        own: branch.own,
        act: branch.act,
        counts: branch.counts,
        adds: branch.adds,
        removes: branch.removes,
        signed: branch.signed,
        may: may.to_owned(),
    }
}

fn row(row: DeviceRow) -> schema::OwnDevice {
    schema::OwnDevice {
        v: Version,
        name: row.name,
        own: row.own,
        linked: row.linked,
        node: row.node.map(|node| node.to_string()),
        since: row.since.map(rfc3339),
        seen: row.seen.map(rfc3339),
        topics: row.topics.into_iter().map(topic).collect(),
    }
}

fn topic(topic: DeviceTopic) -> schema::OwnDeviceTopic {
    let ties = topic.ties.into_iter();
    let ties = ties.map(|(taken, other)| schema::ActTie { taken, other });
    schema::OwnDeviceTopic {
        topic: topic.topic.to_string(),
        name: topic.name,
        device: topic.device,
        seated: topic.seated,
        share: topic.share,
        since: topic.since.map(rfc3339),
        seen: topic.seen.map(rfc3339),
        ties: ties.collect(),
    }
}
