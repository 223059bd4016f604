//! A node that answers from a script, behind a real socket in a real home.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use clap::Parser as _;
use cli::args::Cli;
use cli::backend::Backend;
use cli::commands::Context;
use cli::failure::{Code, Exit, Failure};
use cli::home::{Environment, Home};
use cli::output::{Output, Stop};
use cli::schema::{self, Version};
use node::command::{Command, Reply};
use tokio::sync::{Notify, watch};

type Answerer = Box<dyn FnMut(&Command) -> Option<Reply> + Send>;

/// What the fake node does and has seen.
pub(crate) struct Fake {
    answer: Mutex<Answerer>,
    pub(crate) seen: Mutex<Vec<Command>>,
    pub(crate) names: Mutex<Vec<String>>,
    pub(crate) changes: watch::Sender<u64>,
    down: Notify,
}

impl Fake {
    /// A command for which the function gives nothing is never answered.
    pub(crate) fn new(answer: impl FnMut(&Command) -> Option<Reply> + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            answer: Mutex::new(Box::new(answer)),
            seen: Mutex::default(),
            names: Mutex::default(),
            changes: watch::Sender::new(1),
            down: Notify::new(),
        })
    }

    /// Answers with these, one after the other.
    pub(crate) fn script(replies: Vec<Reply>) -> Arc<Self> {
        let mut replies = VecDeque::from(replies);
        Self::new(move |_| replies.pop_front())
    }

    pub(crate) fn changed(&self) {
        self.changes.send_modify(|change| *change += 1);
    }
}

impl Backend for Fake {
    async fn call(&self, command: Command) -> Result<Reply, Failure> {
        let reply = (self.answer.lock().unwrap())(&command);
        self.seen.lock().unwrap().push(command);
        match reply {
            Some(reply) => Ok(reply),
            None => std::future::pending().await,
        }
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn keep_name(&self, name: &str) -> Result<(), Failure> {
        self.names.lock().unwrap().push(name.to_owned());
        Ok(())
    }

    async fn backup(&self, file: PathBuf) -> Result<schema::Backup, Failure> {
        if !file.is_absolute() {
            return Err(Failure::new(Code::Usage, "relative", ""));
        }
        let file = file.display().to_string();
        Ok(schema::Backup {
            v: Version,
            file,
            bytes: 1,
            encrypted: false,
        })
    }

    fn down(&self) {
        self.down.notify_one();
    }
}

/// A fake node in a home of its own. It goes down when this is dropped.
pub(crate) struct Served {
    folder: Option<tempfile::TempDir>,
    pub(crate) home: Home,
    pub(crate) fake: Arc<Fake>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) fn new(fake: Arc<Fake>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = home(folder.path());
        Self::within(Some(folder), home, fake)
    }

    /// The same home with another node.
    pub(crate) fn again(mut self, fake: Arc<Fake>) -> Self {
        self.stop();
        Self::within(self.folder.take(), self.home.clone(), fake)
    }

    fn within(folder: Option<tempfile::TempDir>, home: Home, fake: Arc<Fake>) -> Self {
        home.create_folder().unwrap();
        let listener = cli::socket::listen(&home).unwrap();
        let lock = home.lock().unwrap();
        let (own, of_thread) = (Arc::clone(&fake), home.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::UnixListener::from_std(listener).unwrap();
                let serving = cli::server::serve(listener, Arc::clone(&own));
                tokio::select! { () = serving => {}, () = own.down.notified() => {} }
                // Lets the answer to `down` leave.
                tokio::task::yield_now().await;
                cli::socket::remove(&of_thread);
            });
            drop(lock);
        });
        Self {
            folder,
            home,
            fake,
            thread: Some(thread),
        }
    }

    fn stop(&mut self) {
        self.fake.down.notify_one();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// Runs `way` with these words against it.
    pub(crate) fn way(&self, words: &[&str]) -> Ran {
        way(&self.home, words)
    }

    pub(crate) fn seen(&self) -> Vec<Command> {
        self.fake.seen.lock().unwrap().clone()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) fn home(folder: &Path) -> Home {
    Home::resolve(Some(folder), &Environment::default()).unwrap()
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) exit: Exit,
    pub(crate) out: String,
    pub(crate) failure: Option<Failure>,
}

impl Ran {
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.out.lines().collect()
    }
}

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs `way` with these words in this home, within this process.
pub(crate) fn way(home: &Home, words: &[&str]) -> Ran {
    let captured = Captured::default();
    let cli = Cli::try_parse_from(std::iter::once(&"way").chain(words)).unwrap();
    let out = Output::to(Box::new(captured.clone()), cli.global.json);
    let mut context = Context {
        home: home.clone(),
        environment: Environment::default(),
        out,
    };
    let outcome = cli::run::dispatch(&mut context, cli.command);
    drop(context);
    let out = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    match outcome {
        Ok(exit) => Ran {
            exit,
            out,
            failure: None,
        },
        Err(Stop::PipeClosed) => Ran {
            exit: Exit::Done,
            out,
            failure: None,
        },
        Err(Stop::Failed(failure)) => Ran {
            exit: failure.code.exit(),
            out,
            failure: Some(failure),
        },
    }
}
