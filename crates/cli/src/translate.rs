//! Requests into the node's commands, and its replies into objects.

mod devices;
mod files;
mod members;
mod objects;
mod owners;

use crate::failure::{Code, Failure};
use crate::request::{Ask, End, From as Begin, Last, Text, WaitState};
use crate::schema::to_line;
use ::node::command::public::PublicCommand;
use ::node::command::{self as node, Command, Reply};
use rights::CoreInviteSeed;

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
        Ask::CoreLeave { core, now } => Command::CoreLeave { core, now },
        Ask::CoreRetire { by } => Command::CoreRetire { by },
        Ask::CoreList => Command::CoreList,
        Ask::CoreAllowPsk { psk, quota, uses } => {
            let psk = key(&psk)?;
            Command::CoreAllowPsk { psk, quota, uses }
        }
        Ask::CoreDenyPsk { psk } => Command::CoreDenyPsk { psk: key(&psk)? },
        Ask::CoreUsePsk { address, psk } => {
            let psk = key(&psk)?;
            Command::CoreUsePsk { address, psk }
        }
        Ask::TopicCreate {
            name,
            public,
            messages,
        } => {
            if public {
                Command::Public(PublicCommand::Create { name, messages })
            } else {
                Command::TopicCreate { name, messages }
            }
        }
        Ask::TopicLink { topic } => Command::Public(PublicCommand::Link { topic }),
        Ask::TopicList => Command::Topics,
        Ask::TopicInfo { topic } => Command::TopicInfo { topic },
        Ask::Members { topic } => Command::Members { topic },
        Ask::Grant { .. } | Ask::Revoke { .. } | Ask::Invite { .. } => members::giving(ask),
        Ask::OwnersCreate { .. }
        | Ask::OwnersList { .. }
        | Ask::OwnersPending
        | Ask::OwnersSign { .. }
        | Ask::OwnersPropose { .. } => owners::asked(ask),
        Ask::Share { .. }
        | Ask::Unshare { .. }
        | Ask::Files { .. }
        | Ask::FilesDrop { .. }
        | Ask::FilesLimit { .. }
        | Ask::Get { .. } => files::asked(ask),
        Ask::DeviceInvite
        | Ask::DeviceJoin { .. }
        | Ask::DeviceList
        | Ask::DeviceRemove { .. }
        | Ask::DeviceBranches { .. }
        | Ask::DeviceChoose { .. } => devices::asked(ask),
        Ask::TopicLeave { topic } => Command::TopicLeave { topic },
        Ask::TopicForget { topic } => Command::TopicForget { topic },
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
            let messages = readable(messages)?;
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

fn key(text: &str) -> Result<CoreInviteSeed, Failure> {
    crate::psk::parse(text).map_err(|why| {
        let hint = "32 hexadecimal digits or 26 characters of base32, of 16 random bytes";
        Failure::new(Code::Usage, format!("no pre-shared key: {why}"), hint)
    })
}

fn readable(messages: Vec<Text>) -> Result<Vec<Vec<u8>>, Failure> {
    let bytes = |text: Text| {
        text.into_bytes()
            .ok_or_else(|| Failure::new(Code::Usage, "a message is not readable base64", ""))
    };
    messages.into_iter().map(bytes).collect()
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

    /// The same as a page of something longer.
    fn page(mut self, last: u64, more: bool, topic: Option<String>) -> Self {
        let last = Some(last);
        self.last = Last::End(End {
            last,
            more,
            topic,
            ..End::default()
        });
        self
    }

    /// The same with what should be known beside.
    fn warning(mut self, warnings: Vec<node::Problem>) -> Self {
        if let Last::End(end) = &mut self.last {
            end.warnings = warnings.into_iter().map(objects::problem).collect();
        }
        self
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
        node::Code::Full => Code::Full,
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
        Reply::Done => Answer::one(&objects::done()),
        Reply::Failed(reason) => Answer::error(failure(reason)),
        Reply::Status(status) => Answer::one(&objects::status(status)),
        Reply::Identity {
            id,
            name,
            reach,
            addresses,
        } => Answer::one(&objects::identity(id, name, reach, addresses)),
        Reply::Peers(peers) => Answer::many(peers, objects::peer),
        Reply::PeerAdded { id } => Answer::one(&objects::peer_added(id)),
        Reply::CoreInvited { link, quota, uses } => {
            Answer::one(&objects::core_invite(link, quota, uses))
        }
        Reply::CoreDenied {
            id,
            held_bytes,
            held_until,
        } => Answer::one(&objects::core_denied(id, held_bytes, held_until)),
        Reply::CoreRetires { by, promised_until } => {
            Answer::one(&objects::core_retires(by, promised_until))
        }
        Reply::CoreClients(clients) => Answer::many(clients, objects::client),
        Reply::CoreUsed { id, quota } => Answer::one(&objects::core_used(id, quota)),
        Reply::Cores(cores) => Answer::many(cores, objects::core),
        Reply::Topic { id, name } => Answer::one(&objects::topic_id(id, name)),
        Reply::Topics(topics) => Answer::many(topics, objects::topic),
        Reply::TopicInfo(info) => Answer::one(&objects::topic_info(*info)),
        Reply::Members(all) => Answer::many(all, members::member),
        Reply::Device(reply) => devices::answer(reply),
        Reply::Owners(reply) => owners::answer(reply),
        Reply::Files(reply) => files::answer(reply),
        Reply::Public(reply) => Answer::one(&objects::public(reply)),
        Reply::Granted { .. } | Reply::Scheduled { .. } | Reply::Revoked { .. } => {
            members::given(reply)
        }
        Reply::Invited { .. } | Reply::Invitation { .. } => objects::inviting(reply),
        Reply::Sent { ids, warnings } => {
            Answer::many(ids, |id| objects::sent(&asked.to, id)).warning(warnings)
        }
        Reply::Reached { state, count, of } => {
            Answer::one(&objects::reached(asked, state, count, of))
        }
        Reply::Lines {
            topic,
            lines,
            last,
            more,
        } => {
            let line = |line| objects::line(topic, line);
            Answer::many(lines, line).page(last, more, Some(topic.to_string()))
        }
        Reply::Inbox { mails, last, more } => {
            Answer::many(mails, objects::mail).page(last, more, None)
        }
        Reply::Pong {
            round_trip_us,
            path,
        } => Answer::one(&objects::pong(asked, round_trip_us, path)),
        Reply::Why(why) => Answer::one(&objects::why(*why)),
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
            Ask::Send { to, .. } | Ask::Share { topic: to, .. } | Ask::Ping { node: to, .. } => {
                Self {
                    to: to.clone(),
                    id: String::new(),
                }
            }
            Ask::Wait { id, .. } => Self {
                to: String::new(),
                id: id.clone(),
            },
            _ => Self::default(),
        }
    }
}
