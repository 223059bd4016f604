//! `way up -d`: this program starts itself again, in a session of its own, and waits until that
//! process says that its node answers.
//!
//! The child says so, or why not, in one line of JSON on its standard output; then it lets go of
//! it. Its standard error is the log file, so that even a panic is found there.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::args::Up;
use crate::commands::Context;
use crate::failure::{Code, Failure};
use crate::home::Home;
use crate::keys::{Keys, Passphrase};
use crate::passphrase;
use crate::request::{Last, LastLine};

/// Starts the node of this home in the background; returns the object of `way up`.
///
/// # Errors
/// Whatever kept the node from starting.
pub fn start(home: &Home, up: &Up) -> Result<String, Failure> {
    home.create_folder()?;
    let passphrase = asked_passphrase(home)?;
    let log = home.log();
    let opened = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(&log);
    let stderr = opened.map_err(|error| Failure::io("write the log", &log, &error))?;
    let own = std::env::current_exe().map_err(|error| {
        Failure::new(
            Code::Failed,
            format!("cannot find the program itself: {error}"),
            "",
        )
    })?;
    let stdin = if passphrase.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    let mut child = Command::new(own)
        .args(arguments(home, up)?)
        .current_dir("/")
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .map_err(|error| Failure::new(Code::Failed, format!("cannot start: {error}"), ""))?;
    if let (Some(passphrase), Some(mut pipe)) = (passphrase, child.stdin.take()) {
        // If the child is gone already, its answer says why.
        let _ = pipe.write_all(&passphrase.0);
    }
    let mut line = String::new();
    let read = child
        .stdout
        .take()
        .map(|out| BufReader::new(out).read_line(&mut line));
    if line.pop() != Some('\n') || !matches!(read, Some(Ok(_))) {
        return Err(Failure::new(
            Code::Failed,
            "the node ended before it answered",
            format!("look at the end of {}", log.display()),
        ));
    }
    match serde_json::from_str::<LastLine>(&line) {
        Ok(LastLine {
            last: Last::Error(failure),
            ..
        }) => Err(failure),
        _ => Ok(line),
    }
}

/// Starts the node as [`start`] does and says nothing about it.
///
/// # Errors
/// As [`start`].
pub fn start_quietly(context: &Context) -> Result<(), Failure> {
    start(&context.home, &Up::default()).map(drop)
}

fn asked_passphrase(home: &Home) -> Result<Option<Passphrase>, Failure> {
    if passphrase::named_file().is_some() || !home.exists() {
        return Ok(None);
    }
    let path = home.keys();
    let bytes = std::fs::read(&path)
        .map(zeroize::Zeroizing::new)
        .map_err(|e| Failure::io("read", &path, &e))?;
    let text = zeroize::Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
    match Keys::is_sealed(&text) {
        Ok(true) => passphrase::ask("passphrase: ").map(Some),
        // What is wrong with the file, the child will say.
        Ok(false) | Err(_) => Ok(None),
    }
}

fn arguments(home: &Home, up: &Up) -> Result<Vec<std::ffi::OsString>, Failure> {
    let mut arguments: Vec<std::ffi::OsString> = vec![
        "--json".into(),
        "--home".into(),
        home.folder().into(),
        "up".into(),
    ];
    arguments.push("--detached-child".into());
    if up.core {
        arguments.push("--core".into());
    }
    if let Some(name) = &up.name {
        arguments.push(format!("--name={name}").into());
    }
    for listen in &up.listen {
        arguments.push(format!("--listen={listen}").into());
    }
    if let Some(public) = &up.public {
        arguments.push(format!("--public={public}").into());
    }
    if let Some(reach) = up.reach {
        arguments.push(format!("--reach={}", reach.as_str()).into());
    }
    if let Some(over) = up.transport {
        arguments.push(format!("--transport={}", over.as_str()).into());
    }
    if let Some(record) = &up.record {
        // The child runs in another folder.
        let path: PathBuf =
            std::path::absolute(record).map_err(|error| Failure::io("write", record, &error))?;
        arguments.extend(["--record".into(), path.into()]);
    }
    Ok(arguments)
}

/// The child's first step: a session of its own, so that the terminal's end does not end it.
///
/// # Errors
/// When it leads a process group already: then somebody else used the hidden option.
pub fn leave_terminal() -> Result<(), Failure> {
    rustix::process::setsid().map(drop).map_err(|error| {
        Failure::new(
            Code::Failed,
            format!("cannot leave the terminal: {error}"),
            "use `way up -d`",
        )
    })
}

/// The child's last step before it runs on alone: standard output goes nowhere, and whoever
/// started it sees the end of the pipe.
///
/// # Errors
/// When there is no `/dev/null`.
pub fn let_go() -> Result<(), Failure> {
    let null = OpenOptions::new().write(true).open("/dev/null");
    let done = null.and_then(|null| rustix::stdio::dup2_stdout(&null).map_err(Into::into));
    done.map_err(|error| Failure::io("use", "/dev/null".as_ref(), &error))
}
