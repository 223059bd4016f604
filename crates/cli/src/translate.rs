//! Requests into the node's commands, and its replies into objects.

use crate::failure::{Code, Failure};
use crate::request::{Ask, End, From as Begin, Last, WaitState};
use crate::schema::{self, Version, to_line};
use crate::when::rfc3339;
use ::node::command::{self as node, Command, Reply};

/// What a request is for the node.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A command.
    Command(Command),
    /// Something that the socket answers by itself.
    Local(Local),
}

/// What the socket answers by itself.
#[derive(Debug, PartialEq, Eq)]
pub enum Local {
    /// Wait for a change after this one.
    Changed(u64),
    /// Write a backup.
    Backup(String),
    /// Go down.
    Down,
}

/// What a request means.
///
/// # Errors
/// `usage` when a message is not readable.
pub fn meaning(ask: Ask) -> Result<Meaning, Failure> {
    let command = match ask {
        Ask::Changed { after } => return Ok(Meaning::Local(Local::Changed(after))),
        Ask::Backup { file } => return Ok(Meaning::Local(Local::Backup(file))),
        Ask::Down => return Ok(Meaning::Local(Local::Down)),
        Ask::Status => Command::Status,
        Ask::Id => Command::Identity,
        Ask::Name { name } => Command::SetName { name },
        Ask::Peers => Command::Peers,
        Ask::PeerAdd { address } => Command::PeerAdd { address },
        Ask::PeerRemove { peer } => Command::PeerRemove { peer },
        Ask::CoreInvite { quota, uses } => Command::CoreInvite { quota, uses },
        Ask::CoreAllow { node, quota } => Command::CoreAllow { node, quota },
        Ask::CoreDeny { node } => Command::CoreDeny { node },
        Ask::CoreClients => Command::CoreClients,
        Ask::CoreUse { link } => Command::CoreUse { link },
        Ask::CoreLeave { core } => Command::CoreLeave { core },
        Ask::CoreList => Command::CoreList,
        Ask::TopicCreate { name } => Command::TopicCreate { name },
        Ask::TopicList => Command::Topics,
        Ask::TopicInfo { topic } => Command::TopicInfo { topic },
        Ask::TopicLeave { topic } => Command::TopicLeave { topic },
        Ask::TopicForget { topic } => Command::TopicForget { topic },
        Ask::Invite { topic, uses, until } => Command::Invite { topic, uses, until },
        Ask::JoinLook { link, timeout_ms } => Command::JoinLook { link, timeout_ms },
        Ask::Join {
            link,
            name,
            timeout_ms,
        } => Command::Join {
            link,
            name,
            timeout_ms,
        },
        Ask::Send {
            to,
            messages,
            expires,
            best_effort,
        } => {
            let messages = messages
                .into_iter()
                .map(|text| {
                    text.into_bytes().ok_or_else(|| {
                        Failure::new(Code::Usage, "a message is not readable base64", "")
                    })
                })
                .collect::<Result<_, _>>()?;
            Command::Send {
                to,
                messages,
                expires,
                best_effort,
            }
        }
        Ask::Wait {
            id,
            state,
            of,
            timeout_ms,
        } => Command::Wait {
            id,
            state: wait_for(state),
            of,
            timeout_ms,
        },
        Ask::Read { topic, from, limit } => Command::Read {
            topic,
            from: begin(from),
            limit,
        },
        Ask::Confirm { topic, n } => Command::Confirm { topic, n },
        Ask::Inbox { after, limit } => Command::Inbox { after, limit },
        Ask::Ping { node, timeout_ms } => Command::PingNode { node, timeout_ms },
        Ask::Why { id } => Command::Why { id },
    };
    Ok(Meaning::Command(command))
}

fn wait_for(state: WaitState) -> node::WaitFor {
    match state {
        WaitState::Stored => node::WaitFor::Stored,
        WaitState::Held => node::WaitFor::Held,
        WaitState::Delivered => node::WaitFor::Delivered,
    }
}

fn begin(from: Begin) -> node::ReadFrom {
    match from {
        Begin::Last => node::ReadFrom::Last,
        Begin::After(n) => node::ReadFrom::After(n),
        Begin::AfterMessage(id) => node::ReadFrom::AfterMessage(id),
        Begin::Time(ms) => node::ReadFrom::Time(ms),
        Begin::Cursor => node::ReadFrom::Cursor,
    }
}

/// An answer: lines of JSON, and how it ends.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// The objects, one a line.
    pub lines: Vec<String>,
    /// The end.
    pub last: Last,
}

impl Answer {
    /// An answer of one object.
    pub fn one<T: serde::Serialize>(object: &T) -> Self {
        Self {
            lines: vec![to_line(object)],
            last: Last::End(End::default()),
        }
    }

    /// An answer of one object for each thing.
    fn many<I, T: serde::Serialize>(things: Vec<I>, object: impl Fn(I) -> T) -> Self {
        let lines = things
            .into_iter()
            .map(|thing| to_line(&object(thing)))
            .collect();
        Self {
            lines,
            last: Last::End(End::default()),
        }
    }

    /// A failure.
    #[must_use]
    pub fn error(failure: Failure) -> Self {
        Self {
            lines: Vec::new(),
            last: Last::Error(failure),
        }
    }
}

/// A failure of the node in the words of the surface.
#[must_use]
pub fn failure(failure: node::Failure) -> Failure {
    let code = match failure.code {
        node::Code::Failed => Code::Failed,
        node::Code::Usage => Code::Usage,
        node::Code::NotYet => Code::NotYet,
        node::Code::Refused => Code::Refused,
        node::Code::NotFound => Code::NotFound,
        node::Code::Ambiguous => Code::Ambiguous,
    };
    Failure {
        code,
        message: failure.message,
        hint: failure.hint,
        candidates: failure.candidates,
    }
}

/// The objects of a reply. `asked` is what it answers, where the object repeats a part of it.
#[must_use]
pub fn answer(asked: &Asked, reply: Reply) -> Answer {
    match reply {
        Reply::Done => Answer::one(&schema::Done {
            v: Version,
            done: true,
        }),
        Reply::Failed(reason) => Answer::error(failure(reason)),
        Reply::Status(status) => Answer::one(&self::status(status)),
        Reply::Identity {
            id,
            name,
            addresses,
        } => {
            let (id, version) = (id.to_string(), env!("CARGO_PKG_VERSION").to_owned());
            Answer::one(&schema::Identity {
                v: Version,
                id,
                name,
                addresses,
                version,
            })
        }
        Reply::Peers(peers) => Answer::many(peers, peer),
        Reply::PeerAdded { id } => Answer::one(&schema::PeerAdded {
            v: Version,
            id: id.to_string(),
        }),
        Reply::CoreInvited { link, quota, uses } => Answer::one(&schema::CoreInvite {
            v: Version,
            link,
            quota,
            uses,
        }),
        Reply::CoreDenied {
            id,
            held_bytes,
            held_until,
        } => {
            let (id, held_until) = (id.to_string(), held_until.map(rfc3339));
            Answer::one(&schema::CoreDenied {
                v: Version,
                id,
                held_bytes,
                held_until,
            })
        }
        Reply::CoreClients(clients) => Answer::many(clients, client),
        Reply::CoreUsed { id, quota } => Answer::one(&schema::CoreUsed {
            v: Version,
            id: id.to_string(),
            quota,
        }),
        Reply::Cores(cores) => Answer::many(cores, core),
        Reply::Topic { id, name } => Answer::one(&schema::TopicId {
            v: Version,
            id: id.to_string(),
            name,
        }),
        Reply::Topics(topics) => Answer::many(topics, topic),
        Reply::TopicInfo(info) => Answer::one(&topic_info(*info)),
        Reply::Invited {
            link,
            topic,
            uses,
            expires,
        } => {
            let (topic, expires) = (topic.to_string(), rfc3339(expires));
            Answer::one(&schema::Invite {
                v: Version,
                link,
                topic,
                uses,
                expires,
            })
        }
        Reply::Invitation {
            topic,
            topic_name,
            inviter_name,
            inviter,
            expires,
        } => Answer::one(&schema::Invitation {
            v: Version,
            topic: topic.to_string(),
            topic_name,
            inviter,
            inviter_name,
            expires: rfc3339(expires),
        }),
        Reply::Sent { ids } => sent(&asked.to, ids),
        Reply::Reached { state, count, of } => reached(asked, state, count, of),
        Reply::Lines {
            topic,
            lines,
            last,
            more,
        } => self::lines(topic, lines, last, more),
        Reply::Inbox { mails, last, more } => {
            let mut answer = Answer::many(mails, mail);
            answer.last = Last::End(End {
                last: Some(last),
                more,
                ..End::default()
            });
            answer
        }
        Reply::Pong {
            round_trip_us,
            path,
        } => {
            let (node, rtt_ms) = (asked.to.clone(), milliseconds(round_trip_us));
            Answer::one(&schema::Pong {
                v: Version,
                node,
                rtt_ms,
                path,
            })
        }
        Reply::Why(why) => Answer::one(&self::why(*why)),
    }
}

/// The parts of a request that its answer repeats.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Where to: of `send` and `ping`.
    pub to: String,
    /// The message: of `wait`.
    pub id: String,
}

impl Asked {
    /// Of this request.
    #[must_use]
    pub fn of(ask: &Ask) -> Self {
        match ask {
            Ask::Send { to, .. } | Ask::Ping { node: to, .. } => Self {
                to: to.clone(),
                id: String::new(),
            },
            Ask::Wait { id, .. } => Self {
                to: String::new(),
                id: id.clone(),
            },
            _ => Self::default(),
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a round trip of 285 years would lose a microsecond"
)]
fn milliseconds(us: u64) -> f64 {
    us as f64 / 1000.0
}

fn status(status: node::Status) -> schema::Status {
    schema::Status {
        v: Version,
        id: status.id.to_string(),
        name: status.name,
        core: status.core,
        links: status.links,
        topics: status.topics,
        queued: status.queued,
        store: schema::StoreUse {
            bytes: status.store_bytes,
            limit: status.store_limit,
        },
        problems: status
            .problems
            .into_iter()
            .map(|node::Problem { code, text, hint }| schema::Problem { code, text, hint })
            .collect(),
    }
}

fn peer(peer: node::Peer) -> schema::Peer {
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
    }
}

fn client(client: node::Client) -> schema::Client {
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

fn core(core: node::Core) -> schema::Core {
    schema::Core {
        v: Version,
        id: core.id.to_string(),
        address: core.address,
        state: core.state,
        quota: core.quota,
        used: core.used,
        linked: core.linked,
        topics: core.topics,
    }
}

fn topic(row: node::TopicRow) -> schema::Topic {
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

fn topic_info(info: node::TopicInfo) -> schema::TopicInfo {
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
    let core = |(id, address): (identity::NodeId, String)| schema::TopicCore {
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
        peers: info.peers,
        devices: info.members.into_iter().map(device).collect(),
        cores: info.cores.into_iter().map(core).collect(),
        invites: info.invites.into_iter().map(invite).collect(),
        forked: info.forked,
    }
}

fn sent(to: &str, ids: Vec<node::MessageId>) -> Answer {
    Answer::many(ids, |id| schema::Sent {
        v: Version,
        id: id.to_string(),
        to: to.to_owned(),
        state: WaitState::Stored.as_str().to_owned(),
        count: None,
        of: None,
    })
}

fn reached(asked: &Asked, state: node::WaitFor, count: u32, of: u32) -> Answer {
    let state = match state {
        node::WaitFor::Stored => WaitState::Stored,
        node::WaitFor::Held => WaitState::Held,
        node::WaitFor::Delivered => WaitState::Delivered,
    };
    Answer::one(&schema::Sent {
        v: Version,
        id: asked.id.clone(),
        to: asked.to.clone(),
        state: state.as_str().to_owned(),
        count: Some(count),
        of: Some(of),
    })
}

fn lines(topic: identity::TopicId, lines: Vec<node::Line>, last: u64, more: bool) -> Answer {
    let topic = topic.to_string();
    let mut answer = Answer::many(lines, |line| schema::Line {
        v: Version,
        n: line.n,
        id: line.id.to_string(),
        topic: topic.clone(),
        from: line.from,
        from_name: line.from_name,
        at: rfc3339(line.at),
        seq: line.seq,
        kind: match line.kind {
            node::LineKind::Text => "text",
            node::LineKind::Join => "join",
            node::LineKind::Leave => "leave",
            node::LineKind::Gap => "gap",
        }
        .to_owned(),
        text: line.text,
    });
    let end = End {
        last: Some(last),
        more,
        topic: Some(topic),
        ..End::default()
    };
    answer.last = Last::End(end);
    answer
}

fn mail(mail: node::Mail) -> schema::Mail {
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

fn why(why: node::Why) -> schema::Why {
    let state = |state: node::State| schema::State {
        state: state.state,
        by: state.by,
        by_name: state.by_name,
        at: rfc3339(state.at),
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
