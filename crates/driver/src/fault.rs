//! How lives and nodes end.

use thiserror::Error;

/// Why one life of a node ended by a fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Ending {
    /// The node could not be built from its store.
    #[error("the node could not be opened: {0}")]
    Open(String),
    /// The store could not be read or written. What was held was never asserted to anybody.
    #[error(transparent)]
    Store(#[from] machine::Fault),
    /// The machine, or what carries out its outputs, panicked: a bug of this program.
    #[error("the node panicked: {0}")]
    Panic(String),
    /// The system gave no entropy or no thread.
    #[error("{0}")]
    System(String),
}

/// How a node ended.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum End {
    /// It was asked to stop; everything it had staged is durable and everything held has left.
    #[error("stopped")]
    Stopped,
    /// It was asked to stop and could not commit in time. What it held was never asserted to
    /// anybody.
    #[error("stopped without its last commits, which took too long")]
    Unsettled,
    /// Too many lives ended within the window; this is how the last one did.
    #[error("given up after too many faults; the last: {0}")]
    GivenUp(Ending),
}

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "without words".to_owned()
    }
}
