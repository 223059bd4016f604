//! `up` and `down`: the life of the node's process.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};

use super::Context;
use crate::args::Up;
use crate::client::object;
use crate::config::{Config, Over, Reach, check_name, check_public};
use crate::failure::{Code, Exit, Failure};
use crate::home::{Home, write_private};
use crate::host::{Host, Setup, addresses};
use crate::keys::{Keys, KeysError, Passphrase};
use crate::output::{Outcome, Stop};
use crate::request::Ask;
use crate::{daemon, human, logs, passphrase, schema, server, socket};

/// How long a node may take to close: then its process ends all the same, as after a crash.
const CLOSE: Duration = Duration::from_secs(9);
/// How long `way down` waits for that.
const DOWN: Duration = Duration::from_secs(20);

/// `way up`.
///
/// # Errors
/// Whatever keeps the node from starting.
pub fn up(context: &mut Context, up: Up) -> Outcome {
    if up.detach {
        let line = daemon::start(&context.home, &up)?;
        context.print(&line, human::up)?;
        return Ok(Exit::Done);
    }
    if up.detached_child {
        daemon::leave_terminal()?;
        return match run(context, up) {
            Err(Stop::Failed(failure)) => {
                // If it happened before the node answered, whoever started it reads this line.
                context.out.line(&failure.to_json())?;
                context.out.flush()?;
                Err(Stop::Failed(failure))
            }
            other => other,
        };
    }
    run(context, up)
}

/// Threads for links and sockets. The node itself has one of its own, and so have its store and its contents: on two
/// cores a second one here costs more than it brings.
fn workers() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).clamp(1, 2)
}

fn run(context: &mut Context, up: Up) -> Outcome {
    let home = context.home.clone();
    home.create_folder()?;
    let _lock = home.lock()?;
    let keys = load_keys(&home, up.detached_child)?;
    let (config, is_new) = load_config(&home, &up)?;
    allow_files();
    logs::start(config.log, up.detached_child.then(|| home.log()).as_deref())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Code::Failed, format!("cannot start: {error}"), ""))?;
    let setup = Setup {
        home: home.clone(),
        state: context.environment.state_folder(),
        keys,
        config,
        record: up.record,
    };
    let outcome = runtime.block_on(live(context, setup, is_new, up.detached_child));
    // What still runs there is closed by the end of the process.
    runtime.shutdown_background();
    outcome
}

/// Every link over TCP is an open file, as much of the store is. Many systems let a program have few
/// until it asks.
fn allow_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    // Where that is not allowed the node has fewer links.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
}

/// From the opening of the store to its closing.
async fn live(context: &mut Context, setup: Setup, is_new: bool, child: bool) -> Outcome {
    let home = setup.home.clone();
    let mut config = setup.config.clone();
    let mut signals = Signals::new()?;
    let host = Arc::new(Host::open(setup).await?);
    if is_new {
        // Now the port is known, and kept.
        let listening = addresses::sockets(&host.listening());
        if !listening.is_empty() {
            config.listen = listening;
        }
        write_private(&home.config(), config.text().as_bytes(), true)?;
    }
    let listener = socket::listen(&home)?;
    let listener = UnixListener::from_std(listener)
        .map_err(|error| Failure::io("listen on", &home.folder().join(socket::NAME), &error))?;
    let serving = tokio::spawn(server::serve(listener, Arc::clone(&host)));
    let line = schema::to_line(&host.describe(&home).await?);
    context.print(&line, human::up)?;
    context.out.flush()?;
    if child {
        daemon::let_go()?;
    }
    tracing::info!("up");
    let ended = tokio::select! {
        () = signals.any() => None,
        () = host.asked_down() => None,
        failure = host.ended() => Some(failure),
    };
    tracing::info!("going down");
    // First nobody new is let in, then the node closes, then those who wait are let go.
    socket::remove(&home);
    let closed = tokio::time::timeout(CLOSE, host.close()).await;
    serving.abort();
    match (ended, closed) {
        (Some(failure), _) => Err(failure.into()),
        (None, Ok(())) => {
            tracing::info!("down");
            Ok(Exit::Done)
        }
        (None, Err(_)) => {
            let message = "the node did not close in time; its store is as after a crash";
            tracing::error!("{message}");
            Err(Failure::new(Code::Failed, message, "nothing is lost; start it again").into())
        }
    }
}

struct Signals([tokio::signal::unix::Signal; 3]);

impl Signals {
    fn new() -> Result<Self, Failure> {
        let on = |kind| {
            signal(kind).map_err(|error| {
                Failure::new(
                    Code::Failed,
                    format!("cannot listen for signals: {error}"),
                    "",
                )
            })
        };
        Ok(Self([
            on(SignalKind::terminate())?,
            on(SignalKind::interrupt())?,
            on(SignalKind::hangup())?,
        ]))
    }

    async fn any(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// The keys of the home; new ones if it has none. A plain key file is sealed when a passphrase
/// file is named.
fn load_keys(home: &Home, child: bool) -> Result<Keys, Failure> {
    if home.exists() {
        let ask = |question: &str| {
            if child {
                passphrase::from_starter()
            } else {
                passphrase::ask(question)
            }
        };
        return read_keys(home, ask);
    }
    if home.store().exists() {
        let message = format!("{} has a store but no keys", home.folder().display());
        let hint = "put keys.toml back, or restore the home from a backup with `way restore`";
        return Err(Failure::new(Code::Home, message, hint));
    }
    let path = home.keys();
    let given = passphrase::named_file()
        .map(|file| passphrase::from_file(&file))
        .transpose()?;
    let keys = Keys::generate().map_err(|error| unusable(&path, &error))?;
    let text = keys
        .write(given.as_ref())
        .map_err(|error| unusable(&path, &error))?;
    write_private(&path, text.as_bytes(), false)?;
    Ok(keys)
}

/// The keys of a home that has some; `ask` is asked for a passphrase if one is needed and no file
/// is named.
///
/// # Errors
/// `passphrase` when it is missing or wrong, `home` when the file is damaged.
pub fn read_keys(
    home: &Home,
    ask: impl FnOnce(&str) -> Result<Passphrase, Failure>,
) -> Result<Keys, Failure> {
    let path = home.keys();
    let text = std::fs::read_to_string(&path)
        .map(zeroize::Zeroizing::new)
        .map_err(|error| match error.kind() {
            ErrorKind::InvalidData => unusable(&path, &KeysError::Damaged("no text".to_owned())),
            _ => Failure::io("read", &path, &error),
        })?;
    let given = passphrase::named_file()
        .map(|file| passphrase::from_file(&file))
        .transpose()?;
    let sealed = Keys::is_sealed(&text).map_err(|error| unusable(&path, &error))?;
    let passphrase = match given {
        None if sealed => Some(ask("passphrase: ")?),
        given => given,
    };
    let keys = Keys::read(&text, passphrase.as_ref()).map_err(|error| unusable(&path, &error))?;
    if let (false, Some(passphrase)) = (sealed, &passphrase) {
        let text = keys
            .write(Some(passphrase))
            .map_err(|error| unusable(&path, &error))?;
        write_private(&path, text.as_bytes(), true)?;
    }
    Ok(keys)
}

fn unusable(path: &Path, error: &KeysError) -> Failure {
    let (code, hint) = match error {
        KeysError::PassphraseNeeded => return passphrase::needed(),
        KeysError::PassphraseWrong => (
            Code::Passphrase,
            "try again; without the passphrase the keys are lost",
        ),
        _ => (
            Code::Home,
            "restore the home from a backup with `way restore`",
        ),
    };
    Failure::new(code, format!("{}: {error}", path.display()), hint)
}

/// The settings, and whether they have yet to be written.
fn load_config(home: &Home, up: &Up) -> Result<(Config, bool), Failure> {
    let path = home.config();
    let is_new = !path.exists();
    let mut config = if is_new {
        Config::default()
    } else {
        Config::read(&path)?
    };
    let usage = |option: &str, why: String| {
        Failure::new(
            Code::Usage,
            format!("{option}: {why}"),
            "see `way up --help`",
        )
    };
    if let Some(name) = &up.name {
        check_name(name).map_err(|why| usage("--name", why))?;
        config.name.clone_from(name);
    }
    if let Some(public) = &up.public {
        check_public(public).map_err(|why| usage("--public", why))?;
        config.public.clone_from(public);
    }
    if !up.listen.is_empty() {
        config.listen.clone_from(&up.listen);
    }
    if let Some(over) = up.transport {
        config.transport = over;
    }
    config.core.serve |= up.core;
    if let Some(reach) = up.reach {
        config.reach = reach;
    }
    let said = up.core || up.reach.is_some() || up.transport.is_some();
    if let Err(why) = reachable(&config) {
        return Err(if said {
            usage("--reach", why.to_owned())
        } else {
            let hint = "correct the file and start again";
            Failure::new(Code::Config, format!("{}: {why}", path.display()), hint)
        });
    }
    Ok((config, is_new))
}

/// Whether a node with these settings can be reached as they say.
fn reachable(config: &Config) -> Result<(), &'static str> {
    match config.reach {
        Reach::Core if config.core.serve => {
            Err("a core node is there to be reached; `core` is for those who use one")
        }
        Reach::Core if config.transport == Over::Quic => {
            Err("with `core` links run over TLS and TCP alone, which transport `quic` switches off")
        }
        Reach::Any | Reach::Core => Ok(()),
    }
}

/// `way down`.
///
/// # Errors
/// `no-node` when none is running.
pub fn down(context: &mut Context) -> Outcome {
    let line = context.client()?.one(Ask::Down)?;
    let _: schema::Done = object(&line)?;
    wait_until_free(&context.home)?;
    let home = context.home.folder().display().to_string();
    let down = schema::Down {
        v: schema::Version,
        home,
        down: true,
    };
    context.print(&schema::to_line(&down), |_: &schema::Down| {
        "down".to_owned()
    })?;
    Ok(Exit::Done)
}

/// Returns when the process that holds the home's lock has ended.
fn wait_until_free(home: &Home) -> Result<(), Failure> {
    let (sender, receiver) = mpsc::channel();
    let waiter = home.clone();
    // The kernel wakes this thread; if it takes too long, the end of the process ends it.
    std::thread::spawn(move || sender.send(waiter.wait_for_lock()));
    match receiver.recv_timeout(DOWN) {
        Ok(result) => result,
        Err(_) => Err(Failure::new(
            Code::Failed,
            format!("the node did not end within {} seconds", DOWN.as_secs()),
            "look at the end of way.log in the home",
        )),
    }
}
