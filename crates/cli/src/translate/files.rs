//! Files, as objects of the surface.

use ::node::command as node;
use ::node::command::files::{FilesCommand, FilesReply};
use identity::TopicId;

use super::Answer;
use crate::request::Ask;
use crate::schema::{self, Version};
use crate::when::rfc3339;

/// What a request about files means.
pub(super) fn asked(ask: Ask) -> node::Command {
    node::Command::Files(match ask {
        Ask::Share {
            topic,
            path,
            expires,
        } => FilesCommand::Share {
            topic,
            path,
            expires,
        },
        Ask::Get {
            topic,
            file,
            to,
            timeout_ms,
        } => FilesCommand::Get {
            topic,
            file,
            to,
            timeout_ms,
        },
        Ask::FilesDrop { topic, file } => FilesCommand::Drop { topic, file },
        Ask::FilesLimit { topic, bytes } => FilesCommand::Limit { topic, bytes },
        Ask::Unshare { topic, file } => FilesCommand::Unshare { topic, file },
        Ask::Files { topic } => FilesCommand::List { topic },
        _ => FilesCommand::List {
            topic: String::new(),
        },
    })
}

/// What is answered about files.
pub(super) fn answer(reply: FilesReply) -> Answer {
    match reply {
        FilesReply::Files { topic, files } => Answer::many(files, |found| file(topic, found, None)),
        FilesReply::Got {
            topic,
            file: got,
            to,
        } => Answer::one(&file(topic, got, Some(to))),
    }
}

fn file(topic: TopicId, file: node::files::File, to: Option<String>) -> schema::File {
    schema::File {
        v: Version,
        topic: topic.to_string(),
        n: file.n,
        id: file.id.to_string(),
        name: file.name,
        size: file.size,
        entries: file.entries,
        folder: file.folder,
        from: file.from,
        at: rfc3339(file.at),
        have: file.have,
        parts: file.parts,
        part_bytes: file.block,
        wanted: file.wanted,
        sources: file.sources,
        to,
    }
}
