//! People change their core nodes: they begin to use one, and leave another for it.

use super::super::host::{Around, Host};
use super::{Asked, Stage};
use crate::check::files;
use crate::plan::{Act, NodeNo};
use node::command::{Code, Command, Reply};

impl Host {
    /// The person begins to use a core node.
    pub(super) fn begins_with(&mut self, around: &mut Around<'_>, core: NodeNo) -> bool {
        let cores = &mut self.app.cores;
        match cores.iter_mut().find(|(no, _)| *no == core) {
            Some((_, stage)) => *stage = Stage::Wanted,
            None => cores.push((core, Stage::Wanted)),
        }
        self.use_cores(around);
        true
    }

    /// The person leaves a core node, once another has agreed.
    pub(super) fn parts_with(&mut self, around: &mut Around<'_>, step: u32, core: NodeNo) -> bool {
        let others = || self.app.cores.iter().filter(|(no, _)| *no != core);
        if !others().any(|(_, stage)| *stage == Stage::Done) {
            return false;
        }
        let core = around.net.id(core).to_string();
        let leave = Command::CoreLeave { core, now: false };
        self.give(around, Asked::Part { step }, leave);
        true
    }

    /// The person looks at its core nodes.
    pub(crate) fn looks_at_cores(&mut self, around: &mut Around<'_>) {
        if self.life.is_some() && !self.app.cores.is_empty() {
            self.give(around, Asked::Cores, Command::CoreList);
        }
    }

    /// No honest core node may be said not to hold what it says. What a disk has lost nobody holds.
    pub(super) fn judges_cores(&self, around: &mut Around<'_>, reply: &Reply) {
        let Reply::Cores(cores) = reply else {
            return;
        };
        for core in cores {
            let Some(no) = around.facts.node_no(&core.id) else {
                continue;
            };
            if let Some((_, what)) = core
                .broken
                .as_ref()
                .filter(|_| !around.facts.is_tainted(no))
                && !lost_something(around, no)
            {
                let name = &around.plan.nodes[no as usize].name;
                let what = format!("{name} is said not to hold what it says: {what}");
                Self::scene(self.no, around).broken(files::PROMISE, what);
            }
        }
    }

    /// The core node is being left; or not yet, for want of another that is there.
    pub(super) fn has_parted(&mut self, around: &mut Around<'_>, step: u32, reply: &Reply) {
        let act = around.plan.steps.get(step as usize).map(|step| &step.act);
        let Some(Act::LeaveCore { core, .. }) = act else {
            return;
        };
        // One that never agreed is not in use, and there is nothing to leave.
        if matches!(reply, Reply::Failed(failure) if failure.code != Code::NotFound) {
            self.app.waiting.push_back(step);
            return self.try_again(around, super::TRY_AGAIN);
        }
        self.app.cores.retain(|(no, _)| no != core);
        // Invites name the core nodes of who gives them.
        self.invite_again(around);
    }
}

/// Whether the plan lets a node lose what it had said was durable.
fn lost_something(around: &Around<'_>, no: NodeNo) -> bool {
    let loses = |act: &Act| {
        matches!(act, Act::TearTail { node, .. } | Act::Restore { node, .. } | Act::Clone { node, .. }
            if *node == no)
    };
    around.plan.steps.iter().any(|step| loses(&step.act))
}
