//! Rate rules: put in force when the configuration file has changed, and told of a peer's group.

use crate::node::{Inner, Turn};
use identity::NodeId;
use router::Rules;
use router::acl::Group;

/// The kind of problem that a wrong configuration file is.
const PROBLEM: &str = "config";

impl Inner {
    /// The configuration file was read: at the start of a life, or because it has changed. What is
    /// wrong with it is shown, and the rules from before stay in force.
    pub(crate) fn set_rules(
        &mut self,
        turn: &mut Turn<'_, '_>,
        rules: Option<Rules>,
        wrong: Option<String>,
    ) {
        self.problems.forget(PROBLEM);
        if let Some(text) = wrong {
            let hint = "correct the file; the rate rules from before stay in force until then";
            self.problems.note(PROBLEM, text, hint);
        }
        let Some(rules) = rules.filter(|rules| rules != self.router.acl().rules()) else {
            return;
        };
        self.router.acl().set(rules);
        self.router.allowed_anew(turn.cx);
        self.topics.allowed_anew(turn.cx.now);
    }

    /// Tells the rate rules what a linked node is.
    pub(crate) fn note_group(&mut self, turn: &mut Turn<'_, '_>, node: NodeId) {
        let group = if self.mine.uses(turn.cx, &node) {
            Some(Group::Cores)
        } else if self.host.custody.is_client(turn.cx, &node) {
            Some(Group::Clients)
        } else {
            None
        };
        self.router.acl().belongs(*node.as_bytes(), group);
    }
}
