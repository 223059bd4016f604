//! The node inside `way up`: store, transport and engines, put together and taken apart.

pub(crate) mod addresses;
pub mod care;
mod disk;
mod files;
mod inlet;
mod outlet;
#[cfg(feature = "planted")]
mod planted;
mod reach;
pub mod replay;
mod rules;
mod shared;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use driver::record::Recorder;
use driver::{Contents, End, Ending, Node, Opened, Options};
use identity::{OperatorTag, SecretKey};
use node::command::{Command, Reply};
use node::{Input, Out};
use rights::DeviceSecret;
use store::Content;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use transport::internet::{self, Internet};
use transport::{Listen, OpenError, Transport as _};

use crate::backend::Backend;
use crate::config::{self, Config, Over, Reach};
use crate::failure::{Code, Failure};
use crate::home::{Home, write_private};
use crate::keys::Keys;
use crate::schema;
use disk::Disk;
use outlet::Outlet;
use shared::Shared;

/// What a command counts for in the node's inbox beside its own bytes.
const COMMAND: usize = 256;

/// What a node is made of.
#[derive(Debug)]
pub struct Setup {
    /// Its home.
    pub home: Home,
    /// The folder outside the home for the marker of its last commit.
    pub state: Option<PathBuf>,
    /// Its secrets.
    pub keys: Keys,
    /// Its settings.
    pub config: Config,
    /// Where to write every input.
    pub record: Option<PathBuf>,
}

/// A node that runs.
pub struct Host {
    home: Home,
    config: Config,
    shared: Arc<Shared<Internet>>,
    disk: Arc<Disk>,
    stop: Arc<AtomicBool>,
    node: Node<Input>,
    tasks: Vec<JoinHandle<()>>,
}

impl Host {
    /// Opens store and transport and starts the node; returns when it answers.
    ///
    /// # Errors
    /// Whatever keeps it from starting.
    pub async fn open(setup: Setup) -> Result<Self, Failure> {
        let Setup {
            home,
            state,
            keys,
            config,
            record,
        } = setup;
        let state = state.ok_or_else(|| {
            let hint = "set HOME or XDG_STATE_HOME";
            Failure::new(
                Code::Home,
                "there is no folder for the marker of this home",
                hint,
            )
        })?;
        // Who is reached by its core nodes alone has no socket at which anybody could find it.
        let (listen, over) = match (config.reach, config.listen.as_slice()) {
            (Reach::Core, _) => (Listen::Nowhere, Over::Tls),
            (Reach::Any, []) => (Listen::Default, config.transport),
            (Reach::Any, some) => (Listen::At(some.to_vec()), config.transport),
        };
        let opened = internet::open(
            transport::Config {
                proxy: config.proxy.parse().ok(),
                ..transport::Config::new(keys.node, listen)
            },
            over.into(),
        );
        let opened = opened.await;
        let (transport, events) = opened.map_err(|error| not_listening(&error))?;
        let listening = addresses::of(&transport.listening());
        let shared = Arc::new(Shared::new(transport));
        let floor = config.limits.free_space_floor.0;
        let disk = Arc::new(Disk::new(home.store(), state, floor));
        let content = Content::open(&home.store()).map_err(disk::failure)?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = rules::Shared::default();
        told.lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .rules = config.acl.0.clone();
        let around = Around {
            shared: Arc::clone(&shared),
            disk: Arc::clone(&disk),
            rules: Arc::clone(&told),
            stop: Arc::clone(&stop),
        };
        let node = start(around, content, listening, &keys, &config, record)?;
        let follow = rules::follow(home.config(), told, node.handle());
        let tasks = vec![
            tokio::spawn(inlet::events(events, node.handle(), Arc::clone(&shared))),
            tokio::spawn(inlet::disk(Arc::clone(&disk), node.handle())),
            tokio::spawn(inlet::addresses(Arc::clone(&shared), node.handle())),
            tokio::spawn(follow),
        ];
        let host = Self {
            home,
            config,
            shared,
            disk,
            stop,
            node,
            tasks,
        };
        match host.first_answer().await {
            Ok(()) => Ok(host),
            Err(failure) => {
                host.close().await;
                Err(failure)
            }
        }
    }

    /// Returns when the node has answered for the first time, in whichever life; when it has ended,
    /// with the reason that it gives itself.
    async fn first_answer(&self) -> Result<(), Failure> {
        loop {
            tokio::select! {
                biased;
                failure = self.ended() => return Err(failure),
                answer = self.call(Command::Identity) => if answer.is_ok() {
                    return Ok(());
                },
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn listening(&self) -> Vec<String> {
        self.shared.transport.listening()
    }

    /// The object of `way up`.
    ///
    /// # Errors
    /// When the node has ended.
    pub async fn describe(&self, home: &Home) -> Result<schema::Up, Failure> {
        let Reply::Identity {
            id,
            name,
            addresses,
            ..
        } = self.call(Command::Identity).await?
        else {
            return Err(unknown_to_itself());
        };
        let (core, public) = (self.config.core.serve, &self.config.public);
        let reachable = if core && !public.is_empty() {
            reach::answers(id, &self.config).await
        } else {
            None
        };
        Ok(schema::Up {
            v: schema::Version,
            id: id.to_string(),
            name,
            home: home.folder().display().to_string(),
            addresses,
            core,
            reachable,
        })
    }

    /// Returns when somebody has asked it to go down.
    pub async fn asked_down(&self) {
        // The sender lives as long as this.
        let _ = self.shared.down.subscribe().wait_for(|down| *down).await;
    }

    /// Returns when the node has ended by itself, and says why.
    pub async fn ended(&self) -> Failure {
        let end = self.node.ended().await;
        if let (Some(failure), End::GivenUp(Ending::Open(_))) = (self.disk.failed(), &end) {
            return failure;
        }
        let hint = "look at the log; `way check` looks at the store";
        Failure::new(Code::Failed, format!("the node has ended: {end}"), hint)
    }

    /// Says goodbye on every link, commits what is staged, and closes transport and store.
    pub async fn close(&self) {
        self.shared.begin_farewell();
        self.stop.store(true, Ordering::Relaxed);
        let handle = self.node.handle();
        // A node that has ended has said what it had to say.
        let _ = handle.send(Input::Closing, COMMAND).await;
        handle.stop();
        self.node.ended().await;
        self.shared.farewell();
        self.shared.end_life();
        self.shared.transport.shut().await;
        for task in &self.tasks {
            task.abort();
        }
        let disk = Arc::clone(&self.disk);
        // A store that is not closed cleanly is whole all the same.
        let _ = tokio::task::spawn_blocking(move || disk.close()).await;
    }
}

/// What lies around a node.
struct Around {
    shared: Arc<Shared<Internet>>,
    disk: Arc<Disk>,
    rules: rules::Shared,
    /// Ends work on files.
    stop: Arc<AtomicBool>,
}

fn start(
    around: Around,
    content: Content,
    listening: Vec<String>,
    keys: &Keys,
    config: &Config,
    record: Option<PathBuf>,
) -> Result<Node<Input>, Failure> {
    let settings = settings(keys, config);
    let recorder = record.map(|file| recorder(&file, &settings)).transpose()?;
    let recorded = recorder.is_some();
    let Around {
        shared,
        disk: opener,
        rules,
        stop,
    } = around;
    let open = move |life| {
        let opened = opener.open(life)?;
        let config = node::Config {
            stale: opened.stale,
            ..settings.clone()
        };
        let commit = opened.committer();
        #[cfg(feature = "planted")]
        let commit = planted::late(commit);
        let node = node::Node::new(config);
        Ok(Opened::new(node, opened.store, commit).about(&driver::record::about(opened.stale)))
    };
    let runtime = tokio::runtime::Handle::current();
    let options: Options<Input, Out> = Options {
        recorder,
        #[cfg(feature = "planted")]
        plant_early_release: planted::early_release().is_some(),
        ..Options::default()
    };
    driver::start(options, open, move |handle| Outlet {
        shared,
        files: files::Files::new(content.clone(), runtime.clone(), stop),
        contents: Contents::new(content, handle.clone(), runtime.clone(), Input::Content),
        handle,
        runtime,
        listening,
        rules,
        recorded,
    })
    .map_err(|error| Failure::new(Code::Failed, error.to_string(), ""))
}

/// A record in a new file. It holds the keys and the whole store.
fn recorder(file: &Path, settings: &node::Config) -> Result<Recorder<Input, Out>, Failure> {
    let header = node::record::encode_config(settings);
    Recorder::create(file, &header, node::tables())
        .map_err(|error| Failure::io("write", file, &error))
}

/// The node's own settings.
fn settings(keys: &Keys, config: &Config) -> node::Config {
    let day = Duration::from_secs(24 * 3600);
    node::Config {
        node_key: SecretKey::from_seed(keys.node),
        device: DeviceSecret::from_bytes(keys.device),
        stale: false,
        core: config.core.serve,
        reach: config.reach.into(),
        name: config.name.clone(),
        public: Some(config.public.clone())
            .filter(|at| !at.is_empty())
            .into_iter()
            .collect(),
        trust_clock: config.trust_clock,
        custody: custody::Settings {
            quota: custody::Quota {
                bytes: config.core.quota.0,
                topics: config.core.topics_max,
                links: config.core.links_max,
            },
            longest_hold: day * config.core.hold_days_max,
            free_floor: config.limits.free_space_floor.0,
            operator: Some(config.core.operator.as_str())
                .filter(|text| !text.is_empty())
                .map(OperatorTag::of),
        },
        store_limit: config.limits.store.0,
        software: software(),
    }
}

/// Name and version of this program.
fn software() -> String {
    format!("way {}", env!("CARGO_PKG_VERSION"))
}

fn unknown_to_itself() -> Failure {
    Failure::new(Code::Failed, "the node does not know itself", "")
}

fn not_listening(error: &OpenError) -> Failure {
    let hint = "is another node or program there? Say --listen ADDR or --transport quic, or change \
                `listen` or `transport` in config.toml";
    Failure::new(Code::Address, error.to_string(), hint)
}

impl Host {
    /// What the node answers; nothing when its life ends before it does.
    async fn ask(&self, command: Command) -> Result<Option<Reply>, Failure> {
        let bytes = match &command {
            Command::Send { messages, .. } => messages.iter().map(Vec::len).sum(),
            _ => 0,
        };
        let (request, answer) = self.shared.expect();
        let ended = || {
            let hint = "start it with `way up -d` and try again; what was acknowledged is safe";
            Failure::new(Code::NoNode, "the node went down before it answered", hint)
        };
        let handle = self.node.handle();
        let sent = handle
            .send(Input::Command { request, command }, COMMAND + bytes)
            .await;
        sent.map_err(|_| ended())?;
        tokio::select! {
            biased;
            // What was answered counts, also if it was the last that the node did.
            answer = answer => Ok(answer.ok()),
            _ = self.node.ended() => Err(ended()),
        }
    }
}

impl Backend for Host {
    async fn call(&self, command: Command) -> Result<Reply, Failure> {
        // The next life is asked what only asks, and no third one: it may be what ends them.
        let again = command.only_asks().then(|| command.clone());
        if let Some(reply) = self.ask(command).await? {
            return Ok(reply);
        }
        if let Some(command) = again
            && let Some(reply) = self.ask(command).await?
        {
            return Ok(reply);
        }
        Err(Failure::new(
            Code::Anew,
            "the node began anew before it answered",
            "what was acknowledged is safe; see whether this was done, and try again",
        ))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    fn keep_name(&self, name: &str) -> Result<(), Failure> {
        let path = self.home.config();
        let text =
            std::fs::read_to_string(&path).map_err(|error| Failure::io("read", &path, &error))?;
        write_private(&path, config::with_name(&text, name).as_bytes(), true)
    }

    async fn backup(&self, file: PathBuf) -> Result<schema::Backup, Failure> {
        if !file.is_absolute() {
            let message = format!("{} is not an absolute path", file.display());
            return Err(Failure::new(Code::Usage, message, ""));
        }
        let Reply::Identity { id, .. } = self.call(Command::Identity).await? else {
            return Err(unknown_to_itself());
        };
        let (home, store) = (self.home.clone(), self.disk.store());
        let write = move || match store {
            Some(store) => care::back_up(&home, &store, &id.to_string(), &file),
            None => Err(Failure::new(
                Code::Failed,
                "the store is not open at the moment",
                "try again",
            )),
        };
        match tokio::task::spawn_blocking(write).await {
            Ok(done) => done,
            Err(error) => Err(Failure::new(
                Code::Failed,
                format!("the backup failed: {error}"),
                "",
            )),
        }
    }

    fn down(&self) {
        self.shared.down.send_replace(true);
    }
}
