//! `topic …`, `invite`, `join`.

use std::io::IsTerminal as _;

use super::Context;
use super::giving::rights;
use super::node::milliseconds;
use crate::args::{Invite, Join, Topic};
use crate::client::{Client, object};
use crate::failure::{Code, Exit, Failure};
use crate::output::{Outcome, note};
use crate::request::{Ask, Right};
use crate::when::{When, now_ms};
use crate::{human, plain, qr, schema};

/// `way topic …`.
///
/// # Errors
/// The node's failure.
pub fn run(context: &mut Context, topic: Topic) -> Outcome {
    match topic {
        Topic::Create {
            name,
            owners,
            public,
            rate,
        } => {
            let messages = rate.map(|rate| rate.0);
            let done = match owners {
                Some(owners) => super::owners::create(context, name, owners, (public, messages)),
                None => create(context, name, (public, messages)),
            };
            if done.is_ok() && public && !context.out.json {
                note(
                    "whoever has the topic's id, or a link by `way topic link`, can read all that is \
                     ever written to it, and sees who writes it and at which node",
                );
            }
            done
        }
        Topic::Link { topic } => context
            .one(Ask::TopicLink { topic }, |link: &schema::TopicLink| {
                link.link.clone()
            }),
        Topic::List => context.many(Ask::TopicList, human::topics),
        Topic::Info { topic } => context.one(Ask::TopicInfo { topic }, human::topic_info),
        Topic::Leave { topic } => context.one(Ask::TopicLeave { topic }, |_: &schema::Done| {
            "left; what is here stays readable, `way topic forget` deletes it".to_owned()
        }),
        Topic::Forget { topic, yes } => {
            let mut client = context.client()?;
            let info: schema::TopicInfo = object(&client.one(Ask::TopicInfo {
                topic: topic.clone(),
            })?)?;
            if !yes {
                let what = format!(
                    "delete {} ({} lines) from this home for good?",
                    plain::line(&info.name),
                    info.lines
                );
                confirm(&what)?;
            }
            let line = client.one(Ask::TopicForget { topic: info.id })?;
            context.print(&line, |_: &schema::Done| "forgotten".to_owned())?;
            Ok(Exit::Done)
        }
    }
}

/// A topic of one owner.
fn create(context: &mut Context, name: String, (public, messages): (bool, Option<u32>)) -> Outcome {
    let line = context.client()?.one(Ask::TopicCreate {
        name,
        public,
        messages,
    })?;
    context.print(&line, words)?;
    context.out.flush()?;
    if !context.out.json {
        note(
            "only this device owns the topic: whoever steals it owns it alone, and if it is lost nobody \
             can change who owns it; `way device invite` adds a device of yours, `--owners 2of3` others",
        );
    }
    Ok(Exit::Done)
}

fn words(topic: &schema::TopicId) -> String {
    format!("{}  {}", plain::line(&topic.name), topic.id)
}

/// `way members`.
///
/// # Errors
/// The node's failure.
pub fn members(context: &mut Context, topic: String) -> Outcome {
    context.many(Ask::Members { topic }, human::members::list)
}

/// `way invite`.
///
/// # Errors
/// The node's failure.
pub fn invite(context: &mut Context, invite: Invite) -> Outcome {
    let now = now_ms();
    let time = |name: &str, when: When| {
        let time = when.resolve(now);
        time.map_err(|error| Failure::new(Code::Usage, format!("--{name}: {error}"), ""))
    };
    let until = time("until", invite.until)?;
    let from = invite.read_from.map(|when| time("read-from", when));
    let to = invite.read_until.map(|when| time("read-until", when));
    let rights = rights([invite.publish, invite.read, invite.admit]);
    let reads = rights.is_empty() || rights.contains(&Right::Read);
    if !reads && (from.is_some() || to.is_some()) {
        return Err(Failure::new(
            Code::Usage,
            "--read-from and --read-until are for an invite that lets people read",
            "say --read as well",
        )
        .into());
    }
    let ask = Ask::Invite {
        topic: invite.topic,
        uses: invite.uses,
        until: Some(until),
        rights,
        read_from: from.transpose()?,
        read_until: to.transpose()?,
        messages: invite.rate.map(|rate| rate.0),
        while_away: invite.while_away,
    };
    let line = context.client()?.one(ask)?;
    let made: schema::Invite = object(&line)?;
    if context.out.json {
        context.out.line(&line)?;
        return Ok(Exit::Done);
    }
    if invite.qr {
        for line in qr::lines(&made.link, context.out.is_terminal())? {
            context.out.line(&line)?;
        }
    }
    context.out.line(&made.link)?;
    context.out.flush()?;
    let uses = if made.uses == 1 {
        "one device".to_owned()
    } else {
        format!("{} devices", made.uses)
    };
    let gives = human::invited(&made.rights, (made.messages, made.bytes));
    let (kind, until) = (made.attended, &made.expires);
    note(&if kind {
        format!(
            "{uses} can join with this link until {until}, and may {gives}, once somebody who may admit \
             is online and welcomes them"
        )
    } else {
        format!(
            "whoever has this link can read from now on: {uses} can join with it until {until}, and may \
             {gives}. Each writes 64 envelopes and 1 MiB at first, and goes on when somebody who may admit \
             has been online"
        )
    });
    Ok(Exit::Done)
}

/// `way join`.
///
/// # Errors
/// The node's failure; `refused` when the person says no.
pub fn join(context: &mut Context, join: Join) -> Outcome {
    let mut client = match context.client() {
        Err(failure) if failure.code == Code::NoNode && join.up => {
            crate::daemon::start_quietly(context)?;
            context.client()?
        }
        other => other?,
    };
    let timeout_ms = milliseconds(join.timeout);
    if is_public(&join.link) {
        // Nobody invites to it, and nobody hears of it.
        let Join { link, name, .. } = join;
        let ask = Ask::Join {
            link,
            name,
            timeout_ms,
        };
        let line = client.one(ask)?;
        context.print(&line, |topic| format!("reads {}", words(topic)))?;
        return Ok(Exit::Done);
    }
    let line = client.one(Ask::JoinLook {
        link: join.link.clone(),
        timeout_ms,
    })?;
    let invitation: schema::Invitation = object(&line)?;
    // On standard error: standard output is for the answer.
    if context.out.json {
        note(&line);
    } else {
        note(&human::invitation(&invitation));
    }
    if !join.yes && std::io::stdin().is_terminal() {
        confirm("join?")?;
    }
    finish(
        context,
        &mut client,
        Ask::Join {
            link: join.link,
            name: join.name,
            timeout_ms,
        },
    )
}

/// Whether a text means a public topic: the node says whether it is one.
fn is_public(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    text.starts_with("way:topic/") || text.starts_with("topic1")
}

fn finish(context: &mut Context, client: &mut Client, ask: Ask) -> Outcome {
    let line = client.one(ask)?;
    context.print(&line, |topic| format!("joined {}", words(topic)))?;
    Ok(Exit::Done)
}

/// Asks a person; anything but yes is no. Without a terminal nobody can say yes.
fn confirm(question: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    if !std::io::stdin().is_terminal() {
        let message = format!("not done: {question}");
        return Err(Failure::new(Code::Usage, message, "say --yes"));
    }
    let mut error = std::io::stderr();
    // If the question cannot be shown, nobody will answer yes.
    let _ = write!(error, "{question} [y/N] ").and_then(|()| error.flush());
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes" | "Yes") {
        Ok(())
    } else {
        Err(Failure::new(Code::Refused, "not done, as you said", ""))
    }
}
