//! Commands as bytes: a list of a number and the fields in their order.

use super::{devices, files, maybe, maybe_text, owners, public, read_maybe, read_maybe_text, text};
use crate::command::{AskedRight, Command, ReadFrom, Right, WaitFor};
use rights::CoreInviteSeed;
use wire::Malformed;
use wire::cbor::{Reader, Writer};

pub(super) fn write(w: &mut Writer, command: &Command) {
    match command {
        Command::Status => bare(w, 0),
        Command::Identity => bare(w, 1),
        Command::SetName { name } => one(w, 2, name),
        Command::PeerAdd { address } => one(w, 3, address),
        Command::PeerRemove { peer } => one(w, 4, peer),
        Command::Peers => bare(w, 5),
        Command::CoreInvite { quota, uses } => {
            w.array(3).uint(6_u8).uint(*quota).uint(*uses);
        }
        Command::CoreAllow { node, quota } => {
            w.array(3).uint(7_u8).text(node).uint(*quota);
        }
        Command::CoreDeny { node } => one(w, 8, node),
        Command::CoreClients => bare(w, 9),
        Command::CoreUse { link } => one(w, 10, link),
        Command::CoreLeave { core, now } => {
            w.array(3).uint(11_u8).text(core).bool(*now);
        }
        Command::CoreRetire { by } => {
            w.array(2).uint(45_u8);
            maybe(w, *by);
        }
        Command::CoreList => bare(w, 12),
        Command::TopicCreate { name, messages } => {
            w.array(3).uint(13_u8).text(name);
            maybe(w, *messages);
        }
        Command::Topics => bare(w, 14),
        Command::TopicInfo { topic } => one(w, 15, topic),
        Command::TopicLeave { topic } => one(w, 16, topic),
        Command::TopicForget { topic } => one(w, 17, topic),
        Command::Invite {
            topic,
            rights,
            messages,
            uses,
            until,
            while_away,
        } => {
            w.array(7).uint(18_u8).text(topic).uint(*uses);
            maybe(w, *until);
            write_asked(w, rights);
            maybe(w, *messages);
            w.bool(*while_away);
        }
        Command::JoinLook { link, timeout_ms } => {
            w.array(3).uint(19_u8).text(link).uint(*timeout_ms);
        }
        Command::Join {
            link,
            name,
            timeout_ms,
        } => {
            w.array(4).uint(20_u8).text(link);
            maybe_text(w, name.as_deref());
            w.uint(*timeout_ms);
        }
        Command::Send {
            to,
            messages,
            expires,
            best_effort,
        } => {
            w.array(5).uint(21_u8).text(to).array(messages.len());
            for message in messages {
                w.bytes(message);
            }
            maybe(w, *expires);
            w.bool(*best_effort);
        }
        Command::Wait {
            id,
            state,
            of,
            timeout_ms,
        } => {
            w.array(5).uint(22_u8).text(id).uint(wait_for(*state));
            maybe(w, *of);
            w.uint(*timeout_ms);
        }
        Command::Read { topic, from, limit } => {
            w.array(4).uint(23_u8).text(topic);
            write_from(w, from);
            w.uint(*limit);
        }
        Command::Confirm { topic, n } => {
            w.array(3).uint(24_u8).text(topic).uint(*n);
        }
        Command::Inbox { after, limit } => {
            w.array(3).uint(25_u8).uint(*after).uint(*limit);
        }
        Command::PingNode { node, timeout_ms } => {
            w.array(3).uint(26_u8).text(node).uint(*timeout_ms);
        }
        Command::Why { id } => {
            w.array(2).uint(27_u8);
            maybe_text(w, id.as_deref());
        }
        Command::CoreAllowPsk { psk, quota, uses } => {
            w.array(4).uint(28_u8).bytes(psk.as_bytes());
            w.uint(*quota).uint(*uses);
        }
        Command::CoreDenyPsk { psk } => {
            w.array(2).uint(29_u8).bytes(psk.as_bytes());
        }
        Command::CoreUsePsk { address, psk } => {
            w.array(3).uint(30_u8).text(address).bytes(psk.as_bytes());
        }
        Command::Members { topic } => one(w, 31, topic),
        Command::Device(command) => {
            w.array(2).uint(40_u8);
            devices::write(w, command);
        }
        Command::Owners(command) => {
            w.array(2).uint(41_u8);
            owners::write(w, command);
        }
        Command::Files(command) => {
            w.array(2).uint(44_u8);
            files::write(w, command);
        }
        Command::Public(command) => {
            w.array(2).uint(43_u8);
            public::write(w, command);
        }
        Command::Grant {
            topic,
            member,
            rights,
            messages,
            bytes,
            at,
        } => {
            w.array(7).uint(32_u8).text(topic).text(member);
            write_asked(w, rights);
            maybe(w, *messages);
            maybe(w, *bytes);
            maybe(w, *at);
        }
        Command::Revoke {
            topic,
            member,
            only,
            cut,
            cascade,
        } => {
            w.array(6).uint(33_u8).text(topic).text(member);
            w.array(only.len());
            for asked in only {
                w.uint(right(*asked));
            }
            maybe_text(w, cut.as_deref());
            w.bool(*cascade);
        }
    }
}

pub(super) fn read(r: &mut Reader<'_>) -> Result<Command, Malformed> {
    let fields = r.list(8, "command")?;
    let kind = r.u8("kind of command")?;
    Ok(match (kind, fields) {
        (0, 1) => Command::Status,
        (1, 1) => Command::Identity,
        (2, 2) => Command::SetName { name: text(r)? },
        (3, 2) => Command::PeerAdd { address: text(r)? },
        (4, 2) => Command::PeerRemove { peer: text(r)? },
        (5, 1) => Command::Peers,
        (6, 3) => Command::CoreInvite {
            quota: r.u64("quota")?,
            uses: r.u32("uses")?,
        },
        (7, 3) => Command::CoreAllow {
            node: text(r)?,
            quota: r.u64("quota")?,
        },
        (8, 2) => Command::CoreDeny { node: text(r)? },
        (9, 1) => Command::CoreClients,
        (10, 2) => Command::CoreUse { link: text(r)? },
        (11, 3) => Command::CoreLeave {
            core: text(r)?,
            now: r.bool("now")?,
        },
        (45, 2) => Command::CoreRetire { by: read_maybe(r)? },
        (12, 1) => Command::CoreList,
        (13, 3) => Command::TopicCreate {
            name: text(r)?,
            messages: read_maybe_small(r)?,
        },
        (14, 1) => Command::Topics,
        (15, 2) => Command::TopicInfo { topic: text(r)? },
        (16, 2) => Command::TopicLeave { topic: text(r)? },
        (17, 2) => Command::TopicForget { topic: text(r)? },
        _ => return read_long(r, kind, fields),
    })
}

/// The commands with several fields.
fn read_long(r: &mut Reader<'_>, kind: u8, fields: usize) -> Result<Command, Malformed> {
    Ok(match (kind, fields) {
        (18, 7) => Command::Invite {
            topic: text(r)?,
            uses: r.u32("uses")?,
            until: read_maybe(r)?,
            rights: read_asked(r)?,
            messages: read_maybe_small(r)?,
            while_away: r.bool("while away")?,
        },
        (19, 3) => Command::JoinLook {
            link: text(r)?,
            timeout_ms: r.u64("time")?,
        },
        (20, 4) => Command::Join {
            link: text(r)?,
            name: read_maybe_text(r)?,
            timeout_ms: r.u64("time")?,
        },
        (21, 5) => Command::Send {
            to: text(r)?,
            messages: read_messages(r)?,
            expires: read_maybe(r)?,
            best_effort: r.bool("best effort")?,
        },
        (22, 5) => Command::Wait {
            id: text(r)?,
            state: read_wait_for(r)?,
            of: match read_maybe(r)? {
                None => None,
                Some(of) => Some(u32::try_from(of).map_err(|_| r.wrong("how many"))?),
            },
            timeout_ms: r.u64("time")?,
        },
        (23, 4) => Command::Read {
            topic: text(r)?,
            from: read_from(r)?,
            limit: r.u32("limit")?,
        },
        (24, 3) => Command::Confirm {
            topic: text(r)?,
            n: r.u64("number")?,
        },
        (25, 3) => Command::Inbox {
            after: r.u64("number")?,
            limit: r.u32("limit")?,
        },
        (26, 3) => Command::PingNode {
            node: text(r)?,
            timeout_ms: r.u64("time")?,
        },
        (27, 2) => Command::Why {
            id: read_maybe_text(r)?,
        },
        (28, 4) => Command::CoreAllowPsk {
            psk: read_psk(r)?,
            quota: r.u64("quota")?,
            uses: r.u32("uses")?,
        },
        (29, 2) => Command::CoreDenyPsk { psk: read_psk(r)? },
        (30, 3) => Command::CoreUsePsk {
            address: text(r)?,
            psk: read_psk(r)?,
        },
        (31, 2) => Command::Members { topic: text(r)? },
        (40, 2) => Command::Device(devices::read(r)?),
        (41, 2) => Command::Owners(owners::read(r)?),
        (43, 2) => Command::Public(public::read(r)?),
        (44, 2) => Command::Files(files::read(r)?),
        (32, 7) => Command::Grant {
            topic: text(r)?,
            member: text(r)?,
            rights: read_asked(r)?,
            messages: read_maybe_small(r)?,
            bytes: read_maybe_small(r)?,
            at: read_maybe(r)?,
        },
        (33, 6) => Command::Revoke {
            topic: text(r)?,
            member: text(r)?,
            only: read_rights(r)?,
            cut: read_maybe_text(r)?,
            cascade: r.bool("cascade")?,
        },
        _ => return Err(r.wrong("kind of command")),
    })
}

fn read_psk(r: &mut Reader<'_>) -> Result<CoreInviteSeed, Malformed> {
    Ok(CoreInviteSeed::from_bytes(r.array("pre-shared key")?))
}

fn bare(w: &mut Writer, kind: u8) {
    w.array(1).uint(kind);
}

fn one(w: &mut Writer, kind: u8, text: &str) {
    w.array(2).uint(kind).text(text);
}

fn read_messages(r: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, Malformed> {
    let count = r.list(usize::MAX, "messages")?;
    (0..count)
        .map(|_| r.bytes(usize::MAX, "message").map(<[u8]>::to_vec))
        .collect()
}

/// Rights in one list: each once.
const MAX_RIGHTS: usize = 3;

const fn right(right: Right) -> u8 {
    match right {
        Right::Publish => 0,
        Right::Read => 1,
        Right::Admit => 2,
    }
}

fn read_right(r: &mut Reader<'_>) -> Result<Right, Malformed> {
    Ok(match r.u8("right")? {
        0 => Right::Publish,
        1 => Right::Read,
        2 => Right::Admit,
        _ => return Err(r.wrong("right")),
    })
}

fn read_rights(r: &mut Reader<'_>) -> Result<Vec<Right>, Malformed> {
    let count = r.list(MAX_RIGHTS, "rights")?;
    (0..count).map(|_| read_right(r)).collect()
}

fn write_asked(w: &mut Writer, rights: &[AskedRight]) {
    w.array(rights.len());
    for ask in rights {
        w.array(3).uint(right(ask.right)).uint(ask.from);
        maybe(w, ask.until);
    }
}

fn read_asked(r: &mut Reader<'_>) -> Result<Vec<AskedRight>, Malformed> {
    let count = r.list(MAX_RIGHTS, "rights")?;
    (0..count)
        .map(|_| {
            r.tuple(3, "right")?;
            Ok(AskedRight {
                right: read_right(r)?,
                from: r.u64("from")?,
                until: read_maybe(r)?,
            })
        })
        .collect()
}

pub(super) fn read_maybe_small(r: &mut Reader<'_>) -> Result<Option<u32>, Malformed> {
    let wrong = r.wrong("a rate");
    let number = read_maybe(r)?;
    number
        .map(|number| u32::try_from(number).map_err(|_| wrong))
        .transpose()
}

const fn wait_for(state: WaitFor) -> u8 {
    match state {
        WaitFor::Stored => 0,
        WaitFor::Held => 1,
        WaitFor::Delivered => 2,
    }
}

fn read_wait_for(r: &mut Reader<'_>) -> Result<WaitFor, Malformed> {
    Ok(match r.u8("state")? {
        0 => WaitFor::Stored,
        1 => WaitFor::Held,
        2 => WaitFor::Delivered,
        _ => return Err(r.wrong("state")),
    })
}

fn write_from(w: &mut Writer, from: &ReadFrom) {
    match from {
        ReadFrom::Last => bare(w, 0),
        ReadFrom::After(n) => {
            w.array(2).uint(1_u8).uint(*n);
        }
        ReadFrom::AfterMessage(id) => one(w, 2, id),
        ReadFrom::Time(at) => {
            w.array(2).uint(3_u8).uint(*at);
        }
        ReadFrom::Cursor => bare(w, 4),
    }
}

fn read_from(r: &mut Reader<'_>) -> Result<ReadFrom, Malformed> {
    let fields = r.list(2, "where to begin")?;
    let kind = r.u8("where to begin")?;
    Ok(match (kind, fields) {
        (0, 1) => ReadFrom::Last,
        (1, 2) => ReadFrom::After(r.u64("number")?),
        (2, 2) => ReadFrom::AfterMessage(text(r)?),
        (3, 2) => ReadFrom::Time(r.u64("time")?),
        (4, 1) => ReadFrom::Cursor,
        _ => return Err(r.wrong("where to begin")),
    })
}
