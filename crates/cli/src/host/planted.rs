//! The defect that the crash test must find. Only in programs that are built with the feature
//! `planted`; no released one is.

use std::sync::Arc;
use std::time::Duration;

use machine::Batch;

/// How long every commit is to take, in milliseconds; with it the release rule is off.
const VARIABLE: &str = "WAY_PLANT_EARLY_RELEASE";

/// Whether the release rule is off, and how long a commit takes then.
pub(super) fn early_release() -> Option<Duration> {
    let text = std::env::var(VARIABLE).ok()?;
    text.parse().ok().map(Duration::from_millis)
}

/// A commit that begins late.
pub(super) fn late(
    mut commit: impl FnMut(&[Arc<Batch>]) -> Result<(), String> + Send + 'static,
) -> impl FnMut(&[Arc<Batch>]) -> Result<(), String> + Send + 'static {
    let delay = early_release().unwrap_or_default();
    move |batches| {
        std::thread::sleep(delay);
        commit(batches)
    }
}
