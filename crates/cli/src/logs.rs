//! The log: one event a line, to standard error or to `way.log`.
//!
//! At the default level no line carries an address or a topic id: those are logged at `debug`.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::config::Level;
use crate::failure::Failure;

/// Our own crates. The libraries below them speak from `debug` on: what they say may name
/// addresses, and what matters of it our own crates say.
const OWN: [&str; 12] = [
    "cli",
    "custody",
    "driver",
    "identity",
    "lace",
    "machine",
    "node",
    "rights",
    "router",
    "store",
    "topic",
    "transport",
];

fn filter(level: Level) -> String {
    let level = level.as_str();
    let below = match level {
        "debug" | "trace" => "info",
        _ => "off",
    };
    OWN.iter().fold(below.to_owned(), |filter, name| {
        format!("{filter},{name}={level}")
    })
}

/// Starts logging, to the file or to standard error.
///
/// # Errors
/// When the file cannot be opened.
pub fn start(level: Level, file: Option<&Path>) -> Result<(), Failure> {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter(level)))
        .with_target(true)
        .with_ansi(false);
    // A second start in one process (tests) keeps the first.
    match file {
        None => {
            let _ = subscriber.with_writer(std::io::stderr).try_init();
        }
        Some(path) => {
            let opened = OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o600)
                .open(path);
            let file = opened.map_err(|error| Failure::io("write the log", path, &error))?;
            let _ = subscriber.with_writer(Mutex::new(file)).try_init();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_is_understood() {
        for level in [
            Level::Error,
            Level::Warn,
            Level::Info,
            Level::Debug,
            Level::Trace,
        ] {
            let text = filter(level);
            assert!(EnvFilter::try_new(&text).is_ok(), "{text}");
        }
        assert!(filter(Level::Info).starts_with("off,"));
    }
}
