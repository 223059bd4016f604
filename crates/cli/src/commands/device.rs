//! `device …`.

use super::Context;
use super::node::milliseconds;
use crate::args::device::Device;
use crate::client::object;
use crate::failure::{Code, Exit};
use crate::output::{Outcome, note};
use crate::request::Ask;
use crate::{human, qr, schema};

/// How links for devices begin.
const PREFIX: &str = "way:device/";

/// Whether a link is for a device, and not to a topic.
#[must_use]
pub fn is_link(text: &str) -> bool {
    let start = text.trim().get(..PREFIX.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// `way device …`.
///
/// # Errors
/// The node's failure.
pub fn run(context: &mut Context, device: Device) -> Outcome {
    match device {
        Device::Invite { qr } => invite(context, qr),
        Device::Join { link, up, timeout } => join(context, link, up, milliseconds(timeout)),
        Device::List => context.many(Ask::DeviceList, human::devices::list),
        Device::Remove { device, topic } => {
            let line = context.client()?.one(Ask::DeviceRemove { device, topic })?;
            let removed: schema::DeviceRemoved = object(&line)?;
            context.print(&line, human::devices::removed)?;
            // Where it keeps a seat it may still act for the person.
            Ok(match removed.failed.is_empty() {
                true => Exit::Done,
                false => Exit::Failed,
            })
        }
        Device::Branches { topic } => {
            context.many(Ask::DeviceBranches { topic }, human::devices::branches)
        }
        Device::Choose { topic, act } => {
            let ask = Ask::DeviceChoose { topic, act };
            context.one(ask, human::devices::chosen)
        }
    }
}

fn invite(context: &mut Context, draw: bool) -> Outcome {
    let line = context.client()?.one(Ask::DeviceInvite)?;
    if context.out.json {
        context.out.line(&line)?;
        return Ok(Exit::Done);
    }
    let made: schema::DeviceInvite = object(&line)?;
    if draw {
        for line in qr::lines(&made.link, context.out.is_terminal())? {
            context.out.line(&line)?;
        }
    }
    context.out.line(&made.link)?;
    context.out.flush()?;
    note(&format!(
        "whoever uses this link first, until {}, is you in all your topics: keep it between your own \
         devices",
        made.expires
    ));
    Ok(Exit::Done)
}

/// `way device join`, and `way join` with such a link.
///
/// # Errors
/// The node's failure.
pub fn join(context: &mut Context, link: String, up: bool, timeout_ms: u64) -> Outcome {
    let mut client = match context.client() {
        Err(failure) if failure.code == Code::NoNode && up => {
            crate::daemon::start_quietly(context)?;
            context.client()?
        }
        other => other?,
    };
    let line = client.one(Ask::DeviceJoin { link, timeout_ms })?;
    context.print(&line, human::devices::joined)?;
    Ok(Exit::Done)
}
