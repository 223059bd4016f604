//! Commands about public topics as bytes: a list of a number and the fields in their order.

use super::command::read_maybe_small;
use super::{maybe, text};
use crate::command::public::PublicCommand;
use wire::Malformed;
use wire::cbor::{Reader, Writer};

pub(super) fn write(w: &mut Writer, command: &PublicCommand) {
    match command {
        PublicCommand::Create { name, messages } => {
            w.array(3).uint(0_u8).text(name);
            maybe(w, *messages);
        }
        PublicCommand::Link { topic } => {
            w.array(2).uint(1_u8).text(topic);
        }
    }
}

pub(super) fn read(r: &mut Reader<'_>) -> Result<PublicCommand, Malformed> {
    let fields = r.list(3, "command about public topics")?;
    let kind = r.u8("kind of command about public topics")?;
    Ok(match (kind, fields) {
        (0, 3) => PublicCommand::Create {
            name: text(r)?,
            messages: read_maybe_small(r)?,
        },
        (1, 2) => PublicCommand::Link { topic: text(r)? },
        _ => return Err(r.wrong("kind of command about public topics")),
    })
}
