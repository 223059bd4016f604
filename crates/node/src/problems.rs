//! What a person should know.

use crate::command::Problem;
use crate::limits::MAX_PROBLEMS;

/// Problems that stand, the newest last; one of a kind.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Notes a problem, in place of an older one with this code and text.
    pub(crate) fn note(&mut self, code: &str, text: String, hint: &str) {
        self.0
            .retain(|problem| problem.code != code || problem.text != text);
        if self.0.len() >= MAX_PROBLEMS {
            self.0.remove(0);
        }
        self.0.push(Problem {
            code: code.to_owned(),
            text,
            hint: hint.to_owned(),
        });
    }

    /// Problems with this code are over.
    pub(crate) fn forget(&mut self, code: &str) {
        self.0.retain(|problem| problem.code != code);
    }

    /// All of them.
    pub(crate) fn list(&self) -> Vec<Problem> {
        self.0.clone()
    }
}
