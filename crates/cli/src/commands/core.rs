//! `core …`: both halves.

use super::Context;
use crate::args::Core;
use crate::human;
use crate::output::Outcome;
use crate::request::Ask;
use crate::schema;
use crate::size::Size;

/// `way core …`.
///
/// # Errors
/// The node's failure.
pub fn run(context: &mut Context, core: Core) -> Outcome {
    match core {
        Core::Invite { quota, uses } => {
            let ask = Ask::CoreInvite {
                quota: quota.0,
                uses,
            };
            context.one(ask, |invite: &schema::CoreInvite| invite.link.clone())
        }
        Core::Allow { node, quota } => {
            let ask = Ask::CoreAllow {
                node: node.clone(),
                quota: quota.0,
            };
            context.one(ask, |_: &schema::Done| {
                format!(
                    "{} is a client now, with {quota}",
                    crate::plain::line(&node)
                )
            })
        }
        Core::Deny { node } => context.one(Ask::CoreDeny { node }, human::core_denied),
        Core::Clients => context.many(Ask::CoreClients, human::clients),
        Core::Use { link } => context.one(Ask::CoreUse { link }, |used: &schema::CoreUsed| {
            format!("{} keeps up to {} for this node", used.id, Size(used.quota))
        }),
        Core::Leave { node } => context.one(Ask::CoreLeave { core: node }, |_: &schema::Done| {
            "left: it takes nothing new for this node and keeps what it promised".to_owned()
        }),
        Core::List => context.many(Ask::CoreList, human::cores),
    }
}
