//! Work on files, and commands about them.

use super::{maybe, read_maybe, text};
use crate::command::files::FilesCommand;
use crate::io::{FileDone, FileJob};
use crate::limits::MAX_DAMAGED;
use wire::cbor::{Reader, Writer};
use wire::{Malformed, Manifest, Part, SharedFile, SlotRange};

pub(super) fn write_done(w: &mut Writer, done: &FileDone) {
    match done {
        FileDone::Shared { manifest, file } => {
            w.array(5).uint(0_u8).bytes(&manifest.root);
            w.uint(manifest.count).uint(manifest.bytes);
            w.bytes(&file.encode());
        }
        FileDone::Unpacked => {
            w.array(1).uint(1_u8);
        }
        FileDone::Damaged => {
            w.array(1).uint(3_u8);
        }
        FileDone::Verified { damaged } => {
            w.array(2).uint(4_u8).array(damaged.len());
            for part in damaged {
                write_part(w, *part);
            }
        }
        FileDone::Gone => {
            w.array(1).uint(5_u8);
        }
        FileDone::Failed { text, hint } => {
            w.array(3).uint(2_u8).text(text).text(hint);
        }
    }
}

pub(super) fn read_done(r: &mut Reader<'_>) -> Result<FileDone, Malformed> {
    let fields = r.list(5, "what became of a file")?;
    Ok(match (r.u8("what became of a file")?, fields) {
        (0, 5) => FileDone::Shared {
            manifest: Manifest {
                root: r.array("root")?,
                count: r.u32("blocks")?,
                bytes: r.u64("bytes")?,
            },
            file: SharedFile::decode(r.bytes(usize::MAX, "file")?)?,
        },
        (1, 1) => FileDone::Unpacked,
        (3, 1) => FileDone::Damaged,
        (4, 2) => {
            let count = r.list(MAX_DAMAGED, "damaged parts")?;
            let damaged = (0..count).map(|_| read_part(r));
            FileDone::Verified {
                damaged: damaged.collect::<Result<_, _>>()?,
            }
        }
        (5, 1) => FileDone::Gone,
        (2, 3) => FileDone::Failed {
            text: text(r)?,
            hint: text(r)?,
        },
        _ => return Err(r.wrong("what became of a file")),
    })
}

fn write_part(w: &mut Writer, part: Part) {
    let (kind, first, count) = match part {
        Part::List => (0_u8, 0, 0),
        Part::Page(page) => (1, page, 0),
        Part::Blocks(range) => (2, range.first, range.count),
    };
    w.array(3).uint(kind).uint(first).uint(count);
}

fn read_part(r: &mut Reader<'_>) -> Result<Part, Malformed> {
    r.tuple(3, "part")?;
    let wrong = r.wrong("part");
    match (r.u8("part")?, r.u32("part")?, r.u32("part")?) {
        (0, 0, 0) => Ok(Part::List),
        (1, page, 0) => Ok(Part::Page(page)),
        (2, first, count) => Ok(Part::Blocks(SlotRange { first, count })),
        _ => Err(wrong),
    }
}

pub(super) fn write(w: &mut Writer, command: &FilesCommand) {
    match command {
        FilesCommand::Share {
            topic,
            path,
            expires,
        } => {
            w.array(4).uint(0_u8).text(topic).text(path);
            maybe(w, *expires);
        }
        FilesCommand::List { topic } => {
            w.array(2).uint(1_u8).text(topic);
        }
        FilesCommand::Get {
            topic,
            file,
            to,
            timeout_ms,
        } => {
            w.array(5).uint(2_u8).text(topic).text(file);
            w.text(to).uint(*timeout_ms);
        }
        FilesCommand::Drop { topic, file } => {
            w.array(3).uint(3_u8).text(topic).text(file);
        }
        FilesCommand::Unshare { topic, file } => {
            w.array(3).uint(4_u8).text(topic).text(file);
        }
        FilesCommand::Limit { topic, bytes } => {
            w.array(3).uint(5_u8).text(topic);
            maybe(w, *bytes);
        }
    }
}

pub(super) fn read(r: &mut Reader<'_>) -> Result<FilesCommand, Malformed> {
    let fields = r.list(5, "command about files")?;
    Ok(match (r.u8("command about files")?, fields) {
        (0, 4) => FilesCommand::Share {
            topic: text(r)?,
            path: text(r)?,
            expires: read_maybe(r)?,
        },
        (1, 2) => FilesCommand::List { topic: text(r)? },
        (2, 5) => FilesCommand::Get {
            topic: text(r)?,
            file: text(r)?,
            to: text(r)?,
            timeout_ms: r.u64("time")?,
        },
        (3, 3) => FilesCommand::Drop {
            topic: text(r)?,
            file: text(r)?,
        },
        (4, 3) => FilesCommand::Unshare {
            topic: text(r)?,
            file: text(r)?,
        },
        (5, 3) => FilesCommand::Limit {
            topic: text(r)?,
            bytes: read_maybe(r)?,
        },
        _ => return Err(r.wrong("command about files")),
    })
}

/// Feeds in what tells this work from another.
pub(super) fn digest(what: &FileJob, into: &mut dyn FnMut(&[u8])) {
    match what {
        FileJob::Share {
            path,
            secret: _,
            content,
        } => {
            into(&[0]);
            into(&content.0);
            into(path.as_bytes());
        }
        FileJob::Unpack {
            content,
            manifest,
            to,
            ..
        } => {
            into(&[1]);
            into(&content.0);
            into(&manifest.root);
            into(to.as_bytes());
        }
        FileJob::Verify { content, manifest } => {
            into(&[2]);
            into(&content.0);
            into(&manifest.root);
        }
    }
}
