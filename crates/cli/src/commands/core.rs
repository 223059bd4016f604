//! `core …`: both halves.

use std::path::Path;

use super::Context;
use crate::args::Core;
use crate::failure::{Code, Exit, Failure};
use crate::human;
use crate::output::Outcome;
use crate::psk;
use crate::request::Ask;
use crate::schema;
use crate::size::Size;
use crate::when::now_ms;

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
        Core::Allow {
            node,
            quota,
            psk_file,
            uses,
        } => match psk_file {
            Some(file) => allow_psk(context, &file, quota, uses.unwrap_or(1)),
            None => allow(context, node.unwrap_or_default(), quota),
        },
        Core::Deny { node, psk_file } => match psk_file {
            Some(file) => deny_psk(context, &file),
            None => {
                let node = node.unwrap_or_default();
                context.one(Ask::CoreDeny { node }, human::core_denied)
            }
        },
        Core::NewPsk { file } => new_psk(context, &file),
        Core::Clients => context.many(Ask::CoreClients, human::clients),
        Core::Use { link, psk_file } => {
            let ask = match psk_file {
                None => Ask::CoreUse { link },
                Some(file) => Ask::CoreUsePsk {
                    address: link,
                    psk: text_of(&file)?,
                },
            };
            context.one(ask, |used: &schema::CoreUsed| {
                format!("{} keeps up to {} for this node", used.id, Size(used.quota))
            })
        }
        Core::Retire { by, .. } => {
            let by = by.map(|when| when.resolve(now_ms())).transpose();
            let by = by.map_err(|why| Failure::new(Code::Usage, why.to_string(), ""))?;
            context.one(Ask::CoreRetire { by }, human::core_retires)
        }
        Core::Leave { node, now } => {
            let ask = Ask::CoreLeave { core: node, now };
            context.one(ask, move |_: &schema::Done| {
                let done = match now {
                    true => "left: it takes nothing new for this node and keeps what it promised",
                    false => {
                        "it is left as soon as others hold what it does; `way core list` says when"
                    }
                };
                done.to_owned()
            })
        }
        Core::List => context.many(Ask::CoreList, human::cores),
    }
}

fn allow(context: &mut Context, node: String, quota: Size) -> Outcome {
    let ask = Ask::CoreAllow {
        node: node.clone(),
        quota: quota.0,
    };
    context.one(ask, |_: &schema::Done| {
        let node = crate::plain::line(&node);
        format!("{node} is a client now, with {quota}")
    })
}

fn allow_psk(context: &mut Context, file: &Path, quota: Size, uses: u32) -> Outcome {
    let psk = text_of(file)?;
    let ask = Ask::CoreAllowPsk {
        psk,
        quota: quota.0,
        uses,
    };
    context.one(ask, |_: &schema::Done| {
        let who = match uses {
            1 => "one node".to_owned(),
            more => format!("{more} nodes"),
        };
        format!(
            "{who} with this key may become a client, with {quota}: \
             `way core use ADDRESS --psk-file FILE`"
        )
    })
}

fn deny_psk(context: &mut Context, file: &Path) -> Outcome {
    let psk = text_of(file)?;
    context.one(Ask::CoreDenyPsk { psk }, |_: &schema::Done| {
        "nobody becomes a client with this key any more; who is one stays it until \
         `way core deny NODE`"
            .to_owned()
    })
}

fn new_psk(context: &mut Context, file: &Path) -> Outcome {
    psk::new_file(file)?;
    let made = schema::PskMade {
        v: schema::Version,
        file: file.display().to_string(),
    };
    context.print(&schema::to_line(&made), |made: &schema::PskMade| {
        format!(
            "a new key is in {}\ngive it to the other side by a way that nobody else can read; use \
             another for each core node",
            crate::plain::line(&made.file)
        )
    })?;
    Ok(Exit::Done)
}

fn text_of(file: &Path) -> Result<String, Failure> {
    Ok(psk::to_text(&psk::from_file(file)?).to_string())
}
