//! Plans that failed once: kept as files with their story, and played again by the tests.

use crate::plan::Plan;
use serde::{Deserialize, Serialize};

/// A plan that failed once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// In one line: what went wrong, and what was changed.
    pub story: String,
    /// The promise that broke.
    pub promise: String,
    /// The plan, as small as it could be made.
    pub plan: Plan,
}

impl Kept {
    /// Reads one from its file.
    ///
    /// # Errors
    /// What is wrong with the text, with its line.
    pub fn read(text: &str) -> Result<Self, String> {
        let kept: Self = toml::from_str(text).map_err(|error| shortened(&error.to_string()))?;
        kept.plan.check()?;
        Ok(kept)
    }

    /// As a file.
    ///
    /// # Errors
    /// Numbers beyond what TOML can hold.
    pub fn write(&self) -> Result<String, String> {
        toml::to_string(self).map_err(|error| error.to_string())
    }
}

/// What a reader of TOML says, which shows the line that is wrong, however long that is.
fn shortened(said: &str) -> String {
    let lines = said.lines().take(MAX_LINES);
    let lines = lines.map(|line| line.chars().take(MAX_LETTERS).collect::<String>());
    lines.collect::<Vec<String>>().join("\n")
}

/// Lines and letters of what is said about a file that cannot be read.
const MAX_LINES: usize = 12;
const MAX_LETTERS: usize = 200;
