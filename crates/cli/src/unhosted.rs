//! The node inside `way up`: store, transport and engines, put together and taken apart.

use std::path::PathBuf;

use tokio::sync::watch;

use crate::backend::Backend;
use crate::config::Config;
use crate::failure::{Code, Failure};
use crate::home::Home;
use crate::keys::Keys;
use crate::schema;
use crate::vocabulary::{Command, Reply};

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
#[derive(Debug)]
pub struct Host {
    changes: watch::Sender<u64>,
    down: watch::Sender<bool>,
}

impl Host {
    /// Opens store and transport and starts the node.
    ///
    /// # Errors
    /// Whatever keeps it from starting.
    pub async fn open(_setup: Setup) -> Result<Self, Failure> {
        Err(Failure::new(
            Code::Failed,
            "this build of way has no node yet",
            "",
        ))
    }

    /// Where it listens.
    #[must_use]
    pub fn listening(&self) -> Vec<String> {
        Vec::new()
    }

    /// The object of `way up`.
    ///
    /// # Errors
    /// When the node has ended.
    pub async fn describe(&self, _home: &Home) -> Result<schema::Up, Failure> {
        Err(Failure::new(
            Code::Failed,
            "this build of way has no node yet",
            "",
        ))
    }

    /// Returns when somebody has asked it to go down.
    pub async fn asked_down(&self) {
        // The sender lives as long as this.
        let _ = self.down.subscribe().wait_for(|down| *down).await;
    }

    /// Returns when the node has ended by itself, and says why.
    pub async fn ended(&self) -> Failure {
        std::future::pending().await
    }

    /// Closes it.
    pub async fn close(&self) {}
}

impl Backend for Host {
    async fn call(&self, _command: Command) -> Result<Reply, Failure> {
        Err(Failure::new(
            Code::NoNode,
            "this build of way has no node yet",
            "",
        ))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn keep_name(&self, _name: &str) -> Result<(), Failure> {
        Ok(())
    }

    async fn backup(&self, _file: PathBuf) -> Result<schema::Backup, Failure> {
        Err(Failure::new(
            Code::Failed,
            "this build of way has no node yet",
            "",
        ))
    }

    fn down(&self) {
        self.down.send_replace(true);
    }
}
