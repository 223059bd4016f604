//! `owners …`, and `topic create`.

use super::Context;
use crate::args::owners::{Owners, Threshold};
use crate::client::object;
use crate::failure::Exit;
use crate::output::{Outcome, note};
use crate::request::Ask;
use crate::{human, plain, schema};

/// `way owners …`.
///
/// # Errors
/// The node's failure.
pub fn run(context: &mut Context, owners: Owners) -> Outcome {
    match owners {
        Owners::List { topic } => context.one(Ask::OwnersList { topic }, human::owners::list),
        Owners::Pending => context.many(Ask::OwnersPending, human::owners::pending),
        Owners::Sign { id } => context.one(Ask::OwnersSign { id }, human::owners::one),
        Owners::Propose {
            topic,
            add,
            remove,
            threshold,
        } => {
            let ask = Ask::OwnersPropose {
                topic,
                add,
                remove,
                threshold,
            };
            context.one(ask, human::owners::one)
        }
    }
}

/// `way topic create --owners`.
///
/// # Errors
/// The node's failure.
pub fn create(
    context: &mut Context,
    name: String,
    Threshold { threshold, count }: Threshold,
    (public, messages): (bool, Option<u32>),
) -> Outcome {
    let ask = Ask::OwnersCreate {
        name,
        threshold,
        count,
        public,
        messages,
    };
    let line = context.client()?.one(ask)?;
    if context.out.json {
        context.out.line(&line)?;
        return Ok(Exit::Done);
    }
    let made: schema::OwnedTopic = object(&line)?;
    context
        .out
        .line(&format!("{}  {}", plain::line(&made.name), made.id))?;
    for link in &made.links {
        context.out.line(link)?;
    }
    context.out.flush()?;
    note(&format!(
        "give each of the other owners one of these links, until {}; when all have joined and agreed \
         (`way owners sign`), {threshold} of {count} decide who owns the topic; until then you alone do",
        made.expires
    ));
    Ok(Exit::Done)
}
