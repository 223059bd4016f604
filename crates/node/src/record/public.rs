//! Commands about public topics as bytes: a list of a number and the fields in their order.

use super::text;
use crate::command::public::PublicCommand;
use wire::Malformed;
use wire::cbor::{Reader, Writer};

pub(super) fn write(w: &mut Writer, command: &PublicCommand) {
    match command {
        PublicCommand::Create { name } => w.array(2).uint(0_u8).text(name),
        PublicCommand::Link { topic } => w.array(2).uint(1_u8).text(topic),
    };
}

pub(super) fn read(r: &mut Reader<'_>) -> Result<PublicCommand, Malformed> {
    let fields = r.list(2, "command about public topics")?;
    let kind = r.u8("kind of command about public topics")?;
    Ok(match (kind, fields) {
        (0, 2) => PublicCommand::Create { name: text(r)? },
        (1, 2) => PublicCommand::Link { topic: text(r)? },
        _ => return Err(r.wrong("kind of command about public topics")),
    })
}
