//! Commands about owners as bytes: a list of a number and the fields in their order.

use super::command::read_maybe_small;
use super::{maybe, read_maybe, text};
use crate::command::owners::OwnersCommand;
use wire::Malformed;
use wire::cbor::{Reader, Writer};

/// Names in one list.
const MAX_NAMES: usize = 64;

pub(super) fn write(w: &mut Writer, command: &OwnersCommand) {
    match command {
        OwnersCommand::Create {
            name,
            threshold,
            count,
            public,
            messages,
        } => {
            w.array(6)
                .uint(0_u8)
                .text(name)
                .uint(*threshold)
                .uint(*count)
                .bool(*public);
            maybe(w, *messages);
        }
        OwnersCommand::List { topic } => {
            w.array(2).uint(1_u8).text(topic);
        }
        OwnersCommand::Pending => {
            w.array(1).uint(2_u8);
        }
        OwnersCommand::Sign { id } => {
            w.array(2).uint(3_u8).text(id);
        }
        OwnersCommand::Propose {
            topic,
            add,
            remove,
            threshold,
        } => {
            w.array(5).uint(4_u8).text(topic);
            for names in [add, remove] {
                w.array(names.len());
                for name in names {
                    w.text(name);
                }
            }
            maybe(w, *threshold);
        }
    }
}

pub(super) fn read(r: &mut Reader<'_>) -> Result<OwnersCommand, Malformed> {
    let fields = r.list(6, "command about owners")?;
    let kind = r.u8("kind of command about owners")?;
    Ok(match (kind, fields) {
        (0, 6) => OwnersCommand::Create {
            name: text(r)?,
            threshold: r.u8("threshold")?,
            count: r.u8("count")?,
            public: r.bool("public")?,
            messages: read_maybe_small(r)?,
        },
        (1, 2) => OwnersCommand::List { topic: text(r)? },
        (2, 1) => OwnersCommand::Pending,
        (3, 2) => OwnersCommand::Sign { id: text(r)? },
        (4, 5) => OwnersCommand::Propose {
            topic: text(r)?,
            add: names(r)?,
            remove: names(r)?,
            threshold: {
                let wrong = r.wrong("threshold");
                let number = read_maybe(r)?;
                let small = number.map(|number| u8::try_from(number).map_err(|_| wrong));
                small.transpose()?
            },
        },
        _ => return Err(r.wrong("kind of command about owners")),
    })
}

fn names(r: &mut Reader<'_>) -> Result<Vec<String>, Malformed> {
    let count = r.list(MAX_NAMES, "names")?;
    (0..count).map(|_| text(r)).collect()
}
