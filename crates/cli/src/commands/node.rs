//! `status`, `id`, `name`, `peer`, `peers`, `ping`, `why`.

use super::Context;
use crate::args::Peer;
use crate::client::object;
use crate::failure::Exit;
use crate::human;
use crate::output::Outcome;
use crate::request::Ask;
use crate::schema;
use crate::when::{Patience, now_ms};

/// `way status`: exit code 0 when there is no problem, else 1.
///
/// # Errors
/// The node's failure.
pub fn status(context: &mut Context) -> Outcome {
    let line = context.client()?.one(Ask::Status)?;
    let status: schema::Status = object(&line)?;
    context.print(&line, human::status)?;
    Ok(if status.problems.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// `way id`.
///
/// # Errors
/// The node's failure.
pub fn id(context: &mut Context) -> Outcome {
    context.one(Ask::Id, human::identity)
}

/// `way name`.
///
/// # Errors
/// The node's failure.
pub fn name(context: &mut Context, name: String) -> Outcome {
    let mut client = context.client()?;
    client.one(Ask::Name { name })?;
    let line = client.one(Ask::Id)?;
    context.print(&line, human::identity)?;
    Ok(Exit::Done)
}

/// `way peer …`.
///
/// # Errors
/// The node's failure.
pub fn peer(context: &mut Context, peer: Peer) -> Outcome {
    match peer {
        Peer::Add { addr } => context.one(
            Ask::PeerAdd { address: addr },
            |added: &schema::PeerAdded| {
                format!("a link to {} will be kept; `way peers` shows it", added.id)
            },
        ),
        Peer::Remove { node } => context.one(Ask::PeerRemove { peer: node }, |_: &schema::Done| {
            "removed".to_owned()
        }),
    }
}

/// `way peers`.
///
/// # Errors
/// The node's failure.
pub fn peers(context: &mut Context) -> Outcome {
    context.many(Ask::Peers, human::peers)
}

/// `way ping`.
///
/// # Errors
/// The node's failure; `not-yet` without an answer in time.
pub fn ping(context: &mut Context, node: String, timeout: Patience) -> Outcome {
    let timeout_ms = milliseconds(timeout);
    context.one(Ask::Ping { node, timeout_ms }, |pong: &schema::Pong| {
        format!(
            "{:.1} ms by {}",
            pong.rtt_ms,
            crate::plain::line(&pong.path)
        )
    })
}

/// `way why`.
///
/// # Errors
/// The node's failure.
pub fn why(context: &mut Context, id: Option<String>) -> Outcome {
    context.one(Ask::Why { id }, human::why)
}

/// A patience in the milliseconds of a request.
#[must_use]
pub fn milliseconds(patience: Patience) -> u64 {
    u64::try_from(patience.duration(now_ms()).as_millis()).unwrap_or(u64::MAX)
}
