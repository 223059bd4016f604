//! Who takes part in a topic, as objects of the surface.

use ::node::command as node;

use super::{Answer, objects};
use crate::request::{self, Ask};
use crate::schema::{self, Version};
use crate::when::rfc3339;

pub(super) fn member(member: node::Member) -> schema::Member {
    schema::Member {
        v: Version,
        id: member.id,
        devices: member.devices.into_iter().map(device).collect(),
        grants: member.grants.into_iter().map(grant).collect(),
    }
}

/// What a request to give or to take means.
pub(super) fn giving(ask: Ask) -> node::Command {
    let right = |right: request::Right| match right {
        request::Right::Publish => node::Right::Publish,
        request::Right::Read => node::Right::Read,
        request::Right::Admit => node::Right::Admit,
    };
    match ask {
        Ask::Grant {
            topic,
            member,
            rights,
            from,
            until,
            messages,
            bytes,
            at,
        } => {
            let asked = rights.into_iter().map(|asked| node::AskedRight {
                right: right(asked),
                from: from.unwrap_or(0),
                until,
            });
            let rights = asked.collect();
            node::Command::Grant {
                topic,
                member,
                rights,
                messages,
                bytes,
                at,
            }
        }
        Ask::Revoke {
            topic,
            member,
            only,
            cut,
            cascade,
        } => node::Command::Revoke {
            topic,
            member,
            only: only.into_iter().map(right).collect(),
            cut,
            cascade,
        },
        Ask::Invite {
            topic,
            uses,
            until,
            mut rights,
            read_from,
            read_until,
            messages,
            while_away,
        } => {
            if rights.is_empty() && (read_from.is_some() || read_until.is_some()) {
                rights = vec![request::Right::Publish, request::Right::Read];
            }
            let rights = rights.into_iter().map(|asked| {
                let read = asked == request::Right::Read;
                node::AskedRight {
                    right: right(asked),
                    from: read_from.filter(|_| read).unwrap_or(0),
                    until: read_until.filter(|_| read),
                }
            });
            node::Command::Invite {
                topic,
                rights: rights.collect(),
                messages,
                uses,
                until,
                while_away,
            }
        }
        _ => node::Command::Status,
    }
}

/// What an invite gives.
pub(super) fn invited(rights: Vec<node::AskedRight>) -> Vec<schema::InvitedRight> {
    let each = rights.into_iter().map(|given| schema::InvitedRight {
        right: called(given.right).to_owned(),
        from: (given.from > 0).then(|| rfc3339(given.from)),
        until: given.until.map(rfc3339),
    });
    each.collect()
}

/// What is given later.
pub(super) fn release(release: node::Release) -> schema::Release {
    schema::Release {
        member: release.member,
        at: rfc3339(release.at),
        rights: invited(release.rights),
    }
}

/// What was given or taken.
pub(super) fn given(reply: node::Reply) -> Answer {
    match reply {
        node::Reply::Granted {
            grant,
            member,
            name,
            unused,
        } => Answer::one(&schema::Granted {
            v: Version,
            grant,
            member,
            name,
            unused,
        }),
        node::Reply::Scheduled { member, at } => Answer::one(&schema::Scheduled {
            v: Version,
            member,
            at: rfc3339(at),
        }),
        node::Reply::Revoked {
            grants,
            member,
            others,
        } => Answer::one(&schema::Revoked {
            v: Version,
            grants,
            member,
            others,
        }),
        _ => Answer::one(&objects::done()),
    }
}

fn device(device: node::MemberDevice) -> schema::MemberDevice {
    schema::MemberDevice {
        device: device.device,
        name: device.name,
        own: device.own,
        seated: device.seated,
        share: device.share,
        left: device.left,
        envelopes: device.envelopes,
    }
}

fn grant(grant: node::MemberGrant) -> schema::Grant {
    let kind = match grant.kind {
        node::GrantKind::Own => "own",
        node::GrantKind::Grant => "grant",
        node::GrantKind::Invite => "invite",
    };
    let ends: Vec<schema::GrantEnd> = grant.ended.into_iter().map(end).collect();
    schema::Grant {
        id: grant.id,
        kind: kind.to_owned(),
        depth: grant.depth,
        parent: grant.parent,
        by: grant.by,
        by_name: grant.by_name,
        since: rfc3339(grant.since),
        stands: grant.stands,
        writes: grant.writes,
        rights: grant.rights.into_iter().map(right).collect(),
        messages: grant.messages,
        bytes: grant.bytes,
        envelopes_in_all: grant.total_envelopes,
        bytes_in_all: grant.total_bytes,
        used: grant.used.map(|used| schema::Used {
            messages: used.messages,
            bytes: used.bytes,
            envelopes_in_all: used.total_envelopes,
            bytes_in_all: used.total_bytes,
        }),
        came: grant.came.map(came),
        ended: ends.first().cloned(),
        ends,
    }
}

fn came(came: node::Came) -> schema::Came {
    schema::Came {
        beyond: came.is_beyond(),
        invite: came.invite,
        claim: came.claim,
        envelope: came.envelope,
        place: came.place,
        uses: came.uses,
    }
}

/// The word for a right.
pub(super) const fn called(right: node::Right) -> &'static str {
    match right {
        node::Right::Publish => "publish",
        node::Right::Read => "read",
        node::Right::Admit => "admit",
    }
}

pub(super) fn right(right: node::MemberRight) -> schema::GrantRight {
    schema::GrantRight {
        right: called(right.right).to_owned(),
        from: (right.from > 0).then(|| rfc3339(right.from)),
        until: right.until.map(rfc3339),
        over: right.over,
    }
}

fn end(end: node::End) -> schema::GrantEnd {
    let how = match end.how {
        node::Ending::Revoked => "revoked",
        node::Ending::Closed => "closed",
    };
    schema::GrantEnd {
        how: how.to_owned(),
        by: end.by,
        by_name: end.by_name,
        at: rfc3339(end.at),
        above: end.above,
        rights: end
            .rights
            .into_iter()
            .map(|it| called(it).to_owned())
            .collect(),
    }
}
