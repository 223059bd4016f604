//! What counts as delivered to a person: each message once in the run. A home that was set back shows
//! again what it had shown; its person has seen it all the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::{Act, NodeNo, Plan};

/// A message: the step of the plan that wrote it, and which of its messages it is.
type Message = (u32, u32);

/// What has been counted for whom, as far as it may be shown twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Once {
    /// Copies of homes, which have no person.
    nobody: BTreeSet<NodeNo>,
    /// What those have seen whose homes are set back; others are shown nothing twice.
    seen: BTreeMap<NodeNo, BTreeSet<Message>>,
}

impl Once {
    pub(super) fn new(plan: &Plan) -> Self {
        let twins = (0..).zip(&plan.nodes);
        let twins = twins.filter(|(_, node)| node.twin_of.is_some());
        let set_back = plan.steps.iter().filter_map(|step| match step.act {
            Act::TearTail { node, .. } | Act::Restore { node, .. } => Some(node),
            _ => None,
        });
        Self {
            nobody: twins.map(|(no, _)| no).collect(),
            seen: set_back.map(|node| (node, BTreeSet::new())).collect(),
        }
    }

    /// Whether a message that is shown to the person of a node is one more.
    pub(super) fn is_new(&mut self, node: NodeNo, message: Message) -> bool {
        if self.nobody.contains(&node) {
            return false;
        }
        let seen = self.seen.get_mut(&node);
        seen.is_none_or(|seen| seen.insert(message))
    }
}
