//! What the demo has shown, as a table at its end.

use super::stage::Stage;
use crate::output::Stop;

/// Rows of the table: what was claimed, what was seen.
#[derive(Debug, Default)]
pub(super) struct Evidence(Vec<(String, String)>);

impl Evidence {
    pub(super) fn add(&mut self, claim: impl Into<String>, seen: impl Into<String>) {
        self.0.push((claim.into(), seen.into()));
    }

    pub(super) fn print(&self, stage: &mut Stage<'_>) -> Result<(), Stop> {
        stage.scene("Evidence")?;
        let width = self
            .0
            .iter()
            .map(|(claim, _)| claim.chars().count())
            .max()
            .unwrap_or(0);
        for (claim, seen) in &self.0 {
            stage.say(&format!("{claim:width$}  {seen}"))?;
        }
        let took = stage.seconds();
        stage.say(&format!("\nAll is as it should be. It took {took:.1} s."))
    }
}
