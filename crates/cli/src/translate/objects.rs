//! The node's values as objects of the surface.

use ::node::Reach;
use ::node::command::{self as node, Reply};
use identity::{NodeId, TopicId};

use super::{Answer, Asked, members};
use crate::request::WaitState;
use crate::schema::{self, Version};
use crate::when::rfc3339;

pub(super) fn done() -> schema::Done {
    schema::Done {
        v: Version,
        done: true,
    }
}

pub(super) fn identity(
    id: NodeId,
    name: String,
    reach: Reach,
    addresses: Vec<String>,
) -> schema::Identity {
    schema::Identity {
        v: Version,
        id: id.to_string(),
        name,
        addresses,
        reach: reach.word().to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

pub(super) fn peer_added(id: NodeId) -> schema::PeerAdded {
    schema::PeerAdded {
        v: Version,
        id: id.to_string(),
    }
}

pub(super) fn core_invite(link: String, quota: u64, uses: u32) -> schema::CoreInvite {
    schema::CoreInvite {
        v: Version,
        link,
        quota,
        uses,
    }
}

pub(super) fn core_denied(id: NodeId, held_bytes: u64, until: Option<u64>) -> schema::CoreDenied {
    schema::CoreDenied {
        v: Version,
        id: id.to_string(),
        held_bytes,
        held_until: until.map(rfc3339),
    }
}

pub(super) fn core_used(id: NodeId, quota: u64) -> schema::CoreUsed {
    schema::CoreUsed {
        v: Version,
        id: id.to_string(),
        quota,
    }
}

pub(super) fn topic_id(id: TopicId, name: String) -> schema::TopicId {
    schema::TopicId {
        v: Version,
        id: id.to_string(),
        name,
    }
}

/// Both halves of inviting; nothing of any other reply.
pub(super) fn inviting(reply: Reply) -> Answer {
    match reply {
        Reply::Invited {
            link,
            topic,
            uses,
            expires,
            rights,
            messages,
            bytes,
            attended,
        } => Answer::one(&schema::Invite {
            v: Version,
            link,
            topic: topic.to_string(),
            uses,
            expires: rfc3339(expires),
            rights: members::invited(rights),
            messages,
            bytes,
            attended,
        }),
        Reply::Invitation {
            topic,
            topic_name,
            inviter_name,
            inviter,
            expires,
            rights,
            messages,
            bytes,
            attended,
        } => Answer::one(&schema::Invitation {
            v: Version,
            topic: topic.to_string(),
            topic_name,
            inviter,
            inviter_name,
            expires: rfc3339(expires),
            rights: members::invited(rights),
            messages,
            bytes,
            attended,
        }),
        _ => Answer::one(&done()),
    }
}

pub(super) fn sent(to: &str, id: node::MessageId) -> schema::Sent {
    schema::Sent {
        v: Version,
        id: id.to_string(),
        to: to.to_owned(),
        state: WaitState::Stored.as_str().to_owned(),
        count: None,
        of: None,
    }
}

pub(super) fn reached(asked: &Asked, state: node::WaitFor, count: u32, of: u32) -> schema::Sent {
    let state = match state {
        node::WaitFor::Stored => WaitState::Stored,
        node::WaitFor::Held => WaitState::Held,
        node::WaitFor::Delivered => WaitState::Delivered,
    };
    schema::Sent {
        v: Version,
        id: asked.id.clone(),
        to: asked.to.clone(),
        state: state.as_str().to_owned(),
        count: Some(count),
        of: Some(of),
    }
}

pub(super) fn pong(asked: &Asked, round_trip_us: u64, path: String) -> schema::Pong {
    schema::Pong {
        v: Version,
        node: asked.to.clone(),
        rtt_ms: milliseconds(round_trip_us),
        path,
    }
}

pub(super) fn line(topic: TopicId, line: node::Line) -> schema::Line {
    let mut file = None;
    let (kind, of) = match line.kind {
        node::LineKind::File {
            name,
            size,
            have,
            parts,
            unshared,
        } => {
            file = Some(schema::LineFile {
                name,
                size,
                have,
                parts,
                unshared,
            });
            ("file", None)
        }
        node::LineKind::Text => ("text", None),
        node::LineKind::Join => ("join", None),
        node::LineKind::Leave => ("leave", None),
        node::LineKind::Gap => ("gap", None),
        node::LineKind::Withdrawn { of } => ("withdrawn", of),
        node::LineKind::Restored { of } => ("restored", Some(of)),
    };
    schema::Line {
        v: Version,
        n: line.n,
        id: line.id.to_string(),
        topic: topic.to_string(),
        from: line.from,
        from_name: line.from_name,
        at: rfc3339(line.at),
        seq: line.seq,
        kind: kind.to_owned(),
        of,
        text: line.text,
        file,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a round trip of 285 years would lose a microsecond"
)]
fn milliseconds(us: u64) -> f64 {
    us as f64 / 1000.0
}

pub(super) fn status(status: node::Status) -> schema::Status {
    schema::Status {
        v: Version,
        id: status.id.to_string(),
        name: status.name,
        core: status.core,
        reach: status.reach.word().to_owned(),
        links: status.links,
        topics: status.topics,
        queued: status.queued,
        store: schema::StoreUse {
            bytes: status.store_bytes,
            limit: status.store_limit,
        },
        rules: status.rules,
        cores: status.cores.into_iter().map(core_use).collect(),
        problems: status.problems.into_iter().map(problem).collect(),
    }
}

pub(super) fn problem(problem: node::Problem) -> schema::Problem {
    let node::Problem { code, text, hint } = problem;
    schema::Problem { code, text, hint }
}

fn core_use(core: node::Core) -> schema::CoreUse {
    schema::CoreUse {
        id: core.id.to_string(),
        state: core.state,
        quota: core.quota,
        used: core.used,
        headers: core.headers,
        header_quota: core.header_quota,
        shares: shares(core.shares),
    }
}

fn shares(shares: Vec<node::CoreShare>) -> Vec<schema::CoreShare> {
    let share = |of: node::CoreShare| schema::CoreShare {
        topic: of.topic.to_string(),
        name: of.name,
        share: of.share,
        own: of.own,
        guests: of.guests,
    };
    shares.into_iter().map(share).collect()
}

pub(super) fn peer(peer: node::Peer) -> schema::Peer {
    schema::Peer {
        v: Version,
        id: peer.id.to_string(),
        name: peer.name,
        linked: peer.linked,
        transport: peer.transport,
        address: peer.address,
        rtt_ms: peer.round_trip_us.map(milliseconds),
        since: peer.since.map(rfc3339),
        why: peer.why,
        by: peer.by.map(|by| by.to_string()),
    }
}

pub(super) fn client(client: node::Client) -> schema::Client {
    schema::Client {
        v: Version,
        id: client.id.to_string(),
        quota: client.quota,
        used: client.used,
        topics: client.topics,
        allowed: client.allowed,
        since: rfc3339(client.since),
    }
}

pub(super) fn core_retires(by: Option<u64>, promised_until: Option<u64>) -> schema::CoreRetires {
    schema::CoreRetires {
        v: Version,
        by: by.map(rfc3339),
        promised_until: promised_until.map(rfc3339),
    }
}

pub(super) fn core(core: node::Core) -> schema::Core {
    schema::Core {
        v: Version,
        id: core.id.to_string(),
        address: core.address,
        state: core.state,
        quota: core.quota,
        used: core.used,
        linked: core.linked,
        topics: core.topics,
        headers: core.headers,
        header_quota: core.header_quota,
        shares: shares(core.shares),
        said: core.said.map(rfc3339),
        reason: core.reason,
        refused_since: core.refused_since.map(rfc3339),
        held_until: core.held_until.map(rfc3339),
        hint: core.hint,
        retires: core.retires.map(rfc3339),
        broken_since: core.broken.as_ref().map(|(at, _)| rfc3339(*at)),
        broken: core.broken.map(|(_, why)| why),
        gone_since: core.gone.map(rfc3339),
        operator: core.operator.map(|tag| tag.to_string()),
    }
}

pub(super) fn topic(row: node::TopicRow) -> schema::Topic {
    schema::Topic {
        v: Version,
        id: row.id.to_string(),
        name: row.name,
        role: row.role,
        members: row.members,
        unread: row.unread,
        lines: row.lines,
    }
}

pub(super) fn topic_info(info: node::TopicInfo) -> schema::TopicInfo {
    let device = |member: node::MemberRow| schema::Device {
        device: member.device,
        name: member.name,
        own: member.own,
        left: member.left,
        envelopes: member.envelopes,
    };
    let invite = |invite: node::InviteRow| schema::TopicInvite {
        id: invite.grant,
        uses: invite.uses,
        used: invite.used,
        until: rfc3339(invite.until),
    };
    let claimant = |of: node::Claimant| schema::Claimant {
        device: of.device,
        invite: of.invite,
        claim: of.claim,
        at: rfc3339(of.at),
        beyond: of.beyond,
    };
    let core = |(id, address): (NodeId, String)| schema::TopicCore {
        id: id.to_string(),
        address,
    };
    schema::TopicInfo {
        v: Version,
        id: info.row.id.to_string(),
        name: info.row.name,
        role: info.row.role,
        members: info.row.members,
        unread: info.row.unread,
        lines: info.row.lines,
        envelopes: info.envelopes,
        bytes: info.bytes,
        files_bytes: info.files.0,
        files_limit: info.files.1,
        peers: info.peers,
        devices: info.members.into_iter().map(device).collect(),
        cores: info.cores.into_iter().map(core).collect(),
        invites: info.invites.into_iter().map(invite).collect(),
        forked: info.forked,
        waiting: info.waiting.into_iter().map(claimant).collect(),
        waits_for: info.waits_for,
        releases: info.releases.into_iter().map(members::release).collect(),
        public: info.public,
        device: info.device,
    }
}

pub(super) fn public(reply: node::public::PublicReply) -> schema::TopicLink {
    let node::public::PublicReply::Link { topic, link, nodes } = reply;
    schema::TopicLink {
        v: Version,
        topic: topic.to_string(),
        link,
        nodes,
    }
}

pub(super) fn mail(mail: node::Mail) -> schema::Mail {
    schema::Mail {
        v: Version,
        n: mail.n,
        id: mail.id.to_string(),
        from: mail.from.to_string(),
        from_name: mail.from_name,
        at: rfc3339(mail.at),
        text: mail.text,
    }
}

pub(super) fn why(why: node::Why) -> schema::Why {
    let state = |state: node::State| schema::State {
        state: state.state,
        by: state.by,
        by_name: state.by_name,
        at: rfc3339(state.at),
        operator: state.operator.map(|tag| tag.to_string()),
        until: state.until.map(rfc3339),
        reason: state.reason,
    };
    schema::Why {
        v: Version,
        id: why.id.to_string(),
        to: why.to,
        states: why.states.into_iter().map(state).collect(),
        delivered: why.delivered,
        members: why.members,
        held: why.held,
        waits_for: why.waits_for,
        hint: why.hint,
    }
}
