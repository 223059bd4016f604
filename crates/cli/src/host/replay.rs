//! What a record says about the node of this program, and how it is played back.

use std::path::Path;

use driver::record::{ReplayFailed, Replayed};

use crate::failure::{Code, Failure};

/// Runs a record again and compares every output.
///
/// # Errors
/// `diverged` at the first difference, `damaged` when a byte has changed; `io` and `failed` when the
/// file is no record of this program.
pub fn replay(file: &Path) -> Result<Replayed, Failure> {
    let mut software = String::new();
    let found = driver::record::replay_node(file, &mut software);
    found.map_err(|error| failure(file, &error, &software))
}

fn failure(file: &Path, error: &ReplayFailed, software: &str) -> Failure {
    let own = super::software();
    let hint = if software.is_empty() || software == own {
        String::new()
    } else {
        format!("it was recorded by {software}, and this is {own}")
    };
    match error {
        ReplayFailed::Read(error) => Failure::io("read", file, error),
        ReplayFailed::Damaged { .. } => Failure::new(Code::Damaged, error.to_string(), ""),
        ReplayFailed::Build { .. } => Failure::new(Code::Failed, error.to_string(), hint),
        _ => Failure::new(Code::Diverged, error.to_string(), hint),
    }
}
