//! `share`, `files`, `get`.

use std::io::IsTerminal as _;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use super::Context;
use super::send::Sender;
use crate::args::files::{Files, Get, Limit, Share, Unshare};
use crate::client::{Client, object};
use crate::failure::{Code, Exit, Failure};
use crate::output::{Outcome, note};
use crate::request::Ask;
use crate::size::Size;
use crate::when::now_ms;
use crate::{human, plain, schema};

/// How often it is said how far a file has come.
const PROGRESS: Duration = Duration::from_millis(500);

/// `way share`.
///
/// # Errors
/// The node's failure; `not-yet` when a wait ran out: then the file is safe.
pub fn share(context: &mut Context, share: Share) -> Outcome {
    let mut client = context.client()?;
    let path = text(&absolute(&share.path)?)?;
    let expires = share.expires.map(|when| when.resolve(now_ms()));
    let expires = expires
        .transpose()
        .map_err(|why| Failure::new(Code::Usage, why.to_string(), ""))?;
    let ask = Ask::Share {
        topic: share.topic.clone(),
        path,
        expires,
    };
    let patience = share.timeout.duration(now_ms());
    Sender::new(share.topic, share.wait, share.of).ask(context, &mut client, ask, patience)?;
    Ok(Exit::Done)
}

/// `way unshare`.
///
/// # Errors
/// The node's failure.
pub fn unshare(context: &mut Context, unshare: Unshare) -> Outcome {
    let Unshare { topic, file } = unshare;
    context.one(Ask::Unshare { topic, file }, |_: &schema::Done| {
        "taken back: whoever has it removes it when this is heard".to_owned()
    })
}

/// `way files`.
///
/// # Errors
/// The node's failure.
pub fn files(context: &mut Context, files: Files) -> Outcome {
    let Files { topic, drop, limit } = files;
    if let Some(file) = drop {
        return context.one(Ask::FilesDrop { topic, file }, |_: &schema::Done| {
            "dropped".to_owned()
        });
    }
    if let Some(limit) = limit {
        let bytes = match limit {
            Limit::None => None,
            Limit::To(Size(bytes)) => Some(bytes),
        };
        return context.one(Ask::FilesLimit { topic, bytes }, |_: &schema::Done| {
            "what is here stays; what would take more is not fetched".to_owned()
        });
    }
    context.many(Ask::Files { topic }, human::files::list)
}

/// `way get`.
///
/// # Errors
/// The node's failure; `not-yet` when the file has not come in time: then fetching goes on.
pub fn get(context: &mut Context, get: Get) -> Outcome {
    let mut client = context.client()?;
    let to = target(&mut client, &get)?;
    let deadline = Instant::now().checked_add(get.timeout.duration(now_ms()));
    let mut shown = Progress::new(!context.out.json && std::io::stderr().is_terminal());
    loop {
        let left = deadline.map_or(Duration::MAX, |at| {
            at.saturating_duration_since(Instant::now())
        });
        let wait = left.min(PROGRESS);
        let ask = Ask::Get {
            topic: get.topic.clone(),
            file: get.file.clone(),
            to: text(&to)?,
            timeout_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        };
        match client.one(ask) {
            Ok(line) => {
                shown.end();
                context.print(&line, human::files::got)?;
                return Ok(Exit::Done);
            }
            Err(failure) if failure.code == Code::NotYet && left > wait => {
                if let Some(file) = find(&mut client, &get.topic, &get.file)? {
                    shown.now(&file);
                }
            }
            // It fetches on; what it wrote out of the file is written from the beginning.
            Err(failure) if failure.code == Code::Anew => {}
            Err(failure) => {
                shown.end();
                return Err(failure.into());
            }
        }
    }
}

/// Where a file is to go: where it was said, or under its own name where one stands.
fn target(client: &mut Client, get: &Get) -> Result<PathBuf, Failure> {
    let (folder, named) = match &get.to {
        Some(to) if to.is_dir() => (to.clone(), None),
        Some(to) => (PathBuf::new(), Some(to)),
        None => (PathBuf::from("."), None),
    };
    if let Some(to) = named {
        return absolute(to);
    }
    let file = find(client, &get.topic, &get.file)?.ok_or_else(|| {
        let text = format!("no file {:?} is shared in this topic", get.file);
        Failure::new(
            Code::NotFound,
            text,
            "`way files TOPIC` lists those that are",
        )
    })?;
    // Somebody else has chosen it: it may be a name, and nothing more.
    let mut parts = Path::new(&file.name).components();
    let plain = matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    );
    if !plain || file.name.contains(['/', '\\']) {
        let text = format!("{} is no name for a file here", plain::line(&file.name));
        return Err(Failure::new(
            Code::Refused,
            text,
            "say where it is to go with --to PATH",
        ));
    }
    absolute(&folder.join(&file.name))
}

fn find(client: &mut Client, topic: &str, file: &str) -> Result<Option<schema::File>, Failure> {
    let ask = Ask::Files {
        topic: topic.to_owned(),
    };
    let (lines, _) = client.all(ask)?;
    let files: Vec<schema::File> = lines
        .iter()
        .map(|line| object(line))
        .collect::<Result<_, _>>()?;
    let by_number = |found: &&schema::File| file.parse() == Ok(found.n);
    let by_name = |found: &&schema::File| found.name == file;
    let by_id = |found: &&schema::File| found.id.starts_with(file);
    let newest = files.iter().rev();
    let found = newest.clone().find(by_number);
    let found = found.or_else(|| newest.clone().find(by_name));
    Ok(found.or_else(|| newest.clone().find(by_id)).cloned())
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| {
        let text = format!("{}: {error}", path.display());
        Failure::new(Code::Usage, text, "")
    })
}

fn text(path: &Path) -> Result<String, Failure> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        let text = format!("{} is not UTF-8", path.display());
        Failure::new(Code::Usage, text, "give it a name in UTF-8")
    })
}

/// How far a file has come, on standard error.
struct Progress {
    shown: bool,
    any: bool,
    before: Option<(Instant, u32)>,
}

impl Progress {
    const fn new(shown: bool) -> Self {
        Self {
            shown,
            any: false,
            before: None,
        }
    }

    fn now(&mut self, file: &schema::File) {
        if !self.shown {
            return;
        }
        let (begun, first) = *self.before.get_or_insert((Instant::now(), file.have));
        let seconds = begun.elapsed().as_secs().max(1);
        let come = u64::from(file.have.saturating_sub(first)) * u64::from(file.part_bytes);
        let rate = come / seconds;
        let lacks = u64::from(file.parts.saturating_sub(file.have)) * u64::from(file.part_bytes);
        let left = match lacks.checked_div(rate) {
            Some(left) => format!(", {left} s left"),
            None => String::new(),
        };
        self.any = true;
        eprint!(
            "\r\x1b[K{}: {} %, {}/s{left}",
            plain::line(&file.name),
            human::files::percent(file),
            Size(rate)
        );
    }

    fn end(&self) {
        if self.any {
            note("");
        }
    }
}
