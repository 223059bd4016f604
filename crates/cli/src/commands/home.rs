//! `backup`, `restore`, `check`: a home as files. `replay`: a record of its node.

use std::path::Path;

use identity::SecretKey;

use super::Context;
use crate::failure::{Code, Exit, Failure};
use crate::host::{care, replay};
use crate::output::Outcome;
use crate::request::Ask;
use crate::schema;
use crate::size::Size;
use crate::{passphrase, plain};

/// `way backup`: of the running node, or of a home at rest.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn backup(context: &mut Context, file: &Path) -> Outcome {
    let file = std::path::absolute(file).map_err(|error| Failure::io("write", file, &error))?;
    let line = match context.client() {
        Ok(mut client) => client.one(Ask::Backup {
            file: file.display().to_string(),
        })?,
        Err(failure) if failure.code == Code::NoNode && context.home.exists() => {
            let _lock = context.home.lock()?;
            let keys = super::up::read_keys(&context.home, passphrase::ask)?;
            let id = SecretKey::from_seed(keys.node).public().node_id();
            let done = care::back_up_at_rest(&context.home, &id.to_string(), &file)?;
            schema::to_line(&done)
        }
        Err(failure) => return Err(failure.into()),
    };
    context.print(&line, |done: &schema::Backup| {
        let keys = if done.encrypted {
            "the keys in it are encrypted as in the home"
        } else {
            "the keys in it are NOT encrypted: keep it as safe as the home"
        };
        format!("{} ({}); {keys}", plain::line(&done.file), Size(done.bytes))
    })?;
    Ok(Exit::Done)
}

/// `way restore`.
///
/// # Errors
/// When there is a node in the home already, or the file is no whole backup.
pub fn restore(context: &mut Context, file: &Path) -> Outcome {
    let done = care::restore(&context.home, file)?;
    context.print(&schema::to_line(&done), |done: &schema::Restored| {
        format!(
            "{} is restored in {}\nnever run it beside the machine that the backup is of; start it \
             with `way up -d`",
            done.id,
            plain::line(&done.home)
        )
    })?;
    Ok(Exit::Done)
}

/// `way check`.
///
/// # Errors
/// `damaged`, with what was found.
pub fn check(context: &mut Context) -> Outcome {
    let done = care::check(&context.home)?;
    context.print(&schema::to_line(&done), |done: &schema::Check| {
        format!(
            "sound: {} rows, {} commits, {} files",
            done.rows, done.commits, done.files
        )
    })?;
    Ok(Exit::Done)
}

/// `way replay`.
///
/// # Errors
/// `diverged`, with the turn after which the outputs differ.
pub fn replay_record(context: &mut Context, file: &Path) -> Outcome {
    let found = replay::replay(file)?;
    let done = schema::Replay {
        v: schema::Version,
        same: true,
        ends_early: found.ends_early,
        lives: found.lives,
        turns: found.turns,
        outputs: found.outputs,
        hash: data_encoding::HEXLOWER.encode(&found.hash),
    };
    context.print(&schema::to_line(&done), |done: &schema::Replay| {
        let end = if done.ends_early {
            "; the record was cut off, by a crash or afterwards, and what followed is not known"
        } else {
            ""
        };
        format!(
            "the same: {} lives, {} turns, {} outputs, {}{end}",
            done.lives, done.turns, done.outputs, done.hash
        )
    })?;
    Ok(Exit::Done)
}
