//! What the operator of a core node decides.

use core::time::Duration;

use identity::OperatorTag;

use crate::limits::{DEFAULT_FREE_FLOOR, DEFAULT_HOLD, MAX_HOLD};
use crate::quota::Quota;

/// The operator's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What a client gets when an invite or `allow` names no figures.
    pub quota: Quota,
    /// Longest promise; cut to [`MAX_HOLD`].
    pub longest_hold: Duration,
    /// Free bytes on the disk below which new custody is refused.
    pub free_floor: u64,
    /// Whose core node this is, as its receipts say; nothing: an operator of its own.
    pub operator: Option<OperatorTag>,
}

impl Settings {
    /// The longest promise in milliseconds.
    pub(crate) fn hold_ms(&self) -> u64 {
        u64::try_from(self.longest_hold.min(MAX_HOLD).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            quota: Quota::default(),
            longest_hold: DEFAULT_HOLD,
            free_floor: DEFAULT_FREE_FLOOR,
            operator: None,
        }
    }
}
