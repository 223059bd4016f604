//! What the control socket needs of a node: one trait, so that the socket can be tested without
//! one.

use std::future::Future;
use std::path::PathBuf;

use tokio::sync::watch;

use crate::failure::Failure;
use crate::schema;
use node::command::{Command, Reply};

/// A node that answers commands.
pub trait Backend: Send + Sync + 'static {
    /// Carries out one command.
    ///
    /// # Errors
    /// `no-node` when the node has ended. What the node itself refuses is a [`Reply::Failed`].
    fn call(&self, command: Command) -> impl Future<Output = Result<Reply, Failure>> + Send;

    /// A number that grows whenever something that a reader may wait for has changed.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Remembers a new name in the configuration file.
    ///
    /// # Errors
    /// When the file cannot be written.
    fn keep_name(&self, name: &str) -> Result<(), Failure>;

    /// Writes a backup of the running home.
    fn backup(&self, file: PathBuf)
    -> impl Future<Output = Result<schema::Backup, Failure>> + Send;

    /// Asks the node to go down; returns at once.
    fn down(&self);
}
