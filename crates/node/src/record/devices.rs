//! Commands about devices as bytes: a list of a number and the fields in their order.

use super::{maybe_text, read_maybe_text, text};
use crate::command::devices::DeviceCommand;
use wire::Malformed;
use wire::cbor::{Reader, Writer};

pub(super) fn write(w: &mut Writer, command: &DeviceCommand) {
    match command {
        DeviceCommand::Invite => {
            w.array(1).uint(0_u8);
        }
        DeviceCommand::Join { link, timeout_ms } => {
            w.array(3).uint(1_u8).text(link).uint(*timeout_ms);
        }
        DeviceCommand::List => {
            w.array(1).uint(2_u8);
        }
        DeviceCommand::Remove { device, topic } => {
            w.array(3).uint(3_u8).text(device);
            maybe_text(w, topic.as_deref());
        }
        DeviceCommand::Choose { topic, act } => {
            w.array(3).uint(4_u8).text(topic).text(act);
        }
        DeviceCommand::Branches { topic } => {
            w.array(2).uint(5_u8);
            maybe_text(w, topic.as_deref());
        }
    }
}

pub(super) fn read(r: &mut Reader<'_>) -> Result<DeviceCommand, Malformed> {
    let fields = r.list(3, "command about devices")?;
    let kind = r.u8("kind of command about devices")?;
    Ok(match (kind, fields) {
        (0, 1) => DeviceCommand::Invite,
        (1, 3) => DeviceCommand::Join {
            link: text(r)?,
            timeout_ms: r.u64("time")?,
        },
        (2, 1) => DeviceCommand::List,
        (3, 3) => DeviceCommand::Remove {
            device: text(r)?,
            topic: read_maybe_text(r)?,
        },
        (4, 3) => DeviceCommand::Choose {
            topic: text(r)?,
            act: text(r)?,
        },
        (5, 2) => DeviceCommand::Branches {
            topic: read_maybe_text(r)?,
        },
        _ => return Err(r.wrong("kind of command about devices")),
    })
}
